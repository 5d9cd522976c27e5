/* SPDX-License-Identifier: MPL-2.0
 *
 * The lock table: acquiring. What is asked for is checked as a whole before anything changes.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "table_internal.h"
#include "actors/runtime/memory.h"

static int s_compare (const void *a, const void *b)
{
    const synod_str_t *one = (const synod_str_t *) a, *other = (const synod_str_t *) b;
    int order = memcmp (one->data, other->data, one->size < other->size ? one->size : other->size);
    return order ? order : (one->size > other->size) - (one->size < other->size);
}

static int s_check_names (synod__locks_want_t *want, synod_str_t *names, synod_fault_t *fault)
{
    if (want->nnames == 0 || want->nnames > SYNOD__LOCK_NAMES_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected 1 to %d locks to be acquired together, got %u",
                            SYNOD__LOCK_NAMES_MAX, want->nnames);
    for (uint32_t i = 0; i < want->nnames; i++) {
        int rc = synod__locks_name_check (want->names[i], fault);
        if (rc != SYNOD_OK)
            return rc;
        names[i] = want->names[i];
    }
    qsort (names, want->nnames, sizeof *names, s_compare);
    for (uint32_t i = 1; i < want->nnames; i++)
        if (synod_str_same (names[i - 1], names[i]))
            return synod_fault (fault, SYNOD_INVALID, "expected different locks, got %.*s twice", SYNOD_STR (names[i]));
    want->names = names;
    return SYNOD_OK;
}

static int s_check_want (const synod__locks_want_t *want, synod_fault_t *fault)
{
    if (!want->client || !want->request)
        return synod_fault (fault, SYNOD_INVALID, "expected a client's and a request's number other than 0");
    if (want->lease_ms < SYNOD__LOCKS_LEASE_LEAST_MS || want->lease_ms > SYNOD__LOCKS_LEASE_MOST_MS)
        return synod_fault (fault, SYNOD_INVALID, "expected a lease of %d to %d ms, got %" PRIu64,
                            SYNOD__LOCKS_LEASE_LEAST_MS, SYNOD__LOCKS_LEASE_MOST_MS, want->lease_ms);
    if (want->wait_ms > SYNOD__LOCKS_WAIT_MOST_MS)
        return synod_fault (fault, SYNOD_INVALID, "expected a wait of up to %d ms, got %" PRIu64,
                            SYNOD__LOCKS_WAIT_MOST_MS, want->wait_ms);
    if (want->permits > SYNOD__LOCKS_PERMITS_MOST)
        return synod_fault (fault, SYNOD_INVALID, "expected up to %d permits, got %" PRIu64, SYNOD__LOCKS_PERMITS_MOST,
                            want->permits);
    if (want->shared && want->permits > 1)
        return synod_fault (fault, SYNOD_INVALID, "expected readers or permits, got both");
    return SYNOD_OK;
}

/* Whether the locks are of the kind that is wanted, if anybody has them. */
static int s_check_permits (const synod__locks_t *self, const synod__locks_want_t *want, synod_fault_t *fault)
{
    uint32_t permits = want->permits > 1 ? (uint32_t) want->permits : 1;
    for (uint32_t i = 0; i < want->nnames; i++) {
        const synod__locks_name_t *name = synod__locks_name (self, want->names[i]);
        if (name && name->permits != permits)
            return synod_fault (fault, SYNOD_REFUSED,
                                "%s has %u permit%s while somebody has it: expected as many, got %u", name->text,
                                name->permits, name->permits == 1 ? "" : "s", permits);
    }
    return SYNOD_OK;
}

/* What the owner holds of these locks. SYNOD_REFUSED: some of them, or others with them. */
static int s_held (const synod__locks_session_t *session, const synod__locks_want_t *want, synod__locks_entry_t **held,
                   synod_fault_t *fault)
{
    *held = NULL;
    for (synod__locks_entry_t *at = session ? session->entries : NULL; at; at = at->next) {
        uint32_t same = 0;
        if (at->state != SYNOD__LOCKS_HOLDS || !synod_str_is (want->owner, at->owner))
            continue;
        for (uint32_t i = 0; i < at->nclaims; i++)
            for (uint32_t n = 0; n < want->nnames; n++)
                same += synod_str_same (synod__locks_text (at->claims[i].name), want->names[n]);
        if (!same)
            continue;
        if (same != want->nnames || same != at->nclaims)
            return synod_fault (fault, SYNOD_REFUSED,
                                "%s holds some of these locks, acquired with others: expected the same ones together",
                                session->who);
        *held = at;
    }
    return SYNOD_OK;
}

