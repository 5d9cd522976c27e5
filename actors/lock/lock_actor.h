/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `lock`: the lock table (table.h) of a partition, on a node. Placed: `lock#KEY`, where the key is that of the
 * lock's name (synod__locks_key). Its messages are protocol/lock.def, how it is used is docs/locks.md.
 *
 * All that matters is in its store; memory is built from it when a partition comes to be served, and then every
 * session's term begins anew. What it answers leaves when a majority of the copies has confirmed that it is the owner,
 * also where nothing was written: so a keepalive writes nothing.
 *
 * Events are published only while somebody has asked the node for them: each would be a frame of its own.
 */
#ifndef SYNOD_LOCK_ACTOR_H_INCLUDED
#define SYNOD_LOCK_ACTOR_H_INCLUDED

#include <synod/actor.h>
#include "table.h"

#define SYNOD__LOCK_ACTOR "lock"
#define SYNOD__LOCK_NODE  "lock-node" /* beside it, one a node: it is told that somebody watches */

extern const synod_actor_t synod__lock_actor;

/* ---- for checkers ---- */

/* STATE: the memory of a partition. */
const synod__locks_t *synod__lock_table (const void *state);
/* What happens in any partition of any node of this process; NULL: nobody looks. */
typedef struct {
    void *arg;
    void (*granted) (void *arg, const synod_ctx_t *ctx, const synod__locks_entry_t *entry);
    void (*forced) (void *arg, const synod_ctx_t *ctx, const synod__locks_entry_t *entry,
                    const synod__locks_session_t *session);
    void (*changed) (void *arg, synod_ctx_t *ctx, const synod__locks_t *locks); /* an event is over */
} synod__lock_observer_t;
extern const synod__lock_observer_t *synod__lock_observer;

#endif
