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
#include "vote_scenario.h"
#include "actors/kv/kv.h"
#include "actors/place/paxos_actor.h"

static void next (synod_sim_t *sim, void *arg);

void vote_later (asker_t *asker, uint32_t most_ms)
{
    uint64_t chance = synod_sim_random (asker->world->sim);
    synod_sim_after (asker->world->sim, 1000 + (int64_t) (chance % (most_ms * 1000ull)), next, asker);
}

void vote_address (const world_t *world, uint32_t account, char out[24])
{
    snprintf (out, 24, "%s#account-%u", world->table ? SYNOD__KV_ACTOR : BANK_ACTOR, account);
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
    if (world->table && move->outcome == SYNOD__OUTCOME_COMMITTED)
        table_committed (asker, move);
    if (!move->audits || move->outcome != SYNOD__OUTCOME_COMMITTED)
        return;
    int64_t sum = -ACCOUNTS * BANK_START;
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        sum += asker->accounts[i].balance;
    world->audited++;
    if (sum < (int64_t) asker->added || sum > (int64_t) world->adding)
        synod_sim_fail (world->sim,
                        "audit %s found %" PRId64 " more than %d in all accounts at one moment, where %" PRIu64
                        " to %" PRIu64 " were added",
                        move->id, sum, ACCOUNTS * BANK_START, asker->added, world->adding);
}

bool vote_again (const synod_reply_t *reply)
{
    static const char no_acceptors[] = "nothing was begun: ";
    switch (reply->code) {
    case SYNOD_TIMEOUT:
    case SYNOD_NODE_DOWN:
    case SYNOD_NO_ROUTE:
    case SYNOD_BUSY:
    case SYNOD_STOPPED:
        return true;
    case SYNOD_REFUSED: /* nobody says who accepts; nothing else is refused */
        return memmem (reply->message.data, reply->message.size, no_acceptors, sizeof no_acceptors - 1) != NULL;
    default:
        return false;
    }
}

static void on_outcome (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    synod__txn_outcome_t out;
    (void) client;
    if (reply->code == SYNOD_OK) {
        if (synod_record_unpack (&synod__txn_outcome_record, reply->body, &out, NULL) != SYNOD_OK)
            synod_sim_fail (sim, "an outcome is none");
        else
            take_outcome (asker, &out);
        asker->move = NULL;
        asker->looked = 0;
    } else if (!vote_again (reply)) {
        synod_sim_fail (sim, "%s ended with %s: %.*s", asker->move->id, synod_error_name (reply->code),
                        SYNOD_STR (reply->message));
        return;
    }
    vote_later (asker, 400);
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
            what.expected = asker->accounts[move->account[i]].balance;
        op.size = 0;
        if (asker->world->table)
            table_op (asker, move, i, &op);
        else
            synod_record_pack (&bank_move_record, &what, &op, NULL);
        vote_address (asker->world, move->account[i], account);
        synod__txn_part_t part = {.to = synod_str (account), .op = synod_str_n (op.data, op.size)};
        synod_list_add (&in.parts, &parts, &synod__txn_part_record, &part, NULL);
    }
    if (asker->world->table) {
        char journal[64];
        table_journal (move, journal, &op);
        synod__txn_part_t part = {.to = synod_str (journal), .op = synod_str_n (op.data, op.size)};
        synod_list_add (&in.parts, &parts, &synod__txn_part_record, &part, NULL);
    }
    snprintf (to, sizeof to, SYNOD__VOTE_ACTOR "#%s", move->id);
    if (synod_sim_ask (asker->world->sim, asker->node, to, &synod__txn_commit_record, &in, ASK_MS, on_outcome, asker) !=
        SYNOD_OK)
        vote_later (asker, 400); /* the client is not on the bus */
    synod_buf_free (&parts);
    synod_buf_free (&op);
}