/* The owner acquires what it holds once more. */
static int s_again (synod__locks_t *self, synod__locks_entry_t *entry, const synod__locks_want_t *want,
                    synod_fault_t *fault)
{
    if (entry->count >= SYNOD__LOCKS_LEVELS)
        return synod_fault (fault, SYNOD_FULL, "%s has acquired %s %d times, which are the most", entry->session->who,
                            entry->claims[0].name->text, SYNOD__LOCKS_LEVELS);
    for (uint32_t i = 0; entry->shared && !want->shared && i < entry->nclaims; i++)
        if (entry->claims[i].name->holders.count > 1)
            return synod_fault (fault, SYNOD_REFUSED,
                                "%s reads %s with others: only a sole reader becomes a writer, let it go first",
                                entry->session->who, entry->claims[i].name->text);
    bool becomes = entry->shared && !want->shared;
    entry->shared = entry->shared && want->shared;
    for (synod__locks_entry_t *at = becomes ? entry->session->entries : NULL; at; at = at->next)
        if (at->state == SYNOD__LOCKS_WAITS && synod__locks_same_owner (at, entry) &&
            synod__locks_deadlocked (at, fault)) {
            entry->shared = true;
            return SYNOD_DEADLOCK;
        }
    if (!entry->levels) {
        entry->levels = (uint64_t *) synod__alloc (SYNOD__LOCKS_LEVELS * sizeof *entry->levels);
        entry->levels[0] = entry->request;
    }
    entry->levels[entry->count++] = want->request;
    synod__locks_effect (self, SYNOD__LOCKS_PUT_ENTRY, entry, entry->session, 0);
    return SYNOD_OK;
}

/* Who is in the way of a place that would come now; NULL: nobody. */
static const synod__locks_entry_t *s_in_the_way (const synod__locks_t *self, const synod__locks_want_t *want)
{
    for (uint32_t i = 0; i < want->nnames; i++) {
        const synod__locks_name_t *name = synod__locks_name (self, want->names[i]);
        const synod__locks_claim_t *at;
        if (!name)
            continue;
        if (want->shared && !name->holders.first)
            at = NULL;
        else
            at = name->permits > 1 && name->holders.count < name->permits ? NULL : name->holders.first;
        if (at && !(want->shared && at->entry->shared))
            return at->entry;
        for (at = name->waiters.first; at; at = at->next)
            if (!want->shared || !at->entry->shared)
                return at->entry;
    }
    return NULL;
}

/* A new place. SYNOD_DEADLOCK: nothing has changed. */
static int s_place (synod__locks_t *self, synod__locks_session_t *session, int64_t now_us, int64_t wall_s,
                    const synod__locks_want_t *want, synod__locks_entry_t **out, synod_fault_t *fault)
{
    synod__locks_entry_t *entry = synod__locks_enqueue (self, session, self->number + 1, want);
    if (!synod__locks_grantable (entry) && synod__locks_deadlocked (entry, fault)) {
        synod__locks_take_out (self, entry);
        synod__locks_entry_free (entry);
        synod__locks_settle (self, wall_s);
        return SYNOD_DEADLOCK;
    }
    self->number++;
    entry->came_us = now_us;
    entry->since_s = wall_s;
    synod__locks_effect (self, SYNOD__LOCKS_PUT_ENTRY, entry, session, 0);
    self->coming = entry;
    synod__locks_settle (self, wall_s);
    self->coming = NULL;
    if (entry->state == SYNOD__LOCKS_WAITS)
        synod__locks_due_by (self, NULL, entry);
    *out = entry;
    return SYNOD_OK;
}

int synod__locks_acquire (synod__locks_t *self, int64_t now_us, int64_t wall_s, const synod__locks_want_t *asked,
                          synod__locks_entry_t **entry, const synod__locks_entry_t **in_the_way, synod_fault_t *fault)
{
    synod_str_t names[SYNOD__LOCK_NAMES_MAX];
    synod__locks_want_t copy = *asked, *want = &copy;
    synod__locks_begin (self);
    *entry = NULL;
    *in_the_way = NULL;
    int rc = s_check_want (want, fault);
    rc = rc == SYNOD_OK ? s_check_names (want, names, fault) : rc;
    if (rc != SYNOD_OK)
        return rc;
    synod__locks_session_t *session = synod__locks_session (self, want->client);
    synod__locks_entry_t *held = NULL;
    *entry = synod__locks_of_request (session, want->request);
    rc = *entry ? SYNOD_OK : s_check_permits (self, want, fault);
    if (rc == SYNOD_OK && !*entry)
        rc = s_held (session, want, &held, fault);
    if (rc == SYNOD_OK && held) {
        rc = s_again (self, held, want, fault);
        *entry = rc == SYNOD_OK ? held : NULL;
    } else if (rc == SYNOD_OK && !*entry) {
        *in_the_way = s_in_the_way (self, want);
        if (*in_the_way && !want->wait_ms)
            return SYNOD_OK;
        if (self->nentries >= SYNOD__LOCKS_ENTRIES_MOST ||
            (session && session->claims + want->nnames > SYNOD__LOCKS_SESSION_CLAIMS))
            return synod_fault (fault, SYNOD_FULL, "%u acquisitions are here, the client's are of %u locks: no more",
                                self->nentries, session ? session->claims : 0);
        if (!session) {
            session = synod__locks_session_new (self, ++self->number, want->client, want->who);
            session->lease_ms = (uint32_t) want->lease_ms;
            synod__locks_effect (self, SYNOD__LOCKS_PUT_SESSION, NULL, session, 0);
        }
        rc = s_place (self, session, now_us, wall_s, want, entry, fault);
    }
    if (rc != SYNOD_OK)
        return rc;
    session->renewed_us = now_us;
    synod__locks_due_by (self, session, NULL);
    if (want->lease_ms > session->lease_ms) {
        session->lease_ms = (uint32_t) want->lease_ms;
        synod__locks_effect (self, SYNOD__LOCKS_PUT_SESSION, NULL, session, 0);
    }
    return SYNOD_OK;
}
