/* SPDX-License-Identifier: MPL-2.0
 *
 * The client: what answers mean. What is not known to have failed is asked again; what a session has at the service and
 * what is known of it here are compared with each answered keepalive, and brought together.
 */
#include <assert.h>
#include <stdio.h>
#include "client_internal.h"
#include "actors/runtime/memory.h"

#define S_RENEWALS 5 /* in a lease: enough of it is left for another owner to take over when one dies after an answer */

/* What an answer came to. */
typedef struct {
    int64_t now_us;
    int code;
    synod_str_t message, body;
} s_answer_t;

/* The outcome is not known, or nothing was done: it may be asked again. */
static bool s_open (int code)
{
    return code == SYNOD_TIMEOUT || code == SYNOD_NODE_DOWN || code == SYNOD_NO_ROUTE || code == SYNOD_BUSY ||
           code == SYNOD_STOPPED || code == SYNOD_STALE_ID || code == SYNOD_FAILED || code == SYNOD_NO_MEMORY;
}

/* ---- sessions ---- */

static void s_session_ended (synod__lockc_t *self, int64_t now_us, synod__lockc_session_t *session, const char *why)
{
    session->trust_us = 0;
    session->checks = false;
    for (synod_lock_t *lock = self->locks; lock; lock = lock->next)
        for (uint32_t i = 0; i < lock->nparts; i++)
            if (lock->parts[i].session == session)
                synod__lockc_lost (self, now_us, &lock->parts[i], why);
}

static void s_renewed (synod__lockc_t *self, int64_t now_us, synod__lockc_session_t *session, int64_t sent_us)
{
    if (SYNOD__LOCK_MUTANT (TRUST_FROM_ANSWER))
        sent_us = now_us;
    if (sent_us + self->term_us > session->trust_us)
        session->trust_us = sent_us + self->term_us;
    if (sent_us + self->term_us / S_RENEWALS > session->try_us)
        session->try_us = sent_us + self->term_us / S_RENEWALS;
}

/* The session that an answer names; NULL: it has ended since. */
static synod__lockc_session_t *s_session (synod__lockc_t *self, int64_t now_us, const synod__lock_acquired_t *in,
                                          const char *key)
{
    synod__lockc_session_t *session = self->sessions;
    while (session && session->partition != in->partition)
        session = session->next;
    if (session && session->number > in->session && !SYNOD__LOCK_MUTANT (STALE_SESSION))
        return NULL;
    if (!session) {
        session = (synod__lockc_session_t *) synod__alloc (sizeof *session);
        session->partition = in->partition;
        snprintf (session->key, sizeof session->key, "%s", key);
        session->next = self->sessions;
        self->sessions = session;
    }
    if (session->number < in->session) {
        if (session->number)
            s_session_ended (self, now_us, session, "the session ended, and another one began");
        session->number = in->session;
        session->forced = session->seen = 0;
    }
    return session;
}

static void s_attach (synod__lockc_part_t *part, synod__lockc_session_t *session)
{
    if (part->session != session) {
        part->session = session;
        session->parts++;
    }
    part->number = session->number;
}

/* ---- parts ---- */

static void s_take_grant (synod__lockc_t *self, int64_t now_us, synod__lockc_part_t *part,
                          const synod__lock_acquired_t *in)
{
    if (part->entry != in->entry)
        part->entry_us = now_us;
    part->entry = in->entry;
    part->token = in->token;
    part->again = in->count > 1;
    part->state = SYNOD__PART_GRANTED;
    synod__lockc_granted (self, now_us, part->lock);
}

static void s_refused (synod__lockc_t *self, const s_answer_t *answer, synod__lockc_part_t *part)
{
    char why[SYNOD_FAULT_MAX];
    snprintf (why, sizeof why, "%.*s",
              SYNOD_STR (answer->message.size ? answer->message : synod_str (synod_error_meaning (answer->code))));
    synod__lockc_over (self, part);
    synod__lockc_fail (self, answer->now_us, part->lock, answer->code, why);
}

