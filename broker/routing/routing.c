/* SPDX-License-Identifier: MPL-2.0
 *
 * The way of a frame. One from a member whose header begins as its identity says, for a node that is here, costs two
 * look-ups and a comparison; everything else is looked at more closely. Envelopes are not read here.
 */
#include <assert.h>
#include <stdlib.h>
#include "internal.h"

/* ---- undeliverable mail ---- */

void synod__routing_return (synod__routing_t *self, synod_str_t identity, synod__member_t *m, const void *data,
                            size_t size, int code, const char *message)
{
    synod_str_t address = synod_str_n (data, synod__address_size (data, size)), name = {0};
    uint64_t incarnation;
    synod__returned_t returned = {
        .code = synod_str (synod_error_name (code)), .message = synod_str (message), .frame = synod_str_n (data, size)};
    int rc = SYNOD_TOO_LARGE;
    synod__identity_parse (identity, &name, &incarnation);
    if (size <= SYNOD_FRAME_MAX)
        rc = m ? synod__tell_member (self, m, &synod__returned_record, &returned)
               : synod__tell_identity (self, identity, name, &synod__returned_record, &returned);
    if (rc == SYNOD_OK)
        self->stats.returned++;
    if (rc != SYNOD_OK || code == SYNOD_BUSY)
        synod__losses_add (self, name, address, message, synod__losses_count (data, size));
}

static void s_return (synod__routing_t *self, synod__member_t *m, const void *data, size_t size, int code,
                      const char *message)
{
    synod__routing_return (self, synod__member_identity (m), m, data, size, code, message);
}

