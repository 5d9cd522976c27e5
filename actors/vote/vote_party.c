/* SPDX-License-Identifier: MPL-2.0
 *
 * The participant: what is the same in all protocols. Its state is on the disk before anybody hears of it; only an
 * abort that others decided is written lazily, since who forgets it asks again.
 *
 * Invariants: states only go forward (IDLE, PREPARED, PRECOMMITTED, COMMITTED or ABORTED); from PREPARED on, nobody but
 * who knows, or an operator, says what becomes of it.
 */
#include <assert.h>
#include "vote_parts.h"

void synod__party_begin (synod__party_t *self, const synod__vote_tx_t *tx, uint32_t index,
                         const synod__party_record_t *record, const synod__paxos_self_t *who, bool named)
{
    assert (index < tx->parties && tx->parties <= SYNOD__PARTIES_MAX);
    memset (self, 0, sizeof *self);
    self->tx = tx;
    self->index = index;
    self->record = *record;
    self->named = named;
    synod__tally_begin (&self->tally, tx, who, &self->record.round);
}

void synod__party_become (synod__party_t *self, synod__party_state_t state, synod__vote_write_t write,
                          synod__vote_step_t *out)
{
    self->record.state = state;
    synod__vote_write (write, out);
}

void synod__party_ask (synod__party_t *self, bool peers, synod__vote_step_t *out)
{
    synod__party_send (self, SYNOD__ROLE_COORDINATOR, 1, SYNOD__SAY_ASK, out);
    if (peers)
        synod__party_send (self, SYNOD__ROLE_PARTY, synod__party_peers (self), SYNOD__SAY_ASK, out);
    self->heard = self->operational = 0;
    self->led = false;
}

void synod__party_return (synod__party_t *self, uint64_t random, synod__vote_step_t *out)
{
    synod__vote_step_clear (out);
    if (!synod__party_waits (self))
        return;
    self->returned = true;
    synod__party_ask (self, false, out);
    out->wait_ms = synod__vote_wait_ms (0, random);
}

static void s_ack (const synod__party_t *self, synod__outcome_t outcome, synod__vote_step_t *out)
{
    bool wanted = outcome == SYNOD__OUTCOME_COMMITTED || synod__vote_ops (self->tx->protocol)->abort_acked;
    if (wanted)
        synod__party_send (self, SYNOD__ROLE_COORDINATOR, 1, SYNOD__SAY_ACK, out)->outcome = outcome;
}

/* What it has voted, again or for the first time. */
static void s_say (synod__party_t *self, uint64_t random, synod__vote_step_t *out)
{
    /* what an operator forced is no decision: to others it is as it was */
    switch (self->record.forced ? SYNOD__PARTY_PREPARED : self->record.state) {
    case SYNOD__PARTY_PREPARED:
    case SYNOD__PARTY_PRECOMMITTED:
        synod__vote_ops (self->tx->protocol)->say (self, random, out);
        out->wait_ms = synod__vote_wait_ms (self->tries, random);
        break;
    case SYNOD__PARTY_EMPTY:
        /* counted as yes wherever votes are counted */
        synod__vote_ops (self->tx->protocol)->say (self, random, out);
        synod__party_send (self, SYNOD__ROLE_COORDINATOR, 1, SYNOD__SAY_VOTE, out)->vote = SYNOD__VOTE_EMPTY;
        break;
    case SYNOD__PARTY_ABORTED:
        synod__party_send (self, SYNOD__ROLE_COORDINATOR, 1, SYNOD__SAY_VOTE, out)->vote = SYNOD__VOTE_NO;
        break;
    case SYNOD__PARTY_COMMITTED:
        s_ack (self, SYNOD__OUTCOME_COMMITTED, out);
        break;
    case SYNOD__PARTY_IDLE:
        break;
    }
}

void synod__party_prepare (synod__party_t *self, synod__vote_t vote, uint64_t random, synod__vote_step_t *out)
{
    synod__vote_step_clear (out);
    if (self->record.state == SYNOD__PARTY_IDLE) {
        bool written = !SYNOD__VOTE_MUTANT (VOTE_NOT_WRITTEN);
        bool refused = vote == SYNOD__VOTE_NO || !synod__party_may (self);
        synod__party_state_t state = refused                     ? SYNOD__PARTY_ABORTED
                                     : vote == SYNOD__VOTE_EMPTY ? SYNOD__PARTY_EMPTY
                                                                 : SYNOD__PARTY_PREPARED;
        if (SYNOD__VOTE_MUTANT (NO_NOT_WRITTEN) && refused)
            written = false;
        synod__party_become (self, state, written ? SYNOD__WRITE_FORCED : SYNOD__WRITE_LAZY, out);
        if (refused)
            out->decided = SYNOD__OUTCOME_ABORTED;
    }
    s_say (self, random, out);
}

void synod__party_decide (synod__party_t *self, synod__outcome_t outcome, bool tell, synod__vote_step_t *out)
{
    assert (synod__party_waits (self));
    bool commits = outcome == SYNOD__OUTCOME_COMMITTED;
    /* who decides must not forget; of what others decided only a commit is acknowledged */
    bool forced =
        (commits && !SYNOD__VOTE_MUTANT (ACK_NOT_FORCED)) || tell || synod__vote_ops (self->tx->protocol)->abort_acked;
    synod__party_become (self, commits ? SYNOD__PARTY_COMMITTED : SYNOD__PARTY_ABORTED,
                         forced ? SYNOD__WRITE_FORCED : SYNOD__WRITE_LAZY, out);
    out->decided = outcome;
    out->ended = true;
    if (tell)
        synod__party_send (self, SYNOD__ROLE_PARTY, synod__party_peers (self), SYNOD__SAY_DECIDED, out)->outcome =
            outcome;
    s_ack (self, outcome, out);
    synod__tally_free (&self->tally);
}

