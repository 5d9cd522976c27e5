/* SPDX-License-Identifier: MPL-2.0
 *
 * The disk in memory: one red-black tree, and beside it what undoes the open transaction, newest first. Invariant: the
 * tree with all undone is what the last commit left.
 */
#include "memory_disk.h"
#include "memory.h"
#include "pairs.h"

typedef struct {
    synod__disk_t disk;
    struct synod__pairs tree;
    synod__pair_t *undo;  /* of the open transaction */
    synod__pair_t *probe; /* a key to look for; room for the longest */
    uint32_t until_fault;
    int fault; /* SYNOD_OK: none is planned */
    int broken;
} s_disk_t;

static synod__pair_t *s_probe (s_disk_t *self, synod_str_t key)
{
    self->probe->key_size = key.size <= SYNOD__DISK_KEY_MAX ? key.size : SYNOD__DISK_KEY_MAX;
    if (key.size)
        memcpy (self->probe->bytes, key.data, self->probe->key_size);
    return self->probe;
}

static int s_get (synod__disk_t *base, synod_str_t key, synod_str_t *value)
{
    s_disk_t *self = (s_disk_t *) base;
    if (self->broken)
        return self->broken;
    synod__pair_t *e =
        key.size <= SYNOD__DISK_KEY_MAX ? RB_FIND (synod__pairs, &self->tree, s_probe (self, key)) : NULL;
    if (!e)
        return SYNOD_NOT_FOUND;
    *value = synod__pair_value (e);
    return SYNOD_OK;
}

/* The first that is not less than BOUND, which may be longer than any key: then a key that is all of its beginning comes
 * before it. */
static synod__pair_t *s_least (s_disk_t *self, synod_str_t bound)
{
    synod__pair_t *e = RB_NFIND (synod__pairs, &self->tree, s_probe (self, bound));
    bool before = e && bound.size > SYNOD__DISK_KEY_MAX && synod__pair_order (e, self->probe) == 0;
    return before ? RB_NEXT (synod__pairs, &self->tree, e) : e;
}

static int s_scan (synod__disk_t *base, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg)
{
    s_disk_t *self = (s_disk_t *) base;
    if (self->broken)
        return self->broken;
    synod__pair_t *end = until.size ? s_least (self, until) : NULL;
    synod__pair_t *e = s_least (self, from);
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

/* OLD (not in the tree) is what undoing puts back. */
static void s_remember (s_disk_t *self, synod__pair_t *old)
{
    old->next = self->undo;
    self->undo = old;
}

static void s_apply (s_disk_t *self, synod_str_t key, synod_str_t value)
{
    synod__pair_t *old = value.data ? NULL : RB_FIND (synod__pairs, &self->tree, s_probe (self, key));
    if (value.data) {
        synod__pair_t *next = s_entry (key, value, false);
        old = RB_INSERT (synod__pairs, &self->tree, next); /* not inserted when there is one */
        if (old)
            synod__pairs_replace (&self->tree, old, next);
    } else if (old)
        RB_REMOVE (synod__pairs, &self->tree, old);
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

static int s_commit (synod__disk_t *base)
{
    s_disk_t *self = (s_disk_t *) base;
    if (self->broken)
        return self->broken;
    if (!self->undo)
        return SYNOD_OK;
    if (self->fault && !self->until_fault--)
        return self->broken = self->fault;
    while (self->undo) {
        synod__pair_t *old = self->undo;
        self->undo = old->next;
        free (old);
    }
    return SYNOD_OK;
}

void synod__memory_disk_crash (synod__disk_t *base)
{
    s_disk_t *self = (s_disk_t *) base;
    while (self->undo) {
        synod__pair_t *old = self->undo;
        self->undo = old->next;
        synod__pair_t *now = RB_FIND (synod__pairs, &self->tree, old);
        if (now) {
            RB_REMOVE (synod__pairs, &self->tree, now);
            free (now);
        }
        if (old->absent)
            free (old);
        else
            RB_INSERT (synod__pairs, &self->tree, old);
    }
    self->broken = self->fault = SYNOD_OK;
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
    free (self->probe);
    free (self);
    *self_p = NULL;
}

static const synod__disk_ops_t s_ops = {s_get, s_scan, s_write, s_commit, s_error, s_close};

synod__disk_t *synod__memory_disk_new (const uint8_t id[SYNOD__DISK_ID])
{
    s_disk_t *self = (s_disk_t *) synod__alloc (sizeof *self);
    self->disk.ops = &s_ops;
    memcpy (self->disk.id, id, SYNOD__DISK_ID);
    RB_INIT (&self->tree);
    self->probe = (synod__pair_t *) synod__alloc (sizeof *self->probe + SYNOD__DISK_KEY_MAX);
    return &self->disk;
}
