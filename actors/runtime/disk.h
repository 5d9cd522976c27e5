/* SPDX-License-Identifier: MPL-2.0
 *
 * The disk under a node's store: one ordered table from keys to values, written in batches and made durable by commits.
 * A host gives it to the runtime; there are three: memory (memory_disk.h; without --data), the same in the simulator,
 * where it outlives the crashes of its node, and LMDB (bus/lmdb_disk.h).
 *
 * The promise, which test/store/disk_contract.c checks on each of them: a commit is durable when it returns SYNOD_OK, and one
 * that was begun when it is settled; commits are durable in their order; a
 * crash loses what was not committed, all of it, and never a part of a commit; reads see all that was written, committed
 * or not. Once a write, a read or a commit has failed with SYNOD_IO or SYNOD_FULL the disk is broken: every later call
 * fails alike, and nothing of the open transaction is ever durable.
 */
#ifndef SYNOD_RUNTIME_DISK_H_INCLUDED
#define SYNOD_RUNTIME_DISK_H_INCLUDED

#include <string.h>
#include <synod/actor.h>

#define SYNOD__DISK_KEY_MAX   500 /* LMDB refuses 512 */
#define SYNOD__DISK_VALUE_MAX SYNOD_FRAME_MAX
#define SYNOD__DISK_ID        16 /* bytes of a store's id */
#define SYNOD__DISK_UNDER_WAY 2  /* commits that are begun and not durable, at the most */

typedef struct synod__disk_t synod__disk_t;

typedef struct {
    /* VALUE is borrowed until the next write or commit. SYNOD_NOT_FOUND; SYNOD_IO. */
    int (*get) (synod__disk_t *self, synod_str_t key, synod_str_t *value);
    /* Visits FROM <= key < UNTIL in order (empty UNTIL: to the end) until ON_ENTRY returns false. ON_ENTRY may read,
     * but not write. What it gets is borrowed until it returns. */
    int (*scan) (synod__disk_t *self, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg);
    /* Adds a batch (batches are below) to the open transaction, whole; opens one when there is none. Its keys are PREFIX
     * (which may be empty) and the batch's, together up to SYNOD__DISK_KEY_MAX. SYNOD_INVALID for bytes that are no batch
     * or a key over that (nothing is written), SYNOD_IO, SYNOD_FULL. */
    int (*write) (synod__disk_t *self, synod_str_t prefix, synod_str_t batch);
    /* Makes all that was written since the last commit durable, and what was begun. Nothing to do when nothing was. */
    int (*commit) (synod__disk_t *self);
    /* Begins a commit, and does not wait for it; then `begun` is one more. SYNOD_BUSY, and nothing is done: not this one, it
     * has to be waited for. To be called when less than SYNOD__DISK_UNDER_WAY are under way. NULL: each is waited for. */
    int (*begin) (synod__disk_t *self);
    /* Sees what has become of those begun, without waiting: `settled` goes up to `begun`. */
    int (*settle) (synod__disk_t *self);
    /* The sentence that goes with the last error. Owned by the disk. */
    const char *(*error) (const synod__disk_t *self);
    void (*close) (synod__disk_t **self_p); /* without a commit */
} synod__disk_ops_t;

/* What each of them begins with. */
struct synod__disk_t {
    const synod__disk_ops_t *ops;
    uint8_t id[SYNOD__DISK_ID]; /* random from birth: a wiped store is another one */
    uint64_t syncs;             /* how often the device was written to durably since it was opened */
    uint64_t begun, settled;    /* commits by `begin`, and how many of those are durable */
    int fd;                     /* is readable when there may be something to settle; of those with `begin` */
};

/* ---- batches: msgpack, for each entry the key (bin) and the value (bin, or nil to delete), one after another ---- */

int synod__disk_batch_add (synod_buf_t *batch, synod_str_t key, const synod_str_t *value); /* NULL: delete */
/* Takes the next entry off BATCH; value->data is NULL for a deletion. SYNOD_NOT_FOUND at its end, SYNOD_INVALID for
 * bytes that are none, or a key or value over its limit. */
int synod__disk_batch_next (synod_str_t *batch, synod_str_t *key, synod_str_t *value);

/* Whether all of BATCH may be written with PREFIX: SYNOD_OK, SYNOD_INVALID. */
int synod__disk_batch_check (synod_str_t prefix, synod_str_t batch);

/* Whether KEY is the one that a disk has for itself. */
static inline bool synod__disk_key_reserved (synod_str_t key)
{
    return key.size == 1 && key.data[0] == 0;
}

/* The key PREFIX KEY in ROOM, which begins with PREFIX bytes of it already and has place for all of it. */
static inline synod_str_t synod__disk_key (char *room, uint32_t prefix, synod_str_t key)
{
    if (key.size)
        memcpy (room + prefix, key.data, key.size);
    return synod_str_n (room, prefix + key.size);
}

#endif
