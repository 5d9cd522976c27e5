/* SPDX-License-Identifier: MPL-2.0
 *
 * What a runtime may do in the world: send, publish, connect, subscribe. A connection stands as soon as both ends are
 * there, and has a number; what was on its way when it broke is lost. The broker is its real routing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "memory_internal.h"

enum { LANE_MAIL, LANE_TOPIC, LANE_SUB, LANE_LINKS }; /* a link L has the lane LANE_LINKS + L */

mh_link_t *mh_link (mh_node_t *node, uint32_t id)
{
    for (mh_link_t *link = node->links; link; link = link->next)
        if (link->id == id)
            return link;
    return NULL;
}

static int s_lane (uint32_t link)
{
    return link ? LANE_LINKS + (int) link : LANE_MAIL;
}

static void s_count (mh_t *self, const synod_buf_t *frame)
{
    if (self->nseen == self->seen_capacity) {
        self->seen_capacity = self->seen_capacity ? self->seen_capacity * 2 : 1024;
        self->seen = (char (*)[SYNOD_ADDRESS_MAX + 1]) realloc (self->seen, self->seen_capacity * sizeof *self->seen);
    }
    snprintf (self->seen[self->nseen++], sizeof *self->seen, "%s", frame->data);
}

uint32_t mh_count (const mh_t *self, const char *address)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->nseen; i++)
        count += !address || strcmp (self->seen[i], address) == 0;
    return count;
}

void mh_count_clear (mh_t *self)
{
    self->nseen = 0;
}

static void s_copy (synod_buf_t *to, const void *data, size_t size)
{
    to->size = 0;
    if (synod__buf_add (to, data, size))
        abort ();
}

/* The event of a frame on its way, or NULL where the filter took it. */
static mh_event_t *s_frame (mh_t *self, mh_kind_t kind, const char *from, const char *to, uint32_t link,
                            const void *data, size_t size)
{
    mh_passing_t passing = {from, to, kind != EV_FRAME, link != 0, data, size};
    mh_verdict_t verdict = self->filter ? self->filter (self->filter_arg, &passing) : MH_PASS;
    if (verdict == MH_DROP)
        return NULL;
    if (verdict == MH_PASS) {
        mh_event_t *event = mh_event (self, kind, from, to, kind == EV_FRAME ? s_lane (link) : LANE_TOPIC);
        s_copy (&event->data, data, size);
        return event;
    }
    mh_event_t *event = (mh_event_t *) calloc (1, sizeof *event);
    event->kind = kind;
    event->link = link;
    snprintf (event->from, sizeof event->from, "%s", from);
    snprintf (event->to, sizeof event->to, "%s", to);
    s_copy (&event->data, data, size);
    *(self->held_last ? &self->held_last->next : &self->held_first) = event;
    self->held_last = event;
    return event;
}

/* ---- operations ---- */

static int s_send_ (mh_node_t *node, uint32_t id, synod_buf_t *frame)
{
    mh_t *self = node->world;
    mh_link_t *link = mh_link (node, id);
    if (!node->alive)
        return SYNOD_OK;
    if (!link || !link->up || link->blocked)
        return SYNOD_BUSY;
    s_count (self, frame);
    mh_event_t *event = s_frame (self, EV_FRAME, node->name, link->to, id, frame->data, frame->size);
    if (event)
        snprintf (event->identity, sizeof event->identity, "%s", node->identity);
    return SYNOD_OK;
}

static int s_send (void *host, uint32_t id, synod_buf_t *frame)
{
    mh_in_runtime = false;
    int rc = s_send_ ((mh_node_t *) host, id, frame);
    mh_in_runtime = true;
    return rc;
}

static bool s_joined (const mh_node_t *node, const char *endpoint)
{
    for (int i = 0; i < 32; i++)
        if (strcmp (node->joined[i], endpoint) == 0)
            return true;
    return false;
}

static bool s_any_sub (const mh_node_t *node, const void *data, size_t size)
{
    for (const mh_sub_t *sub = node->subs; sub; sub = sub->next)
        if (size >= sub->size && memcmp (data, sub->bytes, sub->size) == 0)
            return true;
    return false;
}

bool mh_wants (const mh_node_t *node, const void *data, size_t size)
{
    return s_any_sub (node, data, size);
}

