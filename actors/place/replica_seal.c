/* SPDX-License-Identifier: MPL-2.0
 *
 * How an epoch begins: its owner seals those before, finds the newest copy and makes it its own. And how one is sealed.
 *
 * Invariants: a seal is written in the step that tells of it; nothing of another node is changed before the own copy is
 * marked, so that an owner that restarts before may choose again; what is chosen holds all that was acknowledged.
 */
#include <stdlib.h>
#include "replica_internal.h"

#define S_PATIENCE 4 /* ticks without an answer, after which a source is given up */

static bool s_newer (const synod__replica_t *self, uint64_t mark, uint64_t last, uint64_t n)
{
    if (!self->search->any)
        return true;
    if (SYNOD__REPLICA_MUTANT (NEWEST_BY_N))
        return n > self->search->best_n;
    if (SYNOD__REPLICA_MUTANT (NEWEST_BY_EN))
        return last > self->search->best_last || (last == self->search->best_last && n > self->search->best_n);
    if (SYNOD__REPLICA_MUTANT (MARK_BY_EPOCH) &&
        synod__term_epoch (mark) == synod__term_epoch (self->search->best_mark))
        return n > self->search->best_n;
    return mark > self->search->best_mark || (mark == self->search->best_mark && n > self->search->best_n);
}

static void s_count (synod__replica_t *self, uint32_t index, const synod__store_id_t *id, uint64_t mark, uint64_t last,
                     uint64_t n)
{
    self->search->answered |= 1u << index;
    if (s_newer (self, mark, last, n)) {
        self->search->any = true;
        self->search->best = *id;
        self->search->best_mark = mark;
        self->search->best_last = last;
        self->search->best_n = n;
    }
}

static bool s_majority (uint32_t bits, uint32_t replicas)
{
    uint32_t count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count >= (SYNOD__REPLICA_MUTANT (SEAL_BY_MINORITY) ? 1 : replicas / 2 + 1);
}

/* The target is the own epoch, in which another life of this owner may have served. */
static bool s_again (const synod__replica_t *self)
{
    return self->search->target == self->nformer;
}

static uint32_t s_replicas (const synod__replica_t *self)
{
    return s_again (self) ? self->replicas : self->former[self->search->target].replicas;
}

static const synod__store_id_t *s_store (const synod__replica_t *self, uint32_t index)
{
    return s_again (self) ? &self->peers[index].id : &self->former[self->search->target].stores[index];
}

/* Asks those of the target epoch who have not answered. */
static void s_ask (synod__replica_t *self)
{
    for (uint32_t i = 0; i < s_replicas (self); i++) {
        if (self->search->answered & 1u << i)
            continue;
        if (synod__replica_same (s_store (self, i), &self->config->id))
            s_count (self, i, &self->config->id, self->head.mark, synod__runs_last (&self->head), self->head.n);
        else
            synod__replica_send (self, s_store (self, i), SYNOD__REPLICA_SEAL);
    }
}

void synod__seal_end (synod__replica_t *self)
{
    free (self->search);
    self->search = NULL;
}

void synod__seal_adopted (synod__replica_t *self)
{
    self->head.mark = self->term;
    synod__replica_save (self);
    synod__seal_end (self);
    synod__owner_bring (self);
}

static void s_adopt (synod__replica_t *self)
{
    if (self->search->best_mark == 0) {
        /* nothing was ever served */
        if (self->head.n) {
            synod__tail_clear (self);
            synod__runs_free (&self->head);
            synod__replica_write (self, SYNOD__REPLICA_REMOVE, NULL);
        }
        synod__seal_adopted (self);
    } else if (synod__replica_same (&self->search->best, &self->config->id))
        synod__seal_adopted (self);
    else {
        self->phase = SYNOD__REPLICA_ADOPTING;
        self->asked = false;
        self->quiet = 0;
        synod__copy_pull (self);
    }
}

