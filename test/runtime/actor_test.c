/* SPDX-License-Identifier: MPL-2.0
 *
 * Actors: what fails leaves no trace, restarts are bounded, timers, the store, monitors, stopping.
 */
#include "check.h"

typedef struct {
    mh_t *world;
    mh_node_t *a, *b;
} s_pair_t;

static s_pair_t s_pair (void **state)
{
    s_pair_t pair;
    pair.world = mh_new (1, *(bool *) *state);
    mh_settings (pair.world)->loud = getenv ("LOUD") != NULL;
    seen_new ();
    pair.a = mh_up (pair.world, "a", &probe, NULL);
    static const char *const peers[] = {"a", NULL};
    pair.b = mh_node (pair.world, "b", false, peers);
    mh_add (pair.b, &server, NULL);
    mh_add (pair.b, &second, NULL); /* a node ends with its last actor */
    assert_int_equal (mh_start (pair.b, NULL), SYNOD_OK);
    assert_true (mh_joined (pair.world, 2000));
    return pair;
}

static int s_step_get (synod_ctx_t *ctx, void *arg)
{
    synod_str_t value;
    *(int *) arg = synod_get (ctx, synod_str ("key"), &value);
    return SYNOD_OK;
}

static void test_dropped (void **state)
{
    s_pair_t pair = s_pair (state);
    assert_int_equal (subscribe (pair.a, "news.>"), SYNOD_OK);
    mh_run (pair.world, 300);
    assert_int_equal (seen_.readies, 1);
    for (int failed = 0; failed < 2; failed++) {
        assert_int_equal (ask (pair.a, "b/server", "crash", failed, 0, 0, 1), SYNOD_OK);
        mh_run (pair.world, 300);
        assert_int_equal (seen_.replies, failed + 1); /* the error, and neither the answer nor the ask staged */
        assert_int_equal (seen_.code, failed ? SYNOD_FAILED : SYNOD_REFUSED);
        assert_string_equal (seen_.message, "planned");
        assert_int_equal (seen_.answered[9], 0);
        assert_int_equal (seen_.notes, 0); /* neither told nor published */
        assert_int_equal (seen_.events, 0);
        int rc;
        assert_int_equal (mh_step (pair.b, &server, s_step_get, &rc), SYNOD_OK);
        assert_int_equal (rc, SYNOD_NOT_FOUND);
        assert_int_equal (publish (pair.a, "news.a", 1), SYNOD_OK);
        mh_run (pair.world, 10);
        assert_int_equal (seen_.notes, 1); /* a's own, and not b's */
        seen_.notes = 0;
    }
    assert_int_equal (seen_.inits, 2); /* it was restarted once */
    assert_int_equal (seen_.finis, 1);
    mh_destroy (&pair.world);
}

static void test_restarts (void **state)
{
    s_pair_t pair = s_pair (state);
    assert_int_equal (monitor (pair.a, "b/server"), SYNOD_OK);
    mh_run (pair.world, 10);
    for (int i = 1; i <= SYNOD_RESTARTS_MAX; i++) {
        assert_int_equal (ask (pair.a, "b/server", "crash", 1, 0, 0, 1), SYNOD_OK);
        mh_run (pair.world, 10);
        assert_int_equal (seen_.inits, 1 + i);
        assert_int_equal (seen_.downs, 1); /* a notice is one */
    }
    assert_string_equal (seen_.who, "b/server");
    assert_string_equal (seen_.reason, "planned");
    assert_int_equal (ask (pair.a, "b/server", "crash", 1, 0, 0, 1), SYNOD_OK);
    mh_run (pair.world, 300);
    assert_int_equal (seen_.inits, 1 + SYNOD_RESTARTS_MAX); /* once too often */
    assert_false (synod__rt_reachable (mh_rt (pair.a), "b/server"));
    assert_int_equal (ask (pair.a, "server", "add", 1, 0, 0, 1), SYNOD_OK);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.code, SYNOD_NO_ROUTE);
    mh_destroy (&pair.world);
    /* far apart, they are no matter */
    pair = s_pair (state);
    for (int i = 1; i <= 6; i++) {
        assert_int_equal (ask (pair.a, "b/server", "crash", 1, 0, 0, 1), SYNOD_OK);
        mh_run (pair.world, 2000);
        assert_int_equal (seen_.inits, 1 + i);
    }
    mh_destroy (&pair.world);
}

/* What waits on an actor that fails ends with its failure. */
static void test_calls_end (void **state)
{
    s_pair_t pair = s_pair (state);
    assert_int_equal (ask (pair.a, "b/server", "never", 1, 0, 20000, 1), SYNOD_OK);
    assert_int_equal (ask (pair.a, "b/server", "later", 100, 0, 20000, 2), SYNOD_OK);
    assert_int_equal (ask (pair.a, "b/server", "crash", 1, 0, 20000, 3), SYNOD_OK);
    mh_run (pair.world, 300);
    assert_int_equal (seen_.replies, 3);
    assert_int_equal (seen_.code, SYNOD_FAILED);
    for (int i = 1; i <= 3; i++)
        assert_int_equal (seen_.answered[i], 1);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).calls, 0);
    mh_destroy (&pair.world);
}

