/* SPDX-License-Identifier: MPL-2.0
 *
 * Parallel commit through the actors, where it differs from two-phase commit: what has become of a transaction is found
 * out from the votes when the coordinator's node dies at any of its writes and messages and comes back; a repeat of its
 * id gets that outcome and nothing else; and participants forget no outcome that may yet be asked for.
 */
#include <stdio.h>
#include "actors/place/ring.h"
#include "vote_world.h"

#define HOMES_BITS 4 /* partitions of `vote`: world_apart */

/* The Ith id whose coordinator is that of "t0". */
static void s_id (int i, char id[16])
{
    uint64_t home = synod__ring_hash ("t0", 2) >> (64 - HOMES_BITS);
    for (int at = 0, found = -1; found < i; at++) {
        int size = snprintf (id, 16, "t%d", at);
        found += synod__ring_hash (id, (size_t) size) >> (64 - HOMES_BITS) == home;
    }
}

/* The node that coordinates them: the one whose death keeps "t0" from being answered. */
static int s_home (void)
{
    for (int i = 0; i < 3; i++) {
        world_t world;
        answer_t answer = {.done = false};
        const part_t parts[] = {{"bank#a", -1}, {"bank#b", 1}};
        world_apart (&world);
        assert_int_equal (synod_sim_crash (world.sim, world.node[i]), SYNOD_OK);
        begin (&world, "t0", "parallel", parts, 2, 3000, &answer);
        assert_int_equal (synod_sim_run (world.sim, 500), SYNOD_OK);
        synod_sim_destroy (&world.sim);
        if (!answer.done || answer.code != SYNOD_OK)
            return i;
    }
    return -1;
}

static void s_again (world_t *world, int node, uint32_t ms)
{
    synod_sim_crash_after (world->sim, node, UINT32_MAX);
    if (synod_sim_state (world->sim, node) == SYNOD_SIM_DOWN)
        assert_int_equal (synod_sim_start (world->sim, node), SYNOD_OK);
    assert_int_equal (synod_sim_run (world->sim, ms), SYNOD_OK);
}

/* NO: one of the participants votes so. FIRST: of this coordinator, whose number may be lost with the rest. */
static void s_crash_at (int home, uint32_t effects, bool no, bool first, int *committed)
{
    world_t world;
    answer_t answer = {.done = false};
    char id[16];
    const part_t parts[] = {{"bank#a", -10}, {"bank#b", no ? -2 * BANK_START : 10}}, nothing[] = {{"bank#c", 0}};
    world_apart (&world);
    s_id (1, id);
    if (!first)
        assert_string_equal (run (&world, id, "parallel", nothing, 1, 3000).outcome, "committed");
    synod_sim_crash_after (world.sim, world.node[home], effects);
    begin (&world, "t0", "parallel", parts, 2, 3000, &answer);
    assert_int_equal (synod_sim_run (world.sim, 1000), SYNOD_OK);
    s_again (&world, world.node[home], 10000);
    answer_t a = look (&world, "bank#a"), b = look (&world, "bank#b");
    assert_true (!a.locked && !b.locked);
    int64_t moved = BANK_START - a.balance;
    assert_true (b.balance == BANK_START + moved && (moved == 0 || (moved == 10 && !no)));
    if (answer.done && answer.code == SYNOD_OK)
        assert_int_equal (strcmp (answer.outcome, "committed") == 0, moved == 10);
    *committed += moved == 10;
    /* of what was lost before it was begun a repeat is the first; else it is told what has become of it */
    answer_t again = run (&world, "t0", "parallel", parts, 2, 3000);
    assert_int_equal (again.code, SYNOD_OK);
    assert_int_equal (synod_sim_run (world.sim, 1000), SYNOD_OK);
    bool commits = strcmp (again.outcome, "committed") == 0;
    assert_int_equal (look (&world, "bank#a").balance, BANK_START - (commits ? 10 : 0));
    if (moved || (answer.done && answer.code == SYNOD_OK))
        assert_int_equal (commits, moved == 10);
    synod_sim_destroy (&world.sim);
}

static void test_crash (void **state)
{
    (void) state;
    int home = s_home (), committed[2] = {0}, refused = 0;
    assert_in_range (home, 0, 2);
    for (uint32_t effects = 0; effects < 16; effects++)
        for (int first = 0; first < 2; first++) {
            s_crash_at (home, effects, false, first, &committed[first]);
            s_crash_at (home, effects, true, first, &refused);
        }
    print_message ("of 16 deaths of the coordinator, %d and %d left it committed\n", committed[0], committed[1]);
    assert_true (committed[0] > 8 && committed[1] > 8 && refused == 0); /* whoever asks goes on asking */
}

#define BEFORE 15 /* transactions that have ended, the last of them not for good; of 16 on some are forgotten */
#define WAITS  16 /* milliseconds after its answer, in which it is acknowledged, and that is written */

/* That one has ended is in no hurry: lost, it is asked for again, and whoever has it must not have forgotten. What asks for
 * the next votes has left when the commit fails that would have had it. */
static void test_forgotten (void **state)
{
    (void) state;
    int home = s_home ();
    for (uint32_t wait = 1; wait <= WAITS; wait++) {
        world_t world;
        answer_t next = {.done = false};
        char id[16];
        const part_t parts[] = {{"bank#a", -1}, {"bank#b", 1}};
        world_apart (&world);
        for (int i = 0; i < BEFORE; i++) {
            s_id (i, id);
            assert_string_equal (run (&world, id, "parallel", parts, 2, 3000).outcome, "committed");
            assert_int_equal (synod_sim_run (world.sim, i < BEFORE - 1 ? 50 : wait), SYNOD_OK);
        }
        assert_int_equal (synod_sim_disk_fails (world.sim, world.node[home]), SYNOD_OK);
        s_id (BEFORE, id);
        begin (&world, id, "parallel", parts, 2, 3000, &next);
        assert_int_equal (synod_sim_run (world.sim, 50), SYNOD_OK);
        s_again (&world, world.node[home], 5000);
        for (int i = 0; i < BEFORE; i++) {
            s_id (i, id);
            answer_t answer = run (&world, id, "parallel", parts, 2, 3000);
            assert_true (answer.again && strcmp (answer.outcome, "committed") == 0);
        }
        synod_sim_destroy (&world.sim);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_crash), cmocka_unit_test (test_forgotten)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
