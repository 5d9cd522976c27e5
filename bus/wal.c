/* SPDX-License-Identifier: MPL-2.0
 *
 * The log: appended to, synced, replayed. Invariants: a record says which of those before it were durable when it was begun; a
 * position is written once in a generation; nothing is tried again.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "data_dir.h"
#include "protocol/frame.h"
#include "wal.h"

#define S_MAGIC "synodlog"
#define S_STEP  (1024 * 1024) /* bytes that the file grows by */
#define S_BLOCK 65536         /* of zeros; of what is searched at a time */
#define S_KEEP  (1024 * 1024) /* a larger buffer is given back after its commit */

typedef struct {
    char magic[8];
    uint8_t id[SYNOD__DISK_ID];
    uint64_t salt, generation, number; /* these and what follows: the most significant byte first */
    uint32_t size, open;
    uint64_t checksum;
} s_header_t;

_Static_assert(sizeof (s_header_t) == SYNOD__WAL_HEADER, "a header has no holes");

static uint64_t s_padded (uint64_t size)
{
    return (size + SYNOD__WAL_UNIT - 1) / SYNOD__WAL_UNIT * SYNOD__WAL_UNIT;
}

static uint64_t s_checksum (const s_header_t *header, uint64_t at, const void *bytes, size_t size)
{
    uint64_t seed = XXH3_64bits_withSeed (header, offsetof (s_header_t, checksum), at);
    return XXH3_64bits_withSeed (bytes, size, seed);
}

/* ---- writing ---- */

static int s_pwrite (int fd, const void *data, size_t size, uint64_t at)
{
    ssize_t done = pwrite (fd, data, size, (off_t) at);
    if (done == (ssize_t) size)
        return 0;
    if (done < 0)
        return errno;
    errno = 0;
    return EIO;
}

/* Zeros for the pending record and more, synced with it: what is written over later is allocated and initialised. */
static int s_grow (synod__wal_t *self, uint64_t need)
{
    static const char zeros[S_BLOCK];
    if (self->size >= need)
        return 0;
    uint64_t until = (need + S_STEP - 1) / S_STEP * S_STEP;
    if (until > self->most)
        until = self->most;
    for (uint64_t at = self->size; at < until;) {
        size_t size = until - at < S_BLOCK ? (size_t) (until - at) : S_BLOCK;
        int rc = s_pwrite (self->fd, zeros, size, at);
        if (rc)
            return rc;
        at += size;
    }
    self->size = until;
    return 0;
}

int synod__wal_open (synod__wal_t *self, int dir_fd, uint64_t most, bool make)
{
    struct stat is;
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    self->most = most / SYNOD__WAL_UNIT * SYNOD__WAL_UNIT;
    self->fd = openat (dir_fd, SYNOD__WAL_FILE, flags);
    if (self->fd < 0 && errno == ENOENT && make) {
        self->fd = openat (dir_fd, SYNOD__WAL_FILE, flags | O_CREAT | O_EXCL, 0600);
        if (self->fd >= 0 && fsync (dir_fd))
            return errno;
    }
    if (self->fd < 0 || fstat (self->fd, &is))
        return errno;
    self->size = (uint64_t) is.st_size;
    return synod__direct_open (&self->direct, dir_fd, SYNOD__WAL_FILE);
}

void synod__wal_close (synod__wal_t *self)
{
    synod__direct_close (&self->direct);
    if (self->fd >= 0)
        close (self->fd);
    self->fd = -1;
    synod_buf_free (&self->pending);
}

/* The next record has nothing yet. */
static void s_empty (synod__wal_t *self)
{
    if (self->pending.capacity > S_KEEP)
        synod_buf_free (&self->pending);
    self->pending.size = 0;
    self->large = false;
}

void synod__wal_begin (synod__wal_t *self, const synod__wal_era_t *era)
{
    self->era = *era;
    self->number = self->at = 0;
    s_empty (self);
}

void synod__wal_add (synod__wal_t *self, synod_str_t prefix, synod_str_t batch)
{
    static const char room[SYNOD__WAL_HEADER];
    synod_buf_t *out = &self->pending;
    const uint32_t sizes[2] = {htobe32 (prefix.size), htobe32 (batch.size)};
    size_t more = (out->size ? 0 : sizeof room) + sizeof sizes + prefix.size + batch.size;
    if (self->large)
        return;
    if (out->size + more > self->most || synod__buf_reserve (out, more + SYNOD__WAL_UNIT) != SYNOD_OK) {
        s_empty (self);
        self->large = true;
        return;
    }
    if (!out->size)
        synod__buf_add (out, room, sizeof room);
    synod__buf_add (out, sizes, sizeof sizes);
    synod__buf_add (out, prefix.data, prefix.size);
    synod__buf_add (out, batch.data, batch.size);
}

bool synod__wal_fits (const synod__wal_t *self)
{
    return !self->large && self->at + s_padded (self->pending.size) <= self->most;
}

