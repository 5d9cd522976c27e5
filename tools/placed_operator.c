/* SPDX-License-Identifier: MPL-2.0
 *
 * Who makes the ring of the scenario `placed`, and changes it all the time: nodes join, leave, are removed, get other
 * weights, keep. And who wipes disks: one at a time, and the next only when the ring has got over it, so that a majority
 * of each partition's replicas and of the keepers keeps its disk.
 */
#include <endian.h>
#include <stdio.h>
#include "placed.h"
#include "actors/place/paxos.h"
#include "actors/place/ring_actor.h"
#include "actors/runtime/place_look.h"
#include "protocol/ring_records.h"
#include "sim/internal.h"

#define ASK_MS 4000

static void next (synod_sim_t *sim, void *arg);

static void later (placed_t *world, uint32_t most_ms)
{
    synod_sim_after (world->sim, 1000 + (int64_t) (synod_sim_random (world->sim) % (most_ms * 1000ull)), next, world);
}

static const char *name_of (const placed_t *world, uint32_t at)
{
    return synod_sim_name (world->sim, world->disks[at].node);
}

static const synod__member_t *member_of (const placed_t *world, uint32_t at)
{
    const placed_epoch_t *now = placed_now (world);
    return now ? synod__epoch_member (&now->epoch, synod_str (name_of (world, at))) : NULL;
}

static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    placed_t *world = (placed_t *) arg;
    (void) client;
    (void) sim;
    /* by the time that it is asked again the ring may have other members: that it is another is an answer too */
    world->made = world->made || reply->code == SYNOD_OK || (reply->code == SYNOD_REFUSED && placed_now (world));
    world->asking = false;
    later (world, world->over ? 300 : world->pace_ms);
}

static void ask (placed_t *world, const char *node, const synod_record_t *record, const void *in)
{
    char to[SYNOD_ADDRESS_MAX];
    snprintf (to, sizeof to, "%s/" SYNOD__RING_ACTOR, node);
    world->asking =
        synod_sim_ask (world->sim, world->operator_node, to, record, in, ASK_MS, on_reply, world) == SYNOD_OK;
    if (!world->asking)
        later (world, 300);
}

/* ---- the ring ---- */

static void make (placed_t *world)
{
    synod__ring_init_t in = {.replicas = world->replicas, .partitions = world->partitions};
    synod_buf_t nodes = {0}, keepers = {0};
    if (!world->members)
        return;
    for (uint32_t i = 0; i < world->members; i++) {
        synod__ring_node_t one = {.node = synod_str (name_of (world, i))};
        synod_list_add (&in.nodes, &nodes, &synod__ring_node_record, &one, NULL);
        if (i < world->keepers)
            synod_list_add (&in.keepers, &keepers, &synod__ring_keeper_record,
                            &(synod__ring_keeper_t){.node = one.node}, NULL);
    }
    ask (world, name_of (world, (uint32_t) (synod_sim_random (world->sim) % world->members)), &synod__ring_init_record,
         &in);
    synod_buf_free (&nodes);
    synod_buf_free (&keepers);
}

/* Some member that runs. */
static const char *somebody (placed_t *world)
{
    uint32_t from = (uint32_t) (synod_sim_random (world->sim) % world->nodes);
    for (uint32_t i = 0; i < world->nodes; i++) {
        uint32_t at = (from + i) % world->nodes;
        if (member_of (world, at) && synod_sim_state (world->sim, world->disks[at].node) == SYNOD_SIM_UP &&
            world->disks[at].node != world->wiped)
            return name_of (world, at);
    }
    return NULL;
}

static void keepers (placed_t *world, const char *to, uint64_t chance)
{
    synod__ring_keepers_t in = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    uint32_t members = placed_now (world)->epoch.nmembers, count = 1 + 2 * (uint32_t) (chance % 3);
    while (count > members)
        count -= 2;
    uint32_t from = (uint32_t) ((chance >> 8) % world->nodes);
    for (uint32_t i = 0; i < world->nodes && in.keepers.count < count; i++) {
        uint32_t at = (from + i) % world->nodes;
        synod__ring_keeper_t one = {.node = synod_str (name_of (world, at))};
        if (member_of (world, at))
            synod_list_add (&in.keepers, &items, &synod__ring_keeper_record, &one, NULL);
    }
    ask (world, to, &synod__ring_keepers_record, &in);
    synod_buf_free (&items);
}

