/* SPDX-License-Identifier: MPL-2.0
 *
 * synod kv mget, mput, scan: many keys. Those of mget and mput are asked at once, each by itself: the bus puts what goes to
 * one node into one frame. So each key is read or written as by itself, and there is no moment of which all of them tell.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "kv.h"

#define AT_ONCE 256
#define PAGE    1000

typedef struct {
    uint64_t ask;
    bool over;
    int code;
    synod__kv_is_t is;
    synod_buf_t bytes, error; /* what IS borrows; the sentence */
} one_t;

static int keep (synod_buf_t *to, synod_str_t bytes)
{
    if (bytes.size > to->capacity) {
        free (to->data);
        to->data = (char *) malloc (bytes.size);
        to->capacity = to->data ? bytes.size : 0;
        if (!to->data)
            return SYNOD_NO_MEMORY;
    }
    if (bytes.size)
        memcpy (to->data, bytes.data, bytes.size);
    to->size = bytes.size;
    return SYNOD_OK;
}

static int take (one_t *one, const synod_reply_t *reply)
{
    one->over = true;
    one->code = reply->code;
    if (reply->code != SYNOD_OK)
        return keep (&one->error, reply->message);
    int rc = keep (&one->bytes, reply->body);
    return rc == SYNOD_OK ? synod_record_unpack (&synod__kv_is_record, synod_str_n (one->bytes.data, one->bytes.size),
                                                 &one->is, NULL)
                          : rc;
}

/* Waits for COUNT asks that are under way. */
static int gather (synod__kvs_t *self, one_t *all, int count)
{
    for (int left = count; left; left--) {
        uint64_t id;
        synod_reply_t reply = {0};
        int rc = synod_handle_wait (self->handle, (int) self->join.timeout_ms + 1000, &id, &reply);
        if (rc != SYNOD_OK)
            return synod__fail (rc, synod_handle_error (self->handle));
        for (int i = 0; i < count; i++)
            if (all[i].ask == id && !all[i].over && (rc = take (&all[i], &reply)) != SYNOD_OK)
                return synod__fail (rc, "an answer is none");
    }
    return SYNOD__EXIT_NONE;
}

/* ---- mget ---- */

static int print_one (synod__kvs_t *self, const char *key, const one_t *one)
{
    synod_str_t value = one->is.data;
    bool gone = false;
    if (one->code != SYNOD_OK) {
        fprintf (stderr, "synod: %s: %s: %.*s\n", synod_error_name (one->code), key, (int) one->error.size,
                 one->error.size ? one->error.data : "");
        return synod__exit_code (one->code);
    }
    int status = SYNOD__EXIT_NONE;
    if (one->is.found)
        status = synod__kvs_whole (self, key, one->is.data, one->is.upload, one->is.size, &value, &gone);
    if (status != SYNOD__EXIT_NONE)
        return status;
    if (self->json) {
        printf ("{\"key\":");
        synod__print_text (stdout, synod_str (key));
        if (one->is.found) {
            synod__kvs_print_json ("value", value);
            printf (",\"version\":%" PRIu64, one->is.version);
        } else
            printf (",\"value\":null");
        printf ("}\n");
    } else if (one->is.found)
        printf ("%s\t%.*s\n", key, SYNOD_STR (value));
    return one->is.found && !gone ? SYNOD__EXIT_DONE : SYNOD__EXIT_ERROR;
}

