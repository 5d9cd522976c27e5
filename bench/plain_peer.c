/* SPDX-License-Identifier: MPL-2.0
 *
 * The roles of the benchmark on plain libzmq: one message a frame on zmq_msg_t, as its users do. Subscribers and
 * workers cannot be told from libzmq when the whole way to them stands, so senders send probes (of one byte) until the
 * driver has seen `ready`, which a receiver says on its first probe.
 */
#include "tools/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#define TOPIC      "bench." /* in front of every published message */
#define TOPIC_SIZE (sizeof TOPIC - 1)

typedef struct {
    const char *bus;
    uint64_t size;
    uint64_t count;
    uint64_t outstanding;
    uint64_t hwm;
    uint64_t quiet_ms;
    bool json;
    void *zctx;
    void *socket;
} peer_t;

static int failed (const char *what)
{
    fprintf (stderr, "plain_peer: %s: %s\n", what, zmq_strerror (zmq_errno ()));
    return 1;
}

static int peer_open (peer_t *self, int type)
{
    self->zctx = zmq_ctx_new ();
    self->socket = zmq_socket (self->zctx, type);
    int hwm = (int) self->hwm, on = 1, quiet_ms = (int) self->quiet_ms, for_ever = -1;
    if (!self->socket || zmq_setsockopt (self->socket, ZMQ_SNDHWM, &hwm, sizeof hwm) ||
        zmq_setsockopt (self->socket, ZMQ_RCVHWM, &hwm, sizeof hwm) ||
        zmq_setsockopt (self->socket, ZMQ_RCVTIMEO, &quiet_ms, sizeof quiet_ms) ||
        zmq_setsockopt (self->socket, ZMQ_LINGER, &for_ever, sizeof for_ever) ||
        (type == ZMQ_XPUB && zmq_setsockopt (self->socket, ZMQ_XPUB_NODROP, &on, sizeof on)) ||
        (type == ZMQ_SUB && zmq_setsockopt (self->socket, ZMQ_SUBSCRIBE, TOPIC, TOPIC_SIZE)) ||
        zmq_connect (self->socket, self->bus))
        return failed ("cannot connect");
    return 0;
}

/* Returns when all that was sent is on its way. */
static void peer_close (peer_t *self)
{
    zmq_close (self->socket);
    zmq_ctx_term (self->zctx);
}

/* Sends DATA with NUMBER in front; a probe when DATA is NULL. */
static int send_one (peer_t *self, const char *prefix, const char *data, uint64_t number)
{
    size_t prefix_size = strlen (prefix), size = data ? self->size : 1;
    zmq_msg_t message;
    if (zmq_msg_init_size (&message, prefix_size + size))
        return failed ("cannot make a message");
    char *at = zmq_msg_data (&message);
    memcpy (at, prefix, prefix_size);
    if (data) {
        memcpy (at + prefix_size, data, size);
        synod__measure_stamp (at + prefix_size, number);
    } else
        at[prefix_size] = 0;
    if (zmq_msg_send (&message, self->socket, 0) < 0) {
        zmq_msg_close (&message);
        return failed ("cannot send");
    }
    return 0;
}

static char *new_body (const peer_t *self)
{
    char *data = malloc (self->size);
    if (data)
        memset (data, 'x', self->size);
    else
        fprintf (stderr, "plain_peer: no memory\n");
    return data;
}

static int publish (peer_t *self)
{
    char *data = new_body (self);
    if (!data || peer_open (self, ZMQ_XPUB))
        return 1;
    synod__measure_ready ();
    int rc = 0;
    do {
        rc = send_one (self, TOPIC, NULL, 0);
    } while (!rc && !synod__measure_started (1));
    for (uint64_t i = 0; !rc && i < self->count; i++)
        rc = send_one (self, TOPIC, data, i);
    peer_close (self);
    free (data);
    return rc;
}

static int subscribe (peer_t *self)
{
    synod__measure_t run = {.system = "plain", .scenario = "topics", .size = (uint32_t) self->size};
    run.expected = self->count;
    if (synod__measure_init (&run, false) || peer_open (self, ZMQ_SUB))
        return 1;
    zmq_msg_t message;
    zmq_msg_init (&message);
    bool done = false, ready = false;
    while (!done && zmq_msg_recv (&message, self->socket, 0) >= 0) {
        const char *data = zmq_msg_data (&message);
        size_t size = zmq_msg_size (&message) - TOPIC_SIZE;
        if (size > 1)
            done = synod__measure_take (&run, data + TOPIC_SIZE, size);
        else if (!ready) {
            ready = true;
            synod__measure_ready ();
        }
    }
    zmq_msg_close (&message);
    int rc = synod__measure_report (&run, self->json);
    peer_close (self);
    return rc;
}

