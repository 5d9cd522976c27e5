/* SPDX-License-Identifier: MPL-2.0
 *
 * What a copy is made of: its head with the runs (epoch, first n), and the tail of its last batches.
 *
 * Invariants: runs are in order of n and of epoch; two copies that both have a batch (e, n) have the same before it,
 * since one owner ordered it once, so the last (e, n) in common says where they part; the tail ends with head.n and has
 * no gap.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include "replica_internal.h"

#define RUN_FIELDS(FIELD, OPT)                           \
    FIELD (u64, epoch, UINT64_MAX - 1, "of the batches") \
    FIELD (u64, first, UINT64_MAX - 1, "the first of them")
SYNOD_RECORD (run, RUN_FIELDS, 0, "batches of one epoch")
#define COPY_FIELDS(FIELD, OPT)                                           \
    OPT (u64, mark, UINT64_MAX - 1, "the epoch it was last brought into") \
    OPT (u64, n, UINT64_MAX - 1, "the last batch")                        \
    OPT (list, runs, run, "epochs of the last batches")
SYNOD_RECORD (copy, COPY_FIELDS, 0, "what a partition's copy is")

int synod__replica_head_pack (const synod__replica_head_t *self, synod_buf_t *out)
{
    copy_t record = {.mark = self->mark, .n = self->n};
    synod_buf_t items = {0};
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < self->nruns && rc == SYNOD_OK; i++) {
        run_t run = {.epoch = self->runs[i].epoch, .first = self->runs[i].first};
        rc = synod_list_add (&record.runs, &items, &run_record, &run, NULL);
    }
    if (rc == SYNOD_OK)
        rc = synod_record_pack (&copy_record, &record, out, NULL);
    synod_buf_free (&items);
    return rc;
}

/* Whether a run may come behind COUNT others of a copy that ends with N. */
static bool s_follows (const synod__replica_run_t *runs, uint32_t count, uint64_t n, uint64_t epoch, uint64_t first)
{
    const synod__replica_run_t *before = count ? &runs[count - 1] : NULL;
    return count < SYNOD__REPLICA_RUNS_MAX && epoch > 0 && first > 0 && first <= n &&
           (!before || (epoch > before->epoch && first > before->first));
}

int synod__replica_head_unpack (synod__replica_head_t *self, synod_str_t bytes, synod_fault_t *fault)
{
    copy_t record;
    memset (self, 0, sizeof *self);
    if (bytes.size == 0)
        return SYNOD_OK;
    int rc = synod_record_unpack (&copy_record, bytes, &record, fault);
    if (rc != SYNOD_OK)
        return rc;
    self->mark = record.mark;
    self->n = record.n;
    run_t run;
    while (synod_list_next (&record.runs, &run_record, &run)) {
        if (!s_follows (self->runs, self->nruns, self->n, run.epoch, run.first)) {
            uint64_t n = self->n;
            memset (self, 0, sizeof *self);
            return synod_fault (fault, SYNOD_BAD_REQUEST,
                                "expected up to %d runs of batches with growing epochs, up to batch %" PRIu64
                                ", got one of epoch %" PRIu64 " from batch %" PRIu64,
                                SYNOD__REPLICA_RUNS_MAX, n, run.epoch, run.first);
        }
        self->runs[self->nruns++] = (synod__replica_run_t){run.epoch, run.first};
    }
    return SYNOD_OK;
}

bool synod__runs_take (synod__replica_log_t *log, const synod__replica_message_t *in)
{
    for (uint32_t i = 0; i < in->nruns; i++)
        if (in->runs[i].epoch > in->epoch || !s_follows (in->runs, i, in->n, in->runs[i].epoch, in->runs[i].first))
            return false;
    *log = (synod__replica_log_t){0, in->n, in->nruns, 0, (synod__replica_run_t *) in->runs};
    return true;
}

bool synod__runs_copy (synod__replica_log_t *to, const synod__replica_log_t *from)
{
    synod__replica_run_t *runs = NULL;
    if (from->nruns) {
        runs = (synod__replica_run_t *) malloc (from->nruns * sizeof *runs);
        if (!runs)
            return false;
        memcpy (runs, from->runs, from->nruns * sizeof *runs);
    }
    synod__runs_free (to);
    *to = (synod__replica_log_t){from->mark, from->n, from->nruns, from->nruns, runs};
    return true;
}

void synod__runs_free (synod__replica_log_t *log)
{
    if (log->room)
        free (log->runs);
    memset (log, 0, sizeof *log);
}

uint64_t synod__runs_at (const synod__replica_log_t *log, uint64_t n)
{
    assert (n <= log->n);
    if (n == 0)
        return 0;
    for (uint32_t i = log->nruns; i-- > 0;)
        if (log->runs[i].first <= n)
            return log->runs[i].epoch;
    return SYNOD__EPOCH_FORGOTTEN;
}

bool synod__runs_add (synod__replica_log_t *log, uint64_t epoch)
{
    if (!log->nruns || log->runs[log->nruns - 1].epoch != epoch) {
        if (log->nruns == SYNOD__REPLICA_RUNS_MAX)
            memmove (log->runs, log->runs + 1, --log->nruns * sizeof *log->runs);
        void *array = log->runs;
        synod__replica_run_t *one =
            (synod__replica_run_t *) synod__replica_more (&array, &log->room, log->nruns, sizeof *one);
        log->runs = (synod__replica_run_t *) array;
        if (!one)
            return false;
        *one = (synod__replica_run_t){epoch, log->n + 1};
        log->nruns++;
    }
    log->n++;
    return true;
}

