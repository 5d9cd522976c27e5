/* SPDX-License-Identifier: MPL-2.0
 *
 * Life with a broker: the directory as told in pieces and changes, a broker that starts anew or falls silent, names.
 */
#include "check.h"

static mh_t *s_world (void)
{
    mh_t *world = mh_new (3, true);
    mh_settings (world)->loud = getenv ("LOUD") != NULL;
    seen_new ();
    return world;
}

static bool s_knows (mh_node_t *node, const char *other)
{
    char address[100];
    snprintf (address, sizeof address, "%s/$node", other);
    return synod__rt_reachable (mh_rt (node), address);
}

static void test_directory (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_node_t *b = mh_up (world, "b", &server, NULL);
    assert_true (mh_joined (world, 1000));
    mh_node_t *c = mh_up (world, "c", &server, NULL); /* told as a change to a and b, as a whole to c */
    assert_true (mh_joined (world, 1000));
    assert_true (s_knows (a, "c") && s_knows (b, "c") && s_knows (c, "a") && s_knows (c, "b"));
    assert_int_equal (monitor (a, "c"), SYNOD_OK);
    assert_int_equal (ask (a, "c/server", "never", 1, 0, 20000, 1), SYNOD_OK);
    mh_run (world, 10);
    mh_kill (c);
    mh_run (world, 600);
    assert_false (s_knows (a, "c"));
    assert_int_equal (seen_.downs, 1);
    assert_string_equal (seen_.reason, "unreachable"); /* the broker saw that its connection is gone */
    assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
    mh_destroy (&world);
}

/* A new life of a node before the old one was missed: what waits on the old one ends. */
static void test_replaced (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_node_t *b = mh_up (world, "b", &server, NULL);
    assert_true (mh_joined (world, 1000));
    assert_int_equal (monitor (a, "b"), SYNOD_OK);
    assert_int_equal (ask (a, "b/server", "never", 1, 0, 20000, 1), SYNOD_OK);
    mh_run (world, 10);
    mh_kill (b);
    mh_up (world, "b", &server, NULL);
    mh_run (world, 400);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
    assert_int_equal (seen_.downs, 1);
    assert_true (mh_joined (world, 1000));
    for (int i = 0; i < 3; i++) {
        assert_int_equal (ask (a, "b/server", "add", 1, 1, 0, 0), SYNOD_OK);
        mh_run (world, 200);
        assert_int_equal (seen_.code, SYNOD_OK);
    }
    assert_int_equal (synod__rt_stats (mh_rt (a)).dropped, 0);
    mh_destroy (&world);
}

static void test_name_taken (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    assert_true (mh_joined (world, 1000));
    mh_node_t *other = mh_up (world, "a2=a", &server, NULL);
    mh_run (world, 1000);
    assert_true (mh_ended (other));
    assert_int_equal (synod__rt_fault (mh_rt (other))->code, SYNOD_NAME_TAKEN);
    assert_int_equal (synod__rt_state (mh_rt (a)), SYNOD__RT_UP);
    mh_destroy (&world);
}

static mh_verdict_t s_lose_mail (void *arg, const mh_passing_t *passing)
{
    (void) passing;
    return *(bool *) arg && !passing->topic ? MH_DROP : MH_PASS;
}

/* A broker that starts anew knows nobody: nobody is taken for gone because of that, and who does not come back is. */
static void test_broker_restart (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_node_t *b = mh_up (world, "b", &server, NULL);
    mh_node_t *c = mh_up (world, "c", &server, NULL);
    assert_true (mh_joined (world, 1000));
    assert_int_equal (monitor (a, "b"), SYNOD_OK);
    assert_int_equal (monitor (a, "c"), SYNOD_OK);
    assert_int_equal (subscribe (a, "news"), SYNOD_OK);
    assert_int_equal (ask (a, "b/server", "later", 50, 0, 20000, 1), SYNOD_OK);
    mh_run (world, 10);
    mh_broker_kill (world);
    mh_kill (c);
    mh_run (world, 20);
    mh_broker_restart (world);
    for (int i = 0; i < 150; i++) {
        mh_run (world, 1);
        assert_true (s_knows (a, "b"));
        assert_true (i > 100 || s_knows (a, "c"));
    }
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.code, SYNOD_OK); /* the broker was back before it counted as gone */
    mh_run (world, 1000);
    assert_false (s_knows (a, "c"));
    assert_true (s_knows (a, "b"));
    assert_int_equal (seen_.downs, 1);
    assert_string_equal (seen_.who, "c");
    seen_.notes = 0;
    assert_int_equal (publish (a, "news", 1), SYNOD_OK);
    mh_run (world, 10);
    assert_int_equal (seen_.notes, 1); /* subscriptions stay */
    assert_int_equal (ask (a, "server", "add", 1, 1, 0, 0), SYNOD_OK);
    mh_run (world, 10);
    assert_int_equal (seen_.code, SYNOD_OK);
    assert_int_equal (synod__rt_stats (mh_rt (b)).malformed, 0);
    mh_destroy (&world);
}

