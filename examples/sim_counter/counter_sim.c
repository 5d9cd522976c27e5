/* SPDX-License-Identifier: MPL-2.0
 *
 * Its test in the simulator: a client adds while the counter's node crashes, pauses and loses messages. Whatever was
 * acknowledged must be in what every later answer says.
 *
 *     synod sim ./counter_sim.so --seeds 1..100
 */
#include <synod/sim.h>
#include "counter.h"

typedef struct {
    int client;
    uint64_t sure; /* acknowledged */
    int left;      /* additions to make */
} world_t;

static void add_one (synod_sim_t *sim, void *arg);

static void on_count (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    world_t *world = arg;
    count_t count;
    (void) client;
    if (reply->code == SYNOD_OK && synod_record_unpack (&count_record, reply->body, &count, NULL) == SYNOD_OK) {
        world->sure++;
        if (count.value < world->sure)
            synod_sim_fail (sim, "%llu additions were acknowledged, and the counter is at %llu",
                            (unsigned long long) world->sure, (unsigned long long) count.value);
    }
    synod_sim_after (sim, 100000, add_one, world);
}

static void add_one (synod_sim_t *sim, void *arg)
{
    world_t *world = arg;
    if (world->left == 0)
        return;
    add_t in = {.amount = 1};
    if (synod_sim_ask (sim, world->client, "n1/counter", &add_record, &in, 10000, on_count, world) == SYNOD_OK)
        world->left--;
    else
        synod_sim_after (sim, 100000, add_one, world); /* the client is not on the bus yet */
}

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = state;
    world->left = 200;
    world->client = synod_sim_client (sim, "c1");
    if (!synod_sim_up (sim, "n1", &counter, NULL) || !world->client)
        return SYNOD_FAILED;
    return synod_sim_after (sim, 0, add_one, world);
}

static bool done (synod_sim_t *sim, void *state)
{
    return ((world_t *) state)->left == 0 && synod_sim_asks (sim) == 0;
}

static const synod_scenario_t scenario = {
    .name = "counter",
    .doc = "what was acknowledged stays counted",
    .state_size = sizeof (world_t),
    .setup = setup,
    .done = done,
};

SYNOD_SCENARIOS (&scenario)
