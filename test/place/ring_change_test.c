/* SPDX-License-Identifier: MPL-2.0
 *
 * What follows an epoch: the first one, each change, what it is refused for, and what keepers do by themselves.
 */
#include "place_test.h"
#include "actors/place/ring_change.h"

static const synod__placed_type_t s_kv = {"kv", 0}, s_lock = {"lock", 3};

/* node-0 ... of a ring of R 3 with NKEEPERS keepers, each of which runs kv; in epoch 5. */
static synod__epoch_t s_epoch (uint32_t nmembers, uint32_t nkeepers)
{
    synod__epoch_t epoch = {.ring = 9,
                            .number = 5,
                            .settled = 2,
                            .partitions = 64,
                            .replicas = 3,
                            .nmembers = nmembers,
                            .nkeepers = nkeepers,
                            .ntypes = 1,
                            .members = (synod__member_t *) calloc (nmembers, sizeof *epoch.members),
                            .keepers = (synod__store_id_t *) calloc (nkeepers, sizeof *epoch.keepers),
                            .types = (synod__placed_type_t *) calloc (1, sizeof *epoch.types)};
    place_members (epoch.members, nmembers);
    for (uint32_t i = 0; i < nmembers; i++)
        epoch.members[i].types = 1;
    for (uint32_t i = 0; i < nkeepers; i++)
        epoch.keepers[i] = epoch.members[i].id;
    epoch.types[0] = s_kv;
    return epoch;
}

static synod__change_t s_change (synod__change_kind_t kind, const char *node, uint32_t weight)
{
    synod__change_t change = {.kind = kind, .weight = weight};
    snprintf (change.node, sizeof change.node, "%s", node);
    return change;
}

static synod__change_t s_join (const char *node, uint32_t number, uint32_t weight)
{
    synod__change_t change = s_change (SYNOD__CHANGE_JOIN, node, weight);
    synod__member_t member = place_member (node, number);
    memcpy (change.newcomer.name, member.name, sizeof member.name);
    change.newcomer.id = member.id;
    change.newcomer.weight = 70;
    change.newcomer.ntypes = 1;
    change.newcomer.types = (synod__placed_type_t *) calloc (1, sizeof s_kv);
    *change.newcomer.types = s_kv;
    return change;
}

/* EPOCH becomes the next one with CHANGE in it, which has to go. */
static void s_apply (synod__epoch_t *epoch, synod__change_t change)
{
    synod__epoch_t next;
    synod_fault_t fault = {0};
    assert_int_equal (synod__epoch_next (epoch, &next), SYNOD_OK);
    assert_false (synod__change_done (&change, epoch));
    check_ok (synod__change_apply (&change, &next, false, &fault), fault);
    assert_true (synod__change_done (&change, &next));
    check_ok (synod__epoch_check_next (&next, epoch, &fault), fault);
    synod__epoch_free (epoch);
    synod__change_free (&change);
    *epoch = next;
}

static void s_refuse (const synod__epoch_t *epoch, synod__change_t change, bool well, int code, const char *words)
{
    synod__epoch_t next;
    synod_buf_t before = {0}, after = {0};
    synod_fault_t fault = {0};
    assert_int_equal (synod__epoch_next (epoch, &next), SYNOD_OK);
    check_ok (synod__epoch_pack (&next, &before, &fault), fault);
    check_fault (synod__change_apply (&change, &next, well, &fault), code, fault, words);
    check_ok (synod__epoch_pack (&next, &after, &fault), fault);
    assert_int_equal (before.size, after.size);
    assert_memory_equal (before.data, after.data, after.size);
    synod_buf_free (&before);
    synod_buf_free (&after);
    synod__epoch_free (&next);
    synod__change_free (&change);
}

static const synod__member_t *s_member (const synod__epoch_t *epoch, const char *name)
{
    return synod__epoch_member (epoch, synod_str (name));
}