static void change (placed_t *world, const char *to)
{
    uint64_t chance = synod_sim_random (world->sim);
    uint32_t at = (uint32_t) (chance % world->nodes);
    const synod__member_t *member = member_of (world, at);
    bool may_go = member && placed_now (world)->epoch.nmembers > (chance >> 8) % 4 + world->replicas - 1;
    synod_str_t node = synod_str (name_of (world, at));
    uint64_t weight = 50 + (chance >> 16) % 150, what = (chance >> 32) % 8;
    if (!member)
        ask (world, to, &synod__ring_join_record, &(synod__ring_join_t){.node = node});
    else if (what < 3 && may_go)
        ask (world, to, &synod__ring_leave_record, &(synod__ring_leave_t){.node = node});
    else if (what == 3 && may_go)
        ask (world, to, &synod__ring_remove_record, &(synod__ring_remove_t){.node = node, .force = (chance >> 40) % 2});
    else if (what < 6)
        ask (world, to, &synod__ring_weight_record, &(synod__ring_weight_t){.node = node, .weight = weight});
    else if (what < 7 || world->keepers > 1)
        keepers (world, to, chance >> 40);
    else
        later (world, world->pace_ms);
}

/* ---- rest ---- */

static synod__place_progress_t progress (const placed_t *world, const placed_disk_t *disk)
{
    synod__place_progress_t out = {0};
    const synod__sim_place_t *place = world->sim->places[disk->node];
    if (synod_sim_state (world->sim, disk->node) == SYNOD_SIM_UP)
        synod__look_progress (place->rt, &out);
    return out;
}

bool placed_rests (placed_t *world, const char **why)
{
    const placed_epoch_t *now = placed_now (world);
    *why = "there is no ring";
    if (!now)
        return false;
    uint32_t owned = 0;
    for (uint32_t i = 0; i < now->epoch.nmembers; i++) {
        const synod__member_t *member = &now->epoch.members[i];
        const placed_disk_t *disk = placed_store (world, &member->id);
        *why = "a member is not there, or down";
        if (!disk || member->down)
            return false;
        const synod__place_progress_t found = progress (world, disk);
        *why = "a member is in another epoch";
        if (found.epoch != now->epoch.number)
            return false;
        *why = "something moves";
        if (member->weight != member->target)
            return false;
        *why = "not all is served, or copied";
        if (found.serving != found.owned || found.unsettled || found.unprepared || found.behind)
            return false;
        owned += found.owned;
    }
    *why = "not all is owned";
    return owned == world->partitions;
}

void placed_describe (placed_t *world)
{
    const placed_epoch_t *now = placed_now (world);
    char text[512];
    for (uint32_t i = 0; now && i < now->epoch.nmembers; i++) {
        const synod__member_t *member = &now->epoch.members[i];
        const placed_disk_t *disk = placed_store (world, &member->id);
        const synod__place_progress_t none = {0}, found = disk ? progress (world, disk) : none, *at = &found;
        snprintf (text, sizeof text,
                  "%s%s%s weight %u of %u, epoch %u, serves %u of %u, unsettled %u, unprepared %u, behind %u",
                  member->name, disk ? "" : " (wiped)", member->down ? " down," : ",", member->weight, member->target,
                  (unsigned) at->epoch, at->serving, at->owned, at->unsettled, at->unprepared, at->behind);
        synod_sim_note (world->sim, text);
    }
    placed_alike (world, true);
    for (uint32_t i = 0; now && i < now->epoch.nkeepers; i++) {
        const placed_disk_t *disk = placed_store (world, &now->epoch.keepers[i]);
        snprintf (text, sizeof text, "keeper %s", disk ? synod_sim_name (world->sim, disk->node) : "(wiped)");
        synod_sim_note (world->sim, text);
    }
}

/* ---- wipes ---- */

typedef struct {
    uint64_t epoch;
    bool found;
} vote_t;

static bool on_vote (void *arg, synod_str_t key, synod_str_t value)
{
    vote_t *vote = (vote_t *) arg;
    synod__paxos_record_t record;
    uint64_t epoch = 0;
    if (key.size == 1 + sizeof epoch)
        memcpy (&epoch, key.data + 1, sizeof epoch);
    epoch = be64toh (epoch);
    vote->found =
        vote->found ||
        (epoch > vote->epoch && synod__paxos_record_unpack (&record, value, NULL) == SYNOD_OK && record.accepted.round);
    return true;
}

/* Whether a keeper has accepted a next epoch that is not decided. It may come true whenever a keeper proposes again, and
 * its keepers may be fewer: they could all be of one node, which would be wiped now. */
static bool may_be_next (placed_t *world, const placed_epoch_t *now)
{
    vote_t vote = {now->epoch.number, false};
    for (uint32_t i = 0; i < now->epoch.nkeepers; i++)
        synod_sim_scan (world->sim, placed_store (world, &now->epoch.keepers[i])->node, SYNOD__RING_ACTOR,
                        synod_str (SYNOD__RING_AT_VOTES), synod_str ("l"), on_vote, &vote);
    return vote.found;
}

