/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `cache`: its methods.
 */
#include "cache_actor.h"

SYNOD_RECORD_DEFINE (synod__cache_args, SYNOD__CACHE_ARGS_FIELDS, 0, "what `cache` may be told with --set")

synod__cache_now_t synod__cache_now (const synod_ctx_t *ctx, synod__cache_actor_t *self)
{
    if (self->now.now_us != synod_now_us (ctx))
        self->now = (synod__cache_now_t){.now_us = synod_now_us (ctx), .wall_ms = synod_wall_us (ctx) / 1000};
    return self->now;
}

/* ---- what grows old ---- */

static int s_on_sweep (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod__cache_actor_t *self = (synod__cache_actor_t *) state;
    (void) arg;
    uint32_t again_ms = synod__cache_sweep (&self->cache, synod_now_us (ctx));
    self->sweeping = again_ms > 0;
    return again_ms ? synod_after (ctx, again_ms, s_on_sweep, 0, NULL) : SYNOD_OK;
}

int synod__cache_set (synod_ctx_t *ctx, synod__cache_actor_t *self)
{
    if (self->sweeping || !synod__cache_table_count (self->cache.table).timed)
        return SYNOD_OK;
    self->sweeping = true;
    return s_on_sweep (ctx, self, 0);
}

/* ---- methods ---- */

static int s_key (synod_ctx_t *ctx, synod_str_t *key)
{
    *key = synod_key (ctx);
    return key->data ? SYNOD_OK
                     : synod_error (ctx, SYNOD_BAD_REQUEST, "a key is addressed as %s#KEY", SYNOD__CACHE_ACTOR);
}

/* A handler of a command on one key. */
#define S_ON(name, writes)                                                                                    \
    static int s_on_##name (synod_ctx_t *ctx, void *state, const synod__kv_##name##_t *in, synod_call_t call) \
    {                                                                                                         \
        synod__cache_actor_t *self = (synod__cache_actor_t *) state;                                          \
        synod__kv_is_t out;                                                                                   \
        synod_fault_t fault = {0};                                                                            \
        synod_str_t key;                                                                                      \
        int rc = s_key (ctx, &key);                                                                           \
        if (rc != SYNOD_OK)                                                                                   \
            return rc;                                                                                        \
        rc = synod__cache_##name (&self->cache, synod__cache_now (ctx, self), key, in, &out, &fault);         \
        if (rc != SYNOD_OK)                                                                                   \
            return synod_error (ctx, rc, "%s", fault.text);                                                   \
        if (writes)                                                                                           \
            synod__cache_fill_spoil (self, key);                                                              \
        rc = writes ? synod__cache_set (ctx, self) : SYNOD_OK;                                                \
        if (rc != SYNOD_OK || !call.id)                                                                       \
            return rc;                                                                                        \
        synod__cache_told (&self->cache, synod__cache_now (ctx, self), &out);                                 \
        return synod_reply (ctx, call, &synod__kv_is_record, &out);                                           \
    }

S_ON (get, false)
S_ON (put, true)
S_ON (delete, true)
S_ON (incr, true)
S_ON (append, true)
S_ON (expire, true)

static int s_on_upload (synod_ctx_t *ctx, void *state, const synod__kv_upload_t *in, synod_call_t call)
{
    synod__cache_actor_t *self = (synod__cache_actor_t *) state;
    const synod__kv_uploaded_t out = {0};
    synod_fault_t fault = {0};
    synod_str_t key;
    int rc = s_key (ctx, &key);
    if (rc != SYNOD_OK)
        return rc;
    rc = synod__cache_upload (&self->cache, synod__cache_now (ctx, self), in, &fault);
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s", fault.text);
    rc = synod__cache_set (ctx, self);
    return rc == SYNOD_OK && call.id ? synod_reply (ctx, call, &synod__kv_uploaded_record, &out) : rc;
}

