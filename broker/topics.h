/* SPDX-License-Identifier: MPL-2.0
 *
 * Topics: from the XSUB to the XPUB, frame by frame, and the broker's own publications between them. A frame that a
 * full subscriber holds up makes all after it wait, so that publishers are pushed back, for as long as the fanout has
 * patience.
 */
#ifndef SYNOD_BROKER_TOPICS_H_INCLUDED
#define SYNOD_BROKER_TOPICS_H_INCLUDED

#include "bus/fanout.h"

#define SYNOD__TOPICS_WAITING 4096 /* frames of the broker's own while one is held up; more are dropped */

/* What became of a frame that did not reach everybody. */
typedef void synod__relay_dropped_t (void *arg, const void *data, size_t size);

typedef struct {
    zsock_t *xsub; /* borrowed, as xpub */
    zsock_t *xpub;
    synod__fanout_t fanout;
    int64_t patience_us; /* as asked for; the fanout's own adapts */
    int64_t adapted_us;
    zmq_msg_t *waiting; /* a ring, oldest first; only its first may be a publisher's */
    uint32_t first, count;
    synod__relay_dropped_t *dropped;
    void *arg;
    uint64_t malformed; /* messages of several parts */
} synod__relay_t;

/* False when memory ran out. DROPPED is called with ARG. */
bool synod__relay_init (synod__relay_t *self, zsock_t *xsub, zsock_t *xpub, uint32_t patience_ms,
                        synod__relay_dropped_t *dropped, void *arg);
void synod__relay_free (synod__relay_t *self);

/* Publishes a frame of the broker's own. Borrows DATA. */
void synod__relay_publish (synod__relay_t *self, const void *data, size_t size, int64_t now_us);
/* Forwards at most MOST frames; returns how many, those that waited included. */
uint32_t synod__relay_turn (synod__relay_t *self, uint32_t most, int64_t now_us);
/* Whether frames wait for a full subscriber: then what publishers send is not looked at. */
static inline bool synod__relay_held (const synod__relay_t *self)
{
    return self->count > 0;
}
int64_t synod__relay_due_us (const synod__relay_t *self);

#endif
