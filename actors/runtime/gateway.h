/* SPDX-License-Identifier: MPL-2.0
 *
 * Gateways of the actors of a node, between the runtime and its host. The host listens, accepts, reads and writes; the
 * runtime runs the gateway's functions and gathers what they write. A host that has no connections has no gate_open: an
 * actor that is told to listen there does not start.
 *
 * Invariant: what is ready of a connection's OUT tells of nothing that is not durable. The host looks and writes after
 * synod__rt_turn_end and before the next turn's first event.
 */
#ifndef SYNOD_RUNTIME_GATEWAY_H_INCLUDED
#define SYNOD_RUNTIME_GATEWAY_H_INCLUDED

#include <synod/gateway.h>

typedef struct synod__rt_t synod__rt_t;
typedef struct synod__gate_t synod__gate_t; /* one gateway that listens */
typedef struct synod__instance_t synod__instance_t;

/* What the host sees of a connection. */
typedef struct {
    const synod_buf_t *out;
    size_t ready; /* bytes of OUT that are to be written; the others wait for a commit */
    bool closing; /* to be closed when OUT has been written, which is ready */
    bool held;    /* neither read from nor offered */
    void *host;   /* the host's own */
} synod__conn_view_t;

/* The description, with defaults filled in. */
synod_gateway_t synod__gate_type (const synod__gate_t *gate);
const char *synod__gate_name (const synod__gate_t *gate); /* its actor's */

/* In a turn. HOST is the host's own. NULL: not now, close it. */
synod_conn_t *synod__rt_conn_open (synod__rt_t *rt, synod__gate_t *gate, void *host);
/* Offers what came; returns how much of it is done with. */
size_t synod__rt_conn_bytes (synod__rt_t *rt, synod_conn_t *conn, synod_str_t in);
void synod__rt_conn_end (synod__rt_t *rt, synod_conn_t *conn); /* the peer sends no more */
/* It is gone: ends it, in a turn. */
void synod__rt_conn_closed (synod__rt_t *rt, synod_conn_t *conn);
/* After a turn: the next connection in which something has changed (more to write, closing, held), or NULL. None when the
 * disk has failed. */
synod_conn_t *synod__rt_conn_next (synod__rt_t *rt);
synod__conn_view_t synod__conn_view (const synod_conn_t *conn);
/* The first SIZE bytes of what was ready have been written: OUT begins behind them. When nothing is left and its memory is more
 * than KEEP, that is given back. */
void synod__conn_written (synod_conn_t *conn, size_t size, size_t keep);

/* ---- for the runtime itself ---- */

int synod__gate_open (synod__instance_t *instance, synod_fault_t *fault); /* once a node, if it is to listen */
int synod__gate_start (synod__instance_t *instance, synod_fault_t *fault);
void synod__gate_end (synod__instance_t *instance);
void synod__gate_free (synod__instance_t *instance);
void synod__gates_settled (synod__rt_t *rt); /* more is durable */

#endif
