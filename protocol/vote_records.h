/* SPDX-License-Identifier: MPL-2.0
 *
 * The messages of voting as C records: commit becomes synod__txn_commit_t and synod__txn_commit_record, and so on; the
 * one whose name begins with $ is synod__txn_txn_t.
 */
#ifndef SYNOD_PROTOCOL_VOTE_RECORDS_H_INCLUDED
#define SYNOD_PROTOCOL_VOTE_RECORDS_H_INCLUDED

#include <synod/record.h>

#define SYNOD_VOTE_MESSAGE(name, FIELDS, flags, doc) SYNOD_RECORD_DECLARE (synod__txn_##name, FIELDS)
#define SYNOD_VOTE_OWN                               SYNOD_VOTE_MESSAGE
#include "vote.def"
#undef SYNOD_VOTE_MESSAGE
#undef SYNOD_VOTE_OWN

/* All of them, NULL-terminated. */
extern const synod_record_t *const synod__txn_catalogue[];

#endif
