/* SPDX-License-Identifier: MPL-2.0
 *
 * Asking the table, and values in pieces.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>
#include "kv.h"
#include "protocol/address.h"
#include "protocol/text.h"

int synod__kvs_address (synod__kvs_t *self, const char *key, char out[SYNOD_ADDRESS_MAX + 1])
{
    synod_address_t address;
    synod_fault_t fault = {0};
    int size = snprintf (out, SYNOD_ADDRESS_MAX + 1, "%s#%s", self->actor, key);
    if (size > SYNOD_ADDRESS_MAX || synod__address_parse (synod_str (out), &address, &fault) != SYNOD_OK)
        return synod__misused (self->command, "%s",
                               *fault.text ? fault.text : "address: expected a key of 1 to 400 bytes, got more");
    return SYNOD__EXIT_NONE;
}

int synod__kvs_reach (synod__kvs_t *self, bool directory)
{
    int status = SYNOD__EXIT_NONE;
    const char *words[] = {self->actor, "get"};
    synod__command_t reach = *self->command;
    synod_buf_t body = {0};
    reach.words = words;
    reach.nwords = 2;
    self->handle = synod__reach (&reach, &self->join, directory || self->join.options.direct, &body, &status);
    synod_buf_free (&body);
    return status;
}

/* ---- values from outside ---- */

static int too_large (const char *what)
{
    char text[128];
    snprintf (text, sizeof text, "%s: expected a value of up to %d bytes, got more", what, SYNOD__KV_VALUE_MAX);
    return synod__fail (SYNOD_TOO_LARGE, text);
}

static int read_all (synod__kvs_t *self, const char *name, FILE *in)
{
    self->value.data = (char *) malloc (SYNOD__KV_VALUE_MAX + 1);
    if (!self->value.data)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for the value");
    self->value.capacity = SYNOD__KV_VALUE_MAX + 1;
    self->value.size = fread (self->value.data, 1, SYNOD__KV_VALUE_MAX + 1, in);
    if (ferror (in)) {
        fprintf (stderr, "synod: io: %s: %s\n", name, strerror (errno));
        return SYNOD__EXIT_ERROR;
    }
    return self->value.size > SYNOD__KV_VALUE_MAX ? too_large (name) : SYNOD__EXIT_NONE;
}

int synod__kvs_value (synod__kvs_t *self, const char *word)
{
    if (word && self->file)
        return synod__misused (self->command, "the value is given twice: as a word and by --file");
    if (word) {
        size_t size = strlen (word);
        if (size > SYNOD__KV_VALUE_MAX)
            return too_large ("the word");
        self->value.size = 0;
        if (size > self->value.capacity) {
            free (self->value.data);
            self->value.data = (char *) malloc (size);
            self->value.capacity = self->value.data ? size : 0;
        }
        if (size && !self->value.data)
            return synod__fail (SYNOD_NO_MEMORY, "no memory for the value");
        if (size)
            memcpy (self->value.data, word, size);
        self->value.size = size;
        return SYNOD__EXIT_NONE;
    }
    if (!self->file || strcmp (self->file, "-") == 0)
        return read_all (self, "standard input", stdin);
    FILE *in = fopen (self->file, "rb");
    if (!in) {
        fprintf (stderr, "synod: io: %s: %s\n", self->file, strerror (errno));
        return SYNOD__EXIT_ERROR;
    }
    int status = read_all (self, self->file, in);
    fclose (in);
    return status;
}

/* ---- asking ---- */

int synod__kvs_fail (const synod_reply_t *reply)
{
    const char *name = synod_error_name (reply->code), *meaning = synod_error_meaning (reply->code);
    fprintf (stderr, "synod: %.*s: %.*s\n", SYNOD_STR (reply->error.size ? reply->error : synod_str (name)),
             SYNOD_STR (reply->message.size ? reply->message : synod_str (meaning)));
    return synod__exit_code (reply->code);
}

static int ask (synod__kvs_t *self, const char *key, const synod_record_t *record, const void *in,
                const synod_record_t *answer, void *out, int *code)
{
    char to[SYNOD_ADDRESS_MAX + 1];
    synod_fault_t fault = {0};
    synod_reply_t reply = {0};
    int status = synod__kvs_address (self, key, to);
    if (status != SYNOD__EXIT_NONE)
        return status;
    synod_record_t plain = *record;
    plain.flags &= self->plain ? ~(uint32_t) SYNOD_ONCE : UINT32_MAX;
    *code = synod_handle_ask (self->handle, to, &plain, in, (int) self->join.timeout_ms, &reply);
    if (*code == SYNOD_NOT_FOUND && record == &synod__kv_piece_record)
        return SYNOD__EXIT_ERROR;
    if (*code != SYNOD_OK)
        return synod__kvs_fail (&reply);
    int rc = synod_record_unpack (answer, reply.body, out, &fault);
    return rc == SYNOD_OK ? SYNOD__EXIT_NONE : synod__fail (rc, fault.text);
}

int synod__kvs_ask (synod__kvs_t *self, const char *key, const synod_record_t *record, const void *in,
                    const synod_record_t *answer, void *out)
{
    int code = SYNOD_OK;
    return ask (self, key, record, in, answer, out, &code);
}

