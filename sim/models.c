/* SPDX-License-Identifier: MPL-2.0
 *
 * What a register, a counter and locks do when nobody else is there. States have no padding: they are compared as bytes.
 *
 * A lock whose fence is not known, because the answer to its acquire was lost, has the least one it could have
 * (`at_least`). That is exact for who may acquire next: every greater fence only forbids more. A release refused for its
 * fence is allowed then, since it may have been another one.
 */
#include <stdio.h>
#include <string.h>
#include <synod/history.h>

static bool s_done (const synod_op_t *op)
{
    return op->outcome == SYNOD_OP_DONE;
}

static int s_print_value (int64_t value, char *text, size_t size)
{
    if (value == SYNOD_NIL)
        return snprintf (text, size, "nil");
    return snprintf (text, size, "%lld", (long long) value);
}

/* ---- register: the state is its value ---- */

static void s_register_init (void *state)
{
    *(int64_t *) state = SYNOD_NIL;
}

static bool s_register_step (const void *state, const synod_op_t *op, void *next)
{
    int64_t value = *(const int64_t *) state;
    bool met = value == op->args[0]; /* cas */
    *(int64_t *) next = value;
    switch (op->operation) {
    case SYNOD_REGISTER_READ:
        return !s_done (op) || op->results[0] == value;
    case SYNOD_REGISTER_WRITE:
        *(int64_t *) next = op->args[0];
        return true;
    default:
        if (met)
            *(int64_t *) next = op->args[1];
        return s_done (op) ? op->results[0] == met : met;
    }
}

static bool s_register_reads (const synod_op_t *op)
{
    return op->operation == SYNOD_REGISTER_READ ||
           (op->operation == SYNOD_REGISTER_CAS && s_done (op) && op->results[0] == 0);
}

static int s_register_print (const void *state, char *text, size_t size)
{
    return s_print_value (*(const int64_t *) state, text, size);
}

/* ---- counter: the state is the sum ---- */

static void s_counter_init (void *state)
{
    *(int64_t *) state = 0;
}

static bool s_counter_step (const void *state, const synod_op_t *op, void *next)
{
    uint64_t sum = *(const uint64_t *) state;
    if (op->operation == SYNOD_COUNTER_ADD)
        sum += (uint64_t) op->args[0];
    *(uint64_t *) next = sum;
    return !s_done (op) || op->results[0] == (int64_t) sum;
}

static bool s_counter_reads (const synod_op_t *op)
{
    return op->operation == SYNOD_COUNTER_READ;
}

/* ---- locks ---- */

typedef struct {
    int64_t holder;   /* SYNOD_NIL: free */
    int64_t count;    /* how many times the holder has it; 0: free */
    int64_t fence;    /* the highest so far */
    int64_t at_least; /* 1: held, and its fence is FENCE or greater */
} s_lock_t;

typedef enum { S_PLAIN, S_FENCED, S_REENTRANT } s_kind_t;

static void s_lock_init (void *state)
{
    *(s_lock_t *) state = (s_lock_t){.holder = SYNOD_NIL, .fence = -1};
}

/* FENCE may be that of the lock; then it is, from now on. */
static bool s_same_fence (s_lock_t *lock, int64_t fence)
{
    if (fence == lock->fence || (lock->at_least && fence > lock->fence)) {
        lock->fence = fence;
        lock->at_least = 0;
        return true;
    }
    return false;
}

static bool s_acquire (s_kind_t kind, s_lock_t *lock, const synod_op_t *op)
{
    int64_t holder = op->args[0], fence = op->results[0];
    bool is_free = lock->count == 0;
    if (!is_free && (kind != S_REENTRANT || lock->holder != holder))
        return s_done (op) && fence == (kind == S_PLAIN ? 0 : SYNOD_NIL);
    if (is_free && lock->fence == INT64_MAX)
        return false; /* no fence is greater */
    lock->holder = holder;
    lock->count++;
    if (kind == S_PLAIN)
        return !s_done (op) || fence == 1;
    if (!s_done (op)) {
        if (is_free) {
            lock->fence++;
            lock->at_least = 1;
        }
        return true;
    }
    if (fence < 0 || (kind == S_REENTRANT && op->results[1] != lock->count))
        return false;
    if (!is_free)
        return s_same_fence (lock, fence);
    if (fence <= lock->fence)
        return false;
    lock->fence = fence;
    return true;
}

/* release and expire: what OP frees, it may free in LOCK */
static bool s_release (s_kind_t kind, s_lock_t *lock, const synod_op_t *op)
{
    bool expire = op->operation == SYNOD_LOCK_EXPIRE;
    bool counts = kind == S_REENTRANT && !expire; /* answers what is left */
    bool refused = s_done (op) && op->results[0] == (counts ? SYNOD_NIL : 0);
    bool any = kind == S_PLAIN || op->args[1] == SYNOD_NIL;
    bool holds = lock->count > 0 && lock->holder == op->args[0];
    if (refused)
        return !holds || (!any && (lock->at_least || op->args[1] != lock->fence));
    if (!holds || (!any && !s_same_fence (lock, op->args[1])))
        return false;
    lock->count = expire ? 0 : lock->count - 1;
    if (lock->count == 0) {
        lock->holder = SYNOD_NIL;
        lock->at_least = 0;
    }
    return !s_done (op) || op->results[0] == (counts ? lock->count : 1);
}

