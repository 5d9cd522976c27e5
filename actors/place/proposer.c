/* SPDX-License-Identifier: MPL-2.0
 *
 * The proposer, which is the learner too. To learn is to query first: a majority that accepted under one ballot says
 * what was chosen, one that accepted nothing that nothing was; anything else is finished by a ballot.
 *
 * Invariants: a round is written before it is used, and no ballot is used for two values; a value of its own is
 * proposed only when a majority of promises reported none; what is not answered is sent again.
 */
#include <assert.h>
#include <stdlib.h>
#include "paxos.h"

#define S_ANSWER_MS  100 /* then it is sent again to those who have not answered, a little later each time */
#define S_BACKOFF_MS 16  /* the first back-off is up to this; it doubles ... */
#define S_DOUBLINGS  6   /* ... this often */

static bool s_majority (const synod__proposer_t *self, uint32_t bits)
{
    uint32_t needed = SYNOD__PAXOS_MUTANT (MINORITY) ? self->set->count / 2 : synod__paxos_majority (self->set);
    return (uint32_t) __builtin_popcount (bits) >= (needed ? needed : 1);
}

static uint32_t s_all (const synod__proposer_t *self)
{
    return (1u << self->set->count) - 1;
}

/* The number of the acceptor that NAME is; the set's count: none. */
static uint32_t s_acceptor (const synod__proposer_t *self, synod_str_t name)
{
    uint32_t at = 0;
    while (at < self->set->count && !synod_str_is (name, self->set->acceptors[at].name))
        at++;
    return at;
}

static bool s_keep (synod_buf_t *buf, synod_str_t value)
{
    buf->size = 0;
    if (value.size > buf->capacity || !buf->data) {
        synod_buf_free (buf);
        buf->capacity = value.size ? value.size : 1;
        buf->data = (char *) malloc (buf->capacity);
    }
    if (!buf->data) {
        buf->capacity = 0;
        return false;
    }
    if (value.size)
        memcpy (buf->data, value.data, value.size);
    buf->size = value.size;
    return true;
}

static void s_done (synod__proposer_t *self, int code, synod__proposer_step_t *out)
{
    self->phase = SYNOD__PROPOSER_DONE;
    out->done = true;
    out->code = code;
    if (code == SYNOD_OK)
        out->value = synod_str_n (self->best.data, self->best.size);
}

/* The message of this phase, to those who have not answered it. */
static void s_send (const synod__proposer_t *self, uint64_t random, synod__proposer_step_t *out)
{
    static const synod__paxos_kind_t kinds[] = {SYNOD__PAXOS_QUERY, SYNOD__PAXOS_PREPARE, SYNOD__PAXOS_ACCEPT};
    assert (self->phase <= SYNOD__PROPOSER_ACCEPTING);
    out->to = s_all (self) & ~self->answered;
    out->message = (synod__paxos_message_t){.kind = kinds[self->phase],
                                            .set = self->set->digest,
                                            .name = self->self->name,
                                            .id = self->self->id,
                                            .ballot = self->ballot};
    if (self->phase == SYNOD__PROPOSER_ACCEPTING)
        out->message.value = synod_str_n (self->best.data, self->best.size);
    out->wait_ms = S_ANSWER_MS + (uint32_t) (random % S_ANSWER_MS);
}

static void s_enter (synod__proposer_t *self, synod__proposer_phase_t phase, uint64_t random,
                     synod__proposer_step_t *out)
{
    self->phase = phase;
    self->answered = 0;
    if (phase == SYNOD__PROPOSER_PREPARING) {
        if (*self->round >= SYNOD__ROUND_MAX) {
            s_done (self, SYNOD_REFUSED, out); /* no round is left */
            return;
        }
        self->ballot = (synod__ballot_t){++*self->round, self->self->id};
        self->best_ballot = (synod__ballot_t){0};
        out->write = !SYNOD__PAXOS_MUTANT (ROUND_NOT_WRITTEN);
        out->round = *self->round;
    }
    s_send (self, random, out);
}

