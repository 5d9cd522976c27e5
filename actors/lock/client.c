/* SPDX-License-Identifier: MPL-2.0
 *
 * The client: acquisitions and their parts, and when something is sent for them. Parts are acquired one after another, in an
 * order that is the same for everybody; if one is not to be had, those before it are let go again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "client_internal.h"
#include "actors/runtime/memory.h"

#define S_LEASE_MS   10000
#define S_DRIFT_PPM  10000
#define S_DRIFT_MOST 500000
#define S_TRY_MS     SYNOD_ASK_MS /* how long a try may take to be answered */

/* ---- parts ---- */

bool synod__lockc_wanted (const synod__lockc_part_t *part)
{
    return part->state > SYNOD__PART_IDLE && part->state < SYNOD__PART_ENDS;
}

/* Its answer, if one comes, is nobody's. */
static void s_orphan (synod__lockc_t *self, synod__lockc_part_t *part)
{
    if (part->flight)
        self->flights[part->flight & UINT16_MAX].part = NULL;
    part->flight = 0;
}

/* One of several acquisitions of an entry goes: another one stands for it. */
static void s_hand_entry (const synod__lockc_part_t *part)
{
    if (part->again || !part->entry || !part->session)
        return;
    for (synod_lock_t *lock = part->lock->client->locks; lock; lock = lock->next)
        for (uint32_t i = 0; i < lock->nparts; i++) {
            synod__lockc_part_t *other = &lock->parts[i];
            if (other != part && other->session == part->session && other->entry == part->entry && other->again) {
                other->again = false;
                return;
            }
        }
}

void synod__lockc_over (synod__lockc_t *self, synod__lockc_part_t *part)
{
    s_orphan (self, part);
    s_hand_entry (part);
    if (part->session) {
        part->session->parts--;
        synod__lockc_stir (self, part->session);
    }
    part->session = NULL;
    part->state = SYNOD__PART_OVER;
}

static bool s_all_over (const synod_lock_t *lock)
{
    for (uint32_t i = 0; i < lock->nparts; i++)
        if (lock->parts[i].state != SYNOD__PART_OVER)
            return false;
    return true;
}

static void s_news (synod_lock_t *lock)
{
    if (!lock->left && !lock->news)
        lock->client->nnews++;
    lock->news = !lock->left;
}

/* Lets go of what its parts have, or may have. */
static void s_end_parts (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock)
{
    for (uint32_t i = 0; i < lock->nparts; i++) {
        synod__lockc_part_t *part = &lock->parts[i];
        if (part->state == SYNOD__PART_IDLE || (part->state == SYNOD__PART_ASKS && !part->asked))
            part->state = SYNOD__PART_OVER;
        if (part->state >= SYNOD__PART_ENDS)
            continue;
        bool asks = part->state == SYNOD__PART_ASKS && part->flight;
        part->state = SYNOD__PART_ENDS;
        part->try_us = now_us;
        if (asks)
            continue; /* first what has become of it */
        s_orphan (self, part);
        synod__lockc_send_end (self, now_us, part);
    }
}

void synod__lockc_fail (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock, int code, const char *why)
{
    lock->stand = SYNOD__LOCK_OVER;
    lock->code = code;
    snprintf (lock->why, sizeof lock->why, "%s", why);
    s_news (lock);
    s_end_parts (self, now_us, lock);
}

static void s_lose (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock, const char *why)
{
    if (lock->news) { /* its user does not know yet that it was held */
        synod__lockc_fail (self, now_us, lock, SYNOD_EXPIRED, why);
        return;
    }
    lock->stand = SYNOD__LOCK_LOST;
    lock->code = SYNOD_EXPIRED;
    snprintf (lock->why, sizeof lock->why, "%s", why);
    s_news (lock);
}

void synod__lockc_lost (synod__lockc_t *self, int64_t now_us, synod__lockc_part_t *part, const char *why)
{
    synod_lock_t *lock = part->lock;
    bool wanted = synod__lockc_wanted (part);
    synod__lockc_over (self, part);
    if (wanted && lock->stand == SYNOD__LOCK_WANTED)
        synod__lockc_fail (self, now_us, lock, SYNOD_EXPIRED, why);
    else if (wanted && lock->stand == SYNOD__LOCK_HELD)
        s_lose (self, now_us, lock, why);
}

