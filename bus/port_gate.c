/* SPDX-License-Identifier: MPL-2.0
 *
 * Gateways' connections: plain TCP sockets that do not block, on the node's own poller. A turn reads once from each
 * connection that has something, hands that to the gateway, and when the turn's writes are durable writes once to each
 * that has an answer: two system calls for a connection and turn, however many requests are in it.
 *
 * Nothing is read from a connection that is held, or to which more than the gateway's bound waits to be written: TCP then
 * holds the peer back. One that takes nothing for long is closed.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <utlist.h>
#include "port_internal.h"
#include "protocol/packer.h"

#define S_READ    (16 * 1024) /* room for one read, at least */
#define S_KEEP    (64 * 1024) /* memory that an idle connection keeps */
#define S_ACCEPTS 64          /* in a turn */
#define S_BACKLOG 511

struct synod__listener_t {
    int fd;
    synod__gate_t *gate;
    synod_gateway_t type;
    uint32_t nconns;
    int64_t mute_us; /* until then nothing more is said of those that are turned away */
    synod__end_t *end;
    synod__listener_t *next;
};

struct synod__tcp_t {
    int fd;
    synod__listener_t *listener;
    synod__end_t *end;
    synod_conn_t *conn; /* NULL: the runtime does not have it */
    synod_buf_t in;     /* read and not used */
    size_t written;     /* of what waits to be written */
    int64_t stuck_us;   /* since when it has taken nothing */
    bool unsent;        /* on the port's list */
    bool ended;         /* the peer sends no more */
    bool told;          /* and the gateway knows */
    bool broken;        /* neither reads nor writes work */
    bool late;          /* its memory was not enough: too large a request */
    bool skipped;       /* what is in IN was not offered, or not all of it taken, because it was held back */
    char peer[64];
    synod__tcp_t *prev, *next;
};

/* ---- listening ---- */

static int s_bad (synod_fault_t *fault, const synod__gate_t *gate, const char *endpoint, const char *what)
{
    return synod_fault (fault, SYNOD_IO, "actor %s cannot listen at %s: %s", synod__gate_name (gate), endpoint, what);
}

/* HOST:PORT or [HOST]:PORT in two. */
static bool s_split (const char *endpoint, char *host, size_t room, const char **port)
{
    const char *colon = strrchr (endpoint, ':'), *end = colon;
    if (!colon || colon == endpoint || !colon[1] || strspn (colon + 1, "0123456789") != strlen (colon + 1))
        return false;
    if (*endpoint == '[' && end[-1] == ']') {
        endpoint++;
        end--;
    } else if (memchr (endpoint, ':', (size_t) (end - endpoint)))
        return false;
    if (end <= endpoint || (size_t) (end - endpoint) >= room || strtoul (colon + 1, NULL, 10) > 65535)
        return false;
    memcpy (host, endpoint, (size_t) (end - endpoint));
    host[end - endpoint] = 0;
    *port = colon + 1;
    return true;
}

static int s_listen (const struct addrinfo *at)
{
    int on = 1;
    int fd = socket (at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ai_family == AF_INET6)
        setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind (fd, at->ai_addr, at->ai_addrlen) == 0 && listen (fd, S_BACKLOG) == 0)
        return fd;
    int error = errno;
    close (fd);
    errno = error;
    return -1;
}

