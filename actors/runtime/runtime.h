/* SPDX-License-Identifier: MPL-2.0
 *
 * The runtime: everything that is decided around actors on one node, and nothing of how it is done. It sees frames,
 * time and what happened to links; it answers with frames to send and links to open, through the host's operations.
 * The bus hosts it on sockets, the unit tests in memory, the simulator under a virtual clock.
 *
 * One turn:   synod__rt_turn_begin (now)  any number of events  synod__rt_turn_end ()
 * and between two events, as often as the first of them says true:  synod__rt_turn_more ()  synod__rt_turn_on (now)
 * Handlers run inside the events; what they stage leaves in turn_end, one frame per destination address, or in the event
 * itself: the first answers to many asks of a frame. A host calls nothing else in between, from one thread at a time, and its
 * operations never call back into the runtime.
 *
 * With a broker (config.brokered) link SYNOD__LINK_BROKER is the DEALER to it, open from the start, and the host
 * learns the topic endpoints by topics_open. Without one, frames come in through the inbox only, and leave through
 * links that the runtime opens: one DEALER to each peer's inbox. With a broker the same links are the direct ones.
 */
#ifndef SYNOD_RUNTIME_RUNTIME_H_INCLUDED
#define SYNOD_RUNTIME_RUNTIME_H_INCLUDED

#include <synod/actor.h>
#include "disk.h"
#include "gateway.h"
#include "protocol/frame.h"

#define SYNOD__LINK_BROKER 0
#define SYNOD__LINK_AFTER  100

/* What a host does. HOST is what synod__rt_new was given. */
typedef struct {
    /* Sends FRAME on a link. SYNOD_OK: taken (the host may have swapped the buffer's memory for other memory or none;
     * its content is spent). SYNOD_BUSY: not taken, unchanged; the host calls synod__rt_writable when it may work. */
    int (*send) (void *host, uint32_t link, synod_buf_t *frame);
    /* Publishes FRAME (its address is the topic). Returns as send; synod__rt_publishable when it may work again. */
    int (*publish) (void *host, synod_buf_t *frame);
    /* Sends FRAME to whoever sent through the inbox as IDENTITY; best effort. */
    void (*answer) (void *host, synod_str_t identity, synod_buf_t *frame);
    void (*subscribe) (void *host, const char *prefix, size_t size);
    void (*unsubscribe) (void *host, const char *prefix, size_t size);
    /* With a broker: opens the inbox, if it is not open, and gives its endpoint (owned by the host); NULL when it
     * cannot. Never called without a broker: there the inbox is open from the start. */
    const char *(*listen) (void *host);
    /* Connects; synod__rt_link_up follows when the connection stands. SYNOD_INVALID for a malformed endpoint. */
    int (*link_open) (void *host, uint32_t link, const char *endpoint);
    void (*link_close) (void *host, uint32_t link); /* what was sent still leaves, within the linger time */
    /* With a broker: connect publications and subscriptions to these, instead of to those of a call before. The host
     * may put off each until something is published or subscribed. Subscriptions made stay. */
    int (*topics_open) (void *host, const char *publish, const char *subscribe);
    /* Without a broker: (un)subscribe at a peer too, with all that is subscribed. */
    int (*topics_join) (void *host, const char *endpoint);
    void (*topics_leave) (void *host, const char *endpoint);
    uint64_t (*random) (void *host);
    int64_t (*wall_us) (void *host);
    void (*log) (void *host, int level, const char *actor, const char *text);
    /* Listens at ENDPOINT for GATE's connections, which are taken from then on that the runtime is up. An error with a
     * sentence in FAULT keeps the node from starting. NULL: this host has no connections. */
    int (*gate_open) (void *host, synod__gate_t *gate, const char *endpoint, synod_fault_t *fault);
} synod__host_t;

typedef struct {
    const char *node; /* copied, as all texts here */
    uint64_t incarnation;
    const char *host; /* id of the machine, for ipc links; "" when unknown */
    bool brokered;
    bool client;              /* a handle: no heartbeats are expected of it, it is not in the directory */
    bool directory;           /* keep the directory (always so without a broker) */
    bool links;               /* with a broker: ask for direct links to nodes that it talks to a lot */
    const char *endpoint;     /* without a broker: the inbox */
    const char *topics;       /* without a broker: where it publishes */
    const char *const *peers; /* without a broker: endpoints to say hello to; NULL-terminated; may be NULL */
    uint32_t heartbeat_ms;
    uint32_t drain_ms;
    size_t queue_bytes;
    /* messages to one node within a heartbeat that make a direct link worth it; 0: SYNOD__LINK_AFTER */
    uint32_t link_after;
    uint32_t move_bytes_s; /* what may be sent a second to those that are to be replicas; 0: SYNOD_MOVE_BYTES_S */
    /* what its actor `ring` is told, where its own args do not say it: a node with any of them, or with a placed actor,
     * runs one */
    bool alone;          /* makes a ring of its own when it is in none */
    const char *zone;    /* NULL: none */
    uint32_t weight;     /* 0: as any other */
    synod__disk_t *disk; /* borrowed; NULL: memory of its own */
} synod__rt_config_t;

