/* SPDX-License-Identifier: MPL-2.0
 *
 * Printing: JSON that a strict checker of our own accepts for any bytes, and lines that no peer's bytes can break.
 */
#include "check.h"
#include "protocol/text.h"

/* ---- a strict checker of JSON (RFC 8259), which knows nothing of the printer ---- */

static const char *s_json (const char *p, const char *end, int depth);

static const char *s_json_string (const char *p, const char *end)
{
    if (p >= end || *p++ != '"')
        return NULL;
    while (p < end && *p != '"') {
        if ((uint8_t) *p < 0x20)
            return NULL;
        if (*p == '\\') {
            if (++p >= end || !strchr ("\"\\/bfnrtu", *p))
                return NULL;
            if (*p == 'u')
                for (int i = 0; i < 4; i++)
                    if (++p >= end || !strchr ("0123456789abcdefABCDEF", *p))
                        return NULL;
        }
        p++;
    }
    return p < end ? p + 1 : NULL;
}

static const char *s_json_number (const char *p, const char *end)
{
    const char *first;
    if (p < end && *p == '-')
        p++;
    for (first = p; p < end && *p >= '0' && *p <= '9';)
        p++;
    if (p == first || (*first == '0' && p > first + 1))
        return NULL;
    if (p < end && *p == '.') {
        for (first = ++p; p < end && *p >= '0' && *p <= '9';)
            p++;
        if (p == first)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        for (first = p; p < end && *p >= '0' && *p <= '9';)
            p++;
        if (p == first)
            return NULL;
    }
    return p;
}

static const char *s_json_members (const char *p, const char *end, int depth, char close)
{
    if (++p < end && *p == close)
        return p + 1;
    while (p) {
        if (close == '}') {
            p = s_json_string (p, end);
            if (!p || p >= end || *p++ != ':')
                return NULL;
        }
        p = s_json (p, end, depth + 1);
        if (!p || p >= end)
            return NULL;
        if (*p == close)
            return p + 1;
        if (*p++ != ',')
            return NULL;
    }
    return NULL;
}

static const char *s_json (const char *p, const char *end, int depth)
{
    if (p >= end || depth > 40)
        return NULL;
    if (*p == '{')
        return s_json_members (p, end, depth, '}');
    if (*p == '[')
        return s_json_members (p, end, depth, ']');
    if (*p == '"')
        return s_json_string (p, end);
    const char *const words[] = {"null", "true", "false"};
    for (int i = 0; i < 3; i++)
        if ((size_t) (end - p) >= strlen (words[i]) && memcmp (p, words[i], strlen (words[i])) == 0)
            return p + strlen (words[i]);
    return s_json_number (p, end);
}

static void s_check_json (const char *text, size_t size)
{
    if (s_json (text, text + size, 0) != text + size || !synod__text_printable (text, size))
        fail_msg ("no JSON: %.*s", (int) size, text);
}

