/* SPDX-License-Identifier: MPL-2.0
 *
 * What every disk promises (actors/runtime/disk.h), checked on each: the one in memory and the one on LMDB, with logs
 * of several sizes. A crash of the first is its own function; of the second, that it is closed without a commit and
 * opened again (wal_test.c and kill_test.c have harder ones).
 */
#include <errno.h>
#include <inttypes.h>
#include "actors/runtime/memory_disk.h"
#include "failing_io.h"
#include "protocol/frame.h"
#include "store.h"

#define S_KEYS  1500 /* a model holds at most */
#define S_STEPS 4000
#define S_NEVER ((synod_str_t){0})

typedef struct {
    const char *name;
    size_t log;      /* bytes; 0: the default */
    char folder[64]; /* LMDB's; empty: memory */
    synod__disk_t *disk;
} s_subject_t;

static void s_crash (s_subject_t *self)
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
static void s_fail (s_subject_t *self, int code)
{
    if (self->folder[0])
        failing_io (self->log == 1 ? "fdatasync" : "pwrite", 1, code == SYNOD_FULL ? ENOSPC : EIO, FAILING_IO_BEFORE,
                    self->log == 1 ? "data.mdb" : "synod.wal");
    else
        synod__memory_disk_fail (self->disk, 0, code);
}

static int s_commit (s_subject_t *self)
{
    return self->disk->ops->commit (self->disk);
}

static int s_write (s_subject_t *self, synod_str_t key, const synod_str_t *value)
{
    synod_buf_t batch = {0};
    assert_int_equal (synod__disk_batch_add (&batch, key, value), SYNOD_OK);
    return store_write (self->disk, &batch);
}

static int s_setup (void **state)
{
    static const uint8_t id[SYNOD__DISK_ID] = {1, 2, 3};
    s_subject_t *self = (s_subject_t *) *state;
    if (strcmp (self->name, "memory") != 0) {
        store_folder (self->folder);
        self->disk = store_open_log (self->folder, 0, self->log);
    } else
        self->disk = synod__memory_disk_new (id);
    return 0;
}

static int s_teardown (void **state)
{
    s_subject_t *self = (s_subject_t *) *state;
    failing_io (NULL, 0, 0, FAILING_IO_BEFORE, NULL);
    self->disk->ops->close (&self->disk);
    if (self->folder[0])
        store_remove (self->folder);
    return 0;
}

/* ---- the model: keys in order, values as what they are made from ---- */

typedef struct {
    char key[SYNOD__DISK_KEY_MAX];
    uint32_t key_size, value_size, value_from;
} s_entry_t;

typedef struct {
    s_entry_t *entries;
    int count;
} s_model_t;

static int s_order (synod_str_t a, synod_str_t b)
{
    for (uint32_t i = 0; i < a.size && i < b.size; i++)
        if (a.data[i] != b.data[i])
            return (unsigned char) a.data[i] < (unsigned char) b.data[i] ? -1 : 1;
    return a.size < b.size ? -1 : a.size > b.size;
}

static synod_str_t s_key (const s_entry_t *entry)
{
    return synod_str_n (entry->key, entry->key_size);
}

/* The first that is not less than KEY. */
static int s_find (const s_model_t *model, synod_str_t key)
{
    int at = 0;
    while (at < model->count && s_order (s_key (&model->entries[at]), key) < 0)
        at++;
    return at;
}

static bool s_has (const s_model_t *model, int at, synod_str_t key)
{
    return at < model->count && s_order (s_key (&model->entries[at]), key) == 0;
}

static void s_copy (s_model_t *to, const s_model_t *from)
{
    to->count = from->count;
    memcpy (to->entries, from->entries, (size_t) from->count * sizeof *from->entries);
}

