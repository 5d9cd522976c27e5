/* SPDX-License-Identifier: MPL-2.0
 *
 * Whom a keeper believes dead, what it wishes of the next epoch, and when.
 */
#include "place_test.h"
#include "actors/place/ring_watch.h"

#define MEMBERS 4
#define SECOND  1000000ll

typedef struct {
    synod__epoch_t epoch;
    synod__ring_watch_t watch;
    synod__wish_t of[MEMBERS];
    synod__wishes_t wishes;
    int64_t now_us;
} world_t;

static void s_new (world_t *world, uint32_t nkeepers)
{
    memset (world, 0, sizeof *world);
    world->epoch = (synod__epoch_t){.ring = 9,
                                    .number = 5,
                                    .partitions = 64,
                                    .replicas = 3,
                                    .nmembers = MEMBERS,
                                    .nkeepers = nkeepers,
                                    .ntypes = 1,
                                    .members = (synod__member_t *) calloc (MEMBERS, sizeof (synod__member_t)),
                                    .keepers = (synod__store_id_t *) calloc (nkeepers, sizeof (synod__store_id_t)),
                                    .types = (synod__placed_type_t *) calloc (1, sizeof (synod__placed_type_t))};
    place_members (world->epoch.members, MEMBERS);
    strcpy (world->epoch.types[0].name, "kv");
    for (uint32_t i = 0; i < MEMBERS; i++)
        world->epoch.members[i].types = 1;
    for (uint32_t i = 0; i < nkeepers; i++)
        world->epoch.keepers[i] = world->epoch.members[i].id;
    world->watch.times =
        (synod__ring_watch_times_t){.silence_ms = 3000, .overdue_ms = 750, .suspect_ms = 1500, .grace_ms = 60000};
    world->wishes.of = world->of;
    world->now_us = 100 * SECOND;
    assert_true (synod__ring_watch_enter (&world->watch, &world->epoch, world->now_us));
}

static void s_end (world_t *world)
{
    synod__ring_watch_free (&world->watch);
    synod__epoch_free (&world->epoch);
}

/* A report of the epoch that is entered. */
static void s_report (world_t *world, uint32_t member, uint32_t unprepared, uint32_t unsettled)
{
    synod__place_progress_t report = {
        .epoch = world->epoch.number, .owned = 9, .serving = 9, .unprepared = unprepared, .unsettled = unsettled};
    assert_true (synod__ring_watch_report (&world->watch, member, &report, false, NULL, 0, world->now_us));
}

/* All but BUT report every half second for so long. */
static void s_pass (world_t *world, int64_t us, uint32_t but)
{
    for (int64_t end_us = world->now_us + us; world->now_us < end_us;) {
        world->now_us += SECOND / 2;
        for (uint32_t i = 0; i < MEMBERS; i++)
            if (i != but)
                s_report (world, i, 0, 0);
    }
}

static void s_wish (world_t *world)
{
    assert_true (synod__ring_watch_wish (&world->watch, &world->epoch, 0, world->now_us, &world->wishes));
}

static void s_next (world_t *world)
{
    world->epoch.number++;
    assert_true (synod__ring_watch_enter (&world->watch, &world->epoch, world->now_us));
}

static void s_mark (world_t *world, uint32_t member, bool down)
{
    world->epoch.members[member].down = down;
    s_next (world);
}

static void test_dead (void **state)
{
    (void) state;
    world_t world;
    s_new (&world, 3);
    const synod__store_id_t *dead = &world.epoch.members[2].id;
    /* not there yet is not dead; silent for too long is */
    synod__ring_watch_lost (&world.watch, 2);
    s_pass (&world, 2 * SECOND, 2);
    assert_false (synod__ring_watch_dead (&world.watch, 2, world.now_us));
    s_pass (&world, 2 * SECOND, 2);
    assert_true (synod__ring_watch_dead (&world.watch, 2, world.now_us));
    /* one keeper of three is no majority; nor is one that said so long ago; nor one of an epoch's others */
    s_wish (&world);
    assert_int_equal (world.of[2], SYNOD__WISH_NONE);
    assert_true (synod__ring_watch_believes (&world.watch, 1, dead, 1, world.now_us));
    s_wish (&world);
    assert_int_equal (world.of[2], SYNOD__WISH_DOWN);
    assert_true (world.wishes.any);
    s_pass (&world, 2 * SECOND, 2);
    s_wish (&world);
    assert_int_equal (world.of[2], SYNOD__WISH_NONE);
    assert_true (synod__ring_watch_believes (&world.watch, 1, dead, 1, world.now_us));
    assert_true (synod__ring_watch_believes (&world.watch, 1, NULL, 0, world.now_us));
    s_wish (&world);
    assert_int_equal (world.of[2], SYNOD__WISH_NONE);
    /* it reports: well again */
    assert_true (synod__ring_watch_believes (&world.watch, 1, dead, 1, world.now_us));
    s_report (&world, 2, 0, 0);
    s_wish (&world);
    assert_int_equal (world.of[2], SYNOD__WISH_NONE);
    /* the directory loses it, and it is overdue */
    synod__ring_watch_lost (&world.watch, 2);
    assert_false (synod__ring_watch_dead (&world.watch, 2, world.now_us));
    assert_true (synod__ring_watch_dead (&world.watch, 2, world.now_us + SECOND));
    s_end (&world);
}

