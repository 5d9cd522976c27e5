/* SPDX-License-Identifier: MPL-2.0
 *
 * Locks: leases with fencing tokens, of the placed actor `lock` (docs/locks.md). A client has a session with each
 * partition in which it has locks, kept alive in the background as long as it has any. A lock is held until it is
 * released, or until the lease cannot be trusted any more: then its holder is told, and must stop.
 *
 * A lease says when to stop, and cannot make anybody stop: a process that was paused learns of it too late. What has to
 * be right all the same takes the lock's token along, and refuses one that is older than the last it saw.
 *
 * Two sets of functions: synod_locks_ for actors (nothing blocks), synod_locker_ for threads (all of them may use one).
 */
#ifndef SYNOD_LOCK_H_INCLUDED
#define SYNOD_LOCK_H_INCLUDED

#include <synod/actor.h>
#include <synod/node.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYNOD_LOCK_NAME_MAX  200 /* bytes: printable ASCII but space / # * > */
#define SYNOD_LOCK_NAMES_MAX 16  /* locks acquired together */

typedef struct synod_lock_t synod_lock_t; /* one acquisition */

/* Zero means the default everywhere. */
typedef struct {
    uint32_t lease_ms;  /* of the sessions, 200 to 3600000; 10000 */
    uint32_t drift_ppm; /* how much the rates of two clocks may differ; 10000, which is one in a hundred */
    const char *who;    /* what people are shown; node/actor */
    /* For threads: a lock was lost. Runs in a thread of the locker, and must call nothing of it. */
    void (*on_lost) (void *arg, synod_lock_t *lock, const char *why);
    void *arg;
} synod_lock_options_t;

/* What is wanted. Texts are borrowed for the call. */
typedef struct {
    const char *name; /* of one lock; or NULL, */
    const char *const
        *names;        /* and NAMES: several, all or none; NULL-terminated. Those with the same {key} are acquired
                               * at once, others one after another, in the order of all who do so */
    const char *owner; /* who of this client: what an owner holds it may acquire again, up to 64 times; "" */
    bool shared;       /* with other readers */
    uint32_t permits;  /* so many may hold it; 0: one, or readers */
    uint32_t wait_ms;  /* 0: only if it is to be had at once */
} synod_lock_want_t;

/* The fence of a lock that is held: greater than that of anybody who held it before. NAME NULL: of the first one. */
SYNOD_API uint64_t synod_lock_token (const synod_lock_t *self, const char *name);

/* ---- for actors: all of it in the actor's own functions ---- */

typedef struct synod_locks_t synod_locks_t;

/* CODE SYNOD_OK: LOCK is held. Any other before that: it is not to be had, and is gone: SYNOD_TIMEOUT (not within
 * wait_ms), SYNOD_REFUSED (a try; or another kind of lock has that name), SYNOD_DEADLOCK, SYNOD_EXPIRED (this client was
 * out of reach for so long that it lost its place), SYNOD_INVALID, SYNOD_FULL. SYNOD_EXPIRED after it was held: it is
 * lost; release it when you have stopped. WHY: a sentence. Returns as a handler does. */
typedef int synod_on_lock_t (synod_ctx_t *ctx, void *state, synod_lock_t *lock, int code, const char *why,
                             uint64_t arg);

/* A client, to be kept in the actor's state, at AT bytes from its beginning (offsetof, up to 65535). The caller owns it. */
SYNOD_API synod_locks_t *synod_locks_new (synod_ctx_t *ctx, const synod_lock_options_t *options, size_t at);
/* In fini too: lets go of all that it has. */
SYNOD_API void synod_locks_destroy (synod_ctx_t *ctx, synod_locks_t **self_p);
/* SYNOD_OK with the acquisition in *LOCK (may be NULL): ON_LOCK will be called. SYNOD_INVALID: the caller's mistake. */
SYNOD_API int synod_locks_acquire (synod_ctx_t *ctx, synod_locks_t *self, const synod_lock_want_t *want,
                                   synod_on_lock_t *on_lock, uint64_t arg, synod_lock_t **lock);
/* Held, lost or waited for: it is over, and LOCK is gone. ON_LOCK is not called any more. */
SYNOD_API void synod_locks_release (synod_ctx_t *ctx, synod_locks_t *self, synod_lock_t *lock);
/* How long LOCK can be trusted still, if nothing is heard; 0: it is not held. */
SYNOD_API uint32_t synod_lock_remaining_ms (const synod_ctx_t *ctx, const synod_lock_t *lock);

/* ---- for threads ---- */

typedef struct synod_locker_t synod_locker_t;

/* Joins the bus as a client, with a thread that keeps leases. NULL with a sentence in FAULT. The caller owns it. */
SYNOD_API synod_locker_t *synod_locker_new (const synod_options_t *join, const synod_lock_options_t *options,
                                            synod_fault_t *fault);
/* Lets go of all that it has, within join->linger_ms. No other call may be under way. */
SYNOD_API void synod_locker_destroy (synod_locker_t **self_p);
/* Waits until it is held: SYNOD_OK with *LOCK, to be released; or the code of synod_on_lock_t with a sentence in FAULT.
 * SYNOD_NO_ROUTE: nobody runs the actor `lock`. */
SYNOD_API int synod_locker_acquire (synod_locker_t *self, const synod_lock_want_t *want, synod_lock_t **lock,
                                    synod_fault_t *fault);
/* Waits until it is free again, TIMEOUT_MS at most (then it will be, within a lease). Sets *LOCK_P to NULL. */
SYNOD_API int synod_locker_release (synod_locker_t *self, synod_lock_t **lock_p, int timeout_ms);
/* Ends all calls of synod_locker_acquire that wait, and those to come, with SYNOD_STOPPED. From any thread. */
SYNOD_API void synod_locker_cancel (synod_locker_t *self);
/* As synod_lock_remaining_ms. */
SYNOD_API uint32_t synod_locker_remaining_ms (synod_locker_t *self, const synod_lock_t *lock);
/* Waits until LOCK is lost (SYNOD_EXPIRED) or can be trusted for MS at most (SYNOD_OK), until FD (-1: none) is readable
 * (SYNOD_STOPPED), or TIMEOUT_MS are over (SYNOD_TIMEOUT; -1: never). */
SYNOD_API int synod_locker_watch (synod_locker_t *self, const synod_lock_t *lock, uint32_t ms, int fd, int timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
