/* SPDX-License-Identifier: MPL-2.0
 *
 * The handle's life, and waiting. Invariant: between two calls of the caller nothing of the handle is under way but an
 * open turn (what is staged in it has not left) and the flusher of publications.
 */
#include "handle_internal.h"
#include "protocol/address.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TURN_US      1000  /* how old an open turn may grow while calls follow each other */
#define LOOK_US      10000 /* how long no socket is looked at, however busy the caller is */
#define LOOK_TURNS   64    /* and in how many turns: mail that cannot be delivered comes back, and has a queue too */
#define SETTLE_TURNS 16    /* in a wait of 0, however much comes meanwhile */

/* clang-format off */
#define OWNER_FIELDS(FIELD, OPT) FIELD (u64, handle, UINT64_MAX, "the address of the handle, in this process")
/* clang-format on */
SYNOD_RECORD (owner, OWNER_FIELDS, 0, "whose actor it is")

typedef struct {
    synod_handle_t *handle;
} state_t;

static int s_init (synod_ctx_t *ctx, void *state, const void *args)
{
    (void) ctx;
    ((state_t *) state)->handle = (synod_handle_t *) (uintptr_t) ((const owner_t *) args)->handle;
    return SYNOD_OK;
}

static int s_any (synod_ctx_t *ctx, void *state, const synod_message_t *message, synod_call_t call)
{
    return synod__handle_any (((state_t *) state)->handle, ctx, message, call);
}

static const synod_actor_t s_actor = {
    .name = "$handle",
    .doc = "a client",
    .state_size = sizeof (state_t),
    .args = &owner_record,
    .init = s_init,
    .any = s_any,
};

int synod__handle_fail (synod_handle_t *self, int code, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    self->fault.code = code;
    vsnprintf (self->fault.text, sizeof self->fault.text, format, args);
    va_end (args);
    return code;
}

int64_t synod__handle_deadline (int timeout_ms)
{
    if (timeout_ms < 0)
        return INT64_MAX;
    return timeout_ms == 0 ? 0 : synod__now_us () + (int64_t) timeout_ms * 1000;
}

/* Finds what has come: the next turn takes it. */
static void s_look (synod_handle_t *self, int64_t until_us)
{
    synod__port_wait (self->port, until_us);
    self->looked_us = synod__now_us ();
    self->turns = 0;
}

static void s_begin (synod_handle_t *self)
{
    int64_t now_us = synod__now_us ();
    if (self->open && (now_us - self->opened_us > TURN_US || self->staged >= 256 || self->bytes >= SYNOD_BATCH_TARGET))
        synod__handle_end (self);
    if (self->open)
        return;
    /* whoever sent a sign of life while the caller was elsewhere must not seem silent in this turn */
    if (now_us - self->looked_us > LOOK_US || ++self->turns >= LOOK_TURNS)
        s_look (self, 0);
    synod__port_turn_begin (self->port);
    self->open = true;
    self->opened_us = now_us;
}

void synod__handle_begin (synod_handle_t *self)
{
    s_begin (self);
    synod__handle_wake (self);
}

void synod__handle_turn (synod_handle_t *self)
{
    s_begin (self);
}

void synod__handle_end (synod_handle_t *self)
{
    if (!self->open)
        return;
    self->open = false;
    self->staged = 0;
    self->bytes = 0;
    self->until_us = synod__port_turn_end (self->port);
}

static int s_ended (synod_handle_t *self)
{
    const synod_fault_t *fault = synod__rt_fault (self->rt);
    if (fault->code == SYNOD_OK)
        return synod__handle_fail (self, SYNOD_STOPPED, "handle %s has left the bus", synod_handle_name (self));
    /* not SYNOD_TIMEOUT: that would read as if waiting longer could help */
    return synod__handle_fail (self, fault->code == SYNOD_TIMEOUT ? SYNOD_STOPPED : fault->code, "%s", fault->text);
}

bool synod__handle_due (const synod_handle_t *self)
{
    return self->open || synod__port_unsettled (self->port) || (synod__port_unread (self->port) && !self->first) ||
           synod__now_us () >= self->until_us;
}

/* One that does not wait, of a handle whose descriptor somebody waits for: goes on until only the caller has anything to do. */
static int s_settle (synod_handle_t *self, bool (*done) (synod_handle_t *self, const void *arg), const void *arg)
{
    for (int i = 0; i < SETTLE_TURNS; i++) {
        if (!self->open)
            s_look (self, 0);
        bool due = synod__handle_due (self), is_done = false;
        if (due) {
            s_begin (self);
            is_done = done (self, arg);
            synod__handle_pull (self); /* a caller who does not ask for them has to be told of them */
            synod__handle_end (self);
        }
        if (is_done || done (self, arg))
            return SYNOD_OK;
        if (synod__rt_state (self->rt) == SYNOD__RT_ENDED)
            return s_ended (self);
        if (!due)
            break;
    }
    return SYNOD_TIMEOUT;
}

