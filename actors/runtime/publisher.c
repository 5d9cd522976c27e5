/* SPDX-License-Identifier: MPL-2.0
 *
 * Publications: per topic a batch that grows, frames that wait in order, and the number of the last one. Numbers run
 * on for as long as the topic is in use; a topic unused for S_IDLE_MARKS marks is forgotten, and begins at 1 again.
 */
#include <stdio.h>
#include "internal.h"

#define S_IDLE_MARKS 120

typedef struct s_frame {
    struct s_frame *next;
    uint64_t wait; /* the commit that it waits for */
    synod_buf_t buf;
} s_frame_t;

typedef struct s_topic {
    UT_hash_handle hh;
    struct s_topic *next; /* of those with something to send */
    bool dirty;
    synod__batch_t batch;
    uint64_t wait; /* of the batch */
    s_frame_t *first, *last;
    uint64_t number;
    uint32_t marks, idle;
    uint32_t size;
    char name[];
} s_topic_t;

struct synod__publisher_t {
    synod_str_t node;
    uint64_t incarnation;
    s_topic_t *topics;
    s_topic_t *last; /* the one used last */
    s_topic_t *dirty_first, *dirty_last;
    size_t waiting;
    size_t fullest;
    uint64_t wait; /* what is added waits for */
    char name[SYNOD_NAME_MAX + 1];
};

synod__publisher_t *synod__publisher_new (const char *node, uint64_t incarnation)
{
    synod__publisher_t *self = (synod__publisher_t *) synod__alloc (sizeof *self);
    snprintf (self->name, sizeof self->name, "%s", node);
    self->node = synod_str (self->name);
    self->incarnation = incarnation;
    return self;
}

static void s_topic_free (synod__publisher_t *self, s_topic_t *topic)
{
    if (self->last == topic)
        self->last = NULL;
    HASH_DEL (self->topics, topic);
    while (topic->first) {
        s_frame_t *frame = topic->first;
        topic->first = frame->next;
        synod_buf_free (&frame->buf);
        free (frame);
    }
    synod__batch_free (&topic->batch);
    free (topic);
}

void synod__publisher_destroy (synod__publisher_t **self_p)
{
    synod__publisher_t *self = *self_p;
    if (!self)
        return;
    while (self->topics)
        s_topic_free (self, self->topics);
    free (self);
    *self_p = NULL;
}

static s_topic_t *s_topic (synod__publisher_t *self, synod_str_t name)
{
    s_topic_t *topic = self->last;
    if (topic && topic->size == name.size && memcmp (topic->name, name.data, name.size) == 0)
        return topic;
    HASH_FIND (hh, self->topics, name.data, name.size, topic);
    if (!topic) {
        topic = (s_topic_t *) synod__alloc (sizeof *topic + name.size + 1);
        topic->size = name.size;
        memcpy (topic->name, name.data, name.size);
        HASH_ADD_KEYPTR (hh, self->topics, topic->name, name.size, topic);
    }
    return self->last = topic;
}

static void s_seal (synod__publisher_t *self, s_topic_t *topic)
{
    s_frame_t *frame = (s_frame_t *) synod__alloc (sizeof *frame);
    synod__batch_number (&topic->batch, ++topic->number);
    topic->marks = 3;
    frame->wait = topic->wait;
    frame->buf = topic->batch.buf;
    memset (&topic->batch.buf, 0, sizeof topic->batch.buf);
    synod__batch_clear (&topic->batch);
    if (topic->last)
        topic->last->next = frame;
    else
        topic->first = frame;
    topic->last = frame;
    self->fullest = SYNOD_BATCH_TARGET;
}

void synod__publisher_waits (synod__publisher_t *self, uint64_t commit)
{
    self->wait = commit;
}

void synod__publisher_seal (synod__publisher_t *self)
{
    for (s_topic_t *topic = self->dirty_first; topic; topic = topic->next)
        if (topic->batch.count && topic->wait)
            s_seal (self, topic);
}

