/* SPDX-License-Identifier: MPL-2.0
 *
 * gRPC as far as one call at a time of each client takes it: an HTTP/2 stream a call, five bytes before the message, the
 * status in the trailers. One thread on nghttp2 in place of gRPC's library, so that the clients take as little of the
 * machine from the servers as they can: what one read brings is answered by one write.
 */
#include "bench/grpc.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX (256 * 1024)

void grpc_fail (grpc_t *self, const char *what, const char *why)
{
    if (!self->failed)
        fprintf (stderr, "%s: %s: %s\n", self->who, what, why);
    self->failed = true;
}

static ssize_t on_request (nghttp2_session *session, int32_t stream, uint8_t *out, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *user)
{
    grpc_call_t *call = source->ptr;
    (void) session;
    (void) stream;
    (void) user;
    size_t n = call->size - call->written;
    if (n > room)
        n = room;
    memcpy (out, call->request + call->written, n);
    call->written += n;
    if (call->written == call->size)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t) n;
}

static nghttp2_nv header (const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *) name, (uint8_t *) value, strlen (name), strlen (value), NGHTTP2_NV_FLAG_NONE};
}

void grpc_call (grpc_call_t *call, const char *path, const uint8_t *end)
{
    grpc_t *self = call->grpc;
    call->size = (size_t) (end - call->request);
    call->written = 0;
    call->taken = 0;
    call->refused = call->settled = false;
    size_t size = call->size - GRPC_PREFIX;
    call->request[0] = 0;
    for (int i = 0; i < 4; i++)
        call->request[1 + i] = (uint8_t) (size >> (24 - 8 * i));
    const nghttp2_nv headers[] = {header (":method", "POST"), header (":scheme", "http"),
                                  header (":path", path),     header (":authority", self->bus),
                                  header ("te", "trailers"),  header ("content-type", "application/grpc")};
    nghttp2_data_provider data = {.source = {.ptr = call}, .read_callback = on_request};
    int32_t stream = nghttp2_submit_request (call->connection->session, NULL, headers,
                                             sizeof headers / sizeof headers[0], &data, call);
    if (stream < 0)
        grpc_fail (self, "cannot call", nghttp2_strerror (stream));
}

/* The whole message of the answer, unless the call was refused or cut short. */
static bool answer_of (const grpc_call_t *call, bytes_t *message)
{
    size_t size = 0;
    for (int i = 0; call->taken >= GRPC_PREFIX && i < 4; i++)
        size = size << 8 | call->answer[1 + i];
    if (call->refused || !call->settled || call->taken < GRPC_PREFIX || call->answer[0] != 0 ||
        size != call->taken - GRPC_PREFIX)
        return false;
    *message = (bytes_t){call->answer + GRPC_PREFIX, call->answer + GRPC_PREFIX + size};
    return true;
}

static int on_header (nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                      const uint8_t *value, size_t value_size, uint8_t flags, void *user)
{
    grpc_call_t *call = nghttp2_session_get_stream_user_data (session, frame->hd.stream_id);
    (void) flags;
    (void) user;
    if (call && name_size == 7 && memcmp (name, ":status", 7) == 0 &&
        !(value_size == 3 && memcmp (value, "200", 3) == 0))
        call->refused = true;
    if (call && name_size == 11 && memcmp (name, "grpc-status", 11) == 0) {
        call->settled = true;
        if (value_size != 1 || value[0] != '0')
            call->refused = true;
    }
    return 0;
}

static int on_data (nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data, size_t size,
                    void *user)
{
    grpc_call_t *call = nghttp2_session_get_stream_user_data (session, stream);
    (void) flags;
    (void) user;
    if (!call)
        return 0;
    if (size > call->room - call->taken) {
        call->refused = true;
        return 0;
    }
    memcpy (call->answer + call->taken, data, size);
    call->taken += size;
    return 0;
}

static int on_close (nghttp2_session *session, int32_t stream, uint32_t code, void *user)
{
    grpc_call_t *call = nghttp2_session_get_stream_user_data (session, stream);
    bytes_t message;
    (void) user;
    if (!call)
        return 0;
    if (code || !answer_of (call, &message))
        grpc_fail (call->grpc, "a call was refused, or not answered", nghttp2_http2_strerror (code));
    else
        call->grpc->on_answer (call, message);
    return 0;
}

