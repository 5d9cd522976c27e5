/* SPDX-License-Identifier: MPL-2.0
 *
 * The actors of voting on a ring of three: what a transaction comes to, what its mistakes are told, that messages of
 * strangers change nothing, and that decisions go on with the coordinator and an acceptor dead.
 */
#include "vote_world.h"

/* ---- tests ---- */

static const char *const s_protocols[] = {"2pc", "3pc", "paxos", "parallel"};
#define PROTOCOLS 4

static void test_outcomes (void **state)
{
    (void) state;
    world_t world;
    char id[16];
    world_new (&world, true, 3);
    for (int i = 0; i < PROTOCOLS; i++) {
        const part_t good[] = {{"bank#a", -10}, {"bank#b", 4}, {"bank#c", 6}},
                     bad[] = {{"bank#a", 500}, {"bank#b", -500}};
        snprintf (id, sizeof id, "good-%d", i);
        answer_t answer = run (&world, id, s_protocols[i], good, 3, 0);
        assert_int_equal (answer.code, SYNOD_OK);
        assert_string_equal (answer.outcome, "committed");
        assert_true (!answer.again && !answer.reasons);
        answer = run (&world, id, s_protocols[i], good, 3, 0); /* the first answer, and nothing else happens */
        assert_true (answer.again && strcmp (answer.outcome, "committed") == 0);
        snprintf (id, sizeof id, "bad-%d", i);
        answer = run (&world, id, s_protocols[i], bad, 2, 0);
        assert_string_equal (answer.outcome, "aborted");
        assert_int_equal (answer.reasons, 1);
        assert_non_null (strstr (answer.why, "bank#b: b holds"));
        answer = run (&world, id, s_protocols[i], bad, 2, 0);
        assert_true (answer.again && answer.reasons == 1 && strstr (answer.why, "bank#b: b holds"));
    }
    assert_int_equal (synod_sim_run (world.sim, 2000), SYNOD_OK);
    assert_true (look (&world, "bank#a").balance == 60 && !look (&world, "bank#a").locked);
    assert_true (look (&world, "bank#b").balance == 116 && look (&world, "bank#c").balance == 124);
    synod_sim_destroy (&world.sim);
}

static void test_mistakes (void **state)
{
    (void) state;
    world_t world;
    part_t many[33];
    char names[33][16];
    world_new (&world, false, 3);
    for (int i = 0; i < 33; i++) {
        snprintf (names[i], sizeof names[i], "bank#k%d", i);
        many[i] = (part_t){names[i], 1};
    }
    const part_t twice[] = {{"bank#a", 1}, {"bank#b", 1}, {"bank#a", -1}}, nowhere[] = {{"bank", 1}};
    const part_t stranger[] = {{"bank#a", 1}, {"n1/paxos", 1}}, nobody[] = {{"bank#a", 1}, {"shop#a", 1}};
    answer_t answer = run (&world, "x1", "4pc", many, 2, 0);
    assert_int_equal (answer.code, SYNOD_INVALID);
    assert_non_null (strstr (answer.text, "expected the protocol 2pc, 3pc, paxos or parallel, got \"4pc\""));
    answer = run (&world, "x2", NULL, many, 33, 0);
    assert_int_equal (answer.code, SYNOD_TOO_LARGE);
    assert_non_null (strstr (answer.text, "1 to 32 participants, this one has 33"));
    answer = run (&world, "x3", NULL, twice, 3, 0);
    assert_int_equal (answer.code, SYNOD_INVALID);
    assert_non_null (strstr (answer.text, "bank#a twice"));
    answer = run (&world, "x4", NULL, nowhere, 1, 0);
    assert_int_equal (answer.code, SYNOD_INVALID);
    assert_non_null (strstr (answer.text, "expected actor#key or node/actor as a participant, got \"bank\""));
    answer = run (&world, "x5", NULL, many, 0, 0);
    assert_int_equal (answer.code, SYNOD_TOO_LARGE);
    answer = run (&world, "x6", "paxos", many, 2, 0); /* nobody was made an acceptor */
    assert_int_equal (answer.code, SYNOD_REFUSED);
    assert_non_null (strstr (answer.text, "nothing was begun"));
    answer = run (&world, "x7", NULL, stranger, 2, 0);
    assert_string_equal (answer.outcome, "aborted");
    assert_non_null (strstr (answer.why, "n1/paxos: the actor paxos takes no part in transactions"));
    answer = run (&world, "x8", NULL, nobody, 2, 700);
    assert_string_equal (answer.outcome, "aborted");
    assert_non_null (strstr (answer.why, "shop#a: it had not voted when the time was over"));
    synod__txn_commit_t other = {.id = synod_str ("x9"), .parts = {.count = 0}};
    answer = ask (&world, "vote#y", &synod__txn_commit_record, &other);
    assert_int_equal (answer.code, SYNOD_INVALID);
    assert_non_null (strstr (answer.text, "is to be asked of vote#x9, not of vote#y"));
    synod_sim_destroy (&world.sim);
}

