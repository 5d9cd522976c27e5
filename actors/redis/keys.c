/* SPDX-License-Identifier: MPL-2.0
 *
 * Commands on keys: requests to operations, and what these come to into replies.
 */
#include "actors/kv/number.h"
#include "protocol/kv_key.h"
#include "slots.h"

static const char s_syntax[] = "ERR syntax error";
static const char s_no_number[] = "ERR " SYNOD__NUMBER_NONE;

static const synod_str_t s_none;

static int64_t s_wall_ms (const synod__redis_t *self)
{
    return synod_wall_us (self->ctx) / 1000;
}

/* Says that the request is wrong. */
static void s_wrong (synod__redis_request_t *request, const char *text)
{
    synod__resp_error (synod__redis_out (request), synod_str (text));
}

/* ---- what it came to ---- */

static void s_value (synod_buf_t *out, bool found, synod_str_t data)
{
    synod__resp_bulk (out, !found ? s_none : data.data ? data : synod_str_n ("", 0));
}

static void s_on_value (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    const synod__kv_is_t *is = (const synod__kv_is_t *) out;
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else if (is->upload)
        synod__redis_large_get (self, slot, is->upload, is->size, false);
    else
        s_value (slot->reply, is->found, is->data);
}

static void s_on_old (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    const synod__kv_is_t *is = (const synod__kv_is_t *) out;
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else if (is->old_upload)
        synod__redis_large_get (self, slot, is->old_upload, is->old_size, true);
    else
        s_value (slot->reply, is->had, is->old);
}

static void s_on_set (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    (void) self;
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else if (((const synod__kv_is_t *) out)->done)
        synod__resp_status (slot->reply, "OK");
    else
        synod__resp_bulk (slot->reply, s_none);
}

static void s_on_did (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    (void) self;
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else
        synod__resp_int (slot->reply, ((const synod__kv_is_t *) out)->done);
}

static void s_on_had (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    (void) self;
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else
        synod__resp_int (slot->reply, ((const synod__kv_is_t *) out)->had);
}

static void s_on_number (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    (void) self;
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else
        synod__resp_int (slot->reply, ((const synod__kv_is_t *) out)->number);
}

static void s_on_size (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    (void) self;
    if (rc == SYNOD_TOO_LARGE)
        synod__resp_error (slot->reply, synod_str ("ERR string exceeds maximum allowed size (proto-max-bulk-len)"));
    else if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else
        synod__resp_int (slot->reply, (int64_t) ((const synod__kv_is_t *) out)->size);
}

/* ---- one value ---- */

void synod__redis_on_get (synod__redis_request_t *request)
{
    const synod__kv_get_t in = {0};
    if (synod__redis_may (request, 1, 1, false))
        synod__redis_run (request, SYNOD__REDIS_GET, request->argv[1], &in, s_on_value, 0, request->argv[1]);
}

/* What TEXT says in UNIT ms is when or for how long it lives. False: it was answered. */
static bool s_lives (synod__redis_request_t *request, synod_str_t text, int unit, bool calendar, synod__kv_put_t *in)
{
    int64_t value;
    if (!synod__number_read (text, &value)) {
        s_wrong (request, s_no_number);
        return false;
    }
    bool large = value > INT64_MAX / unit || (!calendar && value * unit > INT64_MAX - s_wall_ms (request->redis));
    if (value <= 0 || large) {
        synod__redis_say (synod__redis_out (request), "ERR invalid expire time in '%s' command",
                          request->command->name);
        return false;
    }
    *(calendar ? &in->until_ms : &in->ttl_ms) = (uint64_t) (value * unit);
    return true;
}

static bool s_set_options (synod__redis_request_t *request, synod__kv_put_t *in)
{
    for (uint32_t i = 3; i < request->argc; i++) {
        synod_str_t word = request->argv[i];
        bool timed = in->ttl_ms || in->until_ms || in->keep, more = i + 1 < request->argc;
        bool seconds = synod__redis_is (word, "ex") || synod__redis_is (word, "exat");
        bool calendar = synod__redis_is (word, "exat") || synod__redis_is (word, "pxat");
        if (synod__redis_is (word, "nx") && !in->present)
            in->absent = true;
        else if (synod__redis_is (word, "xx") && !in->absent)
            in->present = true;
        else if (synod__redis_is (word, "get"))
            in->old = true;
        else if (synod__redis_is (word, "keepttl") && !timed)
            in->keep = true;
        else if ((seconds || calendar || synod__redis_is (word, "px")) && !timed && more) {
            if (!s_lives (request, request->argv[++i], seconds ? 1000 : 1, calendar, in))
                return false;
        } else {
            s_wrong (request, s_syntax);
            return false;
        }
    }
    return true;
}

