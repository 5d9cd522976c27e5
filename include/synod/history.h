/* SPDX-License-Identifier: MPL-2.0
 *
 * Histories, and whether they are linearizable: what clients asked for and when they were answered, and a checker that
 * looks for one order of the operations that a single object without concurrency could have run, each operation between
 * its invocation and its completion (Herlihy and Wing 1990). Each key is an object of its own; a history is
 * linearizable if every key's is.
 *
 * The search is that of Wing and Gong (J. Parallel Distrib. Comput. 17, 1993, section 4) with configurations remembered
 * and keys apart, as of Lowe ("Testing for linearizability", 2017, sections 4 and 5). docs/linearizability.md says how.
 *
 * Nothing here reads a clock or a file. One thread at a time may use a history; checks of a history that nobody writes
 * to may run in several threads.
 */
#ifndef SYNOD_HISTORY_H_INCLUDED
#define SYNOD_HISTORY_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <synod/error.h>
#include <synod/record.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYNOD_STATE_MAX              64        /* bytes of a model's state */
#define SYNOD_HISTORY_OPERATIONS_MAX 4000000   /* operations a history */
#define SYNOD_LINEAR_STEPS           50000000  /* a key's default budget: a few seconds */
#define SYNOD_LINEAR_MEMORY          536870912 /* bytes; default bound of a check's memory */
#define SYNOD_NIL                    INT64_MIN /* no value: of a key not written, of a lock refused */

/* ---- operations ---- */

typedef enum {
    SYNOD_OP_OPEN,   /* invoked, and nothing known yet; a check takes it as unknown */
    SYNOD_OP_DONE,   /* has its results */
    SYNOD_OP_FAILED, /* certainly without effect, then and later */
    SYNOD_OP_UNKNOWN /* may take effect at any time after its invocation, or never */
} synod_outcome_t;

/* One operation of one client. Values are numbers; where the real ones are bytes, the caller gives each different one
 * a number of its own. */
typedef struct {
    uint32_t client;
    uint32_t key;                /* index: synod_history_key */
    uint16_t operation;          /* index into the model's operations */
    uint16_t outcome;            /* synod_outcome_t */
    uint32_t called_at;          /* its place among all events of the history, from 0; this, not time, is the order */
    uint32_t ended_at;           /* the same of its completion; UINT32_MAX while open */
    int64_t args[2];             /* as many as the operation has; else 0 */
    int64_t results[2];          /* meaningful if done */
    int64_t called_us, ended_us; /* for people */
} synod_op_t;

/* ---- models: what one key's object would do, were it alone ---- */

/* How an operation is written: name, number of arguments and of results (0 to 2). */
typedef struct {
    const char *name;
    uint8_t nargs, nresults;
} synod_operation_t;

/* Constant, and lives as long as the histories of it. Functions depend on nothing but their arguments. */
typedef struct {
    const char *name;                    /* one word, letters, digits and _ */
    uint32_t state_size;                 /* 1 to SYNOD_STATE_MAX */
    const synod_operation_t *operations; /* NOPERATIONS of them */
    uint32_t noperations;
    /* The state before any operation. STATE is zeroed. */
    void (*init) (void *state);
    /* Whether OP, with its results if it is done, may run in STATE; if so fills NEXT (zeroed; STATE_SIZE bytes, aligned
     * for any number). Of an op that is not done: the state once it has taken effect, whatever it answered; false if
     * here it can have none. Borrows all. */
    bool (*step) (const void *state, const synod_op_t *op, void *next);
    /* Whether OP, with its results if it is done, leaves every state as it is (a read; a refusal). Such are placed as
     * soon as they fit, and are left out if not done. NULL: none. */
    bool (*reads) (const synod_op_t *op);
    uint64_t (*hash) (const void *state);                 /* NULL: of its bytes, padding included */
    bool (*equal) (const void *state, const void *other); /* NULL: the same bytes; equal states have equal hashes */
    /* As snprintf: writes STATE in words. */
    int (*print) (const void *state, char *text, size_t size);
} synod_model_t;

