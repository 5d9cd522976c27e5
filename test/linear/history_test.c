/* SPDX-License-Identifier: MPL-2.0
 *
 * Recording, printing, saving and loading, and what each says to wrong input.
 */
#include "check.h"
#include "generate.h"

static void s_refused (synod_history_t *history, int rc, int wanted, const char *words)
{
    uint32_t count = synod_history_count (history);
    if (rc != wanted || !strstr (synod_history_error (history), words))
        fail_msg ("expected %s and \"%s\", got %s and \"%s\"", synod_error_name (wanted), words, synod_error_name (rc),
                  synod_history_error (history));
    assert_int_equal (synod_history_count (history), count);
}

static void what_is_recorded (void **state)
{
    (void) state;
    synod_history_t *h = synod_history_new (&synod_register_model, 0);
    assert_int_equal (synod_history_invoke (h, 10, 1, synod_str ("x"), SYNOD_REGISTER_WRITE, 5, 99), SYNOD_OK);
    assert_int_equal (synod_history_invoke (h, 20, 2, synod_str ("y"), SYNOD_REGISTER_CAS, 6, 7), SYNOD_OK);
    assert_int_equal (synod_history_complete (h, 30, 2, 1, 99), SYNOD_OK);
    assert_int_equal (synod_history_complete (h, 30, 1, 99, 99), SYNOD_OK);
    assert_int_equal (synod_history_invoke (h, 40, 2, synod_str ("x"), SYNOD_REGISTER_READ, 99, 99), SYNOD_OK);
    assert_int_equal (synod_history_count (h), 3);
    assert_int_equal (synod_history_keys (h), 2);
    assert_true (synod_str_is (synod_history_key (h, 1), "y"));
    assert_null (synod_history_key (h, 2).data);
    assert_null (synod_history_op (h, 3));
    const synod_op_t write = {.client = 1,
                              .key = 0,
                              .operation = SYNOD_REGISTER_WRITE,
                              .outcome = SYNOD_OP_DONE,
                              .called_at = 0,
                              .ended_at = 3,
                              .args = {5, 0},
                              .called_us = 10,
                              .ended_us = 30};
    assert_memory_equal (synod_history_op (h, 0), &write, sizeof write);
    assert_int_equal (synod_history_op (h, 1)->results[0], 1);
    assert_int_equal (synod_history_op (h, 1)->args[1], 7);
    assert_int_equal (synod_history_op (h, 2)->outcome, SYNOD_OP_OPEN);
    assert_int_equal (synod_history_op (h, 2)->args[0], 0);
    synod_history_destroy (&h);
    assert_null (h);
    synod_history_destroy (&h);
}

static void what_is_refused (void **state)
{
    (void) state;
    static char long_key[SYNOD_KEY_MAX + 1];
    memset (long_key, 'k', sizeof long_key);
    synod_history_t *h = synod_history_new (&synod_counter_model, 0);
    const synod_str_t x = synod_str ("x");
    s_refused (h, synod_history_complete (h, 1, 7, 0, 0), SYNOD_NOT_FOUND, "client 7 has no open operation");
    s_refused (h, synod_history_invoke (h, 1, 7, x, 2, 0, 0), SYNOD_INVALID, "an operation of counter, 0 to 1, got 2");
    s_refused (h, synod_history_invoke (h, 1, 7, synod_str (""), 0, 0, 0), SYNOD_INVALID, "1 to 400 bytes, got 0");
    s_refused (h, synod_history_invoke (h, 1, 7, synod_str_n (long_key, 401), 0, 0, 0), SYNOD_INVALID, "got 401");
    assert_int_equal (synod_history_invoke (h, 5, 7, synod_str_n (long_key, 400), 0, 0, 0), SYNOD_OK);
    s_refused (h, synod_history_invoke (h, 5, 7, x, 0, 0, 0), SYNOD_BUSY, "client 7 has operation 0 open");
    s_refused (h, synod_history_complete (h, 4, 7, 0, 0), SYNOD_INVALID, "a time of 5 us or later");
    assert_int_equal (synod_history_unknown (h, 5, 7), SYNOD_OK);
    s_refused (h, synod_history_complete (h, 6, 7, 0, 0), SYNOD_NOT_FOUND, "no open operation"); /* no news */
    s_refused (h, synod_history_fail (h, 6, 7), SYNOD_NOT_FOUND, "no open operation");
    assert_int_equal (synod_history_op (h, 0)->outcome, SYNOD_OP_UNKNOWN);
    assert_int_equal (synod_history_invoke (h, 6, 7, x, 0, 0, 0), SYNOD_OK);
    synod_history_destroy (&h);
}

