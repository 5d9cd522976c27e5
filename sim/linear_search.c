/* SPDX-License-Identifier: MPL-2.0
 *
 * Depth first: place an operation that was invoked before the first completion among those not placed, and whose step
 * the model allows; go back where there is none. Invariants: ENTRIES holds exactly what is not placed, in the order of
 * the history; STATES[depth] is the state after PLACED[0..depth).
 *
 * Four rules leave out what another branch covers:
 * 1. A configuration (which are placed, and the state) is searched once (Lowe 2017, section 4).
 * 2. A known operation that only reads and fits is placed at once: wherever it would have gone later, leaving it out
 *    there changes no state. Only configurations without such a read are remembered.
 * 3. An unknown operation is placed only if that changes the state, and what follows directly must not come to the
 *    same state without it: for then the branch without it, which can still use it later, allows at least as much.
 * 4. Of unknown operations that are alike the one invoked first is placed first: they can be exchanged.
 * With 2, 3 and 4, each configuration that can be reached has one among those searched with the same state, the same
 * known operations or more reads, and the same unknown ones, up to exchange, or fewer; it can do whatever the first can.
 */
#include <assert.h>
#include <stdlib.h>
#include "linear_search.h"

#define S_ASK_STEPS 4096 /* between two questions to go_on */

/* Where the choice of the next operation has come to. */
typedef struct {
    bool none, unknowns;
    uint32_t at; /* entry, or index of an unknown */
} s_cursor_t;

