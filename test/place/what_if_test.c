/* SPDX-License-Identifier: MPL-2.0
 *
 * What moves between two tables, against counting by hand.
 */
#include "place_test.h"

#define PARTITIONS 4096

typedef struct {
    synod__member_t before[8], after[8];
    uint32_t nbefore, nafter;
    synod__what_if_t what;
} pair_t;

static void s_compare (pair_t *self, uint32_t replicas)
{
    synod__ring_t *before = place_ring (self->before, self->nbefore, PARTITIONS, replicas);
    synod__ring_t *after = place_ring (self->after, self->nafter, PARTITIONS, replicas);
    synod_fault_t fault = {0};
    check_ok (synod__what_if ((synod__placed_t){before, self->before}, (synod__placed_t){after, self->after},
                              &self->what, &fault),
              fault);
    /* by names, which these tests keep to their store ids unless they say else */
    uint32_t owners = 0, copies = 0;
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        const synod__member_t *owner = &self->after[after->owner[p]];
        owners += synod__store_id_compare (&owner->id, &self->before[before->owner[p]].id) != 0;
        for (uint32_t i = 0; i < after->copies; i++) {
            const synod__member_t *holder = &self->after[synod__ring_replicas (after, p)[i]];
            bool had = false;
            for (uint32_t j = 0; j < before->copies; j++)
                had = had ||
                      synod__store_id_compare (&holder->id, &self->before[synod__ring_replicas (before, p)[j]].id) == 0;
            copies += !had;
        }
    }
    assert_int_equal (self->what.owners_moved, owners);
    assert_int_equal (self->what.copies_moved, copies);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < self->nbefore; i++)
        sum += self->what.owned_before[i];
    assert_int_equal (sum, PARTITIONS);
    sum = 0;
    for (uint32_t i = 0; i < self->nafter; i++)
        sum += self->what.held_after[i];
    assert_int_equal (sum, PARTITIONS * after->copies);
    synod__ring_destroy (&before);
    synod__ring_destroy (&after);
}

static void test_join (void **state)
{
    (void) state;
    pair_t pair = {.nbefore = 5, .nafter = 6};
    place_members (pair.before, 5);
    place_members (pair.after, 6);
    s_compare (&pair, 1);
    assert_int_equal (pair.what.nowners, 5); /* from each of the five, to the sixth */
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 5; i++) {
        const synod__move_t *move = &pair.what.owners[i];
        assert_int_equal (move->to, 5);
        assert_int_equal (pair.what.owned_before[move->from] - move->partitions, pair.what.owned_after[move->from]);
        if (i)
            assert_true (move->partitions <= pair.what.owners[i - 1].partitions);
        sum += move->partitions;
    }
    assert_int_equal (sum, pair.what.owned_after[5]);
    assert_int_equal (sum, pair.what.owners_moved);
    synod__what_if_free (&pair.what);
    s_compare (&pair, 3);
    for (uint32_t i = 0; i < pair.what.ncopies; i++)
        assert_int_equal (pair.what.copies[i].to, 5);
    assert_int_equal (pair.what.copies_moved, pair.what.held_after[5]);
    synod__what_if_free (&pair.what);
}

static void test_leave_and_nothing (void **state)
{
    (void) state;
    pair_t pair = {.nbefore = 6, .nafter = 5};
    place_members (pair.before, 6);
    for (uint32_t i = 0; i < 5; i++)
        pair.after[i] = pair.before[5 - i]; /* in another order, and without the first */
    s_compare (&pair, 1);
    for (uint32_t i = 0; i < pair.what.nowners; i++)
        assert_int_equal (pair.what.owners[i].from, 0);
    assert_int_equal (pair.what.owners_moved, pair.what.owned_before[0]);
    synod__what_if_free (&pair.what);
    memcpy (pair.before, pair.after, sizeof pair.before);
    pair.nbefore = 5;
    s_compare (&pair, 3);
    assert_int_equal (pair.what.owners_moved + pair.what.copies_moved + pair.what.nowners + pair.what.ncopies, 0);
    synod__what_if_free (&pair.what);
}

/* The same name with another store: everything it held is copied again, and its place is the same. */
static void test_wiped (void **state)
{
    (void) state;
    pair_t pair = {.nbefore = 4, .nafter = 4};
    place_members (pair.before, 4);
    place_members (pair.after, 4);
    pair.after[2].id.bytes[15] ^= 0x80;
    s_compare (&pair, 2);
    assert_int_equal (pair.what.nowners, 1);
    assert_int_equal (pair.what.owners[0].from, 2);
    assert_int_equal (pair.what.owners[0].to, 2);
    assert_int_equal (pair.what.copies_moved, pair.what.held_before[2]);
    assert_int_equal (pair.what.held_after[2], pair.what.held_before[2]);
    synod__what_if_free (&pair.what);
}

static void test_other_partitions (void **state)
{
    (void) state;
    synod__member_t members[2];
    place_members (members, 2);
    synod__ring_t *before = place_ring (members, 2, 64, 1), *after = place_ring (members, 2, 128, 1);
    synod__what_if_t what;
    synod_fault_t fault = {0};
    check_fault (synod__what_if ((synod__placed_t){before, members}, (synod__placed_t){after, members}, &what, &fault),
                 SYNOD_INVALID, fault, "the number of partitions stays as it is: expected 64, got 128");
    synod__ring_destroy (&before);
    synod__ring_destroy (&after);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_join),
        cmocka_unit_test (test_leave_and_nothing),
        cmocka_unit_test (test_wiped),
        cmocka_unit_test (test_other_partitions),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
