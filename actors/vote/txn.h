/* SPDX-License-Identifier: MPL-2.0
 *
 * A transaction as its coordinator, participants and acceptors know it: who takes part, and how the cores' messages
 * (vote.h) become the record `$txn` (protocol/vote.def) and come back.
 *
 * Who may say what: a coordinator's message comes from an actor `vote`, a participant's from the actor that its address
 * names, an acceptor's from the actor `acceptor` of a node that the transaction names. Others are refused.
 */
#ifndef SYNOD_VOTE_TXN_H_INCLUDED
#define SYNOD_VOTE_TXN_H_INCLUDED

#include <synod/actor.h>
#include "protocol/vote_records.h"
#include "vote.h"

#define SYNOD__VOTE_ACTOR     "vote"     /* the coordinator's name */
#define SYNOD__ACCEPTOR_ACTOR "acceptor" /* the acceptors' */

/* One begin of a transaction: a repeat of its id after a failure is another one. */
typedef struct {
    char id[SYNOD__TXN_ID_MAX + 1];
    uint64_t epoch, number;
    uint32_t home;
} synod__txn_id_t;

/* Zero-initialise, free with synod__txn_free. */
typedef struct {
    synod__txn_id_t id;
    synod__vote_tx_t tx;
    char *addresses[SYNOD__PARTIES_MAX]; /* owned */
} synod__txn_t;

void synod__txn_id_take (synod__txn_id_t *self, const synod__txn_txn_t *in); /* whose texts are within their limits */
bool synod__txn_id_same (const synod__txn_id_t *a, const synod__txn_id_t *b);

/* From a message that says who takes part. SYNOD_BAD_REQUEST with a sentence when it does not, or makes no sense. */
int synod__txn_take (synod__txn_t *self, const synod__txn_txn_t *in, synod_fault_t *fault);
void synod__txn_free (synod__txn_t *self);
/* Checks an address of a participant: actor#key, or node/actor; SYNOD_INVALID with a sentence. */
int synod__txn_address (synod_str_t address, synod_fault_t *fault);

/* Fills OUT with what is in IN; its views borrow from IN and CTX's message. SYNOD_BAD_REQUEST when words are unknown, or
 * it does not come from who it says. TXN NULL: who takes part is not known here, and is not compared. */
int synod__txn_understand (synod_ctx_t *ctx, const synod__txn_t *txn, const synod__txn_txn_t *in,
                           synod__vote_message_t *out);

/* What a sender may add: PREPARE's. */
typedef struct {
    uint64_t low;
    const synod_str_t *ops; /* by participant */
    const char *reason;     /* VOTE's */
} synod__txn_more_t;

/* Tells all that SEND is for. What cannot be sent is as good as lost on its way. MORE may be NULL. */
void synod__txn_tell (synod_ctx_t *ctx, const synod__txn_t *txn, const synod__vote_send_t *send,
                      const synod__txn_more_t *more);

/* Who a proposer is: this node's store, in that role, with that number. */
synod__paxos_self_t synod__txn_self (const synod_ctx_t *ctx, synod__vote_role_t role, uint32_t number);

/* Appends the packed description to OUT: a `$txn` of kind ask with nothing else in it, for the store. */
int synod__txn_pack (const synod__txn_t *self, synod_buf_t *out);

#endif
