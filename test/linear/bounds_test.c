/* SPDX-License-Identifier: MPL-2.0
 *
 * How far a check goes: bounds and the honest unknown, operations in flight beyond one word of bits, lost outcomes that
 * pile up. Where a rule of the search keeps it short, the steps it takes are counted.
 */
#include "check.h"

#define MIB ((size_t) 1024 * 1024)

typedef struct {
    synod_history_t *history;
    int64_t now_us;
} world_t;

static world_t s_world (const synod_model_t *model)
{
    world_t world = {.history = synod_history_new (model, 0)};
    assert_non_null (world.history);
    return world;
}

static void s_call (world_t *world, uint32_t client, const char *key, uint32_t operation, int64_t a, int64_t b)
{
    int rc = synod_history_invoke (world->history, world->now_us++, client, synod_str (key), operation, a, b);
    if (rc != SYNOD_OK)
        fail_msg ("%s", synod_history_error (world->history));
}

static void s_done (world_t *world, uint32_t client, int64_t a)
{
    assert_int_equal (synod_history_complete (world->history, world->now_us++, client, a, 0), SYNOD_OK);
}

static void s_one (world_t *world, uint32_t client, uint32_t operation, int64_t a, int64_t answer)
{
    s_call (world, client, "x", operation, a, 0);
    s_done (world, client, answer);
}

static void s_lost (world_t *world, uint32_t client, uint32_t operation, int64_t a, int64_t b)
{
    s_call (world, client, "x", operation, a, b);
    assert_int_equal (synod_history_unknown (world->history, world->now_us++, client), SYNOD_OK);
}

/* Which of 40 lost adds happened: any sum of them can come about, but not this one. */
static world_t s_hard (const char *also)
{
    world_t world = s_world (&synod_counter_model);
    for (int i = 0; i < 40; i++)
        s_lost (&world, 1, SYNOD_COUNTER_ADD, (int64_t) 1 << (i + 1), 0);
    s_one (&world, 2, SYNOD_COUNTER_READ, 0, 1);
    if (also) {
        s_call (&world, 3, also, SYNOD_COUNTER_READ, 0, 0);
        s_done (&world, 3, 7);
    }
    return world;
}

static void steps_are_bounded (void **state)
{
    (void) state;
    world_t world = s_hard (NULL);
    synod_linear_bounds_t bounds = {.steps = 20000};
    synod_linear_t result, again;
    check_verdict (world.history, &bounds, SYNOD_LINEAR_UNKNOWN, &result, "hard");
    assert_string_equal (result.why, "the bound on steps was reached");
    assert_int_equal (result.unknown_keys, 1);
    assert_int_equal (result.key, 0);
    assert_int_equal (result.operations, 1);
    assert_in_range (result.steps, 20000, 20200);
    check_verdict (world.history, &bounds, SYNOD_LINEAR_UNKNOWN, &again, "hard");
    assert_int_equal (again.steps, result.steps);
    assert_int_equal (again.configurations, result.configurations);

    synod_buf_t out = {0};
    assert_int_equal (synod_linear_explain (world.history, &result, &out), SYNOD_OK);
    assert_non_null (strstr (check_text (&out), "not known: the bound on steps was reached; 1 of 1 keys"));
    synod_buf_free (&out);
    synod_linear_free (&again);
    synod_linear_free (&result);
    synod_history_destroy (&world.history);
}

static void memory_is_bounded (void **state)
{
    (void) state;
    world_t world = s_hard (NULL);
    for (size_t memory = 2 * MIB; memory <= 32 * MIB; memory *= 4) {
        synod_linear_bounds_t bounds = {.steps = UINT64_MAX, .memory = memory};
        synod_linear_t result;
        check_verdict (world.history, &bounds, SYNOD_LINEAR_UNKNOWN, &result, "hard");
        assert_string_equal (result.why, "the bound on memory was reached");
        assert_in_range (result.memory, memory / 4, memory);
        synod_linear_free (&result);
    }
    /* not even the operations themselves have room */
    synod_linear_bounds_t least = {.memory = 1};
    world_t large = s_world (&synod_register_model);
    synod_linear_t result;
    for (int i = 0; i < 40000; i++)
        s_one (&large, 1, SYNOD_REGISTER_WRITE, i, 0);
    check_verdict (large.history, &least, SYNOD_LINEAR_UNKNOWN, &result, "large");
    assert_string_equal (result.why, "the bound on memory was reached");
    assert_true (result.memory <= 2 * MIB);
    synod_linear_free (&result);
    synod_history_destroy (&large.history);
    synod_history_destroy (&world.history);
}

