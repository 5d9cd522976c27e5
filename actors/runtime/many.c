/* SPDX-License-Identifier: MPL-2.0
 *
 * Asks of many keys in one message, at the node that takes it, and what their sender needs of its own.
 *
 * Each ask whose partition is served here becomes a call like any other; what it comes to goes to its gather instead of to
 * its asker, and leaves when all have come, or after S_PATIENCE_MS with what has. Whatever cannot be answered so (the
 * partition is elsewhere, or in motion; it takes long; the answer would not fit) is told to be asked alone, by which it is
 * found, waits and is sent on as any ask of a key. That may be after it has run: a command has its number, and whatever
 * else may be asked here may run twice.
 *
 * Invariants: an ask has one answer in its gather; an ask that is told to be asked alone has none later; a gather leaves
 * when it has an answer for each, at once.
 */
#include <stdio.h>
#include <utlist.h>
#include "many.h"
#include "place.h"
#include "settled.h"

#define S_PATIENCE_MS 250

struct synod__gather_t {
    synod__gather_t *prev, *next;
    synod__stream_t *stream; /* the asker's node, kept */
    char actor[SYNOD_NAME_MAX + 1];
    synod_str_t name; /* of who is asked; lives as long as the runtime */
    uint64_t ask, trace;
    uint32_t count, left; /* asks; without an answer */
    uint64_t wait;        /* the commit that one of the answers waits for */
    synod_buf_t body;
    synod__timer_t timer;
};

/* ---- answers ---- */

static void s_free (synod__rt_t *rt, synod__gather_t *self)
{
    synod__timers_clear (&rt->timers, &self->timer);
    DL_DELETE (rt->gathers, self); /* NOLINT(clang-analyzer-unix.Malloc): what was freed is unlinked */
    self->stream->refs--;
    synod_buf_free (&self->body);
    free (self);
}

static void s_finish (synod__rt_t *rt, synod__gather_t *self)
{
    char address[2 * SYNOD_NAME_MAX + 2];
    synod_str_t actor = synod_str (self->actor[0] ? self->actor : SYNOD_NODE_ACTOR);
    synod_str_t to = synod__address_join (synod__stream_name (self->stream), actor, address, sizeof address);
    const uint64_t says = rt->says;
    synod__many_answers_end (&self->body, self->count);
    const synod_envelope_t env = {.kind = SYNOD_KIND_REPLY,
                                  .from = self->name,
                                  .id = self->ask,
                                  .trace = self->trace,
                                  .body = synod_str_n (self->body.data, self->body.size)};
    rt->says = self->wait;
    int rc = synod__stream_put (rt, self->stream, to, &env);
    rt->says = says;
    if (rc != SYNOD_OK)
        synod__drop (rt, self->name, to, synod_error_meaning (rc), self->count);
    s_free (rt, self);
}

static void s_add (synod__rt_t *rt, synod__gather_t *self, synod__many_answer_t *answer)
{
    size_t size = self->body.size + answer->body.size + answer->error.size;
    if (size > SYNOD__MANY_ANSWER_MAX)
        answer->kind = SYNOD__MANY_ALONE;
    else if (synod__says (rt) > self->wait)
        self->wait = synod__says (rt);
    if (synod__many_answer (&self->body, answer) != SYNOD_OK)
        abort ();
    if (!--self->left)
        s_finish (rt, self);
}

void synod__gather_answer (synod__rt_t *rt, synod__kept_t *kept, synod_kind_t kind, synod_str_t body)
{
    synod__many_answer_t answer = {.at = kept->gather_at, .body = body};
    synod__error_t error;
    synod__gather_t *self = kept->gather;
    if (kind == SYNOD_KIND_ERROR && synod_record_unpack (&synod__error_record, body, &error, NULL) == SYNOD_OK) {
        answer.kind = SYNOD__MANY_ERROR;
        answer.error = error.code;
        answer.body = error.message;
    }
    kept->gather = NULL;
    s_add (rt, self, &answer);
}

void synod__gather_error (synod__rt_t *rt, synod__kept_t *kept, const synod__error_t *error)
{
    synod__many_answer_t answer = {
        .at = kept->gather_at, .kind = SYNOD__MANY_ERROR, .error = error->code, .body = error->message};
    synod__gather_t *self = kept->gather;
    kept->gather = NULL;
    s_add (rt, self, &answer);
}