static void test_up (void **state)
{
    (void) state;
    world_t world;
    uint32_t waited_ms[8];
    s_new (&world, 1);
    s_pass (&world, 2 * SECOND, MEMBERS);
    for (int time = 0; time < 8; time++) {
        s_mark (&world, 2, true);
        /* owners have not reported in this epoch; then one says that it lacks something; then it does not report */
        s_report (&world, 2, 0, 0);
        s_wish (&world);
        assert_int_equal (world.of[2], SYNOD__WISH_NONE);
        synod__place_progress_t report = {.epoch = world.epoch.number, .owned = 1};
        for (uint32_t i = 0; i < MEMBERS; i++)
            s_report (&world, i, 0, 0);
        assert_true (
            synod__ring_watch_report (&world.watch, 0, &report, false, &world.epoch.members[2].id, 1, world.now_us));
        world.now_us += SECOND;
        s_wish (&world);
        assert_int_equal (world.of[2], SYNOD__WISH_NONE);
        s_pass (&world, SECOND / 2, MEMBERS);
        int64_t since_us = world.now_us;
        for (s_wish (&world); world.of[2] != SYNOD__WISH_UP; s_wish (&world))
            s_pass (&world, SECOND / 2, MEMBERS);
        waited_ms[time] = (uint32_t) ((world.now_us - since_us) / 1000);
        s_mark (&world, 2, false);
        s_pass (&world, SECOND, MEMBERS);
    }
    static const uint32_t expected[8] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    assert_memory_equal (waited_ms, expected, sizeof expected);
    /* after a long time up it is forgotten */
    s_pass (&world, 61 * SECOND, MEMBERS);
    s_mark (&world, 2, true);
    assert_int_equal (world.watch.members[2].delay_ms, 1000);
    s_end (&world);
}

static void test_stop (void **state)
{
    (void) state;
    world_t world;
    s_new (&world, 3);
    s_pass (&world, SECOND, MEMBERS);
    synod__place_progress_t report = {.epoch = 5};
    assert_true (synod__ring_watch_report (&world.watch, 1, &report, true, NULL, 0, world.now_us));
    s_wish (&world);
    assert_int_equal (world.of[1], SYNOD__WISH_DOWN); /* no majority has to suspect it */
    assert_int_equal (synod__ring_watch_rank (&world.watch, 2, world.now_us), 1);
    s_mark (&world, 1, true);
    /* it stops still; then it is there again, at once */
    s_pass (&world, SECOND, 1);
    assert_true (synod__ring_watch_report (&world.watch, 1, &report, true, NULL, 0, world.now_us));
    s_wish (&world);
    assert_int_equal (world.of[1], SYNOD__WISH_NONE);
    s_report (&world, 1, 0, 0);
    s_wish (&world);
    assert_int_equal (world.of[1], SYNOD__WISH_UP);
    s_end (&world);
    /* nobody else has what it owns */
    s_new (&world, 3);
    world.epoch.types[0].replicas = 1;
    s_pass (&world, SECOND, MEMBERS);
    assert_true (synod__ring_watch_report (&world.watch, 1, &report, true, NULL, 0, world.now_us));
    s_wish (&world);
    assert_int_equal (world.of[1], SYNOD__WISH_NONE);
    s_end (&world);
}

static void test_settle (void **state)
{
    (void) state;
    world_t world;
    s_new (&world, 3);
    world.epoch.members[3].weight = 0; /* it joins */
    s_next (&world);
    for (uint32_t i = 0; i < 3; i++)
        s_report (&world, i, 0, i == 1);
    s_wish (&world);
    assert_false (world.wishes.settle); /* it has not reported */
    s_report (&world, 3, 0, 0);
    s_wish (&world);
    assert_true (world.wishes.settle && world.wishes.any && world.wishes.settled == 0);
    s_report (&world, 2, 1, 0);
    s_report (&world, 1, 0, 0);
    s_wish (&world);
    assert_false (world.wishes.settle);
    assert_false (world.wishes.any);
    assert_int_equal (world.wishes.settled, 6); /* no reason for an epoch */
    /* reports of the epoch before say nothing of this one */
    s_next (&world);
    s_wish (&world);
    assert_true (!world.wishes.settle && !world.wishes.settled);
    /* who owns and is down has what nobody else has */
    world.epoch.types[0].replicas = 1;
    s_mark (&world, 1, true);
    s_pass (&world, SECOND, 1);
    s_wish (&world);
    assert_true (!world.wishes.settle && !world.wishes.settled);
    s_end (&world);
}

static void test_grace (void **state)
{
    (void) state;
    world_t world;
    s_new (&world, 3);
    s_pass (&world, SECOND, MEMBERS);
    s_mark (&world, 2, true);
    s_pass (&world, 59 * SECOND, 2);
    s_wish (&world);
    assert_int_equal (world.of[2], SYNOD__WISH_NONE);
    s_pass (&world, 2 * SECOND, 2);
    s_wish (&world);
    assert_int_equal (world.of[2], SYNOD__WISH_REMOVE);
    world.watch.times.grace_ms = 0;
    s_wish (&world);
    assert_int_equal (world.of[2], SYNOD__WISH_NONE);
    world.watch.times.grace_ms = 60000;
    world.epoch.replicas = 4; /* three are left */
    s_wish (&world);
    assert_int_equal (world.of[2], SYNOD__WISH_NONE);
    s_end (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_dead),   cmocka_unit_test (test_up),    cmocka_unit_test (test_stop),
        cmocka_unit_test (test_settle), cmocka_unit_test (test_grace),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
