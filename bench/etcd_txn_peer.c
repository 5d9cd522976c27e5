/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients of etcd's transactions: each moves money among its own keys again and again, one transaction at a time, which
 * compares what each of them has with what the client knows, and puts what they have next. Of etcd's messages only the
 * fields used here are written and read.
 *
 * A run is void unless each transaction succeeded and, by a read at the end, each key has what its client's transactions
 * left there: so the sum is what it was.
 */
#include "tools/measure.h"
#include "bench/grpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENTS_MAX TCP_CONNECTIONS_MAX
#define PARTIES_MAX 32
#define KEYS_FIRST \
    "bench/" /* and four digits for the client and two for the key: keys from this one on, until the next */
#define KEYS_END   "bench0"
#define KEY_SIZE   12
#define BALANCE    1000000
#define NUMBER_MAX 24  /* bytes of a balance */
#define PART_MAX   128 /* bytes of what is compared and put of a key */

struct peer;

typedef struct {
    grpc_call_t call; /* first: answers come by it */
    struct peer *peer;
    uint64_t number; /* of its transaction under way */
    uint64_t done;
    bool made; /* its keys are there */
} client_t;

typedef struct peer {
    grpc_t grpc;
    uint64_t count;
    uint64_t clients;
    uint64_t parties;
    bool json;
    synod__measure_t run;
    client_t client[CLIENTS_MAX];
    client_t reader; /* of all keys, when the run is over */
    uint64_t begun, made;
} peer_t;

/* What account PARTY of a client has after DONE transactions: the first pays one to each of the others. */
static int64_t balance_of (const peer_t *self, uint64_t party, uint64_t done)
{
    int64_t delta = party ? 1 : -(int64_t) (self->parties - 1);
    return BALANCE + delta * (int64_t) done;
}

static size_t key_of (const client_t *client, uint64_t party, char key[KEY_SIZE + 8])
{
    return (size_t) snprintf (key, KEY_SIZE + 8, KEYS_FIRST "%04zu%02" PRIu64, (size_t) (client - client->peer->client),
                              party);
}

/* Compares a key's value with what it has after DONE transactions. */
static uint8_t *put_compare (uint8_t *at, const client_t *client, uint64_t party)
{
    char key[KEY_SIZE + 8], value[NUMBER_MAX];
    uint8_t compare[PART_MAX], *end = compare;
    int size = snprintf (value, sizeof value, "%" PRId64, balance_of (client->peer, party, client->done));
    end = put_varint (put_varint (end, 2 << 3), 3); /* the value; that it is equal is the default */
    end = put_bytes (end, 3, key, key_of (client, party, key));
    end = put_bytes (end, 7, value, (size_t) size);
    return put_bytes (at, 1, compare, (size_t) (end - compare));
}

static uint8_t *put_put (uint8_t *at, const client_t *client, uint64_t party, uint64_t done)
{
    char key[KEY_SIZE + 8], value[NUMBER_MAX];
    uint8_t put[PART_MAX], op[PART_MAX + 8];
    int size = snprintf (value, sizeof value, "%" PRId64, balance_of (client->peer, party, done));
    uint8_t *end = put_bytes (put, 1, key, key_of (client, party, key));
    end = put_bytes (end, 2, value, (size_t) size);
    end = put_bytes (op, 2, put, (size_t) (end - put));
    return put_bytes (at, 2, op, (size_t) (end - op));
}

static void make (client_t *client)
{
    uint8_t *end = client->call.request + GRPC_PREFIX;
    for (uint64_t party = 0; party < client->peer->parties; party++)
        end = put_put (end, client, party, 0);
    grpc_call (&client->call, "/etcdserverpb.KV/Txn", end);
}

static void move (client_t *client)
{
    peer_t *self = client->peer;
    uint8_t *end = client->call.request + GRPC_PREFIX;
    if (self->begun == self->count)
        return;
    client->number = self->begun++;
    for (uint64_t party = 0; party < self->parties; party++)
        end = put_compare (end, client, party);
    for (uint64_t party = 0; party < self->parties; party++)
        end = put_put (end, client, party, client->done + 1);
    synod__measure_sent (&self->run, client->number);
    grpc_call (&client->call, "/etcdserverpb.KV/Txn", end);
}

static bool succeeded (bytes_t message)
{
    uint64_t field, value;
    bytes_t bytes;
    while (take_field (&message, &field, &value, &bytes))
        if (field == 2)
            return value == 1;
    return false;
}

