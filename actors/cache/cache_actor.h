/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `cache`: the core and what goes on around it on one node (docs/cache.md). It follows the directory: cache#KEY
 * is on one of the nodes that run it, and nothing is copied.
 *
 * Invariant: for a key at most one fill is under way here. What comes of it goes to all who wait for it and are not over
 * their deadline, and is kept unless the key was written since it was asked for.
 */
#ifndef SYNOD_CACHE_CACHE_ACTOR_H_INCLUDED
#define SYNOD_CACHE_CACHE_ACTOR_H_INCLUDED

#include <synod/actor.h>
#include "protocol/catalogue.h"
#include "cache.h"

#define SYNOD__CACHE_ACTOR     "cache"
#define SYNOD__CACHE_FILLS_MAX 16384 /* under way at a time */

#define SYNOD__CACHE_ARGS_FIELDS(FIELD, OPT)                                                                     \
    OPT (u64, memory, UINT64_MAX, "bytes that keys and values may take, what is used least goes; missing: 256M") \
    OPT (str, redis, 255, "HOST:PORT where Redis' clients may connect; missing: nowhere")
SYNOD_RECORD_DECLARE (synod__cache_args, SYNOD__CACHE_ARGS_FIELDS)

typedef struct synod__cache_fill_t synod__cache_fill_t; /* hash by key */

typedef struct {
    synod__cache_t cache;
    synod__cache_fill_t *fills;
    uint32_t nfills;
    bool sweeping;          /* the timer is set */
    synod__cache_now_t now; /* of the last turn that asked for it */
    synod_buf_t many;       /* answers */
} synod__cache_actor_t;

extern const synod_actor_t synod__cache_actor;
extern const synod_gateway_t synod__cache_gateway; /* for Redis' clients */

synod__cache_now_t synod__cache_now (const synod_ctx_t *ctx, synod__cache_actor_t *self);

/* After any command that set something: sees to what has a deadline. */
int synod__cache_set (synod_ctx_t *ctx, synod__cache_actor_t *self);
/* KEY is written: what is on its way to it is older. */
void synod__cache_fill_spoil (synod__cache_actor_t *self, synod_str_t key);
/* Answers CALL with the value, at once or when it has come. */
int synod__cache_fill (synod_ctx_t *ctx, synod__cache_actor_t *self, synod_str_t key, const synod__kv_get_or_fill_t *in,
                       synod_call_t call);
/* many.c: asks of many keys in one message. */
int synod__cache_on_many (synod_ctx_t *ctx, void *state, const synod__many_t *in, synod_call_t call);
void synod__cache_fills_end (synod__cache_actor_t *self);
/* Whether the invariants hold: for checkers. */
bool synod__cache_actor_check (const synod__cache_actor_t *self);

#endif
