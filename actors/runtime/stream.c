/* SPDX-License-Identifier: MPL-2.0
 *
 * Mail to one node, and what is known of mail from it. Out: a box per address, and per commit that it waits for (commit.c),
 * gathers envelopes; at the end of a turn each box whose commit is durable leaves as one frame, numbered in the order of leaving:
 * those of earlier commits first, as what one sender has in them is older than what it has in the others. What ZeroMQ does
 * not take waits in order, up to config.queue_bytes. Invariant: nothing leaves while frames wait, while the
 * stream is blocked, or held for a change of path; so order holds per stream, whatever happens underneath.
 */
#include <assert.h>
#include <stdio.h>
#include "place.h"
#include "settled.h"

synod__stream_t *synod__stream_find (synod__rt_t *rt, synod_str_t node)
{
    synod__stream_t *stream;
    if (rt->last_in && synod_str_same (synod__stream_name (rt->last_in), node))
        return rt->last_in;
    HASH_FIND (hh, rt->streams, node.data, node.size, stream);
    return stream;
}

synod__stream_t *synod__stream_get (synod__rt_t *rt, synod_str_t node)
{
    synod__stream_t *stream = synod__stream_find (rt, node);
    if (stream)
        return stream;
    assert (node.size <= SYNOD_NAME_MAX);
    stream = (synod__stream_t *) synod__alloc (sizeof *stream);
    memcpy (stream->name, node.data, node.size);
    stream->name_size = node.size;
    stream->base = 1;
    stream->used_us = rt->now_us;
    HASH_ADD (hh, rt->streams, name, stream->name_size, stream);
    return stream;
}

void synod__stream_dirty (synod__rt_t *rt, synod__stream_t *stream)
{
    if (stream->dirty)
        return;
    stream->dirty = true;
    rt->dirty = (synod__stream_t **) synod__grow (rt->dirty, &rt->dirty_capacity, rt->ndirty + 1, sizeof *rt->dirty);
    rt->dirty[rt->ndirty++] = stream;
}

void synod__streams_settled (synod__rt_t *rt)
{
    for (uint32_t i = 0; i < rt->nparked; i++) {
        rt->parked[i]->parked = false;
        synod__stream_dirty (rt, rt->parked[i]);
    }
    rt->nparked = 0;
    for (uint32_t i = 0; i < rt->ndirty; i++)
        synod__stream_seal (rt, rt->dirty[i], synod__settled (rt));
}

/* It is flushed when more is durable. */
static void s_park (synod__rt_t *rt, synod__stream_t *stream)
{
    if (stream->parked)
        return;
    stream->parked = true;
    rt->parked =
        (synod__stream_t **) synod__grow (rt->parked, &rt->parked_capacity, rt->nparked + 1, sizeof *rt->parked);
    rt->parked[rt->nparked++] = stream;
}

/* Whoever asks one who tells of an epoch is sent it: clients have none to give. What leaves before it is durable does not
 * tell of it. */
static uint64_t s_epoch (const synod__rt_t *rt, uint64_t wait)
{
    return rt->config.client || (rt->whole && wait < rt->commit) ? 0 : rt->epoch;
}

static synod__box_t *s_box (synod__rt_t *rt, synod__stream_t *stream, synod_str_t address)
{
    synod__box_t *spare = NULL;
    const uint64_t wait = synod__says (rt);
    for (uint32_t i = 0; i < stream->nboxes; i++) {
        synod__box_t *box = stream->boxes[i];
        bool same = box->wait == wait && box->size == address.size;
        if (same && memcmp (box->address, address.data, address.size) == 0) {
            spare = box;
            break;
        }
        if (!box->batch.count)
            spare = box;
    }
    if (!spare) {
        stream->boxes = (synod__box_t **) synod__grow (stream->boxes, &stream->boxes_capacity, stream->nboxes + 1,
                                                       sizeof *stream->boxes);
        spare = stream->boxes[stream->nboxes++] = (synod__box_t *) synod__alloc (sizeof *spare);
    }
    if (!spare->batch.count) {
        memcpy (spare->address, address.data, address.size);
        spare->size = address.size;
        spare->wait = wait;
        if (stream != rt->self)
            synod__wants (rt, wait);
        if (synod__batch_begin (&spare->batch, address, rt->node, rt->config.incarnation, s_epoch (rt, wait)) !=
            SYNOD_OK)
            return NULL;
    }
    return spare;
}

