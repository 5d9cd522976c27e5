/* SPDX-License-Identifier: MPL-2.0
 *
 * The parts of the handle: handle.c (life, waiting), handle_ask.c (asks, tells), handle_receive.c (topics, mail),
 * handle_publish.c (publications, and the thread that sees to lone ones), handle_fd.c (the descriptor for the caller's
 * own loop).
 *
 * A handle drives a port in its caller's thread. Its one actor, $handle, does on the bus what the caller asks for.
 * A turn may stay open between calls: what is asked without waiting gathers in it, for a millisecond or 256 messages
 * as long as calls follow each other.
 */
#ifndef SYNOD_BUS_HANDLE_INTERNAL_H_INCLUDED
#define SYNOD_BUS_HANDLE_INTERNAL_H_INCLUDED

#include <synod/handle.h>
#include "handle_queue.h"
#include "port.h"

typedef struct synod__lone_t synod__lone_t; /* the publishing side */
typedef struct synod__wake_t synod__wake_t; /* what its descriptor is made readable with */

/* A topic frame, opened in place. */
typedef struct synod__held_t {
    struct synod__held_t *next;
    zmq_msg_t msg;
    synod_frame_t frame; /* borrows msg */
} synod__held_t;

struct synod_handle_t {
    synod__port_t *port;
    synod__rt_t *rt;
    synod_fault_t fault; /* of the last call that failed */
    /* the turn */
    bool open;
    int64_t opened_us;
    int64_t looked_us; /* when the sockets were last asked for what came */
    uint32_t turns;    /* since then */
    uint32_t staged;   /* messages in the open turn */
    size_t bytes;      /* theirs, where known */
    int64_t until_us;  /* when the next turn is due */
    /* asks */
    uint64_t last_id;
    uint64_t waited;    /* the id of the ask whose caller waits; 0: none */
    uint32_t under_way; /* started and not yet given back by wait */
    synod__queue_t replies;
    synod__queue_t answer; /* to the ask that is waited for */
    /* what came */
    synod__queue_t mail;
    uint64_t asked_ready, ready; /* subscriptions: the last one made, the last one that is ready */
    synod__held_t *first, *last; /* topic frames; the first one is being read */
    synod__held_t *spare;
    size_t held;                       /* their bytes */
    char from[2 * SYNOD_NAME_MAX + 2]; /* node/actor of the last message of the frame */
    uint32_t from_size;                /* 0: not composed yet */
    uint32_t node_size;                /* of from, with its slash */
    synod__lone_t *lone;
    synod__wake_t *wake;    /* NULL: nobody has asked for the descriptor */
    void *locker;           /* of a handle that a locker drives (locker.c) */
    struct synod_kv_t *kvs; /* made from it (kv.c) */
};

/* ---- handle.c ---- */

/* Keeps the sentence, returns CODE. */
int synod__handle_fail (synod_handle_t *self, int code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
/* When TIMEOUT_MS from now is over. */
int64_t synod__handle_deadline (int timeout_ms);
/* The turn: opens it if it is not open (or has been for long), ends it if it is. What begins in a call that ends it too
 * is a turn of its own: the descriptor has nothing to tell of it but what synod__handle_settled finds. */
void synod__handle_begin (synod_handle_t *self);
void synod__handle_turn (synod_handle_t *self);
void synod__handle_end (synod_handle_t *self);
/* Turns and waits until DONE says so: SYNOD_OK, SYNOD_TIMEOUT at UNTIL_US, or why the node has ended. The
 * sentence of an end is kept, that of a timeout is the caller's affair. At least one turn. DONE is asked inside of turns,
 * and may use the runtime. */
int synod__handle_pump (synod_handle_t *self, int64_t until_us, bool (*done) (synod_handle_t *self, const void *arg),
                        const void *arg);
/* The same; the caller takes what was found, and then sees to the descriptor itself (synod__handle_settled). */
int synod__handle_find (synod_handle_t *self, int64_t until_us, bool (*done) (synod_handle_t *self, const void *arg),
                        const void *arg);
/* Whether a turn has something to do now. */
bool synod__handle_due (const synod_handle_t *self);
/* Acts as $handle in the open turn; leave keeps the sentence of a CODE other than SYNOD_OK and returns it. */
synod_ctx_t *synod__handle_enter (synod_handle_t *self);
int synod__handle_leave (synod_handle_t *self, synod_ctx_t *ctx, int code);

/* ---- handle_receive.c ---- */

int synod__handle_any (synod_handle_t *self, synod_ctx_t *ctx, const synod_message_t *message, synod_call_t call);
/* Sees to it that there is a topic frame to read, in a turn; outside of one says whether there is. */
bool synod__handle_pull (synod_handle_t *self);
void synod__handle_receive_free (synod_handle_t *self);

/* ---- handle_fd.c: none of these does anything while nobody has asked for the descriptor ---- */

/* Makes it readable: something is left, or may be. */
void synod__handle_wake (synod_handle_t *self);
/* Makes it say what is so. */
void synod__handle_settled (synod_handle_t *self);
/* Before a wait that sleeps: what it says of itself must not end the wait. */
void synod__handle_hush (synod_handle_t *self);
/* What a wait of 0 sees to, for one that has nothing to wait for. */
void synod__handle_see_to (synod_handle_t *self);
void synod__handle_wake_free (synod_handle_t *self); /* before the port goes */

/* ---- kv.c ---- */

bool synod__handle_kvs_left (const synod_handle_t *handle); /* something is over and not taken, or begun and not sent */
void synod__handle_kvs_free (synod_handle_t *handle);       /* the runtime is gone */

/* ---- handle_publish.c ---- */

void synod__lone_destroy (synod_handle_t *self); /* flushes within the linger time, ends the thread */
/* Hands over what waits: true when nothing is left. */
bool synod__lone_flush (synod_handle_t *self);

#endif
