/* SPDX-License-Identifier: MPL-2.0
 *
 * Each mistake on purpose that the table must not make (actors/kv/mutants.h) is found by the scenario `kv`, those with
 * transactions by `txn`. What it prints is the table: the mistake, the seed that shows it, and what is seen. Each begins at a seed that is known to show it.
 *
 *     test_mutants_kv [SEEDS [NAME]]   seeks all of them, or that one, from seed 1 on
 */
#include "seek.h"
#include "actors/kv/mutants.h"
#include "tools/scenarios.h"

int synod__mutant; /* the runtime has none */

#define BUG(name_, seed_)                                                 \
    {                                                                     \
        .name = #name_, .number = SYNOD__KV_MUTANT_##name_, .seed = seed_ \
    }

static const seek_bug_t s_bugs[] = {
    BUG (NONE, 0),
    BUG (FENCE_DELETED, 5),
    BUG (FENCE_EXPIRED, 10),
    BUG (FENCE_UNCHECKED, 1),
    BUG (VERSION_REUSED, 1),
    BUG (CAS_OF_OTHER, 1),
    BUG (INCR_WRAPS, 2),
    BUG (INCR_TWICE, 1),
    BUG (HALF_VALUE, 2),
    BUG (DEADLINE_LOST, 6),
    BUG (EXPIRED_SHOWN, 27),
    BUG (UNCHAINED, 5),
    BUG (UNPUBLISHED, 2),
    BUG (SCAN_OWN_ONLY, 1),
    BUG (APPEND_OVERWRITES, 2),
    BUG (SCAN_FROM_NEXT, 2),
    BUG (MANY_UNNUMBERED, 196),
    BUG (MANY_NO_FLOOR, 1),
    BUG (MANY_MIXED, 1),
    BUG (PREFIX_GAP_IGNORED, 1),
    BUG (PREFIX_MARKS_IGNORED, 6),
};

static const seek_bug_t s_bugs_txn[] = {
    BUG (NONE, 0),
    BUG (LOCK_IGNORED, 1),
    BUG (LOCK_LEFT, 1),
    BUG (LOCKED_SHOWN, 12),
    BUG (LOCKED_WRITTEN, 17),
    BUG (READ_UNCHECKED, 2),
    BUG (READ_UNLOCKED, 208),
    BUG (COMMIT_OF_ONE_LOST, 1),
};

static void s_plant (int bug)
{
    synod__kv_mutant = (synod__kv_mutant_t) s_bugs[bug].number;
}

static void s_plant_txn (int bug)
{
    synod__kv_mutant = (synod__kv_mutant_t) s_bugs_txn[bug].number;
}

static const synod_scenario_t *s_kv (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_kv;
}

static const synod_scenario_t *s_txn (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_txn;
}

#define PLANS                                                                         \
    {                                                                                 \
        NULL, "loss=5,dup=5,crash=*6,pause=*3+2s", "partition=*4,oneway=*4,crash=*3", \
            "crash=*10,delay=1ms:30ms,reorder=5"                                      \
    }

static const seek_t s_seek = {
    .length_ms = 12000,
    .plans = PLANS,
    .scenario = s_kv,
    .plant = s_plant,
    .bugs = s_bugs,
    .nbugs = sizeof s_bugs / sizeof *s_bugs,
    .without = 40,
};

static const seek_t s_seek_txn = {
    .length_ms = 12000,
    .plans = PLANS,
    .scenario = s_txn,
    .plant = s_plant_txn,
    .bugs = s_bugs_txn,
    .nbugs = sizeof s_bugs_txn / sizeof *s_bugs_txn,
    .without = 40,
};

int main (int argc, char **argv)
{
    return seek_main ((const seek_t *const[]){&s_seek, &s_seek_txn}, 2, argc, argv);
}