/* Nodes with a `paxos` that is none of the acceptors are passed over; with none that is, nothing is begun. */
static void test_acceptors (void **state)
{
    (void) state;
    world_t world;
    const part_t parts[] = {{"bank#a", -1}, {"bank#b", 1}};
    char id[8];
    world_new (&world, true, 1);
    for (int i = 0; i < 4; i++) {
        snprintf (id, sizeof id, "o%d", i);
        assert_true (synod_sim_up (world.sim, id, &synod__paxos_actor, NULL) > 0);
    }
    assert_int_equal (synod_sim_join (world.sim, 5000), SYNOD_OK);
    for (int i = 0; i < 20; i++) { /* on many partitions of `vote`: each has to find out */
        snprintf (id, sizeof id, "t%d", i);
        answer_t answer = run (&world, id, "paxos", parts, 2, 0);
        assert_true (answer.code == SYNOD_OK && strcmp (answer.outcome, "committed") == 0);
    }
    synod_sim_destroy (&world.sim);
    world_new (&world, false, 1);
    answer_t answer = run (&world, "t", "paxos", parts, 2, 0);
    assert_int_equal (answer.code, SYNOD_REFUSED);
    assert_non_null (strstr (answer.text, "knows no acceptors: make them by `synod paxos init`"));
    assert_true (look (&world, "bank#a").balance == BANK_START && !look (&world, "bank#a").locked);
    for (int i = 0; i < 2; i++) { /* who is beside may be named too, but once */
        int node = synod_sim_node (world.sim, i ? "p" : "q");
        const synod_actor_t *const types[] = {&synod__acceptor_actor, &synod__paxos_actor, &synod__acceptor_actor};
        assert_int_equal (synod_sim_add (world.sim, node, types[i], NULL), SYNOD_OK);
        assert_int_equal (synod_sim_add (world.sim, node, types[i + 1], NULL), SYNOD_OK);
        assert_int_equal (synod_sim_add (world.sim, node, &synod__paxos_actor, NULL), SYNOD_NAME_TAKEN);
    }
    synod_sim_destroy (&world.sim);
}

/* Whoever has voted and hears from the coordinator that it goes on waiting waits too, until the deadline. */
static void test_patience (void **state)
{
    (void) state;
    const part_t nobody[] = {{"bank#a", 1}, {"shop#a", 1}};
    for (int i = 0; i < PROTOCOLS; i++) {
        world_t world;
        answer_t answer = {.done = false};
        world_new (&world, true, 3);
        begin (&world, "t", s_protocols[i], nobody, 2, 10000, &answer);
        assert_int_equal (synod_sim_run (world.sim, 9500), SYNOD_OK);
        assert_true (!answer.done);
        assert_int_equal (synod_sim_until (world.sim, is_done, &answer, 5000), SYNOD_OK);
        assert_string_equal (answer.outcome, "aborted");
        assert_non_null (strstr (answer.why, "shop#a: it had not voted when the time was over"));
        synod_sim_destroy (&world.sim);
    }
}

/* A client that speaks for the coordinator, and for a participant. */
static void test_forged (void **state)
{
    (void) state;
    world_t world;
    answer_t answer = {.done = false};
    const part_t parts[] = {{"bank#a", -10}, {"shop#b", 10}};
    world_new (&world, true, 3);
    begin (&world, "t", NULL, parts, 2, 4000, &answer); /* nobody answers for shop#b: bank#a waits, prepared */
    assert_int_equal (synod_sim_run (world.sim, 1000), SYNOD_OK);
    assert_true (look (&world, "bank#a").locked);
    for (uint64_t home = 0; home < 16; home++) {
        synod__txn_txn_t decided = {.kind = synod_str ("decided"),
                                    .id = synod_str ("t"),
                                    .epoch = 1,
                                    .number = 1,
                                    .home = home,
                                    .role = synod_str ("coordinator"),
                                    .outcome = synod_str ("committed")};
        synod__txn_txn_t vote = {.kind = synod_str ("vote"),
                                 .id = synod_str ("t"),
                                 .epoch = 1,
                                 .number = 1,
                                 .home = home,
                                 .role = synod_str ("participant"),
                                 .from = 1,
                                 .vote = synod_str ("yes")};
        assert_int_equal (synod_sim_tell (world.sim, world.client, "bank#a", &synod__txn_txn_record, &decided),
                          SYNOD_OK);
        assert_int_equal (synod_sim_tell (world.sim, world.client, "vote#t", &synod__txn_txn_record, &vote), SYNOD_OK);
    }
    assert_int_equal (synod_sim_run (world.sim, 500), SYNOD_OK);
    assert_true (look (&world, "bank#a").locked && !answer.done);
    assert_int_equal (synod_sim_until (world.sim, is_done, &answer, 30000), SYNOD_OK);
    assert_string_equal (answer.outcome, "aborted");
    assert_int_equal (synod_sim_run (world.sim, 1000), SYNOD_OK);
    assert_true (look (&world, "bank#a").balance == BANK_START && !look (&world, "bank#a").locked);
    synod_sim_destroy (&world.sim);
}

