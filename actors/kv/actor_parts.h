/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of the actor `kv` share.
 *
 *   kv_actor.c   routes, steps, watching, deadlines, life
 *   kv_party.c   its part in transactions
 *   kv_wait.c    who waits for the outcome of one
 */
#ifndef SYNOD_KV_ACTOR_PARTS_H_INCLUDED
#define SYNOD_KV_ACTOR_PARTS_H_INCLUDED

#include "inner.h"
#include "node.h"

#define SYNOD__KV_WAITERS_MAX 256 /* of a partition */

typedef struct synod__kv_waiter_t synod__kv_waiter_t;

/* Whether any key of the partition is locked, as its store has it: looked up anew after each handler that may have changed
 * it, for that may have come to nothing. */
typedef enum { SYNOD__KV_LOCKS_UNKNOWN, SYNOD__KV_LOCKS_NONE, SYNOD__KV_LOCKS_SOME } synod__kv_locks_t;

/* A partition's memory. */
typedef struct {
    synod__kv_memory_t memory;
    int64_t watched_us; /* changes are published until then */
    int64_t timer_ms;   /* when the timer runs; SYNOD__KV_NEVER: it is not set */
    synod_timer_t timer;
    synod__kv_locks_t locks;
    synod__kv_mark_t mark;
    synod__kv_waiter_t *waiters, **last; /* in the order in which they came */
    uint32_t nwaiters;
    synod__kv_shared_t shared; /* of the node's own instance alone */
} synod__kv_actor_state_t;

extern const synod__kv_store_t synod__kv_actor_store; /* a context's */

/* ---- kv_actor.c ---- */

/* A step begins. */
void synod__kv_actor_begin (synod_ctx_t *ctx, const synod__kv_actor_state_t *self, synod__kv_step_t *step);
/* Its writes stay, if this returns SYNOD_OK. */
int synod__kv_actor_end (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod__kv_step_t *step, int rc);

/* ---- kv_party.c ---- */

int synod__kv_actor_prepare (synod_ctx_t *ctx, void *state, const synod_txn_t *txn, bool *empty);
int synod__kv_actor_commit (synod_ctx_t *ctx, void *state, const synod_txn_t *txn);
int synod__kv_actor_abort (synod_ctx_t *ctx, void *state, const synod_txn_t *txn);

/* ---- kv_wait.c ---- */

/* What is done for an ask, now or when what it is about is not locked any more. KEY, not the message's, is what it is
 * about: the key, or of a scan what keys begin with. */
typedef int synod__kv_run_t (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod_str_t key, const void *in,
                             synod_call_t call);

/* Runs it, or lets it wait. WIDE: it is about all keys that begin with KEY. */
int synod__kv_do (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod_str_t key, bool wide,
                  const synod_record_t *record, synod__kv_run_t *run, const void *in, synod_call_t call);
/* Whether anybody waits for KEY itself. */
bool synod__kv_awaited (const synod__kv_actor_state_t *self, synod_str_t key);
/* Something was unlocked. */
int synod__kv_resume (synod_ctx_t *ctx, synod__kv_actor_state_t *self);
void synod__kv_waiters_free (synod__kv_actor_state_t *self);
/* *LOCKED: KEY is; or if WIDE any that begins with it. */
int synod__kv_actor_locked (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod_str_t key, bool wide, bool *locked);

#endif
