/* SPDX-License-Identifier: MPL-2.0
 *
 * What is read lies in one buffer, and messages are handed out where they lie. What a socket did not take of a frame waits in
 * another; until that has left, no further frame is taken.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/frame.h"
#include "wire.h"

#define S_BACKLOG 511
#define S_ROOM    (16 * 1024)  /* for a read, at first */
#define S_KEEP    (64 * 1024)  /* what a connection keeps: it is read into again, not made anew for each large frame */
#define S_MOST    (512 * 1024) /* for a read */
#define S_SIZE    (SYNOD_FRAME_MAX + SYNOD_FRAME_SLACK)

struct synod__wire_t {
    int fd;
    bool dealer;
    bool ended;      /* nothing more is read */
    bool told;       /* and next has said so */
    size_t used;     /* of IN, by next */
    size_t written;  /* of OUT */
    synod_buf_t in;  /* read */
    synod_buf_t out; /* to be written */
    synod__zmtp_t zmtp;
    synod_fault_t fault; /* of SYNOD__WIRE_ENDED */
    uint8_t identity_size;
    char identity[255]; /* a DEALER's own */
};

/* ---- life ---- */

static bool s_address (const char *path, struct sockaddr_un *out, synod_fault_t *fault)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen (path) < sizeof out->sun_path) {
        memcpy (out->sun_path, path, strlen (path) + 1);
        return true;
    }
    synod_fault (fault, SYNOD_INVALID, "a socket's path has at most %zu bytes, got %s", sizeof out->sun_path - 1, path);
    return false;
}

static int s_socket (synod_fault_t *fault)
{
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        synod_fault (fault, SYNOD_IO, "no socket: %s", strerror (errno));
    return fd;
}

int synod__wire_listen (const char *path, synod_fault_t *fault)
{
    struct sockaddr_un address;
    int fd = s_address (path, &address, fault) ? s_socket (fault) : -1;
    if (fd < 0)
        return -1;
    if (bind (fd, (struct sockaddr *) &address, sizeof address) == 0 && listen (fd, S_BACKLOG) == 0)
        return fd;
    synod_fault (fault, SYNOD_IO, "cannot listen at %s: %s", path, strerror (errno));
    close (fd);
    return -1;
}

/* Greets at once. A new socket takes so few bytes. */
static synod__wire_t *s_new (int fd, bool dealer)
{
    synod__wire_t *self = (synod__wire_t *) calloc (1, sizeof *self);
    char greeting[SYNOD__ZMTP_GREETING];
    if (!self)
        abort ();
    self->fd = fd;
    self->dealer = dealer;
    synod__zmtp_init (&self->zmtp, dealer, S_SIZE);
    size_t size = synod__zmtp_greeting (greeting);
    self->ended = send (fd, greeting, size, MSG_NOSIGNAL) != (ssize_t) size;
    return self;
}