static void test_broker_silent (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_up (world, "b", &server, NULL);
    assert_true (mh_joined (world, 1000));
    bool lose = true;
    assert_int_equal (ask (a, "b/server", "later", 50, 0, 20000, 1), SYNOD_OK);
    mh_run (world, 10);
    mh_filter (world, s_lose_mail, &lose);
    uint32_t one = 1;
    int64_t start_us = mh_now_us (world);
    assert_true (mh_until (world, replied, &one, 20000));
    assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
    assert_in_range (mh_now_us (world) - start_us, 200000, 450000);
    mh_run (world, 1000);
    lose = false;
    mh_run (world, 500); /* the broker has to hear of both again */
    assert_true (mh_joined (world, 1000));
    assert_int_equal (ask (a, "b/server", "add", 1, 1, 0, 0), SYNOD_OK);
    mh_run (world, 10);
    assert_int_equal (seen_.code, SYNOD_OK);
    mh_destroy (&world);
}

static mh_verdict_t s_lose_hello (void *arg, const mh_passing_t *passing)
{
    static const char hello[] = "hello";
    return *(bool *) arg && memmem (passing->data, passing->size, hello, sizeof hello - 1) ? MH_DROP : MH_PASS;
}

/* A broker that started anew and has not heard this node's hello sends its mail back: asks end, and are not late. */
static void test_unknown_to_the_broker (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_up (world, "b", &server, NULL);
    assert_true (mh_joined (world, 1000));
    bool lose = true;
    mh_filter (world, s_lose_hello, &lose);
    mh_broker_restart (world);
    mh_run (world, 5);
    assert_int_equal (ask (a, "b/server", "add", 1, 1, 20000, 0), SYNOD_OK);
    assert_int_equal (tell (a, "b/server", 1), SYNOD_OK);
    uint32_t one = 1;
    assert_true (mh_until (world, replied, &one, 10));
    assert_int_equal (seen_.code, SYNOD_NO_ROUTE);
    assert_int_equal (seen_.handled, 0);
    assert_int_equal (synod__rt_stats (mh_rt (a)).dropped, 1); /* the tell */
    lose = false;
    mh_run (world, 500);
    assert_int_equal (ask (a, "b/server", "add", 1, 1, 0, 0), SYNOD_OK);
    mh_run (world, 10);
    assert_int_equal (seen_.code, SYNOD_OK);
    mh_destroy (&world);
}

static mh_verdict_t s_mail_after_hello (void *arg, const mh_passing_t *passing)
{
    static const char hello[] = "hello";
    uint32_t *frames = (uint32_t *) arg;
    if (strcmp (passing->from, "a") == 0 && strcmp (passing->to, MH_BROKER) == 0 && !passing->topic)
        assert_true ((*frames)++ > 0 || memmem (passing->data, passing->size, hello, sizeof hello - 1));
    return MH_PASS;
}

/* What waited for the broker's return goes behind the hello, and arrives. */
static void test_hello_goes_first (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_up (world, "b", &server, NULL);
    assert_true (mh_joined (world, 1000));
    mh_broker_kill (world);
    mh_run (world, 20);
    assert_int_equal (tell (a, "b/server", 1), SYNOD_OK);
    mh_run (world, 20);
    uint32_t frames = 0;
    mh_filter (world, s_mail_after_hello, &frames);
    mh_broker_restart (world);
    mh_run (world, 50);
    assert_true (frames > 1);
    mh_destroy (&world);
}

typedef struct {
    synod__rt_t *rt;
    bool up;
} s_way_t;

