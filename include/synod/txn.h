/* SPDX-License-Identifier: MPL-2.0
 *
 * Transactions: several keys of the table, and placed actors of one's own, do something together, or none of them does
 * (docs/votes.md). Begin one, add what is to be done, commit it: the actor `vote` asks all of them and decides.
 *
 *     synod_transaction_t *transfer = synod_transaction_new (NULL, &fault);
 *     synod_transaction_incr (transfer, "ann", -5, &(synod_change_t){.bounded = true});
 *     synod_transaction_incr (transfer, "bob", 5, NULL);
 *     if (synod_handle_commit (handle, transfer, 5000, &decision) == SYNOD_COMMITTED) ...
 *     synod_transaction_destroy (&transfer);
 *
 * A transaction has an id, given or drawn. Committed again, by whoever and with whatever in it, it has the decision that
 * it had: so SYNOD_IN_DOUBT is no end, but a reason to commit the same once more.
 *
 * How a participant takes part is in actor.h (prepare, commit, abort).
 */
#ifndef SYNOD_TXN_H_INCLUDED
#define SYNOD_TXN_H_INCLUDED

#include <synod/actor.h>
#include <synod/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYNOD_TRANSACTION_ID_MAX    63           /* bytes */
#define SYNOD_TRANSACTION_PARTS_MAX 32           /* participants, each key of the table being one */
#define SYNOD_TRANSACTION_OP_MAX    (64 * 1024)  /* bytes of what one is to do, packed */
#define SYNOD_TRANSACTION_VALUE_MAX (60 * 1024)  /* of a value for the table */
#define SYNOD_TRANSACTION_SIZE_MAX  (240 * 1024) /* of all parts together, packed */
#define SYNOD_TRANSACTION_MS_MAX    (10 * 60 * 1000)

/* What is to be done: in the caller's memory, until it is committed. One thread at a time. */
typedef struct synod_transaction_t synod_transaction_t;

/* Zero means the default everywhere. Texts are borrowed for the call. */
typedef struct {
    const char *id;       /* letters, digits, _ . or -: a name that nobody uses for another; default: drawn */
    const char *protocol; /* "2pc", "3pc", "paxos" or "parallel"; default: 2pc */
    uint32_t
        deadline_ms; /* undecided by then it is aborted, where that can be; default: 3/4 of what the commit waits */
} synod_transaction_options_t;

/* What a change of a key demands, and leaves behind. Zero: nothing. Borrowed for the call. */
typedef struct {
    /* the key must be so, or all is aborted: */
    bool absent;      /* it has no value */
    bool present;     /* it has one */
    uint64_t version; /* it has one of this version */
    synod_str_t was;  /* its value is this; data NULL: whatever it is */
    uint64_t fence;   /* no higher fence was seen for it; this one is remembered (synod_lock_token) */
    /* incr */
    bool bounded; /* the sum must not be below FLOOR */
    int64_t floor;
    /* put */
    uint64_t ttl_ms;   /* the value is gone so long from its commit; 0: it stays */
    uint64_t until_ms; /* or at this time, ms since 1970 */
    bool keep;         /* or when the value before it would have been */
} synod_change_t;

/* ---- what is to be done ----
 * These return SYNOD_OK, or SYNOD_INVALID, SYNOD_TOO_LARGE or SYNOD_NO_MEMORY and add nothing. The first mistake stays:
 * commit begins nothing and says what it was, so that one look at its outcome is enough. They copy what they are given.
 * HOW may be NULL. */

/* NULL with a sentence in FAULT. The caller owns it. OPTIONS may be NULL. */
SYNOD_API synod_transaction_t *synod_transaction_new (const synod_transaction_options_t *options, synod_fault_t *fault);
SYNOD_API void synod_transaction_destroy (synod_transaction_t **self_p);
/* A key of the table gets this value, ... */
SYNOD_API int synod_transaction_put (synod_transaction_t *self, const char *key, synod_str_t value,
                                     const synod_change_t *how);