static void s_on_acquire (synod__lockc_t *self, const s_answer_t *answer, const synod__lockc_flight_t *flight)
{
    synod__lockc_part_t *part = flight->part;
    synod__lock_acquired_t in;
    synod_fault_t fault = {0};
    char key[SYNOD_KEY_MAX + 1], why[SYNOD_FAULT_MAX];
    synod_str_t text = synod__locks_key (part->names[0]);
    bool ends = part->state == SYNOD__PART_ENDS;
    synod__lockc_stir (self, flight->session);
    part->try_us = answer->now_us + (ends ? 0 : SYNOD__LOCKC_AGAIN_US);
    part->code = answer->code;
    if (s_open (answer->code)) /* the same request again, or its end: neither can do anything twice */
        return;
    if (answer->code != SYNOD_OK) {
        ends ? synod__lockc_over (self, part) : s_refused (self, answer, part);
        return;
    }
    if (synod_record_unpack (&synod__lock_acquired_record, answer->body, &in, &fault) != SYNOD_OK)
        return;
    if (!in.entry) {
        snprintf (why, sizeof why, "%.*s is not to be had now: %.*s has it", SYNOD_STR (part->names[0]),
                  SYNOD_STR (in.holder));
        s_answer_t refused = {.now_us = answer->now_us, .code = SYNOD_REFUSED, .message = synod_str (why)};
        ends ? synod__lockc_over (self, part) : s_refused (self, &refused, part);
        return;
    }
    snprintf (key, sizeof key, "%.*s", SYNOD_STR (text));
    synod__lockc_session_t *session = s_session (self, answer->now_us, &in, key);
    if (!session) {
        synod__lockc_lost (self, answer->now_us, part, "the session ended before the answer came");
        return;
    }
    if (part->state == SYNOD__PART_OVER) /* another answer was of a later session */
        return;
    s_attach (part, session);
    s_renewed (self, answer->now_us, session, flight->sent_us);
    part->try_us = answer->now_us;
    part->entry = in.entry;
    part->entry_us = answer->now_us;
    if (ends || part->state == SYNOD__PART_ENDS) {
        part->token = in.token;
        return;
    }
    part->state = SYNOD__PART_WAITS;
    if (in.token)
        s_take_grant (self, answer->now_us, part, &in);
}

static void s_on_wait (synod__lockc_t *self, const s_answer_t *answer, const synod__lockc_flight_t *flight)
{
    synod__lockc_part_t *part = flight->part;
    synod__lock_acquired_t in;
    synod_fault_t fault = {0};
    bool gone = answer->code == SYNOD_NOT_FOUND || answer->code == SYNOD_EXPIRED;
    part->try_us =
        answer->now_us + (answer->code == SYNOD_OK || answer->code == SYNOD_TIMEOUT ? 0 : SYNOD__LOCKC_AGAIN_US);
    if (gone)
        synod__lockc_lost (self, answer->now_us, part, "the place in the queue was lost: the session has ended");
    else if (answer->code == SYNOD_OK &&
             synod_record_unpack (&synod__lock_acquired_record, answer->body, &in, &fault) == SYNOD_OK && in.token &&
             in.session == part->number)
        s_take_grant (self, answer->now_us, part, &in);
    else if (!s_open (answer->code) && answer->code != SYNOD_OK)
        s_refused (self, answer, part);
}

static void s_on_end (synod__lockc_t *self, const s_answer_t *answer, const synod__lockc_flight_t *flight)
{
    synod__lockc_part_t *part = flight->part;
    synod__lockc_stir (self, flight->session);
    part->try_us = answer->now_us + SYNOD__LOCKC_AGAIN_US;
    if (!s_open (answer->code)) {
        synod__lockc_over (self, part);
        return;
    }
    /* nobody renews the session for it: it ends by itself; without one, what was perhaps asked ends as nothing */
    if (!part->session || part->session->trust_us + 2 * (int64_t) self->lease_ms * 1000 < answer->now_us)
        synod__lockc_over (self, part);
}

/* ---- what a session has, there and here ---- */

static void s_compare (synod__lockc_t *self, synod__lockc_session_t *session, const synod__lock_alive_t *in)
{
    uint64_t sum = 0;
    uint32_t count = 0;
    for (const synod_lock_t *lock = self->locks; lock; lock = lock->next)
        for (uint32_t i = 0; i < lock->nparts; i++) {
            const synod__lockc_part_t *part = &lock->parts[i];
            if (part->session != session || part->again || !part->entry)
                continue;
            count++;
            sum += part->entry;
        }
    session->checks = (count != in->count || sum != in->sum) && !SYNOD__LOCK_MUTANT (STRANGERS_KEPT);
    if (session->checks)
        session->try_us = 0;
}

static void s_on_keepalive (synod__lockc_t *self, const s_answer_t *answer, const synod__lockc_flight_t *flight)
{
    synod__lockc_session_t *session = flight->session;
    synod__lock_alive_t in;
    synod_fault_t fault = {0};
    assert (session);                      /* it lasts as long as its asks */
    if (flight->number != session->number) /* of one that was before it */
        return;
    if (answer->code == SYNOD_NOT_FOUND) {
        s_session_ended (self, answer->now_us, session, "the session has ended at the lock service");
        return;
    }
    session->try_us = answer->now_us + SYNOD__LOCKC_AGAIN_US;
    if (answer->code != SYNOD_OK ||
        synod_record_unpack (&synod__lock_alive_record, answer->body, &in, &fault) != SYNOD_OK)
        return;
    s_renewed (self, answer->now_us, session, flight->sent_us);
    if (flight->quiet && flight->stir == session->stir)
        s_compare (self, session, &in);
    session->seen = (uint32_t) in.forced;
    if (session->seen != session->forced) { /* also where there is always something under way */
        session->checks = true;
        session->try_us = 0;
    }
    for (synod_lock_t *lock = self->locks; lock; lock = lock->next)
        for (uint32_t i = 0; i < lock->nparts; i++)
            if (lock->parts[i].session == session && lock->parts[i].state == SYNOD__PART_GRANTED) {
                synod__lockc_granted (self, answer->now_us, lock);
                break;
            }
}

