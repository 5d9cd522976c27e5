/* SPDX-License-Identifier: MPL-2.0
 *
 * Waiting for many ZeroMQ sockets: epoll on their file descriptors, so that a socket on which nothing happens costs
 * nothing (zmq_poll asks each one, each time). A ZMQ_FD is an edge: once the socket has been used it stays silent about
 * what is there already. So whoever sends or receives on a socket says so (touch), and a wait looks at those first.
 */
#ifndef SYNOD_BUS_POLLER_H_INCLUDED
#define SYNOD_BUS_POLLER_H_INCLUDED

#include <czmq.h>

typedef struct synod__poller_t synod__poller_t;
typedef struct synod__poll_t synod__poll_t; /* one thing waited for */

synod__poller_t *synod__poller_new (void); /* NULL: no memory or no file descriptors */
void synod__poller_destroy (synod__poller_t **self_p);

/* EVENTS: ZMQ_POLLIN, ZMQ_POLLOUT or both. OWNER comes back from next. */
synod__poll_t *synod__poller_add (synod__poller_t *self, zsock_t *socket, int events, void *owner);
synod__poll_t *synod__poller_add_fd (synod__poller_t *self, int fd, void *owner); /* at first: readable */
void synod__poller_remove (synod__poller_t *self, synod__poll_t **poll_p);
void synod__poll_events (synod__poll_t *self, int events); /* what is wanted from now on */
void synod__poll_touch (synod__poll_t *self);              /* its socket has been used */

/* Waits until something is ready or UNTIL_US (CLOCK_BOOTTIME; INT64_MAX: for ever; 0: do not wait). Returns how many
 * are ready; signals do not end it. */
int synod__poller_wait (synod__poller_t *self, int64_t until_us);
/* A descriptor that is readable when a wait would find something, but for the sockets below. Owned by SELF. */
int synod__poller_fd (const synod__poller_t *self);
/* Whether a socket was used since it was looked at (only a wait tells what it has), or has something that was not taken. */
bool synod__poller_touched (const synod__poller_t *self);
int synod__poll_wanted (const synod__poll_t *self); /* the events */
/* The next ready one of the last wait, with the events that are ready; NULL: no more. */
synod__poll_t *synod__poller_next (synod__poller_t *self, void **owner, int *events);

int64_t synod__now_us (void);  /* CLOCK_BOOTTIME */
int64_t synod__wall_us (void); /* CLOCK_REALTIME */

#endif
