/* SPDX-License-Identifier: MPL-2.0
 *
 * Atomic commit: a coordinator and up to SYNOD__PARTIES_MAX participants, of which all commit or none does. Four
 * protocols behind one interface, each a table of functions (synod__vote_ops_t):
 *
 *   2pc     two-phase, presumed abort (Mohan, Lindsay and Obermarck, 1986; Lampson and Lomet, 1993), with cooperative
 *           termination: blocked participants ask each other
 *   3pc     three-phase with a termination protocol (Skeen, 1981). Safe only where messages arrive in time and who is
 *           silent is dead: under a partition it decides both ways
 *   paxos   Paxos Commit (Gray and Lamport, 2006): each vote is an instance of Paxos over 2F+1 acceptors
 *   parallel  two-phase in which the votes are the decision (Taft et al., 2020, section 3.2)
 *
 * Pure cores: an event goes in, a step comes out. A step says what is written, what is sent and how long to wait. WHAT
 * A STEP WRITES FORCED IS DURABLE BEFORE ANYTHING OF IT IS SENT (but for `early` steps); what it writes lazily may be lost in a crash. The
 * record written is the core's own, as it is after the event. A core knows one transaction, and others by role and
 * number; who they are on the bus, and that a message is from whom it says, is its carrier's business.
 *
 * Invariants, which vote_check.h watches:
 *   - no two decide differently, and who has decided stays with it;
 *   - committed only if every participant voted yes (or had nothing to vote on), and each of those had written so;
 *   - a vote, NO included, is written before it is said, and never becomes another;
 *   - a participant that is PREPARED waits for the outcome however long it takes: it guesses none;
 *   - the coordinator forgets a committed transaction only when every participant has acknowledged.
 */
#ifndef SYNOD_VOTE_VOTE_H_INCLUDED
#define SYNOD_VOTE_VOTE_H_INCLUDED

#include "actors/place/paxos.h"

#define SYNOD__PARTIES_MAX 32

typedef enum { SYNOD__VOTE_2PC = 1, SYNOD__VOTE_3PC, SYNOD__VOTE_PAXOS, SYNOD__VOTE_PARALLEL } synod__vote_protocol_t;
#define SYNOD__VOTE_PROTOCOLS      4
#define SYNOD__VOTE_PROTOCOL_NAMES "2pc, 3pc, paxos or parallel"

typedef enum {
    SYNOD__VOTE_NONE,
    SYNOD__VOTE_YES,
    SYNOD__VOTE_NO,
    SYNOD__VOTE_EMPTY /* nothing was read or written: counts as yes, and the outcome is of no concern */
} synod__vote_t;

typedef enum { SYNOD__OUTCOME_NONE, SYNOD__OUTCOME_COMMITTED, SYNOD__OUTCOME_ABORTED } synod__outcome_t;

/* A participant's, and what is on its disk. */
typedef enum {
    SYNOD__PARTY_IDLE, /* has not voted; no record */
    SYNOD__PARTY_PREPARED,
    SYNOD__PARTY_PRECOMMITTED, /* 3pc */
    SYNOD__PARTY_COMMITTED,
    SYNOD__PARTY_ABORTED,
    SYNOD__PARTY_EMPTY
} synod__party_state_t;

typedef enum { SYNOD__ROLE_COORDINATOR, SYNOD__ROLE_PARTY, SYNOD__ROLE_ACCEPTOR } synod__vote_role_t;

/* Words on the wire and in listings, and back; 0: none of them. */
const char *synod__vote_protocol_name (synod__vote_protocol_t protocol);
synod__vote_protocol_t synod__vote_protocol (synod_str_t name);
const char *synod__vote_name (synod__vote_t vote);
synod__vote_t synod__vote (synod_str_t name);
const char *synod__outcome_name (synod__outcome_t outcome);
synod__outcome_t synod__outcome (synod_str_t name);
const char *synod__party_state_name (synod__party_state_t state);
synod__party_state_t synod__party_state (synod_str_t name);

/* What all of a transaction know of it; never changes. */
typedef struct {
    synod__vote_protocol_t protocol;
    uint32_t parties;
    synod__paxos_set_t acceptors; /* of paxos; else count 0 */
} synod__vote_tx_t;

