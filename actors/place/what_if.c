/* SPDX-License-Identifier: MPL-2.0
 *
 * What changes between two tables. Moves are counted in a square of members before by members after, which is thrown
 * away when the pairs that occur have been listed.
 */
#include <stdlib.h>
#include "ring.h"

typedef struct {
    uint32_t columns; /* members after */
    uint16_t *then;   /* by member after: its index before, or SYNOD__NOBODY */
    uint32_t *owners; /* before x after */
    uint32_t *copies;
} s_count_t;

typedef struct {
    const synod__store_id_t *id;
    uint16_t index;
} s_by_id_t;

static int s_compare_ids (const void *a, const void *b)
{
    return synod__store_id_compare (((const s_by_id_t *) a)->id, ((const s_by_id_t *) b)->id);
}

/* Finds the members after among those before. */
static bool s_match (s_count_t *self, synod__placed_t before, synod__placed_t after)
{
    s_by_id_t *known = (s_by_id_t *) calloc (before.ring->members + 1, sizeof *known);
    if (!known)
        return false;
    for (uint32_t i = 0; i < before.ring->members; i++)
        known[i] = (s_by_id_t){&before.members[i].id, (uint16_t) i};
    qsort (known, before.ring->members, sizeof *known, s_compare_ids);
    for (uint32_t i = 0; i < after.ring->members; i++) {
        s_by_id_t wanted = {&after.members[i].id, 0};
        const s_by_id_t *found =
            (const s_by_id_t *) bsearch (&wanted, known, before.ring->members, sizeof *known, s_compare_ids);
        self->then[i] = found ? found->index : SYNOD__NOBODY;
    }
    free (known);
    return true;
}

static bool s_holds (const synod__ring_t *ring, uint32_t partition, uint16_t member)
{
    const uint16_t *replica = synod__ring_replicas (ring, partition);
    for (uint32_t i = 0; i < ring->copies; i++)
        if (replica[i] == member)
            return true;
    return false;
}

static void s_count (s_count_t *self, const synod__ring_t *before, const synod__ring_t *after, synod__what_if_t *out)
{
    for (uint32_t partition = 0; partition < synod__ring_partitions (before); partition++) {
        uint16_t old = before->owner[partition], owner = after->owner[partition];
        const uint16_t *held = synod__ring_replicas (before, partition);
        for (uint32_t i = 0; i < before->copies; i++)
            out->held_before[held[i]]++;
        if (old != SYNOD__NOBODY)
            out->owned_before[old]++;
        if (owner != SYNOD__NOBODY)
            out->owned_after[owner]++;
        held = synod__ring_replicas (after, partition);
        for (uint32_t i = 0; i < after->copies; i++) {
            uint16_t then = self->then[held[i]];
            out->held_after[held[i]]++;
            if (old != SYNOD__NOBODY && (then == SYNOD__NOBODY || !s_holds (before, partition, then)))
                self->copies[(size_t) old * self->columns + held[i]]++;
        }
        if (old != SYNOD__NOBODY && owner != SYNOD__NOBODY && self->then[owner] != old)
            self->owners[(size_t) old * self->columns + owner]++;
    }
}

static int s_largest_first (const void *a, const void *b)
{
    const synod__move_t *left = (const synod__move_t *) a, *right = (const synod__move_t *) b;
    if (left->partitions != right->partitions)
        return left->partitions < right->partitions ? 1 : -1;
    if (left->from != right->from)
        return left->from < right->from ? -1 : 1;
    return (left->to > right->to) - (left->to < right->to);
}

/* The pairs that occur. NULL: memory ran out. */
static synod__move_t *s_list (const uint32_t *square, uint32_t rows, uint32_t columns, uint32_t *count, uint32_t *sum)
{
    size_t size = (size_t) rows * columns;
    *count = *sum = 0;
    for (size_t i = 0; i < size; i++) {
        *count += square[i] > 0;
        *sum += square[i];
    }
    synod__move_t *moves = (synod__move_t *) calloc (*count + 1, sizeof *moves);
    if (!moves)
        return NULL;
    uint32_t at = 0;
    for (size_t i = 0; i < size; i++)
        if (square[i])
            moves[at++] = (synod__move_t){(uint16_t) (i / columns), (uint16_t) (i % columns), square[i]};
    qsort (moves, *count, sizeof *moves, s_largest_first);
    return moves;
}

int synod__what_if (synod__placed_t before, synod__placed_t after, synod__what_if_t *out, synod_fault_t *fault)
{
    memset (out, 0, sizeof *out);
    if (before.ring->bits != after.ring->bits)
        return synod_fault (fault, SYNOD_INVALID, "the number of partitions stays as it is: expected %u, got %u",
                            synod__ring_partitions (before.ring), synod__ring_partitions (after.ring));
    uint32_t rows = before.ring->members, columns = after.ring->members;
    size_t size = (size_t) rows * columns + 1;
    s_count_t count = {.columns = columns,
                       .then = (uint16_t *) calloc (columns + 1, sizeof *count.then),
                       .owners = (uint32_t *) calloc (size, sizeof *count.owners),
                       .copies = (uint32_t *) calloc (size, sizeof *count.copies)};
    out->owned_before = (uint32_t *) calloc (rows + 1, sizeof *out->owned_before);
    out->held_before = (uint32_t *) calloc (rows + 1, sizeof *out->held_before);
    out->owned_after = (uint32_t *) calloc (columns + 1, sizeof *out->owned_after);
    out->held_after = (uint32_t *) calloc (columns + 1, sizeof *out->held_after);
    bool room = count.then && count.owners && count.copies && out->owned_before && out->held_before &&
                out->owned_after && out->held_after && s_match (&count, before, after);
    if (room) {
        s_count (&count, before.ring, after.ring, out);
        out->owners = s_list (count.owners, rows, columns, &out->nowners, &out->owners_moved);
        out->copies = s_list (count.copies, rows, columns, &out->ncopies, &out->copies_moved);
        room = out->owners && out->copies;
    }
    free (count.then);
    free (count.owners);
    free (count.copies);
    if (room)
        return SYNOD_OK;
    synod__what_if_free (out);
    return synod_fault (fault, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
}

void synod__what_if_free (synod__what_if_t *self)
{
    free (self->owned_before);
    free (self->held_before);
    free (self->owned_after);
    free (self->held_after);
    free (self->owners);
    free (self->copies);
    memset (self, 0, sizeof *self);
}
