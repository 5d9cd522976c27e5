/* SPDX-License-Identifier: MPL-2.0
 *
 * The epochs that a node knows: from the last settled one to the one in force, without gaps. With them: who holds which
 * partition, and since when.
 *
 * Invariants: an epoch is on the disk, in the same commit as whatever depends on it, before anything is sent that does;
 * so the node is sealed up to it. All nodes count a partition's own epoch alike: whoever begins later is given what it
 * was in the first epoch that is kept.
 */
#include <stdio.h>
#include "place.h"

/* ---- the disk ---- */

#define S_KEY_MAX (8 + SYNOD_NAME_MAX)

static synod_str_t s_epoch_key (uint64_t number, char *room)
{
    memcpy (room, SYNOD__EPOCH_KEYS, 6);
    number = __builtin_bswap64 (number);
    memcpy (room + 6, &number, 8);
    return synod_str_n (room, 14);
}

static synod_str_t s_base_key (const char *type, char *room)
{
    size_t size = strlen (type);
    memcpy (room, "\0ringb", 6);
    memcpy (room + 6, type, size);
    return synod_str_n (room, 6 + size);
}

static void s_put (synod__rt_t *rt, synod_str_t key, const synod_str_t *value)
{
    if (synod__disk_batch_add (&rt->place->writes, key, value) != SYNOD_OK)
        abort ();
}

static void s_write (synod__rt_t *rt)
{
    synod_buf_t *writes = &rt->place->writes;
    if (!rt->broken && writes->size) {
        int rc = rt->disk->ops->write (rt->disk, synod_str_n (NULL, 0), synod_str_n (writes->data, writes->size));
        if (rc == SYNOD_OK)
            synod__written (rt);
        else
            synod__broken (rt, rc);
        rt->whole = true;
    }
    writes->size = 0;
}

static void s_put_base (synod__rt_t *rt)
{
    char key[S_KEY_MAX];
    synod_buf_t own = {0};
    for (uint32_t i = 0; i < rt->place->nplaced; i++) {
        const synod__shards_t *placed = rt->place->placed[i];
        own.size = 0;
        synod__own_pack (placed->base, placed->partitions, &own);
        synod_str_t value = synod_str_n (own.data, own.size);
        s_put (rt, s_base_key (placed->name, key), &value);
    }
    synod_buf_free (&own);
}

/* ---- entering ---- */

void synod__known_free (synod__known_t *known)
{
    synod__epoch_free (&known->epoch);
    synod_buf_free (&known->bytes);
}

/* Those before the last settled one are forgotten. */
static void s_forget (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    char key[S_KEY_MAX];
    bool any = false;
    while (place->nknown > 1 && place->known[1].epoch.number <= synod__place_now (place)->epoch.settled) {
        uint64_t number = place->known[1].epoch.number;
        for (uint32_t i = 0; i < place->nplaced; i++) {
            synod__shards_t *placed = place->placed[i];
            for (uint32_t p = 0; p < placed->partitions && placed->ntables > 1; p++)
                if (synod__bit (placed->changed[1], p))
                    placed->base[p] = number;
            synod__placed_drop_first (placed);
        }
        s_put (rt, s_epoch_key (place->known[0].epoch.number, key), NULL);
        synod__known_free (&place->known[0]);
        place->nknown--;
        memmove (place->known, place->known + 1, place->nknown * sizeof *place->known);
        any = true;
    }
    if (any)
        s_put_base (rt);
}

/* Takes NEXT, which follows what is known. */
void synod__epochs_append (synod__rt_t *rt, synod__known_t *next)
{
    synod__place_t *place = rt->place;
    place->known =
        (synod__known_t *) synod__grow (place->known, &place->known_capacity, place->nknown + 1, sizeof *place->known);
    place->known[place->nknown++] = *next;
    const synod__epoch_t *epoch = &place->known[place->nknown - 1].epoch;
    const synod__epoch_t *before = place->nknown > 1 ? &place->known[place->nknown - 2].epoch : NULL;
    for (uint32_t i = 0; i < epoch->ntypes; i++)
        synod__placed_get (rt, epoch->types[i].name, epoch->partitions);
    for (uint32_t i = 0; i < place->nplaced; i++)
        synod__placed_add (place->placed[i], before, epoch);
}

