/* SPDX-License-Identifier: MPL-2.0
 *
 * The disk on LMDB. Invariants: at most one transaction is used at a time, the writing one when it is open; no reading
 * one is open while pages are written, so none is kept from reuse; once `broken` is set no transaction is open and none
 * is opened again.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data_dir.h"
#include "lmdb_disk.h"

#define S_DATA        "data.mdb"
#define S_BIRTH       "birth.mdb"
#define S_BIRTH_LOCK  "birth.mdb-lock"
#define S_MAGIC       "synod store" /* its NUL is written too */
#define S_CHECK_EVERY 4096          /* commits; then readers that have died are looked for */
#define S_ROUND       65536         /* a map is a multiple of any page's size */

/* The value of the key of one NUL. */
typedef struct {
    char magic[sizeof S_MAGIC];
    uint8_t format[4]; /* the most significant byte first */
    uint8_t id[SYNOD__DISK_ID];
} s_about_t;

typedef struct {
    synod__disk_t disk;
    synod__data_dir_t dir;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *write;   /* NULL: nothing has been written since the last commit */
    MDB_txn *read;    /* reset unless `reading` */
    bool reading;     /* between a read and the next write: nobody else writes, so it pins nothing */
    uint32_t scans;   /* under way */
    uint32_t commits; /* since dead readers were looked for */
    pid_t pid;        /* who opened it */
    int broken;       /* the error; SYNOD_OK: it works */
    synod_fault_t fault;
} s_disk_t;

static const synod__disk_ops_t s_ops;

/* ---- errors ---- */

static void s_end_transactions (s_disk_t *self)
{
    if (self->write)
        mdb_txn_abort (self->write);
    if (self->read)
        mdb_txn_abort (self->read);
    self->write = self->read = NULL;
    self->reading = false;
}

/* What became of an error of LMDB's in doing WHAT. LMDB says EIO for a write that came back short, which is what the
 * last bytes of a full disk do; ERRNO (set to 0 before the call) tells it from the kernel's own EIO. */
static int s_fault (const char *dir, const char *what, int rc, int error, size_t map_bytes, synod_fault_t *fault)
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

static size_t s_map_bytes (MDB_env *env)
{
    MDB_envinfo info = {0};
    mdb_env_info (env, &info);
    return info.me_mapsize;
}

/* For good. A transaction that had an error is aborted (after a failed commit it is gone already), but not under a
 * scan, whose cursor is in it. */
