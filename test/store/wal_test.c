/* SPDX-License-Identifier: MPL-2.0
 *
 * The log of the disk on LMDB: what a crash leaves is a copy of the two files, taken after every commit, then cut and
 * changed at every byte. What was acknowledged is there, or the store is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>
#include "image.h"

#define S_LOG  20000 /* bytes: a checkpoint every few commits */
#define S_ROOM 65536 /* of a log in memory */

/* ---- crashes ---- */

/* After every commit, over many rounds of the log, with old records behind the new ones; and once more into the life
 * that came out of it, which is cut short before it has committed anything. */
static void images (void **state)
{
    (void) state;
    static const size_t logs[] = {S_LOG, S_LOG / 2, 600000, 1};
    for (int i = 0; i < 4; i++) {
        store_remove (image_dir ());
        synod__disk_t *disk = store_open_log (image_dir (), 0, logs[i]);
        for (uint64_t number = 1; number <= 150; number++) {
            image_commit (disk, number);
            const char *image = image_of (image_dir ());
            failing_io ("fdatasync", 1, EIO, number % 2 ? FAILING_IO_BEFORE : FAILING_IO_AFTER, "data.mdb");
            image_refused (image, SYNOD_IO, "cannot commit: Input/output error");
            image_has (image, number);
            image_has (image, number);
            if (number % 10 == 0) { /* what is not committed is in no image */
                assert_int_equal (store_write_number (disk, number + 1), SYNOD_OK);
                image_has (image_of (image_dir ()), number);
                disk->ops->close (&disk);
                disk = store_open_log (image_dir (), 0, logs[i]);
                assert_int_equal (store_check_numbers (disk), number);
            }
        }
        disk->ops->close (&disk);
    }
}

/* A life that goes on after a crash writes over what the crash left, and crashes again. */
static void lives (void **state)
{
    (void) state;
    uint64_t seed = store_seed ("lives"), last = 0;
    char dir[2][128];
    for (int i = 0; i < 2; i++)
        snprintf (dir[i], sizeof dir[i], "%s/%d", store_here, i);
    for (int life = 0; life < 200; life++) {
        const char *here = dir[life % 2], *next = dir[1 - life % 2];
        synod__disk_t *disk = store_open_log (here, 0, 5000 + store_below (&seed, 100000));
        assert_int_equal (store_check_numbers (disk), last);
        for (uint32_t n = store_below (&seed, 12); n; n--)
            image_commit (disk, ++last);
        store_remove (next);
        for (int i = 0; i < IMAGE_NAMES; i++)
            image_copy (here, next, image_names[i]);
        disk->ops->close (&disk);
    }
}

/* ---- bytes ---- */

/* A store whose log has COUNT commits, beginning with BEFORE of an older round; where the last ones begin and end. */
typedef struct {
    const char *image;
    image_file_t data, wal;
    size_t ends[64];
    uint64_t count;
} s_log_t;

static void s_log (s_log_t *self, uint64_t count)
{
    synod__disk_t *disk = store_open_log (image_dir (), 0, S_ROOM);
    for (uint64_t number = 1; number <= 3; number++)
        image_commit (disk, number);
    assert_int_equal (synod__lmdb_disk_settle (disk), SYNOD_OK); /* behind it stand old records */
    self->count = 3;
    size_t at = 0;
    for (uint64_t number = 4; number <= count; number++) {
        image_commit (disk, number);
        image_file_t wal = image_load (image_dir (), SYNOD__WAL_FILE);
        at += image_record (&wal, at);
        assert_true (at <= wal.size);
        self->ends[number] = at;
        free (wal.data);
    }
    self->count = count;
    self->image = image_of (image_dir ());
    self->data = image_load (self->image, "data.mdb");
    self->wal = image_load (self->image, SYNOD__WAL_FILE);
    disk->ops->close (&disk);
}

static void s_log_free (s_log_t *self)
{
    free (self->data.data);
    free (self->wal.data);
}

/* Puts the image there again, but with this log. */
static void s_put (const s_log_t *self, const void *wal, size_t size)
{
    image_save (self->image, "data.mdb", self->data.data, self->data.size);
    image_save (self->image, SYNOD__WAL_FILE, wal, size);
}

