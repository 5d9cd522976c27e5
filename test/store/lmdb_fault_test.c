/* SPDX-License-Identifier: MPL-2.0
 *
 * A disk that fails: each of the system calls of many commits fails in turn, the disk becomes full, the map does. What
 * was acknowledged is there after it, and nothing else; nothing is acknowledged after it.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "lmdb_folder.h"

#define S_BATCHES 12

/* Commits numbers after LAST up to MOST, two a commit now and then. Returns the last that was acknowledged, and in CODE
 * what ended it. */
static uint64_t s_fill (synod__disk_t *disk, uint64_t last, uint64_t most, int *code)
{
    *code = SYNOD_OK;
    while (last < most) {
        uint64_t next = last + 1 + (last % 5 == 4);
        for (uint64_t i = last + 1; i <= next && *code == SYNOD_OK; i++)
            *code = store_write_number (disk, i);
        if (*code == SYNOD_OK)
            *code = disk->ops->commit (disk);
        if (*code != SYNOD_OK)
            return last;
        last = next;
    }
    return last;
}

/* Broken for good, by a sentence that names the directory and has WORDS; then closes it. */
static void s_check_broken (synod__disk_t **disk, int code, const char *words)
{
    synod_str_t value;
    const char *error = (*disk)->ops->error (*disk);
    if (!strstr (error, store_here) || !strstr (error, words))
        fail_msg ("expected '%s', got '%s'", words, error);
    failing_io (NULL, 0, 0, FAILING_IO_BEFORE, NULL);
    assert_int_equal ((*disk)->ops->commit (*disk), code);
    assert_int_equal (store_write_number (*disk, 1), code);
    assert_int_equal ((*disk)->ops->commit (*disk), code);
    assert_int_equal ((*disk)->ops->get (*disk, synod_str ("zz/last"), &value), code);
    assert_non_null (strstr ((*disk)->ops->error (*disk), words)); /* the first cause stays */
    (*disk)->ops->close (disk);
}

/* It holds what was acknowledged and works again. */
static void s_check_after (uint64_t acknowledged)
{
    int code;
    synod__disk_t *disk = store_open (store_here, 0);
    assert_int_equal (store_check_numbers (disk), acknowledged);
    uint64_t last = s_fill (disk, acknowledged, acknowledged + 30, &code);
    assert_int_equal (code, SYNOD_OK);
    disk->ops->close (&disk);
    disk = store_open (store_here, 0);
    assert_int_equal (store_check_numbers (disk), last);
    disk->ops->close (&disk);
}

/* Where calls fail: in a file, with a log of LOG bytes, after PRIOR numbers that were committed. */
typedef struct {
    const char *file;
    size_t log;
    uint64_t prior;
} s_where_t;

/* Every call of the kind, of a run of commits, in turn. Returns how many there were. */
static int s_sweep (const s_where_t *where, const char *call, int error, failing_io_mode_t mode, int code,
                    const char *words)
{
    for (int nth = 1;; nth++) {
        int rc;
        failing_io (NULL, 0, 0, FAILING_IO_BEFORE, NULL);
        store_remove (store_here);
        synod__disk_t *disk = store_open_log (store_here, 0, where->log);
        uint64_t before = s_fill (disk, 0, where->prior, &rc);
        failing_io (call, nth, error, mode, where->file);
        uint64_t last = s_fill (disk, before, before + S_BATCHES, &rc);
        if (!failing_io_hits ()) {
            if (rc != SYNOD_OK)
                fail_msg ("%s %d: %s", call, nth, disk->ops->error (disk));
            disk->ops->close (&disk);
            return nth - 1;
        }
        assert_int_equal (rc, code);
        s_check_broken (&disk, code, words);
        s_check_after (last);
    }
}

static void s_failed_calls (bool direct)
{
    static const char *const calls[] = {"fdatasync", "pwrite", "writev"};
    static const s_where_t wheres[] = {{"data.mdb", 1, 25},      /* each commit is a checkpoint */
                                       {"data.mdb", 20000, 25},  /* some are: they fail on top of a log */
                                       {"synod.wal", 20000, 25}, /* the others */
                                       {"synod.wal", 0, 0}};     /* also when the file grows */
    for (int w = 0; w < 4; w++)
        for (int i = 0; i < 3; i++) {
            const s_where_t *where = &wheres[w];
            int seen = s_sweep (where, calls[i], EIO, FAILING_IO_BEFORE, SYNOD_IO, "Input/output error");
            printf ("%s of %s: failed at each of %d\n", calls[i], where->file, seen);
            bool none = w > 1 && (i == 2 || (direct && i == 0 && w == 2));
            assert_true (none ? seen == 0 : seen >= (direct ? 1 : 2));
            assert_int_equal (s_sweep (where, calls[i], EIO, FAILING_IO_AFTER, SYNOD_IO, "Input/output error"), seen);
            assert_int_equal (
                s_sweep (where, calls[i], ENOSPC, FAILING_IO_BEFORE, SYNOD_FULL, "No space left on device"), seen);
            if (i > 0)
                assert_int_equal (s_sweep (where, calls[i], 0, FAILING_IO_SHORT, SYNOD_FULL, "a write was cut short"),
                                  seen);
        }
}

