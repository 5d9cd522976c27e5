/* SPDX-License-Identifier: MPL-2.0
 *
 * The broker: one thread that hosts the routing and forwards topics. It waits on the descriptors of its sockets, and
 * only after a pass over all of them that found nothing to do: a descriptor is silent about what is there already.
 * Each pass takes a bounded number from each socket, so none starves another.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <synod/actor.h>
#include <synod/broker.h>
#include "bus/poller.h"
#include "endpoints.h"
#include "broker/routing/routing.h"
#include "topics.h"

#define S_FRAMES_A_PASS 256
#define S_TOPICS_A_PASS 1024
#define S_DRAIN_PASSES  64 /* at the end: what has arrived already is still passed on */

struct synod_broker_t {
    synod_broker_options_t options;
    char listen[SYNOD__ENDPOINT_MAX], publish[SYNOD__ENDPOINT_MAX], subscribe[SYNOD__ENDPOINT_MAX];
    char advertise[SYNOD__ENDPOINT_MAX];
    char told[3][SYNOD__ENDPOINT_MAX]; /* to nodes: listen, publish, subscribe */
    zactor_t *actor;
    synod_fault_t fault; /* of the start; the thread's until it has signalled */
    bool started;        /* released with the fault: what libzmq's pipe orders, no checker of races sees */
    uint32_t linger_ms;  /* atomic: the owner writes it before it says $TERM */
};

/* The thread's own. */
typedef struct {
    synod_broker_t *broker;
    zsock_t *pipe;
    zsock_t *sockets[3]; /* router, xsub, xpub */
    char bound[3][SYNOD__ENDPOINT_MAX];
    synod__routing_t *routing;
    synod__relay_t topics;
    int64_t now_us;
    zmq_msg_t *forwarding; /* the frame that routing is looking at */
    bool delimited;        /* it came behind an empty part: the answer needs one too */
    bool ended;
} s_thread_t;

enum { S_ROUTER, S_XSUB, S_XPUB };

/* ---- what routing does ---- */

static int s_result (int rc)
{
    if (rc >= 0)
        return SYNOD_OK;
    return errno == EAGAIN ? SYNOD_BUSY : SYNOD_NODE_DOWN;
}

