/* SPDX-License-Identifier: MPL-2.0
 *
 * The world of replication's soup: nodes, messages on their way, clients. replica_world.c has what happens to a node and
 * between nodes; replica_soup.c what epochs there are, what goes wrong, and how it all must end.
 */
#ifndef SYNOD_TEST_PLACE_REPLICA_WORLD_H_INCLUDED
#define SYNOD_TEST_PLACE_REPLICA_WORLD_H_INCLUDED

#include "place_test.h"
#include "replica_node.h"
#include "replica_soup.h"

#define NODES    8
#define SOUP_MAX 192
#define LATE     400 /* steps by which a message may be held back */

typedef struct {
    uint64_t random;
    uint32_t nodes, steps;
    uint32_t lose, repeat, late, crash, trouble, learn, ticks, write, lazy; /* rates per thousand */
    uint32_t change;                                                        /* per ten thousand */
    uint32_t tail;                                                          /* the bound of the tail */
    bool wipes, learners, healed;
    node_t node[NODES];
    uint8_t lives[NODES];   /* of its disk */
    bool cut[NODES][NODES]; /* from, to: nothing goes */
    bool alone[NODES];      /* hears of no new epoch */
    node_mail_t *mail[SOUP_MAX], *pool;
    uint32_t hurry;               /* steps to the next epoch; 0: it comes by chance */
    uint32_t step, due[SOUP_MAX]; /* by mail: the step before which it does not arrive */
    node_mail_t *spare[SOUP_MAX + NODES * NODE_OUTBOX];
    uint32_t count, nspare;
    synod__replica_view_t *views; /* by index; those before the last settled stay too */
    synod__store_id_t (*stores)[NODES];
    uint32_t *first; /* by view: the last that was settled when it was decided */
    uint32_t nviews, settled, replicas;
    uint32_t values;
    synod__replica_check_t *check;
    replica_counts_t *counts;
    synod_fault_t *fault;
    bool failed;
} world_t;

static inline uint32_t world_chance (world_t *world, uint32_t most)
{
    uint32_t number = (uint32_t) (check_random (&world->random) >> 20);
    return most ? number % most : 0;
}

/* A fault with that rate; none any more when the world is healed. */
static inline bool world_rate (world_t *world, uint32_t per_thousand)
{
    return !world->healed && world_chance (world, 1000) < per_thousand;
}

static inline void world_must (world_t *world, int rc)
{
    world->failed = world->failed || rc != SYNOD_OK;
}

static inline uint32_t world_node_of (const synod__store_id_t *id)
{
    return id->bytes[7];
}

/* Takes back the room of a message. */
void world_spare (world_t *world, node_mail_t *mail);
/* The disk of AT is lost: it gets another store. */
void world_new_store (world_t *world, uint32_t at);
/* The node learns of the epoch that is its view. */
void world_enter (world_t *world, node_t *node);
/* What was not committed is lost; the node starts again. */
void world_crash (world_t *world, node_t *node);
/* Ends a node's turn: one commit, then the rest, with a crash anywhere. */
void world_end (world_t *world, uint32_t at);
/* Carries a step out, and perhaps ends the turn. */
void world_perform (world_t *world, uint32_t at, const synod__replica_step_t *step);
/* A client's turn: reads what is there, and may write. */
void world_client (world_t *world, uint32_t at);
/* One that serves, or thinks so: the next after AT. */
uint32_t world_serving (const world_t *world, uint32_t at);
/* One of the soup, taken out or left in as a repeat. */
void world_deliver (world_t *world);

#endif
