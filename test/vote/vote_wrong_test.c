/* SPDX-License-Identifier: MPL-2.0
 *
 * What makes no sense decides nothing: transactions over the limits, ids that are none, votes after the decision, messages of
 * transactions that never were. An actor that is not placed takes part, since what it says can be played here; and what the
 * coordinators say.
 */
#include "vote_world.h"

typedef struct {
    const char *to;
    synod__txn_txn_t what;
} say_t;

static int say_it (synod_ctx_t *ctx, void *state, void *arg)
{
    const say_t *say = (const say_t *) arg;
    (void) state;
    return synod_tell (ctx, say->to, &synod__txn_txn_record, &say->what);
}

/* ACTOR of NODE says it, and it has been heard. */
static void say (world_t *world, int node, const char *actor, const char *to, const synod__txn_txn_t *what)
{
    say_t it = {to, *what};
    assert_int_equal (synod_sim_act (world->sim, node, actor, say_it, &it), SYNOD_OK);
    assert_int_equal (synod_sim_run (world->sim, 100), SYNOD_OK);
}

static synod_actor_t s_till, s_mad = {.name = SYNOD__VOTE_ACTOR};

/* A world with m/till, an account that is not placed, and x/vote, which has lost its mind. */
static void new_world (world_t *world, int *till, int *mad)
{
    s_till = bank_actor;
    s_till.name = "till";
    s_till.placement = SYNOD_UNPLACED;
    world_new (world, true, 3);
    *till = synod_sim_up (world->sim, "m", &s_till, NULL);
    assert_int_equal (synod_sim_join (world->sim, 5000), SYNOD_OK);
    const part_t parts[] = {{"bank#x", -1}, {"m/till", 0}, {"bank#y", 1}};
    assert_string_equal (run (world, "first", "paxos", parts, 3, 0).outcome, "committed"); /* all know the ring now */
    assert_int_equal (synod_sim_run (world->sim, 1000), SYNOD_OK);
    *mad = synod_sim_up (world->sim, "x", &s_mad, NULL);
    assert_true (*till > 0 && *mad > 0);
    assert_int_equal (synod_sim_join (world->sim, 5000), SYNOD_OK);
    assert_int_equal (synod_sim_act (world->sim, world->node[0], SYNOD__VOTE_ACTOR, say_it, NULL), SYNOD_INVALID);
}

static void is_as_it_was (world_t *world, const char *account, int64_t moved, bool locked)
{
    answer_t is = look (world, account);
    assert_int_equal (is.code, SYNOD_OK);
    assert_int_equal (is.balance, BANK_START + moved);
    assert_int_equal (is.locked, locked);
}

/* ---- the transaction under way at m/till ---- */

static void on_txns (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    synod__txn_txn_t *out = (synod__txn_txn_t *) arg;
    synod__txn_doubts_t doubts;
    synod__txn_doubt_t one;
    (void) sim;
    (void) client;
    assert_int_equal (reply->code, SYNOD_OK);
    assert_int_equal (synod_record_unpack (&synod__txn_doubts_record, reply->body, &doubts, NULL), SYNOD_OK);
    assert_true (synod_list_next (&doubts.doubts, &synod__txn_doubt_record, &one));
    out->epoch = one.epoch;
    out->number = one.number;
    out->home = one.home;
    out->to = one.index;
}

/* Fills who it is: its number, epoch, home, and which participant. */
static void find (world_t *world, synod__txn_txn_t *out)
{
    const synod__txn_txns_t in = {0};
    assert_int_equal (
        synod_sim_ask (world->sim, world->client, "m/till", &synod__txn_txns_record, &in, 1000, on_txns, out),
        SYNOD_OK);
    assert_int_equal (synod_sim_run (world->sim, 100), SYNOD_OK);
    assert_true (out->number > 0);
}

static void test_late_votes (void **state)
{
    (void) state;
    static const char *const protocols[] = {"2pc", "3pc", "paxos", "parallel"};
    const part_t parts[] = {{"bank#a", -10}, {"m/till", 10}, {"shop#b", 0}};
    for (int i = 0; i < 4; i++)
        for (int commits = 0; commits < 2; commits++) {
            world_t world;
            int till, mad;
            answer_t answer = {.done = false};
            new_world (&world, &till, &mad);
            synod__txn_txn_t vote = {.kind = synod_str ("vote"),
                                     .id = synod_str ("t"),
                                     .role = synod_str ("participant"),
                                     .vote = synod_str (commits ? "no" : "yes")};
            synod_sim_cut (world.sim, till, SYNOD_SIM_BROKER, commits); /* its vote is late */
            begin (&world, "t", protocols[i], parts, 3 - (uint32_t) commits, 2000, &answer);
            if (commits) {
                assert_int_equal (synod_sim_run (world.sim, 300), SYNOD_OK);
                synod_sim_heal (world.sim);
            } else
                assert_int_equal (synod_sim_run (world.sim, 300), SYNOD_OK);
            if (!commits)
                find (&world, &vote);
            assert_int_equal (synod_sim_until (world.sim, is_done, &answer, 20000), SYNOD_OK);
            assert_string_equal (answer.outcome, commits ? "committed" : "aborted");
            assert_int_equal (synod_sim_run (world.sim, 2000), SYNOD_OK);
            vote.from = 1;
            for (uint64_t number = commits; number < (commits ? 3 : 1); number++) /* it is one of the first */
                for (uint64_t home = 0; home < (commits ? 16u : 1u); home++) {
                    vote.number = commits ? number : vote.number;
                    vote.home = commits ? home : vote.home;
                    vote.epoch = commits ? 1 : vote.epoch;
                    say (&world, till, "till", "vote#t", &vote);
                }
            is_as_it_was (&world, "bank#a", commits ? -10 : 0, false);
            is_as_it_was (&world, "m/till", commits ? 10 : 0, false);
            answer = run (&world, "t", protocols[i], parts, 2, 2000);
            assert_true (answer.again && strcmp (answer.outcome, commits ? "committed" : "aborted") == 0);
            synod_sim_destroy (&world.sim);
        }
}

