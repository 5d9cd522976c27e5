/* SPDX-License-Identifier: MPL-2.0
 *
 * Commands on many keys. An operation's bytes are written once, into the batch in which it was begun; if all of that goes
 * to one node it leaves as it is, else it is handed out to a batch for each. Outcomes are read from the answer's copy when
 * they are given out.
 *
 * Invariants: an operation is begun, under way, over or given out, in this order; a batch is free when all of its own are
 * given out and its answer has come; the floor is at the lowest number under way.
 */
#include "client.h"
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>
#include "actors/runtime/memory.h"
#include "mutants.h"
#include "protocol/text.h"

#define S_OPS         512
#define S_PATIENCE_MS 1000 /* what may be sent again waits so long for an answer with the others */
#define S_FEW         8 /* commands of one node: each asked by itself, as the answer to several waits for the slowest */

static const synod_record_t *const s_records[SYNOD__KVC_KINDS] = {
    [SYNOD__KVC_GET] = &synod__kv_get_record,       [SYNOD__KVC_GET_STALE] = &synod__kv_get_stale_record,
    [SYNOD__KVC_PUT] = &synod__kv_put_record,       [SYNOD__KVC_DELETE] = &synod__kv_delete_record,
    [SYNOD__KVC_INCR] = &synod__kv_incr_record,     [SYNOD__KVC_APPEND] = &synod__kv_append_record,
    [SYNOD__KVC_EXPIRE] = &synod__kv_expire_record,
};

static bool s_reads (const synod__kvc_op_t *op)
{
    return op->kind <= SYNOD__KVC_GET_STALE;
}

/* ---- batches ---- */

static synod__kvc_batch_t *s_batch (synod__kvc_t *self, bool one)
{
    synod__kvc_batch_t **spare = one ? &self->spare_one : &self->spare, *batch = *spare;
    uint32_t room = one ? 1 : S_OPS;
    if (batch)
        *spare = batch->next;
    else {
        batch = (synod__kvc_batch_t *) synod__alloc (sizeof *batch + room * sizeof batch->ops[0]);
        batch->room = room;
        batch->owner = self;
        DL_APPEND2 (self->all, batch, all_prev, all_next);
    }
    batch->next = NULL;
    batch->count = batch->held = 0;
    batch->under_way = 0;
    batch->node = NULL;
    batch->answers.size = 0;
    if (synod__many_begin (&batch->asks) != SYNOD_OK)
        abort ();
    return batch;
}

static void s_free_if (synod__kvc_t *self, synod__kvc_batch_t *batch)
{
    if (batch->held || batch->under_way)
        return;
    synod__kvc_batch_t **spare = batch->room == 1 ? &self->spare_one : &self->spare;
    batch->next = *spare;
    *spare = batch;
}

static bool s_fits (const synod__kvc_batch_t *batch, size_t size, uint32_t timeout_ms)
{
    return batch->count < batch->room && batch->timeout_ms == timeout_ms &&
           (!batch->count || batch->asks.size + size <= SYNOD__MANY_BYTES);
}

/* Appends OF, of which all but where it is has been filled in. */
static synod__kvc_op_t *s_append (synod__kvc_batch_t *batch, const synod__kvc_op_t *of, synod_str_t key,
                                  synod_str_t body)
{
    const synod_record_t *record = s_records[of->kind];
    synod_str_t method = synod_str_n (record->name, record->name_size);
    synod__kvc_op_t *op = &batch->ops[batch->count++];
    *op = *of;
    op->batch = batch;
    batch->held++;
    if (synod__many_ask (&batch->asks, key, method, body, op->number_at ? &op->number_at : NULL) != SYNOD_OK)
        abort ();
    op->body_size = body.size;
    op->body_at = (uint32_t) batch->asks.size - (body.size ? body.size : 1);
    op->key_at = op->body_at - (op->number_at ? 9 : 1) - 1 - method.size - key.size;
    if (op->number_at && op->number)
        synod__many_number (&batch->asks, op->number_at, op->number);
    return op;
}

static synod_str_t s_body (const synod__kvc_op_t *op)
{
    return synod_str_n (op->body_size ? op->batch->asks.data + op->body_at : NULL, op->body_size);
}

/* ---- commands that may be sent again ---- */

static void s_floor (synod__kvc_t *self, synod_ctx_t *ctx)
{
    uint64_t number = self->commands && !SYNOD__KV_MUTANT (MANY_NO_FLOOR) ? self->commands->number : 0;
    if (number && !self->floor.number)
        synod__ctx_floor_add (ctx, &self->floor);
    else if (!number && self->floor.number)
        synod__ctx_floor_remove (ctx, &self->floor);
    self->floor.number = number;
}