/* ... has none, ... */
SYNOD_API int synod_transaction_delete (synod_transaction_t *self, const char *key, const synod_change_t *how);
/* ... gets this added, as a number in decimal digits (a key without a value counts from 0), ... */
SYNOD_API int synod_transaction_incr (synod_transaction_t *self, const char *key, int64_t delta,
                                      const synod_change_t *how);
/* ... or stays as it is, and must be as HOW says. */
SYNOD_API int synod_transaction_check (synod_transaction_t *self, const char *key, const synod_change_t *how);
/* Any other participant (actor#key, or node/actor) does what IN says, which its prepare finds in txn->op. RECORD NULL:
 * nothing is said. An address may be there once. */
SYNOD_API int synod_transaction_add (synod_transaction_t *self, const char *to, const synod_record_t *record,
                                     const void *in);
/* The same with what is packed already: one msgpack value, or data NULL. */
SYNOD_API int synod_transaction_add_body (synod_transaction_t *self, const char *to, synod_str_t op);
/* Empty before the first commit, if it is to be drawn. Owned by the transaction. */
SYNOD_API const char *synod_transaction_id (const synod_transaction_t *self);
/* The first mistake's sentence; empty: there was none. Owned by the transaction. */
SYNOD_API const char *synod_transaction_error (const synod_transaction_t *self);

/* ---- what becomes of it ---- */

typedef enum {
    SYNOD_IN_DOUBT,  /* not heard in time: any of the others may be so, or come to be. Commit the same again */
    SYNOD_COMMITTED, /* all did it; each has it written, or will have before anybody sees it unlocked */
    SYNOD_ABORTED,   /* none did it, nor will */
    SYNOD_NOT_BEGUN  /* this commit began nothing: it was wrong, nobody coordinates, or who does is busy */
} synod_txn_outcome_t;

/* Views borrow what the reply borrows. */
typedef struct {
    synod_txn_outcome_t outcome;
    bool again;                /* it was decided before this commit asked */
    int code;                  /* of an outcome that is none (IN_DOUBT, NOT_BEGUN): why; else SYNOD_OK */
    char why[SYNOD_FAULT_MAX]; /* a sentence; empty: committed */
    synod_list_t reasons;      /* ABORTED: read them by synod_decision_next */
    synod_str_t body;          /* the answer as it came, the record `outcome`; data NULL: there was none */
} synod_decision_t;

/* What a reply to a commit says, into OUT: its outcome. */
SYNOD_API synod_txn_outcome_t synod_decision_of (const synod_reply_t *reply, synod_decision_t *out);
/* The next participant that voted no, and why; or that had not voted in time. False: there are no more. */
SYNOD_API bool synod_decision_next (synod_decision_t *self, synod_str_t *who, synod_str_t *why);

/* ---- for threads ---- */

/* Commits, and waits for the decision: TIMEOUT_MS at most, asking again as long as it is in doubt (-1: for ever).
 * DECISION (may be NULL) borrows the handle until its next call. The transaction may be committed again. */
SYNOD_API synod_txn_outcome_t synod_handle_commit (synod_handle_t *self, synod_transaction_t *transaction,
                                                   int timeout_ms, synod_decision_t *decision);
/* Commits without waiting: SYNOD_OK, and ID comes back by synod_handle_wait, with a reply for synod_decision_of. Else
 * nothing is asked; the sentence is synod_handle_error. The transaction may be destroyed at once. */
SYNOD_API int synod_handle_commit_start (synod_handle_t *self, synod_transaction_t *transaction, uint32_t timeout_ms,
                                         uint64_t *id);

/* ---- for actors ---- */

/* As synod_ask: ON_REPLY gets a reply for synod_decision_of after TIMEOUT_MS at most (0: SYNOD_ASK_MS). SYNOD_OK when it
 * is staged; else nothing is asked, with the sentence as of synod_error. The transaction may be destroyed at once. */
SYNOD_API int synod_commit (synod_ctx_t *ctx, synod_transaction_t *transaction, uint32_t timeout_ms,
                            synod_on_reply_t *on_reply, uint64_t arg);

#ifdef __cplusplus
}
#endif
#endif