static void s_settle (synod__epoch_t *epoch)
{
    synod__epoch_t next;
    synod_fault_t fault = {0};
    assert_int_equal (synod__epoch_next (epoch, &next), SYNOD_OK);
    assert_true (synod__ring_moving (epoch));
    assert_true (synod__ring_settle (&next));
    assert_false (synod__ring_moving (&next));
    check_ok (synod__epoch_check_next (&next, epoch, &fault), fault);
    synod__epoch_free (epoch);
    *epoch = next;
}

static void test_join (void **state)
{
    (void) state;
    synod__epoch_t epoch = s_epoch (3, 3);
    s_apply (&epoch, s_join ("new", 9, 0));
    assert_true (s_member (&epoch, "new")->weight == 0 && s_member (&epoch, "new")->target == 70);
    assert_int_equal (s_member (&epoch, "new")->types, 1);
    s_settle (&epoch);
    assert_int_equal (s_member (&epoch, "new")->weight, 70);
    /* of the same store: another weight */
    s_apply (&epoch, s_join ("new", 9, 80));
    assert_true (s_member (&epoch, "new")->weight == 70 && s_member (&epoch, "new")->target == 80);
    /* one that leaves changes its mind */
    s_apply (&epoch, s_change (SYNOD__CHANGE_LEAVE, "node-2", 0));
    s_apply (&epoch, s_join ("node-2", 2, 0));
    assert_int_equal (s_member (&epoch, "node-2")->target, 70);
    s_refuse (&epoch, s_join ("new", 10, 0), false, SYNOD_REFUSED, "new is a member with another store, which is up");
    s_refuse (&epoch, s_join ("newer", 9, 0), false, SYNOD_REFUSED,
              "the store of newer is that of the member new: it was copied, or renamed");
    s_refuse (&epoch, s_join ("a/b", 11, 0), false, SYNOD_INVALID, "expected the name of a node, got \"a/b\"");
    s_refuse (&epoch, s_join ("newer", 11, 1001), false, SYNOD_INVALID,
              "newer: expected a weight from 1 to 1000, got 1001");
    synod__change_t other = s_join ("newer", 11, 0);
    other.newcomer.types->replicas = 2;
    s_refuse (&epoch, other, false, SYNOD_REFUSED, "newer: expected 0 replicas of kv, as the other members have it");
    synod__epoch_free (&epoch);
}

static void test_wiped (void **state)
{
    (void) state;
    synod__epoch_t epoch = s_epoch (4, 3);
    assert_true (synod__ring_mark_down (&epoch, &epoch.members[1].id));
    synod__store_id_t before = epoch.members[1].id;
    s_apply (&epoch, s_join ("node-1", 21, 0));
    const synod__member_t *member = s_member (&epoch, "node-1");
    /* it holds what the old one held, and counts when it has it */
    assert_true (member->weight == SYNOD__WEIGHT_DEFAULT && member->target == 70 && member->down);
    assert_null (synod__epoch_store (&epoch, &before));
    /* it was a keeper: one that is up is, in its place */
    assert_int_equal (epoch.nkeepers, 3);
    assert_true (synod__epoch_keeps (&epoch, &s_member (&epoch, "node-3")->id));
    assert_false (synod__epoch_keeps (&epoch, &member->id));
    synod__epoch_free (&epoch);
}

