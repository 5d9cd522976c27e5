/* SPDX-License-Identifier: MPL-2.0
 *
 * A key's part in a transaction. A yes locks the key: its entry stays as it is until the outcome, its deadline too. So what
 * was found to hold at the yes holds at the commit, which does what was asked over again. A lock is
 *
 *     x KEY                RESERVED ID     bytes that the commit may add; the transaction's id
 */
#include "inner.h"
#include "number.h"

enum { S_PUT, S_DELETE, S_INCR, S_CHECK, S_OPS };
static const char *const s_names[S_OPS] = {"put", "delete", "incr", "check"};

static int s_what (synod_str_t what)
{
    int i = 0;
    while (i < S_OPS && !synod_str_is (what, s_names[i]))
        i++;
    return i;
}

/* ---- the lock ---- */

static synod_str_t s_lock_key (synod_str_t key, char room[SYNOD__KV_ENTRY_KEY_MAX])
{
    synod_str_t whole = synod__kv_entry_key (key, room);
    room[0] = 'x';
    return whole;
}

static int s_read_lock (const synod__kv_step_t *step, synod_str_t key, synod__kv_lock_t *lock)
{
    char room[SYNOD__KV_ENTRY_KEY_MAX];
    synod_str_t bytes = {0};
    int rc = step->store->get (step->arg, s_lock_key (key, room), &bytes);
    memset (lock, 0, sizeof *lock);
    if (rc == SYNOD_OK && !synod__kv_lock_decode (bytes, key.size + 1, lock))
        rc = SYNOD_FAILED;
    return rc;
}

bool synod__kv_lock_decode (synod_str_t bytes, uint32_t key_size, synod__kv_lock_t *out)
{
    if (bytes.size <= S_NUMBER)
        return false;
    out->id = synod_str_n (bytes.data + S_NUMBER, bytes.size - S_NUMBER);
    out->stored = key_size + bytes.size + synod__kv_number (bytes.data);
    return true;
}

