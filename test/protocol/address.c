/* SPDX-License-Identifier: MPL-2.0
 *
 * Names, addresses, topics, patterns and identities.
 */
#include "check.h"
#include "protocol/address.h"
#include "protocol/text.h"

static char s_long[1024];

static synod_str_t s_of (char c, size_t size)
{
    memset (s_long, c, size);
    return synod_str_n (s_long, size);
}

static void test_names (void **state)
{
    (void) state;
    assert_true (synod__name_ok (synod_str ("a"), false));
    assert_true (synod__name_ok (synod_str ("Az09_-."), false));
    assert_false (synod__name_ok (synod_str (""), true));
    assert_false (synod__name_ok (synod_str ("$"), true));
    assert_true (synod__name_ok (synod_str ("$node"), true));
    assert_false (synod__name_ok (synod_str ("$node"), false));
    assert_false (synod__name_ok (synod_str ("a$"), true));
    assert_false (synod__name_ok (synod_str ("$$a"), true));
    const char *const wrong[] = {"a b", "a/b", "a#b", "a*", "a>", "a\n", "\xc3\xa9", "a@b", "a:b"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false (synod__name_ok (synod_str (wrong[i]), true));
    assert_false (synod__name_ok (synod_str_n ("a\0b", 3), true));
    assert_true (synod__name_ok (s_of ('n', SYNOD_NAME_MAX - 1), false));
    assert_true (synod__name_ok (s_of ('n', SYNOD_NAME_MAX), false));
    assert_false (synod__name_ok (s_of ('n', SYNOD_NAME_MAX + 1), false));
}

static void s_parses (const char *text, const char *node, const char *actor, const char *key)
{
    synod_address_t a;
    synod_fault_t fault = {0};
    check_ok (synod__address_parse (synod_str (text), &a, &fault), fault);
    assert_int_equal (!node, !a.node.data);
    assert_int_equal (!key, !a.key.data);
    assert_true (!node || synod_str_is (a.node, node));
    assert_true (synod_str_is (a.actor, actor));
    assert_true (!key || synod_str_is (a.key, key));
}

static void test_addresses (void **state)
{
    (void) state;
    s_parses ("counter", NULL, "counter", NULL);
    s_parses ("w1/counter", "w1", "counter", NULL);
    s_parses ("counter#k", NULL, "counter", "k");
    s_parses ("w1/counter#a/b#c d", "w1", "counter", "a/b#c d");
    s_parses ("counter#\xc3\xa9", NULL, "counter", "\xc3\xa9");
    s_parses ("$broker", NULL, "$broker", NULL);
    s_parses ("w1/$node", "w1", "$node", NULL);
    s_parses ("$broker/$node", "$broker", "$node", NULL);
}

static void test_wrong_addresses (void **state)
{
    (void) state;
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"", "got nothing"},
        {"/a", "node: expected a name"},
        {"a/", "actor: expected a name"},
        {"a/b/c", "actor: expected a name of letters, digits and _ - . (or a leading $), got \"b/c\""},
        {"#k", "actor: expected a name"},
        {"a#", "expected a key of 1 to 400 bytes, got 0"},
        {"a#\n", "key of printable UTF-8"},
        {"a#\xff", "key of printable UTF-8"},
        {"a#\xc2\x9b", "key of printable UTF-8"},
        {"a b", "actor: expected a name"},
        {"a*/b", "node: expected a name"},
    };
    synod_address_t a;
    synod_fault_t fault;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset (&fault, 0, sizeof fault);
        check_fault (synod__address_parse (synod_str (wrong[i].text), &a, &fault), SYNOD_BAD_ADDRESS, fault,
                     wrong[i].words);
    }
    check_fault (synod__address_parse ((synod_str_t){NULL, 0}, &a, &fault), SYNOD_BAD_ADDRESS, fault, "got nothing");
    assert_int_equal (synod__address_parse (synod_str (""), &a, NULL), SYNOD_BAD_ADDRESS);
}

