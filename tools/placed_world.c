/* SPDX-License-Identifier: MPL-2.0
 *
 * What scenarios with a placed actor share: the world that is drawn, its nodes, and the rest that it has to come to.
 */
#include <inttypes.h>
#include <stdio.h>
#include "actors/place/ring_actor.h"
#include "placed.h"

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

void placed_draw (placed_t *world)
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
    world->fill = draw (world, 3) ? 100 : 60000;
    world->trouble_ms = troubles[draw (world, 4)];
}

/* What is in the way of rest; NULL: nothing is. */
const char *placed_in_the_way (placed_t *world)
{
    const char *why;
    if (world->wiped)
        return "a wiped node is no member again";
    if (!world->clients_done (world))
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
    if (!world->over || now_us - world->over_us <= PLACED_REST_MS * 1000ll)
        return SYNOD_OK;
    const placed_epoch_t *now = placed_now (world);
    const char *why = placed_in_the_way (world);
    placed_describe (world);
    return synod_sim_fail (sim, "%d ms after all was healed, in epoch %" PRIu64 " of %u members, %u replicas: %s",
                           PLACED_REST_MS, now ? now->epoch.number : 0, now ? now->epoch.nmembers : 0, world->replicas,
                           why ? why : "asks have no answer");
}

int placed_nodes (placed_t *world, const void *args)
{
    char name[16];
    const synod__ring_args_t ring = {.report_ms = 50u << draw (world, 3), .grace_ms = 3000 + draw (world, 20000)};
    for (uint32_t i = 0; i < world->nodes; i++) {
        snprintf (name, sizeof name, "n%u", i + 1);
        int node = world->disks[i].node = synod_sim_node (world->sim, name);
        if (!node || synod_sim_add (world->sim, node, &synod__ring_actor, &ring) != SYNOD_OK ||
            synod_sim_add (world->sim, node, world->actor, args) != SYNOD_OK ||
            synod_sim_start (world->sim, node) != SYNOD_OK)
            return synod_sim_error (world->sim)->code;
    }
    int rc = placed_check (world);
    return rc == SYNOD_OK ? synod_sim_check (world->sim, "rest", check_rest, world) : rc;
}
