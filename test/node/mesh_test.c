/* SPDX-License-Identifier: MPL-2.0
 *
 * Nodes and handles that find each other without a broker: by an endpoint they were given, by the peers of a peer, by
 * beacons.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <synod/synod.h>

#include "bus/poller.h"
#include "bus/socket.h"

#define LIMIT_MS 10000

#define NAME_FIELDS(FIELD, OPT) OPT (str, node, 63, "the node that answers")
SYNOD_RECORD (who, NAME_FIELDS, SYNOD_IDEMPOTENT, "who are you")

static int on_who (synod_ctx_t *ctx, void *state, const who_t *in, synod_call_t call)
{
    (void) state, (void) in;
    return synod_reply (ctx, call, &who_record, &(who_t){.node = synod_str (synod_node (ctx))});
}

static const synod_actor_t teller = {.name = "teller", .routes = (synod_route_t[]){SYNOD_ON (who, on_who), SYNOD_END}};

static char folder[32];

static int set_up (void **state)
{
    (void) state;
    strcpy (folder, "/tmp/synod-test-XXXXXX");
    return mkdtemp (folder) ? 0 : -1;
}

static int tear_down (void **state)
{
    (void) state;
    return rmdir (folder); /* nothing may be left in it */
}

static synod_node_t *started (const synod_options_t *options)
{
    synod_fault_t fault = {0};
    synod_node_t *node = synod_node_new (options, &fault);
    if (!node || synod_node_add (node, &teller, NULL, &fault) != SYNOD_OK ||
        synod_node_start (node, &fault) != SYNOD_OK)
        fail_msg ("%s", fault.text);
    return node;
}

static synod_handle_t *joined (const synod_options_t *options)
{
    synod_fault_t fault = {0};
    synod_handle_t *handle = synod_handle_new (options, &fault);
    if (!handle)
        fail_msg ("%s", fault.text);
    return handle;
}

static void answers (synod_handle_t *handle, const char *node)
{
    char address[SYNOD_ADDRESS_MAX + 1];
    synod_reply_t reply = {0};
    who_t who;
    snprintf (address, sizeof address, "%s/teller", node);
    assert_int_equal (synod_handle_await (handle, address, LIMIT_MS), SYNOD_OK);
    if (synod_handle_ask (handle, address, &who_record, &(who_t){0}, LIMIT_MS, &reply) != SYNOD_OK)
        fail_msg ("%s: %.*s", address, SYNOD_STR (reply.message));
    assert_int_equal (synod_record_unpack (&who_record, reply.body, &who, NULL), SYNOD_OK);
    assert_true (synod_str_is (who.node, node));
}

/* b knows a, c knows b, and the handle knows c alone. */
static void by_a_peer (void **state)
{
    (void) state;
    char endpoints[3][64];
    synod_node_t *nodes[3];
    for (int i = 0; i < 3; i++) {
        snprintf (endpoints[i], sizeof endpoints[i], "ipc://%s/%c", folder, 'a' + i);
        const char *const peers[] = {i ? endpoints[i - 1] : NULL, NULL};
        const char name[] = {(char) ('a' + i), 0};
        nodes[i] = started (&(synod_options_t){.listen = endpoints[i], .peers = peers, .name = name});
    }
    const char *const known[] = {endpoints[2], NULL};
    synod_handle_t *handle = joined (&(synod_options_t){.peers = known});
    answers (handle, "a");
    answers (handle, "b");
    answers (handle, "c");
    synod_handle_destroy (&handle);
    for (int i = 0; i < 3; i++) {
        synod_node_stop (nodes[i]);
        assert_int_equal (synod_node_wait (nodes[i], LIMIT_MS, NULL), SYNOD_OK);
        synod_node_destroy (&nodes[i]);
    }
}

