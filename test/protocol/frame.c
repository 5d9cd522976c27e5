/* SPDX-License-Identifier: MPL-2.0
 *
 * Frames: written and read back, every refusal with its sentence, cut at every byte, changed at random.
 */
#include "check.h"
#include "protocol/address.h"

#define ADD_FIELDS(FIELD, OPT) FIELD (str, name, 63, "the counter") OPT (i64, amount, INT64_MAX, "how much")
SYNOD_RECORD (add, ADD_FIELDS, 0, "add to a counter")
#define LOAD_FIELDS(FIELD, OPT) FIELD (bin, load, UINT32_MAX, "bytes")
SYNOD_RECORD (load, LOAD_FIELDS, 0, "as large as wanted")

/* address a, node n, incarnation 1, epoch 0, number 0 */
#define HEAD "a\0\x95\x01\xa1n\x01\x00\x00"

/* Bytes, none of them a terminator. */
static void s_put (char *to, synod_str_t bytes)
{
    memcpy (to, bytes.data, bytes.size);
}

static void s_batch (synod__batch_t *batch, int envelopes)
{
    synod_fault_t fault = {0};
    assert_int_equal (synod__batch_begin (batch, synod_str ("w1/counter"), synod_str ("n1"), 0x123456789a, 300),
                      SYNOD_OK);
    for (int i = 0; i < envelopes; i++) {
        add_t add = {.name = synod_str ("hits"), .amount = i - 2};
        synod_envelope_t e = {.kind = SYNOD_KIND_ASK,
                              .method = synod_str ("add"),
                              .from = i % 2 ? synod_str ("main") : (synod_str_t){NULL, 0},
                              .to = i % 3 ? synod_str ("w1/counter#key") : (synod_str_t){NULL, 0},
                              .id = (uint64_t) i * 1000 + 1,
                              .left_ms = (uint64_t) i << 20,
                              .trace = (uint64_t) i << 40};
        check_ok (synod__batch_add_record (batch, &e, &add_record, &add, &fault), fault);
    }
}

static void test_round_trip (void **state)
{
    (void) state;
    synod__batch_t batch = {0};
    synod_fault_t fault = {0};
    s_batch (&batch, 10);
    synod__batch_number (&batch, 0x1122334455667788);
    assert_int_equal (batch.count, 10);
    synod_str_t bytes = check_exact (synod_str_n (batch.buf.data, batch.buf.size));
    assert_int_equal (synod__address_size (bytes.data, bytes.size), 10);
    synod_frame_t frame;
    check_ok (synod__frame_open (&frame, bytes.data, bytes.size, &fault), fault);
    assert_true (synod_str_is (frame.address, "w1/counter") && synod_str_is (frame.node, "n1"));
    assert_true (frame.incarnation == 0x123456789a && frame.epoch == 300 && frame.number == 0x1122334455667788);
    assert_ptr_equal (frame.rest.at, bytes.data + batch.head_size);
    for (int i = 0; i < 10; i++) {
        synod_envelope_t e;
        check_ok (synod__frame_next (&frame, &e, &fault), fault);
        assert_int_equal (e.kind, SYNOD_KIND_ASK);
        assert_true (synod_str_is (e.method, "add"));
        assert_true (i % 2 ? synod_str_is (e.from, "main") : !e.from.data);
        assert_true (i % 3 ? synod_str_is (e.to, "w1/counter#key") : !e.to.data);
        assert_int_equal (e.id, (uint64_t) i * 1000 + 1);
        assert_int_equal (e.left_ms, (uint64_t) i << 20);
        assert_int_equal (e.trace, (uint64_t) i << 40);
        add_t add;
        check_ok (synod_record_unpack (&add_record, e.body, &add, &fault), fault);
        assert_true (add.amount == i - 2 && synod_str_is (add.name, "hits"));
    }
    synod_envelope_t e;
    assert_int_equal (synod__frame_next (&frame, &e, &fault), SYNOD_NOT_FOUND);
    assert_int_equal (frame.count, 10);
    free ((void *) bytes.data);
    synod__batch_free (&batch);
}

