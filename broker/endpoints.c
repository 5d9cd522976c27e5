/* SPDX-License-Identifier: MPL-2.0
 *
 * Endpoints. tcp and ipc: the broker's sockets are for other processes.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "endpoints.h"

#define S_TCP       "tcp://"
#define S_IPC       "ipc://"
#define S_UNBIND_MS 1000

static bool s_begins (const char *text, const char *with)
{
    return strncmp (text, with, strlen (with)) == 0;
}

static int s_check (const char *endpoint, synod_fault_t *fault)
{
    const char *colon = strrchr (endpoint, ':');
    bool tcp = s_begins (endpoint, S_TCP) && colon > endpoint + strlen (S_TCP) && colon[1] != '\0';
    bool ipc = s_begins (endpoint, S_IPC) && endpoint[strlen (S_IPC)] != '\0';
    if (!tcp && !ipc)
        return synod_fault (fault, SYNOD_INVALID, "endpoint: expected tcp://HOST:PORT or ipc://PATH, got \"%s\"",
                            endpoint);
    if (strlen (endpoint) >= SYNOD__ENDPOINT_MAX - 8)
        return synod_fault (fault, SYNOD_INVALID, "endpoint: expected at most %d bytes, got %zu",
                            SYNOD__ENDPOINT_MAX - 9, strlen (endpoint));
    return SYNOD_OK;
}

int synod__endpoint_beside (const char *listen, const char *role, char *out, synod_fault_t *fault)
{
    int rc = s_check (listen, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (s_begins (listen, S_IPC) && strcmp (listen, S_IPC "*") != 0)
        snprintf (out, SYNOD__ENDPOINT_MAX, "%s.%s", listen, role);
    else if (s_begins (listen, S_IPC))
        snprintf (out, SYNOD__ENDPOINT_MAX, "%s", listen);
    else
        snprintf (out, SYNOD__ENDPOINT_MAX, "%.*s:*", (int) (strrchr (listen, ':') - listen), listen);
    return SYNOD_OK;
}

/* libzmq takes the path of an ipc endpoint away from whoever listens there; we do not. */
static bool s_ipc_taken (const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen (path) >= sizeof address.sun_path)
        return false; /* libzmq says so */
    strcpy (address.sun_path, path);
    if (path[0] == '@') /* libzmq's way to write an abstract name */
        address.sun_path[0] = '\0';
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool taken =
        connect (fd, (struct sockaddr *) &address,
                 (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (path) + (path[0] == '@' ? 0 : 1))) == 0;
    close (fd);
    return taken;
}

/* The first address of this machine that others may reach, or the loopback. */
static void s_own_address (char *out, size_t size)
{
    ziflist_t *interfaces = ziflist_new ();
    const char *name = interfaces ? ziflist_first (interfaces) : NULL;
    snprintf (out, size, "%s", name ? ziflist_address (interfaces) : "127.0.0.1");
    ziflist_destroy (&interfaces);
}

/* REAL with another host where that is needed. */
static void s_tell (const char *real, const char *advertise, char *told)
{
    char host[SYNOD__ENDPOINT_MAX];
    const char *colon = strrchr (real, ':');
    if (!s_begins (real, S_TCP)) {
        snprintf (told, SYNOD__ENDPOINT_MAX, "%s", real);
        return;
    }
    const char *at = real + strlen (S_TCP);
    int size = (int) (colon - at);
    bool all = (size == 7 && strncmp (at, "0.0.0.0", 7) == 0) || (size == 4 && strncmp (at, "[::]", 4) == 0) ||
               (size == 1 && *at == '*');
    if (advertise && *advertise)
        snprintf (host, sizeof host, "%s", advertise);
    else if (all)
        s_own_address (host, sizeof host);
    else
        snprintf (host, sizeof host, "%.*s", size, at);
    snprintf (told, SYNOD__ENDPOINT_MAX, S_TCP "%.200s%s", host, colon);
}

int synod__endpoint_bind (zsock_t *socket, const char *endpoint, const char *advertise, char *bound, char *told,
                          synod_fault_t *fault)
{
    int rc = s_check (endpoint, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (s_begins (endpoint, S_IPC) && s_ipc_taken (endpoint + strlen (S_IPC)))
        return synod_fault (fault, SYNOD_IO, "cannot listen at %s: somebody listens there already", endpoint);
    rc = synod__socket_bind (socket, endpoint, bound, fault);
    if (rc == SYNOD_OK)
        s_tell (bound, advertise, told);
    return rc;
}

void synod__endpoint_unbind (zsock_t *socket, const char *bound)
{
    char name[64];
    int timeout_ms = S_UNBIND_MS;
    void *handle = zsock_resolve (socket);
    snprintf (name, sizeof name, "inproc://synod-unbind-%p", (void *) socket);
    if (!*bound || zmq_socket_monitor (handle, name, ZMQ_EVENT_CLOSED) != 0)
        return;
    zsock_t *events = zsock_new (ZMQ_PAIR);
    void *pair = events ? zsock_resolve (events) : NULL;
    if (pair && zmq_connect (pair, name) == 0 &&
        zmq_setsockopt (pair, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms) == 0 && zmq_unbind (handle, bound) == 0) {
        zmq_msg_t event;
        zmq_msg_init (&event);
        zmq_msg_recv (&event, pair, 0); /* the listener is closed, or it takes too long */
        zmq_msg_close (&event);
    }
    zmq_socket_monitor (handle, NULL, 0);
    zsock_destroy (&events);
}
