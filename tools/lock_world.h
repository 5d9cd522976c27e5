/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `lock`, by its parts:
 *
 *   scenario_lock.c   the world: what is drawn, the ring and its changes, what holds at every moment
 *   lock_holders.c    who acquires locks, and the resource that they guard
 */
#ifndef SYNOD_TOOLS_LOCK_WORLD_H_INCLUDED
#define SYNOD_TOOLS_LOCK_WORLD_H_INCLUDED

#include <synod/lock.h>
#include <synod/sim.h>
#include "actors/lock/client.h"
#include "actors/lock/lock_actor.h"

#define LOCK_NODES     5
#define LOCK_CLIENTS   20
#define LOCK_WORKERS   2 /* of a client */
#define LOCK_GUARDED   2 /* names whose histories are checked */
#define LOCK_RESOURCES 8
#define LOCK_FORCED    64 /* places that were taken by force and are remembered */
#define LOCK_KINDS     32 /* room for */

/* ---- the resource ---- */

#define LOCK_USE_FIELDS(FIELD, OPT)                                                    \
    FIELD (u64, number, LOCK_RESOURCES, "of the resource")                             \
    FIELD (u64, token, UINT64_MAX, "the fence: an older one than the last is refused") \
    OPT (u64, value, UINT64_MAX, "what is written; missing: it is read")
SYNOD_RECORD_DECLARE (lock_use, LOCK_USE_FIELDS)
#define LOCK_USED_FIELDS(FIELD, OPT) FIELD (u64, value, UINT64_MAX, "what it is at") OPT (bit, taken, 0, "as asked")
SYNOD_RECORD_DECLARE (lock_used, LOCK_USED_FIELDS)

/* ---- the world ---- */

typedef struct lock_world_t lock_world_t;

/* What somebody holds, or waits for. */
typedef struct {
    synod_lock_t *lock; /* NULL: nothing */
    const synod__lockc_t *client;
    uint32_t name; /* of lock_names */
    bool shared, held, trusted;
    uint32_t permits;
    int64_t holder; /* in the history */
} lock_stand_t;

typedef struct {
    lock_world_t *world;
    int node;
    uint32_t number, life;
    lock_stand_t stands[LOCK_WORKERS];
    bool busy[LOCK_WORKERS]; /* it has not come to the end of its work */
    bool last[LOCK_WORKERS]; /* all is well: its last acquisition, which must be granted, */
    bool done[LOCK_WORKERS]; /* was */
} lock_client_t;

struct lock_world_t {
    synod_sim_t *sim;
    uint32_t nodes, replicas, clients, partitions;
    uint32_t lease_ms, drift_ppm, think_ms;
    bool tight;          /* few clients, short leases, two locks: an answer may come when its session has ended */
    bool fenced, strict; /* the resource looks at fences; no two may trust their leases at once */
    int ring[LOCK_NODES], operator_node;
    bool made, forces; /* an operator releases by force now and then */
    struct {
        uint64_t client, entry;
    } taken[LOCK_FORCED]; /* by force, the last ones */
    uint32_t ntaken;
    lock_client_t client[LOCK_CLIENTS];
    synod_history_t *history;
    uint32_t shares[LOCK_KINDS];   /* of each kind: with which it has a name in common */
    uint64_t seen[LOCK_RESOURCES]; /* the last fence that was told of each exclusive lock */
    int64_t serial;                /* of the last acquisition */
    uint64_t granted, lost, refused, fenced_off, forced, circles;
};

typedef struct {
    const char *names[3]; /* one or two, acquired together */
    bool shared;          /* sometimes by readers */
    uint32_t permits;
    int resource; /* -1: none */
} lock_kind_t;
extern const lock_kind_t lock_kinds[];
extern const uint32_t lock_kinds_count;

extern const synod_actor_t lock_holder, lock_resource;
extern lock_world_t *lock_world; /* the one that runs */

/* Records for the history that what STAND has may end from now on without its holder. */
void lock_may_end (lock_world_t *world, lock_client_t *client, uint32_t worker);
/* A guarded lock is asked for; granted; not to be had; let go. */
void lock_asked (lock_world_t *world, lock_client_t *client, uint32_t worker);
void lock_granted (lock_world_t *world, lock_client_t *client, uint32_t worker);
void lock_missed (lock_world_t *world, lock_client_t *client, uint32_t worker);

#endif
