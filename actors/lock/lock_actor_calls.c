/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `lock`: what clients ask. An ask that cannot be carried out ends with an error and has changed nothing. A
 * command that is told, not asked, does its work all the same.
 */
#include <assert.h>
#include <stdio.h>
#include "lock_actor_parts.h"

static int64_t s_wall_s (synod_ctx_t *ctx)
{
    return synod_wall_us (ctx) / 1000000;
}

static int s_fail (synod_ctx_t *ctx, const synod_fault_t *fault)
{
    return synod_error (ctx, fault->code, "%s", fault->text);
}

static int s_done (synod_ctx_t *ctx, synod_call_t call, uint32_t left)
{
    int rc = synod_reply (ctx, call, &synod__lock_done_record, &(synod__lock_done_t){.left = left});
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

int synod__lock_check (synod_ctx_t *ctx, synod_str_t name)
{
    synod_fault_t fault = {0};
    int rc = synod__locks_name_check (name, &fault);
    if (rc != SYNOD_OK)
        return s_fail (ctx, &fault);
    if (!synod_str_same (synod__locks_key (name), synod_key (ctx)))
        return synod_error (ctx, SYNOD_INVALID, "the lock %.*s is at lock#%.*s, not at lock#%.*s", SYNOD_STR (name),
                            SYNOD_STR (synod__locks_key (name)), SYNOD_STR (synod_key (ctx)));
    return SYNOD_OK;
}

static int s_names (synod_ctx_t *ctx, synod_list_t list, synod_str_t *names)
{
    synod__lock_name_t name;
    uint32_t count = 0;
    if (list.count == 0 || list.count > SYNOD__LOCK_NAMES_MAX)
        return synod_error (ctx, SYNOD_INVALID, "expected 1 to %d locks to be acquired together, got %u",
                            SYNOD__LOCK_NAMES_MAX, list.count);
    while (synod_list_next (&list, &synod__lock_name_record, &name)) {
        int rc = synod__lock_check (ctx, name.name);
        if (rc != SYNOD_OK)
            return rc;
        names[count++] = name.name;
    }
    return SYNOD_OK;
}

static int s_on_acquire (synod_ctx_t *ctx, void *state, const synod__lock_acquire_t *in, synod_call_t call)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    synod_str_t names[SYNOD__LOCK_NAMES_MAX], from = synod_from (ctx);
    synod_fault_t fault = {0};
    synod__locks_entry_t *entry;
    const synod__locks_entry_t *in_the_way;
    synod__locks_want_t want = {
        .client = in->client,
        .request = in->request,
        .who = in->who.size                       ? in->who
               : from.size <= SYNOD__LOCK_WHO_MAX ? from
                                                  : synod_str ("?"),
        .owner = in->owner,
        .names = names,
        .nnames = in->names.count,
        .shared = in->shared,
        .permits = in->permits,
        .lease_ms = in->lease_ms,
        .wait_ms = in->wait_ms,
    };
    int rc = s_names (ctx, in->names, names);
    if (rc != SYNOD_OK)
        return rc;
    rc = synod__locks_acquire (&self->locks, synod_now_us (ctx), s_wall_s (ctx), &want, &entry, &in_the_way, &fault);
    assert (rc == SYNOD_OK || !self->locks.neffects);
    if (rc != SYNOD_OK)
        return s_fail (ctx, &fault);
    synod__locks_session_t *session = synod__locks_session (&self->locks, in->client);
    if (session)
        synod__locks_asked_from (session, from);
    rc = synod__lock_tell (ctx, call, session, entry, in_the_way);
    /* the table has it already: if it cannot be told, memory is built anew */
    return rc == SYNOD_OK ? synod__lock_carry (ctx, self) : synod_error (ctx, SYNOD_FAILED, "no answer: %d", rc);
}

