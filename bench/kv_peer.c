/* SPDX-License-Identifier: MPL-2.0
 *
 * Native clients of the cache and of the table: each puts or gets its own key again and again, one ask at a time. All share
 * one handle, as etcd's clients share one connection; with many of them it is one client with as many asks under way.
 *
 *     kv_peer --to cache --outstanding 800 --get
 *     kv_peer --to kv --outstanding 16             puts, as commands: durable and copied when they are answered
 *
 * A run is void unless each answer says that it was done, or found with the value that was put.
 */
#include "bench/clients.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "protocol/kv_records.h"

#define CLIENTS_MAX 4096

typedef struct {
    clients_plan_t plan;
    clients_t clients;
    const char *to;
    uint64_t size;
    bool get;
    bool alone; /* a message for each key: asks of the handle */
    atomic_bool over;
    synod_record_t put; /* of kv a command, of a cache none */
    char *data;
    synod_kv_t *kv;
    char (*keys)[16];
} peer_t;

static void address_of (const peer_t *self, uint64_t at, char address[SYNOD_ADDRESS_MAX])
{
    snprintf (address, SYNOD_ADDRESS_MAX, "%s#bench/%08" PRIu64, self->to, at);
}

static int begin (clients_t *clients, uint64_t at)
{
    peer_t *self = clients->user;
    char address[SYNOD_ADDRESS_MAX];
    const synod__kv_put_t put = {.data = synod_str_n (self->data, self->size)};
    const synod__kv_get_t get = {0};
    if (!clients_next (clients, at))
        return SYNOD_OK;
    address_of (self, at, address);
    return clients_ask (clients, at, address, self->get ? &synod__kv_get_record : &self->put,
                        self->get ? (const void *) &get : &put);
}

static int take (clients_t *clients, uint64_t at, const synod_reply_t *reply)
{
    const peer_t *self = clients->user;
    synod__kv_is_t is;
    if (synod_record_unpack (&synod__kv_is_record, reply->body, &is, NULL) != SYNOD_OK) {
        clients->run.wrong++;
        return SYNOD_OK;
    }
    if (self->get ? !is.found || is.data.size != self->size : !is.done)
        clients->run.wrong++;
    clients_done (clients, at);
    return begin (clients, at);
}

/* ---- keys that go together ---- */

static int kv_begin (clients_t *clients, uint64_t at)
{
    const peer_t *self = clients->user;
    const synod_kv_op_t op = {.kind = self->get ? SYNOD_KV_GET : SYNOD_KV_PUT,
                              .key = synod_str_n (self->keys[at], sizeof self->keys[at] - 2),
                              .data = synod_str_n (self->data, self->get ? 0 : self->size)};
    return clients_next (clients, at) ? synod_kv_start (self->kv, &op, at) : SYNOD_OK;
}

static int kv_go (clients_t *clients)
{
    const peer_t *self = clients->user;
    int code = SYNOD_OK, timeout_ms = (int) self->plan.quiet_ms;
    for (uint64_t at = clients->first; code == SYNOD_OK && at < clients->end; at++)
        code = kv_begin (clients, at);
    while (code == SYNOD_OK && !atomic_load (clients->over)) {
        synod_kv_is_t is;
        uint64_t at;
        int rc = synod_kv_wait (self->kv, timeout_ms, &at, &is);
        if (rc == SYNOD_TIMEOUT && timeout_ms == 0) {
            timeout_ms = (int) self->plan.quiet_ms;
            continue;
        }
        if (rc == SYNOD_OK && is.code != SYNOD_OK) {
            fprintf (stderr, "kv_peer: an operation failed: %s: %.*s\n", synod_error_name (is.code),
                     SYNOD_STR (is.message));
            rc = is.code;
        }
        if (rc != SYNOD_OK)
            return rc;
        if (self->get ? !is.found || is.data.size != self->size : !is.done)
            clients->run.wrong++;
        clients_done (clients, at);
        code = kv_begin (clients, at);
        timeout_ms = 0; /* all that had come is taken before anything leaves */
    }
    return code;
}

