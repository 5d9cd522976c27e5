/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `cache`: caches on some nodes, fillers on others, and clients that read, fill, put, append, delete and let
 * expire. A value says for which key it was made, by whom and when. So it is seen that no reader ever gets one that was
 * made for another key; that what a get tells was not over its deadline when it was asked for; that what was put is not
 * overtaken on its node by a fill that began before; that a key is asked for once at a time; and, when the faults are
 * over, that all who wait for a key get what its filler says, be it a value or an error.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "actors/cache/cache_actor.h"
#include "scenarios.h"

#define NODES      4
#define FILLERS    2
#define CLIENTS    4
#define KEYS       7
#define PUTS       4096 /* remembered */
#define LAST_ASKS  30   /* of each client, once all is well */
#define TTL_MS     400  /* at most */
#define EXPIRE_MS  50   /* that an expire gives, at most */
#define FILL_MS    300  /* that a filler takes, at most */
#define TIMEOUT_MS 3000

typedef struct world_t world_t;

/* A put or delete that was made. */
typedef struct {
    int64_t sent_us, done_us; /* the latter 0: not known to be done */
    uint32_t ttl_ms;
    char node[SYNOD_NAME_MAX + 1]; /* where it was done */
    int key;
} put_t;

typedef struct {
    world_t *world;
    int node;
    uint32_t last; /* asks still to be made, once all is well */
    bool safe;     /* the ask under way is one of those */
    enum { GET, FILL, PUT, APPEND, DELETE, EXPIRE } kind;
    int key;
    int64_t sent_us;
    uint32_t put; /* which; of puts and deletes */
} asker_t;

struct world_t {
    synod_sim_t *sim;
    asker_t askers[CLIENTS];
    int nodes[NODES];
    put_t puts[PUTS];
    uint32_t nputs;
    uint32_t expiring[KEYS];    /* expires under way */
    int64_t stretched_us[KEYS]; /* one may have given a value a deadline up to this */
    bool well;                  /* the faults are over */
};

static const char *const s_keys[KEYS] = {"ka", "kb", "kc", "kd", "longer", "longest", "bad"};

/* The cache's messages as asks that are made once, as its own tools do. */
static synod_record_t s_once (const synod_record_t *record)
{
    synod_record_t out = *record;
    out.flags &= ~(uint32_t) SYNOD_ONCE;
    return out;
}

/* ---- the filler: says when it was asked, and answers later ---- */

typedef struct {
    synod_call_t call;
    char text[64];
} filling_t;

static world_t *s_world; /* of the scenario that runs: a filler has no other way to its time */

