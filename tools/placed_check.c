/* SPDX-License-Identifier: MPL-2.0
 *
 * The invariants of the scenario `placed` that hold at every moment, seen from outside: on the disks after each commit,
 * and by who serves after each step. Each epoch is one value wherever it is kept; who holds what is counted here anew from
 * those values alone; each partition has its checker (actors/place/replica_check.h).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "placed.h"
#include "actors/runtime/place_look.h"
#include "sim/internal.h"

static void must (placed_t *world, int rc, const char *node, uint32_t partition, const synod_fault_t *fault)
{
    if (rc == SYNOD_NO_MEMORY)
        abort ();
    if (rc != SYNOD_OK)
        synod_sim_fail (world->sim, "%s, partition %u: %s", node, partition, fault->text);
}

static const char *name_of (const placed_t *world, const placed_disk_t *disk)
{
    return synod_sim_name (world->sim, disk->node);
}

const placed_epoch_t *placed_now (const placed_t *world)
{
    return world->nepochs ? &world->epochs[world->nepochs - 1] : NULL;
}

placed_disk_t *placed_store (placed_t *world, const synod__store_id_t *id)
{
    for (uint32_t i = 0; i < world->nodes; i++)
        if (world->disks[i].any && synod__store_id_compare (&world->disks[i].id, id) == 0)
            return &world->disks[i];
    return NULL;
}

/* ---- a copy ---- */

static bool on_content (void *arg, synod_str_t key, synod_str_t value)
{
    uint64_t *digest = (uint64_t *) arg;
    uint64_t parts[2] = {synod__ring_hash (key.data, key.size), synod__ring_hash (value.data, value.size)};
    *digest += synod__ring_hash (parts, sizeof parts);
    return true;
}

static bool copy_of (placed_t *world, const placed_disk_t *disk, uint32_t partition, synod__replica_head_t *head,
                     uint64_t *digest)
{
    synod__disk_t *under = (synod__disk_t *) synod__sim_durable (world->sim->places[disk->node]);
    *digest = 0;
    memset (head, 0, sizeof *head);
    return under && synod__look_copy (under, world->actor->name, partition, head, on_content, digest);
}

/* ---- epochs ---- */

static void view_of (const placed_epoch_t *epoch, uint32_t partition, synod__replica_view_t *view,
                     synod__store_id_t *stores)
{
    const uint16_t *replicas = synod__ring_replicas (epoch->ring, partition);
    *view = (synod__replica_view_t){.epoch = epoch->epoch.number, .replicas = epoch->ring->copies, .stores = stores};
    for (uint32_t i = 0; i < view->replicas; i++) {
        stores[i] = epoch->epoch.members[replicas[i]].id;
        if (replicas[i] == epoch->ring->owner[partition])
            view->owner = i;
    }
}

static bool same_holders (const synod__replica_view_t *a, const synod__replica_view_t *b)
{
    if (a->replicas != b->replicas || synod__store_id_compare (&a->stores[a->owner], &b->stores[b->owner]) != 0)
        return false;
    for (uint32_t i = 0; i < a->replicas; i++) {
        uint32_t j = 0;
        while (j < b->replicas && synod__store_id_compare (&a->stores[i], &b->stores[j]) != 0)
            j++;
        if (j == b->replicas)
            return false;
    }
    return true;
}

/* The partition's own epoch in EPOCH, which follows BEFORE (NULL: it is the first). */
static void count_own (placed_t *world, placed_epoch_t *epoch, const placed_epoch_t *before, uint32_t partition)
{
    synod__store_id_t stores[2][SYNOD__REPLICAS_MAX];
    synod__replica_view_t views[2];
    synod_fault_t fault = {0};
    epoch->own[partition] = before ? before->own[partition] : epoch->epoch.number;
    if (!epoch->ring->copies)
        return;
    view_of (epoch, partition, &views[0], stores[0]);
    if (before && before->ring->copies) {
        view_of (before, partition, &views[1], stores[1]);
        if (same_holders (&views[0], &views[1]))
            return;
    }
    epoch->own[partition] = epoch->epoch.number;
    must (world, synod__replica_check_epoch (world->checks[partition], &views[0], &fault), "the ring", partition,
          &fault);
}

