/* SPDX-License-Identifier: MPL-2.0
 *
 * How a store on LMDB is made, known again, brought up to date from its log, and opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lmdb_internal.h"

#define S_DATA       "data.mdb"
#define S_BIRTH      "birth.mdb"
#define S_BIRTH_LOCK "birth.mdb-lock"
#define S_MAGIC      "synod store" /* its NUL is written too */
#define S_ROOM       (32u << 20)   /* by which the limit is exceeded when the log does not fit into it */

/* The value of the key of one NUL; numbers with their most significant byte first. Format 1 ended after the id. */
typedef struct {
    char magic[sizeof S_MAGIC];
    uint8_t format[4];
    uint8_t id[SYNOD__DISK_ID];
    uint8_t generation[8], salt[8];
    uint8_t whole; /* 1: nothing is in the log alone */
} s_about_t;

static void s_put (uint8_t *to, int bytes, uint64_t number)
{
    for (int i = bytes - 1; i >= 0; i--, number >>= 8)
        to[i] = (uint8_t) number;
}

static uint64_t s_take (const uint8_t *from, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++)
        number = number << 8 | from[i];
    return number;
}

int synod__lmdb_say (MDB_txn *txn, MDB_dbi dbi, const synod__wal_era_t *era, bool whole)
{
    s_about_t about = {.magic = S_MAGIC, .whole = whole};
    MDB_val k = {1, (void *) ""}, v = {sizeof about, &about};
    s_put (about.format, sizeof about.format, SYNOD__LMDB_FORMAT);
    memcpy (about.id, era->id, sizeof about.id);
    s_put (about.generation, sizeof about.generation, era->generation);
    s_put (about.salt, sizeof about.salt, era->salt);
    return mdb_put (txn, dbi, &k, &v, 0);
}

static int s_env_open (synod__lmdb_t *self, const char *path, unsigned flags, size_t map_bytes)
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

/* Commits the first record: from then on the file is durable and whole. */
static int s_first (synod__lmdb_t *self)
{
    synod__wal_era_t era = {0};
    MDB_txn *txn = NULL;
    if (getrandom (era.id, sizeof era.id, 0) != (ssize_t) sizeof era.id)
        return errno;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (!rc)
        rc = mdb_dbi_open (txn, NULL, 0, &self->dbi);
    if (!rc)
        rc = synod__lmdb_say (txn, self->dbi, &era, true);
    if (!rc)
        return mdb_txn_commit (txn);
    mdb_txn_abort (txn);
    return rc;
}

/* Makes the store beside its place and renames it, so that a crash leaves a whole store or none. */
static int s_birth (synod__lmdb_t *self, size_t map_bytes, synod_fault_t *fault)
{
    char path[PATH_MAX + sizeof S_BIRTH];
    snprintf (path, sizeof path, "%s/" S_BIRTH, self->dir.path);
    unlinkat (self->dir.fd, S_BIRTH, 0); /* of a birth that was cut short */
    unlinkat (self->dir.fd, S_BIRTH_LOCK, 0);
    errno = 0;
    int rc = s_env_open (self, path, MDB_NOSUBDIR, map_bytes);
    if (!rc)
        rc = s_first (self);
    int error = errno;
    mdb_env_close (self->env);
    self->env = NULL;
    unlinkat (self->dir.fd, S_BIRTH_LOCK, 0);
    errno = error;
    if (!rc && (renameat (self->dir.fd, S_BIRTH, self->dir.fd, S_DATA) || fsync (self->dir.fd)))
        error = rc = errno;
    if (!rc)
        return SYNOD_OK;
    unlinkat (self->dir.fd, S_BIRTH, 0);
    return synod__lmdb_fault (self->dir.path, "be made", rc, error, map_bytes, fault);
}

/* Reads what the store is, and whether it needs its log. Leaves the reading transaction open. */
static int s_about (synod__lmdb_t *self, bool *whole, synod_fault_t *fault)
{
    const char *dir = synod__path_shown (self->dir.path);
    s_about_t about = {0};
    MDB_val k = {1, (void *) ""}, v = {0};
    int rc = mdb_txn_begin (self->env, NULL, MDB_RDONLY, &self->read);
    if (!rc)
        rc = mdb_dbi_open (self->read, NULL, 0, &self->dbi);
    if (!rc)
        rc = mdb_get (self->read, self->dbi, &k, &v);
    if (rc && rc != MDB_NOTFOUND)
        return synod__lmdb_fault (self->dir.path, "be read", rc, rc, 0, fault);
    self->reading = true;
    /* a newer format may have more behind the version */
    if (rc || v.mv_size < offsetof (s_about_t, id) || memcmp (v.mv_data, S_MAGIC, sizeof about.magic) != 0)
        return synod_fault (fault, SYNOD_INVALID, "%s/" S_DATA " is not a store of synod's, but another program's",
                            dir);
    memcpy (&about, v.mv_data, v.mv_size < sizeof about ? v.mv_size : sizeof about);
    uint32_t format = (uint32_t) s_take (about.format, sizeof about.format);
    if (format > SYNOD__LMDB_FORMAT)
        return synod_fault (fault, SYNOD_BAD_VERSION,
                            "the store in %s is of format %u, made by a newer version of synod; this one knows format "
                            "%u",
                            dir, format, SYNOD__LMDB_FORMAT);
    if (format < 1 || v.mv_size != (format == 1 ? offsetof (s_about_t, generation) : sizeof about))
        return synod_fault (fault, SYNOD_INVALID, "%s/" S_DATA " is damaged: it does not say what it is", dir);
    memcpy (self->disk.id, about.id, sizeof about.id);
    memcpy (self->era.id, about.id, sizeof about.id);
    self->era.generation = s_take (about.generation, sizeof about.generation);
    self->era.salt = s_take (about.salt, sizeof about.salt);
    *whole = about.whole || format == 1; /* which had no log */
    return SYNOD_OK;
}

