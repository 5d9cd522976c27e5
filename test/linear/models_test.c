/* SPDX-License-Identifier: MPL-2.0
 *
 * The models one by one; what `reads` promises; and a model of one's own, a queue, with its own hash and equality.
 */
#include "check.h"

typedef struct {
    const synod_model_t *model;
    uint64_t state[SYNOD_STATE_MAX / 8];
} world_t;

static world_t s_world (const synod_model_t *model)
{
    world_t world = {.model = model};
    model->init (world.state);
    return world;
}

/* One step with OUTCOME; the state is the next one if it is allowed. */
static bool s_step (world_t *world, synod_outcome_t outcome, uint16_t operation, int64_t a, int64_t b, int64_t r,
                    int64_t q)
{
    uint64_t next[SYNOD_STATE_MAX / 8] = {0};
    synod_op_t op = {.operation = operation, .outcome = (uint16_t) outcome, .args = {a, b}, .results = {r, q}};
    bool allowed = world->model->step (world->state, &op, next);
    bool reads = world->model->reads && world->model->reads (&op);
    if (allowed && reads)
        assert_memory_equal (world->state, next, sizeof next);
    if (allowed)
        memcpy (world->state, next, sizeof next);
    return allowed;
}

static bool s_done (world_t *world, uint16_t operation, int64_t a, int64_t b, int64_t r)
{
    return s_step (world, SYNOD_OP_DONE, operation, a, b, r, 0);
}

static bool s_lost (world_t *world, uint16_t operation, int64_t a, int64_t b)
{
    return s_step (world, SYNOD_OP_UNKNOWN, operation, a, b, 0, 0);
}

static void s_is (const world_t *world, const char *words)
{
    char text[160];
    int size = world->model->print (world->state, text, sizeof text);
    assert_int_equal (size, strlen (text));
    assert_string_equal (text, words);
}

static void the_register (void **state)
{
    (void) state;
    world_t w = s_world (&synod_register_model);
    s_is (&w, "nil");
    assert_true (s_done (&w, SYNOD_REGISTER_READ, 0, 0, SYNOD_NIL));
    assert_false (s_done (&w, SYNOD_REGISTER_READ, 0, 0, 0));
    assert_true (s_done (&w, SYNOD_REGISTER_WRITE, 5, 0, 0));
    assert_true (s_done (&w, SYNOD_REGISTER_READ, 0, 0, 5));
    assert_false (s_done (&w, SYNOD_REGISTER_CAS, 5, 6, 0));
    assert_false (s_done (&w, SYNOD_REGISTER_CAS, 4, 6, 1));
    assert_false (s_done (&w, SYNOD_REGISTER_CAS, 5, 6, 2));
    assert_true (s_done (&w, SYNOD_REGISTER_CAS, 4, 6, 0));
    s_is (&w, "5");
    assert_true (s_done (&w, SYNOD_REGISTER_CAS, 5, 6, 1));
    assert_false (s_lost (&w, SYNOD_REGISTER_CAS, 5, 7));
    assert_true (s_lost (&w, SYNOD_REGISTER_CAS, 6, 7));
    assert_true (s_lost (&w, SYNOD_REGISTER_WRITE, -8, 0));
    s_is (&w, "-8");
}

static void the_counter (void **state)
{
    (void) state;
    world_t w = s_world (&synod_counter_model);
    assert_true (s_done (&w, SYNOD_COUNTER_READ, 0, 0, 0));
    assert_true (s_done (&w, SYNOD_COUNTER_ADD, 3, 0, 3));
    assert_false (s_done (&w, SYNOD_COUNTER_ADD, 3, 0, 3));
    assert_true (s_lost (&w, SYNOD_COUNTER_ADD, -5, 0));
    assert_true (s_done (&w, SYNOD_COUNTER_READ, 0, 0, -2));
    assert_true (s_done (&w, SYNOD_COUNTER_ADD, INT64_MAX, 0, INT64_MAX - 2));
    assert_true (s_done (&w, SYNOD_COUNTER_ADD, 3, 0, INT64_MIN)); /* sums wrap */
}

static void the_lock (void **state)
{
    (void) state;
    world_t w = s_world (&synod_lock_model);
    s_is (&w, "free");
    assert_false (s_done (&w, SYNOD_LOCK_ACQUIRE, 1, 0, 0));
    assert_true (s_done (&w, SYNOD_LOCK_RELEASE, 1, 0, 0));
    assert_true (s_done (&w, SYNOD_LOCK_ACQUIRE, 1, 0, 1));
    s_is (&w, "held by 1, count 1");
    assert_false (s_done (&w, SYNOD_LOCK_ACQUIRE, 1, 0, 1)); /* not re-entrant */
    assert_true (s_done (&w, SYNOD_LOCK_ACQUIRE, 1, 0, 0));
    assert_true (s_done (&w, SYNOD_LOCK_ACQUIRE, 2, 0, 0));
    assert_false (s_lost (&w, SYNOD_LOCK_ACQUIRE, 2, 0));
    assert_false (s_done (&w, SYNOD_LOCK_RELEASE, 2, 0, 1));
    assert_false (s_done (&w, SYNOD_LOCK_RELEASE, 1, 0, 0));
    assert_true (s_done (&w, SYNOD_LOCK_EXPIRE, 1, 0, 1));
    assert_true (s_lost (&w, SYNOD_LOCK_ACQUIRE, 2, 0));
    assert_true (s_done (&w, SYNOD_LOCK_RELEASE, 2, 0, 1));
    s_is (&w, "free");
}

