/* SPDX-License-Identifier: MPL-2.0
 *
 * Asks of others that this node has taken: calls, those that are commands, and those that came with others in a message. A
 * part of internal.h, which includes it where the types are known that it needs.
 */
#ifndef SYNOD_RUNTIME_CALLS_H_INCLUDED
#define SYNOD_RUNTIME_CALLS_H_INCLUDED

#include "hash.h"
#include "protocol/catalogue.h"
#include "stream.h"
#include "timers.h"

typedef struct synod__instance_t synod__instance_t;
typedef struct synod__gather_t synod__gather_t;

/* ---- asks of others ---- */

/* A command that waits for its answer; all bytes are the key. */
typedef struct {
    synod__instance_t *instance;
    uint64_t client, number;
} synod__command_t;

typedef struct synod__kept_t {
    uint64_t id; /* of synod_call_t; 0: free */
    synod__instance_t *instance;
    uint32_t life;
    synod__stream_t *stream;        /* the asker's node */
    char actor[SYNOD_NAME_MAX + 1]; /* the asker; empty: the node itself */
    uint64_t ask;
    uint64_t trace;
    int64_t until_us;
    bool answered;           /* an answer is staged */
    bool repeated;           /* of synod_repeated */
    bool deaf;               /* nobody waits for the answer any more, but it may be asked for again */
    synod__gather_t *gather; /* where the answer goes, as that of ask GATHER_AT; NULL: to the asker */
    uint32_t gather_at;
    synod__timer_t timer;
    uint64_t client, number, low; /* of a command, else client is 0 */
    synod__command_t command;     /* in rt->commands by it; instance NULL: it is not */
    UT_hash_handle hh;
    struct synod__kept_t *prev, *next; /* of its asker, not answered at once; prev NULL: it is none of them */
} synod__kept_t;

synod_call_t synod__call_new (synod__instance_t *instance, synod__stream_t *stream, synod_str_t actor,
                              const synod_envelope_t *env);
synod__kept_t *synod__call_find (synod__rt_t *rt, synod_call_t call); /* NULL: over */
/* Whether ENV, an ask of STREAM's that was sent before, is one that INSTANCE has still to answer. */
bool synod__call_repeats (const synod__instance_t *instance, synod__stream_t *stream, const synod_envelope_t *env);
void synod__call_free (synod__rt_t *rt, synod__kept_t *kept);
void synod__call_keep (synod__rt_t *rt, synod_call_t call); /* its handler has returned without an answer */
/* Sends the answer, now or when it may leave, and frees the call. BODY empty: nil. */
void synod__call_send (synod__rt_t *rt, synod__kept_t *kept, synod_kind_t kind, synod_str_t body); /* now */
void synod__call_answer (synod__rt_t *rt, synod__kept_t *kept, synod_kind_t kind, synod_str_t body);
void synod__call_error (synod__rt_t *rt, synod__kept_t *kept, int code, const char *message);
void synod__calls_end (synod__rt_t *rt, const synod__instance_t *instance, int code, const char *message);

/* ---- commands ---- */

/* Whether a handler is to run for KEPT, a command; else it has been answered, or waits with an earlier one. */
bool synod__command_admit (synod__rt_t *rt, synod__kept_t *kept);
void synod__command_begun (synod__kept_t *kept); /* its handler has succeeded; nothing is joined yet */
void synod__command_reply (synod__kept_t *kept, synod_kind_t kind, synod_str_t body); /* stages what is remembered */
void synod__command_forget (synod__rt_t *rt, synod__kept_t *kept);
void synod__commands_forget (synod__rt_t *rt, const synod__instance_t *instance); /* its life is over */

/* ---- asks of many keys in a message (many.h) ---- */

/* A message `many` to INSTANCE, which stands for its type. */
void synod__many_take (synod__rt_t *rt, const synod__instance_t *instance, synod__stream_t *asker, synod_str_t actor,
                       const synod_message_t *message, const synod_envelope_t *env);
/* What KEPT came to goes to its gather; leave: it is to be asked for alone. */
void synod__gather_answer (synod__rt_t *rt, synod__kept_t *kept, synod_kind_t kind, synod_str_t body);
void synod__gather_error (synod__rt_t *rt, synod__kept_t *kept, const synod__error_t *error);
void synod__gather_leave (synod__rt_t *rt, synod__kept_t *kept);
void synod__gather_due (synod__rt_t *rt, synod__gather_t *self);
void synod__gathers_free (synod__rt_t *rt);
uint64_t synod__low (const synod__rt_t *rt); /* of own commands: none below will be sent again */

#endif
