/* SPDX-License-Identifier: MPL-2.0
 *
 * The handle's asks and tells. The runtime sees to each ask's own deadline; the waits here go a little beyond it, so
 * that what the caller gets is the runtime's answer in all but freak cases. Invariant: under_way asks have a slot each
 * in replies.
 */
#include "handle_internal.h"

#define BEYOND_US 500000

typedef struct {
    synod_handle_t *handle; /* the actor's state begins with it */
} state_t;

/* What a call sends: from a record, or a body. */
typedef struct {
    const char *to;
    const synod_record_t *record;
    const void *in;
    synod_str_t method, body;
    uint32_t flags; /* as of a record */
} letter_t;

static const synod_str_t s_absent = {NULL, 0};

static int s_check (synod_handle_t *self, const letter_t *letter)
{
    if (!letter->to)
        return synod__handle_fail (self, SYNOD_INVALID, "expected an address, got NULL");
    if (!letter->record && !letter->method.data)
        return synod__handle_fail (self, SYNOD_INVALID, "expected a record or a method, got NULL");
    return SYNOD_OK;
}

static letter_t s_record (const char *to, const synod_record_t *record, const void *in)
{
    return (letter_t){.to = to, .record = record, .in = in};
}

static letter_t s_body (const char *to, const char *method, synod_str_t body, uint32_t flags)
{
    synod_str_t name = method ? synod_str (method) : s_absent;
    return (letter_t){.to = to, .method = name, .body = body, .flags = flags};
}

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    synod_handle_t *self = ((state_t *) state)->handle;
    (void) ctx;
    bool waited = arg == self->waited;
    /* an ask whose caller has stopped waiting: wait never gives it back */
    if (!waited && (arg & 1))
        return SYNOD_OK;
    synod__queue_t *queue = waited ? &self->answer : &self->replies;
    synod__queued_t item = {
        .number = arg, .code = reply->code, .text = {reply->error, reply->message, reply->from, reply->body}};
    if (synod__queue_put (queue, &item) != SYNOD_OK) {
        synod__queued_t poor = {.number = arg, .code = SYNOD_NO_MEMORY};
        poor.text[0] = synod_str_n ("", 0);
        synod__queue_put (queue, &poor); /* its slot is there, and it has no texts */
    }
    return SYNOD_OK;
}

/* Ids of asks that are waited for are odd, the others even. */
static int s_stage (synod_handle_t *self, const letter_t *letter, uint32_t timeout_ms, bool waited, uint64_t *id)
{
    synod_ctx_t *ctx = synod__handle_enter (self);
    if (!ctx) {
        synod__handle_end (self);
        return synod__handle_fail (self, SYNOD_STOPPED, "handle %s has left the bus", synod_handle_name (self));
    }
    *id = self->last_id + 2 - (self->last_id & 1) + (waited ? 1 : 0);
    int rc = letter->record ? synod_ask (ctx, letter->to, letter->record, letter->in, timeout_ms, s_on_reply, *id)
                            : synod_ask_body (ctx, letter->to, letter->method, letter->body, letter->flags, timeout_ms,
                                              s_on_reply, *id);
    self->waited = waited && rc == SYNOD_OK ? *id : 0;
    rc = synod__handle_leave (self, ctx, rc);
    if (rc != SYNOD_OK)
        return rc;
    self->last_id = *id;
    self->staged++;
    self->bytes += letter->body.size;
    return SYNOD_OK;
}

static int s_ask (synod_handle_t *self, const letter_t *letter, uint32_t timeout_ms, bool waited, uint64_t *id)
{
    int rc = s_check (self, letter);
    if (rc != SYNOD_OK)
        return rc;
    synod__queue_t *queue = waited ? &self->answer : &self->replies;
    if (synod__queue_reserve (queue, waited ? 1 : self->under_way + 1) != SYNOD_OK)
        return synod__handle_fail (self, SYNOD_NO_MEMORY, "no memory for another ask");
    /* nothing is gathered with the only one, and to be called again for it costs the caller's loop more than to send it */
    bool alone = self->wake && !waited && !self->under_way;
    if (!alone) {
        synod__handle_begin (self);
        return s_stage (self, letter, timeout_ms, waited, id);
    }
    synod__handle_turn (self);
    rc = s_stage (self, letter, timeout_ms, waited, id);
    synod__handle_end (self);
    synod__handle_settled (self);
    return rc;
}

static void s_give (const synod__queued_t *item, synod_reply_t *reply)
{
    *reply = (synod_reply_t){.code = item->code,
                             .error = item->text[0],
                             .message = item->text[1],
                             .from = item->text[2],
                             .body = item->text[3]};
}

static bool s_answered (synod_handle_t *self, const void *arg)
{
    (void) arg;
    return self->answer.count > 0;
}

