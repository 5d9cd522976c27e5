/* SPDX-License-Identifier: MPL-2.0
 *
 * Each mistake on purpose in the core of Paxos (actors/place/paxos.h) is found by the scenario `paxos`, that is, through
 * the actor, the runtime and the faults of the simulator; without one, the same seeds hold. What it prints is the table:
 * the mistake, the first seed that shows it, and what is seen.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include "actors/place/paxos.h"
#include "actors/runtime/mutants.h"
#include "tools/scenarios.h"

#define SEEDS     500
#define LENGTH_MS 30000

static const char *const s_names[SYNOD__PAXOS_MUTANTS] = {
    [SYNOD__PAXOS_MUTANT_NONE] = "NONE",
    [SYNOD__PAXOS_MUTANT_PROMISE_NOT_WRITTEN] = "PROMISE_NOT_WRITTEN",
    [SYNOD__PAXOS_MUTANT_ACCEPT_NOT_WRITTEN] = "ACCEPT_NOT_WRITTEN",
    [SYNOD__PAXOS_MUTANT_PROMISE_IGNORED] = "PROMISE_IGNORED",
    [SYNOD__PAXOS_MUTANT_ACCEPTED_IGNORED] = "ACCEPTED_IGNORED",
    [SYNOD__PAXOS_MUTANT_ROUND_NOT_WRITTEN] = "ROUND_NOT_WRITTEN",
    [SYNOD__PAXOS_MUTANT_MINORITY] = "MINORITY",
    [SYNOD__PAXOS_MUTANT_BALLOTS_MIXED] = "BALLOTS_MIXED",
    [SYNOD__PAXOS_MUTANT_WIPED_COUNTED] = "WIPED_COUNTED",
    [SYNOD__PAXOS_MUTANT_QUERY_OF_ONE] = "QUERY_OF_ONE",
    [SYNOD__PAXOS_MUTANT_QUERY_UNMARKED] = "QUERY_UNMARKED",
};

/* What the worlds follow, in turn; NULL: all is drawn. */
static const char *const s_plans[] = {NULL, "loss=10,dup=10,reorder=10,crash=*6", "slow=300ms/a3/a1,slow=200ms/a1/a2",
                                      "loss=20,delay=1ms:40ms,crash=*6"};
#define PLANS (sizeof s_plans / sizeof s_plans[0])

int synod__mutant; /* the runtime has none */

/* The first seed that fails, 0 when none does. */
static uint64_t s_seek (char *text, size_t size)
{
    const synod_sim_options_t options = {.length_ms = LENGTH_MS};
    synod_fault_t fault = {0};
    synod_plan_t *plans[PLANS] = {NULL};
    for (size_t i = 0; i < PLANS; i++)
        if (s_plans[i] && !(plans[i] = synod_plan_parse (s_plans[i], &fault)))
            fail_msg ("%s", fault.text);
    uint64_t seed = 1;
    for (bool ok = true; ok && seed <= SEEDS; seed += ok) {
        synod_sim_result_t result = {0};
        ok = synod_sim_scenario (&synod__scenario_paxos, seed, plans[seed % PLANS], &options, &result);
        snprintf (text, size, "%s", result.fault.text);
        synod_sim_result_clear (&result);
    }
    for (size_t i = 0; i < PLANS; i++)
        synod_plan_destroy (&plans[i]);
    return seed <= SEEDS ? seed : 0;
}

static void test_no_mistake (void **state)
{
    char text[SYNOD_FAULT_MAX];
    (void) state;
    synod__paxos_mutant = SYNOD__PAXOS_MUTANT_NONE;
    uint64_t seed = s_seek (text, sizeof text);
    if (seed)
        print_error ("without a mistake seed %" PRIu64 " fails: %s\n", seed, text);
    assert_int_equal (seed, 0);
}

static void test_each_mistake (void **state)
{
    char text[SYNOD_FAULT_MAX];
    bool all = true;
    (void) state;
    for (int mutant = 1; mutant < SYNOD__PAXOS_MUTANTS; mutant++) {
        synod__paxos_mutant = (synod__paxos_mutant_t) mutant;
        uint64_t seed = s_seek (text, sizeof text);
        if (seed)
            print_message ("%-20s seed %3" PRIu64 "  %s\n", s_names[mutant], seed, text);
        else
            print_error ("%-20s not found in %d seeds\n", s_names[mutant], SEEDS);
        all &= seed != 0;
    }
    synod__paxos_mutant = SYNOD__PAXOS_MUTANT_NONE;
    assert_true (all);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_no_mistake), cmocka_unit_test (test_each_mistake)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
