/* SPDX-License-Identifier: MPL-2.0
 *
 * Packing records with msgpack-c, straight into the caller's buffer. Optional fields that are zero are left out. What
 * is packed here is what the other side's unpacker accepts: the same limits are checked.
 */
#include <inttypes.h>
#include <stdio.h>
#include "field.h"
#include "frame.h"
#include "packer.h"
#include "text.h"

const char *synod__field_expects (const synod_field_t *field, char *text, size_t size)
{
    uint64_t limit = field->limit;
    switch (field->type) {
    case SYNOD_FIELD_u64:
        if (limit == UINT64_MAX)
            snprintf (text, size, "an integer from 0 on");
        else
            snprintf (text, size, "an integer from 0 to %" PRIu64, limit);
        break;
    case SYNOD_FIELD_i64:
        if (limit >= INT64_MAX)
            snprintf (text, size, "an integer of 64 bits");
        else
            snprintf (text, size, "an integer up to %" PRIu64 " in magnitude", limit);
        break;
    case SYNOD_FIELD_f64:
        snprintf (text, size, "a number");
        break;
    case SYNOD_FIELD_bit:
        snprintf (text, size, "true or false");
        break;
    case SYNOD_FIELD_str:
        snprintf (text, size, "a text of up to %" PRIu64 " bytes of UTF-8", limit);
        break;
    case SYNOD_FIELD_bin:
        snprintf (text, size, "up to %" PRIu64 " bytes of binary", limit);
        break;
    case SYNOD_FIELD_any:
        snprintf (text, size, "any one value of up to %" PRIu64 " bytes", limit);
        break;
    case SYNOD_FIELD_list:
        snprintf (text, size, "a list of `%s`", field->of->name);
        break;
    }
    return text;
}

static bool s_absent (const synod_field_t *field, const void *at)
{
    switch (field->type) {
    case SYNOD_FIELD_u64:
    case SYNOD_FIELD_i64:
        return *(const uint64_t *) at == 0;
    case SYNOD_FIELD_f64: {
        uint64_t bits; /* -0.0 is not absent */
        memcpy (&bits, at, sizeof bits);
        return bits == 0;
    }
    case SYNOD_FIELD_bit:
        return !*(const bool *) at;
    case SYNOD_FIELD_list:
        return ((const synod_list_t *) at)->count == 0;
    default:
        return !((const synod_str_t *) at)->data;
    }
}

static int s_refuse (const synod_record_t *record, const synod_field_t *field, const char *got, synod_fault_t *fault)
{
    char expects[SYNOD__EXPECTS_MAX];
    return synod_fault (fault, SYNOD_INVALID, "%s.%s: expected %s, got %s", record->name, field->name,
                        synod__field_expects (field, expects, sizeof expects), got);
}

static int s_refuse_size (const synod_record_t *record, const synod_field_t *field, size_t size, synod_fault_t *fault)
{
    char got[40];
    snprintf (got, sizeof got, "%zu bytes", size);
    return s_refuse (record, field, got, fault);
}

/* COUNT values and nothing else, within what depth is left below LEVELS. */
static int s_check_values (const synod_record_t *record, const synod_field_t *field, synod_str_t bytes, uint32_t count,
                           uint32_t levels, synod_fault_t *fault)
{
    synod__reader_t r = synod__reader (bytes);
    synod_str_t raw;
    for (uint32_t i = 0; i < count; i++) {
        int rc = synod__read_raw (&r, SYNOD_DEPTH_MAX - levels, &raw);
        if (rc == SYNOD_TOO_LARGE)
            return s_refuse (record, field, "values nested too deep", fault);
        if (rc != SYNOD_OK)
            return s_refuse (record, field, "bytes that are no such msgpack", fault);
    }
    return r.at == r.end ? SYNOD_OK : s_refuse (record, field, "more bytes than that", fault);
}

