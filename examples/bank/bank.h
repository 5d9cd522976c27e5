/* SPDX-License-Identifier: MPL-2.0
 *
 * A bank: 1,000 accounts in 20 branches, each branch a participant of transactions; and how many moves each of 8 tellers
 * has made, in the table. So a move is 1 or 2 branches and a key, and an audit is all 20 and 8: of 32 participants at most.
 */
#ifndef BANK_H
#define BANK_H

#include <synod/synod.h>

#define BRANCHES 20
#define ACCOUNTS 50  /* of a branch */
#define START    100 /* what is in an account at first */
#define TELLERS  8

#define BRANCH_TO "branch#%d"     /* the participant, by its number */
#define MOVES_KEY "bank/moves/%d" /* the key, by the teller's number */

/* ---- what a transaction is to do with a branch: one of the two ---- */

#define CHANGE_FIELDS(FIELD, OPT)                       \
    FIELD (u64, account, ACCOUNTS - 1, "of the branch") \
    FIELD (i64, amount, 1000, "what is added; it may not go below 0")
SYNOD_RECORD (change, CHANGE_FIELDS, 0, "of an account, in a list")

#define WORK_FIELDS(FIELD, OPT)                                                    \
    OPT (list, changes, change, "no account twice")                                \
    OPT (bit, audit, 0, "instead: nobody may have changed anything since VERSION") \
    OPT (u64, version, UINT64_MAX, "as a look told it")
SYNOD_RECORD (work, WORK_FIELDS, 0, "a branch's part in a transaction")

/* ---- what else a branch is asked ---- */

#define OPEN_FIELDS(FIELD, OPT)
SYNOD_RECORD (open_branch, OPEN_FIELDS, SYNOD_IDEMPOTENT, "make its accounts, if they are not there")
SYNOD_RECORD (look, OPEN_FIELDS, SYNOD_IDEMPOTENT, "how is the branch?")

#define BOOKS_FIELDS(FIELD, OPT)                                      \
    OPT (u64, accounts, UINT32_MAX, "it has; none: it is not opened") \
    OPT (i64, sum, INT64_MAX, "of what is in them")                   \
    OPT (u64, changes, UINT64_MAX, "of accounts, so far")             \
    OPT (u64, locked, UINT32_MAX, "accounts that await an outcome")   \
    OPT (u64, version, UINT64_MAX, "grows with every transaction that is committed here")
SYNOD_RECORD (books, BOOKS_FIELDS, 0, "the answer to both")

/* ---- the table's, as far as it is used here ---- */

#define GET_FIELDS(FIELD, OPT)
SYNOD_RECORD (get, GET_FIELDS, SYNOD_IDEMPOTENT, "the key's value")
#define IS_FIELDS(FIELD, OPT)               \
    OPT (bit, found, 0, "it has one")       \
    OPT (u64, version, UINT64_MAX, "of it") \
    OPT (bin, data, 65536, "a number, in digits")
SYNOD_RECORD (is, IS_FIELDS, 0, "the reply to get")

#endif
