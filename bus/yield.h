/* SPDX-License-Identifier: MPL-2.0
 *
 * When to give way. A turn that is about to commit lets others run that are ready to (sched_yield), for they may have
 * something for the same commit. Where they take long they are no part of it, and this node would lose a time slice with
 * each turn: so it is left for a while, which doubles as long as that goes on. Times in microseconds, of one clock.
 */
#ifndef SYNOD_YIELD_H_INCLUDED
#define SYNOD_YIELD_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

#define SYNOD__YIELD_LATE_US  1000     /* who has something to send is done sooner */
#define SYNOD__YIELD_PAUSE_US 10000    /* the first pause */
#define SYNOD__YIELD_MOST_US  10000000 /* the longest */

typedef struct {
    int64_t again_us; /* not before */
    int64_t pause_us; /* the last one; 0: there was none */
} synod__yield_t;

static inline bool synod__yield_may (const synod__yield_t *self, int64_t now_us)
{
    return now_us >= self->again_us;
}

/* It was given way from SINCE_US to NOW_US. */
static inline void synod__yield_took (synod__yield_t *self, int64_t since_us, int64_t now_us)
{
    if (now_us - since_us < SYNOD__YIELD_LATE_US)
        return;
    bool goes_on = since_us - self->again_us < self->pause_us;
    self->pause_us = goes_on ? 2 * self->pause_us : SYNOD__YIELD_PAUSE_US;
    if (self->pause_us > SYNOD__YIELD_MOST_US)
        self->pause_us = SYNOD__YIELD_MOST_US;
    self->again_us = now_us + self->pause_us;
}

#endif
