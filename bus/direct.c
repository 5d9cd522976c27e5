/* SPDX-License-Identifier: MPL-2.0
 *
 * Writes by Linux's asynchronous I/O. Invariant: a room that the kernel reads from is not touched until it says that it
 * has.
 */
#include "direct.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define S_ALIGN 4096 /* of memory, enough for any disk */

int synod__direct_open (synod__direct_t *self, int dir_fd, const char *file)
{
    memset (self, 0, sizeof *self);
    self->eventfd = -1;
    self->fd = openat (dir_fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_DIRECT | O_DSYNC);
    if (self->fd < 0)
        return 0;
    for (int i = 0; i < SYNOD__DIRECT_MOST; i++)
        if (posix_memalign ((void **) &self->writes[i].room, S_ALIGN, SYNOD__DIRECT_SIZE))
            return ENOMEM;
    self->eventfd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    return 0;
}

void synod__direct_close (synod__direct_t *self)
{
    synod__direct_drain (self);
    if (self->aio)
        io_destroy (self->aio);
    self->aio = NULL;
    if (self->eventfd >= 0)
        close (self->eventfd);
    if (self->fd >= 0)
        close (self->fd);
    self->fd = self->eventfd = -1;
    for (int i = 0; i < SYNOD__DIRECT_MOST; i++) {
        free (self->writes[i].room);
        self->writes[i].room = NULL;
    }
}

static int s_result (long result, size_t size)
{
    errno = result < 0 ? (int) -result : 0;
    if (result == (long) size)
        return 0;
    return result < 0 ? errno : EIO;
}

int synod__direct_write (synod__direct_t *self, const void *data, size_t size, uint64_t at)
{
    char *room = self->writes[self->first].room;
    if (self->fd < 0 || self->under_way || size > SYNOD__DIRECT_SIZE)
        return EINVAL;
    memcpy (room, data, size);
    ssize_t done = pwrite (self->fd, room, size, (off_t) at);
    int rc = s_result (done < 0 ? -errno : done, size);
    self->works = !rc;
    if (rc == EINVAL) {
        close (self->fd);
        self->fd = -1;
    }
    return rc;
}

int synod__direct_begin (synod__direct_t *self, const void *data, size_t size, uint64_t at)
{
    synod__direct_write_t *write = &self->writes[(self->first + self->under_way) % SYNOD__DIRECT_MOST];
    struct iocb *iocb = &write->iocb;
    if (self->eventfd < 0 || !self->works || size > SYNOD__DIRECT_SIZE)
        return EAGAIN;
    if (!self->aio && io_setup (SYNOD__DIRECT_MOST, &self->aio)) {
        self->aio = NULL;
        self->works = false;
        return EAGAIN;
    }
    memcpy (write->room, data, size);
    io_prep_pwrite (iocb, self->fd, write->room, size, (long long) at);
    io_set_eventfd (iocb, self->eventfd);
    iocb->data = write;
    write->done = false;
    int rc = io_submit (self->aio, 1, &iocb);
    if (rc == 1) {
        self->under_way++;
        return 0;
    }
    self->works = rc == -EAGAIN; /* else this system has no such thing for such a file */
    return EAGAIN;
}

/* Events of at least LEAST writes. 0, or an errno. */
static int s_events (synod__direct_t *self, uint32_t least)
{
    struct io_event events[SYNOD__DIRECT_MOST];
    struct timespec now = {0};
    int count;
    do
        count = io_getevents (self->aio, least, SYNOD__DIRECT_MOST, events, least ? NULL : &now);
    while (count == -EINTR);
    for (int i = 0; i < count; i++) {
        synod__direct_write_t *write = (synod__direct_write_t *) events[i].data;
        write->done = true;
        write->result = (long) events[i].res;
    }
    return count < 0 ? -count : 0;
}

/* How many of those under way the kernel has not told of. */
static uint32_t s_left (const synod__direct_t *self)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < self->under_way; i++)
        left += !self->writes[(self->first + i) % SYNOD__DIRECT_MOST].done;
    return left;
}

void synod__direct_drain (synod__direct_t *self)
{
    if (self->under_way)
        s_events (self, s_left (self));
    self->under_way = 0;
}

int synod__direct_settle (synod__direct_t *self, bool wait, uint32_t *done)
{
    uint64_t ignored;
    *done = 0;
    if (!self->under_way)
        return 0;
    (void) !read (self->eventfd, &ignored,
                  sizeof ignored); /* before the look: what comes after makes it readable again */
    int error = s_events (self, wait ? s_left (self) : 0);
    if (error)
        return error;
    while (self->under_way && self->writes[self->first].done) {
        const synod__direct_write_t *write = &self->writes[self->first];
        int rc = s_result (write->result, write->iocb.u.c.nbytes);
        if (rc)
            return rc;
        self->first = (self->first + 1) % SYNOD__DIRECT_MOST;
        self->under_way--;
        ++*done;
    }
    return 0;
}
