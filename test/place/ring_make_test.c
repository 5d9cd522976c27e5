/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `ring`: how a ring comes about, what it tells of itself.
 */
#include "ring_world.h"

/* ---- how a ring comes about ---- */

static void test_init (void **state)
{
    (void) state;
    world_t world;
    synod__ring_made_t made;
    synod__epoch_t epoch;
    world_new (&world, 1);
    assert_null (epoch_of (&world, 1));
    init (&world, "n1/ring", "123", NULL);
    take (&world, &synod__ring_made_record, &made);
    assert_false (made.again);
    assert_int_equal (synod__epoch_unpack (&epoch, made.value, NULL), SYNOD_OK);
    assert_int_equal (epoch.number, 1);
    assert_int_equal (epoch.partitions, 16);
    assert_int_equal (epoch.replicas, 3);
    assert_int_equal (epoch.nkeepers, 3);
    uint64_t ring = epoch.ring;
    synod__epoch_free (&epoch);
    for (int i = 1; i <= 3; i++) {
        const synod__epoch_t *now = epoch_of (&world, i);
        assert_non_null (now);
        assert_true (now->ring == ring && now->nmembers == 3);
    }
    assert_true (!epoch_of (&world, 4) || is_gone (&world.epoch, "n4"));
    /* the same again, asked of another; with other wishes; by one that is in none */
    init (&world, "n4/ring", "321", NULL);
    take (&world, &synod__ring_made_record, &made);
    assert_true (made.again);
    init (&world, "n1/ring", "1234", NULL);
    refused (&world, SYNOD_REFUSED, "n1 is in a ring already: n4 is no member of it");
    init (&world, "n1/ring", "12", NULL);
    refused (&world, SYNOD_REFUSED, "n1 is in a ring already: it has 3 members, not 2");
    init (&world, "n1/ring", "123", "1");
    refused (&world, SYNOD_REFUSED, "it has 3 keepers, not 1");
    assert_int_equal (epoch_of (&world, 1)->number, 1);
    world_end (&world);
}

static void test_bad_init (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 2);
    init (&world, "n1/ring", "", NULL);
    refused (&world, SYNOD_INVALID, "expected 1 to 1024 nodes, got 0");
    init (&world, "n1/ring", "121", NULL);
    refused (&world, SYNOD_INVALID, "expected distinct nodes, got n1 twice");
    init (&world, "n1/ring", "123", "12");
    refused (&world, SYNOD_INVALID, "expected an odd number of keepers up to 15, got 2");
    init (&world, "n1/ring", "123", "124");
    refused (&world, SYNOD_INVALID, "expected members as keepers, got n4, which is none");
    init (&world, "n1/ring", "123", "122");
    refused (&world, SYNOD_INVALID, "expected distinct keepers, got n2 twice");
    begin_init (&world, "n1/ring", "123", NULL, (synod__ring_init_t){.replicas = 4}, true);
    refused (&world, SYNOD_INVALID, "expected 1 to 3 replicas on 3 nodes, got 4");
    begin_init (&world, "n1/ring", "123", NULL, (synod__ring_init_t){.partitions = 1000}, true);
    refused (&world, SYNOD_INVALID, "expected a power of two up to 65536 as partitions, got 1000");
    init (&world, "n1/ring", "129", NULL);
    refused (&world, SYNOD_NO_ROUTE, "n9/ring: ");
    synod__ring_init_t in = {.partitions = 16};
    synod_buf_t items = {0};
    synod__ring_node_t heavy = {.node = synod_str ("n1"), .weight = 1001};
    synod_list_add (&in.nodes, &items, &synod__ring_node_record, &heavy, NULL);
    ask (&world, "n1/ring", &synod__ring_init_record, &in);
    refused (&world, SYNOD_INVALID, "n1: expected a weight from 1 to 1000, got 1001");
    synod_buf_free (&items);
    for (int i = 1; i <= NODES; i++)
        assert_null (epoch_of (&world, i));
    /* nothing was recorded: another set is free to be made */
    assert_int_equal (init (&world, "n1/ring", "234", NULL), SYNOD_OK);
    world_end (&world);
}

