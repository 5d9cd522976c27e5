/* SPDX-License-Identifier: MPL-2.0
 *
 * Looking at what a node has of the ring and of placed actors, for checkers of the simulator: on its disk, that may be
 * down, and in its memory. Nothing here changes anything.
 */
#ifndef SYNOD_RUNTIME_PLACE_LOOK_H_INCLUDED
#define SYNOD_RUNTIME_PLACE_LOOK_H_INCLUDED

#include "actors/place/place.h"
#include "actors/place/replica.h"
#include "runtime.h"

/* ---- a disk ---- */

/* Visits the epochs that are kept, in their order; values are packed. */
int synod__look_epochs (synod__disk_t *disk, synod_on_entry_t *on_entry, void *arg);
uint64_t synod__look_epoch_number (synod_str_t key);

/* The copy of a partition of ACTOR: its head, and ON_ENTRY (may be NULL) for each of its entries, keys as in batches.
 * False: there is none; entries that are there all the same are visited. */
bool synod__look_copy (synod__disk_t *disk, const char *actor, uint32_t partition, synod__replica_head_t *head,
                       synod_on_entry_t *on_entry, void *arg);

/* What a write of the runtime is about: PREFIX and BATCH as it gave them to the disk. */
typedef enum {
    SYNOD__LOOK_OTHER,
    SYNOD__LOOK_EPOCHS,
    SYNOD__LOOK_COPY /* of *PARTITION of ACTOR, or its head */
} synod__look_t;
synod__look_t synod__look_write (synod_str_t prefix, synod_str_t batch, const char *actor, uint32_t *partition);

/* ---- a runtime ---- */

void synod__look_progress (const synod__rt_t *rt, synod__place_progress_t *out); /* as synod__ctx_progress */

/* What becomes of turns: REPLICA is as it is when handlers of its partition have run in TURN, and when the messages of
 * turns up to TURN are let go. Borrowed as long as RT lives. */
typedef struct {
    void *arg;
    void (*turn) (void *arg, uint32_t partition, const synod__replica_t *replica, uint64_t turn);
    void (*released) (void *arg, uint32_t partition, const synod__replica_t *replica, uint64_t turn);
} synod__look_turns_t;
void synod__look_turns (synod__rt_t *rt, const synod__look_turns_t *watch);

/* NULL: the node has nothing to do with the partition. */
const synod__replica_t *synod__look_replica (const synod__rt_t *rt, const char *actor, uint32_t partition);

bool synod__look_settled (const synod__rt_t *rt); /* whether all that was written is durable */

#endif
