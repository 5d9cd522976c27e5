/* SPDX-License-Identifier: MPL-2.0
 *
 * The lives of nodes: crashes with the store kept, at each effect of a turn, pauses, clocks, failing disks, stops. Each
 * test runs with a broker and without.
 */
#include <stdio.h>
#include "check.h"

static synod_sim_t *s_world (void **state, uint64_t seed, const synod_actor_t *type)
{
    synod_sim_settings_t settings = {.direct = !*(bool *) *state};
    return world (seed, &settings, type, 2);
}

static void s_again (synod_sim_t *sim, int node)
{
    if (synod_sim_state (sim, node) == SYNOD_SIM_DOWN)
        assert_int_equal (synod_sim_start (sim, node), SYNOD_OK);
    if (synod_sim_join (sim, 20000) != SYNOD_OK)
        fail_msg ("%s", synod_sim_error (sim)->text);
}

static void test_crash (void **state)
{
    synod_sim_t *sim = s_world (state, 1, &counts);
    int a = synod_sim_find (sim, "a");
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal (ask_now (sim, "a/counts", &add_record, 1), SYNOD_OK);
    uint32_t starts = seen.starts;
    assert_int_equal (synod_sim_crash (sim, a), SYNOD_OK);
    assert_int_equal (synod_sim_state (sim, a), SYNOD_SIM_DOWN);
    assert_null (synod_sim_memory (sim, a, "counts"));
    assert_int_equal (synod_sim_crash (sim, a), SYNOD_STOPPED);
    synod_sim_run (sim, 5000);
    ask (sim, "a/counts", &count_record, 1, 500);
    settle (sim);
    assert_int_not_equal (seen.code, SYNOD_OK);
    s_again (sim, a);
    assert_int_equal (seen.starts, starts + 1);
    assert_int_equal (ask_now (sim, "a/counts", &count_record, 1), SYNOD_OK);
    assert_int_equal (seen.n, 5); /* the store was kept */
    /* another disk is another store */
    assert_int_equal (synod_sim_wipe (sim, a), SYNOD_INVALID); /* it runs */
    synod_sim_crash (sim, a);
    assert_int_equal (synod_sim_wipe (sim, a), SYNOD_OK);
    synod_sim_run (sim, 5000);
    s_again (sim, a);
    assert_int_equal (ask_now (sim, "a/counts", &count_record, 1), SYNOD_OK);
    assert_int_equal (seen.n, 0);
    synod_sim_destroy (&sim);
}

static int s_read (synod_ctx_t *ctx, void *state, void *arg)
{
    synod_str_t value;
    (void) state;
    if (synod_get (ctx, synod_str ("n"), &value) == SYNOD_OK)
        memcpy (arg, value.data, sizeof (uint64_t));
    return SYNOD_OK;
}

/* A command while its node dies at each effect of the turn: before the commit nothing is left of it, after it all is,
 * and it is answered from there. Either way it runs once. */
static void test_effects (void **state)
{
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t effects = i % 4;
        synod_sim_t *sim = s_world (state, 100 + i, &counts);
        int a = synod_sim_find (sim, "a");
        assert_int_equal (ask_now (sim, "a/counts", &add_record, 1), SYNOD_OK);
        synod_sim_run (sim, 400); /* far from any heartbeat */
        ask (sim, "a/counts", &add_record, 1, 30000);
        assert_int_equal (synod_sim_crash_after (sim, a, effects), SYNOD_OK);
        uint32_t replies = seen.replies;
        for (int ms = 0; ms < 2000 && synod_sim_state (sim, a) != SYNOD_SIM_DOWN; ms++)
            synod_sim_run (sim, 1);
        assert_int_equal (synod_sim_state (sim, a), SYNOD_SIM_DOWN);
        if (effects < 2)
            assert_int_equal (seen.replies, replies); /* right before the commit, or between commit and send */
        synod_sim_run (sim, 100);
        uint64_t n = 0;
        assert_int_equal (synod_sim_start (sim, a), SYNOD_OK);
        assert_int_equal (synod_sim_act (sim, a, "counts", s_read, &n), SYNOD_OK);
        assert_int_equal (n, effects ? 2 : 1);
        s_again (sim, a);
        settle (sim);
        assert_int_equal (ask_now (sim, "a/counts", &count_record, 0), SYNOD_OK);
        assert_int_equal (seen.n, 2);
        synod_sim_destroy (&sim);
    }
}

