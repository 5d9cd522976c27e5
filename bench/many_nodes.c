/* SPDX-License-Identifier: MPL-2.0
 *
 * A crowd of nodes, for the memory that a broker takes: each has a connection of its own, says hello with one actor,
 * keeps up with the directory and sends heartbeats, as a real node does. Says `ready` when the broker has welcomed
 * every one of them, and goes on until it is killed.
 */
#include "protocol/address.h"
#include "protocol/catalogue.h"
#include "protocol/frame.h"
#include "tools/measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#define JOIN_MS 60000
#define ACTOR   "worker"

typedef struct {
    void *socket;
    char name[SYNOD_NAME_MAX + 1];
    bool welcome;
} member_t;

typedef struct {
    const char *bus;
    uint64_t count;
    uint64_t heartbeat_ms;
    uint64_t incarnation;
    uint64_t welcomed;
    void *zctx;
    member_t *members;
    zmq_pollitem_t *items;
    synod__batch_t batch;
} crowd_t;

static int failed (const char *what, const char *why)
{
    fprintf (stderr, "many_nodes: %s: %s\n", what, why);
    return 1;
}

static int member_send (crowd_t *self, member_t *member, const synod_record_t *record, const char *method,
                        const void *body)
{
    synod_fault_t fault = {0};
    synod_envelope_t envelope = {.kind = SYNOD_KIND_TELL, .method = synod_str (method)};
    int rc =
        synod__batch_begin (&self->batch, synod_str (SYNOD_BROKER), synod_str (member->name), self->incarnation, 0);
    if (rc == SYNOD_OK)
        rc = synod__batch_add_record (&self->batch, &envelope, record, body, &fault);
    if (rc != SYNOD_OK)
        return failed (method, fault.code ? fault.text : synod_error_name (rc));
    if (zmq_send (member->socket, self->batch.buf.data, self->batch.buf.size, ZMQ_DONTWAIT) < 0)
        return failed (method, zmq_strerror (zmq_errno ()));
    return 0;
}

static int member_hello (crowd_t *self, member_t *member)
{
    synod_buf_t actors = {0}, entries = {0};
    synod__actor_at_t actor = {.name = synod_str (ACTOR)};
    synod__entry_t entry = {
        .node = synod_str (member->name), .incarnation = self->incarnation, .host = synod_str ("many-nodes")};
    synod__hello_t hello = {.heartbeat_ms = self->heartbeat_ms, .directory = true};
    synod_fault_t fault = {0};
    int rc = synod_list_add (&entry.actors, &actors, &synod__actor_at_record, &actor, &fault);
    if (rc == SYNOD_OK)
        rc = synod_list_add (&hello.self, &entries, &synod__entry_record, &entry, &fault);
    rc = rc == SYNOD_OK ? member_send (self, member, &synod__hello_record, "hello", &hello)
                        : failed ("hello", fault.text);
    synod_buf_free (&actors);
    synod_buf_free (&entries);
    return rc;
}

static int member_open (crowd_t *self, uint64_t index)
{
    member_t *member = &self->members[index];
    char identity[SYNOD__IDENTITY_MAX + 1];
    int no_limit = 0;
    snprintf (member->name, sizeof member->name, "crowd-%" PRIu64, index);
    size_t size = synod__identity (synod_str (member->name), self->incarnation, 0, identity);
    member->socket = zmq_socket (self->zctx, ZMQ_DEALER);
    if (!member->socket || zmq_setsockopt (member->socket, ZMQ_ROUTING_ID, identity, size) ||
        zmq_setsockopt (member->socket, ZMQ_RCVHWM, &no_limit, sizeof no_limit) ||
        zmq_setsockopt (member->socket, ZMQ_LINGER, &no_limit, sizeof no_limit) ||
        zmq_connect (member->socket, self->bus))
        return failed ("cannot connect", zmq_strerror (zmq_errno ()));
    self->items[index] = (zmq_pollitem_t){.socket = member->socket, .events = ZMQ_POLLIN};
    return member_hello (self, member);
}

