/* SPDX-License-Identifier: MPL-2.0
 *
 * The summary: a lock, a transaction with its fence, and what is said of it.
 */
#include "publish.h"

#include <inttypes.h>
#include <stdio.h>

#define LOCK_MS   20000 /* waited for it */
#define COMMIT_MS 20000
#define TEXT_MAX  SYNOD_TRANSACTION_VALUE_MAX

/* The most frequent words as long as there is room: bytes written to TEXT. */
static size_t list (const words_t *words, uint64_t top, char text[TEXT_MAX])
{
    size_t size = 0;
    const word_t *word = words->head;
    for (uint64_t i = 0; i < top && word; i++, word = (const word_t *) word->hh.next) {
        int more = snprintf (text + size, TEXT_MAX - size, "%" PRIu64 " %s\n", word->count, word->text);
        if (more < 0 || (size_t) more >= TEXT_MAX - size)
            break;
        size += (size_t) more;
    }
    return size;
}

static int commit (synod_handle_t *handle, const char *name, const words_t *words, uint64_t top, uint64_t token,
                   synod_fault_t *fault)
{
    static char text[TEXT_MAX];
    static const char *const parts[] = {"totals", "top", "version"};
    char keys[3][SYNOD_KEY_MAX + 1], totals[64];
    const synod_change_t how = {.fence = token};
    synod_decision_t decision;
    uint64_t total = 0;
    for (const word_t *word = words->head; word; word = (const word_t *) word->hh.next)
        total += word->count;
    int size = snprintf (totals, sizeof totals, "%" PRIu64 " words, %u different", total, HASH_COUNT (words->head));
    for (int i = 0; i < 3; i++)
        snprintf (keys[i], sizeof keys[i], "%s/%s", name, parts[i]);
    synod_transaction_t *transaction = synod_transaction_new (NULL, fault);
    if (!transaction)
        return fault->code;
    synod_transaction_put (transaction, keys[0], synod_str_n (totals, (size_t) size), &how);
    synod_transaction_put (transaction, keys[1], synod_str_n (text, list (words, top, text)), &how);
    synod_transaction_incr (transaction, keys[2], 1, &how);
    switch (synod_handle_commit (handle, transaction, COMMIT_MS, &decision)) {
    case SYNOD_COMMITTED:
        fprintf (stderr, "published %s: %s, by transaction %s, under fence %" PRIu64 "\n", name, totals,
                 synod_transaction_id (transaction), token);
        fault->code = SYNOD_OK;
        break;
    case SYNOD_ABORTED:
        synod_fault (fault, SYNOD_REFUSED, "%s", decision.why);
        break;
    default:
        synod_fault (fault, decision.code, "%s", decision.why);
    }
    synod_transaction_destroy (&transaction);
    return fault->code;
}

int publish (const synod_options_t *options, synod_handle_t *handle, const char *name, const words_t *words,
             uint64_t top, synod_fault_t *fault)
{
    const synod_lock_want_t want = {.name = name, .wait_ms = LOCK_MS};
    synod_options_t join = *options;
    synod_lock_t *lock = NULL;
    join.listen = NULL; /* that is the handle's */
    if (strlen (name) > SYNOD_LOCK_NAME_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected a name of up to %d bytes to publish by",
                            SYNOD_LOCK_NAME_MAX);
    synod_locker_t *locker = synod_locker_new (&join, NULL, fault);
    if (!locker)
        return fault->code;
    int code = synod_locker_acquire (locker, &want, &lock, fault);
    if (code == SYNOD_OK)
        code = commit (handle, name, words, top, synod_lock_token (lock, NULL), fault);
    synod_locker_release (locker, &lock, LOCK_MS);
    synod_locker_destroy (&locker);
    return code;
}
