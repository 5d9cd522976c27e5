/* SPDX-License-Identifier: MPL-2.0
 *
 * Worlds with a bank, coordinators and acceptors, and a client that asks for transactions.
 */
#ifndef SYNOD_TEST_VOTE_WORLD_H_INCLUDED
#define SYNOD_TEST_VOTE_WORLD_H_INCLUDED

#include <stdio.h>
#include "test/protocol/check.h"
#include <synod/sim.h>
#include "actors/place/paxos_actor.h"
#include "actors/vote/vote_actor.h"
#include "protocol/paxos_records.h"
#include "tools/vote_bank.h"

#define NODES 3

typedef struct {
    bool done;
    int code;
    char text[256], outcome[16], why[256];
    uint32_t reasons;
    bool again, locked;
    int64_t balance;
} answer_t;

typedef struct {
    const char *to;
    int64_t amount;
} part_t;

typedef struct {
    synod_sim_t *sim;
    int node[NODES], client;
} world_t;

/* Three nodes, each with all of it; the bank's partitions with so many copies. ACCEPTORS: they are made a set. */
void world_new (world_t *world, bool acceptors, uint32_t replicas);
/* Nobody shares a node: three coordinators (world->node), of which one owns, three of the bank, three acceptors. */
void world_apart (world_t *world);

bool is_done (synod_sim_t *sim, void *arg); /* an answer_t */
answer_t ask (world_t *world, const char *to, const synod_record_t *record, const void *in);
answer_t look (world_t *world, const char *account);
/* Asks for a transaction; RUN waits for its ANSWER. PROTOCOL NULL, DEADLINE_MS 0: not said. */
void begin (world_t *world, const char *id, const char *protocol, const part_t *parts, uint32_t count,
            uint64_t deadline_ms, answer_t *answer);
answer_t run (world_t *world, const char *id, const char *protocol, const part_t *parts, uint32_t count,
              uint64_t deadline_ms);

#endif
