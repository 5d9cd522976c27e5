/* SPDX-License-Identifier: MPL-2.0
 *
 * Asks of others that this node has taken and not answered yet. A call lives from its message until its answer, its
 * asker's deadline or its actor's end, whichever comes first; a kept synod_call_t of one that is over finds nothing.
 */
#include <utlist.h>
#include "place.h"
#include "settled.h"

synod_call_t synod__call_new (synod__instance_t *instance, synod__stream_t *stream, synod_str_t actor,
                              const synod_envelope_t *env)
{
    synod__rt_t *rt = instance->rt;
    uint32_t slot;
    if (rt->ncalls >= SYNOD_CALLS_MAX)
        return (synod_call_t){0};
    if (rt->calls_nspare)
        slot = rt->calls_spare[--rt->calls_nspare];
    else {
        slot = rt->ncalls;
        rt->calls = (synod__kept_t **) synod__grow (rt->calls, &rt->calls_capacity, slot + 1, sizeof *rt->calls);
        rt->calls[slot] = (synod__kept_t *) synod__alloc (sizeof **rt->calls);
    }
    rt->ncalls++;
    synod__kept_t *kept = rt->calls[slot];
    kept->id = ++rt->call_order << 16 | slot;
    kept->instance = instance;
    kept->life = instance->life;
    kept->stream = stream;
    stream->refs++;
    uint32_t size = actor.size <= SYNOD_NAME_MAX ? actor.size : 0;
    if (size)
        memcpy (kept->actor, actor.data, size);
    kept->actor[size] = 0;
    kept->ask = env->id;
    kept->trace = env->trace;
    uint64_t left_ms = env->left_ms && env->left_ms < 86400000 ? env->left_ms : SYNOD_ASK_MS;
    kept->until_us = rt->now_us + (int64_t) left_ms * 1000;
    kept->answered = kept->repeated = kept->deaf = false;
    kept->gather = rt->gather;
    kept->gather_at = rt->gather_at;
    rt->gather = NULL;
    kept->client = env->client;
    kept->number = env->number;
    kept->low = env->low;
    return (synod_call_t){kept->id};
}

synod__kept_t *synod__call_find (synod__rt_t *rt, synod_call_t call)
{
    uint32_t slot = call.id & 0xffff;
    if (!call.id || slot >= rt->ncalls + rt->calls_nspare)
        return NULL;
    return rt->calls[slot]->id == call.id ? rt->calls[slot] : NULL;
}

bool synod__call_repeats (const synod__instance_t *instance, synod__stream_t *stream, const synod_envelope_t *env)
{
    synod__kept_t *from = stream->kept_at ? stream->kept_at : stream->kept, *at = from;
    while (at) {
        if (at->ask == env->id && at->instance == instance && at->life == instance->life) {
            stream->kept_at = at->next;
            return true;
        }
        at = at->next ? at->next : stream->kept;
        if (at == from)
            break;
    }
    return false;
}

static void s_unlist (synod__kept_t *kept)
{
    synod__stream_t *stream = kept->stream;
    if (!kept->prev)
        return;
    if (stream->kept_at == kept)
        stream->kept_at = kept->next;
    DL_DELETE (stream->kept, kept);
    kept->prev = NULL;
}

void synod__call_free (synod__rt_t *rt, synod__kept_t *kept)
{
    uint32_t slot = kept->id & 0xffff;
    s_unlist (kept);
    if (kept->gather)
        synod__gather_leave (rt, kept);
    synod__command_forget (rt, kept);
    synod__timers_clear (&rt->timers, &kept->timer);
    kept->stream->refs--;
    kept->stream->used_us = rt->now_us;
    kept->id = 0;
    rt->calls_spare = (uint32_t *) synod__grow (rt->calls_spare, &rt->calls_spare_capacity, rt->calls_nspare + 1,
                                                sizeof *rt->calls_spare);
    rt->calls_spare[rt->calls_nspare++] = slot;
    rt->ncalls--;
}

