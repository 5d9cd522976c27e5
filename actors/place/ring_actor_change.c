/* SPDX-License-Identifier: MPL-2.0
 *
 * Changes that are asked for, at a keeper; and the value that it proposes to follow an epoch: all that is asked for and
 * wished at once. A change waits until it is so in a decided epoch, whoever proposed that, or until its asker's deadline.
 *
 * Invariants: nothing here alters the epoch that the node is in; what was asked is built into each new proposal from the
 * epoch that is known, so a value that another one proposed is never undone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "ring_actor_parts.h"
#include "actors/runtime/runtime.h"

#define S_RANK_MS 400 /* so much later than the first keeper the next one proposes what both wish */

synod__ring_asked_t *synod__ring_asked_find (const synod__ring_state_t *self, uint64_t id)
{
    synod__ring_asked_t *at = self->asked;
    while (at && at->id != id)
        at = at->next;
    return at;
}

static void s_free (synod__ring_state_t *self, synod__ring_asked_t *asked)
{
    synod__ring_asked_t **at = &self->asked;
    while (*at != asked)
        at = &(*at)->next;
    *at = asked->next;
    self->nasked--;
    synod__change_free (&asked->change);
    free (asked);
}

static void s_end (synod_ctx_t *ctx, synod__ring_state_t *self, synod__ring_asked_t *asked)
{
    synod_cancel (ctx, asked->deadline);
    s_free (self, asked);
}

void synod__ring_asked_fail (synod_ctx_t *ctx, synod__ring_state_t *self, synod__ring_asked_t *asked, int code,
                             const char *why)
{
    if (asked->change.kind == SYNOD__CHANGE_TYPES)
        snprintf (self->trouble, sizeof self->trouble, "%s", why);
    synod_reply_error (ctx, asked->call, code, "%s", why);
    s_end (ctx, self, asked);
}

void synod__ring_fail_changes (synod_ctx_t *ctx, synod__ring_state_t *self, int code, const char *why)
{
    while (self->asked)
        synod__ring_asked_fail (ctx, self, self->asked, code, why);
}

void synod__ring_asked_free (synod__ring_state_t *self)
{
    while (self->asked)
        s_free (self, self->asked);
}

/* ---- the next value ---- */

/* One that is so in EPOCH is answered, and is no more. */
static bool s_come_true (synod_ctx_t *ctx, synod__ring_state_t *self, synod__ring_asked_t *asked,
                         const synod__epoch_t *epoch)
{
    bool leaves = asked->change.kind == SYNOD__CHANGE_LEAVE || asked->change.kind == SYNOD__CHANGE_REMOVE;
    bool gone = leaves && asked->proposed && !synod__epoch_member (epoch, synod_str (asked->change.node));
    if (asked->asking || (!gone && !synod__change_done (&asked->change, epoch)))
        return false;
    if (asked->call.id)
        synod_reply (ctx, asked->call, &synod__ring_changed_record,
                     &(synod__ring_changed_t){.epoch = epoch->number, .again = !asked->proposed});
    s_end (ctx, self, asked);
    return true;
}

void synod__ring_end_changes (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    for (synod__ring_asked_t *at = self->asked, *after; at; at = after) {
        after = at->next;
        if (!s_come_true (ctx, self, at, synod__ctx_epoch (ctx)))
            synod__ring_asked_fail (ctx, self, at, SYNOD_STOPPED, "this node is no keeper any more: ask again");
    }
}

/* Those that are so already are answered; those that cannot be are refused; the others are made so in NEXT. */
static void s_apply_asked (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__epoch_t *epoch,
                           synod__epoch_t *next)
{
    for (synod__ring_asked_t *at = self->asked, *after; at; at = after) {
        synod_fault_t fault = {0};
        after = at->next;
        if (at->asking || s_come_true (ctx, self, at, epoch))
            continue;
        const synod__member_t *member = synod__epoch_member (epoch, synod_str (at->change.node));
        uint32_t watched = member ? synod__ring_watch_find (&self->watch, &member->id) : self->watch.nmembers;
        bool well = watched < self->watch.nmembers && !member->down &&
                    !synod__ring_watch_dead (&self->watch, watched, synod_now_us (ctx));
        int rc = synod__change_apply (&at->change, next, well, &fault);
        /* a name with another store may be believed dead, and not be marked yet: then this waits for the mark */
        bool waits = rc == SYNOD_REFUSED && at->change.kind == SYNOD__CHANGE_JOIN && member && !member->down && !well;
        at->proposed = true;
        if (rc != SYNOD_OK && !waits)
            synod__ring_asked_fail (ctx, self, at, rc, fault.text);
    }
}

