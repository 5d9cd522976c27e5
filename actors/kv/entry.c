/* SPDX-License-Identifier: MPL-2.0
 *
 * Entries as bytes, and the keys of a partition's store. An entry is
 *
 *     FLAGS VERSION [DEADLINE] [FENCE] [NUMBER SIZE] DATA
 *
 * with FLAGS a byte, DEADLINE and FENCE where the flags say so, NUMBER (eight bytes) and SIZE for a value in pieces, whose
 * DATA is empty. VERSION, DEADLINE, FENCE and SIZE are numbers of seven bits a byte, the lowest first, the top bit of
 * all but the last set: an entry of a small value has five bytes or so beside it.
 */
#include "inner.h"

enum { S_VALUE = 1, S_DEADLINE = 2, S_FENCE = 4, S_LARGE = 8, S_ALL = 15 };

char *synod__kv_put_number (char *to, uint64_t number)
{
    number = __builtin_bswap64 (number);
    memcpy (to, &number, S_NUMBER);
    return to + S_NUMBER;
}

uint64_t synod__kv_number (const char *from)
{
    uint64_t number;
    memcpy (&number, from, S_NUMBER);
    return __builtin_bswap64 (number);
}

/* ---- keys ---- */

synod_str_t synod__kv_entry_key (synod_str_t key, char out[SYNOD__KV_ENTRY_KEY_MAX])
{
    out[0] = 'k';
    if (key.size)
        memcpy (out + 1, key.data, key.size);
    return synod_str_n (out, key.size + 1);
}

synod_str_t synod__kv_due_key (int64_t until_ms, synod_str_t key, char out[SYNOD__KV_DUE_KEY_MAX])
{
    out[0] = 't';
    char *end = synod__kv_put_number (out + 1, (uint64_t) until_ms);
    if (key.size)
        memcpy (end, key.data, key.size);
    return synod_str_n (out, 1 + S_NUMBER + key.size);
}

synod_str_t synod__kv_piece_key (uint64_t number, uint64_t piece, char out[10])
{
    out[0] = 'p';
    *synod__kv_put_number (out + 1, number) = (char) piece;
    return synod_str_n (out, 2 + S_NUMBER);
}

synod_str_t synod__kv_upload_key (uint64_t number, char out[9])
{
    out[0] = 'u';
    synod__kv_put_number (out + 1, number);
    return synod_str_n (out, 1 + S_NUMBER);
}

synod_str_t synod__kv_garbage_key (int64_t until_ms, uint64_t number, char out[17])
{
    out[0] = 'g';
    synod__kv_put_number (synod__kv_put_number (out + 1, (uint64_t) until_ms), number);
    return synod_str_n (out, 1 + 2 * S_NUMBER);
}

/* ---- entries ---- */

static char *s_put (char *to, uint64_t number)
{
    while (number >= 0x80) {
        *to++ = (char) (number | 0x80);
        number >>= 7;
    }
    *to++ = (char) number;
    return to;
}

/* NULL: there is none. */
static const char *s_take (const char *at, const char *end, uint64_t *number)
{
    *number = 0;
    for (uint32_t shift = 0; at && at < end && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t) *at++;
        *number |= (uint64_t) (byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return at;
    }
    return NULL;
}

size_t synod__kv_encode (const synod__kv_entry_of_t *entry, char *out)
{
    int flags = (entry->value ? S_VALUE : 0) | (entry->until_ms ? S_DEADLINE : 0) | (entry->fence ? S_FENCE : 0) |
                (entry->large ? S_LARGE : 0);
    char *at = out;
    *at++ = (char) flags;
    at = s_put (at, entry->version);
    if (entry->until_ms)
        at = s_put (at, (uint64_t) entry->until_ms);
    if (entry->fence)
        at = s_put (at, entry->fence);
    if (entry->large)
        return (size_t) (s_put (synod__kv_put_number (at, entry->upload), entry->size) - out);
    if (entry->value && entry->data.size)
        memmove (at, entry->data.data, entry->data.size);
    return (size_t) (at - out) + (entry->value ? entry->data.size : 0);
}

bool synod__kv_decode (synod_str_t bytes, uint32_t key_size, synod__kv_entry_of_t *out)
{
    memset (out, 0, sizeof *out);
    if (!bytes.size)
        return false;
    const char *at = bytes.data + 1, *end = bytes.data + bytes.size;
    int flags = (uint8_t) bytes.data[0];
    uint64_t until = 0;
    out->any = true;
    out->value = flags & S_VALUE;
    out->large = flags & S_LARGE;
    at = s_take (at, end, &out->version);
    if (flags & S_DEADLINE)
        at = s_take (at, end, &until);
    if (flags & S_FENCE)
        at = s_take (at, end, &out->fence);
    if (at && out->large) {
        out->upload = end - at > S_NUMBER ? synod__kv_number (at) : 0;
        at = end - at > S_NUMBER ? s_take (at + S_NUMBER, end, &out->size) : NULL;
    }
    if (!at || flags & ~S_ALL || until > INT64_MAX || (out->large && at != end) ||
        (!out->value && (out->large || until)))
        return false;
    out->until_ms = (int64_t) until;
    if (!out->large) {
        out->data = synod_str_n (at, (size_t) (end - at));
        out->size = out->data.size;
    }
    out->stored = bytes.size + 1 + key_size + (until ? 1 + S_NUMBER + key_size : 0);
    return true;
}
