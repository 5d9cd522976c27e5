/* SPDX-License-Identifier: MPL-2.0
 *
 * A partition as a whole: what is in it, what is due in it, its keys in their order.
 */
#include "inner.h"

#define S_SWEEP       64           /* deadlines in a step at most */
#define S_ANSWER_MAX  (192 * 1024) /* bytes of entries in an answer */
#define S_VISITED_MAX 20000 /* entries that an answer passes over: fences without a value, what is over its deadline */
#define S_LIMIT       100

/* ---- what there is ---- */

static bool s_count_entry (void *arg, synod_str_t key, synod_str_t value)
{
    synod__kv_memory_t *memory = (synod__kv_memory_t *) arg;
    synod__kv_entry_of_t entry;
    if (synod__kv_decode (value, key.size - 1, &entry)) {
        memory->keys += entry.value;
        memory->bytes += entry.stored;
    }
    return true;
}

static bool s_count_bytes (void *arg, synod_str_t key, synod_str_t value)
{
    ((synod__kv_memory_t *) arg)->bytes += key.size + value.size;
    return true;
}

static bool s_count_lock (void *arg, synod_str_t key, synod_str_t value)
{
    synod__kv_lock_t lock;
    if (synod__kv_lock_decode (value, key.size, &lock))
        ((synod__kv_memory_t *) arg)->bytes += lock.stored;
    return true;
}

typedef struct {
    const synod__kv_store_t *store;
    void *arg;
    synod__kv_memory_t *memory;
} s_load_t;

/* What is locked is not due before it is unlocked, whose outcome sees to it. */
static bool s_waits (const synod__kv_store_t *store, void *arg, synod_str_t due_key)
{
    char room[SYNOD__KV_ENTRY_KEY_MAX];
    synod_str_t bytes,
        lock = synod__kv_entry_key (synod_str_n (due_key.data + 1 + S_NUMBER, due_key.size - 1 - S_NUMBER), room);
    room[0] = 'x';
    return store->get (arg, lock, &bytes) == SYNOD_OK;
}

static bool s_first_due (void *arg, synod_str_t key, synod_str_t value)
{
    s_load_t *load = (s_load_t *) arg;
    int64_t due_ms = (int64_t) synod__kv_number (key.data + 1);
    (void) value;
    if (key.data[0] == 't' && s_waits (load->store, load->arg, key))
        return true;
    if (due_ms < load->memory->due_ms)
        load->memory->due_ms = due_ms;
    return false;
}

int synod__kv_load (const synod__kv_store_t *store, void *arg, synod__kv_memory_t *memory)
{
    s_load_t load = {store, arg, memory};
    *memory = (synod__kv_memory_t){.due_ms = SYNOD__KV_NEVER};
    int rc = store->scan (arg, synod_str ("k"), synod_str ("l"), s_count_entry, memory);
    if (rc == SYNOD_OK) /* a due key is counted with its entry */
        rc = store->scan (arg, synod_str ("p"), synod_str ("q"), s_count_bytes, memory);
    if (rc == SYNOD_OK)
        rc = store->scan (arg, synod_str ("u"), synod_str ("v"), s_count_bytes, memory);
    if (rc == SYNOD_OK)
        rc = store->scan (arg, synod_str ("g"), synod_str ("h"), s_count_bytes, memory);
    if (rc == SYNOD_OK)
        rc = store->scan (arg, synod_str ("x"), synod_str ("y"), s_count_lock, memory);
    if (rc == SYNOD_OK)
        rc = store->scan (arg, synod_str ("t"), synod_str ("u"), s_first_due, &load);
    if (rc == SYNOD_OK)
        rc = store->scan (arg, synod_str ("g"), synod_str ("h"), s_first_due, &load);
    if (SYNOD__KV_MUTANT (DEADLINE_LOST))
        memory->due_ms = SYNOD__KV_NEVER;
    return rc;
}

/* ---- what is due ---- */

typedef struct {
    const synod__kv_step_t *step;
    int64_t now_ms, next_ms;
    uint32_t count, most, used;
    int64_t until_ms[S_SWEEP];
    uint32_t at[S_SWEEP], sizes[S_SWEEP];
    char keys[S_SWEEP * SYNOD_KEY_MAX];
} s_due_t;

static bool s_gather (void *arg, synod_str_t key, synod_str_t value)
{
    s_due_t *due = (s_due_t *) arg;
    (void) value;
    int64_t until_ms = (int64_t) synod__kv_number (key.data + 1);
    if (s_waits (due->step->store, due->step->arg, key))
        return true;
    if (until_ms > due->now_ms || due->count == due->most) {
        due->next_ms = until_ms;
        return false;
    }
    uint32_t size = key.size - 1 - S_NUMBER;
    memcpy (due->keys + due->used, key.data + 1 + S_NUMBER, size);
    due->until_ms[due->count] = until_ms;
    due->at[due->count] = due->used;
    due->sizes[due->count++] = size;
    due->used += size;
    return true;
}

