/* SPDX-License-Identifier: MPL-2.0
 *
 * The cache for Redis' clients: a key whose home is this node is looked up at once, in the node's own thread; any other is
 * asked for on the bus.
 */
#include "actors/redis/redis.h"
#include "actors/runtime/runtime.h"
#include "cache_actor.h"

typedef struct {
    synod__redis_t redis; /* first */
    synod__cache_actor_t *actor;
} s_gateway_t;

static bool s_run (synod_ctx_t *ctx, void *self_, synod__redis_kind_t kind, synod_str_t key, const void *in, void *out,
                   int *rc, synod_fault_t *fault)
{
    s_gateway_t *self = (s_gateway_t *) self_;
    synod__cache_t *cache = &self->actor->cache;
    bool large = kind == SYNOD__REDIS_UPLOAD || kind == SYNOD__REDIS_PIECE;
    if (large || (key.data && !synod__ctx_home (ctx, key))) /* there are pieces of what is elsewhere alone */
        return false;
    if (kind != SYNOD__REDIS_GET && key.data)
        synod__cache_fill_spoil (self->actor, key);
    synod__cache_now_t now = synod__cache_now (ctx, self->actor);
    switch (kind) {
    case SYNOD__REDIS_GET:
        *rc = synod__cache_get (cache, now, key, (const synod__kv_get_t *) in, (synod__kv_is_t *) out, fault);
        break;
    case SYNOD__REDIS_PUT:
        *rc = synod__cache_put (cache, now, key, (const synod__kv_put_t *) in, (synod__kv_is_t *) out, fault);
        break;
    case SYNOD__REDIS_DELETE:
        *rc = synod__cache_delete (cache, now, key, (const synod__kv_delete_t *) in, (synod__kv_is_t *) out, fault);
        break;
    case SYNOD__REDIS_INCR:
        *rc = synod__cache_incr (cache, now, key, (const synod__kv_incr_t *) in, (synod__kv_is_t *) out, fault);
        break;
    case SYNOD__REDIS_APPEND:
        *rc = synod__cache_append (cache, now, key, (const synod__kv_append_t *) in, (synod__kv_is_t *) out, fault);
        break;
    case SYNOD__REDIS_EXPIRE:
        *rc = synod__cache_expire (cache, now, key, (const synod__kv_expire_t *) in, (synod__kv_is_t *) out, fault);
        break;
    case SYNOD__REDIS_UPLOAD:
    case SYNOD__REDIS_PIECE:
        return false;
    case SYNOD__REDIS_STAT:
        memset (out, 0, sizeof (synod__kv_stat_is_t));
        synod__cache_stat (cache, (synod__kv_stat_is_t *) out);
        *rc = SYNOD_OK;
        break;
    case SYNOD__REDIS_SCAN:
        cache->items.size = 0;
        *rc = synod__cache_scan (cache, now, (const synod__kv_scan_t *) in, (synod__kv_scanned_t *) out, fault);
        break;
    }
    return true;
}

static int s_after (synod_ctx_t *ctx, void *self)
{
    return synod__cache_set (ctx, ((s_gateway_t *) self)->actor);
}

static const synod__redis_back_t s_back = {
    .actor = SYNOD__CACHE_ACTOR, .node = SYNOD__CACHE_ACTOR, .pieces = true, .run = s_run, .after = s_after};

static synod_str_t s_endpoint (const void *args)
{
    return args ? ((const synod__cache_args_t *) args)->redis : synod_str_n (NULL, 0);
}

static int s_init (synod_ctx_t *ctx, void *self_, void *actor)
{
    s_gateway_t *self = (s_gateway_t *) self_;
    self->actor = (synod__cache_actor_t *) actor;
    return synod__redis_init (ctx, &self->redis, &s_back, self);
}

const synod_gateway_t synod__cache_gateway = {
    .endpoint = s_endpoint,
    .state_size = sizeof (s_gateway_t),
    .conn_size = SYNOD__REDIS_CONN,
    .init = s_init,
    .fini = synod__redis_fini,
    .on_open = synod__redis_on_open,
    .on_bytes = synod__redis_on_bytes,
    .on_end = synod__redis_on_end,
    .on_close = synod__redis_on_close,
};
