/* SPDX-License-Identifier: MPL-2.0
 *
 * Whether the longest prefix of a `no` is what it is said to be.
 */
#include "check.h"

static void s_replay (const synod_history_t *history, const synod_linear_t *result, const char *what)
{
    const synod_model_t *model = synod_history_model (history);
    uint64_t state[SYNOD_STATE_MAX / 8] = {0}, next[SYNOD_STATE_MAX / 8];
    model->init (state);
    for (uint32_t i = 0; i < result->placed; i++) {
        memset (next, 0, sizeof next);
        if (!model->step (state, synod_history_op (history, result->order[i]), next))
            fail_msg ("%s: operation %u, at %u of the order, is not possible there", what, result->order[i], i);
        memcpy (state, next, sizeof state);
    }
}

void check_prefix (const synod_history_t *history, const synod_linear_t *result, const char *what)
{
    uint32_t count = synod_history_count (history);
    uint32_t *at = (uint32_t *) calloc (count, sizeof *at); /* in the order, from 1 */
    const synod_op_t *stuck = synod_history_op (history, result->stuck);
    assert_non_null (at);
    assert_int_equal (result->verdict, SYNOD_LINEAR_NO);
    assert_int_equal (stuck->key, result->key);
    assert_int_equal (stuck->outcome, SYNOD_OP_DONE);
    for (uint32_t i = 0; i < result->placed; i++) {
        const synod_op_t *op = synod_history_op (history, result->order[i]);
        assert_non_null (op);
        assert_int_equal (op->key, result->key);
        assert_int_not_equal (op->outcome, SYNOD_OP_FAILED);
        assert_int_equal (at[result->order[i]], 0);
        at[result->order[i]] = i + 1;
    }
    assert_int_equal (at[result->stuck], 0);
    /* nothing stands before what had ended before it was invoked: the latest invocation so far tells */
    uint32_t latest = 0;
    for (uint32_t i = 0; i < result->placed; i++) {
        const synod_op_t *op = synod_history_op (history, result->order[i]);
        if (op->outcome == SYNOD_OP_DONE && op->ended_at < latest)
            fail_msg ("%s: operation %u stands too late in the order", what, result->order[i]);
        latest = op->called_at > latest ? op->called_at : latest;
    }
    for (uint32_t i = 0; i < count; i++) {
        const synod_op_t *op = synod_history_op (history, i);
        if (op->key != result->key || op->outcome != SYNOD_OP_DONE || at[i])
            continue;
        if (op->ended_at < stuck->ended_at || op->ended_at < latest)
            fail_msg ("%s: operation %u ended before operation %u and is not in the order", what, i, result->stuck);
    }
    s_replay (history, result, what);
    free (at);
}
