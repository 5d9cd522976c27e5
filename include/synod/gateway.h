/* SPDX-License-Identifier: MPL-2.0
 *
 * Gateways: an actor that also serves programs which are not on the bus, by TCP connections of its node and a protocol of
 * theirs. Like an actor it is a constant description and pure: bytes of connections come in, bytes go out, and all else is
 * done through the context. It runs in the turns of its node, as part of the node's one instance of its actor: what it
 * writes to a connection leaves when the turn's writes are durable, with the turn's messages.
 *
 * A gateway of a sharded actor belongs to the node, not to a partition: it asks ACTOR#KEY as any other would, and has no
 * store.
 */
#ifndef SYNOD_GATEWAY_H_INCLUDED
#define SYNOD_GATEWAY_H_INCLUDED

#include <synod/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct synod_conn_t synod_conn_t; /* the framework's; valid until on_close returns */

/* All functions may be NULL but endpoint and on_bytes. An error of one that has a CONN closes that connection, with what
 * it wrote and staged dropped and its sentence in the log; SYNOD_FAILED restarts the actor, which closes all of them. */
struct synod_gateway_t {
    /* HOST:PORT or [HOST]:PORT (port 0: any that is free, see the log); data NULL: this node does not listen. ARGS as of
     * the actor's init, and borrowed. */
    synod_str_t (*endpoint) (const void *args);
    size_t state_size; /* of its own memory on a node; zeroed before init */
    size_t conn_size;  /* of each connection's; zeroed before on_open */
    uint32_t conns;    /* how many at a time; 0: SYNOD_CONNS_MAX. One more is closed at once */
    size_t in_bytes;   /* what one request may take, at least; 0: SYNOD_CONN_IN_MAX */
    size_t out_bytes;  /* not read from while more than this waits to be written to it; 0: SYNOD_CONN_OUT_MAX */
    uint32_t stuck_ms; /* closed when it takes nothing of what is written for so long; 0: SYNOD_CONN_STUCK_MS */
    /* After the actor's init. ACTOR: its state on this node; of a sharded actor zeroed memory. */
    int (*init) (synod_ctx_t *ctx, void *self, void *actor);
    void (*fini) (synod_ctx_t *ctx, void *self); /* its connections are gone without a word, and its asks */
    int (*on_open) (synod_ctx_t *ctx, void *self, synod_conn_t *conn);
    /* IN: what has come and was not used yet. Sets *USED to how much of it is done with; the rest comes again, with more. */
    int (*on_bytes) (synod_ctx_t *ctx, void *self, synod_conn_t *conn, synod_str_t in, size_t *used);
    /* The peer sends no more but may still read; close when all is answered. NULL: closed at once. */
    int (*on_end) (synod_ctx_t *ctx, void *self, synod_conn_t *conn);
    void (*on_close) (synod_ctx_t *ctx, void *self, synod_conn_t *conn); /* it is gone; not after a restart */
};

/* In any function of the actor's instance on the node that has the gateway: its memory; NULL: it does not listen. */
SYNOD_API void *synod_gateway_state (const synod_ctx_t *ctx);

SYNOD_API void *synod_conn_state (synod_conn_t *conn);
/* What is to be written to it: append. What is there already may have been written in part: leave it. */
SYNOD_API synod_buf_t *synod_conn_out (synod_conn_t *conn);
/* More waits to be written to it than its bound (out_bytes): a good moment to stop. What on_bytes leaves is offered again
 * when that is less. */
SYNOD_API bool synod_conn_full (const synod_conn_t *conn);
/* Closes it when all has been written; nothing more is read. */
SYNOD_API void synod_conn_close (synod_conn_t *conn);
/* HELD: nothing more is read, nor offered to on_bytes, until it is held no more; then what was left is offered again. */
SYNOD_API void synod_conn_hold (synod_conn_t *conn, bool held);

#ifdef __cplusplus
}
#endif
#endif
