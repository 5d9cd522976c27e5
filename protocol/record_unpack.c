/* SPDX-License-Identifier: MPL-2.0
 *
 * Unpacking records: the check that stands between a body and a handler. Fields are expected in the order of their
 * declaration, which costs one comparison each, and found in any. No memory is taken; the elements of lists are
 * checked here and given out later, one by one, by synod_list_next.
 */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include "field.h"
#include "reader.h"
#include "text.h"

/* Where we are, from the innermost outwards: for faults alone. */
typedef struct s_path {
    const struct s_path *outer; /* the record whose list this one is in; NULL: the body itself */
    const synod_record_t *record;
    const synod_field_t *field; /* of the outer record */
    uint32_t index;             /* in its list */
} s_path_t;

static int s_unpack (synod__reader_t *r, const s_path_t *path, uint32_t depth, char *rec, synod_fault_t *fault);

static void s_path_print (const s_path_t *path, char *text, size_t size)
{
    if (!path->outer) {
        snprintf (text, size, "%s", path->record->name);
        return;
    }
    s_path_print (path->outer, text, size);
    size_t used = strlen (text);
    snprintf (text + used, size - used, ".%s[%u]", path->field->name, path->index);
}

static int s_refuse (const s_path_t *path, const synod_field_t *field, const char *got, synod_fault_t *fault)
{
    if (!fault)
        return SYNOD_BAD_REQUEST;
    char where[120], expects[SYNOD__EXPECTS_MAX];
    s_path_print (path, where, sizeof where);
    return synod_fault (fault, SYNOD_BAD_REQUEST, "%s.%s: expected %s, got %s", where, field->name,
                        synod__field_expects (field, expects, sizeof expects), got);
}

static int s_refuse_value (const s_path_t *path, const synod_field_t *field, const synod__value_t *value,
                           synod_fault_t *fault)
{
    char got[SYNOD__DESCRIBE_MAX];
    return s_refuse (path, field, fault ? synod__describe (value, got, sizeof got) : "", fault);
}

static int s_refuse_body (const s_path_t *path, const char *expected, const char *got, synod_fault_t *fault)
{
    if (!fault)
        return SYNOD_BAD_REQUEST;
    char where[120];
    s_path_print (path, where, sizeof where);
    return synod_fault (fault, SYNOD_BAD_REQUEST, "%s: expected %s, got %s", where, expected, got);
}

#define S_CUT_SHORT "bytes that are cut short or no msgpack"

static int s_unpack_any (synod__reader_t *r, const s_path_t *path, const synod_field_t *field, uint32_t depth, void *at,
                         synod_fault_t *fault)
{
    synod_str_t raw;
    int rc = synod__read_raw (r, depth - 1, &raw);
    if (rc != SYNOD_OK)
        return s_refuse (path, field, rc == SYNOD_TOO_LARGE ? "a value nested too deep" : S_CUT_SHORT, fault);
    if (raw.size > field->limit) {
        char got[40];
        snprintf (got, sizeof got, "one of %u bytes", raw.size);
        return s_refuse (path, field, got, fault);
    }
    if (at)
        *(synod_str_t *) at = raw;
    return SYNOD_OK;
}

static int s_unpack_list (synod__reader_t *r, const s_path_t *path, const synod_field_t *field, uint32_t count,
                          uint32_t depth, void *at, synod_fault_t *fault)
{
    if (depth < 3)
        return s_refuse (path, field, "one nested too deep", fault);
    synod_list_t list = {{(const char *) r->at, 0}, count};
    for (uint32_t i = 0; i < count; i++) {
        s_path_t inner = {path, field->of, field, i};
        int rc = s_unpack (r, &inner, depth - 2, NULL, fault);
        if (rc != SYNOD_OK)
            return rc;
    }
    list.bytes.size = (uint32_t) ((const char *) r->at - list.bytes.data);
    if (at)
        *(synod_list_t *) at = list;
    return SYNOD_OK;
}

/* Takes one value into AT (NULL: only checks it). */
static int s_unpack_field (synod__reader_t *r, const s_path_t *path, const synod_field_t *field, uint32_t depth,
                           void *at, synod_fault_t *fault)
{
    if (field->type == SYNOD_FIELD_any)
        return s_unpack_any (r, path, field, depth, at, fault);
    synod__value_t v;
    if (synod__read (r, &v) != SYNOD_OK)
        return s_refuse (path, field, S_CUT_SHORT, fault);
    if (v.type == SYNOD__NIL && field->optional)
        return SYNOD_OK;
    switch (field->type) {
    case SYNOD_FIELD_u64:
        if (v.type != SYNOD__UINT || v.u > field->limit)
            break;
        if (at)
            *(uint64_t *) at = v.u;
        return SYNOD_OK;
    case SYNOD_FIELD_i64:
        if (!(v.type == SYNOD__INT || (v.type == SYNOD__UINT && v.u <= INT64_MAX)) ||
            !synod__i64_within (v.i, field->limit))
            break;
        if (at)
            *(int64_t *) at = v.i;
        return SYNOD_OK;
    case SYNOD_FIELD_f64:
        if (v.type != SYNOD__FLOAT && v.type != SYNOD__UINT && v.type != SYNOD__INT)
            break;
        if (at)
            *(double *) at = v.type == SYNOD__FLOAT ? v.f : v.type == SYNOD__UINT ? (double) v.u : (double) v.i;
        return SYNOD_OK;
    case SYNOD_FIELD_bit:
        if (v.type != SYNOD__BOOL)
            break;
        if (at)
            *(bool *) at = v.b;
        return SYNOD_OK;
    case SYNOD_FIELD_str:
    case SYNOD_FIELD_bin:
        /* a text will do for binary, not the other way round */
        if (v.type != SYNOD__STR && (v.type != SYNOD__BIN || field->type == SYNOD_FIELD_str))
            break;
        if (v.size > field->limit)
            break;
        if (field->type == SYNOD_FIELD_str && !synod__utf8_ok (v.data, v.size))
            return s_refuse (path, field, "bytes that are not UTF-8", fault);
        if (at)
            *(synod_str_t *) at = synod_str_n (v.data, v.size);
        return SYNOD_OK;
    case SYNOD_FIELD_list:
        if (v.type != SYNOD__ARRAY)
            break;
        return s_unpack_list (r, path, field, v.size, depth, at, fault);
    case SYNOD_FIELD_any:
        break;
    }
    return s_refuse_value (path, field, &v, fault);
}