void synod__redis_on_set (synod__redis_request_t *request)
{
    synod__kv_put_t in = {.data = request->argv[2]};
    if (!synod__redis_may (request, 1, request->argc, true) || !s_set_options (request, &in))
        return;
    synod__redis_run (request, SYNOD__REDIS_PUT, request->argv[1], &in, in.old ? s_on_old : s_on_set, 0,
                      request->argv[1]);
}

/* SETNX, SETEX, PSETEX, GETSET. */
void synod__redis_on_setex (synod__redis_request_t *request)
{
    synod__kv_put_t in = {.data = request->argv[request->argc - 1]};
    int unit = request->command->arg;
    if (!synod__redis_may (request, 1, request->argc, true))
        return;
    if (unit > 0 && !s_lives (request, request->argv[2], unit, false, &in))
        return;
    in.absent = unit == 0;
    in.old = unit < 0;
    synod__redis_run (request, SYNOD__REDIS_PUT, request->argv[1], &in,
                      unit > 0    ? s_on_set
                      : unit == 0 ? s_on_did
                                  : s_on_old,
                      0, request->argv[1]);
}

void synod__redis_on_getdel (synod__redis_request_t *request)
{
    const synod__kv_delete_t in = {.old = true};
    if (synod__redis_may (request, 1, 1, true))
        synod__redis_run (request, SYNOD__REDIS_DELETE, request->argv[1], &in, s_on_old, 0, request->argv[1]);
}

void synod__redis_on_incr (synod__redis_request_t *request)
{
    synod__kv_incr_t in = {.delta = 1};
    if (request->argc > 2 && !synod__number_read (request->argv[2], &in.delta)) {
        s_wrong (request, s_no_number);
        return;
    }
    if (request->command->arg < 0 && in.delta == INT64_MIN) {
        s_wrong (request, "ERR decrement would overflow");
        return;
    }
    in.delta *= request->command->arg;
    if (synod__redis_may (request, 1, request->argc, true))
        synod__redis_run (request, SYNOD__REDIS_INCR, request->argv[1], &in, s_on_number, 0, s_none);
}

void synod__redis_on_append (synod__redis_request_t *request)
{
    const synod__kv_append_t in = {.data = request->argv[2]};
    if (synod__redis_may (request, 1, 2, true))
        synod__redis_run (request, SYNOD__REDIS_APPEND, request->argv[1], &in, s_on_size, 0, s_none);
}

/* ---- about a key ---- */

static void s_on_about (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    const synod__kv_is_t *is = (const synod__kv_is_t *) out;
    (void) self;
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else if (slot->number == 't')
        synod__resp_status (slot->reply, is->found ? "string" : "none");
    else
        synod__resp_int (slot->reply, (int64_t) is->size);
}

static void s_about (synod__redis_request_t *request, synod__redis_on_done_t *on_done, synod_str_t text, bool changes)
{
    const synod__kv_get_t in = {.bare = true};
    if (synod__redis_may (request, 1, request->argc, changes))
        synod__redis_run (request, SYNOD__REDIS_GET, request->argv[1], &in, on_done, request->command->arg, text);
}

void synod__redis_on_about (synod__redis_request_t *request)
{
    s_about (request, s_on_about, s_none, false);
}

static void s_on_ttl (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    const synod__kv_is_t *is = (const synod__kv_is_t *) out;
    if (rc != SYNOD_OK) {
        synod__redis_failed (slot, rc, message);
        return;
    }
    int64_t until_ms = (int64_t) is->until_ms, left_ms = until_ms - s_wall_ms (self);
    left_ms = left_ms > 0 ? left_ms : 0;
    if (!is->found || !until_ms)
        synod__resp_int (slot->reply, is->found ? -1 : -2);
    else if (slot->number == 's')
        synod__resp_int (slot->reply, (left_ms + 500) / 1000);
    else
        synod__resp_int (slot->reply, slot->number == 'm' ? left_ms : slot->number == 'S' ? until_ms / 1000 : until_ms);
}

