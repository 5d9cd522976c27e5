/* SPDX-License-Identifier: MPL-2.0
 *
 * Native clients of the cache and of the table: each puts or gets its own key again and again, one ask at a time. All share
 * one handle, as etcd's clients share one connection; with many of them it is one client with as many asks under way.
 *
 *     kv_peer --to cache --outstanding 800 --get
 *     kv_peer --to kv --outstanding 16             puts, as commands: durable and copied when they are answered
 *
 * A run is void unless each answer says that it was done, or found with the value that was put.
 */
#include "tools/measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <synod/synod.h>
#include "protocol/kv_records.h"

#define CLIENTS_MAX 4096
#define JOIN_MS     10000

typedef struct {
    uint64_t id;     /* of the ask under way; 0: none */
    uint64_t number; /* of it, among all */
} client_t;

typedef struct {
    const char *bus;
    const char *peers[SYNOD__TEXTS_MAX + 1]; /* without a broker */
    const char *to;
    uint64_t size;
    uint64_t count;
    uint64_t clients;
    uint64_t quiet_ms;
    bool get;
    bool json;
    synod__measure_t run;
    synod_handle_t *handle;
    synod_record_t put; /* of kv a command, of a cache none */
    char *data;
    uint64_t sent;
    client_t client[CLIENTS_MAX];
} peer_t;

static int failed (const char *what, int code, const char *sentence)
{
    fprintf (stderr, "kv_peer: %s: %s: %s\n", what, synod_error_name (code), sentence);
    return code == SYNOD_TIMEOUT || code == SYNOD_NO_ROUTE ? 3 : 1;
}

static void address_of (const peer_t *self, const client_t *client, char address[SYNOD_ADDRESS_MAX])
{
    snprintf (address, SYNOD_ADDRESS_MAX, "%s#bench/%08" PRIu64, self->to, (uint64_t) (client - self->client));
}

static int start (peer_t *self, client_t *client)
{
    char address[SYNOD_ADDRESS_MAX];
    const synod__kv_put_t put = {.data = synod_str_n (self->data, self->size)};
    const synod__kv_get_t get = {0};
    client->number = self->sent++;
    address_of (self, client, address);
    synod__measure_sent (&self->run, client->number);
    return synod_handle_ask_start (self->handle, address, self->get ? &synod__kv_get_record : &self->put,
                                   self->get ? (const void *) &get : &put, (uint32_t) self->quiet_ms, &client->id);
}

/* The client whose ask ID is, the likeliest first: answers come in the order of asks; NULL: none's. */
static client_t *client_of (peer_t *self, uint64_t id)
{
    static uint64_t next;
    for (uint64_t i = 0; i < self->clients; i++) {
        client_t *client = &self->client[(next + i) % self->clients];
        if (client->id == id) {
            next = (next + i + 1) % self->clients;
            return client;
        }
    }
    return NULL;
}

static int take (peer_t *self, uint64_t id, const synod_reply_t *reply, bool *done)
{
    char data[SYNOD__MEASURE_SIZE_MIN];
    client_t *client = client_of (self, id);
    synod__kv_is_t is;
    if (reply->code != SYNOD_OK) {
        fprintf (stderr, "kv_peer: an ask failed: %.*s: %.*s\n", SYNOD_STR (reply->error), SYNOD_STR (reply->message));
        return reply->code;
    }
    if (!client || synod_record_unpack (&synod__kv_is_record, reply->body, &is, NULL) != SYNOD_OK) {
        self->run.wrong++;
        return SYNOD_OK;
    }
    if (self->get ? !is.found || is.data.size != self->size : !is.done)
        self->run.wrong++;
    client->id = 0;
    synod__measure_stamp (data, client->number);
    *done = synod__measure_answer (&self->run, data, self->size);
    return self->sent < self->count ? start (self, client) : SYNOD_OK;
}

