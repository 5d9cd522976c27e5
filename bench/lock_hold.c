/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients of the actor `lock` that do nothing but hold: each acquires its locks and renews its sessions, five times in a
 * lease as the library does, evenly in time. All share one handle. Says `ready` when all are held, and on the driver's
 * line how many renewals there were since: {"sessions": ..., "renewals": ..., "seconds": ..., "lost": ...}.
 *
 *     lock_hold --bus ENDPOINT               the locks of a client have one key: one session
 *     lock_hold --bus ENDPOINT --spread      each has a key, and in its partition a session, of its own
 *
 * Lost is a session whose renewal is not answered, or whose answer says that it has not all its locks.
 */
#include "tools/measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <synod/synod.h>
#include <sys/random.h>
#include "protocol/lock_records.h"

#define JOIN_MS     10000
#define LEASE_MS    10000
#define RENEW_NS    (LEASE_MS / 5 * INT64_C (1000000))
#define FLIGHTS_MAX 500
#define TICK_MS     10
#define CLIENTS_MAX 100000
#define LOCKS_MAX   2048 /* of a session */

typedef struct {
    uint64_t number; /* 0: it has not begun */
    uint64_t held;   /* locks */
    int64_t due_ns;  /* all are held: its next renewal */
    bool busy;       /* an ask is under way */
} session_t;

typedef struct {
    uint64_t id; /* 0: free */
    uint64_t session;
} flight_t;

typedef struct {
    const char *bus;
    const char *links[SYNOD__TEXTS_MAX + 1];
    uint64_t clients;
    uint64_t locks; /* of each */
    uint64_t quiet_ms;
    bool spread;
    uint64_t base; /* client numbers are counted from here */
    synod_handle_t *handle;
    uint64_t count; /* sessions, each with as many locks: */
    uint64_t each;
    session_t *session;
    flight_t flight[FLIGHTS_MAX];
    uint64_t next; /* flight whose answer is expected */
    uint64_t settled, renewals, lost;
} peer_t;

static int failed (const char *what, int code, const char *sentence)
{
    fprintf (stderr, "lock_hold: %s: %s: %s\n", what, synod_error_name (code), sentence);
    return code == SYNOD_TIMEOUT || code == SYNOD_NO_ROUTE ? 3 : 1;
}

static uint64_t client_of (const peer_t *self, uint64_t at)
{
    return self->base + (self->spread ? at / self->locks : at);
}

/* What SESSION has to ask: for a lock, or its renewal. */
static int ask (peer_t *self, uint64_t at, flight_t *flight)
{
    session_t *session = &self->session[at];
    char name[64], address[64];
    snprintf (address, sizeof address, "lock#c%06" PRIu64, at);
    flight->session = at;
    session->busy = true;
    if (session->held == self->each) {
        const synod__lock_keepalive_t in = {.client = client_of (self, at), .session = session->number};
        return synod_handle_ask_start (self->handle, address, &synod__lock_keepalive_record, &in,
                                       (uint32_t) self->quiet_ms, &flight->id);
    }
    synod__lock_acquire_t in = {
        .client = client_of (self, at), .request = at * self->each + session->held + 1, .lease_ms = LEASE_MS};
    synod_buf_t items = {0};
    snprintf (name, sizeof name, "{c%06" PRIu64 "}.%" PRIu64, at, session->held);
    int code = synod_list_add (&in.names, &items, &synod__lock_name_record,
                               &(synod__lock_name_t){.name = synod_str (name)}, NULL);
    if (code == SYNOD_OK)
        code = synod_handle_ask_start (self->handle, address, &synod__lock_acquire_record, &in,
                                       (uint32_t) self->quiet_ms, &flight->id);
    synod_buf_free (&items);
    return code;
}

/* Asks whatever is due, as far as there is room for it. */
static int ask_all (peer_t *self)
{
    const int64_t now_ns = synod__measure_now_ns ();
    int code = SYNOD_OK;
    for (uint64_t at = 0, i = 0; code == SYNOD_OK && at < self->count; at++) {
        session_t *session = &self->session[at];
        if (session->busy || (session->held == self->each && session->due_ns > now_ns))
            continue;
        while (i < FLIGHTS_MAX && self->flight[i].id)
            i++;
        if (i == FLIGHTS_MAX)
            break;
        code = ask (self, at, &self->flight[i]);
    }
    return code;
}

static void on_acquired (peer_t *self, uint64_t at, const synod_reply_t *reply)
{
    session_t *session = &self->session[at];
    synod__lock_acquired_t is;
    if (reply->code != SYNOD_OK || synod_record_unpack (&synod__lock_acquired_record, reply->body, &is, NULL) ||
        !is.token) {
        fprintf (stderr, "lock_hold: not acquired: %.*s\n", SYNOD_STR (reply->message));
        self->lost++;
        return;
    }
    session->number = is.session;
    if (++session->held < self->each)
        return;
    self->settled++;
    session->due_ns = synod__measure_now_ns () + RENEW_NS / (int64_t) self->count * (int64_t) at;
}

