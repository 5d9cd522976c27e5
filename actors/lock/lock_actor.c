/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `lock`: messages to events of the table, and its effects to writes, answers and events. In a partition's
 * store (table_store.c has the values; numbers have 8 bytes, the most significant first):
 *
 *   "n"           up to which number the sequence may be used
 *   "a" NUMBER    a session
 *   "b" NUMBER    a place, and what has become of it
 *   "d" NAME      when a lock was last released by force, by whom and why
 *
 * Invariant: what a handler changes in the table is in its writes, and an error that it returns has changed nothing.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "lock_actor_parts.h"
#include "actors/place/inside.h"
#include "actors/runtime/runtime.h"

#define S_FLEETING_BITS 10 /* of the sequence, below the incarnation of a node without a disk */

const synod__lock_observer_t *synod__lock_observer;

const synod__locks_t *synod__lock_table (const void *state)
{
    return &((const synod__lock_state_t *) state)->locks;
}

/* ---- the store ---- */

static synod_str_t s_key (char what, uint64_t number, char room[9])
{
    room[0] = what;
    for (int i = 0; i < 8; i++)
        room[1 + i] = (char) (number >> (56 - 8 * i));
    return synod_str_n (room, 9);
}

static uint64_t s_number (synod_str_t bytes)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < bytes.size; i++)
        number = number << 8 | (uint8_t) bytes.data[i];
    return number;
}

static int s_put (synod_ctx_t *ctx, synod__lock_state_t *self, char what, uint64_t number)
{
    char room[9];
    return synod_put (ctx, s_key (what, number, room), synod_str_n (self->value.data, self->value.size));
}

static int s_put_entry (synod_ctx_t *ctx, synod__lock_state_t *self, const synod__locks_entry_t *entry)
{
    if (entry->state == SYNOD__LOCKS_ENDED ||
        (SYNOD__LOCK_MUTANT (QUEUE_FORGOTTEN) && entry->state != SYNOD__LOCKS_HOLDS))
        return SYNOD_OK;
    self->value.size = 0;
    synod__locks_pack_entry (entry, &self->value);
    return s_put (ctx, self, 'b', entry->id);
}

static int s_write (synod_ctx_t *ctx, synod__lock_state_t *self, const synod__locks_effect_t *effect)
{
    char room[9];
    self->value.size = 0;
    switch (effect->kind) {
    case SYNOD__LOCKS_PUT_NUMBER:
        return synod_put (ctx, synod_str ("n"), synod_str_n (s_key ('n', effect->number, room).data + 1, 8));
    case SYNOD__LOCKS_PUT_SESSION:
        synod__locks_pack_session (effect->session, &self->value);
        return s_put (ctx, self, 'a', effect->session->number);
    case SYNOD__LOCKS_DEL_SESSION:
        return synod_delete (ctx, s_key ('a', effect->number, room));
    case SYNOD__LOCKS_PUT_ENTRY:
        return s_put_entry (ctx, self, effect->entry);
    case SYNOD__LOCKS_DEL_ENTRY:
        return synod_delete (ctx, s_key ('b', effect->entry->id, room));
    default:
        return SYNOD_OK;
    }
}

/* ---- answers and events ---- */

int synod__lock_tell (synod_ctx_t *ctx, synod_call_t call, const synod__locks_session_t *session,
                      const synod__locks_entry_t *entry, const synod__locks_entry_t *in_the_way)
{
    const synod__lock_acquired_t out = {
        .partition = synod__ctx_partition (ctx),
        .session = session ? session->number : 0,
        .entry = entry ? entry->id : 0,
        .token = entry ? entry->token : 0,
        .count = entry ? entry->count : 0,
        .holder = synod_str (in_the_way && in_the_way->session ? in_the_way->session->who : ""),
    };
    int rc = synod_reply (ctx, call, &synod__lock_acquired_record, &out);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc; /* its asker has given up, or told */
}

