/* SPDX-License-Identifier: MPL-2.0
 *
 * What every disk promises (actors/runtime/disk.h), checked on each.
 */
#include <errno.h>
#include <inttypes.h>
#include "protocol/frame.h"
#include "subject.h"

#define S_NEVER ((synod_str_t){0})

static void nothing (void **state)
{
    subject_t *self = (subject_t *) *state;
    synod__disk_t *disk = self->disk;
    assert_int_equal (subject_commit (self), SYNOD_OK);
    assert_int_equal (disk->ops->write (disk, synod_str (""), synod_str_n ("", 0)), SYNOD_OK);
    assert_int_equal (subject_commit (self), SYNOD_OK);
    assert_int_equal (subject_write (self, synod_str ("gone"), NULL), SYNOD_OK); /* to delete nothing is no error */
    assert_int_equal (subject_commit (self), SYNOD_OK);
    store_is (disk, "gone", NULL);
    store_is (disk, "", NULL);
    assert_int_equal (store_check_numbers (disk), 0);
    subject_crash (self);
    assert_int_equal (store_check_numbers (self->disk), 0);
}

static void batches (void **state)
{
    subject_t *self = (subject_t *) *state;
    synod_buf_t batch = {0};
    store_add (&batch, "a", "1");
    store_add (&batch, "b", "1");
    store_add (&batch, "a", "2"); /* the later counts */
    store_add (&batch, "b", NULL);
    assert_int_equal (store_write (self->disk, &batch), SYNOD_OK);
    store_is (self->disk, "a", "2");
    store_is (self->disk, "b", NULL);
    assert_int_equal (subject_commit (self), SYNOD_OK);
    assert_int_equal (store_put (self->disk, "c", "1"), SYNOD_OK); /* two batches, one commit */
    assert_int_equal (store_put (self->disk, "a", "3"), SYNOD_OK);
    assert_int_equal (subject_commit (self), SYNOD_OK);
    assert_int_equal (store_put (self->disk, "a", "4"), SYNOD_OK); /* not committed */
    assert_int_equal (store_put (self->disk, "d", "4"), SYNOD_OK);
    store_is (self->disk, "a", "4");
    subject_crash (self);
    store_is (self->disk, "a", "3");
    store_is (self->disk, "c", "1");
    store_is (self->disk, "d", NULL);
}

static void numbers (void **state)
{
    subject_t *self = (subject_t *) *state;
    for (uint64_t i = 1; i <= 100; i++) {
        assert_int_equal (store_write_number (self->disk, i), SYNOD_OK);
        assert_int_equal (store_check_numbers (self->disk), i);
        if (i % 3 == 0)
            assert_int_equal (subject_commit (self), SYNOD_OK);
    }
    subject_crash (self);
    assert_int_equal (store_check_numbers (self->disk), 99);
}

static void limits (void **state)
{
    subject_t *self = (subject_t *) *state;
    static char large[SYNOD__DISK_VALUE_MAX + 1], key[SYNOD__DISK_KEY_MAX + 1];
    const synod_str_t empty = synod_str (""), most = synod_str_n (large, SYNOD__DISK_VALUE_MAX),
                      over = synod_str_n (large, sizeof large);
    memset (large, 'v', sizeof large);
    memset (key, 'k', sizeof key);
    synod_str_t longest = synod_str_n (key, SYNOD__DISK_KEY_MAX), value;
    assert_int_equal (subject_write (self, longest, &most), SYNOD_OK);
    assert_int_equal (subject_write (self, synod_str ("e"), &empty), SYNOD_OK);
    assert_int_equal (subject_commit (self), SYNOD_OK);
    subject_crash (self);
    assert_int_equal (self->disk->ops->get (self->disk, longest, &value), SYNOD_OK);
    assert_int_equal (value.size, SYNOD__DISK_VALUE_MAX);
    assert_memory_equal (value.data, large, value.size);
    assert_int_equal (self->disk->ops->get (self->disk, synod_str ("e"), &value), SYNOD_OK);
    assert_true (value.size == 0 && value.data);
    /* over a limit, empty, the disk's own */
    assert_int_equal (subject_write (self, synod_str_n (key, sizeof key), &empty), SYNOD_INVALID);
    assert_int_equal (subject_write (self, synod_str ("e"), &over), SYNOD_INVALID);
    assert_int_equal (subject_write (self, synod_str (""), &empty), SYNOD_INVALID);
    assert_int_equal (subject_write (self, synod_str_n ("", 1), &empty), SYNOD_INVALID);
    assert_int_equal (subject_write (self, synod_str_n ("\0a", 2), &empty),
                      SYNOD_OK); /* but not all of the framework's */
    assert_int_equal (self->disk->ops->get (self->disk, synod_str_n (key, sizeof key), &value), SYNOD_NOT_FOUND);
    assert_int_equal (self->disk->ops->get (self->disk, synod_str_n ("", 1), &value), SYNOD_NOT_FOUND);
}

