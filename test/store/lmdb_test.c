/* SPDX-License-Identifier: MPL-2.0
 *
 * What the disk on LMDB has beyond the contract: data directories and who holds them, what a store says of itself, and
 * pages that are used again.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lmdb_folder.h"

static const char *s_dir (void)
{
    return store_path (store_here, "data");
}

/* Asserts that DIR is refused with CODE, by a sentence that names it and has WORDS. */
static void s_refused (const char *dir, int code, const char *words)
{
    synod_fault_t fault = {0};
    synod__disk_t *disk = synod__lmdb_disk_open (dir, NULL, &fault);
    if (disk || fault.code != code || !strstr (fault.text, words) || (dir[0] && !strstr (fault.text, dir)))
        fail_msg ("expected %s with '%s', got %s: %s", synod_error_name (code), words,
                  disk ? "a disk" : synod_error_name (fault.code), fault.text);
}

static off_t s_size (const char *path)
{
    struct stat is;
    assert_int_equal (stat (path, &is), 0);
    return is.st_size;
}

/* ---- who holds it ---- */

static void second_node (void **state)
{
    (void) state;
    synod__disk_t *disk = store_open (s_dir (), 0);
    char same[256];
    snprintf (same, sizeof same, "%s/../data/", s_dir ());
    for (int i = 0; i < 3; i++) {
        s_refused (s_dir (), SYNOD_REFUSED, "in use by another node of this process");
        s_refused (store_path (store_here, "./data"), SYNOD_REFUSED, "in use by another node");
    }
    assert_int_equal (store_put (disk, "a", "1"), SYNOD_OK); /* the one refused has released nothing of the first */
    assert_int_equal (disk->ops->commit (disk), SYNOD_OK);
    s_refused (s_dir (), SYNOD_REFUSED, "in use");
    disk->ops->close (&disk);
    disk = store_open (same, 0);
    store_is (disk, "a", "1");
    disk->ops->close (&disk);
}

static void second_process (void **state)
{
    (void) state;
    int pipes[2], status;
    char ready, words[64];
    assert_int_equal (pipe (pipes), 0);
    pid_t child = fork ();
    if (child == 0) {
        synod__disk_t *disk = synod__lmdb_disk_open (s_dir (), NULL, NULL);
        ready = disk && store_write_number (disk, 1) == SYNOD_OK && disk->ops->commit (disk) == SYNOD_OK ? 'y' : 'n';
        if (write (pipes[1], &ready, 1) != 1)
            _exit (1);
        for (;;)
            pause ();
    }
    assert_int_equal (read (pipes[0], &ready, 1), 1);
    assert_int_equal (ready, 'y');
    snprintf (words, sizeof words, "in use by process %d", (int) child);
    s_refused (s_dir (), SYNOD_REFUSED, words);
    kill (child, SIGKILL);
    assert_int_equal (waitpid (child, &status, 0), child);
    close (pipes[0]);
    close (pipes[1]);
    synod__disk_t *disk = store_open (s_dir (), 0); /* its end was the end of its lock, and it left its work */
    assert_int_equal (store_check_numbers (disk), 1);
    disk->ops->close (&disk);
}

/* A child made by fork has the parent's memory and locks, and none of its rights. */
static void forked (void **state)
{
    (void) state;
    synod__disk_t *disk = store_open (s_dir (), 0);
    int status;
    assert_int_equal (store_write_number (disk, 1), SYNOD_OK);
    pid_t child = fork ();
    if (child == 0) {
        int rc = disk->ops->commit (disk);
        bool said = strstr (disk->ops->error (disk), "forked") != NULL;
        disk->ops->close (&disk);
        _exit (rc == SYNOD_IO && said ? 0 : 1);
    }
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
    s_refused (s_dir (), SYNOD_REFUSED, "in use");
    assert_int_equal (disk->ops->commit (disk), SYNOD_OK);
    assert_int_equal (store_check_numbers (disk), 1);
    disk->ops->close (&disk);
}