void synod__gather_leave (synod__rt_t *rt, synod__kept_t *kept)
{
    synod__many_answer_t answer = {.at = kept->gather_at, .kind = SYNOD__MANY_ALONE};
    synod__gather_t *self = kept->gather;
    kept->gather = NULL;
    s_add (rt, self, &answer);
}

/* What has not come goes on without it: a command has nobody to answer, until a repeat comes (synod__command_admit). */
void synod__gather_due (synod__rt_t *rt, synod__gather_t *self)
{
    uint32_t slots = rt->ncalls + rt->calls_nspare, left = self->left;
    for (uint32_t i = 0; i < slots && left; i++) {
        synod__kept_t *kept = rt->calls[i];
        if (!kept->id || kept->gather != self)
            continue;
        left--;
        kept->deaf = true;
        if (!kept->client)
            synod__call_free (rt, kept);
        else
            synod__gather_leave (rt, kept); /* the last one frees SELF */
    }
}

void synod__gathers_free (synod__rt_t *rt)
{
    while (rt->gathers)
        s_free (rt, rt->gathers);
}

/* ---- asks ---- */

static synod__gather_t *s_new (synod__rt_t *rt, const synod__instance_t *instance, synod__stream_t *asker,
                               synod_str_t actor, const synod_envelope_t *env, uint32_t count)
{
    synod__gather_t *self = (synod__gather_t *) synod__alloc (sizeof *self);
    uint32_t size = actor.size <= SYNOD_NAME_MAX ? actor.size : 0;
    self->stream = asker;
    asker->refs++;
    if (size)
        memcpy (self->actor, actor.data, size);
    self->name = instance->name;
    self->ask = env->id;
    self->trace = env->trace;
    self->count = count;
    self->left = count + 1; /* until all are handed out */
    self->timer.kind = SYNOD__TIMER_GATHER;
    self->timer.owner = self;
    if (synod__many_answers_begin (&self->body) != SYNOD_OK)
        abort ();
    DL_APPEND (rt->gathers, self);
    return self;
}

/* The instance that is to take KEY here and now; NULL: none. */
static synod__instance_t *s_serving (synod__rt_t *rt, synod_str_t actor, synod_str_t key)
{
    synod__shards_t *placed = synod__place_type (rt, actor);
    if (!placed || !placed->partition || synod__place_learns (rt) || rt->ncalls >= SYNOD_CALLS_MAX)
        return NULL;
    uint32_t index = synod__ring_partition (synod__placed_now (placed), key);
    synod__partition_t *partition = placed->partition[index];
    if (!partition || placed->waiting[index] || partition->replica.role != SYNOD__REPLICA_OWNER ||
        !synod__partition_serving (partition))
        return NULL;
    synod__instance_t *instance = synod__partition_instance (rt, partition);
    return instance && instance->state_of == SYNOD__ACTOR_UP ? instance : NULL;
}

static void s_hand (synod__rt_t *rt, synod__gather_t *self, uint32_t at, synod__stream_t *asker, synod_str_t actor,
                    const synod_message_t *message, const synod_envelope_t *env, uint64_t client, uint64_t low,
                    const synod__many_ask_t *ask)
{
    synod__instance_t *instance = s_serving (rt, self->name, ask->key);
    if (!instance) {
        s_add (rt, self, &(synod__many_answer_t){.at = at, .kind = SYNOD__MANY_ALONE});
        return;
    }
    const synod_message_t one = {
        .method = ask->method, .from = message->from, .key = ask->key, .body = ask->body, .trace = message->trace};
    synod_envelope_t of = *env;
    of.method = ask->method;
    of.body = ask->body;
    of.client = ask->number ? client : 0;
    of.number = ask->number;
    of.low = low;
    rt->gather = self;
    rt->gather_at = at;
    synod__inbox_hand (rt, instance, asker, actor, &one, self->name, &of);
    rt->gather = NULL;
}

