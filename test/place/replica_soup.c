/* SPDX-License-Identifier: MPL-2.0
 *
 * The world for a partition's replication (see replica_soup.h). Invariants of the world itself: of each epoch since the
 * last settled one a majority of the replicas keep their disks; a node's turn is committed before anything of it is in
 * the soup; what the checker sees is what is on the disks.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "place_test.h"
#include "replica_node.h"
#include "replica_soup.h"

#define NODES      8
#define SOUP_MAX   192
#define VIEWS_MAX  400
#define STEPS      4000
#define STEPS_LONG 20000 /* of one run in S_LONG */
#define S_LONG     100
#define LATE       400   /* steps by which a message may be held back */
#define HEALED     20000 /* steps within which all must be well when the faults have ended */

typedef struct {
    uint64_t random;
    uint32_t nodes, steps;
    uint32_t lose, repeat, late, crash, trouble, learn, ticks, write; /* rates per thousand */
    uint32_t change;                                                  /* per ten thousand */
    uint32_t tail;                                                    /* the bound of the tail */
    bool wipes, learners, healed;
    node_t node[NODES];
    uint8_t lives[NODES];   /* of its disk */
    bool cut[NODES][NODES]; /* from, to: nothing goes */
    bool alone[NODES];      /* hears of no new epoch */
    node_mail_t *mail[SOUP_MAX], *pool;
    uint32_t step, due[SOUP_MAX]; /* by mail: the step before which it does not arrive */
    node_mail_t *spare[SOUP_MAX + NODES * NODE_OUTBOX];
    uint32_t count, nspare;
    synod__replica_view_t *views; /* by index; those before the last settled stay too */
    synod__store_id_t (*stores)[NODES];
    uint32_t *first; /* by view: the last that was settled when it was decided */
    uint32_t nviews, settled, replicas;
    uint32_t values;
    synod__replica_check_t *check;
    replica_counts_t *counts;
    synod_fault_t *fault;
    bool failed;
} world_t;

static uint32_t s_chance (world_t *world, uint32_t most)
{
    return (uint32_t) (check_random (&world->random) >> 20) % most;
}

static bool s_rate (world_t *world, uint32_t per_thousand)
{
    return !world->healed && s_chance (world, 1000) < per_thousand;
}

static void s_must (world_t *world, int rc)
{
    world->failed = world->failed || rc != SYNOD_OK;
}

static void s_spare (world_t *world, node_mail_t *mail)
{
    world->spare[world->nspare++] = mail;
}

static node_mail_t *s_on_mail (void *arg)
{
    world_t *world = (world_t *) arg;
    return world->nspare ? world->spare[--world->nspare] : NULL;
}

static void s_new_store (world_t *world, uint32_t at)
{
    node_disk_t *disk = &world->node[at].disk;
    memset (disk, 0, sizeof *disk);
    disk->id.bytes[0] = 1;
    disk->id.bytes[7] = (uint8_t) at;
    disk->id.bytes[15] = ++world->lives[at];
}

static uint32_t s_node_of (const synod__store_id_t *id)
{
    return id->bytes[7];
}

static const synod__replica_view_t *s_view (const world_t *world, const node_t *node)
{
    return &world->views[node->view];
}

/* ---- turns ---- */

static void s_enter (world_t *world, node_t *node)
{
    uint32_t first = world->first[node->view];
    node_perform (node,
                  synod__replica_enter (&node->replica, s_view (world, node), &world->views[first], node->view - first),
                  s_on_mail, world);
}

static void s_crash (world_t *world, node_t *node)
{
    world->counts->crashes++;
    for (uint32_t i = 0; i < node->noutbox; i++)
        if (node->outbox[i].mail)
            s_spare (world, node->outbox[i].mail);
    node_start (node, world->tail);
    if (node->view != UINT32_MAX)
        s_enter (world, node);
}

static void s_post (world_t *world, uint32_t from, node_mail_t *mail)
{
    uint32_t to = s_node_of (&mail->to);
    if (s_rate (world, world->lose) || world->cut[from][to] || world->count == SOUP_MAX) {
        world->counts->lost++;
        s_spare (world, mail);
    } else {
        world->due[world->count] = s_rate (world, world->late) ? world->step + s_chance (world, LATE) : 0;
        world->mail[world->count++] = mail;
    }
}

