/* SPDX-License-Identifier: MPL-2.0
 *
 * A bus without a broker: every node has a link to every other's inbox. A dial is a link whose peer is not known yet:
 * to a configured endpoint, to one that a peer or a beacon told of, or to a node that fell silent. When its connection
 * stands, hello goes out on it with the link's number as token; the peer's own hello brings the token back and so says
 * which node the link leads to. Two nodes are peers once each has the other's hello.
 */
#include <stdio.h>
#include "internal.h"

#define S_JOIN_US    300000 /* joining waits this long for those that do not answer, once one has */
#define S_DIAL_TICKS 600    /* how long an endpoint that is not configured is tried */

struct synod__dial_t {
    struct synod__dial_t *next;
    char endpoint[256];
    bool keep;                     /* configured: tried for ever */
    uint32_t link;                 /* open towards it, 0: none */
    bool up;                       /* its connection stands */
    char node[SYNOD_NAME_MAX + 1]; /* who is there; empty: not known (yet, or again) */
    uint32_t ticks;                /* without success */
};

static synod__dial_t *s_find (const synod__rt_t *rt, uint32_t link)
{
    for (synod__dial_t *dial = rt->dials; dial; dial = dial->next)
        if (dial->link == link)
            return dial;
    return NULL;
}

static synod__dial_t *s_at (const synod__rt_t *rt, synod_str_t endpoint)
{
    for (synod__dial_t *dial = rt->dials; dial; dial = dial->next)
        if (synod_str_is (endpoint, dial->endpoint))
            return dial;
    return NULL;
}

static void s_open (synod__rt_t *rt, synod__dial_t *dial)
{
    dial->link = ++rt->next_link;
    dial->up = false;
    if (rt->ops->link_open (rt->host, dial->link, dial->endpoint) == SYNOD_OK)
        return;
    synod__rt_log (rt, SYNOD_LOG_ERROR, "cannot connect to a peer at %s: no such endpoint", dial->endpoint);
    dial->link = 0;
    dial->ticks = S_DIAL_TICKS;
}

static void s_close (synod__rt_t *rt, synod__dial_t *dial)
{
    if (dial->link)
        rt->ops->link_close (rt->host, dial->link);
    dial->link = 0;
    dial->up = false;
    dial->node[0] = 0;
}

void synod__mesh_dial (synod__rt_t *rt, synod_str_t endpoint, bool keep)
{
    if (!endpoint.size || endpoint.size > 255 || synod_str_is (endpoint, rt->config.endpoint))
        return;
    synod__dial_t *dial = s_at (rt, endpoint);
    if (!dial) {
        dial = (synod__dial_t *) synod__alloc (sizeof *dial);
        memcpy (dial->endpoint, endpoint.data, endpoint.size);
        dial->next = rt->dials;
        rt->dials = dial;
    }
    dial->keep |= keep;
    if (!dial->link)
        s_open (rt, dial);
}

void synod__mesh_start (synod__rt_t *rt)
{
    synod__entry_t self = {.node = rt->node,
                           .incarnation = rt->config.incarnation,
                           .host = synod_str (rt->config.host),
                           .client = rt->config.client,
                           .endpoint = synod_str (rt->config.endpoint),
                           .topics = synod_str (rt->config.topics)};
    rt->items.size = 0;
    for (uint32_t i = 0; i < rt->ninstances; i++) {
        synod__actor_at_t at = {.name = rt->instances[i]->name};
        if (at.name.data[0] != '$')
            synod_list_add (&self.actors, &rt->items, &synod__actor_at_record, &at, NULL);
    }
    synod__peer_up (rt, &self);
    char presence[SYNOD_NAME_MAX + 2];
    int size = snprintf (presence, sizeof presence, SYNOD_PRESENCE "%s", rt->config.node);
    rt->ops->subscribe (rt->host, presence, (size_t) size);
    rt->ops->topics_join (rt->host, rt->config.topics); /* what this node publishes reaches its own actors too */
    for (const char *const *peer = rt->config.peers; peer && *peer; peer++)
        synod__mesh_dial (rt, synod_str (*peer), true);
}

