/* SPDX-License-Identifier: MPL-2.0
 *
 * The cache's memory. A bucket is a chain of entries; `count` buckets are in use, and the next to be split is the one that
 * is its highest bit below that. A cursor of a scan is a bucket's number with its bits turned round, so that what a bucket
 * is split into comes right where it was.
 */
#include <assert.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "mutants.h"
#include "table.h"

#ifdef SYNOD_CACHE_MUTANTS
synod__cache_mutant_t synod__cache_mutant;
#endif

#define S_SEGMENT 1024 /* buckets that are allocated together */
#define S_WORD    8    /* that malloc keeps with each allocation */
#define S_TIMED   1    /* flag: eight bytes of deadline stand before the key */

typedef struct synod__cache_entry_t s_entry_t;
struct synod__cache_entry_t {
    s_entry_t *chain;
    s_entry_t *newer, *older; /* by use */
    uint32_t value_size;
    uint16_t key_size;
    uint16_t flags;
    char bytes[];
};

struct synod__cache_table_t {
    s_entry_t ***segments;
    uint32_t nsegments, room; /* allocated; pointers that there is room for */
    uint64_t count;           /* buckets in use */
    uint64_t mask;            /* the least 2^n - 1 that no bucket's number exceeds */
    uint64_t seed;
    uint64_t sweep; /* the next bucket to be looked at */
    s_entry_t *use; /* of the order, a ring: its newer is the least used, its older the most used; no entry */
    synod__cache_count_t is;
};

/* ---- entries ---- */

/* What an allocation of SIZE takes: malloc's own word before it, in steps of 16. */
static uint64_t s_cost (uint64_t size)
{
    uint64_t cost = (size + S_WORD + 15) & ~15ull;
    return cost < 32 ? 32 : cost;
}

static uint32_t s_head (const s_entry_t *entry)
{
    return entry->flags & S_TIMED ? sizeof (int64_t) : 0;
}

static const char *s_key (const s_entry_t *entry)
{
    return entry->bytes + s_head (entry);
}

static const char *s_value (const s_entry_t *entry)
{
    return s_key (entry) + entry->key_size;
}

static int64_t s_until (const s_entry_t *entry)
{
    int64_t until_us = 0;
    if (entry->flags & S_TIMED)
        memcpy (&until_us, entry->bytes, sizeof until_us);
    return until_us;
}

static uint64_t s_size (uint64_t key, uint64_t value, bool timed)
{
    return sizeof (s_entry_t) + (timed ? sizeof (int64_t) : 0) + key + value;
}

static uint64_t s_cost_of (const s_entry_t *entry)
{
    return s_cost (s_size (entry->key_size, entry->value_size, entry->flags & S_TIMED));
}

static bool s_over (const s_entry_t *entry, int64_t now_us)
{
    return (entry->flags & S_TIMED) && s_until (entry) <= now_us && !SYNOD__CACHE_MUTANT (TTL_IGNORED);
}

static bool s_is (const s_entry_t *entry, synod_str_t key)
{
    if (SYNOD__CACHE_MUTANT (KEY_BY_SIZE))
        return entry->key_size == key.size;
    return entry->key_size == key.size && memcmp (s_key (entry), key.data, key.size) == 0;
}

/* ---- the order of use ---- */

static void s_use_unlink (s_entry_t *entry)
{
    entry->newer->older = entry->older;
    entry->older->newer = entry->newer;
}

/* The ring's head is newer than the newest and older than the oldest. */
static void s_use_first (synod__cache_table_t *self, s_entry_t *entry)
{
    entry->newer = self->use;
    entry->older = self->use->older;
    entry->older->newer = entry;
    self->use->older = entry;
}

/* ---- buckets ---- */

static uint64_t s_hash (const synod__cache_table_t *self, synod_str_t key)
{
    return XXH3_64bits_withSeed (key.data, key.size, self->seed);
}

static uint64_t s_bucket (const synod__cache_table_t *self, uint64_t hash)
{
    uint64_t at = hash & self->mask;
    return at < self->count ? at : at & (self->mask >> 1);
}

static s_entry_t **s_at (const synod__cache_table_t *self, uint64_t bucket)
{
    return &self->segments[bucket / S_SEGMENT][bucket % S_SEGMENT];
}

/* The link to the entry of KEY, or to where its chain ends. */
static s_entry_t **s_find (const synod__cache_table_t *self, synod_str_t key)
{
    s_entry_t **at = s_at (self, s_bucket (self, s_hash (self, key)));
    while (*at && !s_is (*at, key))
        at = &(*at)->chain;
    return at;
}

static bool s_more (synod__cache_table_t *self)
{
    if (self->nsegments == self->room) {
        uint32_t room = self->room ? self->room * 2 : 16;
        s_entry_t ***segments = (s_entry_t ***) realloc (self->segments, room * sizeof (s_entry_t **));
        if (!segments)
            return false;
        self->segments = segments;
        self->room = room;
    }
    s_entry_t **segment = (s_entry_t **) calloc (S_SEGMENT, sizeof *segment);
    if (!segment)
        return false;
    self->segments[self->nsegments++] = segment;
    self->is.used += s_cost (S_SEGMENT * sizeof *segment);
    return true;
}

