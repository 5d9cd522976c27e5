/* SPDX-License-Identifier: MPL-2.0
 *
 * The value of an epoch: there and back, and every way in which it can be wrong.
 */
#include "place_test.h"
#include "actors/place/epoch.h"

#define MEMBERS 5

static synod__epoch_t s_epoch (void)
{
    synod__epoch_t epoch = {.ring = 0x1234,
                            .number = 7,
                            .settled = 5,
                            .partitions = 1024,
                            .replicas = 3,
                            .nmembers = MEMBERS,
                            .nkeepers = 3,
                            .ntypes = 2,
                            .members = (synod__member_t *) calloc (SYNOD__MEMBERS_MAX + 1, sizeof *epoch.members),
                            .keepers = (synod__store_id_t *) calloc (32, sizeof *epoch.keepers),
                            .types = (synod__placed_type_t *) calloc (SYNOD__TYPES_MAX + 1, sizeof *epoch.types)};
    place_members (epoch.members, MEMBERS);
    for (uint32_t i = 0; i < 3; i++)
        epoch.keepers[i] = epoch.members[i].id;
    snprintf (epoch.types[0].name, sizeof epoch.types[0].name, "counter");
    snprintf (epoch.types[1].name, sizeof epoch.types[1].name, "$ids");
    epoch.types[1].replicas = 1;
    snprintf (epoch.members[1].zone, sizeof epoch.members[1].zone, "east");
    epoch.members[2].weight = SYNOD__WEIGHT_MAX;
    epoch.members[1].weight = 0; /* joining */
    epoch.members[3].target = 0; /* leaving */
    epoch.members[3].down = true;
    epoch.members[4].types = 3;
    return epoch;
}

static void test_there_and_back (void **state)
{
    (void) state;
    synod__epoch_t epoch = s_epoch (), back;
    synod_buf_t packed = {0}, again = {0};
    synod_fault_t fault = {0};
    check_ok (synod__epoch_pack (&epoch, &packed, &fault), fault);
    check_ok (synod__epoch_unpack (&back, synod_str_n (packed.data, packed.size), &fault), fault);
    assert_true (back.ring == 0x1234 && back.number == 7 && back.settled == 5 && back.partitions == 1024 &&
                 back.replicas == 3);
    assert_int_equal (back.nmembers, MEMBERS);
    assert_memory_equal (back.members, epoch.members, MEMBERS * sizeof *epoch.members);
    assert_int_equal (back.nkeepers, 3);
    assert_memory_equal (back.keepers, epoch.keepers, 3 * sizeof *epoch.keepers);
    assert_int_equal (back.ntypes, 2);
    assert_memory_equal (back.types, epoch.types, 2 * sizeof *epoch.types);
    assert_ptr_equal (synod__epoch_member (&back, synod_str ("node-3")), &back.members[3]);
    assert_null (synod__epoch_member (&back, synod_str ("node-9")));
    assert_ptr_equal (synod__epoch_store (&back, &epoch.members[4].id), &back.members[4]);
    /* equal values have equal bytes: Paxos compares those */
    check_ok (synod__epoch_pack (&back, &again, &fault), fault);
    assert_int_equal (again.size, packed.size);
    assert_memory_equal (again.data, packed.data, packed.size);
    /* one byte less is none, wherever the cut is */
    for (size_t size = 0; size < packed.size; size++) {
        synod_str_t part = check_exact (synod_str_n (packed.data, size));
        synod__epoch_t cut;
        int rc = synod__epoch_unpack (&cut, part, &fault);
        assert_true (rc == SYNOD_BAD_REQUEST);
        assert_null (cut.members);
        free ((void *) part.data);
    }
    synod_buf_free (&packed);
    synod_buf_free (&again);
    synod__epoch_free (&back);
    synod__epoch_free (&epoch);
}

/* What one change makes wrong, and the words for it. */
typedef void spoil_t (synod__epoch_t *epoch);

#define SPOIL(name, change)                      \
    static void s_##name (synod__epoch_t *epoch) \
    {                                            \
        change;                                  \
    }
