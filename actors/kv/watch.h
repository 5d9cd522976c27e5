/* SPDX-License-Identifier: MPL-2.0
 *
 * Watching a key, as its watcher keeps count (docs/kv.md, "Watching"): which published changes follow each other, and when
 * the key has to be read again, because one was missed or another owner does not know what was before. Pure: the watcher
 * asks, subscribes and keeps the time.
 *
 *   1. subscribe to  ACTOR.>  or, once synod__kv_watch_t.partition is known, to  ACTOR.PARTITION
 *   2. ask the key `watch`, and again well before the time that it names is over; each answer to _watching
 *   3. each `change` to _change
 *   4. when one of them returns SYNOD__KV_WATCH_READ: `get` with AT, its answer to _read; if that ask fails: _lost
 *
 * What comes back SYNOD__KV_WATCH_NEXT is to be told to the user. Told states are in the order of the key's versions. With
 * JUMP false nothing was between it and the one told before; with JUMP true there may have been.
 *
 * Invariants: all changes of the partition up to FLOOR are in what is known, and of those later none; while READING, what
 * is known is not told on.
 */
#ifndef SYNOD_KV_WATCH_H_INCLUDED
#define SYNOD_KV_WATCH_H_INCLUDED

#include "protocol/kv_records.h"

typedef struct {
    synod_str_t key; /* the caller's, for the watch's life */
    bool placed;     /* the partition is known */
    uint64_t partition;
    bool known, reading;
    uint64_t floor;
    uint64_t seen; /* the latest change of the key that came while it was read */
    uint64_t run,
        run_after;    /* changes of the partition that came then, in a row: the last, and what the first follows */
    bool found;       /* the key, as it is known */
    uint64_t version; /* 0: it has no value */
    bool jump;        /* of what is to be told */
} synod__kv_watch_of_t;

typedef enum {
    SYNOD__KV_WATCH_OLD,  /* it is known, or of another key */
    SYNOD__KV_WATCH_NEXT, /* tell it */
    SYNOD__KV_WATCH_READ  /* read the key */
} synod__kv_watched_t;

void synod__kv_watch_begin (synod__kv_watch_of_t *self, synod_str_t key);
/* A change of any key came. NEXT: IN is what is to be told. */
synod__kv_watched_t synod__kv_watch_change (synod__kv_watch_of_t *self, const synod__kv_change_t *in);
/* `watch` was answered. Never NEXT. */
synod__kv_watched_t synod__kv_watch_watching (synod__kv_watch_of_t *self, const synod__kv_watching_t *in);
/* `get` was answered. NEXT: IN is what is to be told. */
synod__kv_watched_t synod__kv_watch_read (synod__kv_watch_of_t *self, const synod__kv_is_t *in);
/* `get` has failed, or something that was published was lost. Never NEXT. */
synod__kv_watched_t synod__kv_watch_lost (synod__kv_watch_of_t *self);

#endif
