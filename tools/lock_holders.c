/* SPDX-License-Identifier: MPL-2.0
 *
 * The actors of the scenario `lock`: on each client's node one that acquires locks, again and again, by two workers; and
 * a resource whose cells they read and write while they hold a lock, which refuses fences that are older than the last.
 */
#include <stdio.h>
#include "lock_world.h"

SYNOD_RECORD_DEFINE (lock_use, LOCK_USE_FIELDS, SYNOD_ONCE, "reads or writes a cell of the resource")
SYNOD_RECORD_DEFINE (lock_used, LOCK_USED_FIELDS, 0, "the answer")

lock_world_t *lock_world;

/* Two that many want, and whose histories are kept; readers and writers; permits; several with one key. */
const lock_kind_t lock_kinds[] = {
    {{"x0"}, false, 0, 0},       {{"x1"}, false, 0, 1},
    {{"x0"}, false, 0, 0},       {{"readers"}, true, 0, 2},
    {{"permits"}, false, 2, -1}, {{"{m}.a"}, false, 0, 3},
    {{"{m}.b"}, false, 0, 4},    {{"{m}.a", "{m}.b"}, false, 0, 3},
    {{"y0", "y1"}, false, 0, 5}, {{"{s}.a", "{s}.b"}, true, 0, 6},
    {{"{s}.b"}, true, 0, 7},     {{"{m}.p"}, false, 2, -1},
};
/* Those of a key that are taken one by one too, so that circles may come about: by their places above. */
static const uint32_t nested[] = {5, 6, 11, 11};
const uint32_t lock_kinds_count = sizeof lock_kinds / sizeof lock_kinds[0];

#define RESOURCE "resource"

/* ---- the resource: a cell's value and the last fence, in its store ---- */

typedef struct {
    uint64_t value, fence;
} cell_t;

static int on_use (synod_ctx_t *ctx, void *state, const lock_use_t *in, synod_call_t call)
{
    lock_world_t *world = lock_world;
    char key = (char) ('0' + in->number);
    cell_t cell = {0, 0};
    synod_str_t bytes;
    (void) state;
    if (synod_get (ctx, synod_str_n (&key, 1), &bytes) == SYNOD_OK)
        memcpy (&cell, bytes.data, sizeof cell);
    lock_used_t out = {.taken = in->token >= cell.fence || !world->fenced};
    if (in->token > cell.fence)
        cell.fence = in->token;
    world->fenced_off += !out.taken;
    if (out.taken && in->value && in->value != cell.value + 1)
        synod_sim_fail (world->sim, "resource %u is at %u, and is to be %u: somebody has used it meanwhile",
                        (unsigned) in->number, (unsigned) cell.value, (unsigned) in->value);
    if (out.taken && in->value)
        cell.value = in->value;
    out.value = cell.value;
    int rc = synod_put (ctx, synod_str_n (&key, 1), synod_str_n (&cell, sizeof cell));
    return rc == SYNOD_OK && call.id ? synod_reply (ctx, call, &lock_used_record, &out) : rc;
}

const synod_actor_t lock_resource = {
    .name = RESOURCE,
    .doc = "cells that locks guard",
    .routes = (const synod_route_t[]){SYNOD_ON (lock_use, on_use), SYNOD_END},
};

/* ---- who acquires ---- */

typedef struct {
    synod_locks_t *locks;
    lock_client_t *client;
    struct {
        uint32_t kind;
        uint64_t value;
        synod_lock_t *again; /* the same, once more */
    } workers[LOCK_WORKERS];
} state_t;

#define HOLDER_FIELDS(FIELD, OPT) FIELD (u64, number, LOCK_CLIENTS, "which client")
SYNOD_RECORD (holder, HOLDER_FIELDS, 0, "whose actor it is")

static int work (synod_ctx_t *ctx, void *state, uint64_t arg);

static int think (synod_ctx_t *ctx, state_t *self, uint64_t worker, bool soon)
{
    uint64_t most_ms = soon ? 20 : self->client->world->think_ms;
    return synod_after (ctx, 1 + (uint32_t) (synod_random (ctx) % most_ms), work, worker, NULL);
}

/* It lets go of what it has, and begins anew. */
static int let_go (synod_ctx_t *ctx, state_t *self, uint64_t worker)
{
    lock_stand_t *stand = &self->client->stands[worker];
    if (self->workers[worker].again)
        synod_locks_release (ctx, self->locks, self->workers[worker].again);
    self->workers[worker].again = NULL;
    if (stand->lock) {
        lock_may_end (self->client->world, self->client, (uint32_t) worker);
        synod_locks_release (ctx, self->locks, stand->lock);
    }
    *stand = (lock_stand_t){.lock = NULL};
    return think (ctx, self, worker, false);
}

