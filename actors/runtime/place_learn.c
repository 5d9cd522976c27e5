/* SPDX-License-Identifier: MPL-2.0
 *
 * How a node comes to know epochs: from its disk, and from others. Every frame's header says which epoch its sender is
 * in; whoever hears of a later one than its own asks for it, and is sent what it lacks: the epochs from its own on, or,
 * when the other has forgotten some of those, all that are kept and what each partition's own epoch was in the first.
 */
#include <stdio.h>
#include "actors/place/ring_actor.h"
#include "place.h"

#define S_ASK_AGAIN_US  100000
#define S_PATIENCE_US   1000000 /* an epoch that does not come for so long holds nothing up */
#define S_SEEK_US       500000  /* how long an answer may take whether there is a ring, */
#define S_SEEK_AGAIN_US 3000000 /* and so long after a question there is none anew */
#define S_DOUBT         3       /* members that are asked when it is not sure that one is enough */
#define S_TAIL_COUNT    32      /* batches that each copy keeps to send again, */
#define S_TAIL_BYTES    (32 * 1024)

void synod__place_new (synod__rt_t *rt)
{
    rt->place = (synod__place_t *) synod__alloc (sizeof *rt->place);
    rt->place->tick_us = INT64_MAX;
    rt->place->turn = 1;
    rt->place->replicas = (synod__replica_config_t){
        .tail_count = S_TAIL_COUNT, .tail_bytes = S_TAIL_BYTES, .scratch = &rt->place->scratch};
    memcpy (rt->place->replicas.id.bytes, rt->disk->id, SYNOD__DISK_ID);
    rt->place->batches =
        (synod__replica_batch_t *) synod__alloc (SYNOD__REPLICA_BATCHES_MAX * sizeof *rt->place->batches);
}

void synod__place_free (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    for (uint32_t i = 0; i < place->nknown; i++)
        synod__known_free (&place->known[i]);
    for (uint32_t i = 0; i < place->npending; i++)
        synod__known_free (&place->pending[i]);
    synod__coming_free (place);
    synod__keyed_free (rt);
    for (uint32_t i = 0; i < place->nplaced; i++)
        synod__placed_free (place->placed[i]);
    while (place->later) {
        synod__later_t *next = place->later->next;
        free (place->later);
        place->later = next;
    }
    if (place->late) {
        place->late_last->next = place->held_spare;
        place->held_spare = place->late;
    }
    while (place->held_spare) {
        synod__held_t *next = place->held_spare->next;
        free (place->held_spare->stage.effects);
        synod_buf_free (&place->held_spare->stage.bytes);
        free (place->held_spare);
        place->held_spare = next;
    }
    free (place->known);
    free (place->pending);
    free (place->placed);
    free (place->touched);
    free (place->lazy);
    free (place->begun);
    free (place->lagging);
    free (place->ticking);
    free (place->batches);
    synod__replica_scratch_free (&place->scratch);
    synod_buf_free (&place->writes);
    synod_buf_free (&place->body);
    synod_buf_free (&place->room);
    free (place);
    rt->place = NULL;
}

/* A node with a placed actor takes part in decisions on the ring, by the actor `ring`: if nobody has added one, it is
 * added. What the node was told for it fills what its args leave open. */
int synod__place_ring (synod__rt_t *rt, synod_fault_t *fault)
{
    const synod__rt_config_t *config = &rt->config;
    bool told = config->alone || config->weight || *config->zone, placed = false;
    for (uint32_t i = 0; i < rt->ninstances; i++)
        placed |= rt->instances[i]->type->placement == SYNOD_SHARDED;
    synod__instance_t *ring = synod__instance_find (rt, synod_str (SYNOD__RING_ACTOR));
    if (config->client || (!told && (ring || !placed)))
        return SYNOD_OK;
    if (!ring) {
        int rc = synod__rt_add (rt, &synod__ring_actor, NULL, fault);
        if (rc != SYNOD_OK)
            return rc;
        ring = synod__instance_find (rt, synod_str (SYNOD__RING_ACTOR));
    } else if (ring->type != &synod__ring_actor)
        return synod_fault (fault, SYNOD_INVALID,
                            "an actor of the node's own is called ring: it takes no alone, zone or weight");
    synod__ring_args_t *args = (synod__ring_args_t *) ring->args;
    args->alone |= config->alone;
    if (!args->weight)
        args->weight = config->weight;
    if (!args->zone.size && *config->zone)
        args->zone = synod_str (config->zone);
    return SYNOD_OK;
}