static int s_pump (synod_handle_t *self, int64_t until_us, bool (*done) (synod_handle_t *self, const void *arg),
                   const void *arg)
{
    for (;;) {
        s_begin (self); /* at first, the open turn does if there is one */
        bool is_done = done (self, arg);
        synod__handle_end (self);
        /* what was due ran in the end of the turn */
        if (is_done || done (self, arg))
            return SYNOD_OK;
        if (synod__rt_state (self->rt) == SYNOD__RT_ENDED)
            return s_ended (self);
        if (synod__now_us () >= until_us)
            return SYNOD_TIMEOUT;
        synod__handle_hush (self);
        s_look (self, until_us < self->until_us ? until_us : self->until_us);
    }
}

int synod__handle_find (synod_handle_t *self, int64_t until_us, bool (*done) (synod_handle_t *self, const void *arg),
                        const void *arg)
{
    return self->wake && until_us == 0 ? s_settle (self, done, arg) : s_pump (self, until_us, done, arg);
}

int synod__handle_pump (synod_handle_t *self, int64_t until_us, bool (*done) (synod_handle_t *self, const void *arg),
                        const void *arg)
{
    int rc = synod__handle_find (self, until_us, done, arg);
    synod__handle_settled (self);
    return rc;
}

synod_ctx_t *synod__handle_enter (synod_handle_t *self)
{
    return synod__rt_enter (self->rt, &s_actor);
}

int synod__handle_leave (synod_handle_t *self, synod_ctx_t *ctx, int code)
{
    if (code != SYNOD_OK) {
        const char *text = ctx ? synod__ctx_error (ctx) : "";
        synod__handle_fail (self, code, "%s", *text ? text : synod_error_meaning (code));
    }
    if (ctx)
        synod__rt_leave (self->rt, ctx, code);
    return code;
}

/* ---- life ---- */

static bool s_joined (synod_handle_t *self, const void *arg)
{
    (void) arg;
    return synod__rt_state (self->rt) == SYNOD__RT_UP;
}

static int s_join (synod_handle_t *self)
{
    const synod_options_t *options = synod__port_options (self->port);
    const owner_t owner = {.handle = (uint64_t) (uintptr_t) self};
    int rc = synod__rt_add (self->rt, &s_actor, &owner, &self->fault);
    if (rc != SYNOD_OK)
        return rc;
    int64_t until_us = synod__handle_deadline ((int) options->connect_ms);
    synod__handle_begin (self);
    rc = synod__rt_start (self->rt, &self->fault);
    synod__handle_end (self);
    if (rc == SYNOD_OK)
        rc = synod__handle_pump (self, until_us, s_joined, NULL);
    if (rc != SYNOD_TIMEOUT)
        return rc;
    if (options->direct)
        return synod__handle_fail (self, rc, "no peer answered within %u ms", options->connect_ms);
    return synod__handle_fail (self, rc, "no broker answered at %s within %u ms", options->bus, options->connect_ms);
}

synod_handle_t *synod_handle_new (const synod_options_t *options, synod_fault_t *fault)
{
    static const synod_options_t none;
    synod_handle_t *self = (synod_handle_t *) calloc (1, sizeof *self);
    if (!self) {
        synod_fault (fault, SYNOD_NO_MEMORY, "no memory for a handle");
        return NULL;
    }
    self->port = synod__port_new (options ? options : &none, true, true, fault);
    if (!self->port) {
        free (self);
        return NULL;
    }
    self->rt = synod__port_rt (self->port);
    if (s_join (self) != SYNOD_OK) {
        if (fault)
            *fault = self->fault;
        synod_handle_destroy (&self);
    }
    return self;
}

static bool s_left (synod_handle_t *self, const void *arg)
{
    (void) arg;
    return synod__rt_state (self->rt) == SYNOD__RT_ENDED;
}

void synod_handle_destroy (synod_handle_t **self_p)
{
    if (!self_p || !*self_p)
        return;
    synod_handle_t *self = *self_p;
    *self_p = NULL;
    synod__handle_wake_free (self);
    synod__lone_destroy (self);
    synod__rt_state_t state = synod__rt_state (self->rt);
    if (state == SYNOD__RT_UP) {
        /* nobody will look at replies: unanswered asks do not delay the end */
        bool asks = synod__rt_stats (self->rt).asks > 0;
        synod__handle_begin (self);
        synod__rt_stop (self->rt);
        synod__handle_end (self);
        int linger_ms = asks ? 0 : (int) synod__port_options (self->port)->linger_ms;
        synod__handle_pump (self, synod__handle_deadline (linger_ms), s_left, NULL);
    }
    synod__handle_end (self);
    synod__port_destroy (&self->port);
    synod__handle_kvs_free (self);
    synod__queue_free (&self->replies);
    synod__queue_free (&self->answer);
    synod__handle_receive_free (self);
    free (self);
}