static int on_filled (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    filling_t *filling = (filling_t *) (uintptr_t) arg;
    synod__kv_filled_t out = {.data = synod_str (filling->text)};
    (void) state;
    int rc = *filling->text ? synod_reply (ctx, filling->call, &synod__kv_filled_record, &out)
                            : synod_reply_error (ctx, filling->call, SYNOD_REFUSED, "there is no such thing");
    free (filling);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

#define FETCH_FIELDS(FIELD, OPT) FIELD (u64, key, KEYS, "which")
SYNOD_RECORD (fetch, FETCH_FIELDS, SYNOD_IDEMPOTENT, "a value, please")

static int on_fetch (synod_ctx_t *ctx, void *state, const fetch_t *in, synod_call_t call)
{
    filling_t *filling = (filling_t *) calloc (1, sizeof *filling);
    (void) state;
    if (!filling)
        abort ();
    filling->call = call;
    if (in->key != KEYS - 1)
        snprintf (filling->text, sizeof filling->text, "%s;f;%" PRId64 ";", s_keys[in->key],
                  synod_sim_now_us (s_world->sim));
    /* one that crashes meanwhile leaves it behind: a leak of a world */
    return synod_after (ctx, (uint32_t) (synod_random (ctx) % FILL_MS), on_filled, (uintptr_t) filling, NULL);
}

static const synod_actor_t s_filler = {
    .name = "filler",
    .routes = (const synod_route_t[]){SYNOD_ON (fetch, on_fetch), SYNOD_END},
};

/* ---- what clients see ---- */

static void ask_next (synod_sim_t *sim, void *arg);

static void think (synod_sim_t *sim, asker_t *asker)
{
    synod_sim_after (sim, 500 + (int64_t) (synod_sim_random (sim) % 40000), ask_next, asker);
}

/* How long a value may live that was put with TTL_MS: by a clock that runs too slow. */
static int64_t s_most_us (uint32_t ttl_ms)
{
    int64_t ttl_us = (int64_t) ttl_ms * 1000;
    return ttl_us * 1000000 / (1000000 - SYNOD_SIM_SKEW_MAX) + 1000;
}

/* Whether the value of its key may live till the ask, put or filled when it was, by an expire. */
static bool s_stretched (const asker_t *asker)
{
    return asker->world->expiring[asker->key] || asker->world->stretched_us[asker->key] >= asker->sent_us;
}

static void s_value_of_put (synod_sim_t *sim, const asker_t *asker, uint32_t number)
{
    const world_t *world = asker->world;
    const put_t *put = &world->puts[number % PUTS];
    if (number + PUTS <= world->nputs || !put->done_us || !put->ttl_ms)
        return;
    if (put->done_us + s_most_us (put->ttl_ms) < asker->sent_us && !s_stretched (asker))
        synod_sim_fail (sim,
                        "%s: put %u, done at %" PRId64 " us with %u ms to live, was read by a get of %" PRId64 " us",
                        s_keys[asker->key], number, put->done_us, put->ttl_ms, asker->sent_us);
}

/* A value that was made at MADE_US. */
static void s_value_of_fill (synod_sim_t *sim, const asker_t *asker, int64_t made_us, synod_str_t from)
{
    const world_t *world = asker->world;
    if (asker->kind != GET) /* of a fill that was under way, however old */
        return;
    if (made_us + s_most_us (TTL_MS) < asker->sent_us && !s_stretched (asker))
        synod_sim_fail (sim, "%s: a value made at %" PRId64 " us was read by a get of %" PRId64 " us",
                        s_keys[asker->key], made_us, asker->sent_us);
    for (uint32_t i = world->nputs > PUTS ? world->nputs - PUTS : 0; i < world->nputs; i++) {
        const put_t *put = &world->puts[i % PUTS];
        if (put->key == asker->key && put->done_us && put->done_us < asker->sent_us && made_us < put->sent_us &&
            synod_str_is (from, put->node))
            synod_sim_fail (sim,
                            "%s: a get of %" PRId64 " us read a value made at %" PRId64 " us, but %s had it written at "
                            "%" PRId64 " us",
                            s_keys[asker->key], asker->sent_us, made_us, put->node, put->sent_us);
    }
}

static void s_value (synod_sim_t *sim, const asker_t *asker, const synod__kv_is_t *is, synod_str_t from)
{
    char text[128], *end;
    if (!is->found || asker->kind > FILL || !is->data.size)
        return;
    snprintf (text, sizeof text, "%.*s", SYNOD_STR (is->data));
    size_t size = strlen (s_keys[asker->key]);
    if (text[0] == '+') /* appended to nothing */
        return;
    if (strncmp (text, s_keys[asker->key], size) != 0 || text[size] != ';') {
        synod_sim_fail (sim, "%s has the value \"%s\" of another key", s_keys[asker->key], text);
        return;
    }
    int64_t number = strtoll (text + size + 3, &end, 10);
    if (text[size + 1] == 'p')
        s_value_of_put (sim, asker, (uint32_t) number);
    else
        s_value_of_fill (sim, asker, number, from);
}

static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    synod__kv_is_t is;
    if (asker->kind == EXPIRE) {
        int64_t now_us = synod_sim_now_us (sim);
        int64_t *until_us = &asker->world->stretched_us[asker->key];
        int64_t most_us = reply->code == SYNOD_OK ? now_us + s_most_us (EXPIRE_MS) : INT64_MAX;
        *until_us = most_us > *until_us ? most_us : *until_us;
        asker->world->expiring[asker->key]--;
    }
    bool bad = asker->kind == FILL && asker->key == KEYS - 1 && reply->code == SYNOD_REFUSED;
    if (reply->code == SYNOD_OK && synod_record_unpack (&synod__kv_is_record, reply->body, &is, NULL) != SYNOD_OK)
        synod_sim_fail (sim, "a cache's answer is none");
    else if (reply->code == SYNOD_OK) {
        s_value (sim, asker, &is, reply->from);
        if (asker->kind == PUT || asker->kind == DELETE) {
            put_t *put = &asker->world->puts[asker->put % PUTS];
            put->done_us = synod_sim_now_us (sim);
            snprintf (put->node, sizeof put->node, "%.*s", SYNOD_STR (reply->from));
        }
    } else if (asker->safe && !bad && reply->code != SYNOD_STOPPED)
        synod_sim_fail (sim, "%s got %s for %s though nothing is wrong any more", synod_sim_name (sim, client),
                        synod_error_name (reply->code), s_keys[asker->key]);
    if (asker->safe && asker->kind == FILL && reply->code == SYNOD_OK && !is.found)
        synod_sim_fail (sim, "%s was filled with nothing", s_keys[asker->key]);
    think (sim, asker);
}

