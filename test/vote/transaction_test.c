/* SPDX-License-Identifier: MPL-2.0
 *
 * Transactions as an actor commits them: a clerk who moves money and keeps a journal in the table, asked again and again,
 * with its coordinator dying; and who waits for one transaction.
 */
#include "vote_world.h"
#include <synod/txn.h>
#include "actors/kv/kv.h"
#include "protocol/kv_records.h"

#define MOVE_FIELDS(FIELD, OPT)                              \
    FIELD (str, id, 63, "of the transaction; empty: drawn")  \
    FIELD (i64, amount, 1000, "from bank#a to bank#b")       \
    OPT (str, to, 100, "instead of bank#b")                  \
    OPT (str, protocol, 10, "default: 2pc")                  \
    OPT (u64, deadline_ms, 600000, "default: of the commit") \
    OPT (u64, timeout_ms, 600000, "how long to wait")
SYNOD_RECORD (move, MOVE_FIELDS, 0, "move money")
#define MOVED_FIELDS(FIELD, OPT)                    \
    FIELD (u64, outcome, 10, "synod_txn_outcome_t") \
    FIELD (u64, code, 100, "of what it came to")    \
    OPT (str, why, 400, "a sentence")               \
    OPT (bit, again, 0, "before")                   \
    OPT (u64, reasons, 100, "so many voted no")
SYNOD_RECORD (moved, MOVED_FIELDS, 0, "what became of it")

static int on_decision (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    synod_decision_t decision;
    synod_str_t who, why;
    moved_t out = {.outcome = synod_decision_of (reply, &decision)};
    (void) state;
    out.code = (uint64_t) decision.code;
    out.why = synod_str (decision.why);
    out.again = decision.again;
    while (synod_decision_next (&decision, &who, &why))
        out.reasons++;
    return synod_reply (ctx, (synod_call_t){arg}, &moved_record, &out);
}

static int on_move (synod_ctx_t *ctx, void *state, const move_t *in, synod_call_t call)
{
    char id[64], protocol[12], to[101];
    (void) state;
    snprintf (id, sizeof id, "%.*s", SYNOD_STR (in->id));
    snprintf (protocol, sizeof protocol, "%.*s", SYNOD_STR (in->protocol));
    snprintf (to, sizeof to, "%.*s", SYNOD_STR (in->to));
    const synod_transaction_options_t options = {
        .id = *id ? id : NULL, .protocol = *protocol ? protocol : NULL, .deadline_ms = (uint32_t) in->deadline_ms};
    synod_transaction_t *transaction = synod_transaction_new (&options, NULL);
    assert_non_null (transaction);
    synod_transaction_add (transaction, "bank#a", &bank_move_record, &(bank_move_t){.amount = -in->amount});
    synod_transaction_add (transaction, *to ? to : "bank#b", &bank_move_record, &(bank_move_t){.amount = in->amount});
    synod_transaction_incr (transaction, "journal", 1, NULL);
    int rc = synod_commit (ctx, transaction, (uint32_t) in->timeout_ms, on_decision, call.id);
    assert_true (rc != SYNOD_OK || strlen (synod_transaction_id (transaction)) > 0);
    synod_transaction_destroy (&transaction);
    return rc;
}

static const synod_actor_t clerk = {.name = "clerk",
                                    .routes = (const synod_route_t[]){SYNOD_ON (move, on_move), SYNOD_END}};

/* ---- asking it ---- */

typedef struct {
    bool done;
    int code;
    moved_t moved;
    char text[400];
} heard_t;

static void on_moved (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    heard_t *heard = (heard_t *) arg;
    (void) sim;
    (void) client;
    heard->done = true;
    heard->code = reply->code;
    synod_str_t text = reply->message;
    if (reply->code == SYNOD_OK && synod_record_unpack (&moved_record, reply->body, &heard->moved, NULL) == SYNOD_OK)
        text = heard->moved.why;
    snprintf (heard->text, sizeof heard->text, "%.*s", SYNOD_STR (text));
}

static bool is_heard (synod_sim_t *sim, void *arg)
{
    (void) sim;
    return ((heard_t *) arg)->done;
}

