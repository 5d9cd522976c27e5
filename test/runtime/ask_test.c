/* SPDX-License-Identifier: MPL-2.0
 *
 * Asks, tells and answers between nodes: dispatch, errors, deferred answers, each continuation exactly once. Every test
 * runs with a broker and without.
 */
#include "actors/runtime/many.h"
#include "check.h"

typedef struct {
    mh_t *world;
    mh_node_t *a, *b;
} s_pair_t;

/* a, a probe, and b, a server, who know each other. */
static s_pair_t s_pair (void **state)
{
    s_pair_t pair;
    pair.world = mh_new (1, *(bool *) *state);
    seen_new ();
    pair.a = mh_up (pair.world, "a", &probe, NULL);
    pair.b = mh_up (pair.world, "b", &server, "a");
    assert_true (mh_joined (pair.world, 2000));
    return pair;
}

static void s_ask (s_pair_t *pair, const char *to, const char *method, int64_t number, uint32_t ms, int code)
{
    uint32_t before = seen_.replies;
    assert_int_equal (ask (pair->a, to, method, number, 2, ms, 0), SYNOD_OK);
    mh_run (pair->world, 2000);
    assert_int_equal (seen_.replies, before + 1);
    assert_string_equal (synod_error_name (seen_.code), synod_error_name (code));
}

static void test_dispatch (void **state)
{
    s_pair_t pair = s_pair (state);
    s_ask (&pair, "b/server", "add", 40, 0, SYNOD_OK);
    assert_int_equal (seen_.sum, 42);
    assert_string_equal (seen_.from, "b/server");
    assert_string_equal (seen_.last_from, "a/probe");
    s_ask (&pair, "server", "safe", 41, 0, SYNOD_OK);
    assert_int_equal (seen_.sum, 43);
    assert_int_equal (seen_.handled, 2);
    assert_int_equal (tell (pair.a, "b/server", 5), SYNOD_OK);
    assert_int_equal (tell (pair.a, "server", 6), SYNOD_OK);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.notes, 2);
    assert_int_equal (seen_.order[0] + seen_.order[1], 11);
    s_ask (&pair, "a/probe", "add", 1, 0, SYNOD_OK); /* to its own node */
    assert_int_equal (seen_.sum, 3);
    mh_destroy (&pair.world);
}

static void test_errors (void **state)
{
    s_pair_t pair = s_pair (state);
    s_ask (&pair, "b/server", "refuse", 7, 0, SYNOD_REFUSED);
    assert_string_equal (seen_.message, "no 7 here");
    s_ask (&pair, "b/server", "odd", 7, 0, SYNOD_NO_METHOD);
    assert_non_null (strstr (seen_.message, "odd"));
    s_ask (&pair, "b/server", "halt", 7, 0, SYNOD_STOPPED);
    s_ask (&pair, "b/server", "add", 7, 0, SYNOD_NO_ROUTE); /* the node is there, the actor is not */
    s_ask (&pair, "server", "add", 7, 0, SYNOD_NO_ROUTE);
    s_ask (&pair, "nobody/server", "add", 7, 0, SYNOD_NO_ROUTE);
    s_ask (&pair, "nothing", "add", 7, 0, SYNOD_NO_ROUTE);
    assert_int_equal (ask (pair.a, "b//x", "add", 1, 1, 0, 0), SYNOD_BAD_ADDRESS);
    assert_int_equal (ask (pair.a, "b/server", "add", 2000000, 1, 0, 0), SYNOD_INVALID); /* over the field's limit */
    synod__rt_stats_t stats = synod__rt_stats (mh_rt (pair.a));
    assert_int_equal (stats.asks, 0);
    mh_destroy (&pair.world);
}

static int s_step_bad (synod_ctx_t *ctx, void *arg)
{
    (void) arg;
    static const char body[] = "\x81\xa1"
                               "a\xa3one"; /* {"a": "one"} */
    assert_int_equal (synod_tell_body (ctx, "b/server", synod_str ("add"), synod_str_n (body, sizeof body - 1)),
                      SYNOD_OK);
    return SYNOD_OK;
}

static int s_on_bad (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    (void) ctx;
    (void) state;
    (void) arg;
    seen_.replies++;
    seen_.code = reply->code;
    snprintf (seen_.message, sizeof seen_.message, "%.*s", SYNOD_STR (reply->message));
    return SYNOD_OK;
}

