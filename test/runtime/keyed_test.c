/* SPDX-License-Identifier: MPL-2.0
 *
 * Asks for keys: the addresses of a placed type that was addressed before are as carefully looked at as others; who asks
 * again and again, each time for a moment, finds out that the ring has changed.
 */
#include "place_world.h"

static void addresses (void **state)
{
    world_t world;
    reply_t reply = {0};
    char longest[6 + SYNOD_KEY_MAX + 2] = "tally#";
    static const char *const bad[] = {"tally#", "tally#a\n", "tally#\xff", "tally#\xc2\x9b", "tally/#a"};
    (void) state;
    world_new (&world, 1, 1, true);
    world_decide (&world, 0);
    memset (longest + 6, 'k', SYNOD_KEY_MAX);
    for (int round = 0; round < 2; round++) {
        assert_int_equal (world_ask (&world, "tally#key1", &get_record, &(get_t){0}).code, SYNOD_OK);
        for (uint32_t i = 0; i < sizeof bad / sizeof *bad; i++)
            assert_int_equal (
                synod_sim_ask (world.sim, world.client, bad[i], &get_record, &(get_t){0}, 1000, reply_take, &reply),
                SYNOD_BAD_ADDRESS);
        assert_int_equal (world_ask (&world, longest, &get_record, &(get_t){0}).code, SYNOD_OK);
        longest[6 + SYNOD_KEY_MAX] = 'k';
        assert_int_equal (
            synod_sim_ask (world.sim, world.client, longest, &get_record, &(get_t){0}, 1000, reply_take, &reply),
            SYNOD_BAD_ADDRESS);
        longest[6 + SYNOD_KEY_MAX] = 0;
        assert_int_equal (world_ask (&world, "tally#h\xc3\xa9", &get_record, &(get_t){0}).code, SYNOD_OK);
        assert_int_not_equal (world_ask (&world, "tall#key1", &get_record, &(get_t){0}).code, SYNOD_OK);
        assert_int_not_equal (world_ask (&world, "tally1#key1", &get_record, &(get_t){0}).code, SYNOD_OK);
    }
    world_end (&world);
}

/* Its owner is dead and replaced, which where the asks wait nobody was told. Each is given up sooner than another member is
 * asked about the ring, and between two of them nothing waits. */
static void short_asks (void **state)
{
    world_t world;
    (void) state;
    world_new_with (&world, 3, 3, &(synod_sim_settings_t){.heartbeat_ms = 1000});
    world_decide (&world, 0);
    reply_t reply = world_ask (&world, "tally#key1", &get_record, &(get_t){0});
    assert_int_equal (reply.code, SYNOD_OK);
    uint32_t owner = (uint32_t) (reply.node[0] - 'a');
    synod_sim_run (world.sim, 5000); /* all is settled */
    synod_sim_crash (world.sim, world.node[owner]);
    for (int tries = 0; tries < 60; tries++) {
        if (tries == 20) { /* by then it has asked, and heard of nothing new */
            world.members[owner].down = true;
            world_decide (&world, owner == 2 ? 1 : 2);
        }
        reply = (reply_t){0};
        assert_int_equal (
            synod_sim_ask (world.sim, world.client, "tally#key1", &get_record, &(get_t){0}, 100, reply_take, &reply),
            SYNOD_OK);
        assert_int_equal (synod_sim_until (world.sim, reply_done, &reply, 1000), SYNOD_OK);
        if (reply.code == SYNOD_OK)
            break;
        assert_int_equal (reply.code, SYNOD_TIMEOUT);
        world_ask (&world, owner == 1 ? "a/tally" : "b/tally", &get_record, &(get_t){0}); /* refused at once */
    }
    assert_int_equal (reply.code, SYNOD_OK);
    world_end (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (addresses), cmocka_unit_test (short_asks)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
