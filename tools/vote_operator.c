/* SPDX-License-Identifier: MPL-2.0
 *
 * The operator of the scenarios `vote` and `txn`: says once which nodes accept, and then changes the ring again and again.
 */
#include <stdio.h>
#include "vote_scenario.h"
#include "actors/place/paxos_actor.h"
#include "actors/place/ring_actor.h"
#include "protocol/paxos_records.h"
#include "protocol/ring_records.h"

static void operate (synod_sim_t *sim, void *arg);

static void on_operated (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    world_t *world = (world_t *) arg;
    (void) client;
    if (!world->acceptors)
        world->acceptors = reply->code == SYNOD_OK;
    uint64_t pace_us = world->acceptors ? 6000000 : 300000;
    synod_sim_after (sim, 1000 + (int64_t) (synod_sim_random (sim) % pace_us), operate, world);
}

static int make_acceptors (world_t *world, const char *node)
{
    synod__paxos_init_t in = {.acceptors = {.count = 0}};
    synod_buf_t items = {0};
    char to[48];
    for (uint32_t i = 0; i < 3; i++) {
        synod__paxos_acceptor_t one = {.node = synod_str (synod_sim_name (world->sim, world->node[i]))};
        synod_list_add (&in.acceptors, &items, &synod__paxos_acceptor_record, &one, NULL);
    }
    snprintf (to, sizeof to, "%s/" SYNOD__PAXOS_ACTOR, node);
    int rc =
        synod_sim_ask (world->sim, world->operator_node, to, &synod__paxos_init_record, &in, 4000, on_operated, world);
    synod_buf_free (&items);
    return rc;
}

/* Another share for some member: some partitions get other owners, or other replicas. */
static int change_weight (world_t *world, const char *node, uint64_t chance)
{
    synod__ring_weight_t in = {.node = synod_str (synod_sim_name (world->sim, world->node[chance % world->nodes])),
                               .weight = 50 + (chance >> 8) % 150};
    char to[48];
    snprintf (to, sizeof to, "%s/" SYNOD__RING_ACTOR, node);
    return synod_sim_ask (world->sim, world->operator_node, to, &synod__ring_weight_record, &in, 4000, on_operated,
                          world);
}

/* The last node leaves, or joins again: what it has goes to others, and comes back. */
static int change_members (world_t *world, const char *node, uint64_t chance)
{
    const char *last = synod_sim_name (world->sim, world->node[world->nodes - 1]);
    synod__ring_leave_t leave = {.node = synod_str (last)};
    synod__ring_join_t join = {.node = leave.node};
    bool leaves = chance & 1;
    char to[48];
    snprintf (to, sizeof to, "%s/" SYNOD__RING_ACTOR, node);
    return synod_sim_ask (world->sim, world->operator_node, to,
                          leaves ? &synod__ring_leave_record : &synod__ring_join_record,
                          leaves ? (const void *) &leave : (const void *) &join, 4000, on_operated, world);
}

static void operate (synod_sim_t *sim, void *arg)
{
    world_t *world = (world_t *) arg;
    uint64_t chance = synod_sim_random (sim);
    if (world->acceptors && synod_sim_healed (sim))
        return;
    const char *node = synod_sim_name (sim, world->node[chance % (world->acceptors ? world->nodes : 3)]);
    int rc = !world->acceptors                  ? make_acceptors (world, node)
             : world->nodes > 3 && chance >> 63 ? change_members (world, node, chance >> 16)
                                                : change_weight (world, node, chance >> 16);
    if (rc != SYNOD_OK)
        synod_sim_after (sim, 300000, operate, world);
}

int vote_operate (world_t *world)
{
    return synod_sim_after (world->sim, 1000, operate, world);
}
