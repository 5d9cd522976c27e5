/* SPDX-License-Identifier: MPL-2.0
 *
 * Keys of the table as texts: what is printable is itself, all bytes come back, no two have one text.
 */
#include "check.h"
#include "protocol/kv_key.h"
#include "protocol/text.h"

static void s_is (synod_str_t bytes, const char *text)
{
    char out[SYNOD_KEY_MAX], back[SYNOD_KEY_MAX];
    synod_str_t got = synod__kv_key_text (bytes, out);
    if (!synod_str_is (got, text))
        fail_msg ("expected \"%s\", got \"%.*s\"", text, SYNOD_STR (got));
    assert_true (synod_str_same (synod__kv_key_bytes (got, back), bytes));
}

static void test_known (void **state)
{
    (void) state;
    s_is (BYTES ("apples"), "apples");
    s_is (BYTES ("100% \\ of it"), "100% \\ of it");
    s_is (BYTES ("Käse"), "Käse");
    s_is (BYTES ("a\0b"), "a\\x00b");
    s_is (BYTES ("\xff\n"), "\\xff\\x0a");
    s_is (BYTES ("\\x41"), "\\x5cx41");
    s_is (BYTES ("\\\001"), "\\\\x01");
    s_is (BYTES ("\xc3"), "\\xc3"); /* half a character */
}

static void test_limits (void **state)
{
    (void) state;
    char bytes[SYNOD_KEY_MAX + 1], out[SYNOD_KEY_MAX];
    memset (bytes, 'a', sizeof bytes);
    assert_int_equal (synod__kv_key_text (synod_str_n (bytes, SYNOD_KEY_MAX), out).size, SYNOD_KEY_MAX);
    assert_null (synod__kv_key_text (synod_str_n (bytes, SYNOD_KEY_MAX + 1), out).data);
    assert_null (synod__kv_key_text (synod_str_n (bytes, 0), out).data);
    bytes[SYNOD_KEY_MAX - 1] = 1;
    assert_null (synod__kv_key_text (synod_str_n (bytes, SYNOD_KEY_MAX), out).data);
}

/* Of a few letters that matter most, so that near misses are many. */
static void test_drawn (void **state)
{
    (void) state;
    static const char letters[] = {'\\', 'x', '0', '1', 'a', (char) 0xc3, (char) 0xa4, 1, '5', 'c'};
    uint64_t seed = 7;
    for (int i = 0; i < 200000; i++) {
        char bytes[12], text[SYNOD_KEY_MAX], back[SYNOD_KEY_MAX];
        size_t size = 1 + check_random (&seed) % sizeof bytes;
        for (size_t k = 0; k < size; k++)
            bytes[k] = letters[check_random (&seed) % sizeof letters];
        synod_str_t got = synod__kv_key_text (synod_str_n (bytes, size), text);
        assert_true (synod__text_printable (got.data, got.size));
        assert_true (synod_str_same (synod__kv_key_bytes (got, back), synod_str_n (bytes, size)));
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_known), cmocka_unit_test (test_limits),
                                       cmocka_unit_test (test_drawn)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