static void s_set (s_model_t *model, synod_str_t key, bool there, uint32_t size, uint32_t from)
{
    int at = s_find (model, key);
    bool has = s_has (model, at, key);
    if (there && !has) {
        assert_true (model->count < S_KEYS);
        memmove (model->entries + at + 1, model->entries + at, (size_t) (model->count++ - at) * sizeof *model->entries);
        memcpy (model->entries[at].key, key.data, key.size);
        model->entries[at].key_size = key.size;
    } else if (!there && has)
        memmove (model->entries + at, model->entries + at + 1, (size_t) (--model->count - at) * sizeof *model->entries);
    if (there) {
        model->entries[at].value_size = size;
        model->entries[at].value_from = from;
    }
}

/* A value is SIZE bytes of a long text from FROM on. */
static const char *s_bytes (uint32_t from)
{
    static char *text;
    uint64_t seed = 1;
    if (!text) {
        text = (char *) malloc (2 * SYNOD__DISK_VALUE_MAX);
        assert_non_null (text);
        for (size_t i = 0; i < 2 * SYNOD__DISK_VALUE_MAX; i++)
            text[i] = (char) store_random (&seed);
    }
    return text + from % SYNOD__DISK_VALUE_MAX;
}

static void s_same_value (const s_entry_t *entry, synod_str_t value)
{
    assert_non_null (value.data); /* a value that is there is never absent, also when empty */
    assert_int_equal (value.size, entry->value_size);
    assert_memory_equal (value.data, s_bytes (entry->value_from), value.size);
}

/* ---- random operations ---- */

typedef struct {
    s_subject_t *subject;
    s_model_t now, committed;
    uint64_t seed;
} s_world_t;

/* Few of them, so that they meet; with every length that matters, and bytes on both sides of a sign. */
static synod_str_t s_random_key (s_world_t *world, char key[SYNOD__DISK_KEY_MAX + 100], uint32_t longest)
{
    static const uint8_t bytes[] = {0, 1, 'a', 0x7f, 0x80, 0xff};
    uint64_t *seed = &world->seed;
    uint32_t size = 1 + store_below (seed, 4);
    memset (key, 'k', SYNOD__DISK_KEY_MAX + 100);
    if (store_below (seed, 4) == 0)
        size = store_below (seed, 2) ? longest : 490 + store_below (seed, 11);
    for (uint32_t i = 0; i < size && i < 3; i++)
        key[size <= 4 ? i : size - 1 - i] = (char) bytes[store_below (seed, sizeof bytes)];
    if (size > 4 && store_below (seed, 4) == 0) /* the beginning of all that are longer */
        memset (key, 'k', size);
    if (size == 1 && key[0] == 0)
        key[0] = 1;
    return synod_str_n (key, size);
}

static uint32_t s_random_size (uint64_t *seed)
{
    switch (store_below (seed, 40)) {
    case 0:
        return SYNOD__DISK_VALUE_MAX - store_below (seed, 2);
    case 1:
        return 4000 + store_below (seed, 200);
    case 2:
    case 3:
        return 1500 + store_below (seed, 1000);
    case 4:
    case 5:
        return 0;
    default:
        return store_below (seed, 100);
    }
}

static void s_random_batch (s_world_t *world)
{
    synod_buf_t batch = {0};
    char key[SYNOD__DISK_KEY_MAX + 100], prefix[SYNOD__DISK_KEY_MAX + 100];
    synod_str_t before = s_random_key (world, prefix, SYNOD__DISK_KEY_MAX); /* the keys in the batch are what follows */
    before.size = store_below (&world->seed, 2) ? 0 : store_below (&world->seed, before.size);
    for (uint32_t n = 1 + store_below (&world->seed, 8); n; n--) {
        synod_str_t k = s_random_key (world, key, SYNOD__DISK_KEY_MAX);
        if (k.size <= before.size || (before.size && (k.size > 4) != (before.size > 4)))
            continue; /* else there would be too many different ones */
        memcpy (key, prefix, before.size);
        synod_str_t own = synod_str_n (key + before.size, k.size - before.size);
        if (own.size == 1 && own.data[0] == 0)
            continue;
        uint32_t size = s_random_size (&world->seed), from = (uint32_t) store_random (&world->seed);
        synod_str_t value = synod_str_n (s_bytes (from), size);
        bool there = store_below (&world->seed, 5) < 3;
        assert_int_equal (synod__disk_batch_add (&batch, own, there ? &value : NULL), SYNOD_OK);
        s_set (&world->now, k, there, size, from);
    }
    assert_int_equal (store_write_at (world->subject->disk, before, &batch), SYNOD_OK);
}

