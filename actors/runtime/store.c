/* SPDX-License-Identifier: MPL-2.0
 *
 * The staged writes are a red-black tree of whole disk keys; an entry in it hides the disk's, and one without a value
 * is a deletion. A scan merges the two.
 */
#include "internal.h"
#include "pair_merge.h"

_Static_assert(SYNOD__STORE_PREFIX_MAX + 1 + SYNOD_STORE_KEY_MAX <= SYNOD__DISK_KEY_MAX,
               "a store's keys fit the disk's");

struct synod__store_t {
    synod__rt_t *rt;
    synod__disk_t *disk; /* of the runtime */
    struct synod__pairs staged;
    uint32_t prefix_size; /* the prefix is at the start of both probes */
    synod__pair_t *probe, *until;
};

synod__store_t *synod__store_new (synod__rt_t *rt, synod_str_t actor)
{
    synod__store_t *self = (synod__store_t *) synod__alloc (sizeof *self);
    self->rt = rt;
    self->disk = rt->disk;
    self->probe = (synod__pair_t *) synod__alloc (sizeof *self->probe + SYNOD__DISK_KEY_MAX);
    self->until = (synod__pair_t *) synod__alloc (sizeof *self->until + SYNOD__DISK_KEY_MAX);
    RB_INIT (&self->staged);
    char prefix[SYNOD_NAME_MAX + 1] = {0};
    assert (actor.size <= SYNOD_NAME_MAX);
    memcpy (prefix, actor.data, actor.size);
    synod__store_select (self, synod_str_n (prefix, actor.size + 1));
    return self;
}

void synod__store_select_end (synod__store_t *self, const char end[4])
{
    char *probe = self->probe->bytes + self->prefix_size - 4, *until = self->until->bytes + self->prefix_size - 4;
    if (memcmp (probe, end, 4) == 0)
        return;
    assert (!synod__store_staged (self));
    memcpy (probe, end, 4);
    memcpy (until, end, 4);
}

void synod__store_select (synod__store_t *self, synod_str_t prefix)
{
    if (synod_str_same (prefix, synod__store_prefix (self)))
        return;
    assert (!synod__store_staged (self) && prefix.size <= SYNOD__STORE_PREFIX_MAX);
    synod__disk_key (self->probe->bytes, 0, prefix);
    synod__disk_key (self->until->bytes, 0, prefix);
    self->prefix_size = prefix.size;
}

synod_str_t synod__store_prefix (const synod__store_t *self)
{
    return synod_str_n (self->probe->bytes, self->prefix_size);
}

void synod__store_destroy (synod__store_t **self_p)
{
    synod__store_t *self = *self_p;
    if (!self)
        return;
    synod__store_drop (self);
    free (self->probe);
    free (self->until);
    free (self);
    *self_p = NULL;
}

static int s_read (synod__store_t *self, int rc)
{
    if (rc == SYNOD_IO || rc == SYNOD_FULL)
        synod__broken (self->rt, rc);
    return rc;
}

/* KEY was checked for its size. */
static synod_str_t s_set (const synod__store_t *self, synod__pair_t *probe, synod__area_t area, synod_str_t key)
{
    synod_str_t whole = synod__store_key (probe->bytes, self->prefix_size, area, key);
    probe->key_size = whole.size;
    return whole;
}

static int s_write (synod__store_t *self, synod__area_t area, synod_str_t key, synod_str_t value, bool absent)
{
    if (key.size == 0 || key.size > SYNOD__AREA_KEY_MAX)
        return SYNOD_INVALID;
    if (value.size > SYNOD_STORE_VALUE_MAX)
        return SYNOD_TOO_LARGE;
    synod_str_t whole = s_set (self, self->probe, area, key);
    synod__pair_t *e = synod__pair_new (whole, value, absent);
    if (!e)
        return SYNOD_NO_MEMORY;
    synod__pair_t *old = RB_INSERT (synod__pairs, &self->staged, e);
    if (old) {
        synod__pairs_replace (&self->staged, old, e);
        free (old);
    }
    return SYNOD_OK; /* NOLINT(clang-analyzer-unix.Malloc): the tree has it */
}

int synod__store_put (synod__store_t *self, synod__area_t area, synod_str_t key, synod_str_t value)
{
    return s_write (self, area, key, value, false);
}

int synod__store_delete (synod__store_t *self, synod__area_t area, synod_str_t key)
{
    return s_write (self, area, key, synod_str_n (NULL, 0), true);
}

int synod__store_get (synod__store_t *self, synod__area_t area, synod_str_t key, synod_str_t *value)
{
    if (key.size == 0 || key.size > SYNOD__AREA_KEY_MAX)
        return SYNOD_INVALID;
    synod_str_t whole = s_set (self, self->probe, area, key);
    synod__pair_t *e = RB_EMPTY (&self->staged) ? NULL : RB_FIND (synod__pairs, &self->staged, self->probe);
    if (!e)
        return s_read (self, self->disk->ops->get (self->disk, whole, value));
    if (e->absent)
        return SYNOD_NOT_FOUND;
    *value = synod__pair_value (e);
    return SYNOD_OK;
}

/* ---- scanning ---- */

typedef struct {
    uint32_t prefix; /* that keys of the disk have before the store's */
    synod_on_entry_t *on_entry;
    void *arg;
} s_scan_t;

static bool s_on_entry (void *arg, synod_str_t key, synod_str_t value)
{
    const s_scan_t *scan = (const s_scan_t *) arg;
    return scan->on_entry (scan->arg, synod_str_n (key.data + scan->prefix, key.size - scan->prefix), value);
}

int synod__store_scan (synod__store_t *self, synod__area_t area, synod_str_t from, synod_str_t until,
                       synod_on_entry_t *on_entry, void *arg)
{
    if (from.size > SYNOD__AREA_KEY_MAX || until.size > SYNOD__AREA_KEY_MAX)
        return SYNOD_INVALID;
    s_scan_t scan = {self->prefix_size + 1, on_entry, arg};
    /* on the stack: ON_ENTRY may read, which uses the probes */
    char from_bytes[SYNOD__DISK_KEY_MAX], until_bytes[SYNOD__DISK_KEY_MAX];
    synod_str_t low = s_set (self, self->probe, area, from);
    synod_str_t high = s_set (self, self->until, until.size ? area : area + 1, until);
    if (synod__bytes_order (low, high) >= 0)
        return SYNOD_OK;
    memcpy (from_bytes, low.data, low.size);
    memcpy (until_bytes, high.data, high.size);
    low.data = from_bytes;
    high.data = until_bytes;
    synod__pair_merge_t merge = synod__pair_merge (&self->staged, low, high, s_on_entry, &scan);
    int rc = self->disk->ops->scan (self->disk, low, high, synod__pair_merge_beneath, &merge);
    if (rc == SYNOD_OK)
        synod__pair_merge_end (&merge);
    return s_read (self, rc);
}

/* ---- joining ---- */

bool synod__store_staged (const synod__store_t *self)
{
    return !RB_EMPTY (&self->staged);
}

void synod__store_take (synod__store_t *self, synod_buf_t *batch)
{
    synod__pair_t *e;
    RB_FOREACH (e, synod__pairs, &self->staged)
    {
        synod_str_t key = synod_str_n (e->bytes + self->prefix_size, e->key_size - self->prefix_size);
        synod_str_t value = synod__pair_value (e);
        if (synod__disk_batch_add (batch, key, e->absent ? NULL : &value) != SYNOD_OK)
            abort ();
    }
    synod__store_drop (self);
}

void synod__store_drop (synod__store_t *self)
{
    synod__pairs_clear (&self->staged);
}