/* Sends probes until the driver says go, then takes all their answers. */
static int probe (peer_t *self)
{
    uint64_t under_way = 0;
    do {
        if (send_one (self, "", NULL, 0))
            return 1;
        under_way++;
    } while (!synod__measure_started (1));
    char c;
    while (under_way--)
        if (zmq_recv (self->socket, &c, 1, 0) < 0)
            return failed ("no answer to a probe");
    return 0;
}

static int ask (peer_t *self)
{
    synod__measure_t run = {.system = "plain", .scenario = "ask", .size = (uint32_t) self->size};
    run.expected = self->count;
    char *data = new_body (self);
    if (!data || synod__measure_init (&run, true) || peer_open (self, ZMQ_DEALER))
        return 1;
    synod__measure_ready ();
    int rc = probe (self);
    uint64_t sent = 0;
    zmq_msg_t message;
    zmq_msg_init (&message);
    bool done = false;
    while (!rc && !done) {
        while (!rc && sent < self->count && sent - run.received < self->outstanding) {
            synod__measure_sent (&run, sent);
            rc = send_one (self, "", data, sent++);
        }
        if (rc || zmq_msg_recv (&message, self->socket, 0) < 0)
            break;
        done = synod__measure_answer (&run, zmq_msg_data (&message), zmq_msg_size (&message));
    }
    zmq_msg_close (&message);
    if (synod__measure_report (&run, self->json))
        rc = 1;
    synod__measure_free (&run);
    peer_close (self);
    free (data);
    return rc;
}

/* Answers each ask with its own bytes, until it is killed. */
static int serve (peer_t *self)
{
    self->quiet_ms = INT32_MAX;
    if (peer_open (self, ZMQ_DEALER))
        return 1;
    bool ready = false;
    zmq_msg_t message;
    zmq_msg_init (&message);
    while (zmq_msg_recv (&message, self->socket, 0) >= 0) {
        bool more = zmq_msg_more (&message);
        if (!more && !ready) {
            ready = true;
            synod__measure_ready ();
        }
        if (zmq_msg_send (&message, self->socket, more ? ZMQ_SNDMORE : 0) < 0)
            break;
    }
    return failed ("cannot serve");
}

int main (int argc, char **argv)
{
    peer_t self = {.bus = NULL, .size = 64, .count = 100000, .outstanding = 1, .quiet_ms = 5000};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the proxy's endpoint for this role"},
        {"size", SYNOD__OPTION_NUMBER, &self.size, "bytes of data in a message (default 64)"},
        {"count", SYNOD__OPTION_NUMBER, &self.count, "messages (default 100000)"},
        {"outstanding", SYNOD__OPTION_NUMBER, &self.outstanding, "asks under way at a time (default 1)"},
        {"hwm", SYNOD__OPTION_NUMBER, &self.hwm, "messages queued (default 0: no limit)"},
        {"quiet", SYNOD__OPTION_NUMBER, &self.quiet_ms, "ms without a message after which the rest is lost"},
        {"json", SYNOD__OPTION_FLAG, &self.json, "print the run as JSON"},
        {NULL, 0, NULL, NULL}};
    const char *usage = "plain_peer publish|subscribe|ask|serve --bus ENDPOINT";
    const char *role = argc > 1 ? argv[1] : "--help";
    int rc = synod__options_parse (argc - (role[0] != '-'), argv + (role[0] != '-'), usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    int (*run) (peer_t *) = strcmp (role, "publish") == 0     ? publish
                            : strcmp (role, "subscribe") == 0 ? subscribe
                            : strcmp (role, "ask") == 0       ? ask
                            : strcmp (role, "serve") == 0     ? serve
                                                              : NULL;
    if (!run || !self.bus || self.size < SYNOD__MEASURE_SIZE_MIN || self.outstanding == 0) {
        fprintf (stderr, "usage: %s; sizes of %d or more, outstanding of 1 or more\n", usage, SYNOD__MEASURE_SIZE_MIN);
        return 2;
    }
    return run (&self);
}
