/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `register`: durable registers on two nodes, and clients that write, read and compare-and-set them. What
 * they saw must be linearizable (include/synod/history.h), whatever happens to messages and nodes.
 */
#include <inttypes.h>
#include <stdio.h>
#include "scenarios.h"

#define NODES   2
#define KEYS    2 /* of each node */
#define CLIENTS 5
#define ASK_MS  600000 /* longer than any world: a command ends with its answer */
#define READ_MS 3000   /* a read that finds nobody is none */

/* ---- the actor ---- */

#define READ_FIELDS(FIELD, OPT) FIELD (u64, key, UINT64_MAX, "of the register")
SYNOD_RECORD (read, READ_FIELDS, SYNOD_IDEMPOTENT, "what the register holds")
#define WRITE_FIELDS(FIELD, OPT)                    \
    FIELD (u64, key, UINT64_MAX, "of the register") \
    FIELD (i64, value, INT64_MAX, "what it is to hold")
SYNOD_RECORD (write, WRITE_FIELDS, SYNOD_ONCE, "sets the register")
#define CAS_FIELDS(FIELD, OPT)                                 \
    FIELD (u64, key, UINT64_MAX, "of the register")            \
    FIELD (i64, old, INT64_MAX, "what it is believed to hold") \
    FIELD (i64, value, INT64_MAX, "what it is to hold then")
SYNOD_RECORD (cas, CAS_FIELDS, SYNOD_ONCE, "sets the register if it holds that")
#define HELD_FIELDS(FIELD, OPT)                                            \
    FIELD (i64, value, INT64_MAX, "what it holds; SYNOD_NIL: not written") \
    FIELD (bit, set, 0, "the compare-and-set did")
SYNOD_RECORD (held, HELD_FIELDS, 0, "the answer to all")

static int64_t get_value (synod_ctx_t *ctx, uint64_t key)
{
    int64_t value = SYNOD_NIL;
    synod_str_t bytes;
    if (synod_get (ctx, synod_str_n (&key, sizeof key), &bytes) == SYNOD_OK)
        memcpy (&value, bytes.data, sizeof value);
    return value;
}

static int answer (synod_ctx_t *ctx, synod_call_t call, int64_t value, bool set)
{
    held_t out = {.value = value, .set = set};
    return synod_reply (ctx, call, &held_record, &out);
}

static int put_value (synod_ctx_t *ctx, uint64_t key, int64_t value)
{
    return synod_put (ctx, synod_str_n (&key, sizeof key), synod_str_n (&value, sizeof value));
}

static int on_read (synod_ctx_t *ctx, void *state, const read_t *in, synod_call_t call)
{
    (void) state;
    return answer (ctx, call, get_value (ctx, in->key), false);
}

static int on_write (synod_ctx_t *ctx, void *state, const write_t *in, synod_call_t call)
{
    (void) state;
    int rc = put_value (ctx, in->key, in->value);
    return rc == SYNOD_OK ? answer (ctx, call, in->value, true) : rc;
}

static int on_cas (synod_ctx_t *ctx, void *state, const cas_t *in, synod_call_t call)
{
    (void) state;
    int64_t value = get_value (ctx, in->key);
    if (value != in->old)
        return answer (ctx, call, value, false);
    int rc = put_value (ctx, in->key, in->value);
    return rc == SYNOD_OK ? answer (ctx, call, in->value, true) : rc;
}

static const synod_actor_t reg = {
    .name = "register",
    .doc = "holds numbers by key, on disk",
    .routes = (const synod_route_t[]){SYNOD_ON (read, on_read), SYNOD_ON (write, on_write), SYNOD_ON (cas, on_cas),
                                      SYNOD_END},
};

/* ---- the workload ---- */

typedef struct world_t world_t;

typedef struct {
    world_t *world;
    int node;      /* the client's */
    uint32_t id;   /* its number in the history */
    int operation; /* under way */
    int64_t saw;   /* the value of the last answer, for compare-and-set */
} asker_t;

struct world_t {
    asker_t askers[CLIENTS];
    synod_history_t *history;
    int64_t next; /* every value is written once */
    bool over;    /* no new work */
};

static void ask_next (synod_sim_t *sim, void *arg);