static void s_released (world_t *world, node_t *node, uint64_t turn)
{
    uint32_t gone = 0;
    for (; gone < node->nturns && node->turns[gone].turn <= turn && !world->failed; gone++) {
        const node_turn_t *one = &node->turns[gone];
        world->counts->released++;
        s_must (world, synod__replica_check_released (world->check, &node->disk.id, one->epoch, one->seen, one->asked,
                                                      world->fault));
    }
    node->nturns -= gone;
    memmove (node->turns, node->turns + gone, node->nturns * sizeof *node->turns);
}

static void s_effect (world_t *world, uint32_t at, node_effect_t *effect)
{
    node_t *node = &world->node[at];
    switch (effect->kind) {
    case NODE_MAIL:
        s_post (world, at, effect->mail);
        effect->mail = NULL;
        break;
    case NODE_OWN:
        world->counts->served++;
        s_must (world, synod__replica_check_serves (world->check, &node->disk.id, effect->number, world->fault));
        break;
    case NODE_DISOWN:
        node->nturns = 0;
        break;
    case NODE_RELEASED:
        s_released (world, node, effect->number);
        break;
    }
}

/* Ends a node's turn: one commit, then the rest, with a crash anywhere. */
static void s_end (world_t *world, uint32_t at)
{
    node_t *node = &world->node[at];
    synod__replica_head_t head;
    uint32_t crash = s_rate (world, world->crash) ? s_chance (world, node->noutbox + 2) : UINT32_MAX;
    if (crash == 0) {
        s_crash (world, node);
        return;
    }
    bool dirty = node->dirty;
    node_commit (node);
    if (dirty) {
        node_head (&node->disk, &head);
        s_must (world, synod__replica_check_disk (world->check, &node->disk.id, &head, node->disk.seal,
                                                  node_digest (&node->disk), world->fault));
    }
    for (uint32_t i = 0; i < node->noutbox && !world->failed; i++) {
        if (i + 1 == crash) {
            s_crash (world, node);
            return;
        }
        s_effect (world, at, &node->outbox[i]);
    }
    if (crash != UINT32_MAX && !world->failed) {
        s_crash (world, node);
        return;
    }
    if (!world->failed)
        node->noutbox = 0;
}

static void s_perform (world_t *world, uint32_t at, const synod__replica_step_t *step)
{
    node_t *node = &world->node[at];
    node_perform (node, step, s_on_mail, world);
    if (world->healed || s_chance (world, 3) || node->noutbox > NODE_OUTBOX / 2)
        s_end (world, at);
}

/* A client's turn: reads what is there, and may write. */
static void s_client (world_t *world, uint32_t at)
{
    node_t *node = &world->node[at];
    if (node->replica.phase != SYNOD__REPLICA_SERVING || node->nturns == NODE_TURNS)
        return;
    synod__replica_at_t asked = synod__replica_check_known (world->check);
    /* a deposed owner has to read to be found out: what it writes never gets a majority */
    uint32_t rate = world->alone[at] ? world->write / 20 : world->write;
    uint32_t batches = s_chance (world, 1000) < rate ? 1 + s_chance (world, 2) : 0;
    for (uint32_t i = 0; i < batches; i++) {
        char bytes[NODE_BYTES];
        uint8_t keys[NODE_BATCH];
        uint32_t values[NODE_BATCH], entries = 1 + s_chance (world, NODE_BATCH);
        for (uint32_t j = 0; j < entries; j++) {
            keys[j] = (uint8_t) s_chance (world, NODE_KEYS);
            values[j] = s_chance (world, 4) ? ++world->values : 0;
        }
        uint32_t size = node_batch (bytes, keys, values, entries);
        const synod__replica_step_t *step = synod__replica_append (&node->replica, synod_str_n (bytes, size));
        if (step->code == SYNOD_REFUSED)
            break; /* sealed, by a mistake on purpose */
        node_perform (node, step, s_on_mail, world);
    }
    world->counts->reads += batches == 0;
    const synod__replica_head_t *head = &node->replica.head;
    synod__replica_at_t seen = {head->n ? head->runs[head->nruns - 1].epoch : 0, head->n};
    node->turns[node->nturns++] = (node_turn_t){++node->turn, node->replica.epoch, seen, asked};
    const synod__replica_step_t *step = synod__replica_turn (&node->replica, node->turn);
    if (node->replica.replicas == 1 && node->replica.seal <= node->replica.epoch) {
        /* costs nothing */
        bool alone = step->released == node->turn && (node->replica.learners || step->nmails == 0);
        if (!alone)
            s_must (world, synod_fault (world->fault, SYNOD_FAILED, "a turn of the only replica waits or sends"));
        world->counts->confirmed_alone += alone;
    }
    s_perform (world, at, step);
}