/* The last two commits, cut at every byte; behind the cut there is nothing, zeros, or what was there before. */
static void torn (void **state)
{
    (void) state;
    s_log_t log;
    s_log (&log, 8);
    char *cut = (char *) malloc (log.wal.size);
    assert_non_null (cut);
    const size_t from = log.ends[log.count - 2], to = log.ends[log.count];
    for (int behind = 0; behind < 3; behind++)
        for (size_t at = from; at <= to; at += behind ? 1 : 7) {
            memset (cut, behind == 2 ? 0xa5 : 0, log.wal.size);
            memcpy (cut, log.wal.data, at);
            s_put (&log, cut, behind ? log.wal.size : at);
            synod__disk_t *disk = store_open (log.image, 0);
            uint64_t last = store_check_numbers (disk);
            /* the zeros at the end of a record are no part of it */
            uint64_t sure = at == to ? log.count : at >= log.ends[log.count - 1] ? log.count - 1 : log.count - 2;
            size_t end = sure < log.count ? log.ends[sure + 1] : 0;
            if (last != sure && !(last == sure + 1 && end - at < SYNOD__WAL_UNIT))
                fail_msg ("cut at %zu: %" PRIu64 ", not %" PRIu64, at, last, sure);
            disk->ops->close (&disk);
        }
    free (cut);
    s_log_free (&log);
}

/* Each byte of a commit changed: in the last one it is as torn; in one before, the store is refused. */
static void changed (void **state)
{
    (void) state;
    s_log_t log;
    s_log (&log, 8);
    int refused = 0, as_torn = 0, padding = 0;
    for (uint64_t number = log.count - 2; number <= log.count; number++)
        for (size_t at = log.ends[number - 1]; at < log.ends[number]; at++) {
            synod_fault_t fault = {0};
            const synod__lmdb_limits_t limits = {.map_bytes = (size_t) 1 << 28};
            log.wal.data[at] ^= (char) (1 << at % 8);
            s_put (&log, log.wal.data, log.wal.size);
            log.wal.data[at] ^= (char) (1 << at % 8);
            synod__disk_t *disk = synod__lmdb_disk_open (log.image, &limits, &fault);
            if (disk) {
                uint64_t last = store_check_numbers (disk);
                disk->ops->close (&disk);
                as_torn += last != log.count;
                padding += last == log.count;
                if (last == log.count ? log.ends[number] - at >= SYNOD__WAL_UNIT
                                      : number != log.count || last != number - 1)
                    fail_msg ("byte %zu of commit %" PRIu64 ": %" PRIu64, at, number, last);
            } else {
                refused++;
                assert_true (number < log.count);
                assert_int_equal (fault.code, SYNOD_INVALID);
                assert_non_null (strstr (fault.text, "is damaged at byte"));
            }
        }
    printf ("%d refused, %d as torn, %d in padding\n", refused, as_torn, padding);
    assert_true (refused > 500 && as_torn > 100 && padding < 4 * SYNOD__WAL_UNIT);
    /* a whole one missing */
    memset (log.wal.data + log.ends[5], 0, log.ends[6] - log.ends[5]);
    s_put (&log, log.wal.data, log.wal.size);
    image_refused (log.image, SYNOD_INVALID, "commit 2 of it cannot be read, and later ones would be lost with it");
    /* refused is not changed */
    image_refused (log.image, SYNOD_INVALID, "is damaged at byte");
    s_log_free (&log);
}

/* ---- which log ---- */

static void other_logs (void **state)
{
    (void) state;
    char other[128];
    snprintf (other, sizeof other, "%s/other", store_here);
    synod__disk_t *disk = store_open (image_dir (), 0), *second = store_open (other, 0);
    image_commit (disk, 1);
    image_commit (second, 1);
    const char *image = image_of (image_dir ());
    image_copy (other, image, SYNOD__WAL_FILE);
    image_refused (image, SYNOD_INVALID, "is the log of another store");
    second->ops->close (&second);
    /* none, where one is needed */
    unlink (store_path (image, SYNOD__WAL_FILE));
    image_refused (image, SYNOD_INVALID, "synod.wal is missing, and with it what was committed last");
    image_save (image, SYNOD__WAL_FILE, "", 0);
    image_has (image, 0); /* as the sentence says */
    unlink (store_path (image, SYNOD__WAL_FILE));
    image_has (image, 0); /* it was closed, and is complete */
    /* an older data.mdb beside the log of today */
    image = image_of (image_dir ());
    assert_int_equal (synod__lmdb_disk_settle (disk), SYNOD_OK);
    image_commit (disk, 2);
    image_copy (image_dir (), image, SYNOD__WAL_FILE);
    image_refused (image, SYNOD_INVALID, "does not go with data.mdb");
    /* two lives from one copy: the log of the one is not the other's */
    image = image_of (image_dir ());
    snprintf (other, sizeof other, "%s/twin", store_here);
    for (int i = 0; i < IMAGE_NAMES; i++)
        image_copy (image, other, image_names[i]);
    disk->ops->close (&disk);
    disk = store_open (image, 0);
    second = store_open (other, 0);
    image_commit (disk, 3);
    image_commit (second, 3);
    image_copy (other, image, SYNOD__WAL_FILE);
    char third[128];
    snprintf (third, sizeof third, "%s/third", store_here);
    for (int i = 0; i < IMAGE_NAMES; i++)
        image_copy (i ? other : image, third, image_names[i]);
    image_refused (third, SYNOD_INVALID, "does not go with data.mdb");
    disk->ops->close (&disk);
    second->ops->close (&second);
}

