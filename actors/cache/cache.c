/* SPDX-License-Identifier: MPL-2.0
 *
 * The cache's commands.
 */
#include "cache.h"
#include "actors/kv/number.h"
#include "mutants.h"
#include "protocol/frame.h"

#define S_SWEEP_MS     100   /* between two portions */
#define S_SWEEP_AGAIN  10    /* when a quarter of a portion was over its deadline */
#define S_SWEEP_LEAST  256   /* buckets */
#define S_SWEEP_MOST   20000 /* about two milliseconds */
#define S_SWEEP_ROUNDS 100   /* portions that go over all of a table that is not too large */
#define S_SCAN_MOST    64    /* buckets looked at for each entry that may be told: a filter may let few through */

static const synod_str_t s_none;

int synod__cache_begin (synod__cache_t *self, uint64_t seed, uint64_t bound)
{
    memset (self, 0, sizeof *self);
    self->table = synod__cache_table_new (seed, bound);
    return self->table ? SYNOD_OK : SYNOD_NO_MEMORY;
}

void synod__cache_end (synod__cache_t *self)
{
    synod__cache_table_destroy (&self->table);
    synod_buf_free (&self->old);
    synod_buf_free (&self->items);
}

/* ---- what it does not do ---- */

static int s_refuse (synod_fault_t *fault, const char *what)
{
    return synod_fault (fault, SYNOD_REFUSED, "a cache has no %s: it forgets; the table (kv) has them", what);
}

/* Versions and fences are for what is not forgotten. */
static int s_plain (uint64_t version, uint64_t fence, synod_fault_t *fault)
{
    return version ? s_refuse (fault, "versions") : fence ? s_refuse (fault, "fences") : SYNOD_OK;
}

static int s_dated (uint64_t ttl_ms, uint64_t until_ms, synod_fault_t *fault)
{
    if (ttl_ms && until_ms)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "expected ttl_ms or until_ms, got both");
    return SYNOD_OK;
}

/* ---- deadlines ---- */

/* By the node's clock; 0: none. What is long over is a moment that is over. */
static int64_t s_until (synod__cache_now_t now, uint64_t ttl_ms, uint64_t until_ms)
{
    if (!ttl_ms && !until_ms)
        return 0;
    int64_t left_ms, left_us, until_us;
    if (ttl_ms)
        left_ms = (int64_t) ttl_ms;
    else if (__builtin_sub_overflow ((int64_t) until_ms, now.wall_ms, &left_ms))
        left_ms = INT64_MAX;
    if (left_ms <= 0)
        return now.now_us > 0 ? now.now_us : 1;
    if (__builtin_mul_overflow (left_ms, (int64_t) 1000, &left_us) ||
        __builtin_add_overflow (now.now_us, left_us, &until_us))
        return INT64_MAX;
    return until_us;
}

/* By the calendar. */
static uint64_t s_told (synod__cache_now_t now, int64_t until_us)
{
    int64_t until_ms;
    if (!until_us)
        return 0;
    if (__builtin_add_overflow (now.wall_ms, (until_us - now.now_us + 999) / 1000, &until_ms))
        return INT64_MAX;
    return until_ms > 0 ? (uint64_t) until_ms : 1;
}

/* ---- commands ---- */

static void s_is (synod__kv_is_t *out, synod__cache_now_t now, const synod__cache_value_t *value)
{
    out->found = true;
    out->size = value->data.size;
    out->until_ms = s_told (now, value->until_us);
}

static void s_not (synod__kv_is_t *out, const char *why)
{
    out->why = synod_str (why);
}

int synod__cache_get (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_get_t *in,
                      synod__kv_is_t *out, synod_fault_t *fault)
{
    synod__cache_value_t value;
    memset (out, 0, sizeof *out);
    if (in->known)
        return s_refuse (fault, "versions");
    bool found = synod__cache_table_get (self->table, key, now.now_us, !in->bare, &value);
    if (!in->bare) {
        self->hits += found;
        self->misses += !found;
    }
    if (!found)
        return SYNOD_OK;
    s_is (out, now, &value);
    if (!in->bare)
        out->data = value.data;
    return SYNOD_OK;
}

