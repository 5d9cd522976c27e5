/* SPDX-License-Identifier: MPL-2.0
 *
 * Values in pieces. They are sent under a number first, where nobody reads them, and forgotten a while after the last one
 * came; a put takes the number away from what is forgotten and into the entry, in one batch. A value that is replaced
 * goes the other way: its pieces stay for as long, so that who was told of it can read it to its end.
 */
#include "inner.h"

#define S_SOME 4 /* numbers forgotten in a step: each has 16 pieces at most, whose keys alone are in the batch */

/* What is kept under a number and is no value. */
typedef struct {
    uint64_t size;
    int64_t until_ms;
} s_kept_t;

static int s_get (const synod__kv_step_t *step, uint64_t number, s_kept_t *kept)
{
    char room[9];
    synod_str_t bytes;
    int rc = step->store->get (step->arg, synod__kv_upload_key (number, room), &bytes);
    if (rc == SYNOD_OK && bytes.size != 2 * S_NUMBER)
        return SYNOD_FAILED;
    if (rc == SYNOD_OK)
        *kept = (s_kept_t){synod__kv_number (bytes.data), (int64_t) synod__kv_number (bytes.data + S_NUMBER)};
    return rc;
}

/* From now on it is forgotten at its time. BEFORE: as it was; size 0: it was a value, or is new. */
static int s_keep (synod__kv_step_t *step, uint64_t number, const s_kept_t *before, uint64_t size)
{
    char room[17], value[2 * S_NUMBER];
    int64_t until_ms = step->now_ms + SYNOD__KV_GRACE_MS;
    int rc = SYNOD_OK;
    if (before && before->until_ms != until_ms)
        rc = step->store->remove (step->arg, synod__kv_garbage_key (before->until_ms, number, room));
    synod__kv_put_number (synod__kv_put_number (value, size), (uint64_t) until_ms);
    if (rc == SYNOD_OK)
        rc = synod__kv_store_put (step, synod__kv_upload_key (number, room), synod_str_n (value, sizeof value));
    if (rc == SYNOD_OK)
        rc = synod__kv_store_put (step, synod__kv_garbage_key (until_ms, number, room), synod_str ("-"));
    if (until_ms < step->due_ms)
        step->due_ms = until_ms;
    if (!before)
        step->bytes += 9 + 2 * S_NUMBER + 17 + 1;
    return rc;
}

/* Takes it out of what is forgotten. */
static int s_unkeep (synod__kv_step_t *step, uint64_t number, const s_kept_t *kept)
{
    char room[17];
    int rc = step->store->remove (step->arg, synod__kv_upload_key (number, room));
    if (rc == SYNOD_OK)
        rc = step->store->remove (step->arg, synod__kv_garbage_key (kept->until_ms, number, room));
    step->bytes -= 9 + 2 * S_NUMBER + 17 + 1;
    return rc;
}

int synod__kv_discard (synod__kv_step_t *step, uint64_t number, uint64_t size)
{
    return s_keep (step, number, NULL, size);
}

static int s_put_piece (synod__kv_step_t *step, uint64_t number, uint64_t piece, synod_str_t data, uint32_t before)
{
    char room[10];
    step->bytes += (int64_t) data.size - before + (before ? 0 : (int64_t) sizeof room);
    return synod__kv_store_put (step, synod__kv_piece_key (number, piece, room), data);
}

int synod__kv_upload (synod__kv_step_t *step, const synod__kv_upload_t *in)
{
    char room[10];
    synod_str_t bytes;
    s_kept_t kept = {0};
    if (!in->upload || !in->data.size)
        return synod_fault (&step->fault, SYNOD_REFUSED, "upload: expected a number above 0 and 1 to %d bytes",
                            SYNOD__KV_PIECE);
    int rc = s_get (step, in->upload, &kept);
    if (rc == SYNOD_NOT_FOUND && in->number == 0 &&
        step->store->get (step->arg, synod__kv_piece_key (in->upload, 0, room), &bytes) == SYNOD_OK)
        return synod_fault (&step->fault, SYNOD_REFUSED, "upload: the number %llu is taken: draw another one",
                            (unsigned long long) in->upload);
    if (rc != SYNOD_OK && rc != SYNOD_NOT_FOUND)
        return synod_fault (&step->fault, rc, "upload: %s", synod_error_meaning (rc));
    if (kept.size != in->number * SYNOD__KV_PIECE)
        return synod_fault (
            &step->fault, SYNOD_REFUSED,
            "upload: expected what follows %llu bytes, got piece %llu, of which each but the last has %d",
            (unsigned long long) kept.size, (unsigned long long) in->number, SYNOD__KV_PIECE);
    bool again = rc == SYNOD_OK;
    rc = s_put_piece (step, in->upload, in->number, in->data, 0);
    if (rc == SYNOD_OK)
        rc = s_keep (step, in->upload, again ? &kept : NULL, kept.size + in->data.size);
    if (rc == SYNOD_OK && step->bytes > 0 && (uint64_t) step->bytes > step->most)
        return synod_fault (&step->fault, SYNOD_FULL, "this piece takes %lld bytes, and the node has %llu left",
                            (long long) step->bytes, (unsigned long long) step->most);
    return rc;
}

