/* SPDX-License-Identifier: MPL-2.0
 *
 * Records: packed and unpacked again, every refusal with its sentence, limits at, one below and one above.
 */
#include <math.h>
#include "check.h"
#include "protocol/catalogue.h"
#include "protocol/reader.h"

#define POINT_FIELDS(FIELD, OPT) FIELD (i64, x, 100, "x") OPT (i64, y, 100, "y")
SYNOD_RECORD (point, POINT_FIELDS, 0, "an element")
#define FULL_FIELDS(FIELD, OPT)               \
    FIELD (u64, count, 1000, "a count")       \
    FIELD (str, name, 5, "a text")            \
    OPT (i64, amount, 1000, "an integer")     \
    OPT (i64, wide, INT64_MAX, "any integer") \
    OPT (u64, huge, UINT64_MAX, "any count")  \
    OPT (f64, ratio, 0, "a number")           \
    OPT (bit, flag, 0, "a bit")               \
    OPT (bin, blob, 4, "bytes")               \
    OPT (any, extra, 6, "anything")           \
    OPT (list, points, point, "a list")
SYNOD_RECORD (full, FULL_FIELDS, 0, "a field of each type")
#define NONE_FIELDS(FIELD, OPT)
SYNOD_RECORD (none, NONE_FIELDS, 0, "no fields")
#define FLAT_FIELDS(FIELD, OPT) \
    FIELD (f64, ratio, 0, "")   \
    FIELD (bit, flag, 0, "")    \
    FIELD (bin, blob, 4, "")    \
    FIELD (any, extra, 6, "")
SYNOD_RECORD (flat, FLAT_FIELDS, 0, "required ones")
#define WIDE_FIELDS(FIELD, OPT) \
    OPT (u64, a, 9, "")         \
    OPT (u64, b, 9, "")         \
    OPT (u64, c, 9, "")         \
    OPT (u64, d, 9, "")         \
    OPT (u64, e, 9, "")         \
    OPT (u64, f, 9, "")         \
    OPT (u64, g, 9, "")         \
    OPT (u64, h, 9, "")         \
    OPT (u64, i, 9, "")         \
    OPT (u64, j, 9, "")         \
    OPT (u64, k, 9, "")         \
    OPT (u64, l, 9, "")         \
    OPT (u64, m, 9, "")         \
    OPT (u64, n, 9, "")         \
    OPT (u64, o, 9, "")         \
    FIELD (u64, p, 9, "")
SYNOD_RECORD (wide, WIDE_FIELDS, 0, "more fields than a small map has")

static void test_round_trip (void **state)
{
    (void) state;
    synod_buf_t out = {0}, items = {0};
    synod_fault_t fault = {0};
    full_t in = {.count = 1000, .name = synod_str ("h\xc3\xa9ll"), .amount = -1000, .wide = INT64_MIN};
    in.huge = UINT64_MAX;
    in.ratio = -0.0;
    in.flag = true;
    in.blob = synod_str_n ("\0\xff\x01\x02", 4);
    in.extra = BYTES ("\x81\xa1k\x01");
    for (int i = 0; i < 20; i++) {
        point_t p = {.x = i, .y = -i};
        check_ok (synod_list_add (&in.points, &items, &point_record, &p, &fault), fault);
    }
    check_ok (synod_record_pack (&full_record, &in, &out, &fault), fault);
    synod_str_t body = check_exact (synod_str_n (out.data, out.size));
    full_t back;
    memset (&back, 0xaa, sizeof back);
    check_ok (synod_record_unpack (&full_record, body, &back, &fault), fault);
    assert_int_equal (back.count, 1000);
    assert_true (synod_str_same (back.name, in.name));
    assert_int_equal (back.amount, -1000);
    assert_true (back.wide == INT64_MIN && back.huge == UINT64_MAX && back.flag);
    assert_true (back.ratio == 0 && signbit (back.ratio));
    assert_true (synod_str_same (back.blob, in.blob) && synod_str_same (back.extra, in.extra));
    assert_int_equal (back.points.count, 20);
    point_t p;
    for (int i = 0; i < 20; i++) {
        assert_true (synod_list_next (&back.points, &point_record, &p));
        assert_true (p.x == i && p.y == -i);
    }
    assert_false (synod_list_next (&back.points, &point_record, &p));
    free ((void *) body.data);
    synod_buf_free (&out);
    synod_buf_free (&items);
}

