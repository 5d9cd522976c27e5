/* SPDX-License-Identifier: MPL-2.0
 *
 * What a check found, in words: how far an order of the operations goes, the state there, the operation whose end it
 * cannot pass, and what else could have run then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "history_internal.h"
#include "protocol/frame.h"

#define S_ORDER_SHOWN 12 /* the last ones of the order */
#define S_OTHER_SHOWN 20

/* Appends, unless something failed before. */
#define S_SAY(...)                                      \
    do {                                                \
        if (*rc == SYNOD_OK)                            \
            *rc = synod__buf_printf (out, __VA_ARGS__); \
    } while (0)

static void s_line (const synod_history_t *history, uint32_t number, synod_buf_t *out, int *rc)
{
    if (*rc == SYNOD_OK)
        *rc = synod__op_line (history->model, &history->ops[number], out);
}

/* The state after the order that was found. */
static void s_state (const synod_history_t *history, const synod_linear_t *result, synod_buf_t *out, int *rc)
{
    uint64_t state[SYNOD_STATE_MAX / 8] = {0}, next[SYNOD_STATE_MAX / 8];
    char text[160];
    history->model->init (state);
    for (uint32_t i = 0; i < result->placed; i++) {
        memset (next, 0, sizeof next);
        if (!history->model->step (state, &history->ops[result->order[i]], next))
            break;
        memcpy (state, next, sizeof state);
    }
    history->model->print (state, text, sizeof text);
    S_SAY ("then it is: %s\n", text);
}

static void s_order (const synod_history_t *history, const synod_linear_t *result, synod_buf_t *out, int *rc)
{
    uint32_t first = result->placed > S_ORDER_SHOWN ? result->placed - S_ORDER_SHOWN : 0;
    S_SAY ("the order that goes furthest has %" PRIu32 " operation%s", result->placed, result->placed == 1 ? "" : "s");
    if (first > 0)
        S_SAY (", of which the last %d", S_ORDER_SHOWN);
    S_SAY (":\n");
    for (uint32_t i = first; i < result->placed; i++)
        s_line (history, result->order[i], out, rc);
    s_state (history, result, out, rc);
}

/* Operations of the key that were invoked before the one that is stuck ended, and are not in the order. */
static void s_others (const synod_history_t *history, const synod_linear_t *result, synod_buf_t *out, int *rc)
{
    const synod_op_t *stuck = &history->ops[result->stuck];
    char *placed = (char *) calloc (history->count, 1);
    uint32_t others = 0;
    if (!placed) {
        *rc = SYNOD_NO_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < result->placed; i++)
        placed[result->order[i]] = 1;
    for (uint32_t i = 0; i < history->count; i++) {
        const synod_op_t *op = &history->ops[i];
        if (op->key != result->key || placed[i] || i == result->stuck || op->called_at > stuck->ended_at ||
            op->outcome == SYNOD_OP_FAILED)
            continue;
        if (others == 0)
            S_SAY ("what else could have come before that:\n");
        if (others++ < S_OTHER_SHOWN)
            s_line (history, i, out, rc);
    }
    if (others > S_OTHER_SHOWN)
        S_SAY ("  and %" PRIu32 " more\n", others - S_OTHER_SHOWN);
    free (placed);
}

int synod_linear_explain (const synod_history_t *history, const synod_linear_t *result, synod_buf_t *out)
{
    int status = SYNOD_OK, *rc = &status;
    if (result->verdict == SYNOD_LINEAR_YES) {
        S_SAY ("linearizable: %" PRIu32 " operations of %" PRIu32 " keys\n", history->count, history->nkeys);
        return status;
    }
    if (result->verdict == SYNOD_LINEAR_UNKNOWN) {
        S_SAY ("not known: %s", result->why ? result->why : "nothing was checked");
        if (result->key < history->nkeys) {
            S_SAY ("; %" PRIu32 " of %" PRIu32 " keys have no answer, the first is ", result->unknown_keys,
                   history->nkeys);
            if (status == SYNOD_OK)
                status = synod__key_print (synod_history_key (history, result->key), out);
            S_SAY (", with %" PRIu32 " of %" PRIu32 " operations placed", result->placed, result->operations);
        }
        S_SAY ("\n");
        return status;
    }
    S_SAY ("not linearizable: key ");
    if (status == SYNOD_OK)
        status = synod__key_print (synod_history_key (history, result->key), out);
    S_SAY (", a %s; operations that are done: %" PRIu32 "\n", history->model->name, result->operations);
    s_order (history, result, out, rc);
    S_SAY ("in no order can this be placed before it ended:\n");
    s_line (history, result->stuck, out, rc);
    s_others (history, result, out, rc);
    return status;
}
