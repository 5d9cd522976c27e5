/* SPDX-License-Identifier: MPL-2.0
 *
 * Who waits for the outcome of a transaction: reads and writes of a locked key, in the order in which they came. They are
 * in memory alone, and have done nothing yet: who asked asks again if the partition gets another owner, or its time is
 * over. Each runs in a turn's step of its own, as if it came then.
 */
#include <stdlib.h>
#include "actor_parts.h"
#include "actors/runtime/runtime.h"

struct synod__kv_waiter_t {
    synod__kv_waiter_t *next;
    const synod_record_t *record;
    synod__kv_run_t *run;
    synod_call_t call; /* 0: a tell */
    bool wide;
    uint32_t key_size;
    char key[SYNOD_KEY_MAX];
    synod_buf_t body; /* packed */
};

int synod__kv_actor_locked (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod_str_t key, bool wide, bool *locked)
{
    synod__kv_step_t step;
    int rc = SYNOD_OK;
    if (self->locks == SYNOD__KV_LOCKS_UNKNOWN) {
        rc = synod__kv_any_locked (&synod__kv_actor_store, ctx, synod_str (""), locked);
        self->locks = rc != SYNOD_OK ? SYNOD__KV_LOCKS_UNKNOWN : *locked ? SYNOD__KV_LOCKS_SOME : SYNOD__KV_LOCKS_NONE;
    }
    *locked = false;
    if (rc != SYNOD_OK || self->locks == SYNOD__KV_LOCKS_NONE)
        return rc;
    if (wide)
        return synod__kv_any_locked (&synod__kv_actor_store, ctx, key, locked);
    synod__kv_actor_begin (ctx, self, &step);
    return synod__kv_locked (&step, key, locked);
}

bool synod__kv_awaited (const synod__kv_actor_state_t *self, synod_str_t key)
{
    for (const synod__kv_waiter_t *waiter = self->waiters; waiter; waiter = waiter->next)
        if (!waiter->wide && synod_str_same (synod_str_n (waiter->key, waiter->key_size), key))
            return true;
    return false;
}

/* Unlinks *AT. */
static void s_drop (synod__kv_actor_state_t *self, synod__kv_waiter_t **at)
{
    synod__kv_waiter_t *waiter = *at;
    *at = waiter->next;
    if (self->last == &waiter->next)
        self->last = at;
    self->nwaiters--;
    synod_buf_free (&waiter->body);
    free (waiter);
}

void synod__kv_waiters_free (synod__kv_actor_state_t *self)
{
    while (self->waiters)
        s_drop (self, &self->waiters);
}

/* Those whose time is over wait for nothing. */
static void s_drop_over (const synod_ctx_t *ctx, synod__kv_actor_state_t *self)
{
    for (synod__kv_waiter_t **at = &self->waiters; *at;)
        if ((*at)->call.id && !synod__ctx_waits (ctx, (*at)->call))
            s_drop (self, at);
        else
            at = &(*at)->next;
}

static int s_wait (synod_ctx_t *ctx, synod__kv_actor_state_t *self, const synod__kv_waiter_t *as, const void *in,
                   synod_str_t key)
{
    synod_fault_t fault = {0};
    s_drop_over (ctx, self);
    if (self->nwaiters >= SYNOD__KV_WAITERS_MAX)
        return synod_error (ctx, SYNOD_BUSY, "%d wait for transactions on keys of this partition",
                            SYNOD__KV_WAITERS_MAX);
    synod__kv_waiter_t *waiter = (synod__kv_waiter_t *) malloc (sizeof *waiter);
    if (!waiter)
        return SYNOD_NO_MEMORY;
    *waiter = *as;
    waiter->key_size = key.size;
    if (key.size)
        memcpy (waiter->key, key.data, key.size);
    int rc = synod_record_pack (waiter->record, in, &waiter->body, &fault);
    if (rc != SYNOD_OK) {
        synod_buf_free (&waiter->body);
        free (waiter);
        return synod_error (ctx, rc, "%s", fault.text);
    }
    if (!self->waiters)
        self->last = &self->waiters;
    *self->last = waiter;
    self->last = &waiter->next;
    self->nwaiters++;
    return SYNOD_OK;
}

int synod__kv_do (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod_str_t key, bool wide,
                  const synod_record_t *record, synod__kv_run_t *run, const void *in, synod_call_t call)
{
    const synod__kv_waiter_t as = {.record = record, .run = run, .call = call, .wide = wide};
    bool locked = false;
    int rc = key.size > SYNOD_KEY_MAX ? SYNOD_OK : synod__kv_actor_locked (ctx, self, key, wide, &locked);
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "the lock of this key cannot be read");
    if (locked || (self->waiters && !wide && synod__kv_awaited (self, key)))
        return s_wait (ctx, self, &as, in, key);
    return run (ctx, self, key, in, call);
}

/* ---- going on ---- */

/* It runs as if it came now. What it comes to is its answer, an error too. */
static int s_run (synod_ctx_t *ctx, synod__kv_actor_state_t *self, const synod__kv_waiter_t *waiter)
{
    union {
        synod__kv_put_t put; /* the largest, with the others beside for their alignment */
        synod__kv_part_t part;
        synod__kv_get_t get;
        synod__kv_delete_t delete;
        synod__kv_incr_t incr;
        synod__kv_append_t append;
        synod__kv_expire_t expire;
    } in;
    synod_fault_t fault = {0};
    if (waiter->call.id && !synod__ctx_waits (ctx, waiter->call))
        return SYNOD_OK;
    int rc = synod_record_unpack (waiter->record, synod_str_n (waiter->body.data, waiter->body.size), &in, &fault);
    if (rc == SYNOD_OK)
        rc = waiter->run (ctx, self, synod_str_n (waiter->key, waiter->key_size), &in, waiter->call);
    if (rc == SYNOD_OK || rc == SYNOD_FAILED || rc == SYNOD_IO)
        return rc;
    synod__ctx_drop (ctx);
    if (!waiter->call.id)
        return SYNOD_OK;
    return synod_reply_error (ctx, waiter->call, rc, "%s",
                              *synod__ctx_error (ctx) ? synod__ctx_error (ctx) : synod_error_meaning (rc));
}

static int s_on_resume (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;
    synod__kv_waiter_t **at = &self->waiters;
    int rc = SYNOD_OK;
    bool locked = true;
    (void) arg;
    for (; *at; at = &(*at)->next) {
        rc = synod__kv_actor_locked (ctx, self, synod_str_n ((*at)->key, (*at)->key_size), (*at)->wide, &locked);
        if (rc != SYNOD_OK || !locked)
            break;
    }
    if (rc != SYNOD_OK || !*at)
        return rc;
    synod__kv_waiter_t waiter = **at;
    (*at)->body = (synod_buf_t){0};
    s_drop (self, at);
    rc = s_run (ctx, self, &waiter);
    synod_buf_free (&waiter.body);
    int next = synod__kv_resume (ctx, self); /* after what it may have dropped */
    return rc == SYNOD_OK ? next : rc;
}

int synod__kv_resume (synod_ctx_t *ctx, synod__kv_actor_state_t *self)
{
    return self->waiters ? synod_after (ctx, 0, s_on_resume, 0, NULL) : SYNOD_OK;
}
