/* SPDX-License-Identifier: MPL-2.0
 *
 * Its test in the simulator: nodes make a ring, and a client adds while they crash, pause and lose messages. In the end
 * each key is at what was acknowledged, or at more only by additions of which nothing is known.
 *
 *     synod sim ./libplaced_counter_sim.so --seeds 1..100
 */
#include <stdio.h>
#include <synod/sim.h>
#include "counter.h"

#define KEYS 20
#define ADDS 400

typedef struct {
    char to[32];
    uint64_t asked, sure; /* additions: in all, and acknowledged */
} tally_t;

typedef struct {
    int client, left;
    tally_t keys[KEYS];
} world_t;

static void on_added (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    tally_t *key = arg;
    (void) sim;
    (void) client;
    key->sure += reply->code == SYNOD_OK;
}

static void add_one (synod_sim_t *sim, void *arg)
{
    world_t *world = arg;
    tally_t *key = &world->keys[synod_sim_random (sim) % KEYS];
    key->asked += synod_sim_ask (sim, world->client, key->to, &add_record, &(add_t){.amount = 1}, 10000, on_added,
                                 key) == SYNOD_OK;
    if (--world->left)
        synod_sim_after (sim, 25000, add_one, world);
}

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = state;
    for (int i = 0; i < KEYS; i++)
        snprintf (world->keys[i].to, sizeof world->keys[i].to, "counter#key%d", i);
    for (int i = 1; i <= 3; i++)
        if (synod_sim_up (sim, (const char *[]){"", "n1", "n2", "n3"}[i], &counter, NULL) != i)
            return SYNOD_FAILED;
    world->left = ADDS;
    world->client = synod_sim_client (sim, "client");
    int rc = synod_sim_ring (sim, world->client, 64, 0, 60000);
    return rc == SYNOD_OK ? synod_sim_after (sim, 0, add_one, world) : rc;
}

static bool done (synod_sim_t *sim, void *state)
{
    return ((world_t *) state)->left == 0 && synod_sim_asks (sim) == 0;
}

static void on_read (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    const tally_t *key = arg;
    count_t count;
    (void) client;
    if (reply->code != SYNOD_OK || synod_record_unpack (&count_record, reply->body, &count, NULL) != SYNOD_OK)
        synod_sim_fail (sim, "%s cannot be read: %.*s", key->to, SYNOD_STR (reply->message));
    else if (count.value < key->sure || count.value > key->asked)
        synod_sim_fail (sim, "%s is at %d; %d additions were acknowledged, of %d", key->to, (int) count.value,
                        (int) key->sure, (int) key->asked);
}

static bool read_all (synod_sim_t *sim, void *arg)
{
    (void) arg;
    return synod_sim_asks (sim) == 0;
}

static int finish (synod_sim_t *sim, void *state)
{
    world_t *world = state;
    for (int i = 0; i < KEYS; i++)
        if (synod_sim_ask (sim, world->client, world->keys[i].to, &get_record, &(get_t){0}, 0, on_read,
                           &world->keys[i]))
            return SYNOD_FAILED;
    return synod_sim_until (sim, read_all, NULL, 60000);
}

static const synod_scenario_t scenario = {.name = "placed_counter",
                                          .doc = "what was acknowledged is counted once, whoever answers",
                                          .either = true,
                                          .state_size = sizeof (world_t),
                                          .setup = setup,
                                          .done = done,
                                          .finish = finish};

SYNOD_SCENARIOS (&scenario)
