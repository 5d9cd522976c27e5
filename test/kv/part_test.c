/* SPDX-License-Identifier: MPL-2.0
 *
 * A partition as a whole: scans tell every key once and in order, sweeps go in portions.
 */
#include <stdio.h>
#include "memory_store.h"

/* Scans in steps of LIMIT; returns how many keys, each of them behind the one before it. */
static uint32_t s_count (const char *prefix, uint32_t limit, bool values, uint32_t *steps)
{
    char last[SYNOD_KEY_MAX] = "", after[SYNOD_KEY_MAX];
    uint32_t last_size = 0, count = 0;
    synod_buf_t items = {0};
    synod__kv_part_t in = {.prefix = synod_str (prefix), .limit = limit, .values = values};
    *steps = 0;
    do {
        synod__kv_part_is_t out = {0};
        synod__kv_entry_t entry;
        in.after = synod_str_n (last, last_size);
        assert_int_equal (part_done (&the_part, synod__kv_part (part_step (&the_part), &in, &items, after, &out)),
                          SYNOD_OK);
        assert_true (out.entries.count <= limit);
        assert_true (items.size < 200 * 1024);
        while (synod_list_next (&out.entries, &synod__kv_entry_record, &entry)) {
            assert_true (entry.key.size >= strlen (prefix) && memcmp (entry.key.data, prefix, strlen (prefix)) == 0);
            assert_true (!values || entry.data.size == entry.size);
            count++;
        }
        ++*steps;
        last_size = out.after.size;
        if (last_size) {
            assert_true (memcmp (last, after, last_size) < 0 || !*last);
            memcpy (last, after, last_size);
        }
    } while (last_size);
    synod_buf_free (&items);
    return count;
}

static void test_scan (void **state)
{
    uint32_t steps;
    (void) state;
    assert_int_equal (s_count ("", 10, false, &steps), 0);
    for (int i = 0; i < 1000; i++) {
        char key[32];
        snprintf (key, sizeof key, "%s%04d", i % 2 ? "apple-" : "pear-", i);
        part_do (&the_part, put, key, .data = synod_str ("value"), .ttl_ms = i % 10 ? 0 : 5, .fence = i % 20 == 0);
    }
    assert_int_equal (s_count ("", 1000, false, &steps), 1000);
    assert_int_equal (steps, 1);
    assert_int_equal (s_count ("", 7, true, &steps), 1000);
    assert_int_equal (s_count ("apple-", 100, false, &steps), 500);
    assert_int_equal (s_count ("apple-00", 3, false, &steps), 50);
    assert_int_equal (s_count ("q", 3, false, &steps), 0);
    the_part.now_ms += 5;
    assert_int_equal (s_count ("pear-", 10, false, &steps), 400); /* over their deadline */
}

/* An answer has a bound in bytes too. */
static void test_scan_large (void **state)
{
    static char value[SYNOD__KV_PIECE];
    uint32_t steps;
    (void) state;
    for (int i = 0; i < 20; i++) {
        char key[8];
        snprintf (key, sizeof key, "k%02d", i);
        part_do (&the_part, put, key, .data = synod_str_n (value, sizeof value));
    }
    assert_int_equal (s_count ("", 1000, true, &steps), 20);
    assert_true (steps >= 10);
    assert_int_equal (s_count ("", 1000, false, &steps), 20);
    assert_int_equal (steps, 1);
}

/* A step's cursor behind a key that does not begin with the prefix. */
static void test_cursor (void **state)
{
    char after[SYNOD_KEY_MAX];
    synod_buf_t items = {0};
    static const struct {
        const char *after;
        uint32_t count;
    } known[] = {{"", 3}, {"a", 3}, {"b", 3}, {"b1", 2}, {"b15", 2}, {"b3", 0}, {"bb", 0}, {"c", 0}};
    (void) state;
    part_do (&the_part, put, "a1", .data = synod_str ("x"));
    part_do (&the_part, put, "b1", .data = synod_str ("x"));
    part_do (&the_part, put, "b2", .data = synod_str ("x"));
    part_do (&the_part, put, "b3", .data = synod_str ("x"));
    part_do (&the_part, put, "c1", .data = synod_str ("x"));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        synod__kv_part_is_t out = {0};
        const synod__kv_part_t in = {.prefix = synod_str ("b"), .after = synod_str (known[i].after)};
        part_done (&the_part, synod__kv_part (part_step (&the_part), &in, &items, after, &out));
        if (out.entries.count != known[i].count)
            fail_msg ("behind %s: expected %u, got %u", known[i].after, known[i].count, out.entries.count);
        assert_int_equal (out.after.size, 0);
    }
    synod_buf_free (&items);
}

static void test_sweep (void **state)
{
    int64_t next_ms = 0;
    uint32_t steps = 0;
    (void) state;
    for (int i = 0; i < 300; i++) {
        char key[8];
        snprintf (key, sizeof key, "k%03d", i);
        part_do (&the_part, put, key, .data = synod_str ("x"), .ttl_ms = 1 + (uint64_t) i / 100, .fence = i == 7);
    }
    part_do (&the_part, put, "stays", .data = synod_str ("x"));
    the_part.now_ms += 2;
    do {
        int rc = synod__kv_sweep (part_step (&the_part), 1000, &next_ms);
        assert_true (the_part.step.expired <= 64);
        the_part.memory.due_ms = next_ms;
        assert_int_equal (part_done (&the_part, rc), SYNOD_OK);
        steps++;
    } while (next_ms <= the_part.now_ms);
    assert_int_equal (next_ms, the_part.now_ms + 1);
    assert_true (steps >= 4);
    assert_int_equal (the_part.memory.keys, 101);
    part_reload (&the_part);
    assert_int_equal (the_part.memory.due_ms, the_part.now_ms + 1);
    the_part.now_ms++;
    int rc = synod__kv_sweep (part_step (&the_part), 1, &next_ms);
    assert_true (the_part.step.changed && synod_str_is (the_part.step.change.what, "expired") &&
                 synod_str_is (the_part.step.change.key, "k200"));
    the_part.memory.due_ms = next_ms;
    assert_int_equal (part_done (&the_part, rc), SYNOD_OK);
    part_do (&the_part, put, "k007", .data = synod_str ("x"), .fence = 0);
    assert_int_equal (the_part.step.is.fence, 1);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (test_##name, part_setup, part_teardown)
    const struct CMUnitTest tests[] = {TEST (scan), TEST (scan_large), TEST (cursor), TEST (sweep)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
