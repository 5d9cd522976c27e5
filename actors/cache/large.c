/* SPDX-License-Identifier: MPL-2.0
 *
 * Values of more than a message carries. What is on its way, or was replaced and may still be read, is a value of its own for a
 * minute, under a key that no address can have: a byte of 1 and the number.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "cache.h"

#define S_KEY      9
#define S_GRACE_US 60000000
#define S_OWN      (1ull << 63) /* numbers that are made of values; those of senders are below */

static synod_str_t s_key (uint64_t number, char room[S_KEY])
{
    room[0] = SYNOD__CACHE_HIDDEN;
    memcpy (room + 1, &number, sizeof number);
    return synod_str_n (room, S_KEY);
}

static uint64_t s_number (synod_str_t value)
{
    return XXH3_64bits (value.data, value.size) | S_OWN;
}

int synod__cache_upload (synod__cache_t *self, synod__cache_now_t now, const synod__kv_upload_t *in,
                         synod_fault_t *fault)
{
    char room[S_KEY];
    synod__cache_value_t before = {.data = synod_str_n (NULL, 0)};
    synod_str_t key = s_key (in->upload, room);
    if (!in->data.size)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "data: expected a piece of 1 to %d bytes, got none",
                            SYNOD__KV_PIECE);
    if (in->number && !synod__cache_table_get (self->table, key, now.now_us, true, &before))
        return synod_fault (fault, SYNOD_NOT_FOUND, "the pieces before number %u are not here any more",
                            (unsigned) in->number);
    if (before.data.size != in->number * SYNOD__KV_PIECE)
        return synod_fault (fault, SYNOD_REFUSED, "expected piece %u, got %u", before.data.size / SYNOD__KV_PIECE,
                            (unsigned) in->number);
    return synod__cache_set_value (self, key, before.data, in->data, now.now_us + S_GRACE_US, fault);
}

int synod__cache_uploaded (synod__cache_t *self, synod__cache_now_t now, const synod__kv_put_t *in, synod_str_t *value,
                           synod_fault_t *fault)
{
    char room[S_KEY];
    synod__cache_value_t found;
    if (in->data.size)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "expected data or upload, got both");
    if (!synod__cache_table_get (self->table, s_key (in->upload, room), now.now_us, true, &found) ||
        found.data.size != in->size)
        return synod_fault (fault, SYNOD_NOT_FOUND, "the pieces of upload %llu are not all here any more",
                            (unsigned long long) in->upload);
    *value = found.data;
    return SYNOD_OK;
}

void synod__cache_taken (synod__cache_t *self, uint64_t upload)
{
    char room[S_KEY];
    synod__cache_table_remove (self->table, s_key (upload, room));
}

int synod__cache_piece (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_piece_t *in,
                        synod__kv_piece_is_t *out, synod_fault_t *fault)
{
    char room[S_KEY];
    synod__cache_value_t value;
    uint64_t at = in->number * SYNOD__KV_PIECE;
    bool found = (in->upload & S_OWN) != 0;
    if (found && !synod__cache_table_get (self->table, s_key (in->upload, room), now.now_us, true, &value))
        found =
            synod__cache_table_get (self->table, key, now.now_us, true, &value) && s_number (value.data) == in->upload;
    if (!found || at >= value.data.size)
        return synod_fault (fault, SYNOD_NOT_FOUND, "that value is not here any more");
    uint64_t left = value.data.size - at;
    memset (out, 0, sizeof *out);
    out->data = synod_str_n (value.data.data + at, left < SYNOD__KV_PIECE ? left : SYNOD__KV_PIECE);
    return SYNOD_OK;
}

void synod__cache_told (synod__cache_t *self, synod__cache_now_t now, synod__kv_is_t *out)
{
    char room[S_KEY];
    if (out->data.size > SYNOD__KV_PIECE) {
        out->upload = s_number (out->data);
        out->data = synod_str_n (NULL, 0);
    }
    if (out->old.size > SYNOD__KV_PIECE) {
        out->old_upload = s_number (out->old);
        synod__cache_set_value (self, s_key (out->old_upload, room), out->old, synod_str_n (NULL, 0),
                                now.now_us + S_GRACE_US, NULL); /* or it is gone: a cache may forget it */
        out->old = synod_str_n (NULL, 0);
    }
}
