/* SPDX-License-Identifier: MPL-2.0
 *
 * A module for the tests of `synod txn`: an actor that is not placed, and takes part in every transaction.
 */
#include <synod/synod.h>

static int prepare (synod_ctx_t *ctx, void *state, const synod_txn_t *txn, bool *empty)
{
    (void) state;
    (void) empty;
    return synod_put (ctx, synod_str ("last"), txn->id);
}

static const synod_actor_t till = {.name = "till", .doc = "says yes", .prepare = prepare};

SYNOD_MODULE (&till);