static int s_step_bad_ask (synod_ctx_t *ctx, void *arg)
{
    (void) arg;
    static const char body[] = "\x81\xa1"
                               "b\x07"; /* {"b": 7}: a is missing */
    return synod_ask_body (ctx, "b/server", synod_str ("add"), synod_str_n (body, sizeof body - 1), false, 0, s_on_bad,
                           0);
}

static void test_bad_body (void **state)
{
    s_pair_t pair = s_pair (state);
    assert_int_equal (mh_step (pair.a, &probe, s_step_bad_ask, NULL), SYNOD_OK);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.code, SYNOD_BAD_REQUEST);
    assert_non_null (strstr (seen_.message, "a:"));
    assert_int_equal (mh_step (pair.a, &probe, s_step_bad, NULL), SYNOD_OK);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.handled, 0);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).malformed, 2);
    mh_destroy (&pair.world);
}

static void test_deferred (void **state)
{
    s_pair_t pair = s_pair (state);
    int64_t start_us = mh_now_us (pair.world);
    assert_int_equal (ask (pair.a, "b/server", "later", 50, 0, 0, 1), SYNOD_OK);
    assert_int_equal (ask (pair.a, "b/server", "later", 20, 0, 0, 2), SYNOD_OK);
    mh_run (pair.world, 30);
    assert_int_equal (seen_.answered[1], 0);
    assert_int_equal (seen_.answered[2], 1);
    uint32_t two = 2;
    assert_true (mh_until (pair.world, replied, &two, 1000));
    assert_int_equal (seen_.answered[1], 1);
    assert_true (mh_now_us (pair.world) - start_us >= 50000);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).calls, 0);
    mh_destroy (&pair.world);
}

static void test_second_answer (void **state)
{
    s_pair_t pair = s_pair (state);
    assert_int_equal (ask (pair.a, "b/server", "twice", 1, 0, 1000, 1), SYNOD_OK);
    mh_run (pair.world, 15);
    assert_int_equal (seen_.replies, 0);
    mh_run (pair.world, 15);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.sum, 7);
    mh_destroy (&pair.world);
}

static void test_timeout (void **state)
{
    s_pair_t pair = s_pair (state);
    int64_t start_us = mh_now_us (pair.world);
    assert_int_equal (ask (pair.a, "b/server", "never", 1, 0, 250, 1), SYNOD_OK);
    uint32_t one = 1;
    mh_run (pair.world, 10);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).calls, 1);
    assert_true (mh_until (pair.world, replied, &one, 1000));
    assert_int_equal (seen_.code, SYNOD_TIMEOUT);
    assert_int_equal ((mh_now_us (pair.world) - start_us) / 1000, 250);
    mh_run (pair.world, 100);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).calls, 0); /* forgotten there too */
    /* an answer after the deadline: counted, no second continuation */
    assert_int_equal (ask (pair.a, "b/server", "later", 300, 0, 299, 2), SYNOD_OK);
    mh_run (pair.world, 600);
    assert_int_equal (seen_.answered[2], 1);
    assert_int_equal (seen_.code, SYNOD_TIMEOUT);
    mh_destroy (&pair.world);
}

static mh_verdict_t s_hold_replies (void *arg, const mh_passing_t *passing)
{
    (void) arg;
    return strcmp (passing->from, "b") == 0 ? MH_HOLD : MH_PASS;
}

static void test_late_reply (void **state)
{
    s_pair_t pair = s_pair (state);
    mh_filter (pair.world, s_hold_replies, NULL);
    assert_int_equal (ask (pair.a, "b/server", "add", 1, 1, 30, 0), SYNOD_OK);
    mh_run (pair.world, 40);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.code, SYNOD_TIMEOUT);
    mh_filter (pair.world, NULL, NULL);
    mh_release (pair.world);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (synod__rt_stats (mh_rt (pair.a)).late, 1);
    mh_destroy (&pair.world);
}

static void test_node_down (void **state)
{
    s_pair_t pair = s_pair (state);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal (ask (pair.a, "b/server", "never", 1, 0, 20000, i), SYNOD_OK);
    mh_run (pair.world, 10);
    mh_kill (pair.b);
    int64_t start_us = mh_now_us (pair.world);
    uint32_t three = 3;
    assert_true (mh_until (pair.world, replied, &three, 5000));
    assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
    assert_true (mh_now_us (pair.world) - start_us <= 500000); /* three heartbeats of 100 ms, and a tick */
    mh_run (pair.world, 100);
    assert_int_equal (seen_.replies, 3);
    for (int i = 1; i <= 3; i++)
        assert_int_equal (seen_.answered[i], 1);
    mh_destroy (&pair.world);
}

