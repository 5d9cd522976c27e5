/* SPDX-License-Identifier: MPL-2.0
 *
 * One that is to join, which a keeper asks what it is. It may have recorded a ring that has not begun there: that one may
 * begin, unless another of its members refuses it for good; then the one that joins forgets it.
 */
#include <stdio.h>
#include "ring_actor_parts.h"
#include "actors/runtime/runtime.h"

#define S_ASK_MS 1000 /* then it is asked again */

static int s_ask_about (synod_ctx_t *ctx, synod__ring_asked_t *asked);

static int s_on_again (synod_ctx_t *ctx, void *state, uint64_t id)
{
    synod__ring_asked_t *asked = synod__ring_asked_find ((synod__ring_state_t *) state, id);
    return asked ? s_ask_about (ctx, asked) : SYNOD_OK;
}

static int s_on_forgot (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t id)
{
    (void) state;
    (void) reply; /* it is asked again what it is */
    return synod_after (ctx, SYNOD__RING_AGAIN_MS, s_on_again, id, NULL);
}

static int s_on_refused (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t id)
{
    synod__ring_asked_t *asked = synod__ring_asked_find ((synod__ring_state_t *) state, id);
    char to[SYNOD__RING_TO_SIZE];
    if (!asked)
        return SYNOD_OK;
    asked->tried++;
    if (reply->code != SYNOD_OK)
        return s_ask_about (ctx, asked);
    synod__ring_to (to, synod_str (asked->change.node));
    return synod_ask (ctx, to, &synod__ring_forget_record, &(synod__ring_forget_t){.ring = asked->other}, S_ASK_MS,
                      s_on_forgot, id);
}

/* Asks the next of the other ring's members to refuse it. False: all have been asked. */
static bool s_ask_refuse (synod_ctx_t *ctx, synod__ring_asked_t *asked, synod_str_t recorded)
{
    synod__epoch_t other;
    char to[SYNOD__RING_TO_SIZE];
    if (synod__epoch_unpack (&other, recorded, NULL) != SYNOD_OK)
        return false;
    bool left = asked->tried < other.nmembers;
    asked->other = other.ring;
    if (left) {
        const synod__member_t *member = &other.members[asked->tried];
        synod__ring_refuse_t out = {.ring = other.ring, .store = synod_str_n (member->id.bytes, SYNOD__STORE_ID_SIZE)};
        synod__ring_to (to, synod_str (member->name));
        left = synod_ask (ctx, to, &synod__ring_refuse_record, &out, S_ASK_MS, s_on_refused, asked->id) == SYNOD_OK;
    }
    synod__epoch_free (&other);
    return left;
}

/* SYNOD_OK, or the sentence is in FAULT. */
static int s_take_about (synod_ctx_t *ctx, synod__ring_asked_t *asked, const synod_reply_t *reply, synod_fault_t *fault)
{
    synod__newcomer_t *node = &asked->change.newcomer;
    char names[SYNOD_FAULT_MAX / 2];
    synod__ring_about_is_t in;
    int rc = synod_record_unpack (&synod__ring_about_is_record, reply->body, &in, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (!synod__store_id_take (in.store, &node->id))
        return synod_fault (fault, SYNOD_BAD_REQUEST, "%s: expected %d bytes as the id of a store, got %u", node->name,
                            SYNOD__STORE_ID_SIZE, in.store.size);
    if (in.ring && in.ring != synod__ctx_epoch (ctx)->ring)
        return synod_fault (fault, SYNOD_REFUSED, "%s is in another ring: its data would have to be wiped first",
                            node->name);
    if (in.recorded.size)
        return synod_fault (
            fault, SYNOD_REFUSED,
            "%s has recorded a ring of %s, whose init was not finished: its data would have to be wiped "
            "first",
            node->name, synod__ring_members (in.recorded, names, sizeof names));
    if (!node->weight)
        node->weight = (uint32_t) in.weight;
    if (!*node->zone)
        synod__ring_copy_text (node->zone, in.zone);
    rc = synod__ring_take_types (ctx, in.types, node);
    return rc == SYNOD_OK ? SYNOD_OK : synod_fault (fault, rc, "%s", synod__ctx_error (ctx));
}

static int s_on_about (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t id)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod__ring_asked_t *asked = synod__ring_asked_find (self, id);
    synod_fault_t fault = {0};
    if (!asked || !synod__ctx_epoch (ctx))
        return SYNOD_OK;
    switch (reply->code) {
    case SYNOD_OK:
        break;
    case SYNOD_NO_ROUTE:
    case SYNOD_NODE_DOWN:
    case SYNOD_BUSY:
    case SYNOD_STOPPED:
    case SYNOD_TIMEOUT:
        asked->last = reply->code;
        return synod_after (ctx, SYNOD__RING_AGAIN_MS, s_on_again, id, NULL);
    default:
        synod_fault (&fault, reply->code, "%s: %.*s", asked->change.node, SYNOD_STR (reply->message));
        synod__ring_asked_fail (ctx, self, asked, reply->code, fault.text);
        return SYNOD_OK;
    }
    synod__ring_about_is_t in;
    if (synod_record_unpack (&synod__ring_about_is_record, reply->body, &in, NULL) == SYNOD_OK && in.recorded.size &&
        s_ask_refuse (ctx, asked, in.recorded))
        return SYNOD_OK;
    int rc = s_take_about (ctx, asked, reply, &fault);
    if (rc != SYNOD_OK) {
        synod__ring_asked_fail (ctx, self, asked, rc, fault.text);
        return SYNOD_OK;
    }
    asked->asking = false;
    return synod__ring_pump (ctx, self);
}

static int s_ask_about (synod_ctx_t *ctx, synod__ring_asked_t *asked)
{
    char to[SYNOD__RING_TO_SIZE];
    synod__ring_to (to, synod_str (asked->change.node));
    return synod_ask (ctx, to, &synod__ring_about_record, &(synod__ring_about_t){0}, S_ASK_MS, s_on_about, asked->id);
}

int synod__ring_on_join (synod_ctx_t *ctx, void *state, const synod__ring_join_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod__change_t change = {.kind = SYNOD__CHANGE_JOIN, .weight = (uint32_t) in->weight};
    bool here;
    synod__ring_copy_text (change.node, in->node);
    synod__ring_copy_text (change.newcomer.name, in->node);
    synod__ring_copy_text (change.newcomer.zone, in->zone);
    int rc = synod__ring_asked_route (ctx, self, &change, &synod__ring_join_record, in, call, &here);
    if (rc != SYNOD_OK || !here)
        return rc;
    synod__ring_asked_t *asked = synod__ring_asked_add (ctx, self, &change, call);
    if (!asked)
        return SYNOD_OK;
    asked->asking = true;
    return s_ask_about (ctx, asked);
}