/* read -> value; write value; cas old new -> 1 (set) or 0 (was another). SYNOD_NIL until written. */
enum { SYNOD_REGISTER_READ, SYNOD_REGISTER_WRITE, SYNOD_REGISTER_CAS };
SYNOD_API extern const synod_model_t synod_register_model;

/* add amount -> the sum with it; read -> the sum. 0 at first; sums wrap. */
enum { SYNOD_COUNTER_ADD, SYNOD_COUNTER_READ };
SYNOD_API extern const synod_model_t synod_counter_model;

/* Locks. A lock is held by one holder at most. `expire` is the service's own doing, recorded by whoever observes it:
 * it frees what that holder holds. A refusal means that somebody else held it (for release, expire: that this one did
 * not hold it); what was not tried is no refusal, record it as failed.
 *     lock            acquire holder -> 1|0                release holder -> 1|0            expire holder -> 1|0
 *     fenced_lock     acquire holder -> fence|nil          release holder fence|nil -> 1|0  expire holder fence|nil -> 1|0
 *     reentrant_lock  acquire holder -> fence|nil count    release holder fence|nil -> count left|nil
 *                                                          expire holder fence|nil -> 1|0
 * A fence is 0 or more, and greater than any of the lock before; an acquire by the holder again (reentrant_lock) has
 * the same fence. To release or expire with a fence that is not the current one is refused; nil stands for any. */
enum { SYNOD_LOCK_ACQUIRE, SYNOD_LOCK_RELEASE, SYNOD_LOCK_EXPIRE };
SYNOD_API extern const synod_model_t synod_lock_model;
SYNOD_API extern const synod_model_t synod_fenced_lock_model;
SYNOD_API extern const synod_model_t synod_reentrant_lock_model;

/* One of the models above by its name (register, counter, lock, ...); NULL: none has it. Static storage. */
SYNOD_API const synod_model_t *synod_model_find (synod_str_t name);

/* ---- histories ---- */

typedef struct synod_history_t synod_history_t;

/* An empty one of MODEL (borrowed for its life), for OPERATIONS_MAX operations at most (0:
 * SYNOD_HISTORY_OPERATIONS_MAX). It takes 72 bytes an operation, in steps that double, and some 100 more a key and a
 * client. NULL: no memory, or a model or number that makes no sense. The caller owns it. */
SYNOD_API synod_history_t *synod_history_new (const synod_model_t *model, uint32_t operations_max);
SYNOD_API void synod_history_destroy (synod_history_t **self_p);

/* Events are recorded in the order in which they happened; NOW_US never goes back. Where that order is not known (two
 * clocks, equal times) put invocations first: then they count as concurrent. A client has one operation open at a time;
 * one that does more at once is several clients. All return SYNOD_OK, or with a sentence in synod_history_error:
 * SYNOD_INVALID (nothing is recorded), SYNOD_BUSY (the client has an operation open), SYNOD_NOT_FOUND (it has none: an
 * answer after `unknown` is no news), SYNOD_FULL or SYNOD_NO_MEMORY. The last two cut the history off: what is open then
 * becomes unknown, nothing more is recorded, and no check of it says yes. */

/* KEY: 1 to SYNOD_KEY_MAX bytes, copied. A and B: the operation's arguments, those it has. */
SYNOD_API int synod_history_invoke (synod_history_t *self, int64_t now_us, uint32_t client, synod_str_t key,
                                    uint32_t operation, int64_t a, int64_t b);
/* The client's open operation was done, with these results (those it has). */
SYNOD_API int synod_history_complete (synod_history_t *self, int64_t now_us, uint32_t client, int64_t a, int64_t b);
/* It certainly had and will have no effect. */
SYNOD_API int synod_history_fail (synod_history_t *self, int64_t now_us, uint32_t client);
/* Nobody knows, and the client goes on (or is dead). */
SYNOD_API int synod_history_unknown (synod_history_t *self, int64_t now_us, uint32_t client);

/* The sentence of the last call that did not return SYNOD_OK. Owned by the history. */
SYNOD_API const char *synod_history_error (const synod_history_t *self);