SPOIL (ring, epoch->ring = 0)
SPOIL (number, epoch->number = 0)
SPOIL (settled, epoch->settled = 8)
SPOIL (no_partitions, epoch->partitions = 0)
SPOIL (partitions, epoch->partitions = 1000)
SPOIL (many_partitions, epoch->partitions = 131072)
SPOIL (no_members, epoch->nmembers = 0)
SPOIL (many_members, place_members (epoch->members, epoch->nmembers = SYNOD__MEMBERS_MAX + 1))
SPOIL (name, strcpy (epoch->members[1].name, "a/b"))
SPOIL (no_name, epoch->members[1].name[0] = 0)
SPOIL (zone, strcpy (epoch->members[1].zone, "a zone"))
SPOIL (no_weight, epoch->members[2].weight = epoch->members[2].target = 0)
SPOIL (weight, epoch->members[2].weight = SYNOD__WEIGHT_MAX + 1)
SPOIL (target, epoch->members[2].target = SYNOD__WEIGHT_MAX + 1)
SPOIL (no_id, memset (&epoch->members[4].id, 0, sizeof epoch->members[4].id))
SPOIL (bits, epoch->members[4].types = 7)
SPOIL (names, strcpy (epoch->members[1].name, "node-4"))
SPOIL (ids, epoch->members[1].id = epoch->members[4].id)
SPOIL (types, epoch->ntypes = SYNOD__TYPES_MAX + 1)
SPOIL (type_name, strcpy (epoch->types[0].name, "a b"))
SPOIL (type_replicas, epoch->types[0].replicas = SYNOD__REPLICAS_MAX + 1)
SPOIL (type_twice, strcpy (epoch->types[0].name, "$ids"))
SPOIL (no_keepers, epoch->nkeepers = 0)
SPOIL (two_keepers, epoch->nkeepers = 2)
SPOIL (many_keepers, epoch->nkeepers = SYNOD__KEEPERS_MAX + 2)
SPOIL (unknown_keeper, epoch->keepers[1].bytes[3] = 9)
SPOIL (keeper_twice, epoch->keepers[1] = epoch->keepers[2])
SPOIL (no_replicas, epoch->replicas = 0)
SPOIL (replicas, epoch->replicas = 16)

static void s_weights (synod__epoch_t *epoch)
{
    place_members (epoch->members, epoch->nmembers = 300);
    for (uint32_t i = 0; i < 300; i++)
        epoch->members[i].weight = SYNOD__WEIGHT_MAX;
}

static void s_targets (synod__epoch_t *epoch)
{
    place_members (epoch->members, epoch->nmembers = 300);
    for (uint32_t i = 0; i < 300; i++)
        epoch->members[i].target = SYNOD__WEIGHT_MAX;
}

static void s_joining (synod__epoch_t *epoch)
{
    for (uint32_t i = 0; i < MEMBERS; i++)
        epoch->members[i] =
            (synod__member_t){.weight = 0, .target = 1, .id = epoch->members[i].id, .name = {(char) ('a' + i)}};
}

static void s_leaving (synod__epoch_t *epoch)
{
    for (uint32_t i = 0; i < MEMBERS; i++)
        epoch->members[i] =
            (synod__member_t){.weight = 1, .target = 0, .id = epoch->members[i].id, .name = {(char) ('a' + i)}};
}

static const struct {
    spoil_t *spoil;
    const char *words;
} s_wrong[] = {
    {s_ring, "expected the identity of a ring, got none"},
    {s_number, "expected an epoch from 1 on, got 0"},
    {s_settled, "expected a settled epoch up to 7, got 8"},
    {s_no_partitions, "expected a power of two up to 65536 as partitions, got 0"},
    {s_partitions, "expected a power of two up to 65536 as partitions, got 1000"},
    {s_many_partitions, "expected a power of two up to 65536 as partitions, got 131072"},
    {s_no_members, "expected 1 to 1024 members, got 0"},
    {s_many_members, "expected 1 to 1024 members, got 1025"},
    {s_name, "expected the name of a node, got the member \"a/b\""},
    {s_no_name, "expected the name of a node, got the member \"\""},
    {s_zone, "node-1: expected a name as its zone, got \"a zone\""},
    {s_no_weight, "node-2: expected a weight, or a target when it is joining, got neither"},
    {s_weight, "node-2: expected a weight and a target up to 1000, got 1001 and 100"},
    {s_target, "node-2: expected a weight and a target up to 1000, got 1000 and 1001"},
    {s_no_id, "node-4: expected the id of a store, got none"},
    {s_bits, "node-4: expected some of the 2 types, got the bits 7"},
    {s_names, "expected distinct names, got the member node-4 twice"},
    {s_ids, "expected a store of each member's own, got the store 01000000000000000400000000000000 twice"},
    {s_weights, "expected weights and targets of up to 262144 together, got 300000 and 30000"},
    {s_targets, "expected weights and targets of up to 262144 together, got 30000 and 300000"},
    {s_joining, "expected a member that has a weight and one that stays, got all of them joining"},
    {s_leaving, "expected a member that has a weight and one that stays, got all of them leaving"},
    {s_types, "expected up to 64 placed types, got 65"},
    {s_type_name, "expected the name of an actor, got the type \"a b\""},
    {s_type_replicas, "a: expected up to 15 replicas, got 16"},
    {s_type_twice, "expected distinct types, got $ids twice"},
    {s_no_keepers, "expected an odd number of keepers up to 15, got 0"},
    {s_two_keepers, "expected an odd number of keepers up to 15, got 2"},
    {s_many_keepers, "expected an odd number of keepers up to 15, got 17"},
    {s_unknown_keeper, "expected members as keepers, got the unknown store 01000009000000000100000000000000"},
    {s_keeper_twice, "expected distinct keepers, got node-2 twice"},
    {s_no_replicas, "expected 1 to 15 replicas, got 0"},
    {s_replicas, "expected 1 to 15 replicas, got 16"},
};

