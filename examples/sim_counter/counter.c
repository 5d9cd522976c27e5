/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor under test: a counter that keeps its value in its store. Built with COUNTER_BUG it keeps it in its memory
 * alone, as one does before one has thought of crashes.
 */
#include "counter.h"

typedef struct {
    uint64_t value;
} counter_t;

static int init (synod_ctx_t *ctx, void *state, const void *args)
{
    synod_str_t value;
    (void) args;
    if (synod_get (ctx, synod_str ("value"), &value) == SYNOD_OK)
        memcpy (&((counter_t *) state)->value, value.data, sizeof (uint64_t));
    return SYNOD_OK;
}

static int on_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    counter_t *self = state;
    self->value += in->amount;
#ifndef COUNTER_BUG
    if (synod_put (ctx, synod_str ("value"), synod_str_n (&self->value, sizeof self->value)) != SYNOD_OK)
        return SYNOD_FAILED;
#endif
    return synod_reply (ctx, call, &count_record, &(count_t){.value = self->value});
}

const synod_actor_t counter = {
    .name = "counter",
    .state_size = sizeof (counter_t),
    .init = init,
    .routes = (synod_route_t[]){SYNOD_ON (add, on_add), SYNOD_END},
};

SYNOD_MODULE (&counter)
