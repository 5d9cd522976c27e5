/* SPDX-License-Identifier: MPL-2.0
 *
 * What each fault of the wires does, and that it does nothing else. Each test runs with a broker and without.
 */
#include "check.h"

#define NOTES 2000

static synod_sim_settings_t s_settings (void **state)
{
    /* turns of no length would be the default */
    return (synod_sim_settings_t){
        .direct = !*(bool *) *state, .turn_us = 1, .wire = {.delay_min_us = 200, .delay_mean_us = 500}};
}

/* Tells 0, 1, 2 ... to a/echo, one each ms, and lets all arrive. */
static void s_notes (synod_sim_t *sim, uint64_t count)
{
    seen.notes = 0;
    for (uint64_t i = 0; i < count; i++) {
        note (sim, "a/echo", i);
        assert_int_equal (synod_sim_run (sim, 1), SYNOD_OK);
    }
    assert_int_equal (synod_sim_run (sim, 1500), SYNOD_OK);
}

static uint32_t s_inversions (void)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i < seen.notes; i++)
        count += seen.order[i] < seen.order[i - 1];
    return count;
}

static void test_calm (void **state)
{
    synod_sim_settings_t settings = s_settings (state);
    synod_sim_t *sim = world (1, &settings, &echoes, 2);
    s_notes (sim, NOTES);
    assert_int_equal (seen.notes, NOTES);
    assert_int_equal (s_inversions (), 0); /* delays differ, and order holds all the same */
    assert_int_equal (synod_sim_stats (sim).lost, 0);
    synod_sim_destroy (&sim);
}

/* The mean and the least of the delay, as measured by what a note takes. */
static void test_delay (void **state)
{
    synod_sim_settings_t settings = s_settings (state);
    settings.wire = (synod_sim_wire_t){.delay_min_us = 2000, .delay_mean_us = 6000};
    synod_sim_t *sim = world (1, &settings, &echoes, 2);
    int hops = settings.direct ? 1 : 2;
    int64_t sum_us = 0, least_us = INT64_MAX, most_us = 0;
    for (uint64_t i = 0; i < NOTES; i++) {
        seen.notes = 0;
        int64_t start_us = synod_sim_now_us (sim);
        note (sim, "a/echo", i);
        synod_sim_run (sim, 300);
        assert_int_equal (seen.notes, 1);
        int64_t took_us = seen.at_us[0] - start_us; /* a's clock is right */
        sum_us += took_us;
        least_us = took_us < least_us ? took_us : least_us;
        most_us = took_us > most_us ? took_us : most_us;
    }
    assert_in_range (least_us, 2000 * hops, 2700 * hops);
    assert_in_range (sum_us / NOTES, 5700 * hops, 6300 * hops);
    assert_in_range (most_us, 20000, 100000 * hops);
    /* another wire for one way alone */
    synod_sim_wire_t slow = {.delay_min_us = 50000};
    int last = settings.direct ? client_of (sim) : SYNOD_SIM_BROKER, a = synod_sim_find (sim, "a");
    assert_int_equal (synod_sim_wire_between (sim, last, a, &slow), SYNOD_OK);
    for (int on = 1; on >= 0; on--) {
        seen.notes = 0;
        int64_t start_us = synod_sim_now_us (sim);
        note (sim, "a/echo", 1);
        synod_sim_run (sim, 300);
        assert_int_equal (seen.notes, 1);
        assert_int_equal (seen.at_us[0] - start_us >= 50000, on);
        synod_sim_wire_between (sim, last, a, NULL);
    }
    synod_sim_destroy (&sim);
}

static void test_loss (void **state)
{
    synod_sim_settings_t settings = s_settings (state);
    synod_sim_t *sim = world (1, &settings, &echoes, 2);
    const char *plan = settings.direct ? "loss=20/c0/a" : "loss=20/$broker/a";
    assert_int_equal (synod_sim_inject_text (sim, plan), SYNOD_OK);
    s_notes (sim, NOTES);
    assert_in_range (seen.notes, NOTES * 76 / 100, NOTES * 84 / 100);
    assert_int_equal (s_inversions (), 0);
    assert_int_equal (synod_sim_heal (sim), SYNOD_OK);
    synod_sim_run (sim, 5000);
    s_notes (sim, NOTES);
    assert_int_equal (seen.notes, NOTES);
    synod_sim_destroy (&sim);
}

/* The runtime's numbers tell what came twice: the frames are doubled, the messages are not. */
static void test_dup (void **state)
{
    synod_sim_settings_t settings = s_settings (state);
    synod_sim_t *sim = world (1, &settings, &echoes, 2);
    uint64_t frames = synod_sim_stats (sim).frames;
    s_notes (sim, NOTES);
    uint64_t usual = synod_sim_stats (sim).frames - frames;
    assert_int_equal (synod_sim_inject_text (sim, "dup=50"), SYNOD_OK);
    frames = synod_sim_stats (sim).frames;
    s_notes (sim, NOTES);
    assert_int_equal (seen.notes, NOTES);
    assert_in_range (synod_sim_stats (sim).frames - frames, usual * 14 / 10, usual * 25 / 10);
    synod_sim_destroy (&sim);
}

/* Frames overtake each other; the runtime drops what was overtaken, so that order still holds for the actor. */
static void test_reorder (void **state)
{
    synod_sim_settings_t settings = s_settings (state);
    synod_sim_t *sim = world (1, &settings, &echoes, 2);
    const char *plan = settings.direct ? "reorder=20/c0/a" : "reorder=20/$broker/a";
    assert_int_equal (synod_sim_inject_text (sim, plan), SYNOD_OK);
    uint64_t lost = synod_sim_stats (sim).lost;
    s_notes (sim, NOTES);
    assert_int_equal (synod_sim_stats (sim).lost, lost);
    assert_in_range (seen.notes, NOTES / 2, NOTES - NOTES / 100);
    assert_int_equal (s_inversions (), 0);
    synod_sim_destroy (&sim);
}

