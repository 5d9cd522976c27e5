/* SPDX-License-Identifier: MPL-2.0
 *
 * What the worker of the fault tests takes and answers.
 */
#ifndef SYNOD_TEST_FAULTS_RECORDS_H_INCLUDED
#define SYNOD_TEST_FAULTS_RECORDS_H_INCLUDED

#include <synod/synod.h>

/* clang-format off */
#define WORK_FIELDS(FIELD, OPT) \
    OPT (u64, n, UINT64_MAX, "comes back") \
    OPT (u64, ms, 60000, "how long the answer takes")
#define NUMBER_FIELDS(FIELD, OPT) \
    FIELD (u64, n, UINT64_MAX, "one more than the number before")
#define NUMBERS_FIELDS(FIELD, OPT) \
    OPT (u64, count, UINT64_MAX, "how many numbers came") \
    OPT (u64, last, UINT64_MAX, "the last one") \
    OPT (u64, wrong, UINT64_MAX, "how many were not one more than the one before")
#define BLOB_FIELDS(FIELD, OPT) \
    FIELD (bin, data, SYNOD_BODY_MAX, "bytes that mean nothing")
/* clang-format on */
SYNOD_RECORD (blob, BLOB_FIELDS, 0, "a publication, or a tell that fills queues")
SYNOD_RECORD (work, WORK_FIELDS, SYNOD_IDEMPOTENT, "gives back n, after a while")
SYNOD_RECORD (once, WORK_FIELDS, 0, "the same, but never sent twice")
SYNOD_RECORD (number, NUMBER_FIELDS, 0, "a numbered tell")
SYNOD_RECORD (numbers, NUMBERS_FIELDS, SYNOD_IDEMPOTENT, "what became of them; also its reply")

#endif
