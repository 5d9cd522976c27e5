/* SPDX-License-Identifier: MPL-2.0
 *
 * The reader in place, on bytes made by hand: every format of msgpack, cut short at every byte, and hostile counts.
 */
#include "check.h"

typedef struct {
    synod_str_t bytes;
    synod__type_t type;
    uint64_t number; /* of uint, int, bool; of the rest: the size */
} s_case_t;

static const s_case_t s_cases[] = {
    {{"\x00", 1}, SYNOD__UINT, 0},
    {{"\x7f", 1}, SYNOD__UINT, 127},
    {{"\xff", 1}, SYNOD__INT, (uint64_t) -1},
    {{"\xe0", 1}, SYNOD__INT, (uint64_t) -32},
    {{"\xc0", 1}, SYNOD__NIL, 0},
    {{"\xc2", 1}, SYNOD__BOOL, 0},
    {{"\xc3", 1}, SYNOD__BOOL, 1},
    {{"\xcc\xff", 2}, SYNOD__UINT, 255},
    {{"\xcd\xff\x01", 3}, SYNOD__UINT, 0xff01},
    {{"\xce\xff\x00\x00\x01", 5}, SYNOD__UINT, 0xff000001},
    {{"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9}, SYNOD__UINT, UINT64_MAX},
    {{"\xd0\x80", 2}, SYNOD__INT, (uint64_t) -128},
    {{"\xd0\x05", 2}, SYNOD__UINT, 5},
    {{"\xd1\x80\x00", 3}, SYNOD__INT, (uint64_t) INT16_MIN},
    {{"\xd2\x80\x00\x00\x00", 5}, SYNOD__INT, (uint64_t) INT32_MIN},
    {{"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9}, SYNOD__INT, (uint64_t) INT64_MIN},
    {{"\xd3\x00\x00\x00\x00\x00\x00\x00\x09", 9}, SYNOD__UINT, 9},
    {{"\xa0", 1}, SYNOD__STR, 0},
    {{"\xa3"
      "abc",
      4},
     SYNOD__STR,
     3},
    {{"\xd9\x03"
      "abc",
      5},
     SYNOD__STR,
     3},
    {{"\xda\x00\x03"
      "abc",
      6},
     SYNOD__STR,
     3},
    {{"\xdb\x00\x00\x00\x03"
      "abc",
      8},
     SYNOD__STR,
     3},
    {{"\xc4\x02"
      "ab",
      4},
     SYNOD__BIN,
     2},
    {{"\xc5\x00\x02"
      "ab",
      5},
     SYNOD__BIN,
     2},
    {{"\xc6\x00\x00\x00\x02"
      "ab",
      7},
     SYNOD__BIN,
     2},
    {{"\xc7\x02\x05"
      "ab",
      5},
     SYNOD__EXT,
     2},
    {{"\xc8\x00\x02\x05"
      "ab",
      6},
     SYNOD__EXT,
     2},
    {{"\xc9\x00\x00\x00\x02\x05"
      "ab",
      8},
     SYNOD__EXT,
     2},
    {{"\xd4\x05"
      "a",
      3},
     SYNOD__EXT,
     1},
    {{"\xd5\x05"
      "ab",
      4},
     SYNOD__EXT,
     2},
    {{"\xd6\x05"
      "abcd",
      6},
     SYNOD__EXT,
     4},
    {{"\xd7\x05"
      "abcdefgh",
      10},
     SYNOD__EXT,
     8},
    {{"\xd8\x05"
      "abcdefghijklmnop",
      18},
     SYNOD__EXT,
     16},
};
#define S_CASES (sizeof s_cases / sizeof s_cases[0])

static void test_formats (void **state)
{
    (void) state;
    for (size_t i = 0; i < S_CASES; i++) {
        const s_case_t *c = &s_cases[i];
        synod_str_t exact = check_exact (c->bytes), raw;
        synod__reader_t r = synod__reader (exact);
        synod__value_t v;
        assert_int_equal (synod__read (&r, &v), SYNOD_OK);
        assert_ptr_equal (r.at, r.end);
        assert_int_equal (v.type, c->type);
        if (c->type == SYNOD__UINT)
            assert_int_equal (v.u, c->number);
        else if (c->type == SYNOD__INT)
            assert_int_equal (v.i, (int64_t) c->number);
        else if (c->type == SYNOD__BOOL)
            assert_int_equal (v.b, c->number);
        else if (c->type == SYNOD__STR || c->type == SYNOD__BIN || c->type == SYNOD__EXT) {
            assert_int_equal (v.size, c->number);
            assert_memory_equal (v.data, "abcdefghijklmnop", v.size);
            assert_ptr_equal (v.data + v.size, r.end);
        }
        if (c->type == SYNOD__EXT)
            assert_int_equal (v.ext_type, 5);
        r = synod__reader (exact);
        assert_int_equal (synod__read_raw (&r, 0, &raw), SYNOD_OK);
        assert_int_equal (raw.size, c->bytes.size);
        free ((void *) exact.data);
    }
}

static void test_cut_short (void **state)
{
    (void) state;
    for (size_t i = 0; i < S_CASES; i++)
        for (uint32_t size = 0; size < s_cases[i].bytes.size; size++) {
            synod_str_t exact = check_exact (synod_str_n (s_cases[i].bytes.data, size)), raw;
            synod__reader_t r = synod__reader (exact), before = r;
            synod__value_t v;
            assert_int_equal (synod__read (&r, &v), SYNOD_BAD_FRAME);
            assert_ptr_equal (r.at, before.at);
            assert_int_equal (synod__read_raw (&r, SYNOD_DEPTH_MAX, &raw), SYNOD_BAD_FRAME);
            assert_ptr_equal (r.at, before.at);
            free ((void *) exact.data);
        }
}

static void test_floats (void **state)
{
    (void) state;
    synod__value_t v;
    synod__reader_t r = synod__reader (BYTES ("\xca\x3f\xc0\x00\x00\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal (synod__read (&r, &v), SYNOD_OK);
        assert_int_equal (v.type, SYNOD__FLOAT);
        assert_true (v.f == 1.5);
    }
    assert_ptr_equal (r.at, r.end);
}

/* A count is believed only as far as there are bytes for it. */
static void test_hostile_counts (void **state)
{
    (void) state;
    static const synod_str_t hostile[] = {
        {"\xdd\x20\x00\x00\x00", 5},
        {"\xdf\x80\x00\x00\x01\x01\x01", 7},
        {"\xdf\x20\x00\x00\x00", 5},
        {"\xdf\x80\x00\x00\x00\x01\x01", 7},
        {"\xdb\xff\xff\xff\xff"
         "a",
         6},
        {"\xc6\x80\x00\x00\x00"
         "a",
         6},
        {"\xc9\xff\xff\xff\xff\x01", 6},
        {"\xff\x80\x00\x00\x00", 5},
        {"\xc1", 1},
        {"\x92\x01", 2},
        {"\x81\x01", 2},
        {"\xdc\x00\x02\x01", 4},
        {"\xde\x00\x01\xa1k", 5},
        {"\xdd\xff\xff\xff\xff\x01\x02", 7},
        {"\xc7\xff\x01"
         "ab",
         5},
    };
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        synod_str_t exact = check_exact (hostile[i]), raw;
        synod__reader_t r = synod__reader (exact);
        int rc = synod__read_raw (&r, SYNOD_DEPTH_MAX, &raw);
        /* ff is -1, a whole value; what follows it is not ours */
        assert_int_equal (rc, (uint8_t) exact.data[0] == 0xff ? SYNOD_OK : SYNOD_BAD_FRAME);
        free ((void *) exact.data);
    }
    synod__value_t v;
    synod__reader_t r = synod__reader (BYTES ("\x92\x01"));
    assert_int_equal (synod__read (&r, &v), SYNOD_BAD_FRAME);
    r = synod__reader (BYTES ("\x81\x01"));
    assert_int_equal (synod__read (&r, &v), SYNOD_BAD_FRAME);
    r = synod__reader (BYTES ("\x92\x01\x02"));
    assert_int_equal (synod__read (&r, &v), SYNOD_OK);
    assert_int_equal (v.size, 2);
}

static void test_depth (void **state)
{
    (void) state;
    char bytes[64];
    for (uint32_t depth = 0; depth <= SYNOD_DEPTH_MAX; depth++)
        for (uint32_t levels = 0; levels <= SYNOD_DEPTH_MAX + 1; levels++)
            for (int empty = 0; empty < 2; empty++) {
                /* lists in lists, the innermost empty or around a nil */
                memset (bytes, 0x91, levels);
                bytes[levels] = (char) 0xc0;
                if (empty && levels > 0)
                    bytes[levels - 1] = (char) 0x90;
                synod_str_t raw, all = synod_str_n (bytes, empty && levels > 0 ? levels : levels + 1);
                synod__reader_t r = synod__reader (all);
                int rc = synod__read_raw (&r, depth, &raw);
                assert_int_equal (rc, levels <= depth ? SYNOD_OK : SYNOD_TOO_LARGE);
            }
}

/* Containers one after another do not add up. */
static void test_siblings (void **state)
{
    (void) state;
    synod_str_t raw, all = BYTES ("\x93\x91\x01\x82\xa1"
                                  "a\x90\xa1"
                                  "b\x91\x80\x92\x01\x02");
    synod__reader_t r = synod__reader (all);
    assert_int_equal (synod__read_raw (&r, 2, &raw), SYNOD_TOO_LARGE);
    assert_ptr_equal (r.at, all.data);
    assert_int_equal (synod__read_raw (&r, 4, &raw), SYNOD_OK);
    assert_int_equal (raw.size, all.size);
    assert_ptr_equal (r.at, r.end);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_formats),        cmocka_unit_test (test_cut_short), cmocka_unit_test (test_floats),
        cmocka_unit_test (test_hostile_counts), cmocka_unit_test (test_depth),     cmocka_unit_test (test_siblings),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