/* Goes on when a majority has answered: back, or to what was found. */
static void s_advance (synod__replica_t *self)
{
    for (;;) {
        if (!s_majority (self->search->answered, s_replicas (self)))
            return;
        bool served = s_again (self) || SYNOD__REPLICA_MUTANT (NO_WALK_BACK) || /* the own copy has its mark */
                      synod__term_epoch (self->search->best_mark) >= self->former[self->search->target].epoch;
        if (served || self->search->target == 0) {
            s_adopt (self);
            return;
        }
        self->search->target--;
        self->search->answered = 0;
        s_ask (self);
    }
}

/* The own copy is the only one, or a mistake on purpose takes it for the newest. */
static void s_go_on (synod__replica_t *self)
{
    synod__replica_raise (self, self->term);
    if (self->head.mark != self->term) {
        self->head.mark = self->term;
        synod__replica_save (self);
    }
    synod__owner_bring (self);
}

void synod__seal_begin (synod__replica_t *self)
{
    bool again = synod__term_epoch (self->head.mark) == self->epoch;
    if (self->seal > self->term)
        return; /* a later epoch has begun */
    bool unasked = self->replicas == 1 || SYNOD__REPLICA_MUTANT (TERM_KEPT);
    unasked = unasked || SYNOD__REPLICA_MUTANT (OWN_ADOPTED);
    if (again && unasked) {
        s_go_on (self);
        return;
    }
    if (self->head.mark == self->term)
        return; /* no term is left of the epoch: another has to come */
    synod__replica_raise (self, self->term);
    synod__copy_stage_drop (self);
    self->whole = false;
    synod__seal_end (self);
    self->search = (synod__replica_search_t *) calloc (1, sizeof *self->search);
    if (!self->search) {
        self->phase = SYNOD__REPLICA_NOTHING;
        synod__replica_no_memory (self);
        return;
    }
    self->phase = SYNOD__REPLICA_SEALING;
    if (self->nformer == 0 && !again) {
        s_adopt (self);
        return;
    }
    self->search->target = again ? self->nformer : self->nformer - 1;
    s_ask (self);
    s_advance (self);
}

void synod__seal_on_sealed (synod__replica_t *self, const synod__replica_message_t *in)
{
    uint32_t i = 0;
    while (i < s_replicas (self) && !synod__replica_same (s_store (self, i), &in->from))
        i++;
    if (i == s_replicas (self) || in->mark >= self->term)
        return;
    s_count (self, i, &in->from, in->mark, in->last, in->n);
    s_advance (self);
}

void synod__seal_on_seal (synod__replica_t *self, const synod__replica_message_t *in)
{
    synod__replica_newer (self, in->epoch);
    bool entered = self->epoch && synod__term_epoch (in->epoch) == self->epoch;
    if (entered &&
        (self->role == SYNOD__REPLICA_OWNER || !synod__replica_same (&in->from, &self->peers[self->owner].id)))
        return;
    if (in->epoch < self->seal) {
        synod__replica_send (self, &in->from, SYNOD__REPLICA_REFUSED)->epoch = self->seal;
        return;
    }
    synod__replica_raise (self, in->epoch);
    if (SYNOD__REPLICA_MUTANT (SEAL_NOT_WRITTEN))
        synod__step (self)->seal = 0;
    bool ignored = SYNOD__REPLICA_MUTANT (OWNER_IGNORES_SEAL);
    ignored = ignored || SYNOD__REPLICA_MUTANT (OWN_READ_UNCHECKED);
    if (self->seal > self->term && !ignored)
        synod__replica_disown (self);
    synod__replica_send (self, &in->from, SYNOD__REPLICA_SEALED)->epoch = in->epoch;
}

void synod__seal_tick (synod__replica_t *self)
{
    if (self->phase == SYNOD__REPLICA_SEALING) {
        s_ask (self);
        s_advance (self);
    } else if (++self->quiet > S_PATIENCE) {
        self->quiet = 0;
        synod__seal_begin (self); /* another majority may have another source */
    } else {
        self->asked = false;
        synod__copy_pull (self);
    }
}
