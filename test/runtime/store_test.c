/* SPDX-License-Identifier: MPL-2.0
 *
 * A store's keys: on the disk behind the prefix that is selected, in a batch without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "actors/runtime/internal.h"
#include "actors/runtime/memory_disk.h"

static const synod__area_t s_data = SYNOD__AREA_DATA;

static int s_setup (void **state)
{
    static const uint8_t id[SYNOD__DISK_ID] = {1};
    static synod__rt_t rt;
    memset (&rt, 0, sizeof rt);
    rt.disk = synod__memory_disk_new (id);
    *state = &rt;
    return 0;
}

static int s_teardown (void **state)
{
    synod__rt_t *rt = (synod__rt_t *) *state;
    rt->disk->ops->close (&rt->disk);
    return 0;
}

/* Writes what is staged; BATCH, if any, gets a copy of the bytes. */
static void s_join (synod__rt_t *rt, synod__store_t *store, synod_buf_t *batch)
{
    synod_buf_t bytes = {0};
    synod__store_take (store, &bytes);
    assert_false (synod__store_staged (store));
    assert_int_equal (
        rt->disk->ops->write (rt->disk, synod__store_prefix (store), synod_str_n (bytes.data, bytes.size)), SYNOD_OK);
    if (batch)
        *batch = bytes;
    else
        synod_buf_free (&bytes);
}

static void s_put (synod__store_t *store, const char *key, const char *value)
{
    assert_int_equal (synod__store_put (store, s_data, synod_str (key), synod_str (value)), SYNOD_OK);
}

static void s_is (synod__store_t *store, const char *key, const char *value)
{
    synod_str_t got;
    assert_int_equal (synod__store_get (store, s_data, synod_str (key), &got), value ? SYNOD_OK : SYNOD_NOT_FOUND);
    if (value)
        assert_true (synod_str_is (got, value));
}

static bool s_list (void *arg, synod_str_t key, synod_str_t value)
{
    char *list = (char *) arg;
    size_t size = strlen (list);
    snprintf (list + size, 64 - size, "%.*s=%.*s ", SYNOD_STR (key), SYNOD_STR (value));
    return true;
}

static void s_all (synod__store_t *store, const char *expected)
{
    char list[64] = "";
    assert_int_equal (synod__store_scan (store, s_data, synod_str (""), synod_str (""), s_list, list), SYNOD_OK);
    assert_string_equal (list, expected);
}

static void select_prefix (void **state)
{
    synod__rt_t *rt = (synod__rt_t *) *state;
    synod__store_t *store = synod__store_new (rt, synod_str ("kv"));
    char longest[SYNOD__STORE_PREFIX_MAX], key[SYNOD_STORE_KEY_MAX], prefix[] = "kv\0\0\1";
    synod_str_t got;
    assert_true (synod__store_prefix (store).size == 3 && memcmp (synod__store_prefix (store).data, "kv", 3) == 0);
    s_put (store, "a", "1");
    s_join (rt, store, NULL);
    synod__store_select (store, synod_str_n (prefix, 5));
    assert_int_equal (synod__store_prefix (store).size, 5);
    memset (prefix, 'x', 5); /* it was copied */
    assert_memory_equal (synod__store_prefix (store).data, "kv\0\0\1", 5);
    s_is (store, "a", NULL);
    s_all (store, "");
    s_put (store, "a", "2");
    s_is (store, "a", "2");
    s_put (store, "b", "2");
    s_all (store, "a=2 b=2 ");
    s_join (rt, store, NULL);
    s_put (store, "aa", "3");
    s_all (store, "a=2 aa=3 b=2 "); /* what is staged and what is on the disk */
    synod__store_drop (store);
    assert_int_equal (rt->disk->ops->get (rt->disk, synod_str_n ("kv\0\0\1da", 7), &got), SYNOD_OK);
    assert_true (synod_str_is (got, "2"));
    /* the longest there is, then a shorter one again */
    memset (longest, 'p', sizeof longest);
    memset (key, 'k', sizeof key);
    synod__store_select (store, synod_str_n (longest, sizeof longest));
    assert_int_equal (synod__store_put (store, s_data, synod_str_n (key, sizeof key), synod_str ("4")), SYNOD_OK);
    s_join (rt, store, NULL);
    assert_int_equal (synod__store_get (store, s_data, synod_str_n (key, sizeof key), &got), SYNOD_OK);
    assert_true (synod_str_is (got, "4"));
    synod__store_select (store, synod_str_n ("kv", 3));
    s_is (store, "a", "1");
    s_all (store, "a=1 ");
    synod__store_destroy (&store);
}

/* A batch is the same wherever it is written. */
static void batches_without_prefix (void **state)
{
    synod__rt_t *rt = (synod__rt_t *) *state;
    synod__store_t *store = synod__store_new (rt, synod_str ("kv"));
    synod_buf_t one = {0}, two = {0};
    for (int i = 0; i < 2; i++) {
        synod__store_select (store, i ? synod_str ("elsewhere") : synod_str_n ("kv", 3));
        s_put (store, "b", "2");
        s_put (store, "a", "1");
        assert_int_equal (synod__store_delete (store, s_data, synod_str ("c")), SYNOD_OK);
        assert_int_equal (synod__store_put (store, SYNOD__AREA_REPLIES, synod_str ("r"), synod_str ("3")), SYNOD_OK);
        s_join (rt, store, i ? &two : &one);
    }
    synod_str_t batch = synod_str_n (one.data, one.size), key, value;
    assert_int_equal (one.size, two.size);
    assert_memory_equal (one.data, two.data, one.size);
    static const char *const keys[] = {"da", "db", "dc", "rr"};
    for (int i = 0; i < 4; i++) {
        assert_int_equal (synod__disk_batch_next (&batch, &key, &value), SYNOD_OK);
        assert_true (synod_str_is (key, keys[i]) && (i == 2) == !value.data);
    }
    assert_int_equal (synod__disk_batch_next (&batch, &key, &value), SYNOD_NOT_FOUND);
    synod_buf_free (&one);
    synod_buf_free (&two);
    synod__store_destroy (&store);
}

#define S_TEST(function) cmocka_unit_test_setup_teardown (function, s_setup, s_teardown)
int main (void)
{
    const struct CMUnitTest tests[] = {S_TEST (select_prefix), S_TEST (batches_without_prefix)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
