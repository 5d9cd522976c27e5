/* SPDX-License-Identifier: MPL-2.0
 *
 * Commands on a key: what each does, and what it refuses with everything left as it was.
 */
#include <stdio.h>
#include "memory_store.h"

#define DO(name, key, ...) assert_int_equal (part_do (&the_part, name, key, __VA_ARGS__), SYNOD_OK)
#define WHY(word)          assert_true (!the_part.step.is.done && synod_str_is (the_part.step.is.why, word))
#define DONE()             assert_true (the_part.step.is.done && !the_part.step.is.why.size)
#define FAULT(error, words)                                                   \
    do {                                                                      \
        assert_int_equal (the_part.step.fault.code, error);                   \
        if (!strstr (the_part.step.fault.text, words))                        \
            fail_msg ("expected %s in: %s", words, the_part.step.fault.text); \
    } while (0)
#define TEXT(text) .data = synod_str (text)

static void test_put (void **state)
{
    (void) state;
    part_holds (&the_part, "a", NULL);
    assert_true (the_part.step.is.version == 0);
    DO (put, "a", TEXT ("one"));
    DONE ();
    uint64_t first = the_part.step.is.version;
    assert_true (!the_part.step.is.had && the_part.step.is.size == 3);
    part_holds (&the_part, "a", "one");
    assert_true (the_part.step.is.version == first);
    DO (put, "a", TEXT ("two"), .old = true);
    assert_true (the_part.step.is.had && synod_str_is (the_part.step.is.old, "one") &&
                 the_part.step.is.version > first);
    DO (put, "a", TEXT (""));
    part_holds (&the_part, "a", "");
    DO (get, "a", .bare = true);
    assert_true (the_part.step.is.found && !the_part.step.is.data.data);
    assert_int_equal (the_part.memory.keys, 1);
    DO (put, "a", TEXT ("known"));
    DO (get, "a", .known = the_part.step.is.version);
    assert_true (the_part.step.is.found && the_part.step.is.size == 5 && !the_part.step.is.data.size);
}

static void test_conditions (void **state)
{
    (void) state;
    DO (put, "a", TEXT ("x"), .present = true);
    WHY ("absent");
    DO (put, "a", TEXT ("x"), .version = 7);
    WHY ("absent");
    DO (put, "a", TEXT ("x"), .absent = true);
    DONE ();
    uint64_t version = the_part.step.is.version;
    DO (put, "a", TEXT ("y"), .absent = true);
    WHY ("present");
    assert_true (the_part.step.is.version == version);
    DO (put, "a", TEXT ("y"), .version = version + 1);
    WHY ("version");
    part_holds (&the_part, "a", "x");
    DO (put, "b", TEXT ("other"));
    DO (put, "a", TEXT ("y"), .version = version);
    DONE ();
    DO (delete, "a", .version = version);
    WHY ("version");
    DO (delete, "a", .version = the_part.step.is.version);
    DONE ();
    part_holds (&the_part, "a", NULL);
    part_holds (&the_part, "b", "other");
}

/* No version comes twice, through deletes and owners. */
static void test_versions (void **state)
{
    (void) state;
    uint64_t last = 0;
    for (int i = 0; i < 20; i++) {
        DO (put, "a", TEXT ("x"));
        assert_true (the_part.step.is.version > last);
        last = the_part.step.is.version;
        DO (delete, "a", 0);
        assert_true (the_part.step.is.had && the_part.step.is.version > last);
        last = the_part.step.is.version;
        if (i % 3 == 0)
            part_reload (&the_part);
    }
    DO (delete, "a", 0); /* of nothing: nothing changes */
    DONE ();
    assert_true (!the_part.step.changed && the_part.step.is.version == 0 && !the_part.store.count);
}

