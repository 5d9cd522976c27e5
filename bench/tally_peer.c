/* SPDX-License-Identifier: MPL-2.0
 *
 * The clients of the benchmark of placed actors: each adds to its own counter again and again, one ask at a time. All
 * share one handle, as etcd's clients share one connection.
 *
 *     tally_peer --to tally3 --outstanding 16      `tally3#KEY`: the owner of the key
 *     tally_peer --to NODE/tally --at-node         the same of an actor that is not placed
 *     tally_peer --to tally3 --distinct            each ask with a counter of its own: to fill a store
 *     tally_peer --to tally3 --outage KEY          how long KEY did not answer: see outage ()
 *
 * A run is void unless each answer is the one before plus one (so each addition was made once, and none was lost).
 */
#include "tools/measure.h"
#include "bench/tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENTS_MAX 1000
#define JOIN_MS     10000
#define TRY_MS      100 /* outage: how long one ask is waited for */
#define PAUSE_MS    5

typedef struct {
    uint64_t id;     /* of the ask under way; 0: none */
    uint64_t number; /* of it, among all */
    uint64_t count;  /* of its counter, by the last answer */
    bool known;      /* whether it has been told that count */
} client_t;

typedef struct {
    const char *bus;
    const char *peers[SYNOD__TEXTS_MAX + 1]; /* without a broker */
    const char *to;
    const char *outage;
    uint64_t size;
    uint64_t count;
    uint64_t clients;
    uint64_t quiet_ms;
    bool at_node;
    bool distinct;
    bool json;
    synod__measure_t run;
    synod_handle_t *handle;
    char *data;
    uint64_t sent;
    client_t client[CLIENTS_MAX];
} peer_t;

static int failed (const char *what, int code, const char *sentence)
{
    fprintf (stderr, "tally_peer: %s: %s: %s\n", what, synod_error_name (code), sentence);
    return code == SYNOD_TIMEOUT || code == SYNOD_NO_ROUTE ? 3 : 1;
}

static int start (peer_t *self, client_t *client)
{
    char key[TALLY_KEY_MAX], address[2 * TALLY_KEY_MAX + SYNOD_NAME_MAX];
    client->number = self->sent++;
    uint64_t counter = self->distinct ? client->number : (uint64_t) (client - self->client);
    snprintf (key, sizeof key, "bench/%08" PRIu64, counter);
    snprintf (address, sizeof address, self->at_node ? "%s" : "%s#%s", self->to, key);
    add_t add = {.key = synod_str (key), .data = synod_str_n (self->data, self->size)};
    synod__measure_sent (&self->run, client->number);
    return synod_handle_ask_start (self->handle, address, &add_record, &add, (uint32_t) self->quiet_ms, &client->id);
}

/* The client whose ask ID is; NULL: none's. */
static client_t *client_of (peer_t *self, uint64_t id)
{
    for (uint64_t i = 0; i < self->clients; i++)
        if (self->client[i].id == id)
            return &self->client[i];
    return NULL;
}

static int take (peer_t *self, uint64_t id, const synod_reply_t *reply, bool *done)
{
    char data[TALLY_DATA_MAX];
    client_t *client = client_of (self, id);
    count_t count;
    if (reply->code != SYNOD_OK) {
        fprintf (stderr, "tally_peer: an ask failed: %.*s: %.*s\n", SYNOD_STR (reply->error),
                 SYNOD_STR (reply->message));
        return reply->code;
    }
    if (!client || synod_record_unpack (&count_record, reply->body, &count, NULL) != SYNOD_OK) {
        self->run.wrong++;
        return SYNOD_OK;
    }
    if (self->distinct)
        client->known = false;
    if (count.count == 0 || (client->known && count.count != client->count + 1) || (self->distinct && count.count != 1))
        self->run.wrong++;
    client->id = 0;
    client->known = true;
    client->count = count.count;
    synod__measure_stamp (data, client->number);
    *done = synod__measure_answer (&self->run, data, self->size);
    return self->sent < self->count ? start (self, client) : SYNOD_OK;
}

/* Each client adds as soon as it has its answer; what one wait has brought leaves with the next. */
static int add_all (peer_t *self)
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

/* Says `ready NODE` when the counter answers, which is on that node, and on the driver's line (which comes when its owner has been killed) asks
 * until it answers again: {"outage_ms": ..., "before": ..., "after": ...}. An ask that is not answered in TRY_MS is
 * given up, so the counter may have grown by more than one; it must not have shrunk. */
