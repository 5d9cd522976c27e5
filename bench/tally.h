/* SPDX-License-Identifier: MPL-2.0
 *
 * The counters of the benchmark of placed actors, and what they are asked.
 */
#ifndef BENCH_TALLY_H_INCLUDED
#define BENCH_TALLY_H_INCLUDED

#include <synod/synod.h>

#define TALLY_KEY_MAX  64
#define TALLY_DATA_MAX 4096
/* The counter stands in the first bytes of what is stored for a key. */
#define TALLY_DATA_MIN 8

/* clang-format off */
#define ADD_FIELDS(FIELD, OPT)                                                            \
    FIELD (str, key, TALLY_KEY_MAX, "the counter")                                        \
    FIELD (bin, data, TALLY_DATA_MAX, "as many bytes are stored with it, its own included")
#define COUNT_FIELDS(FIELD, OPT)                              \
    FIELD (u64, count, UINT64_MAX, "how often it was added to") \
    OPT (str, node, SYNOD_NAME_MAX, "get: who has it")
#define GET_FIELDS(FIELD, OPT) FIELD (str, key, TALLY_KEY_MAX, "the counter")
/* clang-format on */
SYNOD_RECORD (add, ADD_FIELDS, 0, "add one to a counter")
SYNOD_RECORD (get, GET_FIELDS, SYNOD_IDEMPOTENT, "read a counter")
SYNOD_RECORD (count, COUNT_FIELDS, 0, "the counter now")

#endif
