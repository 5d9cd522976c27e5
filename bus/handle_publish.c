/* SPDX-License-Identifier: MPL-2.0
 *
 * The handle's publications. A tight loop fills frames and sends each as it is full; a thread, started by the first
 * publication, sees to what is left: it hands over what has waited for GATHER_US, and marks after the last publication,
 * so that a lost tail is found. Both work under one lock, which is taken before the port's.
 *
 * Invariant: while anything waits, the thread is awake (gathering, or waiting for room), or has been signalled.
 */
#include "handle_internal.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include "protocol/address.h"

#define GATHER_US 200
#define ROOM_US   20000 /* how long one wait for room may be: what else there is to see to */
#define MARKS     3     /* heartbeats after the last publication that still bring a mark */

struct synod__lone_t {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    synod__port_t *port;
    synod__publisher_t *publisher;
    bool idle; /* the thread waits to be signalled */
    bool stop;
    bool full;       /* there was no room the last time */
    uint64_t handed; /* how often what waits was handed over */
    uint32_t marks;  /* still due */
    int64_t mark_us; /* when the next one is; INT64_MAX: that is not settled, or none is due */
    int64_t heartbeat_us;
    size_t limit;
    /* the caller's thread alone: the topic and method it used last are known to be well formed */
    uint32_t topic_size, method_size;
    char topic[SYNOD_TOPIC_MAX];
    char method[SYNOD_NAME_MAX];
};

typedef struct {
    synod_str_t topic;
    const synod_record_t *record;
    const void *in;
    synod_str_t method, body;
} post_t;

static int s_send (void *arg, synod_buf_t *frame)
{
    return synod__port_publish ((synod__port_t *) arg, frame);
}

/* Locked: hands over all that waits, as far as there is room. */
static int s_hand_over (synod__lone_t *self)
{
    if (!synod__publisher_waiting (self->publisher, NULL))
        return SYNOD_OK;
    self->handed++;
    self->marks = MARKS;
    int rc = synod__publisher_flush (self->publisher, UINT64_MAX, s_send, self->port);
    self->full = rc == SYNOD_BUSY;
    return rc;
}

/* Locked: marks, once a heartbeat. Returns when the next are due. */
static int64_t s_marks (synod__lone_t *self, int64_t now_us)
{
    if (self->marks && self->mark_us == INT64_MAX)
        self->mark_us = now_us + self->heartbeat_us;
    if (now_us < self->mark_us)
        return self->mark_us;
    self->marks--;
    self->mark_us = self->marks ? now_us + self->heartbeat_us : INT64_MAX;
    synod__publisher_mark (self->publisher, s_send, self->port);
    return self->mark_us;
}

/* Locked: waits for the signal, or until UNTIL_US. */
static void s_sleep (synod__lone_t *self, int64_t until_us)
{
    self->idle = true;
    if (until_us == INT64_MAX)
        pthread_cond_wait (&self->wake, &self->lock);
    else {
        struct timespec at;
        int64_t left_us = until_us - synod__now_us ();
        clock_gettime (CLOCK_MONOTONIC, &at);
        int64_t nanoseconds = at.tv_nsec + (left_us > 0 ? left_us : 0) * 1000;
        at.tv_sec += nanoseconds / 1000000000;
        at.tv_nsec = nanoseconds % 1000000000;
        pthread_cond_timedwait (&self->wake, &self->lock, &at);
    }
    self->idle = false;
}

/* Locked, something waits: lets it gather, then hands it over unless the caller's loop has. */
static void s_see_to (synod__lone_t *self)
{
    static const struct timespec gather = {0, GATHER_US * 1000};
    uint64_t handed = self->handed;
    if (!self->full) {
        pthread_mutex_unlock (&self->lock);
        nanosleep (&gather, NULL);
        pthread_mutex_lock (&self->lock);
    }
    if (self->handed != handed || s_hand_over (self) != SYNOD_BUSY)
        return;
    pthread_mutex_unlock (&self->lock);
    synod__port_publish_wait (self->port, synod__now_us () + ROOM_US);
    pthread_mutex_lock (&self->lock);
}

