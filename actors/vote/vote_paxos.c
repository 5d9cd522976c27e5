/* SPDX-License-Identifier: MPL-2.0
 *
 * Paxos Commit. Each participant's vote is one decree, decided by the acceptors with the core of actors/place/paxos.h.
 * The participant itself has ballot 0 (synod__vote_ballot_0, below that of any store), which needs no promise, since
 * none but the owner that the transaction names may use it; so its vote goes to the acceptors at once, and they tell
 * the coordinator. Whoever is left waiting recovers: a later ballot for each vote that it does not know, which proposes
 * NO where nothing was accepted, and nothing else.
 *
 * What one turn sends to one acceptor leaves in one frame and is committed once, so that the votes of a transaction are
 * bundled without a word about it here.
 *
 * Invariants: under ballot 0 a participant says one thing; the outcome is COMMITTED if all votes chosen are yes, and
 * ABORTED if one is no.
 */
#include <assert.h>
#include <stdlib.h>
#include "vote_parts.h"

/* ---- counting ---- */

void synod__tally_begin (synod__tally_t *self, const synod__vote_tx_t *tx, const synod__paxos_self_t *who,
                         uint64_t *round)
{
    memset (self, 0, sizeof *self);
    self->tx = tx;
    self->self = *who;
    self->round = round;
    if (tx->acceptors.count && *round == 0)
        *round = synod__vote_ballot_0.round; /* recovery begins above */
}

void synod__tally_free (synod__tally_t *self)
{
    for (uint32_t i = 0; self->efforts && i < self->tx->parties; i++)
        synod__proposer_free (&self->efforts[i]);
    free (self->efforts);
    self->efforts = NULL;
}

static synod__outcome_t s_outcome (const synod__tally_t *self)
{
    uint32_t yes = 0;
    for (uint32_t i = 0; i < self->tx->parties; i++) {
        if (self->chosen[i] == SYNOD__VOTE_NO)
            return SYNOD__OUTCOME_ABORTED;
        yes += self->chosen[i] == SYNOD__VOTE_YES;
    }
    return yes == self->tx->parties ? SYNOD__OUTCOME_COMMITTED : SYNOD__OUTCOME_NONE;
}

/* Carries a proposer's step out. FROM: who runs it. */
static void s_carry (synod__tally_t *self, uint32_t instance, const synod__proposer_step_t *step,
                     synod__vote_role_t role, uint32_t from, synod__vote_step_t *out)
{
    if (step->write)
        synod__vote_write (SYNOD__WRITE_FORCED, out);
    synod__vote_t vote = synod__vote_of_value (step->message.value);
    if (step->to && (!step->message.value.data || vote != SYNOD__VOTE_NONE)) {
        synod__vote_message_t *message =
            synod__coordinator_send (SYNOD__ROLE_ACCEPTOR, step->to, SYNOD__SAY_PAXOS, out);
        message->role = role;
        message->from = from;
        message->instance = instance;
        message->paxos = step->message;
        if (step->message.value.data) /* not the effort's own, which may be over before it is sent */
            message->paxos.value = synod__vote_value (vote);
    }
    if (step->wait_ms && (!out->wait_ms || step->wait_ms < out->wait_ms))
        out->wait_ms = step->wait_ms;
    if (step->done && step->code == SYNOD_OK)
        self->chosen[instance] = synod__vote_of_value (step->value);
}

/* Begins a ballot for each vote that is not known, or goes on with those that were begun. */
static void s_recover (synod__tally_t *self, synod__vote_role_t role, uint32_t from, uint64_t random,
                       synod__vote_step_t *out)
{
    synod__proposer_step_t step;
    bool begun = self->efforts != NULL;
    if (!begun)
        self->efforts = (synod__proposer_t *) calloc (self->tx->parties, sizeof *self->efforts);
    if (!self->efforts)
        return; /* no memory: another time, or another leader */
    for (uint32_t i = 0; i < self->tx->parties; i++) {
        synod__proposer_t *effort = &self->efforts[i];
        if (self->chosen[i] != SYNOD__VOTE_NONE)
            continue;
        /* an effort that came to an end without a value found too few acceptors: another one */
        if (begun && effort->set && effort->phase != SYNOD__PROPOSER_DONE)
            synod__proposer_timer (effort, random, &step);
        else
            synod__proposer_begin (
                effort, &self->tx->acceptors, &self->self, self->round,
                synod__vote_value (SYNOD__VOTE_MUTANT (FREE_CHOICE) ? SYNOD__VOTE_YES : SYNOD__VOTE_NO), random, &step);
        s_carry (self, i, &step, role, from, out);
    }
}

static bool s_majority (const synod__tally_t *self, uint32_t bits)
{
    uint32_t needed = SYNOD__VOTE_MUTANT (DECISION_BEFORE_QUORUM) ? 1 : synod__paxos_majority (&self->tx->acceptors);
    return (uint32_t) __builtin_popcount (bits) >= needed;
}

