/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients that lock as Redis' own documentation has it: SET NAME TOKEN NX PX, and a script that deletes the name if it
 * still has the token, by EVALSHA. Each has a lock of its own and one command under way; they share one connection, or are
 * spread over several. One thread that speaks the protocol itself: what one read brings is answered by one write.
 *
 * A run is void unless each SET and each deletion was done.
 */
#include "bench/pairs.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 1000
#define OUT_MAX     (CLIENTS_MAX * 256)
#define SCRIPT      "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end"
#define SHA_SIZE    40

typedef struct {
    uint64_t number; /* of its pair */
    bool releases;
} client_t;

/* Its clients' commands are answered in their order: QUEUE has whose. */
typedef struct {
    int fd;
    char out[OUT_MAX];
    size_t from, until; /* out[from..until) waits to be written */
    char in[64 * 1024];
    size_t got;
    uint32_t queue[CLIENTS_MAX];
    size_t first, waiting;
} connection_t;

typedef struct {
    const char *bus;
    uint64_t count;
    uint64_t clients;
    uint64_t connections;
    uint64_t quiet_ms;
    bool json;
    pairs_t pairs;
    char sha[SHA_SIZE + 1];
    connection_t *connection;
    client_t client[CLIENTS_MAX];
    bool failed;
} peer_t;

static void fail (peer_t *self, const char *what, const char *why)
{
    if (!self->failed)
        fprintf (stderr, "redis_lock_peer: %s: %s\n", what, why);
    self->failed = true;
}

static void command (peer_t *self, connection_t *connection, uint64_t at)
{
    client_t *client = &self->client[at];
    char *out = connection->out + connection->until;
    const size_t room = OUT_MAX - connection->until;
    int size;
    if (client->releases)
        size = snprintf (out, room,
                         "*5\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n1\r\n$14\r\nbench.%08" PRIu64
                         "\r\n$16\r\n%016" PRIx64 "\r\n",
                         self->sha, at, client->number);
    else
        size = snprintf (out, room,
                         "*6\r\n$3\r\nSET\r\n$14\r\nbench.%08" PRIu64 "\r\n$16\r\n%016" PRIx64
                         "\r\n$2\r\nNX\r\n$2\r\nPX\r\n$6\r\n%06d\r\n",
                         at, client->number, PAIRS_LEASE_S * 1000);
    if ((size_t) size >= room) {
        fail (self, "cannot send", "more commands than fit");
        return;
    }
    connection->until += (size_t) size;
    connection->queue[(connection->first + connection->waiting++) % CLIENTS_MAX] = (uint32_t) at;
}

static void acquire (peer_t *self, connection_t *connection, uint64_t at)
{
    client_t *client = &self->client[at];
    client->releases = false;
    if (pairs_acquire (&self->pairs, &client->number))
        command (self, connection, at);
}

/* LINE answers the connection's first command: +OK of a SET, :1 of a deletion. */
static void answer (peer_t *self, connection_t *connection, const char *line)
{
    if (!connection->waiting) {
        fail (self, "an answer that nobody waits for", line);
        return;
    }
    uint64_t at = connection->queue[connection->first];
    client_t *client = &self->client[at];
    connection->first = (connection->first + 1) % CLIENTS_MAX;
    connection->waiting--;
    if (strcmp (line, client->releases ? ":1" : "+OK") != 0) {
        fail (self, client->releases ? "a lock was not released" : "a lock was not granted", line);
        return;
    }
    if (client->releases) {
        pairs_released (&self->pairs, client->number);
        acquire (self, connection, at);
        return;
    }
    client->releases = true;
    command (self, connection, at);
}

static void flush (peer_t *self, connection_t *connection)
{
    while (connection->from < connection->until) {
        ssize_t n = send (connection->fd, connection->out + connection->from, connection->until - connection->from,
                          MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                fail (self, "cannot write", strerror (errno));
            return;
        }
        connection->from += (size_t) n;
    }
    connection->from = connection->until = 0;
}

