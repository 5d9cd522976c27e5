/* SPDX-License-Identifier: MPL-2.0
 *
 * Locks for threads: the client (actors/lock/client.h) in a thread of its own, which drives a handle. Others wish under
 * the mutex, wake the thread, and wait for the condition. Invariant: the client and the handle are touched with the mutex
 * held; while the thread sleeps it does not hold it, and nobody else uses the handle.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <synod/lock.h>
#include "actors/lock/client.h"
#include "handle_internal.h"

#define S_SLICE_MS 50 /* how soon a watcher sees that a lock was lost */

struct synod_locker_t {
    synod_handle_t *handle;
    synod__lockc_t client;
    synod_ctx_t *ctx; /* of what runs */
    void (*on_lost) (void *arg, synod_lock_t *lock, const char *why);
    void *arg;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int wake_fd;
    synod__poll_t *wake;
    bool stops, ended, cancels; /* it is to end; the handle has left the bus; nobody is to wait */
    synod_fault_t fault;
};

/* Of who waits for a lock's news; on its stack. */
typedef struct {
    bool releases; /* it is to be released; else started */
    bool over;
    int code;
    char why[SYNOD_FAULT_MAX];
} wish_t;

/* ---- the thread: with the mutex held ---- */

typedef struct {
    synod_handle_t *handle; /* the actor's state begins with it */
} state_t;

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t id)
{
    synod_locker_t *self = (synod_locker_t *) ((state_t *) state)->handle->locker;
    self->ctx = ctx;
    synod__lockc_reply (&self->client, synod_now_us (ctx), id, reply->code, reply->message, reply->body);
    return SYNOD_OK;
}

static int s_ask (void *host, const char *to, const synod_record_t *record, const void *in, uint32_t timeout_ms,
                  uint64_t id)
{
    return synod_ask (((synod_locker_t *) host)->ctx, to, record, in, timeout_ms, s_on_reply, id);
}

static void s_tell (void *host, const char *to, const synod_record_t *record, const void *in)
{
    synod_tell (((synod_locker_t *) host)->ctx, to, record, in);
}

static const synod__lockc_host_t s_host = {.ask = s_ask, .tell = s_tell};

static int s_on_lost (synod_ctx_t *ctx, void *state, const void *in, uint64_t arg)
{
    synod_locker_t *self = (synod_locker_t *) ((state_t *) state)->handle->locker;
    (void) arg;
    self->ctx = ctx;
    synod__lockc_told (&self->client, synod_now_us (ctx), (const synod__lock_lost_t *) in);
    return SYNOD_OK;
}

static void s_wishes (synod_locker_t *self, int64_t now_us)
{
    for (synod_lock_t *lock = self->client.locks; lock; lock = lock->next) {
        const wish_t *wish = (const wish_t *) lock->user;
        if (!wish)
            continue;
        if (wish->releases && !lock->releases && lock->stand != SYNOD__LOCK_OVER)
            synod__lockc_release (&self->client, now_us, lock, true);
        else if (self->cancels && !wish->releases && lock->stand <= SYNOD__LOCK_WANTED)
            synod__lockc_give_up (&self->client, now_us, lock);
        else if (lock->stand == SYNOD__LOCK_NEW)
            synod__lockc_start (&self->client, now_us, lock);
    }
}

static void s_news (synod_locker_t *self)
{
    synod_lock_t *lock;
    while ((lock = synod__lockc_news (&self->client))) {
        wish_t *wish = (wish_t *) lock->user;
        if (wish) {
            wish->over = true;
            wish->code = lock->code;
            snprintf (wish->why, sizeof wish->why, "%s", lock->why);
            lock->user = NULL;
            pthread_cond_broadcast (&self->cond);
        } else if (lock->stand == SYNOD__LOCK_LOST && self->on_lost)
            self->on_lost (self->arg, lock, lock->why);
    }
}

static void s_ended (synod_locker_t *self)
{
    self->ended = true;
    self->fault = *synod__rt_fault (self->handle->rt);
    for (synod_lock_t *lock = self->client.locks; lock; lock = lock->next) {
        wish_t *wish = (wish_t *) lock->user;
        if (!wish)
            continue;
        *wish = (wish_t){.over = true, .code = SYNOD_STOPPED};
        snprintf (wish->why, sizeof wish->why, "the bus was left: %.200s", self->fault.text);
        lock->user = NULL;
    }
    pthread_cond_broadcast (&self->cond);
}

/* One turn; when the next one is due. */
static int64_t s_turn (synod_locker_t *self)
{
    synod__handle_begin (self->handle);
    synod_ctx_t *ctx = synod__handle_enter (self->handle);
    if (ctx) {
        self->ctx = ctx;
        s_wishes (self, synod_now_us (ctx));
        synod__lockc_due (&self->client, synod_now_us (ctx));
        if (self->stops)
            synod__lockc_free (&self->client);
        synod__handle_leave (self->handle, ctx, SYNOD_OK);
    }
    synod__handle_end (self->handle);
    if (!self->stops)
        s_news (self);
    int64_t next_us = self->stops ? INT64_MAX : synod__lockc_next_us (&self->client);
    return next_us < self->handle->until_us ? next_us : self->handle->until_us;
}