static int s_pack_bytes (msgpack_packer *packer, const synod_record_t *record, const synod_field_t *field,
                         synod_str_t bytes, synod_fault_t *fault)
{
    if (bytes.size > field->limit)
        return s_refuse_size (record, field, bytes.size, fault);
    int rc = 0;
    switch (field->type) {
    case SYNOD_FIELD_str:
        if (!synod__utf8_ok (bytes.data, bytes.size))
            return s_refuse (record, field, "bytes that are not UTF-8", fault);
        rc = msgpack_pack_str (packer, bytes.size);
        break;
    case SYNOD_FIELD_bin:
        rc = msgpack_pack_bin (packer, bytes.size);
        break;
    default: /* any */
        if (!bytes.data)
            return msgpack_pack_nil (packer) == 0 ? SYNOD_OK : SYNOD_NO_MEMORY;
        int checked = s_check_values (record, field, bytes, 1, 1, fault);
        if (checked != SYNOD_OK)
            return checked;
    }
    if (rc == 0 && bytes.size > 0)
        rc = synod__pack_write (packer->data, bytes.data, bytes.size);
    return rc == 0 ? SYNOD_OK : SYNOD_NO_MEMORY;
}

static inline int s_pack_field (msgpack_packer *packer, const synod_record_t *record, const synod_field_t *field,
                                const void *at, synod_fault_t *fault)
{
    char got[40];
    int rc = 0;
    switch (field->type) {
    case SYNOD_FIELD_u64: {
        uint64_t n = *(const uint64_t *) at;
        if (n > field->limit) {
            snprintf (got, sizeof got, "%" PRIu64, n);
            return s_refuse (record, field, got, fault);
        }
        rc = msgpack_pack_uint64 (packer, n);
        break;
    }
    case SYNOD_FIELD_i64: {
        int64_t n = *(const int64_t *) at;
        if (!synod__i64_within (n, field->limit)) {
            snprintf (got, sizeof got, "%" PRId64, n);
            return s_refuse (record, field, got, fault);
        }
        rc = msgpack_pack_int64 (packer, n);
        break;
    }
    case SYNOD_FIELD_f64:
        rc = msgpack_pack_double (packer, *(const double *) at);
        break;
    case SYNOD_FIELD_bit:
        rc = *(const bool *) at ? msgpack_pack_true (packer) : msgpack_pack_false (packer);
        break;
    case SYNOD_FIELD_list: {
        const synod_list_t *list = (const synod_list_t *) at;
        int checked = s_check_values (record, field, list->bytes, list->count, 2, fault);
        if (checked != SYNOD_OK)
            return checked;
        rc = msgpack_pack_array (packer, list->count);
        if (rc == 0 && list->bytes.size > 0)
            rc = synod__pack_write (packer->data, list->bytes.data, list->bytes.size);
        break;
    }
    default:
        return s_pack_bytes (packer, record, field, *(const synod_str_t *) at, fault);
    }
    return rc == 0 ? SYNOD_OK : SYNOD_NO_MEMORY;
}

int synod_record_pack (const synod_record_t *record, const void *rec, synod_buf_t *out, synod_fault_t *fault)
{
    size_t before = out->size;
    msgpack_packer packer;
    msgpack_packer_init (&packer, out, synod__pack_write);
    const synod_field_t *field = record->fields ();
    uint32_t count = 0;
    /* the count is known at the end; nfields decides how wide it is, so that it can be filled in */
    int rc = msgpack_pack_map (&packer, record->nfields) == 0 ? SYNOD_OK : SYNOD_NO_MEMORY;
    for (uint32_t i = 0; rc == SYNOD_OK && i < record->nfields; i++, field++) {
        const char *at = (const char *) rec + field->offset;
        if (field->optional && s_absent (field, at))
            continue;
        if (msgpack_pack_str (&packer, field->name_size) != 0 ||
            synod__pack_write (out, field->name, field->name_size) != 0)
            rc = SYNOD_NO_MEMORY;
        else
            rc = s_pack_field (&packer, record, field, at, fault);
        count++;
    }
    if (rc != SYNOD_OK) {
        out->size = before;
        return rc == SYNOD_NO_MEMORY ? synod_fault (fault, rc, "%s: memory ran out", record->name) : rc;
    }
    if (record->nfields < 16)
        out->data[before] = (char) (0x80 | count);
    else
        out->data[before + 2] = (char) count;
    return SYNOD_OK;
}

int synod_list_add (synod_list_t *list, synod_buf_t *items, const synod_record_t *record, const void *rec,
                    synod_fault_t *fault)
{
    if (list->count == 0) /* a new list in a buffer that served another */
        items->size = 0;
    int rc = synod_record_pack (record, rec, items, fault);
    if (rc == SYNOD_OK) {
        list->bytes = synod_str_n (items->data, items->size);
        list->count++;
    }
    return rc;
}
