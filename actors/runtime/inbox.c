/* SPDX-License-Identifier: MPL-2.0
 *
 * Frames that came in: is it one, is its sender who it says, is any missing before it; then its envelopes, each to its
 * actor, to the ask it answers, or to this node itself. Whatever is wrong is counted and told to the sender where that
 * is possible; it changes nothing else.
 */
#include <stdio.h>
#include "place.h"
#include "settled.h"

#define S_QUIET_US 30000000 /* less than SYNOD__STREAM_IDLE_US: when a smaller number is a new beginning */
#define S_PART     4        /* asks of a frame that are answered before the rest; then twice as many, and so on */
#define S_ROUNDS   16       /* of mail within the node that mail within the node made, in one turn */

/* An error to whoever sent what could not be read as a frame: there is no name to address. */
static void s_answer (synod__rt_t *rt, synod_str_t identity, const synod_fault_t *fault)
{
    rt->stats.malformed++;
    synod__rt_log (rt, SYNOD_LOG_DEBUG, "refused a frame: %s", fault->text);
    if (!identity.size)
        return;
    synod__error_t error = {.code = synod_str (synod_error_name (fault->code)), .message = synod_str (fault->text)};
    synod_envelope_t env = {.kind = SYNOD_KIND_ERROR, .id = SYNOD__ID_NONE};
    if (synod__batch_begin (&rt->answer, synod_str (SYNOD_NODE_ACTOR), rt->node, rt->config.incarnation, 0) ||
        synod__batch_add_record (&rt->answer, &env, &synod__error_record, &error, NULL))
        return;
    rt->ops->answer (rt->host, identity, &rt->answer.buf);
    synod__batch_clear (&rt->answer);
}

void synod__rt_garbage (synod__rt_t *rt, synod_str_t identity, const char *what)
{
    synod_fault_t fault;
    synod_fault (&fault, SYNOD_BAD_FRAME, "expected a message of one frame, got %s", what);
    s_answer (rt, identity, &fault);
}

static bool s_stranger (const synod__rt_t *rt, const synod_frame_t *frame, const synod__stream_t *stream)
{
    uint64_t known = stream == rt->self ? rt->config.incarnation : stream->peer ? stream->peer->incarnation : 0;
    return !rt->broker && known && frame->incarnation != known;
}

/* Numbers: false for a frame that was overtaken or comes from a former life. MARK: it repeats the last number; FIRST:
 * the first number used towards us, 0 when the sender does not know. */
static bool s_check (synod__rt_t *rt, const synod_frame_t *frame, synod__stream_t *stream, bool mark, uint64_t first)
{
    if (frame->incarnation < stream->seen_incarnation) {
        synod__drop (rt, frame->node, rt->node, "from a former life of its node", 1);
        return false;
    }
    if (frame->incarnation > stream->seen_incarnation) {
        stream->seen_incarnation = frame->incarnation;
        stream->head = stream->seen = 0;
    }
    if (!frame->number)
        return true;
    uint64_t last = frame->number - (mark ? 0 : 1); /* what should have been seen by now */
    int64_t quiet_us = rt->now_us - stream->numbered_us;
    /* a sender forgets those it has not written to for long, and begins anew with the next frame */
    if (!stream->head || (frame->number <= stream->seen && !mark && quiet_us > S_QUIET_US)) {
        stream->seen = mark && first && first <= last ? first - 1 : last;
        stream->head = stream->seen + 1;
    }
    if (frame->number <= stream->seen && !mark) {
        synod__drop (rt, frame->node, rt->node, "overtaken on another path", 1);
        return false;
    }
    stream->numbered_us = rt->now_us;
    if (mark && first && first < stream->head) {
        synod__drop (rt, frame->node, rt->node, "frames missing on the way", stream->head - first);
        stream->head = first;
    }
    if (last > stream->seen)
        synod__drop (rt, frame->node, rt->node, "frames missing on the way", last - stream->seen);
    if (frame->number > stream->seen)
        stream->seen = frame->number;
    return true;
}

void synod__inbox_refuse (synod__rt_t *rt, synod__stream_t *stream, synod_str_t actor, const synod_message_t *message,
                          const synod_envelope_t *env, int code, const char *text)
{
    if (env->kind != SYNOD_KIND_ASK) {
        synod__drop (rt, message->from, actor, text, 1);
        return;
    }
    synod__error_t error = {.code = synod_str (synod_error_name (code)), .message = synod_str (text)};
    synod_envelope_t reply = {.kind = SYNOD_KIND_ERROR, .id = env->id, .trace = env->trace};
    synod__stream_put_record (rt, stream, message->from, &reply, &synod__error_record, &error);
}

