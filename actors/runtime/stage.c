/* SPDX-License-Identifier: MPL-2.0
 *
 * Staged effects. One handler runs at a time, so there is one stage; when the handler has succeeded its effects are
 * applied in their order, else they are dropped as if they had never been asked for.
 */
#include "alarms.h"
#include "place.h"
#include "settled.h"

synod__effect_t *synod__stage_add (synod__rt_t *rt, synod__stage_kind_t kind, synod_str_t to)
{
    synod__stage_t *stage = &rt->stage;
    stage->effects =
        (synod__effect_t *) synod__grow (stage->effects, &stage->capacity, stage->count + 1, sizeof *stage->effects);
    synod__effect_t *e = &stage->effects[stage->count++];
    memset (e, 0, sizeof *e);
    e->kind = kind;
    e->early = stage->early;
    e->to = (uint32_t) stage->bytes.size;
    e->to_size = to.size;
    /* with a NUL behind, which some of those who take it want */
    if (to.data && (synod__buf_add (&stage->bytes, to.data, to.size) || synod__buf_add (&stage->bytes, "", 1)))
        abort ();
    return e;
}

/* Fills in method and body of the last effect added; on an error takes that effect away again. */
int synod__stage_body (synod__rt_t *rt, const synod_record_t *record, const void *in, synod_str_t method,
                       synod_str_t body, synod_fault_t *fault)
{
    synod__stage_t *stage = &rt->stage;
    synod__effect_t *e = &stage->effects[stage->count - 1];
    int rc = SYNOD_OK;
    if (method.data && !synod__name_ok (method, true))
        rc = synod_fault (fault, SYNOD_BAD_ADDRESS,
                          "expected a method name of 1 to %d letters, digits, _ - or ., got %.*s", SYNOD_NAME_MAX,
                          SYNOD_STR (method));
    e->method = (uint32_t) stage->bytes.size;
    e->method_size = method.size;
    if (rc == SYNOD_OK && method.size)
        rc = synod__buf_add (&stage->bytes, method.data, method.size);
    e->body = (uint32_t) stage->bytes.size;
    if (rc == SYNOD_OK && record)
        rc = synod_record_pack (record, in, &stage->bytes, fault);
    else if (rc == SYNOD_OK && body.size && rt->packed)
        rc = synod__buf_add (&stage->bytes, body.data, body.size);
    else if (rc == SYNOD_OK && body.size) {
        synod__reader_t reader = synod__reader (body);
        synod_str_t raw;
        if (synod__read_raw (&reader, SYNOD_DEPTH_MAX, &raw) != SYNOD_OK || reader.at != reader.end)
            rc = synod_fault (fault, SYNOD_INVALID, "expected one packed msgpack value as body");
        else
            rc = synod__buf_add (&stage->bytes, body.data, body.size);
    }
    e->body_size = (uint32_t) stage->bytes.size - e->body;
    if (rc == SYNOD_OK && e->body_size > SYNOD_BODY_MAX)
        rc = synod_fault (fault, SYNOD_TOO_LARGE, "a body may have %d bytes, this one has %u", SYNOD_BODY_MAX,
                          e->body_size);
    if (rc != SYNOD_OK) {
        stage->bytes.size = e->to;
        stage->count--;
    }
    return rc;
}

static synod_str_t s_text (const synod__stage_t *stage, uint32_t at, uint32_t size)
{
    return size ? synod_str_n (stage->bytes.data + at, size) : synod_str_n (NULL, 0);
}

static void s_tell (synod__instance_t *instance, const synod__effect_t *e)
{
    synod__rt_t *rt = instance->rt;
    synod_str_t to = s_text (&rt->stage, e->to, e->to_size);
    synod_address_t address;
    int code = synod__place_address (rt->place, to, &address);
    synod__stream_t *stream = code == SYNOD_OK ? synod__resolve (rt, &address, NULL, &code) : NULL;
    synod_envelope_t env = {.kind = SYNOD_KIND_TELL,
                            .method = s_text (&rt->stage, e->method, e->method_size),
                            .from = instance->name,
                            .trace = e->trace,
                            .body = s_text (&rt->stage, e->body, e->body_size)};
    char room[SYNOD_ADDRESS_MAX + 1];
    if (stream) {
        synod_str_t at = synod__frame_address (rt, stream, &address, to, room, &env.to);
        code = at.data ? synod__stream_put (rt, stream, at, &env) : SYNOD_BAD_ADDRESS;
    }
    if (!stream || code != SYNOD_OK)
        synod__drop (rt, rt->node, to, synod_error_meaning (code), 1);
}

