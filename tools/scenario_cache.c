/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `cache`: caches on some nodes, fillers on others, and clients that read, fill, put, append, delete and let
 * expire. A value says for which key it was made, by whom and when. So it is seen that no reader ever gets one that was
 * made for another key; that what a get tells was not over its deadline when it was asked for; that what was put is not
 * overtaken on its node by a fill that began before; that a key is asked for once at a time; and, when the faults are
 * over, that all who wait for a key get what its filler says, be it a value or an error.
 *
 * Clients ask for keys by themselves, or for several in one message to some node: each of those is answered once, run in its
 * turn, or told to be asked alone, which is done and was not run before.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "actors/cache/cache_actor.h"
#include "protocol/many.h"
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
#define TOGETHER   8 /* keys of a message, at most */

typedef struct world_t world_t;

/* A put or delete that was made. */
typedef struct {
    int64_t sent_us, done_us; /* the latter 0: not known to be done */
    uint32_t ttl_ms;
    bool undone;                   /* it was not run, and will not be */
    char node[SYNOD_NAME_MAX + 1]; /* where it was done */
    int key;
} put_t;

typedef enum { GET, FILL, PUT, APPEND, DELETE, EXPIRE } kind_t;

typedef struct {
    kind_t kind;
    int key;
    int64_t sent_us;
    uint32_t put; /* which; of puts and deletes */
    /* of one that went with others */
    bool answered, ran;
    bool found;        /* a value, */
    uint32_t read_put; /* which was put there; UINT32_MAX: it was filled, or something was appended to nothing */
} op_t;

typedef struct {
    world_t *world;
    int node;
    uint32_t last; /* asks still to be made, once all is well */
    bool safe;     /* the ask under way is one of those */
    uint32_t nops; /* 1: asked by itself */
    op_t ops[TOGETHER];
    uint32_t nalone; /* still to be asked by themselves */
    op_t alone[TOGETHER];
} asker_t;

struct world_t {
    synod_sim_t *sim;
    asker_t askers[CLIENTS];
    int nodes[NODES], nnodes;
    put_t puts[PUTS];
    uint32_t nputs;
    uint32_t expiring[KEYS];    /* expires under way */
    int64_t stretched_us[KEYS]; /* one may have given a value a deadline up to this */
    bool well;                  /* the faults are over */
};

static const char *const s_keys[KEYS] = {"ka", "kb", "kc", "kd", "longer", "longest", "bad"};

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
static bool s_stretched (const world_t *world, const op_t *op)
{
    return world->expiring[op->key] || world->stretched_us[op->key] >= op->sent_us;
}

static void s_value_of_put (const world_t *world, const op_t *op, uint32_t number)
{
    const put_t *put = &world->puts[number % PUTS];
    if (number + PUTS <= world->nputs)
        return;
    if (put->undone)
        synod_sim_fail (world->sim, "%s: put %u was read, which was told to be asked alone", s_keys[op->key], number);
    if (!put->done_us || !put->ttl_ms)
        return;
    if (put->done_us + s_most_us (put->ttl_ms) < op->sent_us && !s_stretched (world, op))
        synod_sim_fail (world->sim,
                        "%s: put %u, done at %" PRId64 " us with %u ms to live, was read by a get of %" PRId64 " us",
                        s_keys[op->key], number, put->done_us, put->ttl_ms, op->sent_us);
}

/* A value that was made at MADE_US. */
static void s_value_of_fill (const world_t *world, const op_t *op, int64_t made_us, synod_str_t from)
{
    if (op->kind != GET) /* of a fill that was under way, however old */
        return;
    if (made_us + s_most_us (TTL_MS) < op->sent_us && !s_stretched (world, op))
        synod_sim_fail (world->sim, "%s: a value made at %" PRId64 " us was read by a get of %" PRId64 " us",
                        s_keys[op->key], made_us, op->sent_us);
    for (uint32_t i = world->nputs > PUTS ? world->nputs - PUTS : 0; i < world->nputs; i++) {
        const put_t *put = &world->puts[i % PUTS];
        if (put->key == op->key && put->done_us && put->done_us < op->sent_us && made_us < put->sent_us &&
            synod_str_is (from, put->node))
            synod_sim_fail (world->sim,
                            "%s: a get of %" PRId64 " us read a value made at %" PRId64 " us, but %s had it written at "
                            "%" PRId64 " us",
                            s_keys[op->key], op->sent_us, made_us, put->node, put->sent_us);
    }
}

