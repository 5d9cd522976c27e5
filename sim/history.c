/* SPDX-License-Identifier: MPL-2.0
 *
 * Recording. Invariants: events have places 0, 1, 2, ... without a gap; a client has one open operation at most, and
 * an operation ends once; times do not go back. What breaks one of them is refused and leaves the history as it was.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "history_internal.h"

static int s_refuse (synod_history_t *self, int code, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

static int s_refuse (synod_history_t *self, int code, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (self->error, sizeof self->error, format, args);
    va_end (args);
    return code;
}

static bool s_model_ok (const synod_model_t *model)
{
    bool ok = model && model->name && model->init && model->step && model->print && model->state_size > 0 &&
              model->state_size <= SYNOD_STATE_MAX && model->operations && model->noperations > 0 &&
              model->noperations <= UINT16_MAX && (!model->equal || model->hash);
    for (uint32_t i = 0; ok && i < model->noperations; i++)
        ok = model->operations[i].name && model->operations[i].nargs <= 2 && model->operations[i].nresults <= 2;
    return ok;
}

synod_history_t *synod_history_new (const synod_model_t *model, uint32_t operations_max)
{
    if (!s_model_ok (model) || operations_max > SYNOD_HISTORY_OPERATIONS_MAX)
        return NULL;
    synod_history_t *self = (synod_history_t *) calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->model = model;
    self->count_max = operations_max ? operations_max : SYNOD_HISTORY_OPERATIONS_MAX;
    self->now_us = INT64_MIN;
    return self;
}

void synod_history_destroy (synod_history_t **self_p)
{
    synod_history_t *self = *self_p;
    if (!self)
        return;
    HASH_CLEAR (hh, self->by_key);
    for (uint32_t i = 0; i < self->nkeys; i++)
        free (self->keys[i]);
    synod__history_client_t *client = self->clients;
    HASH_CLEAR (hh, self->clients);
    while (client) {
        synod__history_client_t *next = (synod__history_client_t *) client->hh.next;
        free (client);
        client = next;
    }
    free (self->keys);
    free (self->ops);
    free (self);
    *self_p = NULL;
}

void synod__history_cut (synod_history_t *self)
{
    self->cut = true;
}

static int s_cut (synod_history_t *self, int code)
{
    synod__history_cut (self);
    return s_refuse (self, code, "the history is cut off after %u operations, of at most %u: %s", self->count,
                     self->count_max, synod_error_meaning (code));
}

/* Room for one more element; false: no memory, and all is as it was. */
static bool s_room (void **array, uint32_t *capacity, uint32_t count, size_t each)
{
    if (count < *capacity)
        return true;
    uint32_t more = *capacity ? *capacity * 2 : 16;
    void *grown = realloc (*array, more * each);
    if (!grown)
        return false;
    *array = grown;
    *capacity = more;
    return true;
}

/* NULL: no memory. */
static synod__history_key_t *s_key (synod_history_t *self, synod_str_t text)
{
    synod__history_key_t *key;
    HASH_FIND (hh, self->by_key, text.data, text.size, key);
    if (key)
        return key;
    if (!s_room ((void **) &self->keys, &self->keys_capacity, self->nkeys, sizeof *self->keys))
        return NULL;
    key = (synod__history_key_t *) calloc (1, sizeof *key + text.size + 1);
    if (!key)
        return NULL;
    memcpy (key->text, text.data, text.size);
    key->size = text.size;
    key->index = self->nkeys;
    HASH_ADD (hh, self->by_key, text, key->size, key);
    if (!key->hh.tbl) {
        free (key);
        return NULL;
    }
    return self->keys[self->nkeys++] = key;
}

static synod__history_client_t *s_client (synod_history_t *self, uint32_t number)
{
    synod__history_client_t *client;
    HASH_FIND (hh, self->clients, &number, sizeof number, client);
    return client;
}

/* The same, made if it is new; NULL: no memory. */
static synod__history_client_t *s_client_made (synod_history_t *self, uint32_t number)
{
    synod__history_client_t *client = s_client (self, number);
    if (client)
        return client;
    client = (synod__history_client_t *) calloc (1, sizeof *client);
    if (!client)
        return NULL;
    client->client = number;
    client->open = SYNOD__NO_OP;
    HASH_ADD (hh, self->clients, client, sizeof client->client, client);
    if (!client->hh.tbl) {
        free (client);
        return NULL;
    }
    return client;
}

/* What every event needs: not cut off, and time. */
static int s_may (synod_history_t *self, int64_t now_us)
{
    if (self->cut)
        return s_refuse (self, SYNOD_FULL, "the history was cut off after %u operations; nothing more is recorded",
                         self->count);
    if (now_us < self->now_us)
        return s_refuse (self, SYNOD_INVALID, "expected a time of %lld us or later, that of the last event, got %lld",
                         (long long) self->now_us, (long long) now_us);
    return SYNOD_OK;
}

