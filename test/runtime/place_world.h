/* SPDX-License-Identifier: MPL-2.0
 *
 * A world with a placed counter on each node, whose epochs the test decides, in the place of the ring's actor.
 */
#ifndef SYNOD_TEST_RUNTIME_PLACE_WORLD_H_INCLUDED
#define SYNOD_TEST_RUNTIME_PLACE_WORLD_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <synod/sim.h>
#include "actors/place/place.h"
#include "actors/place/ring.h"
#include "actors/runtime/runtime.h"

#define NODES      5
#define PARTITIONS 16

#define ADD_FIELDS(FIELD, OPT)                \
    FIELD (u64, amount, UINT32_MAX, "to add") \
    OPT (bit, refuse, 0, "write, and refuse") \
    OPT (bit, fail, 0, "write, and fail")     \
    OPT (u64, fill, SYNOD_FRAME_MAX, "so many bytes beside")
SYNOD_RECORD_DECLARE (add, ADD_FIELDS)
SYNOD_RECORD_DECLARE (add_once, ADD_FIELDS)
#define GET_FIELDS(FIELD, OPT)
SYNOD_RECORD_DECLARE (get, GET_FIELDS)
SYNOD_RECORD_DECLARE (peek, GET_FIELDS)
#define COUNT_FIELDS(FIELD, OPT)                      \
    FIELD (u64, value, UINT64_MAX, "the counter's")   \
    FIELD (str, node, SYNOD_NAME_MAX, "who answered") \
    FIELD (u64, served, UINT64_MAX, "messages that this memory saw")
SYNOD_RECORD_DECLARE (count, COUNT_FIELDS)

/* The memory of a partition. */
typedef struct {
    uint64_t served;
    bool owned;
} tally_t;

extern const synod_actor_t tally, setter; /* the counter; who stands in for the ring's actor */
extern int owned, disowned;               /* partitions of tally, in this test */

typedef struct {
    synod_sim_t *sim;
    int node[NODES], client;
    synod__store_id_t id[NODES];
    synod__epoch_t epoch;
    synod__member_t members[NODES];
    synod__store_id_t keeper;
    synod__placed_type_t type;
} world_t;

typedef struct {
    bool done;
    int code;
    char message[256], node[8];
    uint64_t value, served;
} reply_t;

/* NODES of them, without an epoch; DIRECT: without a broker. */
void world_new (world_t *world, uint32_t nodes, uint32_t replicas, bool direct);
void world_new_with (world_t *world, uint32_t nodes, uint32_t replicas, const synod_sim_settings_t *settings);
void world_end (world_t *world);
int world_take_id (synod_ctx_t *ctx, void *state, void *arg);
int world_enter (synod_ctx_t *ctx, void *state, void *arg); /* the epoch of ARG, a synod_buf_t */
/* Decides world->epoch as the next epoch, and tells AT, a node; the others hear of it. */
void world_decide (world_t *world, uint32_t at);
/* Tells AT the epoch as it is. */
void world_tell (world_t *world, uint32_t at);
synod__place_progress_t world_progress (world_t *world, uint32_t at);

void reply_take (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg); /* ARG: a reply_t */
bool reply_done (synod_sim_t *sim, void *arg);
reply_t world_ask (world_t *world, const char *to, const synod_record_t *record, const void *in);
const char *key_address (uint32_t key); /* tally#key0 and so on; until the next call */
/* Adds 1 to each of 40 keys, tally#key0 and so on; every one of them is at VALUE then. */
void add_all (world_t *world, uint64_t value);

#endif