/* Who is marked up again has been brought all copies that it is to have, those apart whose owner is down too. */
static void check_up (placed_t *world, const placed_epoch_t *epoch, const placed_epoch_t *before)
{
    synod__replica_head_t head;
    uint64_t digest;
    for (uint32_t p = 0; before->ring->copies && p < world->partitions; p++)
        for (uint32_t i = 0; i < before->ring->copies; i++) {
            uint16_t index = synod__ring_replicas (before->ring, p)[i];
            const synod__member_t *was = &before->epoch.members[index], *is;
            const placed_disk_t *disk = placed_store (world, &was->id);
            is = synod__epoch_store (&epoch->epoch, &was->id);
            /* the disk of one that has ended meanwhile may not be read */
            if (!was->down || !is || is->down || !disk || !world->sim->places[disk->node]->alive ||
                before->epoch.members[before->ring->owner[p]].down)
                continue;
            copy_of (world, disk, p, &head, &digest);
            if (synod__term_epoch (head.mark) < before->own[p])
                synod_sim_fail (world->sim,
                                "%s is marked up in epoch %" PRIu64
                                ", and its copy of partition %u is of epoch %" PRIu64 ", not of %" PRIu64,
                                was->name, epoch->epoch.number, p, synod__term_epoch (head.mark), before->own[p]);
        }
}

/* Adds the epoch to the trace. */
static void describe (placed_t *world, const synod__epoch_t *epoch)
{
    char text[1024];
    int size = snprintf (text, sizeof text, "epoch %" PRIu64 ", settled %" PRIu64 ":", epoch->number, epoch->settled);
    for (uint32_t i = 0; i < epoch->nmembers && size < 900; i++) {
        const synod__member_t *member = &epoch->members[i];
        size +=
            snprintf (text + size, sizeof text - (size_t) size, " %s%s%s %u", member->name,
                      placed_store (world, &member->id) ? "" : "(wiped)", member->down ? " down" : "", member->weight);
        if (member->weight != member->target)
            size += snprintf (text + size, sizeof text - (size_t) size, " to %u", member->target);
    }
    synod_sim_note (world->sim, text);
}

static void decided (placed_t *world, synod_str_t bytes)
{
    synod_fault_t fault = {0};
    world->epochs =
        (placed_epoch_t *) synod__grow (world->epochs, &world->epochs_room, world->nepochs + 1, sizeof *world->epochs);
    placed_epoch_t *epoch = &world->epochs[world->nepochs];
    const placed_epoch_t *before = world->nepochs ? epoch - 1 : NULL;
    memset (epoch, 0, sizeof *epoch);
    if (synod__epoch_unpack (&epoch->epoch, bytes, &fault) != SYNOD_OK ||
        synod__buf_add (&epoch->bytes, bytes.data, bytes.size) ||
        (before && synod__epoch_check_next (&epoch->epoch, &before->epoch, &fault) != SYNOD_OK)) {
        synod_sim_fail (world->sim, "an epoch was decided that is none: %s", fault.text);
        return;
    }
    world->nepochs++;
    describe (world, &epoch->epoch);
    uint32_t type = 0;
    while (type < epoch->epoch.ntypes && strcmp (epoch->epoch.types[type].name, world->actor->name) != 0)
        type++;
    const synod__ring_rule_t rule = {
        .partitions = epoch->epoch.partitions, .replicas = epoch->epoch.replicas, .types = 1ull << (type % 64)};
    epoch->ring = synod__ring_new (epoch->epoch.members, epoch->epoch.nmembers, &rule);
    if (!epoch->ring)
        abort ();
    for (uint32_t i = 0; i < world->partitions; i++)
        count_own (world, epoch, before, i);
    if (before)
        check_up (world, epoch, before);
}

