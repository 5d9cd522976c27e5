/* SPDX-License-Identifier: MPL-2.0
 *
 * A client of a gRPC server: calls with one message and one answer, many under way at once on some connections.
 */
#ifndef BENCH_GRPC_H_INCLUDED
#define BENCH_GRPC_H_INCLUDED

#include "bench/protobuf.h"
#include "bench/tcp.h"

#include <nghttp2/nghttp2.h>

#define GRPC_PREFIX 5 /* before a message: 0 for uncompressed, four bytes of length */

struct grpc_call_t;

typedef struct grpc_t {
    tcp_t tcp; /* first: its connections, and whether it is done or has failed */
    void (*on_answer) (struct grpc_call_t *call, bytes_t message); /* of a call that was not refused */
} grpc_t;

/* A client: one call at a time. */
typedef struct grpc_call_t {
    grpc_t *grpc;
    tcp_connection_t *connection;
    uint8_t *request; /* a message behind its prefix */
    size_t size;
    size_t written; /* of it, into frames */
    uint8_t *answer;
    size_t taken;
    size_t room;
    bool refused; /* an HTTP status other than 200, a gRPC status other than 0 */
    bool settled; /* the trailers have come */
} grpc_call_t;

/* As a tcp_t, which it is. */
bool grpc_open (grpc_t *self);
void grpc_close (grpc_t *self);
/* The AT-th client, of the AT-th connection (they begin again). False when there is no memory. */
bool grpc_call_open (grpc_t *self, grpc_call_t *call, size_t at, size_t request_room, size_t answer_room);
void grpc_call_close (grpc_call_t *call);
/* Calls PATH with the message that begins GRPC_PREFIX bytes into the request and ends at END. */
void grpc_call (grpc_call_t *call, const char *path, const uint8_t *end);

#endif
