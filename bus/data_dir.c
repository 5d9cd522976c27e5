/* SPDX-License-Identifier: MPL-2.0
 *
 * Data directories: made durably, held by one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data_dir.h"

#define S_LOCK  "synod.lock"
#define S_SHOWN 120 /* bytes of a path */

const char *synod__path_shown (const char *path)
{
    size_t size = strlen (path);
    return size > S_SHOWN ? path + size - S_SHOWN : path;
}

int synod__errno_code (int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SYNOD_FULL;
    case ENOMEM:
        return SYNOD_NO_MEMORY;
    default:
        return SYNOD_IO;
    }
}

static int s_fault (const char *path, const char *what, synod_fault_t *fault)
{
    int number = errno;
    return synod_fault (fault, synod__errno_code (number), "the data directory %s %s: %s", synod__path_shown (path),
                        what, strerror (number));
}

/* The entry of a new directory is durable when the directory above it has been synced. */
static int s_sync_above (const char *path)
{
    char above[PATH_MAX];
    snprintf (above, sizeof above, "%s", path);
    char *slash = strrchr (above, '/');
    if (slash)
        slash[slash == above ? 1 : 0] = 0;
    int fd = open (slash ? above : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync (fd), number = errno;
    close (fd);
    errno = number;
    return rc;
}

/* PATH without a slash at its end. What is missing above it is open to all that the umask lets; itself to its owner. */
static int s_make (char *path)
{
    for (char *at = path + 1; *at; at++) {
        if (*at != '/' || at[-1] == '/')
            continue;
        *at = 0;
        int rc = mkdir (path, 0777) == 0 ? s_sync_above (path) : errno == EEXIST ? 0 : -1;
        *at = '/';
        if (rc)
            return rc;
    }
    return mkdir (path, 0700) == 0 ? s_sync_above (path) : errno == EEXIST ? 0 : -1;
}

/* Somebody else has the lock: the pid in the file is theirs, unless they have not written it yet. */
static int s_held (const synod__data_dir_t *self, synod_fault_t *fault)
{
    char text[32] = "";
    ssize_t size = pread (self->lock, text, sizeof text - 1, 0);
    long pid = size > 0 ? strtol (text, NULL, 10) : 0;
    const char *path = synod__path_shown (self->path);
    if (pid == (long) getpid ())
        return synod_fault (fault, SYNOD_REFUSED, "the data directory %s is in use by another node of this process",
                            path);
    if (pid > 0)
        return synod_fault (fault, SYNOD_REFUSED, "the data directory %s is in use by process %ld", path, pid);
    return synod_fault (fault, SYNOD_REFUSED, "the data directory %s is in use by another process", path);
}

static int s_lock (synod__data_dir_t *self, synod_fault_t *fault)
{
    char text[32];
    self->lock = openat (self->fd, S_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->lock < 0)
        return s_fault (self->path, "lets nobody make its file " S_LOCK, fault);
    int rc;
    do
        rc = flock (self->lock, LOCK_EX | LOCK_NB);
    while (rc && errno == EINTR);
    if (rc)
        return errno == EWOULDBLOCK ? s_held (self, fault) : s_fault (self->path, "cannot be locked", fault);
    /* ours from here on; a pid that cannot be written is missed by a sentence only */
    int size = snprintf (text, sizeof text, "%ld\n", (long) getpid ());
    if (ftruncate (self->lock, 0) || pwrite (self->lock, text, (size_t) size, 0) != size)
        return s_fault (self->path, "cannot be written to", fault);
    return SYNOD_OK;
}

int synod__data_dir_open (synod__data_dir_t *self, const char *path, synod_fault_t *fault)
{
    self->fd = self->lock = -1;
    size_t size = path ? strlen (path) : 0;
    if (size == 0 || size >= sizeof self->path - 32) /* room for the names of files in it */
        return synod_fault (fault, SYNOD_INVALID, "a data directory is a path of 1 to %zu bytes, got %zu",
                            sizeof self->path - 33, size);
    memcpy (self->path, path, size + 1);
    while (size > 1 && self->path[size - 1] == '/')
        self->path[--size] = 0;
    int rc = SYNOD_OK;
    if (s_make (self->path))
        rc = s_fault (self->path, "cannot be made", fault);
    else if ((self->fd = open (self->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        rc = s_fault (self->path, "cannot be opened", fault);
    else
        rc = s_lock (self, fault);
    if (rc != SYNOD_OK)
        synod__data_dir_close (self);
    return rc;
}

void synod__data_dir_close (synod__data_dir_t *self)
{
    if (self->lock >= 0)
        close (self->lock);
    if (self->fd >= 0)
        close (self->fd);
    self->fd = self->lock = -1;
}
