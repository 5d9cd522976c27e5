/* SPDX-License-Identifier: MPL-2.0
 *
 * Partitions that are served here: each is an instance of its actor with a state of its own, over its own part of the
 * disk. What its handlers write is ordered by the replication core; at the end of the turn a round begins that covers all
 * the turn's messages of that partition.
 *
 * Where there are several replicas the others are sent a batch before it is durable here, and some of them later, while a
 * majority can do without. Whoever is the owner after a restart, even the same node, asks a majority what there is.
 *
 * Invariants: memory lasts as long as the partition is served without a break; handlers run only while it is; the own
 * store counts for a batch only after the commit that has it.
 */
#include <stdio.h>
#include "place.h"

#define S_RESERVED 1000 /* numbers of batches, at a time */
#define S_LAG_US   5000 /* what a replica that nobody waits for is not sent sooner */

bool synod__partition_serving (const synod__partition_t *self)
{
    return self->replica.phase == SYNOD__REPLICA_SERVING;
}

/* ---- memory ---- */

static synod__instance_t *s_instance_new (synod__rt_t *rt, synod__partition_t *self)
{
    const synod__instance_t *actor = self->placed->actor;
    synod__instance_t *instance = (synod__instance_t *) synod__alloc (sizeof *instance);
    instance->rt = rt;
    instance->type = actor->type;
    instance->name = actor->name;
    instance->args = actor->args;
    instance->store = actor->store;
    /* from now on it is selected by its end alone (synod__instance_store) */
    char room[SYNOD__PARTITION_PREFIX_MAX];
    synod__store_select (actor->store, synod__partition_prefix (self, self->area, room));
    instance->ctx.rt = rt;
    instance->ctx.instance = instance;
    instance->partition = self;
    memcpy (instance->self, actor->self, sizeof instance->self);
    return instance;
}

synod__instance_t *synod__partition_instance (synod__rt_t *rt, synod__partition_t *self)
{
    if (!self->instance)
        self->instance = s_instance_new (rt, self);
    synod__instance_t *instance = self->instance;
    if (instance->state_of == SYNOD__ACTOR_UP)
        return instance;
    if (instance->stays_down)
        return NULL;
    synod_fault_t fault = {0};
    if (!instance->state)
        instance->state = synod__alloc (instance->type->state_size);
    int rc = synod__instance_start (instance, &fault);
    if (rc == SYNOD_OK && instance->type->on_own) {
        synod_ctx_t *ctx = synod__run_begin (instance, NULL, 0);
        rc = synod__run_end (ctx, instance->type->on_own (ctx, instance->state));
        if (rc != SYNOD_OK)
            synod_fault (&fault, rc, "actor %s, partition %u: %s", instance->type->name, self->index,
                         ctx->error[0] ? ctx->error : synod_error_meaning (rc));
    }
    if (rc == SYNOD_OK)
        return instance->state_of == SYNOD__ACTOR_UP ? instance : NULL;
    synod__rt_log (rt, SYNOD_LOG_ERROR, "%s; it stays down", fault.text);
    instance->stays_down = true;
    synod__partition_drop (instance, SYNOD_FAILED, fault.text);
    return NULL;
}

/* Ends its memory; what its handlers had sent still waits to leave. Nothing that its last functions write or send goes
 * anywhere. */
void synod__partition_drop (synod__instance_t *instance, int code, const char *reason)
{
    bool up = instance->state_of == SYNOD__ACTOR_UP;
    instance->state_of = SYNOD__ACTOR_DOWN;
    synod__instance_forget (instance, code, reason);
    if (up && instance->type->on_disown) {
        synod_ctx_t *ctx = synod__run_begin (instance, NULL, 0);
        instance->type->on_disown (ctx, instance->state);
        synod__run_drop (ctx);
    }
    if (up && instance->type->fini) {
        synod_ctx_t *ctx = synod__run_begin (instance, NULL, 0);
        instance->type->fini (ctx, instance->state);
        synod__run_drop (ctx);
    }
    free (instance->state);
    instance->state = NULL;
}