/* Hello on a link whose far end has no name yet: addressed to whoever is there. */
static void s_greet (synod__rt_t *rt, const synod__dial_t *dial)
{
    synod__hello_t hello;
    synod_envelope_t env = {.kind = SYNOD_KIND_TELL,
                            .method = synod_str_n (synod__hello_record.name, synod__hello_record.name_size)};
    synod__hello_fill (rt, &hello, true);
    hello.token = dial->link;
    if (synod__batch_begin (&rt->answer, synod_str (SYNOD_NODE_ACTOR), rt->node, rt->config.incarnation, 0) ||
        synod__batch_add_record (&rt->answer, &env, &synod__hello_record, &hello, NULL))
        return;
    rt->ops->send (rt->host, dial->link, &rt->answer.buf);
    synod__batch_clear (&rt->answer);
}

void synod__mesh_link_up (synod__rt_t *rt, uint32_t link)
{
    synod__dial_t *dial = s_find (rt, link);
    if (!dial)
        return;
    dial->up = true;
    s_greet (rt, dial);
}

/* Of a node silence decides, for ZeroMQ may well get the connection back; a handle sends no heartbeats to go by. */
void synod__mesh_link_down (synod__rt_t *rt, uint32_t link)
{
    synod__dial_t *dial = s_find (rt, link);
    if (!dial)
        return;
    dial->up = false;
    synod__peer_t *peer = dial->node[0] ? synod__directory_node (rt->directory, synod_str (dial->node)) : NULL;
    if (peer && peer->client)
        synod__peer_down (rt, peer, "unreachable");
}

/* To whoever is no peer: through the inbox, by which it came. */
static void s_answer (synod__rt_t *rt, synod_str_t identity, const synod_record_t *record, const void *rec)
{
    synod_envelope_t env = {.kind = SYNOD_KIND_TELL, .method = synod_str_n (record->name, record->name_size)};
    if (synod__batch_begin (&rt->answer, synod_str (SYNOD_NODE_ACTOR), rt->node, rt->config.incarnation, 0) ||
        synod__batch_add_record (&rt->answer, &env, record, rec, NULL))
        return;
    rt->ops->answer (rt->host, identity, &rt->answer.buf);
    synod__batch_clear (&rt->answer);
}

void synod__mesh_stranger (synod__rt_t *rt, synod_str_t identity)
{
    synod__again_t out = {0};
    s_answer (rt, identity, &synod__again_record, &out);
}

static void s_refuse (synod__rt_t *rt, synod_str_t identity, const char *name)
{
    char text[SYNOD_FAULT_MAX];
    snprintf (text, sizeof text, "node %s is taken by one that is alive; choose another name", name);
    synod__refused_t out = {.code = synod_str (synod_error_name (SYNOD_NAME_TAKEN)), .message = synod_str (text)};
    s_answer (rt, identity, &synod__refused_record, &out);
}

/* The first hello of another life has the holder probed. It is refused when the holder says anything; the one after a
 * heartbeat without a word replaces it, and so does the first when the holder's link is broken. Nothing else that the
 * claimant sends is taken: it must not seem to come from the holder. */
bool synod__mesh_claim (synod__rt_t *rt, synod__stream_t *stream, synod_str_t identity, const synod_frame_t *frame)
{
    synod_frame_t ahead = *frame;
    synod_envelope_t env;
    if (!identity.size || identity.size > SYNOD__IDENTITY_MAX || synod__frame_next (&ahead, &env, NULL) != SYNOD_OK)
        return false;
    if (env.kind != SYNOD_KIND_TELL || !synod_str_is (env.method, synod__hello_record.name)) {
        synod__mesh_stranger (rt, identity);
        return false;
    }
    if (stream == rt->self) {
        s_refuse (rt, identity, rt->config.node);
        return false;
    }
    const synod__dial_t *dial = stream->link ? s_find (rt, stream->link) : NULL;
    bool claimed = synod_str_is (identity, stream->claimant);
    if (dial && dial->up && (!claimed || rt->now_us - stream->claim_us < (int64_t) stream->heartbeat_ms * 1000)) {
        if (claimed)
            return false;
        synod__probe_t probe = {0};
        memcpy (stream->claimant, identity.data, identity.size);
        stream->claimant[identity.size] = 0;
        stream->claim_us = rt->now_us;
        synod__control_tell (rt, stream, &synod__probe_record, &probe);
        return false;
    }
    synod__peer_down (rt, stream->peer, "replaced");
    return true;
}

