/* SPDX-License-Identifier: MPL-2.0
 *
 * The checker of Paxos. It remembers every acceptance there ever was, since one that was replaced on the disk counts
 * for what was chosen all the same.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include "paxos_check.h"

/* A value that was proposed. Kept by pointer, so that views of it stay. */
typedef struct s_value {
    struct s_value *next;
    uint32_t size;
    char bytes[];
} s_value_t;

/* What was accepted under a ballot, and by whom. */
typedef struct s_vote {
    struct s_vote *next;
    synod__ballot_t ballot;
    const s_value_t *value;
    uint32_t acceptors; /* bits */
} s_vote_t;

struct synod__paxos_check_t {
    uint32_t acceptors;
    synod__ballot_t promised[SYNOD__ACCEPTORS_MAX];
    s_value_t *proposed;
    s_vote_t *votes;
    const s_value_t *chosen;
};

synod__paxos_check_t *synod__paxos_check_new (uint32_t acceptors)
{
    assert (acceptors >= 1 && acceptors <= SYNOD__ACCEPTORS_MAX);
    synod__paxos_check_t *self = (synod__paxos_check_t *) calloc (1, sizeof *self);
    if (self)
        self->acceptors = acceptors;
    return self;
}

void synod__paxos_check_destroy (synod__paxos_check_t **self_p)
{
    synod__paxos_check_t *self = *self_p;
    if (!self)
        return;
    for (s_value_t *value = self->proposed, *next; value; value = next) {
        next = value->next;
        free (value);
    }
    for (s_vote_t *vote = self->votes, *next; vote; vote = next) {
        next = vote->next;
        free (vote);
    }
    free (self);
    *self_p = NULL;
}

static const s_value_t *s_find (const synod__paxos_check_t *self, synod_str_t value)
{
    const s_value_t *at = self->proposed;
    while (at && !synod_str_same (synod_str_n (at->bytes, at->size), value))
        at = at->next;
    return at;
}

int synod__paxos_check_proposed (synod__paxos_check_t *self, synod_str_t value, synod_fault_t *fault)
{
    if (s_find (self, value))
        return SYNOD_OK;
    s_value_t *one = (s_value_t *) malloc (sizeof *one + value.size);
    if (!one)
        return synod_fault (fault, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
    one->next = self->proposed;
    one->size = value.size;
    if (value.size)
        memcpy (one->bytes, value.data, value.size);
    self->proposed = one;
    return SYNOD_OK;
}

static int s_vote (synod__paxos_check_t *self, uint32_t acceptor, const synod__paxos_record_t *record,
                   synod_fault_t *fault)
{
    const s_value_t *value = s_find (self, record->value);
    if (!value)
        return synod_fault (fault, SYNOD_FAILED, "acceptor %u accepted \"%.*s\", which nobody proposed", acceptor,
                            SYNOD_STR (record->value));
    s_vote_t *vote = self->votes;
    while (vote && synod__ballot_compare (&vote->ballot, &record->accepted) != 0)
        vote = vote->next;
    if (!vote) {
        vote = (s_vote_t *) calloc (1, sizeof *vote);
        if (!vote)
            return synod_fault (fault, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
        vote->next = self->votes;
        vote->ballot = record->accepted;
        vote->value = value;
        self->votes = vote;
    }
    if (vote->value != value)
        return synod_fault (fault, SYNOD_FAILED, "the ballot of round %" PRIu64 " has two values: \"%.*s\", \"%.*s\"",
                            vote->ballot.round, (int) vote->value->size, vote->value->bytes, (int) value->size,
                            value->bytes);
    vote->acceptors |= 1u << acceptor;
    if ((uint32_t) __builtin_popcount (vote->acceptors) < self->acceptors / 2 + 1)
        return SYNOD_OK;
    if (self->chosen && self->chosen != value)
        return synod_fault (fault, SYNOD_FAILED, "two values are chosen: \"%.*s\", \"%.*s\"", (int) self->chosen->size,
                            self->chosen->bytes, (int) value->size, value->bytes);
    self->chosen = value;
    return SYNOD_OK;
}

int synod__paxos_check (synod__paxos_check_t *self, uint32_t acceptor, const synod__paxos_record_t *record,
                        synod_fault_t *fault)
{
    assert (acceptor < self->acceptors);
    if (synod__ballot_compare (&record->promised, &self->promised[acceptor]) < 0)
        return synod_fault (fault, SYNOD_FAILED,
                            "acceptor %u promised the round %" PRIu64 " and now has %" PRIu64 " on its disk", acceptor,
                            self->promised[acceptor].round, record->promised.round);
    self->promised[acceptor] = record->promised;
    if (synod__ballot_compare (&record->accepted, &record->promised) > 0)
        return synod_fault (fault, SYNOD_FAILED, "acceptor %u accepted the round %" PRIu64 " and promised %" PRIu64,
                            acceptor, record->accepted.round, record->promised.round);
    return record->accepted.round ? s_vote (self, acceptor, record, fault) : SYNOD_OK;
}

int synod__paxos_check_learned (synod__paxos_check_t *self, synod_str_t value, synod_fault_t *fault)
{
    synod_str_t chosen = synod__paxos_check_chosen (self);
    if (!chosen.data)
        return synod_fault (fault, SYNOD_FAILED, "\"%.*s\" was learned, and nothing is chosen", SYNOD_STR (value));
    if (!synod_str_same (chosen, value))
        return synod_fault (fault, SYNOD_FAILED, "\"%.*s\" was learned, and \"%.*s\" is chosen", SYNOD_STR (value),
                            SYNOD_STR (chosen));
    return SYNOD_OK;
}

synod_str_t synod__paxos_check_chosen (const synod__paxos_check_t *self)
{
    return self->chosen ? synod_str_n (self->chosen->bytes, self->chosen->size) : synod_str_n (NULL, 0);
}
