/* SPDX-License-Identifier: MPL-2.0
 *
 * synod kv mget, mput, scan: many keys. Those of mget and mput go together, a message for each node that has some of them
 * (synod/kv.h). Each key is read or written as by itself, and there is no moment of which all of them tell.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <synod/kv.h>
#include "kv.h"

#define AT_ONCE 256
#define PAGE    1000

/* What became of one; IS has no texts but those in BYTES, the value or why not. */
typedef struct {
    synod_kv_is_t is;
    synod_buf_t bytes;
} one_t;

typedef struct {
    synod__kvs_t *self;
    synod_kv_t *kv;
    synod_kv_op_t ops[AT_ONCE];
    one_t all[AT_ONCE];
    bool full; /* no memory for an answer */
} many_t;

static bool keep (synod_buf_t *to, synod_str_t bytes)
{
    if (bytes.size > to->capacity) {
        free (to->data);
        to->data = (char *) malloc (bytes.size);
        to->capacity = to->data ? bytes.size : 0;
    }
    if (bytes.size > to->capacity)
        return false;
    if (bytes.size)
        memcpy (to->data, bytes.data, bytes.size);
    to->size = bytes.size;
    return true;
}

static void on_is (void *arg, uint32_t index, const synod_kv_is_t *is)
{
    many_t *self = (many_t *) arg;
    one_t *one = &self->all[index];
    one->is = *is;
    if (!keep (&one->bytes, is->code != SYNOD_OK ? is->message : is->why.size ? is->why : is->data))
        self->full = true;
}

static synod_str_t text_of (const one_t *one)
{
    return synod_str_n (one->bytes.data, one->bytes.size);
}

static int failed (const char *key, const one_t *one)
{
    fprintf (stderr, "synod: %s: %s: %.*s\n", synod_error_name (one->is.code), key, SYNOD_STR (text_of (one)));
    return synod__exit_code (one->is.code);
}

/* All of the first COUNT; then PRINT for each, in their order. The worst exit code. */
static int some (many_t *self, uint32_t count, int (*print) (many_t *self, uint32_t index))
{
    int worst = SYNOD__EXIT_DONE;
    int rc = synod_kv_many (self->kv, self->ops, count, on_is, self);
    if (rc != SYNOD_OK)
        return synod__fail (rc, synod_kv_error (self->kv));
    if (self->full)
        return synod__fail (SYNOD_NO_MEMORY, "no memory for answers");
    for (uint32_t i = 0; i < count; i++) {
        int one = self->all[i].is.code == SYNOD_OK ? print (self, i) : failed (self->ops[i].key.data, &self->all[i]);
        worst = one > worst ? one : worst;
    }
    return worst;
}

static many_t *begin (synod__kvs_t *kvs, int *status)
{
    *status = synod__kvs_reach (kvs, true);
    if (*status != SYNOD__EXIT_NONE)
        return NULL;
    synod_fault_t fault = {0};
    const synod_kv_options_t options = {.actor = kvs->actor, .timeout_ms = kvs->join.timeout_ms};
    many_t *self = (many_t *) calloc (1, sizeof *self);
    if (self)
        self->kv = synod_kv_new (kvs->handle, &options, &fault);
    if (self && self->kv) {
        self->self = kvs;
        return self;
    }
    *status = synod__fail (SYNOD_NO_MEMORY, fault.code ? fault.text : "no memory for answers");
    free (self);
    return NULL;
}

static void end (many_t *self)
{
    for (int i = 0; i < AT_ONCE; i++)
        synod_buf_free (&self->all[i].bytes);
    synod_kv_destroy (&self->kv);
    free (self);
}

/* ---- mget ---- */

/* One that is not told with others, as it is now. */
static int read_large (synod__kvs_t *kvs, const char *key, synod_str_t *value, uint64_t *version, bool *gone)
{
    synod__kv_is_t is;
    const synod_record_t *record = kvs->stale ? &synod__kv_get_stale_record : &synod__kv_get_record;
    int status = synod__kvs_ask (kvs, key, record, &(synod__kv_get_t){0}, &synod__kv_is_record, &is);
    *gone = true;
    if (status != SYNOD__EXIT_NONE || !is.found)
        return status;
    *version = is.version;
    return synod__kvs_whole (kvs, key, is.data, is.upload, is.size, value, gone);
}

