/* SPDX-License-Identifier: MPL-2.0
 *
 * A record is a head, the words of placed operations that are neither all below nor all beyond it, the words of used
 * unknown ones between the first and last that are not zero, and the state. Both runs of words are the shortest ones, so
 * that equal configurations have equal records. Records are of different sizes and there are millions: hence a table
 * of four-byte references into chunks rather than one of allocations with links (uthash: 56 bytes more each).
 *
 * A reference is chunk number * units of a chunk + unit in it, from 1; a unit is 8 bytes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "linear_memo.h"

#define S_UNIT          8
#define S_CHUNK_LEAST   (64 * 1024)
#define S_BUCKETS_LEAST 1024

typedef struct {
    uint32_t next; /* reference of the next of its bucket */
    uint32_t hash;
    uint16_t done_from, ndone; /* words */
    uint16_t used_from, nused;
    uint64_t words[]; /* done, used, then the state's bytes */
} s_record_t;

static s_record_t *s_record (const synod__memo_t *self, uint32_t reference)
{
    uint32_t units = self->chunk / S_UNIT;
    reference--;
    return (s_record_t *) (void *) (self->chunks[reference / units] + (size_t) (reference % units) * S_UNIT);
}

uint32_t synod__memo_chunk (uint32_t operations)
{
    uint32_t chunk = S_CHUNK_LEAST;
    while (chunk / 4 < operations / 8 + sizeof (s_record_t) + SYNOD_STATE_MAX)
        chunk *= 2;
    return chunk;
}

static bool s_take (synod__memo_t *self, size_t bytes)
{
    if (bytes > self->bound || self->memory > self->bound - bytes)
        return false;
    self->memory += bytes;
    return true;
}

/* Room for SIZE bytes at the end of the last chunk, or in a new one. */
static bool s_reserve (synod__memo_t *self, size_t size)
{
    assert (size <= self->chunk);
    if (self->nchunks > 0 && self->used + size <= self->chunk)
        return true;
    if (self->nchunks == self->chunks_made) {
        if (self->nchunks == UINT32_MAX / (self->chunk / S_UNIT) || !s_take (self, self->chunk))
            return false;
        if (self->chunks_made == self->chunks_capacity) {
            uint32_t more = self->chunks_capacity ? self->chunks_capacity * 2 : 16;
            char **grown = (char **) realloc (self->chunks, more * sizeof *grown);
            if (!grown)
                return false;
            self->chunks = grown;
            self->chunks_capacity = more;
        }
        char *chunk = (char *) malloc (self->chunk);
        if (!chunk)
            return false;
        self->chunks[self->chunks_made++] = chunk;
    }
    self->nchunks++;
    self->used = 0;
    return true;
}

/* Twice as many buckets; those there are suffice when there is no memory for more, but never none. */
static bool s_spread (synod__memo_t *self)
{
    uint32_t wanted = self->nbuckets ? self->nbuckets * 2 : S_BUCKETS_LEAST;
    if (wanted > self->buckets_made) {
        size_t more = (size_t) (wanted - self->buckets_made) * sizeof *self->buckets;
        uint32_t *grown = s_take (self, more) ? (uint32_t *) realloc (self->buckets, wanted * sizeof *grown) : NULL;
        if (!grown)
            return self->nbuckets > 0;
        self->buckets = grown;
        self->buckets_made = wanted;
    }
    memset (self->buckets + self->nbuckets, 0, (wanted - self->nbuckets) * sizeof *self->buckets);
    /* a record of bucket i belongs to i or to i + the old number of buckets */
    for (uint32_t i = 0; i < self->nbuckets; i++) {
        uint32_t *keep = &self->buckets[i], *move = &self->buckets[i + self->nbuckets];
        uint32_t reference = *keep;
        *keep = 0;
        while (reference) {
            s_record_t *record = s_record (self, reference);
            uint32_t next = record->next;
            uint32_t **end = (record->hash & self->nbuckets) ? &move : &keep;
            **end = reference;
            record->next = 0;
            *end = &record->next;
            reference = next;
        }
    }
    self->nbuckets = wanted;
    return true;
}

static size_t s_size (const synod__memo_t *self, const s_record_t *record)
{
    size_t state = (self->model->state_size + S_UNIT - 1) / S_UNIT;
    return sizeof *record + ((size_t) record->ndone + record->nused + state) * sizeof *record->words;
}

/* The words of WORDS from FROM to before UNTIL without zeros at their end. */
static uint16_t s_trimmed (const uint64_t *words, uint32_t from, uint32_t until)
{
    while (until > from && words[until - 1] == 0)
        until--;
    return (uint16_t) (until - from);
}

static void s_write (const synod__memo_t *self, s_record_t *record, const synod__configuration_t *c)
{
    uint32_t used_from = 0;
    while (used_from < c->nused && c->used[used_from] == 0)
        used_from++;
    record->hash = (uint32_t) (c->hash ^ c->hash >> 32);
    record->done_from = (uint16_t) c->from;
    record->ndone = s_trimmed (c->done, c->from, c->until);
    record->used_from = (uint16_t) used_from;
    record->nused = s_trimmed (c->used, used_from, c->nused);
    uint64_t *words = record->words;
    memcpy (words, c->done + c->from, record->ndone * sizeof *words);
    words += record->ndone;
    if (record->nused)
        memcpy (words, c->used + used_from, record->nused * sizeof *words);
    words += record->nused;
    memcpy (words, c->state, self->model->state_size);
}

static bool s_same (const synod__memo_t *self, const s_record_t *a, const s_record_t *b)
{
    size_t nwords = (size_t) a->ndone + a->nused;
    if (a->hash != b->hash || a->done_from != b->done_from || a->ndone != b->ndone || a->used_from != b->used_from ||
        a->nused != b->nused || memcmp (a->words, b->words, nwords * sizeof *a->words) != 0)
        return false;
    if (self->model->equal)
        return self->model->equal (a->words + nwords, b->words + nwords);
    return memcmp (a->words + nwords, b->words + nwords, self->model->state_size) == 0;
}

synod__memo_answer_t synod__memo_add (synod__memo_t *self, const synod__configuration_t *c)
{
    size_t most =
        sizeof (s_record_t) + ((size_t) (c->until - c->from) + c->nused) * sizeof (uint64_t) + SYNOD_STATE_MAX;
    if ((self->count >= self->nbuckets && !s_spread (self)) || !s_reserve (self, most))
        return SYNOD__MEMO_FULL;
    s_record_t *fresh = (s_record_t *) (void *) (self->chunks[self->nchunks - 1] + self->used);
    s_write (self, fresh, c);
    uint32_t *bucket = &self->buckets[fresh->hash & (self->nbuckets - 1)];
    for (uint32_t reference = *bucket; reference; reference = s_record (self, reference)->next)
        if (s_same (self, s_record (self, reference), fresh))
            return SYNOD__MEMO_KNOWN;
    fresh->next = *bucket;
    *bucket = (self->nchunks - 1) * (self->chunk / S_UNIT) + self->used / S_UNIT + 1;
    self->used += (uint32_t) s_size (self, fresh);
    self->count++;
    return SYNOD__MEMO_NEW;
}

void synod__memo_clear (synod__memo_t *self)
{
    self->nchunks = 0;
    self->used = 0;
    self->count = 0;
    self->nbuckets = 0;
}

void synod__memo_free (synod__memo_t *self)
{
    for (uint32_t i = 0; i < self->chunks_made; i++)
        free (self->chunks[i]);
    free (self->chunks);
    free (self->buckets);
    *self = (synod__memo_t){.model = self->model, .bound = self->bound, .chunk = self->chunk};
}
