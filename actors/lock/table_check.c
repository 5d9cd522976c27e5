/* SPDX-License-Identifier: MPL-2.0
 *
 * The lock table's invariants, asserted by tests and by the simulator after each step.
 */
#include <inttypes.h>
#include <stdio.h>
#include "table_internal.h"

#define S_WRONG(...) (snprintf (why, SYNOD_FAULT_MAX, __VA_ARGS__), false)

static bool s_check_holders (const synod__locks_t *self, const synod__locks_name_t *name, char *why)
{
    uint32_t count = 0;
    for (const synod__locks_claim_t *at = name->holders.first; at; at = at->next, count++) {
        const synod__locks_entry_t *entry = at->entry;
        if (entry->state != SYNOD__LOCKS_HOLDS || !entry->session || !entry->token || entry->token > self->number)
            return S_WRONG ("%s: place %" PRIu64 " holds it, and is not one that holds", name->text, entry->id);
        if (name->permits == 1 && !entry->shared && name->holders.count > 1)
            return S_WRONG ("%s: a writer holds it, and %u in all", name->text, name->holders.count);
        if (entry->permits != name->permits)
            return S_WRONG ("%s: a holder of another kind", name->text);
        for (const synod__locks_claim_t *other = at->next; other; other = other->next)
            if (other->entry->token == entry->token)
                return S_WRONG ("%s: two hold it with the fence %" PRIu64, name->text, entry->token);
    }
    if (count != name->holders.count || count > (name->permits == 1 ? UINT32_MAX : name->permits))
        return S_WRONG ("%s: %u hold it, %u are counted, of %u permits", name->text, count, name->holders.count,
                        name->permits);
    return true;
}

/* Whether CLAIM is free, by what table.h says: not by the code that grants. */
static bool s_should (const synod__locks_claim_t *claim)
{
    const synod__locks_name_t *name = claim->name;
    uint32_t before = 0, writers = 0;
    for (const synod__locks_claim_t *at = name->waiters.first; at && at != claim; at = at->next) {
        before++;
        writers += !at->entry->shared;
    }
    for (const synod__locks_claim_t *at = name->holders.first; at; at = at->next)
        writers += !at->entry->shared;
    if (name->permits > 1)
        return !before && name->holders.count < name->permits;
    return claim->entry->shared ? !writers : !before && !name->holders.count;
}

static bool s_should_hold (const synod__locks_entry_t *entry)
{
    for (uint32_t i = 0; i < entry->nclaims; i++)
        if (!s_should (&entry->claims[i]))
            return false;
    return true;
}

static bool s_check_waiters (const synod__locks_name_t *name, char *why)
{
    uint64_t before = 0;
    uint32_t count = 0;
    for (const synod__locks_claim_t *at = name->waiters.first; at; at = at->next, count++) {
        if (at->entry->state != SYNOD__LOCKS_WAITS || !at->entry->session)
            return S_WRONG ("%s: place %" PRIu64 " waits, and is not one that waits", name->text, at->entry->id);
        if (at->entry->id <= before)
            return S_WRONG ("%s: place %" PRIu64 " stands behind %" PRIu64, name->text, at->entry->id, before);
        before = at->entry->id;
        if (!name->dirty && s_should_hold (at->entry))
            return S_WRONG ("%s: place %" PRIu64 " of %s waits for what is free", name->text, at->entry->id,
                            at->entry->session->who);
    }
    return count == name->waiters.count ||
           S_WRONG ("%s: %u wait, %u are counted", name->text, count, name->waiters.count);
}

static bool s_check_session (const synod__locks_session_t *session, char *why)
{
    uint32_t count = 0, claims = 0;
    uint64_t sum = 0;
    for (const synod__locks_entry_t *at = session->entries; at; at = at->next) {
        if (at->session != session)
            return S_WRONG ("session %" PRIu64 " has a place of another", session->number);
        count++;
        claims += at->nclaims;
        sum += at->id;
    }
    if (count != session->count || claims != session->claims || sum != session->sum)
        return S_WRONG ("session %" PRIu64 " has %u places, %u are counted", session->number, count, session->count);
    return true;
}

/* ---- nobody waits for ever: not by the code that looks for circles, and not fast ---- */

