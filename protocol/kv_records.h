/* SPDX-License-Identifier: MPL-2.0
 *
 * The messages of the actors `kv`, `kv-node` and `cache` as C records: put becomes synod__kv_put_t and
 * synod__kv_put_record, and so on.
 */
#ifndef SYNOD_PROTOCOL_KV_RECORDS_H_INCLUDED
#define SYNOD_PROTOCOL_KV_RECORDS_H_INCLUDED

#include <synod/record.h>

#define SYNOD_KV_MESSAGE(name, FIELDS, flags, doc) SYNOD_RECORD_DECLARE (synod__kv_##name, FIELDS)
#include "kv.def"
#undef SYNOD_KV_MESSAGE

/* All of them, NULL-terminated. */
extern const synod_record_t *const synod__kv_catalogue[];

/* What a command on a key comes with. */
typedef union {
    synod__kv_get_t get;
    synod__kv_put_t put;
    synod__kv_delete_t delete;
    synod__kv_incr_t incr;
    synod__kv_append_t append;
    synod__kv_expire_t expire;
} synod__kv_in_t;

#endif
