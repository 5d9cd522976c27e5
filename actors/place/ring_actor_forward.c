/* SPDX-License-Identifier: MPL-2.0
 *
 * What only keepers can answer, asked of one that is none: it asks them for the asker, one after another until one
 * answers or the asker's time is over.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "ring_actor_parts.h"
#include "actors/runtime/runtime.h"

#define S_TRY_MS 2000 /* then another keeper is asked */

struct synod__ring_forward_t {
    synod__ring_forward_t *next;
    uint64_t id;
    synod_call_t call;
    const synod_record_t *record;
    synod_buf_t body;
    uint32_t tried;   /* keepers */
    int64_t until_us; /* when the answer has to leave */
    int last;         /* why the last one did not answer */
    uint32_t from;    /* of a status: the first member */
};

static synod__ring_forward_t *s_find (const synod__ring_state_t *self, uint64_t id)
{
    synod__ring_forward_t *at = self->forwards;
    while (at && at->id != id)
        at = at->next;
    return at;
}

static void s_free (synod__ring_state_t *self, synod__ring_forward_t *forward)
{
    synod__ring_forward_t **at = &self->forwards;
    while (*at != forward)
        at = &(*at)->next;
    *at = forward->next;
    synod_buf_free (&forward->body);
    free (forward);
}

void synod__ring_forwards_free (synod__ring_state_t *self)
{
    while (self->forwards)
        s_free (self, self->forwards);
}

/* No keeper answered. How the ring is as far as it is known here is better than nothing. */
static int s_give_up (synod_ctx_t *ctx, synod__ring_state_t *self, synod__ring_forward_t *forward)
{
    int rc = SYNOD_OK;
    if (forward->record == &synod__ring_status_record)
        rc = synod__ring_tell_status (ctx, self, forward->from, forward->call);
    else
        synod_reply_error (ctx, forward->call, SYNOD_TIMEOUT,
                           "none of the %u keepers answered in time (%s); whether it was changed is not known",
                           self->set.count, synod_error_meaning (forward->last ? forward->last : SYNOD_TIMEOUT));
    s_free (self, forward);
    return rc;
}

static int s_try (synod_ctx_t *ctx, synod__ring_state_t *self, synod__ring_forward_t *forward);

static int s_on_again (synod_ctx_t *ctx, void *state, uint64_t id)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod__ring_forward_t *forward = s_find (self, id);
    return forward ? s_try (ctx, self, forward) : SYNOD_OK;
}

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t id)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod__ring_forward_t *forward = s_find (self, id);
    if (!forward)
        return SYNOD_OK;
    switch (reply->code) {
    case SYNOD_NO_ROUTE:
    case SYNOD_NODE_DOWN:
    case SYNOD_BUSY:
    case SYNOD_STOPPED:
    case SYNOD_TIMEOUT:
        forward->last = reply->code;
        forward->tried++;
        if (synod_now_us (ctx) + SYNOD__RING_AGAIN_MS * 1000 < forward->until_us)
            return synod_after (ctx, SYNOD__RING_AGAIN_MS, s_on_again, id, NULL);
        return s_give_up (ctx, self, forward);
    default:
        synod_reply_with (ctx, forward->call, reply);
        s_free (self, forward);
        return SYNOD_OK;
    }
}

/* Keepers that are marked down are asked when the others did not answer. */
static const synod__member_t *s_keeper (const synod__epoch_t *epoch, uint32_t tried)
{
    const synod__member_t *order[SYNOD__KEEPERS_MAX];
    uint32_t count = 0;
    for (int down = 0; down < 2; down++)
        for (uint32_t i = 0; i < epoch->nkeepers; i++) {
            const synod__member_t *member = synod__epoch_store (epoch, &epoch->keepers[i]);
            if (member->down == (down == 1))
                order[count++] = member;
        }
    assert (count); /* an epoch has keepers */
    return order[tried % count];
}

static int s_try (synod_ctx_t *ctx, synod__ring_state_t *self, synod__ring_forward_t *forward)
{
    char to[SYNOD__RING_TO_SIZE];
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    int64_t left_ms = (forward->until_us - synod_now_us (ctx)) / 1000;
    if (left_ms <= 0 || !epoch)
        return s_give_up (ctx, self, forward);
    uint32_t try_ms = left_ms < S_TRY_MS ? (uint32_t) left_ms : S_TRY_MS;
    synod__ring_to (to, synod_str (s_keeper (epoch, forward->tried)->name));
    return synod_ask_body (ctx, to, synod_str_n (forward->record->name, forward->record->name_size),
                           synod_str_n (forward->body.data, forward->body.size), forward->record->flags, try_ms,
                           s_on_reply, forward->id);
}

int synod__ring_forward (synod_ctx_t *ctx, synod__ring_state_t *self, const synod_record_t *record, const void *in,
                         synod_call_t call)
{
    synod_fault_t fault = {0};
    synod__ring_forward_t *forward = (synod__ring_forward_t *) calloc (1, sizeof *forward);
    if (!forward)
        return synod_error (ctx, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
    if (record == &synod__ring_status_record)
        forward->from = (uint32_t) ((const synod__ring_status_t *) in)->from;
    int rc = synod_record_pack (record, in, &forward->body, &fault);
    if (rc != SYNOD_OK) {
        free (forward);
        return synod_error (ctx, rc, "%s", fault.text);
    }
    forward->id = ++self->last_id;
    forward->call = call;
    forward->record = record;
    forward->until_us = synod_now_us (ctx) + synod__ring_left_ms (ctx, call) * 1000ll;
    forward->next = self->forwards;
    self->forwards = forward;
    return s_try (ctx, self, forward);
}