static void s_over (synod__kvc_t *self, synod__kvc_op_t *op, int code, synod_str_t text)
{
    synod__kvc_batch_t *batch = op->batch;
    if (op->over)
        return;
    if (op->number)
        DL_DELETE (self->commands, op);
    op->over = true;
    op->code = code;
    op->next = NULL;
    /* an answer that came with others lies where they are kept already */
    bool there = batch->answers.size && text.data >= batch->answers.data &&
                 text.data < batch->answers.data + batch->answers.size;
    op->text_at = (uint32_t) (there ? text.data - batch->answers.data : (ptrdiff_t) batch->answers.size);
    op->text_size = text.size;
    if (!there && text.size && synod__buf_add (&batch->answers, text.data, text.size) != SYNOD_OK)
        abort ();
    self->nunder_way--;
    if (op->apart)
        return;
    *(self->over ? &self->over_last->next : &self->over) = op;
    self->over_last = op;
    self->nover++;
}

/* ---- alone ---- */

static void s_idle (synod__kvc_t *self)
{
    if (!self->nunder_way && self->on_idle)
        self->on_idle (self->on_idle_arg);
}

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    synod__kvc_batch_t *batch = (synod__kvc_batch_t *) (uintptr_t) arg;
    synod__kvc_t *self = batch->owner;
    (void) state;
    batch->under_way--;
    s_over (self, &batch->ops[0], reply->code, reply->code == SYNOD_OK ? reply->body : reply->message);
    s_free_if (self, batch);
    s_floor (self, ctx);
    s_idle (self);
    return SYNOD_OK;
}

static uint32_t s_left_ms (const synod_ctx_t *ctx, int64_t until_us)
{
    int64_t left_us = until_us - synod_now_us (ctx);
    return left_us > 0 ? (uint32_t) ((left_us + 999) / 1000) : 0;
}

/* OP goes on in a batch of its own; it is over if it cannot. */
static void s_alone (synod__kvc_t *self, synod_ctx_t *ctx, synod__kvc_op_t *op, int64_t until_us)
{
    char to[SYNOD_ADDRESS_MAX + 1];
    uint32_t left_ms = s_left_ms (ctx, until_us);
    const synod_record_t *record = s_records[op->kind];
    synod_str_t key = synod__kvc_key (op);
    if (!left_ms) {
        s_over (self, op, SYNOD_TIMEOUT, synod_str ("no answer in time"));
        return;
    }
    synod__kvc_batch_t *old = op->batch, *batch = op->apart || old->room == 1 ? NULL : s_batch (self, true);
    if (batch) {
        synod__kvc_op_t *moved = s_append (batch, op, key, s_body (op));
        if (op->number) {
            DL_REPLACE_ELEM (self->commands, op, moved);
        }
        old->held--;
        op->over = true; /* here it is no more */
        op = moved;
        key = synod__kvc_key (op);
    } else
        batch = old; /* its caller has a pointer to it, and it is alone there */
    snprintf (to, sizeof to, "%s#%.*s", self->actor, SYNOD_STR (key));
    uint32_t flags = (s_reads (op) || self->once ? record->flags : 0) | (op->taken ? SYNOD__AGAIN : 0);
    if (SYNOD__KV_MUTANT (MANY_UNNUMBERED) && op->number)
        op->number = synod__ctx_number (ctx);
    int rc = synod__ctx_ask_as (ctx, to, synod_str_n (record->name, record->name_size), s_body (op), flags, op->number,
                                left_ms, s_on_reply, (uintptr_t) batch);
    if (rc == SYNOD_OK)
        batch->under_way++;
    else {
        s_over (self, op, rc, synod_str (synod_error_meaning (rc)));
        s_free_if (self, batch);
    }
}

/* It is as if it had not been sent. */
static bool s_nothing_done (int code)
{
    return code == SYNOD_NO_ROUTE || code == SYNOD_BUSY || code == SYNOD_NO_METHOD;
}

/* Whether it is so, or it may be sent twice. */
static bool s_again (const synod__kvc_t *self, const synod__kvc_op_t *op, int code)
{
    if (s_nothing_done (code))
        return true;
    bool lost = code == SYNOD_NODE_DOWN || code == SYNOD_STOPPED || code == SYNOD_TIMEOUT;
    return lost && (s_reads (op) || (self->once && op->number));
}

/* ---- with others ---- */

