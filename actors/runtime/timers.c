/* SPDX-License-Identifier: MPL-2.0
 *
 * The heap of timers. Invariant: no timer is due before its parent (at / 2).
 */
#include "internal.h"

static bool s_before (const synod__timer_t *a, const synod__timer_t *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void s_place (synod__timers_t *self, synod__timer_t *timer, uint32_t at)
{
    self->heap[at] = timer;
    timer->at = at;
}

static void s_sift (synod__timers_t *self, synod__timer_t *timer, uint32_t at)
{
    while (at > 1 && s_before (timer, self->heap[at / 2])) {
        s_place (self, self->heap[at / 2], at);
        at /= 2;
    }
    for (;;) {
        uint32_t child = at * 2;
        if (child > self->count)
            break;
        if (child < self->count && s_before (self->heap[child + 1], self->heap[child]))
            child++;
        if (!s_before (self->heap[child], timer))
            break;
        s_place (self, self->heap[child], at);
        at = child;
    }
    s_place (self, timer, at);
}

void synod__timers_set (synod__timers_t *self, synod__timer_t *timer, int64_t due_us)
{
    timer->due_us = due_us;
    timer->order = ++self->order;
    if (!timer->at) {
        self->heap = (synod__timer_t **) synod__grow (self->heap, &self->capacity, self->count + 2, sizeof *self->heap);
        timer->at = ++self->count;
        self->heap[timer->at] = timer;
    }
    s_sift (self, timer, timer->at);
}

void synod__timers_clear (synod__timers_t *self, synod__timer_t *timer)
{
    if (!timer->at)
        return;
    uint32_t at = timer->at;
    synod__timer_t *last = self->heap[self->count--];
    timer->at = 0;
    if (last != timer)
        s_sift (self, last, at);
}

synod__timer_t *synod__timers_pop (synod__timers_t *self, int64_t now_us)
{
    if (!self->count || self->heap[1]->due_us > now_us)
        return NULL;
    synod__timer_t *timer = self->heap[1];
    synod__timers_clear (self, timer);
    return timer;
}

int64_t synod__timers_next (const synod__timers_t *self)
{
    return self->count ? self->heap[1]->due_us : INT64_MAX;
}

void synod__timers_free (synod__timers_t *self)
{
    free (self->heap);
    self->heap = NULL;
    self->count = self->capacity = 0;
}