/* ---- what they do ---- */

static int s_write (synod_sim_t *sim, asker_t *asker, const char *to)
{
    world_t *world = asker->world;
    char text[128];
    asker->put = world->nputs++;
    put_t *put = &world->puts[asker->put % PUTS];
    *put = (put_t){.sent_us = synod_sim_now_us (sim), .key = asker->key};
    put->ttl_ms = synod_sim_random (sim) % 3 ? 1 + (uint32_t) (synod_sim_random (sim) % TTL_MS) : 0;
    snprintf (text, sizeof text, "%s;p;%u;", s_keys[asker->key], asker->put);
    const synod__kv_put_t in = {.data = synod_str (text), .ttl_ms = put->ttl_ms};
    const synod__kv_delete_t none = {0};
    synod_record_t record = s_once (asker->kind == PUT ? &synod__kv_put_record : &synod__kv_delete_record);
    return synod_sim_ask (sim, asker->node, to, &record, asker->kind == PUT ? (const void *) &in : &none, TIMEOUT_MS,
                          on_reply, asker);
}

static int s_read (synod_sim_t *sim, asker_t *asker, const char *to)
{
    const synod__kv_get_t get = {0};
    synod_buf_t body = {0};
    const fetch_t fetch = {.key = (uint64_t) asker->key};
    if (asker->kind == GET)
        return synod_sim_ask (sim, asker->node, to, &synod__kv_get_record, &get, TIMEOUT_MS, on_reply, asker);
    synod_record_pack (&fetch_record, &fetch, &body, NULL);
    const synod__kv_get_or_fill_t in = {.from = synod_str ("filler"),
                                        .method = synod_str ("fetch"),
                                        .body = synod_str_n (body.data, body.size),
                                        .ttl_ms = TTL_MS};
    int rc = synod_sim_ask (sim, asker->node, to, &synod__kv_get_or_fill_record, &in, TIMEOUT_MS, on_reply, asker);
    synod_buf_free (&body);
    return rc;
}

