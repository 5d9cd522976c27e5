/* SPDX-License-Identifier: MPL-2.0
 *
 * Watching a prefix, as its watcher keeps count: what follows is told at once, what does not has its partition read, and
 * nothing is told twice, out of order, or of what was only hinted at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "actors/kv/prefix.h"
#include "protocol/frame.h"

static char told[512];

static void on_told (void *arg, const synod__kv_prefix_told_t *in)
{
    size_t used = strlen (told);
    (void) arg;
    snprintf (told + used, sizeof told - used, "%s%.*s%s%d ", in->jump ? "~" : "", SYNOD_STR (in->key),
              in->found ? "=" : "-", (int) in->version);
}

#define check_told(wanted)                                                 \
    do {                                                                   \
        if (strcmp (told, wanted) != 0)                                    \
            fail_msg ("expected \"%s\", was told \"%s\"", (wanted), told); \
        told[0] = 0;                                                       \
    } while (0)

static void change (synod__kv_prefix_t *self, const char *key, uint64_t previous, uint64_t version, bool found)
{
    const synod__kv_change_t in = {
        .key = synod_str (key), .partition = 7, .previous = previous, .version = version, .found = found};
    synod__kv_prefix_change (self, &in);
}

/* Answers the scan that is wanted, which must be one: of partition 7, up to AT, with KEY (NULL: none) in VERSION. */
static void scanned (synod__kv_prefix_t *self, bool only, uint64_t at, const char *key, uint64_t version)
{
    synod__kv_scan_t in;
    synod__kv_scanned_t out = {0}, back;
    synod_buf_t items = {0}, body = {0};
    char ats[SYNOD__KV_MARK];
    assert_true (synod__kv_prefix_scan (self, &in));
    assert_int_equal (in.only, only);
    assert_true (!only || (in.cursor.size == 2 && in.cursor.data[1] == 7));
    synod__kv_scan_t more;
    assert_false (synod__kv_prefix_scan (self, &more)); /* one at a time */
    synod__kv_mark_put (ats, 7, at);
    out.ats = synod_str_n (ats, at ? sizeof ats : 0);
    const synod__kv_entry_t entry = {.key = synod_str (key ? key : ""), .version = version, .partition = 7};
    if (key)
        assert_int_equal (synod_list_add (&out.entries, &items, &synod__kv_entry_record, &entry, NULL), SYNOD_OK);
    assert_int_equal (synod_record_pack (&synod__kv_scanned_record, &out, &body, NULL), SYNOD_OK);
    assert_int_equal (synod_record_unpack (&synod__kv_scanned_record, synod_str_n (body.data, body.size), &back, NULL),
                      SYNOD_OK);
    synod__kv_prefix_scanned (self, &back);
    synod_buf_free (&items);
    synod_buf_free (&body);
}

static void marked (synod__kv_prefix_t *self, uint64_t version)
{
    char marks[SYNOD__KV_MARK];
    synod__kv_mark_put (marks, 7, version);
    const synod__kv_marks_are_t in = {
        .node = synod_str ("n1"), .life = 5, .seq = version, .epoch = 1, .marks = synod_str_n (marks, sizeof marks)};
    assert_false (synod__kv_prefix_marks (self, &in));
}

static void assert_level (synod__kv_prefix_t *self)
{
    synod__kv_scan_t in;
    assert_false (synod__kv_prefix_scan (self, &in));
}

static void test_chain (void **state)
{
    synod__kv_prefix_t self;
    (void) state;
    synod__kv_prefix_begin (&self, synod_str ("k"), on_told, NULL);
    scanned (&self, false, 10, "k1", 8);
    check_told ("~k1=8 ");
    change (&self, "k1", 10, 11, true);
    change (&self, "other", 11, 12, true);
    change (&self, "k2", 12, 13, true);
    change (&self, "k2", 12, 13, true); /* again */
    change (&self, "k1", 8, 9, true);   /* of before */
    change (&self, "k2", 13, 14, false);
    check_told ("k1=11 k2=13 k2-14 ");
    assert_level (&self);
    assert_int_equal (synod__kv_prefix_version (&self, synod_str ("k1")), 11);
    assert_int_equal (synod__kv_prefix_version (&self, synod_str ("k2")), 0);
    synod__kv_prefix_free (&self);
}

