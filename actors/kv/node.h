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
} synod__kv_shared_t;

/* NULL: the node does not run kv. */
synod__kv_shared_t *synod__kv_shared (const synod_ctx_t *ctx);

#endif
