/* SPDX-License-Identifier: MPL-2.0
 *
 * The XPUB is in one of two modes, which is all the state libzmq keeps for us: with XPUB_NODROP a send fails if any
 * subscriber of the frame is full and then nobody got it; without, it goes to those who are not. The socket is put
 * back to XPUB_NODROP after each frame that was forced, so a subscriber that recovers is noticed with the next frame.
 */
#include "fanout.h"

#define S_COOL_US 1000000

void synod__fanout_init (synod__fanout_t *self, zsock_t *socket, uint32_t patience_ms)
{
    memset (self, 0, sizeof *self);
    self->socket = socket;
    self->patience_us = (int64_t) patience_ms * 1000;
    self->cool_us = S_COOL_US;
}

static int s_send (zmq_msg_t *msg, void *handle)
{
    int rc;
    do
        rc = zmq_msg_send (msg, handle, ZMQ_DONTWAIT);
    while (rc == -1 && zmq_errno () == EINTR);
    return rc;
}

static void s_no_drop (void *handle, int on)
{
    int rc = zmq_setsockopt (handle, ZMQ_XPUB_NODROP, &on, sizeof on);
    assert (rc == 0);
}

/* Sends to those who are not full. */
static int s_force (synod__fanout_t *self, void *handle, zmq_msg_t *msg, int64_t now_us)
{
    s_no_drop (handle, 0);
    int rc = s_send (msg, handle);
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
    void *handle = zsock_resolve (self->socket);
    if (s_send (msg, handle) >= 0) {
        self->since_us = 0;
        return SYNOD_OK;
    }
    if (zmq_errno () != EAGAIN)
        return zmq_errno () == ETERM ? SYNOD_STOPPED : SYNOD_IO;
    /* slow_us moves on with each frame forced, so one that stays full is waited for once, not once a second */
    bool slow = self->slow_us != 0 && now_us - self->slow_us < self->cool_us;
    if (self->since_us == 0)
        self->since_us = now_us;
    if (slow || now_us - self->since_us >= self->patience_us)
        return s_force (self, handle, msg, now_us);
    return SYNOD_BUSY;
}

int64_t synod__fanout_due (const synod__fanout_t *self)
{
    return self->since_us == 0 ? INT64_MAX : self->since_us + self->patience_us;
}
