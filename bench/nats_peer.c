/* SPDX-License-Identifier: MPL-2.0
 *
 * The roles of the benchmark on NATS, through libnats. libnats sends what is published after a millisecond, when its
 * buffer is full, or (--send each) at once; a round trip of the server (--send drained: one when nothing is left to
 * read) sends it too. All can be chosen, as can callbacks (--async) instead of a loop of NextMsg; the driver measures
 * asks in each of the three. Subscriptions have no limit, and a message dropped by libnats makes a run void.
 */
#include "tools/measure.h"

#include <nats/nats.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TOPIC      "bench.topic"
#define ASKS       "bench.ask"
#define DRAINED_MS 10000

typedef struct {
    const char *bus;
    const char *send; /* buffered, each or drained */
    uint64_t size;
    uint64_t count;
    uint64_t outstanding;
    uint64_t quiet_ms;
    bool async;
    bool json;
    bool drained;
    natsConnection *connection;
    natsSubscription *subscription;
    /* what callbacks share with the thread that waits for them */
    synod__measure_t run;
    char *data;
    uint64_t sent;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
} peer_t;

static int failed (const char *what, natsStatus status)
{
    fprintf (stderr, "nats_peer: %s: %s\n", what, natsStatus_GetText (status));
    return 1;
}

static int peer_open (peer_t *self)
{
    natsOptions *options = NULL;
    natsStatus s = natsOptions_Create (&options);
    if (s == NATS_OK)
        s = natsOptions_SetURL (options, self->bus);
    if (s == NATS_OK)
        s = natsOptions_SetSendAsap (options, strcmp (self->send, "each") == 0);
    if (s == NATS_OK)
        s = natsOptions_SetAllowReconnect (options, false);
    if (s == NATS_OK)
        s = natsConnection_Connect (&self->connection, options);
    natsOptions_Destroy (options);
    self->drained = strcmp (self->send, "drained") == 0;
    return s == NATS_OK ? 0 : failed ("cannot connect", s);
}

static void peer_close (peer_t *self)
{
    natsSubscription_Destroy (self->subscription);
    natsConnection_Destroy (self->connection);
    synod__measure_free (&self->run);
    free (self->data);
}

/* Returns when the server has the subscription. CALLBACK is NULL for a loop of NextMsg. */
static int peer_subscribe (peer_t *self, const char *subject, const char *queue, natsMsgHandler callback)
{
    natsStatus s;
    if (callback && queue)
        s = natsConnection_QueueSubscribe (&self->subscription, self->connection, subject, queue, callback, self);
    else if (callback)
        s = natsConnection_Subscribe (&self->subscription, self->connection, subject, callback, self);
    else if (queue)
        s = natsConnection_QueueSubscribeSync (&self->subscription, self->connection, subject, queue);
    else
        s = natsConnection_SubscribeSync (&self->subscription, self->connection, subject);
    if (s == NATS_OK)
        s = natsSubscription_SetPendingLimits (self->subscription, -1, -1);
    if (s == NATS_OK)
        s = natsConnection_FlushTimeout (self->connection, DRAINED_MS);
    return s == NATS_OK ? 0 : failed ("cannot subscribe", s);
}

static void count_dropped (peer_t *self)
{
    int64_t dropped = 0;
    if (natsSubscription_GetDropped (self->subscription, &dropped) == NATS_OK)
        self->run.gaps = (uint64_t) dropped;
}

static int new_body (peer_t *self)
{
    self->data = malloc (self->size);
    if (!self->data) {
        fprintf (stderr, "nats_peer: no memory\n");
        return 1;
    }
    memset (self->data, 'x', self->size);
    return 0;
}

/* Waits until callbacks have seen the end of the run, or have seen nothing for quiet_ms. */
static void await_done (peer_t *self)
{
    uint64_t before = UINT64_MAX;
    pthread_mutex_lock (&self->lock);
    while (!self->done) {
        struct timespec until;
        clock_gettime (CLOCK_REALTIME, &until);
        until.tv_sec += (time_t) (self->quiet_ms / 1000);
        int rc = pthread_cond_timedwait (&self->changed, &self->lock, &until);
        uint64_t now = __atomic_load_n (&self->run.received, __ATOMIC_RELAXED);
        if (rc && now == before && now > 0)
            break;
        before = now;
    }
    pthread_mutex_unlock (&self->lock);
}

