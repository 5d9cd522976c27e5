/* SPDX-License-Identifier: MPL-2.0
 *
 * The messages of the actor `paxos` as C records: init becomes synod__paxos_init_t and synod__paxos_init_record, and so
 * on.
 */
#ifndef SYNOD_PROTOCOL_PAXOS_RECORDS_H_INCLUDED
#define SYNOD_PROTOCOL_PAXOS_RECORDS_H_INCLUDED

#include <synod/record.h>

#define SYNOD_PAXOS_MESSAGE(name, FIELDS, flags, doc) SYNOD_RECORD_DECLARE (synod__paxos_##name, FIELDS)
#include "paxos.def"
#undef SYNOD_PAXOS_MESSAGE

/* All of them, NULL-terminated. */
extern const synod_record_t *const synod__paxos_catalogue[];

#endif