/* What a dying turn had not committed is gone, also when handlers had run. */
static void test_before_commit (void **state)
{
    synod_sim_t *sim = s_world (state, 5, &counts);
    int a = synod_sim_find (sim, "a");
    synod_sim_run (sim, 400);
    ask (sim, "a/counts", &add_record, 7, 300);
    synod_sim_crash_after (sim, a, 0);
    synod_sim_run (sim, 2000);
    assert_int_equal (synod_sim_state (sim, a), SYNOD_SIM_DOWN);
    assert_int_equal (seen.replies, 1);
    assert_int_not_equal (seen.code, SYNOD_OK);
    s_again (sim, a);
    assert_int_equal (ask_now (sim, "a/counts", &count_record, 0), SYNOD_OK);
    assert_int_equal (seen.n, 0);
    synod_sim_destroy (&sim);
}

/* Nothing is acknowledged by a node whose disk has failed, and the node stops. */
static void test_disk_fails (void **state)
{
    for (uint64_t seed = 1; seed < 5; seed++) {
        synod_sim_t *sim = s_world (state, seed, &counts);
        int a = synod_sim_find (sim, "a");
        assert_int_equal (ask_now (sim, "a/counts", &add_record, 1), SYNOD_OK);
        assert_int_equal (synod_sim_disk_fails (sim, a), SYNOD_OK);
        uint32_t good = seen.good;
        ask (sim, "a/counts", &add_record, 1, 2000);
        synod_sim_run (sim, 3000);
        assert_int_equal (seen.good, good);
        assert_int_equal (synod_sim_state (sim, a), SYNOD_SIM_DOWN);
        int code = synod_sim_ended (sim, a)->code;
        assert_true (code == SYNOD_IO || code == SYNOD_FULL);
        s_again (sim, a);
        assert_int_equal (ask_now (sim, "a/counts", &count_record, 0), SYNOD_OK);
        assert_int_equal (seen.n, 1);
        assert_int_equal (ask_now (sim, "a/counts", &add_record, 1), SYNOD_OK); /* the disk works again */
        synod_sim_destroy (&sim);
    }
}

static void test_pause (void **state)
{
    synod_sim_t *sim = s_world (state, 1, &ticker);
    int a = synod_sim_find (sim, "a"), b = synod_sim_find (sim, "b");
    synod_sim_crash (sim, b); /* a's ticks alone */
    synod_sim_run (sim, 1000);
    uint32_t ticks = seen.ticks;
    assert_int_equal (synod_sim_pause (sim, a), SYNOD_OK);
    synod_sim_run (sim, 2050);
    assert_int_equal (seen.ticks, ticks);
    int64_t last_us = seen.tick_us;
    assert_int_equal (synod_sim_resume (sim, a), SYNOD_OK);
    synod_sim_run (sim, 1);
    assert_int_equal (seen.ticks, ticks + 1);                   /* the late one, at once */
    assert_in_range (seen.tick_us - last_us, 2000000, 2200000); /* its clock went on */
    synod_sim_run (sim, 1000);
    assert_in_range (seen.ticks, ticks + 10, ticks + 11);
    synod_sim_destroy (&sim);
    /* frames pile up, and are all there afterwards */
    sim = s_world (state, 1, &echoes);
    a = synod_sim_find (sim, "a");
    synod_sim_pause (sim, a);
    for (uint64_t i = 0; i < 100; i++) {
        note (sim, "a/echo", i);
        synod_sim_run (sim, 1);
    }
    assert_int_equal (seen.notes, 0);
    synod_sim_resume (sim, a);
    synod_sim_run (sim, 10);
    assert_int_equal (seen.notes, 100);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal (seen.order[i], i);
    /* a pause longer than three heartbeats: it is missed, and comes back */
    synod_sim_pause (sim, a);
    ask (sim, "a/echo", &echo_record, 1, 20000);
    synod_sim_run (sim, 6000);
    assert_int_equal (seen.replies, 1);
    assert_int_equal (seen.code, SYNOD_NODE_DOWN);
    synod_sim_resume (sim, a);
    assert_int_equal (synod_sim_join (sim, 20000), SYNOD_OK);
    assert_int_equal (ask_now (sim, "a/echo", &echo_record, 9), SYNOD_OK);
    synod_sim_destroy (&sim);
}

static void test_skew (void **state)
{
    synod_sim_t *sim = s_world (state, 1, &ticker);
    int a = synod_sim_find (sim, "a");
    synod_sim_crash (sim, synod_sim_find (sim, "b"));
    static const int32_t ppm[] = {100000, -100000, 0, 200000};
    for (int i = 0; i < 4; i++) {
        assert_int_equal (synod_sim_skew (sim, a, ppm[i]), SYNOD_OK);
        synod_sim_run (sim, 300);
        uint32_t ticks = seen.ticks;
        int64_t tick_us = seen.tick_us;
        synod_sim_run (sim, 100000);
        int64_t expected = 1000 + ppm[i] / 1000;
        assert_in_range (seen.ticks - ticks, expected - 2, expected + 2);
        assert_in_range (seen.tick_us - tick_us, (expected - 3) * 100000, (expected + 3) * 100000);
    }
    synod_sim_destroy (&sim);
}

