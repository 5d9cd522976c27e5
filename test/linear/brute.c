/* SPDX-License-Identifier: MPL-2.0
 *
 * The fence of an acquire whose answer is lost is guessed: each number up to FENCE_MAX is tried. As the model says, a
 * refusal for the wrong fence is believed while the right one has not been seen.
 */
#include <assert.h>
#include <stddef.h>
#include "brute.h"

#define FENCE_MAX 16

/* A key's object, whatever it is. */
typedef struct {
    int64_t value; /* register: its value; counter: the sum */
    int64_t owner, depth, fence;
    bool guessed; /* the fence of a lock that is held was guessed, and nobody has named it yet */
} object_t;

typedef struct {
    const synod_model_t *model;
    const synod_op_t *ops[BRUTE_MAX];
    uint32_t numbers[BRUTE_MAX];
    unsigned count;
    bool placed[BRUTE_MAX];
    uint32_t furthest, stuck; /* the first completion among those not placed, at its latest */
} brute_t;

static bool s_try (brute_t *b, object_t object);

static bool s_told (const synod_op_t *op)
{
    return op->outcome == SYNOD_OP_DONE;
}

/* A value for the reader, if there is one, must be this. */
static bool s_says (const synod_op_t *op, int which, int64_t value)
{
    return !s_told (op) || op->results[which] == value;
}

static bool s_value (brute_t *b, const synod_op_t *op, object_t o)
{
    if (b->model == &synod_counter_model) {
        if (op->operation == SYNOD_COUNTER_ADD)
            o.value += op->args[0];
        return s_says (op, 0, o.value) && s_try (b, o);
    }
    if (op->operation == SYNOD_REGISTER_READ)
        return s_says (op, 0, o.value) && s_try (b, o);
    if (op->operation == SYNOD_REGISTER_CAS) {
        bool swap = o.value == op->args[0];
        if (!s_says (op, 0, swap ? 1 : 0))
            return false;
        o.value = swap ? op->args[1] : o.value;
        return s_try (b, o);
    }
    o.value = op->args[0];
    return s_try (b, o);
}

static bool s_take (brute_t *b, const synod_op_t *op, object_t o)
{
    bool plain = b->model == &synod_lock_model, again = b->model == &synod_reentrant_lock_model;
    bool mine = o.depth > 0 && o.owner == op->args[0];
    if (o.depth > 0 && !(again && mine))
        return s_says (op, 0, plain ? 0 : SYNOD_NIL) && s_try (b, o);
    o.owner = op->args[0];
    o.depth++;
    if (plain)
        return s_says (op, 0, 1) && s_try (b, o);
    if (again && !s_says (op, 1, o.depth))
        return false;
    if (mine) {
        if (s_told (op))
            o.guessed = false;
        return s_says (op, 0, o.fence) && s_try (b, o);
    }
    for (int64_t fence = o.fence + 1; fence <= FENCE_MAX; fence++) {
        object_t granted = o;
        granted.fence = fence;
        granted.guessed = !s_told (op);
        if (s_says (op, 0, fence) && s_try (b, granted))
            return true;
    }
    return false;
}

static bool s_give (brute_t *b, const synod_op_t *op, object_t o)
{
    bool expire = op->operation == SYNOD_LOCK_EXPIRE;
    bool counts = b->model == &synod_reentrant_lock_model && !expire;
    bool mine = o.depth > 0 && o.owner == op->args[0];
    bool names = b->model != &synod_lock_model && op->args[1] != SYNOD_NIL;
    /* refused, and nothing changes */
    if (s_says (op, 0, counts ? SYNOD_NIL : 0) && (!mine || (names && (o.guessed || op->args[1] != o.fence))) &&
        s_try (b, o))
        return true;
    if (!mine || (names && op->args[1] != o.fence))
        return false;
    if (names)
        o.guessed = false;
    o.depth = expire ? 0 : o.depth - 1;
    if (o.depth == 0)
        o.guessed = false;
    return s_says (op, 0, counts ? o.depth : 1) && s_try (b, o);
}

static bool s_run (brute_t *b, const synod_op_t *op, object_t o)
{
    if (b->model == &synod_register_model || b->model == &synod_counter_model)
        return s_value (b, op, o);
    return op->operation == SYNOD_LOCK_ACQUIRE ? s_take (b, op, o) : s_give (b, op, o);
}

static bool s_try (brute_t *b, object_t object)
{
    uint32_t first = UINT32_MAX, stuck = 0;
    for (unsigned i = 0; i < b->count; i++) {
        if (!b->placed[i] && s_told (b->ops[i]) && b->ops[i]->ended_at < first) {
            first = b->ops[i]->ended_at;
            stuck = b->numbers[i];
        }
    }
    if (first == UINT32_MAX)
        return true; /* all that are done have their place */
    if (first > b->furthest) {
        b->furthest = first;
        b->stuck = stuck;
    }
    for (unsigned i = 0; i < b->count; i++) {
        if (b->placed[i] || b->ops[i]->called_at > first)
            continue;
        b->placed[i] = true;
        if (s_run (b, b->ops[i], object))
            return true;
        b->placed[i] = false;
    }
    return false;
}

bool brute (const synod_history_t *history, uint32_t key, uint32_t *stuck)
{
    brute_t b = {.model = synod_history_model (history)};
    object_t object = {.value = b.model == &synod_register_model ? SYNOD_NIL : 0, .fence = -1};
    for (uint32_t i = 0; i < synod_history_count (history); i++) {
        const synod_op_t *op = synod_history_op (history, i);
        if (op->key != key || op->outcome == SYNOD_OP_FAILED)
            continue;
        assert (b.count < BRUTE_MAX);
        b.numbers[b.count] = i;
        b.ops[b.count++] = op;
    }
    bool yes = s_try (&b, object);
    *stuck = b.stuck;
    return yes;
}
