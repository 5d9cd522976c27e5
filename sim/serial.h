/* SPDX-License-Identifier: MPL-2.0
 *
 * Whether a history of transactions over keys is strictly serializable: as if they had run one after another, each between
 * its begin and its end. Every key has versions, numbers that grow with each write of it, and whoever reads learns the
 * version; so the order of a key's writes is known, and no search is needed: the transactions and what must come before what
 * make a graph (the direct serialization graph of Adya, Liskov and O'Neil, "Generalized Isolation Level Definitions", ICDE
 * 2000), and the history is serializable if and only if no cycle is in it and nobody has read what was never committed.
 * Edges for real time (who ended before another began comes before it) make it strict, as Kingsbury and Alvaro do in "Elle"
 * (VLDB 2020). An edge goes from T to U if
 *
 *   wr      U read a version that T wrote
 *   ww      U wrote a later version of a key than T
 *   rw      U wrote a later version of a key than the one that T read
 *   time    T ended before U began
 *
 * What is not known makes no edge, so a complaint is never a false one: a write of which nobody has seen the version is
 * placed only if its transaction read the key too, since then it is the very next. Whoever records should have most writes be
 * read by somebody.
 *
 * A read outside of any transaction is one of its own, as is a write. One thread at a time; no clock, no chance.
 */
#ifndef SYNOD_SIM_SERIAL_H_INCLUDED
#define SYNOD_SIM_SERIAL_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <synod/error.h>
#include <synod/record.h>

#define SYNOD__SERIAL_NAME_MAX 23

typedef enum {
    SYNOD__SERIAL_UNKNOWN, /* it may have been committed; it was, if somebody has read what it wrote */
    SYNOD__SERIAL_COMMITTED,
    SYNOD__SERIAL_ABORTED
} synod__serial_outcome_t;

typedef struct synod__serial_t synod__serial_t;

/* The caller owns it. Memory that runs out ends the process: a test without it says nothing. */
synod__serial_t *synod__serial_new (void);
void synod__serial_destroy (synod__serial_t **self_p);

/* Events are recorded in the order in which they happen. A transaction may have begun now: its number. NAME for people
 * (copied, up to SYNOD__SERIAL_NAME_MAX bytes). */
uint32_t synod__serial_begin (synod__serial_t *self, const char *name);
/* If it is committed it has read this VERSION of KEY; 0: there was none yet. */
void synod__serial_read (synod__serial_t *self, uint32_t txn, uint32_t key, uint64_t version);
/* If it is committed it has written VALUE to KEY. No two writes of a key have the same value, and none is 0. */
void synod__serial_write (synod__serial_t *self, uint32_t txn, uint32_t key, uint64_t value);
/* Somebody has seen that this VERSION of KEY is VALUE. */
void synod__serial_seen (synod__serial_t *self, uint32_t key, uint64_t version, uint64_t value);
/* It has ended by now, and later calls change nothing. UNKNOWN, as without a call: it may come about at any time, or never. */
void synod__serial_end (synod__serial_t *self, uint32_t txn, synod__serial_outcome_t outcome);
uint32_t synod__serial_count (const synod__serial_t *self); /* transactions */

/* SYNOD_OK, or SYNOD_REFUSED with a sentence in FAULT, and in WORDS (may be NULL; appended) a line for each edge of a
 * shortest cycle through one of its transactions. */
int synod__serial_check (synod__serial_t *self, synod_fault_t *fault, synod_buf_t *words);

#endif