static void test_stop (void **state)
{
    synod_sim_t *sim = s_world (state, 1, &counts);
    int a = synod_sim_find (sim, "a");
    assert_int_equal (ask_now (sim, "a/counts", &add_record, 4), SYNOD_OK);
    assert_int_equal (synod_sim_stop (sim, a), SYNOD_OK);
    synod_sim_run (sim, 8000);
    assert_int_equal (synod_sim_state (sim, a), SYNOD_SIM_DOWN);
    assert_int_equal (synod_sim_ended (sim, a)->code, SYNOD_OK);
    assert_int_equal (synod_sim_stop (sim, a), SYNOD_STOPPED);
    assert_int_equal (synod_sim_heal (sim), SYNOD_OK); /* it was stopped, not struck */
    assert_int_equal (synod_sim_state (sim, a), SYNOD_SIM_DOWN);
    assert_int_equal (ask_now (sim, "counts", &count_record, 0), SYNOD_OK); /* b's */
    assert_int_equal (seen.n, 0);
    s_again (sim, a);
    assert_int_equal (ask_now (sim, "a/counts", &count_record, 0), SYNOD_OK);
    assert_int_equal (seen.n, 4);
    synod_sim_destroy (&sim);
}

/* Each ask of a client that goes down is answered, once. */
static void test_client (void **state)
{
    synod_sim_t *sim = s_world (state, 1, &echoes);
    int c = client_of (sim);
    for (int i = 0; i < 10; i++)
        ask (sim, "a/echo", &echo_record, 1, 5000);
    assert_int_equal (synod_sim_asks (sim), 10);
    assert_int_equal (synod_sim_crash (sim, c), SYNOD_OK);
    assert_int_equal (synod_sim_asks (sim), 0);
    assert_int_equal (seen.replies, 10);
    assert_int_equal (seen.code, SYNOD_STOPPED);
    synod_sim_run (sim, 10000);
    assert_int_equal (seen.replies, 10);
    echo_t in = {.n = 1};
    assert_int_equal (synod_sim_ask (sim, c, "a/echo", &echo_record, &in, 0, NULL, NULL), SYNOD_STOPPED);
    s_again (sim, c);
    assert_int_equal (ask_now (sim, "a/echo", &echo_record, 1), SYNOD_OK);
    assert_int_equal (synod_sim_ask (sim, c, "no good/address/at all", &echo_record, &in, 0, NULL, NULL),
                      SYNOD_BAD_ADDRESS);
    assert_int_equal (synod_sim_asks (sim), 0);
    ask (sim, "a/echo", &echo_record, 1, 5000);
    synod_sim_destroy (&sim); /* and those of a world that is no more */
    assert_int_equal (seen.replies, 12);
    assert_int_equal (seen.code, SYNOD_STOPPED);
}

static void test_broker (void **state)
{
    synod_sim_t *sim = s_world (state, 1, &echoes);
    if (!*(bool *) *state)
        assert_int_equal (synod_sim_crash (sim, SYNOD_SIM_BROKER), SYNOD_INVALID);
    else {
        assert_int_equal (synod_sim_crash (sim, SYNOD_SIM_BROKER), SYNOD_OK);
        ask (sim, "a/echo", &echo_record, 1, 500);
        settle (sim);
        assert_int_not_equal (seen.code, SYNOD_OK);
        synod_sim_run (sim, 5000);
        assert_int_equal (synod_sim_heal (sim), SYNOD_OK);
        assert_int_equal (synod_sim_state (sim, SYNOD_SIM_BROKER), SYNOD_SIM_UP);
        synod_sim_run (sim, 5000);
        assert_int_equal (synod_sim_join (sim, 20000), SYNOD_OK);
        assert_int_equal (ask_now (sim, "a/echo", &echo_record, 1), SYNOD_OK);
    }
    synod_sim_destroy (&sim);
}

#define CLIENTS 4

typedef struct {
    int client, left;
    int64_t asked_us, most_us; /* the last one, the longest */
} hasty_t;

static void add_again (synod_sim_t *sim, void *arg);

static void on_added (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    hasty_t *self = arg;
    (void) client;
    assert_int_equal (reply->code, SYNOD_OK);
    if (synod_sim_now_us (sim) - self->asked_us > self->most_us)
        self->most_us = synod_sim_now_us (sim) - self->asked_us;
    if (--self->left)
        synod_sim_after (sim, 0, add_again, self);
}