static void s_value (const world_t *world, op_t *op, const synod__kv_is_t *is, synod_str_t from)
{
    char text[128], *end;
    op->found = is->found;
    op->read_put = UINT32_MAX;
    if (!is->found || op->kind > FILL || !is->data.size)
        return;
    snprintf (text, sizeof text, "%.*s", SYNOD_STR (is->data));
    size_t size = strlen (s_keys[op->key]);
    if (text[0] == '+') /* appended to nothing */
        return;
    if (strncmp (text, s_keys[op->key], size) != 0 || text[size] != ';') {
        synod_sim_fail (world->sim, "%s has the value \"%s\" of another key", s_keys[op->key], text);
        return;
    }
    int64_t number = strtoll (text + size + 3, &end, 10);
    if (text[size + 1] == 'p') {
        op->read_put = (uint32_t) number;
        s_value_of_put (world, op, (uint32_t) number);
    } else
        s_value_of_fill (world, op, number, from);
}

/* OP came to CODE, with BODY if that is SYNOD_OK, by FROM. */
static void s_ended (const asker_t *asker, op_t *op, int code, synod_str_t body, synod_str_t from)
{
    world_t *world = asker->world;
    synod_sim_t *sim = world->sim;
    synod__kv_is_t is = {0};
    if (op->kind == EXPIRE) {
        int64_t *until_us = &world->stretched_us[op->key];
        int64_t most_us = code == SYNOD_OK ? synod_sim_now_us (sim) + s_most_us (EXPIRE_MS) : INT64_MAX;
        *until_us = most_us > *until_us ? most_us : *until_us;
        world->expiring[op->key]--;
    }
    bool bad = op->kind == FILL && op->key == KEYS - 1 && code == SYNOD_REFUSED;
    if (code == SYNOD_OK && synod_record_unpack (&synod__kv_is_record, body, &is, NULL) != SYNOD_OK)
        synod_sim_fail (sim, "a cache's answer is none");
    else if (code == SYNOD_OK) {
        s_value (world, op, &is, from);
        if (op->kind == PUT || op->kind == DELETE) {
            put_t *put = &world->puts[op->put % PUTS];
            put->done_us = synod_sim_now_us (sim);
            snprintf (put->node, sizeof put->node, "%.*s", SYNOD_STR (from));
        }
    } else if (asker->safe && !bad && code != SYNOD_STOPPED)
        synod_sim_fail (sim, "%s got %s for %s though nothing is wrong any more", synod_sim_name (sim, asker->node),
                        synod_error_name (code), s_keys[op->key]);
    if (asker->safe && op->kind == FILL && code == SYNOD_OK && !is.found)
        synod_sim_fail (sim, "%s was filled with nothing", s_keys[op->key]);
}

static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    (void) client;
    s_ended (asker, &asker->ops[0], reply->code, reply->body, reply->from);
    think (sim, asker);
}

/* ---- several in one message ---- */

static void s_not_run (asker_t *asker, const op_t *op)
{
    if (op->kind == EXPIRE)
        asker->world->expiring[op->key]--;
    if (op->kind == PUT || op->kind == DELETE)
        asker->world->puts[op->put % PUTS].undone = true;
    asker->alone[asker->nalone++] = *op;
}

/* A get sees what was put, or deleted, before it in its message: nobody can have come between. */
static void s_in_turn (const asker_t *asker)
{
    const op_t *get = asker->ops, *before;
    for (; get < asker->ops + asker->nops; get++) {
        if (get->kind != GET || !get->ran)
            continue;
        for (before = get; before > asker->ops;)
            if ((--before)->key == get->key && before->ran && before->kind != GET)
                break;
        bool there = before != get && before->key == get->key && before->ran;
        if ((there && before->kind == PUT && (!get->found || get->read_put != before->put)) ||
            (there && before->kind == DELETE && get->found))
            synod_sim_fail (asker->world->sim, "%s: a get did not read what was %s before it in its message",
                            s_keys[get->key], before->kind == PUT ? "put" : "deleted");
    }
}

