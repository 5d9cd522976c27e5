/* SPDX-License-Identifier: MPL-2.0
 *
 * The port's turns: what a wait has found is read, then handed to the runtime; and the wait for more.
 */
#include <sched.h>
#include "port_internal.h"

#define S_ROUNDS  4   /* of a turn with copies to commit */
#define S_STAY_US 300 /* what a commit takes on a quick disk, and some more */
#define S_WAITS   8   /* for commits, that are looked back upon */

static void s_take (synod__port_t *self, synod__end_t *end)
{
    switch (end->kind) {
    case SYNOD__SOCKET_MONITOR:
        synod__port_take_monitor (self, end);
        break;
    case SYNOD__SOCKET_LINK:
        if (end->wire)
            synod__port_wire_read (self, end);
        else
            synod__port_take_frames (self, end);
        break;
    case SYNOD__SOCKET_LISTENER:
    case SYNOD__SOCKET_WIRE:
        synod__port_wire_read (self, end);
        break;
    case SYNOD__SOCKET_INBOX:
        synod__port_take_frames (self, end);
        break;
    case SYNOD__SOCKET_PUBLISH:
        synod__port_arrived (self, end, SYNOD__ARRIVAL_SUBSCRIPTIONS);
        break;
    case SYNOD__SOCKET_SUBSCRIBE:
        if (!self->pull)
            synod__port_take_topics (self, end);
        break;
    case SYNOD__SOCKET_BEACON:
        synod__port_arrived (self, end, SYNOD__ARRIVAL_BEACONS);
        break;
    case SYNOD__SOCKET_DISK:
        synod__port_disk_told (self);
        break;
    case SYNOD__SOCKET_GATE:
    case SYNOD__SOCKET_CONNECTION:
        synod__port_gate_read (self, end);
        break;
    }
}

/* What the last wait found at END. Monitors come first: a new connection is known before what came by it. */
void synod__port_found (synod__port_t *self, synod__end_t *end)
{
    if (end->found)
        return;
    end->found = true;
    synod__end_t **at = &self->found;
    while (end->kind != SYNOD__SOCKET_MONITOR && *at && (*at)->kind == SYNOD__SOCKET_MONITOR)
        at = &(*at)->found_next;
    end->found_next = *at;
    *at = end;
}

static void s_writable (synod__port_t *self, synod__end_t *end)
{
    if (end->kind == SYNOD__SOCKET_CONNECTION)
        synod__port_gate_writable (self, end);
    else if (end->wire)
        synod__port_wire_writable (self, end);
    else if (end->kind == SYNOD__SOCKET_LINK) {
        synod__poll_events (end->poll, ZMQ_POLLIN);
        synod__port_arrived (self, end, SYNOD__ARRIVAL_WRITABLE);
    }
}

/* In the middle of a turn connections wait for the next: what is to be written to them may not be durable. */
static void s_read (synod__port_t *self, bool middle)
{
    synod__end_t *end = self->found, *next;
    self->found = NULL;
    for (; end; end = next) {
        next = end->found_next;
        end->found = false;
        if (end->closed)
            continue;
        if (middle && end->kind == SYNOD__SOCKET_CONNECTION) {
            synod__port_found (self, end);
            continue;
        }
        if (end->out) {
            end->out = false;
            s_writable (self, end);
        }
        if (end->in) {
            end->in = false;
            s_take (self, end);
        }
    }
}

void synod__port_turn_begin (synod__port_t *self)
{
    s_read (self, false);
    /* not before the last frame is here: whoever stamped it with the clock was earlier than this turn */
    synod__rt_turn_begin (self->rt, synod__now_us ());
    self->in_turn = true;
    synod__port_hand_over (self);
    if (!self->brokered && self->client)
        synod__port_take_subscriptions (self);
    if (self->blocked) {
        self->blocked = false;
        synod__rt_publishable (self->rt);
    }
}

