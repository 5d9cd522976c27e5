/* SPDX-License-Identifier: MPL-2.0
 *
 * Invariant: the texts of the entries lie in bytes in the order of the entries, so that all in front of the first entry
 * is free; it is closed up when it is more than half.
 */
#include "handle_queue.h"
#include <assert.h>
#include <stdlib.h>
#include "protocol/frame.h"

static synod__queue_slot_t *s_slot (const synod__queue_t *self, uint32_t i)
{
    assert (self->capacity > 0); /* there is a slot only where there is room */
    return &self->slots[(self->first + i) % self->capacity];
}

int synod__queue_reserve (synod__queue_t *self, uint32_t count)
{
    if (count <= self->capacity)
        return SYNOD_OK;
    uint32_t capacity = self->capacity ? self->capacity : 16;
    while (capacity < count)
        capacity *= 2;
    synod__queue_slot_t *slots = (synod__queue_slot_t *) malloc (capacity * sizeof *slots);
    if (!slots)
        return SYNOD_NO_MEMORY;
    for (uint32_t i = 0; i < self->count; i++)
        slots[i] = *s_slot (self, i);
    free (self->slots);
    self->slots = slots;
    self->capacity = capacity;
    self->first = 0;
    return SYNOD_OK;
}

size_t synod__queue_bytes (const synod__queue_t *self)
{
    return self->count ? self->bytes.size - s_slot (self, 0)->at : 0;
}

static void s_close_up (synod__queue_t *self)
{
    size_t used = synod__queue_bytes (self), gone = self->bytes.size - used;
    if (gone == 0 || gone < used)
        return;
    if (used)
        memmove (self->bytes.data, self->bytes.data + gone, used);
    self->bytes.size = used;
    for (uint32_t i = 0; i < self->count; i++)
        s_slot (self, i)->at -= gone;
}

int synod__queue_put (synod__queue_t *self, const synod__queued_t *item)
{
    size_t size = 0;
    for (int i = 0; i < SYNOD__QUEUE_TEXTS; i++)
        size += item->text[i].size;
    if (self->bytes.size + size > self->bytes.capacity)
        s_close_up (self);
    if (synod__queue_reserve (self, self->count + 1) != SYNOD_OK || synod__buf_reserve (&self->bytes, size) != SYNOD_OK)
        return SYNOD_NO_MEMORY;
    synod__queue_slot_t *slot = s_slot (self, self->count++);
    slot->at = self->bytes.size;
    slot->number = item->number;
    slot->code = item->code;
    for (int i = 0; i < SYNOD__QUEUE_TEXTS; i++) {
        slot->size[i] = item->text[i].size;
        slot->absent[i] = !item->text[i].data;
        if (slot->size[i])
            memcpy (self->bytes.data + self->bytes.size, item->text[i].data, slot->size[i]);
        self->bytes.size += slot->size[i];
    }
    return SYNOD_OK;
}

bool synod__queue_take (synod__queue_t *self, synod__queued_t *item)
{
    if (!self->count)
        return false;
    const synod__queue_slot_t *slot = s_slot (self, 0);
    const char *at = self->bytes.data ? self->bytes.data + slot->at : "";
    item->number = slot->number;
    item->code = slot->code;
    for (int i = 0; i < SYNOD__QUEUE_TEXTS; i++) {
        item->text[i] = synod_str_n (slot->absent[i] ? NULL : at, slot->size[i]);
        at += slot->size[i];
    }
    self->first = (self->first + 1) % self->capacity;
    self->count--;
    return true;
}

void synod__queue_free (synod__queue_t *self)
{
    free (self->slots);
    synod_buf_free (&self->bytes);
    memset (self, 0, sizeof *self);
}