/* Nobody here knows the place: an answer was lost for good. */
static void s_end_stranger (synod__lockc_t *self, int64_t now_us, synod__lockc_session_t *session, uint64_t request)
{
    const synod__lock_cancel_t in = {.client = self->number, .request = request};
    synod__lockc_ask (self, now_us, &(synod__lockc_flight_t){.kind = SYNOD__FLIGHT_STRANGER, .session = session},
                      session->key, &synod__lock_cancel_record, &in, self->lease_ms);
}

static bool s_listed (synod_list_t places, uint64_t entry)
{
    synod__lock_place_t place;
    while (synod_list_next (&places, &synod__lock_place_record, &place))
        if (place.entry == entry)
            return true;
    return false;
}

static bool s_known (const synod__lockc_t *self, const synod__lockc_session_t *session, uint64_t entry)
{
    for (const synod_lock_t *lock = self->locks; lock; lock = lock->next)
        for (uint32_t i = 0; i < lock->nparts; i++)
            if (lock->parts[i].session == session && lock->parts[i].entry == entry)
                return true;
    return false;
}

static void s_on_places (synod__lockc_t *self, const s_answer_t *answer, const synod__lockc_flight_t *flight)
{
    synod__lockc_session_t *session = flight->session;
    synod__lock_places_are_t in;
    synod__lock_place_t place;
    synod_fault_t fault = {0};
    assert (session);
    session->checks = false;
    session->try_us = answer->now_us + SYNOD__LOCKC_AGAIN_US;
    if (answer->code != SYNOD_OK || flight->number != session->number ||
        synod_record_unpack (&synod__lock_places_are_record, answer->body, &in, &fault) != SYNOD_OK)
        return; /* the next keepalive tells of it again */
    bool quiet = flight->quiet && flight->stir == session->stir, forced = session->forced != session->seen;
    session->forced = session->seen;
    for (synod_lock_t *lock = self->locks; lock; lock = lock->next)
        for (uint32_t i = 0; i < lock->nparts; i++) {
            synod__lockc_part_t *part = &lock->parts[i];
            /* what was known before it was asked, and is not being let go, is there, or lost */
            bool known = quiet || (part->entry_us < flight->sent_us && part->state != SYNOD__PART_ENDS);
            if (part->session == session && part->entry && known && !s_listed (in.places, part->entry))
                synod__lockc_lost (self, answer->now_us, part,
                                   forced ? "it was released by force" : "it has ended at the lock service");
        }
    while (quiet && synod_list_next (&in.places, &synod__lock_place_record, &place))
        if (!s_known (self, session, place.entry))
            s_end_stranger (self, answer->now_us, session, place.request);
}

void synod__lockc_told (synod__lockc_t *self, int64_t now_us, const synod__lock_lost_t *in)
{
    char why[SYNOD_FAULT_MAX];
    const synod__lockc_session_t *session = self->sessions;
    while (session && (session->partition != in->partition || session->number != in->session))
        session = session->next;
    if (!session || in->client != self->number || !in->entry)
        return; /* what is not known here is found by the next renewal */
    snprintf (why, sizeof why, "it was released by force%s%.*s%s%.*s", in->by.size ? ", by " : "", SYNOD_STR (in->by),
              in->why.size ? ": " : "", SYNOD_STR (in->why));
    for (synod_lock_t *lock = self->locks; lock; lock = lock->next)
        for (uint32_t i = 0; i < lock->nparts; i++)
            if (lock->parts[i].session == session && lock->parts[i].entry == in->entry)
                synod__lockc_lost (self, now_us, &lock->parts[i], why);
}

void synod__lockc_reply (synod__lockc_t *self, int64_t now_us, uint64_t id, int code, synod_str_t message,
                         synod_str_t body)
{
    uint32_t slot = id & UINT16_MAX;
    const s_answer_t answer = {.now_us = now_us, .code = code, .message = message, .body = body};
    if (slot >= self->nflights || self->flights[slot].id != id)
        return;
    const synod__lockc_flight_t flight = self->flights[slot];
    self->flights[slot].id = 0;
    if (flight.part)
        flight.part->flight = 0;
    if (flight.session && flight.session->flight == id)
        flight.session->flight = 0;
    if (flight.kind == SYNOD__FLIGHT_KEEPALIVE)
        s_on_keepalive (self, &answer, &flight);
    else if (flight.kind == SYNOD__FLIGHT_PLACES)
        s_on_places (self, &answer, &flight);
    else if (flight.kind == SYNOD__FLIGHT_STRANGER)
        synod__lockc_stir (self, flight.session);
    else if (!flight.part)
        return;
    else if (flight.kind == SYNOD__FLIGHT_ACQUIRE)
        s_on_acquire (self, &answer, &flight);
    else if (flight.kind == SYNOD__FLIGHT_WAIT)
        s_on_wait (self, &answer, &flight);
    else
        s_on_end (self, &answer, &flight);
}
