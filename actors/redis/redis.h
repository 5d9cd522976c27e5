/* SPDX-License-Identifier: MPL-2.0
 *
 * Redis' commands on the keys of a table or a cache (docs/redis.md): requests of connections become operations, and their
 * answers replies, in the order of the requests however they come. An operation is a record of protocol/kv.def; whoever has
 * the key at hand answers it at once, else it goes to ACTOR#KEY on the bus.
 *
 * Invariant: a connection's replies stand in its line in the order of its requests; nothing is written past one that is
 * still waited for. A command that changes a key is not sent before the earlier ones of its connection on that key are
 * answered where the back end says so (ordered).
 */
#ifndef SYNOD_REDIS_REDIS_H_INCLUDED
#define SYNOD_REDIS_REDIS_H_INCLUDED

#include <synod/gateway.h>
#include "protocol/kv_records.h"
#include "resp.h"

#define SYNOD__REDIS_LINE_MAX  1024  /* unanswered operations of a connection; it is not read further then */
#define SYNOD__REDIS_ASKS_MAX  32768 /* of all */
#define SYNOD__REDIS_SCANS_MAX 256   /* scans under way whose cursors are remembered */

typedef struct synod__redis_t synod__redis_t;
typedef struct synod__redis_conn_t synod__redis_conn_t;
typedef struct synod__redis_slot_t synod__redis_slot_t;
typedef struct synod__redis_large_t synod__redis_large_t;

typedef enum {
    SYNOD__REDIS_GET,
    SYNOD__REDIS_PUT,
    SYNOD__REDIS_DELETE,
    SYNOD__REDIS_INCR,
    SYNOD__REDIS_APPEND,
    SYNOD__REDIS_EXPIRE,
    SYNOD__REDIS_UPLOAD, /* large.c's, as the next: of one who has nothing at hand */
    SYNOD__REDIS_PIECE,
    SYNOD__REDIS_STAT, /* of the node, as the next */
    SYNOD__REDIS_SCAN
} synod__redis_kind_t;

typedef struct {
    const char *version; /* told by INFO: of what it is */
    const char *actor;   /* keys are at ACTOR#KEY */
    const char *node;    /* who answers stat and scan, at NODE on this node */
    bool once;           /* what changes a key is sent as a command: repeated until it is answered, and run once */
    bool ordered;        /* a repeat may be overtaken: see above */
    bool pieces;         /* it takes values in pieces, from who has nothing at hand */
    /* At once, where that can be: true, with what it came to in *RC and OUT (of the kind's reply) or FAULT. IN: the record of
     * KIND. SELF: what the gateway was made with. May be NULL. */
    bool (*run) (synod_ctx_t *ctx, void *self, synod__redis_kind_t kind, synod_str_t key, const void *in, void *out,
                 int *rc, synod_fault_t *fault);
    int (*after) (synod_ctx_t *ctx, void *self); /* requests were run at once; may be NULL */
} synod__redis_back_t;

/* What an operation came to: SYNOD_OK with OUT of the kind's reply, or an error with MESSAGE. Writes to slot->reply, or goes
 * on with synod__redis_then. */
typedef void synod__redis_on_done_t (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out,
                                     synod_str_t message);

typedef enum { SYNOD__REDIS_ONE, SYNOD__REDIS_SUM, SYNOD__REDIS_ALL } synod__redis_gather_t;

/* A place in a connection's line: a reply, or what it waits for. */
struct synod__redis_slot_t {
    synod__redis_conn_t *conn; /* NULL: it is gone */
    synod__redis_slot_t *next; /* in its line; of those that are free */
    synod__redis_slot_t *all_prev, *all_next;
    bool lined;         /* in the line; else it is answered while it is asked, and REPLY is the connection itself */
    synod_buf_t *reply; /* `bytes`, or what is written to the connection */
    synod__redis_on_done_t *on_done;
    synod__redis_kind_t kind;
    synod__redis_gather_t gather; /* of many operations: their sum, or OK when all are done */
    uint32_t waits;               /* operations under way */
    int64_t sum;
    int64_t number;    /* of the request, for on_done */
    synod_str_t text;  /* of the request, for on_done: a key, a pattern. In `kept` once it is lined */
    uint64_t key_hash; /* of what it changes or reads */
    bool changes;
    bool failed;                 /* the reply is the first error */
    synod__redis_large_t *large; /* a value in pieces that is under way */
    synod_buf_t bytes, kept;
};

struct synod__redis_conn_t {
    synod_conn_t *conn;
    synod__redis_t *redis;
    uint64_t id;
    synod__resp_t resp;
    const struct synod__redis_command_t *last; /* used last */
    synod__redis_slot_t *line, *line_last;
    uint32_t nline;
    synod__redis_conn_t *next, *prev;
    bool held, starved; /* the latter: for want of asks */
    bool closing;       /* nothing more is read; closed when its line is empty */
    bool again;         /* the request cannot be begun now: read it again when something was answered */
    char name[64];
};

struct synod__redis_t {
    const synod__redis_back_t *back;
    void *self; /* of the back end */
    synod_ctx_t *ctx;
    int64_t started_us;
    uint64_t conns, accepted, commands;
    uint32_t asks;
    synod__redis_slot_t *slots, *spare;
    synod__redis_conn_t *first; /* of all, by next */
    synod_buf_t body;
    synod_buf_t items; /* for the entries of a scan */
    struct {
        uint64_t id; /* 0: free */
        uint32_t size;
        char bytes[SYNOD__KV_CURSOR_MAX];
    } cursors[SYNOD__REDIS_SCANS_MAX]; /* of scans under way that are no numbers; a ring */
    uint64_t cursor;
};

