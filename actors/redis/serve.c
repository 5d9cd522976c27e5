/* SPDX-License-Identifier: MPL-2.0
 *
 * Connections: their requests are read, run, and answered in their order.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>
#include "actors/runtime/memory.h"
#include "protocol/frame.h"
#include "slots.h"

/* ---- requests ---- */

void synod__redis_say (synod_buf_t *out, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start (args, format);
    int size = vsnprintf (text, sizeof text, format, args);
    va_end (args);
    size_t whole = size < 0 ? 0 : (size_t) size < sizeof text ? (size_t) size : sizeof text - 1;
    synod__resp_error (out, synod_str_n (text, whole));
}

static void s_unknown (synod__redis_request_t *request)
{
    char args[160];
    size_t used = 0;
    args[0] = 0;
    for (uint32_t i = 1; i < request->argc && used < 128; i++) {
        int most = 128 - (int) used, size = (int) request->argv[i].size;
        used += (size_t) snprintf (args + used, sizeof args - used, "'%.*s' ", size < most ? size : most,
                                   request->argv[i].data);
    }
    int size = (int) request->argv[0].size;
    synod__redis_say (synod__redis_out (request), "ERR unknown command '%.*s', with args beginning with: %s",
                      size < 128 ? size : 128, request->argv[0].data, args);
}

static const synod__redis_command_t *s_command (synod__redis_conn_t *conn, synod_str_t name)
{
    const synod__redis_command_t *last = conn->last;
    if (last && name.size == strlen (last->name) && synod__redis_is (name, last->name))
        return last;
    return conn->last = synod__redis_find (name);
}

static void s_request (synod__redis_conn_t *conn)
{
    synod__redis_t *self = conn->redis;
    synod__redis_request_t request = {.redis = self, .conn = conn, .argc = conn->resp.argc, .argv = conn->resp.argv};
    request.command = s_command (conn, request.argv[0]);
    self->commands++;
    if (!request.command) {
        s_unknown (&request);
        return;
    }
    int arity = request.command->arity;
    if (arity < 0 ? request.argc < (uint32_t) -arity : request.argc != (uint32_t) arity) {
        synod__redis_say (synod__redis_out (&request), "ERR wrong number of arguments for '%s' command",
                          request.command->name);
        return;
    }
    request.command->run (&request);
}

/* Whether more can be taken on. */
static bool s_room (synod__redis_conn_t *conn)
{
    conn->starved = conn->redis->asks >= SYNOD__REDIS_ASKS_MAX;
    return conn->nline < SYNOD__REDIS_LINE_MAX && !conn->starved;
}

static void s_hold (synod__redis_conn_t *conn, bool held)
{
    conn->held = held;
    synod_conn_hold (conn->conn, held);
}

int synod__redis_on_bytes (synod_ctx_t *ctx, void *self_, synod_conn_t *of, synod_str_t in, size_t *used)
{
    synod__redis_t *self = (synod__redis_t *) self_;
    synod__redis_conn_t *conn = *(synod__redis_conn_t **) synod_conn_state (of);
    self->ctx = ctx;
    conn->again = false;
    while (!conn->closing && !synod_conn_full (of)) {
        char room[64];
        const char *error = NULL;
        size_t size;
        if (!s_room (conn)) {
            s_hold (conn, true);
            break;
        }
        synod_str_t rest = synod_str_n (in.data + *used, in.size - *used);
        synod__resp_state_t state = synod__resp_read (&conn->resp, rest, &size, room, &error);
        if (state == SYNOD__RESP_MORE)
            break;
        if (state == SYNOD__RESP_BAD) {
            synod__redis_request_t request = {.redis = self, .conn = conn};
            synod__redis_say (synod__redis_out (&request), "ERR Protocol error: %s", error);
            synod__redis_leave (conn);
            break;
        }
        if (conn->resp.argc > 0)
            s_request (conn);
        if (conn->again) {
            s_hold (conn, true);
            break;
        }
        *used += size;
    }
    if (conn->closing)
        *used = in.size;
    return self->back->after ? self->back->after (ctx, self->self) : SYNOD_OK;
}

/* ---- life ---- */

int synod__redis_init (synod_ctx_t *ctx, synod__redis_t *self, const synod__redis_back_t *back, void *of)
{
    self->back = back;
    self->self = of;
    self->started_us = synod_now_us (ctx);
    return SYNOD_OK;
}

static void s_free (synod__redis_conn_t *conn)
{
    synod__resp_free (&conn->resp);
    free (conn);
}

void synod__redis_fini (synod_ctx_t *ctx, void *self_)
{
    synod__redis_t *self = (synod__redis_t *) self_;
    (void) ctx;
    for (synod__redis_conn_t *conn = self->first, *next; conn; conn = next) {
        next = conn->next;
        s_free (conn);
    }
    synod__redis_slots_free (self);
    synod_buf_free (&self->body);
    synod_buf_free (&self->items);
}

int synod__redis_on_open (synod_ctx_t *ctx, void *self_, synod_conn_t *of)
{
    synod__redis_t *self = (synod__redis_t *) self_;
    synod__redis_conn_t *conn = (synod__redis_conn_t *) synod__alloc (sizeof *conn);
    (void) ctx;
    *(synod__redis_conn_t **) synod_conn_state (of) = conn;
    conn->conn = of;
    conn->redis = self;
    conn->id = ++self->accepted;
    self->conns++;
    DL_APPEND (self->first, conn);
    return SYNOD_OK;
}

void synod__redis_leave (synod__redis_conn_t *conn)
{
    conn->closing = true;
    if (!conn->line)
        synod_conn_close (conn->conn);
}

int synod__redis_on_end (synod_ctx_t *ctx, void *self_, synod_conn_t *of)
{
    (void) ctx;
    (void) self_;
    synod__redis_leave (*(synod__redis_conn_t **) synod_conn_state (of));
    return SYNOD_OK;
}

void synod__redis_on_close (synod_ctx_t *ctx, void *self_, synod_conn_t *of)
{
    synod__redis_conn_t *conn = *(synod__redis_conn_t **) synod_conn_state (of);
    (void) ctx;
    (void) self_;
    synod__redis_line_drop (conn);
    DL_DELETE (conn->redis->first, conn);
    conn->redis->conns--;
    s_free (conn);
}

/* ---- what was held goes on ---- */

void synod__redis_answered (synod__redis_conn_t *conn)
{
    if (conn->closing && !conn->line)
        synod_conn_close (conn->conn);
    if (conn->held && !conn->starved && (conn->again || conn->nline <= SYNOD__REDIS_LINE_MAX / 2))
        s_hold (conn, false);
}

void synod__redis_fed (synod__redis_t *self)
{
    synod__redis_conn_t *conn;
    DL_FOREACH (self->first, conn)
    {
        if (conn->starved) {
            conn->starved = false;
            s_hold (conn, false);
        }
    }
}