static void what_is_too_much (void **state)
{
    (void) state;
    synod_history_t *h = synod_history_new (&synod_counter_model, 2);
    assert_int_equal (synod_history_invoke (h, 1, 1, synod_str ("x"), 0, 0, 0), SYNOD_OK);
    assert_int_equal (synod_history_invoke (h, 1, 2, synod_str ("x"), 0, 0, 0), SYNOD_OK);
    assert_false (synod_history_cut (h));
    s_refused (h, synod_history_invoke (h, 2, 3, synod_str ("x"), 0, 0, 0), SYNOD_FULL,
               "after 2 operations, of at most 2");
    assert_true (synod_history_cut (h));
    /* what is open may have seen what was not recorded */
    s_refused (h, synod_history_complete (h, 3, 1, 7, 0), SYNOD_FULL, "nothing more is recorded");
    assert_int_equal (synod_history_op (h, 0)->outcome, SYNOD_OP_OPEN);
    synod_history_destroy (&h);
}

static const char s_text[] = "history 1 register\n"
                             "10 1 x write 5\n"
                             "20 2 \"a b\\\"\\\\\\x0a\\xff\" cas nil -7\n"
                             "25 3 \"-\" read\n"
                             "30 2 -> 1\n"
                             "30 1 -> ok\n"
                             "40 1 x write 6\n"
                             "41 2 x read\n"
                             "42 1 unknown\n"
                             "43 3 failed\n"
                             "43 2 -> nil\n"
                             "44 4 x:1.2/3_- write 9223372036854775807\n";

static synod_history_t *s_load (const char *text)
{
    synod_fault_t fault = {0};
    synod_history_t *history = synod_history_load (NULL, synod_str (text), &fault);
    if (!history)
        fail_msg ("%s", fault.text);
    return history;
}

static void saved_is_loaded (void **state)
{
    (void) state;
    synod_buf_t out = {0};
    synod_history_t *h = s_load (s_text);
    assert_int_equal (synod_history_count (h), 6);
    assert_true (synod_str_same (synod_history_key (h, 1), synod_str ("a b\"\\\n\xff")));
    assert_int_equal (synod_history_op (h, 1)->args[0], SYNOD_NIL);
    assert_int_equal (synod_history_save (h, &out), SYNOD_OK);
    assert_string_equal (check_text (&out), s_text);
    synod_history_destroy (&h);

    /* with remarks, empty lines, other spaces and no last line's end; cut off */
    h = s_load ("# remark\n\n  history 1  counter\r\n\t# another\n1 1 x add 2\n\ncut");
    assert_true (synod_history_cut (h));
    out.size = 0;
    assert_int_equal (synod_history_save (h, &out), SYNOD_OK);
    assert_string_equal (check_text (&out), "history 1 counter\n1 1 x add 2\ncut\n");
    synod_history_destroy (&h);
    synod_buf_free (&out);
}

static void random_ones_come_back (void **state)
{
    (void) state;
    static const synod_model_t *const models[] = {&synod_register_model, &synod_reentrant_lock_model};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        generate_t how = {.model = models[seed % 2],
                          .seed = seed,
                          .operations = 300,
                          .clients = 5,
                          .keys = 3,
                          .unknown_pct = 5,
                          .failed_pct = 5};
        synod_buf_t first = {0}, second = {0};
        synod_fault_t fault = {0};
        synod_history_t *h = generate (&how);
        assert_int_equal (synod_history_save (h, &first), SYNOD_OK);
        synod_history_t *again = synod_history_load (how.model, synod_str_n (first.data, first.size), &fault);
        if (!again)
            fail_msg ("seed %llu: %s", (unsigned long long) seed, fault.text);
        assert_int_equal (synod_history_save (again, &second), SYNOD_OK);
        assert_int_equal (synod_history_count (h), synod_history_count (again));
        for (uint32_t i = 0; i < synod_history_count (h); i++)
            assert_memory_equal (synod_history_op (h, i), synod_history_op (again, i), sizeof (synod_op_t));
        assert_string_equal (check_text (&first), check_text (&second));
        synod_buf_free (&first);
        synod_buf_free (&second);
        synod_history_destroy (&h);
        synod_history_destroy (&again);
    }
}

