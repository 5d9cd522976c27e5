/* SPDX-License-Identifier: MPL-2.0
 *
 * What the broker decides: who is there, where a frame goes, what comes back. No socket and no clock: the host hands
 * in frames and time, and carries out sends through its operations, which tell at once when one did not work.
 *
 * One turn:   synod__routing_turn_begin (now)  any number of events  synod__routing_turn_end ()
 */
#ifndef SYNOD_BROKER_ROUTING_H_INCLUDED
#define SYNOD_BROKER_ROUTING_H_INCLUDED

#include "protocol/catalogue.h"

typedef struct synod__routing_t synod__routing_t;

/* What a host does. HOST is what synod__routing_new was given. None of it calls back, or keeps what it is given. */
typedef struct {
    /* Sends a frame to the peer connected as IDENTITY: SYNOD_OK, SYNOD_BUSY (its queue is full), SYNOD_NODE_DOWN
     * (nobody is connected as that). */
    int (*send) (void *host, synod_str_t identity, const void *data, size_t size);
    /* The same with the frame of the synod__routing_frame that is under way, as it is; called until one is SYNOD_OK. */
    int (*forward) (void *host, synod_str_t identity);
    void (*publish) (void *host, const void *data, size_t size);
    void (*log) (void *host, int level, const char *text);
} synod__routing_ops_t;

typedef struct {
    uint64_t incarnation; /* the broker's own */
    const char *publish;  /* copied: where the nodes publish and subscribe */
    const char *subscribe;
    uint32_t heartbeat_ms; /* expected of nodes; a claim to a taken name is decided within one */
    uint32_t nodes_max;
} synod__routing_config_t;

/* NULL when memory ran out. Copies CONFIG, borrows OPS and HOST. */
synod__routing_t *synod__routing_new (const synod__routing_config_t *config, const synod__routing_ops_t *ops,
                                      void *host);
void synod__routing_destroy (synod__routing_t **self_p);

/* NOW_US: of a clock that never goes back. */
void synod__routing_turn_begin (synod__routing_t *self, int64_t now_us);

/* A frame that came from IDENTITY. Borrows both. */
void synod__routing_frame (synod__routing_t *self, synod_str_t identity, const void *data, size_t size);
/* Anything from IDENTITY that is not one frame; WHAT it is, in words. */
void synod__routing_garbage (synod__routing_t *self, synod_str_t identity, const char *what);
/* Somebody subscribed to PREFIX at the broker's topics; ON false: nobody does any longer. */
void synod__routing_subscribed (synod__routing_t *self, const void *prefix, size_t size, bool on);
/* A published frame was given up for a subscriber that did not take it. */
void synod__routing_topic_dropped (synod__routing_t *self, const void *data, size_t size);

/* Does what is due. Returns when the next turn is due at the latest (same clock). */
int64_t synod__routing_turn_end (synod__routing_t *self);

typedef struct {
    uint64_t received;  /* frames taken in, good or not */
    uint64_t forwarded; /* frames passed on */
    uint64_t dropped;   /* messages given up: returned for a full queue, or with nobody to return them to */
    uint64_t returned;  /* frames returned to their sender */
    uint64_t malformed; /* frames, envelopes or bodies refused */
    uint32_t joined;    /* nodes and clients there now */
    uint32_t members;   /* with those that left and those whose claim is undecided */
    bool tapped;
} synod__routing_stats_t;
synod__routing_stats_t synod__routing_stats (const synod__routing_t *self);

#endif
