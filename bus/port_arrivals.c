/* SPDX-License-Identifier: MPL-2.0
 *
 * What came for one turn: received in full, then handed to the runtime in the order of receiving. The turn's time is
 * read in between, so that no frame is handled at a time before it came, however long the process stood still. An
 * arrival's memory is used again: a turn allocates only when more came than in any turn before.
 */
#include "port_internal.h"

synod__arrival_t *synod__port_blank (synod__port_t *self)
{
    if (!self->blank) {
        self->blank = (synod__arrival_t *) zmalloc (sizeof *self->blank);
        zmq_msg_init (&self->blank->from);
        zmq_msg_init (&self->blank->msg);
    }
    return self->blank;
}

void synod__port_arrived (synod__port_t *self, synod__end_t *end, synod__arrival_kind_t kind)
{
    synod__arrival_t *arrival = synod__port_blank (self);
    self->blank = arrival->next;
    arrival->kind = kind;
    arrival->end = end;
    arrival->next = NULL;
    *(self->arrived ? &self->arrived_last->next : &self->arrived) = arrival;
    self->arrived_last = arrival;
}

static void s_hand_over (synod__port_t *self, synod__arrival_t *arrival)
{
    synod__end_t *end = arrival->end;
    const void *data = zmq_msg_data (&arrival->msg);
    size_t size = zmq_msg_size (&arrival->msg);
    synod_str_t from = synod_str_n (NULL, 0);
    char endpoint[256];
    if (end->kind == SYNOD__SOCKET_INBOX)
        from = synod_str_n (zmq_msg_data (&arrival->from), zmq_msg_size (&arrival->from));
    switch (arrival->kind) {
    case SYNOD__ARRIVAL_FRAME:
        synod__rt_frame (self->rt, from, data, size);
        break;
    case SYNOD__ARRIVAL_GARBAGE:
        synod__rt_garbage (self->rt, from, "another number of them");
        break;
    case SYNOD__ARRIVAL_TOPIC:
        synod__rt_topic (self->rt, data, size);
        break;
    case SYNOD__ARRIVAL_UP:
        synod__rt_link_up (self->rt, end->link);
        break;
    case SYNOD__ARRIVAL_DOWN:
        synod__rt_link_down (self->rt, end->link);
        break;
    case SYNOD__ARRIVAL_WRITABLE:
        synod__rt_writable (self->rt, end->link);
        break;
    case SYNOD__ARRIVAL_SUBSCRIPTIONS:
        synod__port_take_subscriptions (self);
        break;
    case SYNOD__ARRIVAL_BEACONS:
        while (synod__beacon_next (self->beacon, endpoint))
            synod__rt_found (self->rt, endpoint);
        synod__poll_touch (end->poll);
        break;
    case SYNOD__ARRIVAL_CONNECTIONS:
        synod__port_gate_accept (self, end);
        break;
    case SYNOD__ARRIVAL_BYTES:
        synod__port_gate_take (self, end);
        break;
    case SYNOD__ARRIVAL_WIRE:
        synod__port_wire_take (self, end);
        break;
    }
}

static void s_clear (zmq_msg_t *msg)
{
    zmq_msg_close (msg);
    zmq_msg_init (msg);
}

void synod__port_hand_over (synod__port_t *self)
{
    while (self->arrived) {
        synod__arrival_t *arrival = self->arrived;
        if (!arrival->end->closed) /* by what came before; it stays in memory until the turn ends */
            s_hand_over (self, arrival);
        s_clear (&arrival->msg);
        if (arrival->end->kind == SYNOD__SOCKET_INBOX)
            s_clear (&arrival->from);
        self->arrived = arrival->next;
        arrival->next = self->blank;
        self->blank = arrival;
    }
}

void synod__port_arrivals_free (synod__port_t *self)
{
    while (self->blank) {
        synod__arrival_t *arrival = self->blank;
        self->blank = arrival->next;
        zmq_msg_close (&arrival->from);
        zmq_msg_close (&arrival->msg);
        free (arrival);
    }
}
