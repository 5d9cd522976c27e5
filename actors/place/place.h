/* SPDX-License-Identifier: MPL-2.0
 *
 * What a node's runtime knows of the ring, for the actor `ring`, which decides its epochs with others (ring_actor.h).
 * The runtime does the rest: it enters epochs, keeps the copies, serves and forwards (actors/runtime/place.h).
 *
 * All of these as the functions of a context (synod/actor.h): in the ring actor's own handlers only.
 */
#ifndef SYNOD_PLACE_PLACE_H_INCLUDED
#define SYNOD_PLACE_PLACE_H_INCLUDED

#include <synod/actor.h>
#include "epoch.h"

/* The epoch that this node is in. Owned by the runtime, as it is until the handler returns or enters another; NULL: none. */
const synod__epoch_t *synod__ctx_epoch (const synod_ctx_t *ctx);

/* The node is in the epoch BYTES (of synod__epoch_pack), which was decided: it is written with what else this handler
 * writes, at the latest, and sealed up to. One that is known does nothing; any later one will do, gaps included.
 * SYNOD_OK; SYNOD_BAD_REQUEST or SYNOD_INVALID: no epoch; SYNOD_REFUSED: of another ring than the node is in. */
int synod__ctx_enter_epoch (synod_ctx_t *ctx, synod_str_t bytes, synod_fault_t *fault);

/* The placed actors that this node runs, one after another from *AT = 0. NULL: no more. REPLICAS: what its type asks for. */
const char *synod__ctx_placed (const synod_ctx_t *ctx, uint32_t *at, uint32_t *replicas);

/* How far this node is with the partitions that it owns in its epoch. */
typedef struct {
    uint64_t epoch;      /* 0: it is in none */
    uint32_t owned;      /* partitions, of all types together, as all here */
    uint32_t serving;    /* of those */
    uint32_t unsettled;  /* not all replicas of the epoch have been brought into it */
    uint32_t unprepared; /* not all learners have all batches */
    uint32_t behind;     /* not all replicas have all batches, those marked down apart */
    uint64_t bytes;      /* sent to bring others, since the node started */
} synod__place_progress_t;
void synod__ctx_progress (const synod_ctx_t *ctx, synod__place_progress_t *out);
/* Of the partitions owned here: how many are not yet with MEMBER as they should be: unmarked, or lacking batches. */
uint32_t synod__ctx_behind (const synod_ctx_t *ctx, const synod__store_id_t *member);

/* The node has been asked to stop and waits for others to own what it owns (until its drain time is over). */
bool synod__ctx_stopping (const synod_ctx_t *ctx);

#endif
