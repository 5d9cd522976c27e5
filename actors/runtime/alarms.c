/* SPDX-License-Identifier: MPL-2.0
 *
 * Actors' timers: set when their handler has succeeded, run once, forgotten with the life that set them.
 */
#include "alarms.h"

void synod__alarm_add (synod__rt_t *rt, synod__alarm_t *alarm)
{
    synod__instance_t *self = alarm->instance;
    alarm->prev = NULL;
    alarm->next = self->alarms;
    if (alarm->next)
        alarm->next->prev = alarm;
    self->alarms = alarm;
    HASH_ADD (hh, rt->alarms, id, sizeof alarm->id, alarm);
}

void synod__alarm_free (synod__rt_t *rt, synod__alarm_t *alarm)
{
    *(alarm->prev ? &alarm->prev->next : &alarm->instance->alarms) = alarm->next;
    if (alarm->next)
        alarm->next->prev = alarm->prev;
    synod__timers_clear (&rt->timers, &alarm->timer);
    HASH_DEL (rt->alarms, alarm);
    free (alarm);
}

void synod__alarm_due (synod__rt_t *rt, synod__alarm_t *alarm)
{
    synod__instance_t *self = alarm->instance;
    synod_on_event_t *on_event = alarm->on_event;
    uint64_t arg = alarm->arg;
    bool live = self->state_of == SYNOD__ACTOR_UP && (self->life == alarm->life || SYNOD__MUTANT (OLD_TIMERS));
    synod__alarm_free (rt, alarm);
    if (!live)
        return;
    synod_ctx_t *ctx = synod__run_begin (self, NULL, 0);
    synod__step_end (self, ctx, on_event (ctx, self->state, arg));
}

void synod__alarms_forget (synod__rt_t *rt, const synod__instance_t *instance)
{
    if (SYNOD__MUTANT (OLD_TIMERS) && rt->state < SYNOD__RT_ENDED)
        return;
    for (synod__alarm_t *alarm = instance->alarms, *next; alarm; alarm = next) {
        next = alarm->next;
        synod__alarm_free (rt, alarm);
    }
}
