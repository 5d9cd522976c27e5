/* SPDX-License-Identifier: MPL-2.0
 *
 * The cache's memory against a model that is a list in the order of use: which keys there are, what they hold, who is
 * evicted, what a scan tells.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "actors/cache/table.h"

#define S_KEYS  4000
#define S_STEPS 200000

typedef struct {
    uint32_t key, size;
    char fill;
    int64_t until_us;
} entry_t;

/* The most used first. */
typedef struct {
    entry_t entries[S_KEYS];
    uint32_t count;
} model_t;

static uint64_t s_random = 88172645463325252ull;

static uint32_t s_draw (uint32_t below)
{
    s_random ^= s_random << 13;
    s_random ^= s_random >> 7;
    s_random ^= s_random << 17;
    return (uint32_t) (s_random >> 16) % below;
}

static synod_str_t s_key (uint32_t key, char room[32])
{
    return synod_str_n (room, (size_t) snprintf (room, 32, "k%0*u", (int) (key % 11) + 1, key));
}

static entry_t *s_find (model_t *model, uint32_t key)
{
    for (uint32_t i = 0; i < model->count; i++)
        if (model->entries[i].key == key)
            return &model->entries[i];
    return NULL;
}

static void s_take (model_t *model, entry_t *entry)
{
    memmove (entry, entry + 1, (size_t) (model->entries + --model->count - entry) * sizeof *entry);
}

static void s_first (model_t *model, entry_t entry)
{
    memmove (model->entries + 1, model->entries, model->count++ * sizeof entry);
    model->entries[0] = entry;
}

static void s_same (synod__cache_table_t *table, model_t *model, uint32_t key, int64_t now_us, bool use)
{
    char room[32];
    synod__cache_value_t value;
    entry_t *entry = s_find (model, key);
    bool live = entry && !(entry->until_us && entry->until_us <= now_us);
    assert_int_equal (synod__cache_table_get (table, s_key (key, room), now_us, use, &value), live);
    if (entry && !live)
        s_take (model, entry);
    if (!live)
        return;
    assert_int_equal (value.data.size, entry->size);
    assert_int_equal (value.until_us, entry->until_us);
    for (uint32_t i = 0; i < entry->size; i++)
        assert_int_equal (value.data.data[i], entry->fill);
    if (use) {
        entry_t found = *entry;
        s_take (model, entry);
        s_first (model, found);
    }
}

static void s_put (synod__cache_table_t *table, model_t *model, uint32_t key, int64_t now_us)
{
    static char bytes[5000];
    char room[32];
    entry_t entry = {
        .key = key, .size = s_draw (4) ? s_draw (100) : s_draw (sizeof bytes), .fill = (char) s_draw (256)};
    if (s_draw (3) == 0)
        entry.until_us = now_us + 1 + s_draw (20000);
    uint32_t head = s_draw (entry.size + 1);
    memset (bytes, entry.fill, entry.size);
    assert_int_equal (synod__cache_table_put (table, s_key (key, room), synod_str_n (bytes, head),
                                              synod_str_n (bytes + head, entry.size - head), entry.until_us),
                      SYNOD_OK);
    entry_t *old = s_find (model, key);
    if (old)
        s_take (model, old);
    s_first (model, entry);
}

/* Whoever is evicted is the one that was used least. */
static void s_evicted (const synod__cache_table_t *table, model_t *model)
{
    synod__cache_count_t count = synod__cache_table_count (table);
    assert_true (count.entries <= model->count);
    assert_true (count.used <= count.bound);
    model->count = (uint32_t) count.entries;
}

static void as_the_model (void **state)
{
    static model_t model;
    (void) state;
    for (uint32_t bound = SYNOD__CACHE_LEAST; bound <= 16u << 20; bound *= 16) {
        int64_t now_us = 1;
        uint32_t keys = bound > 1 << 20 ? S_KEYS : 600;
        synod__cache_table_t *table = synod__cache_table_new (7, bound);
        model.count = 0;
        for (int step = 0; step < S_STEPS; step++) {
            uint32_t key = s_draw (keys);
            char room[32];
            now_us += s_draw (10);
            switch (s_draw (8)) {
            case 0:
            case 1:
            case 2:
                s_put (table, &model, key, now_us);
                s_evicted (table, &model);
                break;
            case 3: {
                entry_t *entry = s_find (&model, key);
                assert_int_equal (synod__cache_table_remove (table, s_key (key, room)), entry != NULL);
                if (entry)
                    s_take (&model, entry);
                break;
            }
            case 4: {
                s_same (table, &model, key, now_us, false);
                entry_t *entry = s_find (&model, key);
                int64_t until_us = s_draw (2) ? now_us + 1 + s_draw (20000) : 0;
                bool moved = entry && !entry->until_us != !until_us; /* which makes it the most used */
                assert_true (synod__cache_table_expire (table, s_key (key, room), until_us));
                if (entry) {
                    entry->until_us = until_us;
                    if (moved) {
                        entry_t found = *entry;
                        s_take (&model, entry);
                        s_first (&model, found);
                    }
                }
                s_evicted (table, &model);
                break;
            }
            default:
                s_same (table, &model, key, now_us, s_draw (2));
            }
            if (step % 5000 == 0)
                assert_true (synod__cache_table_check (table));
        }
        for (uint32_t key = 0; key < keys; key++)
            s_same (table, &model, key, now_us, false);
        assert_true (synod__cache_table_check (table));
        if (bound == SYNOD__CACHE_LEAST)
            assert_true (synod__cache_table_count (table).evicted > 1000);
        synod__cache_table_destroy (&table);
    }
}

