/* SPDX-License-Identifier: MPL-2.0
 *
 * A copy that takes what it is sent: batches in order, what was adopted, snapshots. Also the new owner's own, while it
 * copies from the newest.
 *
 * Invariants: batches of an epoch are taken only with its mark, or up to the mark; the mark is written with the last
 * piece of what was adopted; a snapshot is staged and replaces the copy in one commit; whoever is brought into an epoch is
 * sealed up to it; batches of an epoch are only in copies that have its mark or a later one, and what is before was
 * adopted into it.
 */
#include <assert.h>
#include <stdlib.h>
#include "replica_internal.h"

static bool s_adopting (const synod__replica_t *self)
{
    return self->phase == SYNOD__REPLICA_ADOPTING;
}

void synod__copy_stage_drop (synod__replica_t *self)
{
    self->staging = self->scanned = false;
    self->stage_need = 0;
    memset (&self->staged, 0, sizeof self->staged);
    free (self->stage_key);
    self->stage_key = NULL;
    self->stage_key_size = 0;
}

void synod__copy_pull (synod__replica_t *self)
{
    if (self->asked)
        return;
    self->asked = true;
    synod__replica_message_t *out =
        synod__replica_send (self, s_adopting (self) ? &self->best : &self->peers[self->owner].id, SYNOD__REPLICA_PULL);
    out->runs = self->head.runs;
    out->nruns = self->head.nruns;
    out->whole = self->whole;
    out->staging = self->staging;
    out->scanned = self->scanned;
    out->at = self->staged.n;
    out->key = synod_str_n (self->stage_key, self->stage_key_size);
}

/* An answer helped: the next question may go. */
static void s_progress (synod__replica_t *self)
{
    self->asked = false;
    self->quiet = 0;
}

static void s_ack (synod__replica_t *self, const synod__replica_message_t *in)
{
    synod__replica_message_t *out = synod__replica_send (self, &in->from, SYNOD__REPLICA_ACK);
    out->life = in->life;
    out->round = in->round;
}

/* The copy has all that was adopted: it is marked, in this step's commit. */
static void s_marked (synod__replica_t *self, const synod__replica_message_t *in)
{
    self->whole = false;
    if (s_adopting (self)) {
        synod__seal_adopted (self);
        return;
    }
    self->head.mark = self->epoch;
    self->step.head = &self->head;
    s_ack (self, in);
}

static bool s_apply (synod__replica_t *self, const synod__replica_batch_t *batch)
{
    if (!synod__tail_push (self, batch)) {
        synod__replica_no_memory (self);
        return false;
    }
    synod__runs_add (&self->head, batch->epoch);
    return true;
}

/* Applies those of IN that are new; the first of them is the next. The tail moves while it grows: writes come after. */
static void s_append (synod__replica_t *self, const synod__replica_message_t *in)
{
    uint64_t before = self->head.n;
    for (uint32_t i = 0; i < in->nbatches; i++)
        if (in->batches[i].n == self->head.n + 1 && !s_apply (self, &in->batches[i]))
            return;
    for (uint64_t n = before + 1; n <= self->head.n; n++)
        synod__replica_write (self, SYNOD__REPLICA_APPLY, synod__tail_at (self, n));
    if (self->head.n > before) {
        self->step.head = &self->head;
        s_progress (self);
    }
}

/* Batches follow each other, and their epochs do not decrease. */
static bool s_sound (const synod__replica_message_t *in)
{
    uint64_t epoch = in->after_epoch, end = in->after_n + in->nbatches;
    for (uint32_t i = 0; i < in->nbatches; i++) {
        if (in->batches[i].n != in->after_n + 1 + i || in->batches[i].epoch > in->epoch || !in->batches[i].epoch ||
            (in->batches[i].epoch < epoch && epoch != SYNOD__EPOCH_FORGOTTEN))
            return false;
        epoch = in->batches[i].epoch;
    }
    return end <= in->n && in->base <= in->n;
}

/* ---- snapshots ---- */

/* All that a chunk could show is replayed, and what was adopted is in: the copy is replaced. */
static bool s_swap (synod__replica_t *self, const synod__replica_message_t *in)
{
    bool behind = self->staged.n < self->stage_need && !SYNOD__REPLICA_MUTANT (SNAPSHOT_UNREPLAYED);
    if (!self->scanned || behind || self->staged.n < in->base)
        return false;
    if (self->head.mark == self->epoch && self->staged.n <= self->head.n) {
        synod__copy_stage_drop (self); /* batches were faster */
        return true;
    }
    synod__tail_clear (self);
    uint64_t mark = self->head.mark;
    self->head = self->staged;
    self->head.mark = mark;
    synod__replica_write (self, SYNOD__REPLICA_SWAP, NULL);
    synod__copy_stage_drop (self);
    s_marked (self, in);
    return true;
}

static void s_stage (synod__replica_t *self, synod__replica_batch_t batch)
{
    synod__replica_write (self, SYNOD__REPLICA_STAGE, &batch);
    s_progress (self);
}

static void s_stage_batches (synod__replica_t *self, const synod__replica_message_t *in)
{
    for (uint32_t i = 0; i < in->nbatches; i++)
        if (in->batches[i].n == self->staged.n + 1) {
            s_stage (self, in->batches[i]);
            synod__runs_add (&self->staged, in->batches[i].epoch);
        }
    if (!s_swap (self, in) && self->scanned)
        synod__copy_pull (self);
}

