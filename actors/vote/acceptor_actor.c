/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `acceptor`: of each vote that it is told of, what it promised and accepted. Which transactions it accepts for
 * is in each of their messages, by its node and its store: one that was wiped is none of theirs any more. In its store:
 *
 *   "a" HOME NUMBER EPOCH ID NUL INSTANCE   as synod__paxos_record_pack
 *
 * Numbers are big end first: four bytes, eight, eight, one.
 */
#include "vote_actor.h"

#define S_KEY_MAX (1 + 4 + 8 + 8 + SYNOD__TXN_ID_MAX + 2)

static char *s_number (char *at, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (char) (number >> (8 * (bytes - 1 - i)));
    return at + bytes;
}

/* All but the instance. */
static uint32_t s_key (const synod__txn_id_t *id, char room[S_KEY_MAX])
{
    char *at = room;
    *at++ = 'a';
    at = s_number (s_number (s_number (at, id->home, 4), id->number, 8), id->epoch, 8);
    size_t size = strlen (id->id) + 1;
    memcpy (at, id->id, size);
    return (uint32_t) (at + size - room);
}

static int s_forget (synod_ctx_t *ctx, const synod__txn_t *txn)
{
    char room[S_KEY_MAX];
    uint32_t size = s_key (&txn->id, room);
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < txn->tx.parties && rc == SYNOD_OK; i++) {
        room[size] = (char) i;
        rc = synod_delete (ctx, synod_str_n (room, size + 1));
    }
    return rc;
}

static int s_accept (synod_ctx_t *ctx, const synod__txn_t *txn, uint32_t index, const synod__vote_message_t *message)
{
    char room[S_KEY_MAX];
    uint32_t size = s_key (&txn->id, room);
    synod_str_t bytes = {0};
    synod__paxos_record_t stored;
    synod__vote_acceptor_step_t step;
    synod_fault_t fault = {0};
    synod__paxos_self_t self = synod__txn_self (ctx, SYNOD__ROLE_ACCEPTOR, index);
    room[size] = (char) message->instance;
    synod_str_t key = synod_str_n (room, size + 1);
    int rc = synod_get (ctx, key, &bytes);
    if (rc != SYNOD_OK && rc != SYNOD_NOT_FOUND)
        return rc;
    if (synod__paxos_record_unpack (&stored, rc == SYNOD_OK ? bytes : synod_str_n (NULL, 0), &fault) != SYNOD_OK)
        return synod_error (ctx, SYNOD_IO, "what the store has of a vote on %s is damaged: %s", txn->id.id, fault.text);
    synod__vote_accept (&txn->tx, index, &self, &stored, message, &step);
    if (step.forget)
        return s_forget (ctx, txn);
    /* staged first, since it may borrow what is replaced; it leaves when that is durable */
    if (step.nsends)
        synod__txn_tell (ctx, txn, &step.send, NULL);
    if (!step.write)
        return SYNOD_OK;
    synod_buf_t packed = {0};
    rc = synod__paxos_record_pack (&step.record, &packed);
    if (rc == SYNOD_OK)
        rc = synod_put (ctx, key, synod_str_n (packed.data, packed.size));
    synod_buf_free (&packed);
    return rc;
}

static int s_on_txn (synod_ctx_t *ctx, void *state, const synod__txn_txn_t *in, synod_call_t call)
{
    synod__txn_t txn = {.addresses = {0}};
    synod__vote_message_t message;
    synod_fault_t fault = {0};
    (void) state;
    if (call.id)
        return synod_error (ctx, SYNOD_INVALID, "a transaction's messages are told: their answers are others");
    int rc = synod__txn_take (&txn, in, &fault);
    if (rc != SYNOD_OK)
        synod_error (ctx, rc, "%s", fault.text);
    if (rc == SYNOD_OK)
        rc = synod__txn_understand (ctx, &txn, in, &message);
    synod__paxos_self_t self = synod__txn_self (ctx, SYNOD__ROLE_ACCEPTOR, 0);
    if (rc == SYNOD_OK &&
        (in->to >= txn.tx.acceptors.count || !synod_str_is (self.name, txn.tx.acceptors.acceptors[in->to].name)))
        rc = synod_error (ctx, SYNOD_BAD_REQUEST, "acceptor %u of transaction %s is not here", (uint32_t) in->to,
                          txn.id.id);
    if (rc == SYNOD_OK)
        rc = s_accept (ctx, &txn, (uint32_t) in->to, &message);
    synod__txn_free (&txn);
    return rc;
}

const synod_actor_t synod__acceptor_actor = {
    .name = SYNOD__ACCEPTOR_ACTOR,
    .doc = "accepts votes on transactions, with the other acceptors",
    .routes = (const synod_route_t[]){SYNOD_ON (synod__txn_txn, s_on_txn), SYNOD_END},
};
