/* SPDX-License-Identifier: MPL-2.0
 *
 * What the options of sockets are for: each of these fails when the option that it is about is not set.
 */
#include <poll.h>
#include <sys/resource.h>

#include <synod/limits.h>
#include "bus_test.h"

#define S_FRAME_LIMIT (SYNOD_FRAME_MAX + SYNOD_FRAME_SLACK)

static zsock_t *s_router (char *real)
{
    zsock_t *self = test_socket (&(synod__socket_options_t){.type = ZMQ_ROUTER});
    test_bind (self, "tcp://127.0.0.1:*", real);
    return self;
}

static zsock_t *s_dealer (const char *identity, const char *endpoint)
{
    zsock_t *self =
        test_socket (&(synod__socket_options_t){.type = ZMQ_DEALER, .identity = synod_str (identity), .linger_ms = 0});
    test_connect (self, endpoint);
    return self;
}

/* The one at fault is cut off, nobody else. */
static void too_large (void **state)
{
    (void) state;
    char endpoint[256];
    zsock_t *router = s_router (endpoint);
    zsock_t *good = s_dealer ("good", endpoint), *bad = s_dealer ("bad", endpoint);
    zsock_t *monitor = test_monitor (bad, ZMQ_EVENT_DISCONNECTED);
    test_wait (good, ZMQ_POLLOUT);
    assert_int_equal (test_send (good, NULL, "before"), SYNOD_OK);
    test_expect (router, "good", "before");

    synod_buf_t frame = test_frame ("over", S_FRAME_LIMIT + 1);
    test_wait (bad, ZMQ_POLLOUT);
    assert_int_equal (synod__socket_send (bad, synod_str (NULL), &frame), SYNOD_OK);
    test_event (monitor);
    frame = test_frame ("limit", S_FRAME_LIMIT);
    assert_int_equal (synod__socket_send (good, synod_str (NULL), &frame), SYNOD_OK);
    test_expect (router, "good", "limit");
    test_monitor_end (bad, &monitor);
    zsock_destroy (&bad);
    zsock_destroy (&good);
    zsock_destroy (&router);
}

static void unknown_peer (void **state)
{
    (void) state;
    zsock_t *router = s_router ((char[256]){0});
    size_t sizes[] = {5, 100000}; /* copied, given away */
    for (int i = 0; i < 2; i++) {
        synod_buf_t frame = test_frame ("hello", sizes[i]);
        char *data = frame.data;
        assert_int_equal (synod__socket_send (router, synod_str ("nobody"), &frame), SYNOD_NODE_DOWN);
        assert_ptr_equal (frame.data, data);
        assert_int_equal (frame.size, sizes[i]);
        assert_memory_equal (frame.data, "hello", 5);
        synod_buf_free (&frame);
    }
    zsock_destroy (&router);
}

/* A full peer is an error, the frame stays with us, and all that was accepted arrives. Within a process a pipe holds
 * what both ends allow, so the marks are exact. */
static void full_peer (void **state)
{
    (void) state;
    zsock_t *router = test_socket (&(synod__socket_options_t){.type = ZMQ_ROUTER, .send_hwm = 3});
    zsock_t *dealer =
        test_socket (&(synod__socket_options_t){.type = ZMQ_DEALER, .receive_hwm = 5, .identity = synod_str ("d")});
    test_bind (router, "inproc://full", NULL);
    test_connect (dealer, "inproc://full");
    assert_int_equal (test_send (dealer, NULL, "hello"), SYNOD_OK);
    test_expect (router, "d", "hello");
    for (int i = 0; i < 4; i++)
        assert_int_equal (test_send (router, "d", "small"), SYNOD_OK);
    for (int i = 0; i < 4; i++) {
        synod_buf_t frame = test_frame ("large", 50000);
        assert_int_equal (synod__socket_send (router, synod_str ("d"), &frame), SYNOD_OK);
        assert_null (frame.data);
        assert_int_equal (frame.capacity, 0);
    }
    synod_buf_t frame = test_frame ("large", 50000);
    char *data = frame.data;
    assert_int_equal (synod__socket_send (router, synod_str ("d"), &frame), SYNOD_BUSY);
    assert_ptr_equal (frame.data, data);
    assert_int_equal (test_send (router, "d", "small"), SYNOD_BUSY);
    assert_int_equal (test_drain (dealer), 8);
    assert_int_equal (synod__socket_send (router, synod_str ("d"), &frame), SYNOD_OK);
    test_expect (dealer, NULL, "large");
    zsock_destroy (&dealer);
    zsock_destroy (&router);
}