/* Numbers and texts on both sides of every width. */
static void test_widths (void **state)
{
    (void) state;
    static const uint64_t edges[] = {0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, UINT32_MAX, 1ull << 32, UINT64_MAX};
    static const size_t sizes[] = {1, 31, 32, 255, 256, SYNOD_ADDRESS_MAX};
    char text[SYNOD_ADDRESS_MAX];
    synod__batch_t batch = {0};
    synod_fault_t fault = {0};
    memset (text, 'a', sizeof text);
    for (size_t n = 0; n < 9; n++)
        for (size_t t = 0; t < 6; t++) {
            synod_envelope_t in = {.kind = SYNOD_KIND_ASK, .method = synod_str ("m"), .id = edges[n]}, out;
            in.left_ms = edges[8 - n];
            in.to = synod_str_n (text, sizes[t]);
            if (t % 2) { /* a command */
                in.client = edges[8 - n];
                in.number = edges[n];
                in.low = edges[n] / (t + 1) + 1;
            } else if (t)
                in.again = edges[8 - n];
            assert_int_equal (synod__batch_begin (&batch, in.to, synod_str ("n"), edges[n], edges[8 - n]), SYNOD_OK);
            assert_int_equal (synod__batch_add (&batch, &in), SYNOD_OK);
            synod_frame_t frame;
            check_ok (synod__frame_open (&frame, batch.buf.data, batch.buf.size, &fault), fault);
            assert_true (frame.incarnation == edges[n] && frame.epoch == edges[8 - n]);
            check_ok (synod__frame_next (&frame, &out, &fault), fault);
            assert_true (out.client == in.client && out.number == in.number && out.low == in.low &&
                         out.again == in.again);
            assert_true (out.id == edges[n] && out.left_ms == edges[8 - n] && synod_str_same (out.to, in.to));
            assert_int_equal (synod__frame_next (&frame, &out, &fault), SYNOD_NOT_FOUND);
        }
    synod__batch_free (&batch);
}

/* A text that fills the buffer to the last byte, its NUL included or not. */
static void test_buffer (void **state)
{
    (void) state;
    for (size_t size = 250; size < 260; size++) {
        synod_buf_t buf = {0};
        assert_int_equal (synod__buf_add (&buf, "", 1), SYNOD_OK);
        assert_int_equal (synod__buf_printf (&buf, "%*s", (int) size, "end"), SYNOD_OK);
        assert_int_equal (buf.size, size + 1);
        assert_memory_equal (buf.data + buf.size - 3, "end", 3);
        assert_int_equal (synod__buf_reserve (&buf, SIZE_MAX - 10), SYNOD_NO_MEMORY);
        assert_int_equal (buf.size, size + 1);
        synod_buf_free (&buf);
        assert_null (buf.data);
    }
}

static void s_open_refused (synod_str_t bytes, int code, const char *words)
{
    synod_frame_t frame;
    synod_fault_t fault = {0};
    synod_str_t exact = check_exact (bytes);
    check_fault (synod__frame_open (&frame, exact.data, exact.size, &fault), code, fault, words);
    assert_int_equal (synod__frame_open (&frame, exact.data, exact.size, NULL), code);
    free ((void *) exact.data);
}

