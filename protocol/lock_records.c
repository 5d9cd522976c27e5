/* SPDX-License-Identifier: MPL-2.0
 *
 * The descriptions of the messages of the actor `lock`.
 */
#include "lock_records.h"

#define S_PREFIX 12 /* characters of synod__lock_ */
#define SYNOD_LOCK_MESSAGE(name, FIELDS, flags, doc) \
    SYNOD__RECORD_DEFINE (synod__lock_##name, FIELDS, flags, doc, S_PREFIX)
#define SYNOD_LOCK_OWN(name, FIELDS, flags, doc)                                               \
    SYNOD__RECORD_TABLE (synod__lock_##name, FIELDS)                                           \
    const synod_record_t synod__lock_##name##_record = {"$" #name,                             \
                                                        sizeof (#name),                        \
                                                        sizeof (synod__lock_##name##_t),       \
                                                        0 FIELDS (SYNOD__COUNT, SYNOD__COUNT), \
                                                        flags,                                 \
                                                        synod__fields_of_synod__lock_##name,   \
                                                        doc};
#include "lock.def"
#undef SYNOD_LOCK_MESSAGE
#undef SYNOD_LOCK_OWN

const synod_record_t *const synod__lock_catalogue[] = {
#define SYNOD_LOCK_MESSAGE(name, FIELDS, flags, doc) &synod__lock_##name##_record,
#define SYNOD_LOCK_OWN                               SYNOD_LOCK_MESSAGE
#include "lock.def"
#undef SYNOD_LOCK_MESSAGE
#undef SYNOD_LOCK_OWN
    NULL,
};
