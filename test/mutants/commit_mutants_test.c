/* SPDX-License-Identifier: MPL-2.0
 *
 * Each mistake on purpose with commits that turns do not wait for (actors/runtime/mutants.h) is found by the scenarios `kv`,
 * `placed` and `txn`, in worlds whose commits take a while. What it prints is the table: the mistake, the seed that shows it,
 * and what is seen. Each begins at a seed that is known to show it.
 *
 *     test_mutants_commit [SEEDS [NAME]]   seeks all of them, or that one, from seed 1 on
 */
#include "seek.h"
#include "actors/runtime/mutants.h"
#include "tools/scenarios.h"

int synod__mutant;

#define BUG(name_, seed_)                                              \
    {                                                                  \
        .name = #name_, .number = SYNOD__MUTANT_##name_, .seed = seed_ \
    }

static const seek_bug_t s_bugs[] = {
    BUG (NONE, 0),
    BUG (BEGUN_IS_DURABLE, 1),
    BUG (BEGUN_AND_LATER, 1),
    BUG (PROMISE_BEGUN, 1),
};

static void s_plant (int bug)
{
    synod__mutant = s_bugs[bug].number;
}

static const synod_scenario_t *s_scenario (uint64_t seed)
{
    return seed / SEEK_PLANS % 2 ? &synod__scenario_placed : &synod__scenario_kv;
}

static const seek_t s_seek = {
    .length_ms = 12000,
    .slow = true,
    .plans = {NULL, "loss=5,dup=5,crash=*6,pause=*3+2s", "partition=*4,oneway=*4,crash=*3",
              "crash=*10,delay=1ms:30ms,reorder=5"},
    .scenario = s_scenario,
    .plant = s_plant,
    .bugs = s_bugs,
    .nbugs = sizeof s_bugs / sizeof *s_bugs,
    .seeds = 100,
    .without = 60,
};

static const seek_bug_t s_bugs_txn[] = {
    BUG (NONE, 0),
    BUG (LAZY_TOLD, 1555),
};

static void s_plant_txn (int bug)
{
    synod__mutant = s_bugs_txn[bug].number;
}

static const synod_scenario_t *s_txn (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_txn;
}

static const seek_t s_seek_txn = {
    .length_ms = 12000,
    .slow = true,
    .plans = {NULL, "crash=*10,delay=1ms:30ms,reorder=5", "loss=5,dup=5,crash=*10", "crash=*14"},
    .scenario = s_txn,
    .plant = s_plant_txn,
    .bugs = s_bugs_txn,
    .nbugs = sizeof s_bugs_txn / sizeof *s_bugs_txn,
    .seeds = 400,
    .without = 40,
};

int main (int argc, char **argv)
{
    return seek_main ((const seek_t *const[]){&s_seek, &s_seek_txn}, 2, argc, argv);
}
