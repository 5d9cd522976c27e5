/* SPDX-License-Identifier: MPL-2.0
 *
 * Many asks in one message: what is written is what is read, by the records of the catalogue too; anything else is refused
 * before any of it is used.
 */
#include "check.h"
#include "protocol/catalogue.h"
#include "protocol/many.h"

#define COUNT 300

static synod_str_t s_numbered (char *room, size_t size, const char *format, uint32_t number)
{
    return synod_str_n (room, (size_t) snprintf (room, size, format, (unsigned) number));
}

static synod_str_t s_asks (synod_buf_t *out, synod__many_t *in)
{
    char key[SYNOD_KEY_MAX];
    assert_int_equal (synod__many_begin (out), SYNOD_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t at = 0;
        synod_str_t name = i == 7 ? synod_str_n (memset (key, 'k', sizeof key), sizeof key)
                                  : s_numbered (key, sizeof key, "key-%u", i);
        int rc = synod__many_ask (out, name, synod_str (i % 2 ? "put" : "get"),
                                  i % 3 ? BYTES ("\x81\xa1x\x01") : BYTES (""), i % 2 ? &at : NULL);
        assert_int_equal (rc, SYNOD_OK);
        if (i % 2)
            synod__many_number (out, at, 1000 + i);
    }
    synod__many_end (out, COUNT, 77, 1001);
    synod_fault_t fault = {0};
    check_ok (synod_record_unpack (&synod__many_record, synod_str_n (out->data, out->size), in, &fault), fault);
    return synod_str_n (out->data, out->size);
}

static void test_asks (void **state)
{
    synod_buf_t out = {0};
    synod__many_t in;
    synod__many_reader_t reader;
    synod__many_ask_t ask;
    synod_fault_t fault = {0};
    (void) state;
    s_asks (&out, &in);
    assert_int_equal (in.client, 77);
    assert_int_equal (in.low, 1001);
    check_ok (synod__many_open (&reader, in.asks, in.low, &fault), fault);
    for (uint32_t i = 0; i < COUNT; i++) {
        char key[SYNOD_KEY_MAX];
        assert_true (synod__many_next (&reader, &ask));
        if (i != 7)
            assert_true (synod_str_same (ask.key, s_numbered (key, sizeof key, "key-%u", i)));
        assert_int_equal (ask.key.size, i == 7 ? SYNOD_KEY_MAX : strlen ("key-") + (i > 99 ? 3 : i > 9 ? 2 : 1));
        assert_true (synod_str_is (ask.method, i % 2 ? "put" : "get"));
        assert_int_equal (ask.number, i % 2 ? 1000 + i : 0);
        assert_int_equal (ask.body.size, i % 3 ? 4 : 0);
    }
    assert_false (synod__many_next (&reader, &ask));
    synod_buf_free (&out);
}

/* Cut anywhere, it is refused, and no byte behind its end is read. */
static void test_cut (void **state)
{
    synod_buf_t out = {0};
    synod__many_t in;
    (void) state;
    s_asks (&out, &in);
    for (uint32_t size = 0; size < in.asks.size; size += size < 64 ? 1 : 13) {
        synod__many_reader_t reader;
        synod_fault_t fault = {0};
        synod_str_t cut = check_exact (synod_str_n (in.asks.data, size));
        assert_int_equal (synod__many_open (&reader, cut, in.low, &fault), SYNOD_BAD_REQUEST);
        free ((char *) cut.data);
    }
    synod_buf_free (&out);
}

static void s_refused (synod_str_t asks, uint64_t low, const char *words)
{
    synod__many_reader_t reader;
    synod_fault_t fault = {0};
    int rc = synod__many_open (&reader, asks, low, &fault);
    check_fault (rc, SYNOD_BAD_REQUEST, fault, words);
}

