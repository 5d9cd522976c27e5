/* SPDX-License-Identifier: MPL-2.0
 *
 * How an epoch is decided: the acceptor that each keeper is, and the one proposal that it may have under way. Both are
 * the cores of paxos.h, with the keepers of epoch e as the set that decides e + 1.
 *
 * Invariants: a keeper votes on e + 1 only while the node is in e, so one that is new has learned e first; it accepts
 * only what may follow e; what it promised is in the batch of the handler that tells it, and goes only when e + 1 is in
 * the store as entered.
 */
#include <stdio.h>
#include "ring_actor_parts.h"
#include "actors/runtime/runtime.h"

#define S_KEY 9

/* ---- the store ---- */

static synod_str_t s_key (uint64_t epoch, uint8_t room[S_KEY])
{
    room[0] = (uint8_t) SYNOD__RING_AT_VOTES[0];
    for (int i = 0; i < 8; i++)
        room[1 + i] = (uint8_t) (epoch >> (56 - 8 * i));
    return synod_str_n (room, S_KEY);
}

static int s_stored (synod_ctx_t *ctx, uint64_t epoch, synod__paxos_record_t *record)
{
    uint8_t room[S_KEY];
    synod_str_t bytes = {0};
    synod_fault_t fault = {0};
    int rc = synod_get (ctx, s_key (epoch, room), &bytes);
    if (rc != SYNOD_OK && rc != SYNOD_NOT_FOUND)
        return rc;
    rc = synod__paxos_record_unpack (record, rc == SYNOD_OK ? bytes : synod_str_n (NULL, 0), &fault);
    return rc == SYNOD_OK ? SYNOD_OK : synod_error (ctx, SYNOD_IO, "a vote in the store is damaged: %s", fault.text);
}

static int s_store (synod_ctx_t *ctx, uint64_t epoch, const synod__paxos_record_t *record)
{
    uint8_t room[S_KEY];
    synod_buf_t packed = {0};
    int rc = synod__paxos_record_pack (record, &packed);
    if (rc == SYNOD_OK)
        rc = synod_put (ctx, s_key (epoch, room), synod_str_n (packed.data, packed.size));
    synod_buf_free (&packed);
    return rc;
}

typedef struct {
    uint64_t epochs[16];
    uint32_t count;
} s_votes_t;

static bool s_on_vote (void *arg, synod_str_t key, synod_str_t value)
{
    s_votes_t *votes = (s_votes_t *) arg;
    uint64_t epoch = 0;
    (void) value;
    for (uint32_t i = 1; i < key.size; i++)
        epoch = epoch << 8 | (uint8_t) key.data[i];
    votes->epochs[votes->count++] = epoch;
    return votes->count < 16;
}

int synod__ring_drop_votes (synod_ctx_t *ctx, uint64_t epoch)
{
    uint8_t from[S_KEY], until[S_KEY];
    s_votes_t votes = {{0}, 0};
    int rc = synod_scan (ctx, s_key (0, from), s_key (epoch + 1, until), s_on_vote, &votes);
    for (uint32_t i = 0; i < votes.count && rc == SYNOD_OK; i++)
        rc = synod_delete (ctx, s_key (votes.epochs[i], from));
    return rc;
}

/* ---- messages ---- */

static void s_tell (synod_ctx_t *ctx, const synod__ring_state_t *self, synod_str_t node, uint64_t epoch,
                    const synod__paxos_message_t *message)
{
    char to[SYNOD__RING_TO_SIZE];
    const synod__ballot_t *ballot = &message->ballot, *accepted = &message->accepted;
    synod__ring_step_t out = {.kind = synod_str (synod__paxos_kind_name (message->kind)),
                              .ring = synod__ctx_epoch (ctx)->ring,
                              .epoch = epoch,
                              .set = message->set,
                              .store = synod_str_n (self->self.id.bytes, SYNOD__STORE_ID_SIZE),
                              .round = ballot->round,
                              .accepted = accepted->round,
                              .value = message->value};
    if (ballot->round)
        out.by = synod_str_n (ballot->proposer.bytes, SYNOD__STORE_ID_SIZE);
    if (accepted->round)
        out.accepted_by = synod_str_n (accepted->proposer.bytes, SYNOD__STORE_ID_SIZE);
    synod__ring_to (to, node);
    if (synod_tell (ctx, to, &synod__ring_step_record, &out) != SYNOD_OK)
        synod_log (ctx, SYNOD_LOG_WARNING, "cannot tell %s: %s", to, synod__ctx_error (ctx));
}

