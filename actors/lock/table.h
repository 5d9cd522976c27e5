/* SPDX-License-Identifier: MPL-2.0
 *
 * The locks of one partition, as a pure state machine: sessions, what they hold and what they wait for. Functions take
 * an event and its time, change the state and leave effects, which the actor (lock_actor.c) carries out: writes of its
 * store, answers, events. Nothing here reads a clock.
 *
 * A *session* is a client's lease here: all that the client has in this partition lives and ends with it. A *place* (an
 * entry) is one acquisition of one lock or of several together: it waits, or it holds. Its *claims* are its stands in the queues of its locks. All numbers (of sessions,
 * places and fences) are of one sequence, which is in the store, and only grows; they are taken from it some at a time, so another owner goes on behind some that nobody used.
 *
 * First come, first served: a place is granted when all its claims are free. An exclusive claim is free when nobody
 * holds the lock and no place waits before it; a permit when one is left and no place waits before it; a shared claim
 * when no writer holds, and no writer waits before it (who looks at later ones as well waits for ever: a writer behind
 * a reader that waits for that writer).
 *
 * Invariants (synod__locks_check asserts them):
 *   a lock is held by one writer, or by readers alone, or by as many as it has permits;
 *   a fence is greater than that of any grant before it, of any lock of the partition;
 *   no place waits that could be granted (but those left for the next event, when many are), or that could not be if
 *   all others let go of what they have as soon as they have what they wait for;
 *   the queue of a lock is in the order of its places' numbers, and no place is granted before an earlier one that it
 *   conflicts with;
 *   what holds or waits belongs to one session, which is alive; a session has what its places say;
 *   a lock is known if and only if somebody holds it or waits.
 */
#ifndef SYNOD_LOCK_TABLE_H_INCLUDED
#define SYNOD_LOCK_TABLE_H_INCLUDED

#include <bsd/sys/cdefs.h>
#include <bsd/sys/tree.h>
#include <synod/record.h>
#include "protocol/lock_records.h"

/* ---- limits ---- */

#define SYNOD__LOCKS_LEASE_LEAST_MS 200
#define SYNOD__LOCKS_LEASE_MOST_MS  3600000  /* an hour: nobody waits longer for who will not come back */
#define SYNOD__LOCKS_WAIT_MOST_MS   86400000 /* a day */
#define SYNOD__LOCKS_PERMITS_MOST   1000000
#define SYNOD__LOCKS_LEVELS         64   /* how often an owner may acquire what it holds */
#define SYNOD__LOCKS_SESSION_CLAIMS 2048 /* of a session in a partition: its end is one batch of writes */
#define SYNOD__LOCKS_ENTRIES_MOST   200000
#define SYNOD__LOCKS_GRANTS_MOST    1000 /* in one event: its writes are one batch, and the others' turn is the next */
#define SYNOD__LOCKS_AHEAD          1024 /* so many numbers are taken with one write */

typedef struct synod__locks_t synod__locks_t;
typedef struct synod__locks_name_t synod__locks_name_t;
typedef struct synod__locks_entry_t synod__locks_entry_t;
typedef struct synod__locks_session_t synod__locks_session_t;

typedef enum { SYNOD__LOCKS_WAITS, SYNOD__LOCKS_HOLDS, SYNOD__LOCKS_ENDED } synod__locks_state_t;

/* A stand in the queue of a lock, or among its holders. */
typedef struct synod__locks_claim_t {
    synod__locks_name_t *name;
    synod__locks_entry_t *entry;
    struct synod__locks_claim_t *prev, *next;
    uint64_t position, previous; /* of its last event, and of the lock's event before that */
} synod__locks_claim_t;

typedef struct {
    synod__locks_claim_t *first, *last;
    uint32_t count;
} synod__locks_claims_t;

