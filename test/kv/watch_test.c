/* SPDX-License-Identifier: MPL-2.0
 *
 * Counting as a watcher: what follows is told, what was missed is read again, and nothing old is told as new.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "actors/kv/watch.h"

#define PARTITION 3

static synod__kv_watch_of_t s_watch;

static synod__kv_watched_t s_change (const char *key, uint64_t version, uint64_t previous, bool found)
{
    const synod__kv_change_t in = {
        .key = synod_str (key), .version = version, .previous = previous, .found = found, .partition = PARTITION};
    return synod__kv_watch_change (&s_watch, &in);
}

static synod__kv_watched_t s_read (uint64_t at, uint64_t version)
{
    const synod__kv_is_t in = {.at = at, .version = version, .found = version != 0};
    return synod__kv_watch_read (&s_watch, &in);
}

static synod__kv_watched_t s_watching (uint64_t at, uint64_t version)
{
    const synod__kv_watching_t in = {.partition = PARTITION, .at = at, .version = version, .found = version != 0};
    return synod__kv_watch_watching (&s_watch, &in);
}

/* It knows version 7 of its key, in a partition that is at 9. */
static int s_begin (void **state)
{
    (void) state;
    synod__kv_watch_begin (&s_watch, synod_str ("a"));
    assert_int_equal (s_change ("a", 5, 4, true), SYNOD__KV_WATCH_OLD); /* nothing is known yet */
    assert_int_equal (s_watching (9, 7), SYNOD__KV_WATCH_READ);
    assert_int_equal (s_read (9, 7), SYNOD__KV_WATCH_NEXT);
    assert_true (s_watch.jump && s_watch.version == 7);
    return 0;
}

static void test_follows (void **state)
{
    (void) state;
    assert_int_equal (s_change ("b", 10, 9, true), SYNOD__KV_WATCH_OLD);
    assert_int_equal (s_change ("a", 11, 10, true), SYNOD__KV_WATCH_NEXT);
    assert_true (!s_watch.jump && s_watch.version == 11);
    assert_int_equal (s_change ("a", 14, 11, false), SYNOD__KV_WATCH_NEXT); /* batches that change nothing are no gap */
    assert_true (!s_watch.found && s_watch.version == 0);
    assert_int_equal (s_change ("a", 11, 10, true), SYNOD__KV_WATCH_OLD);
    assert_int_equal (s_watching (20, 0), SYNOD__KV_WATCH_OLD);
}

static void test_missed (void **state)
{
    (void) state;
    assert_int_equal (s_change ("a", 12, 11, true), SYNOD__KV_WATCH_READ);
    assert_int_equal (s_read (11, 11), SYNOD__KV_WATCH_READ); /* from before that change */
    assert_int_equal (s_read (12, 12), SYNOD__KV_WATCH_NEXT);
    assert_true (s_watch.jump);
    assert_int_equal (s_change ("b", 15, 14, true), SYNOD__KV_WATCH_READ); /* of another key: what was it? */
    assert_int_equal (s_read (15, 12), SYNOD__KV_WATCH_OLD);
    assert_int_equal (s_change ("a", 16, 15, true), SYNOD__KV_WATCH_NEXT);
    assert_int_equal (s_change ("a", 17, 0, true), SYNOD__KV_WATCH_READ); /* an owner that does not know */
}

/* The owner changed, and nothing is published: the answer to `watch` shows it. */
static void test_silence (void **state)
{
    (void) state;
    assert_int_equal (s_watching (9, 7), SYNOD__KV_WATCH_OLD);
    assert_int_equal (s_watching (30, 22), SYNOD__KV_WATCH_READ);
    assert_int_equal (s_watching (30, 22), SYNOD__KV_WATCH_OLD); /* it is being read */
    assert_int_equal (s_read (31, 22), SYNOD__KV_WATCH_NEXT);
    assert_int_equal (s_watching (12, 7), SYNOD__KV_WATCH_OLD); /* a late one */
    assert_int_equal (s_watching (40, 0), SYNOD__KV_WATCH_READ);
    assert_int_equal (s_read (40, 0), SYNOD__KV_WATCH_NEXT);
    assert_int_equal (s_change ("a", 22, 20, true), SYNOD__KV_WATCH_OLD); /* from before it was gone */
}

/* What comes while the key is read is not lost: it goes on from there. */
static void test_while_reading (void **state)
{
    (void) state;
    assert_int_equal (s_change ("b", 12, 11, true), SYNOD__KV_WATCH_READ);
    assert_int_equal (s_change ("b", 13, 12, true), SYNOD__KV_WATCH_OLD);
    assert_int_equal (s_change ("b", 14, 13, true), SYNOD__KV_WATCH_OLD);
    assert_int_equal (s_read (13, 7), SYNOD__KV_WATCH_OLD);
    assert_int_equal (s_change ("a", 15, 14, true), SYNOD__KV_WATCH_NEXT);
    assert_int_equal (synod__kv_watch_lost (&s_watch), SYNOD__KV_WATCH_READ);
    assert_int_equal (s_change ("b", 17, 16, true), SYNOD__KV_WATCH_OLD);
    assert_int_equal (s_read (15, 15), SYNOD__KV_WATCH_OLD);
    assert_int_equal (s_change ("b", 18, 17, true), SYNOD__KV_WATCH_READ); /* 16 was never seen */
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup (test_##name, s_begin)
    const struct CMUnitTest tests[] = {TEST (follows), TEST (missed), TEST (silence), TEST (while_reading)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
