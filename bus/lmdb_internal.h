/* SPDX-License-Identifier: MPL-2.0
 *
 * The parts of the disk on LMDB: lmdb_disk.c reads, writes and commits; lmdb_recent.c has what is not LMDB's yet;
 * lmdb_open.c makes and opens stores.
 *
 * All writes go, sooner or later, into one write transaction of LMDB's, which stays open over many commits. A commit
 * appends them to the log (wal.h), and is durable by that alone. A checkpoint commits the transaction, and with it a new
 * era, which is in the key of one NUL: from then on all records of the log are old. So at any moment the store is what LMDB
 * has, and on top of it the records of the very era that LMDB names:
 * - before LMDB's commit is durable, that is the last checkpoint and all records since;
 * - after it, the new checkpoint and none; the log is written over only then.
 * A commit that does not fit the log, or that would let a checkpoint take too long, is a checkpoint itself.
 */
#ifndef SYNOD_BUS_LMDB_INTERNAL_H_INCLUDED
#define SYNOD_BUS_LMDB_INTERNAL_H_INCLUDED

#include <lmdb.h>
#include <pthread.h>
#include "actors/runtime/pair_index.h"
#include "actors/runtime/pair_merge.h"
#include "data_dir.h"
#include "lmdb_disk.h"
#include "wal.h"

typedef struct {
    synod__pair_index_t index; /* `absent`: it was deleted; `fresh`: LMDB has none */
    size_t bytes;              /* of their keys and values */
    struct synod__pairs tree;  /* the same, if it is `ordered` */
    bool ordered;
} synod__recent_t;

typedef struct {
    synod__disk_t disk;
    synod__data_dir_t dir;
    synod__wal_t wal;
    MDB_env *env;
    MDB_dbi dbi;
    synod__recent_t recent; /* written, and not given to LMDB yet */
    MDB_txn *write;         /* NULL: LMDB has been given nothing since the last checkpoint */
    MDB_cursor *cursor;     /* of the writing one; NULL: not needed yet */
    MDB_txn *read;          /* reset unless `reading` */
    bool reading;           /* between a read and the next write: nobody else writes, so it pins nothing */
    bool opened;            /* all of it is there */
    bool pending;           /* something has been written since the last commit */
    uint32_t scans;         /* under way */
    struct {
        char key[SYNOD__DISK_KEY_MAX];
        uint32_t size; /* 0: none */
        bool found;
    } asked;              /* the key that LMDB was asked for last, and has been given nothing since */
    uint64_t entries;     /* that `write` was given: each touches a page at most */
    uint64_t long_pages;  /* the same, of long values, which have pages of their own */
    synod__wal_era_t era; /* what LMDB has durably */
    synod__lmdb_limits_t limits;
    pthread_t writer; /* who wrote first since the last checkpoint: LMDB's lock is its */
    pid_t pid;        /* who opened it */
    int broken;       /* the error; SYNOD_OK: it works */
    synod_fault_t fault;
} synod__lmdb_t;

/* What became of an error of LMDB's in doing WHAT. LMDB says EIO for a write that came back short, which is what the
 * last bytes of a full disk do; ERROR (errno, set to 0 before the call) tells it from the kernel's own EIO. */
int synod__lmdb_fault (const char *dir, const char *what, int rc, int error, size_t map_bytes, synod_fault_t *fault);

/* What the store says of itself, in the key of one NUL: ERA, and whether LMDB has all without the log. An LMDB error. */
int synod__lmdb_say (MDB_txn *txn, MDB_dbi dbi, const synod__wal_era_t *era, bool whole);

/* What is written here goes into the open transaction alone. An LMDB error. */
int synod__lmdb_begin (synod__lmdb_t *self);
int synod__lmdb_apply (synod__lmdb_t *self, synod_str_t prefix, synod_str_t batch);
int synod__lmdb_apply_one (synod__lmdb_t *self, synod_str_t key, synod_str_t value); /* NULL data: is deleted */
/* Commits the open transaction (one is opened if there is none) with the next era; the log is empty then. An LMDB
 * error, after which no transaction is open. */
int synod__lmdb_checkpoint (synod__lmdb_t *self, bool whole);
void synod__lmdb_end_transactions (synod__lmdb_t *self);

int synod__lmdb_has (synod__lmdb_t *self, synod_str_t key, bool *found); /* LMDB alone. An LMDB error */

/* What was written last. VALUE's data is NULL when it was a deletion. FALSE: nothing, or LMDB has it. */
bool synod__recent_get (const synod__recent_t *self, synod_str_t key, synod_str_t *value);
const struct synod__pairs *synod__recent_order (synod__recent_t *self); /* of scans: to be left alone by writes */
void synod__recent_free (synod__recent_t *self);
/* From now on this is what was written last; NULL data: deleted. An LMDB error, ENOMEM. */
int synod__lmdb_remember (synod__lmdb_t *self, synod_str_t key, synod_str_t value);
/* Gives it to the open transaction (one is opened if there is none). An LMDB error. */
int synod__lmdb_flush (synod__lmdb_t *self);

/* Opens the store in self->dir, or makes it; replays its log. SYNOD_OK, or a sentence. */
int synod__lmdb_open (synod__lmdb_t *self, synod_fault_t *fault);

#endif
