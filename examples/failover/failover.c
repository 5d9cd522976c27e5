/* SPDX-License-Identifier: MPL-2.0
 *
 * A primary and a standby: whoever holds the lock `primary` counts in the ledger, with its token. When the primary dies
 * the standby is granted the lock within a lease, reads where the other was, and goes on. One that was only paused writes
 * with an old token, and is refused.
 *
 *     synod run lock --alone --data d1                the lock service: more nodes for more safety
 *     synod run ./libledger.so --data d2
 *     synod run ./libfailover.so --node a             the primary
 *     synod run ./libfailover.so --node b             the standby
 *
 * It says `primary TOKEN`, `wrote VALUE`, `refused` and `standby` in its log.
 */
#include "ledger.h"

#define LEASE_MS 1500
#define BEAT_MS  100

typedef struct {
    synod_locks_t *locks;
    synod_lock_t *primary; /* NULL: this is the standby */
    uint64_t token, value;
} server_t;

static int stand_by (synod_ctx_t *ctx, void *state, uint64_t arg);

/* No longer: it lets go, and waits for its turn again. */
static int step_down (synod_ctx_t *ctx, server_t *self, const char *why)
{
    synod_log (ctx, SYNOD_LOG_INFO, "standby: %s", why);
    synod_locks_release (ctx, self->locks, self->primary);
    self->primary = NULL;
    return synod_after (ctx, BEAT_MS, stand_by, 0, NULL);
}

static int beat (synod_ctx_t *ctx, void *state, uint64_t token);

static int on_entry (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t token)
{
    server_t *self = state;
    entry_t entry;
    if (reply->code == SYNOD_REFUSED)
        synod_log (ctx, SYNOD_LOG_INFO, "refused: %.*s", SYNOD_STR (reply->message));
    if (!self->primary || token != self->token)
        return SYNOD_OK; /* it was asked in an earlier reign */
    if (reply->code == SYNOD_REFUSED)
        return step_down (ctx, self, "another one has the lock");
    if (reply->code == SYNOD_OK && synod_record_unpack (&entry_record, reply->body, &entry, NULL) == SYNOD_OK) {
        self->value = entry.value;
        synod_log (ctx, SYNOD_LOG_INFO, "wrote %llu", (unsigned long long) entry.value);
    }
    return synod_after (ctx, BEAT_MS, beat, token, NULL);
}

/* What a primary does: here, it counts. It does not ask whether its lease is still good: the ledger knows better. */
static int beat (synod_ctx_t *ctx, void *state, uint64_t token)
{
    server_t *self = state;
    if (token != self->token)
        return SYNOD_OK;
    return synod_ask (ctx, "ledger", &write_record, &(write_t){.token = token, .value = self->value + 1}, LEASE_MS,
                      on_entry, token);
}

static int on_primary (synod_ctx_t *ctx, void *state, synod_lock_t *lock, int code, const char *why, uint64_t arg)
{
    server_t *self = state;
    (void) arg;
    if (code != SYNOD_OK && self->primary)
        return step_down (ctx, self, why);
    if (code != SYNOD_OK) /* still the standby: it waits again */
        return synod_after (ctx, BEAT_MS, stand_by, 0, NULL);
    self->primary = lock;
    self->token = synod_lock_token (lock, NULL);
    synod_log (ctx, SYNOD_LOG_INFO, "primary %llu", (unsigned long long) self->token);
    return synod_ask (ctx, "ledger", &read_record, &(read_t){.token = self->token}, LEASE_MS, on_entry, self->token);
}

static int stand_by (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    server_t *self = state;
    (void) arg;
    return synod_locks_acquire (ctx, self->locks, &(synod_lock_want_t){.name = "primary", .wait_ms = 3600000},
                                on_primary, 0, NULL);
}

static int init (synod_ctx_t *ctx, void *state, const void *args)
{
    server_t *self = state;
    (void) args;
    self->locks = synod_locks_new (ctx, &(synod_lock_options_t){.lease_ms = LEASE_MS}, offsetof (server_t, locks));
    return self->locks ? synod_after (ctx, 0, stand_by, 0, NULL) : SYNOD_FAILED;
}

static void fini (synod_ctx_t *ctx, void *state)
{
    synod_locks_destroy (ctx, &((server_t *) state)->locks);
}

static const synod_actor_t server = {
    .name = "server",
    .doc = "one of them counts",
    .state_size = sizeof (server_t),
    .init = init,
    .fini = fini,
};

SYNOD_MODULE (&server)
