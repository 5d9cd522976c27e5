/* SPDX-License-Identifier: MPL-2.0
 *
 * Each poll is on up to two lists. Touched: its socket may have something that its file descriptor will not tell of;
 * asked at the next wait, and kept there as long as it has, so that an owner may take only some of what has come. Ready:
 * found by the last wait, not yet given out by next. Asking a socket for its events empties its descriptor, so one that
 * has only what nobody wants at the moment stays silent until that changes or more happens.
 */
#include <sys/epoll.h>
#include <time.h>
#include <utlist.h>

#include "poller.h"
#include "socket.h"

#define S_BATCH 64 /* descriptors looked at in one go; what is left over is told again */

struct synod__poll_t {
    synod__poller_t *poller;
    zsock_t *socket; /* NULL: a plain descriptor */
    int fd;
    int watched;  /* what the epoll set has it in for; 0: it is not in it */
    int events;   /* wanted */
    int found;    /* wanted and there; not zero: on the ready list */
    bool touched; /* on the touched list */
    void *owner;
    synod__poll_t *prev, *next;
    synod__poll_t *ready_prev, *ready_next;
};

struct synod__poller_t {
    int epoll_fd;
    size_t npolls;
    synod__poll_t *touched;
    synod__poll_t *ready;
    int nready;
};

