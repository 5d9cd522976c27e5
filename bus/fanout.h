/* SPDX-License-Identifier: MPL-2.0
 *
 * Sending on an XPUB with patience. While some subscriber is full a frame is held for a short while (the publishers
 * feel it); then it goes out with what is full left out, and as long as one stays slow nobody waits for it again.
 * Nothing here blocks: the owner keeps serving its other sockets and calls retry.
 */
#ifndef SYNOD_BUS_FANOUT_H_INCLUDED
#define SYNOD_BUS_FANOUT_H_INCLUDED

#include "socket.h"

typedef struct {
    zsock_t *socket; /* an XPUB with no_drop; borrowed */
    int64_t patience_us;
    int64_t cool_us;  /* how long after the last refusal a slow subscriber is not waited for */
    int64_t since_us; /* when the frame now refused was first; 0: none is */
    int64_t retry_us; /* when it is worth another try */
    int64_t slow_us;  /* when a frame was last forced past a full subscriber; 0: never */
    uint64_t dropped; /* frames forced; that subscriber misses more until it has read some, which its gaps tell */
} synod__fanout_t;

void synod__fanout_init (synod__fanout_t *self, zsock_t *socket, uint32_t patience_ms);

/* Sends MSG (taken over, left empty). SYNOD_BUSY: unchanged, try again at synod__fanout_due (an XPUB says that it is
 * writable even if all are full). Never SYNOD_BUSY for longer than the patience. */
int synod__fanout_send (synod__fanout_t *self, zmq_msg_t *msg, int64_t now_us);
int64_t synod__fanout_due (const synod__fanout_t *self); /* INT64_MAX: nothing is held back */

#endif