/* What an acceptor says of a participant's own ballot. */
static void s_count (synod__tally_t *self, const synod__vote_message_t *in)
{
    const synod__paxos_message_t *paxos = &in->paxos;
    synod__vote_t vote = synod__vote_of_value (paxos->value);
    if (vote == SYNOD__VOTE_NONE || in->from >= self->tx->acceptors.count)
        return;
    const synod__acceptor_name_t *acceptor = &self->tx->acceptors.acceptors[in->from];
    if (paxos->set != self->tx->acceptors.digest || synod__store_id_compare (&paxos->id, &acceptor->id) != 0)
        return; /* another store than the one named: what that one promised is forgotten */
    if (paxos->kind == SYNOD__PAXOS_CHOSEN) {
        self->chosen[in->instance] = vote;
        return;
    }
    if (paxos->kind != SYNOD__PAXOS_ACCEPTED || synod__ballot_compare (&paxos->ballot, &synod__vote_ballot_0) != 0)
        return;
    uint32_t *bits = &self->accepted[in->instance][vote == SYNOD__VOTE_NO];
    *bits |= 1u << in->from;
    if (s_majority (self, *bits))
        self->chosen[in->instance] = vote;
}

static void s_take (synod__tally_t *self, const synod__vote_message_t *in, synod__vote_role_t role, uint32_t from,
                    uint64_t random, synod__vote_step_t *out)
{
    if (in->instance >= self->tx->parties || self->chosen[in->instance] != SYNOD__VOTE_NONE)
        return;
    s_count (self, in);
    if (self->chosen[in->instance] != SYNOD__VOTE_NONE || !self->efforts || !self->efforts[in->instance].set)
        return;
    synod__proposer_step_t step;
    synod__proposer_take (&self->efforts[in->instance], &in->paxos, random, &step);
    s_carry (self, in->instance, &step, role, from, out);
}

/* ---- the participant ---- */

static void s_say (synod__party_t *self, uint64_t random, synod__vote_step_t *out)
{
    (void) random;
    if (!self->named) {
        /* not the owner that the transaction names: ballot 0 is not its to use. Who coordinates will recover */
        synod__party_send (self, SYNOD__ROLE_COORDINATOR, 1, SYNOD__SAY_VOTE, out)->vote = SYNOD__VOTE_YES;
        return;
    }
    synod__vote_message_t *message =
        synod__party_send (self, SYNOD__ROLE_ACCEPTOR, (1u << self->tx->acceptors.count) - 1, SYNOD__SAY_PAXOS, out);
    message->instance = self->index;
    message->paxos = (synod__paxos_message_t){.kind = SYNOD__PAXOS_ACCEPT,
                                              .set = self->tx->acceptors.digest,
                                              .name = self->tally.self.name,
                                              .id = self->tally.self.id,
                                              .ballot = synod__vote_ballot_0,
                                              .value = synod__vote_value (SYNOD__VOTE_YES)};
}

static void s_blocked (synod__party_t *self, uint64_t random, synod__vote_step_t *out)
{
    bool led = self->led; /* who coordinates has said that it does: it will not wait for ever, and knows how long */
    if (led || self->tries < 2 || random % 4 == 0)
        synod__party_ask (self, self->tries > 0 && !led, out);
    if (led || self->tries < 2)
        return;
    out->wait_ms = 0;
    s_recover (&self->tally, SYNOD__ROLE_PARTY, self->index, random, out);
    synod__outcome_t outcome = s_outcome (&self->tally);
    if (outcome != SYNOD__OUTCOME_NONE)
        synod__party_decide (self, outcome, true, out);
    else if (!out->wait_ms)
        out->wait_ms = synod__vote_wait_ms (self->tries, random);
}

static void s_party_take (synod__party_t *self, const synod__vote_message_t *in, uint64_t random,
                          synod__vote_step_t *out)
{
    if (in->kind != SYNOD__SAY_PAXOS || in->role != SYNOD__ROLE_ACCEPTOR || !synod__party_waits (self))
        return;
    s_take (&self->tally, in, SYNOD__ROLE_PARTY, self->index, random, out);
    synod__outcome_t outcome = s_outcome (&self->tally);
    if (outcome != SYNOD__OUTCOME_NONE)
        synod__party_decide (self, outcome, true, out);
}

/* ---- the coordinator ---- */

static void s_known (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out)
{
    synod__outcome_t outcome = s_outcome (&self->tally);
    if (outcome != SYNOD__OUTCOME_NONE)
        synod__coordinator_decide (self, outcome, random, out);
}

