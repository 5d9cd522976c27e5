/* SPDX-License-Identifier: MPL-2.0
 *
 * Who holds which partition of a placed type, in each epoch that is known, and since when.
 */
#include <stdio.h>
#include "place.h"

static uint32_t s_type (const synod__epoch_t *epoch, const char *name)
{
    uint32_t i = 0;
    while (i < epoch->ntypes && strcmp (epoch->types[i].name, name) != 0)
        i++;
    return i;
}

/* A table and what it was made from. */
typedef struct {
    const synod__ring_t *table;  /* NULL: there is none */
    const synod__epoch_t *epoch; /* NULL: as TABLE */
    bool target;
} s_made_t;

/* Most epochs only change who is up, or reach what was the target: then one of MADE has all the work in it. */
static synod__ring_t *s_table (const synod__epoch_t *epoch, const char *name, bool target, const s_made_t made[2])
{
    uint32_t type = s_type (epoch, name);
    if (type == epoch->ntypes)
        return NULL;
    synod__ring_t *table = NULL;
    synod__ring_rule_t rule = synod__epoch_rule (epoch, type, target);
    for (int i = 0; i < 2 && !table; i++) {
        uint32_t was = made[i].table ? s_type (made[i].epoch, name) : 0;
        if (!made[i].table || was == made[i].epoch->ntypes)
            continue;
        const synod__ring_rule_t rule_was = synod__epoch_rule (made[i].epoch, was, made[i].target);
        table = synod__ring_again (made[i].table, made[i].epoch->members, &rule_was, epoch->members, epoch->nmembers,
                                   &rule);
    }
    if (!table)
        table = synod__ring_new (epoch->members, epoch->nmembers, &rule);
    if (!table)
        abort ();
    return table;
}

/* For each member of NEXT its index in BEFORE; SYNOD__NOBODY: it was none. */
static uint16_t *s_map (const synod__epoch_t *before, const synod__epoch_t *next)
{
    uint16_t *map = (uint16_t *) synod__alloc (next->nmembers * sizeof *map);
    for (uint32_t i = 0; i < next->nmembers; i++) {
        const synod__member_t *member = synod__epoch_store (before, &next->members[i].id);
        map[i] = member ? (uint16_t) (member - before->members) : SYNOD__NOBODY;
    }
    return map;
}

static bool s_differs (const synod__ring_t *before, const synod__ring_t *next, const uint16_t *map, uint32_t partition)
{
    if (!next || !next->copies)
        return false; /* nobody holds it: it stays as it was */
    if (!before || before->copies != next->copies || map[next->owner[partition]] != before->owner[partition])
        return true;
    const uint16_t *was = synod__ring_replicas (before, partition), *is = synod__ring_replicas (next, partition);
    for (uint32_t i = 0; i < next->copies; i++) {
        uint32_t at = 0;
        while (at < before->copies && was[at] != map[is[i]])
            at++;
        if (at == before->copies)
            return true;
    }
    return false;
}

/* The table of PLACED in the epoch NEXT, which follows BEFORE (NULL: it is the first). */
void synod__placed_add (synod__shards_t *placed, const synod__epoch_t *before, const synod__epoch_t *next)
{
    uint32_t at = placed->ntables;
    placed->tables =
        (synod__ring_t **) synod__grow (placed->tables, &placed->tables_capacity, at + 1, sizeof *placed->tables);
    placed->changed =
        (uint8_t **) synod__grow (placed->changed, &placed->changed_capacity, at + 1, sizeof *placed->changed);
    placed->ntables++;
    synod__ring_t *target = placed->target;
    const s_made_t made[2] = {{at && before ? placed->tables[at - 1] : NULL, before, false},
                              {before ? target : NULL, before, true}};
    placed->tables[at] = s_table (next, placed->name, false, made);
    placed->changed[at] = NULL;
    placed->target = NULL;
    for (uint32_t i = 0; i < next->nmembers && !placed->target; i++)
        if (next->members[i].weight != next->members[i].target)
            placed->target = s_table (next, placed->name, true, made);
    synod__ring_destroy (&target);
    if (!before)
        return;
    uint8_t *bits = (uint8_t *) synod__alloc ((placed->partitions + 7) / 8);
    uint16_t *map = s_map (before, next);
    for (uint32_t i = 0; i < placed->partitions; i++)
        if (s_differs (at ? placed->tables[at - 1] : NULL, placed->tables[at], map, i)) {
            bits[i / 8] |= (uint8_t) (1u << i % 8);
            placed->own[i] = next->number;
        }
    free (map);
    placed->changed[at] = bits;
}

synod__shards_t *synod__placed_find (synod__place_t *place, synod_str_t name)
{
    for (uint32_t i = 0; i < place->nplaced; i++)
        if (synod__placed_named (place->placed[i], name))
            return place->last = place->placed[i];
    return NULL;
}

bool synod__place_keyed (const synod__place_t *place, synod_str_t text, synod_address_t *address)
{
    const synod__shards_t *last = place->last;
    if (!last || text.size < last->name_size + 2 || text.size > SYNOD_ADDRESS_MAX ||
        text.data[last->name_size] != '#' || memcmp (text.data, last->name, last->name_size) != 0)
        return false;
    address->node = synod_str_n (NULL, 0);
    address->actor = synod_str_n (text.data, last->name_size);
    address->key = synod_str_n (text.data + last->name_size + 1, text.size - last->name_size - 1);
    return address->key.size <= SYNOD_KEY_MAX;
}