/* A store of format 1 has no log. It is read, and has one from then on, also when that is cut short. */
static void older_format (void **state)
{
    (void) state;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {1, (void *) ""}, v;
    uint8_t about[32], id[SYNOD__DISK_ID];
    synod__disk_t *disk = store_open (image_dir (), 0);
    for (uint64_t number = 1; number <= 5; number++)
        image_commit (disk, number);
    memcpy (id, disk->id, sizeof id);
    disk->ops->close (&disk);
    assert_int_equal (mdb_env_create (&env), 0);
    assert_int_equal (mdb_env_open (env, image_dir (), 0, 0600), 0);
    assert_int_equal (mdb_txn_begin (env, NULL, 0, &txn), 0);
    assert_int_equal (mdb_dbi_open (txn, NULL, 0, &dbi), 0);
    assert_int_equal (mdb_get (txn, dbi, &k, &v), 0);
    memcpy (about, v.mv_data, sizeof about);
    about[15] = 1;
    v = (MDB_val){sizeof about, about};
    assert_int_equal (mdb_put (txn, dbi, &k, &v, 0), 0);
    assert_int_equal (mdb_txn_commit (txn), 0);
    mdb_env_close (env);
    unlink (store_path (image_dir (), SYNOD__WAL_FILE));
    failing_io ("fdatasync", 1, EIO, FAILING_IO_BEFORE, "data.mdb");
    image_refused (image_dir (), SYNOD_IO, "cannot commit");
    failing_io ("fsync", 1, EIO, FAILING_IO_BEFORE, "data");
    unlink (store_path (image_dir (), SYNOD__WAL_FILE));
    image_refused (image_dir (), SYNOD_IO, "synod.wal cannot be opened");
    disk = store_open (image_dir (), 0);
    assert_memory_equal (disk->id, id, sizeof id);
    assert_int_equal (store_check_numbers (disk), 5);
    image_commit (disk, 6);
    image_has (image_of (image_dir ()), 6);
    disk->ops->close (&disk);
    image_has (image_dir (), 6);
}

/* ---- when it is a checkpoint ---- */

/* Commits of one small write each until one is a checkpoint; -1 when MOST are none. */
static int s_until_checkpoint (synod__disk_t *disk, int keys, int size, int most)
{
    static char value[5000];
    char key[32];
    memset (value, 'v', sizeof value - 1);
    value[size] = 0;
    failing_io ("fdatasync", 1, EIO, FAILING_IO_BEFORE, "data.mdb");
    for (int i = 0; i < most; i++) {
        synod_buf_t batch = {0};
        for (int n = 0; n < 50; n++) {
            snprintf (key, sizeof key, "%08d", (i * 50 + n) * 7919 % keys);
            store_add (&batch, key, value);
        }
        assert_int_equal (store_write (disk, &batch), SYNOD_OK);
        if (disk->ops->commit (disk) != SYNOD_OK)
            return i;
    }
    return -1;
}

/* Not too many pages are left to a checkpoint, however much room there is in the log; few pages may wait. */
static void pages (void **state)
{
    (void) state;
    const size_t log = (size_t) 1 << 30;
    synod__disk_t *disk = store_open_log (image_dir (), 0, log);
    assert_int_equal (s_until_checkpoint (disk, 1000, 10, 500), -1); /* 25,000 writes to some pages */
    disk->ops->close (&disk);
    disk = store_open_log (image_dir (), 0, log);
    assert_in_range (s_until_checkpoint (disk, 100000, 1500, 500), 50, 300);
    disk->ops->close (&disk);
    disk = store_open_log (image_dir (), 0, log);
    assert_in_range (s_until_checkpoint (disk, 100, 4999, 500), 20, 60); /* of long values, two pages each */
    disk->ops->close (&disk);
}

int main (void)
{
    const struct CMUnitTest tests[] = {S_TEST (images),     S_TEST (lives),        S_TEST (torn), S_TEST (changed),
                                       S_TEST (other_logs), S_TEST (older_format), S_TEST (pages)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