static void start (world_t *world, move_t in, heard_t *heard)
{
    assert_int_equal (synod_sim_ask (world->sim, world->client, "clerk", &move_record, &in, 600000, on_moved, heard),
                      SYNOD_OK);
}

static heard_t have (world_t *world, move_t in)
{
    heard_t heard = {.done = false};
    start (world, in, &heard);
    assert_int_equal (synod_sim_until (world->sim, is_heard, &heard, 700000), SYNOD_OK);
    return heard;
}

/* Three nodes with all of it, and one with the clerk. */
static void clerk_world (world_t *world)
{
    world->sim = synod_sim_new (3, NULL);
    for (int i = 0; i < NODES; i++) {
        char name[8];
        snprintf (name, sizeof name, "n%d", i + 1);
        world->node[i] = synod_sim_node (world->sim, name);
        const synod_actor_t *const types[] = {&bank_actor, &synod__vote_actor, &synod__kv_actor};
        for (size_t t = 0; t < 3; t++)
            assert_int_equal (synod_sim_add (world->sim, world->node[i], types[t], NULL), SYNOD_OK);
        assert_int_equal (synod_sim_start (world->sim, world->node[i]), SYNOD_OK);
    }
    assert_true (synod_sim_up (world->sim, "office", &clerk, NULL) > 0);
    world->client = synod_sim_client (world->sim, "c");
    assert_int_equal (synod_sim_join (world->sim, 5000), SYNOD_OK);
    assert_int_equal (synod_sim_ring (world->sim, world->client, 16, 3, 20000), SYNOD_OK);
}

static void test_outcomes (void **state)
{
    (void) state;
    world_t world;
    clerk_world (&world);
    heard_t heard = have (&world, (move_t){.amount = 30});
    assert_int_equal (heard.code, SYNOD_OK);
    assert_int_equal (heard.moved.outcome, SYNOD_COMMITTED);
    assert_true (!*heard.text && !heard.moved.again && heard.moved.code == SYNOD_OK);
    heard = have (&world, (move_t){.amount = 80});
    assert_int_equal (heard.moved.outcome, SYNOD_ABORTED);
    assert_string_equal (heard.text, "bank#a: a holds 70 only");
    assert_int_equal (heard.moved.reasons, 1);
    heard = have (&world, (move_t){.amount = 5, .id = synod_str ("five"), .protocol = synod_str ("3pc")});
    assert_true (heard.moved.outcome == SYNOD_COMMITTED && !heard.moved.again);
    heard = have (&world, (move_t){.amount = 7, .id = synod_str ("five")}); /* whatever is in it */
    assert_true (heard.moved.outcome == SYNOD_COMMITTED && heard.moved.again);
    heard = have (&world, (move_t){.amount = 4, .protocol = synod_str ("parallel")});
    assert_true (heard.moved.outcome == SYNOD_COMMITTED && !heard.moved.again);
    heard = have (&world, (move_t){.amount = -4});
    assert_int_equal (heard.moved.outcome, SYNOD_COMMITTED);
    assert_int_equal (look (&world, "bank#a").balance, 65);
    heard = have (&world, (move_t){.amount = 5, .protocol = synod_str ("paxos")});
    assert_int_equal (heard.moved.outcome, SYNOD_NOT_BEGUN);
    assert_int_equal (heard.moved.code, SYNOD_REFUSED);
    assert_non_null (strstr (heard.text, "nothing was begun"));
    heard = have (&world, (move_t){.amount = 5, .to = synod_str ("bank#a")});
    assert_int_equal (heard.code, SYNOD_INVALID);
    assert_string_equal (heard.text, "expected each participant once, got bank#a twice");
    /* nobody answers for it: the transaction's own deadline ends it */
    heard = have (&world, (move_t){.amount = 5, .to = synod_str ("shop#x"), .timeout_ms = 2000});
    assert_int_equal (heard.moved.outcome, SYNOD_ABORTED);
    assert_string_equal (heard.text, "shop#x: it had not voted when the time was over: nobody runs that actor");
    assert_int_equal (synod_sim_run (world.sim, 1000), SYNOD_OK);
    assert_true (look (&world, "bank#a").balance == 65 && look (&world, "bank#b").balance == 135);
    synod_sim_destroy (&world.sim);
}

