/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `echo`: the built-in actor on a few nodes, and clients that ask any of them. Every ask ends, answers are
 * what was asked with, and when the faults are over every ask is answered.
 */
#include <inttypes.h>
#include <stdio.h>
#include "builtin.h"
#include "scenarios.h"

#define NODES      3
#define CLIENTS    3
#define LAST_ASKS  20 /* of each client, once all is well */
#define TIMEOUT_MS 3000

#define DATA_FIELDS(FIELD, OPT) OPT (u64, data, UINT64_MAX, "what comes back")
SYNOD_RECORD (echo, DATA_FIELDS, SYNOD_IDEMPOTENT, "as the actor's")

typedef struct world_t world_t;

typedef struct {
    world_t *world;
    int node;
    uint64_t sent; /* with the ask that is under way */
    uint32_t last; /* asks still to be made, once all is well */
    bool safe;     /* the ask under way is one of those */
} asker_t;

struct world_t {
    asker_t askers[CLIENTS];
    bool well; /* the faults are over */
};

static void ask_next (synod_sim_t *sim, void *arg);

static void think (synod_sim_t *sim, asker_t *asker)
{
    synod_sim_after (sim, 1000 + (int64_t) (synod_sim_random (sim) % 100000), ask_next, asker);
}

static void on_echo (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    echo_t out;
    if (reply->code == SYNOD_OK) {
        if (synod_record_unpack (&echo_record, reply->body, &out, NULL) != SYNOD_OK || out.data != asker->sent)
            synod_sim_fail (sim, "an echo came back changed");
    } else if (asker->safe && reply->code != SYNOD_STOPPED)
        synod_sim_fail (sim, "%s got %s though nothing is wrong any more", synod_sim_name (sim, client),
                        synod_error_name (reply->code));
    think (sim, asker);
}

static void ask_next (synod_sim_t *sim, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    echo_t in = {.data = synod_sim_random (sim)};
    if (asker->world->well && !asker->last)
        return;
    asker->safe = asker->world->well;
    asker->last -= asker->safe;
    asker->sent = in.data;
    if (synod_sim_ask (sim, asker->node, "echo", &echo_record, &in, TIMEOUT_MS, on_echo, asker) != SYNOD_OK)
        think (sim, asker); /* the client itself is down or not on the bus yet */
}

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    char name[16];
    for (int i = 0; i < NODES + CLIENTS; i++) {
        bool client = i >= NODES;
        snprintf (name, sizeof name, client ? "c%d" : "n%d", client ? i - NODES + 1 : i + 1);
        int node = client ? synod_sim_client (sim, name) : synod_sim_up (sim, name, &synod__builtin_echo, NULL);
        if (!node)
            return synod_sim_error (sim)->code;
        if (!client)
            continue;
        asker_t *asker = &world->askers[i - NODES];
        *asker = (asker_t){.world = world, .node = node, .last = LAST_ASKS};
        think (sim, asker);
    }
    return SYNOD_OK;
}

/* First what was asked while things were wrong must end, then the last asks begin. */
static bool done (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    for (int i = 0; i < CLIENTS; i++)
        if (world->askers[i].last)
            return world->well = true, false;
    return synod_sim_asks (sim) == 0;
}

const synod_scenario_t synod__scenario_echo = {
    .name = "echo",
    .doc = "the echo on several nodes, asked by several clients",
    .either = true,
    .state_size = sizeof (world_t),
    .setup = setup,
    .done = done,
};
