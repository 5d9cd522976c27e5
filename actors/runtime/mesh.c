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
#define S_GREETINGS  3      /* from one that is up here: so many, and the link there is taken for dead */

struct synod__dial_t {
    struct synod__dial_t *next;
    char endpoint[256];
    bool keep;                     /* configured: tried for ever */
    uint32_t link;                 /* open towards it, 0: none */
    bool up;                       /* its connection stands */
    char node[SYNOD_NAME_MAX + 1]; /* who is there; empty: not known (yet, or again) */
    uint32_t ticks;                /* without success */
};

/* Where a peer that is gone published. What it published last may still be on its way when its leave has come by
 * another connection, so the subscriptions stay for as long as a silent peer would be waited for. */
struct synod__leaving_t {
    struct synod__leaving_t *next;
    char endpoint[256];
    uint32_t ticks;
};

static void s_topics_join (synod__rt_t *rt, const char *endpoint)
{
    for (synod__leaving_t **at = &rt->leaving; *at; at = &(*at)->next) {
        synod__leaving_t *leaving = *at;
        if (strcmp (leaving->endpoint, endpoint) != 0)
            continue;
        *at = leaving->next; /* still connected */
        free (leaving);
        return;
    }
    rt->ops->topics_join (rt->host, endpoint);
}

void synod__mesh_topics_leave (synod__rt_t *rt, const char *endpoint)
{
    synod__leaving_t *leaving = (synod__leaving_t *) synod__alloc (sizeof *leaving);
    snprintf (leaving->endpoint, sizeof leaving->endpoint, "%s", endpoint);
    leaving->next = rt->leaving;
    rt->leaving = leaving;
}

static void s_leaving_tick (synod__rt_t *rt)
{
    for (synod__leaving_t **at = &rt->leaving; *at;) {
        synod__leaving_t *leaving = *at;
        if (++leaving->ticks <= 3) {
            at = &leaving->next;
            continue;
        }
        *at = leaving->next;
        rt->ops->topics_leave (rt->host, leaving->endpoint);
        free (leaving);
    }
}

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
    synod__entry_t self = synod__entry_of_self (rt);
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
    hello.token = rt->token_base | dial->link;
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

static void s_refuse (synod__rt_t *rt, synod_str_t identity, const char *name)
{
    char text[SYNOD_FAULT_MAX];
    snprintf (text, sizeof text, "node %s is taken by one that is alive; choose another name", name);
    synod__refused_t out = {.code = synod_str (synod_error_name (SYNOD_NAME_TAKEN)), .message = synod_str (text)};
    synod_envelope_t env = {.kind = SYNOD_KIND_TELL,
                            .method = synod_str_n (synod__refused_record.name, synod__refused_record.name_size)};
    if (synod__batch_begin (&rt->answer, synod_str (SYNOD_NODE_ACTOR), rt->node, rt->config.incarnation, 0) ||
        synod__batch_add_record (&rt->answer, &env, &synod__refused_record, &out, NULL))
        return;
    rt->ops->answer (rt->host, identity, &rt->answer.buf);
    synod__batch_clear (&rt->answer);
}

/* The dial that this life gave TOKEN to; NULL: none did. */
static synod__dial_t *s_of_token (const synod__rt_t *rt, uint64_t token)
{
    bool own = token && (token ^ rt->token_base) <= UINT32_MAX;
    return own ? s_find (rt, (uint32_t) token) : NULL;
}

/* Mail for the peer goes by DIAL. */
static void s_lead (synod__stream_t *stream, synod__dial_t *dial)
{
    snprintf (dial->node, sizeof dial->node, "%s", stream->name);
    dial->ticks = 0;
    stream->link = dial->link;
    stream->blocked = !dial->up;
}

/* The link by which the peer is reached: the one its hello answers, one dialled to its endpoint, or a new one. */
static void s_bind (synod__rt_t *rt, synod__stream_t *stream, const synod__entry_t *entry, uint64_t answers)
{
    synod__dial_t *answered = s_of_token (rt, answers);
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
    if (dial)
        s_lead (stream, dial);
}

/* A peer that is up here greets as often as it ticks as long as it has no hello of this node: one whose answers do not
 * arrive, though their connection stands, gets them by another. What went by the old one it has not taken. */