static void on_alive (peer_t *self, uint64_t at, const synod_reply_t *reply)
{
    session_t *session = &self->session[at];
    synod__lock_alive_t is;
    session->due_ns += RENEW_NS;
    self->renewals++;
    if (reply->code != SYNOD_OK || synod_record_unpack (&synod__lock_alive_record, reply->body, &is, NULL) ||
        is.count < self->each) { /* two keys of a client may be of one partition, and so of one session */
        fprintf (stderr, "lock_hold: not renewed: %.*s\n", SYNOD_STR (reply->message));
        self->lost++;
    }
}

static void take (peer_t *self, uint64_t id, const synod_reply_t *reply)
{
    for (uint64_t i = 0; i < FLIGHTS_MAX; i++) { /* answers come in the order of asks, mostly */
        flight_t *flight = &self->flight[(self->next + i) % FLIGHTS_MAX];
        if (flight->id != id)
            continue;
        self->next = (self->next + i + 1) % FLIGHTS_MAX;
        flight->id = 0;
        self->session[flight->session].busy = false;
        if (self->session[flight->session].held == self->each)
            on_alive (self, flight->session, reply);
        else
            on_acquired (self, flight->session, reply);
        return;
    }
    self->lost++;
}

/* A tick: what is due leaves, and what comes meanwhile is taken. */
static int tick (peer_t *self)
{
    uint64_t id;
    synod_reply_t reply;
    int rc, code = ask_all (self);
    if (code != SYNOD_OK)
        return code;
    const int64_t end_ns = synod__measure_now_ns () + TICK_MS * INT64_C (1000000);
    for (int left_ms = TICK_MS; left_ms > 0; left_ms = (int) ((end_ns - synod__measure_now_ns ()) / 1000000)) {
        rc = synod_handle_wait (self->handle, left_ms, &id, &reply);
        if (rc == SYNOD_OK)
            take (self, id, &reply);
        else if (rc == SYNOD_NOT_FOUND && self->settled == self->count)
            synod_handle_poll (self->handle, left_ms);
        else if (rc == SYNOD_NOT_FOUND)
            return SYNOD_OK; /* there are more to be acquired */
        else if (rc != SYNOD_TIMEOUT)
            return rc;
    }
    return SYNOD_OK;
}

static int act (peer_t *self)
{
    synod_options_t options = {.bus = self->bus, .connect_ms = JOIN_MS};
    synod_fault_t fault = {0};
    self->handle = synod_handle_new (&options, &fault);
    if (!self->handle)
        return failed ("cannot join the bus", fault.code, fault.text);
    int code = synod_handle_await (self->handle, "lock", JOIN_MS);
    for (uint64_t i = 0; code == SYNOD_OK && self->links[i]; i++)
        code = synod_handle_link (self->handle, self->links[i], JOIN_MS);
    while (code == SYNOD_OK && !self->lost && self->settled < self->count)
        code = tick (self);
    if (code != SYNOD_OK || self->lost)
        return failed ("the locks cannot be had", code, synod_handle_error (self->handle));
    synod__measure_ready ();
    self->renewals = 0;
    const int64_t begin_ns = synod__measure_now_ns ();
    while (code == SYNOD_OK && !self->lost && !synod__measure_started (0))
        code = tick (self);
    if (code != SYNOD_OK)
        return failed ("the locks cannot be kept", code, synod_handle_error (self->handle));
    printf ("{\"sessions\":%" PRIu64 ",\"renewals\":%" PRIu64 ",\"seconds\":%.3f,\"lost\":%" PRIu64 "}\n", self->count,
            self->renewals, (double) (synod__measure_now_ns () - begin_ns) / 1e9, self->lost);
    return self->lost ? 1 : 0;
}

int main (int argc, char **argv)
{
    static peer_t self = {.clients = 1000, .locks = 10, .quiet_ms = 5000};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the broker's endpoint"},
        {"link", SYNOD__OPTION_TEXTS, self.links, "begin with a direct path to this node; may be repeated"},
        {"clients", SYNOD__OPTION_NUMBER, &self.clients, "clients (default 1000)"},
        {"locks", SYNOD__OPTION_NUMBER, &self.locks, "locks of each (default 10)"},
        {"spread", SYNOD__OPTION_FLAG, &self.spread, "each lock has a key of its own"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.quiet_ms, "ms until an ask is lost (default 5000)"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "lock_hold --bus ENDPOINT";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.bus || self.clients < 1 || self.clients > CLIENTS_MAX || self.locks < 1 || self.locks > LOCKS_MAX) {
        fprintf (stderr, "usage: %s; 1 to %d clients, 1 to %d locks of each\n", usage, CLIENTS_MAX, LOCKS_MAX);
        return 2;
    }
    self.count = self.spread ? self.clients * self.locks : self.clients;
    self.each = self.spread ? 1 : self.locks;
    self.session = calloc (self.count, sizeof *self.session);
    rc = 1;
    if (self.session && getrandom (&self.base, sizeof self.base, 0) == sizeof self.base)
        rc = act (&self);
    if (self.handle)
        synod_handle_destroy (&self.handle);
    free (self.session);
    return rc;
}