/* A wait that ends before the transaction does is in doubt, and the same once more is told how it ended. */
static void test_doubt (void **state)
{
    (void) state;
    world_t world;
    clerk_world (&world);
    move_t in = {
        .amount = 5, .id = synod_str ("slow"), .to = synod_str ("shop#x"), .deadline_ms = 3000, .timeout_ms = 500};
    heard_t heard = have (&world, in);
    assert_int_equal (heard.moved.outcome, SYNOD_IN_DOUBT);
    assert_int_equal (heard.moved.code, SYNOD_TIMEOUT);
    assert_true (look (&world, "bank#a").locked);
    in.timeout_ms = 20000;
    heard = have (&world, in);
    assert_int_equal (heard.moved.outcome, SYNOD_ABORTED);
    heard = have (&world, in);
    assert_true (heard.moved.outcome == SYNOD_ABORTED && heard.moved.again);
    synod_sim_destroy (&world.sim);
}

/* Nodes die in the midst of it, at each moment; it is asked until it is known, and is done once, or not at all. */
static void test_crashes (void **state)
{
    (void) state;
    for (uint32_t effects = 0; effects < 12; effects++) {
        world_t world;
        heard_t heard = {.done = false};
        const move_t in = {.amount = 20, .id = synod_str ("once"), .timeout_ms = 3000};
        clerk_world (&world);
        start (&world, in, &heard);
        for (int i = 0; i < 2; i++)
            assert_int_equal (synod_sim_crash_after (world.sim, world.node[((int) effects + i) % 3], effects),
                              SYNOD_OK);
        assert_int_equal (synod_sim_run (world.sim, 4000), SYNOD_OK);
        for (int i = 0; i < NODES; i++)
            if (synod_sim_state (world.sim, world.node[i]) == SYNOD_SIM_DOWN)
                assert_int_equal (synod_sim_start (world.sim, world.node[i]), SYNOD_OK);
        assert_int_equal (synod_sim_heal (world.sim), SYNOD_OK);
        assert_int_equal (synod_sim_until (world.sim, is_heard, &heard, 30000), SYNOD_OK);
        uint64_t first = heard.moved.outcome;
        for (int tries = 0; heard.moved.outcome == SYNOD_IN_DOUBT && tries < 20; tries++)
            heard = have (&world, in);
        assert_true (heard.moved.outcome == SYNOD_COMMITTED || heard.moved.outcome == SYNOD_ABORTED);
        assert_true (first == SYNOD_IN_DOUBT || first == heard.moved.outcome);
        bool done = heard.moved.outcome == SYNOD_COMMITTED;
        assert_int_equal (synod_sim_run (world.sim, 2000), SYNOD_OK);
        assert_int_equal (look (&world, "bank#a").balance, done ? 80 : 100);
        assert_int_equal (look (&world, "bank#b").balance, done ? 120 : 100);
        assert_false (look (&world, "bank#a").locked);
        synod_sim_destroy (&world.sim);
    }
}

/* More wait for one transaction than there is room for: the last are answered, the first are told that it is in doubt. */
static void test_many_wait (void **state)
{
    (void) state;
    world_t world;
    heard_t heard[12] = {{.done = false}};
    const move_t in = {
        .amount = 5, .id = synod_str ("one"), .to = synod_str ("shop#x"), .deadline_ms = 3000, .timeout_ms = 9000};
    clerk_world (&world);
    for (int i = 0; i < 12; i++) {
        start (&world, in, &heard[i]);
        assert_int_equal (synod_sim_run (world.sim, 50), SYNOD_OK);
    }
    for (int i = 0; i < 12; i++) {
        assert_int_equal (synod_sim_until (world.sim, is_heard, &heard[i], 10000), SYNOD_OK);
        assert_int_equal (heard[i].moved.outcome, i < 4 ? SYNOD_IN_DOUBT : SYNOD_ABORTED);
        assert_true (i >= 4 || strstr (heard[i].text, "8 have asked for transaction one since"));
    }
    synod_sim_destroy (&world.sim);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_outcomes),
        cmocka_unit_test (test_doubt),
        cmocka_unit_test (test_crashes),
        cmocka_unit_test (test_many_wait),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