static void test_fences (void **state)
{
    (void) state;
    DO (put, "a", TEXT ("x"), .fence = 5);
    DO (put, "a", TEXT ("y"), .fence = 4);
    WHY ("fence");
    assert_int_equal (the_part.step.is.fence, 5);
    DO (put, "a", TEXT ("y"), .fence = 5);
    DONE ();
    DO (put, "a", TEXT ("z")); /* without one: as before fences */
    DO (delete, "a", .fence = 4);
    WHY ("fence");
    DO (delete, "a", 0);
    DONE ();
    part_reload (&the_part);
    DO (put, "a", TEXT ("x"), .fence = 4);
    WHY ("fence");
    part_holds (&the_part, "a", NULL);
    assert_int_equal (the_part.memory.keys, 0);
    DO (put, "a", TEXT ("x"), .fence = 6, .ttl_ms = 10);
    DONE ();
    the_part.now_ms += 11;
    DO (append, "a", TEXT ("x"), .fence = 5);
    WHY ("fence");
    DO (delete, "b", .fence = 9); /* of nothing: it is remembered all the same */
    DONE ();
    DO (incr, "b", .delta = 1, .fence = 8);
    WHY ("fence");
    DO (expire, "b", .ttl_ms = 1, .fence = 8);
    WHY ("fence");
}

static void test_incr (void **state)
{
    (void) state;
    DO (incr, "c", .delta = 5);
    assert_true (the_part.step.is.number == 5);
    DO (incr, "c", .delta = -12);
    part_holds (&the_part, "c", "-7");
    DO (put, "c", TEXT ("9223372036854775806"));
    DO (incr, "c", .delta = 1);
    part_holds (&the_part, "c", "9223372036854775807");
    assert_int_equal (part_do (&the_part, incr, "c", .delta = 1), SYNOD_REFUSED);
    FAULT (SYNOD_REFUSED, "would overflow");
    part_holds (&the_part, "c", "9223372036854775807");
    DO (incr, "c", .delta = INT64_MIN);
    part_holds (&the_part, "c", "-1");
    DO (put, "c", TEXT ("-9223372036854775808"));
    assert_int_equal (part_do (&the_part, incr, "c", .delta = -1), SYNOD_REFUSED);
    DO (incr, "c", .delta = INT64_MAX);
    part_holds (&the_part, "c", "-1");
    static const char *const none[] = {"",
                                       "-",
                                       "x",
                                       "1x",
                                       " 1",
                                       "+1",
                                       "01",
                                       "1.0",
                                       "9223372036854775808",
                                       "-9223372036854775809",
                                       "99999999999999999999999",
                                       "--1"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        DO (put, "c", TEXT (none[i]));
        assert_int_equal (part_do (&the_part, incr, "c", .delta = 1), SYNOD_REFUSED);
        FAULT (SYNOD_REFUSED, "not an integer");
        part_holds (&the_part, "c", none[i]);
    }
}

static void test_append (void **state)
{
    (void) state;
    DO (append, "a", TEXT ("one"));
    DO (append, "a", TEXT (""));
    DO (append, "a", TEXT (" two"));
    part_holds (&the_part, "a", "one two");
    DO (append, "a", TEXT ("x"), .version = 1);
    WHY ("version");
    DO (put, "a", TEXT ("x"), .ttl_ms = 100);
    DO (append, "a", TEXT ("y"));
    assert_int_equal (the_part.step.is.until_ms, the_part.now_ms + 100);
}

static void test_deadlines (void **state)
{
    (void) state;
    DO (put, "a", TEXT ("x"), .ttl_ms = 100);
    uint64_t version = the_part.step.is.version;
    the_part.now_ms += 99;
    part_holds (&the_part, "a", "x");
    part_reload (&the_part);
    the_part.now_ms++;
    DO (put, "a", TEXT ("y"), .version = version);
    WHY ("absent");
    assert_true (the_part.step.changed && synod_str_is (the_part.step.change.what, "expired"));
    assert_true (the_part.step.change.before == version);
    the_part.now_ms -= 50; /* another owner's clock: it stays gone */
    part_holds (&the_part, "a", NULL);
    DO (put, "a", TEXT ("x"), .until_ms = (uint64_t) the_part.now_ms + 10);
    DO (put, "a", TEXT ("y"), .keep = true);
    assert_int_equal (the_part.step.is.until_ms, the_part.now_ms + 10);
    DO (expire, "a", .ttl_ms = 1000);
    the_part.now_ms += 20;
    part_holds (&the_part, "a", "y");
    DO (expire, "a", 0);
    the_part.now_ms += 5000;
    part_holds (&the_part, "a", "y");
    DO (put, "a", TEXT ("y"), .ttl_ms = INT64_MAX);
    part_holds (&the_part, "a", "y");
    DO (put, "a", TEXT ("z"), .until_ms = (uint64_t) the_part.now_ms); /* over at once */
    DONE ();
    assert_false (the_part.step.is.found);
    part_holds (&the_part, "a", NULL);
    DO (expire, "a", .ttl_ms = 5);
    WHY ("absent");
    assert_int_equal (the_part.store.count, 0);
    assert_int_equal (part_do (&the_part, put, "a", .ttl_ms = 1, .until_ms = 1), SYNOD_REFUSED);
}

