/* SPDX-License-Identifier: MPL-2.0
 *
 * Each of the cache's planted bugs (actors/cache/mutants.h) is found by the scenario `cache`. What it prints is the table:
 * the bug, the first seed that shows it, and what is seen.
 */
#include "seek.h"
#include "actors/cache/mutants.h"
#include "actors/runtime/mutants.h"
#include "tools/scenarios.h"

int synod__mutant; /* the runtime has none */

static void s_plant (int bug)
{
    synod__cache_mutant = (synod__cache_mutant_t) bug;
}

static const seek_bug_t s_bugs[SYNOD__CACHE_MUTANTS_END] = {[SYNOD__CACHE_MUTANT_NONE] = {.name = "NONE"},
#define MUTANT(name_, doc_) [SYNOD__CACHE_MUTANT_##name_] = {.name = #name_, .doc = doc_},
                                                            SYNOD__CACHE_MUTANT_LIST (MUTANT)
#undef MUTANT
};

static const synod_scenario_t *s_cache (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_cache;
}

static const seek_t s_seek = {
    .length_ms = 20000,
    .plans = {NULL, "loss=5,dup=5,reorder=10,crash=*4", "pause=*6+1s,delay=1ms:40ms",
              "partition=*3,oneway=*3,crash=*3"},
    .scenario = s_cache,
    .plant = s_plant,
    .bugs = s_bugs,
    .nbugs = SYNOD__CACHE_MUTANTS_END,
};

int main (int argc, char **argv)
{
    return seek_main ((const seek_t *const[]){&s_seek}, 1, argc, argv);
}
