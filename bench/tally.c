/* SPDX-License-Identifier: MPL-2.0
 *
 * Counters in a store, for `synod run`: `tally` is a plain actor, `tally1` and `tally3` are placed, with one copy and
 * with three. The handlers are the same, so that what differs is what placement costs.
 */
#include "bench/tally.h"

static int on_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    char bytes[TALLY_DATA_MAX];
    synod_str_t value;
    count_t out = {0};
    (void) state;
    if (in->data.size < TALLY_DATA_MIN)
        return synod_error (ctx, SYNOD_BAD_REQUEST, "data: expected %d bytes or more", TALLY_DATA_MIN);
    int rc = synod_get (ctx, in->key, &value);
    if (rc == SYNOD_OK)
        memcpy (&out.count, value.data, sizeof out.count);
    else if (rc != SYNOD_NOT_FOUND)
        return rc;
    out.count++;
    memcpy (bytes, in->data.data, in->data.size);
    memcpy (bytes, &out.count, sizeof out.count);
    rc = synod_put (ctx, in->key, synod_str_n (bytes, in->data.size));
    return rc == SYNOD_OK ? synod_reply (ctx, call, &count_record, &out) : rc;
}

static int on_get (synod_ctx_t *ctx, void *state, const get_t *in, synod_call_t call)
{
    synod_str_t value;
    count_t out = {.node = synod_str (synod_node (ctx))};
    (void) state;
    int rc = synod_get (ctx, in->key, &value);
    if (rc == SYNOD_OK)
        memcpy (&out.count, value.data, sizeof out.count);
    return rc == SYNOD_OK || rc == SYNOD_NOT_FOUND ? synod_reply (ctx, call, &count_record, &out) : rc;
}

static const synod_route_t s_routes[] = {SYNOD_ON (add, on_add), SYNOD_ON (get, on_get), SYNOD_END};

static const synod_actor_t s_tally = {.name = "tally", .doc = "counters of one node", .routes = s_routes};
static const synod_actor_t s_tally1 = {
    .name = "tally1", .doc = "placed counters", .routes = s_routes, .placement = SYNOD_SHARDED, .replicas = 1};
static const synod_actor_t s_tally3 = {.name = "tally3",
                                       .doc = "placed counters, on three nodes",
                                       .routes = s_routes,
                                       .placement = SYNOD_SHARDED,
                                       .replicas = 3};

SYNOD_MODULE (&s_tally, &s_tally1, &s_tally3)