/* ---- from the disk ---- */

static void s_came (synod__place_t *place, synod_str_t type, synod_str_t own)
{
    uint32_t at = 0, partitions = 0;
    if (!place->coming)
        place->coming = (synod__coming_t *) synod__alloc (sizeof *place->coming);
    while (at < place->coming->count && !synod_str_is (type, place->coming->names[at]))
        at++;
    uint64_t *epochs =
        at < SYNOD__TYPES_MAX && type.size <= SYNOD_NAME_MAX ? synod__own_unpack (own, &partitions) : NULL;
    if (!epochs)
        return;
    free (place->coming->own[at]);
    place->coming->own[at] = epochs;
    place->coming->partitions[at] = partitions;
    memcpy (place->coming->names[at], type.data, type.size);
    place->coming->names[at][type.size] = 0;
    if (at == place->coming->count)
        place->coming->count++;
}

typedef struct {
    synod__rt_t *rt;
    synod_fault_t *fault;
    int code;
} s_load_t;

static bool s_load (void *arg, synod_str_t key, synod_str_t value)
{
    s_load_t *load = (s_load_t *) arg;
    synod__known_t one = {{0}, {0}};
    if (key.data[5] == 'b') {
        s_came (load->rt->place, synod_str_n (key.data + 6, key.size - 6), value);
        return true;
    }
    load->code = synod__epoch_unpack (&one.epoch, value, load->fault);
    if (load->code != SYNOD_OK)
        return false;
    if (synod__buf_add (&one.bytes, value.data, value.size))
        abort ();
    synod__place_t *place = load->rt->place;
    place->pending = (synod__known_t *) synod__grow (place->pending, &place->pending_capacity, place->npending + 1,
                                                     sizeof *place->pending);
    place->pending[place->npending++] = one;
    return true;
}

int synod__place_load (synod__rt_t *rt, synod_fault_t *fault)
{
    synod__place_t *place = rt->place;
    s_load_t load = {rt, fault, SYNOD_OK};
    for (uint32_t i = 0; i < rt->ninstances; i++)
        place->keyed |= rt->instances[i]->type->placement == SYNOD_SHARDED ||
                        synod_str_is (rt->instances[i]->name, SYNOD__RING_ACTOR);
    int rc = rt->disk->ops->scan (rt->disk, synod_str_n ("\0ringb", 6), synod_str_n ("\0ringf", 6), s_load, &load);
    if (rc != SYNOD_OK)
        synod__broken (rt, rc);
    rc = rc == SYNOD_OK ? load.code : rc;
    for (uint32_t i = 0; rc == SYNOD_OK && i < place->npending; i++) {
        synod__epochs_append (rt, &place->pending[i]);
        if (i == 0)
            synod__epochs_begin (rt);
    }
    if (rc == SYNOD_OK)
        place->npending = 0;
    synod__coming_free (place);
    const synod__known_t *now = synod__place_now (place);
    if (rc != SYNOD_OK || !now)
        return rc;
    place->heard = rt->epoch = now->epoch.number;
    return SYNOD_OK;
}

void synod__place_start (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    place->look = true;
    for (uint32_t i = 0; place->nknown && i < place->nplaced; i++)
        if (place->placed[i]->partition) {
            synod__copies_load (rt, place->placed[i]);
            synod__copies_enter (rt, place->placed[i]);
        }
}

