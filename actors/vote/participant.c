/* SPDX-License-Identifier: MPL-2.0
 *
 * The participant: what the runtime does for an actor that has `prepare`, `commit` and `abort` (synod/actor.h). Votes and
 * outcomes are in an area of the actor's store that it does not see, written in the batch of what its handlers write; so
 * they are durable, and of a placed actor on a majority, before they are said, and go where the partition goes. In it:
 *
 *   "p" HOME NUMBER EPOCH INDEX ID   what it has of a transaction as its participant INDEX (s_held)
 *   "l" HOME                         all transactions of that coordinator below this number have ended, and are forgotten
 *
 * Numbers are big end first: four bytes, eight, eight, one. An outcome is kept until the coordinator says that all below
 * some number have ended, so that what comes late finds it.
 *
 * Invariants: what is in memory and what is stored are the same, else memory is built anew; a handler of the actor runs
 * once for each outcome.
 */
#include <stdio.h>
#include <stdlib.h>
#include "participant_parts.h"
#include "actors/runtime/place.h"

SYNOD_RECORD_DEFINE (synod__party_held, SYNOD__PARTY_HELD_FIELDS, 0, "what a participant has of a transaction")

/* ---- the store ---- */

uint32_t synod__party_key (const synod__txn_id_t *id, uint32_t index, char room[SYNOD__PARTY_KEY_MAX])
{
    char *at = room;
    *at++ = 'p';
    at = synod__party_number (
        synod__party_number (synod__party_number (synod__party_number (at, id->home, 4), id->number, 8), id->epoch, 8),
        index, 1);
    size_t size = strlen (id->id);
    memcpy (at, id->id, size);
    return (uint32_t) (at + size - room);
}

static int s_get (synod_ctx_t *ctx, synod_str_t key, synod_str_t *value)
{
    return synod__store_get (ctx->instance->store, SYNOD__AREA_TXNS, key, value);
}

static int s_store (synod_ctx_t *ctx, const synod__party_entry_t *entry)
{
    const synod__party_record_t *record = &entry->core.record;
    synod_buf_t description = {0}, packed = {0};
    synod__party_held_t held = {
        .state = synod_str (synod__party_state_name (record->state)), .forced = record->forced, .round = record->round};
    int rc = SYNOD_OK;
    held.since = entry->since;
    held.contradicts = entry->contradicts;
    if (synod__party_waits (&entry->core) || record->forced) {
        rc = synod__txn_pack (&entry->txn, &description);
        held.txn = synod_str_n (description.data, description.size);
        held.op = synod_str_n (entry->op.size ? entry->op.data : NULL, entry->op.size);
    }
    if (rc == SYNOD_OK)
        rc = synod_record_pack (&synod__party_held_record, &held, &packed, NULL);
    if (rc == SYNOD_OK)
        rc = synod__store_put (ctx->instance->store, SYNOD__AREA_TXNS, synod_str_n (entry->key, entry->key_size),
                               synod_str_n (packed.data, packed.size));
    synod_buf_free (&description);
    synod_buf_free (&packed);
    return rc;
}

/* ---- memory ---- */

void synod__party_drop (synod__parties_t *self, synod__party_entry_t *entry)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference): what was freed is unlinked */
    HASH_DEL (self->entries, entry);
    synod__party_free (&entry->core);
    synod__txn_free (&entry->txn);
    synod_buf_free (&entry->op);
    free (entry);
}

void synod__party_forget (synod__instance_t *instance)
{
    synod__parties_t *self = instance->parties;
    if (!self)
        return;
    synod__party_entry_t *entry, *next;
    HASH_ITER (hh, self->entries, entry, next)
    {
        synod__party_drop (self, entry);
    }
    free (self);
    instance->parties = NULL;
}

/* Whether the transaction names this owner: it has been one since before it was begun. */
static bool s_named (const synod_ctx_t *ctx, const synod__txn_t *txn)
{
    const synod__partition_t *partition = ctx->instance->partition;
    return !partition || partition->replica.epoch <= txn->id.epoch;
}