static int s_send (void *host, synod_str_t identity, const void *data, size_t size)
{
    s_thread_t *self = (s_thread_t *) host;
    void *router = zsock_resolve (self->sockets[S_ROUTER]);
    int rc = s_result (zmq_send (router, identity.data, identity.size, ZMQ_SNDMORE | ZMQ_DONTWAIT));
    if (rc == SYNOD_OK && self->delimited)
        zmq_send (router, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    return rc == SYNOD_OK ? s_result (zmq_send (router, data, size, ZMQ_DONTWAIT)) : rc;
}

static int s_forward (void *host, synod_str_t identity)
{
    s_thread_t *self = (s_thread_t *) host;
    void *router = zsock_resolve (self->sockets[S_ROUTER]);
    int rc = s_result (zmq_send (router, identity.data, identity.size, ZMQ_SNDMORE | ZMQ_DONTWAIT));
    return rc == SYNOD_OK ? s_result (zmq_msg_send (self->forwarding, router, ZMQ_DONTWAIT)) : rc;
}

static void s_publish (void *host, const void *data, size_t size)
{
    s_thread_t *self = (s_thread_t *) host;
    synod__relay_publish (&self->topics, data, size, self->now_us);
}

static void s_log (void *host, int level, const char *text)
{
    s_thread_t *self = (s_thread_t *) host;
    self->broker->options.log (self->broker->options.log_arg, level, text);
}

static void s_dropped (void *arg, const void *data, size_t size)
{
    s_thread_t *self = (s_thread_t *) arg;
    synod__routing_topic_dropped (self->routing, data, size);
}

static const synod__routing_ops_t s_ops = {s_send, s_forward, s_publish, s_log};

/* ---- one pass ---- */

/* A message of several parts: the rest is thrown away, and the sender told. A REQ or the like puts an empty part
 * before what it says, and wants one before the answer. */
static void s_take_garbage (s_thread_t *self, synod_str_t from, zmq_msg_t *part)
{
    char what[64];
    int parts = 1;
    self->delimited = zmq_msg_size (part) == 0;
    for (; zmq_msg_more (part); parts++)
        if (zmq_msg_recv (part, zsock_resolve (self->sockets[S_ROUTER]), ZMQ_DONTWAIT) < 0)
            break;
    snprintf (what, sizeof what, "%d parts%s", parts, self->delimited ? ", the first one empty" : "");
    synod__routing_garbage (self->routing, from, what);
    self->delimited = false;
}

static uint32_t s_take_frames (s_thread_t *self)
{
    void *router = zsock_resolve (self->sockets[S_ROUTER]);
    zmq_msg_t identity, frame;
    uint32_t done = 0;
    zmq_msg_init (&identity);
    zmq_msg_init (&frame);
    self->forwarding = &frame;
    for (; done < S_FRAMES_A_PASS; done++) {
        if (zmq_msg_recv (&identity, router, ZMQ_DONTWAIT) < 0 || zmq_msg_recv (&frame, router, ZMQ_DONTWAIT) < 0)
            break;
        synod_str_t from = synod_str_n (zmq_msg_data (&identity), zmq_msg_size (&identity));
        if (zmq_msg_more (&frame))
            s_take_garbage (self, from, &frame);
        else
            synod__routing_frame (self->routing, from, zmq_msg_data (&frame), zmq_msg_size (&frame));
    }
    self->forwarding = NULL;
    zmq_msg_close (&identity);
    zmq_msg_close (&frame);
    return done;
}

static uint32_t s_take_subscriptions (s_thread_t *self)
{
    zmq_msg_t msg;
    uint32_t done = 0;
    zmq_msg_init (&msg);
    for (; done < S_FRAMES_A_PASS; done++) {
        int rc = synod__socket_receive (self->sockets[S_XPUB], NULL, &msg);
        if (rc == SYNOD_NOT_FOUND)
            break;
        const char *bytes = (const char *) zmq_msg_data (&msg);
        size_t size = zmq_msg_size (&msg);
        if (rc == SYNOD_OK && size > 0 && (bytes[0] == 0 || bytes[0] == 1))
            synod__routing_subscribed (self->routing, bytes + 1, size - 1, bytes[0] == 1);
    }
    zmq_msg_close (&msg);
    return done;
}

static void s_take_command (s_thread_t *self)
{
    char *command = zstr_recv_nowait (self->pipe);
    if (!command)
        self->ended = errno != EAGAIN && errno != EINTR; /* the context is gone */
    else
        self->ended = streq (command, "$TERM");
    zstr_free (&command);
}

/* True when there was something to do. */
static bool s_pass (s_thread_t *self)
{
    uint32_t done = 0;
    if (synod__socket_events (self->sockets[S_ROUTER]) & ZMQ_POLLIN)
        done += s_take_frames (self);
    if (synod__relay_held (&self->topics) || (synod__socket_events (self->sockets[S_XSUB]) & ZMQ_POLLIN))
        done += synod__relay_turn (&self->topics, S_TOPICS_A_PASS, self->now_us);
    /* after that: sending on it takes its signal */
    if (synod__socket_events (self->sockets[S_XPUB]) & ZMQ_POLLIN)
        done += s_take_subscriptions (self);
    if (zsock_events (self->pipe) & ZMQ_POLLIN) {
        s_take_command (self);
        done++;
    }
    return done > 0;
}

static void s_wait (s_thread_t *self, int64_t until_us)
{
    struct pollfd fds[4];
    for (int i = 0; i < 4; i++)
        fds[i] = (struct pollfd){.fd = (int) zsock_fd (i < 3 ? self->sockets[i] : self->pipe), .events = POLLIN};
    if (synod__relay_held (&self->topics))
        fds[S_XSUB].fd = -1; /* not looked at now: it would stay readable */
    int64_t wait_us = until_us - synod__now_us ();
    struct timespec timeout = {wait_us > 0 ? wait_us / 1000000 : 0, wait_us > 0 ? wait_us % 1000000 * 1000 : 0};
    ppoll (fds, 4, &timeout, NULL);
}

static void s_run (s_thread_t *self)
{
    while (!self->ended) {
        self->now_us = synod__now_us ();
        synod__routing_turn_begin (self->routing, self->now_us);
        bool busy = s_pass (self);
        int64_t until_us = synod__routing_turn_end (self->routing), due_us = synod__relay_due_us (&self->topics);
        /* what the turn's end sent may have taken the signal off a descriptor: one more pass tells */
        if (!busy && !s_pass (self))
            s_wait (self, due_us < until_us ? due_us : until_us);
    }
    for (int i = 0; i < S_DRAIN_PASSES && s_pass (self); i++)
        ;
}

/* ---- the thread ---- */

static int s_open (s_thread_t *self, synod_fault_t *fault)
{
    static const int types[3] = {ZMQ_ROUTER, ZMQ_XSUB, ZMQ_XPUB};
    synod_broker_t *broker = self->broker;
    const synod_broker_options_t *o = &broker->options;
    const char *endpoints[3] = {broker->listen, broker->publish, broker->subscribe};
    int hwms[3] = {(int) o->queue_hwm, (int) o->topic_hwm, (int) o->topic_hwm};
    for (int i = 0; i < 3; i++) {
        synod__socket_options_t options = {
            .type = types[i], .send_hwm = hwms[i], .receive_hwm = hwms[i], .no_drop = i == S_XPUB};
        self->sockets[i] = synod__socket_new (&options, fault);
        if (!self->sockets[i])
            return SYNOD_IO;
        int rc = synod__endpoint_bind (self->sockets[i], endpoints[i], broker->advertise, self->bound[i],
                                       broker->told[i], fault);
        if (rc != SYNOD_OK)
            return rc;
    }
    /* everything: a publisher starts when it has seen that */
    if (zmq_send (zsock_resolve (self->sockets[S_XSUB]), "\x01", 1, 0) != 1)
        return synod_fault (fault, SYNOD_IO, "cannot subscribe to the publishers: %s", zmq_strerror (errno));
    synod__routing_config_t config = {.incarnation = (uint64_t) synod__wall_us (),
                                      .publish = broker->told[S_XSUB],
                                      .subscribe = broker->told[S_XPUB],
                                      .heartbeat_ms = o->heartbeat_ms,
                                      .nodes_max = o->nodes_max};
    self->routing = synod__routing_new (&config, &s_ops, self);
    if (!self->routing || !synod__relay_init (&self->topics, self->sockets[S_XSUB], self->sockets[S_XPUB],
                                              o->patience_ms, s_dropped, self))
        return synod_fault (fault, SYNOD_NO_MEMORY, "memory ran out");
    return SYNOD_OK;
}

static void s_close (s_thread_t *self)
{
    synod__relay_free (&self->topics);
    synod__routing_destroy (&self->routing);
    for (int i = 0; i < 3; i++) {
        if (!self->sockets[i])
            continue;
        synod__endpoint_unbind (self->sockets[i], self->bound[i]);
        zsock_set_linger (self->sockets[i], (int) __atomic_load_n (&self->broker->linger_ms, __ATOMIC_ACQUIRE));
        zsock_destroy (&self->sockets[i]);
    }
}

static void s_thread (zsock_t *pipe, void *arg)
{
    s_thread_t self = {.broker = (synod_broker_t *) arg, .pipe = pipe};
    int rc = s_open (&self, &self.broker->fault);
    self.broker->fault.code = rc;
    __atomic_store_n (&self.broker->started, true, __ATOMIC_RELEASE);
    zsock_signal (pipe, 0); /* the start is over; how it went is in the fault */
    if (rc == SYNOD_OK)
        s_run (&self);
    s_close (&self);
}

/* ---- the public part ---- */

static void s_log_default (void *arg, int level, const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void) arg;
    if (level <= SYNOD_LOG_INFO)
        fprintf (stderr, "synod: broker: %s: %s\n", names[level], text);
}

