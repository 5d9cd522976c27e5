/* SPDX-License-Identifier: MPL-2.0
 *
 * Any bytes as the body of every record of the catalogue, or of the one that the first byte picks. What unpacks must
 * pack again, and that must unpack to the same bytes once more.
 */
#include "fuzz.h"
#include "protocol/catalogue.h"

#define S_MOST 512 /* no struct of the catalogue is larger */

static void s_walk (const synod_record_t *record, const void *rec, int depth)
{
    const synod_field_t *field = record->fields ();
    union {
        char bytes[S_MOST];
        uint64_t align;
    } element;
    for (uint32_t i = 0; i < record->nfields; i++, field++) {
        if (field->type != SYNOD_FIELD_list)
            continue;
        synod_list_t list = *(const synod_list_t *) ((const char *) rec + field->offset);
        uint32_t count = list.count, taken = 0;
        FUZZ_CHECK (field->of->size <= S_MOST && depth < SYNOD_DEPTH_MAX);
        while (synod_list_next (&list, field->of, &element)) {
            s_walk (field->of, &element, depth + 1);
            taken++;
        }
        FUZZ_CHECK (taken == count && list.bytes.size == 0);
    }
}

static void s_one (const synod_record_t *record, synod_str_t body)
{
    static synod_buf_t first, second;
    union {
        char bytes[S_MOST];
        uint64_t align;
    } rec;
    synod_fault_t fault = {0};
    FUZZ_CHECK (record->size <= S_MOST);
    int rc = synod_record_unpack (record, body, &rec, &fault);
    if (rc != SYNOD_OK) {
        FUZZ_CHECK (rc == SYNOD_BAD_REQUEST && fault.code == rc && fault.text[0]);
        return;
    }
    s_walk (record, &rec, 0);
    first.size = second.size = 0;
    FUZZ_CHECK (synod_record_pack (record, &rec, &first, &fault) == SYNOD_OK);
    FUZZ_CHECK (synod_record_unpack (record, synod_str_n (first.data, first.size), &rec, &fault) == SYNOD_OK);
    FUZZ_CHECK (synod_record_pack (record, &rec, &second, &fault) == SYNOD_OK);
    FUZZ_CHECK (first.size == second.size && memcmp (first.data, second.data, first.size) == 0);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0 || size > SYNOD_FRAME_MAX)
        return 0;
    size_t records = 0;
    while (synod__catalogue[records])
        records++;
    synod_str_t body = synod_str_n (data + 1, size - 1);
    if (data[0] < records)
        s_one (synod__catalogue[data[0]], body);
    else
        for (size_t i = 0; i < records; i++)
            s_one (synod__catalogue[i], body);
    return 0;
}
