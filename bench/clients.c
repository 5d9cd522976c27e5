/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients that share a handle: see bench/clients.h.
 */
#include "bench/clients.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "actors/runtime/runtime.h"
#include "protocol/catalogue.h"

#define SLICE_MS 100 /* how long it waits before it looks whether all is over */
#define EVENTS   64  /* handles that are served before others are looked for */

int clients_failed (const clients_t *self, const char *what, int code, const char *sentence)
{
    fprintf (stderr, "%s: %s: %s: %s\n", self->who, what, synod_error_name (code), sentence);
    return code == SYNOD_TIMEOUT || code == SYNOD_NO_ROUTE ? 3 : 1;
}

/* A direct path to NODE and one back. For that one the node asks when it has sent so much. */
static int both_ways (synod_handle_t *handle, const char *node)
{
    char to[SYNOD_ADDRESS_MAX + 1];
    synod_reply_t reply;
    snprintf (to, sizeof to, "%s/" SYNOD_NODE_ACTOR, node);
    int code = synod_handle_link (handle, node, CLIENTS_JOIN_MS);
    for (int i = 0; code == SYNOD_OK && i < SYNOD__LINK_AFTER; i++)
        code = synod_handle_ask_body (handle, to, "status", synod_str_n (NULL, 0), SYNOD_IDEMPOTENT, CLIENTS_JOIN_MS,
                                      &reply);
    return code;
}

int clients_open (clients_t *self, const char *to)
{
    const clients_plan_t *plan = self->plan;
    const bool direct = plan->peers[0] != NULL;
    const synod_options_t options = {.bus = plan->bus,
                                     .direct = direct,
                                     .peers = direct ? (const char **) plan->peers : NULL,
                                     .connect_ms = CLIENTS_JOIN_MS};
    synod_fault_t fault = {0};
    self->next = self->first;
    self->client = calloc (self->end - self->first, sizeof *self->client);
    if (!self->client)
        return clients_failed (self, "cannot begin", SYNOD_FULL, "no memory");
    self->handle = synod_handle_new (&options, &fault);
    if (!self->handle)
        return clients_failed (self, "cannot join the bus", fault.code, fault.text);
    int code = synod_handle_await (self->handle, to, CLIENTS_JOIN_MS);
    if (code != SYNOD_OK)
        return clients_failed (self, to, code, synod_handle_error (self->handle));
    for (uint64_t i = 0; code == SYNOD_OK && plan->links[i]; i++)
        code = both_ways (self->handle, plan->links[i]);
    return code == SYNOD_OK ? 0 : clients_failed (self, "cannot link", code, synod_handle_error (self->handle));
}

void clients_close (clients_t *self)
{
    if (self->handle)
        synod_handle_destroy (&self->handle);
    synod__measure_free (&self->run);
    free (self->client);
    self->client = NULL;
}

int clients_ask (clients_t *self, uint64_t at, const char *address, const synod_record_t *record, const void *in)
{
    return synod_handle_ask_start (self->handle, address, record, in, (uint32_t) self->plan->quiet_ms,
                                   &self->client[at - self->first].id);
}

/* The client whose ask ID is, the likeliest first: answers come in the order of asks, mostly. END: none's. */
static uint64_t client_of (clients_t *self, uint64_t id)
{
    uint64_t at = self->next;
    for (uint64_t i = self->first; i < self->end; i++) {
        uint64_t after = at + 1 < self->end ? at + 1 : self->first;
        if (self->client[at - self->first].id == id) {
            self->next = after;
            return at;
        }
        at = after;
    }
    return self->end;
}

static int take (clients_t *self, uint64_t id, const synod_reply_t *reply)
{
    uint64_t at = client_of (self, id);
    if (at == self->end) {
        self->strays++;
        return SYNOD_OK;
    }
    self->client[at - self->first].id = 0;
    if (reply->code == SYNOD_OK)
        return self->take (self, at, reply);
    fprintf (stderr, "%s: an ask failed: %.*s: %.*s\n", self->who, SYNOD_STR (reply->error),
             SYNOD_STR (reply->message));
    return reply->code;
}

static int begin_all (clients_t *self)
{
    int code = SYNOD_OK;
    self->idle = false;
    self->heard_ns = synod__measure_now_ns ();
    for (uint64_t at = self->first; code == SYNOD_OK && at < self->end; at++)
        code = self->begin (self, at);
    return code;
}

