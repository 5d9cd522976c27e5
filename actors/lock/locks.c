/* SPDX-License-Identifier: MPL-2.0
 *
 * Locks for actors: the client (client.h) through an actor's context. What the actor wishes, and what it is told, are
 * events of their own: so a handler that fails has wished nothing, and one that fails when it is told takes nothing of
 * the client's along.
 *
 * Asks, timers and events find the client where it is in the actor's state; the lower 16 bits of their number say where.
 */
#include <stdio.h>
#include <stdlib.h>
#include "client.h"
#include "actors/runtime/memory.h"
#include "actors/runtime/runtime.h"

struct synod_locks_t {
    synod__lockc_t client;
    synod_ctx_t *ctx; /* of the function that runs */
    uint64_t at;
    synod_timer_t timer;
    int64_t timer_us; /* when it is due; INT64_MAX: it is not set */
    bool tells;       /* news are on their way to the actor */
};

static synod_locks_t *s_of (void *state, uint64_t number)
{
    return *(synod_locks_t **) ((char *) state + (number & UINT16_MAX));
}

/* ---- what the client needs ---- */

static int s_leave (synod_ctx_t *ctx, synod_locks_t *self);

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t number)
{
    synod_locks_t *self = s_of (state, number);
    if (!self)
        return SYNOD_OK;
    self->ctx = ctx;
    synod__lockc_reply (&self->client, synod_now_us (ctx), number >> 16, reply->code, reply->message, reply->body);
    return s_leave (ctx, self);
}

static int s_ask (void *host, const char *to, const synod_record_t *record, const void *in, uint32_t timeout_ms,
                  uint64_t id)
{
    synod_locks_t *self = (synod_locks_t *) host;
    return synod_ask (self->ctx, to, record, in, timeout_ms, s_on_reply, id << 16 | self->at);
}

static void s_tell (void *host, const char *to, const synod_record_t *record, const void *in)
{
    synod_tell (((synod_locks_t *) host)->ctx, to, record, in);
}

static const synod__lockc_host_t s_host = {.ask = s_ask, .tell = s_tell};

/* ---- events ---- */

static int s_on_news (synod_ctx_t *ctx, void *state, uint64_t number)
{
    synod_locks_t *self = s_of (state, number);
    if (!self)
        return SYNOD_OK;
    self->ctx = ctx;
    synod_lock_t *lock = synod__lockc_news (&self->client);
    if (lock && lock->released_us == synod_now_us (ctx)) { /* in this turn: if that succeeded, it is no news any more */
        lock->news = true;
        lock->left = false;
        self->client.nnews++;
        self->tells = synod_after (ctx, 1, s_on_news, self->at, NULL) == SYNOD_OK;
        return SYNOD_OK;
    }
    self->tells = self->client.nnews > 0;
    if (self->tells && synod_after (ctx, 0, s_on_news, self->at, NULL) != SYNOD_OK)
        self->tells = false;
    return lock && lock->on_lock ? lock->on_lock (ctx, state, lock, lock->code, lock->why, lock->arg) : SYNOD_OK;
}

static int s_on_timer (synod_ctx_t *ctx, void *state, uint64_t number)
{
    synod_locks_t *self = s_of (state, number);
    if (!self)
        return SYNOD_OK;
    self->ctx = ctx;
    self->timer_us = INT64_MAX;
    self->tells = false; /* if what told of the last ones failed, the next does */
    synod__lockc_due (&self->client, synod_now_us (ctx));
    return s_leave (ctx, self);
}

static int s_on_lost (synod_ctx_t *ctx, void *state, const void *in, uint64_t at)
{
    synod_locks_t *self = s_of (state, at);
    if (!self)
        return SYNOD_OK;
    self->ctx = ctx;
    synod__lockc_told (&self->client, synod_now_us (ctx), (const synod__lock_lost_t *) in);
    return s_leave (ctx, self);
}

static int s_on_start (synod_ctx_t *ctx, void *state, uint64_t number)
{
    synod_locks_t *self = s_of (state, number);
    synod_lock_t *lock = self ? synod__lockc_find (&self->client, number >> 16) : NULL;
    if (!lock || lock->stand != SYNOD__LOCK_NEW)
        return SYNOD_OK;
    self->ctx = ctx;
    synod__lockc_start (&self->client, synod_now_us (ctx), lock);
    return s_leave (ctx, self);
}

