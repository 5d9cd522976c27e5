/* SPDX-License-Identifier: MPL-2.0
 *
 * The owner of an epoch, from the moment that its own copy is marked: it brings the others, orders batches, counts who
 * has them, and confirms that the epoch still is the last.
 *
 * Invariants: it serves only when a majority is marked, the own copy first; a turn is released only when a majority durably
 * has what the turn could see, with or without the own store, and has confirmed the epoch after the turn took its frames;
 * what was known of others in a former life counts for nothing: it was said of another term.
 */
#include <assert.h>
#include <stdlib.h>
#include "replica_internal.h"

#define S_LAG_COUNT 16 /* batches, and their bytes, that one who was spared is not sent for a while */
#define S_LAG_BYTES (16 * 1024)

/* What has to be so at a majority. */
typedef enum { S_MARKED, S_ACKED, S_CONFIRMED } s_what_t;

/* The own store counts while it is marked and not sealed by a later epoch. */
static bool s_own (const synod__replica_t *self)
{
    bool ignored = SYNOD__REPLICA_MUTANT (OWNER_IGNORES_SEAL);
    ignored = ignored || SYNOD__REPLICA_MUTANT (OWN_READ_UNCHECKED);
    return ignored || self->seal <= self->term;
}

/* What the own store has for sure. The only one's messages wait for its commit. */
static uint64_t s_durable (const synod__replica_t *self)
{
    return self->replicas == 1 || SYNOD__REPLICA_MUTANT (OWN_COUNTED_EARLY) ? self->head.n
                                                                            : self->peers[self->owner].acked;
}

static bool s_majority (const synod__replica_t *self, s_what_t what, uint64_t least)
{
    uint32_t count = 0,
             members = SYNOD__REPLICA_MUTANT (LEARNER_COUNTED) ? synod__replica_peers (self) : self->replicas;
    for (uint32_t i = 0; i < members; i++) {
        const synod__replica_peer_t *peer = &self->peers[i];
        if (i == self->owner)
            count += s_own (self) && (what != S_ACKED || s_durable (self) >= least);
        else
            count += peer->marked && (what == S_MARKED || (what == S_ACKED ? peer->acked : peer->round) >= least);
    }
    return count >= self->replicas / 2 + 1 || (SYNOD__REPLICA_MUTANT (SERVED_EARLY) && what == S_MARKED);
}

/* Without batches: where the log ends, and the round. Who lacks something asks. */
static void s_hello (synod__replica_t *self, uint32_t index)
{
    synod__replica_message_t *out = synod__replica_send (self, &self->peers[index].id, SYNOD__REPLICA_BATCHES);
    out->base = self->base;
    out->round = self->round;
    out->after_n = self->head.n;
    out->after_epoch = synod__runs_last (&self->head);
}

/* The mails of this step from FIRST on may leave before its commit: who gets them has a term of its own for what comes of
 * them when they are all that is left. Where the own copy is the only one nobody waits for them. */
static void s_early (synod__replica_t *self, uint32_t first)
{
    for (; self->replicas > 1 && first < synod__step (self)->nmails; first++)
        self->config->scratch->mails[first].early = true;
}

/* Sends what was not sent to one that is marked; false when that is nothing. */
static bool s_feed (synod__replica_t *self, uint32_t index, bool spare)
{
    synod__replica_peer_t *peer = &self->peers[index];
    if (!peer->marked || peer->sent >= self->head.n || !synod__tail_covers (self, peer->sent + 1))
        return false;
    uint32_t first = synod__step (self)->nmails;
    while (peer->sent < self->head.n)
        peer->sent = synod__source_batches (self, &peer->id, peer->sent, self->base);
    for (uint32_t i = first; i < synod__step (self)->nmails; i++)
        self->config->scratch->mails[i].message.spare = spare;
    s_early (self, first);
    return true;
}

static bool s_spared (const synod__replica_t *self, uint32_t index)
{
    return index < self->replicas && (self->spared >> index & 1);
}

/* One that was spared lacks so much that it is sent it all the same. */
static bool s_much (const synod__replica_t *self, uint32_t index)
{
    uint64_t from = self->peers[index].sent + 1, bytes = 0;
    if (from + S_LAG_COUNT <= self->head.n || !synod__tail_covers (self, from))
        return true;
    for (; from <= self->head.n; from++)
        bytes += synod__tail_at (self, from)->bytes.size;
    return bytes > S_LAG_BYTES;
}

static bool s_may_go (const synod__replica_t *self, const synod__replica_turn_t *turn)
{
    if (SYNOD__REPLICA_MUTANT (REPLY_BEFORE_MAJORITY) && turn->wrote)
        return true;
    if (!s_majority (self, S_ACKED, turn->n) && !(SYNOD__REPLICA_MUTANT (READ_UNACKNOWLEDGED) && !turn->wrote))
        return false;
    return s_majority (self, S_CONFIRMED, turn->round) || SYNOD__REPLICA_MUTANT (READ_UNCONFIRMED);
}

