/* SPDX-License-Identifier: MPL-2.0
 *
 * Beacons that hear each other, and those that must not. In a network namespace of its own where that is allowed, so
 * that nothing leaves the machine; else on what interface there is; skipped where none can broadcast.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include "bus_test.h"
#include "bus/beacon.h"

#define S_PORT 17670

/* NULL: skipped, for want of a network. */
static synod__beacon_t *s_new (const char *endpoint)
{
    synod_fault_t fault = {0};
    synod__beacon_t *self = synod__beacon_new (S_PORT, endpoint, &fault);
    if (!self && strstr (fault.text, "can broadcast")) {
        print_message ("%s: run this where there is one, or as root\n", fault.text);
        skip ();
    }
    if (!self)
        fail_msg ("%s", fault.text);
    return self;
}

/* The next that SELF hears must be ENDPOINT. */
static void s_expect (synod__beacon_t *self, const char *endpoint)
{
    char heard[256];
    TEST_UNTIL (synod__beacon_next (self, heard));
    assert_string_equal (heard, endpoint);
}

static void hear_each_other (void **state)
{
    (void) state;
    synod__beacon_t *a = s_new ("tcp://10.0.0.1:1");
    synod__beacon_t *b = s_new ("tcp://10.0.0.2:2");
    synod__poller_t *poller = synod__poller_new ();
    synod__poll_t *poll = synod__poller_add (poller, synod__beacon_socket (a), ZMQ_POLLIN, NULL);
    assert_int_equal (synod__poller_wait (poller, synod__now_us () + TEST_LIMIT_US), 1);
    s_expect (a, "tcp://10.0.0.2:2");
    s_expect (b, "tcp://10.0.0.1:1");
    s_expect (b, "tcp://10.0.0.1:1"); /* again and again, and never its own */
    synod__poller_remove (poller, &poll);
    synod__poller_destroy (&poller);
    synod__beacon_destroy (&a);
    synod__beacon_destroy (&b);
    synod__beacon_destroy (&b);
}

/* One that only listens hears, and says nothing. */
static void listener (void **state)
{
    (void) state;
    char endpoint[SYNOD__BEACON_ENDPOINT_MAX + 2], heard[256];
    memset (endpoint, 'x', sizeof endpoint);
    memcpy (endpoint, "tcp://", 6);
    endpoint[SYNOD__BEACON_ENDPOINT_MAX] = 0;
    synod__beacon_t *quiet = s_new (NULL), *longest = s_new (endpoint);
    s_expect (quiet, endpoint);
    s_expect (quiet, endpoint);
    assert_false (synod__beacon_next (longest, heard));
    synod__beacon_destroy (&quiet);
    synod__beacon_destroy (&longest);
}

/* Where beacons go, as zbeacon sees it. */
static struct sockaddr_in s_address (void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons (S_PORT)};
    ziflist_t *all = ziflist_new ();
    if (ziflist_first (all))
        inet_aton (ziflist_broadcast (all), &address.sin_addr);
    ziflist_destroy (&all);
    return address;
}

/* What others broadcast at the same port is passed over, a flood of it too. */
static void strangers (void **state)
{
    (void) state;
    const synod_str_t wrong[] = {
        synod_str_n ("", 0),
        synod_str ("SYN"),
        synod_str ("SYN1"),
        synod_str ("SYN1tcp://"),
        synod_str ("SYN2tcp://10.0.0.9:9"),
        synod_str ("SYN1ipc:///tmp/x"),
        synod_str_n ("SYN1tcp://10.0.0.9:9\0hidden", 27),
        synod_str ("SYN1tcp://10.0.0.9:9\n"),
        synod_str ("SYN1tcp://h\xc3\xb6rer:9"),
    };
    synod__beacon_t *self = s_new (NULL);
    struct sockaddr_in address = s_address ();
    int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    assert_int_equal (setsockopt (fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on), 0);
    synod_str_t right = synod_str ("SYN1tcp://10.0.0.3:3");
    for (int i = 0; i < 1800; i++) {
        synod_str_t text = wrong[i % 9];
        sendto (fd, text.data, text.size, 0, (struct sockaddr *) &address, sizeof address);
    }
    char heard[256];
    int64_t limit_us = synod__now_us () + TEST_LIMIT_US;
    do { /* some are lost on the way, as UDP goes */
        assert_true (synod__now_us () < limit_us);
        sendto (fd, right.data, right.size, 0, (struct sockaddr *) &address, sizeof address);
        zmq_poll (NULL, 0, 1);
    } while (!synod__beacon_next (self, heard));
    assert_string_equal (heard, "tcp://10.0.0.3:3");
    close (fd);
    synod__beacon_destroy (&self);
}