static int mget_some (synod__kvs_t *self, const char *const *keys, int count, one_t *all)
{
    int worst = SYNOD__EXIT_DONE, status = SYNOD__EXIT_NONE;
    for (int i = 0; i < count && status == SYNOD__EXIT_NONE; i++) {
        char to[SYNOD_ADDRESS_MAX + 1];
        all[i].over = false;
        status = synod__kvs_address (self, keys[i], to);
        const synod_record_t *record = self->stale ? &synod__kv_get_stale_record : &synod__kv_get_record;
        int rc = status != SYNOD__EXIT_NONE ? SYNOD_OK
                                            : synod_handle_ask_start (self->handle, to, record, &(synod__kv_get_t){0},
                                                                      self->join.timeout_ms, &all[i].ask);
        if (rc != SYNOD_OK)
            status = synod__fail (rc, synod_handle_error (self->handle));
    }
    if (status == SYNOD__EXIT_NONE)
        status = gather (self, all, count);
    for (int i = 0; i < count && status == SYNOD__EXIT_NONE; i++) {
        int one = print_one (self, keys[i], &all[i]);
        worst = one > worst ? one : worst;
    }
    return status == SYNOD__EXIT_NONE ? worst : status;
}

static one_t *room (void)
{
    one_t *all = (one_t *) calloc (AT_ONCE, sizeof *all);
    if (!all)
        synod__fail (SYNOD_NO_MEMORY, "no memory for answers");
    return all;
}

static void room_free (one_t *all)
{
    for (int i = 0; all && i < AT_ONCE; i++) {
        synod_buf_free (&all[i].bytes);
        synod_buf_free (&all[i].error);
    }
    free (all);
}

int synod__kvs_mget (synod__kvs_t *self, const char *const *words, int nwords)
{
    int status = synod__kvs_reach (self, false), worst = SYNOD__EXIT_DONE;
    one_t *all = status == SYNOD__EXIT_NONE ? room () : NULL;
    for (int at = 0; all && at < nwords && worst <= SYNOD__EXIT_ERROR; at += AT_ONCE) {
        int one = mget_some (self, words + at, nwords - at < AT_ONCE ? nwords - at : AT_ONCE, all);
        worst = one > worst ? one : worst;
    }
    room_free (all);
    return status != SYNOD__EXIT_NONE ? status : all ? worst : SYNOD__EXIT_ERROR;
}

/* ---- mput ---- */

/* KEY=VALUE: the key, which is NUL-terminated in OUT, and where the value begins. */
static const char *split (synod__kvs_t *self, const char *word, char out[SYNOD_KEY_MAX + 1], int *status)
{
    const char *equals = strchr (word, '=');
    char to[SYNOD_ADDRESS_MAX + 1];
    if (!equals || equals == word || equals - word > SYNOD_KEY_MAX) {
        *status = synod__misused (self->command, "expected KEY=VALUE with a key of 1 to %d bytes, not '%.60s'",
                                  SYNOD_KEY_MAX, word);
        return NULL;
    }
    snprintf (out, SYNOD_KEY_MAX + 1, "%.*s", (int) (equals - word), word);
    *status = synod__kvs_address (self, out, to);
    return equals + 1;
}

static int mput_some (synod__kvs_t *self, const char *const *words, int count, one_t *all)
{
    char key[SYNOD_KEY_MAX + 1], to[SYNOD_ADDRESS_MAX + 1];
    int worst = SYNOD__EXIT_DONE, status = SYNOD__EXIT_NONE;
    for (int i = 0; i < count && status == SYNOD__EXIT_NONE; i++) {
        const char *value = split (self, words[i], key, &status);
        const synod__kv_put_t in = {.data = synod_str (value), .ttl_ms = self->ttl_ms, .until_ms = self->until_ms};
        if (status == SYNOD__EXIT_NONE)
            status = synod__kvs_address (self, key, to);
        all[i].over = false;
        int rc = status == SYNOD__EXIT_NONE ? synod_handle_ask_start (self->handle, to, &synod__kv_put_record, &in,
                                                                      self->join.timeout_ms, &all[i].ask)
                                            : SYNOD_OK;
        if (rc != SYNOD_OK)
            status = synod__fail (rc, synod_handle_error (self->handle));
    }
    if (status == SYNOD__EXIT_NONE)
        status = gather (self, all, count);
    for (int i = 0; i < count && status == SYNOD__EXIT_NONE; i++) {
        split (self, words[i], key, &status);
        if (all[i].code != SYNOD_OK)
            fprintf (stderr, "synod: %s: %s: %.*s\n", synod_error_name (all[i].code), key, (int) all[i].error.size,
                     all[i].error.size ? all[i].error.data : "");
        int one =
            all[i].code == SYNOD_OK ? synod__kvs_print_is (self, key, &all[i].is) : synod__exit_code (all[i].code);
        worst = one > worst ? one : worst;
    }
    return status == SYNOD__EXIT_NONE ? worst : status;
}

