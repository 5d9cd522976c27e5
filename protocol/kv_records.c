/* SPDX-License-Identifier: MPL-2.0
 *
 * The descriptions of the messages of the actors `kv`, `kv-node` and `cache`.
 */
#include "kv_records.h"

#define S_PREFIX                                   10 /* characters of synod__kv_ */
#define SYNOD_KV_MESSAGE(name, FIELDS, flags, doc) SYNOD__RECORD_DEFINE (synod__kv_##name, FIELDS, flags, doc, S_PREFIX)
#include "kv.def"
#undef SYNOD_KV_MESSAGE

const synod_record_t *const synod__kv_catalogue[] = {
#define SYNOD_KV_MESSAGE(name, FIELDS, flags, doc) &synod__kv_##name##_record,
#include "kv.def"
#undef SYNOD_KV_MESSAGE
    NULL,
};
