/* SPDX-License-Identifier: MPL-2.0
 *
 * For operators: what an actor has voted yes on and does not know the outcome of, and a last resort, to say what becomes of
 * it. What is forced is no decision: others are told that it is prepared still; when the decision comes and is another, that
 * is recorded, and shown until it is forgotten.
 */
#include "participant_parts.h"

#define S_DOUBTS_MAX 128

typedef struct {
    synod_ctx_t *ctx;
    synod__txn_doubts_t out;
    synod_buf_t items;
    char last[SYNOD__PARTY_KEY_MAX];
    uint32_t last_size;
    int rc;
} s_listing_t;

static bool s_list_one (void *arg, synod_str_t key, synod_str_t value)
{
    s_listing_t *self = (s_listing_t *) arg;
    synod__party_held_t held;
    synod__txn_txn_t packed;
    synod__txn_t txn = {.addresses = {0}};
    synod__party_entry_t *entry;
    uint32_t index = (uint8_t) key.data[21];
    if (synod_record_unpack (&synod__party_held_record, value, &held, NULL) != SYNOD_OK || !held.txn.size ||
        synod_record_unpack (&synod__txn_txn_record, held.txn, &packed, NULL) != SYNOD_OK)
        return true; /* decided */
    if (self->out.doubts.count == S_DOUBTS_MAX) {
        self->out.more = true;
        return false;
    }
    if (synod__txn_take (&txn, &packed, NULL) != SYNOD_OK || index >= txn.tx.parties) {
        synod__txn_free (&txn);
        return true;
    }
    HASH_FIND (hh, self->ctx->instance->parties->entries, key.data, key.size, entry);
    synod__txn_doubt_t one = {.id = packed.id,
                              .epoch = packed.epoch,
                              .number = packed.number,
                              .home = packed.home,
                              .index = index,
                              .to = synod_str (txn.addresses[index]),
                              .protocol = packed.protocol,
                              .state = held.state,
                              .doubt = entry && synod__party_in_doubt (&entry->core),
                              .contradicts = held.contradicts,
                              .since = held.since};
    self->rc = synod_list_add (&self->out.doubts, &self->items, &synod__txn_doubt_record, &one, NULL);
    memcpy (self->last, key.data, key.size);
    self->last_size = key.size;
    synod__txn_free (&txn);
    return self->rc == SYNOD_OK;
}

int synod__party_on_txns (synod_ctx_t *ctx, void *state, const synod__txn_txns_t *in, synod_call_t call)
{
    s_listing_t listing = {.ctx = ctx};
    char from[SYNOD__PARTY_KEY_MAX + 1] = {'p'};
    uint32_t from_size = in->after.size ? in->after.size + 1 : 1; /* the first key behind AFTER has a NUL more */
    (void) state;
    if (in->after.size && (in->after.data[0] != 'p' || in->after.size > SYNOD__PARTY_KEY_MAX))
        return synod_error (ctx, SYNOD_INVALID, "expected `last` of an answer as `after`");
    if (in->after.size)
        memcpy (from, in->after.data, in->after.size);
    if (!ctx->instance->type->prepare)
        return synod_error (ctx, SYNOD_REFUSED, "the actor %s takes no part in transactions",
                            ctx->instance->type->name);
    int rc = synod__store_scan (ctx->instance->store, SYNOD__AREA_TXNS, synod_str_n (from, from_size), synod_str ("q"),
                                s_list_one, &listing);
    if (rc == SYNOD_OK)
        rc = listing.rc;
    if (listing.out.more)
        listing.out.last = synod_str_n (listing.last, listing.last_size);
    if (rc == SYNOD_OK && call.id)
        rc = synod_reply (ctx, call, &synod__txn_doubts_record, &listing.out);
    synod_buf_free (&listing.items);
    return rc;
}

/* An operator has seen it. It is an outcome as any other from now on. */
static int s_forget (synod_ctx_t *ctx, synod_str_t key, const synod__party_held_t *held)
{
    synod_buf_t packed = {0};
    synod__party_held_t out = {.state = held->state, .since = held->since};
    if (!held->forced)
        return synod_error (ctx, SYNOD_REFUSED, "only what was forced can be forgotten");
    int rc = synod_record_pack (&synod__party_held_record, &out, &packed, NULL);
    if (rc == SYNOD_OK)
        rc = synod__store_put (ctx->instance->store, SYNOD__AREA_TXNS, key, synod_str_n (packed.data, packed.size));
    synod_buf_free (&packed);
    return rc;
}

static int s_force (synod_ctx_t *ctx, void *state, synod_str_t key, synod_str_t value, uint32_t index,
                    synod__outcome_t outcome)
{
    synod__party_entry_t *entry;
    synod__vote_step_t step;
    HASH_FIND (hh, ctx->instance->parties->entries, key.data, key.size, entry);
    if (!entry)
        entry = synod__party_load (ctx, key, value, NULL, index);
    if (!entry)
        return SYNOD_IO;
    synod__party_force (&entry->core, outcome, &step);
    synod_log (ctx, SYNOD_LOG_WARNING, "transaction %s: an operator forces it to be %s at %s", entry->txn.id.id,
               synod__outcome_name (outcome), entry->txn.addresses[index]);
    return synod__party_carry (ctx, state, entry, &step, true, NULL);
}

int synod__party_on_resolve (synod_ctx_t *ctx, void *state, const synod__txn_resolve_t *in, synod_call_t call)
{
    char room[SYNOD__PARTY_KEY_MAX];
    synod__txn_txn_t named = {.id = in->id, .epoch = in->epoch, .number = in->number, .home = in->home};
    synod__txn_id_t id;
    synod__party_held_t held;
    synod_str_t value;
    synod__outcome_t outcome = synod__outcome (in->outcome);
    bool forget = synod_str_is (in->outcome, "forget");
    if (!ctx->instance->type->prepare)
        return synod_error (ctx, SYNOD_REFUSED, "the actor %s takes no part in transactions",
                            ctx->instance->type->name);
    if (!outcome && !forget)
        return synod_error (ctx, SYNOD_INVALID, "expected committed, aborted or forget, got \"%.*s\"",
                            SYNOD_STR (in->outcome));
    synod__txn_id_take (&id, &named);
    synod_str_t key = synod_str_n (room, synod__party_key (&id, (uint32_t) in->index, room));
    int rc = synod__store_get (ctx->instance->store, SYNOD__AREA_TXNS, key, &value);
    if (rc == SYNOD_NOT_FOUND)
        return synod_error (ctx, rc, "nothing is known here of that begin of transaction %s", id.id);
    if (rc == SYNOD_OK && synod_record_unpack (&synod__party_held_record, value, &held, NULL) != SYNOD_OK)
        rc = synod_error (ctx, SYNOD_IO, "what the store has of transaction %s is damaged", id.id);
    if (rc == SYNOD_OK && outcome && (!held.txn.size || held.forced))
        rc = synod_error (ctx, SYNOD_REFUSED, "transaction %s is %.*s here, and not in doubt", id.id,
                          SYNOD_STR (held.state));
    if (rc == SYNOD_OK)
        rc = forget ? s_forget (ctx, key, &held) : s_force (ctx, state, key, value, (uint32_t) in->index, outcome);
    return rc == SYNOD_OK ? synod__party_on_txns (ctx, state, &(synod__txn_txns_t){0}, call) : rc;
}
