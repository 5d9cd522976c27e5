/* SPDX-License-Identifier: MPL-2.0
 *
 * Paxos of a single decree (Lamport, "Paxos Made Simple", 2001): for each key at most one value is ever chosen, and
 * somebody proposed it. A pure core: what happens goes in, what is to be done comes out. Everything here is about one
 * key; a message's key, and which set of acceptors decides it, are known to whoever carries the message.
 *
 * A step says what to write, what to send and how long to wait. WHAT IS TO BE WRITTEN IS DURABLE BEFORE ANYTHING OF THE
 * SAME STEP IS SENT: safety rests on it. Views in a step borrow what the step was made from, until its next step.
 */
#ifndef SYNOD_PLACE_PAXOS_H_INCLUDED
#define SYNOD_PLACE_PAXOS_H_INCLUDED

#include "member.h"

#define SYNOD__ACCEPTORS_MAX 15
#define SYNOD__ROUND_MAX     (1ull << 48) /* a message with a later one is nobody's */
#define SYNOD__DECREE_MAX    (216 * 1024) /* bytes of a value */

/* Ordered by round, then by proposer. A proposer is a store, so that one who lost its rounds is another. */
typedef struct {
    uint64_t round; /* 0: no ballot */
    synod__store_id_t proposer;
} synod__ballot_t;

int synod__ballot_compare (const synod__ballot_t *a, const synod__ballot_t *b);

/* ---- the acceptors ---- */

typedef struct {
    char name[SYNOD_NAME_MAX + 1];
    synod__store_id_t id;
} synod__acceptor_name_t;

typedef struct {
    uint32_t count;
    uint64_t digest; /* of names and stores: sets are the same if their digests are */
    synod__acceptor_name_t acceptors[SYNOD__ACCEPTORS_MAX]; /* by name */
} synod__paxos_set_t;

/* Fills SELF from COUNT acceptors in any order. SYNOD_INVALID with a sentence. */
int synod__paxos_set_make (synod__paxos_set_t *self, const synod__acceptor_name_t *acceptors, uint32_t count,
                           synod_fault_t *fault);
/* How a node records the set that it was told, and checks it. Errors as synod_record_pack and _unpack, and as _make. */
int synod__paxos_set_pack (const synod__paxos_set_t *self, synod_buf_t *out, synod_fault_t *fault);
int synod__paxos_set_unpack (synod__paxos_set_t *self, synod_str_t bytes, synod_fault_t *fault);
/* Whether the node NAME with the store ID is one of them: SYNOD_OK; SYNOD_NOT_FOUND: no such name; SYNOD_REFUSED: the
 * name, but another store, which has forgotten what that one promised. */
int synod__paxos_set_admits (const synod__paxos_set_t *self, synod_str_t name, const synod__store_id_t *id,
                             synod_fault_t *fault);
/* Whether WANTED, which somebody asks for, is the recorded SELF. SYNOD_REFUSED with the first difference. */
int synod__paxos_set_same (const synod__paxos_set_t *self, const synod__paxos_set_t *wanted, synod_fault_t *fault);

static inline uint32_t synod__paxos_majority (const synod__paxos_set_t *self)
{
    return self->count / 2 + 1;
}

/* ---- messages ---- */

typedef enum {
    SYNOD__PAXOS_PREPARE = 1, /* proposer: promise me BALLOT */
    SYNOD__PAXOS_PROMISE,     /* acceptor: promised; ACCEPTED and VALUE are what it accepted last */
    SYNOD__PAXOS_ACCEPT,      /* proposer: accept VALUE under BALLOT */
    SYNOD__PAXOS_ACCEPTED,    /* acceptor: accepted under BALLOT */
    SYNOD__PAXOS_BEHIND,      /* acceptor: BALLOT is too low, ACCEPTED is the one promised */
    SYNOD__PAXOS_QUERY,       /* learner: what have you accepted? BALLOT marks the answers as this query's */
    SYNOD__PAXOS_REPORT,      /* acceptor: ACCEPTED and VALUE */
    SYNOD__PAXOS_CHOSEN,      /* anybody: VALUE was chosen under ACCEPTED */
    SYNOD__PAXOS_STRANGER     /* acceptor: I am none of that set */
} synod__paxos_kind_t;

/* Its word on the wire, and back; 0: none of them. */
const char *synod__paxos_kind_name (synod__paxos_kind_t kind);
synod__paxos_kind_t synod__paxos_kind (synod_str_t name);

typedef struct {
    synod__paxos_kind_t kind;
    uint64_t set;         /* digest of the set of acceptors */
    synod_str_t name;     /* of the sender's node, which its transport vouches for */
    synod__store_id_t id; /* of the sender's store */
    synod__ballot_t ballot;
    synod__ballot_t accepted;
    synod_str_t value;
} synod__paxos_message_t;

/* Who sends: the same in all its steps. */
typedef struct {
    synod_str_t name;
    synod__store_id_t id;
} synod__paxos_self_t;

/* ---- the acceptor: nothing but a record in the store ---- */

typedef struct {
    synod__ballot_t promised; /* never decreases */
    synod__ballot_t accepted; /* at most promised */
    synod_str_t value;        /* accepted; absent while accepted has round 0 */
    bool chosen;              /* the value is known to be chosen */
} synod__paxos_record_t;