void synod__proposer_begin (synod__proposer_t *self, const synod__paxos_set_t *set, const synod__paxos_self_t *who,
                            uint64_t *round, synod_str_t value, uint64_t random, synod__proposer_step_t *out)
{
    synod__proposer_free (self);
    memset (out, 0, sizeof *out);
    self->set = set;
    self->self = who;
    self->round = round;
    self->proposes = value.data != NULL;
    if (self->proposes && !s_keep (&self->own, value))
        s_done (self, SYNOD_NO_MEMORY, out);
    else if (self->proposes)
        s_enter (self, SYNOD__PROPOSER_PREPARING, random, out);
    else {
        /* a query has no round; what marks it keeps reports to an earlier one, from before a value was chosen, out */
        self->ballot = (synod__ballot_t){SYNOD__PAXOS_MUTANT (QUERY_UNMARKED) ? 1 : random, who->id};
        s_enter (self, SYNOD__PROPOSER_QUERYING, random, out);
    }
}

/* Remembers what an acceptor has accepted, if it is the highest yet. */
static bool s_hear (synod__proposer_t *self, const synod__paxos_message_t *in)
{
    if (!in->accepted.round || synod__ballot_compare (&in->accepted, &self->best_ballot) <= 0)
        return true;
    self->best_ballot = in->accepted;
    return s_keep (&self->best, in->value);
}

static void s_on_report (synod__proposer_t *self, uint32_t from, const synod__paxos_message_t *in, uint64_t random,
                         synod__proposer_step_t *out)
{
    self->reported[from] = in->accepted;
    self->answered |= 1u << from;
    if (!s_hear (self, in)) {
        s_done (self, SYNOD_NO_MEMORY, out);
        return;
    }
    uint32_t alike = 0;
    for (uint32_t i = 0; i < self->set->count; i++) {
        bool same = synod__ballot_compare (&self->reported[i], &self->best_ballot) == 0;
        if (self->answered & 1u << i && (same || (SYNOD__PAXOS_MUTANT (BALLOTS_MIXED) && self->reported[i].round)))
            alike |= 1u << i;
    }
    if (self->best_ballot.round && s_majority (self, alike))
        s_done (self, SYNOD_OK, out);
    else if (!self->best_ballot.round && (s_majority (self, self->answered) || SYNOD__PAXOS_MUTANT (QUERY_OF_ONE)))
        s_done (self, SYNOD_NOT_FOUND, out);
    else if (self->answered == s_all (self))
        s_enter (self, SYNOD__PROPOSER_PREPARING, random, out);
}

static void s_on_promise (synod__proposer_t *self, uint32_t from, const synod__paxos_message_t *in, uint64_t random,
                          synod__proposer_step_t *out)
{
    self->answered |= 1u << from;
    if (!s_hear (self, in)) {
        s_done (self, SYNOD_NO_MEMORY, out);
        return;
    }
    if (!s_majority (self, self->answered))
        return;
    if (self->best_ballot.round && !(SYNOD__PAXOS_MUTANT (ACCEPTED_IGNORED) && self->proposes))
        s_enter (self, SYNOD__PROPOSER_ACCEPTING, random, out);
    else if (!self->proposes)
        s_done (self, SYNOD_NOT_FOUND, out);
    else if (!s_keep (&self->best, synod_str_n (self->own.data, self->own.size)))
        s_done (self, SYNOD_NO_MEMORY, out);
    else
        s_enter (self, SYNOD__PROPOSER_ACCEPTING, random, out);
}

/* Tells everybody: who knows answers for itself, and later queries end at once. */
static void s_chosen (synod__proposer_t *self, synod__proposer_step_t *out)
{
    s_done (self, SYNOD_OK, out);
    out->to = s_all (self);
    out->message = (synod__paxos_message_t){.kind = SYNOD__PAXOS_CHOSEN,
                                            .set = self->set->digest,
                                            .name = self->self->name,
                                            .id = self->self->id,
                                            .ballot = self->ballot,
                                            .accepted = self->ballot,
                                            .value = out->value};
}

