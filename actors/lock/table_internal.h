/* SPDX-License-Identifier: MPL-2.0
 *
 * The parts of the lock table: table.c (events), table_queue.c (queues, grants), table_circle.c (deadlocks),
 * table_store.c (what is in the store), table_check.c (the invariants).
 */
#ifndef SYNOD_LOCK_TABLE_INTERNAL_H_INCLUDED
#define SYNOD_LOCK_TABLE_INTERNAL_H_INCLUDED

#include "table.h"

#ifndef __unused /* which tree.h uses and glibc has not */
#define __unused __attribute__ ((unused))
#endif

RB_PROTOTYPE (synod__locks_names, synod__locks_name_t, link, synod__locks_order_names)
RB_PROTOTYPE (synod__locks_entries, synod__locks_entry_t, link, synod__locks_order_entries)
RB_PROTOTYPE (synod__locks_numbers, synod__locks_session_t, by_number, synod__locks_order_numbers)
RB_PROTOTYPE (synod__locks_clients, synod__locks_session_t, by_client, synod__locks_order_clients)

/* ---- table.c ---- */

/* The effects of the event before, and what was kept for them, go. */
void synod__locks_begin (synod__locks_t *self);
/* What an event did is complete: queues are served, locks that nobody has go, the sequence is to be written. */
void synod__locks_settle (synod__locks_t *self, int64_t wall_s);
synod__locks_session_t *synod__locks_session_new (synod__locks_t *self, uint64_t number, uint64_t client,
                                                  synod_str_t who);
void synod__locks_effect (synod__locks_t *self, synod__locks_effect_kind_t kind, synod__locks_entry_t *entry,
                          synod__locks_session_t *session, uint64_t number);
/* Events of ENTRY's locks, at POSITION. */
void synod__locks_event (synod__locks_t *self, synod__locks_effect_kind_t kind, synod__locks_entry_t *entry,
                         uint64_t position);

/* SESSION's term, or ENTRY's patience (the other is NULL), is to be looked at when it ends. */
void synod__locks_due_by (synod__locks_t *self, const synod__locks_session_t *session,
                          const synod__locks_entry_t *entry);

synod__locks_entry_t *synod__locks_of_request (const synod__locks_session_t *session, uint64_t request);

/* ---- table_queue.c ---- */

/* The queue of NAME is to be looked at when the event is settled. */
void synod__locks_dirty (synod__locks_t *self, synod__locks_name_t *name);

/* A place that stands in the queues of NAMES, and is served by the next settle. */
synod__locks_entry_t *synod__locks_enqueue (synod__locks_t *self, synod__locks_session_t *session, uint64_t id,
                                            const synod__locks_want_t *want);
/* Takes it out of its queues and its session. Nobody is served yet, and its memory is the caller's. */
void synod__locks_take_out (synod__locks_t *self, synod__locks_entry_t *entry);
/* Claims of a place that waits become those of one that holds. */
void synod__locks_hold (synod__locks_t *self, synod__locks_entry_t *entry);
/* Grants what can be granted of the queue. */
void synod__locks_serve (synod__locks_t *self, synod__locks_name_t *name, int64_t wall_s);
bool synod__locks_grantable (const synod__locks_entry_t *entry);
void synod__locks_entry_free (synod__locks_entry_t *entry);

/* ---- table_circle.c ---- */

/* Whether ENTRY, which has begun to wait, does so for ever, though everybody lets go what he can; FAULT names a circle. */
bool synod__locks_deadlocked (synod__locks_entry_t *entry, synod_fault_t *fault);
bool synod__locks_same_owner (const synod__locks_entry_t *a, const synod__locks_entry_t *b);

#endif
