/* SPDX-License-Identifier: MPL-2.0
 *
 * Gateways: their life beside their actor's, and their connections. A connection belongs to one life of the gateway: when
 * the actor ends, its connections are cut off from it (gone) and the host closes them.
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <utlist.h>
#include "internal.h"
#include "settled.h"

struct synod__gate_t {
    synod__instance_t *instance;
    const synod_gateway_t *type;
    void *state;
    bool up;             /* between its init and its fini */
    synod_conn_t *conns; /* all that the host has not closed */
};

struct synod_conn_t {
    synod__gate_t *gate;
    void *host;
    synod_buf_t out;
    bool closing, held;
    bool gone;    /* of a former life: nothing more is offered to anybody */
    bool changed; /* on the list of those that the host is to look at */
    bool waiting; /* on that of those with something that is not ready */
    size_t ready; /* of OUT; then what waits: each mark says for which commit, and up to where */
    uint32_t nmarks;
    struct {
        size_t end;
        uint64_t wait;
    } marks[SYNOD__DISK_UNDER_WAY + 1]; /* there are no more commits to wait for */
    synod_conn_t *prev, *next;
    synod_conn_t *changed_prev, *changed_next;
    max_align_t state[];
};

/* ---- for gateways ---- */

/* Of the list that it is on. */
static void s_unlist (synod__rt_t *rt, synod_conn_t *self)
{
    synod_conn_t **list = self->changed ? &rt->conns_changed : &rt->conns_waiting;
    if (self->changed || self->waiting) {
        assert (*list && self->changed_prev);
        DL_DELETE2 (*list, self, changed_prev, changed_next);
    }
    self->changed = self->waiting = false;
}

static void s_changed (synod_conn_t *self)
{
    synod__rt_t *rt = self->gate->instance->rt;
    if (self->changed)
        return;
    s_unlist (rt, self);
    self->changed = true;
    DL_APPEND2 (rt->conns_changed, self, changed_prev, changed_next);
}

void *synod_gateway_state (const synod_ctx_t *ctx)
{
    const synod__gate_t *gate = ctx->instance->gate;
    return gate && gate->up ? gate->state : NULL;
}

void *synod_conn_state (synod_conn_t *self)
{
    return self->state;
}

synod_buf_t *synod_conn_out (synod_conn_t *self)
{
    s_changed (self);
    return &self->out;
}

bool synod_conn_full (const synod_conn_t *self)
{
    size_t most = self->gate->type->out_bytes;
    return self->out.size > (most ? most : SYNOD_CONN_OUT_MAX);
}

void synod_conn_close (synod_conn_t *self)
{
    self->closing = true;
    s_changed (self);
}

void synod_conn_hold (synod_conn_t *self, bool held)
{
    if (self->held == held)
        return;
    self->held = held;
    s_changed (self);
}

/* ---- life ---- */

int synod__gate_open (synod__instance_t *instance, synod_fault_t *fault)
{
    synod__rt_t *rt = instance->rt;
    const synod_gateway_t *type = instance->type->gateway;
    synod_str_t at = type ? type->endpoint (instance->args) : synod_str_n (NULL, 0);
    char endpoint[256];
    if (!at.data)
        return SYNOD_OK;
    if (at.size >= sizeof endpoint)
        return synod_fault (fault, SYNOD_INVALID, "actor %s: an endpoint has up to %zu bytes, this one has %u",
                            instance->type->name, sizeof endpoint - 1, at.size);
    snprintf (endpoint, sizeof endpoint, "%.*s", SYNOD_STR (at));
    if (!rt->ops->gate_open)
        return synod_fault (fault, SYNOD_REFUSED, "actor %s: there are no connections here to listen for at %s",
                            instance->type->name, endpoint);
    instance->gate = (synod__gate_t *) synod__alloc (sizeof *instance->gate);
    instance->gate->instance = instance;
    instance->gate->type = type;
    instance->gate->state = synod__alloc (type->state_size);
    return rt->ops->gate_open (rt->host, instance->gate, endpoint, fault);
}

int synod__gate_start (synod__instance_t *instance, synod_fault_t *fault)
{
    synod__gate_t *self = instance->gate;
    if (!self)
        return SYNOD_OK;
    memset (self->state, 0, self->type->state_size);
    self->up = true;
    if (!self->type->init)
        return SYNOD_OK;
    synod_ctx_t *ctx = synod__run_begin (instance, NULL, 0);
    int rc = synod__run_end (ctx, self->type->init (ctx, self->state, instance->state));
    if (rc == SYNOD_OK)
        return SYNOD_OK;
    self->up = false;
    return synod_fault (fault, rc, "the gateway of actor %s could not start: %s", instance->type->name,
                        ctx->error[0] ? ctx->error : synod_error_meaning (rc));
}

void synod__gate_end (synod__instance_t *instance)
{
    synod__gate_t *self = instance->gate;
    if (!self || !self->up)
        return;
    self->up = false;
    synod_conn_t *conn;
    DL_FOREACH (self->conns, conn)
    {
        conn->gone = true;
        synod_conn_close (conn);
    }
    if (!self->type->fini)
        return;
    synod_ctx_t *ctx = synod__run_begin (instance, NULL, 0);
    self->type->fini (ctx, self->state);
    synod__run_drop (ctx);
}

static void s_free (synod__rt_t *rt, synod_conn_t *conn)
{
    s_unlist (rt, conn);
    synod_buf_free (&conn->out);
    free (conn);
}

void synod__gate_free (synod__instance_t *instance)
{
    synod__gate_t *self = instance->gate;
    if (!self)
        return;
    for (synod_conn_t *conn = self->conns, *next; conn; conn = next) {
        next = conn->next;
        s_free (instance->rt, conn);
    }
    free (self->state);
    free (self);
    instance->gate = NULL;
}