static void say_done (peer_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->done = true;
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->lock);
}

static int publish (peer_t *self)
{
    if (new_body (self) || peer_open (self))
        return 1;
    synod__measure_start ();
    natsStatus s = NATS_OK;
    for (uint64_t i = 0; s == NATS_OK && i < self->count; i++) {
        synod__measure_stamp (self->data, i);
        s = natsConnection_Publish (self->connection, TOPIC, self->data, (int) self->size);
    }
    if (s == NATS_OK)
        s = natsConnection_FlushTimeout (self->connection, DRAINED_MS);
    peer_close (self);
    return s == NATS_OK ? 0 : failed ("cannot publish", s);
}

static void on_published (natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *arg)
{
    peer_t *self = arg;
    (void) connection;
    (void) subscription;
    bool done = synod__measure_take (&self->run, natsMsg_GetData (message), (size_t) natsMsg_GetDataLength (message));
    natsMsg_Destroy (message);
    if (done)
        say_done (self);
}

static int subscribe (peer_t *self)
{
    self->run.scenario = "topics";
    if (synod__measure_init (&self->run, false) || peer_open (self) ||
        peer_subscribe (self, TOPIC, NULL, self->async ? on_published : NULL))
        return 1;
    synod__measure_ready ();
    if (self->async)
        await_done (self);
    natsMsg *message;
    while (!self->async && !self->done &&
           natsSubscription_NextMsg (&message, self->subscription, (int64_t) self->quiet_ms) == NATS_OK) {
        size_t size = (size_t) natsMsg_GetDataLength (message);
        self->done = synod__measure_take (&self->run, natsMsg_GetData (message), size);
        natsMsg_Destroy (message);
    }
    count_dropped (self);
    int rc = synod__measure_report (&self->run, self->json);
    peer_close (self);
    return rc;
}

static natsStatus send_asks (peer_t *self, const char *inbox)
{
    natsStatus s = NATS_OK;
    while (s == NATS_OK && self->sent < self->count && self->sent - self->run.received < self->outstanding) {
        synod__measure_stamp (self->data, self->sent);
        synod__measure_sent (&self->run, self->sent++);
        s = natsConnection_PublishRequest (self->connection, ASKS, inbox, self->data, (int) self->size);
    }
    return s;
}

static void on_answer (natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *arg)
{
    peer_t *self = arg;
    (void) connection;
    size_t size = (size_t) natsMsg_GetDataLength (message);
    bool done = synod__measure_answer (&self->run, natsMsg_GetData (message), size);
    natsMsg_Destroy (message);
    if (!done)
        send_asks (self, natsSubscription_GetSubject (subscription));
    else
        say_done (self);
}

/* Takes answers in a loop; with --send drained, all that have come before it refills its window. */
static void ask_in_turn (peer_t *self, const char *inbox)
{
    natsMsg *message;
    natsStatus s = NATS_OK;
    while (s == NATS_OK && !self->done) {
        s = send_asks (self, inbox);
        if (s == NATS_OK && self->drained)
            s = natsConnection_FlushTimeout (self->connection, DRAINED_MS);
        int waiting = 0;
        do {
            if (s == NATS_OK)
                s = natsSubscription_NextMsg (&message, self->subscription, (int64_t) self->quiet_ms);
            if (s != NATS_OK)
                break;
            size_t size = (size_t) natsMsg_GetDataLength (message);
            self->done = synod__measure_answer (&self->run, natsMsg_GetData (message), size);
            natsMsg_Destroy (message);
            if (self->drained)
                natsSubscription_GetPending (self->subscription, &waiting, NULL);
        } while (!self->done && waiting);
    }
}

