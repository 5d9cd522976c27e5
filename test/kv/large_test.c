/* SPDX-License-Identifier: MPL-2.0
 *
 * Values in pieces: nobody sees half of one, who reads one reads it to its end, and what was sent for nothing goes.
 */
#include "memory_store.h"

#define PIECE SYNOD__KV_PIECE

/* All that is due by now, and by when there is more. */
static int64_t s_sweep (void)
{
    int64_t next_ms = 0;
    do {
        int rc = synod__kv_sweep (part_step (&the_part), 10, &next_ms);
        if (rc == SYNOD_OK)
            the_part.memory.due_ms = next_ms;
        assert_int_equal (part_done (&the_part, rc), SYNOD_OK);
    } while (next_ms <= the_part.now_ms);
    return next_ms;
}

static void test_sizes (void **state)
{
    (void) state;
    static const uint64_t sizes[] = {1, PIECE, PIECE + 1, 5 * PIECE, SYNOD__KV_VALUE_MAX - 1, SYNOD__KV_VALUE_MAX};
    for (uint32_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal (part_put_large (&the_part, "a", i + 1, sizes[i], i), SYNOD_OK);
        part_holds_large (&the_part, "a", sizes[i], i);
    }
    part_reload (&the_part);
    part_holds_large (&the_part, "a", SYNOD__KV_VALUE_MAX, 5);
}

/* Who was told of a value that was replaced reads that one, for a minute. */
static void test_replaced (void **state)
{
    (void) state;
    part_put_large (&the_part, "a", 1, 3 * PIECE, 1);
    part_put_large (&the_part, "a", 2, 2 * PIECE, 2);
    part_reads (&the_part, 1, 3 * PIECE, 1);
    part_holds_large (&the_part, "a", 2 * PIECE, 2);
    part_do (&the_part, put, "a", .data = synod_str ("small"), .old = true);
    assert_true (the_part.step.is.old_upload == 2 && the_part.step.is.old_size == 2 * PIECE);
    part_reads (&the_part, 2, 2 * PIECE, 2);
    the_part.now_ms += SYNOD__KV_GRACE_MS - 1;
    s_sweep ();
    part_reads (&the_part, 1, 3 * PIECE, 1);
    the_part.now_ms++;
    part_reload (&the_part);
    assert_true (s_sweep () == SYNOD__KV_NEVER);
    assert_int_equal (the_part.store.count, 1);
    synod__kv_piece_is_t out;
    assert_int_equal (
        part_done (&the_part, synod__kv_piece (part_step (&the_part), &(synod__kv_piece_t){.upload = 1}, &out)),
        SYNOD_NOT_FOUND);
}

/* A put that was broken off: the old value stays, what was sent is removed. */
static void test_broken_off (void **state)
{
    (void) state;
    static const char piece[PIECE];
    part_do (&the_part, put, "a", .data = synod_str ("old"));
    for (uint64_t i = 0; i < 3; i++)
        part_done (&the_part, synod__kv_upload (
                                  part_step (&the_part),
                                  &(synod__kv_upload_t){.upload = 9, .number = i, .data = synod_str_n (piece, PIECE)}));
    assert_int_equal (part_do (&the_part, put, "a", .upload = 9, .size = 4 * PIECE), SYNOD_REFUSED);
    assert_int_equal (part_do (&the_part, put, "a", .upload = 8, .size = 3 * PIECE), SYNOD_REFUSED);
    part_holds (&the_part, "a", "old");
    the_part.now_ms += SYNOD__KV_GRACE_MS;
    s_sweep ();
    assert_int_equal (the_part.store.count, 1);
    assert_int_equal (part_do (&the_part, put, "a", .upload = 9, .size = 3 * PIECE), SYNOD_REFUSED);
    part_holds (&the_part, "a", "old");
}

