/* SPDX-License-Identifier: MPL-2.0
 *
 * A key's part in a transaction: what it votes no on and with which words, that a yes holds whatever comes, and that the
 * outcome does just what was asked.
 */
#include <stdio.h>
#include "memory_store.h"

#define DO(name, key, ...) assert_int_equal (part_do (&the_part, name, key, __VA_ARGS__), SYNOD_OK)
#define OP(...)            (&(synod__kv_op_t){__VA_ARGS__})
#define WHAT(word)         .what = synod_str (word)

static int s_prepare (const char *key, const char *id, const synod__kv_op_t *op)
{
    return part_done (&the_part, synod__kv_prepare (part_step (&the_part), synod_str (key), op, synod_str (id)));
}

static int s_commit (const char *key, const char *id, const synod__kv_op_t *op)
{
    synod__kv_step_t *step = part_step (&the_part);
    return part_done (&the_part, synod__kv_commit (step, synod_str (key), op, synod_str (id)));
}

static int s_abort (const char *key, const char *id)
{
    return part_done (&the_part, synod__kv_abort (part_step (&the_part), synod_str (key), synod_str (id)));
}

/* It votes no, with these words, and nothing is locked. */
static void s_no (const char *key, const synod__kv_op_t *op, int code, const char *words)
{
    bool locked = true;
    assert_int_equal (s_prepare (key, "no", op), code);
    if (!strstr (the_part.step.fault.text, words))
        fail_msg ("expected %s in: %s", words, the_part.step.fault.text);
    assert_int_equal (synod__kv_any_locked (&memory_store, &the_part.store, synod_str (""), &locked), SYNOD_OK);
    assert_false (locked);
}

/* Yes, through another owner, and committed. */
static void s_all (const char *key, const synod__kv_op_t *op)
{
    assert_int_equal (s_prepare (key, "t", op), SYNOD_OK);
    part_reload (&the_part);
    assert_int_equal (s_commit (key, "t", op), SYNOD_OK);
}

static bool s_locked (const char *key)
{
    bool locked = false;
    assert_int_equal (synod__kv_locked (part_step (&the_part), synod_str (key), &locked), SYNOD_OK);
    part_done (&the_part, SYNOD_OK);
    return locked;
}

static void test_done (void **state)
{
    (void) state;
    s_all ("a", OP (WHAT ("put"), .data = synod_str ("one")));
    assert_true (the_part.step.changed && synod_str_is (the_part.step.change.what, "put"));
    assert_true (the_part.step.change.version == the_part.step.version && the_part.step.change.found);
    part_holds (&the_part, "a", "one");
    s_all ("a", OP (WHAT ("put")));
    part_holds (&the_part, "a", "");
    s_all ("n", OP (WHAT ("incr"), .delta = -7));
    part_holds (&the_part, "n", "-7");
    s_all ("n", OP (WHAT ("incr"), .delta = 10, .bounded = true, .floor = 3));
    part_holds (&the_part, "n", "3");
    uint64_t version = the_part.step.is.version;
    s_all ("n", OP (WHAT ("check"), .version = version, .was = synod_str ("3"), .present = true));
    assert_false (the_part.step.changed);
    part_holds (&the_part, "n", "3");
    assert_true (the_part.step.is.version == version);
    s_all ("n", OP (WHAT ("delete"), .version = version));
    assert_true (the_part.step.changed && !the_part.step.change.found && the_part.step.change.before == version);
    part_holds (&the_part, "n", NULL);
    s_all ("n", OP (WHAT ("delete")));
    s_all ("n", OP (WHAT ("check"), .absent = true));
    assert_false (s_locked ("n") || s_locked ("a"));
}

static void test_undone (void **state)
{
    (void) state;
    DO (put, "a", .data = synod_str ("5"), .ttl_ms = 1000);
    uint64_t version = the_part.step.is.version, bytes = the_part.memory.bytes;
    assert_int_equal (s_prepare ("a", "t", OP (WHAT ("incr"), .delta = 1)), SYNOD_OK);
    assert_true (s_locked ("a") && the_part.memory.bytes > bytes);
    assert_int_equal (s_abort ("a", "u"), SYNOD_FAILED); /* another one's */
    assert_true (s_locked ("a"));
    assert_int_equal (s_abort ("a", "t"), SYNOD_OK);
    assert_true (!s_locked ("a") && the_part.memory.bytes == bytes);
    part_holds (&the_part, "a", "5");
    assert_true (the_part.step.is.version == version);
    assert_int_equal (s_abort ("a", "t"), SYNOD_FAILED);
    assert_int_equal (s_commit ("a", "t", OP (WHAT ("delete"))), SYNOD_FAILED);
    part_holds (&the_part, "a", "5");
}

