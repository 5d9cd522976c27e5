/* SPDX-License-Identifier: MPL-2.0
 *
 * Keys and values of the table `kv` or of a `cache`, for threads, over a handle (docs/kv.md, "From programs"). Operations
 * that are begun together leave together, one message to each node that has keys of them; each ends by itself, as if it had
 * been asked alone. What `kv` is told to change runs once, however often it had to be sent; what a cache is told to change
 * is sent once.
 *
 * One thread at a time may use a handle and what is made from it.
 */
#ifndef SYNOD_KV_H_INCLUDED
#define SYNOD_KV_H_INCLUDED

#include <synod/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYNOD_KV_VALUE_MAX (64 * 1024) /* of a value here; larger ones go in pieces (docs/kv.md) */

typedef struct synod_kv_t synod_kv_t;

typedef enum {
    SYNOD_KV_GET,
    SYNOD_KV_GET_STALE, /* of the owner alone; may be out of date. Not of a cache */
    SYNOD_KV_PUT,
    SYNOD_KV_DELETE,
    SYNOD_KV_INCR,   /* adds `delta` to a number; a key without a value counts from 0 */
    SYNOD_KV_APPEND, /* adds `data` to the end of the value */
    SYNOD_KV_EXPIRE  /* gives it another deadline, or none */
} synod_kv_kind_t;

/* What is wanted. Zero: not said. A kind ignores what it has no use for. Texts are borrowed for the call. */
typedef struct {
    synod_kv_kind_t kind;
    synod_str_t key; /* 1 to 400 bytes of printable UTF-8 */
    synod_str_t data;
    int64_t delta;
    bool absent, present; /* put: only if the key has no value; only if it has one */
    bool keep;            /* put: it keeps the deadline that the value before it had */
    bool bare;            /* get: all about it but the value */
    bool old;             /* put, delete: tell the value before it */
    uint64_t version;     /* only if it has a value of this version */
    uint64_t fence;       /* only if no higher fence was seen for the key; it is remembered */
    uint64_t ttl_ms;      /* the value is gone so long from now */
    uint64_t until_ms;    /* or at this time, ms since 1970 */
} synod_kv_op_t;

/* What it came to. Borrows SELF until the next call that waits or begins. */
typedef struct {
    int code;            /* SYNOD_OK; or why nothing is known of what follows, */
    synod_str_t message; /* with a sentence */
    bool found;          /* the key has a value, after what was done */
    bool done;           /* a change: it was made; else WHY not: absent, present, version or fence */
    bool had;            /* a put or delete with OLD: there was a value before */
    synod_str_t why;
    synod_str_t data; /* get: the value; NULL with a SIZE: it is larger than SYNOD_KV_VALUE_MAX */
    uint64_t size;
    uint64_t version;  /* of the value; of a cache: 0 */
    uint64_t until_ms; /* its deadline; 0: none */
    uint64_t fence;    /* the highest that was seen for the key */
    int64_t number;    /* incr: what the value is now */
    synod_str_t old;
} synod_kv_is_t;

/* Zero means the default everywhere. */
typedef struct {
    const char *actor;   /* "kv" or "cache"; kv */
    uint32_t timeout_ms; /* of each operation; SYNOD_ASK_MS */
} synod_kv_options_t;

/* NULL with a sentence in FAULT. Borrows HANDLE, which must outlive it. The caller owns it. */
SYNOD_API synod_kv_t *synod_kv_new (synod_handle_t *handle, const synod_kv_options_t *options, synod_fault_t *fault);
/* What is under way may or may not be done. */
SYNOD_API void synod_kv_destroy (synod_kv_t **self_p);
/* The sentence of the last call that did not return SYNOD_OK. */
SYNOD_API const char *synod_kv_error (const synod_kv_t *self);

/* ---- one at a time: begins it, sends what was begun, and waits. Returns is->code; IS may be NULL. ---- */
SYNOD_API int synod_kv_do (synod_kv_t *self, const synod_kv_op_t *op, synod_kv_is_t *is);
SYNOD_API int synod_kv_get (synod_kv_t *self, const char *key, synod_kv_is_t *is);
SYNOD_API int synod_kv_put (synod_kv_t *self, const char *key, synod_str_t data, synod_kv_is_t *is);
SYNOD_API int synod_kv_delete (synod_kv_t *self, const char *key, synod_kv_is_t *is);
SYNOD_API int synod_kv_incr (synod_kv_t *self, const char *key, int64_t delta, synod_kv_is_t *is);
/* Only if its version is still VERSION. */
SYNOD_API int synod_kv_cas (synod_kv_t *self, const char *key, uint64_t version, synod_str_t data, synod_kv_is_t *is);

/* ---- many ---- */

/* Begins one, which leaves with the next wait or send, or when many have been begun. TAG is the caller's. SYNOD_INVALID,
 * SYNOD_TOO_LARGE: it is none, and nothing was begun. */
SYNOD_API int synod_kv_start (synod_kv_t *self, const synod_kv_op_t *op, uint64_t tag);
/* Sends what was begun. */
SYNOD_API int synod_kv_send (synod_kv_t *self);
/* The next one that is over, in the order in which they end: SYNOD_OK with TAG and IS, whose own code says how; or
 * SYNOD_TIMEOUT (0 ms: nothing is waited for), or SYNOD_NOT_FOUND when none is under way. */
SYNOD_API int synod_kv_wait (synod_kv_t *self, int timeout_ms, uint64_t *tag, synod_kv_is_t *is);
/* COUNT of them at once, until all are over; ON_IS with the index of each, in the order in which they end; it must not call
 * SELF. Nothing else may be under way. Returns SYNOD_OK, or why not all are over: then nothing is known of the others. */
SYNOD_API int synod_kv_many (synod_kv_t *self, const synod_kv_op_t *ops, uint32_t count,
                             void (*on_is) (void *arg, uint32_t index, const synod_kv_is_t *is), void *arg);

#ifdef __cplusplus
}
#endif
#endif
