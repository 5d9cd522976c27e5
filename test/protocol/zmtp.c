/* SPDX-License-Identifier: MPL-2.0
 *
 * ZMTP as bytes: what this side says, written out by hand from the RFC; what the other says, in pieces of any size; and
 * whatever ends a connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "protocol/frame.h"
#include "protocol/zmtp.h"

#define SIZE_MAX_TEST 1000
#define TEXT(text)                              \
    {                                           \
        .data = text, .size = sizeof (text) - 1 \
    } /* with zeros in it */
#define BYTES(text) ((synod_str_t) TEXT (text))

static const char greeting[SYNOD__ZMTP_GREETING] = "\xff\0\0\0\0\0\0\0\0\x7f\3\0NULL";

static void put (synod_buf_t *out, synod_str_t bytes)
{
    assert_int_equal (synod__buf_reserve (out, bytes.size), SYNOD_OK);
    memcpy (out->data + out->size, bytes.data, bytes.size);
    out->size += bytes.size;
}

static void put_message (synod_buf_t *out, size_t size, char fill)
{
    char header[SYNOD__ZMTP_HEADER], body[SIZE_MAX_TEST + 1];
    memset (body, fill, size);
    put (out, synod_str_n (header, synod__zmtp_header (size, header)));
    put (out, synod_str_n (body, size));
}

/* The other side's greeting and READY. */
static void put_opening (synod_buf_t *out, bool dealer, synod_str_t identity)
{
    char ready[SYNOD__ZMTP_READY_MAX];
    put (out, synod_str_n (greeting, sizeof greeting));
    put (out, synod_str_n (ready, synod__zmtp_ready (dealer, identity, ready)));
}

static void says_what_the_rfc_says (void **state)
{
    char said[SYNOD__ZMTP_READY_MAX];
    (void) state;
    assert_int_equal (synod__zmtp_greeting (said), SYNOD__ZMTP_GREETING);
    assert_memory_equal (said, greeting, SYNOD__ZMTP_GREETING);
    const synod_str_t ready = BYTES ("\x04\x2c\5READY\13Socket-Type\0\0\0\6DEALER\10Identity\0\0\0\3a#1");
    assert_int_equal (synod__zmtp_ready (true, synod_str ("a#1"), said), ready.size);
    assert_memory_equal (said, ready.data, ready.size);
    const synod_str_t router = BYTES ("\x04\x29\5READY\13Socket-Type\0\0\0\6ROUTER\10Identity\0\0\0\0");
    assert_int_equal (synod__zmtp_ready (false, synod_str_n (NULL, 0), said), router.size);
    assert_memory_equal (said, router.data, router.size);
    assert_int_equal (synod__zmtp_header (255, said), 2);
    assert_memory_equal (said, "\0\xff", 2);
    assert_int_equal (synod__zmtp_header (256, said), 9);
    assert_memory_equal (said, "\2\0\0\0\0\0\0\1\0", 9);
}

/* All that is said, handed out in pieces of STEP bytes, is heard unit by unit. */
static void heard_in_pieces_of (size_t step)
{
    static const synod__zmtp_unit_t expected[] = {SYNOD__ZMTP_GREETED, SYNOD__ZMTP_OPENED,  SYNOD__ZMTP_MESSAGE,
                                                  SYNOD__ZMTP_MESSAGE, SYNOD__ZMTP_MESSAGE, SYNOD__ZMTP_PARTS,
                                                  SYNOD__ZMTP_MESSAGE};
    static const size_t sizes[] = {0, 0, 0, 255, SIZE_MAX_TEST, 1, 3};
    synod_buf_t all = {0};
    synod__zmtp_t zmtp;
    synod_str_t message;
    size_t used = 0, unit = 0;
    put_opening (&all, true, synod_str ("node#7"));
    put_message (&all, 0, 'a');
    put_message (&all, 255, 'b');
    put (&all, BYTES ("\4\5\4PING")); /* a command of later versions */
    put_message (&all, SIZE_MAX_TEST, 'c');
    put (&all, BYTES ("\1\1x\1\1y\0\1z"));
    put_message (&all, 3, 'd');
    synod__zmtp_init (&zmtp, false, SIZE_MAX_TEST);
    for (size_t come = 0; come < all.size;) {
        come = all.size - come < step ? all.size : come + step;
        /* its own memory, so that the sanitizers see whoever looks further */
        char *copy = (char *) malloc (come - used);
        memcpy (copy, all.data + used, come - used);
        synod_str_t bytes = synod_str_n (copy, come - used);
        synod__zmtp_unit_t is;
        while ((is = synod__zmtp_next (&zmtp, &bytes, &message, NULL)) != SYNOD__ZMTP_MORE) {
            assert_true (unit < sizeof expected / sizeof *expected);
            assert_int_equal (is, expected[unit]);
            if (is == SYNOD__ZMTP_MESSAGE) {
                assert_int_equal (message.size, sizes[unit]);
                assert_true (message.size == 0 || message.data[0] == message.data[message.size - 1]);
            }
            unit++;
        }
        used = come - bytes.size;
        free (copy);
    }
    assert_int_equal (unit, sizeof expected / sizeof *expected);
    assert_int_equal (used, all.size);
    assert_int_equal (zmtp.identity_size, 6);
    assert_memory_equal (zmtp.identity, "node#7", 6);
    synod_buf_free (&all);
}