static void test_open_refusals (void **state)
{
    (void) state;
    static char big[SYNOD_FRAME_MAX + SYNOD_FRAME_SLACK + 1] = HEAD;
    synod_frame_t frame;
    synod_fault_t fault = {0};
    check_ok (synod__frame_open (&frame, big, sizeof big - 1, &fault), fault);
    s_open_refused (synod_str_n (big, sizeof big), SYNOD_TOO_LARGE, "frame: expected at most 262144 bytes, got 266241");
    s_open_refused (BYTES (""), SYNOD_BAD_FRAME, "frame: expected address NUL header envelopes, got no bytes");
    s_open_refused (BYTES ("abc"), SYNOD_BAD_FRAME, "expected an address and a NUL, got 3 bytes without one");
    s_open_refused (BYTES ("\xff\x80\x00\x00\x00"), SYNOD_BAD_ADDRESS, "address: expected printable text, got \"??\"");
    s_open_refused (BYTES ("\0\x95\x01\xa1n\x01\x00\x00"), SYNOD_BAD_ADDRESS, "1 to 480 bytes and a NUL, got none");
    s_open_refused (BYTES ("a\033b\0\x95"), SYNOD_BAD_ADDRESS, "expected printable text, got \"a?b\"");
    s_open_refused (BYTES ("a\0"), SYNOD_BAD_FRAME, "header: expected a list of 5, got the end of the frame");
    s_open_refused (BYTES ("a\0\x80"), SYNOD_BAD_FRAME, "header: expected a list of 5, got a map of 0");
    s_open_refused (BYTES ("a\0\x90"), SYNOD_BAD_FRAME, "header: expected a list of 5, got a list of 0");
    s_open_refused (BYTES ("a\0\xdd\x20\0\0\0"), SYNOD_BAD_FRAME,
                    "header: expected a list of 5, got bytes that are cut");
    s_open_refused (BYTES ("a\0\x94\x01\xa1n\x01\0"), SYNOD_BAD_FRAME, "header: expected a list of 5, got a list of 4");
    s_open_refused (BYTES ("a\0\x96\x01\xa1n\x01\0\0\0"), SYNOD_BAD_FRAME, "a list of 5, got a list of 6");
    s_open_refused (BYTES ("a\0\x91\xa1"
                           "1"),
                    SYNOD_BAD_FRAME, "header's version: expected an integer from 0 on, got a text");
    s_open_refused (BYTES ("a\0\x96\x02\xc0\xc0\xc0\xc0\xc0"), SYNOD_BAD_VERSION, "expected 1, got 2");
    s_open_refused (BYTES ("a\0\x91\xcd\x01\0"), SYNOD_BAD_VERSION, "expected 1, got 256");
    s_open_refused (BYTES ("a\0\x95\0\xa1n\x01\0\0"), SYNOD_BAD_VERSION, "expected 1, got 0");
    s_open_refused (BYTES ("a\0\x95\x01\x07\x01\0\0"), SYNOD_BAD_FRAME,
                    "header's node: expected a name, got the integer 7");
    s_open_refused (BYTES ("a\0\x95\x01\xa0\x01\0\0"), SYNOD_BAD_FRAME, "header's node: expected a name of 1 to 63");
    s_open_refused (BYTES ("a\0\x95\x01\xa3n m\x01\0\0"), SYNOD_BAD_FRAME, "got \"n m\" (3 bytes)");
    s_open_refused (BYTES ("a\0\x95\x01\xa1n\xff\0\0"), SYNOD_BAD_FRAME,
                    "header's incarnation: expected an integer from 0");
    s_open_refused (BYTES ("a\0\x95\x01\xa1n\x01\xc0\0"), SYNOD_BAD_FRAME,
                    "header's epoch: expected an integer from 0 on, got nil");
    s_open_refused (BYTES ("a\0\x95\x01\xa1n\x01\0\x90"), SYNOD_BAD_FRAME,
                    "header's number: expected an integer from 0 on, got a list");
}

