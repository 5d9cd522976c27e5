/* SPDX-License-Identifier: MPL-2.0
 *
 * Planted bugs of the cache, for the proof that its scenario finds them (test/mutants). In every other build they are not
 * there: SYNOD__CACHE_MUTANT is 0 and the compiler drops what it guards.
 */
#ifndef SYNOD_CACHE_MUTANTS_H_INCLUDED
#define SYNOD_CACHE_MUTANTS_H_INCLUDED

#ifdef SYNOD_CACHE_MUTANTS

/* clang-format off */
#define SYNOD__CACHE_MUTANT_LIST(MUTANT) \
    MUTANT (TTL_IGNORED,   "a value is told after its deadline") \
    MUTANT (KEY_BY_SIZE,   "keys of the same length in a bucket are taken for one") \
    MUTANT (TTL_OF_ANSWER, "a filled value's time begins when the answer comes, not when it was asked for") \
    MUTANT (FILL_TWICE,    "each reader of a cold key asks for it") \
    MUTANT (FILL_OVERTAKES, "a fill that was under way overwrites what was put meanwhile") \
    MUTANT (WAITER_LEFT,   "of many waiting readers the last one is forgotten") \
    MUTANT (ERROR_LEFT,    "the failure of a fill goes to its first reader alone") \
    MUTANT (TTL_LOST,      "an append forgets the deadline") \
    MUTANT (MANY_MIXED,    "of asks in one message each gets the answer of another") \
    MUTANT (MANY_TTL,      "a put that came with others stays for good") \
    MUTANT (MANY_OVERTAKEN, "a fill that was under way overwrites what was put with others meanwhile") \
    MUTANT (MANY_RUN,      "one that is told to be asked alone has been run")
/* clang-format on */

typedef enum {
    SYNOD__CACHE_MUTANT_NONE,
#define MUTANT(name, doc) SYNOD__CACHE_MUTANT_##name,
    SYNOD__CACHE_MUTANT_LIST (MUTANT)
#undef MUTANT
        SYNOD__CACHE_MUTANTS_END
} synod__cache_mutant_t;

extern synod__cache_mutant_t synod__cache_mutant; /* the one that is alive */
#define SYNOD__CACHE_MUTANT(name) (synod__cache_mutant == SYNOD__CACHE_MUTANT_##name)

#else
#define SYNOD__CACHE_MUTANT(name) 0
#endif

#endif
