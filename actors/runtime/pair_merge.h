/* SPDX-License-Identifier: MPL-2.0
 *
 * A scan of an ordered table of which some is newer: pairs (pairs.h) that hide the entries of the same keys beneath, or,
 * those that are `absent`, say that there are none.
 */
#ifndef SYNOD_RUNTIME_PAIR_MERGE_H_INCLUDED
#define SYNOD_RUNTIME_PAIR_MERGE_H_INCLUDED

#include "pairs.h"

typedef struct {
    synod__pair_t *next; /* of the pairs, not visited yet */
    synod__pair_t *end;  /* the first behind the range; NULL: none is */
    synod_on_entry_t *on_entry;
    void *arg;
    bool over; /* ON_ENTRY wanted no more */
} synod__pair_merge_t;

/* Of FROM <= key < UNTIL (empty: to the end), where FROM is less than UNTIL. PAIRS must not change until it is over. */
synod__pair_merge_t synod__pair_merge (const struct synod__pairs *pairs, synod_str_t from, synod_str_t until,
                                       synod_on_entry_t *on_entry, void *arg);
/* A synod_on_entry_t, with the merge as ARG: for what is beneath, entry by entry in order. */
bool synod__pair_merge_beneath (void *arg, synod_str_t key, synod_str_t value);
/* What is beneath has been visited: what is left follows. */
void synod__pair_merge_end (synod__pair_merge_t *self);

#endif