static bool may_wipe (placed_t *world, uint32_t at)
{
    const char *why;
    const placed_epoch_t *now = placed_now (world);
    const synod__member_t *member = member_of (world, at);
    if (!world->wipes || synod_sim_healed (world->sim) || synod_sim_now_us (world->sim) < world->wipe_us || !member ||
        now->epoch.nkeepers < 3 || now->ring->copies < 3 || !placed_rests (world, &why))
        return false;
    for (uint32_t i = 0; i < now->epoch.nkeepers; i++)
        if (!placed_store (world, &now->epoch.keepers[i]))
            return false;
    return !may_be_next (world, now) && placed_alike (world, false);
}

static void wiped (synod_sim_t *sim, void *arg)
{
    placed_t *world = (placed_t *) arg;
    placed_disk_t *disk = &world->disks[world->wiped - 1];
    if (synod_sim_state (sim, disk->node) != SYNOD_SIM_DOWN)
        synod_sim_crash (sim, disk->node); /* at the end of its turn, if it is in one */
    if (synod_sim_wipe (sim, disk->node) != SYNOD_OK) {
        synod_sim_after (sim, 1000, wiped, world);
        return;
    }
    disk->any = false;
    disk->epoch = 0;
    synod_sim_start (sim, disk->node);
    world->wipe_us = synod_sim_now_us (sim) + 1000000;
    later (world, 300);
}

static void wipe (placed_t *world, uint32_t at)
{
    world->wiped = world->disks[at].node;
    wiped (world->sim, world);
}

static bool is_member_again (const placed_t *world)
{
    const placed_disk_t *disk = &world->disks[world->wiped - 1];
    const placed_epoch_t *now = placed_now (world);
    return now && disk->any && synod__epoch_store (&now->epoch, &disk->id);
}

/* ---- trouble, beside the plan's: one wire each time, and deaths in the middle of a turn ---- */

static void mend (synod_sim_t *sim, void *arg)
{
    placed_trouble_t *trouble = (placed_trouble_t *) arg;
    if (trouble->to >= 0)
        synod_sim_cut (sim, trouble->from, trouble->to, false);
    else {
        synod_sim_crash_after (sim, trouble->from, UINT32_MAX); /* if it is still to come: no more */
        if (synod_sim_state (sim, trouble->from) == SYNOD_SIM_DOWN && trouble->from != trouble->world->wiped)
            synod_sim_start (sim, trouble->from);
    }
    trouble->on = false;
}

static void trouble (synod_sim_t *sim, void *arg)
{
    placed_t *world = (placed_t *) arg;
    uint64_t chance = synod_sim_random (sim);
    placed_trouble_t *one = world->trouble;
    while (one < world->trouble + PLACED_TROUBLES && one->on)
        one++;
    if (synod_sim_healed (sim))
        return;
    synod_sim_after (sim, 1000 + (int64_t) ((chance >> 8) % (world->trouble_ms * 1000ull)), trouble, world);
    if (one == world->trouble + PLACED_TROUBLES || !world->made)
        return;
    bool direct = world->sim->settings.direct;
    one->world = world;
    one->from = world->disks[(chance >> 32) % world->nodes].node;
    one->to = direct ? world->disks[(chance >> 40) % world->nodes].node : SYNOD_SIM_BROKER;
    if (chance % 4 == 0) {
        one->to = -1;
        if (synod_sim_crash_after (sim, one->from, (uint32_t) (chance >> 48) % 12) != SYNOD_OK)
            return;
    } else if (one->from == one->to)
        return;
    else if (chance % 8 < 4 && !direct) { /* the other way */
        one->to = one->from;
        one->from = SYNOD_SIM_BROKER;
        synod_sim_cut (sim, one->from, one->to, true);
    } else
        synod_sim_cut (sim, one->from, one->to, true);
    one->on = true;
    synod_sim_after (sim, 20000 + (int64_t) ((chance >> 16) % 1500000), mend, one);
}

/* ---- what comes next ---- */

static void next (synod_sim_t *sim, void *arg)
{
    placed_t *world = (placed_t *) arg;
    if (world->asking)
        return;
    if (world->wiped && is_member_again (world))
        world->wiped = 0;
    const char *to = world->made ? somebody (world) : NULL;
    uint32_t at = (uint32_t) (synod_sim_random (sim) % world->nodes);
    if (!world->made)
        make (world);
    else if (!to)
        later (world, 300);
    else if (world->wiped)
        ask (world, to, &synod__ring_join_record,
             &(synod__ring_join_t){.node = synod_str (synod_sim_name (sim, world->wiped))});
    else if (may_wipe (world, at))
        wipe (world, at);
    else if (world->over)
        later (world, 300);
    else
        change (world, to);
}

int placed_operator (placed_t *world)
{
    world->operator_node = synod_sim_client (world->sim, "op");
    if (!world->operator_node)
        return synod_sim_error (world->sim)->code;
    later (world, 300);
    if (world->trouble_ms)
        synod_sim_after (world->sim, 300000, trouble, world);
    return SYNOD_OK;
}