/* A lock that somebody has. */
struct synod__locks_name_t {
    RB_ENTRY (synod__locks_name_t) link;
    synod__locks_claims_t holders, waiters; /* waiters by the numbers of their places */
    uint32_t permits;                       /* 1: a writer, or readers */
    bool dirty;                             /* its queue is to be looked at: locks->dirty has it */
    synod__locks_name_t *next_dirty;
    uint64_t position; /* of its last event; 0: none known */
    uint32_t mark;     /* the search for deadlocks */
    uint32_t size;
    char text[];
};

struct synod__locks_entry_t {
    RB_ENTRY (synod__locks_entry_t) link;
    uint64_t id;                       /* its number: the lower comes first */
    synod__locks_session_t *session;   /* NULL: it has ended, and effects alone know it */
    synod__locks_entry_t *prev, *next; /* of its session */
    synod__locks_state_t state;
    bool shared;
    uint32_t permits;
    uint64_t request; /* the first acquisition */
    uint64_t token;   /* holds */
    uint32_t count;   /* holds: acquisitions */
    uint64_t *levels; /* their requests; NULL: the first alone */
    uint64_t wait_ms;
    int64_t came_us; /* when it began to wait, here */
    int64_t since_s; /* wall clock: it came; it was granted */
    int code;        /* ended: why, for who waits */
    uint64_t call;   /* the actor's: who waits for an answer */
    uint32_t mark;   /* the search for deadlocks */
    uint32_t nclaims;
    const char *owner; /* NUL-terminated, behind the claims */
    synod__locks_claim_t claims[];
};

struct synod__locks_session_t {
    RB_ENTRY (synod__locks_session_t) by_number;
    RB_ENTRY (synod__locks_session_t) by_client;
    uint64_t number, client;
    uint32_t lease_ms;
    uint32_t forced;    /* places that it lost by force */
    int64_t renewed_us; /* its term counts from then */
    synod__locks_entry_t *entries;
    uint32_t count;  /* places that hold or wait, */
    uint32_t waits;  /* and that wait */
    uint32_t claims; /* theirs */
    uint64_t sum;    /* of their numbers */
    synod__locks_session_t *next_gone;
    char *address; /* where its client is told, as it last asked from there: WHO if it is the same; NULL: not known */
    char who[];
};

/* ---- effects, in their order ---- */

typedef enum {
    SYNOD__LOCKS_PUT_NUMBER,  /* NUMBER: none above it was used */
    SYNOD__LOCKS_PUT_SESSION, /* SESSION */
    SYNOD__LOCKS_DEL_SESSION, /* NUMBER */
    SYNOD__LOCKS_PUT_ENTRY,   /* ENTRY: what it asked for, and what has become of it */
    SYNOD__LOCKS_DEL_ENTRY,   /* ENTRY */
    SYNOD__LOCKS_ANSWER,      /* ENTRY holds, or has ended: who waits for it is told */
    SYNOD__LOCKS_GRANTED,     /* ENTRY: an event for each of its claims; so are the next */
    SYNOD__LOCKS_RELEASED,
    SYNOD__LOCKS_EXPIRED,
    SYNOD__LOCKS_FORCED
} synod__locks_effect_kind_t;

typedef struct {
    synod__locks_effect_kind_t kind;
    uint64_t number;
    synod__locks_entry_t *entry;     /* valid until the next event, also when it has ended */
    synod__locks_session_t *session; /* the same; of an entry's effect: whose it is, or was */
} synod__locks_effect_t;

RB_HEAD (synod__locks_names, synod__locks_name_t);
RB_HEAD (synod__locks_entries, synod__locks_entry_t);
RB_HEAD (synod__locks_numbers, synod__locks_session_t);
RB_HEAD (synod__locks_clients, synod__locks_session_t);