static void no_directory (void **state)
{
    (void) state;
    char text[5000];
    const char *file = store_path (store_here, "file");
    close (open (file, O_CREAT | O_WRONLY, 0600));
    s_refused (file, SYNOD_IO, "Not a directory");
    s_refused (store_path (file, "below"), SYNOD_IO, "Not a directory");
    s_refused ("", SYNOD_INVALID, "is a path of 1 to");
    memset (text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    synod_fault_t fault = {0};
    assert_null (synod__lmdb_disk_open (text, NULL, &fault));
    assert_int_equal (fault.code, SYNOD_INVALID);
    assert_null (synod__lmdb_disk_open (NULL, NULL, &fault));
    assert_int_equal (fault.code, SYNOD_INVALID);
    /* a path so long that the sentence has no room for all of it still says why */
    snprintf (text, sizeof text, "%s/%0250d/%0250d", file, 1, 2);
    assert_null (synod__lmdb_disk_open (text, NULL, &fault));
    assert_non_null (strstr (fault.text, "Not a directory"));
}

static void directories_made (void **state)
{
    (void) state;
    const char *deep = store_path (store_here, "a//b/c//");
    synod__disk_t *disk = store_open (deep, 0);
    struct stat is;
    disk->ops->close (&disk);
    assert_int_equal (stat (store_path (store_here, "a/b/c/data.mdb"), &is), 0);
    assert_int_equal (is.st_mode & 0777, 0600);
    assert_int_equal (stat (store_path (store_here, "a/b/c"), &is), 0);
    assert_int_equal (is.st_mode & 0777, 0700);
    /* a directory that cannot be synced is none */
    failing_io ("fsync", 1, EIO, FAILING_IO_BEFORE, strrchr (store_here, '/') + 1);
    s_refused (s_dir (), SYNOD_IO, "cannot be made: Input/output error");
    assert_int_equal (failing_io_hits (), 1);
}

/* ---- what it is ---- */

static void identity (void **state)
{
    (void) state;
    uint8_t first[SYNOD__DISK_ID], zero[SYNOD__DISK_ID] = {0};
    synod__disk_t *disk = store_open (s_dir (), 0);
    memcpy (first, disk->id, sizeof first);
    assert_memory_not_equal (first, zero, sizeof zero);
    disk->ops->close (&disk);
    for (int i = 0; i < 3; i++) {
        disk = store_open (s_dir (), 0);
        assert_memory_equal (disk->id, first, sizeof first);
        assert_int_equal (store_check_numbers (disk), 0); /* what it says of itself is no entry */
        disk->ops->close (&disk);
    }
    store_remove (s_dir ());
    disk = store_open (s_dir (), 0);
    assert_memory_not_equal (disk->id, first, sizeof first);
    disk->ops->close (&disk);
}

/* Puts one entry with LMDB alone, as another program does. */
static void s_raw_put (const char *dir, const void *key, size_t key_size, const void *value, size_t value_size)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {key_size, (void *) key}, v = {value_size, (void *) value};
    assert_int_equal (mdb_env_create (&env), 0);
    assert_int_equal (mdb_env_open (env, dir, 0, 0600), 0);
    assert_int_equal (mdb_txn_begin (env, NULL, 0, &txn), 0);
    assert_int_equal (mdb_dbi_open (txn, NULL, 0, &dbi), 0);
    assert_int_equal (mdb_put (txn, dbi, &k, &v, 0), 0);
    assert_int_equal (mdb_txn_commit (txn), 0);
    mdb_env_close (env);
}

static void formats (void **state)
{
    (void) state;
    uint8_t about[60] = "synod store";
    synod__disk_t *disk = store_open (s_dir (), 0);
    disk->ops->close (&disk);
    about[15] = SYNOD__LMDB_FORMAT + 1;
    s_raw_put (s_dir (), "", 1, about, sizeof about);
    s_refused (s_dir (), SYNOD_BAD_VERSION, "is of format 3, made by a newer version of synod");
    s_raw_put (s_dir (), "", 1, about, 20); /* whatever follows in a newer one */
    s_refused (s_dir (), SYNOD_BAD_VERSION, "this one knows format 2");
    about[15] = SYNOD__LMDB_FORMAT;
    s_raw_put (s_dir (), "", 1, about, 20);
    s_refused (s_dir (), SYNOD_INVALID, "is damaged");
    about[15] = 1;
    s_raw_put (s_dir (), "", 1, about, 33);
    s_refused (s_dir (), SYNOD_INVALID, "is damaged");
    about[15] = 0;
    s_raw_put (s_dir (), "", 1, about, 32);
    s_refused (s_dir (), SYNOD_INVALID, "is damaged");
}