static int kv_open (peer_t *self)
{
    synod_fault_t fault = {0};
    const synod_kv_options_t options = {.actor = self->to, .timeout_ms = (uint32_t) self->plan.quiet_ms};
    self->kv = synod_kv_new (self->clients.handle, &options, &fault);
    self->keys = calloc (self->plan.clients, sizeof *self->keys);
    if (!self->kv || !self->keys)
        return clients_failed (&self->clients, "no client", fault.code, fault.text);
    for (uint64_t at = 0; at < self->plan.clients; at++)
        snprintf (self->keys[at], sizeof *self->keys, "bench/%08" PRIu64, at % 100000000);
    self->clients.go = kv_go;
    return 0;
}

/* A value for each key. */
static int fill (peer_t *self)
{
    synod_handle_t *handle = self->clients.handle;
    const synod__kv_put_t put = {.data = synod_str_n (self->data, self->size)};
    for (uint64_t i = 0; i < self->plan.clients; i++) {
        char address[SYNOD_ADDRESS_MAX];
        synod_reply_t reply;
        address_of (self, i, address);
        int code = synod_handle_ask (handle, address, &self->put, &put, (int) self->plan.quiet_ms, &reply);
        if (code != SYNOD_OK)
            return clients_failed (&self->clients, "the keys cannot be put", code, synod_handle_error (handle));
    }
    return 0;
}

static int act (peer_t *self)
{
    int rc = clients_open (&self->clients, self->to);
    if (rc == 0)
        rc = fill (self);
    if (rc == 0 && !self->alone)
        rc = kv_open (self);
    return rc ? rc : clients_measure (&self->clients);
}

int main (int argc, char **argv)
{
    static peer_t self = {.plan = CLIENTS_PLAN, .size = 64};
    const synod__option_t options[] = {CLIENTS_OPTIONS (self.plan, "asks", "a key and one ask"),
                                       {"to", SYNOD__OPTION_TEXT, &self.to, "cache or kv"},
                                       {"get", SYNOD__OPTION_FLAG, &self.get, "get what is there (default: put)"},
                                       {"alone", SYNOD__OPTION_FLAG, &self.alone, "a message for each key"},
                                       {"size", SYNOD__OPTION_NUMBER, &self.size, "bytes of a value (default 64)"},
                                       {NULL, 0, NULL, NULL}};
    const char *usage = "kv_peer --to ACTOR [--bus ENDPOINT | --peer ENDPOINT...]";
    int rc = synod__options_parse (argc, argv, usage, options);
    if (rc)
        return rc < 0 ? 0 : rc;
    if (!self.to || self.size < SYNOD__MEASURE_SIZE_MIN || self.size > SYNOD__KV_PIECE || self.plan.clients < 1 ||
        self.plan.clients > CLIENTS_MAX) {
        fprintf (stderr, "usage: %s; sizes of %d to %d, 1 to %d clients\n", usage, SYNOD__MEASURE_SIZE_MIN,
                 SYNOD__KV_PIECE, CLIENTS_MAX);
        return 2;
    }
    self.put = synod__kv_put_record;
    if (strcmp (self.to, "cache") == 0)
        self.put.flags = 0;
    self.clients = (clients_t){.who = "kv_peer",
                               .plan = &self.plan,
                               .end = self.plan.clients,
                               .begin = begin,
                               .take = take,
                               .user = &self,
                               .over = &self.over,
                               .run = {.system = "synod",
                                       .scenario = self.get ? "get" : "put",
                                       .size = (uint32_t) self.size,
                                       .expected = self.plan.count}};
    rc = 1;
    if (synod__measure_init (&self.clients.run, true) == 0 && (self.data = malloc (self.size))) {
        memset (self.data, 'x', self.size);
        rc = act (&self);
    }
    synod_kv_destroy (&self.kv);
    clients_close (&self.clients);
    free (self.keys);
    free (self.data);
    return rc;
}
