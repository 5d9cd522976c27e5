/* SPDX-License-Identifier: MPL-2.0
 *
 * The descriptions of the messages of the actor `lock`.
 */
#include "lock_records.h"

#define S_PREFIX 12 /* characters of synod__lock_ */
#define SYNOD_LOCK_MESSAGE(name, FIELDS, flags, doc) \
    SYNOD__RECORD_DEFINE (synod__lock_##name, FIELDS, flags, doc, S_PREFIX)
#include "lock.def"
#undef SYNOD_LOCK_MESSAGE

const synod_record_t *const synod__lock_catalogue[] = {
#define SYNOD_LOCK_MESSAGE(name, FIELDS, flags, doc) &synod__lock_##name##_record,
#include "lock.def"
#undef SYNOD_LOCK_MESSAGE
    NULL,
};