void synod__lockc_granted (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock)
{
    bool all = true;
    for (uint32_t i = 0; i < lock->nparts; i++) {
        synod__lockc_part_t *part = &lock->parts[i];
        if (part->state == SYNOD__PART_IDLE) {
            part->state = SYNOD__PART_ASKS;
            synod__lockc_send_acquire (self, now_us, part);
            return;
        }
        if (part->state != SYNOD__PART_HELD && part->state != SYNOD__PART_GRANTED)
            return;
        if (part->session->trust_us > now_us || SYNOD__LOCK_MUTANT (ACQUIRED_LATE) ||
            (i && SYNOD__LOCK_MUTANT (ONE_PART_TRUSTED)))
            part->state = SYNOD__PART_HELD;
        else { /* its lease may have ended meanwhile: it is not held before the service has said that it has not */
            part->state = SYNOD__PART_GRANTED;
            part->session->try_us = now_us;
            all = false;
        }
    }
    if (!all || lock->stand != SYNOD__LOCK_WANTED)
        return;
    lock->stand = SYNOD__LOCK_HELD;
    s_news (lock);
}

/* ---- wishes ---- */

static int s_order (const void *a, const void *b)
{
    const synod_str_t *one = (const synod_str_t *) a, *other = (const synod_str_t *) b;
    synod_str_t x = synod__locks_key (*one), y = synod__locks_key (*other);
    int order = memcmp (x.data, y.data, x.size < y.size ? x.size : y.size);
    order = order ? order : (x.size > y.size) - (x.size < y.size);
    if (order)
        return order;
    order = memcmp (one->data, other->data, one->size < other->size ? one->size : other->size);
    return order ? order : (one->size > other->size) - (one->size < other->size);
}

/* The names that are wanted, checked. */
static int s_names (const synod_lock_want_t *want, synod_str_t *names, uint32_t *count, synod_fault_t *fault)
{
    *count = 0;
    if (want->name)
        names[(*count)++] = synod_str (want->name);
    for (uint32_t i = 0; want->names && want->names[i]; i++) {
        if (*count == SYNOD_LOCK_NAMES_MAX)
            return synod_fault (fault, SYNOD_INVALID, "expected at most %d locks together", SYNOD_LOCK_NAMES_MAX);
        names[(*count)++] = synod_str (want->names[i]);
    }
    if (!*count)
        return synod_fault (fault, SYNOD_INVALID, "expected the name of a lock, got none");
    for (uint32_t i = 0; i < *count; i++)
        if (synod__locks_name_check (names[i], fault) != SYNOD_OK)
            return SYNOD_INVALID;
    if (want->owner && strlen (want->owner) > SYNOD_NAME_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected an owner of at most %d bytes, got %zu", SYNOD_NAME_MAX,
                            strlen (want->owner));
    if (want->wait_ms > SYNOD__LOCKS_WAIT_MOST_MS)
        return synod_fault (fault, SYNOD_INVALID, "expected a wait of up to %d ms, got %u", SYNOD__LOCKS_WAIT_MOST_MS,
                            want->wait_ms);
    if ((want->shared && want->permits > 1) || want->permits > SYNOD__LOCKS_PERMITS_MOST)
        return synod_fault (fault, SYNOD_INVALID, "expected readers, or up to %d permits, got %u permits%s",
                            SYNOD__LOCKS_PERMITS_MOST, want->permits, want->shared ? " and readers" : "");
    qsort (names, *count, sizeof *names, s_order);
    for (uint32_t i = 1; i < *count; i++)
        if (synod_str_same (names[i - 1], names[i]))
            return synod_fault (fault, SYNOD_INVALID, "expected different locks, got %.*s twice", SYNOD_STR (names[i]));
    return SYNOD_OK;
}

