/* SPDX-License-Identifier: MPL-2.0
 *
 * How a transaction is asked for. A repeat of its id waits with the first, or gets the first one's answer; of paxos, the
 * acceptors are those that `synod paxos init` named, asked of any actor `paxos` until one says them, and then remembered.
 */
#include <stdio.h>
#include "vote_actor_parts.h"
#include "actors/place/paxos_actor.h"
#include "actors/place/place.h"
#include "actors/runtime/place.h"
#include "protocol/address.h"
#include "protocol/paxos_records.h"
#include "protocol/text.h"

#define S_TRIES SYNOD__ACCEPTORS_MAX /* nodes that may be asked, one after another, before one that is an acceptor */

/* ---- acceptors ---- */

static int s_give_up (synod_ctx_t *ctx, synod__vote_state_t *self, const char *why)
{
    int rc = SYNOD_OK;
    synod__voting_t *next;
    for (synod__voting_t *voting = self->votings; voting && rc == SYNOD_OK; voting = next) {
        next = voting->next;
        if (voting->begun)
            continue;
        for (uint32_t i = 0; i < voting->ncalls && rc == SYNOD_OK; i++) {
            rc = synod_reply_error (ctx, voting->calls[i], SYNOD_REFUSED, "nothing was begun: %s", why);
            rc = rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
        }
        synod__voting_end (self, voting);
    }
    return rc;
}

