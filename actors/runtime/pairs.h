/* SPDX-License-Identifier: MPL-2.0
 *
 * An ordered table of pairs of bytes, a red-black tree: what a disk in memory holds, and what a store has staged. Keys
 * are ordered by their bytes as numbers from 0 on; of two that begin alike the shorter comes first.
 */
#ifndef SYNOD_RUNTIME_PAIRS_H_INCLUDED
#define SYNOD_RUNTIME_PAIRS_H_INCLUDED

#include <bsd/sys/cdefs.h>
#include <bsd/sys/tree.h>
#include <stdlib.h>
#include "disk.h"

#ifndef __unused /* which tree.h uses and glibc has not */
#define __unused __attribute__ ((unused))
#endif

typedef struct synod__pair {
    RB_ENTRY (synod__pair) link;
    struct synod__pair *next; /* the owner's, while it is not in a table */
    uint32_t key_size, value_size;
    bool absent;  /* it stands for there being none of its key */
    bool fresh;   /* the owner's: nothing beneath has its key */
    char bytes[]; /* key, value */
} synod__pair_t;

/* As memcmp; of two that begin alike the shorter comes first. */
static inline int synod__bytes_order (synod_str_t a, synod_str_t b)
{
    uint32_t least = a.size < b.size ? a.size : b.size;
    int order = least ? memcmp (a.data, b.data, least) : 0; /* of none the data may be NULL */
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static inline synod_str_t synod__pair_key (const synod__pair_t *pair)
{
    return synod_str_n (pair->bytes, pair->key_size);
}

static inline synod_str_t synod__pair_value (const synod__pair_t *pair)
{
    return synod_str_n (pair->bytes + pair->key_size, pair->value_size);
}

static inline int synod__pair_order (const synod__pair_t *a, const synod__pair_t *b)
{
    return synod__bytes_order (synod__pair_key (a), synod__pair_key (b));
}

RB_HEAD (synod__pairs, synod__pair);
/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed is out of the tree by then */
RB_GENERATE_STATIC (synod__pairs, synod__pair, link, synod__pair_order)

/* With copies of both. NULL: no memory. */
static inline synod__pair_t *synod__pair_new (synod_str_t key, synod_str_t value, bool absent)
{
    synod__pair_t *pair = (synod__pair_t *) malloc (sizeof *pair + key.size + value.size);
    if (!pair)
        return NULL;
    pair->key_size = key.size;
    pair->value_size = value.size;
    pair->absent = absent;
    pair->fresh = false;
    memcpy (pair->bytes, key.data, key.size);
    if (value.data && value.size)
        memcpy (pair->bytes + key.size, value.data, value.size);
    return pair;
}

/* NEXT, of the same key, takes the place of OLD, which is out of the table then: no order changes. */
static inline void synod__pairs_replace (struct synod__pairs *pairs, synod__pair_t *old, synod__pair_t *next)
{
    synod__pair_t *parent = RB_PARENT (old, link);
    next->link = old->link;
    if (!parent)
        RB_ROOT (pairs) = next;
    else if (RB_LEFT (parent, link) == old)
        RB_LEFT (parent, link) = next;
    else
        RB_RIGHT (parent, link) = next;
    if (RB_LEFT (next, link))
        RB_PARENT (RB_LEFT (next, link), link) = next;
    if (RB_RIGHT (next, link))
        RB_PARENT (RB_RIGHT (next, link), link) = next;
}

/* The first whose key is not less than BOUND, which may be longer than any; NULL: there is none. */
static inline synod__pair_t *synod__pairs_least (const struct synod__pairs *pairs, synod_str_t bound)
{
    synod__pair_t *at = RB_ROOT (pairs), *least = NULL;
    while (at) {
        bool less = synod__bytes_order (synod__pair_key (at), bound) < 0;
        least = less ? least : at;
        at = less ? RB_RIGHT (at, link) : RB_LEFT (at, link);
    }
    return least;
}

/* Takes all out and frees them. */
static inline void synod__pairs_clear (struct synod__pairs *pairs)
{
    synod__pair_t *pair;
    while ((pair = RB_MIN (synod__pairs, pairs))) {
        RB_REMOVE (synod__pairs, pairs, pair);
        free (pair);
    }
}

#endif
