/* SPDX-License-Identifier: MPL-2.0
 *
 * The ring: how even it is, what moves, who the replicas are. Counts alone; bench/ring_table.c has the times.
 */
#include "place_test.h"

#define SETS  200 /* of random names */
#define NODES 10
#define SEED  20260117u

static uint64_t s_random = SEED;

static void s_random_members (synod__member_t *members, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[24];
        snprintf (name, sizeof name, "%llx", (unsigned long long) check_random (&s_random));
        members[i] = place_member (name, i);
    }
}

static bool s_holds (const synod__ring_t *ring, uint32_t partition, uint32_t member)
{
    for (uint32_t i = 0; i < ring->copies; i++)
        if (synod__ring_replicas (ring, partition)[i] == member)
            return true;
    return false;
}

static void test_even_and_still (void **state)
{
    (void) state;
    synod__member_t members[NODES + 1];
    const uint32_t partitions = SYNOD__PARTITIONS;
    for (uint32_t set = 0; set < SETS; set++) {
        s_random_members (members, NODES + 1);
        synod__ring_t *ring = place_ring (members, NODES, partitions, 1);
        synod__ring_t *grown = place_ring (members, NODES + 1, partitions, 1);
        uint32_t owned[NODES] = {0}, taken = 0;
        for (uint32_t p = 0; p < partitions; p++) {
            owned[ring->owner[p]]++;
            if (grown->owner[p] == NODES)
                taken++;
            else
                assert_int_equal (grown->owner[p], ring->owner[p]);
        }
        for (uint32_t i = 0; i < NODES; i++)
            if (owned[i] * 100ull * NODES > 110ull * partitions)
                fail_msg ("set %u: %s owns %u of %u partitions", set, members[i].name, owned[i], partitions);
        if (taken * 1100ull < 85ull * partitions || taken * 1100ull > 115ull * partitions)
            fail_msg ("set %u: the eleventh took %u of %u partitions", set, taken, partitions);
        synod__ring_destroy (&ring);
        synod__ring_destroy (&grown);
    }
}

/* Copies too: who is new gets some, and no old member gets one for it; zones or none. */
static void test_joining_moves_to_the_joiner (void **state)
{
    (void) state;
    enum { MOST = 12 };
    for (uint32_t round = 0; round < 300; round++) {
        synod__member_t members[MOST];
        uint32_t count = 1 + (uint32_t) (check_random (&s_random) % (MOST - 1));
        uint32_t zones = (uint32_t) (check_random (&s_random) % 5);
        s_random_members (members, MOST);
        for (uint32_t i = 0; i < MOST; i++) {
            members[i].weight = 1 + (uint32_t) (check_random (&s_random) % 300);
            members[i].down = check_random (&s_random) % 6 == 0;
            if (zones)
                snprintf (members[i].zone, sizeof members[i].zone, "z%u",
                          (unsigned) (check_random (&s_random) % zones));
        }
        members[count].down = false;
        synod__ring_t *ring = place_ring (members, count, 1024, 1 + round % 5);
        synod__ring_t *grown = place_ring (members, count + 1, 1024, 1 + round % 5);
        for (uint32_t p = 0; p < 1024; p++) {
            for (uint32_t i = 0; i < count; i++)
                if (s_holds (grown, p, i) && !s_holds (ring, p, i))
                    fail_msg ("round %u: partition %u came to %s, who is not new", round, p, members[i].name);
            bool all_down = true;
            for (uint32_t i = 0; i < ring->copies; i++)
                all_down = all_down && members[synod__ring_replicas (ring, p)[i]].down;
            if (!all_down && grown->owner[p] != count)
                assert_int_equal (grown->owner[p], ring->owner[p]);
        }
        synod__ring_destroy (&ring);
        synod__ring_destroy (&grown);
    }
}

/* The rule as SPEC.md words it, point by point, for every partition. */
static void s_check_by_the_rule (const synod__member_t *members, uint32_t count, const synod__ring_t *ring)
{
    for (uint32_t p = 0; p < synod__ring_partitions (ring); p++) {
        uint64_t from = (uint64_t) p << (64 - ring->bits);
        uint64_t nearest[8], order[8];
        assert_true (count <= 8);
        for (uint32_t i = 0; i < count; i++) {
            nearest[i] = UINT64_MAX;
            for (uint32_t v = 0; v < members[i].weight * SYNOD__POINTS_PER_WEIGHT; v++) {
                uint64_t way = synod__ring_point (synod_str (members[i].name), v) - from; /* round the ring */
                nearest[i] = way < nearest[i] ? way : nearest[i];
            }
            order[i] = i;
        }
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t j = i + 1; j < count; j++)
                if (nearest[order[j]] < nearest[order[i]]) {
                    uint64_t swap = order[i];
                    order[i] = order[j];
                    order[j] = swap;
                }
        uint32_t found = 0;
        uint64_t want[8];
        bool used[8] = {false};
        for (uint32_t pass = 0; pass < 2; pass++)
            for (uint32_t i = 0; i < count && found < ring->copies; i++) {
                const char *zone = members[order[i]].zone;
                bool taken = used[i];
                for (uint32_t j = 0; j < found && pass == 0; j++)
                    taken = taken || (*zone && strcmp (zone, members[want[j]].zone) == 0);
                if (!taken) {
                    used[i] = true;
                    want[found++] = order[i];
                }
            }
        assert_int_equal (found, ring->copies);
        for (uint32_t i = 0; i < found; i++)
            assert_int_equal (synod__ring_replicas (ring, p)[i], want[i]);
    }
}

