/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `ring`: how a ring is changed, and who is believed dead.
 */
#include "ring_world.h"

/* ---- changes ---- */

static void test_changes (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 11);
    assert_int_equal (init (&world, "n1/ring", "123", NULL), SYNOD_OK);
    /* one joins: with no weight first, and with it when all has been copied */
    assert_int_equal (join (&world, "n2/ring", "n4", 50), SYNOD_OK);
    assert_int_equal (changed (&world, false), 2);
    until (&world, 4, is_settled, "n4", 3000);
    const synod__epoch_t *epoch = epoch_of (&world, 1);
    assert_int_equal (epoch->nmembers, 4);
    assert_int_equal (synod__epoch_member (epoch, synod_str ("n4"))->weight, 50);
    assert_int_equal (epoch->nkeepers, 3);
    /* asked of the new one, which is no keeper: again, another weight */
    assert_int_equal (join (&world, "n4/ring", "n4", 50), SYNOD_OK);
    changed (&world, true);
    assert_int_equal (set_weight (&world, "n4/ring", "n1", 200), SYNOD_OK);
    changed (&world, false);
    until (&world, 1, is_settled, "n1", 3000);
    assert_int_equal (synod__epoch_member (epoch_of (&world, 2), synod_str ("n1"))->weight, 200);
    /* a keeper leaves: another one votes in its place */
    assert_int_equal (leave (&world, "n1/ring", "n2"), SYNOD_OK);
    changed (&world, false);
    until (&world, 3, is_gone, "n2", 3000);
    epoch = epoch_of (&world, 3);
    assert_int_equal (epoch->nkeepers, 3);
    assert_true (synod__epoch_keeps (epoch, &synod__epoch_member (epoch, synod_str ("n4"))->id));
    /* it knows that it is none any more, and can come back */
    until (&world, 2, is_gone, "n2", 3000);
    join (&world, "n4/ring", "n2", 0);
    changed (&world, false);
    until (&world, 2, is_up, "n2", 3000);
    /* keepers by name */
    assert_int_equal (keepers (&world, "n3/ring", "2"), SYNOD_OK);
    assert_int_equal (epoch_of (&world, 2)->nkeepers, 1);
    assert_int_equal (keepers (&world, "n3/ring", "2"), SYNOD_OK);
    changed (&world, true);
    /* fewer members than keepers: the next lower odd number */
    assert_int_equal (keepers (&world, "n3/ring", "123"), SYNOD_OK);
    assert_int_equal (leave (&world, "n3/ring", "n4"), SYNOD_OK);
    assert_int_equal (leave (&world, "n3/ring", "n1"), SYNOD_OK);
    until (&world, 2, is_gone, "n1", 3000);
    assert_int_equal (epoch_of (&world, 2)->nkeepers, 1);
    world_end (&world);
}

static void test_bad_changes (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 12);
    join (&world, "n1/ring", "n2", 0);
    refused (&world, SYNOD_REFUSED, "n1 is in no ring: `synod ring init` makes one");
    assert_int_equal (init (&world, "n1/ring", "12", "1"), SYNOD_OK);
    assert_int_equal (init (&world, "n3/ring", "3", NULL), SYNOD_OK);
    join (&world, "n1/ring", "n3", 0);
    refused (&world, SYNOD_REFUSED, "n3 is in another ring");
    join (&world, "n1/ring", "n9", 0);
    refused (&world, SYNOD_NO_ROUTE, "n9/ring: ");
    join (&world, "n1/ring", "a/b", 0);
    refused (&world, SYNOD_INVALID, "expected the name of a node, got \"a/b\"");
    join (&world, "n2/ring", "n4", 1001);
    refused (&world, SYNOD_INVALID, "n4: expected a weight from 1 to 1000, got 1001");
    leave (&world, "n2/ring", "n4");
    refused (&world, SYNOD_NOT_FOUND, "n4 is no member of the ring");
    set_weight (&world, "n2/ring", "n4", 7);
    refused (&world, SYNOD_NOT_FOUND, "n4 is no member of the ring");
    set_weight (&world, "n2/ring", "n1", 0);
    refused (&world, SYNOD_INVALID, "n1: expected a weight from 1 to 1000, got 0");
    remove_node (&world, "n2/ring", "n2", false);
    refused (&world, SYNOD_REFUSED, "n2 is up and well");
    keepers (&world, "n2/ring", "12");
    refused (&world, SYNOD_INVALID, "expected an odd number of keepers up to 15, got 2");
    keepers (&world, "n2/ring", "4");
    refused (&world, SYNOD_NOT_FOUND, "expected members as keepers, got n4, which is none");
    leave (&world, "n3/ring", "n3");
    refused (&world, SYNOD_REFUSED, "n3 is the last member");
    remove_node (&world, "n3/ring", "n3", true);
    refused (&world, SYNOD_REFUSED, "n3 is the last member");
    assert_int_equal (epoch_of (&world, 1)->number, 1);
    assert_int_equal (epoch_of (&world, 3)->number, 1);
    world_end (&world);
}

