/* SPDX-License-Identifier: MPL-2.0
 *
 * What synod's own placed actors see of their node (actors/place/inside.h).
 */
#include "place.h"
#include "actors/place/inside.h"

uint64_t synod__ctx_position (const synod_ctx_t *ctx)
{
    const synod__partition_t *partition = ctx->instance->partition;
    return partition ? partition->replica.head.n + 1 : 0;
}

void synod__ctx_drop (synod_ctx_t *ctx)
{
    synod__stage_drop (ctx->instance);
}

bool synod__ctx_waits (const synod_ctx_t *ctx, synod_call_t call)
{
    const synod__kept_t *kept = synod__call_find (ctx->rt, call);
    return kept && !kept->answered && kept->instance == ctx->instance;
}

uint32_t synod__ctx_partition (const synod_ctx_t *ctx)
{
    return ctx->instance->partition ? ctx->instance->partition->index : 0;
}

/* The instance of the node itself, which runs nothing. */
static synod__instance_t *s_shared (const synod_ctx_t *ctx, const char *actor)
{
    synod__instance_t *instance = ctx->instance->partition ? ctx->instance->partition->placed->actor : NULL;
    if (!instance || !synod_str_is (instance->name, actor))
        instance = synod__instance_find (ctx->rt, synod_str (actor));
    return instance && instance->type->placement == SYNOD_SHARDED ? instance : NULL;
}

void *synod__ctx_shared (const synod_ctx_t *ctx, const char *actor)
{
    const synod__instance_t *instance = s_shared (ctx, actor);
    return instance ? instance->state : NULL;
}

const void *synod__ctx_shared_args (const synod_ctx_t *ctx, const char *actor)
{
    const synod__instance_t *instance = s_shared (ctx, actor);
    return instance ? instance->args : NULL;
}

const synod__ring_t *synod__ctx_table (const synod_ctx_t *ctx, const char *actor, const synod__epoch_t **epoch)
{
    const synod__known_t *now = synod__place_now (ctx->rt->place);
    const synod__shards_t *placed = synod__place_type (ctx->rt, synod_str (actor));
    if (!now || !placed)
        return NULL;
    if (epoch)
        *epoch = &now->epoch;
    return synod__placed_now (placed);
}

void synod__ctx_held (const synod_ctx_t *ctx, const char *actor, uint8_t *bits)
{
    const synod__shards_t *placed = synod__place_type (ctx->rt, synod_str (actor));
    for (uint32_t i = 0; placed && placed->partition && i < placed->partitions; i++) {
        const synod__partition_t *self = placed->partition[i];
        if (!self || self->replica.role != SYNOD__REPLICA_OWNER)
            continue;
        if (self->replica.head.n || !synod__partition_serving (self))
            bits[i / 8] |= (uint8_t) (1u << i % 8);
    }
}