void synod__mesh_lives (synod__rt_t *rt, synod__stream_t *stream)
{
    s_refuse (rt, synod_str (stream->claimant), stream->name);
    stream->claimant[0] = 0;
}

/* The link by which the peer is reached: the one its hello answers, one dialled to its endpoint, or a new one. */
static void s_bind (synod__rt_t *rt, synod__stream_t *stream, const synod__entry_t *entry, uint64_t answers)
{
    synod__dial_t *answered = answers && answers <= UINT32_MAX ? s_find (rt, (uint32_t) answers) : NULL;
    if (answered) {
        answered->ticks = 0;
        snprintf (answered->node, sizeof answered->node, "%s", stream->name);
    }
    if (stream->link)
        return;
    synod__dial_t *dial = answered ? answered : s_at (rt, entry->endpoint);
    if (!dial) {
        synod__mesh_dial (rt, entry->endpoint, false);
        dial = s_at (rt, entry->endpoint);
    } else if (!dial->link)
        s_open (rt, dial);
    if (!dial)
        return;
    snprintf (dial->node, sizeof dial->node, "%s", stream->name);
    dial->ticks = 0;
    stream->link = dial->link;
    stream->blocked = !dial->up;
}

void synod__mesh_hello (synod__rt_t *rt, const synod_frame_t *frame, const synod__hello_t *in)
{
    synod__entry_t entry, other;
    synod_list_t self = in->self, peers = in->peers;
    if (in->self.count != 1 || !synod_list_next (&self, &synod__entry_record, &entry) ||
        !synod_str_same (entry.node, frame->node) || entry.incarnation != frame->incarnation) {
        rt->stats.malformed++;
        synod__rt_log (rt, SYNOD_LOG_WARNING, "a hello that does not describe its sender %.*s",
                       SYNOD_STR (frame->node));
        return;
    }
    if (synod_str_same (entry.node, rt->node)) { /* dialled ourselves, by another spelling */
        synod__dial_t *dial = in->token && in->token <= UINT32_MAX ? s_find (rt, (uint32_t) in->token) : NULL;
        if (dial) {
            s_close (rt, dial);
            dial->keep = false;
            dial->ticks = S_DIAL_TICKS;
        }
        return;
    }
    synod__peer_t *peer = synod__directory_node (rt->directory, entry.node);
    synod__stream_t *stream = synod__stream_get (rt, entry.node);
    bool fresh = !peer || peer->incarnation != entry.incarnation;
    peer = synod__peer_up (rt, &entry);
    if (!peer)
        return;
    stream->heartbeat_ms = (uint32_t) (in->heartbeat_ms ? in->heartbeat_ms : SYNOD_HEARTBEAT_MS);
    stream->heard_us = rt->now_us;
    s_bind (rt, stream, &entry, in->answers);
    if (fresh && peer->topics[0])
        rt->ops->topics_join (rt->host, peer->topics);
    if (fresh || in->token) { /* answer with our own, which names the token of the link it came by */
        synod__hello_t hello;
        synod__hello_fill (rt, &hello, true);
        hello.answers = in->token;
        synod__control_tell (rt, stream, &synod__hello_record, &hello);
    }
    while (synod_list_next (&peers, &synod__entry_record, &other))
        if (!synod_str_same (other.node, rt->node) && !synod__directory_node (rt->directory, other.node))
            synod__mesh_dial (rt, other.endpoint, false);
}

/* Somebody does not know us: greet on the link that leads to him, or let the next tick do it. */
void synod__mesh_again (synod__rt_t *rt, const synod_frame_t *frame)
{
    synod__stream_t *stream = synod__stream_find (rt, frame->node);
    if (!stream || !stream->peer || rt->state >= SYNOD__RT_DRAINING)
        return;
    synod__hello_t hello;
    synod__hello_fill (rt, &hello, true);
    synod__control_tell (rt, stream, &synod__hello_record, &hello);
}

