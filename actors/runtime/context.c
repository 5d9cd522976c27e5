/* SPDX-License-Identifier: MPL-2.0
 *
 * What an actor may call: each function checks its arguments and stages an effect. Nothing happens before the handler
 * has returned SYNOD_OK (stage.c).
 */
#include <stdarg.h>
#include <stdio.h>
#include "alarms.h"
#include "place.h"
#include "protocol/text.h"

/* Only the actor whose handler runs has a context that works. */
static bool s_usable (const synod_ctx_t *ctx)
{
    return ctx && ctx->active;
}

static int s_fail (synod_ctx_t *ctx, const synod_fault_t *fault)
{
    snprintf (ctx->error, sizeof ctx->error, "%s", fault->text);
    return fault->code;
}

static int s_bad_address (synod_ctx_t *ctx, const char *text)
{
    synod_fault_t fault = {0};
    synod_address_t address;
    synod_str_t to = synod_str (text);
    if (synod__place_keyed (ctx->rt->place, to, &address) && synod__text_printable (address.key.data, address.key.size))
        return SYNOD_OK;
    int rc = synod__address_parse (to, &address, &fault);
    return rc == SYNOD_OK ? SYNOD_OK : s_fail (ctx, &fault);
}

static int s_send (synod_ctx_t *ctx, synod__effect_t *e, const synod_record_t *record, const void *in,
                   synod_str_t method, synod_str_t body)
{
    synod_fault_t fault = {0};
    e->trace = ctx->trace;
    int rc = synod__stage_body (ctx->rt, record, in, method, body, &fault);
    return rc == SYNOD_OK ? SYNOD_OK : s_fail (ctx, &fault);
}

static int s_tell (synod_ctx_t *ctx, const char *to, const synod_record_t *record, const void *in, synod_str_t method,
                   synod_str_t body)
{
    if (!s_usable (ctx) || !to)
        return SYNOD_INVALID;
    int rc = s_bad_address (ctx, to);
    if (rc != SYNOD_OK)
        return rc;
    return s_send (ctx, synod__stage_add (ctx->rt, SYNOD__STAGE_TELL, synod_str (to)), record, in, method, body);
}

int synod_tell (synod_ctx_t *ctx, const char *to, const synod_record_t *record, const void *in)
{
    return record ? s_tell (ctx, to, record, in, synod_str_n (record->name, record->name_size), synod_str_n (NULL, 0))
                  : SYNOD_INVALID;
}

int synod_tell_body (synod_ctx_t *ctx, const char *to, synod_str_t method, synod_str_t body)
{
    return s_tell (ctx, to, NULL, NULL, method, body);
}

static int s_ask (synod_ctx_t *ctx, const char *to, const synod_record_t *record, const void *in, synod_str_t method,
                  synod_str_t body, uint32_t flags, uint32_t timeout_ms, synod_on_reply_t *on_reply, uint64_t arg)
{
    if (!s_usable (ctx) || !to || !on_reply)
        return SYNOD_INVALID;
    int rc = s_bad_address (ctx, to);
    if (rc != SYNOD_OK)
        return rc;
    if (ctx->rt->nasks + ctx->rt->stage.asks >= SYNOD_ASKS_MAX)
        return synod_error (ctx, SYNOD_BUSY, "%u asks are unanswered already", SYNOD_ASKS_MAX);
    synod__effect_t *e = synod__stage_add (ctx->rt, SYNOD__STAGE_ASK, synod_str (to));
    e->flags = flags;
    e->timeout_ms = timeout_ms ? timeout_ms : SYNOD_ASK_MS;
    e->on_reply = on_reply;
    e->arg = arg;
    rc = s_send (ctx, e, record, in, method, body);
    if (rc == SYNOD_OK)
        ctx->rt->stage.asks++;
    return rc;
}

int synod_ask (synod_ctx_t *ctx, const char *to, const synod_record_t *record, const void *in, uint32_t timeout_ms,
               synod_on_reply_t *on_reply, uint64_t arg)
{
    if (!record)
        return SYNOD_INVALID;
    return s_ask (ctx, to, record, in, synod_str_n (record->name, record->name_size), synod_str_n (NULL, 0),
                  record->flags, timeout_ms, on_reply, arg);
}

