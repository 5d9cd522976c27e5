/* SPDX-License-Identifier: MPL-2.0
 *
 * Queues: places stand in those of their locks, and are granted in turn.
 */
#include <assert.h>
#include <stdlib.h>
#include "table_internal.h"
#include "actors/runtime/memory.h"

#ifdef SYNOD_LOCK_MUTANTS
synod__lock_mutant_t synod__lock_mutant;
#endif

/* ---- lists ---- */

static void s_append (synod__locks_claims_t *claims, synod__locks_claim_t *claim)
{
    claim->next = NULL;
    claim->prev = claims->last;
    *(claim->prev ? &claim->prev->next : &claims->first) = claim;
    claims->last = claim;
    claims->count++;
}

static void s_remove (synod__locks_claims_t *claims, synod__locks_claim_t *claim)
{
    *(claim->prev ? &claim->prev->next : &claims->first) = claim->next;
    *(claim->next ? &claim->next->prev : &claims->last) = claim->prev;
    claims->count--;
}

void synod__locks_dirty (synod__locks_t *self, synod__locks_name_t *name)
{
    if (name->dirty)
        return;
    name->dirty = true;
    name->next_dirty = self->dirty;
    self->dirty = name;
}

/* ---- places ---- */

static synod__locks_name_t *s_name (synod__locks_t *self, synod_str_t text, uint32_t permits)
{
    synod__locks_name_t *name = synod__locks_name (self, text);
    if (name)
        return name;
    name = (synod__locks_name_t *) synod__alloc (sizeof *name + text.size + 1);
    name->permits = permits;
    name->size = text.size;
    memcpy (name->text, text.data, text.size);
    RB_INSERT (synod__locks_names, &self->names, name);
    self->nnames++;
    return name;
}

synod__locks_entry_t *synod__locks_enqueue (synod__locks_t *self, synod__locks_session_t *session, uint64_t id,
                                            const synod__locks_want_t *want)
{
    size_t size = sizeof (synod__locks_entry_t) + want->nnames * sizeof (synod__locks_claim_t);
    synod__locks_entry_t *entry = (synod__locks_entry_t *) synod__alloc (size + want->owner.size + 1);
    char *owner = (char *) entry + size;
    if (want->owner.size)
        memcpy (owner, want->owner.data, want->owner.size);
    entry->owner = owner;
    entry->id = id;
    entry->session = session;
    entry->shared = want->shared;
    entry->permits = want->permits > 1 ? (uint32_t) want->permits : 1;
    entry->request = want->request;
    entry->wait_ms = want->wait_ms;
    entry->nclaims = want->nnames;
    for (uint32_t i = 0; i < want->nnames; i++) {
        synod__locks_claim_t *claim = &entry->claims[i];
        claim->entry = entry;
        claim->name = s_name (self, want->names[i], entry->permits);
        s_append (&claim->name->waiters, claim);
        synod__locks_dirty (self, claim->name);
    }
    RB_INSERT (synod__locks_entries, &self->entries, entry);
    self->nentries++;
    self->nwaiting++;
    entry->next = session->entries;
    if (entry->next)
        entry->next->prev = entry;
    session->entries = entry;
    session->count++;
    session->waits++;
    session->claims += entry->nclaims;
    session->sum += id;
    return entry;
}

void synod__locks_take_out (synod__locks_t *self, synod__locks_entry_t *entry)
{
    synod__locks_session_t *session = entry->session;
    bool waits = entry->state == SYNOD__LOCKS_WAITS;
    for (uint32_t i = 0; i < entry->nclaims; i++) {
        synod__locks_name_t *name = entry->claims[i].name;
        s_remove (waits ? &name->waiters : &name->holders, &entry->claims[i]);
        if (!(SYNOD__LOCK_MUTANT (WAKEUP_LOST) && waits && name->waiters.count))
            synod__locks_dirty (self, name);
    }
    self->nwaiting -= waits;
    RB_REMOVE (synod__locks_entries, &self->entries, entry);
    self->nentries--;
    *(entry->prev ? &entry->prev->next : &session->entries) = entry->next;
    if (entry->next)
        entry->next->prev = entry->prev;
    session->count--;
    session->waits -= waits;
    session->claims -= entry->nclaims;
    session->sum -= entry->id;
    entry->state = SYNOD__LOCKS_ENDED;
    entry->session = NULL;
}

void synod__locks_entry_free (synod__locks_entry_t *entry)
{
    free (entry->levels);
    free (entry);
}

void synod__locks_hold (synod__locks_t *self, synod__locks_entry_t *entry)
{
    assert (entry->state == SYNOD__LOCKS_WAITS);
    for (uint32_t i = 0; i < entry->nclaims; i++) {
        s_remove (&entry->claims[i].name->waiters, &entry->claims[i]);
        s_append (&entry->claims[i].name->holders, &entry->claims[i]);
    }
    entry->state = SYNOD__LOCKS_HOLDS;
    entry->session->waits--;
    self->nwaiting--;
}

/* ---- grants ---- */

/* Whether CLAIM, which waits, is free. */
static bool s_is_free (const synod__locks_claim_t *claim)
{
    const synod__locks_name_t *name = claim->name;
    if (name->permits > 1)
        return name->holders.count < name->permits && name->waiters.first == claim;
    if (!claim->entry->shared)
        return name->holders.count <= (SYNOD__LOCK_MUTANT (NEXT_TWO_TOLD) ? 1 : 0) && name->waiters.first == claim;
    if (name->holders.count && !name->holders.first->entry->shared)
        return false;
    if (SYNOD__LOCK_MUTANT (READERS_PASS))
        return true;
    for (const synod__locks_claim_t *at = name->waiters.first; at; at = at->next) {
        if (at == claim && !SYNOD__LOCK_MUTANT (LATER_WRITERS))
            return true;
        if (!at->entry->shared)
            return false;
    }
    return true;
}

bool synod__locks_grantable (const synod__locks_entry_t *entry)
{
    for (uint32_t i = 0; i < entry->nclaims; i++)
        if (!s_is_free (&entry->claims[i]))
            return false;
    return true;
}

static void s_grant (synod__locks_t *self, synod__locks_entry_t *entry, int64_t wall_s)
{
    synod__locks_hold (self, entry);
    if (self->number != entry->id) /* else it has just come, and its number is the greatest there is */
        self->number++;
    entry->token = self->number;
    entry->count = 1;
    entry->since_s = wall_s;
    self->grants++;
    if (entry != self->coming) /* what comes is written anyway */
        synod__locks_effect (self, SYNOD__LOCKS_PUT_ENTRY, entry, entry->session, 0);
    synod__locks_event (self, SYNOD__LOCKS_GRANTED, entry, entry->token);
    synod__locks_effect (self, SYNOD__LOCKS_ANSWER, entry, entry->session, 0);
}

void synod__locks_serve (synod__locks_t *self, synod__locks_name_t *name, int64_t wall_s)
{
    synod__locks_claim_t *next;
    for (synod__locks_claim_t *claim = name->waiters.first; claim; claim = next) {
        next = claim->next;
        bool shared = claim->entry->shared;
        if (self->grants >= SYNOD__LOCKS_GRANTS_MOST)
            return;
        if (synod__locks_grantable (claim->entry))
            s_grant (self, claim->entry, wall_s);
        else if (!shared)
            return; /* it is in the way of all behind it */
    }
}
