/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients of the actor `lock`, each with a session of its own that is kept: each acquires its lock and releases it, again
 * and again, one ask at a time. They share one handle, as actors of one node do, or are spread over several, each with a
 * thread of its own.
 *
 *     lock_peer --peer ENDPOINT --outstanding 64                  64 sessions of one handle
 *     lock_peer --peer ENDPOINT --outstanding 64 --handles 64     a connection each
 *     lock_peer --bus ENDPOINT --outstanding 16 --one             all of them want the same lock
 *
 * A run is void unless each acquisition is granted, with a greater fence than the client's last (or, of one lock, than
 * anybody's), each release ends it, and no two hold one lock.
 */
#include "bench/pairs.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <synod/synod.h>
#include <sys/random.h>
#include "protocol/lock_records.h"

#define CLIENTS_MAX 1000
#define JOIN_MS     10000
#define SLICE_MS    100 /* how long a thread waits before it looks whether all is over */

typedef enum { ACQUIRES, WAITS, RELEASES } phase_t;

typedef struct {
    uint64_t id; /* of the ask under way; 0: none */
    phase_t phase;
    uint64_t number;  /* of its pair, among all */
    uint64_t request; /* of its acquisition */
    uint64_t session;
    uint64_t token;
} client_t;

struct peer;

/* A thread with a handle, and some of the clients. */
typedef struct {
    struct peer *peer;
    pthread_t thread;
    synod_handle_t *handle;
    uint64_t first, end; /* its clients */
    uint64_t next;       /* whose answer is expected */
    int code;
} worker_t;

typedef struct peer {
    const char *bus;
    const char *peers[SYNOD__TEXTS_MAX + 1]; /* without a broker */
    const char *links[SYNOD__TEXTS_MAX + 1];
    uint64_t count;
    uint64_t clients;
    uint64_t handles;
    uint64_t quiet_ms;
    bool json;
    uint64_t base;        /* client numbers are counted from here */
    pthread_mutex_t lock; /* of PAIRS and TOKEN */
    pairs_t pairs;
    uint64_t token; /* one lock: the greatest */
    atomic_uint ready;
    atomic_bool begun, over;
    worker_t worker[CLIENTS_MAX];
    client_t client[CLIENTS_MAX];
} peer_t;

static int failed (worker_t *self, const char *what, int code, const char *sentence)
{
    fprintf (stderr, "lock_peer: %s: %s: %s\n", what, synod_error_name (code), sentence);
    atomic_store (&self->peer->over, true);
    return code;
}

static void name_of (const peer_t *self, uint64_t at, char name[64])
{
    if (self->pairs.one)
        snprintf (name, 64, "bench.one");
    else
        snprintf (name, 64, "bench.%08" PRIu64, at);
}

static int ask (worker_t *self, uint64_t at, const synod_record_t *record, const void *in)
{
    char name[64], address[80];
    name_of (self->peer, at, name);
    snprintf (address, sizeof address, "lock#%s", name);
    return synod_handle_ask_start (self->handle, address, record, in, (uint32_t) self->peer->quiet_ms,
                                   &self->peer->client[at].id);
}

static int acquire (worker_t *self, uint64_t at)
{
    peer_t *peer = self->peer;
    client_t *client = &peer->client[at];
    char name[64];
    pthread_mutex_lock (&peer->lock);
    bool more = pairs_acquire (&peer->pairs, &client->number);
    pthread_mutex_unlock (&peer->lock);
    if (!more)
        return SYNOD_OK;
    name_of (peer, at, name);
    synod__lock_acquire_t in = {.client = peer->base + at,
                                .request = ++client->request,
                                .lease_ms = PAIRS_LEASE_S * 1000,
                                .wait_ms = peer->pairs.one ? PAIRS_LEASE_S * 1000 : 0};
    synod_buf_t items = {0};
    int code = synod_list_add (&in.names, &items, &synod__lock_name_record,
                               &(synod__lock_name_t){.name = synod_str (name)}, NULL);
    client->phase = ACQUIRES;
    if (code == SYNOD_OK)
        code = ask (self, at, &synod__lock_acquire_record, &in);
    synod_buf_free (&items);
    return code;
}