static void s_name (const struct sockaddr *at, socklen_t size, char *text, size_t room)
{
    char host[46] = "?", port[8] = "?"; /* an IPv6 address in digits */
    getnameinfo (at, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf (text, room, at->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* Where it listens, in the log: the port may have been for the system to choose. */
static void s_say (synod__port_t *self, const synod__gate_t *gate, int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    char text[64], line[256];
    if (getsockname (fd, (struct sockaddr *) &at, &size))
        return;
    s_name ((struct sockaddr *) &at, size, text, sizeof text);
    snprintf (line, sizeof line, "%s/%s: listens at %s", self->name, synod__gate_name (gate), text);
    self->options.log (self->options.log_arg, SYNOD_LOG_INFO, line);
}

int synod__host_gate_open (void *host, synod__gate_t *gate, const char *endpoint, synod_fault_t *fault)
{
    synod__port_t *self = (synod__port_t *) host;
    char name[256];
    const char *port;
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (!s_split (endpoint, name, sizeof name, &port))
        return s_bad (fault, gate, endpoint, "expected HOST:PORT or [HOST]:PORT, with a port of 0 to 65535");
    int rc = getaddrinfo (name, port, &hints, &found);
    if (rc)
        return s_bad (fault, gate, endpoint, gai_strerror (rc));
    int fd = s_listen (found);
    freeaddrinfo (found);
    if (fd < 0)
        return s_bad (fault, gate, endpoint, strerror (errno));
    synod__listener_t *listener = (synod__listener_t *) zmalloc (sizeof *listener);
    listener->fd = fd;
    listener->gate = gate;
    listener->type = synod__gate_type (gate);
    listener->end = synod__port_add_fd (self, SYNOD__SOCKET_GATE, 0, fd);
    listener->end->listener = listener;
    listener->next = self->listeners;
    self->listeners = listener;
    if (!listener->end->poll)
        return s_bad (fault, gate, endpoint, strerror (errno));
    synod__poll_events (listener->end->poll, 0); /* until the node is up */
    s_say (self, gate, fd);
    return SYNOD_OK;
}

/* ---- connections ---- */

static void s_log (const synod__port_t *self, const synod__tcp_t *tcp, const char *why)
{
    char line[256];
    snprintf (line, sizeof line, "%s/%s: closes the connection of %s: %s", self->name,
              synod__gate_name (tcp->listener->gate), tcp->peer, why);
    self->options.log (self->options.log_arg, SYNOD_LOG_WARNING, line);
}

static void s_turn_away (synod__port_t *self, synod__listener_t *listener, const char *why)
{
    int64_t now_us = synod__now_us ();
    char line[256];
    if (now_us < listener->mute_us)
        return;
    listener->mute_us = now_us + 1000000;
    snprintf (line, sizeof line, "%s/%s: takes no more connections: %s", self->name, synod__gate_name (listener->gate),
              why);
    self->options.log (self->options.log_arg, SYNOD_LOG_WARNING, line);
}

static void s_accepted (synod__port_t *self, synod__listener_t *listener, int fd, const char *peer)
{
    int on = 1;
    synod__tcp_t *tcp = (synod__tcp_t *) zmalloc (sizeof *tcp);
    tcp->fd = fd;
    tcp->listener = listener;
    listener->nconns++;
    snprintf (tcp->peer, sizeof tcp->peer, "%s", peer);
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    tcp->end = synod__port_add_fd (self, SYNOD__SOCKET_CONNECTION, 0, fd);
    tcp->end->tcp = tcp;
    tcp->conn = tcp->end->poll ? synod__rt_conn_open (self->rt, listener->gate, tcp) : NULL;
    if (!tcp->conn)
        synod__port_close (self, tcp->end);
}

void synod__port_gate_accept (synod__port_t *self, synod__end_t *end)
{
    synod__listener_t *listener = end->listener;
    for (int i = 0; i < S_ACCEPTS; i++) {
        struct sockaddr_storage at = {0};
        socklen_t size = sizeof at;
        char peer[64];
        int fd = accept4 (listener->fd, (struct sockaddr *) &at, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                s_turn_away (self, listener, strerror (errno)); /* no descriptors: it is tried again with every turn */
            return;
        }
        if (listener->nconns >= listener->type.conns) {
            snprintf (peer, sizeof peer, "there are %u already", listener->type.conns);
            s_turn_away (self, listener, peer);
            close (fd);
            continue;
        }
        s_name ((struct sockaddr *) &at, size, peer, sizeof peer);
        s_accepted (self, listener, fd, peer);
    }
}

void synod__port_gate_close (synod__port_t *self, synod__end_t *end)
{
    synod__tcp_t *tcp = end->tcp;
    if (end->kind == SYNOD__SOCKET_GATE) {
        LL_DELETE (self->listeners, end->listener);
        close (end->listener->fd);
        free (end->listener);
        return;
    }
    close (tcp->fd);
    tcp->listener->nconns--;
    if (tcp->unsent)
        DL_DELETE (self->unsent, tcp);
    synod_buf_free (&tcp->in);
    free (tcp);
}

/* In a turn. */
static void s_gone (synod__port_t *self, synod__tcp_t *tcp)
{
    synod__rt_conn_closed (self->rt, tcp->conn);
    synod__port_close (self, tcp->end);
}

/* ---- what comes ---- */

/* Whether it is not to be read from. */
static bool s_held_back (const synod__tcp_t *tcp, const synod__conn_view_t *view)
{
    return view->held || view->out->size - tcp->written > tcp->listener->type.out_bytes;
}

/* What is to be heard of it. */
static void s_want (synod__tcp_t *tcp, const synod__conn_view_t *view)
{
    bool read = !tcp->ended && !view->closing && !s_held_back (tcp, view);
    synod__poll_events (tcp->end->poll, (read ? ZMQ_POLLIN : 0) | (tcp->unsent ? ZMQ_POLLOUT : 0));
}

void synod__port_gate_read (synod__port_t *self, synod__end_t *end)
{
    synod__tcp_t *tcp = end->tcp;
    if (end->kind == SYNOD__SOCKET_GATE) {
        synod__port_arrived (self, end, SYNOD__ARRIVAL_CONNECTIONS);
        return;
    }
    /* doubles, so that what comes of a large request is not moved often */
    size_t room = tcp->in.size > S_READ ? tcp->in.size : S_READ;
    if (tcp->in.capacity - tcp->in.size < S_READ && synod__buf_reserve (&tcp->in, room) != SYNOD_OK)
        tcp->late = true;
    else if (!tcp->ended) {
        ssize_t got = recv (tcp->fd, tcp->in.data + tcp->in.size, tcp->in.capacity - tcp->in.size, 0);
        if (got > 0)
            tcp->in.size += (size_t) got;
        else if (got == 0)
            tcp->ended = true;
        else if (errno != EAGAIN && errno != EINTR)
            tcp->broken = true;
    }
    synod__port_arrived (self, end, SYNOD__ARRIVAL_BYTES);
}

void synod__port_gate_take (synod__port_t *self, synod__end_t *end)
{
    synod__tcp_t *tcp = end->tcp;
    synod__conn_view_t view = synod__conn_view (tcp->conn);
    if (tcp->broken) {
        s_gone (self, tcp);
        return;
    }
    if (tcp->in.size > 0 && !s_held_back (tcp, &view)) {
        size_t used = synod__rt_conn_bytes (self->rt, tcp->conn, synod_str_n (tcp->in.data, tcp->in.size));
        tcp->in.size -= used;
        if (used && tcp->in.size)
            memmove (tcp->in.data, tcp->in.data + used, tcp->in.size);
        view = synod__conn_view (tcp->conn);
    }
    tcp->skipped = s_held_back (tcp, &view);
    if (tcp->late || (!tcp->skipped && tcp->in.size > tcp->listener->type.in_bytes)) {
        s_log (self, tcp, "its request is larger than a connection may have");
        s_gone (self, tcp);
        return;
    }
    if (tcp->in.size == 0 && tcp->in.capacity > S_KEEP)
        synod_buf_free (&tcp->in);
    if (tcp->ended && !tcp->told && !tcp->skipped) { /* what is left in IN is no whole request */
        tcp->told = true;
        synod__rt_conn_end (self->rt, tcp->conn);
    }
    view = synod__conn_view (tcp->conn);
    s_want (tcp, &view);
}

/* ---- what goes ---- */

static void s_unsent (synod__port_t *self, synod__tcp_t *tcp, bool unsent)
{
    if (unsent == tcp->unsent)
        return;
    tcp->unsent = unsent;
    if (unsent)
        DL_APPEND (self->unsent, tcp);
    else
        DL_DELETE (self->unsent, tcp);
}

/* Writes what was released. */
static void s_write (synod__port_t *self, synod__tcp_t *tcp, const synod__conn_view_t *view)
{
    if (view->ready > tcp->written && !tcp->broken) {
        ssize_t put = send (tcp->fd, view->out->data + tcp->written, view->ready - tcp->written, MSG_NOSIGNAL);
        if (put > 0) {
            tcp->written += (size_t) put;
            tcp->stuck_us = 0;
        } else if (put < 0 && errno != EAGAIN && errno != EINTR)
            tcp->broken = true;
    }
    bool left = view->ready > tcp->written && !tcp->broken;
    if (left && !tcp->stuck_us)
        tcp->stuck_us = synod__now_us ();
    s_unsent (self, tcp, left);
    if (left)
        return;
    synod__conn_written (tcp->conn, tcp->written, S_KEEP);
    tcp->written = 0;
    tcp->stuck_us = 0;
}

/* Before a turn. */
void synod__port_gate_writable (synod__port_t *self, synod__end_t *end)
{
    synod__tcp_t *tcp = end->tcp;
    synod__conn_view_t view = synod__conn_view (tcp->conn);
    s_write (self, tcp, &view);
    if (view.closing && !tcp->unsent)
        tcp->broken = true;
    s_want (tcp, &view);
    end->in = true; /* what was held back may go on */
}

/* In between two turns: whoever is gone is told in the next. */
static bool s_again (synod__port_t *self, synod__tcp_t *tcp)
{
    tcp->end->in = true;
    synod__port_found (self, tcp->end);
    return true;
}

int64_t synod__port_gates_turn (synod__port_t *self, int64_t until_us)
{
    synod_conn_t *conn;
    bool again = false;
    bool up = synod__rt_state (self->rt) == SYNOD__RT_UP;
    for (synod__listener_t *listener = self->listeners; listener; listener = listener->next)
        synod__poll_events (listener->end->poll, up ? ZMQ_POLLIN : 0);
    while (self->listeners && (conn = synod__rt_conn_next (self->rt))) {
        synod__conn_view_t view = synod__conn_view (conn);
        synod__tcp_t *tcp = (synod__tcp_t *) view.host;
        s_write (self, tcp, &view);
        if (view.closing && !tcp->unsent)
            tcp->broken = true;
        s_want (tcp, &view);
        if (tcp->broken || (tcp->skipped && !view.closing && !s_held_back (tcp, &view)))
            again = s_again (self, tcp); /* gone; or held back no more */
    }
    synod__tcp_t *tcp, *next;
    DL_FOREACH_SAFE (self->unsent, tcp, next)
    {
        int64_t stuck_us = (int64_t) tcp->listener->type.stuck_ms * 1000;
        if (synod__now_us () - tcp->stuck_us >= stuck_us) {
            s_log (self, tcp, "it does not read what is written to it");
            tcp->broken = true;
            s_unsent (self, tcp, false);
            again = s_again (self, tcp);
        } else if (tcp->stuck_us + stuck_us < until_us)
            until_us = tcp->stuck_us + stuck_us;
    }
    return again ? 0 : until_us;
}