/* An append in place, and one that moves, of a value to itself. */
static void of_itself (void **state)
{
    synod__cache_table_t *table = synod__cache_table_new (1, SYNOD__CACHE_LEAST);
    synod__cache_value_t value;
    synod_str_t key = synod_str ("k");
    (void) state;
    assert_int_equal (synod__cache_table_put (table, key, synod_str ("ab"), synod_str ("c"), 0), SYNOD_OK);
    for (int i = 0; i < 10; i++) {
        assert_true (synod__cache_table_get (table, key, 0, true, &value));
        assert_int_equal (synod__cache_table_put (table, key, value.data, synod_str ("d"), 0), SYNOD_OK);
    }
    assert_true (synod__cache_table_get (table, key, 0, true, &value));
    assert_true (synod_str_is (value.data, "abcdddddddddd"));
    assert_true (synod__cache_table_check (table));
    synod__cache_table_destroy (&table);
}

static void too_large (void **state)
{
    static char bytes[SYNOD__CACHE_LEAST];
    synod__cache_table_t *table = synod__cache_table_new (1, 0);
    synod__cache_value_t value;
    (void) state;
    assert_int_equal (synod__cache_table_put (table, synod_str ("a"), synod_str ("1"), synod_str (""), 0), SYNOD_OK);
    assert_int_equal (
        synod__cache_table_put (table, synod_str ("a"), synod_str_n (bytes, sizeof bytes), synod_str (""), 0),
        SYNOD_TOO_LARGE);
    assert_true (synod__cache_table_get (table, synod_str ("a"), 0, true, &value));
    assert_true (synod_str_is (value.data, "1"));
    assert_int_equal (
        synod__cache_table_put (table, synod_str ("b"), synod_str_n (bytes, sizeof bytes - 20000), synod_str (""), 0),
        SYNOD_OK);
    synod__cache_table_destroy (&table);
}

static void swept (void **state)
{
    synod__cache_table_t *table = synod__cache_table_new (1, 16 << 20);
    char room[32];
    (void) state;
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal (synod__cache_table_put (table, s_key (i, room), synod_str ("x"), synod_str (""),
                                                  i % 2 ? 1000 + (int64_t) i : 0),
                          SYNOD_OK);
    uint32_t removed = 0, most = 0;
    for (int i = 0; i < 101; i++) {
        uint32_t here = synod__cache_table_sweep (table, 1000 + 5000, 100);
        removed += here;
        most = here > most ? here : most;
    }
    assert_int_equal (removed, 2500);
    assert_true (most < 400);
    assert_int_equal (synod__cache_table_count (table).expired, 2500);
    assert_int_equal (synod__cache_table_count (table).timed, 2500);
    assert_true (synod__cache_table_check (table));
    synod__cache_table_destroy (&table);
}

/* ---- scans ---- */

static uint8_t s_seen[3 * S_KEYS];

static void s_on_key (void *arg, synod_str_t key, const synod__cache_value_t *value)
{
    (void) arg;
    (void) value;
    uint32_t number = (uint32_t) strtoul (key.data + 1, NULL, 10);
    if (s_seen[number] < 255)
        s_seen[number]++;
}

/* Keys that are there all the time are told, once unless the table grows; none that was removed before. */
static void scans (void **state)
{
    char room[32];
    (void) state;
    for (int growing = 0; growing < 2; growing++)
        for (uint32_t keys = 1; keys < S_KEYS; keys += keys < 70 ? 1 : 577) {
            synod__cache_table_t *table = synod__cache_table_new (keys, 16 << 20);
            uint32_t added = 0;
            memset (s_seen, 0, sizeof s_seen);
            for (uint32_t i = 0; i < 2 * keys; i++)
                synod__cache_table_put (table, s_key (i, room), synod_str ("x"), synod_str (""), 0);
            for (uint32_t i = keys; i < 2 * keys; i++)
                synod__cache_table_remove (table, s_key (i, room));
            uint64_t cursor = 0;
            do {
                cursor = synod__cache_table_scan (table, cursor, 0, s_on_key, NULL);
                assert_true (cursor <= UINT32_MAX);
                for (int i = 0; growing && i < 3 && added < S_KEYS; i++, added++)
                    synod__cache_table_put (table, s_key (2 * S_KEYS + added, room), synod_str ("x"), synod_str (""),
                                            0);
            } while (cursor);
            for (uint32_t i = 0; i < keys; i++)
                assert_true (growing ? s_seen[i] >= 1 : s_seen[i] == 1);
            for (uint32_t i = keys; i < 2 * keys; i++)
                assert_int_equal (s_seen[i], 0);
            synod__cache_table_destroy (&table);
        }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (as_the_model), cmocka_unit_test (of_itself), cmocka_unit_test (too_large),
        cmocka_unit_test (swept),        cmocka_unit_test (scans),
    };
    return cmocka_run_group_tests_name ("cache/table", tests, NULL, NULL);
}
