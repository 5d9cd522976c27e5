/* SPDX-License-Identifier: MPL-2.0
 *
 * The acceptor. Its whole state is the record under the key.
 *
 * Invariants: promised never decreases; accepted is at most promised; a promise and an acceptance are written before
 * they are told.
 */
#include <assert.h>
#include "paxos.h"

#ifdef SYNOD_PAXOS_MUTANTS
synod__paxos_mutant_t synod__paxos_mutant;
#endif

#define DECREE_FIELDS(FIELD, OPT)                              \
    FIELD (u64, promised, SYNOD__ROUND_MAX, "round")           \
    FIELD (bin, promised_by, SYNOD__STORE_ID_SIZE, "proposer") \
    OPT (u64, accepted, SYNOD__ROUND_MAX, "round")             \
    OPT (bin, accepted_by, SYNOD__STORE_ID_SIZE, "proposer")   \
    OPT (bin, value, SYNOD__DECREE_MAX, "accepted")            \
    OPT (bit, chosen, 0, "the value is known to be chosen")
SYNOD_RECORD (decree, DECREE_FIELDS, 0, "what an acceptor has promised and accepted")

int synod__ballot_compare (const synod__ballot_t *a, const synod__ballot_t *b)
{
    if (a->round != b->round)
        return a->round < b->round ? -1 : 1;
    return synod__store_id_compare (&a->proposer, &b->proposer);
}

int synod__paxos_record_pack (const synod__paxos_record_t *self, synod_buf_t *out)
{
    assert (synod__ballot_compare (&self->accepted, &self->promised) <= 0);
    decree_t record = {.promised = self->promised.round,
                       .promised_by = synod_str_n (self->promised.proposer.bytes, SYNOD__STORE_ID_SIZE),
                       .chosen = self->chosen};
    if (self->accepted.round) {
        record.accepted = self->accepted.round;
        record.accepted_by = synod_str_n (self->accepted.proposer.bytes, SYNOD__STORE_ID_SIZE);
        record.value = self->value;
    }
    return synod_record_pack (&decree_record, &record, out, NULL);
}

static int s_take_ballot (synod__ballot_t *self, uint64_t round, synod_str_t proposer, synod_fault_t *fault)
{
    if (round == 0 && proposer.size == 0)
        return SYNOD_OK;
    if (proposer.size != SYNOD__STORE_ID_SIZE)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "expected %d bytes as a ballot's proposer, got %u",
                            SYNOD__STORE_ID_SIZE, proposer.size);
    self->round = round;
    memcpy (self->proposer.bytes, proposer.data, SYNOD__STORE_ID_SIZE);
    return SYNOD_OK;
}

int synod__paxos_record_unpack (synod__paxos_record_t *self, synod_str_t bytes, synod_fault_t *fault)
{
    memset (self, 0, sizeof *self);
    if (bytes.size == 0)
        return SYNOD_OK;
    decree_t record;
    int rc = synod_record_unpack (&decree_record, bytes, &record, fault);
    if (rc == SYNOD_OK)
        rc = s_take_ballot (&self->promised, record.promised, record.promised_by, fault);
    if (rc == SYNOD_OK)
        rc = s_take_ballot (&self->accepted, record.accepted, record.accepted_by, fault);
    if (rc == SYNOD_OK && synod__ballot_compare (&self->accepted, &self->promised) > 0)
        rc = synod_fault (fault, SYNOD_BAD_REQUEST, "expected an accepted ballot up to the promised one");
    self->chosen = record.chosen;
    self->value = record.value;
    if (self->accepted.round && !self->value.data)
        self->value = synod_str_n ("", 0); /* an empty value is left out of a record */
    return rc;
}

/* Round 0 is no ballot, and a round beyond all would leave none for anybody. */
static bool s_ballot_ok (const synod__ballot_t *ballot)
{
    return ballot->round > 0 && ballot->round <= SYNOD__ROUND_MAX;
}

