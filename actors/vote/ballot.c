/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `ballot`, unplaced: asks each voter, counts, and answers as soon as the result is clear. A poll is in memory
 * until then; who asked learns of a node that died as of any ask.
 */
#include "ballot.h"
#include <stdio.h>
#include <stdlib.h>
#include "protocol/address.h"
#include "protocol/text.h"

typedef struct {
    char *address; /* owned */
    uint64_t weight;
    char vote; /* 'y', 'n' or 0 */
    char why[SYNOD_FAULT_MAX];
} s_voter_t;

typedef struct s_poll {
    struct s_poll *next;
    uint64_t id;
    synod_call_t call;
    uint64_t need, total, yes, no;
    uint32_t count, waiting;
    s_voter_t voters[];
} s_poll_t;

typedef struct {
    s_poll_t *polls;
    uint32_t count;
    uint64_t last_id;
} s_state_t;

/* ---- counting ---- */

int synod__ballot_need (synod_str_t rule, uint64_t need, uint64_t total, uint64_t *out, synod_fault_t *fault)
{
    if (!rule.size || synod_str_is (rule, "majority"))
        *out = total / 2 + 1;
    else if (synod_str_is (rule, "all"))
        *out = total;
    else if (synod_str_is (rule, "least"))
        *out = need;
    else
        return synod_fault (fault, SYNOD_INVALID, "expected the rule all, majority or least, got \"%.*s\"",
                            SYNOD_STR (rule));
    if (*out < 1 || *out > total)
        return synod_fault (fault, SYNOD_INVALID, "expected a need of 1 to %llu, all weights together, got %llu",
                            (unsigned long long) total, (unsigned long long) *out);
    return SYNOD_OK;
}

synod__ballot_result_t synod__ballot_count (uint64_t need, uint64_t total, uint64_t yes, uint64_t no, bool over)
{
    if (yes >= need)
        return SYNOD__BALLOT_PASSED;
    return over || total - no < need ? SYNOD__BALLOT_FAILED : SYNOD__BALLOT_OPEN;
}

/* ---- polls ---- */

static void s_end (s_state_t *self, s_poll_t *poll)
{
    s_poll_t **at = &self->polls;
    while (*at != poll)
        at = &(*at)->next;
    *at = poll->next;
    self->count--;
    for (uint32_t i = 0; i < poll->count; i++)
        free (poll->voters[i].address);
    free (poll);
}

static int s_answer (synod_ctx_t *ctx, s_state_t *self, s_poll_t *poll, bool passed)
{
    synod_buf_t items = {0};
    synod__txn_result_t out = {
        .passed = passed, .yes = poll->yes, .no = poll->no, .missing = poll->total - poll->yes - poll->no};
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < poll->count && rc == SYNOD_OK; i++) {
        const s_voter_t *voter = &poll->voters[i];
        synod__txn_voice_t voice = {.who = synod_str (voter->address),
                                    .vote = synod_str (voter->vote == 'y'   ? "yes"
                                                       : voter->vote == 'n' ? "no"
                                                                            : "none"),
                                    .weight = voter->weight};
        if (voter->why[0])
            voice.why = synod_str (voter->why);
        rc = synod_list_add (&out.voices, &items, &synod__txn_voice_record, &voice, NULL);
    }
    if (rc == SYNOD_OK)
        rc = synod_reply (ctx, poll->call, &synod__txn_result_record, &out);
    synod_buf_free (&items);
    s_end (self, poll);
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc; /* its asker's time is over */
}

static int s_on_opinion (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    s_state_t *self = (s_state_t *) state;
    s_poll_t *poll = self->polls;
    synod__txn_opinion_t opinion;
    synod_fault_t fault = {0};
    while (poll && poll->id != arg / SYNOD__BALLOT_VOTERS_MAX)
        poll = poll->next;
    if (!poll) /* its result was clear before */
        return SYNOD_OK;
    s_voter_t *voter = &poll->voters[arg % SYNOD__BALLOT_VOTERS_MAX];
    if (reply->code != SYNOD_OK)
        snprintf (voter->why, sizeof voter->why, "%.*s", SYNOD_STR (reply->message));
    else if (synod_record_unpack (&synod__txn_opinion_record, reply->body, &opinion, &fault) != SYNOD_OK)
        snprintf (voter->why, sizeof voter->why, "it answered no opinion: %.180s", fault.text);
    else {
        voter->vote = synod_str_is (opinion.vote, "yes") ? 'y' : synod_str_is (opinion.vote, "no") ? 'n' : 0;
        snprintf (voter->why, sizeof voter->why, "%.*s", SYNOD_STR (opinion.why));
    }
    poll->waiting--;
    poll->yes += voter->vote == 'y' ? voter->weight : 0;
    poll->no += voter->vote == 'n' ? voter->weight : 0;
    synod__ballot_result_t result =
        synod__ballot_count (poll->need, poll->total, poll->yes, poll->no, poll->waiting == 0);
    return result == SYNOD__BALLOT_OPEN ? SYNOD_OK : s_answer (ctx, self, poll, result == SYNOD__BALLOT_PASSED);
}