static int s_on_piece (synod_ctx_t *ctx, void *state, const synod__kv_piece_t *in, synod_call_t call)
{
    synod__cache_actor_t *self = (synod__cache_actor_t *) state;
    synod__kv_piece_is_t out;
    synod_fault_t fault = {0};
    synod_str_t key;
    int rc = s_key (ctx, &key);
    if (rc == SYNOD_OK && (rc = synod__cache_piece (&self->cache, synod__cache_now (ctx, self), key, in, &out, &fault)))
        return synod_error (ctx, rc, "%s", fault.text);
    return rc == SYNOD_OK && call.id ? synod_reply (ctx, call, &synod__kv_piece_is_record, &out) : rc;
}

static int s_on_fill (synod_ctx_t *ctx, void *state, const synod__kv_get_or_fill_t *in, synod_call_t call)
{
    synod_str_t key;
    int rc = s_key (ctx, &key);
    if (rc != SYNOD_OK || !call.id) /* nobody waits for it */
        return rc;
    return synod__cache_fill (ctx, (synod__cache_actor_t *) state, key, in, call);
}

static int s_on_stat (synod_ctx_t *ctx, void *state, const synod__kv_stat_t *in, synod_call_t call)
{
    const synod__cache_actor_t *self = (const synod__cache_actor_t *) state;
    synod__kv_stat_is_t out = {.node = synod_str (synod_node (ctx))};
    (void) in;
    synod__cache_stat (&self->cache, &out);
    return synod_reply (ctx, call, &synod__kv_stat_is_record, &out);
}

static int s_on_scan (synod_ctx_t *ctx, void *state, const synod__kv_scan_t *in, synod_call_t call)
{
    synod__cache_actor_t *self = (synod__cache_actor_t *) state;
    synod__kv_scanned_t out;
    synod_fault_t fault = {0};
    int rc = synod__cache_scan (&self->cache, synod__cache_now (ctx, self), in, &out, &fault);
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s", fault.text);
    return synod_reply (ctx, call, &synod__kv_scanned_record, &out);
}

/* ---- life ---- */

static int s_init (synod_ctx_t *ctx, void *state, const void *args)
{
    synod__cache_actor_t *self = (synod__cache_actor_t *) state;
    const synod__cache_args_t *given = (const synod__cache_args_t *) args;
    uint64_t bound = given && given->memory ? given->memory : SYNOD__CACHE_MEMORY;
    if (bound < SYNOD__CACHE_LEAST)
        return synod_error (ctx, SYNOD_INVALID, "memory: expected %d bytes or more, got %llu", SYNOD__CACHE_LEAST,
                            (unsigned long long) bound);
    if (synod__cache_begin (&self->cache, synod_random (ctx), bound) != SYNOD_OK)
        return synod_error (ctx, SYNOD_NO_MEMORY, "no memory for a cache");
    return SYNOD_OK;
}

static void s_fini (synod_ctx_t *ctx, void *state)
{
    synod__cache_actor_t *self = (synod__cache_actor_t *) state;
    (void) ctx;
    synod__cache_fills_end (self);
    synod_buf_free (&self->many);
    synod__cache_end (&self->cache);
}

const synod_actor_t synod__cache_actor = {
    .name = SYNOD__CACHE_ACTOR,
    .doc = "a cache in memory, by key on one of the nodes that run it",
    .state_size = sizeof (synod__cache_actor_t),
    .args = &synod__cache_args_record,
    .init = s_init,
    .fini = s_fini,
    .routes =
        (const synod_route_t[]){SYNOD_ON (synod__kv_get, s_on_get), SYNOD_ON (synod__kv_put, s_on_put),
                                SYNOD_ON (synod__kv_delete, s_on_delete), SYNOD_ON (synod__kv_incr, s_on_incr),
                                SYNOD_ON (synod__kv_append, s_on_append), SYNOD_ON (synod__kv_expire, s_on_expire),
                                SYNOD_ON (synod__kv_get_or_fill, s_on_fill), SYNOD_ON (synod__kv_upload, s_on_upload),
                                SYNOD_ON (synod__kv_piece, s_on_piece), SYNOD_ON (synod__kv_scan, s_on_scan),
                                SYNOD_ON (synod__kv_stat, s_on_stat), SYNOD_ON (synod__many, synod__cache_on_many),
                                SYNOD_END},
    .placement = SYNOD_FOLLOW,
    .gateway = &synod__cache_gateway,
};