/* Two at once, for sets that share nodes: at most one, and the nodes of the other are free. */
static void test_two_inits (void **state)
{
    (void) state;
    uint32_t first = 0, both_failed = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        world_t world;
        world_new (&world, seed);
        begin_init (&world, "n1/ring", "123", NULL, (synod__ring_init_t){.partitions = 16}, false);
        begin_init (&world, "n5/ring", "345", NULL, (synod__ring_init_t){.partitions = 16}, false);
        assert_int_equal (synod_sim_until (world.sim, answered, NULL, 10000), SYNOD_OK);
        assert_true (world.answer.good <= 1);
        const synod__epoch_t *one = epoch_of (&world, 1);
        first += one && is_up (one, "n1");
        uint64_t ring = one ? one->ring : 0;
        one = epoch_of (&world, 5); /* of the other ring, if of any: it is known all over the bus */
        assert_true (!one || !ring || one->ring == ring);
        both_failed += world.answer.good == 0;
        if (world.answer.count == 0)
            fail_msg ("nobody answered");
        /* whatever became of them, one of the two is made when asked for again */
        synod_sim_run (world.sim, 1000);
        int a = init (&world, "n2/ring", "123", NULL), b = init (&world, "n4/ring", "345", NULL);
        assert_true ((a == SYNOD_OK) != (b == SYNOD_OK));
        world_end (&world);
    }
    assert_true (first > 0 && first < 40);
    (void) both_failed;
}

/* The same set twice at once, from two nodes: one ring. */
static void test_same_init_twice (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_t world;
        world_new (&world, seed);
        begin_init (&world, "n1/ring", "123", NULL, (synod__ring_init_t){.partitions = 16}, false);
        begin_init (&world, "n5/ring", "123", NULL, (synod__ring_init_t){.partitions = 16}, false);
        assert_int_equal (synod_sim_until (world.sim, answered, NULL, 10000), SYNOD_OK);
        assert_int_equal (world.answer.good, 2);
        uint64_t ring = epoch_of (&world, 1)->ring;
        assert_true (epoch_of (&world, 2)->ring == ring);
        assert_true (epoch_of (&world, 3)->ring == ring);
        world_end (&world);
    }
}

/* Cut short wherever: finished by the same again. */
static void test_cut_init (void **state)
{
    (void) state;
    for (uint32_t effects = 0; effects < 16; effects++) {
        world_t world;
        world_new (&world, 7);
        begin_init (&world, "n1/ring", "123", NULL, (synod__ring_init_t){.partitions = 16}, false);
        synod_sim_crash_after (world.sim, world.node[1], effects);
        synod_sim_run (world.sim, 5000);
        synod_sim_start (world.sim, world.node[1]);
        assert_int_equal (synod_sim_join (world.sim, 10000), SYNOD_OK);
        if (init (&world, "n2/ring", "123", NULL) != SYNOD_OK)
            fail_msg ("after %u effects: %s", effects, world.answer.message);
        uint64_t ring = epoch_of (&world, 1)->ring;
        assert_true (epoch_of (&world, 3)->ring == ring);
        world_end (&world);
    }
}

/* What a node has refused it never records, whatever happened to it since; another store cannot refuse for it. */
static void test_refuse (void **state)
{
    (void) state;
    world_t world;
    synod__ring_about_is_t about;
    synod__store_id_t id;
    synod_buf_t value = {0};
    world_new (&world, 8);
    ask (&world, "n1/ring", &synod__ring_about_record, &(synod__ring_about_t){0});
    take (&world, &synod__ring_about_is_record, &about);
    memcpy (id.bytes, about.store.data, sizeof id.bytes);
    synod__newcomer_t node = {.id = id, .name = "n1"};
    synod__ring_first_t first = {.ring = 77, .nnodes = 1, .nodes = &node, .partitions = 16};
    synod__epoch_t epoch;
    assert_int_equal (synod__ring_first (&first, &epoch, NULL), SYNOD_OK);
    assert_int_equal (synod__epoch_pack (&epoch, &value, NULL), SYNOD_OK);
    synod__epoch_free (&epoch);
    synod__ring_adopt_t adopt = {.value = synod_str_n (value.data, value.size)};
    synod__ring_refuse_t refuse = {.ring = 77, .store = synod_str_n (id.bytes, sizeof id.bytes)};
    ask (&world, "n2/ring", &synod__ring_refuse_record, &refuse);
    refused (&world, SYNOD_REFUSED, "n2 has another store than the member");
    ask (&world, "n2/ring", &synod__ring_adopt_record, &adopt);
    refused (&world, SYNOD_REFUSED, "n2 has another store than the member");
    assert_int_equal (ask (&world, "n1/ring", &synod__ring_refuse_record, &refuse), SYNOD_OK);
    synod_sim_crash (world.sim, world.node[1]);
    synod_sim_run (world.sim, 5000);
    synod_sim_start (world.sim, world.node[1]);
    synod_sim_join (world.sim, 10000);
    ask (&world, "n1/ring", &synod__ring_adopt_record, &adopt);
    refused (&world, SYNOD_REFUSED, "n1 has refused this ring");
    ask (&world, "n1/ring", &synod__ring_begin_record, &(synod__ring_begin_t){.ring = 77});
    refused (&world, SYNOD_REFUSED, "n1 has not recorded this ring");
    synod_buf_free (&value);
    world_end (&world);
}

