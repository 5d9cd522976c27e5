/* SPDX-License-Identifier: MPL-2.0
 *
 * The host with connections.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "gate_host.h"

static int s_send (void *host, uint32_t link, synod_buf_t *frame)
{
    (void) host, (void) link, (void) frame;
    return SYNOD_OK;
}

static int s_publish (void *host, synod_buf_t *frame)
{
    (void) host, (void) frame;
    return SYNOD_OK;
}

static void s_answer (void *host, synod_str_t identity, synod_buf_t *frame)
{
    (void) host, (void) identity, (void) frame;
}

static void s_prefix (void *host, const char *prefix, size_t size)
{
    (void) host, (void) prefix, (void) size;
}

static const char *s_listen (void *host)
{
    (void) host;
    return NULL;
}

static int s_link_open (void *host, uint32_t link, const char *endpoint)
{
    (void) host, (void) link, (void) endpoint;
    return SYNOD_OK;
}

static void s_link_close (void *host, uint32_t link)
{
    (void) host, (void) link;
}

static int s_topics_join (void *host, const char *endpoint)
{
    (void) host, (void) endpoint;
    return SYNOD_OK;
}

static void s_topics_leave (void *host, const char *endpoint)
{
    (void) host, (void) endpoint;
}

static uint64_t s_random (void *host)
{
    (void) host;
    return 4;
}

static int64_t s_wall_us (void *host)
{
    return 1000000000000000 + ((const gate_host_t *) host)->now_us;
}

static void s_log (void *host, int level, const char *actor, const char *text)
{
    gate_host_t *self = (gate_host_t *) host;
    (void) level;
    snprintf (self->log, sizeof self->log, "%s: %s", actor, text);
}

static int s_gate_open (void *host, synod__gate_t *gate, const char *endpoint, synod_fault_t *fault)
{
    gate_host_t *self = (gate_host_t *) host;
    self->gate = gate;
    snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    return self->refuse ? synod_fault (fault, self->refuse, "no listening today") : SYNOD_OK;
}

static const synod__host_t s_ops = {.send = s_send,
                                    .publish = s_publish,
                                    .answer = s_answer,
                                    .subscribe = s_prefix,
                                    .unsubscribe = s_prefix,
                                    .listen = s_listen,
                                    .link_open = s_link_open,
                                    .link_close = s_link_close,
                                    .topics_join = s_topics_join,
                                    .topics_leave = s_topics_leave,
                                    .random = s_random,
                                    .wall_us = s_wall_us,
                                    .log = s_log,
                                    .gate_open = s_gate_open};

/* What the turn released. */
static void s_released (gate_host_t *self)
{
    synod_conn_t *of;
    while ((of = synod__rt_conn_next (self->rt))) {
        synod__conn_view_t view = synod__conn_view (of);
        gate_conn_t *conn = (gate_conn_t *) view.host;
        synod__buf_add (&conn->out, view.out->data, view.ready);
        conn->again = (conn->held && !view.held) || (!view.held && view.out->size > SYNOD_CONN_OUT_MAX);
        synod__conn_written (of, view.ready, SIZE_MAX);
        conn->held = view.held;
        if (view.closing) {
            conn->again = false;
            conn->late = true; /* until the next turn */
        }
    }
}

static void s_offer (gate_host_t *self, gate_conn_t *conn)
{
    size_t used = synod__rt_conn_bytes (self->rt, conn->conn, synod_str_n (conn->in.data, conn->in.size));
    assert (used <= conn->in.size);
    conn->in.size -= used;
    memmove (conn->in.data, conn->in.data + used, conn->in.size);
}

static int64_t s_turn (gate_host_t *self, gate_conn_t *with)
{
    synod__rt_turn_begin (self->rt, self->now_us);
    if (with && with->conn && !with->late)
        s_offer (self, with);
    for (int i = 0; i < GATE_CONNS; i++) {
        gate_conn_t *conn = &self->conns[i];
        if (conn->late && conn->conn) {
            synod__rt_conn_closed (self->rt, conn->conn);
            conn->conn = NULL;
        } else if (conn->again) {
            conn->again = false;
            s_offer (self, conn);
        }
    }
    int64_t until_us = synod__rt_turn_end (self->rt);
    s_released (self);
    for (int i = 0; i < GATE_CONNS; i++)
        if (self->conns[i].again || (self->conns[i].late && self->conns[i].conn))
            return self->now_us;
    return until_us;
}

static void s_settle (gate_host_t *self, gate_conn_t *with)
{
    int64_t until_us = s_turn (self, with);
    for (int i = 0; i < 10000 && until_us <= self->now_us; i++)
        until_us = s_turn (self, NULL);
}

int gate_start (gate_host_t *self, const synod_actor_t *type, const void *args, synod_fault_t *fault)
{
    const synod__rt_config_t config = {.node = "n",
                                       .incarnation = 1,
                                       .host = "",
                                       .endpoint = "tcp://127.0.0.1:1",
                                       .topics = "tcp://127.0.0.1:2",
                                       .heartbeat_ms = 1000,
                                       .drain_ms = 1000,
                                       .directory = true,
                                       .queue_bytes = SYNOD_QUEUE_MAX,
                                       .disk = self->disk};
    self->now_us = 1000000;
    self->rt = synod__rt_new (&config, &s_ops, self);
    int rc = synod__rt_add (self->rt, type, args, fault);
    if (rc != SYNOD_OK)
        return rc;
    synod__rt_turn_begin (self->rt, self->now_us);
    rc = synod__rt_start (self->rt, fault);
    synod__rt_turn_end (self->rt);
    for (int i = 0; rc == SYNOD_OK && i < 1000 && synod__rt_state (self->rt) != SYNOD__RT_UP; i++) {
        self->now_us += 10000;
        s_turn (self, NULL);
    }
    return rc == SYNOD_OK && synod__rt_state (self->rt) != SYNOD__RT_UP ? SYNOD_TIMEOUT : rc;
}

void gate_end (gate_host_t *self)
{
    synod__rt_destroy (&self->rt);
    for (int i = 0; i < GATE_CONNS; i++) {
        synod_buf_free (&self->conns[i].in);
        synod_buf_free (&self->conns[i].out);
    }
}

gate_conn_t *gate_connect (gate_host_t *self)
{
    gate_conn_t *conn = self->conns;
    while (conn < self->conns + GATE_CONNS && (conn->conn || conn->out.data))
        conn++;
    assert (conn < self->conns + GATE_CONNS);
    synod__rt_turn_begin (self->rt, self->now_us);
    conn->conn = synod__rt_conn_open (self->rt, self->gate, conn);
    synod__rt_turn_end (self->rt);
    s_released (self);
    return conn;
}

void gate_close (gate_host_t *self, gate_conn_t *conn)
{
    if (conn->conn) {
        synod__rt_turn_begin (self->rt, self->now_us);
        synod__rt_conn_closed (self->rt, conn->conn);
        synod__rt_turn_end (self->rt);
    }
    synod_buf_free (&conn->in);
    synod_buf_free (&conn->out);
    memset (conn, 0, sizeof *conn);
}

void gate_feed (gate_host_t *self, gate_conn_t *conn, const void *bytes, size_t size)
{
    synod__buf_add (&conn->in, bytes, size);
    s_settle (self, conn->held ? NULL : conn);
}

void gate_run (gate_host_t *self, uint32_t ms)
{
    for (uint32_t i = 0; i < ms; i++) {
        self->now_us += 1000;
        s_settle (self, NULL);
    }
}