void synod__runs_cut (synod__replica_log_t *log, uint64_t n)
{
    assert (n <= log->n);
    log->n = n;
    while (log->nruns && log->runs[log->nruns - 1].first > n)
        log->nruns--;
}

uint64_t synod__runs_common (const synod__replica_log_t *a, const synod__replica_log_t *b)
{
    uint64_t n = a->n < b->n ? a->n : b->n;
    while (n) {
        uint64_t ea = synod__runs_at (a, n), eb = synod__runs_at (b, n);
        if (ea == SYNOD__EPOCH_FORGOTTEN || eb == SYNOD__EPOCH_FORGOTTEN)
            return 0;
        if (ea == eb)
            return n;
        /* epochs grow with n: no batch of the later one's run is in the other */
        const synod__replica_log_t *later = ea > eb ? a : b;
        uint32_t i = later->nruns;
        while (later->runs[--i].first > n)
            ;
        n = later->runs[i].first - 1;
    }
    return 0;
}

/* ---- the tail ---- */

bool synod__tail_copy (synod_str_t *to, synod_str_t from)
{
    char *copy = (char *) malloc (from.size ? from.size : 1);
    if (!copy)
        return false;
    if (from.size)
        memcpy (copy, from.data, from.size);
    *to = synod_str_n (copy, from.size);
    return true;
}

static void s_free (synod__replica_t *self, uint32_t index)
{
    self->tail_bytes -= self->tail[index].bytes.size + self->undo[index].size;
    free ((char *) self->tail[index].bytes.data);
    free ((char *) self->undo[index].data);
}

/* The index of batch N, which is in the tail. */
static uint32_t s_index (const synod__replica_t *self, uint64_t n)
{
    return self->tail_start + self->tail_count - 1 - (uint32_t) (self->head.n - n);
}

bool synod__tail_covers (const synod__replica_t *self, uint64_t first)
{
    return first > self->head.n - self->tail_count;
}

const synod__replica_batch_t *synod__tail_at (const synod__replica_t *self, uint64_t n)
{
    return n <= self->head.n && synod__tail_covers (self, n) ? &self->tail[s_index (self, n)] : NULL;
}

/* Room for one more at the end. */
static bool s_room (synod__replica_t *self)
{
    if (self->tail_start + self->tail_count < self->tail_room)
        return true;
    uint32_t room = self->tail_room;
    if (self->tail_start <= self->tail_count) {
        room = room ? 2 * room : 8;
        /* each is as it was if the other fails */
        void *tail = realloc (self->tail, room * sizeof *self->tail);
        if (tail)
            self->tail = (synod__replica_batch_t *) tail;
        void *undo = realloc (self->undo, room * sizeof *self->undo);
        if (undo)
            self->undo = (synod_str_t *) undo;
        if (!tail || !undo)
            return false;
        self->tail_room = room;
    }
    if (self->tail_start && self->tail_count) {
        memmove (self->tail, self->tail + self->tail_start, self->tail_count * sizeof *self->tail);
        memmove (self->undo, self->undo + self->tail_start, self->tail_count * sizeof *self->undo);
    }
    self->tail_start = 0;
    return true;
}

bool synod__tail_push (synod__replica_t *self, const synod__replica_batch_t *batch)
{
    synod__replica_batch_t copy = *batch;
    if (!s_room (self) || !synod__tail_copy (&copy.bytes, batch->bytes))
        return false;
    self->tail[self->tail_start + self->tail_count] = copy;
    self->undo[self->tail_start + self->tail_count] = synod_str_n (NULL, 0);
    self->tail_count++;
    self->tail_bytes += copy.bytes.size;
    return true;
}

void synod__tail_clear (synod__replica_t *self)
{
    while (self->tail_count)
        s_free (self, self->tail_start + --self->tail_count);
    self->tail_start = 0;
}

bool synod__tail_cut (synod__replica_t *self, uint64_t n)
{
    for (uint64_t at = self->head.n; at > n; at--)
        if (!synod__tail_covers (self, at) || !self->undo[s_index (self, at)].data)
            return false;
    while (self->head.n > n) {
        uint32_t last = s_index (self, self->head.n);
        synod__replica_batch_t undo = {self->tail[last].epoch, self->tail[last].n, self->undo[last]};
        synod__replica_write (self, SYNOD__REPLICA_CUT, &undo);
        /* the step borrows it */
        synod__replica_bury (self, (char *) self->undo[last].data);
        self->tail_bytes -= self->undo[last].size;
        self->undo[last] = synod_str_n (NULL, 0);
        s_free (self, last);
        self->tail_count--;
        synod__runs_cut (&self->head, self->head.n - 1);
    }
    return true;
}

bool synod__tail_set_undo (synod__replica_t *self, uint32_t back, synod_str_t undo)
{
    uint32_t index = self->tail_start + self->tail_count - 1 - back;
    if (self->undo[index].data)
        return true;
    if (!synod__tail_copy (&self->undo[index], undo))
        return false;
    self->tail_bytes += undo.size;
    return true;
}

bool synod__tail_over (const synod__replica_t *self)
{
    bool over = self->tail_count > self->config->tail_count || self->tail_bytes > self->config->tail_bytes;
    if (!self->tail_count || !over)
        return false;
    /* else nobody was sent it yet */
    return self->phase != SYNOD__REPLICA_SERVING || self->tail[self->tail_start].n <= self->kept;
}

void synod__tail_trim (synod__replica_t *self)
{
    while (synod__tail_over (self)) {
        s_free (self, self->tail_start);
        self->tail_start++;
        self->tail_count--;
    }
}