static bool s_yield (synod__port_t *self)
{
    int64_t since_us = synod__now_us ();
    if (!synod__yield_may (&self->yield, since_us))
        return false;
    sched_yield ();
    synod__yield_took (&self->yield, since_us, synod__now_us ());
    return true;
}

/* What comes while others run is in the same commit. */
static void s_go_on (synod__port_t *self)
{
    for (int i = 0; i < S_ROUNDS && synod__rt_turn_more (self->rt) && s_yield (self); i++) {
        synod__port_wait (self, 0); /* what is not the port's is found again: the poller asks until it is read */
        if (!self->found)
            return;
        s_read (self, true);
        synod__rt_turn_on (self->rt, synod__now_us ());
        synod__port_hand_over (self);
    }
}

int64_t synod__port_turn_end (synod__port_t *self)
{
    s_go_on (self);
    int64_t until_us = synod__rt_turn_end (self->rt);
    self->in_turn = false;
    if (self->client && !self->brokered) { /* its publications come from another thread too */
        pthread_mutex_lock (&self->lock);
        self->hold_us = synod__rt_hold_us (self->rt);
        pthread_mutex_unlock (&self->lock);
    }
    until_us = synod__port_gates_turn (self, until_us);
    synod__port_sweep (self);
    synod__port_topics_leave (self);
    return synod__port_topics_due (self, until_us);
}

int64_t synod__port_turn (synod__port_t *self)
{
    synod__port_turn_begin (self);
    return synod__port_turn_end (self);
}

/* Whether a commit is under way, and it is not known what ends the wait for it. */
static bool s_awaits (const synod__port_t *self, int64_t until_us)
{
    return self->disk && self->disk->begun != self->disk->settled && !self->found && until_us > 0;
}

/* While a commit is under way, and mail comes in most such waits, the node looks again and again, and gives way in between,
 * instead of going to sleep: on a quick disk that is over sooner than a core that is idle has been woken. Where nobody has
 * more to say before it is durable, it would only be in the way of those who make it so. Whether something was found. */
static bool s_stay (synod__port_t *self, int64_t until_us)
{
    bool found = false;
    int64_t stay_us = synod__now_us () + S_STAY_US;
    if (self->mail_first < S_WAITS / 2)
        return false;
    while (!found && synod__now_us () < (stay_us < until_us ? stay_us : until_us) && s_yield (self))
        found = synod__poller_wait (self->poller, 0);
    return found;
}

bool synod__port_wait (synod__port_t *self, int64_t until_us)
{
    bool other = false, mail = false;
    void *owner;
    int events;
    int64_t sooner_us = self->found ? 0 : synod__port_topics_due (self, until_us);
    const bool awaits = s_awaits (self, sooner_us);
    if (!awaits || !s_stay (self, sooner_us))
        synod__poller_wait (self->poller, sooner_us);
    while (synod__poller_next (self->poller, &owner, &events)) {
        synod__end_t *end = (synod__end_t *) owner;
        if (!end) {
            other = true;
            continue;
        }
        mail |= end->kind != SYNOD__SOCKET_DISK;
        end->in |= (events & ZMQ_POLLIN) != 0;
        end->out |= (events & ZMQ_POLLOUT) != 0;
        synod__port_found (self, end);
        if (self->pull && end->kind == SYNOD__SOCKET_SUBSCRIBE) /* said once; synod__port_topic arms it again */
            synod__poll_events (end->poll, 0);
    }
    if (awaits && mail && self->mail_first < S_WAITS)
        self->mail_first++;
    else if (awaits && !mail && self->mail_first)
        self->mail_first--;
    return other;
}

bool synod__port_unsettled (const synod__port_t *self)
{
    return self->found || synod__poller_touched (self->poller);
}

bool synod__port_unread (const synod__port_t *self)
{
    return self->pull && self->subscribe && synod__poll_wanted (self->subscribe->poll) == 0;
}