const char *synod_handle_name (const synod_handle_t *self)
{
    return self ? synod__port_name (self->port) : "";
}

const char *synod_handle_error (const synod_handle_t *self)
{
    return self ? self->fault.text : synod_error_meaning (SYNOD_INVALID);
}

uint64_t synod_handle_gaps (const synod_handle_t *self)
{
    return self ? synod__rt_stats (self->rt).gaps : 0;
}

/* ---- waiting for the bus ---- */

static bool s_flushed (synod_handle_t *self, const void *arg)
{
    (void) arg;
    return synod__lone_flush (self) && synod__rt_stats (self->rt).queued == 0;
}

int synod_handle_flush (synod_handle_t *self, int timeout_ms)
{
    if (!self)
        return SYNOD_INVALID;
    int64_t until_us = synod__handle_deadline (timeout_ms);
    for (;;) {
        /* room for publications wakes no port: look again soon */
        int64_t soon_us = synod__now_us () + 1000;
        int rc = synod__handle_pump (self, soon_us < until_us ? soon_us : until_us, s_flushed, NULL);
        if (rc != SYNOD_TIMEOUT)
            return rc;
        if (synod__now_us () >= until_us)
            return synod__handle_fail (self, rc, "not all was handed over within %d ms", timeout_ms);
    }
}

static bool s_came (synod_handle_t *self, const void *arg)
{
    (void) arg;
    return self->replies.count || self->mail.count || synod__handle_pull (self);
}

int synod_handle_poll (synod_handle_t *self, int timeout_ms)
{
    if (!self)
        return SYNOD_INVALID;
    int rc = synod__handle_pump (self, synod__handle_deadline (timeout_ms), s_came, NULL);
    return rc == SYNOD_TIMEOUT ? synod__handle_fail (self, rc, "nothing came within %d ms", timeout_ms) : rc;
}

static bool s_reachable (synod_handle_t *self, const void *arg)
{
    return synod__rt_reachable (self->rt, (const char *) arg);
}

int synod_handle_await (synod_handle_t *self, const char *address, int timeout_ms)
{
    synod_address_t parsed;
    if (!self)
        return SYNOD_INVALID;
    if (!address)
        return synod__handle_fail (self, SYNOD_INVALID, "expected an address to wait for, got NULL");
    if (synod__address_parse (synod_str (address), &parsed, &self->fault) != SYNOD_OK)
        return self->fault.code;
    if (!synod__port_options (self->port)->direct && synod__port_options (self->port)->no_directory)
        return synod__handle_fail (self, SYNOD_INVALID, "a handle made with no_directory knows of no addresses");
    int rc = synod__handle_pump (self, synod__handle_deadline (timeout_ms), s_reachable, address);
    if (rc == SYNOD_TIMEOUT)
        synod__handle_fail (self, rc, "nobody was at %s within %d ms", address, timeout_ms);
    return rc;
}

static bool s_direct (synod_handle_t *self, const void *arg)
{
    return synod__rt_direct (self->rt, (const char *) arg);
}

static bool s_brokered (synod_handle_t *self, const void *arg)
{
    return !synod__rt_direct (self->rt, (const char *) arg);
}

static int s_change (synod_handle_t *self, const char *node, int timeout_ms, bool direct)
{
    if (!self)
        return SYNOD_INVALID;
    if (!node || !synod__name_ok (synod_str (node), true))
        return synod__handle_fail (self, SYNOD_INVALID, "expected the name of a node, got %s%s%s", node ? "\"" : "",
                                   node ? node : "NULL", node ? "\"" : "");
    synod__handle_begin (self);
    int rc = direct ? synod__rt_link (self->rt, node) : synod__rt_unlink (self->rt, node);
    synod__handle_end (self);
    if (rc != SYNOD_OK)
        return synod__handle_fail (self, rc, "no direct link with %s can be had: %s", node, synod_error_meaning (rc));
    rc = synod__handle_pump (self, synod__handle_deadline (timeout_ms), direct ? s_direct : s_brokered, node);
    if (rc == SYNOD_TIMEOUT)
        synod__handle_fail (self, rc, "the path to %s was not %s within %d ms", node,
                            direct ? "direct" : "the broker's", timeout_ms);
    return rc;
}

int synod_handle_link (synod_handle_t *self, const char *node, int timeout_ms)
{
    return s_change (self, node, timeout_ms, true);
}

int synod_handle_unlink (synod_handle_t *self, const char *node, int timeout_ms)
{
    return s_change (self, node, timeout_ms, false);
}
