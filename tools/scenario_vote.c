/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `vote`: a bank of accounts on a ring, and clients that move money among them, each move a transaction by
 * two-phase or by Paxos commit, while nodes crash, wires fail and the ring changes. A client that does not hear how a
 * transaction ended repeats it until it does. Auditors look at all accounts and have a transaction make sure that they
 * hold just that at one moment: then it must be all the money there is.
 *
 * In the end nobody has anything locked, the money is all there, and each transaction was committed once by each account
 * that it named, or by none; by which, is what its client was told.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "scenarios.h"
#include "vote_bank.h"
#include "actors/place/paxos_actor.h"
#include "actors/place/ring_actor.h"
#include "actors/vote/vote_actor.h"
#include "protocol/paxos_records.h"
#include "protocol/ring_records.h"

#define NODES    5
#define ACCOUNTS 8
#define ASKERS   5 /* the last one audits */
#define MOVES    1024
#define PARTS    3
#define ASK_MS   6000

typedef struct world_t world_t;

/* A transaction that was asked for. */
typedef struct {
    char id[24];
    synod__vote_protocol_t protocol;
    uint32_t parts, account[ACCOUNTS], seen[ACCOUNTS]; /* SEEN: how often each says that it was committed */
    int64_t amount[ACCOUNTS];
    bool audits;
    uint64_t deadline_ms;
    synod__outcome_t outcome; /* as its client was told */
} move_t;

typedef struct {
    world_t *world;
    int node;
    bool audits;
    uint32_t looked; /* accounts that it has looked at: then it asks for the audit */
    int64_t balances[ACCOUNTS];
    move_t *move; /* under way */
} asker_t;

typedef struct {
    world_t *world;
    uint32_t account;
} last_t;

struct world_t {
    synod_sim_t *sim;
    uint32_t nodes, replicas, protocols; /* 0: 2pc, 1: paxos, 2: both */
    int node[NODES], operator_node;
    bool acceptors;
    asker_t askers[ASKERS];
    move_t *moves;
    uint32_t nmoves, committed, audited;
    /* at the end */
    uint32_t looking, looked;
    bool locked;
    last_t last[ACCOUNTS];
    uint32_t showing, ended; /* transactions: asked for; of how many the coordinator has ended, from the first on */
    int64_t sum;
};

static void next (synod_sim_t *sim, void *arg);

static void later (asker_t *asker, uint32_t most_ms)
{
    uint64_t chance = synod_sim_random (asker->world->sim);
    synod_sim_after (asker->world->sim, 1000 + (int64_t) (chance % (most_ms * 1000ull)), next, asker);
}

static void address_of (uint32_t account, char out[24])
{
    snprintf (out, 24, BANK_ACTOR "#account-%u", account);
}

/* ---- transactions ---- */

static void take_outcome (asker_t *asker, const synod__txn_outcome_t *out)
{
    world_t *world = asker->world;
    move_t *move = asker->move;
    move->outcome = synod__outcome (out->outcome);
    if (!move->outcome || !synod_str_is (out->id, move->id))
        synod_sim_fail (world->sim, "%s was answered as %.*s, %.*s", move->id, SYNOD_STR (out->id),
                        SYNOD_STR (out->outcome));
    world->committed += move->outcome == SYNOD__OUTCOME_COMMITTED;
    if (!move->audits || move->outcome != SYNOD__OUTCOME_COMMITTED)
        return;
    int64_t sum = 0;
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        sum += asker->balances[i];
    world->audited++;
    if (sum != ACCOUNTS * BANK_START)
        synod_sim_fail (world->sim, "audit %s found %" PRId64 " in all accounts at one moment, of %d", move->id, sum,
                        ACCOUNTS * BANK_START);
}

static void on_outcome (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    synod__txn_outcome_t out;
    (void) client;
    switch (reply->code) {
    case SYNOD_OK:
        if (synod_record_unpack (&synod__txn_outcome_record, reply->body, &out, NULL) != SYNOD_OK)
            synod_sim_fail (sim, "an outcome is none");
        else
            take_outcome (asker, &out);
        asker->move = NULL;
        asker->looked = 0;
        later (asker, 400);
        break;
    case SYNOD_TIMEOUT:
    case SYNOD_NODE_DOWN:
    case SYNOD_NO_ROUTE:
    case SYNOD_BUSY:
    case SYNOD_STOPPED:
    case SYNOD_REFUSED:     /* nobody says who accepts */
        later (asker, 400); /* the same again */
        break;
    default:
        synod_sim_fail (sim, "%s ended with %s: %.*s", asker->move->id, synod_error_name (reply->code),
                        SYNOD_STR (reply->message));
    }
}

