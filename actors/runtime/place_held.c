/* SPDX-License-Identifier: MPL-2.0
 *
 * Messages of a partition that wait until a majority has all that their handlers could have seen, and has confirmed the
 * epoch since. With one replica nothing waits. Invariant: they leave in the order in which they came about, or never; and
 * for no commit of this node, as a majority has what they tell of.
 *
 * And messages of handlers that wrote lazily, where there is one copy: they wait for the commit that has it, whatever that is
 * for, and then for nothing more.
 */
#include "place.h"

bool synod__held_needed (const synod__instance_t *instance)
{
    const synod__partition_t *partition = instance->partition;
    if (SYNOD__MUTANT (NOTHING_HELD))
        return false;
    return partition && instance->rt->state < SYNOD__RT_ENDED && partition->replica.replicas > 1 &&
           synod__partition_serving (partition);
}

static synod__held_t *s_new (synod__rt_t *rt, synod__instance_t *instance)
{
    synod__place_t *place = rt->place;
    synod__held_t *held = place->held_spare;
    if (held)
        place->held_spare = held->next;
    else
        held = (synod__held_t *) synod__alloc (sizeof *held);
    held->next = NULL;
    held->instance = instance;
    held->life = instance->life;
    held->turn = place->turn;
    held->commit = rt->commit;
    return held;
}

/* An empty one, last in the partition's line. */
static synod__held_t *s_held (synod__rt_t *rt, synod__instance_t *instance)
{
    synod__place_t *place = rt->place;
    synod__partition_t *partition = instance->partition;
    synod__held_t *held = s_new (rt, instance);
    *(partition->held ? &partition->held_last->next : &partition->held) = held;
    partition->held_last = held;
    place->nheld++;
    synod__partition_touch (rt, partition);
    return held;
}

/* Its memory serves the next one. */
static void s_done (synod__rt_t *rt, synod__held_t *held)
{
    held->stage.count = held->stage.asks = 0;
    held->stage.bytes.size = 0;
    held->next = rt->place->held_spare;
    rt->place->held_spare = held;
}

/* HELD is empty, and gets what is staged. */
static void s_take_stage (synod__rt_t *rt, synod__held_t *held)
{
    synod__stage_t empty = held->stage;
    held->stage = rt->stage;
    rt->stage = empty;
    rt->stage.early = false;
}

void synod__held_stage (synod__instance_t *instance)
{
    s_take_stage (instance->rt, s_held (instance->rt, instance));
}

void synod__held_answer (synod__rt_t *rt, synod__kept_t *kept, synod_kind_t kind, synod_str_t body)
{
    synod__stage_t *stage = &s_held (rt, kept->instance)->stage;
    stage->effects =
        (synod__effect_t *) synod__grow (stage->effects, &stage->capacity, stage->count + 1, sizeof *stage->effects);
    synod__effect_t *e = &stage->effects[stage->count++];
    *e = (synod__effect_t){.kind = SYNOD__STAGE_REPLY, .envelope = kind, .id = kept->id, .body_size = body.size};
    if (body.size && synod__buf_add (&stage->bytes, body.data, body.size))
        abort ();
    kept->answered = true;
    synod__call_keep (rt, (synod_call_t){kept->id});
}

void synod__held_release (synod__rt_t *rt, synod__partition_t *self, uint64_t turn)
{
    while (self->held && self->held->turn <= turn) {
        synod__held_t *held = self->held;
        self->held = held->next;
        const uint64_t says = rt->says;
        rt->says = self->replica.replicas > 1 ? 0 : SYNOD__SAYS_ALL;
        synod__stage_release (held->instance, &held->stage, held->life == held->instance->life);
        rt->says = says;
        rt->place->nheld--;
        s_done (rt, held);
    }
}

void synod__held_drop (synod__rt_t *rt, synod__partition_t *self)
{
    while (self->held) {
        synod__held_t *held = self->held;
        self->held = held->next;
        rt->place->nheld--;
        s_done (rt, held);
    }
}

/* ---- what waits for a commit that nothing else has to wait for ---- */

void synod__ctx_lazily (synod_ctx_t *ctx, bool shown)
{
    ctx->lazily = true;
    ctx->shows |= shown;
}

void synod__late_stage (synod__instance_t *instance)
{
    synod__rt_t *rt = instance->rt;
    synod__held_t *held = s_new (rt, instance);
    s_take_stage (rt, held);
    *(rt->place->late ? &rt->place->late_last->next : &rt->place->late) = held;
    rt->place->late_last = held;
}

void synod__late_release (synod__rt_t *rt)
{
    while (rt->place->late && rt->place->late->commit <= rt->durable) {
        synod__held_t *held = rt->place->late;
        rt->place->late = held->next;
        const uint64_t says = rt->says;
        rt->says = 0;
        if (!rt->broken)
            synod__stage_release (held->instance, &held->stage, held->life == held->instance->life);
        rt->says = says;
        s_done (rt, held);
    }
}
