/* SPDX-License-Identifier: MPL-2.0
 *
 * A world for the tests of the actor `ring`: nodes n1 to n5 with a placed type, a client, and what can be asked.
 */
#ifndef SYNOD_TEST_PLACE_RING_WORLD_H_INCLUDED
#define SYNOD_TEST_PLACE_RING_WORLD_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <synod/sim.h>
#include "actors/place/ring_actor.h"
#include "actors/place/ring_change.h"
#include "protocol/ring_records.h"

#define NODES 5

/* What the last asks came to; bodies are copied. */
typedef struct {
    uint32_t count, good;
    int code;
    char message[512];
    char *body;
    uint32_t size;
} answer_t;

typedef struct {
    synod_sim_t *sim;
    int node[NODES + 1]; /* from 1 on: n1 ... */
    int client;
    answer_t answer;
    synod__epoch_t epoch; /* as fetched last */
} world_t;

/* What is placed: nothing but partitions. */
typedef bool condition_t (const synod__epoch_t *epoch, const char *name);

extern const synod_actor_t ring_world_thing;     /* a placed type */
extern const synod__ring_args_t ring_world_args; /* of the actors ring */

int up (synod_sim_t *sim, const char *name, const synod__ring_args_t *args);
void world_new_with (world_t *world, uint64_t seed, const synod__ring_args_t *args);
void world_new (world_t *world, uint64_t seed);
void world_end (world_t *world);
void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg);
bool answered (synod_sim_t *sim, void *arg);
void start (world_t *world, const char *to, const synod_record_t *record, const void *in);
int ask (world_t *world, const char *to, const synod_record_t *record, const void *in);
void take (world_t *world, const synod_record_t *record, void *out);
void refused (world_t *world, int code, const char *words);
void begin_init (world_t *world, const char *to, const char *nodes, const char *keepers, synod__ring_init_t in,
                 bool waits);
int init (world_t *world, const char *to, const char *nodes, const char *keepers);
const synod__epoch_t *epoch_of (world_t *world, int node);
uint64_t changed (world_t *world, bool again);
int join (world_t *world, const char *to, const char *node, uint64_t weight);
int leave (world_t *world, const char *to, const char *node);
int set_weight (world_t *world, const char *to, const char *node, uint64_t weight);
int remove_node (world_t *world, const char *to, const char *node, bool force);
int keepers (world_t *world, const char *to, const char *names);
void until (world_t *world, int node, condition_t *condition, const char *name, int64_t limit_ms);
bool is_down (const synod__epoch_t *epoch, const char *name);
bool is_up (const synod__epoch_t *epoch, const char *name);
bool is_gone (const synod__epoch_t *epoch, const char *name);
bool is_settled (const synod__epoch_t *epoch, const char *name);

#endif