static void s_release (synod__replica_t *self)
{
    uint32_t gone = 0;
    while (gone < self->nturns && s_may_go (self, &self->turns[gone]))
        synod__step (self)->released = self->turns[gone++].turn;
    self->nturns -= gone;
    if (gone)
        memmove (self->turns, self->turns + gone, self->nturns * sizeof *self->turns);
}

/* False: no memory. */
static bool s_wait (synod__replica_t *self, const synod__replica_turn_t *turn)
{
    if (self->nturns == SYNOD__REPLICA_TURNS_MAX) {
        self->turns[self->nturns - 1] = *turn; /* the last two wait as one */
        return true;
    }
    void *array = self->turns;
    synod__replica_turn_t *one =
        (synod__replica_turn_t *) synod__replica_more (&array, &self->turn_room, self->nturns, sizeof *one);
    self->turns = (synod__replica_turn_t *) array;
    if (!one)
        return false;
    *one = *turn;
    self->nturns++;
    return true;
}

void synod__owner_forget (synod__replica_t *self)
{
    free (self->turns);
    self->turns = NULL;
    self->nturns = self->turn_room = 0;
}

static void s_activate (synod__replica_t *self)
{
    if (self->phase != SYNOD__REPLICA_BRINGING || !s_majority (self, S_MARKED, 0))
        return;
    self->phase = SYNOD__REPLICA_SERVING;
    self->ordered = self->kept = self->head.n;
    self->spared = 0;
    synod__step (self)->own = true;
}

void synod__owner_bring (synod__replica_t *self)
{
    assert (self->head.mark == self->term);
    self->phase = SYNOD__REPLICA_BRINGING;
    self->base = self->head.n;
    if (synod__runs_last (&self->head) == self->term)
        self->base = self->head.runs[self->head.nruns - 1].first - 1;
    self->round = 0;
    synod__owner_forget (self);
    for (uint32_t i = 0; i < synod__replica_peers (self); i++) {
        synod__replica_peer_t *peer = &self->peers[i];
        *peer = (synod__replica_peer_t){.id = peer->id};
        if (i == self->owner || SYNOD__REPLICA_MUTANT (RESTART_ACKNOWLEDGED)) {
            peer->marked = true;
            peer->acked = peer->sent = self->head.n;
        }
        if (i != self->owner)
            s_hello (self, i);
    }
    s_activate (self);
}

void synod__owner_on_ack (synod__replica_t *self, const synod__replica_message_t *in)
{
    uint32_t index = synod__replica_peer (self, &in->from);
    if (index == synod__replica_peers (self) || index == self->owner || in->n > self->head.n)
        return;
    synod__replica_peer_t *peer = &self->peers[index];
    peer->marked = true;
    if (in->n > peer->acked)
        peer->acked = in->n;
    if (in->round > peer->round)
        peer->round = in->round;
    if (peer->sent < peer->acked)
        peer->sent = peer->acked;
    s_activate (self);
    s_release (self);
    /* those ordered in this turn go when it ends */
    if (peer->sent < self->ordered && !s_spared (self, index))
        s_feed (self, index, false);
}

void synod__owner_on_leaving (synod__replica_t *self, const synod__replica_message_t *in)
{
    if (synod__replica_peer (self, &in->from) == synod__replica_peers (self) &&
        (synod__replica_settled (self) || SYNOD__REPLICA_MUTANT (EARLY_DELETE)))
        synod__replica_send (self, &in->from, SYNOD__REPLICA_DELETE);
}

/* Whether peer INDEX is to be told where the log ends. */
static bool s_behind (const synod__replica_t *self, uint32_t index)
{
    const synod__replica_peer_t *peer = &self->peers[index];
    if (index == self->owner)
        return false;
    bool waits = self->nturns > 0 && index < self->replicas;
    return !peer->marked || peer->acked < self->head.n || (waits && peer->round < self->round);
}

void synod__owner_tick (synod__replica_t *self)
{
    for (uint32_t i = 0; i < synod__replica_peers (self); i++)
        if (s_behind (self, i))
            s_hello (self, i);
    if (self->nturns == 0)
        synod__owner_forget (self); /* the room is kept while turns follow each other */
}

bool synod__owner_idle (const synod__replica_t *self)
{
    for (uint32_t i = 0; i < synod__replica_peers (self); i++)
        if (s_behind (self, i))
            return false;
    return !self->turns;
}

static const synod__replica_step_t *s_refused (synod__replica_t *self, int code)
{
    synod__step (self)->code = code;
    return synod__replica_end (self);
}

/* Whether a batch of SIZE bytes may be appended now. */
static int s_may_append (const synod__replica_t *self, uint32_t size)
{
    if (self->phase != SYNOD__REPLICA_SERVING ||
        (self->seal > self->term && !SYNOD__REPLICA_MUTANT (OWNER_IGNORES_SEAL)))
        return SYNOD_REFUSED;
    return size > SYNOD__REPLICA_BATCH_MAX ? SYNOD_TOO_LARGE : SYNOD_OK;
}

