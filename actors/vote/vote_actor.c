/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `vote`: coordinates the transactions whose ids are its partition's keys, with the core of vote.h. Its memory
 * is the transactions under way; what must outlast it is in its store (vote_actor_store.c).
 *
 * Invariant: what a step writes is in the batch of the handler that sends, and a turn's messages leave only when a
 * majority has it; so nothing that the core wants forced is said before it is safe.
 */
#include <stdlib.h>
#include "vote_actor_parts.h"
#include "actors/runtime/place.h"
#include "actors/runtime/runtime.h"

#define S_SWEEP_MS 60000

synod__voting_t *synod__voting_find (const synod__vote_state_t *self, synod_str_t id)
{
    synod__voting_t *voting = self->votings;
    while (voting && !synod_str_is (id, voting->txn.id.id))
        voting = voting->next;
    return voting;
}

synod__voting_t *synod__voting_new (synod__vote_state_t *self, synod__txn_t *txn)
{
    synod__voting_t *voting = (synod__voting_t *) calloc (1, sizeof *voting);
    if (!voting)
        abort (); /* nothing half done may go on */
    voting->txn = *txn;
    memset (txn, 0, sizeof *txn);
    voting->next = self->votings;
    self->votings = voting;
    self->count++;
    return voting;
}

void synod__voting_end (synod__vote_state_t *self, synod__voting_t *voting)
{
    synod__voting_t **at = &self->votings;
    while (*at != voting)
        at = &(*at)->next;
    *at = voting->next;
    self->count--;
    synod__coordinator_free (&voting->core);
    synod__txn_free (&voting->txn);
    synod_buf_free (&voting->ops);
    synod_buf_free (&voting->reasons);
    free (voting);
}

/* All transactions of this partition below it have ended; that they have may not be durable yet. */
static uint64_t s_low (const synod__vote_state_t *self)
{
    uint64_t low = self->next;
    for (const synod__voting_t *voting = self->votings; voting; voting = voting->next)
        low = voting->txn.id.number < low ? voting->txn.id.number : low;
    return low;
}

static int s_add_reason (synod__voting_t *voting, uint32_t party, synod_str_t why)
{
    synod_list_t list = {synod_str_n (voting->reasons.data, voting->reasons.size), voting->nreasons};
    synod__txn_reason_t reason = {.who = synod_str (voting->txn.addresses[party]), .why = why};
    int rc = synod_list_add (&list, &voting->reasons, &synod__txn_reason_record, &reason, NULL);
    voting->nreasons = rc == SYNOD_OK ? list.count : voting->nreasons;
    return rc;
}

/* Its time is over. */
static int s_blame (const synod_ctx_t *ctx, synod__voting_t *voting)
{
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < voting->txn.tx.parties && rc == SYNOD_OK; i++) {
        bool there = synod__rt_reachable (ctx->rt, voting->txn.addresses[i]);
        if (voting->core.votes[i] == SYNOD__VOTE_NONE && voting->core.tally.chosen[i] == SYNOD__VOTE_NONE)
            rc = s_add_reason (voting, i,
                               synod_str (there ? "it had not voted when the time was over"
                                                : "it had not voted when the time was over: nobody runs that actor"));
    }
    return rc;
}

static int s_on_timer (synod_ctx_t *ctx, void *state, uint64_t arg);

static int s_answer_all (synod_ctx_t *ctx, synod__voting_t *voting)
{
    synod_list_t reasons = {synod_str_n (voting->reasons.data, voting->reasons.size), voting->nreasons};
    int rc = SYNOD_OK;
    if (voting->core.record.outcome == SYNOD__OUTCOME_COMMITTED) /* after all: those late had voted */
        memset (&reasons, 0, sizeof reasons);
    for (uint32_t i = 0; i < voting->ncalls && rc == SYNOD_OK; i++)
        rc = synod__vote_answer (ctx, voting->calls[i], synod_str (voting->txn.id.id), voting->core.record.outcome,
                                 &reasons, false);
    voting->ncalls = 0;
    return rc;
}

/* The deadline cuts a wait short. */
static int s_wait (synod_ctx_t *ctx, synod__voting_t *voting, uint32_t wait_ms)
{
    int64_t left_ms = (voting->until_us - synod_now_us (ctx)) / 1000 + 1;
    if (voting->core.phase < SYNOD__COORDINATOR_LEARNING && left_ms > 0 && left_ms < wait_ms)
        wait_ms = (uint32_t) left_ms;
    synod_cancel (ctx, voting->timer);
    return synod_after (ctx, wait_ms, s_on_timer, voting->txn.id.number, &voting->timer);
}

