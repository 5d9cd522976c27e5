/* SPDX-License-Identifier: MPL-2.0
 *
 * Seeking the first seed that shows a planted bug.
 */
#include <stdlib.h>
#include "seek.h"

bool seek_holds (const synod_scenario_t *scenario, const char *words, uint64_t seed, const synod_sim_options_t *options,
                 char *text, size_t size)
{
    synod_sim_result_t result = {0};
    synod_fault_t fault = {0};
    synod_plan_t *plan = words ? synod_plan_parse (words, &fault) : NULL;
    if (words && !plan)
        fail_msg ("%s", fault.text);
    bool ok = synod_sim_scenario (scenario, seed, plan, options, &result);
    snprintf (text, size, "%s", result.fault.text);
    synod_sim_result_clear (&result);
    synod_plan_destroy (&plan);
    return ok;
}

static bool s_holds (const seek_t *self, uint64_t seed, char *text, size_t size)
{
    const synod_sim_options_t options = {.length_ms = self->length_ms, .slow = self->slow};
    return seek_holds (self->scenario (seed), self->plans[seed % SEEK_PLANS], seed, &options, text, size);
}

static uint64_t s_seek (const seek_t *self, uint64_t from, uint64_t seeds, char *text, size_t size)
{
    for (uint64_t seed = from; seed < from + seeds; seed++)
        if (!s_holds (self, seed, text, size))
            return seed;
    return 0;
}

static uint64_t s_or_all (uint64_t seeds)
{
    return seeds ? seeds : SEEK_SEEDS;
}

uint64_t seek (const seek_t *self, char *text, size_t size)
{
    return s_seek (self, 1, s_or_all (self->seeds), text, size);
}

void seek_without (const seek_t *self)
{
    char text[SYNOD_FAULT_MAX];
    self->plant (0);
    uint64_t seed = s_seek (self, 1, s_or_all (self->without), text, sizeof text);
    if (seed)
        print_error ("without a bug seed %" PRIu64 " fails: %s\n", seed, text);
    assert_int_equal (seed, 0);
}

/* Whether one of these seeds shows BUG, and holds without it. */
static bool s_found (const seek_t *self, int bug, uint64_t from, uint64_t seeds)
{
    char text[SYNOD_FAULT_MAX];
    const seek_bug_t *is = &self->bugs[bug];
    self->plant (bug);
    uint64_t seed = s_seek (self, from, seeds, text, sizeof text);
    self->plant (0);
    if (!seed) {
        print_error ("%-22s not found in %" PRIu64 " seeds%s%s\n", is->name, seeds, is->doc ? ": " : "",
                     is->doc ? is->doc : "");
        return false;
    }
    print_message ("%-22s seed %3" PRIu64 "  %s\n", is->name, seed, text);
    if (s_holds (self, seed, text, sizeof text))
        return true;
    print_error ("without a bug seed %" PRIu64 " fails too: %s\n", seed, text);
    return false;
}

void seek_each (const seek_t *self)
{
    bool all = true;
    int known = self->nknown ? self->nknown : self->nbugs;
    for (int bug = 1; bug < known; bug++)
        all &= s_found (self, bug, self->bugs[bug].seed ? self->bugs[bug].seed : 1, s_or_all (self->seeds));
    assert_true (all);
}

bool seek_named (const seek_t *self, int argc, char **argv)
{
    bool all = true;
    for (int bug = 1; bug < self->nbugs; bug++)
        if (argc == 2 || strcmp (argv[2], self->bugs[bug].name) == 0)
            all &= s_found (self, bug, 1, strtoull (argv[1], NULL, 10));
    return all;
}

/* ---- a program ---- */

typedef struct {
    const seek_t *const *of;
    size_t count;
} s_all_t;

static void test_no_bug (void **state)
{
    const s_all_t *all = (const s_all_t *) *state;
    for (size_t i = 0; i < all->count; i++)
        seek_without (all->of[i]);
}

static void test_each (void **state)
{
    const s_all_t *all = (const s_all_t *) *state;
    for (size_t i = 0; i < all->count; i++)
        seek_each (all->of[i]);
}

int seek_main (const seek_t *const *of, size_t count, int argc, char **argv)
{
    s_all_t all = {of, count};
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate (test_no_bug, &all),
                                       cmocka_unit_test_prestate (test_each, &all)};
    bool found = true;
    setvbuf (stdout, NULL, _IOLBF, 0);
    if (argc == 1)
        return cmocka_run_group_tests (tests, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        found &= seek_named (of[i], argc, argv);
    return found ? 0 : 1;
}
