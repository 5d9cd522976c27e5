/* SPDX-License-Identifier: MPL-2.0
 *
 * The client: what it asks, and what is under way.
 */
#include <stdio.h>
#include "client_internal.h"
#include "actors/runtime/memory.h"

#define S_LATE_MS 1000 /* for an answer, or the host's word that there is none, after the ask's own time */

/* A free one; its id has the slot in the lower 16 bits. NULL: too many. */
static synod__lockc_flight_t *s_flight (synod__lockc_t *self)
{
    uint32_t slot = 0;
    while (slot < self->nflights && self->flights[slot].id)
        slot++;
    if (slot > UINT16_MAX)
        return NULL;
    if (slot == self->nflights) {
        self->flights = (synod__lockc_flight_t *) synod__grow (self->flights, &self->flights_capacity, slot + 1,
                                                               sizeof *self->flights);
        self->nflights++;
    }
    self->serial = (self->serial + 1) & INT32_MAX;
    self->flights[slot] = (synod__lockc_flight_t){.id = (self->serial + 1) << 16 | slot};
    return &self->flights[slot];
}

bool synod__lockc_ask (synod__lockc_t *self, int64_t now_us, const synod__lockc_flight_t *what, const char *key,
                       const synod_record_t *record, const void *in, uint32_t timeout_ms)
{
    char to[sizeof SYNOD__LOCK_ACTOR "#" + SYNOD_KEY_MAX];
    synod__lockc_flight_t *flight = s_flight (self);
    if (!flight)
        return false;
    uint64_t id = flight->id;
    *flight = *what;
    flight->id = id;
    flight->sent_us = now_us;
    flight->until_us = now_us + ((int64_t) timeout_ms + S_LATE_MS) * 1000;
    flight->number = what->session ? what->session->number : 0;
    snprintf (to, sizeof to, SYNOD__LOCK_ACTOR "#%s", key);
    if (self->ops->ask (self->host, to, record, in, timeout_ms, id) != SYNOD_OK) {
        flight->id = 0;
        return false;
    }
    if (what->part)
        what->part->flight = id;
    if (what->kind == SYNOD__FLIGHT_KEEPALIVE || what->kind == SYNOD__FLIGHT_PLACES)
        what->session->flight = id;
    return true;
}

void synod__lockc_stir (synod__lockc_t *self, synod__lockc_session_t *session)
{
    for (synod__lockc_session_t *at = self->sessions; at; at = at->next)
        at->stir += !session || at == session;
}

bool synod__lockc_quiet (const synod__lockc_t *self, const synod__lockc_session_t *session)
{
    for (uint32_t i = 0; i < self->nflights; i++) {
        const synod__lockc_flight_t *at = &self->flights[i];
        bool changes = at->id && (at->kind == SYNOD__FLIGHT_ACQUIRE || at->kind == SYNOD__FLIGHT_END ||
                                  at->kind == SYNOD__FLIGHT_STRANGER);
        if (changes && (!at->session || at->session == session))
            return false;
    }
    for (const synod_lock_t *lock = self->locks; lock; lock = lock->next)
        for (uint32_t i = 0; i < lock->nparts; i++) {
            const synod__lockc_part_t *part = &lock->parts[i];
            /* its acquire was not answered, and may have been granted: until it is sent again nothing is under way */
            if (part->state == SYNOD__PART_ASKS && part->asked && (!part->session || part->session == session))
                return false;
        }
    return true;
}

/* The key of a part, in ROOM. */
static const char *s_key (const synod__lockc_part_t *part, char room[SYNOD_KEY_MAX + 1])
{
    synod_str_t key = synod__locks_key (part->names[0]);
    memcpy (room, key.data, key.size);
    room[key.size] = 0;
    return room;
}

static uint32_t s_patience_ms (const synod__lockc_t *self, uint32_t share, uint32_t least_ms)
{
    uint32_t ms = self->lease_ms / share;
    return ms < least_ms ? least_ms : ms > SYNOD_ASK_MS ? SYNOD_ASK_MS : ms;
}

