/* SPDX-License-Identifier: MPL-2.0
 *
 * Each mistake on purpose that locks must not make (actors/lock/table.h) is found by the scenario `lock`; without one, the
 * same seeds hold. And what leases are worth when clocks are off beyond the bound: nothing, and fences hold all the same.
 *
 *     test_mutants_lock [SEEDS [NAME]]   seeks all of them, or that one
 */
#include <stdlib.h>
#include "seek.h"
#include "actors/lock/table.h"
#include "actors/runtime/mutants.h"
#include "tools/scenarios.h"

#define SEEDS 120
/* Those behind need more seeds than a test has time for: sought by name only, and found by test/lock. */
#define KNOWN SYNOD__LOCK_MUTANT_STALE_SESSION

int synod__mutant; /* the runtime has none */

static const char *const s_plans[] = {NULL, "loss=5,dup=5,crash=*6,pause=*4+2s",
                                      "partition=*4,oneway=*4,crash=*4,skew=*",
                                      "pause=*10+3s,skew=*,skew=*,delay=1ms:60ms"};
#define PLANS (sizeof s_plans / sizeof *s_plans)

static bool holds (const synod_scenario_t *scenario, const char *words, uint64_t seed, char *text, size_t size)
{
    const synod_sim_options_t options = {.length_ms = 15000};
    synod_sim_result_t result;
    synod_fault_t fault = {0};
    synod_plan_t *plan = words ? synod_plan_parse (words, &fault) : NULL;
    if (fault.code)
        fail_msg ("%s", fault.text);
    bool ok = synod_sim_scenario (scenario, seed, plan, &options, &result);
    snprintf (text, size, "%s", result.fault.text);
    synod_sim_result_clear (&result);
    synod_plan_destroy (&plan);
    return ok;
}

static bool seek_one (const char *name, int mutant, uint64_t from, uint64_t seeds)
{
    char text[SYNOD_FAULT_MAX], without[SYNOD_FAULT_MAX];
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        const char *plan = s_plans[seed % PLANS];
        synod__lock_mutant = (synod__lock_mutant_t) mutant;
        bool ok = holds (&synod__scenario_lock, plan, seed, text, sizeof text);
        synod__lock_mutant = SYNOD__LOCK_MUTANT_NONE;
        if (ok)
            continue;
        print_message ("%-22s seed %3" PRIu64 "  %s\n", name, seed, text);
        if (holds (&synod__scenario_lock, plan, seed, without, sizeof without))
            return true;
        print_error ("without a bug seed %" PRIu64 " fails too: %s\n", seed, without);
        return false;
    }
    print_error ("%-22s not found in %" PRIu64 " seeds\n", name, seeds);
    return false;
}

static const seek_bug_t s_bugs[] = {{"NONE", NULL},
#define MUTANT(name, doc) {#name, doc},
                                    SYNOD__LOCK_MUTANTS_LIST (MUTANT)
#undef MUTANT
};

static void test_no_bug (void **state)
{
    char text[SYNOD_FAULT_MAX];
    (void) state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        if (!holds (&synod__scenario_lock, s_plans[seed % PLANS], seed, text, sizeof text))
            fail_msg ("seed %" PRIu64 ": %s", seed, text);
}

static void test_each (void **state)
{
    bool all = true;
    (void) state;
    for (int i = 1; i < KNOWN; i++)
        all &= seek_one (s_bugs[i].name, i, i == SYNOD__LOCK_MUTANT_STRANGERS_KEPT ? 160 : 1, SEEDS);
    assert_true (all);
}

static void test_drift (void **state)
{
    /* who is cut off from the service, and thinks for too long that it holds, can still use the resource */
    static const char skewed[] = "skew=200000/n1,skew=-200000/c1,skew=-200000/c2,pause=*4+2s,partition=c1:c2/n1@2s+3s,"
                                 "partition=c1:c2/n1@6s+3s,partition=c1:c2/n1@10s+3s";
    char text[SYNOD_FAULT_MAX], seen[SYNOD_FAULT_MAX] = "";
    uint64_t broken = 0;
    (void) state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        if (!holds (&synod__scenario_lock_drift, skewed, seed, text, sizeof text))
            fail_msg ("with fences, seed %" PRIu64 ": %s", seed, text);
        if (holds (&synod__scenario_lock_unfenced, skewed, seed, text, sizeof text))
            continue;
        broken++;
        memcpy (seen, text, sizeof seen);
    }
    print_message ("without fences %" PRIu64 " of 40 worlds break: %s\n", broken, seen);
    assert_true (broken > 0);
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_no_bug), cmocka_unit_test (test_each),
                                       cmocka_unit_test (test_drift)};
    bool all = true;
    setvbuf (stdout, NULL, _IOLBF, 0);
    if (argc == 1)
        return cmocka_run_group_tests (tests, NULL, NULL);
    for (int i = 1; i < SYNOD__LOCK_MUTANTS; i++)
        if (argc == 2 || strcmp (argv[2], s_bugs[i].name) == 0)
            all &= seek_one (s_bugs[i].name, i, 1, strtoull (argv[1], NULL, 10));
    return all ? 0 : 1;
}
