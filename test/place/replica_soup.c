/* SPDX-License-Identifier: MPL-2.0
 *
 * Epochs, faults and runs of replication's soup (see replica_soup.h). Invariant: of each epoch since the last settled one a
 * majority of the replicas keep their disks.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "replica_world.h"

#define VIEWS_MAX  400
#define STEPS      4000
#define STEPS_LONG 20000 /* of one run in S_LONG */
#define S_LONG     100
#define HEALED     20000 /* steps within which all must be well when the faults have ended */

/* ---- epochs ---- */

static bool s_has (const synod__store_id_t *stores, uint32_t count, const synod__store_id_t *id)
{
    for (uint32_t i = 0; i < count; i++)
        if (synod__store_id_compare (&stores[i], id) == 0)
            return true;
    return false;
}

/* Appends nodes that are not in STORES yet until there are WANTED. */
static uint32_t s_fill (world_t *world, synod__store_id_t *stores, uint32_t count, uint32_t wanted)
{
    while (count < wanted) {
        const synod__store_id_t *id = &world->node[world_chance (world, world->nodes)].disk.id;
        if (!s_has (stores, count, id))
            stores[count++] = *id;
    }
    return count;
}

static void s_decide (world_t *world)
{
    if (world->nviews >= VIEWS_MAX + (world->healed ? 1u : 0u))
        return;
    synod__store_id_t *stores = world->stores[world->nviews];
    synod__replica_view_t *view = &world->views[world->nviews];
    const synod__replica_view_t *last = world->nviews ? &world->views[world->nviews - 1] : NULL;
    uint32_t wanted = world->replicas, kept = 0;
    if (world_chance (world, 40) == 0)
        wanted = 1 + 2 * world_chance (world, (world->nodes + 1) / 2);
    /* most of those before stay: all, or all but one */
    if (last && world_chance (world, 8)) {
        uint32_t gone = world_chance (world, 3) ? world_chance (world, last->replicas) : UINT32_MAX;
        for (uint32_t i = 0; i < last->replicas && kept < wanted; i++)
            if (i != gone && s_has (&world->node[world_node_of (&last->stores[i])].disk.id, 1, &last->stores[i]))
                stores[kept++] = last->stores[i];
    }
    view->replicas = s_fill (world, stores, kept, wanted); /* NOLINT(clang-analyzer-core.NullDereference): an element */
    uint32_t all = view->replicas;
    if (world->learners && all < world->nodes)
        all += world_chance (world, world->nodes - all + 1);
    view->learners = s_fill (world, stores, view->replicas, all) - view->replicas;
    view->owner = world_chance (world, view->replicas);
    view->stores = stores;
    view->epoch = (last ? last->epoch : 0) + 1 + world_chance (world, 2);
    world->first[world->nviews] = world->settled;
    world->nviews++;
    world->counts->epochs++;
    world_must (world, synod__replica_check_epoch (world->check, view, world->fault));
}

/* What an owner says of its epoch reaches the keepers. */
static void s_settle (world_t *world, const node_t *node)
{
    if (node->view != UINT32_MAX && node->view > world->settled && !node->noutbox &&
        synod__replica_settled (&node->replica))
        world->settled = node->view;
}

/* Whether a majority of each epoch that may still be asked keeps its disks without NODE. */
static bool s_may_wipe (const world_t *world, uint32_t at)
{
    for (uint32_t v = world->first[world->nviews - 1]; v < world->nviews; v++) {
        const synod__replica_view_t *view = &world->views[v];
        uint32_t gone = 0;
        for (uint32_t i = 0; i < view->replicas; i++) {
            uint32_t node = world_node_of (&view->stores[i]);
            gone += node == at || !s_has (&world->node[node].disk.id, 1, &view->stores[i]);
        }
        if (gone > (view->replicas - 1) / 2)
            return false;
    }
    return true;
}

static void s_wipe (world_t *world, uint32_t at)
{
    if (!world->wipes || !s_may_wipe (world, at))
        return;
    world->counts->wipes++;
    world_new_store (world, at);
    world_crash (world, &world->node[at]);
}

static void s_learn (world_t *world, uint32_t at)
{
    node_t *node = &world->node[at];
    if (world->alone[at] || (node->view != UINT32_MAX && node->view + 1 == world->nviews))
        return;
    world_end (world, at); /* so that what the checker sees on the disk is of one epoch */
    uint32_t next = node->view == UINT32_MAX ? 0 : node->view + 1;
    node->view = world->healed || world_chance (world, 2) ? world->nviews - 1 : next;
    world_enter (world, node);
    world_end (world, at);
}