static int s_carry (synod_ctx_t *ctx, synod__vote_state_t *self, synod__voting_t *voting,
                    const synod__vote_step_t *step)
{
    int rc = step->code == SYNOD_OK ? SYNOD_OK : synod_error (ctx, step->code, "%s", step->error);
    bool forgets = step->write == SYNOD__WRITE_LAZY && (voting->core.record.outcome == SYNOD__OUTCOME_COMMITTED
                                                            ? SYNOD__VOTE_MUTANT (COMMIT_NOT_FORCED)
                                                            : SYNOD__VOTE_MUTANT (ABORT_NOT_FORCED) && step->decided);
    /* that it has ended: lost, those that had acknowledged are asked again, and do so */
    if (step->ended && !step->decided)
        synod__ctx_lazily (ctx, false);
    if (step->write == SYNOD__WRITE_FORCED && !step->ended)
        voting->low = s_low (self);
    if (rc == SYNOD_OK && step->write && !forgets)
        rc = synod__vote_put (ctx, voting);
    if (rc == SYNOD_OK && step->decided)
        rc = s_answer_all (ctx, voting);
    synod__txn_more_t more = {.low = self->low, .ops = voting->op};
    synod__ctx_early (ctx, step->early);
    for (uint32_t i = 0; i < step->nsends && rc == SYNOD_OK; i++)
        synod__txn_tell (ctx, &voting->txn, &step->sends[i], &more);
    synod__ctx_early (ctx, false);
    if (rc == SYNOD_OK && step->wait_ms && !step->ended)
        rc = s_wait (ctx, voting, step->wait_ms);
    /* they have acknowledged what left when its record was durable, and so all was that had ended before */
    if (step->ended && !step->decided && voting->low > self->low)
        self->low = voting->low;
    if (rc == SYNOD_OK && step->ended) {
        synod_cancel (ctx, voting->timer);
        synod__voting_end (self, voting);
    }
    return rc;
}

static int s_on_timer (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod__vote_state_t *self = (synod__vote_state_t *) state;
    synod__voting_t *voting = self->votings;
    while (voting && voting->txn.id.number != arg)
        voting = voting->next;
    if (!voting || !voting->begun)
        return SYNOD_OK;
    synod__vote_step_t step;
    bool expired = synod_now_us (ctx) >= voting->until_us;
    int rc = expired && voting->core.phase == SYNOD__COORDINATOR_COLLECTING && !voting->nreasons ? s_blame (ctx, voting)
                                                                                                 : SYNOD_OK;
    if (rc != SYNOD_OK)
        return rc;
    synod__coordinator_timer (&voting->core, expired, synod_random (ctx), &step);
    return s_carry (ctx, self, voting, &step);
}

int synod__voting_begin (synod_ctx_t *ctx, synod__vote_state_t *self, synod__voting_t *voting)
{
    synod__vote_step_t step;
    synod__paxos_self_t who = synod__txn_self (ctx, SYNOD__ROLE_COORDINATOR, 0);
    synod__coordinator_begin (&voting->core, &voting->txn.tx, &who, synod_random (ctx), &step);
    voting->begun = true;
    if (voting->txn.tx.protocol == SYNOD__VOTE_PAXOS)
        step.write = SYNOD__WRITE_FORCED;
    /* a number that may be lost, and be another's of the same id, is not told before it cannot be */
    step.early = step.early && voting->txn.id.number < self->sure;
    voting->sure = step.early ? 0 : self->reserved;
    return s_carry (ctx, self, voting, &step);
}

static int s_return (synod_ctx_t *ctx, synod__vote_state_t *self, synod__voting_t *voting,
                     const synod__coordinator_record_t *record)
{
    synod__vote_step_t step;
    synod__paxos_self_t who = synod__txn_self (ctx, SYNOD__ROLE_COORDINATOR, 0);
    synod__coordinator_return (&voting->core, &voting->txn.tx, record, &who, synod_random (ctx), &step);
    voting->begun = true;
    return s_carry (ctx, self, voting, &step);
}

/* ---- messages ---- */