void synod__inbox_no_ring (synod__rt_t *rt, synod__stream_t *asker, synod_str_t name, const synod_message_t *message,
                           const synod_envelope_t *env)
{
    char text[SYNOD_FAULT_MAX];
    snprintf (text, sizeof text, "actor %.*s is placed on a ring, and node %s is in none that has it", SYNOD_STR (name),
              rt->config.node);
    synod__inbox_refuse (rt, asker, name, message, env, SYNOD_REFUSED, text);
}

void synod__inbox_hand (synod__rt_t *rt, synod__instance_t *instance, synod__stream_t *asker, synod_str_t actor,
                        const synod_message_t *message, synod_str_t name, const synod_envelope_t *env)
{
    char text[SYNOD_FAULT_MAX];
    if (!instance || instance->state_of != SYNOD__ACTOR_UP) {
        snprintf (text, sizeof text, "node %s runs no actor %.*s", rt->config.node, SYNOD_STR (name));
        synod__inbox_refuse (rt, asker, name, message, env, SYNOD_NO_ROUTE, text);
        return;
    }
    synod_call_t call = {0};
    if (env->again && synod__call_repeats (instance, asker, env))
        return; /* the first is answered, and that is enough */
    if (env->kind == SYNOD_KIND_ASK) {
        call = synod__call_new (instance, asker, actor, env);
        if (!call.id) {
            snprintf (text, sizeof text, "node %s has %d unanswered calls already", rt->config.node, SYNOD_CALLS_MAX);
            synod__inbox_refuse (rt, asker, name, message, env, SYNOD_BUSY, text);
            return;
        }
        if (env->client && !synod__command_admit (rt, synod__call_find (rt, call)))
            return;
    }
    synod__instance_take (instance, message, call);
}

static void s_to_actor (synod__rt_t *rt, synod__stream_t *asker, synod_str_t actor, const synod_message_t *message,
                        const synod_address_t *to, const synod_envelope_t *env)
{
    char text[SYNOD_FAULT_MAX];
    if (to->key.data && synod__keyed_take (rt, asker, actor, message, to, env))
        return;
    synod__instance_t *instance = synod__instance_find (rt, to->actor);
    synod_placement_t placement = instance ? instance->type->placement : SYNOD_UNPLACED;
    if (to->key.data && placement == SYNOD_FOLLOW && synod__keyed_follow (rt, message, to, env))
        return;
    if (to->key.data && instance && placement == SYNOD_UNPLACED) {
        snprintf (text, sizeof text, "actor %s is not placed by key: address it without #", instance->type->name);
        synod__inbox_refuse (rt, asker, to->actor, message, env, SYNOD_BAD_REQUEST, text);
    } else if (!to->key.data && placement == SYNOD_SHARDED && synod_str_is (message->method, synod__many_record.name)) {
        synod__many_take (rt, instance, asker, actor, message, env);
    } else if (to->key.data && placement == SYNOD_SHARDED) {
        synod__inbox_no_ring (rt, asker, to->actor, message, env);
    } else if (!to->key.data && placement == SYNOD_SHARDED) {
        snprintf (text, sizeof text, "actor %s is placed by key: address it as %s#KEY", instance->type->name,
                  instance->type->name);
        synod__inbox_refuse (rt, asker, to->actor, message, env, SYNOD_BAD_REQUEST, text);
    } else
        synod__inbox_hand (rt, instance, asker, actor, message, to->actor, env);
}

/* A message for an actor of this node. FROM_ACTOR: its sender on STREAM's node, or a full address. */
static void s_deliver (synod__rt_t *rt, synod__stream_t *stream, const synod_address_t *to, const synod_envelope_t *env)
{
    char from[2 * SYNOD_NAME_MAX + 2];
    bool forwarded = env->from.data && memchr (env->from.data, '/', env->from.size);
    synod_str_t sender = env->from;
    if (!forwarded)
        sender = synod__address_join (synod__stream_name (stream),
                                      env->from.data ? env->from : synod_str (SYNOD_NODE_ACTOR), from, sizeof from);
    if (!sender.data || sender.size >= sizeof from) {
        rt->stats.malformed++;
        return;
    }
    synod_message_t message = {
        .method = env->method, .from = sender, .key = to->key, .body = env->body, .trace = env->trace};
    synod__stream_t *asker = stream;
    synod_str_t actor = env->from;
    if (forwarded) {
        synod_address_t address;
        if (synod__address_parse (env->from, &address, NULL) != SYNOD_OK || !address.node.data) {
            rt->stats.malformed++;
            return;
        }
        asker = synod__stream_get (rt, address.node);
        actor = address.actor;
    }
    s_to_actor (rt, asker, actor, &message, to, env);
}