/* A stale read shows nothing that is over, and writes nothing. */
static void test_stale (void **state)
{
    (void) state;
    DO (put, "a", TEXT ("x"), .ttl_ms = 100);
    the_part.now_ms += 100;
    uint32_t count = the_part.store.count;
    DO (get_stale, "a", 0);
    assert_true (!the_part.step.is.found && !the_part.step.is.data.data && the_part.store.count == count);
}

static void test_changes (void **state)
{
    (void) state;
    DO (put, "a", TEXT ("x"));
    assert_true (the_part.step.changed && the_part.step.change.before == 0 && the_part.step.change.previous == 0);
    uint64_t first = the_part.step.version;
    DO (incr, "b", .delta = 1);
    assert_true (the_part.step.change.previous == first && the_part.step.change.before == 0);
    assert_true (synod_str_is (the_part.step.change.data, "1") && synod_str_is (the_part.step.change.what, "incr"));
    uint64_t second = the_part.step.version;
    DO (delete, "a", 0);
    assert_true (the_part.step.change.previous == second && the_part.step.change.before == first);
    assert_false (the_part.step.change.found);
    uint64_t third = the_part.step.version;
    DO (put, "a", TEXT ("x"), .present = true);
    assert_false (the_part.step.changed);
    DO (get, "b", 0);
    assert_false (the_part.step.changed);
    DO (expire, "b", .ttl_ms = 10000);
    assert_true (the_part.step.change.previous == third && the_part.step.change.until_ms);
    part_reload (&the_part);
    DO (put, "b", TEXT ("2"));
    assert_true (the_part.step.change.previous == 0 && the_part.step.change.before);
}

static void test_full (void **state)
{
    (void) state;
    DO (put, "a", TEXT ("0123456789"));
    the_part.most = 5;
    assert_int_equal (part_do (&the_part, put, "b", TEXT ("xy")), SYNOD_FULL);
    FAULT (SYNOD_FULL, "has 5 left");
    part_holds (&the_part, "b", NULL);
    assert_int_equal (part_do (&the_part, append, "a", TEXT ("0123456789")), SYNOD_FULL);
    part_holds (&the_part, "a", "0123456789");
    DO (append, "a", TEXT ("abcde"));
    DO (put, "a", TEXT ("less"));
    DO (delete, "a", 0);
    part_holds (&the_part, "a", NULL);
}

static void test_keys (void **state)
{
    char key[SYNOD_KEY_MAX + 2];
    (void) state;
    memset (key, 'k', sizeof key);
    key[SYNOD_KEY_MAX] = 0;
    DO (put, key, TEXT ("x"), .ttl_ms = 50);
    part_holds (&the_part, key, "x");
    key[SYNOD_KEY_MAX] = 'k';
    key[SYNOD_KEY_MAX + 1] = 0;
    assert_int_equal (part_do (&the_part, put, key, TEXT ("x")), SYNOD_REFUSED);
    FAULT (SYNOD_REFUSED, "1 to 400 bytes, got 401");
    assert_int_equal (part_do (&the_part, put, "", TEXT ("x")), SYNOD_REFUSED);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (test_##name, part_setup, part_teardown)
    const struct CMUnitTest tests[] = {TEST (put),     TEST (conditions), TEST (versions),  TEST (fences),
                                       TEST (incr),    TEST (append),     TEST (deadlines), TEST (stale),
                                       TEST (changes), TEST (full),       TEST (keys)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
