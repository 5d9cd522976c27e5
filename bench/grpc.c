/* SPDX-License-Identifier: MPL-2.0
 *
 * gRPC as far as one call at a time of each client takes it: an HTTP/2 stream a call, five bytes before the message, the
 * status in the trailers. By nghttp2 in place of gRPC's library, on the one thread of bench/tcp.h.
 */
#include "bench/grpc.h"

#include <stdlib.h>

#define OUT_MAX (256 * 1024)

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
                                  header (":path", path),     header (":authority", self->tcp.bus),
                                  header ("te", "trailers"),  header ("content-type", "application/grpc")};
    nghttp2_data_provider data = {.source = {.ptr = call}, .read_callback = on_request};
    int32_t stream = nghttp2_submit_request (call->connection->session, NULL, headers,
                                             sizeof headers / sizeof headers[0], &data, call);
    if (stream < 0)
        tcp_fail (&self->tcp, "cannot call", nghttp2_strerror (stream));
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
        tcp_fail (&call->grpc->tcp, "a call was refused, or not answered", nghttp2_http2_strerror (code));
    else
        call->grpc->on_answer (call, message);
    return 0;
}

static void fill (tcp_connection_t *connection)
{
    const uint8_t *data;
    ssize_t n = 0;
    while (connection->until < OUT_MAX / 2 && (n = nghttp2_session_mem_send (connection->session, &data)) > 0) {
        memcpy (connection->out + connection->until, data, (size_t) n);
        connection->until += (size_t) n;
    }
    if (n < 0)
        tcp_fail (connection->tcp, "HTTP/2", nghttp2_strerror ((int) n));
}

static size_t take (tcp_connection_t *connection)
{
    ssize_t n = nghttp2_session_mem_recv (connection->session, connection->in, connection->got);
    if (n < 0)
        tcp_fail (connection->tcp, "HTTP/2", nghttp2_strerror ((int) n));
    return connection->got;
}

static void session_open (grpc_t *self, tcp_connection_t *connection)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_session *session = NULL;
    if (nghttp2_session_callbacks_new (&callbacks)) {
        tcp_fail (&self->tcp, "cannot begin", "no memory");
        return;
    }
    nghttp2_session_callbacks_set_on_header_callback (callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback (callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback (callbacks, on_close);
    int rc = nghttp2_session_client_new (&session, callbacks, self);
    nghttp2_session_callbacks_del (callbacks);
    connection->session = session;
    if (rc == 0)
        rc = nghttp2_submit_settings (session, NGHTTP2_FLAG_NONE, NULL, 0);
    if (rc)
        tcp_fail (&self->tcp, "HTTP/2", nghttp2_strerror (rc));
}

bool grpc_open (grpc_t *self)
{
    self->tcp.out_max = OUT_MAX;
    self->tcp.fill = fill;
    self->tcp.take = take;
    for (size_t i = 0; i < self->tcp.connections && !self->tcp.failed; i++)
        session_open (self, &self->tcp.connection[i]);
    return !self->tcp.failed && tcp_open (&self->tcp);
}

bool grpc_call_open (grpc_t *self, grpc_call_t *call, size_t at, size_t request_room, size_t answer_room)
{
    call->grpc = self;
    call->connection = &self->tcp.connection[at % self->tcp.connections];
    call->request = malloc (GRPC_PREFIX + request_room);
    call->answer = malloc (answer_room);
    call->room = answer_room;
    if (!call->request || !call->answer)
        tcp_fail (&self->tcp, "cannot begin", "no memory");
    return !self->tcp.failed;
}

void grpc_call_close (grpc_call_t *call)
{
    free (call->request);
    free (call->answer);
}

void grpc_close (grpc_t *self)
{
    for (size_t i = 0; i < self->tcp.connections; i++)
        nghttp2_session_del (self->tcp.connection[i].session);
    tcp_close (&self->tcp);
}
