/* SPDX-License-Identifier: MPL-2.0
 *
 * The coordinator: what is the same in all protocols. Who has no record of a transaction has aborted it (but for paxos,
 * where the acceptors know).
 *
 * Invariants: it decides once; COMMITTED is written before it is said, as its protocol demands; it ends a committed
 * transaction when all that voted yes have acknowledged.
 */
#include <assert.h>
#include "vote_parts.h"

static void s_init (synod__coordinator_t *self, const synod__vote_tx_t *tx, const synod__coordinator_record_t *record,
                    const synod__paxos_self_t *who)
{
    assert (tx->parties >= 1 && tx->parties <= SYNOD__PARTIES_MAX);
    memset (self, 0, sizeof *self);
    self->tx = tx;
    if (record)
        self->record = *record;
    synod__tally_begin (&self->tally, tx, who, &self->record.round);
}

uint32_t synod__coordinator_votes (const synod__coordinator_t *self, bool *no)
{
    uint32_t bits = 0;
    *no = false;
    for (uint32_t i = 0; i < self->tx->parties; i++) {
        bits |= self->votes[i] != SYNOD__VOTE_NONE ? 1u << i : 0;
        *no = *no || self->votes[i] == SYNOD__VOTE_NO;
    }
    return bits;
}

void synod__coordinator_collect (synod__coordinator_t *self, uint32_t bits, uint64_t random, synod__vote_step_t *out)
{
    synod__coordinator_send (SYNOD__ROLE_PARTY, bits, SYNOD__SAY_PREPARE, out);
    out->wait_ms = synod__vote_wait_ms (self->tries++, random);
}

/* Those for whom the outcome is of any concern, and who have not acknowledged it. */
static uint32_t s_waiting (const synod__coordinator_t *self)
{
    bool commits = self->record.outcome == SYNOD__OUTCOME_COMMITTED;
    uint32_t bits = synod__vote_all (self->tx) & ~self->acked;
    for (uint32_t i = 0; i < self->tx->parties; i++)
        if (self->votes[i] == SYNOD__VOTE_EMPTY || (self->votes[i] == SYNOD__VOTE_NO && !commits))
            bits &= ~(1u << i);
    return bits;
}

uint32_t synod__coordinator_waits (const synod__coordinator_t *self)
{
    uint32_t bits = 0;
    if (self->phase == SYNOD__COORDINATOR_DECIDED)
        return s_waiting (self);
    if (self->phase == SYNOD__COORDINATOR_PRECOMMITTING)
        return s_waiting (self) & ~self->precommitted;
    for (uint32_t i = 0; i < self->tx->parties; i++)
        bits |= self->votes[i] == SYNOD__VOTE_NONE && self->tally.chosen[i] == SYNOD__VOTE_NONE ? 1u << i : 0;
    return bits;
}

static void s_end (synod__coordinator_t *self, synod__vote_step_t *out)
{
    self->phase = SYNOD__COORDINATOR_ENDED;
    out->ended = true;
    bool paxos = self->tx->protocol == SYNOD__VOTE_PAXOS;
    /* what was written in recovery must not come back when the acceptors have forgotten */
    synod__vote_write (paxos ? SYNOD__WRITE_FORCED : SYNOD__WRITE_LAZY, out);
    if (paxos)
        synod__coordinator_send (SYNOD__ROLE_ACCEPTOR, (1u << self->tx->acceptors.count) - 1, SYNOD__SAY_FORGET, out);
}

/* Tells those that wait; ends when there are none, or, of an abort that nobody acknowledges, at once. */
static void s_tell (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out)
{
    const synod__vote_ops_t *ops = synod__vote_ops (self->tx->protocol);
    uint32_t waiting = s_waiting (self);
    bool commits = self->record.outcome == SYNOD__OUTCOME_COMMITTED;
    if (waiting)
        synod__coordinator_send (SYNOD__ROLE_PARTY, waiting, SYNOD__SAY_DECIDED, out)->outcome = self->record.outcome;
    bool early = commits && SYNOD__VOTE_MUTANT (END_BEFORE_ACKS) && self->acked;
    if (SYNOD__VOTE_MUTANT (FORGET_EARLY) && self->tx->protocol == SYNOD__VOTE_PAXOS && self->acked)
        early = true;
    if (!waiting || early || (!commits && !ops->abort_acked))
        s_end (self, out);
    else
        out->wait_ms = synod__vote_wait_ms (self->tries++, random);
}