static void test_monitors (void **state)
{
    s_pair_t pair = s_pair (state);
    assert_int_equal (monitor (pair.a, "nobody"), SYNOD_OK);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.downs, 1);
    assert_int_equal (monitor (pair.a, "b/nothing"), SYNOD_OK);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.downs, 2);
    assert_string_equal (seen_.who, "b/nothing");
    assert_int_equal (monitor (pair.a, "b/server"), SYNOD_OK);
    assert_int_equal (monitor (pair.a, "b"), SYNOD_OK);
    assert_int_equal (monitor (pair.a, "b"), SYNOD_OK);
    assert_int_equal (unmonitor (pair.a, "b/server"), SYNOD_OK);
    assert_int_equal (ask (pair.a, "b/server", "halt", 1, 0, 0, 1), SYNOD_OK);
    mh_run (pair.world, 300);
    assert_int_equal (seen_.code, SYNOD_STOPPED);
    assert_int_equal (seen_.finis, 1);
    assert_int_equal (seen_.inits, 1); /* what stops is not restarted */
    assert_string_equal (seen_.reason, "not there");
    assert_int_equal (seen_.downs, 2);
    mh_kill (pair.b);
    mh_run (pair.world, 1000);
    assert_int_equal (seen_.downs, 4); /* two notices of the node */
    assert_string_equal (seen_.who, "b");
    assert_int_equal (monitor (pair.a, "a/second"), SYNOD_OK); /* of its own node, which has none */
    mh_run (pair.world, 10);
    assert_int_equal (seen_.downs, 5);
    mh_destroy (&pair.world);
}

/* ---- timers ---- */

static synod_timer_t s_timers[8];
static uint64_t s_fired[8];
static uint32_t s_nfired;

static int s_on_timer (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) state;
    s_fired[s_nfired++] = arg;
    return arg == 4 ? synod_cancel (ctx, s_timers[5]) : SYNOD_OK;
}

static int s_step_timers (synod_ctx_t *ctx, void *arg)
{
    (void) arg;
    static const uint32_t delays[8] = {30, 10, 10, 50, 20, 25, 0, 40};
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal (synod_after (ctx, delays[i], s_on_timer, i, &s_timers[i]), SYNOD_OK);
    return synod_cancel (ctx, s_timers[3]);
}

static int s_step_cancel (synod_ctx_t *ctx, void *arg)
{
    return synod_cancel (ctx, s_timers[*(int *) arg]);
}

static void test_timers (void **state)
{
    s_pair_t pair = s_pair (state);
    s_nfired = 0;
    assert_int_equal (mh_step (pair.a, &probe, s_step_timers, NULL), SYNOD_OK);
    mh_run (pair.world, 100);
    static const uint64_t expected[] = {6, 1, 2, 4, 0, 7}; /* equal times as they were set; 3 and 5 cancelled */
    assert_int_equal (s_nfired, 6);
    assert_memory_equal (s_fired, expected, sizeof expected);
    int which = 1;
    assert_int_equal (mh_step (pair.a, &probe, s_step_cancel, &which), SYNOD_NOT_FOUND);
    mh_destroy (&pair.world);
}

/* ---- the store ---- */

static bool s_on_entry (void *arg, synod_str_t key, synod_str_t value)
{
    char *text = (char *) arg;
    snprintf (text + strlen (text), 200 - strlen (text), "%.*s=%.*s ", SYNOD_STR (key), SYNOD_STR (value));
    return strlen (text) < 100;
}