synod_gateway_t synod__gate_type (const synod__gate_t *self)
{
    synod_gateway_t type = *self->type;
    type.conns = type.conns ? type.conns : SYNOD_CONNS_MAX;
    type.in_bytes = type.in_bytes ? type.in_bytes : SYNOD_CONN_IN_MAX;
    type.out_bytes = type.out_bytes ? type.out_bytes : SYNOD_CONN_OUT_MAX;
    type.stuck_ms = type.stuck_ms ? type.stuck_ms : SYNOD_CONN_STUCK_MS;
    return type;
}

const char *synod__gate_name (const synod__gate_t *self)
{
    return self->instance->type->name;
}

/* ---- for hosts ---- */

/* Ends a step with CODE: of an error nothing is left but that the connection closes. SIZE: of its OUT before. */
static void s_end (synod_conn_t *conn, synod_ctx_t *ctx, int code, size_t size)
{
    if (code != SYNOD_OK) {
        conn->out.size = size;
        synod_conn_close (conn);
    }
    synod__step_end (conn->gate->instance, ctx, code);
}

synod_conn_t *synod__rt_conn_open (synod__rt_t *rt, synod__gate_t *gate, void *host)
{
    if (!gate->up || rt->state != SYNOD__RT_UP)
        return NULL;
    synod_conn_t *self = (synod_conn_t *) synod__alloc (sizeof *self + gate->type->conn_size);
    self->gate = gate;
    self->host = host;
    DL_APPEND (gate->conns, self);
    if (gate->type->on_open) {
        synod_ctx_t *ctx = synod__run_begin (gate->instance, NULL, 0);
        s_end (self, ctx, gate->type->on_open (ctx, gate->state, self), 0);
    }
    return self;
}

size_t synod__rt_conn_bytes (synod__rt_t *rt, synod_conn_t *self, synod_str_t in)
{
    synod__gate_t *gate = self->gate;
    if (self->gone || self->closing || self->held || rt->broken)
        return self->gone || self->closing ? in.size : 0;
    size_t used = 0, size = self->out.size;
    synod_ctx_t *ctx = synod__run_begin (gate->instance, NULL, 0);
    s_end (self, ctx, gate->type->on_bytes (ctx, gate->state, self, in, &used), size);
    return used < in.size ? used : in.size;
}

void synod__rt_conn_end (synod__rt_t *rt, synod_conn_t *self)
{
    synod__gate_t *gate = self->gate;
    if (self->gone || self->closing || rt->broken)
        return;
    if (!gate->type->on_end) {
        synod_conn_close (self);
        return;
    }
    size_t size = self->out.size;
    synod_ctx_t *ctx = synod__run_begin (gate->instance, NULL, 0);
    s_end (self, ctx, gate->type->on_end (ctx, gate->state, self), size);
}

void synod__rt_conn_closed (synod__rt_t *rt, synod_conn_t *self)
{
    synod__gate_t *gate = self->gate;
    if (!self->gone && gate->type->on_close) {
        synod_ctx_t *ctx = synod__run_begin (gate->instance, NULL, 0);
        gate->type->on_close (ctx, gate->state, self);
        self->gone = true;
        synod__step_end (gate->instance, ctx, SYNOD_OK);
    }
    DL_DELETE (gate->conns, self);
    s_free (rt, self);
}

static void s_settle (synod_conn_t *self, uint64_t settled)
{
    uint32_t count = 0;
    while (count < self->nmarks && self->marks[count].wait <= settled)
        self->ready = self->marks[count++].end;
    self->nmarks -= count;
    memmove (self->marks, self->marks + count, self->nmarks * sizeof *self->marks);
}

/* What was written since the last look waits for what its actor waits for. */
static void s_mark (synod_conn_t *self)
{
    const synod__instance_t *instance = self->gate->instance;
    const uint64_t tied = instance->rt->tied, wait = instance->tied > tied ? instance->tied : tied;
    size_t end = self->nmarks ? self->marks[self->nmarks - 1].end : self->ready;
    if (self->out.size == end)
        return;
    if (!self->nmarks || self->marks[self->nmarks - 1].wait < wait) {
        assert (self->nmarks < sizeof self->marks / sizeof *self->marks);
        self->marks[self->nmarks++].wait = wait;
    }
    self->marks[self->nmarks - 1].end = self->out.size;
}

synod_conn_t *synod__rt_conn_next (synod__rt_t *rt)
{
    synod_conn_t *self = rt->conns_changed;
    if (!self || rt->broken)
        return NULL;
    s_unlist (rt, self);
    s_settle (self, synod__settled (rt));
    s_mark (self);
    s_settle (self, synod__settled (rt));
    if (self->nmarks) {
        self->waiting = true;
        DL_APPEND2 (rt->conns_waiting, self, changed_prev, changed_next);
    }
    return self;
}

void synod__gates_settled (synod__rt_t *rt)
{
    while (rt->conns_waiting)
        s_changed (rt->conns_waiting);
}

synod__conn_view_t synod__conn_view (const synod_conn_t *self)
{
    return (synod__conn_view_t){.out = &self->out,
                                .ready = self->ready,
                                .closing = self->closing && !self->nmarks,
                                .held = self->held,
                                .host = self->host};
}

void synod__conn_written (synod_conn_t *self, size_t size, size_t keep)
{
    assert (size <= self->ready);
    self->ready -= size;
    self->out.size -= size;
    memmove (self->out.data, self->out.data + size, self->out.size);
    for (uint32_t i = 0; i < self->nmarks; i++)
        self->marks[i].end -= size;
    if (!self->out.size && self->out.capacity > keep)
        synod_buf_free (&self->out);
}
