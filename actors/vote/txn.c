/* SPDX-License-Identifier: MPL-2.0
 *
 * Transactions on the wire. Everything that came is checked before a core sees it: words, numbers, and that the sender is
 * who it says, as far as its transport vouches for the node and the actor.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <stdio.h>
#include <stdlib.h>
#include "txn.h"
#include "actors/runtime/runtime.h"
#include "protocol/address.h"

/* NOLINTBEGIN(misc-redundant-expression): that the two are the same is what is asserted */
_Static_assert(SYNOD__TXN_PARTIES_MAX == SYNOD__PARTIES_MAX, "every participant has a number on the wire");
_Static_assert(SYNOD__TXN_STORE_SIZE == SYNOD__STORE_ID_SIZE, "a store");
/* NOLINTEND(misc-redundant-expression) */

static const char *const s_roles[] = {"coordinator", "participant", "acceptor"};

void synod__txn_id_take (synod__txn_id_t *self, const synod__txn_txn_t *in)
{
    memset (self, 0, sizeof *self);
    memcpy (self->id, in->id.data, in->id.size);
    self->epoch = in->epoch;
    self->number = in->number;
    self->home = (uint32_t) in->home;
}

bool synod__txn_id_same (const synod__txn_id_t *a, const synod__txn_id_t *b)
{
    return a->epoch == b->epoch && a->number == b->number && a->home == b->home && strcmp (a->id, b->id) == 0;
}

