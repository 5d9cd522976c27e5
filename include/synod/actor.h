/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor contract. An actor is a constant description, a state of its own, and handlers. A handler runs in a turn
 * of its node's loop; everything it does goes through the context. What it does (messages, timers, subscriptions,
 * store writes) is staged and takes effect only if it returns SYNOD_OK; a turn's messages leave after its writes are
 * committed. Its memory is its own affair: a failed handler's changes to STATE are not undone.
 *
 * All functions that take a synod_ctx_t may be called in a handler, continuation, init or fini of that context's actor
 * and nowhere else; elsewhere they return SYNOD_INVALID. Nothing here blocks.
 */
#ifndef SYNOD_ACTOR_H_INCLUDED
#define SYNOD_ACTOR_H_INCLUDED

#include <synod/record.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct synod_ctx_t synod_ctx_t;
typedef struct synod_gateway_t synod_gateway_t;

/* An ask that waits for its answer. A plain value: copy it, keep it, answer it once; zero (call.id == 0) for a message
 * that wants no answer. It ends with the answer, with the asker's deadline, or with the actor. */
typedef struct {
    uint64_t id;
} synod_call_t;

typedef struct {
    uint64_t id;
} synod_timer_t;

/* A message as it came, for handlers that take any. Borrows the frame: valid until the handler returns. */
typedef struct {
    synod_str_t method;
    synod_str_t from;  /* node/actor */
    synod_str_t topic; /* data NULL: sent point to point */
    synod_str_t key;   /* of actor#key; data NULL: none */
    synod_str_t body;  /* one packed map, or data NULL */
    uint64_t trace;
} synod_message_t;

/* What an ask came to. Borrows the frame: valid until the continuation returns. */
typedef struct {
    int code;            /* SYNOD_OK, or why not */
    synod_str_t error;   /* the error's name on the wire, also one outside the catalogue; empty when OK */
    synod_str_t message; /* its sentence */
    synod_str_t from;    /* node/actor that answered; empty when nobody did */
    synod_str_t body;    /* for synod_record_unpack */
} synod_reply_t;

/* Handlers return SYNOD_OK, or an error: what they staged is dropped, the asker gets the error (its sentence is the
 * last synod_error of the handler). SYNOD_FAILED says that the actor itself is broken: it is restarted. */
typedef int synod_handler_t (synod_ctx_t *ctx, void *state, const void *in, synod_call_t call);
typedef int synod_any_t (synod_ctx_t *ctx, void *state, const synod_message_t *message, synod_call_t call);
typedef int synod_on_reply_t (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg);
typedef int synod_on_event_t (synod_ctx_t *ctx, void *state, uint64_t arg);
/* WHO: node or node/actor, borrowed. REASON: a word. */
typedef int synod_on_down_t (synod_ctx_t *ctx, void *state, synod_str_t who, synod_str_t reason, uint64_t arg);
/* One key and value of a scan; return true to go on. */
typedef bool synod_on_entry_t (void *arg, synod_str_t key, synod_str_t value);

typedef struct {
    const synod_record_t *record; /* NULL ends the table */
    synod_handler_t *handler;
} synod_route_t;