static void s_reply (synod__rt_t *rt, const synod__effect_t *e)
{
    synod__kept_t *kept = synod__call_find (rt, (synod_call_t){e->id});
    if (kept)
        synod__call_send (rt, kept, e->envelope, s_text (&rt->stage, e->body, e->body_size));
}

static void s_publish (synod__instance_t *instance, const synod__effect_t *e)
{
    synod__rt_t *rt = instance->rt;
    synod_str_t topic = s_text (&rt->stage, e->to, e->to_size);
    synod__publication_waits (rt);
    int rc = synod__publisher_add (rt->publisher, topic, instance->name, e->trace, NULL, NULL,
                                   s_text (&rt->stage, e->method, e->method_size),
                                   s_text (&rt->stage, e->body, e->body_size), rt->config.queue_bytes, NULL);
    if (rc != SYNOD_OK)
        synod__drop (rt, rt->node, topic, synod_error_meaning (rc), 1);
    else
        rt->stats.sent++;
}

static void s_timer (synod__rt_t *rt, const synod__effect_t *e, bool commit)
{
    synod__alarm_t *alarm;
    HASH_FIND (hh, rt->alarms, &e->id, sizeof e->id, alarm);
    if (!alarm)
        return;
    if (commit && e->kind == SYNOD__STAGE_TIMER) {
        alarm->set = true;
        synod__timers_set (&rt->timers, &alarm->timer, rt->now_us + (int64_t) alarm->delay_ms * 1000);
        return;
    }
    if (!commit && e->kind == SYNOD__STAGE_CANCEL)
        return;
    synod__alarm_free (rt, alarm);
}

static void s_apply (synod__instance_t *instance, const synod__effect_t *e)
{
    synod__rt_t *rt = instance->rt;
    synod_str_t to = s_text (&rt->stage, e->to, e->to_size);
    switch (e->kind) {
    case SYNOD__STAGE_TELL:
        s_tell (instance, e);
        break;
    case SYNOD__STAGE_ASK:
        synod__ask_send (instance, e);
        break;
    case SYNOD__STAGE_REPLY:
        s_reply (rt, e);
        break;
    case SYNOD__STAGE_PUBLISH:
        s_publish (instance, e);
        break;
    case SYNOD__STAGE_TIMER:
    case SYNOD__STAGE_CANCEL:
        s_timer (rt, e, true);
        break;
    case SYNOD__STAGE_SUBSCRIBE:
        synod__topics_subscribe (rt, instance, to, e->on_event, e->arg);
        break;
    case SYNOD__STAGE_UNSUBSCRIBE:
        synod__topics_unsubscribe (rt, instance, to);
        break;
    case SYNOD__STAGE_MONITOR:
        synod__watch_monitor (rt, instance, to, e->on_down, e->arg);
        break;
    case SYNOD__STAGE_UNMONITOR:
        synod__watch_unmonitor (rt, instance, to);
        break;
    case SYNOD__STAGE_STOP:
        break; /* last of all: synod__run_end */
    }
}

static void s_clear (synod__stage_t *stage)
{
    stage->count = stage->asks = 0;
    stage->bytes.size = 0;
    stage->early = false;
}

void synod__ctx_early (synod_ctx_t *ctx, bool early)
{
    ctx->rt->stage.early = early;
}