static uint64_t s_mix (uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static bool s_bit (const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

static void s_flip (uint64_t *bits, uint32_t i)
{
    bits[i / 64] ^= (uint64_t) 1 << i % 64;
}

static void *s_state (const synod__search_t *self, uint32_t depth)
{
    return self->states + depth * self->state_stride;
}

static bool s_equal (const synod__search_t *self, const void *a, const void *b)
{
    return self->model->equal ? self->model->equal (a, b) : memcmp (a, b, self->model->state_size) == 0;
}

static bool s_step (synod__search_t *self, const synod_op_t *op, const void *state, void *next)
{
    self->steps++;
    memset (next, 0, self->state_stride);
    return self->model->step (state, op, next);
}

static bool s_is_call (const synod__search_t *self, uint32_t entry)
{
    return entry != 0 && self->entries[entry].known % 2 == 0;
}

static synod__known_t *s_known_at (const synod__search_t *self, uint32_t entry)
{
    return &self->known[self->entries[entry].known / 2];
}

/* The first completion of what is not placed. */
static uint32_t s_bound (const synod__search_t *self)
{
    uint32_t entry = self->entries[0].next;
    while (s_is_call (self, entry))
        entry = self->entries[entry].next;
    assert (entry != 0);
    return entry;
}

static void s_unlink (synod__search_t *self, uint32_t at)
{
    const synod__entry_t *entry = &self->entries[at];
    self->entries[entry->prev].next = entry->next;
    self->entries[entry->next].prev = entry->prev;
}

static void s_relink (synod__search_t *self, uint32_t at)
{
    const synod__entry_t *entry = &self->entries[at];
    self->entries[entry->prev].next = at;
    self->entries[entry->next].prev = at;
}

/* STATES[depth + 1] has been filled. */
static void s_place (synod__search_t *self, uint32_t index, bool unknown, bool read)
{
    self->placed[self->depth++] = (synod__placed_t){.index = index, .unknown = unknown, .read = read};
    self->set ^= s_mix ((uint64_t) index * 2 + unknown);
    s_flip (unknown ? self->used : self->done, index);
    if (unknown)
        return;
    s_unlink (self, self->known[index].call);
    s_unlink (self, self->known[index].end);
    self->left--;
}

static synod__placed_t s_unplace (synod__search_t *self)
{
    synod__placed_t last = self->placed[--self->depth];
    self->set ^= s_mix ((uint64_t) last.index * 2 + last.unknown);
    s_flip (last.unknown ? self->used : self->done, last.index);
    if (self->best_same > self->depth)
        self->best_same = self->depth;
    if (!last.unknown) {
        s_relink (self, self->known[last.index].end);
        s_relink (self, self->known[last.index].call);
        self->left++;
    }
    return last;
}

/* Rule 2. */
static void s_place_reads (synod__search_t *self)
{
    uint32_t at = self->entries[0].next;
    while (s_is_call (self, at)) {
        const synod__known_t *known = s_known_at (self, at);
        uint32_t before = self->entries[at].prev;
        if (known->reads && s_step (self, known->op, s_state (self, self->depth), s_state (self, self->depth + 1))) {
            s_place (self, self->entries[at].known / 2, false, true);
            at = before;
        }
        at = self->entries[at].next;
    }
}

/* Rule 1. */
static synod__memo_answer_t s_remember (synod__search_t *self)
{
    const void *state = s_state (self, self->depth);
    const synod__known_t *low = s_known_at (self, self->entries[0].next);
    uint64_t hash = self->model->hash ? self->model->hash (state) : XXH3_64bits (state, self->model->state_size);
    /* whatever is placed beyond LOW was invoked before LOW ended */
    synod__configuration_t configuration = {.hash = self->set ^ s_mix (hash),
                                            .done = self->done,
                                            .from = (uint32_t) (low - self->known) / 64,
                                            .until = (low->reach + 63) / 64,
                                            .used = self->used,
                                            .nused = self->nused,
                                            .state = state};
    return synod__memo_add (&self->memo, &configuration);
}

/* Keeps what is placed if it goes further than what went furthest so far. */
static void s_note (synod__search_t *self)
{
    uint32_t bound = s_bound (self), known = self->nknown - self->left;
    if (bound < self->best_bound || (bound == self->best_bound && known <= self->best_known))
        return;
    for (uint32_t i = self->best_same; i < self->depth; i++) {
        const synod__placed_t *placed = &self->placed[i];
        self->best[i] = placed->unknown ? self->unknown[placed->index].number : self->known[placed->index].number;
    }
    self->best_bound = bound;
    self->best_known = known;
    self->nbest = self->best_same = self->depth;
}

/* Whether OP may be next; then STATES[depth + 1] is filled. Rule 3. */
static bool s_fits (synod__search_t *self, const synod_op_t *op, bool unknown)
{
    const void *state = s_state (self, self->depth);
    void *next = s_state (self, self->depth + 1);
    void *spare = s_state (self, self->nknown + self->nunknown + 1);
    if (!s_step (self, op, state, next) || (unknown && s_equal (self, state, next)))
        return false;
    return !(self->depth > 0 && self->placed[self->depth - 1].unknown &&
             s_step (self, op, s_state (self, self->depth - 1), spare) && s_equal (self, spare, next));
}

/* Places the next choice from CURSOR on; false: there is none. Known ones first: unknown ones are for need. */
static bool s_next (synod__search_t *self, s_cursor_t *cursor)
{
    if (cursor->none)
        return false;
    uint32_t at = cursor->at;
    if (!cursor->unknowns) {
        for (; s_is_call (self, at); at = self->entries[at].next) {
            const synod__known_t *known = s_known_at (self, at);
            if (!known->reads && s_fits (self, known->op, false)) {
                s_place (self, (uint32_t) (known - self->known), false, false);
                return true;
            }
        }
        at = 0;
    }
    uint32_t bound = self->nunknown ? s_bound (self) : 0;
    for (; at < self->nunknown && self->unknown[at].after < bound; at++) {
        uint32_t twin = self->unknown[at].twin;
        if (s_bit (self->used, at) || (twin != SYNOD__NO_OP && !s_bit (self->used, twin))) /* rule 4 */
            continue;
        if (s_fits (self, self->unknown[at].op, true)) {
            s_place (self, at, true, false);
            return true;
        }
    }
    return false;
}

/* Takes the last choice back, with the reads that came of it; CURSOR is what comes after it. False: there was none. */
static bool s_back (synod__search_t *self, s_cursor_t *cursor)
{
    synod__placed_t last = {.read = true};
    while (last.read) {
        if (self->depth == 0)
            return false;
        last = s_unplace (self);
    }
    cursor->none = false;
    cursor->unknowns = last.unknown;
    cursor->at = last.unknown ? last.index + 1 : self->entries[self->known[last.index].call].next;
    return true;
}

static bool s_may_go_on (synod__search_t *self, uint64_t began)
{
    if (self->steps - began > self->bounds->steps)
        self->why = "the bound on steps was reached";
    if (self->bounds->go_on && self->steps >= self->asked + S_ASK_STEPS) {
        self->asked = self->steps;
        if (!self->bounds->go_on (self->bounds->arg)) {
            self->stopped = true;
            self->why = "the caller stopped it";
        }
    }
    return !self->why;
}

static synod_verdict_t s_run (synod__search_t *self)
{
    uint64_t began = self->steps;
    s_cursor_t cursor = {0};
    bool moved = true; /* to a configuration that nothing is known of */
    for (;;) {
        if (!s_may_go_on (self, began))
            return SYNOD_LINEAR_UNKNOWN;
        if (moved) {
            s_place_reads (self);
            if (self->left == 0)
                return SYNOD_LINEAR_YES;
            synod__memo_answer_t answer = s_remember (self);
            s_note (self);
            if (answer == SYNOD__MEMO_FULL) {
                self->why = "the bound on memory was reached";
                return SYNOD_LINEAR_UNKNOWN;
            }
            cursor = (s_cursor_t){.none = answer == SYNOD__MEMO_KNOWN, .at = self->entries[0].next};
        }
        moved = s_next (self, &cursor);
        if (!moved && !s_back (self, &cursor))
            return SYNOD_LINEAR_NO;
    }
}

/* ---- what is searched ---- */

/* Lays the arrays into one block; false: too large. */
static bool s_lay_out (synod__search_t *self)
{
    size_t all = (size_t) self->nknown + self->nunknown;
    self->nused = (self->nunknown + 63) / 64;
    self->state_stride = (self->model->state_size + 7) / 8 * 8;
    const struct {
        void **array;
        size_t size;
    } parts[] = {
        {(void **) &self->known, self->nknown * sizeof *self->known},
        {(void **) &self->unknown, self->nunknown * sizeof *self->unknown},
        {(void **) &self->done, ((size_t) self->nknown + 63) / 64 * sizeof *self->done},
        {(void **) &self->used, self->nused * sizeof *self->used},
        {(void **) &self->states, (all + 2) * self->state_stride},
        {(void **) &self->entries, ((size_t) self->nknown * 2 + 1) * sizeof *self->entries},
        {(void **) &self->placed, all * sizeof *self->placed},
        {(void **) &self->best, all * sizeof *self->best},
    };
    self->block_size = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        self->block_size += (parts[i].size + 7) / 8 * 8;
    if (self->block_size > self->bounds->memory)
        return false;
    if (self->block_size > self->block_made) {
        free (self->block);
        self->block = (char *) malloc (self->block_size);
        self->block_made = self->block ? self->block_size : 0;
        if (!self->block)
            return false;
    }
    memset (self->block, 0, self->block_size);
    size_t at = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].array = self->block + at;
        at += (parts[i].size + 7) / 8 * 8;
    }
    return true;
}