static void no_batches (void **state)
{
    subject_t *self = (subject_t *) *state;
    const synod_str_t value = synod_str ("1");
    synod_buf_t batch = {0};
    store_add (&batch, "a", "1");
    for (uint32_t size = 1; size < batch.size; size++) /* cut short */
        assert_int_equal (self->disk->ops->write (self->disk, synod_str (""), synod_str_n (batch.data, size)),
                          SYNOD_INVALID);
    for (int byte = 0; byte < 256; byte++) { /* good, then not */
        synod_buf_t copy = {0};
        char tail = (char) byte;
        assert_int_equal (synod__disk_batch_add (&copy, synod_str ("a"), &value), SYNOD_OK);
        assert_int_equal (synod__buf_add (&copy, &tail, 1), SYNOD_OK);
        assert_int_equal (store_write (self->disk, &copy), SYNOD_INVALID);
    }
    store_is (self->disk, "a", NULL); /* nothing of them */
    assert_int_equal (subject_commit (self), SYNOD_OK);
    assert_int_equal (store_write (self->disk, &batch), SYNOD_OK); /* and it is not broken */
    assert_int_equal (subject_commit (self), SYNOD_OK);
    store_is (self->disk, "a", "1");
}

static bool s_any (void *arg, synod_str_t key, synod_str_t value)
{
    (void) key;
    (void) value;
    ++*(int *) arg;
    return true;
}

static void broken (void **state)
{
    subject_t *self = (subject_t *) *state;
    for (int round = 0; round < 2; round++) {
        int code = round ? SYNOD_FULL : SYNOD_IO, seen = 0;
        synod_str_t value;
        assert_int_equal (store_put (self->disk, "a", "1"), SYNOD_OK);
        assert_int_equal (subject_commit (self), SYNOD_OK);
        assert_int_equal (store_put (self->disk, "a", "2"), SYNOD_OK);
        subject_fail (self, code);
        assert_int_equal (subject_commit (self), code);
        assert_true (strlen (self->disk->ops->error (self->disk)) > 5);
        for (int again = 0; again < 2; again++) { /* the system would let all of them succeed now */
            assert_int_equal (subject_commit (self), code);
            assert_int_equal (store_put (self->disk, "b", "2"), code);
            assert_int_equal (self->disk->ops->get (self->disk, synod_str ("a"), &value), code);
            assert_int_equal (self->disk->ops->scan (self->disk, S_NEVER, S_NEVER, s_any, &seen), code);
        }
        assert_int_equal (seen, 0);
        subject_crash (self);
        store_is (self->disk, "a", "1");
        store_is (self->disk, "b", NULL);
        assert_int_equal (store_put (self->disk, "a", "3"), SYNOD_OK);
        assert_int_equal (subject_commit (self), SYNOD_OK);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (nothing),    cmocka_unit_test (batches),
                                       cmocka_unit_test (numbers),    cmocka_unit_test (limits),
                                       cmocka_unit_test (no_batches), cmocka_unit_test (broken)};
    return subject_each (tests, sizeof tests / sizeof *tests);
}