static void test_refused (void **state)
{
    (void) state;
    static const char piece[PIECE];
    static const struct {
        uint64_t upload, number;
        uint32_t size;
    } wrong[] = {{0, 0, 10}, {3, 1, PIECE}, {3, 0, 0}, {1, 2, 10}, {1, 0, 10}, {1, 1, 10}};
    part_done (&the_part, synod__kv_upload (part_step (&the_part),
                                            &(synod__kv_upload_t){.upload = 1, .data = synod_str_n (piece, 10)}));
    for (uint32_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const synod__kv_upload_t in = {wrong[i].upload, wrong[i].number, synod_str_n (piece, wrong[i].size), 0};
        assert_int_equal (part_done (&the_part, synod__kv_upload (part_step (&the_part), &in)), SYNOD_REFUSED);
    }
    assert_int_equal (part_do (&the_part, put, "a", .upload = 1, .size = 10), SYNOD_OK);
    const synod__kv_upload_t taken = {.upload = 1, .data = synod_str_n (piece, 10)}; /* it is a value now */
    assert_int_equal (part_done (&the_part, synod__kv_upload (part_step (&the_part), &taken)), SYNOD_REFUSED);
    assert_int_equal (part_do (&the_part, put, "a", .upload = 1, .size = 10), SYNOD_REFUSED);
    assert_int_equal (part_do (&the_part, incr, "a", .delta = 1), SYNOD_REFUSED);
    the_part.most = 100;
    const synod__kv_upload_t large = {.upload = 5, .data = synod_str_n (piece, PIECE)};
    assert_int_equal (part_done (&the_part, synod__kv_upload (part_step (&the_part), &large)), SYNOD_FULL);
}

/* What is kept grows by appends, and who was told of it before reads what it was then. */
static void test_append (void **state)
{
    (void) state;
    char data[PIECE];
    uint64_t size = 0;
    for (uint32_t step = 0; size < SYNOD__KV_VALUE_MAX; step++) {
        uint64_t before = size, number = 0;
        if (before) {
            part_do (&the_part, get, "a", 0);
            number = the_part.step.is.upload;
        }
        uint32_t part = 1 + step * 7919 % PIECE;
        part = part > SYNOD__KV_VALUE_MAX - size ? (uint32_t) (SYNOD__KV_VALUE_MAX - size) : part;
        for (uint32_t i = 0; i < part; i++)
            data[i] = (char) ((3 + (size + i) / 1000) % 251);
        assert_int_equal (part_do (&the_part, append, "a", .data = synod_str_n (data, part)), SYNOD_OK);
        size += part;
        if (number)
            part_reads (&the_part, number, before, 3);
        if (size > PIECE)
            part_holds_large (&the_part, "a", size, 3);
        if (step == 9)
            part_reload (&the_part);
    }
    assert_int_equal (part_do (&the_part, append, "a", .data = synod_str ("x")), SYNOD_TOO_LARGE);
    part_holds_large (&the_part, "a", size, 3);
    part_do (&the_part, delete, "a", 0);
    the_part.now_ms += SYNOD__KV_GRACE_MS;
    s_sweep ();
    assert_int_equal (the_part.store.count, 0);
}

static void test_expired (void **state)
{
    (void) state;
    part_put_large (&the_part, "a", 1, 2 * PIECE, 1);
    part_do (&the_part, expire, "a", .ttl_ms = 10);
    part_put_large (&the_part, "b", 2, 2 * PIECE, 1);
    the_part.now_ms += 10;
    assert_int_equal (s_sweep (), the_part.now_ms + SYNOD__KV_GRACE_MS);
    part_holds (&the_part, "a", NULL);
    part_do (&the_part, put, "b", .data = synod_str ("x"), .until_ms = 1); /* over at once */
    the_part.now_ms += SYNOD__KV_GRACE_MS;
    s_sweep ();
    assert_int_equal (the_part.store.count, 0);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (test_##name, part_setup, part_teardown)
    const struct CMUnitTest tests[] = {TEST (sizes),   TEST (replaced), TEST (broken_off),
                                       TEST (refused), TEST (append),   TEST (expired)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