typedef enum { S_LEFT_OUT, S_KNOWN, S_UNKNOWN } s_part_t;

static s_part_t s_part (const synod_model_t *model, const synod_op_t *op)
{
    if (op->outcome == SYNOD_OP_DONE)
        return S_KNOWN;
    return op->outcome == SYNOD_OP_FAILED || (model->reads && model->reads (op)) ? S_LEFT_OUT : S_UNKNOWN;
}

static void s_add_entry (synod__search_t *self, uint32_t known)
{
    uint32_t last = self->nentries++, at = self->nentries;
    self->entries[at] = (synod__entry_t){.prev = last, .known = known};
    self->entries[last].next = at;
    self->entries[0].prev = at;
}

static void s_add (synod__search_t *self, const synod_op_t *op, uint32_t event)
{
    uint32_t number = event / 2;
    s_part_t part = s_part (self->model, op);
    if (part == S_KNOWN && event % 2 == 0) {
        self->slots[number] = self->nknown;
        self->known[self->nknown++] = (synod__known_t){.op = op,
                                                       .number = number,
                                                       .call = self->nentries + 1,
                                                       .reads = self->model->reads && self->model->reads (op)};
        s_add_entry (self, self->slots[number] * 2);
    } else if (part == S_KNOWN) {
        synod__known_t *known = &self->known[self->slots[number]];
        known->end = self->nentries + 1;
        known->reach = self->nknown;
        s_add_entry (self, self->slots[number] * 2 + 1);
    } else if (part == S_UNKNOWN && event % 2 == 0) {
        self->unknown[self->nunknown++] =
            (synod__unknown_t){.op = op, .number = number, .after = self->nentries, .twin = SYNOD__NO_OP};
    }
}