static void *s_run (void *arg)
{
    synod__lone_t *self = (synod__lone_t *) arg;
    pthread_mutex_lock (&self->lock);
    while (!self->stop) {
        int64_t next_us = s_marks (self, synod__now_us ());
        if (synod__publisher_waiting (self->publisher, NULL))
            s_see_to (self);
        else
            s_sleep (self, next_us);
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

/* ---- life ---- */

static int s_start_thread (synod__lone_t *self)
{
    sigset_t before = synod__signals_block ();
    int rc = pthread_create (&self->thread, NULL, s_run, self);
    synod__signals_restore (before);
    return rc;
}

static int s_new (synod_handle_t *handle)
{
    synod__lone_t *self = (synod__lone_t *) calloc (1, sizeof *self);
    if (!self)
        return synod__handle_fail (handle, SYNOD_NO_MEMORY, "no memory to publish");
    const synod_options_t *options = synod__port_options (handle->port);
    pthread_condattr_t monotonic;
    pthread_condattr_init (&monotonic);
    pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init (&self->wake, &monotonic);
    pthread_condattr_destroy (&monotonic);
    pthread_mutex_init (&self->lock, NULL);
    self->port = handle->port;
    self->heartbeat_us = (int64_t) options->heartbeat_ms * 1000;
    self->limit = options->queue_bytes;
    self->mark_us = INT64_MAX;
    self->publisher = synod__publisher_new (synod__port_name (handle->port), synod__port_incarnation (handle->port));
    int rc = s_start_thread (self);
    if (rc == 0) {
        handle->lone = self;
        return SYNOD_OK;
    }
    synod__publisher_destroy (&self->publisher);
    pthread_cond_destroy (&self->wake);
    pthread_mutex_destroy (&self->lock);
    free (self);
    return synod__handle_fail (handle, SYNOD_IO, "cannot start the thread that publishes: %s", strerror (rc));
}

bool synod__lone_flush (synod_handle_t *handle)
{
    synod__lone_t *self = handle->lone;
    if (!self)
        return true;
    pthread_mutex_lock (&self->lock);
    s_hand_over (self);
    bool empty = synod__publisher_waiting (self->publisher, NULL) == 0;
    pthread_mutex_unlock (&self->lock);
    return empty;
}

static bool s_never (synod_handle_t *handle, const void *arg)
{
    (void) handle;
    (void) arg;
    return false;
}

/* Waits for room, at UNTIL_US at the latest, while the node lives on: the broker may have come back elsewhere. */
static int s_room (synod_handle_t *handle, int64_t until_us)
{
    int rc = synod__handle_pump (handle, 0, s_never, NULL);
    if (synod__rt_state (handle->rt) == SYNOD__RT_ENDED)
        return rc;
    int64_t now_us = synod__now_us ();
    if (now_us >= until_us)
        return SYNOD_BUSY;
    synod__port_publish_wait (handle->port, until_us < now_us + ROOM_US ? until_us : now_us + ROOM_US);
    return SYNOD_OK;
}

void synod__lone_destroy (synod_handle_t *handle)
{
    synod__lone_t *self = handle->lone;
    if (!self)
        return;
    int64_t until_us = synod__now_us () + (int64_t) synod__port_options (handle->port)->linger_ms * 1000;
    while (!synod__lone_flush (handle) && s_room (handle, until_us) == SYNOD_OK)
        ;
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->thread, NULL);
    synod__publisher_mark (self->publisher, s_send, self->port); /* there will be no heartbeat to bring one */
    handle->lone = NULL;
    synod__publisher_destroy (&self->publisher);
    pthread_cond_destroy (&self->wake);
    pthread_mutex_destroy (&self->lock);
    free (self);
}

/* ---- publishing ---- */

static int s_check_body (synod_str_t body, synod_fault_t *fault)
{
    if (!body.size)
        return SYNOD_OK;
    if (body.size > SYNOD_BODY_MAX)
        return synod_fault (fault, SYNOD_TOO_LARGE, "a body may have %d bytes, this one has %u", SYNOD_BODY_MAX,
                            body.size);
    synod__reader_t reader = synod__reader (body);
    synod_str_t raw;
    if (synod__read_raw (&reader, SYNOD_DEPTH_MAX, &raw) != SYNOD_OK || reader.at != reader.end)
        return synod_fault (fault, SYNOD_INVALID, "expected one packed msgpack value as body");
    return SYNOD_OK;
}

static bool s_known (const char *last, uint32_t last_size, synod_str_t text)
{
    return last_size == text.size && memcmp (last, text.data, text.size) == 0;
}

/* What the caller gave must be well formed before it gets among what others publish. */
static int s_check (synod__lone_t *self, const post_t *post, synod_fault_t *fault)
{
    int rc = SYNOD_OK;
    if (!s_known (self->topic, self->topic_size, post->topic)) {
        rc = synod__topic_check (post->topic, fault);
        if (rc != SYNOD_OK)
            return rc;
        self->topic_size = post->topic.size;
        memcpy (self->topic, post->topic.data, post->topic.size);
    }
    if (post->record)
        return SYNOD_OK;
    if (!s_known (self->method, self->method_size, post->method)) {
        if (!synod__name_ok (post->method, true))
            return synod_fault (fault, SYNOD_BAD_ADDRESS,
                                "expected a method name of 1 to %d letters, digits, _ - or ., got %.*s", SYNOD_NAME_MAX,
                                SYNOD_STR (post->method));
        self->method_size = post->method.size;
        memcpy (self->method, post->method.data, post->method.size);
    }
    return s_check_body (post->body, fault);
}

/* Adds the message, and sends when the next one of its size would not fit the frame any more. */
static int s_add (synod__lone_t *self, const post_t *post, synod_fault_t *fault)
{
    size_t fullest;
    pthread_mutex_lock (&self->lock);
    size_t before = synod__publisher_waiting (self->publisher, NULL);
    int rc = synod__publisher_add (self->publisher, post->topic, synod_str_n (NULL, 0), 0, post->record, post->in,
                                   post->method, post->body, self->limit, fault);
    if (rc == SYNOD_OK) {
        size_t size = synod__publisher_waiting (self->publisher, &fullest) - before;
        if (fullest + size + 128 >= SYNOD_BATCH_TARGET && !self->full)
            s_hand_over (self);
        if (self->idle && (before == 0 || self->mark_us == INT64_MAX))
            pthread_cond_signal (&self->wake);
    }
    pthread_mutex_unlock (&self->lock);
    return rc;
}

static int s_publish (synod_handle_t *handle, const char *topic, post_t *post, int timeout_ms)
{
    synod_fault_t *fault = &handle->fault;
    if (!topic)
        return synod__handle_fail (handle, SYNOD_INVALID, "expected a topic, got NULL");
    if (!post->record && !post->method.data)
        return synod__handle_fail (handle, SYNOD_INVALID, "expected a record or a method, got NULL");
    if (!handle->lone && s_new (handle) != SYNOD_OK)
        return fault->code;
    post->topic = synod_str (topic);
    fault->code = SYNOD_OK; /* so that an error without a sentence of its own is seen to have none */
    int rc = s_check (handle->lone, post, fault);
    if (rc == SYNOD_OK)
        rc = s_add (handle->lone, post, fault);
    if (rc != SYNOD_BUSY)
        return rc;
    int64_t until_us = synod__handle_deadline (timeout_ms);
    while (rc == SYNOD_BUSY) {
        int room = s_room (handle, until_us);
        if (room != SYNOD_OK && room != SYNOD_BUSY)
            return room;
        synod__lone_flush (handle);
        rc = s_add (handle->lone, post, fault);
        if (rc == SYNOD_BUSY && room == SYNOD_BUSY)
            return synod__handle_fail (handle, rc, "nobody took what is published on %s within %d ms", topic,
                                       timeout_ms);
    }
    return rc;
}

int synod_handle_publish (synod_handle_t *self, const char *topic, const synod_record_t *record, const void *in,
                          int timeout_ms)
{
    post_t post = {.record = record, .in = in};
    return self ? s_publish (self, topic, &post, timeout_ms) : SYNOD_INVALID;
}

int synod_handle_publish_body (synod_handle_t *self, const char *topic, const char *method, synod_str_t body,
                               int timeout_ms)
{
    post_t post = {.method = method ? synod_str (method) : synod_str_n (NULL, 0), .body = body};
    return self ? s_publish (self, topic, &post, timeout_ms) : SYNOD_INVALID;
}
