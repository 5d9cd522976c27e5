/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `kv`: the table in the world of the scenario `placed`, with its ring that changes, its wipes and troubles.
 * Keys are linearizable whatever is done to them, counters are at what was acknowledged, no version comes twice, fences are
 * remembered, deadlines hold to within what the clocks differ, scans miss nothing that stays, watchers are not told that
 * they have missed nothing when they have.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "scenarios.h"
#include "table.h"

#define LINEAR_STEPS 2000000

/* ---- what its parts share ---- */

bool table_all_know (const table_t *world)
{
    const placed_t *ring = &world->ring;
    for (uint32_t i = 0; i < ring->nodes; i++)
        if (!ring->disks[i].epoch || synod_sim_state (ring->sim, ring->disks[i].node) != SYNOD_SIM_UP)
            return false;
    return true;
}

bool table_address (table_t *world, const char *key, char text[64])
{
    placed_t *ring = &world->ring;
    uint64_t chance = synod_sim_random (ring->sim);
    uint32_t from = (uint32_t) ((chance >> 8) % ring->nodes), at = from, know = 0;
    for (uint32_t i = 0; i < ring->nodes; i++) {
        uint32_t one = (from + i) % ring->nodes;
        if (ring->disks[one].epoch && synod_sim_state (ring->sim, ring->disks[one].node) == SYNOD_SIM_UP) {
            know++;
            at = one;
        }
    }
    const char *node = synod_sim_name (ring->sim, ring->disks[at].node);
    if (!key)
        snprintf (text, 64, "%s/" SYNOD__KV_NODE, node);
    else if (know == ring->nodes && chance % 2)
        snprintf (text, 64, SYNOD__KV_ACTOR "#%s", key);
    else
        snprintf (text, 64, "%s/" SYNOD__KV_ACTOR "#%s", node, key);
    return know > 0;
}

void table_wrote (table_t *world, uint32_t key, uint64_t version)
{
    if (world->nwrites == world->writes_room) {
        world->writes_room = world->writes_room ? 2 * world->writes_room : 1024;
        table_write_t *writes = (table_write_t *) realloc (world->writes, world->writes_room * sizeof *writes);
        if (!writes)
            abort ();
        world->writes = writes;
    }
    world->writes[world->nwrites++] = (table_write_t){key, version};
}

/* ---- the world ---- */

/* When all is read the watcher still has to hear of the last of it. */
static bool clients_done (placed_t *ring)
{
    return table_clients_done (ring) && table_watch_level ((table_t *) ring);
}

static int setup (synod_sim_t *sim, void *state)
{
    table_t *world = (table_t *) state;
    placed_t *ring = &world->ring;
    ring->sim = sim;
    world->kv = synod__kv_actor;
    world->kv.replicas = 0;
    ring->actor = &world->kv;
    ring->clients_done = clients_done;
    placed_draw (ring);
    int rc = placed_nodes (ring, NULL);
    rc = rc == SYNOD_OK ? table_watch (world) : rc;
    rc = rc == SYNOD_OK ? table_many (world) : rc;
    rc = rc == SYNOD_OK ? table_clients (world) : rc;
    rc = rc == SYNOD_OK ? table_dues (world) : rc;
    rc = rc == SYNOD_OK ? table_scanner (world) : rc;
    return rc == SYNOD_OK ? placed_operator (ring) : rc;
}

static bool done (synod_sim_t *sim, void *state)
{
    (void) sim;
    return !placed_in_the_way (&((table_t *) state)->ring);
}

/* What was acknowledged is counted once, what has no answer once or not at all. */
static int check_sums (table_t *world)
{
    for (uint32_t i = 0; i < TABLE_KEYS; i++) {
        const table_seen_t *seen = &world->seen[i];
        uint64_t sum = seen->gone ? 0 : (uint64_t) seen->sum;
        if (table_keys[i].kind == TABLE_COUNTER && (sum < seen->sure || sum > seen->sure + seen->unsure))
            return synod_sim_fail (world->ring.sim,
                                   "%s is at %" PRIu64 ", %" PRIu64 " were acknowledged and %" PRIu64 " are not known",
                                   table_keys[i].name, sum, seen->sure, seen->unsure);
    }
    return SYNOD_OK;
}

/* Where many writes without an answer leave it too hard to check, the rest has to do. */
static int check_history (table_t *world)
{
    const synod_linear_bounds_t bounds = {.steps = LINEAR_STEPS};
    synod_linear_t result = {0};
    int rc = synod_linear_check (world->history, &bounds, &result);
    bool known = rc != SYNOD_OK || result.verdict != SYNOD_LINEAR_UNKNOWN;
    if (!known)
        synod_sim_note (world->ring.sim, "the history is too hard to check");
    synod_linear_free (&result);
    return known ? synod_sim_linear (world->ring.sim, world->history, NULL) : SYNOD_OK;
}

static int finish (synod_sim_t *sim, void *state)
{
    table_t *world = (table_t *) state;
    (void) sim;
    int rc = check_sums (world);
    rc = rc == SYNOD_OK ? check_history (world) : rc;
    return rc == SYNOD_OK ? table_watch_finish (world) : rc;
}

static void fini (void *state)
{
    table_t *world = (table_t *) state;
    placed_check_free (&world->ring);
    synod_history_destroy (&world->history);
    for (uint32_t i = 0; i < TABLE_ASKERS; i++)
        synod_buf_free (&world->askers[i].value);
    synod_buf_free (&world->reader.value);
    free (world->writes);
    free (world->spans);
}

const synod_scenario_t synod__scenario_kv = {
    .name = "kv",
    .doc = "the table, whose ring and nodes change all the time",
    .settings = {.heartbeat_ms = 100, .drain_ms = 2000},
    .either = true,
    .state_size = sizeof (table_t),
    .settle_ms = 2 * PLACED_REST_MS,
    .setup = setup,
    .done = done,
    .finish = finish,
    .fini = fini,
};