/* Who starts first does not matter. */
static void peer_comes_later (void **state)
{
    (void) state;
    char early[64], late[64];
    snprintf (early, sizeof early, "ipc://%s/early", folder);
    snprintf (late, sizeof late, "ipc://%s/late", folder);
    const char *const first[] = {early, NULL}, *const second[] = {late, NULL};
    synod_node_t *one =
        started (&(synod_options_t){.listen = early, .peers = second, .name = "early", .heartbeat_ms = 100});
    synod_handle_t *handle = joined (&(synod_options_t){.peers = first, .heartbeat_ms = 100});
    assert_int_equal (synod_handle_await (handle, "late/teller", 50), SYNOD_TIMEOUT);
    synod_node_t *other = started (&(synod_options_t){.listen = late, .name = "late"});
    answers (handle, "late");
    synod_handle_destroy (&handle);
    synod_node_destroy (&one);
    synod_node_destroy (&other);
}

/* A handle alone has joined nothing. */
static void nobody_there (void **state)
{
    (void) state;
    char endpoint[64];
    synod_fault_t fault = {0};
    snprintf (endpoint, sizeof endpoint, "ipc://%s/nobody", folder);
    const char *const known[] = {endpoint, NULL};
    assert_null (synod_handle_new (&(synod_options_t){.peers = known, .connect_ms = 200}, &fault));
    assert_int_equal (fault.code, SYNOD_TIMEOUT);
    assert_non_null (strstr (fault.text, "no peer answered within 200 ms"));
}

static void endpoint_in_use (void **state)
{
    (void) state;
    char endpoint[64];
    synod_fault_t fault = {0};
    snprintf (endpoint, sizeof endpoint, "ipc://%s/one", folder);
    synod_node_t *node = started (&(synod_options_t){.listen = endpoint, .name = "one"});
    assert_null (synod_node_new (&(synod_options_t){.listen = endpoint, .name = "two"}, &fault));
    assert_int_equal (fault.code, SYNOD_IO);
    assert_non_null (strstr (fault.text, endpoint));
    const char *const known[] = {endpoint, NULL};
    synod_handle_t *handle = joined (&(synod_options_t){.peers = known});
    answers (handle, "one"); /* it still has its endpoint */
    synod_handle_destroy (&handle);
    synod_node_destroy (&node);
}

/* A node's connections to one inbox, which here has two endpoints, are told apart: were they not, the ROUTER would leave the
 * one unread when the other comes. */
static void two_ways (void **state)
{
    (void) state;
    char endpoints[2][64], from[2][64] = {"", ""}, real[256];
    synod_fault_t fault = {0};
    zsock_t *inbox = synod__socket_new (&(synod__socket_options_t){.type = ZMQ_ROUTER}, &fault);
    for (int i = 0; i < 2; i++) {
        snprintf (endpoints[i], sizeof endpoints[i], "ipc://%s/%d", folder, i);
        assert_int_equal (synod__socket_bind (inbox, endpoints[i], real, &fault), SYNOD_OK);
    }
    const char *const peers[] = {endpoints[0], endpoints[1], NULL};
    synod_node_t *node = started (&(synod_options_t){.peers = peers, .name = "one", .heartbeat_ms = 50});
    zmq_msg_t identity, frame;
    zmq_msg_init (&identity);
    zmq_msg_init (&frame);
    for (int i = 0; i < 40 && !*from[1]; i++) { /* each says hello with each heartbeat until it is answered */
        zmq_pollitem_t item = {.socket = zsock_resolve (inbox), .events = ZMQ_POLLIN};
        assert_int_equal (zmq_poll (&item, 1, LIMIT_MS), 1);
        assert_int_equal (synod__socket_receive (inbox, &identity, &frame), SYNOD_OK);
        char text[64];
        snprintf (text, sizeof text, "%.*s", (int) zmq_msg_size (&identity), (char *) zmq_msg_data (&identity));
        assert_memory_equal (text, "one@", 4);
        if (!*from[0] || strcmp (from[0], text) != 0)
            memcpy (from[*from[0] != 0], text, sizeof text);
    }
    assert_string_not_equal (from[1], "");
    zmq_msg_close (&identity);
    zmq_msg_close (&frame);
    synod_node_destroy (&node);
    zsock_destroy (&inbox);
    unlink (endpoints[0] + strlen ("ipc://"));
    unlink (endpoints[1] + strlen ("ipc://"));
}