static void test_address_limits (void **state)
{
    (void) state;
    synod_address_t a;
    synod_fault_t fault = {0};
    check_ok (synod__address_parse (s_of ('n', SYNOD_NAME_MAX), &a, &fault), fault);
    check_fault (synod__address_parse (s_of ('n', SYNOD_NAME_MAX + 1), &a, &fault), SYNOD_BAD_ADDRESS, fault,
                 "actor: expected a name of 1 to 63 bytes, got 64");
    for (int extra = -1; extra <= 1; extra++) {
        synod_str_t text = s_of ('k', 2 + (size_t) (SYNOD_KEY_MAX + extra));
        s_long[0] = 'a', s_long[1] = '#';
        int rc = synod__address_parse (text, &a, &fault);
        if (extra <= 0)
            check_ok (rc, fault);
        else
            check_fault (rc, SYNOD_BAD_ADDRESS, fault, "key of 1 to 400 bytes, got 401");
    }
    synod_str_t text = s_of ('k', SYNOD_ADDRESS_MAX + 1);
    s_long[0] = 'a', s_long[1] = '#';
    check_fault (synod__address_parse (text, &a, &fault), SYNOD_BAD_ADDRESS, fault, "at most 480 bytes, got 481");
}

static void test_topics (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    check_ok (synod__topic_check (synod_str ("a"), &fault), fault);
    check_ok (synod__topic_check (synod_str ("$bus.drop"), &fault), fault);
    check_ok (synod__topic_check (synod_str ("a.b!\"%&'()+,:;<=?@[]^`{|}~.c"), &fault), fault);
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"", "topic: expected 1 to 240 bytes, got 0"},
        {".", "empty part"},
        {"a.", "empty part"},
        {".a", "empty part"},
        {"a..b", "empty part"},
        {"a b", "byte 0x20 at 1"},
        {"a/b", "byte 0x2f"},
        {"a#", "byte 0x23"},
        {"*", "byte 0x2a at 0"},
        {"a.>", "byte 0x3e at 2"},
        {"\xc3\xa9", "byte 0xc3"},
        {"a\x7f", "byte 0x7f"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check_fault (synod__topic_check (synod_str (wrong[i].text), &fault), SYNOD_BAD_ADDRESS, fault, wrong[i].words);
    check_ok (synod__topic_check (s_of ('t', SYNOD_TOPIC_MAX - 1), &fault), fault);
    check_ok (synod__topic_check (s_of ('t', SYNOD_TOPIC_MAX), &fault), fault);
    check_fault (synod__topic_check (s_of ('t', SYNOD_TOPIC_MAX + 1), &fault), SYNOD_BAD_ADDRESS, fault, "got 241");
}

