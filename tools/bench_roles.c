/* SPDX-License-Identifier: MPL-2.0
 *
 * The roles of the benchmark on synod, through the public interface alone, as a user would write them.
 */
#include "bench.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <synod/synod.h>

#define JOIN_MS 10000

/* clang-format off */
#define BLOB_FIELDS(FIELD, OPT) FIELD (bin, data, SYNOD_BODY_MAX, "bytes that mean nothing")
/* clang-format on */
SYNOD_RECORD (blob, BLOB_FIELDS, 0, "a message of a benchmark")
SYNOD_RECORD (echo, BLOB_FIELDS, 0, "ask for the same bytes back")

static int failed (const char *what, int code, const char *sentence)
{
    fprintf (stderr, "synod bench: %s: %s: %s\n", what, synod_error_name (code), sentence);
    return code == SYNOD_TIMEOUT || code == SYNOD_NO_ROUTE ? 3 : 1;
}

static synod_handle_t *join (const synod__bench_t *self, int *rc)
{
    synod_options_t options = {.bus = self->bus, .no_links = self->no_links, .connect_ms = JOIN_MS};
    synod_fault_t fault = {0};
    synod_handle_t *handle = synod_handle_new (&options, &fault);
    *rc = handle ? 0 : failed ("cannot join the bus", fault.code, fault.text);
    return handle;
}

static char *new_data (const synod__bench_t *self)
{
    char *data = malloc (self->size);
    if (data)
        memset (data, 'x', self->size);
    else
        fprintf (stderr, "synod bench: no memory\n");
    return data;
}

static void await_start (const synod__bench_t *self, synod_handle_t *handle)
{
    if (!self->wait)
        return;
    synod__measure_ready ();
    while (!synod__measure_started (100))
        synod_handle_poll (handle, 0);
}

int synod__bench_publish (const synod__bench_t *self)
{
    int rc;
    char *data = new_data (self);
    synod_handle_t *handle = data ? join (self, &rc) : NULL;
    if (!handle) {
        free (data);
        return data ? rc : 1;
    }
    await_start (self, handle);
    blob_t blob = {.data = synod_str_n (data, self->size)};
    int code = SYNOD_OK;
    for (uint64_t i = 0; code == SYNOD_OK && i < self->count; i++) {
        synod__measure_stamp (data, i);
        code = synod_handle_publish (handle, SYNOD__BENCH_TOPIC, &blob_record, &blob, (int) self->quiet_ms);
    }
    if (code == SYNOD_OK)
        code = synod_handle_flush (handle, (int) self->quiet_ms);
    rc = code == SYNOD_OK ? 0 : failed ("cannot publish", code, synod_handle_error (handle));
    synod_handle_destroy (&handle);
    free (data);
    return rc;
}

int synod__bench_subscribe (const synod__bench_t *self)
{
    synod__measure_t run = {.system = "synod", .scenario = "topics"};
    run.size = (uint32_t) self->size;
    run.expected = self->count;
    int rc = synod__measure_init (&run, false);
    synod_handle_t *handle = rc ? NULL : join (self, &rc);
    if (!handle)
        return rc;
    int code = synod_handle_subscribe (handle, SYNOD__BENCH_TOPIC, JOIN_MS);
    if (code != SYNOD_OK) {
        rc = failed ("cannot subscribe", code, synod_handle_error (handle));
        synod_handle_destroy (&handle);
        return rc;
    }
    synod__measure_ready ();
    synod_message_t message;
    bool done = false;
    /* before the first message a person may take any time to start a publisher */
    while (!done && code == SYNOD_OK) {
        code = synod_handle_receive (handle, run.received ? (int) self->quiet_ms : -1, &message);
        blob_t blob;
        if (code != SYNOD_OK)
            break;
        if (synod_record_unpack (&blob_record, message.body, &blob, NULL) == SYNOD_OK)
            done = synod__measure_take (&run, blob.data.data, blob.data.size);
        else
            run.wrong++;
    }
    if (code != SYNOD_OK && code != SYNOD_TIMEOUT)
        failed ("cannot receive", code, synod_handle_error (handle));
    run.gaps = synod_handle_gaps (handle);
    rc = synod__measure_report (&run, self->json);
    synod_handle_destroy (&handle);
    return rc;
}

/* All workers are known, and on the path that is to be measured, before the first ask. */
static int await_workers (const synod__bench_t *self, synod_handle_t *handle)
{
    int code = self->awaited[0] ? SYNOD_OK : synod_handle_await (handle, SYNOD__BENCH_ACTOR, JOIN_MS);
    for (const char *const *awaited = self->awaited; code == SYNOD_OK && *awaited; awaited++)
        code = synod_handle_await (handle, *awaited, JOIN_MS);
    if (code != SYNOD_OK)
        return failed ("a worker is not there", code, synod_handle_error (handle));
    for (const char *const *link = self->links; code == SYNOD_OK && *link; link++)
        code = synod_handle_link (handle, *link, JOIN_MS);
    return code == SYNOD_OK ? 0 : failed ("no direct link", code, synod_handle_error (handle));
}

