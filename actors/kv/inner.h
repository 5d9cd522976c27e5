/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of the table's core share.
 *
 *   entry.c   entries as bytes, and keys of the store
 *   core.c    commands on a key
 *   large.c   values in pieces
 *   txn.c     a key's part in a transaction
 *   part.c    a partition as a whole: counting, sweeping, scanning
 *   check.c   the invariants
 */
#ifndef SYNOD_KV_INNER_H_INCLUDED
#define SYNOD_KV_INNER_H_INCLUDED

#include "kv.h"

#define S_NUMBER 8

/* Numbers of eight bytes, big end first, so that they are ordered. */
char *synod__kv_put_number (char *to, uint64_t number);
uint64_t synod__kv_number (const char *from);

/* ---- entry.c ---- */

/* The keys of the store, in OUT. */
synod_str_t synod__kv_entry_key (synod_str_t key, char out[SYNOD__KV_ENTRY_KEY_MAX]);
synod_str_t synod__kv_due_key (int64_t until_ms, synod_str_t key, char out[SYNOD__KV_DUE_KEY_MAX]);
synod_str_t synod__kv_piece_key (uint64_t number, uint64_t piece, char out[10]);
synod_str_t synod__kv_upload_key (uint64_t number, char out[9]);
synod_str_t synod__kv_garbage_key (int64_t until_ms, uint64_t number, char out[17]);

/* Appends ENTRY to OUT (SYNOD__KV_ENTRY_MAX bytes are room enough); returns its size. ENTRY's data may be anywhere else. */
size_t synod__kv_encode (const synod__kv_entry_of_t *entry, char *out);
/* False: these bytes are none. KEY_SIZE: of the key, for what it takes in the store. */
bool synod__kv_decode (synod_str_t bytes, uint32_t key_size, synod__kv_entry_of_t *out);
static inline uint64_t synod__kv_pieces (uint64_t size)
{
    return (size + SYNOD__KV_PIECE - 1) / SYNOD__KV_PIECE;
}

/* ---- core.c ---- */

/* The entry of KEY as it is stored. Found is whether it has a value at the step's time. */
int synod__kv_read (const synod__kv_step_t *step, synod_str_t key, synod__kv_entry_of_t *out);
/* Puts NEXT in the place of BEFORE, with its deadline; without value and fence: nothing. Pieces that BEFORE alone had are
 * forgotten in time. Counts. */
int synod__kv_write (synod__kv_step_t *step, synod_str_t key, const synod__kv_entry_of_t *before,
                     const synod__kv_entry_of_t *next);
/* The value of ENTRY is over its deadline: removes it. */
int synod__kv_remove_expired (synod__kv_step_t *step, synod_str_t key, synod__kv_entry_of_t *entry);
/* The same for a command's key, which it checks and remembers, with a sentence for what goes wrong. */
int synod__kv_begin_key (synod__kv_step_t *step, synod_str_t key, synod__kv_entry_of_t *out);
/* Writes NEXT in the place of BEFORE, with the greater fence; tells it, what was and the change, WHAT. */
int synod__kv_finish (synod__kv_step_t *step, const char *what, const synod__kv_entry_of_t *before,
                      synod__kv_entry_of_t *next, uint64_t fence);
/* 0: none. A deadline too far away to be counted is none that comes. */
int64_t synod__kv_deadline (const synod__kv_step_t *step, uint64_t ttl_ms, uint64_t until_ms);
/* SUM: what ENTRY's number is with DELTA; refused as by synod__number_add. */
int synod__kv_sum (synod__kv_step_t *step, const synod__kv_entry_of_t *entry, int64_t delta, int64_t *sum);
/* ENTRY's deadline counts again: it was passed over while the key was locked. */
int synod__kv_due_again (synod__kv_step_t *step, const synod__kv_entry_of_t *entry);
/* Writes to the store, and counts. */
int synod__kv_store_put (synod__kv_step_t *step, synod_str_t key, synod_str_t value);

/* ---- txn.c ---- */

/* A lock, decoded; KEY_SIZE of its key in the store. ID borrows BYTES. */
typedef struct {
    synod_str_t id;
    uint64_t stored; /* bytes in the store, those reserved too */
} synod__kv_lock_t;
bool synod__kv_lock_decode (synod_str_t bytes, uint32_t key_size, synod__kv_lock_t *out);

/* ---- part.c ---- */

/* The first key of the store behind all entries that begin with PREFIX, in ROOM. */
synod_str_t synod__kv_behind (synod_str_t prefix, char room[SYNOD__KV_ENTRY_KEY_MAX]);

/* ---- large.c ---- */

/* What is kept under NUMBER, SIZE bytes, is no value any more. */
int synod__kv_discard (synod__kv_step_t *step, uint64_t number, uint64_t size);
/* Makes what was sent under IN->upload the value of NEXT. */
int synod__kv_take (synod__kv_step_t *step, const synod__kv_put_t *in, synod__kv_entry_of_t *next);
/* NEXT is ENTRY's value with DATA at its end, more than one piece. */
int synod__kv_extend (synod__kv_step_t *step, const synod__kv_entry_of_t *entry, synod_str_t data,
                      synod__kv_entry_of_t *next);
/* Forgets what is due, a few; *NEXT_MS as of synod__kv_sweep. */
int synod__kv_sweep_garbage (synod__kv_step_t *step, int64_t *next_ms);

#endif