static void s_answer (asker_t *asker, const synod__many_answer_t *answer, synod_str_t from)
{
    op_t *op = &asker->ops[answer->at];
    if (answer->at >= asker->nops || op->answered) {
        synod_sim_fail (asker->world->sim, "ask %u of %u was answered twice, or never made", answer->at, asker->nops);
        return;
    }
    op->answered = true;
    op->ran = answer->kind == SYNOD__MANY_ANSWER;
    if (answer->kind == SYNOD__MANY_ALONE)
        s_not_run (asker, op);
    else
        s_ended (asker, op, op->ran ? SYNOD_OK : synod_error_code (answer->error.data, answer->error.size),
                 answer->body, from);
}

static void on_answers (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    synod__many_reader_t reader;
    synod__many_answer_t answer;
    synod_fault_t fault = {0};
    (void) client;
    if (reply->code == SYNOD_OK) {
        if (synod__many_answers_open (&reader, reply->body, &fault) != SYNOD_OK)
            synod_sim_fail (sim, "an answer to several is none: %s", fault.text);
        while (!fault.code && synod__many_answers_next (&reader, &answer))
            s_answer (asker, &answer, reply->from);
        s_in_turn (asker);
    }
    for (uint32_t i = 0; i < asker->nops; i++)
        if (!asker->ops[i].answered && reply->code == SYNOD_OK)
            synod_sim_fail (sim, "ask %u of %u has no answer", i, asker->nops);
        else if (!asker->ops[i].answered)
            s_ended (asker, &asker->ops[i], reply->code, reply->body, reply->from);
    think (sim, asker);
}

/* ---- what they do ---- */

/* What an ask is made of. */
typedef struct {
    synod__kv_in_t in;
    synod__kv_get_or_fill_t fill;
    char text[128];
    synod_buf_t body;
    synod_record_t record;
} making_t;

static void s_make_write (world_t *world, op_t *op, making_t *out)
{
    op->put = world->nputs++;
    put_t *put = &world->puts[op->put % PUTS];
    *put = (put_t){.sent_us = op->sent_us, .key = op->key};
    if (op->kind == DELETE)
        return;
    put->ttl_ms = synod_sim_random (world->sim) % 3 ? 1 + (uint32_t) (synod_sim_random (world->sim) % TTL_MS) : 0;
    snprintf (out->text, sizeof out->text, "%s;p;%u;", s_keys[op->key], op->put);
    out->in.put = (synod__kv_put_t){.data = synod_str (out->text), .ttl_ms = put->ttl_ms};
}

static void s_make_fill (const op_t *op, making_t *out)
{
    out->body.size = 0;
    synod_record_pack (&fetch_record, &(fetch_t){.key = (uint64_t) op->key}, &out->body, NULL);
    out->fill = (synod__kv_get_or_fill_t){.from = synod_str ("filler"),
                                          .method = synod_str ("fetch"),
                                          .body = synod_str_n (out->body.data, out->body.size),
                                          .ttl_ms = TTL_MS};
}

/* The ask of OP, which begins now. Its record is OUT's; what fits that. */
static const void *s_make (world_t *world, op_t *op, making_t *out)
{
    static const synod_record_t *const records[] = {
        [GET] = &synod__kv_get_record,       [FILL] = &synod__kv_get_or_fill_record,
        [PUT] = &synod__kv_put_record,       [APPEND] = &synod__kv_append_record,
        [DELETE] = &synod__kv_delete_record, [EXPIRE] = &synod__kv_expire_record};
    memset (&out->in, 0, sizeof out->in);
    op->sent_us = synod_sim_now_us (world->sim);
    out->record = *records[op->kind];
    out->record.flags &= ~(uint32_t) SYNOD_ONCE; /* made once, as the cache's own tools do */
    if (op->kind == PUT || op->kind == DELETE)
        s_make_write (world, op, out);
    else if (op->kind == FILL)
        s_make_fill (op, out);
    else if (op->kind == APPEND)
        out->in.append = (synod__kv_append_t){.data = synod_str ("+")};
    else if (op->kind == EXPIRE)
        out->in.expire = (synod__kv_expire_t){.ttl_ms = 1 + synod_sim_random (world->sim) % EXPIRE_MS};
    return op->kind == FILL ? (const void *) &out->fill : &out->in;
}

