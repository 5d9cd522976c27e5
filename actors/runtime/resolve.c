/* SPDX-License-Identifier: MPL-2.0
 *
 * Addresses to nodes. Any node that runs the actor: the one with the fewest own unanswered asks, by turns among equals.
 * A node that keeps no directory leaves the choice to the broker.
 */
#include "place.h"

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

/* One of those that run the actor, by rendezvous hashing (Thaler and Ravishankar, 1998): when one comes or goes, no key
 * moves between the others. NULL: nobody runs it. */
synod__stream_t *synod__follow (synod__rt_t *rt, synod_str_t actor, synod_str_t key, const synod__stream_t *but)
{
    const synod__service_t *service = synod__directory_actor (rt->directory, actor);
    synod__stream_t *best = NULL;
    if (service && service->npeers == 1 && service->peers[0]->user != but)
        return (synod__stream_t *) service->peers[0]->user;
    uint64_t highest = 0, seed = synod__ring_hash (key.data, key.size);
    for (uint32_t i = 0; service && i < service->npeers; i++) {
        synod__stream_t *stream = (synod__stream_t *) service->peers[i]->user;
        if (!stream || stream == but)
            continue;
        uint64_t hash = XXH3_64bits_withSeed (stream->name, stream->name_size, seed);
        if (!best || hash > highest || (hash == highest && strcmp (stream->name, best->name) < 0)) {
            best = stream;
            highest = hash;
        }
    }
    return best;
}

bool synod__ctx_home (const synod_ctx_t *ctx, synod_str_t key)
{
    const synod__stream_t *home = synod__follow (ctx->rt, ctx->instance->name, key, NULL);
    return !home || home == ctx->rt->self;
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
    if (address->key.data) {
        synod__stream_t *stream = synod__keyed_resolve (rt, address, code);
        if (stream)
            return stream;
        /* of no ring that is known here: who runs it knows more */
        stream = synod__follow (rt, address->actor, address->key, but);
        if (stream)
            return stream;
    }
    if (synod_str_is (address->actor, SYNOD_NODE_ACTOR))
        return rt->self;
    if (rt->broker && !rt->config.directory)
        return rt->broker;
    return s_any (rt, address->actor, but);
}

synod_str_t synod__frame_address (const synod__rt_t *rt, const synod__stream_t *stream, const synod_address_t *address,
                                  synod_str_t to, char *room, synod_str_t *env_to)
{
    /* mail for many keys of a node goes in one frame: what the address lacks is in the envelopes */
    if (address->key.data)
        *env_to = synod_str_n (address->actor.data, (size_t) (to.data + to.size - address->actor.data));
    if (stream == rt->broker)
        return address->key.data ? address->actor : to;
    if (!address->node.data || address->key.data)
        return synod__address_join (synod__stream_name (stream), address->actor, room, SYNOD_ADDRESS_MAX);
    return to;
}
