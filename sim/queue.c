/* SPDX-License-Identifier: MPL-2.0
 *
 * What is to happen: a heap of events with four children to a parent, ordered by time and then by when they were
 * caused. Invariant: no entry comes before its parent. Keys are in the entries, so that a sift touches no event.
 */
#include <stdlib.h>
#include "internal.h"

static bool s_before (const synod__sim_entry_t *a, const synod__sim_entry_t *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

synod__sim_event_t *synod__sim_event_new (synod_sim_t *self, const synod__sim_event_t *head)
{
    synod__sim_event_t *event = self->spare;
    if (event)
        self->spare = event->next;
    else {
        event = (synod__sim_event_t *) synod__alloc (sizeof *event);
    }
    synod_buf_t data = event->data;
    *event = *head;
    event->next = NULL;
    event->data = data;
    event->data.size = 0;
    return event;
}

synod__sim_event_t *synod__sim_event (synod_sim_t *self, const synod__sim_event_t *head, int64_t at_us)
{
    synod__sim_event_t *event = synod__sim_event_new (self, head);
    event->at_us = at_us;
    self->heap =
        (synod__sim_entry_t *) synod__grow (self->heap, &self->heap_capacity, self->count + 1, sizeof *self->heap);
    synod__sim_entry_t entry = {at_us, ++self->order, event};
    uint32_t at = self->count++;
    while (at > 0) {
        uint32_t parent = (at - 1) / 4;
        if (!s_before (&entry, &self->heap[parent]))
            break;
        self->heap[at] = self->heap[parent];
        at = parent;
    }
    self->heap[at] = entry;
    return event;
}

int64_t synod__sim_event_next (const synod_sim_t *self)
{
    return self->count ? self->heap[0].at_us : INT64_MAX;
}

synod__sim_event_t *synod__sim_event_pop (synod_sim_t *self, int64_t until_us)
{
    if (!self->count || self->heap[0].at_us > until_us)
        return NULL;
    synod__sim_event_t *event = self->heap[0].event;
    synod__sim_entry_t entry = self->heap[--self->count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = at * 4 + 1, least = child;
        if (child >= self->count)
            break;
        for (uint32_t other = child + 1; other < child + 4 && other < self->count; other++)
            if (s_before (&self->heap[other], &self->heap[least]))
                least = other;
        if (!s_before (&self->heap[least], &entry))
            break;
        self->heap[at] = self->heap[least];
        at = least;
    }
    self->heap[at] = entry;
    return event;
}

void synod__sim_event_free (synod_sim_t *self, synod__sim_event_t *event)
{
    event->next = self->spare;
    self->spare = event;
}

static void s_free (synod__sim_event_t *event)
{
    synod_buf_free (&event->data);
    free (event);
}

void synod__sim_events_free (synod_sim_t *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        s_free (self->heap[i].event);
    self->count = 0;
    synod__sim_event_t *lists[] = {self->spare, self->held_first};
    for (int i = 0; i < 2; i++)
        while (lists[i]) {
            synod__sim_event_t *next = lists[i]->next;
            s_free (lists[i]);
            lists[i] = next;
        }
    self->spare = self->held_first = self->held_last = NULL;
    free (self->heap);
    self->heap = NULL;
    self->heap_capacity = 0;
}
