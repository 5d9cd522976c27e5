/* SPDX-License-Identifier: MPL-2.0
 *
 * The cache's core: what a command does to the memory of one node, and what it answers (docs/cache.md). The commands are
 * those of the table (protocol/kv.def) without versions and fences, which are refused: a cache forgets, so it could keep
 * none of these promises. Pieces of a value that is on its way are kept as a value of their own, under a key that no
 * address can have, for a minute. No clock, no messages: the actor and the Redis gateway hand in the time.
 */
#ifndef SYNOD_CACHE_CACHE_H_INCLUDED
#define SYNOD_CACHE_CACHE_H_INCLUDED

#include <synod/actor.h>
#include "protocol/kv_records.h"
#include "table.h"

#define SYNOD__CACHE_HIDDEN 1                      /* what keys begin with that are nobody's */
#define SYNOD__CACHE_MEMORY (256ull * 1024 * 1024) /* the bound when none is set */

/* The time of a turn. */
typedef struct {
    int64_t now_us;  /* the node's clock, by which values grow old */
    int64_t wall_ms; /* for deadlines that are given or told by the calendar */
} synod__cache_now_t;

typedef struct {
    synod__cache_table_t *table;
    uint64_t hits, misses;
    synod_buf_t old;   /* a value that was replaced, until the next command */
    synod_buf_t items; /* the entries of a scan's answer, and its cursor */
    uint32_t cursor;
} synod__cache_t;

int synod__cache_begin (synod__cache_t *self, uint64_t seed, uint64_t bound); /* SYNOD_NO_MEMORY */
void synod__cache_end (synod__cache_t *self);

/* ---- commands: SYNOD_OK with OUT filled, or an error with a sentence in FAULT and nothing changed ----
 * OUT borrows the cache until the next command. A condition that does not hold is an answer (OUT->why), not an error. */
int synod__cache_get (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_get_t *in,
                      synod__kv_is_t *out, synod_fault_t *fault);
int synod__cache_put (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_put_t *in,
                      synod__kv_is_t *out, synod_fault_t *fault);
int synod__cache_delete (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_delete_t *in,
                         synod__kv_is_t *out, synod_fault_t *fault);
int synod__cache_incr (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_incr_t *in,
                       synod__kv_is_t *out, synod_fault_t *fault);
int synod__cache_append (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_append_t *in,
                         synod__kv_is_t *out, synod_fault_t *fault);
int synod__cache_expire (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_expire_t *in,
                         synod__kv_is_t *out, synod_fault_t *fault);

/* A value of more than a message carries: its pieces come before the put that names their number, and it is read by a number
 * that is made of the value, so whoever reads finds that one or, when it was replaced, nothing (SYNOD_NOT_FOUND). */
int synod__cache_upload (synod__cache_t *self, synod__cache_now_t now, const synod__kv_upload_t *in,
                         synod_fault_t *fault);
int synod__cache_piece (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_piece_t *in,
                        synod__kv_piece_is_t *out, synod_fault_t *fault);
/* Makes OUT what a message carries. */
void synod__cache_told (synod__cache_t *self, synod__cache_now_t now, synod__kv_is_t *out);
/* For cache.c: the value of a put that names its pieces, which stay until they are taken. */
int synod__cache_uploaded (synod__cache_t *self, synod__cache_now_t now, const synod__kv_put_t *in, synod_str_t *value,
                           synod_fault_t *fault);
void synod__cache_taken (synod__cache_t *self, uint64_t upload);
/* Sets the value, of HEAD and TAIL together, or says why it could not. */
int synod__cache_set_value (synod__cache_t *self, synod_str_t key, synod_str_t head, synod_str_t tail, int64_t until_us,
                            synod_fault_t *fault);

/* Keeps a value that was asked for at ASKED_US: its TTL_MS (0: it stays) count from then. Nothing when it is over. */
int synod__cache_keep (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, synod_str_t value,
                       int64_t asked_us, uint64_t ttl_ms);

/* Keys of this node, in no order. A bucket is told whole, so there may be a few more than were asked for. */
int synod__cache_scan (synod__cache_t *self, synod__cache_now_t now, const synod__kv_scan_t *in,
                       synod__kv_scanned_t *out, synod_fault_t *fault);

/* Removes some of what is over its deadline. Returns in how many ms to come again; 0: nothing has a deadline. */
uint32_t synod__cache_sweep (synod__cache_t *self, int64_t now_us);

/* How much there is, and was; OUT->node is the caller's. */
void synod__cache_stat (const synod__cache_t *self, synod__kv_stat_is_t *out);

#endif