static void wrong_texts_are_refused (void **state)
{
    (void) state;
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"", "expected \"history 1 MODEL\" in the first line, got nothing"},
        {"1 1 x write 5\n", "line 1: expected \"history 1 MODEL\", got \"1\""},
        {"\nhistory 2 register\n", "line 2: expected version 1 of the format, got \"2\""},
        {"history 1 queue\n", "line 1: expected register, counter, lock, fenced_lock or reentrant_lock, got \"queue\""},
        {"history 1 register\nx\n", "line 2: expected time, client and what happened, got \"x\""},
        {"history 1 register\nx 1 x read\n", "line 2: expected a time in microseconds, got \"x\""},
        {"history 1 register\nnil 1 x read\n", "expected a time in microseconds, got \"nil\""},
        {"history 1 register\n99999999999999999999 1 x read\n", "expected a time in microseconds"},
        {"history 1 register\n1 -1 x read\n", "expected a client from 0 to 4294967295, got \"-1\""},
        {"history 1 register\n1 4294967296 x read\n", "expected a client from 0 to 4294967295"},
        {"history 1 register\n1 1 x@ read\n", "line 2: expected a key: a word, or in quotes"},
        {"history 1 register\n1 1 \"x read\n", "client 1 has no open operation"},
        {"history 1 register\n1 1 \"\\q\" read\n", "expected a key"},
        {"history 1 register\n1 1 \"\\xfg\" read\n", "expected a key"},
        {"history 1 register\n1 1 \"\" read\n", "expected a key"},
        {"history 1 register\n1 1 x rad\n", "line 2: expected an operation of the model, got \"rad\""},
        {"history 1 register\n1 1 x write\n", "expected 1 numbers (or nil) as arguments, got \"write\""},
        {"history 1 register\n1 1 x write a\n", "expected 1 numbers (or nil) as arguments, got \"a\""},
        {"history 1 register\n1 1 x write 1 2\n", "expected 1 numbers (or nil) as arguments, got \"2\""},
        {"history 1 register\n1 1 x write +1\n", "expected 1 numbers"},
        {"history 1 register\n1 1 x write -9223372036854775808\n", "expected 1 numbers"},
        {"history 1 register\n1 1 -> 1\n", "line 2: client 1 has no open operation"},
        {"history 1 register\n1 1 x read\n2 1 done\n", "line 3: expected failed, unknown, or -> and 1 numbers"},
        {"history 1 register\n1 1 x read\n2 1 -> ok\n", "line 3: expected failed, unknown, or -> and 1 numbers"},
        {"history 1 register\n1 1 x write 1\n2 1 -> 1\n", "line 3: expected failed, unknown, or -> and 0 numbers"},
        {"history 1 register\n1 1 x read\n2 1 x read\n", "line 3: client 1 has operation 0 open"},
        {"history 1 register\n2 1 x read\n1 1 -> 1\n", "line 3: expected a time of 2 us or later"},
        {"history 1 register\ncut\n1 1 x read\n", "line 3: the history was cut off"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        synod_fault_t fault = {0};
        synod_history_t *history = synod_history_load (NULL, synod_str (wrong[i].text), &fault);
        if (history || fault.code == SYNOD_OK || !strstr (fault.text, wrong[i].words))
            fail_msg ("%zu: expected \"%s\", got \"%s\"", i, wrong[i].words, fault.text);
        assert_null (synod_history_load (NULL, synod_str (wrong[i].text), NULL));
    }
    synod_fault_t fault = {0};
    assert_null (synod_history_load (&synod_lock_model, synod_str (s_text), &fault));
    assert_non_null (strstr (fault.text, "expected lock, got \"register\""));
}

