/* SPDX-License-Identifier: MPL-2.0
 *
 * Three-phase commit. When all have voted yes the coordinator has them pre-commit, and commits when those that live
 * have. When it is silent, the first participant that lives leads: anybody that knows decides; anybody that has
 * pre-committed means that all are brought to it, then commit; else abort. Who crashed meanwhile leads nothing and is
 * not counted, until somebody knows or all are there.
 *
 * NOT SAFE UNDER A PARTITION: one side may have pre-committed and commit, while the other, where nobody has, aborts.
 * So may an asynchronous network that is too slow for its time limits. It is here to be compared with.
 */
#include "vote_parts.h"

static void s_say (synod__party_t *self, uint64_t random, synod__vote_step_t *out)
{
    (void) random;
    if (self->record.state == SYNOD__PARTY_PRECOMMITTED)
        synod__party_send (self, SYNOD__ROLE_COORDINATOR, 1, SYNOD__SAY_PRECOMMITTED, out);
    else if (self->record.state != SYNOD__PARTY_EMPTY)
        synod__party_send (self, SYNOD__ROLE_COORDINATOR, 1, SYNOD__SAY_VOTE, out)->vote = SYNOD__VOTE_YES;
}

/* ---- termination ---- */

/* One step of who leads, from the states of those in COUNTED. */
static void s_lead (synod__party_t *self, uint32_t counted, synod__vote_step_t *out)
{
    uint32_t pre = 0;
    self->states[self->index] = self->record.state;
    for (uint32_t i = 0; i < self->tx->parties; i++)
        if (counted & 1u << i && self->states[i] == SYNOD__PARTY_PRECOMMITTED)
            pre |= 1u << i;
    if (!pre)
        synod__party_decide (self, SYNOD__OUTCOME_ABORTED, true, out);
    else if (pre == counted || SYNOD__VOTE_MUTANT (TERMINATION_SKIPS_PRECOMMIT))
        synod__party_decide (self, SYNOD__OUTCOME_COMMITTED, true, out);
    else {
        if (self->record.state == SYNOD__PARTY_PREPARED)
            synod__party_become (self, SYNOD__PARTY_PRECOMMITTED, SYNOD__WRITE_FORCED, out);
        synod__party_send (self, SYNOD__ROLE_PARTY, counted & ~pre & ~(1u << self->index), SYNOD__SAY_PRECOMMIT, out);
    }
}

static void s_blocked (synod__party_t *self, uint64_t random, synod__vote_step_t *out)
{
    (void) random;
    uint32_t self_bit = 1u << self->index;
    bool everybody = (self->heard | self_bit) == synod__vote_all (self->tx);
    uint32_t counted = everybody ? self->heard | self_bit : self->operational | (self->returned ? 0 : self_bit);
    /* those with nothing to vote on do not know, and are not asked to lead */
    for (uint32_t i = 0; i < self->tx->parties; i++)
        if (i != self->index && self->states[i] == SYNOD__PARTY_EMPTY)
            counted &= ~(1u << i);
    bool leads = self->tries > 0 && !self->led && counted & self_bit && (counted & (self_bit - 1)) == 0;
    if (leads)
        s_lead (self, counted, out);
    if (synod__party_waits (self))
        synod__party_ask (self, true, out);
}

static void s_party_take (synod__party_t *self, const synod__vote_message_t *in, uint64_t random,
                          synod__vote_step_t *out)
{
    if (in->kind == SYNOD__SAY_PRECOMMIT) {
        uint32_t to = in->role == SYNOD__ROLE_PARTY ? 1u << in->from : 1;
        if (!synod__party_waits (self))
            return; /* it knows better, and will be asked */
        if (self->record.state == SYNOD__PARTY_PREPARED)
            synod__party_become (self, SYNOD__PARTY_PRECOMMITTED, SYNOD__WRITE_FORCED, out);
        synod__party_send (self, in->role, to, SYNOD__SAY_PRECOMMITTED, out);
        self->tries = 0; /* somebody leads */
        self->led = true;
        out->wait_ms = synod__vote_wait_ms (0, random);
        return;
    }
    if (in->role != SYNOD__ROLE_PARTY || in->kind == SYNOD__SAY_PAXOS)
        return;
    bool pre = in->kind == SYNOD__SAY_PRECOMMITTED;
    self->heard |= 1u << in->from;
    if (pre || !in->returned)
        self->operational |= 1u << in->from;
    self->states[in->from] = pre ? SYNOD__PARTY_PRECOMMITTED : in->state;
}