/* Any one node dies in the midst of transactions and stays dead: with it a third of the coordinators, and one of three
 * acceptors. Nothing stays locked, and the money is all there. */
static void test_one_dead (void **state)
{
    (void) state;
    for (uint32_t effects = 0; effects < 12; effects++) {
        world_t world;
        answer_t answers[6] = {{.done = false}};
        world_new (&world, true, 3);
        for (int i = 0; i < 6; i++) {
            char id[8], names[2][16];
            snprintf (id, sizeof id, "t%d", i);
            for (int k = 0; k < 2; k++)
                snprintf (names[k], sizeof names[k], "bank#p%d", 2 * i + k);
            const part_t parts[] = {{names[0], -7}, {names[1], 7}};
            begin (&world, id, "paxos", parts, 2, 3000, &answers[i]);
        }
        synod_sim_crash_after (world.sim, world.node[effects % 3], effects);
        assert_int_equal (synod_sim_run (world.sim, 15000), SYNOD_OK);
        assert_int_equal (synod_sim_state (world.sim, world.node[effects % 3]), SYNOD_SIM_DOWN);
        int64_t sum = 0;
        for (int i = 0; i < 12; i++) {
            char name[16];
            snprintf (name, sizeof name, "bank#p%d", i);
            answer_t account = look (&world, name);
            assert_true (account.code == SYNOD_OK && !account.locked);
            sum += account.balance;
        }
        assert_int_equal (sum, 12 * BANK_START);
        synod_sim_destroy (&world.sim);
    }
}

/* One that is not placed takes part too, and comes back with what it promised. */
static void test_unplaced (void **state)
{
    (void) state;
    synod_actor_t till = bank_actor;
    till.name = "till";
    till.placement = SYNOD_UNPLACED;
    for (uint32_t effects = 0; effects < 10; effects++)
        for (int i = 0; i < PROTOCOLS; i += i ? 1 : 2) {
            world_t world;
            answer_t answer = {.done = false};
            const part_t parts[] = {{"bank#a", -10}, {"m/till", 10}};
            world_new (&world, true, 3);
            int node = synod_sim_up (world.sim, "m", &till, NULL);
            assert_int_equal (synod_sim_join (world.sim, 5000), SYNOD_OK);
            begin (&world, "t", s_protocols[i], parts, 2, 3000, &answer);
            synod_sim_crash_after (world.sim, node, effects);
            assert_int_equal (synod_sim_run (world.sim, 1000), SYNOD_OK);
            synod_sim_crash_after (world.sim, node, UINT32_MAX);
            if (synod_sim_state (world.sim, node) == SYNOD_SIM_DOWN)
                assert_int_equal (synod_sim_start (world.sim, node), SYNOD_OK);
            assert_int_equal (synod_sim_run (world.sim, 15000), SYNOD_OK);
            answer_t a = look (&world, "bank#a"), m = look (&world, "m/till");
            assert_true (answer.done && !a.locked && !m.locked);
            int64_t moved = strcmp (answer.outcome, "committed") == 0 ? 10 : 0;
            assert_true (a.balance == BANK_START - moved && m.balance == BANK_START + moved);
            synod_sim_destroy (&world.sim);
        }
}

/* ---- a coordinator that lost the record of an end ---- */

static const synod_actor_t s_speaker = {.name = SYNOD__VOTE_ACTOR};