/* The pending record, whole. */
static void s_seal (synod__wal_t *self)
{
    static const char zeros[SYNOD__WAL_UNIT];
    synod_buf_t *out = &self->pending;
    uint32_t size = (uint32_t) (out->size - SYNOD__WAL_HEADER);
    s_header_t header = {.magic = {0},
                         .salt = htobe64 (self->era.salt),
                         .generation = htobe64 (self->era.generation),
                         .number = htobe64 (self->number),
                         .size = htobe32 (size),
                         .open = htobe32 (self->direct.under_way)};
    synod__buf_add (out, zeros, s_padded (out->size) - out->size); /* there is room for them */
    memcpy (header.magic, S_MAGIC, sizeof header.magic);
    memcpy (header.id, self->era.id, sizeof header.id);
    header.checksum = htobe64 (s_checksum (&header, self->at, out->data + SYNOD__WAL_HEADER, size));
    memcpy (out->data, &header, sizeof header);
}

static void s_advance (synod__wal_t *self)
{
    self->at += self->pending.size;
    self->number++;
    s_empty (self);
}

/* What is from AT on was not acknowledged, and had better not be there. It is not synced: that would mean nothing. */
static int s_take_out (synod__wal_t *self, uint64_t at, int rc)
{
    static const char zeros[SYNOD__WAL_UNIT];
    int error = errno;
    synod__direct_drain (&self->direct);
    for (; at <= self->at && at < self->size; at += sizeof zeros)
        s_pwrite (self->fd, zeros, sizeof zeros, at);
    errno = error;
    return rc;
}

/* Durable when it returns 0. To be written straight to the disk the blocks must be there: GREW, and they are not yet. A
 * disk whose sectors are larger than our unit says EINVAL, and has done nothing. */
static int s_write (synod__wal_t *self, bool grew)
{
    const synod_buf_t *out = &self->pending;
    int rc = grew ? EINVAL : synod__direct_write (&self->direct, out->data, out->size, self->at);
    if (rc != EINVAL)
        return rc;
    rc = s_pwrite (self->fd, out->data, out->size, self->at);
    return !rc && fdatasync (self->fd) ? errno : rc;
}

int synod__wal_commit (synod__wal_t *self)
{
    uint32_t done;
    int rc = synod__wal_settle (self, true, &done);
    if (rc)
        return rc;
    s_seal (self);
    bool grows = self->size < self->at + self->pending.size;
    rc = s_grow (self, self->at + self->pending.size);
    if (rc)
        return rc;
    rc = s_write (self, grows);
    if (rc)
        return s_take_out (self, self->at, rc);
    s_advance (self);
    return 0;
}

int synod__wal_begin_commit (synod__wal_t *self)
{
    uint64_t end = self->at + s_padded (self->pending.size);
    if (self->size < end || s_padded (self->pending.size) > SYNOD__DIRECT_SIZE)
        return EAGAIN;
    size_t size = self->pending.size;
    s_seal (self);
    int rc = synod__direct_begin (&self->direct, self->pending.data, self->pending.size, self->at);
    if (rc) {
        self->pending.size = size;
        return rc;
    }
    s_advance (self);
    return 0;
}

int synod__wal_settle (synod__wal_t *self, bool wait, uint32_t *done)
{
    synod__direct_t *direct = &self->direct;
    int rc = synod__direct_settle (direct, wait, done);
    if (!rc)
        return 0;
    uint64_t at = (uint64_t) direct->writes[direct->first].iocb.u.c.offset;
    return s_take_out (self, at, rc);
}

/* ---- reading ---- */

