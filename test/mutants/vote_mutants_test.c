/* SPDX-License-Identifier: MPL-2.0
 *
 * Mistakes on purpose in voting (actors/vote/vote.h) and in the acceptors' core are found by the scenario `vote`, that
 * is, through the actors, the runtime and the faults of the simulator; without one, the same seeds hold. What it prints
 * is the table: the mistake, the first seed that shows it, and what is seen.
 */
#include <stdlib.h>
#include "seek.h"
#include "actors/runtime/mutants.h"
#include "actors/vote/vote.h"
#include "tools/scenarios.h"

int synod__mutant; /* the runtime has none */

static const seek_bug_t s_mistakes[] = {
    {.name = "NONE"},
    {.name = "VOTE_NOT_WRITTEN"},
    {.name = "COMMIT_NOT_FORCED"},
    {.name = "ACK_NOT_FORCED"},
    {.name = "END_BEFORE_ACKS"},
    {.name = "DECISION_BEFORE_ALL"},
    {.name = "ABORT_WHILE_COLLECTING"},
    {.name = "DECISION_BEFORE_QUORUM"},
    {.name = "FREE_CHOICE"},
    {.name = "TIMEOUT_ABORTS"},
    {.name = "LEFT_BEHIND"},
    {.name = "ACCEPT_NOT_WRITTEN"},
};

static void s_plant (int mistake)
{
    static const struct {
        synod__vote_mutant_t vote;
        synod__paxos_mutant_t paxos;
    } which[] = {
        {SYNOD__VOTE_MUTANT_NONE, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_VOTE_NOT_WRITTEN, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_COMMIT_NOT_FORCED, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_ACK_NOT_FORCED, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_END_BEFORE_ACKS, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_DECISION_BEFORE_ALL, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_ABORT_WHILE_COLLECTING, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_DECISION_BEFORE_QUORUM, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_FREE_CHOICE, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_TIMEOUT_ABORTS, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_LEFT_BEHIND, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__VOTE_MUTANT_NONE, SYNOD__PAXOS_MUTANT_ACCEPT_NOT_WRITTEN},
    };
    synod__vote_mutant = which[mistake].vote;
    synod__paxos_mutant = which[mistake].paxos;
}

static const synod_scenario_t *s_vote (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_vote;
}

static const seek_t s_seek = {
    .length_ms = 12000,
    .plans = {NULL, "loss=30,crash=*4", "loss=15,dup=10,reorder=10,delay=1ms:40ms,crash=*8", "loss=30,crash=*4"},
    .scenario = s_vote,
    .plant = s_plant,
    .bugs = s_mistakes,
    .nbugs = sizeof s_mistakes / sizeof s_mistakes[0],
};

static void test_no_mistake (void **state)
{
    (void) state;
    seek_without (&s_seek);
}

static void test_each_mistake (void **state)
{
    (void) state;
    seek_each (&s_seek);
}

/* `test_mutants_vote MISTAKE FIRST LAST [FOR_MS [PLAN]]` runs those seeds with that mistake, by its number. */
static int s_run (int argc, char **argv)
{
    synod_plan_t *plan = argc > 5 ? synod_plan_parse (argv[5], NULL) : NULL;
    uint64_t failed = 0;
    s_plant ((int) strtol (argv[1], NULL, 10));
    for (uint64_t seed = strtoull (argv[2], NULL, 0); seed <= strtoull (argv[3], NULL, 0); seed++) {
        synod_sim_result_t result = {0};
        synod_sim_options_t options = {.length_ms = argc > 4 ? strtoll (argv[4], NULL, 0) : s_seek.length_ms};
        if (!synod_sim_scenario (&synod__scenario_vote, seed, plan, &options, &result)) {
            printf ("seed %" PRIu64 ": %s\n", seed, result.fault.text);
            failed++;
        }
        synod_sim_result_clear (&result);
    }
    synod_plan_destroy (&plan);
    return failed > 0;
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_no_mistake), cmocka_unit_test (test_each_mistake)};
    if (argc > 3)
        return s_run (argc, argv);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