/* An empty list starts anew in the buffer that it is given. */
static void test_lists (void **state)
{
    (void) state;
    synod_buf_t items = {0};
    synod_fault_t fault = {0};
    point_t p = {.x = 1};
    for (int round = 0; round < 2; round++) {
        synod_list_t list = {{NULL, 0}, 0};
        check_ok (synod_list_add (&list, &items, &point_record, &p, &fault), fault);
        assert_true (list.count == 1 && list.bytes.size == 4 && list.bytes.data == items.data);
        check_ok (synod_list_add (&list, &items, &point_record, &p, &fault), fault);
        assert_true (list.count == 2 && list.bytes.size == 8);
        point_t wrong = {.x = 101};
        check_fault (synod_list_add (&list, &items, &point_record, &wrong, &fault), SYNOD_INVALID, fault, "point.x");
        assert_true (list.count == 2 && list.bytes.size == 8);
    }
    synod_buf_free (&items);
}

/* What is zero and optional does not travel; what is empty but there does. */
static void test_absent (void **state)
{
    (void) state;
    synod_buf_t out = {0};
    synod_fault_t fault = {0};
    full_t in = {.name = synod_str ("")}, back;
    check_ok (synod_record_pack (&full_record, &in, &out, &fault), fault);
    assert_int_equal (out.size, 1 + 6 + 1 + 5 + 1);
    in.blob = synod_str ("");
    out.size = 0;
    check_ok (synod_record_pack (&full_record, &in, &out, &fault), fault);
    check_ok (synod_record_unpack (&full_record, synod_str_n (out.data, out.size), &back, &fault), fault);
    assert_non_null (back.blob.data);
    assert_int_equal (back.blob.size, 0);
    assert_null (back.extra.data);
    out.size = 0;
    flat_t zero = {.ratio = 0};
    check_ok (synod_record_pack (&flat_record, &zero, &out, &fault), fault);
    assert_int_equal ((uint8_t) out.data[0], 0x84);
    flat_t flat;
    check_ok (synod_record_unpack (&flat_record, synod_str_n (out.data, out.size), &flat, &fault), fault);
    assert_true (synod_str_same (flat.extra, BYTES ("\xc0")));
    synod_buf_free (&out);
}

