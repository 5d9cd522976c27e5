/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `lock`: who has what, releasing by force, which is recorded, and whether anybody watches.
 */
#include <stdio.h>
#include "lock_actor_parts.h"
#include "actors/place/inside.h"

#define S_CLAIMS 64  /* of each kind, in an answer */
#define S_LOCKS  200 /* in an answer */
#define S_FORCED 256 /* records of releases by force that a partition keeps */

static synod_str_t s_forced_key (synod_str_t name, char room[1 + SYNOD__LOCK_NAME_MAX])
{
    room[0] = 'd';
    memcpy (room + 1, name.data, name.size);
    return synod_str_n (room, 1 + name.size);
}

/* ---- looking ---- */

static synod__lock_claim_t s_claim (synod_ctx_t *ctx, const synod__locks_entry_t *entry)
{
    int64_t age_s = synod_wall_us (ctx) / 1000000 - entry->since_s;
    int64_t left_us = entry->session->renewed_us + (int64_t) entry->session->lease_ms * 1000 - synod_now_us (ctx);
    return (synod__lock_claim_t){
        .who = synod_str (entry->session->who),
        .owner = synod_str (entry->owner),
        .entry = entry->id,
        .token = entry->token,
        .count = entry->count,
        .shared = entry->shared,
        .age_ms = age_s > 0 ? (uint64_t) age_s * 1000 : 0,
        .left_ms = left_us > 0 ? (uint64_t) left_us / 1000 : 0,
    };
}

static int s_claims (synod_ctx_t *ctx, const synod__locks_claims_t *claims, uint32_t most, synod_list_t *list,
                     synod_buf_t *items)
{
    int rc = SYNOD_OK;
    for (const synod__locks_claim_t *at = claims->first; at && list->count < most && rc == SYNOD_OK; at = at->next) {
        const synod__lock_claim_t claim = s_claim (ctx, at->entry);
        rc = synod_list_add (list, items, &synod__lock_claim_record, &claim, NULL);
    }
    return rc;
}

static void s_fill (const synod__locks_name_t *name, synod__lock_lock_t *out)
{
    out->permits = name->permits;
    out->holds = name->holders.count;
    out->waits = name->waiters.count;
}

/* What a release by force left. */
static void s_fill_forced (synod_ctx_t *ctx, synod_str_t name, synod__lock_lock_t *out)
{
    char room[1 + SYNOD__LOCK_NAME_MAX];
    synod_str_t value;
    if (synod_get (ctx, s_forced_key (name, room), &value) != SYNOD_OK || value.size < 9 ||
        value.size < 9u + (uint8_t) value.data[8])
        return;
    for (int i = 0; i < 8; i++)
        out->forced = out->forced << 8 | (uint8_t) value.data[i];
    out->by = synod_str_n (value.data + 9, (uint8_t) value.data[8]);
    out->why = synod_str_n (value.data + 9 + out->by.size, value.size - 9 - out->by.size);
}

