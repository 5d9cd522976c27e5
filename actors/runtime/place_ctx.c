/* SPDX-License-Identifier: MPL-2.0
 *
 * What the actor `ring` sees of the node it is on (actors/place/place.h), and how a node that stops hands over.
 */
#include "place.h"

#define S_LAG 64 /* batches that one may lack and still count as up to date: others are on their way all the time */

const synod__epoch_t *synod__ctx_epoch (const synod_ctx_t *ctx)
{
    const synod__place_t *place = ctx->rt->place;
    if (place->npending && place->pending[0].epoch.number == (place->nknown ? place->heard : 1))
        return &place->pending[0].epoch; /* entered in this turn */
    const synod__known_t *now = synod__place_now (place);
    return now ? &now->epoch : NULL;
}

int synod__ctx_enter_epoch (synod_ctx_t *ctx, synod_str_t bytes, synod_fault_t *fault)
{
    return synod__place_add (ctx->rt, bytes, fault);
}

const char *synod__ctx_placed (const synod_ctx_t *ctx, uint32_t *at, uint32_t *replicas)
{
    const synod__rt_t *rt = ctx->rt;
    while (*at < rt->ninstances) {
        const synod_actor_t *type = rt->instances[(*at)++]->type;
        if (type->placement != SYNOD_SHARDED)
            continue;
        *replicas = type->replicas;
        return type->name;
    }
    return NULL;
}

static bool s_up_to_date (const synod__replica_t *replica, const synod__replica_peer_t *peer)
{
    return peer->marked && peer->acked + S_LAG >= replica->head.n;
}

static bool s_owned (const synod__partition_t *self)
{
    return self && self->replica.role == SYNOD__REPLICA_OWNER;
}

static bool s_down (const synod__rt_t *rt, const synod__store_id_t *id)
{
    const synod__member_t *member = synod__epoch_store (&synod__place_now (rt->place)->epoch, id);
    return !member || member->down;
}

static void s_count (const synod__rt_t *rt, const synod__partition_t *self, synod__place_progress_t *out)
{
    const synod__replica_t *replica = &self->replica;
    bool prepared = true, behind = false;
    out->owned++;
    out->serving += synod__partition_serving (self);
    out->unsettled += !synod__replica_settled (replica);
    for (uint32_t i = 0; i < replica->replicas + replica->learners; i++) {
        if (i == replica->owner || s_up_to_date (replica, &replica->peers[i]))
            continue;
        if (i >= replica->replicas)
            prepared = false;
        else if (!s_down (rt, &replica->peers[i].id))
            behind = true;
    }
    out->unprepared += !prepared || (replica->learners && !synod__partition_serving (self));
    out->behind += behind;
}

void synod__place_count (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    const synod__known_t *now = synod__place_now (place);
    synod__place_progress_t out = {.epoch = now ? now->epoch.number : 0, .bytes = place->moved_bytes};
    for (uint32_t i = 0; i < place->nplaced; i++)
        for (uint32_t p = 0; place->placed[i]->partition && p < place->placed[i]->partitions; p++)
            if (s_owned (place->placed[i]->partition[p]))
                s_count (rt, place->placed[i]->partition[p], &out);
    place->progress = out;
    place->look = false;
}

void synod__ctx_progress (const synod_ctx_t *ctx, synod__place_progress_t *out)
{
    if (ctx->rt->place->look)
        synod__place_count (ctx->rt);
    *out = ctx->rt->place->progress;
}

uint32_t synod__ctx_behind (const synod_ctx_t *ctx, const synod__store_id_t *member)
{
    const synod__place_t *place = ctx->rt->place;
    uint32_t count = 0;
    for (uint32_t i = 0; i < place->nplaced; i++)
        for (uint32_t p = 0; place->placed[i]->partition && p < place->placed[i]->partitions; p++) {
            const synod__partition_t *self = place->placed[i]->partition[p];
            if (!s_owned (self))
                continue;
            for (uint32_t r = 0; r < self->replica.replicas; r++)
                if (synod__store_id_compare (&self->replica.peers[r].id, member) == 0)
                    count += r != self->replica.owner && !s_up_to_date (&self->replica, &self->replica.peers[r]);
        }
    return count;
}

bool synod__ctx_stopping (const synod_ctx_t *ctx)
{
    return ctx->rt->place->handing_us != 0;
}

/* ---- handing over ---- */

/* Whether everything that was owned here is owned, and marked, elsewhere. */
static bool s_handed (synod__rt_t *rt)
{
    const synod__place_t *place = rt->place;
    for (uint32_t i = 0; i < place->nplaced; i++)
        for (uint32_t p = 0; place->placed[i]->partition && p < place->placed[i]->partitions; p++) {
            const synod__partition_t *self = place->placed[i]->partition[p];
            if (!self || !self->replica.epoch)
                continue;
            if (s_owned (self) && self->replica.replicas > 1)
                return false;
            if (self->replica.role == SYNOD__REPLICA_MEMBER && self->replica.head.mark < self->replica.term)
                return false;
        }
    return true;
}

bool synod__place_handing (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    const synod__member_t *self = synod__place_self (rt);
    if (!place->handing_us) {
        if (!self || self->down || synod__place_now (place)->epoch.nmembers < 2 || s_handed (rt))
            return false;
        place->handing_us = rt->now_us + (int64_t) rt->config.drain_ms * 500;
        synod_envelope_t env = {.kind = SYNOD_KIND_TELL, .method = synod_str ("stopping")};
        char address[2 * SYNOD_NAME_MAX + 2];
        synod_str_t to = synod__address_join (rt->node, synod_str ("ring"), address, sizeof address);
        synod__stream_put (rt, rt->self, to, &env);
        return true;
    }
    return rt->now_us < place->handing_us && !s_handed (rt);
}
