/* SPDX-License-Identifier: MPL-2.0
 *
 * A host whose node has connections: one node without a bus, time and bytes are the test's.
 */
#ifndef SYNOD_TEST_REDIS_GATE_HOST_H_INCLUDED
#define SYNOD_TEST_REDIS_GATE_HOST_H_INCLUDED

#include "actors/runtime/runtime.h"

typedef struct {
    synod_conn_t *conn; /* NULL: closed */
    synod_buf_t in;     /* not used yet */
    synod_buf_t out;    /* written; the test empties it */
    bool held, again;
    bool late; /* it was held: what is left is to be offered again */
} gate_conn_t;

#define GATE_CONNS 8

typedef struct {
    synod__rt_t *rt;
    synod__gate_t *gate;
    synod__disk_t *disk; /* NULL: one of the runtime's */
    char endpoint[256];
    int64_t now_us;
    int refuse; /* what gate_open returns */
    gate_conn_t conns[GATE_CONNS];
    char log[256]; /* the last line */
} gate_host_t;

/* Starts node `n` with TYPE; SYNOD_OK when it is up, else why not. */
int gate_start (gate_host_t *self, const synod_actor_t *type, const void *args, synod_fault_t *fault);
void gate_end (gate_host_t *self);
gate_conn_t *gate_connect (gate_host_t *self);
void gate_close (gate_host_t *self, gate_conn_t *conn); /* from the peer's side */
/* Bytes come in one turn; more turns follow as long as there is something to do at once. */
void gate_feed (gate_host_t *self, gate_conn_t *conn, const void *bytes, size_t size);
void gate_run (gate_host_t *self, uint32_t ms); /* time goes by */

#endif