static void s_tick (world_t *world, uint32_t at)
{
    synod__replica_t *replica = &world->node[at].replica;
    s_settle (world, &world->node[at]);
    if (synod__replica_lags (replica) && world_chance (world, 2))
        world_perform (world, at, synod__replica_feed (replica));
    else
        world_perform (world, at, node_tick (&world->node[at]));
}

/* ---- runs ---- */

static void s_peace (world_t *world)
{
    memset (world->cut, 0, sizeof world->cut);
    memset (world->alone, 0, sizeof world->alone);
    for (uint32_t i = 0; i < world->nodes; i++)
        world->node[i].paused = false;
}

static void s_cut_off (world_t *world, uint32_t at)
{
    for (uint32_t i = 0; i < world->nodes; i++)
        world->cut[at][i] = world->cut[i][at] = i != at;
    world->alone[at] = true;
}

static void s_trouble (world_t *world, uint32_t at)
{
    uint32_t what = world_chance (world, 8);
    if (what == 0)
        world->node[at].paused = !world->node[at].paused;
    else if (what <= 2)
        s_cut_off (world, at);
    else if (what == 3)
        world->cut[at][world_chance (world, world->nodes)] = true; /* one way */
    else {
        for (uint32_t i = 0; i < world->nodes; i++)
            world->cut[at][i] = world->cut[i][at] = false;
        world->alone[at] = world->node[at].paused = false;
    }
}

/* Who owns the last epoch. */
static uint32_t s_next_owner (const world_t *world)
{
    const synod__replica_view_t *view = &world->views[world->nviews - 1];
    return world_node_of (&view->stores[view->owner]);
}

/* Those who own, or are about to, do not hear of the new epoch for a while; some hear nothing at all. */
static void s_forget (world_t *world)
{
    for (uint32_t at = 0; at < world->nodes; at++) {
        if (world->node[at].replica.phase == SYNOD__REPLICA_NOTHING || world_chance (world, 2))
            continue;
        world->alone[at] = true;
        if (world_chance (world, 3) == 0)
            s_cut_off (world, at);
    }
    /* and one does not hear of it from its owner */
    uint32_t owner = s_next_owner (world), other = world_chance (world, world->nodes);
    if (world_chance (world, 2))
        world->cut[owner][other] = world->cut[other][owner] = world->alone[other] = true;
}

static void s_step (world_t *world)
{
    uint32_t at = world_chance (world, world->nodes), what = world_chance (world, 100);
    world->counts->steps++;
    world->step++;
    bool soon = world->hurry && --world->hurry == 0;
    if (soon)
        s_decide (world);
    else if (world_chance (world, 10000) < world->change) {
        s_decide (world);
        if (world_chance (world, 4) == 0)
            s_decide (world);
        s_forget (world);
    } else if (what == 0 && world_rate (world, world->trouble))
        s_trouble (world, at);
    else if (world->node[at].paused)
        return;
    else if (what == 1 && world_chance (world, 10) == 0)
        s_wipe (world, at);
    else if (what == 1 && world->node[at].noutbox && world_rate (world, 5 * world->crash))
        world_crash (world, &world->node[at]);
    else if (what < 2 + world->learn)
        s_learn (world, world_chance (world, 2) ? at : s_next_owner (world));
    else if (what < 2 + world->learn + world->ticks)
        s_tick (world, at);
    else if (what < 35)
        world_client (world, world_serving (world, at));
    else if (world->count)
        world_deliver (world);
}

static void s_make (world_t *world)
{
    static const uint32_t replicas[] = {3, 3, 3, 3, 3, 1, 5};
    world->replicas = replicas[world_chance (world, 7)];
    world->nodes = world->replicas + 1 + world_chance (world, 2);
    world->lose = world_chance (world, 3) ? world_chance (world, 300) : 0;
    world->repeat = world_chance (world, 300);
    world->crash = world_chance (world, 3) ? world_chance (world, 60) : 0;
    world->write = 100 + world_chance (world, 600);
    world->lazy = world_chance (world, 3) ? world_chance (world, 1000) : 0;
    world->ticks = 1 + world_chance (world, 10);
    world->late = world_chance (world, 2) ? world_chance (world, 200) : 0;
    world->change = 1 + world_chance (world, 60);
    world->trouble = world_chance (world, 1000);
    world->learn = 2 + world_chance (world, 10);
    world->tail = world_chance (world, 8);
    world->wipes = world_chance (world, 2);
    world->learners = world_chance (world, 3) == 0;
    world->steps = world_chance (world, S_LONG) ? STEPS : STEPS_LONG;
    for (uint32_t i = 0; i < SOUP_MAX + NODES * NODE_OUTBOX; i++)
        world_spare (world, &world->pool[i]);
    bool keeps_tail = world_chance (world, 2), keeps_undo = world_chance (world, 3);
    uint32_t chunk = 1 + world_chance (world, NODE_BATCH);
    for (uint32_t i = 0; i < world->nodes; i++) {
        node_t *node = &world->node[i];
        world_new_store (world, i);
        node->keeps_tail = keeps_tail;
        node->keeps_undo = keeps_undo;
        node->chunk = chunk;
        node->view = UINT32_MAX;
        node_start (node, world->tail);
    }
    s_decide (world);
}

