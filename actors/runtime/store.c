/* SPDX-License-Identifier: MPL-2.0
 *
 * The ordered store in memory. Two trees of the same kind: committed, and staged; a staged entry hides the committed
 * one of its key, a staged deletion is an entry without a value. Commit moves the staged entries over, so a batch is
 * joined whole or not at all.
 */
#include <bsd/sys/cdefs.h>
#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"

#ifndef __unused /* which tree.h uses and glibc has not */
#define __unused __attribute__ ((unused))
#endif

typedef struct s_entry {
    RB_ENTRY (s_entry) link;
    uint32_t key_size, value_size;
    bool deleted; /* staged only */
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

struct synod__store_t {
    struct s_tree committed, staged;
    s_entry_t *probe; /* a key to look for; room for the longest */
};

static synod_str_t s_key (const s_entry_t *e)
{
    return synod_str_n (e->bytes, e->key_size);
}

static synod_str_t s_value (const s_entry_t *e)
{
    return synod_str_n (e->bytes + e->key_size, e->value_size);
}

static s_entry_t *s_probe (synod__store_t *self, synod_str_t key)
{
    self->probe->key_size = key.size;
    if (key.size)
        memcpy (self->probe->bytes, key.data, key.size);
    return self->probe;
}

static void s_clear (struct s_tree *tree)
{
    s_entry_t *e;
    while ((e = RB_MIN (s_tree, tree))) {
        RB_REMOVE (s_tree, tree, e);
        free (e);
    }
}

static void s_replace (struct s_tree *tree, s_entry_t *e)
{
    s_entry_t *old = RB_INSERT (s_tree, tree, e);
    if (!old)
        return;
    RB_REMOVE (s_tree, tree, old);
    free (old);
    RB_INSERT (s_tree, tree, e);
}

synod__store_t *synod__store_new (void)
{
    synod__store_t *self = (synod__store_t *) calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->probe = (s_entry_t *) calloc (1, sizeof *self->probe + SYNOD_STORE_KEY_MAX);
    if (!self->probe) {
        free (self);
        return NULL;
    }
    RB_INIT (&self->committed);
    RB_INIT (&self->staged);
    return self;
}

void synod__store_destroy (synod__store_t **self_p)
{
    synod__store_t *self = *self_p;
    if (!self)
        return;
    s_clear (&self->staged);
    s_clear (&self->committed);
    free (self->probe);
    free (self);
    *self_p = NULL;
}

static int s_write (synod__store_t *self, synod_str_t key, synod_str_t value, bool deleted)
{
    if (key.size == 0 || key.size > SYNOD_STORE_KEY_MAX)
        return SYNOD_INVALID;
    if (value.size > SYNOD_BODY_MAX)
        return SYNOD_TOO_LARGE;
    s_entry_t *e = (s_entry_t *) malloc (sizeof *e + key.size + value.size);
    if (!e)
        return SYNOD_NO_MEMORY;
    e->key_size = key.size;
    e->value_size = value.size;
    e->deleted = deleted;
    memcpy (e->bytes, key.data, key.size);
    if (value.size)
        memcpy (e->bytes + key.size, value.data, value.size);
    s_replace (&self->staged, e);
    return SYNOD_OK;
}

int synod__store_put (synod__store_t *self, synod_str_t key, synod_str_t value)
{
    return s_write (self, key, value, false);
}

int synod__store_delete (synod__store_t *self, synod_str_t key)
{
    return s_write (self, key, synod_str_n (NULL, 0), true);
}

int synod__store_get (synod__store_t *self, synod_str_t key, synod_str_t *value)
{
    if (key.size == 0 || key.size > SYNOD_STORE_KEY_MAX)
        return SYNOD_INVALID;
    s_entry_t *e = RB_FIND (s_tree, &self->staged, s_probe (self, key));
    if (!e)
        e = RB_FIND (s_tree, &self->committed, self->probe);
    if (!e || e->deleted)
        return SYNOD_NOT_FOUND;
    *value = s_value (e);
    return SYNOD_OK;
}

int synod__store_scan (synod__store_t *self, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg)
{
    if (from.size > SYNOD_STORE_KEY_MAX || until.size > SYNOD_STORE_KEY_MAX)
        return SYNOD_INVALID;
    s_probe (self, from);
    s_entry_t *c = RB_NFIND (s_tree, &self->committed, self->probe);
    s_entry_t *s = RB_NFIND (s_tree, &self->staged, self->probe);
    s_probe (self, until);
    while (c || s) {
        int order = !c ? 1 : !s ? -1 : s_compare (c, s);
        s_entry_t *e = order < 0 ? c : s;
        if (until.size && s_compare (e, self->probe) >= 0)
            break;
        if (order <= 0)
            c = RB_NEXT (s_tree, &self->committed, c);
        if (order >= 0)
            s = RB_NEXT (s_tree, &self->staged, s);
        if (!e->deleted && !on_entry (arg, s_key (e), s_value (e)))
            break;
    }
    return SYNOD_OK;
}

void synod__store_commit (synod__store_t *self)
{
    s_entry_t *e;
    while ((e = RB_MIN (s_tree, &self->staged))) {
        RB_REMOVE (s_tree, &self->staged, e);
        if (!e->deleted) {
            s_replace (&self->committed, e);
            continue;
        }
        s_entry_t *old = RB_FIND (s_tree, &self->committed, e);
        if (old) {
            RB_REMOVE (s_tree, &self->committed, old);
            free (old);
        }
        free (e);
    }
}

void synod__store_drop (synod__store_t *self)
{
    s_clear (&self->staged);
}