bool synod__stream_full (const synod__rt_t *rt, const synod__stream_t *stream)
{
    return stream->queued >= rt->config.queue_bytes;
}

/* To a broker nothing goes before the hello that follows its connection: who is not known gets its mail back. */
static int s_send (synod__rt_t *rt, const synod__stream_t *stream, synod_buf_t *frame)
{
    bool way = !rt->broker ? stream->link != 0 : stream->link != SYNOD__LINK_BROKER || rt->broker_up;
    return way ? rt->ops->send (rt->host, stream->link, frame) : SYNOD_BUSY;
}

static void s_take_home (synod__rt_t *rt, synod__box_t *box)
{
    synod__local_t *item = rt->local_spare;
    if (item)
        rt->local_spare = item->next;
    else
        item = (synod__local_t *) synod__alloc (sizeof *item);
    synod_buf_t swap = item->frame;
    item->frame = box->batch.buf;
    box->batch.buf = swap;
    item->next = NULL;
    item->wait = box->wait <= synod__settled (rt) ? 0 : box->wait;
    if (rt->local_last)
        rt->local_last->next = item;
    else
        rt->local_first = item;
    rt->local_last = item;
    if (rt->tap)
        synod__rt_tap (rt, synod_str_n (item->frame.data, item->frame.size));
    synod__batch_clear (&box->batch);
}

static void s_let_wait (synod__rt_t *rt, synod__stream_t *stream, synod__box_t *box)
{
    size_t size = box->batch.buf.size;
    synod__waiting_t *waiting = (synod__waiting_t *) synod__alloc (sizeof *waiting);
    waiting->frame = box->batch.buf;
    waiting->wait = box->wait;
    waiting->since_us = rt->now_us;
    memset (&box->batch.buf, 0, sizeof box->batch.buf);
    synod__batch_clear (&box->batch);
    stream->queued += size;
    rt->stats.queued += size;
    if (stream->last)
        stream->last->next = waiting;
    else
        stream->first = waiting;
    stream->last = waiting;
}

/* Sends a box's frame or, where that cannot be, lets it wait. */
static void s_leave (synod__rt_t *rt, synod__stream_t *stream, synod__box_t *box)
{
    bool direct = stream->link != SYNOD__LINK_BROKER;
    if (rt->tap && direct && !rt->config.client)
        synod__rt_tap (rt, synod_str_n (box->batch.buf.data, box->batch.buf.size));
    bool may = !rt->broken && box->wait <= synod__settled (rt);
    if (!stream->first && !stream->blocked && !stream->held && may) {
        if (s_send (rt, stream, &box->batch.buf) == SYNOD_OK) {
            synod__batch_clear (&box->batch);
            return;
        }
        stream->blocked = true;
    }
    s_let_wait (rt, stream, box);
}

/* Numbers a box's frame, and it leaves. What the count brings about is put in a box, which must not be this one. */
static void s_seal_box (synod__rt_t *rt, synod__stream_t *stream, synod__box_t *box)
{
    bool local = stream == rt->self;
    uint32_t messages = box->batch.count;
    uint64_t number = local || stream == rt->broker ? 0 : ++stream->sent;
    synod__batch_number (&box->batch, number);
    stream->used_us = rt->now_us;
    if (number)
        stream->marks = 3;
    rt->stats.sent += messages;
    if (local)
        s_take_home (rt, box);
    else {
        s_leave (rt, stream, box);
        synod__links_count (rt, stream, messages);
    }
}