/* Keeps a copy of what is about to be replaced, for OUT. */
static int s_old (synod__cache_t *self, const synod__cache_value_t *value, synod__kv_is_t *out, synod_fault_t *fault)
{
    self->old.size = 0;
    if (synod__buf_add (&self->old, value->data.data, value->data.size) != SYNOD_OK)
        return synod_fault (fault, SYNOD_NO_MEMORY, "no memory for the value before");
    out->had = true;
    out->old = synod_str_n (self->old.data ? self->old.data : "", self->old.size);
    out->old_size = self->old.size;
    return SYNOD_OK;
}

int synod__cache_set_value (synod__cache_t *self, synod_str_t key, synod_str_t head, synod_str_t tail, int64_t until_us,
                            synod_fault_t *fault)
{
    if ((uint64_t) head.size + tail.size > SYNOD__KV_VALUE_MAX)
        return synod_fault (fault, SYNOD_TOO_LARGE, "a value may have %d bytes, this one has %llu", SYNOD__KV_VALUE_MAX,
                            (unsigned long long) head.size + tail.size);
    int rc = synod__cache_table_put (self->table, key, head, tail, until_us);
    if (rc == SYNOD_TOO_LARGE)
        return synod_fault (fault, rc, "the cache is bound to %llu bytes, which this value alone is more than",
                            (unsigned long long) synod__cache_table_count (self->table).bound);
    return rc == SYNOD_OK ? rc : synod_fault (fault, rc, "no memory for the value");
}

int synod__cache_put (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_put_t *in,
                      synod__kv_is_t *out, synod_fault_t *fault)
{
    memset (out, 0, sizeof *out);
    int rc = s_plain (in->version, in->fence, fault);
    if (rc == SYNOD_OK)
        rc = s_dated (in->ttl_ms, in->until_ms, fault);
    if (rc == SYNOD_OK && in->keep && (in->ttl_ms || in->until_ms))
        rc = synod_fault (fault, SYNOD_BAD_REQUEST, "expected keep or a deadline, got both");
    if (rc == SYNOD_OK && in->absent && in->present)
        rc = synod_fault (fault, SYNOD_BAD_REQUEST, "expected absent or present, got both");
    if (rc != SYNOD_OK)
        return rc;
    synod_str_t data = in->data;
    if (in->upload && (rc = synod__cache_uploaded (self, now, in, &data, fault)) != SYNOD_OK)
        return rc;
    int64_t until_us = s_until (now, in->ttl_ms, in->until_ms);
    if (in->absent || in->present || in->old || in->keep) {
        synod__cache_value_t value;
        bool found = synod__cache_table_get (self->table, key, now.now_us, false, &value);
        if (found && in->old && (rc = s_old (self, &value, out, fault)) != SYNOD_OK)
            return rc;
        if (found ? in->absent : in->present) {
            s_not (out, found ? "present" : "absent");
            if (found)
                s_is (out, now, &value);
            return SYNOD_OK;
        }
        if (found && in->keep)
            until_us = value.until_us;
    }
    if (until_us && until_us <= now.now_us) /* it is over before it is there */
        synod__cache_table_remove (self->table, key);
    else if ((rc = synod__cache_set_value (self, key, data, s_none, until_us, fault)) != SYNOD_OK)
        return rc;
    if (in->upload)
        synod__cache_taken (self, in->upload);
    out->done = true;
    out->found = !until_us || until_us > now.now_us;
    out->size = data.size;
    out->until_ms = s_told (now, until_us);
    return SYNOD_OK;
}

