/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `counter`: durable counters on three nodes, and clients that add to them by commands. Whatever happens to
 * messages and nodes: what was acknowledged is counted once, what ended without an answer once or not at all, and
 * nothing else is counted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "actors/runtime/mutants.h"
#include "scenarios.h"

#define NODES   3
#define CLIENTS 2
#define ASKERS  6      /* in turn on one client and the other */
#define ASK_MS  600000 /* longer than any world: a command ends with its answer */

/* ---- the actor: each amount is added at once, or after a while that a crash does not shorten ---- */

#define ADD_FIELDS(FIELD, OPT)                                       \
    FIELD (u64, amount, UINT32_MAX, "how much to add")               \
    OPT (u64, delay_ms, 60000, "when: as long after the answer")     \
    OPT (bit, refuse, 0, "write, and then perhaps refuse after all") \
    OPT (bit, fail, 0, "write, and then fail")
SYNOD_RECORD (add, ADD_FIELDS, SYNOD_ONCE, "adds to the counter")
#define GET_FIELDS(FIELD, OPT)
SYNOD_RECORD (get, GET_FIELDS, SYNOD_IDEMPOTENT, "what the counter is at")
#define COUNT_FIELDS(FIELD, OPT)                             \
    FIELD (u64, value, UINT64_MAX, "what the counter is at") \
    FIELD (u64, waiting, UINT64_MAX, "how much is still to be added")
SYNOD_RECORD (count, COUNT_FIELDS, 0, "a counter")

/* In the store: "value"; "w" and a number: an amount that waits; "ghosts": timers that had run already. */
typedef struct {
    uint64_t next; /* the number of the next amount that waits */
    uint64_t waiting;
} counter_t;

typedef struct {
    uint64_t amount;
    int64_t due_us; /* by the wall clock, which goes on over a crash */
} waiting_t;

static uint64_t get_number (synod_ctx_t *ctx, const char *key)
{
    uint64_t number = 0;
    synod_str_t value;
    if (synod_get (ctx, synod_str (key), &value) == SYNOD_OK)
        memcpy (&number, value.data, sizeof number);
    return number;
}

static int put_number (synod_ctx_t *ctx, const char *key, uint64_t number)
{
    return synod_put (ctx, synod_str (key), synod_str_n (&number, sizeof number));
}

static int add_up (synod_ctx_t *ctx, uint64_t amount)
{
    return put_number (ctx, "value", get_number (ctx, "value") + amount);
}

static synod_str_t waiting_key (uint64_t number, char key[9])
{
    key[0] = 'w';
    for (int i = 0; i < 8; i++)
        key[1 + i] = (char) (number >> (56 - 8 * i));
    return synod_str_n (key, 9);
}

static int on_due (synod_ctx_t *ctx, void *state, uint64_t number)
{
    counter_t *self = (counter_t *) state;
    char key[9];
    synod_str_t value;
    waiting_t waiting;
    int rc = synod_get (ctx, waiting_key (number, key), &value);
    if (rc != SYNOD_OK)
        return rc == SYNOD_NOT_FOUND ? put_number (ctx, "ghosts", get_number (ctx, "ghosts") + 1) : rc;
    memcpy (&waiting, value.data, sizeof waiting);
    self->waiting -= waiting.amount;
    rc = synod_delete (ctx, synod_str_n (key, sizeof key));
    return rc == SYNOD_OK ? add_up (ctx, waiting.amount) : rc;
}

typedef struct {
    synod_ctx_t *ctx;
    counter_t *self;
} again_t;

static bool set_again (void *arg, synod_str_t key, synod_str_t value)
{
    const again_t *again = (const again_t *) arg;
    waiting_t waiting;
    uint64_t number = 0;
    memcpy (&waiting, value.data, sizeof waiting);
    for (int i = 0; i < 8; i++)
        number = number << 8 | (uint8_t) key.data[1 + i];
    again->self->next = number + 1;
    again->self->waiting += waiting.amount;
    int64_t left_us = waiting.due_us - synod_wall_us (again->ctx);
    if (!SYNOD__MUTANT (TIMER_FORGOTTEN))
        synod_after (again->ctx, left_us > 0 ? (uint32_t) (left_us / 1000) : 0, on_due, number, NULL);
    return true;
}