static void add_again (synod_sim_t *sim, void *arg)
{
    hasty_t *self = arg;
    self->asked_us = synod_sim_now_us (sim);
    int rc = synod_sim_ask (sim, self->client, "a/counts", &add_record, &(add_t){.n = 1}, 10000, on_added, self);
    if (rc != SYNOD_OK)
        fail_msg ("%s", synod_sim_error (sim)->text);
}

static bool all_added (synod_sim_t *sim, void *arg)
{
    const hasty_t *all = arg;
    (void) sim;
    for (int i = 0; i < CLIENTS; i++)
        if (all[i].left)
            return false;
    return true;
}

/* Paths change while turns write: no answer is left behind by a change that ends in such a turn. */
static void test_paths (void **state)
{
    synod_sim_settings_t settings = {.links = true, .link_after = 20, .turn_us = 300};
    (void) state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        synod_sim_t *sim = world (seed, &settings, &counts, 1);
        hasty_t all[CLIENTS] = {{0}};
        for (int i = 0; i < CLIENTS; i++) {
            char name[8];
            snprintf (name, sizeof name, "h%d", i);
            all[i] = (hasty_t){.client = synod_sim_client (sim, name), .left = 100};
            if (!all[i].client)
                fail_msg ("%s", synod_sim_error (sim)->text);
        }
        assert_int_equal (synod_sim_join (sim, 20000), SYNOD_OK);
        for (int i = 0; i < CLIENTS; i++)
            add_again (sim, &all[i]);
        assert_int_equal (synod_sim_until (sim, all_added, all, 60000), SYNOD_OK);
        for (int i = 0; i < CLIENTS; i++)
            if (all[i].most_us > 100000)
                fail_msg ("seed %d: an answer took %d us", (int) seed, (int) all[i].most_us);
        synod_sim_destroy (&sim);
    }
}

/* A ring is made of the nodes that have something to place, and asked for by a client that may not be there yet. */
static void test_ring (void **state)
{
    static const synod_actor_t placed = {.name = "placed", .placement = SYNOD_SHARDED};
    synod_sim_t *sim = s_world (state, 1, &echoes);
    int client = synod_sim_client (sim, "late");
    assert_int_equal (synod_sim_ring (sim, client, 64, 0, 20000), SYNOD_NOT_FOUND);
    assert_int_not_equal (synod_sim_up (sim, "p", &placed, NULL), 0);
    assert_int_not_equal (synod_sim_up (sim, "q", &placed, NULL), 0);
    assert_int_equal (synod_sim_ring (sim, client, 63, 0, 2000), SYNOD_TIMEOUT);
    assert_non_null (strstr (synod_sim_error (sim)->text, "power of two"));
    assert_int_equal (synod_sim_ring (sim, client, 64, 2, 20000), SYNOD_OK);
    assert_int_equal (synod_sim_ring (sim, client, 64, 2, 20000), SYNOD_OK); /* this very one is there */
    synod_sim_destroy (&sim);
}

static bool yes = true, no = false;

#define BOTH(test)                                    \
    {#test " with a broker", test, NULL, NULL, &yes}, \
    {                                                 \
#test " without", test, NULL, NULL, &no       \
    }

/* Who names another actor brings it, on each node, in each life, and once. */
static void test_beside (void **state)
{
    synod_actor_t brings = echoes;
    brings.name = "brings";
    brings.beside = &counts;
    synod_sim_t *sim = s_world (state, 9, &brings);
    int a = synod_sim_find (sim, "a");
    for (uint32_t life = 0; life < 2; life++) {
        assert_int_equal (ask_now (sim, "a/brings", &echo_record, 7), SYNOD_OK);
        assert_int_equal (ask_now (sim, "a/counts", &add_record, 1), SYNOD_OK);
        assert_int_equal (ask_now (sim, "b/counts", &add_record, 1), SYNOD_OK);
        synod_sim_crash (sim, a);
        synod_sim_run (sim, 5000);
        s_again (sim, a);
    }
    assert_int_equal (ask_now (sim, "a/counts", &count_record, 1), SYNOD_OK);
    assert_int_equal (seen.n, 2);
    synod_sim_destroy (&sim);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        BOTH (test_crash),
        BOTH (test_effects),
        BOTH (test_before_commit),
        BOTH (test_disk_fails),
        BOTH (test_pause),
        BOTH (test_skew),
        BOTH (test_stop),
        BOTH (test_client),
        BOTH (test_broker),
        BOTH (test_ring),
        cmocka_unit_test (test_paths),
        BOTH (test_beside),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