void synod__stream_seal (synod__rt_t *rt, synod__stream_t *stream, uint64_t settled)
{
    uint64_t least = 0, next;
    do { /* those that wait for LEAST, the earliest first */
        next = UINT64_MAX;
        for (uint32_t i = 0; i < stream->nboxes; i++) {
            synod__box_t *box = stream->boxes[i];
            if (!box->batch.count)
                continue;
            if (box->wait <= least)
                s_seal_box (rt, stream, box);
            else if (box->wait < next)
                next = box->wait;
        }
        least = next;
    } while (next <= settled && next != UINT64_MAX);
}

static synod__box_t *s_room (synod__rt_t *rt, synod__stream_t *stream, synod_str_t address, size_t more)
{
    if (synod__stream_full (rt, stream))
        return NULL;
    synod__box_t *box = s_box (rt, stream, address);
    if (box && box->batch.count &&
        (box->batch.buf.size + more > SYNOD_BATCH_TARGET || box->batch.count >= SYNOD_ENVELOPES_MAX)) {
        synod__stream_seal (rt, stream, box->wait); /* what is earlier goes before it */
        box = s_box (rt, stream, address);
    }
    synod__stream_dirty (rt, stream);
    return box;
}

int synod__stream_put (synod__rt_t *rt, synod__stream_t *stream, synod_str_t address, const synod_envelope_t *env)
{
    synod__box_t *box = s_room (rt, stream, address, env->body.size + 256);
    return box ? synod__batch_add (&box->batch, env) : SYNOD_BUSY;
}

int synod__stream_put_record (synod__rt_t *rt, synod__stream_t *stream, synod_str_t address,
                              const synod_envelope_t *env, const synod_record_t *record, const void *rec)
{
    synod__box_t *box = s_room (rt, stream, address, 256);
    return box ? synod__batch_add_record (&box->batch, env, record, rec, NULL) : SYNOD_BUSY;
}

static void s_unwait (synod__rt_t *rt, synod__stream_t *stream)
{
    synod__waiting_t *waiting = stream->first;
    stream->first = waiting->next;
    if (!stream->first)
        stream->last = NULL;
    synod_buf_free (&waiting->frame);
    free (waiting);
    (void) rt;
}

void synod__stream_flush (synod__rt_t *rt, synod__stream_t *stream)
{
    const uint64_t settled = synod__settled (rt);
    while (stream->first && stream->first->wait <= settled && !stream->blocked && !stream->held && !rt->broken) {
        if (!stream->link && !rt->config.brokered)
            return;
        size_t size = stream->first->frame.size;
        if (s_send (rt, stream, &stream->first->frame) != SYNOD_OK) {
            stream->blocked = true;
            break;
        }
        stream->queued -= size;
        rt->stats.queued -= size;
        s_unwait (rt, stream);
    }
    synod__stream_seal (rt, stream, settled);
    bool waits = stream->first && stream->first->wait > settled;
    for (uint32_t i = 0; i < stream->nboxes && !waits; i++)
        waits = stream->boxes[i]->batch.count && stream->boxes[i]->wait > settled;
    if (waits) {
        s_park (rt, stream);
        if (stream == rt->self)
            synod__wants (rt, rt->commit); /* mail for which this turn had no time */
    }
    synod__links_turn (rt, stream);
}

bool synod__stream_ahead (const synod__rt_t *rt, const synod__stream_t *stream)
{
    for (uint32_t i = 0; i < stream->nboxes; i++)
        if (stream->boxes[i]->wait <= rt->durable && stream->boxes[i]->batch.count)
            return true;
    return false;
}