/* ---- who is down ---- */

static void test_down_and_up (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 13);
    assert_int_equal (init (&world, "n1/ring", "1234", "123"), SYNOD_OK);
    synod_sim_crash (world.sim, world.node[2]);
    until (&world, 1, is_down, "n2", 6000);
    assert_int_equal (epoch_of (&world, 1)->nmembers, 4);
    synod_sim_start (world.sim, world.node[2]);
    synod_sim_join (world.sim, 10000);
    until (&world, 2, is_up, "n2", 6000);
    /* for good: it is removed, and another keeper is there; it comes back as none */
    synod_sim_crash (world.sim, world.node[2]);
    until (&world, 3, is_down, "n2", 6000);
    until (&world, 3, is_gone, "n2", 20000);
    assert_int_equal (epoch_of (&world, 4)->nkeepers, 3);
    synod_sim_start (world.sim, world.node[2]);
    synod_sim_join (world.sim, 10000);
    until (&world, 2, is_gone, "n2", 10000);
    /* three are left, and R is three: nobody goes by itself any more */
    synod_sim_crash (world.sim, world.node[1]);
    until (&world, 3, is_down, "n1", 6000);
    synod_sim_run (world.sim, 20000);
    assert_true (is_down (epoch_of (&world, 3), "n1"));
    assert_int_equal (remove_node (&world, "n3/ring", "n1", false), SYNOD_OK);
    until (&world, 3, is_gone, "n1", 5000);
    world_end (&world);
}

/* A minority that is cut off believes the others dead, and can do nothing about it. */
static void test_cut_off (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 14);
    assert_int_equal (init (&world, "n1/ring", "123", NULL), SYNOD_OK);
    synod_sim_cut (world.sim, world.node[1], SYNOD_SIM_BROKER, true);
    synod_sim_cut (world.sim, SYNOD_SIM_BROKER, world.node[1], true);
    until (&world, 2, is_down, "n1", 8000);
    synod_sim_cut (world.sim, world.node[1], SYNOD_SIM_BROKER, false);
    synod_sim_cut (world.sim, SYNOD_SIM_BROKER, world.node[1], false);
    synod_sim_join (world.sim, 10000);
    until (&world, 1, is_up, "n1", 10000);
    const synod__epoch_t *epoch = epoch_of (&world, 1);
    assert_true (is_up (epoch, "n2") && is_up (epoch, "n3"));
    world_end (&world);
}

static void test_wiped (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 15);
    assert_int_equal (init (&world, "n1/ring", "123", NULL), SYNOD_OK);
    synod__store_id_t before = synod__epoch_member (epoch_of (&world, 1), synod_str ("n2"))->id;
    synod_sim_crash (world.sim, world.node[2]);
    synod_sim_wipe (world.sim, world.node[2]);
    synod_sim_start (world.sim, world.node[2]);
    synod_sim_join (world.sim, 10000);
    until (&world, 1, is_down, "n2", 8000);
    assert_int_equal (join (&world, "n1/ring", "n2", 0), SYNOD_OK);
    until (&world, 2, is_up, "n2", 8000);
    const synod__epoch_t *epoch = epoch_of (&world, 1);
    assert_int_equal (epoch->nmembers, 3);
    assert_int_not_equal (synod__store_id_compare (&synod__epoch_member (epoch, synod_str ("n2"))->id, &before), 0);
    world_end (&world);
}

/* Who has lost its disk does not vote with the promises of the one before. */
static void test_no_majority (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 16);
    assert_int_equal (init (&world, "n1/ring", "123", NULL), SYNOD_OK);
    for (int i = 2; i <= 3; i++) {
        synod_sim_crash (world.sim, world.node[i]);
        synod_sim_wipe (world.sim, world.node[i]);
        synod_sim_start (world.sim, world.node[i]);
    }
    synod_sim_join (world.sim, 10000);
    set_weight (&world, "n1/ring", "n1", 7);
    refused (&world, SYNOD_REFUSED, "no majority of the keepers is left");
    world_end (&world);
}

static bool ended (synod_sim_t *sim, void *arg)
{
    return synod_sim_state (sim, *(const int *) arg) == SYNOD_SIM_DOWN;
}