static void test_wrong_values (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_wrong / sizeof s_wrong[0]; i++) {
        synod__epoch_t epoch = s_epoch ();
        synod_buf_t packed = {0};
        synod_fault_t fault = {0};
        strcpy (epoch.types[0].name, "a");
        check_ok (synod__epoch_check (&epoch, &fault), fault);
        s_wrong[i].spoil (&epoch);
        check_fault (synod__epoch_check (&epoch, &fault), SYNOD_INVALID, fault, s_wrong[i].words);
        assert_int_equal (synod__epoch_pack (&epoch, &packed, &fault), SYNOD_INVALID);
        assert_int_equal (packed.size, 0);
        synod__epoch_free (&epoch);
    }
}

/* Bytes that a peer could send: the packed value with some bytes changed. */
static void test_wrong_bytes (void **state)
{
    (void) state;
    static const struct {
        const char *find, *put;
        uint32_t size;
        int code;
        const char *words;
    } wrong[] = {
        {"\xa8replicas\x03", "\xa8replicas\x10", 10, SYNOD_INVALID, "1 to 15 replicas, got 16"},
        {"\xa6node-1", "\xa6node-2", 7, SYNOD_INVALID, "got the member node-2 twice"},
        {"\xa6node-1", "\xa6no\0e-1", 7, SYNOD_BAD_REQUEST, "got a text with a zero byte in it"},
        {"\xc4\x10\x01", "\xc4\x0f\x01", 3, SYNOD_BAD_REQUEST, "epoch"},
        {"\xa7keepers\x93", "\xa7keepers\x92", 9, SYNOD_BAD_REQUEST, "epoch"},
        {"\xa5"
         "epoch\x07",
         "\xa5"
         "epoch\x00",
         7, SYNOD_INVALID, "expected an epoch from 1 on"},
        {"\xa5"
         "epoch\x07",
         "\xa5"
         "epoch\xff",
         7, SYNOD_BAD_REQUEST, "epoch"},
        {"\xa4"
         "east\xa6target",
         "\xa4"
         "east\xa6Target",
         12, SYNOD_INVALID, "node-1: expected a weight, or a target"},
        {"\xa4ring\xcd\x12\x34", "\xa4ring\xcd\x00\x00", 8, SYNOD_INVALID, "expected the identity of a ring, got none"},
    };
    synod__epoch_t epoch = s_epoch (), back;
    synod_buf_t packed = {0};
    synod_fault_t fault = {0};
    check_ok (synod__epoch_pack (&epoch, &packed, &fault), fault);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        synod_str_t bytes = check_exact (synod_str_n (packed.data, packed.size));
        char *at = (char *) memmem (bytes.data, bytes.size, wrong[i].find, wrong[i].size);
        if (!at) {
            fail_msg ("the bytes of case %zu are not in it", i);
            continue;
        }
        memcpy (at, wrong[i].put, wrong[i].size);
        check_fault (synod__epoch_unpack (&back, bytes, &fault), wrong[i].code, fault, wrong[i].words);
        assert_null (back.members);
        free ((void *) bytes.data);
    }
    /* any byte changed in any way: refused, or an epoch that makes sense */
    uint64_t random = 42;
    for (uint32_t i = 0; i < 20000; i++) {
        synod_str_t bytes = check_exact (synod_str_n (packed.data, packed.size));
        for (uint32_t j = 0; j <= i % 3; j++)
            ((char *) bytes.data)[check_random (&random) % bytes.size] = (char) check_random (&random);
        if (synod__epoch_unpack (&back, bytes, &fault) == SYNOD_OK)
            check_ok (synod__epoch_check (&back, &fault), fault);
        synod__epoch_free (&back);
        free ((void *) bytes.data);
    }
    synod_buf_free (&packed);
    synod__epoch_free (&epoch);
}

