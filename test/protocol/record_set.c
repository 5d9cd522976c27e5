/* SPDX-License-Identifier: MPL-2.0
 *
 * Records filled from texts.
 */
#include <locale.h>
#include "check.h"
#include "protocol/record_set.h"

#define ITEM_FIELDS(FIELD, OPT) OPT (u64, n, 1, "n")
SYNOD_RECORD (item, ITEM_FIELDS, 0, "an element")
#define ARGS_FIELDS(FIELD, OPT)           \
    OPT (u64, size, UINT64_MAX, "a size") \
    OPT (u64, few, 2048, "a small one")   \
    OPT (i64, step, 1000, "an integer")   \
    OPT (i64, wide, INT64_MAX, "any")     \
    OPT (f64, ratio, 0, "a number")       \
    OPT (bit, on, 0, "a bit")             \
    OPT (str, name, 5, "a text")          \
    OPT (bin, blob, 5, "bytes")           \
    OPT (any, thing, 9, "anything")       \
    OPT (list, items, item, "")
SYNOD_RECORD (args, ARGS_FIELDS, 0, "arguments")
#define NONE_FIELDS(FIELD, OPT)
SYNOD_RECORD (none, NONE_FIELDS, 0, "no arguments")

static args_t s_args;

static void s_sets (const char *key, const char *text)
{
    synod_fault_t fault = {0};
    check_ok (synod__record_set (&args_record, &s_args, key, text, &fault), fault);
}

static void test_values (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint64_t value;
    } sizes[] = {
        {"0", 0},         {"42", 42},         {"0x1F", 31},     {"4K", 4096},
        {"3M", 3u << 20}, {"2G", 2ull << 30}, {"0x10K", 16384}, {"18446744073709551615", UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        s_sets ("size", sizes[i].text);
        assert_true (s_args.size == sizes[i].value);
    }
    s_sets ("few", "2K");
    assert_int_equal (s_args.few, 2048);
    s_sets ("step", "-1000");
    assert_int_equal (s_args.step, -1000);
    s_sets ("step", "1000");
    s_sets ("wide", "-9223372036854775808");
    assert_true (s_args.wide == INT64_MIN);
    s_sets ("wide", "9223372036854775807");
    assert_true (s_args.wide == INT64_MAX);
    s_sets ("ratio", "-1.5e3");
    assert_true (s_args.ratio == -1500);
    s_sets ("ratio", "7");
    assert_true (s_args.ratio == 7);
    s_sets ("on", "true");
    assert_true (s_args.on);
    s_sets ("on", "0");
    assert_false (s_args.on);
    s_sets ("on", "1");
    assert_true (s_args.on);
    s_sets ("on", "false");
    assert_false (s_args.on);
    const char *text = "hello";
    s_sets ("name", text);
    assert_ptr_equal (s_args.name.data, text);
    s_sets ("name", "");
    assert_int_equal (s_args.name.size, 0);
    s_sets ("blob", "\xff\xfe");
    assert_int_equal (s_args.blob.size, 2);
}

static void test_refusals (void **state)
{
    (void) state;
    static const struct {
        const char *key, *text, *words;
    } wrong[] = {
        {"size", "", "args.size: expected an integer from 0 on (K, M, G: times 1024), got \"\""},
        {"size", "-1", "got \"-1\""},
        {"size", " 1", "got \" 1\""},
        {"size", "1 ", "got \"1 \""},
        {"size", "1k", "got \"1k\""},
        {"size", "1a", "got \"1a\""},
        {"size", "K", "got \"K\""},
        {"size", "1KM", "got \"1KM\""},
        {"size", "0x", "got \"0x\""},
        {"size", "18446744073709551616", "got \"18446744073709551616\""},
        {"size", "17179869184G", "got \"17179869184G\""},
        {"few", "2049", "args.few: expected an integer from 0 to 2048 (K, M, G: times 1024), got \"2049\""},
        {"few", "3K", "got \"3K\""},
        {"step", "1001", "args.step: expected an integer up to 1000 in magnitude, got \"1001\""},
        {"step", "-1001", "got \"-1001\""},
        {"step", "1K", "got \"1K\""},
        {"step", "--1", "got \"--1\""},
        {"step", "-", "got \"-\""},
        {"wide", "9223372036854775808", "args.wide: expected an integer of 64 bits"},
        {"wide", "-9223372036854775809", "args.wide: expected an integer of 64 bits"},
        {"ratio", "", "args.ratio: expected a number, got \"\""},
        {"ratio", "1,5", "got \"1,5\""},
        {"ratio", "nan", "got \"nan\""},
        {"ratio", "inf", "got \"inf\""},
        {"ratio", "1e999", "got \"1e999\""},
        {"ratio", "0x1p3", "got \"0x1p3\""},
        {"ratio", "1.5.2", "got \"1.5.2\""},
        {"on", "yes", "args.on: expected true or false, got \"yes\""},
        {"on", "", "args.on: expected true or false, got \"\""},
        {"name", "abcdef", "args.name: expected a text of up to 5 bytes of UTF-8, got \"abcdef\""},
        {"name", "\xff", "args.name: expected a text of up to 5 bytes of UTF-8, got \"?\""},
        {"blob", "abcdef", "args.blob: expected up to 5 bytes of binary, got \"abcdef\""},
        {"thing", "1", "args.thing: expected a field that a text can set, got a field of any type"},
        {"items", "1", "args.items: expected a field that a text can set, got a list"},
        {"nothing", "1",
         "args: expected one of the fields size, few, step, wide, ratio, on, name, blob, thing, items, got "
         "\"nothing\""},
        {"siz", "1", "args: expected one of the fields size"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        synod_fault_t fault = {0};
        args_t before = s_args;
        check_fault (synod__record_set (&args_record, &s_args, wrong[i].key, wrong[i].text, &fault), SYNOD_INVALID,
                     fault, wrong[i].words);
        assert_memory_equal (&before, &s_args, sizeof before);
    }
    none_t none;
    synod_fault_t fault = {0};
    check_fault (synod__record_set (&none_record, &none, "a", "1", &fault), SYNOD_INVALID, fault, "(it has none)");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_values),
        cmocka_unit_test (test_refusals),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
