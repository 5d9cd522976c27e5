/* SPDX-License-Identifier: MPL-2.0
 *
 * Own unanswered asks. Each ends exactly once: by its reply, by an error, or at its deadline; only then is its slot
 * free. An ask that may be repeated (idempotent, and to any node) keeps a copy of its body and goes to another node
 * when the one it went to is lost, or may be: whom the broker chose, or an owner had it passed on to, is not known here, so
 * it is sent again when no answer came for long. A command (SYNOD_ONCE) keeps one too, and goes to the same node again: when
 * that is back, and when no answer came for long. Its number is its id, so numbers grow; the oldest unanswered command's
 * is the low-water mark.
 *
 * Invariant: an error that says that nothing was done ends no ask of which an earlier copy may have been taken.
 */
#include <stdio.h>
#include "many.h"
#include "place.h"

#define S_ATTEMPTS 4 /* nodes that an idempotent ask is sent to, at most */
#define S_PATIENCE 3 /* heartbeats without an answer after which an ask is sent again: by then a dead node is known */
#define S_DOUBLED  5 /* times that an idempotent ask waits for twice as long as before */

static void s_link (synod__ask_t *ask, synod__stream_t *stream)
{
    ask->stream = stream;
    ask->prev = NULL;
    ask->next = stream->asks;
    if (ask->next)
        ask->next->prev = ask;
    stream->asks = ask;
    stream->nasks++;
    ask->direct = stream->direct && stream->link == stream->direct;
}

static void s_unlink (synod__ask_t *ask)
{
    if (!ask->stream)
        return;
    if (ask->prev)
        ask->prev->next = ask->next;
    else
        ask->stream->asks = ask->next;
    if (ask->next)
        ask->next->prev = ask->prev;
    ask->stream->nasks--;
    ask->stream = NULL;
}

static synod__ask_t *s_new (synod__rt_t *rt)
{
    uint32_t slot;
    if (rt->asks_nspare)
        slot = rt->asks_spare[--rt->asks_nspare];
    else {
        slot = rt->nasks; /* all slots below are in use */
        rt->asks = (synod__ask_t **) synod__grow (rt->asks, &rt->asks_capacity, slot + 1, sizeof *rt->asks);
        rt->asks[slot] = (synod__ask_t *) synod__alloc (sizeof **rt->asks);
    }
    rt->nasks++;
    synod__ask_t *ask = rt->asks[slot];
    ask->id = ++rt->ask_order << 16 | slot;
    ask->attempts = 0;
    ask->copy.size = 0;
    ask->once = ask->keyed = ask->again = ask->idempotent = ask->unsure = false;
    return ask;
}

static void s_commands_add (synod__rt_t *rt, synod__ask_t *ask)
{
    ask->later = NULL;
    ask->earlier = rt->commands_last;
    *(ask->earlier ? &ask->earlier->later : &rt->commands_first) = ask;
    rt->commands_last = ask;
}

static void s_commands_remove (synod__rt_t *rt, synod__ask_t *ask)
{
    *(ask->earlier ? &ask->earlier->later : &rt->commands_first) = ask->later;
    *(ask->later ? &ask->later->earlier : &rt->commands_last) = ask->earlier;
}

/* Whether it is to be sent again with the next tick. */
static void s_waits (synod__rt_t *rt, synod__ask_t *ask, bool on)
{
    rt->nagain += (uint32_t) on - (uint32_t) ask->again;
    ask->again = on;
}

static void s_free (synod__rt_t *rt, synod__ask_t *ask)
{
    uint32_t slot = ask->id & 0xffff;
    s_unlink (ask);
    if (ask->once)
        s_commands_remove (rt, ask);
    s_waits (rt, ask, false);
    synod__timers_clear (&rt->timers, &ask->timer);
    ask->id = 0;
    rt->asks_spare = (uint32_t *) synod__grow (rt->asks_spare, &rt->asks_spare_capacity, rt->asks_nspare + 1,
                                               sizeof *rt->asks_spare);
    rt->asks_spare[rt->asks_nspare++] = slot;
    rt->nasks--;
}

synod__ask_t *synod__ask_find (synod__rt_t *rt, uint64_t id)
{
    uint32_t slot = id & 0xffff;
    if (slot >= rt->nasks + rt->asks_nspare || !id)
        return NULL;
    return rt->asks[slot]->id == id ? rt->asks[slot] : NULL;
}

