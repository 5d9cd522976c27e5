/* SPDX-License-Identifier: MPL-2.0
 *
 * What the actors `kv` and `kv-node` of a node share.
 */
#ifndef SYNOD_KV_NODE_H_INCLUDED
#define SYNOD_KV_NODE_H_INCLUDED

#include "kv.h"
#include "actors/place/inside.h"

/* Of all partitions that have memory on the node: those that were used since it owns them, which kv-node sees to. */
typedef struct {
    uint64_t keys, bytes;
    uint64_t memory; /* what BYTES may come to; 0: no bound */
    uint64_t hits, misses, expired, refused;
    int64_t watched_us; /* changes of all partitions, also of those without memory yet, are published until then */
} synod__kv_shared_t;

/* NULL: the node does not run kv. */
synod__kv_shared_t *synod__kv_shared (const synod_ctx_t *ctx);

/* Changes are published for MS from now: UNTIL_US is put off, or stays where it is later. */
void synod__kv_watch_for (const synod_ctx_t *ctx, int64_t *until_us, uint64_t ms);

#endif
