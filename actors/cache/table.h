/* SPDX-License-Identifier: MPL-2.0
 *
 * The cache's memory: a hash table of keys and values with an order of use and a bound in bytes. One allocation an entry:
 * a header of 32 bytes, a deadline where there is one, the key, the value (docs/decisions/0026). The table grows by one
 * bucket at a time (linear hashing: Litwin, 1980), so no step ever stops to rehash, and each bucket holds one entry on
 * average.
 *
 * Invariants: each entry is in its key's bucket and once in the order of use; `used` is the sum of what all entries and
 * buckets cost and never over the bound; what is over its deadline is never told.
 */
#ifndef SYNOD_CACHE_TABLE_H_INCLUDED
#define SYNOD_CACHE_TABLE_H_INCLUDED

#include <synod/record.h>

#define SYNOD__CACHE_LEAST (64 * 1024) /* bytes that a table is bound to, at least */

typedef struct synod__cache_table_t synod__cache_table_t;

typedef struct {
    uint64_t entries;
    uint64_t timed; /* of them have a deadline */
    uint64_t used;  /* bytes */
    uint64_t bound;
    uint64_t evicted; /* removed for others, since the beginning */
    uint64_t expired; /* removed at or after their deadline */
} synod__cache_count_t;

/* A value. Borrows the table until it changes. */
typedef struct {
    synod_str_t data;
    int64_t until_us; /* it is not told from then on; 0: it stays */
} synod__cache_value_t;

/* SEED: of the hash, so that nobody can choose keys that meet. BOUND: bytes, SYNOD__CACHE_LEAST or more. NULL: no memory. */
synod__cache_table_t *synod__cache_table_new (uint64_t seed, uint64_t bound);
void synod__cache_table_destroy (synod__cache_table_t **self_p);

/* False: there is none, or not any more (then it is removed). USE: it counts as used. NOW_US never goes back. */
bool synod__cache_table_get (synod__cache_table_t *self, synod_str_t key, int64_t now_us, bool use,
                             synod__cache_value_t *value);
/* Sets the value, of HEAD and TAIL together, and evicts what was used least until all fits. SYNOD_TOO_LARGE: it alone is
 * more than the bound; SYNOD_NO_MEMORY. Then nothing changed. HEAD and TAIL may be in the table. */
int synod__cache_table_put (synod__cache_table_t *self, synod_str_t key, synod_str_t head, synod_str_t tail,
                            int64_t until_us);
/* Sets the deadline of a key that has a value (0: none). False: there was no memory for it, and the entry is gone. */
bool synod__cache_table_expire (synod__cache_table_t *self, synod_str_t key, int64_t until_us);
bool synod__cache_table_remove (synod__cache_table_t *self, synod_str_t key); /* false: there was none */
/* Looks at BUCKETS more of them for what is over its deadline. Returns how many it removed. */
uint32_t synod__cache_table_sweep (synod__cache_table_t *self, int64_t now_us, uint32_t buckets);

typedef void synod__cache_on_key_t (void *arg, synod_str_t key, const synod__cache_value_t *value);
/* Tells the keys of the bucket at CURSOR (0: the first). Returns the next cursor, 0 at the end. A key that is there all
 * through a scan is told at least once, one that is not at no time is never told. */
uint64_t synod__cache_table_scan (const synod__cache_table_t *self, uint64_t cursor, int64_t now_us,
                                  synod__cache_on_key_t *on_key, void *arg);

synod__cache_count_t synod__cache_table_count (const synod__cache_table_t *self);
/* Asserts the invariants: for tests. */
bool synod__cache_table_check (const synod__cache_table_t *self);

#endif