void synod__partition_own (synod__rt_t *rt, synod__partition_t *self)
{
    rt->place->changed = true;
    if (self->instance)
        self->instance->stays_down = false;
    if (self->placed->actor->type->on_own || self->placed->actor->type->prepare)
        synod__partition_instance (rt, self);
}

void synod__partition_disown (synod__rt_t *rt, synod__partition_t *self, const char *why)
{
    rt->place->changed = true;
    synod__held_drop (rt, self);
    if (self->instance && !SYNOD__MUTANT (MEMORY_KEPT))
        synod__partition_drop (self->instance, SYNOD_STOPPED, why);
}

/* ---- turns ---- */

void synod__partition_touch (synod__rt_t *rt, synod__partition_t *self)
{
    synod__place_t *place = rt->place;
    if (self->touched)
        return;
    self->touched = true;
    place->touched = (synod__partition_t **) synod__grow (place->touched, &place->touched_capacity, place->ntouched + 1,
                                                          sizeof (synod__partition_t *));
    place->touched[place->ntouched++] = self;
}

/* Where there is one copy its head need not be written with each batch: it takes numbers ahead. After a crash those that
 * were not used are passed over; nobody else was told of any of them. BATCH is what the store has selected just now. */
static int s_sole (synod__rt_t *rt, synod__partition_t *self, synod_str_t batch)
{
    int rc = synod__replica_count (&self->replica, batch.size);
    if (rc == SYNOD_NO_MEMORY)
        abort ();
    if (rc != SYNOD_OK)
        return rc;
    synod__copy_write (rt, synod__store_prefix (self->instance->store), batch);
    if (self->replica.head.n > self->reserved) {
        synod__replica_head_t head = synod__replica_head (&self->replica);
        self->reserved = head.n += S_RESERVED;
        synod__copy_put_head (rt, self, &head);
        rt->place->look = true;
    }
    return rt->broken;
}

static void s_append (synod__rt_t *rt, synod__partition_t *self, const synod__replica_step_t *step)
{
    synod__partition_touch (rt, self);
    rt->lazily = self->replica.replicas > 1;
    rt->place->copying = true;
    synod__copies_carry (rt, self, step);
    rt->lazily = false;
}

/* Those of the partition's replicas from which an answer can be expected soon: bits. */
static uint32_t s_present (synod__rt_t *rt, const synod__partition_t *self)
{
    uint32_t bits = 0;
    int64_t since_us = rt->now_us - 2 * (int64_t) rt->config.heartbeat_ms * 1000;
    for (uint32_t i = 0; i < self->replica.replicas; i++) {
        const synod__member_t *member = synod__place_store (rt, &self->replica.peers[i].id);
        const synod__stream_t *stream = member ? synod__stream_find (rt, synod_str (member->name)) : NULL;
        if (stream && stream->peer && stream != rt->self && stream->heard_us > since_us)
            bits |= 1u << i;
    }
    return bits;
}

int synod__partition_append (synod__rt_t *rt, synod__partition_t *self, synod_str_t batch)
{
    if (synod__replica_sole (&self->replica))
        return s_sole (rt, self, batch);
    const synod__replica_step_t *step = synod__replica_append (&self->replica, batch);
    if (step->code != SYNOD_OK && step->code != SYNOD_NO_MEMORY)
        return step->code;
    s_append (rt, self, step);
    return rt->broken;
}

static void s_lag (synod__rt_t *rt, synod__partition_t *self)
{
    synod__place_t *place = rt->place;
    place->lagging = (synod__partition_t **) synod__grow (place->lagging, &place->lagging_capacity, place->nlagging + 1,
                                                          sizeof *place->lagging);
    if (!place->nlagging)
        place->lagging_us = rt->now_us + S_LAG_US;
    place->lagging[place->nlagging++] = self;
    self->lagging = true;
}

