/* SPDX-License-Identifier: MPL-2.0
 *
 * RESP2: requests are read alike whatever pieces they come in; what is none is named as Redis names it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "actors/redis/resp.h"

typedef struct {
    char text[4096]; /* [word][word]; a request a line */
    const char *error;
    char room[64];
} read_t;

/* Reads all of TEXT, PIECE bytes more at a time. */
static void s_read (const char *text, size_t size, size_t piece, read_t *out)
{
    synod__resp_t resp = {0};
    size_t from = 0, have = 0, used;
    memset (out, 0, sizeof *out);
    while (have < size && !out->error) {
        have = have + piece < size ? have + piece : size;
        /* other memory each time: nothing may be remembered of it */
        char *copy = (char *) malloc (have - from + 1);
        memcpy (copy, text + from, have - from);
        size_t at = 0;
        while (synod__resp_read (&resp, synod_str_n (copy + at, have - from - at), &used, out->room, &out->error) ==
               SYNOD__RESP_REQUEST) {
            for (uint32_t i = 0; i < resp.argc; i++)
                snprintf (out->text + strlen (out->text), sizeof out->text - strlen (out->text), "[%.*s]",
                          SYNOD_STR (resp.argv[i]));
            if (resp.argc)
                snprintf (out->text + strlen (out->text), sizeof out->text - strlen (out->text), "\n");
            at += used;
        }
        from += at;
        free (copy);
    }
    synod__resp_free (&resp);
}

static void s_is (const char *text, const char *requests, const char *error)
{
    static const size_t pieces[] = {1, 2, 3, 7, 4096};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        read_t out;
        s_read (text, strlen (text), pieces[i], &out);
        assert_string_equal (out.text, requests);
        if (error)
            assert_string_equal (out.error, error);
        else
            assert_null (out.error);
    }
}

static void arrays (void **state)
{
    (void) state;
    s_is ("*1\r\n$4\r\nPING\r\n", "[PING]\n", NULL);
    s_is ("*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1\r\n$1\r\nx\r\n", "[GET][]\n[x]\n", NULL);
    s_is ("*0\r\n*-1\r\n*1\r\n$2\r\n\r\n\r\n", "[\r\n]\n", NULL);
    s_is ("*2\r\n$3\r\nGET\r\n$1", "", NULL);
    s_is ("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$10\r\n0123456789\r\nPING\r\n", "[SET][a][0123456789]\n[PING]\n", NULL);
}

static void lines (void **state)
{
    (void) state;
    s_is ("PING\r\n", "[PING]\n", NULL);
    s_is ("\r\n  \nSET  a\t b \n", "[SET][a][b]\n", NULL);
    s_is ("SET a \"x y\\n\\x41\\\"\" 'it\\'s'\n", "[SET][a][x y\nA\"][it's]\n", NULL);
    s_is ("GET \"\"\n", "[GET][]\n", NULL);
    s_is ("GET \"a\n", "", "unbalanced quotes in request");
    s_is ("GET \"a\"b\n", "", "unbalanced quotes in request");
    s_is ("GET 'a\n", "", "unbalanced quotes in request");
}

static void garbage (void **state)
{
    (void) state;
    s_is ("*x\r\n", "", "invalid multibulk length");
    s_is ("*1048577\r\n", "", "invalid multibulk length");
    s_is ("*01\r\n", "", "invalid multibulk length");
    s_is ("*1\r\nPING\r\n", "", "expected '$', got 'P'");
    s_is ("PING\n*1\r\n:1\r\n", "[PING]\n", "expected '$', got ':'");
    s_is ("*1\r\n$-1\r\n", "", "invalid bulk length");
    s_is ("*1\r\n$1048577\r\n", "", "invalid bulk length");
    s_is ("*1\r\n$abc\r\n", "", "invalid bulk length");
}

/* Lines that do not end. */
static void endless (void **state)
{
    static const char *const begins[] = {"", "*", "*1\r\n$"}, *const errors[] = {"too big inline request",
                                                                                 "too big mbulk count string",
                                                                                 "too big bulk count string"};
    char *text = (char *) malloc (SYNOD__RESP_LINE_MAX + 64);
    (void) state;
    for (int i = 0; i < 3; i++) {
        read_t out;
        size_t begin = strlen (begins[i]);
        memcpy (text, begins[i], begin);
        memset (text + begin, '1', SYNOD__RESP_LINE_MAX + 8);
        s_read (text, SYNOD__RESP_LINE_MAX - 8, 4096, &out);
        assert_null (out.error);
        s_read (text, begin + SYNOD__RESP_LINE_MAX + 8, 4096, &out);
        assert_string_equal (out.error, errors[i]);
    }
    free (text);
}

static void replies (void **state)
{
    synod_buf_t out = {0};
    (void) state;
    synod__resp_int (&out, INT64_MIN);
    synod__resp_bulk (&out, synod_str_n (NULL, 0));
    synod__resp_bulk (&out, synod_str (""));
    synod__resp_bulk (&out, synod_str ("a\r\nb"));
    synod__resp_array (&out, 2);
    synod__resp_status (&out, "OK");
    synod__resp_error (&out, synod_str ("ERR a\r\nb"));
    static const char expected[] =
        ":-9223372036854775808\r\n$-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*2\r\n+OK\r\n-ERR a  b\r\n";
    assert_int_equal (out.size, sizeof expected - 1);
    assert_memory_equal (out.data, expected, out.size);
    synod_buf_free (&out);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (arrays),  cmocka_unit_test (lines),   cmocka_unit_test (garbage),
        cmocka_unit_test (endless), cmocka_unit_test (replies),
    };
    return cmocka_run_group_tests_name ("redis/resp", tests, NULL, NULL);
}