/* In MARK, by which that code finds nothing afterwards: */
#define S_GRANTED UINT32_MAX       /* it waits, and was given what it waits for */
#define S_GONE    (UINT32_MAX - 1) /* its owner has let it go */

static bool s_has (const synod__locks_entry_t *at)
{
    return at->mark == S_GRANTED || (at->mark != S_GONE && at->state == SYNOD__LOCKS_HOLDS);
}

static bool s_could (const synod__locks_claim_t *claim)
{
    const synod__locks_name_t *name = claim->name;
    uint32_t has = 0, in_the_way = 0;
    for (const synod__locks_claim_t *at = name->holders.first; at; at = at->next) {
        has += s_has (at->entry);
        in_the_way += s_has (at->entry) && !(claim->entry->shared && at->entry->shared);
    }
    for (const synod__locks_claim_t *at = name->waiters.first; at != claim; at = at->next) {
        bool waits = at->entry->mark != S_GRANTED && at->entry->mark != S_GONE;
        has += s_has (at->entry);
        in_the_way += (s_has (at->entry) || waits) && !(claim->entry->shared && at->entry->shared);
        if (waits && name->permits > 1)
            return false;
    }
    return name->permits > 1 ? has < name->permits : !in_the_way;
}

static bool s_owner_waits (const synod__locks_entry_t *entry)
{
    for (const synod__locks_entry_t *at = entry->session->entries; at; at = at->next)
        if (at->state == SYNOD__LOCKS_WAITS && !at->mark && synod__locks_same_owner (at, entry))
            return true;
    return false;
}

static bool s_check_circles (const synod__locks_t *self, char *why)
{
    struct synod__locks_entries *entries = (struct synod__locks_entries *) &self->entries;
    synod__locks_entry_t *at;
    bool any = self->nwaiting > 0;
    RB_FOREACH (at, synod__locks_entries, entries)
    at->mark = 0;
    while (any) {
        any = false;
        RB_FOREACH (at, synod__locks_entries, entries)
        {
            bool could = at->mark == 0 && at->state == SYNOD__LOCKS_WAITS;
            for (uint32_t i = 0; i < at->nclaims && could; i++)
                could = s_could (&at->claims[i]);
            bool goes = s_has (at) && !s_owner_waits (at);
            any = any || could || goes;
            at->mark = could ? S_GRANTED : goes ? S_GONE : at->mark;
        }
    }
    bool ok = true;
    RB_FOREACH (at, synod__locks_entries, entries)
    {
        if (self->nwaiting && at->state == SYNOD__LOCKS_WAITS && at->mark == 0)
            ok = S_WRONG ("place %" PRIu64 " of %s waits for %s, and for itself", at->id, at->session->who,
                          at->claims[0].name->text);
    }
    RB_FOREACH (at, synod__locks_entries, entries)
    at->mark = 0;
    return ok;
}

bool synod__locks_check (const synod__locks_t *self, char *why)
{
    struct synod__locks_names *names = (struct synod__locks_names *) &self->names;
    struct synod__locks_numbers *sessions = (struct synod__locks_numbers *) &self->sessions;
    synod__locks_name_t *name;
    synod__locks_session_t *session;
    uint32_t nnames = 0, nsessions = 0, entries = 0;
    RB_FOREACH (name, synod__locks_names, names)
    {
        nnames++;
        if (!name->holders.count && !name->waiters.count)
            return S_WRONG ("%s: nobody has it, and it is there", name->text);
        if (!s_check_holders (self, name, why) || !s_check_waiters (name, why))
            return false;
    }
    RB_FOREACH (session, synod__locks_numbers, sessions)
    {
        nsessions++;
        entries += session->count;
        if (session->number > self->number)
            return S_WRONG ("session %" PRIu64 " is beyond the sequence, which is at %" PRIu64, session->number,
                            self->number);
        if (!s_check_session (session, why))
            return false;
    }
    if (self->number > self->stored)
        return S_WRONG ("number %" PRIu64 " is used, up to %" PRIu64 " are in the store", self->number, self->stored);
    if (nnames != self->nnames || nsessions != self->nsessions || entries != self->nentries)
        return S_WRONG ("%u locks, %u sessions, %u places are counted: there are %u, %u, %u", self->nnames,
                        self->nsessions, self->nentries, nnames, nsessions, entries);
    return s_check_circles (self, why);
}
