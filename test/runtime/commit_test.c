/* SPDX-License-Identifier: MPL-2.0
 *
 * When a turn's writes are committed, and what waits for that: mail within the node does not, nor what was said before
 * anything was written, nor by who has seen nothing of it; what a handler calls lazy is committed with something else, or
 * soon, or when its actor says something else, and then its messages leave.
 */
#include "lone_actor.h"
#include "lone_host.h"

static lone_t lone;

static int s_setup (void **state)
{
    (void) state;
    lone_new (&lone);
    lone.beside = &lone_other;
    lone_start (&lone, &lone_tally, 10);
    lone_directory (&lone, "peer", 7, "main");
    lone_clear (&lone);
    return 0;
}

static int s_teardown (void **state)
{
    (void) state;
    lone_end (&lone);
    return 0;
}

/* Four handlers, each told by the one before: one commit, and nothing leaves before it. */
static void test_one_commit_for_what_follows (void **state)
{
    (void) state;
    lone_ask (&lone, "hop", 1, 0, 0, 0, 3);
    assert_string_equal (lone.log, "wwwwcf");
    assert_string_equal (lone_only (&lone)->method, "told");
}

/* One that goes on for ever does not keep the turn from its end. */
static void test_a_turn_ends (void **state)
{
    (void) state;
    lone_ask (&lone, "hop", 1, 0, 0, 0, 60);
    assert_non_null (strchr (lone.log, 'c'));
    assert_int_equal (lone.nmail, 0);
    lone_run (&lone, 1);
    assert_int_equal (lone.nmail, 1);
}

