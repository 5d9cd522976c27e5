/* SPDX-License-Identifier: MPL-2.0
 *
 * The XPUB is in one of two modes, which is all the state libzmq keeps for us: with XPUB_NODROP a send fails if any
 * subscriber of the frame is full and then nobody got it; without, it goes to those who are not. libzmq leaves one that
 * missed a frame out, XPUB_NODROP or not, until it has read half its high-water mark. So a refusal means: one that was
 * not full before is, and each time it is waited for once, or not at all within cool_us of the last time.
 */
#include "fanout.h"

#define S_COOL_US  1000000
#define S_RETRY_US 500 /* a subscriber reads half its high-water mark in about that */

void synod__fanout_init (synod__fanout_t *self, zsock_t *socket, uint32_t patience_ms)
{
    memset (self, 0, sizeof *self);
    self->socket = socket;
    self->patience_us = (int64_t) patience_ms * 1000;
    self->cool_us = S_COOL_US;
}

static void s_no_drop (void *handle, int on)
{
    int rc = zmq_setsockopt (handle, ZMQ_XPUB_NODROP, &on, sizeof on);
    assert (rc == 0);
}

/* Sends to those who are not full. */
static int s_force (synod__fanout_t *self, zmq_msg_t *msg, int64_t now_us)
{
    void *handle = zsock_resolve (self->socket);
    s_no_drop (handle, 0);
    int rc = synod__socket_send_msg (self->socket, msg, 0);
    s_no_drop (handle, 1);
    if (rc < 0)
        return SYNOD_IO;
    self->slow_us = now_us;
    self->since_us = 0;
    self->dropped++;
    return SYNOD_OK;
}

int synod__fanout_send (synod__fanout_t *self, zmq_msg_t *msg, int64_t now_us)
{
    if (synod__socket_send_msg (self->socket, msg, 0) >= 0) {
        self->since_us = 0;
        return SYNOD_OK;
    }
    if (zmq_errno () != EAGAIN)
        return zmq_errno () == ETERM ? SYNOD_STOPPED : SYNOD_IO;
    bool slow = self->slow_us != 0 && now_us - self->slow_us < self->cool_us;
    if (self->since_us == 0)
        self->since_us = now_us;
    if (slow || now_us - self->since_us >= self->patience_us)
        return s_force (self, msg, now_us);
    self->retry_us = now_us + S_RETRY_US;
    return SYNOD_BUSY;
}

int64_t synod__fanout_due (const synod__fanout_t *self)
{
    if (self->since_us == 0)
        return INT64_MAX;
    int64_t last_us = self->since_us + self->patience_us;
    return self->retry_us < last_us ? self->retry_us : last_us;
}