static void test_the_rule (void **state)
{
    (void) state;
    synod__member_t members[8];
    for (uint32_t round = 0; round < 40; round++) {
        uint32_t count = 1 + round % 8, zones = round % 4;
        s_random_members (members, count);
        for (uint32_t i = 0; i < count; i++) {
            members[i].weight = 1 + (uint32_t) (check_random (&s_random) % 20);
            if (zones && check_random (&s_random) % 4)
                snprintf (members[i].zone, sizeof members[i].zone, "z%u",
                          (unsigned) (check_random (&s_random) % zones));
        }
        synod__ring_t *ring = place_ring (members, count, 64, 1 + round % 5);
        s_check_by_the_rule (members, count, ring);
        synod__ring_destroy (&ring);
    }
}

/* What begins at a place on the ring has the same holders, however many partitions there are: few are found otherwise. */
static void test_few_as_many (void **state)
{
    (void) state;
    synod__member_t members[8];
    for (uint32_t round = 0; round < 16; round++) {
        uint32_t count = 1 + round % 8;
        s_random_members (members, count);
        for (uint32_t i = 0; i < count; i++) {
            members[i].weight = 1 + (uint32_t) (check_random (&s_random) % 100);
            members[i].down = check_random (&s_random) % 4 == 0;
            if (round % 2)
                snprintf (members[i].zone, sizeof members[i].zone, "z%u", (unsigned) (check_random (&s_random) % 3));
        }
        synod__ring_t *few = place_ring (members, count, 1u << round % 8, 3);
        synod__ring_t *many = place_ring (members, count, 65536, 3);
        for (uint32_t p = 0; p < synod__ring_partitions (few); p++) {
            uint32_t same = p << (many->bits - few->bits);
            assert_memory_equal (synod__ring_replicas (few, p), synod__ring_replicas (many, same),
                                 few->copies * sizeof (uint16_t));
            assert_int_equal (few->owner[p], many->owner[same]);
        }
        synod__ring_destroy (&few);
        synod__ring_destroy (&many);
    }
}

static void test_distinct_members_and_zones (void **state)
{
    (void) state;
    synod__member_t members[9];
    place_members (members, 9);
    for (uint32_t i = 0; i < 9; i++)
        snprintf (members[i].zone, sizeof members[i].zone, "zone-%u", i < 6 ? 0 : i - 5); /* of 0, 1, 2, 3 */
    for (uint32_t replicas = 1; replicas <= 9; replicas++) {
        synod__ring_t *ring = place_ring (members, 9, 1024, replicas);
        assert_int_equal (ring->copies, replicas);
        for (uint32_t p = 0; p < 1024; p++) {
            const uint16_t *replica = synod__ring_replicas (ring, p);
            uint32_t seen = 0, zones = 0;
            for (uint32_t i = 0; i < replicas; i++) {
                assert_int_equal (seen & 1u << replica[i], 0);
                seen |= 1u << replica[i];
                zones |= 1u << (replica[i] < 6 ? 0 : replica[i] - 5);
            }
            assert_int_equal (__builtin_popcount (zones), replicas < 4 ? replicas : 4);
        }
        synod__ring_destroy (&ring);
    }
}

static void test_order_does_not_matter (void **state)
{
    (void) state;
    synod__member_t members[20], mixed[20];
    place_members (members, 20);
    for (uint32_t i = 0; i < 20; i++) {
        members[i].weight = 10 + i;
        snprintf (members[i].zone, sizeof members[i].zone, "z%u", i % 3);
    }
    for (uint32_t i = 0; i < 20; i++)
        mixed[i] = members[(i * 7 + 3) % 20];
    synod__ring_t *ring = place_ring (members, 20, SYNOD__PARTITIONS, 4);
    synod__ring_t *other = place_ring (mixed, 20, SYNOD__PARTITIONS, 4);
    for (uint32_t p = 0; p < SYNOD__PARTITIONS; p++)
        for (uint32_t i = 0; i < 4; i++)
            assert_string_equal (members[synod__ring_replicas (ring, p)[i]].name,
                                 mixed[synod__ring_replicas (other, p)[i]].name);
    synod__ring_destroy (&ring);
    synod__ring_destroy (&other);
}