/* clang-format off */
/* The conditional checks at compile time that the handler takes the record's struct. */
#define SYNOD_ON(name, function)                                                                                \
    {                                                                                                           \
        &name##_record,                                                                                         \
        (synod_handler_t *) (1 ? (function)                                                                     \
                               : (int (*) (synod_ctx_t *, void *, const name##_t *, synod_call_t)) 0)           \
    }
#define SYNOD_END {NULL, NULL}
/* clang-format on */

/* Where an actor's messages go. */
typedef enum {
    SYNOD_UNPLACED, /* node/actor, or actor: any node that runs it */
    /* actor#key: to the owner of the key's partition in the ring (docs/placement.md). Each partition has a state and a
     * store of its own, which the actor's functions see alone; the store is copied to REPLICAS nodes, and messages leave
     * when a majority of them has what they could have seen. */
    SYNOD_SHARDED,
    /* actor#key: to one of the nodes that run the actor now, as the directory has them. No ring, no copies; one state and
     * one store a node. For caches: when nodes come and go a key may have two homes for a while, or a new one. */
    SYNOD_FOLLOW
} synod_placement_t;

/* A transaction, to its participant (docs/votes.md). Borrowed: valid until the handler returns. */
typedef struct {
    synod_str_t id;
    synod_str_t key; /* of actor#key; data NULL: none */
    synod_str_t op;  /* what is to be done, packed, in the participant's own words; data NULL: nothing was said */
} synod_txn_t;
/* Whether the participant can do it. SYNOD_OK is a yes: from now on, and after whatever may happen, it must be able to do
 * it or not, as it is told; what it writes (locks, what it will need) is kept with the vote. An error is a no, with its
 * sentence, and nothing of the handler stays. *EMPTY = true with SYNOD_OK: nothing is read or written, and the outcome is
 * of no concern. */
typedef int synod_prepare_handler_t (synod_ctx_t *ctx, void *state, const synod_txn_t *txn, bool *empty);
/* The outcome of what it said yes to: once, and what it writes is written with the outcome. */
typedef int synod_outcome_handler_t (synod_ctx_t *ctx, void *state, const synod_txn_t *txn);

typedef struct synod_actor_t {
    const char *name;           /* also its address on its node */
    const char *doc;            /* a phrase for listings */
    size_t state_size;          /* zeroed before init */
    const synod_record_t *args; /* what --set may give; NULL: nothing */
    /* ARGS: a zeroed or filled record of args, or NULL */
    int (*init) (synod_ctx_t *ctx, void *state, const void *args);
    void (*fini) (synod_ctx_t *ctx, void *state); /* may be NULL, as init */
    const synod_route_t *routes;                  /* ended by SYNOD_END; may be NULL */
    synod_any_t *any;                             /* takes every method that no route takes; NULL: they are refused */
    synod_placement_t placement;
    uint32_t replicas; /* SYNOD_SHARDED: how many nodes have a copy, 1 to 15; 0: as many as the ring says */
    /* SYNOD_SHARDED: a partition is served here from now on (after its init, before any message: memory can be built from
     * the store), or no more (before its fini; nothing that is written or sent then leaves). May be NULL. */
    int (*on_own) (synod_ctx_t *ctx, void *state);
    void (*on_disown) (synod_ctx_t *ctx, void *state);
    const synod_gateway_t *gateway; /* serves connections besides (gateway.h); NULL: none */
    /* An actor that each node with this one runs too, whether it is added there or not. NULL: none. */
    const struct synod_actor_t *beside;
    /* With prepare it takes part in transactions, sharded or not. The other two may be NULL. */
    synod_prepare_handler_t *prepare;
    synod_outcome_handler_t *commit, *abort;
} synod_actor_t;

/* A shared object for `synod run ./my.so` says once:  SYNOD_MODULE (&counter, &other)  */
#define SYNOD_ABI 1
typedef struct {
    int abi;
    const synod_actor_t *const *actors; /* NULL-terminated */
} synod_module_t;
/* clang-format off */
#define SYNOD_MODULE(...)                                                            \
    extern SYNOD_API const synod_module_t synod_module;                              \
    const synod_module_t synod_module = {                                            \
        SYNOD_ABI, (const synod_actor_t *const[]) {__VA_ARGS__, NULL}};
/* clang-format on */

/* ---- messages ----
 * TO is an address (text, borrowed): node/actor, or actor for any node that runs it. RECORD and IN as for
 * synod_record_pack; the method is the record's name. They return SYNOD_OK when the message is staged, else
 * SYNOD_BAD_ADDRESS, SYNOD_INVALID, SYNOD_TOO_LARGE or SYNOD_BUSY, and stage nothing. A message that later turns out
 * to have nobody at its address ends an ask with SYNOD_NO_ROUTE and counts a tell as dropped. */

SYNOD_API int synod_tell (synod_ctx_t *ctx, const char *to, const synod_record_t *record, const void *in);

/* Asks; ON_REPLY runs exactly once, with a reply, an error or SYNOD_TIMEOUT after TIMEOUT_MS (0: SYNOD_ASK_MS), unless
 * this actor ends first. When the record is SYNOD_IDEMPOTENT and TO names no node, an ask whose node goes down is sent
 * to another within its deadline. When it is SYNOD_ONCE the ask is a command: it is sent again, to the same node, until
 * it is answered or its time is over, and runs once there whatever happens to messages and to the node, as long as the
 * node keeps its store. ARG is the caller's. */
SYNOD_API int synod_ask (synod_ctx_t *ctx, const char *to, const synod_record_t *record, const void *in,
                         uint32_t timeout_ms, synod_on_reply_t *on_reply, uint64_t arg);

/* Answers a call, now or later. A call that is over (or zero) makes it do nothing and return SYNOD_NOT_FOUND. */
SYNOD_API int synod_reply (synod_ctx_t *ctx, synod_call_t call, const synod_record_t *record, const void *out);
SYNOD_API int synod_reply_error (synod_ctx_t *ctx, synod_call_t call, int code, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

/* Passes an answer on as it came: for continuations. */
SYNOD_API int synod_reply_with (synod_ctx_t *ctx, synod_call_t call, const synod_reply_t *reply);

/* Publishes on a topic, to whoever subscribes. At most once, in order per publisher and topic. */
SYNOD_API int synod_publish (synod_ctx_t *ctx, const char *topic, const synod_record_t *record, const void *in);

/* Messages whose topic matches PATTERN come to the routes by their method. ON_READY (may be NULL) runs when
 * everything published from now on will be seen. */
SYNOD_API int synod_subscribe (synod_ctx_t *ctx, const char *pattern, synod_on_event_t *on_ready, uint64_t arg);
SYNOD_API int synod_unsubscribe (synod_ctx_t *ctx, const char *pattern);

/* The same with a body that is packed already: for actors that pass on what they do not know. */
SYNOD_API int synod_tell_body (synod_ctx_t *ctx, const char *to, synod_str_t method, synod_str_t body);
/* FLAGS: as of a record. */
SYNOD_API int synod_ask_body (synod_ctx_t *ctx, const char *to, synod_str_t method, synod_str_t body, uint32_t flags,
                              uint32_t timeout_ms, synod_on_reply_t *on_reply, uint64_t arg);
SYNOD_API int synod_reply_body (synod_ctx_t *ctx, synod_call_t call, synod_str_t body);
SYNOD_API int synod_publish_body (synod_ctx_t *ctx, const char *topic, synod_str_t method, synod_str_t body);

/* ---- time, chance, life ---- */

/* Runs ON_EVENT once, DELAY_MS from this turn's time, unless cancelled or the actor ends. TIMER may be NULL. */
SYNOD_API int synod_after (synod_ctx_t *ctx, uint32_t delay_ms, synod_on_event_t *on_event, uint64_t arg,
                           synod_timer_t *timer);
SYNOD_API int synod_cancel (synod_ctx_t *ctx, synod_timer_t timer); /* SYNOD_NOT_FOUND when it has run */

/* Microseconds of a clock that never goes back and counts suspension; the same all through a turn. */
SYNOD_API int64_t synod_now_us (const synod_ctx_t *ctx);
/* Microseconds since 1970 by the wall clock; may jump. */
SYNOD_API int64_t synod_wall_us (const synod_ctx_t *ctx);
SYNOD_API uint64_t synod_random (synod_ctx_t *ctx);

/* ON_DOWN runs once when the node, or the actor on it, is gone as seen from here (at once when it is not there now).
 * WHO: node or node/actor. Monitoring the same again adds a second notice. */
SYNOD_API int synod_monitor (synod_ctx_t *ctx, const char *who, synod_on_down_t *on_down, uint64_t arg);
SYNOD_API int synod_unmonitor (synod_ctx_t *ctx, const char *who);

/* Ends this actor after the handler (fini runs); it is not restarted. Calls it keeps are answered SYNOD_STOPPED. Of a
 * sharded actor: the memory of this partition, which the next message builds anew. */
SYNOD_API int synod_stop (synod_ctx_t *ctx);

/* Sets the sentence that goes with CODE and returns CODE:  return synod_error (ctx, SYNOD_REFUSED, "no %s", what);  */
SYNOD_API int synod_error (synod_ctx_t *ctx, int code, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

enum { SYNOD_LOG_ERROR, SYNOD_LOG_WARNING, SYNOD_LOG_INFO, SYNOD_LOG_DEBUG };
SYNOD_API void synod_log (synod_ctx_t *ctx, int level, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

/* ---- about the message being handled (zero or empty outside of one) ---- */
SYNOD_API synod_str_t synod_from (const synod_ctx_t *ctx);  /* node/actor */
SYNOD_API synod_str_t synod_key (const synod_ctx_t *ctx);   /* of actor#key; data NULL: none */
SYNOD_API synod_str_t synod_topic (const synod_ctx_t *ctx); /* data NULL: not published */
/* A command (an ask of a SYNOD_ONCE record) that an earlier life of this actor began, and of which it kept a trace in
 * its store, but which it did not answer. */
SYNOD_API bool synod_repeated (const synod_ctx_t *ctx);
SYNOD_API const char *synod_node (const synod_ctx_t *ctx); /* the name of the node this actor is on */
SYNOD_API const char *synod_self (const synod_ctx_t *ctx); /* node/actor of this actor */

/* ---- the store: ordered by the bytes of the key, private to this actor ----
 * Writes are staged like messages: one handler's writes are one batch, all or nothing, and durable before anything that
 * the turn sends leaves the node (without a data directory: they last as long as the node). Reads see the handler's own
 * writes. Keys of 1 to SYNOD_STORE_KEY_MAX bytes (else SYNOD_INVALID), values of up to SYNOD_STORE_VALUE_MAX (else
 * SYNOD_TOO_LARGE). SYNOD_IO or SYNOD_FULL: the disk failed, and the node stops at the end of this turn. */
#define SYNOD_STORE_KEY_MAX   424
#define SYNOD_STORE_VALUE_MAX SYNOD_FRAME_MAX
SYNOD_API int synod_put (synod_ctx_t *ctx, synod_str_t key, synod_str_t value);
SYNOD_API int synod_delete (synod_ctx_t *ctx, synod_str_t key); /* of nothing: SYNOD_OK */
/* VALUE borrows the store until the handler returns or writes that key. SYNOD_NOT_FOUND when it is not there. */
SYNOD_API int synod_get (synod_ctx_t *ctx, synod_str_t key, synod_str_t *value);
/* Visits FROM <= key < UNTIL in order (empty UNTIL: to the end). ON_ENTRY must not write. */
SYNOD_API int synod_scan (synod_ctx_t *ctx, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg);

#ifdef __cplusplus
}
#endif
#endif