int synod_history_invoke (synod_history_t *self, int64_t now_us, uint32_t client, synod_str_t key, uint32_t operation,
                          int64_t a, int64_t b)
{
    int rc = s_may (self, now_us);
    if (rc != SYNOD_OK)
        return rc;
    if (!key.data || key.size < 1 || key.size > SYNOD_KEY_MAX)
        return s_refuse (self, SYNOD_INVALID, "expected a key of 1 to %d bytes, got %u", SYNOD_KEY_MAX, key.size);
    if (operation >= self->model->noperations)
        return s_refuse (self, SYNOD_INVALID, "expected an operation of %s, 0 to %u, got %u", self->model->name,
                         self->model->noperations - 1, operation);
    const synod__history_client_t *known = s_client (self, client);
    if (known && known->open != SYNOD__NO_OP)
        return s_refuse (self, SYNOD_BUSY, "client %u has operation %u open; a client does one at a time", client,
                         known->open);
    if (self->count == self->count_max)
        return s_cut (self, SYNOD_FULL);
    synod__history_client_t *mine = s_client_made (self, client);
    const synod__history_key_t *entry = mine ? s_key (self, key) : NULL;
    if (!entry || !s_room ((void **) &self->ops, &self->capacity, self->count, sizeof *self->ops))
        return s_cut (self, SYNOD_NO_MEMORY);

    const synod_operation_t *how = &self->model->operations[operation];
    self->ops[self->count] = (synod_op_t){.client = client,
                                          .key = entry->index,
                                          .operation = (uint16_t) operation,
                                          .outcome = SYNOD_OP_OPEN,
                                          .called_at = self->events++,
                                          .ended_at = UINT32_MAX,
                                          .args = {how->nargs > 0 ? a : 0, how->nargs > 1 ? b : 0},
                                          .called_us = now_us,
                                          .ended_us = now_us};
    mine->open = self->count++;
    self->now_us = now_us;
    return SYNOD_OK;
}

/* Ends the client's open operation; *OP is it, or NULL. */
static int s_end (synod_history_t *self, int64_t now_us, uint32_t number, synod_outcome_t outcome, synod_op_t **op)
{
    *op = NULL;
    int rc = s_may (self, now_us);
    if (rc != SYNOD_OK)
        return rc;
    synod__history_client_t *client = s_client (self, number);
    if (!client || client->open == SYNOD__NO_OP)
        return s_refuse (self, SYNOD_NOT_FOUND, "client %u has no open operation that could end", number);
    *op = &self->ops[client->open];
    (*op)->outcome = (uint16_t) outcome;
    (*op)->ended_at = self->events++;
    (*op)->ended_us = self->now_us = now_us;
    client->open = SYNOD__NO_OP;
    return SYNOD_OK;
}

int synod_history_complete (synod_history_t *self, int64_t now_us, uint32_t client, int64_t a, int64_t b)
{
    synod_op_t *op;
    int rc = s_end (self, now_us, client, SYNOD_OP_DONE, &op);
    if (op) {
        uint8_t nresults = self->model->operations[op->operation].nresults;
        op->results[0] = nresults > 0 ? a : 0;
        op->results[1] = nresults > 1 ? b : 0;
    }
    return rc;
}

int synod_history_fail (synod_history_t *self, int64_t now_us, uint32_t client)
{
    synod_op_t *op;
    return s_end (self, now_us, client, SYNOD_OP_FAILED, &op);
}

int synod_history_unknown (synod_history_t *self, int64_t now_us, uint32_t client)
{
    synod_op_t *op;
    return s_end (self, now_us, client, SYNOD_OP_UNKNOWN, &op);
}

const char *synod_history_error (const synod_history_t *self)
{
    return self->error;
}

const synod_model_t *synod_history_model (const synod_history_t *self)
{
    return self->model;
}

uint32_t synod_history_count (const synod_history_t *self)
{
    return self->count;
}

bool synod_history_cut (const synod_history_t *self)
{
    return self->cut;
}

const synod_op_t *synod_history_op (const synod_history_t *self, uint32_t number)
{
    return number < self->count ? &self->ops[number] : NULL;
}

uint32_t synod_history_keys (const synod_history_t *self)
{
    return self->nkeys;
}

synod_str_t synod_history_key (const synod_history_t *self, uint32_t key)
{
    return key < self->nkeys ? synod_str_n (self->keys[key]->text, self->keys[key]->size) : synod_str_n (NULL, 0);
}

uint32_t *synod__history_events (const synod_history_t *self)
{
    uint32_t *events = (uint32_t *) malloc ((self->events + 1) * sizeof *events);
    for (uint32_t i = 0; events && i < self->count; i++) {
        events[self->ops[i].called_at] = i * 2;
        if (self->ops[i].ended_at != UINT32_MAX)
            events[self->ops[i].ended_at] = i * 2 + 1;
    }
    return events;
}
