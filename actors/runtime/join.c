/* SPDX-License-Identifier: MPL-2.0
 *
 * Getting on a bus and staying there: hello and welcome, the directory's pieces and changes, the tick of heartbeats.
 * With a broker, a node that hears nothing of it for three heartbeats says hello again with every tick; a client, which
 * sends none while nothing goes on, sends them and counts while it waits for answers through the broker. A broker that
 * has just started knows few nodes yet: those it does not list are given three heartbeats before they count as gone.
 */
#include <stdio.h>
#include "internal.h"

/* This node as others list it. Borrows the runtime's items until they are used again. */
synod__entry_t synod__entry_of_self (synod__rt_t *rt)
{
    synod__entry_t self = {.node = rt->node,
                           .incarnation = rt->config.incarnation,
                           .host = synod_str (rt->config.host),
                           .client = rt->config.client,
                           .endpoint = synod_str (rt->config.endpoint),
                           .topics = synod_str (rt->config.topics)};
    rt->items.size = 0;
    for (uint32_t i = 0; i < rt->ninstances; i++) {
        const synod__instance_t *instance = rt->instances[i];
        synod__actor_at_t at = {.name = instance->name};
        if (instance->state_of == SYNOD__ACTOR_UP && instance->name.data[0] != '$')
            synod_list_add (&self.actors, &rt->items, &synod__actor_at_record, &at, NULL);
    }
    return self;
}

/* Borrows items, items2 and body of the runtime until they are used again. */
void synod__hello_fill (synod__rt_t *rt, synod__hello_t *hello, bool peers)
{
    memset (hello, 0, sizeof *hello);
    rt->items2.size = rt->body.size = 0;
    synod__entry_t self = synod__entry_of_self (rt);
    hello->heartbeat_ms = rt->config.heartbeat_ms;
    hello->directory = rt->config.directory;
    synod_list_add (&hello->self, &rt->items2, &synod__entry_record, &self, NULL);
    for (uint32_t i = 0; peers && i < synod__directory_size (rt->directory); i++) {
        const synod__peer_t *peer = synod__directory_at (rt->directory, i);
        synod__entry_t entry = {
            .node = synod_str (peer->name), .incarnation = peer->incarnation, .endpoint = synod_str (peer->endpoint)};
        if (peer->user != rt->self && !((const synod__stream_t *) peer->user)->leaving)
            synod_list_add (&hello->peers, &rt->body, &synod__entry_record, &entry, NULL);
    }
}

/* To the broker, or to all peers: who this node is now. */
void synod__join_hello (synod__rt_t *rt)
{
    synod__hello_t hello;
    if (rt->state == SYNOD__RT_NEW || rt->state == SYNOD__RT_ENDED || rt->left)
        return;
    if (rt->broker) {
        synod__hello_fill (rt, &hello, false);
        synod__control_tell (rt, rt->broker, &synod__hello_record, &hello);
        return;
    }
    for (uint32_t i = 0; i < synod__directory_size (rt->directory); i++) {
        synod__stream_t *stream = (synod__stream_t *) synod__directory_at (rt->directory, i)->user;
        if (!stream || stream == rt->self)
            continue;
        synod__hello_fill (rt, &hello, true);
        synod__control_tell (rt, stream, &synod__hello_record, &hello);
    }
}

/* ---- the directory ---- */

synod__peer_t *synod__peer_up (synod__rt_t *rt, const synod__entry_t *entry)
{
    synod_fault_t fault = {0};
    synod__peer_t *peer = synod__directory_node (rt->directory, entry->node);
    if (peer && peer->incarnation != entry->incarnation)
        synod__peer_down (rt, peer, "replaced");
    peer = synod__directory_put (rt->directory, entry, &fault);
    if (!peer) {
        rt->stats.malformed++;
        synod__rt_log (rt, SYNOD_LOG_WARNING, "the directory takes no such node: %s", fault.text);
        return NULL;
    }
    synod__stream_t *stream = synod__stream_get (rt, entry->node);
    if (stream->peer != peer) {
        if (stream->leaving) /* what its former life had not answered when it left */
            synod__asks_of_stream_fail (rt, stream, false, SYNOD_NODE_DOWN, "its node left and came again");
        stream->leaving = false;
        stream->claimant = 0;
        if (stream->seen_incarnation != entry->incarnation) {
            stream->seen_incarnation = entry->incarnation;
            stream->head = stream->seen = 0;
        }
        stream->peer = peer;
        stream->base = stream->sent + 1;
        stream->since_us = rt->now_us;
        stream->heard_us = rt->now_us;
        peer->user = stream;
    }
    peer->index = 0; /* confirmed */
    synod__asks_again (rt, stream);
    return peer;
}

