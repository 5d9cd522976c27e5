/* SPDX-License-Identifier: MPL-2.0
 *
 * Commits that are begun and not waited for, in the log of the disk on LMDB: in which order they count as durable, what a
 * crash leaves of them, and how they fail.
 */
#include <errno.h>
#include <sched.h>
#include "image.h"

#define S_LOG 20000 /* bytes: a checkpoint every few commits */

static void s_begin (synod__disk_t *disk, uint64_t number)
{
    assert_int_equal (store_write_number (disk, number), SYNOD_OK);
    assert_int_equal (disk->ops->begin (disk), SYNOD_OK);
}

/* The image, without record NUMBER. */
static const char *s_without (uint64_t number)
{
    const char *image = image_of (image_dir ());
    image_file_t wal = image_load (image, SYNOD__WAL_FILE);
    size_t at = 0;
    while (--number)
        at += image_record (&wal, at);
    memset (wal.data + at, 0, image_record (&wal, at));
    image_save (image, SYNOD__WAL_FILE, wal.data, wal.size);
    free (wal.data);
    return image;
}

/* The disk writes what is under way in any order. A crash may leave a later one without an earlier one: neither was
 * acknowledged. But one that was durable when a later one was begun must be there. */
static void begun (void **state)
{
    (void) state;
    synod__disk_t *disk = store_open (image_dir (), 0);
    image_commit (disk, 1); /* with which the file has grown */
    image_commit (disk, 2);
    for (uint64_t number = 3; number <= 5; number += 2) {
        s_begin (disk, number);
        s_begin (disk, number + 1);
        assert_int_equal (disk->begun, number - 1);
        assert_int_equal (disk->ops->commit (disk), SYNOD_OK); /* nothing but to wait */
        assert_int_equal (disk->settled, number - 1);
    }
    image_has (image_of (image_dir ()), 6);
    image_refused (s_without (2), SYNOD_INVALID, "commit 1 of it cannot be read");
    image_refused (s_without (3), SYNOD_INVALID, "commit 2 of it cannot be read");
    image_refused (s_without (4), SYNOD_INVALID, "commit 3 of it cannot be read");
    image_has (s_without (6), 5);
    const char *image = s_without (5);
    image_has (image, 4);
    synod__disk_t *next = store_open (image, 0);
    image_commit (next, 5); /* where the one stood that was lost, before the one that was lost with it */
    next->ops->close (&next);
    image_has (image, 5);
    disk->ops->close (&disk);
}

/* Nothing counts as durable before it is, nor before what was begun before it. */
static void begun_order (void **state)
{
    (void) state;
    synod__disk_t *disk = store_open (image_dir (), 0);
    for (uint64_t number = 1; number <= 2; number++)
        image_commit (disk, number);
    failing_io_hold (FAILING_IO_HOLD_FIRST);
    s_begin (disk, 3);
    s_begin (disk, 4);
    for (int i = 0; i < 1000; i++) { /* the second may be done at any time */
        assert_int_equal (disk->ops->settle (disk), SYNOD_OK);
        assert_int_equal (disk->settled, 0);
        sched_yield ();
    }
    failing_io_hold (FAILING_IO_HOLD_NONE);
    while (disk->settled < 2)
        assert_int_equal (disk->ops->settle (disk), SYNOD_OK);
    failing_io_hold (FAILING_IO_HOLD_ALL);
    s_begin (disk, 5);
    assert_int_equal (disk->ops->settle (disk), SYNOD_OK);
    assert_int_equal (disk->settled, 2);
    assert_int_equal (disk->ops->commit (disk), SYNOD_OK);
    assert_int_equal (disk->settled, 3);
    disk->ops->close (&disk);
}

/* One that fails takes those behind it along. */
static void begun_fails (void **state)
{
    (void) state;
    static const failing_io_mode_t modes[] = {FAILING_IO_BEFORE, FAILING_IO_AFTER, FAILING_IO_SHORT};
    for (int i = 0; i < 3; i++) {
        store_remove (image_dir ());
        synod__disk_t *disk = store_open (image_dir (), 0);
        for (uint64_t number = 1; number <= 2; number++)
            image_commit (disk, number);
        failing_io_hold (FAILING_IO_HOLD_ALL);
        failing_io ("pwrite", 1, EIO, modes[i], SYNOD__WAL_FILE);
        s_begin (disk, 3);
        s_begin (disk, 4);
        failing_io_hold (FAILING_IO_HOLD_NONE);
        int rc = SYNOD_OK, code = modes[i] == FAILING_IO_SHORT ? SYNOD_FULL : SYNOD_IO;
        while (rc == SYNOD_OK)
            rc = disk->ops->settle (disk);
        assert_int_equal (rc, code);
        assert_int_equal (disk->settled, 0);
        assert_int_equal (disk->ops->begin (disk), code);
        assert_int_equal (store_write_number (disk, 5), code);
        image_has (image_of (image_dir ()), 2);
        disk->ops->close (&disk);
        image_has (image_dir (), 2);
    }
}

/* What is begun fills the log, and begins it anew. */
static void begun_for_long (void **state)
{
    (void) state;
    synod__disk_t *disk = store_open_log (image_dir (), 0, S_LOG);
    uint32_t waited = 0;
    for (uint64_t number = 1; number <= 500; number++) {
        assert_int_equal (store_write_number (disk, number), SYNOD_OK);
        while (disk->begun - disk->settled == SYNOD__DISK_UNDER_WAY)
            assert_int_equal (disk->ops->settle (disk), SYNOD_OK);
        int rc = disk->ops->begin (disk);
        if (rc == SYNOD_BUSY) {
            waited++;
            assert_int_equal (disk->ops->commit (disk), SYNOD_OK);
            assert_int_equal (disk->settled, disk->begun);
            image_has (image_of (image_dir ()), number);
        } else
            assert_int_equal (rc, SYNOD_OK);
    }
    assert_true (waited > 5 && waited < 200);
    disk->ops->close (&disk);
    image_has (image_dir (), 500);
}

int main (void)
{
    const struct CMUnitTest tests[] = {S_TEST (begun), S_TEST (begun_order), S_TEST (begun_fails),
                                       S_TEST (begun_for_long)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
