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

#define S_PATIENCE 4 /* ticks, after which what was asked for is asked for again */

static bool s_adopting (const synod__replica_t *self)
{
    return self->phase == SYNOD__REPLICA_ADOPTING;
}

void synod__copy_stage_drop (synod__replica_t *self)
{
    if (!self->stage)
        return;
    synod__runs_free (&self->stage->log);
    free (self->stage->key);
    free (self->stage);
    self->stage = NULL;
}

void synod__copy_pull (synod__replica_t *self)
{
    if (self->asked)
        return;
    self->asked = true;
    synod__replica_message_t *out = synod__replica_send (
        self, s_adopting (self) ? &self->search->best : &self->peers[self->owner].id, SYNOD__REPLICA_PULL);
    out->runs = self->head.runs;
    out->nruns = self->head.nruns;
    out->whole = self->whole;
    if (self->stage) {
        out->staging = true;
        out->scanned = self->stage->scanned;
        out->at = self->stage->log.n;
        out->key = synod_str_n (self->stage->key, self->stage->key_size);
    }
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
    self->head.mark = self->term;
    synod__replica_save (self);
    s_ack (self, in);
}

static bool s_apply (synod__replica_t *self, const synod__replica_batch_t *batch)
{
    if (synod__tail_push (self, batch) && synod__runs_add (&self->head, batch->epoch))
        return true;
    synod__replica_no_memory (self);
    return false;
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
        synod__replica_save (self);
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
    bool behind = self->stage->log.n < self->stage->need && !SYNOD__REPLICA_MUTANT (SNAPSHOT_UNREPLAYED);
    if (!self->stage->scanned || behind || self->stage->log.n < in->base)
        return false;
    if (self->head.mark == self->term && self->stage->log.n <= self->head.n) {
        synod__copy_stage_drop (self); /* batches were faster */
        return true;
    }
    synod__tail_clear (self);
    synod__replica_log_t log = self->stage->log;
    log.mark = self->head.mark;
    synod__runs_free (&self->head);
    self->head = log;
    memset (&self->stage->log, 0, sizeof self->stage->log);
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
        if (in->batches[i].n == self->stage->log.n + 1) {
            s_stage (self, in->batches[i]);
            if (!synod__runs_add (&self->stage->log, in->batches[i].epoch))
                synod__replica_no_memory (self);
        }
    if (!s_swap (self, in) && self->stage->scanned)
        synod__copy_pull (self);
}

/* The first chunk of a snapshot; false if it is not wanted. */
static bool s_stage_begin (synod__replica_t *self, const synod__replica_message_t *in)
{
    synod__replica_log_t log;
    if (!self->asked || (self->stage && in->n <= self->stage->log.n) ||
        (self->head.mark == self->term && in->n <= self->head.n) || !synod__runs_take (&log, in))
        return false;
    synod__copy_stage_drop (self);
    self->stage = (synod__replica_stage_t *) calloc (1, sizeof *self->stage);
    if (!self->stage || !synod__runs_copy (&self->stage->log, &log)) {
        synod__replica_no_memory (self);
        return false;
    }
    synod__replica_write (self, SYNOD__REPLICA_STAGE_CLEAR, NULL);
    synod__replica_raise (self, self->term);
    if (SYNOD__REPLICA_MUTANT (PIECEWISE_SNAPSHOT)) {
        uint64_t mark = self->head.mark;
        synod__tail_clear (self);
        synod__runs_free (&self->head);
        self->head.mark = mark;
        synod__replica_save (self);
        synod__replica_write (self, SYNOD__REPLICA_REMOVE, NULL);
    }
    if (SYNOD__REPLICA_MUTANT (EARLY_MARK) && !s_adopting (self)) {
        self->head.mark = self->term;
        synod__replica_save (self);
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
    } else if (!self->stage || self->stage->scanned ||
               !synod_str_same (in->key, synod_str_n (self->stage->key, self->stage->key_size)) ||
               (in->n < self->stage->log.n && !SYNOD__REPLICA_MUTANT (CHUNK_STALE)))
        return;
    s_stage (self, (synod__replica_batch_t){self->term, 0, in->entries});
    if (in->n > self->stage->need)
        self->stage->need = in->n;
    self->stage->scanned = !in->more;
    if (in->last_key.size) {
        synod_str_t key;
        if (!synod__tail_copy (&key, in->last_key)) {
            synod__replica_no_memory (self);
            return;
        }
        free (self->stage->key);
        self->stage->key = (char *) key.data;
        self->stage->key_size = key.size;
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
    synod__replica_save (self);
    return true;
}

/* The copy is not marked yet: batches of what was adopted. */
static void s_brought (synod__replica_t *self, const synod__replica_message_t *in)
{
    bool fits = in->after_n <= self->head.n &&
                (in->after_n == 0 || (synod__runs_at (&self->head, in->after_n) == in->after_epoch &&
                                      in->after_epoch != SYNOD__EPOCH_FORGOTTEN));
    if (SYNOD__REPLICA_MUTANT (EARLY_MARK) && !s_adopting (self)) {
        synod__replica_raise (self, self->term);
        self->head.mark = self->term;
        synod__replica_save (self);
        s_ack (self, in);
    }
    if (!fits || !s_cut (self, in)) {
        self->whole = self->whole || fits;
        self->asked = self->asked && !fits;
        synod__copy_pull (self);
        return;
    }
    synod__replica_raise (self, self->term);
    s_append (self, in);
    if (self->head.n >= in->base)
        s_marked (self, in);
    else
        synod__copy_pull (self);
}

void synod__copy_on_batches (synod__replica_t *self, const synod__replica_message_t *in)
{
    bool marked =
        self->head.mark == self->term || (SYNOD__REPLICA_MUTANT (TAKEN_UNMARKED) && self->role != SYNOD__REPLICA_OWNER);
    if (!s_sound (in))
        return;
    if (self->stage)
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
    synod__runs_free (&self->head);
    synod__replica_write (self, SYNOD__REPLICA_REMOVE, NULL);
    synod__replica_save (self);
}

void synod__copy_tick (synod__replica_t *self)
{
    if (self->role == SYNOD__REPLICA_STRANGER) {
        if (self->head.mark || self->head.n)
            synod__replica_send (self, &self->peers[self->owner].id, SYNOD__REPLICA_LEAVING);
        return;
    }
    /* what is on its way may be long in coming, and asked for again it would come twice */
    if (self->asked && ++self->quiet < S_PATIENCE)
        return;
    s_progress (self);
    if (self->head.mark < self->term || self->stage)
        synod__copy_pull (self);
}