/* The first chunk of a snapshot; false if it is not wanted. */
static bool s_stage_begin (synod__replica_t *self, const synod__replica_message_t *in)
{
    synod__replica_head_t staged;
    if (!self->asked || (self->staging && in->n <= self->staged.n) ||
        (self->head.mark == self->epoch && in->n <= self->head.n) || !synod__runs_take (&staged, in))
        return false;
    synod__copy_stage_drop (self);
    self->staging = true;
    self->staged = staged;
    synod__replica_write (self, SYNOD__REPLICA_STAGE_CLEAR, NULL);
    synod__replica_raise (self, self->epoch);
    if (SYNOD__REPLICA_MUTANT (PIECEWISE_SNAPSHOT)) {
        uint64_t mark = self->head.mark;
        synod__tail_clear (self);
        memset (&self->head, 0, sizeof self->head);
        self->head.mark = mark;
        self->step.head = &self->head;
        synod__replica_write (self, SYNOD__REPLICA_REMOVE, NULL);
    }
    if (SYNOD__REPLICA_MUTANT (EARLY_MARK) && !s_adopting (self)) {
        self->head.mark = self->epoch;
        self->step.head = &self->head;
        s_ack (self, in);
    }
    return true;
}

void synod__copy_on_chunk (synod__replica_t *self, const synod__replica_message_t *in)
{
    if (in->base > in->n || (in->more && !in->last_key.size))
        return;
    if (!in->key.data) {
        if (!s_stage_begin (self, in))
            return;
    } else if (!self->staging || self->scanned ||
               !synod_str_same (in->key, synod_str_n (self->stage_key, self->stage_key_size)) ||
               (in->n < self->staged.n && !SYNOD__REPLICA_MUTANT (CHUNK_STALE)))
        return;
    s_stage (self, (synod__replica_batch_t){self->epoch, 0, in->entries});
    if (in->n > self->stage_need)
        self->stage_need = in->n;
    self->scanned = !in->more;
    if (in->last_key.size) {
        synod_str_t key;
        if (!synod__tail_copy (&key, in->last_key)) {
            synod__replica_no_memory (self);
            return;
        }
        free (self->stage_key);
        self->stage_key = (char *) key.data;
        self->stage_key_size = key.size;
    }
    if (!s_swap (self, in))
        synod__copy_pull (self);
}

/* ---- batches ---- */

/* Cuts off what is not in the source's log, as far as IN shows it. False: that takes a snapshot. */
static bool s_cut (synod__replica_t *self, const synod__replica_message_t *in)
{
    uint64_t end = in->after_n + in->nbatches, cut = self->head.n;
    for (uint32_t i = in->nbatches; i-- > 0;)
        if (in->batches[i].n <= self->head.n && synod__runs_at (&self->head, in->batches[i].n) != in->batches[i].epoch)
            cut = in->batches[i].n - 1;
    if (cut == self->head.n && cut > end && end >= in->base)
        cut = end;
    if (cut == self->head.n || SYNOD__REPLICA_MUTANT (SUFFIX_KEPT))
        return true;
    if (!synod__tail_cut (self, cut))
        return false;
    self->step.head = &self->head;
    return true;
}

/* The copy is not marked yet: batches of what was adopted. */
static void s_brought (synod__replica_t *self, const synod__replica_message_t *in)
{
    bool fits = in->after_n <= self->head.n &&
                (in->after_n == 0 || (synod__runs_at (&self->head, in->after_n) == in->after_epoch &&
                                      in->after_epoch != SYNOD__EPOCH_FORGOTTEN));
    if (SYNOD__REPLICA_MUTANT (EARLY_MARK) && !s_adopting (self)) {
        synod__replica_raise (self, self->epoch);
        self->head.mark = self->epoch;
        self->step.head = &self->head;
        s_ack (self, in);
    }
    if (!fits || !s_cut (self, in)) {
        self->whole = self->whole || fits;
        self->asked = self->asked && !fits;
        synod__copy_pull (self);
        return;
    }
    synod__replica_raise (self, self->epoch);
    s_append (self, in);
    if (self->head.n >= in->base)
        s_marked (self, in);
    else
        synod__copy_pull (self);
}

void synod__copy_on_batches (synod__replica_t *self, const synod__replica_message_t *in)
{
    bool marked = self->head.mark == self->epoch ||
                  (SYNOD__REPLICA_MUTANT (TAKEN_UNMARKED) && self->role != SYNOD__REPLICA_OWNER);
    if (!s_sound (in))
        return;
    if (self->staging)
        s_stage_batches (self, in);
    else if (!marked) {
        s_brought (self, in);
        return;
    } else if (in->after_n > self->head.n)
        synod__copy_pull (self); /* a gap */
    else
        s_append (self, in);
    /* the epoch is confirmed in any case */
    if (marked)
        s_ack (self, in);
}

void synod__copy_on_delete (synod__replica_t *self)
{
    if (!self->head.mark && !self->head.n)
        return;
    synod__tail_clear (self);
    synod__copy_stage_drop (self);
    memset (&self->head, 0, sizeof self->head);
    synod__replica_write (self, SYNOD__REPLICA_REMOVE, NULL);
    self->step.head = &self->head;
}

void synod__copy_tick (synod__replica_t *self)
{
    if (self->role == SYNOD__REPLICA_STRANGER) {
        if (self->head.mark || self->head.n)
            synod__replica_send (self, &self->peers[self->owner].id, SYNOD__REPLICA_LEAVING);
        return;
    }
    self->asked = false;
    if (self->head.mark < self->epoch || self->staging)
        synod__copy_pull (self);
}