static void test_leave (void **state)
{
    (void) state;
    synod__epoch_t epoch = s_epoch (5, 3);
    epoch.members[3].down = true;
    s_apply (&epoch, s_change (SYNOD__CHANGE_LEAVE, "node-0", 0));
    assert_true (s_member (&epoch, "node-0")->weight == SYNOD__WEIGHT_DEFAULT &&
                 s_member (&epoch, "node-0")->target == 0);
    /* a keeper: the next that is up */
    assert_int_equal (epoch.nkeepers, 3);
    assert_true (synod__epoch_keeps (&epoch, &s_member (&epoch, "node-4")->id));
    s_apply (&epoch, s_change (SYNOD__CHANGE_LEAVE, "node-1", 0));
    assert_int_equal (epoch.nkeepers, 3); /* with the one that is down */
    s_settle (&epoch);
    assert_int_equal (epoch.nmembers, 3);
    s_apply (&epoch, s_change (SYNOD__CHANGE_LEAVE, "node-4", 0));
    assert_int_equal (epoch.nkeepers, 3); /* as long as there are three, with the one that leaves */
    assert_true (synod__epoch_keeps (&epoch, &s_member (&epoch, "node-4")->id));
    s_settle (&epoch);
    assert_int_equal (epoch.nmembers, 2);
    assert_int_equal (epoch.nkeepers, 1); /* the one that is up */
    assert_true (synod__epoch_keeps (&epoch, &s_member (&epoch, "node-2")->id));
    s_refuse (&epoch, s_change (SYNOD__CHANGE_LEAVE, "node-9", 0), false, SYNOD_NOT_FOUND, "node-9 is no member");
    synod__epoch_free (&epoch);
    /* one that leaves and is dead is no keeper meanwhile; one that joins takes the place of one that leaves */
    epoch = s_epoch (3, 3);
    assert_true (synod__ring_mark_down (&epoch, &epoch.members[1].id));
    s_apply (&epoch, s_change (SYNOD__CHANGE_REMOVE, "node-1", 0));
    assert_true (epoch.nkeepers == 1 && synod__epoch_keeps (&epoch, &epoch.members[0].id));
    synod__epoch_free (&epoch);
    epoch = s_epoch (3, 3);
    s_apply (&epoch, s_change (SYNOD__CHANGE_LEAVE, "node-1", 0));
    s_apply (&epoch, s_join ("new", 9, 0));
    s_settle (&epoch);
    assert_true (epoch.nkeepers == 3 && synod__epoch_keeps (&epoch, &s_member (&epoch, "new")->id));
    synod__epoch_free (&epoch);
    /* a last one; one that joins is nobody to leave the ring to */
    epoch = s_epoch (1, 1);
    s_refuse (&epoch, s_change (SYNOD__CHANGE_LEAVE, "node-0", 0), false, SYNOD_REFUSED, "node-0 is the last member");
    s_apply (&epoch, s_join ("new", 9, 0));
    s_refuse (&epoch, s_change (SYNOD__CHANGE_REMOVE, "node-0", 0), false, SYNOD_REFUSED, "node-0 is the last member");
    /* one that joins goes at once: it holds nothing */
    synod__epoch_t next;
    synod__change_t change = s_change (SYNOD__CHANGE_LEAVE, "new", 0);
    assert_int_equal (synod__epoch_next (&epoch, &next), SYNOD_OK);
    assert_int_equal (synod__change_apply (&change, &next, false, NULL), SYNOD_OK);
    assert_null (s_member (&next, "new"));
    synod__epoch_free (&next);
    synod__epoch_free (&epoch);
}

