/* SPDX-License-Identifier: MPL-2.0
 *
 * The clients of the benchmark on etcd: each puts its own key again and again, one put at a time. Of etcd's messages only
 * the fields used here are written and read.
 *
 * A run is void unless each put was answered with status 0 and, by a read at the end, etcd counts as many versions of
 * the keys as puts, and each key has its client's last value.
 */
#include "tools/measure.h"
#include "bench/grpc.h"

#include <stdio.h>
#include <stdlib.h>

#define CLIENTS_MAX TCP_CONNECTIONS_MAX
#define KEYS_FIRST  "bench/" /* and four digits: keys from this one on, until the next */
#define KEYS_END    "bench0"
#define KEY_SIZE    10
#define VALUE_MAX   4096 /* of a value */
#define ANSWER_MAX  (CLIENTS_MAX * (VALUE_MAX + 100))

/* ---- the clients ---- */

struct peer;

/* One client: one put at a time, of a key of its own. */
typedef struct {
    grpc_call_t call; /* first: answers come by it */
    struct peer *peer;
    uint64_t number;   /* of its put under way or last */
    uint64_t versions; /* of its key, by its answers */
} client_t;

typedef struct peer {
    grpc_t grpc;
    uint64_t size;
    uint64_t count;
    uint64_t clients;
    bool json;
    synod__measure_t run;
    client_t client[CLIENTS_MAX];
    client_t reader; /* of all keys, when the run is over */
    uint64_t sent;
} peer_t;

static size_t key_of (const client_t *client, char *key, size_t size)
{
    return (size_t) snprintf (key, size, KEYS_FIRST "%04zu", (size_t) (client - client->peer->client));
}

static void put (client_t *client)
{
    peer_t *self = client->peer;
    char key[32], value[VALUE_MAX];
    if (self->sent == self->count)
        return;
    client->number = self->sent++;
    memset (value, 'x', self->size);
    synod__measure_stamp (value, client->number);
    size_t size = key_of (client, key, sizeof key);
    uint8_t *end = put_bytes (client->call.request + GRPC_PREFIX, 1, key, size);
    end = put_bytes (end, 2, value, self->size);
    synod__measure_sent (&self->run, client->number);
    client->versions++;
    grpc_call (&client->call, "/etcdserverpb.KV/Put", end);
}

/* A put's answer has etcd's header (field 1), in which its revision is field 3. */
static bool is_put (bytes_t message)
{
    uint64_t field, value;
    bytes_t head;
    if (!take_field (&message, &field, &value, &head) || field != 1)
        return false;
    while (take_field (&head, &field, &value, &message))
        if (field == 3)
            return value > 1;
    return false;
}

/* Compares a key-value (key 1, version 4, value 5) with what its client did; its versions. */
static uint64_t check_entry (peer_t *self, bytes_t entry)
{
    uint64_t field, value, versions = 0, number = UINT64_MAX;
    size_t size = 0, at = CLIENTS_MAX;
    bytes_t bytes;
    while (take_field (&entry, &field, &value, &bytes)) {
        char key[KEY_SIZE + 1] = "";
        if (field == 1 && bytes.at && value == KEY_SIZE) {
            memcpy (key, bytes.at, KEY_SIZE);
            at = (size_t) strtoul (key + strlen (KEYS_FIRST), NULL, 10);
        } else if (field == 4)
            versions = value;
        else if (field == 5 && bytes.at && (size = value) >= sizeof number)
            memcpy (&number, bytes.at, sizeof number);
    }
    if (at >= self->clients || versions != self->client[at].versions || number != self->client[at].number ||
        size != self->size)
        self->run.wrong++;
    return versions;
}

static void check_all (peer_t *self, bytes_t message)
{
    uint64_t field, value, versions = 0;
    bytes_t entry;
    while (take_field (&message, &field, &value, &entry))
        if (field == 2)
            versions += check_entry (self, entry);
    if (message.at < message.end || versions != self->count)
        self->run.wrong++;
}

