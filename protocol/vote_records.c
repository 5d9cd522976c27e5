/* SPDX-License-Identifier: MPL-2.0
 *
 * The descriptions of the messages of voting.
 */
#include "vote_records.h"

#define S_PREFIX 11 /* characters of synod__txn_ */
#define SYNOD_VOTE_MESSAGE(name, FIELDS, flags, doc) \
    SYNOD__RECORD_DEFINE (synod__txn_##name, FIELDS, flags, doc, S_PREFIX)
#define SYNOD_VOTE_OWN(name, FIELDS, flags, doc)                                              \
    SYNOD__RECORD_TABLE (synod__txn_##name, FIELDS)                                           \
    const synod_record_t synod__txn_##name##_record = {"$" #name,                             \
                                                       sizeof (#name),                        \
                                                       sizeof (synod__txn_##name##_t),        \
                                                       0 FIELDS (SYNOD__COUNT, SYNOD__COUNT), \
                                                       flags,                                 \
                                                       synod__fields_of_synod__txn_##name,    \
                                                       doc};
#include "vote.def"
#undef SYNOD_VOTE_MESSAGE
#undef SYNOD_VOTE_OWN

const synod_record_t *const synod__txn_catalogue[] = {
#define SYNOD_VOTE_MESSAGE(name, FIELDS, flags, doc) &synod__txn_##name##_record,
#define SYNOD_VOTE_OWN                               SYNOD_VOTE_MESSAGE
#include "vote.def"
#undef SYNOD_VOTE_MESSAGE
#undef SYNOD_VOTE_OWN
    NULL,
};