struct synod__locks_t {
    uint64_t number; /* the last one of the sequence */
    uint64_t stored; /* up to here numbers may be used: as it is in the store */
    int64_t due_us;  /* nothing is due before */
    struct synod__locks_names names;
    struct synod__locks_entries entries;
    struct synod__locks_numbers sessions;
    struct synod__locks_clients clients;
    uint32_t nnames, nentries, nsessions, nwaiting;
    uint32_t grants;                    /* of this event */
    const synod__locks_entry_t *coming; /* a place that this event brought; NULL: none */
    synod__locks_name_t *dirty;
    /* kept for the effects, until the next event */
    synod__locks_entry_t *ended;  /* by next */
    synod__locks_session_t *gone; /* by next_gone */
    synod__locks_name_t *loose;   /* by next_dirty */
    synod__locks_effect_t *effects;
    uint32_t neffects, effects_capacity;
};

/* ---- events ----
 * Each begins with an empty list of effects. Times are in microseconds of a clock that counts suspension; WALL_S is in
 * seconds since 1970, for people. An error (with a sentence in FAULT) has changed nothing. */

void synod__locks_free (synod__locks_t *self);

typedef struct {
    uint64_t client, request;
    synod_str_t who, owner;
    const synod_str_t *names; /* in any order */
    uint32_t nnames;
    bool shared;
    uint64_t permits; /* 0: one, or readers */
    uint64_t lease_ms, wait_ms;
} synod__locks_want_t;

/* The key by which a lock is addressed: what is between the first { and the next }, if that is something; else the
 * name. */
synod_str_t synod__locks_key (synod_str_t name);
/* SYNOD_INVALID with a sentence: no such name. */
int synod__locks_name_check (synod_str_t name, synod_fault_t *fault);

/* SYNOD_OK with the place in *ENTRY: it holds, or waits. NULL: it is not to be had, and it would not wait; *IN_THE_WAY is
 * who has it, or is before it. An acquisition that is known by its request is what it was. Errors: SYNOD_INVALID,
 * SYNOD_REFUSED, SYNOD_FULL, SYNOD_DEADLOCK (it would wait for itself in a circle, which the sentence names). */
int synod__locks_acquire (synod__locks_t *self, int64_t now_us, int64_t wall_s, const synod__locks_want_t *want,
                          synod__locks_entry_t **entry, const synod__locks_entry_t **in_the_way, synod_fault_t *fault);
/* SYNOD_OK with the place; SYNOD_NOT_FOUND: the session has ended, or has none of this request. */
int synod__locks_find (synod__locks_t *self, uint64_t client, uint64_t session, uint64_t request,
                       synod__locks_entry_t **entry, synod_fault_t *fault);
/* LEFT: how often the owner has it still. SYNOD_NOT_FOUND: the client has no session here; SYNOD_REFUSED: it is another
 * one's fence, or nobody's. */
int synod__locks_release (synod__locks_t *self, int64_t wall_s, uint64_t client, synod_str_t owner, uint64_t token,
                          uint64_t request, uint32_t *left, synod_fault_t *fault);
/* Whatever has become of the acquisition, it is over. Of one that is not known nothing is done. */
void synod__locks_cancel (synod__locks_t *self, int64_t wall_s, uint64_t client, uint64_t request, uint32_t *left);
/* The term begins anew. SYNOD_NOT_FOUND: it has ended. */
int synod__locks_keepalive (synod__locks_t *self, int64_t now_us, uint64_t client, uint64_t session,
                            synod__locks_session_t **out, synod_fault_t *fault);
/* Its client has asked from there. */
void synod__locks_asked_from (synod__locks_session_t *session, synod_str_t address);
void synod__locks_close (synod__locks_t *self, int64_t wall_s, uint64_t client, uint64_t session);
/* The holders of NAME (TOKEN not 0: the one with that fence) lose what they hold; how many did. */
int synod__locks_force (synod__locks_t *self, int64_t wall_s, synod_str_t name, uint64_t token, uint32_t *count,
                        synod_fault_t *fault);
/* Ends sessions whose terms are over (unless they were renewed meanwhile), and waits that took too long. */
void synod__locks_due (synod__locks_t *self, int64_t now_us, int64_t wall_s);
/* When that is to be called next; INT64_MAX: nothing is. */
int64_t synod__locks_next_us (const synod__locks_t *self);