static void s_answered (synod__rt_t *rt, synod__stream_t *stream, const synod_envelope_t *env)
{
    char from[2 * SYNOD_NAME_MAX + 2];
    synod_str_t actor = env->from.data ? env->from : synod_str (SYNOD_NODE_ACTOR);
    synod_str_t sender = synod__address_join (synod__stream_name (stream), actor, from, sizeof from);
    if (sender.data)
        synod__ask_answer (rt, sender, stream, env);
}

static void s_envelope (synod__rt_t *rt, synod__stream_t *stream, synod_str_t identity, const synod_frame_t *frame,
                        const synod_address_t *address, const synod_envelope_t *env)
{
    synod_address_t to = *address;
    rt->stats.received++;
    if (env->to.data && synod__place_address (rt->place, env->to, &to) != SYNOD_OK) {
        rt->stats.malformed++;
        return;
    }
    if (to.node.data && !synod_str_same (to.node, rt->node)) {
        synod__drop (rt, frame->node, env->to, "in a frame to another node", 1);
        return;
    }
    switch (env->kind) {
    case SYNOD_KIND_REPLY:
    case SYNOD_KIND_ERROR:
        if (env->id != SYNOD__ID_NONE)
            s_answered (rt, stream, env);
        else
            synod__control_take (rt, stream, identity, frame, env);
        break;
    case SYNOD_KIND_ASK:
    case SYNOD_KIND_TELL:
        if (s_stranger (rt, frame, stream) && !synod_str_is (env->method, synod__hello_record.name) &&
            !(stream == rt->self && synod_str_is (env->method, synod__refused_record.name))) {
            synod__drop (rt, frame->node, rt->node, "from another life of its node", 1);
            /* a later life that takes itself for known says no more hellos by itself */
            if (frame->count == 1 && stream->peer && frame->incarnation > stream->peer->incarnation)
                synod__mesh_unknown (rt, identity);
            break;
        }
        if (!env->method.data || (env->kind == SYNOD_KIND_ASK && !env->id)) {
            rt->stats.malformed++;
            break;
        }
        if (synod_str_is (to.actor, SYNOD_NODE_ACTOR))
            synod__control_take (rt, stream, identity, frame, env);
        else
            s_deliver (rt, stream, &to, env);
        break;
    default:
        rt->stats.malformed++; /* publications come by topic; marks were seen to */
        break;
    }
}

/* Whether the asks of a frame are answered in parts. Who waits for answers and gets the first of them early works while
 * the others are made, so it pays where a frame costs little, on a direct link; with several askers all are busy as it is. */
static bool s_in_parts (synod__rt_t *rt, const synod__stream_t *stream)
{
    if (stream == rt->self)
        return false;
    rt->several |= rt->asker && rt->asker != stream;
    rt->asker = stream;
    return rt->broker && stream->link != SYNOD__LINK_BROKER && !rt->several && !rt->several_before;
}