void synod__many_take (synod__rt_t *rt, const synod__instance_t *instance, synod__stream_t *asker, synod_str_t actor,
                       const synod_message_t *message, const synod_envelope_t *env)
{
    synod__many_t in = {0};
    synod__many_reader_t reader = {.left = 0};
    synod__many_ask_t ask;
    synod_fault_t fault = {0};
    int rc = env->kind == SYNOD_KIND_ASK
                 ? synod_record_unpack (&synod__many_record, message->body, &in, &fault)
                 : synod_fault (&fault, SYNOD_BAD_REQUEST, "expected an ask: nobody would get the answers");
    if (rc == SYNOD_OK)
        rc = synod__many_open (&reader, in.asks, in.client ? in.low : 0, &fault);
    if (rc != SYNOD_OK) {
        rt->stats.malformed++;
        synod__inbox_refuse (rt, asker, instance->name, message, env, rc, fault.text);
        return;
    }
    synod__gather_t *self = s_new (rt, instance, asker, actor, env, reader.left);
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): one that is left is this function's: it is not freed before */
    for (uint32_t at = 0; rt->state != SYNOD__RT_ENDED && !rt->broken && synod__many_next (&reader, &ask); at++)
        s_hand (rt, self, at, asker, actor, message, env, in.client, in.low, &ask);
    if (self->left > 1)
        synod__timers_set (&rt->timers, &self->timer, rt->now_us + S_PATIENCE_MS * 1000);
    if (!--self->left)
        s_finish (rt, self);
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
}

/* ---- for who sends them ---- */

void synod__ctx_floor_add (synod_ctx_t *ctx, synod__floor_t *self)
{
    DL_APPEND (ctx->rt->floors, self);
}

void synod__ctx_floor_remove (synod_ctx_t *ctx, synod__floor_t *self)
{
    DL_DELETE (ctx->rt->floors, self);
    *self = (synod__floor_t){0};
}

uint64_t synod__low (const synod__rt_t *rt)
{
    uint64_t low = rt->commands_first ? rt->commands_first->id : UINT64_MAX;
    for (const synod__floor_t *floor = rt->floors; floor; floor = floor->next)
        low = floor->number < low ? floor->number : low;
    return low;
}

uint64_t synod__ctx_floor (const synod_ctx_t *ctx)
{
    return synod__low (ctx->rt);
}

uint64_t synod__ctx_client (const synod_ctx_t *ctx)
{
    return ctx->rt->client;
}

uint64_t synod__ctx_number (synod_ctx_t *ctx)
{
    return ++ctx->rt->ask_order << 16;
}

const char *synod__ctx_keyed (synod_ctx_t *ctx, const char *actor, synod_str_t key)
{
    synod__rt_t *rt = ctx->rt;
    int code;
    const synod_address_t address = {.actor = synod_str (actor), .key = key};
    const synod__shards_t *placed = synod__place_type (rt, address.actor);
    if (rt->broker && !rt->config.directory)
        return NULL; /* who keeps no directory would take anybody's word */
    if (!placed && !rt->place->nknown)
        rt->place->keyed = true;
    const synod__stream_t *stream =
        placed ? synod__keyed_resolve (rt, &address, &code) : synod__follow (rt, address.actor, key, NULL);
    if (!stream || (stream == rt->self && placed && !placed->actor))
        return NULL;
    return stream->name;
}

int synod__ctx_ask_many (synod_ctx_t *ctx, const char *to, synod_str_t body, uint32_t timeout_ms,
                         synod_on_reply_t *on_reply, uint64_t arg)
{
    const synod_record_t *record = &synod__many_record;
    ctx->rt->packed = true;
    int rc =
        synod_ask_body (ctx, to, synod_str_n (record->name, record->name_size), body, 0, timeout_ms, on_reply, arg);
    ctx->rt->packed = false;
    return rc;
}

int synod__ctx_reply_many (synod_ctx_t *ctx, synod_call_t call, synod_str_t body)
{
    ctx->rt->packed = true;
    int rc = synod_reply_body (ctx, call, body);
    ctx->rt->packed = false;
    return rc;
}

int synod__ctx_ask_as (synod_ctx_t *ctx, const char *to, synod_str_t method, synod_str_t body, uint32_t flags,
                       uint64_t number, uint32_t timeout_ms, synod_on_reply_t *on_reply, uint64_t arg)
{
    int rc = synod_ask_body (ctx, to, method, body, flags, timeout_ms, on_reply, arg);
    if (rc == SYNOD_OK && (flags & SYNOD_ONCE))
        ctx->rt->stage.effects[ctx->rt->stage.count - 1].id = number;
    return rc;
}