/* Takes TXN and OP. */
static synod__party_entry_t *s_add (synod_ctx_t *ctx, synod_str_t key, synod__txn_t *txn, uint32_t index,
                                    const synod__party_record_t *record, synod_str_t op)
{
    synod__parties_t *self = ctx->instance->parties;
    synod__party_entry_t *entry = (synod__party_entry_t *) synod__alloc (sizeof *entry);
    memcpy (entry->key, key.data, key.size);
    entry->key_size = key.size;
    entry->serial = ++self->serial;
    entry->undone = ctx->instance->undone;
    entry->since = (uint64_t) (synod_wall_us (ctx) / 1000000);
    entry->txn = *txn;
    memset (txn, 0, sizeof *txn);
    if (op.size && synod__buf_add (&entry->op, op.data, op.size) != SYNOD_OK)
        abort ();
    synod__paxos_self_t who = synod__txn_self (ctx, SYNOD__ROLE_PARTY, index);
    synod__party_begin (&entry->core, &entry->txn.tx, index, record, &who, s_named (ctx, &entry->txn));
    HASH_ADD (hh, self->entries, key, entry->key_size, entry);
    return entry;
}

/* From what is stored. DESCRIPTION: of the message, for one that is decided, which keeps none. NULL with an error. */
synod__party_entry_t *synod__party_load (synod_ctx_t *ctx, synod_str_t key, synod_str_t value,
                                         const synod__txn_txn_t *description, uint32_t index)
{
    synod__party_held_t held;
    synod__txn_txn_t packed;
    synod__txn_t txn = {{{0}, 0, 0, 0}, {SYNOD__VOTE_2PC, 0, {0, 0, {{{0}, {{0}}}}}}, {0}};
    synod_fault_t fault = {0};
    int rc = synod_record_unpack (&synod__party_held_record, value, &held, &fault);
    if (rc == SYNOD_OK && held.txn.size) {
        rc = synod_record_unpack (&synod__txn_txn_record, held.txn, &packed, &fault);
        description = &packed;
    }
    if (rc == SYNOD_OK)
        rc = synod__txn_take (&txn, description, &fault);
    if (rc == SYNOD_OK && index >= txn.tx.parties)
        rc = synod_fault (&fault, SYNOD_BAD_REQUEST, "the transaction has no participant %u", index);
    if (rc != SYNOD_OK) {
        synod__txn_free (&txn);
        synod_error (ctx, rc, "%s", fault.text);
        return NULL;
    }
    synod__party_record_t record = {synod__party_state (held.state), held.forced, held.round};
    synod__party_entry_t *entry = s_add (ctx, key, &txn, index, &record, held.op);
    entry->since = held.since;
    entry->contradicts = held.contradicts;
    return entry;
}

/* ---- carrying steps out ---- */

static int s_on_timer (synod_ctx_t *ctx, void *state, uint64_t arg);

static int s_apply (synod_ctx_t *ctx, void *state, const synod__party_entry_t *entry, synod__outcome_t outcome)
{
    const synod_actor_t *type = ctx->instance->type;
    synod_outcome_handler_t *handler = outcome == SYNOD__OUTCOME_COMMITTED ? type->commit : type->abort;
    const char *address = entry->txn.addresses[entry->core.index], *hash = strchr (address, '#');
    synod_txn_t txn = {.id = synod_str (entry->txn.id.id),
                       .key = synod_str (hash ? hash + 1 : NULL),
                       .op = synod_str_n (entry->op.size ? entry->op.data : NULL, entry->op.size)};
    return handler ? handler (ctx, state, &txn) : SYNOD_OK;
}

/* A mistake that makes a write lazy: here, where lazy ones are committed as the others are, it is left out. */
static bool s_forgets (const synod__party_entry_t *entry, const synod__vote_step_t *step)
{
    return step->write == SYNOD__WRITE_LAZY &&
           ((SYNOD__VOTE_MUTANT (VOTE_NOT_WRITTEN) && entry->core.record.state == SYNOD__PARTY_PREPARED) ||
            (SYNOD__VOTE_MUTANT (ACK_NOT_FORCED) && entry->core.record.state == SYNOD__PARTY_COMMITTED));
}

/* WAS: whether it had voted yes, so that its actor has something to do about the outcome. */
int synod__party_carry (synod_ctx_t *ctx, void *state, synod__party_entry_t *entry, const synod__vote_step_t *step,
                        bool was, const char *reason)
{
    int rc = step->code == SYNOD_OK ? SYNOD_OK : synod_error (ctx, step->code, "%s", step->error);
    /* lost, it would be in doubt again and be told again; its acknowledgement waits until it cannot be */
    if (step->decided && was && !entry->core.record.forced)
        synod__ctx_lazily (ctx, true);
    if (rc == SYNOD_OK && step->decided && was)
        rc = s_apply (ctx, state, entry, step->decided);
    if (rc == SYNOD_OK && step->write && !s_forgets (entry, step))
        rc = s_store (ctx, entry);
    if (rc == SYNOD_OK && step->contradicts && !entry->contradicts) {
        entry->contradicts = true;
        rc = s_store (ctx, entry);
        synod_log (ctx, SYNOD_LOG_ERROR,
                   "transaction %s: an operator forced it to be %s here, and it was not decided so", entry->txn.id.id,
                   synod__party_state_name (entry->core.record.state));
    }
    synod__txn_more_t more = {.reason = reason};
    for (uint32_t i = 0; rc == SYNOD_OK && i < step->nsends; i++)
        synod__txn_tell (ctx, &entry->txn, &step->sends[i], &more);
    if (rc == SYNOD_OK && step->wait_ms) {
        synod_cancel (ctx, entry->timer);
        rc = synod_after (ctx, step->wait_ms, s_on_timer, entry->serial, &entry->timer);
    }
    if (rc != SYNOD_OK || !synod__party_waits (&entry->core)) {
        synod_cancel (ctx, entry->timer);
        synod__party_drop (ctx->instance->parties, entry); /* what is stored counts */
    }
    return rc;
}

