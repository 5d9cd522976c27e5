/* SPDX-License-Identifier: MPL-2.0
 *
 * What follows from an epoch: the tables of its types, and from members' reports how far what moves has moved.
 */
#include "ring.h"

uint32_t synod__rings_types (const synod__epoch_t *epoch)
{
    return epoch->ntypes ? epoch->ntypes : 1;
}

bool synod__rings_type (const synod__epoch_t *epoch, uint32_t i, synod__rings_type_t *out)
{
    const synod__placed_type_t *type = epoch->ntypes ? &epoch->types[i] : NULL;
    synod__ring_rule_t rule = synod__epoch_rule (epoch, i, false);
    *out = (synod__rings_type_t){.name = type ? type->name : NULL, .replicas = rule.replicas};
    out->now = synod__ring_new (epoch->members, epoch->nmembers, &rule);
    rule.target = true;
    out->then = synod__ring_new (epoch->members, epoch->nmembers, &rule);
    if (!out->now || !out->then)
        synod__rings_type_free (out);
    return out->now != NULL;
}

void synod__rings_type_free (synod__rings_type_t *type)
{
    synod__ring_destroy (&type->now);
    synod__ring_destroy (&type->then);
}

bool synod__rings_keeps (const synod__epoch_t *epoch, const synod__member_t *member)
{
    for (uint32_t i = 0; i < epoch->nkeepers; i++)
        if (synod__store_id_compare (&epoch->keepers[i], &member->id) == 0)
            return true;
    return false;
}

static bool holds (const synod__ring_t *ring, uint32_t partition, uint16_t member)
{
    const uint16_t *replicas = synod__ring_replicas (ring, partition);
    for (uint32_t i = 0; i < ring->copies; i++)
        if (replicas[i] == member)
            return true;
    return false;
}

/* Partitions of TYPE of which somebody is to get a copy; those of owners that have not reported how far they are are
 * LEFT. */
static void count_moving (const synod__rings_view_t *view, const synod__rings_type_t *type,
                          synod__rings_progress_t *out)
{
    for (uint32_t p = 0; type->now->copies && p < synod__ring_partitions (type->now); p++) {
        const uint16_t *then = synod__ring_replicas (type->then, p);
        bool moves = false;
        for (uint32_t i = 0; i < type->then->copies && !moves; i++)
            moves = !holds (type->now, p, then[i]);
        if (!moves)
            continue;
        const synod__rings_member_t *owner = &view->members[type->now->owner[p]];
        out->partitions++;
        out->left += !owner->told || owner->is.epoch != view->epoch.number;
    }
}

synod__rings_progress_t synod__rings_progress (const synod__rings_view_t *view)
{
    const synod__epoch_t *epoch = &view->epoch;
    synod__rings_progress_t out = {.rests = true};
    bool all = true; /* up */
    for (uint32_t i = 0; i < epoch->nmembers; i++)
        all = all && !epoch->members[i].down;
    for (uint32_t i = 0; i < epoch->nmembers; i++) {
        const synod__member_t *member = &epoch->members[i];
        const synod__ring_member_t *is = &view->members[i].is;
        bool here = view->members[i].told && is->epoch == epoch->number;
        out.moving = out.moving || member->weight != member->target;
        out.bytes += is->bytes;
        if (here)
            out.left += is->unprepared;
        if (!member->down)
            out.rests = out.rests && here && is->owned == is->serving && !is->behind && (!all || !is->unsettled);
    }
    out.rests = out.rests && !out.moving;
    for (uint32_t i = 0; out.moving && epoch->ntypes && i < epoch->ntypes; i++) {
        synod__rings_type_t type;
        if (!synod__rings_type (epoch, i, &type))
            continue;
        count_moving (view, &type, &out);
        synod__rings_type_free (&type);
    }
    if (out.left > out.partitions)
        out.left = out.partitions;
    return out;
}