static int s_step_put (synod_ctx_t *ctx, void *arg)
{
    static const char *const keys[] = {"d", "b", "a", "c", "bb"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal (synod_put (ctx, synod_str (keys[i]), synod_str ("1")), SYNOD_OK);
    return *(int *) arg;
}

static int s_step_change (synod_ctx_t *ctx, void *arg)
{
    char text[200] = "";
    synod_str_t value;
    assert_int_equal (synod_put (ctx, synod_str ("b"), synod_str ("2")), SYNOD_OK);
    assert_int_equal (synod_delete (ctx, synod_str ("c")), SYNOD_OK);
    assert_int_equal (synod_delete (ctx, synod_str ("nothing")), SYNOD_OK);
    assert_int_equal (synod_put (ctx, synod_str ("e"), synod_str ("")), SYNOD_OK);
    assert_int_equal (synod_get (ctx, synod_str ("c"), &value), SYNOD_NOT_FOUND);
    assert_int_equal (synod_get (ctx, synod_str ("b"), &value), SYNOD_OK);
    assert_true (synod_str_is (value, "2"));
    assert_int_equal (synod_scan (ctx, synod_str ("b"), synod_str (""), s_on_entry, text), SYNOD_OK);
    assert_string_equal (text, "b=2 bb=1 d=1 e= ");
    text[0] = 0;
    assert_int_equal (synod_scan (ctx, synod_str (""), synod_str ("bb"), s_on_entry, text), SYNOD_OK);
    assert_string_equal (text, "a=1 b=2 ");
    assert_int_equal (synod_put (ctx, synod_str (""), synod_str ("")), SYNOD_INVALID);
    return *(int *) arg;
}

static int s_step_all (synod_ctx_t *ctx, void *arg)
{
    return synod_scan (ctx, synod_str (""), synod_str (""), s_on_entry, arg);
}

static void test_store (void **state)
{
    s_pair_t pair = s_pair (state);
    int rc = SYNOD_REFUSED;
    char text[200] = "";
    assert_int_equal (mh_step (pair.a, &probe, s_step_put, &rc), rc);
    assert_int_equal (mh_step (pair.a, &probe, s_step_all, text), SYNOD_OK);
    assert_string_equal (text, ""); /* dropped */
    rc = SYNOD_OK;
    assert_int_equal (mh_step (pair.a, &probe, s_step_put, &rc), rc);
    rc = SYNOD_REFUSED;
    assert_int_equal (mh_step (pair.a, &probe, s_step_change, &rc), rc);
    assert_int_equal (mh_step (pair.a, &probe, s_step_all, text), SYNOD_OK);
    assert_string_equal (text, "a=1 b=1 bb=1 c=1 d=1 ");
    rc = SYNOD_OK;
    assert_int_equal (mh_step (pair.a, &probe, s_step_change, &rc), rc);
    text[0] = 0;
    assert_int_equal (mh_step (pair.a, &probe, s_step_all, text), SYNOD_OK);
    assert_string_equal (text, "a=1 b=2 bb=1 d=1 e= ");
    mh_destroy (&pair.world);
}

/* ---- stopping a node ---- */

static void test_drain (void **state)
{
    s_pair_t pair = s_pair (state);
    mh_up (pair.world, "c", &server, "a");
    mh_node_t *d = mh_up (pair.world, "d", &probe, "a");
    mh_run (pair.world, 1000);
    /* d stops with an ask of its own out, b with a call that it keeps */
    bool brokered = *(bool *) *state; /* a broker has no way to a node that has left, so d's answer would not come */
    if (!brokered)
        assert_int_equal (ask (d, "b/server", "later", 200, 0, 5000, 1), SYNOD_OK);
    assert_int_equal (ask (pair.a, "b/server", "later", 300, 0, 5000, 2), SYNOD_OK);
    mh_run (pair.world, 10);
    mh_stop (d);
    mh_stop (pair.b);
    mh_run (pair.world, 100);
    assert_int_equal (mh_ended (d), brokered);
    assert_false (mh_ended (pair.b));
    assert_int_equal (seen_.replies, 0);
    assert_int_equal (ask (pair.a, "server", "add", 1, 0, 5000, 3), SYNOD_OK); /* to c: b is taken out */
    mh_run (pair.world, 10);
    assert_int_equal (seen_.by[0], 'c');
    mh_run (pair.world, 600);
    assert_int_equal (seen_.answered[1], !brokered);
    assert_int_equal (seen_.answered[2], 1);
    assert_int_equal (seen_.code, SYNOD_OK);
    assert_true (mh_ended (d));
    assert_true (mh_ended (pair.b));
    assert_int_equal (synod__rt_fault (mh_rt (pair.b))->code, SYNOD_OK);
    mh_destroy (&pair.world);
}

/* What takes too long is cut off at drain_ms, and those who wait are told. */
static void test_drain_late (void **state)
{
    s_pair_t pair = s_pair (state);
    assert_int_equal (ask (pair.a, "b/server", "never", 1, 0, 20000, 1), SYNOD_OK);
    mh_run (pair.world, 10);
    int64_t start_us = mh_now_us (pair.world);
    mh_stop (pair.b);
    uint32_t one = 1;
    assert_true (mh_until (pair.world, replied, &one, 5000));
    assert_int_equal (seen_.code, SYNOD_STOPPED);
    assert_in_range (mh_now_us (pair.world) - start_us, 1000000, 1010000);
    assert_true (mh_ended (pair.b));
    assert_int_equal (seen_.finis, 1);
    mh_destroy (&pair.world);
}

static bool yes = true, no = false;

#define BOTH(test)                                    \
    {#test " with a broker", test, NULL, NULL, &yes}, \
    {                                                 \
#test " without", test, NULL, NULL, &no       \
    }

int main (void)
{
    const struct CMUnitTest tests[] = {
        BOTH (test_dropped), BOTH (test_restarts), BOTH (test_calls_end), BOTH (test_monitors),
        BOTH (test_timers),  BOTH (test_store),    BOTH (test_drain),     BOTH (test_drain_late),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
