/* SPDX-License-Identifier: MPL-2.0
 *
 * The participant of the scenario `vote`: a placed actor of accounts.
 */
#ifndef SYNOD_TOOLS_VOTE_BANK_H_INCLUDED
#define SYNOD_TOOLS_VOTE_BANK_H_INCLUDED

#include <synod/actor.h>

#define BANK_ACTOR "bank"
#define BANK_START 100 /* what is in an account at first */

#define BANK_MOVE_FIELDS(FIELD, OPT)                                \
    OPT (i64, amount, 1000, "what is added; it may not go below 0") \
    OPT (bit, expects, 0, "it must hold EXPECTED")                  \
    OPT (i64, expected, INT64_MAX, "else the transaction is refused")
SYNOD_RECORD_DECLARE (bank_move, BANK_MOVE_FIELDS)
#define BANK_LOOK_FIELDS(FIELD, OPT)
SYNOD_RECORD_DECLARE (bank_look, BANK_LOOK_FIELDS)
#define BANK_DONE_FIELDS(FIELD, OPT)                     \
    FIELD (str, id, SYNOD_NAME_MAX, "the transaction's") \
    FIELD (u64, times, UINT32_MAX, "how often it was committed here")
SYNOD_RECORD_DECLARE (bank_done, BANK_DONE_FIELDS)
#define BANK_ACCOUNT_FIELDS(FIELD, OPT)                      \
    FIELD (i64, balance, INT64_MAX, "what it holds")         \
    OPT (str, locked, SYNOD_NAME_MAX, "by this transaction") \
    OPT (list, done, bank_done, "transactions that were committed here")
SYNOD_RECORD_DECLARE (bank_account, BANK_ACCOUNT_FIELDS)

extern const synod_actor_t bank_actor;

#endif