static void s_take (synod__rt_t *rt, synod_str_t identity, synod_frame_t *frame, const synod_address_t *address,
                    synod_str_t whole)
{
    synod_fault_t fault = {0};
    synod_envelope_t env;
    synod__stream_t *stream = synod__stream_get (rt, frame->node);
    rt->last_in = stream;
    bool stranger = s_stranger (rt, frame, stream);
    stream->used_us = rt->now_us;
    rt->place->frame_epoch = frame->epoch;
    if (frame->epoch > rt->epoch && !rt->config.client)
        synod__place_hear (rt, stream, frame->epoch);
    if (!stranger)
        stream->heard_us = rt->now_us;
    if (stream == rt->broker)
        rt->heard_us = rt->now_us;
    int rc = synod__frame_next (frame, &env, &fault);
    bool mark = rc == SYNOD_OK && env.kind == SYNOD_KIND_MARK;
    if (stream != rt->self && !stranger && !s_check (rt, frame, stream, mark, mark ? env.id : 0))
        return;
    if (mark)
        rc = synod__frame_next (frame, &env, &fault);
    if (rt->tap && identity.size && (!stream->peer || stream->peer->client))
        synod__rt_tap (rt, whole); /* a handle may be gone before its own copies are */
    uint32_t asks = 0, part = s_in_parts (rt, stream) ? S_PART : UINT32_MAX;
    stream->refs++; /* it outlives what its mail does */
    if (stream != rt->self) {
        rt->outside = true;
        rt->heard = 0;
    }
    while (rc == SYNOD_OK && rt->state != SYNOD__RT_ENDED && !rt->broken) {
        s_envelope (rt, stream, identity, frame, address, &env);
        if (env.kind == SYNOD_KIND_ASK && ++asks == part) {
            synod__rt_part (rt, stream);
            asks = 0;
            part *= 2;
        }
        rc = synod__frame_next (frame, &env, &fault);
    }
    stream->refs--;
    rt->outside = false;
    if (rc != SYNOD_OK && rc != SYNOD_NOT_FOUND)
        s_answer (rt, identity, &fault);
}

/* Mail of nodes is part of what several of them do, who have work in the meantime. */
static bool s_of_client (const synod__rt_t *rt, synod_str_t identity)
{
    const synod__peer_t *peer = rt->asker ? rt->asker->peer : NULL;
    return identity.size && rt->asker && (!peer || peer->client);
}

void synod__rt_frame (synod__rt_t *rt, synod_str_t identity, const void *data, size_t size)
{
    synod_frame_t frame;
    synod_address_t address;
    synod_fault_t fault = {0};
    if (rt->state == SYNOD__RT_ENDED || rt->broken)
        return;
    if (synod__frame_open (&frame, data, size, &fault) != SYNOD_OK ||
        synod__address_parse (frame.address, &address, &fault) != SYNOD_OK) {
        s_answer (rt, identity, &fault);
        return;
    }
    if (identity.size && !synod__identity_of (identity, frame.node, frame.incarnation)) {
        synod_fault (&fault, SYNOD_BAD_FRAME, "the header names node %.*s, the socket's identity another",
                     SYNOD_STR (frame.node));
        s_answer (rt, identity, &fault);
        return;
    }
    if (address.node.data && !synod_str_same (address.node, rt->node)) {
        synod_fault (&fault, SYNOD_NO_ROUTE, "this is node %s, not %.*s", rt->config.node, SYNOD_STR (address.node));
        s_answer (rt, identity, &fault);
        return;
    }
    s_take (rt, identity, &frame, &address, synod_str_n (data, size));
    if (s_of_client (rt, identity))
        synod__rt_between (rt);
}

void synod__inbox_local (synod__rt_t *rt)
{
    synod__local_t *item = rt->local_first;
    rt->local_first = rt->local_last = NULL;
    while (item) {
        synod__local_t *next = item->next;
        rt->outside = true;
        rt->heard = item->wait;
        synod__rt_frame (rt, synod_str_n (NULL, 0), item->frame.data, item->frame.size);
        rt->outside = false;
        rt->heard = 0;
        item->frame.size = 0;
        item->next = rt->local_spare;
        rt->local_spare = item;
        item = next;
    }
}

/* Whether what was written here and not committed may be acted on by others here: all that they write comes after it on the
 * same disk. Where there are copies elsewhere those may have what followed, and after a crash not what it followed from. */
bool synod__one_disk (const synod__rt_t *rt)
{
    for (uint32_t i = 0; i < rt->place->nplaced; i++) {
        const synod__shards_t *placed = rt->place->placed[i];
        for (uint32_t at = 0; placed->actor && at < placed->ntables; at++)
            if (placed->tables[at] && placed->tables[at]->copies > 1)
                return false;
    }
    return true;
}

/* Mail within the node is taken in the turn that sent it, so that what follows from one message here is committed once. */
void synod__inbox_rounds (synod__rt_t *rt)
{
    for (int i = 0; i < S_ROUNDS && rt->state == SYNOD__RT_UP && !rt->broken; i++) {
        bool any = !synod__unsettled (rt) || synod__one_disk (rt);
        synod__stream_seal (rt, rt->self, any ? UINT64_MAX : synod__settled (rt));
        if (!rt->local_first)
            return;
        synod__inbox_local (rt);
    }
}