static void test_checker (void **state)
{
    (void) state;
    const char *const wrong[] = {"",       "{",       "{\"a\"}", "[1,]", "01", "1.",
                                 "\"\n\"", "\"\\x\"", "{1:2}",   "nul",  "1e", "-"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_true (s_json (wrong[i], wrong[i] + strlen (wrong[i]), 0) != wrong[i] + strlen (wrong[i]));
    s_check_json ("{\"a\":[1,-2.5e+3,null,{}],\"b\":\"\\u00e9\"}", 38);
}

static const struct {
    synod_str_t body;
    const char *json;
} s_bodies[] = {
#define CASE(literal, json)                   \
    {                                         \
        {literal, sizeof (literal) - 1}, json \
    }
    CASE ("", "null"),
    CASE ("\xc0", "null"),
    CASE ("\x80", "{}"),
    CASE ("\x90", "[]"),
    CASE ("\x82\xa1"
          "a\x01\xa1"
          "b\x92\xc2\xc3",
          "{\"a\":1,\"b\":[false,true]}"),
    CASE ("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
    CASE ("\xd3\x80\0\0\0\0\0\0\0", "-9223372036854775808"),
    CASE ("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1"),
    CASE ("\xcb\x3f\xf0\0\0\0\0\0\0", "1.0"),
    CASE ("\xcb\x80\0\0\0\0\0\0\0", "-0.0"),
    CASE ("\xcb\x7e\x37\xe4\x3c\x88\x00\x75\x9c", "1e+300"),
    CASE ("\xcb\x7f\xf8\0\0\0\0\0\0", "null"),
    CASE ("\xcb\xff\xf0\0\0\0\0\0\0", "null"),
    CASE ("\xca\x7f\x80\0\0", "null"),
    CASE ("\xa5"
          "a\"\\\n\t",
          "\"a\\\"\\\\\\n\\t\""),
    CASE ("\xa4\x1b[0m", "\"\\u001b[0m\""),
    CASE ("\xa1\x7f", "\"\\u007f\""),
    CASE ("\xa2\xc2\x9b", "\"\\u009b\""),
    CASE ("\xa3\xe2\x80\xae", "\"\\u202e\""),
    CASE ("\xa3\xe2\x80\x8e", "\"\\u200e\""),
    CASE ("\xa3\xe2\x82\xac", "\"\xe2\x82\xac\""),
    CASE ("\xa2\xff"
          "a",
          "{\"$bin\":\"/2E=\"}"),
    CASE ("\xc4\0", "{\"$bin\":\"\"}"),
    CASE ("\xc4\x01"
          "f",
          "{\"$bin\":\"Zg==\"}"),
    CASE ("\xc4\x06"
          "foobar",
          "{\"$bin\":\"Zm9vYmFy\"}"),
    CASE ("\xd4\x05"
          "f",
          "{\"$ext\":5,\"$bin\":\"Zg==\"}"),
    CASE ("\xd4\xff"
          "f",
          "{\"$ext\":-1,\"$bin\":\"Zg==\"}"),
    CASE ("\x81\x05\x01", "{\"5\":1}"),
    CASE ("\x81\xff\x01", "{\"-1\":1}"),
    CASE ("\x81\xc0\x01", "{\"null\":1}"),
    CASE ("\x81\xc3\x01", "{\"true\":1}"),
    CASE ("\x81\x92\x01\x02\x01", "{\"a list of 2\":1}"),
    CASE ("\x81\x81\x01\x02\x01", "{\"a map of 1\":1}"),
    CASE ("\x81\xc4\x01"
          "f\x01",
          "{\"Zg==\":1}"),
    CASE ("\x81\xa1\xff\x01", "{\"/w==\":1}"),
#undef CASE
};

static void test_bodies (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_bodies / sizeof s_bodies[0]; i++) {
        synod_buf_t out = {0};
        synod_fault_t fault = {0};
        assert_int_equal (synod__buf_add (&out, "> ", 2), SYNOD_OK);
        check_ok (synod_body_json (s_bodies[i].body, &out, &fault), fault);
        assert_string_equal (out.data + 2, s_bodies[i].json);
        assert_int_equal (out.size, 2 + strlen (s_bodies[i].json));
        s_check_json (out.data + 2, out.size - 2);
        synod_buf_free (&out);
    }
}

static void test_body_refusals (void **state)
{
    (void) state;
    const synod_str_t wrong[] = {BYTES ("\x91"), BYTES ("\xc1"), BYTES ("\x01\x02"), BYTES ("\xdd\x20\0\0\0"),
                                 BYTES ("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01")};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        synod_buf_t out = {0};
        synod_fault_t fault = {0};
        check_fault (synod_body_json (wrong[i], &out, &fault), SYNOD_BAD_REQUEST, fault,
                     "one msgpack value of at most 16");
        assert_int_equal (out.size, 0);
        synod_buf_free (&out);
    }
}

static void s_print (synod__line_t *line, synod_buf_t *text, synod_buf_t *json)
{
    text->size = json->size = 0;
    assert_int_equal (synod__print_line (text, line), SYNOD_OK);
    assert_int_equal (synod__print_json (json, line), SYNOD_OK);
    assert_true (synod__text_printable (text->data, text->size));
    s_check_json (json->data, json->size);
    assert_int_equal (synod__buf_add (text, "", 1), SYNOD_OK);
    assert_int_equal (synod__buf_add (json, "", 1), SYNOD_OK);
}