int synod__publisher_add (synod__publisher_t *self, synod_str_t name, synod_str_t from, uint64_t trace,
                          const synod_record_t *record, const void *in, synod_str_t method, synod_str_t body,
                          size_t limit, synod_fault_t *fault)
{
    if (self->waiting >= limit)
        return synod_fault (fault, SYNOD_BUSY, "%zu bytes wait to be published already", self->waiting);
    s_topic_t *topic = s_topic (self, name);
    synod__batch_t *batch = &topic->batch;
    size_t more = body.size + 128;
    if (batch->count && (batch->buf.size + more > SYNOD_BATCH_TARGET || batch->count >= SYNOD_ENVELOPES_MAX))
        s_seal (self, topic);
    int rc = SYNOD_OK;
    if (!batch->count)
        rc = synod__batch_begin (batch, name, self->node, self->incarnation, 0);
    size_t before = batch->count ? batch->buf.size : 0;
    synod_envelope_t env = {.kind = SYNOD_KIND_PUBLISH, .method = method, .from = from, .trace = trace, .body = body};
    if (rc == SYNOD_OK && record) {
        env.method = synod_str_n (record->name, record->name_size);
        rc = synod__batch_add_record (batch, &env, record, in, fault);
        if (rc == SYNOD_TOO_LARGE && batch->count) { /* it did not fit behind the others: alone, then */
            s_seal (self, topic);
            before = 0;
            rc = synod__batch_begin (batch, name, self->node, self->incarnation, 0);
            if (rc == SYNOD_OK)
                rc = synod__batch_add_record (batch, &env, record, in, fault);
        }
    } else if (rc == SYNOD_OK)
        rc = synod__batch_add (batch, &env);
    if (rc != SYNOD_OK)
        return fault && fault->code == rc ? rc : synod_fault (fault, rc, "%s", synod_error_meaning (rc));
    topic->wait = before && topic->wait > self->wait ? topic->wait : self->wait;
    self->waiting += batch->buf.size - before;
    if (batch->buf.size > self->fullest)
        self->fullest = batch->buf.size;
    topic->idle = 0;
    if (topic->dirty)
        return SYNOD_OK;
    topic->dirty = true;
    topic->next = NULL;
    if (self->dirty_last)
        self->dirty_last->next = topic;
    else
        self->dirty_first = topic;
    self->dirty_last = topic;
    return SYNOD_OK;
}

size_t synod__publisher_waiting (const synod__publisher_t *self, size_t *fullest)
{
    if (fullest)
        *fullest = self->fullest;
    return self->waiting;
}

/* What of TOPIC may leave. */
static int s_flush (synod__publisher_t *self, s_topic_t *topic, uint64_t settled, synod__publisher_send_t *send,
                    void *arg)
{
    while (topic->first && topic->first->wait <= settled) {
        s_frame_t *frame = topic->first;
        size_t size = frame->buf.size;
        int rc = send (arg, &frame->buf);
        if (rc != SYNOD_OK)
            return rc;
        self->waiting -= size;
        topic->first = frame->next;
        if (!topic->first)
            topic->last = NULL;
        synod_buf_free (&frame->buf);
        free (frame);
    }
    if (topic->first || !topic->batch.count || topic->wait > settled)
        return SYNOD_OK;
    size_t size = topic->batch.buf.size;
    synod__batch_number (&topic->batch, topic->number + 1);
    int rc = send (arg, &topic->batch.buf);
    if (rc != SYNOD_OK)
        return rc; /* stays open, and grows */
    topic->number++;
    topic->marks = 3;
    self->waiting -= size;
    synod__batch_clear (&topic->batch);
    return SYNOD_OK;
}

int synod__publisher_flush (synod__publisher_t *self, uint64_t settled, synod__publisher_send_t *send, void *arg)
{
    s_topic_t **at = &self->dirty_first, *last = NULL;
    while (*at) {
        s_topic_t *topic = *at;
        int rc = s_flush (self, topic, settled, send, arg);
        if (rc != SYNOD_OK)
            return rc;
        if (topic->first || topic->batch.count) {
            last = topic;
            at = &topic->next;
            continue;
        }
        topic->dirty = false;
        *at = topic->next;
    }
    self->dirty_last = last;
    if (!last)
        self->fullest = 0;
    return SYNOD_OK;
}

void synod__publisher_mark (synod__publisher_t *self, synod__publisher_send_t *send, void *arg)
{
    s_topic_t *topic, *next;
    synod_envelope_t env = {.kind = SYNOD_KIND_MARK};
    synod__batch_t batch = {0};
    HASH_ITER (hh, self->topics, topic, next)
    {
        if (topic->dirty)
            continue;
        if (++topic->idle > S_IDLE_MARKS) {
            s_topic_free (self, topic);
            continue;
        }
        if (!topic->marks)
            continue;
        if (synod__batch_begin (&batch, synod_str_n (topic->name, topic->size), self->node, self->incarnation, 0) ||
            synod__batch_add (&batch, &env))
            break;
        synod__batch_number (&batch, topic->number);
        if (send (arg, &batch.buf) != SYNOD_OK)
            break;
        topic->marks--;
    }
    synod__batch_free (&batch);
}