int synod_ask_body (synod_ctx_t *ctx, const char *to, synod_str_t method, synod_str_t body, uint32_t flags,
                    uint32_t timeout_ms, synod_on_reply_t *on_reply, uint64_t arg)
{
    return s_ask (ctx, to, NULL, NULL, method, body, flags, timeout_ms, on_reply, arg);
}

static int s_reply (synod_ctx_t *ctx, synod_call_t call, synod_kind_t kind, const synod_record_t *record,
                    const void *out, synod_str_t body)
{
    if (!s_usable (ctx))
        return SYNOD_INVALID;
    synod__kept_t *kept = synod__call_find (ctx->rt, call);
    if (!kept || kept->answered || kept->instance != ctx->instance)
        return SYNOD_NOT_FOUND;
    synod__effect_t *e = synod__stage_add (ctx->rt, SYNOD__STAGE_REPLY, synod_str_n (NULL, 0));
    e->id = call.id;
    e->envelope = kind;
    int rc = s_send (ctx, e, record, out, synod_str_n (NULL, 0), body);
    if (rc == SYNOD_OK)
        kept->answered = true;
    return rc;
}

int synod_reply (synod_ctx_t *ctx, synod_call_t call, const synod_record_t *record, const void *out)
{
    return record ? s_reply (ctx, call, SYNOD_KIND_REPLY, record, out, synod_str_n (NULL, 0)) : SYNOD_INVALID;
}

int synod_reply_body (synod_ctx_t *ctx, synod_call_t call, synod_str_t body)
{
    return s_reply (ctx, call, SYNOD_KIND_REPLY, NULL, NULL, body);
}

int synod_reply_error (synod_ctx_t *ctx, synod_call_t call, int code, const char *format, ...)
{
    char text[SYNOD_FAULT_MAX];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    synod__error_t error = {.code = synod_str (synod_error_name (code)), .message = synod_str (text)};
    return s_reply (ctx, call, SYNOD_KIND_ERROR, &synod__error_record, &error, synod_str_n (NULL, 0));
}

int synod_reply_with (synod_ctx_t *ctx, synod_call_t call, const synod_reply_t *reply)
{
    if (!reply)
        return SYNOD_INVALID;
    if (reply->code == SYNOD_OK)
        return s_reply (ctx, call, SYNOD_KIND_REPLY, NULL, NULL, reply->body);
    synod__error_t error = {.code = reply->error, .message = reply->message};
    return s_reply (ctx, call, SYNOD_KIND_ERROR, &synod__error_record, &error, synod_str_n (NULL, 0));
}

static int s_publish (synod_ctx_t *ctx, const char *topic, const synod_record_t *record, const void *in,
                      synod_str_t method, synod_str_t body)
{
    if (!s_usable (ctx) || !topic)
        return SYNOD_INVALID;
    synod_fault_t fault = {0};
    if (synod__topic_check (synod_str (topic), &fault) != SYNOD_OK)
        return s_fail (ctx, &fault);
    return s_send (ctx, synod__stage_add (ctx->rt, SYNOD__STAGE_PUBLISH, synod_str (topic)), record, in, method, body);
}

int synod_publish (synod_ctx_t *ctx, const char *topic, const synod_record_t *record, const void *in)
{
    if (!record)
        return SYNOD_INVALID;
    return s_publish (ctx, topic, record, in, synod_str_n (record->name, record->name_size), synod_str_n (NULL, 0));
}

int synod_publish_body (synod_ctx_t *ctx, const char *topic, synod_str_t method, synod_str_t body)
{
    return s_publish (ctx, topic, NULL, NULL, method, body);
}