static void test_lines (void **state)
{
    (void) state;
    synod_buf_t text = {0}, json = {0};
    synod_frame_t frame = {.address = synod_str ("w1/counter"), .node = synod_str ("n1"), .epoch = 3, .number = 4};
    synod_envelope_t e = {.kind = SYNOD_KIND_ASK,
                          .method = synod_str ("add"),
                          .from = synod_str ("main"),
                          .id = 7,
                          .left_ms = 5000,
                          .trace = 9,
                          .body = BYTES ("\x81\xa1"
                                         "a\x01")};
    synod__line_t line = {951782400000001, &frame, &e};
    s_print (&line, &text, &json);
    assert_string_equal (text.data, "00:00:00.000001 n1/main w1/counter ask add {\"a\":1} 4");
    assert_null (strstr (json.data, "client"));
    e.client = 70;
    e.number = 71;
    s_print (&line, &text, &json);
    assert_non_null (strstr (json.data, "\"id\":7,\"client\":70,\"command\":71,\"left_ms\":5000"));
    e.client = e.number = 0;
    s_print (&line, &text, &json);
    assert_string_equal (
        json.data,
        "{\"time\":\"2000-02-29T00:00:00.000001Z\",\"from\":\"n1/main\",\"to\":\"w1/counter\",\"kind\":\"ask\","
        "\"method\":\"add\",\"id\":7,\"left_ms\":5000,\"trace\":9,\"epoch\":3,\"number\":4,\"body\":{\"a\":1},\"size\":"
        "4}");
    line.at_us = -1;
    s_print (&line, &text, &json);
    assert_non_null (strstr (json.data, "\"1969-12-31T23:59:59.999999Z\""));
    memset (&e, 0, sizeof e);
    e.kind = SYNOD_KIND_REPLY;
    e.from = synod_str ("n2/other");
    e.to = synod_str ("n1/main");
    frame.epoch = frame.number = 0;
    line.at_us = 0;
    s_print (&line, &text, &json);
    assert_string_equal (text.data, "n2/other n1/main reply - - 0");
    assert_string_equal (
        json.data,
        "{\"from\":\"n2/other\",\"to\":\"n1/main\",\"kind\":\"reply\",\"method\":null,\"body\":null,\"size\":0}");
    synod_buf_free (&text);
    synod_buf_free (&json);
}

static void test_hostile_lines (void **state)
{
    (void) state;
    synod_buf_t text = {0}, json = {0};
    static char big[SYNOD_ADDRESS_MAX * 2];
    memset (big, 'x', sizeof big);
    synod_frame_t frame = {.address = BYTES ("a b\n\xff"), .node = BYTES ("\033[2J")};
    synod_envelope_t e = {.kind = (synod_kind_t) 99, .method = BYTES ("\xc2\x9b"), .from = BYTES ("\0")};
    e.body = BYTES ("\xdd\x20\0\0\0");
    synod__line_t line = {INT64_MIN, &frame, &e};
    s_print (&line, &text, &json);
    assert_non_null (strstr (text.data, " \\x1b[2J/\\x00 a\\x20b\\x0a\\xff ? \\xc2\\x9b ? 5"));
    assert_non_null (strstr (json.data, "\"body\":null,\"malformed\":true,\"size\":5"));
    line.at_us = INT64_MAX;
    e.from = synod_str_n (big, sizeof big);
    s_print (&line, &text, &json);
    memset (&frame, 0, sizeof frame);
    memset (&e, 0, sizeof e);
    line.at_us = 0;
    s_print (&line, &text, &json);
    assert_string_equal (text.data, "- - ? - - 0");
    synod_buf_free (&text);
    synod_buf_free (&json);
}

/* A long body is cut, never within a character, and the size is the whole one's. */
static void test_long_bodies (void **state)
{
    (void) state;
    synod_buf_t text = {0}, json = {0}, body = {0};
    synod_frame_t frame = {.address = synod_str ("a"), .node = synod_str ("n")};
    for (size_t shift = 0; shift < 4; shift++) {
        body.size = 0;
        assert_int_equal (synod__buf_add (&body, "\x81\xa1k\xda\x08\x00", 6), SYNOD_OK);
        for (size_t i = 0; i < shift; i++)
            assert_int_equal (synod__buf_add (&body, "a", 1), SYNOD_OK);
        while (body.size < 6 + 2048 - 3)
            assert_int_equal (synod__buf_add (&body, "\xe2\x82\xac", 3), SYNOD_OK);
        while (body.size < 6 + 2048)
            assert_int_equal (synod__buf_add (&body, "a", 1), SYNOD_OK);
        synod_envelope_t e = {.kind = SYNOD_KIND_TELL, .method = synod_str ("m"), .body = {body.data, 0}};
        e.body.size = (uint32_t) body.size;
        synod__line_t line = {0, &frame, &e};
        s_print (&line, &text, &json);
        assert_non_null (strstr (text.data, "... 2054"));
        assert_in_range (text.size, 200, 230);
        assert_true (json.size > 2048);
    }
    synod_buf_free (&text);
    synod_buf_free (&json);
    synod_buf_free (&body);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_checker), cmocka_unit_test (test_bodies),        cmocka_unit_test (test_body_refusals),
        cmocka_unit_test (test_lines),   cmocka_unit_test (test_hostile_lines), cmocka_unit_test (test_long_bodies),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
