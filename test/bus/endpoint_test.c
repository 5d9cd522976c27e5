/* SPDX-License-Identifier: MPL-2.0
 *
 * Binding, connecting and receiving: what endpoints are refused, what is at an ipc path already, messages of the wrong
 * number of parts.
 */
#include <arpa/inet.h>
#include <ftw.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "bus_test.h"

static char s_dir[64];

static zsock_t *s_new (int type)
{
    return test_socket (&(synod__socket_options_t){.type = type, .identity = synod_str ("d")});
}

/* A message gets from a dealer at REAL to ROUTER. */
static void s_reachable (zsock_t *router, const char *real)
{
    zsock_t *dealer = s_new (ZMQ_DEALER);
    test_connect (dealer, real);
    test_wait (dealer, ZMQ_POLLOUT);
    assert_int_equal (test_send (dealer, NULL, "hello"), SYNOD_OK);
    test_expect (router, "d", "hello");
    zsock_destroy (&dealer);
}

/* A port of * and all interfaces: told as others can connect to it. */
static void wildcards (void **state)
{
    (void) state;
    const char *endpoints[] = {"tcp://127.0.0.1:*", "tcp://*:*", "tcp://0.0.0.0:*", "ipc://*"};
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        char real[256] = "";
        zsock_t *router = s_new (ZMQ_ROUTER);
        test_bind (router, endpoints[i], real);
        assert_null (strchr (real, '*'));
        assert_null (strstr (real, "0.0.0.0"));
        s_reachable (router, real);
        zsock_destroy (&router);
    }
}

/* Where a router bound to all interfaces can be reached when czmq is told to use NAME must be ADDRESS. */
static void s_expect_own (const char *name, const char *address)
{
    char real[256] = "", expected[64];
    snprintf (expected, sizeof expected, "tcp://%s:", address);
    zsock_t *router = s_new (ZMQ_ROUTER);
    zsys_set_interface (name);
    test_bind (router, "tcp://*:*", real);
    zsys_set_interface ("");
    assert_int_equal (strncmp (real, expected, strlen (expected)), 0);
    zsock_destroy (&router);
}

/* Of several addresses the one that czmq is told to use, by its own or its interface's name; or the first that is not
 * the loopback. */
static void interface (void **state)
{
    (void) state;
    struct ifaddrs *all = NULL;
    char first[INET_ADDRSTRLEN] = "";
    assert_int_equal (getifaddrs (&all), 0);
    for (struct ifaddrs *one = all; one; one = one->ifa_next) {
        if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || !(one->ifa_flags & IFF_UP))
            continue;
        char address[INET_ADDRSTRLEN];
        inet_ntop (AF_INET, &((struct sockaddr_in *) one->ifa_addr)->sin_addr, address, sizeof address);
        s_expect_own (address, address);
        if (!(one->ifa_flags & IFF_LOOPBACK) && !*first) {
            memcpy (first, address, sizeof address);
            s_expect_own (one->ifa_name, address);
        }
    }
    freeifaddrs (all);
    s_expect_own ("lo", "127.0.0.1");
    s_expect_own ("", *first ? first : "127.0.0.1");
}

static void refused (void **state)
{
    (void) state;
    const struct {
        const char *endpoint;
        int code;
    } cases[] = {
        {"", SYNOD_INVALID},
        {"nonsense", SYNOD_INVALID},
        {"carrier-pigeon://loft", SYNOD_INVALID},
        {"tcp://", SYNOD_INVALID},
        {"tcp://127.0.0.1", SYNOD_INVALID},
        {"tcp://127.0.0.1:99999", SYNOD_INVALID},
        {"tcp://127.0.0.1:55x", SYNOD_INVALID},
        {"tcp://127.0.0.1:-1", SYNOD_INVALID},
        {"ipc:///no/such/dir/socket", SYNOD_IO},
    };
    char real[256];
    zsock_t *router = s_new (ZMQ_ROUTER), *dealer = s_new (ZMQ_DEALER);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        synod_fault_t fault = {0};
        assert_int_equal (synod__socket_bind (router, cases[i].endpoint, real, &fault), cases[i].code);
        assert_int_equal (fault.code, cases[i].code);
        assert_non_null (strstr (fault.text, cases[i].endpoint));
        if (cases[i].code == SYNOD_INVALID)
            assert_int_equal (synod__socket_connect (dealer, cases[i].endpoint, &fault), SYNOD_INVALID);
    }
    assert_int_equal (synod__socket_connect (dealer, "tcp://127.0.0.1:0", NULL), SYNOD_INVALID);
    assert_int_equal (synod__socket_connect (dealer, "tcp://127.0.0.1:*", NULL), SYNOD_INVALID);
    zsock_t *other = s_new (ZMQ_ROUTER);
    synod_fault_t fault = {0};
    test_bind (router, "tcp://127.0.0.1:*", real);
    char taken[256];
    memcpy (taken, real, sizeof real);
    assert_int_equal (synod__socket_bind (other, taken, real, &fault), SYNOD_IO);
    zsock_destroy (&other);
    zsock_destroy (&dealer);
    zsock_destroy (&router);
}