/* SIZE bytes, with zeros for what is behind the end. */
static int s_pread (int fd, void *data, size_t size, uint64_t at)
{
    char *to = (char *) data;
    while (size) {
        ssize_t done = pread (fd, to, size, (off_t) at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        if (done == 0) {
            memset (to, 0, size);
            return 0;
        }
        to += done;
        size -= (size_t) done;
        at += (uint64_t) done;
    }
    return 0;
}

/* Reads the record at AT, of whatever store and generation; its bytes into BYTES. WHOLE says whether it is one. */
static int s_read (const synod__wal_t *self, uint64_t at, s_header_t *header, synod_buf_t *bytes, bool *whole)
{
    *whole = false;
    int rc = s_pread (self->fd, header, sizeof *header, at);
    uint32_t size = be32toh (header->size);
    if (rc || memcmp (header->magic, S_MAGIC, sizeof header->magic) != 0 ||
        at + sizeof *header + size > self->size) /* also what is no header */
        return rc;
    bytes->size = 0;
    if (synod__buf_reserve (bytes, size + 1) != SYNOD_OK)
        return ENOMEM;
    bytes->size = size;
    rc = s_pread (self->fd, bytes->data, size, at + sizeof *header);
    *whole = !rc && be64toh (header->checksum) == s_checksum (header, at, bytes->data, size);
    return rc;
}

static bool s_of (const s_header_t *header, const synod__wal_era_t *era)
{
    return memcmp (header->id, era->id, sizeof era->id) == 0 && be64toh (header->salt) == era->salt &&
           be64toh (header->generation) == era->generation;
}

/* A whole record of ERA behind AT: its position, or 0. */
static int s_search (const synod__wal_t *self, const synod__wal_era_t *era, uint64_t at, uint64_t number,
                     synod_buf_t *bytes, uint64_t *found)
{
    static const size_t step = SYNOD__WAL_UNIT;
    int rc = 0;
    *found = 0;
    char *block = (char *) malloc (S_BLOCK);
    if (!block)
        return ENOMEM;
    for (at += step; !rc && !*found && at < self->size; at += S_BLOCK) {
        rc = s_pread (self->fd, block, S_BLOCK, at);
        for (size_t i = 0; !rc && !*found && i < S_BLOCK; i += step) {
            s_header_t header;
            bool whole;
            memcpy (&header, block + i, sizeof header);
            if (memcmp (header.magic, S_MAGIC, sizeof header.magic) != 0 || !s_of (&header, era))
                continue;
            rc = s_read (self, at + i, &header, bytes, &whole);
            if (!rc && whole && be64toh (header.number) > number + be32toh (header.open))
                *found = at + i;
        }
    }
    free (block);
    return rc;
}

/* What stands at the beginning of the file may be old, or ERA's. Anything else is the log of another file: its commits
 * would be lost, or, worse, some day be taken for ours. */
static int s_check_first (const s_header_t *header, const synod__wal_era_t *era, const char *dir, synod_fault_t *fault)
{
    if (memcmp (header->id, era->id, sizeof era->id) != 0)
        return synod_fault (fault, SYNOD_INVALID, "%s/" SYNOD__WAL_FILE " is the log of another store", dir);
    uint64_t generation = be64toh (header->generation);
    if (generation > era->generation || (generation == era->generation && be64toh (header->salt) != era->salt))
        return synod_fault (fault, SYNOD_INVALID,
                            "%s/" SYNOD__WAL_FILE " does not go with data.mdb: its checkpoint is %" PRIu64
                            ", that of data.mdb %" PRIu64,
                            dir, generation, era->generation);
    return SYNOD_OK;
}

static int s_damaged (const char *dir, uint64_t at, uint64_t number, synod_fault_t *fault)
{
    return synod_fault (fault, SYNOD_INVALID,
                        "%s/" SYNOD__WAL_FILE " is damaged at byte %" PRIu64 ": commit %" PRIu64
                        " of it cannot be read, and later ones would be lost with it",
                        dir, at, number);
}

/* The writes of one record. SYNOD_NOT_FOUND: these are none. */
static int s_hand_over (const synod_buf_t *bytes, synod__wal_on_write_t *on_write, void *arg)
{
    const char *at = bytes->data;
    size_t left = bytes->size;
    int rc = SYNOD_OK;
    while (rc == SYNOD_OK && left) {
        uint32_t sizes[2];
        if (left < sizeof sizes)
            return SYNOD_NOT_FOUND;
        memcpy (sizes, at, sizeof sizes);
        uint32_t prefix = be32toh (sizes[0]), batch = be32toh (sizes[1]);
        at += sizeof sizes;
        left -= sizeof sizes;
        if (prefix > left || batch > left - prefix)
            return SYNOD_NOT_FOUND;
        rc = on_write (arg, synod_str_n (at, prefix), synod_str_n (at + prefix, batch));
        at += prefix + batch;
        left -= prefix + batch;
    }
    return rc;
}

static int s_unread (const char *dir, int rc, synod_fault_t *fault)
{
    return synod_fault (fault, synod__errno_code (rc), "%s/" SYNOD__WAL_FILE " cannot be read: %s", dir, strerror (rc));
}

int synod__wal_replay (const synod__wal_t *self, const synod__wal_era_t *era, const char *dir,
                       synod__wal_on_write_t *on_write, void *arg, synod_fault_t *fault)
{
    synod_buf_t bytes = {0};
    uint64_t at = 0, number = 0, found = 0;
    s_header_t header;
    bool whole;
    int rc = SYNOD_OK, error;
    dir = synod__path_shown (dir);
    while (!(error = s_read (self, at, &header, &bytes, &whole)) && whole) {
        if (at == 0)
            rc = s_check_first (&header, era, dir, fault);
        if (rc != SYNOD_OK || !s_of (&header, era) || be64toh (header.number) != number)
            break;
        rc = s_hand_over (&bytes, on_write, arg);
        if (rc == SYNOD_NOT_FOUND)
            rc = s_damaged (dir, at, number, fault);
        if (rc != SYNOD_OK)
            break;
        at += s_padded (sizeof header + bytes.size);
        number++;
    }
    if (!error && rc == SYNOD_OK)
        error = s_search (self, era, at, number, &bytes, &found);
    if (error)
        rc = s_unread (dir, error, fault);
    else if (found)
        rc = s_damaged (dir, at, number, fault);
    synod_buf_free (&bytes);
    return rc;
}
