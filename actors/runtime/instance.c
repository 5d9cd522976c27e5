/* SPDX-License-Identifier: MPL-2.0
 *
 * Actors that run: their start, each of their steps, their end, their restart. A step is any of an actor's functions:
 * it begins with an empty stage and ends with the stage joined or dropped. What belongs to an actor carries the life
 * in which it came about; a restart begins a new one, so nothing of the old can reach the new.
 */
#include <stdio.h>
#include "heard.h"
#include "alarms.h"
#include "party.h"
#include "place.h"

synod__instance_t *synod__instance_find (synod__rt_t *rt, synod_str_t name)
{
    for (uint32_t i = 0; i < rt->ninstances; i++)
        if (synod_str_same (rt->instances[i]->name, name))
            return rt->instances[i];
    return NULL;
}

synod__store_t *synod__instance_store (const synod__instance_t *self)
{
    if (self->partition) {
        const synod__partition_t *partition = self->partition;
        const char end[4] = {'p', (char) (partition->index >> 8), (char) partition->index, (char) partition->area};
        synod__store_select_end (self->store, end);
    }
    return self->store;
}

synod_ctx_t *synod__run_begin (synod__instance_t *self, const synod_message_t *message, uint64_t trace)
{
    synod_ctx_t *ctx = &self->ctx;
    ctx->active = true;
    ctx->message = message;
    ctx->trace = trace;
    ctx->repeated = ctx->stale = ctx->lazily = ctx->shows = false;
    ctx->error[0] = 0;
    synod__instance_store (self);
    return ctx;
}

int synod__run_end (synod_ctx_t *ctx, int code)
{
    synod__instance_t *self = ctx->instance;
    ctx->active = false;
    ctx->message = NULL;
    if (code == SYNOD_OK || (SYNOD__MUTANT (WRITES_OF_FAILED) && synod__commit_batch (self)))
        code = synod__stage_commit (self);
    else
        synod__stage_drop (self);
    return code;
}

void synod__run_drop (synod_ctx_t *ctx)
{
    ctx->active = false;
    ctx->message = NULL;
    synod__stage_drop (ctx->instance);
}

static void s_failed (synod__instance_t *self)
{
    synod__rt_t *rt = self->rt;
    char reason[SYNOD_FAULT_MAX];
    snprintf (reason, sizeof reason, "%s", self->ctx.error[0] ? self->ctx.error : "it failed");
    uint32_t at = self->nfailures++ % SYNOD_RESTARTS_MAX;
    /* the ring's oldest entry is the failure that must be long enough ago */
    bool often = self->nfailures > SYNOD_RESTARTS_MAX &&
                 rt->now_us - self->failures[at] < (int64_t) SYNOD_RESTARTS_WITHIN_MS * 1000;
    self->failures[at] = rt->now_us;
    synod__rt_log (rt, SYNOD_LOG_ERROR, "actor %s failed: %s; %s", self->type->name, reason,
                   often ? "it fails too often and stays down" : "restarting it");
    if (self->partition) {
        synod__partition_drop (self, SYNOD_FAILED, reason);
        self->stays_down = often;
        if (!often)
            synod__partition_instance (rt, self->partition);
        return;
    }
    synod__instance_end (self, SYNOD_FAILED, reason, !often);
}

/* An actor without the gateway that it was told to have does not run. */
static int s_gate (synod__instance_t *self, synod_fault_t *fault)
{
    int rc = synod__gate_start (self, fault);
    if (rc == SYNOD_OK)
        return SYNOD_OK;
    if (self->type->fini && !synod__instance_stands (self)) {
        synod_ctx_t *ctx = synod__run_begin (self, NULL, 0);
        self->type->fini (ctx, self->state);
        synod__run_end (ctx, SYNOD_OK);
    }
    self->state_of = SYNOD__ACTOR_DOWN;
    synod__instance_forget (self, rc, "it could not start");
    return rc;
}

