/* SPDX-License-Identifier: MPL-2.0
 *
 * The invariants of one partition's replication, watched from outside: tests and the simulator tell it each epoch that is
 * decided, what is on every disk after each commit, and what owners order, serve, release.
 *
 *   - a seal never decreases, nor does a mark but by deleting; a mark is at most the seal; a wiped store is another store;
 *   - one store serves an epoch, its owner, when a majority of its replicas is marked;
 *   - n grows by one, without gaps; one (t, n), t a term, is one state of the copy, wherever it is, to the last byte;
 *   - whatever is marked t holds what the owner adopted in t, and then t's batches in order;
 *   - a turn is released when a majority of the epoch's replicas has had on disk all that it could see;
 *   - what was released is in the copy of every later epoch that serves, and what an epoch that serves has dropped does not
 *     come back;
 *   - a turn sees all that was released before its frames were taken.
 *
 * The last two hold while a majority of each epoch's replicas keep their disks.
 */
#ifndef SYNOD_PLACE_REPLICA_CHECK_H_INCLUDED
#define SYNOD_PLACE_REPLICA_CHECK_H_INCLUDED

#include "replica.h"

typedef struct synod__replica_check_t synod__replica_check_t;

/* A place in the history: batch N, of the term EPOCH. 0, 0: before the first. */
typedef struct {
    uint64_t epoch, n;
} synod__replica_at_t;

/* NULL: memory ran out. */
synod__replica_check_t *synod__replica_check_new (void);
void synod__replica_check_destroy (synod__replica_check_t **self_p);

/* Each SYNOD_OK, SYNOD_NO_MEMORY, or SYNOD_FAILED with the invariant that does not hold. Views are copied. */

/* The next epoch is decided. */
int synod__replica_check_epoch (synod__replica_check_t *self, const synod__replica_view_t *view, synod_fault_t *fault);
/* What is durable at a store after a commit; DIGEST is that of its copy's whole content, 0 of none. The only copy of its
 * epoch may be numbered ahead of its batches: it has no state that others could compare with. */
#define SYNOD__REPLICA_CHECK_AHEAD UINT64_MAX
int synod__replica_check_disk (synod__replica_check_t *self, const synod__store_id_t *id,
                               const synod__replica_head_t *head, uint64_t seal, uint64_t digest, synod_fault_t *fault);
/* Its owner serves in TERM, from what is durable at ID. */
int synod__replica_check_serves (synod__replica_check_t *self, const synod__store_id_t *id, uint64_t term,
                                 synod_fault_t *fault);
/* The owner in TERM releases a turn that saw the batches up to SEEN. ASKED is what synod__replica_check_known said when
 * the turn had taken its frames. */
int synod__replica_check_released (synod__replica_check_t *self, const synod__store_id_t *id, uint64_t term,
                                   synod__replica_at_t seen, synod__replica_at_t asked, synod_fault_t *fault);
/* The last batch that anybody may have learned of. */
synod__replica_at_t synod__replica_check_known (const synod__replica_check_t *self);

#endif