static void test_open_limits (void **state)
{
    (void) state;
    for (int extra = -1; extra <= 1; extra++) {
        char bytes[SYNOD_ADDRESS_MAX + 40];
        size_t size = (size_t) (SYNOD_ADDRESS_MAX + extra);
        memset (bytes, 'a', size);
        s_put (bytes + size, BYTES ("\0\x95\x01\xa1n\x01\0\0"));
        synod_frame_t frame;
        int rc = synod__frame_open (&frame, bytes, size + 8, NULL);
        assert_int_equal (rc, extra <= 0 ? SYNOD_OK : SYNOD_BAD_ADDRESS);
        assert_int_equal (synod__address_size (bytes, size + 8), extra <= 0 ? size : 0);
    }
    for (int extra = -1; extra <= 1; extra++) {
        char bytes[200] = "a\0\x95\x01\xd9";
        size_t size = (size_t) (SYNOD_NAME_MAX + extra);
        bytes[5] = (char) size;
        memset (bytes + 6, 'n', size);
        s_put (bytes + 6 + size, BYTES ("\x01\x00\x00"));
        synod_frame_t frame;
        int rc = synod__frame_open (&frame, bytes, size + 9, NULL);
        assert_int_equal (rc, extra <= 0 ? SYNOD_OK : SYNOD_BAD_FRAME);
    }
    assert_int_equal (synod__address_size ("", 0), 0);
    assert_int_equal (synod__address_size ("abc", 3), 0);
    assert_int_equal (synod__address_size ("\0", 1), 0);
}

