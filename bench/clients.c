/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients that share a handle: see bench/clients.h.
 */
#include "bench/clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SLICE_MS 100 /* how long it waits before it looks whether all is over */

int clients_failed (const clients_t *self, const char *what, int code, const char *sentence)
{
    fprintf (stderr, "%s: %s: %s: %s\n", self->who, what, synod_error_name (code), sentence);
    return code == SYNOD_TIMEOUT || code == SYNOD_NO_ROUTE ? 3 : 1;
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
        code = synod_handle_link (self->handle, plan->links[i], CLIENTS_JOIN_MS);
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

int clients_go (clients_t *self)
{
    int code = SYNOD_OK, timeout_ms = SLICE_MS;
    uint64_t id;
    synod_reply_t reply;
    int64_t heard_ns = synod__measure_now_ns ();
    for (uint64_t at = self->first; code == SYNOD_OK && at < self->end; at++)
        code = self->begin (self, at);
    while (code == SYNOD_OK && !atomic_load (self->over)) {
        int rc = synod_handle_wait (self->handle, timeout_ms, &id, &reply);
        if (rc == SYNOD_OK) {
            code = take (self, id, &reply);
            timeout_ms = 0; /* all that had come is taken before anything leaves */
            heard_ns = synod__measure_now_ns ();
        } else if (rc == SYNOD_NOT_FOUND) {
            return SYNOD_OK; /* other sets have what was left */
        } else if (rc != SYNOD_TIMEOUT ||
                   synod__measure_now_ns () - heard_ns > (int64_t) self->plan->quiet_ms * 1000000) {
            code = rc;
        } else
            timeout_ms = SLICE_MS;
    }
    return code;
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
    int code = self->go ? self->go (self) : clients_go (self);
    int rc = code == SYNOD_OK ? 0 : clients_failed (self, "cannot go on", code, synod_handle_error (self->handle));
    self->run.wrong += self->strays;
    if (rc == 0 && self->check)
        rc = self->check (self);
    int is_void = synod__measure_report (&self->run, self->plan->json);
    return rc ? rc : is_void;
}