static int s_understand (synod_ctx_t *ctx, const synod__ring_step_t *in, synod__paxos_message_t *out)
{
    *out = (synod__paxos_message_t){.set = in->set,
                                    .name = synod__ring_sender (ctx),
                                    .kind = synod__paxos_kind (in->kind),
                                    .ballot.round = in->round,
                                    .accepted.round = in->accepted,
                                    .value = in->value};
    if (!out->kind)
        return synod_error (ctx, SYNOD_BAD_REQUEST, "expected a kind of step, got \"%.*s\"", SYNOD_STR (in->kind));
    if (!out->name.data)
        return synod_error (ctx, SYNOD_BAD_REQUEST, "expected a step from an actor ring, got one from %.*s",
                            SYNOD_STR (synod_from (ctx)));
    if (!synod__store_id_take (in->store, &out->id) ||
        (in->round && !synod__store_id_take (in->by, &out->ballot.proposer)) ||
        (in->accepted && !synod__store_id_take (in->accepted_by, &out->accepted.proposer)))
        return synod_error (ctx, SYNOD_BAD_REQUEST, "expected %d bytes as the id of each store", SYNOD__STORE_ID_SIZE);
    return SYNOD_OK;
}

/* ---- the acceptor ---- */

/* Whether VALUE may follow the epoch that the node is in. */
static int s_may_follow (synod_ctx_t *ctx, synod_str_t value, synod_fault_t *fault)
{
    synod__epoch_t epoch;
    int rc = synod__epoch_unpack (&epoch, value, fault);
    if (rc != SYNOD_OK)
        return rc;
    rc = synod__epoch_check_next (&epoch, synod__ctx_epoch (ctx), fault);
    synod__epoch_free (&epoch);
    return rc;
}

static int s_vote (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__paxos_message_t *message)
{
    synod__paxos_record_t stored;
    synod__acceptor_step_t step;
    synod_fault_t fault = {0};
    bool has_value = message->kind == SYNOD__PAXOS_ACCEPT || message->kind == SYNOD__PAXOS_CHOSEN;
    if (has_value && s_may_follow (ctx, message->value, &fault) != SYNOD_OK) {
        synod_log (ctx, SYNOD_LOG_ERROR, "no epoch to follow, from %.*s: %s", SYNOD_STR (message->name), fault.text);
        return SYNOD_OK;
    }
    int rc = s_stored (ctx, self->epoch + 1, &stored);
    if (rc == SYNOD_IO)
        synod_log (ctx, SYNOD_LOG_ERROR, "%s", synod__ctx_error (ctx)); /* silent, as one that is down */
    if (rc != SYNOD_OK)
        return rc;
    synod__acceptor_step (&self->set, &self->self, &stored, message, &step);
    /* staged first, since it borrows what is replaced; it leaves when that is durable */
    if (step.send)
        s_tell (ctx, self, message->name, self->epoch + 1, &step.message);
    return step.write ? s_store (ctx, self->epoch + 1, &step.record) : SYNOD_OK;
}

/* ---- the proposer ---- */

void synod__ring_withdraw (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    if (!self->proposing)
        return;
    synod_cancel (ctx, self->proposer_timer);
    synod__proposer_free (&self->proposer);
    self->proposing = false;
}

const char *synod__ring_silent (const synod__ring_state_t *self, char *room, size_t size)
{
    size_t used = 0;
    room[0] = 0;
    for (uint32_t i = 0; i < self->set.count && used < size; i++)
        if (!(self->proposer.answered & 1u << i))
            used += (size_t) snprintf (room + used, size - used, "%s%s", used ? ", " : "", self->set.acceptors[i].name);
    return room;
}

/* VALUE was chosen to follow: everybody who was or is a member hears of it. */
static int s_chosen (synod_ctx_t *ctx, synod__ring_state_t *self, synod_str_t value)
{
    synod__epoch_t epoch;
    synod_fault_t fault = {0};
    if (s_may_follow (ctx, value, &fault) != SYNOD_OK) {
        synod_log (ctx, SYNOD_LOG_ERROR, "an epoch was chosen that cannot follow: %s", fault.text);
        return SYNOD_OK;
    }
    if (synod__epoch_unpack (&epoch, value, &fault) != SYNOD_OK)
        return SYNOD_OK; /* out of memory: it is heard of again */
    synod__ring_tell_value (ctx, value, &epoch, NULL);
    synod__ring_tell_value (ctx, value, synod__ctx_epoch (ctx), &epoch);
    synod__epoch_free (&epoch);
    return synod__ring_enter (ctx, self, value);
}

