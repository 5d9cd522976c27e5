/* SPDX-License-Identifier: MPL-2.0
 *
 * The messages of the actor `lock` as C records: wait becomes synod__lock_wait_t and synod__lock_wait_record, and so
 * on.
 */
#ifndef SYNOD_PROTOCOL_LOCK_RECORDS_H_INCLUDED
#define SYNOD_PROTOCOL_LOCK_RECORDS_H_INCLUDED

#include <synod/record.h>

#define SYNOD_LOCK_MESSAGE(name, FIELDS, flags, doc) SYNOD_RECORD_DECLARE (synod__lock_##name, FIELDS)
#define SYNOD_LOCK_OWN                               SYNOD_LOCK_MESSAGE
#include "lock.def"
#undef SYNOD_LOCK_MESSAGE
#undef SYNOD_LOCK_OWN

/* All of them, NULL-terminated. */
extern const synod_record_t *const synod__lock_catalogue[];

#endif
