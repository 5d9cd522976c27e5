/* SPDX-License-Identifier: MPL-2.0
 *
 * What the files of the replica share. replica.c: life, epochs, steps, who may say what; replica_log.c: heads, runs, the
 * tail; replica_seal.c: sealing, walking back, adopting; replica_owner.c: batches, rounds, turns; replica_source.c: what
 * one who asks is sent; replica_copy.c: taking batches and snapshots.
 */
#ifndef SYNOD_PLACE_REPLICA_INTERNAL_H_INCLUDED
#define SYNOD_PLACE_REPLICA_INTERNAL_H_INCLUDED

#include "replica.h"

/* replica_log.c */

#define SYNOD__EPOCH_FORGOTTEN UINT64_MAX

/* The epoch of batch N: 0 for N 0, SYNOD__EPOCH_FORGOTTEN if its run is. N is at most the log's. */
uint64_t synod__runs_at (const synod__replica_log_t *log, uint64_t n);
static inline uint64_t synod__runs_last (const synod__replica_log_t *log)
{
    return synod__runs_at (log, log->n);
}
bool synod__runs_add (synod__replica_log_t *log, uint64_t epoch); /* batch n + 1; false: no memory */
void synod__runs_cut (synod__replica_log_t *log, uint64_t n);
/* The last batch that both have; 0 also when it is forgotten. */
uint64_t synod__runs_common (const synod__replica_log_t *a, const synod__replica_log_t *b);
/* Whether the runs of a message are some: in order, epochs growing up to EPOCH, none beyond N. Fills LOG, which
 * borrows them and has no mark. */
bool synod__runs_take (synod__replica_log_t *log, const synod__replica_message_t *in);

bool synod__runs_copy (synod__replica_log_t *to, const synod__replica_log_t *from); /* false: no memory */
void synod__runs_free (synod__replica_log_t *log);                                  /* and empties it */

/* Whether batches from FIRST to the head's last are all in the tail; true also when there are none. */
bool synod__tail_covers (const synod__replica_t *self, uint64_t first);
const synod__replica_batch_t *synod__tail_at (const synod__replica_t *self, uint64_t n); /* NULL: not there */
bool synod__tail_push (synod__replica_t *self, const synod__replica_batch_t *batch);     /* copies; false: no memory */
void synod__tail_clear (synod__replica_t *self);
/* Takes the batches after N back, by writes of this step. False, and nothing is done, where an undo is not known. */
bool synod__tail_cut (synod__replica_t *self, uint64_t n);
/* The undo of the batch BACK before the last; false: no memory. */
bool synod__tail_set_undo (synod__replica_t *self, uint32_t back, synod_str_t undo);
bool synod__tail_over (const synod__replica_t *self); /* there is something to trim */
void synod__tail_trim (synod__replica_t *self);
bool synod__tail_copy (synod_str_t *to, synod_str_t from); /* false: no memory */

/* replica.c */

void synod__replica_begin (synod__replica_t *self); /* of a step */
const synod__replica_step_t *synod__replica_end (synod__replica_t *self);
void synod__replica_write (synod__replica_t *self, synod__replica_write_kind_t kind,
                           const synod__replica_batch_t *batch); /* NULL: none; its bytes are borrowed */
static inline synod__replica_step_t *synod__step (const synod__replica_t *self)
{
    return &self->config->scratch->step;
}
/* The head is written with this step, as it is at its end. */
static inline void synod__replica_save (synod__replica_t *self)
{
    synod__step (self)->head = &self->config->scratch->head;
}
/* One more element of SIZE in an array; NULL: no memory. */
void *synod__replica_more (void **array, uint32_t *room, uint32_t count, size_t size);
/* Raises the node's seal to a term, its epoch with this step's commit. */
void synod__replica_raise (synod__replica_t *self, uint64_t seal);
void synod__replica_newer (synod__replica_t *self, uint64_t term); /* somebody knows it */
/* A message of the term; to be filled in before the next one. Never NULL: without memory it goes nowhere. */
synod__replica_message_t *synod__replica_send (synod__replica_t *self, const synod__store_id_t *to,
                                               synod__replica_kind_t kind);
void synod__replica_bury (synod__replica_t *self, char *bytes); /* takes them, and frees them with the step */
void synod__replica_no_memory (synod__replica_t *self);
void synod__replica_disown (synod__replica_t *self);
/* Two ids of stores are one member's. */
bool synod__replica_same (const synod__store_id_t *a, const synod__store_id_t *b);
/* Which of the epoch's replicas and learners ID is; their number if none. */
uint32_t synod__replica_peer (const synod__replica_t *self, const synod__store_id_t *id);
static inline uint32_t synod__replica_peers (const synod__replica_t *self)
{
    return self->replicas + self->learners;
}

/* replica_seal.c */

void synod__seal_begin (
    synod__replica_t *self); /* the owner of a new epoch, or of one it finds itself in after a restart */
void synod__seal_on_seal (synod__replica_t *self, const synod__replica_message_t *in);
void synod__seal_on_sealed (synod__replica_t *self, const synod__replica_message_t *in);
void synod__seal_tick (synod__replica_t *self);
void synod__seal_adopted (synod__replica_t *self); /* the own copy is the newest, and marked in this step */

void synod__seal_end (synod__replica_t *self); /* of the search */

/* replica_owner.c */

void synod__owner_bring (synod__replica_t *self); /* the own copy is marked */
void synod__owner_on_ack (synod__replica_t *self, const synod__replica_message_t *in);
void synod__owner_on_leaving (synod__replica_t *self, const synod__replica_message_t *in);
void synod__owner_tick (synod__replica_t *self);
bool synod__owner_idle (const synod__replica_t *self); /* while it serves */
void synod__owner_forget (synod__replica_t *self);     /* the turns that wait */

/* replica_source.c */

void synod__source_on_pull (synod__replica_t *self, const synod__replica_message_t *in);
/* Sends the batches after FROM that fit a message, or none. The last one sent. The tail has those there are. */
uint64_t synod__source_batches (synod__replica_t *self, const synod__store_id_t *to, uint64_t from, uint64_t base);

/* replica_copy.c */

void synod__copy_on_batches (synod__replica_t *self, const synod__replica_message_t *in);
void synod__copy_on_chunk (synod__replica_t *self, const synod__replica_message_t *in);
void synod__copy_on_delete (synod__replica_t *self);
void synod__copy_tick (synod__replica_t *self);
/* Asks for what is missing, unless that was done and there is still hope for an answer. */
void synod__copy_pull (synod__replica_t *self);
void synod__copy_stage_drop (synod__replica_t *self);

#endif
