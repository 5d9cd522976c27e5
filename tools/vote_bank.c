/* SPDX-License-Identifier: MPL-2.0
 *
 * Accounts, for the scenario `vote`. In the store of a partition, of each account:
 *
 *   b KEY          what it holds; BANK_START when there is nothing
 *   l KEY          the transaction that has it locked, from its yes to its outcome
 *   h KEY NUL ID   how often that transaction was committed
 */
#include "vote_bank.h"

SYNOD_RECORD_DEFINE (bank_move, BANK_MOVE_FIELDS, 0, "what a transaction is to do with an account")
SYNOD_RECORD_DEFINE (bank_look, BANK_LOOK_FIELDS, SYNOD_IDEMPOTENT, "how is the account?")
SYNOD_RECORD_DEFINE (bank_done, BANK_DONE_FIELDS, 0, "a transaction, in a list")
SYNOD_RECORD_DEFINE (bank_account, BANK_ACCOUNT_FIELDS, 0, "how it is")

#define KEY_MAX 200

static synod_str_t key_of (char what, synod_str_t key, char room[KEY_MAX])
{
    room[0] = what;
    if (key.size) /* one that is not placed has a single account */
        memcpy (room + 1, key.data, key.size);
    return synod_str_n (room, key.size + 1);
}

static synod_str_t done_key (synod_str_t key, synod_str_t id, char room[KEY_MAX])
{
    synod_str_t out = key_of ('h', key, room);
    room[out.size++] = 0;
    if (id.size)
        memcpy (room + out.size, id.data, id.size);
    return synod_str_n (room, out.size + id.size);
}

static int64_t get_number (synod_ctx_t *ctx, synod_str_t key, int64_t none)
{
    synod_str_t value;
    if (synod_get (ctx, key, &value) == SYNOD_OK)
        memcpy (&none, value.data, sizeof none);
    return none;
}

static int put_number (synod_ctx_t *ctx, synod_str_t key, int64_t number)
{
    return synod_put (ctx, key, synod_str_n (&number, sizeof number));
}

static int prepare (synod_ctx_t *ctx, void *state, const synod_txn_t *txn, bool *empty)
{
    bank_move_t move = {0};
    synod_fault_t fault = {0};
    synod_str_t locked;
    char room[KEY_MAX];
    (void) state;
    if (txn->op.data && synod_record_unpack (&bank_move_record, txn->op, &move, &fault) != SYNOD_OK)
        return synod_error (ctx, SYNOD_BAD_REQUEST, "%s", fault.text);
    if (synod_get (ctx, key_of ('l', txn->key, room), &locked) == SYNOD_OK)
        return synod_error (ctx, SYNOD_BUSY, "%.*s is locked by %.*s", SYNOD_STR (txn->key), SYNOD_STR (locked));
    int64_t balance = get_number (ctx, key_of ('b', txn->key, room), BANK_START);
    if (move.expects && balance != move.expected)
        return synod_error (ctx, SYNOD_REFUSED, "%.*s holds %lld", SYNOD_STR (txn->key), (long long) balance);
    if (balance + move.amount < 0)
        return synod_error (ctx, SYNOD_REFUSED, "%.*s holds %lld only", SYNOD_STR (txn->key), (long long) balance);
    *empty = !move.expects && !move.amount;
    return synod_put (ctx, key_of ('l', txn->key, room), txn->id);
}

/* What it voted yes on is what it has locked. */
static int unlock (synod_ctx_t *ctx, const synod_txn_t *txn)
{
    char room[KEY_MAX];
    synod_str_t locked, key = key_of ('l', txn->key, room);
    if (synod_get (ctx, key, &locked) != SYNOD_OK || !synod_str_same (locked, txn->id))
        return synod_error (ctx, SYNOD_FAILED, "the outcome of %.*s, which has not locked %.*s", SYNOD_STR (txn->id),
                            SYNOD_STR (txn->key));
    return synod_delete (ctx, key);
}

static int commit (synod_ctx_t *ctx, void *state, const synod_txn_t *txn)
{
    bank_move_t move = {0};
    char room[KEY_MAX];
    (void) state;
    int rc = unlock (ctx, txn);
    if (rc == SYNOD_OK && txn->op.data)
        rc = synod_record_unpack (&bank_move_record, txn->op, &move, NULL);
    if (rc == SYNOD_OK)
        rc = put_number (ctx, done_key (txn->key, txn->id, room),
                         1 + get_number (ctx, done_key (txn->key, txn->id, room), 0));
    if (rc != SYNOD_OK)
        return rc;
    int64_t balance = get_number (ctx, key_of ('b', txn->key, room), BANK_START) + move.amount;
    return put_number (ctx, key_of ('b', txn->key, room), balance);
}

static int rollback (synod_ctx_t *ctx, void *state, const synod_txn_t *txn)
{
    (void) state;
    return unlock (ctx, txn);
}

/* ---- looking ---- */

typedef struct {
    synod_list_t list;
    synod_buf_t items;
    uint32_t skip; /* bytes of a key before the id */
} gather_t;

static bool gather (void *arg, synod_str_t key, synod_str_t value)
{
    gather_t *self = (gather_t *) arg;
    int64_t times;
    memcpy (&times, value.data, sizeof times);
    bank_done_t done = {.id = synod_str_n (key.data + self->skip, key.size - self->skip), .times = (uint64_t) times};
    return synod_list_add (&self->list, &self->items, &bank_done_record, &done, NULL) == SYNOD_OK;
}

static int on_look (synod_ctx_t *ctx, void *state, const bank_look_t *in, synod_call_t call)
{
    char from[KEY_MAX], until[KEY_MAX], room[KEY_MAX];
    synod_str_t key = synod_key (ctx), locked = {0};
    gather_t found = {.skip = key.size + 2};
    (void) state;
    (void) in;
    synod_str_t first = done_key (key, synod_str (""), from), last = done_key (key, synod_str (""), until);
    until[last.size - 1] = 1;
    int rc = synod_scan (ctx, first, last, gather, &found);
    bank_account_t out = {.balance = get_number (ctx, key_of ('b', key, room), BANK_START), .done = found.list};
    if (rc == SYNOD_OK && synod_get (ctx, key_of ('l', key, room), &locked) == SYNOD_OK)
        out.locked = locked;
    rc = rc == SYNOD_OK ? synod_reply (ctx, call, &bank_account_record, &out) : rc;
    synod_buf_free (&found.items);
    return rc;
}

const synod_actor_t bank_actor = {
    .name = BANK_ACTOR,
    .doc = "accounts, between which transactions move money",
    .routes = (const synod_route_t[]){SYNOD_ON (bank_look, on_look), SYNOD_END},
    .placement = SYNOD_SHARDED,
    .prepare = prepare,
    .commit = commit,
    .abort = rollback,
};
