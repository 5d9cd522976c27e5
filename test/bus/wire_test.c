/* SPDX-License-Identifier: MPL-2.0
 *
 * Connections within the host: with each other, with libzmq's sockets at either end, and when one side does not read, says
 * something else, or is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bus/wire.h"
#include "bus_test.h"
#include "protocol/frame.h"

#define SMALL  40
#define FRAMES 2000

static char folder[] = "/tmp/synod-wire-XXXXXX";
static char path[64], endpoint[80];
static int listener = -1;

typedef struct {
    int opened, messages, garbage, ended;
    uint32_t next; /* the number that the next message should have */
    synod_fault_t fault;
} heard_t;

static void hear (synod__wire_t *wire, heard_t *heard)
{
    synod_str_t message;
    synod__wire_news_t news;
    if (!synod__wire_read (wire))
        return;
    while ((news = synod__wire_next (wire, &message, &heard->fault)) != SYNOD__WIRE_NOTHING) {
        heard->opened += news == SYNOD__WIRE_OPENED;
        heard->garbage += news == SYNOD__WIRE_GARBAGE;
        heard->ended += news == SYNOD__WIRE_ENDED;
        if (news != SYNOD__WIRE_MESSAGE)
            continue;
        uint32_t number;
        assert_true (message.size >= sizeof number);
        memcpy (&number, message.data, sizeof number);
        assert_int_equal (number, heard->next++);
        for (size_t i = sizeof number; i < message.size; i++)
            if (message.data[i] != (char) (number + i))
                fail_msg ("message %u is not what was sent", number);
        heard->messages++;
    }
}

static void fill (synod_buf_t *frame, uint32_t number, size_t size)
{
    frame->size = 0;
    assert_int_equal (synod__buf_reserve (frame, size), SYNOD_OK);
    memcpy (frame->data, &number, sizeof number);
    for (size_t i = sizeof number; i < size; i++)
        frame->data[i] = (char) (number + i);
    frame->size = size;
}

static size_t size_of (uint32_t number)
{
    return number % 100 == 99 ? SYNOD_FRAME_MAX - number % 7 : SMALL + number % 400;
}

static synod__wire_t *connected (void)
{
    synod_fault_t fault = {0};
    synod__wire_t *wire = synod__wire_connect (path, synod_str ("me#1"), &fault);
    if (!wire)
        fail_msg ("%s", fault.text);
    return wire;
}

static int listens (void **state)
{
    (void) state;
    synod_fault_t fault = {0};
    listener = synod__wire_listen (path, &fault);
    return listener < 0;
}

static int stops (void **state)
{
    (void) state;
    close (listener);
    unlink (path);
    return 0;
}

static void opened_both (synod__wire_t **near, synod__wire_t **far)
{
    heard_t one = {0}, other = {0};
    *near = connected ();
    TEST_UNTIL ((*far = synod__wire_accept (listener)));
    TEST_UNTIL ((hear (*near, &one), hear (*far, &other), one.opened && other.opened));
    assert_true (synod_str_is (synod__wire_identity (*far), "me#1"));
}

/* Frames of all sizes come in order, also when nobody reads until no more are taken. */
static void frames_wait_until_they_are_read (void **state)
{
    synod__wire_t *near, *far;
    synod_buf_t frame = {0};
    heard_t heard = {0};
    uint32_t busy = 0;
    (void) state;
    opened_both (&near, &far);
    for (uint32_t number = 0; number < FRAMES;) {
        fill (&frame, number, size_of (number));
        int rc = synod__wire_send (near, &frame);
        if (rc == SYNOD_OK) {
            assert_int_equal (frame.size, 0);
            number++;
            if (!synod__wire_flushed (near)) /* room for others, but the rest of this one is first */
                hear (far, &heard);
            continue;
        }
        assert_int_equal (rc, SYNOD_BUSY);
        assert_int_equal (frame.size, size_of (number));
        busy++;
        hear (far, &heard);
        synod__wire_flush (near);
    }
    TEST_UNTIL ((synod__wire_flush (near), hear (far, &heard), heard.messages == FRAMES));
    assert_true (busy > 10);
    synod_buf_free (&frame);
    synod__wire_destroy (&near, 0);
    TEST_UNTIL ((hear (far, &heard), heard.ended));
    assert_int_equal (heard.fault.text[0], 0);
    hear (far, &heard);
    assert_int_equal (heard.ended, 1);
    synod__wire_destroy (&far, 0);
}

static void *reads_later (void *arg)
{
    synod__wire_t *far = (synod__wire_t *) arg;
    static heard_t heard;
    zmq_poll (NULL, 0, 20);
    TEST_UNTIL ((hear (far, &heard), heard.ended));
    return &heard;
}

/* What was taken is written before a connection ends, as long as that may take. */
static void an_end_waits_for_what_was_taken (void **state)
{
    synod__wire_t *near, *far;
    synod_buf_t frame = {0};
    int sent = 0;
    void *heard;
    pthread_t reader;
    (void) state;
    opened_both (&near, &far);
    do
        fill (&frame, (uint32_t) sent, SYNOD_FRAME_MAX);
    while (synod__wire_send (near, &frame) == SYNOD_OK && ++sent);
    assert_false (synod__wire_flushed (near));
    assert_int_equal (pthread_create (&reader, NULL, reads_later, far), 0);
    synod__wire_destroy (&near, 10000);
    pthread_join (reader, &heard);
    assert_int_equal (((heard_t *) heard)->messages, sent);
    synod__wire_destroy (&far, 0);
    synod_buf_free (&frame);
}