int synod__cache_delete (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_delete_t *in,
                         synod__kv_is_t *out, synod_fault_t *fault)
{
    synod__cache_value_t value;
    memset (out, 0, sizeof *out);
    int rc = s_plain (in->version, in->fence, fault);
    if (rc != SYNOD_OK)
        return rc;
    out->done = true;
    if (!synod__cache_table_get (self->table, key, now.now_us, false, &value))
        return SYNOD_OK;
    if (in->old && (rc = s_old (self, &value, out, fault)) != SYNOD_OK)
        return rc;
    synod__cache_table_remove (self->table, key);
    out->had = true;
    return SYNOD_OK;
}

int synod__cache_incr (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_incr_t *in,
                       synod__kv_is_t *out, synod_fault_t *fault)
{
    synod__cache_value_t value = {.data = s_none};
    char digits[SYNOD__NUMBER_MAX];
    memset (out, 0, sizeof *out);
    int rc = s_plain (0, in->fence, fault);
    if (rc == SYNOD_OK)
        rc = s_dated (in->ttl_ms, in->until_ms, fault);
    if (rc != SYNOD_OK)
        return rc;
    bool found = synod__cache_table_get (self->table, key, now.now_us, true, &value);
    int64_t until_us = found ? value.until_us : s_until (now, in->ttl_ms, in->until_ms);
    rc = synod__number_add (value.data, in->delta, &out->number, fault);
    uint32_t size = rc == SYNOD_OK ? synod__number_write (out->number, digits) : 0;
    if (rc == SYNOD_OK)
        rc = synod__cache_set_value (self, key, synod_str_n (digits, size), s_none, until_us, fault);
    if (rc != SYNOD_OK)
        return rc;
    out->done = out->found = true;
    out->size = size;
    out->until_ms = s_told (now, until_us);
    return SYNOD_OK;
}

int synod__cache_append (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_append_t *in,
                         synod__kv_is_t *out, synod_fault_t *fault)
{
    synod__cache_value_t value = {.data = s_none};
    memset (out, 0, sizeof *out);
    int rc = s_plain (in->version, in->fence, fault);
    if (rc != SYNOD_OK)
        return rc;
    synod__cache_table_get (self->table, key, now.now_us, true, &value);
    int64_t until_us = SYNOD__CACHE_MUTANT (TTL_LOST) ? 0 : value.until_us;
    uint64_t size = (uint64_t) value.data.size + in->data.size;
    rc = synod__cache_set_value (self, key, value.data, in->data, until_us, fault);
    if (rc != SYNOD_OK)
        return rc;
    out->done = out->found = true;
    out->size = size;
    out->until_ms = s_told (now, until_us);
    return SYNOD_OK;
}

