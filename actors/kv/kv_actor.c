/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `kv`: the table's core on a placed actor. A partition's memory is what the core counts, and who watches; it is
 * built from the store when the partition is first used here. What all partitions of a node have in common (the bound on
 * its bytes, the counts that `kv-node` tells) is in the state of the node's own instance.
 */
#include <stdio.h>
#include <utlist.h>
#include "actor_parts.h"

#define S_TIMER_MOST_MS  3600000 /* the wall clock may be set meanwhile */
#define S_TIMER_LEAST_MS 20      /* what falls due together is removed together */
#define S_SWEEP          64

synod__kv_shared_t *synod__kv_shared (const synod_ctx_t *ctx)
{
    synod__kv_actor_state_t *state = (synod__kv_actor_state_t *) synod__ctx_shared (ctx, SYNOD__KV_ACTOR);
    return state ? &state->shared : NULL;
}

/* ---- the store ---- */

static int s_get (void *arg, synod_str_t key, synod_str_t *value)
{
    return synod_get ((synod_ctx_t *) arg, key, value);
}
static int s_put (void *arg, synod_str_t key, synod_str_t value)
{
    return synod_put ((synod_ctx_t *) arg, key, value);
}
static int s_remove (void *arg, synod_str_t key)
{
    return synod_delete ((synod_ctx_t *) arg, key);
}
static int s_scan (void *arg, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *on_arg)
{
    return synod_scan ((synod_ctx_t *) arg, from, until, on_entry, on_arg);
}
const synod__kv_store_t synod__kv_actor_store = {s_get, s_put, s_remove, s_scan};

/* ---- steps ---- */

static int64_t s_wall_ms (const synod_ctx_t *ctx)
{
    return synod_wall_us (ctx) / 1000;
}

void synod__kv_actor_begin (synod_ctx_t *ctx, const synod__kv_actor_state_t *self, synod__kv_step_t *step)
{
    const synod__kv_shared_t *shared = synod__kv_shared (ctx);
    uint64_t most = !shared->memory ? UINT64_MAX : shared->bytes < shared->memory ? shared->memory - shared->bytes : 0;
    synod__kv_begin (step, &synod__kv_actor_store, ctx, &self->memory, synod__ctx_position (ctx), s_wall_ms (ctx),
                     most);
}

static int on_due (synod_ctx_t *ctx, void *state, uint64_t arg);

static int s_arm (synod_ctx_t *ctx, synod__kv_actor_state_t *self)
{
    int64_t due_ms = self->memory.due_ms;
    if (due_ms == SYNOD__KV_NEVER || self->timer_ms <= due_ms)
        return SYNOD_OK;
    if (self->timer_ms != SYNOD__KV_NEVER)
        synod_cancel (ctx, self->timer);
    int64_t wait_ms = due_ms - s_wall_ms (ctx);
    wait_ms = wait_ms > S_TIMER_MOST_MS ? S_TIMER_MOST_MS : wait_ms < S_TIMER_LEAST_MS ? S_TIMER_LEAST_MS : wait_ms;
    self->timer_ms = due_ms;
    return synod_after (ctx, (uint32_t) wait_ms, on_due, 0, &self->timer);
}

static int s_publish (synod_ctx_t *ctx, synod__kv_step_t *step)
{
    char topic[16];
    step->change.partition = synod__ctx_partition (ctx);
    snprintf (topic, sizeof topic, SYNOD__KV_ACTOR ".%04x", (unsigned) step->change.partition);
    return synod_publish (ctx, topic, &synod__kv_change_record, &step->change);
}

static bool s_watched (const synod_ctx_t *ctx, const synod__kv_actor_state_t *self)
{
    int64_t now_us = synod_now_us (ctx);
    return self->watched_us > now_us || synod__kv_shared (ctx)->watched_us > now_us;
}