/* Tells bank#a, as the coordinator of transaction NUMBER: all below LOW have ended. */
static int s_speak (synod_ctx_t *ctx, const char *kind, uint64_t number, uint64_t low)
{
    char id[8];
    synod_buf_t items = {0}, op = {0};
    const bool asks = strcmp (kind, "prepare") == 0;
    snprintf (id, sizeof id, "t%u", (unsigned) number);
    synod__txn_txn_t out = {.kind = synod_str (kind),
                            .id = synod_str (id),
                            .epoch = 1,
                            .number = number,
                            .home = 3,
                            .role = synod_str ("coordinator"),
                            .low = low};
    if (!asks)
        out.outcome = synod_str ("committed");
    else {
        out.protocol = synod_str ("2pc");
        assert_int_equal (synod_list_add (&out.participants, &items, &synod__txn_participant_record,
                                          &(synod__txn_participant_t){.to = synod_str ("bank#a")}, NULL),
                          SYNOD_OK);
        assert_int_equal (synod_record_pack (&bank_move_record, &(bank_move_t){.amount = -1}, &op, NULL), SYNOD_OK);
        out.op = synod_str_n (op.data, op.size);
    }
    int rc = synod_tell (ctx, "bank#a", &synod__txn_txn_record, &out);
    synod_buf_free (&items);
    synod_buf_free (&op);
    return rc;
}

static int s_decide (synod_ctx_t *ctx, void *state, void *arg)
{
    const uint64_t *number = (const uint64_t *) arg;
    (void) state;
    return s_speak (ctx, "decided", *number, 0);
}

/* The first is done; with the second all below it are said to have ended, and are forgotten. */
static int s_two (synod_ctx_t *ctx, void *state, void *arg)
{
    (void) state;
    (void) arg;
    int rc = s_speak (ctx, "prepare", 1, 1);
    if (rc == SYNOD_OK)
        rc = s_speak (ctx, "decided", 1, 0);
    if (rc == SYNOD_OK)
        rc = s_speak (ctx, "prepare", 9, 9);
    return rc == SYNOD_OK ? s_speak (ctx, "decided", 9, 0) : rc;
}

static void count_line (void *arg, const char *line);

/* What was forgotten by the coordinator's word is acknowledged if it tells again; what was never voted on is not. */
static void test_told_again (void **state)
{
    (void) state;
    for (uint32_t replicas = 1; replicas <= 3; replicas += 2) {
        world_t world;
        world_new (&world, false, replicas);
        int node = synod_sim_up (world.sim, "f", &s_speaker, NULL);
        assert_true (node > 0);
        assert_int_equal (synod_sim_join (world.sim, 5000), SYNOD_OK);
        assert_int_equal (look (&world, "bank#a").balance, BANK_START);
        assert_int_equal (synod_sim_act (world.sim, node, SYNOD__VOTE_ACTOR, s_two, NULL), SYNOD_OK);
        assert_int_equal (synod_sim_run (world.sim, 3000), SYNOD_OK);
        assert_int_equal (look (&world, "bank#a").balance, BANK_START - 2);
        for (uint64_t number = 1; number <= 17; number += 16) {
            uint32_t counts[2] = {0};
            synod_sim_trace (world.sim, count_line, counts);
            assert_int_equal (synod_sim_act (world.sim, node, SYNOD__VOTE_ACTOR, s_decide, &number), SYNOD_OK);
            assert_int_equal (synod_sim_run (world.sim, 1000), SYNOD_OK);
            synod_sim_trace (world.sim, NULL, NULL);
            assert_int_equal (counts[1], number == 1);
        }
        assert_int_equal (look (&world, "bank#a").balance, BANK_START - 2);
        synod_sim_destroy (&world.sim);
    }
}

/* ---- what it costs ---- */

static void count_line (void *arg, const char *line)
{
    uint32_t *counts = (uint32_t *) arg;
    const char *at = strstr (line, "$txn {\"kind\":\"");
    counts[0] += at != NULL;
    counts[1] += at != NULL && strstr (at, "\"kind\":\"ack\"");
}

/* As many as the cores alone would say (vote_cost_test.c), with three acceptors: through the actors none is more. */
static void test_messages (void **state)
{
    (void) state;
    part_t parts[] = {{"bank#a", 5}, {"bank#b", -1}, {"bank#c", -1}, {"bank#d", -1}, {"bank#e", -1}, {"bank#f", -1}};
    world_t world;
    world_apart (&world);
    /* whose nodes have no part in the ring learn it with the first that they say */
    assert_string_equal (run (&world, "first", "paxos", parts, 6, 0).outcome, "committed");
    assert_int_equal (synod_sim_run (world.sim, 3000), SYNOD_OK);
    for (uint32_t n = 1; n <= 6; n++) {
        const uint32_t expected[PROTOCOLS] = {4 * n, 6 * n, n * (2 + 2 * 3) + n + 3, 4 * n};
        parts[0].amount = n; /* 0 would be nothing to vote on */
        for (int i = 0; i < PROTOCOLS; i++) {
            uint32_t counts[2] = {0};
            char id[8];
            snprintf (id, sizeof id, "m%u-%d", n, i);
            synod_sim_trace (world.sim, count_line, counts);
            assert_string_equal (run (&world, id, s_protocols[i], parts, n, 0).outcome, "committed");
            assert_int_equal (synod_sim_run (world.sim, 3000), SYNOD_OK);
            synod_sim_trace (world.sim, NULL, NULL);
            assert_int_equal (counts[0], expected[i]);
            assert_int_equal (counts[1], n);
        }
    }
    synod_sim_destroy (&world.sim);
}

