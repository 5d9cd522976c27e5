/* SPDX-License-Identifier: MPL-2.0
 *
 * The invariants of a partition's store, for checkers: each entry can be read, each deadline and each number has its two
 * sides, every piece belongs to something, and the counts are right.
 */
#include "inner.h"

typedef struct {
    const synod__kv_store_t *store;
    void *arg;
    synod_fault_t *fault;
    uint64_t deadlines, dues, kept, garbage;
} s_check_t;

static bool s_wrong (s_check_t *self, const char *what, synod_str_t key)
{
    synod_fault (self->fault, SYNOD_FAILED, "%s: %.*s", what, SYNOD_STR (key));
    return false;
}

static bool s_is (const s_check_t *self, synod_str_t key, uint32_t size)
{
    synod_str_t value;
    return self->store->get (self->arg, key, &value) == SYNOD_OK && (!size || value.size == size);
}

static bool s_pieces (const s_check_t *self, uint64_t number, uint64_t size)
{
    char room[10];
    for (uint64_t i = 0; i < synod__kv_pieces (size); i++) {
        uint64_t left = size - i * SYNOD__KV_PIECE;
        if (!s_is (self, synod__kv_piece_key (number, i, room),
                   (uint32_t) (left < SYNOD__KV_PIECE ? left : SYNOD__KV_PIECE)))
            return false;
    }
    return true;
}

static bool s_entry (void *arg, synod_str_t key, synod_str_t value)
{
    s_check_t *self = (s_check_t *) arg;
    synod__kv_entry_of_t entry;
    char room[SYNOD__KV_DUE_KEY_MAX];
    synod_str_t name = synod_str_n (key.data + 1, key.size - 1);
    if (!synod__kv_decode (value, name.size, &entry))
        return s_wrong (self, "no entry", name);
    if (!entry.value && !entry.fence)
        return s_wrong (self, "an entry of nothing", name);
    self->deadlines += entry.until_ms != 0;
    if (entry.until_ms && !s_is (self, synod__kv_due_key (entry.until_ms, name, room), 0))
        return s_wrong (self, "a deadline that nobody looks after", name);
    if (entry.large && s_is (self, synod__kv_upload_key (entry.upload, room), 0))
        return s_wrong (self, "a value that will be forgotten", name);
    if (entry.large && !s_pieces (self, entry.upload, entry.size))
        return s_wrong (self, "a value without all of its pieces", name);
    return true;
}

static bool s_due (void *arg, synod_str_t key, synod_str_t value)
{
    (void) key;
    (void) value;
    ((s_check_t *) arg)->dues++;
    return true;
}

static bool s_garbage (void *arg, synod_str_t key, synod_str_t value)
{
    (void) key;
    (void) value;
    ((s_check_t *) arg)->garbage++;
    return true;
}

static bool s_kept (void *arg, synod_str_t key, synod_str_t value)
{
    s_check_t *self = (s_check_t *) arg;
    char room[17];
    self->kept++;
    uint64_t number = synod__kv_number (key.data + 1);
    if (value.size != 2 * S_NUMBER ||
        !s_is (self, synod__kv_garbage_key ((int64_t) synod__kv_number (value.data + S_NUMBER), number, room), 0))
        return s_wrong (self, "pieces that are never forgotten", synod_str ("u"));
    return s_pieces (self, number, synod__kv_number (value.data)) ||
           s_wrong (self, "pieces are missing", synod_str ("u"));
}

bool synod__kv_check (const synod__kv_store_t *store, void *arg, const synod__kv_memory_t *memory, synod_fault_t *fault)
{
    s_check_t self = {.store = store, .arg = arg, .fault = fault};
    synod__kv_memory_t loaded;
    fault->code = SYNOD_OK;
    store->scan (arg, synod_str ("k"), synod_str ("l"), s_entry, &self);
    store->scan (arg, synod_str ("t"), synod_str ("u"), s_due, &self);
    store->scan (arg, synod_str ("g"), synod_str ("h"), s_garbage, &self);
    store->scan (arg, synod_str ("u"), synod_str ("v"), s_kept, &self);
    synod__kv_load (store, arg, &loaded);
    if (fault->code)
        return false;
    if (self.deadlines != self.dues || self.kept != self.garbage)
        return s_wrong (&self, "deadlines of nothing", synod_str ("t, g"));
    if (memory && (memory->keys != loaded.keys || memory->bytes != loaded.bytes || memory->due_ms > loaded.due_ms)) {
        synod_fault (fault, SYNOD_FAILED,
                     "expected %llu keys, %llu bytes and a deadline at %lld or later, there are %llu, %llu, %lld",
                     (unsigned long long) memory->keys, (unsigned long long) memory->bytes, (long long) memory->due_ms,
                     (unsigned long long) loaded.keys, (unsigned long long) loaded.bytes, (long long) loaded.due_ms);
        return false;
    }
    return true;
}