/* It has changed, or it came: those who watch are told so when they ask. */
static void s_mark (const synod_ctx_t *ctx, synod__kv_actor_state_t *self)
{
    synod__kv_shared_t *shared = synod__kv_shared (ctx);
    if (self->mark.order)
        DL_DELETE (shared->marks, &self->mark);
    self->mark.order = ++shared->order;
    self->mark.version = self->memory.version;
    self->mark.partition = synod__ctx_partition (ctx);
    DL_APPEND (shared->marks, &self->mark);
}

int synod__kv_actor_end (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod__kv_step_t *step, int rc)
{
    synod__kv_shared_t *shared = synod__kv_shared (ctx);
    if (rc == SYNOD_OK && step->changed && s_watched (ctx, self))
        rc = s_publish (ctx, step);
    if (rc != SYNOD_OK) {
        shared->refused += rc == SYNOD_FULL;
        return synod_error (ctx, rc, "%s", step->fault.code ? step->fault.text : synod_error_meaning (rc));
    }
    synod__kv_end (step, &self->memory);
    shared->keys += (uint64_t) step->keys;
    shared->bytes += (uint64_t) step->bytes;
    shared->expired += step->expired;
    if (step->changed && self->mark.order)
        s_mark (ctx, self);
    return s_arm (ctx, self);
}

static int s_answer (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod__kv_step_t *step, int rc, synod_call_t call)
{
    rc = synod__kv_actor_end (ctx, self, step, rc);
    return rc == SYNOD_OK && call.id ? synod_reply (ctx, call, &synod__kv_is_record, &step->is) : rc;
}

/* ---- commands ---- */

static int s_got (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod__kv_step_t *step, int rc, synod_call_t call)
{
    synod__kv_shared_t *shared = synod__kv_shared (ctx);
    shared->hits += step->is.found;
    shared->misses += !step->is.found;
    return s_answer (ctx, self, step, rc, call);
}

static int s_get_now (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod_str_t key, const void *in,
                      synod_call_t call)
{
    synod__kv_step_t step;
    synod__kv_actor_begin (ctx, self, &step);
    return s_got (ctx, self, &step, synod__kv_get (&step, key, (const synod__kv_get_t *) in), call);
}

static int on_get (synod_ctx_t *ctx, void *state, const synod__kv_get_t *in, synod_call_t call)
{
    synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;
    if (SYNOD__KV_MUTANT (LOCKED_SHOWN))
        return s_get_now (ctx, self, synod_key (ctx), in, call);
    return synod__kv_do (ctx, self, synod_key (ctx), false, &synod__kv_get_record, s_get_now, in, call);
}

/* Waits for nothing. */
static int on_get_stale (synod_ctx_t *ctx, void *state, const synod__kv_get_stale_t *in, synod_call_t call)
{
    synod__kv_step_t step;
    synod__kv_actor_begin (ctx, (synod__kv_actor_state_t *) state, &step);
    return s_got (ctx, (synod__kv_actor_state_t *) state, &step, synod__kv_get_stale (&step, synod_key (ctx), in),
                  call);
}