static void test_any_node (void **state)
{
    s_pair_t pair = s_pair (state);
    mh_up (pair.world, "c", &server, "a");
    mh_up (pair.world, "d", &server, "a");
    assert_true (mh_joined (pair.world, 2000));
    for (int i = 0; i < 9; i++)
        assert_int_equal (ask (pair.a, "server", "add", 1, 0, 20000, 0), SYNOD_OK);
    mh_run (pair.world, 10);
    int count[256] = {0};
    for (uint32_t i = 0; i < seen_.handled; i++)
        count[(unsigned char) seen_.by[i]]++;
    for (int node = 'b'; node <= 'd'; node++)
        assert_int_equal (count[node], 3);
    /* one after the other, all answered at once: by turns */
    seen_new ();
    for (int i = 0; i < 6; i++) {
        assert_int_equal (ask (pair.a, "server", "add", 1, 0, 20000, 0), SYNOD_OK);
        mh_run (pair.world, 10);
    }
    memset (count, 0, sizeof count);
    for (uint32_t i = 0; i < seen_.handled; i++)
        count[(unsigned char) seen_.by[i]]++;
    for (int node = 'b'; node <= 'd'; node++)
        assert_int_equal (count[node], 2);
    /* two that b never answers make the others better */
    seen_new ();
    for (int i = 0; i < 2; i++)
        assert_int_equal (ask (pair.a, "b/server", "never", 1, 0, 20000, 0), SYNOD_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal (ask (pair.a, "server", "never", 1, 0, 20000, 0), SYNOD_OK);
    mh_run (pair.world, 10);
    memset (count, 0, sizeof count);
    for (uint32_t i = 0; i < seen_.handled; i++)
        count[(unsigned char) seen_.by[i]]++;
    for (int node = 'b'; node <= 'd'; node++)
        assert_int_equal (count[node], 2);
    mh_destroy (&pair.world);
}

/* An idempotent ask to any node goes elsewhere when its node dies, another does not. */
static void test_retry (void **state)
{
    s_pair_t pair = s_pair (state);
    mh_node_t *c = mh_up (pair.world, "c", &server, "a");
    assert_true (mh_joined (pair.world, 2000));
    assert_int_equal (ask (pair.a, "server", "keep", 1, 0, 20000, 1), SYNOD_OK);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.handled, 1);
    bool first_b = seen_.by[0] == 'b';
    mh_kill (first_b ? pair.b : c);
    mh_run (pair.world, 1000);
    assert_int_equal (seen_.replies, 0);
    assert_int_equal (seen_.handled, 2);
    assert_int_equal (seen_.by[1], first_b ? 'c' : 'b');
    mh_kill (first_b ? c : pair.b);
    mh_run (pair.world, 1000);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
    mh_destroy (&pair.world);
}

/* The same with the frame still in the queue: lost once, retried once. */
static void test_retry_queued (void **state)
{
    s_pair_t pair = s_pair (state);
    if (*(bool *) *state) { /* with a broker all ways from a are one */
        mh_destroy (&pair.world);
        return;
    }
    mh_node_t *nodes[2] = {pair.b, mh_up (pair.world, "c", &server, "a")};
    assert_true (mh_joined (pair.world, 2000));
    mh_block (pair.world, "a", "b", true);
    assert_int_equal (ask (pair.a, "server", "keep", 1, 0, 20000, 1), SYNOD_OK);
    assert_int_equal (ask (pair.a, "server", "keep", 1, 0, 20000, 2), SYNOD_OK);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.handled, 1);
    mh_kill (nodes[0]);
    mh_run (pair.world, 1000);
    assert_int_equal (seen_.handled, 2);
    assert_int_equal (seen_.by[1], 'c');
    assert_int_equal (seen_.replies, 0);
    mh_destroy (&pair.world);
}

