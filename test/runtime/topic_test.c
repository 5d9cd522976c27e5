/* SPDX-License-Identifier: MPL-2.0
 *
 * Publications: who gets what, when a subscription is ready, gaps, the tap.
 */
#include "check.h"

typedef struct {
    mh_t *world;
    mh_node_t *a, *b;
} s_pair_t;

static s_pair_t s_pair (void **state)
{
    s_pair_t pair;
    pair.world = mh_new (5, *(bool *) *state);
    mh_settings (pair.world)->queue_bytes = 16 * 1024;
    mh_settings (pair.world)->loud = getenv ("LOUD") != NULL;
    seen_new ();
    pair.a = mh_up (pair.world, "a", &probe, NULL);
    pair.b = mh_up (pair.world, "b", &probe, "a");
    assert_true (mh_joined (pair.world, 2000));
    mh_run (pair.world, 500);
    return pair;
}

static bool s_ready (void *arg)
{
    return seen_.readies >= *(uint32_t *) arg;
}

static void s_subscribe (s_pair_t *pair, const char *pattern)
{
    uint32_t wanted = seen_.readies + 1;
    assert_int_equal (subscribe (pair->b, pattern), SYNOD_OK);
    assert_true (mh_until (pair->world, s_ready, &wanted, 1000));
}