static int s_endpoint (const char *given, const char *listen, const char *role, char *out, synod_fault_t *fault)
{
    if (!given || !*given)
        return synod__endpoint_beside (listen, role, out, fault);
    if (strlen (given) >= SYNOD__ENDPOINT_MAX)
        return synod_fault (fault, SYNOD_INVALID, "endpoint: expected at most %d bytes, got %zu",
                            SYNOD__ENDPOINT_MAX - 1, strlen (given));
    memcpy (out, given, strlen (given) + 1);
    return SYNOD_OK;
}

/* Copies the options, with the defaults filled in. */
static int s_options (synod_broker_t *self, const synod_broker_options_t *options, synod_fault_t *fault)
{
    synod_broker_options_t *o = &self->options;
    if (options)
        *o = *options;
    o->heartbeat_ms = o->heartbeat_ms > 0 ? o->heartbeat_ms : SYNOD_HEARTBEAT_MS;
    o->patience_ms = o->patience_ms > 0 ? o->patience_ms : 200;
    o->topic_hwm = o->topic_hwm > 0 ? o->topic_hwm : SYNOD_TOPIC_HWM;
    o->queue_hwm = o->queue_hwm > 0 ? o->queue_hwm : 1000;
    o->nodes_max = o->nodes_max > 0 ? o->nodes_max : 10000;
    o->log = o->log ? o->log : s_log_default;
    if (o->heartbeat_ms > 3600000 || o->topic_hwm > INT32_MAX || o->queue_hwm > INT32_MAX)
        return synod_fault (fault, SYNOD_INVALID, "heartbeat_ms: expected at most 3600000; high-water marks: %d",
                            INT32_MAX);
    int rc = s_endpoint (o->listen && *o->listen ? o->listen : "tcp://127.0.0.1:5570", NULL, NULL, self->listen, fault);
    if (rc == SYNOD_OK)
        rc = s_endpoint (o->publish, self->listen, "pub", self->publish, fault);
    if (rc == SYNOD_OK)
        rc = s_endpoint (o->subscribe, self->listen, "sub", self->subscribe, fault);
    if (rc == SYNOD_OK && o->advertise && strlen (o->advertise) > 200)
        rc = synod_fault (fault, SYNOD_INVALID, "advertise: expected a host of at most 200 bytes, got %zu",
                          strlen (o->advertise));
    if (rc == SYNOD_OK && o->advertise)
        memcpy (self->advertise, o->advertise, strlen (o->advertise) + 1);
    o->listen = o->publish = o->subscribe = o->advertise = NULL; /* borrowed: not ours to keep */
    return rc;
}