int synod__instance_start (synod__instance_t *self, synod_fault_t *fault)
{
    synod__rt_t *rt = self->rt;
    self->life++;
    memset (self->state, 0, self->type->state_size);
    self->state_of = SYNOD__ACTOR_UP;
    self->last = NULL;
    synod__heard_forget (self);
    if ((!self->type->init && !self->type->prepare) || synod__instance_stands (self))
        return s_gate (self, fault);
    synod_ctx_t *ctx = synod__run_begin (self, NULL, 0);
    int rc = self->type->init ? self->type->init (ctx, self->state, self->args) : SYNOD_OK;
    if (rc == SYNOD_OK && self->type->prepare)
        rc = synod__party_own (ctx);
    rc = synod__run_end (ctx, rc);
    if (rc == SYNOD_OK)
        return s_gate (self, fault);
    self->state_of = SYNOD__ACTOR_DOWN;
    synod__alarms_forget (rt, self);
    return synod_fault (fault, rc, "actor %s could not start: %s", self->type->name,
                        ctx->error[0] ? ctx->error : synod_error_meaning (rc));
}

void synod__instance_forget (synod__instance_t *self, int code, const char *reason)
{
    synod__rt_t *rt = self->rt;
    synod__party_forget (self);
    synod__commands_forget (rt, self);
    synod__calls_end (rt, self, code, reason);
    synod__asks_forget (rt, self);
    synod__alarms_forget (rt, self);
    synod__topics_forget (rt, self);
    synod__watch_forget (rt, self);
}

/* Ends this life: CODE and REASON go to those who wait for it and who watch it. */
void synod__instance_end (synod__instance_t *self, int code, const char *reason, bool restart)
{
    synod__rt_t *rt = self->rt;
    if (self->state_of != SYNOD__ACTOR_UP)
        return;
    self->state_of = SYNOD__ACTOR_DOWN;
    synod__gate_end (self);
    synod__instance_forget (self, code, reason);
    if (self->type->fini && !synod__instance_stands (self)) {
        /* a dying actor may still write and tell; what it starts anew ends with it */
        synod_ctx_t *ctx = synod__run_begin (self, NULL, 0);
        self->type->fini (ctx, self->state);
        synod__run_end (ctx, SYNOD_OK);
        synod__asks_forget (rt, self);
        synod__alarms_forget (rt, self);
        synod__topics_forget (rt, self);
        synod__watch_forget (rt, self);
    }
    synod_fault_t fault = {0};
    bool up = restart && rt->state < SYNOD__RT_ENDED && synod__instance_start (self, &fault) == SYNOD_OK &&
              self->state_of == SYNOD__ACTOR_UP; /* its init may have asked for its end */
    if (restart && !up && fault.code)
        synod__rt_log (rt, SYNOD_LOG_ERROR, "%s", fault.text);
    synod__watch_tell (rt, self->name, up, reason);
    if (up || rt->state == SYNOD__RT_ENDED)
        return;
    synod__join_hello (rt); /* the others must know that it is gone */
    for (uint32_t i = 0; i < rt->ninstances; i++)
        if (rt->instances[i]->state_of == SYNOD__ACTOR_UP)
            return;
    if (!rt->config.client)
        synod__rt_end (rt, code == SYNOD_STOPPED ? SYNOD_OK : code, reason);
}

void synod__instance_free (synod__instance_t *self)
{
    synod__heard_forget (self);
    if (!self->partition) {
        synod__gate_free (self);
        synod__store_destroy (&self->store);
        synod_buf_free (&self->args_packed);
        free (self->args);
    }
    free (self->state);
    free (self);
}

static const synod_route_t *s_route (synod__instance_t *self, synod_str_t method)
{
    const synod_route_t *last = self->last;
    if (last && last->record->name_size == method.size && memcmp (last->record->name, method.data, method.size) == 0)
        return last;
    for (const synod_route_t *route = self->type->routes; route && route->record; route++)
        if (route->record->name_size == method.size && memcmp (route->record->name, method.data, method.size) == 0)
            return self->last = route;
    /* the framework's own, which no actor has to have */
    for (const synod_route_t *route = method.size && method.data[0] == '$' ? synod__party_routes : NULL;
         route && route->record; route++)
        if (route->record->name_size == method.size && memcmp (route->record->name, method.data, method.size) == 0)
            return route;
    return NULL;
}

