/* SPDX-License-Identifier: MPL-2.0
 *
 * The addresses of a placed type that was addressed before are as carefully looked at as others.
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

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (addresses)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
