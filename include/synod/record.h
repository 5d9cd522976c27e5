/* SPDX-License-Identifier: MPL-2.0
 *
 * Records: the typed bodies of messages. One list of fields (an X-macro) gives the C struct, its packer, the checked
 * unpacker, the printer, the limits and the table in the documentation:
 *
 *     #define ADD_FIELDS(FIELD, OPT)                                      \
 *         FIELD (str, name, 63, "the counter")                            \
 *         OPT   (i64, amount, INT64_MAX, "how much to add")
 *     SYNOD_RECORD (add, ADD_FIELDS, 0, "add to a counter")
 *
 * defines add_t { synod_str_t name; int64_t amount; } and `add_record`, its description. FIELD must be present on the
 * wire, OPT may be missing (or nil) and is then zero; zero, it is left out. Types and what the third argument limits:
 *
 *     u64 uint64_t  the greatest value          bin  synod_str_t  its size in bytes
 *     i64 int64_t   the greatest magnitude *    any  synod_str_t  the size of any one msgpack value, kept packed
 *     f64 double    ignored (write 0)           list synod_list_t not a number: the record of its elements
 *     bit bool      ignored (write 0)           str  synod_str_t  its size in bytes
 *
 * (* a limit of INT64_MAX allows INT64_MIN too.) A str holds UTF-8.
 *
 * On the wire a record is a map from field names to values. Unknown fields are skipped, a field twice is an error.
 * A record unpacked borrows the bytes it came from: its views are valid as long as those are (in a handler: until it
 * returns). A record to be packed borrows whatever its views point to, for the duration of the call.
 */
#ifndef SYNOD_RECORD_H_INCLUDED
#define SYNOD_RECORD_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <synod/error.h>
#include <synod/limits.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A borrowed run of bytes. data is NULL only where a value is absent. */
typedef struct {
    const char *data;
    uint32_t size;
} synod_str_t;

static inline synod_str_t synod_str_n (const void *data, size_t size)
{
    synod_str_t s = {(const char *) data, (uint32_t) size};
    return s;
}
static inline synod_str_t synod_str (const char *text)
{
    return synod_str_n (text, text ? strlen (text) : 0);
}
static inline bool synod_str_is (synod_str_t s, const char *text)
{
    size_t size = strlen (text);
    return s.size == size && (size == 0 || memcmp (s.data, text, size) == 0);
}
static inline bool synod_str_same (synod_str_t a, synod_str_t b)
{
    return a.size == b.size && (a.size == 0 || memcmp (a.data, b.data, a.size) == 0);
}
/* for printf ("%.*s", SYNOD_STR (s)) */
#define SYNOD_STR(s) (int) (s).size, (s).data ? (s).data : ""

/* COUNT elements, packed one after another in BYTES (without an array header). */
typedef struct {
    synod_str_t bytes;
    uint32_t count;
} synod_list_t;

typedef enum {
    SYNOD_FIELD_u64,
    SYNOD_FIELD_i64,
    SYNOD_FIELD_f64,
    SYNOD_FIELD_bit,
    SYNOD_FIELD_str,
    SYNOD_FIELD_bin,
    SYNOD_FIELD_any,
    SYNOD_FIELD_list
} synod_field_type_t;

typedef struct synod_record_t synod_record_t;

typedef struct {
    const char *name;
    uint32_t name_size;
    synod_field_type_t type;
    uint32_t offset; /* in the struct */
    bool optional;
    uint64_t limit;           /* see the table above */
    const synod_record_t *of; /* the record of a list's elements, else NULL */
    const char *doc;
} synod_field_t;

/* What a record's method promises. */
enum {
    SYNOD_IDEMPOTENT = 1, /* running it twice is as running it once: an ask may be retried on another node */
    SYNOD_ONCE = 2,       /* it must not run twice: repeats of an ask get the remembered reply of the first */
    SYNOD_STALE = 4       /* an ask of a replicated actor whose answer waits for no other node: it may show what others
                           * do not have yet and may never have, or lack what a new owner has done. Of no effect when the
                           * handler writes, and elsewhere */
};

struct synod_record_t {
    const char *name; /* also the method that takes it */
    uint32_t name_size;
    uint32_t size; /* of the struct */
    uint32_t nfields;
    uint32_t flags;
    const synod_field_t *(*fields) (void); /* in the order of their declaration, which is the order on the wire */
    const char *doc;
};

/* Room for packed bytes; grows, is reused, is never shrunk. Zero-initialise, free with synod_buf_free. */
typedef struct {
    char *data;
    size_t size;
    size_t capacity;
} synod_buf_t;

SYNOD_API void synod_buf_free (synod_buf_t *self);

/* Appends REC, packed as a map, to OUT. A value over its limit or a text that is not UTF-8 gives SYNOD_INVALID with
 * the field's name in FAULT and leaves OUT as it was. Borrows all but OUT. */
SYNOD_API int synod_record_pack (const synod_record_t *record, const void *rec, synod_buf_t *out, synod_fault_t *fault);

/* Fills REC (record->size bytes) from a body: one packed map. SYNOD_BAD_REQUEST, with the field and what it expects
 * in FAULT, when it does not fit; REC is then unspecified. REC borrows BODY. Takes no memory. */
