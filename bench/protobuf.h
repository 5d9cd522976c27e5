/* SPDX-License-Identifier: MPL-2.0
 *
 * As much of protobuf as a few fields take: each begins with a varint of its number and its type, 0 (a varint follows) or
 * 2 (a varint of a size and as many bytes).
 */
#ifndef BENCH_PROTOBUF_H_INCLUDED
#define BENCH_PROTOBUF_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} bytes_t;

static inline uint8_t *put_varint (uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t) (value | 0x80);
    *at++ = (uint8_t) value;
    return at;
}

static inline uint8_t *put_bytes (uint8_t *at, unsigned field, const void *data, size_t size)
{
    at = put_varint (at, field << 3 | 2);
    at = put_varint (at, size);
    memcpy (at, data, size);
    return at + size;
}

static inline bool take_varint (bytes_t *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; in->at < in->end && shift < 64; shift += 7) {
        *value |= (uint64_t) (*in->at & 0x7f) << shift;
        if (!(*in->at++ & 0x80))
            return true;
    }
    return false;
}

/* The next field of IN: its number, and its value or its bytes. False at the end, and when it is none (at < end). */
static inline bool take_field (bytes_t *in, uint64_t *field, uint64_t *value, bytes_t *bytes)
{
    const uint8_t *start = in->at;
    uint64_t tag;
    *bytes = (bytes_t){NULL, NULL};
    if (in->at < in->end && take_varint (in, &tag) && take_varint (in, value)) {
        *field = tag >> 3;
        if ((tag & 7) == 0)
            return true;
        if ((tag & 7) == 2 && *value <= (uint64_t) (in->end - in->at)) {
            *bytes = (bytes_t){in->at, in->at + *value};
            in->at += *value;
            return true;
        }
    }
    in->at = start;
    return false;
}

#endif