/* Envelopes that are refused, and why. */
static const struct {
    synod_str_t bytes;
    const char *words;
} s_wrong[] = {
#define CASE(envelope, words)                              \
    {                                                      \
        {HEAD envelope, sizeof (HEAD envelope) - 1}, words \
    }
    CASE ("\x80", "envelope: expected a list of 8, got a map of 0"),
    CASE ("\x97\x04\xa1m\xc0\xc0\xc0\xc0\xc0", "envelope: expected a list of 8, got a list of 7"),
    CASE ("\x99\x04\xa1m\xc0\xc0\xc0\xc0\xc0\xc0\xc0", "envelope: expected a list of 8, got a list of 9"),
    CASE ("\xdd\x20\0\0\0", "envelope: expected a list of 8, got bytes that are cut short"),
    CASE ("\x98", "envelope's kind: expected 1 to 6, got the end of the frame"),
    CASE ("\x98\0\xa1m\xc0\xc0\xc0\xc0\xc0\xc0", "envelope's kind: expected 1 to 6, got 0"),
    CASE ("\x98\x07\xa1m\xc0\xc0\xc0\xc0\xc0\xc0", "envelope's kind: expected 1 to 6, got 7"),
    CASE ("\x98\xa1k\xa1m\xc0\xc0\xc0\xc0\xc0\xc0", "envelope's kind: expected 1 to 6, got a text of 1"),
    CASE ("\x98\x04\xc0\xc0\xc0\xc0\xc0\xc0\xc0", "envelope's method: expected the method of the tell, got nil"),
    CASE ("\x98\x01\xc0\xc0\xc0\x01\xc0\xc0\xc0", "expected the method of the ask, got nil"),
    CASE ("\x98\x05\xc0\xc0\xc0\x01\xc0\xc0\xc0", "expected the method of the publish, got nil"),
    CASE ("\x98\x01\xa1m\xc0\xc0\xc0\xc0\xc0\xc0", "envelope's id: expected the id of the ask from 1 on, got none"),
    CASE ("\x98\x02\xc0\xc0\xc0\0\xc0\xc0\xc0", "expected the id of the reply from 1 on"),
    CASE ("\x98\x03\xc0\xc0\xc0\0\xc0\xc0\xc0", "expected the id of the error from 1 on"),
    CASE ("\x98\x04\x01\xc0\xc0\xc0\xc0\xc0\xc0", "envelope's method: expected a text or nil, got the integer 1"),
    CASE ("\x98\x04\xa0\xc0\xc0\xc0\xc0\xc0\xc0", "envelope's method: expected 1 to 63 bytes of printable text or nil"),
    CASE ("\x98\x04\xa1\n\xc0\xc0\xc0\xc0\xc0\xc0",
          "envelope's method: expected 1 to 63 bytes of printable text or nil, got \"?\""),
    CASE ("\x98\x04\xd9\x40"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "(64 bytes)"),
    CASE ("\x98\x04\xa1m\x01\xc0\xc0\xc0\xc0\xc0", "envelope's to: expected a text or nil, got the integer 1"),
    CASE ("\x98\x04\xa1m\xa0\xc0\xc0\xc0\xc0\xc0", "envelope's to: expected 1 to 480 bytes"),
    CASE ("\x98\x04\xa1m\xc0\xa1\xff\xc0\xc0\xc0\xc0", "envelope's from: expected 1 to 480 bytes"),
    CASE ("\x98\x04\xa1m\xc0\xc4\x01z\xc0\xc0\xc0\xc0",
          "envelope's from: expected a text or nil, got 1 bytes of binary"),
    CASE ("\x98\x04\xa1m\xc0\xc0\xff\xc0\xc0\xc0",
          "envelope's id: expected an integer from 0 on, nil or a list of 2 or 4, got the integer -1"),
    CASE ("\x98\x01\xa1m\xc0\xc0\x94\x01\x07\x05\x06\xc0\xc0\xc0",
          "envelope's id: expected a client from 1 on and 1 <= low <= number, got 7, 6, 5"),
    CASE ("\x98\x01\xa1m\xc0\xc0\x94\x01\0\x05\x05\xc0\xc0\xc0", "1 <= low <= number, got 0, 5, 5"),
    CASE ("\x98\x01\xa1m\xc0\xc0\x94\x01\x07\x05\0\xc0\xc0\xc0", "1 <= low <= number, got 7, 0, 5"),
    CASE ("\x98\x01\xa1m\xc0\xc0\x94\x01\x07\xa1n\x01\xc0\xc0\xc0",
          "envelope's id: expected a list of 4 integers, got a text"),
    CASE ("\x98\x01\xa1m\xc0\xc0\x93\x01\x07\x05\xc0\xc0\xc0",
          "an integer from 0 on, nil or a list of 2 or 4, got a list of 3"),
    CASE ("\x98\x01\xa1m\xc0\xc0\x92\x01\0\xc0\xc0\xc0", "how often it was sent before, from 1 on, got 0"),
    CASE ("\x98\x01\xa1m\xc0\xc0\x92\x01\xc0\xc0\xc0\xc0", "how often it was sent before, from 1 on, got 0"),
    CASE ("\x98\x01\xa1m\xc0\xc0\x92\x01\xc2\xc0\xc0\xc0", "expected a list of 2 integers, got false"),
    CASE ("\x98\x01\xa1m\xc0\xc0\x92\0\x01\xc0\xc0\xc0", "expected the id of the ask from 1 on, got none"),
    CASE ("\x98\x02\xc0\xc0\xc0\x92\x01\x07\xc0\xc0\xc0", "got that of an ask sent before in a reply"),
    CASE ("\x98\x02\xc0\xc0\xc0\x94\x01\x07\x05\x05\xc0\xc0\xc0", "expected an integer, got a command's in a reply"),
    CASE ("\x98\x04\xa1m\xc0\xc0\xc0\xc3\xc0\xc0",
          "envelope's left_ms: expected an integer from 0 on or nil, got true"),
    CASE ("\x98\x04\xa1m\xc0\xc0\xc0\xc0\xcb\0\0\0\0\0\0\0\0\xc0",
          "envelope's trace: expected an integer from 0 on or nil, got the number 0"),
    CASE ("\x98\x04\xa1m\xc0\xc0\xc0\xc0\xc0\x01", "envelope's body: expected a map or nil, got the integer 1"),
    CASE ("\x98\x04\xa1m\xc0\xc0\xc0\xc0\xc0\x90", "envelope's body: expected a map or nil, got a list of 0"),
    CASE ("\x98\x04\xa1m\xc0\xc0\xc0\xc0\xc0", "envelope's body: expected one whole map, got bytes that are cut short"),
    CASE ("\x98\x04\xa1m\xc0\xc0\xc0\xc0\xc0\x81\xa1k",
          "envelope's body: expected one whole map, got bytes that are cut"),
    CASE ("\x98\x04\xa1m\xc0\xc0\xc0\xc0\xc0\x81\xa1k\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
          "\x91\xc0",
          "envelope's body: expected at most 16 levels of nesting, got more"),
#undef CASE
};

