/* SPDX-License-Identifier: MPL-2.0
 *
 * The port's sockets for topics. With a broker: an XPUB to its XSUB and a SUB to its XPUB, each made when first used;
 * nothing is published before the broker's subscription to everything has been seen, for an XPUB drops what nobody
 * wants. Without: an XPUB of its own, and a SUB connected to every peer's.
 *
 * An XPUB always says that it can take more, so a publication that was refused is tried again after S_RETRY_US.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include "port_internal.h"

#define S_RETRY_US 1000
#define S_LEAVE_US 3000000 /* what a peer that is gone has sent is waited for: longer than it lingers */
#define S_FRAMES   256
#define S_BYTES    (2 * 1024 * 1024)

/* ---- publishing ---- */

/* Takes what the publishing socket has to say. With a broker: does it want everything? Locked. */
static void s_news (synod__port_t *self, zmq_msg_t *msg)
{
    while (zmq_msg_recv (msg, zsock_resolve (self->publish->socket), ZMQ_DONTWAIT) >= 0) {
        const char *data = (const char *) zmq_msg_data (msg);
        size_t size = zmq_msg_size (msg);
        if (size && self->brokered && size == 1)
            self->ready = data[0] == 1;
        else if (size && !self->brokered && self->in_turn)
            synod__rt_subscribed (self->rt, data + 1, size - 1, data[0] == 1);
    }
}

/* A handle's is used by two threads under the lock, so it is not among the ends that the port waits for. */
static void s_publish_set (synod__port_t *self, zsock_t *socket)
{
    if (!self->client) {
        self->publish = synod__port_add (self, SYNOD__SOCKET_PUBLISH, socket, 0, true);
        return;
    }
    self->publish = (synod__end_t *) zmalloc (sizeof *self->publish);
    self->publish->kind = SYNOD__SOCKET_PUBLISH;
    self->publish->socket = socket;
}

void synod__port_publish_close (synod__port_t *self)
{
    if (!self->publish)
        return;
    if (self->client) {
        zsock_destroy (&self->publish->socket);
        free (self->publish);
    } else
        synod__port_close (self, self->publish);
    self->publish = NULL;
    self->ready = false;
}

/* Locked. */
static bool s_publish_open (synod__port_t *self)
{
    synod__socket_options_t options = {
        .type = ZMQ_XPUB, .linger_ms = (int) self->options.linger_ms, .send_hwm = SYNOD_TOPIC_HWM, .no_drop = true};
    if (self->publish)
        return true;
    if (!self->publish_endpoint[0])
        return false;
    zsock_t *socket = synod__socket_new (&options, NULL);
    if (!socket)
        return false;
    if (synod__socket_connect (socket, self->publish_endpoint, NULL) != SYNOD_OK) {
        zsock_destroy (&socket);
        return false;
    }
    s_publish_set (self, socket);
    self->ready = false;
    return true;
}

static int s_publish (synod__port_t *self, synod_buf_t *frame)
{
    zmq_msg_t msg;
    if (!s_publish_open (self))
        return SYNOD_BUSY;
    if (self->brokered) {
        zmq_msg_init (&msg);
        s_news (self, &msg);
        zmq_msg_close (&msg);
        int rc = self->ready ? synod__socket_send (self->publish->socket, synod_str_n (NULL, 0), frame) : SYNOD_BUSY;
        if (self->publish->poll)
            synod__poll_touch (self->publish->poll);
        return rc;
    }
    if (self->hold_us && synod__now_us () < self->hold_us)
        return SYNOD_BUSY;
    /* the frame's memory goes with the message, and comes back with it when it is refused */
    zmq_msg_init_size (&msg, frame->size);
    memcpy (zmq_msg_data (&msg), frame->data, frame->size);
    int rc = synod__fanout_send (&self->fanout, &msg, synod__now_us ());
    zmq_msg_close (&msg);
    return rc;
}

int synod__port_publish (synod__port_t *self, synod_buf_t *frame)
{
    pthread_mutex_lock (&self->lock);
    int rc = s_publish (self, frame);
    pthread_mutex_unlock (&self->lock);
    return rc;
}

int synod__host_publish (void *host, synod_buf_t *frame)
{
    synod__port_t *self = (synod__port_t *) host;
    int rc = synod__port_publish (self, frame);
    self->blocked |= rc != SYNOD_OK;
    return rc;
}