static void s_lead (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out)
{
    self->phase = SYNOD__COORDINATOR_LEARNING;
    s_recover (&self->tally, SYNOD__ROLE_COORDINATOR, 0, random, out);
    if (!out->wait_ms)
        out->wait_ms = synod__vote_wait_ms (self->tries, random);
    s_known (self, random, out);
}

/* Votes come by the acceptors. Straight from the participant come NO, EMPTY, and a yes whose owner has changed. */
static void s_voted (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out)
{
    for (uint32_t i = 0; i < self->tx->parties; i++)
        if (self->votes[i] == SYNOD__VOTE_YES && self->tally.chosen[i] == SYNOD__VOTE_NONE && !self->tally.efforts) {
            s_lead (self, random, out);
            return;
        }
}

static void s_patience (synod__coordinator_t *self, bool expired, uint64_t random, synod__vote_step_t *out)
{
    if (expired && SYNOD__VOTE_MUTANT (TIMEOUT_ABORTS)) {
        synod__coordinator_decide (self, SYNOD__OUTCOME_ABORTED, random, out);
        return;
    }
    if (expired || self->phase == SYNOD__COORDINATOR_LEARNING) {
        self->tries++;
        s_lead (self, random, out);
        return;
    }
    uint32_t bits = 0;
    for (uint32_t i = 0; i < self->tx->parties; i++)
        bits |= self->tally.chosen[i] == SYNOD__VOTE_NONE ? 1u << i : 0;
    synod__coordinator_collect (self, bits, random, out);
}

/* Some may know: they are asked before the acceptors are, which, if all know, have forgotten. */
static void s_returned (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out)
{
    synod__coordinator_send (SYNOD__ROLE_PARTY, synod__vote_all (self->tx), SYNOD__SAY_ASK, out);
    out->wait_ms = synod__vote_wait_ms (0, random);
}

static void s_coordinator_take (synod__coordinator_t *self, const synod__vote_message_t *in, uint64_t random,
                                synod__vote_step_t *out)
{
    if (in->kind != SYNOD__SAY_PAXOS)
        return;
    s_take (&self->tally, in, SYNOD__ROLE_COORDINATOR, 0, random, out);
    s_known (self, random, out);
}

const synod__vote_ops_t synod__vote_paxos = {.say = s_say,
                                             .blocked = s_blocked,
                                             .party_take = s_party_take,
                                             .voted = s_voted,
                                             .patience = s_patience,
                                             .coordinator_take = s_coordinator_take,
                                             .returned = s_returned,
                                             .commit = SYNOD__WRITE_LAZY,
                                             .abort_acked = true};

/* ---- the acceptor ---- */

void synod__vote_accept (const synod__vote_tx_t *tx, uint32_t index, const synod__paxos_self_t *self,
                         const synod__paxos_record_t *stored, const synod__vote_message_t *in,
                         synod__vote_acceptor_step_t *out)
{
    const synod__paxos_message_t *paxos = &in->paxos;
    memset (out, 0, sizeof *out);
    if (in->kind == SYNOD__SAY_FORGET) {
        out->forget = in->role == SYNOD__ROLE_COORDINATOR;
        return;
    }
    if (in->kind != SYNOD__SAY_PAXOS || in->instance >= tx->parties || in->role == SYNOD__ROLE_ACCEPTOR)
        return;
    static const synod__store_id_t none;
    bool first = synod__store_id_compare (&paxos->ballot.proposer, &none) == 0 && paxos->kind != SYNOD__PAXOS_CHOSEN;
    /* the ballot without a store is the participant's whose vote it is, and there is nothing to be promised for it */
    if (first && (in->role != SYNOD__ROLE_PARTY || in->from != in->instance || paxos->kind != SYNOD__PAXOS_ACCEPT ||
                  paxos->ballot.round != synod__vote_ballot_0.round))
        return;
    if ((paxos->kind == SYNOD__PAXOS_ACCEPT || paxos->kind == SYNOD__PAXOS_CHOSEN) &&
        synod__vote_of_value (paxos->value) == SYNOD__VOTE_NONE)
        return;
    synod__acceptor_step_t step;
    synod__acceptor_step (&tx->acceptors, self, stored, paxos, &step);
    out->write = step.write;
    out->record = step.record;
    if (!step.send)
        return;
    out->nsends = 1;
    out->send.role = first ? SYNOD__ROLE_COORDINATOR : in->role;
    out->send.bits = first || in->role == SYNOD__ROLE_COORDINATOR ? 1 : 1u << in->from;
    out->send.message = (synod__vote_message_t){.kind = SYNOD__SAY_PAXOS,
                                                .role = SYNOD__ROLE_ACCEPTOR,
                                                .from = index,
                                                .instance = in->instance,
                                                .paxos = step.message};
    /* who counts must know what was accepted, and was not the one who asked */
    if (step.message.kind == SYNOD__PAXOS_ACCEPTED && first)
        out->send.message.paxos.value = paxos->value;
}
