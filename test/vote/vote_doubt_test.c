/* SPDX-License-Identifier: MPL-2.0
 *
 * Operators: what is in doubt is listed, and decided by force; what that contradicts is recorded and reported.
 */
#include "vote_world.h"

typedef struct {
    bool done;
    int code;
    uint32_t count;
    char text[256], id[64], state[64];
    uint64_t epoch, number, home, index;
    bool doubt, contradicts;
} doubts_t;

static void on_doubts (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    doubts_t *doubts = (doubts_t *) arg;
    synod__txn_doubts_t out;
    synod__txn_doubt_t one;
    (void) sim;
    (void) client;
    doubts->done = true;
    doubts->code = reply->code;
    snprintf (doubts->text, sizeof doubts->text, "%.*s", SYNOD_STR (reply->message));
    if (reply->code != SYNOD_OK)
        return;
    assert_int_equal (synod_record_unpack (&synod__txn_doubts_record, reply->body, &out, NULL), SYNOD_OK);
    doubts->count = out.doubts.count;
    if (!synod_list_next (&out.doubts, &synod__txn_doubt_record, &one))
        return;
    snprintf (doubts->id, sizeof doubts->id, "%.*s", SYNOD_STR (one.id));
    snprintf (doubts->state, sizeof doubts->state, "%.*s", SYNOD_STR (one.state));
    doubts->epoch = one.epoch;
    doubts->number = one.number;
    doubts->home = one.home;
    doubts->index = one.index;
    doubts->doubt = one.doubt;
    doubts->contradicts = one.contradicts;
}

static bool have_doubts (synod_sim_t *sim, void *arg)
{
    (void) sim;
    return ((doubts_t *) arg)->done;
}

static doubts_t operate (world_t *world, const char *to, const synod_record_t *record, const void *in)
{
    doubts_t doubts = {.done = false};
    assert_int_equal (synod_sim_ask (world->sim, world->client, to, record, in, 1000, on_doubts, &doubts), SYNOD_OK);
    assert_int_equal (synod_sim_until (world->sim, have_doubts, &doubts, 5000), SYNOD_OK);
    return doubts;
}

static doubts_t doubts_of (world_t *world, const char *to)
{
    synod__txn_txns_t in = {0};
    return operate (world, to, &synod__txn_txns_record, &in);
}

/* The coordinators stand still, an operator guesses wrong, and is told. */
static void test_doubt (void **state)
{
    (void) state;
    world_t world;
    answer_t answer = {.done = false};
    const part_t parts[] = {{"bank#a", -10}, {"shop#b", 10}};
    world_apart (&world);
    begin (&world, "t", NULL, parts, 2, 1500, &answer);
    assert_int_equal (synod_sim_run (world.sim, 300), SYNOD_OK);
    doubts_t found = doubts_of (&world, "bank#a");
    assert_true (found.count == 1 && !found.doubt && strcmp (found.state, "prepared") == 0);
    for (int i = 0; i < 3; i++)
        synod_sim_pause (world.sim, world.node[i]);
    assert_int_equal (synod_sim_run (world.sim, 2000), SYNOD_OK);
    found = doubts_of (&world, "bank#a");
    assert_true (found.count == 1 && found.doubt && strcmp (found.id, "t") == 0);
    synod__txn_resolve_t in = {.id = synod_str ("t"),
                               .epoch = found.epoch,
                               .number = found.number,
                               .home = found.home,
                               .index = found.index,
                               .outcome = synod_str ("forget")};
    doubts_t now = operate (&world, "bank#a", &synod__txn_resolve_record, &in);
    assert_true (now.code == SYNOD_REFUSED && strstr (now.text, "only what was forced"));
    in.outcome = synod_str ("maybe");
    assert_int_equal (operate (&world, "bank#a", &synod__txn_resolve_record, &in).code, SYNOD_INVALID);
    in.outcome = synod_str ("committed");
    in.number++;
    assert_int_equal (operate (&world, "bank#a", &synod__txn_resolve_record, &in).code, SYNOD_NOT_FOUND);
    in.number--;
    now = operate (&world, "bank#a", &synod__txn_resolve_record, &in);
    assert_true (now.code == SYNOD_OK && now.count == 1 && strcmp (now.state, "committed") == 0 && !now.contradicts);
    assert_true (look (&world, "bank#a").balance == BANK_START - 10 && !look (&world, "bank#a").locked);
    assert_int_equal (operate (&world, "bank#a", &synod__txn_resolve_record, &in).code, SYNOD_REFUSED);
    for (int i = 0; i < 3; i++)
        synod_sim_resume (world.sim, world.node[i]);
    assert_int_equal (synod_sim_until (world.sim, is_done, &answer, 20000), SYNOD_OK);
    assert_string_equal (answer.outcome, "aborted");
    assert_int_equal (synod_sim_run (world.sim, 2000), SYNOD_OK);
    now = doubts_of (&world, "bank#a");
    assert_true (now.count == 1 && now.contradicts);
    in.outcome = synod_str ("forget");
    assert_int_equal (operate (&world, "bank#a", &synod__txn_resolve_record, &in).count, 0);
    assert_int_equal (doubts_of (&world, "n1/paxos").code, SYNOD_NO_ROUTE);
    assert_int_equal (doubts_of (&world, "a1/paxos").code, SYNOD_REFUSED);
    synod_sim_destroy (&world.sim);
}

static uint64_t commits (const world_t *world)
{
    uint64_t count = 0;
    for (int i = 0; i < 3; i++)
        count += synod_sim_commits (world->sim, world->node[i]);
    return count;
}

/* Participants are asked before the coordinator has anything durable. What they say of that is nothing to a later life, which
 * begins a transaction of the same id: it has another number. */
static void test_lost_number (void **state)
{
    (void) state;
    world_t world;
    answer_t answer = {.done = false}, second = {.done = false};
    const part_t parts[] = {{"bank#a", -10}, {"shop#b", 10}}, others[] = {{"bank#c", -10}, {"shop#b", 10}};
    world_apart (&world);
    uint64_t before = commits (&world);
    begin (&world, "t", NULL, parts, 2, 20000, &answer);
    assert_int_equal (synod_sim_run (world.sim, 3), SYNOD_OK);
    assert_int_equal (commits (&world), before);
    for (int i = 0; i < 3; i++)
        assert_int_equal (synod_sim_crash (world.sim, world.node[i]), SYNOD_OK);
    doubts_t first = doubts_of (&world, "bank#a");
    assert_true (first.count == 1 && strcmp (first.state, "prepared") == 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal (synod_sim_start (world.sim, world.node[i]), SYNOD_OK);
    begin (&world, "t", NULL, others, 2, 20000, &second);
    assert_int_equal (synod_sim_run (world.sim, 5000), SYNOD_OK);
    doubts_t now = doubts_of (&world, "bank#c");
    assert_true (now.count == 1 && strcmp (now.id, "t") == 0);
    assert_true (now.number > first.number);
    assert_false (look (&world, "bank#a").locked);
    synod_sim_destroy (&world.sim);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_doubt), cmocka_unit_test (test_lost_number)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