/* One that is asked to stop is marked down before it is gone, and up as soon as it is back. */
static void test_stop (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 19);
    assert_int_equal (init (&world, "n1/ring", "1234", "123"), SYNOD_OK);
    synod_sim_run (world.sim, 2000);
    synod_sim_stop (world.sim, world.node[2]);
    assert_int_equal (synod_sim_until (world.sim, ended, &world.node[2], 5000), SYNOD_OK);
    assert_true (is_down (epoch_of (&world, 1), "n2"));
    synod_sim_start (world.sim, world.node[2]);
    synod_sim_join (world.sim, 10000);
    until (&world, 1, is_up, "n2", 900); /* less than the delay of one that was believed dead */
    world_end (&world);
}

static const synod_actor_t other = {.name = "other", .placement = SYNOD_SHARDED, .replicas = 2};

/* A node that runs more than it did says so. */
static void test_types (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 20);
    assert_int_equal (init (&world, "n1/ring", "123", NULL), SYNOD_OK);
    synod_sim_crash (world.sim, world.node[3]);
    synod_sim_add (world.sim, world.node[3], &other, NULL);
    synod_sim_start (world.sim, world.node[3]);
    synod_sim_join (world.sim, 10000);
    synod_sim_run (world.sim, 3000);
    const synod__epoch_t *epoch = epoch_of (&world, 1);
    assert_int_equal (epoch->ntypes, 2);
    assert_string_equal (epoch->types[1].name, "other");
    assert_int_equal (epoch->types[1].replicas, 2);
    assert_int_equal (synod__epoch_member (epoch, synod_str ("n3"))->types, 3);
    assert_int_equal (synod__epoch_member (epoch, synod_str ("n1"))->types, 1);
    world_end (&world);
}

/* What a keeper begins when it enters an epoch goes on, though the message with which it did so is answered by an error. */
static void test_asked_first (void **state)
{
    (void) state;
    for (uint64_t seed = 21; seed < 26; seed++) {
        world_t world;
        world_new (&world, seed);
        assert_int_equal (init (&world, "n1/ring", "1", NULL), SYNOD_OK);
        synod_sim_crash (world.sim, world.node[1]);
        synod_sim_add (world.sim, world.node[1], &other, NULL);
        synod_sim_start (world.sim, world.node[1]);
        world.answer.code = SYNOD_OK;
        for (int i = 0; i < 1000 && world.answer.code != SYNOD_NOT_FOUND; i++) /* at first nobody is there */
            ask (&world, "n1/ring", &synod__ring_epoch_record, &(synod__ring_epoch_t){.after = 1000});
        assert_int_equal (world.answer.code, SYNOD_NOT_FOUND);
        synod_sim_run (world.sim, 5000);
        assert_int_equal (epoch_of (&world, 1)->ntypes, 2);
        world_end (&world);
    }
}

/* Whoever sends a change on takes the other for a keeper. One that is none says so, and does not send it on in turn. */
static const synod_actor_t s_ring = {.name = SYNOD__RING_ACTOR};
static int s_sent_on;

static int on_sent_on (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    (void) ctx, (void) state, (void) arg;
    s_sent_on = reply->code;
    return SYNOD_OK;
}

static int s_send_on (synod_ctx_t *ctx, void *state, void *arg)
{
    (void) state, (void) arg;
    return synod_ask (ctx, "n4/ring", &synod__ring_weight_record,
                      &(synod__ring_weight_t){.node = synod_str ("n1"), .weight = 50}, 1000, on_sent_on, 0);
}

static void test_sent_on (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 9);
    assert_int_equal (init (&world, "n1/ring", "1234", "123"), SYNOD_OK);
    assert_int_equal (set_weight (&world, "n4/ring", "n1", 200), SYNOD_OK); /* from anybody else it is sent on */
    int node = synod_sim_up (world.sim, "m", &s_ring, NULL);
    assert_int_equal (synod_sim_join (world.sim, 5000), SYNOD_OK);
    assert_int_equal (synod_sim_act (world.sim, node, SYNOD__RING_ACTOR, s_send_on, NULL), SYNOD_OK);
    assert_int_equal (synod_sim_run (world.sim, 2000), SYNOD_OK);
    assert_int_equal (s_sent_on, SYNOD_NO_ROUTE);
    world_end (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_changes), cmocka_unit_test (test_bad_changes), cmocka_unit_test (test_down_and_up),
        cmocka_unit_test (test_cut_off), cmocka_unit_test (test_wiped),       cmocka_unit_test (test_no_majority),
        cmocka_unit_test (test_stop),    cmocka_unit_test (test_asked_first), cmocka_unit_test (test_types),
        cmocka_unit_test (test_sent_on),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