/* The batch is joined before any message is: what was sent after a write must not leave before it is durable. */
static int s_join (synod__instance_t *instance)
{
    synod__rt_t *rt = instance->rt;
    for (uint32_t i = 0; i < rt->stage.count; i++) {
        const synod__effect_t *e = &rt->stage.effects[i];
        synod__kept_t *kept = e->kind == SYNOD__STAGE_REPLY ? synod__call_find (rt, (synod_call_t){e->id}) : NULL;
        if (kept)
            synod__command_reply (kept, e->envelope, s_text (&rt->stage, e->body, e->body_size));
    }
    return synod__commit_batch (instance);
}

/* What others see of a handler, and may have to wait. */
static bool s_message (const synod__effect_t *e)
{
    return e->kind == SYNOD__STAGE_TELL || e->kind == SYNOD__STAGE_ASK || e->kind == SYNOD__STAGE_REPLY ||
           e->kind == SYNOD__STAGE_PUBLISH;
}

/* Whether the handler said something; AWAITED: to others than who is told. */
static bool s_said (const synod__stage_t *stage, bool awaited)
{
    for (uint32_t i = 0; i < stage->count; i++)
        if (s_message (&stage->effects[i]) && !(awaited && stage->effects[i].kind == SYNOD__STAGE_TELL))
            return true;
    return false;
}

int synod__stage_commit (synod__instance_t *instance)
{
    synod__rt_t *rt = instance->rt;
    synod__stage_t *stage = &rt->stage;
    bool stop = false, waits = false;
    synod_ctx_t *ctx = &instance->ctx;
    ctx->lazily = ctx->lazily && synod__store_staged (instance->store) && !s_said (stage, true);
    if (!ctx->lazily && instance->shown > rt->durable && s_said (stage, false))
        synod__tells (instance);
    const bool early = synod__held_needed (instance) || !synod__waits (instance);
    int rc = s_join (instance);
    if (rc != SYNOD_OK) {
        instance->undone++;
        synod__stage_drop (instance);
        return rc;
    }
    const bool late = ctx->lazily && !synod__held_needed (instance);
    const uint64_t says = rt->says, wait = synod__waits (instance);
    synod__tie (instance, wait);
    bool hold = stage->count && (late || synod__held_needed (instance));
    for (uint32_t i = 0; i < stage->count; i++) {
        synod__effect_t *e = &stage->effects[i];
        e->early = e->early && early;
        bool held = hold && s_message (e) && !e->early && !(ctx->stale && e->kind == SYNOD__STAGE_REPLY);
        rt->says = e->early ? 0 : wait;
        if (!held)
            s_apply (instance, e);
        waits |= held;
        stop |= e->kind == SYNOD__STAGE_STOP;
    }
    rt->says = says;
    if (waits && late)
        synod__late_stage (instance);
    else if (waits)
        synod__held_stage (instance);
    else
        s_clear (stage);
    if (stop && instance->partition)
        synod__partition_drop (instance, SYNOD_STOPPED, "stopped"); /* the next message builds it anew */
    else if (stop)
        synod__instance_end (instance, SYNOD_STOPPED, "stopped", false);
    return SYNOD_OK;
}

void synod__stage_release (synod__instance_t *instance, synod__stage_t *stage, bool alive)
{
    synod__stage_t now = instance->rt->stage;
    instance->rt->stage = *stage;
    for (uint32_t i = 0; i < stage->count; i++)
        if (s_message (&stage->effects[i]) && !stage->effects[i].early &&
            (alive || stage->effects[i].kind != SYNOD__STAGE_ASK))
            s_apply (instance, &stage->effects[i]);
    *stage = instance->rt->stage;
    instance->rt->stage = now;
}

void synod__stage_drop (synod__instance_t *instance)
{
    synod__rt_t *rt = instance->rt;
    for (uint32_t i = 0; i < rt->stage.count; i++) {
        const synod__effect_t *e = &rt->stage.effects[i];
        if (e->kind == SYNOD__STAGE_TIMER)
            s_timer (rt, e, false);
        else if (e->kind == SYNOD__STAGE_REPLY) {
            synod__kept_t *kept = synod__call_find (rt, (synod_call_t){e->id});
            if (kept)
                kept->answered = false;
        }
    }
    s_clear (&rt->stage);
    synod__store_drop (instance->store);
}