static int s_on_wait (synod_ctx_t *ctx, void *state, const synod__lock_wait_t *in, synod_call_t call)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    synod_fault_t fault = {0};
    synod__locks_entry_t *entry;
    int rc = synod__locks_find (&self->locks, in->client, in->session, in->request, &entry, &fault);
    if (rc != SYNOD_OK)
        return s_fail (ctx, &fault);
    if (entry->state == SYNOD__LOCKS_HOLDS)
        return synod__lock_tell (ctx, call, entry->session, entry, NULL);
    entry->call = call.id; /* who asked before has asked again */
    return SYNOD_OK;
}

static int s_on_release (synod_ctx_t *ctx, void *state, const synod__lock_release_t *in, synod_call_t call)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    synod_fault_t fault = {0};
    uint32_t left = 0;
    int rc = synod__locks_release (&self->locks, s_wall_s (ctx), in->client, in->owner, in->token, in->request, &left,
                                   &fault);
    if (rc != SYNOD_OK)
        return s_fail (ctx, &fault);
    s_done (ctx, call, left);
    return synod__lock_carry (ctx, self);
}

static int s_on_cancel (synod_ctx_t *ctx, void *state, const synod__lock_cancel_t *in, synod_call_t call)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    uint32_t left = 0;
    synod__locks_cancel (&self->locks, s_wall_s (ctx), in->client, in->request, &left);
    s_done (ctx, call, left);
    return synod__lock_carry (ctx, self);
}

static int s_on_keepalive (synod_ctx_t *ctx, void *state, const synod__lock_keepalive_t *in, synod_call_t call)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    synod__locks_session_t *session;
    synod_fault_t fault = {0};
    int rc = synod__locks_keepalive (&self->locks, synod_now_us (ctx), in->client, in->session, &session, &fault);
    if (rc != SYNOD_OK)
        return s_fail (ctx, &fault);
    synod__locks_asked_from (session, synod_from (ctx));
    const synod__lock_alive_t out = {.count = session->count, .sum = session->sum, .forced = session->forced};
    rc = synod_reply (ctx, call, &synod__lock_alive_record, &out);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

static int s_on_places (synod_ctx_t *ctx, void *state, const synod__lock_places_t *in, synod_call_t call)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    const synod__locks_session_t *session = synod__locks_session (&self->locks, in->client);
    synod__lock_places_are_t out = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    if (!session || session->number != in->session)
        return synod_error (ctx, SYNOD_NOT_FOUND, "session %llu has ended, or was never here",
                            (unsigned long long) in->session);
    int rc = SYNOD_OK;
    for (const synod__locks_entry_t *at = session->entries; at && rc == SYNOD_OK; at = at->next)
        rc = synod_list_add (&out.places, &items, &synod__lock_place_record,
                             &(synod__lock_place_t){.request = at->request, .entry = at->id, .token = at->token}, NULL);
    rc = rc == SYNOD_OK ? synod_reply (ctx, call, &synod__lock_places_are_record, &out) : rc;
    synod_buf_free (&items);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

static int s_on_close (synod_ctx_t *ctx, void *state, const synod__lock_close_t *in, synod_call_t call)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    synod__locks_close (&self->locks, s_wall_s (ctx), in->client, in->session);
    s_done (ctx, call, 0);
    return synod__lock_carry (ctx, self);
}

const synod_route_t synod__lock_routes[] = {
    SYNOD_ON (synod__lock_acquire, s_on_acquire),
    SYNOD_ON (synod__lock_wait, s_on_wait),
    SYNOD_ON (synod__lock_release, s_on_release),
    SYNOD_ON (synod__lock_cancel, s_on_cancel),
    SYNOD_ON (synod__lock_keepalive, s_on_keepalive),
    SYNOD_ON (synod__lock_places, s_on_places),
    SYNOD_ON (synod__lock_close, s_on_close),
    SYNOD_ON (synod__lock_inspect, synod__lock_on_inspect),
    SYNOD_ON (synod__lock_list, synod__lock_on_list),
    SYNOD_ON (synod__lock_force, synod__lock_on_force),
    SYNOD_END,
};