/* One way: what is told does not arrive, what comes back does. */
static void test_oneway (void **state)
{
    synod_sim_settings_t settings = s_settings (state);
    synod_sim_t *sim = world (1, &settings, &echoes, 2);
    int c = client_of (sim), a = synod_sim_find (sim, "a"), other = settings.direct ? c : SYNOD_SIM_BROKER;
    assert_int_equal (synod_sim_cut (sim, a, other, true), SYNOD_OK);
    ask (sim, "a/echo", &echo_record, 1, 500);
    note (sim, "a/echo", 1);
    synod_sim_run (sim, 1000);
    assert_int_equal (seen.notes, 1); /* it arrives */
    assert_int_equal (seen.replies, 1);
    assert_int_equal (seen.code, SYNOD_TIMEOUT); /* and its answer does not */
    assert_int_equal (synod_sim_cut (sim, a, other, false), SYNOD_OK);
    assert_int_equal (synod_sim_cut (sim, other, a, true), SYNOD_OK);
    note (sim, "a/echo", 2);
    synod_sim_run (sim, 200);
    assert_int_equal (seen.notes, 1);
    assert_int_equal (synod_sim_heal (sim), SYNOD_OK);
    synod_sim_run (sim, 4000);
    assert_int_equal (synod_sim_join (sim, 20000), SYNOD_OK);
    assert_int_equal (ask_now (sim, "a/echo", &echo_record, 5), SYNOD_OK);
    assert_int_equal (seen.n, 5);
    synod_sim_destroy (&sim);
}

/* A side of several; for so long, and no longer. The other node is reached all the time. */
static void test_partition (void **state)
{
    synod_sim_settings_t settings = s_settings (state);
    synod_sim_t *sim = world (1, &settings, &echoes, 3);
    assert_int_equal (synod_sim_inject_text (sim, "partition=a:b@100ms+10s"), SYNOD_OK);
    assert_int_equal (ask_now (sim, "a/echo", &echo_record, 1), SYNOD_OK); /* not yet */
    synod_sim_run (sim, 200);
    note (sim, "a/echo", 1);
    note (sim, "c/echo", 1);
    synod_sim_run (sim, 500);
    assert_int_equal (seen.notes, 1); /* c's: nothing goes in */
    for (int i = 0; i < 2; i++) {
        ask (sim, i ? "b/echo" : "a/echo", &echo_record, 1, 9000);
        settle (sim);
        assert_int_not_equal (seen.code, SYNOD_OK); /* known dead, or out of time */
    }
    assert_int_equal (ask_now (sim, "c/echo", &echo_record, 3), SYNOD_OK);
    synod_sim_run (sim, 10000);
    assert_int_equal (synod_sim_join (sim, 20000), SYNOD_OK);
    assert_int_equal (ask_now (sim, "a/echo", &echo_record, 4), SYNOD_OK);
    assert_int_equal (ask_now (sim, "b/echo", &echo_record, 5), SYNOD_OK);
    synod_sim_destroy (&sim);
}

/* Faults that overlap: the end of one leaves the other. */
static void test_overlap (void **state)
{
    synod_sim_settings_t settings = s_settings (state);
    synod_sim_t *sim = world (1, &settings, &echoes, 2);
    assert_int_equal (synod_sim_inject_text (sim, "slow=30ms@0+2s, slow=50ms@0s+4s"), SYNOD_OK);
    int hops = settings.direct ? 2 : 4;
    for (int part = 0; part < 3; part++) {
        int64_t start_us = synod_sim_now_us (sim), usual_us = part == 0 ? 80000 : part == 1 ? 50000 : 0;
        assert_int_equal (ask_now (sim, "a/echo", &echo_record, 1), SYNOD_OK);
        assert_in_range (synod_sim_now_us (sim) - start_us, usual_us * hops, (usual_us + 5000) * hops);
        synod_sim_run (sim, 2000);
    }
    synod_sim_destroy (&sim);
}

/* Connections that break come again by themselves. */
static void test_reset (void **state)
{
    synod_sim_settings_t settings = s_settings (state);
    synod_sim_t *sim = world (1, &settings, &echoes, 2);
    for (int i = 0; i < 5; i++) {
        ask (sim, "a/echo", &echo_record, 1, 500);
        synod_sim_disconnect (sim, synod_sim_find (sim, "a"), settings.direct ? client_of (sim) : SYNOD_SIM_BROKER);
        settle (sim);
        synod_sim_run (sim, 4000);
        assert_int_equal (synod_sim_join (sim, 10000), SYNOD_OK);
        assert_int_equal (ask_now (sim, "a/echo", &echo_record, 1), SYNOD_OK);
    }
    synod_sim_destroy (&sim);
}

static bool yes = true, no = false;

#define BOTH(test)                                    \
    {#test " with a broker", test, NULL, NULL, &yes}, \
    {                                                 \
#test " without", test, NULL, NULL, &no       \
    }

int main (void)
{
    const struct CMUnitTest tests[] = {
        BOTH (test_calm),   BOTH (test_delay),     BOTH (test_loss),    BOTH (test_dup),   BOTH (test_reorder),
        BOTH (test_oneway), BOTH (test_partition), BOTH (test_overlap), BOTH (test_reset),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
