/* SPDX-License-Identifier: MPL-2.0
 *
 * The reader of msgpack in place. Nothing is trusted: each size is compared with the bytes that are left before it is
 * used, and a container claims no more elements than there are bytes for (an element takes one at least), so no count
 * that a peer wrote can cost more than the bytes it sent.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include "reader.h"

static inline uint16_t s_16 (const uint8_t *p)
{
    return (uint16_t) (p[0] << 8 | p[1]);
}

static inline uint32_t s_32 (const uint8_t *p)
{
    uint32_t n;
    memcpy (&n, p, sizeof n);
    return __builtin_bswap32 (n);
}

static inline uint64_t s_64 (const uint8_t *p)
{
    uint64_t n;
    memcpy (&n, p, sizeof n);
    return __builtin_bswap64 (n);
}

/* What follows the first byte: S_WIDTH bytes of a number or size, then what the size says. */
enum { S_BAD, S_NIL, S_BOOL, S_FLOAT, S_UINT, S_INT, S_STR, S_BIN, S_EXT, S_FIXEXT, S_ARRAY, S_MAP };
static const struct {
    uint8_t form;
    uint8_t width;
} s_forms[32] = {
    /* c0 */ {S_NIL, 0},    {S_BAD, 0},    {S_BOOL, 0},   {S_BOOL, 0},
    /* c4 */ {S_BIN, 1},    {S_BIN, 2},    {S_BIN, 4},    {S_EXT, 1},
    /* c8 */ {S_EXT, 2},    {S_EXT, 4},    {S_FLOAT, 4},  {S_FLOAT, 8},
    /* cc */ {S_UINT, 1},   {S_UINT, 2},   {S_UINT, 4},   {S_UINT, 8},
    /* d0 */ {S_INT, 1},    {S_INT, 2},    {S_INT, 4},    {S_INT, 8},
    /* d4 */ {S_FIXEXT, 0}, {S_FIXEXT, 0}, {S_FIXEXT, 0}, {S_FIXEXT, 0},
    /* d8 */ {S_FIXEXT, 0}, {S_STR, 1},    {S_STR, 2},    {S_STR, 4},
    /* dc */ {S_ARRAY, 2},  {S_ARRAY, 4},  {S_MAP, 2},    {S_MAP, 4},
};

static inline uint64_t s_number (const uint8_t *p, unsigned width)
{
    switch (width) {
    case 1:
        return p[0];
    case 2:
        return s_16 (p);
    case 4:
        return s_32 (p);
    case 8:
        return s_64 (p);
    }
    return 0;
}

static void s_set_int (synod__value_t *value, uint64_t number, unsigned width)
{
    int64_t n = width == 1   ? (int8_t) number
                : width == 2 ? (int16_t) number
                : width == 4 ? (int32_t) number
                             : (int64_t) number;
    value->type = n < 0 ? SYNOD__INT : SYNOD__UINT;
    value->i = n;
}

static void s_set_float (synod__value_t *value, uint64_t number, unsigned width)
{
    value->type = SYNOD__FLOAT;
    if (width == 4) {
        uint32_t bits = (uint32_t) number;
        float single;
        memcpy (&single, &bits, sizeof single);
        value->f = single;
    } else
        memcpy (&value->f, &number, sizeof value->f);
}

/* Bytes of SIZE from P on; ext types come before them. */
static int s_take_bytes (synod__reader_t *self, synod__value_t *value, synod__type_t type, const uint8_t *p,
                         uint64_t size)
{
    if (type == SYNOD__EXT) {
        if (p == self->end)
            return SYNOD_BAD_FRAME;
        value->ext_type = (int8_t) *p++;
    }
    if (size > (uint64_t) (self->end - p))
        return SYNOD_BAD_FRAME;
    value->type = type;
    value->size = (uint32_t) size;
    value->data = (const char *) p;
    self->at = p + size;
    return SYNOD_OK;
}

static int s_take_head (synod__reader_t *self, synod__value_t *value, synod__type_t type, const uint8_t *p,
                        uint64_t count)
{
    uint64_t left = (uint64_t) (self->end - p);
    if ((type == SYNOD__MAP ? 2 * count : count) > left)
        return SYNOD_BAD_FRAME;
    value->type = type;
    value->size = (uint32_t) count;
    self->at = p;
    return SYNOD_OK;
}

static int s_read_long (synod__reader_t *self, synod__value_t *value)
{
    unsigned first = *self->at - 0xc0u;
    unsigned form = s_forms[first].form, width = s_forms[first].width;
    const uint8_t *p = self->at + 1;
    if ((size_t) (self->end - p) < width)
        return SYNOD_BAD_FRAME;
    uint64_t number = s_number (p, width);
    p += width;
    switch (form) {
    case S_NIL:
        value->type = SYNOD__NIL;
        break;
    case S_BOOL:
        value->type = SYNOD__BOOL;
        value->b = first == 3;
        break;
    case S_FLOAT:
        s_set_float (value, number, width);
        break;
    case S_UINT:
        value->type = SYNOD__UINT;
        value->u = number;
        break;
    case S_INT:
        s_set_int (value, number, width);
        break;
    case S_STR:
        return s_take_bytes (self, value, SYNOD__STR, p, number);
    case S_BIN:
        return s_take_bytes (self, value, SYNOD__BIN, p, number);
    case S_EXT:
        return s_take_bytes (self, value, SYNOD__EXT, p, number);
    case S_FIXEXT:
        return s_take_bytes (self, value, SYNOD__EXT, p, 1u << (first - 0x14));
    case S_ARRAY:
        return s_take_head (self, value, SYNOD__ARRAY, p, number);
    case S_MAP:
        return s_take_head (self, value, SYNOD__MAP, p, number);
    default: /* c1 is never used */
        return SYNOD_BAD_FRAME;
    }
    self->at = p;
    return SYNOD_OK;
}