/* The effects of the last event are carried out: what was kept for them goes. */
void synod__locks_carried (synod__locks_t *self);

/* ---- from the store: its number, sessions, then entries in their order, then ready ---- */

/* The values of effects' writes. */
void synod__locks_pack_session (const synod__locks_session_t *session, synod_buf_t *out);
void synod__locks_pack_entry (const synod__locks_entry_t *entry, synod_buf_t *out);
/* All before this NUMBER may have been used. */
void synod__locks_load_number (synod__locks_t *self, uint64_t number);
/* False: no such value. Every session's term counts from NOW_US. */
bool synod__locks_load_session (synod__locks_t *self, uint64_t number, synod_str_t value, int64_t now_us);
bool synod__locks_load_entry (synod__locks_t *self, uint64_t id, synod_str_t value, int64_t now_us);
/* All is loaded: queues are made. */
void synod__locks_ready (synod__locks_t *self);

/* ---- looking ---- */

synod__locks_session_t *synod__locks_session (const synod__locks_t *self, uint64_t client); /* NULL: none */
synod__locks_name_t *synod__locks_name (const synod__locks_t *self, synod_str_t name);      /* NULL: nobody has it */
synod__locks_name_t *synod__locks_after (const synod__locks_t *self, synod_str_t name);     /* the next; NULL: none */
bool synod__locks_has_request (const synod__locks_entry_t *entry, uint64_t request);
static inline synod_str_t synod__locks_text (const synod__locks_name_t *name)
{
    return synod_str_n (name->text, name->size);
}
/* Whether all holds that is said at the top; if not, WHY (of SYNOD_FAULT_MAX) says what does not. */
bool synod__locks_check (const synod__locks_t *self, char *why);

/* ---- planted bugs, for the proof that the simulator finds them ---- */

#ifdef SYNOD_LOCK_MUTANTS
/* clang-format off */
#define SYNOD__LOCK_MUTANTS_LIST(MUTANT) \
    MUTANT (EXPIRY_UNCONDITIONAL, "a session ends when its first term is over, renewed or not") \
    MUTANT (LATER_WRITERS,        "readers look at writers that came after them") \
    MUTANT (TOKEN_RESET,          "the sequence begins anew with each owner") \
    MUTANT (ACQUIRED_LATE,        "a client says acquired though its lease has ended") \
    MUTANT (WAKEUP_LOST,          "nobody looks at the queue when its head gives up") \
    MUTANT (TERMS_KEPT_SHORT,     "a new owner gives no new terms") \
    MUTANT (READERS_PASS,         "readers pass a writer that waits before them") \
    MUTANT (QUEUE_FORGOTTEN,      "places that wait are not in the store") \
    MUTANT (TRUST_FROM_ANSWER,    "a client counts its lease from when the answer came") \
    MUTANT (STRANGERS_KEPT,       "what a session has and its client does not know of stays") \
    MUTANT (NEXT_TWO_TOLD,        "two are granted when one lets go") \
    MUTANT (CIRCLES_LEFT,         "nobody looks for circles of who waits for whom") \
    MUTANT (PERMITS_LEFT,         "a circle through permits is none") \
    MUTANT (STALE_SESSION,        "a client takes what an earlier session of its was granted") \
    MUTANT (ONE_PART_TRUSTED,     "of several locks one session that is trusted is enough")
/* clang-format on */
typedef enum {
    SYNOD__LOCK_MUTANT_NONE,
#define MUTANT(name, doc) SYNOD__LOCK_MUTANT_##name,
    SYNOD__LOCK_MUTANTS_LIST (MUTANT)
#undef MUTANT
        SYNOD__LOCK_MUTANTS
} synod__lock_mutant_t;
extern synod__lock_mutant_t synod__lock_mutant;
#define SYNOD__LOCK_MUTANT(name) (synod__lock_mutant == SYNOD__LOCK_MUTANT_##name)
#else
#define SYNOD__LOCK_MUTANT(name) 0
#endif

#endif
