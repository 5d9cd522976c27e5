/* SPDX-License-Identifier: MPL-2.0
 *
 * What synod's own placed actors (actors/kv) see of their node beyond the actor contract. All of these as the functions
 * of a context (synod/actor.h): in an actor's own functions only.
 */
#ifndef SYNOD_PLACE_INSIDE_H_INCLUDED
#define SYNOD_PLACE_INSIDE_H_INCLUDED

#include <synod/actor.h>
#include "epoch.h"
#include "ring.h"

/* The number of the batch that this handler's writes become: greater than that of any batch whose writes were ever
 * acknowledged, whoever owned the partition then, and no other handler's. From 1; 0: this actor is not placed by key. */
uint64_t synod__ctx_position (const synod_ctx_t *ctx);

/* What this handler has staged so far is dropped, as if it had failed; it may go on, to say why. */
void synod__ctx_drop (synod_ctx_t *ctx);
/* Whether this actor still may answer CALL: it is not over. */
bool synod__ctx_waits (const synod_ctx_t *ctx, synod_call_t call);

/* Which partition this handler runs for; 0 if that is none. */
uint32_t synod__ctx_partition (const synod_ctx_t *ctx);

/* The memory, of its state's size and zeroed at the node's start, that all partitions of the placed actor ACTOR have in
 * common on this node; nothing of it is stored or copied. NULL: the node does not run it, or it is not placed by key.
 * Owned by the runtime, lives as long as the node. */
void *synod__ctx_shared (const synod_ctx_t *ctx, const char *actor);
/* The arguments that it was given, a record of its args; NULL: it takes none, or as above. */
const void *synod__ctx_shared_args (const synod_ctx_t *ctx, const char *actor);

/* Who holds what of ACTOR in the epoch in force. NULL: the node knows of no ring that has it. Borrowed until the handler
 * returns, as EPOCH, which may be NULL. */
const synod__ring_t *synod__ctx_table (const synod_ctx_t *ctx, const char *actor, const synod__epoch_t **epoch);

/* Sets the bit of each partition of ACTOR (the lowest first, in BITS, zeroed, of a bit for each) that this node owns and
 * that may hold something; one that it owns and has not written to, ever and anywhere, is left out. */
void synod__ctx_held (const synod_ctx_t *ctx, const char *actor, uint8_t *bits);

#endif