/* All handlers of the turn have run. */
static void s_rounds (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    if (!place->ntouched)
        return;
    uint64_t turn = place->turn++;
    for (uint32_t i = 0; i < place->ntouched; i++) {
        synod__partition_t *self = place->touched[i];
        self->touched = false;
        if (place->watch)
            place->watch->turn (place->watch->arg, self->index, &self->replica, turn);
        uint32_t spared =
            synod__replica_sole (&self->replica) ? 0 : synod__replica_spared (&self->replica, s_present (rt, self));
        const synod__replica_step_t *step = synod__replica_turn (&self->replica, turn, spared);
        if (step->code != SYNOD_REFUSED)
            synod__copies_carry (rt, self, step);
        if (self->lazy)
            synod__tie_all (rt);
        if (!self->lagging && synod__replica_lags (&self->replica))
            s_lag (rt, self);
    }
    place->ntouched = 0;
}

static void s_lagging (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    if (!place->nlagging || rt->now_us < place->lagging_us)
        return;
    for (uint32_t i = 0; i < place->nlagging; i++) {
        synod__partition_t *self = place->lagging[i];
        self->lagging = false;
        if (!synod__replica_lags (&self->replica))
            continue;
        const synod__replica_step_t *step = synod__replica_feed (&self->replica);
        if (step->code != SYNOD_REFUSED)
            synod__copies_carry (rt, self, step);
    }
    place->nlagging = 0;
}

void synod__place_end (synod__rt_t *rt)
{
    for (uint32_t i = 0; i < rt->place->nplaced; i++) {
        const synod__shards_t *placed = rt->place->placed[i];
        for (uint32_t p = 0; placed->partition && p < placed->partitions; p++) {
            synod__partition_t *self = placed->partition[p];
            if (!self)
                continue;
            synod__held_drop (rt, self);
            if (self->instance)
                synod__partition_drop (self->instance, SYNOD_STOPPED, "its node stops");
        }
    }
}

/* ---- ticks ---- */

#define S_TICK_MOST_US  250000
#define S_TICK_LEAST_US 20000

static int64_t s_tick_us (const synod__rt_t *rt)
{
    int64_t tick_us = (int64_t) rt->config.heartbeat_ms * 1000 / 4;
    return tick_us > S_TICK_MOST_US ? S_TICK_MOST_US : tick_us < S_TICK_LEAST_US ? S_TICK_LEAST_US : tick_us;
}

static bool s_busy (const synod__rt_t *rt)
{
    const synod__place_t *place = rt->place;
    const synod__known_t *now = synod__place_now (place);
    return place->nticking || place->later || place->mail || rt->nagain || place->npending || place->doubt ||
           place->handing_us || (place->keyed && place->heard > (now ? now->epoch.number : 0));
}

static void s_tick (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    if (!s_busy (rt)) {
        place->tick_us = INT64_MAX;
        return;
    }
    if (place->tick_us == INT64_MAX)
        place->tick_us = rt->now_us + s_tick_us (rt);
    if (rt->now_us < place->tick_us)
        return;
    place->tick_us = rt->now_us + s_tick_us (rt);
    place->changed = true;
    synod__place_ask (rt);
    synod__copies_tick (rt);
    synod__asks_keyed_again (rt);
}

int64_t synod__place_due (const synod__rt_t *rt)
{
    const synod__place_t *place = rt->place;
    int64_t due_us = place->nlagging && place->lagging_us < place->tick_us ? place->lagging_us : place->tick_us;
    return place->mail && place->mail_us < due_us ? place->mail_us : due_us;
}

void synod__place_turn_end (synod__rt_t *rt)
{
    if (rt->state == SYNOD__RT_ENDED || rt->broken)
        return;
    synod__place_enter (rt);
    s_tick (rt);
    synod__keyed_again (rt);
    s_rounds (rt);
    s_lagging (rt);
    if (rt->place->handing_us && rt->state == SYNOD__RT_UP && !synod__place_handing (rt))
        synod__rt_stop (rt);
}