static bool s_lock_any (s_kind_t kind, const void *state, const synod_op_t *op, void *next)
{
    s_lock_t *lock = (s_lock_t *) next;
    *lock = *(const s_lock_t *) state;
    return op->operation == SYNOD_LOCK_ACQUIRE ? s_acquire (kind, lock, op) : s_release (kind, lock, op);
}

static bool s_lock_step (const void *state, const synod_op_t *op, void *next)
{
    return s_lock_any (S_PLAIN, state, op, next);
}

static bool s_fenced_step (const void *state, const synod_op_t *op, void *next)
{
    return s_lock_any (S_FENCED, state, op, next);
}

static bool s_reentrant_step (const void *state, const synod_op_t *op, void *next)
{
    return s_lock_any (S_REENTRANT, state, op, next);
}

static bool s_lock_reads (const synod_op_t *op)
{
    return s_done (op) && op->results[0] == 0;
}

static bool s_fenced_reads (const synod_op_t *op)
{
    return s_done (op) && op->results[0] == (op->operation == SYNOD_LOCK_ACQUIRE ? SYNOD_NIL : 0);
}

static bool s_reentrant_reads (const synod_op_t *op)
{
    return s_done (op) && op->results[0] == (op->operation == SYNOD_LOCK_EXPIRE ? 0 : SYNOD_NIL);
}

static int s_lock_print (const void *state, char *text, size_t size)
{
    const s_lock_t *lock = (const s_lock_t *) state;
    char fence[64] = "";
    if (lock->fence >= 0)
        snprintf (fence, sizeof fence, ", %sfence %lld%s", lock->count ? "" : "highest ", (long long) lock->fence,
                  lock->at_least ? " or more" : "");
    if (lock->count == 0)
        return snprintf (text, size, "free%s", fence);
    return snprintf (text, size, "held by %lld, count %lld%s", (long long) lock->holder, (long long) lock->count,
                     fence);
}

/* ---- the models ---- */

#define S_COUNT(array) (sizeof (array) / sizeof (array)[0])

static const synod_operation_t s_register_ops[] = {[SYNOD_REGISTER_READ] = {"read", 0, 1},
                                                   [SYNOD_REGISTER_WRITE] = {"write", 1, 0},
                                                   [SYNOD_REGISTER_CAS] = {"cas", 2, 1}};
static const synod_operation_t s_counter_ops[] = {
    [SYNOD_COUNTER_ADD] = {"add", 1, 1}, [SYNOD_COUNTER_READ] = {"read", 0, 1}};
static const synod_operation_t s_lock_ops[] = {[SYNOD_LOCK_ACQUIRE] = {"acquire", 1, 1},
                                               [SYNOD_LOCK_RELEASE] = {"release", 1, 1},
                                               [SYNOD_LOCK_EXPIRE] = {"expire", 1, 1}};
static const synod_operation_t s_fenced_ops[] = {[SYNOD_LOCK_ACQUIRE] = {"acquire", 1, 1},
                                                 [SYNOD_LOCK_RELEASE] = {"release", 2, 1},
                                                 [SYNOD_LOCK_EXPIRE] = {"expire", 2, 1}};
static const synod_operation_t s_reentrant_ops[] = {[SYNOD_LOCK_ACQUIRE] = {"acquire", 1, 2},
                                                    [SYNOD_LOCK_RELEASE] = {"release", 2, 1},
                                                    [SYNOD_LOCK_EXPIRE] = {"expire", 2, 1}};

const synod_model_t synod_register_model = {.name = "register",
                                            .state_size = sizeof (int64_t),
                                            .operations = s_register_ops,
                                            .noperations = S_COUNT (s_register_ops),
                                            .init = s_register_init,
                                            .step = s_register_step,
                                            .reads = s_register_reads,
                                            .print = s_register_print};
const synod_model_t synod_counter_model = {.name = "counter",
                                           .state_size = sizeof (int64_t),
                                           .operations = s_counter_ops,
                                           .noperations = S_COUNT (s_counter_ops),
                                           .init = s_counter_init,
                                           .step = s_counter_step,
                                           .reads = s_counter_reads,
                                           .print = s_register_print};
const synod_model_t synod_lock_model = {.name = "lock",
                                        .state_size = sizeof (s_lock_t),
                                        .operations = s_lock_ops,
                                        .noperations = S_COUNT (s_lock_ops),
                                        .init = s_lock_init,
                                        .step = s_lock_step,
                                        .reads = s_lock_reads,
                                        .print = s_lock_print};
const synod_model_t synod_fenced_lock_model = {.name = "fenced_lock",
                                               .state_size = sizeof (s_lock_t),
                                               .operations = s_fenced_ops,
                                               .noperations = S_COUNT (s_fenced_ops),
                                               .init = s_lock_init,
                                               .step = s_fenced_step,
                                               .reads = s_fenced_reads,
                                               .print = s_lock_print};
const synod_model_t synod_reentrant_lock_model = {.name = "reentrant_lock",
                                                  .state_size = sizeof (s_lock_t),
                                                  .operations = s_reentrant_ops,
                                                  .noperations = S_COUNT (s_reentrant_ops),
                                                  .init = s_lock_init,
                                                  .step = s_reentrant_step,
                                                  .reads = s_reentrant_reads,
                                                  .print = s_lock_print};

const synod_model_t *synod_model_find (synod_str_t name)
{
    static const synod_model_t *const models[] = {&synod_register_model, &synod_counter_model, &synod_lock_model,
                                                  &synod_fenced_lock_model, &synod_reentrant_lock_model};
    for (size_t i = 0; i < S_COUNT (models); i++)
        if (synod_str_is (name, models[i]->name))
            return models[i];
    return NULL;
}
