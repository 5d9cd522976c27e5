/* SPDX-License-Identifier: MPL-2.0
 *
 * Commands on a key. Each reads the key's entry once, decides, and writes it once.
 */
#include "inner.h"
#include "number.h"

#ifdef SYNOD_KV_MUTANTS
synod__kv_mutant_t synod__kv_mutant;
#endif

void synod__kv_begin (synod__kv_step_t *step, const synod__kv_store_t *store, void *arg,
                      const synod__kv_memory_t *memory, uint64_t position, int64_t now_ms, uint64_t most)
{
    memset (step, 0, offsetof (synod__kv_step_t, old));
    step->store = store;
    step->arg = arg;
    step->memory = memory;
    step->version = position > memory->version ? position : memory->version + 1;
    step->at = step->version - 1;
    step->now_ms = now_ms;
    step->most = most;
    step->due_ms = SYNOD__KV_NEVER;
}

void synod__kv_end (const synod__kv_step_t *step, synod__kv_memory_t *memory)
{
    memory->keys += (uint64_t) step->keys;
    memory->bytes += (uint64_t) step->bytes;
    if (step->changed)
        memory->version = step->version;
    if (step->due_ms < memory->due_ms)
        memory->due_ms = step->due_ms;
}

/* ---- the store ---- */

int synod__kv_store_put (synod__kv_step_t *step, synod_str_t key, synod_str_t value)
{
    int rc = step->store->put (step->arg, key, value);
    return rc == SYNOD_OK ? rc : synod_fault (&step->fault, rc, "the store: %s", synod_error_meaning (rc));
}

int synod__kv_read (const synod__kv_step_t *step, synod_str_t key, synod__kv_entry_of_t *out)
{
    char room[SYNOD__KV_ENTRY_KEY_MAX];
    synod_str_t bytes = {0};
    int rc = step->store->get (step->arg, synod__kv_entry_key (key, room), &bytes);
    memset (out, 0, sizeof *out);
    if (rc != SYNOD_OK)
        return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
    if (!synod__kv_decode (bytes, key.size, out))
        return SYNOD_FAILED;
    bool over = out->until_ms && out->until_ms <= step->now_ms && !step->held;
    if (SYNOD__KV_MUTANT (DEADLINE_LOST))
        over = over && step->memory->due_ms <= step->now_ms;
    out->found = out->value && (!over || SYNOD__KV_MUTANT (EXPIRED_SHOWN));
    return SYNOD_OK;
}

int synod__kv_begin_key (synod__kv_step_t *step, synod_str_t key, synod__kv_entry_of_t *out)
{
    step->key = key;
    memset (out, 0, sizeof *out);
    if (key.size == 0 || key.size > SYNOD_KEY_MAX)
        return synod_fault (&step->fault, SYNOD_REFUSED, "expected a key of 1 to %d bytes, got %u", SYNOD_KEY_MAX,
                            key.size);
    int rc = synod__kv_read (step, key, out);
    if (rc != SYNOD_OK)
        synod_fault (&step->fault, rc, "the entry of this key cannot be read: %s",
                     rc == SYNOD_FAILED ? "its bytes are none" : synod_error_meaning (rc));
    return rc;
}

static int s_delete (synod__kv_step_t *step, synod_str_t key)
{
    return step->store->remove (step->arg, key);
}

int synod__kv_write (synod__kv_step_t *step, synod_str_t key, const synod__kv_entry_of_t *before,
                     const synod__kv_entry_of_t *next)
{
    char room[SYNOD__KV_DUE_KEY_MAX];
    int rc = SYNOD_OK;
    bool stays = next->value || next->fence;
    uint64_t stored = 0;
    bool discard = before->large && (!next->large || next->upload != before->upload);
    uint64_t number = before->upload, size = before->size;
    bool counted = before->value;
    int64_t bytes = (int64_t) before->stored, due_ms = before->until_ms;
    if (stays) { /* BEFORE's data, and that of NEXT, may be in the store until this is written */
        step->encoded = (uint32_t) synod__kv_encode (next, step->room);
        rc = synod__kv_store_put (step, synod__kv_entry_key (key, room), synod_str_n (step->room, step->encoded));
        stored = step->encoded + 1 + key.size + (next->until_ms ? 1 + S_NUMBER + key.size : 0);
    } else if (before->any)
        rc = s_delete (step, synod__kv_entry_key (key, room));
    if (rc == SYNOD_OK && due_ms && due_ms != next->until_ms)
        rc = s_delete (step, synod__kv_due_key (due_ms, key, room));
    if (rc == SYNOD_OK && next->until_ms && due_ms != next->until_ms)
        rc = synod__kv_store_put (step, synod__kv_due_key (next->until_ms, key, room), synod_str ("-"));
    if (rc == SYNOD_OK && discard)
        rc = synod__kv_discard (step, number, size);
    if (next->until_ms && next->until_ms < step->due_ms)
        step->due_ms = next->until_ms;
    step->keys += next->value - counted;
    step->bytes += (int64_t) stored - bytes;
    return rc;
}