int synod__lock_on_inspect (synod_ctx_t *ctx, void *state, const synod__lock_inspect_t *in, synod_call_t call)
{
    const synod__lock_state_t *self = (const synod__lock_state_t *) state;
    synod__lock_lock_t out = {.name = in->name};
    synod_buf_t holders = {0}, waiters = {0};
    int rc = synod__lock_check (ctx, in->name);
    if (rc != SYNOD_OK)
        return rc;
    const synod__locks_name_t *name = synod__locks_name (&self->locks, in->name);
    if (name) {
        s_fill (name, &out);
        rc = s_claims (ctx, &name->holders, S_CLAIMS, &out.holders, &holders);
        rc = rc == SYNOD_OK ? s_claims (ctx, &name->waiters, S_CLAIMS, &out.waiters, &waiters) : rc;
    }
    s_fill_forced (ctx, in->name, &out);
    rc = rc == SYNOD_OK ? synod_reply (ctx, call, &synod__lock_lock_record, &out) : rc;
    synod_buf_free (&holders);
    synod_buf_free (&waiters);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

int synod__lock_on_list (synod_ctx_t *ctx, void *state, const synod__lock_list_t *in, synod_call_t call)
{
    const synod__lock_state_t *self = (const synod__lock_state_t *) state;
    synod__lock_locks_are_t out = {{{0}, 0}, 0, 0};
    synod_buf_t locks = {0}, holders = {0};
    int rc = SYNOD_OK;
    const synod__locks_name_t *at = synod__locks_after (&self->locks, in->after);
    for (; at && out.locks.count < S_LOCKS && rc == SYNOD_OK;
         at = synod__locks_after (&self->locks, synod__locks_text (at))) {
        synod__lock_lock_t one = {.name = synod__locks_text (at)};
        s_fill (at, &one);
        rc = s_claims (ctx, &at->holders, 1, &one.holders, &holders);
        rc = rc == SYNOD_OK ? synod_list_add (&out.locks, &locks, &synod__lock_lock_record, &one, NULL) : rc;
    }
    out.more = at != NULL;
    rc = rc == SYNOD_OK ? synod_reply (ctx, call, &synod__lock_locks_are_record, &out) : rc;
    synod_buf_free (&locks);
    synod_buf_free (&holders);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

/* ---- force ---- */

typedef struct {
    uint32_t count;
    uint32_t size;
    char oldest[1 + SYNOD__LOCK_NAME_MAX], when[8];
} s_records_t;

static bool s_count (void *arg, synod_str_t key, synod_str_t value)
{
    s_records_t *records = (s_records_t *) arg;
    bool older = value.size >= 8 && (!records->count || memcmp (value.data, records->when, 8) < 0);
    if (older && key.size <= sizeof records->oldest) {
        memcpy (records->oldest, key.data, key.size);
        memcpy (records->when, value.data, 8);
        records->size = key.size;
    }
    records->count++;
    return true;
}

/* The record takes the place of the oldest one when there are many. */
static int s_record (synod_ctx_t *ctx, synod_str_t name, synod_str_t by, synod_str_t why)
{
    char room[1 + SYNOD__LOCK_NAME_MAX], value[9 + SYNOD__LOCK_WHO_MAX + SYNOD__LOCK_WHY_MAX];
    s_records_t records = {0};
    uint64_t now_s = (uint64_t) synod_wall_us (ctx) / 1000000;
    int rc = synod_scan (ctx, synod_str ("d"), synod_str ("e"), s_count, &records);
    if (rc == SYNOD_OK && records.count >= S_FORCED)
        rc = synod_delete (ctx, synod_str_n (records.oldest, records.size));
    for (int i = 0; i < 8; i++)
        value[i] = (char) (now_s >> (56 - 8 * i));
    value[8] = (char) by.size;
    if (by.size)
        memcpy (value + 9, by.data, by.size);
    if (why.size)
        memcpy (value + 9 + by.size, why.data, why.size);
    return rc == SYNOD_OK ? synod_put (ctx, s_forced_key (name, room), synod_str_n (value, 9u + by.size + why.size))
                          : rc;
}

int synod__lock_on_force (synod_ctx_t *ctx, void *state, const synod__lock_force_t *in, synod_call_t call)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    synod_fault_t fault = {0};
    uint32_t count = 0;
    int rc = synod__lock_check (ctx, in->name);
    if (rc != SYNOD_OK)
        return rc;
    synod_str_t from = synod_from (ctx), by = in->by.size ? in->by : from.size <= SYNOD__LOCK_WHO_MAX ? from : in->by;
    rc = s_record (ctx, in->name, by, in->why);
    if (rc != SYNOD_OK)
        return rc;
    rc = synod__locks_force (&self->locks, synod_wall_us (ctx) / 1000000, in->name, in->token, &count, &fault);
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s", fault.text);
    synod_reply (ctx, call, &synod__lock_freed_record, &(synod__lock_freed_t){.count = count});
    synod__lock_force_t force = *in;
    force.by = by;
    self->force = &force;
    return synod__lock_carry (ctx, self);
}

/* ---- watching ---- */

static synod__lock_state_t *s_shared (const synod_ctx_t *ctx)
{
    return (synod__lock_state_t *) synod__ctx_shared (ctx, SYNOD__LOCK_ACTOR);
}

bool synod__lock_watched (const synod_ctx_t *ctx)
{
    const synod__lock_state_t *shared = s_shared (ctx);
    return shared && shared->watched_us > synod_now_us (ctx);
}

static int s_on_watch (synod_ctx_t *ctx, void *state, const synod__lock_watch_t *in, synod_call_t call)
{
    synod__lock_state_t *shared = s_shared (ctx);
    int64_t until_us = synod_now_us (ctx) + (int64_t) in->ms * 1000;
    (void) state;
    if (!shared)
        return synod_error (ctx, SYNOD_NO_ROUTE, "this node does not run " SYNOD__LOCK_ACTOR);
    if (until_us > shared->watched_us)
        shared->watched_us = until_us;
    return synod_reply (ctx, call, &synod__lock_watching_record, &(synod__lock_watching_t){0});
}

const synod_actor_t synod__lock_node_actor = {
    .name = SYNOD__LOCK_NODE,
    .doc = "locks: whether anybody watches those of this node",
    .routes = (const synod_route_t[]){SYNOD_ON (synod__lock_watch, s_on_watch), SYNOD_END},
};