static int s_change (synod_sim_t *sim, asker_t *asker, const char *to)
{
    const synod__kv_append_t append = {.data = synod_str ("+")};
    const synod__kv_expire_t expire = {.ttl_ms = 1 + synod_sim_random (sim) % EXPIRE_MS};
    bool appends = asker->kind == APPEND;
    synod_record_t record = s_once (appends ? &synod__kv_append_record : &synod__kv_expire_record);
    int rc = synod_sim_ask (sim, asker->node, to, &record, appends ? (const void *) &append : &expire, TIMEOUT_MS,
                            on_reply, asker);
    asker->world->expiring[asker->key] += !appends && rc == SYNOD_OK;
    return rc;
}

static void ask_next (synod_sim_t *sim, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    char to[64];
    if (asker->world->well && !asker->last)
        return;
    asker->safe = asker->world->well;
    asker->last -= asker->safe;
    uint64_t what = synod_sim_random (sim) % 20;
    asker->kind = what < 7    ? GET
                  : what < 14 ? FILL
                  : what < 16 ? PUT
                  : what < 17 ? APPEND
                  : what < 19 ? DELETE
                              : EXPIRE;
    asker->key = (int) (synod_sim_random (sim) % KEYS);
    if (asker->key == KEYS - 1 && asker->kind != GET)
        asker->kind = FILL; /* what cannot be filled stays so */
    asker->sent_us = synod_sim_now_us (sim);
    snprintf (to, sizeof to, "cache#%s", s_keys[asker->key]);
    int rc = asker->kind <= FILL                           ? s_read (sim, asker, to)
             : asker->kind == PUT || asker->kind == DELETE ? s_write (sim, asker, to)
                                                           : s_change (sim, asker, to);
    if (rc != SYNOD_OK)
        think (sim, asker); /* the client itself is down or not on the bus yet */
}

/* ---- the world ---- */

static int check (synod_sim_t *sim, void *arg)
{
    const world_t *world = (const world_t *) arg;
    for (int i = 0; i < NODES && world->nodes[i]; i++) {
        const synod__cache_actor_t *cache =
            (const synod__cache_actor_t *) synod_sim_memory (sim, world->nodes[i], SYNOD__CACHE_ACTOR);
        if (cache && cache->cache.table && !synod__cache_actor_check (cache))
            return synod_sim_fail (sim, "the cache of %s is not what it should be",
                                   synod_sim_name (sim, world->nodes[i]));
    }
    return SYNOD_OK;
}

static int setup (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    char name[16];
    int nodes = 1 + (int) (synod_sim_random (sim) % NODES);
    const synod__cache_args_t args = {.memory = SYNOD__CACHE_LEAST};
    world->sim = sim;
    s_world = world;
    for (int i = 0; i < nodes + FILLERS + CLIENTS; i++) {
        bool client = i >= nodes + FILLERS, filler = !client && i >= nodes;
        snprintf (name, sizeof name, "%c%d", client ? 'c' : filler ? 'f' : 'n', i + 1);
        int node = client   ? synod_sim_client (sim, name)
                   : filler ? synod_sim_up (sim, name, &s_filler, NULL)
                            : synod_sim_up (sim, name, &synod__cache_actor, &args);
        if (!node)
            return synod_sim_error (sim)->code;
        if (!client && !filler)
            world->nodes[i] = node;
        if (!client)
            continue;
        asker_t *asker = &world->askers[i - nodes - FILLERS];
        *asker = (asker_t){.world = world, .node = node, .last = LAST_ASKS};
        think (sim, asker);
    }
    return synod_sim_check (sim, "caches", check, world);
}

/* First what was asked while things were wrong must end, then the last asks begin. */
static bool done (synod_sim_t *sim, void *state)
{
    world_t *world = (world_t *) state;
    for (int i = 0; i < CLIENTS; i++)
        if (world->askers[i].last)
            return world->well = true, false;
    return synod_sim_asks (sim) == 0;
}

const synod_scenario_t synod__scenario_cache = {
    .name = "cache",
    .doc = "caches on 1 to 4 nodes, filled by two others",
    .either = true,
    .state_size = sizeof (world_t),
    .setup = setup,
    .done = done,
};