void synod__call_keep (synod__rt_t *rt, synod_call_t call)
{
    synod__kept_t *kept = synod__call_find (rt, call);
    if (!kept || kept->timer.at)
        return;
    kept->timer.kind = SYNOD__TIMER_CALL;
    kept->timer.owner = kept;
    if (!kept->client && !kept->gather)
        DL_APPEND (kept->stream->kept, kept);
    synod__timers_set (&rt->timers, &kept->timer, kept->until_us);
}

/* RECORD: NULL, or that of errors, with REC instead of BODY. */
static void s_put (synod__rt_t *rt, synod__kept_t *kept, synod_kind_t kind, const synod_record_t *record,
                   const void *rec, synod_str_t body)
{
    char address[2 * SYNOD_NAME_MAX + 2];
    synod__stream_t *stream = kept->stream;
    synod_str_t actor = synod_str (kept->actor[0] ? kept->actor : SYNOD_NODE_ACTOR);
    synod_str_t to = synod__address_join (synod__stream_name (stream), actor, address, sizeof address);
    synod__tells (kept->instance);
    synod__tie (kept->instance, synod__says (rt)); /* what it says later comes later */
    synod_envelope_t env = {
        .kind = kind, .from = kept->instance->name, .id = kept->ask, .trace = kept->trace, .body = body};
    int rc = SYNOD_OK;
    if (kept->gather && record)
        synod__gather_error (rt, kept, (const synod__error_t *) rec);
    else if (kept->gather)
        synod__gather_answer (rt, kept, kind, body);
    else if (!kept->deaf)
        rc = record ? synod__stream_put_record (rt, stream, to, &env, record, rec)
                    : synod__stream_put (rt, stream, to, &env);
    if (rc != SYNOD_OK)
        synod__drop (rt, kept->instance->name, to, synod_error_meaning (rc), 1);
    synod__call_free (rt, kept);
}

void synod__call_send (synod__rt_t *rt, synod__kept_t *kept, synod_kind_t kind, synod_str_t body)
{
    s_put (rt, kept, kind, NULL, NULL, body);
}

void synod__call_answer (synod__rt_t *rt, synod__kept_t *kept, synod_kind_t kind, synod_str_t body)
{
    if (synod__held_needed (kept->instance))
        synod__held_answer (rt, kept, kind, body);
    else
        synod__call_send (rt, kept, kind, body);
}

void synod__call_error (synod__rt_t *rt, synod__kept_t *kept, int code, const char *message)
{
    synod__error_t error = {.code = synod_str (synod_error_name (code)), .message = synod_str (message)};
    bool waits = synod__held_needed (kept->instance) && !kept->instance->ctx.stale;
    rt->error.size = 0;
    if ((waits || kept->client) && synod_record_pack (&synod__error_record, &error, &rt->error, NULL) != SYNOD_OK)
        rt->error.size = 0;
    synod_str_t body = synod_str_n (rt->error.data, rt->error.size);
    /* what ended only because its actor did may run again; any other error is as final as a reply */
    if (kept->client && code != SYNOD_STOPPED && !SYNOD__MUTANT (ERROR_FORGOTTEN)) {
        synod__command_reply (kept, SYNOD_KIND_ERROR, body);
        synod__commit_batch (kept->instance);
    }
    if (waits)
        synod__held_answer (rt, kept, SYNOD_KIND_ERROR, body);
    else
        s_put (rt, kept, SYNOD_KIND_ERROR, &synod__error_record, &error, synod_str_n (NULL, 0));
}

void synod__calls_end (synod__rt_t *rt, const synod__instance_t *instance, int code, const char *message)
{
    uint32_t slots = rt->ncalls + rt->calls_nspare;
    for (uint32_t i = 0; i < slots; i++)
        if (rt->calls[i]->id && rt->calls[i]->instance == instance &&
            !(rt->calls[i]->answered && synod__held_needed (instance))) /* that answer leaves yet */
            synod__call_error (rt, rt->calls[i], code, message);
}