/* Waits for an answer, and takes all that have come before anything leaves. A lone client's is the only one. */
static int serve (clients_t *self, int timeout_ms)
{
    uint64_t id;
    synod_reply_t reply;
    while (!atomic_load (self->over)) {
        int rc = synod_handle_wait (self->handle, timeout_ms, &id, &reply);
        self->idle = rc == SYNOD_NOT_FOUND; /* other sets have what was left */
        if (self->idle)
            return SYNOD_OK;
        int64_t now_ns = synod__measure_now_ns ();
        if (rc == SYNOD_TIMEOUT && now_ns - self->heard_ns <= (int64_t) self->plan->quiet_ms * 1000000)
            return SYNOD_OK;
        if (rc == SYNOD_OK)
            rc = take (self, id, &reply);
        if (rc != SYNOD_OK)
            return rc;
        self->heard_ns = now_ns;
        if (timeout_ms == 0 && self->end - self->first == 1)
            return SYNOD_OK;
        timeout_ms = 0;
    }
    return SYNOD_OK;
}

int clients_go (clients_t *self)
{
    int code = begin_all (self);
    while (code == SYNOD_OK && !self->idle && !atomic_load (self->over))
        code = serve (self, SLICE_MS);
    return code;
}

static int cannot_go_on (const clients_t *self, int code)
{
    return code == SYNOD_OK ? 0 : clients_failed (self, "cannot go on", code, synod_handle_error (self->handle));
}

/* One that has become idle leaves LEFT, and ALL: what it hears of the bus is of no interest. */
static int serve_of (int all, clients_t *self, uint64_t *left)
{
    int code = serve (self, 0);
    if (code != SYNOD_OK || !self->idle)
        return cannot_go_on (self, code);
    epoll_ctl (all, EPOLL_CTL_DEL, synod_handle_fd (self->handle), NULL);
    --*left;
    return 0;
}

static int go_all (int all, clients_t *sets, uint64_t count)
{
    struct epoll_event events[EVENTS];
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &sets[i]};
        if (epoll_ctl (all, EPOLL_CTL_ADD, synod_handle_fd (sets[i].handle), &event))
            return clients_failed (&sets[i], "cannot wait", SYNOD_IO, strerror (errno));
        rc = cannot_go_on (&sets[i], begin_all (&sets[i]));
    }
    for (uint64_t left = count; rc == 0 && left && !atomic_load (sets->over);) {
        int found = epoll_wait (all, events, EVENTS, SLICE_MS);
        for (int i = 0; rc == 0 && i < found; i++)
            rc = serve_of (all, events[i].data.ptr, &left);
        for (uint64_t i = 0; rc == 0 && found == 0 && i < count; i++) /* for too long? */
            if (!sets[i].idle)
                rc = serve_of (all, &sets[i], &left);
    }
    return rc;
}

int clients_go_all (clients_t *sets, uint64_t count)
{
    if (count == 1)
        return cannot_go_on (sets, clients_go (sets));
    int all = epoll_create1 (EPOLL_CLOEXEC);
    if (all < 0)
        return clients_failed (sets, "cannot wait", SYNOD_IO, strerror (errno));
    int rc = go_all (all, sets, count);
    close (all);
    return rc;
}

bool clients_next (clients_t *self, uint64_t at)
{
    if (self->begun == self->run.expected)
        return false;
    self->client[at - self->first].number = self->begun;
    synod__measure_sent (&self->run, self->begun++);
    return true;
}

void clients_done (clients_t *self, uint64_t at)
{
    char data[SYNOD__MEASURE_SIZE_MIN];
    synod__measure_stamp (data, self->client[at - self->first].number);
    if (synod__measure_answer (&self->run, data, self->run.size))
        atomic_store (self->over, true);
}

int clients_measure (clients_t *self)
{
    synod__measure_ready ();
    while (!synod__measure_started (100))
        synod_handle_poll (self->handle, 0);
    int rc = cannot_go_on (self, self->go ? self->go (self) : clients_go (self));
    self->run.wrong += self->strays;
    if (rc == 0 && self->check)
        rc = self->check (self);
    int is_void = synod__measure_report (&self->run, self->plan->json);
    return rc ? rc : is_void;
}
