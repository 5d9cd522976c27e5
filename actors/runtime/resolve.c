/* SPDX-License-Identifier: MPL-2.0
 *
 * Addresses to nodes. Any node that runs the actor: the one with the fewest own unanswered asks, by turns among equals.
 * A node that keeps no directory leaves the choice to the broker.
 */
#include "internal.h"

static synod__stream_t *s_any (synod__rt_t *rt, synod_str_t actor, const synod__stream_t *but)
{
    synod__service_t *service = synod__directory_actor (rt->directory, actor);
    synod__stream_t *best = NULL;
    if (!service || !service->npeers)
        return NULL;
    uint32_t start = service->turn++ % service->npeers;
    for (uint32_t i = 0; i < service->npeers; i++) {
        synod__peer_t *peer = service->peers[(start + i) % service->npeers];
        synod__stream_t *stream = (synod__stream_t *) peer->user;
        if (stream == but || !stream)
            continue;
        if (!best || stream->nasks < best->nasks)
            best = stream;
    }
    return best;
}

/* NULL with the error in CODE when nobody is there. */
synod__stream_t *synod__resolve (synod__rt_t *rt, const synod_address_t *address, const synod__stream_t *but, int *code)
{
    *code = SYNOD_NO_ROUTE;
    if (address->node.data) {
        if (synod_str_same (address->node, rt->node))
            return rt->self;
        if (synod_str_is (address->node, SYNOD_BROKER))
            return rt->broker;
        synod__stream_t *stream = synod__stream_find (rt, address->node);
        if (stream && stream->peer)
            return stream;
        /* with a broker a name we do not know may be a client, or a node that just came: the broker knows */
        return rt->broker ? synod__stream_get (rt, address->node) : NULL;
    }
    if (rt->broker && synod_str_is (address->actor, SYNOD_BROKER))
        return rt->broker;
    if (synod_str_is (address->actor, SYNOD_NODE_ACTOR))
        return rt->self;
    if (rt->broker && !rt->config.directory)
        return rt->broker;
    return s_any (rt, address->actor, but);
}
