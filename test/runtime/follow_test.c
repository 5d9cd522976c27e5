/* SPDX-License-Identifier: MPL-2.0
 *
 * Actors that follow the directory: a key has one home among the nodes that run them.
 */
#include "place_world.h"

static int on_note (synod_ctx_t *ctx, void *state, const peek_t *in, synod_call_t call)
{
    (void) in;
    count_t out = {.value = 1, .node = synod_str (synod_node (ctx)), .served = ++((tally_t *) state)->served};
    return synod_reply (ctx, call, &count_record, &out);
}

static const synod_actor_t notes = {
    .name = "notes",
    .state_size = sizeof (tally_t),
    .routes = (const synod_route_t[]){SYNOD_ON (peek, on_note), SYNOD_END},
    .placement = SYNOD_FOLLOW,
};

static void followed (void **state)
{
    const synod_sim_settings_t settings = {.direct = *(const bool *) *state, .heartbeat_ms = 100};
    world_t world = {.sim = synod_sim_new (7, &settings)};
    char home[40][8], at[32];
    uint32_t held[3] = {0}, moved = 0;
    for (uint32_t i = 0; i < 3; i++)
        world.node[i] = synod_sim_up (world.sim, (const char *[]){"a", "b", "c"}[i], &notes, NULL);
    world.client = synod_sim_client (world.sim, "client");
    assert_int_equal (synod_sim_join (world.sim, 10000), SYNOD_OK);
    for (uint32_t key = 0; key < 40; key++) {
        snprintf (at, sizeof at, "notes#key%u", key);
        reply_t reply = world_ask (&world, at, &peek_record, &(peek_t){0});
        assert_int_equal (reply.code, SYNOD_OK);
        memcpy (home[key], reply.node, sizeof home[key]);
        held[reply.node[0] - 'a']++;
        /* whoever is asked, it is the same that answers */
        snprintf (at, sizeof at, "b/notes#key%u", key);
        reply = world_ask (&world, at, &peek_record, &(peek_t){0});
        assert_string_equal (reply.node, home[key]);
    }
    for (uint32_t i = 0; i < 3; i++)
        assert_in_range (held[i], 5, 25);
    synod_sim_crash (world.sim, world.node[2]);
    for (uint32_t key = 0; key < 40; key++) {
        snprintf (at, sizeof at, "notes#key%u", key);
        reply_t reply = world_ask (&world, at, &peek_record, &(peek_t){0});
        assert_int_equal (reply.code, SYNOD_OK);
        moved += strcmp (reply.node, home[key]) != 0;
        assert_true (home[key][0] == 'c' || strcmp (reply.node, home[key]) == 0);
    }
    assert_int_equal (moved, held[2]);
    world_end (&world);
}

int main (void)
{
    static bool no = false, yes = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate (followed, &no),
        cmocka_unit_test_prestate (followed, &yes),
    };
    return cmocka_run_group_tests_name ("runtime/follow", tests, NULL, NULL);
}