/* ---- who ---- */

static const synod__store_id_t *s_own_id (const synod__rt_t *rt)
{
    _Static_assert(sizeof (synod__store_id_t) == SYNOD__DISK_ID, "a store's id is its disk's");
    return (const synod__store_id_t *) rt->disk->id;
}

const synod__member_t *synod__place_self (const synod__rt_t *rt)
{
    const synod__known_t *now = synod__place_now (rt->place);
    return now ? synod__epoch_store (&now->epoch, s_own_id (rt)) : NULL;
}

const synod__member_t *synod__place_store (const synod__rt_t *rt, const synod__store_id_t *id)
{
    const synod__member_t *member = NULL;
    for (uint32_t i = rt->place->nknown; i > 0 && !member; i--)
        member = synod__epoch_store (&rt->place->known[i - 1].epoch, id);
    return member;
}

synod__stream_t *synod__place_reach (synod__rt_t *rt, const synod__member_t *member)
{
    if (!member)
        return NULL;
    synod__stream_t *stream = synod__stream_find (rt, synod_str (member->name));
    if (stream && stream->peer && stream != rt->self)
        return stream;
    /* who keeps no directory finds out by asking */
    return rt->broker && !rt->config.directory ? synod__stream_get (rt, synod_str (member->name)) : NULL;
}

/* ---- from others ---- */

bool synod__place_learns (const synod__rt_t *rt)
{
    const synod__place_t *place = rt->place;
    return (place->heard > rt->epoch && rt->now_us - place->heard_us < S_PATIENCE_US) || place->npending;
}

static bool s_lacks (const synod__place_t *place)
{
    const synod__known_t *now = synod__place_now (place);
    return place->heard > (now ? now->epoch.number : 0) || place->npending;
}

static void s_ask (synod__rt_t *rt, synod__stream_t *stream)
{
    synod__place_t *place = rt->place;
    const synod__known_t *now = synod__place_now (place);
    synod__place_ring_ask_t ask = {.epoch = now ? now->epoch.number : 0, .last = rt->config.client};
    place->asked_us = rt->now_us;
    synod__control_tell (rt, stream, &synod__place_ring_ask_record, &ask);
}

void synod__place_heard (synod__rt_t *rt, uint64_t epoch)
{
    synod__place_t *place = rt->place;
    if (epoch <= place->heard)
        return;
    place->heard = epoch;
    place->heard_us = rt->now_us;
}

void synod__place_hear (synod__rt_t *rt, synod__stream_t *from, uint64_t epoch)
{
    synod__place_t *place = rt->place;
    if (from->foreign && from->foreign == from->seen_incarnation)
        return;
    synod__place_heard (rt, epoch);
    const synod__known_t *now = synod__place_now (place);
    if (!place->keyed || from == rt->broker || from == rt->self || epoch <= (now ? now->epoch.number : 0) ||
        (place->asked_us && rt->now_us - place->asked_us < S_ASK_AGAIN_US))
        return;
    s_ask (rt, from);
}

/* Whether a copy here is of a partition that this node has no part in, and waits to be deleted. */
static bool s_leaves (const synod__place_t *place)
{
    for (uint32_t i = 0; i < place->nticking; i++)
        if (place->ticking[i]->replica.role == SYNOD__REPLICA_STRANGER)
            return true;
    return false;
}

bool synod__place_seek (synod__rt_t *rt, synod_str_t actor)
{
    synod__place_t *place = rt->place;
    int64_t ago_us = rt->now_us - place->sought_us;
    if (place->sought_us && ago_us < S_SEEK_AGAIN_US)
        return ago_us < S_SEEK_US;
    const synod__service_t *service = synod__directory_actor (rt->directory, actor);
    uint32_t asked = 0;
    for (uint32_t i = 0; service && i < service->npeers && asked < S_DOUBT; i++) {
        synod__stream_t *stream = (synod__stream_t *) service->peers[place->ask_turn++ % service->npeers]->user;
        if (!stream || stream == rt->self)
            continue;
        s_ask (rt, stream);
        asked++;
    }
    place->sought_us = rt->now_us;
    return asked > 0;
}

