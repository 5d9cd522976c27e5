/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include "actors/runtime/memory_disk.h"
#include "failing_io.h"
#include "subject.h"

void subject_crash (subject_t *self)
{
    uint8_t id[SYNOD__DISK_ID];
    memcpy (id, self->disk->id, sizeof id);
    if (self->folder[0]) {
        self->disk->ops->close (&self->disk);
        assert_null (self->disk);
        self->disk = store_open_log (self->folder, 0, self->log);
    } else
        synod__memory_disk_crash (self->disk);
    assert_memory_equal (self->disk->id, id, sizeof id);
}

/* The next commit that has anything to do fails. */
void subject_fail (subject_t *self, int code)
{
    if (self->folder[0])
        failing_io (self->log == 1 ? "fdatasync" : "pwrite", 1, code == SYNOD_FULL ? ENOSPC : EIO, FAILING_IO_BEFORE,
                    self->log == 1 ? "data.mdb" : "synod.wal");
    else
        synod__memory_disk_fail (self->disk, 0, code);
}

int subject_commit (subject_t *self)
{
    return self->disk->ops->commit (self->disk);
}

int subject_write (subject_t *self, synod_str_t key, const synod_str_t *value)
{
    synod_buf_t batch = {0};
    assert_int_equal (synod__disk_batch_add (&batch, key, value), SYNOD_OK);
    return store_write (self->disk, &batch);
}

static int s_setup (void **state)
{
    static const uint8_t id[SYNOD__DISK_ID] = {1, 2, 3};
    subject_t *self = (subject_t *) *state;
    if (strcmp (self->name, "memory") != 0) {
        store_folder (self->folder);
        self->disk = store_open_log (self->folder, 0, self->log);
    } else
        self->disk = synod__memory_disk_new (id);
    return 0;
}

static int s_teardown (void **state)
{
    subject_t *self = (subject_t *) *state;
    failing_io (NULL, 0, 0, FAILING_IO_BEFORE, NULL);
    self->disk->ops->close (&self->disk);
    if (self->folder[0])
        store_remove (self->folder);
    return 0;
}

int subject_each (const struct CMUnitTest *tests, size_t count)
{
    static const char *const names[] = {"memory", "lmdb", "lmdb, often a checkpoint", "lmdb, always a checkpoint"};
    static const size_t logs[] = {0, 0, 20000, 1};
    int failed = 0;
    for (int i = 0; i < 4; i++) {
        subject_t subject = {.name = names[i], .log = logs[i]};
        struct CMUnitTest all[SUBJECT_TESTS];
        assert_true (count <= SUBJECT_TESTS);
        memset (all, 0, sizeof all);
        memcpy (all, tests, count * sizeof *all);
        for (size_t t = 0; t < count; t++) {
            all[t].setup_func = s_setup;
            all[t].teardown_func = s_teardown;
            all[t].initial_state = &subject;
        }
        failed += _cmocka_run_group_tests (names[i], all, count, NULL, NULL);
    }
    return failed;
}