/* If it has still what it had when this was set. */
static int on_let_go (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    state_t *self = (state_t *) state;
    const lock_stand_t *stand = &self->client->stands[arg & 15];
    return stand->lock && stand->holder == (int64_t) (arg >> 4) ? let_go (ctx, self, arg & 15) : SYNOD_OK;
}

static int hold (synod_ctx_t *ctx, const state_t *self, uint64_t worker, uint64_t most_ms)
{
    uint64_t arg = (uint64_t) self->client->stands[worker].holder << 4 | worker;
    return synod_after (ctx, 1 + (uint32_t) (synod_random (ctx) % most_ms), on_let_go, arg, NULL);
}

static int use (synod_ctx_t *ctx, state_t *self, uint64_t worker, uint64_t value);

/* Where nobody trusts a lease, whoever was granted the lock goes on and on, lease or no lease. */
static int on_more (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    state_t *self = (state_t *) state;
    const lock_stand_t *stand = &self->client->stands[arg & 15];
    if (!stand->lock || stand->holder != (int64_t) (arg >> 4))
        return SYNOD_OK;
    self->workers[arg & 15].value = 0;
    return use (ctx, self, arg & 15, 0);
}

/* And takes its time between reading and writing. */
static int on_late (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    state_t *self = (state_t *) state;
    const lock_stand_t *stand = &self->client->stands[arg & 15];
    return stand->lock && stand->holder == (int64_t) (arg >> 4)
               ? use (ctx, self, arg & 15, self->workers[arg & 15].value)
               : SYNOD_OK;
}

static int on_used (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    state_t *self = (state_t *) state;
    uint64_t worker = arg & 15;
    const lock_stand_t *stand = &self->client->stands[worker];
    lock_used_t used;
    if (!stand->lock || reply->code != SYNOD_OK || arg >> 4 != stand->lock->parts[0].request ||
        synod_record_unpack (&lock_used_record, reply->body, &used, NULL) != SYNOD_OK || !used.taken)
        return stand->lock && arg >> 4 == stand->lock->parts[0].request ? let_go (ctx, self, worker) : SYNOD_OK;
    if (!self->workers[worker].value) {
        self->workers[worker].value = used.value + 1;
        if (!self->client->world->strict)
            return synod_after (ctx, 40, on_late, (uint64_t) stand->holder << 4 | worker, NULL);
        return synod_random (ctx) % 8 ? use (ctx, self, worker, used.value + 1) : let_go (ctx, self, worker);
    }
    if (!self->client->world->strict && synod_random (ctx) % 16)
        return synod_after (ctx, 50, on_more, (uint64_t) stand->holder << 4 | worker, NULL);
    return hold (ctx, self, worker, 300);
}

static int use (synod_ctx_t *ctx, state_t *self, uint64_t worker, uint64_t value)
{
    const lock_kind_t *kind = &lock_kinds[self->workers[worker].kind];
    const synod_lock_t *lock = self->client->stands[worker].lock;
    const lock_use_t in = {
        .number = (uint64_t) kind->resource, .token = synod_lock_token (lock, kind->names[0]), .value = value};
    return synod_ask (ctx, RESOURCE, &lock_use_record, &in, 2000, on_used, lock->parts[0].request << 4 | worker);
}

static int on_again (synod_ctx_t *ctx, void *state, synod_lock_t *lock, int code, const char *why, uint64_t worker)
{
    state_t *self = (state_t *) state;
    const lock_stand_t *stand = &self->client->stands[worker];
    (void) ctx;
    (void) why;
    self->client->world->circles += code == SYNOD_DEADLOCK;
    if (code != SYNOD_OK)
        self->workers[worker].again = lock->stand == SYNOD__LOCK_LOST ? lock : NULL;
    else if (stand->held && stand->trusted && synod_lock_token (lock, NULL) != synod_lock_token (stand->lock, NULL) &&
             stand->lock->parts[0].entry == lock->parts[0].entry)
        synod_sim_fail (self->client->world->sim, "acquired again, %s has another fence",
                        lock_kinds[stand->name].names[0]);
    return SYNOD_OK;
}