static void test_next_refusals (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof s_wrong / sizeof s_wrong[0]; i++) {
        synod_str_t exact = check_exact (s_wrong[i].bytes);
        synod_frame_t frame;
        synod_envelope_t e;
        synod_fault_t fault = {0};
        check_ok (synod__frame_open (&frame, exact.data, exact.size, &fault), fault);
        check_fault (synod__frame_next (&frame, &e, &fault), SYNOD_BAD_FRAME, fault, s_wrong[i].words);
        assert_int_equal (frame.count, 0);
        assert_int_equal (synod__frame_next (&frame, &e, &fault), SYNOD_NOT_FOUND);
        free ((void *) exact.data);
    }
}

/* Other encodings than ours of the same frame. */
static void test_tolerance (void **state)
{
    (void) state;
    synod_str_t bytes =
        BYTES ("a\0\xdc\0\x05\xcc\x01\xd9\x01n\xd0\x05\xcd\0\x02\xce\0\0\0\x03"
               "\xdd\0\0\0\x08\xcc\x04\xda\0\x01m\xc0\xd9\x01z\xcf\0\0\0\0\0\0\0\x09\xd1\0\x08\x07\xde\0\0"
               "\x98\x06\xc0\xc0\xc0\x05\xc0\xc0\xc0");
    synod_frame_t frame;
    synod_envelope_t e;
    synod_fault_t fault = {0};
    check_ok (synod__frame_open (&frame, bytes.data, bytes.size, &fault), fault);
    assert_true (frame.incarnation == 5 && frame.epoch == 2 && frame.number == 3);
    check_ok (synod__frame_next (&frame, &e, &fault), fault);
    assert_true (e.kind == SYNOD_KIND_TELL && synod_str_is (e.method, "m") && synod_str_is (e.from, "z"));
    assert_true (e.id == 9 && e.left_ms == 8 && e.trace == 7 && e.body.size == 3);
    check_ok (synod__frame_next (&frame, &e, &fault), fault);
    assert_true (e.kind == SYNOD_KIND_MARK && e.id == 5 && !e.body.data && !e.method.data);
    assert_int_equal (synod__frame_next (&frame, &e, &fault), SYNOD_NOT_FOUND);
}

/* A frame cut anywhere gives the envelopes before the cut, then an error; at a seam, just fewer envelopes. */
static void test_cut_short (void **state)
{
    (void) state;
    synod__batch_t batch = {0};
    s_batch (&batch, 4);
    size_t seams[5] = {batch.head_size};
    synod_frame_t frame;
    synod_envelope_t e;
    assert_int_equal (synod__frame_open (&frame, batch.buf.data, batch.buf.size, NULL), SYNOD_OK);
    for (int i = 1; i <= 4; i++) {
        assert_int_equal (synod__frame_next (&frame, &e, NULL), SYNOD_OK);
        seams[i] = (size_t) ((const char *) frame.rest.at - batch.buf.data);
    }
    for (size_t size = 0; size < batch.buf.size; size++) {
        synod_str_t exact = check_exact (synod_str_n (batch.buf.data, size));
        synod_fault_t fault = {0};
        int rc = synod__frame_open (&frame, exact.data, exact.size, &fault);
        assert_int_equal (rc == SYNOD_OK, size >= seams[0]);
        if (rc == SYNOD_OK) {
            uint32_t whole = 0;
            while (whole < 4 && seams[whole + 1] <= size)
                whole++;
            for (uint32_t i = 0; i < whole; i++)
                assert_int_equal (synod__frame_next (&frame, &e, &fault), SYNOD_OK);
            assert_int_equal (synod__frame_next (&frame, &e, &fault),
                              size == seams[whole] ? SYNOD_NOT_FOUND : SYNOD_BAD_FRAME);
        } else
            assert_true (strlen (fault.text) > 10);
        free ((void *) exact.data);
    }
    synod__batch_free (&batch);
}