synod__vote_protocol_t vote_protocol (const world_t *world, uint64_t chance)
{
    static const synod__vote_protocol_t protocols[] = {SYNOD__VOTE_2PC, SYNOD__VOTE_PAXOS, SYNOD__VOTE_PARALLEL};
    const uint64_t one = world->protocols < 3 ? world->protocols : (chance >> 20) % 3;
    return protocols[one] == SYNOD__VOTE_PAXOS && !world->acceptors ? SYNOD__VOTE_2PC : protocols[one];
}

static move_t *new_move (asker_t *asker)
{
    world_t *world = asker->world;
    uint64_t chance = synod_sim_random (world->sim);
    move_t *move = &world->moves[world->nmoves];
    snprintf (move->id, sizeof move->id, "t%u", ++world->nmoves);
    move->protocol = vote_protocol (world, chance);
    move->deadline_ms = (chance >> 1) % 4 ? 2000 : 100 + (chance >> 3) % 400;
    move->audits = asker->audits;
    return move;
}

static void make_move (asker_t *asker)
{
    move_t *move = asker->move = new_move (asker);
    move->puts = asker->looks;
    asker->looks = false;
    uint64_t chance = synod_sim_random (asker->world->sim);
    move->parts = 2 + (uint32_t) (chance % (PARTS - 1));
    int64_t rest = 0;
    for (uint32_t i = 0; i < move->parts; i++) {
        move->account[i] = ((uint32_t) (chance >> 8) + i) % ACCOUNTS;
        move->amount[i] = i + 1 < move->parts ? (int64_t) ((chance >> (16 + 8 * i)) % 100) - 60 : -rest;
        rest += move->amount[i];
    }
    for (uint32_t i = 0; i < move->parts && move->puts; i++) /* nobody else says what may not be */
        if (asker->accounts[move->account[i]].balance + move->amount[i] < 0)
            memset (move->amount, 0, sizeof move->amount);
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

static bool take_seen (const world_t *world, const synod_reply_t *reply, seen_t *out)
{
    bank_account_t account;
    if (reply->code == SYNOD_OK && world->table)
        return table_seen (reply->body, out);
    if (reply->code != SYNOD_OK || synod_record_unpack (&bank_account_record, reply->body, &account, NULL) != SYNOD_OK)
        return false;
    *out = (seen_t){.balance = account.balance, .locked = account.locked.size, .done = account.done};
    return true;
}

static void on_seen (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    const world_t *world = asker->world;
    (void) sim;
    (void) client;
    bool ok = take_seen (world, reply, &asker->accounts[asker->looked]);
    if (ok && world->table)
        table_check (asker, asker->looked);
    asker->looked = ok ? asker->looked + 1 : 0;
    if (asker->looked == ACCOUNTS && world->nmoves == MOVES) /* others were faster */
        return;
    if (asker->looked == ACCOUNTS && asker->audits)
        make_audit (asker);
    else if (asker->looked == ACCOUNTS)
        make_move (asker);
    else
        vote_later (asker, ok ? 1 : 400);
}

static int look (const world_t *world, asker_t *asker, int node, uint32_t account, synod_sim_on_reply_t *on_reply,
                 void *arg)
{
    bank_look_t in = {0};
    char to[24];
    vote_address (world, account, to);
    if (world->table)
        return table_look (asker, node, to, on_reply, arg);
    return synod_sim_ask (world->sim, node, to, &bank_look_record, &in, ASK_MS, on_reply, arg);
}

/* What it does next, with the table: it moves what it has looked at, moves without a look, or adds. */
static bool draw_next (asker_t *asker)
{
    uint64_t chance = synod_sim_random (asker->world->sim);
    if (asker->looked || asker->looks || chance % 4 > 1)
        asker->looks = asker->looks || chance % 4 > 1;
    else if (chance % 4 == 0 && table_add (asker) == SYNOD_OK)
        return true;
    return false;
}

static void next (synod_sim_t *sim, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    world_t *world = asker->world;
    if (asker->move)
        ask_move (asker);
    else if (synod_sim_healed (sim) || world->nmoves == MOVES)
        return;
    else if (world->table && !asker->audits && draw_next (asker))
        return;
    else if (!asker->audits && !asker->looks)
        make_move (asker);
    else if (look (world, asker, asker->node, asker->looked, on_seen, asker) != SYNOD_OK)
        vote_later (asker, 400);
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
    seen_t seen;
    bank_done_t done;
    (void) sim;
    (void) client;
    world->looking--;
    if (!take_seen (world, reply, &seen))
        return;
    world->looked++;
    world->sum += seen.balance;
    world->locked = world->locked || seen.locked;
    while (synod_list_next (&seen.done, &bank_done_record, &done))
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
    for (uint32_t i = 0; i < ASKERS; i++)
        if (world->askers[i].move)
            return false;
    if (world->looking || world->showing || synod_sim_asks (sim) || (world->registers && !registers_done (world)))
        return false;
    if (world->looked == ACCOUNTS && !world->locked)
        return all_ended (sim, world) && (!world->table || table_journaled (world));
    world->looked = 0;
    world->sum = 0;
    world->locked = false;
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        world->looking += look (world, NULL, world->operator_node, i, on_last, &world->last[i]) == SYNOD_OK;
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
    world_t *world = (world_t *) state;
    int64_t sum = world->sum - ACCOUNTS * BANK_START;
    if (sum < (int64_t) world->added || sum > (int64_t) world->adding)
        return synod_sim_fail (sim,
                               "all accounts hold %" PRId64 ", of %d and %" PRIu64 " to %" PRIu64 " that were added",
                               world->sum, ACCOUNTS * BANK_START, world->added, world->adding);
    int rc = SYNOD_OK;
    char note[160], more[64] = "";
    for (uint32_t i = 0; i < world->nmoves && rc == SYNOD_OK; i++)
        rc = check_move (sim, &world->moves[i]);
    if (rc == SYNOD_OK && world->registers)
        rc = registers_check (world, more, sizeof more);
    snprintf (note, sizeof note, "%u transactions, %u committed, %u audits%s", world->nmoves, world->committed,
              world->audited, more);
    synod_sim_note (sim, note);
    return rc;
}

static void fini (void *state)
{
    table_free ((world_t *) state);
    registers_free ((world_t *) state);
    free (((world_t *) state)->moves);
}

static int add_node (world_t *world, uint32_t at)
{
    char name[16];
    snprintf (name, sizeof name, "n%u", at + 1);
    world->node[at] = synod_sim_node (world->sim, name);
    bool ok =
        world->node[at] > 0 &&
        synod_sim_add (world->sim, world->node[at], world->table ? &synod__kv_actor : &bank_actor, NULL) == SYNOD_OK &&
        synod_sim_add (world->sim, world->node[at], &synod__vote_actor, NULL) == SYNOD_OK;
    if (ok && at < 3)
        ok = synod_sim_add (world->sim, world->node[at], &synod__paxos_actor, NULL) == SYNOD_OK;
    return ok ? synod_sim_start (world->sim, world->node[at]) : synod_sim_error (world->sim)->code;
}

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    int rc = SYNOD_OK;
    char name[16];
    world->sim = sim;
    world->nodes = 3 + (uint32_t) (synod_sim_random (sim) % (VOTE_NODES - 2));
    world->replicas = synod_sim_random (sim) % 3 ? 3 : 1;
    world->protocols = (uint32_t) (synod_sim_random (sim) % 5);
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
        vote_later (asker, 1000);
    }
    return rc == SYNOD_OK ? vote_operate (world) : rc;
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

static int setup_table (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    world->table = true;
    int rc = setup (sim, state);
    if (rc == SYNOD_OK)
        registers_begin (world);
    return rc;
}

const synod_scenario_t synod__scenario_txn = {
    .name = "txn",
    .doc = "the same, where the accounts are keys of the table",
    .either = true,
    .state_size = sizeof (world_t),
    .setup = setup_table,
    .done = done,
    .finish = finish,
    .fini = fini,
};