SYNOD_API const synod_model_t *synod_history_model (const synod_history_t *self);
SYNOD_API uint32_t synod_history_count (const synod_history_t *self); /* operations */
SYNOD_API bool synod_history_cut (const synod_history_t *self);       /* was cut off */
/* The operation of that number, from 0 in the order of invocation. Borrows the history until its next event. */
SYNOD_API const synod_op_t *synod_history_op (const synod_history_t *self, uint32_t number);
SYNOD_API uint32_t synod_history_keys (const synod_history_t *self);
/* The key of that index. Borrows the history. */
SYNOD_API synod_str_t synod_history_key (const synod_history_t *self, uint32_t key);

/* Appends to OUT a line an operation, in the order of invocation: those of one key (from synod_op_t.key), or of all
 * (UINT32_MAX). SYNOD_OK or SYNOD_NO_MEMORY. */
SYNOD_API int synod_history_print (const synod_history_t *self, uint32_t key, synod_buf_t *out);

/* Appends the whole as text, a line an event, that synod_history_load takes. SYNOD_OK or SYNOD_NO_MEMORY. */
SYNOD_API int synod_history_save (const synod_history_t *self, synod_buf_t *out);
/* A history from such text (borrowed for the call; empty lines and those that begin with # are skipped). MODEL is what
 * it must be of; NULL: one of those above, by the name in it. NULL with a sentence in FAULT. The caller owns it. */
SYNOD_API synod_history_t *synod_history_load (const synod_model_t *model, synod_str_t text, synod_fault_t *fault);

/* ---- the checker ---- */

typedef enum {
    SYNOD_LINEAR_YES,
    SYNOD_LINEAR_NO,
    SYNOD_LINEAR_UNKNOWN /* a bound was reached first; whoever tests takes it as a failure */
} synod_verdict_t;

/* How far a check may go. Zeroed: the defaults. Whole answers can be expected of up to 5,000 operations and 10 clients
 * a key; the problem is NP-complete, so there is no such number for every history. */
typedef struct {
    uint64_t steps;            /* of the model, a key. The same history and bound give the same answer everywhere */
    size_t memory;             /* bytes, for the key under check; 2 MiB at least */
    bool (*go_on) (void *arg); /* asked every 4096 steps; false ends the check as unknown. NULL: never asked */
    void *arg;                 /* borrowed for the call */
} synod_linear_bounds_t;

/* What a check found. Zero-initialise; free with synod_linear_free. */
typedef struct {
    synod_verdict_t verdict;
    const char *why;         /* unknown: which bound, in words; else NULL. Static storage */
    uint32_t key;            /* no, unknown: the first such key; UINT32_MAX: none (yes, or cut off) */
    uint32_t stuck;          /* no: the number of the operation that could not be placed */
    uint32_t *order;         /* no, unknown: numbers of the longest linearizable prefix, in its order. Owned */
    uint32_t placed;         /* how many those are */
    uint32_t operations;     /* of that key, to be placed */
    uint32_t unknown_keys;   /* keys without an answer */
    uint64_t steps;          /* of the model, all keys */
    uint64_t configurations; /* remembered, all keys */
    size_t memory;           /* bytes at most at once */
} synod_linear_t;

/* Checks each key, to the first that is not linearizable. BOUNDS may be NULL. The longest prefix is that of an order
 * which goes furthest: RESULT->stuck is the operation whose end it could not pass. SYNOD_OK with a verdict in RESULT (which is
 * overwritten, and freed by the caller), SYNOD_NO_MEMORY when there is not even enough to begin. */
SYNOD_API int synod_linear_check (const synod_history_t *history, const synod_linear_bounds_t *bounds,
                                  synod_linear_t *result);
SYNOD_API void synod_linear_free (synod_linear_t *result);

/* Appends in words and lines what RESULT says of HISTORY: the part around the violation. SYNOD_OK or SYNOD_NO_MEMORY. */
SYNOD_API int synod_linear_explain (const synod_history_t *history, const synod_linear_t *result, synod_buf_t *out);

SYNOD_API const char *synod_verdict_name (synod_verdict_t verdict); /* yes, no, unknown. Static storage */

#ifdef __cplusplus
}
#endif
#endif
