/* SPDX-License-Identifier: MPL-2.0
 *
 * Words of voting, and what is common to its steps.
 */
#include <assert.h>
#include "vote_parts.h"

#define S_FIRST_MS  200 /* how long to wait for an answer at first; it doubles ... */
#define S_DOUBLINGS 4   /* ... this often */

#ifdef SYNOD_VOTE_MUTANTS
synod__vote_mutant_t synod__vote_mutant;
#endif

const synod__ballot_t synod__vote_ballot_0 = {.round = 1}; /* of no store */

/* ---- words ---- */

static const char *const s_protocols[] = {"", "2pc", "3pc", "paxos", "parallel"};
static const char *const s_votes[] = {"none", "yes", "no", "empty"};
static const char *const s_outcomes[] = {"none", "committed", "aborted"};
static const char *const s_states[] = {"idle", "prepared", "precommitted", "committed", "aborted", "empty"};
static const char *const s_kinds[] = {"",    "prepare", "vote",  "precommit", "precommitted", "decided",
                                      "ack", "ask",     "state", "paxos",     "forget"};

static uint32_t s_find (const char *const *words, uint32_t count, synod_str_t word)
{
    for (uint32_t i = 0; i < count; i++)
        if (words[i][0] && synod_str_is (word, words[i]))
            return i;
    return 0;
}
#define FIND(words, word) s_find (words, sizeof (words) / sizeof *(words), word)

const char *synod__vote_protocol_name (synod__vote_protocol_t protocol)
{
    return s_protocols[protocol];
}

synod__vote_protocol_t synod__vote_protocol (synod_str_t name)
{
    return (synod__vote_protocol_t) FIND (s_protocols, name);
}

const char *synod__vote_name (synod__vote_t vote)
{
    return s_votes[vote];
}

synod__vote_t synod__vote (synod_str_t name)
{
    return (synod__vote_t) FIND (s_votes, name);
}

const char *synod__outcome_name (synod__outcome_t outcome)
{
    return s_outcomes[outcome];
}

synod__outcome_t synod__outcome (synod_str_t name)
{
    return (synod__outcome_t) FIND (s_outcomes, name);
}

const char *synod__party_state_name (synod__party_state_t state)
{
    return s_states[state];
}

synod__party_state_t synod__party_state (synod_str_t name)
{
    return (synod__party_state_t) FIND (s_states, name);
}

const char *synod__vote_kind_name (synod__vote_kind_t kind)
{
    return s_kinds[kind];
}

synod__vote_kind_t synod__vote_kind (synod_str_t name)
{
    return (synod__vote_kind_t) FIND (s_kinds, name);
}

synod_str_t synod__vote_value (synod__vote_t vote)
{
    return synod_str (vote == SYNOD__VOTE_NO ? "no" : "yes");
}

synod__vote_t synod__vote_of_value (synod_str_t value)
{
    return synod_str_is (value, "yes")  ? SYNOD__VOTE_YES
           : synod_str_is (value, "no") ? SYNOD__VOTE_NO
                                        : SYNOD__VOTE_NONE;
}

/* ---- steps ---- */

const synod__vote_ops_t *synod__vote_ops (synod__vote_protocol_t protocol)
{
    return protocol == SYNOD__VOTE_2PC        ? &synod__vote_2pc
           : protocol == SYNOD__VOTE_3PC      ? &synod__vote_3pc
           : protocol == SYNOD__VOTE_PARALLEL ? &synod__vote_parallel
                                              : &synod__vote_paxos;
}

void synod__vote_step_clear (synod__vote_step_t *out)
{
    /* the messages are cleared as they are added */
    out->write = SYNOD__WRITE_NOTHING;
    out->nsends = 0;
    out->wait_ms = 0;
    out->decided = SYNOD__OUTCOME_NONE;
    out->contradicts = out->ended = out->early = false;
    out->code = SYNOD_OK;
    out->error = NULL;
}

static synod__vote_message_t *s_send (synod__vote_role_t role, uint32_t bits, synod__vote_kind_t kind,
                                      synod__vote_step_t *out)
{
    assert (out->nsends < SYNOD__VOTE_SENDS_MAX);
    synod__vote_send_t *send = &out->sends[out->nsends];
    out->nsends += bits != 0;
    memset (send, 0, sizeof *send);
    send->role = role;
    send->bits = bits;
    send->message.kind = kind;
    return &send->message;
}

synod__vote_message_t *synod__party_send (const synod__party_t *self, synod__vote_role_t role, uint32_t bits,
                                          synod__vote_kind_t kind, synod__vote_step_t *out)
{
    synod__vote_message_t *message = s_send (role, bits, kind, out);
    message->role = SYNOD__ROLE_PARTY;
    message->from = self->index;
    return message;
}

synod__vote_message_t *synod__coordinator_send (synod__vote_role_t role, uint32_t bits, synod__vote_kind_t kind,
                                                synod__vote_step_t *out)
{
    return s_send (role, bits, kind, out);
}

void synod__vote_write (synod__vote_write_t write, synod__vote_step_t *out)
{
    if (write > out->write)
        out->write = write;
}

uint32_t synod__vote_wait_ms (uint32_t tries, uint64_t random)
{
    uint32_t wait_ms = S_FIRST_MS << (tries < S_DOUBLINGS ? tries : S_DOUBLINGS);
    return wait_ms + (uint32_t) (random % wait_ms);
}
