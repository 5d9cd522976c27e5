/* SPDX-License-Identifier: MPL-2.0
 *
 * What parts of an actor hear: a list for each actor, which ends with the actor's life.
 */
#include "heard.h"

struct synod__heard_t {
    synod__heard_t *next;
    const synod_record_t *record;
    synod__on_heard_t *on_heard;
    uint64_t arg;
    void *room; /* for the record */
};

void synod__ctx_hear (synod_ctx_t *ctx, const synod_record_t *record, synod__on_heard_t *on_heard, uint64_t arg)
{
    synod__heard_t *heard = (synod__heard_t *) synod__alloc (sizeof *heard);
    *heard = (synod__heard_t){.next = ctx->instance->heard, .record = record, .on_heard = on_heard, .arg = arg};
    heard->room = synod__alloc (record->size);
    ctx->instance->heard = heard;
}

static void s_free (synod__heard_t **at)
{
    synod__heard_t *heard = *at;
    *at = heard->next;
    free (heard->room);
    free (heard);
}

void synod__ctx_unhear (synod_ctx_t *ctx, const synod_record_t *record, uint64_t arg)
{
    for (synod__heard_t **at = &ctx->instance->heard; *at; at = &(*at)->next)
        if ((*at)->record == record && (*at)->arg == arg) {
            s_free (at);
            return;
        }
}

void synod__heard_forget (synod__instance_t *self)
{
    while (self->heard)
        s_free (&self->heard);
}

/* The next from AT on that hears METHOD. */
static synod__heard_t *s_next (synod__heard_t *at, synod_str_t method)
{
    while (at && (at->record->name_size != method.size || memcmp (at->record->name, method.data, method.size) != 0))
        at = at->next;
    return at;
}

bool synod__heard_take (synod__instance_t *self, const synod_message_t *message)
{
    synod_fault_t fault = {0};
    synod__heard_t *first = s_next (self->heard, message->method);
    if (!first)
        return false;
    if (synod_record_unpack (first->record, message->body, first->room, &fault) != SYNOD_OK) {
        self->rt->stats.malformed++;
        synod__bad_body (self->rt, message->from, &fault);
        return true;
    }
    synod_ctx_t *ctx = synod__run_begin (self, message, message->trace);
    int rc = SYNOD_OK;
    for (synod__heard_t *at = first; at && rc == SYNOD_OK; at = s_next (at->next, message->method))
        rc = at->on_heard (ctx, self->state, first->room, at->arg);
    synod__step_end (self, ctx, rc);
    return true;
}