synod__wire_t *synod__wire_accept (int listener)
{
    int fd;
    do
        fd = accept4 (listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    return fd < 0 ? NULL : s_new (fd, false);
}

synod__wire_t *synod__wire_connect (const char *path, synod_str_t identity, synod_fault_t *fault)
{
    struct sockaddr_un address;
    int fd = s_address (path, &address, fault) ? s_socket (fault) : -1;
    if (fd < 0)
        return NULL;
    if (connect (fd, (struct sockaddr *) &address, sizeof address)) { /* never in progress with these sockets */
        synod_fault (fault, SYNOD_IO, "cannot connect to %s: %s", path, strerror (errno));
        close (fd);
        return NULL;
    }
    synod__wire_t *self = s_new (fd, true);
    self->identity_size = (uint8_t) (identity.size < sizeof self->identity ? identity.size : sizeof self->identity);
    memcpy (self->identity, identity.data, self->identity_size);
    return self;
}

void synod__wire_destroy (synod__wire_t **self_p, uint32_t linger_ms)
{
    synod__wire_t *self = *self_p;
    if (!self)
        return;
    struct pollfd writable = {.fd = self->fd, .events = POLLOUT};
    while (!synod__wire_flush (self) && poll (&writable, 1, (int) linger_ms) > 0)
        continue;
    close (self->fd);
    synod_buf_free (&self->in);
    synod_buf_free (&self->out);
    free (self);
    *self_p = NULL;
}

int synod__wire_fd (const synod__wire_t *self)
{
    return self->fd;
}

synod_str_t synod__wire_identity (const synod__wire_t *self)
{
    return synod_str_n (self->zmtp.identity, self->zmtp.identity_size);
}

/* ---- what comes ---- */

/* What next left goes to the front. A buffer that was filled is too small. */
static void s_room (synod__wire_t *self)
{
    synod_buf_t *in = &self->in;
    in->size -= self->used;
    if (in->size > 0 && self->used > 0)
        memmove (in->data, in->data + self->used, in->size);
    self->used = 0;
    size_t room = in->capacity < S_ROOM ? S_ROOM : in->capacity;
    if (in->size == 0 && in->capacity > S_KEEP) {
        synod_buf_free (in);
        room = S_ROOM;
    }
    if (in->capacity - in->size < S_ROOM && synod__buf_reserve (in, room) != SYNOD_OK)
        abort ();
}

bool synod__wire_read (synod__wire_t *self)
{
    s_room (self);
    while (!self->ended) {
        size_t room = self->in.capacity - self->in.size;
        ssize_t got = recv (self->fd, self->in.data + self->in.size, room, 0);
        if (got < 0 && errno == EINTR)
            continue;
        self->ended = got == 0 || (got < 0 && errno != EAGAIN);
        if (got > 0)
            self->in.size += (size_t) got;
        if (got != (ssize_t) room || self->in.capacity >= S_MOST)
            break;
        if (synod__buf_reserve (&self->in, self->in.capacity) != SYNOD_OK)
            abort ();
    }
    return self->in.size > 0 || (self->ended && !self->told);
}

bool synod__wire_ended (const synod__wire_t *self)
{
    return self->ended;
}

static void s_say_ready (synod__wire_t *self)
{
    char ready[SYNOD__ZMTP_READY_MAX];
    size_t size = synod__zmtp_ready (self->dealer, synod_str_n (self->identity, self->identity_size), ready);
    self->ended |= send (self->fd, ready, size, MSG_NOSIGNAL) != (ssize_t) size;
}

synod__wire_news_t synod__wire_next (synod__wire_t *self, synod_str_t *message, synod_fault_t *fault)
{
    for (;;) {
        synod_str_t bytes = synod_str_n (self->in.data + self->used, self->in.size - self->used);
        synod__zmtp_unit_t unit =
            bytes.size ? synod__zmtp_next (&self->zmtp, &bytes, message, &self->fault) : SYNOD__ZMTP_MORE;
        self->used = self->in.size - bytes.size;
        switch (unit) {
        case SYNOD__ZMTP_GREETED:
            s_say_ready (self);
            continue;
        case SYNOD__ZMTP_OPENED:
            return SYNOD__WIRE_OPENED;
        case SYNOD__ZMTP_MESSAGE:
            return SYNOD__WIRE_MESSAGE;
        case SYNOD__ZMTP_PARTS:
            return SYNOD__WIRE_GARBAGE;
        case SYNOD__ZMTP_VIOLATED:
            self->used = self->in.size;
            self->ended = true;
            break;
        case SYNOD__ZMTP_MORE:
            break;
        }
        break;
    }
    if (!self->ended || self->told)
        return SYNOD__WIRE_NOTHING;
    self->told = true;
    if (fault)
        *fault = self->fault;
    return SYNOD__WIRE_ENDED;
}

/* ---- what goes ---- */

bool synod__wire_flushed (const synod__wire_t *self)
{
    return self->written == self->out.size;
}

bool synod__wire_flush (synod__wire_t *self)
{
    while (self->written < self->out.size) {
        ssize_t put = send (self->fd, self->out.data + self->written, self->out.size - self->written, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            return false;
        if (put < 0) /* its end will be read; nobody takes this any more */
            break;
        self->written += (size_t) put;
    }
    self->out.size = self->written = 0;
    return true;
}

/* Keeps what of HEADER and FRAME lies behind the first PUT bytes. */
static void s_keep (synod__wire_t *self, synod_str_t header, const synod_buf_t *frame, size_t put)
{
    size_t skip = put < header.size ? 0 : put - header.size;
    if (synod__buf_reserve (&self->out, header.size + frame->size) != SYNOD_OK)
        abort ();
    if (put < header.size) {
        self->out.size = header.size - put;
        memcpy (self->out.data, header.data + put, self->out.size);
    }
    memcpy (self->out.data + self->out.size, frame->data + skip, frame->size - skip);
    self->out.size += frame->size - skip;
}

int synod__wire_send (synod__wire_t *self, synod_buf_t *frame)
{
    char header[SYNOD__ZMTP_HEADER];
    size_t size = synod__zmtp_header (frame->size, header);
    struct iovec parts[] = {{.iov_base = header, .iov_len = size}, {.iov_base = frame->data, .iov_len = frame->size}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t put;
    if (!self->zmtp.open || self->ended || !synod__wire_flushed (self))
        return SYNOD_BUSY;
    do
        put = sendmsg (self->fd, &message, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    if (put <= 0)
        return SYNOD_BUSY;
    if ((size_t) put < size + frame->size)
        s_keep (self, synod_str_n (header, size), frame, (size_t) put);
    frame->size = 0;
    return SYNOD_OK;
}