void synod__coordinator_decide (synod__coordinator_t *self, synod__outcome_t outcome, uint64_t random,
                                synod__vote_step_t *out)
{
    assert (self->record.outcome == SYNOD__OUTCOME_NONE);
    synod__vote_write_t write =
        outcome == SYNOD__OUTCOME_COMMITTED ? synod__vote_ops (self->tx->protocol)->commit : SYNOD__WRITE_LAZY;
    if (SYNOD__VOTE_MUTANT (COMMIT_NOT_FORCED))
        write = SYNOD__WRITE_LAZY;
    self->record.outcome = outcome;
    self->phase = SYNOD__COORDINATOR_DECIDED;
    self->tries = 0;
    synod__vote_write (write, out);
    out->decided = outcome;
    synod__tally_free (&self->tally);
    s_tell (self, random, out);
}

void synod__coordinator_begin (synod__coordinator_t *self, const synod__vote_tx_t *tx, const synod__paxos_self_t *who,
                               uint64_t random, synod__vote_step_t *out)
{
    synod__vote_step_clear (out);
    s_init (self, tx, NULL, who);
    const synod__vote_ops_t *ops = synod__vote_ops (tx->protocol);
    synod__vote_write (SYNOD__VOTE_MUTANT (BEGIN_NOT_WRITTEN) ? SYNOD__WRITE_NOTHING : ops->begin, out);
    out->early = ops->early;
    synod__coordinator_collect (self, synod__vote_all (tx), random, out);
}

void synod__coordinator_return (synod__coordinator_t *self, const synod__vote_tx_t *tx,
                                const synod__coordinator_record_t *record, const synod__paxos_self_t *who,
                                uint64_t random, synod__vote_step_t *out)
{
    synod__vote_step_clear (out);
    s_init (self, tx, record, who);
    if (record->outcome != SYNOD__OUTCOME_NONE) {
        self->phase = SYNOD__COORDINATOR_DECIDED;
        s_tell (self, random, out);
        return;
    }
    self->phase = SYNOD__COORDINATOR_LEARNING;
    synod__vote_ops (tx->protocol)->returned (self, random, out);
}

static bool s_undecided (const synod__coordinator_t *self)
{
    return self->phase < SYNOD__COORDINATOR_DECIDED;
}

static void s_on_vote (synod__coordinator_t *self, const synod__vote_message_t *in, uint64_t random,
                       synod__vote_step_t *out)
{
    synod__vote_t *vote = &self->votes[in->from];
    if (in->vote == SYNOD__VOTE_NONE) {
        out->code = SYNOD_BAD_REQUEST;
        out->error = "expected a vote";
        return;
    }
    if (!s_undecided (self)) {
        /* late; it may not have heard */
        if (in->vote == SYNOD__VOTE_YES && !(self->acked & 1u << in->from))
            synod__coordinator_send (SYNOD__ROLE_PARTY, 1u << in->from, SYNOD__SAY_DECIDED, out)->outcome =
                self->record.outcome;
        return;
    }
    *vote = in->vote;
    /* written: whether it is its vote or what it heard of the outcome, nothing can commit any more */
    if (in->vote == SYNOD__VOTE_NO && self->phase != SYNOD__COORDINATOR_PRECOMMITTING)
        synod__coordinator_decide (self, SYNOD__OUTCOME_ABORTED, random, out);
    else
        synod__vote_ops (self->tx->protocol)->voted (self, random, out);
}

