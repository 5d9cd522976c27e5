/* SPDX-License-Identifier: MPL-2.0
 *
 * What the lock table has in the store: values packed, and the table built from them. Numbers are big end first.
 *
 *   session   client 8, lease 4, forced 4, who
 *   entry     session 8, request 8, wait 8, since 8, permits 4, flags 1 (1: shared), owner's size 1, names 1, owner; for
 *             each name its size 1 and its bytes; if it holds: token 8, acquisitions 1, and where there are several,
 *             each one's request 8
 */
#include <stdlib.h>
#include "table_internal.h"
#include "actors/runtime/memory.h"

#define S_SHARED 1

static void s_add (synod_buf_t *out, const void *bytes, size_t size)
{
    if (out->size + size > out->capacity) {
        size_t capacity = (out->size + size) * 2 + 64;
        char *data = (char *) realloc (out->data, capacity);
        if (!data)
            abort ();
        out->data = data;
        out->capacity = capacity;
    }
    if (size)
        memcpy (out->data + out->size, bytes, size);
    out->size += size;
}

static void s_add_number (synod_buf_t *out, uint64_t number, uint32_t bytes)
{
    uint8_t room[8];
    for (uint32_t i = 0; i < bytes; i++)
        room[i] = (uint8_t) (number >> (8 * (bytes - 1 - i)));
    s_add (out, room, bytes);
}

/* The next SIZE bytes of IN; data NULL: there are none. */
static synod_str_t s_take (synod_str_t *in, size_t size)
{
    synod_str_t out = synod_str_n (in->size >= size ? in->data : NULL, size);
    if (!out.data) {
        *in = synod_str_n (NULL, 0);
        return synod_str_n (NULL, 0);
    }
    in->data += size;
    in->size -= (uint32_t) size;
    return out;
}

static uint64_t s_take_number (synod_str_t *in, uint32_t bytes, bool *ok)
{
    synod_str_t at = s_take (in, bytes);
    uint64_t number = 0;
    *ok = *ok && at.data;
    for (uint32_t i = 0; i < at.size; i++)
        number = number << 8 | (uint8_t) at.data[i];
    return number;
}

void synod__locks_pack_session (const synod__locks_session_t *session, synod_buf_t *out)
{
    s_add_number (out, session->client, 8);
    s_add_number (out, session->lease_ms, 4);
    s_add_number (out, session->forced, 4);
    s_add (out, session->who, strlen (session->who));
}

void synod__locks_pack_entry (const synod__locks_entry_t *entry, synod_buf_t *out)
{
    size_t owner = strlen (entry->owner);
    s_add_number (out, entry->session->number, 8);
    s_add_number (out, entry->request, 8);
    s_add_number (out, entry->wait_ms, 8);
    s_add_number (out, (uint64_t) entry->since_s, 8);
    s_add_number (out, entry->permits, 4);
    s_add_number (out, entry->shared ? S_SHARED : 0, 1);
    s_add_number (out, owner, 1);
    s_add_number (out, entry->nclaims, 1);
    s_add (out, entry->owner, owner);
    for (uint32_t i = 0; i < entry->nclaims; i++) {
        s_add_number (out, entry->claims[i].name->size, 1);
        s_add (out, entry->claims[i].name->text, entry->claims[i].name->size);
    }
    if (entry->state != SYNOD__LOCKS_HOLDS)
        return;
    s_add_number (out, entry->token, 8);
    s_add_number (out, entry->count, 1);
    for (uint32_t i = 0; entry->levels && i < entry->count; i++)
        s_add_number (out, entry->levels[i], 8);
}

void synod__locks_load_number (synod__locks_t *self, uint64_t number)
{
    self->number = SYNOD__LOCK_MUTANT (TOKEN_RESET) ? 0 : number;
    self->stored = number;
}

bool synod__locks_load_session (synod__locks_t *self, uint64_t number, synod_str_t in, int64_t now_us)
{
    bool ok = true;
    uint64_t client = s_take_number (&in, 8, &ok), lease_ms = s_take_number (&in, 4, &ok);
    uint64_t forced = s_take_number (&in, 4, &ok);
    if (!ok || !client || synod__locks_session (self, client))
        return false;
    synod__locks_session_t *session = synod__locks_session_new (self, number, client, in);
    session->lease_ms = (uint32_t) lease_ms;
    session->forced = (uint32_t) forced;
    session->renewed_us = SYNOD__LOCK_MUTANT (TERMS_KEPT_SHORT) ? now_us - (int64_t) lease_ms * 1000 : now_us;
    synod__locks_due_by (self, session, NULL);
    return true;
}

static bool s_load_grant (synod__locks_t *self, synod__locks_entry_t *entry, synod_str_t in)
{
    bool ok = true;
    uint64_t token = s_take_number (&in, 8, &ok), count = s_take_number (&in, 1, &ok);
    if (!ok || !count || count > SYNOD__LOCKS_LEVELS || (in.size && in.size != count * 8) || (count > 1 && !in.size))
        return false;
    synod__locks_hold (self, entry);
    entry->token = token;
    entry->count = (uint32_t) count;
    if (in.size)
        entry->levels = (uint64_t *) synod__alloc (SYNOD__LOCKS_LEVELS * sizeof *entry->levels);
    for (uint32_t i = 0; in.size; i++)
        entry->levels[i] = s_take_number (&in, 8, &ok);
    if (SYNOD__LOCK_MUTANT (TOKEN_RESET) && token > self->number)
        self->number = token;
    return true;
}

bool synod__locks_load_entry (synod__locks_t *self, uint64_t id, synod_str_t in, int64_t now_us)
{
    synod_str_t names[SYNOD__LOCK_NAMES_MAX];
    bool ok = true;
    synod__locks_session_t probe = {.number = s_take_number (&in, 8, &ok)};
    synod__locks_want_t want = {.request = s_take_number (&in, 8, &ok), .wait_ms = s_take_number (&in, 8, &ok)};
    int64_t since_s = (int64_t) s_take_number (&in, 8, &ok);
    want.permits = s_take_number (&in, 4, &ok);
    want.shared = s_take_number (&in, 1, &ok) & S_SHARED;
    size_t owner = s_take_number (&in, 1, &ok);
    want.nnames = (uint32_t) s_take_number (&in, 1, &ok);
    want.owner = s_take (&in, owner);
    want.names = names;
    synod__locks_session_t *session = RB_FIND (synod__locks_numbers, &self->sessions, &probe);
    if (!ok || (owner && !want.owner.data) || !session || !want.nnames || want.nnames > SYNOD__LOCK_NAMES_MAX)
        return false;
    for (uint32_t i = 0; i < want.nnames; i++) {
        names[i] = s_take (&in, s_take_number (&in, 1, &ok));
        if (!ok || !names[i].data || !names[i].size || names[i].size > SYNOD__LOCK_NAME_MAX)
            return false;
    }
    synod__locks_entry_t *entry = synod__locks_enqueue (self, session, id, &want);
    entry->came_us = now_us;
    entry->since_s = since_s;
    if (in.size)
        return s_load_grant (self, entry, in);
    synod__locks_due_by (self, NULL, entry);
    return true;
}
void synod__locks_ready (synod__locks_t *self)
{
    while (self->dirty) { /* what was in the store was settled */
        synod__locks_name_t *name = self->dirty;
        self->dirty = name->next_dirty;
        name->dirty = false;
    }
}