/* Who waits for ENTRY learns what has become of it. */
static void s_answer (synod_ctx_t *ctx, const synod__locks_effect_t *effect)
{
    synod__locks_entry_t *entry = effect->entry;
    const synod_call_t call = {entry->call};
    entry->call = 0;
    if (!call.id)
        return;
    if (entry->state == SYNOD__LOCKS_HOLDS)
        synod__lock_tell (ctx, call, effect->session, entry, NULL);
    else if (entry->code == SYNOD_TIMEOUT)
        synod_reply_error (ctx, call, SYNOD_TIMEOUT, "%s was not granted within %" PRIu64 " ms",
                           entry->claims[0].name->text, entry->wait_ms);
    else if (entry->code == SYNOD_EXPIRED)
        synod_reply_error (ctx, call, SYNOD_EXPIRED, "the session ended while it waited for %s",
                           entry->claims[0].name->text);
    else
        synod_reply_error (ctx, call, SYNOD_NOT_FOUND, "the acquisition of %s was given up",
                           entry->claims[0].name->text);
}

static int s_publish (synod_ctx_t *ctx, const synod_record_t *record, const synod__locks_effect_t *effect)
{
    const synod__locks_entry_t *entry = effect->entry;
    char topic[SYNOD_TOPIC_MAX + 1];
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < entry->nclaims && rc == SYNOD_OK; i++) {
        const synod__locks_claim_t *claim = &entry->claims[i];
        const synod__lock_granted_t out = {
            .name = synod__locks_text (claim->name),
            .token = entry->token,
            .who = synod_str (effect->session->who),
            .owner = synod_str (entry->owner),
            .shared = entry->shared,
            .position = claim->position,
            .previous = claim->previous,
        };
        snprintf (topic, sizeof topic, "lock.%s", claim->name->text);
        rc = synod_publish (ctx, topic, record, &out);
    }
    return rc;
}

/* Who held ENTRY learns it now; if that is lost, with its next renewal. */
static void s_tell_lost (synod_ctx_t *ctx, const synod__lock_state_t *self, const synod__locks_effect_t *effect)
{
    const synod__lock_lost_t out = {
        .client = effect->session->client,
        .partition = synod__ctx_partition (ctx),
        .session = effect->session->number,
        .entry = effect->entry->id,
        .by = self->force ? self->force->by : synod_str (""),
        .why = self->force ? self->force->why : synod_str (""),
    };
    if (effect->session->address)
        synod_tell (ctx, effect->session->address, &synod__lock_lost_record, &out);
}

static const synod_record_t *s_event (synod__locks_effect_kind_t kind)
{
    switch (kind) {
    case SYNOD__LOCKS_GRANTED:
        return &synod__lock_granted_record;
    case SYNOD__LOCKS_RELEASED:
        return &synod__lock_released_record;
    case SYNOD__LOCKS_EXPIRED:
        return &synod__lock_expired_record;
    case SYNOD__LOCKS_FORCED:
        return &synod__lock_forced_record;
    default:
        return NULL;
    }
}

static int s_on_due (synod_ctx_t *ctx, void *state, uint64_t arg);

/* One alarm stands at the least deadline that was known when it was set; renewals leave it where it is. */
static int s_alarm (synod_ctx_t *ctx, synod__lock_state_t *self)
{
    int64_t next_us = synod__locks_next_us (&self->locks), now_us = synod_now_us (ctx);
    if (next_us >= self->alarm_us)
        return SYNOD_OK;
    if (self->alarm_us != INT64_MAX)
        synod_cancel (ctx, self->alarm);
    self->alarm_us = next_us;
    int64_t delay_ms = next_us > now_us ? (next_us - now_us + 999) / 1000 : 1;
    return synod_after (ctx, delay_ms > INT32_MAX ? INT32_MAX : (uint32_t) delay_ms, s_on_due, 0, &self->alarm);
}

