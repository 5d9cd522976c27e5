/* SPDX-License-Identifier: MPL-2.0
 *
 * Batches behind a prefix, on each disk: what disk_contract.c does at random, one by one.
 */
#include "actors/runtime/memory_disk.h"
#include "store.h"

typedef struct {
    const char *name;
    char folder[64]; /* LMDB's; empty: memory */
    synod__disk_t *disk;
} s_subject_t;

static int s_setup (void **state)
{
    static const uint8_t id[SYNOD__DISK_ID] = {1};
    s_subject_t *self = (s_subject_t *) *state;
    bool lmdb = strcmp (self->name, "lmdb") == 0;
    if (lmdb)
        store_folder (self->folder);
    self->disk = lmdb ? store_open (self->folder, 0) : synod__memory_disk_new (id);
    return 0;
}

static int s_teardown (void **state)
{
    s_subject_t *self = (s_subject_t *) *state;
    self->disk->ops->close (&self->disk);
    if (self->folder[0])
        store_remove (self->folder);
    return 0;
}

static void s_is (s_subject_t *self, synod_str_t key, const char *value)
{
    synod_str_t got;
    assert_int_equal (self->disk->ops->get (self->disk, key, &got), value ? SYNOD_OK : SYNOD_NOT_FOUND);
    if (value)
        assert_true (synod_str_is (got, value));
}

/* The same batch in three places. */
static void places (void **state)
{
    s_subject_t *self = (s_subject_t *) *state;
    const synod_str_t one = synod_str_n ("p\0", 2), two = synod_str_n ("p\1", 2);
    synod_buf_t batch = {0};
    assert_int_equal (store_put (self->disk, "a", "0"), SYNOD_OK);
    store_add (&batch, "a", "1");
    store_add (&batch, "b", "1");
    assert_int_equal (store_write_at (self->disk, one, &batch), SYNOD_OK);
    store_add (&batch, "a", "2");
    assert_int_equal (store_write_at (self->disk, two, &batch), SYNOD_OK);
    store_add (&batch, "b", NULL);
    store_add (&batch, "c", NULL);
    assert_int_equal (store_write_at (self->disk, one, &batch), SYNOD_OK);
    assert_int_equal (self->disk->ops->commit (self->disk), SYNOD_OK);
    s_is (self, synod_str ("a"), "0");
    s_is (self, synod_str ("b"), NULL);
    s_is (self, synod_str_n ("p\0a", 3), "1");
    s_is (self, synod_str_n ("p\0b", 3), NULL);
    s_is (self, synod_str_n ("p\1a", 3), "2");
}

/* Together up to the limit; over it by one nothing is written, of what comes before neither. */
static void limits (void **state)
{
    s_subject_t *self = (s_subject_t *) *state;
    static char key[SYNOD__DISK_KEY_MAX + 1];
    const synod_str_t value = synod_str ("3");
    synod_buf_t batch = {0};
    memset (key, 'k', sizeof key);
    for (uint32_t size = 1; size <= SYNOD__DISK_KEY_MAX - 4; size += 99)
        for (uint32_t over = 0; over < 2; over++) {
            const synod_str_t own = synod_str_n (key, SYNOD__DISK_KEY_MAX - size + over);
            store_add (&batch, over ? "over" : "good", "4");
            assert_int_equal (synod__disk_batch_add (&batch, own, &value), SYNOD_OK);
            assert_int_equal (store_write_at (self->disk, synod_str_n (key, size), &batch),
                              over ? SYNOD_INVALID : SYNOD_OK);
            memcpy (key + size, over ? "over" : "good", 4);
            s_is (self, synod_str_n (key, size + 4), over ? NULL : "4");
            memset (key, 'k', sizeof key);
        }
    for (uint32_t size = SYNOD__DISK_KEY_MAX; size <= SYNOD__DISK_KEY_MAX + 1; size++) {
        store_add (&batch, "k", "5");
        assert_int_equal (store_write_at (self->disk, synod_str_n (key, size), &batch), SYNOD_INVALID);
    }
    assert_int_equal (self->disk->ops->commit (self->disk), SYNOD_OK);
    s_is (self, synod_str_n (key, SYNOD__DISK_KEY_MAX), "3");
}

#define S_TEST(function) cmocka_unit_test_setup_teardown (function, s_setup, s_teardown)
int main (void)
{
    static const char *const names[] = {"memory", "lmdb"};
    int failed = 0;
    for (int i = 0; i < 2; i++) {
        s_subject_t subject = {.name = names[i]};
        struct CMUnitTest tests[] = {S_TEST (places), S_TEST (limits)};
        for (size_t t = 0; t < sizeof tests / sizeof tests[0]; t++)
            tests[t].initial_state = &subject;
        failed += cmocka_run_group_tests_name (names[i], tests, NULL, NULL);
    }
    return failed;
}