/* Who it says it is goes with every message: other numbers are other transactions, of which nothing is known. */
static void test_forged_ids (void **state)
{
    (void) state;
    const part_t parts[] = {{"m/till", -10}, {"shop#b", 10}};
    world_t world;
    int till, mad;
    answer_t answer = {.done = false};
    new_world (&world, &till, &mad);
    begin (&world, "t", "2pc", parts, 2, 8000, &answer);
    assert_int_equal (synod_sim_run (world.sim, 500), SYNOD_OK);
    synod__txn_txn_t right = {.kind = synod_str ("decided"),
                              .role = synod_str ("coordinator"),
                              .id = synod_str ("t"),
                              .outcome = synod_str ("committed")};
    find (&world, &right);
    for (int i = 0; i < 6; i++) {
        synod__txn_txn_t wrong = right;
        wrong.id = i == 0 ? synod_str ("u") : i == 5 ? synod_str_n (NULL, 0) : right.id;
        wrong.number += i == 1;
        wrong.epoch += i == 2;
        wrong.home += i == 3;
        wrong.to += i == 4;
        say (&world, mad, SYNOD__VOTE_ACTOR, "m/till", &wrong);
        is_as_it_was (&world, "m/till", 0, true);
    }
    for (int i = 0; i < 3; i++) { /* and with words that there are not */
        synod__txn_txn_t wrong = right;
        wrong.kind = synod_str (i == 0 ? "frob" : "decided");
        wrong.role = synod_str (i == 1 ? "king" : "coordinator");
        wrong.outcome = i == 2 ? synod_str ("maybe") : right.outcome;
        say (&world, mad, SYNOD__VOTE_ACTOR, "m/till", &wrong);
        is_as_it_was (&world, "m/till", 0, true);
    }
    assert_true (!answer.done);
    assert_int_equal (synod_sim_until (world.sim, is_done, &answer, 20000), SYNOD_OK);
    assert_string_equal (answer.outcome, "aborted");
    assert_non_null (strstr (answer.why, "shop#b: it had not voted when the time was over: nobody runs that actor"));
    assert_int_equal (synod_sim_run (world.sim, 1000), SYNOD_OK);
    is_as_it_was (&world, "m/till", 0, false);
    right.outcome = synod_str ("committed"); /* after it was aborted */
    say (&world, mad, SYNOD__VOTE_ACTOR, "m/till", &right);
    is_as_it_was (&world, "m/till", 0, false);
    synod_sim_destroy (&world.sim);
}

/* A PREPARE of a transaction of one participant, TO. */
static void prepare (world_t *world, int mad, const char *to, const char *protocol, uint64_t number, uint64_t home)
{
    synod__txn_txn_t what = {.kind = synod_str ("prepare"),
                             .id = synod_str ("forged"),
                             .epoch = 1,
                             .number = number,
                             .home = home,
                             .role = synod_str ("coordinator"),
                             .protocol = synod_str (protocol)};
    const synod__txn_participant_t one = {.to = synod_str (to)};
    const bank_move_t move = {.amount = -10};
    synod_buf_t items = {0}, op = {0};
    assert_int_equal (synod_record_pack (&bank_move_record, &move, &op, NULL), SYNOD_OK);
    assert_int_equal (synod_list_add (&what.participants, &items, &synod__txn_participant_record, &one, NULL),
                      SYNOD_OK);
    what.op = synod_str_n (op.data, op.size);
    say (world, mad, SYNOD__VOTE_ACTOR, "m/till", &what);
    synod_buf_free (&items);
    synod_buf_free (&op);
}