static int held (worker_t *self, uint64_t at, uint64_t token)
{
    peer_t *peer = self->peer;
    client_t *client = &peer->client[at];
    pthread_mutex_lock (&peer->lock);
    uint64_t *last = peer->pairs.one ? &peer->token : &client->token;
    if (token <= *last)
        peer->pairs.run.wrong++;
    client->token = *last = token;
    pairs_held (&peer->pairs, at + 1);
    pairs_release (&peer->pairs, at + 1);
    pthread_mutex_unlock (&peer->lock);
    const synod__lock_release_t in = {.client = peer->base + at, .token = token, .request = client->request};
    client->phase = RELEASES;
    return ask (self, at, &synod__lock_release_record, &in);
}

static void wrong (peer_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->pairs.run.wrong++;
    pthread_mutex_unlock (&self->lock);
}

static int on_acquired (worker_t *self, uint64_t at, const synod_reply_t *reply)
{
    peer_t *peer = self->peer;
    client_t *client = &peer->client[at];
    synod__lock_acquired_t is;
    int code = synod_record_unpack (&synod__lock_acquired_record, reply->body, &is, NULL);
    if (code != SYNOD_OK)
        return code;
    if (is.token)
        return held (self, at, is.token);
    if (!peer->pairs.one || client->phase == WAITS || !is.entry) {
        wrong (peer);
        return SYNOD_REFUSED;
    }
    client->session = is.session;
    client->phase = WAITS;
    const synod__lock_wait_t in = {.client = peer->base + at, .session = is.session, .request = client->request};
    return ask (self, at, &synod__lock_wait_record, &in);
}

static int on_released (worker_t *self, uint64_t at, const synod_reply_t *reply)
{
    peer_t *peer = self->peer;
    synod__lock_done_t is;
    int code = synod_record_unpack (&synod__lock_done_record, reply->body, &is, NULL);
    if (code != SYNOD_OK)
        return code;
    pthread_mutex_lock (&peer->lock);
    if (is.left)
        peer->pairs.run.wrong++;
    pairs_released (&peer->pairs, peer->client[at].number);
    if (peer->pairs.done)
        atomic_store (&peer->over, true);
    pthread_mutex_unlock (&peer->lock);
    return acquire (self, at);
}

static int take (worker_t *self, uint64_t id, const synod_reply_t *reply)
{
    peer_t *peer = self->peer;
    const uint64_t count = self->end - self->first;
    uint64_t at = self->next, tried = 0;
    for (; tried < count && peer->client[at].id != id; tried++) /* answers come in the order of asks, mostly */
        at = at + 1 < self->end ? at + 1 : self->first;
    if (tried == count) {
        wrong (peer);
        return SYNOD_OK;
    }
    self->next = at + 1 < self->end ? at + 1 : self->first;
    peer->client[at].id = 0;
    if (reply->code != SYNOD_OK) {
        fprintf (stderr, "lock_peer: an ask failed: %.*s: %.*s\n", SYNOD_STR (reply->error),
                 SYNOD_STR (reply->message));
        return reply->code;
    }
    return peer->client[at].phase == RELEASES ? on_released (self, at, reply) : on_acquired (self, at, reply);
}

/* Each client goes on as soon as it has its answer; what one wait has brought leaves with the next. */
static int act (worker_t *self)
{
    peer_t *peer = self->peer;
    int code = SYNOD_OK, timeout_ms = SLICE_MS;
    uint64_t id;
    synod_reply_t reply;
    int64_t heard_ns = synod__measure_now_ns ();
    for (uint64_t at = self->first; code == SYNOD_OK && at < self->end; at++)
        code = acquire (self, at);
    while (code == SYNOD_OK && !atomic_load (&peer->over)) {
        int rc = synod_handle_wait (self->handle, timeout_ms, &id, &reply);
        if (rc == SYNOD_OK) {
            code = take (self, id, &reply);
            timeout_ms = 0; /* all that had come is taken before anything leaves */
            heard_ns = synod__measure_now_ns ();
        } else if (rc == SYNOD_NOT_FOUND) {
            return SYNOD_OK; /* the others have taken what was left */
        } else if (rc != SYNOD_TIMEOUT || synod__measure_now_ns () - heard_ns > (int64_t) peer->quiet_ms * 1000000) {
            code = rc;
        } else
            timeout_ms = SLICE_MS;
    }
    return code;
}

