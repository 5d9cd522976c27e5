/* SPDX-License-Identifier: MPL-2.0
 *
 * A client of a gRPC server: calls with one message and one answer, many under way at once on some connections.
 */
#ifndef BENCH_GRPC_H_INCLUDED
#define BENCH_GRPC_H_INCLUDED

#include "bench/protobuf.h"

#include <nghttp2/nghttp2.h>

#define GRPC_CONNECTIONS_MAX 1000
#define GRPC_PREFIX          5 /* before a message: 0 for uncompressed, four bytes of length */

typedef struct {
    int fd;
    nghttp2_session *session;
    uint8_t *out;
    size_t from; /* out[from..until) waits to be written */
    size_t until;
} grpc_connection_t;

struct grpc_call_t;

typedef struct grpc_t {
    const char *who; /* whose errors these are */
    const char *bus; /* HOST:PORT */
    uint64_t connections;
    uint64_t quiet_ms;
    void (*on_answer) (struct grpc_call_t *call, bytes_t message); /* of a call that was not refused */
    grpc_connection_t connection[GRPC_CONNECTIONS_MAX];
    bool done;   /* set by the caller: grpc_go returns */
    bool failed; /* the same; a line on standard error says why */
} grpc_t;

/* A client: one call at a time. */
typedef struct grpc_call_t {
    grpc_t *grpc;
    grpc_connection_t *connection;
    uint8_t *request; /* a message behind its prefix */
    size_t size;
    size_t written; /* of it, into frames */
    uint8_t *answer;
    size_t taken;
    size_t room;
    bool refused; /* an HTTP status other than 200, a gRPC status other than 0 */
    bool settled; /* the trailers have come */
} grpc_call_t;

void grpc_fail (grpc_t *self, const char *what, const char *why);
/* Connects all; false when it has failed. Close it in any case. */
bool grpc_open (grpc_t *self);
void grpc_close (grpc_t *self);
/* The AT-th client, of the AT-th connection (they begin again). False when there is no memory. */
bool grpc_call_open (grpc_t *self, grpc_call_t *call, size_t at, size_t request_room, size_t answer_room);
void grpc_call_close (grpc_call_t *call);
/* Calls PATH with the message that begins GRPC_PREFIX bytes into the request and ends at END. */
void grpc_call (grpc_call_t *call, const char *path, const uint8_t *end);
/* Goes on until it is done or has failed, or nothing has come for quiet_ms. */
void grpc_go (grpc_t *self);

#endif
