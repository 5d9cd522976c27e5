/* SPDX-License-Identifier: MPL-2.0
 *
 * Transactions for threads: the commit of actors/vote/transaction.c asked by a handle. Invariant: an outcome is what the
 * coordinator said; whatever else the ask came to is in doubt, unless it is sure that nothing was begun.
 */
#include "handle_internal.h"
#include "actors/vote/transaction.h"

#define S_PAUSE_MS 20 /* before it is asked again, when the ask failed at once */

/* The ask of a commit that may take TIMEOUT_MS. */
static int s_prepare (synod_handle_t *self, synod_transaction_t *transaction, uint32_t timeout_ms,
                      synod__commit_ask_t *ask)
{
    synod_fault_t fault = {0};
    synod__handle_begin (self);
    synod_ctx_t *ctx = synod__handle_enter (self);
    if (!ctx) {
        synod__handle_end (self);
        return synod__handle_fail (self, SYNOD_STOPPED, "handle %s has left the bus", synod_handle_name (self));
    }
    int rc = synod__transaction_ask (transaction, ctx, timeout_ms, ask, &fault);
    synod__handle_leave (self, ctx, SYNOD_OK);
    return rc == SYNOD_OK ? rc : synod__handle_fail (self, rc, "%s", fault.text);
}

/* Asks until it is decided, it is sure that nothing was begun, or UNTIL_US. */
static synod_txn_outcome_t s_commit (synod_handle_t *self, const synod__commit_ask_t *ask, int64_t until_us,
                                     synod_decision_t *out)
{
    bool doubt = false; /* an ask before this one may have begun it */
    for (;;) {
        synod_reply_t reply = {0};
        int64_t now_us = synod__now_us (), left_ms = until_us == INT64_MAX ? -1 : (until_us - now_us) / 1000;
        left_ms = left_ms < -1 ? 0 : left_ms > INT32_MAX ? INT32_MAX : left_ms;
        reply.code = synod_handle_ask (self, ask->to, &synod__txn_commit_record, &ask->in, (int) left_ms, &reply);
        synod_decision_of (&reply, out);
        doubt = doubt || out->outcome == SYNOD_IN_DOUBT;
        bool open = out->outcome == SYNOD_IN_DOUBT || (doubt && out->outcome == SYNOD_NOT_BEGUN);
        bool ended = synod__rt_state (self->rt) == SYNOD__RT_ENDED;
        now_us = synod__now_us ();
        if (!open || ended || now_us + S_PAUSE_MS * 1000 >= until_us) {
            if (open)
                out->outcome = SYNOD_IN_DOUBT;
            return out->outcome;
        }
        for (int64_t then_us = now_us + S_PAUSE_MS * 1000; now_us < then_us && !ended; now_us = synod__now_us ())
            ended = synod_handle_poll (self, (int) ((then_us - now_us) / 1000 + 1)) == SYNOD_STOPPED;
    }
}

synod_txn_outcome_t synod_handle_commit (synod_handle_t *self, synod_transaction_t *transaction, int timeout_ms,
                                         synod_decision_t *decision)
{
    synod__commit_ask_t ask;
    synod_decision_t ignored;
    decision = decision ? decision : &ignored;
    *decision = (synod_decision_t){.outcome = SYNOD_NOT_BEGUN, .code = SYNOD_INVALID};
    if (!self) {
        snprintf (decision->why, sizeof decision->why, "expected a handle, got NULL");
        return SYNOD_NOT_BEGUN;
    }
    /* who waits for ever says no deadline by that: the coordinator has one */
    uint32_t deadline_of_ms = timeout_ms < 0 ? SYNOD_ASK_MS : (uint32_t) timeout_ms;
    int rc = s_prepare (self, transaction, deadline_of_ms, &ask);
    if (rc != SYNOD_OK) {
        decision->code = rc;
        snprintf (decision->why, sizeof decision->why, "%s", synod_handle_error (self));
        return SYNOD_NOT_BEGUN;
    }
    int64_t until_us = timeout_ms < 0 ? INT64_MAX : synod__now_us () + (int64_t) timeout_ms * 1000;
    return s_commit (self, &ask, until_us, decision);
}

int synod_handle_commit_start (synod_handle_t *self, synod_transaction_t *transaction, uint32_t timeout_ms,
                               uint64_t *id)
{
    synod__commit_ask_t ask;
    if (!self)
        return SYNOD_INVALID;
    timeout_ms = timeout_ms ? timeout_ms : SYNOD_ASK_MS;
    int rc = s_prepare (self, transaction, timeout_ms, &ask);
    return rc == SYNOD_OK ? synod_handle_ask_start (self, ask.to, &synod__txn_commit_record, &ask.in, timeout_ms, id)
                          : rc;
}
