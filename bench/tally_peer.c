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
#include "bench/clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "bench/tally.h"

#define CLIENTS_MAX 1000
#define TRY_MS      100 /* outage: how long one ask is waited for */
#define PAUSE_MS    5

typedef struct {
    uint64_t count;                                                       /* of its counter, by the last answer */
    bool known;                                                           /* whether it has been told that count */
    char key[TALLY_KEY_MAX], address[2 * TALLY_KEY_MAX + SYNOD_NAME_MAX]; /* what it asks, "": not known yet */
} client_t;

typedef struct {
    clients_plan_t plan;
    clients_t clients;
    const char *to;
    const char *outage;
    uint64_t size;
    bool at_node;
    bool distinct;
    atomic_bool over;
    char *data;
    client_t client[CLIENTS_MAX];
} peer_t;

static int begin (clients_t *clients, uint64_t at)
{
    peer_t *self = clients->user;
    client_t *client = &self->client[at];
    if (!clients_next (clients, at))
        return SYNOD_OK;
    if (self->distinct || !client->key[0]) {
        snprintf (client->key, sizeof client->key, "bench/%08" PRIu64,
                  self->distinct ? clients->client[at].number : at);
        snprintf (client->address, sizeof client->address, self->at_node ? "%s" : "%s#%s", self->to, client->key);
    }
    const add_t add = {.key = synod_str (client->key), .data = synod_str_n (self->data, self->size)};
    return clients_ask (clients, at, client->address, &add_record, &add);
}

static int take (clients_t *clients, uint64_t at, const synod_reply_t *reply)
{
    peer_t *self = clients->user;
    client_t *client = &self->client[at];
    count_t count;
    if (synod_record_unpack (&count_record, reply->body, &count, NULL) != SYNOD_OK) {
        clients->run.wrong++;
        return SYNOD_OK;
    }
    if (self->distinct)
        client->known = false;
    if (count.count == 0 || (client->known && count.count != client->count + 1) || (self->distinct && count.count != 1))
        clients->run.wrong++;
    client->known = true;
    client->count = count.count;
    clients_done (clients, at);
    return begin (clients, at);
}

/* Says `ready NODE` when the counter answers, which is on that node, and on the driver's line (which comes when its owner has been killed) asks
 * until it answers again: {"outage_ms": ..., "before": ..., "after": ...}. An ask that is not answered in TRY_MS is
 * given up, so the counter may have grown by more than one; it must not have shrunk. */
static int outage (peer_t *self)
{
    const clients_t *clients = &self->clients;
    synod_handle_t *handle = clients->handle;
    const int quiet_ms = (int) self->plan.quiet_ms;
    char address[2 * TALLY_KEY_MAX + SYNOD_NAME_MAX];
    snprintf (address, sizeof address, self->at_node ? "%s" : "%s#%s", self->to, self->outage);
    add_t add = {.key = synod_str (self->outage), .data = synod_str_n (self->data, self->size)};
    count_t before, after;
    synod_reply_t reply;
    int code = synod_handle_ask (handle, address, &add_record, &add, quiet_ms, &reply);
    if (code == SYNOD_OK)
        code = synod_handle_ask (handle, address, &get_record, &(get_t){.key = add.key}, quiet_ms, &reply);
    if (code == SYNOD_OK)
        code = synod_record_unpack (&count_record, reply.body, &before, NULL);
    if (code != SYNOD_OK)
        return clients_failed (clients, "the counter does not answer", code, synod_handle_error (handle));
    printf ("ready %.*s\n", SYNOD_STR (before.node));
    fflush (stdout);
    while (!synod__measure_started (1))
        synod_handle_poll (handle, 0);
    int64_t begin_ns = synod__measure_now_ns (), end_ns = begin_ns + (int64_t) quiet_ms * 1000000;
    while ((code = synod_handle_ask (handle, address, &add_record, &add, TRY_MS, &reply)) != SYNOD_OK &&
           synod__measure_now_ns () < end_ns)
        if (code != SYNOD_TIMEOUT)
            synod_handle_poll (handle, PAUSE_MS); /* refused at once: leave the machine to the others */
    end_ns = synod__measure_now_ns ();
    if (code == SYNOD_OK)
        code = synod_record_unpack (&count_record, reply.body, &after, NULL);
    if (code != SYNOD_OK)
        return clients_failed (clients, "the counter did not answer again", code, synod_handle_error (handle));
    printf ("{\"outage_ms\":%.1f,\"before\":%" PRIu64 ",\"after\":%" PRIu64 "}\n", (double) (end_ns - begin_ns) / 1e6,
            before.count, after.count);
    return after.count > before.count ? 0 : 1;
}

static int act (peer_t *self)
{
    int rc = clients_open (&self->clients, self->to);
    if (rc)
        return rc;
    return self->outage ? outage (self) : clients_measure (&self->clients);
}

int main (int argc, char **argv)
{
    static peer_t self = {.plan = CLIENTS_PLAN, .size = 64};
    const synod__option_t options[] = {
        CLIENTS_OPTIONS (self.plan, "asks", "a counter and one ask"),
        {"to", SYNOD__OPTION_TEXT, &self.to, "the actor type, or with --at-node NODE/ACTOR"},
        {"at-node", SYNOD__OPTION_FLAG, &self.at_node, "ask that actor, whatever the key"},
        {"distinct", SYNOD__OPTION_FLAG, &self.distinct, "a counter of its own for each ask"},
        {"outage", SYNOD__OPTION_TEXT, &self.outage, "measure how long this counter does not answer"},
        {"size", SYNOD__OPTION_NUMBER, &self.size, "bytes stored for a counter (default 64)"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "tally_peer --to ACTOR [--bus ENDPOINT | --peer ENDPOINT...]";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.to || self.size < TALLY_DATA_MIN || self.size > TALLY_DATA_MAX || self.plan.clients < 1 ||
        self.plan.clients > CLIENTS_MAX) {
        fprintf (stderr, "usage: %s; sizes of %d to %d, 1 to %d clients\n", usage, TALLY_DATA_MIN, TALLY_DATA_MAX,
                 CLIENTS_MAX);
        return 2;
    }
    self.clients = (clients_t){
        .who = "tally_peer",
        .plan = &self.plan,
        .end = self.plan.clients,
        .begin = begin,
        .take = take,
        .user = &self,
        .over = &self.over,
        .run = {.system = "synod", .scenario = "add", .size = (uint32_t) self.size, .expected = self.plan.count}};
    rc = 1;
    if (synod__measure_init (&self.clients.run, true) == 0 && (self.data = malloc (self.size))) {
        memset (self.data, 'x', self.size);
        rc = act (&self);
    }
    clients_close (&self.clients);
    free (self.data);
    return rc;
}