void synod__coming_free (synod__place_t *place)
{
    for (uint32_t i = 0; place->coming && i < place->coming->count; i++)
        free (place->coming->own[i]);
    free (place->coming);
    place->coming = NULL;
}

/* The first epoch is there: own epochs are as they came, else they begin with it. */
void synod__epochs_begin (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    for (uint32_t i = 0; place->coming && i < place->coming->count; i++) {
        synod__shards_t *placed = synod__placed_find (place, synod_str (place->coming->names[i]));
        if (!placed || placed->partitions != place->coming->partitions[i])
            continue;
        memcpy (placed->own, place->coming->own[i], placed->partitions * sizeof *placed->own);
        memcpy (placed->base, placed->own, placed->partitions * sizeof *placed->base);
    }
    synod__coming_free (place);
    for (uint32_t i = 0; i < place->nplaced; i++)
        for (uint32_t p = 0; p < place->placed[i]->partitions; p++)
            if (!place->placed[i]->base[p])
                place->placed[i]->base[p] = place->placed[i]->own[p] = place->known[0].epoch.number;
    synod__coming_free (place);
}

static void s_forget_all (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    char key[S_KEY_MAX];
    for (uint32_t i = 0; place->known && i < place->nknown; i++) {
        s_put (rt, s_epoch_key (place->known[i].epoch.number, key), NULL);
        synod__known_free (&place->known[i]);
    }
    place->nknown = 0;
    for (uint32_t i = 0; i < place->nplaced; i++)
        synod__placed_drop_all (place->placed[i]);
}

/* Whether what came is the base of EPOCH, whole. */
static bool s_have_base (const synod__place_t *place, const synod__epoch_t *epoch)
{
    if (!place->coming || place->coming->epoch != epoch->number || place->coming->ring != epoch->ring)
        return false;
    for (uint32_t i = 0; i < epoch->ntypes; i++) {
        uint32_t at = 0;
        while (at < place->coming->count && strcmp (place->coming->names[at], epoch->types[i].name) != 0)
            at++;
        if (at == place->coming->count || place->coming->partitions[at] != epoch->partitions)
            return false;
    }
    return true;
}

/* Begins with NEXT: the ring's first, or one that others began with. */
static void s_begin (synod__rt_t *rt, synod__known_t *next)
{
    s_forget_all (rt);
    synod__epochs_append (rt, next);
    synod__epochs_begin (rt);
    s_put_base (rt);
}

/* Whether NEXT can be entered now; then what is known ends with it. */
static bool s_next (synod__rt_t *rt, synod__known_t *next)
{
    synod__place_t *place = rt->place;
    const synod__known_t *now = synod__place_now (place);
    synod_fault_t fault = {0};
    bool light = rt->config.client;
    if (now && next->epoch.number == now->epoch.number + 1 &&
        synod__epoch_check_next (&next->epoch, &now->epoch, &fault) != SYNOD_OK)
        synod__rt_log (rt, SYNOD_LOG_ERROR, "a decided epoch does not follow the one before: %s", fault.text);
    if (now && next->epoch.number == now->epoch.number + 1 && !light)
        synod__epochs_append (rt, next);
    else if (light || next->epoch.number == 1 || s_have_base (place, &next->epoch)) {
        if (light)
            synod__coming_free (place);
        s_begin (rt, next);
    } else
        return false;
    return true;
}

static void s_in_force (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    const synod__known_t *now = synod__place_now (place);
    char key[S_KEY_MAX];
    synod_str_t value = synod_str_n (now->bytes.data, now->bytes.size);
    if (!SYNOD__MUTANT (EPOCH_NOT_WRITTEN))
        s_put (rt, s_epoch_key (now->epoch.number, key), &value);
    s_forget (rt);
    if (rt->config.client)
        place->writes.size = 0;
    s_write (rt);
    rt->epoch = now->epoch.number;
    for (uint32_t i = 0; i < place->nplaced; i++)
        if (place->placed[i]->partition)
            synod__copies_enter (rt, place->placed[i]);
    place->changed = place->look = true;
}

