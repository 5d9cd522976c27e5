/* SPDX-License-Identifier: MPL-2.0
 *
 * The disk on LMDB: reads, writes, commits. Invariants: at most one transaction is used at a time, the writing one when
 * it is open; no reading one is open while pages are written, so none is kept from reuse; what the writing one has, and
 * what is recent, is in the log or pending; once `broken` is set no transaction is open and none is opened again.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lmdb_internal.h"

#define S_ROUND 65536 /* a map is a multiple of any page's size */
#define S_PAGE  4096  /* for the estimate of what a checkpoint writes */
#define S_LONG  2000  /* values from here on have pages of their own */
#define S_DIRTY 3072  /* pages; more are not left to one checkpoint if that can be helped */

static const synod__disk_ops_t s_ops;

/* ---- errors ---- */

void synod__lmdb_end_transactions (synod__lmdb_t *self)
{
    if (self->write)
        mdb_txn_abort (self->write); /* and its cursor */
    if (self->read)
        mdb_txn_abort (self->read);
    self->write = self->read = NULL;
    self->cursor = NULL;
    self->reading = false;
}

int synod__lmdb_fault (const char *dir, const char *what, int rc, int error, size_t map_bytes, synod_fault_t *fault)
{
    dir = synod__path_shown (dir);
    if (rc == MDB_MAP_FULL)
        return synod_fault (fault, SYNOD_FULL, "the store in %s cannot %s: it has grown to its limit of %zu MiB", dir,
                            what, map_bytes >> 20);
    if (rc == MDB_TXN_FULL)
        return synod_fault (fault, SYNOD_FULL, "the store in %s cannot %s: too much was written in one turn", dir,
                            what);
    if (rc == EIO && error != EIO)
        return synod_fault (fault, SYNOD_FULL, "the store in %s cannot %s: a write was cut short, as on a full disk",
                            dir, what);
    int code = rc > 0 ? synod__errno_code (rc) : SYNOD_IO;
    return synod_fault (fault, code == SYNOD_NO_MEMORY ? SYNOD_IO : code, "the store in %s cannot %s: %s", dir, what,
                        mdb_strerror (rc));
}

/* For good. A transaction that had an error is aborted (after a failed commit it is gone already), but not under a
 * scan, whose cursor is in it. */
static int s_break (synod__lmdb_t *self, const char *what, int rc)
{
    int error = errno;
    MDB_envinfo info = {0};
    mdb_env_info (self->env, &info);
    if (!self->scans)
        synod__lmdb_end_transactions (self);
    return self->broken = synod__lmdb_fault (self->dir.path, what, rc, error, info.me_mapsize, &self->fault);
}

/* ---- reading ---- */

static MDB_val s_val (synod_str_t text)
{
    return (MDB_val){text.size, (void *) text.data};
}

static synod_str_t s_str (MDB_val val)
{
    return synod_str_n ((const char *) val.mv_data, (uint32_t) val.mv_size);
}

/* The transaction to read by is the open one, which sees what it was given, or one on the last checkpoint. An LMDB error. */
static int s_reader (synod__lmdb_t *self)
{
    if (self->write || self->reading)
        return 0;
    int rc = self->read ? mdb_txn_renew (self->read) : mdb_txn_begin (self->env, NULL, MDB_RDONLY, &self->read);
    self->reading = !rc;
    return rc;
}

/* The open transaction has one cursor: what is written where it was read just now is found in the same page. */
static int s_cursor (synod__lmdb_t *self)
{
    return self->cursor ? 0 : mdb_cursor_open (self->write, self->dbi, &self->cursor);
}

static int s_seek (synod__lmdb_t *self, MDB_val *key, MDB_val *value)
{
    int rc = s_cursor (self);
    return rc ? rc : mdb_cursor_get (self->cursor, key, value, MDB_SET);
}

/* 0, MDB_NOTFOUND, an LMDB error. */
static int s_ask (synod__lmdb_t *self, synod_str_t key, MDB_val *v)
{
    MDB_val k = s_val (key);
    errno = 0;
    int rc = s_reader (self);
    if (!rc)
        rc = self->write ? s_seek (self, &k, v) : mdb_get (self->read, self->dbi, &k, v);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    memcpy (self->asked.key, key.data, key.size);
    self->asked.size = key.size;
    self->asked.found = !rc;
    return rc;
}