typedef struct {
    s_world_t *world;
    int at, left; /* the next entry of the model; how many more are wanted */
    int depth;
} s_scan_t;

static bool s_on_entry (void *arg, synod_str_t key, synod_str_t value);

static void s_scan (s_world_t *world, synod_str_t from, synod_str_t until, int most, int depth)
{
    s_scan_t scan = {world, s_find (&world->now, from), most, depth};
    int end = until.size ? s_find (&world->now, until) : world->now.count;
    int count = end > scan.at ? end - scan.at : 0, begin = scan.at;
    synod__disk_t *disk = world->subject->disk;
    assert_int_equal (disk->ops->scan (disk, from, until, s_on_entry, &scan), SYNOD_OK);
    assert_int_equal (scan.at - begin, count < most ? count : most);
}

static bool s_on_entry (void *arg, synod_str_t key, synod_str_t value)
{
    s_scan_t *self = (s_scan_t *) arg;
    s_world_t *world = self->world;
    synod__disk_t *disk = world->subject->disk;
    char other[SYNOD__DISK_KEY_MAX + 100];
    synod_str_t got;
    if (self->at >= world->now.count)
        fail_msg ("a key of %u bytes is one too many", key.size);
    const s_entry_t *entry = &world->now.entries[self->at++];
    assert_int_equal (key.size, entry->key_size);
    assert_memory_equal (key.data, entry->key, key.size);
    if (self->depth > 0 && store_below (&world->seed, 20) == 0) { /* reads within do not move it */
        synod_str_t from = s_random_key (world, other, SYNOD__DISK_KEY_MAX);
        s_scan (world, from, S_NEVER, 5, self->depth - 1);
        assert_int_equal (disk->ops->get (disk, key, &got), SYNOD_OK);
        s_same_value (entry, got);
    }
    s_same_value (entry, value);
    return --self->left > 0;
}

static void s_random_reads (s_world_t *world)
{
    char one[SYNOD__DISK_KEY_MAX + 100], two[SYNOD__DISK_KEY_MAX + 100];
    synod__disk_t *disk = world->subject->disk;
    synod_str_t first = {0}, value;
    int held = -1;
    for (int i = 0; i < 4; i++) {
        synod_str_t key = s_random_key (world, one, SYNOD__DISK_KEY_MAX);
        int at = s_find (&world->now, key);
        bool has = s_has (&world->now, at, key);
        assert_int_equal (disk->ops->get (disk, key, &value), has ? SYNOD_OK : SYNOD_NOT_FOUND);
        if (has) {
            s_same_value (&world->now.entries[at], value);
            if (held < 0) {
                held = at;
                first = value;
            }
        }
    }
    /* bounds may be longer than any key, and the wrong way round */
    synod_str_t from = s_random_key (world, one, SYNOD__DISK_KEY_MAX + 50);
    synod_str_t until = s_random_key (world, two, SYNOD__DISK_KEY_MAX + 50);
    s_scan (world, from, store_below (&world->seed, 4) ? until : S_NEVER, 1 + (int) store_below (&world->seed, 30), 2);
    if (held >= 0)
        s_same_value (&world->now.entries[held], first); /* borrowed until the next write, not the next read */
}

static void s_check_all (s_world_t *world)
{
    s_scan (world, S_NEVER, S_NEVER, INT32_MAX, 0);
}