static void test_conditions (void **state)
{
    (void) state;
    s_no ("a", OP (WHAT ("check"), .present = true), SYNOD_REFUSED, "it has no value");
    s_no ("a", OP (WHAT ("put"), .version = 7), SYNOD_REFUSED, "it has no value");
    s_no ("a", OP (WHAT ("check"), .was = synod_str ("")), SYNOD_REFUSED, "it has no value");
    DO (put, "a", .data = synod_str ("x"), .fence = 9);
    char words[64];
    snprintf (words, sizeof words, "its version is %llu, not 1000", (unsigned long long) the_part.step.is.version);
    s_no ("a", OP (WHAT ("put"), .version = 1000), SYNOD_REFUSED, words);
    s_no ("a", OP (WHAT ("put"), .absent = true), SYNOD_REFUSED, "it has a value already");
    s_no ("a", OP (WHAT ("check"), .was = synod_str ("y")), SYNOD_REFUSED, "its value is another one");
    s_no ("a", OP (WHAT ("delete"), .fence = 8), SYNOD_REFUSED, "a higher fence was seen, 9");
    s_no ("a", OP (WHAT ("incr"), .delta = 1), SYNOD_REFUSED, "not an integer");
    s_no ("b", OP (WHAT ("incr"), .delta = -1, .bounded = true), SYNOD_REFUSED, "it would be -1, below 0");
    DO (put, "b", .data = synod_str ("9223372036854775807"));
    s_no ("b", OP (WHAT ("incr"), .delta = 1), SYNOD_REFUSED, "would overflow");
    part_put_large (&the_part, "large", 5, 70000, 1);
    s_no ("large", OP (WHAT ("incr"), .delta = 1), SYNOD_REFUSED, "not an integer");
    s_no ("large", OP (WHAT ("check"), .was = synod_str ("y")), SYNOD_REFUSED, "its value is another one");
    s_all ("large", OP (WHAT ("check"), .present = true, .fence = 3));
    part_holds_large (&the_part, "large", 70000, 1);
    s_no ("large", OP (WHAT ("put"), .fence = 2), SYNOD_REFUSED, "a higher fence was seen, 3");
    s_all ("large", OP (WHAT ("delete")));
}

static void test_mistakes (void **state)
{
    (void) state;
    char key[SYNOD_KEY_MAX + 2];
    s_no ("a", OP (WHAT ("append")), SYNOD_BAD_REQUEST, "expected put, delete, incr or check, got \"append\"");
    s_no ("a", OP (WHAT ("delete"), .data = synod_str ("x")), SYNOD_BAD_REQUEST,
          "delete: expected no data, got 1 bytes");
    s_no ("a", OP (WHAT ("put"), .delta = 1), SYNOD_BAD_REQUEST, "put: expected no delta");
    s_no ("a", OP (WHAT ("incr"), .ttl_ms = 1), SYNOD_BAD_REQUEST, "incr: expected no deadline");
    s_no ("a", OP (WHAT ("put"), .ttl_ms = 1, .until_ms = 1), SYNOD_BAD_REQUEST, "got both");
    s_no ("a", OP (WHAT ("check")), SYNOD_BAD_REQUEST, "expected one of absent, present, version, was and fence");
    memset (key, 'k', sizeof key);
    key[SYNOD_KEY_MAX + 1] = 0;
    s_no (key, OP (WHAT ("delete")), SYNOD_REFUSED, "expected a key of 1 to 400 bytes, got 401");
}

/* Only one has it, and whoever comes is told which. */
static void test_locked (void **state)
{
    (void) state;
    bool any = false;
    assert_int_equal (s_prepare ("a", "one", OP (WHAT ("put"), .data = synod_str ("1"))), SYNOD_OK);
    assert_int_equal (s_prepare ("a", "two", OP (WHAT ("check"), .absent = true)), SYNOD_BUSY);
    assert_non_null (strstr (the_part.step.fault.text, "it is locked by transaction one"));
    assert_int_equal (s_prepare ("ab", "two", OP (WHAT ("put"))), SYNOD_OK);
    assert_int_equal (synod__kv_any_locked (&memory_store, &the_part.store, synod_str ("ab"), &any), SYNOD_OK);
    assert_true (any);
    assert_int_equal (s_abort ("ab", "two"), SYNOD_OK);
    assert_int_equal (synod__kv_any_locked (&memory_store, &the_part.store, synod_str ("ab"), &any), SYNOD_OK);
    assert_false (any);
    assert_int_equal (synod__kv_any_locked (&memory_store, &the_part.store, synod_str ("a"), &any), SYNOD_OK);
    assert_true (any);
    assert_int_equal (s_commit ("a", "one", OP (WHAT ("put"), .data = synod_str ("1"))), SYNOD_OK);
    part_holds (&the_part, "a", "1");
}