void synod__place_ask (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    /* mail that waits, and copies, may do so because nobody has told this node of a later epoch */
    uint32_t most = place->doubt ? S_DOUBT : 1;
    bool any = s_lacks (place) || place->mail || rt->nagain || place->doubt || s_leaves (place);
    if (!any || !place->keyed || rt->now_us - place->asked_us < S_ASK_AGAIN_US)
        return;
    const synod__epoch_t *epoch = place->npending ? &place->pending[place->npending - 1].epoch
                                  : place->nknown ? &synod__place_now (place)->epoch
                                                  : NULL;
    for (uint32_t i = 0; epoch && i < epoch->nmembers; i++) {
        const synod__member_t *member = &epoch->members[place->ask_turn++ % epoch->nmembers];
        synod__stream_t *stream = synod__place_reach (rt, member);
        if (!stream)
            continue;
        s_ask (rt, stream);
        if (!--most)
            break;
    }
    place->doubt = false;
}

static void s_tell_base (synod__rt_t *rt, synod__stream_t *to)
{
    const synod__epoch_t *first = &rt->place->known[0].epoch;
    for (uint32_t i = 0; i < rt->place->nplaced; i++) {
        const synod__shards_t *placed = rt->place->placed[i];
        synod_buf_t *room = &rt->place->room;
        room->size = 0;
        synod__own_pack (placed->base, placed->partitions, room);
        synod__place_ring_base_t out = {.ring = first->ring,
                                        .epoch = first->number,
                                        .type = synod_str (placed->name),
                                        .own = synod_str_n (room->data, room->size)};
        synod__control_tell (rt, to, &synod__place_ring_base_record, &out);
    }
}

void synod__place_on_ask (synod__rt_t *rt, synod__stream_t *from, const synod__place_ring_ask_t *in)
{
    const synod__place_t *place = rt->place;
    if (!place->nknown || rt->config.client)
        return;
    uint32_t at = in->last ? place->nknown - 1 : 0;
    if (!in->last && in->epoch + 1 < place->known[0].epoch.number)
        s_tell_base (rt, from);
    for (; at < place->nknown; at++) {
        const synod__known_t *known = &place->known[at];
        if (known->epoch.number <= in->epoch)
            continue;
        synod__place_ring_is_t out = {.ring = known->epoch.ring,
                                      .epoch = known->epoch.number,
                                      .value = synod_str_n (known->bytes.data, known->bytes.size)};
        synod__control_tell (rt, from, &synod__place_ring_is_record, &out);
    }
}

void synod__place_on_base (synod__rt_t *rt, synod__stream_t *from, const synod__place_ring_base_t *in)
{
    synod__place_t *place = rt->place;
    (void) from;
    if (place->coming && (place->coming->epoch != in->epoch || place->coming->ring != in->ring))
        synod__coming_free (place);
    s_came (place, in->type, in->own);
    place->coming->ring = in->ring;
    place->coming->epoch = in->epoch;
}

void synod__place_on_epoch (synod__rt_t *rt, synod__stream_t *from, const synod__place_ring_is_t *in)
{
    synod_fault_t fault = {0};
    synod__place_t *place = rt->place;
    int rc = synod__place_add (rt, in->value, &fault);
    if (rc == SYNOD_OK)
        return;
    synod__rt_log (rt, SYNOD_LOG_WARNING, "an epoch from %s: %s", from->name, fault.text);
    if (rc != SYNOD_REFUSED)
        return;
    /* what it says of its epochs is nothing to this node; who of this ring knows a later one says so again */
    from->foreign = from->seen_incarnation;
    place->heard = place->npending ? place->pending[place->npending - 1].epoch.number : rt->epoch;
}
