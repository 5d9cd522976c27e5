/* SPDX-License-Identifier: MPL-2.0
 *
 * The smallest placed actor: a counter for each key, on as many nodes as there are copies.
 *
 *     synod run ./libplaced_counter.so --alone        or on several nodes, and then   synod ring init n1 n2 n3
 *     synod ask counter#apples add amount:=2 --once
 */
#include "counter.h"

static int answer (synod_ctx_t *ctx, uint64_t value, synod_call_t call)
{
    synod_reply (ctx, call, &count_record, &(count_t){.value = value}); /* to a tell there is none, which is no error */
    return SYNOD_OK;
}

static uint64_t value_of (synod_ctx_t *ctx)
{
    uint64_t value = 0;
    synod_str_t bytes;
    if (synod_get (ctx, synod_key (ctx), &bytes) == SYNOD_OK && bytes.size == sizeof value)
        memcpy (&value, bytes.data, sizeof value);
    return value;
}

static int on_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    uint64_t value = value_of (ctx) + in->amount;
    (void) state;
    int rc = synod_put (ctx, synod_key (ctx), synod_str_n (&value, sizeof value));
    return rc == SYNOD_OK ? answer (ctx, value, call) : rc;
}

static int on_get (synod_ctx_t *ctx, void *state, const get_t *in, synod_call_t call)
{
    (void) state;
    (void) in;
    return answer (ctx, value_of (ctx), call);
}

const synod_actor_t counter = {
    .name = "counter",
    .doc = "counts for each key",
    .routes = (synod_route_t[]){SYNOD_ON (add, on_add), SYNOD_ON (get, on_get), SYNOD_END},
    .placement = SYNOD_SHARDED,
};

SYNOD_MODULE (&counter)