/* Nobody is at ADDRESS; or it is no address. */
static void s_no_route (synod__routing_t *self, synod__member_t *m, synod_str_t address, const void *data, size_t size)
{
    synod_address_t parsed;
    synod_fault_t fault;
    if (synod__address_parse (address, &parsed, &fault) != SYNOD_OK)
        self->stats.malformed++;
    else if (parsed.node.data)
        synod_fault (&fault, SYNOD_NO_ROUTE, "no node \"%.*s\" is on this bus", SYNOD_STR (parsed.node));
    else
        synod_fault (&fault, SYNOD_NO_ROUTE, "no node on this bus runs \"%.*s\"", SYNOD_STR (parsed.actor));
    /* a wrong address may hold anything; a message is text */
    for (char *p = fault.text; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    s_return (self, m, data, size, fault.code, fault.text);
}

static void s_failed (synod__routing_t *self, synod__member_t *m, synod__member_t *to, const void *data, size_t size,
                      int rc)
{
    synod_fault_t fault;
    if (rc == SYNOD_BUSY)
        synod_fault (&fault, SYNOD_BUSY, "the queue to node \"%.*s\" is full", SYNOD_STR (synod__member_name (to)));
    else
        synod_fault (&fault, SYNOD_NODE_DOWN, "node \"%.*s\" is not connected any more",
                     SYNOD_STR (synod__member_name (to)));
    if (m != to || rc == SYNOD_BUSY)
        s_return (self, m, data, size, fault.code, fault.text);
}

/* ---- the way of a frame ---- */

/* One of the nodes that run an actor: by turns, or always the same for the same key while they stay the same. */
static void s_route_any (synod__routing_t *self, synod__member_t *m, synod_str_t address, uint32_t actor_size,
                         const void *data, size_t size)
{
    synod__service_t *service = synod__directory_actor (self->directory, synod_str_n (address.data, actor_size));
    if (!service || service->npeers == 0) {
        s_no_route (self, m, address, data, size);
        return;
    }
    bool keyed = actor_size < address.size;
    uint32_t at = keyed ? (uint32_t) XXH3_64bits (address.data, address.size) : service->turn++;
    synod__member_t *to = NULL;
    int rc = SYNOD_NODE_DOWN;
    for (uint32_t tries = 0; tries < service->npeers; tries++) {
        synod__member_t *next = (synod__member_t *) service->peers[(at + tries) % service->npeers]->user;
        if (next->doomed)
            continue;
        to = next;
        rc = self->ops->forward (self->host, synod__member_identity (to));
        if (rc == SYNOD_OK) {
            self->stats.forwarded++;
            return;
        }
        if (rc == SYNOD_NODE_DOWN)
            synod__member_doom (self, to, true);
        else if (keyed)
            break; /* a full queue: another node's would change the order */
    }
    if (to)
        s_failed (self, m, to, data, size, rc);
    else
        s_no_route (self, m, address, data, size);
}

static inline void s_route (synod__routing_t *self, synod__member_t *m, synod_str_t address, const void *data,
                            size_t size)
{
    uint32_t at = 0;
    while (at < address.size && address.data[at] != '/' && address.data[at] != '#')
        at++;
    if (at == address.size || address.data[at] == '#') {
        s_route_any (self, m, address, at, data, size);
        return;
    }
    synod__peer_t *peer = synod__directory_node (self->directory, synod_str_n (address.data, at));
    if (!peer) {
        s_no_route (self, m, address, data, size);
        return;
    }
    synod__member_t *to = (synod__member_t *) peer->user;
    int rc = self->ops->forward (self->host, synod__member_identity (to));
    if (rc == SYNOD_OK) {
        self->stats.forwarded++;
        return;
    }
    if (rc == SYNOD_NODE_DOWN)
        synod__member_doom (self, to, true);
    s_failed (self, m, to, data, size, rc);
}

bool synod__routing_open (synod__routing_t *self, synod_str_t identity, synod_str_t name, uint64_t incarnation,
                          const void *data, size_t size, synod_frame_t *frame)
{
    synod_fault_t fault = {0};
    int rc = synod__frame_open (frame, data, size, &fault);
    if (rc == SYNOD_OK && (!synod_str_same (frame->node, name) || frame->incarnation != incarnation))
        rc = synod_fault (&fault, SYNOD_BAD_FRAME,
                          "header: expected node \"%.*s\" and incarnation %llu, as the socket's routing id says, got "
                          "\"%.*s\" and %llu",
                          SYNOD_STR (name), (unsigned long long) incarnation, SYNOD_STR (frame->node),
                          (unsigned long long) frame->incarnation);
    if (rc == SYNOD_OK)
        return true;
    self->stats.malformed++;
    synod__error_identity (self, identity, name, rc, fault.text);
    return false;
}

static bool s_for_broker (synod_str_t address)
{
    size_t size = strlen (SYNOD_BROKER);
    return address.size >= size && memcmp (address.data, SYNOD_BROKER, size) == 0 &&
           (address.size == size || address.data[size] == '/' || address.data[size] == '#');
}

/* A heartbeat alone is of no interest to whoever reads the tap. */
static bool s_heartbeat (synod_frame_t frame)
{
    synod_envelope_t e;
    return synod__frame_next (&frame, &e, NULL) == SYNOD_OK && synod_str_is (e.method, synod__heartbeat_record.name) &&
           frame.rest.at == frame.rest.end;
}

static void s_frame (synod__routing_t *self, synod__member_t *m, synod_str_t identity, const void *data, size_t size)
{
    synod_frame_t frame;
    synod_str_t address = synod_str_n (data, synod__address_size (data, size));
    bool plain = address.size > 0 && size - address.size - 1 >= m->head_size &&
                 memcmp (address.data + address.size + 1, m->head, m->head_size) == 0;
    if (!plain && !synod__routing_open (self, identity, synod__member_name (m), m->incarnation, data, size, &frame))
        return;
    if (address.data[0] == '$' && s_for_broker (address)) {
        if (plain && !synod__routing_open (self, identity, synod__member_name (m), m->incarnation, data, size, &frame))
            return;
        if (self->tap && !s_heartbeat (frame))
            synod__tap_frame (self, data, size);
        synod__control (self, identity, &frame);
        return;
    }
    if (m->state == SYNOD__CLAIMING) {
        s_return (self, m, data, size, SYNOD_NO_ROUTE, "the sender has not joined: its name is claimed, not yet given");
        return;
    }
    if (self->tap)
        synod__tap_frame (self, data, size);
    s_route (self, m, address, data, size);
}

void synod__routing_frame (synod__routing_t *self, synod_str_t identity, const void *data, size_t size)
{
    synod__member_t *m = synod__member_find (self, identity);
    self->stats.received++;
    if (m) {
        m->seen_us = self->now_us;
        if (m->claimant)
            synod__member_lives (self, m);
        s_frame (self, m, identity, data, size);
    } else
        synod__control_stranger (self, identity, data, size);
    if (self->doomed)
        synod__members_bury (self);
}

void synod__routing_garbage (synod__routing_t *self, synod_str_t identity, const char *what)
{
    synod_str_t name = {0};
    uint64_t incarnation;
    synod_fault_t fault;
    self->stats.received++;
    self->stats.malformed++;
    synod_fault (&fault, SYNOD_BAD_FRAME, "message: expected one frame, got %s", what);
    synod__identity_parse (identity, &name, &incarnation);
    synod__error_identity (self, identity, name, fault.code, fault.text);
}

/* ---- topics ---- */

static void s_tap (synod__routing_t *self)
{
    bool on = self->tap_prefix || self->tap_exact;
    if (on == self->tap)
        return;
    self->tap = on;
    synod__tap_t tap = {.on = on};
    synod__member_t *m;
    DL_FOREACH (self->members, m)
    if (m->state == SYNOD__JOINED && synod__tell_member (self, m, &synod__tap_record, &tap) == SYNOD_OK)
        m->tap_told = on;
}

void synod__routing_subscribed (synod__routing_t *self, const void *prefix, size_t size, bool on)
{
    static const char tap[] = SYNOD_TOPIC_TAP, echo[] = SYNOD_TOPIC_ECHO;
    const char *bytes = (const char *) prefix;
    if (size == sizeof tap - 1 && memcmp (bytes, tap, size) == 0)
        self->tap_prefix = on;
    else if (size == sizeof tap && memcmp (bytes, tap, size) == 0)
        self->tap_exact = on;
    s_tap (self);
    synod_str_t topic = synod_str_n (prefix, size > 0 ? size - 1 : 0);
    if (on && topic.size > sizeof echo - 1 && memcmp (bytes, echo, sizeof echo - 1) == 0 && bytes[size - 1] == '\0' &&
        synod__topic_check (topic, NULL) == SYNOD_OK)
        synod__publish (self, topic, "subscribed", NULL, NULL);
    if (self->doomed)
        synod__members_bury (self);
}

void synod__routing_topic_dropped (synod__routing_t *self, const void *data, size_t size)
{
    synod_frame_t frame;
    if (synod__frame_open (&frame, data, size, NULL) != SYNOD_OK) {
        self->stats.malformed++;
        return;
    }
    synod__losses_add (self, frame.node, frame.address, "a subscriber did not take it in time",
                       synod__losses_count (data, size));
}

/* ---- life ---- */

synod__routing_t *synod__routing_new (const synod__routing_config_t *config, const synod__routing_ops_t *ops,
                                      void *host)
{
    synod__routing_t *self = (synod__routing_t *) calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->directory = synod__directory_new ();
    if (!self->directory) {
        free (self);
        return NULL;
    }
    assert (strlen (config->publish) < sizeof self->publish && strlen (config->subscribe) < sizeof self->subscribe);
    memcpy (self->publish, config->publish, strlen (config->publish));
    memcpy (self->subscribe, config->subscribe, strlen (config->subscribe));
    self->config = *config;
    self->config.publish = self->publish;
    self->config.subscribe = self->subscribe;
    self->ops = ops;
    self->host = host;
    self->started_us = -1;
    self->scan_us = (int64_t) config->heartbeat_ms * 1000 / 4;
    return self;
}

void synod__routing_destroy (synod__routing_t **self_p)
{
    assert (self_p);
    synod__routing_t *self = *self_p;
    if (!self)
        return;
    synod__members_free (self);
    synod__losses_free (self);
    synod__directory_destroy (&self->directory);
    synod__batch_free (&self->batch);
    synod__batch_free (&self->copy);
    synod_buf_free (&self->body);
    synod_buf_free (&self->items);
    synod_buf_free (&self->scratch);
    synod_buf_free (&self->gone_items);
    free (self);
    *self_p = NULL;
}

void synod__routing_turn_begin (synod__routing_t *self, int64_t now_us)
{
    if (self->started_us < 0) {
        self->started_us = now_us;
        self->scan_at_us = now_us + self->scan_us;
        self->drops_at_us = now_us + (int64_t) self->config.heartbeat_ms * 1000;
    }
    assert (now_us >= self->now_us);
    self->now_us = now_us;
}

int64_t synod__routing_turn_end (synod__routing_t *self)
{
    synod__members_bury (self);
    if (self->now_us >= self->scan_at_us) {
        /* this thread slept, or the whole machine: what came meanwhile has not been read yet */
        int64_t late_us = self->now_us - self->scan_at_us;
        synod__member_t *m;
        if (late_us > self->scan_us)
            DL_FOREACH (self->members, m)
        m->seen_us += late_us < self->now_us - m->seen_us ? late_us : self->now_us - m->seen_us;
        synod__members_scan (self);
        synod__members_bury (self);
        self->scan_at_us = self->now_us + self->scan_us;
    }
    if (self->now_us >= self->drops_at_us) {
        synod__losses_publish (self);
        self->drops_at_us = self->now_us + (int64_t) self->config.heartbeat_ms * 1000;
    }
    if (self->news && self->now_us >= self->news_at_us) {
        synod__changes_send (self);
        synod__members_bury (self);
    }
    int64_t next_us = self->scan_at_us < self->drops_at_us ? self->scan_at_us : self->drops_at_us;
    return self->news && self->news_at_us < next_us ? self->news_at_us : next_us;
}

synod__routing_stats_t synod__routing_stats (const synod__routing_t *self)
{
    synod__routing_stats_t stats = self->stats;
    stats.joined = self->njoined;
    stats.members = self->nmembers;
    stats.tapped = self->tap;
    return stats;
}
