/* SPDX-License-Identifier: MPL-2.0
 *
 * Each mistake on purpose in the core of Paxos (actors/place/paxos.h) is found by the scenario `paxos`, that is, through
 * the actor, the runtime and the faults of the simulator; without one, the same seeds hold. What it prints is the table:
 * the mistake, the first seed that shows it, and what is seen.
 */
#include "seek.h"
#include "actors/place/paxos.h"
#include "actors/runtime/mutants.h"
#include "tools/scenarios.h"

int synod__mutant; /* the runtime has none */

static void s_plant (int mistake)
{
    synod__paxos_mutant = (synod__paxos_mutant_t) mistake;
}

static const seek_bug_t s_mistakes[SYNOD__PAXOS_MUTANTS] = {
    [SYNOD__PAXOS_MUTANT_NONE] = {.name = "NONE"},
    [SYNOD__PAXOS_MUTANT_PROMISE_NOT_WRITTEN] = {.name = "PROMISE_NOT_WRITTEN"},
    [SYNOD__PAXOS_MUTANT_ACCEPT_NOT_WRITTEN] = {.name = "ACCEPT_NOT_WRITTEN"},
    [SYNOD__PAXOS_MUTANT_PROMISE_IGNORED] = {.name = "PROMISE_IGNORED"},
    [SYNOD__PAXOS_MUTANT_ACCEPTED_IGNORED] = {.name = "ACCEPTED_IGNORED"},
    [SYNOD__PAXOS_MUTANT_ROUND_NOT_WRITTEN] = {.name = "ROUND_NOT_WRITTEN", .seed = 1761},
    [SYNOD__PAXOS_MUTANT_MINORITY] = {.name = "MINORITY"},
    [SYNOD__PAXOS_MUTANT_BALLOTS_MIXED] = {.name = "BALLOTS_MIXED"},
    [SYNOD__PAXOS_MUTANT_WIPED_COUNTED] = {.name = "WIPED_COUNTED"},
    [SYNOD__PAXOS_MUTANT_QUERY_OF_ONE] = {.name = "QUERY_OF_ONE"},
    [SYNOD__PAXOS_MUTANT_QUERY_UNMARKED] = {.name = "QUERY_UNMARKED"},
};

static const synod_scenario_t *s_paxos (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_paxos;
}

static const seek_t s_seek = {
    .length_ms = 30000,
    .plans = {NULL, "loss=10,dup=10,reorder=10,crash=*6", "slow=300ms/a3/a1,slow=200ms/a1/a2",
              "loss=20,delay=1ms:40ms,crash=*6"},
    .scenario = s_paxos,
    .plant = s_plant,
    .bugs = s_mistakes,
    .nbugs = SYNOD__PAXOS_MUTANTS,
};

int main (int argc, char **argv)
{
    return seek_main ((const seek_t *const[]){&s_seek}, 1, argc, argv);
}