static void test_refused (void **state)
{
    (void) state;
    s_refused (BYTES ("\x01"), 0, "an array");
    s_refused (BYTES ("\x93\xa1k\xa3get\xc0"), 0, "4 values of each");
    s_refused (BYTES ("\x94\xa1k\xa3get\xa1x\xc0"), 0, "ask 0: expected a key, a method, a number");
    s_refused (BYTES ("\x94\xa0\xa3get\xc0\xc0"), 0, "a key of 1 to 400 bytes");
    s_refused (BYTES ("\x94\xa1\x01\xa3get\xc0\xc0"), 0, "printable");
    s_refused (BYTES ("\x94\xa1k\xa3g t\xc0\xc0"), 0, "a method's name");
    s_refused (BYTES ("\x94\xa1k\xa3put\x05\xc0"), 6, "from `low` on");
    s_refused (BYTES ("\x94\xa1k\xa3put\x05\xc0"), 0, "from `low` on"); /* no client numbers it */
    char many[5] = "\xdd";
    uint32_t values = (SYNOD__MANY_MAX + 1) * 4;
    many[1] = (char) (values >> 24), many[2] = (char) (values >> 16), many[3] = (char) (values >> 8);
    many[4] = (char) values;
    char *long_one = calloc (1, sizeof many + values);
    assert_non_null (long_one);
    memcpy (long_one, many, sizeof many);
    s_refused (synod_str_n (long_one, sizeof many + values), 0, "up to 1024 asks");
    free (long_one);
}

static void test_answers (void **state)
{
    const synod__many_answer_t answers[] = {
        {.at = 0, .kind = SYNOD__MANY_ANSWER, .body = BYTES ("\x80")},
        {.at = 200, .kind = SYNOD__MANY_ERROR, .error = synod_str ("busy"), .body = synod_str ("too much")},
        {.at = 1023, .kind = SYNOD__MANY_ALONE},
        {.at = 5, .kind = SYNOD__MANY_ANSWER},
    };
    synod_buf_t out = {0};
    synod__many_reader_t reader;
    synod__many_answer_t in;
    synod__many_are_t are;
    synod_fault_t fault = {0};
    (void) state;
    assert_int_equal (synod__many_answers_begin (&out), SYNOD_OK);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal (synod__many_answer (&out, &answers[i]), SYNOD_OK);
    assert_int_equal (synod__many_answer_head (&out, 9), SYNOD_OK);
    assert_int_equal (synod__buf_add (&out, "\x80", 1), SYNOD_OK);
    synod__many_answers_end (&out, 5);
    synod_str_t body = synod_str_n (out.data, out.size);
    check_ok (synod_record_unpack (&synod__many_are_record, body, &are, &fault), fault);
    check_ok (synod__many_answers_open (&reader, body, &fault), fault);
    for (size_t i = 0; i < 4; i++) {
        assert_true (synod__many_answers_next (&reader, &in));
        assert_int_equal (in.at, answers[i].at);
        assert_int_equal (in.kind, answers[i].kind);
        assert_true (synod_str_same (in.error, answers[i].error));
        assert_true (synod_str_same (in.body, answers[i].body));
    }
    assert_true (synod__many_answers_next (&reader, &in));
    assert_int_equal (in.at, 9);
    assert_false (synod__many_answers_next (&reader, &in));
    /* likewise as others may pack it, with a shorter head */
    static const char other[] = "\x81\xa7"
                                "answers\x93\x02\xc0\x80";
    check_ok (synod__many_answers_open (&reader, BYTES (other), &fault), fault);
    assert_true (synod__many_answers_next (&reader, &in));
    assert_int_equal (in.at, 2);
    for (uint32_t size = 0; size < out.size; size++) {
        synod_str_t cut = check_exact (synod_str_n (out.data, size));
        uint32_t count = 0;
        if (synod__many_answers_open (&reader, cut, NULL) == SYNOD_OK)
            while (synod__many_answers_next (&reader, &in))
                count++;
        assert_true (count < 5);
        free ((char *) cut.data);
    }
    synod_buf_free (&out);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_asks), cmocka_unit_test (test_cut),
                                       cmocka_unit_test (test_refused), cmocka_unit_test (test_answers)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
