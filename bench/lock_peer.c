/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients of the actor `lock`, each with a session of its own that is kept: each acquires its lock and releases it, again
 * and again, one ask at a time. They share one handle, as actors of one node do, or are spread over several, all
 * served by one thread, as the other systems' connections are, or by several threads.
 *
 *     lock_peer --peer ENDPOINT --outstanding 64                  64 sessions of one handle
 *     lock_peer --peer ENDPOINT --outstanding 64 --handles 64     a connection each
 *     lock_peer ... --handles 64 --threads 64                     and a thread each
 *     lock_peer --bus ENDPOINT --outstanding 16 --one             all of them want the same lock
 *
 * A run is void unless each acquisition is granted, with a greater fence than the client's last (or, of one lock, than
 * anybody's), each release ends it, and no two hold one lock.
 */
#include "bench/clients.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include "bench/pairs.h"
#include "protocol/lock_records.h"

#define CLIENTS_MAX 1000

typedef enum { ACQUIRES, WAITS, RELEASES } phase_t;

typedef struct {
    phase_t phase;
    uint64_t number;  /* of its pair, among all */
    uint64_t request; /* of its acquisition */
    uint64_t session;
    uint64_t token;
} client_t;

struct peer;

/* A thread that serves some of the handles. */
typedef struct {
    struct peer *peer;
    pthread_t thread;
    uint64_t first, end; /* of all handles */
    int code;            /* for the exit; 0: all was well */
} worker_t;

typedef struct peer {
    clients_plan_t plan;
    uint64_t handles, threads;
    uint64_t base;        /* client numbers are counted from here */
    pthread_mutex_t lock; /* of PAIRS and TOKEN */
    pairs_t pairs;
    uint64_t token; /* one lock: the greatest */
    atomic_uint ready;
    atomic_bool begun, over;
    worker_t worker[CLIENTS_MAX];
    clients_t handle[CLIENTS_MAX]; /* with those who share it */
    client_t client[CLIENTS_MAX];
} peer_t;

static void name_of (const peer_t *self, uint64_t at, char name[64])
{
    if (self->pairs.one)
        snprintf (name, 64, "bench.one");
    else
        snprintf (name, 64, "bench.%08" PRIu64, at);
}

static int ask (clients_t *self, uint64_t at, const synod_record_t *record, const void *in)
{
    char name[64], address[80];
    name_of (self->user, at, name);
    snprintf (address, sizeof address, "lock#%s", name);
    return clients_ask (self, at, address, record, in);
}

