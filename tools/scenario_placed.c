/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `placed`: a placed actor on 1 to 7 nodes with 1, 3 or 5 replicas and 1 to 5 keepers, while an operator
 * changes the ring, disks are wiped, and all that a plan of faults has goes on. No acknowledged effect is lost, none comes
 * twice, reads are linearizable, copies agree, each epoch is one, and once the faults stop everything is served again.
 */
#include <inttypes.h>
#include <stdio.h>
#include "actors/place/ring_actor.h"
#include "placed.h"
#include "scenarios.h"

static uint32_t draw (placed_t *world, uint32_t most)
{
    return (uint32_t) (synod_sim_random (world->sim) % most);
}

/* Odd, and at most MOST. */
static uint32_t draw_odd (placed_t *world, uint32_t most)
{
    uint32_t odd = 1 + 2 * draw (world, 3);
    while (odd > most)
        odd -= 2;
    return odd;
}

static void draw_world (placed_t *world)
{
    static const uint32_t nodes[] = {1, 2, 3, 3, 4, 4, 5, 5, 6, 7};
    static const uint32_t paces[] = {300, 800, 2000, 6000}, thinks[] = {40, 150, 300};
    world->nodes = nodes[draw (world, 10)];
    world->members = world->nodes - (world->nodes > 1 ? draw (world, world->nodes / 2 + 1) : 0);
    world->replicas = world->members >= 3 && draw (world, 3) ? 3 : draw_odd (world, world->members);
    world->keepers = draw_odd (world, world->members);
    world->partitions = 4u << draw (world, 3);
    world->wipes = draw (world, 2);
    world->pace_ms = paces[draw (world, 4)];
    world->think_ms = thinks[draw (world, 3)];
}

static int setup (synod_sim_t *sim, void *state)
{
    placed_t *world = (placed_t *) state;
    char name[16];
    world->sim = sim;
    draw_world (world);
    const synod__ring_args_t args = {.report_ms = 200, .grace_ms = 3000 + draw (world, 20000)};
    for (uint32_t i = 0; i < world->nodes; i++) {
        snprintf (name, sizeof name, "n%u", i + 1);
        int node = world->disks[i].node = synod_sim_node (sim, name);
        if (!node || synod_sim_add (sim, node, &synod__ring_actor, &args) != SYNOD_OK ||
            synod_sim_add (sim, node, &placed_actor, NULL) != SYNOD_OK || synod_sim_start (sim, node) != SYNOD_OK)
            return synod_sim_error (sim)->code;
    }
    int rc = placed_check (world);
    rc = rc == SYNOD_OK ? placed_clients (world) : rc;
    return rc == SYNOD_OK ? placed_operator (world) : rc;
}

/* First all that was asked is answered, then the ring comes to rest, then all is read once more. */
static bool done (synod_sim_t *sim, void *state)
{
    placed_t *world = (placed_t *) state;
    const char *why;
    (void) sim;
    world->over = true;
    return !world->wiped && placed_clients_done (world) && placed_rests (world, &why) && placed_alike (world);
}

/* What was acknowledged is counted once, what has no answer once or not at all. */
static int check_sums (placed_t *world)
{
    uint64_t sure[PLACED_KEYS] = {0}, unsure[PLACED_KEYS] = {0};
    const synod_history_t *history = world->counters;
    for (uint32_t i = 0; i < synod_history_count (history); i++) {
        const synod_op_t *op = synod_history_op (history, i);
        synod_str_t name = synod_history_key (history, op->key);
        uint32_t key = (uint32_t) (name.data[name.size - 1] - '0');
        if (op->operation != SYNOD_COUNTER_ADD)
            continue;
        sure[key] += op->outcome == SYNOD_OP_DONE ? (uint64_t) op->args[0] : 0;
        unsure[key] += op->outcome == SYNOD_OP_UNKNOWN || op->outcome == SYNOD_OP_OPEN ? (uint64_t) op->args[0] : 0;
    }
    for (uint32_t i = 0; i < PLACED_KEYS; i++)
        if (world->sums[i] < sure[i] || world->sums[i] > sure[i] + unsure[i])
            return synod_sim_fail (
                world->sim, "key-%u is at %" PRIu64 ", %" PRIu64 " were acknowledged and %" PRIu64 " are not known", i,
                world->sums[i], sure[i], unsure[i]);
    return SYNOD_OK;
}

static int finish (synod_sim_t *sim, void *state)
{
    placed_t *world = (placed_t *) state;
    int rc = check_sums (world);
    rc = rc == SYNOD_OK ? synod_sim_linear (sim, world->counters, NULL) : rc;
    return rc == SYNOD_OK ? synod_sim_linear (sim, world->registers, NULL) : rc;
}

static void fini (void *state)
{
    placed_t *world = (placed_t *) state;
    placed_check_free (world);
    synod_history_destroy (&world->counters);
    synod_history_destroy (&world->registers);
}

const synod_scenario_t synod__scenario_placed = {
    .name = "placed",
    .doc = "a placed actor, whose ring and nodes change all the time",
    .settings = {.heartbeat_ms = 200, .drain_ms = 2000},
    .either = true,
    .state_size = sizeof (placed_t),
    .settle_ms = 120000,
    .setup = setup,
    .done = done,
    .finish = finish,
    .fini = fini,
};