int synod__lock_carry (synod_ctx_t *ctx, synod__lock_state_t *self)
{
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < self->locks.neffects && rc == SYNOD_OK; i++) {
        const synod__locks_effect_t *effect = &self->locks.effects[i];
        const synod_record_t *record = s_event (effect->kind);
        if (synod__lock_observer && effect->kind == SYNOD__LOCKS_GRANTED)
            synod__lock_observer->granted (synod__lock_observer->arg, ctx, effect->entry);
        if (synod__lock_observer && effect->kind == SYNOD__LOCKS_FORCED)
            synod__lock_observer->forced (synod__lock_observer->arg, ctx, effect->entry, effect->session);
        if (effect->kind == SYNOD__LOCKS_ANSWER)
            s_answer (ctx, effect);
        else if (!record)
            rc = s_write (ctx, self, effect);
        else if (synod__lock_watched (ctx))
            rc = s_publish (ctx, record, effect);
        if (effect->kind == SYNOD__LOCKS_FORCED)
            s_tell_lost (ctx, self, effect);
    }
    self->force = NULL;
    synod__locks_carried (&self->locks);
    synod_buf_free (&self->value); /* there are thousands of partitions, and most have little to do */
    rc = rc == SYNOD_OK ? s_alarm (ctx, self) : rc;
    if (synod__lock_observer && rc == SYNOD_OK)
        synod__lock_observer->changed (synod__lock_observer->arg, ctx, &self->locks);
    /* the table has it and the store has not: memory is built anew */
    return rc == SYNOD_OK ? SYNOD_OK : synod_error (ctx, SYNOD_FAILED, "%s", synod__ctx_error (ctx));
}

static int s_on_due (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    (void) arg;
    self->alarm_us = INT64_MAX;
    synod__locks_due (&self->locks, synod_now_us (ctx), synod_wall_us (ctx) / 1000000);
    return synod__lock_carry (ctx, self);
}

/* ---- life ---- */

typedef struct {
    synod__locks_t *locks;
    int64_t now_us;
    bool ok;
} s_load_t;

static bool s_load (void *arg, synod_str_t key, synod_str_t value)
{
    s_load_t *load = (s_load_t *) arg;
    uint64_t number = s_number (synod_str_n (key.data + 1, key.size - 1));
    if (SYNOD__LOCK_MUTANT (TOKEN_RESET) && number > load->locks->number)
        load->locks->number = number;
    load->ok = key.size == 9 && (key.data[0] == 'a' ? synod__locks_load_session : synod__locks_load_entry) (
                                    load->locks, number, value, load->now_us);
    return load->ok;
}

static int s_on_own (synod_ctx_t *ctx, void *state)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    s_load_t load = {.locks = &self->locks, .now_us = synod_now_us (ctx), .ok = true};
    synod_str_t value;
    int rc = synod_get (ctx, synod_str ("n"), &value);
    if (rc != SYNOD_OK && rc != SYNOD_NOT_FOUND)
        return rc;
    synod__locks_load_number (&self->locks,
                              rc == SYNOD_OK ? s_number (value) : synod__ctx_fleeting (ctx) << S_FLEETING_BITS);
    self->alarm_us = INT64_MAX;
    rc = synod_scan (ctx, synod_str ("a"), synod_str ("c"), s_load, &load);
    if (rc == SYNOD_OK && !load.ok)
        rc = synod_error (ctx, SYNOD_IO, "what the store has of the locks of partition %u is damaged",
                          synod__ctx_partition (ctx));
    synod__locks_ready (&self->locks);
    return rc == SYNOD_OK ? synod__lock_carry (ctx, self) : rc;
}

static void s_fini (synod_ctx_t *ctx, void *state)
{
    synod__lock_state_t *self = (synod__lock_state_t *) state;
    (void) ctx;
    synod__locks_free (&self->locks);
    synod_buf_free (&self->value);
}

const synod_actor_t synod__lock_actor = {
    .name = SYNOD__LOCK_ACTOR,
    .doc = "locks: leases with fencing tokens",
    .state_size = sizeof (synod__lock_state_t),
    .fini = s_fini,
    .routes = synod__lock_routes,
    .placement = SYNOD_SHARDED,
    .on_own = s_on_own,
    .beside = &synod__lock_node_actor,
};
