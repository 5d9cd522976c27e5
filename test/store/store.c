/* SPDX-License-Identifier: MPL-2.0
 *
 * What the tests of disks share.
 */
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>
#include "store.h"

#define S_LARGE 9000               /* bytes of a value that takes pages of its own */
#define S_MAP   ((size_t) 1 << 28) /* sanitizers take time for each byte of address space */

/* ---- folders, chance ---- */

char store_here[64];

void store_folder (char path[64])
{
    snprintf (path, 64, "/dev/shm/synod-store-XXXXXX");
    if (!mkdtemp (path))
        store_folder_on_disk (path);
}

void store_folder_on_disk (char path[64])
{
    snprintf (path, 64, "/tmp/synod-store-XXXXXX");
    assert_non_null (mkdtemp (path));
}

static int s_remove (const char *path, const struct stat *is, int kind, struct FTW *where)
{
    (void) is;
    (void) kind;
    (void) where;
    return remove (path);
}

void store_remove (const char *path)
{
    nftw (path, s_remove, 8, FTW_DEPTH | FTW_PHYS);
}

const char *store_path (const char *folder, const char *name)
{
    static char paths[4][PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];
    snprintf (path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

uint64_t store_seed (const char *name)
{
    const char *given = getenv ("SYNOD_SEED");
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    uint64_t seed =
        given ? strtoull (given, NULL, 10) : (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
    printf ("%s: SYNOD_SEED=%" PRIu64 "\n", name, seed);
    fflush (stdout);
    return seed;
}

uint64_t store_random (uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint32_t store_below (uint64_t *seed, uint32_t limit)
{
    return (uint32_t) (store_random (seed) % limit);
}

/* ---- disks ---- */

synod__disk_t *store_open (const char *dir, size_t limit)
{
    return store_open_log (dir, limit, 0);
}

synod__disk_t *store_open_log (const char *dir, size_t limit, size_t log)
{
    synod_fault_t fault = {0};
    const synod__lmdb_limits_t limits = {.map_bytes = limit ? limit : S_MAP, .log_bytes = log};
    synod__disk_t *disk = synod__lmdb_disk_open (dir, &limits, &fault);
    if (!disk)
        fail_msg ("%s: %s", synod_error_name (fault.code), fault.text);
    return disk;
}

void store_add (synod_buf_t *batch, const char *key, const char *value)
{
    synod_str_t text = synod_str (value);
    assert_int_equal (synod__disk_batch_add (batch, synod_str (key), value ? &text : NULL), SYNOD_OK);
}

int store_write_at (synod__disk_t *disk, synod_str_t prefix, synod_buf_t *batch)
{
    int rc = disk->ops->write (disk, prefix, synod_str_n (batch->data, batch->size));
    free (batch->data);
    *batch = (synod_buf_t){0};
    return rc;
}

int store_write (synod__disk_t *disk, synod_buf_t *batch)
{
    return store_write_at (disk, synod_str (""), batch);
}

int store_put (synod__disk_t *disk, const char *key, const char *value)
{
    synod_buf_t batch = {0};
    store_add (&batch, key, value);
    return store_write (disk, &batch);
}

void store_is (synod__disk_t *disk, const char *key, const char *value)
{
    synod_str_t got;
    int rc = disk->ops->get (disk, synod_str (key), &got);
    if (rc != (value ? SYNOD_OK : SYNOD_NOT_FOUND))
        fail_msg ("get %s: %s %s", key, synod_error_name (rc), disk->ops->error (disk));
    if (value && !synod_str_is (got, value))
        fail_msg ("%s is '%.*s', not '%s'", key, (int) got.size, got.data, value);
}

/* ---- numbered batches ---- */

/* How many entries of its own a number has, and how long they are. */
static int s_parts (uint64_t number)
{
    return 2 + (int) (number % 4);
}

static void s_own_key (uint64_t number, int part, char key[64])
{
    snprintf (key, 64, "own/%012" PRIu64 "/%d", number, part);
}

static void s_value (uint64_t number, int part, char *value, size_t size)
{
    int used = snprintf (value, size, "%" PRIu64 ".%d.", number, part);
    size_t length = part == 1 && number % 3 == 0 ? S_LARGE : (size_t) used + number % 50;
    memset (value + used, 'a' + (int) (number % 26), length - (size_t) used);
    value[length] = 0;
}

int store_write_number (synod__disk_t *disk, uint64_t number)
{
    synod_buf_t batch = {0};
    char key[64], value[S_LARGE + 1];
    for (int part = 0; part < s_parts (number); part++) {
        s_own_key (number, part, key);
        s_value (number, part, value, sizeof value);
        store_add (&batch, key, value);
    }
    s_value (number, 100, value, sizeof value);
    store_add (&batch, "all/first", value);
    if (number > STORE_WINDOW)
        for (int part = 0; part < s_parts (number - STORE_WINDOW); part++) {
            s_own_key (number - STORE_WINDOW, part, key);
            store_add (&batch, key, NULL);
        }
    store_add (&batch, "zz/last", value);
    return store_write (disk, &batch);
}

typedef struct {
    uint64_t last, number; /* of the next entry expected */
    int part;
    int shared; /* entries seen that every batch rewrites */
} s_expected_t;

static bool s_on_entry (void *arg, synod_str_t key, synod_str_t value)
{
    s_expected_t *self = (s_expected_t *) arg;
    char should[64], text[S_LARGE + 1];
    if (synod_str_is (key, "all/first") || synod_str_is (key, "zz/last")) {
        self->shared++;
        s_value (self->last, 100, text, sizeof text);
    } else {
        s_own_key (self->number, self->part, should);
        if (self->number > self->last || !synod_str_is (key, should))
            fail_msg ("there is %.*s, expected %s; the last number is %" PRIu64, (int) key.size, key.data, should,
                      self->last);
        s_value (self->number, self->part, text, sizeof text);
        if (++self->part == s_parts (self->number)) {
            self->part = 0;
            self->number++;
        }
    }
    if (!synod_str_is (value, text))
        fail_msg ("%.*s is %.40s of %u bytes, not %.40s", (int) key.size, key.data, value.data, value.size, text);
    return true;
}

uint64_t store_check_numbers (synod__disk_t *disk)
{
    s_expected_t expected = {0};
    synod_str_t value;
    int rc = disk->ops->get (disk, synod_str ("zz/last"), &value);
    if (rc == SYNOD_OK)
        expected.last = strtoull (value.data, NULL, 10); /* a dot follows */
    else if (rc != SYNOD_NOT_FOUND)
        fail_msg ("%s: %s", synod_error_name (rc), disk->ops->error (disk));
    expected.number = expected.last > STORE_WINDOW ? expected.last - STORE_WINDOW + 1 : 1;
    rc = disk->ops->scan (disk, synod_str (""), synod_str (""), s_on_entry, &expected);
    assert_int_equal (rc, SYNOD_OK);
    if (expected.shared != (expected.last ? 2 : 0) || expected.number != expected.last + 1 || expected.part)
        fail_msg ("after number %" PRIu64 " part %d of %" PRIu64 " is missing", expected.last, expected.part,
                  expected.number);
    return expected.last;
}
