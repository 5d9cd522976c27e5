/* SPDX-License-Identifier: MPL-2.0
 *
 * The descriptions of what nodes tell each other of placed partitions.
 */
#include "place_records.h"

#define S_PREFIX 13 /* characters of synod__place_ */
#define SYNOD_PLACE_MESSAGE(name, FIELDS, flags, doc) \
    SYNOD__RECORD_DEFINE (synod__place_##name, FIELDS, flags, doc, S_PREFIX)
#include "place.def"
#undef SYNOD_PLACE_MESSAGE

const synod_record_t *const synod__place_catalogue[] = {
#define SYNOD_PLACE_MESSAGE(name, FIELDS, flags, doc) &synod__place_##name##_record,
#include "place.def"
#undef SYNOD_PLACE_MESSAGE
    NULL,
};