static void take (peer_t *self, connection_t *connection)
{
    ssize_t n =
        recv (connection->fd, connection->in + connection->got, sizeof connection->in - connection->got, MSG_DONTWAIT);
    if (n == 0)
        fail (self, "cannot read", "Redis closed the connection");
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        fail (self, "cannot read", strerror (errno));
    if (n <= 0)
        return;
    connection->got += (size_t) n;
    char *line = connection->in, *end = connection->in + connection->got, *stop;
    while (!self->failed && (stop = memchr (line, '\n', (size_t) (end - line)))) {
        stop[stop > line && stop[-1] == '\r' ? -1 : 0] = 0;
        answer (self, connection, line);
        line = stop + 1;
    }
    connection->got = (size_t) (end - line);
    memmove (connection->in, line, connection->got);
    if (connection->got == sizeof connection->in)
        fail (self, "cannot read", "an answer too long");
}

/* Goes on until the run is done, or nothing has come for quiet_ms. */
static void go (peer_t *self)
{
    struct pollfd items[CLIENTS_MAX];
    while (!self->pairs.done && !self->failed) {
        for (size_t i = 0; i < self->connections; i++) {
            connection_t *connection = &self->connection[i];
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

static void connect_to (peer_t *self, connection_t *connection)
{
    char host[256];
    const char *colon = strrchr (self->bus, ':');
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    if (!colon || (size_t) snprintf (host, sizeof host, "%.*s", (int) (colon - self->bus), self->bus) >= sizeof host ||
        getaddrinfo (host, colon + 1, &hints, &found) != 0) {
        fail (self, "--bus expects HOST:PORT, not", self->bus);
        return;
    }
    int on = 1;
    connection->fd = socket (found->ai_family, SOCK_STREAM, 0);
    if (connection->fd < 0 || connect (connection->fd, found->ai_addr, found->ai_addrlen) ||
        setsockopt (connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
        fail (self, "cannot connect", strerror (errno));
    freeaddrinfo (found);
}

/* The server knows the script, by its hash. */
static void load (peer_t *self)
{
    char out[512], in[SHA_SIZE + 7] = ""; /* $40, the hash, and a line's end after each */
    int fd = self->connection[0].fd;
    int size =
        snprintf (out, sizeof out, "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%zu\r\n%s\r\n", strlen (SCRIPT), SCRIPT);
    if (send (fd, out, (size_t) size, MSG_NOSIGNAL) != size ||
        recv (fd, in, sizeof in, MSG_WAITALL) != (ssize_t) sizeof in || strncmp (in, "$40\r\n", 5) != 0)
        fail (self, "cannot load the script", "another answer than its hash");
    else
        memcpy (self->sha, in + 5, SHA_SIZE);
}

static void act (peer_t *self)
{
    for (uint64_t i = 0; i < self->connections; i++)
        self->connection[i].fd = -1;
    for (uint64_t i = 0; i < self->connections && !self->failed; i++)
        connect_to (self, &self->connection[i]);
    if (!self->failed)
        load (self);
    if (!self->failed) {
        synod__measure_ready ();
        while (!synod__measure_started (1000))
            ;
        for (uint64_t at = 0, i = 0; at < self->clients; at++, i = i + 1 < self->connections ? i + 1 : 0)
            acquire (self, &self->connection[i], at);
        go (self);
    }
    for (uint64_t i = 0; i < self->connections; i++)
        if (self->connection[i].fd >= 0)
            close (self->connection[i].fd);
}

int main (int argc, char **argv)
{
    static peer_t self = {.count = 10000, .clients = 1, .connections = 1, .quiet_ms = 5000};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the server, as HOST:PORT"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "pairs of all clients together (default 10000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.clients, "clients, each with a lock and one command at a time"},
        {"connections", SYNOD__OPTION_NUMBER, &self.connections, "of all clients together (default 1)"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.quiet_ms, "ms without an answer after which the rest is lost"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "redis_lock_peer --bus HOST:PORT";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.bus || self.count < 1 || self.clients < 1 || self.clients > CLIENTS_MAX || self.connections < 1 ||
        self.connections > self.clients) {
        fprintf (stderr, "usage: %s; 1 to %d clients, 1 to as many connections, a --count of 1 and more\n", usage,
                 CLIENTS_MAX);
        return 2;
    }
    rc = 1;
    self.connection = calloc (self.connections, sizeof *self.connection);
    if (self.connection && pairs_init (&self.pairs, "redis", self.count) == 0) {
        act (&self);
        rc = synod__measure_report (&self.pairs.run, self.json) || self.failed;
    }
    synod__measure_free (&self.pairs.run);
    free (self.connection);
    return rc;
}
