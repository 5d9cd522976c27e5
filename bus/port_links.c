/* SPDX-License-Identifier: MPL-2.0
 *
 * The port's sockets point to point: a DEALER a link, each with a monitor that tells when its connection stands or
 * breaks, and the inbox, a ROUTER.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include "port_internal.h"

#define S_FRAMES 256 /* taken from one socket a turn, so that none starves another */
#define S_BYTES  (2 * 1024 * 1024)
#define S_ROUNDS 16 /* of that, of a connection that broke */

static synod__end_t *s_link (synod__port_t *self, uint32_t link)
{
    synod__end_t *end;
    HASH_FIND (hh, self->links, &link, sizeof link, end);
    return end;
}

/* ---- links ---- */

synod_str_t synod__port_identity (const synod__port_t *self, uint32_t link, char *out)
{
    return synod_str_n (out, synod__identity (synod_str (self->name), self->incarnation, link, out));
}

static zsock_t *s_monitor (synod__port_t *self, zsock_t *socket, synod_str_t identity, synod_fault_t *fault)
{
    char endpoint[128];
    snprintf (endpoint, sizeof endpoint, "inproc://synod-monitor-%.*s-%u", SYNOD_STR (identity), ++self->monitors);
    while (
        zmq_socket_monitor (zsock_resolve (socket), endpoint, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED))
        if (errno != EINTR) {
            synod_fault (fault, SYNOD_IO, "cannot watch a connection: %s", zmq_strerror (errno));
            return NULL;
        }
    /* libzmq's I/O thread, which serves all sockets of the process, blocks when a monitor is full: no limit */
    zsock_t *monitor = zsock_new (ZMQ_PAIR);
    if (monitor)
        zsock_set_rcvhwm (monitor, 0);
    if (monitor && synod__socket_connect (monitor, endpoint, fault) == SYNOD_OK)
        return monitor;
    zmq_socket_monitor (zsock_resolve (socket), NULL, 0); /* before its reader goes, see synod__port_close */
    zsock_destroy (&monitor);
    return NULL;
}

int synod__port_link_open (synod__port_t *self, uint32_t link, const char *endpoint, synod_fault_t *fault)
{
    char identity[SYNOD__IDENTITY_MAX + 1];
    synod__socket_options_t options = {.type = ZMQ_DEALER,
                                       .identity = synod__port_identity (self, link, identity),
                                       .linger_ms = (int) self->options.linger_ms};
    zsock_t *socket = synod__socket_new (&options, fault);
    if (!socket)
        return SYNOD_IO;
    zsock_t *monitor = s_monitor (self, socket, options.identity, fault);
    int rc = monitor ? synod__socket_connect (socket, endpoint, fault) : SYNOD_IO;
    if (rc != SYNOD_OK) {
        zmq_socket_monitor (zsock_resolve (socket), NULL, 0); /* before its reader goes, see synod__port_close */
        zsock_destroy (&monitor);
        zsock_destroy (&socket);
        return rc;
    }
    synod__end_t *end = synod__port_add (self, SYNOD__SOCKET_LINK, socket, link, true);
    end->other = synod__port_add (self, SYNOD__SOCKET_MONITOR, monitor, link, true);
    end->other->other = end;
    return SYNOD_OK;
}

int synod__host_link_open (void *host, uint32_t link, const char *endpoint)
{
    synod__port_t *self = (synod__port_t *) host;
    if (synod__port_wire_can (self, endpoint))
        return synod__port_wire_connect (self, link, endpoint, NULL);
    return synod__port_link_open (self, link, endpoint, NULL);
}

void synod__host_link_close (void *host, uint32_t link)
{
    synod__port_t *self = (synod__port_t *) host;
    synod__end_t *end = s_link (self, link);
    if (!end)
        return;
    synod__port_close (self, end);
}

int synod__host_send (void *host, uint32_t link, synod_buf_t *frame)
{
    synod__port_t *self = (synod__port_t *) host;
    synod__end_t *end = s_link (self, link);
    if (!end)
        return SYNOD_BUSY;
    if (end->wire)
        return synod__port_wire_send (end, frame);
    int rc = synod__socket_send (end->socket, synod_str_n (NULL, 0), frame);
    synod__poll_touch (end->poll);
    if (rc == SYNOD_OK)
        return SYNOD_OK;
    synod__poll_events (end->poll, ZMQ_POLLIN | ZMQ_POLLOUT);
    return SYNOD_BUSY;
}

/* ---- frames ---- */