/* ---- changes ---- */

static void s_changed (synod__kv_step_t *step, synod_str_t key, const char *what, const synod__kv_entry_of_t *before,
                       const synod__kv_entry_of_t *next)
{
    step->changed = true;
    step->change = (synod__kv_change_t){
        .key = key,
        .what = synod_str (what),
        .version = step->version,
        .before = before->found ? before->version : 0,
        .previous = SYNOD__KV_MUTANT (UNCHAINED) ? 1 : step->memory->version,
        .found = next->value,
        .size = next->size,
        .until_ms = (uint64_t) next->until_ms,
    };
    if (next->value && !next->large && next->size <= 4096)
        step->change.data = synod_str_n (step->room + step->encoded - next->size, next->size);
}

/* What is left of an entry without its value. */
static synod__kv_entry_of_t s_left (const synod__kv_step_t *step, uint64_t fence)
{
    return (synod__kv_entry_of_t){.any = fence, .version = step->version, .fence = fence};
}

int synod__kv_remove_expired (synod__kv_step_t *step, synod_str_t key, synod__kv_entry_of_t *entry)
{
    synod__kv_entry_of_t next = s_left (step, SYNOD__KV_MUTANT (FENCE_EXPIRED) ? 0 : entry->fence), was = *entry;
    int rc = synod__kv_write (step, key, entry, &next);
    was.found = was.value;
    s_changed (step, key, "expired", &was, &next);
    step->at = step->version;
    step->expired++;
    *entry = next;
    if (next.any)
        entry->stored = step->encoded + 1 + key.size;
    return rc;
}

int synod__kv_due_again (synod__kv_step_t *step, const synod__kv_entry_of_t *entry)
{
    if (entry->until_ms && entry->until_ms < step->due_ms)
        step->due_ms = entry->until_ms;
    return SYNOD_OK;
}

/* ---- conditions ---- */

static void s_tell (synod__kv_step_t *step, const synod__kv_entry_of_t *entry)
{
    step->is.found = entry->found;
    step->is.version = entry->found ? entry->version : 0;
    step->is.size = entry->found ? entry->size : 0;
    step->is.until_ms = entry->found ? (uint64_t) entry->until_ms : 0;
    step->is.fence = entry->fence;
}

typedef struct {
    uint64_t version, fence;
    bool absent, present;
} s_if_t;

/* Reads KEY's entry for a command; *GO: its conditions hold. */
static int s_begin (synod__kv_step_t *step, synod_str_t key, s_if_t only, synod__kv_entry_of_t *entry, bool *go)
{
    const char *why = NULL;
    *go = false;
    int rc = synod__kv_begin_key (step, key, entry);
    if (rc == SYNOD_OK && entry->value && !entry->found)
        rc = synod__kv_remove_expired (step, key, entry);
    if (rc != SYNOD_OK)
        return rc;
    uint64_t version = entry->version;
    if (SYNOD__KV_MUTANT (CAS_OF_OTHER) && step->memory->version)
        version = step->memory->version;
    if (only.fence && only.fence < entry->fence && !SYNOD__KV_MUTANT (FENCE_UNCHECKED))
        why = "fence";
    else if ((only.version || only.present) && !entry->found)
        why = "absent";
    else if (only.version && only.version != version)
        why = "version";
    else if (only.absent && entry->found)
        why = "present";
    *go = !why;
    if (why) {
        s_tell (step, entry);
        step->is.why = synod_str (why);
    }
    return SYNOD_OK;
}

int synod__kv_finish (synod__kv_step_t *step, const char *what, const synod__kv_entry_of_t *before,
                      synod__kv_entry_of_t *next, uint64_t fence)
{
    const synod__kv_entry_of_t was = *before;
    next->fence = fence > was.fence ? fence : was.fence;
    if (SYNOD__KV_MUTANT (FENCE_DELETED) && !next->value)
        next->fence = 0;
    next->version = step->version;
    if (SYNOD__KV_MUTANT (VERSION_REUSED))
        next->version = was.found ? was.version + 1 : 1;
    if (next->value && !next->large)
        next->size = next->data.size;
    int rc = synod__kv_write (step, step->key, &was, next);
    if (rc != SYNOD_OK)
        return rc;
    if (step->bytes > 0 && (uint64_t) step->bytes > step->most)
        return synod_fault (&step->fault, SYNOD_FULL,
                            "this takes %lld bytes more, and the node that owns the key has %llu left: delete some, or "
                            "start its nodes with more (--set memory=SIZE)",
                            (long long) step->bytes, (unsigned long long) step->most);
    next->found = next->value;
    s_tell (step, next);
    step->is.done = true;
    step->is.had = was.found;
    if (!next->value)
        step->is.version = was.found ? step->version : 0;
    if (was.found || next->value)
        s_changed (step, step->key, what, &was, next);
    return SYNOD_OK;
}