typedef enum {
    SYNOD__RT_NEW,
    SYNOD__RT_JOINING, /* hello is out */
    SYNOD__RT_UP,
    SYNOD__RT_DRAINING, /* leaving: answers what it has, waits for its own asks */
    SYNOD__RT_ENDED     /* every fini has run; look at the fault */
} synod__rt_state_t;

/* NULL when memory ran out. Copies CONFIG, borrows HOST_OPS and HOST. */
synod__rt_t *synod__rt_new (const synod__rt_config_t *config, const synod__host_t *ops, void *host);
void synod__rt_destroy (synod__rt_t **self_p);
/* For hosts that play a crash, at any moment, before they destroy it: nothing is committed or sent any more, whatever
 * each fini does to free its memory. */
void synod__rt_crash (synod__rt_t *self);

/* Before the start. ARGS is a record of type->args (copied with what it borrows) or NULL. */
int synod__rt_add (synod__rt_t *self, const synod_actor_t *type, const void *args, synod_fault_t *fault);

/* In the first turn: runs every init and says hello. */
int synod__rt_start (synod__rt_t *self, synod_fault_t *fault);

/* NOW_US: of a clock that never goes back. */
void synod__rt_turn_begin (synod__rt_t *self, int64_t now_us);

/* A frame from the broker (identity empty), or from the inbox with the sender's identity. Borrows all. */
void synod__rt_frame (synod__rt_t *self, synod_str_t identity, const void *data, size_t size);
/* Anything that came there and is not one frame: counted, answered where possible. */
void synod__rt_garbage (synod__rt_t *self, synod_str_t identity, const char *what);
/* A frame from a subscription. */
void synod__rt_topic (synod__rt_t *self, const void *data, size_t size);
/* Somebody (un)subscribed to what this node publishes: the broker to everything ("" with a broker), a peer to PREFIX. */
void synod__rt_subscribed (synod__rt_t *self, const void *prefix, size_t size, bool on);
void synod__rt_link_up (synod__rt_t *self, uint32_t link);   /* also SYNOD__LINK_BROKER, after each reconnect */
void synod__rt_link_down (synod__rt_t *self, uint32_t link); /* the connection broke; ZeroMQ goes on trying */
void synod__rt_writable (synod__rt_t *self, uint32_t link);
void synod__rt_publishable (synod__rt_t *self);
/* Without a broker: a beacon told of an endpoint (its own included: that is ignored). */
void synod__rt_found (synod__rt_t *self, const char *endpoint);
/* Leave, within config.drain_ms. */
void synod__rt_stop (synod__rt_t *self);

/* Deals with all that came so far; what waits for no commit leaves. True: others have copies of what is to be committed, so the
 * commit is worth more with what comes next: the host may go on with the turn (synod__rt_turn_on) before it ends it. */
bool synod__rt_turn_more (synod__rt_t *self);
void synod__rt_turn_on (synod__rt_t *self, int64_t now_us);

/* Runs what is due, commits, sends. Returns when the next turn is due at the latest (same clock), INT64_MAX: never. */
int64_t synod__rt_turn_end (synod__rt_t *self);

synod__rt_state_t synod__rt_state (const synod__rt_t *self);
const synod_fault_t *synod__rt_fault (const synod__rt_t *self); /* why it ended; code SYNOD_OK: as asked */

/* ---- for handles: act as an actor from outside ----
 * The actor is one added by synod__rt_add. enter gives its context for use until leave, inside a turn. */
synod_ctx_t *synod__rt_enter (synod__rt_t *self, const synod_actor_t *type);
int synod__rt_leave (synod__rt_t *self, synod_ctx_t *ctx, int code); /* code as a handler's: joins the turn or drops */

/* Without a broker: when publishing may go on that would now come before some peer's subscriptions; 0: at once. The
 * runtime's own publications wait by themselves; this is for those of handles. */
int64_t synod__rt_hold_us (const synod__rt_t *self);

/* The sentence that goes with the last error of a call made through CTX. Owned by the runtime. */
const char *synod__ctx_error (const synod_ctx_t *ctx);
/* Of an actor that follows the directory: whether KEY's home is this node, as it now seems. */
bool synod__ctx_home (const synod_ctx_t *ctx, synod_str_t key);
/* The id of the node's store, SYNOD__DISK_ID bytes. Owned by the runtime. */
const uint8_t *synod__ctx_store_id (const synod_ctx_t *ctx);
/* What this handler writes is in no hurry: it is durable soon, with what else is committed, and then what the handler tells
 * leaves, behind what it tells meanwhile. SHOWN: later handlers of the actor may tell of it; what they say waits until it is
 * durable, which is hurried then. Else it must be what would come about again, just so, if it were lost. Nothing becomes
 * late by it when somebody waits for an answer of the handler, or when others have copies. */
