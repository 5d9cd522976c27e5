/* SPDX-License-Identifier: MPL-2.0
 *
 * The parts of the client: client.c (acquisitions, their parts, time), client_send.c (what it asks), client_reply.c (what
 * answers mean).
 */
#ifndef SYNOD_LOCK_CLIENT_INTERNAL_H_INCLUDED
#define SYNOD_LOCK_CLIENT_INTERNAL_H_INCLUDED

#include "client.h"
#include "lock_actor.h"

typedef enum {
    SYNOD__FLIGHT_NONE,
    SYNOD__FLIGHT_ACQUIRE, /* of a part; so are the next two */
    SYNOD__FLIGHT_WAIT,
    SYNOD__FLIGHT_END,
    SYNOD__FLIGHT_KEEPALIVE, /* of a session; so is the next */
    SYNOD__FLIGHT_PLACES,
    SYNOD__FLIGHT_STRANGER /* the end of a place that nobody here knows */
} synod__flight_kind_t;

/* An ask under way. */
struct synod__lockc_flight_t {
    uint64_t id; /* 0: free */
    synod__flight_kind_t kind;
    synod__lockc_part_t *part;       /* NULL: none, or it does not wait for the answer any more */
    synod__lockc_session_t *session; /* NULL: none */
    int64_t sent_us, until_us;       /* by then there is an answer, or the host has forgotten it */
    uint64_t number;                 /* the session's */
    uint32_t stir;                   /* the same */
    bool quiet;                      /* nothing else of the session was under way */
};

#define SYNOD__LOCKC_AGAIN_US 50000 /* before what failed is tried again */

/* ---- client.c ---- */

/* Not to be had: for its user it is over, and what it has is let go. */
void synod__lockc_fail (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock, int code, const char *why);
/* The part is over, and of no session any more. */
void synod__lockc_over (synod__lockc_t *self, synod__lockc_part_t *part);
/* What it had at the service is gone. */
void synod__lockc_lost (synod__lockc_t *self, int64_t now_us, synod__lockc_part_t *part, const char *why);
/* PART was granted: the next one's turn, or all are held. */
void synod__lockc_granted (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock);
bool synod__lockc_wanted (const synod__lockc_part_t *part); /* its session is to live on for it */

/* ---- client_send.c ---- */

/* Something of the session (NULL: of any) begins or ends. */
void synod__lockc_stir (synod__lockc_t *self, synod__lockc_session_t *session);
/* Nothing of the session that changes what it has is under way. */
bool synod__lockc_quiet (const synod__lockc_t *self, const synod__lockc_session_t *session);
/* Whether it is under way now. */
bool synod__lockc_ask (synod__lockc_t *self, int64_t now_us, const synod__lockc_flight_t *flight, const char *key,
                       const synod_record_t *record, const void *in, uint32_t timeout_ms);
void synod__lockc_send_acquire (synod__lockc_t *self, int64_t now_us, synod__lockc_part_t *part);
void synod__lockc_send_wait (synod__lockc_t *self, int64_t now_us, synod__lockc_part_t *part);
void synod__lockc_send_end (synod__lockc_t *self, int64_t now_us, synod__lockc_part_t *part);
/* A renewal, or a question for what the session has. */
void synod__lockc_send_keepalive (synod__lockc_t *self, int64_t now_us, synod__lockc_session_t *session);

#endif
