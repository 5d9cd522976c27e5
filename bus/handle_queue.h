/* SPDX-License-Identifier: MPL-2.0
 *
 * What a handle has taken in and its caller has not asked for yet: replies and tells, first in first out, with their
 * texts in one growing run of bytes. What was taken last stays valid until the next put.
 */
#ifndef SYNOD_BUS_HANDLE_QUEUE_H_INCLUDED
#define SYNOD_BUS_HANDLE_QUEUE_H_INCLUDED

#include <synod/record.h>

#define SYNOD__QUEUE_TEXTS 4

typedef struct {
    uint64_t number; /* the caller's */
    int code;        /* the caller's */
    synod_str_t text[SYNOD__QUEUE_TEXTS];
} synod__queued_t;

typedef struct {
    size_t at; /* of its texts, one after another */
    uint64_t number;
    int code;
    uint32_t size[SYNOD__QUEUE_TEXTS];
    bool absent[SYNOD__QUEUE_TEXTS]; /* data NULL */
} synod__queue_slot_t;

typedef struct {
    synod__queue_slot_t *slots; /* a ring */
    uint32_t capacity, first, count;
    synod_buf_t bytes;
} synod__queue_t;

/* Makes room for COUNT entries in all, so that putting them cannot fail for want of slots. */
int synod__queue_reserve (synod__queue_t *self, uint32_t count);
/* Copies ITEM. SYNOD_NO_MEMORY leaves SELF as it was. */
int synod__queue_put (synod__queue_t *self, const synod__queued_t *item);
bool synod__queue_take (synod__queue_t *self, synod__queued_t *item);
size_t synod__queue_bytes (const synod__queue_t *self); /* in use */
void synod__queue_free (synod__queue_t *self);

#endif