static void s_on_behind (synod__proposer_t *self, const synod__paxos_message_t *in, uint64_t random,
                         synod__proposer_step_t *out)
{
    if (in->accepted.round > SYNOD__ROUND_MAX || synod__ballot_compare (&in->accepted, &self->ballot) <= 0)
        return;
    if (in->accepted.round > *self->round)
        *self->round = in->accepted.round;
    uint32_t doublings = self->failures < S_DOUBLINGS ? self->failures : S_DOUBLINGS;
    self->failures++;
    self->phase = SYNOD__PROPOSER_WAITING;
    out->wait_ms = 1 + (uint32_t) (random % ((uint64_t) S_BACKOFF_MS << doublings));
}

/* One that says it is none of the set, or whose store is another, can never be counted. */
static void s_on_stranger (synod__proposer_t *self, uint32_t from, synod__proposer_step_t *out)
{
    self->strangers |= 1u << from;
    if (!s_majority (self, s_all (self) & ~self->strangers))
        s_done (self, SYNOD_REFUSED, out);
}

void synod__proposer_take (synod__proposer_t *self, const synod__paxos_message_t *in, uint64_t random,
                           synod__proposer_step_t *out)
{
    memset (out, 0, sizeof *out);
    if (self->phase == SYNOD__PROPOSER_DONE)
        return;
    if (in->kind == SYNOD__PAXOS_CHOSEN) {
        if (in->set == self->set->digest)
            s_done (self, s_keep (&self->best, in->value) ? SYNOD_OK : SYNOD_NO_MEMORY, out);
        return;
    }
    uint32_t from = s_acceptor (self, in->name);
    if (from == self->set->count)
        return;
    if (in->kind == SYNOD__PAXOS_STRANGER || in->set != self->set->digest ||
        (synod__store_id_compare (&in->id, &self->set->acceptors[from].id) != 0 &&
         !SYNOD__PAXOS_MUTANT (WIPED_COUNTED))) {
        s_on_stranger (self, from, out);
        return;
    }
    self->strangers &= ~(1u << from);
    if (synod__ballot_compare (&in->ballot, &self->ballot) != 0)
        return; /* of a ballot given up, or of an earlier query */
    if (in->kind == SYNOD__PAXOS_REPORT && self->phase == SYNOD__PROPOSER_QUERYING)
        s_on_report (self, from, in, random, out);
    else if (in->kind == SYNOD__PAXOS_PROMISE && self->phase == SYNOD__PROPOSER_PREPARING)
        s_on_promise (self, from, in, random, out);
    else if (in->kind == SYNOD__PAXOS_ACCEPTED && self->phase == SYNOD__PROPOSER_ACCEPTING) {
        self->answered |= 1u << from;
        if (s_majority (self, self->answered))
            s_chosen (self, out);
    } else if (in->kind == SYNOD__PAXOS_BEHIND && self->phase != SYNOD__PROPOSER_WAITING)
        s_on_behind (self, in, random, out);
}

void synod__proposer_timer (synod__proposer_t *self, uint64_t random, synod__proposer_step_t *out)
{
    memset (out, 0, sizeof *out);
    if (self->phase == SYNOD__PROPOSER_DONE)
        return;
    bool mixed = self->phase == SYNOD__PROPOSER_QUERYING && s_majority (self, self->answered);
    if (self->phase == SYNOD__PROPOSER_WAITING || mixed)
        s_enter (self, SYNOD__PROPOSER_PREPARING, random, out);
    else
        s_send (self, random, out);
}

void synod__proposer_free (synod__proposer_t *self)
{
    synod_buf_free (&self->own);
    synod_buf_free (&self->best);
    memset (self, 0, sizeof *self);
}