static void *s_thread (void *arg)
{
    synod_locker_t *self = (synod_locker_t *) arg;
    pthread_mutex_lock (&self->mutex);
    while (!self->stops && !self->ended) {
        int64_t until_us = s_turn (self);
        if (synod__rt_state (self->handle->rt) == SYNOD__RT_ENDED) {
            s_ended (self);
            break;
        }
        pthread_mutex_unlock (&self->mutex);
        if (until_us < 0)
            until_us = 0;
        if (synod__port_wait (self->handle->port, until_us)) {
            uint64_t count;
            ssize_t size = read (self->wake_fd, &count, sizeof count);
            (void) size; /* it does not block, and whatever came is looked for */
        }
        self->handle->looked_us = synod__now_us ();
        self->handle->turns = 0;
        pthread_mutex_lock (&self->mutex);
    }
    if (!self->ended)
        s_turn (self); /* says that all is let go */
    pthread_mutex_unlock (&self->mutex);
    return NULL;
}

/* ---- life ---- */

static void s_free (synod_locker_t *self)
{
    if (self->wake && self->handle)
        synod__poller_remove (synod__port_poller (self->handle->port), &self->wake);
    if (self->wake_fd >= 0)
        close (self->wake_fd);
    self->ctx = NULL;
    synod_handle_destroy (&self->handle);
    pthread_mutex_destroy (&self->mutex);
    pthread_cond_destroy (&self->cond);
    free (self);
}

static int s_start (synod_locker_t *self, const synod_lock_options_t *options, synod_fault_t *fault)
{
    uint64_t number = 0;
    synod__handle_begin (self->handle);
    synod_ctx_t *ctx = synod__handle_enter (self->handle);
    number = ctx ? synod_random (ctx) : 0;
    self->handle->locker = self;
    if (ctx) {
        synod__ctx_hear (ctx, &synod__lock_lost_record, s_on_lost, 0);
        synod__handle_leave (self->handle, ctx, SYNOD_OK);
    }
    synod__handle_end (self->handle);
    int rc = synod__lockc_init (&self->client, options, synod_handle_name (self->handle), number, &s_host, self, fault);
    if (rc != SYNOD_OK)
        return rc;
    self->wake_fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    self->wake =
        self->wake_fd < 0 ? NULL : synod__poller_add_fd (synod__port_poller (self->handle->port), self->wake_fd, NULL);
    if (!self->wake)
        return synod_fault (fault, SYNOD_IO, "no event to wake a thread by: %s", strerror (errno));
    sigset_t before = synod__signals_block ();
    bool started = pthread_create (&self->thread, NULL, s_thread, self) == 0;
    synod__signals_restore (before);
    return started ? SYNOD_OK : synod_fault (fault, SYNOD_NO_MEMORY, "no thread can be started");
}

synod_locker_t *synod_locker_new (const synod_options_t *join, const synod_lock_options_t *options,
                                  synod_fault_t *fault)
{
    synod_locker_t *self = (synod_locker_t *) calloc (1, sizeof *self);
    if (!self) {
        synod_fault (fault, SYNOD_NO_MEMORY, "no memory for a locker");
        return NULL;
    }
    self->wake_fd = -1;
    self->on_lost = options ? options->on_lost : NULL;
    self->arg = options ? options->arg : NULL;
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->cond, NULL);
    self->handle = synod_handle_new (join, fault);
    if (!self->handle || s_start (self, options, fault) != SYNOD_OK) {
        s_free (self);
        return NULL;
    }
    return self;
}

static void s_wake (const synod_locker_t *self)
{
    const uint64_t one = 1;
    ssize_t size = write (self->wake_fd, &one, sizeof one);
    (void) size; /* full: it is awake */
}

void synod_locker_destroy (synod_locker_t **self_p)
{
    synod_locker_t *self = self_p ? *self_p : NULL;
    if (!self)
        return;
    *self_p = NULL;
    pthread_mutex_lock (&self->mutex);
    self->stops = true;
    pthread_mutex_unlock (&self->mutex);
    s_wake (self);
    pthread_join (self->thread, NULL);
    if (self->ended) { /* nobody is there to be told */
        while (self->client.sessions) {
            synod__lockc_session_t *session = self->client.sessions;
            self->client.sessions = session->next;
            free (session);
        }
        synod__lockc_free (&self->client);
    } else
        synod_handle_flush (self->handle, (int) synod__port_options (self->handle->port)->linger_ms);
    s_free (self);
}

/* ---- wishes ---- */