typedef struct {
    placed_t *world;
    placed_disk_t *disk;
} look_t;

static bool on_epoch (void *arg, synod_str_t key, synod_str_t value)
{
    const look_t *look = (const look_t *) arg;
    placed_t *world = look->world;
    uint64_t number = synod__look_epoch_number (key);
    look->disk->epoch = number;
    if (number > world->nepochs + 1)
        synod_sim_fail (world->sim, "%s is in epoch %" PRIu64 ", and nobody was in the one before",
                        name_of (world, look->disk), number);
    else if (number == world->nepochs + 1)
        decided (world, value);
    else if (!synod_str_same (value,
                              synod_str_n (world->epochs[number - 1].bytes.data, world->epochs[number - 1].bytes.size)))
        synod_sim_fail (world->sim, "epoch %" PRIu64 " of %s is not that of others", number,
                        name_of (world, look->disk));
    return !synod_sim_violation (world->sim)->code;
}

/* ---- disks ---- */

static uint64_t own_of (const placed_t *world, const placed_disk_t *disk, uint32_t partition)
{
    return disk->epoch && disk->epoch <= world->nepochs ? world->epochs[disk->epoch - 1].own[partition] : 0;
}

/* NULL: the node does not run, or has nothing to do with it. */
static const synod__replica_t *replica_at (const placed_t *world, const placed_disk_t *disk, uint32_t partition)
{
    const synod__sim_place_t *place = world->sim->places[disk->node];
    bool runs = place->alive && !place->dying && place->rt;
    return runs ? synod__look_replica (place->rt, world->actor->name, partition) : NULL;
}

static bool is_sole (const synod__replica_t *replica)
{
    return replica && replica->role == SYNOD__REPLICA_OWNER && synod__replica_sole (replica);
}

static void look_at_copies (placed_t *world, placed_disk_t *disk)
{
    synod__replica_head_t head;
    synod_fault_t fault = {0};
    uint64_t digest;
    for (uint32_t i = 0; i < world->partitions && !synod_sim_violation (world->sim)->code; i++) {
        if (!(disk->copies >> i & 1))
            continue;
        copy_of (world, disk, i, &head, &digest);
        if (disk->sole[i] || is_sole (replica_at (world, disk, i)))
            digest = SYNOD__REPLICA_CHECK_AHEAD;
        must (world,
              synod__replica_check_disk (world->checks[i], &disk->id, &head, own_of (world, disk, i), digest, &fault),
              name_of (world, disk), i, &fault);
    }
    disk->copies = 0;
}

static void on_write (void *arg, int node, synod_str_t prefix, synod_str_t batch)
{
    placed_t *world = (placed_t *) arg;
    uint32_t partition;
    if (node > (int) world->nodes)
        return;
    placed_disk_t *disk = &world->disks[node - 1];
    switch (synod__look_write (prefix, batch, world->actor->name, &partition)) {
    case SYNOD__LOOK_EPOCHS:
        disk->epochs = true;
        break;
    case SYNOD__LOOK_COPY:
        disk->copies |= 1u << partition % 32;
        break;
    default:
        break;
    }
}

static void on_commit (void *arg, int node)
{
    placed_t *world = (placed_t *) arg;
    if (node > (int) world->nodes || synod_sim_violation (world->sim)->code)
        return;
    placed_disk_t *disk = &world->disks[node - 1];
    const synod__disk_t *under = synod__sim_durable (world->sim->places[node]);
    if (!disk->any || memcmp (disk->id.bytes, under->id, sizeof disk->id.bytes) != 0) {
        memcpy (disk->id.bytes, under->id, sizeof disk->id.bytes);
        disk->any = true;
        disk->epoch = 0;
        disk->epochs = true;
    }
    if (disk->epochs) {
        look_t look = {world, disk};
        disk->epochs = false;
        disk->copies = UINT32_MAX; /* the seal may be another */
        synod__look_epochs ((synod__disk_t *) under, on_epoch, &look);
    }
    look_at_copies (world, disk);
}