static bool s_count_down (void *arg)
{
    return --*(int *) arg > 0;
}

static void the_caller_can_stop_it (void **state)
{
    (void) state;
    world_t world = s_hard ("y");
    int left = 3;
    synod_linear_bounds_t bounds = {.steps = UINT64_MAX, .go_on = s_count_down, .arg = &left};
    synod_linear_t result;
    check_verdict (world.history, &bounds, SYNOD_LINEAR_UNKNOWN, &result, "hard");
    assert_string_equal (result.why, "the caller stopped it");
    assert_int_equal (left, 0);
    assert_int_equal (result.unknown_keys, 2); /* the second was not looked at */
    assert_in_range (result.steps, 3 * 4096, 4 * 4096);
    synod_linear_free (&result);
    synod_history_destroy (&world.history);
}

static void no_counts_more_than_unknown (void **state)
{
    (void) state;
    world_t world = s_hard ("y");
    synod_linear_bounds_t bounds = {.steps = 20000};
    synod_linear_t result;
    check_verdict (world.history, &bounds, SYNOD_LINEAR_NO, &result, "second key");
    assert_int_equal (result.key, 1);
    assert_null (result.why);
    assert_int_equal (result.unknown_keys, 1);
    synod_linear_free (&result);
    synod_history_destroy (&world.history);
}

static void cut_off_is_no_yes (void **state)
{
    (void) state;
    synod_linear_t result;
    world_t world = {.history = synod_history_new (&synod_register_model, 2)};
    s_one (&world, 1, SYNOD_REGISTER_WRITE, 1, 0);
    s_call (&world, 1, "x", SYNOD_REGISTER_WRITE, 2, 0);
    check_verdict (world.history, NULL, SYNOD_LINEAR_YES, &result, "whole");
    synod_linear_free (&result);
    assert_int_equal (synod_history_invoke (world.history, 9, 2, synod_str ("x"), SYNOD_REGISTER_READ, 0, 0),
                      SYNOD_FULL);
    check_verdict (world.history, NULL, SYNOD_LINEAR_UNKNOWN, &result, "cut off");
    assert_string_equal (result.why, "the history was cut off; what there is of it is linearizable");
    assert_int_equal (result.key, UINT32_MAX);
    synod_linear_free (&result);
    synod_history_destroy (&world.history);
}

/* COUNT adds of 1 under way at once, and their answers all different (or one given twice). */
static world_t s_adds_at_once (uint32_t count, bool twice)
{
    world_t world = s_world (&synod_counter_model);
    for (uint32_t i = 0; i < count; i++)
        s_call (&world, i, "x", SYNOD_COUNTER_ADD, 1, 0);
    for (uint32_t i = 0; i < count; i++)
        s_done (&world, i, twice && i == count / 2 ? 1 : count - i);
    return world;
}

static void many_at_once (void **state)
{
    (void) state;
    for (uint32_t count = 60; count <= 700; count += 128) {
        synod_linear_t result;
        world_t right = s_adds_at_once (count, false), wrong = s_adds_at_once (count, true);
        check_verdict (right.history, NULL, SYNOD_LINEAR_YES, &result, "adds at once");
        synod_linear_free (&result);
        check_verdict (wrong.history, NULL, SYNOD_LINEAR_NO, &result, "two adds with one answer");
        check_prefix (wrong.history, &result, "two adds with one answer");
        synod_linear_free (&result);
        synod_history_destroy (&right.history);
        synod_history_destroy (&wrong.history);
    }
}

/* One operation is under way while COUNT others come and go: it has to fit after the number AT. */
static void one_lasts_long (void **state)
{
    (void) state;
    const int count = 500;
    for (int at = -1; at <= count; at += 100) {
        world_t world = s_world (&synod_register_model);
        synod_linear_t result;
        s_call (&world, 9, "x", SYNOD_REGISTER_CAS, at, 1000);
        for (int i = 0; i < count; i++) {
            s_one (&world, 1, SYNOD_REGISTER_WRITE, i, 0);
            s_one (&world, 2, SYNOD_REGISTER_READ, 0, i == at ? 1000 : i);
        }
        s_done (&world, 9, 1);
        bool fits = at >= 0 && at < count;
        check_verdict (world.history, NULL, fits ? SYNOD_LINEAR_YES : SYNOD_LINEAR_NO, &result, "a long cas");
        synod_linear_free (&result);
        synod_history_destroy (&world.history);
    }
}

