/* SPDX-License-Identifier: MPL-2.0
 *
 * The back end that takes its time. A value is the number of the last put of any key.
 */
#include <stdio.h>
#include <stdlib.h>
#include "slow.h"

uint32_t slow_most;

static uint32_t s_waiting, s_puts;

static int s_on_due (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    char text[16];
    (void) state;
    snprintf (text, sizeof text, "v%u", s_puts);
    s_waiting--;
    const synod__kv_is_t out = {
        .found = true, .done = true, .had = true, .data = synod_str (text), .size = strlen (text), .number = s_puts};
    return synod_reply (ctx, (synod_call_t){arg}, &synod__kv_is_record, &out);
}

static int s_answer (synod_ctx_t *ctx, synod_call_t call)
{
    synod_str_t key = synod_key (ctx);
    if (*key.data == 'e')
        return synod_error (ctx, SYNOD_REFUSED, "no\r\nsuch luck");
    slow_most = ++s_waiting > slow_most ? s_waiting : slow_most;
    return *key.data == 'x' ? SYNOD_OK
                            : synod_after (ctx, (uint32_t) strtol (key.data, NULL, 10), s_on_due, call.id, NULL);
}

static int s_on_get (synod_ctx_t *ctx, void *state, const synod__kv_get_t *in, synod_call_t call)
{
    (void) state, (void) in;
    return s_answer (ctx, call);
}

static int s_on_put (synod_ctx_t *ctx, void *state, const synod__kv_put_t *in, synod_call_t call)
{
    (void) state, (void) in;
    s_puts++;
    return s_answer (ctx, call);
}

static int s_on_delete (synod_ctx_t *ctx, void *state, const synod__kv_delete_t *in, synod_call_t call)
{
    (void) state, (void) in;
    return s_answer (ctx, call);
}

static bool s_run (synod_ctx_t *ctx, void *self, synod__redis_kind_t kind, synod_str_t key, const void *in, void *out,
                   int *rc, synod_fault_t *fault)
{
    synod__kv_is_t *is = (synod__kv_is_t *) out;
    (void) ctx, (void) self, (void) kind, (void) in, (void) fault;
    if (!key.data || memchr (key.data, '.', key.size))
        return false;
    memset (is, 0, sizeof *is);
    is->found = is->done = is->had = true;
    is->data = synod_str ("here");
    *rc = SYNOD_OK;
    return true;
}

static synod_str_t s_endpoint (const void *args)
{
    (void) args;
    return synod_str ("127.0.0.1:1");
}

static int s_init (synod_ctx_t *ctx, void *self, void *actor)
{
    static const synod__redis_back_t back = {.actor = "slow", .node = "slow", .run = s_run};
    (void) actor;
    s_waiting = s_puts = slow_most = 0;
    return synod__redis_init (ctx, (synod__redis_t *) self, &back, NULL);
}

static int s_init_ordered (synod_ctx_t *ctx, void *self, void *actor)
{
    static const synod__redis_back_t back = {.actor = "slow", .node = "slow", .ordered = true, .run = s_run};
    int rc = s_init (ctx, self, actor);
    ((synod__redis_t *) self)->back = &back;
    return rc;
}

#define GATEWAY(begin)                                                                                      \
    {                                                                                                       \
        .endpoint = s_endpoint, .state_size = sizeof (synod__redis_t), .conn_size = SYNOD__REDIS_CONN,      \
        .init = (begin), .fini = synod__redis_fini, .on_open = synod__redis_on_open,                        \
        .on_bytes = synod__redis_on_bytes, .on_end = synod__redis_on_end, .on_close = synod__redis_on_close \
    }
static const synod_gateway_t s_gateway = GATEWAY (s_init), s_ordered = GATEWAY (s_init_ordered);

#define ACTOR(with)                                                                                               \
    {                                                                                                             \
        .name = "slow",                                                                                           \
        .routes = (const synod_route_t[]){SYNOD_ON (synod__kv_get, s_on_get), SYNOD_ON (synod__kv_put, s_on_put), \
                                          SYNOD_ON (synod__kv_delete, s_on_delete), SYNOD_END},                   \
        .placement = SYNOD_FOLLOW, .gateway = (with)                                                              \
    }
const synod_actor_t slow_actor = ACTOR (&s_gateway), slow_ordered_actor = ACTOR (&s_ordered);
