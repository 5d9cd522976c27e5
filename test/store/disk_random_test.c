/* SPDX-License-Identifier: MPL-2.0
 *
 * Random batches, reads, commits and crashes on every disk, beside a model.
 */
#include "actors/runtime/memory_disk.h"
#include "subject.h"

#define S_KEYS  1500 /* a model holds at most */
#define S_STEPS 4000
#define S_NEVER ((synod_str_t){0})

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
    subject_t *subject;
    s_model_t now, committed;
    s_model_t begun[SYNOD__DISK_UNDER_WAY]; /* what commits have that are under way */
    uint32_t nbegun, begins;
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

/* ---- commits ---- */

static void s_all_durable (s_world_t *world)
{
    assert_int_equal (subject_commit (world->subject), SYNOD_OK);
    s_copy (&world->committed, &world->now);
    world->nbegun = 0;
}

/* What is durable, of those begun. */
static void s_settle (s_world_t *world)
{
    synod__disk_t *disk = world->subject->disk;
    const uint64_t before = disk->settled;
    if (!disk->ops->settle && world->nbegun) {
        synod__memory_disk_settle (disk);
        disk->settled++;
    } else if (disk->ops->settle)
        assert_int_equal (disk->ops->settle (disk), SYNOD_OK);
    for (uint64_t i = before; i < disk->settled; i++) {
        assert_true (world->nbegun > 0);
        s_copy (&world->committed, &world->begun[0]);
        s_model_t first = world->begun[0];
        memmove (world->begun, world->begun + 1, --world->nbegun * sizeof first);
        world->begun[world->nbegun] = first; /* its memory serves again */
    }
}

static void s_begin (s_world_t *world)
{
    synod__disk_t *disk = world->subject->disk;
    int rc = SYNOD_OK;
    if (world->nbegun == SYNOD__DISK_UNDER_WAY)
        return;
    if (disk->ops->begin)
        rc = disk->ops->begin (disk);
    else {
        synod__memory_disk_begin (disk);
        disk->begun++;
    }
    if (rc == SYNOD_BUSY) {
        s_all_durable (world);
        return;
    }
    assert_int_equal (rc, SYNOD_OK);
    s_copy (&world->begun[world->nbegun++], &world->now);
    world->begins++;
}

/* Of what was begun the one in memory forgets all; the other is closed, and that waits for it. */
static void s_random_crash (s_world_t *world)
{
    if (world->subject->folder[0] && world->nbegun)
        s_copy (&world->committed, &world->begun[world->nbegun - 1]);
    world->nbegun = 0;
    subject_crash (world->subject);
    world->subject->disk->begun = world->subject->disk->settled = 0;
    s_copy (&world->now, &world->committed);
    s_check_all (world);
}

static void random_operations (void **state)
{
    s_world_t world = {.subject = (subject_t *) *state};
    world.now.entries = (s_entry_t *) malloc ((2 + SYNOD__DISK_UNDER_WAY) * S_KEYS * sizeof *world.now.entries);
    assert_non_null (world.now.entries);
    world.committed.entries = world.now.entries + S_KEYS;
    for (uint32_t i = 0; i < SYNOD__DISK_UNDER_WAY; i++)
        world.begun[i].entries = world.committed.entries + (i + 1) * S_KEYS;
    world.seed = store_seed (world.subject->name);
    for (int step = 0; step < S_STEPS; step++) {
        uint32_t what = store_below (&world.seed, 100);
        if (what < 50)
            s_random_batch (&world);
        else if (what < 85)
            s_random_reads (&world);
        else if (what < 88)
            s_all_durable (&world);
        else if (what < 93)
            s_begin (&world);
        else if (what < 96)
            s_settle (&world);
        else if (what == 96)
            s_random_crash (&world);
        else
            s_check_all (&world);
    }
    print_message ("%s: %u commits were begun\n", world.subject->name, world.begins);
    assert_true (world.begins > 20 || world.subject->log == 1);
    free (world.now.entries);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (random_operations)};
    return subject_each (tests, 1);
}
