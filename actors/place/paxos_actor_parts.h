/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of the actor `paxos` know of each other. A part is a file:
 *
 *   paxos_actor.c          its life, its store, the acceptor, status
 *   paxos_actor_effort.c   proposals and questions that it drives
 *   paxos_actor_init.c     how a set of acceptors comes about
 */
#ifndef SYNOD_PLACE_PAXOS_ACTOR_PARTS_H_INCLUDED
#define SYNOD_PLACE_PAXOS_ACTOR_PARTS_H_INCLUDED

#include "paxos_actor.h"
#include "protocol/paxos_records.h"

typedef struct synod__paxos_effort_t synod__paxos_effort_t; /* one proposal or question */
typedef struct synod__paxos_making_t synod__paxos_making_t; /* one init */

/* The actor's memory. Invariants: BEGUN only with a set; efforts only with BEGUN; a recorded set never changes. */
typedef struct {
    synod__paxos_self_t self; /* its name borrows the node's */
    synod__paxos_set_t set;   /* count 0: none is recorded */
    bool begun;               /* all of the set have recorded it, as far as is known here */
    uint64_t round;           /* the last one used, as in the store */
    uint64_t keys, chosen;    /* records, and those of which the value is known */
    uint64_t refused;         /* in this life */
    synod__paxos_effort_t *efforts;
    uint32_t nefforts;
    uint64_t last_id; /* of an effort or a making */
    synod__paxos_making_t *making;
} synod__paxos_state_t;

/* ---- paxos_actor.c ---- */

/* Whether this node can drive an effort: SYNOD_OK, or SYNOD_REFUSED with the sentence set. */
int synod__paxos_ready (synod_ctx_t *ctx, const synod__paxos_state_t *self);
/* What this node has as an acceptor under KEY; empty when nothing. Borrows the store. */
int synod__paxos_stored (synod_ctx_t *ctx, synod_str_t key, synod__paxos_record_t *record, bool *there);
int synod__paxos_put_round (synod_ctx_t *ctx, uint64_t round);
int synod__paxos_put_set (synod_ctx_t *ctx, synod__paxos_state_t *self, const synod__paxos_set_t *set);
int synod__paxos_put_begun (synod_ctx_t *ctx, synod__paxos_state_t *self);
/* Tells NODE's actor. One that cannot be sent is as good as lost on its way. */
void synod__paxos_tell (synod_ctx_t *ctx, synod_str_t node, synod_str_t key, const synod__paxos_message_t *message);

/* ---- paxos_actor_effort.c ---- */

/* As synod__proposer_begin; the answer goes to CALL. */
int synod__paxos_effort (synod_ctx_t *ctx, synod__paxos_state_t *self, synod_str_t key, synod_str_t value,
                         synod_call_t call);
int synod__paxos_efforts_take (synod_ctx_t *ctx, synod__paxos_state_t *self, synod_str_t key,
                               const synod__paxos_message_t *message);
void synod__paxos_efforts_free (synod__paxos_state_t *self);

/* ---- paxos_actor_init.c ---- */

int synod__paxos_on_init (synod_ctx_t *ctx, void *state, const synod__paxos_init_t *in, synod_call_t call);
int synod__paxos_on_adopt (synod_ctx_t *ctx, void *state, const synod__paxos_adopt_t *in, synod_call_t call);
int synod__paxos_on_begin (synod_ctx_t *ctx, void *state, const synod__paxos_begin_t *in, synod_call_t call);
/* Fills LIST, whose elements are in ITEMS (the caller's, to be freed when LIST is packed). */
int synod__paxos_list (const synod__paxos_set_t *set, synod_list_t *list, synod_buf_t *items);
void synod__paxos_making_free (synod__paxos_state_t *self);

#endif
