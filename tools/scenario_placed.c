/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `placed`: a placed actor on 1 to 7 nodes with 1, 3 or 5 replicas and 1 to 5 keepers, while an operator
 * changes the ring, disks are wiped, and all that a plan of faults has goes on. No acknowledged effect is lost, none comes
 * twice, reads are linearizable, copies agree, each epoch is one, and once the faults stop everything is served again.
 */
#include <inttypes.h>
#include <stdio.h>
#include "placed.h"
#include "scenarios.h"

#define LINEAR_STEPS 2000000

static int setup (synod_sim_t *sim, void *state)
{
    placed_t *world = (placed_t *) state;
    world->sim = sim;
    world->actor = &placed_actor;
    world->clients_done = placed_clients_done;
    placed_draw (world);
    int rc = placed_nodes (world, NULL);
    rc = rc == SYNOD_OK ? placed_clients (world) : rc;
    return rc == SYNOD_OK ? placed_operator (world) : rc;
}

/* First all that was asked is answered, then all is read once more, then the ring comes to rest. */
static bool done (synod_sim_t *sim, void *state)
{
    (void) sim;
    return !placed_in_the_way ((placed_t *) state);
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
    .settle_ms = 2 * PLACED_REST_MS,
    .setup = setup,
    .done = done,
    .finish = finish,
    .fini = fini,
};