static void other_programs (void **state)
{
    (void) state;
    static const char *const texts[] = {"", "just a text", "\xde\xc0\xef\xbe"};
    char garbage[20000];
    mkdir (s_dir (), 0700);
    s_raw_put (s_dir (), "key", 3, "value", 5);
    s_refused (s_dir (), SYNOD_INVALID, "is not a store of synod's");
    s_raw_put (s_dir (), "", 1, "something else, longer than what we write", 40);
    off_t before = s_size (store_path (store_here, "data/data.mdb"));
    s_refused (s_dir (), SYNOD_INVALID, "is not a store of synod's");
    assert_int_equal (s_size (store_path (store_here, "data/data.mdb")), before);
    for (size_t i = 0; i < 3; i++) {
        memset (garbage, 0, sizeof garbage);
        memcpy (garbage, texts[i], strlen (texts[i]));
        size_t size = i == 0 ? 0 : sizeof garbage;
        int fd = open (store_path (store_here, "data/data.mdb"), O_WRONLY | O_TRUNC);
        assert_int_equal (write (fd, garbage, size), size);
        close (fd);
        s_refused (s_dir (), SYNOD_INVALID, "data.mdb is no store");
        assert_int_equal (s_size (store_path (store_here, "data/data.mdb")), size); /* left as it was */
    }
}

/* A birth that fails anywhere leaves no store, and the next makes one. */
static void births (void **state)
{
    (void) state;
    static const char *const calls[] = {"pwrite", "writev", "fdatasync"};
    struct stat is;
    int failed = 0;
    for (int call = 0; call < 3; call++)
        for (int nth = 1; nth < 10; nth++)
            for (int mode = FAILING_IO_BEFORE; mode <= FAILING_IO_AFTER; mode++) {
                synod_fault_t fault = {0};
                failing_io (calls[call], nth, EIO, (failing_io_mode_t) mode, "birth.mdb");
                synod__disk_t *disk = synod__lmdb_disk_open (s_dir (), NULL, &fault);
                failed += failing_io_hits ();
                if ((disk == NULL) != (failing_io_hits () == 1))
                    fail_msg ("%s %d: %s", calls[call], nth, fault.text);
                if (disk)
                    disk->ops->close (&disk);
                else {
                    assert_int_equal (fault.code, SYNOD_IO);
                    assert_int_not_equal (stat (store_path (s_dir (), "data.mdb"), &is), 0);
                    disk = store_open (s_dir (), 0);
                    disk->ops->close (&disk);
                }
                store_remove (s_dir ());
            }
    assert_true (failed >= 6);
}

/* What a birth cut short by a crash has left is no hindrance. */
static void unfinished_birth (void **state)
{
    (void) state;
    mkdir (s_dir (), 0700);
    int fd = open (store_path (store_here, "data/birth.mdb"), O_WRONLY | O_CREAT, 0600);
    assert_int_equal (write (fd, "half", 4), 4);
    close (fd);
    synod__disk_t *disk = store_open (s_dir (), 0);
    struct stat is;
    assert_int_not_equal (stat (store_path (store_here, "data/birth.mdb"), &is), 0);
    disk->ops->close (&disk);
}

/* ---- pages ---- */

/* Reads between the writes keep no page from being used again: the file stays as small as what is in it. */
static void pages_used_again (void **state)
{
    (void) state;
    synod__disk_t *disk = store_open_log (s_dir (), 0, 100000); /* long values are used again after a checkpoint */
    synod_str_t value;
    for (uint64_t i = 1; i <= 2000; i++) {
        assert_int_equal (store_write_number (disk, i), SYNOD_OK);
        assert_int_equal (disk->ops->commit (disk), SYNOD_OK);
        assert_int_equal (disk->ops->get (disk, synod_str ("zz/last"), &value), SYNOD_OK);
    }
    off_t size = s_size (store_path (store_here, "data/data.mdb"));
    if (size > 1024 * 1024)
        fail_msg ("the file has grown to %ld KiB", (long) (size >> 10));
    assert_int_equal (store_check_numbers (disk), 2000);
    disk->ops->close (&disk);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        S_TEST (second_node),      S_TEST (second_process),   S_TEST (forked),           S_TEST (no_directory),
        S_TEST (directories_made), S_TEST (identity),         S_TEST (formats),          S_TEST (other_programs),
        S_TEST (births),           S_TEST (unfinished_birth), S_TEST (pages_used_again),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
