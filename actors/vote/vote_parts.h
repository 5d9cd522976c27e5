/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of the voting cores know of each other. A part is a file:
 *
 *   vote.c               words, steps
 *   vote_party.c         the participant, what is the same in all protocols
 *   vote_coordinator.c   the coordinator, likewise
 *   vote_2pc.c, vote_3pc.c, vote_paxos.c, vote_parallel.c   what each protocol does its own way
 */
#ifndef SYNOD_VOTE_PARTS_H_INCLUDED
#define SYNOD_VOTE_PARTS_H_INCLUDED

#include "vote.h"

/* What a protocol does its own way. OUT is the step under way. */
typedef struct {
    /* the participant, which is PREPARED, says its vote (its record is written in this step) */
    void (*say) (synod__party_t *self, uint64_t random, synod__vote_step_t *out);
    /* it has waited for the outcome in vain */
    void (*blocked) (synod__party_t *self, uint64_t random, synod__vote_step_t *out);
    /* a message that only this protocol has, or an answer to ASK */
    void (*party_take) (synod__party_t *self, const synod__vote_message_t *in, uint64_t random,
                        synod__vote_step_t *out);
    /* the coordinator has another vote */
    void (*voted) (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out);
    /* it waited in vain, undecided. EXPIRED: the transaction's time is over */
    void (*patience) (synod__coordinator_t *self, bool expired, uint64_t random, synod__vote_step_t *out);
    /* a message that only this protocol has, or an answer to ASK */
    void (*coordinator_take) (synod__coordinator_t *self, const synod__vote_message_t *in, uint64_t random,
                              synod__vote_step_t *out);
    /* it is there again with its record, undecided */
    void (*returned) (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out);
    synod__vote_write_t begin;  /* how the coordinator writes that it begins */
    bool early;                 /* who is asked to vote may be before that, or anything before it, is durable */
    synod__vote_write_t commit; /* how it writes COMMITTED */
    bool abort_acked;           /* it waits for acknowledgements of an abort too */
} synod__vote_ops_t;

extern const synod__vote_ops_t synod__vote_2pc, synod__vote_3pc, synod__vote_paxos, synod__vote_parallel;
const synod__vote_ops_t *synod__vote_ops (synod__vote_protocol_t protocol);

/* ---- steps ---- */

void synod__vote_step_clear (synod__vote_step_t *out);
/* Adds a message of KIND to those; the rest of it is zeroed. */
synod__vote_message_t *synod__party_send (const synod__party_t *self, synod__vote_role_t role, uint32_t bits,
                                          synod__vote_kind_t kind, synod__vote_step_t *out);
synod__vote_message_t *synod__coordinator_send (synod__vote_role_t role, uint32_t bits, synod__vote_kind_t kind,
                                                synod__vote_step_t *out);
void synod__vote_write (synod__vote_write_t write, synod__vote_step_t *out); /* the stronger one counts */
/* Longer with every try in vain, and never quite the same. */
uint32_t synod__vote_wait_ms (uint32_t tries, uint64_t random);

static inline uint32_t synod__party_peers (const synod__party_t *self)
{
    return synod__vote_all (self->tx) & ~(1u << self->index);
}

/* ---- what the protocols do alike ---- */

/* The participant has learned the outcome, or decides it (TELL: and tells all). */
void synod__party_decide (synod__party_t *self, synod__outcome_t outcome, bool tell, synod__vote_step_t *out);
void synod__party_become (synod__party_t *self, synod__party_state_t state, synod__vote_write_t write,
                          synod__vote_step_t *out);
/* Asks the coordinator, and the peers too. */
void synod__party_ask (synod__party_t *self, bool peers, synod__vote_step_t *out);
void synod__coordinator_decide (synod__coordinator_t *self, synod__outcome_t outcome, uint64_t random,
                                synod__vote_step_t *out);
/* Asks those whose vote it does not have to vote. */
void synod__coordinator_collect (synod__coordinator_t *self, uint32_t bits, uint64_t random, synod__vote_step_t *out);
/* Bits of those that have voted, and whether any voted NO. */
uint32_t synod__coordinator_votes (const synod__coordinator_t *self, bool *no);

/* ---- vote_2pc.c: what is alike where the coordinator counts votes ---- */

void synod__2pc_say (synod__party_t *self, uint64_t random, synod__vote_step_t *out);
void synod__2pc_blocked (synod__party_t *self, uint64_t random, synod__vote_step_t *out);
void synod__2pc_party_take (synod__party_t *self, const synod__vote_message_t *in, uint64_t random,
                            synod__vote_step_t *out);
void synod__2pc_voted (synod__coordinator_t *self, uint64_t random, synod__vote_step_t *out);

/* ---- vote_paxos.c ---- */

void synod__tally_begin (synod__tally_t *self, const synod__vote_tx_t *tx, const synod__paxos_self_t *who,
                         uint64_t *round);
void synod__tally_free (synod__tally_t *self);

#endif
