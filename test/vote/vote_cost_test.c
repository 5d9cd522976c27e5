/* SPDX-License-Identifier: MPL-2.0
 *
 * What a committed transaction of N participants costs without faults, beside what Gray and Lamport ("Consensus on
 * Transaction Commit", ACM TODS 31, 2006, section 5) count: messages, forced writes, delays. The cores run in rounds: what
 * is sent in one arrives in the next. Twice: apart, where everybody has a node of its own; and together, where participant i
 * and acceptor i are on node i and the coordinator on node 0, and what one node sends to another in a round is one
 * message, what it forces one write.
 */
#include <stdlib.h>
#include "test/protocol/check.h"
#include "actors/vote/vote.h"

#define MAIL_MAX      4096
#define ROUNDS_MAX    32
#define PARTIES_MAX   8
#define ACCEPTORS_MAX 5

typedef struct {
    synod__vote_role_t role;
    uint32_t to;
    synod__vote_message_t message;
} mail_t;

typedef struct {
    uint32_t delays;             /* messages one after another until the outcome is known to a participant */
    uint32_t messages, after;    /* until all know the outcome; then acknowledgements and what is forgotten */
    uint32_t writes, after_them; /* forced, until the outcome is decided; then */
} cost_t;

typedef struct {
    synod__vote_tx_t tx;
    synod__coordinator_t coordinator;
    synod__party_t parties[PARTIES_MAX];
    synod__paxos_record_t records[ACCEPTORS_MAX][PARTIES_MAX];
    mail_t mail[2][MAIL_MAX]; /* of this round and the next */
    uint32_t count[2], round;
    bool together, decided;
    cost_t cost;
    bool sent[ROUNDS_MAX][PARTIES_MAX][PARTIES_MAX], forced[ROUNDS_MAX][PARTIES_MAX];
} world_t;

/* The node of that one, when they are together. */
static uint32_t node_of (synod__vote_role_t role, uint32_t at)
{
    return role == SYNOD__ROLE_COORDINATOR ? 0 : at;
}

static void count_message (world_t *world, uint32_t from, uint32_t to, synod__vote_kind_t kind)
{
    bool *sent = &world->sent[world->round][from][to];
    if (world->together && (from == to || *sent))
        return;
    *sent = true;
    if (kind == SYNOD__SAY_ACK || kind == SYNOD__SAY_FORGET)
        world->cost.after++;
    else
        world->cost.messages++;
}

static void count_forced (world_t *world, uint32_t node)
{
    bool *forced = &world->forced[world->round][node];
    if (world->together && *forced)
        return;
    *forced = true;
    if (world->decided)
        world->cost.after_them++;
    else
        world->cost.writes++;
}

static void post (world_t *world, synod__vote_role_t role, uint32_t at, const synod__vote_send_t *send)
{
    uint32_t next = !(world->round & 1);
    for (uint32_t to = 0; to < 32; to++) {
        if (!(send->bits & 1u << to))
            continue;
        assert_true (world->count[next] < MAIL_MAX);
        world->mail[next][world->count[next]++] = (mail_t){send->role, to, send->message};
        count_message (world, node_of (role, at), node_of (send->role, to), send->message.kind);
    }
}

static void carry (world_t *world, synod__vote_role_t role, uint32_t at, const synod__vote_step_t *step)
{
    assert_int_equal (step->code, SYNOD_OK);
    if (step->write == SYNOD__WRITE_FORCED)
        count_forced (world, node_of (role, at));
    if (role == SYNOD__ROLE_COORDINATOR && step->decided) { /* what is forced for it is part of it */
        assert_int_equal (step->decided, SYNOD__OUTCOME_COMMITTED);
        world->decided = true;
    }
    if (role == SYNOD__ROLE_PARTY && step->decided && !world->cost.delays)
        world->cost.delays = world->round;
    for (uint32_t i = 0; i < step->nsends; i++)
        post (world, role, at, &step->sends[i]);
}

static void accept (world_t *world, const mail_t *mail)
{
    synod__vote_acceptor_step_t step;
    const synod__acceptor_name_t *is = &world->tx.acceptors.acceptors[mail->to];
    const synod__paxos_self_t self = {.name = synod_str (is->name), .id = is->id};
    synod__paxos_record_t *record = &world->records[mail->to][mail->message.instance];
    synod__vote_accept (&world->tx, mail->to, &self, record, &mail->message, &step);
    if (step.write) {
        *record = step.record;
        record->value = synod__vote_value (synod__vote_of_value (record->value));
        count_forced (world, node_of (SYNOD__ROLE_ACCEPTOR, mail->to));
    }
    if (step.nsends)
        post (world, SYNOD__ROLE_ACCEPTOR, mail->to, &step.send);
}

static void deliver (world_t *world, const mail_t *mail)
{
    static synod__vote_step_t step;
    if (mail->role == SYNOD__ROLE_ACCEPTOR) {
        accept (world, mail);
        return;
    }
    if (mail->role == SYNOD__ROLE_COORDINATOR)
        synod__coordinator_take (&world->coordinator, &mail->message, 1, &step);
    else if (mail->message.kind == SYNOD__SAY_PREPARE)
        synod__party_prepare (&world->parties[mail->to], SYNOD__VOTE_YES, 1, &step);
    else
        synod__party_take (&world->parties[mail->to], &mail->message, 1, &step);
    carry (world, mail->role, mail->to, &step);
}