static void test_remove_and_keepers (void **state)
{
    (void) state;
    synod__epoch_t epoch = s_epoch (4, 3);
    s_refuse (&epoch, s_change (SYNOD__CHANGE_REMOVE, "node-0", 0), true, SYNOD_REFUSED, "node-0 is up and well");
    synod__change_t force = s_change (SYNOD__CHANGE_REMOVE, "node-0", 0);
    synod__epoch_t next;
    force.force = true;
    assert_int_equal (synod__epoch_next (&epoch, &next), SYNOD_OK);
    assert_int_equal (synod__change_apply (&force, &next, true, NULL), SYNOD_OK);
    assert_int_equal (s_member (&next, "node-0")->target, 0);
    synod__epoch_free (&next);
    synod__change_t keepers = s_change (SYNOD__CHANGE_KEEPERS, "", 0);
    keepers.nkeepers = 1;
    strcpy (keepers.keepers[0], "node-3");
    s_apply (&epoch, keepers);
    assert_true (epoch.nkeepers == 1 && synod__epoch_keeps (&epoch, &epoch.members[3].id));
    keepers.nkeepers = 2;
    s_refuse (&epoch, keepers, false, SYNOD_INVALID, "expected an odd number of keepers up to 15, got 2");
    keepers.nkeepers = 3;
    strcpy (keepers.keepers[1], "node-3");
    strcpy (keepers.keepers[2], "node-1");
    s_refuse (&epoch, keepers, false, SYNOD_INVALID, "expected distinct keepers, got node-3 twice");
    strcpy (keepers.keepers[1], "node-7");
    s_refuse (&epoch, keepers, false, SYNOD_NOT_FOUND, "expected members as keepers, got node-7, which is none");
    s_refuse (&epoch, s_change (SYNOD__CHANGE_WEIGHT, "node-1", 0), false, SYNOD_INVALID,
              "expected a weight from 1 to 1000");
    s_refuse (&epoch, s_change (SYNOD__CHANGE_WEIGHT, "node-8", 3), false, SYNOD_NOT_FOUND, "node-8 is no member");
    s_apply (&epoch, s_change (SYNOD__CHANGE_LEAVE, "node-2", 0));
    strcpy (keepers.keepers[1], "node-2");
    s_refuse (&epoch, keepers, false, SYNOD_REFUSED, "expected members that stay as keepers, got node-2, which leaves");
    synod__epoch_free (&epoch);
}

static void test_types (void **state)
{
    (void) state;
    synod__epoch_t epoch = s_epoch (3, 1);
    synod__change_t change = {.kind = SYNOD__CHANGE_TYPES, .newcomer = {.id = epoch.members[1].id, .ntypes = 2}};
    change.newcomer.types = (synod__placed_type_t *) calloc (2, sizeof s_kv);
    change.newcomer.types[0] = s_lock;
    change.newcomer.types[1] = s_kv;
    s_apply (&epoch, change);
    assert_int_equal (epoch.ntypes, 2);
    assert_int_equal (epoch.members[1].types, 3);
    assert_int_equal (epoch.members[0].types, 1);
    synod__epoch_free (&epoch);
}

static void test_by_themselves (void **state)
{
    (void) state;
    synod__epoch_t epoch = s_epoch (3, 3);
    s_apply (&epoch, s_join ("new", 9, 0));
    synod__store_id_t id = s_member (&epoch, "new")->id;
    assert_true (synod__ring_mark_down (&epoch, &id)); /* it joins: dropped */
    assert_null (s_member (&epoch, "new"));
    assert_false (synod__ring_mark_down (&epoch, &id));
    id = epoch.members[0].id;
    assert_true (synod__ring_mark_down (&epoch, &id));
    assert_false (synod__ring_mark_down (&epoch, &id));
    assert_true (epoch.members[0].down && epoch.nkeepers == 3);
    assert_true (synod__ring_mark_up (&epoch, &id));
    assert_false (synod__ring_mark_up (&epoch, &id));
    assert_false (synod__ring_settle (&epoch));
    synod__epoch_free (&epoch);
    epoch = s_epoch (1, 1);
    assert_false (synod__ring_mark_down (&epoch, &epoch.members[0].id));
    synod__epoch_free (&epoch);
}

