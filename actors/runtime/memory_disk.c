/* SPDX-License-Identifier: MPL-2.0
 *
 * The disk in memory: one red-black tree, and beside it what undoes the open transaction, newest first. Invariant: the
 * tree with all undone is what the last commit left.
 */
#include <bsd/sys/cdefs.h>
#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>
#include "memory_disk.h"

#ifndef __unused /* which tree.h uses and glibc has not */
#define __unused __attribute__ ((unused))
#endif

typedef struct s_entry {
    RB_ENTRY (s_entry) link;
    struct s_entry *undo; /* the next older one to undo; in a chain only */
    uint32_t key_size, value_size;
    bool absent;  /* in a chain: the key was not there */
    char bytes[]; /* key, value */
} s_entry_t;

static int s_compare (const s_entry_t *a, const s_entry_t *b)
{
    uint32_t least = a->key_size < b->key_size ? a->key_size : b->key_size;
    int order = memcmp (a->bytes, b->bytes, least);
    return order ? order : (a->key_size > b->key_size) - (a->key_size < b->key_size);
}

RB_HEAD (s_tree, s_entry);
RB_GENERATE_STATIC (s_tree, s_entry, link, s_compare)

typedef struct {
    synod__disk_t disk;
    struct s_tree tree;
    s_entry_t *undo;  /* of the open transaction */
    s_entry_t *probe; /* a key to look for; room for the longest */
    uint32_t until_fault;
    int fault; /* SYNOD_OK: none is planned */
    int broken;
} s_disk_t;

static s_entry_t *s_probe (s_disk_t *self, synod_str_t key)
{
    self->probe->key_size = key.size <= SYNOD__DISK_KEY_MAX ? key.size : SYNOD__DISK_KEY_MAX;
    if (key.size)
        memcpy (self->probe->bytes, key.data, self->probe->key_size);
    return self->probe;
}

static synod_str_t s_value (const s_entry_t *e)
{
    return synod_str_n (e->bytes + e->key_size, e->value_size);
}

static int s_get (synod__disk_t *base, synod_str_t key, synod_str_t *value)
{
    s_disk_t *self = (s_disk_t *) base;
    if (self->broken)
        return self->broken;
    s_entry_t *e = key.size <= SYNOD__DISK_KEY_MAX ? RB_FIND (s_tree, &self->tree, s_probe (self, key)) : NULL;
    if (!e)
        return SYNOD_NOT_FOUND;
    *value = s_value (e);
    return SYNOD_OK;
}

/* The first that is not less than BOUND, which may be longer than any key: then a key that is all of its beginning comes
 * before it. */
static s_entry_t *s_least (s_disk_t *self, synod_str_t bound)
{
    s_entry_t *e = RB_NFIND (s_tree, &self->tree, s_probe (self, bound));
    bool before = e && bound.size > SYNOD__DISK_KEY_MAX && s_compare (e, self->probe) == 0;
    return before ? RB_NEXT (s_tree, &self->tree, e) : e;
}

static int s_scan (synod__disk_t *base, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg)
{
    s_disk_t *self = (s_disk_t *) base;
    if (self->broken)
        return self->broken;
    s_entry_t *end = until.size ? s_least (self, until) : NULL;
    s_entry_t *e = s_least (self, from);
    if (e && end && s_compare (e, end) > 0)
        return SYNOD_OK; /* the bounds are the wrong way round */
    for (; e && e != end; e = RB_NEXT (s_tree, &self->tree, e))
        if (!on_entry (arg, synod_str_n (e->bytes, e->key_size), s_value (e)))
            break;
    return SYNOD_OK;
}

static s_entry_t *s_entry (synod_str_t key, synod_str_t value)
{
    s_entry_t *e = (s_entry_t *) malloc (sizeof *e + key.size + value.size);
    if (!e)
        abort ();
    e->key_size = key.size;
    e->value_size = value.size;
    e->absent = false;
    memcpy (e->bytes, key.data, key.size);
    if (value.size)
        memcpy (e->bytes + key.size, value.data, value.size);
    return e;
}

/* OLD (not in the tree) is what undoing puts back. */
static void s_remember (s_disk_t *self, s_entry_t *old)
{
    old->undo = self->undo;
    self->undo = old;
}

static void s_apply (s_disk_t *self, synod_str_t key, synod_str_t value)
{
    s_entry_t *old = RB_FIND (s_tree, &self->tree, s_probe (self, key));
    if (old)
        RB_REMOVE (s_tree, &self->tree, old);
    if (value.data)
        RB_INSERT (s_tree, &self->tree, s_entry (key, value));
    else if (!old)
        return;
    if (!old) {
        old = s_entry (key, synod_str_n (NULL, 0));
        old->absent = true;
    }
    s_remember (self, old);
}

static int s_write (synod__disk_t *base, synod_str_t batch)
{
    s_disk_t *self = (s_disk_t *) base;
    synod_str_t rest = batch, key, value;
    int rc;
    if (self->broken)
        return self->broken;
    while ((rc = synod__disk_batch_next (&rest, &key, &value)) == SYNOD_OK)
        ; /* a batch is checked whole before any of it is written */
    if (rc != SYNOD_NOT_FOUND)
        return rc;
    while (synod__disk_batch_next (&batch, &key, &value) == SYNOD_OK)
        s_apply (self, key, value);
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
        s_entry_t *old = self->undo;
        self->undo = old->undo;
        free (old);
    }
    return SYNOD_OK;
}

void synod__memory_disk_crash (synod__disk_t *base)
{
    s_disk_t *self = (s_disk_t *) base;
    while (self->undo) {
        s_entry_t *old = self->undo;
        self->undo = old->undo;
        s_entry_t *now = RB_FIND (s_tree, &self->tree, old);
        if (now) {
            RB_REMOVE (s_tree, &self->tree, now);
            free (now);
        }
        if (old->absent)
            free (old);
        else
            RB_INSERT (s_tree, &self->tree, old);
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
    s_entry_t *e;
    if (!self)
        return;
    synod__memory_disk_crash (*self_p); /* frees what would undo */
    while ((e = RB_ROOT (&self->tree))) {
        RB_REMOVE (s_tree, &self->tree, e);
        free (e);
    }
    free (self->probe);
    free (self);
    *self_p = NULL;
}

static const synod__disk_ops_t s_ops = {s_get, s_scan, s_write, s_commit, s_error, s_close};

synod__disk_t *synod__memory_disk_new (const uint8_t id[SYNOD__DISK_ID])
{
    s_disk_t *self = (s_disk_t *) calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->disk.ops = &s_ops;
    memcpy (self->disk.id, id, SYNOD__DISK_ID);
    RB_INIT (&self->tree);
    self->probe = (s_entry_t *) calloc (1, sizeof *self->probe + SYNOD__DISK_KEY_MAX);
    if (!self->probe)
        abort ();
    return &self->disk;
}
