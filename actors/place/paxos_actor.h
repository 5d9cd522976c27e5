/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `paxos`: the core of paxos.h on a node, unplaced. Each acceptor's node runs one; each of them drives
 * proposals and questions too. Its messages are protocol/paxos.def, how it is run is docs/paxos.md.
 *
 * All that matters is in its store: the set of acceptors, what it promised and accepted by key, its last round. What a
 * step writes is in the batch of the handler that sends, and a turn's messages leave after its commit: so it is durable
 * before it is told.
 */
#ifndef SYNOD_PLACE_PAXOS_ACTOR_H_INCLUDED
#define SYNOD_PLACE_PAXOS_ACTOR_H_INCLUDED

#include <synod/actor.h>
#include "paxos.h"

#define SYNOD__PAXOS_ACTOR       "paxos" /* its name, on every node */
#define SYNOD__PAXOS_EFFORTS_MAX 128     /* proposals and questions under way on a node; more are `busy` */

extern const synod_actor_t synod__paxos_actor;

/* ---- for checkers ---- */

/* In its store: what it has as an acceptor, with this letter in front of the key; the set that it recorded. */
#define SYNOD__PAXOS_AT_KEYS "k"
#define SYNOD__PAXOS_AT_SET  "set"

#endif