/* Nobody else is ever sent it from the tail: who comes later takes a snapshot. */
int synod__replica_count (synod__replica_t *self, uint32_t size)
{
    assert (synod__replica_sole (self));
    int rc = s_may_append (self, size);
    if (rc != SYNOD_OK)
        return rc;
    if (self->tail_count)
        synod__tail_clear (self);
    if (!synod__runs_add (&self->head, self->term))
        return SYNOD_NO_MEMORY;
    self->ordered = self->kept = self->head.n;
    return SYNOD_OK;
}

const synod__replica_step_t *synod__replica_append (synod__replica_t *self, synod_str_t bytes)
{
    synod__replica_begin (self);
    const bool sole = synod__replica_sole (self);
    int rc = sole ? synod__replica_count (self, bytes.size) : s_may_append (self, bytes.size);
    if (rc != SYNOD_OK)
        return s_refused (self, rc);
    synod__replica_batch_t batch = {self->term, self->head.n + (sole ? 0 : 1), bytes};
    if (!sole && (!synod__tail_push (self, &batch) || !synod__runs_add (&self->head, self->term)))
        return s_refused (self, SYNOD_NO_MEMORY);
    synod__replica_write (self, SYNOD__REPLICA_APPLY, sole ? &batch : synod__tail_at (self, self->head.n));
    synod__replica_save (self);
    return synod__replica_end (self);
}

const synod__replica_step_t *synod__replica_durable (synod__replica_t *self, uint64_t epoch, uint64_t n)
{
    synod__replica_begin (self);
    if (self->phase == SYNOD__REPLICA_SERVING && epoch == self->epoch && n > s_durable (self)) {
        self->peers[self->owner].acked = n;
        s_release (self);
    }
    return synod__replica_end (self);
}

const synod__replica_step_t *synod__replica_turn (synod__replica_t *self, uint64_t turn, uint32_t spared)
{
    synod__replica_begin (self);
    if (self->phase != SYNOD__REPLICA_SERVING)
        return s_refused (self, SYNOD_REFUSED);
    self->round++;
    const synod__replica_turn_t one = {turn, self->head.n, self->round, self->head.n > self->ordered};
    self->ordered = self->kept = self->head.n;
    self->spared = spared;
    if (self->nturns == 0 && s_may_go (self, &one))
        synod__step (self)->released = turn;
    else if (!s_wait (self, &one))
        return s_refused (self, SYNOD_NO_MEMORY);
    s_release (self);
    uint32_t first = synod__step (self)->nmails;
    for (uint32_t i = 0; i < synod__replica_peers (self); i++) {
        if (i == self->owner || !self->peers[i].marked)
            continue;
        if (s_spared (self, i) && !s_much (self, i)) {
            if (self->kept > self->peers[i].sent)
                self->kept = self->peers[i].sent;
        } else if (!s_feed (self, i, s_spared (self, i)) && i < self->replicas && self->nturns)
            s_hello (self, i);
    }
    s_early (self, first);
    return synod__replica_end (self);
}

bool synod__replica_lags (const synod__replica_t *self)
{
    if (self->phase != SYNOD__REPLICA_SERVING)
        return false;
    for (uint32_t i = 0; i < self->replicas; i++)
        if (s_spared (self, i) && self->peers[i].marked && (self->nturns || self->peers[i].sent < self->ordered))
            return true;
    return false;
}

const synod__replica_step_t *synod__replica_feed (synod__replica_t *self)
{
    synod__replica_begin (self);
    if (self->phase != SYNOD__REPLICA_SERVING)
        return s_refused (self, SYNOD_REFUSED);
    for (uint32_t i = 0; i < self->replicas; i++)
        if (s_spared (self, i) && self->peers[i].marked && !s_feed (self, i, !self->nturns) && self->nturns)
            s_hello (self, i);
    self->kept = self->ordered;
    s_early (self, 0);
    return synod__replica_end (self);
}

/* It can be waited for: it lacks nothing that was sent before. */
static bool s_ready (const synod__replica_t *self, uint32_t index, uint32_t who)
{
    const synod__replica_peer_t *peer = &self->peers[index];
    return index != self->owner && peer->marked && peer->sent >= self->ordered && (who >> index & 1);
}

uint32_t synod__replica_spared (const synod__replica_t *self, uint32_t who)
{
    uint32_t spared = 0, ready = 0;
    for (uint32_t i = 0; i < self->replicas; i++) {
        uint32_t before = 0;
        for (uint32_t j = 0; j < self->replicas; j++)
            before += s_ready (self, j, who) && synod__store_id_compare (&self->peers[j].id, &self->peers[i].id) < 0;
        ready += s_ready (self, i, who);
        if (i != self->owner && (before >= self->replicas / 2 || !s_ready (self, i, who)))
            spared |= 1u << i;
    }
    return ready >= self->replicas / 2 ? spared : 0;
}