/* Marks that are not given: a thousand at each end. */
static void default_marks (void **state)
{
    (void) state;
    zsock_t *a = test_socket (&(synod__socket_options_t){.type = ZMQ_PAIR});
    zsock_t *b = test_socket (&(synod__socket_options_t){.type = ZMQ_PAIR});
    test_bind (a, "inproc://marks", NULL);
    test_connect (b, "inproc://marks");
    for (int i = 0; i < 2000; i++)
        assert_int_equal (test_send (a, NULL, "x"), SYNOD_OK);
    assert_int_equal (test_send (a, NULL, "x"), SYNOD_BUSY);
    zsock_destroy (&a);
    zsock_destroy (&b);
}

/* Nothing is queued for the dead, so nothing stale reaches who comes after. */
static void dead_peer (void **state)
{
    (void) state;
    char endpoint[256];
    zsock_t *router = s_router (endpoint);
    zsock_t *dealer = s_dealer ("d", endpoint);
    zsock_t *monitor = test_monitor (dealer, ZMQ_EVENT_DISCONNECTED);
    test_wait (dealer, ZMQ_POLLOUT);
    assert_int_equal (test_send (dealer, NULL, "first"), SYNOD_OK);
    test_expect (router, "d", "first");
    zsock_destroy (&router);
    test_event (monitor);
    TEST_UNTIL (!(synod__socket_events (dealer) & ZMQ_POLLOUT));
    assert_int_equal (test_send (dealer, NULL, "stale"), SYNOD_BUSY);

    router = test_socket (&(synod__socket_options_t){.type = ZMQ_ROUTER});
    test_bind (router, endpoint, NULL);
    test_wait (dealer, ZMQ_POLLOUT);
    assert_int_equal (test_send (dealer, NULL, "second"), SYNOD_OK);
    test_expect (router, "d", "second");
    test_monitor_end (dealer, &monitor);
    zsock_destroy (&dealer);
    zsock_destroy (&router);
}

static void nobody_there (void **state)
{
    (void) state;
    char endpoint[256]; /* a port that was free might be somebody's by now */
    snprintf (endpoint, sizeof endpoint, "ipc:///tmp/synod-nobody-%d", (int) getpid ());
    zsock_t *dealer = s_dealer ("d", endpoint);
    assert_int_equal (test_send (dealer, NULL, "hello"), SYNOD_BUSY);
    zsock_destroy (&dealer);
}

/* Frames large enough not to be with the kernel by the time the socket is destroyed. */
static void linger (void **state)
{
    (void) state;
    char endpoint[256];
    zsock_t *router = s_router (endpoint);
    zsock_t *dealer =
        test_socket (&(synod__socket_options_t){.type = ZMQ_DEALER, .identity = synod_str ("d"), .linger_ms = 10000});
    test_connect (dealer, endpoint);
    test_wait (dealer, ZMQ_POLLOUT);
    for (int i = 0; i < 50; i++) {
        synod_buf_t frame = test_frame ("mail", 200000);
        assert_int_equal (synod__socket_send (dealer, synod_str (NULL), &frame), SYNOD_OK);
    }
    zsock_destroy (&dealer);
    for (int i = 0; i < 50; i++)
        test_expect (router, "d", "mail");
    zsock_destroy (&router);
}

/* Who comes back under its identity gets its mail, whether or not the old connection has been noticed dead. */
static void handover (void **state)
{
    (void) state;
    char endpoint[256];
    zsock_t *router = s_router (endpoint);
    zsock_t *before = s_dealer ("same", endpoint);
    test_wait (before, ZMQ_POLLOUT);
    assert_int_equal (test_send (before, NULL, "before"), SYNOD_OK);
    test_expect (router, "same", "before");
    zsock_t *after = s_dealer ("same", endpoint);
    test_wait (after, ZMQ_POLLOUT);
    assert_int_equal (test_send (after, NULL, "after"), SYNOD_OK);
    test_expect (router, "same", "after");
    assert_int_equal (test_send (router, "same", "mail"), SYNOD_OK);
    test_expect (after, NULL, "mail");
    zsock_destroy (&before);
    zsock_destroy (&after);
    zsock_destroy (&router);
}