/* A frame of the broker's: only what bears on being connected matters here. */
static int member_take (crowd_t *self, member_t *member, const void *data, size_t size)
{
    synod_frame_t frame;
    synod_envelope_t envelope;
    synod_fault_t fault = {0};
    if (synod__frame_open (&frame, data, size, &fault) != SYNOD_OK)
        return failed ("a frame of the broker", fault.text);
    while (synod__frame_next (&frame, &envelope, &fault) == SYNOD_OK) {
        if (synod_str_is (envelope.method, "refused")) {
            synod__refused_t refused;
            if (synod_record_unpack (&synod__refused_record, envelope.body, &refused, &fault) != SYNOD_OK)
                return failed ("refused", fault.text);
            fprintf (stderr, "many_nodes: %s was refused: %.*s\n", member->name, SYNOD_STR (refused.message));
            return 1;
        }
        if (synod_str_is (envelope.method, "welcome") && !member->welcome) {
            member->welcome = true;
            if (++self->welcomed == self->count)
                synod__measure_ready ();
        }
        if (synod_str_is (envelope.method, "again") && member_hello (self, member))
            return 1;
    }
    return 0;
}

/* Takes what has come to all members, waiting TIMEOUT_MS for it. */
static int take_all (crowd_t *self, long timeout_ms)
{
    if (zmq_poll (self->items, (int) self->count, timeout_ms) < 0)
        return failed ("cannot poll", zmq_strerror (zmq_errno ()));
    zmq_msg_t message;
    zmq_msg_init (&message);
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < self->count; i++)
        while (rc == 0 && (self->items[i].revents & ZMQ_POLLIN) &&
               zmq_msg_recv (&message, self->items[i].socket, ZMQ_DONTWAIT) >= 0)
            rc = member_take (self, &self->members[i], zmq_msg_data (&message), zmq_msg_size (&message));
    zmq_msg_close (&message);
    return rc;
}

static int live (crowd_t *self)
{
    int64_t start_ns = synod__measure_now_ns (), beat_ns = start_ns;
    int64_t heartbeat_ns = (int64_t) self->heartbeat_ms * 1000000;
    int rc = 0;
    while (rc == 0) {
        int64_t now_ns = synod__measure_now_ns ();
        if (self->welcomed < self->count && now_ns - start_ns > JOIN_MS * INT64_C (1000000)) {
            fprintf (stderr, "many_nodes: the broker welcomed %" PRIu64 " of %" PRIu64 " within %d s\n", self->welcomed,
                     self->count, JOIN_MS / 1000);
            return 3;
        }
        if (now_ns - beat_ns >= heartbeat_ns) {
            synod__heartbeat_t heartbeat = {0};
            beat_ns = now_ns;
            for (uint64_t i = 0; rc == 0 && i < self->count; i++)
                if (self->members[i].welcome)
                    rc = member_send (self, &self->members[i], &synod__heartbeat_record, "heartbeat", &heartbeat);
        }
        if (rc == 0)
            rc = take_all (self, (long) self->heartbeat_ms / 4);
    }
    return rc;
}

int main (int argc, char **argv)
{
    crowd_t self = {.count = 1000, .heartbeat_ms = SYNOD_HEARTBEAT_MS};
    const synod__option_t options[] = {
        {"bus", SYNOD__OPTION_TEXT, &self.bus, "the broker's endpoint"},
        {"nodes", SYNOD__OPTION_NUMBER, &self.count, "how many (default 1000)"},
        {"heartbeat", SYNOD__OPTION_NUMBER, &self.heartbeat_ms, "ms between heartbeats (default 1000)"},
        {NULL, 0, NULL, NULL}};
    int rc = synod__options_parse (argc, argv, "many_nodes --bus ENDPOINT", options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.bus || self.count < 1 || self.count > 10000 || self.heartbeat_ms < 4) {
        fprintf (stderr, "many_nodes: expected --bus, 1 to 10000 nodes and a heartbeat of 4 ms or more\n");
        return 2;
    }
    self.incarnation = (uint64_t) synod__measure_now_ns ();
    self.members = calloc (self.count, sizeof *self.members);
    self.items = calloc (self.count, sizeof *self.items);
    self.zctx = zmq_ctx_new ();
    if (!self.members || !self.items || !self.zctx || zmq_ctx_set (self.zctx, ZMQ_MAX_SOCKETS, (int) self.count + 16))
        return failed ("cannot start", "no memory or too many sockets");
    for (uint64_t i = 0; rc == 0 && i < self.count; i++)
        rc = member_open (&self, i);
    if (rc == 0)
        rc = live (&self);
    synod__batch_free (&self.batch);
    return rc;
}
