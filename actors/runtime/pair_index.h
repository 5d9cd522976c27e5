/* SPDX-License-Identifier: MPL-2.0
 *
 * An index of pairs (pairs.h) by the hash of their keys, beside the tree that has them in order: a disk in memory is asked
 * for single keys most of the time, and a tree of many takes a cache miss a level. Open addressing with linear probing;
 * what was taken out leaves no mark, those behind it move up (Knuth, The Art of Computer Programming 3, section 6.4,
 * algorithm R). 12 bytes a slot, three quarters of them in use at most.
 */
#ifndef SYNOD_RUNTIME_PAIR_INDEX_H_INCLUDED
#define SYNOD_RUNTIME_PAIR_INDEX_H_INCLUDED

#include "pairs.h"

/* Zero-initialise, free after use; it borrows the pairs. */
typedef struct {
    uint32_t *hashes;      /* owned, of slots; of those in use */
    synod__pair_t **pairs; /* owned, of slots; NULL: the slot is free */
    uint32_t slots;        /* a power of two, or none */
    uint32_t count;
} synod__pair_index_t;

void synod__pair_index_free (synod__pair_index_t *self);
void synod__pair_index_clear (synod__pair_index_t *self); /* keeps its room */

uint32_t synod__pair_hash (synod_str_t key);
/* The place of the pair with KEY, whose hash is HASH; NULL: there is none. Valid until the next put or remove: a pair of
 * the same key may be put there. */
synod__pair_t **synod__pair_index_find (const synod__pair_index_t *self, synod_str_t key, uint32_t hash);
void synod__pair_index_put (synod__pair_index_t *self, synod__pair_t *pair, uint32_t hash); /* one that is not there */
void synod__pair_index_remove (synod__pair_index_t *self, synod__pair_t **place);

#endif
