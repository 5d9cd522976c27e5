/* SPDX-License-Identifier: MPL-2.0
 *
 * The life of a replica, its epochs and steps, and which message is whose.
 *
 * Invariants: the seal and the entered epoch never decrease; what a step writes is in memory too, so after an error of
 * the disk or of memory the replica is opened again from what is durable.
 */
#include <assert.h>
#include <stdlib.h>
#include "replica_internal.h"

#ifdef SYNOD_REPLICA_MUTANTS
synod__replica_mutant_t synod__replica_mutant;
#endif

/* ---- steps ---- */

static void s_unbury (synod__replica_scratch_t *scratch)
{
    while (scratch->nburied)
        free (scratch->buried[--scratch->nburied]);
}

void synod__replica_scratch_free (synod__replica_scratch_t *self)
{
    s_unbury (self);
    free (self->buried);
    free (self->writes);
    free (self->mails);
    memset (self, 0, sizeof *self);
}

void synod__replica_begin (synod__replica_t *self)
{
    memset (synod__step (self), 0, sizeof *synod__step (self));
    s_unbury (self->config->scratch);
    synod__tail_trim (self);
}

static void s_copy_head (const synod__replica_t *self, synod__replica_head_t *out)
{
    out->mark = self->head.mark;
    out->n = self->head.n;
    out->nruns = self->head.nruns;
    if (self->head.nruns)
        memcpy (out->runs, self->head.runs, self->head.nruns * sizeof *self->head.runs);
}

const synod__replica_step_t *synod__replica_end (synod__replica_t *self)
{
    synod__replica_scratch_t *scratch = self->config->scratch;
    scratch->step.writes = scratch->writes;
    scratch->step.mails = scratch->mails;
    if (scratch->step.head)
        s_copy_head (self, &scratch->head);
    for (uint32_t i = 0;
         SYNOD__REPLICA_MUTANT (ALL_EARLY) && self->role == SYNOD__REPLICA_OWNER && i < scratch->step.nmails; i++)
        scratch->mails[i].early = true;
    return &scratch->step;
}

synod__replica_head_t synod__replica_head (const synod__replica_t *self)
{
    synod__replica_head_t head = {0};
    s_copy_head (self, &head);
    return head;
}

void *synod__replica_more (void **array, uint32_t *room, uint32_t count, size_t size)
{
    if (count == *room) {
        void *grown = realloc (*array, (*room ? 2 * *room : 1) * size);
        if (!grown)
            return NULL;
        *array = grown;
        *room = *room ? 2 * *room : 1;
    }
    return (char *) *array + count * size;
}

void synod__replica_no_memory (synod__replica_t *self)
{
    synod__step (self)->code = SYNOD_NO_MEMORY;
}

void synod__replica_bury (synod__replica_t *self, char *bytes)
{
    synod__replica_scratch_t *scratch = self->config->scratch;
    void *array = scratch->buried;
    char **one = (char **) synod__replica_more (&array, &scratch->buried_room, scratch->nburied, sizeof *one);
    scratch->buried = (char **) array;
    if (!one) {
        synod__replica_no_memory (self); /* then the step is not carried out */
        free (bytes);
        return;
    }
    *one = bytes;
    scratch->nburied++;
}

void synod__replica_write (synod__replica_t *self, synod__replica_write_kind_t kind,
                           const synod__replica_batch_t *batch)
{
    synod__replica_scratch_t *scratch = self->config->scratch;
    void *array = scratch->writes;
    synod__replica_write_t *one = (synod__replica_write_t *) synod__replica_more (&array, &scratch->write_room,
                                                                                  scratch->step.nwrites, sizeof *one);
    scratch->writes = (synod__replica_write_t *) array;
    if (!one) {
        synod__replica_no_memory (self);
        return;
    }
    *one = (synod__replica_write_t){.kind = kind};
    if (batch)
        one->batch = *batch;
    synod__step (self)->nwrites++;
}

void synod__replica_newer (synod__replica_t *self, uint64_t term)
{
    if (synod__term_epoch (term) > self->epoch)
        synod__step (self)->newer = synod__term_epoch (term);
}

void synod__replica_raise (synod__replica_t *self, uint64_t seal)
{
    if (seal <= self->seal)
        return;
    if (synod__term_epoch (seal) > synod__term_epoch (self->seal))
        synod__step (self)->seal = synod__term_epoch (seal);
    self->seal = seal;
}