/* Who writes has often asked just before. */
int synod__lmdb_has (synod__lmdb_t *self, synod_str_t key, bool *found)
{
    MDB_val v;
    if (key.size == self->asked.size && memcmp (self->asked.key, key.data, key.size) == 0) {
        *found = self->asked.found;
        return 0;
    }
    int rc = s_ask (self, key, &v);
    *found = !rc;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int s_get (synod__disk_t *base, synod_str_t key, synod_str_t *value)
{
    synod__lmdb_t *self = (synod__lmdb_t *) base;
    MDB_val v;
    if (self->broken)
        return self->broken;
    if (!key.size || key.size > SYNOD__DISK_KEY_MAX || synod__disk_key_reserved (key))
        return SYNOD_NOT_FOUND;
    if (synod__recent_get (&self->recent, key, value))
        return value->data ? SYNOD_OK : SYNOD_NOT_FOUND;
    int rc = s_ask (self, key, &v);
    if (rc == MDB_NOTFOUND)
        return SYNOD_NOT_FOUND;
    if (rc)
        return s_break (self, "be read", rc);
    *value = s_str (v);
    return SYNOD_OK;
}

/* LMDB takes bounds as long as keys only. So it is given the beginning of a longer one, and the one key that may come
 * too early is passed over here, as is the reserved one. */
static int s_walk (const synod__lmdb_t *self, MDB_cursor *cursor, synod_str_t from, synod_str_t until,
                   synod_on_entry_t *on_entry, void *arg)
{
    MDB_val k = s_val (from), v;
    if (k.mv_size > SYNOD__DISK_KEY_MAX)
        k.mv_size = SYNOD__DISK_KEY_MAX;
    int rc = mdb_cursor_get (cursor, &k, &v, k.mv_size ? MDB_SET_RANGE : MDB_FIRST);
    for (; rc == 0; rc = mdb_cursor_get (cursor, &k, &v, MDB_NEXT)) {
        synod_str_t key = s_str (k);
        if (synod__disk_key_reserved (key) || synod__bytes_order (key, from) < 0)
            continue;
        if ((until.size && synod__bytes_order (key, until) >= 0) || !on_entry (arg, key, s_str (v)) || self->broken)
            return 0;
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int s_scan (synod__disk_t *base, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg)
{
    synod__lmdb_t *self = (synod__lmdb_t *) base;
    MDB_cursor *cursor;
    if (self->broken)
        return self->broken;
    if (until.size && synod__bytes_order (from, until) >= 0)
        return SYNOD_OK;
    errno = 0;
    int rc = s_reader (self);
    if (!rc)
        rc = mdb_cursor_open (self->write ? self->write : self->read, self->dbi, &cursor);
    if (rc)
        return s_break (self, "be read", rc);
    self->scans++;
    synod__pair_merge_t merge = synod__pair_merge (synod__recent_order (&self->recent), from, until, on_entry, arg);
    rc = s_walk (self, cursor, from, until, synod__pair_merge_beneath, &merge);
    if (!rc && !self->broken)
        synod__pair_merge_end (&merge);
    self->scans--;
    mdb_cursor_close (cursor);
    if (rc && !self->broken)
        s_break (self, "be read", rc);
    else if (self->broken && !self->scans) /* by a read of ON_ENTRY's */
        synod__lmdb_end_transactions (self);
    return self->broken;
}

/* ---- writing ---- */

int synod__lmdb_begin (synod__lmdb_t *self)
{
    if (self->reading)
        mdb_txn_reset (self->read);
    self->reading = false;
    self->entries = self->long_pages = 0;
    self->writer = pthread_self ();
    errno = 0;
    return mdb_txn_begin (self->env, NULL, 0, &self->write);
}

static int s_put (synod__lmdb_t *self, MDB_val *key, MDB_val *value)
{
    int rc = s_cursor (self);
    return rc ? rc : mdb_cursor_put (self->cursor, key, value, 0);
}

static int s_remove (synod__lmdb_t *self, MDB_val *key)
{
    MDB_val value;
    int rc = s_seek (self, key, &value);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    return mdb_cursor_del (self->cursor, 0);
}

int synod__lmdb_apply_one (synod__lmdb_t *self, synod_str_t key, synod_str_t value)
{
    MDB_val k = s_val (key), v = s_val (value);
    self->asked.size = 0;
    self->entries++;
    if (value.size >= S_LONG)
        self->long_pages += 1 + value.size / S_PAGE;
    errno = 0;
    return value.data ? s_put (self, &k, &v) : s_remove (self, &k);
}

/* Long ones have pages of their own, and gain nothing by waiting. */
static int s_apply_later (synod__lmdb_t *self, synod_str_t key, synod_str_t value)
{
    int rc = value.size >= S_LONG ? synod__lmdb_flush (self) : 0;
    if (rc || value.size < S_LONG)
        return rc ? rc : synod__lmdb_remember (self, key, value);
    rc = self->write ? 0 : synod__lmdb_begin (self);
    return rc ? rc : synod__lmdb_apply_one (self, key, value);
}

typedef int s_apply_t (synod__lmdb_t *self, synod_str_t key, synod_str_t value);

/* A batch that was checked. */
static int s_apply (synod__lmdb_t *self, synod_str_t prefix, synod_str_t batch, s_apply_t *apply)
{
    char room[SYNOD__DISK_KEY_MAX];
    synod_str_t key, value;
    int rc = 0;
    synod__disk_key (room, 0, prefix);
    while (!rc && synod__disk_batch_next (&batch, &key, &value) == SYNOD_OK)
        rc = apply (self, synod__disk_key (room, prefix.size, key), value);
    return rc;
}

int synod__lmdb_apply (synod__lmdb_t *self, synod_str_t prefix, synod_str_t batch)
{
    return s_apply (self, prefix, batch, synod__lmdb_apply_one);
}

/* LMDB's locks and its transaction belong to the process that opened it; a child would share the file's offsets and
 * release the parent's locks. */
static int s_check_process (synod__lmdb_t *self)
{
    if (self->pid == getpid ())
        return SYNOD_OK;
    self->write = self->read = NULL; /* the parent's: not to be touched */
    self->cursor = NULL;
    self->reading = false;
    return self->broken = synod_fault (&self->fault, SYNOD_IO, "the store in %s belongs to process %ld, which forked",
                                       synod__path_shown (self->dir.path), (long) self->pid);
}

static int s_write (synod__disk_t *base, synod_str_t prefix, synod_str_t batch)
{
    synod__lmdb_t *self = (synod__lmdb_t *) base;
    assert (!self->scans);
    if (self->broken)
        return self->broken;
    int rc = synod__disk_batch_check (prefix, batch); /* whole, before any of it is written */
    if (rc != SYNOD_OK || !batch.size)
        return rc;
    if (!self->pending && s_check_process (self) != SYNOD_OK)
        return self->broken;
    if (!self->write && !self->recent.index.count)
        self->writer = pthread_self ();
    assert (pthread_equal (self->writer, pthread_self ()));
    rc = s_apply (self, prefix, batch, s_apply_later);
    if (rc)
        return s_break (self, "be written", rc);
    synod__wal_add (&self->wal, prefix, batch);
    self->pending = true;
    return SYNOD_OK;
}

/* Of the log's records that are under way. An errno. */
static int s_settle_log (synod__lmdb_t *self, bool wait)
{
    uint32_t done;
    errno = 0;
    int rc = synod__wal_settle (&self->wal, wait, &done);
    self->disk.settled += done;
    return rc;
}

int synod__lmdb_checkpoint (synod__lmdb_t *self, bool whole)
{
    synod__wal_era_t era = self->era;
    int rc = s_settle_log (self, true); /* what is begun is written where the log begins anew */
    if (!rc)
        rc = synod__lmdb_flush (self);
    if (!rc && !self->write)
        rc = synod__lmdb_begin (self);
    if (rc)
        return rc;
    era.generation++;
    if (self->cursor)
        mdb_cursor_close (self->cursor);
    self->cursor = NULL;
    errno = 0;
    rc = synod__lmdb_say (self->write, self->dbi, &era, whole);
    if (!rc)
        rc = mdb_txn_commit (self->write);
    else
        mdb_txn_abort (self->write);
    self->write = NULL; /* whatever it returned */
    if (rc)
        return rc;
    self->disk.syncs += 2; /* LMDB's pages, then its root */
    self->era = era;
    synod__wal_begin (&self->wal, &era);
    self->pending = false;
    mdb_reader_check (self->env, NULL); /* one of LMDB's tools that was killed would keep pages from reuse */
    return 0;
}

/* Whether the pages that a checkpoint would write are few enough to wait some more. LMDB does not tell how many
 * there are: not more than entries were written, nor than the tree has. */
static bool s_few_pages (synod__lmdb_t *self)
{
    MDB_stat is;
    const uint64_t given = self->write ? self->entries + self->long_pages : 0;
    if (given + self->recent.index.count <= S_DIRTY)
        return true;
    if (!self->write || self->long_pages > S_DIRTY || mdb_stat (self->write, self->dbi, &is))
        return false;
    return is.ms_branch_pages + is.ms_leaf_pages + self->long_pages <= S_DIRTY;
}

static int s_settle (synod__disk_t *base)
{
    synod__lmdb_t *self = (synod__lmdb_t *) base;
    int rc = self->broken ? 0 : s_settle_log (self, false);
    return rc ? s_break (self, "commit", rc) : self->broken;
}

static int s_begin (synod__disk_t *base)
{
    synod__lmdb_t *self = (synod__lmdb_t *) base;
    assert (!self->scans);
    if (self->broken || s_check_process (self) != SYNOD_OK)
        return self->broken;
    assert (pthread_equal (self->writer, pthread_self ()));
    errno = 0;
    bool log = self->pending && synod__wal_fits (&self->wal) && s_few_pages (self);
    if (!log || synod__wal_begin_commit (&self->wal))
        return SYNOD_BUSY;
    self->disk.syncs++;
    self->disk.begun++;
    self->pending = false;
    return SYNOD_OK;
}

static int s_commit (synod__disk_t *base)
{
    synod__lmdb_t *self = (synod__lmdb_t *) base;
    assert (!self->scans);
    if (self->broken || (!self->pending && self->disk.begun == self->disk.settled))
        return self->broken;
    if (s_check_process (self) != SYNOD_OK)
        return self->broken;
    int begun = s_settle_log (self, true);
    if (begun)
        return s_break (self, "commit", begun);
    if (!self->pending)
        return SYNOD_OK;
    assert (pthread_equal (self->writer, pthread_self ()));
    errno = 0;
    bool log = synod__wal_fits (&self->wal) && s_few_pages (self);
    int rc = log ? synod__wal_commit (&self->wal) : synod__lmdb_checkpoint (self, false);
    if (rc)
        return s_break (self, "commit", rc);
    self->disk.syncs += log;
    self->pending = false;
    return SYNOD_OK;
}

int synod__lmdb_disk_settle (synod__disk_t *base)
{
    synod__lmdb_t *self = (synod__lmdb_t *) base;
    assert (!self->scans);
    if (self->broken || (!self->write && !self->recent.index.count))
        return self->broken;
    if (s_check_process (self) != SYNOD_OK)
        return self->broken;
    int rc = synod__lmdb_checkpoint (self, false);
    return rc ? s_break (self, "commit", rc) : SYNOD_OK;
}

/* ---- life ---- */

static const char *s_error (const synod__disk_t *base)
{
    return ((const synod__lmdb_t *) base)->fault.text;
}

/* All that was committed goes into data.mdb, if it can; otherwise the log has it. */
static void s_close (synod__disk_t **self_p)
{
    synod__lmdb_t *self = (synod__lmdb_t *) *self_p;
    if (!self)
        return;
    if (self->env && self->pid == getpid ()) {
        assert (!self->write || pthread_equal (self->writer, pthread_self ()));
        if (self->opened && !self->broken && !self->pending)
            synod__lmdb_checkpoint (self, true);
        synod__lmdb_end_transactions (self);
        mdb_env_close (self->env);
    }
    synod__recent_free (&self->recent);
    synod__wal_close (&self->wal);
    synod__data_dir_close (&self->dir);
    free (self);
    *self_p = NULL;
}

synod__disk_t *synod__lmdb_disk_open (const char *dir, const synod__lmdb_limits_t *limits, synod_fault_t *fault)
{
    synod__lmdb_t *self = (synod__lmdb_t *) calloc (1, sizeof *self);
    size_t map_bytes = limits && limits->map_bytes ? limits->map_bytes : SYNOD_DATA_MAX;
    if (!self) {
        synod_fault (fault, SYNOD_NO_MEMORY, "no memory for a store");
        return NULL;
    }
    self->limits.map_bytes = map_bytes < SIZE_MAX - S_ROUND ? (map_bytes + S_ROUND - 1) / S_ROUND * S_ROUND : map_bytes;
    self->limits.log_bytes = limits && limits->log_bytes ? limits->log_bytes : SYNOD__LMDB_LOG;
    self->disk.ops = &s_ops;
    self->wal.fd = self->wal.direct.fd = self->wal.direct.eventfd = -1;
    self->pid = getpid ();
    int rc = synod__data_dir_open (&self->dir, dir, fault);
    if (rc == SYNOD_OK)
        rc = synod__lmdb_open (self, fault);
    self->opened = rc == SYNOD_OK;
    self->disk.fd = self->wal.direct.eventfd;
    if (self->opened)
        return &self->disk;
    s_close ((synod__disk_t **) &self);
    return NULL;
}

static const synod__disk_ops_t s_ops = {s_get, s_scan, s_write, s_commit, s_begin, s_settle, s_error, s_close};
