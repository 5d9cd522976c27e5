/* SPDX-License-Identifier: MPL-2.0
 *
 * The disk in memory: one red-black tree with an index, and beside it what undoes the open transaction, and each of those
 * that are not durable yet, newest first.
 * Invariants: the tree with all undone is what the last commit left; the index has the pairs of the tree.
 */
#include "memory_disk.h"
#include <assert.h>
#include "memory.h"
#include "pair_index.h"

typedef struct {
    synod__disk_t disk;
    struct synod__pairs tree;
    synod__pair_index_t index;
    synod__pair_t *undo;                         /* of the open transaction */
    synod__pair_t *begun[SYNOD__DISK_UNDER_WAY]; /* the same, of those begun */
    uint32_t nbegun;
    uint32_t until_fault;
    int fault; /* SYNOD_OK: none is planned */
    int broken;
} s_disk_t;

static int s_get (synod__disk_t *base, synod_str_t key, synod_str_t *value)
{
    s_disk_t *self = (s_disk_t *) base;
    if (self->broken)
        return self->broken;
    synod__pair_t **place = synod__pair_index_find (&self->index, key, synod__pair_hash (key));
    if (!place)
        return SYNOD_NOT_FOUND;
    *value = synod__pair_value (*place);
    return SYNOD_OK;
}

static int s_scan (synod__disk_t *base, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg)
{
    s_disk_t *self = (s_disk_t *) base;
    if (self->broken)
        return self->broken;
    synod__pair_t *end = until.size ? synod__pairs_least (&self->tree, until) : NULL;
    synod__pair_t *e = synod__pairs_least (&self->tree, from);
    if (e && end && synod__pair_order (e, end) > 0)
        return SYNOD_OK; /* the bounds are the wrong way round */
    for (; e && e != end; e = RB_NEXT (synod__pairs, &self->tree, e))
        if (!on_entry (arg, synod__pair_key (e), synod__pair_value (e)))
            break;
    return SYNOD_OK;
}

static synod__pair_t *s_entry (synod_str_t key, synod_str_t value, bool absent)
{
    synod__pair_t *e = synod__pair_new (key, value, absent);
    if (!e)
        abort ();
    return e;
}

static void s_insert (s_disk_t *self, synod__pair_t *e, uint32_t hash)
{
    RB_INSERT (synod__pairs, &self->tree, e);
    synod__pair_index_put (&self->index, e, hash);
}

static void s_take_out (s_disk_t *self, synod__pair_t **place)
{
    RB_REMOVE (synod__pairs, &self->tree, *place);
    synod__pair_index_remove (&self->index, place);
}

/* OLD (not in the tree) is what undoing puts back. */
static void s_remember (s_disk_t *self, synod__pair_t *old)
{
    old->next = self->undo;
    self->undo = old;
}

static void s_apply (s_disk_t *self, synod_str_t key, synod_str_t value)
{
    uint32_t hash = synod__pair_hash (key);
    synod__pair_t **place = synod__pair_index_find (&self->index, key, hash), *old = place ? *place : NULL;
    if (old && value.data) {
        *place = s_entry (key, value, false);
        synod__pairs_replace (&self->tree, old, *place);
    } else if (value.data)
        s_insert (self, s_entry (key, value, false), hash);
    else if (old)
        s_take_out (self, place);
    else
        return;
    s_remember (self, old ? old : s_entry (key, synod_str_n (NULL, 0), true));
}

static int s_write (synod__disk_t *base, synod_str_t prefix, synod_str_t batch)
{
    s_disk_t *self = (s_disk_t *) base;
    char room[SYNOD__DISK_KEY_MAX];
    synod_str_t key, value;
    if (self->broken)
        return self->broken;
    int rc = synod__disk_batch_check (prefix, batch); /* whole, before any of it is written */
    if (rc != SYNOD_OK || !batch.size)
        return rc;
    synod__disk_key (room, 0, prefix);
    while (synod__disk_batch_next (&batch, &key, &value) == SYNOD_OK)
        s_apply (self, synod__disk_key (room, prefix.size, key), value);
    return SYNOD_OK;
}

/* It will not be undone. */
static void s_forget (synod__pair_t **undo)
{
    while (*undo) {
        synod__pair_t *old = *undo;
        *undo = old->next;
        free (old);
    }
}

static int s_commit (synod__disk_t *base)
{
    s_disk_t *self = (s_disk_t *) base;
    if (self->broken)
        return self->broken;
    while (self->nbegun)
        synod__memory_disk_settle (base);
    if (!self->undo)
        return SYNOD_OK;
    if (self->fault && !self->until_fault--)
        return self->broken = self->fault;
    s_forget (&self->undo);
    return SYNOD_OK;
}

void synod__memory_disk_begin (synod__disk_t *base)
{
    s_disk_t *self = (s_disk_t *) base;
    assert (self->nbegun < SYNOD__DISK_UNDER_WAY);
    self->begun[self->nbegun++] = self->undo;
    self->undo = NULL;
}

void synod__memory_disk_settle (synod__disk_t *base)
{
    s_disk_t *self = (s_disk_t *) base;
    assert (self->nbegun);
    s_forget (&self->begun[0]);
    memmove (self->begun, self->begun + 1, --self->nbegun * sizeof *self->begun);
}

static void s_undo (s_disk_t *self, synod__pair_t **undo)
{
    while (*undo) {
        synod__pair_t *old = *undo;
        *undo = old->next;
        uint32_t hash = synod__pair_hash (synod__pair_key (old));
        synod__pair_t **place = synod__pair_index_find (&self->index, synod__pair_key (old), hash);
        if (place) {
            synod__pair_t *now = *place;
            s_take_out (self, place);
            free (now);
        }
        if (old->absent)
            free (old);
        else
            s_insert (self, old, hash);
    }
}

void synod__memory_disk_crash (synod__disk_t *base)
{
    s_disk_t *self = (s_disk_t *) base;
    s_undo (self, &self->undo);
    while (self->nbegun)
        s_undo (self, &self->begun[--self->nbegun]);
    self->broken = self->fault = SYNOD_OK;
}

void synod__memory_disk_break (synod__disk_t *base, int code)
{
    ((s_disk_t *) base)->broken = code;
}

void synod__memory_disk_fail (synod__disk_t *base, uint32_t count, int code)
{
    s_disk_t *self = (s_disk_t *) base;
    self->until_fault = count;
    self->fault = code;
}

static const char *s_error (const synod__disk_t *base)
{
    int broken = ((const s_disk_t *) base)->broken;
    return broken ? synod_error_meaning (broken) : "";
}

static void s_close (synod__disk_t **self_p)
{
    s_disk_t *self = (s_disk_t *) *self_p;
    if (!self)
        return;
    synod__memory_disk_crash (*self_p); /* frees what would undo */
    synod__pairs_clear (&self->tree);
    synod__pair_index_free (&self->index);
    free (self);
    *self_p = NULL;
}

static const synod__disk_ops_t s_ops = {s_get, s_scan, s_write, s_commit, NULL, NULL, s_error, s_close};

synod__disk_t *synod__memory_disk_new (const uint8_t id[SYNOD__DISK_ID])
{
    s_disk_t *self = (s_disk_t *) synod__alloc (sizeof *self);
    self->disk.ops = &s_ops;
    memcpy (self->disk.id, id, SYNOD__DISK_ID);
    RB_INIT (&self->tree);
    return &self->disk;
}
