/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of the actor `vote` know of each other. A part is a file:
 *
 *   vote_actor.c         its life, transactions under way, messages of them
 *   vote_actor_begin.c   how one is asked for
 *   vote_actor_store.c   what it keeps
 *   vote_actor_look.c    for operators: how transactions are
 */
#ifndef SYNOD_VOTE_VOTE_ACTOR_PARTS_H_INCLUDED
#define SYNOD_VOTE_VOTE_ACTOR_PARTS_H_INCLUDED

#include "vote_actor.h"

#define SYNOD__VOTE_CALLS_MAX 8 /* who wait for one transaction: the last to ask */

/* A transaction under way. */
typedef struct synod__voting_t {
    struct synod__voting_t *next;
    synod__txn_t txn;
    synod__coordinator_t core;
    bool begun;                         /* CORE is in use; before, the acceptors are being asked for */
    synod_buf_t ops;                    /* of all participants, one after another */
    synod_str_t op[SYNOD__PARTIES_MAX]; /* their places in it */
    synod_buf_t reasons;                /* elements of a list, packed */
    uint32_t nreasons;
    synod_call_t calls[SYNOD__VOTE_CALLS_MAX];
    uint32_t ncalls;
    int64_t until_us; /* its deadline; 0: it is over */
    uint64_t since;   /* when it was begun, in seconds by the wall clock */
    uint64_t low;     /* all below had ended when its last record was written */
    uint64_t sure;    /* numbers below are taken for good, once who was asked to vote answers; 0: nothing new */
    synod_timer_t timer;
} synod__voting_t;

/* The memory of a partition. */
typedef struct {
    synod__voting_t *votings;
    uint32_t count;
    uint64_t low;            /* all below have ended, and it is durable that they have */
    uint64_t sure;           /* numbers below are no later life's: taken in the store for good, or this life's alone */
    uint64_t next, reserved; /* numbers: the next one, and up to which they are taken in the store */
    synod__paxos_set_t acceptors; /* of new transactions; count 0: not known yet */
    bool asking;
} synod__vote_state_t;

/* ---- vote_actor.c ---- */

synod__voting_t *synod__voting_find (const synod__vote_state_t *self, synod_str_t id);
/* Adds it; takes TXN. */
synod__voting_t *synod__voting_new (synod__vote_state_t *self, synod__txn_t *txn);
void synod__voting_end (synod__vote_state_t *self, synod__voting_t *voting);
int synod__voting_begin (synod_ctx_t *ctx, synod__vote_state_t *self, synod__voting_t *voting);

/* ---- vote_actor_begin.c ---- */

int synod__vote_on_commit (synod_ctx_t *ctx, void *state, const synod__txn_commit_t *in, synod_call_t call);

/* ---- vote_actor_look.c ---- */

int synod__vote_on_show (synod_ctx_t *ctx, void *state, const synod__txn_show_t *in, synod_call_t call);
int synod__vote_on_list (synod_ctx_t *ctx, void *state, const synod__txn_list_t *in, synod_call_t call);

/* ---- vote_actor_store.c ---- */

#define SYNOD__VOTE_KEPT_FIELDS(FIELD, OPT)                                                                \
    FIELD (str, outcome, SYNOD_NAME_MAX, "committed, aborted, or none yet")                                \
    FIELD (u64, epoch, UINT64_MAX, "of the transaction")                                                   \
    FIELD (u64, number, UINT64_MAX, "of the transaction")                                                  \
    OPT (bit, precommitted, 0, "3pc")                                                                      \
    OPT (u64, round, UINT64_MAX, "the last used in recovery")                                              \
    OPT (any, txn, SYNOD_FRAME_MAX, "who takes part; missing: it has ended")                               \
    OPT (u64, since, UINT64_MAX, "when it was begun, in seconds by the wall clock; missing: it has ended") \
    OPT (list, reasons, synod__txn_reason, "why it was aborted")                                           \
    OPT (u64, ended, UINT64_MAX, "when, in seconds by the wall clock")
SYNOD_RECORD_DECLARE (synod__vote_kept, SYNOD__VOTE_KEPT_FIELDS)

/* SYNOD_NOT_FOUND: there is none. Borrows the store. */
int synod__vote_get (synod_ctx_t *ctx, synod_str_t id, synod__vote_kept_t *out);
int synod__vote_put (synod_ctx_t *ctx, const synod__voting_t *voting);
/* The next number, written before it is used. */
int synod__vote_number (synod_ctx_t *ctx, synod__vote_state_t *self, uint64_t *number);
int synod__vote_load (synod_ctx_t *ctx, synod__vote_state_t *self); /* what is under way, and the numbers */
int synod__vote_sweep (synod_ctx_t *ctx);                           /* forgets old outcomes */
int synod__vote_answer (synod_ctx_t *ctx, synod_call_t call, synod_str_t id, synod__outcome_t outcome,
                        const synod_list_t *reasons, bool again);

#endif