/* ---- alone ---- */

static void test_alone (void **state)
{
    (void) state;
    world_t world;
    synod__ring_args_t args = {.alone = true, .partitions = 16};
    world_new (&world, 17);
    int lone = up (world.sim, "lone", &args);
    assert_int_equal (synod_sim_join (world.sim, 10000), SYNOD_OK);
    synod__ring_epoch_is_t out;
    synod__epoch_t epoch;
    uint64_t ring = 0;
    for (int life = 0; life < 2; life++) {
        ask (&world, "lone/ring", &synod__ring_epoch_record, &(synod__ring_epoch_t){0});
        take (&world, &synod__ring_epoch_is_record, &out);
        assert_int_equal (synod__epoch_unpack (&epoch, out.value, NULL), SYNOD_OK);
        assert_true (epoch.number == 1 && epoch.nmembers == 1 && epoch.nkeepers == 1 && epoch.replicas == 3);
        assert_true (life == 0 || epoch.ring == ring);
        ring = epoch.ring;
        synod__epoch_free (&epoch);
        synod_sim_crash (world.sim, lone);
        synod_sim_run (world.sim, 5000);
        synod_sim_start (world.sim, lone);
        synod_sim_join (world.sim, 10000);
    }
    assert_int_equal (join (&world, "lone/ring", "n1", 0), SYNOD_OK);
    until (&world, 1, is_up, "n1", 5000);
    assert_int_equal (join (&world, "n1/ring", "n2", 0), SYNOD_OK);
    until (&world, 2, is_up, "n2", 5000);
    assert_true (epoch_of (&world, 2)->ring == ring);
    world_end (&world);
}

/* ---- status ---- */

static void test_status (void **state)
{
    (void) state;
    world_t world;
    synod__ring_status_is_t out;
    synod__ring_member_t member;
    world_new (&world, 18);
    ask (&world, "n5/ring", &synod__ring_status_record, &(synod__ring_status_t){0});
    take (&world, &synod__ring_status_is_record, &out);
    assert_false (out.keeper);
    assert_int_equal (out.value.size, 0);
    assert_int_equal (init (&world, "n1/ring", "1234", NULL), SYNOD_OK);
    synod_sim_run (world.sim, 2000);
    ask (&world, "n4/ring", &synod__ring_status_record, &(synod__ring_status_t){0});
    take (&world, &synod__ring_status_is_record, &out);
    assert_true (out.keeper);
    assert_true (synod_str_is (out.node, "n1"));
    assert_int_equal (out.members.count, 4);
    for (uint32_t i = 0; synod_list_next (&out.members, &synod__ring_member_record, &member); i++) {
        assert_int_equal (member.member, i);
        assert_true (member.up);
        assert_int_equal (member.epoch, 1);
        assert_true (member.heard_ms < 1000);
    }
    world_end (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_init),      cmocka_unit_test (test_bad_init),
        cmocka_unit_test (test_two_inits), cmocka_unit_test (test_same_init_twice),
        cmocka_unit_test (test_cut_init),  cmocka_unit_test (test_refuse),
        cmocka_unit_test (test_alone),     cmocka_unit_test (test_status),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
