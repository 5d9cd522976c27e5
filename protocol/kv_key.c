/* SPDX-License-Identifier: MPL-2.0
 *
 * Keys of the table as texts.
 */
#include "kv_key.h"
#include "text.h"

static const char s_digits[] = "0123456789abcdef";

/* How many bytes from AT on stand for themselves; 0: the one there does not. */
static size_t s_plain (synod_str_t bytes, size_t at)
{
    uint32_t point;
    size_t size = bytes.size - at;
    if (size > 1 && bytes.data[at] == '\\' && bytes.data[at + 1] == 'x')
        return 0;
    size_t taken = synod__utf8_next (bytes.data + at, size, &point);
    return taken && !synod__unprintable (point) ? taken : 0;
}

synod_str_t synod__kv_key_text (synod_str_t bytes, char *out)
{
    size_t size = 0;
    for (size_t at = 0; at < bytes.size;) {
        size_t plain = s_plain (bytes, at);
        if (size + (plain ? plain : 4) > SYNOD_KEY_MAX)
            return synod_str_n (NULL, 0);
        if (plain) {
            memcpy (out + size, bytes.data + at, plain);
            size += plain;
            at += plain;
            continue;
        }
        uint8_t byte = (uint8_t) bytes.data[at++];
        const char escape[4] = {'\\', 'x', s_digits[byte >> 4], s_digits[byte & 15]};
        memcpy (out + size, escape, sizeof escape);
        size += sizeof escape;
    }
    return synod_str_n (size ? out : NULL, size);
}

static int s_digit (char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

synod_str_t synod__kv_key_bytes (synod_str_t text, char *out)
{
    size_t size = 0;
    for (size_t at = 0; at < text.size && size < SYNOD_KEY_MAX;) {
        bool escape = text.size - at >= 4 && text.data[at] == '\\' && text.data[at + 1] == 'x' &&
                      s_digit (text.data[at + 2]) >= 0 && s_digit (text.data[at + 3]) >= 0;
        out[size++] = escape ? (char) (s_digit (text.data[at + 2]) << 4 | s_digit (text.data[at + 3])) : text.data[at];
        at += escape ? 4 : 1;
    }
    return synod_str_n (out, size);
}