static int s_ask_wait (synod_handle_t *self, const letter_t *letter, int timeout_ms, synod_reply_t *reply)
{
    synod_reply_t ignored;
    uint64_t id;
    if (!self)
        return SYNOD_INVALID;
    if (!reply)
        reply = &ignored;
    *reply = (synod_reply_t){0};
    /* the deadline counts from the turn's time: not that of an old turn */
    synod__handle_end (self);
    uint32_t ask_ms = timeout_ms < 0 ? INT32_MAX : timeout_ms == 0 ? 1 : (uint32_t) timeout_ms;
    int rc = s_ask (self, letter, ask_ms, true, &id);
    if (rc == SYNOD_OK) {
        int64_t until_us = timeout_ms < 0 ? INT64_MAX : synod__now_us () + (int64_t) ask_ms * 1000 + BEYOND_US;
        rc = synod__handle_pump (self, until_us, s_answered, NULL);
    }
    self->waited = 0;
    synod__queued_t item;
    if (synod__queue_take (&self->answer, &item)) {
        s_give (&item, reply);
        if (item.code != SYNOD_OK)
            synod__handle_fail (self, item.code, "%.*s", SYNOD_STR (item.text[1]));
        return item.code;
    }
    /* nobody answered, nor did the runtime: it has ended, or the call was wrong */
    if (rc == SYNOD_TIMEOUT)
        synod__handle_fail (self, rc, "no answer from %s within %d ms", letter->to, timeout_ms);
    reply->code = rc;
    reply->error = synod_str (synod_error_name (rc));
    reply->message = synod_str (self->fault.text);
    return rc;
}

int synod_handle_ask (synod_handle_t *self, const char *to, const synod_record_t *record, const void *in,
                      int timeout_ms, synod_reply_t *reply)
{
    letter_t letter = s_record (to, record, in);
    return s_ask_wait (self, &letter, timeout_ms, reply);
}

int synod_handle_ask_body (synod_handle_t *self, const char *to, const char *method, synod_str_t body, uint32_t flags,
                           int timeout_ms, synod_reply_t *reply)
{
    letter_t letter = s_body (to, method, body, flags);
    return s_ask_wait (self, &letter, timeout_ms, reply);
}

static int s_ask_start (synod_handle_t *self, const letter_t *letter, uint32_t timeout_ms, uint64_t *id)
{
    uint64_t ignored;
    if (!self)
        return SYNOD_INVALID;
    int rc = s_ask (self, letter, timeout_ms, false, id ? id : &ignored);
    if (rc == SYNOD_OK)
        self->under_way++;
    return rc;
}

int synod_handle_ask_start (synod_handle_t *self, const char *to, const synod_record_t *record, const void *in,
                            uint32_t timeout_ms, uint64_t *id)
{
    letter_t letter = s_record (to, record, in);
    return s_ask_start (self, &letter, timeout_ms, id);
}

int synod_handle_ask_start_body (synod_handle_t *self, const char *to, const char *method, synod_str_t body,
                                 uint32_t flags, uint32_t timeout_ms, uint64_t *id)
{
    letter_t letter = s_body (to, method, body, flags);
    return s_ask_start (self, &letter, timeout_ms, id);
}

static bool s_replied (synod_handle_t *self, const void *arg)
{
    (void) arg;
    return self->replies.count > 0;
}

int synod_handle_wait (synod_handle_t *self, int timeout_ms, uint64_t *id, synod_reply_t *reply)
{
    synod__queued_t item;
    if (!self)
        return SYNOD_INVALID;
    if (!self->under_way) {
        synod__handle_see_to (self);
        return synod__handle_fail (self, SYNOD_NOT_FOUND, "no ask is under way");
    }
    int rc = SYNOD_OK;
    if (!self->replies.count)
        rc = synod__handle_find (self, synod__handle_deadline (timeout_ms), s_replied, NULL);
    else if (self->open)
        synod__handle_turn (self); /* what is staged does not wait for all these replies to be read */
    if (rc == SYNOD_OK) {
        synod__queue_take (&self->replies, &item);
        self->under_way--;
    }
    synod__handle_settled (self);
    if (rc == SYNOD_TIMEOUT)
        synod__handle_fail (self, rc, "no ask was over within %d ms", timeout_ms);
    if (rc != SYNOD_OK)
        return rc;
    if (id)
        *id = item.number;
    if (reply)
        s_give (&item, reply);
    return SYNOD_OK;
}

static int s_tell (synod_handle_t *self, const letter_t *letter)
{
    if (!self)
        return SYNOD_INVALID;
    int rc = s_check (self, letter);
    if (rc != SYNOD_OK)
        return rc;
    synod__handle_turn (self);
    synod_ctx_t *ctx = synod__handle_enter (self);
    if (!ctx) {
        synod__handle_end (self);
        return synod__handle_fail (self, SYNOD_STOPPED, "handle %s has left the bus", synod_handle_name (self));
    }
    rc = letter->record ? synod_tell (ctx, letter->to, letter->record, letter->in)
                        : synod_tell_body (ctx, letter->to, letter->method, letter->body);
    rc = synod__handle_leave (self, ctx, rc);
    /* nothing need follow a tell that would make it leave */
    synod__handle_end (self);
    synod__handle_settled (self);
    return rc;
}

int synod_handle_tell (synod_handle_t *self, const char *to, const synod_record_t *record, const void *in)
{
    letter_t letter = s_record (to, record, in);
    return s_tell (self, &letter);
}

int synod_handle_tell_body (synod_handle_t *self, const char *to, const char *method, synod_str_t body)
{
    letter_t letter = s_body (to, method, body, false);
    return s_tell (self, &letter);
}