static int s_on_timer (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod__parties_t *self = ctx->instance->parties;
    for (synod__party_entry_t *entry = self ? self->entries : NULL; entry;
         entry = (synod__party_entry_t *) entry->hh.next) {
        if (entry->serial != arg)
            continue;
        synod__vote_step_t step;
        bool was = synod__party_waits (&entry->core);
        synod__party_timer (&entry->core, synod_random (ctx), &step);
        return synod__party_carry (ctx, state, entry, &step, was, NULL);
    }
    return SYNOD_OK;
}

/* ---- voting ---- */

/* What its actor says to it; what that wrote stays only with a yes. */
static synod__vote_t s_ask_actor (synod_ctx_t *ctx, void *state, const synod__party_entry_t *entry)
{
    bool empty = false;
    const char *address = entry->txn.addresses[entry->core.index], *hash = strchr (address, '#');
    synod_txn_t txn = {.id = synod_str (entry->txn.id.id),
                       .key = synod_str (hash ? hash + 1 : NULL),
                       .op = synod_str_n (entry->op.size ? entry->op.data : NULL, entry->op.size)};
    ctx->error[0] = 0;
    int rc = ctx->instance->type->prepare (ctx, state, &txn, &empty);
    if (rc == SYNOD_OK && !empty)
        return SYNOD__VOTE_YES;
    synod__stage_drop (ctx->instance);
    if (rc == SYNOD_OK)
        return SYNOD__VOTE_EMPTY;
    if (!ctx->error[0])
        synod_error (ctx, rc, "%s", synod_error_meaning (rc));
    return SYNOD__VOTE_NO;
}

static int s_prepare (synod_ctx_t *ctx, void *state, synod__party_entry_t *entry)
{
    synod__vote_t vote = SYNOD__VOTE_NO;
    char reason[SYNOD_FAULT_MAX] = "";
    bool was = synod__party_waits (&entry->core);
    if (entry->core.record.state == SYNOD__PARTY_IDLE && !synod__party_may (&entry->core))
        snprintf (reason, sizeof reason, "its owner is another one than when the transaction was begun");
    else if (entry->core.record.state == SYNOD__PARTY_IDLE) {
        vote = s_ask_actor (ctx, state, entry);
        snprintf (reason, sizeof reason, "%s", ctx->error);
    }
    synod__vote_step_t step;
    synod__party_prepare (&entry->core, vote, synod_random (ctx), &step);
    return synod__party_carry (ctx, state, entry, &step, was, reason[0] ? reason : NULL);
}

/* ---- messages ---- */

/* Whether participant INDEX of TXN is this actor, with the key that the message came for. */
static bool s_is_here (const synod_ctx_t *ctx, const synod__txn_t *txn, uint32_t index)
{
    synod_address_t address;
    if (index >= txn->tx.parties ||
        synod__address_parse (synod_str (txn->addresses[index]), &address, NULL) != SYNOD_OK)
        return false;
    return synod_str_same (address.actor, ctx->instance->name) && synod_str_same (address.key, synod_key (ctx)) &&
           (!address.node.data || synod_str_same (address.node, ctx->rt->node));
}

/* The coordinator tells an outcome of what is decided here (HELD), or never was voted on (NULL). Neither says who takes part:
 * what is left to do is to acknowledge, and to remember an abort for what may yet come. */