static void s_apply_wishes (const synod__epoch_t *epoch, const synod__wishes_t *wishes, synod__epoch_t *next)
{
    for (uint32_t i = 0; i < epoch->nmembers; i++) {
        const synod__member_t *member = &epoch->members[i];
        if (wishes->of[i] == SYNOD__WISH_DOWN)
            synod__ring_mark_down (next, &member->id);
        if (wishes->of[i] == SYNOD__WISH_UP)
            synod__ring_mark_up (next, &member->id);
        if (wishes->of[i] == SYNOD__WISH_REMOVE) {
            synod__change_t change = {.kind = SYNOD__CHANGE_REMOVE, .force = true};
            memcpy (change.node, member->name, sizeof change.node);
            if (synod__epoch_store (next, &member->id)) /* the name may be another's by now */
                synod__change_apply (&change, next, false, NULL);
        }
    }
    if (wishes->settled > next->settled)
        next->settled = wishes->settled;
}

/* Whether all who hold or are to hold something in EPOCH are in NEXT as well. If not, what is to move is not what was
 * copied, and weights stay. */
static bool s_same_holders (const synod__epoch_t *epoch, const synod__epoch_t *next)
{
    for (uint32_t i = 0; i < epoch->nmembers; i++)
        if (epoch->members[i].target && !synod__epoch_store (next, &epoch->members[i].id))
            return false;
    return true;
}

/* Fills NEXT. SYNOD_OK, or SYNOD_NO_MEMORY and it holds nothing. */
static int s_next (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__epoch_t *epoch,
                   const synod__wishes_t *wishes, synod__epoch_t *next)
{
    bool settle = wishes->any && wishes->settle;
    int rc = synod__epoch_next (epoch, next);
    if (rc != SYNOD_OK)
        return rc;
    if (settle)
        synod__ring_settle (next);
    if (wishes->any)
        s_apply_wishes (epoch, wishes, next);
    s_apply_asked (ctx, self, epoch, next);
    if (!settle || s_same_holders (epoch, next))
        return SYNOD_OK;
    synod__epoch_free (next);
    synod__wishes_t without = *wishes;
    without.settle = false;
    return s_next (ctx, self, epoch, &without, next);
}

/* The same but for its number, and for what is settled alone: no reason for an epoch. */
static bool s_nothing_new (const synod__epoch_t *epoch, const synod__epoch_t *next)
{
    synod__epoch_t like = *next;
    synod_buf_t a = {0}, b = {0};
    like.number = epoch->number;
    like.settled = epoch->settled;
    bool same = synod__epoch_pack (epoch, &a, NULL) == SYNOD_OK && synod__epoch_pack (&like, &b, NULL) == SYNOD_OK &&
                a.size == b.size && memcmp (a.data, b.data, a.size) == 0;
    synod_buf_free (&a);
    synod_buf_free (&b);
    return same;
}

/* What is wished, if it is this keeper's turn to propose it: the first one's at once, the next ones' a while later. */
static bool s_wish (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__epoch_t *epoch, synod__wishes_t *wishes)
{
    int64_t now_us = synod_now_us (ctx);
    *wishes = (synod__wishes_t){.of = self->wishes};
    if (!synod__ring_watch_wish (&self->watch, epoch, self->mine, now_us, wishes))
        return false;
    if (!wishes->any) {
        self->wish_us = 0;
        return true;
    }
    if (!self->wish_us) {
        uint32_t rank = synod__ring_watch_rank (&self->watch, self->mine, now_us);
        self->wish_us = now_us;
        self->wish_wait_ms = rank ? rank * S_RANK_MS + (uint32_t) (synod_random (ctx) % S_RANK_MS) : 0;
    }
    wishes->any = now_us - self->wish_us >= self->wish_wait_ms * 1000ll;
    return true;
}

/* What was proposed is wanted no more: one who was silent is back, or an asker's time is over. */
static void s_reconsider (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__epoch_t *epoch)
{
    synod__wishes_t wishes = {.of = self->wishes};
    if (!self->asked && synod__ring_watch_wish (&self->watch, epoch, self->mine, synod_now_us (ctx), &wishes) &&
        !wishes.any)
        synod__ring_withdraw (ctx, self);
}