static int s_step_way (synod_ctx_t *ctx, void *arg)
{
    (void) ctx;
    const s_way_t *way = (const s_way_t *) arg;
    if (way->up)
        synod__rt_link_up (way->rt, SYNOD__LINK_BROKER);
    else
        synod__rt_link_down (way->rt, SYNOD__LINK_BROKER);
    return SYNOD_OK;
}

/* A socket takes mail as soon as it is connected again, before its monitor says so: what is sent then waits all the
 * same. */
static void test_nothing_goes_before_hello (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_up (world, "b", &server, NULL);
    assert_true (mh_joined (world, 1000));
    s_way_t way = {.rt = mh_rt (a)};
    uint32_t frames = 0;
    assert_int_equal (mh_step (a, &probe, s_step_way, &way), SYNOD_OK);
    mh_filter (world, s_mail_after_hello, &frames);
    assert_int_equal (tell (a, "b/server", 1), SYNOD_OK);
    mh_run (world, 30);
    assert_int_equal (frames, 0);
    way.up = true;
    assert_int_equal (mh_step (a, &probe, s_step_way, &way), SYNOD_OK);
    mh_run (world, 30);
    assert_true (frames > 1);
    assert_int_equal (seen_.notes, 1);
    mh_destroy (&world);
}

/* It left, still owed an answer, and died: whoever waits for that is told so. */
static void test_left_and_died (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_node_t *b = mh_up (world, "b", &server, NULL);
    assert_true (mh_joined (world, 1000));
    assert_int_equal (ask (a, "b/server", "later", 900, 0, 20000, 1), SYNOD_OK);
    mh_run (world, 10);
    mh_stop (b);
    mh_run (world, 300);
    assert_false (s_knows (a, "b"));
    assert_int_equal (seen_.replies, 0);
    mh_kill (b);
    uint32_t one = 1;
    assert_true (mh_until (world, replied, &one, 250));
    assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
    mh_destroy (&world);
}

/* A handle sends no heartbeats, but while it waits for an answer it does, and knows a silent broker by them. */
static void test_client_and_a_silent_broker (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_up (world, "b", &server, NULL);
    assert_true (mh_joined (world, 1000));
    mh_node_t *client = mh_node (world, "client", true, NULL);
    mh_add (client, &probe, NULL);
    assert_int_equal (mh_start (client, NULL), SYNOD_OK);
    mh_run (world, 500);
    mh_count_clear (world);
    mh_run (world, 2000);
    uint32_t of_node = mh_count (world, MH_BROKER);
    assert_in_range (of_node, 19, 21); /* b's alone: an idle client sends nothing */
    bool lose = false;
    mh_filter (world, s_lose_mail, &lose);
    /* an answer that takes long is waited for as long as the broker shows that it lives */
    assert_int_equal (ask (client, "b/server", "later", 1000, 0, 20000, 1), SYNOD_OK);
    mh_run (world, 1100);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.code, SYNOD_OK);
    for (uint32_t i = 2; i < 4; i++) { /* also the second time, when it is known to be silent */
        lose = true;
        assert_int_equal (ask (client, "b/server", "later", 50, 0, 20000, 1), SYNOD_OK);
        int64_t start_us = mh_now_us (world);
        assert_true (mh_until (world, replied, &i, 20000));
        assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
        assert_in_range (mh_now_us (world) - start_us, i == 2 ? 300000 : 0, 500000);
    }
    lose = false;
    mh_run (world, 500);
    assert_int_equal (ask (client, "b/server", "add", 1, 1, 0, 0), SYNOD_OK);
    mh_run (world, 10);
    assert_int_equal (seen_.code, SYNOD_OK);
    mh_destroy (&world);
}

static mh_node_t *s_blind (mh_t *world)
{
    mh_settings (world)->directory = false;
    mh_node_t *client = mh_node (world, "client", true, NULL);
    mh_add (client, &probe, NULL);
    assert_int_equal (mh_start (client, NULL), SYNOD_OK);
    return client;
}

