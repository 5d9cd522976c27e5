/* SPDX-License-Identifier: MPL-2.0 */
#include <synod/synod.h>

#define ADD_FIELDS(FIELD, OPT) FIELD (u64, amount, 1000000, "how much to add")
#ifndef COUNTER_BUG
#define ADD_FLAGS SYNOD_ONCE /* it is repeated until it is answered, and runs once */
#else
#define ADD_FLAGS SYNOD_IDEMPOTENT /* it is repeated, and is not what it says */
#endif
SYNOD_RECORD (add, ADD_FIELDS, ADD_FLAGS, "add to the key's counter")

#define GET_FIELDS(FIELD, OPT)
SYNOD_RECORD (get, GET_FIELDS, SYNOD_IDEMPOTENT, "what the key's counter is at")

#define COUNT_FIELDS(FIELD, OPT) FIELD (u64, value, UINT64_MAX, "what the counter is at")
SYNOD_RECORD (count, COUNT_FIELDS, 0, "the answer to both")

extern const synod_actor_t counter;
