/* SPDX-License-Identifier: MPL-2.0
 *
 * Commands on many keys of `kv` or `cache`, several of them in one message (docs/kv.md, "From programs"). Operations are
 * begun one by one, and leave together: one message to each node that has keys of them, as the ring or the directory has
 * it now. Each ends by itself, as if it had been asked alone.
 *
 * What is lost, refused for the time being, or not answered with the others is asked for alone, with what is left of its
 * time: the runtime then sees to it that it finds its owner. A command of `kv` has one number however often and wherever it
 * is sent, so it runs once. What `cache` is told to change is sent once, and its outcome may stay unknown.
 *
 * For actors and for handles: everything with a context is for an actor's own functions. No allocation for an operation
 * once its batch has been used before.
 */
#ifndef SYNOD_KV_CLIENT_H_INCLUDED
#define SYNOD_KV_CLIENT_H_INCLUDED

#include "actors/runtime/many.h"
#include "protocol/kv_records.h"

typedef enum {
    SYNOD__KVC_GET,
    SYNOD__KVC_GET_STALE, /* in: a get */
    SYNOD__KVC_PUT,
    SYNOD__KVC_DELETE,
    SYNOD__KVC_INCR,
    SYNOD__KVC_APPEND,
    SYNOD__KVC_EXPIRE,
    SYNOD__KVC_KINDS
} synod__kvc_kind_t;

typedef struct synod__kvc_batch_t synod__kvc_batch_t;

/* An operation, from begin until it has been given out. */
typedef struct synod__kvc_op_t {
    uint64_t tag; /* the caller's */
    uint64_t number;
    synod__kvc_batch_t *batch;           /* its bytes are there */
    struct synod__kvc_op_t *next, *prev; /* commands that may be sent again, by number; those that are over */
    uint32_t key_at, body_at;            /* in the batch's asks */
    uint32_t number_at;                  /* 0: it has none */
    uint16_t key_size;
    uint8_t kind;
    bool over;
    bool apart; /* its outcome is not given out by next */
    bool alone; /* it is to be asked for by itself */
    bool taken; /* perhaps: it went with others, and nobody said that nothing was done */
    uint32_t body_size;
    uint32_t timeout_ms;
    /* what it came to, in the batch's answers */
    int code;
    uint32_t text_at, text_size; /* the answer, or the error's sentence */
} synod__kvc_op_t;

/* Operations that are or were in one message. A kind has room for one alone, another for many. */
struct synod__kvc_batch_t {
    struct synod__kvc_t *owner;
    synod__kvc_batch_t *next; /* waiting to leave; or free */
    synod__kvc_batch_t *all_prev, *all_next;
    synod_buf_t asks, answers;
    uint32_t count, room;
    uint32_t held;    /* operations that have not been given out */
    const char *node; /* while they are handed out: where it goes */
    uint32_t timeout_ms;
    int64_t until_us;
    uint32_t under_way; /* asks that have not been answered */
    synod__kvc_op_t ops[];
};

typedef struct synod__kvc_t {
    char actor[SYNOD_NAME_MAX + 1];
    bool once;                              /* what changes a key is a command */
    uint32_t few;                           /* operations for one node: up to so many are asked for each by itself */
    synod__floor_t floor;                   /* in the runtime while number is not 0 */
    synod__kvc_op_t *commands;              /* sent and not over, by number */
    synod__kvc_batch_t *fresh, *fresh_last; /* begun */
    synod__kvc_batch_t *all;
    synod__kvc_batch_t *spare, *spare_one;
    synod__kvc_op_t *over, *over_last;  /* to be given out */
    synod__kvc_op_t *given;             /* the last one that was */
    uint32_t nfresh, nover, nunder_way; /* operations: begun, over, neither */
    synod_buf_t body;
    void (*on_idle) (void *arg); /* nothing is under way any more; may free it. NULL: nobody wants to know */
    void *on_idle_arg;
} synod__kvc_t;

/* ACTOR: kv or cache. ONCE: its changes are commands. Zeroes SELF. */
void synod__kvc_init (synod__kvc_t *self, const char *actor, bool once);
/* All that is under way is forgotten: CTX may be NULL only where nothing was ever sent, or with the runtime. */
void synod__kvc_free (synod__kvc_t *self, synod_ctx_t *ctx);

/* Begins one; IN is the record of KIND, copied. It leaves with synod__kvc_send. SYNOD_INVALID, SYNOD_TOO_LARGE with a
 * sentence: it is none, and nothing was begun. OP (may be NULL): as it is until it has been given out, or released. APART:
 * next does not give it out. */
int synod__kvc_begin (synod__kvc_t *self, synod__kvc_kind_t kind, synod_str_t key, const void *in, uint32_t timeout_ms,
                      uint64_t tag, bool apart, synod__kvc_op_t **op, synod_fault_t *fault);
/* Sends all that was begun. */
void synod__kvc_send (synod__kvc_t *self, synod_ctx_t *ctx);
/* The next one that is over, or NULL. Valid until the next call of it. */
synod__kvc_op_t *synod__kvc_next (synod__kvc_t *self);
/* One that was begun apart, and is over: it is no more. */
void synod__kvc_release (synod__kvc_t *self, synod__kvc_op_t *op);
/* What it came to: SYNOD_OK with IS, or its code, with a sentence. Borrows OP. */
int synod__kvc_outcome (const synod__kvc_op_t *op, synod__kv_is_t *is, synod_str_t *sentence);
static inline synod_str_t synod__kvc_key (const synod__kvc_op_t *op)
{
    return synod_str_n (op->batch->asks.data + op->key_at, op->key_size);
}

#endif