static int take_reply (synod__measure_t *run, const synod_reply_t *reply, bool *done)
{
    echo_t answer;
    if (reply->code != SYNOD_OK) {
        fprintf (stderr, "synod bench: an ask failed: %.*s: %.*s\n", SYNOD_STR (reply->error),
                 SYNOD_STR (reply->message));
        return reply->code;
    }
    if (synod_record_unpack (&echo_record, reply->body, &answer, NULL) == SYNOD_OK)
        *done = synod__measure_answer (run, answer.data.data, answer.data.size);
    else
        run->wrong++;
    return SYNOD_OK;
}

/* Keeps `outstanding` asks under way: takes what has come, then refills the window. */
static int ask_all (const synod__bench_t *self, synod_handle_t *handle, synod__measure_t *run, char *data)
{
    echo_t question = {.data = synod_str_n (data, self->size)};
    uint32_t ask_ms = (uint32_t) self->quiet_ms;
    uint64_t sent = 0, id;
    synod_reply_t reply;
    bool done = false;
    int code = SYNOD_OK;
    while (code == SYNOD_OK && !done) {
        while (code == SYNOD_OK && sent < self->count && sent - run->received < self->outstanding) {
            synod__measure_stamp (data, sent);
            synod__measure_sent (run, sent++);
            code = synod_handle_ask_start (handle, SYNOD__BENCH_ACTOR, &echo_record, &question, ask_ms, &id);
        }
        int timeout_ms = (int) self->quiet_ms;
        while (code == SYNOD_OK && !done) {
            int rc = synod_handle_wait (handle, timeout_ms, &id, &reply);
            if (rc == SYNOD_OK)
                code = take_reply (run, &reply, &done);
            else if (timeout_ms == 0 && (rc == SYNOD_TIMEOUT || rc == SYNOD_NOT_FOUND))
                break; /* all that had come is taken */
            else
                code = rc;
            timeout_ms = 0;
        }
    }
    return code;
}

int synod__bench_ask (const synod__bench_t *self)
{
    synod__measure_t run = {.system = "synod", .scenario = "ask"};
    run.size = (uint32_t) self->size;
    run.expected = self->count;
    int rc = 1;
    char *data = new_data (self);
    synod_handle_t *handle = data && synod__measure_init (&run, true) == 0 ? join (self, &rc) : NULL;
    if (handle && (rc = await_workers (self, handle)) == 0) {
        await_start (self, handle);
        int code = ask_all (self, handle, &run, data);
        if (code != SYNOD_OK)
            rc = failed ("cannot ask", code, synod_handle_error (handle));
        int is_void = synod__measure_report (&run, self->json);
        rc = rc ? rc : is_void;
    }
    if (handle)
        synod_handle_destroy (&handle);
    synod__measure_free (&run);
    free (data);
    return rc;
}

static int on_echo (synod_ctx_t *ctx, void *state, const echo_t *in, synod_call_t call)
{
    (void) state;
    return synod_reply (ctx, call, &echo_record, in);
}

static const synod_actor_t echo = {
    .name = SYNOD__BENCH_ACTOR,
    .doc = "answers with what it was asked",
    .routes = (synod_route_t[]){SYNOD_ON (echo, on_echo), SYNOD_END},
};

int synod__bench_serve (const synod__bench_t *self)
{
    /* blocked before the node's threads start, so that none of them is interrupted */
    sigset_t signals;
    sigemptyset (&signals);
    sigaddset (&signals, SIGINT);
    sigaddset (&signals, SIGTERM);
    pthread_sigmask (SIG_BLOCK, &signals, NULL);
    synod_options_t options = {.bus = self->bus, .name = self->node, .no_links = self->no_links, .connect_ms = JOIN_MS};
    synod_fault_t fault = {0};
    synod_node_t *node = synod_node_new (&options, &fault);
    int code = node ? synod_node_add (node, &echo, NULL, &fault) : fault.code;
    if (code == SYNOD_OK)
        code = synod_node_start (node, &fault);
    if (code == SYNOD_OK) {
        synod__measure_ready ();
        struct timespec pause = {.tv_nsec = 200000000};
        while (sigtimedwait (&signals, NULL, &pause) < 0 && (code = synod_node_wait (node, 0, &fault)) == SYNOD_TIMEOUT)
            ;
        if (code == SYNOD_TIMEOUT || code == SYNOD_OK) {
            synod_node_stop (node);
            code = synod_node_wait (node, JOIN_MS, &fault);
        }
    }
    if (node)
        synod_node_destroy (&node);
    return code == SYNOD_OK ? 0 : failed ("cannot serve", code, fault.text);
}