int synod_subscribe (synod_ctx_t *ctx, const char *pattern, synod_on_event_t *on_ready, uint64_t arg)
{
    if (!s_usable (ctx) || !pattern)
        return SYNOD_INVALID;
    synod_fault_t fault = {0};
    if (synod__pattern_check (synod_str (pattern), &fault) != SYNOD_OK)
        return s_fail (ctx, &fault);
    synod__effect_t *e = synod__stage_add (ctx->rt, SYNOD__STAGE_SUBSCRIBE, synod_str (pattern));
    e->on_event = on_ready;
    e->arg = arg;
    return SYNOD_OK;
}

int synod_unsubscribe (synod_ctx_t *ctx, const char *pattern)
{
    if (!s_usable (ctx) || !pattern)
        return SYNOD_INVALID;
    synod_fault_t fault = {0};
    if (synod__pattern_check (synod_str (pattern), &fault) != SYNOD_OK)
        return s_fail (ctx, &fault);
    synod__stage_add (ctx->rt, SYNOD__STAGE_UNSUBSCRIBE, synod_str (pattern));
    return SYNOD_OK;
}

int synod_after (synod_ctx_t *ctx, uint32_t delay_ms, synod_on_event_t *on_event, uint64_t arg, synod_timer_t *timer)
{
    if (!s_usable (ctx) || !on_event)
        return SYNOD_INVALID;
    synod__rt_t *rt = ctx->rt;
    synod__alarm_t *alarm = (synod__alarm_t *) synod__alloc (sizeof *alarm);
    alarm->id = ++rt->alarm_order;
    alarm->instance = ctx->instance;
    alarm->life = ctx->instance->life;
    alarm->delay_ms = delay_ms;
    alarm->on_event = on_event;
    alarm->arg = arg;
    alarm->timer.kind = SYNOD__TIMER_ALARM;
    alarm->timer.owner = alarm;
    synod__alarm_add (rt, alarm);
    synod__stage_add (rt, SYNOD__STAGE_TIMER, synod_str_n (NULL, 0))->id = alarm->id;
    if (timer)
        timer->id = alarm->id;
    return SYNOD_OK;
}

int synod_cancel (synod_ctx_t *ctx, synod_timer_t timer)
{
    if (!s_usable (ctx))
        return SYNOD_INVALID;
    synod__alarm_t *alarm;
    HASH_FIND (hh, ctx->rt->alarms, &timer.id, sizeof timer.id, alarm);
    if (!alarm || alarm->instance != ctx->instance || alarm->life != ctx->instance->life)
        return SYNOD_NOT_FOUND;
    synod__stage_add (ctx->rt, SYNOD__STAGE_CANCEL, synod_str_n (NULL, 0))->id = timer.id;
    return SYNOD_OK;
}

static int s_watch (synod_ctx_t *ctx, synod__stage_kind_t kind, const char *who, synod_on_down_t *on_down, uint64_t arg)
{
    if (!s_usable (ctx) || !who)
        return SYNOD_INVALID;
    const char *slash = strchr (who, '/');
    synod_str_t node = synod_str_n (who, slash ? (size_t) (slash - who) : strlen (who));
    if (!synod__name_ok (node, true) || (slash && !synod__name_ok (synod_str (slash + 1), true)))
        return synod_error (ctx, SYNOD_BAD_ADDRESS, "expected node or node/actor to monitor, got \"%s\"", who);
    synod__effect_t *e = synod__stage_add (ctx->rt, kind, synod_str (who));
    e->on_down = on_down;
    e->arg = arg;
    return SYNOD_OK;
}

int synod_monitor (synod_ctx_t *ctx, const char *who, synod_on_down_t *on_down, uint64_t arg)
{
    return on_down ? s_watch (ctx, SYNOD__STAGE_MONITOR, who, on_down, arg) : SYNOD_INVALID;
}

int synod_unmonitor (synod_ctx_t *ctx, const char *who)
{
    return s_watch (ctx, SYNOD__STAGE_UNMONITOR, who, NULL, 0);
}

int synod_stop (synod_ctx_t *ctx)
{
    if (!s_usable (ctx))
        return SYNOD_INVALID;
    synod__stage_add (ctx->rt, SYNOD__STAGE_STOP, synod_str_n (NULL, 0));
    return SYNOD_OK;
}