/* A handle that keeps no directory: the broker finds the node. */
static void test_no_directory (void **state)
{
    (void) state;
    mh_t *world = s_world ();
    mh_up (world, "b", &server, NULL);
    mh_up (world, "c", &server, NULL);
    assert_true (mh_joined (world, 1000));
    mh_node_t *client = s_blind (world);
    mh_run (world, 10);
    assert_int_equal (synod__rt_state (mh_rt (client)), SYNOD__RT_UP);
    for (uint32_t i = 1; i <= 4; i++) {
        assert_int_equal (ask (client, "server", "add", 1, 1, 0, 0), SYNOD_OK);
        mh_run (world, 10);
        assert_int_equal (seen_.replies, i);
        assert_int_equal (seen_.code, SYNOD_OK);
    }
    assert_int_not_equal (seen_.by[0], seen_.by[1]);
    assert_int_equal (ask (client, "nothing", "add", 1, 1, 0, 0), SYNOD_OK);
    mh_run (world, 10);
    assert_int_equal (seen_.code, SYNOD_NO_ROUTE);
    assert_int_equal (ask (client, "nobody/server", "add", 1, 1, 0, 0), SYNOD_OK);
    mh_run (world, 10);
    assert_int_equal (seen_.code, SYNOD_NO_ROUTE);
    mh_destroy (&world);
}

/* What the broker passed on never comes there: the node died with it, or the way there did. */
static mh_verdict_t s_lose_one (void *arg, const mh_passing_t *passing)
{
    uint32_t *lose = (uint32_t *) arg;
    bool mail = !passing->topic && strcmp (passing->from, MH_BROKER) == 0 && strcmp (passing->to, "client") != 0;
    return mail && *lose && (*lose)-- ? MH_DROP : MH_PASS;
}

/* Who keeps no directory knows neither whom the broker chose nor, of a node that it named, that it is gone. */
static void test_lost_without_directory (void **state)
{
    (void) state;
    uint32_t lose = 0;
    mh_t *world = s_world ();
    mh_node_t *b = mh_up (world, "b", &server, NULL);
    mh_up (world, "c", &server, NULL);
    assert_true (mh_joined (world, 1000));
    mh_node_t *client = s_blind (world);
    mh_filter (world, s_lose_one, &lose);
    mh_run (world, 10);
    lose = 1;
    assert_int_equal (ask (client, "server", "safe", 1, 1, 20000, 1), SYNOD_OK);
    mh_run (world, 200); /* it may just be slow */
    assert_int_equal (lose + seen_.handled, 0);
    mh_run (world, 300);
    assert_int_equal (seen_.answered[1], 1);
    assert_int_equal (seen_.code, SYNOD_OK);
    assert_int_equal (seen_.handled, 1);
    lose = 1;
    assert_int_equal (ask (client, "server", "add", 1, 1, 1000, 2), SYNOD_OK); /* which must not be repeated */
    mh_run (world, 1100);
    assert_int_equal (seen_.answered[2], 1);
    assert_int_equal (seen_.code, SYNOD_TIMEOUT);
    /* an answer that takes long */
    seen_new ();
    assert_int_equal (ask (client, "server", "keep", 1, 0, 10000, 3), SYNOD_OK);
    mh_run (world, 9990);
    assert_int_equal (seen_.handled, 2); /* by b and c, once: they are still at it */
    assert_int_equal (seen_.replies, 0);
    mh_run (world, 110);
    assert_int_equal (seen_.answered[3], 1);
    /* a node that was named, dead with what it had: that is said when it is known */
    assert_int_equal (ask (client, "b/server", "never", 1, 0, 20000, 4), SYNOD_OK);
    assert_int_equal (ask (client, "c/server", "later", 900, 0, 20000, 5), SYNOD_OK);
    mh_run (world, 10);
    mh_kill (b);
    mh_run (world, 500);
    assert_int_equal (seen_.answered[4], 1);
    assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
    assert_int_equal (seen_.answered[5], 0);
    mh_run (world, 500);
    assert_int_equal (seen_.answered[5], 1);
    assert_int_equal (seen_.code, SYNOD_OK);
    mh_destroy (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_directory),
        cmocka_unit_test (test_replaced),
        cmocka_unit_test (test_name_taken),
        cmocka_unit_test (test_broker_restart),
        cmocka_unit_test (test_broker_silent),
        cmocka_unit_test (test_no_directory),
        cmocka_unit_test (test_lost_without_directory),
        cmocka_unit_test (test_unknown_to_the_broker),
        cmocka_unit_test (test_hello_goes_first),
        cmocka_unit_test (test_nothing_goes_before_hello),
        cmocka_unit_test (test_left_and_died),
        cmocka_unit_test (test_client_and_a_silent_broker),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