/* Whatever the change: an answer, no crash, and what is given out is within the frame and unpacks or is refused. */
static void test_mutations (void **state)
{
    (void) state;
    synod__batch_t batch = {0};
    uint64_t seed = 88172645463325252u;
    s_batch (&batch, 4);
    unsigned refused = 0, read = 0;
    if (batch.buf.size == 0)
        abort ();
    for (int round = 0; round < 100000; round++) {
        synod_str_t bytes = check_exact (synod_str_n (batch.buf.data, batch.buf.size));
        char *data = (char *) bytes.data;
        for (uint64_t changes = check_random (&seed) % 3 + 1; changes > 0; changes--)
            data[check_random (&seed) % batch.buf.size] = (char) check_random (&seed);
        synod_frame_t frame;
        synod_envelope_t e;
        synod_fault_t fault;
        int rc = synod__frame_open (&frame, bytes.data, bytes.size, &fault);
        while (rc == SYNOD_OK && (rc = synod__frame_next (&frame, &e, &fault)) == SYNOD_OK) {
            assert_true (!e.body.data ||
                         (e.body.data > bytes.data && e.body.data + e.body.size <= bytes.data + bytes.size));
            add_t add;
            if (synod_record_unpack (&add_record, e.body, &add, &fault) == SYNOD_OK)
                assert_true (add.name.data > bytes.data && add.name.data + add.name.size <= bytes.data + bytes.size);
            read++;
        }
        refused += rc != SYNOD_NOT_FOUND;
        free (data);
    }
    assert_true (refused > 10000 && read > 10000);
    synod__batch_free (&batch);
}

static synod_str_t s_load (size_t size)
{
    static char load[SYNOD_FRAME_MAX + 2 * SYNOD_FRAME_SLACK];
    return synod_str_n (load, size);
}

/* The largest body that fits behind this method, then one byte more. */
static void s_fills (const char *method, size_t most)
{
    synod__batch_t batch = {0};
    synod_fault_t fault = {0};
    synod_envelope_t e = {.kind = SYNOD_KIND_TELL, .method = synod_str (method)};
    for (size_t extra = 0; extra <= 1; extra++) {
        assert_int_equal (synod__batch_begin (&batch, synod_str ("a"), synod_str ("n"), 1, 0), SYNOD_OK);
        size_t around = batch.head_size + 2 + 1 + strlen (method) + 5 + 1 + 5 + 5;
        load_t load = {.load = s_load (most - around + extra)};
        int rc = synod__batch_add_record (&batch, &e, &load_record, &load, &fault);
        if (extra == 0) {
            check_ok (rc, fault);
            assert_int_equal (batch.buf.size, most);
        } else {
            check_fault (rc, SYNOD_TOO_LARGE, fault, "load: expected to fit a frame of 262144 bytes");
            assert_int_equal (batch.buf.size, batch.head_size);
            assert_int_equal (batch.count, 0);
        }
    }
    synod__batch_free (&batch);
}

static void test_batch_limits (void **state)
{
    (void) state;
    s_fills ("other", SYNOD_FRAME_MAX);
    s_fills ("returned", SYNOD_FRAME_MAX + SYNOD_FRAME_SLACK);
    s_fills ("tapped", SYNOD_FRAME_MAX + SYNOD_FRAME_SLACK);
    synod__batch_t batch = {0};
    synod_envelope_t e = {.kind = SYNOD_KIND_TELL, .method = synod_str ("tapped"), .body = BYTES ("\x80")};
    assert_int_equal (synod__batch_begin (&batch, synod_str ("a"), synod_str ("n"), 1, 0), SYNOD_OK);
    assert_int_equal (synod__batch_add (&batch, &e), SYNOD_OK);
    size_t before = batch.buf.size;
    e.body = s_load (SYNOD_FRAME_MAX);
    assert_int_equal (synod__batch_add (&batch, &e), SYNOD_TOO_LARGE); /* not alone: no slack */
    assert_true (batch.buf.size == before && batch.count == 1);
    synod__batch_free (&batch);
}

