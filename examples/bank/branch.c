/* SPDX-License-Identifier: MPL-2.0
 *
 * A branch of the bank: a placed actor that takes part in transactions. In its partition's store, of each branch:
 *
 *   KEY NUL          its head
 *   KEY NUL NUMBER   an account: what is in it, and which transaction has it locked
 *
 * A yes is a promise: it locks the accounts that are to change, so that nothing can make the change impossible, and an
 * audit's locks the branch. The outcome unlocks, and does it.
 *
 *     synod run ./libbank.so kv vote --alone --data d
 */
#include "bank.h"
#include <stdio.h>

#define CLOSED_US 300000 /* nobody moves money for so long after an auditor came: else there would always be somebody */

typedef struct {
    int64_t closed_us; /* until then: of all branches of this partition, which is more than need be */
} partition_t;

typedef struct {
    uint64_t version, changes, locked, accounts;
    char auditor[SYNOD_TRANSACTION_ID_MAX + 1]; /* the transaction that has it locked; empty: none */
} head_t;

typedef struct {
    int64_t balance;
    char lock[SYNOD_TRANSACTION_ID_MAX + 1];
} account_t;

/* ---- the store ---- */

static synod_str_t account_key (synod_str_t branch, int number, char room[SYNOD_KEY_MAX + 12])
{
    return synod_str_n (room,
                        (size_t) snprintf (room, SYNOD_KEY_MAX + 12, "%.*s%c%05d", SYNOD_STR (branch), 0, number));
}

static synod_str_t head_key (synod_str_t branch, char room[SYNOD_KEY_MAX + 12])
{
    return synod_str_n (room, (size_t) snprintf (room, SYNOD_KEY_MAX + 12, "%.*s%c", SYNOD_STR (branch), 0));
}

/* OUT as it is in the store, or zeroed. */
static void load (synod_ctx_t *ctx, synod_str_t key, void *out, size_t size)
{
    synod_str_t value;
    memset (out, 0, size);
    if (synod_get (ctx, key, &value) == SYNOD_OK && value.size == size)
        memcpy (out, value.data, size);
}

static head_t head_of (synod_ctx_t *ctx, synod_str_t branch)
{
    char room[SYNOD_KEY_MAX + 12];
    head_t head;
    load (ctx, head_key (branch, room), &head, sizeof head);
    return head;
}

static int put_head (synod_ctx_t *ctx, synod_str_t branch, const head_t *head)
{
    char room[SYNOD_KEY_MAX + 12];
    return synod_put (ctx, head_key (branch, room), synod_str_n (head, sizeof *head));
}

static account_t account_of (synod_ctx_t *ctx, synod_str_t branch, uint64_t number)
{
    char room[SYNOD_KEY_MAX + 12];
    account_t account;
    load (ctx, account_key (branch, (int) number, room), &account, sizeof account);
    return account;
}

static int put_account (synod_ctx_t *ctx, synod_str_t branch, uint64_t number, const account_t *account)
{
    char room[SYNOD_KEY_MAX + 12];
    return synod_put (ctx, account_key (branch, (int) number, room), synod_str_n (account, sizeof *account));
}

/* ---- a transaction ---- */

static int prepare_audit (synod_ctx_t *ctx, const synod_txn_t *txn, const work_t *work, head_t *head)
{
    if (head->locked)
        return synod_error (ctx, SYNOD_BUSY, "%d accounts await an outcome", (int) head->locked);
    if (head->version != work->version)
        return synod_error (ctx, SYNOD_REFUSED, "it has changed since");
    memcpy (head->auditor, txn->id.data, txn->id.size);
    return put_head (ctx, txn->key, head);
}

static int prepare_change (synod_ctx_t *ctx, const synod_txn_t *txn, const change_t *change)
{
    account_t account = account_of (ctx, txn->key, change->account);
    if (*account.lock)
        return synod_error (ctx, SYNOD_BUSY, "account %d awaits the outcome of %s", (int) change->account,
                            account.lock);
    if (account.balance + change->amount < 0)
        return synod_error (ctx, SYNOD_REFUSED, "account %d has %lld only", (int) change->account,
                            (long long) account.balance);
    memcpy (account.lock, txn->id.data, txn->id.size);
#ifdef BANK_BUG
    account.balance += change->amount < 0 ? change->amount : 0; /* takes it at once, and never gives it back */
#endif
    return put_account (ctx, txn->key, change->account, &account);
}

