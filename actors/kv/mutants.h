/* SPDX-License-Identifier: MPL-2.0
 *
 * Planted bugs of the table, for the proof that its scenario finds them (test/mutants). In every other build they are not
 * there: SYNOD__KV_MUTANT is 0 and the compiler drops what it guards.
 */
#ifndef SYNOD_KV_MUTANTS_H_INCLUDED
#define SYNOD_KV_MUTANTS_H_INCLUDED

#ifdef SYNOD_KV_MUTANTS

/* clang-format off */
#define SYNOD__KV_MUTANT_LIST(MUTANT) \
    MUTANT (FENCE_DELETED,      "a delete forgets the key's fence") \
    MUTANT (FENCE_EXPIRED,      "a deadline forgets the key's fence") \
    MUTANT (FENCE_UNCHECKED,    "a lower fence is let through") \
    MUTANT (VERSION_REUSED,     "versions of a key count from 1 after a delete") \
    MUTANT (CAS_OF_OTHER,       "a condition looks at the key that was written last") \
    MUTANT (INCR_WRAPS,         "an increment wraps around") \
    MUTANT (INCR_TWICE,         "an increment of a new key counts twice") \
    MUTANT (HALF_VALUE,         "a value is there without the last of its pieces") \
    MUTANT (DEADLINE_LOST,      "a new owner knows of no deadline from before") \
    MUTANT (EXPIRED_SHOWN,      "what is over its deadline is shown until it is removed") \
    MUTANT (UNCHAINED,          "a change does not name the one before it") \
    MUTANT (UNPUBLISHED,        "a delete is not published") \
    MUTANT (SCAN_FROM_NEXT,     "a scan goes on with the next partition whatever is left") \
    MUTANT (SCAN_OWN_ONLY,      "a scan takes for empty what other nodes own") \
    MUTANT (APPEND_OVERWRITES,  "an append of a large value writes over its last piece") \
    MUTANT (MANY_UNNUMBERED,    "what goes with others has another number when it is asked alone") \
    MUTANT (MANY_NO_FLOOR,      "what goes with others is answered, and forgotten, before it is over") \
    MUTANT (MANY_MIXED,         "of several answers each is taken for that of another key") \
    MUTANT (PREFIX_GAP_IGNORED,   "a watcher of a prefix does not look at what a change follows") \
    MUTANT (PREFIX_MARKS_IGNORED, "nor at which partitions have changed") \
    MUTANT (LOCK_IGNORED,       "a transaction takes a key that another one has locked") \
    MUTANT (LOCK_LEFT,          "an outcome leaves the key locked") \
    MUTANT (LOCKED_SHOWN,       "a get does not wait for the outcome") \
    MUTANT (LOCKED_WRITTEN,     "a write does not wait for the outcome") \
    MUTANT (READ_UNCHECKED,     "a transaction does not look at the value that it is to check") \
    MUTANT (READ_UNLOCKED,      "a key that is only checked is let go before the outcome") \
    MUTANT (COMMIT_OF_ONE_LOST, "a commit leaves out what is to be added")
/* clang-format on */

typedef enum {
    SYNOD__KV_MUTANT_NONE,
#define MUTANT(name, doc) SYNOD__KV_MUTANT_##name,
    SYNOD__KV_MUTANT_LIST (MUTANT)
#undef MUTANT
        SYNOD__KV_MUTANTS_END
} synod__kv_mutant_t;

extern synod__kv_mutant_t synod__kv_mutant; /* the one that is alive */
#define SYNOD__KV_MUTANT(name) (synod__kv_mutant == SYNOD__KV_MUTANT_##name)

#else
#define SYNOD__KV_MUTANT(name) 0
#endif

#endif