/* What was answered before anything was written leaves before the commit; what comes after it waits. */
static void test_said_before (void **state)
{
    (void) state;
    lone_begin (&lone);
    lone_add (&lone, "get", 1, 0, 0, 0, 0);
    lone_add (&lone, "put", 2, 0, 0, 0, 5);
    lone_add (&lone, "get", 3, 0, 0, 0, 0);
    lone_in (&lone);
    assert_string_equal (lone.log, "w");
    lone_turn (&lone);
    assert_string_equal (lone.log, "wfcf");
    assert_int_equal (lone.nmail, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal (lone.mail[i].id, i + 1);
    assert_int_equal (lone.mail[2].value, 5);
}

/* Who has seen nothing of what was written says so at once; who has, waits. */
static void test_untied (void **state)
{
    (void) state;
    lone_begin (&lone);
    lone_add (&lone, "put", 1, 0, 0, 0, 5);
    lone_add (&lone, "get", 2, 0, 0, 0, 0);
    lone_to (&lone, "other");
    lone_add (&lone, "get", 3, 0, 0, 0, 0);
    lone_in (&lone);
    lone_turn (&lone);
    assert_string_equal (lone.log, "wfcf");
    assert_int_equal (lone.nmail, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal (lone.mail[i].id, i ? i : 3);
        assert_int_equal (lone.mail[i].early, i == 0);
    }
    lone_clear (&lone);
    lone_begin (&lone); /* that was then */
    lone_to (&lone, "other");
    lone_add (&lone, "put", 4, 0, 0, 0, 6);
    lone_to (&lone, "tally");
    lone_add (&lone, "get", 5, 0, 0, 0, 0);
    lone_in (&lone);
    lone_turn (&lone);
    assert_int_equal (lone.nmail, 2);
    assert_true (lone.mail[0].id == 5 && lone.mail[0].early && lone.mail[0].value == 5);
}

/* A turn has reason to go on while something leaves that others may answer, and something else waits. */
static void test_goes_on (void **state)
{
    (void) state;
    lone_begin (&lone);
    lone_add (&lone, "put", 1, 0, 0, 0, 5);
    lone_in (&lone);
    assert_false (synod__rt_turn_more (lone.rt)); /* nothing leaves */
    lone_turn (&lone);
    lone_clear (&lone);
    lone_begin (&lone);
    lone_add (&lone, "get", 2, 0, 0, 0, 0);
    lone_in (&lone);
    assert_false (synod__rt_turn_more (lone.rt)); /* nothing waits */
    lone_turn (&lone);
    lone_clear (&lone);
    lone_begin (&lone);
    lone_add (&lone, "put", 3, 0, 0, 0, 5);
    lone_to (&lone, "other");
    lone_add (&lone, "get", 4, 0, 0, 0, 0);
    lone_in (&lone);
    assert_true (synod__rt_turn_more (lone.rt));
    assert_string_equal (lone.log, "wf");
    assert_int_equal (lone_only (&lone)->id, 4);
    assert_false (synod__rt_turn_more (lone.rt)); /* it has left */
    lone_turn (&lone);
    assert_string_equal (lone.log, "wfcf");
}

/* Who was told by one that wrote has seen it too. */
static void test_tied_by_mail (void **state)
{
    (void) state;
    lone_begin (&lone);
    lone_add (&lone, "pass", 1, 0, 0, 0, -5);
    lone_in (&lone);
    lone_turn (&lone);
    assert_int_equal (lone_only (&lone)->value, -5);
    assert_false (lone_only (&lone)->early);
}

/* What one says comes in its order, what the framework says in its name too. */
static void test_order_of_one (void **state)
{
    (void) state;
    lone_begin (&lone);
    lone_to (&lone, "other");
    lone_add (&lone, "put", 1, 0, 0, 0, 5);
    lone_to (&lone, "tally");
    lone_add (&lone, "fail", 2, 0, 0, 0, 0);
    lone_add (&lone, "get", 3, 0, 0, 0, 0);
    lone_in (&lone);
    lone_turn (&lone);
    assert_int_equal (lone.nmail, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal (lone.mail[i].id, i + 1);
}

/* Within the node too, whether or not it wrote meanwhile. */
static void test_order_within (void **state)
{
    (void) state;
    for (int round = 0; round < 3; round++) {
        lone_begin (&lone); /* another order of boxes, which are used again */
        lone_add (&lone, "hop", 1, 0, 0, 0, 1);
        lone_add (&lone, "pass", 1, 0, 0, 0, -1);
        lone_in (&lone);
        lone_turn (&lone);
        lone_clear (&lone);
        lone_begin (&lone);
        lone_add (&lone, "pass", 1, 0, 0, 0, 1);
        lone_add (&lone, "pass", 2, 0, 0, 0, -2);
        lone_in (&lone);
        lone_turn (&lone);
        assert_int_equal (lone.nmail, 2);
        assert_true (lone.mail[0].value == 1 && lone.mail[1].value == -2);
    }
}

/* What is lazy is durable soon, and only then is it told. */
static void test_lazy (void **state)
{
    (void) state;
    lone_ask (&lone, "lazy", 1, 0, 0, 0, 5);
    assert_string_equal (lone.log, "w");
    lone_run (&lone, 20);
    assert_string_equal (lone.log, "wcf");
    assert_string_equal (lone_only (&lone)->method, "told");
    lone_clear (&lone);
    lone_ask (&lone, "get", 2, 0, 0, 0, 0);
    lone_run (&lone, 20);
    assert_string_equal (lone.log, "f");
}

/* Who has seen it says so when it is durable, be it by an answer, an error, or mail within the node. */
static void test_lazy_seen (void **state)
{
    (void) state;
    static const char *says[] = {"get", "fail", "pass"};
    for (uint32_t i = 0; i < sizeof says / sizeof *says; i++) {
        lone_ask (&lone, "lazy", 1, 0, 0, 0, (int64_t) i);
        assert_string_equal (lone.log, "w");
        lone_begin (&lone);
        lone_add (&lone, says[i], 2, 0, 0, 0, 7);
        lone_in (&lone);
        lone_turn (&lone);
        assert_int_equal (strncmp (lone.log, "wcf", 3), 0);
        assert_int_equal (lone.nmail, 2);
        assert_false (lone.mail[0].early || lone.mail[1].early);
        lone_clear (&lone);
    }
    lone_ask (&lone, "lazy", 1, 0, 0, 0, 5);
    lone_begin (&lone);
    lone_to (&lone, "other"); /* has not */
    lone_add (&lone, "get", 2, 0, 0, 0, 0);
    lone_in (&lone);
    lone_turn (&lone);
    assert_string_equal (lone.log, "wf");
    assert_int_equal (lone_only (&lone)->value, -1);
}

/* Nobody need see it. */
static void test_lazy_secret (void **state)
{
    (void) state;
    lone_ask (&lone, "lazy", 1, 0, 0, 0, 105);
    lone_ask (&lone, "get", 2, 0, 0, 0, 0);
    assert_string_equal (lone.log, "wf");
    lone_run (&lone, 20);
    assert_string_equal (lone.log, "wfcf");
}

/* A commit that something else waits for is theirs too, and they are told in their order. */
static void test_lazy_together (void **state)
{
    (void) state;
    lone_ask (&lone, "lazy", 1, 0, 0, 0, 5);
    lone_ask (&lone, "lazy", 2, 0, 0, 0, 6);
    lone_ask (&lone, "put", 3, 0, 0, 0, 7);
    assert_int_equal (strspn (lone.log, "w"), 3);
    assert_int_equal (strspn (lone.log + 3, "c"), 1);
    assert_null (strchr (lone.log + 4, 'c'));
    assert_int_equal (lone.nmail, 3);
    int64_t told[2] = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < 3; i++)
        if (lone.mail[i].kind == SYNOD_KIND_TELL && count < 2)
            told[count++] = lone.mail[i].value;
    assert_int_equal (count, 2);
    assert_true (told[0] == 5 && told[1] == 6);
}

/* Whoever waits for an answer is not made to wait for longer. */
static void test_lazy_but_awaited (void **state)
{
    (void) state;
    lone_ask (&lone, "lazy", 1, 0, 0, 0, -5);
    assert_int_equal (strncmp (lone.log, "wcf", 3), 0);
    assert_int_equal (lone.nmail, 2);
}

/* Lost in a crash it was never told. */
static void test_lazy_lost (void **state)
{
    (void) state;
    lone_ask (&lone, "put", 1, 0, 0, 0, 4);
    lone_clear (&lone);
    lone_ask (&lone, "lazy", 2, 0, 0, 0, 5);
    assert_int_equal (lone.nmail, 0);
    lone_crash (&lone);
    lone_start (&lone, &lone_tally, 11);
    lone_clear (&lone);
    lone_ask (&lone, "get", 3, 0, 0, 0, 0);
    assert_int_equal (lone_only (&lone)->value, 4);
}

#define S_TEST(function) cmocka_unit_test_setup_teardown (function, s_setup, s_teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {S_TEST (test_one_commit_for_what_follows),
                                       S_TEST (test_a_turn_ends),
                                       S_TEST (test_said_before),
                                       S_TEST (test_untied),
                                       S_TEST (test_goes_on),
                                       S_TEST (test_tied_by_mail),
                                       S_TEST (test_order_of_one),
                                       S_TEST (test_order_within),
                                       S_TEST (test_lazy),
                                       S_TEST (test_lazy_seen),
                                       S_TEST (test_lazy_secret),
                                       S_TEST (test_lazy_together),
                                       S_TEST (test_lazy_but_awaited),
                                       S_TEST (test_lazy_lost)};
    return cmocka_run_group_tests_name ("commits", tests, NULL, NULL);
}