static int counter_init (synod_ctx_t *ctx, void *state, const void *args)
{
    again_t again = {ctx, (counter_t *) state};
    (void) args;
    return synod_scan (ctx, synod_str ("w"), synod_str ("x"), set_again, &again);
}

static int on_get (synod_ctx_t *ctx, void *state, const get_t *in, synod_call_t call)
{
    (void) in;
    count_t out = {.value = get_number (ctx, "value"), .waiting = ((counter_t *) state)->waiting};
    return synod_reply (ctx, call, &count_record, &out);
}

static int on_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    counter_t *self = (counter_t *) state;
    if (!in->delay_ms || in->refuse || in->fail) {
        int rc = add_up (ctx, in->amount);
        if (rc == SYNOD_OK && in->refuse && synod_random (ctx) % 2)
            rc = synod_error (ctx, SYNOD_REFUSED, "as asked");
        if (rc == SYNOD_OK && in->fail)
            rc = synod_error (ctx, SYNOD_FAILED, "as asked");
        return rc == SYNOD_OK ? on_get (ctx, state, NULL, call) : rc;
    }
    char key[9];
    waiting_t waiting = {in->amount, synod_wall_us (ctx) + (int64_t) in->delay_ms * 1000};
    int rc = synod_put (ctx, waiting_key (self->next, key), synod_str_n (&waiting, sizeof waiting));
    if (rc == SYNOD_OK)
        rc = synod_after (ctx, (uint32_t) in->delay_ms, on_due, self->next, NULL);
    if (rc != SYNOD_OK)
        return rc;
    self->next++;
    self->waiting += in->amount;
    return on_get (ctx, state, NULL, call);
}

static const synod_actor_t counter = {
    .name = "counter",
    .doc = "counts what is added to it, on disk",
    .state_size = sizeof (counter_t),
    .init = counter_init,
    .routes = (const synod_route_t[]){SYNOD_ON (add, on_add), SYNOD_ON (get, on_get), SYNOD_END},
};

/* ---- the workload ---- */

typedef struct {
    uint64_t acknowledged, unknown; /* amounts */
    int64_t fail_us;                /* it may fail again from then on */
} tally_t;

typedef struct world_t world_t;

typedef struct {
    world_t *world;
    int node; /* the client's */
    int of;   /* the counter asked */
    uint64_t amount;
    uint64_t sure; /* acknowledged by that counter before this was asked */
} asker_t;

struct world_t {
    int nodes[NODES];
    tally_t tallies[NODES];
    int clients[CLIENTS];
    asker_t askers[ASKERS];
    int64_t until_us; /* no new work from then on */
};

static void ask_next (synod_sim_t *sim, void *arg);

static void think (synod_sim_t *sim, asker_t *asker)
{
    synod_sim_after (sim, 1000 + (int64_t) (synod_sim_random (sim) % 300000), ask_next, asker);
}

static void on_added (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    world_t *world = asker->world;
    tally_t *tally = &world->tallies[asker->of];
    count_t count;
    (void) client;
    /* the client crashed; or nobody was there, but a second copy of the frame may still find somebody */
    if (reply->code == SYNOD_STOPPED || reply->code == SYNOD_NO_ROUTE || reply->code == SYNOD_BUSY)
        tally->unknown += asker->amount;
    else if (reply->code != SYNOD_OK && reply->code != SYNOD_REFUSED && reply->code != SYNOD_FAILED)
        synod_sim_fail (sim, "a command ended with %s", synod_error_name (reply->code));
    else if (reply->code == SYNOD_OK && synod_record_unpack (&count_record, reply->body, &count, NULL) == SYNOD_OK) {
        tally->acknowledged += asker->amount;
        if (count.value + count.waiting < asker->sure + asker->amount)
            synod_sim_fail (
                sim,
                "the counter of %s is at %" PRIu64 " and %" PRIu64 " to come, %" PRIu64 " were acknowledged before",
                synod_sim_name (sim, world->nodes[asker->of]), count.value, count.waiting, asker->sure + asker->amount);
    }
    think (sim, asker);
}

