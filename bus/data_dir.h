/* SPDX-License-Identifier: MPL-2.0
 *
 * A data directory, held by one node of one process. Who holds it has an exclusive flock on its file `synod.lock`, in
 * which its pid stands; the lock goes with the process, however that ends. The file stays: removing it would let two
 * hold it. flock belongs to what open () returned, so a second node of the same process is refused like any other.
 */
#ifndef SYNOD_BUS_DATA_DIR_H_INCLUDED
#define SYNOD_BUS_DATA_DIR_H_INCLUDED

#include <limits.h>
#include <synod/error.h>

typedef struct {
    char path[PATH_MAX]; /* as given */
    int fd;              /* of the directory; -1: closed */
    int lock;            /* of synod.lock; -1: not held */
} synod__data_dir_t;

/* Takes PATH, which is made (with what is missing above it, durably) when it is not there. SYNOD_OK, or with a sentence
 * in FAULT: SYNOD_REFUSED when somebody holds it, SYNOD_INVALID for a path that is none, SYNOD_IO, SYNOD_FULL. */
int synod__data_dir_open (synod__data_dir_t *self, const char *path, synod_fault_t *fault);
void synod__data_dir_close (synod__data_dir_t *self);

/* PATH as sentences show it: all of it, or the end of a long one, so that there is room for the cause. Borrows PATH. */
const char *synod__path_shown (const char *path);

/* The error that errno NUMBER stands for: SYNOD_FULL when no room is left, SYNOD_NO_MEMORY, else SYNOD_IO. */
int synod__errno_code (int number);

#endif