static void test_patterns (void **state)
{
    s_pair_t pair = s_pair (state);
    static const struct {
        const char *pattern, *topic;
        bool match;
    } cases[] = {
        {"news", "news", true},        {"news", "news.x", false},    {"news.*", "news.x", true},
        {"news.*", "news.x.y", false}, {"news.>", "news.x.y", true}, {"*.x", "news.x", true},
        {"a.*.c", "a.b.c", true},      {"a.*.c", "a.b.d", false},    {"new", "news", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s_subscribe (&pair, cases[i].pattern);
        uint32_t before = seen_.notes;
        assert_int_equal (publish (pair.a, cases[i].topic, 1), SYNOD_OK);
        mh_run (pair.world, 5);
        if (seen_.notes != before + cases[i].match)
            fail_msg ("%s with %s", cases[i].pattern, cases[i].topic);
        if (cases[i].match)
            assert_string_equal (seen_.last_topic, cases[i].topic);
        assert_int_equal (unsubscribe (pair.b, cases[i].pattern), SYNOD_OK);
        mh_run (pair.world, 5);
        assert_int_equal (publish (pair.a, cases[i].topic, 1), SYNOD_OK);
        mh_run (pair.world, 5);
        assert_int_equal (seen_.notes, before + cases[i].match);
    }
    assert_string_equal (seen_.last_from, "a/probe");
    mh_destroy (&pair.world);
}

/* Whatever is published once it is ready arrives. */
static void test_ready (void **state)
{
    s_pair_t pair = s_pair (state);
    assert_int_equal (subscribe (pair.b, "news"), SYNOD_OK);
    assert_int_equal (seen_.readies, 0); /* not before anybody could know */
    uint32_t one = 1;
    assert_true (mh_until (pair.world, s_ready, &one, 1000));
    for (int i = 0; i < 10; i++)
        assert_int_equal (publish (pair.a, "news", i), SYNOD_OK);
    assert_int_equal (publish (pair.b, "news", 10), SYNOD_OK); /* its own too */
    mh_run (pair.world, 10);
    assert_int_equal (seen_.notes, 11);
    assert_int_equal (seen_.readies, 1);
    mh_destroy (&pair.world);
}

static mh_verdict_t s_no_echo (void *arg, const mh_passing_t *passing)
{
    int *left = (int *) arg;
    bool echo = passing->topic && passing->size > 5 && memcmp (passing->data, "$sub.", 5) == 0 &&
                strcmp (passing->to, "b") == 0 && strcmp (passing->from, "b") != 0;
    return echo && *left && (*left)-- ? MH_DROP : MH_PASS;
}

static void test_echo_lost (void **state)
{
    s_pair_t pair = s_pair (state);
    int lost = 1;
    mh_filter (pair.world, s_no_echo, &lost);
    assert_int_equal (subscribe (pair.b, "news"), SYNOD_OK);
    mh_run (pair.world, 50);
    assert_int_equal (seen_.readies, 0);
    uint32_t one = 1;
    assert_true (mh_until (pair.world, s_ready, &one, 1000)); /* asked for again */
    assert_int_equal (lost, 0);
    mh_destroy (&pair.world);
}

/* A peer that dies meanwhile is not waited for. */
static void test_echo_dead (void **state)
{
    s_pair_t pair = s_pair (state);
    int lost = 1000;
    mh_filter (pair.world, s_no_echo, &lost);
    assert_int_equal (subscribe (pair.b, "news"), SYNOD_OK);
    mh_run (pair.world, 50);
    assert_int_equal (seen_.readies, 0);
    mh_kill (pair.a);
    mh_run (pair.world, 1000);
    assert_int_equal (seen_.readies, !*(bool *) *state); /* a broker that does not answer is waited for */
    mh_destroy (&pair.world);
}

/* ---- gaps ---- */

typedef struct {
    uint32_t skip, lose;
} s_loss_t;

static mh_verdict_t s_lose (void *arg, const mh_passing_t *passing)
{
    s_loss_t *loss = (s_loss_t *) arg;
    if (!passing->topic || strcmp (passing->to, "b") != 0 || passing->size < 5 ||
        memcmp (passing->data, "news", 5) != 0)
        return MH_PASS;
    if (loss->skip) {
        loss->skip--;
        return MH_PASS;
    }
    if (!loss->lose)
        return MH_PASS;
    loss->lose--;
    return MH_DROP;
}

static uint64_t s_gaps (mh_node_t *node)
{
    return synod__rt_stats (mh_rt (node)).gaps;
}

static void test_gaps (void **state)
{
    s_pair_t pair = s_pair (state);
    for (int i = 0; i < 5; i++)
        assert_int_equal (publish (pair.a, "news", i), SYNOD_OK);
    mh_run (pair.world, 10);
    s_subscribe (&pair, "news");
    mh_run (pair.world, 1000);
    assert_int_equal (s_gaps (pair.b), 0); /* what was before it came is none of its loss */
    s_loss_t loss = {.skip = 2, .lose = 3};
    mh_filter (pair.world, s_lose, &loss);
    for (int i = 0; i < 10; i++) {
        assert_int_equal (publish (pair.a, "news", i), SYNOD_OK);
        mh_run (pair.world, 1);
    }
    assert_int_equal (seen_.notes, 7);
    assert_int_equal (s_gaps (pair.b), 3);
    mh_run (pair.world, 1000);
    loss = (s_loss_t){.skip = 1, .lose = 2}; /* a lost tail */
    for (int i = 0; i < 3; i++) {
        assert_int_equal (publish (pair.a, "news", i), SYNOD_OK);
        mh_run (pair.world, 1);
    }
    assert_int_equal (s_gaps (pair.b), 3);
    mh_run (pair.world, 1000);
    assert_int_equal (s_gaps (pair.b), 5);
    mh_destroy (&pair.world);
}

/* Another life of the publisher counts from anew. */
static void test_gap_of_lives (void **state)
{
    s_pair_t pair = s_pair (state);
    s_subscribe (&pair, "news");
    for (int i = 0; i < 3; i++) {
        assert_int_equal (publish (pair.a, "news", i), SYNOD_OK);
        mh_run (pair.world, 1);
    }
    mh_kill (pair.a);
    mh_run (pair.world, 1000);
    pair.a = mh_up (pair.world, "a", &probe, "b");
    assert_true (mh_joined (pair.world, 2000));
    mh_run (pair.world, 500);
    s_loss_t loss = {.lose = 5}; /* what is seen first is the baseline, though it is above the old life's last */
    mh_filter (pair.world, s_lose, &loss);
    for (int i = 0; i < 8; i++) {
        assert_int_equal (publish (pair.a, "news", i), SYNOD_OK);
        mh_run (pair.world, 1);
    }
    mh_run (pair.world, 1000);
    assert_int_equal (seen_.notes, 6);
    assert_int_equal (s_gaps (pair.b), 0);
    mh_destroy (&pair.world);
}

static void test_blocked (void **state)
{
    s_pair_t pair = s_pair (state);
    s_subscribe (&pair, "news");
    mh_block_topics (pair.a, true);
    for (int i = 0; i < 100; i++)
        assert_int_equal (publish (pair.a, "news", i), SYNOD_OK);
    mh_run (pair.world, 500);
    assert_int_equal (seen_.notes, 0);
    assert_true (synod__rt_stats (mh_rt (pair.a)).queued > 0);
    mh_block_topics (pair.a, false);
    mh_run (pair.world, 10);
    assert_int_equal (seen_.notes, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal (seen_.order[i], i);
    assert_int_equal (s_gaps (pair.b), 0);
    assert_int_equal (synod__rt_stats (mh_rt (pair.a)).queued, 0);
    /* over the queue's limit they are counted */
    mh_block_topics (pair.a, true);
    uint64_t dropped = synod__rt_stats (mh_rt (pair.a)).dropped;
    for (int i = 0; i < 1000; i++)
        assert_int_equal (publish (pair.a, "news", i), SYNOD_OK);
    assert_in_range (synod__rt_stats (mh_rt (pair.a)).queued, 16 * 1024, 17 * 1024);
    assert_in_range (synod__rt_stats (mh_rt (pair.a)).dropped - dropped, 1, 999);
    mh_destroy (&pair.world);
}

/* ---- drops and the tap ---- */

static uint32_t s_ntapped, s_ndrops;
static char s_drop_text[600];

static int s_on_tapped (synod_ctx_t *ctx, void *state, const synod__tapped_t *in, synod_call_t call)
{
    (void) ctx;
    (void) state;
    (void) call;
    synod_frame_t frame;
    assert_int_equal (synod__frame_open (&frame, in->frame.data, in->frame.size, NULL), SYNOD_OK);
    s_ntapped += synod_str_is (frame.address, "a/probe");
    return SYNOD_OK;
}

static int s_on_drop (synod_ctx_t *ctx, void *state, const synod__drop_t *in, synod_call_t call)
{
    (void) ctx;
    (void) state;
    (void) call;
    s_ndrops += (uint32_t) in->count;
    snprintf (s_drop_text, sizeof s_drop_text, "%.*s|%.*s|%.*s", SYNOD_STR (in->from), SYNOD_STR (in->to),
              SYNOD_STR (in->reason));
    return SYNOD_OK;
}

static const synod_route_t s_sniffer_routes[] = {SYNOD_ON (synod__tapped, s_on_tapped),
                                                 SYNOD_ON (synod__drop, s_on_drop), SYNOD_END};
static const synod_actor_t s_sniffer = {.name = "sniffer", .routes = s_sniffer_routes};

static int s_do_subscribe (synod_ctx_t *ctx, void *arg)
{
    return synod_subscribe (ctx, (const char *) arg, NULL, 0);
}

static int s_do_unsubscribe (synod_ctx_t *ctx, void *arg)
{
    return synod_unsubscribe (ctx, (const char *) arg);
}

static mh_verdict_t s_count_copies (void *arg, const mh_passing_t *passing)
{
    *(uint32_t *) arg += passing->topic && strcmp (passing->from, "a") == 0 && passing->size > 5 &&
                         memcmp (passing->data, SYNOD_TOPIC_TAP, 5) == 0;
    return MH_PASS;
}

static void test_tap (void **state)
{
    uint32_t copies = 0;
    s_pair_t pair = s_pair (state);
    mh_node_t *sniffer = mh_up (pair.world, "s", &s_sniffer, "a");
    assert_true (mh_joined (pair.world, 2000));
    s_ntapped = 0;
    assert_int_equal (tell (pair.a, "a/probe", 1), SYNOD_OK); /* within a node: no broker sees that */
    mh_run (pair.world, 50);
    assert_int_equal (s_ntapped, 0);
    assert_int_equal (mh_step (sniffer, &s_sniffer, s_do_subscribe, (void *) SYNOD_TOPIC_TAP), SYNOD_OK);
    mh_run (pair.world, 50);
    assert_int_equal (tell (pair.a, "a/probe", 1), SYNOD_OK);
    if (!*(bool *) *state)
        assert_int_equal (tell (pair.b, "a/probe", 1), SYNOD_OK);
    mh_run (pair.world, 50);
    assert_int_equal (s_ntapped, *(bool *) *state ? 1 : 2);
    assert_int_equal (mh_step (sniffer, &s_sniffer, s_do_unsubscribe, (void *) SYNOD_TOPIC_TAP), SYNOD_OK);
    mh_run (pair.world, 50);
    mh_filter (pair.world, s_count_copies, &copies);
    assert_int_equal (tell (pair.a, "a/probe", 1), SYNOD_OK);
    mh_run (pair.world, 50);
    assert_int_equal (copies, 0); /* none is even made */
    assert_int_equal (s_ntapped, *(bool *) *state ? 1 : 2);
    assert_int_equal (seen_.notes, *(bool *) *state ? 3 : 4);
    mh_destroy (&pair.world);
}

static void test_drops (void **state)
{
    s_pair_t pair = s_pair (state);
    mh_node_t *sniffer = mh_up (pair.world, "s", &s_sniffer, "a");
    assert_true (mh_joined (pair.world, 2000));
    assert_int_equal (mh_step (sniffer, &s_sniffer, s_do_subscribe, (void *) SYNOD_TOPIC_DROP), SYNOD_OK);
    mh_run (pair.world, 500);
    s_ndrops = 0;
    for (int i = 0; i < 5; i++)
        assert_int_equal (tell (pair.a, "nothing", i), SYNOD_OK);
    mh_run (pair.world, 500);
    assert_int_equal (s_ndrops, 5);
    assert_string_equal (s_drop_text, "a|nothing|nobody is reachable at that address");
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
        BOTH (test_patterns),     BOTH (test_ready),   BOTH (test_echo_lost), BOTH (test_echo_dead), BOTH (test_gaps),
        BOTH (test_gap_of_lives), BOTH (test_blocked), BOTH (test_tap),       BOTH (test_drops),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