/* ---- the log ---- */

typedef struct {
    synod__lmdb_t *self;
    int rc; /* of LMDB */
} s_replay_t;

static int s_on_write (void *arg, synod_str_t prefix, synod_str_t batch)
{
    s_replay_t *replay = (s_replay_t *) arg;
    if (synod__disk_batch_check (prefix, batch) != SYNOD_OK)
        return SYNOD_NOT_FOUND;
    replay->rc = synod__lmdb_apply (replay->self, prefix, batch);
    return replay->rc ? SYNOD_IO : SYNOD_OK;
}

/* Replays the log of ERA and makes it a checkpoint. RC is LMDB's error, if it was one. */
static int s_replay (synod__lmdb_t *self, const synod__wal_era_t *era, int *rc, synod_fault_t *fault)
{
    s_replay_t replay = {.self = self};
    *rc = synod__lmdb_begin (self);
    if (*rc)
        return SYNOD_IO;
    int code = synod__wal_replay (&self->wal, era, self->dir.path, s_on_write, &replay, fault);
    *rc = replay.rc;
    if (code == SYNOD_OK) {
        self->era = *era;
        if (getrandom (&self->era.salt, sizeof self->era.salt, 0) != (ssize_t) sizeof self->era.salt)
            *rc = errno;
        else
            *rc = synod__lmdb_checkpoint (self, false);
    }
    return *rc ? SYNOD_IO : code;
}

/* The log of a store that is at its limit may need pages beyond it to become a checkpoint: what was acknowledged is
 * there all the same, and the next write is refused. */
static int s_recover (synod__lmdb_t *self, synod_fault_t *fault)
{
    const synod__wal_era_t era = self->era;
    for (int more = 4;; more--) {
        MDB_envinfo info = {0};
        int rc = 0;
        errno = 0;
        int code = s_replay (self, &era, &rc, fault);
        int error = errno;
        if (code == SYNOD_OK)
            return code;
        synod__lmdb_end_transactions (self);
        mdb_env_info (self->env, &info);
        if (rc == MDB_MAP_FULL && more && mdb_env_set_mapsize (self->env, info.me_mapsize + S_ROOM) == 0)
            continue;
        return rc ? synod__lmdb_fault (self->dir.path, "commit", rc, error, info.me_mapsize, fault) : code;
    }
}

static int s_open_log (synod__lmdb_t *self, bool whole, synod_fault_t *fault)
{
    const char *dir = synod__path_shown (self->dir.path);
    int rc = synod__wal_open (&self->wal, self->dir.fd, self->limits.log_bytes, whole);
    if (rc == ENOENT && !whole)
        return synod_fault (fault, SYNOD_INVALID,
                            "%s/" SYNOD__WAL_FILE " is missing, and with it what was committed last; to do without, "
                            "put an empty file there",
                            dir);
    if (rc)
        return synod_fault (fault, synod__errno_code (rc), "%s/" SYNOD__WAL_FILE " cannot be opened: %s", dir,
                            strerror (rc));
    return s_recover (self, fault);
}

int synod__lmdb_open (synod__lmdb_t *self, synod_fault_t *fault)
{
    const char *dir = synod__path_shown (self->dir.path);
    size_t map_bytes = self->limits.map_bytes;
    struct stat is;
    bool whole = false;
    int rc = fstatat (self->dir.fd, S_DATA, &is, 0) == 0 ? SYNOD_OK : errno;
    if (rc == ENOENT) {
        rc = s_birth (self, map_bytes, fault);
        if (rc != SYNOD_OK)
            return rc;
        is.st_size = 1;
    } else if (rc)
        return synod__lmdb_fault (self->dir.path, "be opened", rc, rc, 0, fault);
    errno = 0;
    rc = is.st_size ? s_env_open (self, self->dir.path, 0, map_bytes) : MDB_INVALID; /* LMDB would fill an empty one */
    if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH)
        return synod_fault (fault, SYNOD_INVALID, "%s/" S_DATA " is no store: %s", dir, mdb_strerror (rc));
    if (rc == ENOMEM)
        return synod_fault (fault, SYNOD_NO_MEMORY,
                            "the store in %s cannot be opened: there is no address space for its limit of %zu MiB", dir,
                            map_bytes >> 20);
    if (rc)
        return synod__lmdb_fault (self->dir.path, "be opened", rc, errno, map_bytes, fault);
    if (mdb_env_get_maxkeysize (self->env) < SYNOD__DISK_KEY_MAX)
        return synod_fault (fault, SYNOD_INVALID, "this LMDB takes keys of %d bytes, and %d are needed",
                            mdb_env_get_maxkeysize (self->env), SYNOD__DISK_KEY_MAX);
    mdb_reader_check (self->env, NULL);
    rc = s_about (self, &whole, fault);
    return rc == SYNOD_OK ? s_open_log (self, whole, fault) : rc;
}