static void on_answer (grpc_call_t *call, bytes_t message)
{
    client_t *client = (client_t *) call;
    peer_t *self = client->peer;
    char data[VALUE_MAX];
    if (client == &self->reader) {
        check_all (self, message);
        self->grpc.tcp.done = true;
        return;
    }
    if (!is_put (message)) {
        tcp_fail (&self->grpc.tcp, "a put was not answered", "no revision");
        return;
    }
    synod__measure_stamp (data, client->number);
    self->grpc.tcp.done = synod__measure_answer (&self->run, data, self->size);
    put (client);
}

static bool client_open (peer_t *self, client_t *client, size_t at, size_t room)
{
    client->peer = self;
    return grpc_call_open (&self->grpc, &client->call, at, VALUE_MAX + 64, room);
}

static void put_all (peer_t *self)
{
    synod__measure_start ();
    for (size_t i = 0; i < self->clients; i++)
        put (&self->client[i]);
    tcp_go (&self->grpc.tcp);
    if (self->grpc.tcp.failed || !self->grpc.tcp.done)
        return;
    self->grpc.tcp.done = false;
    uint8_t *end = put_bytes (self->reader.call.request + GRPC_PREFIX, 1, KEYS_FIRST, strlen (KEYS_FIRST));
    grpc_call (&self->reader.call, "/etcdserverpb.KV/Range", put_bytes (end, 2, KEYS_END, strlen (KEYS_END)));
    tcp_go (&self->grpc.tcp);
    if (!self->grpc.tcp.done)
        tcp_fail (&self->grpc.tcp, "cannot read the keys", "no answer");
}

int main (int argc, char **argv)
{
    static peer_t self = {
        .grpc = {.tcp = {.who = "etcd_peer", .connections = 1, .quiet_ms = 5000}, .on_answer = on_answer},
        .size = 64,
        .count = 10000,
        .clients = 1};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.grpc.tcp.bus, "the server, as HOST:PORT"},
        {"size", SYNOD__OPTION_NUMBER, &self.size, "bytes of a value (default 64)"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "puts of all clients together (default 10000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.clients, "clients, each with a key and one put at a time"},
        {"connections", SYNOD__OPTION_NUMBER, &self.grpc.tcp.connections, "of all clients together (default 1)"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.grpc.tcp.quiet_ms, "ms without an answer after which the rest is lost"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "etcd_peer --bus HOST:PORT";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.grpc.tcp.bus || self.size < SYNOD__MEASURE_SIZE_MIN || self.size > VALUE_MAX || self.clients < 1 ||
        self.clients > CLIENTS_MAX || self.grpc.tcp.connections < 1 || self.grpc.tcp.connections > self.clients) {
        fprintf (stderr, "usage: %s; sizes of %d to %d, 1 to %d clients, 1 to as many connections\n", usage,
                 SYNOD__MEASURE_SIZE_MIN, VALUE_MAX, CLIENTS_MAX);
        return 2;
    }
    self.run.system = "etcd";
    self.run.scenario = "put";
    self.run.size = (uint32_t) self.size;
    self.run.expected = self.count;
    bool ok = synod__measure_init (&self.run, true) == 0 && grpc_open (&self.grpc) &&
              client_open (&self, &self.reader, 0, ANSWER_MAX);
    for (size_t i = 0; ok && i < self.clients; i++)
        ok = client_open (&self, &self.client[i], i, 1024);
    if (ok) {
        put_all (&self);
        rc = synod__measure_report (&self.run, self.json);
    }
    rc = rc || !ok || self.grpc.tcp.failed;
    for (size_t i = 0; i < self.clients; i++)
        grpc_call_close (&self.client[i].call);
    grpc_call_close (&self.reader.call);
    grpc_close (&self.grpc);
    synod__measure_free (&self.run);
    return rc;
}
