/* SPDX-License-Identifier: MPL-2.0
 *
 * What one who asks is sent: batches from the tail, else a snapshot in chunks. Nothing is remembered of who asked; how far
 * they are is in what they ask.
 *
 * A snapshot is read while the copy changes (a fuzzy one): its first chunk shows the copy at some n0, later ones at later
 * n. The batches after n0 are replayed on what was staged; they put and delete whole values, so the outcome is the copy
 * at the last of them, once all that a chunk could show are in. A chunk must not be older than what was replayed before it.
 */
#include "replica_internal.h"

/* The owner, whose copy is marked; or one whose copy is frozen by the seal of who asks. */
static bool s_answers (const synod__replica_t *self, const synod__replica_message_t *in)
{
    if (in->epoch == self->term && self->role == SYNOD__REPLICA_OWNER)
        return self->phase >= SYNOD__REPLICA_BRINGING &&
               synod__replica_peer (self, &in->from) < synod__replica_peers (self);
    if (in->epoch == self->term && !synod__replica_same (&in->from, &self->peers[self->owner].id))
        return false;
    return in->epoch == self->seal && self->head.mark < in->epoch;
}

uint64_t synod__source_batches (synod__replica_t *self, const synod__store_id_t *to, uint64_t from, uint64_t base)
{
    synod__replica_message_t *out = synod__replica_send (self, to, SYNOD__REPLICA_BATCHES);
    out->base = base;
    out->round = self->round;
    out->after_n = from;
    out->after_epoch = synod__runs_at (&self->head, from);
    const synod__replica_batch_t *batch = synod__tail_at (self, from + 1);
    out->batches = batch; /* nothing of this step changes the tail any more */
    uint32_t bytes = 0;
    for (; batch && from < self->head.n && out->nbatches < SYNOD__REPLICA_BATCHES_MAX; batch++, from++) {
        if (out->nbatches && bytes + batch->bytes.size > SYNOD__REPLICA_BATCH_MAX)
            break;
        bytes += batch->bytes.size;
        out->nbatches++;
    }
    return from;
}

static void s_chunk (synod__replica_t *self, const synod__store_id_t *to, uint64_t base, synod_str_t after)
{
    synod__replica_message_t *out = synod__replica_send (self, to, SYNOD__REPLICA_CHUNK);
    out->base = base;
    out->runs = self->head.runs;
    out->nruns = self->head.nruns;
    out->key = after;
}

void synod__source_on_pull (synod__replica_t *self, const synod__replica_message_t *in)
{
    synod__replica_log_t theirs;
    if (self->epoch == 0 || !s_answers (self, in) || !synod__runs_take (&theirs, in))
        return;
    bool owner = in->epoch == self->term && self->phase >= SYNOD__REPLICA_BRINGING;
    uint64_t base = owner ? self->base : self->head.n;
    const synod_str_t none = {NULL, 0};
    uint32_t mails = synod__step (self)->nmails;
    if (in->staging && in->at <= self->head.n && synod__tail_covers (self, in->at + 1)) {
        uint64_t end = in->at;
        if (in->at < self->head.n || in->scanned)
            end = synod__source_batches (self, &in->from, in->at, base);
        if (end == self->head.n && !in->scanned)
            s_chunk (self, &in->from, base, in->key);
    } else {
        uint64_t common = synod__runs_common (&self->head, &theirs);
        uint32_t peer = owner ? synod__replica_peer (self, &in->from) : 0;
        if (in->whole || in->staging || !synod__tail_covers (self, common + 1))
            s_chunk (self, &in->from, base, none);
        else {
            uint64_t end = synod__source_batches (self, &in->from, common, base);
            if (owner && self->peers[peer].marked && self->peers[peer].sent < end)
                self->peers[peer].sent = end;
        }
    }
    /* a source's messages are of the epoch that asked */
    for (; mails < synod__step (self)->nmails; mails++)
        self->config->scratch->mails[mails].message.epoch = in->epoch;
}
