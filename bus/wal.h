/* SPDX-License-Identifier: MPL-2.0
 *
 * The log of a data directory: what was committed since the last checkpoint (lmdb_internal.h), one record a commit, in
 * the file synod.wal. It grows in steps, filled with zeros, and is written over from its beginning after each
 * checkpoint: so a commit overwrites blocks that are there already, and its sync changes no metadata. Where the file
 * system lets us, such a write goes straight to the disk (direct.h), and several are under way at a time.
 *
 * A record begins at a multiple of SYNOD__WAL_UNIT bytes, so that no write touches a sector of a record before it:
 *
 *     "synodlog", id 16, salt 8, generation 8, number 8, size 4, open 4, checksum 8; then SIZE bytes; then zeros
 *
 * ID is the store's, SALT random for each opening of it, GENERATION counts checkpoints, NUMBER the records of a
 * generation from 0, OPEN those just before this one that were not known to be durable when it was written. Numbers have their
 * most significant byte first. The checksum is XXH3 over the bytes, seeded by XXH3
 * over what is before it, seeded by the record's position. The bytes are writes, one after another: the size of the
 * prefix (4), of the batch (4), both.
 *
 * So what a crash leaves is a row of whole records, and behind it perhaps whole ones and others of which none was
 * acknowledged, as the first of them is not there: they are as if never written. When a whole one of the same generation says
 * that one is durable which is not whole, that has been damaged since.
 */
#ifndef SYNOD_BUS_WAL_H_INCLUDED
#define SYNOD_BUS_WAL_H_INCLUDED

#include "actors/runtime/disk.h"
#include "direct.h"

#define SYNOD__WAL_FILE   "synod.wal"
#define SYNOD__WAL_UNIT   512 /* the least that a disk writes whole */
#define SYNOD__WAL_HEADER 64

/* Whose records are meant. */
typedef struct {
    uint8_t id[SYNOD__DISK_ID];
    uint64_t salt, generation;
} synod__wal_era_t;

typedef struct {
    int fd;                 /* -1: closed */
    synod__direct_t direct; /* the same file */
    synod__wal_era_t era;
    uint64_t number;     /* of the next record */
    uint64_t at;         /* where it goes */
    uint64_t size;       /* of the file */
    uint64_t most;       /* what may be used of it */
    synod_buf_t pending; /* the next record: room for its header, then its bytes */
    bool large;          /* it is more than a log takes, or than there is memory for */
} synod__wal_t;

/* All but the last return 0 or an errno; a write that was cut short is EIO with errno 0. */

/* Opens the log of the directory DIR_FD, or makes it, durably, when it is not there and MAKE is set (else ENOENT). */
int synod__wal_open (synod__wal_t *self, int dir_fd, uint64_t most, bool make);
void synod__wal_close (synod__wal_t *self);

/* The next record is the first of ERA. To be called when all that the log has is durable elsewhere. */
void synod__wal_begin (synod__wal_t *self, const synod__wal_era_t *era);

/* Adds a write to the pending record. */
void synod__wal_add (synod__wal_t *self, synod_str_t prefix, synod_str_t batch);

/* Whether the pending record can be committed; otherwise the caller has to do without the log. */
bool synod__wal_fits (const synod__wal_t *self);

/* Makes the pending record durable, and those before it. After an error the log is not to be used again; what was not
 * acknowledged is taken out of it as far as the system lets us. */
int synod__wal_commit (synod__wal_t *self);

/* Begins to, and does not wait. EAGAIN: not this one, and nothing is done. There may be SYNOD__DIRECT_MOST under way. */
int synod__wal_begin_commit (synod__wal_t *self);
/* How many of those begun have become durable since; WAIT: all of them. An error is as one of synod__wal_commit. */
int synod__wal_settle (synod__wal_t *self, bool wait, uint32_t *done);

/* SYNOD_OK to go on. */
typedef int synod__wal_on_write_t (void *arg, synod_str_t prefix, synod_str_t batch);

/* Hands over the writes of all records of ERA in their order. SYNOD_OK; what ON_WRITE returned; SYNOD_INVALID with a
 * sentence for a log that is damaged or not ERA's; SYNOD_IO, SYNOD_NO_MEMORY. DIR is for the sentence. */
int synod__wal_replay (const synod__wal_t *self, const synod__wal_era_t *era, const char *dir,
                       synod__wal_on_write_t *on_write, void *arg, synod_fault_t *fault);

#endif
