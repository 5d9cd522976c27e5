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

#endif
