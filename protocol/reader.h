/* SPDX-License-Identifier: MPL-2.0
 *
 * A small bounded reader of msgpack in place: no memory, no object tree, never past the end.
 * Every function returns SYNOD_OK or SYNOD_BAD_FRAME and leaves the reader where it was on an error.
 * No function recurses.
 */
#ifndef SYNOD_PROTOCOL_READER_H_INCLUDED
#define SYNOD_PROTOCOL_READER_H_INCLUDED

#include <synod/record.h>

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} synod__reader_t;

typedef enum {
    SYNOD__NIL,
    SYNOD__BOOL,
    SYNOD__UINT, /* not negative */
    SYNOD__INT,  /* negative */
    SYNOD__FLOAT,
    SYNOD__STR,
    SYNOD__BIN,
    SYNOD__ARRAY, /* size: elements that follow */
    SYNOD__MAP,   /* size: pairs that follow */
    SYNOD__EXT
} synod__type_t;

typedef struct {
    synod__type_t type;
    uint32_t size;    /* of str, bin, ext in bytes; of array, map in elements, never more than bytes are left */
    const char *data; /* of str, bin, ext: borrowed */
    int8_t ext_type;
    union {
        bool b;
        uint64_t u;
        int64_t i;
        double f;
    };
} synod__value_t;

static inline synod__reader_t synod__reader (synod_str_t bytes)
{
    synod__reader_t r = {(const uint8_t *) bytes.data, (const uint8_t *) bytes.data + bytes.size};
    return r;
}

/* Takes one value; of an array or map its head alone. */
int synod__read (synod__reader_t *self, synod__value_t *value);

/* Passes one whole value, nested ones included, and gives its bytes. A scalar has depth 0, a flat map or array 1;
 * deeper than DEPTH (at most SYNOD_DEPTH_MAX) is SYNOD_TOO_LARGE. */
int synod__read_raw (synod__reader_t *self, uint32_t depth, synod_str_t *raw);

/* "a text of 3 bytes", "the integer 7": what came, for faults. Writes at most SIZE bytes, returns TEXT. */
#define SYNOD__DESCRIBE_MAX 48
const char *synod__describe (const synod__value_t *value, char *text, size_t size);

#endif
