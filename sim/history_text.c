/* SPDX-License-Identifier: MPL-2.0
 *
 * Histories for people and in files. A file is a line an event:
 *
 *     history 1 register            the version of this format, and the model
 *     # a remark
 *     100 1 x write 5               time in us, client, key, operation, arguments
 *     120 1 -> ok                   time, client, results (ok: there are none)
 *     130 2 x read
 *     140 2 unknown                 or: failed
 *     cut                           at most once, last: a limit was reached while it was recorded
 *
 * A key that is not a word of letters, digits and _ . / : - stands in quotes, with \" \\ and \xHH; so does one that
 * begins with "-". nil is SYNOD_NIL.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "history_internal.h"
#include "protocol/frame.h"

#define S_VERSION   1
#define S_WORDS_MAX 8 /* in a line; no line has more than 6 */

/* ---- out ---- */

static bool s_plain (char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr ("_./:-", c));
}

int synod__key_print (synod_str_t key, synod_buf_t *out)
{
    bool plain = key.size > 0 && key.data[0] != '-';
    for (uint32_t i = 0; i < key.size; i++)
        plain = plain && s_plain (key.data[i]);
    if (plain)
        return synod__buf_add (out, key.data, key.size);
    int rc = synod__buf_add (out, "\"", 1);
    for (uint32_t i = 0; i < key.size && rc == SYNOD_OK; i++) {
        unsigned char c = (unsigned char) key.data[i];
        if (c < ' ' || c >= 0x7f)
            rc = synod__buf_printf (out, "\\x%02x", c);
        else
            rc = synod__buf_printf (out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    return rc == SYNOD_OK ? synod__buf_add (out, "\"", 1) : rc;
}

static int s_values (const int64_t *values, uint8_t count, synod_buf_t *out)
{
    int rc = SYNOD_OK;
    for (uint8_t i = 0; i < count && rc == SYNOD_OK; i++)
        rc = values[i] == SYNOD_NIL ? synod__buf_add (out, " nil", 4) : synod__buf_printf (out, " %" PRId64, values[i]);
    return rc;
}

/* " -> 5", " unknown", " failed" */
static int s_outcome (const synod_operation_t *how, const synod_op_t *op, synod_buf_t *out)
{
    if (op->outcome != SYNOD_OP_DONE)
        return synod__buf_printf (out, " %s", op->outcome == SYNOD_OP_FAILED ? "failed" : "unknown");
    int rc = synod__buf_printf (out, " ->%s", how->nresults ? "" : " ok");
    return rc == SYNOD_OK ? s_values (op->results, how->nresults, out) : rc;
}

int synod__op_print (const synod_model_t *model, const synod_op_t *op, synod_buf_t *out)
{
    const synod_operation_t *how = &model->operations[op->operation];
    int rc = synod__buf_add (out, how->name, strlen (how->name));
    if (rc == SYNOD_OK)
        rc = s_values (op->args, how->nargs, out);
    return rc == SYNOD_OK ? s_outcome (how, op, out) : rc;
}

int synod__op_line (const synod_model_t *model, const synod_op_t *op, synod_buf_t *out)
{
    char ended[32] = "";
    if (op->outcome == SYNOD_OP_DONE || op->outcome == SYNOD_OP_FAILED)
        snprintf (ended, sizeof ended, "%" PRId64, op->ended_us);
    int rc = synod__buf_printf (out, "  %8" PRId64 "..%-8s  client %-3" PRIu32 "  ", op->called_us, ended, op->client);
    if (rc == SYNOD_OK)
        rc = synod__op_print (model, op, out);
    return rc == SYNOD_OK ? synod__buf_add (out, "\n", 1) : rc;
}

int synod_history_print (const synod_history_t *self, uint32_t key, synod_buf_t *out)
{
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < self->count && rc == SYNOD_OK; i++) {
        const synod_op_t *op = &self->ops[i];
        if (key != UINT32_MAX && key != op->key)
            continue;
        if (key == UINT32_MAX) {
            rc = synod__key_print (synod_history_key (self, op->key), out);
            if (rc != SYNOD_OK)
                break;
        }
        rc = synod__op_line (self->model, op, out);
    }
    return rc;
}

static int s_save_call (const synod_history_t *self, const synod_op_t *op, synod_buf_t *out)
{
    const synod_operation_t *how = &self->model->operations[op->operation];
    int rc = synod__buf_printf (out, "%" PRId64 " %" PRIu32 " ", op->called_us, op->client);
    if (rc == SYNOD_OK)
        rc = synod__key_print (synod_history_key (self, op->key), out);
    if (rc == SYNOD_OK)
        rc = synod__buf_printf (out, " %s", how->name);
    if (rc == SYNOD_OK)
        rc = s_values (op->args, how->nargs, out);
    return rc;
}

static int s_save_event (const synod_history_t *self, uint32_t event, synod_buf_t *out)
{
    const synod_op_t *op = &self->ops[event / 2];
    int rc;
    if (event % 2 == 0) {
        rc = s_save_call (self, op, out);
    } else {
        rc = synod__buf_printf (out, "%" PRId64 " %" PRIu32, op->ended_us, op->client);
        if (rc == SYNOD_OK)
            rc = s_outcome (&self->model->operations[op->operation], op, out);
    }
    return rc == SYNOD_OK ? synod__buf_add (out, "\n", 1) : rc;
}

int synod_history_save (const synod_history_t *self, synod_buf_t *out)
{
    uint32_t *events = synod__history_events (self);
    if (!events)
        return SYNOD_NO_MEMORY;
    int rc = synod__buf_printf (out, "history %d %s\n", S_VERSION, self->model->name);
    for (uint32_t i = 0; i < self->events && rc == SYNOD_OK; i++)
        rc = s_save_event (self, events[i], out);
    if (rc == SYNOD_OK && self->cut)
        rc = synod__buf_add (out, "cut\n", 4);
    free (events);
    return rc;
}

/* ---- in ---- */

typedef struct {
    synod_str_t rest;               /* what has not been read */
    unsigned number;                /* of the line, from 1 */
    synod_str_t words[S_WORDS_MAX]; /* of the line; a key in quotes with its quotes */
    uint32_t nwords;
    synod_fault_t *fault;
} s_reader_t;

static int s_wrong (s_reader_t *reader, const char *expected, synod_str_t got)
{
    return synod_fault (reader->fault, SYNOD_INVALID, "line %u: expected %s, got \"%.*s\"", reader->number, expected,
                        (int) (got.size < 60 ? got.size : 60), got.data ? got.data : "");
}

static bool s_space (char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The end of a word that begins at I: a space outside of quotes. */
static uint32_t s_word_end (synod_str_t line, uint32_t i)
{
    bool quoted = false;
    for (; i < line.size && (quoted || !s_space (line.data[i])); i++) {
        if (line.data[i] == '"')
            quoted = !quoted;
        else if (quoted && line.data[i] == '\\' && i + 1 < line.size)
            i++;
    }
    return i;
}

/* The next line that says something, in words. False: none is left. */
static bool s_next_line (s_reader_t *reader)
{
    while (reader->rest.size > 0) {
        const char *end = (const char *) memchr (reader->rest.data, '\n', reader->rest.size);
        synod_str_t line =
            synod_str_n (reader->rest.data, end ? (size_t) (end - reader->rest.data) : reader->rest.size);
        uint32_t taken = line.size + (end ? 1 : 0);
        reader->rest = synod_str_n (reader->rest.data + taken, reader->rest.size - taken);
        reader->number++;
        reader->nwords = 0;
        for (uint32_t i = 0; i < line.size && reader->nwords < S_WORDS_MAX;) {
            if (s_space (line.data[i])) {
                i++;
                continue;
            }
            uint32_t until = s_word_end (line, i);
            reader->words[reader->nwords++] = synod_str_n (line.data + i, until - i);
            i = until;
        }
        if (reader->nwords > 0 && reader->words[0].data[0] != '#')
            return true;
    }
    return false;
}

static bool s_number (synod_str_t word, int64_t *value)
{
    char text[24], *end;
    if (synod_str_is (word, "nil")) {
        *value = SYNOD_NIL;
        return true;
    }
    if (word.size < 1 || word.size >= sizeof text ||
        !(word.data[0] == '-' || (word.data[0] >= '0' && word.data[0] <= '9')))
        return false;
    memcpy (text, word.data, word.size);
    text[word.size] = '\0';
    errno = 0;
    *value = strtoll (text, &end, 10);
    return errno == 0 && end == text + word.size && *value != SYNOD_NIL;
}

static int s_hex (char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* WORD without quotes and escapes, in TEXT of SYNOD_KEY_MAX bytes; its size, or 0: it is no key. */
static uint32_t s_key (synod_str_t word, char *text)
{
    uint32_t size = 0, i = 0, until = word.size;
    bool quoted = word.size >= 2 && word.data[0] == '"' && word.data[word.size - 1] == '"';
    if (quoted) {
        i++;
        until--;
    }
    while (i < until) {
        int c = (unsigned char) word.data[i++];
        if (size == SYNOD_KEY_MAX || (!quoted && !s_plain ((char) c)) || c == '"')
            return 0;
        if (c == '\\' && until - i >= 3 && word.data[i] == 'x') {
            int high = s_hex (word.data[i + 1]), low = s_hex (word.data[i + 2]);
            if (high < 0 || low < 0)
                return 0;
            c = high * 16 + low;
            i += 3;
        } else if (c == '\\') {
            if (i == until || (word.data[i] != '"' && word.data[i] != '\\'))
                return 0;
            c = (unsigned char) word.data[i++];
        }
        text[size++] = (char) c;
    }
    return size;
}

/* The values of the line from word FROM on: exactly COUNT, or the one word `ok` where there are none. */
static bool s_take_values (const s_reader_t *reader, uint32_t from, uint8_t count, int64_t *values)
{
    if (reader->nwords != from + count)
        return false;
    for (uint8_t i = 0; i < count; i++)
        if (!s_number (reader->words[from + i], &values[i]))
            return false;
    return true;
}

static int s_load_call (synod_history_t *self, s_reader_t *reader, int64_t now_us, uint32_t client)
{
    int64_t args[2] = {0, 0};
    char key[SYNOD_KEY_MAX];
    uint32_t size = s_key (reader->words[2], key), operation = 0;
    if (size == 0)
        return s_wrong (reader, "a key: a word, or in quotes with \\\" \\\\ and \\xHH", reader->words[2]);
    while (operation < self->model->noperations &&
           !synod_str_is (reader->words[3], self->model->operations[operation].name))
        operation++;
    if (operation == self->model->noperations)
        return s_wrong (reader, "an operation of the model", reader->words[3]);
    const synod_operation_t *how = &self->model->operations[operation];
    if (!s_take_values (reader, 4, how->nargs, args)) {
        char expected[64];
        snprintf (expected, sizeof expected, "%u numbers (or nil) as arguments", how->nargs);
        return s_wrong (reader, expected, reader->words[reader->nwords - 1]);
    }
    return synod_history_invoke (self, now_us, client, synod_str_n (key, size), operation, args[0], args[1]);
}

static int s_load_end (synod_history_t *self, s_reader_t *reader, int64_t now_us, uint32_t client)
{
    int64_t results[2] = {0, 0};
    const synod__history_client_t *known;
    HASH_FIND (hh, self->clients, &client, sizeof client, known);
    if (!known || known->open == SYNOD__NO_OP || reader->nwords == 2)
        return synod_history_fail (self, now_us, client); /* it has the sentence */
    if (reader->nwords == 3 && synod_str_is (reader->words[2], "failed"))
        return synod_history_fail (self, now_us, client);
    if (reader->nwords == 3 && synod_str_is (reader->words[2], "unknown"))
        return synod_history_unknown (self, now_us, client);
    uint8_t count = self->model->operations[self->ops[known->open].operation].nresults;
    bool ok = synod_str_is (reader->words[2], "->");
    if (ok && count == 0)
        ok = reader->nwords == 4 && synod_str_is (reader->words[3], "ok");
    else if (ok)
        ok = s_take_values (reader, 3, count, results);
    if (!ok) {
        char expected[80];
        snprintf (expected, sizeof expected, "failed, unknown, or -> and %u numbers (0: ok)", count);
        return s_wrong (reader, expected, reader->words[reader->nwords - 1]);
    }
    return synod_history_complete (self, now_us, client, results[0], results[1]);
}

static int s_load_event (synod_history_t *self, s_reader_t *reader)
{
    int64_t now_us, client;
    if (reader->nwords == 1 && synod_str_is (reader->words[0], "cut")) {
        synod__history_cut (self);
        return SYNOD_OK;
    }
    if (reader->nwords < 3)
        return s_wrong (reader, "time, client and what happened", reader->words[0]);
    if (!s_number (reader->words[0], &now_us) || now_us == SYNOD_NIL)
        return s_wrong (reader, "a time in microseconds", reader->words[0]);
    if (!s_number (reader->words[1], &client) || client < 0 || client > UINT32_MAX)
        return s_wrong (reader, "a client from 0 to 4294967295", reader->words[1]);
    bool end = synod_str_is (reader->words[2], "->") || reader->nwords == 3;
    if (reader->fault)
        reader->fault->code = SYNOD_OK;
    int rc = end ? s_load_end (self, reader, now_us, (uint32_t) client)
                 : s_load_call (self, reader, now_us, (uint32_t) client);
    if (rc != SYNOD_OK && reader->fault && reader->fault->code == SYNOD_OK)
        synod_fault (reader->fault, rc, "line %u: %s", reader->number, self->error);
    return rc;
}

static const synod_model_t *s_load_head (s_reader_t *reader, const synod_model_t *model)
{
    int64_t version = 0;
    if (!s_next_line (reader)) {
        synod_fault (reader->fault, SYNOD_INVALID, "expected \"history 1 MODEL\" in the first line, got nothing");
        return NULL;
    }
    if (reader->nwords != 3 || !synod_str_is (reader->words[0], "history") || !s_number (reader->words[1], &version)) {
        s_wrong (reader, "\"history 1 MODEL\"", reader->words[0]);
        return NULL;
    }
    if (version != S_VERSION) {
        s_wrong (reader, "version 1 of the format", reader->words[1]);
        return NULL;
    }
    const synod_model_t *found = model ? model : synod_model_find (reader->words[2]);
    if (!found || !synod_str_is (reader->words[2], found->name)) {
        s_wrong (reader, model ? model->name : "register, counter, lock, fenced_lock or reentrant_lock",
                 reader->words[2]);
        return NULL;
    }
    return found;
}

synod_history_t *synod_history_load (const synod_model_t *model, synod_str_t text, synod_fault_t *fault)
{
    s_reader_t reader = {.rest = text, .fault = fault};
    const synod_model_t *found = s_load_head (&reader, model);
    if (!found)
        return NULL;
    synod_history_t *self = synod_history_new (found, 0);
    if (!self) {
        synod_fault (fault, SYNOD_NO_MEMORY, "no memory for a history of %s, or the model is not whole", found->name);
        return NULL;
    }
    while (s_next_line (&reader)) {
        if (s_load_event (self, &reader) != SYNOD_OK) {
            synod_history_destroy (&self);
            return NULL;
        }
    }
    return self;
}
