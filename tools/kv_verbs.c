/* SPDX-License-Identifier: MPL-2.0
 *
 * synod kv get, put, del, cas, incr, append, expire: one key, and what it came to.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include "kv.h"

#define AGAIN 5 /* how often a value is got whose pieces were forgotten while they were read */

static int no_value (const char *key)
{
    fprintf (stderr, "synod: not-found: %s has no value\n", key);
    return SYNOD__EXIT_ERROR;
}

static void print_got (const char *key, const synod__kv_is_t *is, synod_str_t value)
{
    printf ("{\"key\":");
    synod__print_text (stdout, synod_str (key));
    synod__kvs_print_json ("value", value);
    printf (",\"version\":%" PRIu64, is->version);
    if (is->until_ms)
        printf (",\"until_ms\":%" PRIu64, is->until_ms);
    if (is->fence)
        printf (",\"fence\":%" PRIu64, is->fence);
    printf ("}\n");
}

int synod__kvs_get (synod__kvs_t *self, const char *const *words, int nwords)
{
    bool gone = true;
    synod_str_t value;
    synod__kv_is_t is;
    int status = synod__kvs_reach (self, false);
    (void) nwords;
    for (int i = 0; i < AGAIN && gone && status == SYNOD__EXIT_NONE; i++) {
        const synod_record_t *record = self->stale ? &synod__kv_get_stale_record : &synod__kv_get_record;
        status = synod__kvs_ask (self, words[0], record, &(synod__kv_get_t){0}, &synod__kv_is_record, &is);
        if (status == SYNOD__EXIT_NONE && !is.found)
            return no_value (words[0]);
        if (status == SYNOD__EXIT_NONE)
            status = synod__kvs_whole (self, words[0], is.data, is.upload, is.size, &value, &gone);
    }
    if (status != SYNOD__EXIT_NONE)
        return status;
    if (gone)
        return synod__fail (SYNOD_BUSY, "the value is replaced faster than it can be read");
    if (self->json)
        print_got (words[0], &is, value);
    else
        synod__kvs_print_value (value);
    return SYNOD__EXIT_DONE;
}

static synod__kv_put_t put_of (const synod__kvs_t *self)
{
    return (synod__kv_put_t){.absent = self->absent,
                             .present = self->present,
                             .version = self->version,
                             .fence = self->fence,
                             .ttl_ms = self->ttl_ms,
                             .until_ms = self->until_ms,
                             .keep = self->keep,
                             .old = self->old};
}

static int put (synod__kvs_t *self, const char *key, const char *word)
{
    synod__kv_put_t in = put_of (self);
    synod__kv_is_t is;
    char to[SYNOD_ADDRESS_MAX + 1];
    int status = synod__kvs_address (self, key, to);
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_value (self, word);
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_reach (self, false);
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_put (self, key, &in, &is);
    if (status != SYNOD__EXIT_NONE)
        return status;
    status = synod__kvs_print_is (self, key, &is);
    if (status != SYNOD__EXIT_DONE || !self->old)
        return status;
    synod_str_t old;
    bool gone = false;
    status = synod__kvs_whole (self, key, is.old, is.old_upload, is.old_size, &old, &gone);
    if (status == SYNOD__EXIT_NONE && !gone && is.had)
        synod__kvs_print_value (old);
    return status == SYNOD__EXIT_NONE ? SYNOD__EXIT_DONE : status;
}

int synod__kvs_put_verb (synod__kvs_t *self, const char *const *words, int nwords)
{
    return put (self, words[0], nwords > 1 ? words[1] : NULL);
}

int synod__kvs_cas (synod__kvs_t *self, const char *const *words, int nwords)
{
    char *end;
    errno = 0;
    self->version = strtoull (words[1], &end, 10);
    if (*end || errno || words[1][0] < '0' || words[1][0] > '9' || !self->version)
        return synod__misused (self->command, "expected a version, a number above 0, not '%s'", words[1]);
    return put (self, words[0], nwords > 2 ? words[2] : NULL);
}

int synod__kvs_del (synod__kvs_t *self, const char *const *words, int nwords)
{
    int status = synod__kvs_reach (self, false), worst = SYNOD__EXIT_DONE;
    for (int i = 0; i < nwords && status == SYNOD__EXIT_NONE; i++) {
        synod__kv_is_t is;
        const synod__kv_delete_t in = {.version = self->version, .fence = self->fence};
        status = synod__kvs_ask (self, words[i], &synod__kv_delete_record, &in, &synod__kv_is_record, &is);
        if (status == SYNOD__EXIT_NONE && synod__kvs_print_is (self, words[i], &is) != SYNOD__EXIT_DONE)
            worst = SYNOD__EXIT_ERROR;
    }
    return status == SYNOD__EXIT_NONE ? worst : status;
}

int synod__kvs_incr (synod__kvs_t *self, const char *const *words, int nwords)
{
    char *end = "";
    errno = 0;
    synod__kv_incr_t in = {.delta = nwords > 1 ? strtoll (words[1], &end, 10) : 1,
                           .fence = self->fence,
                           .ttl_ms = self->ttl_ms,
                           .until_ms = self->until_ms};
    synod__kv_is_t is;
    if (*end || errno || (nwords > 1 && !*words[1]))
        return synod__misused (self->command, "expected an amount from %" PRId64 " to %" PRId64 ", not '%s'", INT64_MIN,
                               INT64_MAX, words[1]);
    int status = synod__kvs_reach (self, false);
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_ask (self, words[0], &synod__kv_incr_record, &in, &synod__kv_is_record, &is);
    if (status != SYNOD__EXIT_NONE)
        return status;
    if (is.done && !self->json)
        printf ("%" PRId64 "\n", is.number);
    return synod__kvs_print_is (self, words[0], &is);
}

int synod__kvs_append (synod__kvs_t *self, const char *const *words, int nwords)
{
    synod__kv_is_t is = {0};
    int status = synod__kvs_value (self, nwords > 1 ? words[1] : NULL);
    if (status == SYNOD__EXIT_NONE && self->value.size > SYNOD__KV_PIECE)
        status = synod__fail (SYNOD_TOO_LARGE, "append: expected up to 65536 bytes at a time, got more");
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_reach (self, false);
    const synod__kv_append_t in = {
        .data = synod_str_n (self->value.data, self->value.size), .version = self->version, .fence = self->fence};
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_ask (self, words[0], &synod__kv_append_record, &in, &synod__kv_is_record, &is);
    return status == SYNOD__EXIT_NONE ? synod__kvs_print_is (self, words[0], &is) : status;
}

int synod__kvs_expire (synod__kvs_t *self, const char *const *words, int nwords)
{
    synod__kv_is_t is = {0};
    if (nwords > 1 && self->until_ms)
        return synod__misused (self->command, "TIME and --until are one deadline: give one");
    if (nwords > 1 && (!synod__parse_ms (words[1], &self->ttl_ms) || !self->ttl_ms))
        return synod__misused (self->command, "expected a time as 500ms, 10s, 2m or 1h, not '%s'", words[1]);
    const synod__kv_expire_t in = {
        .ttl_ms = self->ttl_ms, .until_ms = self->until_ms, .version = self->version, .fence = self->fence};
    int status = synod__kvs_reach (self, false);
    if (status == SYNOD__EXIT_NONE)
        status = synod__kvs_ask (self, words[0], &synod__kv_expire_record, &in, &synod__kv_is_record, &is);
    return status == SYNOD__EXIT_NONE ? synod__kvs_print_is (self, words[0], &is) : status;
}
