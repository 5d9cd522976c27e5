/* SPDX-License-Identifier: MPL-2.0
 *
 * A zbeacon behind what it does not check by itself: it prints its failures and goes on without a socket, asserts the
 * size of its payload, and ends on a signal. So all that is tried first, and its thread gets no signals.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "beacon.h"

#define S_MAGIC       "SYN1"
#define S_MAGIC_SIZE  4
#define S_INTERVAL_MS 1000
#define S_WRONG_MAX   64 /* payloads that are none of ours passed over in one call */

struct synod__beacon_t {
    zactor_t *actor;
};

/* Where zbeacon will send to: false when there is nowhere. */
static bool s_broadcast_address (struct in_addr *address)
{
    const char *wanted = zsys_interface ();
    if (streq (wanted, "*")) {
        address->s_addr = INADDR_BROADCAST;
        return true;
    }
    ziflist_t *all = ziflist_new ();
    bool found = false;
    for (const char *name = all ? ziflist_first (all) : NULL; name && !found; name = ziflist_next (all))
        if (!*wanted || streq (wanted, name))
            found = inet_aton (ziflist_broadcast (all), address) != 0;
    ziflist_destroy (&all);
    return found;
}

/* Tries what zbeacon would fail at, with its options. */
static int s_try (int port, synod_fault_t *fault)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons ((uint16_t) port)};
    const char *wanted = zsys_interface ();
    if (!s_broadcast_address (&address.sin_addr))
        return synod_fault (fault, SYNOD_IO, "no network interface%s%s can broadcast", *wanted ? " named " : "",
                            wanted);
    int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    int rc = fd < 0 || setsockopt (fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) ||
             setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
             setsockopt (fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) ||
             bind (fd, (struct sockaddr *) &address, sizeof address);
    if (rc)
        synod_fault (fault, SYNOD_IO, "no beacon at UDP port %d: %s", port, strerror (errno));
    if (fd >= 0)
        close (fd);
    return rc ? SYNOD_IO : SYNOD_OK;
}

static zactor_t *s_start (int port)
{
    sigset_t before = synod__signals_block ();
    zactor_t *actor = zactor_new (zbeacon, NULL);
    synod__signals_restore (before);
    if (!actor)
        return NULL;
    zsock_send (actor, "si", "CONFIGURE", port);
    char *host = zstr_recv (actor);
    if (!host || !*host)
        zactor_destroy (&actor);
    zstr_free (&host);
    return actor;
}

synod__beacon_t *synod__beacon_new (int port, const char *endpoint, synod_fault_t *fault)
{
    char payload[S_MAGIC_SIZE + SYNOD__BEACON_ENDPOINT_MAX + 1];
    size_t size = endpoint ? strlen (endpoint) : 0;
    synod__sys_init ();
    if (port < 1 || port > UINT16_MAX) {
        synod_fault (fault, SYNOD_INVALID, "expected a UDP port from 1 to 65535 for the beacon, not %d", port);
        return NULL;
    }
    if (size > SYNOD__BEACON_ENDPOINT_MAX) {
        synod_fault (fault, SYNOD_TOO_LARGE, "a beacon has room for an endpoint of %d bytes, not %zu",
                     SYNOD__BEACON_ENDPOINT_MAX, size);
        return NULL;
    }
    if (!synod__sys_descriptors_left ()) {
        synod_fault (fault, SYNOD_IO, "no beacon: %s", strerror (errno));
        return NULL;
    }
    if (s_try (port, fault))
        return NULL;
    synod__beacon_t *self = (synod__beacon_t *) calloc (1, sizeof *self);
    if (self)
        self->actor = s_start (port);
    if (!self || !self->actor) {
        synod_fault (fault, SYNOD_IO, "no beacon could be started at UDP port %d", port);
        free (self);
        return NULL;
    }
    if (size > 0) {
        snprintf (payload, sizeof payload, S_MAGIC "%s", endpoint);
        zsock_send (self->actor, "sbi", "PUBLISH", payload, S_MAGIC_SIZE + size, S_INTERVAL_MS);
    }
    zsock_send (self->actor, "sb", "SUBSCRIBE", S_MAGIC, (size_t) S_MAGIC_SIZE);
    return self;
}

void synod__beacon_destroy (synod__beacon_t **self_p)
{
    if (!*self_p)
        return;
    zactor_destroy (&(*self_p)->actor);
    free (*self_p);
    *self_p = NULL;
}

zsock_t *synod__beacon_socket (synod__beacon_t *self)
{
    return zactor_sock (self->actor);
}

/* An endpoint of TCP in visible characters. */
static bool s_valid (const char *text, size_t size)
{
    const char *start = "tcp://";
    if (size <= strlen (start) || size > SYNOD__BEACON_ENDPOINT_MAX || memcmp (text, start, strlen (start)) != 0)
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

bool synod__beacon_next (synod__beacon_t *self, char *endpoint)
{
    zmq_msg_t from, msg;
    bool found = false;
    zmq_msg_init (&from);
    zmq_msg_init (&msg);
    for (int i = 0; i < S_WRONG_MAX && !found; i++) {
        if (synod__socket_receive (synod__beacon_socket (self), &from, &msg) != SYNOD_OK)
            break;
        const char *text = (const char *) zmq_msg_data (&msg) + S_MAGIC_SIZE;
        size_t size = zmq_msg_size (&msg) - S_MAGIC_SIZE; /* zbeacon has compared the magic */
        found = s_valid (text, size);
        if (found) {
            memcpy (endpoint, text, size);
            endpoint[size] = 0;
        }
    }
    zmq_msg_close (&from);
    zmq_msg_close (&msg);
    return found;
}