static void random_operations (void **state)
{
    s_world_t world = {.subject = (s_subject_t *) *state};
    world.now.entries = (s_entry_t *) malloc (2 * S_KEYS * sizeof *world.now.entries);
    assert_non_null (world.now.entries);
    world.committed.entries = world.now.entries + S_KEYS;
    world.seed = store_seed (world.subject->name);
    for (int step = 0; step < S_STEPS; step++) {
        uint32_t what = store_below (&world.seed, 100);
        if (what < 50)
            s_random_batch (&world);
        else if (what < 85)
            s_random_reads (&world);
        else if (what < 96) {
            assert_int_equal (s_commit (world.subject), SYNOD_OK);
            s_copy (&world.committed, &world.now);
        } else if (what == 96) {
            s_crash (world.subject);
            s_copy (&world.now, &world.committed);
            s_check_all (&world);
        } else
            s_check_all (&world);
    }
    free (world.now.entries);
}

/* ---- one by one ---- */

static void nothing (void **state)
{
    s_subject_t *self = (s_subject_t *) *state;
    synod__disk_t *disk = self->disk;
    assert_int_equal (s_commit (self), SYNOD_OK);
    assert_int_equal (disk->ops->write (disk, synod_str (""), synod_str_n ("", 0)), SYNOD_OK);
    assert_int_equal (s_commit (self), SYNOD_OK);
    assert_int_equal (s_write (self, synod_str ("gone"), NULL), SYNOD_OK); /* to delete nothing is no error */
    assert_int_equal (s_commit (self), SYNOD_OK);
    store_is (disk, "gone", NULL);
    store_is (disk, "", NULL);
    assert_int_equal (store_check_numbers (disk), 0);
    s_crash (self);
    assert_int_equal (store_check_numbers (self->disk), 0);
}

static void batches (void **state)
{
    s_subject_t *self = (s_subject_t *) *state;
    synod_buf_t batch = {0};
    store_add (&batch, "a", "1");
    store_add (&batch, "b", "1");
    store_add (&batch, "a", "2"); /* the later counts */
    store_add (&batch, "b", NULL);
    assert_int_equal (store_write (self->disk, &batch), SYNOD_OK);
    store_is (self->disk, "a", "2");
    store_is (self->disk, "b", NULL);
    assert_int_equal (s_commit (self), SYNOD_OK);
    assert_int_equal (store_put (self->disk, "c", "1"), SYNOD_OK); /* two batches, one commit */
    assert_int_equal (store_put (self->disk, "a", "3"), SYNOD_OK);
    assert_int_equal (s_commit (self), SYNOD_OK);
    assert_int_equal (store_put (self->disk, "a", "4"), SYNOD_OK); /* not committed */
    assert_int_equal (store_put (self->disk, "d", "4"), SYNOD_OK);
    store_is (self->disk, "a", "4");
    s_crash (self);
    store_is (self->disk, "a", "3");
    store_is (self->disk, "c", "1");
    store_is (self->disk, "d", NULL);
}

static void numbers (void **state)
{
    s_subject_t *self = (s_subject_t *) *state;
    for (uint64_t i = 1; i <= 100; i++) {
        assert_int_equal (store_write_number (self->disk, i), SYNOD_OK);
        assert_int_equal (store_check_numbers (self->disk), i);
        if (i % 3 == 0)
            assert_int_equal (s_commit (self), SYNOD_OK);
    }
    s_crash (self);
    assert_int_equal (store_check_numbers (self->disk), 99);
}

