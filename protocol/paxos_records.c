/* SPDX-License-Identifier: MPL-2.0
 *
 * The descriptions of the messages of the actor `paxos`.
 */
#include "paxos_records.h"

#define S_PREFIX 13 /* characters of synod__paxos_ */
#define SYNOD_PAXOS_MESSAGE(name, FIELDS, flags, doc) \
    SYNOD__RECORD_DEFINE (synod__paxos_##name, FIELDS, flags, doc, S_PREFIX)
#include "paxos.def"
#undef SYNOD_PAXOS_MESSAGE

const synod_record_t *const synod__paxos_catalogue[] = {
#define SYNOD_PAXOS_MESSAGE(name, FIELDS, flags, doc) &synod__paxos_##name##_record,
#include "paxos.def"
#undef SYNOD_PAXOS_MESSAGE
    NULL,
};