static int print_got (many_t *self, uint32_t index)
{
    synod__kvs_t *kvs = self->self;
    const one_t *one = &self->all[index];
    const char *key = self->ops[index].key.data;
    synod_str_t value = text_of (one);
    uint64_t version = one->is.version;
    bool gone = !one->is.found;
    if (one->is.found && one->is.size > one->bytes.size) {
        int status = read_large (kvs, key, &value, &version, &gone);
        if (status != SYNOD__EXIT_NONE)
            return status;
    }
    if (kvs->json) {
        printf ("{\"key\":");
        synod__print_text (stdout, synod_str (key));
        if (!gone) {
            synod__kvs_print_json ("value", value);
            printf (",\"version\":%" PRIu64, version);
        } else
            printf (",\"value\":null");
        printf ("}\n");
    } else if (!gone)
        printf ("%s\t%.*s\n", key, SYNOD_STR (value));
    return gone ? SYNOD__EXIT_ERROR : SYNOD__EXIT_DONE;
}

int synod__kvs_mget (synod__kvs_t *kvs, const char *const *words, int nwords)
{
    int status = SYNOD__EXIT_NONE, worst = SYNOD__EXIT_DONE;
    char to[SYNOD_ADDRESS_MAX + 1];
    for (int i = 0; i < nwords && status == SYNOD__EXIT_NONE; i++)
        status = synod__kvs_address (kvs, words[i], to); /* that it is a key */
    many_t *self = status == SYNOD__EXIT_NONE ? begin (kvs, &status) : NULL;
    if (!self)
        return status;
    for (int at = 0; at < nwords && worst <= SYNOD__EXIT_ERROR; at += AT_ONCE) {
        int count = nwords - at < AT_ONCE ? nwords - at : AT_ONCE;
        for (int i = 0; i < count; i++)
            self->ops[i] = (synod_kv_op_t){.kind = kvs->stale ? SYNOD_KV_GET_STALE : SYNOD_KV_GET,
                                           .key = synod_str (words[at + i])};
        int one = some (self, (uint32_t) count, print_got);
        worst = one > worst ? one : worst;
    }
    end (self);
    return worst;
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

static int print_put (many_t *self, uint32_t index)
{
    const one_t *one = &self->all[index];
    const synod__kv_is_t is = {.found = one->is.found,
                               .done = one->is.done,
                               .why = one->is.why.size ? text_of (one) : synod_str (""),
                               .version = one->is.version,
                               .size = one->is.size,
                               .until_ms = one->is.until_ms,
                               .fence = one->is.fence};
    return synod__kvs_print_is (self->self, self->ops[index].key.data, &is);
}

int synod__kvs_mput (synod__kvs_t *kvs, const char *const *words, int nwords)
{
    int status = SYNOD__EXIT_NONE, worst = SYNOD__EXIT_DONE;
    char key[SYNOD_KEY_MAX + 1], (*keys)[SYNOD_KEY_MAX + 1];
    for (int i = 0; i < nwords && status == SYNOD__EXIT_NONE; i++) { /* all are looked at before any is written */
        const char *value = split (kvs, words[i], key, &status);
        if (value && strlen (value) > SYNOD__KV_PIECE)
            status = synod__fail (SYNOD_TOO_LARGE, "mput: expected values of up to 65536 bytes: put a larger one");
    }
    many_t *self = status == SYNOD__EXIT_NONE ? begin (kvs, &status) : NULL;
    if (!self)
        return status;
    keys = calloc (AT_ONCE, sizeof *keys);
    if (!keys)
        worst = synod__fail (SYNOD_NO_MEMORY, "no memory for keys");
    for (int at = 0; keys && at < nwords && worst <= SYNOD__EXIT_ERROR; at += AT_ONCE) {
        int count = nwords - at < AT_ONCE ? nwords - at : AT_ONCE;
        for (int i = 0; i < count; i++) {
            const char *value = split (kvs, words[at + i], keys[i], &status);
            self->ops[i] = (synod_kv_op_t){.kind = SYNOD_KV_PUT,
                                           .key = synod_str (keys[i]),
                                           .data = synod_str (value),
                                           .ttl_ms = kvs->ttl_ms,
                                           .until_ms = kvs->until_ms};
        }
        int one = some (self, (uint32_t) count, print_put);
        worst = one > worst ? one : worst;
    }
    free (keys);
    end (self);
    return worst;
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