/* One bucket more, when each has its entry; for want of memory the chains get longer instead. */
static void s_grow (synod__cache_table_t *self)
{
    if (self->is.entries <= self->count || self->count >= UINT32_MAX)
        return;
    if (self->count == (uint64_t) self->nsegments * S_SEGMENT &&
        (self->is.used + S_SEGMENT * sizeof (void *) > self->is.bound || !s_more (self)))
        return;
    if (self->count > self->mask)
        self->mask = self->mask * 2 + 1;
    uint64_t added = self->count++;
    s_entry_t **to = s_at (self, added), **from = s_at (self, added & (self->mask >> 1));
    while (*from) {
        s_entry_t *entry = *from;
        if ((s_hash (self, synod_str_n (s_key (entry), entry->key_size)) & self->mask) != added) {
            from = &entry->chain;
            continue;
        }
        *from = entry->chain;
        entry->chain = *to;
        *to = entry;
    }
}

/* Takes it out of its chain and of the order. */
static void s_remove (synod__cache_table_t *self, s_entry_t **at)
{
    s_entry_t *entry = *at;
    *at = entry->chain;
    s_use_unlink (entry);
    self->is.entries--;
    self->is.timed -= entry->flags & S_TIMED;
    self->is.used -= s_cost_of (entry);
    free (entry);
}

static void s_evict (synod__cache_table_t *self)
{
    while (self->is.used > self->is.bound && self->is.entries > 1) {
        s_entry_t *entry = self->use->newer;
        self->is.evicted++;
        s_remove (self, s_find (self, synod_str_n (s_key (entry), entry->key_size)));
    }
}

/* ---- life ---- */

synod__cache_table_t *synod__cache_table_new (uint64_t seed, uint64_t bound)
{
    synod__cache_table_t *self = (synod__cache_table_t *) calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->seed = seed;
    self->is.bound = bound < SYNOD__CACHE_LEAST ? SYNOD__CACHE_LEAST : bound;
    self->use = (s_entry_t *) calloc (1, sizeof *self->use);
    if (self->use)
        self->use->newer = self->use->older = self->use;
    self->count = 1;
    if (!self->use || !s_more (self)) {
        free (self->segments);
        free (self->use);
        free (self);
        return NULL;
    }
    return self;
}

void synod__cache_table_destroy (synod__cache_table_t **self_p)
{
    synod__cache_table_t *self = *self_p;
    if (!self)
        return;
    for (s_entry_t *entry = self->use->older, *next; entry != self->use; entry = next) {
        next = entry->older;
        free (entry);
    }
    for (uint32_t i = 0; i < self->nsegments; i++)
        free (self->segments[i]);
    free (self->segments);
    free (self->use);
    free (self);
    *self_p = NULL;
}

/* ---- one key ---- */

bool synod__cache_table_get (synod__cache_table_t *self, synod_str_t key, int64_t now_us, bool use,
                             synod__cache_value_t *value)
{
    s_entry_t **at = s_find (self, key), *entry = *at;
    if (!entry)
        return false;
    if (s_over (entry, now_us)) {
        self->is.expired++;
        s_remove (self, at);
        return false;
    }
    if (use && entry->newer != self->use) {
        s_use_unlink (entry);
        s_use_first (self, entry);
    }
    value->data = synod_str_n (s_value (entry), entry->value_size);
    value->until_us = s_until (entry);
    return true;
}

static void s_fill (s_entry_t *entry, synod_str_t key, synod_str_t head, synod_str_t tail, int64_t until_us)
{
    entry->key_size = (uint16_t) key.size;
    entry->value_size = head.size + tail.size;
    entry->flags = until_us ? S_TIMED : 0;
    if (until_us)
        memcpy (entry->bytes, &until_us, sizeof until_us);
    char *at = entry->bytes + s_head (entry);
    memcpy (at, key.data, key.size);
    if (head.size)
        memcpy (at + key.size, head.data, head.size);
    if (tail.size)
        memcpy (at + key.size + head.size, tail.data, tail.size);
}