/* Other threads may take the socket's signal from under us, so a wait is cut into slices. */
void synod__port_publish_wait (synod__port_t *self, int64_t until_us)
{
    struct pollfd fd = {.fd = -1, .events = POLLIN};
    pthread_mutex_lock (&self->lock);
    bool was_ready = self->ready;
    if (self->brokered && s_publish_open (self)) {
        zmq_msg_t msg;
        zmq_msg_init (&msg);
        s_news (self, &msg);
        zmq_msg_close (&msg);
        fd.fd = zsock_fd (self->publish->socket);
    }
    bool now_ready = self->ready;
    pthread_mutex_unlock (&self->lock);
    int64_t left_us = until_us - synod__now_us ();
    if (now_ready != was_ready || left_us <= 0)
        return;
    struct timespec slice = {.tv_nsec = (left_us < S_RETRY_US ? left_us : S_RETRY_US) * 1000};
    ppoll (&fd, 1, &slice, NULL);
}

void synod__port_take_subscriptions (synod__port_t *self)
{
    pthread_mutex_lock (&self->lock);
    bool was_ready = self->ready;
    if (self->publish)
        s_news (self, &self->msg);
    if (self->publish && self->publish->poll)
        synod__poll_touch (self->publish->poll);
    bool now_ready = self->ready;
    pthread_mutex_unlock (&self->lock);
    if (now_ready && !was_ready)
        self->blocked = true; /* the turn begins with trying again */
}

int64_t synod__port_topics_due (synod__port_t *self, int64_t until_us)
{
    /* waiting for the broker to show up is waiting for its message, not for time to pass */
    if (!self->blocked || (self->brokered && !self->ready && !self->client))
        return until_us;
    int64_t retry_us = synod__now_us () + S_RETRY_US;
    return retry_us < until_us ? retry_us : until_us;
}

int synod__port_topics_listen (synod__port_t *self, const char *endpoint, synod_fault_t *fault)
{
    synod__socket_options_t options = {
        .type = ZMQ_XPUB, .linger_ms = (int) self->options.linger_ms, .send_hwm = SYNOD_TOPIC_HWM, .no_drop = true};
    zsock_t *socket = synod__socket_new (&options, fault);
    if (!socket)
        return SYNOD_IO;
    int rc = synod__socket_bind (socket, endpoint, self->topics_endpoint, fault);
    if (rc != SYNOD_OK) {
        zsock_destroy (&socket);
        return rc;
    }
    s_publish_set (self, socket);
    synod__fanout_init (&self->fanout, socket, 200);
    self->ready = true;
    return SYNOD_OK;
}

/* ---- subscribing ---- */

static bool s_subscribe_open (synod__port_t *self)
{
    synod__socket_options_t options = {.type = ZMQ_SUB, .receive_hwm = SYNOD_TOPIC_HWM, .linger_ms = 0};
    if (self->subscribe)
        return true;
    if (self->brokered && !self->subscribe_endpoint[0])
        return false;
    zsock_t *socket = synod__socket_new (&options, NULL);
    if (!socket)
        return false;
    if (self->brokered && synod__socket_connect (socket, self->subscribe_endpoint, NULL) != SYNOD_OK) {
        zsock_destroy (&socket);
        return false;
    }
    self->subscribe = synod__port_add (self, SYNOD__SOCKET_SUBSCRIBE, socket, 0, true);
    for (const synod__wanted_t *wanted = self->wanted; wanted; wanted = wanted->next)
        zmq_setsockopt (zsock_resolve (socket), ZMQ_SUBSCRIBE, wanted->bytes, wanted->size);
    return true;
}

void synod__host_subscribe (void *host, const char *prefix, size_t size)
{
    synod__port_t *self = (synod__port_t *) host;
    synod__wanted_t **at = &self->wanted; /* in the order of subscribing: an echo's comes last */
    while (*at)
        at = &(*at)->next;
    bool open = self->subscribe != NULL;
    synod__wanted_t *wanted = (synod__wanted_t *) zmalloc (sizeof *wanted);
    memcpy (wanted->bytes, prefix, size);
    wanted->size = size;
    *at = wanted;
    if (!s_subscribe_open (self) || !open)
        return; /* just opened: with all that is wanted */
    zmq_setsockopt (zsock_resolve (self->subscribe->socket), ZMQ_SUBSCRIBE, prefix, size);
    synod__poll_touch (self->subscribe->poll);
}

void synod__host_unsubscribe (void *host, const char *prefix, size_t size)
{
    synod__port_t *self = (synod__port_t *) host;
    for (synod__wanted_t **at = &self->wanted; *at; at = &(*at)->next) {
        synod__wanted_t *wanted = *at;
        if (wanted->size != size || memcmp (wanted->bytes, prefix, size) != 0)
            continue;
        *at = wanted->next;
        free (wanted);
        break;
    }
    if (!self->subscribe)
        return;
    zmq_setsockopt (zsock_resolve (self->subscribe->socket), ZMQ_UNSUBSCRIBE, prefix, size);
    synod__poll_touch (self->subscribe->poll);
}

