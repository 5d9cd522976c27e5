/* SPDX-License-Identifier: MPL-2.0
 *
 * The poller: nothing is missed, nothing is asked in vain. zmq_getsockopt and the two waits of epoll are wrapped by the
 * linker and counted.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#include "bus_test.h"

static _Atomic int s_asked, s_waits;

int __real_zmq_getsockopt (void *handle, int option, void *value, size_t *size);
int __wrap_zmq_getsockopt (void *handle, int option, void *value, size_t *size);
int __real_epoll_wait (int fd, struct epoll_event *events, int count, int timeout);
int __wrap_epoll_wait (int fd, struct epoll_event *events, int count, int timeout);
int __real_epoll_pwait2 (int fd, struct epoll_event *events, int count, const struct timespec *limit, const sigset_t *);
int __wrap_epoll_pwait2 (int fd, struct epoll_event *events, int count, const struct timespec *limit, const sigset_t *);

int __wrap_zmq_getsockopt (void *handle, int option, void *value, size_t *size)
{
    s_asked++;
    return __real_zmq_getsockopt (handle, option, value, size);
}

int __wrap_epoll_wait (int fd, struct epoll_event *events, int count, int timeout)
{
    s_waits++;
    return __real_epoll_wait (fd, events, count, timeout);
}

int __wrap_epoll_pwait2 (int fd, struct epoll_event *events, int count, const struct timespec *limit,
                         const sigset_t *signals)
{
    s_waits++;
    return __real_epoll_pwait2 (fd, events, count, limit, signals);
}

/* Two connected PAIRs; a pipe holds HWM frames each way. */
static void s_pair (zsock_t **a, zsock_t **b, int hwm)
{
    static int count;
    char endpoint[64];
    snprintf (endpoint, sizeof endpoint, "inproc://pair-%d", ++count);
    synod__socket_options_t options = {.type = ZMQ_PAIR, .send_hwm = hwm / 2, .receive_hwm = hwm - hwm / 2};
    *a = test_socket (&options);
    *b = test_socket (&options);
    test_bind (*a, endpoint, NULL);
    test_connect (*b, endpoint);
}

static int64_t s_soon (void)
{
    return synod__now_us () + TEST_LIMIT_US;
}

static int64_t s_ms (int ms)
{
    return synod__now_us () + (int64_t) ms * 1000;
}

/* The next ready must be POLL with EVENTS. */
static void s_expect (synod__poller_t *poller, synod__poll_t *poll, int events, const void *owner)
{
    void *got_owner = NULL;
    int got_events = 0;
    assert_ptr_equal (synod__poller_next (poller, &got_owner, &got_events), poll);
    assert_int_equal (got_events, events);
    assert_ptr_equal (got_owner, owner);
}