static void s_after (synod__instance_t *self, synod_ctx_t *ctx, synod_call_t call, int code)
{
    synod__rt_t *rt = self->rt;
    synod__kept_t *kept = call.id ? synod__call_find (rt, call) : NULL;
    if (code == SYNOD_OK && kept)
        synod__command_begun (kept);
    code = synod__run_end (ctx, code);
    kept = call.id ? synod__call_find (rt, call) : NULL;
    if (code == SYNOD_OK && kept)
        synod__call_keep (rt, call);
    else if (kept)
        synod__call_error (rt, kept, code, ctx->error[0] ? ctx->error : synod_error_meaning (code));
    if (code == SYNOD_FAILED)
        s_failed (self);
}

void synod__instance_take (synod__instance_t *self, const synod_message_t *message, synod_call_t call)
{
    synod__rt_t *rt = self->rt;
    const synod_route_t *route = s_route (self, message->method);
    synod__kept_t *kept = call.id ? synod__call_find (rt, call) : NULL;
    if (!route && !call.id && self->heard && synod__heard_take (self, message))
        return;
    if (!route && !self->type->any) {
        char text[SYNOD_FAULT_MAX];
        snprintf (text, sizeof text, "actor %s knows no method \"%.*s\"", self->type->name,
                  SYNOD_STR (message->method));
        if (kept)
            synod__call_error (rt, kept, SYNOD_NO_METHOD, text);
        else if (!message->topic.data) /* a subscriber need not take all of a topic */
            synod__drop (rt, message->from, self->name, "no such method", 1);
        return;
    }
    synod_fault_t fault = {0};
    if (route && synod_record_unpack (route->record, message->body, rt->record, &fault) != SYNOD_OK) {
        rt->stats.malformed++;
        if (kept)
            synod__call_error (rt, kept, SYNOD_BAD_REQUEST, fault.text);
        else
            synod__bad_body (rt, message->from, &fault);
        return;
    }
    synod_ctx_t *ctx = synod__run_begin (self, message, message->trace);
    ctx->repeated = kept && kept->repeated;
    ctx->stale = route && (route->record->flags & SYNOD_STALE);
    int rc =
        route ? route->handler (ctx, self->state, rt->record, call) : self->type->any (ctx, self->state, message, call);
    s_after (self, ctx, call, rc);
}

/* ---- continuations ---- */

void synod__step_end (synod__instance_t *self, synod_ctx_t *ctx, int code)
{
    code = synod__run_end (ctx, code);
    if (code == SYNOD_FAILED)
        s_failed (self);
    else if (code != SYNOD_OK)
        synod__rt_log (self->rt, SYNOD_LOG_WARNING, "actor %s: %s", self->type->name,
                       ctx->error[0] ? ctx->error : synod_error_meaning (code));
}

void synod__run_reply (synod__instance_t *self, uint32_t life, synod_on_reply_t *on_reply, const synod_reply_t *reply,
                       uint64_t arg, uint64_t trace)
{
    if (self->state_of != SYNOD__ACTOR_UP || self->life != life)
        return;
    synod_ctx_t *ctx = synod__run_begin (self, NULL, trace);
    synod__step_end (self, ctx, on_reply (ctx, self->state, reply, arg));
}

void synod__run_event (synod__rt_t *rt, const synod__event_t *event)
{
    synod__instance_t *self = event->instance;
    if (event->kind == SYNOD__EVENT_ASK) {
        synod__ask_t *ask = synod__ask_find (rt, event->ask);
        if (ask && ask->attempts == event->arg) /* else that attempt was given up already */
            synod__ask_fail (rt, ask, event->code, event->text);
        return;
    }
    if (self->state_of != SYNOD__ACTOR_UP || self->life != event->life)
        return;
    synod_ctx_t *ctx = synod__run_begin (self, NULL, 0);
    int rc = event->kind == SYNOD__EVENT_READY
                 ? event->on_event (ctx, self->state, event->arg)
                 : event->on_down (ctx, self->state, synod_str (event->who), synod_str (event->text), event->arg);
    synod__step_end (self, ctx, rc);
}
