/* SPDX-License-Identifier: MPL-2.0
 *
 * What was written last waits here before it is given to LMDB: what is written again and again, as counters and locks are,
 * or read soon after, takes a look at a hash and not the way through a tree, and LMDB gets it once. What comes and goes
 * meanwhile, as the records of transactions do, it never gets. It is given over in order, when there is much of it and in a
 * checkpoint; never while somebody reads. It is put in order for the first scan, and kept so until it is given over; without
 * scans it costs nothing. Invariant: an entry here is newer than LMDB's.
 */
#include <errno.h>
#include "lmdb_internal.h"

/* So much is given over in a millisecond or so, which a turn may take. */
#define S_ENTRIES 1024
#define S_BYTES   (256 * 1024)

bool synod__recent_get (const synod__recent_t *self, synod_str_t key, synod_str_t *value)
{
    if (!self->index.count)
        return false;
    synod__pair_t **place = synod__pair_index_find (&self->index, key, synod__pair_hash (key));
    if (!place)
        return false;
    *value = (*place)->absent ? synod_str_n (NULL, 0) : synod__pair_value (*place);
    return true;
}

static size_t s_size (const synod__pair_t *pair)
{
    return (size_t) pair->key_size + pair->value_size;
}

static int s_add (synod__recent_t *self, synod_str_t key, synod_str_t value, uint32_t hash, bool fresh)
{
    synod__pair_t *pair = synod__pair_new (key, value, !value.data);
    if (!pair)
        return ENOMEM;
    pair->fresh = fresh;
    self->bytes += s_size (pair);
    synod__pair_index_put (&self->index, pair, hash);
    if (self->ordered)
        RB_INSERT (synod__pairs, &self->tree, pair);
    return 0;
}

static int s_change (synod__recent_t *self, synod__pair_t **place, synod_str_t key, synod_str_t value)
{
    synod__pair_t *old = *place;
    if (value.size && old->value_size == value.size) {
        memcpy (old->bytes + old->key_size, value.data, value.size);
        return 0;
    }
    synod__pair_t *pair = synod__pair_new (key, value, !value.data);
    if (!pair)
        return ENOMEM;
    pair->fresh = old->fresh;
    self->bytes += s_size (pair) - s_size (old);
    *place = pair;
    if (self->ordered) {
        RB_REMOVE (synod__pairs, &self->tree, old);
        RB_INSERT (synod__pairs, &self->tree, pair);
    }
    free (old);
    return 0;
}

static void s_remove (synod__recent_t *self, synod__pair_t **place)
{
    synod__pair_t *pair = *place;
    if (self->ordered)
        RB_REMOVE (synod__pairs, &self->tree, pair);
    synod__pair_index_remove (&self->index, place);
    self->bytes -= s_size (pair);
    free (pair);
}

int synod__lmdb_remember (synod__lmdb_t *self, synod_str_t key, synod_str_t value)
{
    synod__recent_t *recent = &self->recent;
    bool full = recent->index.count >= S_ENTRIES || recent->bytes >= S_BYTES, found = false;
    int rc = full ? synod__lmdb_flush (self) : 0;
    uint32_t hash = synod__pair_hash (key);
    synod__pair_t **place = synod__pair_index_find (&recent->index, key, hash);
    if (!rc && !place)
        rc = synod__lmdb_has (self, key, &found);
    if (rc)
        return rc;
    if (!value.data && (place ? (*place)->fresh : !found)) {
        if (place)
            s_remove (recent, place);
        return 0;
    }
    return place ? s_change (recent, place, key, value) : s_add (recent, key, value, hash, !found);
}

const struct synod__pairs *synod__recent_order (synod__recent_t *self)
{
    if (self->ordered)
        return &self->tree;
    RB_INIT (&self->tree);
    for (uint32_t i = 0; i < self->index.slots && self->index.count; i++)
        if (self->index.pairs[i])
            RB_INSERT (synod__pairs, &self->tree, self->index.pairs[i]);
    self->ordered = self->index.count > 0;
    return &self->tree;
}

static void s_empty (synod__recent_t *self)
{
    for (uint32_t i = 0; i < self->index.slots && self->index.count; i++)
        free (self->index.pairs[i]);
    synod__pair_index_clear (&self->index);
    self->ordered = false;
    self->bytes = 0;
}

int synod__lmdb_flush (synod__lmdb_t *self)
{
    synod__pair_t *pair;
    if (!self->recent.index.count)
        return 0;
    int rc = self->write ? 0 : synod__lmdb_begin (self);
    synod__recent_order (&self->recent);
    RB_FOREACH (pair, synod__pairs, &self->recent.tree)
    {
        synod_str_t value = pair->absent ? synod_str_n (NULL, 0) : synod__pair_value (pair);
        rc = rc ? rc : synod__lmdb_apply_one (self, synod__pair_key (pair), value);
    }
    if (!rc)
        s_empty (&self->recent);
    return rc;
}

void synod__recent_free (synod__recent_t *self)
{
    s_empty (self);
    synod__pair_index_free (&self->index);
}
