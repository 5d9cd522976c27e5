/* SPDX-License-Identifier: MPL-2.0
 *
 * A client's TCP connections to one server: see bench/tcp.h.
 */
#include "bench/tcp.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void tcp_fail (tcp_t *self, const char *what, const char *why)
{
    if (!self->failed)
        fprintf (stderr, "%s: %s: %s\n", self->who, what, why);
    self->failed = true;
}

/* Writes what there is to say, as far as the socket takes it. */
static void flush (tcp_t *self, tcp_connection_t *connection)
{
    for (;;) {
        if (self->fill)
            self->fill (connection);
        if (connection->from == connection->until)
            return;
        ssize_t n = send (connection->fd, connection->out + connection->from, connection->until - connection->from,
                          MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                tcp_fail (self, "cannot write", strerror (errno));
            return;
        }
        connection->from += (size_t) n;
        if (connection->from == connection->until)
            connection->from = connection->until = 0;
    }
}

static void take (tcp_t *self, tcp_connection_t *connection)
{
    ssize_t n = recv (connection->fd, connection->in + connection->got, TCP_IN_MAX - connection->got, MSG_DONTWAIT);
    if (n == 0)
        tcp_fail (self, "cannot read", "the server closed the connection");
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        tcp_fail (self, "cannot read", strerror (errno));
    if (n <= 0)
        return;
    connection->got += (size_t) n;
    size_t taken = self->take (connection);
    connection->got -= taken;
    memmove (connection->in, connection->in + taken, connection->got);
    if (connection->got == TCP_IN_MAX)
        tcp_fail (self, "cannot read", "an answer too long");
}

void tcp_go (tcp_t *self)
{
    struct pollfd items[TCP_CONNECTIONS_MAX];
    while (!self->done && !self->failed) {
        for (size_t i = 0; i < self->connections; i++) {
            tcp_connection_t *connection = &self->connection[i];
            flush (self, connection);
            short more = connection->from < connection->until ? POLLOUT : 0;
            items[i] = (struct pollfd){.fd = connection->fd, .events = (short) (POLLIN | more)};
        }
        if (self->failed || poll (items, self->connections, (int) self->quiet_ms) <= 0)
            break;
        for (size_t i = 0; i < self->connections && !self->failed; i++)
            if (items[i].revents & ~POLLOUT)
                take (self, &self->connection[i]);
    }
}

static void connect_to (tcp_t *self, tcp_connection_t *connection)
{
    char host[256];
    const char *colon = strrchr (self->bus, ':');
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    if (!colon || (size_t) snprintf (host, sizeof host, "%.*s", (int) (colon - self->bus), self->bus) >= sizeof host ||
        getaddrinfo (host, colon + 1, &hints, &found) != 0) {
        tcp_fail (self, "--bus expects HOST:PORT, not", self->bus);
        return;
    }
    int on = 1;
    connection->fd = socket (found->ai_family, SOCK_STREAM, 0);
    if (connection->fd < 0 || connect (connection->fd, found->ai_addr, found->ai_addrlen) ||
        setsockopt (connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
        tcp_fail (self, "cannot connect", strerror (errno));
    freeaddrinfo (found);
}

bool tcp_open (tcp_t *self)
{
    for (size_t i = 0; i < self->connections && !self->failed; i++) {
        tcp_connection_t *connection = &self->connection[i];
        connection->tcp = self;
        connection->fd = -1;
        connection->out = malloc (self->out_max);
        connection->in = malloc (TCP_IN_MAX);
        if (connection->out && connection->in)
            connect_to (self, connection);
        else
            tcp_fail (self, "cannot begin", "no memory");
    }
    return !self->failed;
}

void tcp_close (tcp_t *self)
{
    for (size_t i = 0; i < self->connections; i++) {
        tcp_connection_t *connection = &self->connection[i];
        if (connection->tcp && connection->fd >= 0)
            close (connection->fd);
        free (connection->out);
        free (connection->in);
    }
}
