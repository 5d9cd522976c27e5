/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `kv` as a participant (docs/votes.md): a key with an operation. What it needs for the outcome is the key's lock,
 * in its store, and the operation, which the framework keeps with the vote.
 */
#include "actor_parts.h"

/* False with an error: it is none. */
static int s_op (synod_ctx_t *ctx, const synod_txn_t *txn, synod__kv_op_t *op)
{
    synod_fault_t fault = {0};
    int rc = synod_record_unpack (&synod__kv_op_record, txn->op, op, &fault);
    return rc == SYNOD_OK ? rc : synod_error (ctx, rc, "%s", fault.text);
}

int synod__kv_actor_prepare (synod_ctx_t *ctx, void *state, const synod_txn_t *txn, bool *empty)
{
    synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;
    synod__kv_op_t op;
    synod__kv_step_t step;
    *empty = !txn->op.data;
    if (*empty)
        return SYNOD_OK;
    int rc = s_op (ctx, txn, &op);
    if (rc != SYNOD_OK)
        return rc;
    /* who has waited goes first, else the next transaction might always be there before */
    if (synod__kv_awaited (self, txn->key))
        return synod_error (ctx, SYNOD_BUSY, "others wait for it since before");
    self->locks = SYNOD__KV_LOCKS_UNKNOWN;
    synod__kv_actor_begin (ctx, self, &step);
    rc = synod__kv_actor_end (ctx, self, &step, synod__kv_prepare (&step, txn->key, &op, txn->id));
    *empty = SYNOD__KV_MUTANT (READ_UNLOCKED) && rc == SYNOD_OK && synod_str_is (op.what, "check");
    return rc;
}

static int s_outcome (synod_ctx_t *ctx, synod__kv_actor_state_t *self, synod__kv_step_t *step, int rc)
{
    rc = synod__kv_actor_end (ctx, self, step, rc);
    self->locks = SYNOD__KV_LOCKS_UNKNOWN;
    return rc == SYNOD_OK ? synod__kv_resume (ctx, self) : rc;
}

int synod__kv_actor_commit (synod_ctx_t *ctx, void *state, const synod_txn_t *txn)
{
    synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;
    synod__kv_op_t op;
    synod__kv_step_t step;
    int rc = s_op (ctx, txn, &op);
    if (rc != SYNOD_OK)
        return rc;
    synod__kv_actor_begin (ctx, self, &step);
    return s_outcome (ctx, self, &step, synod__kv_commit (&step, txn->key, &op, txn->id));
}

int synod__kv_actor_abort (synod_ctx_t *ctx, void *state, const synod_txn_t *txn)
{
    synod__kv_actor_state_t *self = (synod__kv_actor_state_t *) state;
    synod__kv_step_t step;
    synod__kv_actor_begin (ctx, self, &step);
    return s_outcome (ctx, self, &step, synod__kv_abort (&step, txn->key, txn->id));
}
