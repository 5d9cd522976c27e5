/* SPDX-License-Identifier: MPL-2.0
 *
 * The port's connections within the host (wire.h), which are what direct links beside a broker are made of: this node's
 * links, and those that others have to it. A turn reads once from each that has something, and hands that over.
 */
#include <errno.h>
#include <stdio.h>
#include "port_internal.h"

#define S_ACCEPTS 64 /* in a turn */

static const char *s_path (const char *endpoint)
{
    return strncmp (endpoint, "ipc:///", strlen ("ipc:///")) ? NULL : endpoint + strlen ("ipc://");
}

int synod__port_wire_listen (synod__port_t *self, const char *endpoint, synod_fault_t *fault)
{
    int fd = synod__wire_listen (s_path (endpoint), fault);
    if (fd < 0)
        return SYNOD_IO;
    self->listener = synod__port_add_fd (self, SYNOD__SOCKET_LISTENER, 0, fd);
    self->listener->fd = fd;
    if (!self->listener->poll) {
        synod__port_close (self, self->listener);
        self->listener = NULL;
        return synod_fault (fault, SYNOD_IO, "cannot wait for connections: %s", strerror (errno));
    }
    snprintf (self->inbox_endpoint, sizeof self->inbox_endpoint, "%s", endpoint);
    return SYNOD_OK;
}

static synod__end_t *s_add (synod__port_t *self, synod__end_kind_t kind, uint32_t link, synod__wire_t *wire)
{
    synod__end_t *end = synod__port_add_fd (self, kind, link, synod__wire_fd (wire));
    end->wire = wire;
    if (end->poll)
        return end;
    synod__port_close (self, end);
    return NULL;
}

bool synod__port_wire_can (const synod__port_t *self, const char *endpoint)
{
    return self->brokered && s_path (endpoint);
}

int synod__port_wire_connect (synod__port_t *self, uint32_t link, const char *endpoint, synod_fault_t *fault)
{
    char identity[SYNOD__IDENTITY_MAX + 1];
    synod__wire_t *wire = synod__wire_connect (s_path (endpoint), synod__port_identity (self, link, identity), fault);
    return wire && s_add (self, SYNOD__SOCKET_LINK, link, wire) ? SYNOD_OK : SYNOD_IO;
}

void synod__port_wire_close (synod__port_t *self, synod__end_t *end)
{
    if (end->kind == SYNOD__SOCKET_LISTENER)
        close (end->fd);
    else
        synod__wire_destroy (&end->wire, self->rt ? 0 : self->options.linger_ms); /* in a turn nothing waits */
}

/* ---- what comes ---- */

static void s_accept (synod__port_t *self, const synod__end_t *end)
{
    synod__wire_t *wire;
    for (int i = 0; i < S_ACCEPTS && (wire = synod__wire_accept (end->fd)); i++)
        s_add (self, SYNOD__SOCKET_WIRE, 0, wire);
}

void synod__port_wire_read (synod__port_t *self, synod__end_t *end)
{
    if (end->kind == SYNOD__SOCKET_LISTENER) {
        s_accept (self, end);
        return;
    }
    if (!synod__wire_read (end->wire))
        return;
    if (end->kind == SYNOD__SOCKET_LINK && synod__wire_ended (end->wire))
        synod__port_take_all (self, end->link);
    synod__port_arrived (self, end, SYNOD__ARRIVAL_WIRE);
}

static void s_ended (synod__port_t *self, synod__end_t *end, const synod_fault_t *fault)
{
    if (fault->text[0]) {
        char line[SYNOD_FAULT_MAX + SYNOD_NAME_MAX + 64];
        snprintf (line, sizeof line, "%s: closes a direct link: %s", self->name, fault->text);
        self->options.log (self->options.log_arg, SYNOD_LOG_WARNING, line);
    }
    synod__poll_events (end->poll, 0); /* its end would be told for ever */
    if (end->kind == SYNOD__SOCKET_LINK)
        synod__rt_link_down (self->rt, end->link);
    else
        synod__port_close (self, end);
}

void synod__port_wire_take (synod__port_t *self, synod__end_t *end)
{
    bool link = end->kind == SYNOD__SOCKET_LINK;
    synod_fault_t fault = {0};
    synod_str_t message;
    while (!end->closed) { /* by what came, perhaps */
        synod_str_t from = link ? synod_str_n (NULL, 0) : synod__wire_identity (end->wire);
        switch (synod__wire_next (end->wire, &message, &fault)) {
        case SYNOD__WIRE_NOTHING:
            return;
        case SYNOD__WIRE_OPENED:
            if (link)
                synod__rt_link_up (self->rt, end->link);
            break;
        case SYNOD__WIRE_MESSAGE:
            synod__rt_frame (self->rt, from, message.data, message.size);
            break;
        case SYNOD__WIRE_GARBAGE:
            synod__rt_garbage (self->rt, from, "another number of them");
            break;
        case SYNOD__WIRE_ENDED:
            s_ended (self, end, &fault);
            return;
        }
    }
}

/* ---- what goes ---- */

int synod__port_wire_send (synod__end_t *end, synod_buf_t *frame)
{
    int rc = synod__wire_send (end->wire, frame);
    if (rc != SYNOD_OK || !synod__wire_flushed (end->wire))
        synod__poll_events (end->poll, ZMQ_POLLIN | ZMQ_POLLOUT);
    return rc;
}

void synod__port_wire_writable (synod__port_t *self, synod__end_t *end)
{
    if (!synod__wire_flush (end->wire))
        return;
    synod__poll_events (end->poll, ZMQ_POLLIN);
    if (end->kind == SYNOD__SOCKET_LINK)
        synod__port_arrived (self, end, SYNOD__ARRIVAL_WRITABLE);
}

void synod__port_wire_answer (synod__port_t *self, synod_str_t identity, synod_buf_t *frame)
{
    for (synod__end_t *end = self->ends; end; end = end->next)
        if (end->kind == SYNOD__SOCKET_WIRE && !end->closed &&
            synod_str_same (synod__wire_identity (end->wire), identity)) {
            synod__port_wire_send (end, frame);
            return;
        }
}