int synod_error (synod_ctx_t *ctx, int code, const char *format, ...)
{
    if (!ctx)
        return code;
    va_list args;
    va_start (args, format);
    vsnprintf (ctx->error, sizeof ctx->error, format, args);
    va_end (args);
    return code;
}

const char *synod__ctx_error (const synod_ctx_t *ctx)
{
    return ctx->error;
}

const uint8_t *synod__ctx_store_id (const synod_ctx_t *ctx)
{
    return ctx->rt->disk->id;
}

uint64_t synod__ctx_life (const synod_ctx_t *ctx)
{
    const synod__partition_t *partition = ctx->instance->partition;
    return partition && partition->replica.replicas > 1 ? 0 : ctx->rt->config.incarnation;
}

uint64_t synod__ctx_fleeting (const synod_ctx_t *ctx)
{
    return ctx->rt->own_disk ? ctx->rt->config.incarnation : 0;
}

uint32_t synod__ctx_left_ms (const synod_ctx_t *ctx, synod_call_t call)
{
    const synod__kept_t *kept = call.id ? synod__call_find (ctx->rt, call) : NULL;
    int64_t left_us = kept ? kept->until_us - ctx->rt->now_us : 0;
    return left_us > 0 ? (uint32_t) ((left_us + 999) / 1000) : 0;
}

void synod_log (synod_ctx_t *ctx, int level, const char *format, ...)
{
    if (!ctx)
        return;
    char text[1024];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    ctx->rt->ops->log (ctx->rt->host, level, ctx->instance->type->name, text);
}

int64_t synod_now_us (const synod_ctx_t *ctx)
{
    return ctx->rt->now_us;
}

int64_t synod_wall_us (const synod_ctx_t *ctx)
{
    return ctx->rt->ops->wall_us (ctx->rt->host);
}

uint64_t synod_random (synod_ctx_t *ctx)
{
    return ctx->rt->ops->random (ctx->rt->host);
}

synod_str_t synod_from (const synod_ctx_t *ctx)
{
    return ctx->message ? ctx->message->from : synod_str_n (NULL, 0);
}

synod_str_t synod_key (const synod_ctx_t *ctx)
{
    return ctx->message ? ctx->message->key : synod_str_n (NULL, 0);
}

synod_str_t synod_topic (const synod_ctx_t *ctx)
{
    return ctx->message ? ctx->message->topic : synod_str_n (NULL, 0);
}

bool synod_repeated (const synod_ctx_t *ctx)
{
    return ctx->repeated;
}

const char *synod_node (const synod_ctx_t *ctx)
{
    return ctx->rt->node.data;
}

const char *synod_self (const synod_ctx_t *ctx)
{
    return ctx->instance->self;
}

/* The gateway of a sharded actor has none: the store is its partitions'. */
static bool s_stored (const synod_ctx_t *ctx)
{
    return s_usable (ctx) && !synod__instance_stands (ctx->instance);
}

int synod_put (synod_ctx_t *ctx, synod_str_t key, synod_str_t value)
{
    return s_stored (ctx) ? synod__store_put (ctx->instance->store, SYNOD__AREA_DATA, key, value) : SYNOD_INVALID;
}

int synod_delete (synod_ctx_t *ctx, synod_str_t key)
{
    return s_stored (ctx) ? synod__store_delete (ctx->instance->store, SYNOD__AREA_DATA, key) : SYNOD_INVALID;
}

int synod_get (synod_ctx_t *ctx, synod_str_t key, synod_str_t *value)
{
    return s_stored (ctx) && value ? synod__store_get (ctx->instance->store, SYNOD__AREA_DATA, key, value)
                                   : SYNOD_INVALID;
}

int synod_scan (synod_ctx_t *ctx, synod_str_t from, synod_str_t until, synod_on_entry_t *on_entry, void *arg)
{
    if (!s_stored (ctx) || !on_entry)
        return SYNOD_INVALID;
    return synod__store_scan (ctx->instance->store, SYNOD__AREA_DATA, from, until, on_entry, arg);
}