/* A handler for a command of the core. */
#define S_COMMAND(name)                                                                                                \
    static int s_##name##_now (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod_str_t key, const void *in,       \
                               synod_call_t call)                                                                      \
    {                                                                                                                  \
        synod__kv_step_t step;                                                                                         \
        synod__kv_actor_begin (ctx, self, &step);                                                                      \
        return s_answer (ctx, self, &step, synod__kv_##name (&step, key, (const synod__kv_##name##_t *) in), call);    \
    }                                                                                                                  \
    static int on_##name (synod_ctx_t *ctx, void *state, const synod__kv_##name##_t *in, synod_call_t call)            \
    {                                                                                                                  \
        synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;                                             \
        if (SYNOD__KV_MUTANT (LOCKED_WRITTEN))                                                                         \
            return s_##name##_now (ctx, self, synod_key (ctx), in, call);                                              \
        return synod__kv_do (ctx, self, synod_key (ctx), false, &synod__kv_##name##_record, s_##name##_now, in, call); \
    }
S_COMMAND (put)
S_COMMAND (delete)
S_COMMAND (incr)
S_COMMAND (append)
S_COMMAND (expire)

static int on_upload (synod_ctx_t *ctx, void *state, const synod__kv_upload_t *in, synod_call_t call)
{
    synod__kv_step_t step;
    synod__kv_actor_begin (ctx, (synod__kv_actor_state_t *) state, &step);
    int rc = synod__kv_actor_end (ctx, (synod__kv_actor_state_t *) state, &step, synod__kv_upload (&step, in));
    return rc == SYNOD_OK ? synod_reply (ctx, call, &synod__kv_uploaded_record, &(synod__kv_uploaded_t){0}) : rc;
}

static int on_piece (synod_ctx_t *ctx, void *state, const synod__kv_piece_t *in, synod_call_t call)
{
    synod__kv_step_t step;
    synod__kv_piece_is_t out = {0};
    synod__kv_actor_begin (ctx, (synod__kv_actor_state_t *) state, &step);
    int rc = synod__kv_actor_end (ctx, (synod__kv_actor_state_t *) state, &step, synod__kv_piece (&step, in, &out));
    return rc == SYNOD_OK ? synod_reply (ctx, call, &synod__kv_piece_is_record, &out) : rc;
}

/* ---- watching, scanning ---- */

void synod__kv_watch_for (const synod_ctx_t *ctx, int64_t *until_us, uint64_t ms)
{
    int64_t put_off_us = synod_now_us (ctx) + (int64_t) ms * 1000;
    if (put_off_us > *until_us)
        *until_us = put_off_us;
}

static int on_watch (synod_ctx_t *ctx, void *state, const synod__kv_watch_t *in, synod_call_t call)
{
    synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;
    synod__kv_step_t step;
    bool locked;
    synod__kv_watch_for (ctx, &self->watched_us, in->ms);
    int rc = synod__kv_actor_locked (ctx, self, synod_key (ctx), false, &locked);
    if (rc != SYNOD_OK)
        return rc;
    synod__kv_actor_begin (ctx, self, &step);
    step.held = locked; /* what comes of it is a change of its own */
    rc = synod__kv_get (&step, synod_key (ctx), &(synod__kv_get_t){.bare = true, .at = true});
    rc = synod__kv_actor_end (ctx, self, &step, rc);
    const synod__kv_watching_t out = {
        .partition = synod__ctx_partition (ctx), .at = step.is.at, .found = step.is.found, .version = step.is.version};
    return rc == SYNOD_OK ? synod_reply (ctx, call, &synod__kv_watching_record, &out) : rc;
}

static int s_part_now (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod_str_t prefix, const void *in,
                       synod_call_t call)
{
    synod__kv_step_t step;
    synod_buf_t items = {0};
    char after[SYNOD_KEY_MAX];
    synod__kv_part_is_t out = {.partition = synod__ctx_partition (ctx)};
    (void) prefix;
    synod__kv_actor_begin (ctx, self, &step);
    int rc = synod__kv_part (&step, (const synod__kv_part_t *) in, &items, after, &out);
    out.at = step.at;
    rc = rc == SYNOD_OK ? synod_reply (ctx, call, &synod__kv_part_is_record, &out) : rc;
    synod_buf_free (&items);
    return rc;
}

/* Keys are told as they are when none of them is locked. */
static int on_part (synod_ctx_t *ctx, void *state, const synod__kv_part_t *in, synod_call_t call)
{
    synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;
    return synod__kv_do (ctx, self, in->prefix, true, &synod__kv_part_record, s_part_now, in, call);
}

/* ---- deadlines ---- */

static int s_sweep (synod_ctx_t *ctx, synod__kv_actor_state_t *self)
{
    synod__kv_step_t step;
    int64_t next_ms = SYNOD__KV_NEVER;
    bool watched = s_watched (ctx, self); /* each is published */
    synod__kv_actor_begin (ctx, self, &step);
    int rc = synod__kv_sweep (&step, watched ? 1 : S_SWEEP, &next_ms);
    if (rc == SYNOD_OK)
        self->memory.due_ms = next_ms;
    return synod__kv_actor_end (ctx, self, &step, rc);
}

static int on_due (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;
    (void) arg;
    self->timer_ms = SYNOD__KV_NEVER;
    return s_sweep (ctx, self);
}

/* Its timer is set by now: that there is memory of the partition here is all that was wanted. */
static int on_sweep (synod_ctx_t *ctx, void *state, const synod__kv_sweep_t *in, synod_call_t call)
{
    (void) in;
    (void) call;
    return s_arm (ctx, (synod__kv_actor_state_t *) state);
}

/* ---- life ---- */

static int init (synod_ctx_t *ctx, void *state, const void *args)
{
    synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;
    synod__kv_shared_t *shared = synod__kv_shared (ctx);
    self->timer_ms = SYNOD__KV_NEVER;
    shared->memory = args ? ((const synod__kv_args_t *) args)->memory : 0;
    int rc = synod__kv_load (&synod__kv_actor_store, ctx, &self->memory);
    if (rc != SYNOD_OK)
        return rc;
    self->memory.version = synod__ctx_position (ctx) - 1; /* what was changed by others was changed before */
    shared->keys += self->memory.keys;
    shared->bytes += self->memory.bytes;
    return s_arm (ctx, self);
}

static int on_own (synod_ctx_t *ctx, void *state)
{
    synod__kv_shared_t *shared = synod__kv_shared (ctx);
    while (!shared->life)
        shared->life = synod_random (ctx);
    s_mark (ctx, (synod__kv_actor_state_t *) state);
    return SYNOD_OK;
}

static void fini (synod_ctx_t *ctx, void *state)
{
    synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;
    synod__kv_shared_t *shared = synod__kv_shared (ctx);
    synod__kv_waiters_free (self);
    if (self->mark.order)
        DL_DELETE (shared->marks, &self->mark);
    shared->keys -= self->memory.keys;
    shared->bytes -= self->memory.bytes;
}

SYNOD_RECORD_DEFINE (synod__kv_args, SYNOD__KV_ARGS_FIELDS, 0, "the arguments of kv")

const synod_actor_t synod__kv_actor = {
    .name = SYNOD__KV_ACTOR,
    .doc = "the table: keys and values, replicated",
    .state_size = sizeof (synod__kv_actor_state_t),
    .args = &synod__kv_args_record,
    .init = init,
    .fini = fini,
    .routes =
        (const synod_route_t[]){SYNOD_ON (synod__kv_get, on_get), SYNOD_ON (synod__kv_put, on_put),
                                SYNOD_ON (synod__kv_incr, on_incr), SYNOD_ON (synod__kv_delete, on_delete),
                                SYNOD_ON (synod__kv_append, on_append), SYNOD_ON (synod__kv_expire, on_expire),
                                SYNOD_ON (synod__kv_get_stale, on_get_stale), SYNOD_ON (synod__kv_upload, on_upload),
                                SYNOD_ON (synod__kv_piece, on_piece), SYNOD_ON (synod__kv_watch, on_watch),
                                SYNOD_ON (synod__kv_part, on_part), SYNOD_ON (synod__kv_sweep, on_sweep), SYNOD_END},
    .placement = SYNOD_SHARDED,
    .on_own = on_own,
    .beside = &synod__kv_node_actor,
    .gateway = &synod__kv_gateway,
    .prepare = synod__kv_actor_prepare,
    .commit = synod__kv_actor_commit,
    .abort = synod__kv_actor_abort,
};