static void test_short_id (void **state)
{
    (void) state;
    static const char bytes[] = "\x86\xa4ring\x01\xa5"
                                "epoch\x01\xaapartitions\x01\xa8replicas\x01"
                                "\xa7members\x91\x83\xa2id\xc4\x02hi\xa4name\xa1n\xa6weight\x01"
                                "\xa7keepers\x91\x81\xa2id\xc4\x02hi";
    synod__epoch_t back;
    synod_fault_t fault = {0};
    check_fault (synod__epoch_unpack (&back, BYTES (bytes), &fault), SYNOD_BAD_REQUEST, fault,
                 "expected 16 bytes as the id of a store, got 2");
}

static void test_next (void **state)
{
    (void) state;
    synod__epoch_t before = s_epoch (), after = s_epoch ();
    synod_fault_t fault = {0};
    check_fault (synod__epoch_check_next (&after, &before, &fault), SYNOD_INVALID, fault,
                 "expected the epoch 8, got 7");
    after.number = 8;
    check_ok (synod__epoch_check_next (&after, &before, &fault), fault);
    after.partitions = 2048;
    check_fault (synod__epoch_check_next (&after, &before, &fault), SYNOD_INVALID, fault,
                 "the number of partitions stays as it is: expected 1024, got 2048");
    after.partitions = 1024;
    after.ring = 0x4321;
    check_fault (synod__epoch_check_next (&after, &before, &fault), SYNOD_INVALID, fault,
                 "expected an epoch of the ring 0000000000001234, got one of 0000000000004321");
    after.ring = 0x1234;
    after.settled = 4;
    check_fault (synod__epoch_check_next (&after, &before, &fault), SYNOD_INVALID, fault,
                 "what is settled stays so: expected 5 or more, got 4");
    after.settled = 7;
    check_ok (synod__epoch_check_next (&after, &before, &fault), fault);
    after.replicas = 19;
    check_fault (synod__epoch_check_next (&after, &before, &fault), SYNOD_INVALID, fault, "got 19");
    synod__epoch_free (&before);
    synod__epoch_free (&after);
}

/* The largest there can be fits a message. */
static void test_large (void **state)
{
    (void) state;
    synod__epoch_t epoch = s_epoch (), back;
    synod_buf_t packed = {0};
    synod_fault_t fault = {0};
    place_members (epoch.members, epoch.nmembers = SYNOD__MEMBERS_MAX);
    epoch.ring = UINT64_MAX;
    epoch.number = SYNOD__EPOCH_MAX;
    epoch.settled = SYNOD__EPOCH_MAX - 1;
    epoch.partitions = SYNOD__PARTITIONS_MAX;
    epoch.nkeepers = SYNOD__KEEPERS_MAX;
    epoch.ntypes = SYNOD__TYPES_MAX;
    for (uint32_t i = 0; i < SYNOD__MEMBERS_MAX; i++) {
        synod__member_t *member = &epoch.members[i];
        snprintf (member->name, sizeof member->name, "%063u", i);
        memset (member->zone, 'z', SYNOD_NAME_MAX);
        member->weight = member->target = SYNOD__WEIGHTS_MAX / SYNOD__MEMBERS_MAX;
        member->types = UINT64_MAX;
        member->down = true;
    }
    for (uint32_t i = 0; i < SYNOD__KEEPERS_MAX; i++)
        epoch.keepers[i] = epoch.members[i].id;
    for (uint32_t i = 0; i < SYNOD__TYPES_MAX; i++) {
        snprintf (epoch.types[i].name, sizeof epoch.types[i].name, "%063u", i);
        epoch.types[i].replicas = SYNOD__REPLICAS_MAX;
    }
    check_ok (synod__epoch_pack (&epoch, &packed, &fault), fault);
    assert_true (packed.size <= SYNOD__EPOCH_BYTES_MAX && SYNOD__EPOCH_BYTES_MAX < SYNOD_BODY_MAX - 8192);
    check_ok (synod__epoch_unpack (&back, synod_str_n (packed.data, packed.size), &fault), fault);
    assert_int_equal (back.nmembers, SYNOD__MEMBERS_MAX);
    assert_memory_equal (back.members, epoch.members, SYNOD__MEMBERS_MAX * sizeof *back.members);
    synod__epoch_free (&back);
    synod_buf_free (&packed);
    synod__epoch_free (&epoch);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_there_and_back), cmocka_unit_test (test_wrong_values),
        cmocka_unit_test (test_wrong_bytes),    cmocka_unit_test (test_short_id),
        cmocka_unit_test (test_next),           cmocka_unit_test (test_large),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
