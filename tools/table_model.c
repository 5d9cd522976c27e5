/* SPDX-License-Identifier: MPL-2.0
 *
 * A key of the table as a model: its value, and the highest fence that was seen. Values are numbers; a text is the number
 * that its tokens come to, one after another.
 */
#include <stdio.h>
#include "table.h"

typedef struct {
    int64_t value; /* SYNOD_NIL: none */
    int64_t fence;
} held_t;

static bool done (const synod_op_t *op)
{
    return op->outcome == SYNOD_OP_DONE;
}

int64_t table_appended (int64_t value, int64_t token)
{
    if (value == SYNOD_NIL)
        return token;
    uint64_t mixed = (uint64_t) value * 0x9e3779b97f4a7c15ull + (uint64_t) token;
    mixed ^= mixed >> 29;
    return (int64_t) (mixed & INT64_MAX);
}

static void init (void *state)
{
    *(held_t *) state = (held_t){SYNOD_NIL, 0};
}

/* A write that is done or not: MAY it be done here, and then the state is NEXT's. */
static bool written (const synod_op_t *op, bool may, held_t *next, int64_t value, int64_t fence)
{
    if (may) {
        next->value = value;
        next->fence = fence > next->fence ? fence : next->fence;
    }
    return done (op) ? op->results[0] == may : may;
}

static bool step (const void *state, const synod_op_t *op, void *to)
{
    const held_t *key = (const held_t *) state;
    held_t *next = (held_t *) to;
    int64_t a = op->args[0], b = op->args[1], none = key->value == SYNOD_NIL;
    *next = *key;
    switch (op->operation) {
    case TABLE_GET:
        return !done (op) || op->results[0] == key->value;
    case TABLE_PUT:
        return written (op, !b || b >= key->fence, next, a, b);
    case TABLE_ADD:
        return written (op, none, next, a, 0);
    case TABLE_CAS:
        return written (op, key->value == a, next, b, 0);
    case TABLE_DELETE:
        return written (op, !a || a >= key->fence, next, SYNOD_NIL, a) &&
               (!done (op) || !op->results[0] || op->results[1] == !none);
    case TABLE_INCR:
        if (__builtin_add_overflow (none ? 0 : key->value, a, &next->value))
            return false; /* it is refused */
        return !done (op) || op->results[0] == next->value;
    default:
        next->value = table_appended (key->value, a);
        return true;
    }
}

static bool reads (const synod_op_t *op)
{
    bool refusable = op->operation >= TABLE_PUT && op->operation <= TABLE_CAS;
    return op->operation == TABLE_GET || (refusable && done (op) && op->results[0] == 0);
}

static int print (const void *state, char *text, size_t size)
{
    const held_t *key = (const held_t *) state;
    if (key->value == SYNOD_NIL)
        return snprintf (text, size, "nil, fence %lld", (long long) key->fence);
    return snprintf (text, size, "%lld, fence %lld", (long long) key->value, (long long) key->fence);
}

static const synod_operation_t operations[] = {
    [TABLE_GET] = {"get", 0, 1},       [TABLE_PUT] = {"put", 2, 1}, [TABLE_ADD] = {"add", 1, 1},
    [TABLE_DELETE] = {"delete", 1, 2}, [TABLE_CAS] = {"cas", 2, 1}, [TABLE_INCR] = {"incr", 1, 1},
    [TABLE_APPEND] = {"append", 1, 0}};

const synod_model_t table_model = {
    .name = "kv",
    .state_size = sizeof (held_t),
    .operations = operations,
    .noperations = sizeof operations / sizeof *operations,
    .init = init,
    .step = step,
    .reads = reads,
    .print = print,
};