static void s_greeted (synod__rt_t *rt, synod__stream_t *stream)
{
    bool in_a_row = rt->now_us - stream->greeted_us < 2 * (int64_t) stream->heartbeat_ms * 1000;
    synod__dial_t *dial = s_find (rt, stream->link);
    stream->greeted_us = rt->now_us;
    stream->greetings = in_a_row ? stream->greetings + 1 : 1;
    if (stream->greetings < S_GREETINGS || !dial || !dial->up)
        return;
    stream->greetings = 0;
    synod__rt_log (rt, SYNOD_LOG_WARNING, "node %s does not hear this one: connecting to it anew", stream->name);
    s_close (rt, dial);
    s_open (rt, dial);
    s_lead (stream, dial);
}

/* A hello with this node's own name: of another that has it, or this node dialled itself by another spelling. */
static void s_met_self (synod__rt_t *rt, synod_str_t identity, const synod__entry_t *entry, uint64_t token)
{
    synod__dial_t *dial = s_of_token (rt, token);
    if (entry->incarnation != rt->config.incarnation)
        s_refuse (rt, identity, rt->config.node);
    else if (dial) {
        s_close (rt, dial);
        dial->keep = false;
        dial->ticks = S_DIAL_TICKS;
    }
}

/* Whether INCARNATION may have PEER's name. The holder is probed at the first claim; the claimant says hello with each
 * of its heartbeats, and by the next but one the holder has answered, or not. Other frames of it say nothing: they may
 * have been on their way when it died. */
static bool s_may_have (synod__rt_t *rt, synod__stream_t *stream, const synod__peer_t *peer, synod_str_t identity,
                        uint64_t incarnation)
{
    synod__probe_t probe = {0};
    if (peer->incarnation == incarnation || stream->leaving)
        return true;
    if (stream->claimant != incarnation) {
        stream->claimant = incarnation;
        stream->claimed_us = rt->now_us;
        stream->answers = false;
        synod__control_tell (rt, stream, &synod__probe_record, &probe);
    } else if (stream->answers) {
        stream->claimant = 0;
        s_refuse (rt, identity, peer->name);
    } else
        return rt->now_us - stream->claimed_us >= (int64_t) rt->config.heartbeat_ms * 1000;
    return false;
}

void synod__mesh_hello (synod__rt_t *rt, synod_str_t identity, const synod_frame_t *frame, const synod__hello_t *in)
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
    if (synod_str_same (entry.node, rt->node)) {
        s_met_self (rt, identity, &entry, in->token);
        return;
    }
    synod__peer_t *peer = synod__directory_node (rt->directory, entry.node);
    synod__stream_t *stream = synod__stream_get (rt, entry.node);
    if (rt->state >= SYNOD__RT_DRAINING || (peer && !s_may_have (rt, stream, peer, identity, entry.incarnation)))
        return;
    bool fresh = !peer || peer->incarnation != entry.incarnation;
    peer = synod__peer_up (rt, &entry);
    if (!peer)
        return;
    stream->heartbeat_ms = (uint32_t) (in->heartbeat_ms ? in->heartbeat_ms : SYNOD_HEARTBEAT_MS);
    stream->heard_us = rt->now_us;
    s_bind (rt, stream, &entry, in->answers);
    if (fresh && peer->topics[0])
        s_topics_join (rt, peer->topics);
    if (!fresh && in->token)
        s_greeted (rt, stream);
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
    if (!stream || !stream->peer)
        return;
    synod__hello_t hello;
    synod__hello_fill (rt, &hello, true);
    synod__control_tell (rt, stream, &synod__hello_record, &hello);
}

/* An identity that is no peer sends what only peers send. */
void synod__mesh_unknown (synod__rt_t *rt, synod_str_t identity)
{
    synod__again_t out = {0};
    synod_envelope_t env = {.kind = SYNOD_KIND_TELL,
                            .method = synod_str_n (synod__again_record.name, synod__again_record.name_size)};
    if (!identity.size || rt->state >= SYNOD__RT_DRAINING ||
        synod__batch_begin (&rt->answer, synod_str (SYNOD_NODE_ACTOR), rt->node, rt->config.incarnation, 0) ||
        synod__batch_add_record (&rt->answer, &env, &synod__again_record, &out, NULL))
        return;
    rt->ops->answer (rt->host, identity, &rt->answer.buf);
    synod__batch_clear (&rt->answer);
}

/* It takes nothing new, but answers what it has and waits for what it asked: it stays a peer without actors until it is
 * silent. A handle has nothing to wait for. */