static void test_weights (void **state)
{
    (void) state;
    synod__member_t members[4];
    place_members (members, 4);
    members[0].weight = 50;
    members[1].weight = 100;
    members[2].weight = 200;
    members[3].weight = 450;
    synod__ring_t *ring = place_ring (members, 4, SYNOD__PARTITIONS_MAX, 1);
    uint32_t owned[4] = {0};
    for (uint32_t p = 0; p < SYNOD__PARTITIONS_MAX; p++)
        owned[ring->owner[p]]++;
    for (uint32_t i = 0; i < 4; i++) {
        double fair = SYNOD__PARTITIONS_MAX * members[i].weight / 800.0;
        assert_true (owned[i] > 0.88 * fair && owned[i] < 1.12 * fair);
    }
    synod__ring_destroy (&ring);
}

static void s_same_table (const synod__ring_t *ring, const synod__member_t *members, const synod__ring_t *other,
                          const synod__member_t *others)
{
    assert_int_equal (ring->copies, other->copies);
    for (uint32_t p = 0; p < synod__ring_partitions (ring); p++) {
        assert_string_equal (members[ring->owner[p]].name, others[other->owner[p]].name);
        for (uint32_t i = 0; i < ring->copies; i++)
            assert_string_equal (members[synod__ring_replicas (ring, p)[i]].name,
                                 others[synod__ring_replicas (other, p)[i]].name);
    }
}

/* One that joins holds nothing yet, one that leaves everything still; the table of the targets is the other way. */
static void test_targets (void **state)
{
    (void) state;
    synod__member_t members[5], now[4], then[4];
    synod__ring_rule_t rule = {.partitions = 1024, .replicas = 3, .target = true};
    place_members (members, 5);
    memcpy (now, members, sizeof now);
    memcpy (then, members + 1, sizeof then);
    members[0].target = 0; /* leaves */
    members[4].weight = 0; /* joins */
    members[2].target = then[1].weight = 300;
    synod__ring_t *is = place_ring (members, 5, 1024, 3), *expected = place_ring (now, 4, 1024, 3);
    s_same_table (is, members, expected, now);
    synod__ring_destroy (&is);
    synod__ring_destroy (&expected);
    is = synod__ring_new (members, 5, &rule);
    assert_non_null (is);
    expected = place_ring (then, 4, 1024, 3);
    s_same_table (is, members, expected, then);
    synod__ring_destroy (&is);
    synod__ring_destroy (&expected);
    /* nobody has a weight */
    members[4].types = 1;
    rule = (synod__ring_rule_t){.partitions = 16, .replicas = 3, .types = 1};
    is = synod__ring_new (members, 5, &rule);
    assert_non_null (is);
    assert_int_equal (is->copies, 0);
    assert_int_equal (is->owner[15], SYNOD__NOBODY);
    synod__ring_destroy (&is);
}

/* What one table has of another is what it would be if it were made: marks, and targets that are reached. Any other
 * change makes it another. */
static void test_again (void **state)
{
    (void) state;
    synod__member_t was[5], is[5];
    synod__ring_rule_t rule = {.partitions = 1024, .replicas = 3, .types = 2}, target = rule;
    target.target = true;
    place_members (was, 5);
    for (int i = 0; i < 5; i++)
        was[i].types = i == 4 ? 1 : 2;
    was[3].target = 300;
    memcpy (is, was, sizeof is);
    is[0].down = is[2].down = true;
    is[3].weight = 300;
    is[4].weight = 7; /* it is not of the type */
    synod__ring_t *before = synod__ring_new (was, 5, &rule), *then = synod__ring_new (was, 5, &target);
    synod__ring_t *now = synod__ring_new (is, 5, &rule);
    assert_true (before && then && now);
    synod__ring_t *again = synod__ring_again (then, was, &target, is, 5, &rule);
    assert_non_null (again);
    s_same_table (again, is, now, is);
    assert_null (synod__ring_again (before, was, &rule, is, 5, &rule));
    assert_null (synod__ring_again (now, is, &rule, is, 4, &rule));
    for (int change = 0; change < 4; change++) {
        synod__member_t other[5];
        synod__ring_rule_t another = rule;
        memcpy (other, is, sizeof other);
        if (change == 0)
            other[1].types = 4;
        else if (change == 1)
            snprintf (other[1].zone, sizeof other[1].zone, "z");
        else if (change == 2)
            snprintf (other[1].name, sizeof other[1].name, "other");
        else
            another.replicas = 2;
        assert_null (synod__ring_again (now, is, &rule, other, 5, &another));
    }
    synod__ring_destroy (&before);
    synod__ring_destroy (&then);
    synod__ring_destroy (&now);
    synod__ring_destroy (&again);
}

