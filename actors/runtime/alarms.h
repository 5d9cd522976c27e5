/* SPDX-License-Identifier: MPL-2.0
 *
 * Actors' timers. One is kept by the runtime, and freed when it ran, was cancelled, or its actor's life ended. Invariant: each
 * is in the runtime's table, by its id, and in its instance's list.
 */
#ifndef SYNOD_RUNTIME_ALARMS_H_INCLUDED
#define SYNOD_RUNTIME_ALARMS_H_INCLUDED

#include "internal.h"

struct synod__alarm_t {
    uint64_t id;
    synod__instance_t *instance;
    uint32_t life;
    bool set; /* its handler has succeeded */
    uint32_t delay_ms;
    synod_on_event_t *on_event;
    uint64_t arg;
    synod__timer_t timer;
    synod__alarm_t *prev, *next; /* of the same instance */
    UT_hash_handle hh;
};

void synod__alarm_add (synod__rt_t *rt, synod__alarm_t *alarm); /* its id and instance are there */
void synod__alarm_free (synod__rt_t *rt, synod__alarm_t *alarm);
void synod__alarm_due (synod__rt_t *rt, synod__alarm_t *alarm);
void synod__alarms_forget (synod__rt_t *rt, const synod__instance_t *instance);

#endif