/* Everything is as it should be: sentence of what is not, or NULL. */
static const char *s_wrong (const world_t *world)
{
    const synod__replica_view_t *view = &world->views[world->nviews - 1];
    const node_t *owner = &world->node[world_node_of (&view->stores[view->owner])];
    if (owner->replica.phase != SYNOD__REPLICA_SERVING)
        return "the owner does not serve";
    if (owner->nturns)
        return "a turn is not released";
    for (uint32_t i = 0; i < view->replicas + view->learners; i++) {
        const node_t *node = &world->node[world_node_of (&view->stores[i])];
        if (node->replica.head.mark != owner->replica.term || node->replica.head.n != owner->replica.head.n)
            return "a copy is not up to date";
        if (node_digest (&node->disk) != node_digest (&owner->disk))
            return "a copy is another";
    }
    if (!synod__replica_settled (&owner->replica))
        return "the epoch is not settled";
    for (uint32_t i = 0; i < world->nodes; i++)
        if (world->node[i].replica.role == SYNOD__REPLICA_STRANGER && world->node[i].replica.head.mark)
            return "a former replica keeps its copy";
    for (uint32_t i = 0; i < world->nodes; i++)
        if (!synod__replica_idle (&world->node[i].replica))
            return "a replica with nothing to do is not idle";
    return NULL;
}

/* No more faults: everything serves. */
static void s_heal (world_t *world)
{
    const char *wrong = "nothing was tried";
    s_peace (world);
    world->healed = true;
    s_decide (world);
    for (uint32_t i = 0; i < world->nodes && !world->failed; i++) {
        world_end (world, i);
        s_learn (world, i);
    }
    uint32_t writes = 0;
    for (uint32_t i = 0; i < HEALED && wrong && !world->failed; i++) {
        uint32_t at = world_chance (world, world->nodes);
        if (world->count && world_chance (world, 8))
            world_deliver (world);
        else if (writes < 10 && world_chance (world, 2)) {
            writes += world->node[at].replica.phase == SYNOD__REPLICA_SERVING;
            world_client (world, at);
        } else
            s_tick (world, at);
        wrong = writes < 10 ? "nobody could write" : i % 16 == 0 ? s_wrong (world) : wrong;
    }
    if (!world->failed && wrong)
        world_must (world, synod_fault (world->fault, SYNOD_FAILED, "after the faults: %s", wrong));
}

bool replica_soup_run (uint64_t seed, replica_counts_t *counts, synod_fault_t *fault)
{
    world_t *world = (world_t *) calloc (1, sizeof *world);
    assert_non_null (world);
    world->random = (seed + 1) * 0x9e3779b97f4a7c15ull;
    world->counts = counts;
    world->fault = fault;
    counts->runs++;
    world->pool = (node_mail_t *) malloc ((SOUP_MAX + NODES * NODE_OUTBOX) * sizeof *world->pool);
    world->views = (synod__replica_view_t *) calloc (VIEWS_MAX + 1, sizeof *world->views);
    world->stores = (synod__store_id_t (*)[NODES]) calloc (VIEWS_MAX + 1, sizeof *world->stores);
    world->first = (uint32_t *) calloc (VIEWS_MAX + 1, sizeof *world->first);
    world->check = synod__replica_check_new ();
    assert_true (world->check && world->pool && world->views && world->stores && world->first);
    s_make (world);
    for (uint32_t i = 0; i < world->steps && !world->failed; i++)
        s_step (world);
    if (!world->failed)
        s_heal (world);
    bool ok = !world->failed;
    for (uint32_t i = 0; i < world->nodes; i++) {
        node_t *node = &world->node[i];
        counts->applied += node->applied;
        counts->cuts += node->cuts;
        counts->swaps += node->swaps;
        counts->removed += node->removed;
        synod__replica_free (&node->replica);
    }
    synod__replica_check_destroy (&world->check);
    free (world->first);
    free (world->stores);
    free (world->views);
    free (world->pool);
    free (world);
    return ok;
}
