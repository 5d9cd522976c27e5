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

#define REST_MS      60000
#define LINEAR_STEPS 2000000

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
    static const uint32_t paces[] = {200, 200, 600, 3000}, thinks[] = {20, 60, 300}, troubles[] = {0, 100, 300, 1000};
    world->nodes = nodes[draw (world, 10)];
    world->members = world->nodes - (world->nodes > 1 ? draw (world, world->nodes / 2 + 1) : 0);
    world->replicas = world->members >= 3 && draw (world, 3) ? 3 : draw_odd (world, world->members);
    world->keepers = draw_odd (world, world->members);
    world->partitions = 4u << draw (world, 3);
    world->wipes = draw (world, 2);
    world->pace_ms = paces[draw (world, 4)];
    world->think_ms = thinks[draw (world, 3)];
    world->trouble_ms = troubles[draw (world, 4)];
}

/* What is in the way of rest; NULL: nothing is. */
static const char *in_the_way (placed_t *world)
{
    const char *why;
    if (world->wiped)
        return "a wiped node is no member again";
    if (!placed_clients_done (world))
        return "clients wait for answers";
    if (!placed_rests (world, &why))
        return why;
    return placed_alike (world, false) ? NULL : "copies differ, or are where they should not be";
}

/* From when all is healed on nothing new is begun, and everything has to come to rest. */
static int check_rest (synod_sim_t *sim, void *arg)
{
    placed_t *world = (placed_t *) arg;
    int64_t now_us = synod_sim_now_us (sim);
    if (!world->over && synod_sim_healed (sim)) {
        world->over = true;
        world->over_us = now_us;
    }
    if (!world->over || now_us - world->over_us <= REST_MS * 1000ll)
        return SYNOD_OK;
    const placed_epoch_t *now = placed_now (world);
    const char *why = in_the_way (world);
    placed_describe (world);
    return synod_sim_fail (sim, "%d ms after all was healed, in epoch %" PRIu64 " of %u members, %u replicas: %s",
                           REST_MS, now ? now->epoch.number : 0, now ? now->epoch.nmembers : 0, world->replicas,
                           why ? why : "asks have no answer");
}

static int setup (synod_sim_t *sim, void *state)
{
    placed_t *world = (placed_t *) state;
    char name[16];
    world->sim = sim;
    draw_world (world);
    const synod__ring_args_t args = {.report_ms = 50u << draw (world, 3), .grace_ms = 3000 + draw (world, 20000)};
    for (uint32_t i = 0; i < world->nodes; i++) {
        snprintf (name, sizeof name, "n%u", i + 1);
        int node = world->disks[i].node = synod_sim_node (sim, name);
        if (!node || synod_sim_add (sim, node, &synod__ring_actor, &args) != SYNOD_OK ||
            synod_sim_add (sim, node, &placed_actor, NULL) != SYNOD_OK || synod_sim_start (sim, node) != SYNOD_OK)
            return synod_sim_error (sim)->code;
    }
    int rc = placed_check (world);
    rc = rc == SYNOD_OK ? synod_sim_check (sim, "rest", check_rest, world) : rc;
    rc = rc == SYNOD_OK ? placed_clients (world) : rc;
    return rc == SYNOD_OK ? placed_operator (world) : rc;
}

/* First all that was asked is answered, then all is read once more, then the ring comes to rest. */
static bool done (synod_sim_t *sim, void *state)
{
    (void) sim;
    return !in_the_way ((placed_t *) state);
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

/* Of counters that many adds without an answer leave too hard to check, the sums have to do. */
static int check_counters (placed_t *world)
{
    const synod_linear_bounds_t bounds = {.steps = LINEAR_STEPS};
    synod_linear_t result = {0};
    int rc = synod_linear_check (world->counters, &bounds, &result);
    bool known = rc != SYNOD_OK || result.verdict != SYNOD_LINEAR_UNKNOWN;
    if (!known)
        synod_sim_note (world->sim, "the history of the counters is too hard to check");
    synod_linear_free (&result);
    return known ? synod_sim_linear (world->sim, world->counters, NULL) : SYNOD_OK;
}

static int finish (synod_sim_t *sim, void *state)
{
    placed_t *world = (placed_t *) state;
    int rc = check_sums (world);
    rc = rc == SYNOD_OK ? check_counters (world) : rc;
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
    .settings = {.heartbeat_ms = 100, .drain_ms = 2000},
    .either = true,
    .state_size = sizeof (placed_t),
    .settle_ms = 2 * REST_MS,
    .setup = setup,
    .done = done,
    .finish = finish,
    .fini = fini,
};