/* Lost writes, each of its own value, stay open for ever; some of them happen late. */
static void lost_writes_pile_up (void **state)
{
    (void) state;
    world_t world = s_world (&synod_register_model);
    synod_linear_bounds_t bounds = {.steps = 20000000};
    synod_linear_t result;
    const int count = 250;
    for (int i = 0; i < count; i++) {
        s_lost (&world, 1, SYNOD_REGISTER_WRITE, 1000 + i, 0);
        s_one (&world, 2, SYNOD_REGISTER_WRITE, i, 0);
        s_one (&world, 3, SYNOD_REGISTER_READ, 0, i % 5 == 4 ? 1000 + i - 3 : i);
    }
    check_verdict (world.history, &bounds, SYNOD_LINEAR_YES, &result, "lost writes");
    assert_true (result.configurations < 30000);
    synod_linear_free (&result);
    s_one (&world, 3, SYNOD_REGISTER_READ, 0, 1001); /* again: that one was used up */
    check_verdict (world.history, &bounds, SYNOD_LINEAR_NO, &result, "a lost write twice");
    check_prefix (world.history, &result, "a lost write twice");
    synod_linear_free (&result);
    synod_history_destroy (&world.history);
}

/* Lost operations that are alike count, not which of them. */
static void lost_adds_pile_up (void **state)
{
    (void) state;
    world_t world = s_world (&synod_counter_model);
    synod_linear_bounds_t bounds = {.steps = 1000000};
    synod_linear_t result;
    const int count = 300;
    for (int i = 0; i < count; i++)
        s_lost (&world, 1, SYNOD_COUNTER_ADD, 2, 0);
    for (int i = 0; i < count; i++)
        s_one (&world, 2, SYNOD_COUNTER_READ, 0, i / 2 * 2);
    check_verdict (world.history, &bounds, SYNOD_LINEAR_YES, &result, "lost adds");
    synod_linear_free (&result);
    s_one (&world, 2, SYNOD_COUNTER_READ, 0, count * 2 + 2);
    check_verdict (world.history, &bounds, SYNOD_LINEAR_NO, &result, "one more than were lost");
    check_prefix (world.history, &result, "one more than were lost");
    synod_linear_free (&result);
    synod_history_destroy (&world.history);
}

/* What was lost and only reads is no burden at all; a lost cas that can do nothing neither. */
static void lost_reads_cost_nothing (void **state)
{
    (void) state;
    world_t world = s_world (&synod_register_model);
    synod_linear_t result;
    for (int i = 0; i < 1000; i++) {
        s_lost (&world, 1, SYNOD_REGISTER_READ, 0, 0);
        s_one (&world, 2, SYNOD_REGISTER_WRITE, i, 0);
    }
    check_verdict (world.history, NULL, SYNOD_LINEAR_YES, &result, "lost reads");
    assert_true (result.steps <= 2000);
    synod_linear_free (&result);
    s_lost (&world, 1, SYNOD_REGISTER_CAS, -1, 5);
    s_one (&world, 2, SYNOD_REGISTER_READ, 0, 5);
    check_verdict (world.history, NULL, SYNOD_LINEAR_NO, &result, "a lost cas");
    check_prefix (world.history, &result, "a lost cas");
    synod_linear_free (&result);
    synod_history_destroy (&world.history);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (steps_are_bounded),      cmocka_unit_test (memory_is_bounded),
        cmocka_unit_test (the_caller_can_stop_it), cmocka_unit_test (no_counts_more_than_unknown),
        cmocka_unit_test (cut_off_is_no_yes),      cmocka_unit_test (many_at_once),
        cmocka_unit_test (one_lasts_long),         cmocka_unit_test (lost_writes_pile_up),
        cmocka_unit_test (lost_adds_pile_up),      cmocka_unit_test (lost_reads_cost_nothing),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