static void on_held (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    synod_history_t *history = asker->world->history;
    int64_t now_us = synod_sim_now_us (sim);
    held_t held;
    (void) client;
    if (reply->code == SYNOD_OK && synod_record_unpack (&held_record, reply->body, &held, NULL) == SYNOD_OK) {
        int64_t result = asker->operation == SYNOD_REGISTER_CAS ? held.set : held.value;
        synod_history_complete (history, now_us, asker->id, result, 0);
        asker->saw = held.value;
    } else if (asker->operation == SYNOD_REGISTER_READ)
        synod_history_fail (history, now_us, asker->id);
    else
        synod_history_unknown (history, now_us, asker->id);
    synod_sim_after (sim, 1000 + (int64_t) (synod_sim_random (sim) % 300000), ask_next, asker);
}

static int ask (synod_sim_t *sim, asker_t *asker, const char *to, uint64_t key)
{
    world_t *world = asker->world;
    read_t r = {.key = key};
    write_t w = {.key = key, .value = world->next};
    cas_t c = {.key = key, .old = asker->saw, .value = world->next};
    switch (asker->operation) {
    case SYNOD_REGISTER_READ:
        return synod_sim_ask (sim, asker->node, to, &read_record, &r, READ_MS, on_held, asker);
    case SYNOD_REGISTER_WRITE:
        return synod_sim_ask (sim, asker->node, to, &write_record, &w, ASK_MS, on_held, asker);
    default:
        return synod_sim_ask (sim, asker->node, to, &cas_record, &c, ASK_MS, on_held, asker);
    }
}

static void ask_next (synod_sim_t *sim, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    world_t *world = asker->world;
    char to[32], name[32];
    uint64_t chance = synod_sim_random (sim);
    int node = (int) (chance % NODES) + 1;
    uint64_t key = chance / NODES % KEYS;
    if (world->over)
        return;
    world->next++;
    asker->operation = (int) ((chance >> 8) % 3);
    snprintf (to, sizeof to, "n%d/register", node);
    int size = snprintf (name, sizeof name, "n%d.%" PRIu64, node, key);
    int64_t a = asker->operation == SYNOD_REGISTER_CAS ? asker->saw : world->next;
    synod_history_invoke (world->history, synod_sim_now_us (sim), asker->id, synod_str_n (name, (size_t) size),
                          (uint32_t) asker->operation, asker->operation == SYNOD_REGISTER_READ ? 0 : a,
                          asker->operation == SYNOD_REGISTER_CAS ? world->next : 0);
    if (ask (sim, asker, to, key) == SYNOD_OK)
        return;
    synod_history_fail (world->history, synod_sim_now_us (sim), asker->id); /* the client is not on the bus yet */
    synod_sim_after (sim, 100000, ask_next, asker);
}

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    char name[16];
    world->history = synod_history_new (&synod_register_model, 0);
    if (!world->history)
        return SYNOD_NO_MEMORY;
    for (int i = 0; i < NODES; i++) {
        snprintf (name, sizeof name, "n%d", i + 1);
        if (!synod_sim_up (sim, name, &reg, NULL))
            return synod_sim_error (sim)->code;
    }
    for (int i = 0; i < CLIENTS; i++) {
        snprintf (name, sizeof name, "c%d", i + 1);
        world->askers[i] = (asker_t){.world = world, .node = synod_sim_client (sim, name), .id = (uint32_t) i};
        if (!world->askers[i].node)
            return synod_sim_error (sim)->code;
        synod_sim_after (sim, i * 1000, ask_next, &world->askers[i]);
    }
    return SYNOD_OK;
}

static bool done (synod_sim_t *sim, void *state)
{
    ((world_t *) state)->over = true;
    return synod_sim_asks (sim) == 0;
}

static int finish (synod_sim_t *sim, void *state)
{
    return synod_sim_linear (sim, ((const world_t *) state)->history, NULL);
}

static void fini (void *state)
{
    synod_history_destroy (&((world_t *) state)->history);
}

const synod_scenario_t synod__scenario_register = {
    .name = "register",
    .doc = "durable registers, whose history is linearizable",
    .either = true,
    .state_size = sizeof (world_t),
    .setup = setup,
    .done = done,
    .finish = finish,
    .fini = fini,
};