void synod__lockc_send_acquire (synod__lockc_t *self, int64_t now_us, synod__lockc_part_t *part)
{
    const synod_lock_t *lock = part->lock;
    char key[SYNOD_KEY_MAX + 1];
    int64_t left_us = lock->deadline_us - now_us;
    synod__lock_acquire_t in = {
        .client = self->number,
        .request = part->request,
        .lease_ms = self->lease_ms,
        .who = synod_str (self->who),
        .owner = synod_str (lock->owner),
        .shared = lock->shared,
        .permits = lock->permits,
        /* far beyond the deadline: who gives up is the client; the service forgets the place if it does not */
        .wait_ms = lock->wait_ms ? (uint64_t) (left_us > 0 ? left_us / 500 : 0) + self->lease_ms : 0,
    };
    synod_buf_t items = {0};
    for (uint32_t i = 0; i < part->nnames; i++)
        synod_list_add (&in.names, &items, &synod__lock_name_record, &(synod__lock_name_t){.name = part->names[i]},
                        NULL);
    if (in.wait_ms > SYNOD__LOCKS_WAIT_MOST_MS)
        in.wait_ms = SYNOD__LOCKS_WAIT_MOST_MS;
    if (synod__lockc_ask (
            self, now_us,
            &(synod__lockc_flight_t){.kind = SYNOD__FLIGHT_ACQUIRE, .part = part, .session = part->session},
            s_key (part, key), &synod__lock_acquire_record, &in, s_patience_ms (self, 2, 500)))
        synod__lockc_stir (self, part->session);
    else
        part->try_us = now_us + SYNOD__LOCKC_AGAIN_US;
    part->asked = part->asked || part->flight;
    synod_buf_free (&items);
}

void synod__lockc_send_wait (synod__lockc_t *self, int64_t now_us, synod__lockc_part_t *part)
{
    char key[SYNOD_KEY_MAX + 1];
    const synod__lock_wait_t in = {.client = self->number, .session = part->number, .request = part->request};
    if (!synod__lockc_ask (self, now_us,
                           &(synod__lockc_flight_t){.kind = SYNOD__FLIGHT_WAIT, .part = part, .session = part->session},
                           s_key (part, key), &synod__lock_wait_record, &in, s_patience_ms (self, 2, 200)))
        part->try_us = now_us + SYNOD__LOCKC_AGAIN_US;
}

void synod__lockc_send_end (synod__lockc_t *self, int64_t now_us, synod__lockc_part_t *part)
{
    char key[SYNOD_KEY_MAX + 1];
    const synod__lock_release_t release = {
        .client = self->number, .token = part->token, .owner = synod_str (part->lock->owner), .request = part->request};
    const synod__lock_cancel_t cancel = {.client = self->number, .request = part->request};
    const synod__lockc_flight_t flight = {.kind = SYNOD__FLIGHT_END, .part = part, .session = part->session};
    bool sent = part->token ? synod__lockc_ask (self, now_us, &flight, s_key (part, key), &synod__lock_release_record,
                                                &release, s_patience_ms (self, 2, 500))
                            : synod__lockc_ask (self, now_us, &flight, s_key (part, key), &synod__lock_cancel_record,
                                                &cancel, s_patience_ms (self, 2, 500));
    if (sent)
        synod__lockc_stir (self, part->session);
    else
        part->try_us = now_us + SYNOD__LOCKC_AGAIN_US;
}

void synod__lockc_send_keepalive (synod__lockc_t *self, int64_t now_us, synod__lockc_session_t *session)
{
    const synod__lock_keepalive_t in = {.client = self->number, .session = session->number};
    const synod__lockc_flight_t flight = {.kind = session->checks ? SYNOD__FLIGHT_PLACES : SYNOD__FLIGHT_KEEPALIVE,
                                          .session = session,
                                          .stir = session->stir,
                                          .quiet = synod__lockc_quiet (self, session)};
    const synod_record_t *record = session->checks ? &synod__lock_places_record : &synod__lock_keepalive_record;
    session->sent_us = now_us;
    if (!synod__lockc_ask (self, now_us, &flight, session->key, record, &in, s_patience_ms (self, 6, 50)))
        session->try_us = now_us + SYNOD__LOCKC_AGAIN_US;
}