void synod__stream_reset (synod__rt_t *rt, synod__stream_t *stream, int code, const char *message)
{
    synod__stream_seal (rt, stream, UINT64_MAX);
    while (stream->first) {
        synod__waiting_t *waiting = stream->first;
        stream->queued -= waiting->frame.size;
        rt->stats.queued -= waiting->frame.size;
        synod__frame_fail (rt, waiting->frame.data, waiting->frame.size, code, message);
        s_unwait (rt, stream);
    }
    stream->blocked = false;
    stream->held = false;
    stream->marks = 0;
}

synod_str_t synod__control_address (const synod__rt_t *rt, const synod__stream_t *stream, char *out)
{
    synod_str_t name = synod__stream_name (stream);
    return stream == rt->broker ? name
                                : synod__address_join (name, synod_str (SYNOD_NODE_ACTOR), out, SYNOD__CONTROL_MAX);
}

void synod__stream_mark (synod__rt_t *rt, synod__stream_t *stream)
{
    if (!stream->marks || !stream->sent || stream->first || stream->held || stream->blocked || rt->broken)
        return;
    stream->marks--;
    char address[SYNOD__CONTROL_MAX];
    /* which incarnation a peer outside the directory is in now is not known, nor then what it should have seen */
    synod_envelope_t env = {.kind = SYNOD_KIND_MARK, .id = stream->peer ? stream->base : 0};
    synod__batch_t *batch = &rt->answer;
    if (synod__batch_begin (batch, synod__control_address (rt, stream, address), rt->node, rt->config.incarnation,
                            s_epoch (rt, 0)) != SYNOD_OK ||
        synod__batch_add (batch, &env) != SYNOD_OK)
        return;
    synod__batch_number (batch, stream->sent);
    s_send (rt, stream, &batch->buf);
    synod__batch_clear (batch);
}

void synod__stream_free (synod__rt_t *rt, synod__stream_t *stream)
{
    if (rt->last_in == stream)
        rt->last_in = NULL;
    HASH_DEL (rt->streams, stream);
    while (stream->first)
        s_unwait (rt, stream);
    for (uint32_t i = 0; i < stream->nboxes; i++) {
        synod__batch_free (&stream->boxes[i]->batch);
        free (stream->boxes[i]);
    }
    free (stream->boxes);
    free (stream);
}

/* The frame is this node's own, so its ids are too. */
void synod__frame_fail (synod__rt_t *rt, const void *data, size_t size, int code, const char *message)
{
    synod_frame_t frame;
    synod_envelope_t env;
    uint64_t lost = 0;
    if (synod__frame_open (&frame, data, size, NULL) != SYNOD_OK || !synod_str_same (frame.node, rt->node) ||
        frame.incarnation != rt->config.incarnation)
        return;
    while (synod__frame_next (&frame, &env, NULL) == SYNOD_OK) {
        synod__ask_t *ask = env.kind == SYNOD_KIND_ASK ? synod__ask_find (rt, env.id) : NULL;
        if (env.from.data && memchr (env.from.data, '/', env.from.size))
            synod__keyed_returned (rt, &env, code, message);
        else if (ask) {
            synod__event_ask (rt, ask, code, message);
        } else if (env.kind != SYNOD_KIND_MARK && env.kind != SYNOD_KIND_ASK)
            lost++;
    }
    /* the framework's own mail is not the user's loss */
    synod_address_t address;
    bool control = synod__address_parse (frame.address, &address, NULL) == SYNOD_OK && address.actor.size &&
                   address.actor.data[0] == '$';
    if (lost && !control)
        synod__drop (rt, rt->node, frame.address, message, lost);
}

void synod__control_tell (synod__rt_t *rt, synod__stream_t *stream, const synod_record_t *record, const void *rec)
{
    char address[SYNOD__CONTROL_MAX];
    synod_envelope_t env = {.kind = SYNOD_KIND_TELL, .method = synod_str_n (record->name, record->name_size)};
    synod__stream_put_record (rt, stream, synod__control_address (rt, stream, address), &env, record, rec);
}