static int s_take_acceptors (synod__vote_state_t *self, const synod_reply_t *reply, synod_fault_t *fault)
{
    synod__paxos_status_is_t status;
    synod__paxos_acceptor_t one;
    synod__acceptor_name_t names[SYNOD__ACCEPTORS_MAX] = {{{0}, {{0}}}};
    uint32_t count = 0;
    int rc = synod_record_unpack (&synod__paxos_status_is_record, reply->body, &status, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (!status.begun)
        return synod_fault (fault, SYNOD_NOT_FOUND, "%.*s knows no acceptors: make them by `synod paxos init`",
                            SYNOD_STR (reply->from));
    while (count < SYNOD__ACCEPTORS_MAX && synod_list_next (&status.acceptors, &synod__paxos_acceptor_record, &one)) {
        memcpy (names[count].name, one.node.data, one.node.size);
        if (!synod__store_id_take (one.store, &names[count++].id))
            return synod_fault (fault, SYNOD_REFUSED, "an acceptor has no store");
    }
    return synod__paxos_set_make (&self->acceptors, names, count, fault);
}

static int s_ask_acceptors (synod_ctx_t *ctx, synod__vote_state_t *self, uint64_t tries);

static int s_on_acceptors (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t tries)
{
    synod__vote_state_t *self = (synod__vote_state_t *) state;
    synod_fault_t fault = {0};
    self->asking = false;
    if (reply->code != SYNOD_OK)
        synod_fault (&fault, SYNOD_REFUSED, "no actor paxos says who accepts: %.*s", SYNOD_STR (reply->message));
    else
        s_take_acceptors (self, reply, &fault);
    if (fault.code == SYNOD_NOT_FOUND && tries < S_TRIES) /* that one is none of them; the next one asked is another */
        return s_ask_acceptors (ctx, self, tries + 1);
    if (fault.code != SYNOD_OK) {
        memset (&self->acceptors, 0, sizeof self->acceptors);
        return s_give_up (ctx, self, fault.text);
    }
    int rc = SYNOD_OK;
    synod__voting_t *next;
    for (synod__voting_t *voting = self->votings; voting && rc == SYNOD_OK; voting = next) {
        next = voting->next;
        if (voting->begun)
            continue;
        voting->txn.tx.acceptors = self->acceptors;
        rc = synod__voting_begin (ctx, self, voting);
    }
    return rc;
}

static int s_ask_acceptors (synod_ctx_t *ctx, synod__vote_state_t *self, uint64_t tries)
{
    synod__paxos_status_t in = {0};
    if (self->asking)
        return SYNOD_OK;
    self->asking = true;
    return synod_ask (ctx, SYNOD__PAXOS_ACTOR, &synod__paxos_status_record, &in, 3000, s_on_acceptors, tries);
}

/* ---- asks ---- */

/* Who asked first, and most likely has stopped waiting, makes room: a client that asks again and again is heard. */
static int s_attach (synod_ctx_t *ctx, synod__voting_t *voting, synod_call_t call)
{
    int rc = SYNOD_OK;
    if (!call.id)
        return SYNOD_OK;
    if (voting->ncalls == SYNOD__VOTE_CALLS_MAX) {
        rc = synod_reply_error (ctx, voting->calls[0], SYNOD_TIMEOUT, "%d have asked for transaction %s since",
                                SYNOD__VOTE_CALLS_MAX, voting->txn.id.id);
        voting->ncalls--;
        memmove (voting->calls, voting->calls + 1, voting->ncalls * sizeof voting->calls[0]);
    }
    voting->calls[voting->ncalls++] = call;
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

static int s_check (synod_ctx_t *ctx, const synod__txn_commit_t *in, synod__vote_protocol_t *protocol)
{
    if (!synod__name_ok (in->id, false))
        return synod_error (ctx, SYNOD_INVALID, "expected a name as a transaction's id, got \"%.*s\"",
                            SYNOD_STR (in->id));
    if (!synod_str_same (synod_key (ctx), in->id))
        return synod_error (ctx, SYNOD_INVALID, "transaction %.*s is to be asked of vote#%.*s, not of vote#%.*s",
                            SYNOD_STR (in->id), SYNOD_STR (in->id), SYNOD_STR (synod_key (ctx)));
    *protocol = in->protocol.size ? synod__vote_protocol (in->protocol) : SYNOD__VOTE_2PC;
    if (!*protocol)
        return synod_error (ctx, SYNOD_INVALID, "expected the protocol " SYNOD__VOTE_PROTOCOL_NAMES ", got \"%.*s\"",
                            SYNOD_STR (in->protocol));
    if (in->parts.count < 1 || in->parts.count > SYNOD__PARTIES_MAX)
        return synod_error (ctx, SYNOD_TOO_LARGE, "a transaction has 1 to %d participants, this one has %u",
                            SYNOD__PARTIES_MAX, in->parts.count);
    return SYNOD_OK;
}

/* Who takes part, and what they are to do. */
static int s_take_parts (synod_ctx_t *ctx, const synod__txn_commit_t *in, synod__txn_t *txn, synod_buf_t *ops,
                         synod_str_t op[SYNOD__PARTIES_MAX])
{
    synod_list_t list = in->parts;
    synod__txn_part_t part;
    synod_fault_t fault = {0};
    size_t at[SYNOD__PARTIES_MAX] = {0};
    while (synod_list_next (&list, &synod__txn_part_record, &part)) {
        int rc = synod__txn_address (part.to, &fault);
        if (rc != SYNOD_OK)
            return synod_error (ctx, SYNOD_INVALID, "%s", fault.text);
        for (uint32_t i = 0; i < txn->tx.parties; i++)
            if (synod_str_is (part.to, txn->addresses[i]))
                return synod_error (ctx, SYNOD_INVALID, "expected each participant once, got %.*s twice",
                                    SYNOD_STR (part.to));
        uint32_t index = txn->tx.parties++;
        txn->addresses[index] = strndup (part.to.data, part.to.size);
        at[index] = ops->size;
        op[index].size = part.op.size;
        if (!txn->addresses[index] || (part.op.size && synod__buf_add (ops, part.op.data, part.op.size) != SYNOD_OK))
            return SYNOD_NO_MEMORY;
    }
    for (uint32_t i = 0; i < txn->tx.parties; i++)
        op[i].data = op[i].size ? ops->data + at[i] : NULL;
    return SYNOD_OK;
}

static int s_make (synod_ctx_t *ctx, synod__vote_state_t *self, const synod__txn_commit_t *in,
                   synod__vote_protocol_t protocol, synod_call_t call)
{
    synod__txn_t txn = {.addresses = {0}};
    synod_buf_t ops = {0};
    synod_str_t op[SYNOD__PARTIES_MAX] = {{0}};
    int rc = s_take_parts (ctx, in, &txn, &ops, op);
    if (rc == SYNOD_OK)
        rc = synod__vote_number (ctx, self, &txn.id.number);
    if (rc != SYNOD_OK) {
        synod__txn_free (&txn);
        synod_buf_free (&ops);
        return rc;
    }
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    memcpy (txn.id.id, in->id.data, in->id.size);
    txn.id.epoch = epoch ? epoch->number : 0;
    txn.id.home = ctx->instance->partition ? ctx->instance->partition->index : 0;
    txn.tx.protocol = protocol;
    synod__voting_t *voting = synod__voting_new (self, &txn);
    voting->since = (uint64_t) (synod_wall_us (ctx) / 1000000);
    voting->ops = ops;
    memcpy (voting->op, op, sizeof op);
    uint64_t deadline_ms = in->deadline_ms ? in->deadline_ms : SYNOD__VOTE_DEADLINE_MS;
    voting->until_us = synod_now_us (ctx) + (int64_t) deadline_ms * 1000;
    rc = s_attach (ctx, voting, call);
    if (rc != SYNOD_OK)
        return rc;
    if (protocol == SYNOD__VOTE_PAXOS && !self->acceptors.count)
        return s_ask_acceptors (ctx, self, 1);
    if (protocol == SYNOD__VOTE_PAXOS)
        voting->txn.tx.acceptors = self->acceptors;
    return synod__voting_begin (ctx, self, voting);
}

int synod__vote_on_commit (synod_ctx_t *ctx, void *state, const synod__txn_commit_t *in, synod_call_t call)
{
    synod__vote_state_t *self = (synod__vote_state_t *) state;
    synod__vote_protocol_t protocol = SYNOD__VOTE_2PC;
    synod__vote_kept_t kept;
    int rc = s_check (ctx, in, &protocol);
    if (rc != SYNOD_OK)
        return rc;
    synod__voting_t *voting = synod__voting_find (self, in->id);
    rc = synod__vote_get (ctx, in->id, &kept);
    synod__outcome_t outcome = rc == SYNOD_OK ? synod__outcome (kept.outcome) : SYNOD__OUTCOME_NONE;
    if (rc == SYNOD_OK && outcome != SYNOD__OUTCOME_NONE)
        return call.id ? synod__vote_answer (ctx, call, in->id, outcome, &kept.reasons, true) : SYNOD_OK;
    if (rc != SYNOD_OK && rc != SYNOD_NOT_FOUND)
        return rc;
    if (voting && voting->core.record.outcome == SYNOD__OUTCOME_COMMITTED) /* parallel writes that when it has ended */
        return call.id ? synod__vote_answer (ctx, call, in->id, SYNOD__OUTCOME_COMMITTED, &(synod_list_t){0}, true)
                       : SYNOD_OK;
    if (voting)
        return s_attach (ctx, voting, call);
    if (self->count >= SYNOD__VOTE_OPEN_MAX)
        return synod_error (ctx, SYNOD_BUSY, "%d transactions are under way in this partition", SYNOD__VOTE_OPEN_MAX);
    return s_make (ctx, self, in, protocol, call);
}
