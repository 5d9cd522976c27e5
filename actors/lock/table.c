/* SPDX-License-Identifier: MPL-2.0
 *
 * The lock table's events. Each checks first and changes then, so that an error has changed nothing; what it did is
 * settled in the end: queues are served, and what nobody has goes.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "table_internal.h"
#include "actors/runtime/memory.h"
#include "protocol/address.h"

#define S_TOPIC     "lock."
#define S_ENDS_MOST 1000 /* in one event: its writes are one batch, and what is left is due again at once */

static int synod__locks_order_names (const synod__locks_name_t *a, const synod__locks_name_t *b)
{
    int order = memcmp (a->text, b->text, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static int synod__locks_order_entries (const synod__locks_entry_t *a, const synod__locks_entry_t *b)
{
    return (a->id > b->id) - (a->id < b->id);
}

static int synod__locks_order_numbers (const synod__locks_session_t *a, const synod__locks_session_t *b)
{
    return (a->number > b->number) - (a->number < b->number);
}

static int synod__locks_order_clients (const synod__locks_session_t *a, const synod__locks_session_t *b)
{
    return (a->client > b->client) - (a->client < b->client);
}

/* NOLINTBEGIN(clang-analyzer-unix.Malloc): what is freed is out of the trees by then */
RB_GENERATE (synod__locks_names, synod__locks_name_t, link, synod__locks_order_names)
RB_GENERATE (synod__locks_entries, synod__locks_entry_t, link, synod__locks_order_entries)
RB_GENERATE (synod__locks_numbers, synod__locks_session_t, by_number, synod__locks_order_numbers)
RB_GENERATE (synod__locks_clients, synod__locks_session_t, by_client, synod__locks_order_clients)
/* NOLINTEND(clang-analyzer-unix.Malloc) */

/* ---- looking ---- */

/* A name to look for, in ROOM. */
typedef union {
    synod__locks_name_t name;
    char bytes[sizeof (synod__locks_name_t) + SYNOD__LOCK_NAME_MAX + 1];
} s_probe_t;

static synod__locks_name_t *s_probe (s_probe_t *probe, synod_str_t text)
{
    probe->name.size = text.size <= SYNOD__LOCK_NAME_MAX ? text.size : SYNOD__LOCK_NAME_MAX;
    if (probe->name.size)
        memcpy (probe->bytes + offsetof (synod__locks_name_t, text), text.data, probe->name.size);
    return &probe->name;
}

synod__locks_name_t *synod__locks_name (const synod__locks_t *self, synod_str_t name)
{
    s_probe_t probe;
    return name.size > SYNOD__LOCK_NAME_MAX
               ? NULL
               : RB_FIND (synod__locks_names, (struct synod__locks_names *) &self->names, s_probe (&probe, name));
}

synod__locks_name_t *synod__locks_after (const synod__locks_t *self, synod_str_t name)
{
    s_probe_t probe;
    struct synod__locks_names *names = (struct synod__locks_names *) &self->names;
    if (!name.size)
        return RB_MIN (synod__locks_names, names);
    synod__locks_name_t *at = RB_NFIND (synod__locks_names, names, s_probe (&probe, name));
    return at && synod_str_same (synod__locks_text (at), name) ? RB_NEXT (synod__locks_names, names, at) : at;
}

synod__locks_session_t *synod__locks_session (const synod__locks_t *self, uint64_t client)
{
    const synod__locks_session_t probe = {.client = client};
    return RB_FIND (synod__locks_clients, (struct synod__locks_clients *) &self->clients,
                    (synod__locks_session_t *) &probe);
}

synod_str_t synod__locks_key (synod_str_t name)
{
    const char *open = name.size ? (const char *) memchr (name.data, '{', name.size) : NULL;
    const char *close = open ? (const char *) memchr (open, '}', name.size - (size_t) (open - name.data)) : NULL;
    return close && close > open + 1 ? synod_str_n (open + 1, (size_t) (close - open - 1)) : name;
}

int synod__locks_name_check (synod_str_t name, synod_fault_t *fault)
{
    char topic[sizeof S_TOPIC + SYNOD__LOCK_NAME_MAX] = S_TOPIC;
    if (name.size == 0 || name.size > SYNOD__LOCK_NAME_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected a lock's name of 1 to %d bytes, got %u",
                            SYNOD__LOCK_NAME_MAX, name.size);
    memcpy (topic + sizeof S_TOPIC - 1, name.data, name.size);
    if (synod__topic_check (synod_str_n (topic, sizeof S_TOPIC - 1 + name.size), NULL) != SYNOD_OK)
        return synod_fault (fault, SYNOD_INVALID,
                            "expected a lock's name of printable ASCII but space / # * >, with no empty part between "
                            "dots, got \"%.*s\"",
                            name.size > 60 ? 60 : (int) name.size, name.data);
    return SYNOD_OK;
}

/* ---- around events ---- */

void synod__locks_effect (synod__locks_t *self, synod__locks_effect_kind_t kind, synod__locks_entry_t *entry,
                          synod__locks_session_t *session, uint64_t number)
{
    self->effects = (synod__locks_effect_t *) synod__grow (self->effects, &self->effects_capacity, self->neffects + 1,
                                                           sizeof *self->effects);
    self->effects[self->neffects++] =
        (synod__locks_effect_t){.kind = kind, .number = number, .entry = entry, .session = session};
}

void synod__locks_event (synod__locks_t *self, synod__locks_effect_kind_t kind, synod__locks_entry_t *entry,
                         uint64_t position)
{
    for (uint32_t i = 0; i < entry->nclaims; i++) {
        synod__locks_claim_t *claim = &entry->claims[i];
        claim->previous = claim->name->position;
        claim->position = claim->name->position = position;
    }
    synod__locks_effect (self, kind, entry, entry->session, 0);
}

void synod__locks_begin (synod__locks_t *self)
{
    self->neffects = self->grants = 0;
    while (self->ended) {
        synod__locks_entry_t *entry = self->ended;
        self->ended = entry->next;
        synod__locks_entry_free (entry);
    }
    while (self->gone) {
        synod__locks_session_t *session = self->gone;
        self->gone = session->next_gone;
        if (session->address != session->who)
            free (session->address);
        free (session);
    }
    while (self->loose) {
        synod__locks_name_t *name = self->loose;
        self->loose = name->next_dirty;
        free (name);
    }
}

void synod__locks_carried (synod__locks_t *self)
{
    synod__locks_begin (self);
    free (self->effects);
    self->effects = NULL;
    self->effects_capacity = 0;
}

void synod__locks_settle (synod__locks_t *self, int64_t wall_s)
{
    synod__locks_name_t *served = NULL;
    while (self->dirty && self->grants < SYNOD__LOCKS_GRANTS_MOST) {
        synod__locks_name_t *name = self->dirty;
        self->dirty = name->next_dirty;
        name->dirty = false;
        name->next_dirty = served;
        served = name;
        synod__locks_serve (self, name, wall_s);
    }
    while (served) {
        synod__locks_name_t *name = served;
        served = name->next_dirty;
        if (name->holders.count || name->waiters.count) {
            if (self->grants >= SYNOD__LOCKS_GRANTS_MOST && name->waiters.count)
                synod__locks_dirty (self, name); /* some of them may be left for the next event */
            continue;
        }
        RB_REMOVE (synod__locks_names, &self->names, name);
        self->nnames--;
        name->next_dirty = self->loose;
        self->loose = name;
    }
    if (self->number <= self->stored)
        return;
    self->stored = self->number + SYNOD__LOCKS_AHEAD;
    synod__locks_effect (self, SYNOD__LOCKS_PUT_NUMBER, NULL, NULL, self->stored);
}

synod__locks_session_t *synod__locks_session_new (synod__locks_t *self, uint64_t number, uint64_t client,
                                                  synod_str_t who)
{
    synod__locks_session_t *session = (synod__locks_session_t *) synod__alloc (sizeof *session + who.size + 1);
    session->number = number;
    session->client = client;
    if (who.size)
        memcpy (session->who, who.data, who.size);
    RB_INSERT (synod__locks_numbers, &self->sessions, session);
    RB_INSERT (synod__locks_clients, &self->clients, session);
    if (!self->nsessions++)
        self->due_us = INT64_MAX;
    return session;
}

/* ENTRY is over, for KIND; who waits for it is told CODE. */
static void s_end (synod__locks_t *self, synod__locks_entry_t *entry, synod__locks_effect_kind_t kind, int code)
{
    synod__locks_session_t *session = entry->session;
    bool held = entry->state == SYNOD__LOCKS_HOLDS;
    if (held)
        synod__locks_event (self, kind, entry, ++self->number);
    synod__locks_take_out (self, entry);
    entry->code = code;
    entry->next = self->ended;
    self->ended = entry;
    synod__locks_effect (self, SYNOD__LOCKS_DEL_ENTRY, entry, session, 0);
    if (!held)
        synod__locks_effect (self, SYNOD__LOCKS_ANSWER, entry, session, 0);
}

static void s_end_session (synod__locks_t *self, synod__locks_session_t *session, synod__locks_effect_kind_t kind)
{
    while (session->entries) /* all of them, before any queue is served: what it waits for is not for it any more */
        s_end (self, session->entries, kind, SYNOD_EXPIRED);
    RB_REMOVE (synod__locks_numbers, &self->sessions, session);
    RB_REMOVE (synod__locks_clients, &self->clients, session);
    self->nsessions--;
    session->next_gone = self->gone;
    self->gone = session;
    synod__locks_effect (self, SYNOD__LOCKS_DEL_SESSION, NULL, session, session->number);
}

void synod__locks_free (synod__locks_t *self)
{
    synod__locks_session_t *session, *next;
    synod__locks_begin (self);
    for (session = RB_MIN (synod__locks_numbers, &self->sessions); session; session = next) {
        next = RB_NEXT (synod__locks_numbers, &self->sessions, session);
        s_end_session (self, session, SYNOD__LOCKS_RELEASED);
    }
    synod__locks_settle (self, 0);
    synod__locks_begin (self);
    free (self->effects);
    *self = (synod__locks_t){0};
}

/* ---- finding ---- */

bool synod__locks_has_request (const synod__locks_entry_t *entry, uint64_t request)
{
    if (!entry->levels)
        return entry->request == request;
    for (uint32_t i = 0; i < entry->count; i++)
        if (entry->levels[i] == request)
            return true;
    return false;
}

synod__locks_entry_t *synod__locks_of_request (const synod__locks_session_t *session, uint64_t request)
{
    synod__locks_entry_t *entry = session ? session->entries : NULL;
    while (entry && !synod__locks_has_request (entry, request))
        entry = entry->next;
    return entry;
}

int synod__locks_find (synod__locks_t *self, uint64_t client, uint64_t number, uint64_t request,
                       synod__locks_entry_t **entry, synod_fault_t *fault)
{
    synod__locks_session_t *session = synod__locks_session (self, client);
    synod__locks_begin (self);
    if (!session || session->number != number)
        return synod_fault (fault, SYNOD_NOT_FOUND, "session %" PRIu64 " has ended, or was never here", number);
    *entry = synod__locks_of_request (session, request);
    return *entry ? SYNOD_OK
                  : synod_fault (fault, SYNOD_NOT_FOUND, "session %" PRIu64 " has no acquisition %" PRIu64, number,
                                 request);
}

/* ---- letting go ---- */

/* One acquisition less. */
static void s_less (synod__locks_t *self, synod__locks_entry_t *entry, uint64_t request, uint32_t *left)
{
    *left = entry->state == SYNOD__LOCKS_HOLDS ? entry->count - 1 : 0;
    if (!*left) {
        s_end (self, entry, SYNOD__LOCKS_RELEASED, SYNOD_NOT_FOUND);
        return;
    }
    uint32_t at = entry->count - 1;
    while (request && at > 0 && entry->levels[at] != request)
        at--;
    memmove (entry->levels + at, entry->levels + at + 1, (entry->count - at - 1) * sizeof *entry->levels);
    entry->count--;
    synod__locks_effect (self, SYNOD__LOCKS_PUT_ENTRY, entry, entry->session, 0);
}

int synod__locks_release (synod__locks_t *self, int64_t wall_s, uint64_t client, synod_str_t owner, uint64_t token,
                          uint64_t request, uint32_t *left, synod_fault_t *fault)
{
    synod__locks_session_t *session = synod__locks_session (self, client);
    synod__locks_entry_t *entry = session ? session->entries : NULL;
    synod__locks_begin (self);
    if (!session)
        return synod_fault (fault, SYNOD_NOT_FOUND, "the client has no session here: it has ended, or never began");
    while (entry && !(entry->state == SYNOD__LOCKS_HOLDS && entry->token == token))
        entry = entry->next;
    if (!entry)
        return synod_fault (fault, SYNOD_REFUSED, "%s holds nothing with the fence %" PRIu64, session->who, token);
    if (!synod_str_is (owner, entry->owner))
        return synod_fault (fault, SYNOD_REFUSED, "fence %" PRIu64 " is that of \"%s\" of %s, not of \"%.*s\"", token,
                            entry->owner, session->who, SYNOD_STR (owner));
    if (request && !synod__locks_has_request (entry, request))
        return synod_fault (fault, SYNOD_REFUSED, "fence %" PRIu64 " is not of acquisition %" PRIu64, token, request);
    s_less (self, entry, request, left);
    synod__locks_settle (self, wall_s);
    return SYNOD_OK;
}

void synod__locks_cancel (synod__locks_t *self, int64_t wall_s, uint64_t client, uint64_t request, uint32_t *left)
{
    synod__locks_entry_t *entry = synod__locks_of_request (synod__locks_session (self, client), request);
    synod__locks_begin (self);
    *left = 0;
    if (entry)
        s_less (self, entry, request, left);
    synod__locks_settle (self, wall_s);
}

int synod__locks_keepalive (synod__locks_t *self, int64_t now_us, uint64_t client, uint64_t number,
                            synod__locks_session_t **out, synod_fault_t *fault)
{
    synod__locks_session_t *session = synod__locks_session (self, client);
    synod__locks_begin (self);
    if (!session || session->number != number)
        return synod_fault (fault, SYNOD_NOT_FOUND, "session %" PRIu64 " has ended, or was never here", number);
    if (!SYNOD__LOCK_MUTANT (EXPIRY_UNCONDITIONAL))
        session->renewed_us = now_us;
    *out = session;
    return SYNOD_OK;
}

void synod__locks_asked_from (synod__locks_session_t *session, synod_str_t address)
{
    if (session->address && synod_str_is (address, session->address))
        return;
    if (session->address != session->who)
        free (session->address);
    session->address = session->who;
    if (synod_str_is (address, session->who))
        return;
    session->address = (char *) synod__alloc (address.size + 1);
    if (address.size)
        memcpy (session->address, address.data, address.size);
}

void synod__locks_close (synod__locks_t *self, int64_t wall_s, uint64_t client, uint64_t number)
{
    synod__locks_session_t *session = synod__locks_session (self, client);
    synod__locks_begin (self);
    if (session && session->number == number)
        s_end_session (self, session, SYNOD__LOCKS_RELEASED);
    synod__locks_settle (self, wall_s);
}

int synod__locks_force (synod__locks_t *self, int64_t wall_s, synod_str_t text, uint64_t token, uint32_t *count,
                        synod_fault_t *fault)
{
    synod__locks_name_t *name = synod__locks_name (self, text);
    synod__locks_begin (self);
    *count = 0;
    if (!name || !name->holders.first)
        return synod_fault (fault, SYNOD_NOT_FOUND, "nobody holds %.*s", SYNOD_STR (text));
    for (synod__locks_claim_t *at = name->holders.first, *next; at; at = next) {
        next = at->next;
        if ((token && at->entry->token != token) || *count >= S_ENDS_MOST)
            continue;
        synod__locks_session_t *session = at->entry->session;
        session->forced++;
        synod__locks_effect (self, SYNOD__LOCKS_PUT_SESSION, NULL, session, 0);
        s_end (self, at->entry, SYNOD__LOCKS_FORCED, SYNOD_EXPIRED);
        ++*count;
    }
    synod__locks_settle (self, wall_s);
    return *count ? SYNOD_OK
                  : synod_fault (fault, SYNOD_NOT_FOUND, "%.*s is held, but not with the fence %" PRIu64,
                                 SYNOD_STR (text), token);
}

/* ---- time ---- */

static int64_t s_until_us (const synod__locks_session_t *session)
{
    return session->renewed_us + (int64_t) session->lease_ms * 1000;
}

static int64_t s_patience_us (const synod__locks_entry_t *entry)
{
    return entry->state == SYNOD__LOCKS_WAITS ? entry->came_us + (int64_t) entry->wait_ms * 1000 : INT64_MAX;
}

void synod__locks_due_by (synod__locks_t *self, const synod__locks_session_t *session,
                          const synod__locks_entry_t *entry)
{
    int64_t at_us = session ? s_until_us (session) : s_patience_us (entry);
    self->due_us = at_us < self->due_us ? at_us : self->due_us;
}

/* What is due next of what is left. */
static void s_look_ahead (synod__locks_t *self)
{
    synod__locks_session_t *session;
    self->due_us = INT64_MAX;
    RB_FOREACH (session, synod__locks_numbers, &self->sessions)
    {
        synod__locks_due_by (self, session, NULL);
        for (const synod__locks_entry_t *at = self->nwaiting ? session->entries : NULL; at; at = at->next)
            synod__locks_due_by (self, NULL, at);
    }
}

void synod__locks_due (synod__locks_t *self, int64_t now_us, int64_t wall_s)
{
    synod__locks_session_t *session, *next;
    uint32_t ends = 0;
    synod__locks_begin (self);
    for (session = RB_MIN (synod__locks_numbers, &self->sessions); session && ends < S_ENDS_MOST; session = next) {
        next = RB_NEXT (synod__locks_numbers, &self->sessions, session);
        if (s_until_us (session) <= now_us) {
            ends += 1 + session->claims;
            s_end_session (self, session, SYNOD__LOCKS_EXPIRED);
            continue;
        }
        for (synod__locks_entry_t *at = self->nwaiting ? session->entries : NULL, *behind; at; at = behind) {
            behind = at->next;
            if (s_patience_us (at) > now_us)
                continue;
            ends++;
            s_end (self, at, SYNOD__LOCKS_EXPIRED, SYNOD_TIMEOUT);
        }
    }
    s_look_ahead (self);
    synod__locks_settle (self, wall_s);
}

int64_t synod__locks_next_us (const synod__locks_t *self)
{
    return self->dirty ? INT64_MIN : self->nsessions ? self->due_us : INT64_MAX;
}