static void test_gap (void **state)
{
    synod__kv_prefix_t self;
    (void) state;
    synod__kv_prefix_begin (&self, synod_str ("k"), on_told, NULL);
    scanned (&self, false, 10, "k1", 8);
    check_told ("~k1=8 ");
    change (&self, "k2", 11, 12, true); /* 11 is missing */
    check_told ("");
    scanned (&self, true, 12, "k2", 12); /* k1 was deleted */
    check_told ("~k2=12 ~k1-12 ");
    change (&self, "k1", 12, 13, true);
    check_told ("k1=13 ");
    assert_level (&self);
    /* what comes while it is read, and is not in the answer, has it read again */
    change (&self, "k1", 14, 15, true);
    synod__kv_scan_t in;
    assert_true (synod__kv_prefix_scan (&self, &in));
    change (&self, "k1", 15, 16, true);
    synod__kv_prefix_scanned (&self, NULL); /* it failed */
    scanned (&self, true, 15, "k1", 15);
    check_told ("~k1=15 ~k2-15 ");
    assert_level (&self); /* 16 was before the second ask, which a majority has confirmed */
    change (&self, "k1", 15, 16, true);
    check_told ("k1=16 ");
    synod__kv_prefix_free (&self);
}

/* A key that was told to be gone is not told again by an owner whose clock is behind. */
static void test_deadline (void **state)
{
    synod__kv_prefix_t self;
    (void) state;
    synod__kv_prefix_begin (&self, synod_str ("k"), on_told, NULL);
    scanned (&self, false, 10, "k1", 8);
    change (&self, "k1", 10, 11, false);
    change (&self, "other", 12, 13, true);
    scanned (&self, true, 13, "k1", 8);
    check_told ("~k1=8 k1-11 ");
    synod__kv_prefix_free (&self);
}

static void test_marks (void **state)
{
    synod__kv_prefix_t self;
    char to[2 * SYNOD_NAME_MAX + 2];
    synod__kv_marks_t ask;
    (void) state;
    synod__kv_prefix_begin (&self, synod_str ("k"), on_told, NULL);
    assert_true (synod__kv_prefix_ask (&self, 0, to, &ask));
    assert_string_equal (to, "kv-node");
    assert_true (ask.members);
    assert_false (synod__kv_prefix_ask (&self, 1, to, &ask));
    synod_list_t names = {0};
    synod_buf_t items = {0}, body = {0};
    const synod__kv_member_t one = {.name = synod_str ("n1")};
    assert_int_equal (synod_list_add (&names, &items, &synod__kv_member_record, &one, NULL), SYNOD_OK);
    synod__kv_marks_are_t in = {.node = synod_str ("n1"), .life = 5, .seq = 9, .epoch = 1, .names = names}, back;
    assert_int_equal (synod_record_pack (&synod__kv_marks_are_record, &in, &body, NULL), SYNOD_OK);
    assert_int_equal (
        synod_record_unpack (&synod__kv_marks_are_record, synod_str_n (body.data, body.size), &back, NULL), SYNOD_OK);
    synod__kv_prefix_marks (&self, &back);
    assert_true (synod__kv_prefix_ask (&self, 0, to, &ask));
    assert_string_equal (to, "n1/kv-node");
    assert_int_equal (ask.life, 5);
    assert_int_equal (ask.seq, 9);
    marked (&self, 3);
    scanned (&self, false, 3, "k1", 3);
    assert_level (&self);
    marked (&self, 4); /* the message was lost */
    scanned (&self, true, 4, "k1", 4);
    check_told ("~k1=3 ~k1=4 ");
    assert_level (&self);
    marked (&self, 9); /* of what never came about: it is looked at once, and nothing is taken for known */
    scanned (&self, true, 5, "k1", 4);
    assert_level (&self);
    change (&self, "k1", 5, 6, true);
    check_told ("k1=6 ");
    /* a partition that was empty when all was scanned: its first change follows nothing */
    const synod__kv_change_t first = {.key = synod_str ("kx"), .partition = 300, .version = 1, .found = true};
    synod__kv_prefix_change (&self, &first);
    check_told ("kx=1 ");
    synod_buf_free (&items);
    synod_buf_free (&body);
    synod__kv_prefix_free (&self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_chain), cmocka_unit_test (test_gap),
                                       cmocka_unit_test (test_deadline), cmocka_unit_test (test_marks)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