/* One that serves, or thinks so: the next after AT. */
static uint32_t s_serving (const world_t *world, uint32_t at)
{
    for (uint32_t i = 0; i < world->nodes; i++) {
        uint32_t next = (at + i) % world->nodes;
        if (world->node[next].replica.phase == SYNOD__REPLICA_SERVING && !world->node[next].paused)
            return next;
    }
    return at;
}

static void s_drop (world_t *world, uint32_t index)
{
    s_spare (world, world->mail[index]);
    world->mail[index] = world->mail[--world->count];
    world->due[index] = world->due[world->count];
}

/* One of the soup, taken out or left in as a repeat. */
static void s_deliver (world_t *world)
{
    /* mostly the latest: what is left over comes late */
    uint32_t recent = world->count < 8 ? world->count : 8;
    uint32_t index = s_chance (world, 4) ? world->count - 1 - s_chance (world, recent) : s_chance (world, world->count);
    node_mail_t *mail = world->mail[index];
    uint32_t to = s_node_of (&mail->to), from = s_node_of (&mail->message.from);
    if (world->node[to].paused || world->cut[from][to] || (world->due[index] > world->step && !world->healed)) {
        if (world->count > SOUP_MAX / 2 && s_chance (world, 2))
            s_drop (world, index);
        return;
    }
    s_perform (world, to, synod__replica_take (&world->node[to].replica, &mail->message));
    if (s_rate (world, world->repeat)) {
        world->counts->repeated++;
        return;
    }
    s_drop (world, index);
}

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
        const synod__store_id_t *id = &world->node[s_chance (world, world->nodes)].disk.id;
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
    const synod__replica_view_t *last = world->nviews ? view - 1 : NULL;
    uint32_t wanted = world->replicas, kept = 0;
    if (s_chance (world, 40) == 0)
        wanted = 1 + 2 * s_chance (world, (world->nodes + 1) / 2);
    /* most of those before stay: all, or all but one */
    if (last && s_chance (world, 8)) {
        uint32_t gone = s_chance (world, 3) ? s_chance (world, last->replicas) : UINT32_MAX;
        for (uint32_t i = 0; i < last->replicas && kept < wanted; i++)
            if (i != gone && s_has (&world->node[s_node_of (&last->stores[i])].disk.id, 1, &last->stores[i]))
                stores[kept++] = last->stores[i];
    }
    view->replicas = s_fill (world, stores, kept, wanted);
    uint32_t all = view->replicas;
    if (world->learners && all < world->nodes)
        all += s_chance (world, world->nodes - all + 1);
    view->learners = s_fill (world, stores, view->replicas, all) - view->replicas;
    view->owner = s_chance (world, view->replicas);
    view->stores = stores;
    view->epoch = (last ? last->epoch : 0) + 1 + s_chance (world, 2);
    world->first[world->nviews] = world->settled;
    world->nviews++;
    world->counts->epochs++;
    s_must (world, synod__replica_check_epoch (world->check, view, world->fault));
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
            uint32_t node = s_node_of (&view->stores[i]);
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
    s_new_store (world, at);
    s_crash (world, &world->node[at]);
}

static void s_learn (world_t *world, uint32_t at)
{
    node_t *node = &world->node[at];
    if (world->alone[at] || (node->view != UINT32_MAX && node->view + 1 == world->nviews))
        return;
    s_end (world, at); /* so that what the checker sees on the disk is of one epoch */
    uint32_t next = node->view == UINT32_MAX ? 0 : node->view + 1;
    node->view = world->healed || s_chance (world, 2) ? world->nviews - 1 : next;
    s_enter (world, node);
    s_end (world, at);
}

static void s_tick (world_t *world, uint32_t at)
{
    s_settle (world, &world->node[at]);
    s_perform (world, at, synod__replica_tick (&world->node[at].replica));
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
    uint32_t what = s_chance (world, 8);
    if (what == 0)
        world->node[at].paused = !world->node[at].paused;
    else if (what <= 2)
        s_cut_off (world, at);
    else if (what == 3)
        world->cut[at][s_chance (world, world->nodes)] = true; /* one way */
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
    return s_node_of (&view->stores[view->owner]);
}