int synod__read (synod__reader_t *self, synod__value_t *value)
{
    if (self->at >= self->end)
        return SYNOD_BAD_FRAME;
    unsigned first = *self->at;
    if (first < 0x80) {
        value->type = SYNOD__UINT;
        value->u = first;
        self->at++;
        return SYNOD_OK;
    }
    if (first >= 0xe0) {
        value->type = SYNOD__INT;
        value->i = (int8_t) first;
        self->at++;
        return SYNOD_OK;
    }
    if (first >= 0xc0)
        return s_read_long (self, value);
    if (first >= 0xa0)
        return s_take_bytes (self, value, SYNOD__STR, self->at + 1, first & 0x1f);
    return s_take_head (self, value, first >= 0x90 ? SYNOD__ARRAY : SYNOD__MAP, self->at + 1, first & 0x0f);
}

/* The size of the scalar at P with all its bytes, 0 when it does not fit; or a container: its head, with COUNT set. */
static inline size_t s_extent (const uint8_t *p, size_t left, uint64_t *count)
{
    unsigned first = *p - 0xc0u;
    unsigned form = s_forms[first].form, width = s_forms[first].width;
    if (left <= width)
        return 0;
    uint64_t size = 1 + width;
    switch (form) {
    case S_STR:
    case S_BIN:
        size += s_number (p + 1, width);
        break;
    case S_EXT:
        size += 1 + s_number (p + 1, width);
        break;
    case S_FIXEXT:
        size += 1 + (1u << (first - 0x14));
        break;
    case S_ARRAY:
        *count = s_number (p + 1, width);
        break;
    case S_MAP:
        *count = 2 * s_number (p + 1, width);
        break;
    case S_BAD:
        return 0;
    }
    return size <= left ? (size_t) size : 0;
}

int synod__read_raw (synod__reader_t *self, uint32_t depth, synod_str_t *raw)
{
    assert (depth <= SYNOD_DEPTH_MAX);
    uint32_t waiting[SYNOD_DEPTH_MAX]; /* values still to come in the containers around this one */
    uint32_t level = 0, todo = 1;
    const uint8_t *p = self->at, *end = self->end;
    for (;;) {
        if (p >= end)
            return SYNOD_BAD_FRAME;
        unsigned first = *p;
        size_t left = (size_t) (end - p);
        uint64_t count = UINT64_MAX; /* of a container */
        if (first < 0x80 || first >= 0xe0)
            p++;
        else if (first >= 0xa0 && first < 0xc0) {
            size_t size = 1 + (first & 0x1f);
            if (size > left)
                return SYNOD_BAD_FRAME;
            p += size;
        } else if (first < 0xa0) {
            count = first >= 0x90 ? first & 0x0f : 2 * (first & 0x0f);
            p++;
        } else {
            size_t size = s_extent (p, left, &count);
            if (size == 0)
                return SYNOD_BAD_FRAME;
            p += size;
        }
        if (count != UINT64_MAX) {
            if (level == depth)
                return SYNOD_TOO_LARGE;
            if (count > (uint64_t) (end - p))
                return SYNOD_BAD_FRAME;
            if (count > 0) {
                waiting[level++] = todo;
                todo = (uint32_t) count;
                continue;
            }
        }
        while (--todo == 0) {
            if (level == 0) {
                *raw = synod_str_n (self->at, (size_t) (p - self->at));
                self->at = p;
                return SYNOD_OK;
            }
            todo = waiting[--level];
        }
    }
}

const char *synod__describe (const synod__value_t *value, char *text, size_t size)
{
    switch (value->type) {
    case SYNOD__NIL:
        snprintf (text, size, "nil");
        break;
    case SYNOD__BOOL:
        snprintf (text, size, "%s", value->b ? "true" : "false");
        break;
    case SYNOD__UINT:
        snprintf (text, size, "the integer %" PRIu64, value->u);
        break;
    case SYNOD__INT:
        snprintf (text, size, "the integer %" PRId64, value->i);
        break;
    case SYNOD__FLOAT:
        snprintf (text, size, "the number %g", value->f);
        break;
    case SYNOD__STR:
        snprintf (text, size, "a text of %u bytes", value->size);
        break;
    case SYNOD__BIN:
        snprintf (text, size, "%u bytes of binary", value->size);
        break;
    case SYNOD__ARRAY:
        snprintf (text, size, "a list of %u", value->size);
        break;
    case SYNOD__MAP:
        snprintf (text, size, "a map of %u", value->size);
        break;
    case SYNOD__EXT:
        snprintf (text, size, "an extension of type %d", value->ext_type);
        break;
    }
    return text;
}