static void test_patterns (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    const char *const right[] = {"a", "*", ">", "a.*", "a.>", "*.b", "a.*.c.>", "*.*", "$bus.>"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        check_ok (synod__pattern_check (synod_str (right[i]), &fault), fault);
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"", "pattern: expected 1 to 240"},
        {">.a", "> as the whole last part"},
        {"a>", "> as the whole last part"},
        {"a.>b", "> as the whole last"},
        {"a*", "* as a whole part"},
        {"**", "* as a whole part"},
        {"*a.b", "* as a whole part"},
        {"a..*", "empty part"},
        {"a.*.", "empty part"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check_fault (synod__pattern_check (synod_str (wrong[i].text), &fault), SYNOD_BAD_ADDRESS, fault,
                     wrong[i].words);
}

static void test_matching (void **state)
{
    (void) state;
    static const struct {
        const char *pattern, *topic;
        bool match;
    } cases[] = {
        {"a", "a", true},
        {"a", "b", false},
        {"a", "a.b", false},
        {"a.b", "a", false},
        {"ab", "a", false},
        {"a", "ab", false},
        {"*", "a", true},
        {"*", "a.b", false},
        {"a.*", "a.b", true},
        {"a.*", "a", false},
        {"a.*", "a.b.c", false},
        {"*.b", "a.b", true},
        {"*.b", "a.c", false},
        {"a.*.c", "a.b.c", true},
        {"a.*.c", "a.b.d", false},
        {">", "a", true},
        {">", "a.b.c", true},
        {"a.>", "a", false},
        {"a.>", "a.b", true},
        {"a.>", "a.b.c", true},
        {"a.>", "ab.c", false},
        {"*.>", "a", false},
        {"*.>", "a.b", true},
        {">", "$tap", false},
        {"*", "$tap", false},
        {"*.drop", "$bus.drop", false},
        {"$bus.*", "$bus.drop", true},
        {"$bus.>", "$bus.drop", true},
        {"$tap", "$tap", true},
        {"a.*.*", "a.b.c", true},
        {"a.*.*", "a.b", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (synod__pattern_match (synod_str (cases[i].pattern), synod_str (cases[i].topic)) != cases[i].match)
            fail_msg ("%s %s %s", cases[i].pattern, cases[i].match ? "should match" : "should not match",
                      cases[i].topic);
}

/* Whatever matches a pattern must also pass the prefix that ZeroMQ filters by. */
static void test_prefixes (void **state)
{
    (void) state;
    char out[SYNOD_TOPIC_MAX + 1];
    assert_int_equal (synod__pattern_prefix (synod_str ("a.b"), out), 4);
    assert_memory_equal (out, "a.b", 4);
    assert_int_equal (synod__pattern_prefix (synod_str ("a.*.c"), out), 2);
    assert_memory_equal (out, "a.", 2);
    assert_int_equal (synod__pattern_prefix (synod_str ("a.b.>"), out), 4);
    assert_memory_equal (out, "a.b.", 4);
    assert_int_equal (synod__pattern_prefix (synod_str (">"), out), 0);
    assert_int_equal (synod__pattern_prefix (s_of ('t', SYNOD_TOPIC_MAX), out), SYNOD_TOPIC_MAX + 1);
}

static void test_identities (void **state)
{
    (void) state;
    char out[SYNOD__IDENTITY_MAX + 1];
    size_t size = synod__identity (synod_str ("w1"), 0x1234abcd, 0, out);
    assert_int_equal (size, 19);
    assert_string_equal (out, "w1@000000001234abcd");
    assert_true (synod__identity_of (synod_str (out), synod_str ("w1"), 0x1234abcd));
    assert_false (synod__identity_of (synod_str (out), synod_str ("w1"), 0x1234abce));
    assert_false (synod__identity_of (synod_str_n (out, 18), synod_str ("w1"), 0x1234abcd));
    assert_false (synod__identity_of (synod_str ("w1@000000001234abcd0"), synod_str ("w1"), 0x1234abcd));
    size = synod__identity (synod_str ("w1"), 0x1234abcd, 0x1c, out);
    assert_int_equal (size, 28);
    assert_string_equal (out, "w1@000000001234abcd.0000001c");
    assert_true (synod__identity_of (synod_str (out), synod_str ("w1"), 0x1234abcd));
    assert_false (synod__identity_of (synod_str (out), synod_str ("w"), 0x1234abcd));
    size = synod__identity (s_of ('n', SYNOD_NAME_MAX), UINT64_MAX, UINT32_MAX, out);
    assert_int_equal (size, SYNOD__IDENTITY_MAX);
    assert_string_equal (out + SYNOD_NAME_MAX, "@ffffffffffffffff.ffffffff");
}

/* Any byte at any place of a text of any length: plain ones go several at a time. */
static void test_printable (void **state)
{
    (void) state;
    char text[40];
    for (size_t size = 0; size < sizeof text; size++) {
        memset (text, 'a', sizeof text);
        assert_true (synod__text_printable (text, size));
        for (size_t at = 0; at < size; at++)
            for (int byte = 0; byte < 256; byte++) {
                text[at] = (char) byte;
                assert_int_equal (synod__text_printable (text, size), byte >= 0x20 && byte < 0x7f);
                text[at] = 'a';
            }
        if (size >= 2) {
            memcpy (text + size - 2, "\xc3\xa4", 2);
            assert_true (synod__text_printable (text, size));
        }
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_names),           cmocka_unit_test (test_addresses),
        cmocka_unit_test (test_wrong_addresses), cmocka_unit_test (test_address_limits),
        cmocka_unit_test (test_topics),          cmocka_unit_test (test_patterns),
        cmocka_unit_test (test_matching),        cmocka_unit_test (test_prefixes),
        cmocka_unit_test (test_identities),      cmocka_unit_test (test_printable),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