static void make_acceptors (world_t *world, uint32_t count)
{
    synod__acceptor_name_t names[ACCEPTORS_MAX] = {{{0}, {{0}}}};
    for (uint32_t i = 0; i < count; i++) {
        snprintf (names[i].name, sizeof names[i].name, "a%u", i);
        names[i].id.bytes[0] = (uint8_t) (i + 1);
    }
    assert_int_equal (synod__paxos_set_make (&world->tx.acceptors, names, count, NULL), SYNOD_OK);
}

static cost_t cost_of (synod__vote_protocol_t protocol, uint32_t parties, uint32_t acceptors, bool together)
{
    static world_t world;
    static synod__vote_step_t step;
    const synod__party_record_t nothing = {0};
    synod__paxos_self_t who = {.name = synod_str ("n")};
    memset (&world, 0, sizeof world);
    world.tx = (synod__vote_tx_t){.protocol = protocol, .parties = parties};
    world.together = together;
    who.id.bytes[0] = 99;
    if (protocol == SYNOD__VOTE_PAXOS)
        make_acceptors (&world, acceptors);
    for (uint32_t i = 0; i < parties; i++)
        synod__party_begin (&world.parties[i], &world.tx, i, &nothing, &who, true);
    synod__coordinator_begin (&world.coordinator, &world.tx, &who, 1, &step);
    carry (&world, SYNOD__ROLE_COORDINATOR, 0, &step);
    for (world.round = 1; world.count[world.round & 1]; world.round++) {
        uint32_t now = world.round & 1;
        assert_true (world.round < ROUNDS_MAX - 1);
        for (uint32_t i = 0; i < world.count[now]; i++)
            deliver (&world, &world.mail[now][i]);
        world.count[now] = 0;
    }
    assert_int_equal (world.coordinator.phase, SYNOD__COORDINATOR_ENDED);
    for (uint32_t i = 0; i < parties; i++) {
        assert_int_equal (world.parties[i].record.state, SYNOD__PARTY_COMMITTED);
        synod__party_free (&world.parties[i]);
    }
    synod__coordinator_free (&world.coordinator);
    return world.cost;
}

static void is (const char *what, uint32_t n, uint32_t a, cost_t cost, cost_t wanted)
{
    if (memcmp (&cost, &wanted, sizeof cost) != 0)
        fail_msg (
            "%s of %u with %u acceptors: %u delays, %u + %u messages, %u + %u writes; expected %u, %u + %u, %u + %u",
            what, n, a, cost.delays, cost.messages, cost.after, cost.writes, cost.after_them, wanted.delays,
            wanted.messages, wanted.after, wanted.writes, wanted.after_them);
}

static void test_apart (void **state)
{
    (void) state;
    for (uint32_t n = 1; n <= PARTIES_MAX; n++) {
        is ("2pc", n, 0, cost_of (SYNOD__VOTE_2PC, n, 0, false), (cost_t){3, 3 * n, n, n + 1, n});
        is ("parallel", n, 0, cost_of (SYNOD__VOTE_PARALLEL, n, 0, false), (cost_t){3, 3 * n, n, n + 1, n});
        is ("3pc", n, 0, cost_of (SYNOD__VOTE_3PC, n, 0, false), (cost_t){5, 5 * n, n, 2 * n + 2, n});
        for (uint32_t a = 1; a <= ACCEPTORS_MAX; a += 2)
            is ("paxos", n, a, cost_of (SYNOD__VOTE_PAXOS, n, a, false),
                (cost_t){4, n * (2 + 2 * a), n + a, n + n * a, n + 1});
    }
}

static void test_together (void **state)
{
    (void) state;
    for (uint32_t n = ACCEPTORS_MAX; n <= PARTIES_MAX; n++) {
        is ("2pc", n, 0, cost_of (SYNOD__VOTE_2PC, n, 0, true), (cost_t){3, 3 * n - 3, n - 1, n + 1, n});
        is ("parallel", n, 0, cost_of (SYNOD__VOTE_PARALLEL, n, 0, true), (cost_t){3, 3 * n - 3, n - 1, n + 1, n});
        is ("3pc", n, 0, cost_of (SYNOD__VOTE_3PC, n, 0, true), (cost_t){5, 5 * n - 5, n - 1, 2 * n + 2, n});
        for (uint32_t a = 1; a <= ACCEPTORS_MAX; a += 2) {
            cost_t cost = cost_of (SYNOD__VOTE_PAXOS, n, a, true);
            /* theirs, N (F + 3) - 3 messages and N + F + 1 writes, has F + 1 acceptors where these are 2F + 1 */
            uint32_t f = a - 1;
            is ("paxos", n, a, cost, (cost_t){4, n * (f + 3) - 3, n - 1 + a - 1, n + f + 1, n + 1});
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_apart), cmocka_unit_test (test_together)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