/* ---- beacons ---- */

/* czmq needs an interface that can broadcast, which the loopback cannot. */
static void need_broadcast (void)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    assert_int_equal (getifaddrs (&all), 0);
    for (struct ifaddrs *one = all; one; one = one->ifa_next)
        found |= one->ifa_addr && one->ifa_addr->sa_family == AF_INET && (one->ifa_flags & IFF_UP) &&
                 (one->ifa_flags & IFF_BROADCAST);
    freeifaddrs (all);
    if (!found)
        skip ();
}

/* A UDP port that nobody uses. */
static uint16_t free_port (void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_ANY)};
    socklen_t size = sizeof address;
    int fd = socket (AF_INET, SOCK_DGRAM, 0);
    assert_true (fd >= 0);
    assert_int_equal (bind (fd, (struct sockaddr *) &address, size), 0);
    assert_int_equal (getsockname (fd, (struct sockaddr *) &address, &size), 0);
    close (fd);
    return ntohs (address.sin_port);
}

static void by_beacons (void **state)
{
    (void) state;
    need_broadcast ();
    uint16_t port = free_port ();
    synod_node_t *first = started (&(synod_options_t){.beacon = port, .name = "first"});
    synod_handle_t *handle = joined (&(synod_options_t){.beacon = port});
    synod_node_t *second = started (&(synod_options_t){.beacon = port, .name = "second"});
    answers (handle, "first");
    answers (handle, "second");
    synod_node_destroy (&first);
    synod_node_destroy (&second);
    synod_handle_destroy (&handle);
}

/* Beacons of others on the same port, and strange ones, lead nowhere and do no harm. */
static void strange_beacons (void **state)
{
    (void) state;
    need_broadcast ();
    static const char *const payloads[] = {"",
                                           "SYN",
                                           "SYN1",
                                           "SYN9tcp://127.0.0.1:1",
                                           "SYN1nonsense",
                                           "SYN1tcp://",
                                           "SYN1tcp://127.0.0.1:99999",
                                           "SYN1inproc://nowhere",
                                           "ZRE1abcdefgh"};
    uint16_t port = free_port ();
    synod_node_t *first = started (&(synod_options_t){.beacon = port, .name = "first"});
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons (port)};
    to.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    int fd = socket (AF_INET, SOCK_DGRAM, 0);
    assert_true (fd >= 0);
    char large[300];
    memset (large, 'x', sizeof large);
    memcpy (large, "SYN1ipc:///", 11);
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++)
        assert_true (sendto (fd, payloads[i], strlen (payloads[i]), 0, (struct sockaddr *) &to, sizeof to) >= 0);
    assert_true (sendto (fd, large, 255, 0, (struct sockaddr *) &to, sizeof to) >= 0);
    close (fd);
    synod_handle_t *handle = joined (&(synod_options_t){.beacon = port});
    answers (handle, "first");
    synod_handle_destroy (&handle);
    synod_node_destroy (&first);
}

int main (int argc, char **argv)
{
    if (argc > 1) /* one of them, or a pattern */
        cmocka_set_test_filter (argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (by_a_peer, set_up, tear_down),
        cmocka_unit_test_setup_teardown (peer_comes_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown (nobody_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown (endpoint_in_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown (two_ways, set_up, tear_down),
        cmocka_unit_test (by_beacons),
        cmocka_unit_test (strange_beacons),
    };
    return cmocka_run_group_tests_name ("mesh", tests, NULL, NULL);
}
