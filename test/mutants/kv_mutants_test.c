/* SPDX-License-Identifier: MPL-2.0
 *
 * Each mistake on purpose that the table must not make (actors/kv/mutants.h) is found by the scenario `kv`, those with
 * transactions by `txn`. What it prints is the table: the mistake, the seed that shows it, and what is seen. Each begins at a seed that is known to show it.
 *
 *     test_mutants_kv [SEEDS [NAME]]   seeks all of them, or that one, from seed 1 on
 */
#include <stdlib.h>
#include "seek.h"
#include "actors/kv/mutants.h"
#include "tools/scenarios.h"

int synod__mutant; /* of the runtime: none */

typedef struct {
    const char *name;
    synod__kv_mutant_t number;
    uint64_t seed; /* the first one to be tried */
    const synod_scenario_t *scenario;
} bug_t;

#define BUG(name, seed)                                           \
    {                                                             \
#name, SYNOD__KV_MUTANT_##name, seed, &synod__scenario_kv \
    }
#define TXN(name, seed)                                            \
    {                                                              \
#name, SYNOD__KV_MUTANT_##name, seed, &synod__scenario_txn \
    }

static const bug_t s_bugs[] = {
    BUG (FENCE_DELETED, 5),      BUG (FENCE_EXPIRED, 10),    BUG (FENCE_UNCHECKED, 1), BUG (VERSION_REUSED, 1),
    BUG (CAS_OF_OTHER, 1),       BUG (INCR_WRAPS, 1),        BUG (INCR_TWICE, 1),      BUG (HALF_VALUE, 1),
    BUG (DEADLINE_LOST, 4),      BUG (EXPIRED_SHOWN, 32),    BUG (UNCHAINED, 1),       BUG (UNPUBLISHED, 1),
    BUG (SCAN_OWN_ONLY, 1),      BUG (APPEND_OVERWRITES, 1), BUG (SCAN_FROM_NEXT, 1),  TXN (LOCK_IGNORED, 2),
    TXN (LOCK_LEFT, 1),          TXN (LOCKED_SHOWN, 12),     TXN (LOCKED_WRITTEN, 2),  TXN (READ_UNCHECKED, 1),
    TXN (COMMIT_OF_ONE_LOST, 1),
};
#define BUGS (sizeof s_bugs / sizeof *s_bugs)

static const char *const s_plans[] = {NULL, "loss=5,dup=5,crash=*6,pause=*3+2s", "partition=*4,oneway=*4,crash=*3",
                                      "crash=*10,delay=1ms:30ms,reorder=5"};
#define PLANS (sizeof s_plans / sizeof *s_plans)

/* Whether SEED holds with this bug. */
static bool holds (const synod_scenario_t *scenario, synod__kv_mutant_t bug, uint64_t seed, char *text, size_t size)
{
    const synod_sim_options_t options = {.length_ms = 12000};
    synod_sim_result_t result;
    synod_fault_t fault = {0};
    const char *words = s_plans[seed % PLANS];
    synod_plan_t *plan = words ? synod_plan_parse (words, &fault) : NULL;
    if (fault.code)
        fail_msg ("%s", fault.text);
    synod__kv_mutant = bug;
    bool ok = synod_sim_scenario (scenario, seed, plan, &options, &result);
    snprintf (text, size, "%s", result.fault.text);
    synod_sim_result_clear (&result);
    synod_plan_destroy (&plan);
    return ok;
}

static bool seek_bug (const bug_t *bug, uint64_t from, uint64_t seeds)
{
    char text[SYNOD_FAULT_MAX], without[SYNOD_FAULT_MAX];
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        if (holds (bug->scenario, bug->number, seed, text, sizeof text))
            continue;
        print_message ("%-18s seed %3" PRIu64 "  %s\n", bug->name, seed, text);
        if (holds (bug->scenario, SYNOD__KV_MUTANT_NONE, seed, without, sizeof without))
            return true;
        print_error ("without a bug seed %" PRIu64 " fails too: %s\n", seed, without);
        return false;
    }
    print_error ("%-18s not found in %" PRIu64 " seeds\n", bug->name, seeds);
    return false;
}

static void test_no_bug (void **state)
{
    char text[SYNOD_FAULT_MAX];
    (void) state;
    for (uint64_t seed = 1; seed <= 40; seed++)
        if (!holds (&synod__scenario_kv, SYNOD__KV_MUTANT_NONE, seed, text, sizeof text) ||
            !holds (&synod__scenario_txn, SYNOD__KV_MUTANT_NONE, seed, text, sizeof text))
            fail_msg ("seed %" PRIu64 ": %s", seed, text);
}

static void test_each (void **state)
{
    bool all = true;
    (void) state;
    for (size_t i = 0; i < BUGS; i++)
        all &= seek_bug (&s_bugs[i], s_bugs[i].seed, SEEK_SEEDS);
    assert_true (all);
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_no_bug), cmocka_unit_test (test_each)};
    bool all = true;
    setvbuf (stdout, NULL, _IOLBF, 0);
    if (argc == 1)
        return cmocka_run_group_tests (tests, NULL, NULL);
    for (size_t i = 0; i < BUGS; i++)
        if (argc == 2 || strcmp (argv[2], s_bugs[i].name) == 0)
            all &= seek_bug (&s_bugs[i], 1, strtoull (argv[1], NULL, 10));
    return all ? 0 : 1;
}