/* ---- commands (commands.c has the table) ---- */

typedef struct {
    synod__redis_t *redis;
    synod__redis_conn_t *conn;
    uint32_t argc;
    const synod_str_t *argv;
    const struct synod__redis_command_t *command;
} synod__redis_request_t;

typedef struct synod__redis_command_t {
    const char *name; /* lower case */
    int arity;        /* the name counted; negative: at least */
    const char *flags;
    int first, last, step; /* where its keys are; 0: none */
    void (*run) (synod__redis_request_t *request);
    int arg; /* for those that share a function */
    const char *doc;
} synod__redis_command_t;

extern const synod__redis_command_t synod__redis_commands[]; /* name NULL ends it */
const synod__redis_command_t *synod__redis_find (synod_str_t name);

#define SYNOD__REDIS_RUN(name) void synod__redis_on_##name (synod__redis_request_t *request)
SYNOD__REDIS_RUN (get);
SYNOD__REDIS_RUN (set);
SYNOD__REDIS_RUN (setex);
SYNOD__REDIS_RUN (delete);
SYNOD__REDIS_RUN (exists);
SYNOD__REDIS_RUN (incr);
SYNOD__REDIS_RUN (append);
SYNOD__REDIS_RUN (expire);
SYNOD__REDIS_RUN (ttl);
SYNOD__REDIS_RUN (persist);
SYNOD__REDIS_RUN (mget);
SYNOD__REDIS_RUN (mset);
SYNOD__REDIS_RUN (getdel);
SYNOD__REDIS_RUN (about);
SYNOD__REDIS_RUN (scan);
SYNOD__REDIS_RUN (ping);
SYNOD__REDIS_RUN (echo);
SYNOD__REDIS_RUN (select);
SYNOD__REDIS_RUN (quit);
SYNOD__REDIS_RUN (dbsize);
SYNOD__REDIS_RUN (info);
SYNOD__REDIS_RUN (command);
SYNOD__REDIS_RUN (config);
SYNOD__REDIS_RUN (client);
SYNOD__REDIS_RUN (hello);
SYNOD__REDIS_RUN (auth);
#undef SYNOD__REDIS_RUN

/* ---- for commands ---- */

/* Where a reply goes that is known at once. */
synod_buf_t *synod__redis_out (synod__redis_request_t *request);
void synod__redis_say (synod_buf_t *out, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));                /* an error */
bool synod__redis_is (synod_str_t word, const char *lower); /* whatever its case */

/* One operation of a request on KEY: takes the next place in the line. NUMBER and TEXT are for ON_DONE. */
void synod__redis_run (synod__redis_request_t *request, synod__redis_kind_t kind, synod_str_t key, const void *in,
                       synod__redis_on_done_t *on_done, int64_t number, synod_str_t text);
/* Many operations in one place: begin, any number of add, end. */
synod__redis_slot_t *synod__redis_many (synod__redis_request_t *request, synod__redis_gather_t gather,
                                        synod__redis_on_done_t *on_done);
void synod__redis_many_add (synod__redis_request_t *request, synod__redis_slot_t *slot, synod__redis_kind_t kind,
                            synod_str_t key, const void *in);
void synod__redis_many_end (synod__redis_request_t *request, synod__redis_slot_t *slot);
/* In an ON_DONE, last: another operation before it is answered. */
void synod__redis_then (synod__redis_t *self, synod__redis_slot_t *slot, synod__redis_kind_t kind, synod_str_t key,
                        const void *in, synod__redis_on_done_t *on_done);
/* In an ON_DONE: the reply to an operation that failed. */
void synod__redis_failed (synod__redis_slot_t *slot, int rc, synod_str_t message);
/* Whether a request on these keys can be begun now; else nothing must be done for it, and it is read again. */
bool synod__redis_may (synod__redis_request_t *request, uint32_t first, uint32_t step, bool changes);
/* A scan's cursor as the number that Redis' clients take, and back. False: it is forgotten. */
uint64_t synod__redis_cursor_new (synod__redis_t *self, synod_str_t cursor);
bool synod__redis_cursor_find (const synod__redis_t *self, uint64_t number, char room[SYNOD__KV_CURSOR_MAX],
                               synod_str_t *cursor);

/* Redis' patterns: * ? [a-z] [^a] and \ before any. */
bool synod__redis_match (synod_str_t pattern, synod_str_t text);

/* ---- a gateway's functions: its memory begins with a synod__redis_t, a connection's with SYNOD__REDIS_CONN bytes ---- */

#define SYNOD__REDIS_CONN sizeof (synod__redis_conn_t *)
int synod__redis_init (synod_ctx_t *ctx, synod__redis_t *self, const synod__redis_back_t *back, void *of);
void synod__redis_fini (synod_ctx_t *ctx, void *self);
int synod__redis_on_open (synod_ctx_t *ctx, void *self, synod_conn_t *conn);
int synod__redis_on_bytes (synod_ctx_t *ctx, void *self, synod_conn_t *conn, synod_str_t in, size_t *used);
int synod__redis_on_end (synod_ctx_t *ctx, void *self, synod_conn_t *conn);
void synod__redis_on_close (synod_ctx_t *ctx, void *self, synod_conn_t *conn);

#endif