void synod__port_take_frames (synod__port_t *self, synod__end_t *end)
{
    bool inbox = end->kind == SYNOD__SOCKET_INBOX;
    size_t bytes = 0;
    for (int i = 0; i < S_FRAMES && bytes < S_BYTES; i++) {
        synod__arrival_t *blank = synod__port_blank (self);
        int rc = synod__socket_receive (end->socket, inbox ? &blank->from : NULL, &blank->msg);
        if (rc == SYNOD_NOT_FOUND)
            break;
        bytes += zmq_msg_size (&blank->msg);
        synod__port_arrived (self, end, rc == SYNOD_OK ? SYNOD__ARRIVAL_FRAME : SYNOD__ARRIVAL_GARBAGE);
    }
    synod__poll_touch (end->poll);
}

void synod__port_take_all (synod__port_t *self, uint32_t link)
{
    for (synod__end_t *end = self->ends; end; end = end->next)
        if (end->kind == SYNOD__SOCKET_WIRE && !end->closed)
            synod__port_wire_read (self, end);
        else if ((end->kind == SYNOD__SOCKET_LINK && end->link == link && !end->wire) ||
                 end->kind == SYNOD__SOCKET_INBOX)
            for (int i = 0; i < S_ROUNDS && !end->closed && (synod__socket_events (end->socket) & ZMQ_POLLIN); i++)
                synod__port_take_frames (self, end);
}

void synod__port_take_monitor (synod__port_t *self, synod__end_t *end)
{
    /* two frames: event (16 bits) and value (32), then the address, of no interest */
    while (zmq_msg_recv (&self->msg, zsock_resolve (end->socket), ZMQ_DONTWAIT) >= 0) {
        uint16_t event = 0;
        if (zmq_msg_size (&self->msg) >= sizeof event)
            memcpy (&event, zmq_msg_data (&self->msg), sizeof event);
        if (zmq_msg_more (&self->msg))
            zmq_msg_recv (&self->msg, zsock_resolve (end->socket), ZMQ_DONTWAIT);
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            synod__port_arrived (self, end, SYNOD__ARRIVAL_UP);
        else if (event == ZMQ_EVENT_DISCONNECTED) {
            synod__port_take_all (self, end->link);
            synod__port_arrived (self, end, SYNOD__ARRIVAL_DOWN);
        }
    }
    synod__poll_touch (end->poll);
}

/* ---- the inbox ---- */

int synod__port_inbox_open (synod__port_t *self, const char *endpoint, synod_fault_t *fault)
{
    synod__socket_options_t options = {.type = ZMQ_ROUTER, .linger_ms = (int) self->options.linger_ms};
    zsock_t *socket = synod__socket_new (&options, fault);
    if (!socket)
        return SYNOD_IO;
    int rc = synod__socket_bind (socket, endpoint, self->inbox_endpoint, fault);
    if (rc != SYNOD_OK) {
        zsock_destroy (&socket);
        return rc;
    }
    self->inbox = synod__port_add (self, SYNOD__SOCKET_INBOX, socket, 0, true);
    return SYNOD_OK;
}

/* libzmq leaves the file of an ipc endpoint behind. To be done while the socket is bound: then nobody else can have
 * the path yet. */
void synod__port_unlink (const char *endpoint)
{
    if (strncmp (endpoint, "ipc:///", 7) == 0)
        unlink (endpoint + 6);
}

/* A folder that is this user's alone: whoever could write there could pose as a node. */
static bool s_folder (char *folder, size_t size)
{
    const char *runtime = getenv ("XDG_RUNTIME_DIR");
    struct stat about;
    if (runtime && *runtime && strlen (runtime) < 60)
        snprintf (folder, size, "%s/synod", runtime);
    else
        snprintf (folder, size, "/tmp/synod-%u", (unsigned) geteuid ());
    mkdir (folder, 0700);
    return lstat (folder, &about) == 0 && S_ISDIR (about.st_mode) && about.st_uid == geteuid () &&
           (about.st_mode & 077) == 0;
}

const char *synod__host_listen (void *host)
{
    synod__port_t *self = (synod__port_t *) host;
    char folder[80], endpoint[128];
    synod_fault_t fault = {0};
    if (self->inbox || self->listener)
        return self->inbox_endpoint;
    if (!s_folder (folder, sizeof folder))
        return NULL;
    /* two processes can start in the same microsecond */
    snprintf (endpoint, sizeof endpoint, "ipc://%s/%llx-%x", folder, (unsigned long long) self->incarnation,
              (unsigned) getpid ());
    if (synod__port_wire_listen (self, endpoint, &fault) == SYNOD_OK)
        return self->inbox_endpoint;
    self->options.log (self->options.log_arg, SYNOD_LOG_WARNING, fault.text);
    return NULL;
}

void synod__host_answer (void *host, synod_str_t identity, synod_buf_t *frame)
{
    synod__port_t *self = (synod__port_t *) host;
    if (!self->inbox) {
        synod__port_wire_answer (self, identity, frame);
        return;
    }
    synod__socket_send (self->inbox->socket, identity, frame);
    synod__poll_touch (self->inbox->poll);
}