static void test_bodies (void **state)
{
    (void) state;
    none_t none;
    synod_fault_t fault = {0};
    check_ok (synod_record_unpack (&none_record, (synod_str_t){NULL, 0}, &none, &fault), fault);
    check_ok (synod_record_unpack (&none_record, BYTES ("\xc0"), &none, &fault), fault);
    check_ok (synod_record_unpack (&none_record, BYTES ("\x80"), &none, &fault), fault);
    check_ok (synod_record_unpack (&none_record, BYTES ("\x81\xa1k\x92\x01\x81\x01\x02"), &none, &fault), fault);
    static const struct {
        synod_str_t body;
        const char *words;
    } wrong[] = {
        {{"\x01", 1}, "none: expected a map, got the integer 1"},
        {{"\x90", 1}, "none: expected a map, got a list of 0"},
        {{"\xa1"
          "a",
          2},
         "none: expected a map, got a text of 1 bytes"},
        {{"\x81", 1}, "none: expected a map, got bytes that are cut short"},
        {{"\xc1", 1}, "none: expected a map, got bytes that are cut short or no msgpack"},
        {{"\x80\x80", 2}, "none: expected one map, got more bytes behind it"},
        {{"\x81\x05\x01", 3}, "none: expected a map with texts as keys, got the integer 5"},
        {{"\x81\xa3k\x01", 4}, "none: expected a map with texts as keys, got bytes that are cut short"},
        {{"\x81\xa1k\xa2", 4}, "none: expected one whole map of limited depth, got bytes that are cut"},
        {{"\x81\xa1k\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0", 20}, "nested too deep"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        check_fault (synod_record_unpack (&none_record, wrong[i].body, &none, &fault), SYNOD_BAD_REQUEST, fault,
                     wrong[i].words);
        assert_int_equal (synod_record_unpack (&none_record, wrong[i].body, &none, NULL), SYNOD_BAD_REQUEST);
    }
}

/* A body with count and name as they should be, and one more field. */
#define WITH(field) \
    "\x83\xa5"      \
    "count\x01\xa4" \
    "name\xa1"      \
    "n" field

static const struct {
    synod_str_t body;
    const char *words;
} s_refusals[] = {
#define CASE(literal, words)                   \
    {                                          \
        {literal, sizeof (literal) - 1}, words \
    }
    CASE ("\x80", "full.count: expected an integer from 0 to 1000, got nothing: it must be there"),
    CASE ("\x81\xa5"
          "count\x01",
          "full.name: expected a text of up to 5 bytes of UTF-8, got nothing"),
    CASE ("\x81\xa5"
          "count\xc0",
          "full.count: expected an integer from 0 to 1000, got nil"),
    CASE ("\x81\xa5"
          "count\xff",
          "got the integer -1"),
    CASE ("\x81\xa5"
          "count\xcd\x03\xe9",
          "full.count: expected an integer from 0 to 1000, got the integer 1001"),
    CASE ("\x81\xa5"
          "count\xa1"
          "7",
          "full.count: expected an integer from 0 to 1000, got a text of 1 bytes"),
    CASE ("\x81\xa5"
          "count\xcb\x3f\xf8\0\0\0\0\0\0",
          "got the number 1.5"),
    CASE ("\x82\xa5"
          "count\x01\xa5"
          "count\x02",
          "full.count: expected an integer from 0 to 1000, got it twice"),
    CASE ("\x81\xa4"
          "name\xa6"
          "abcdef",
          "full.name: expected a text of up to 5 bytes of UTF-8, got a text of 6"),
    CASE ("\x81\xa4"
          "name\xa1\xff",
          "full.name: expected a text of up to 5 bytes of UTF-8, got bytes that are not"),
    CASE ("\x81\xa4"
          "name\xa2\xc0\x80",
          "bytes that are not UTF-8"),
    CASE ("\x81\xa4"
          "name\xa3\xed\xa0\x80",
          "bytes that are not UTF-8"),
    CASE ("\x81\xa4"
          "name\xa3\xe0\x80\x80",
          "bytes that are not UTF-8"),
    CASE ("\x81\xa4"
          "name\xa4\xf0\x80\x80\x80",
          "bytes that are not UTF-8"),
    CASE ("\x81\xa4"
          "name\xa4\xf4\x90\x80\x80",
          "bytes that are not UTF-8"),
    CASE ("\x81\xa4"
          "name\xc4\x01"
          "a",
          "got 1 bytes of binary"),
    CASE (WITH ("\xa6"
                "amount\xcd\x03\xe9"),
          "full.amount: expected an integer up to 1000 in magnitude, got the integer 1001"),
    CASE (WITH ("\xa6"
                "amount\xd1\xfc\x17"),
          "got the integer -1001"),
    CASE (WITH ("\xa6"
                "amount\xa3"
                "abc"),
          "full.amount: expected an integer up to 1000 in magnitude, got a text of 3 bytes"),
    CASE (WITH ("\xa4"
                "wide\xcf\x80\0\0\0\0\0\0\0"),
          "full.wide: expected an integer of 64 bits, got the integer 9223372036854775808"),
    CASE (WITH ("\xa4"
                "huge\xff"),
          "full.huge: expected an integer from 0 on, got the integer -1"),
    CASE (WITH ("\xa5"
                "ratio\xc3"),
          "full.ratio: expected a number, got true"),
    CASE (WITH ("\xa4"
                "flag\x01"),
          "full.flag: expected true or false, got the integer 1"),
    CASE (WITH ("\xa4"
                "blob\xc4\x05"
                "abcde"),
          "full.blob: expected up to 4 bytes of binary, got 5 bytes"),
    CASE (WITH ("\xa4"
                "blob\x01"),
          "full.blob: expected up to 4 bytes of binary, got the integer 1"),
    CASE (WITH ("\xa5"
                "extra\xa6"
                "abcdef"),
          "full.extra: expected any one value of up to 6 bytes, got one of 7 bytes"),
    CASE (WITH ("\xa5"
                "extra\x91"),
          "full.extra: expected any one value of up to 6 bytes, got bytes that are cut"),
    CASE (WITH ("\xa6"
                "points\x81\x01\x01"),
          "full.points: expected a list of `point`, got a map of 1"),
    CASE (WITH ("\xa6"
                "points\x91\x05"),
          "full.points[0]: expected a map, got the integer 5"),
    CASE (WITH ("\xa6"
                "points\x92\x81\xa1x\x01\x81\xa1x\xcc\x65"),
          "full.points[1].x: expected an integer up to 100 in magnitude, got the integer 101"),
    CASE (WITH ("\xa6"
                "points\x91\x80"),
          "full.points[0].x: expected an integer up to 100 in magnitude, got nothing"),
    CASE (WITH ("\xa6"
                "points\x91\xd4\x01\x02"),
          "full.points[0]: expected a map, got an extension of type 1"),
#undef CASE
};

static void test_refusals (void **state)
{
    (void) state;
    full_t back;
    synod_fault_t fault = {0};
    for (size_t i = 0; i < sizeof s_refusals / sizeof s_refusals[0]; i++) {
        synod_str_t body = check_exact (s_refusals[i].body);
        check_fault (synod_record_unpack (&full_record, body, &back, &fault), SYNOD_BAD_REQUEST, fault,
                     s_refusals[i].words);
        free ((void *) body.data);
    }
}

static void test_tolerance (void **state)
{
    (void) state;
    full_t back;
    synod_fault_t fault = {0};
    /* any order, unknown fields, integers of any width, nil for what is optional, text for binary, int for f64 */
    synod_str_t body = BYTES ("\x87\xa4"
                              "name\xa1"
                              "n\xa3"
                              "new\x92\x01\x90\xa5"
                              "ratio\x02\xa4"
                              "blob\xa1"
                              "b\xa6"
                              "amount\xc0\xa5"
                              "count\xcf\0\0\0\0\0\0\x03\xe8\xa4"
                              "wide\xd3\xff\xff\xff\xff\xff\xff\xff\xff");
    check_ok (synod_record_unpack (&full_record, body, &back, &fault), fault);
    assert_true (back.ratio == 2.0 && back.count == 1000 && back.amount == 0 && back.wide == -1);
    assert_true (synod_str_is (back.blob, "b"));
    body = BYTES (WITH ("\xa5"
                        "ratio\xca\x3f\xc0\0\0"));
    check_ok (synod_record_unpack (&full_record, body, &back, &fault), fault);
    assert_true (back.ratio == 1.5);
}

static void test_cut_short (void **state)
{
    (void) state;
    synod_str_t body = BYTES (WITH ("\xa6"
                                    "points\x92\x81\xa1x\x01\x82\xa1x\x05\xa1y\x09"));
    full_t back;
    synod_fault_t fault = {0};
    check_ok (synod_record_unpack (&full_record, body, &back, &fault), fault);
    for (uint32_t size = 1; size < body.size; size++) {
        synod_str_t exact = check_exact (synod_str_n (body.data, size));
        assert_int_equal (synod_record_unpack (&full_record, exact, &back, &fault), SYNOD_BAD_REQUEST);
        assert_true (strlen (fault.text) > 20);
        free ((void *) exact.data);
    }
}

static void s_pack_refused (const full_t *in, const char *words)
{
    synod_buf_t out = {0};
    synod_fault_t fault = {0};
    assert_int_equal (synod__buf_add (&out, "before", 6), SYNOD_OK);
    check_fault (synod_record_pack (&full_record, in, &out, &fault), SYNOD_INVALID, fault, words);
    assert_int_equal (out.size, 6);
    synod_buf_free (&out);
}

static void test_pack_refusals (void **state)
{
    (void) state;
    full_t good = {.count = 1, .name = synod_str ("n")}, in;
#define REFUSED(member, value, words) \
    in = good;                        \
    in.member = value;                \
    s_pack_refused (&in, words)
    REFUSED (count, 1001, "full.count: expected an integer from 0 to 1000, got 1001");
    REFUSED (amount, 1001, "full.amount: expected an integer up to 1000 in magnitude, got 1001");
    REFUSED (amount, -1001, "got -1001");
    REFUSED (amount, INT64_MIN, "got -9223372036854775808");
    REFUSED (name, synod_str ("abcdef"), "full.name: expected a text of up to 5 bytes of UTF-8, got 6 bytes");
    REFUSED (name, synod_str ("\xff"),
             "full.name: expected a text of up to 5 bytes of UTF-8, got bytes that are not UTF-8");
    REFUSED (blob, synod_str ("abcde"), "full.blob: expected up to 4 bytes of binary, got 5 bytes");
    REFUSED (extra,
             BYTES ("\xa6"
                    "abcdef"),
             "full.extra: expected any one value of up to 6 bytes, got 7 bytes");
    REFUSED (extra, BYTES (""), "got bytes that are no such msgpack");
    REFUSED (extra, BYTES ("\x91"), "full.extra: expected any one value of up to 6 bytes, got bytes that are no such");
    REFUSED (extra, BYTES ("\x01\x02"),
             "full.extra: expected any one value of up to 6 bytes, got more bytes than that");
    synod_list_t list = {BYTES ("\x80"), 2};
    REFUSED (points, list, "full.points: expected a list of `point`, got bytes that are no such msgpack");
    list = (synod_list_t){BYTES ("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0"), 1};
    REFUSED (points, list, "full.points: expected a list of `point`, got values nested too deep");
}

static void test_limits (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    for (int64_t extra = -1; extra <= 1; extra++) {
        full_t in = {.count = (uint64_t) (1000 + extra), .name = synod_str ("n")}, back;
        synod_buf_t out = {0};
        assert_int_equal (synod_record_pack (&full_record, &in, &out, NULL), extra <= 0 ? SYNOD_OK : SYNOD_INVALID);
        char body[] = WITH ("\xa6"
                            "amount\xcd\x03\xe8");
        body[sizeof body - 2] = (char) (0xe8 + extra);
        assert_int_equal (synod_record_unpack (&full_record, synod_str_n (body, sizeof body - 1), &back, &fault),
                          extra <= 0 ? SYNOD_OK : SYNOD_BAD_REQUEST);
        synod_buf_free (&out);
    }
    /* depth: the body's map is one level; `any` may use the rest */
    for (int levels = SYNOD_DEPTH_MAX - 2; levels <= SYNOD_DEPTH_MAX; levels++) {
        char body[64] = "\x81\xa1k";
        memset (body + 3, 0x91, (size_t) levels);
        body[3 + levels] = (char) 0xc0;
        none_t none;
        assert_int_equal (synod_record_unpack (&none_record, synod_str_n (body, (size_t) levels + 4), &none, &fault),
                          levels < SYNOD_DEPTH_MAX ? SYNOD_OK : SYNOD_BAD_REQUEST);
    }
}

static void test_many_fields (void **state)
{
    (void) state;
    wide_t in = {.a = 1, .o = 2, .p = 3}, back;
    synod_buf_t out = {0};
    synod_fault_t fault = {0};
    check_ok (synod_record_pack (&wide_record, &in, &out, &fault), fault);
    assert_memory_equal (out.data,
                         "\xde\x00\x03\xa1"
                         "a\x01\xa1"
                         "o\x02\xa1"
                         "p\x03",
                         12);
    check_ok (synod_record_unpack (&wide_record, synod_str_n (out.data, out.size), &back, &fault), fault);
    assert_true (back.a == 1 && back.o == 2 && back.p == 3 && back.b == 0);
    synod_buf_free (&out);
}

/* Every record of the catalogue, its name without the prefix, packed from nothing and back. */
static void test_catalogue (void **state)
{
    (void) state;
    int records = 0;
    for (; synod__catalogue[records]; records++) {
        const synod_record_t *record = synod__catalogue[records];
        assert_int_equal (strlen (record->name), record->name_size);
        assert_true (record->name[0] != '_');
        char *rec = (char *) calloc (1, record->size), *back = (char *) calloc (1, record->size);
        assert_true (rec && back);
        synod_buf_t out = {0};
        synod_fault_t fault = {0};
        check_ok (synod_record_pack (record, rec, &out, &fault), fault);
        check_ok (synod_record_unpack (record, synod_str_n (out.data, out.size), back, &fault), fault);
        synod_buf_free (&out);
        free (rec);
        free (back);
    }
    assert_int_equal (records, 32);
    assert_string_equal (synod__hello_record.name, "hello");
    assert_string_equal (synod__nodes_are_record.name, "nodes_are");
    assert_int_equal (synod__nodes_record.flags, SYNOD_IDEMPOTENT);
}

static void test_errors (void **state)
{
    (void) state;
    for (int code = 0; code < SYNOD_ERRORS; code++) {
        const char *name = synod_error_name (code);
        assert_int_equal (synod_error_code (name, strlen (name)), code);
        assert_true (strlen (synod_error_meaning (code)) > 3);
    }
    assert_string_equal (synod_error_name (-1), "unknown");
    assert_string_equal (synod_error_name (SYNOD_ERRORS), "unknown");
    assert_string_equal (synod_error_meaning (SYNOD_ERRORS), synod_error_meaning (SYNOD_UNKNOWN));
    assert_int_equal (synod_error_code ("time", 4), SYNOD_UNKNOWN);
    assert_int_equal (synod_error_code ("timeouts", 8), SYNOD_UNKNOWN);
    synod_fault_t fault;
    assert_int_equal (synod_fault (NULL, SYNOD_IO, "%s", "x"), SYNOD_IO);
    assert_int_equal (synod_fault (&fault, SYNOD_IO, "a\033[2J%s\xff\xc2\x9b", "\n"), SYNOD_IO);
    assert_string_equal (fault.text, "a?[2J????");
    char text[400];
    memset (text, 'a', sizeof text);
    for (size_t at = SYNOD_FAULT_MAX - 5; at < SYNOD_FAULT_MAX; at++) {
        memset (text, 'a', sizeof text);
        memcpy (text + at, "\xe2\x82\xac", 3);
        text[399] = '\0';
        synod_fault (&fault, SYNOD_IO, "%s", text);
        assert_true (strlen (fault.text) >= SYNOD_FAULT_MAX - 4);
        assert_null (strchr (fault.text, '?'));
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_round_trip),  cmocka_unit_test (test_lists),         cmocka_unit_test (test_absent),
        cmocka_unit_test (test_bodies),      cmocka_unit_test (test_refusals),      cmocka_unit_test (test_tolerance),
        cmocka_unit_test (test_cut_short),   cmocka_unit_test (test_pack_refusals), cmocka_unit_test (test_limits),
        cmocka_unit_test (test_many_fields), cmocka_unit_test (test_catalogue),     cmocka_unit_test (test_errors),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