int synod__kvs_put (synod__kvs_t *self, const char *key, synod__kv_put_t *in, synod__kv_is_t *is)
{
    if (self->value.size <= SYNOD__KV_PIECE) {
        in->data = synod_str_n (self->value.data, self->value.size);
        return synod__kvs_ask (self, key, &synod__kv_put_record, in, &synod__kv_is_record, is);
    }
    synod__kv_upload_t piece = {0};
    synod__kv_uploaded_t uploaded;
    if (getrandom (&piece.upload, sizeof piece.upload, 0) != sizeof piece.upload)
        return synod__fail (SYNOD_IO, "no random number");
    piece.upload = piece.upload % SYNOD__KV_UPLOAD_MAX + 1;
    int status = SYNOD__EXIT_NONE;
    for (uint64_t at = 0; at < self->value.size && status == SYNOD__EXIT_NONE; at += piece.data.size) {
        uint64_t left = self->value.size - at;
        piece.data = synod_str_n (self->value.data + at, left < SYNOD__KV_PIECE ? left : SYNOD__KV_PIECE);
        status = synod__kvs_ask (self, key, &synod__kv_upload_record, &piece, &synod__kv_uploaded_record, &uploaded);
        piece.number++;
    }
    in->upload = piece.upload;
    in->size = self->value.size;
    return status == SYNOD__EXIT_NONE ? synod__kvs_ask (self, key, &synod__kv_put_record, in, &synod__kv_is_record, is)
                                      : status;
}

int synod__kvs_whole (synod__kvs_t *self, const char *key, synod_str_t data, uint64_t upload, uint64_t size,
                      synod_str_t *value, bool *gone)
{
    *value = data;
    *gone = false;
    if (!upload)
        return SYNOD__EXIT_NONE;
    if (self->pieces.capacity < size) {
        free (self->pieces.data);
        self->pieces.data = (char *) malloc (size);
        self->pieces.capacity = self->pieces.data ? size : 0;
        if (!self->pieces.data)
            return synod__fail (SYNOD_NO_MEMORY, "no memory for the value");
    }
    self->pieces.size = 0;
    for (synod__kv_piece_t in = {.upload = upload}; self->pieces.size < size; in.number++) {
        synod__kv_piece_is_t is = {0};
        int code = SYNOD_OK;
        int status = ask (self, key, &synod__kv_piece_record, &in, &synod__kv_piece_is_record, &is, &code);
        *gone = code == SYNOD_NOT_FOUND;
        if (status != SYNOD__EXIT_NONE)
            return *gone ? SYNOD__EXIT_NONE : status;
        uint64_t left = size - self->pieces.size, part = left < SYNOD__KV_PIECE ? left : SYNOD__KV_PIECE;
        *gone = is.data.size < part; /* of a stale one that was never so long for others */
        if (*gone)
            return SYNOD__EXIT_NONE;
        memcpy (self->pieces.data + self->pieces.size, is.data.data, part);
        self->pieces.size += part;
    }
    *value = synod_str_n (self->pieces.data, size);
    return SYNOD__EXIT_NONE;
}

/* ---- printing ---- */

void synod__kvs_print_value (synod_str_t value)
{
    if (value.size)
        fwrite (value.data, 1, value.size, stdout);
    if (isatty (STDOUT_FILENO))
        putchar ('\n');
}

/* Text where it is text, else bytes as synod prints them elsewhere. */
void synod__kvs_print_json (const char *name, synod_str_t value)
{
    printf (",\"%s\":", name);
    if (synod__utf8_ok (value.data, value.size)) {
        synod__print_text (stdout, value);
        return;
    }
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    printf ("{\"$bin\":\"");
    for (uint32_t at = 0; at < value.size; at += 3) {
        uint32_t bits = 0, left = value.size - at;
        for (uint32_t i = 0; i < 3; i++)
            bits = bits << 8 | (i < left ? (uint8_t) value.data[at + i] : 0);
        for (uint32_t i = 0; i < 4; i++)
            putchar (i <= left ? digits[bits >> (18 - 6 * i) & 63] : '=');
    }
    printf ("\"}");
}

/* What a write came to; a condition that did not hold is exit 1. */
int synod__kvs_print_is (synod__kvs_t *self, const char *key, const synod__kv_is_t *is)
{
    if (self->json) {
        printf ("{\"key\":");
        synod__print_text (stdout, synod_str (key));
        printf (",\"done\":%s", is->done ? "true" : "false");
        if (is->why.size)
            synod__kvs_print_json ("why", is->why);
        printf (",\"found\":%s", is->found ? "true" : "false");
        if (is->version)
            printf (",\"version\":%" PRIu64, is->version);
        if (is->found)
            printf (",\"size\":%" PRIu64, is->size);
        if (is->until_ms)
            printf (",\"until_ms\":%" PRIu64, is->until_ms);
        if (is->fence)
            printf (",\"fence\":%" PRIu64, is->fence);
        printf ("}\n");
    }
    if (is->done)
        return SYNOD__EXIT_DONE;
    if (synod_str_is (is->why, "fence"))
        fprintf (stderr, "synod: refused: %s: a higher fence was seen, %" PRIu64 "\n", key, is->fence);
    else if (synod_str_is (is->why, "version"))
        fprintf (stderr, "synod: refused: %s: its version is %" PRIu64 "\n", key, is->version);
    else
        fprintf (stderr, "synod: refused: %s: %s\n", key,
                 synod_str_is (is->why, "present") ? "it has a value already" : "it has no value");
    return SYNOD__EXIT_ERROR;
}
