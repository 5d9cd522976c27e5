/* SPDX-License-Identifier: MPL-2.0
 *
 * The messages of the actor `ring` as C records: init becomes synod__ring_init_t and synod__ring_init_record, and so
 * on.
 */
#ifndef SYNOD_PROTOCOL_RING_RECORDS_H_INCLUDED
#define SYNOD_PROTOCOL_RING_RECORDS_H_INCLUDED

#include <synod/record.h>

#define SYNOD_RING_MESSAGE(name, FIELDS, flags, doc) SYNOD_RECORD_DECLARE (synod__ring_##name, FIELDS)
#include "ring.def"
#undef SYNOD_RING_MESSAGE

/* All of them, NULL-terminated. */
extern const synod_record_t *const synod__ring_catalogue[];

#endif