static void s_pending_drop (synod__place_t *place, uint32_t count)
{
    place->npending -= count;
    memmove (place->pending, place->pending + count, place->npending * sizeof *place->pending);
}

/* Nobody keeps any more what lies between the epoch in force and the first that waits: it begins anew with a later one,
 * if the base of that has come. */
static bool s_skip (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    uint32_t at = 1;
    while (at < place->npending && !s_have_base (place, &place->pending[at].epoch))
        at++;
    if (at >= place->npending)
        return false;
    for (uint32_t i = 0; i < at; i++)
        synod__known_free (&place->pending[i]);
    s_pending_drop (place, at);
    return true;
}

void synod__place_enter (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    if (place->npending)
        synod__commit_now (rt); /* of one copy: what a term has written is durable before anything of the next is */
    while (place->npending && !rt->broken) {
        synod__known_t next = place->pending[0];
        const synod__known_t *now = synod__place_now (place);
        bool old = now && next.epoch.number <= now->epoch.number;
        if (!old && !s_next (rt, &next)) {
            if (!s_skip (rt))
                return;
            continue;
        }
        s_pending_drop (place, 1);
        if (old)
            synod__known_free (&next);
        else
            s_in_force (rt);
    }
}

/* The ring that is known is not this node's own: it is no member, and has none of its data. */
static bool s_only_heard (const synod__rt_t *rt)
{
    bool has = synod__place_self (rt) != NULL;
    for (uint32_t i = 0; i < rt->place->nplaced && !has; i++)
        for (uint32_t p = 0; rt->place->placed[i]->partition && p < rt->place->placed[i]->partitions; p++)
            has |= rt->place->placed[i]->partition[p] && rt->place->placed[i]->partition[p]->stored;
    return !has;
}

static void s_forget_heard (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    while (place->npending)
        synod__known_free (&place->pending[--place->npending]);
    s_forget_all (rt);
    s_write (rt);
    place->heard = rt->epoch = 0;
}

int synod__place_add (synod__rt_t *rt, synod_str_t bytes, synod_fault_t *fault)
{
    synod__place_t *place = rt->place;
    synod__known_t one = {{0}, {0}};
    int rc = synod__epoch_unpack (&one.epoch, bytes, fault);
    if (rc != SYNOD_OK)
        return rc;
    const synod__known_t *now = synod__place_now (place);
    uint32_t at = 0;
    if (now && now->epoch.ring != one.epoch.ring && s_only_heard (rt) &&
        synod__epoch_store (&one.epoch, (const synod__store_id_t *) rt->disk->id)) {
        s_forget_heard (rt);
        now = NULL;
    }
    if (now && now->epoch.ring != one.epoch.ring)
        rc = synod_fault (fault, SYNOD_REFUSED, "node %s is in the ring %016llx, the epoch is of the ring %016llx",
                          rt->config.node, (unsigned long long) now->epoch.ring, (unsigned long long) one.epoch.ring);
    while (at < place->npending && place->pending[at].epoch.number < one.epoch.number)
        at++;
    bool there = at < place->npending && place->pending[at].epoch.number == one.epoch.number;
    if (rc != SYNOD_OK || there || (now && one.epoch.number <= now->epoch.number)) {
        synod__epoch_free (&one.epoch);
        return rc;
    }
    if (synod__buf_add (&one.bytes, bytes.data, bytes.size))
        abort ();
    place->pending = (synod__known_t *) synod__grow (place->pending, &place->pending_capacity, place->npending + 1,
                                                     sizeof *place->pending);
    memmove (place->pending + at + 1, place->pending + at, (place->npending - at) * sizeof *place->pending);
    place->pending[at] = one;
    place->npending++;
    if (!rt->config.client)
        synod__tie_all (rt); /* what is said from now on may tell of it */
    synod__place_heard (rt, one.epoch.number);
    return SYNOD_OK;
}