static void libzmqs_router_takes_it (void **state)
{
    synod_buf_t frame = {0};
    zmq_msg_t from, msg;
    heard_t heard = {0};
    (void) state;
    stops (NULL); /* its own listener is at the path */
    zsock_t *router = test_socket (&(synod__socket_options_t){.type = ZMQ_ROUTER});
    test_bind (router, endpoint, NULL);
    synod__wire_t *near = connected ();
    TEST_UNTIL ((hear (near, &heard), heard.opened));
    zmq_msg_init (&from);
    zmq_msg_init (&msg);
    for (uint32_t number = 0; number < 3; number++) {
        const size_t size = number == 1 ? SYNOD_FRAME_MAX : SMALL;
        fill (&frame, number, size);
        TEST_UNTIL (synod__wire_send (near, &frame) == SYNOD_OK);
        TEST_UNTIL ((synod__wire_flush (near), synod__socket_receive (router, &from, &msg) == SYNOD_OK));
        assert_int_equal (zmq_msg_size (&msg), size);
        assert_memory_equal (zmq_msg_data (&from), "me#1", 4);
    }
    fill (&frame, 0, SMALL);
    assert_int_equal (synod__socket_send (router, synod_str ("me#1"), &frame), SYNOD_OK);
    TEST_UNTIL ((hear (near, &heard), heard.messages == 1));
    zmq_msg_close (&from);
    zmq_msg_close (&msg);
    zsock_destroy (&router);
    TEST_UNTIL ((hear (near, &heard), heard.ended));
    synod__wire_destroy (&near, 0);
    synod_buf_free (&frame);
    unlink (path); /* libzmq leaves it */
    assert_int_equal (listens (NULL), 0);
}

static void libzmqs_dealer_is_taken (void **state)
{
    synod_buf_t frame = {0};
    zmq_msg_t msg;
    heard_t heard = {0};
    synod__wire_t *far = NULL;
    (void) state;
    zsock_t *dealer = test_socket (&(synod__socket_options_t){.type = ZMQ_DEALER, .identity = synod_str ("you#2")});
    test_connect (dealer, endpoint);
    TEST_UNTIL ((far = synod__wire_accept (listener)));
    TEST_UNTIL ((hear (far, &heard), heard.opened));
    assert_true (synod_str_is (synod__wire_identity (far), "you#2"));
    for (uint32_t number = 0; number < 3; number++) {
        fill (&frame, number, number == 1 ? SYNOD_FRAME_MAX : SMALL);
        TEST_UNTIL (synod__socket_send (dealer, synod_str_n (NULL, 0), &frame) == SYNOD_OK);
    }
    TEST_UNTIL ((hear (far, &heard), heard.messages == 3));
    assert_int_equal (zmq_send (zsock_resolve (dealer), "two", 3, ZMQ_SNDMORE), 3);
    assert_int_equal (zmq_send (zsock_resolve (dealer), "parts", 5, 0), 5);
    TEST_UNTIL ((hear (far, &heard), heard.garbage == 1));
    fill (&frame, 0, SMALL);
    assert_int_equal (synod__wire_send (far, &frame), SYNOD_OK);
    zmq_msg_init (&msg);
    TEST_UNTIL (synod__socket_receive (dealer, NULL, &msg) == SYNOD_OK);
    assert_int_equal (zmq_msg_size (&msg), SMALL);
    zmq_msg_close (&msg);
    zsock_destroy (&dealer);
    TEST_UNTIL ((hear (far, &heard), heard.ended));
    synod__wire_destroy (&far, 0);
    synod_buf_free (&frame);
}

static void whoever_says_something_else_is_sent_away (void **state)
{
    synod__wire_t *far = NULL;
    heard_t heard = {0};
    char byte;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void) state;
    memcpy (address.sun_path, path, strlen (path) + 1);
    int fd = socket (AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal (connect (fd, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal (send (fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    TEST_UNTIL ((far = synod__wire_accept (listener)));
    TEST_UNTIL ((hear (far, &heard), heard.ended));
    assert_non_null (strstr (heard.fault.text, "does not speak ZeroMQ"));
    synod__wire_destroy (&far, 0);
    while (recv (fd, &byte, 1, 0) > 0) /* our greeting, and the end */
        continue;
    close (fd);
}

static void nobody_there_is_an_error (void **state)
{
    synod_fault_t fault = {0};
    char long_path[200];
    (void) state;
    memset (long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = 0;
    assert_null (synod__wire_connect ("/tmp/no/such", synod_str ("me#1"), &fault));
    assert_non_null (strstr (fault.text, "/tmp/no/such"));
    assert_null (synod__wire_connect (long_path, synod_str ("me#1"), &fault));
    assert_int_equal (fault.code, SYNOD_INVALID);
    assert_int_equal (synod__wire_listen ("/no/such/folder/socket", &fault), -1);
    assert_int_equal (fault.code, SYNOD_IO);
}

static int set_up (void **state)
{
    (void) state;
    synod__sys_init ();
    if (!mkdtemp (folder))
        return 1;
    snprintf (path, sizeof path, "%s/inbox", folder);
    snprintf (endpoint, sizeof endpoint, "ipc://%s", path);
    return 0;
}

static int tear_down (void **state)
{
    (void) state;
    unlink (path);
    return rmdir (folder);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (frames_wait_until_they_are_read, listens, stops),
        cmocka_unit_test_setup_teardown (an_end_waits_for_what_was_taken, listens, stops),
        cmocka_unit_test_setup_teardown (libzmqs_router_takes_it, listens, stops),
        cmocka_unit_test_setup_teardown (libzmqs_dealer_is_taken, listens, stops),
        cmocka_unit_test_setup_teardown (whoever_says_something_else_is_sent_away, listens, stops),
        cmocka_unit_test (nobody_there_is_an_error),
    };
    return cmocka_run_group_tests (tests, set_up, tear_down);
}