/* Compares a key-value (key 1, value 5) with what its client did. Its balance. */
static int64_t check_entry (peer_t *self, bytes_t entry)
{
    uint64_t field, value;
    bytes_t bytes;
    char key[KEY_SIZE + 1] = "", text[NUMBER_MAX] = "";
    while (take_field (&entry, &field, &value, &bytes)) {
        if (field == 1 && bytes.at && value == KEY_SIZE)
            memcpy (key, bytes.at, KEY_SIZE);
        else if (field == 5 && bytes.at && value < sizeof text)
            memcpy (text, bytes.at, value);
    }
    unsigned long number = strtoul (key + strlen (KEYS_FIRST), NULL, 10);
    uint64_t at = number / 100, party = number % 100;
    int64_t balance = strtoll (text, NULL, 10);
    if (at >= self->clients || party >= self->parties || balance != balance_of (self, party, self->client[at].done))
        self->run.wrong++;
    return balance;
}

static void check_all (peer_t *self, bytes_t message)
{
    uint64_t field, value, entries = 0;
    int64_t sum = 0;
    bytes_t entry;
    while (take_field (&message, &field, &value, &entry))
        if (field == 2) {
            sum += check_entry (self, entry);
            entries++;
        }
    if (message.at < message.end || entries != self->clients * self->parties || sum != (int64_t) (entries * BALANCE))
        self->run.wrong++;
}

static void on_answer (grpc_call_t *call, bytes_t message)
{
    client_t *client = (client_t *) call;
    peer_t *self = client->peer;
    char data[SYNOD__MEASURE_SIZE_MIN];
    if (client == &self->reader) {
        check_all (self, message);
        self->grpc.tcp.done = true;
    } else if (!succeeded (message))
        tcp_fail (&self->grpc.tcp, "a transaction failed", "another value than its client's last");
    else if (!client->made) {
        client->made = true;
        self->grpc.tcp.done = ++self->made == self->clients;
    } else {
        client->done++;
        synod__measure_stamp (data, client->number);
        self->grpc.tcp.done = synod__measure_answer (&self->run, data, sizeof data);
        move (client);
    }
}

static bool client_open (peer_t *self, client_t *client, size_t at, size_t room)
{
    client->peer = self;
    return grpc_call_open (&self->grpc, &client->call, at, 2 * PART_MAX * self->parties, room);
}

/* Goes on until all that is under way is done; false when it is not. */
static bool go (peer_t *self, const char *what)
{
    self->grpc.tcp.done = false;
    tcp_go (&self->grpc.tcp);
    if (!self->grpc.tcp.done)
        tcp_fail (&self->grpc.tcp, what, "no answer");
    return !self->grpc.tcp.failed;
}

static void act (peer_t *self)
{
    for (size_t i = 0; i < self->clients; i++)
        make (&self->client[i]);
    if (!go (self, "cannot make the keys"))
        return;
    synod__measure_start ();
    for (size_t i = 0; i < self->clients; i++)
        move (&self->client[i]);
    if (!go (self, "cannot go on"))
        return;
    uint8_t *end = put_bytes (self->reader.call.request + GRPC_PREFIX, 1, KEYS_FIRST, strlen (KEYS_FIRST));
    grpc_call (&self->reader.call, "/etcdserverpb.KV/Range", put_bytes (end, 2, KEYS_END, strlen (KEYS_END)));
    go (self, "cannot read the keys");
}

int main (int argc, char **argv)
{
    static peer_t self = {
        .grpc = {.tcp = {.who = "etcd_txn_peer", .connections = 1, .quiet_ms = 5000}, .on_answer = on_answer},
        .count = 10000,
        .clients = 1,
        .parties = 2};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.grpc.tcp.bus, "the server, as HOST:PORT"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "transactions of all clients together (default 10000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.clients, "clients, each with keys and one transaction at a time"},
        {"parties", SYNOD__OPTION_NUMBER, &self.parties, "keys of a transaction (default 2)"},
        {"connections", SYNOD__OPTION_NUMBER, &self.grpc.tcp.connections, "of all clients together (default 1)"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.grpc.tcp.quiet_ms, "ms without an answer after which the rest is lost"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "etcd_txn_peer --bus HOST:PORT";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.grpc.tcp.bus || self.parties < 2 || self.parties > PARTIES_MAX || self.clients < 1 ||
        self.clients > CLIENTS_MAX || self.grpc.tcp.connections < 1 || self.grpc.tcp.connections > self.clients) {
        fprintf (stderr, "usage: %s; 2 to %d keys, 1 to %d clients, 1 to as many connections\n", usage, PARTIES_MAX,
                 CLIENTS_MAX);
        return 2;
    }
    self.run = (synod__measure_t){
        .system = "etcd", .scenario = "transaction", .size = SYNOD__MEASURE_SIZE_MIN, .expected = self.count};
    bool ok = synod__measure_init (&self.run, true) == 0 && grpc_open (&self.grpc) &&
              client_open (&self, &self.reader, 0, self.clients * self.parties * PART_MAX);
    for (size_t i = 0; ok && i < self.clients; i++)
        ok = client_open (&self, &self.client[i], i, 4096);
    if (ok) {
        act (&self);
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
