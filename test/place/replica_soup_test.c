/* SPDX-License-Identifier: MPL-2.0
 *
 * Replication in its soup: right, it never breaks an invariant; with any one of the mistakes that are compiled in here, it
 * is found out. A failure prints its seed: test_place_replica_soup SEED [MUTANT] runs that one alone.
 */
#include "actors/place/replica.h"
#include "place_test.h"
#include "replica_soup.h"

#define SEEDS        10000
#define MUTANT_SEEDS 20000 /* within which each mistake must be found */

static void s_print (const replica_counts_t *c)
{
    print_message ("%u runs, %u steps, %u epochs, %u served, %u turns released, %u of them wrote, %u alone\n", c->runs,
                   c->steps, c->epochs, c->served, c->released, c->wrote, c->confirmed_alone);
    print_message ("%u crashes, %u wipes, %u lost, %u repeated; %u batches applied, %u cut, %u snapshots, %u removed\n",
                   c->crashes, c->wipes, c->lost, c->repeated, c->applied, c->cuts, c->swaps, c->removed);
    print_message ("%u messages before their commit; %u copies lost batches, %u with others ahead; %u terms begun by a "
                   "restart; %u commits put off\n",
                   c->early, c->shortened, c->behind, c->terms, c->lazy);
}

static void test_right (void **state)
{
    (void) state;
    replica_counts_t counts = {0};
    synod_fault_t fault = {0};
    synod__replica_mutant = SYNOD__REPLICA_MUTANT_NONE;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        if (!replica_soup_run (seed, &counts, &fault))
            fail_msg ("seed %llu: %s", (unsigned long long) seed, fault.text);
    s_print (&counts);
    /* it is worth nothing if it did not come to it */
    assert_true (counts.served > SEEDS && counts.released > 10 * SEEDS && counts.wrote > 5 * SEEDS &&
                 counts.crashes > SEEDS && counts.wipes > SEEDS / 10 && counts.cuts > SEEDS / 50 &&
                 counts.swaps > SEEDS && counts.removed > SEEDS / 2 && counts.confirmed_alone > SEEDS &&
                 counts.early > SEEDS && counts.shortened > SEEDS / 10 && counts.terms > SEEDS / 4 &&
                 counts.lazy > SEEDS);
}

static void test_mutants (void **state)
{
    (void) state;
    static const char *const names[SYNOD__REPLICA_MUTANTS] = {
#define S_NAME(name, what) [SYNOD__REPLICA_MUTANT_##name] = what,
        SYNOD__REPLICA_MUTANT_LIST (S_NAME)};
    uint32_t survivors = 0;
    for (int mutant = 1; mutant < SYNOD__REPLICA_MUTANTS; mutant++) {
        replica_counts_t counts = {0};
        synod_fault_t fault = {0};
        uint64_t seed = 0;
        synod__replica_mutant = (synod__replica_mutant_t) mutant;
        while (seed < MUTANT_SEEDS && replica_soup_run (seed, &counts, &fault))
            seed++;
        if (seed == MUTANT_SEEDS)
            survivors++;
        print_message ("%-55s %s, seed %llu: %s\n", names[mutant], seed < MUTANT_SEEDS ? "found" : "SURVIVED",
                       (unsigned long long) seed, fault.text);
    }
    synod__replica_mutant = SYNOD__REPLICA_MUTANT_NONE;
    assert_int_equal (survivors, 0);
}

static int s_one (const char *seed, const char *mutant)
{
    replica_counts_t counts = {0};
    synod_fault_t fault = {0};
    synod__replica_mutant = (synod__replica_mutant_t) (mutant ? strtoul (mutant, NULL, 10) : 0);
    bool ok = replica_soup_run (strtoull (seed, NULL, 10), &counts, &fault);
    s_print (&counts);
    printf ("%s %s\n", ok ? "holds" : "broken:", fault.text);
    return ok ? 0 : 1;
}

int main (int argc, char **argv)
{
    if (argc > 1)
        return s_one (argv[1], argv[2]);
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_right), cmocka_unit_test (test_mutants)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
