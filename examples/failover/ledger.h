/* SPDX-License-Identifier: MPL-2.0 */
#ifndef LEDGER_H
#define LEDGER_H

#include <synod/synod.h>

#define READ_FIELDS(FIELD, OPT) FIELD (u64, token, UINT64_MAX, "of the lock")
SYNOD_RECORD (read, READ_FIELDS, SYNOD_ONCE, "what the ledger is at, and from now on nobody with an older token")

#define WRITE_FIELDS(FIELD, OPT)                  \
    FIELD (u64, token, UINT64_MAX, "of the lock") \
    FIELD (u64, value, UINT64_MAX, "what it is to be at")
SYNOD_RECORD (write, WRITE_FIELDS, SYNOD_ONCE, "write the ledger")

#define ENTRY_FIELDS(FIELD, OPT)                    \
    FIELD (u64, value, UINT64_MAX, "what it is at") \
    FIELD (u64, token, UINT64_MAX, "the last one that came")
SYNOD_RECORD (entry, ENTRY_FIELDS, 0, "the answer to both")

#endif
