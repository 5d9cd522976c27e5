/* SPDX-License-Identifier: MPL-2.0
 *
 * The disk of a node with a data directory: one LMDB environment in it, one table, and beside it a log of what was
 * committed since LMDB's last commit (wal.h, lmdb_internal.h). It keeps disk.h's promise because LMDB never writes over
 * a page that its last commit uses, and commits with full synchronisation; because the log is written over only then;
 * and because nothing is tried again: whatever goes wrong in a write, a read or a commit breaks the disk for good. (A sync
 * that failed once may succeed when repeated though the pages never reached the disk: Rebello et al., "Can
 * Applications Recover from fsync Failures?", USENIX ATC 2020.)
 *
 * The files: data.mdb and lock.mdb are LMDB's, so that its tools (mdb_stat, mdb_copy) work on a directory in use;
 * synod.wal is the log; synod.lock says who holds it (data_dir.h). A store comes into being whole: it is made as birth.mdb and renamed.
 * The key of one NUL holds what the store is: format, id, and which log is its own; gets and scans do not show it.
 *
 * One thread uses a disk, from its first write on to the close; before another may, the first has to settle it. It is
 * of no use in a child made by fork ().
 */
#ifndef SYNOD_BUS_LMDB_DISK_H_INCLUDED
#define SYNOD_BUS_LMDB_DISK_H_INCLUDED

#include "actors/runtime/disk.h"

#define SYNOD__LMDB_FORMAT 2 /* 1 had no log; it is read, and becomes 2 */
#define SYNOD__LMDB_LOG    ((size_t) 16 << 20)

/* Zero means the default. */
typedef struct {
    size_t map_bytes; /* what the file may grow to, free pages in it included; address space until then. A file that is
                       * larger already keeps its size. Default SYNOD_DATA_MAX */
    size_t
        log_bytes; /* what is used of the log's file before its next checkpoint, rounded down to 512; less: each commit
                       * is one. Default SYNOD__LMDB_LOG */
} synod__lmdb_limits_t;

/* Opens the store in DIR, or makes both. LIMITS may be NULL. NULL with a sentence in FAULT: SYNOD_REFUSED when
 * another holds the directory; SYNOD_BAD_VERSION for a newer format; SYNOD_INVALID for a file that is no store;
 * SYNOD_IO, SYNOD_FULL or SYNOD_NO_MEMORY. The caller owns the disk and ends it by ops->close. */
synod__disk_t *synod__lmdb_disk_open (const char *dir, const synod__lmdb_limits_t *limits, synod_fault_t *fault);

/* Commits all that was written, and leaves nothing in the log and no transaction open. As ops->commit otherwise. */
int synod__lmdb_disk_settle (synod__disk_t *self);

#endif