static int s_break (s_disk_t *self, const char *what, int rc)
{
    int error = errno;
    if (!self->scans)
        s_end_transactions (self);
    return self->broken = s_fault (self->dir.path, what, rc, error, s_map_bytes (self->env), &self->fault);
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

static int s_compare (synod_str_t a, synod_str_t b)
{
    size_t least = a.size < b.size ? a.size : b.size;
    int order = least ? memcmp (a.data, b.data, least) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* The transaction to read by: the open one, which sees what it wrote, or one on the last commit. */
static int s_reader (s_disk_t *self, MDB_txn **txn)
{
    if (self->broken)
        return self->broken;
    if (!self->write && !self->reading) {
        errno = 0;
        int rc = self->read ? mdb_txn_renew (self->read) : mdb_txn_begin (self->env, NULL, MDB_RDONLY, &self->read);
        if (rc)
            return s_break (self, "be read", rc);
        self->reading = true;
    }
    *txn = self->write ? self->write : self->read;
    return SYNOD_OK;
}

static int s_get (synod__disk_t *base, synod_str_t key, synod_str_t *value)
{
    s_disk_t *self = (s_disk_t *) base;
    MDB_txn *txn = NULL;
    MDB_val k = s_val (key), v;
    int rc = s_reader (self, &txn);
    if (rc != SYNOD_OK)
        return rc;
    if (!key.size || key.size > SYNOD__DISK_KEY_MAX || synod__disk_key_reserved (key))
        return SYNOD_NOT_FOUND;
    errno = 0;
    rc = mdb_get (txn, self->dbi, &k, &v);
    if (rc == MDB_NOTFOUND)
        return SYNOD_NOT_FOUND;
    if (rc)
        return s_break (self, "be read", rc);
    *value = s_str (v);
    return SYNOD_OK;
}

/* LMDB takes bounds as long as keys only. So it is given the beginning of a longer one, and the one key that may come
 * too early is passed over here, as is the reserved one. */
static int s_walk (const s_disk_t *self, MDB_cursor *cursor, synod_str_t from, synod_str_t until,
                   synod_on_entry_t *on_entry, void *arg)
{
    MDB_val k = s_val (from), v;
    if (k.mv_size > SYNOD__DISK_KEY_MAX)
        k.mv_size = SYNOD__DISK_KEY_MAX;
    int rc = mdb_cursor_get (cursor, &k, &v, k.mv_size ? MDB_SET_RANGE : MDB_FIRST);
    for (; rc == 0; rc = mdb_cursor_get (cursor, &k, &v, MDB_NEXT)) {
        synod_str_t key = s_str (k);
        if (synod__disk_key_reserved (key) || s_compare (key, from) < 0)
            continue;
        if ((until.size && s_compare (key, until) >= 0) || !on_entry (arg, key, s_str (v)) || self->broken)
            return 0;
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int s_scan (synod__disk_t *base, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg)
{
    s_disk_t *self = (s_disk_t *) base;
    MDB_txn *txn = NULL;
    MDB_cursor *cursor;
    int rc = s_reader (self, &txn);
    if (rc != SYNOD_OK)
        return rc;
    errno = 0;
    rc = mdb_cursor_open (txn, self->dbi, &cursor);
    if (rc)
        return s_break (self, "be read", rc);
    self->scans++;
    rc = s_walk (self, cursor, from, until, on_entry, arg);
    self->scans--;
    mdb_cursor_close (cursor);
    if (rc && !self->broken)
        s_break (self, "be read", rc);
    else if (self->broken && !self->scans) /* by a read of ON_ENTRY's */
        s_end_transactions (self);
    return self->broken;
}

/* ---- writing ---- */

static int s_begin (s_disk_t *self)
{
    if (self->reading)
        mdb_txn_reset (self->read);
    self->reading = false;
    errno = 0;
    int rc = mdb_txn_begin (self->env, NULL, 0, &self->write);
    return rc ? s_break (self, "be written", rc) : SYNOD_OK;
}

/* A batch that was checked. */
static int s_apply (s_disk_t *self, synod_str_t prefix, synod_str_t batch)
{
    char room[SYNOD__DISK_KEY_MAX];
    synod_str_t key, value;
    synod__disk_key (room, 0, prefix);
    while (synod__disk_batch_next (&batch, &key, &value) == SYNOD_OK) {
        MDB_val k = s_val (synod__disk_key (room, prefix.size, key)), v = s_val (value);
        errno = 0;
        int rc = value.data ? mdb_put (self->write, self->dbi, &k, &v, 0) : mdb_del (self->write, self->dbi, &k, NULL);
        if (rc && (value.data || rc != MDB_NOTFOUND))
            return s_break (self, "be written", rc);
    }
    return SYNOD_OK;
}

/* LMDB's locks and its transaction belong to the process that opened it; a child would share the file's offsets and
 * release the parent's locks. */
static int s_check_process (s_disk_t *self)
{
    if (self->pid == getpid ())
        return SYNOD_OK;
    self->write = self->read = NULL; /* the parent's: not to be touched */
    self->reading = false;
    return self->broken = synod_fault (&self->fault, SYNOD_IO, "the store in %s belongs to process %ld, which forked",
                                       synod__path_shown (self->dir.path), (long) self->pid);
}

static int s_write (synod__disk_t *base, synod_str_t prefix, synod_str_t batch)
{
    s_disk_t *self = (s_disk_t *) base;
    assert (!self->scans);
    if (self->broken)
        return self->broken;
    int rc = synod__disk_batch_check (prefix, batch); /* whole, before any of it is written */
    if (rc != SYNOD_OK || !batch.size)
        return rc;
    if (!self->write)
        rc = s_check_process (self);
    if (rc == SYNOD_OK && !self->write)
        rc = s_begin (self);
    return rc == SYNOD_OK ? s_apply (self, prefix, batch) : rc;
}

static int s_commit (synod__disk_t *base)
{
    s_disk_t *self = (s_disk_t *) base;
    assert (!self->scans);
    if (self->broken || !self->write)
        return self->broken;
    if (s_check_process (self) != SYNOD_OK)
        return self->broken;
    errno = 0;
    int rc = mdb_txn_commit (self->write);
    self->write = NULL; /* whatever it returned */
    if (rc)
        return s_break (self, "commit", rc);
    if (++self->commits == S_CHECK_EVERY) { /* one of LMDB's tools that was killed would keep pages from reuse */
        self->commits = 0;
        mdb_reader_check (self->env, NULL);
    }
    return SYNOD_OK;
}

/* ---- birth and life ---- */

static void s_path (const s_disk_t *self, const char *name, char path[PATH_MAX])
{
    size_t size = strlen (self->dir.path);
    memcpy (path, self->dir.path, size);
    snprintf (path + size, PATH_MAX - size, "/%s", name);
}

static int s_env_open (s_disk_t *self, const char *path, unsigned flags, size_t map_bytes)
{
    int rc = mdb_env_create (&self->env);
    if (!rc)
        rc = mdb_env_set_mapsize (self->env, map_bytes);
    if (!rc) /* NOTLS: transactions do not belong to threads, so the thread that opens may be another */
        rc = mdb_env_open (self->env, path, MDB_NOTLS | flags, 0600);
    int fd = -1;
    if (!rc && mdb_env_get_fd (self->env, &fd) == 0) /* the one that LMDB does not see to */
        fcntl (fd, F_SETFD, FD_CLOEXEC);
    return rc;
}

static void s_env_close (s_disk_t *self)
{
    s_end_transactions (self);
    if (self->env)
        mdb_env_close (self->env);
    self->env = NULL;
}

/* Commits the first record: from then on the file is durable and whole. */
static int s_first (s_disk_t *self)
{
    s_about_t about = {.magic = S_MAGIC, .format = {0, 0, 0, SYNOD__LMDB_FORMAT}};
    MDB_txn *txn = NULL;
    MDB_val k = {1, (void *) ""}, v = {sizeof about, &about};
    if (getrandom (about.id, sizeof about.id, 0) != (ssize_t) sizeof about.id)
        return errno;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (!rc)
        rc = mdb_dbi_open (txn, NULL, 0, &self->dbi);
    if (!rc)
        rc = mdb_put (txn, self->dbi, &k, &v, 0);
    if (!rc)
        return mdb_txn_commit (txn);
    mdb_txn_abort (txn);
    return rc;
}

/* Makes the store beside its place and renames it, so that a crash leaves a whole store or none. */
static int s_birth (s_disk_t *self, size_t map_bytes, synod_fault_t *fault)
{
    char path[PATH_MAX];
    s_path (self, S_BIRTH, path);
    unlinkat (self->dir.fd, S_BIRTH, 0); /* of a birth that was cut short */
    unlinkat (self->dir.fd, S_BIRTH_LOCK, 0);
    errno = 0;
    int rc = s_env_open (self, path, MDB_NOSUBDIR, map_bytes);
    if (!rc)
        rc = s_first (self);
    int error = errno;
    s_env_close (self);
    unlinkat (self->dir.fd, S_BIRTH_LOCK, 0);
    errno = error;
    if (!rc && (renameat (self->dir.fd, S_BIRTH, self->dir.fd, S_DATA) || fsync (self->dir.fd)))
        error = rc = errno;
    if (!rc)
        return SYNOD_OK;
    unlinkat (self->dir.fd, S_BIRTH, 0);
    return s_fault (self->dir.path, "be made", rc, error, map_bytes, fault);
}

/* Reads what the store is. Leaves the reading transaction open. */
static int s_about (s_disk_t *self, synod_fault_t *fault)
{
    const char *dir = synod__path_shown (self->dir.path);
    s_about_t about;
    MDB_val k = {1, (void *) ""}, v = {0};
    int rc = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &self->read);
    if (!rc)
        rc = mdb_dbi_open (self->read, NULL, 0, &self->dbi);
    if (!rc)
        rc = mdb_get (self->read, self->dbi, &k, &v);
    if (rc && rc != MDB_NOTFOUND)
        return s_fault (self->dir.path, "be read", rc, rc, 0, fault);
    self->reading = true;
    /* a newer format may have more behind the version */
    if (rc || v.mv_size < offsetof (s_about_t, id) || memcmp (v.mv_data, S_MAGIC, sizeof about.magic) != 0)
        return synod_fault (fault, SYNOD_INVALID, "%s/" S_DATA " is not a store of synod's, but another program's",
                            dir);
    memcpy (&about, v.mv_data, v.mv_size < sizeof about ? v.mv_size : sizeof about);
    uint32_t format = (uint32_t) about.format[0] << 24 | (uint32_t) about.format[1] << 16 |
                      (uint32_t) about.format[2] << 8 | about.format[3];
    if (format > SYNOD__LMDB_FORMAT)
        return synod_fault (fault, SYNOD_BAD_VERSION,
                            "the store in %s is of format %u, made by a newer version of synod; this one knows format "
                            "%u",
                            dir, format, SYNOD__LMDB_FORMAT);
    if (format < SYNOD__LMDB_FORMAT || v.mv_size != sizeof about)
        return synod_fault (fault, SYNOD_INVALID, "%s/" S_DATA " is damaged: it does not say what it is", dir);
    memcpy (self->disk.id, about.id, sizeof about.id);
    return SYNOD_OK;
}

static int s_open (s_disk_t *self, size_t map_bytes, synod_fault_t *fault)
{
    const char *dir = synod__path_shown (self->dir.path);
    struct stat is;
    int rc = fstatat (self->dir.fd, S_DATA, &is, 0) == 0 ? SYNOD_OK : errno;
    if (rc == ENOENT) {
        rc = s_birth (self, map_bytes, fault);
        if (rc != SYNOD_OK)
            return rc;
        is.st_size = 1;
    } else if (rc)
        return s_fault (self->dir.path, "be opened", rc, rc, 0, fault);
    errno = 0;
    rc = is.st_size ? s_env_open (self, self->dir.path, 0, map_bytes) : MDB_INVALID; /* LMDB would fill an empty one */
    if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH)
        return synod_fault (fault, SYNOD_INVALID, "%s/" S_DATA " is no store: %s", dir, mdb_strerror (rc));
    if (rc == ENOMEM)
        return synod_fault (fault, SYNOD_NO_MEMORY,
                            "the store in %s cannot be opened: there is no address space for its limit of %zu MiB", dir,
                            map_bytes >> 20);
    if (rc)
        return s_fault (self->dir.path, "be opened", rc, errno, map_bytes, fault);
    if (mdb_env_get_maxkeysize (self->env) < SYNOD__DISK_KEY_MAX)
        return synod_fault (fault, SYNOD_INVALID, "this LMDB takes keys of %d bytes, and %d are needed",
                            mdb_env_get_maxkeysize (self->env), SYNOD__DISK_KEY_MAX);
    mdb_reader_check (self->env, NULL);
    return s_about (self, fault);
}

static const char *s_error (const synod__disk_t *base)
{
    return ((const s_disk_t *) base)->fault.text;
}

static void s_close (synod__disk_t **self_p)
{
    s_disk_t *self = (s_disk_t *) *self_p;
    if (!self)
        return;
    if (self->pid == getpid ())
        s_env_close (self);
    synod__data_dir_close (&self->dir);
    free (self);
    *self_p = NULL;
}

synod__disk_t *synod__lmdb_disk_open (const char *dir, const synod__lmdb_limits_t *limits, synod_fault_t *fault)
{
    s_disk_t *self = (s_disk_t *) calloc (1, sizeof *self);
    size_t map_bytes = limits && limits->map_bytes ? limits->map_bytes : SYNOD_DATA_MAX;
    if (!self) {
        synod_fault (fault, SYNOD_NO_MEMORY, "no memory for a store");
        return NULL;
    }
    map_bytes = map_bytes < SIZE_MAX - S_ROUND ? (map_bytes + S_ROUND - 1) / S_ROUND * S_ROUND : map_bytes;
    self->disk.ops = &s_ops;
    self->pid = getpid ();
    int rc = synod__data_dir_open (&self->dir, dir, fault);
    if (rc == SYNOD_OK)
        rc = s_open (self, map_bytes, fault);
    if (rc == SYNOD_OK)
        return &self->disk;
    s_close ((synod__disk_t **) &self);
    return NULL;
}

static const synod__disk_ops_t s_ops = {s_get, s_scan, s_write, s_commit, s_error, s_close};