void synod__ctx_lazily (synod_ctx_t *ctx, bool shown);
/* What the handler tells from now on, or no more, is true whether or not anything that it wrote, and that copies elsewhere
 * do not have yet, is ever durable: it waits for none of that, and may overtake what does. */
void synod__ctx_early (synod_ctx_t *ctx, bool early);
/* The node's incarnation, when the store ends with the node; 0: it does not. */
uint64_t synod__ctx_fleeting (const synod_ctx_t *ctx);
/* The node's incarnation, greater than that of any life of the node before it, where what the actor writes is nowhere
 * else: nobody goes on from it but a later life. 0: others have copies. */
uint64_t synod__ctx_life (const synod_ctx_t *ctx);
/* From now on, for this life of the actor, what it is told by RECORD's method goes to ON_HEARD, with ARG, unless the
 * actor has a route of its own for that. So a part of synod that an actor keeps in its state hears from others. Borrows
 * RECORD. ON_HEARD ends no hearing. An actor that is placed by key hears nothing so: nobody knows where to tell it. */
typedef int synod__on_heard_t (synod_ctx_t *ctx, void *state, const void *in, uint64_t arg);
void synod__ctx_hear (synod_ctx_t *ctx, const synod_record_t *record, synod__on_heard_t *on_heard, uint64_t arg);
void synod__ctx_unhear (synod_ctx_t *ctx, const synod_record_t *record, uint64_t arg);
/* How long an answer to CALL is still worth something; 0: it is over, or zero. */
uint32_t synod__ctx_left_ms (const synod_ctx_t *ctx, synod_call_t call);

/* Whether somebody runs this address as far as this node knows; whether mail to the node goes by a direct link. */
bool synod__rt_reachable (const synod__rt_t *self, const char *address);
bool synod__rt_direct (const synod__rt_t *self, const char *node);
/* Ask for a direct link now, whatever the traffic; go back to the broker's path. */
int synod__rt_link (synod__rt_t *self, const char *node);
int synod__rt_unlink (synod__rt_t *self, const char *node);

/* Checks a topic frame as synod__rt_topic does (version, sender, gaps) but leaves its envelopes to the caller: for
 * handles, which read them one by one. SYNOD_OK, or what was wrong (then it has been counted), or SYNOD_NOT_FOUND when
 * the frame holds nothing for the caller: a mark, an echo, a topic that PATTERNS do not match. */
int synod__rt_topic_open (synod__rt_t *self, const void *data, size_t size, synod_frame_t *frame);

typedef struct {
    uint64_t received;  /* messages taken in */
    uint64_t sent;      /* messages sent, local ones included */
    uint64_t dropped;   /* messages that this node gave up on, and gaps it saw */
    uint64_t malformed; /* frames, envelopes, bodies refused */
    uint64_t gaps;      /* frames missing on subscribed topics */
    uint64_t late;      /* replies that nobody waited for */
    uint64_t queued;    /* bytes waiting now */
    uint32_t asks;      /* own unanswered asks now */
    uint32_t calls;     /* unanswered calls kept now */
} synod__rt_stats_t;
synod__rt_stats_t synod__rt_stats (const synod__rt_t *self);

/* ---- publications: numbered per topic, gathered into frames; used by the runtime and, apart, by handles ---- */

typedef struct synod__publisher_t synod__publisher_t;

synod__publisher_t *synod__publisher_new (const char *node, uint64_t incarnation);
void synod__publisher_destroy (synod__publisher_t **self_p);
/* Adds one message: from a record, or from BODY when RECORD is NULL. FROM: the actor's name, or absent. Errors as synod_publish; SYNOD_BUSY when
 * LIMIT bytes wait already. */
int synod__publisher_add (synod__publisher_t *self, synod_str_t topic, synod_str_t from, uint64_t trace,
                          const synod_record_t *record, const void *in, synod_str_t method, synod_str_t body,
                          size_t limit, synod_fault_t *fault);
/* How many bytes wait, in all and in the fullest single frame. */
size_t synod__publisher_waiting (const synod__publisher_t *self, size_t *fullest);
/* What is added from now on waits for COMMIT (0, as at first: for none). */
void synod__publisher_waits (synod__publisher_t *self, uint64_t commit);
/* What waits for a commit has no more added to it, so that it does not come to wait for a later one. */
void synod__publisher_seal (synod__publisher_t *self);
typedef int synod__publisher_send_t (void *arg, synod_buf_t *frame);
/* Hands frames that wait for no commit after SETTLED to SEND until it returns other than SYNOD_OK (which is returned) or none
 * is left. */
int synod__publisher_flush (synod__publisher_t *self, uint64_t settled, synod__publisher_send_t *send, void *arg);
/* Hands a mark for every topic published on since the last call but three to SEND; best effort. */
void synod__publisher_mark (synod__publisher_t *self, synod__publisher_send_t *send, void *arg);

#endif
