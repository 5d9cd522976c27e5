/* SPDX-License-Identifier: MPL-2.0
 *
 * The descriptions of the messages of the actor `ring`.
 */
#include "ring_records.h"

#define S_PREFIX 12 /* characters of synod__ring_ */
#define SYNOD_RING_MESSAGE(name, FIELDS, flags, doc) \
    SYNOD__RECORD_DEFINE (synod__ring_##name, FIELDS, flags, doc, S_PREFIX)
#include "ring.def"
#undef SYNOD_RING_MESSAGE

const synod_record_t *const synod__ring_catalogue[] = {
#define SYNOD_RING_MESSAGE(name, FIELDS, flags, doc) &synod__ring_##name##_record,
#include "ring.def"
#undef SYNOD_RING_MESSAGE
    NULL,
};