int synod__ring_pump (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    synod__epoch_t next;
    synod__wishes_t wishes;
    synod_buf_t value = {0};
    synod_fault_t fault = {0};
    if (!epoch || epoch->number != self->epoch || self->mine >= epoch->nkeepers || self->watch.epoch != self->epoch)
        return SYNOD_OK;
    if (self->proposing) {
        s_reconsider (ctx, self, epoch);
        return SYNOD_OK;
    }
    if (!s_wish (ctx, self, epoch, &wishes) || s_next (ctx, self, epoch, &wishes, &next) != SYNOD_OK)
        return SYNOD_OK; /* out of memory: the clock tries again */
    int rc = SYNOD_OK;
    if (!s_nothing_new (epoch, &next)) {
        int good = synod__epoch_check_next (&next, epoch, &fault);
        if (good == SYNOD_OK)
            good = synod__epoch_pack (&next, &value, &fault);
        if (good == SYNOD_OK && SYNOD__RING_MUTANT (NO_PAXOS))
            rc = synod__ring_enter (ctx, self, synod_str_n (value.data, value.size));
        else if (good == SYNOD_OK)
            rc = synod__ring_propose (ctx, self, synod_str_n (value.data, value.size));
        else {
            synod_log (ctx, SYNOD_LOG_ERROR, "no epoch to propose: %s", fault.text);
            synod__ring_fail_changes (ctx, self, good, fault.text);
        }
    }
    synod_buf_free (&value);
    synod__epoch_free (&next);
    return rc;
}

/* ---- who asks ---- */

static int s_on_deadline (synod_ctx_t *ctx, void *state, uint64_t id)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod__ring_asked_t *asked = synod__ring_asked_find (self, id);
    char names[SYNOD_FAULT_MAX / 2], text[2 * SYNOD_FAULT_MAX];
    int code = SYNOD_TIMEOUT;
    if (!asked)
        return SYNOD_OK;
    if (asked->asking) {
        int why = asked->last ? asked->last : SYNOD_TIMEOUT;
        code = why == SYNOD_NO_ROUTE ? SYNOD_NO_ROUTE : SYNOD_TIMEOUT;
        snprintf (text, sizeof text, "%s/ring: %s; nothing was changed", asked->change.node, synod_error_meaning (why));
    } else if (self->proposing &&
               (uint32_t) __builtin_popcount (self->proposer.answered) < synod__paxos_majority (&self->set))
        snprintf (text, sizeof text,
                  "no majority of the %u keepers answered in time (not: %s); whether it was changed is not known",
                  self->set.count, synod__ring_silent (self, names, sizeof names));
    else
        snprintf (text, sizeof text, "other changes were in the way all the time; whether it was changed is not known");
    synod__ring_asked_fail (ctx, self, asked, code, text);
    return SYNOD_OK;
}