static void test_down_and_types (void **state)
{
    (void) state;
    synod__member_t members[5];
    place_members (members, 5);
    synod__ring_t *all = place_ring (members, 5, 1024, 3);
    members[1].down = members[4].down = true;
    synod__ring_t *ring = place_ring (members, 5, 1024, 3);
    uint32_t second = 0;
    for (uint32_t p = 0; p < 1024; p++) {
        const uint16_t *replica = synod__ring_replicas (ring, p);
        /* a mark moves no copy */
        assert_memory_equal (replica, synod__ring_replicas (all, p), 3 * sizeof *replica);
        uint32_t up = 0;
        while (members[replica[up]].down)
            up++;
        second += up > 0;
        assert_int_equal (ring->owner[p], replica[up]);
    }
    assert_true (second > 0);
    synod__ring_destroy (&ring);
    for (uint32_t i = 0; i < 5; i++)
        members[i].down = true;
    ring = place_ring (members, 5, 1024, 3);
    for (uint32_t p = 0; p < 1024; p++)
        assert_int_equal (ring->owner[p], synod__ring_replicas (ring, p)[0]);
    synod__ring_destroy (&ring);

    members[2].types = 2;
    members[3].types = 6;
    members[0].types = 1;
    synod__ring_rule_t rule = {.partitions = 1024, .replicas = 3, .types = 2};
    ring = synod__ring_new (members, 5, &rule);
    assert_int_equal (ring->copies, 2); /* no more run it */
    for (uint32_t p = 0; p < 1024; p++)
        assert_int_equal (synod__ring_replicas (ring, p)[0] + synod__ring_replicas (ring, p)[1], 5);
    synod__ring_destroy (&ring);
    rule.types = 8;
    ring = synod__ring_new (members, 5, &rule);
    assert_int_equal (ring->copies, 0);
    assert_int_equal (ring->owner[77], SYNOD__NOBODY);
    synod__ring_destroy (&ring);
    assert_null (ring);
    synod__ring_destroy (&all);
}

static void test_keys_and_sizes (void **state)
{
    (void) state;
    synod__member_t members[SYNOD__MEMBERS_MAX];
    place_members (members, SYNOD__MEMBERS_MAX);
    uint32_t seen[16] = {0};
    synod__ring_t *small = place_ring (members, 1, 16, 3);
    synod__ring_t *one = place_ring (members, 3, 1, 3);
    assert_int_equal (small->copies, 1);
    for (uint32_t i = 0; i < 16000; i++) {
        char key[24];
        int size = snprintf (key, sizeof key, "key-%u", i);
        uint32_t partition = synod__ring_partition (small, synod_str_n (key, (size_t) size));
        assert_true (partition < 16);
        seen[partition]++;
        assert_int_equal (synod__ring_partition (one, synod_str_n (key, (size_t) size)), 0);
    }
    for (uint32_t p = 0; p < 16; p++)
        assert_true (seen[p] > 800 && seen[p] < 1200);
    synod__ring_destroy (&small);
    synod__ring_destroy (&one);
    /* the largest ring: more points in a slot than insertion sorts */
    for (uint32_t i = 0; i < SYNOD__MEMBERS_MAX; i++)
        members[i].weight = SYNOD__WEIGHTS_MAX / SYNOD__MEMBERS_MAX;
    synod__ring_t *large = place_ring (members, SYNOD__MEMBERS_MAX, 1024, 3);
    uint32_t held = 0;
    for (uint32_t i = 0; i < SYNOD__MEMBERS_MAX; i++)
        for (uint32_t p = 0; p < 1024; p++)
            held += s_holds (large, p, i);
    assert_int_equal (held, 3 * 1024);
    synod__ring_destroy (&large);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_even_and_still),
        cmocka_unit_test (test_joining_moves_to_the_joiner),
        cmocka_unit_test (test_the_rule),
        cmocka_unit_test (test_few_as_many),
        cmocka_unit_test (test_distinct_members_and_zones),
        cmocka_unit_test (test_order_does_not_matter),
        cmocka_unit_test (test_weights),
        cmocka_unit_test (test_targets),
        cmocka_unit_test (test_again),
        cmocka_unit_test (test_down_and_types),
        cmocka_unit_test (test_keys_and_sizes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