static int on_lock (synod_ctx_t *ctx, void *state, synod_lock_t *lock, int code, const char *why, uint64_t worker)
{
    state_t *self = (state_t *) state;
    lock_client_t *client = self->client;
    lock_world_t *world = client->world;
    lock_stand_t *stand = &client->stands[worker];
    const lock_kind_t *kind = &lock_kinds[stand->name];
    if (code != SYNOD_OK && stand->held) { /* lost */
        world->lost++;
        return let_go (ctx, self, worker);
    }
    if (code != SYNOD_OK) {
        world->refused++;
        lock_missed (world, client, (uint32_t) worker);
        if (self->workers[worker].again)
            synod_locks_release (ctx, self->locks, self->workers[worker].again);
        self->workers[worker].again = NULL;
        *stand = (lock_stand_t){.lock = NULL};
        (void) why;
        return think (ctx, self, worker, client->last[worker]);
    }
    if (synod_lock_remaining_ms (ctx, lock) == 0 && synod__lockc_left_us (lock, synod_now_us (ctx)) <= 0)
        return synod_sim_fail (world->sim, "%s is said to be held when the lease has ended", kind->names[0]);
    stand->held = stand->trusted = true;
    world->granted++;
    lock_granted (world, client, (uint32_t) worker);
    if (client->last[worker]) {
        client->done[worker] = true;
        return let_go (ctx, self, worker);
    }
    const lock_kind_t *next = kind;
    if (strncmp (kind->names[0], "{m}", 3) == 0 && synod_random (ctx) % 2)
        next = &lock_kinds[nested[synod_random (ctx) % (sizeof nested / sizeof nested[0])]];
    if ((next != kind || synod_random (ctx) % 6 == 0) && !kind->names[1]) {
        char owner[24];
        snprintf (owner, sizeof owner, "w%lld", (long long) stand->holder);
        const synod_lock_want_t want = {
            .name = next->names[0], .owner = owner, .shared = stand->shared, .permits = next->permits, .wait_ms = 2000};
        synod_locks_acquire (ctx, self->locks, &want, on_again, worker, &self->workers[worker].again);
    }
    self->workers[worker].value = 0;
    if (kind->resource >= 0 && !stand->shared)
        return use (ctx, self, worker, 0);
    return hold (ctx, self, worker, 500);
}

static int work (synod_ctx_t *ctx, void *state, uint64_t worker)
{
    state_t *self = (state_t *) state;
    lock_client_t *client = self->client;
    lock_world_t *world = client->world;
    lock_stand_t *stand = &client->stands[worker];
    uint64_t chance = synod_random (ctx);
    char owner[24];
    if (stand->lock || client->done[worker])
        return SYNOD_OK;
    client->last[worker] = synod_sim_healed (world->sim);
    static const uint32_t tight[] = {0, 8, 8}; /* their places above */
    uint32_t at = (uint32_t) ((chance >> 8) % lock_kinds_count);
    at = world->tight ? tight[at % 3] : at;
    const lock_kind_t *kind = &lock_kinds[at];
    snprintf (owner, sizeof owner, "w%lld", (long long) ++world->serial);
    self->workers[worker].kind = at;
    *stand = (lock_stand_t){.name = at,
                            .client = NULL,
                            .shared = kind->shared && (chance >> 32) % 3,
                            .permits = kind->permits,
                            .holder = world->serial};
    synod_lock_want_t want = {.names = kind->names,
                              .owner = owner,
                              .shared = stand->shared,
                              .permits = stand->permits,
                              .wait_ms = client->last[worker] ? 40000
                                         : (chance >> 40) % 5
                                             ? 100 + (uint32_t) ((chance >> 44) % (2 * world->lease_ms))
                                             : 0};
    lock_asked (world, client, (uint32_t) worker);
    int rc = synod_locks_acquire (ctx, self->locks, &want, on_lock, worker, &stand->lock);
    if (rc == SYNOD_OK)
        stand->client = stand->lock->client;
    return rc;
}

static int init (synod_ctx_t *ctx, void *state, const void *args)
{
    state_t *self = (state_t *) state;
    self->client = &lock_world->client[((const holder_t *) args)->number];
    const synod_lock_options_t options = {.lease_ms = lock_world->lease_ms, .drift_ppm = lock_world->drift_ppm};
    self->locks = synod_locks_new (ctx, &options, offsetof (state_t, locks));
    self->client->life++;
    for (uint64_t i = 0; i < LOCK_WORKERS; i++) {
        int rc = think (ctx, self, i, false);
        if (rc != SYNOD_OK)
            return rc;
    }
    return self->locks ? SYNOD_OK : SYNOD_FAILED;
}

static void fini (synod_ctx_t *ctx, void *state)
{
    state_t *self = (state_t *) state;
    for (uint32_t i = 0; i < LOCK_WORKERS; i++) {
        lock_stand_t *stand = &self->client->stands[i];
        if (stand->lock && stand->held)
            lock_may_end (self->client->world, self->client, i);
        else if (stand->lock)
            lock_missed (self->client->world, self->client, i);
        *stand = (lock_stand_t){.lock = NULL};
    }
    synod_locks_destroy (ctx, &self->locks);
}

const synod_actor_t lock_holder = {
    .name = "holder",
    .doc = "acquires locks, again and again",
    .state_size = sizeof (state_t),
    .args = &holder_record,
    .init = init,
    .fini = fini,
};