static void test_spare_and_stop (void **state)
{
    (void) state;
    bool owns[8];
    synod__epoch_t epoch = s_epoch (4, 3);
    assert_true (synod__ring_owners (&epoch, owns));
    assert_true (owns[0] && owns[1] && owns[2] && owns[3]);
    assert_true (synod__ring_can_stop (&epoch, 0));
    epoch.members[0].down = true;
    assert_true (synod__ring_can_spare (&epoch, 0));
    assert_true (synod__ring_owners (&epoch, owns));
    assert_false (owns[0]);
    assert_true (synod__ring_can_stop (&epoch, 1)); /* two of three replicas, and one is up */
    epoch.members[1].down = true;
    assert_false (synod__ring_can_spare (&epoch, 0)); /* two would be left for R of 3 */
    assert_false (synod__ring_can_stop (&epoch, 2));  /* some have no other copy that is up */
    synod__epoch_free (&epoch);
    epoch = s_epoch (4, 3);
    epoch.types[0].replicas = 1;
    epoch.members[0].down = true;
    assert_false (synod__ring_can_spare (&epoch, 0)); /* nobody else has what it holds */
    assert_false (synod__ring_can_stop (&epoch, 1));
    assert_true (synod__ring_owners (&epoch, owns));
    assert_true (owns[0]);
    epoch.types[0].replicas = 0;
    epoch.members[1].types = epoch.members[2].types = epoch.members[3].types = 0;
    assert_false (synod__ring_can_spare (&epoch, 0)); /* and nobody else runs it */
    synod__epoch_free (&epoch);
}

static void test_first (void **state)
{
    (void) state;
    synod__newcomer_t nodes[3] = {{.name = "c", .weight = 5}, {.name = "a", .zone = "east"}, {.name = "b"}};
    synod__placed_type_t types[2] = {s_lock, s_kv};
    for (uint32_t i = 0; i < 3; i++)
        nodes[i].id = place_member ("x", i).id;
    nodes[2].types = types;
    nodes[2].ntypes = 2;
    synod__ring_first_t first = {.ring = 4, .nnodes = 3, .nodes = nodes};
    synod__epoch_t epoch, other;
    synod_fault_t fault = {0};
    check_ok (synod__ring_first (&first, &epoch, &fault), fault);
    assert_true (epoch.nmembers == 3 && epoch.nkeepers == 3 && epoch.replicas == 3 && epoch.number == 1);
    assert_int_equal (epoch.partitions, SYNOD__PARTITIONS);
    assert_string_equal (epoch.members[0].name, "a");
    assert_int_equal (s_member (&epoch, "c")->weight, 5);
    assert_int_equal (s_member (&epoch, "b")->types, 3);
    assert_int_equal (synod__ring_first_same (&first, &epoch, &fault), SYNOD_OK);
    nodes[1].weight = 7;
    check_fault (synod__ring_first_same (&first, &epoch, &fault), SYNOD_REFUSED, fault,
                 "a has the weight 100 in it, not 7");
    nodes[1].weight = 0;
    nodes[1].id.bytes[3] = 1;
    check_fault (synod__ring_first_same (&first, &epoch, &fault), SYNOD_REFUSED, fault, "a has another store");
    nodes[1].id.bytes[3] = 0;
    first.nnodes = 2;
    check_fault (synod__ring_first_same (&first, &epoch, &fault), SYNOD_REFUSED, fault, "it has 3 members, not 2");
    /* of two: one keeper, two replicas; alone: R as wanted later */
    check_ok (synod__ring_first (&first, &other, &fault), fault);
    assert_true (other.nkeepers == 1 && other.replicas == 2);
    assert_true (synod__store_id_compare (&other.keepers[0], &nodes[0].id) == 0);
    synod__epoch_free (&other);
    first.nnodes = 1;
    first.replicas = 5;
    check_fault (synod__ring_first (&first, &other, &fault), SYNOD_INVALID, fault,
                 "expected 1 to 1 replicas on 1 nodes, got 5");
    first.lone = true;
    check_ok (synod__ring_first (&first, &other, &fault), fault);
    assert_int_equal (other.replicas, 5);
    synod__epoch_free (&other);
    synod__epoch_free (&epoch);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_first),
        cmocka_unit_test (test_join),
        cmocka_unit_test (test_wiped),
        cmocka_unit_test (test_leave),
        cmocka_unit_test (test_remove_and_keepers),
        cmocka_unit_test (test_types),
        cmocka_unit_test (test_by_themselves),
        cmocka_unit_test (test_spare_and_stop),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