/* Puts the ask on its way. BUT: the node it must not go to again. */
static int s_send (synod__rt_t *rt, synod__ask_t *ask, const synod_address_t *address, synod_str_t to,
                   synod_str_t method, synod_str_t body, const synod__stream_t *but)
{
    int code = SYNOD_OK;
    /* who keeps no directory does not know that an owner is gone: every other attempt is somebody else's to pass on */
    bool blind = ask->keyed && ask->any_node && (ask->attempts & 1) && rt->broker && !rt->config.directory;
    synod__stream_t *stream = blind ? rt->broker : synod__resolve (rt, address, but, &code);
    if (!stream)
        return code;
    if (synod__stream_full (rt, stream))
        return SYNOD_BUSY;
    int64_t left_us = ask->timer.due_us - rt->now_us;
    synod_envelope_t env = {.kind = SYNOD_KIND_ASK,
                            .method = method,
                            .from = ask->instance->name,
                            .id = ask->id,
                            .left_ms = left_us > 1000 ? (uint64_t) left_us / 1000 : 1,
                            .trace = ask->trace,
                            .body = body};
    if (ask->once) {
        env.client = rt->client;
        env.number = ask->number;
        env.low = synod__low (rt);
        ask->blind = !stream->peer;
    } else
        env.again = ask->attempts;
    ask->sent_us = rt->now_us;
    char room[SYNOD_ADDRESS_MAX + 1];
    synod_str_t at = synod__frame_address (rt, stream, address, to, room, &env.to);
    code = at.data ? synod__stream_put (rt, stream, at, &env) : SYNOD_BAD_ADDRESS;
    if (code == SYNOD_OK && stream != rt->broker)
        s_link (ask, stream);
    return code;
}

static void s_keep (synod__ask_t *ask, synod_str_t method, synod_str_t to, synod_str_t body)
{
    const synod_str_t texts[] = {method, to, body};
    ask->method_size = method.size;
    ask->to_size = to.size;
    if (synod__buf_reserve (&ask->copy, (size_t) method.size + to.size + body.size))
        abort ();
    for (int i = 0; i < 3; i++)
        if (texts[i].size) {
            memcpy (ask->copy.data + ask->copy.size, texts[i].data, texts[i].size);
            ask->copy.size += texts[i].size;
        }
}

/* A command goes to no other node than the one it went to first, which may have run it. */
static void s_keep_command (synod__ask_t *ask, synod_str_t to, synod_str_t method, synod_str_t body)
{
    char address[SYNOD_ADDRESS_MAX + 1];
    if (ask->any_node) {
        if (!ask->stream)
            return; /* the broker chose, and nobody else knows whom */
        to = synod__address_join (synod__stream_name (ask->stream), to, address, SYNOD_ADDRESS_MAX);
    }
    s_keep (ask, method, to, body);
}

/* It waits for its next attempt: the tick sends it again. */
static void s_put_off (synod__ask_t *ask)
{
    s_unlink (ask);
    ask->attempts++;
    ask->sent_us = 0;
}

static bool s_lost (int code)
{
    return code == SYNOD_NODE_DOWN || code == SYNOD_NO_ROUTE || code == SYNOD_BUSY || code == SYNOD_STOPPED;
}