static void s_answer (synod__kvc_t *self, synod__kvc_batch_t *batch, const synod__many_answer_t *answer)
{
    uint32_t at = SYNOD__KV_MUTANT (MANY_MIXED) ? batch->count - 1 - answer->at : answer->at;
    synod__kvc_op_t *op = at < batch->count ? &batch->ops[at] : NULL;
    if (!op || op->over || op->alone)
        return;
    int code = answer->kind == SYNOD__MANY_ERROR ? synod_error_code (answer->error.data, answer->error.size) : SYNOD_OK;
    /* who says so has not done it, or has done it by its number */
    if (answer->kind == SYNOD__MANY_ALONE || (code != SYNOD_OK && s_again (self, op, code))) {
        op->alone = true; /* later: what is read here must stay where it is */
        op->taken = !s_nothing_done (code);
    } else
        s_over (self, op, code, answer->body);
}

static int s_on_answers (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    synod__kvc_batch_t *batch = (synod__kvc_batch_t *) (uintptr_t) arg;
    synod__kvc_t *self = batch->owner;
    synod__many_reader_t reader;
    synod__many_answer_t answer;
    synod_fault_t fault = {0};
    (void) state;
    int code = reply->code;
    synod_str_t why = reply->message;
    if (code == SYNOD_OK) {
        batch->answers.size = 0;
        if (synod__buf_add (&batch->answers, reply->body.data, reply->body.size) != SYNOD_OK)
            abort ();
        synod_str_t body = synod_str_n (batch->answers.data, batch->answers.size);
        code = synod__many_answers_open (&reader, body, &fault);
        while (code == SYNOD_OK && synod__many_answers_next (&reader, &answer))
            s_answer (self, batch, &answer);
        why = synod_str (code == SYNOD_OK ? "the answer to several does not tell of this one" : fault.text);
        code = code == SYNOD_OK ? SYNOD_FAILED : code;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        synod__kvc_op_t *op = &batch->ops[i];
        bool again = !op->over && (op->alone || s_again (self, op, code));
        op->taken |= again && !op->alone && !s_nothing_done (code);
        if (again)
            s_alone (self, ctx, op, batch->until_us);
        else if (!op->over)
            s_over (self, op, code, why);
    }
    batch->under_way--;
    s_free_if (self, batch);
    s_floor (self, ctx);
    s_idle (self);
    return SYNOD_OK;
}

static void s_leave (synod__kvc_t *self, synod_ctx_t *ctx, synod__kvc_batch_t *batch)
{
    char to[2 * SYNOD_NAME_MAX + 2];
    bool again = true;
    batch->until_us = synod_now_us (ctx) + (int64_t) batch->timeout_ms * 1000;
    for (uint32_t i = 0; i < batch->count; i++)
        again &= s_again (self, &batch->ops[i], SYNOD_TIMEOUT);
    uint32_t timeout_ms = again && batch->timeout_ms > S_PATIENCE_MS ? S_PATIENCE_MS : batch->timeout_ms;
    if (batch->node && batch->count > self->few) {
        s_floor (self, ctx);
        synod__many_end (&batch->asks, batch->count, self->once ? synod__ctx_client (ctx) : 0,
                         self->once ? synod__ctx_floor (ctx) : 0);
        snprintf (to, sizeof to, "%s/%s", batch->node, self->actor);
        int rc = synod__ctx_ask_many (ctx, to, synod_str_n (batch->asks.data, batch->asks.size), timeout_ms,
                                      s_on_answers, (uintptr_t) batch);
        if (rc == SYNOD_OK) {
            batch->under_way++;
            return;
        }
    }
    s_floor (self, ctx);
    batch->under_way++; /* until all of it has been looked at */
    for (uint32_t i = 0; i < batch->count; i++)
        if (!batch->ops[i].over)
            s_alone (self, ctx, &batch->ops[i], batch->until_us);
    batch->under_way--;
    s_free_if (self, batch);
}

/* Sends BATCH, or what of it goes to each node. */
static void s_send (synod__kvc_t *self, synod_ctx_t *ctx, synod__kvc_batch_t *batch)
{
    synod__kvc_batch_t *parts = NULL, *part, *next;
    const char *first = NULL;
    bool same = true;
    for (uint32_t i = 0; i < batch->count; i++) {
        const char *node = synod__ctx_keyed (ctx, self->actor, synod__kvc_key (&batch->ops[i]));
        first = i ? first : node;
        same &= node == first;
    }
    batch->node = first;
    if (same || batch->room == 1) {
        s_leave (self, ctx, batch);
        return;
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        synod__kvc_op_t *op = &batch->ops[i];
        const char *node = synod__ctx_keyed (ctx, self->actor, synod__kvc_key (op));
        for (part = parts; part && part->node != node; part = part->next)
            continue;
        if (!part) {
            part = s_batch (self, false);
            part->timeout_ms = batch->timeout_ms;
            part->node = node;
            LL_PREPEND (parts, part);
        }
        synod__kvc_op_t *moved = s_append (part, op, synod__kvc_key (op), s_body (op));
        if (op->number) {
            DL_REPLACE_ELEM (self->commands, op, moved);
        }
    }
    batch->held = 0;
    s_free_if (self, batch);
    for (part = parts; part; part = next) {
        next = part->next;
        part->next = NULL;
        s_leave (self, ctx, part);
    }
}

