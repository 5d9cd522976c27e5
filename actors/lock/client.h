/* SPDX-License-Identifier: MPL-2.0
 *
 * A client of the lock service, as a pure state machine: acquisitions, their parts by key, and sessions by partition. A
 * host gives it time, replies and wishes; it asks through the host's operations, says when it wants to be called again,
 * and has news. Actors (locks.c) and threads (bus/locker.c) use the same.
 *
 * Trust: a session's lease is counted from when the last message that renewed it, and that was answered, was *sent*, and
 * for T (1 - D) / (1 + D): so on no clock whose rate is within D of the service's it outlasts the service's own count,
 * which began when that message came. What is said to be held is trusted at that moment.
 *
 * Invariants (synod__lockc_check): a lock that is held has all its parts, in sessions that are known; sessions are
 * renewed while they have parts that are wanted; each part has one ask under way at most.
 */
#ifndef SYNOD_LOCK_CLIENT_H_INCLUDED
#define SYNOD_LOCK_CLIENT_H_INCLUDED

#include <synod/lock.h>
#include "table.h"

typedef struct synod__lockc_t synod__lockc_t;
typedef struct synod__lockc_session_t synod__lockc_session_t;

typedef struct {
    /* Asks; synod__lockc_reply follows once, with this id. An error: nothing was asked. */
    int (*ask) (void *host, const char *to, const synod_record_t *record, const void *in, uint32_t timeout_ms,
                uint64_t id);
    void (*tell) (void *host, const char *to, const synod_record_t *record, const void *in);
} synod__lockc_host_t;

typedef enum {
    SYNOD__PART_IDLE,    /* its turn has not come */
    SYNOD__PART_ASKS,    /* acquire is under way, or to be sent again */
    SYNOD__PART_WAITS,   /* it stands in the queue */
    SYNOD__PART_GRANTED, /* by a session that cannot be trusted until it was renewed */
    SYNOD__PART_HELD,
    SYNOD__PART_ENDS, /* it is to be let go */
    SYNOD__PART_OVER
} synod__part_state_t;

/* The locks of an acquisition that have one key. */
typedef struct {
    synod_lock_t *lock;
    synod__part_state_t state;
    const synod_str_t *names; /* of the lock's */
    uint32_t nnames;
    uint64_t request;
    synod__lockc_session_t *session; /* NULL: not known */
    uint64_t number;                 /* its number, when this was granted or queued */
    uint64_t entry, token;
    int64_t entry_us; /* when the entry was learned */
    bool again;       /* another part has the same entry: the owner acquired it once more */
    uint64_t flight;  /* the ask under way; 0: none */
    bool asked;       /* an acquire was sent, whatever has become of it */
    int64_t try_us;   /* not before */
    int code;         /* of the last answer that said nothing; SYNOD_OK: none did */
} synod__lockc_part_t;

typedef enum {
    SYNOD__LOCK_NEW,
    SYNOD__LOCK_WANTED,
    SYNOD__LOCK_HELD,
    SYNOD__LOCK_LOST,
    SYNOD__LOCK_OVER
} synod__lock_stand_t;

struct synod_lock_t {
    synod__lockc_t *client;
    synod_lock_t *prev, *next;
    synod__lock_stand_t stand;
    bool news;     /* there is some that was not taken */
    bool left;     /* its user does not know it any more: it goes when its parts are over */
    bool releases; /* its user waits for that */
    int code;
    char why[SYNOD_FAULT_MAX];
    int64_t deadline_us;
    uint32_t wait_ms;
    bool shared;
    uint32_t permits;
    int64_t born_us, released_us; /* when its user made it, and wished to release it */
    synod_on_lock_t *on_lock;     /* the host's, as the next two */
    uint64_t arg;
    void *user;
    char owner[SYNOD_NAME_MAX + 1];
    uint32_t nnames, nparts;
    synod_str_t names[SYNOD_LOCK_NAMES_MAX]; /* by key, then by name; in TEXT */
    synod__lockc_part_t parts[SYNOD_LOCK_NAMES_MAX];
    char text[];
};

struct synod__lockc_session_t {
    synod__lockc_session_t *next;
    uint64_t partition, number;
    int64_t trust_us; /* trusted until then */
    int64_t sent_us;  /* when it was last asked to live on */
    int64_t try_us;   /* not before */
    uint64_t flight;
    uint32_t forced, seen; /* of its places so many were released by force: that is known of; that a renewal said */
    uint32_t stir;         /* grows when something of it begins or ends */
    uint32_t parts;        /* that are known to be of it and not over */
    bool checks;           /* what it has is asked for */
    char key[SYNOD_KEY_MAX + 1]; /* one of the partition */
};

typedef struct synod__lockc_flight_t synod__lockc_flight_t;

struct synod__lockc_t {
    const synod__lockc_host_t *ops;
    void *host;
    uint64_t number; /* the client's */
    uint64_t requests;
    uint32_t lease_ms;
    int64_t term_us; /* what of a lease is trusted */
    char who[SYNOD__LOCK_WHO_MAX + 1];
    synod_lock_t *locks;
    synod__lockc_session_t *sessions;
    synod__lockc_flight_t *flights;
    uint32_t nflights, flights_capacity;
    uint64_t serial;
    uint32_t nnews;
};

/* NUMBER: drawn at random, not 0. Copies OPTIONS, borrows OPS and HOST. SYNOD_INVALID with a sentence. */
int synod__lockc_init (synod__lockc_t *self, const synod_lock_options_t *options, const char *who, uint64_t number,
                       const synod__lockc_host_t *ops, void *host, synod_fault_t *fault);
/* Tells each session's partition that it is over. */
void synod__lockc_free (synod__lockc_t *self);

/* A new one, which has still to be started: SYNOD_INVALID with a sentence. */
int synod__lockc_new (synod__lockc_t *self, int64_t now_us, const synod_lock_want_t *want, synod_lock_t **lock,
                      synod_fault_t *fault);
void synod__lockc_start (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock);
/* By the number of its first request; NULL: it is gone. */
synod_lock_t *synod__lockc_find (const synod__lockc_t *self, uint64_t request);
/* It is not waited for any more: news of it come with SYNOD_STOPPED. */
void synod__lockc_give_up (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock);
/* It is over for its user, who has no news of it any more: but with TELL, that it is released. */
void synod__lockc_release (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock, bool tell);
void synod__lockc_reply (synod__lockc_t *self, int64_t now_us, uint64_t id, int code, synod_str_t message,
                         synod_str_t body);
/* The service told that a lock was released by force. */
void synod__lockc_told (synod__lockc_t *self, int64_t now_us, const synod__lock_lost_t *in);
/* Does what is due. A lock that was not started by then, at a later time than it was made, goes. */
void synod__lockc_due (synod__lockc_t *self, int64_t now_us);
int64_t synod__lockc_next_us (const synod__lockc_t *self); /* INT64_MAX: nothing is */
/* A lock of which there is news, which is then taken; NULL: none. stand says which: held, lost, or over: then it is not
 * to be had (code, why), or released as asked, and it lasts until the next call of anything here. */
synod_lock_t *synod__lockc_news (synod__lockc_t *self);
/* How long the lock is trusted still; 0: not. */
int64_t synod__lockc_left_us (const synod_lock_t *lock, int64_t now_us);
/* False with a sentence in WHY, of SYNOD_FAULT_MAX: an invariant does not hold. */
bool synod__lockc_check (const synod__lockc_t *self, char *why);

#endif
