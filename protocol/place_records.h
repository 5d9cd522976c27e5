/* SPDX-License-Identifier: MPL-2.0
 *
 * What nodes tell each other of placed partitions, as C records: copy becomes synod__place_copy_t and
 * synod__place_copy_record, and so on.
 */
#ifndef SYNOD_PROTOCOL_PLACE_RECORDS_H_INCLUDED
#define SYNOD_PROTOCOL_PLACE_RECORDS_H_INCLUDED

#include <synod/record.h>

#define SYNOD_PLACE_MESSAGE(name, FIELDS, flags, doc) SYNOD_RECORD_DECLARE (synod__place_##name, FIELDS)
#include "place.def"
#undef SYNOD_PLACE_MESSAGE

/* All of them, NULL-terminated. */
extern const synod_record_t *const synod__place_catalogue[];

#endif
