/* SPDX-License-Identifier: MPL-2.0
 *
 * What comes to a handle by itself: topic frames, read in place one envelope a call, and tells, which wait in a queue.
 * Invariant: the first frame held stays untouched until all of it has been given out and a call comes for more.
 */
#include "handle_internal.h"
#include <stdlib.h>

/* ---- mail ---- */

int synod__handle_any (synod_handle_t *self, synod_ctx_t *ctx, const synod_message_t *message, synod_call_t call)
{
    if (call.id)
        return synod_error (ctx, SYNOD_NO_METHOD, "a handle asks; it does not answer");
    if (synod__queue_bytes (&self->mail) >= synod__port_options (self->port)->queue_bytes)
        return synod_error (ctx, SYNOD_BUSY, "the handle's owner does not receive what it is told");
    synod__queued_t item = {.number = message->trace,
                            .text = {message->method, message->from, message->key, message->body}};
    return synod__queue_put (&self->mail, &item);
}

static bool s_mail (synod_handle_t *self, synod_message_t *message)
{
    synod__queued_t item;
    if (!synod__queue_take (&self->mail, &item))
        return false;
    *message = (synod_message_t){
        .method = item.text[0], .from = item.text[1], .key = item.text[2], .body = item.text[3], .trace = item.number};
    return true;
}

/* ---- topics ---- */

static synod__held_t *s_held_new (synod_handle_t *self)
{
    synod__held_t *held = self->spare;
    self->spare = NULL;
    if (!held)
        held = (synod__held_t *) malloc (sizeof *held);
    if (held)
        zmq_msg_init (&held->msg);
    return held;
}

static void s_held_free (synod_handle_t *self, synod__held_t *held)
{
    zmq_msg_close (&held->msg);
    if (self->spare)
        free (held);
    else
        self->spare = held;
}

/* In a turn: takes one frame. False when there is none. */
static bool s_pull (synod_handle_t *self)
{
    synod__held_t *held = s_held_new (self);
    if (!held)
        return false;
    if (synod__port_topic (self->port, &held->msg) != SYNOD_OK) {
        s_held_free (self, held);
        return false;
    }
    size_t size = zmq_msg_size (&held->msg);
    if (synod__rt_topic_open (self->rt, zmq_msg_data (&held->msg), size, &held->frame) != SYNOD_OK) {
        s_held_free (self, held);
        return true;
    }
    held->next = NULL;
    self->held += size;
    if (self->last)
        self->last->next = held;
    else
        self->first = held;
    self->last = held;
    return true;
}

bool synod__handle_pull (synod_handle_t *self)
{
    while (!self->first && self->open && s_pull (self))
        ;
    return self->first != NULL;
}

static void s_drop_first (synod_handle_t *self)
{
    synod__held_t *held = self->first;
    self->first = held->next;
    if (!self->first)
        self->last = NULL;
    self->held -= zmq_msg_size (&held->msg);
    self->from_size = 0;
    s_held_free (self, held);
}

void synod__handle_receive_free (synod_handle_t *self)
{
    while (self->first)
        s_drop_first (self);
    free (self->spare);
    self->spare = NULL;
    synod__queue_free (&self->mail);
}

/* node/actor, or node when it was the node itself; composed anew only when the actor is another than last time. */
static synod_str_t s_from (synod_handle_t *self, synod_str_t actor)
{
    if (!self->from_size) {
        memcpy (self->from, self->first->frame.node.data, self->first->frame.node.size);
        self->from[self->first->frame.node.size] = '/';
        self->from_size = self->node_size = self->first->frame.node.size + 1;
    }
    if (!actor.data)
        return synod_str_n (self->from, self->node_size - 1);
    if (actor.size > SYNOD_NAME_MAX)
        return synod_str_n (NULL, 0);
    if (self->from_size - self->node_size != actor.size ||
        memcmp (self->from + self->node_size, actor.data, actor.size) != 0) {
        memcpy (self->from + self->node_size, actor.data, actor.size);
        self->from_size = self->node_size + actor.size;
    }
    return synod_str_n (self->from, self->from_size);
}