int synod__kvs_mput (synod__kvs_t *self, const char *const *words, int nwords)
{
    int status = SYNOD__EXIT_NONE, worst = SYNOD__EXIT_DONE;
    char key[SYNOD_KEY_MAX + 1];
    for (int i = 0; i < nwords && status == SYNOD__EXIT_NONE; i++) { /* all are looked at before any is written */
        const char *value = split (self, words[i], key, &status);
        if (value && strlen (value) > SYNOD__KV_PIECE)
            status = synod__fail (SYNOD_TOO_LARGE, "mput: expected values of up to 65536 bytes: put a larger one");
    }
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_reach (self, false);
    one_t *all = status == SYNOD__EXIT_NONE ? room () : NULL;
    for (int at = 0; all && at < nwords && worst <= SYNOD__EXIT_ERROR; at += AT_ONCE) {
        int one = mput_some (self, words + at, nwords - at < AT_ONCE ? nwords - at : AT_ONCE, all);
        worst = one > worst ? one : worst;
    }
    room_free (all);
    return status != SYNOD__EXIT_NONE ? status : all ? worst : SYNOD__EXIT_ERROR;
}

/* ---- scan ---- */

static void print_entry (const synod__kvs_t *self, const synod__kv_entry_t *entry)
{
    bool whole = entry->data.size == entry->size;
    if (self->json) {
        printf ("{\"key\":");
        synod__print_text (stdout, entry->key);
        printf (",\"version\":%" PRIu64 ",\"size\":%" PRIu64, entry->version, entry->size);
        if (self->values && whole)
            synod__kvs_print_json ("value", entry->data);
        if (entry->until_ms)
            printf (",\"until_ms\":%" PRIu64, entry->until_ms);
        printf ("}\n");
    } else if (!self->values)
        printf ("%.*s\n", SYNOD_STR (entry->key));
    else if (whole)
        printf ("%.*s\t%.*s\n", SYNOD_STR (entry->key), SYNOD_STR (entry->data));
    else
        printf ("%.*s\t(%" PRIu64 " bytes)\n", SYNOD_STR (entry->key), entry->size);
}

int synod__kvs_scan (synod__kvs_t *self, const char *const *words, int nwords)
{
    char cursor[SYNOD__KV_CURSOR_MAX];
    synod__kv_scan_t in = {.prefix = synod_str (nwords ? words[0] : ""), .values = self->values};
    int status = synod__kvs_reach (self, false);
    uint64_t left = self->limit ? self->limit : UINT64_MAX;
    while (status == SYNOD__EXIT_NONE && left) {
        synod_reply_t reply = {0};
        synod__kv_scanned_t out;
        synod__kv_entry_t entry;
        synod_fault_t fault = {0};
        in.limit = left < PAGE ? left : PAGE;
        int rc =
            synod_handle_ask (self->handle, KV_NODE, &synod__kv_scan_record, &in, (int) self->join.timeout_ms, &reply);
        if (rc != SYNOD_OK)
            return synod__kvs_fail (&reply);
        if (synod_record_unpack (&synod__kv_scanned_record, reply.body, &out, &fault) != SYNOD_OK)
            return synod__fail (SYNOD_BAD_REQUEST, fault.text);
        while (left && synod_list_next (&out.entries, &synod__kv_entry_record, &entry)) {
            print_entry (self, &entry);
            left--;
        }
        if (!out.cursor.size)
            break;
        memcpy (cursor, out.cursor.data, out.cursor.size);
        in.cursor = synod_str_n (cursor, out.cursor.size);
    }
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}