static void ask_move (asker_t *asker)
{
    move_t *move = asker->move;
    synod__txn_commit_t in = {.id = synod_str (move->id),
                              .protocol = synod_str (synod__vote_protocol_name (move->protocol)),
                              .deadline_ms = move->deadline_ms};
    synod_buf_t parts = {0}, op = {0};
    char to[48];
    for (uint32_t i = 0; i < move->parts; i++) {
        char account[24];
        bank_move_t what = {.amount = move->amount[i], .expects = move->audits};
        if (move->audits)
            what.expected = asker->balances[move->account[i]];
        op.size = 0;
        synod_record_pack (&bank_move_record, &what, &op, NULL);
        address_of (move->account[i], account);
        synod__txn_part_t part = {.to = synod_str (account), .op = synod_str_n (op.data, op.size)};
        synod_list_add (&in.parts, &parts, &synod__txn_part_record, &part, NULL);
    }
    snprintf (to, sizeof to, SYNOD__VOTE_ACTOR "#%s", move->id);
    if (synod_sim_ask (asker->world->sim, asker->node, to, &synod__txn_commit_record, &in, ASK_MS, on_outcome, asker) !=
        SYNOD_OK)
        later (asker, 400); /* the client is not on the bus */
    synod_buf_free (&parts);
    synod_buf_free (&op);
}

static move_t *new_move (asker_t *asker)
{
    world_t *world = asker->world;
    uint64_t chance = synod_sim_random (world->sim);
    move_t *move = &world->moves[world->nmoves];
    snprintf (move->id, sizeof move->id, "t%u", ++world->nmoves);
    bool paxos = world->acceptors && (world->protocols == 1 || (world->protocols == 2 && chance & 1));
    move->protocol = paxos ? SYNOD__VOTE_PAXOS : SYNOD__VOTE_2PC;
    move->deadline_ms = (chance >> 1) % 4 ? 2000 : 100 + (chance >> 3) % 400;
    move->audits = asker->audits;
    return move;
}

static void make_move (asker_t *asker)
{
    move_t *move = asker->move = new_move (asker);
    uint64_t chance = synod_sim_random (asker->world->sim);
    move->parts = 2 + (uint32_t) (chance % (PARTS - 1));
    int64_t rest = 0;
    for (uint32_t i = 0; i < move->parts; i++) {
        move->account[i] = ((uint32_t) (chance >> 8) + i) % ACCOUNTS;
        move->amount[i] = i + 1 < move->parts ? (int64_t) ((chance >> (16 + 8 * i)) % 100) - 60 : -rest;
        rest += move->amount[i];
    }
    ask_move (asker);
}

static void make_audit (asker_t *asker)
{
    move_t *move = asker->move = new_move (asker);
    move->parts = ACCOUNTS;
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        move->account[i] = i;
    ask_move (asker);
}

static void on_seen (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    bank_account_t account;
    (void) sim;
    (void) client;
    bool ok =
        reply->code == SYNOD_OK && synod_record_unpack (&bank_account_record, reply->body, &account, NULL) == SYNOD_OK;
    if (ok)
        asker->balances[asker->looked++] = account.balance;
    else
        asker->looked = 0;
    if (asker->looked == ACCOUNTS)
        make_audit (asker);
    else
        later (asker, ok ? 1 : 400);
}

static void next (synod_sim_t *sim, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    world_t *world = asker->world;
    char to[24];
    bank_look_t look = {0};
    if (asker->move)
        ask_move (asker);
    else if (synod_sim_healed (sim) || world->nmoves == MOVES)
        return;
    else if (!asker->audits)
        make_move (asker);
    else {
        address_of (asker->looked, to);
        if (synod_sim_ask (sim, asker->node, to, &bank_look_record, &look, ASK_MS, on_seen, asker) != SYNOD_OK)
            later (asker, 400);
    }
}

/* ---- the operator ---- */

static void operate (synod_sim_t *sim, void *arg);

static void on_operated (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    world_t *world = (world_t *) arg;
    (void) client;
    if (!world->acceptors)
        world->acceptors = reply->code == SYNOD_OK;
    uint64_t pace_us = world->acceptors ? 6000000 : 300000;
    synod_sim_after (sim, 1000 + (int64_t) (synod_sim_random (sim) % pace_us), operate, world);
}

