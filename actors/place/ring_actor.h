/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `ring`: how a ring comes about, and how its epochs are decided. One runs on each node that takes part. Its
 * messages are protocol/ring.def; what it decides is ring_change.h, whom it believes dead ring_watch.h, how an epoch is
 * chosen paxos.h. What it and the runtime tell each other is place.h.
 *
 * Each epoch is decided once, by the keepers of the one before: a node is in epoch e + 1 only when it was chosen by a
 * majority of the keepers of e, or, for the first, when every member has recorded it.
 */
#ifndef SYNOD_PLACE_RING_ACTOR_H_INCLUDED
#define SYNOD_PLACE_RING_ACTOR_H_INCLUDED

#include <synod/actor.h>
#include "place.h"

#define SYNOD__RING_ACTOR       "ring" /* its name, on every node */
#define SYNOD__RING_REPORT_MS   500    /* between two reports of a member that has nothing new to say */
#define SYNOD__RING_GRACE_MS    60000  /* down for so long: removed */
#define SYNOD__RING_CHANGES_MAX 64     /* under way at a keeper; more are `busy` */

/* What it is started with. */
#define SYNOD__RING_ARGS(FIELD, OPT)                                                                                \
    OPT (u64, grace_ms, 86400000, "a member that is down for so long is removed; missing: 60000")                   \
    OPT (bit, stays, 0, "a member that is down is never removed by itself")                                         \
    OPT (u64, report_ms, 60000, "between two reports to the keepers; missing: 500. Six without one: believed dead") \
    OPT (u64, weight, 1000, "this node's share, where the ring is not told another; missing: 100")                  \
    OPT (str, zone, SYNOD_NAME_MAX, "this node's zone, where the ring is not told another; missing: its own")       \
    OPT (bit, alone, 0, "it makes a ring of its own when it is in none")                                            \
    OPT (u64, replicas, 15, "of a ring that it makes alone, for when it grows; missing: 3")                         \
    OPT (u64, partitions, SYNOD__PARTITIONS_MAX, "of a ring that it makes alone; missing: 16384")
SYNOD_RECORD_DECLARE (synod__ring_args, SYNOD__RING_ARGS)

extern const synod_actor_t synod__ring_actor;

/* ---- for checkers ---- */

/* In its store: what it has as a keeper, with this letter in front of the epoch (8 bytes, the most significant first). */
#define SYNOD__RING_AT_VOTES "k"
/* The epoch that it is in, packed; size 0: none. STATE: the actor's memory, which owns it. */
synod_str_t synod__ring_value (const void *state);

#endif