static int s_on_timer (synod_ctx_t *ctx, void *state, uint64_t id);

static int s_perform (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__proposer_step_t *step)
{
    int rc = step->write ? synod__ring_put_round (ctx, step->round) : SYNOD_OK;
    for (uint32_t i = 0; i < self->set.count; i++)
        if (step->to & 1u << i)
            s_tell (ctx, self, synod_str (self->set.acceptors[i].name), self->epoch + 1, &step->message);
    if (rc == SYNOD_OK && step->wait_ms && !step->done) {
        synod_cancel (ctx, self->proposer_timer);
        rc = synod_after (ctx, step->wait_ms, s_on_timer, self->proposal, &self->proposer_timer);
    }
    if (rc != SYNOD_OK || !step->done)
        return rc;
    if (step->code != SYNOD_OK) {
        const char *why = step->code == SYNOD_REFUSED
                              ? "no majority of the keepers is left: their stores are not those of the epoch"
                              : synod_error_meaning (step->code);
        synod_log (ctx, SYNOD_LOG_ERROR, "no next epoch: %s", why);
        synod__ring_withdraw (ctx, self);
        synod__ring_fail_changes (ctx, self, step->code, why);
        return SYNOD_OK;
    }
    /* the value is the proposer's, which ends when the epoch is entered; another may have begun then */
    synod_buf_t value = self->proposer.best;
    uint64_t proposal = self->proposal;
    self->proposer.best = (synod_buf_t){0};
    rc = s_chosen (ctx, self, synod_str_n (value.data, value.size));
    synod_buf_free (&value);
    if (self->proposing && self->proposal == proposal)
        synod__ring_withdraw (ctx, self);
    return rc;
}

static int s_on_timer (synod_ctx_t *ctx, void *state, uint64_t id)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod__proposer_step_t step;
    if (!self->proposing || self->proposal != id)
        return SYNOD_OK;
    synod__proposer_timer (&self->proposer, synod_random (ctx), &step);
    return s_perform (ctx, self, &step);
}

int synod__ring_propose (synod_ctx_t *ctx, synod__ring_state_t *self, synod_str_t value)
{
    synod__proposer_step_t step;
    self->proposing = true;
    self->proposal = ++self->last_id;
    synod__proposer_begin (&self->proposer, &self->set, &self->self, &self->round, value, synod_random (ctx), &step);
    return s_perform (ctx, self, &step);
}

/* ---- steps ---- */

int synod__ring_on_step (synod_ctx_t *ctx, void *state, const synod__ring_step_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod__paxos_message_t message = {0};
    int rc = call.id ? synod_error (ctx, SYNOD_INVALID, "a step is told: its answer is another step")
                     : s_understand (ctx, in, &message);
    if (rc == SYNOD_OK)
        rc = synod__ring_entered (ctx, self);
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    if (rc != SYNOD_OK || !epoch || epoch->ring != in->ring)
        return rc;
    bool asks = message.kind == SYNOD__PAXOS_PREPARE || message.kind == SYNOD__PAXOS_ACCEPT ||
                message.kind == SYNOD__PAXOS_QUERY;
    if (in->epoch <= self->epoch) { /* decided: one that asks has not heard of it */
        if (asks)
            synod__ring_tell_epoch (ctx, self, message.name);
        return SYNOD_OK;
    }
    if (in->epoch > self->epoch + 1)
        return synod__ring_ask_epoch (ctx, self, message.name);
    if (asks || message.kind == SYNOD__PAXOS_CHOSEN)
        rc = s_vote (ctx, self, &message);
    if (rc == SYNOD_OK && message.kind == SYNOD__PAXOS_CHOSEN && message.set == self->set.digest)
        return s_may_follow (ctx, message.value, NULL) == SYNOD_OK ? synod__ring_enter (ctx, self, message.value)
                                                                   : SYNOD_OK;
    if (rc == SYNOD_OK && !asks && self->proposing) {
        synod__proposer_step_t step;
        synod__proposer_take (&self->proposer, &message, synod_random (ctx), &step);
        rc = s_perform (ctx, self, &step);
    }
    return rc;
}
