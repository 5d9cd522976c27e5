/* SPDX-License-Identifier: MPL-2.0
 *
 * The worker of the fault tests: answers at once or after a while, and checks the order of numbered tells.
 */
#include <stdlib.h>
#include "records.h"

typedef struct {
    numbers_t seen;
} state_t;

/* An answer that waits for its time. */
typedef struct {
    synod_call_t call;
    work_t out;
} late_t;

static int on_late (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) state;
    late_t *late = (late_t *) (uintptr_t) arg;
    int rc = synod_reply (ctx, late->call, &work_record, &late->out);
    free (late);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc; /* its asker has given up */
}

static int on_work (synod_ctx_t *ctx, void *state, const work_t *in, synod_call_t call)
{
    (void) state;
    if (!call.id)
        return SYNOD_OK;
    if (!in->ms)
        return synod_reply (ctx, call, &work_record, in);
    late_t *late = (late_t *) malloc (sizeof *late);
    if (!late)
        return synod_error (ctx, SYNOD_NO_MEMORY, "no memory for an answer");
    *late = (late_t){call, *in};
    return synod_after (ctx, (uint32_t) in->ms, on_late, (uint64_t) (uintptr_t) late, NULL);
}

static int on_once (synod_ctx_t *ctx, void *state, const once_t *in, synod_call_t call)
{
    const work_t work = {.n = in->n, .ms = in->ms};
    return on_work (ctx, state, &work, call);
}

static int on_blob (synod_ctx_t *ctx, void *state, const blob_t *in, synod_call_t call)
{
    (void) ctx;
    (void) state;
    (void) in;
    (void) call;
    return SYNOD_OK;
}

static int on_number (synod_ctx_t *ctx, void *state, const number_t *in, synod_call_t call)
{
    (void) ctx;
    (void) call;
    numbers_t *seen = &((state_t *) state)->seen;
    seen->wrong += in->n != seen->last + 1;
    seen->last = in->n;
    seen->count++;
    return SYNOD_OK;
}

static int on_numbers (synod_ctx_t *ctx, void *state, const numbers_t *in, synod_call_t call)
{
    (void) in;
    return synod_reply (ctx, call, &numbers_record, &((state_t *) state)->seen);
}

static const synod_actor_t worker = {
    .name = "worker",
    .doc = "works, also slowly",
    .state_size = sizeof (state_t),
    .routes = (const synod_route_t[]){SYNOD_ON (work, on_work), SYNOD_ON (once, on_once), SYNOD_ON (number, on_number),
                                      SYNOD_ON (numbers, on_numbers), SYNOD_ON (blob, on_blob), SYNOD_END},
};

SYNOD_MODULE (&worker)