static int s_publish (void *host, synod_buf_t *frame)
{
    mh_node_t *node = (mh_node_t *) host;
    mh_t *self = node->world;
    if (!node->alive)
        return SYNOD_OK;
    if (node->topics_blocked || (self->brokered && !node->topics_open))
        return SYNOD_BUSY;
    mh_in_runtime = false;
    if (self->brokered)
        s_frame (self, EV_PUBLISH, node->name, MH_BROKER, 0, frame->data, frame->size);
    /* XPUB filters by what it has heard of subscriptions; those of a subscriber are heard after the latency */
    for (mh_node_t *other = self->nodes; other && !self->brokered; other = other->next)
        if (other->alive && s_joined (other, node->topics))
            s_frame (self, EV_TOPIC, node->name, other->name, 0, frame->data, frame->size);
    mh_in_runtime = true;
    return SYNOD_OK;
}

static void s_answer (void *host, synod_str_t identity, synod_buf_t *frame)
{
    mh_node_t *node = (mh_node_t *) host;
    mh_t *self = node->world;
    mh_in_runtime = false;
    for (mh_node_t *other = self->nodes; other; other = other->next) {
        mh_link_t *link = other->links;
        while (link && (strcmp (link->to, node->name) != 0 || !link->up))
            link = link->next;
        if (other->alive && link && synod_str_is (identity, other->identity)) {
            s_frame (self, EV_FRAME, node->name, other->name, link->id, frame->data, frame->size);
            break;
        }
    }
    mh_in_runtime = true;
}

void mh_subscribe_at (mh_node_t *node, const char *publisher, const char *prefix, size_t size, bool on)
{
    mh_event_t *event = mh_event (node->world, EV_SUBSCRIBED, node->name, publisher, LANE_SUB);
    s_copy (&event->data, prefix, size);
    event->on = on;
}

static void s_subscribe_all (mh_node_t *node, const char *prefix, size_t size, bool on)
{
    if (node->world->brokered && node->topics_open)
        mh_subscribe_at (node, MH_BROKER, prefix, size, on);
    for (int i = 0; i < 32; i++)
        if (node->joined[i][0] && mh_find (node->world, node->joined[i] + 4))
            mh_subscribe_at (node, node->joined[i] + 4, prefix, size, on);
}

static void s_subscribe (void *host, const char *prefix, size_t size)
{
    mh_node_t *node = (mh_node_t *) host;
    mh_in_runtime = false;
    mh_sub_t *sub = (mh_sub_t *) calloc (1, sizeof *sub);
    memcpy (sub->bytes, prefix, size);
    sub->size = size;
    sub->next = node->subs;
    node->subs = sub;
    s_subscribe_all (node, prefix, size, true);
    mh_in_runtime = true;
}

static void s_unsubscribe (void *host, const char *prefix, size_t size)
{
    mh_node_t *node = (mh_node_t *) host;
    mh_in_runtime = false;
    for (mh_sub_t **at = &node->subs; *at; at = &(*at)->next) {
        mh_sub_t *sub = *at;
        if (sub->size != size || memcmp (sub->bytes, prefix, size) != 0)
            continue;
        *at = sub->next;
        free (sub);
        s_subscribe_all (node, prefix, size, false);
        break;
    }
    mh_in_runtime = true;
}

static const char *s_listen (void *host)
{
    mh_node_t *node = (mh_node_t *) host;
    node->listening = true;
    return node->endpoint;
}

static int s_link_open (void *host, uint32_t id, const char *endpoint)
{
    mh_node_t *node = (mh_node_t *) host;
    const char *colon = strchr (endpoint, ':');
    if (!colon || (strncmp (endpoint, "mem:", 4) != 0 && strncmp (endpoint, "alias:", 6) != 0))
        return SYNOD_INVALID;
    mh_in_runtime = false;
    mh_link_t *link = (mh_link_t *) calloc (1, sizeof *link);
    link->id = id;
    snprintf (link->to, sizeof link->to, "%s", colon + 1);
    link->next = node->links;
    node->links = link;
    mh_connect_all (node->world);
    mh_in_runtime = true;
    return SYNOD_OK;
}

static void s_link_close (void *host, uint32_t id)
{
    mh_node_t *node = (mh_node_t *) host;
    for (mh_link_t **at = &node->links; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            mh_link_t *link = *at;
            *at = link->next;
            free (link);
            return;
        }
}