void synod__mesh_leaving (synod__rt_t *rt, synod__peer_t *peer)
{
    synod__stream_t *stream = (synod__stream_t *) peer->user;
    char host[64], endpoint[256], topics[256];
    if (peer->client) {
        synod__peer_down (rt, peer, "left");
        return;
    }
    snprintf (host, sizeof host, "%s", peer->host);
    snprintf (endpoint, sizeof endpoint, "%s", peer->endpoint);
    snprintf (topics, sizeof topics, "%s", peer->topics);
    synod__entry_t entry = {.node = synod_str_n (stream->name, stream->name_size),
                            .incarnation = peer->incarnation,
                            .host = synod_str (host),
                            .endpoint = synod_str (endpoint),
                            .topics = synod_str (topics)};
    stream->leaving = true;
    synod__directory_put (rt->directory, &entry, NULL);
    synod__watch_node_down (rt, entry.node, "left");
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
    if (!left && !client && endpoint[0] && rt->state < SYNOD__RT_DRAINING)
        synod__mesh_dial (rt, synod_str (endpoint), false);
}

/* A peer whose hello says nothing new is kept up by any frame of it; its silence is measured by its own heartbeat. */
void synod__mesh_tick (synod__rt_t *rt)
{
    s_leaving_tick (rt);
    synod__heartbeat_t beat = {.queued = rt->stats.queued, .dropped = rt->stats.dropped};
    for (uint32_t i = synod__directory_size (rt->directory); i > 0; i--) {
        synod__peer_t *peer = synod__directory_at (rt->directory, i - 1);
        synod__stream_t *stream = (synod__stream_t *) peer->user;
        if (stream == rt->self)
            continue;
        synod__control_tell (rt, stream, &synod__heartbeat_record, &beat);
        int64_t silence_us = 3 * (int64_t) stream->heartbeat_ms * 1000;
        if (!peer->client && rt->now_us - stream->heard_us > silence_us)
            synod__peer_down (rt, peer, stream->leaving ? "left" : "silent");
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
        bool open = rt->state < SYNOD__RT_DRAINING; /* later it makes no new friends */
        if (!dial->link && open)
            s_open (rt, dial);
        else if (dial->up && open)
            s_greet (rt, dial);
        at = &dial->next;
    }
}

/* Until when to publish nothing: what is published before all peers' subscriptions have arrived here, they might miss. A
 * peer that does not manage within a heartbeat is not waited for. 0: they have. */
int64_t synod__rt_hold_us (const synod__rt_t *rt)
{
    int64_t until_us = 0;
    for (uint32_t i = 0; !rt->broker && i < synod__directory_size (rt->directory); i++) {
        const synod__peer_t *peer = synod__directory_at (rt->directory, i);
        const synod__stream_t *stream = (const synod__stream_t *) peer->user;
        int64_t late_us = stream->since_us + (int64_t) rt->config.heartbeat_ms * 1000;
        if (!stream->present && peer->topics[0] && late_us > rt->now_us && late_us > until_us)
            until_us = late_us;
    }
    return until_us;
}

void synod__mesh_presence (synod__rt_t *rt, synod_str_t node)
{
    synod__stream_t *stream = synod__name_ok (node, false) ? synod__stream_get (rt, node) : NULL;
    if (stream)
        stream->present = true;
}

/* Joined: as many as can be reached have been met, at least one of those that are configured. Where a connection stands,
 * somebody is there, and will greet; where none does, perhaps nobody is. */
bool synod__mesh_joined (const synod__rt_t *rt)
{
    bool dialling = false, greeting = false, met = synod__directory_size (rt->directory) > 1;
    for (const synod__dial_t *dial = rt->dials; dial; dial = dial->next) {
        bool open = dial->link && !dial->node[0] && dial->ticks == 0;
        greeting |= open && dial->up;
        dialling |= open && !dial->up;
    }
    if (!rt->dials)
        return true;
    int64_t since_us = rt->now_us - rt->started_us;
    bool long_enough = since_us > (int64_t) rt->config.heartbeat_ms * 1000;
    if (!met)
        return long_enough && !rt->config.client;
    if (greeting || synod__rt_hold_us (rt))
        return long_enough;
    return !dialling || since_us > S_JOIN_US;
}

void synod__mesh_free (synod__rt_t *rt)
{
    while (rt->leaving) {
        synod__leaving_t *leaving = rt->leaving;
        rt->leaving = leaving->next;
        free (leaving);
    }
    while (rt->dials) {
        synod__dial_t *dial = rt->dials;
        rt->dials = dial->next;
        free (dial);
    }
}