/* Joins, and sees to it that all partitions are served and the way to them is known before time counts. */
static int join (worker_t *self)
{
    peer_t *peer = self->peer;
    const bool direct = peer->peers[0] != NULL;
    const synod_options_t options = {
        .bus = peer->bus, .direct = direct, .peers = direct ? peer->peers : NULL, .connect_ms = JOIN_MS};
    synod_fault_t fault = {0};
    self->handle = synod_handle_new (&options, &fault);
    if (!self->handle)
        return failed (self, "cannot join the bus", fault.code, fault.text);
    int code = synod_handle_await (self->handle, "lock", JOIN_MS);
    for (uint64_t i = 0; code == SYNOD_OK && peer->links[i]; i++)
        code = synod_handle_link (self->handle, peer->links[i], JOIN_MS);
    for (uint64_t at = self->first; code == SYNOD_OK && at < self->end; at++) {
        char name[64], address[80];
        synod_reply_t reply;
        name_of (peer, at, name);
        snprintf (address, sizeof address, "lock#%s", name);
        code = synod_handle_ask (self->handle, address, &synod__lock_inspect_record,
                                 &(synod__lock_inspect_t){.name = synod_str (name)}, (int) peer->quiet_ms, &reply);
    }
    return code == SYNOD_OK ? code : failed (self, "nobody has the locks", code, synod_handle_error (self->handle));
}

static void *work (void *arg)
{
    worker_t *self = arg;
    peer_t *peer = self->peer;
    self->code = join (self);
    atomic_fetch_add (&peer->ready, 1);
    while (!atomic_load (&peer->begun) && self->code == SYNOD_OK)
        synod_handle_poll (self->handle, 5);
    if (self->code == SYNOD_OK && (self->code = act (self)) != SYNOD_OK)
        failed (self, "cannot go on", self->code, synod_handle_error (self->handle));
    return NULL;
}

static int run (peer_t *self)
{
    int code = SYNOD_OK;
    uint64_t started = 0;
    for (; started < self->handles; started++) {
        worker_t *worker = &self->worker[started];
        worker->peer = self;
        worker->first = worker->next = self->clients * started / self->handles;
        worker->end = self->clients * (started + 1) / self->handles;
        if (pthread_create (&worker->thread, NULL, work, worker)) {
            fprintf (stderr, "lock_peer: cannot start thread %" PRIu64 "\n", started + 1);
            code = SYNOD_FULL;
            atomic_store (&self->over, true);
            break;
        }
    }
    while (atomic_load (&self->ready) < started && !atomic_load (&self->over))
        nanosleep (&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (!atomic_load (&self->over)) {
        synod__measure_ready ();
        while (!synod__measure_started (1000))
            ;
    }
    atomic_store (&self->begun, true);
    for (uint64_t i = 0; i < started; i++) {
        pthread_join (self->worker[i].thread, NULL);
        if (code == SYNOD_OK)
            code = self->worker[i].code;
    }
    for (uint64_t i = 0; i < started; i++)
        if (self->worker[i].handle)
            synod_handle_destroy (&self->worker[i].handle);
    int is_void = synod__measure_report (&self->pairs.run, self->json);
    return code == SYNOD_TIMEOUT || code == SYNOD_NO_ROUTE ? 3 : code != SYNOD_OK ? 1 : is_void;
}

int main (int argc, char **argv)
{
    static peer_t self = {
        .count = 10000, .clients = 1, .handles = 1, .quiet_ms = 5000, .lock = PTHREAD_MUTEX_INITIALIZER};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the broker's endpoint"},
        {"peer", SYNOD__OPTION_TEXTS, self.peers, "without a broker: a node's endpoint; may be repeated"},
        {"link", SYNOD__OPTION_TEXTS, self.links, "begin with a direct path to this node; may be repeated"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "pairs of all clients together (default 10000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.clients, "clients, each with a session and one ask at a time"},
        {"handles", SYNOD__OPTION_NUMBER, &self.handles, "of all clients together (default 1)"},
        {"one", SYNOD__OPTION_FLAG, &self.pairs.one, "one lock, and --count hand-overs of it"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.quiet_ms, "ms until an ask is lost (default 5000)"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "lock_peer [--bus ENDPOINT | --peer ENDPOINT...]";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    const uint64_t least = self.pairs.one ? 2 : 1;
    if (self.count < 1 || self.clients < least || self.clients > CLIENTS_MAX || self.handles < 1 ||
        self.handles > self.clients) {
        fprintf (stderr, "usage: %s; %" PRIu64 " to %d clients, 1 to as many handles, a --count of 1 and more\n", usage,
                 least, CLIENTS_MAX);
        return 2;
    }
    rc = 1;
    if (getrandom (&self.base, sizeof self.base, 0) == sizeof self.base &&
        pairs_init (&self.pairs, "synod", self.count) == 0)
        rc = run (&self);
    synod__measure_free (&self.pairs.run);
    return rc;
}
