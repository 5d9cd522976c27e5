/* SPDX-License-Identifier: MPL-2.0
 *
 * A transaction as who asks for it knows it (include/synod/txn.h): what synod_commit, for actors, and synod_handle_commit,
 * for threads, have in common.
 */
#ifndef SYNOD_VOTE_TRANSACTION_H_INCLUDED
#define SYNOD_VOTE_TRANSACTION_H_INCLUDED

#include <synod/txn.h>
#include "protocol/vote_records.h"

/* Whom to ask for what; borrows the transaction. */
typedef struct {
    char to[SYNOD_ADDRESS_MAX + 1];
    synod__txn_commit_t in;
} synod__commit_ask_t;

/* Fills OUT for an ask that waits TIMEOUT_MS. CTX draws the id, if there is none yet. The mistake, with its sentence in FAULT,
 * when there is one. */
int synod__transaction_ask (synod_transaction_t *self, synod_ctx_t *ctx, uint32_t timeout_ms, synod__commit_ask_t *out,
                            synod_fault_t *fault);

#endif
