/* SPDX-License-Identifier: MPL-2.0
 *
 * The system calls by which LMDB and the log write, in front of the C library's and libaio's.
 */
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "failing_io.h"

#define S_SEEN __attribute__ ((visibility ("default")))

static struct {
    char call[16], file[64];
    int left, error, hits;
    failing_io_mode_t mode;
} s_plan;

void failing_io (const char *call, int nth, int error, failing_io_mode_t mode, const char *file)
{
    snprintf (s_plan.call, sizeof s_plan.call, "%s", call ? call : "");
    snprintf (s_plan.file, sizeof s_plan.file, "/%s", file ? file : "");
    s_plan.left = nth;
    s_plan.error = error;
    s_plan.mode = mode;
    s_plan.hits = 0;
}

static int s_no_direct;

void failing_io_direct (int possible)
{
    s_no_direct = !possible;
}

int failing_io_hits (void)
{
    return s_plan.hits;
}

static void __attribute__ ((constructor)) s_from_environment (void)
{
    static const char *const modes[] = {"before", "after", "short"};
    const char *text = getenv ("SYNOD_FAIL_IO");
    char copy[128], *rest = copy, *words[5];
    snprintf (copy, sizeof copy, "%s", text ? text : "");
    for (int i = 0; i < 5; i++)
        if (!(words[i] = strsep (&rest, ":")))
            return;
    for (int i = 0; i < 3; i++)
        if (strcmp (words[3], modes[i]) == 0)
            failing_io (words[0], (int) strtol (words[1], NULL, 10), strcmp (words[2], "ENOSPC") == 0 ? ENOSPC : EIO,
                        (failing_io_mode_t) i, words[4]);
    failing_io_direct (strcmp (words[0], "fdatasync") != 0);
}

/* Whether this call on FD is the one. */
static int s_is_it (const char *call, int fd)
{
    char link[32], path[4096];
    if (strcmp (call, s_plan.call) != 0 || s_plan.left <= 0)
        return 0;
    snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink (link, path, sizeof path - 1);
    size_t tail = strlen (s_plan.file);
    if (size < (ssize_t) tail || memcmp (path + size - tail, s_plan.file, tail) != 0 || --s_plan.left > 0)
        return 0;
    s_plan.hits++;
    return 1;
}

S_SEEN int openat (int dir_fd, const char *path, int flags, ...)
{
    va_list args;
    va_start (args, flags);
    mode_t mode = flags & O_CREAT ? va_arg (args, mode_t) : 0;
    va_end (args);
    if (!(flags & O_DIRECT) || !s_no_direct)
        return (int) syscall (SYS_openat, dir_fd, path, flags, mode);
    errno = EINVAL;
    return -1;
}

static int s_sync (const char *call, long number, int fd)
{
    int it = s_is_it (call, fd);
    int rc = it && s_plan.mode == FAILING_IO_BEFORE ? 0 : (int) syscall (number, fd);
    if (it)
        errno = s_plan.error;
    return it ? -1 : rc;
}

S_SEEN int fdatasync (int fd)
{
    return s_sync ("fdatasync", SYS_fdatasync, fd);
}

S_SEEN int fsync (int fd)
{
    return s_sync ("fsync", SYS_fsync, fd);
}

S_SEEN ssize_t pwrite (int fd, const void *data, size_t size, off_t at)
{
    int it = s_is_it ("pwrite", fd);
    if (it && s_plan.mode == FAILING_IO_SHORT)
        return syscall (SYS_pwrite64, fd, data, size / 2, at);
    ssize_t rc = it && s_plan.mode == FAILING_IO_BEFORE ? 0 : syscall (SYS_pwrite64, fd, data, size, at);
    if (it)
        errno = s_plan.error;
    return it ? -1 : rc;
}

S_SEEN ssize_t writev (int fd, const struct iovec *parts, int count)
{
    int it = s_is_it ("writev", fd);
    if (it && s_plan.mode == FAILING_IO_SHORT)
        return syscall (SYS_writev, fd, parts, count / 2);
    ssize_t rc = it && s_plan.mode == FAILING_IO_BEFORE ? 0 : syscall (SYS_writev, fd, parts, count);
    if (it)
        errno = s_plan.error;
    return it ? -1 : rc;
}

/* The one that fails, and how much it would have been; NULL: none is under way. */
static struct {
    struct iocb *iocb;
    unsigned long size;
} s_begun;

S_SEEN int io_submit (io_context_t context, long count, struct iocb **iocbs)
{
    for (long i = 0; i < count; i++) {
        struct iocb *iocb = iocbs[i];
        if (iocb->aio_lio_opcode != IO_CMD_PWRITE || !s_is_it ("pwrite", iocb->aio_fildes))
            continue;
        s_begun.iocb = iocb;
        s_begun.size = iocb->u.c.nbytes;
        iocb->u.c.nbytes = s_plan.mode == FAILING_IO_BEFORE ? 0 : s_plan.mode == FAILING_IO_SHORT ? 512 : s_begun.size;
    }
    long rc = syscall (SYS_io_submit, context, count, iocbs);
    return rc < 0 ? -errno : (int) rc;
}

/* What the kernel has told of, and the program has not been told yet. */
static struct {
    failing_io_hold_t mode;
    struct io_event events[8];
    long count;
} s_held;

void failing_io_hold (failing_io_hold_t mode)
{
    s_held.mode = mode;
}

static long s_pass_on (struct io_event *events, long most)
{
    long given = 0, kept = 0;
    long long first = LLONG_MAX;
    for (long i = 0; i < s_held.count; i++)
        if (s_held.events[i].obj->u.c.offset < first)
            first = s_held.events[i].obj->u.c.offset;
    for (long i = 0; i < s_held.count; i++) {
        const struct io_event event = s_held.events[i];
        bool late = s_held.mode == FAILING_IO_HOLD_ALL ||
                    (s_held.mode == FAILING_IO_HOLD_FIRST && event.obj->u.c.offset == first);
        if (late || given == most)
            s_held.events[kept++] = event;
        else
            events[given++] = event;
    }
    s_held.count = kept;
    return given;
}

/* Who waits gets what was held too. */
S_SEEN int io_getevents (io_context_t context, long least, long most, struct io_event *events, struct timespec *timeout)
{
    long left = least > s_held.count ? least - s_held.count : 0;
    long count =
        syscall (SYS_io_getevents, context, left, (long) (sizeof s_held.events / sizeof *events) - s_held.count,
                 s_held.events + s_held.count, timeout);
    if (count < 0)
        return -errno;
    for (long i = s_held.count; i < s_held.count + count; i++) {
        struct io_event *event = &s_held.events[i];
        if (!s_begun.iocb || event->obj != s_begun.iocb)
            continue;
        s_begun.iocb->u.c.nbytes = s_begun.size;
        s_begun.iocb = NULL;
        if (s_plan.mode != FAILING_IO_SHORT)
            event->res = (unsigned long) -s_plan.error;
    }
    s_held.count += count;
    if (least)
        s_held.mode = FAILING_IO_HOLD_NONE;
    return (int) s_pass_on (events, most);
}
