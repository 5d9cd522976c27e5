/* SPDX-License-Identifier: MPL-2.0
 *
 * Each planted bug (actors/runtime/mutants.h) is found by the scenarios `counter` and `register` within so many seeds; without one, the
 * same seeds hold. What it prints is the table: the bug, the first seed that shows it, and what is seen.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "actors/runtime/mutants.h"
#include "tools/scenarios.h"

#define SEEDS     500
#define LENGTH_MS 20000

int synod__mutant;

static const struct {
    const char *name, *doc;
} s_mutants[] = {{"NONE", "no bug"},
#define MUTANT(name, doc) {#name, doc},
                 SYNOD__MUTANTS (MUTANT)
#undef MUTANT
};

/* What the worlds follow, in turn; NULL: all is drawn. */
static const char *const s_plans[] = {NULL, "dup=10,reorder=10,crash=*3,pause=*4+5s", "pause=*12+1s",
                                      "crash=*8,pause=*8+3s"};
#define PLANS (sizeof s_plans / sizeof s_plans[0])

/* The first seed that fails, 0 when none does. ONLY: that scenario; NULL: both. */
static uint64_t s_seek (const synod_scenario_t *only, uint64_t seeds, char *text, size_t size)
{
    const synod_sim_options_t options = {.length_ms = LENGTH_MS};
    synod_fault_t fault = {0};
    synod_plan_t *plans[PLANS] = {NULL};
    for (size_t i = 0; i < PLANS; i++)
        if (s_plans[i] && !(plans[i] = synod_plan_parse (s_plans[i], &fault)))
            fail_msg ("%s", fault.text);
    uint64_t seed = 1;
    for (bool ok = true; ok && seed <= seeds; seed += ok) {
        synod_sim_result_t result = {0};
        const synod_scenario_t *scenario = seed / PLANS % 4 == 3 ? &synod__scenario_register : &synod__scenario_counter;
        ok = synod_sim_scenario (only ? only : scenario, seed, plans[seed % PLANS], &options, &result);
        snprintf (text, size, "%s", result.fault.text);
        synod_sim_result_clear (&result);
    }
    for (size_t i = 0; i < PLANS; i++)
        synod_plan_destroy (&plans[i]);
    return seed <= seeds ? seed : 0;
}

static void test_no_bug (void **state)
{
    char text[SYNOD_FAULT_MAX];
    (void) state;
    synod__mutant = SYNOD__MUTANT_NONE;
    uint64_t seed = s_seek (NULL, SEEDS, text, sizeof text);
    if (seed)
        print_error ("without a bug seed %" PRIu64 " fails: %s\n", seed, text);
    assert_int_equal (seed, 0);
}

static void test_each_bug (void **state)
{
    char text[SYNOD_FAULT_MAX];
    bool all = true;
    (void) state;
    for (synod__mutant = 1; synod__mutant < SYNOD__MUTANTS_END; synod__mutant++) {
        uint64_t seed = s_seek (NULL, SEEDS, text, sizeof text);
        if (seed)
            print_message ("%-20s seed %3" PRIu64 "  %s\n", s_mutants[synod__mutant].name, seed, text);
        else
            print_error ("%-20s not found in %d seeds: %s\n", s_mutants[synod__mutant].name, SEEDS,
                         s_mutants[synod__mutant].doc);
        all &= seed != 0;
    }
    synod__mutant = SYNOD__MUTANT_NONE;
    assert_true (all);
}

/* What a crash takes back is seen by the history alone. */
static void test_linear (void **state)
{
    char text[SYNOD_FAULT_MAX];
    (void) state;
    synod__mutant = SYNOD__MUTANT_REPLY_BEFORE_COMMIT;
    uint64_t seed = s_seek (&synod__scenario_register, SEEDS, text, sizeof text);
    synod__mutant = SYNOD__MUTANT_NONE;
    print_message ("register, seed %" PRIu64 ": %s\n", seed, text);
    assert_int_not_equal (seed, 0);
    assert_non_null (strstr (text, "is not linearizable"));
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_no_bug), cmocka_unit_test (test_each_bug),
                                       cmocka_unit_test (test_linear)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