int synod__kv_sweep (synod__kv_step_t *step, uint32_t most, int64_t *next_ms)
{
    s_due_t due;
    int64_t garbage_ms = SYNOD__KV_NEVER;
    due.step = step;
    due.now_ms = step->now_ms;
    due.next_ms = SYNOD__KV_NEVER;
    due.count = due.used = 0;
    due.most = most < S_SWEEP ? most : S_SWEEP;
    int rc = step->store->scan (step->arg, synod_str ("t"), synod_str ("u"), s_gather, &due);
    for (uint32_t i = 0; i < due.count && rc == SYNOD_OK; i++) {
        synod_str_t key = synod_str_n (due.keys + due.at[i], due.sizes[i]);
        synod__kv_entry_of_t entry;
        rc = synod__kv_read (step, key, &entry);
        if (rc == SYNOD_OK && (!entry.value || entry.until_ms != due.until_ms[i]))
            rc = SYNOD_FAILED;
        if (rc == SYNOD_OK)
            rc = synod__kv_remove_expired (step, key, &entry);
    }
    if (due.count) /* the change is of the last one, whose key is here */
        step->change.key = synod_str_n (memcpy (step->old, due.keys + due.at[due.count - 1], due.sizes[due.count - 1]),
                                        due.sizes[due.count - 1]);
    if (rc == SYNOD_OK)
        rc = synod__kv_sweep_garbage (step, &garbage_ms);
    *next_ms = due.next_ms < garbage_ms ? due.next_ms : garbage_ms;
    return rc == SYNOD_OK || step->fault.code
               ? rc
               : synod_fault (&step->fault, rc, "what is over its deadline cannot be removed");
}

/* ---- keys ---- */

typedef struct {
    const synod__kv_step_t *step;
    const synod__kv_part_t *in;
    synod_buf_t *items;
    synod__kv_part_is_t *out;
    char *after;
    uint32_t limit, visited;
    bool more;
    int rc;
} s_scan_t;

static bool s_take (void *arg, synod_str_t key, synod_str_t value)
{
    s_scan_t *scan = (s_scan_t *) arg;
    synod__kv_entry_of_t entry;
    synod_str_t name = synod_str_n (key.data + 1, key.size - 1);
    if (synod_str_same (name, scan->in->after))
        return true;
    bool read = synod__kv_decode (value, name.size, &entry);
    bool over = entry.until_ms && entry.until_ms <= scan->step->now_ms;
    bool tell = read && entry.value && !over;
    bool told = scan->in->values && !entry.large;
    size_t more = tell ? name.size + 64 + (told ? entry.data.size : 0) : 0;
    if (scan->out->entries.count == scan->limit || scan->visited == S_VISITED_MAX ||
        (scan->out->entries.count && scan->items->size + more > S_ANSWER_MAX)) {
        scan->more = true;
        return false;
    }
    scan->visited++;
    memcpy (scan->after, name.data, name.size);
    scan->out->after = synod_str_n (scan->after, name.size);
    if (!tell)
        return true;
    const synod__kv_entry_t one = {.key = name,
                                   .version = entry.version,
                                   .size = entry.size,
                                   .data = told ? entry.data : synod_str_n (NULL, 0),
                                   .until_ms = (uint64_t) entry.until_ms};
    scan->rc = synod_list_add (&scan->out->entries, scan->items, &synod__kv_entry_record, &one, NULL);
    return scan->rc == SYNOD_OK;
}

synod_str_t synod__kv_behind (synod_str_t prefix, char room[SYNOD__KV_ENTRY_KEY_MAX])
{
    synod_str_t all = synod__kv_entry_key (prefix, room);
    while (all.size && (uint8_t) room[all.size - 1] == 0xff)
        all.size--;
    if (all.size)
        room[all.size - 1]++;
    return all;
}

int synod__kv_part (synod__kv_step_t *step, const synod__kv_part_t *in, synod_buf_t *items, char *after,
                    synod__kv_part_is_t *out)
{
    char from[SYNOD__KV_ENTRY_KEY_MAX], until[SYNOD__KV_ENTRY_KEY_MAX];
    s_scan_t scan = {.step = step, .in = in, .items = items, .out = out, .after = after};
    scan.limit = in->limit ? (uint32_t) in->limit : S_LIMIT;
    items->size = 0;
    /* behind AFTER, if that is not before all that begin with PREFIX */
    uint32_t common = in->after.size < in->prefix.size ? in->after.size : in->prefix.size;
    int order = common ? memcmp (in->after.data, in->prefix.data, common) : 0;
    bool later = order > 0 || (order == 0 && in->after.size > in->prefix.size);
    synod_str_t low = synod__kv_entry_key (later ? in->after : in->prefix, from);
    int rc = step->store->scan (step->arg, low, synod__kv_behind (in->prefix, until), s_take, &scan);
    if (!scan.more)
        out->after = synod_str_n (NULL, 0);
    return rc == SYNOD_OK ? scan.rc : rc;
}