int synod__host_topics_open (void *host, const char *publish, const char *subscribe)
{
    synod__port_t *self = (synod__port_t *) host;
    pthread_mutex_lock (&self->lock);
    if (strcmp (self->publish_endpoint, publish) != 0) {
        snprintf (self->publish_endpoint, sizeof self->publish_endpoint, "%s", publish);
        synod__port_publish_close (self);
    }
    bool opened = !self->blocked || s_publish_open (self);
    pthread_mutex_unlock (&self->lock);
    if (strcmp (self->subscribe_endpoint, subscribe) != 0) {
        snprintf (self->subscribe_endpoint, sizeof self->subscribe_endpoint, "%s", subscribe);
        if (self->subscribe)
            synod__port_close (self, self->subscribe);
        self->subscribe = NULL;
    }
    if (self->wanted)
        opened &= s_subscribe_open (self);
    return opened ? SYNOD_OK : SYNOD_INVALID;
}

int synod__host_topics_join (void *host, const char *endpoint)
{
    synod__port_t *self = (synod__port_t *) host;
    if (!s_subscribe_open (self))
        return SYNOD_IO;
    for (synod__leaving_t **at = &self->leaving; *at; at = &(*at)->next) {
        synod__leaving_t *leaving = *at;
        if (strcmp (leaving->endpoint, endpoint) != 0)
            continue;
        *at = leaving->next; /* back before it was let go: ZeroMQ has connected again, or will */
        free (leaving);
        return SYNOD_OK;
    }
    int rc = synod__socket_connect (self->subscribe->socket, endpoint, NULL);
    synod__poll_touch (self->subscribe->poll);
    return rc;
}

/* To disconnect throws away what has come and was not read yet. */
void synod__host_topics_leave (void *host, const char *endpoint)
{
    synod__port_t *self = (synod__port_t *) host;
    if (!self->subscribe)
        return;
    synod__leaving_t *leaving = (synod__leaving_t *) zmalloc (sizeof *leaving);
    snprintf (leaving->endpoint, sizeof leaving->endpoint, "%s", endpoint);
    leaving->since_us = synod__now_us ();
    leaving->next = self->leaving;
    self->leaving = leaving;
}

void synod__port_topics_leave (synod__port_t *self)
{
    if (!self->leaving || !self->subscribe)
        return;
    int64_t before_us = synod__now_us () - S_LEAVE_US;
    bool unread = (zsock_events (self->subscribe->socket) & ZMQ_POLLIN) != 0;
    synod__poll_touch (self->subscribe->poll);
    for (synod__leaving_t **at = &self->leaving; !unread && *at;) {
        synod__leaving_t *leaving = *at;
        if (leaving->since_us > before_us) {
            at = &leaving->next;
            continue;
        }
        while (zmq_disconnect (zsock_resolve (self->subscribe->socket), leaving->endpoint) && errno == EINTR)
            ;
        *at = leaving->next;
        free (leaving);
    }
}

void synod__port_topics_free (synod__port_t *self)
{
    while (self->leaving) {
        synod__leaving_t *leaving = self->leaving;
        self->leaving = leaving->next;
        free (leaving);
    }
}

void synod__port_take_topics (synod__port_t *self, synod__end_t *end)
{
    size_t bytes = 0;
    for (int i = 0; i < S_FRAMES && bytes < S_BYTES; i++) {
        synod__arrival_t *blank = synod__port_blank (self);
        int rc = synod__socket_receive (end->socket, NULL, &blank->msg);
        if (rc == SYNOD_NOT_FOUND)
            break;
        bytes += zmq_msg_size (&blank->msg);
        if (rc == SYNOD_OK)
            synod__port_arrived (self, end, SYNOD__ARRIVAL_TOPIC);
    }
    synod__poll_touch (end->poll);
}

int synod__port_topic (synod__port_t *self, zmq_msg_t *msg)
{
    if (!self->subscribe)
        return SYNOD_NOT_FOUND;
    int rc;
    do
        rc = synod__socket_receive (self->subscribe->socket, NULL, msg);
    while (rc == SYNOD_BAD_FRAME);
    if (rc == SYNOD_NOT_FOUND) {
        synod__poll_events (self->subscribe->poll, ZMQ_POLLIN);
        synod__poll_touch (self->subscribe->poll);
    }
    return rc;
}
