/* SPDX-License-Identifier: MPL-2.0
 *
 * The ring beside modulo, jump (Lamping and Veach, 2014), rendezvous (Thaler and Ravishankar, 1998) and maglev
 * (Eisenbud et al., 2016, 3.4): how even, what moves when a node joins at the end and when the first leaves, and what a
 * table and a lookup cost, in processor time. Medians of several runs. The others are written here, plainly, for this
 * comparison alone.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "actors/place/ring.h"

#define S_KEYS       1000000
#define S_RUNS       5
#define S_NODES      1000
#define S_MAGLEV     65537
#define S_MAGLEV_BIG 1000003 /* a hundred times a thousand nodes, as the paper advises */

/* A way to place keys: made for members FIRST to FIRST + COUNT of the names below. */
typedef struct {
    uint32_t first, count;
    uint32_t table_size;
    uint16_t *table;
    uint64_t *hashes; /* of the members */
    synod__ring_t *ring;
} s_method_t;

static char s_names[S_NODES + 1][24];
static synod__member_t s_members[S_NODES + 1];
static char s_keys[S_KEYS][16];
static uint8_t s_sizes[S_KEYS];
static volatile uint32_t s_sum; /* keeps the lookups from being left out */

static double s_now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

static void *s_must (void *memory)
{
    if (!memory) {
        fprintf (stderr, "ring_table: memory ran out\n");
        exit (1);
    }
    return memory;
}

static inline uint64_t s_mix (uint64_t n)
{
    n ^= n >> 32;
    n *= 0xe9846af9b1a615dull;
    n ^= n >> 32;
    n *= 0xe9846af9b1a615dull;
    return n ^ n >> 28;
}

static uint32_t s_modulo (const s_method_t *self, const char *key, size_t size)
{
    return self->first + (uint32_t) (XXH3_64bits (key, size) % self->count);
}

/* Knows its members by number alone: only the last can leave. */
static uint32_t s_jump (const s_method_t *self, const char *key, size_t size)
{
    uint64_t hash = XXH3_64bits (key, size);
    int64_t bucket = -1, next = 0;
    while (next < (int64_t) self->count) {
        bucket = next;
        hash = hash * 2862933555777941757ull + 1;
        next = (int64_t) ((double) (bucket + 1) * ((double) (1ll << 31) / (double) ((hash >> 33) + 1)));
    }
    return self->first + (uint32_t) bucket;
}

static uint32_t s_rendezvous (const s_method_t *self, const char *key, size_t size)
{
    uint64_t hash = XXH3_64bits (key, size), best = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        uint64_t score = s_mix (hash ^ self->hashes[i]);
        if (score >= best) {
            best = score;
            at = i;
        }
    }
    return self->first + at;
}

static uint32_t s_maglev (const s_method_t *self, const char *key, size_t size)
{
    return self->first + self->table[XXH3_64bits (key, size) % self->table_size];
}

static uint32_t s_ring (const s_method_t *self, const char *key, size_t size)
{
    return self->first + self->ring->owner[synod__ring_partition (self->ring, synod_str_n (key, size))];
}

static void s_make_nothing (s_method_t *self)
{
    (void) self;
}

static void s_make_hashes (s_method_t *self)
{
    self->hashes = (uint64_t *) s_must (calloc (self->count, sizeof *self->hashes));
    for (uint32_t i = 0; i < self->count; i++)
        self->hashes[i] = XXH3_64bits (s_names[self->first + i], strlen (s_names[self->first + i]));
}

static void s_make_maglev (s_method_t *self)
{
    uint32_t size = self->count > 500 ? S_MAGLEV_BIG : S_MAGLEV;
    uint32_t *next = (uint32_t *) s_must (calloc (self->count, sizeof *next));
    s_make_hashes (self);
    self->table_size = size;
    self->table = (uint16_t *) s_must (malloc (size * sizeof *self->table));
    memset (self->table, 0xff, size * sizeof *self->table);
    for (uint32_t filled = 0; filled < size;)
        for (uint32_t i = 0; i < self->count && filled < size; i++) {
            uint64_t offset = self->hashes[i] % size, skip = s_mix (self->hashes[i]) % (size - 1) + 1, at;
            do
                at = (offset + next[i]++ * skip) % size;
            while (self->table[at] != UINT16_MAX);
            self->table[at] = (uint16_t) i;
            filled++;
        }
    free (next);
}

static void s_make_ring (s_method_t *self)
{
    synod__ring_rule_t rule = {.partitions = SYNOD__PARTITIONS, .replicas = 1};
    self->ring = (synod__ring_t *) s_must (synod__ring_new (s_members + self->first, self->count, &rule));
}