static int outage (peer_t *self)
{
    char address[2 * TALLY_KEY_MAX + SYNOD_NAME_MAX];
    snprintf (address, sizeof address, self->at_node ? "%s" : "%s#%s", self->to, self->outage);
    add_t add = {.key = synod_str (self->outage), .data = synod_str_n (self->data, self->size)};
    count_t before, after;
    synod_reply_t reply;
    int code = synod_handle_ask (self->handle, address, &add_record, &add, (int) self->quiet_ms, &reply);
    if (code == SYNOD_OK)
        code = synod_handle_ask (self->handle, address, &get_record, &(get_t){.key = add.key}, (int) self->quiet_ms,
                                 &reply);
    if (code == SYNOD_OK)
        code = synod_record_unpack (&count_record, reply.body, &before, NULL);
    if (code != SYNOD_OK)
        return failed ("the counter does not answer", code, synod_handle_error (self->handle));
    printf ("ready %.*s\n", SYNOD_STR (before.node));
    fflush (stdout);
    while (!synod__measure_started (1))
        synod_handle_poll (self->handle, 0);
    int64_t begin_ns = synod__measure_now_ns (), end_ns = begin_ns + (int64_t) self->quiet_ms * 1000000;
    while ((code = synod_handle_ask (self->handle, address, &add_record, &add, TRY_MS, &reply)) != SYNOD_OK &&
           synod__measure_now_ns () < end_ns)
        if (code != SYNOD_TIMEOUT)
            synod_handle_poll (self->handle, PAUSE_MS); /* refused at once: leave the machine to the others */
    end_ns = synod__measure_now_ns ();
    if (code == SYNOD_OK)
        code = synod_record_unpack (&count_record, reply.body, &after, NULL);
    if (code != SYNOD_OK)
        return failed ("the counter did not answer again", code, synod_handle_error (self->handle));
    printf ("{\"outage_ms\":%.1f,\"before\":%" PRIu64 ",\"after\":%" PRIu64 "}\n", (double) (end_ns - begin_ns) / 1e6,
            before.count, after.count);
    return after.count > before.count ? 0 : 1;
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
    if (code != SYNOD_OK)
        return failed ("nobody has the counters", code, synod_handle_error (self->handle));
    if (self->outage)
        return outage (self);
    synod__measure_ready ();
    while (!synod__measure_started (100))
        synod_handle_poll (self->handle, 0);
    code = add_all (self);
    int rc = code == SYNOD_OK ? 0 : failed ("cannot add", code, synod_handle_error (self->handle));
    int is_void = synod__measure_report (&self->run, self->json);
    return rc ? rc : is_void;
}

int main (int argc, char **argv)
{
    static peer_t self = {.size = 64, .count = 10000, .clients = 1, .quiet_ms = 5000};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the broker's endpoint"},
        {"peer", SYNOD__OPTION_TEXTS, self.peers, "without a broker: a node's endpoint; may be repeated"},
        {"to", SYNOD__OPTION_TEXT, &self.to, "the actor type, or with --at-node NODE/ACTOR"},
        {"at-node", SYNOD__OPTION_FLAG, &self.at_node, "ask that actor, whatever the key"},
        {"distinct", SYNOD__OPTION_FLAG, &self.distinct, "a counter of its own for each ask"},
        {"outage", SYNOD__OPTION_TEXT, &self.outage, "measure how long this counter does not answer"},
        {"size", SYNOD__OPTION_NUMBER, &self.size, "bytes stored for a counter (default 64)"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "asks of all clients together (default 10000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.clients, "clients, each with a counter and one ask at a time"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.quiet_ms, "ms until an ask is lost (default 5000)"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "tally_peer --to ACTOR [--bus ENDPOINT | --peer ENDPOINT...]";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.to || self.size < TALLY_DATA_MIN || self.size > TALLY_DATA_MAX || self.clients < 1 ||
        self.clients > CLIENTS_MAX) {
        fprintf (stderr, "usage: %s; sizes of %d to %d, 1 to %d clients\n", usage, TALLY_DATA_MIN, TALLY_DATA_MAX,
                 CLIENTS_MAX);
        return 2;
    }
    self.run.system = "synod";
    self.run.scenario = "add";
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