static int s_topics_open (void *host, const char *publish, const char *subscribe)
{
    mh_node_t *node = (mh_node_t *) host;
    if (strncmp (publish, "mem:", 4) != 0 || strncmp (subscribe, "mem:", 4) != 0)
        return SYNOD_INVALID;
    mh_in_runtime = false;
    node->topics_open = true;
    for (const mh_sub_t *sub = node->subs; sub; sub = sub->next)
        mh_subscribe_at (node, MH_BROKER, sub->bytes, sub->size, true);
    mh_event (node->world, EV_PUBLISHABLE, MH_BROKER, node->name, LANE_MAIL);
    mh_in_runtime = true;
    return SYNOD_OK;
}

static int s_topics_join (void *host, const char *endpoint)
{
    mh_node_t *node = (mh_node_t *) host;
    if (strncmp (endpoint, "pub:", 4) != 0)
        return SYNOD_INVALID;
    mh_in_runtime = false;
    for (int i = 0; i < 32 && !s_joined (node, endpoint); i++)
        if (!node->joined[i][0])
            snprintf (node->joined[i], sizeof node->joined[i], "%s", endpoint);
    for (const mh_sub_t *sub = node->subs; sub; sub = sub->next)
        if (mh_find (node->world, endpoint + 4))
            mh_subscribe_at (node, endpoint + 4, sub->bytes, sub->size, true);
    mh_in_runtime = true;
    return SYNOD_OK;
}

static void s_topics_leave (void *host, const char *endpoint)
{
    mh_node_t *node = (mh_node_t *) host;
    for (int i = 0; i < 32; i++)
        if (strcmp (node->joined[i], endpoint) == 0)
            node->joined[i][0] = 0;
}

static uint64_t s_random (void *host)
{
    return mh_random (((mh_node_t *) host)->world);
}

static int64_t s_wall_us (void *host)
{
    return 1700000000000000 + ((mh_node_t *) host)->world->now_us;
}

static void s_log (void *host, int level, const char *actor, const char *text)
{
    mh_node_t *node = (mh_node_t *) host;
    if (node->world->settings.loud)
        fprintf (stderr, "%8.3f %d %s/%s: %s\n", (double) node->world->now_us / 1000, level, node->name, actor, text);
}

const synod__host_t mh_ops = {s_send,         s_publish,   s_answer,     s_subscribe,   s_unsubscribe,
                              s_listen,       s_link_open, s_link_close, s_topics_open, s_topics_join,
                              s_topics_leave, s_random,    s_wall_us,    s_log};

/* ---- connections ---- */

void mh_connect_all (mh_t *self)
{
    for (mh_node_t *node = self->nodes; node; node = node->next)
        for (mh_link_t *link = node->links; link && node->alive; link = link->next) {
            bool broker = strcmp (link->to, MH_BROKER) == 0;
            const mh_node_t *there = broker ? NULL : mh_find (self, link->to);
            bool open = broker ? self->routing != NULL : there && (!self->brokered || there->listening);
            if (!open || link->connection)
                continue;
            link->connection = ++self->connections;
            mh_event_t *event = mh_event (self, EV_UP, link->to, node->name, s_lane (link->id));
            event->link = link->id;
            event->connection = link->connection;
        }
}

static void s_break (mh_node_t *node, mh_link_t *link)
{
    mh_t *self = node->world;
    if (!link->connection)
        return;
    link->connection = 0;
    bool was_up = link->up;
    link->up = false;
    for (mh_event_t *event = self->first; event; event = event->next)
        if (event->kind == EV_FRAME && event->link == link->id && link->id &&
            ((!strcmp (event->from, node->name) && !strcmp (event->to, link->to)) ||
             (!strcmp (event->to, node->name) && !strcmp (event->from, link->to))))
            event->to[0] = 0; /* lost on the way */
    if (was_up)
        mh_event (self, EV_DOWN, link->to, node->name, LANE_MAIL)->link = link->id;
}

void mh_disconnect (mh_t *self, const char *name)
{
    for (mh_node_t *node = self->nodes; node; node = node->next)
        for (mh_link_t *link = node->links; link; link = link->next)
            if (node->alive && strcmp (link->to, name) == 0)
                s_break (node, link);
}

void mh_cut (mh_t *self, const char *from, const char *to)
{
    mh_node_t *node = mh_find (self, from);
    for (mh_link_t *link = node->links; link; link = link->next)
        if (strcmp (link->to, to) == 0)
            s_break (node, link);
    mh_connect_all (self);
}