/* What is asked at a keeper begins; CHANGE is taken in any case. NULL: the sentence is set. */
synod__ring_asked_t *synod__ring_asked_add (synod_ctx_t *ctx, synod__ring_state_t *self, synod__change_t *change,
                                            synod_call_t call)
{
    synod__ring_asked_t *asked = NULL;
    /* said, not failed with: what was begun on entering an epoch holds */
    if (self->nasked >= SYNOD__RING_CHANGES_MAX)
        synod_reply_error (ctx, call, SYNOD_BUSY, "%u changes are under way on %s already", self->nasked,
                           synod_node (ctx));
    else if (!(asked = (synod__ring_asked_t *) calloc (1, sizeof *asked)))
        synod_reply_error (ctx, call, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
    if (!asked) {
        synod__change_free (change);
        return NULL;
    }
    asked->id = ++self->last_id;
    asked->call = call;
    asked->change = *change;
    synod__ring_asked_t **at = &self->asked; /* the first that came is applied first */
    while (*at)
        at = &(*at)->next;
    *at = asked;
    self->nasked++;
    synod_after (ctx, synod__ring_left_ms (ctx, call), s_on_deadline, asked->id, &asked->deadline);
    return asked;
}

/* The ways of every change: wrong ones are refused, those that came to no keeper are sent on to one. *HERE: it is one. */
int synod__ring_asked_route (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__change_t *change,
                             const synod_record_t *record, const void *in, synod_call_t call, bool *here)
{
    synod_fault_t fault = {0};
    *here = false;
    if (change && synod__change_check (change, &fault) != SYNOD_OK)
        return synod_error (ctx, SYNOD_INVALID, "%s", fault.text);
    int rc = synod__ring_entered (ctx, self);
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    if (rc != SYNOD_OK)
        return rc;
    if (!epoch)
        return synod_error (ctx, SYNOD_REFUSED,
                            "%s is in no ring: `synod ring init` makes one, and a member is asked to "
                            "change it",
                            synod_node (ctx));
    *here = self->mine < epoch->nkeepers;
    if (!*here && synod__ring_sender (ctx).size) /* those who know different keepers would send it round for ever */
        return synod_error (ctx, SYNOD_NO_ROUTE, "%s is no keeper in epoch %llu", synod_node (ctx),
                            (unsigned long long) epoch->number);
    return *here ? SYNOD_OK : synod__ring_forward (ctx, self, record, in, call);
}

/* CHANGE is taken. */
static int s_change (synod_ctx_t *ctx, synod__ring_state_t *self, synod__change_t *change, const synod_record_t *record,
                     const void *in, synod_call_t call)
{
    bool here;
    int rc = synod__ring_asked_route (ctx, self, change, record, in, call, &here);
    if (rc != SYNOD_OK || !here) {
        synod__change_free (change);
        return rc;
    }
    synod__ring_asked_t *asked = synod__ring_asked_add (ctx, self, change, call);
    return asked ? synod__ring_pump (ctx, self) : SYNOD_OK;
}

int synod__ring_on_leave (synod_ctx_t *ctx, void *state, const synod__ring_leave_t *in, synod_call_t call)
{
    synod__change_t change = {.kind = SYNOD__CHANGE_LEAVE};
    synod__ring_copy_text (change.node, in->node);
    return s_change (ctx, (synod__ring_state_t *) state, &change, &synod__ring_leave_record, in, call);
}

int synod__ring_on_remove (synod_ctx_t *ctx, void *state, const synod__ring_remove_t *in, synod_call_t call)
{
    synod__change_t change = {.kind = SYNOD__CHANGE_REMOVE, .force = in->force};
    synod__ring_copy_text (change.node, in->node);
    return s_change (ctx, (synod__ring_state_t *) state, &change, &synod__ring_remove_record, in, call);
}

int synod__ring_on_weight (synod_ctx_t *ctx, void *state, const synod__ring_weight_t *in, synod_call_t call)
{
    synod__change_t change = {.kind = SYNOD__CHANGE_WEIGHT, .weight = (uint32_t) in->weight};
    synod__ring_copy_text (change.node, in->node);
    return s_change (ctx, (synod__ring_state_t *) state, &change, &synod__ring_weight_record, in, call);
}

int synod__ring_on_keepers (synod_ctx_t *ctx, void *state, const synod__ring_keepers_t *in, synod_call_t call)
{
    synod__change_t change = {.kind = SYNOD__CHANGE_KEEPERS, .nkeepers = in->keepers.count};
    synod_list_t list = in->keepers;
    synod__ring_keeper_t keeper;
    for (uint32_t i = 0; i < SYNOD__KEEPERS_MAX && synod_list_next (&list, &synod__ring_keeper_record, &keeper); i++)
        synod__ring_copy_text (change.keepers[i], keeper.node);
    return s_change (ctx, (synod__ring_state_t *) state, &change, &synod__ring_keepers_record, in, call);
}

int synod__ring_ask_types (synod_ctx_t *ctx, synod__ring_state_t *self, synod__newcomer_t *node)
{
    synod__change_t change = {.kind = SYNOD__CHANGE_TYPES, .newcomer = *node};
    node->types = NULL;
    for (synod__ring_asked_t *at = self->asked; at; at = at->next)
        if (at->change.kind == change.kind && synod__store_id_compare (&at->change.newcomer.id, &node->id) == 0) {
            synod__change_free (&change); /* it says so with each of its reports */
            return SYNOD_OK;
        }
    return synod__ring_asked_add (ctx, self, &change, (synod_call_t){0}) ? synod__ring_pump (ctx, self) : SYNOD_OK;
}