/* Appends to OUT. SYNOD_OK, or SYNOD_NO_MEMORY and OUT as it was. */
int synod__paxos_record_pack (const synod__paxos_record_t *self, synod_buf_t *out);
/* Borrows BYTES. No bytes: nothing was promised yet. SYNOD_BAD_REQUEST: not what was packed. */
int synod__paxos_record_unpack (synod__paxos_record_t *self, synod_str_t bytes, synod_fault_t *fault);

typedef struct {
    bool write; /* RECORD replaces the stored one, first */
    synod__paxos_record_t record;
    bool send; /* MESSAGE goes to whom the one taken came from */
    synod__paxos_message_t message;
} synod__acceptor_step_t;

/* Takes a message; STORED is what was written last. Messages that are not for acceptors do nothing. */
void synod__acceptor_step (const synod__paxos_set_t *set, const synod__paxos_self_t *self,
                           const synod__paxos_record_t *stored, const synod__paxos_message_t *in,
                           synod__acceptor_step_t *out);

/* ---- the proposer and learner: one effort to have a value chosen, or to learn it ---- */

typedef enum {
    SYNOD__PROPOSER_QUERYING,
    SYNOD__PROPOSER_PREPARING,
    SYNOD__PROPOSER_ACCEPTING,
    SYNOD__PROPOSER_WAITING, /* backing off */
    SYNOD__PROPOSER_DONE
} synod__proposer_phase_t;

/* Volatile: after a restart a new one is begun. Zero-initialise, free with synod__proposer_free. */
typedef struct {
    const synod__paxos_set_t *set;   /* borrowed */
    const synod__paxos_self_t *self; /* borrowed */
    uint64_t *round;                 /* the store's last round, borrowed: shared by all of a node's proposers */
    synod__proposer_phase_t phase;
    synod__ballot_t ballot; /* own; one ballot never has two values */
    bool proposes;          /* it has a value of its own */
    synod_buf_t own;
    synod__ballot_t best_ballot; /* the highest one heard of as accepted, with its value */
    synod_buf_t best;
    uint32_t answered;                              /* bits of acceptors that answered in this phase */
    uint32_t strangers;                             /* bits of those that said they are */
    synod__ballot_t reported[SYNOD__ACCEPTORS_MAX]; /* by acceptor: accepted under, while querying */
    uint32_t failures;                              /* ballots lost in a row */
} synod__proposer_t;

typedef struct {
    bool write; /* ROUND replaces the stored one, first */
    uint64_t round;
    uint32_t to; /* bits of the acceptors that get MESSAGE */
    synod__paxos_message_t message;
    uint32_t wait_ms; /* 0: as before; else a timer that replaces the one before */
    bool done;        /* nothing more will come of it */
    int code; /* done: SYNOD_OK with VALUE; SYNOD_NOT_FOUND: nothing was chosen before this began; SYNOD_REFUSED: too
                        * many are strangers; SYNOD_NO_MEMORY */
    synod_str_t value; /* the one chosen, own or not */
} synod__proposer_step_t;

/* Begins. VALUE with data NULL: learn what was chosen, propose nothing. Borrows SET, WHO and ROUND as long as it lives;
 * *ROUND is the last round in the store (0: none yet). RANDOM: any number, drawn anew for each call. */
void synod__proposer_begin (synod__proposer_t *self, const synod__paxos_set_t *set, const synod__paxos_self_t *who,
                            uint64_t *round, synod_str_t value, uint64_t random, synod__proposer_step_t *out);
void synod__proposer_take (synod__proposer_t *self, const synod__paxos_message_t *in, uint64_t random,
                           synod__proposer_step_t *out);
void synod__proposer_timer (synod__proposer_t *self, uint64_t random, synod__proposer_step_t *out);
void synod__proposer_free (synod__proposer_t *self);

/* ---- mistakes on purpose, for tests that must find them: compiled in only with SYNOD_PAXOS_MUTANTS ---- */

typedef enum {
    SYNOD__PAXOS_MUTANT_NONE,
    SYNOD__PAXOS_MUTANT_PROMISE_NOT_WRITTEN,
    SYNOD__PAXOS_MUTANT_ACCEPT_NOT_WRITTEN,
    SYNOD__PAXOS_MUTANT_PROMISE_IGNORED,
    SYNOD__PAXOS_MUTANT_ACCEPTED_IGNORED,
    SYNOD__PAXOS_MUTANT_ROUND_NOT_WRITTEN,
    SYNOD__PAXOS_MUTANT_MINORITY,
    SYNOD__PAXOS_MUTANT_BALLOTS_MIXED,
    SYNOD__PAXOS_MUTANT_WIPED_COUNTED,
    SYNOD__PAXOS_MUTANT_QUERY_OF_ONE,
    SYNOD__PAXOS_MUTANT_QUERY_UNMARKED,
    SYNOD__PAXOS_MUTANTS
} synod__paxos_mutant_t;

#ifdef SYNOD_PAXOS_MUTANTS
extern synod__paxos_mutant_t synod__paxos_mutant;
#define SYNOD__PAXOS_MUTANT(name) (synod__paxos_mutant == SYNOD__PAXOS_MUTANT_##name)
#else
#define SYNOD__PAXOS_MUTANT(name) false
#endif

#endif
