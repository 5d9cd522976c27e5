/* SPDX-License-Identifier: MPL-2.0
 *
 * Each planted bug (actors/runtime/mutants.h) is found by the scenarios `counter` and `register` within so many seeds; without one, the
 * same seeds hold. What it prints is the table: the bug, the first seed that shows it, and what is seen.
 */
#include "seek.h"
#include "actors/runtime/mutants.h"
#include "tools/scenarios.h"

int synod__mutant;

static void s_plant (int bug)
{
    synod__mutant = bug;
}

static const seek_bug_t s_bugs[] = {{.name = "NONE", .doc = "no bug"},
#define MUTANT(name_, doc_) {.name = #name_, .doc = doc_},
                                    SYNOD__MUTANTS (MUTANT)
#undef MUTANT
};

static const synod_scenario_t *s_register (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_register;
}

static const synod_scenario_t *s_both (uint64_t seed)
{
    return seed / SEEK_PLANS % 4 == 3 ? &synod__scenario_register : &synod__scenario_counter;
}

static const seek_t s_seek = {
    .length_ms = 20000,
    .plans = {NULL, "dup=10,reorder=10,crash=*3,pause=*4+5s", "pause=*12+1s", "crash=*8,pause=*8+3s"},
    .scenario = s_both,
    .plant = s_plant,
    .bugs = s_bugs,
    .nbugs = SYNOD__MUTANTS_END,
};

static void test_no_bug (void **state)
{
    (void) state;
    seek_without (&s_seek);
}

static void test_each_bug (void **state)
{
    (void) state;
    seek_each (&s_seek);
}

/* What a crash takes back is seen by the history alone. */
static void test_linear (void **state)
{
    char text[SYNOD_FAULT_MAX];
    seek_t registers = s_seek;
    (void) state;
    registers.scenario = s_register;
    s_plant (SYNOD__MUTANT_REPLY_BEFORE_COMMIT);
    uint64_t seed = seek (&registers, text, sizeof text);
    s_plant (SYNOD__MUTANT_NONE);
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