/* ---- turns ---- */

static void on_turn (void *arg, uint32_t partition, const synod__replica_t *replica, uint64_t turn)
{
    placed_disk_t *disk = (placed_disk_t *) arg;
    uint32_t *count = &disk->nturns[partition];
    placed_turn_t *turns = disk->turns[partition];
    if (replica->phase != SYNOD__REPLICA_SERVING || disk->world->sim->violation.code)
        return;
    if (*count && turns[0].epoch != replica->term)
        *count = 0; /* they are never let go */
    if (*count == PLACED_TURNS)
        memmove (turns, turns + 1, --*count * sizeof *turns);
    const synod__replica_head_t head = synod__replica_head (replica);
    turns[(*count)++] = (placed_turn_t){.turn = turn,
                                        .epoch = replica->term,
                                        .seen = {head.n && head.nruns ? head.runs[head.nruns - 1].epoch : 0, head.n},
                                        .asked = synod__replica_check_known (disk->world->checks[partition])};
}

static void on_released (void *arg, uint32_t partition, const synod__replica_t *replica, uint64_t turn)
{
    placed_disk_t *disk = (placed_disk_t *) arg;
    for (uint32_t i = 0; i < disk->nturns[partition]; i++) {
        placed_turn_t *one = &disk->turns[partition][i];
        one->released = one->released || (one->turn <= turn && one->epoch == replica->term);
    }
}

/* Those that were let go in this step: at its end, so that none counts as known before all have taken their frames. */
static void look_at_turns (placed_t *world, placed_disk_t *disk, uint32_t partition)
{
    synod_fault_t fault = {0};
    uint32_t *count = &disk->nturns[partition], gone = 0;
    placed_turn_t *turns = disk->turns[partition];
    const synod__sim_place_t *place = world->sim->places[disk->node];
    const synod__replica_t *replica = replica_at (world, disk, partition);
    if (replica && replica->replicas == 1 && !synod__look_settled (place->rt))
        return; /* of one copy, what is let go waits for the commit */
    for (; gone < *count && turns[gone].released; gone++)
        must (world,
              synod__replica_check_released (world->checks[partition], &disk->id, turns[gone].epoch, turns[gone].seen,
                                             turns[gone].asked, &fault),
              name_of (world, disk), partition, &fault);
    *count -= gone;
    if (gone)
        memmove (turns, turns + gone, *count * sizeof *turns);
}

/* ---- who serves ---- */

static void look_at_node (placed_t *world, placed_disk_t *disk)
{
    const synod__sim_place_t *place = world->sim->places[disk->node];
    synod_fault_t fault = {0};
    /* a turn that goes on has committed nothing yet, and told nobody */
    if (!place->alive || place->dying || place->wide || !place->rt || !disk->any)
        return;
    if (disk->life != place->life) {
        memset (disk->served, 0, sizeof disk->served);
        memset (disk->nturns, 0, sizeof disk->nturns);
        disk->world = world;
        disk->watch = (synod__look_turns_t){disk, on_turn, on_released};
        synod__look_turns (place->rt, &disk->watch);
    }
    disk->life = place->life;
    for (uint32_t i = 0; i < world->partitions; i++) {
        const synod__replica_t *replica = replica_at (world, disk, i);
        bool was_sole = disk->sole[i];
        disk->sole[i] = is_sole (replica) || (was_sole && !synod__look_settled (place->rt));
        if (was_sole && !disk->sole[i]) { /* the others begin from here */
            disk->copies |= 1u << i;
            look_at_copies (world, disk);
        }
        if (replica && replica->phase == SYNOD__REPLICA_SERVING && replica->term != disk->served[i]) {
            disk->served[i] = replica->term;
            must (world, synod__replica_check_serves (world->checks[i], &disk->id, replica->term, &fault),
                  name_of (world, disk), i, &fault);
        }
        if (disk->nturns[i])
            look_at_turns (world, disk, i);
    }
}

