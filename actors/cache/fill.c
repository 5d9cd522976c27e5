/* SPDX-License-Identifier: MPL-2.0
 *
 * get-or-fill: the first reader of a key that is not here has its value asked for, the others wait for the same answer.
 * It is asked for with the time that the reader has left; when that is over and others have more, it is asked for again.
 */
#include <stdlib.h>
#include "actors/runtime/hash.h"
#include "actors/runtime/memory.h"
#include "actors/runtime/runtime.h"
#include "cache_actor.h"
#include "mutants.h"
#include "protocol/frame.h"

struct synod__cache_fill_t {
    synod__cache_actor_t *actor;
    int64_t asked_us; /* when what is under way was asked for */
    bool spoiled;     /* the key was written since then */
    uint64_t ttl_ms;
    synod_call_t *waiting;
    uint32_t nwaiting, room;
    synod_buf_t body;
    char to[SYNOD_ADDRESS_MAX + 1], method[SYNOD_NAME_MAX + 1];
    UT_hash_handle hh;
    uint32_t key_size;
    char key[];
};

static int s_on_answer (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg);

static synod_str_t s_key (const synod__cache_fill_t *fill)
{
    return synod_str_n (fill->key, fill->key_size);
}

static synod__cache_fill_t *s_find (const synod__cache_actor_t *self, synod_str_t key)
{
    synod__cache_fill_t *fill = NULL;
    HASH_FIND (hh, self->fills, key.data, key.size, fill);
    return SYNOD__CACHE_MUTANT (FILL_TWICE) ? NULL : fill;
}

static void s_free (synod__cache_fill_t *fill)
{
    synod__cache_actor_t *self = fill->actor;
    HASH_DEL (self->fills, fill);
    self->nfills--;
    synod_buf_free (&fill->body);
    free (fill->waiting);
    free (fill);
}

void synod__cache_fills_end (synod__cache_actor_t *self)
{
    synod__cache_fill_t *fill, *next;
    HASH_ITER (hh, self->fills, fill, next)
    s_free (fill);
}

void synod__cache_fill_spoil (synod__cache_actor_t *self, synod_str_t key)
{
    synod__cache_fill_t *fill = self->fills ? s_find (self, key) : NULL;
    if (fill && !SYNOD__CACHE_MUTANT (FILL_OVERTAKES))
        fill->spoiled = true;
}

static void s_wait (synod__cache_fill_t *fill, synod_call_t call)
{
    fill->waiting =
        (synod_call_t *) synod__grow (fill->waiting, &fill->room, fill->nwaiting + 1, sizeof *fill->waiting);
    fill->waiting[fill->nwaiting++] = call;
}

static int s_ask (synod_ctx_t *ctx, synod__cache_fill_t *fill, uint32_t left_ms)
{
    fill->asked_us = synod_now_us (ctx);
    fill->spoiled = false;
    return synod_ask_body (ctx, fill->to, synod_str (fill->method), synod_str_n (fill->body.data, fill->body.size),
                           SYNOD_IDEMPOTENT, left_ms, s_on_answer, (uintptr_t) fill);
}

static int s_first (synod_ctx_t *ctx, synod__cache_actor_t *self, synod_str_t key, const synod__kv_get_or_fill_t *in,
                    synod_call_t call)
{
    if (self->nfills >= SYNOD__CACHE_FILLS_MAX)
        return synod_error (ctx, SYNOD_BUSY, "%d values are asked for already", SYNOD__CACHE_FILLS_MAX);
    synod__cache_fill_t *fill = (synod__cache_fill_t *) synod__alloc (sizeof *fill + key.size);
    fill->actor = self;
    fill->ttl_ms = in->ttl_ms;
    fill->key_size = key.size;
    memcpy (fill->key, key.data, key.size);
    memcpy (fill->to, in->from.data, in->from.size);
    memcpy (fill->method, in->method.data, in->method.size);
    HASH_ADD (hh, self->fills, key, fill->key_size, fill);
    if (!fill->hh.tbl)
        abort (); /* as synod__alloc does */
    self->nfills++;
    uint32_t left_ms = synod__ctx_left_ms (ctx, call);
    int rc = synod__buf_add (&fill->body, in->body.data, in->body.size);
    if (rc == SYNOD_OK)
        rc = s_ask (ctx, fill, left_ms ? left_ms : SYNOD_ASK_MS);
    if (rc != SYNOD_OK) {
        s_free (fill);
        return rc;
    }
    s_wait (fill, call);
    return SYNOD_OK;
}

int synod__cache_fill (synod_ctx_t *ctx, synod__cache_actor_t *self, synod_str_t key, const synod__kv_get_or_fill_t *in,
                       synod_call_t call)
{
    const synod__kv_get_t get = {0};
    synod__kv_is_t out;
    synod_fault_t fault = {0};
    int rc = synod__cache_get (&self->cache, synod__cache_now (ctx, self), key, &get, &out, &fault);
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s", fault.text);
    if (out.found) {
        synod__cache_told (&self->cache, synod__cache_now (ctx, self), &out);
        return synod_reply (ctx, call, &synod__kv_is_record, &out);
    }
    synod__cache_fill_t *fill = s_find (self, key);
    if (!fill)
        return s_first (ctx, self, key, in, call);
    s_wait (fill, call);
    return SYNOD_OK;
}