static inline uint32_t synod__vote_all (const synod__vote_tx_t *tx)
{
    return (uint32_t) ((1ull << tx->parties) - 1);
}

/* ---- messages ---- */

typedef enum {
    SYNOD__SAY_PREPARE = 1,  /* coordinator: vote */
    SYNOD__SAY_VOTE,         /* participant: VOTE */
    SYNOD__SAY_PRECOMMIT,    /* whoever leads, 3pc: all have voted yes */
    SYNOD__SAY_PRECOMMITTED, /* participant: written */
    SYNOD__SAY_DECIDED,      /* anybody who knows: OUTCOME */
    SYNOD__SAY_ACK,          /* participant to coordinator: has OUTCOME, written where it must be */
    SYNOD__SAY_ASK,          /* participant, or a coordinator that came back: what has become of it? */
    SYNOD__SAY_STATE,        /* the answer of who does not know: STATE */
    SYNOD__SAY_PAXOS,        /* to an acceptor or from one: a step of Paxos for the vote of INSTANCE */
    SYNOD__SAY_FORGET        /* coordinator to acceptor: all know the outcome */
} synod__vote_kind_t;

const char *synod__vote_kind_name (synod__vote_kind_t kind);
synod__vote_kind_t synod__vote_kind (synod_str_t name);

typedef struct {
    synod__vote_kind_t kind;
    synod__vote_role_t role; /* of the sender */
    uint32_t from;           /* its number among those */
    synod__vote_t vote;
    synod__outcome_t outcome;
    synod__party_state_t state;
    bool returned; /* STATE: it crashed since, and others may have decided without it */
    uint32_t instance;
    synod__paxos_message_t paxos;
} synod__vote_message_t;

typedef struct {
    synod__vote_role_t role;
    uint32_t bits; /* of those with that role; 1 for the coordinator */
    synod__vote_message_t message;
} synod__vote_send_t;

typedef enum { SYNOD__WRITE_NOTHING, SYNOD__WRITE_LAZY, SYNOD__WRITE_FORCED } synod__vote_write_t;

#define SYNOD__VOTE_SENDS_MAX (2 * SYNOD__PARTIES_MAX + 4)

/* Views of its messages borrow from the core and from the event, until the core's next event. */
typedef struct {
    synod__vote_write_t write; /* the core's record replaces the one on the disk */
    uint32_t nsends;
    synod__vote_send_t sends[SYNOD__VOTE_SENDS_MAX];
    bool early;               /* its messages need not wait for what it writes, nor for anything before */
    uint32_t wait_ms;         /* 0: as before; else a timer that replaces the one before */
    synod__outcome_t decided; /* participant: apply it, in the same commit; coordinator: the answer for who began */
    bool contradicts;         /* participant: an operator had forced the other outcome */
    bool ended;               /* nothing more will come of it. Coordinator: its record may go */
    int code;                 /* SYNOD_OK; else what came in makes no sense, and nothing was done (see ERROR) */
    const char *error;        /* its sentence */
} synod__vote_step_t;

/* Paxos Commit's votes as values, and a participant's own ballot 0: below any that a store can have. */
synod_str_t synod__vote_value (synod__vote_t vote);
synod__vote_t synod__vote_of_value (synod_str_t value); /* NONE: no vote */
extern const synod__ballot_t synod__vote_ballot_0;

/* ---- who counts what the acceptors say, and recovers ---- */

typedef struct {
    const synod__vote_tx_t *tx; /* borrowed */
    synod__paxos_self_t self;   /* no two that may lead have the same id: store, role and number are in it */
    uint64_t *round;            /* borrowed: in the record */
    synod__vote_t chosen[SYNOD__PARTIES_MAX];
    uint32_t accepted[SYNOD__PARTIES_MAX][2]; /* bits of acceptors, under ballot 0: yes, no */
    synod__proposer_t *efforts;               /* owned; NULL: not recovering */
} synod__tally_t;

/* ---- the participant ---- */

typedef struct {
    synod__party_state_t state;
    bool forced;    /* its outcome was an operator's */
    uint64_t round; /* paxos: the last it used in recovery */
} synod__party_record_t;

