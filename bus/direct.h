/* SPDX-License-Identifier: MPL-2.0
 *
 * Writes to a file that go straight to the disk, past the system's cache, and are durable when they are done (O_DIRECT and
 * O_DSYNC): one call that knows all there is to do, where a sync has to look for it. One may be waited for, or up to
 * SYNOD__DIRECT_MOST are under way together (io_submit(2)); they are told of in the order in which they were begun. The
 * blocks have to be there already. Where a file system or a system cannot do either, it says so, and the caller does
 * without.
 */
#ifndef SYNOD_BUS_DIRECT_H_INCLUDED
#define SYNOD_BUS_DIRECT_H_INCLUDED

#include <libaio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYNOD__DIRECT_MOST 4
#define SYNOD__DIRECT_SIZE (128 * 1024) /* of one write, at the most */

typedef struct {
    struct iocb iocb;
    char *room; /* aligned; owned */
    bool done;
    long result; /* bytes, or -errno */
} synod__direct_write_t;

typedef struct {
    int fd;           /* -1: it cannot be done */
    int eventfd;      /* is readable when some are done; -1: there is none */
    io_context_t aio; /* NULL: none was begun yet, as the system takes milliseconds to end one */
    bool works;       /* one was written, and so others may be begun */
    synod__direct_write_t writes[SYNOD__DIRECT_MOST]; /* a ring: */
    uint32_t first, under_way;
} synod__direct_t;

/* Opens FILE of the directory DIR_FD. 0, also when it cannot be done; ENOMEM. */
int synod__direct_open (synod__direct_t *self, int dir_fd, const char *file);
void synod__direct_close (synod__direct_t *self); /* waits for what is under way */

/* SIZE bytes, a multiple of the disk's sectors, at AT. 0; an errno, of which EINVAL says that nothing is done, and that it
 * cannot be; EIO with errno 0 for a write that was cut short. */
int synod__direct_write (synod__direct_t *self, const void *data, size_t size, uint64_t at);

/* The same, begun: 0; EAGAIN: not now, and nothing was begun. There must be less than SYNOD__DIRECT_MOST under way. */
int synod__direct_begin (synod__direct_t *self, const void *data, size_t size, uint64_t at);
void synod__direct_drain (synod__direct_t *self); /* waits for all, whatever becomes of them, and forgets them */
/* How many are done, from the first on, that were not told of before; WAIT: all of them. 0, or what became of the first of
 * the others, as synod__direct_write. */
int synod__direct_settle (synod__direct_t *self, bool wait, uint32_t *done);

#endif