/* What a process that died left behind is no obstacle. */
static void stale_ipc (void **state)
{
    (void) state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char endpoint[128], real[256];
    snprintf (endpoint, sizeof endpoint, "ipc://%s/stale", s_dir);
    snprintf (address.sun_path, sizeof address.sun_path, "%s/stale", s_dir);
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal (bind (fd, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal (listen (fd, 1), 0);
    close (fd);
    zsock_t *router = s_new (ZMQ_ROUTER);
    test_bind (router, endpoint, real);
    assert_string_equal (real, endpoint);
    s_reachable (router, real);
    zsock_destroy (&router);
}

/* One that serves keeps its endpoint. */
static void live_ipc (void **state)
{
    (void) state;
    char endpoint[128], real[256];
    synod_fault_t fault = {0};
    snprintf (endpoint, sizeof endpoint, "ipc://%s/live", s_dir);
    zsock_t *router = s_new (ZMQ_ROUTER), *thief = s_new (ZMQ_ROUTER);
    test_bind (router, endpoint, real);
    assert_int_equal (synod__socket_bind (thief, endpoint, real, &fault), SYNOD_IO);
    assert_non_null (strstr (fault.text, "in use"));
    s_reachable (router, endpoint);
    zsock_destroy (&thief);
    s_reachable (router, endpoint);
    zsock_destroy (&router);
}

/* A file is nothing to be removed for a socket. */
static void file_at_ipc_path (void **state)
{
    (void) state;
    char endpoint[192], real[256], path[128];
    synod_fault_t fault = {0};
    struct stat info;
    snprintf (path, sizeof path, "%s/file", s_dir);
    snprintf (endpoint, sizeof endpoint, "ipc://%s", path);
    fclose (fopen (path, "w"));
    zsock_t *router = s_new (ZMQ_ROUTER);
    assert_int_equal (synod__socket_bind (router, endpoint, real, &fault), SYNOD_IO);
    assert_non_null (strstr (fault.text, "no socket"));
    zsock_destroy (&router);
    assert_int_equal (stat (path, &info), 0);
}

static void s_send_parts (zsock_t *self, int count)
{
    while (count-- > 0)
        assert_int_equal (zmq_send (zsock_resolve (self), "part", 4, count > 0 ? ZMQ_SNDMORE : 0), 4);
}

/* One with too many parts is taken whole and told of, with who sent it; the next is not touched by that. */
static void parts (void **state)
{
    (void) state;
    char real[256];
    zmq_msg_t from, msg;
    zmq_msg_init (&from);
    zmq_msg_init (&msg);
    zsock_t *router = s_new (ZMQ_ROUTER), *dealer = s_new (ZMQ_DEALER);
    test_bind (router, "tcp://127.0.0.1:*", real);
    test_connect (dealer, real);
    test_wait (dealer, ZMQ_POLLOUT);
    assert_int_equal (synod__socket_receive (router, &from, &msg), SYNOD_NOT_FOUND);
    for (int count = 2; count <= 5; count++) {
        s_send_parts (dealer, count);
        assert_int_equal (test_send (dealer, NULL, "whole"), SYNOD_OK);
        test_wait (router, ZMQ_POLLIN);
        assert_int_equal (synod__socket_receive (router, &from, &msg), SYNOD_BAD_FRAME);
        assert_int_equal (zmq_msg_size (&msg), 0);
        assert_true (synod_str_is (synod_str_n (zmq_msg_data (&from), zmq_msg_size (&from)), "d"));
        test_expect (router, "d", "whole");
    }
    assert_int_equal (synod__socket_receive (router, &from, &msg), SYNOD_NOT_FOUND);

    /* and without identities */
    assert_int_equal (test_send (router, "d", "whole"), SYNOD_OK);
    assert_int_equal (zmq_send (zsock_resolve (router), "d", 1, ZMQ_SNDMORE), 1);
    s_send_parts (router, 2);
    assert_int_equal (test_send (router, "d", "whole"), SYNOD_OK);
    test_expect (dealer, NULL, "whole");
    test_wait (dealer, ZMQ_POLLIN);
    assert_int_equal (synod__socket_receive (dealer, NULL, &msg), SYNOD_BAD_FRAME);
    test_expect (dealer, NULL, "whole");
    assert_int_equal (synod__socket_receive (dealer, NULL, &msg), SYNOD_NOT_FOUND);
    zmq_msg_close (&from);
    zmq_msg_close (&msg);
    zsock_destroy (&dealer);
    zsock_destroy (&router);
}

static int s_remove (const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void) info, (void) kind, (void) at;
    return remove (path);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (wildcards), cmocka_unit_test (interface), cmocka_unit_test (refused),
        cmocka_unit_test (stale_ipc), cmocka_unit_test (live_ipc),  cmocka_unit_test (file_at_ipc_path),
        cmocka_unit_test (parts),
    };
    snprintf (s_dir, sizeof s_dir, "/tmp/synod-endpoint-XXXXXX");
    if (!mkdtemp (s_dir))
        return 1;
    synod__sys_init ();
    int failed = cmocka_run_group_tests (tests, NULL, NULL);
    nftw (s_dir, s_remove, 8, FTW_DEPTH | FTW_PHYS);
    return failed;
}
