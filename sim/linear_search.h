/* SPDX-License-Identifier: MPL-2.0
 *
 * The search for an order of one key's operations.
 */
#ifndef SYNOD_SIM_LINEAR_SEARCH_H_INCLUDED
#define SYNOD_SIM_LINEAR_SEARCH_H_INCLUDED

#include "history_internal.h"
#include "linear_memo.h"

/* An operation that is done: it has to be placed. */
typedef struct {
    const synod_op_t *op;
    uint32_t number;    /* in the history */
    uint32_t call, end; /* its entries */
    uint32_t reach;     /* how many such operations were invoked before this one ended */
    bool reads;
} synod__known_t;

/* One of unknown outcome: it may be placed, anywhere after its invocation. */
typedef struct {
    const synod_op_t *op;
    uint32_t number;
    uint32_t after; /* the last entry before its invocation */
    uint32_t twin;  /* the one before with the same operation and arguments, or SYNOD__NO_OP */
} synod__unknown_t;

/* An invocation or completion of a known operation, in a list without those of placed ones. Entry 0 is both ends. */
typedef struct {
    uint32_t prev, next;
    uint32_t known; /* index * 2, + 1 for its completion */
} synod__entry_t;

/* A placed operation. */
typedef struct {
    uint32_t index;
    bool unknown;
    bool read; /* placed because it fitted: nothing else was worth a try */
} synod__placed_t;

/* Zero-initialise, with MODEL, BOUNDS and SLOTS set; used for one key after another; synod__search_free. */
typedef struct {
    const synod_model_t *model;          /* borrowed */
    const synod_linear_bounds_t *bounds; /* borrowed; all of it set */
    uint32_t *slots;                     /* borrowed scratch: one for each operation of the history */
    synod__memo_t memo;

    char *block; /* what all arrays are in */
    size_t block_size, block_made;
    synod__known_t *known;
    synod__unknown_t *unknown;
    uint64_t *done, *used; /* bits: which of known, of unknown are placed */
    char *states;          /* STATES[i]: after i operations; one spare at the end */
    size_t state_stride;
    synod__entry_t *entries;
    synod__placed_t *placed;
    uint32_t *best; /* numbers of the order that went furthest */
    uint32_t nknown, nunknown, nentries, nused;

    uint32_t depth;      /* operations placed */
    uint32_t left;       /* known ones not placed */
    uint64_t set;        /* hash of which are placed */
    uint32_t nbest;      /* operations in BEST */
    uint32_t best_same;  /* of those, how many PLACED begins with */
    uint32_t best_known; /* of those, how many are known */
    uint32_t best_bound; /* the entry that BEST could not pass */

    uint64_t steps;  /* all keys */
    uint64_t asked;  /* of go_on, at so many steps */
    const char *why; /* unknown: what ended it */
    bool stopped;    /* go_on said so */
} synod__search_t;

/* The answer for the key whose events are EVENTS (as of synod__history_events, in their order). BEST, NBEST and STUCK
 * are valid until the next search. */
synod_verdict_t synod__search_key (synod__search_t *self, const synod_history_t *history, const uint32_t *events,
                                   uint32_t nevents);
/* no: the number of the operation whose end BEST could not pass. */
uint32_t synod__search_stuck (const synod__search_t *self);
void synod__search_free (synod__search_t *self);

#endif