static int check (synod_sim_t *sim, void *arg)
{
    placed_t *world = (placed_t *) arg;
    for (uint32_t i = 0; i < world->nodes && !synod_sim_violation (sim)->code; i++)
        look_at_node (world, &world->disks[i]);
    return synod_sim_violation (sim)->code;
}

int placed_check (placed_t *world)
{
    for (uint32_t i = 0; i < world->partitions; i++)
        if (!(world->checks[i] = synod__replica_check_new ()))
            return SYNOD_NO_MEMORY;
    world->sim->on_write = on_write;
    world->sim->on_commit = on_commit;
    world->sim->disk_arg = world;
    return synod_sim_check (world->sim, "placed", check, world);
}

void placed_check_free (placed_t *world)
{
    for (uint32_t i = 0; i < PLACED_PARTITIONS; i++)
        synod__replica_check_destroy (&world->checks[i]);
    for (uint32_t i = 0; i < world->epochs_room; i++) {
        synod_buf_free (&world->epochs[i].bytes);
        synod__epoch_free (&world->epochs[i].epoch);
        synod__ring_destroy (&world->epochs[i].ring);
    }
    free (world->epochs);
}

/* ---- at rest ---- */

/* Which of the partition's replicas that is; as many as there are: none. */
static uint32_t replica_of (const placed_epoch_t *now, uint32_t partition, const synod__store_id_t *id)
{
    const uint16_t *replicas = synod__ring_replicas (now->ring, partition);
    uint32_t at = 0;
    while (at < now->ring->copies && synod__store_id_compare (&now->epoch.members[replicas[at]].id, id) != 0)
        at++;
    return at;
}

/* Adds to the trace who has what of PARTITION. */
static void describe_copies (placed_t *world, uint32_t partition)
{
    char text[1024];
    const placed_epoch_t *now = placed_now (world);
    int size = snprintf (text, sizeof text, "partition %u, own epoch %u:", partition, (unsigned) now->own[partition]);
    for (uint32_t i = 0; i < world->nodes; i++) {
        synod__replica_head_t head;
        uint64_t digest;
        bool any = copy_of (world, &world->disks[i], partition, &head, &digest);
        bool is = replica_of (now, partition, &world->disks[i].id) < now->ring->copies;
        if (any || is)
            size += snprintf (text + size, sizeof text - (size_t) size, " %s%s mark %u.%u n %u %08x;",
                              name_of (world, &world->disks[i]), is ? "" : " (no replica)",
                              (unsigned) synod__term_epoch (head.mark),
                              (unsigned) (head.mark - synod__term (synod__term_epoch (head.mark))), (unsigned) head.n,
                              (unsigned) digest);
    }
    synod_sim_note (world->sim, text);
}

static bool alike (placed_t *world, const placed_epoch_t *now, uint32_t partition)
{
    synod__replica_head_t first, head;
    uint64_t first_digest, digest;
    const uint16_t *replicas = synod__ring_replicas (now->ring, partition);
    const placed_disk_t *one = placed_store (world, &now->epoch.members[replicas[0]].id);
    if (!one)
        return false;
    copy_of (world, one, partition, &first, &first_digest);
    for (uint32_t i = 0; i < world->nodes; i++) {
        bool any = copy_of (world, &world->disks[i], partition, &head, &digest);
        bool is = replica_of (now, partition, &world->disks[i].id) < now->ring->copies;
        if (is ? head.mark != first.mark || head.n != first.n || digest != first_digest : any)
            return false;
    }
    return true;
}

bool placed_alike (placed_t *world, bool describe)
{
    const placed_epoch_t *now = placed_now (world);
    bool all = now && now->ring->copies;
    for (uint32_t i = 0; all && i < world->partitions; i++)
        if (!alike (world, now, i)) {
            all = false;
            if (describe)
                describe_copies (world, i);
        }
    return all;
}
