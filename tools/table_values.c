/* SPDX-License-Identifier: MPL-2.0
 *
 * Values that show whether they are whole: chunks that each say their token and size, and are filled with what follows from
 * the token. Half of one, or the half of another, is none.
 */
#include <stdlib.h>
#include "table.h"

#define HEAD 12

static uint8_t byte_of (int64_t token, uint32_t at)
{
    return (uint8_t) ((uint64_t) token * 131 + at / 97);
}

int table_chunk (synod_buf_t *out, int64_t token, uint32_t size)
{
    size_t all = out->size + HEAD + size;
    if (all > out->capacity) {
        char *data = (char *) realloc (out->data, all);
        if (!data)
            return SYNOD_NO_MEMORY;
        out->data = data;
        out->capacity = all;
    }
    char *at = out->data + out->size;
    memcpy (at, &token, 8);
    memcpy (at + 8, &size, 4);
    for (uint32_t i = 0; i < size; i++)
        at[HEAD + i] = (char) byte_of (token, i);
    out->size = all;
    return SYNOD_OK;
}

bool table_read_value (synod_str_t bytes, int64_t *value)
{
    const char *at = bytes.data, *end = at + bytes.size;
    *value = SYNOD_NIL;
    while (end - at >= HEAD) {
        int64_t token;
        uint32_t size;
        memcpy (&token, at, 8);
        memcpy (&size, at + 8, 4);
        at += HEAD;
        if (size > end - at)
            return false;
        for (uint32_t i = 0; i < size; i++)
            if ((uint8_t) at[i] != byte_of (token, i))
                return false;
        at += size;
        *value = table_appended (*value, token);
    }
    return at == end && *value != SYNOD_NIL;
}