static int s_take_voters (synod_ctx_t *ctx, s_poll_t *poll, synod_list_t list)
{
    synod__txn_voter_t one;
    synod_address_t address;
    synod_fault_t fault = {0};
    while (synod_list_next (&list, &synod__txn_voter_record, &one)) {
        if (synod__address_parse (one.to, &address, &fault) != SYNOD_OK)
            return synod_error (ctx, SYNOD_INVALID, "%s", fault.text);
        for (uint32_t i = 0; i < poll->count; i++)
            if (synod_str_is (one.to, poll->voters[i].address))
                return synod_error (ctx, SYNOD_INVALID, "expected each voter once, got %.*s twice", SYNOD_STR (one.to));
        s_voter_t *voter = &poll->voters[poll->count++];
        voter->address = strndup (one.to.data, one.to.size);
        if (!voter->address)
            return SYNOD_NO_MEMORY;
        voter->weight = one.weight ? one.weight : 1;
        snprintf (voter->why, sizeof voter->why, "it had not voted when the result was clear");
        poll->total += voter->weight;
    }
    return SYNOD_OK;
}

static int s_begin (synod_ctx_t *ctx, s_poll_t *poll, const synod__txn_poll_t *in)
{
    synod_fault_t fault = {0};
    uint32_t deadline_ms = in->deadline_ms ? (uint32_t) in->deadline_ms : SYNOD__BALLOT_MS;
    int rc = s_take_voters (ctx, poll, in->voters);
    if (rc == SYNOD_OK && synod__ballot_need (in->rule, in->need, poll->total, &poll->need, &fault) != SYNOD_OK)
        rc = synod_error (ctx, SYNOD_INVALID, "%s", fault.text);
    for (uint32_t i = 0; i < poll->count && rc == SYNOD_OK; i++)
        rc = synod_ask_body (ctx, poll->voters[i].address, in->method, in->question, SYNOD_IDEMPOTENT, deadline_ms,
                             s_on_opinion, poll->id * SYNOD__BALLOT_VOTERS_MAX + i);
    poll->waiting = poll->count;
    return rc;
}

static int s_on_poll (synod_ctx_t *ctx, void *state, const synod__txn_poll_t *in, synod_call_t call)
{
    s_state_t *self = (s_state_t *) state;
    uint32_t count = in->voters.count;
    if (!call.id)
        return SYNOD_OK; /* nobody wants to know */
    if (count < 1 || count > SYNOD__BALLOT_VOTERS_MAX)
        return synod_error (ctx, SYNOD_TOO_LARGE, "a poll has 1 to %d voters, this one has %u",
                            SYNOD__BALLOT_VOTERS_MAX, count);
    if (self->count >= SYNOD__BALLOT_POLLS_MAX)
        return synod_error (ctx, SYNOD_BUSY, "%d polls are under way on this node", SYNOD__BALLOT_POLLS_MAX);
    s_poll_t *poll = (s_poll_t *) calloc (1, sizeof *poll + count * sizeof poll->voters[0]);
    if (!poll)
        return SYNOD_NO_MEMORY;
    poll->id = ++self->last_id;
    poll->call = call;
    poll->next = self->polls;
    self->polls = poll;
    self->count++;
    int rc = s_begin (ctx, poll, in);
    if (rc != SYNOD_OK)
        s_end (self, poll);
    return rc;
}

static void s_fini (synod_ctx_t *ctx, void *state)
{
    s_state_t *self = (s_state_t *) state;
    (void) ctx;
    while (self->polls)
        s_end (self, self->polls);
}

const synod_actor_t synod__ballot_actor = {
    .name = SYNOD__BALLOT_ACTOR,
    .doc = "has actors vote on something, and says who voted what",
    .state_size = sizeof (s_state_t),
    .fini = s_fini,
    .routes = (const synod_route_t[]){SYNOD_ON (synod__txn_poll, s_on_poll), SYNOD_END},
};