/* Each client asks as soon as it has its answer; what one wait has brought leaves with the next. */
static int ask_all (peer_t *self)
{
    uint64_t id;
    synod_reply_t reply;
    bool done = false;
    int code = SYNOD_OK;
    for (uint64_t i = 0; code == SYNOD_OK && i < self->clients && self->sent < self->count; i++)
        code = start (self, &self->client[i]);
    int timeout_ms = (int) self->quiet_ms;
    while (code == SYNOD_OK && !done) {
        int rc = synod_handle_wait (self->handle, timeout_ms, &id, &reply);
        if (rc == SYNOD_OK) {
            code = take (self, id, &reply, &done);
            timeout_ms = 0; /* all that had come is taken before anything leaves */
        } else if (timeout_ms == 0 && rc == SYNOD_TIMEOUT)
            timeout_ms = (int) self->quiet_ms;
        else
            code = rc;
    }
    return code;
}

/* A value for each key. */
static int fill (peer_t *self)
{
    const synod__kv_put_t put = {.data = synod_str_n (self->data, self->size)};
    for (uint64_t i = 0; i < self->clients; i++) {
        char address[SYNOD_ADDRESS_MAX];
        synod_reply_t reply;
        address_of (self, &self->client[i], address);
        int code = synod_handle_ask (self->handle, address, &self->put, &put, (int) self->quiet_ms, &reply);
        if (code != SYNOD_OK)
            return code;
    }
    return SYNOD_OK;
}

static int act (peer_t *self)
{
    const bool direct = self->peers[0] != NULL;
    synod_options_t options = {.bus = self->bus, .direct = direct, .peers = self->peers, .connect_ms = JOIN_MS};
    synod_fault_t fault = {0};
    if (!direct)
        options.peers = NULL;
    self->handle = synod_handle_new (&options, &fault);
    if (!self->handle)
        return failed ("cannot join the bus", fault.code, fault.text);
    int code = synod_handle_await (self->handle, self->to, JOIN_MS);
    if (code == SYNOD_OK)
        code = fill (self);
    if (code != SYNOD_OK)
        return failed ("the keys cannot be put", code, synod_handle_error (self->handle));
    synod__measure_ready ();
    while (!synod__measure_started (100))
        synod_handle_poll (self->handle, 0);
    code = ask_all (self);
    int rc = code == SYNOD_OK ? 0 : failed ("cannot go on", code, synod_handle_error (self->handle));
    int is_void = synod__measure_report (&self->run, self->json);
    return rc ? rc : is_void;
}

int main (int argc, char **argv)
{
    static peer_t self = {.size = 64, .count = 10000, .clients = 1, .quiet_ms = 5000};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the broker's endpoint"},
        {"peer", SYNOD__OPTION_TEXTS, self.peers, "without a broker: a node's endpoint; may be repeated"},
        {"to", SYNOD__OPTION_TEXT, &self.to, "cache or kv"},
        {"get", SYNOD__OPTION_FLAG, &self.get, "get what is there (default: put)"},
        {"size", SYNOD__OPTION_NUMBER, &self.size, "bytes of a value (default 64)"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "asks of all clients together (default 10000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.clients, "clients, each with a key and one ask at a time"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.quiet_ms, "ms until an ask is lost (default 5000)"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "kv_peer --to ACTOR [--bus ENDPOINT | --peer ENDPOINT...]";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.to || self.size < SYNOD__MEASURE_SIZE_MIN || self.size > SYNOD__KV_PIECE || self.clients < 1 ||
        self.clients > CLIENTS_MAX) {
        fprintf (stderr, "usage: %s; sizes of %d to %d, 1 to %d clients\n", usage, SYNOD__MEASURE_SIZE_MIN,
                 SYNOD__KV_PIECE, CLIENTS_MAX);
        return 2;
    }
    self.put = synod__kv_put_record;
    if (strcmp (self.to, "cache") == 0)
        self.put.flags = 0;
    self.run.system = "synod";
    self.run.scenario = self.get ? "get" : "put";
    self.run.size = (uint32_t) self.size;
    self.run.expected = self.count;
    rc = 1;
    if (synod__measure_init (&self.run, true) == 0 && (self.data = malloc (self.size))) {
        memset (self.data, 'x', self.size);
        rc = act (&self);
    }
    if (self.handle)
        synod_handle_destroy (&self.handle);
    synod__measure_free (&self.run);
    free (self.data);
    return rc;
}
