/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients that lock by etcd's own lock service (v3lockpb), each with a lease of its own that is kept: each acquires its lock
 * and releases it, again and again, one call at a time. Of etcd's messages only the fields used here are written and read.
 *
 *     etcd_lock_peer --bus HOST:PORT --outstanding 64                     over one connection
 *     etcd_lock_peer --bus HOST:PORT --outstanding 64 --connections 64    one each
 *     etcd_lock_peer --bus HOST:PORT --outstanding 16 --one               all of them want the same lock
 *
 * A run is void unless each acquisition is answered with a key, each release is answered, and no two hold one lock.
 */
#include "bench/grpc.h"
#include "bench/pairs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENTS_MAX TCP_CONNECTIONS_MAX
#define KEY_MAX     64 /* bench/, eight digits, a stroke, and the lease in hexadecimal */

typedef enum { NO_LEASE, HAS_LEASE, ACQUIRES, RELEASES } phase_t;

struct peer;

typedef struct {
    grpc_call_t call; /* first: answers come by it */
    struct peer *peer;
    phase_t phase;
    uint64_t number; /* of its pair */
    uint64_t lease;
} client_t;

typedef struct peer {
    grpc_t grpc;
    uint64_t count;
    uint64_t clients;
    bool json;
    pairs_t pairs;
    uint64_t leases; /* granted */
    client_t client[CLIENTS_MAX];
} peer_t;

static uint64_t number_of (const client_t *client)
{
    return (uint64_t) (client - client->peer->client);
}

static uint8_t *put_number (uint8_t *at, unsigned field, uint64_t value)
{
    return put_varint (put_varint (at, field << 3), value);
}

static void lease (client_t *client)
{
    client->phase = NO_LEASE;
    grpc_call (&client->call, "/etcdserverpb.Lease/LeaseGrant",
               put_number (client->call.request + GRPC_PREFIX, 1, PAIRS_LEASE_S));
}

static void acquire (client_t *client)
{
    peer_t *self = client->peer;
    char name[32];
    if (!pairs_acquire (&self->pairs, &client->number))
        return;
    int size = self->pairs.one ? snprintf (name, sizeof name, "bench/one")
                               : snprintf (name, sizeof name, "bench/%08" PRIu64, number_of (client));
    uint8_t *end = put_bytes (client->call.request + GRPC_PREFIX, 1, name, (size_t) size);
    client->phase = ACQUIRES;
    grpc_call (&client->call, "/v3lockpb.Lock/Lock", put_number (end, 2, client->lease));
}

/* Field FIELD of MESSAGE: its value, or its bytes. 0: it has none. */
static uint64_t find (bytes_t message, uint64_t field, bytes_t *bytes)
{
    uint64_t at, value;
    while (take_field (&message, &at, &value, bytes))
        if (at == field)
            return value;
    return 0;
}

static void held (client_t *client, bytes_t message)
{
    peer_t *self = client->peer;
    bytes_t key;
    uint64_t size = find (message, 2, &key);
    if (!size || size > KEY_MAX || !key.at) {
        tcp_fail (&self->grpc.tcp, "a lock was not granted", "an answer without its key");
        return;
    }
    pairs_held (&self->pairs, number_of (client) + 1);
    pairs_release (&self->pairs, number_of (client) + 1);
    client->phase = RELEASES;
    grpc_call (&client->call, "/v3lockpb.Lock/Unlock", put_bytes (client->call.request + GRPC_PREFIX, 1, key.at, size));
}

static void on_answer (grpc_call_t *call, bytes_t message)
{
    client_t *client = (client_t *) call;
    peer_t *self = client->peer;
    bytes_t none;
    switch (client->phase) {
    case NO_LEASE:
        client->lease = find (message, 2, &none);
        if (!client->lease)
            tcp_fail (&self->grpc.tcp, "no lease", "an answer without its number");
        client->phase = HAS_LEASE;
        self->grpc.tcp.done = ++self->leases == self->clients;
        break;
    case ACQUIRES:
        held (client, message);
        break;
    case RELEASES:
        pairs_released (&self->pairs, client->number);
        acquire (client);
        break;
    case HAS_LEASE:
        tcp_fail (&self->grpc.tcp, "an answer that nobody waits for", "of a client with a lease");
    }
    if (self->pairs.done)
        self->grpc.tcp.done = true;
}

static void act (peer_t *self)
{
    for (uint64_t at = 0; at < self->clients; at++)
        lease (&self->client[at]);
    tcp_go (&self->grpc.tcp);
    if (self->grpc.tcp.failed || !self->grpc.tcp.done) {
        tcp_fail (&self->grpc.tcp, "cannot begin", "no leases in time");
        return;
    }
    self->grpc.tcp.done = false;
    synod__measure_start ();
    for (uint64_t at = 0; at < self->clients; at++)
        acquire (&self->client[at]);
    tcp_go (&self->grpc.tcp);
}

int main (int argc, char **argv)
{
    static peer_t self = {
        .grpc = {.tcp = {.who = "etcd_lock_peer", .connections = 1, .quiet_ms = 5000}, .on_answer = on_answer},
        .count = 1000,
        .clients = 1};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.grpc.tcp.bus, "the server, as HOST:PORT"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "pairs of all clients together (default 1000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.clients, "clients, each with a lease and one call at a time"},
        {"connections", SYNOD__OPTION_NUMBER, &self.grpc.tcp.connections, "of all clients together (default 1)"},
        {"one", SYNOD__OPTION_FLAG, &self.pairs.one, "one lock, and --count hand-overs of it"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.grpc.tcp.quiet_ms, "ms without an answer after which the rest is lost"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "etcd_lock_peer --bus HOST:PORT";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    const uint64_t least = self.pairs.one ? 2 : 1;
    if (!self.grpc.tcp.bus || self.count < 1 || self.clients < least || self.clients > CLIENTS_MAX ||
        self.grpc.tcp.connections < 1 || self.grpc.tcp.connections > self.clients) {
        fprintf (stderr, "usage: %s; %" PRIu64 " to %d clients, 1 to as many connections, a --count of 1 and more\n",
                 usage, least, CLIENTS_MAX);
        return 2;
    }
    bool ok = pairs_init (&self.pairs, "etcd", self.count) == 0 && grpc_open (&self.grpc);
    for (uint64_t at = 0; ok && at < self.clients; at++) {
        self.client[at].peer = &self;
        ok = grpc_call_open (&self.grpc, &self.client[at].call, at, 2 * KEY_MAX, 1024);
    }
    rc = 1;
    if (ok) {
        act (&self);
        rc = synod__measure_report (&self.pairs.run, self.json) || self.grpc.tcp.failed;
    }
    for (uint64_t at = 0; at < self.clients; at++)
        grpc_call_close (&self.client[at].call);
    grpc_close (&self.grpc);
    synod__measure_free (&self.pairs.run);
    return rc;
}
