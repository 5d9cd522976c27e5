/* SPDX-License-Identifier: MPL-2.0
 *
 * A node: one czmq zactor, with one name and one set of sockets, that runs actors.
 */
#ifndef SYNOD_NODE_H_INCLUDED
#define SYNOD_NODE_H_INCLUDED

#include <synod/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a node or a handle joins a bus. Zero means the default everywhere; texts are borrowed for the call that takes
 * the struct. With `listen`, `peers` or `beacon` there is no broker; else there is one, at `bus`. */
typedef struct {
    const char *bus;          /* the broker's one endpoint; default $SYNOD_BUS, else tcp://127.0.0.1:5570 */
    const char *name;         /* of the node; default: made up, unique */
    bool direct;              /* without a broker */
    const char *listen;       /* direct: where this node takes frames; default tcp://127.0.0.1:* */
    const char *const *peers; /* direct: endpoints of a few others; NULL-terminated; may be NULL */
    uint16_t beacon;          /* direct: find others by UDP beacons on this port; 0: do not */
    bool no_links;            /* with a broker: never use a direct link */
    bool no_directory;        /* a handle: let the broker resolve addresses (for short-lived clients) */
    uint32_t heartbeat_ms;    /* default SYNOD_HEARTBEAT_MS */
    uint32_t connect_ms;      /* how long joining may take; default 5000 */
    uint32_t linger_ms;       /* how long what is unsent may delay the end; default 1000 */
    uint32_t drain_ms;        /* how long a stopping node waits for its calls and asks; default 5000 */
    size_t queue_bytes;       /* default SYNOD_QUEUE_MAX */
    const char *data;         /* a node: the directory of its store, made if it is not there, held by one node; its
                               * actors' stores outlive it there. NULL: they last as long as the node */
    size_t data_bytes;        /* what the store's file may grow to; default SYNOD_DATA_MAX */
    bool alone;               /* a node: makes a ring of its own, which others may join, when it is in none */
    const char *zone;         /* a node: what may fail together with it, in a ring; NULL: nothing else */
    uint32_t weight;          /* a node: its share in a ring against that of others, 1 to 1000; default 100 */
    void (*log) (void *arg, int level, const char *text); /* default: standard error, SYNOD_LOG_INFO and worse */
    void *log_arg;
} synod_options_t;

typedef struct synod_node_t synod_node_t;

/* Prepares a node; nothing runs yet. NULL with a sentence in FAULT (may be NULL). The caller owns it. */
SYNOD_API synod_node_t *synod_node_new (const synod_options_t *options, synod_fault_t *fault);

/* Adds an actor before the start. ARGS is a filled record of type->args (copied with what it borrows) or NULL. */
SYNOD_API int synod_node_add (synod_node_t *self, const synod_actor_t *type, const void *args, synod_fault_t *fault);

/* Starts the thread, joins the bus and runs every init; returns when that is done or failed. A failed start leaves
 * nothing running. */
SYNOD_API int synod_node_start (synod_node_t *self, synod_fault_t *fault);

/* Asks the node to leave: it is taken out of the directory, answers what it has, waits for its own asks (drain_ms at
 * most), runs every fini and ends. Returns at once; synod_node_wait tells when it is over. */
SYNOD_API void synod_node_stop (synod_node_t *self);

/* Waits until the node has ended by itself, by synod_node_stop or by an error: SYNOD_OK, the error with its sentence,
 * or SYNOD_TIMEOUT after TIMEOUT_MS (-1: none). */
SYNOD_API int synod_node_wait (synod_node_t *self, int timeout_ms, synod_fault_t *fault);

/* A zsock_t (as void *) that becomes readable when the node has ended: for poll loops with other sockets. */
SYNOD_API void *synod_node_pipe (synod_node_t *self);

SYNOD_API const char *synod_node_name (const synod_node_t *self);

/* Stops at once what still runs, frees all, sets *SELF_P to NULL. */
SYNOD_API void synod_node_destroy (synod_node_t **self_p);

/* main () of a program that runs one actor: the options of `synod run`, signals, exit codes. */
SYNOD_API int synod_main (int argc, char **argv, const synod_actor_t *type);

#ifdef __cplusplus
}
#endif
#endif
