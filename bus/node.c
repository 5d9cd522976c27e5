/* SPDX-License-Identifier: MPL-2.0
 *
 * The node: a zactor around a port. Its pipe carries two status signals from the thread (alive; joined or failed), then
 * one at its end; to the thread it carries STOP and $TERM. The thread takes no signals: those are main's business.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include "port.h"

/* A turn can stall in a sync while the broker's answer waits: that is looked at before the node gives up. */
#define S_LATE_TURNS 3

struct synod_node_t {
    synod__port_t *port;
    zactor_t *actor;
    synod_fault_t fault; /* why it could not start, or why it ended; the thread's until its signal */
    uint32_t said;       /* released with the fault: what libzmq's pipe orders, no checker of races sees */
    bool started;
    char name[SYNOD_NAME_MAX + 1];
    uint32_t patience_ms; /* for the thread to end */
};

synod_node_t *synod_node_new (const synod_options_t *options, synod_fault_t *fault)
{
    synod_node_t *self = (synod_node_t *) zmalloc (sizeof *self);
    self->port = synod__port_new (options, false, false, fault);
    if (!self->port) {
        free (self);
        return NULL;
    }
    snprintf (self->name, sizeof self->name, "%s", synod__port_name (self->port));
    const synod_options_t *filled = synod__port_options (self->port);
    self->patience_ms = filled->drain_ms + filled->linger_ms + 1000;
    return self;
}

int synod_node_add (synod_node_t *self, const synod_actor_t *type, const void *args, synod_fault_t *fault)
{
    if (self->started)
        return synod_fault (fault, SYNOD_INVALID, "node %s has started already", self->name);
    if (type && type->name && type->name[0] == '$')
        return synod_fault (fault, SYNOD_BAD_ADDRESS, "names that begin with $ are the framework's own: %s",
                            type->name);
    return synod__rt_add (synod__port_rt (self->port), type, args, fault);
}

/* What the thread wrote before a signal is there for whoever has seen the signal. */
static void s_say (synod_node_t *self)
{
    __atomic_fetch_add (&self->said, 1, __ATOMIC_RELEASE);
}

static bool s_said (const synod_node_t *self)
{
    return __atomic_load_n (&self->said, __ATOMIC_ACQUIRE) > 0;
}

/* ---- the thread ---- */

static void s_commands (synod_node_t *self, zsock_t *pipe, bool *term)
{
    for (;;) {
        char *command = zstr_recv_nowait (pipe);
        if (!command)
            return;
        *term |= strcmp (command, "$TERM") == 0;
        synod__rt_stop (synod__port_rt (self->port)); /* both: the others are told that it leaves */
        zstr_free (&command);
    }
}

/* Joins within connect_ms and says whether it did, then serves until the end. */
static void s_loop (synod_node_t *self, zsock_t *pipe)
{
    synod__rt_t *rt = synod__port_rt (self->port);
    synod__poll_t *poll = synod__poller_add (synod__port_poller (self->port), pipe, ZMQ_POLLIN, NULL);
    int64_t join_us = synod__now_us () + (int64_t) synod__port_options (self->port)->connect_ms * 1000;
    bool joined = false, term = false;
    int late = 0; /* turns begun after join_us */
    synod__port_turn_begin (self->port);
    synod__rt_start (rt, &self->fault);
    for (;;) {
        int64_t until_us = synod__port_turn_end (self->port);
        synod__rt_state_t state = synod__rt_state (rt);
        if (term || state == SYNOD__RT_ENDED)
            break;
        if (!joined && state != SYNOD__RT_JOINING) {
            joined = true;
            zsock_signal (pipe, 0);
        }
        if (!joined && late >= S_LATE_TURNS) {
            synod_fault (&self->fault, SYNOD_TIMEOUT, "no broker answered at %s within %u ms",
                         synod__port_endpoint (self->port), synod__port_options (self->port)->connect_ms);
            break;
        }
        if (!joined && join_us < until_us)
            until_us = join_us;
        bool commands = synod__port_wait (self->port, until_us);
        late += synod__now_us () >= join_us;
        synod__port_turn_begin (self->port);
        if (commands) {
            s_commands (self, pipe, &term);
            synod__poll_touch (poll);
        }
    }
    if (synod__rt_state (rt) == SYNOD__RT_ENDED && !self->fault.code)
        self->fault = *synod__rt_fault (rt);
    synod__poller_remove (synod__port_poller (self->port), &poll);
    s_say (self);
    if (!joined && !term)
        zsock_signal (pipe, 1);
}