static int prepare (synod_ctx_t *ctx, void *state, const synod_txn_t *txn, bool *empty)
{
    partition_t *self = state;
    head_t head = head_of (ctx, txn->key);
    work_t work = {0};
    change_t change;
    synod_fault_t fault = {0};
    int rc = txn->op.data ? synod_record_unpack (&work_record, txn->op, &work, &fault) : SYNOD_OK;
    *empty = false;
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s", fault.text);
    if (!head.accounts)
        return synod_error (ctx, SYNOD_REFUSED, "the branch is not opened");
    if (*head.auditor)
        return synod_error (ctx, SYNOD_BUSY, "an auditor is at the books");
    if (work.audit) {
        self->closed_us = synod_now_us (ctx) + CLOSED_US; /* also when it is refused: the next time it will not be */
        return prepare_audit (ctx, txn, &work, &head);
    }
    if (synod_now_us (ctx) < self->closed_us)
        return synod_error (ctx, SYNOD_BUSY, "it is closed: an auditor waits");
    head.locked += work.changes.count;
    while (rc == SYNOD_OK && synod_list_next (&work.changes, &change_record, &change))
        rc = prepare_change (ctx, txn, &change);
    return rc == SYNOD_OK ? put_head (ctx, txn->key, &head) : rc;
}

/* The outcome of what was locked. */
static int settle (synod_ctx_t *ctx, partition_t *self, const synod_txn_t *txn, bool commits)
{
    head_t head = head_of (ctx, txn->key);
    work_t work = {0};
    change_t change;
    int rc = txn->op.data ? synod_record_unpack (&work_record, txn->op, &work, NULL) : SYNOD_OK;
    if (work.audit && commits)
        self->closed_us = 0;
    if (work.audit)
        head.auditor[0] = 0;
    head.locked -= work.changes.count;
    head.version += commits && !work.audit;
    head.changes += commits ? work.changes.count : 0;
    while (rc == SYNOD_OK && synod_list_next (&work.changes, &change_record, &change)) {
        account_t account = account_of (ctx, txn->key, change.account);
        if (!synod_str_is (txn->id, account.lock))
            return synod_error (ctx, SYNOD_FAILED, "the outcome of %.*s, which has not locked account %d",
                                SYNOD_STR (txn->id), (int) change.account);
        account.lock[0] = 0;
#ifdef BANK_BUG
        change.amount = change.amount < 0 ? 0 : change.amount;
#endif
        account.balance += commits ? change.amount : 0;
        rc = put_account (ctx, txn->key, change.account, &account);
    }
    return rc == SYNOD_OK ? put_head (ctx, txn->key, &head) : rc;
}

static int commit (synod_ctx_t *ctx, void *state, const synod_txn_t *txn)
{
    return settle (ctx, state, txn, true);
}

static int roll_back (synod_ctx_t *ctx, void *state, const synod_txn_t *txn)
{
    return settle (ctx, state, txn, false);
}

/* ---- asks ---- */

static int on_look (synod_ctx_t *ctx, void *state, const look_t *in, synod_call_t call)
{
    synod_str_t branch = synod_key (ctx);
    head_t head = head_of (ctx, branch);
    books_t books = {
        .accounts = head.accounts, .changes = head.changes, .locked = head.locked, .version = head.version};
    (void) state;
    (void) in;
    for (uint64_t i = 0; i < head.accounts; i++)
        books.sum += account_of (ctx, branch, i).balance;
    return synod_reply (ctx, call, &books_record, &books);
}

static int on_open (synod_ctx_t *ctx, void *state, const open_branch_t *in, synod_call_t call)
{
    synod_str_t branch = synod_key (ctx);
    head_t head = head_of (ctx, branch);
    const account_t account = {.balance = START};
    int rc = SYNOD_OK;
    (void) in;
    for (; head.accounts < ACCOUNTS && rc == SYNOD_OK; head.accounts++)
        rc = put_account (ctx, branch, head.accounts, &account);
    if (rc == SYNOD_OK)
        rc = put_head (ctx, branch, &head);
    return rc == SYNOD_OK ? on_look (ctx, state, NULL, call) : rc;
}

static const synod_actor_t branch = {
    .name = "branch",
    .doc = "accounts, between which transactions move money",
    .state_size = sizeof (partition_t),
    .routes = (const synod_route_t[]){SYNOD_ON (open_branch, on_open), SYNOD_ON (look, on_look), SYNOD_END},
    .placement = SYNOD_SHARDED,
    .prepare = prepare,
    .commit = commit,
    .abort = roll_back,
};

SYNOD_MODULE (&branch)