static void the_fenced_lock (void **state)
{
    (void) state;
    world_t w = s_world (&synod_fenced_lock_model);
    assert_false (s_done (&w, SYNOD_LOCK_ACQUIRE, 1, 0, -1));
    assert_false (s_done (&w, SYNOD_LOCK_ACQUIRE, 1, 0, SYNOD_NIL));
    assert_true (s_done (&w, SYNOD_LOCK_ACQUIRE, 1, 0, 4));
    s_is (&w, "held by 1, count 1, fence 4");
    assert_true (s_done (&w, SYNOD_LOCK_RELEASE, 1, 3, 0));
    assert_false (s_done (&w, SYNOD_LOCK_RELEASE, 1, 4, 0));
    assert_false (s_done (&w, SYNOD_LOCK_RELEASE, 1, 3, 1));
    assert_true (s_done (&w, SYNOD_LOCK_RELEASE, 1, 4, 1));
    s_is (&w, "free, highest fence 4");
    assert_false (s_done (&w, SYNOD_LOCK_ACQUIRE, 2, 0, 4));
    assert_true (s_lost (&w, SYNOD_LOCK_ACQUIRE, 2, 0));
    s_is (&w, "held by 2, count 1, fence 5 or more");
    assert_false (s_done (&w, SYNOD_LOCK_EXPIRE, 2, 4, 1));
    assert_true (s_done (&w, SYNOD_LOCK_EXPIRE, 2, 9, 1)); /* so it was 9 */
    assert_false (s_done (&w, SYNOD_LOCK_ACQUIRE, 3, 0, 9));
    assert_true (s_done (&w, SYNOD_LOCK_ACQUIRE, 3, 0, INT64_MAX - 1));
    assert_false (s_done (&w, SYNOD_LOCK_RELEASE, 3, INT64_MAX, 1)); /* this one is known */
    assert_true (s_done (&w, SYNOD_LOCK_RELEASE, 3, INT64_MAX - 1, 1));
    assert_true (s_done (&w, SYNOD_LOCK_ACQUIRE, 3, 0, INT64_MAX));
    assert_true (s_done (&w, SYNOD_LOCK_RELEASE, 3, SYNOD_NIL, 1));
    assert_false (s_lost (&w, SYNOD_LOCK_ACQUIRE, 3, 0)); /* no fence is greater */
}

static void the_reentrant_lock (void **state)
{
    (void) state;
    world_t w = s_world (&synod_reentrant_lock_model);
    assert_false (s_step (&w, SYNOD_OP_DONE, SYNOD_LOCK_ACQUIRE, 1, 0, 4, 2));
    assert_true (s_step (&w, SYNOD_OP_DONE, SYNOD_LOCK_ACQUIRE, 1, 0, 4, 1));
    assert_false (s_step (&w, SYNOD_OP_DONE, SYNOD_LOCK_ACQUIRE, 1, 0, 4, 1));
    assert_false (s_step (&w, SYNOD_OP_DONE, SYNOD_LOCK_ACQUIRE, 1, 0, 5, 2));
    assert_true (s_step (&w, SYNOD_OP_DONE, SYNOD_LOCK_ACQUIRE, 1, 0, 4, 2));
    assert_false (s_step (&w, SYNOD_OP_DONE, SYNOD_LOCK_ACQUIRE, 2, 0, 5, 1));
    assert_true (s_step (&w, SYNOD_OP_DONE, SYNOD_LOCK_ACQUIRE, 2, 0, SYNOD_NIL, 0));
    assert_true (s_lost (&w, SYNOD_LOCK_RELEASE, 1, 4));
    s_is (&w, "held by 1, count 1, fence 4");
    assert_false (s_done (&w, SYNOD_LOCK_RELEASE, 1, 4, 1));
    assert_true (s_done (&w, SYNOD_LOCK_RELEASE, 1, 4, 0));
    assert_true (s_done (&w, SYNOD_LOCK_RELEASE, 1, 4, SYNOD_NIL));
    assert_true (s_lost (&w, SYNOD_LOCK_ACQUIRE, 2, 0));
    assert_true (s_step (&w, SYNOD_OP_DONE, SYNOD_LOCK_ACQUIRE, 2, 0, 8, 2)); /* shows the lost fence */
    s_is (&w, "held by 2, count 2, fence 8");
    assert_true (s_done (&w, SYNOD_LOCK_EXPIRE, 2, 8, 1)); /* whatever the count */
    s_is (&w, "free, highest fence 8");
}

/* ---- a queue of up to six numbers. How it came about is in its state, but makes no difference ---- */

enum { PUT, TAKE };
typedef struct {
    int64_t size, items[6], past;
} queue_t;

static void s_queue_init (void *state)
{
    ((queue_t *) state)->size = 0;
}

