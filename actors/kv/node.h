/* SPDX-License-Identifier: MPL-2.0
 *
 * What the actors `kv` and `kv-node` of a node share.
 */
#ifndef SYNOD_KV_NODE_H_INCLUDED
#define SYNOD_KV_NODE_H_INCLUDED

#include "kv.h"
#include "actors/place/inside.h"

/* A partition that is served here: how far it is, for those who watch. */
typedef struct synod__kv_mark_t {
    struct synod__kv_mark_t *prev, *next;
    uint64_t order;   /* among all here: it changed, or came, after those with lower ones; 0: it is none */
    uint64_t version; /* of its last change, or not before that */
    uint32_t partition;
} synod__kv_mark_t;

/* Of all partitions that have memory on the node: those that were used since it owns them, which kv-node sees to. */
typedef struct {
    uint64_t keys, bytes;
    uint64_t memory; /* what BYTES may come to; 0: no bound */
    uint64_t hits, misses, expired, refused;
    int64_t watched_us;      /* changes of all partitions are published until then */
    synod__kv_mark_t *marks; /* by order */
    uint64_t order, life;    /* the last one; of this counting */
} synod__kv_shared_t;

/* NULL: the node does not run kv. */
synod__kv_shared_t *synod__kv_shared (const synod_ctx_t *ctx);

/* kv_told.c: what a node tells of its partitions. */
int synod__kv_on_held (synod_ctx_t *ctx, void *state, const synod__kv_held_t *in, synod_call_t call);
int synod__kv_on_marks (synod_ctx_t *ctx, void *state, const synod__kv_marks_t *in, synod_call_t call);
int synod__kv_on_stat (synod_ctx_t *ctx, void *state, const synod__kv_stat_t *in, synod_call_t call);

/* Changes are published for MS from now: UNTIL_US is put off, or stays where it is later. */
void synod__kv_watch_for (const synod_ctx_t *ctx, int64_t *until_us, uint64_t ms);

#endif