void synod__peer_down (synod__rt_t *rt, synod__peer_t *peer, const char *reason)
{
    char message[SYNOD_FAULT_MAX], endpoint[256];
    synod__stream_t *stream = (synod__stream_t *) peer->user;
    snprintf (message, sizeof message, "node %s is down (%s); what became of the ask is not known", peer->name, reason);
    bool client = peer->client, left = stream->leaving || strcmp (reason, "left") == 0;
    snprintf (endpoint, sizeof endpoint, "%s", peer->endpoint);
    if (peer->topics[0] && !rt->broker)
        synod__mesh_topics_leave (rt, peer->topics);
    synod__directory_remove (rt->directory, peer);
    stream->peer = NULL;
    stream->present = false; /* its subscriptions may come before its hello, so not when it comes up */
    synod__topics_peer_gone (rt, stream->name);
    synod__watch_node_down (rt, synod_str_n (stream->name, stream->name_size), reason);
    if (rt->broker && left) { /* it still answers what it has, and mail for it is still taken to it */
        stream->leaving = true;
        return;
    }
    synod__asks_of_stream_fail (rt, stream, false, SYNOD_NODE_DOWN, message);
    synod__stream_reset (rt, stream, SYNOD_NODE_DOWN, message);
    if (rt->broker)
        synod__links_lost (rt, stream, message);
    else
        synod__mesh_lost (rt, stream, endpoint, left, client);
    stream->leaving = false;
}

/* The nodes behind it may well live; what waits on them through the broker will hear no more of it. */
static void s_lost (synod__rt_t *rt, const char *reason)
{
    char message[SYNOD_FAULT_MAX];
    if (rt->state < SYNOD__RT_UP || rt->state == SYNOD__RT_ENDED)
        return;
    if (!rt->broker_lost)
        synod__rt_log (rt, rt->config.client ? SYNOD_LOG_DEBUG : SYNOD_LOG_WARNING, "the broker is gone (%s)", reason);
    rt->broker_lost = true;
    snprintf (message, sizeof message, "the broker is gone (%s); what became of the ask is not known", reason);
    synod__asks_of_broker_fail (rt, SYNOD_NODE_DOWN, message);
}

void synod__join_welcome (synod__rt_t *rt, uint64_t incarnation, const synod__welcome_t *in)
{
    char publish[256], subscribe[256];
    if (rt->broker_lost)
        synod__rt_log (rt, rt->config.client ? SYNOD_LOG_DEBUG : SYNOD_LOG_WARNING, "the broker is back");
    rt->broker_lost = false;
    rt->broker_changed = incarnation != rt->broker_incarnation && rt->broker_incarnation;
    rt->broker_incarnation = incarnation;
    snprintf (publish, sizeof publish, "%.*s", SYNOD_STR (in->publish));
    snprintf (subscribe, sizeof subscribe, "%.*s", SYNOD_STR (in->subscribe));
    if (rt->ops->topics_open (rt->host, publish, subscribe) != SYNOD_OK)
        synod__rt_log (rt, SYNOD_LOG_ERROR, "cannot use the broker's topic endpoints %s and %s", publish, subscribe);
    rt->tap = in->tap;
    if (rt->state == SYNOD__RT_JOINING && !rt->config.directory)
        rt->state = SYNOD__RT_UP;
}

/* A peer whose index is not 0 was not in the snapshot so far; the number is when it is given up, in ticks. */
void synod__join_snapshot (synod__rt_t *rt, const synod__snapshot_t *in)
{
    synod_list_t nodes = in->nodes;
    synod__entry_t entry;
    uint32_t patience = rt->broker_changed ? 4 : 1;
    for (uint32_t i = 0; in->first && i < synod__directory_size (rt->directory); i++)
        synod__directory_at (rt->directory, i)->index = patience;
    while (synod_list_next (&nodes, &synod__entry_record, &entry))
        synod__peer_up (rt, &entry);
    if (!in->last)
        return;
    for (uint32_t i = synod__directory_size (rt->directory); !rt->broker_changed && i > 0; i--) {
        synod__peer_t *peer = synod__directory_at (rt->directory, i - 1);
        if (peer->index)
            synod__peer_down (rt, peer, "unreachable");
    }
    if (rt->state == SYNOD__RT_JOINING)
        rt->state = SYNOD__RT_UP;
}

static void s_unconfirmed (synod__rt_t *rt)
{
    for (uint32_t i = synod__directory_size (rt->directory); i > 0; i--) {
        synod__peer_t *peer = synod__directory_at (rt->directory, i - 1);
        if (peer->index && --peer->index == 0)
            synod__peer_down (rt, peer, "unreachable");
    }
}

/* It had left, and ended before it answered all it had: nobody will. */
static void s_left_down (synod__rt_t *rt, synod__stream_t *stream, const char *reason)
{
    char message[SYNOD_FAULT_MAX];
    stream->leaving = false;
    snprintf (message, sizeof message, "node %s left and is gone (%s); what became of the ask is not known",
              stream->name, reason);
    synod__asks_of_stream_fail (rt, stream, false, SYNOD_NODE_DOWN, message);
    synod__stream_reset (rt, stream, SYNOD_NODE_DOWN, message);
    synod__links_lost (rt, stream, message);
}