static int ask (peer_t *self)
{
    self->run.scenario = "ask";
    natsInbox *inbox = NULL;
    if (new_body (self) || synod__measure_init (&self->run, true) || peer_open (self) ||
        natsInbox_Create (&inbox) != NATS_OK || peer_subscribe (self, inbox, NULL, self->async ? on_answer : NULL))
        return 1;
    synod__measure_start ();
    if (self->async) {
        /* the first window leaves from here; from its first answer on, callbacks refill it */
        uint64_t first = self->outstanding < self->count ? self->outstanding : self->count;
        char *data = self->data;
        for (uint64_t i = 0; i < first; i++)
            synod__measure_sent (&self->run, i);
        self->sent = first;
        char *copy = malloc (self->size);
        natsStatus s = copy ? NATS_OK : NATS_NO_MEMORY;
        if (copy)
            memcpy (copy, data, self->size);
        for (uint64_t i = 0; s == NATS_OK && i < first; i++) {
            synod__measure_stamp (copy, i);
            s = natsConnection_PublishRequest (self->connection, ASKS, inbox, copy, (int) self->size);
        }
        free (copy);
        if (s != NATS_OK)
            return failed ("cannot ask", s);
        await_done (self);
    } else
        ask_in_turn (self, inbox);
    count_dropped (self);
    int rc = synod__measure_report (&self->run, self->json);
    natsInbox_Destroy (inbox);
    peer_close (self);
    return rc;
}

static natsStatus reply (peer_t *self, natsMsg *message)
{
    natsStatus s = natsConnection_Publish (self->connection, natsMsg_GetReply (message), natsMsg_GetData (message),
                                           natsMsg_GetDataLength (message));
    natsMsg_Destroy (message);
    return s;
}

static void on_ask (natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *arg)
{
    (void) connection;
    (void) subscription;
    natsStatus s = reply (arg, message);
    if (s != NATS_OK)
        failed ("cannot answer", s);
}

/* Answers each ask with its own bytes, until it is killed. */
static int serve (peer_t *self)
{
    if (peer_open (self) || peer_subscribe (self, ASKS, "workers", self->async ? on_ask : NULL))
        return 1;
    synod__measure_ready ();
    while (self->async) /* callbacks do the work */
        await_done (self);
    natsStatus s = NATS_OK;
    natsMsg *message;
    while (s == NATS_OK) {
        s = natsSubscription_NextMsg (&message, self->subscription, INT32_MAX);
        if (s == NATS_OK)
            s = reply (self, message);
        int waiting = 1;
        if (s == NATS_OK && self->drained)
            natsSubscription_GetPending (self->subscription, &waiting, NULL);
        if (!waiting)
            s = natsConnection_FlushTimeout (self->connection, DRAINED_MS);
    }
    return failed ("cannot serve", s);
}

int main (int argc, char **argv)
{
    static peer_t self = {.send = "buffered",
                          .size = 64,
                          .count = 100000,
                          .outstanding = 1,
                          .quiet_ms = 5000,
                          .lock = PTHREAD_MUTEX_INITIALIZER,
                          .changed = PTHREAD_COND_INITIALIZER};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the server, as nats://HOST:PORT"},
        {"size", SYNOD__OPTION_NUMBER, &self.size, "bytes of data in a message (default 64)"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "messages (default 100000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.outstanding, "asks under way at a time (default 1)"},
        {"send", SYNOD__OPTION_TEXT, &self.send, "buffered (default), each or drained"},
        {"async", SYNOD__OPTION_FLAG, &self.async, "take messages in callbacks"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.quiet_ms, "ms without a message after which the rest is lost"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "nats_peer publish|subscribe|ask|serve --bus URL";
    const char *role = argc > 1 ? argv[1] : "--help";
    int rc = synod__options_parse (argc - (role[0] != '-'), argv + (role[0] != '-'), usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    int (*act) (peer_t *) = strcmp (role, "publish") == 0     ? publish
                            : strcmp (role, "subscribe") == 0 ? subscribe
                            : strcmp (role, "ask") == 0       ? ask
                            : strcmp (role, "serve") == 0     ? serve
                                                              : NULL;
    if (!act || !self.bus || self.size < SYNOD__MEASURE_SIZE_MIN || self.outstanding == 0) {
        fprintf (stderr, "usage: %s; sizes of %d or more, outstanding of 1 or more\n", usage, SYNOD__MEASURE_SIZE_MIN);
        return 2;
    }
    self.run.system = "nats";
    self.run.size = (uint32_t) self.size;
    self.run.expected = self.count;
    return act (&self);
}