SYNOD_API int synod_record_unpack (const synod_record_t *record, synod_str_t body, void *rec, synod_fault_t *fault);

/* Appends one element to a list under construction: packs REC into ITEMS (the caller's, one for each list, to be kept
 * until the list is packed; emptied when LIST is empty) and brings LIST up to date. Errors as synod_record_pack. */
SYNOD_API int synod_list_add (synod_list_t *list, synod_buf_t *items, const synod_record_t *record, const void *rec,
                              synod_fault_t *fault);

/* Takes the first element off LIST into REC: true, or false at the end. The list must have come out of
 * synod_record_unpack (which has checked every element). REC borrows the list's bytes. */
SYNOD_API bool synod_list_next (synod_list_t *list, const synod_record_t *record, void *rec);

/* Appends BODY (packed, checked here) to OUT as JSON, NUL-terminated behind its size. Bytes that are no text are
 * printed as {"$bin": "base64"}. SYNOD_BAD_REQUEST when it is no msgpack within the limits. */
SYNOD_API int synod_body_json (synod_str_t body, synod_buf_t *out, synod_fault_t *fault);

/* clang-format off */
#define SYNOD__C_u64 uint64_t
#define SYNOD__C_i64 int64_t
#define SYNOD__C_f64 double
#define SYNOD__C_bit bool
#define SYNOD__C_str synod_str_t
#define SYNOD__C_bin synod_str_t
#define SYNOD__C_any synod_str_t
#define SYNOD__C_list synod_list_t
#define SYNOD__LIMIT_u64(limit) (limit), NULL
#define SYNOD__LIMIT_i64(limit) (limit), NULL
#define SYNOD__LIMIT_f64(limit) (limit), NULL
#define SYNOD__LIMIT_bit(limit) (limit), NULL
#define SYNOD__LIMIT_str(limit) (limit), NULL
#define SYNOD__LIMIT_bin(limit) (limit), NULL
#define SYNOD__LIMIT_any(limit) (limit), NULL
#define SYNOD__LIMIT_list(record) 0, &record##_record
#define SYNOD__MEMBER(type, name, limit, doc) SYNOD__C_##type name;
#define SYNOD__COUNT(type, name, limit, doc) +1
#define SYNOD__REQUIRED(type, name, limit, doc) \
    {#name, sizeof (#name) - 1, SYNOD_FIELD_##type, offsetof (synod__self_t, name), false, SYNOD__LIMIT_##type (limit), doc},
#define SYNOD__OPTIONAL(type, name, limit, doc) \
    {#name, sizeof (#name) - 1, SYNOD_FIELD_##type, offsetof (synod__self_t, name), true, SYNOD__LIMIT_##type (limit), doc},

/* The struct alone, and the declaration of its description: for a header that several files include. */
#define SYNOD_RECORD_DECLARE(record, FIELDS)                                    \
    typedef struct {                                                            \
        FIELDS (SYNOD__MEMBER, SYNOD__MEMBER)                                   \
        char synod__end; /* lets a record have no fields */                     \
    } record##_t;                                                               \
    extern const synod_record_t record##_record;

#define SYNOD__RECORD_TABLE(record, FIELDS)                                     \
    /* SYNOD_FIELDS_MAX */                                                      \
    typedef char synod__fields_fit_##record[(0 FIELDS (SYNOD__COUNT, SYNOD__COUNT)) <= SYNOD_FIELDS_MAX ? 1 : -1]; \
    static inline const synod_field_t *synod__fields_of_##record (void)         \
    {                                                                           \
        typedef record##_t synod__self_t;                                       \
        static const synod_field_t fields[] = {                                 \
            FIELDS (SYNOD__REQUIRED, SYNOD__OPTIONAL)                           \
            {"", 0, SYNOD_FIELD_bit, offsetof (synod__self_t, synod__end), true, 0, NULL, ""}}; \
        return fields;                                                          \
    }
/* PREFIX: leading characters of the C name that the name on the wire does not have */
#define SYNOD__RECORD_VALUE(record, FIELDS, flags, doc, prefix)                 \
    {&#record[prefix], sizeof (#record) - 1 - (prefix), sizeof (record##_t),    \
     0 FIELDS (SYNOD__COUNT, SYNOD__COUNT), flags, synod__fields_of_##record, doc}

/* The description of a declared record, in one source file. */
#define SYNOD_RECORD_DEFINE(record, FIELDS, flags, doc) SYNOD__RECORD_DEFINE (record, FIELDS, flags, doc, 0)
#define SYNOD__RECORD_DEFINE(record, FIELDS, flags, doc, prefix)                \
    SYNOD__RECORD_TABLE (record, FIELDS)                                        \
    const synod_record_t record##_record = SYNOD__RECORD_VALUE (record, FIELDS, flags, doc, prefix);

/* Both, private to one source file. */
#define SYNOD_RECORD(record, FIELDS, flags, doc)                                \
    typedef struct {                                                            \
        FIELDS (SYNOD__MEMBER, SYNOD__MEMBER)                                   \
        char synod__end;                                                        \
    } record##_t;                                                               \
    SYNOD__RECORD_TABLE (record, FIELDS)                                        \
    static const synod_record_t record##_record __attribute__ ((unused)) =      \
        SYNOD__RECORD_VALUE (record, FIELDS, flags, doc, 0);
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