/* Of a transaction that is not under way here. Who asks has said who takes part. */
static int s_absent (synod_ctx_t *ctx, synod__vote_state_t *self, const synod__txn_txn_t *in)
{
    synod__txn_t txn = {.addresses = {0}};
    synod__vote_message_t message;
    synod__vote_kept_t kept;
    synod__vote_step_t step;
    synod_fault_t fault = {0};
    if (!in->participants.count) /* it has to ask */
        return SYNOD_OK;
    int rc = synod__txn_take (&txn, in, &fault);
    if (rc != SYNOD_OK)
        synod_error (ctx, rc, "%s", fault.text);
    if (rc == SYNOD_OK)
        rc = synod__txn_understand (ctx, &txn, in, &message);
    if (rc == SYNOD_OK && (message.role != SYNOD__ROLE_PARTY || message.kind != SYNOD__SAY_ASK))
        rc = synod_error (ctx, SYNOD_BAD_REQUEST, "expected a participant that asks");
    int found = rc == SYNOD_OK ? synod__vote_get (ctx, in->id, &kept) : rc;
    synod__outcome_t outcome = SYNOD__OUTCOME_NONE;
    if (found == SYNOD_OK && kept.number == in->number && kept.epoch == in->epoch)
        outcome = synod__outcome (kept.outcome);
    if (rc == SYNOD_OK && outcome != SYNOD__OUTCOME_NONE) {
        synod__vote_send_t send = {SYNOD__ROLE_PARTY, 1u << message.from, {.kind = SYNOD__SAY_DECIDED}};
        send.message.outcome = outcome;
        synod__txn_tell (ctx, &txn, &send, NULL);
    } else if (rc == SYNOD_OK && txn.tx.protocol == SYNOD__VOTE_PAXOS && !synod__voting_find (self, in->id)) {
        synod__coordinator_record_t nothing = {SYNOD__OUTCOME_NONE, false, 0};
        synod__voting_t *voting = synod__voting_new (self, &txn);
        voting->since = (uint64_t) (synod_wall_us (ctx) / 1000000); /* since when it is under way again */
        return s_return (ctx, self, voting, &nothing);
    } else if (rc == SYNOD_OK) {
        synod__coordinator_absent (txn.tx.protocol, &message, &step);
        for (uint32_t i = 0; i < step.nsends; i++)
            synod__txn_tell (ctx, &txn, &step.sends[i], NULL);
    }
    synod__txn_free (&txn);
    return rc;
}

static int s_on_txn (synod_ctx_t *ctx, void *state, const synod__txn_txn_t *in, synod_call_t call)
{
    synod__vote_state_t *self = (synod__vote_state_t *) state;
    synod__txn_id_t id;
    synod__vote_message_t message;
    synod__vote_step_t step;
    if (call.id)
        return synod_error (ctx, SYNOD_INVALID, "a transaction's messages are told: their answers are others");
    if (!synod_str_same (synod_key (ctx), in->id))
        return synod_error (ctx, SYNOD_BAD_REQUEST, "transaction %.*s came for %.*s", SYNOD_STR (in->id),
                            SYNOD_STR (synod_key (ctx)));
    synod__txn_id_take (&id, in);
    synod__voting_t *voting = synod__voting_find (self, in->id);
    if (!voting || !voting->begun || !synod__txn_id_same (&voting->txn.id, &id))
        return s_absent (ctx, self, in);
    int rc = synod__txn_understand (ctx, &voting->txn, in, &message);
    if (rc == SYNOD_OK && voting->sure > self->sure) /* it was asked for when all before was durable */
        self->sure = voting->sure;
    if (rc == SYNOD_OK && message.kind == SYNOD__SAY_VOTE && message.vote == SYNOD__VOTE_NO &&
        voting->core.record.outcome == SYNOD__OUTCOME_NONE && voting->nreasons < voting->txn.tx.parties)
        rc = s_add_reason (voting, message.from, in->reason);
    if (rc != SYNOD_OK)
        return rc;
    synod__coordinator_take (&voting->core, &message, synod_random (ctx), &step);
    return s_carry (ctx, self, voting, &step);
}

/* ---- life ---- */

static int s_on_sweep (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) state;
    (void) arg;
    int rc = synod__vote_sweep (ctx);
    return rc == SYNOD_OK ? synod_after (ctx, S_SWEEP_MS, s_on_sweep, 0, NULL) : rc;
}

static int s_on_own (synod_ctx_t *ctx, void *state)
{
    synod__vote_state_t *self = (synod__vote_state_t *) state;
    int rc = synod__vote_load (ctx, self);
    self->low = s_low (self);
    synod__voting_t *next;
    for (synod__voting_t *voting = self->votings; voting && rc == SYNOD_OK; voting = next) {
        synod__coordinator_record_t record = voting->core.record;
        next = voting->next;
        rc = s_return (ctx, self, voting, &record);
    }
    return rc == SYNOD_OK ? synod_after (ctx, S_SWEEP_MS, s_on_sweep, 0, NULL) : rc;
}

static void s_fini (synod_ctx_t *ctx, void *state)
{
    synod__vote_state_t *self = (synod__vote_state_t *) state;
    (void) ctx;
    while (self->votings)
        synod__voting_end (self, self->votings);
}

const synod_actor_t synod__vote_actor = {
    .name = SYNOD__VOTE_ACTOR,
    .doc = "coordinates transactions: all of their participants commit, or none",
    .state_size = sizeof (synod__vote_state_t),
    .fini = s_fini,
    .routes = (const synod_route_t[]){SYNOD_ON (synod__txn_commit, synod__vote_on_commit),
                                      SYNOD_ON (synod__txn_show, synod__vote_on_show),
                                      SYNOD_ON (synod__txn_list, synod__vote_on_list),
                                      SYNOD_ON (synod__txn_txn, s_on_txn), SYNOD_END},
    .placement = SYNOD_SHARDED,
    .on_own = s_on_own,
};