int synod__txn_address (synod_str_t address, synod_fault_t *fault)
{
    synod_address_t parts;
    int rc = synod__address_parse (address, &parts, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (!parts.node.data == !parts.key.data)
        return synod_fault (fault, SYNOD_INVALID, "expected actor#key or node/actor as a participant, got \"%.*s\"",
                            address.size > 100 ? 100 : (int) address.size, address.data);
    return SYNOD_OK;
}

static int s_take_parties (synod__txn_t *self, const synod__txn_txn_t *in, synod_fault_t *fault)
{
    synod_list_t list = in->participants;
    synod__txn_participant_t one;
    if (list.count < 1 || list.count > SYNOD__PARTIES_MAX)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "expected 1 to %d participants, got %u", SYNOD__PARTIES_MAX,
                            list.count);
    while (synod_list_next (&list, &synod__txn_participant_record, &one)) {
        if (synod__txn_address (one.to, fault) != SYNOD_OK)
            return fault ? fault->code = SYNOD_BAD_REQUEST : SYNOD_BAD_REQUEST;
        char *address = (char *) calloc (1, one.to.size + 1);
        if (!address)
            return synod_fault (fault, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
        memcpy (address, one.to.data, one.to.size);
        self->addresses[self->tx.parties++] = address;
    }
    return SYNOD_OK;
}

static int s_take_acceptors (synod__txn_t *self, const synod__txn_txn_t *in, synod_fault_t *fault)
{
    synod__acceptor_name_t names[SYNOD__ACCEPTORS_MAX] = {{{0}, {{0}}}};
    synod_list_t list = in->acceptors;
    synod__txn_acceptor_t one;
    uint32_t count = 0;
    if (list.count > SYNOD__ACCEPTORS_MAX || (list.count > 0) != (self->tx.protocol == SYNOD__VOTE_PAXOS))
        return synod_fault (fault, SYNOD_BAD_REQUEST, "expected 1 to %d acceptors of paxos, and none else, got %u",
                            SYNOD__ACCEPTORS_MAX, list.count);
    if (!list.count)
        return SYNOD_OK;
    while (synod_list_next (&list, &synod__txn_acceptor_record, &one)) {
        memcpy (names[count].name, one.node.data, one.node.size);
        if (!synod__store_id_take (one.store, &names[count++].id))
            return synod_fault (fault, SYNOD_BAD_REQUEST, "expected %d bytes as the id of an acceptor's store",
                                SYNOD__STORE_ID_SIZE);
    }
    int rc = synod__paxos_set_make (&self->tx.acceptors, names, count, fault);
    return rc == SYNOD_INVALID ? SYNOD_BAD_REQUEST : rc;
}

int synod__txn_take (synod__txn_t *self, const synod__txn_txn_t *in, synod_fault_t *fault)
{
    synod__txn_id_take (&self->id, in);
    self->tx.protocol = synod__vote_protocol (in->protocol);
    if (!self->tx.protocol)
        return synod_fault (fault, SYNOD_BAD_REQUEST,
                            "expected the protocol " SYNOD__VOTE_PROTOCOL_NAMES ", got \"%.*s\"",
                            SYNOD_STR (in->protocol));
    int rc = s_take_parties (self, in, fault);
    return rc == SYNOD_OK ? s_take_acceptors (self, in, fault) : rc;
}

void synod__txn_free (synod__txn_t *self)
{
    for (uint32_t i = 0; i < SYNOD__PARTIES_MAX; i++)
        free (self->addresses[i]);
    memset (self, 0, sizeof *self);
}

synod__paxos_self_t synod__txn_self (const synod_ctx_t *ctx, synod__vote_role_t role, uint32_t number)
{
    synod__paxos_self_t self = {.name = synod_str (synod_node (ctx))};
    uint8_t bytes[SYNOD__STORE_ID_SIZE + 2];
    memcpy (bytes, synod__ctx_store_id (ctx), SYNOD__STORE_ID_SIZE);
    if (role == SYNOD__ROLE_ACCEPTOR) {
        memcpy (self.id.bytes, bytes, SYNOD__STORE_ID_SIZE);
        return self;
    }
    bytes[SYNOD__STORE_ID_SIZE] = (uint8_t) role;
    bytes[SYNOD__STORE_ID_SIZE + 1] = (uint8_t) number;
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash (&hash, XXH3_128bits (bytes, sizeof bytes));
    memcpy (self.id.bytes, hash.digest, SYNOD__STORE_ID_SIZE);
    return self;
}

/* ---- what came ---- */

/* Whether the sender is the actor at ADDRESS, on whatever node where it names none. */
static bool s_is_at (synod_str_t from, const char *address)
{
    synod_address_t sender, named;
    if (synod__address_parse (from, &sender, NULL) != SYNOD_OK ||
        synod__address_parse (synod_str (address), &named, NULL) != SYNOD_OK)
        return false;
    return synod_str_same (sender.actor, named.actor) && (!named.node.data || synod_str_same (sender.node, named.node));
}

static int s_check_sender (synod_ctx_t *ctx, const synod__txn_t *txn, const synod__vote_message_t *message)
{
    synod_str_t from = synod_from (ctx);
    char address[SYNOD_ADDRESS_MAX + 1] = SYNOD__VOTE_ACTOR "#x";
    if (message->role == SYNOD__ROLE_PARTY && txn && message->from < txn->tx.parties)
        snprintf (address, sizeof address, "%s", txn->addresses[message->from]);
    else if (message->role == SYNOD__ROLE_ACCEPTOR && txn && message->from < txn->tx.acceptors.count)
        snprintf (address, sizeof address, "%s/" SYNOD__ACCEPTOR_ACTOR,
                  txn->tx.acceptors.acceptors[message->from].name);
    else if (message->role != SYNOD__ROLE_COORDINATOR)
        return txn ? synod_error (ctx, SYNOD_BAD_REQUEST, "the transaction has no such %s", s_roles[message->role])
                   : SYNOD_OK;
    if (!s_is_at (from, address))
        return synod_error (ctx, SYNOD_BAD_REQUEST, "%.*s speaks for %s", SYNOD_STR (from), address);
    return SYNOD_OK;
}

static bool s_take_paxos (const synod__txn_txn_t *in, synod_str_t from, synod__paxos_message_t *out)
{
    const char *slash = from.data ? (const char *) memchr (from.data, '/', from.size) : NULL;
    *out = (synod__paxos_message_t){.kind = synod__paxos_kind (in->step),
                                    .set = in->set,
                                    .name = synod_str_n (from.data, slash ? (size_t) (slash - from.data) : 0),
                                    .ballot.round = in->round,
                                    .accepted.round = in->accepted};
    if (in->value.data)
        out->value = synod__vote_value (synod__vote_of_value (in->value)); /* as long as anybody may want it */
    return out->kind && slash && synod__store_id_take (in->store, &out->id) &&
           (!in->round || synod__store_id_take (in->by, &out->ballot.proposer)) &&
           (!in->accepted || synod__store_id_take (in->accepted_by, &out->accepted.proposer)) &&
           (!in->value.data || synod__vote_of_value (in->value) != SYNOD__VOTE_NONE);
}

int synod__txn_understand (synod_ctx_t *ctx, const synod__txn_t *txn, const synod__txn_txn_t *in,
                           synod__vote_message_t *out)
{
    uint32_t role = 0;
    while (role < 3 && !synod_str_is (in->role, s_roles[role]))
        role++;
    *out = (synod__vote_message_t){.kind = synod__vote_kind (in->kind),
                                   .role = (synod__vote_role_t) role,
                                   .from = (uint32_t) in->from,
                                   .vote = synod__vote (in->vote),
                                   .outcome = synod__outcome (in->outcome),
                                   .state = synod__party_state (in->state),
                                   .returned = in->returned,
                                   .instance = (uint32_t) in->instance};
    if (!out->kind || role == 3 || !in->id.size)
        return synod_error (ctx, SYNOD_BAD_REQUEST, "expected a message of a transaction, got \"%.*s\" of a \"%.*s\"",
                            SYNOD_STR (in->kind), SYNOD_STR (in->role));
    if (out->kind == SYNOD__SAY_PAXOS && !s_take_paxos (in, synod_from (ctx), &out->paxos))
        return synod_error (ctx, SYNOD_BAD_REQUEST, "expected a step of Paxos for a vote");
    return s_check_sender (ctx, txn, out);
}

/* ---- what is said ---- */

static int s_describe (const synod__txn_t *txn, synod__txn_txn_t *out, synod_buf_t *parties, synod_buf_t *acceptors)
{
    int rc = SYNOD_OK;
    out->protocol = synod_str (synod__vote_protocol_name (txn->tx.protocol));
    for (uint32_t i = 0; i < txn->tx.parties && rc == SYNOD_OK; i++) {
        synod__txn_participant_t one = {.to = synod_str (txn->addresses[i])};
        rc = synod_list_add (&out->participants, parties, &synod__txn_participant_record, &one, NULL);
    }
    for (uint32_t i = 0; i < txn->tx.acceptors.count && rc == SYNOD_OK; i++) {
        const synod__acceptor_name_t *acceptor = &txn->tx.acceptors.acceptors[i];
        synod__txn_acceptor_t one = {.node = synod_str (acceptor->name),
                                     .store = synod_str_n (acceptor->id.bytes, SYNOD__STORE_ID_SIZE)};
        rc = synod_list_add (&out->acceptors, acceptors, &synod__txn_acceptor_record, &one, NULL);
    }
    return rc;
}

static void s_fill_id (const synod__txn_id_t *id, synod__txn_txn_t *out)
{
    out->id = synod_str (id->id);
    out->epoch = id->epoch;
    out->number = id->number;
    out->home = id->home;
}

static void s_fill_paxos (const synod__vote_message_t *message, synod__txn_txn_t *out)
{
    const synod__paxos_message_t *paxos = &message->paxos;
    out->instance = message->instance;
    out->step = synod_str (synod__paxos_kind_name (paxos->kind));
    out->set = paxos->set;
    out->store = synod_str_n (paxos->id.bytes, SYNOD__STORE_ID_SIZE);
    out->round = paxos->ballot.round;
    out->accepted = paxos->accepted.round;
    if (paxos->ballot.round)
        out->by = synod_str_n (paxos->ballot.proposer.bytes, SYNOD__STORE_ID_SIZE);
    if (paxos->accepted.round)
        out->accepted_by = synod_str_n (paxos->accepted.proposer.bytes, SYNOD__STORE_ID_SIZE);
    out->value = paxos->value;
}

static void s_fill (const synod__txn_t *txn, const synod__vote_message_t *message, synod__txn_txn_t *out)
{
    s_fill_id (&txn->id, out);
    out->kind = synod_str (synod__vote_kind_name (message->kind));
    out->role = synod_str (s_roles[message->role]);
    out->from = message->from;
    out->returned = message->returned;
    if (message->vote)
        out->vote = synod_str (synod__vote_name (message->vote));
    if (message->outcome)
        out->outcome = synod_str (synod__outcome_name (message->outcome));
    if (message->kind == SYNOD__SAY_STATE)
        out->state = synod_str (synod__party_state_name (message->state));
    if (message->kind == SYNOD__SAY_PAXOS)
        s_fill_paxos (message, out);
}

static void s_address (const synod__txn_t *txn, synod__vote_role_t role, uint32_t to, char *out, size_t size)
{
    if (role == SYNOD__ROLE_COORDINATOR)
        snprintf (out, size, SYNOD__VOTE_ACTOR "#%s", txn->id.id);
    else if (role == SYNOD__ROLE_ACCEPTOR)
        snprintf (out, size, "%s/" SYNOD__ACCEPTOR_ACTOR, txn->tx.acceptors.acceptors[to].name);
    else
        snprintf (out, size, "%s", txn->addresses[to]);
}

void synod__txn_tell (synod_ctx_t *ctx, const synod__txn_t *txn, const synod__vote_send_t *send,
                      const synod__txn_more_t *more)
{
    const synod__vote_message_t *message = &send->message;
    synod__txn_txn_t out = {.to = 0};
    synod_buf_t parties = {0}, acceptors = {0};
    char address[SYNOD_ADDRESS_MAX + 1];
    s_fill (txn, message, &out);
    bool asks = message->kind == SYNOD__SAY_PREPARE || message->kind == SYNOD__SAY_ASK ||
                message->kind == SYNOD__SAY_FORGET ||
                (message->kind == SYNOD__SAY_PAXOS && send->role == SYNOD__ROLE_ACCEPTOR);
    if (asks && s_describe (txn, &out, &parties, &acceptors) != SYNOD_OK)
        abort (); /* memory ran out, and nothing half done may go on */
    if (more && message->kind == SYNOD__SAY_PREPARE)
        out.low = more->low;
    if (more && more->reason && message->vote == SYNOD__VOTE_NO)
        out.reason = synod_str (more->reason);
    for (uint32_t to = 0; to < 32; to++) {
        if (!(send->bits & 1u << to))
            continue;
        out.to = to;
        if (more && more->ops && message->kind == SYNOD__SAY_PREPARE)
            out.op = more->ops[to];
        s_address (txn, send->role, to, address, sizeof address);
        if (synod_tell (ctx, address, &synod__txn_txn_record, &out) != SYNOD_OK)
            synod_log (ctx, SYNOD_LOG_WARNING, "cannot tell %s: %s", address, synod__ctx_error (ctx));
    }
    synod_buf_free (&parties);
    synod_buf_free (&acceptors);
}

int synod__txn_pack (const synod__txn_t *self, synod_buf_t *out)
{
    synod__txn_txn_t record = {.kind = synod_str ("ask"), .role = synod_str (s_roles[0])};
    synod_buf_t parties = {0}, acceptors = {0};
    s_fill_id (&self->id, &record);
    int rc = s_describe (self, &record, &parties, &acceptors);
    if (rc == SYNOD_OK)
        rc = synod_record_pack (&synod__txn_txn_record, &record, out, NULL);
    synod_buf_free (&parties);
    synod_buf_free (&acceptors);
    return rc;
}