void synod__kvc_send (synod__kvc_t *self, synod_ctx_t *ctx)
{
    for (synod__kvc_batch_t *batch = self->fresh; batch; batch = batch->next)
        for (uint32_t i = 0; i < batch->count; i++) {
            synod__kvc_op_t *op = &batch->ops[i];
            if (!op->number_at)
                continue;
            op->number = synod__ctx_number (ctx);
            synod__many_number (&batch->asks, op->number_at, op->number);
            DL_APPEND (self->commands, op);
        }
    self->nunder_way += self->nfresh;
    self->nfresh = 0;
    while (self->fresh) {
        synod__kvc_batch_t *batch = self->fresh;
        self->fresh = batch->next;
        batch->next = NULL;
        s_send (self, ctx, batch);
    }
}

/* ---- life ---- */

void synod__kvc_init (synod__kvc_t *self, const char *actor, bool once)
{
    memset (self, 0, sizeof *self);
    snprintf (self->actor, sizeof self->actor, "%s", actor);
    self->once = once;
    self->few = once ? S_FEW : 0;
}

void synod__kvc_free (synod__kvc_t *self, synod_ctx_t *ctx)
{
    if (self->floor.number && ctx)
        synod__ctx_floor_remove (ctx, &self->floor);
    while (self->all) {
        synod__kvc_batch_t *batch = self->all;
        DL_DELETE2 (self->all, batch, all_prev, all_next);
        synod_buf_free (&batch->asks);
        synod_buf_free (&batch->answers);
        free (batch);
    }
    synod_buf_free (&self->body);
    memset (self, 0, sizeof *self);
}

/* ---- operations ---- */

int synod__kvc_begin (synod__kvc_t *self, synod__kvc_kind_t kind, synod_str_t key, const void *in, uint32_t timeout_ms,
                      uint64_t tag, bool apart, synod__kvc_op_t **out, synod_fault_t *fault)
{
    if (!key.data || !key.size || key.size > SYNOD_KEY_MAX || !synod__text_printable (key.data, key.size))
        return synod_fault (fault, SYNOD_INVALID, "expected a key of 1 to %d bytes of printable UTF-8, got %u bytes",
                            SYNOD_KEY_MAX, key.size);
    self->body.size = 0;
    int rc = synod_record_pack (s_records[kind], in, &self->body, fault);
    if (rc != SYNOD_OK)
        return rc;
    synod_str_t body = synod_str_n (self->body.data, self->body.size);
    synod__kvc_batch_t *batch = apart ? NULL : self->fresh_last;
    if (!self->fresh || !batch || !s_fits (batch, body.size + key.size, timeout_ms)) {
        batch = s_batch (self, apart);
        batch->timeout_ms = timeout_ms;
        if (self->fresh && self->fresh_last)
            self->fresh_last->next = batch;
        else
            self->fresh = batch;
        self->fresh_last = batch;
    }
    const synod__kvc_op_t as = {.tag = tag,
                                .key_size = (uint16_t) key.size,
                                .kind = (uint8_t) kind,
                                .apart = apart,
                                .number_at = self->once && kind > SYNOD__KVC_GET_STALE,
                                .timeout_ms = timeout_ms};
    synod__kvc_op_t *op = s_append (batch, &as, key, body);
    self->nfresh++;
    if (out)
        *out = op;
    return SYNOD_OK;
}

void synod__kvc_release (synod__kvc_t *self, synod__kvc_op_t *op)
{
    op->batch->held--;
    s_free_if (self, op->batch);
}

synod__kvc_op_t *synod__kvc_next (synod__kvc_t *self)
{
    if (self->given)
        synod__kvc_release (self, self->given);
    synod__kvc_op_t *op = self->given = self->over;
    if (!op)
        return NULL;
    self->over = op->next;
    self->nover--;
    return op;
}

int synod__kvc_outcome (const synod__kvc_op_t *op, synod__kv_is_t *is, synod_str_t *sentence)
{
    synod_str_t text = synod_str_n (op->batch->answers.data + op->text_at, op->text_size);
    *sentence = text;
    if (op->code != SYNOD_OK)
        return op->code;
    *sentence = synod_str_n (NULL, 0);
    int rc = synod_record_unpack (&synod__kv_is_record, text, is, NULL);
    if (rc != SYNOD_OK)
        *sentence = synod_str ("the answer is none");
    return rc;
}
