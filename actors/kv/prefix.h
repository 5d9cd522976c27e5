/* SPDX-License-Identifier: MPL-2.0
 *
 * Watching all keys that begin alike, as the watcher keeps count (docs/kv.md, "Watches"). Of each partition it knows up to
 * which version it has heard of every change: what is published next names the one before it, so a gap shows, and then that
 * partition alone is read again. What is lost without a trace, and what a new owner has published to nobody, comes to light
 * by asking every member now and then which of its partitions have changed since it was asked last. Pure: the watcher asks,
 * subscribes and keeps the time.
 *
 *   1. subscribe to  ACTOR.>
 *   2. each `change` to _change
 *   3. whenever _scan says so: ask any kv-node what it fills in, the answer to _scanned, or NULL if it failed
 *   4. now and then, and well before MS are over: _ask every member, each answer to _marks
 *
 * What is told is in the order of versions, for each key. With JUMP false nothing was between it and what was told of the
 * key before; with JUMP true there may have been.
 *
 * Invariants: of a partition that is KNOWN, all changes up to FLOOR are in what is known, and of its later ones none; there
 * is a change after FLOOR only if it is published, in a later answer of its owner, or wanted.
 */
#ifndef SYNOD_KV_PREFIX_H_INCLUDED
#define SYNOD_KV_PREFIX_H_INCLUDED

#include <stdbool.h>
#include "protocol/kv_records.h"

typedef struct synod__kv_prefix_key_t synod__kv_prefix_key_t; /* one that is there */

typedef struct {
    uint64_t floor, wanted; /* there may be a change up to there, by what came since it was begun to be read */
    synod__kv_prefix_key_t *keys;
    uint32_t next; /* in line; UINT32_MAX: the last */
    bool known, lined;
} synod__kv_prefix_part_t;

typedef struct {
    char name[SYNOD_NAME_MAX + 1];
    uint64_t life, seq; /* as it told */
    bool more;          /* it has more to tell */
} synod__kv_prefix_member_t;

/* What is told: FOUND, its value (data NULL: larger than what is told), or gone. */
typedef struct {
    synod_str_t key, data;
    bool found, jump;
    uint64_t version, size;
    uint32_t partition;
    uint64_t after; /* it was known up to this version of the partition; told only without JUMP */
} synod__kv_prefix_told_t;

typedef struct {
    void (*tell) (void *arg, const synod__kv_prefix_told_t *told);
    void *arg;
    char prefix[SYNOD_KEY_MAX];
    uint32_t prefix_size;
    bool complete; /* all has been scanned once */
    bool asking;   /* a scan */
    synod__kv_prefix_part_t *parts;
    uint32_t nparts, room;
    uint32_t first, last; /* partitions to be read, in line; UINT32_MAX: none */
    uint64_t scan, at;    /* the one that is being read, and up to where its first answer told */
    bool at_known;
    synod__kv_prefix_key_t *keys;
    char cursor[SYNOD__KV_CURSOR_MAX];
    uint32_t cursor_size;
    synod__kv_prefix_member_t *members;
    uint32_t nmembers, members_room;
    uint64_t epoch;
    uint64_t gaps; /* partitions that were read again */
} synod__kv_prefix_t;

void synod__kv_prefix_begin (synod__kv_prefix_t *self, synod_str_t prefix,
                             void (*tell) (void *arg, const synod__kv_prefix_told_t *told), void *arg);
void synod__kv_prefix_free (synod__kv_prefix_t *self);
void synod__kv_prefix_change (synod__kv_prefix_t *self, const synod__kv_change_t *in);
/* A scan is to be asked now: OUT, which borrows SELF. False: none, or one is under way. */
bool synod__kv_prefix_scan (synod__kv_prefix_t *self, synod__kv_scan_t *out);
void synod__kv_prefix_scanned (synod__kv_prefix_t *self, const synod__kv_scanned_t *in);
/* Member AT, from 0: the address TO, and what to ask. False: that was all. While none is known the first one is any. */
bool synod__kv_prefix_ask (const synod__kv_prefix_t *self, uint32_t at, char to[2 * SYNOD_NAME_MAX + 2],
                           synod__kv_marks_t *out);
/* True: it has more to tell; ask it again. */
bool synod__kv_prefix_marks (synod__kv_prefix_t *self, const synod__kv_marks_are_t *in);
/* TO, of SYNOD__KV_MARK bytes: PARTITION and VERSION. */
void synod__kv_mark_put (char *to, uint32_t partition, uint64_t version);
/* KEY is told to be there, in VERSION; 0: it is not. */
uint64_t synod__kv_prefix_version (const synod__kv_prefix_t *self, synod_str_t key);

#endif