static void s_wrong (int code, const char *error, synod__vote_step_t *out)
{
    out->code = code;
    out->error = error;
}

static void s_on_decided (synod__party_t *self, const synod__vote_message_t *in, synod__vote_step_t *out)
{
    synod__party_state_t state = self->record.state;
    bool commits = in->outcome == SYNOD__OUTCOME_COMMITTED;
    if (in->outcome == SYNOD__OUTCOME_NONE)
        s_wrong (SYNOD_BAD_REQUEST, "expected an outcome", out);
    else if (synod__party_waits (self))
        synod__party_decide (self, in->outcome, false, out);
    else if (state == SYNOD__PARTY_IDLE && commits)
        s_wrong (SYNOD_REFUSED, "told to commit what was never prepared here", out);
    else if (state == SYNOD__PARTY_IDLE) {
        /* what PREPARE may yet come finds it voted */
        synod__party_become (self, SYNOD__PARTY_ABORTED, SYNOD__WRITE_FORCED, out);
        out->decided = SYNOD__OUTCOME_ABORTED;
        s_ack (self, in->outcome, out);
    } else if (self->record.forced && state == (commits ? SYNOD__PARTY_ABORTED : SYNOD__PARTY_COMMITTED)) {
        out->contradicts = true;
        s_ack (self, in->outcome, out); /* the coordinator is done with it; the operator is not */
    } else if (state == SYNOD__PARTY_EMPTY || state == (commits ? SYNOD__PARTY_COMMITTED : SYNOD__PARTY_ABORTED))
        s_ack (self, in->outcome, out);
    else /* somebody who had forgotten found nothing any more: all had acknowledged the other outcome */
        s_ack (self, state == SYNOD__PARTY_COMMITTED ? SYNOD__OUTCOME_COMMITTED : SYNOD__OUTCOME_ABORTED, out);
}

/* Somebody else is blocked. */
static void s_on_ask (synod__party_t *self, const synod__vote_message_t *in, synod__vote_step_t *out)
{
    synod__party_state_t state = self->record.forced ? SYNOD__PARTY_PREPARED : self->record.state;
    uint32_t to = in->role == SYNOD__ROLE_PARTY ? 1u << in->from : 1;
    if (state == SYNOD__PARTY_IDLE) {
        /* not asked to vote yet: it will vote no, and so it may say so now */
        bool written = !SYNOD__VOTE_MUTANT (PEER_ABORT_NOT_WRITTEN);
        if (written)
            synod__party_become (self, SYNOD__PARTY_ABORTED, SYNOD__WRITE_FORCED, out);
        out->decided = SYNOD__OUTCOME_ABORTED;
        state = SYNOD__PARTY_ABORTED;
    }
    if (state == SYNOD__PARTY_COMMITTED || state == SYNOD__PARTY_ABORTED) {
        synod__party_send (self, in->role, to, SYNOD__SAY_DECIDED, out)->outcome =
            state == SYNOD__PARTY_COMMITTED ? SYNOD__OUTCOME_COMMITTED : SYNOD__OUTCOME_ABORTED;
        return;
    }
    synod__vote_message_t *message = synod__party_send (self, in->role, to, SYNOD__SAY_STATE, out);
    message->state = state;
    message->returned = self->returned;
}

void synod__party_take (synod__party_t *self, const synod__vote_message_t *in, uint64_t random, synod__vote_step_t *out)
{
    synod__vote_step_clear (out);
    if (in->role == SYNOD__ROLE_PARTY && (in->from >= self->tx->parties || in->from == self->index))
        s_wrong (SYNOD_BAD_REQUEST, "expected the number of another participant", out);
    else if (in->kind == SYNOD__SAY_DECIDED && in->role != SYNOD__ROLE_ACCEPTOR)
        s_on_decided (self, in, out);
    else if (in->kind == SYNOD__SAY_ASK && in->role != SYNOD__ROLE_ACCEPTOR)
        s_on_ask (self, in, out);
    else if (in->kind == SYNOD__SAY_STATE && in->role == SYNOD__ROLE_COORDINATOR)
        self->led = self->led || !in->returned;
    else if (in->kind == SYNOD__SAY_STATE || in->kind == SYNOD__SAY_PRECOMMIT || in->kind == SYNOD__SAY_PRECOMMITTED ||
             in->kind == SYNOD__SAY_PAXOS)
        synod__vote_ops (self->tx->protocol)->party_take (self, in, random, out);
    else
        s_wrong (SYNOD_BAD_REQUEST, "expected a message for a participant", out);
}

void synod__party_timer (synod__party_t *self, uint64_t random, synod__vote_step_t *out)
{
    synod__vote_step_clear (out);
    if (!synod__party_waits (self))
        return;
    out->wait_ms = synod__vote_wait_ms (self->tries, random);
    synod__vote_ops (self->tx->protocol)->blocked (self, random, out);
    self->tries++;
}

void synod__party_force (synod__party_t *self, synod__outcome_t outcome, synod__vote_step_t *out)
{
    synod__vote_step_clear (out);
    if (!synod__party_waits (self)) {
        s_wrong (SYNOD_REFUSED, "it is not in doubt here", out);
        return;
    }
    self->record.forced = true;
    bool commits = outcome == SYNOD__OUTCOME_COMMITTED;
    synod__party_become (self, commits ? SYNOD__PARTY_COMMITTED : SYNOD__PARTY_ABORTED, SYNOD__WRITE_FORCED, out);
    out->decided = outcome;
    synod__tally_free (&self->tally); /* and nobody is told: it is no decision */
}

void synod__party_free (synod__party_t *self)
{
    synod__tally_free (&self->tally);
    memset (self, 0, sizeof *self);
}