static int s_compare (const synod_op_t *a, const synod_op_t *b)
{
    if (a->operation != b->operation)
        return a->operation < b->operation ? -1 : 1;
    for (int i = 0; i < 2; i++)
        if (a->args[i] != b->args[i])
            return a->args[i] < b->args[i] ? -1 : 1;
    return 0;
}

/* Alike ones side by side, and those in the order of invocation. */
static int s_by_likeness (const void *a, const void *b, void *arg)
{
    const synod__search_t *self = (const synod__search_t *) arg;
    uint32_t i = *(const uint32_t *) a, j = *(const uint32_t *) b;
    int order = s_compare (self->unknown[i].op, self->unknown[j].op);
    return order ? order : (i > j) - (i < j);
}

static void s_find_twins (synod__search_t *self)
{
    uint32_t *sorted = self->best; /* not in use yet */
    for (uint32_t i = 0; i < self->nunknown; i++)
        sorted[i] = i;
    if (self->nunknown > 1)
        qsort_r (sorted, self->nunknown, sizeof *sorted, s_by_likeness, self);
    for (uint32_t i = 1; i < self->nunknown; i++)
        if (s_compare (self->unknown[sorted[i - 1]].op, self->unknown[sorted[i]].op) == 0)
            self->unknown[sorted[i]].twin = sorted[i - 1];
}

synod_verdict_t synod__search_key (synod__search_t *self, const synod_history_t *history, const uint32_t *events,
                                   uint32_t nevents)
{
    self->why = NULL;
    self->depth = self->nbest = self->best_same = self->best_bound = self->best_known = 0;
    self->nentries = self->nknown = self->nunknown = 0;
    self->set = 0;
    synod__memo_clear (&self->memo);
    for (uint32_t i = 0; i < nevents; i++) {
        s_part_t part = events[i] % 2 == 0 ? s_part (self->model, &history->ops[events[i] / 2]) : S_LEFT_OUT;
        self->nknown += part == S_KNOWN;
        self->nunknown += part == S_UNKNOWN;
    }
    self->left = self->nknown;
    if (!s_lay_out (self)) {
        self->why = "the bound on memory was reached";
        return SYNOD_LINEAR_UNKNOWN;
    }
    self->memo.bound = self->bounds->memory > self->block_made ? self->bounds->memory - self->block_made : 0;
    if (self->memo.memory > self->memo.bound)
        synod__memo_free (&self->memo);
    self->nknown = self->nunknown = 0;
    for (uint32_t i = 0; i < nevents; i++)
        s_add (self, &history->ops[events[i] / 2], events[i]);
    s_find_twins (self);
    self->model->init (s_state (self, 0));
    return s_run (self);
}

uint32_t synod__search_stuck (const synod__search_t *self)
{
    return s_known_at (self, self->best_bound)->number;
}

void synod__search_free (synod__search_t *self)
{
    synod__memo_free (&self->memo);
    free (self->block);
    self->block = NULL;
    self->block_size = self->block_made = 0;
}