static op_t s_draw (synod_sim_t *sim)
{
    static const uint8_t of_20[] = {[GET] = 7, [FILL] = 14, [PUT] = 16, [APPEND] = 17, [DELETE] = 19, [EXPIRE] = 20};
    uint64_t what = synod_sim_random (sim) % 20;
    op_t op = {.kind = GET};
    while (what >= of_20[op.kind])
        op.kind++;
    op.key = (int) (synod_sim_random (sim) % KEYS);
    if (op.key == KEYS - 1 && op.kind != GET)
        op.kind = FILL; /* what cannot be filled stays so */
    return op;
}

static int s_ask_one (asker_t *asker, op_t op)
{
    world_t *world = asker->world;
    making_t making = {.body = {0}};
    char to[64];
    asker->nops = 1;
    asker->ops[0] = (op_t){.kind = op.kind, .key = op.key};
    const void *in = s_make (world, &asker->ops[0], &making);
    snprintf (to, sizeof to, "cache#%s", s_keys[op.key]);
    int rc = synod_sim_ask (world->sim, asker->node, to, &making.record, in, TIMEOUT_MS, on_reply, asker);
    world->expiring[op.key] += op.kind == EXPIRE && rc == SYNOD_OK;
    synod_buf_free (&making.body);
    return rc;
}

static int s_ask_together (asker_t *asker)
{
    world_t *world = asker->world;
    making_t making = {.body = {0}};
    synod_buf_t asks = {0}, body = {0};
    synod__many_t many;
    char to[64];
    asker->nops = 2 + (uint32_t) (synod_sim_random (world->sim) % (TOGETHER - 1));
    synod__many_begin (&asks);
    for (uint32_t i = 0; i < asker->nops; i++) {
        op_t *op = &asker->ops[i];
        *op = s_draw (world->sim);
        if (i && synod_sim_random (world->sim) % 2 && asker->ops[i - 1].key != KEYS - 1 && op->key != KEYS - 1)
            op->key = asker->ops[i - 1].key;
        body.size = 0;
        const void *in = s_make (world, op, &making);
        synod_record_pack (&making.record, in, &body, NULL);
        synod__many_ask (&asks, synod_str (s_keys[op->key]), synod_str_n (making.record.name, making.record.name_size),
                         synod_str_n (body.data, body.size), NULL);
    }
    synod__many_end (&asks, asker->nops, 0, 0);
    int node = world->nodes[synod_sim_random (world->sim) % (uint64_t) world->nnodes];
    snprintf (to, sizeof to, "%s/cache", synod_sim_name (world->sim, node));
    int rc = synod_record_unpack (&synod__many_record, synod_str_n (asks.data, asks.size), &many, NULL);
    if (rc == SYNOD_OK)
        rc = synod_sim_ask (world->sim, asker->node, to, &synod__many_record, &many, TIMEOUT_MS, on_answers, asker);
    for (uint32_t i = 0; i < asker->nops; i++)
        world->expiring[asker->ops[i].key] += asker->ops[i].kind == EXPIRE && rc == SYNOD_OK;
    synod_buf_free (&making.body);
    synod_buf_free (&asks);
    synod_buf_free (&body);
    return rc;
}

static void ask_next (synod_sim_t *sim, void *arg)
{
    asker_t *asker = (asker_t *) arg;
    if (asker->world->well && !asker->last)
        return;
    asker->safe = asker->world->well;
    asker->last -= asker->safe;
    int rc = asker->nalone                     ? s_ask_one (asker, asker->alone[--asker->nalone])
             : synod_sim_random (sim) % 4 == 0 ? s_ask_together (asker)
                                               : s_ask_one (asker, s_draw (sim));
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
    world->nnodes = nodes;
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