int synod__place_address (const synod__place_t *place, synod_str_t text, synod_address_t *address)
{
    return synod__place_keyed (place, text, address) ? SYNOD_OK : synod__address_parse (text, address, NULL);
}

synod__shards_t *synod__placed_get (synod__rt_t *rt, const char *name, uint32_t partitions)
{
    synod__place_t *place = rt->place;
    synod__shards_t *placed = synod__placed_find (place, synod_str (name));
    if (placed)
        return placed;
    placed = (synod__shards_t *) synod__alloc (sizeof *placed);
    snprintf (placed->name, sizeof placed->name, "%s", name);
    placed->name_size = (uint32_t) strlen (placed->name);
    placed->partitions = partitions;
    placed->own = (uint64_t *) synod__alloc (partitions * sizeof *placed->own);
    placed->base = (uint64_t *) synod__alloc (partitions * sizeof *placed->base);
    placed->waiting = (uint32_t *) synod__alloc (partitions * sizeof *placed->waiting);
    synod__instance_t *actor = synod__instance_find (rt, synod_str (name));
    if (actor && actor->type->placement == SYNOD_SHARDED && !rt->config.client) {
        placed->actor = actor;
        placed->partition = (synod__partition_t **) synod__alloc (partitions * sizeof *placed->partition);
    }
    /* it was not there in the epochs before */
    uint32_t before = place->nknown ? place->nknown - 1 : 0;
    placed->tables =
        (synod__ring_t **) synod__grow (NULL, &placed->tables_capacity, before + 1, sizeof *placed->tables);
    placed->changed = (uint8_t **) synod__grow (NULL, &placed->changed_capacity, before + 1, sizeof *placed->changed);
    placed->ntables = before;
    place->placed = (synod__shards_t **) synod__grow (place->placed, &place->placed_capacity, place->nplaced + 1,
                                                      sizeof (synod__shards_t *));
    place->placed[place->nplaced++] = placed;
    return placed;
}

synod__shards_t *synod__place_type (synod__rt_t *rt, synod_str_t actor)
{
    synod__place_t *place = rt->place;
    synod__shards_t *placed = place->last;
    if (!placed || !synod__placed_named (placed, actor))
        placed = place->nknown ? synod__placed_find (place, actor) : NULL;
    return placed && synod__placed_now (placed) ? placed : NULL;
}

void synod__placed_drop_first (synod__shards_t *placed)
{
    synod__ring_destroy (&placed->tables[0]);
    free (placed->changed[0]);
    placed->ntables--;
    memmove (placed->tables, placed->tables + 1, placed->ntables * sizeof (synod__ring_t *));
    memmove (placed->changed, placed->changed + 1, placed->ntables * sizeof (uint8_t *));
}

void synod__placed_drop_all (synod__shards_t *placed)
{
    while (placed->ntables)
        synod__placed_drop_first (placed);
    synod__ring_destroy (&placed->target);
}

/* The own epochs of a type: the distinct ones, how wide an index of theirs is, an index for each partition. */
void synod__own_pack (const uint64_t *own, uint32_t partitions, synod_buf_t *out)
{
    uint64_t *distinct = NULL;
    uint32_t count = 0, capacity = 0;
    uint16_t *at = (uint16_t *) synod__alloc (partitions * sizeof *at);
    for (uint32_t i = 0; i < partitions; i++) {
        uint32_t j = count;
        while (j > 0 && distinct[j - 1] != own[i])
            j--;
        if (j == 0) {
            distinct = (uint64_t *) synod__grow (distinct, &capacity, count + 1, sizeof *distinct);
            distinct[count++] = own[i];
            j = count;
        }
        at[i] = (uint16_t) (j - 1);
    }
    uint8_t wide = count > 256 ? 2 : 1;
    uint32_t head[2] = {count, wide};
    if (synod__buf_add (out, head, sizeof head) || synod__buf_add (out, distinct, count * sizeof *distinct))
        abort ();
    for (uint32_t i = 0; i < partitions; i++)
        if (synod__buf_add (out, &at[i], wide))
            abort ();
    free (at);
    free (distinct);
}

/* NULL: bytes that are none. */
uint64_t *synod__own_unpack (synod_str_t in, uint32_t *partitions)
{
    uint32_t head[2];
    if (in.size < sizeof head)
        return NULL;
    memcpy (head, in.data, sizeof head);
    uint64_t count = head[0], wide = head[1];
    const char *bytes = in.data + sizeof head;
    uint64_t left = in.size - sizeof head;
    if ((wide != 1 && wide != 2) || !count || count > 65536 || left < count * 8 || (left - count * 8) % wide)
        return NULL;
    uint64_t size = (left - count * 8) / wide;
    if (!size || size > SYNOD__PARTITIONS_MAX || (size & (size - 1)))
        return NULL;
    uint64_t *own = (uint64_t *) synod__alloc (size * sizeof *own);
    for (uint64_t i = 0; i < size; i++) {
        uint16_t at = 0;
        memcpy (&at, bytes + count * 8 + i * wide, wide);
        if (at >= count) {
            free (own);
            return NULL;
        }
        memcpy (&own[i], bytes + (size_t) at * 8, 8);
    }
    *partitions = (uint32_t) size;
    return own;
}

void synod__placed_free (synod__shards_t *self)
{
    synod__placed_drop_all (self);
    synod__copies_free (self);
    free (self->tables);
    free (self->changed);
    free (self->own);
    free (self->base);
    free (self->waiting);
    free (self);
}