/* A peer is gone. One that left is forgotten; one that fell silent is dialled on, for it may be back. */
void synod__mesh_lost (synod__rt_t *rt, synod__stream_t *stream, const char *endpoint, bool left, bool client)
{
    for (synod__dial_t *dial = rt->dials; dial; dial = dial->next) {
        if (strcmp (dial->node, stream->name) != 0)
            continue;
        if ((left || client) && !dial->keep)
            dial->ticks = S_DIAL_TICKS;
        s_close (rt, dial);
    }
    stream->link = 0;
    stream->blocked = false;
    stream->claimant[0] = 0;
    if (!left && !client && endpoint[0] && rt->state < SYNOD__RT_DRAINING)
        synod__mesh_dial (rt, synod_str (endpoint), false);
}

/* A peer whose hello says nothing new is kept up by any frame of it; its silence is measured by its own heartbeat. */
void synod__mesh_tick (synod__rt_t *rt)
{
    synod__heartbeat_t beat = {.queued = rt->stats.queued, .dropped = rt->stats.dropped};
    for (uint32_t i = synod__directory_size (rt->directory); i > 0; i--) {
        synod__peer_t *peer = synod__directory_at (rt->directory, i - 1);
        synod__stream_t *stream = (synod__stream_t *) peer->user;
        if (stream == rt->self)
            continue;
        synod__control_tell (rt, stream, &synod__heartbeat_record, &beat);
        int64_t silence_us = 3 * (int64_t) stream->heartbeat_ms * 1000;
        if (!peer->client && rt->now_us - stream->heard_us > silence_us)
            synod__peer_down (rt, peer, "silent");
    }
    for (synod__dial_t **at = &rt->dials; *at;) {
        synod__dial_t *dial = *at;
        if (dial->node[0]) {
            at = &dial->next;
            continue;
        }
        if (!dial->keep && ++dial->ticks > S_DIAL_TICKS) {
            s_close (rt, dial);
            *at = dial->next;
            free (dial);
            continue;
        }
        if (!dial->link && rt->state < SYNOD__RT_DRAINING)
            s_open (rt, dial);
        else if (dial->up)
            s_greet (rt, dial);
        at = &dial->next;
    }
}

/* Whether all peers' subscriptions have arrived here: what is published before that, they might miss. A peer that does
 * not manage within a heartbeat is not waited for. */
bool synod__mesh_present (const synod__rt_t *rt)
{
    int64_t late_us = rt->now_us - (int64_t) rt->config.heartbeat_ms * 1000;
    for (uint32_t i = 0; i < synod__directory_size (rt->directory); i++) {
        const synod__peer_t *peer = synod__directory_at (rt->directory, i);
        const synod__stream_t *stream = (const synod__stream_t *) peer->user;
        if (!stream->present && peer->topics[0] && stream->since_us > late_us)
            return false;
    }
    return true;
}

void synod__mesh_presence (synod__rt_t *rt, synod_str_t node)
{
    synod__stream_t *stream = node.size && node.size <= SYNOD_NAME_MAX ? synod__stream_get (rt, node) : NULL;
    if (stream)
        stream->present = true;
}

/* Joined: as many as can be reached have been met, at least one of those that are configured. */
bool synod__mesh_joined (const synod__rt_t *rt)
{
    bool waiting = false, met = synod__directory_size (rt->directory) > 1;
    for (const synod__dial_t *dial = rt->dials; dial; dial = dial->next)
        waiting |= dial->link && !dial->node[0] && dial->ticks == 0;
    if (!rt->dials)
        return true;
    int64_t since_us = rt->now_us - rt->started_us;
    bool long_enough = since_us > (int64_t) rt->config.heartbeat_ms * 1000;
    if (!met)
        return long_enough && !rt->config.client;
    return (!waiting && synod__mesh_present (rt)) || since_us > S_JOIN_US;
}

void synod__mesh_free (synod__rt_t *rt)
{
    while (rt->dials) {
        synod__dial_t *dial = rt->dials;
        rt->dials = dial->next;
        free (dial);
    }
}