/* With the mutex held: until WISH is over, or UNTIL_US. */
static bool s_await (synod_locker_t *self, const wish_t *wish, int64_t until_us)
{
    s_wake (self);
    while (!wish->over && !self->ended) {
        int64_t left_us = until_us - synod__now_us ();
        struct timespec at;
        if (until_us == INT64_MAX) {
            pthread_cond_wait (&self->cond, &self->mutex);
            continue;
        }
        if (left_us <= 0)
            return false;
        clock_gettime (CLOCK_REALTIME, &at); /* its jumps make nothing wrong: time is looked at again */
        left_us = left_us > 1000000 ? 1000000 : left_us;
        at.tv_nsec += (long) (left_us % 1000000) * 1000;
        at.tv_sec += left_us / 1000000 + at.tv_nsec / 1000000000;
        at.tv_nsec %= 1000000000;
        pthread_cond_timedwait (&self->cond, &self->mutex, &at);
    }
    return wish->over;
}

int synod_locker_acquire (synod_locker_t *self, const synod_lock_want_t *want, synod_lock_t **out, synod_fault_t *fault)
{
    wish_t wish = {0};
    if (!self || !want || !out)
        return synod_fault (fault, SYNOD_INVALID, "expected a locker, what is wanted, and where to put it: got NULL");
    *out = NULL;
    pthread_mutex_lock (&self->mutex);
    synod_lock_t *lock = NULL;
    int rc = self->ended ? synod_fault (fault, SYNOD_STOPPED, "the bus was left: %s", self->fault.text)
                         : synod__lockc_new (&self->client, synod__now_us (), want, &lock, fault);
    if (rc == SYNOD_OK && lock) {
        lock->born_us = INT64_MAX; /* it is started by the wish, however long that takes */
        lock->user = &wish;
        s_await (self, &wish, INT64_MAX); /* the client knows the deadline */
        rc = wish.code;
        if (rc != SYNOD_OK)
            synod_fault (fault, rc, "%s", wish.why);
        else
            *out = lock;
    }
    pthread_mutex_unlock (&self->mutex);
    return rc;
}

int synod_locker_release (synod_locker_t *self, synod_lock_t **lock_p, int timeout_ms)
{
    wish_t wish = {.releases = true};
    synod_lock_t *lock = lock_p ? *lock_p : NULL;
    if (!self || !lock)
        return SYNOD_INVALID;
    *lock_p = NULL;
    pthread_mutex_lock (&self->mutex);
    if (self->ended) {
        pthread_mutex_unlock (&self->mutex);
        return SYNOD_STOPPED;
    }
    lock->user = &wish;
    bool over = s_await (self, &wish, synod__handle_deadline (timeout_ms));
    if (!over) { /* it goes on without us */
        lock->user = NULL;
        lock->left = true;
        lock->releases = false;
    }
    pthread_mutex_unlock (&self->mutex);
    return over ? SYNOD_OK : SYNOD_TIMEOUT;
}

void synod_locker_cancel (synod_locker_t *self)
{
    if (!self)
        return;
    pthread_mutex_lock (&self->mutex);
    self->cancels = true;
    pthread_mutex_unlock (&self->mutex);
    s_wake (self);
}

/* ---- looking ---- */

uint32_t synod_locker_remaining_ms (synod_locker_t *self, const synod_lock_t *lock)
{
    if (!self || !lock)
        return 0;
    pthread_mutex_lock (&self->mutex);
    int64_t left_us = synod__lockc_left_us (lock, synod__now_us ());
    pthread_mutex_unlock (&self->mutex);
    return (uint32_t) (left_us / 1000);
}

int synod_locker_watch (synod_locker_t *self, const synod_lock_t *lock, uint32_t ms, int fd, int timeout_ms)
{
    int64_t until_us = synod__handle_deadline (timeout_ms);
    struct pollfd item = {.fd = fd, .events = POLLIN};
    if (!self || !lock)
        return SYNOD_INVALID;
    for (;;) {
        int64_t now_us = synod__now_us (), wait_ms = S_SLICE_MS;
        pthread_mutex_lock (&self->mutex);
        bool held = lock->stand == SYNOD__LOCK_HELD && !self->ended;
        int64_t left_ms = synod__lockc_left_us (lock, now_us) / 1000;
        pthread_mutex_unlock (&self->mutex);
        if (!held)
            return SYNOD_EXPIRED;
        if (left_ms <= (int64_t) ms)
            return left_ms ? SYNOD_OK : SYNOD_EXPIRED;
        if (now_us >= until_us)
            return SYNOD_TIMEOUT;
        wait_ms = left_ms - (int64_t) ms < wait_ms ? left_ms - (int64_t) ms : wait_ms;
        if (until_us != INT64_MAX && (until_us - now_us) / 1000 + 1 < wait_ms)
            wait_ms = (until_us - now_us) / 1000 + 1;
        if (poll (&item, fd >= 0 ? 1 : 0, (int) wait_ms) > 0)
            return SYNOD_STOPPED;
    }
}