static int s_on_release (synod_ctx_t *ctx, void *state, uint64_t number)
{
    synod_locks_t *self = s_of (state, number);
    synod_lock_t *lock = self ? synod__lockc_find (&self->client, number >> 16) : NULL;
    if (!lock)
        return SYNOD_OK;
    self->ctx = ctx;
    synod__lockc_release (&self->client, synod_now_us (ctx), lock, false);
    return s_leave (ctx, self);
}

/* What there is of news goes its own way, and the timer is set. */
static int s_leave (synod_ctx_t *ctx, synod_locks_t *self)
{
    if (self->client.nnews && !self->tells)
        self->tells = synod_after (ctx, 0, s_on_news, self->at, NULL) == SYNOD_OK;
    uint32_t news = self->client.nnews;
    self->client.nnews = 0; /* they are seen to */
    int64_t next_us = synod__lockc_next_us (&self->client), now_us = synod_now_us (ctx);
    self->client.nnews = news;
    if (next_us >= self->timer_us)
        return SYNOD_OK;
    if (self->timer_us != INT64_MAX)
        synod_cancel (ctx, self->timer);
    self->timer_us = next_us;
    int64_t delay_ms = next_us > now_us ? (next_us - now_us + 999) / 1000 : 1;
    return synod_after (ctx, delay_ms > INT32_MAX ? INT32_MAX : (uint32_t) delay_ms, s_on_timer, self->at,
                        &self->timer);
}

/* ---- for actors ---- */

synod_locks_t *synod_locks_new (synod_ctx_t *ctx, const synod_lock_options_t *options, size_t at)
{
    synod_fault_t fault = {0};
    if (!ctx || at > UINT16_MAX) {
        synod_error (ctx, SYNOD_INVALID, "expected a place in the first 65536 bytes of the state, got %zu", at);
        return NULL;
    }
    synod_locks_t *self = (synod_locks_t *) synod__alloc (sizeof *self);
    self->at = at;
    self->timer_us = INT64_MAX;
    if (synod__lockc_init (&self->client, options, synod_self (ctx), synod_random (ctx), &s_host, self, &fault) !=
        SYNOD_OK) {
        synod_error (ctx, fault.code, "%s", fault.text);
        free (self);
        return NULL;
    }
    synod__ctx_hear (ctx, &synod__lock_lost_record, s_on_lost, at);
    return self;
}

void synod_locks_destroy (synod_ctx_t *ctx, synod_locks_t **self_p)
{
    synod_locks_t *self = self_p ? *self_p : NULL;
    if (!self)
        return;
    *self_p = NULL;
    self->ctx = ctx;
    synod__ctx_unhear (ctx, &synod__lock_lost_record, self->at);
    synod__lockc_free (&self->client);
    free (self);
}

int synod_locks_acquire (synod_ctx_t *ctx, synod_locks_t *self, const synod_lock_want_t *want, synod_on_lock_t *on_lock,
                         uint64_t arg, synod_lock_t **out)
{
    synod_fault_t fault = {0};
    synod_lock_t *lock;
    if (!ctx || !self || !want || !on_lock)
        return SYNOD_INVALID;
    int rc = synod__lockc_new (&self->client, synod_now_us (ctx), want, &lock, &fault);
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s", fault.text);
    lock->on_lock = on_lock;
    lock->arg = arg;
    if (out)
        *out = lock;
    return synod_after (ctx, 0, s_on_start, lock->parts[0].request << 16 | self->at, NULL);
}

void synod_locks_release (synod_ctx_t *ctx, synod_locks_t *self, synod_lock_t *lock)
{
    if (!ctx || !self || !lock)
        return;
    lock->released_us = synod_now_us (ctx);
    synod_after (ctx, 0, s_on_release, lock->parts[0].request << 16 | self->at, NULL);
}

uint32_t synod_lock_remaining_ms (const synod_ctx_t *ctx, const synod_lock_t *lock)
{
    return ctx && lock ? (uint32_t) (synod__lockc_left_us (lock, synod_now_us (ctx)) / 1000) : 0;
}

uint64_t synod_lock_token (const synod_lock_t *self, const char *name)
{
    for (uint32_t i = 0; self && i < self->nparts; i++)
        for (uint32_t n = 0; n < self->parts[i].nnames; n++)
            if (!name || synod_str_is (self->parts[i].names[n], name))
                return self->parts[i].token;
    return 0;
}