/* An owner that takes one at a time is called until all is taken. */
static void taken_in_parts (void **state)
{
    (void) state;
    zsock_t *a, *b;
    int owner;
    s_pair (&a, &b, 100);
    synod__poller_t *poller = synod__poller_new ();
    synod__poll_t *poll = synod__poller_add (poller, a, ZMQ_POLLIN, &owner);
    assert_int_equal (synod__poller_wait (poller, 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal (test_send (b, NULL, "mail"), SYNOD_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (synod__poller_wait (poller, s_soon ()), 1);
        s_expect (poller, poll, ZMQ_POLLIN, &owner);
        assert_null (synod__poller_next (poller, NULL, NULL));
        test_expect (a, NULL, "mail");
    }
    assert_int_equal (synod__poller_wait (poller, 0), 0);
    assert_null (synod__poller_next (poller, NULL, NULL));
    synod__poller_remove (poller, &poll);
    assert_null (poll);
    synod__poller_destroy (&poller);
    zsock_destroy (&a);
    zsock_destroy (&b);
}

/* Using a socket for something else swallows the news of what has come; touch brings it back. */
static void touched (void **state)
{
    (void) state;
    zsock_t *a, *b;
    s_pair (&a, &b, 100);
    synod__poller_t *poller = synod__poller_new ();
    synod__poll_t *poll = synod__poller_add (poller, a, ZMQ_POLLIN, NULL);
    assert_int_equal (synod__poller_wait (poller, 0), 0);
    assert_int_equal (test_send (b, NULL, "mail"), SYNOD_OK);
    assert_int_equal (synod__socket_events (a) & ZMQ_POLLIN, ZMQ_POLLIN);
    synod__poll_touch (poll);
    assert_int_equal (synod__poller_wait (poller, s_soon ()), 1);
    s_expect (poller, poll, ZMQ_POLLIN, NULL);
    synod__poller_remove (poller, &poll);
    synod__poller_destroy (&poller);
    zsock_destroy (&a);
    zsock_destroy (&b);
}

/* Its descriptor is silent about a socket that was used, however much that has: so a wait comes first. */
static void descriptor (void **state)
{
    (void) state;
    zsock_t *a, *b;
    s_pair (&a, &b, 100);
    synod__poller_t *poller = synod__poller_new ();
    synod__poll_t *poll = synod__poller_add (poller, a, ZMQ_POLLIN, NULL);
    zmq_pollitem_t item = {NULL, synod__poller_fd (poller), ZMQ_POLLIN, 0};
    assert_int_equal (synod__poll_wanted (poll), ZMQ_POLLIN);
    assert_true (synod__poller_touched (poller)); /* a new one */
    assert_int_equal (synod__poller_wait (poller, 0), 0);
    assert_false (synod__poller_touched (poller));
    assert_int_equal (zmq_poll (&item, 1, 0), 0);
    assert_int_equal (test_send (b, NULL, "mail"), SYNOD_OK);
    assert_int_equal (zmq_poll (&item, 1, TEST_LIMIT_US / 1000), 1);
    assert_int_equal (synod__socket_events (a) & ZMQ_POLLIN, ZMQ_POLLIN);
    synod__poll_touch (poll);
    assert_int_equal (zmq_poll (&item, 1, 0), 0);
    assert_true (synod__poller_touched (poller));
    assert_int_equal (synod__poller_wait (poller, 0), 1);
    assert_true (synod__poller_touched (poller));
    s_expect (poller, poll, ZMQ_POLLIN, NULL);
    test_expect (a, NULL, "mail");
    assert_int_equal (synod__poller_wait (poller, 0), 0);
    assert_false (synod__poller_touched (poller));
    synod__poller_remove (poller, &poll);
    synod__poller_destroy (&poller);
    zsock_destroy (&a);
    zsock_destroy (&b);
}

/* What has come but is not wanted wakes nobody, and is told as soon as it is wanted. */
static void not_wanted (void **state)
{
    (void) state;
    zsock_t *a, *b;
    s_pair (&a, &b, 100);
    int fd = eventfd (1, EFD_CLOEXEC);
    synod__poller_t *poller = synod__poller_new ();
    synod__poll_t *poll = synod__poller_add (poller, a, ZMQ_POLLIN, NULL);
    synod__poll_t *plain = synod__poller_add_fd (poller, fd, &fd);
    synod__poll_events (poll, 0);
    synod__poll_events (plain, 0);
    assert_int_equal (test_send (b, NULL, "mail"), SYNOD_OK);
    s_waits = 0;
    int64_t until_us = s_ms (50);
    assert_int_equal (synod__poller_wait (poller, until_us), 0);
    assert_true (synod__now_us () >= until_us);
    assert_true (s_waits <= 5);

    synod__poll_events (poll, ZMQ_POLLIN);
    synod__poll_events (plain, ZMQ_POLLIN);
    assert_int_equal (synod__poller_wait (poller, s_soon ()), 2);
    s_expect (poller, poll, ZMQ_POLLIN, NULL);
    s_expect (poller, plain, ZMQ_POLLIN, &fd);
    synod__poller_remove (poller, &poll);
    synod__poller_remove (poller, &plain);
    synod__poller_destroy (&poller);
    close (fd);
    zsock_destroy (&a);
    zsock_destroy (&b);
}

typedef struct {
    zsock_t *socket;
    int count;
} s_job_t;

/* Takes COUNT messages in a thread of its own. */
static void *s_take (void *arg)
{
    s_job_t *self = (s_job_t *) arg;
    zmq_msg_t msg;
    zmq_msg_init (&msg);
    int64_t limit_us = s_soon ();
    while (self->count > 0 && synod__now_us () < limit_us) {
        zmq_pollitem_t item = {zsock_resolve (self->socket), 0, ZMQ_POLLIN, 0};
        zmq_poll (&item, 1, 100);
        if (synod__socket_receive (self->socket, NULL, &msg) == SYNOD_OK)
            self->count--;
    }
    zmq_msg_close (&msg);
    return NULL;
}

static void room_to_send (void **state)
{
    (void) state;
    zsock_t *a, *b;
    s_pair (&a, &b, 8);
    synod__poller_t *poller = synod__poller_new ();
    synod__poll_t *poll = synod__poller_add (poller, a, ZMQ_POLLOUT, NULL);
    for (int i = 0; i < 8; i++) {
        assert_int_equal (synod__poller_wait (poller, 0), 1);
        s_expect (poller, poll, ZMQ_POLLOUT, NULL);
        assert_int_equal (test_send (a, NULL, "mail"), SYNOD_OK);
        synod__poll_touch (poll);
    }
    assert_int_equal (synod__poller_wait (poller, 0), 0);
    s_job_t job = {b, 8};
    pthread_t thread;
    assert_int_equal (pthread_create (&thread, NULL, s_take, &job), 0);
    assert_int_equal (synod__poller_wait (poller, s_soon ()), 1);
    s_expect (poller, poll, ZMQ_POLLOUT, NULL);
    assert_int_equal (test_send (a, NULL, "mail"), SYNOD_OK);
    pthread_join (thread, NULL);
    assert_int_equal (job.count, 0);
    synod__poller_remove (poller, &poll);
    synod__poller_destroy (&poller);
    zsock_destroy (&a);
    zsock_destroy (&b);
}

/* Five hundred sockets on which nothing happens are not asked while two work. */
static void idle_sockets (void **state)
{
    (void) state;
    enum { IDLE = 500, ROUNDS = 1000 };
    static zsock_t *idle[IDLE];
    static synod__poll_t *polls[IDLE];
    zsock_t *a, *b;
    s_pair (&a, &b, 100);
    synod__poller_t *poller = synod__poller_new ();
    for (int i = 0; i < IDLE; i++) {
        idle[i] = test_socket (&(synod__socket_options_t){.type = ZMQ_PAIR});
        polls[i] = synod__poller_add (poller, idle[i], ZMQ_POLLIN, NULL);
        assert_non_null (polls[i]);
    }
    synod__poll_t *poll = synod__poller_add (poller, a, ZMQ_POLLIN, NULL);
    assert_int_equal (synod__poller_wait (poller, 0), 0);
    s_asked = 0;
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal (test_send (b, NULL, "mail"), SYNOD_OK);
        assert_int_equal (synod__poller_wait (poller, s_soon ()), 1);
        s_expect (poller, poll, ZMQ_POLLIN, NULL);
        test_expect (a, NULL, "mail");
    }
    assert_true (s_asked >= ROUNDS && s_asked <= 6 * ROUNDS);
    s_waits = 0;
    assert_int_equal (synod__poller_wait (poller, s_ms (30)), 0);
    assert_true (s_waits <= 5);
    for (int i = 0; i < IDLE; i++) {
        synod__poller_remove (poller, &polls[i]);
        zsock_destroy (&idle[i]);
    }
    synod__poller_remove (poller, &poll);
    synod__poller_destroy (&poller);
    zsock_destroy (&a);
    zsock_destroy (&b);
}

/* One that always has something does not hide the others, sockets or plain descriptors. */
static void busy_socket (void **state)
{
    (void) state;
    zsock_t *a, *b, *c, *d;
    s_pair (&a, &b, 100);
    s_pair (&c, &d, 100);
    int fd = eventfd (0, EFD_CLOEXEC);
    synod__poller_t *poller = synod__poller_new ();
    synod__poll_t *busy = synod__poller_add (poller, a, ZMQ_POLLIN, NULL);
    synod__poll_t *other = synod__poller_add (poller, c, ZMQ_POLLIN, NULL);
    synod__poll_t *plain = synod__poller_add_fd (poller, fd, &fd);
    assert_int_equal (test_send (b, NULL, "stays"), SYNOD_OK);
    assert_int_equal (synod__poller_wait (poller, s_soon ()), 1);
    s_expect (poller, busy, ZMQ_POLLIN, NULL);
    assert_int_equal (test_send (d, NULL, "mail"), SYNOD_OK);
    assert_int_equal (eventfd_write (fd, 1), 0);
    assert_int_equal (synod__poller_wait (poller, s_soon ()), 3);
    synod__poller_remove (poller, &other); /* ready, and gone before its turn */
    s_expect (poller, busy, ZMQ_POLLIN, NULL);
    s_expect (poller, plain, ZMQ_POLLIN, &fd);
    assert_null (synod__poller_next (poller, NULL, NULL));
    synod__poller_remove (poller, &busy);
    synod__poller_remove (poller, &plain);
    synod__poller_destroy (&poller);
    close (fd);
    zsock_destroy (&a);
    zsock_destroy (&b);
    zsock_destroy (&c);
    zsock_destroy (&d);
}

static volatile sig_atomic_t s_signals;

static void s_on_signal (int number)
{
    (void) number;
    s_signals++;
}

/* A wait ends at its time: not before, whatever the signals, and at once when that is over. */
static void on_time (void **state)
{
    (void) state;
    synod__poller_t *poller = synod__poller_new ();
    struct sigaction action = {.sa_handler = s_on_signal}, before;
    struct itimerval every = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
    sigaction (SIGALRM, &action, &before);
    s_signals = 0;
    setitimer (ITIMER_REAL, &every, NULL);
    int64_t until_us = s_ms (50);
    assert_int_equal (synod__poller_wait (poller, until_us), 0);
    int64_t late_us = synod__now_us () - until_us;
    setitimer (ITIMER_REAL, &off, NULL);
    sigaction (SIGALRM, &before, NULL);
    assert_true (s_signals > 0);
    assert_true (late_us >= 0 && late_us < TEST_LIMIT_US / 2);
    s_waits = 0;
    assert_int_equal (synod__poller_wait (poller, 1), 0);
    assert_int_equal (synod__poller_wait (poller, 0), 0);
    assert_int_equal (s_waits, 2);
    synod__poller_destroy (&poller);
    synod__poller_destroy (&poller);
}

#define S_MESSAGES 100000
#define S_WINDOW   7

/* Returns each number that comes, one for each time it is woken; a number that is not the next ends it. */
static void *s_return (void *arg)
{
    s_job_t *self = (s_job_t *) arg;
    synod__poller_t *poller = synod__poller_new ();
    synod__poll_t *poll = synod__poller_add (poller, self->socket, ZMQ_POLLIN, NULL);
    zmq_msg_t msg;
    zmq_msg_init (&msg);
    while (self->count < S_MESSAGES && synod__poller_wait (poller, s_soon ()) > 0) {
        int number = -1;
        while (synod__poller_next (poller, NULL, NULL))
            if (synod__socket_receive (self->socket, NULL, &msg) == SYNOD_OK)
                memcpy (&number, zmq_msg_data (&msg), sizeof number);
        if (number != self->count || synod__socket_send_msg (self->socket, &msg, 0) < 0)
            break;
        synod__poll_touch (poll);
        self->count++;
    }
    zmq_msg_close (&msg);
    synod__poller_remove (poller, &poll);
    synod__poller_destroy (&poller);
    return NULL;
}

/* A hundred thousand there and back, a few under way at any time, both ends asleep whenever they can. */
static void nothing_lost (void **state)
{
    (void) state;
    zsock_t *a, *b;
    s_pair (&a, &b, 100);
    synod__poller_t *poller = synod__poller_new ();
    synod__poll_t *poll = synod__poller_add (poller, a, ZMQ_POLLIN, NULL);
    s_job_t job = {b, 0};
    pthread_t thread;
    assert_int_equal (pthread_create (&thread, NULL, s_return, &job), 0);
    zmq_msg_t msg;
    zmq_msg_init (&msg);
    int sent = 0, back = 0;
    while (back < S_MESSAGES) {
        for (; sent < S_MESSAGES && sent < back + 1 + back % S_WINDOW; sent++) {
            synod_buf_t frame = {(char *) &sent, sizeof sent, sizeof sent};
            assert_int_equal (synod__socket_send (a, synod_str (NULL), &frame), SYNOD_OK);
            synod__poll_touch (poll);
        }
        assert_int_equal (synod__poller_wait (poller, s_soon ()), 1);
        s_expect (poller, poll, ZMQ_POLLIN, NULL);
        assert_int_equal (synod__socket_receive (a, NULL, &msg), SYNOD_OK);
        assert_memory_equal (zmq_msg_data (&msg), &back, sizeof back);
        back++;
    }
    pthread_join (thread, NULL);
    zmq_msg_close (&msg);
    synod__poller_remove (poller, &poll);
    synod__poller_destroy (&poller);
    zsock_destroy (&a);
    zsock_destroy (&b);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (taken_in_parts), cmocka_unit_test (touched),      cmocka_unit_test (descriptor),
        cmocka_unit_test (not_wanted),     cmocka_unit_test (room_to_send), cmocka_unit_test (idle_sockets),
        cmocka_unit_test (busy_socket),    cmocka_unit_test (on_time),      cmocka_unit_test (nothing_lost),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