static void failed_calls (void **state)
{
    (void) state;
    for (int direct = 0; direct < 2; direct++) {
        failing_io_direct (direct);
        printf ("%s O_DIRECT\n", direct ? "with" : "without");
        s_failed_calls (direct);
    }
}

static void file_size_limit (void **state)
{
    (void) state;
    struct rlimit old, low;
    struct stat is;
    uint64_t seed = store_seed ("file_size_limit");
    signal (SIGXFSZ, SIG_IGN);
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &old), 0);
    for (int round = 0; round < 20; round++) {
        int code;
        store_remove (store_here);
        synod__disk_t *disk = store_open_log (store_here, 0, round % 2 ? 20000 : 0);
        uint64_t last = s_fill (disk, 0, 3, &code);
        assert_int_equal (stat (store_path (store_here, "data.mdb"), &is), 0);
        low = old;
        low.rlim_cur = (rlim_t) is.st_size + store_below (&seed, 50000);
        assert_int_equal (setrlimit (RLIMIT_FSIZE, &low), 0);
        last = s_fill (disk, last, 1000, &code);
        assert_int_equal (setrlimit (RLIMIT_FSIZE, &old), 0);
        assert_int_equal (code, SYNOD_FULL);
        s_check_broken (&disk, SYNOD_FULL, "cannot commit: ");
        s_check_after (last);
    }
    signal (SIGXFSZ, SIG_DFL);
}

/* The map is full: LMDB's own limit. Nothing that was acknowledged is lost, and a larger one takes more. */
static void map_limit (void **state)
{
    (void) state;
    for (int round = 0; round < 12; round++) {
        static const size_t logs[] = {0, 20000, 1};
        size_t limit = (size_t) (1 + round % 4) * 64 * 1024;
        int code;
        store_remove (store_here);
        synod__disk_t *disk = store_open_log (store_here, limit, logs[round / 4]);
        uint64_t last = s_fill (disk, 0, 1, &code);
        assert_int_equal (code, SYNOD_OK);
        char key[32], value[5000];
        memset (value, 'x', sizeof value - 1);
        value[sizeof value - 1] = 0;
        int added = 0;
        for (int i = 0; code == SYNOD_OK; i++) { /* on top of the numbers, in keys of their own */
            snprintf (key, sizeof key, "more/%06d", i);
            code = store_put (disk, key, value);
            if (code == SYNOD_OK)
                code = disk->ops->commit (disk);
            added += code == SYNOD_OK;
        }
        assert_int_equal (code, SYNOD_FULL);
        s_check_broken (&disk, SYNOD_FULL, "it has grown to its limit of 0 MiB");
        disk = store_open (store_here, limit); /* what was acknowledged is there, also without more room */
        for (int i = 0; i <= added; i++) {
            snprintf (key, sizeof key, "more/%06d", i);
            store_is (disk, key, i < added ? value : NULL);
        }
        disk->ops->close (&disk);
        disk = store_open (store_here, 0);
        for (int i = 0; i <= added; i++) {
            snprintf (key, sizeof key, "more/%06d", i);
            store_is (disk, key, i < added ? value : NULL);
            assert_int_equal (store_put (disk, key, NULL), SYNOD_OK);
        }
        assert_int_equal (disk->ops->commit (disk), SYNOD_OK);
        assert_int_equal (store_check_numbers (disk), last);
        disk->ops->close (&disk);
    }
}

/* One turn may write more than LMDB keeps in memory. */
static void large_turn (void **state)
{
    (void) state;
    static char value[200001];
    char key[32];
    memset (value, 'y', sizeof value - 1);
    synod__disk_t *disk = store_open (store_here, 0);
    for (int i = 0; i < 300; i++) {
        snprintf (key, sizeof key, "%06d", i);
        assert_int_equal (store_put (disk, key, value), SYNOD_OK);
    }
    assert_int_equal (disk->ops->commit (disk), SYNOD_OK);
    disk->ops->close (&disk);
    disk = store_open (store_here, 0);
    for (int i = 0; i < 300; i++) {
        snprintf (key, sizeof key, "%06d", i);
        store_is (disk, key, value);
    }
    disk->ops->close (&disk);
}

int main (void)
{
    const struct CMUnitTest tests[] = {S_TEST (failed_calls), S_TEST (file_size_limit), S_TEST (map_limit),
                                       S_TEST (large_turn)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