static int s_acknowledge (synod_ctx_t *ctx, const synod__txn_txn_t *in, synod_str_t key,
                          const synod__party_held_t *held)
{
    synod__vote_message_t message;
    synod__txn_t txn = {.addresses = {0}};
    synod__vote_send_t send = {SYNOD__ROLE_COORDINATOR, 1, {.kind = SYNOD__SAY_ACK, .role = SYNOD__ROLE_PARTY}};
    int rc = synod__txn_understand (ctx, NULL, in, &message);
    if (rc != SYNOD_OK || message.kind != SYNOD__SAY_DECIDED || message.role != SYNOD__ROLE_COORDINATOR)
        return rc;
    synod__txn_id_take (&txn.id, in);
    /* below the mark it was done here, and said so, and then forgotten: by the coordinator's word, whose record of that was
     * lost */
    bool over = !held && txn.id.number < synod__party_low (ctx, txn.id.home);
    if (!held && message.outcome == SYNOD__OUTCOME_COMMITTED && !over)
        return synod_error (ctx, SYNOD_REFUSED, "transaction %s is not prepared here", txn.id.id);
    send.message.from = (uint32_t) in->to;
    send.message.outcome = held ? synod__outcome (held->state) : SYNOD__OUTCOME_ABORTED;
    if (!send.message.outcome || over) /* it had nothing to vote on, or nothing is left of it */
        send.message.outcome = message.outcome;
    if (!held && !over) {
        synod_buf_t packed = {0};
        synod__party_held_t aborted = {.state = synod_str (synod__party_state_name (SYNOD__PARTY_ABORTED))};
        rc = synod_record_pack (&synod__party_held_record, &aborted, &packed, NULL);
        if (rc == SYNOD_OK)
            rc = synod__store_put (ctx->instance->store, SYNOD__AREA_TXNS, key, synod_str_n (packed.data, packed.size));
        synod_buf_free (&packed);
    }
    if (rc == SYNOD_OK)
        synod__txn_tell (ctx, &txn, &send, NULL);
    return rc;
}

/* The entry that the message is about. *OUT NULL: it was answered, or is about nothing that need be known here. */
static int s_find (synod_ctx_t *ctx, const synod__txn_txn_t *in, synod__party_entry_t **out)
{
    synod__txn_id_t id;
    char room[SYNOD__PARTY_KEY_MAX];
    synod_str_t value;
    synod__party_held_t held;
    uint32_t index = (uint32_t) in->to;
    synod__txn_id_take (&id, in);
    synod_str_t key = synod_str_n (room, synod__party_key (&id, index, room));
    synod__party_entry_t *entry;
    *out = NULL;
    HASH_FIND (hh, ctx->instance->parties->entries, key.data, key.size, entry);
    if (entry && entry->undone == ctx->instance->undone) {
        *out = entry;
        return SYNOD_OK;
    }
    int rc = s_get (ctx, key, &value);
    if (rc != SYNOD_OK && rc != SYNOD_NOT_FOUND)
        return rc;
    bool stored = rc == SYNOD_OK;
    if (entry && (!stored || synod_record_unpack (&synod__party_held_record, value, &held, NULL) != SYNOD_OK ||
                  synod__party_state (held.state) != entry->core.record.state)) {
        synod__party_drop (ctx->instance->parties, entry); /* the batch that made it so was not joined */
        entry = NULL;
    }
    if (entry) {
        entry->undone = ctx->instance->undone;
        *out = entry;
        return SYNOD_OK;
    }
    bool described = in->participants.count > 0;
    if (!stored && !described)
        return s_acknowledge (ctx, in, key, NULL);
    if (!stored && id.number < synod__party_low (ctx, id.home))
        return synod_error (ctx, SYNOD_STALE_ID, "transaction %s is over, and forgotten", id.id);
    if (stored && synod_record_unpack (&synod__party_held_record, value, &held, NULL) == SYNOD_OK && !held.txn.size &&
        !described)
        return s_acknowledge (ctx, in, key, &held);
    if (stored) {
        *out = synod__party_load (ctx, key, value, in, index);
        return *out ? SYNOD_OK : SYNOD_BAD_REQUEST;
    }
    synod__txn_t txn = {{{0}, 0, 0, 0}, {SYNOD__VOTE_2PC, 0, {0, 0, {{{0}, {{0}}}}}}, {0}};
    synod_fault_t fault = {0};
    rc = synod__txn_take (&txn, in, &fault);
    if (rc == SYNOD_OK && s_is_here (ctx, &txn, index)) {
        synod__party_record_t nothing = {SYNOD__PARTY_IDLE, false, 0};
        *out = s_add (ctx, key, &txn, index, &nothing, in->op);
        return SYNOD_OK;
    }
    synod__txn_free (&txn);
    return rc == SYNOD_OK
               ? synod_error (ctx, SYNOD_BAD_REQUEST, "participant %u of transaction %s is not here", index, id.id)
               : synod_error (ctx, rc, "%s", fault.text);
}