/* The deadline of a locked key waits: what was found to hold holds until the outcome, and is due again then. */
static void test_deadlines (void **state)
{
    (void) state;
    int64_t next_ms = 0;
    DO (put, "a", .data = synod_str ("5"), .ttl_ms = 100);
    DO (put, "b", .data = synod_str ("5"), .ttl_ms = 100);
    DO (put, "c", .data = synod_str ("5"), .ttl_ms = 200);
    assert_int_equal (s_prepare ("a", "t", OP (WHAT ("incr"), .delta = 1)), SYNOD_OK);
    assert_int_equal (s_prepare ("b", "t", OP (WHAT ("check"), .was = synod_str ("5"))), SYNOD_OK);
    the_part.now_ms += 1000;
    int rc = synod__kv_sweep (part_step (&the_part), 1, &next_ms); /* C goes, behind the two */
    the_part.memory.due_ms = next_ms;
    assert_int_equal (part_done (&the_part, rc), SYNOD_OK);
    assert_int_equal (the_part.memory.keys, 2);
    part_reload (&the_part);
    assert_true (the_part.memory.due_ms == SYNOD__KV_NEVER);
    assert_int_equal (s_commit ("a", "t", OP (WHAT ("incr"), .delta = 1)), SYNOD_OK);
    assert_true (the_part.step.change.found && synod_str_is (the_part.step.change.data, "6"));
    assert_true (the_part.memory.due_ms < the_part.now_ms);
    assert_int_equal (s_abort ("b", "t"), SYNOD_OK);
    rc = synod__kv_sweep (part_step (&the_part), 64, &next_ms);
    the_part.memory.due_ms = next_ms;
    assert_int_equal (part_done (&the_part, rc), SYNOD_OK);
    assert_int_equal (the_part.memory.keys, 0);
    /* over its deadline when it votes: it is gone, at the commit too */
    DO (put, "a", .data = synod_str ("5"), .ttl_ms = 100);
    the_part.now_ms += 100;
    s_all ("a", OP (WHAT ("incr"), .delta = 1));
    part_holds (&the_part, "a", "1");
    s_all ("a", OP (WHAT ("put"), .data = synod_str ("x"), .ttl_ms = 50));
    assert_int_equal (the_part.step.change.until_ms, the_part.now_ms + 50);
    s_all ("a", OP (WHAT ("put"), .data = synod_str ("y"), .keep = true));
    assert_int_equal (the_part.step.change.until_ms, the_part.now_ms + 50);
}

/* A yes has its room, whoever writes meanwhile. */
static void test_full (void **state)
{
    static char data[30000];
    (void) state;
    const synod_str_t large = synod_str_n (data, sizeof data);
    the_part.most = 20000;
    s_no ("a", OP (WHAT ("put"), .data = large), SYNOD_FULL, "its node has 20000 left");
    the_part.most = 40000;
    assert_int_equal (s_prepare ("a", "t", OP (WHAT ("put"), .data = large)), SYNOD_OK);
    assert_true (the_part.memory.bytes > 30000); /* so others have less */
    the_part.most = 0;
    assert_int_equal (s_commit ("a", "t", OP (WHAT ("put"), .data = large)), SYNOD_OK);
    assert_int_equal (the_part.memory.keys, 1);
    s_all ("a", OP (WHAT ("delete")));
}

static void test_fences (void **state)
{
    (void) state;
    s_all ("a", OP (WHAT ("put"), .data = synod_str ("x"), .fence = 5));
    uint64_t version = the_part.step.is.version;
    s_all ("a", OP (WHAT ("check"), .fence = 7));
    part_holds (&the_part, "a", "x");
    assert_true (the_part.step.is.version == version && the_part.step.is.fence == 7);
    s_all ("a", OP (WHAT ("delete"), .fence = 8));
    s_no ("a", OP (WHAT ("put"), .fence = 7), SYNOD_REFUSED, "a higher fence was seen, 8");
    s_all ("b", OP (WHAT ("check"), .absent = true, .fence = 4));
    s_no ("b", OP (WHAT ("put"), .fence = 3), SYNOD_REFUSED, "a higher fence was seen, 4");
    assert_int_equal (the_part.memory.keys, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_done, part_setup, part_teardown),
        cmocka_unit_test_setup_teardown (test_undone, part_setup, part_teardown),
        cmocka_unit_test_setup_teardown (test_conditions, part_setup, part_teardown),
        cmocka_unit_test_setup_teardown (test_mistakes, part_setup, part_teardown),
        cmocka_unit_test_setup_teardown (test_locked, part_setup, part_teardown),
        cmocka_unit_test_setup_teardown (test_deadlines, part_setup, part_teardown),
        cmocka_unit_test_setup_teardown (test_full, part_setup, part_teardown),
        cmocka_unit_test_setup_teardown (test_fences, part_setup, part_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