void mh_block (mh_t *self, const char *from, const char *to, bool on)
{
    mh_node_t *node = mh_find (self, from);
    for (mh_link_t *link = node->links; link; link = link->next)
        if (strcmp (link->to, to) == 0) {
            link->blocked = on;
            if (!on)
                mh_event (self, EV_WRITABLE, to, from, LANE_MAIL)->link = link->id;
        }
}

void mh_block_topics (mh_node_t *node, bool on)
{
    node->topics_blocked = on;
    if (!on)
        mh_event (node->world, EV_PUBLISHABLE, MH_BROKER, node->name, LANE_MAIL);
}

/* ---- the broker ---- */

static mh_node_t *s_connected (mh_t *self, synod_str_t identity)
{
    for (mh_node_t *node = self->nodes; node; node = node->next) {
        mh_link_t *link = mh_link (node, 0);
        if (node->alive && link && link->up && synod_str_is (identity, node->identity))
            return node;
    }
    return NULL;
}

static struct {
    const void *data;
    size_t size;
} s_under_way;

static int s_broker_send (void *host, synod_str_t identity, const void *data, size_t size)
{
    mh_t *self = (mh_t *) host;
    mh_node_t *node = s_connected (self, identity);
    if (!node)
        return SYNOD_NODE_DOWN;
    s_frame (self, EV_FRAME, MH_BROKER, node->name, 0, data, size);
    return SYNOD_OK;
}

static int s_broker_forward (void *host, synod_str_t identity)
{
    return s_broker_send (host, identity, s_under_way.data, s_under_way.size);
}

static void s_broker_publish (void *host, const void *data, size_t size)
{
    mh_t *self = (mh_t *) host;
    for (mh_node_t *node = self->nodes; node; node = node->next)
        if (node->alive && node->topics_open && s_any_sub (node, data, size))
            s_frame (self, EV_TOPIC, MH_BROKER, node->name, 0, data, size);
}

static void s_broker_log (void *host, int level, const char *text)
{
    mh_t *self = (mh_t *) host;
    if (self->settings.loud)
        fprintf (stderr, "%8.3f %d $broker: %s\n", (double) self->now_us / 1000, level, text);
}

static const synod__routing_ops_t s_broker_ops = {s_broker_send, s_broker_forward, s_broker_publish, s_broker_log};

void mh_broker_start (mh_t *self)
{
    synod__routing_config_t config = {.incarnation = ++self->incarnations,
                                      .publish = "mem:in",
                                      .subscribe = "mem:out",
                                      .heartbeat_ms = self->settings.heartbeat_ms,
                                      .nodes_max = 1000};
    self->routing = synod__routing_new (&config, &s_broker_ops, self);
    synod__routing_turn_begin (self->routing, self->now_us);
    self->routing_due_us = synod__routing_turn_end (self->routing);
    mh_connect_all (self);
}

void mh_broker_kill (mh_t *self)
{
    if (self->routing_in_turn)
        synod__routing_turn_end (self->routing);
    self->routing_in_turn = false;
    synod__routing_destroy (&self->routing);
    self->routing_due_us = INT64_MAX;
    mh_disconnect (self, MH_BROKER);
    for (mh_event_t *event = self->first; event; event = event->next)
        if (event->kind != EV_DOWN && event->kind != EV_WRITABLE &&
            (!strcmp (event->to, MH_BROKER) || !strcmp (event->from, MH_BROKER)))
            event->to[0] = 0;
    for (mh_node_t *node = self->nodes; node; node = node->next)
        node->topics_open = false;
}

void mh_broker_restart (mh_t *self)
{
    mh_broker_kill (self);
    mh_broker_start (self);
}

void mh_broker_event (mh_t *self, mh_event_t *event)
{
    if (!self->routing)
        return;
    if (!self->routing_in_turn)
        synod__routing_turn_begin (self->routing, self->now_us);
    self->routing_in_turn = true;
    if (event->kind == EV_FRAME) {
        s_under_way.data = event->data.data;
        s_under_way.size = event->data.size;
        synod__routing_frame (self->routing, synod_str (event->identity), event->data.data, event->data.size);
    } else if (event->kind == EV_SUBSCRIBED)
        synod__routing_subscribed (self->routing, event->data.data, event->data.size, event->on);
    else if (event->kind == EV_PUBLISH)
        s_broker_publish (self, event->data.data, event->data.size);
}