/* What the value was, told if it is asked for: copied, for what is written next may be in its place. */
static void s_tell_old (synod__kv_step_t *step, const synod__kv_entry_of_t *entry, bool asked)
{
    if (!asked || !entry->found)
        return;
    step->is.old_size = entry->size;
    if (entry->large) {
        step->is.old_upload = entry->upload;
        return;
    }
    if (entry->size)
        memcpy (step->old, entry->data.data, entry->size);
    step->is.old = synod_str_n (step->old, entry->size);
}

int64_t synod__kv_deadline (const synod__kv_step_t *step, uint64_t ttl_ms, uint64_t until_ms)
{
    if (!ttl_ms)
        return (int64_t) until_ms;
    return ttl_ms > (uint64_t) (INT64_MAX - step->now_ms) ? INT64_MAX : step->now_ms + (int64_t) ttl_ms;
}

/* ---- commands ---- */

static int s_get (synod__kv_step_t *step, const synod__kv_entry_of_t *entry, uint64_t known, bool bare)
{
    s_tell (step, entry);
    step->is.at = step->at;
    if (!entry->found || bare || (known && known == entry->version))
        return SYNOD_OK;
    step->is.data = entry->large ? synod_str_n (NULL, 0) : entry->data;
    step->is.upload = entry->large ? entry->upload : 0;
    return SYNOD_OK;
}

int synod__kv_get (synod__kv_step_t *step, synod_str_t key, const synod__kv_get_t *in)
{
    synod__kv_entry_of_t entry;
    int rc = synod__kv_begin_key (step, key, &entry);
    if (rc == SYNOD_OK && entry.value && !entry.found)
        rc = synod__kv_remove_expired (step, key, &entry);
    if (rc != SYNOD_OK)
        return rc;
    step->at = in->at ? step->at : 0;
    return s_get (step, &entry, in->known, in->bare);
}

int synod__kv_get_stale (synod__kv_step_t *step, synod_str_t key, const synod__kv_get_stale_t *in)
{
    synod__kv_entry_of_t entry;
    int rc = synod__kv_begin_key (step, key, &entry);
    step->at = 0;
    return rc == SYNOD_OK ? s_get (step, &entry, in->known, in->bare) : rc;
}

int synod__kv_put (synod__kv_step_t *step, synod_str_t key, const synod__kv_put_t *in)
{
    synod__kv_entry_of_t entry, next = {.any = true, .value = true, .data = in->data};
    bool go;
    if (in->upload && in->data.size)
        return synod_fault (&step->fault, SYNOD_REFUSED, "put: expected data or upload, got both");
    if (in->ttl_ms && in->until_ms)
        return synod_fault (&step->fault, SYNOD_REFUSED, "put: expected ttl_ms or until_ms, got both");
    int rc = s_begin (step, key, (s_if_t){in->version, in->fence, in->absent, in->present}, &entry, &go);
    if (rc != SYNOD_OK || !go)
        return rc;
    next.until_ms = synod__kv_deadline (step, in->ttl_ms, in->until_ms);
    if (in->keep && entry.found && !next.until_ms)
        next.until_ms = entry.until_ms;
    s_tell_old (step, &entry, in->old);
    if (in->upload)
        rc = synod__kv_take (step, in, &next);
    if (rc == SYNOD_OK && next.until_ms && next.until_ms <= step->now_ms) { /* gone at once */
        if (next.large)
            rc = synod__kv_discard (step, next.upload, next.size);
        next = (synod__kv_entry_of_t){0};
    }
    return rc == SYNOD_OK ? synod__kv_finish (step, "put", &entry, &next, in->fence) : rc;
}