static void is_heard_in_any_pieces (void **state)
{
    (void) state;
    for (size_t step = 1; step < 80; step++)
        heard_in_pieces_of (step);
    heard_in_pieces_of (100000);
}

static void refused (bool dealer, const synod_buf_t *said, const char *expected)
{
    synod__zmtp_t zmtp;
    synod_fault_t fault = {0};
    synod_str_t bytes = synod_str_n (said->data, said->size), message;
    synod__zmtp_unit_t unit;
    synod__zmtp_init (&zmtp, dealer, SIZE_MAX_TEST);
    do
        unit = synod__zmtp_next (&zmtp, &bytes, &message, &fault);
    while (unit != SYNOD__ZMTP_VIOLATED && unit != SYNOD__ZMTP_MORE);
    assert_int_equal (unit, SYNOD__ZMTP_VIOLATED);
    if (!strstr (fault.text, expected))
        fail_msg ("expected \"%s\" in \"%s\"", expected, fault.text);
}

static void wrong_openings_end_it (void **state)
{
    static const struct {
        synod_str_t after; /* the greeting; empty: AT and BYTE change that */
        size_t at;
        char byte;
        const char *expected;
    } wrong[] = {
        {.at = 0, .byte = 'G', .expected = "a greeting"},
        {.at = 9, .byte = 0, .expected = "ZMTP 3"},
        {.at = 10, .byte = 2, .expected = "ZMTP 3"},
        {.at = 12, .byte = 'P', .expected = "NULL"},
        {.at = 16, .byte = 'X', .expected = "NULL"},
        {.after = TEXT ("\0\2hi"), .expected = "READY"},
        {.after = TEXT ("\4\0"), .expected = "a command"},
        {.after = TEXT ("\4\4\5REA"), .expected = "a command"},
        {.after = TEXT ("\4\6\5HELLO"), .expected = "READY"},
        {.after = TEXT ("\4\6\5READY"), .expected = "a DEALER"},
        {.after = TEXT ("\4\11\5READY\5SO"), .expected = "properties"},
        {.after = TEXT ("\4\14\5READY\1a\0\0\0\1"), .expected = "properties"},
        {.after = TEXT ("\4\31\5READY\13Socket-Type\0\0\0\3SUB"), .expected = "a DEALER"},
        {.after = TEXT ("\4\12\5ERROR\3bad"), .expected = "refused the connection: bad"},
        {.after = TEXT ("\10\0"), .expected = "flags"},
        {.after = TEXT ("\2\0\0\0\0\0\0\3\351"), .expected = "smaller"},
        {.after = TEXT ("\2\377\377\377\377\377\377\377\377"), .expected = "smaller"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        synod_buf_t said = {0};
        put (&said, synod_str_n (greeting, sizeof greeting));
        if (wrong[i].after.size)
            put (&said, wrong[i].after);
        else
            said.data[wrong[i].at] = wrong[i].byte;
        refused (false, &said, wrong[i].expected);
        synod_buf_free (&said);
    }
}

static void a_dealer_wants_a_router (void **state)
{
    synod_buf_t said = {0};
    (void) state;
    put_opening (&said, true, synod_str ("x"));
    refused (true, &said, "a ROUTER");
    said.size = 0;
    put_opening (&said, false, synod_str_n (NULL, 0));
    put (&said, BYTES ("\100\0"));
    refused (true, &said, "flags"); /* after it was opened */
    synod_buf_free (&said);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (says_what_the_rfc_says),
        cmocka_unit_test (is_heard_in_any_pieces),
        cmocka_unit_test (wrong_openings_end_it),
        cmocka_unit_test (a_dealer_wants_a_router),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