/* No directory is kept here, and somebody may have been asked by name. What is still to leave, the broker gives back. */
static void s_unlisted_down (synod__rt_t *rt, synod__stream_t *stream, const char *reason)
{
    char message[SYNOD_FAULT_MAX];
    if (strcmp (reason, "left") == 0)
        return; /* it still answers what it has */
    snprintf (message, sizeof message, "node %s is down (%s); what became of the ask is not known", stream->name,
              reason);
    synod__asks_of_stream_fail (rt, stream, false, SYNOD_NODE_DOWN, message);
    synod__links_lost (rt, stream, message);
}

static void s_gone (synod__rt_t *rt, const synod__gone_t *gone)
{
    char reason[64];
    synod__peer_t *peer = synod__directory_node (rt->directory, gone->node);
    synod__stream_t *stream = peer ? NULL : synod__stream_find (rt, gone->node);
    snprintf (reason, sizeof reason, "%.*s", SYNOD_STR (gone->reason));
    if (peer && peer->incarnation <= gone->incarnation)
        synod__peer_down (rt, peer, reason);
    if (!stream || stream == rt->self || stream->seen_incarnation > gone->incarnation)
        return;
    if (stream->leaving)
        s_left_down (rt, stream, reason);
    else if (!rt->config.directory)
        s_unlisted_down (rt, stream, reason);
}

void synod__join_delta (synod__rt_t *rt, const synod__delta_t *in)
{
    synod_list_t down = in->down, up = in->up;
    synod__gone_t gone;
    synod__entry_t entry;
    while (synod_list_next (&down, &synod__gone_record, &gone))
        s_gone (rt, &gone);
    while (synod_list_next (&up, &synod__entry_record, &entry))
        synod__peer_up (rt, &entry);
}

/* ---- the tick ---- */

static bool s_waits (const synod__rt_t *rt)
{
    uint32_t slots = rt->nasks > 0 ? rt->nasks + rt->asks_nspare : 0;
    for (uint32_t i = 0; i < slots; i++)
        if (synod__ask_brokered (rt, rt->asks[i]))
            return true;
    return false;
}

/* Shows the broker that this node lives, which it answers; true when it has owed that answer for three heartbeats. */
static bool s_silent (synod__rt_t *rt, int64_t silence_us)
{
    synod__heartbeat_t beat = {.queued = rt->stats.queued, .dropped = rt->stats.dropped};
    bool waits = rt->config.client && s_waits (rt);
    if (!rt->config.client || waits)
        synod__control_tell (rt, rt->broker, &synod__heartbeat_record, &beat);
    if (!rt->config.client)
        return rt->now_us - rt->heard_us > silence_us;
    if (!waits)
        rt->probed_us = 0;
    else if (!rt->probed_us || rt->heard_us >= rt->probed_us)
        rt->probed_us = rt->now_us;
    return waits && rt->now_us - rt->probed_us >= silence_us;
}

static void s_broker_tick (synod__rt_t *rt)
{
    int64_t silence_us = 3 * (int64_t) rt->config.heartbeat_ms * 1000;
    if (rt->state == SYNOD__RT_JOINING) {
        synod__join_hello (rt);
        return;
    }
    if (rt->left)
        return;
    /* once: what is asked from now on waits in this node, for a broker that may come in time */
    if (!rt->broker_lost && !rt->broker_up && rt->now_us - rt->broker_down_us > silence_us)
        s_lost (rt, "unreachable");
    if (s_silent (rt, silence_us)) {
        s_lost (rt, "silent"); /* with each tick: what is asked meanwhile lies in its socket unread */
        synod__join_hello (rt);
    }
    s_unconfirmed (rt);
}

static void s_blocked (synod__rt_t *rt, synod__stream_t *stream)
{
    bool nobody = !rt->broker && !stream->peer;
    synod__stream_reset (rt, stream, nobody ? SYNOD_NO_ROUTE : SYNOD_BUSY,
                         nobody ? "no such node was there for three heartbeats"
                                : "the way there was blocked for three heartbeats");
}

static void s_streams_tick (synod__rt_t *rt)
{
    synod__stream_t *stream, *next;
    int64_t stale_us = rt->now_us - 3 * (int64_t) rt->config.heartbeat_ms * 1000;
    HASH_ITER (hh, rt->streams, stream, next)
    {
        if (stream->first && !stream->held && stream->first->since_us < stale_us)
            s_blocked (rt, stream);
        synod__links_tick (rt, stream);
        synod__stream_mark (rt, stream);
        if (stream != rt->self && stream != rt->broker && !stream->peer && !stream->refs && !stream->asks &&
            !stream->dirty && !stream->parked && !stream->link && !stream->direct &&
            rt->now_us - stream->used_us > SYNOD__STREAM_IDLE_US)
            synod__stream_free (rt, stream);
    }
}

void synod__rt_tick (synod__rt_t *rt)
{
    if (rt->state == SYNOD__RT_ENDED) {
        rt->tick_us = INT64_MAX;
        return;
    }
    rt->tick_us = rt->now_us + (int64_t) rt->config.heartbeat_ms * 1000;
    if (rt->broker)
        s_broker_tick (rt);
    else
        synod__mesh_tick (rt);
    s_streams_tick (rt);
    synod__asks_tick (rt);
    synod__topics_tick (rt);
    synod__drops_tick (rt);
}