/* ---- the coordinator ---- */

static uint32_t s_yes (const synod__coordinator_t *self)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < self->tx->parties; i++)
        bits |= self->votes[i] == SYNOD__VOTE_YES ? 1u << i : 0;
    return bits;
}

static void s_voted (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out)
{
    bool no;
    if (self->phase != SYNOD__COORDINATOR_COLLECTING ||
        synod__coordinator_votes (self, &no) != synod__vote_all (self->tx))
        return;
    if (SYNOD__VOTE_MUTANT (NO_PRECOMMIT) || !s_yes (self)) {
        synod__coordinator_decide (self, SYNOD__OUTCOME_COMMITTED, random, out);
        return;
    }
    self->phase = SYNOD__COORDINATOR_PRECOMMITTING;
    self->record.precommitted = true;
    self->tries = 0;
    synod__vote_write (SYNOD__WRITE_FORCED, out);
    synod__coordinator_send (SYNOD__ROLE_PARTY, s_yes (self), SYNOD__SAY_PRECOMMIT, out);
    out->wait_ms = synod__vote_wait_ms (0, random);
}

static void s_patience (synod__coordinator_t *self, bool expired, uint64_t random, synod__vote_step_t *out)
{
    bool no;
    uint32_t voted = synod__coordinator_votes (self, &no);
    out->wait_ms = synod__vote_wait_ms (self->tries, random);
    if (self->phase == SYNOD__COORDINATOR_COLLECTING) {
        if (expired)
            synod__coordinator_decide (self, SYNOD__OUTCOME_ABORTED, random, out);
        else
            synod__coordinator_collect (self, synod__vote_all (self->tx) & ~voted, random, out);
    } else if (self->phase == SYNOD__COORDINATOR_LEARNING)
        synod__coordinator_send (SYNOD__ROLE_PARTY, synod__vote_all (self->tx), SYNOD__SAY_ASK, out);
    else if (self->precommitted) /* the others are dead, or will learn */
        synod__coordinator_decide (self, SYNOD__OUTCOME_COMMITTED, random, out);
    else
        synod__coordinator_send (SYNOD__ROLE_PARTY, s_yes (self), SYNOD__SAY_PRECOMMIT, out);
}

static void s_coordinator_take (synod__coordinator_t *self, const synod__vote_message_t *in, uint64_t random,
                                synod__vote_step_t *out)
{
    if (in->kind != SYNOD__SAY_PRECOMMITTED || self->phase != SYNOD__COORDINATOR_PRECOMMITTING)
        return;
    self->precommitted |= 1u << in->from;
    if ((self->precommitted & s_yes (self)) == s_yes (self))
        synod__coordinator_decide (self, SYNOD__OUTCOME_COMMITTED, random, out);
}

/* With a record it may have been taken for dead, and others may have decided: it asks. */
static void s_returned (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out)
{
    if (self->record.precommitted)
        s_patience (self, false, random, out);
    else
        synod__coordinator_decide (self, SYNOD__OUTCOME_ABORTED, random, out);
}

const synod__vote_ops_t synod__vote_3pc = {.say = s_say,
                                           .blocked = s_blocked,
                                           .party_take = s_party_take,
                                           .voted = s_voted,
                                           .patience = s_patience,
                                           .coordinator_take = s_coordinator_take,
                                           .returned = s_returned,
                                           .early = true,
                                           .commit = SYNOD__WRITE_FORCED};