/* An actor that takes no part says so, and never anything else: nothing is written. */
static int s_take_no_part (synod_ctx_t *ctx, const synod__txn_txn_t *in)
{
    char reason[SYNOD_FAULT_MAX];
    synod__txn_t txn = {.addresses = {0}};
    synod__vote_send_t send = {SYNOD__ROLE_COORDINATOR, 1, {.kind = SYNOD__SAY_VOTE, .role = SYNOD__ROLE_PARTY}};
    synod__txn_more_t more = {.reason = reason};
    snprintf (reason, sizeof reason, "the actor %s takes no part in transactions", ctx->instance->type->name);
    int rc = synod_str_is (in->kind, "prepare") ? synod__txn_take (&txn, in, NULL) : SYNOD_BAD_REQUEST;
    send.message.from = (uint32_t) in->to;
    send.message.vote = SYNOD__VOTE_NO;
    if (rc == SYNOD_OK)
        synod__txn_tell (ctx, &txn, &send, &more);
    synod__txn_free (&txn);
    return rc == SYNOD_OK ? SYNOD_OK : synod_error (ctx, SYNOD_REFUSED, "%s", reason);
}

static int s_on_txn (synod_ctx_t *ctx, void *state, const synod__txn_txn_t *in, synod_call_t call)
{
    synod__party_entry_t *entry = NULL;
    synod__vote_message_t message;
    if (call.id)
        return synod_error (ctx, SYNOD_INVALID, "a transaction's messages are told: their answers are others");
    if (!ctx->instance->type->prepare)
        return s_take_no_part (ctx, in);
    if (!ctx->instance->parties)
        ctx->instance->parties = (synod__parties_t *) synod__alloc (sizeof (synod__parties_t));
    int rc = s_find (ctx, in, &entry);
    if (rc != SYNOD_OK || !entry)
        return rc;
    bool was = synod__party_waits (&entry->core);
    rc = synod__txn_understand (ctx, &entry->txn, in, &message);
    if (rc != SYNOD_OK) {
        if (!was)
            synod__party_drop (ctx->instance->parties, entry);
        return rc;
    }
    if (message.kind == SYNOD__SAY_PREPARE) {
        rc = s_prepare (ctx, state, entry);
        return rc == SYNOD_OK ? synod__party_trim (ctx, in->home, in->low) : rc;
    }
    synod__vote_step_t step;
    synod__party_take (&entry->core, &message, synod_random (ctx), &step);
    return synod__party_carry (ctx, state, entry, &step, was, NULL);
}

/* ---- life ---- */

static bool s_load_one (void *arg, synod_str_t key, synod_str_t value)
{
    synod_ctx_t *ctx = (synod_ctx_t *) arg;
    synod__party_held_t held;
    if (key.size < 22 || synod_record_unpack (&synod__party_held_record, value, &held, NULL) != SYNOD_OK ||
        !held.txn.size)
        return true;
    if (!synod__party_load (ctx, key, value, NULL, (uint8_t) key.data[21]))
        synod_log (ctx, SYNOD_LOG_ERROR, "what the store has of a transaction is damaged: %s", ctx->error);
    return true;
}

int synod__party_own (synod_ctx_t *ctx)
{
    synod__party_forget (ctx->instance);
    ctx->instance->parties = (synod__parties_t *) synod__alloc (sizeof (synod__parties_t));
    int rc =
        synod__store_scan (ctx->instance->store, SYNOD__AREA_TXNS, synod_str ("p"), synod_str ("q"), s_load_one, ctx);
    synod__party_entry_t *entry, *next;
    HASH_ITER (hh, ctx->instance->parties->entries, entry, next)
    {
        synod__vote_step_t step;
        if (SYNOD__VOTE_MUTANT (LEFT_BEHIND) && !entry->core.named) {
            synod__store_delete (ctx->instance->store, SYNOD__AREA_TXNS, synod_str_n (entry->key, entry->key_size));
            synod__party_drop (ctx->instance->parties, entry);
            continue;
        }
        synod__party_return (&entry->core, synod_random (ctx), &step);
        if (rc == SYNOD_OK)
            rc = synod__party_carry (ctx, ctx->instance->state, entry, &step, true, NULL);
    }
    return rc;
}

const synod_route_t synod__party_routes[] = {SYNOD_ON (synod__txn_txn, s_on_txn),
                                             SYNOD_ON (synod__txn_txns, synod__party_on_txns),
                                             SYNOD_ON (synod__txn_resolve, synod__party_on_resolve), SYNOD_END};
