/* SPDX-License-Identifier: MPL-2.0
 *
 * The broker, to be embedded: one czmq zactor. `synod broker` is this with a command line.
 */
#ifndef SYNOD_BROKER_H_INCLUDED
#define SYNOD_BROKER_H_INCLUDED

#include <synod/error.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *listen;    /* default tcp://127.0.0.1:5570; port * takes a free one */
    const char *publish;   /* where publishers connect; default: listen's transport and host, a free port (or path) */
    const char *subscribe; /* where subscribers connect; likewise */
    const char
        *advertise; /* host that nodes are told; default: as bound, or of a wildcard this machine's first address */
    uint32_t heartbeat_ms; /* default SYNOD_HEARTBEAT_MS */
    uint32_t patience_ms;  /* how long one stalled subscriber may hold up the others; default 200 */
    uint32_t topic_hwm;    /* frames queued for a subscriber; default SYNOD_TOPIC_HWM */
    uint32_t queue_hwm;    /* frames queued for a node; default 1000 */
    uint32_t nodes_max;    /* connected nodes; default 10000 */
    void (*log) (void *arg, int level, const char *text); /* default: standard error */
    void *log_arg;
} synod_broker_options_t;

typedef struct synod_broker_t synod_broker_t;

/* Binds and starts; NULL with a sentence in FAULT (may be NULL). Copies the options. The caller owns the broker. */
SYNOD_API synod_broker_t *synod_broker_new (const synod_broker_options_t *options, synod_fault_t *fault);

/* The one endpoint nodes are configured with, with the port it really has. Owned by the broker. */
SYNOD_API const char *synod_broker_endpoint (const synod_broker_t *self);

/* A zsock_t (as void *) that becomes readable when the broker has ended by itself. */
SYNOD_API void *synod_broker_pipe (synod_broker_t *self);

/* Ends it: queued frames leave within LINGER_MS; frees all, sets *SELF_P to NULL. */
SYNOD_API void synod_broker_destroy (synod_broker_t **self_p, uint32_t linger_ms);

#ifdef __cplusplus
}
#endif
#endif