synod_broker_t *synod_broker_new (const synod_broker_options_t *options, synod_fault_t *fault)
{
    synod_broker_t *self = (synod_broker_t *) calloc (1, sizeof *self);
    if (!self) {
        synod_fault (fault, SYNOD_NO_MEMORY, "memory ran out");
        return NULL;
    }
    if (s_options (self, options, fault) != SYNOD_OK) {
        free (self);
        return NULL;
    }
    synod__sys_init ();
    sigset_t before = synod__signals_block ();
    self->actor = zactor_new (s_thread, self);
    synod__signals_restore (before);
    bool started = __atomic_load_n (&self->started, __ATOMIC_ACQUIRE); /* zactor_new has waited for it */
    if (self->actor && started && self->fault.code == SYNOD_OK)
        return self;
    if (self->actor && started)
        synod_fault (fault, self->fault.code, "%s", self->fault.text);
    else
        synod_fault (fault, SYNOD_IO, "cannot start the broker's thread");
    synod_broker_destroy (&self, 0);
    return NULL;
}

const char *synod_broker_endpoint (const synod_broker_t *self)
{
    assert (self);
    return self->told[S_ROUTER];
}

void *synod_broker_pipe (synod_broker_t *self)
{
    assert (self);
    return zactor_sock (self->actor);
}

void synod_broker_destroy (synod_broker_t **self_p, uint32_t linger_ms)
{
    assert (self_p);
    synod_broker_t *self = *self_p;
    if (!self)
        return;
    __atomic_store_n (&self->linger_ms, linger_ms, __ATOMIC_RELEASE);
    sigset_t before = synod__signals_block (); /* one would end zactor_destroy's waiting for a thread that has SELF */
    zactor_destroy (&self->actor);
    synod__signals_restore (before);
    free (self);
    *self_p = NULL;
}
