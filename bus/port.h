/* SPDX-License-Identifier: MPL-2.0
 *
 * The port: a runtime and the sockets that host it, in one thread. A node's zactor and a handle's caller both drive one:
 *
 *     until = synod__port_turn (port)    one turn: takes what has arrived, sends what came of it
 *     synod__port_wait (port, until)     sleeps until something arrives or is due
 *
 * With a broker: a DEALER to it; publishing and subscribing sockets, the inbox and direct links when first used.
 * Without: a ROUTER inbox and an XPUB from the start, a DEALER to each peer, a SUB on each peer's XPUB.
 */
#ifndef SYNOD_BUS_PORT_H_INCLUDED
#define SYNOD_BUS_PORT_H_INCLUDED

#include <synod/node.h>
#include "actors/runtime/runtime.h"
#include "poller.h"
#include "socket.h"

typedef struct synod__port_t synod__port_t;

/* Opens the sockets and makes the runtime, which is not started (add actors first). CLIENT: for a handle. PULL: topic
 * frames are not given to the runtime but left for synod__port_topic. NULL with a sentence in FAULT. */
synod__port_t *synod__port_new (const synod_options_t *options, bool client, bool pull, synod_fault_t *fault);
void synod__port_destroy (synod__port_t **self_p); /* what is sent leaves within options->linger_ms */

synod__rt_t *synod__port_rt (synod__port_t *self);
const char *synod__port_name (const synod__port_t *self);
uint64_t synod__port_incarnation (const synod__port_t *self);
const synod_options_t *synod__port_options (const synod__port_t *self); /* with defaults filled in, texts owned */
synod__poller_t *synod__port_poller (synod__port_t *self);              /* for the driver's own sockets, owner NULL */
/* Where others reach this node: its inbox, or with a broker the broker. Owned by the port. */
const char *synod__port_endpoint (const synod__port_t *self);

/* In two halves, for drivers that act inside the turn: begin takes arrivals, end flushes. The turn's time is read when
 * all its frames have been received; those that synod__port_topic gives later may be younger. */
void synod__port_turn_begin (synod__port_t *self);
int64_t synod__port_turn_end (synod__port_t *self); /* when the next turn is due */
int64_t synod__port_turn (synod__port_t *self);
/* Returns true when something other than the port's own sockets (owner NULL) is ready. */
bool synod__port_wait (synod__port_t *self, int64_t until_us);
/* Whether there is something that the poller's descriptor does not tell of: to be looked at by a wait or taken by a turn. */
bool synod__port_unsettled (const synod__port_t *self);
/* PULL: whether topic frames have come since synod__port_topic last said that there are no more. */
bool synod__port_unread (const synod__port_t *self);

/* PULL: the next topic frame: SYNOD_OK with MSG (the caller's, initialised), or SYNOD_NOT_FOUND. */
int synod__port_topic (synod__port_t *self, zmq_msg_t *msg);

/* ---- publishing from another thread too: all of these lock ----
 * The publisher of a handle is not the runtime's: it is shared with the thread that sees to lone publications. */

/* SYNOD_OK: the frame is spent; SYNOD_BUSY: full, or nobody to send to yet (with a broker: its XSUB has not shown up). */
int synod__port_publish (synod__port_t *self, synod_buf_t *frame);
/* Waits until publish may work again, or UNTIL_US. */
void synod__port_publish_wait (synod__port_t *self, int64_t until_us);

#endif