static int acquire (clients_t *self, uint64_t at)
{
    peer_t *peer = self->user;
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

static int held (clients_t *self, uint64_t at, uint64_t token)
{
    peer_t *peer = self->user;
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

static int on_acquired (clients_t *self, uint64_t at, const synod_reply_t *reply)
{
    peer_t *peer = self->user;
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

static int on_released (clients_t *self, uint64_t at, const synod_reply_t *reply)
{
    peer_t *peer = self->user;
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

static int take (clients_t *self, uint64_t at, const synod_reply_t *reply)
{
    const peer_t *peer = self->user;
    return peer->client[at].phase == RELEASES ? on_released (self, at, reply) : on_acquired (self, at, reply);
}

/* Joins, and sees to it that all partitions are served and the way to them is known before time counts. */
static int join (clients_t *clients)
{
    int rc = clients_open (clients, "lock");
    for (uint64_t at = clients->first; rc == 0 && at < clients->end; at++) {
        char name[64], address[80];
        synod_reply_t reply;
        name_of (clients->user, at, name);
        snprintf (address, sizeof address, "lock#%s", name);
        int code = synod_handle_ask (clients->handle, address, &synod__lock_inspect_record,
                                     &(synod__lock_inspect_t){.name = synod_str (name)}, (int) clients->plan->quiet_ms,
                                     &reply);
        if (code != SYNOD_OK)
            rc = clients_failed (clients, "nobody has the locks", code, synod_handle_error (clients->handle));
    }
    return rc;
}

static void *work (void *arg)
{
    worker_t *self = arg;
    peer_t *peer = self->peer;
    for (uint64_t i = self->first; self->code == 0 && i < self->end; i++)
        self->code = join (&peer->handle[i]);
    atomic_fetch_add (&peer->ready, 1);
    while (!atomic_load (&peer->begun) && self->code == 0) {
        for (uint64_t i = self->first; i < self->end; i++)
            synod_handle_poll (peer->handle[i].handle, 0);
        nanosleep (&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    if (self->code == 0)
        self->code = clients_go_all (&peer->handle[self->first], self->end - self->first);
    if (self->code)
        atomic_store (&peer->over, true);
    return NULL;
}

static int run (peer_t *self)
{
    int rc = 0;
    uint64_t started = 0;
    for (uint64_t i = 0; i < self->handles; i++)
        self->handle[i] = (clients_t){.who = "lock_peer",
                                      .plan = &self->plan,
                                      .first = self->plan.clients * i / self->handles,
                                      .end = self->plan.clients * (i + 1) / self->handles,
                                      .begin = acquire,
                                      .take = take,
                                      .user = self,
                                      .over = &self->over};
    for (; started < self->threads; started++) {
        worker_t *worker = &self->worker[started];
        worker->peer = self;
        worker->first = self->handles * started / self->threads;
        worker->end = self->handles * (started + 1) / self->threads;
        if (pthread_create (&worker->thread, NULL, work, worker)) {
            fprintf (stderr, "lock_peer: cannot start thread %" PRIu64 "\n", started + 1);
            rc = 1;
            atomic_store (&self->over, true);
            break;
        }
    }
    while (atomic_load (&self->ready) < started && !atomic_load (&self->over))
        nanosleep (&(struct timespec){.tv_nsec = 1000000}, NULL);
    if (!atomic_load (&self->over)) {
        synod__measure_start ();
    }
    atomic_store (&self->begun, true);
    for (uint64_t i = 0; i < started; i++) {
        pthread_join (self->worker[i].thread, NULL);
        if (rc == 0)
            rc = self->worker[i].code;
    }
    for (uint64_t i = 0; i < self->handles; i++) {
        self->pairs.run.wrong += self->handle[i].strays;
        clients_close (&self->handle[i]);
    }
    int is_void = synod__measure_report (&self->pairs.run, self->plan.json);
    return rc ? rc : is_void;
}

int main (int argc, char **argv)
{
    static peer_t self = {.plan = CLIENTS_PLAN, .handles = 1, .threads = 1, .lock = PTHREAD_MUTEX_INITIALIZER};
    const synod__option_t options[] = {
        CLIENTS_OPTIONS (self.plan, "pairs", "a session and one ask"),
        {"handles", SYNOD__OPTION_NUMBER, &self.handles, "of all clients together (default 1)"},
        {"threads", SYNOD__OPTION_NUMBER, &self.threads, "that serve the handles (default 1)"},
        {"one", SYNOD__OPTION_FLAG, &self.pairs.one, "one lock, and --count hand-overs of it"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "lock_peer [--bus ENDPOINT | --peer ENDPOINT...]";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    const uint64_t least = self.pairs.one ? 2 : 1;
    if (self.plan.count < 1 || self.plan.clients < least || self.plan.clients > CLIENTS_MAX || self.handles < 1 ||
        self.handles > self.plan.clients || self.threads < 1 || self.threads > self.handles) {
        fprintf (stderr,
                 "usage: %s; %" PRIu64 " to %d clients, 1 to as many handles, 1 to as many threads, a --count of 1 and "
                 "more\n",
                 usage, least, CLIENTS_MAX);
        return 2;
    }
    rc = 1;
    if (getrandom (&self.base, sizeof self.base, 0) == sizeof self.base &&
        pairs_init (&self.pairs, "synod", self.plan.count) == 0)
        rc = run (&self);
    synod__measure_free (&self.pairs.run);
    return rc;
}