/* A connection on which nobody speaks is closed by us after three seconds. */
static void silent_connection (void **state)
{
    (void) state;
    char endpoint[256], greeting[64];
    zsock_t *router = s_router (endpoint);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    address.sin_port = htons ((uint16_t) strtol (strrchr (endpoint, ':') + 1, NULL, 10));
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal (connect (fd, (struct sockaddr *) &address, sizeof address), 0);
    int64_t limit = synod__now_us () + TEST_LIMIT_US;
    ssize_t got = 1;
    while (got > 0) {
        struct pollfd item = {fd, POLLIN, 0};
        assert_int_equal (poll (&item, 1, (int) ((limit - synod__now_us ()) / 1000)), 1);
        got = recv (fd, greeting, sizeof greeting, 0);
    }
    close (fd);
    zsock_destroy (&router);
}

/* Both subscribers' requests are shown, though the second changes nothing. */
static void verbose (void **state)
{
    (void) state;
    zsock_t *pub = test_socket (&(synod__socket_options_t){.type = ZMQ_XPUB});
    zsock_t *subs[2];
    test_bind (pub, "inproc://verbose", NULL);
    for (int i = 0; i < 2; i++) {
        subs[i] = test_socket (&(synod__socket_options_t){.type = ZMQ_SUB});
        test_connect (subs[i], "inproc://verbose");
        zsock_set_subscribe (subs[i], "topic");
        test_expect (pub, NULL, "\001topic");
    }
    zsock_destroy (&subs[0]);
    zsock_destroy (&subs[1]);
    zsock_destroy (&pub);
}

static void no_drop (void **state)
{
    (void) state;
    for (int on = 0; on < 2; on++) {
        zsock_t *pub = test_socket (&(synod__socket_options_t){.type = ZMQ_XPUB, .send_hwm = 1, .no_drop = on});
        zsock_t *sub = test_socket (&(synod__socket_options_t){.type = ZMQ_SUB, .receive_hwm = 1});
        const char *endpoint = on ? "inproc://no-drop" : "inproc://drop";
        test_bind (pub, endpoint, NULL);
        test_connect (sub, endpoint);
        zsock_set_subscribe (sub, "");
        test_expect (pub, NULL, "\001");
        assert_int_equal (test_send (pub, NULL, "1"), SYNOD_OK);
        assert_int_equal (test_send (pub, NULL, "2"), SYNOD_OK);
        assert_int_equal (test_send (pub, NULL, "3"), on ? SYNOD_BUSY : SYNOD_OK);
        zsock_destroy (&sub);
        zsock_destroy (&pub);
    }
}

static void s_expect_option (zsock_t *self, int option, int value)
{
    int got = 0;
    size_t size = sizeof got;
    assert_int_equal (zmq_getsockopt (zsock_resolve (self), option, &got, &size), 0);
    assert_int_equal (got, value);
}

/* What would take a broken network to see. */
static void the_rest (void **state)
{
    (void) state;
    zsock_t *self = test_socket (&(synod__socket_options_t){.type = ZMQ_DEALER, .linger_ms = 77});
    s_expect_option (self, ZMQ_TCP_KEEPALIVE, 1);
    s_expect_option (self, ZMQ_RECONNECT_IVL, 20);
    s_expect_option (self, ZMQ_RECONNECT_IVL_MAX, 1000);
    s_expect_option (self, ZMQ_LINGER, 77);
    zsock_destroy (&self);
}

/* No use of a socket waits, whatever the flags. */
static void never_blocks (void **state)
{
    (void) state;
    zsock_t *self = test_socket (&(synod__socket_options_t){.type = ZMQ_PAIR});
    char byte = 0;
    int64_t began_us = synod__now_us ();
    assert_int_equal (zmq_recv (zsock_resolve (self), &byte, 1, 0), -1);
    assert_int_equal (zmq_errno (), EAGAIN);
    assert_int_equal (zmq_send (zsock_resolve (self), &byte, 1, 0), -1);
    assert_int_equal (zmq_errno (), EAGAIN);
    assert_true (synod__now_us () - began_us < TEST_LIMIT_US / 10);
    zsock_destroy (&self);
}