/* The next message of the frames that are held; lets go of those used up. */
static bool s_next (synod_handle_t *self, synod_message_t *message)
{
    synod_envelope_t env;
    while (self->first) {
        if (synod__frame_next (&self->first->frame, &env, NULL) != SYNOD_OK) {
            s_drop_first (self);
            if (self->mail.count)
                return false; /* its turn, between frames */
            continue;
        }
        if (env.kind != SYNOD_KIND_PUBLISH || !env.method.data)
            continue;
        *message = (synod_message_t){.method = env.method,
                                     .from = s_from (self, env.from),
                                     .topic = self->first->frame.address,
                                     .body = env.body,
                                     .trace = env.trace};
        if (message->from.data)
            return true;
    }
    return false;
}

static bool s_here (synod_handle_t *self, const void *arg)
{
    (void) arg;
    return self->mail.count || synod__handle_pull (self);
}

int synod_handle_receive (synod_handle_t *self, int timeout_ms, synod_message_t *message)
{
    if (!self)
        return SYNOD_INVALID;
    if (!message)
        return synod__handle_fail (self, SYNOD_INVALID, "expected where to put the message, got NULL");
    if (s_next (self, message) || s_mail (self, message))
        return SYNOD_OK;
    int64_t until_us = synod__handle_deadline (timeout_ms);
    for (;;) {
        int rc = synod__handle_pump (self, until_us, s_here, NULL);
        if (rc == SYNOD_TIMEOUT)
            synod__handle_fail (self, rc, "no message came within %d ms", timeout_ms);
        if (rc != SYNOD_OK)
            return rc;
        if (s_next (self, message) || s_mail (self, message))
            return SYNOD_OK;
    }
}

/* ---- subscriptions ---- */

static int s_on_ready (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod_handle_t *self = *(synod_handle_t **) state;
    (void) ctx;
    if (arg > self->ready)
        self->ready = arg;
    return SYNOD_OK;
}

/* The confirmation comes among the topic frames: those before it are kept, as far as there is room. */
static bool s_ready (synod_handle_t *self, const void *arg)
{
    while (self->open && self->held < synod__port_options (self->port)->queue_bytes && s_pull (self))
        ;
    return self->ready >= *(const uint64_t *) arg;
}

static int s_subscribe (synod_handle_t *self, const char *pattern, bool on)
{
    if (!pattern)
        return synod__handle_fail (self, SYNOD_INVALID, "expected a pattern of topics, got NULL");
    synod__handle_begin (self);
    synod_ctx_t *ctx = synod__handle_enter (self);
    int rc = ctx == NULL ? SYNOD_STOPPED
             : on        ? synod_subscribe (ctx, pattern, s_on_ready, self->asked_ready + 1)
                         : synod_unsubscribe (ctx, pattern);
    return synod__handle_leave (self, ctx, rc);
}

int synod_handle_subscribe (synod_handle_t *self, const char *pattern, int timeout_ms)
{
    if (!self)
        return SYNOD_INVALID;
    int rc = s_subscribe (self, pattern, true);
    if (rc != SYNOD_OK)
        return rc;
    uint64_t mine = ++self->asked_ready;
    rc = synod__handle_pump (self, synod__handle_deadline (timeout_ms), s_ready, &mine);
    if (rc == SYNOD_TIMEOUT)
        synod__handle_fail (self, rc, "the subscription of %s was not confirmed within %d ms%s", pattern, timeout_ms,
                            self->held < synod__port_options (self->port)->queue_bytes ? ""
                                                                                       : ": receive what came first");
    return rc;
}

int synod_handle_unsubscribe (synod_handle_t *self, const char *pattern)
{
    if (!self)
        return SYNOD_INVALID;
    int rc = s_subscribe (self, pattern, false);
    synod__handle_end (self);
    return rc;
}
