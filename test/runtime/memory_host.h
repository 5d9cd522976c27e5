/* SPDX-License-Identifier: MPL-2.0
 *
 * The simulator for the runtime's own tests, on its internals: virtual time, seeded random, wires that keep the order
 * of each path, and a filter that sees every frame. With a broker its routing is the real one; without one, nodes meet
 * at endpoints "mem:NAME" and publish at "pub:NAME". Everything that happens is a function of the seed and of what the
 * test does.
 *
 * Faults: a way can be blocked (send returns SYNOD_BUSY), cut (the connection breaks), or lossy by a filter that may
 * drop or hold what it sees; a node can be killed.
 */
#ifndef SYNOD_TEST_RUNTIME_MEMORY_HOST_H_INCLUDED
#define SYNOD_TEST_RUNTIME_MEMORY_HOST_H_INCLUDED

#include "protocol/catalogue.h"
#include "sim/internal.h"

#define MH_BROKER "$broker"

typedef struct mh_t mh_t;
typedef synod__sim_place_t mh_node_t;

typedef enum { MH_PASS, MH_DROP, MH_HOLD } mh_verdict_t;

/* FROM, TO: names of nodes or MH_BROKER; TOPIC: it is a publication. */
typedef struct {
    const char *from, *to;
    bool topic;
    uint32_t link; /* its number at the sender; 0: through the broker */
    const void *data;
    size_t size;
} mh_passing_t;

typedef mh_verdict_t mh_filter_t (void *arg, const mh_passing_t *passing);

mh_t *mh_new (uint64_t seed, bool brokered);
void mh_destroy (mh_t **self_p);

/* May be changed before nodes are made. */
struct mh_settings {
    uint32_t heartbeat_ms; /* 100 */
    uint32_t drain_ms;     /* 1000 */
    uint32_t latency_us;   /* 100: of every wire */
    uint32_t link_after;   /* 1000000: no link by itself */
    size_t queue_bytes;
    bool links;
    bool directory; /* true */
    bool loud;      /* logs go to standard error */
};
struct mh_settings *mh_settings (mh_t *self);
void mh_filter (mh_t *self, mh_filter_t *filter, void *arg);
int64_t mh_now_us (const mh_t *self);
uint64_t mh_random (mh_t *self);

/* NAME: also PLACE=NAME, for a second node of a name; the world then calls it by PLACE.
 * PEERS: places of others to say hello to (NULL-terminated), each also as "alias:NAME", another spelling. */
mh_node_t *mh_node (mh_t *self, const char *name, bool client, const char *const *peers);
void mh_add (mh_node_t *node, const synod_actor_t *type, const void *args);
int mh_start (mh_node_t *node, synod_fault_t *fault);
/* Both at once, for a node that must start. ACTOR may be NULL. */
mh_node_t *mh_up (mh_t *self, const char *name, const synod_actor_t *actor, const char *peer);
void mh_stop (mh_node_t *node);
void mh_kill (mh_node_t *node);                               /* no word of goodbye; the node is gone afterwards */
mh_node_t *mh_find (const mh_t *self, const char *name);      /* the one that runs at the place NAME; NULL: none */
bool mh_reads (const mh_node_t *node, const char *publisher); /* it subscribes where the place PUBLISHER publishes */
synod__rt_t *mh_rt (mh_node_t *node);
bool mh_ended (const mh_node_t *node); /* its runtime has ended; it may still be looked at */

/* Runs FUNCTION as a handler of the actor ACTOR on NODE, in a turn of its own; returns what it returned. */
typedef int mh_step_t (synod_ctx_t *ctx, void *arg);
int mh_step (mh_node_t *node, const synod_actor_t *actor, mh_step_t *function, void *arg);
/* Hands a frame in, as from the broker or from IDENTITY ("": none), in a turn of its own. */
void mh_frame (mh_node_t *node, const char *identity, const void *data, size_t size);
void mh_topic (mh_node_t *node, const void *data, size_t size);

/* Runs for so long; until CONDITION (false: not within LIMIT_MS). */
void mh_run (mh_t *self, uint32_t ms);
bool mh_until (mh_t *self, bool (*condition) (void *arg), void *arg, uint32_t limit_ms);
/* Runs until all nodes are up and know each other. */
bool mh_joined (mh_t *self, uint32_t limit_ms);

void mh_block (mh_t *self, const char *from, const char *to, bool on); /* all ways from one to the other */
void mh_block_topics (mh_node_t *node, bool on);
void mh_cut (mh_t *self, const char *from, const char *to); /* the direct link breaks; it comes again by itself */
void mh_release (mh_t *self);                               /* what was held arrives, in its order */
void mh_broker_restart (mh_t *self);                        /* another life of the broker, which knows nobody */
void mh_broker_kill (mh_t *self);

/* Frames that left nodes (not the broker's own) for ADDRESS (NULL: any) since the last clearing, publications apart. */
uint32_t mh_count (const mh_t *self, const char *address);
void mh_count_clear (mh_t *self);
/* A runtime's function runs, and none of the world's. */
bool mh_in_runtime (void);

#endif