synod__replica_message_t *synod__replica_send (synod__replica_t *self, const synod__store_id_t *to,
                                               synod__replica_kind_t kind)
{
    synod__replica_scratch_t *scratch = self->config->scratch;
    void *array = scratch->mails;
    synod__replica_mail_t *one =
        (synod__replica_mail_t *) synod__replica_more (&array, &scratch->mail_room, scratch->step.nmails, sizeof *one);
    scratch->mails = (synod__replica_mail_t *) array;
    if (one)
        scratch->step.nmails++;
    else {
        synod__replica_no_memory (self);
        one = &scratch->nowhere;
    }
    memset (one, 0, sizeof *one);
    one->to = *to;
    one->message.kind = kind;
    one->message.from = self->config->id;
    one->message.epoch = self->term;
    one->message.mark = self->head.mark;
    one->message.last = synod__runs_last (&self->head);
    one->message.n = self->head.n;
    return &one->message;
}

void synod__replica_disown (synod__replica_t *self)
{
    synod__step (self)->disown = synod__step (self)->disown || self->phase == SYNOD__REPLICA_SERVING;
    synod__step (self)->own = false;
    self->phase = SYNOD__REPLICA_NOTHING;
    synod__owner_forget (self);
    synod__seal_end (self);
}

/* ---- members ---- */

bool synod__replica_same (const synod__store_id_t *a, const synod__store_id_t *b)
{
    if (SYNOD__REPLICA_MUTANT (WIPED_COUNTED)) /* the tests' stores have their node's number in the first half */
        return memcmp (a->bytes, b->bytes, sizeof a->bytes / 2) == 0;
    return synod__store_id_compare (a, b) == 0;
}

uint32_t synod__replica_peer (const synod__replica_t *self, const synod__store_id_t *id)
{
    uint32_t i = 0, count = synod__replica_peers (self);
    while (i < count && !synod__replica_same (&self->peers[i].id, id))
        i++;
    return i;
}

bool synod__replica_settled (const synod__replica_t *self)
{
    if (self->phase < SYNOD__REPLICA_BRINGING)
        return false;
    for (uint32_t i = 0; i < self->replicas; i++)
        if (!self->peers[i].marked)
            return false;
    return true;
}

/* ---- life ---- */

int synod__replica_open (synod__replica_t *self, const synod__replica_config_t *config,
                         const synod__replica_head_t *head, uint64_t seal)
{
    synod__replica_free (self);
    self->config = config;
    const synod__replica_log_t log = {head->mark, head->n, head->nruns, 0, (synod__replica_run_t *) head->runs};
    /* what was brought into an epoch was sealed up to it in the same commit */
    self->seal = synod__term (seal) > head->mark ? synod__term (seal) : head->mark;
    return synod__runs_copy (&self->head, &log) ? SYNOD_OK : SYNOD_NO_MEMORY;
}

void synod__replica_free (synod__replica_t *self)
{
    synod__tail_clear (self);
    synod__copy_stage_drop (self);
    synod__seal_end (self);
    synod__owner_forget (self);
    synod__runs_free (&self->head);
    free (self->tail);
    free (self->undo);
    free (self->peers);
    memset (self, 0, sizeof *self);
}

int synod__replica_restore (synod__replica_t *self, const synod__replica_batch_t *batch, synod_str_t undo)
{
    assert (self->epoch == 0);
    const synod__replica_batch_t *before =
        self->tail_count ? &self->tail[self->tail_start + self->tail_count - 1] : NULL;
    if (batch->n == 0 || batch->n > self->head.n || synod__runs_at (&self->head, batch->n) != batch->epoch ||
        (before && before->n + 1 != batch->n)) {
        synod__tail_clear (self);
        return SYNOD_INVALID;
    }
    if (!synod__tail_push (self, batch) || (undo.data && !synod__tail_set_undo (self, 0, undo)))
        return SYNOD_NO_MEMORY;
    return SYNOD_OK;
}

int synod__replica_undo (synod__replica_t *self, uint64_t n, synod_str_t undo)
{
    if (!synod__tail_at (self, n) || synod__tail_set_undo (self, (uint32_t) (self->head.n - n), undo))
        return SYNOD_OK;
    return SYNOD_NO_MEMORY;
}

/* ---- epochs ---- */