int synod__ask_send (synod__instance_t *instance, const synod__effect_t *e)
{
    synod__rt_t *rt = instance->rt;
    const char *bytes = rt->stage.bytes.data;
    synod_str_t to = synod_str_n (bytes + e->to, e->to_size);
    synod_str_t method = synod_str_n (bytes + e->method, e->method_size);
    synod_str_t body = synod_str_n (e->body_size ? bytes + e->body : NULL, e->body_size);
    synod_address_t address;
    int rc = synod__place_address (rt->place, to, &address);
    if (rc != SYNOD_OK)
        return rc;
    synod__ask_t *ask = s_new (rt);
    ask->instance = instance;
    ask->life = instance->life;
    ask->any_node = !address.node.data;
    ask->direct = false;
    ask->on_reply = e->on_reply;
    ask->arg = e->arg;
    ask->trace = e->trace;
    ask->timer.kind = SYNOD__TIMER_ASK;
    ask->timer.owner = ask;
    memcpy (ask->actor, address.actor.data, address.actor.size);
    ask->actor[address.actor.size] = 0;
    synod__timers_set (&rt->timers, &ask->timer, rt->now_us + (int64_t) e->timeout_ms * 1000);
    ask->once = (e->flags & SYNOD_ONCE) != 0;
    ask->number = e->id ? e->id : ask->id;
    ask->keyed = address.key.data != NULL;
    ask->idempotent = (e->flags & SYNOD_IDEMPOTENT) != 0;
    ask->unsure = (e->flags & SYNOD__AGAIN) != 0;
    if (ask->once)
        s_commands_add (rt, ask);
    if (ask->keyed && ask->any_node)
        s_keep (ask, method, to, body);
    else if (!ask->once && (e->flags & SYNOD_IDEMPOTENT) && ask->any_node && !address.key.data)
        s_keep (ask, method, synod_str_n (NULL, 0), body);
    rc = s_send (rt, ask, &address, to, method, body, NULL);
    if (rc == SYNOD_OK && ask->once && !ask->copy.size)
        s_keep_command (ask, to, method, body);
    if (s_lost (rc) && ask->once && ask->unsure && ask->copy.size) {
        s_put_off (ask); /* it was sent before, by another ask: nobody is there to say what became of it, as yet */
        return SYNOD_OK;
    }
    if (rc != SYNOD_OK) {
        char text[SYNOD_FAULT_MAX];
        snprintf (text, sizeof text, "%.*s: %s", SYNOD_STR (to), synod_error_meaning (rc));
        ask->attempts = S_ATTEMPTS; /* nothing was sent, and whoever could take it was asked */
        ask->copy.size = 0;
        synod__event_ask (rt, ask, rc, text);
    }
    return rc;
}

/* Tells the asker and frees the slot, which must be done first: the continuation may ask again. */
static void s_end (synod__rt_t *rt, synod__ask_t *ask, const synod_reply_t *reply)
{
    synod__instance_t *instance = ask->instance;
    uint32_t life = ask->life;
    synod_on_reply_t *on_reply = ask->on_reply;
    uint64_t arg = ask->arg, trace = ask->trace;
    s_free (rt, ask);
    synod__run_reply (instance, life, on_reply, reply, arg, trace);
}

static synod_str_t s_kept_method (const synod__ask_t *ask)
{
    return synod_str_n (ask->copy.data, ask->method_size);
}

static synod_str_t s_kept_to (const synod__ask_t *ask)
{
    return synod_str_n (ask->copy.data + ask->method_size, ask->to_size);
}

static synod_str_t s_kept_body (const synod__ask_t *ask)
{
    size_t before = (size_t) ask->method_size + ask->to_size, size = ask->copy.size - before;
    return synod_str_n (size ? ask->copy.data + before : NULL, size);
}

/* On its way once more, to where it is to go now. BUT: as s_send's. */
static int s_resend (synod__rt_t *rt, synod__ask_t *ask, const synod__stream_t *but)
{
    synod_address_t address = {.actor = synod_str (ask->actor)};
    synod_str_t to = ask->to_size ? s_kept_to (ask) : address.actor;
    int rc = ask->to_size ? synod__address_parse (to, &address, NULL) : SYNOD_OK;
    s_unlink (ask);
    return rc == SYNOD_OK ? s_send (rt, ask, &address, to, s_kept_method (ask), s_kept_body (ask), but) : rc;
}

/* Sends it again, if its node is there; else it goes on waiting. */
static void s_repeat (synod__rt_t *rt, synod__ask_t *ask)
{
    s_waits (rt, ask, false);
    ask->unsure = ask->unsure || ask->sent_us; /* nobody has said what became of it */
    ask->attempts++;                           /* what is still said of the attempt before is no longer news */
    if (s_resend (rt, ask, NULL) != SYNOD_OK)
        ask->sent_us = 0;
}

void synod__asks_again (synod__rt_t *rt, const synod__stream_t *stream)
{
    for (synod__ask_t *ask = rt->commands_first; ask; ask = ask->later) {
        synod_address_t address;
        bool waits = !ask->sent_us || ask->blind;
        if (ask->copy.size && waits && synod__address_parse (s_kept_to (ask), &address, NULL) == SYNOD_OK &&
            synod_str_same (address.node, synod__stream_name (stream)))
            s_repeat (rt, ask);
    }
}