/* A PREPARE that names others, or makes no sense, or is of a transaction that is over and forgotten, locks nothing. */
static void test_forged_prepare (void **state)
{
    (void) state;
    world_t world;
    int till, mad;
    new_world (&world, &till, &mad);
    for (int i = 0; i < 500; i++) { /* so many of each of 16 coordinators that the first are forgotten */
        char id[8];
        snprintf (id, sizeof id, "t%d", i);
        const part_t parts[] = {{"m/till", i % 2 ? 1 : -1}, {"bank#b", i % 2 ? -1 : 1}};
        assert_string_equal (run (&world, id, "2pc", parts, 2, 0).outcome, "committed");
        assert_int_equal (synod_sim_run (world.sim, 50), SYNOD_OK);
    }
    for (uint64_t home = 0; home < 16; home++)
        prepare (&world, mad, "m/till", "2pc", 1, home);
    is_as_it_was (&world, "m/till", 0, false);
    static const char *const wrong[][2] = {{"bank#c", "2pc"}, {"m/till", "4pc"},  {"m/till", "paxos"},
                                           {"till", "2pc"},   {"n1/till", "2pc"}, {"", "2pc"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        prepare (&world, mad, wrong[i][0], wrong[i][1], 1000000, 0);
        is_as_it_was (&world, "m/till", 0, false);
    }
    prepare (&world, mad, "m/till", "2pc", 1000000, 0); /* nothing is wrong with this one: all of that was looked at */
    is_as_it_was (&world, "m/till", 0, true);
    assert_int_equal (synod_sim_run (world.sim, 5000), SYNOD_OK); /* it asks vote#forged, which has never heard of it */
    is_as_it_was (&world, "m/till", 0, false);
    synod_sim_destroy (&world.sim);
}

/* ---- what is asked for ---- */

static answer_t commit_of (world_t *world, const char *id, const char *to, synod_str_t op, uint64_t deadline_ms)
{
    synod__txn_commit_t in = {.id = synod_str (id), .deadline_ms = deadline_ms};
    synod_buf_t items = {0};
    const synod__txn_part_t part = {.to = synod_str ("bank#a"), .op = op};
    assert_int_equal (synod_list_add (&in.parts, &items, &synod__txn_part_record, &part, NULL), SYNOD_OK);
    answer_t answer = ask (world, to, &synod__txn_commit_record, &in);
    synod_buf_free (&items);
    return answer;
}

static void test_asked (void **state)
{
    (void) state;
    world_t world;
    int till, mad;
    new_world (&world, &till, &mad);
    answer_t answer = commit_of (&world, "no/name", "vote#t", synod_str_n (NULL, 0), 0);
    assert_true (answer.code == SYNOD_INVALID && strstr (answer.text, "expected a name as a transaction's id"));
    answer = commit_of (&world, "t", "vote#u", synod_str_n (NULL, 0), 0);
    assert_true (answer.code == SYNOD_INVALID && strstr (answer.text, "is to be asked of vote#t, not of vote#u"));
    answer = commit_of (&world, "t", "n1/vote", synod_str_n (NULL, 0), 0);
    assert_true (answer.code != SYNOD_OK);
    const synod__txn_show_t show = {0};
    answer = ask (&world, "vote#never", &synod__txn_show_record, &show);
    assert_true (answer.code == SYNOD_NOT_FOUND && strstr (answer.text, "it was never begun, was lost and so aborted"));
    is_as_it_was (&world, "bank#a", 0, false);
    synod_sim_destroy (&world.sim);
}

/* What is over a limit does not even leave who asks. */
static void test_limits (void **state)
{
    (void) state;
    static char big[SYNOD__TXN_OP_MAX + 8] = {(char) 0xc6, 0, 1, 0, 0}; /* so many bytes, packed */
    world_t world;
    int till, mad;
    synod_buf_t items = {0}, packed = {0};
    synod_fault_t fault = {0};
    synod__txn_commit_t in = {.id = synod_str ("t"), .deadline_ms = SYNOD__TXN_DEADLINE_MAX + 1};
    synod__txn_part_t part = {.to = synod_str ("bank#a"), .op = synod_str_n (big, 5 + 65536)};
    int rc = synod_list_add (&in.parts, &items, &synod__txn_part_record, &part, &fault);
    assert_true (rc != SYNOD_OK && strstr (fault.text, "op: expected any one value of up to 65536 bytes, got 65541"));
    part.op = synod_str_n (big, 5 + 60000);
    big[2] = 0;
    big[3] = (char) (60000 >> 8);
    big[4] = (char) (60000 & 255);
    for (int i = 0; i < 5; i++)
        assert_int_equal (synod_list_add (&in.parts, &items, &synod__txn_part_record, &part, &fault), SYNOD_OK);
    rc = synod_record_pack (&synod__txn_commit_record, &in, &packed, &fault);
    assert_true (rc != SYNOD_OK && strstr (fault.text, "deadline_ms"));
    in.deadline_ms = 0;
    new_world (&world, &till, &mad);
    rc = synod_sim_ask (world.sim, world.client, "vote#t", &synod__txn_commit_record, &in, 1000, on_txns, NULL);
    assert_int_equal (rc, SYNOD_TOO_LARGE);
    synod_sim_destroy (&world.sim);
    synod_buf_free (&items);
    synod_buf_free (&packed);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_late_votes), cmocka_unit_test (test_forged_ids),
                                       cmocka_unit_test (test_forged_prepare), cmocka_unit_test (test_asked),
                                       cmocka_unit_test (test_limits)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