/* Volatile but for RECORD. */
typedef struct {
    const synod__vote_tx_t *tx; /* borrowed */
    uint32_t index;
    synod__party_record_t record;
    synod__tally_t tally;
    bool named;                                      /* the transaction names this owner's epoch: it may use ballot 0 */
    bool returned;                                   /* it voted in an earlier life */
    uint32_t tries;                                  /* how often it has asked in vain */
    bool led;                                        /* the coordinator, at work, answered in this round of asking */
    uint32_t heard, operational;                     /* of the peers, in this round */
    synod__party_state_t states[SYNOD__PARTIES_MAX]; /* theirs */
} synod__party_t;

/* From what is on the disk (zeroed: nothing). Borrows TX and WHO's name. NAMED: see the field. */
void synod__party_begin (synod__party_t *self, const synod__vote_tx_t *tx, uint32_t index,
                         const synod__party_record_t *record, const synod__paxos_self_t *who, bool named);
/* It is there again after a crash or a hand-over, and asks if it has to. */
void synod__party_return (synod__party_t *self, uint64_t random, synod__vote_step_t *out);
/* PREPARE came and its VOTE would be this one, or it had voted already (then VOTE is not looked at). */
void synod__party_prepare (synod__party_t *self, synod__vote_t vote, uint64_t random, synod__vote_step_t *out);
/* Any other message. */
void synod__party_take (synod__party_t *self, const synod__vote_message_t *in, uint64_t random,
                        synod__vote_step_t *out);
void synod__party_timer (synod__party_t *self, uint64_t random, synod__vote_step_t *out);
/* An operator decides. SYNOD_REFUSED in the step unless it is in doubt. */
void synod__party_force (synod__party_t *self, synod__outcome_t outcome, synod__vote_step_t *out);
void synod__party_free (synod__party_t *self);

/* Whether it may still vote yes: of paxos only the owner that the transaction names may, since another one has no ballot to
 * say so under; elsewhere it has adopted all that its predecessors said. */
static inline bool synod__party_may (const synod__party_t *self)
{
    return self->record.state == SYNOD__PARTY_IDLE && (self->named || self->tx->protocol != SYNOD__VOTE_PAXOS);
}
static inline bool synod__party_waits (const synod__party_t *self)
{
    return self->record.state == SYNOD__PARTY_PREPARED || self->record.state == SYNOD__PARTY_PRECOMMITTED;
}
/* It voted yes, and those it could ask do not know either. */
static inline bool synod__party_in_doubt (const synod__party_t *self)
{
    return synod__party_waits (self) && self->tries > 1;
}

/* ---- the coordinator ---- */

typedef enum {
    SYNOD__COORDINATOR_COLLECTING,
    SYNOD__COORDINATOR_PRECOMMITTING, /* 3pc */
    SYNOD__COORDINATOR_LEARNING,      /* 3pc, parallel come back; paxos recovering */
    SYNOD__COORDINATOR_DECIDED,       /* telling, and waiting for acknowledgements */
    SYNOD__COORDINATOR_ENDED
} synod__coordinator_phase_t;

typedef struct {
    synod__outcome_t outcome;
    bool precommitted; /* 3pc: pre-commit may have been sent */
    uint64_t round;    /* paxos: the last it used in recovery */
} synod__coordinator_record_t;

/* Volatile but for RECORD. */
typedef struct {
    const synod__vote_tx_t *tx; /* borrowed */
    synod__coordinator_record_t record;
    synod__coordinator_phase_t phase;
    synod__vote_t votes[SYNOD__PARTIES_MAX];
    uint32_t precommitted, acked; /* bits of participants */
    uint32_t tries;
    synod__tally_t tally;
} synod__coordinator_t;

/* A new transaction. Borrows TX and WHO's name. */
void synod__coordinator_begin (synod__coordinator_t *self, const synod__vote_tx_t *tx, const synod__paxos_self_t *who,
                               uint64_t random, synod__vote_step_t *out);
