/* SPDX-License-Identifier: MPL-2.0
 *
 * What is due when: a binary heap of timers that belong to others (an ask's deadline, an actor's timer). Equal times
 * run in the order in which they were set, so that a turn's order depends on nothing else.
 */
#ifndef SYNOD_RUNTIME_TIMERS_H_INCLUDED
#define SYNOD_RUNTIME_TIMERS_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

/* Embedded in its owner, zeroed. */
typedef struct {
    int64_t due_us;
    uint64_t order;
    uint32_t at; /* position in the heap, from 1; 0: not set */
    int kind;    /* the owner's */
    void *owner;
} synod__timer_t;

typedef struct {
    synod__timer_t **heap; /* from 1 */
    uint32_t count, capacity;
    uint64_t order;
} synod__timers_t;

void synod__timers_set (synod__timers_t *self, synod__timer_t *timer, int64_t due_us); /* again: moves it */
void synod__timers_clear (synod__timers_t *self, synod__timer_t *timer);
/* The first one when it is due at NOW_US, taken out; NULL: none. */
synod__timer_t *synod__timers_pop (synod__timers_t *self, int64_t now_us);
int64_t synod__timers_next (const synod__timers_t *self); /* INT64_MAX: none */
void synod__timers_free (synod__timers_t *self);

#endif
