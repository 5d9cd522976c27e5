/* SPDX-License-Identifier: MPL-2.0
 *
 * The runtime seen from outside its turns: what handles do with it, and what can be read of it.
 */
#include <assert.h>
#include "internal.h"

/* ---- for handles ---- */

synod_ctx_t *synod__rt_enter (synod__rt_t *rt, const synod_actor_t *type)
{
    assert (rt->in_turn);
    synod__instance_t *instance = synod__instance_find (rt, synod_str (type->name));
    bool runs = instance && instance->state_of == SYNOD__ACTOR_UP && !synod__instance_stands (instance);
    return runs ? synod__run_begin (instance, NULL, 0) : NULL;
}

int synod__rt_leave (synod__rt_t *rt, synod_ctx_t *ctx, int code)
{
    (void) rt;
    return synod__run_end (ctx, code);
}

bool synod__rt_reachable (const synod__rt_t *self, const char *text)
{
    synod__rt_t *rt = (synod__rt_t *) self; /* rotation is no state that a caller could see */
    synod_address_t address;
    int code;
    if (synod__address_parse (synod_str (text), &address, NULL) != SYNOD_OK)
        return false;
    if (!address.node.data)
        return synod__resolve (rt, &address, NULL, &code) != NULL;
    synod__peer_t *peer = synod__directory_node (rt->directory, address.node);
    return peer && (address.actor.data[0] == '$' || synod__peer_runs (peer, address.actor));
}

bool synod__rt_direct (const synod__rt_t *self, const char *node)
{
    const synod__stream_t *stream = synod__stream_find ((synod__rt_t *) self, synod_str (node));
    return stream && stream->link && (!self->broker || stream->link == stream->direct);
}

int synod__rt_link (synod__rt_t *rt, const char *node)
{
    if (!synod__name_ok (synod_str (node), false))
        return SYNOD_BAD_ADDRESS;
    synod__stream_t *stream = synod__stream_get (rt, synod_str (node));
    synod__links_ask (rt, stream);
    return SYNOD_OK;
}

int synod__rt_unlink (synod__rt_t *rt, const char *node)
{
    synod__stream_t *stream = synod__stream_find (rt, synod_str (node));
    if (!stream || !rt->broker)
        return SYNOD_NOT_FOUND;
    synod__links_back (rt, stream);
    return SYNOD_OK;
}

/* ---- about it ---- */

synod__rt_state_t synod__rt_state (const synod__rt_t *rt)
{
    return rt->state;
}

const synod_fault_t *synod__rt_fault (const synod__rt_t *rt)
{
    return &rt->fault;
}

synod__rt_stats_t synod__rt_stats (const synod__rt_t *rt)
{
    synod__rt_stats_t stats = rt->stats;
    stats.queued += synod__publisher_waiting (rt->publisher, NULL);
    stats.asks = rt->nasks;
    stats.calls = rt->ncalls;
    return stats;
}