static void test_batch_refusals (void **state)
{
    (void) state;
    synod__batch_t batch = {0};
    synod_fault_t fault = {0};
    char longer[SYNOD_ADDRESS_MAX + 1];
    memset (longer, 'a', sizeof longer);
    synod_str_t node = synod_str ("n");
    assert_int_equal (synod__batch_begin (&batch, synod_str (""), node, 1, 0), SYNOD_BAD_ADDRESS);
    assert_int_equal (synod__batch_begin (&batch, synod_str_n ("a\0b", 3), node, 1, 0), SYNOD_BAD_ADDRESS);
    assert_int_equal (synod__batch_begin (&batch, synod_str_n (longer, sizeof longer), node, 1, 0), SYNOD_BAD_ADDRESS);
    assert_int_equal (synod__batch_begin (&batch, node, synod_str (""), 1, 0), SYNOD_BAD_ADDRESS);
    assert_int_equal (synod__batch_begin (&batch, node, synod_str_n (longer, SYNOD_NAME_MAX + 1), 1, 0),
                      SYNOD_BAD_ADDRESS);
    assert_int_equal (
        synod__batch_begin (&batch, synod_str_n (longer, SYNOD_ADDRESS_MAX), node, UINT64_MAX, UINT64_MAX), SYNOD_OK);
    synod_envelope_t e = {.kind = SYNOD_KIND_TELL, .method = synod_str ("add")};
    add_t add = {.name = synod_str ("\xff")};
    size_t before = batch.buf.size;
    check_fault (synod__batch_add_record (&batch, &e, &add_record, &add, &fault), SYNOD_INVALID, fault, "add.name");
    assert_true (batch.buf.size == before && batch.count == 0);
    synod__batch_free (&batch);
}

static void test_too_many_envelopes (void **state)
{
    (void) state;
    static char bytes[SYNOD_FRAME_MAX + SYNOD_FRAME_SLACK] = HEAD;
    /* no valid envelope is small enough to be there 65537 times; the reader's own count is what guards */
    synod_frame_t frame;
    synod_envelope_t e;
    synod_fault_t fault = {0};
    s_put (bytes + sizeof HEAD - 1, BYTES ("\x98\x06\xc0\xc0\xc0\xc0\xc0\xc0\xc0"));
    check_ok (synod__frame_open (&frame, bytes, sizeof HEAD - 1 + 9, &fault), fault);
    frame.count = SYNOD_ENVELOPES_MAX;
    check_fault (synod__frame_next (&frame, &e, &fault), SYNOD_TOO_LARGE, fault, "at most 65536 envelopes");
}

static void test_kinds (void **state)
{
    (void) state;
    assert_string_equal (synod__kind_name (SYNOD_KIND_ASK), "ask");
    assert_string_equal (synod__kind_name (SYNOD_KIND_MARK), "mark");
    assert_string_equal (synod__kind_name (0), "?");
    assert_string_equal (synod__kind_name (7), "?");
    assert_string_equal (synod__kind_name (-1), "?");
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_round_trip),     cmocka_unit_test (test_widths),
        cmocka_unit_test (test_buffer),         cmocka_unit_test (test_open_refusals),
        cmocka_unit_test (test_open_limits),    cmocka_unit_test (test_next_refusals),
        cmocka_unit_test (test_tolerance),      cmocka_unit_test (test_cut_short),
        cmocka_unit_test (test_mutations),      cmocka_unit_test (test_batch_limits),
        cmocka_unit_test (test_batch_refusals), cmocka_unit_test (test_too_many_envelopes),
        cmocka_unit_test (test_kinds),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
