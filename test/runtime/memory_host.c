/* SPDX-License-Identifier: MPL-2.0
 *
 * The world: nodes, the list of what is to happen (ordered by time, then by when it was caused), and the loop that runs
 * it. All events of one instant for one node fall into one turn of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "memory_internal.h"
#include "protocol/address.h"

#define S_TURNS_AN_INSTANT 100000 /* more is a storm that does not end */

bool mh_in_runtime;

mh_t *mh_new (uint64_t seed, bool brokered)
{
    mh_t *self = (mh_t *) calloc (1, sizeof *self);
    self->settings = (struct mh_settings){
        .heartbeat_ms = 100, .drain_ms = 1000, .latency_us = 100, .link_after = 1000000, .directory = true};
    self->brokered = brokered;
    self->random = seed * 2654435761u + 1;
    self->now_us = 1000000;
    self->incarnations = 1000;
    self->routing_due_us = INT64_MAX;
    return self;
}

uint64_t mh_random (mh_t *self)
{
    /* splitmix64 (Steele, Lea, Flood 2014) */
    uint64_t z = self->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

struct mh_settings *mh_settings (mh_t *self)
{
    return &self->settings;
}

void mh_filter (mh_t *self, mh_filter_t *filter, void *arg)
{
    self->filter = filter;
    self->filter_arg = arg;
}

int64_t mh_now_us (const mh_t *self)
{
    return self->now_us;
}

mh_node_t *mh_find (const mh_t *self, const char *name)
{
    for (mh_node_t *node = self->nodes; node; node = node->next)
        if (node->alive && strcmp (node->name, name) == 0)
            return node;
    return NULL;
}

/* ---- events ---- */

static mh_path_t *s_path (mh_t *self, const char *from, const char *to, int lane)
{
    mh_path_t *path;
    for (path = self->paths; path; path = path->next)
        if (path->lane == lane && strcmp (path->from, from) == 0 && strcmp (path->to, to) == 0)
            return path;
    path = (mh_path_t *) calloc (1, sizeof *path);
    snprintf (path->from, sizeof path->from, "%s", from);
    snprintf (path->to, sizeof path->to, "%s", to);
    path->lane = lane;
    path->next = self->paths;
    self->paths = path;
    return path;
}

mh_event_t *mh_event (mh_t *self, mh_kind_t kind, const char *from, const char *to, int lane)
{
    mh_event_t *event = self->spare;
    if (event)
        self->spare = event->next;
    else
        event = (mh_event_t *) calloc (1, sizeof *event);
    synod_buf_t data = event->data;
    memset (event, 0, sizeof *event);
    event->data = data;
    event->data.size = 0;
    event->kind = kind;
    snprintf (event->from, sizeof event->from, "%s", from);
    snprintf (event->to, sizeof event->to, "%s", to);
    mh_path_t *path = s_path (self, from, to, lane);
    event->at_us = self->now_us + self->settings.latency_us;
    if (event->at_us < path->last_us)
        event->at_us = path->last_us;
    path->last_us = event->at_us;
    mh_event_t *before = self->last;
    while (before && before->at_us > event->at_us)
        before = before->prev;
    event->prev = before;
    event->next = before ? before->next : self->first;
    *(event->next ? &event->next->prev : &self->last) = event;
    *(before ? &before->next : &self->first) = event;
    return event;
}

static void s_unlink (mh_t *self, mh_event_t *event)
{
    *(event->prev ? &event->prev->next : &self->first) = event->next;
    *(event->next ? &event->next->prev : &self->last) = event->prev;
}

void mh_event_free (mh_t *self, mh_event_t *event)
{
    event->next = self->spare;
    self->spare = event;
}

void mh_release (mh_t *self)
{
    while (self->held_first) {
        mh_event_t *old = self->held_first;
        self->held_first = old->next;
        mh_event_t *event = mh_event (self, old->kind, old->from, old->to, old->link ? 3 + (int) old->link : 0);
        synod_buf_t data = event->data;
        event->data = old->data;
        old->data = data;
        event->link = old->link;
        event->connection = old->connection;
        snprintf (event->identity, sizeof event->identity, "%s", old->identity);
        mh_event_free (self, old);
    }
    self->held_last = NULL;
}

/* ---- nodes ---- */

mh_node_t *mh_node (mh_t *self, const char *name, bool client, const char *const *peers)
{
    mh_node_t *node = (mh_node_t *) calloc (1, sizeof *node);
    const char *endpoints[9] = {NULL};
    char texts[8][80];
    for (size_t i = 0; peers && peers[i] && i < 8; i++) {
        const char *colon = strchr (peers[i], ':');
        snprintf (texts[i], sizeof texts[i], colon ? "%s" : "mem:%s", peers[i]);
        endpoints[i] = texts[i];
    }
    node->world = self;
    node->incarnation = ++self->incarnations;
    const char *equals = strchr (name, '=');
    snprintf (node->name, sizeof node->name, "%.*s", equals ? (int) (equals - name) : SYNOD_NAME_MAX, name);
    name = equals ? equals + 1 : name;
    snprintf (node->endpoint, sizeof node->endpoint, "mem:%s", node->name);
    snprintf (node->topics, sizeof node->topics, "pub:%s", node->name);
    synod__identity (synod_str (name), node->incarnation, node->identity);
    synod__rt_config_t config = {.node = name,
                                 .incarnation = node->incarnation,
                                 .host = "here",
                                 .brokered = self->brokered,
                                 .client = client,
                                 .directory = self->settings.directory,
                                 .links = self->settings.links,
                                 .endpoint = self->brokered ? "" : node->endpoint,
                                 .topics = self->brokered ? "" : node->topics,
                                 .peers = peers ? endpoints : NULL,
                                 .heartbeat_ms = self->settings.heartbeat_ms,
                                 .drain_ms = self->settings.drain_ms,
                                 .queue_bytes = self->settings.queue_bytes,
                                 .link_after = self->settings.link_after};
    snprintf (node->known_as, sizeof node->known_as, "%s", name);
    node->rt = synod__rt_new (&config, &mh_ops, node);
    node->due_us = INT64_MAX;
    mh_node_t **at = &self->nodes;
    while (*at)
        at = &(*at)->next;
    *at = node;
    return node;
}

void mh_add (mh_node_t *node, const synod_actor_t *type, const void *args)
{
    synod_fault_t fault = {0};
    if (synod__rt_add (node->rt, type, args, &fault) != SYNOD_OK) {
        fprintf (stderr, "mh_add: %s\n", fault.text);
        abort ();
    }
}

static void s_begin (mh_node_t *node)
{
    if (node->in_turn)
        return;
    node->in_turn = true;
    mh_in_runtime = true;
    synod__rt_turn_begin (node->rt, node->world->now_us);
    mh_in_runtime = false;
}

static void s_end (mh_node_t *node)
{
    mh_in_runtime = true;
    node->due_us = synod__rt_turn_end (node->rt);
    mh_in_runtime = false;
    node->in_turn = false;
    if (synod__rt_state (node->rt) == SYNOD__RT_ENDED && node->alive) {
        node->alive = false;
        node->due_us = INT64_MAX;
        mh_disconnect (node->world, node->name);
    }
}

int mh_start (mh_node_t *node, synod_fault_t *fault)
{
    mh_t *self = node->world;
    node->alive = true;
    if (self->brokered) {
        if (!self->routing)
            mh_broker_start (self);
        mh_link_t *link = (mh_link_t *) calloc (1, sizeof *link);
        snprintf (link->to, sizeof link->to, MH_BROKER);
        link->next = node->links;
        node->links = link;
    }
    s_begin (node);
    int rc = synod__rt_start (node->rt, fault);
    s_end (node);
    mh_connect_all (self);
    return rc;
}

mh_node_t *mh_up (mh_t *self, const char *name, const synod_actor_t *actor, const char *peer)
{
    const char *peers[2] = {peer, NULL};
    synod_fault_t fault = {0};
    mh_node_t *node = mh_node (self, name, false, peer ? peers : NULL);
    if (actor)
        mh_add (node, actor, NULL);
    if (mh_start (node, &fault) != SYNOD_OK) {
        fprintf (stderr, "mh_up: %s\n", fault.text);
        abort ();
    }
    return node;
}

void mh_stop (mh_node_t *node)
{
    s_begin (node);
    synod__rt_stop (node->rt);
    s_end (node);
}

static void s_free (mh_node_t *node)
{
    node->alive = false;
    synod__rt_destroy (&node->rt);
    while (node->links) {
        mh_link_t *link = node->links;
        node->links = link->next;
        free (link);
    }
    while (node->subs) {
        mh_sub_t *sub = node->subs;
        node->subs = sub->next;
        free (sub);
    }
    free (node);
}

void mh_kill (mh_node_t *node)
{
    mh_t *self = node->world;
    char name[SYNOD_NAME_MAX + 1];
    snprintf (name, sizeof name, "%s", node->name);
    mh_node_t **at = &self->nodes;
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    bool was = node->alive;
    s_free (node);
    if (was)
        mh_disconnect (self, name);
}

synod__rt_t *mh_rt (mh_node_t *node)
{
    return node->rt;
}

bool mh_ended (const mh_node_t *node)
{
    return synod__rt_state (node->rt) == SYNOD__RT_ENDED;
}

int mh_step (mh_node_t *node, const synod_actor_t *actor, mh_step_t *function, void *arg)
{
    s_begin (node);
    mh_in_runtime = true;
    synod_ctx_t *ctx = synod__rt_enter (node->rt, actor);
    int rc = ctx ? synod__rt_leave (node->rt, ctx, function (ctx, arg)) : SYNOD_STOPPED;
    mh_in_runtime = false;
    s_end (node);
    return rc;
}

void mh_frame (mh_node_t *node, const char *identity, const void *data, size_t size)
{
    void *copy = malloc (size ? size : 1); /* exactly as large, for the address sanitizer */
    memcpy (copy, data, size);
    s_begin (node);
    synod__rt_frame (node->rt, synod_str (identity), copy, size);
    s_end (node);
    free (copy);
}

void mh_topic (mh_node_t *node, const void *data, size_t size)
{
    void *copy = malloc (size ? size : 1);
    memcpy (copy, data, size);
    s_begin (node);
    synod__rt_topic (node->rt, copy, size);
    s_end (node);
    free (copy);
}

/* ---- the loop ---- */

static void s_deliver (mh_t *self, mh_event_t *event)
{
    if (strcmp (event->to, MH_BROKER) == 0) {
        mh_broker_event (self, event);
        return;
    }
    mh_node_t *node = mh_find (self, event->to);
    if (!node)
        return;
    mh_link_t *link = mh_link (node, event->link);
    s_begin (node);
    mh_in_runtime = true;
    switch (event->kind) {
    case EV_FRAME:
        synod__rt_frame (node->rt, synod_str (event->identity), event->data.data, event->data.size);
        break;
    case EV_TOPIC:
        if (mh_wants (node, event->data.data, event->data.size))
            synod__rt_topic (node->rt, event->data.data, event->data.size);
        break;
    case EV_UP:
        if (link && link->connection == event->connection) {
            link->up = true;
            synod__rt_link_up (node->rt, event->link);
        }
        break;
    case EV_DOWN:
        if (link)
            synod__rt_link_down (node->rt, event->link);
        break;
    case EV_WRITABLE:
        synod__rt_writable (node->rt, event->link);
        break;
    case EV_PUBLISHABLE:
        synod__rt_publishable (node->rt);
        break;
    case EV_SUBSCRIBED:
        synod__rt_subscribed (node->rt, event->data.data, event->data.size, event->on);
        break;
    case EV_PUBLISH:
        break;
    }
    mh_in_runtime = false;
}

static int64_t s_next (const mh_t *self)
{
    int64_t next = self->first ? self->first->at_us : INT64_MAX;
    if (self->routing_due_us < next)
        next = self->routing_due_us;
    for (const mh_node_t *node = self->nodes; node; node = node->next)
        if (node->alive && node->due_us < next)
            next = node->due_us;
    return next;
}

/* One instant: what arrives, what is due, the turns' ends. */
static void s_instant (mh_t *self)
{
    while (self->first && self->first->at_us <= self->now_us) {
        mh_event_t *event = self->first;
        s_unlink (self, event);
        s_deliver (self, event);
        mh_event_free (self, event);
    }
    for (mh_node_t *node = self->nodes; node; node = node->next)
        if (node->alive && node->due_us <= self->now_us)
            s_begin (node);
    for (mh_node_t *node = self->nodes; node; node = node->next)
        if (node->in_turn)
            s_end (node);
    if (self->routing && (self->routing_in_turn || self->routing_due_us <= self->now_us)) {
        if (!self->routing_in_turn)
            synod__routing_turn_begin (self->routing, self->now_us);
        self->routing_due_us = synod__routing_turn_end (self->routing);
        self->routing_in_turn = false;
    }
}

bool mh_until (mh_t *self, bool (*condition) (void *arg), void *arg, uint32_t limit_ms)
{
    int64_t end_us = self->now_us + (int64_t) limit_ms * 1000, last_us = self->now_us;
    uint32_t turns = 0;
    while (!condition || !condition (arg)) {
        int64_t next = s_next (self);
        if (next > end_us) {
            self->now_us = end_us;
            return !condition;
        }
        if (next > self->now_us)
            self->now_us = next;
        turns = self->now_us == last_us ? turns + 1 : 0;
        last_us = self->now_us;
        if (turns > S_TURNS_AN_INSTANT) {
            fprintf (stderr, "the world does not come to rest\n");
            abort ();
        }
        s_instant (self);
    }
    return true;
}

void mh_run (mh_t *self, uint32_t ms)
{
    mh_until (self, NULL, NULL, ms);
}

static bool s_joined (void *arg)
{
    mh_t *self = (mh_t *) arg;
    for (mh_node_t *node = self->nodes; node; node = node->next) {
        if (!node->alive)
            continue;
        if (synod__rt_state (node->rt) != SYNOD__RT_UP)
            return false;
        char address[SYNOD_NAME_MAX + 16];
        for (mh_node_t *other = self->nodes; other && self->settings.directory; other = other->next) {
            snprintf (address, sizeof address, "%s/" SYNOD_NODE_ACTOR, other->known_as);
            if (other->alive && !synod__rt_reachable (node->rt, address))
                return false;
        }
    }
    return true;
}

bool mh_joined (mh_t *self, uint32_t limit_ms)
{
    return mh_until (self, s_joined, self, limit_ms);
}

void mh_destroy (mh_t **self_p)
{
    mh_t *self = *self_p;
    if (!self)
        return;
    while (self->nodes) {
        mh_node_t *node = self->nodes;
        self->nodes = node->next;
        s_free (node);
    }
    synod__routing_destroy (&self->routing);
    mh_release (self);
    mh_event_t *lists[2] = {self->first, self->spare};
    for (int i = 0; i < 2; i++)
        while (lists[i]) {
            mh_event_t *next = lists[i]->next;
            synod_buf_free (&lists[i]->data);
            free (lists[i]);
            lists[i] = next;
        }
    while (self->paths) {
        mh_path_t *path = self->paths;
        self->paths = path->next;
        free (path);
    }
    free (self->seen);
    free (self);
    *self_p = NULL;
}