static void s_make_fine_ring (s_method_t *self)
{
    synod__ring_rule_t rule = {.partitions = SYNOD__PARTITIONS_MAX, .replicas = 1};
    self->ring = (synod__ring_t *) s_must (synod__ring_new (s_members + self->first, self->count, &rule));
}

static void s_free (s_method_t *self)
{
    free (self->table);
    free (self->hashes);
    synod__ring_destroy (&self->ring);
    memset (self, 0, sizeof *self);
}

typedef struct {
    const char *name;
    void (*make) (s_method_t *self);
    uint32_t (*find) (const s_method_t *self, const char *key, size_t size);
    bool last_only; /* only the last member can leave */
} s_kind_t;

static void s_place (const s_kind_t *kind, const s_method_t *method, uint16_t *placed)
{
    for (uint32_t i = 0; i < S_KEYS; i++)
        placed[i] = (uint16_t) kind->find (method, s_keys[i], s_sizes[i]);
}

static double s_moved (const uint16_t *a, const uint16_t *b)
{
    uint32_t moved = 0;
    for (uint32_t i = 0; i < S_KEYS; i++)
        moved += a[i] != b[i];
    return (double) moved / S_KEYS;
}

static int s_compare (const void *a, const void *b)
{
    double left = *(const double *) a, right = *(const double *) b;
    return (left > right) - (left < right);
}

static double s_median (double *values)
{
    qsort (values, S_RUNS, sizeof *values, s_compare);
    return values[S_RUNS / 2];
}

static void s_measure (const s_kind_t *kind, uint32_t count)
{
    uint16_t *before = (uint16_t *) s_must (calloc (S_KEYS, sizeof *before));
    uint16_t *after = (uint16_t *) s_must (calloc (S_KEYS, sizeof *after));
    uint32_t held[S_NODES + 1] = {0}, busiest = 0;
    double build_ms[S_RUNS], lookup_ns[S_RUNS];
    s_method_t method;
    for (int run = 0; run < S_RUNS; run++) {
        double from = s_now_ms ();
        method = (s_method_t){.count = count};
        kind->make (&method);
        build_ms[run] = s_now_ms () - from;
        from = s_now_ms ();
        uint32_t sum = 0;
        for (uint32_t i = 0; i < S_KEYS; i++)
            sum += kind->find (&method, s_keys[i], s_sizes[i]);
        lookup_ns[run] = (s_now_ms () - from) * 1e6 / S_KEYS;
        s_sum += sum;
        s_place (kind, &method, before);
        s_free (&method);
    }
    for (uint32_t i = 0; i < S_KEYS; i++)
        held[before[i]]++;
    for (uint32_t i = 0; i < count; i++)
        busiest = held[i] > busiest ? held[i] : busiest;
    method = (s_method_t){.count = count + 1};
    kind->make (&method);
    s_place (kind, &method, after);
    s_free (&method);
    double joined = s_moved (before, after) * (count + 1);
    char left[16] = "-";
    if (!kind->last_only) {
        method = (s_method_t){.first = 1, .count = count - 1};
        kind->make (&method);
        s_place (kind, &method, after);
        s_free (&method);
        snprintf (left, sizeof left, "%.2f", s_moved (before, after) / ((double) held[0] / S_KEYS));
    }
    printf ("%-11s %6u  %8.3f  %10.2f  %12s  %9.1f  %9.2f\n", kind->name, count, (double) busiest * count / S_KEYS,
            joined, left, s_median (lookup_ns), s_median (build_ms));
    free (before);
    free (after);
}

int main (void)
{
    static const s_kind_t kinds[] = {
        {"ring", s_make_ring, s_ring, false},
        {"ring, 65536", s_make_fine_ring, s_ring, false},
        {"modulo", s_make_nothing, s_modulo, false},
        {"jump", s_make_nothing, s_jump, true},
        {"rendezvous", s_make_hashes, s_rendezvous, false},
        {"maglev", s_make_maglev, s_maglev, false},
    };
    for (uint32_t i = 0; i <= S_NODES; i++) {
        snprintf (s_names[i], sizeof s_names[i], "node-%u", i);
        s_members[i] = (synod__member_t){.weight = SYNOD__WEIGHT_DEFAULT, .target = SYNOD__WEIGHT_DEFAULT};
        memcpy (s_members[i].name, s_names[i], sizeof s_names[i]);
        memcpy (s_members[i].id.bytes, &i, sizeof i);
    }
    for (uint32_t i = 0; i < S_KEYS; i++)
        s_sizes[i] = (uint8_t) snprintf (s_keys[i], sizeof s_keys[i], "key-%u", i);
    printf ("%d keys. Moved: against what has to move (1.00 is the least).\n", S_KEYS);
    printf ("method       nodes  max/mean  moved, join  moved, leave  lookup ns   build ms\n");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (uint32_t count = 10; count <= S_NODES; count *= 10)
            s_measure (&kinds[i], count);
    return 0;
}
