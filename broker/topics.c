/* SPDX-License-Identifier: MPL-2.0
 *
 * Topics: nothing here blocks. While frames wait, no more are taken off the XSUB.
 *
 * Once a frame was forced past a full subscriber, libzmq leaves that one out until it has taken half of its queue. So
 * one that has stalled is waited for once. One that takes its frames, but too slowly, fills up again and again: what
 * that costs the others is kept small by a patience that shrinks with every drop.
 */
#include <assert.h>
#include <stdlib.h>
#include "topics.h"

#define S_LEAST      2 /* of the patience at least this part */
#define S_RECOVER_US 1000000

bool synod__relay_init (synod__relay_t *self, zsock_t *xsub, zsock_t *xpub, uint32_t patience_ms,
                        synod__relay_dropped_t *dropped, void *arg)
{
    memset (self, 0, sizeof *self);
    self->xsub = xsub;
    self->xpub = xpub;
    self->dropped = dropped;
    self->arg = arg;
    synod__fanout_init (&self->fanout, xpub, patience_ms);
    self->fanout.cool_us = 0; /* who is full next may be another, that only needs a moment */
    self->patience_us = self->fanout.patience_us;
    self->waiting = (zmq_msg_t *) calloc (SYNOD__TOPICS_WAITING, sizeof (zmq_msg_t));
    return self->waiting != NULL;
}

static void s_pop (synod__relay_t *self)
{
    zmq_msg_close (&self->waiting[self->first]);
    self->first = (self->first + 1) % SYNOD__TOPICS_WAITING;
    self->count--;
}

void synod__relay_free (synod__relay_t *self)
{
    while (self->count > 0)
        s_pop (self);
    free (self->waiting);
    self->waiting = NULL;
}

/* A drop halves the patience, down to the half; each second without one doubles it. */
static void s_adapt (synod__relay_t *self, bool dropped, int64_t now_us)
{
    int64_t *patience_us = &self->fanout.patience_us;
    if (dropped) {
        *patience_us = *patience_us / 2 > self->patience_us / S_LEAST ? *patience_us / 2 : self->patience_us / S_LEAST;
        self->adapted_us = now_us;
    } else if (*patience_us < self->patience_us && now_us - self->adapted_us >= S_RECOVER_US) {
        *patience_us = *patience_us * 2 < self->patience_us ? *patience_us * 2 : self->patience_us;
        self->adapted_us = now_us;
    }
}

/* False, with MSG as it was, when it has to wait. */
static inline bool s_send (synod__relay_t *self, zmq_msg_t *msg, int64_t now_us)
{
    uint64_t before = self->fanout.dropped;
    zmq_msg_t copy;
    if (self->fanout.since_us == 0) /* the usual case: not dropped before it has waited */
        return synod__fanout_send (&self->fanout, msg, now_us) == SYNOD_OK;
    zmq_msg_init (&copy); /* the same memory, to say what was dropped */
    zmq_msg_copy (&copy, msg);
    bool sent = synod__fanout_send (&self->fanout, msg, now_us) == SYNOD_OK, dropped = self->fanout.dropped != before;
    if (dropped)
        self->dropped (self->arg, zmq_msg_data (&copy), zmq_msg_size (&copy));
    s_adapt (self, dropped, now_us);
    zmq_msg_close (&copy);
    return sent;
}

/* Keeps MSG until it can be sent; false when too many wait. */
static bool s_wait (synod__relay_t *self, zmq_msg_t *msg)
{
    if (self->count == SYNOD__TOPICS_WAITING)
        return false;
    zmq_msg_t *place = &self->waiting[(self->first + self->count++) % SYNOD__TOPICS_WAITING];
    zmq_msg_init (place);
    zmq_msg_move (place, msg);
    return true;
}

static uint32_t s_flush (synod__relay_t *self, int64_t now_us)
{
    uint32_t done = 0;
    for (; self->count > 0 && s_send (self, &self->waiting[self->first], now_us); done++)
        s_pop (self);
    return done;
}

void synod__relay_publish (synod__relay_t *self, const void *data, size_t size, int64_t now_us)
{
    zmq_msg_t msg;
    if (zmq_msg_init_size (&msg, size) != 0)
        return;
    memcpy (zmq_msg_data (&msg), data, size);
    bool taken = self->count == 0 && s_send (self, &msg, now_us);
    if (!taken && !s_wait (self, &msg))
        self->dropped (self->arg, data, size);
    zmq_msg_close (&msg);
}

uint32_t synod__relay_turn (synod__relay_t *self, uint32_t most, int64_t now_us)
{
    zmq_msg_t msg;
    uint32_t done = s_flush (self, now_us);
    zmq_msg_init (&msg);
    while (self->count == 0 && done < most) {
        int rc = synod__socket_receive (self->xsub, NULL, &msg);
        if (rc == SYNOD_NOT_FOUND)
            break;
        done++;
        if (rc != SYNOD_OK)
            self->malformed++;
        else if (!s_send (self, &msg, now_us))
            s_wait (self, &msg);
    }
    zmq_msg_close (&msg);
    return done;
}

int64_t synod__relay_due_us (const synod__relay_t *self)
{
    return self->count > 0 ? synod__fanout_due (&self->fanout) : INT64_MAX;
}