static void s_thread (zsock_t *pipe, void *args)
{
    synod_node_t *self = (synod_node_t *) args;
    zsock_signal (pipe, 0);
    s_loop (self, pipe);
    synod__port_destroy (&self->port);
    s_say (self);
}

/* ---- the caller's side ---- */

static void *s_nothing (void *arg)
{
    return arg;
}

static void s_command (synod_node_t *self, const char *command)
{
    sigset_t before = synod__signals_block ();
    zsock_set_sndtimeo (self->actor, 0);
    zstr_send (self->actor, command);
    synod__signals_restore (before);
}

/* zactor_new waits for ever for a thread that could not be started, so one is tried first. */
static bool s_thread_possible (void)
{
    pthread_t thread;
    return pthread_create (&thread, NULL, s_nothing, NULL) == 0 && pthread_join (thread, NULL) == 0;
}

/* Until the thread has sent a signal, which is left in the pipe. False after TIMEOUT_MS (-1: none). */
static bool s_signalled (synod_node_t *self, int timeout_ms)
{
    int64_t until_us = timeout_ms < 0 ? INT64_MAX : synod__now_us () + (int64_t) timeout_ms * 1000;
    for (;;) {
        zmq_pollitem_t item = {.socket = zsock_resolve (self->actor), .events = ZMQ_POLLIN};
        int64_t left_us = until_us - synod__now_us ();
        int rc = zmq_poll (&item, 1, timeout_ms < 0 ? -1 : left_us > 0 ? (long) ((left_us + 999) / 1000) : 0);
        if (rc > 0)
            return true;
        if (rc == 0 && (timeout_ms >= 0 && synod__now_us () >= until_us))
            return false;
        assert (rc == 0 || errno == EINTR);
    }
}

int synod_node_start (synod_node_t *self, synod_fault_t *fault)
{
    if (self->started)
        return synod_fault (fault, SYNOD_INVALID, "node %s has started already", self->name);
    self->started = true;
    sigset_t before = synod__signals_block ();
    bool possible = s_thread_possible ();
    self->actor = possible ? zactor_new (s_thread, self) : NULL;
    synod__signals_restore (before);
    if (!self->actor)
        return synod_fault (fault, SYNOD_NO_MEMORY, "node %s: no thread can be started", self->name);
    s_signalled (self, -1);
    before = synod__signals_block ();
    int rc = zsock_wait (self->actor);
    synod__signals_restore (before);
    if (rc == 0)
        return SYNOD_OK;
    s_signalled (self, -1); /* a failed start leaves nothing running */
    return synod_fault (fault, s_said (self) && self->fault.code ? self->fault.code : SYNOD_STOPPED, "%s",
                        self->fault.text);
}

void synod_node_stop (synod_node_t *self)
{
    if (self->actor)
        s_command (self, "STOP");
}

/* The last signal stays in the pipe: the pipe stays readable, and it is what zactor_destroy waits for. */
int synod_node_wait (synod_node_t *self, int timeout_ms, synod_fault_t *fault)
{
    if (!self->actor)
        return synod_fault (fault, SYNOD_INVALID, "node %s has not started", self->name);
    if (!s_signalled (self, timeout_ms))
        return synod_fault (fault, SYNOD_TIMEOUT, "node %s has not ended within %d ms", self->name, timeout_ms);
    return s_said (self) && self->fault.code ? synod_fault (fault, self->fault.code, "%s", self->fault.text) : SYNOD_OK;
}

void *synod_node_pipe (synod_node_t *self)
{
    return self->actor ? zactor_sock (self->actor) : NULL;
}

const char *synod_node_name (const synod_node_t *self)
{
    return self->name;
}

void synod_node_destroy (synod_node_t **self_p)
{
    synod_node_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->actor && !s_signalled (self, 0)) {
        s_command (self, "$TERM");
        if (!s_signalled (self, (int) self->patience_ms))
            return; /* a handler that does not return: its thread has this memory, and nobody can end it */
    }
    sigset_t before = synod__signals_block ();
    zactor_destroy (&self->actor);
    synod__signals_restore (before);
    s_said (self); /* a thread that ran has destroyed the port */
    synod__port_destroy (&self->port);
    free (self);
}