static void limits (void **state)
{
    s_subject_t *self = (s_subject_t *) *state;
    static char large[SYNOD__DISK_VALUE_MAX + 1], key[SYNOD__DISK_KEY_MAX + 1];
    const synod_str_t empty = synod_str (""), most = synod_str_n (large, SYNOD__DISK_VALUE_MAX),
                      over = synod_str_n (large, sizeof large);
    memset (large, 'v', sizeof large);
    memset (key, 'k', sizeof key);
    synod_str_t longest = synod_str_n (key, SYNOD__DISK_KEY_MAX), value;
    assert_int_equal (s_write (self, longest, &most), SYNOD_OK);
    assert_int_equal (s_write (self, synod_str ("e"), &empty), SYNOD_OK);
    assert_int_equal (s_commit (self), SYNOD_OK);
    s_crash (self);
    assert_int_equal (self->disk->ops->get (self->disk, longest, &value), SYNOD_OK);
    assert_int_equal (value.size, SYNOD__DISK_VALUE_MAX);
    assert_memory_equal (value.data, large, value.size);
    assert_int_equal (self->disk->ops->get (self->disk, synod_str ("e"), &value), SYNOD_OK);
    assert_true (value.size == 0 && value.data);
    /* over a limit, empty, the disk's own */
    assert_int_equal (s_write (self, synod_str_n (key, sizeof key), &empty), SYNOD_INVALID);
    assert_int_equal (s_write (self, synod_str ("e"), &over), SYNOD_INVALID);
    assert_int_equal (s_write (self, synod_str (""), &empty), SYNOD_INVALID);
    assert_int_equal (s_write (self, synod_str_n ("", 1), &empty), SYNOD_INVALID);
    assert_int_equal (s_write (self, synod_str_n ("\0a", 2), &empty), SYNOD_OK); /* but not all of the framework's */
    assert_int_equal (self->disk->ops->get (self->disk, synod_str_n (key, sizeof key), &value), SYNOD_NOT_FOUND);
    assert_int_equal (self->disk->ops->get (self->disk, synod_str_n ("", 1), &value), SYNOD_NOT_FOUND);
}

static void no_batches (void **state)
{
    s_subject_t *self = (s_subject_t *) *state;
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
    assert_int_equal (s_commit (self), SYNOD_OK);
    assert_int_equal (store_write (self->disk, &batch), SYNOD_OK); /* and it is not broken */
    assert_int_equal (s_commit (self), SYNOD_OK);
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
    s_subject_t *self = (s_subject_t *) *state;
    for (int round = 0; round < 2; round++) {
        int code = round ? SYNOD_FULL : SYNOD_IO, seen = 0;
        synod_str_t value;
        assert_int_equal (store_put (self->disk, "a", "1"), SYNOD_OK);
        assert_int_equal (s_commit (self), SYNOD_OK);
        assert_int_equal (store_put (self->disk, "a", "2"), SYNOD_OK);
        s_fail (self, code);
        assert_int_equal (s_commit (self), code);
        assert_true (strlen (self->disk->ops->error (self->disk)) > 5);
        for (int again = 0; again < 2; again++) { /* the system would let all of them succeed now */
            assert_int_equal (s_commit (self), code);
            assert_int_equal (store_put (self->disk, "b", "2"), code);
            assert_int_equal (self->disk->ops->get (self->disk, synod_str ("a"), &value), code);
            assert_int_equal (self->disk->ops->scan (self->disk, S_NEVER, S_NEVER, s_any, &seen), code);
        }
        assert_int_equal (seen, 0);
        s_crash (self);
        store_is (self->disk, "a", "1");
        store_is (self->disk, "b", NULL);
        assert_int_equal (store_put (self->disk, "a", "3"), SYNOD_OK);
        assert_int_equal (s_commit (self), SYNOD_OK);
    }
}

#define S_TEST(function) cmocka_unit_test_setup_teardown (function, s_setup, s_teardown)
int main (void)
{
    static const char *const names[] = {"memory", "lmdb", "lmdb, often a checkpoint", "lmdb, always a checkpoint"};
    static const size_t logs[] = {0, 0, 20000, 1};
    int failed = 0;
    for (int i = 0; i < 4; i++) {
        s_subject_t subject = {.name = names[i], .log = logs[i]};
        struct CMUnitTest tests[] = {S_TEST (nothing),    S_TEST (batches), S_TEST (numbers),          S_TEST (limits),
                                     S_TEST (no_batches), S_TEST (broken),  S_TEST (random_operations)};
        for (size_t t = 0; t < sizeof tests / sizeof tests[0]; t++)
            tests[t].initial_state = &subject;
        failed += cmocka_run_group_tests_name (names[i], tests, NULL, NULL);
    }
    return failed;
}