static int make_acceptors (world_t *world, const char *node)
{
    synod__paxos_init_t in = {.acceptors = {.count = 0}};
    synod_buf_t items = {0};
    char to[48];
    for (uint32_t i = 0; i < 3; i++) {
        synod__paxos_acceptor_t one = {.node = synod_str (synod_sim_name (world->sim, world->node[i]))};
        synod_list_add (&in.acceptors, &items, &synod__paxos_acceptor_record, &one, NULL);
    }
    snprintf (to, sizeof to, "%s/" SYNOD__PAXOS_ACTOR, node);
    int rc =
        synod_sim_ask (world->sim, world->operator_node, to, &synod__paxos_init_record, &in, 4000, on_operated, world);
    synod_buf_free (&items);
    return rc;
}

/* Another share for some member: some partitions get other owners, or other replicas. */
static int change_weight (world_t *world, const char *node, uint64_t chance)
{
    synod__ring_weight_t in = {.node = synod_str (synod_sim_name (world->sim, world->node[chance % world->nodes])),
                               .weight = 50 + (chance >> 8) % 150};
    char to[48];
    snprintf (to, sizeof to, "%s/" SYNOD__RING_ACTOR, node);
    return synod_sim_ask (world->sim, world->operator_node, to, &synod__ring_weight_record, &in, 4000, on_operated,
                          world);
}

/* The last node leaves, or joins again: what it has goes to others, and comes back. */
static int change_members (world_t *world, const char *node, uint64_t chance)
{
    const char *last = synod_sim_name (world->sim, world->node[world->nodes - 1]);
    synod__ring_leave_t leave = {.node = synod_str (last)};
    synod__ring_join_t join = {.node = leave.node};
    bool leaves = chance & 1;
    char to[48];
    snprintf (to, sizeof to, "%s/" SYNOD__RING_ACTOR, node);
    return synod_sim_ask (world->sim, world->operator_node, to,
                          leaves ? &synod__ring_leave_record : &synod__ring_join_record,
                          leaves ? (const void *) &leave : (const void *) &join, 4000, on_operated, world);
}

static void operate (synod_sim_t *sim, void *arg)
{
    world_t *world = (world_t *) arg;
    uint64_t chance = synod_sim_random (sim);
    if (world->acceptors && synod_sim_healed (sim))
        return;
    const char *node = synod_sim_name (sim, world->node[chance % (world->acceptors ? world->nodes : 3)]);
    int rc = !world->acceptors                  ? make_acceptors (world, node)
             : world->nodes > 3 && chance >> 63 ? change_members (world, node, chance >> 16)
                                                : change_weight (world, node, chance >> 16);
    if (rc != SYNOD_OK)
        synod_sim_after (sim, 300000, operate, world);
}

/* ---- the end ---- */

static void count_done (world_t *world, uint32_t account, const bank_done_t *done)
{
    uint32_t number = (uint32_t) strtoul (done->id.data + 1, NULL, 10);
    if (number < 1 || number > world->nmoves) {
        synod_sim_fail (world->sim, "account %u has %.*s, which nobody asked for", account, SYNOD_STR (done->id));
        return;
    }
    move_t *move = &world->moves[number - 1];
    for (uint32_t i = 0; i < move->parts; i++)
        if (move->account[i] == account)
            move->seen[i] = (uint32_t) done->times;
}

static void on_last (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    last_t *last = (last_t *) arg;
    world_t *world = last->world;
    bank_account_t account;
    bank_done_t done;
    (void) sim;
    (void) client;
    world->looking--;
    if (reply->code != SYNOD_OK || synod_record_unpack (&bank_account_record, reply->body, &account, NULL) != SYNOD_OK)
        return;
    world->looked++;
    world->sum += account.balance;
    world->locked = world->locked || account.locked.size;
    while (synod_list_next (&account.done, &bank_done_record, &done))
        count_done (world, last->account, &done);
}

static void on_shown (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    world_t *world = (world_t *) arg;
    synod__txn_shown_t shown;
    (void) sim;
    (void) client;
    bool ended = reply->code == SYNOD_NOT_FOUND ||
                 (reply->code == SYNOD_OK &&
                  synod_record_unpack (&synod__txn_shown_record, reply->body, &shown, NULL) == SYNOD_OK &&
                  synod_str_is (shown.phase, "ended"));
    world->ended += ended;
    world->showing--;
}

/* Every coordinator has ended, which it does when all have acknowledged. */
static bool all_ended (synod_sim_t *sim, world_t *world)
{
    synod__txn_show_t show = {0};
    char to[48];
    if (world->ended == world->nmoves)
        return true;
    snprintf (to, sizeof to, SYNOD__VOTE_ACTOR "#%s", world->moves[world->ended].id);
    world->showing += synod_sim_ask (sim, world->operator_node, to, &synod__txn_show_record, &show, ASK_MS, on_shown,
                                     world) == SYNOD_OK;
    return false;
}

