/* SPDX-License-Identifier: MPL-2.0
 *
 * Leaving: who left is out of the directory, and still answers what it has, until it is gone.
 */
#include "routing_test.h"

static const char *const s_w[] = {"w", NULL};

/* w watches; h will leave. */
static void s_begin (world_t *world)
{
    static const char *const echo[] = {"echo", NULL};
    world_begin (world, 100);
    hello (world, "w", 1, (hello_t){.directory = true});
    hello (world, "h", 1, (hello_t){.actors = echo});
    world_pass (world, 20 * MS, s_w);
    forget (world);
}

static uint32_t s_members (world_t *world)
{
    return synod__routing_stats (world->routing).members;
}

/* The next frame to w that is no heartbeat is left for who takes it. */
static sent_t *s_pass_heartbeats (world_t *world)
{
    sent_t *sent;
    while ((sent = take (world, "w", 1)) && synod_str_is (sent->envelope.method, "heartbeat"))
        ;
    if (sent)
        sent->taken = false;
    return sent;
}

static void one_that_left_may_still_send (void **state)
{
    world_t *world = (world_t *) *state;
    s_begin (world);
    post_method (world, "h", 1, "$broker", SYNOD_KIND_TELL, "leave", 0);
    take_method (world, "h", 1, "left");
    told_gone (world, "w", "h", 1, "left", NULL);
    post_method (world, "w", 1, "h/echo", SYNOD_KIND_TELL, "hi", 0);
    take_method (world, "w", 1, "returned");
    post_method (world, "h", 1, "w/x", SYNOD_KIND_REPLY, "x", 4);
    assert_true (take (world, "w", 1)->forwarded);
    assert_int_equal (s_members (world), 2);
    hello (world, "h", 2, (hello_t){0}); /* its name is free */
    take_method (world, "h", 2, "welcome");
    make_unreachable (world, "h", 1, true);
    world_pass (world, 10500 * MS, (const char *const[]){"w", NULL});
    assert_int_equal (s_members (world), 1);
}

/* Who left may still owe answers: that it died is news, within a heartbeat, to those who had it in their directory. */
static void one_that_left_and_died_is_told_of (void **state)
{
    world_t *world = (world_t *) *state;
    s_begin (world);
    post_method (world, "h", 1, "$broker", SYNOD_KIND_TELL, "leave", 0);
    told_gone (world, "w", "h", 1, "left", NULL);
    world_pass (world, 5000 * MS, s_w); /* it may take long over it */
    assert_null (s_pass_heartbeats (world));
    assert_int_equal (s_members (world), 2);
    make_unreachable (world, "h", 1, true);
    hello (world, "h", 2, (hello_t){0}); /* another life of it is not meant */
    world_pass (world, 20 * MS, NULL);
    take_method (world, "w", 1, "delta");
    world_pass (world, 1300 * MS, s_w);
    assert_non_null (s_pass_heartbeats (world));
    told_gone (world, "w", "h", 1, "unreachable", NULL);
    assert_int_equal (s_members (world), 2);
}

/* Nobody knew of a client. */
static void client_that_left_is_no_news (void **state)
{
    world_t *world = (world_t *) *state;
    s_begin (world);
    hello (world, "c", 1, (hello_t){.client = true});
    post_method (world, "c", 1, "$broker", SYNOD_KIND_TELL, "leave", 0);
    make_unreachable (world, "c", 1, true);
    world_pass (world, 10500 * MS, (const char *const[]){"w", "h", NULL});
    assert_null (s_pass_heartbeats (world));
    assert_int_equal (s_members (world), 2);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST (one_that_left_may_still_send),
        WORLD_TEST (one_that_left_and_died_is_told_of),
        WORLD_TEST (client_that_left_is_no_news),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