void synod__redis_on_ttl (synod__redis_request_t *request)
{
    s_about (request, s_on_ttl, s_none, false);
}

/* ---- deadlines ---- */

void synod__redis_on_expire (synod__redis_request_t *request)
{
    synod__kv_expire_t in = {0};
    const synod__kv_delete_t over = {0};
    int arg = request->command->arg;
    int64_t value, unit = arg == 's' || arg == 'S' ? 1000 : 1;
    bool calendar = arg == 'S' || arg == 'M';
    if (request->argc > 3) {
        synod__redis_say (synod__redis_out (request), "ERR Unsupported option %.*s",
                          (int) (request->argv[3].size < 128 ? request->argv[3].size : 128), request->argv[3].data);
        return;
    }
    if (!synod__number_read (request->argv[2], &value)) {
        s_wrong (request, s_no_number);
        return;
    }
    int64_t now_ms = s_wall_ms (request->redis);
    if (value > INT64_MAX / unit || value < INT64_MIN / unit || (!calendar && value * unit > INT64_MAX - now_ms)) {
        synod__redis_say (synod__redis_out (request), "ERR invalid expire time in '%s' command",
                          request->command->name);
        return;
    }
    value *= unit;
    if (!synod__redis_may (request, 1, request->argc, true))
        return;
    if (value <= (calendar ? now_ms : 0)) {
        synod__redis_run (request, SYNOD__REDIS_DELETE, request->argv[1], &over, s_on_had, 0, s_none);
        return;
    }
    *(calendar ? &in.until_ms : &in.ttl_ms) = (uint64_t) value;
    synod__redis_run (request, SYNOD__REDIS_EXPIRE, request->argv[1], &in, s_on_did, 0, s_none);
}

/* It had a deadline, so that there is something to be done. */
static void s_on_deadline (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out,
                           synod_str_t message)
{
    const synod__kv_is_t *is = (const synod__kv_is_t *) out;
    const synod__kv_expire_t in = {0};
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else if (!is->found || !is->until_ms)
        synod__resp_int (slot->reply, 0);
    else
        synod__redis_then (self, slot, SYNOD__REDIS_EXPIRE, slot->text, &in, s_on_did);
}

void synod__redis_on_persist (synod__redis_request_t *request)
{
    s_about (request, s_on_deadline, request->argv[1], true);
}

/* ---- many keys ---- */

void synod__redis_on_mget (synod__redis_request_t *request)
{
    const synod__kv_get_t in = {0};
    if (!synod__redis_may (request, 1, 1, false))
        return;
    synod__resp_array (synod__redis_out (request), request->argc - 1);
    for (uint32_t i = 1; i < request->argc; i++)
        synod__redis_run (request, SYNOD__REDIS_GET, request->argv[i], &in, s_on_value, 0, request->argv[i]);
}

static void s_on_one (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    const synod__kv_is_t *is = (const synod__kv_is_t *) out;
    (void) self;
    if (rc != SYNOD_OK)
        synod__redis_failed (slot, rc, message);
    else
        slot->sum += slot->kind == SYNOD__REDIS_GET ? is->found : is->had;
}

static void s_each (synod__redis_request_t *request, synod__redis_kind_t kind, const void *in)
{
    if (!synod__redis_may (request, 1, 1, kind != SYNOD__REDIS_GET))
        return;
    synod__redis_slot_t *slot = synod__redis_many (request, SYNOD__REDIS_SUM, s_on_one);
    for (uint32_t i = 1; i < request->argc; i++)
        synod__redis_many_add (request, slot, kind, request->argv[i], in);
    synod__redis_many_end (request, slot);
}

void synod__redis_on_delete (synod__redis_request_t *request)
{
    const synod__kv_delete_t in = {0};
    s_each (request, SYNOD__REDIS_DELETE, &in);
}

void synod__redis_on_exists (synod__redis_request_t *request)
{
    const synod__kv_get_t in = {.bare = true};
    s_each (request, SYNOD__REDIS_GET, &in);
}

