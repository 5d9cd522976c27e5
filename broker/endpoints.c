/* SPDX-License-Identifier: MPL-2.0
 *
 * Endpoints. tcp and ipc: the broker's sockets are for other processes.
 */
#include <stdio.h>
#include <string.h>
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

int synod__endpoint_bind (zsock_t *socket, const char *endpoint, const char *advertise, char *bound, char *told,
                          synod_fault_t *fault)
{
    size_t size = SYNOD__ENDPOINT_MAX;
    *bound = '\0';
    int rc = s_check (endpoint, fault);
    if (rc == SYNOD_OK)
        rc = synod__socket_bind (socket, endpoint, told, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (zmq_getsockopt (zsock_resolve (socket), ZMQ_LAST_ENDPOINT, bound, &size) != 0)
        return synod_fault (fault, SYNOD_IO, "%s: the endpoint bound is not known: %s", endpoint,
                            zmq_strerror (zmq_errno ()));
    if (advertise && *advertise && s_begins (bound, S_TCP))
        snprintf (told, SYNOD__ENDPOINT_MAX, S_TCP "%.200s%s", advertise, strrchr (bound, ':'));
    return SYNOD_OK;
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