int synod__kv_piece (synod__kv_step_t *step, const synod__kv_piece_t *in, synod__kv_piece_is_t *out)
{
    char room[10];
    int rc = step->store->get (step->arg, synod__kv_piece_key (in->upload, in->number, room), &out->data);
    if (rc == SYNOD_NOT_FOUND)
        synod_fault (&step->fault, rc,
                     "nothing is kept under %llu, piece %llu: the value was replaced a while ago, "
                     "get it again",
                     (unsigned long long) in->upload, (unsigned long long) in->number);
    return rc;
}

int synod__kv_take (synod__kv_step_t *step, const synod__kv_put_t *in, synod__kv_entry_of_t *next)
{
    s_kept_t kept = {0};
    int rc = s_get (step, in->upload, &kept);
    if (rc != SYNOD_OK && rc != SYNOD_NOT_FOUND)
        return synod_fault (&step->fault, rc, "put: %s", synod_error_meaning (rc));
    if (kept.size != in->size || !in->size)
        return synod_fault (&step->fault, SYNOD_REFUSED,
                            "put: expected %llu bytes sent under %llu, there are %llu: send them, and within a minute",
                            (unsigned long long) in->size, (unsigned long long) in->upload,
                            (unsigned long long) kept.size);
    next->large = true;
    next->upload = in->upload;
    next->size = in->size;
    if (SYNOD__KV_MUTANT (HALF_VALUE) && in->size > SYNOD__KV_PIECE)
        next->size -= SYNOD__KV_PIECE;
    return s_unkeep (step, in->upload, &kept);
}

/* What is in the last piece that is not full; it and what follows, cut anew, are written. */
int synod__kv_extend (synod__kv_step_t *step, const synod__kv_entry_of_t *entry, synod_str_t data,
                      synod__kv_entry_of_t *next)
{
    char room[10], *at = step->room;
    uint64_t before = entry->found ? entry->size : 0, size = before + data.size;
    bool large = entry->found && entry->large;
    next->large = true;
    next->size = size;
    next->upload = large ? entry->upload : SYNOD__KV_NUMBER_OWN | step->version;
    uint64_t piece = large ? before / SYNOD__KV_PIECE : 0;
    synod_str_t last = large ? synod_str_n (NULL, 0) : entry->data;
    if (large && before % SYNOD__KV_PIECE) {
        int rc = step->store->get (step->arg, synod__kv_piece_key (next->upload, piece, room), &last);
        if (rc != SYNOD_OK || last.size != before % SYNOD__KV_PIECE)
            return synod_fault (&step->fault, SYNOD_FAILED, "append: piece %llu of the value is not as it should be",
                                (unsigned long long) piece);
        if (SYNOD__KV_MUTANT (APPEND_OVERWRITES))
            last.size = 0;
    }
    uint32_t kept = entry->found || large ? last.size : 0;
    if (kept)
        memcpy (at, last.data, kept);
    if (data.size)
        memcpy (at + kept, data.data, data.size);
    uint32_t left = kept + data.size, stored = large ? kept : 0;
    for (; left; piece++, stored = 0) {
        uint32_t part = left < SYNOD__KV_PIECE ? left : SYNOD__KV_PIECE;
        int rc = s_put_piece (step, next->upload, piece, synod_str_n (at, part), stored);
        if (rc != SYNOD_OK)
            return rc;
        at += part;
        left -= part;
    }
    return SYNOD_OK;
}

/* ---- forgetting ---- */

typedef struct {
    int64_t now_ms, until_ms[S_SOME], next_ms;
    uint64_t numbers[S_SOME];
    uint32_t count;
} s_due_t;

static bool s_gather (void *arg, synod_str_t key, synod_str_t value)
{
    s_due_t *due = (s_due_t *) arg;
    (void) value;
    int64_t until_ms = (int64_t) synod__kv_number (key.data + 1);
    if (until_ms > due->now_ms || due->count == S_SOME) {
        due->next_ms = until_ms;
        return false;
    }
    due->until_ms[due->count] = until_ms;
    due->numbers[due->count++] = synod__kv_number (key.data + 1 + S_NUMBER);
    return true;
}

static int s_forget (synod__kv_step_t *step, uint64_t number, int64_t until_ms)
{
    char room[10];
    s_kept_t kept = {0};
    int rc = s_get (step, number, &kept);
    if (rc != SYNOD_OK || kept.until_ms != until_ms)
        return SYNOD_FAILED;
    for (uint64_t i = 0; i < synod__kv_pieces (kept.size) && rc == SYNOD_OK; i++) {
        synod_str_t bytes;
        rc = step->store->get (step->arg, synod__kv_piece_key (number, i, room), &bytes);
        step->bytes -= rc == SYNOD_OK ? (int64_t) (bytes.size + sizeof room) : 0;
        if (rc == SYNOD_OK)
            rc = step->store->remove (step->arg, synod__kv_piece_key (number, i, room));
    }
    return rc == SYNOD_OK ? s_unkeep (step, number, &kept) : rc;
}

int synod__kv_sweep_garbage (synod__kv_step_t *step, int64_t *next_ms)
{
    s_due_t due = {.now_ms = step->now_ms, .next_ms = SYNOD__KV_NEVER};
    int rc = step->store->scan (step->arg, synod_str ("g"), synod_str ("h"), s_gather, &due);
    for (uint32_t i = 0; i < due.count && rc == SYNOD_OK; i++)
        rc = s_forget (step, due.numbers[i], due.until_ms[i]);
    *next_ms = due.next_ms;
    return rc == SYNOD_OK ? rc : synod_fault (&step->fault, rc, "what was sent and not taken cannot be forgotten");
}