static void s_on_ack (synod__coordinator_t *self, const synod__vote_message_t *in, uint64_t random,
                      synod__vote_step_t *out)
{
    /* it may have learned what was decided from somebody else */
    if (s_undecided (self) && in->outcome != SYNOD__OUTCOME_NONE)
        synod__coordinator_decide (self, in->outcome, random, out);
    if (self->phase != SYNOD__COORDINATOR_DECIDED)
        return;
    if (in->outcome != self->record.outcome) {
        s_end (self, out); /* it had ended before, and what was forgotten was found out anew, in vain */
        return;
    }
    self->acked |= 1u << in->from;
    bool early = (SYNOD__VOTE_MUTANT (END_BEFORE_ACKS) && self->record.outcome == SYNOD__OUTCOME_COMMITTED) ||
                 (SYNOD__VOTE_MUTANT (FORGET_EARLY) && self->tx->protocol == SYNOD__VOTE_PAXOS);
    if (!s_waiting (self) || early)
        s_end (self, out);
}

static void s_on_ask (synod__coordinator_t *self, const synod__vote_message_t *in, synod__vote_step_t *out)
{
    uint32_t to = 1u << in->from;
    synod__outcome_t outcome = self->record.outcome;
    if (SYNOD__VOTE_MUTANT (ABORT_WHILE_COLLECTING) && s_undecided (self))
        outcome = SYNOD__OUTCOME_ABORTED;
    if (outcome != SYNOD__OUTCOME_NONE)
        synod__coordinator_send (SYNOD__ROLE_PARTY, to, SYNOD__SAY_DECIDED, out)->outcome = outcome;
    else
        synod__coordinator_send (SYNOD__ROLE_PARTY, to, SYNOD__SAY_STATE, out)->returned =
            self->phase == SYNOD__COORDINATOR_LEARNING;
}

void synod__coordinator_take (synod__coordinator_t *self, const synod__vote_message_t *in, uint64_t random,
                              synod__vote_step_t *out)
{
    synod__vote_step_clear (out);
    bool party = in->role == SYNOD__ROLE_PARTY && in->from < self->tx->parties;
    bool acceptor = in->role == SYNOD__ROLE_ACCEPTOR && in->kind == SYNOD__SAY_PAXOS;
    if (!party && !acceptor) {
        out->code = SYNOD_BAD_REQUEST;
        out->error = "expected a participant or an acceptor of the transaction";
    } else if (acceptor || in->kind == SYNOD__SAY_STATE || in->kind == SYNOD__SAY_PRECOMMITTED) {
        if (s_undecided (self))
            synod__vote_ops (self->tx->protocol)->coordinator_take (self, in, random, out);
    } else if (in->kind == SYNOD__SAY_VOTE)
        s_on_vote (self, in, random, out);
    else if (in->kind == SYNOD__SAY_ACK)
        s_on_ack (self, in, random, out);
    else if (in->kind == SYNOD__SAY_ASK)
        s_on_ask (self, in, out);
    else if (in->kind == SYNOD__SAY_DECIDED) {
        if (s_undecided (self) && in->outcome != SYNOD__OUTCOME_NONE)
            synod__coordinator_decide (self, in->outcome, random, out);
    } else {
        out->code = SYNOD_BAD_REQUEST;
        out->error = "expected a message for a coordinator";
    }
}

void synod__coordinator_timer (synod__coordinator_t *self, bool expired, uint64_t random, synod__vote_step_t *out)
{
    synod__vote_step_clear (out);
    if (self->phase == SYNOD__COORDINATOR_DECIDED)
        s_tell (self, random, out);
    else if (self->phase != SYNOD__COORDINATOR_ENDED)
        synod__vote_ops (self->tx->protocol)->patience (self, expired, random, out);
}

void synod__coordinator_absent (synod__vote_protocol_t protocol, const synod__vote_message_t *in,
                                synod__vote_step_t *out)
{
    synod__vote_step_clear (out);
    bool asks = in->kind == SYNOD__SAY_ASK || (in->kind == SYNOD__SAY_VOTE && in->vote == SYNOD__VOTE_YES);
    if (asks && protocol != SYNOD__VOTE_PAXOS)
        synod__coordinator_send (SYNOD__ROLE_PARTY, 1u << in->from, SYNOD__SAY_DECIDED, out)->outcome =
            SYNOD__OUTCOME_ABORTED;
}

void synod__coordinator_free (synod__coordinator_t *self)
{
    synod__tally_free (&self->tally);
    memset (self, 0, sizeof *self);
}