static int64_t s_clock_us (clockid_t clock)
{
    struct timespec now;
    clock_gettime (clock, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t synod__now_us (void)
{
    return s_clock_us (CLOCK_BOOTTIME);
}

int64_t synod__wall_us (void)
{
    return s_clock_us (CLOCK_REALTIME);
}

synod__poller_t *synod__poller_new (void)
{
    synod__poller_t *self = (synod__poller_t *) calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
    if (self->epoll_fd < 0) {
        free (self);
        return NULL;
    }
    return self;
}

void synod__poller_destroy (synod__poller_t **self_p)
{
    synod__poller_t *self = *self_p;
    if (!self)
        return;
    assert (self->npolls == 0);
    close (self->epoll_fd);
    free (self);
    *self_p = NULL;
}

/* Has epoll watch its descriptor for EVENTS, or leave it alone (0): a plain one nobody wants to hear of must not wake us. */
static int s_watch (synod__poll_t *self, int events)
{
    struct epoll_event event = {.data.ptr = self};
    if (events == self->watched)
        return 0;
    event.events = (events & ZMQ_POLLIN ? EPOLLIN : 0) | (events & ZMQ_POLLOUT ? EPOLLOUT : 0);
    int change = !events ? EPOLL_CTL_DEL : self->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl (self->poller->epoll_fd, change, self->fd, &event))
        return -1;
    self->watched = events;
    return 0;
}

static synod__poll_t *s_add (synod__poller_t *self, const synod__poll_t *what)
{
    synod__poll_t *poll = (synod__poll_t *) malloc (sizeof *poll);
    if (!poll)
        return NULL;
    *poll = *what;
    poll->poller = self;
    if (s_watch (poll, poll->socket ? ZMQ_POLLIN : poll->events)) {
        free (poll);
        return NULL;
    }
    self->npolls++;
    synod__poll_touch (poll);
    return poll;
}

synod__poll_t *synod__poller_add (synod__poller_t *self, zsock_t *socket, int events, void *owner)
{
    synod__poll_t poll = {.socket = socket, .events = events, .owner = owner};
    size_t size = sizeof poll.fd;
    if (zmq_getsockopt (zsock_resolve (socket), ZMQ_FD, &poll.fd, &size))
        return NULL;
    return s_add (self, &poll);
}

synod__poll_t *synod__poller_add_fd (synod__poller_t *self, int fd, void *owner)
{
    synod__poll_t poll = {.fd = fd, .events = ZMQ_POLLIN, .owner = owner};
    return s_add (self, &poll);
}

static void s_unready (synod__poll_t *self)
{
    if (!self->found)
        return;
    DL_DELETE2 (self->poller->ready, self, ready_prev, ready_next);
    self->poller->nready--;
    self->found = 0;
}

static void s_untouch (synod__poll_t *self)
{
    if (!self->touched)
        return;
    DL_DELETE (self->poller->touched, self);
    self->touched = false;
}

void synod__poller_remove (synod__poller_t *self, synod__poll_t **poll_p)
{
    synod__poll_t *poll = *poll_p;
    if (!poll)
        return;
    assert (poll->poller == self);
    s_unready (poll);
    s_untouch (poll);
    s_watch (poll, 0);
    free (poll);
    self->npolls--;
    *poll_p = NULL;
}

void synod__poll_touch (synod__poll_t *self)
{
    if (self->touched || !self->socket) /* plain descriptors tell all themselves */
        return;
    DL_APPEND (self->poller->touched, self);
    self->touched = true;
}

void synod__poll_events (synod__poll_t *self, int events)
{
    if (self->events == events)
        return;
    self->events = events;
    if (self->socket)
        synod__poll_touch (self);
    else
        s_watch (self, events);
}

static void s_found (synod__poll_t *self, int found)
{
    s_unready (self);
    self->found = found;
    if (!found)
        return;
    DL_APPEND2 (self->poller->ready, self, ready_prev, ready_next);
    self->poller->nready++;
}

/* Asks its socket, and keeps asking it while there is something. */
static void s_ask (synod__poll_t *self)
{
    int found = synod__socket_events (self->socket) & self->events;
    if (found)
        synod__poll_touch (self);
    else
        s_untouch (self);
    s_found (self, found);
}

/* epoll_wait with a limit in microseconds; milliseconds, rounded up, where the kernel has no better. */
static int s_epoll (synod__poller_t *self, struct epoll_event *events, int64_t until_us)
{
    int64_t left_us = until_us == 0 || self->nready > 0 ? 0 : until_us;
    if (left_us == INT64_MAX)
        return epoll_wait (self->epoll_fd, events, S_BATCH, -1);
    if (left_us > 0) {
        left_us = until_us - synod__now_us ();
        if (left_us < 0)
            left_us = 0;
    }
    if (left_us == 0)
        return epoll_wait (self->epoll_fd, events, S_BATCH, 0);
    struct timespec limit = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
    int rc = epoll_pwait2 (self->epoll_fd, events, S_BATCH, &limit, NULL);
    if (rc < 0 && (errno == ENOSYS || errno == EPERM)) {
        int64_t left_ms = (left_us + 999) / 1000;
        rc = epoll_wait (self->epoll_fd, events, S_BATCH, left_ms < INT_MAX ? (int) left_ms : INT_MAX);
    }
    return rc;
}

/* What a plain descriptor has. An end or an error is found by who reads or writes. */
static int s_events (const struct epoll_event *event)
{
    int found = (event->events & EPOLLIN ? ZMQ_POLLIN : 0) | (event->events & EPOLLOUT ? ZMQ_POLLOUT : 0);
    return event->events & (EPOLLERR | EPOLLHUP) ? ZMQ_POLLIN | ZMQ_POLLOUT : found;
}

int synod__poller_wait (synod__poller_t *self, int64_t until_us)
{
    struct epoll_event events[S_BATCH];
    while (self->ready)
        s_unready (self->ready);
    synod__poll_t *poll, *next;
    DL_FOREACH_SAFE (self->touched, poll, next)
    s_ask (poll);
    for (;;) {
        /* also when something is ready: what is busy must not hide the others */
        int count = s_epoll (self, events, until_us);
        assert (count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            poll = (synod__poll_t *) events[i].data.ptr;
            if (poll->socket)
                s_ask (poll);
            else
                s_found (poll, s_events (&events[i]) & poll->events);
        }
        if (self->nready > 0 || until_us == 0)
            return self->nready;
        if (until_us != INT64_MAX && synod__now_us () >= until_us)
            return 0;
    }
}

int synod__poller_fd (const synod__poller_t *self)
{
    return self->epoll_fd;
}

bool synod__poller_touched (const synod__poller_t *self)
{
    return self->touched || self->ready;
}

int synod__poll_wanted (const synod__poll_t *self)
{
    return self->events;
}

synod__poll_t *synod__poller_next (synod__poller_t *self, void **owner, int *events)
{
    synod__poll_t *poll = self->ready;
    if (!poll)
        return NULL;
    if (owner)
        *owner = poll->owner;
    if (events)
        *events = poll->found;
    s_unready (poll);
    return poll;
}
