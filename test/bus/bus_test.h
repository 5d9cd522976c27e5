/* SPDX-License-Identifier: MPL-2.0
 *
 * What the tests of the bus share: waiting for a condition with a limit, frames, and what a monitor reports.
 */
#ifndef SYNOD_TEST_BUS_TEST_H_INCLUDED
#define SYNOD_TEST_BUS_TEST_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bus/poller.h"
#include "bus/socket.h"

#define TEST_LIMIT_US 10000000 /* what takes longer has failed */

/* Evaluates CONDITION until it holds, with a moment of rest in zmq_poll between. */
#define TEST_UNTIL(condition)                                  \
    do {                                                       \
        int64_t test_limit = synod__now_us () + TEST_LIMIT_US; \
        while (!(condition)) {                                 \
            assert_true (synod__now_us () < test_limit);       \
            zmq_poll (NULL, 0, 1);                             \
        }                                                      \
    } while (0)

static inline zsock_t *test_socket (const synod__socket_options_t *options)
{
    synod_fault_t fault = {0};
    zsock_t *self = synod__socket_new (options, &fault);
    if (!self)
        fail_msg ("%s", fault.text);
    return self;
}

/* REAL has 256 bytes and may be NULL. */
static inline void test_bind (zsock_t *self, const char *endpoint, char *real)
{
    char unused[256] = "";
    synod_fault_t fault = {0};
    if (synod__socket_bind (self, endpoint, real ? real : unused, &fault))
        fail_msg ("%s", fault.text);
}

static inline void test_connect (zsock_t *self, const char *endpoint)
{
    synod_fault_t fault = {0};
    if (synod__socket_connect (self, endpoint, &fault))
        fail_msg ("%s", fault.text);
}

static inline void test_wait (zsock_t *self, int events)
{
    zmq_pollitem_t item = {zsock_resolve (self), 0, (short) events, 0};
    assert_int_equal (zmq_poll (&item, 1, TEST_LIMIT_US / 1000), 1);
}

/* SIZE bytes that start with TEXT; the rest is zero. */
static inline synod_buf_t test_frame (const char *text, size_t size)
{
    synod_buf_t frame = {.size = size, .capacity = size + 1};
    frame.data = (char *) calloc (1, frame.capacity);
    assert_non_null (frame.data);
    memcpy (frame.data, text, strlen (text));
    return frame;
}

/* Sends TEXT to IDENTITY (NULL: not a ROUTER); the code. */
static inline int test_send (zsock_t *self, const char *identity, const char *text)
{
    synod_buf_t frame = test_frame (text, strlen (text));
    int rc = synod__socket_send (self, synod_str (identity), &frame);
    synod_buf_free (&frame);
    return rc;
}

/* The next message must be TEXT, from IDENTITY (NULL: not a ROUTER). */
static inline void test_expect (zsock_t *self, const char *identity, const char *text)
{
    zmq_msg_t from, msg;
    zmq_msg_init (&from);
    zmq_msg_init (&msg);
    test_wait (self, ZMQ_POLLIN);
    assert_int_equal (synod__socket_receive (self, identity ? &from : NULL, &msg), SYNOD_OK);
    if (identity)
        assert_true (synod_str_is (synod_str_n (zmq_msg_data (&from), zmq_msg_size (&from)), identity));
    assert_int_equal (strncmp ((char *) zmq_msg_data (&msg), text, strlen (text)), 0);
    zmq_msg_close (&from);
    zmq_msg_close (&msg);
}

/* Takes what is there and counts it. */
static inline int test_drain (zsock_t *self)
{
    zmq_msg_t msg;
    int count = 0;
    zmq_msg_init (&msg);
    while (synod__socket_receive (self, NULL, &msg) == SYNOD_OK)
        count++;
    zmq_msg_close (&msg);
    return count;
}

/* Reports EVENTS (ZMQ_EVENT_...) of SELF; to be destroyed before it. */
static inline zsock_t *test_monitor (zsock_t *self, int events)
{
    static int count;
    char endpoint[64];
    snprintf (endpoint, sizeof endpoint, "inproc://monitor-%d", ++count);
    assert_int_equal (zmq_socket_monitor (zsock_resolve (self), endpoint, events), 0);
    zsock_t *monitor = test_socket (&(synod__socket_options_t){.type = ZMQ_PAIR});
    test_connect (monitor, endpoint);
    return monitor;
}

/* Waits for one event and gives its value. */
static inline int test_event (zsock_t *monitor)
{
    char event[6];
    int32_t value;
    test_wait (monitor, ZMQ_POLLIN);
    assert_int_equal (zmq_recv (zsock_resolve (monitor), event, sizeof event, 0), sizeof event);
    zmq_recv (zsock_resolve (monitor), NULL, 0, 0);
    memcpy (&value, event + 2, sizeof value);
    return value;
}

static inline void test_monitor_end (zsock_t *self, zsock_t **monitor)
{
    zmq_socket_monitor (zsock_resolve (self), NULL, 0);
    zsock_destroy (monitor);
}

#endif
