/* SPDX-License-Identifier: MPL-2.0
 *
 * The log of a data directory: what was committed since the last checkpoint (lmdb_internal.h), one record a commit, in
 * the file synod.wal. It grows in steps, filled with zeros, and is written over from its beginning after each
 * checkpoint: so a commit overwrites blocks that are there already, and its sync changes no metadata. Where the file
 * system lets us, such a write goes straight to the disk and returns when it is durable (O_DIRECT and O_DSYNC): one call
 * that knows all there is to do, where a sync has to look for it.
 *
 * A record begins at a multiple of SYNOD__WAL_UNIT bytes, so that no write touches a sector of a record before it:
 *
 *     "synodlog", id 16, salt 8, generation 8, number 8, size 4, zero 4, checksum 8; then SIZE bytes; then zeros
 *
 * ID is the store's, SALT random for each opening of it, GENERATION counts checkpoints, NUMBER the records of a
 * generation from 0. Numbers have their most significant byte first. The checksum is XXH3 over the bytes, seeded by XXH3
 * over what is before it, seeded by the record's position. The bytes are writes, one after another: the size of the
 * prefix (4), of the batch (4), both.
 *
 * One record is under way at a time, so what a crash leaves is a row of whole records and at most one that is not. When
 * a whole one of the same generation stands behind one that is not, a record has been damaged since.
 */
#ifndef SYNOD_BUS_WAL_H_INCLUDED
#define SYNOD_BUS_WAL_H_INCLUDED

#include "actors/runtime/disk.h"

#define SYNOD__WAL_FILE   "synod.wal"
#define SYNOD__WAL_UNIT   512 /* the least that a disk writes whole */
#define SYNOD__WAL_HEADER 64

/* Whose records are meant. */
typedef struct {
    uint8_t id[SYNOD__DISK_ID];
    uint64_t salt, generation;
} synod__wal_era_t;

typedef struct {
    int fd;        /* -1: closed */
    int direct_fd; /* the same file, written without a cache; -1: not to be had */
    char *direct;  /* owned; what is written there, as it has to be aligned */
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

/* Makes the pending record durable. After an error the log is not to be used again; the record is taken out of it as
 * far as the system lets us, as what was not acknowledged had better not be there. */
int synod__wal_commit (synod__wal_t *self);

/* SYNOD_OK to go on. */
typedef int synod__wal_on_write_t (void *arg, synod_str_t prefix, synod_str_t batch);

/* Hands over the writes of all records of ERA in their order. SYNOD_OK; what ON_WRITE returned; SYNOD_INVALID with a
 * sentence for a log that is damaged or not ERA's; SYNOD_IO, SYNOD_NO_MEMORY. DIR is for the sentence. */
int synod__wal_replay (const synod__wal_t *self, const synod__wal_era_t *era, const char *dir,
                       synod__wal_on_write_t *on_write, void *arg, synod_fault_t *fault);

#endif
