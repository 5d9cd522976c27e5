/* SPDX-License-Identifier: MPL-2.0
 *
 * Values that one message does not carry: sent in pieces and then put by their number, read by the number under which they
 * are kept (protocol/kv.def). To a connection they are as any other.
 */
#include <stdlib.h>
#include "actors/runtime/memory.h"
#include "protocol/frame.h"
#include "slots.h"

#define S_TRIES 3 /* to read a value that is replaced meanwhile */

struct synod__redis_large_t {
    synod_buf_t key;
    synod_buf_t value;   /* to be sent, or what has come of it */
    synod__kv_put_t put; /* without it */
    uint64_t upload;     /* its number */
    uint64_t size;
    uint32_t number; /* of the next piece */
    uint32_t tries;
    bool old;                        /* the value before a change: it cannot be asked for again */
    synod__redis_on_done_t *on_done; /* for what the put comes to */
};

static synod__redis_large_t *s_new (synod__redis_slot_t *slot, synod_str_t key)
{
    synod__redis_large_t *self = (synod__redis_large_t *) synod__alloc (sizeof *self);
    if (synod__buf_add (&self->key, key.data, key.size) != SYNOD_OK)
        abort ();
    slot->large = self;
    return self;
}

void synod__redis_large_free (synod__redis_slot_t *slot)
{
    if (!slot->large)
        return;
    synod_buf_free (&slot->large->key);
    synod_buf_free (&slot->large->value);
    free (slot->large);
    slot->large = NULL;
}

static synod_str_t s_key (const synod__redis_large_t *self)
{
    return synod_str_n (self->key.data, self->key.size);
}

/* ---- sent ---- */

static void s_send (synod__redis_t *redis, synod__redis_slot_t *slot);

static void s_on_sent (synod__redis_t *redis, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    synod__redis_large_t *self = slot->large;
    (void) out;
    if (rc != SYNOD_OK) {
        synod__redis_failed (slot, rc, message);
        return;
    }
    self->number++;
    s_send (redis, slot);
}

/* The next piece, or when all are there what makes them the value. */
static void s_send (synod__redis_t *redis, synod__redis_slot_t *slot)
{
    synod__redis_large_t *self = slot->large;
    size_t at = (size_t) self->number * SYNOD__KV_PIECE, left = at < self->size ? self->size - at : 0;
    const synod__kv_upload_t in = {
        .upload = self->upload,
        .number = self->number,
        .data = synod_str_n (self->value.data + at, left < SYNOD__KV_PIECE ? left : SYNOD__KV_PIECE)};
    if (left)
        synod__redis_then (redis, slot, SYNOD__REDIS_UPLOAD, s_key (self), &in, s_on_sent);
    else
        synod__redis_then (redis, slot, SYNOD__REDIS_PUT, s_key (self), &self->put, self->on_done);
}

void synod__redis_large_put (synod__redis_t *redis, synod__redis_slot_t *slot, synod_str_t key,
                             const synod__kv_put_t *in)
{
    synod__redis_large_t *self = s_new (slot, key);
    if (synod__buf_add (&self->value, in->data.data, in->data.size) != SYNOD_OK)
        abort ();
    self->on_done = slot->on_done;
    self->upload = (synod_random (redis->ctx) >> 1) | 1;
    self->size = in->data.size;
    self->put = *in;
    self->put.data = synod_str_n (NULL, 0);
    self->put.upload = self->upload;
    self->put.size = self->size;
    s_send (redis, slot);
}

/* ---- read ---- */

static void s_read (synod__redis_t *redis, synod__redis_slot_t *slot);

/* Asked for again after it was replaced. */
static void s_on_again (synod__redis_t *redis, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    const synod__kv_is_t *is = (const synod__kv_is_t *) out;
    synod__redis_large_t *self = slot->large;
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else if (is->found && is->upload) {
        self->upload = is->upload;
        self->size = is->size;
        self->value.size = self->number = 0;
        s_read (redis, slot);
    } else
        synod__resp_bulk (slot->reply, !is->found ? synod_str_n (NULL, 0) : is->data.data ? is->data : synod_str (""));
}

static void s_on_piece (synod__redis_t *redis, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    const synod__kv_piece_is_t *is = (const synod__kv_piece_is_t *) out;
    const synod__kv_get_t get = {0};
    synod__redis_large_t *self = slot->large;
    if (rc == SYNOD_NOT_FOUND && !self->old && ++self->tries < S_TRIES) {
        synod__redis_then (redis, slot, SYNOD__REDIS_GET, s_key (self), &get, s_on_again);
        return;
    }
    if (rc == SYNOD_OK && !is->data.size) {
        rc = SYNOD_NOT_FOUND;
        message = synod_str ("a piece of the value is empty");
    }
    if (rc != SYNOD_OK) {
        synod__redis_failed (slot, rc, message);
        return;
    }
    uint64_t left = self->size - self->value.size; /* the value may have grown since */
    if (synod__buf_add (&self->value, is->data.data, is->data.size < left ? is->data.size : left) != SYNOD_OK)
        abort ();
    self->number++;
    s_read (redis, slot);
}

static void s_read (synod__redis_t *redis, synod__redis_slot_t *slot)
{
    synod__redis_large_t *self = slot->large;
    const synod__kv_piece_t in = {.upload = self->upload, .number = self->number};
    if (self->value.size >= self->size)
        synod__resp_bulk (slot->reply, synod_str_n (self->value.data, self->value.size));
    else
        synod__redis_then (redis, slot, SYNOD__REDIS_PIECE, s_key (self), &in, s_on_piece);
}

void synod__redis_large_get (synod__redis_t *redis, synod__redis_slot_t *slot, uint64_t upload, uint64_t size, bool old)
{
    synod__redis_large_free (slot); /* of a put that asked for the value before */
    synod__redis_large_t *self = s_new (slot, slot->text);
    self->upload = upload;
    self->size = size;
    self->old = old;
    s_read (redis, slot);
}