static int s_pass_unknown (synod__reader_t *r, const s_path_t *path, uint32_t depth, synod_fault_t *fault)
{
    synod_str_t raw;
    int rc = synod__read_raw (r, depth - 1, &raw);
    if (rc != SYNOD_OK)
        return s_refuse_body (path, "one whole map of limited depth",
                              rc == SYNOD_TOO_LARGE ? "a value nested too deep" : S_CUT_SHORT, fault);
    return SYNOD_OK;
}

static inline bool s_is (const synod_field_t *field, const synod__value_t *key)
{
    return field->name_size == key->size && memcmp (field->name, key->data, key->size) == 0;
}

static int s_missing (const s_path_t *path, uint64_t seen, synod_fault_t *fault)
{
    const synod_field_t *fields = path->record->fields ();
    for (uint32_t i = 0; i < path->record->nfields; i++)
        if (!fields[i].optional && !(seen & 1ull << i))
            return s_refuse (path, &fields[i], "nothing: it must be there", fault);
    return SYNOD_OK;
}

/* Takes one map (or nil: an empty one). DEPTH: levels that it may use, its own counted. */
static int s_unpack (synod__reader_t *r, const s_path_t *path, uint32_t depth, char *rec, synod_fault_t *fault)
{
    const synod_record_t *record = path->record;
    const synod_field_t *fields = record->fields ();
    synod__value_t v;
    if (synod__read (r, &v) != SYNOD_OK)
        return s_refuse_body (path, "a map", S_CUT_SHORT, fault);
    if (v.type != SYNOD__MAP && v.type != SYNOD__NIL) {
        char got[SYNOD__DESCRIBE_MAX];
        return s_refuse_body (path, "a map", synod__describe (&v, got, sizeof got), fault);
    }
    uint32_t pairs = v.type == SYNOD__MAP ? v.size : 0, next = 0;
    uint64_t seen = 0;
    for (; pairs > 0; pairs--) {
        synod__value_t key;
        if (synod__read (r, &key) != SYNOD_OK)
            return s_refuse_body (path, "a map with texts as keys", S_CUT_SHORT, fault);
        if (key.type != SYNOD__STR) {
            char got[SYNOD__DESCRIBE_MAX];
            return s_refuse_body (path, "a map with texts as keys", synod__describe (&key, got, sizeof got), fault);
        }
        uint32_t i = next;
        if (i >= record->nfields || !s_is (&fields[i], &key))
            for (i = 0; i < record->nfields && !s_is (&fields[i], &key); i++)
                ;
        int rc;
        if (i == record->nfields)
            rc = s_pass_unknown (r, path, depth, fault);
        else if (seen & 1ull << i)
            return s_refuse (path, &fields[i], "it twice", fault);
        else {
            seen |= 1ull << i;
            next = i + 1;
            rc = s_unpack_field (r, path, &fields[i], depth, rec ? rec + fields[i].offset : NULL, fault);
        }
        if (rc != SYNOD_OK)
            return rc;
    }
    return next == record->nfields && seen + 1 == 1ull << (next & 63) ? SYNOD_OK : s_missing (path, seen, fault);
}

int synod_record_unpack (const synod_record_t *record, synod_str_t body, void *rec, synod_fault_t *fault)
{
    assert (record->nfields <= SYNOD_FIELDS_MAX);
    memset (rec, 0, record->size);
    s_path_t path = {NULL, record, NULL, 0};
    synod__reader_t r = synod__reader (body.data && body.size > 0 ? body : synod_str_n ("\xc0", 1));
    int rc = s_unpack (&r, &path, SYNOD_DEPTH_MAX, (char *) rec, fault);
    if (rc == SYNOD_OK && r.at != r.end)
        rc = s_refuse_body (&path, "one map", "more bytes behind it", fault);
    return rc;
}

bool synod_list_next (synod_list_t *list, const synod_record_t *record, void *rec)
{
    if (list->count == 0)
        return false;
    memset (rec, 0, record->size);
    s_path_t path = {NULL, record, NULL, 0};
    synod__reader_t r = synod__reader (list->bytes);
    if (s_unpack (&r, &path, SYNOD_DEPTH_MAX, (char *) rec, NULL) != SYNOD_OK)
        return false;
    list->bytes = synod_str_n (r.at, (size_t) (r.end - r.at));
    list->count--;
    return true;
}
