/* SPDX-License-Identifier: MPL-2.0
 *
 * Each mistake on purpose that locks must not make (actors/lock/table.h) is found by the scenario `lock`; without one, the
 * same seeds hold. And what leases are worth when clocks are off beyond the bound: nothing, and fences hold all the same.
 *
 *     test_mutants_lock [SEEDS [NAME]]   seeks all of them, or that one
 */
#include "seek.h"
#include "actors/lock/table.h"
#include "actors/runtime/mutants.h"
#include "tools/scenarios.h"

#define LENGTH_MS 15000
/* Those behind take a world of their own. */
#define KNOWN SYNOD__LOCK_MUTANT_STALE_SESSION

int synod__mutant; /* the runtime has none */

static const seek_bug_t s_bugs[] = {{.name = "NONE"},
#define MUTANT(name_, doc_) \
    {.name = #name_, .doc = doc_, .seed = SYNOD__LOCK_MUTANT_##name_ == SYNOD__LOCK_MUTANT_STRANGERS_KEPT ? 4309 : 1},
                                    SYNOD__LOCK_MUTANTS_LIST (MUTANT)
#undef MUTANT
};

static void s_plant (int bug)
{
    synod__lock_mutant = (synod__lock_mutant_t) bug;
}

static const synod_scenario_t *s_lock (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_lock;
}

static const seek_t s_seek = {
    .length_ms = LENGTH_MS,
    .plans = {NULL, "loss=5,dup=5,crash=*6,pause=*4+2s", "partition=*4,oneway=*4,crash=*4,skew=*",
              "pause=*10+3s,skew=*,skew=*,delay=1ms:60ms"},
    .scenario = s_lock,
    .plant = s_plant,
    .bugs = s_bugs,
    .nbugs = SYNOD__LOCK_MUTANTS,
    .nknown = KNOWN,
    .seeds = 120,
    .without = 60,
};

/* ---- a tight world: three clients, two locks, short leases, the service's clock fast and the clients' slow ---- */

static const synod_scenario_t *s_tight (uint64_t seed)
{
    (void) seed;
    return &synod__scenario_lock_tight;
}

static void s_plant_tight (int bug)
{
    s_plant (bug ? KNOWN + bug - 1 : 0);
}

static const seek_t s_seek_tight = {
    .length_ms = LENGTH_MS,
    .plans = {"loss=30,delay=20ms:60ms,skew=200000/n1,skew=-200000/c1,skew=-200000/c2,skew=-200000/c3",
              "loss=20,dup=20,delay=30ms:100ms,pause=*10+1s,skew=200000/n1,skew=-200000/c1",
              "loss=30,dup=20,delay=2ms:10ms,pause=*10+500ms",
              "loss=30,oneway=*10,delay=20ms:60ms,skew=200000/n1,skew=-200000/c1,skew=-200000/c2"},
    .scenario = s_tight,
    .plant = s_plant_tight,
    .bugs = &s_bugs[KNOWN - 1],
    .nbugs = SYNOD__LOCK_MUTANTS - KNOWN + 1,
    .seeds = 200,
    .without = 60,
};

static void test_tight_no_bug (void **state)
{
    (void) state;
    seek_without (&s_seek_tight);
}

static void test_tight_each (void **state)
{
    (void) state;
    seek_each (&s_seek_tight);
}

static void test_no_bug (void **state)
{
    (void) state;
    seek_without (&s_seek);
}

static void test_each (void **state)
{
    (void) state;
    seek_each (&s_seek);
}

static void test_drift (void **state)
{
    /* who is cut off from the service, and thinks for too long that it holds, can still use the resource */
    static const char skewed[] = "skew=200000/n1,skew=-200000/c1,skew=-200000/c2,pause=*4+2s,partition=c1:c2/n1@2s+3s,"
                                 "partition=c1:c2/n1@6s+3s,partition=c1:c2/n1@10s+3s";
    const synod_sim_options_t options = {.length_ms = LENGTH_MS};
    char text[SYNOD_FAULT_MAX], seen[SYNOD_FAULT_MAX] = "";
    uint64_t broken = 0;
    (void) state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        if (!seek_holds (&synod__scenario_lock_drift, skewed, seed, &options, text, sizeof text))
            fail_msg ("with fences, seed %" PRIu64 ": %s", seed, text);
        if (seek_holds (&synod__scenario_lock_unfenced, skewed, seed, &options, text, sizeof text))
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
                                       cmocka_unit_test (test_tight_no_bug), cmocka_unit_test (test_tight_each),
                                       cmocka_unit_test (test_drift)};
    setvbuf (stdout, NULL, _IOLBF, 0);
    if (argc == 1)
        return cmocka_run_group_tests (tests, NULL, NULL);
    for (int i = KNOWN; argc == 3 && i < SYNOD__LOCK_MUTANTS; i++)
        if (strcmp (argv[2], s_bugs[i].name) == 0)
            return seek_named (&s_seek_tight, argc, argv) ? 0 : 1;
    return seek_named (&s_seek, argc, argv) ? 0 : 1;
}