/* For how long its answer may be awaited; who is one node's dies with it, and that is said. A key's owner may be another
 * any time. What is not a command may just be slow, and nobody knows the second from the first. */
static int64_t s_patience_us (const synod__rt_t *rt, const synod__ask_t *ask)
{
    int64_t patience_us = (int64_t) rt->config.heartbeat_ms * 1000 * (ask->keyed ? 1 : S_PATIENCE);
    return ask->once ? patience_us : patience_us << (ask->attempts < S_DOUBLED ? ask->attempts : S_DOUBLED);
}

/* Whether it may be with a node of which nothing will be heard here: also who is its owner may have passed it on. */
static bool s_roams (const synod__ask_t *ask)
{
    return ask->idempotent && !ask->once && (ask->keyed || !ask->stream);
}

static void s_late (synod__rt_t *rt, synod__ask_t *ask)
{
    if (!ask->copy.size || ask->sent_us > rt->now_us - s_patience_us (rt, ask))
        return;
    rt->place->doubt |= ask->keyed;
    s_repeat (rt, ask);
}

void synod__asks_tick (synod__rt_t *rt)
{
    uint32_t slots = rt->nasks ? rt->nasks + rt->asks_nspare : 0;
    for (synod__ask_t *ask = rt->commands_first; ask; ask = ask->later)
        s_late (rt, ask);
    for (uint32_t i = 0; i < slots; i++)
        if (rt->asks[i]->id && s_roams (rt->asks[i]))
            s_late (rt, rt->asks[i]);
}

void synod__asks_keyed_again (synod__rt_t *rt)
{
    uint32_t slots = rt->nasks + rt->asks_nspare;
    for (uint32_t i = 0; i < slots && rt->nagain; i++) {
        synod__ask_t *ask = rt->asks[i];
        if (!ask->id || !ask->again)
            continue;
        s_repeat (rt, ask);
        s_waits (rt, ask, !ask->sent_us);
    }
}

/* What a node says by itself of an ask that it does not hand to an actor. */
static bool s_untaken (int code)
{
    return code == SYNOD_REFUSED || code == SYNOD_BAD_REQUEST;
}

/* The attempt came to this: it has done nothing. */
static bool s_nothing_done (int code)
{
    return code == SYNOD_NO_ROUTE || code == SYNOD_BUSY || s_untaken (code);
}

/* To a key's owner: what was not done, or may be done again, goes to whoever is the owner later. */
static bool s_owner_again (synod__rt_t *rt, const synod__ask_t *ask, int code)
{
    if (!ask->keyed || !ask->any_node || !ask->copy.size || !synod__place_type (rt, synod_str (ask->actor)))
        return false;
    /* who is in no ring refuses it, and here one is known */
    return code == SYNOD_NO_ROUTE || code == SYNOD_REFUSED ||
           (s_lost (code) && code != SYNOD_BUSY && (ask->once || ask->idempotent));
}

void synod__ask_fail (synod__rt_t *rt, synod__ask_t *ask, int code, const char *message)
{
    ask->unsure = ask->unsure || !s_nothing_done (code);
    if (s_owner_again (rt, ask, code)) {
        s_put_off (ask);
        s_waits (rt, ask, true);
        return;
    }
    bool later = s_lost (code) ? ask->attempts || ask->unsure : s_untaken (code) && ask->unsure;
    if (ask->once && ask->copy.size && later) {
        s_put_off (ask);
        return;
    }
    bool harmless = ask->idempotent || s_nothing_done (code);
    /* a command sticks to its node; one for a key whose owner is not known here has none yet */
    bool roams = !ask->once || (ask->keyed && ask->any_node && s_nothing_done (code));
    if (roams && harmless && s_lost (code) && ask->copy.size && ++ask->attempts < S_ATTEMPTS) {
        if (s_resend (rt, ask, ask->stream) == SYNOD_OK)
            return;
    }
    if (ask->unsure && s_nothing_done (code))
        code = SYNOD_NODE_DOWN; /* that is so of the last attempt alone */
    char error[SYNOD_NAME_MAX + 1], text[SYNOD_FAULT_MAX];
    snprintf (error, sizeof error, "%s", synod_error_name (code));
    snprintf (text, sizeof text, "%s", message);
    synod_reply_t reply = {.code = code, .error = synod_str (error), .message = synod_str (text)};
    s_end (rt, ask, &reply);
}