int synod__lockc_new (synod__lockc_t *self, int64_t now_us, const synod_lock_want_t *want, synod_lock_t **out,
                      synod_fault_t *fault)
{
    synod_str_t names[SYNOD_LOCK_NAMES_MAX];
    uint32_t count;
    size_t size = 0;
    int rc = s_names (want, names, &count, fault);
    if (rc != SYNOD_OK)
        return rc;
    for (uint32_t i = 0; i < count; i++)
        size += names[i].size + 1;
    synod_lock_t *lock = (synod_lock_t *) synod__alloc (sizeof *lock + size);
    char *at = lock->text;
    lock->client = self;
    lock->born_us = now_us;
    lock->shared = want->shared;
    lock->permits = want->permits;
    lock->wait_ms = want->wait_ms;
    lock->deadline_us = now_us + (int64_t) (want->wait_ms ? want->wait_ms : S_TRY_MS) * 1000;
    snprintf (lock->owner, sizeof lock->owner, "%s", want->owner ? want->owner : "");
    for (uint32_t i = 0; i < count; i++) {
        memcpy (at, names[i].data, names[i].size);
        lock->names[i] = synod_str_n (at, names[i].size);
        at += names[i].size + 1;
        bool next = !i || !synod_str_same (synod__locks_key (names[i - 1]), synod__locks_key (names[i]));
        if (next)
            lock->parts[lock->nparts++] =
                (synod__lockc_part_t){.lock = lock, .names = &lock->names[i], .request = ++self->requests};
        lock->parts[lock->nparts - 1].nnames++;
    }
    lock->nnames = count;
    lock->next = self->locks;
    if (lock->next)
        lock->next->prev = lock;
    self->locks = lock;
    *out = lock;
    return SYNOD_OK;
}

void synod__lockc_start (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock)
{
    lock->stand = SYNOD__LOCK_WANTED;
    synod__lockc_granted (self, now_us, lock);
}

synod_lock_t *synod__lockc_find (const synod__lockc_t *self, uint64_t request)
{
    synod_lock_t *lock = self->locks;
    while (lock && lock->parts[0].request != request)
        lock = lock->next;
    return lock;
}

void synod__lockc_release (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock, bool tell)
{
    self->nnews -= lock->news;
    lock->news = false;
    lock->left = !tell;
    lock->releases = tell;
    lock->stand = SYNOD__LOCK_OVER;
    lock->code = SYNOD_OK;
    s_end_parts (self, now_us, lock);
}

void synod__lockc_give_up (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock)
{
    synod__lockc_fail (self, now_us, lock, SYNOD_STOPPED, "it is not waited for any more");
}

/* ---- time ---- */

static void s_too_late (synod__lockc_t *self, int64_t now_us, synod_lock_t *lock)
{
    char why[SYNOD_FAULT_MAX];
    int code = SYNOD_OK;
    for (uint32_t i = 0; i < lock->nparts; i++)
        code = synod__lockc_wanted (&lock->parts[i]) && lock->parts[i].code ? lock->parts[i].code : code;
    snprintf (why, sizeof why, "%.*s was not granted within %u ms%s%s", SYNOD_STR (lock->names[0]),
              lock->wait_ms ? lock->wait_ms : S_TRY_MS, code ? "; the last that was heard is " : "",
              code ? synod_error_meaning (code) : "");
    synod__lockc_fail (self, now_us, lock, SYNOD_TIMEOUT, why);
}

static void s_free (synod__lockc_t *self, synod_lock_t *lock)
{
    *(lock->prev ? &lock->prev->next : &self->locks) = lock->next;
    if (lock->next)
        lock->next->prev = lock->prev;
    free (lock);
}

/* Locks that nobody knows any more, and sessions that have nothing and are not trusted any more. */
static void s_sweep (synod__lockc_t *self, int64_t now_us)
{
    for (synod_lock_t *lock = self->locks, *next; lock; lock = next) {
        next = lock->next;
        if ((lock->left && s_all_over (lock)) || (lock->stand == SYNOD__LOCK_NEW && lock->born_us < now_us))
            s_free (self, lock);
    }
    for (synod__lockc_session_t **at = &self->sessions; *at;) {
        synod__lockc_session_t *session = *at;
        bool flies = session->flight != 0;
        for (uint32_t i = 0; i < self->nflights && !flies; i++)
            flies = self->flights[i].id && self->flights[i].session == session;
        if (session->parts || flies || session->trust_us > now_us)
            at = &session->next;
        else {
            *at = session->next;
            free (session);
        }
    }
}

