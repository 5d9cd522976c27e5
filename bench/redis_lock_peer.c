/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients that lock as Redis' own documentation has it: SET NAME TOKEN NX PX, and a script that deletes the name if it
 * still has the token, by EVALSHA. Each has a lock of its own and one command under way; they share one connection, or are
 * spread over several. They speak the protocol themselves.
 *
 * A run is void unless each SET and each deletion was done.
 */
#include "bench/pairs.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include "bench/tcp.h"

#define CLIENTS_MAX 1000
#define OUT_MAX     (CLIENTS_MAX * 256)
#define SCRIPT      "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end"
#define SHA_SIZE    40

typedef struct {
    uint64_t number; /* of its pair */
    bool releases;
} client_t;

/* A connection's clients' commands are answered in their order: QUEUE has whose. */
typedef struct {
    uint32_t queue[CLIENTS_MAX];
    size_t first, waiting;
} order_t;

typedef struct {
    tcp_t tcp;
    uint64_t count;
    uint64_t clients;
    bool json;
    pairs_t pairs;
    char sha[SHA_SIZE + 1];
    client_t client[CLIENTS_MAX];
    order_t order[CLIENTS_MAX]; /* of each connection */
} peer_t;

static void fail (peer_t *self, const char *what, const char *why)
{
    tcp_fail (&self->tcp, what, why);
}

static void command (peer_t *self, tcp_connection_t *connection, uint64_t at)
{
    client_t *client = &self->client[at];
    order_t *order = connection->session;
    char *out = (char *) connection->out + connection->until;
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
    order->queue[(order->first + order->waiting++) % CLIENTS_MAX] = (uint32_t) at;
}

static void acquire (peer_t *self, tcp_connection_t *connection, uint64_t at)
{
    client_t *client = &self->client[at];
    client->releases = false;
    if (pairs_acquire (&self->pairs, &client->number))
        command (self, connection, at);
}

/* LINE answers the connection's first command: +OK of a SET, :1 of a deletion. */
static void answer (peer_t *self, tcp_connection_t *connection, const char *line)
{
    order_t *order = connection->session;
    if (!order->waiting) {
        fail (self, "an answer that nobody waits for", line);
        return;
    }
    uint64_t at = order->queue[order->first];
    client_t *client = &self->client[at];
    order->first = (order->first + 1) % CLIENTS_MAX;
    order->waiting--;
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

static size_t take (tcp_connection_t *connection)
{
    peer_t *self = connection->tcp->user;
    char *line = (char *) connection->in, *end = line + connection->got, *stop;
    while (!self->tcp.failed && (stop = memchr (line, '\n', (size_t) (end - line)))) {
        stop[stop > line && stop[-1] == '\r' ? -1 : 0] = 0;
        answer (self, connection, line);
        line = stop + 1;
    }
    self->tcp.done = self->pairs.done;
    return (size_t) (line - (char *) connection->in);
}

/* The server knows the script, by its hash. */
static void load (peer_t *self)
{
    char out[512], in[SHA_SIZE + 7] = ""; /* $40, the hash, and a line's end after each */
    int fd = self->tcp.connection[0].fd;
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
    for (uint64_t i = 0; i < self->tcp.connections; i++)
        self->tcp.connection[i].session = &self->order[i];
    if (tcp_open (&self->tcp))
        load (self);
    if (!self->tcp.failed) {
        synod__measure_start ();
        for (uint64_t at = 0; at < self->clients; at++)
            acquire (self, &self->tcp.connection[at % self->tcp.connections], at);
        tcp_go (&self->tcp);
    }
    tcp_close (&self->tcp);
}

int main (int argc, char **argv)
{
    static peer_t self = {
        .tcp = {.who = "redis_lock_peer", .connections = 1, .quiet_ms = 5000, .out_max = OUT_MAX, .take = take},
        .count = 10000,
        .clients = 1};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.tcp.bus, "the server, as HOST:PORT"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "pairs of all clients together (default 10000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.clients, "clients, each with a lock and one command at a time"},
        {"connections", SYNOD__OPTION_NUMBER, &self.tcp.connections, "of all clients together (default 1)"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.tcp.quiet_ms, "ms without an answer after which the rest is lost"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "redis_lock_peer --bus HOST:PORT";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.tcp.bus || self.count < 1 || self.clients < 1 || self.clients > CLIENTS_MAX || self.tcp.connections < 1 ||
        self.tcp.connections > self.clients) {
        fprintf (stderr, "usage: %s; 1 to %d clients, 1 to as many connections, a --count of 1 and more\n", usage,
                 CLIENTS_MAX);
        return 2;
    }
    rc = 1;
    self.tcp.user = &self;
    if (pairs_init (&self.pairs, "redis", self.count) == 0) {
        act (&self);
        rc = synod__measure_report (&self.pairs.run, self.json) || self.tcp.failed;
    }
    synod__measure_free (&self.pairs.run);
    return rc;
}