/* Writes what the session has to say, as far as the socket takes it. */
static void flush (grpc_t *self, grpc_connection_t *connection)
{
    for (;;) {
        const uint8_t *data;
        ssize_t n = 0;
        while (connection->until < OUT_MAX / 2 && (n = nghttp2_session_mem_send (connection->session, &data)) > 0) {
            memcpy (connection->out + connection->until, data, (size_t) n);
            connection->until += (size_t) n;
        }
        if (n < 0)
            grpc_fail (self, "HTTP/2", nghttp2_strerror ((int) n));
        if (connection->from == connection->until)
            return;
        n = send (connection->fd, connection->out + connection->from, connection->until - connection->from,
                  MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                grpc_fail (self, "cannot write", strerror (errno));
            return;
        }
        connection->from += (size_t) n;
        if (connection->from == connection->until)
            connection->from = connection->until = 0;
    }
}

static void take (grpc_t *self, grpc_connection_t *connection)
{
    static uint8_t in[64 * 1024];
    ssize_t n = recv (connection->fd, in, sizeof in, MSG_DONTWAIT);
    if (n == 0)
        grpc_fail (self, "cannot read", "the server closed the connection");
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        grpc_fail (self, "cannot read", strerror (errno));
    else if (n > 0 && (n = nghttp2_session_mem_recv (connection->session, in, (size_t) n)) < 0)
        grpc_fail (self, "HTTP/2", nghttp2_strerror ((int) n));
}

void grpc_go (grpc_t *self)
{
    struct pollfd items[GRPC_CONNECTIONS_MAX];
    while (!self->done && !self->failed) {
        for (size_t i = 0; i < self->connections; i++) {
            grpc_connection_t *connection = &self->connection[i];
            flush (self, connection);
            short more = connection->from < connection->until ? POLLOUT : 0;
            items[i] = (struct pollfd){.fd = connection->fd, .events = (short) (POLLIN | more)};
        }
        if (self->failed || poll (items, self->connections, (int) self->quiet_ms) <= 0)
            break;
        for (size_t i = 0; i < self->connections && !self->failed; i++)
            if (items[i].revents & ~POLLOUT)
                take (self, &self->connection[i]);
    }
}

static bool connect_to (grpc_t *self, grpc_connection_t *connection)
{
    char host[256];
    const char *colon = strrchr (self->bus, ':');
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    if (!colon || (size_t) snprintf (host, sizeof host, "%.*s", (int) (colon - self->bus), self->bus) >= sizeof host ||
        getaddrinfo (host, colon + 1, &hints, &found) != 0) {
        grpc_fail (self, "--bus expects HOST:PORT, not", self->bus);
        return false;
    }
    int on = 1;
    connection->fd = socket (found->ai_family, SOCK_STREAM, 0);
    if (connection->fd < 0 || connect (connection->fd, found->ai_addr, found->ai_addrlen) ||
        setsockopt (connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
        grpc_fail (self, "cannot connect", strerror (errno));
    freeaddrinfo (found);
    return !self->failed;
}

static bool connection_open (grpc_t *self, grpc_connection_t *connection)
{
    nghttp2_session_callbacks *callbacks = NULL;
    connection->out = malloc (OUT_MAX);
    if (!connection->out || nghttp2_session_callbacks_new (&callbacks)) {
        grpc_fail (self, "cannot begin", "no memory");
        return false;
    }
    nghttp2_session_callbacks_set_on_header_callback (callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback (callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback (callbacks, on_close);
    int rc = nghttp2_session_client_new (&connection->session, callbacks, self);
    nghttp2_session_callbacks_del (callbacks);
    if (rc == 0)
        rc = nghttp2_submit_settings (connection->session, NGHTTP2_FLAG_NONE, NULL, 0);
    if (rc)
        grpc_fail (self, "HTTP/2", nghttp2_strerror (rc));
    return rc == 0 && connect_to (self, connection);
}

bool grpc_open (grpc_t *self)
{
    for (size_t i = 0; i < self->connections && !self->failed; i++) {
        self->connection[i].fd = -1;
        connection_open (self, &self->connection[i]);
    }
    return !self->failed;
}

bool grpc_call_open (grpc_t *self, grpc_call_t *call, size_t at, size_t request_room, size_t answer_room)
{
    call->grpc = self;
    call->connection = &self->connection[at % self->connections];
    call->request = malloc (GRPC_PREFIX + request_room);
    call->answer = malloc (answer_room);
    call->room = answer_room;
    if (!call->request || !call->answer)
        grpc_fail (self, "cannot begin", "no memory");
    return !self->failed;
}

void grpc_call_close (grpc_call_t *call)
{
    free (call->request);
    free (call->answer);
}

void grpc_close (grpc_t *self)
{
    for (size_t i = 0; i < self->connections; i++) {
        nghttp2_session_del (self->connection[i].session);
        if (self->connection[i].out && self->connection[i].fd >= 0)
            close (self->connection[i].fd);
        free (self->connection[i].out);
    }
}