/* One fill a key, and no more than are counted. */
bool synod__cache_actor_check (const synod__cache_actor_t *self)
{
    uint32_t count = 0;
    for (const synod__cache_fill_t *fill = self->fills; fill; fill = (const synod__cache_fill_t *) fill->hh.next) {
        for (const synod__cache_fill_t *other = self->fills; other != fill;
             other = (const synod__cache_fill_t *) other->hh.next)
            if (synod_str_same (s_key (fill), s_key (other)))
                return false;
        count++;
    }
    return count == self->nfills && synod__cache_table_check (self->cache.table);
}

/* ---- what comes of it ---- */

/* The first reader's time is over, but not everybody's: asks again. */
static bool s_again (synod_ctx_t *ctx, synod__cache_fill_t *fill)
{
    uint32_t most_ms = 0, left = 0;
    for (uint32_t i = 0; i < fill->nwaiting; i++) {
        uint32_t left_ms = synod__ctx_left_ms (ctx, fill->waiting[i]);
        most_ms = left_ms > most_ms ? left_ms : most_ms;
        if (left_ms)
            fill->waiting[left++] = fill->waiting[i];
    }
    fill->nwaiting = left;
    return most_ms && s_ask (ctx, fill, most_ms) == SYNOD_OK;
}

static void s_fail (synod_ctx_t *ctx, const synod__cache_fill_t *fill, const synod_reply_t *reply)
{
    for (uint32_t i = 0; i < fill->nwaiting; i++)
        if (i == 0 || !SYNOD__CACHE_MUTANT (ERROR_LEFT))
            synod_reply_with (ctx, fill->waiting[i], reply);
}

static void s_no_value (synod_ctx_t *ctx, const synod__cache_fill_t *fill, const char *why)
{
    for (uint32_t i = 0; i < fill->nwaiting; i++)
        synod_reply_error (ctx, fill->waiting[i], SYNOD_REFUSED, "what %s of %s answered is no value: %s", fill->method,
                           fill->to, why);
}

/* The shorter of what the reader and the filler want; 0: for ever. */
static uint64_t s_ttl (const synod__cache_fill_t *fill, const synod__kv_filled_t *in, synod__cache_now_t now)
{
    uint64_t ttl_ms = fill->ttl_ms;
    if (in->ttl_ms && (!ttl_ms || in->ttl_ms < ttl_ms))
        ttl_ms = in->ttl_ms;
    if (in->until_ms) {
        int64_t asked_ms = now.wall_ms - (now.now_us - fill->asked_us) / 1000;
        uint64_t left_ms = (int64_t) in->until_ms > asked_ms ? in->until_ms - (uint64_t) asked_ms : 1;
        ttl_ms = !ttl_ms || left_ms < ttl_ms ? left_ms : ttl_ms;
    }
    return ttl_ms;
}

static int s_filled (synod_ctx_t *ctx, synod__cache_fill_t *fill, const synod__kv_filled_t *in)
{
    synod__cache_actor_t *self = fill->actor;
    synod__cache_now_t now = synod__cache_now (ctx, self);
    uint64_t ttl_ms = s_ttl (fill, in, now);
    synod__kv_is_t out = {.found = in->found || in->data.size > 0, .data = in->data, .size = in->data.size};
    if (out.found && ttl_ms && ttl_ms < INT64_MAX / 2000) {
        int64_t left_us = fill->asked_us + (int64_t) ttl_ms * 1000 - now.now_us;
        int64_t until_ms = now.wall_ms + left_us / 1000;
        out.until_ms = until_ms > 0 ? (uint64_t) until_ms : 1;
    }
    if (out.found && !fill->spoiled)
        synod__cache_keep (&self->cache, now, s_key (fill), in->data, fill->asked_us, ttl_ms);
    uint32_t count = fill->nwaiting - (SYNOD__CACHE_MUTANT (WAITER_LEFT) && fill->nwaiting > 1);
    for (uint32_t i = 0; i < count; i++)
        synod_reply (ctx, fill->waiting[i], &synod__kv_is_record, &out);
    return synod__cache_set (ctx, self);
}

static int s_on_answer (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    synod__cache_fill_t *fill = (synod__cache_fill_t *) (uintptr_t) arg;
    synod__kv_filled_t in;
    synod_fault_t fault = {0};
    int rc = SYNOD_OK;
    (void) state;
    if (reply->code == SYNOD_TIMEOUT && s_again (ctx, fill))
        return SYNOD_OK;
    if (reply->code != SYNOD_OK)
        s_fail (ctx, fill, reply);
    else if (synod_record_unpack (&synod__kv_filled_record, reply->body, &in, &fault) != SYNOD_OK)
        s_no_value (ctx, fill, fault.text);
    else
        rc = s_filled (ctx, fill, &in);
    s_free (fill);
    return rc;
}
