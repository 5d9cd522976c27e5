/* SPDX-License-Identifier: MPL-2.0
 *
 * Invariant: between the slot that a pair's hash asks for and the slot that it has no slot is free.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "memory.h"
#include "pair_index.h"

#define S_LEAST 16 /* slots */

void synod__pair_index_free (synod__pair_index_t *self)
{
    free (self->hashes);
    free (self->pairs);
    memset (self, 0, sizeof *self);
}

void synod__pair_index_clear (synod__pair_index_t *self)
{
    if (self->count)
        memset (self->pairs, 0, self->slots * sizeof (synod__pair_t *));
    self->count = 0;
}

uint32_t synod__pair_hash (synod_str_t key)
{
    return (uint32_t) XXH3_64bits (key.data, key.size);
}

static uint32_t s_next (const synod__pair_index_t *self, uint32_t slot)
{
    return (slot + 1) & (self->slots - 1);
}

synod__pair_t **synod__pair_index_find (const synod__pair_index_t *self, synod_str_t key, uint32_t hash)
{
    if (!self->slots)
        return NULL;
    for (uint32_t slot = hash & (self->slots - 1); self->pairs[slot]; slot = s_next (self, slot))
        if (self->hashes[slot] == hash && synod_str_same (synod__pair_key (self->pairs[slot]), key))
            return &self->pairs[slot];
    return NULL;
}

static void s_put (synod__pair_index_t *self, synod__pair_t *pair, uint32_t hash)
{
    uint32_t slot = hash & (self->slots - 1);
    while (self->pairs[slot])
        slot = s_next (self, slot);
    self->pairs[slot] = pair;
    self->hashes[slot] = hash;
}

static void s_grow (synod__pair_index_t *self)
{
    synod__pair_index_t grown = {.slots = self->slots ? 2 * self->slots : S_LEAST, .count = self->count};
    grown.hashes = (uint32_t *) synod__alloc (grown.slots * sizeof *grown.hashes);
    grown.pairs = (synod__pair_t **) synod__alloc (grown.slots * sizeof (synod__pair_t *));
    for (uint32_t i = 0; i < self->slots; i++)
        if (self->pairs[i])
            s_put (&grown, self->pairs[i], self->hashes[i]);
    synod__pair_index_free (self);
    *self = grown;
}

void synod__pair_index_put (synod__pair_index_t *self, synod__pair_t *pair, uint32_t hash)
{
    if (self->count >= self->slots / 4 * 3)
        s_grow (self);
    s_put (self, pair, hash);
    self->count++;
}

void synod__pair_index_remove (synod__pair_index_t *self, synod__pair_t **place)
{
    uint32_t hole = (uint32_t) (place - self->pairs), mask = self->slots - 1;
    for (uint32_t slot = s_next (self, hole); self->pairs[slot]; slot = s_next (self, slot)) {
        uint32_t wanted = self->hashes[slot] & mask;
        if (((slot - wanted) & mask) < ((slot - hole) & mask))
            continue; /* what it wants is behind the hole */
        self->pairs[hole] = self->pairs[slot];
        self->hashes[hole] = self->hashes[slot];
        hole = slot;
    }
    self->pairs[hole] = NULL;
    self->count--;
}
