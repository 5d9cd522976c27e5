/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `ring` with nothing placed (place_stub.c): without a mistake its seeds hold; each mistake on purpose, in
 * the actor and in the core of Paxos under it, is found. What it prints is the table: the mistake, the first seed that
 * shows it, and what is seen.
 */
#include <stdlib.h>
#include "test/mutants/seek.h"
#include "actors/place/paxos.h"
#include "actors/place/ring_change.h"
#include "place_stub.h"
#include "tools/scenarios.h"

static const seek_bug_t s_mistakes[] = {
    {.name = "NONE"},
    {.name = "NO_PAXOS"},
    {.name = "BEGINS_EARLY"},
    {.name = "RECORDS_AGAIN"},
    {.name = "NO_UP"},
    {.name = "PROMISE_NOT_WRITTEN"},
    {.name = "ACCEPT_NOT_WRITTEN"},
    {.name = "ACCEPTED_IGNORED", .seed = 519},
    {.name = "MINORITY"},
};

static void s_plant (int mistake)
{
    static const struct {
        synod__ring_mutant_t ring;
        synod__paxos_mutant_t paxos;
    } which[] = {
        {SYNOD__RING_MUTANT_NONE, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__RING_MUTANT_NO_PAXOS, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__RING_MUTANT_BEGINS_EARLY, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__RING_MUTANT_RECORDS_AGAIN, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__RING_MUTANT_NO_UP, SYNOD__PAXOS_MUTANT_NONE},
        {SYNOD__RING_MUTANT_NONE, SYNOD__PAXOS_MUTANT_PROMISE_NOT_WRITTEN},
        {SYNOD__RING_MUTANT_NONE, SYNOD__PAXOS_MUTANT_ACCEPT_NOT_WRITTEN},
        {SYNOD__RING_MUTANT_NONE, SYNOD__PAXOS_MUTANT_ACCEPTED_IGNORED},
        {SYNOD__RING_MUTANT_NONE, SYNOD__PAXOS_MUTANT_MINORITY},
    };
    synod__ring_mutant = which[mistake].ring;
    synod__paxos_mutant = which[mistake].paxos;
}

static const synod_scenario_t *s_ring (uint64_t seed)
{
    (void) seed;
    stub_clear ();
    return &synod__scenario_ring;
}

static const seek_t s_seek = {
    .length_ms = 20000,
    .plans = {NULL, "loss=10,dup=10,reorder=10,crash=*8", "loss=20,delay=1ms:60ms,crash=*8", "partition=*5,crash=*4"},
    .scenario = s_ring,
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

static void s_line (void *arg, const char *line)
{
    fprintf ((FILE *) arg, "%s\n", line);
}

/* `test_place_ring_soup FIRST LAST [FOR_MS [PLAN]]` runs those seeds, with faults that are drawn, or as PLAN says; the
 * environment's TRACE names a file for every message. */
static int s_run (uint64_t first, uint64_t last, int64_t length_ms, const char *text)
{
    synod_plan_t *plan = text ? synod_plan_parse (text, NULL) : NULL;
    FILE *file = getenv ("TRACE") ? fopen (getenv ("TRACE"), "w") : NULL;
    for (uint64_t seed = first; seed <= last; seed++) {
        synod_sim_result_t result = {0};
        synod_sim_options_t options = {.length_ms = length_ms, .on_line = file ? s_line : NULL, .arg = file};
        stub_clear ();
        if (!synod_sim_scenario (&synod__scenario_ring, seed, plan, &options, &result)) {
            printf ("seed %" PRIu64 ": %s\nplan: %s\n", seed, result.fault.text, result.plan);
            return 1;
        }
        synod_sim_result_clear (&result);
    }
    return 0;
}

int main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_no_mistake), cmocka_unit_test (test_each_mistake)};
    if (argc > 2)
        return s_run (strtoull (argv[1], NULL, 0), strtoull (argv[2], NULL, 0),
                      argc > 3 ? strtoll (argv[3], NULL, 0) : 60000, argc > 4 ? argv[4] : NULL);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