int synod__kv_delete (synod__kv_step_t *step, synod_str_t key, const synod__kv_delete_t *in)
{
    synod__kv_entry_of_t entry, next = {0};
    bool go;
    int rc = s_begin (step, key, (s_if_t){in->version, in->fence, false, false}, &entry, &go);
    if (rc != SYNOD_OK || !go)
        return rc;
    if (!entry.found && in->fence <= entry.fence) { /* nothing changes */
        s_tell (step, &entry);
        step->is.done = true;
        return SYNOD_OK;
    }
    s_tell_old (step, &entry, in->old);
    rc = synod__kv_finish (step, "delete", &entry, &next, in->fence);
    step->changed = step->changed && !SYNOD__KV_MUTANT (UNPUBLISHED);
    return rc;
}

int synod__kv_sum (synod__kv_step_t *step, const synod__kv_entry_of_t *entry, int64_t delta, int64_t *sum)
{
    /* what is large is no number: any of its pieces is too long for one */
    return synod__number_add (!entry->found  ? synod_str_n (NULL, 0)
                              : entry->large ? synod_str ("")
                                             : synod_str_n (entry->data.data ? entry->data.data : "", entry->data.size),
                              delta, sum, &step->fault);
}

int synod__kv_incr (synod__kv_step_t *step, synod_str_t key, const synod__kv_incr_t *in)
{
    synod__kv_entry_of_t entry, next = {.any = true, .value = true};
    char digits[SYNOD__NUMBER_MAX];
    int64_t sum;
    bool go;
    if (in->ttl_ms && in->until_ms)
        return synod_fault (&step->fault, SYNOD_REFUSED, "incr: expected ttl_ms or until_ms, got both");
    int rc = s_begin (step, key, (s_if_t){0, in->fence, false, false}, &entry, &go);
    if (rc != SYNOD_OK || !go)
        return rc;
    rc = synod__kv_sum (step, &entry, in->delta, &sum);
    if (rc != SYNOD_OK && !SYNOD__KV_MUTANT (INCR_WRAPS))
        return rc;
    if (SYNOD__KV_MUTANT (INCR_TWICE) && !entry.found)
        sum = (int64_t) ((uint64_t) sum + (uint64_t) in->delta);
    next.data = synod_str_n (digits, synod__number_write (sum, digits));
    next.until_ms = entry.found ? entry.until_ms : synod__kv_deadline (step, in->ttl_ms, in->until_ms);
    if (!entry.found && next.until_ms && next.until_ms <= step->now_ms)
        next = (synod__kv_entry_of_t){0};
    rc = synod__kv_finish (step, "incr", &entry, &next, in->fence);
    step->is.number = sum;
    return rc;
}

int synod__kv_append (synod__kv_step_t *step, synod_str_t key, const synod__kv_append_t *in)
{
    synod__kv_entry_of_t entry, next = {.any = true, .value = true};
    bool go;
    int rc = s_begin (step, key, (s_if_t){in->version, in->fence, false, false}, &entry, &go);
    if (rc != SYNOD_OK || !go)
        return rc;
    uint64_t size = (entry.found ? entry.size : 0) + in->data.size;
    if (size > SYNOD__KV_VALUE_MAX)
        return synod_fault (&step->fault, SYNOD_TOO_LARGE,
                            "append: a value may have %d bytes, this one would have %llu", SYNOD__KV_VALUE_MAX,
                            (unsigned long long) size);
    next.until_ms = entry.found ? entry.until_ms : 0;
    if (size > SYNOD__KV_PIECE || (entry.found && entry.large))
        rc = synod__kv_extend (step, &entry, in->data, &next);
    else { /* where the entry is not built, which begins at step->room */
        char *at = step->room + SYNOD__KV_ENTRY_MAX;
        uint32_t before = entry.found ? entry.data.size : 0;
        if (before)
            memcpy (at, entry.data.data, before);
        if (in->data.size)
            memcpy (at + before, in->data.data, in->data.size);
        next.data = synod_str_n (at, size);
    }
    return rc == SYNOD_OK ? synod__kv_finish (step, "append", &entry, &next, in->fence) : rc;
}

int synod__kv_expire (synod__kv_step_t *step, synod_str_t key, const synod__kv_expire_t *in)
{
    synod__kv_entry_of_t entry, next;
    bool go;
    if (in->ttl_ms && in->until_ms)
        return synod_fault (&step->fault, SYNOD_REFUSED, "expire: expected ttl_ms or until_ms, got both");
    int rc = s_begin (step, key, (s_if_t){in->version, in->fence, false, true}, &entry, &go);
    if (rc != SYNOD_OK || !go)
        return rc;
    next = entry;
    next.until_ms = synod__kv_deadline (step, in->ttl_ms, in->until_ms);
    if (next.until_ms && next.until_ms <= step->now_ms)
        next = (synod__kv_entry_of_t){0};
    return synod__kv_finish (step, "expire", &entry, &next, in->fence);
}