/* Nothing is under way, and a look at all accounts found none locked. */
static bool done (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    bank_look_t look = {0};
    char to[24];
    for (uint32_t i = 0; i < ASKERS; i++)
        if (world->askers[i].move)
            return false;
    if (world->looking || world->showing || synod_sim_asks (sim))
        return false;
    if (world->looked == ACCOUNTS && !world->locked)
        return all_ended (sim, world);
    world->looked = 0;
    world->sum = 0;
    world->locked = false;
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        address_of (i, to);
        world->looking += synod_sim_ask (sim, world->operator_node, to, &bank_look_record, &look, ASK_MS, on_last,
                                         &world->last[i]) == SYNOD_OK;
    }
    return false;
}

static int check_move (synod_sim_t *sim, const move_t *move)
{
    uint32_t committed = move->outcome == SYNOD__OUTCOME_COMMITTED;
    for (uint32_t i = 0; i < move->parts; i++)
        if (move->seen[i] != committed && !(move->amount[i] == 0 && !move->audits))
            return synod_sim_fail (sim, "%s was %s, and account %u committed it %u times", move->id,
                                   synod__outcome_name (move->outcome), move->account[i], move->seen[i]);
    return SYNOD_OK;
}

static int finish (synod_sim_t *sim, void *state)
{
    const world_t *world = (const world_t *) state;
    if (world->sum != ACCOUNTS * BANK_START)
        return synod_sim_fail (sim, "all accounts hold %" PRId64 ", of %d", world->sum, ACCOUNTS * BANK_START);
    int rc = SYNOD_OK;
    char note[96];
    for (uint32_t i = 0; i < world->nmoves && rc == SYNOD_OK; i++)
        rc = check_move (sim, &world->moves[i]);
    snprintf (note, sizeof note, "%u transactions, %u committed, %u audits", world->nmoves, world->committed,
              world->audited);
    synod_sim_note (sim, note);
    return rc;
}

static void fini (void *state)
{
    free (((world_t *) state)->moves);
}

static int add_node (world_t *world, uint32_t at)
{
    char name[16];
    snprintf (name, sizeof name, "n%u", at + 1);
    world->node[at] = synod_sim_node (world->sim, name);
    bool ok = world->node[at] > 0 && synod_sim_add (world->sim, world->node[at], &bank_actor, NULL) == SYNOD_OK &&
              synod_sim_add (world->sim, world->node[at], &synod__vote_actor, NULL) == SYNOD_OK;
    if (ok && at < 3)
        ok = synod_sim_add (world->sim, world->node[at], &synod__paxos_actor, NULL) == SYNOD_OK &&
             synod_sim_add (world->sim, world->node[at], &synod__acceptor_actor, NULL) == SYNOD_OK;
    return ok ? synod_sim_start (world->sim, world->node[at]) : synod_sim_error (world->sim)->code;
}

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    int rc = SYNOD_OK;
    char name[16];
    world->sim = sim;
    world->nodes = 3 + (uint32_t) (synod_sim_random (sim) % (NODES - 2));
    world->replicas = synod_sim_random (sim) % 3 ? 3 : 1;
    world->protocols = (uint32_t) (synod_sim_random (sim) % 3);
    world->moves = (move_t *) calloc (MOVES, sizeof *world->moves);
    if (!world->moves)
        return SYNOD_NO_MEMORY;
    for (uint32_t i = 0; i < world->nodes && rc == SYNOD_OK; i++)
        rc = add_node (world, i);
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        world->last[i] = (last_t){world, i};
    world->operator_node = synod_sim_client (sim, "operator");
    if (rc == SYNOD_OK)
        rc = synod_sim_ring (sim, world->operator_node, 16, world->replicas, 60000);
    for (uint32_t i = 0; i < ASKERS; i++) {
        asker_t *asker = &world->askers[i];
        snprintf (name, sizeof name, "c%u", i + 1);
        *asker = (asker_t){.world = world, .node = synod_sim_client (sim, name), .audits = i == ASKERS - 1};
        later (asker, 1000);
    }
    return rc == SYNOD_OK ? synod_sim_after (sim, 1000, operate, world) : rc;
}

const synod_scenario_t synod__scenario_vote = {
    .name = "vote",
    .doc = "money that transactions move among accounts, while the ring changes",
    .either = true,
    .state_size = sizeof (world_t),
    .setup = setup,
    .done = done,
    .finish = finish,
    .fini = fini,
};