static void ask_next (synod_sim_t *sim, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    char to[SYNOD_ADDRESS_MAX];
    uint64_t chance = synod_sim_random (sim);
    add_t in = {.amount = 1 + (uint32_t) (chance >> 40)};
    if (synod_sim_now_us (sim) >= asker->world->until_us)
        return;
    if ((chance >> 16) % 20 == 0 && synod_sim_state (sim, asker->node) == SYNOD_SIM_UP) {
        synod_sim_crash (sim, asker->node);
        synod_sim_start (sim, asker->node);
        think (sim, asker);
        return;
    }
    asker->of = (int) (chance % NODES);
    asker->amount = in.amount;
    asker->sure = asker->world->tallies[asker->of].acknowledged;
    in.delay_ms = (chance >> 8) % 4 ? 0 : 1 + (chance >> 12) % 3000;
    in.refuse = (chance >> 10) % 4 == 3;
    tally_t *tally = &asker->world->tallies[asker->of];
    if ((chance >> 20) % 32 == 1 && synod_sim_now_us (sim) >= tally->fail_us) {
        in.fail = true; /* not so often that the actor stays down */
        tally->fail_us = synod_sim_now_us (sim) + SYNOD_RESTARTS_WITHIN_MS * 1000;
    }
    snprintf (to, sizeof to, "%s/counter", synod_sim_name (sim, asker->world->nodes[asker->of]));
    if (synod_sim_state (sim, asker->node) != SYNOD_SIM_UP ||
        synod_sim_ask (sim, asker->node, to, &add_record, &in, ASK_MS, on_added, asker) != SYNOD_OK)
        think (sim, asker);
}

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    char name[16];
    for (int i = 0; i < NODES; i++) {
        snprintf (name, sizeof name, "n%d", i + 1);
        world->nodes[i] = synod_sim_up (sim, name, &counter, NULL);
        if (!world->nodes[i])
            return synod_sim_error (sim)->code;
    }
    world->until_us = INT64_MAX;
    for (int i = 0; i < CLIENTS; i++) {
        snprintf (name, sizeof name, "c%d", i + 1);
        world->clients[i] = synod_sim_client (sim, name);
        if (!world->clients[i])
            return synod_sim_error (sim)->code;
    }
    for (int i = 0; i < ASKERS; i++) {
        world->askers[i] = (asker_t){.world = world, .node = world->clients[i % CLIENTS]};
        think (sim, &world->askers[i]);
    }
    return SYNOD_OK;
}

/* ---- at the end ---- */

typedef struct {
    uint64_t value, waiting, ghosts;
} look_t;

static int look (synod_ctx_t *ctx, void *state, void *arg)
{
    look_t *found = (look_t *) arg;
    found->value = get_number (ctx, "value");
    found->ghosts = get_number (ctx, "ghosts");
    found->waiting = ((const counter_t *) state)->waiting;
    return SYNOD_OK;
}

static bool done (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    world->until_us = 0;
    for (int i = 0; i < NODES; i++) {
        look_t found = {0};
        if (synod_sim_act (sim, world->nodes[i], "counter", look, &found) != SYNOD_OK || found.waiting)
            return false;
    }
    return synod_sim_asks (sim) == 0;
}

static int finish (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    for (int i = 0; i < NODES; i++) {
        const tally_t *tally = &world->tallies[i];
        look_t found = {0};
        synod_sim_act (sim, world->nodes[i], "counter", look, &found);
        if (found.ghosts)
            return synod_sim_fail (sim, "timers of n%d ran %" PRIu64 " times too often", i + 1, found.ghosts);
        if (found.value < tally->acknowledged || found.value > tally->acknowledged + tally->unknown)
            return synod_sim_fail (
                sim, "the counter of n%d is at %" PRIu64 ", %" PRIu64 " were acknowledged and %" PRIu64 " not known",
                i + 1, found.value, tally->acknowledged, tally->unknown);
    }
    return SYNOD_OK;
}

const synod_scenario_t synod__scenario_counter = {
    .name = "counter",
    .doc = "durable counters that count each addition once",
    .either = true,
    .state_size = sizeof (world_t),
    .setup = setup,
    .done = done,
    .finish = finish,
};
