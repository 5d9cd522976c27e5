/* SPDX-License-Identifier: MPL-2.0
 *
 * An ordered store in memory, and a partition on it.
 */
#include <stdio.h>
#include "memory_store.h"

static synod_str_t s_copy (synod_str_t bytes)
{
    char *data = (char *) malloc (bytes.size + 1);
    assert_non_null (data);
    if (bytes.size)
        memcpy (data, bytes.data, bytes.size);
    return synod_str_n (data, bytes.size);
}

static int s_order (synod_str_t a, synod_str_t b)
{
    uint32_t least = a.size < b.size ? a.size : b.size;
    int order = least ? memcmp (a.data, b.data, least) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* The first that is not before KEY. */
static uint32_t s_at (const memory_store_t *self, synod_str_t key)
{
    uint32_t low = 0, high = self->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (s_order (self->pairs[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool s_has (const memory_store_t *self, uint32_t at, synod_str_t key)
{
    return at < self->count && s_order (self->pairs[at].key, key) == 0;
}

static void s_set (memory_store_t *self, synod_str_t key, const synod_str_t *value)
{
    uint32_t at = s_at (self, key);
    if (s_has (self, at, key)) {
        free ((char *) self->pairs[at].value.data);
        if (value)
            self->pairs[at].value = s_copy (*value);
        else {
            free ((char *) self->pairs[at].key.data);
            memmove (self->pairs + at, self->pairs + at + 1, (--self->count - at) * sizeof *self->pairs);
        }
        return;
    }
    if (!value)
        return;
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 64;
        self->pairs = (pair_t *) realloc (self->pairs, self->room * sizeof *self->pairs);
        assert_non_null (self->pairs);
    }
    memmove (self->pairs + at + 1, self->pairs + at, (self->count++ - at) * sizeof *self->pairs);
    self->pairs[at] = (pair_t){s_copy (key), s_copy (*value)};
}

static void s_remember (memory_store_t *self, synod_str_t key)
{
    uint32_t at = s_at (self, key);
    if (self->nundo == self->undo_room) {
        self->undo_room = self->undo_room ? self->undo_room * 2 : 64;
        self->undo = (pair_t *) realloc (self->undo, self->undo_room * sizeof *self->undo);
        assert_non_null (self->undo);
    }
    bool has = s_has (self, at, key);
    self->undo[self->nundo++] = (pair_t){s_copy (key), has ? s_copy (self->pairs[at].value) : synod_str_n (NULL, 0)};
}

static int s_get (void *arg, synod_str_t key, synod_str_t *value)
{
    memory_store_t *self = (memory_store_t *) arg;
    uint32_t at = s_at (self, key);
    assert_in_range (key.size, 1, SYNOD_STORE_KEY_MAX);
    if (!s_has (self, at, key))
        return SYNOD_NOT_FOUND;
    *value = self->pairs[at].value;
    return SYNOD_OK;
}

static int s_put (void *arg, synod_str_t key, synod_str_t value)
{
    assert_in_range (key.size, 1, SYNOD_STORE_KEY_MAX);
    s_remember ((memory_store_t *) arg, key);
    s_set ((memory_store_t *) arg, key, &value);
    return SYNOD_OK;
}

static int s_remove (void *arg, synod_str_t key)
{
    s_remember ((memory_store_t *) arg, key);
    s_set ((memory_store_t *) arg, key, NULL);
    return SYNOD_OK;
}

static int s_scan (void *arg, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *on_arg)
{
    memory_store_t *self = (memory_store_t *) arg;
    for (uint32_t at = s_at (self, from); at < self->count; at++)
        if ((until.size && s_order (self->pairs[at].key, until) >= 0) ||
            !on_entry (on_arg, self->pairs[at].key, self->pairs[at].value))
            break;
    return SYNOD_OK;
}

const synod__kv_store_t memory_store = {s_get, s_put, s_remove, s_scan};

/* The last step ended: what it wrote stays, or not. */
static void s_end (memory_store_t *self, bool stays)
{
    while (self->nundo) {
        pair_t *one = &self->undo[--self->nundo];
        if (!stays)
            s_set (self, one->key, one->value.data ? &one->value : NULL);
        free ((char *) one->key.data);
        free ((char *) one->value.data);
    }
}

/* ---- a partition ---- */

void part_begin (part_t *self)
{
    memset (self, 0, offsetof (part_t, step));
    self->position = 100;
    self->now_ms = 1000000;
    self->most = UINT64_MAX;
    part_reload (self);
}

void part_end (part_t *self)
{
    for (uint32_t i = 0; i < self->store.count; i++) {
        free ((char *) self->store.pairs[i].key.data);
        free ((char *) self->store.pairs[i].value.data);
    }
    free (self->store.pairs);
    free (self->store.undo);
}

part_t the_part;

int part_setup (void **state)
{
    (void) state;
    part_begin (&the_part);
    return 0;
}

int part_teardown (void **state)
{
    (void) state;
    part_end (&the_part);
    return 0;
}

void part_reload (part_t *self)
{
    assert_int_equal (synod__kv_load (&memory_store, &self->store, &self->memory), SYNOD_OK);
}

synod__kv_step_t *part_step (part_t *self)
{
    synod__kv_begin (&self->step, &memory_store, &self->store, &self->memory, ++self->position, self->now_ms,
                     self->most);
    return &self->step;
}

int part_done (part_t *self, int rc)
{
    synod_fault_t fault = {0};
    if (rc == SYNOD_OK)
        synod__kv_end (&self->step, &self->memory);
    else
        assert_int_not_equal (self->step.fault.text[0], 0);
    s_end (&self->store, rc == SYNOD_OK);
    if (!synod__kv_check (&memory_store, &self->store, &self->memory, &fault))
        fail_msg ("%s", fault.text);
    return rc;
}

void part_holds (part_t *self, const char *key, const char *text)
{
    assert_int_equal (part_do (self, get, key, 0), SYNOD_OK);
    assert_int_equal (self->step.is.found, text != NULL);
    if (text && !synod_str_is (self->step.is.data, text))
        fail_msg ("%s: expected \"%s\", it holds \"%.*s\"", key, text, SYNOD_STR (self->step.is.data));
}

/* ---- large values ---- */

static char s_byte (uint32_t seed, uint64_t at)
{
    return (char) ((seed + at / 1000) % 251);
}

int part_put_large (part_t *self, const char *key, uint64_t number, uint64_t size, uint32_t seed)
{
    char data[SYNOD__KV_PIECE];
    for (uint64_t at = 0; at < size; at += SYNOD__KV_PIECE) {
        uint32_t part = size - at < SYNOD__KV_PIECE ? (uint32_t) (size - at) : SYNOD__KV_PIECE;
        for (uint32_t i = 0; i < part; i++)
            data[i] = s_byte (seed, at + i);
        const synod__kv_upload_t in = {
            .upload = number, .number = at / SYNOD__KV_PIECE, .data = synod_str_n (data, part)};
        int rc = part_done (self, synod__kv_upload (part_step (self), &in));
        if (rc != SYNOD_OK)
            return rc;
    }
    return part_do (self, put, key, .upload = number, .size = size);
}

void part_reads (part_t *self, uint64_t number, uint64_t size, uint32_t seed)
{
    for (uint64_t at = 0; at < size; at += SYNOD__KV_PIECE) {
        const synod__kv_piece_t in = {.upload = number, .number = at / SYNOD__KV_PIECE};
        synod__kv_piece_is_t out = {0};
        assert_int_equal (part_done (self, synod__kv_piece (part_step (self), &in, &out)), SYNOD_OK);
        assert_true (out.data.size == SYNOD__KV_PIECE || at + out.data.size >= size);
        for (uint64_t i = 0; i < out.data.size && at + i < size; i++)
            if (out.data.data[i] != s_byte (seed, at + i))
                fail_msg ("byte %d of a value of %d is another one's", (int) (at + i), (int) size);
    }
}

void part_holds_large (part_t *self, const char *key, uint64_t size, uint32_t seed)
{
    assert_int_equal (part_do (self, get, key, 0), SYNOD_OK);
    assert_true (self->step.is.found && self->step.is.size == size && self->step.is.upload);
    part_reads (self, self->step.is.upload, size, seed);
}