int synod__kv_locked (const synod__kv_step_t *step, synod_str_t key, bool *locked)
{
    synod__kv_lock_t lock;
    int rc = s_read_lock (step, key, &lock);
    *locked = rc == SYNOD_OK;
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

static bool s_any (void *arg, synod_str_t key, synod_str_t value)
{
    (void) key;
    (void) value;
    *(bool *) arg = true;
    return false;
}

int synod__kv_any_locked (const synod__kv_store_t *store, void *arg, synod_str_t prefix, bool *any)
{
    char from[SYNOD__KV_ENTRY_KEY_MAX], until[SYNOD__KV_ENTRY_KEY_MAX];
    synod_str_t behind = synod__kv_behind (prefix, until);
    if (until[0] == 'k')
        until[0] = 'x';
    else
        until[0] = 'y';
    *any = false;
    return store->scan (arg, s_lock_key (prefix, from), behind, s_any, any);
}

/* The key is locked here by transaction ID: takes the lock away. */
static int s_unlock (synod__kv_step_t *step, synod_str_t key, synod_str_t id)
{
    char room[SYNOD__KV_ENTRY_KEY_MAX];
    synod__kv_lock_t lock;
    int rc = s_read_lock (step, key, &lock);
    step->key = key;
    if (rc != SYNOD_OK || !synod_str_same (lock.id, id))
        return synod_fault (&step->fault, SYNOD_FAILED, "the outcome of %.*s, which has not locked %.*s",
                            SYNOD_STR (id), SYNOD_STR (key));
    step->bytes -= (int64_t) lock.stored;
    if (SYNOD__KV_MUTANT (LOCK_LEFT))
        return SYNOD_OK;
    return step->store->remove (step->arg, s_lock_key (key, room));
}

/* ---- what is asked ---- */

static int s_check_op (synod__kv_step_t *step, const synod__kv_op_t *op)
{
    int what = s_what (op->what);
    bool condition = op->absent || op->present || op->version || op->was.data || op->fence;
    if (what == S_OPS)
        return synod_fault (&step->fault, SYNOD_BAD_REQUEST, "expected put, delete, incr or check, got \"%.*s\"",
                            SYNOD_STR (op->what));
    if (op->data.size && what != S_PUT)
        return synod_fault (&step->fault, SYNOD_BAD_REQUEST, "%s: expected no data, got %u bytes", s_names[what],
                            op->data.size);
    if ((op->delta || op->bounded || op->floor) && what != S_INCR)
        return synod_fault (&step->fault, SYNOD_BAD_REQUEST, "%s: expected no delta and no floor", s_names[what]);
    if ((op->ttl_ms || op->until_ms) && what != S_PUT)
        return synod_fault (&step->fault, SYNOD_BAD_REQUEST, "%s: expected no deadline", s_names[what]);
    if (op->ttl_ms && op->until_ms)
        return synod_fault (&step->fault, SYNOD_BAD_REQUEST, "put: expected ttl_ms or until_ms, got both");
    if (what == S_CHECK && !condition)
        return synod_fault (&step->fault, SYNOD_BAD_REQUEST,
                            "check: expected one of absent, present, version, was and fence, got none");
    return SYNOD_OK;
}

/* What a condition that does not hold says. */
static int s_conditions (synod__kv_step_t *step, const synod__kv_op_t *op, const synod__kv_entry_of_t *entry)
{
    synod_fault_t *fault = &step->fault;
    if (op->fence && op->fence < entry->fence)
        return synod_fault (fault, SYNOD_REFUSED, "a higher fence was seen, %llu", (unsigned long long) entry->fence);
    if (op->absent && entry->found)
        return synod_fault (fault, SYNOD_REFUSED, "it has a value already");
    if ((op->present || op->version || op->was.data) && !entry->found)
        return synod_fault (fault, SYNOD_REFUSED, "it has no value");
    if (op->version && op->version != entry->version && !SYNOD__KV_MUTANT (READ_UNCHECKED))
        return synod_fault (fault, SYNOD_REFUSED, "its version is %llu, not %llu", (unsigned long long) entry->version,
                            (unsigned long long) op->version);
    if (op->was.data && (entry->large || !synod_str_same (entry->data, op->was)) && !SYNOD__KV_MUTANT (READ_UNCHECKED))
        return synod_fault (fault, SYNOD_REFUSED, "its value is another one");
    return SYNOD_OK;
}

static int s_incr (synod__kv_step_t *step, const synod__kv_op_t *op, const synod__kv_entry_of_t *entry,
                   synod__kv_entry_of_t *next, char digits[SYNOD__NUMBER_MAX])
{
    int64_t sum;
    int rc = synod__kv_sum (step, entry, op->delta, &sum);
    if (rc == SYNOD_OK && op->bounded && sum < op->floor)
        return synod_fault (&step->fault, SYNOD_REFUSED, "it would be %lld, below %lld", (long long) sum,
                            (long long) op->floor);
    if (rc == SYNOD_OK)
        next->data = synod_str_n (digits, synod__number_write (sum, digits));
    next->until_ms = entry->found ? entry->until_ms : 0;
    return rc;
}

/* What OP makes of ENTRY. *CHANGES: another value, or another fence. */
static int s_next (synod__kv_step_t *step, const synod__kv_op_t *op, const synod__kv_entry_of_t *entry,
                   synod__kv_entry_of_t *next, char digits[SYNOD__NUMBER_MAX])
{
    *next = (synod__kv_entry_of_t){.any = true, .value = true};
    switch (s_what (op->what)) {
    case S_INCR:
        return s_incr (step, op, entry, next, digits);
    case S_DELETE:
        *next = (synod__kv_entry_of_t){0};
        return SYNOD_OK;
    case S_CHECK:
        *next = *entry;
        return SYNOD_OK;
    default:
        next->data = op->data;
        next->until_ms = synod__kv_deadline (step, op->ttl_ms, op->until_ms);
        if (op->keep && entry->found && !next->until_ms)
            next->until_ms = entry->until_ms;
        if (next->until_ms && next->until_ms <= step->now_ms) /* gone at once */
            *next = (synod__kv_entry_of_t){0};
        return SYNOD_OK;
    }
}

/* ---- the three steps ---- */

/* What the entry may come to take: its bytes, and those of its deadline. */
static uint64_t s_reserved (const synod__kv_op_t *op, synod_str_t key)
{
    bool writes = s_what (op->what) == S_PUT || s_what (op->what) == S_INCR || op->fence;
    return writes ? op->data.size + 2 * key.size + 64 : 0;
}

int synod__kv_prepare (synod__kv_step_t *step, synod_str_t key, const synod__kv_op_t *op, synod_str_t id)
{
    char room[SYNOD__KV_ENTRY_KEY_MAX], lock[S_NUMBER + SYNOD_NAME_MAX], digits[SYNOD__NUMBER_MAX];
    synod__kv_entry_of_t entry, next;
    synod__kv_lock_t before;
    int rc = s_check_op (step, op);
    if (rc == SYNOD_OK)
        rc = synod__kv_begin_key (step, key, &entry);
    if (rc != SYNOD_OK)
        return rc;
    rc = s_read_lock (step, key, &before);
    if (rc == SYNOD_OK && !SYNOD__KV_MUTANT (LOCK_IGNORED))
        return synod_fault (&step->fault, SYNOD_BUSY, "it is locked by transaction %.*s", SYNOD_STR (before.id));
    if (rc != SYNOD_OK && rc != SYNOD_NOT_FOUND)
        return synod_fault (&step->fault, rc, "its lock cannot be read");
    if (entry.value && !entry.found) { /* at the commit it must not seem to be there */
        rc = synod__kv_remove_expired (step, key, &entry);
        if (rc != SYNOD_OK)
            return rc;
    }
    rc = s_conditions (step, op, &entry);
    if (rc == SYNOD_OK)
        rc = s_next (step, op, &entry, &next, digits);
    if (rc != SYNOD_OK)
        return rc;
    if (!id.size || id.size > SYNOD_NAME_MAX)
        return synod_fault (&step->fault, SYNOD_BAD_REQUEST, "expected an id of 1 to %d bytes", SYNOD_NAME_MAX);
    uint64_t reserved = s_reserved (op, key);
    synod__kv_put_number (lock, reserved);
    memcpy (lock + S_NUMBER, id.data, id.size);
    step->bytes += (int64_t) (1 + key.size + S_NUMBER + id.size + reserved);
    if (reserved && step->bytes > 0 && (uint64_t) step->bytes > step->most)
        return synod_fault (&step->fault, SYNOD_FULL, "this may take %lld bytes more, and its node has %llu left",
                            (long long) step->bytes, (unsigned long long) step->most);
    return synod__kv_store_put (step, s_lock_key (key, room), synod_str_n (lock, S_NUMBER + id.size));
}

int synod__kv_commit (synod__kv_step_t *step, synod_str_t key, const synod__kv_op_t *op, synod_str_t id)
{
    synod__kv_entry_of_t entry, next;
    char digits[SYNOD__NUMBER_MAX];
    int what = s_what (op->what), rc = s_unlock (step, key, id);
    step->held = true;
    step->most = UINT64_MAX; /* it was reserved */
    if (rc == SYNOD_OK)
        rc = synod__kv_begin_key (step, key, &entry);
    if (rc != SYNOD_OK || (what == S_CHECK && op->fence <= entry.fence))
        return rc == SYNOD_OK ? synod__kv_due_again (step, &entry) : rc;
    if (what == S_DELETE && !entry.found && op->fence <= entry.fence)
        return SYNOD_OK;
    if (SYNOD__KV_MUTANT (COMMIT_OF_ONE_LOST) && what == S_INCR && op->delta > 0)
        return SYNOD_OK;
    rc = s_next (step, op, &entry, &next, digits);
    if (rc != SYNOD_OK)
        return rc;
    if (what != S_CHECK)
        return synod__kv_finish (step, s_names[what], &entry, &next, op->fence);
    next.fence = op->fence; /* the value is the same, and so its version */
    if (!next.any)
        next.version = step->version;
    next.any = true;
    rc = synod__kv_write (step, key, &entry, &next);
    return rc == SYNOD_OK ? synod__kv_due_again (step, &next) : rc;
}

int synod__kv_abort (synod__kv_step_t *step, synod_str_t key, synod_str_t id)
{
    synod__kv_entry_of_t entry;
    int rc = s_unlock (step, key, id);
    step->held = true;
    if (rc == SYNOD_OK)
        rc = synod__kv_begin_key (step, key, &entry);
    return rc == SYNOD_OK ? synod__kv_due_again (step, &entry) : rc;
}