/* A way that stays blocked: its node is not tried again, though it is there and has the fewest unanswered asks. */
static void test_retry_blocked (void **state)
{
    s_pair_t pair = s_pair (state);
    if (!*(bool *) *state) { /* with a broker all ways from a are one */
        mh_up (pair.world, "c", &server, "a");
        assert_true (mh_joined (pair.world, 2000));
        mh_block (pair.world, "a", "b", true);
        assert_int_equal (ask (pair.a, "server", "keep", 1, 0, 20000, 1), SYNOD_OK);
        assert_int_equal (ask (pair.a, "server", "keep", 1, 0, 20000, 2), SYNOD_OK);
        mh_run (pair.world, 10);
        assert_int_equal (seen_.handled, 1);
        mh_run (pair.world, 600);
        assert_int_equal (seen_.handled, 2);
        assert_int_equal (seen_.by[1], 'c');
        assert_int_equal (seen_.replies, 0);
    }
    mh_destroy (&pair.world);
}

/* The first node died with it, the second is busy: that nothing was done there says nothing of the first. */
static void test_retry_unsure (void **state)
{
    s_pair_t pair = s_pair (state);
    mh_node_t *c = mh_up (pair.world, "c", &server, "a");
    assert_true (mh_joined (pair.world, 2000));
    assert_int_equal (ask (pair.a, "server", "crowd", 1, 0, 20000, 1), SYNOD_OK);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.handled, 1);
    mh_kill (seen_.by[0] == 'b' ? pair.b : c);
    mh_run (pair.world, 1000);
    assert_int_equal (seen_.handled, 2);
    assert_int_equal (seen_.replies, 1);
    assert_string_equal (synod_error_name (seen_.code), "node-down");
    s_ask (&pair, "server", "crowd", 2, 20000, SYNOD_BUSY); /* all attempts of this one were refused */
    mh_destroy (&pair.world);
}

static void test_not_retried (void **state)
{
    s_pair_t pair = s_pair (state);
    mh_node_t *c = mh_up (pair.world, "c", &server, "a");
    assert_true (mh_joined (pair.world, 2000));
    assert_int_equal (ask (pair.a, "server", "never", 1, 0, 20000, 1), SYNOD_OK);
    mh_run (pair.world, 10);
    mh_kill (seen_.by[0] == 'b' ? pair.b : c);
    mh_run (pair.world, 1000);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
    assert_int_equal (seen_.handled, 1);
    mh_destroy (&pair.world);
}

static bool yes = true, no = false;

#define BOTH(test)                                    \
    {#test " with a broker", test, NULL, NULL, &yes}, \
    {                                                 \
#test " without", test, NULL, NULL, &no       \
    }

static int s_ended; /* how: a code, or -1 */

static int s_on_end (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    (void) ctx, (void) state, (void) arg;
    assert_int_equal (s_ended, -1);
    s_ended = reply->code;
    return SYNOD_OK;
}

static int s_ask_nobody (synod_ctx_t *ctx, void *arg)
{
    s_ended = -1;
    synod__ctx_ask_as (ctx, "nobody#key", synod_str ("add"), synod_str_n (NULL, 0), *(uint32_t *) arg,
                       synod__ctx_number (ctx), 1000, s_on_end, 0);
    return SYNOD_OK;
}

/* A command that was sent before waits for somebody who can say what became of it; one that was not is over at once. */
static void test_sent_before (void **state)
{
    s_pair_t pair = s_pair (state);
    uint32_t once = SYNOD_ONCE, again = SYNOD_ONCE | SYNOD__AGAIN;
    assert_int_equal (mh_step (pair.a, &probe, s_ask_nobody, &once), SYNOD_OK);
    mh_run (pair.world, 500);
    assert_int_equal (s_ended, SYNOD_NO_ROUTE);
    assert_int_equal (mh_step (pair.a, &probe, s_ask_nobody, &again), SYNOD_OK);
    mh_run (pair.world, 900);
    assert_int_equal (s_ended, -1);
    mh_run (pair.world, 200);
    assert_int_equal (s_ended, SYNOD_TIMEOUT);
    mh_destroy (&pair.world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        BOTH (test_dispatch),    BOTH (test_errors),        BOTH (test_bad_body),     BOTH (test_deferred),
        BOTH (test_timeout),     BOTH (test_second_answer), BOTH (test_late_reply),   BOTH (test_node_down),
        BOTH (test_any_node),    BOTH (test_retry),         BOTH (test_retry_queued), BOTH (test_retry_blocked),
        BOTH (test_not_retried), BOTH (test_retry_unsure),  BOTH (test_sent_before),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