void synod__ask_due (synod__rt_t *rt, synod__ask_t *ask)
{
    ask->copy.size = 0; /* no other attempt */
    char text[SYNOD_FAULT_MAX];
    snprintf (text, sizeof text, "no answer from %s%s%s in time", ask->stream ? ask->stream->name : "",
              ask->stream ? "/" : "", ask->actor);
    synod__ask_fail (rt, ask, SYNOD_TIMEOUT, text);
}

/* That a copy waited in vain: nothing is lost with it. */
static bool s_in_vain (const synod_envelope_t *env)
{
    synod__error_t error;
    return env->kind == SYNOD_KIND_ERROR &&
           synod_record_unpack (&synod__error_record, env->body, &error, NULL) == SYNOD_OK &&
           synod_error_code (error.code.data, error.code.size) == SYNOD_TIMEOUT;
}

/* STREAM: the node the reply came from. */
void synod__ask_answer (synod__rt_t *rt, synod_str_t from, const synod__stream_t *stream, const synod_envelope_t *env)
{
    synod__ask_t *ask = synod__ask_find (rt, env->id);
    /* an answer from elsewhere than where the ask went to: of an attempt that was given up, or forged */
    if (!ask || (ask->stream && ask->stream != stream && stream != rt->broker && !ask->keyed)) {
        rt->stats.late++;
        if (!s_in_vain (env))
            synod__drop (rt, from, rt->node, "a reply nobody waits for", 1);
        return;
    }
    synod_reply_t reply = {.from = from, .body = env->body};
    bool elsewhere = ask->stream && ask->stream != stream; /* it was sent on, perhaps more than once */
    /* a client believes those of the ring who did what it wanted */
    if (ask->keyed && env->kind == SYNOD_KIND_REPLY && rt->config.client && rt->place->frame_epoch > rt->epoch)
        synod__place_hear (rt, synod__stream_find (rt, synod__stream_name (stream)), rt->place->frame_epoch);
    if (env->kind == SYNOD_KIND_ERROR) {
        synod__error_t error;
        synod_fault_t fault = {0};
        if (synod_record_unpack (&synod__error_record, env->body, &error, &fault) != SYNOD_OK) {
            rt->stats.malformed++;
            reply.code = SYNOD_BAD_REQUEST;
            reply.error = synod_str (synod_error_name (reply.code));
            reply.message = synod_str (fault.text);
        } else {
            reply.code = synod_error_code (error.code.data, error.code.size);
            reply.error = error.code;
            reply.message = error.message;
            bool untaken = !env->from.data && s_untaken (reply.code);
            ask->unsure = ask->unsure || (untaken && elsewhere);
            if ((s_lost (reply.code) || untaken) && ask->copy.size) {
                char text[SYNOD_FAULT_MAX];
                snprintf (text, sizeof text, "%.*s", SYNOD_STR (error.message));
                synod__ask_fail (rt, ask, reply.code, text);
                return;
            }
        }
        reply.body = synod_str_n (NULL, 0);
    }
    s_end (rt, ask, &reply);
}

void synod__asks_of_stream_fail (synod__rt_t *rt, synod__stream_t *stream, bool direct_only, int code,
                                 const char *message)
{
    for (synod__ask_t *ask = stream->asks, *next; ask; ask = next) {
        next = ask->next;
        if (direct_only && !ask->direct)
            continue;
        synod__event_ask (rt, ask, code, message); /* deferred: this may run inside a turn's sending */
    }
}

bool synod__ask_brokered (const synod__rt_t *rt, const synod__ask_t *ask)
{
    return ask->id && ask->stream != rt->self && !ask->direct;
}

void synod__asks_of_broker_fail (synod__rt_t *rt, int code, const char *message)
{
    uint32_t slots = rt->nasks + rt->asks_nspare;
    for (uint32_t i = 0; i < slots; i++) {
        const synod__ask_t *ask = rt->asks[i];
        if (synod__ask_brokered (rt, ask))
            synod__event_ask (rt, ask, code, message);
    }
}

void synod__asks_forget (synod__rt_t *rt, const synod__instance_t *instance)
{
    uint32_t slots = rt->nasks + rt->asks_nspare;
    for (uint32_t i = 0; i < slots; i++)
        if (rt->asks[i]->id && rt->asks[i]->instance == instance)
            s_free (rt, rt->asks[i]);
}