void synod__redis_on_mset (synod__redis_request_t *request)
{
    if (request->argc % 2 == 0) {
        s_wrong (request, "ERR wrong number of arguments for 'mset' command");
        return;
    }
    if (!synod__redis_may (request, 1, 2, true))
        return;
    synod__redis_slot_t *slot = synod__redis_many (request, SYNOD__REDIS_ALL, s_on_one);
    for (uint32_t i = 1; i < request->argc; i += 2) {
        const synod__kv_put_t in = {.data = request->argv[i + 1]};
        synod__redis_many_add (request, slot, SYNOD__REDIS_PUT, request->argv[i], &in);
    }
    synod__redis_many_end (request, slot);
}

/* ---- scan ---- */

static void s_on_scanned (synod__redis_t *self, synod__redis_slot_t *slot, int rc, const void *out, synod_str_t message)
{
    synod__kv_scanned_t scanned;
    synod__kv_entry_t entry;
    char key[SYNOD_KEY_MAX], digits[SYNOD__NUMBER_MAX];
    uint32_t fits = 0;
    if (rc != SYNOD_OK) {
        synod__redis_failed (slot, rc, message);
        return;
    }
    scanned = *(const synod__kv_scanned_t *) out;
    synod_list_t count = scanned.entries;
    while (slot->number && synod_list_next (&count, &synod__kv_entry_record, &entry))
        fits += !slot->text.data || synod__redis_match (slot->text, synod__kv_key_bytes (entry.key, key));
    uint32_t size = synod__number_write ((int64_t) synod__redis_cursor_new (self, scanned.cursor), digits);
    synod__resp_array (slot->reply, 2);
    synod__resp_bulk (slot->reply, synod_str_n (digits, size));
    synod__resp_array (slot->reply, fits);
    while (fits && synod_list_next (&scanned.entries, &synod__kv_entry_record, &entry)) {
        synod_str_t bytes = synod__kv_key_bytes (entry.key, key);
        if (!slot->text.data || synod__redis_match (slot->text, bytes))
            synod__resp_bulk (slot->reply, bytes);
    }
}

/* What all that matches begins with, as the bus has it. */
static synod_str_t s_prefix (synod_str_t pattern, char *room)
{
    uint32_t size = 0;
    while (size < pattern.size && !memchr ("*?[\\", pattern.data[size], 4))
        size++;
    return size ? synod__kv_key_text (synod_str_n (pattern.data, size), room) : s_none;
}

void synod__redis_on_scan (synod__redis_request_t *request)
{
    synod__kv_scan_t in = {.limit = 10};
    synod_str_t pattern = s_none;
    char room[SYNOD__KV_CURSOR_MAX], prefix[SYNOD_KEY_MAX];
    int64_t cursor, count;
    bool texts = true;
    if (!synod__number_read (request->argv[1], &cursor) || cursor < 0) {
        s_wrong (request, "ERR invalid cursor");
        return;
    }
    for (uint32_t i = 2; i < request->argc; i += 2) {
        synod_str_t word = request->argv[i], value = i + 1 < request->argc ? request->argv[i + 1] : s_none;
        bool counts = synod__redis_is (word, "count");
        if (counts && value.data && !synod__number_read (value, &count)) {
            s_wrong (request, s_no_number);
            return;
        }
        if (counts && value.data && count > 0)
            in.limit = count < SYNOD__KV_ENTRIES_MAX ? (uint64_t) count : SYNOD__KV_ENTRIES_MAX;
        else if (synod__redis_is (word, "match") && value.data)
            pattern = value;
        else if (synod__redis_is (word, "type") && value.data)
            texts = synod__redis_is (value, "string");
        else {
            s_wrong (request, s_syntax);
            return;
        }
    }
    if (!synod__redis_cursor_find (request->redis, (uint64_t) cursor, room, &in.cursor)) {
        s_wrong (request, "ERR invalid cursor: it is of a scan that is too long ago");
        return;
    }
    if (pattern.data)
        in.prefix = s_prefix (pattern, prefix);
    synod__redis_run (request, SYNOD__REDIS_SCAN, s_none, &in, s_on_scanned, texts, pattern);
}
