/* SPDX-License-Identifier: MPL-2.0
 *
 * What the ledger takes and answers: it counts how often each number of each client was added.
 */
#ifndef SYNOD_TEST_STORE_LEDGER_H_INCLUDED
#define SYNOD_TEST_STORE_LEDGER_H_INCLUDED

#include <synod/synod.h>

#define LEDGER_PAGE 20000 /* numbers a page */

/* clang-format off */
#define ADD_FIELDS(FIELD, OPT) \
    FIELD (u64, client, UINT64_MAX, "whose number") \
    FIELD (u64, number, UINT64_MAX, "the number")
#define ADDED_FIELDS(FIELD, OPT) \
    FIELD (u64, total, UINT64_MAX, "how many were added in all, this one included")
#define PAGE_FIELDS(FIELD, OPT) \
    FIELD (u64, client, UINT64_MAX, "whose numbers") \
    FIELD (u64, first, UINT64_MAX, "the first of the page")
#define PAGE_IS_FIELDS(FIELD, OPT) \
    FIELD (bin, times, LEDGER_PAGE, "a byte a number: how often it was added") \
    FIELD (u64, total, UINT64_MAX, "how many were added in all") \
    FIELD (u64, sum, UINT64_MAX, "the same, counted")
/* clang-format on */
SYNOD_RECORD (add, ADD_FIELDS, 0, "adds a number")
SYNOD_RECORD (once, ADD_FIELDS, SYNOD_ONCE, "the same, as a command")
SYNOD_RECORD (added, ADDED_FIELDS, 0, "it was added")
SYNOD_RECORD (page, PAGE_FIELDS, SYNOD_IDEMPOTENT, "how often numbers were added")
SYNOD_RECORD (page_is, PAGE_IS_FIELDS, 0, "a page")

#endif