/* What is asked under a ballot: promised and answered, or refused for a higher one. */
static void s_on_ballot (const synod__paxos_message_t *in, synod__acceptor_step_t *out)
{
    synod__paxos_record_t *record = &out->record;
    out->send = true;
    bool ignores = SYNOD__PAXOS_MUTANT (PROMISE_IGNORED) && in->kind == SYNOD__PAXOS_ACCEPT &&
                   synod__ballot_compare (&in->ballot, &record->accepted) >= 0;
    if (synod__ballot_compare (&in->ballot, &record->promised) < 0 && !ignores) {
        out->message.kind = SYNOD__PAXOS_BEHIND;
        out->message.accepted = record->promised;
        return;
    }
    if (!ignores)
        record->promised = in->ballot;
    if (in->kind == SYNOD__PAXOS_PREPARE) {
        out->write = !SYNOD__PAXOS_MUTANT (PROMISE_NOT_WRITTEN);
        out->message.kind = SYNOD__PAXOS_PROMISE;
        out->message.accepted = record->accepted;
        out->message.value = record->value;
        return;
    }
    record->accepted = in->ballot;
    record->value = in->value;
    if (ignores && synod__ballot_compare (&record->accepted, &record->promised) > 0)
        record->promised = record->accepted;
    out->write = !SYNOD__PAXOS_MUTANT (ACCEPT_NOT_WRITTEN);
    out->message.kind = SYNOD__PAXOS_ACCEPTED;
}

/* A value that was chosen is as good as accepted: no ballot can bring another one. */
static void s_on_chosen (const synod__paxos_message_t *in, synod__acceptor_step_t *out)
{
    synod__paxos_record_t *record = &out->record;
    if (record->chosen || !s_ballot_ok (&in->accepted))
        return;
    record->chosen = true;
    record->value = in->value;
    if (synod__ballot_compare (&in->accepted, &record->accepted) > 0)
        record->accepted = in->accepted;
    if (synod__ballot_compare (&record->accepted, &record->promised) > 0)
        record->promised = record->accepted;
    out->write = true;
}

void synod__acceptor_step (const synod__paxos_set_t *set, const synod__paxos_self_t *self,
                           const synod__paxos_record_t *stored, const synod__paxos_message_t *in,
                           synod__acceptor_step_t *out)
{
    bool asks = in->kind == SYNOD__PAXOS_PREPARE || in->kind == SYNOD__PAXOS_ACCEPT || in->kind == SYNOD__PAXOS_QUERY;
    memset (out, 0, sizeof *out);
    out->record = *stored;
    out->message.set = set->digest;
    out->message.name = self->name;
    out->message.id = self->id;
    out->message.ballot = in->ballot;
    if (!asks && in->kind != SYNOD__PAXOS_CHOSEN)
        return;
    if (in->set != set->digest || (synod__paxos_set_admits (set, self->name, &self->id, NULL) != SYNOD_OK &&
                                   !SYNOD__PAXOS_MUTANT (WIPED_COUNTED))) {
        out->send = asks;
        out->message.kind = SYNOD__PAXOS_STRANGER;
        return;
    }
    if (in->kind == SYNOD__PAXOS_CHOSEN) {
        s_on_chosen (in, out);
        return;
    }
    if (stored->chosen || in->kind == SYNOD__PAXOS_QUERY) {
        out->send = true;
        out->message.kind = stored->chosen ? SYNOD__PAXOS_CHOSEN : SYNOD__PAXOS_REPORT;
        out->message.accepted = stored->accepted;
        out->message.value = stored->value;
        return;
    }
    if (s_ballot_ok (&in->ballot))
        s_on_ballot (in, out);
}

/* ---- words ---- */

static const char *const s_kinds[] = {
    [SYNOD__PAXOS_PREPARE] = "prepare",   [SYNOD__PAXOS_PROMISE] = "promise", [SYNOD__PAXOS_ACCEPT] = "accept",
    [SYNOD__PAXOS_ACCEPTED] = "accepted", [SYNOD__PAXOS_BEHIND] = "behind",   [SYNOD__PAXOS_QUERY] = "query",
    [SYNOD__PAXOS_REPORT] = "report",     [SYNOD__PAXOS_CHOSEN] = "chosen",   [SYNOD__PAXOS_STRANGER] = "stranger"};

const char *synod__paxos_kind_name (synod__paxos_kind_t kind)
{
    return s_kinds[kind];
}

synod__paxos_kind_t synod__paxos_kind (synod_str_t name)
{
    for (synod__paxos_kind_t kind = SYNOD__PAXOS_PREPARE; kind <= SYNOD__PAXOS_STRANGER; kind++)
        if (synod_str_is (name, s_kinds[kind]))
            return kind;
    return (synod__paxos_kind_t) 0;
}