static void many_sockets (void **state)
{
    (void) state;
    enum { COUNT = 1200 };
    static zsock_t *sockets[COUNT];
    struct rlimit files;
    assert_int_equal (getrlimit (RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur < 2 * COUNT) {
        files.rlim_cur = files.rlim_max < 2 * COUNT ? files.rlim_max : 2 * COUNT;
        if (files.rlim_cur < 2 * COUNT || setrlimit (RLIMIT_NOFILE, &files)) {
            print_message ("a process may not have %d files open here\n", 2 * COUNT);
            skip ();
        }
    }
    for (int i = 0; i < COUNT; i++)
        sockets[i] = test_socket (&(synod__socket_options_t){.type = ZMQ_PAIR});
    for (int i = 0; i < COUNT; i++)
        zsock_destroy (&sockets[i]);
}

/* Out of file descriptors: an error in words, and what there is goes on working. */
static void no_descriptors (void **state)
{
    (void) state;
    static zsock_t *sockets[200];
    struct rlimit before, few = {100, 0};
    synod_fault_t fault = {0};
    zsock_t *end = test_socket (&(synod__socket_options_t){.type = ZMQ_PAIR});
    test_bind (end, "inproc://few", NULL);
    assert_int_equal (getrlimit (RLIMIT_NOFILE, &before), 0);
    few.rlim_max = before.rlim_max;
    assert_int_equal (setrlimit (RLIMIT_NOFILE, &few), 0);
    int count = 0;
    while (count < 200 && (sockets[count] = synod__socket_new (&(synod__socket_options_t){.type = ZMQ_PAIR}, &fault)))
        count++;
    assert_int_equal (setrlimit (RLIMIT_NOFILE, &before), 0);
    assert_true (count > 0 && count < 100);
    assert_int_equal (fault.code, SYNOD_IO);
    assert_non_null (strstr (fault.text, strerror (EMFILE)));
    test_connect (sockets[0], "inproc://few");
    assert_int_equal (test_send (sockets[0], NULL, "mail"), SYNOD_OK);
    test_expect (end, NULL, "mail");
    while (count > 0)
        zsock_destroy (&sockets[--count]);
    zsock_destroy (&end);
}

static void s_actor (zsock_t *pipe, void *args)
{
    (void) args;
    zsock_signal (pipe, 0);
    zstr_free (&(char *){zstr_recv (pipe)}); /* $TERM */
}

/* Runs first: what czmq does to signals it does when it is first used. */
static void signals_untouched (void **state)
{
    (void) state;
    const int numbers[] = {SIGINT, SIGTERM};
    struct sigaction before[2], after[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal (sigaction (numbers[i], NULL, &before[i]), 0);
    synod__sys_init ();
    zactor_t *actor = zactor_new (s_actor, NULL);
    assert_non_null (actor);
    zsock_t *socket = test_socket (&(synod__socket_options_t){.type = ZMQ_PAIR});
    for (int i = 0; i < 2; i++) {
        assert_int_equal (sigaction (numbers[i], NULL, &after[i]), 0);
        assert_ptr_equal (after[i].sa_handler, before[i].sa_handler);
        assert_int_equal (after[i].sa_flags, before[i].sa_flags);
    }
    zsock_destroy (&socket);
    zactor_destroy (&actor);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (signals_untouched), /* first */
        cmocka_unit_test (too_large),
        cmocka_unit_test (unknown_peer),
        cmocka_unit_test (full_peer),
        cmocka_unit_test (default_marks),
        cmocka_unit_test (dead_peer),
        cmocka_unit_test (nobody_there),
        cmocka_unit_test (linger),
        cmocka_unit_test (handover),
        cmocka_unit_test (silent_connection),
        cmocka_unit_test (verbose),
        cmocka_unit_test (no_drop),
        cmocka_unit_test (the_rest),
        cmocka_unit_test (never_blocks),
        cmocka_unit_test (no_descriptors),
        cmocka_unit_test (many_sockets),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