int synod__cache_table_put (synod__cache_table_t *self, synod_str_t key, synod_str_t head, synod_str_t tail,
                            int64_t until_us)
{
    uint64_t size = s_size (key.size, (uint64_t) head.size + tail.size, until_us != 0), cost = s_cost (size);
    if (cost + s_cost (self->nsegments * S_SEGMENT * sizeof (s_entry_t *)) > self->is.bound || key.size > UINT16_MAX)
        return SYNOD_TOO_LARGE;
    s_entry_t **at = s_find (self, key), *old = *at;
    /* in place, where that moves nothing but the value: HEAD and TAIL may be what stands there */
    bool same = old && s_cost_of (old) == cost && !(old->flags & S_TIMED) == !until_us;
    if (same) {
        char *value = old->bytes + s_head (old) + key.size;
        if (until_us)
            memcpy (old->bytes, &until_us, sizeof until_us);
        if (head.size)
            memmove (value, head.data, head.size);
        if (tail.size)
            memmove (value + head.size, tail.data, tail.size);
        old->value_size = head.size + tail.size;
        s_use_unlink (old);
        s_use_first (self, old);
        return SYNOD_OK;
    }
    s_entry_t *entry = (s_entry_t *) malloc (cost - S_WORD); /* with what is there anyway, for values in place */
    if (!entry)
        return SYNOD_NO_MEMORY;
    s_fill (entry, key, head, tail, until_us);
    if (old)
        s_remove (self, at);
    entry->chain = *at;
    *at = entry;
    s_use_first (self, entry);
    self->is.entries++;
    self->is.timed += until_us != 0;
    self->is.used += cost;
    s_evict (self);
    s_grow (self);
    s_evict (self);
    return SYNOD_OK;
}

bool synod__cache_table_expire (synod__cache_table_t *self, synod_str_t key, int64_t until_us)
{
    s_entry_t **at = s_find (self, key), *entry = *at;
    if (!entry)
        return true;
    if (until_us && (entry->flags & S_TIMED)) {
        memcpy (entry->bytes, &until_us, sizeof until_us);
        return true;
    }
    if (!until_us && !(entry->flags & S_TIMED))
        return true;
    synod_str_t value = synod_str_n (s_value (entry), entry->value_size);
    if (synod__cache_table_put (self, key, value, synod_str_n (NULL, 0), until_us) == SYNOD_OK)
        return true;
    s_remove (self, at); /* rather than a value that lives too long */
    return false;
}

bool synod__cache_table_remove (synod__cache_table_t *self, synod_str_t key)
{
    s_entry_t **at = s_find (self, key);
    if (!*at)
        return false;
    s_remove (self, at);
    return true;
}

/* ---- many ---- */

uint32_t synod__cache_table_sweep (synod__cache_table_t *self, int64_t now_us, uint32_t buckets)
{
    uint32_t removed = 0;
    for (; buckets && self->is.timed; buckets--) {
        self->sweep = self->sweep < self->count ? self->sweep : 0;
        s_entry_t **at = s_at (self, self->sweep++);
        while (*at) {
            if (!s_over (*at, now_us)) {
                at = &(*at)->chain;
                continue;
            }
            s_remove (self, at);
            removed++;
        }
    }
    self->is.expired += removed;
    return removed;
}

static uint64_t s_reverse (uint64_t bits)
{
    bits = (bits >> 1 & 0x5555555555555555) | (bits & 0x5555555555555555) << 1;
    bits = (bits >> 2 & 0x3333333333333333) | (bits & 0x3333333333333333) << 2;
    bits = (bits >> 4 & 0x0f0f0f0f0f0f0f0f) | (bits & 0x0f0f0f0f0f0f0f0f) << 4;
    return __builtin_bswap64 (bits);
}

/* A cursor has 32 bits, as buckets' numbers have. */
uint64_t synod__cache_table_scan (const synod__cache_table_t *self, uint64_t cursor, int64_t now_us,
                                  synod__cache_on_key_t *on_key, void *arg)
{
    uint64_t hash = s_reverse (cursor << 32), mask = self->mask, half = mask >> 1;
    if ((hash & half) + half + 1 >= self->count) /* its bucket has not been split yet */
        mask = half;
    uint64_t bucket = hash & mask;
    for (const s_entry_t *entry = *s_at (self, bucket); entry; entry = entry->chain) {
        synod__cache_value_t value = {synod_str_n (s_value (entry), entry->value_size), s_until (entry)};
        if (!s_over (entry, now_us))
            on_key (arg, synod_str_n (s_key (entry), entry->key_size), &value);
    }
    uint64_t step = 0x100000000ull / (mask + 1); /* how many cursors mean this bucket */
    uint64_t next = (cursor / step + 1) * step;
    return next > UINT32_MAX ? 0 : next;
}

synod__cache_count_t synod__cache_table_count (const synod__cache_table_t *self)
{
    return self->is;
}

bool synod__cache_table_check (const synod__cache_table_t *self)
{
    uint64_t entries = 0, timed = 0, listed = 0, used = self->nsegments * s_cost (S_SEGMENT * sizeof (void *));
    for (uint64_t i = 0; i < self->count; i++)
        for (const s_entry_t *entry = *s_at (self, i); entry; entry = entry->chain) {
            if (s_bucket (self, s_hash (self, synod_str_n (s_key (entry), entry->key_size))) != i)
                return false;
            entries++;
            timed += entry->flags & S_TIMED;
            used += s_cost_of (entry);
        }
    for (const s_entry_t *entry = self->use->older; entry != self->use; entry = entry->older, listed++)
        if (entry->newer->older != entry || entry->older->newer != entry)
            return false;
    return entries == self->is.entries && timed == self->is.timed && listed == entries && used == self->is.used &&
           (used <= self->is.bound || entries <= 1);
}