/* The list of peers of VIEW; those that were known in the same epoch keep what is known of them. */
static bool s_take_peers (synod__replica_t *self, const synod__replica_view_t *view)
{
    uint32_t count = view->replicas + view->learners;
    synod__replica_peer_t *peers = (synod__replica_peer_t *) calloc (count, sizeof *peers);
    if (!peers)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        peers[i].id = view->stores[i];
        uint32_t known =
            self->epoch == view->epoch ? synod__replica_peer (self, &view->stores[i]) : synod__replica_peers (self);
        if (known < synod__replica_peers (self))
            peers[i] = self->peers[known];
    }
    free (self->peers);
    self->peers = peers;
    self->replicas = view->replicas;
    self->learners = view->learners;
    return true;
}

static synod__replica_role_t s_role (const synod__replica_t *self)
{
    uint32_t own = synod__replica_peer (self, &self->config->id);
    if (own == self->owner)
        return SYNOD__REPLICA_OWNER;
    if (own < self->replicas)
        return SYNOD__REPLICA_MEMBER;
    return own < synod__replica_peers (self) ? SYNOD__REPLICA_LEARNER : SYNOD__REPLICA_STRANGER;
}

/* The term in which the node takes part in the epoch VIEW, which it has not entered in this life: the last that it knows.
 * Where it owns and its copy was marked in that epoch already it was its owner in a former life, which may have sent what
 * the disk does not have: that term is over. The only copy is sent to nobody before. */
static uint64_t s_term (const synod__replica_t *self, const synod__replica_view_t *view)
{
    /* what is marked is sealed */
    uint64_t known = synod__term_epoch (self->seal) == view->epoch ? self->seal : synod__term (view->epoch);
    bool owner = synod__replica_same (&view->stores[view->owner], &self->config->id);
    if (!owner || synod__term_epoch (self->head.mark) != view->epoch || view->replicas == 1 ||
        synod__term_last (self->head.mark) || SYNOD__REPLICA_MUTANT (TERM_KEPT))
        return known;
    return self->head.mark + 1;
}

/* What was known of the term before is no more. */
static void s_new_term (synod__replica_t *self, uint64_t term)
{
    synod__copy_stage_drop (self);
    self->asked = self->whole = false;
    self->quiet = 0;
    self->term = term;
}

const synod__replica_step_t *synod__replica_enter (synod__replica_t *self, const synod__replica_view_t *view,
                                                   const synod__replica_view_t *former, uint32_t nformer)
{
    assert (view->epoch && view->epoch <= SYNOD__EPOCH_MAX && view->replicas >= 1 &&
            view->replicas <= SYNOD__REPLICAS_MAX);
    assert (view->learners <= SYNOD__REPLICAS_MAX && view->owner < view->replicas);
    synod__replica_begin (self);
    if (view->epoch < self->epoch)
        return synod__replica_end (self);
    /* restored batches that do not reach the head are of no use */
    if (self->epoch == 0 && self->tail_count && self->tail[self->tail_start + self->tail_count - 1].n != self->head.n)
        synod__tail_clear (self);
    bool same = view->epoch == self->epoch;
    assert (!same || synod__replica_same (&self->peers[self->owner].id, &view->stores[view->owner]));
    if (!s_take_peers (self, view)) {
        synod__replica_no_memory (self);
        return synod__replica_end (self);
    }
    if (!same) {
        synod__replica_disown (self);
        s_new_term (self, s_term (self, view));
        self->epoch = view->epoch;
        self->former = former;
        self->nformer = nformer;
    }
    self->owner = view->owner; /* the same one in the same epoch, but the order may be another */
    self->role = s_role (self);
    if (!same && self->role == SYNOD__REPLICA_OWNER)
        synod__seal_begin (self);
    return synod__replica_end (self);
}

const synod__replica_step_t *synod__replica_sealed (synod__replica_t *self, uint64_t seal)
{
    synod__replica_begin (self);
    if (synod__term (seal) > self->seal)
        self->seal = synod__term (seal);
    if (self->seal > self->term)
        synod__replica_disown (self);
    return synod__replica_end (self);
}

/* ---- messages ---- */

/* What the owner of the entered epoch says, or the source that it copies from. */
static bool s_from_source (const synod__replica_t *self, const synod__replica_message_t *in)
{
    if (self->role == SYNOD__REPLICA_MEMBER || self->role == SYNOD__REPLICA_LEARNER)
        /* only a marked copy is the owner's: one that answers as another owner's source has no say here */
        return synod__replica_same (&in->from, &self->peers[self->owner].id) && in->mark == in->epoch;
    /* the source is sealed, so its copy is still the one that was chosen */
    const synod__replica_search_t *search = self->search;
    return self->phase == SYNOD__REPLICA_ADOPTING && synod__replica_same (&in->from, &search->best) &&
           in->mark == search->best_mark && in->n == search->best_n;
}

