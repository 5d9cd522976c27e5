/* SPDX-License-Identifier: MPL-2.0
 *
 * The table for Redis' clients. Each key is asked for at its owner, also when that is this node: what is written is durable,
 * and copied, before its reply leaves.
 */
#include "actors/redis/redis.h"
#include "kv.h"

static const synod__redis_back_t s_back = {
    .actor = SYNOD__KV_ACTOR, .node = SYNOD__KV_NODE, .once = true, .ordered = true, .pieces = true};

static synod_str_t s_endpoint (const void *args)
{
    return args ? ((const synod__kv_args_t *) args)->redis : synod_str_n (NULL, 0);
}

static int s_init (synod_ctx_t *ctx, void *self, void *actor)
{
    (void) actor;
    return synod__redis_init (ctx, (synod__redis_t *) self, &s_back, NULL);
}

const synod_gateway_t synod__kv_gateway = {
    .endpoint = s_endpoint,
    .state_size = sizeof (synod__redis_t),
    .conn_size = SYNOD__REDIS_CONN,
    .init = s_init,
    .fini = synod__redis_fini,
    .on_open = synod__redis_on_open,
    .on_bytes = synod__redis_on_bytes,
    .on_end = synod__redis_on_end,
    .on_close = synod__redis_on_close,
};