/* A text with any bytes changed is loaded or refused with a sentence; what is loaded can be saved and loaded. */
static void damaged_texts_do_no_harm (void **state)
{
    (void) state;
    unsigned loaded = 0, refused = 0;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        uint64_t random = seed * 0x9e3779b97f4a7c15u;
        size_t size = sizeof s_text - 1;
        char *text = (char *) malloc (size); /* exactly: a sanitizer sees what is read past it */
        assert_non_null (text);
        memcpy (text, s_text, size);
        for (unsigned changes = 1 + generate_random (&random) % 3; changes > 0; changes--) {
            size_t at = (generate_random (&random) >> 9) % size;
            text[at] = generate_random (&random) % 2 ? s_text[(generate_random (&random) >> 9) % size]
                                                     : (char) (generate_random (&random) >> 20);
        }
        if (generate_random (&random) % 4 == 0)
            size = (generate_random (&random) >> 9) % size;
        synod_fault_t fault = {0};
        synod_history_t *h = synod_history_load (NULL, synod_str_n (text, size), &fault);
        if (h) {
            synod_buf_t out = {0};
            assert_int_equal (synod_history_save (h, &out), SYNOD_OK);
            synod_history_t *again = s_load (check_text (&out));
            assert_int_equal (synod_history_count (h), synod_history_count (again));
            synod_history_destroy (&again);
            synod_buf_free (&out);
            loaded++;
        } else {
            assert_true (fault.code != SYNOD_OK && fault.text[0]);
            refused++;
        }
        synod_history_destroy (&h);
        free (text);
    }
    printf ("seeds 1 to 20000: %u loaded, %u refused\n", loaded, refused);
    assert_true (loaded > 500 && refused > 5000);
}

static void it_is_printed (void **state)
{
    (void) state;
    synod_history_t *h = s_load (s_text);
    synod_buf_t out = {0};
    assert_int_equal (synod_history_print (h, 0, &out), SYNOD_OK);
    assert_string_equal (check_text (&out), "        10..30        client 1    write 5 -> ok\n"
                                            "        40..          client 1    write 6 unknown\n"
                                            "        41..43        client 2    read -> nil\n");
    out.size = 0;
    assert_int_equal (synod_history_print (h, UINT32_MAX, &out), SYNOD_OK);
    assert_non_null (
        strstr (check_text (&out), "\n\"a b\\\"\\\\\\x0a\\xff\"        20..30        client 2    cas nil -7 -> 1\n"));
    assert_non_null (strstr (out.data, "\"-\"        25..43        client 3    read failed\n"));
    synod_buf_free (&out);
    synod_history_destroy (&h);
}

static void a_violation_is_told (void **state)
{
    (void) state;
    synod_history_t *h = s_load ("history 1 register\n"
                                 "1 9 other write 1\n5 9 -> ok\n"
                                 "10 1 x write 1\n20 1 -> ok\n30 1 x write 2\n35 4 x write 3\n40 1 -> ok\n"
                                 "50 3 x read\n60 3 -> 1\n");
    synod_linear_t result;
    synod_buf_t out = {0};
    check_verdict (h, NULL, SYNOD_LINEAR_NO, &result, "stale read");
    assert_int_equal (result.stuck, 4);
    assert_int_equal (result.operations, 3);
    assert_int_equal (synod_linear_explain (h, &result, &out), SYNOD_OK);
    assert_string_equal (check_text (&out), "not linearizable: key x, a register; operations that are done: 3\n"
                                            "the order that goes furthest has 2 operations:\n"
                                            "        10..20        client 1    write 1 -> ok\n"
                                            "        30..40        client 1    write 2 -> ok\n"
                                            "then it is: 2\n"
                                            "in no order can this be placed before it ended:\n"
                                            "        50..60        client 3    read -> 1\n"
                                            "what else could have come before that:\n"
                                            "        35..          client 4    write 3 unknown\n");
    synod_linear_free (&result);
    synod_buf_free (&out);
    synod_history_destroy (&h);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (what_is_recorded),         cmocka_unit_test (what_is_refused),
        cmocka_unit_test (what_is_too_much),         cmocka_unit_test (saved_is_loaded),
        cmocka_unit_test (random_ones_come_back),    cmocka_unit_test (wrong_texts_are_refused),
        cmocka_unit_test (damaged_texts_do_no_harm), cmocka_unit_test (it_is_printed),
        cmocka_unit_test (a_violation_is_told),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