/* Destroyed though more has come than its queue holds. */
static void destroyed_when_full (void **state)
{
    (void) state;
    synod__beacon_t *self = s_new (NULL);
    struct sockaddr_in address = s_address ();
    int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    assert_int_equal (setsockopt (fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on), 0);
    for (int i = 0; i < 20000; i++) {
        sendto (fd, "SYN1tcp://h:1", 13, 0, (struct sockaddr *) &address, sizeof address);
        if (i % 100 == 0)
            sched_yield ();
    }
    close (fd);
    synod__beacon_destroy (&self);
    assert_null (self);
}

static volatile sig_atomic_t s_signals;

static void s_on_signal (int number)
{
    (void) number;
    s_signals++;
}

/* A signal finds no thread of a beacon's to end. */
static void deaf_to_signals (void **state)
{
    (void) state;
    struct sigaction action = {.sa_handler = s_on_signal}, action_before;
    sigset_t one, before, pending;
    sigemptyset (&one);
    sigaddset (&one, SIGUSR1);
    sigaction (SIGUSR1, &action, &action_before);
    synod__beacon_t *self = s_new (NULL);
    pthread_sigmask (SIG_BLOCK, &one, &before);
    kill (getpid (), SIGUSR1);
    TEST_UNTIL (s_signals > 0 || (sigpending (&pending) == 0 && sigismember (&pending, SIGUSR1)));
    assert_int_equal (s_signals, 0);
    synod__beacon_t *other = s_new ("tcp://10.0.0.4:4");
    s_expect (self, "tcp://10.0.0.4:4");
    synod__beacon_destroy (&self);
    synod__beacon_destroy (&other);
    pthread_sigmask (SIG_SETMASK, &before, NULL); /* it is ours now */
    assert_int_equal (s_signals, 1);
    sigaction (SIGUSR1, &action_before, NULL);
}

static void refused (void **state)
{
    (void) state;
    char endpoint[SYNOD__BEACON_ENDPOINT_MAX + 2];
    synod_fault_t fault = {0};
    assert_null (synod__beacon_new (0, "tcp://10.0.0.1:1", &fault));
    assert_int_equal (fault.code, SYNOD_INVALID);
    assert_null (synod__beacon_new (65536, "tcp://10.0.0.1:1", &fault));
    assert_int_equal (fault.code, SYNOD_INVALID);
    memset (endpoint, 'x', sizeof endpoint);
    endpoint[SYNOD__BEACON_ENDPOINT_MAX + 1] = 0;
    assert_null (synod__beacon_new (S_PORT, endpoint, &fault));
    assert_int_equal (fault.code, SYNOD_TOO_LARGE);

    zsys_set_interface ("no-such-one");
    assert_null (synod__beacon_new (S_PORT, "tcp://10.0.0.1:1", &fault));
    zsys_set_interface ("");
    assert_int_equal (fault.code, SYNOD_IO);
    assert_non_null (strstr (fault.text, "no-such-one"));

    /* another program has the port for itself */
    int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons (S_PORT)};
    assert_int_equal (bind (fd, (struct sockaddr *) &address, sizeof address), 0);
    assert_null (synod__beacon_new (S_PORT, "tcp://10.0.0.1:1", &fault));
    assert_int_equal (fault.code, SYNOD_IO);
    close (fd);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (hear_each_other),     cmocka_unit_test (listener),        cmocka_unit_test (strangers),
        cmocka_unit_test (destroyed_when_full), cmocka_unit_test (deaf_to_signals), cmocka_unit_test (refused),
    };
    const char *setup =
        "{ ip link set lo up && ip link add v0 type veth peer name v1 && ip addr add 10.9.9.1/24 brd + dev v0"
        " && ip link set v0 up && ip link set v1 up; } 2>/dev/null";
    int host = open ("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (host >= 0 && unshare (CLONE_NEWNET) == 0 && system (setup) != 0)
        assert (setns (host, CLONE_NEWNET) == 0);
    if (host >= 0)
        close (host);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