int synod__cache_expire (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, const synod__kv_expire_t *in,
                         synod__kv_is_t *out, synod_fault_t *fault)
{
    synod__cache_value_t value;
    memset (out, 0, sizeof *out);
    int rc = s_plain (in->version, in->fence, fault);
    if (rc == SYNOD_OK)
        rc = s_dated (in->ttl_ms, in->until_ms, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (!synod__cache_table_get (self->table, key, now.now_us, true, &value)) {
        s_not (out, "absent");
        return SYNOD_OK;
    }
    value.until_us = s_until (now, in->ttl_ms, in->until_ms);
    out->done = true;
    if (value.until_us && value.until_us <= now.now_us) {
        synod__cache_table_remove (self->table, key);
        return SYNOD_OK;
    }
    s_is (out, now, &value);
    if (!synod__cache_table_expire (self->table, key, value.until_us))
        out->found = false;
    return SYNOD_OK;
}

int synod__cache_keep (synod__cache_t *self, synod__cache_now_t now, synod_str_t key, synod_str_t value,
                       int64_t asked_us, uint64_t ttl_ms)
{
    synod__cache_now_t asked = {.now_us = SYNOD__CACHE_MUTANT (TTL_OF_ANSWER) ? now.now_us : asked_us};
    int64_t until_us = s_until (asked, ttl_ms, 0);
    if (until_us && until_us <= now.now_us)
        return SYNOD_OK;
    return synod__cache_set_value (self, key, value, s_none, until_us, NULL);
}

/* ---- scan ---- */

typedef struct {
    const synod__kv_scan_t *in;
    synod__cache_now_t now;
    synod_list_t *entries;
    synod_buf_t *items;
    bool full; /* the answer has as much as a message carries */
} s_scan_t;

static void s_on_entry (void *arg, synod_str_t key, const synod__cache_value_t *value)
{
    s_scan_t *scan = (s_scan_t *) arg;
    synod_str_t prefix = scan->in->prefix;
    if (*key.data == SYNOD__CACHE_HIDDEN || key.size < prefix.size ||
        memcmp (key.data, prefix.data ? prefix.data : "", prefix.size) != 0)
        return;
    synod__kv_entry_t entry = {.key = key, .size = value->data.size, .until_ms = s_told (scan->now, value->until_us)};
    if (scan->in->values && scan->items->size + value->data.size < SYNOD_BODY_MAX / 2) /* else its size says so */
        entry.data = value->data;
    scan->full |= synod_list_add (scan->entries, scan->items, &synod__kv_entry_record, &entry, NULL) != SYNOD_OK;
    scan->full |= scan->items->size > SYNOD_BODY_MAX / 4;
}

int synod__cache_scan (synod__cache_t *self, synod__cache_now_t now, const synod__kv_scan_t *in,
                       synod__kv_scanned_t *out, synod_fault_t *fault)
{
    uint64_t cursor = 0, limit = in->limit ? in->limit : 100;
    uint32_t *at = &self->cursor;
    memset (out, 0, sizeof *out);
    if (in->at || in->only)
        return synod_fault (fault, SYNOD_REFUSED, "a cache publishes no changes; the table (kv) does");
    if (in->cursor.size && in->cursor.size != sizeof *at)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "cursor: expected that of an answer, of %zu bytes, got %u",
                            sizeof *at, in->cursor.size);
    if (in->cursor.size) {
        memcpy (at, in->cursor.data, sizeof *at);
        cursor = *at;
    }
    s_scan_t scan = {.in = in, .now = now, .entries = &out->entries, .items = &self->items};
    for (uint64_t looked = 0; looked < limit * S_SCAN_MOST; looked++) {
        cursor = synod__cache_table_scan (self->table, cursor, now.now_us, s_on_entry, &scan);
        if (!cursor || scan.full || out->entries.count >= limit)
            break;
    }
    *at = (uint32_t) cursor;
    if (cursor)
        out->cursor = synod_str_n (at, sizeof *at);
    return SYNOD_OK;
}

/* ---- the whole ---- */

uint32_t synod__cache_sweep (synod__cache_t *self, int64_t now_us)
{
    synod__cache_count_t count = synod__cache_table_count (self->table);
    uint64_t portion = count.entries / S_SWEEP_ROUNDS;
    portion = portion < S_SWEEP_LEAST ? S_SWEEP_LEAST : portion > S_SWEEP_MOST ? S_SWEEP_MOST : portion;
    uint32_t removed = synod__cache_table_sweep (self->table, now_us, (uint32_t) portion);
    if (!synod__cache_table_count (self->table).timed)
        return 0;
    return removed > portion / 4 ? S_SWEEP_AGAIN : S_SWEEP_MS;
}

void synod__cache_stat (const synod__cache_t *self, synod__kv_stat_is_t *out)
{
    synod__cache_count_t count = synod__cache_table_count (self->table);
    out->keys = count.entries;
    out->bytes = count.used;
    out->memory = count.bound;
    out->hits = self->hits;
    out->misses = self->misses;
    out->expired = count.expired;
    out->evicted = count.evicted;
}