/* Those who own, or are about to, do not hear of the new epoch for a while; some hear nothing at all. */
static void s_forget (world_t *world)
{
    for (uint32_t at = 0; at < world->nodes; at++) {
        if (world->node[at].replica.phase == SYNOD__REPLICA_NOTHING || s_chance (world, 2))
            continue;
        world->alone[at] = true;
        if (s_chance (world, 3) == 0)
            s_cut_off (world, at);
    }
    /* and one does not hear of it from its owner */
    uint32_t owner = s_next_owner (world), other = s_chance (world, world->nodes);
    if (s_chance (world, 2))
        world->cut[owner][other] = world->cut[other][owner] = world->alone[other] = true;
}

static void s_step (world_t *world)
{
    uint32_t at = s_chance (world, world->nodes), what = s_chance (world, 100);
    world->counts->steps++;
    world->step++;
    if (s_chance (world, 10000) < world->change) {
        s_decide (world);
        if (s_chance (world, 4) == 0)
            s_decide (world);
        s_forget (world);
    } else if (what == 0 && s_rate (world, world->trouble))
        s_trouble (world, at);
    else if (world->node[at].paused)
        return;
    else if (what == 1 && s_chance (world, 10) == 0)
        s_wipe (world, at);
    else if (what < 2 + world->learn)
        s_learn (world, s_chance (world, 2) ? at : s_next_owner (world));
    else if (what < 2 + world->learn + world->ticks)
        s_tick (world, at);
    else if (what < 35)
        s_client (world, s_serving (world, at));
    else if (world->count)
        s_deliver (world);
}

static void s_make (world_t *world)
{
    static const uint32_t replicas[] = {3, 3, 3, 3, 3, 1, 5};
    world->replicas = replicas[s_chance (world, 7)];
    world->nodes = world->replicas + 1 + s_chance (world, 2);
    world->lose = s_chance (world, 3) ? s_chance (world, 300) : 0;
    world->repeat = s_chance (world, 300);
    world->crash = s_chance (world, 3) ? s_chance (world, 60) : 0;
    world->write = 100 + s_chance (world, 600);
    world->ticks = 1 + s_chance (world, 10);
    world->late = s_chance (world, 2) ? s_chance (world, 200) : 0;
    world->change = 1 + s_chance (world, 60);
    world->trouble = s_chance (world, 1000);
    world->learn = 2 + s_chance (world, 10);
    world->tail = s_chance (world, 8);
    world->wipes = s_chance (world, 2);
    world->learners = s_chance (world, 3) == 0;
    world->steps = s_chance (world, S_LONG) ? STEPS : STEPS_LONG;
    for (uint32_t i = 0; i < SOUP_MAX + NODES * NODE_OUTBOX; i++)
        s_spare (world, &world->pool[i]);
    bool keeps_tail = s_chance (world, 2), keeps_undo = s_chance (world, 3);
    uint32_t chunk = 1 + s_chance (world, NODE_BATCH);
    for (uint32_t i = 0; i < world->nodes; i++) {
        node_t *node = &world->node[i];
        s_new_store (world, i);
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
    const node_t *owner = &world->node[s_node_of (&view->stores[view->owner])];
    if (owner->replica.phase != SYNOD__REPLICA_SERVING)
        return "the owner does not serve";
    if (owner->nturns)
        return "a turn is not released";
    for (uint32_t i = 0; i < view->replicas + view->learners; i++) {
        const node_t *node = &world->node[s_node_of (&view->stores[i])];
        if (node->replica.head.mark != view->epoch || node->replica.head.n != owner->replica.head.n)
            return "a copy is not up to date";
        if (node_digest (&node->disk) != node_digest (&owner->disk))
            return "a copy is another";
    }
    if (!synod__replica_settled (&owner->replica))
        return "the epoch is not settled";
    for (uint32_t i = 0; i < world->nodes; i++)
        if (world->node[i].replica.role == SYNOD__REPLICA_STRANGER && world->node[i].replica.head.mark)
            return "a former replica keeps its copy";
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
        s_end (world, i);
        s_learn (world, i);
    }
    uint32_t writes = 0;
    for (uint32_t i = 0; i < HEALED && wrong && !world->failed; i++) {
        uint32_t at = s_chance (world, world->nodes);
        if (world->count && s_chance (world, 8))
            s_deliver (world);
        else if (writes < 10 && s_chance (world, 2)) {
            writes += world->node[at].replica.phase == SYNOD__REPLICA_SERVING;
            s_client (world, at);
        } else
            s_tick (world, at);
        wrong = writes < 10 ? "nobody could write" : i % 16 == 0 ? s_wrong (world) : wrong;
    }
    if (!world->failed && wrong)
        s_must (world, synod_fault (world->fault, SYNOD_FAILED, "after the faults: %s", wrong));
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