static void s_due_part (synod__lockc_t *self, int64_t now_us, synod__lockc_part_t *part)
{
    if (part->flight || part->try_us > now_us)
        return;
    if (part->state == SYNOD__PART_ASKS)
        synod__lockc_send_acquire (self, now_us, part);
    else if (part->state == SYNOD__PART_WAITS)
        synod__lockc_send_wait (self, now_us, part);
    else if (part->state == SYNOD__PART_ENDS)
        synod__lockc_send_end (self, now_us, part);
}

static bool s_needed (const synod__lockc_t *self, const synod__lockc_session_t *session)
{
    for (const synod_lock_t *lock = session->parts ? self->locks : NULL; lock; lock = lock->next)
        for (uint32_t i = 0; i < lock->nparts; i++)
            if (lock->parts[i].session == session && synod__lockc_wanted (&lock->parts[i]))
                return true;
    return false;
}

void synod__lockc_due (synod__lockc_t *self, int64_t now_us)
{
    for (uint32_t i = 0; i < self->nflights; i++) /* asks that were dropped with the handler that made them */
        if (self->flights[i].id && self->flights[i].until_us <= now_us)
            synod__lockc_reply (self, now_us, self->flights[i].id, SYNOD_TIMEOUT, synod_str (""), synod_str (""));
    s_sweep (self, now_us);
    for (synod_lock_t *lock = self->locks; lock; lock = lock->next) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed is out of the list */
        if (lock->stand == SYNOD__LOCK_WANTED && lock->deadline_us <= now_us)
            s_too_late (self, now_us, lock);
        if (lock->stand == SYNOD__LOCK_HELD && synod__lockc_left_us (lock, now_us) <= 0 &&
            !SYNOD__LOCK_MUTANT (ACQUIRED_LATE))
            s_lose (self, now_us, lock, "the lease ended: the lock service could not be reached in time");
        for (uint32_t i = 0; i < lock->nparts; i++)
            s_due_part (self, now_us, &lock->parts[i]);
        if (lock->releases && s_all_over (lock)) {
            lock->releases = false;
            s_news (lock);
        }
    }
    for (synod__lockc_session_t *at = self->sessions; at; at = at->next)
        if (!at->flight && at->try_us <= now_us && s_needed (self, at))
            synod__lockc_send_keepalive (self, now_us, at);
}

int64_t synod__lockc_next_us (const synod__lockc_t *self)
{
    int64_t next_us = self->nnews ? INT64_MIN : INT64_MAX;
    for (uint32_t i = 0; i < self->nflights; i++)
        if (self->flights[i].id && self->flights[i].until_us < next_us)
            next_us = self->flights[i].until_us;
    for (const synod_lock_t *lock = self->locks; lock; lock = lock->next) {
        int64_t at_us = lock->stand == SYNOD__LOCK_WANTED ? lock->deadline_us : INT64_MAX;
        for (uint32_t i = 0; i < lock->nparts; i++) {
            const synod__lockc_part_t *part = &lock->parts[i];
            bool sends =
                part->state == SYNOD__PART_ASKS || part->state == SYNOD__PART_WAITS || part->state == SYNOD__PART_ENDS;
            if (sends && !part->flight && part->try_us < at_us)
                at_us = part->try_us;
            if (lock->stand == SYNOD__LOCK_HELD && part->session && part->session->trust_us < at_us)
                at_us = part->session->trust_us;
        }
        if ((lock->releases || lock->left) && s_all_over (lock))
            at_us = INT64_MIN;
        next_us = at_us < next_us ? at_us : next_us;
    }
    for (const synod__lockc_session_t *at = self->sessions; at; at = at->next) {
        int64_t at_us = !at->flight && s_needed (self, at) ? at->try_us : INT64_MAX;
        next_us = at_us < next_us ? at_us : next_us;
    }
    return next_us;
}

