/* SPDX-License-Identifier: MPL-2.0
 *
 * Its test in the simulator: nodes make a ring, and a client adds while they crash, pause and lose messages. In the end
 * every key is at what was acknowledged, or at more only by additions whose answer was lost.
 *
 *     synod sim ./libplaced_counter_sim.so --seeds 1..100
 */
#include <stdio.h>
#include <synod/sim.h>
#include "counter.h"

#define NODES 3
#define KEYS  20
#define ADDS  400

/* What the actor `ring`, which comes with a placed one, is asked for (protocol/ring.def). */
#define NODE_FIELDS(FIELD, OPT) FIELD (str, node, SYNOD_NAME_MAX, "its name")
SYNOD_RECORD (node, NODE_FIELDS, 0, "a member")
#define INIT_FIELDS(FIELD, OPT) FIELD (list, nodes, node, "the members") FIELD (u64, partitions, 65536, "how many")
SYNOD_RECORD (init, INIT_FIELDS, SYNOD_IDEMPOTENT, "make a ring")

typedef struct world_t world_t;

typedef struct {
    world_t *world;
    char to[32];
    uint64_t sure, unsure; /* additions acknowledged, and without an answer */
} tally_t;

struct world_t {
    int client, left, unread;
    tally_t keys[KEYS];
};

static void add_one (synod_sim_t *sim, void *arg);
static void make (synod_sim_t *sim, void *arg);

static void on_added (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    tally_t *key = arg;
    (void) client;
    key->sure += reply->code == SYNOD_OK;
    key->unsure += reply->code != SYNOD_OK;
    synod_sim_after (sim, 50000, add_one, key->world);
}

static void on_read (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    const tally_t *key = arg;
    count_t count;
    (void) client;
    key->world->unread--;
    if (reply->code != SYNOD_OK || synod_record_unpack (&count_record, reply->body, &count, NULL) != SYNOD_OK)
        synod_sim_fail (sim, "%s cannot be read: %.*s", key->to, SYNOD_STR (reply->message));
    else if (count.value < key->sure || count.value > key->sure + key->unsure)
        synod_sim_fail (sim, "%s is at %llu; %llu additions were acknowledged, of %llu it is not known", key->to,
                        (unsigned long long) count.value, (unsigned long long) key->sure,
                        (unsigned long long) key->unsure);
}

static void add_one (synod_sim_t *sim, void *arg)
{
    world_t *world = arg;
    tally_t *key = &world->keys[synod_sim_random (sim) % KEYS];
    if (world->left > 0 && synod_sim_ask (sim, world->client, key->to, &add_record, &(add_t){.amount = 1}, 10000,
                                          on_added, key) == SYNOD_OK)
        world->left--;
    else if (world->left > 0)
        synod_sim_after (sim, 50000, add_one, world); /* the client is not on the bus yet */
}

static void on_made (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    (void) client;
    synod_sim_after (sim, 100000, reply->code == SYNOD_OK ? add_one : make, arg);
}

static void make (synod_sim_t *sim, void *arg)
{
    world_t *world = arg;
    init_t in = {.partitions = 64};
    synod_buf_t nodes = {0};
    for (int i = 1; i <= NODES; i++)
        synod_list_add (&in.nodes, &nodes, &node_record, &(node_t){.node = synod_str (synod_sim_name (sim, i))}, NULL);
    if (synod_sim_ask (sim, world->client, "n1/ring", &init_record, &in, 10000, on_made, world) != SYNOD_OK)
        synod_sim_after (sim, 100000, make, world);
    synod_buf_free (&nodes);
}

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = state;
    world->left = ADDS;
    for (int i = 0; i < KEYS; i++) {
        world->keys[i].world = world;
        snprintf (world->keys[i].to, sizeof world->keys[i].to, "counter#key%d", i);
    }
    for (int i = 1; i <= NODES; i++) {
        char name[8];
        snprintf (name, sizeof name, "n%d", i);
        if (synod_sim_up (sim, name, &counter, NULL) != i)
            return SYNOD_FAILED;
    }
    world->client = synod_sim_client (sim, "c1");
    return world->client ? synod_sim_after (sim, 0, make, world) : SYNOD_FAILED;
}

/* When all is added, each key is read, once. */
static bool done (synod_sim_t *sim, void *state)
{
    world_t *world = state;
    if (world->left > 0 || synod_sim_asks (sim) > 0)
        return false;
    if (world->left < 0)
        return true;
    world->left = -1;
    for (int i = 0; i < KEYS; i++)
        world->unread += synod_sim_ask (sim, world->client, world->keys[i].to, &get_record, &(get_t){0}, 10000, on_read,
                                        &world->keys[i]) == SYNOD_OK;
    return false;
}

static int finish (synod_sim_t *sim, void *state)
{
    const world_t *world = state;
    return world->unread == 0 ? SYNOD_OK : synod_sim_fail (sim, "%d keys were not read", world->unread);
}

static const synod_scenario_t scenario = {
    .name = "placed_counter",
    .doc = "what was acknowledged is counted once, whoever answers",
    .either = true,
    .state_size = sizeof (world_t),
    .setup = setup,
    .done = done,
    .finish = finish,
};

SYNOD_SCENARIOS (&scenario)