static void s_refuse (synod__replica_t *self, const synod__store_id_t *to)
{
    synod__replica_send (self, to, SYNOD__REPLICA_REFUSED)->epoch = self->seal;
}

static void s_take_entered (synod__replica_t *self, const synod__replica_message_t *in)
{
    bool transfer = self->head.mark < in->epoch;
    bool owns = self->role == SYNOD__REPLICA_OWNER;
    switch (in->kind) {
    case SYNOD__REPLICA_BATCHES:
    case SYNOD__REPLICA_CHUNK:
        if (self->seal > in->epoch && !(transfer && SYNOD__REPLICA_MUTANT (TRANSFER_IGNORES_SEAL)))
            s_refuse (self, &in->from);
        else if (!s_from_source (self, in))
            break;
        else if (in->kind == SYNOD__REPLICA_BATCHES)
            synod__copy_on_batches (self, in);
        else
            synod__copy_on_chunk (self, in);
        break;
    case SYNOD__REPLICA_SEALED:
        if (owns && self->phase == SYNOD__REPLICA_SEALING)
            synod__seal_on_sealed (self, in);
        break;
    case SYNOD__REPLICA_ACK:
        if (owns && self->phase >= SYNOD__REPLICA_BRINGING)
            synod__owner_on_ack (self, in);
        break;
    case SYNOD__REPLICA_LEAVING:
        if (owns && self->phase >= SYNOD__REPLICA_BRINGING)
            synod__owner_on_leaving (self, in);
        break;
    case SYNOD__REPLICA_DELETE:
        if (self->role == SYNOD__REPLICA_STRANGER && self->seal <= in->epoch &&
            synod__replica_same (&in->from, &self->peers[self->owner].id))
            synod__copy_on_delete (self);
        break;
    default:
        break;
    }
}

/* The owner of the entered epoch has begun another term. */
static void s_follow (synod__replica_t *self, const synod__replica_message_t *in)
{
    if (self->epoch && synod__term_epoch (in->epoch) == self->epoch && in->epoch > self->term &&
        self->role != SYNOD__REPLICA_OWNER && synod__replica_same (&in->from, &self->peers[self->owner].id))
        s_new_term (self, in->epoch);
}

const synod__replica_step_t *synod__replica_take (synod__replica_t *self, const synod__replica_message_t *in)
{
    synod__replica_begin (self);
    if (in->epoch == 0)
        return synod__replica_end (self);
    s_follow (self, in);
    if (in->kind == SYNOD__REPLICA_SEAL)
        synod__seal_on_seal (self, in);
    else if (in->kind == SYNOD__REPLICA_PULL)
        synod__source_on_pull (self, in);
    else if (in->epoch > self->term || in->kind == SYNOD__REPLICA_REFUSED)
        synod__replica_newer (self, in->epoch);
    else if (in->epoch == self->term)
        s_take_entered (self, in);
    else if (in->kind == SYNOD__REPLICA_BATCHES && self->seal > in->epoch)
        s_refuse (self, &in->from);
    else if (in->kind == SYNOD__REPLICA_LEAVING && synod__term_epoch (in->epoch) == self->epoch &&
             self->role == SYNOD__REPLICA_OWNER)
        s_refuse (self, &in->from); /* who has no part is not told of new terms, and says it again */
    return synod__replica_end (self);
}

const synod__replica_step_t *synod__replica_tick (synod__replica_t *self)
{
    synod__replica_begin (self);
    if (self->epoch == 0)
        return synod__replica_end (self);
    if (self->seal > self->term)
        synod__replica_newer (self, self->seal);
    else if (self->phase == SYNOD__REPLICA_SEALING || self->phase == SYNOD__REPLICA_ADOPTING)
        synod__seal_tick (self);
    else if (self->phase >= SYNOD__REPLICA_BRINGING)
        synod__owner_tick (self);
    else
        synod__copy_tick (self);
    return synod__replica_end (self);
}

bool synod__replica_idle (const synod__replica_t *self)
{
    if (synod__tail_over (self))
        return false;
    if (self->epoch == 0)
        return true;
    if (self->seal > self->term)
        return false;
    if (self->phase != SYNOD__REPLICA_NOTHING)
        return self->phase == SYNOD__REPLICA_SERVING && synod__owner_idle (self);
    if (self->role == SYNOD__REPLICA_STRANGER)
        return !self->head.mark && !self->head.n;
    return self->head.mark == self->term && !self->stage && !self->asked;
}