synod_lock_t *synod__lockc_news (synod__lockc_t *self)
{
    synod_lock_t *lock = self->nnews ? self->locks : NULL;
    while (lock && !lock->news)
        lock = lock->next;
    if (!lock)
        return NULL;
    self->nnews--;
    lock->news = false;
    lock->left = lock->stand == SYNOD__LOCK_OVER;
    return lock;
}

int64_t synod__lockc_left_us (const synod_lock_t *lock, int64_t now_us)
{
    int64_t left_us = INT64_MAX;
    if (lock->stand != SYNOD__LOCK_HELD)
        return 0;
    for (uint32_t i = 0; i < lock->nparts; i++) {
        int64_t one_us = lock->parts[i].session ? lock->parts[i].session->trust_us - now_us : 0;
        left_us = one_us < left_us ? one_us : left_us;
    }
    return left_us > 0 ? left_us : 0;
}

/* ---- life ---- */

int synod__lockc_init (synod__lockc_t *self, const synod_lock_options_t *options, const char *who, uint64_t number,
                       const synod__lockc_host_t *ops, void *host, synod_fault_t *fault)
{
    static const synod_lock_options_t none;
    options = options ? options : &none;
    uint64_t drift = options->drift_ppm ? options->drift_ppm : S_DRIFT_PPM;
    *self = (synod__lockc_t){.ops = ops, .host = host, .number = number ? number : 1};
    self->lease_ms = options->lease_ms ? options->lease_ms : S_LEASE_MS;
    if (self->lease_ms < SYNOD__LOCKS_LEASE_LEAST_MS || self->lease_ms > SYNOD__LOCKS_LEASE_MOST_MS)
        return synod_fault (fault, SYNOD_INVALID, "expected a lease of %d to %d ms, got %u",
                            SYNOD__LOCKS_LEASE_LEAST_MS, SYNOD__LOCKS_LEASE_MOST_MS, self->lease_ms);
    if (drift > S_DRIFT_MOST)
        return synod_fault (fault, SYNOD_INVALID, "expected a drift of up to %d ppm, got %" PRIu64, S_DRIFT_MOST,
                            drift);
    self->term_us = (int64_t) ((uint64_t) self->lease_ms * 1000 * (1000000 - drift) / (1000000 + drift));
    snprintf (self->who, sizeof self->who, "%s", options->who ? options->who : who);
    return SYNOD_OK;
}

void synod__lockc_free (synod__lockc_t *self)
{
    char to[sizeof SYNOD__LOCK_ACTOR "#" + SYNOD_KEY_MAX];
    while (self->sessions) {
        synod__lockc_session_t *session = self->sessions;
        self->sessions = session->next;
        snprintf (to, sizeof to, SYNOD__LOCK_ACTOR "#%s", session->key);
        self->ops->tell (self->host, to, &synod__lock_close_record,
                         &(synod__lock_close_t){.client = self->number, .session = session->number});
        free (session);
    }
    while (self->locks)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed is out of the list */
        s_free (self, self->locks);
    free (self->flights);
    *self = (synod__lockc_t){0};
}

bool synod__lockc_check (const synod__lockc_t *self, char *why)
{
    for (const synod_lock_t *lock = self->locks; lock; lock = lock->next)
        for (uint32_t i = 0; i < lock->nparts; i++) {
            const synod__lockc_part_t *part = &lock->parts[i];
            const synod__lockc_flight_t *flight = part->flight ? &self->flights[part->flight & UINT16_MAX] : NULL;
            if (lock->stand == SYNOD__LOCK_HELD && (part->state != SYNOD__PART_HELD || !part->session || !part->token))
                return snprintf (why, SYNOD_FAULT_MAX, "%.*s is held, and a part of it is not",
                                 SYNOD_STR (part->names[0])),
                       false;
            if (flight && (flight->id != part->flight || flight->part != part))
                return snprintf (why, SYNOD_FAULT_MAX, "%.*s: its ask is not under way", SYNOD_STR (part->names[0])),
                       false;
            if (part->state == SYNOD__PART_HELD && part->number != part->session->number)
                return snprintf (why, SYNOD_FAULT_MAX, "%.*s: held by a session that is over",
                                 SYNOD_STR (part->names[0])),
                       false;
        }
    return true;
}