static bool s_queue_step (const void *state, const synod_op_t *op, void *next)
{
    queue_t *queue = (queue_t *) next;
    *queue = *(const queue_t *) state;
    queue->past = queue->past * 3 + op->args[0];
    if (op->operation == PUT) {
        if (queue->size == 6)
            return false;
        queue->items[queue->size++] = op->args[0];
        return true;
    }
    if (queue->size == 0)
        return op->outcome == SYNOD_OP_DONE && op->results[0] == SYNOD_NIL;
    int64_t first = queue->items[0];
    memmove (queue->items, queue->items + 1, 5 * sizeof queue->items[0]);
    queue->size--;
    return op->outcome != SYNOD_OP_DONE || op->results[0] == first;
}

static uint64_t s_queue_hash (const void *state)
{
    const queue_t *queue = (const queue_t *) state;
    uint64_t hash = (uint64_t) queue->size;
    for (int64_t i = 0; i < queue->size; i++)
        hash = hash * 31 + (uint64_t) queue->items[i];
    return hash;
}

static bool s_queue_equal (const void *a, const void *b)
{
    const queue_t *p = (const queue_t *) a, *q = (const queue_t *) b;
    return p->size == q->size && memcmp (p->items, q->items, (size_t) p->size * sizeof p->items[0]) == 0;
}

static int s_queue_print (const void *state, char *text, size_t size)
{
    return snprintf (text, size, "%lld in the queue", (long long) ((const queue_t *) state)->size);
}

static const synod_operation_t s_queue_operations[] = {{"put", 1, 0}, {"take", 0, 1}};
static const synod_model_t s_queue = {.name = "queue",
                                      .state_size = sizeof (queue_t),
                                      .operations = s_queue_operations,
                                      .noperations = 2,
                                      .init = s_queue_init,
                                      .step = s_queue_step,
                                      .hash = s_queue_hash,
                                      .equal = s_queue_equal,
                                      .print = s_queue_print};

/* Puts at once of six equal numbers and takes at once of numbers, the last being LAST. */
static uint64_t s_queue_steps (const synod_model_t *model, int64_t last, synod_verdict_t wanted)
{
    synod_history_t *history = synod_history_new (model, 0);
    synod_linear_t result;
    uint32_t client;
    for (client = 0; client < 6; client++)
        synod_history_invoke (history, 1, client, synod_str ("q"), PUT, client % 2, 0);
    for (; client < 12; client++)
        synod_history_invoke (history, 2, client, synod_str ("q"), TAKE, 0, 0);
    for (client = 0; client < 12; client++)
        assert_int_equal (synod_history_complete (history, 3, client, client == 11 ? last : client % 2, 0), SYNOD_OK);
    check_verdict (history, NULL, wanted, &result, "queue");
    if (wanted == SYNOD_LINEAR_NO) {
        synod_buf_t out = {0};
        check_prefix (history, &result, "queue");
        assert_int_equal (synod_linear_explain (history, &result, &out), SYNOD_OK);
        assert_non_null (strstr (check_text (&out), "in the queue\n"));
        assert_non_null (strstr (out.data, "take -> 5"));
        synod_buf_free (&out);
    }
    uint64_t configurations = result.configurations;
    synod_linear_free (&result);
    synod_history_destroy (&history);
    return configurations;
}

static void one_of_ones_own (void **state)
{
    (void) state;
    synod_model_t by_bytes = s_queue;
    by_bytes.hash = NULL;
    by_bytes.equal = NULL;
    s_queue_steps (&s_queue, 1, SYNOD_LINEAR_YES);
    uint64_t own = s_queue_steps (&s_queue, 5, SYNOD_LINEAR_NO);
    uint64_t bytes = s_queue_steps (&by_bytes, 5, SYNOD_LINEAR_NO);
    if (own * 5 > bytes * 4) /* the bytes of the past count, too */
        fail_msg ("%llu configurations with its own equality, %llu by bytes", (unsigned long long) own,
                  (unsigned long long) bytes);
}

static void models_that_are_not_whole (void **state)
{
    (void) state;
    synod_model_t model = s_queue;
    assert_null (synod_history_new (NULL, 0));
    assert_null (synod_history_new (&s_queue, SYNOD_HISTORY_OPERATIONS_MAX + 1));
    model.state_size = SYNOD_STATE_MAX + 1;
    assert_null (synod_history_new (&model, 0));
    model = s_queue;
    model.step = NULL;
    assert_null (synod_history_new (&model, 0));
    model = s_queue;
    model.hash = NULL; /* equal states could have different ones */
    assert_null (synod_history_new (&model, 0));
    assert_ptr_equal (synod_model_find (synod_str ("fenced_lock")), &synod_fenced_lock_model);
    assert_null (synod_model_find (synod_str ("queue")));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (the_register),
        cmocka_unit_test (the_counter),
        cmocka_unit_test (the_lock),
        cmocka_unit_test (the_fenced_lock),
        cmocka_unit_test (the_reentrant_lock),
        cmocka_unit_test (one_of_ones_own),
        cmocka_unit_test (models_that_are_not_whole),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