#define CUT_TXNS    12
#define CUT_US      12000 /* after they were begun the last of the moments; all of it is over then */
#define CUT_EACH_US 200

/* Accounts without copies, and n1 is cut off from the others for a while, DELAY_US after transactions were begun. What is
 * lacking in all accounts then. */
static int64_t lacking (const char *protocol, int64_t delay_us)
{
    world_t world;
    answer_t answers[CUT_TXNS] = {{.done = false}};
    int64_t sum = 0;
    world_new (&world, true, 1);
    for (int i = 0; i < CUT_TXNS; i++) {
        char id[8], names[2][16];
        snprintf (id, sizeof id, "t%d", i);
        for (int k = 0; k < 2; k++)
            snprintf (names[k], sizeof names[k], "bank#p%d", 2 * i + k);
        const part_t parts[] = {{names[0], -7}, {names[1], 7}};
        begin (&world, id, protocol, parts, 2, 3000, &answers[i]);
    }
    int64_t until_us = synod_sim_now_us (world.sim) + delay_us;
    while (synod_sim_now_us (world.sim) < until_us)
        assert_int_equal (synod_sim_step (world.sim), SYNOD_OK);
    synod_sim_cut (world.sim, world.node[0], SYNOD_SIM_BROKER, true);
    synod_sim_cut (world.sim, SYNOD_SIM_BROKER, world.node[0], true);
    assert_int_equal (synod_sim_run (world.sim, 10000), SYNOD_OK);
    synod_sim_heal (world.sim);
    assert_int_equal (synod_sim_run (world.sim, 15000), SYNOD_OK);
    for (int i = 0; i < 2 * CUT_TXNS; i++) {
        char name[16];
        snprintf (name, sizeof name, "bank#p%d", i);
        answer_t account = look (&world, name);
        assert_true (account.code == SYNOD_OK && !account.locked);
        sum += account.balance;
    }
    synod_sim_destroy (&world.sim);
    return sum - (int64_t) 2 * CUT_TXNS * BANK_START;
}

/* Three-phase commit decides both ways when its world is cut in two at the wrong moment; the others do not. The wrong
 * ones are between the prepares and the pre-commits: how many there are is how long that takes, and not asserted. */
static void test_cut (void **state)
{
    (void) state;
    int wrong[PROTOCOLS] = {0};
    int64_t first_us = 0, last_us = 0;
    for (int64_t delay_us = 0; delay_us < CUT_US; delay_us += CUT_EACH_US)
        for (int i = 0; i < PROTOCOLS; i++) {
            int64_t money = lacking (s_protocols[i], delay_us);
            wrong[i] += money != 0;
            assert_int_equal (money % 7, 0); /* of transactions that took half of their effect, and nothing else */
            if (!money)
                continue;
            first_us = first_us ? first_us : delay_us;
            last_us = delay_us;
        }
    print_message ("of %d moments to cut, money was lost or made in: 2pc %d, 3pc %d, paxos %d, parallel %d; from %lld "
                   "to %lld us\n",
                   CUT_US / CUT_EACH_US, wrong[0], wrong[1], wrong[2], wrong[3], (long long) first_us,
                   (long long) last_us);
    assert_int_equal (wrong[0], 0);
    assert_int_not_equal (wrong[1], 0);
    assert_int_equal (wrong[2], 0);
    assert_int_equal (wrong[3], 0);
    /* and so the moments did not all come before the transactions began, or after they had ended */
    assert_true (first_us > CUT_EACH_US && last_us < CUT_US - CUT_EACH_US);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_outcomes),   cmocka_unit_test (test_mistakes), cmocka_unit_test (test_acceptors),
        cmocka_unit_test (test_patience),   cmocka_unit_test (test_forged),   cmocka_unit_test (test_one_dead),
        cmocka_unit_test (test_cut),        cmocka_unit_test (test_messages), cmocka_unit_test (test_unplaced),
        cmocka_unit_test (test_told_again),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