/* The same after a crash or a hand-over, from its record; zeroed: of one that had none, but is asked about (paxos). */
void synod__coordinator_return (synod__coordinator_t *self, const synod__vote_tx_t *tx,
                                const synod__coordinator_record_t *record, const synod__paxos_self_t *who,
                                uint64_t random, synod__vote_step_t *out);
void synod__coordinator_take (synod__coordinator_t *self, const synod__vote_message_t *in, uint64_t random,
                              synod__vote_step_t *out);
/* EXPIRED: the transaction's time is over. */
void synod__coordinator_timer (synod__coordinator_t *self, bool expired, uint64_t random, synod__vote_step_t *out);
void synod__coordinator_free (synod__coordinator_t *self);
/* Bits of the participants that it waits for. */
uint32_t synod__coordinator_waits (const synod__coordinator_t *self);
/* What a coordinator says to IN about a transaction that it has no record of: it was aborted. Of paxos it
 * must find out: the step is empty, and synod__coordinator_return is called for. */
void synod__coordinator_absent (synod__vote_protocol_t protocol, const synod__vote_message_t *in,
                                synod__vote_step_t *out);

/* ---- the acceptor ---- */

typedef struct {
    bool write; /* RECORD replaces the stored one, first */
    synod__paxos_record_t record;
    bool forget; /* all records of the transaction go */
    uint32_t nsends;
    synod__vote_send_t send;
} synod__vote_acceptor_step_t;

/* INDEX: which of the transaction's acceptors; SELF its name and store. STORED: what was written for IN's instance. */
void synod__vote_accept (const synod__vote_tx_t *tx, uint32_t index, const synod__paxos_self_t *self,
                         const synod__paxos_record_t *stored, const synod__vote_message_t *in,
                         synod__vote_acceptor_step_t *out);

/* ---- mistakes on purpose, for tests that must find them: compiled in only with SYNOD_VOTE_MUTANTS ---- */

typedef enum {
    SYNOD__VOTE_MUTANT_NONE,
    SYNOD__VOTE_MUTANT_VOTE_NOT_WRITTEN,
    SYNOD__VOTE_MUTANT_NO_NOT_WRITTEN,
    SYNOD__VOTE_MUTANT_COMMIT_NOT_FORCED,
    SYNOD__VOTE_MUTANT_ACK_NOT_FORCED,
    SYNOD__VOTE_MUTANT_END_BEFORE_ACKS,
    SYNOD__VOTE_MUTANT_DECISION_BEFORE_ALL,
    SYNOD__VOTE_MUTANT_DECISION_BEFORE_QUORUM,
    SYNOD__VOTE_MUTANT_FREE_CHOICE,
    SYNOD__VOTE_MUTANT_PEER_ABORT_NOT_WRITTEN,
    SYNOD__VOTE_MUTANT_ABORT_WHILE_COLLECTING,
    SYNOD__VOTE_MUTANT_TIMEOUT_ABORTS, /* paxos: aborted at the deadline without asking the acceptors */
    SYNOD__VOTE_MUTANT_FORGET_EARLY,   /* paxos: the acceptors forget before all have acknowledged */
    SYNOD__VOTE_MUTANT_NO_PRECOMMIT,
    SYNOD__VOTE_MUTANT_TERMINATION_SKIPS_PRECOMMIT,
    SYNOD__VOTE_MUTANT_BEGIN_NOT_WRITTEN, /* parallel: decided without the record */
    SYNOD__VOTE_MUTANT_ABORT_NOT_FORCED,  /* parallel: an abort for want of a vote may be lost */
    SYNOD__VOTE_MUTANT_RETURN_ABORTS,     /* parallel: who comes back asks nobody */
    SYNOD__VOTE_MUTANT_LEFT_BEHIND,       /* of the carrier: a hand-over without what was prepared */
    SYNOD__VOTE_MUTANTS
} synod__vote_mutant_t;

#ifdef SYNOD_VOTE_MUTANTS
extern synod__vote_mutant_t synod__vote_mutant;
#define SYNOD__VOTE_MUTANT(name) (synod__vote_mutant == SYNOD__VOTE_MUTANT_##name)
#else
#define SYNOD__VOTE_MUTANT(name) false
#endif

#endif
