/* SPDX-License-Identifier: MPL-2.0
 *
 * Efforts: each ask to propose or to get is one proposer of the core, for its key and in memory alone. It ends with an
 * answer, or shortly before its asker's deadline with a sentence that says who did not answer.
 *
 * Invariants: a round is in the batch of the handler that uses it first; every effort has a timer until it ends.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "paxos_actor_parts.h"
#include "actors/runtime/runtime.h"

#define S_EARLY_MS 250 /* so long before the deadline the answer has to leave, or an eighth of the time */

struct synod__paxos_effort_t {
    synod__paxos_effort_t *next;
    uint64_t id; /* what its timers bring back */
    synod_call_t call;
    synod__proposer_t proposer;
    synod_timer_t timer;    /* the proposer's */
    synod_timer_t deadline; /* the asker's */
    uint32_t key_size;
    char key[SYNOD_KEY_MAX];
};

/* Names of the acceptors in BITS. */
static const char *s_names (const synod__paxos_set_t *set, uint32_t bits, char *room, size_t size)
{
    size_t used = 0;
    room[0] = 0;
    for (uint32_t i = 0; i < set->count && used < size; i++)
        if (bits & 1u << i)
            used += (size_t) snprintf (room + used, size - used, "%s%s", used ? ", " : "", set->acceptors[i].name);
    return room;
}

static synod__paxos_effort_t *s_find (const synod__paxos_state_t *self, uint64_t id)
{
    synod__paxos_effort_t *at = self->efforts;
    while (at && at->id != id)
        at = at->next;
    return at;
}

static void s_free (synod__paxos_state_t *self, synod__paxos_effort_t *effort)
{
    synod__paxos_effort_t **at = &self->efforts;
    while (*at != effort)
        at = &(*at)->next;
    *at = effort->next;
    self->nefforts--;
    synod__proposer_free (&effort->proposer);
    free (effort);
}

static void s_end (synod_ctx_t *ctx, synod__paxos_state_t *self, synod__paxos_effort_t *effort)
{
    synod_cancel (ctx, effort->timer);
    synod_cancel (ctx, effort->deadline);
    s_free (self, effort);
}

/* A call that is over meanwhile is no mistake: what was chosen stays chosen. */
static void s_decided (synod_ctx_t *ctx, synod_call_t call, synod_str_t value, bool own)
{
    if (call.id)
        synod_reply (ctx, call, &synod__paxos_decided_record, &(synod__paxos_decided_t){.value = value, .own = own});
}

static void s_answer (synod_ctx_t *ctx, const synod__paxos_state_t *self, const synod__paxos_effort_t *effort,
                      const synod__proposer_step_t *step)
{
    const synod__proposer_t *proposer = &effort->proposer;
    synod_str_t key = synod_str_n (effort->key, effort->key_size);
    char names[SYNOD_FAULT_MAX / 2];
    if (step->code == SYNOD_OK) {
        synod_str_t own = synod_str_n (proposer->own.data, proposer->own.size);
        s_decided (ctx, effort->call, step->value, proposer->proposes && synod_str_same (own, step->value));
    } else if (step->code == SYNOD_NOT_FOUND)
        synod_reply_error (ctx, effort->call, SYNOD_NOT_FOUND, "no value has been chosen for %.*s", SYNOD_STR (key));
    else if (step->code == SYNOD_REFUSED && proposer->strangers)
        synod_reply_error (ctx, effort->call, SYNOD_REFUSED,
                           "no majority of the %u acceptors is left: wiped, or told of another set: %s",
                           self->set.count, s_names (&self->set, proposer->strangers, names, sizeof names));
    else
        synod_reply_error (ctx, effort->call, step->code, "%s",
                           step->code == SYNOD_REFUSED ? "no round is left" : synod_error_meaning (step->code));
}

static int s_on_timer (synod_ctx_t *ctx, void *state, uint64_t id);

/* What a step says. Ends EFFORT when the step is its last. */
static int s_perform (synod_ctx_t *ctx, synod__paxos_state_t *self, synod__paxos_effort_t *effort,
                      const synod__proposer_step_t *step)
{
    int rc = SYNOD_OK;
    if (step->write)
        rc = synod__paxos_put_round (ctx, step->round);
    for (uint32_t i = 0; i < self->set.count; i++)
        if (step->to & 1u << i)
            synod__paxos_tell (ctx, synod_str (self->set.acceptors[i].name),
                               synod_str_n (effort->key, effort->key_size), &step->message);
    if (rc == SYNOD_OK && step->wait_ms && !step->done) {
        synod_cancel (ctx, effort->timer);
        rc = synod_after (ctx, step->wait_ms, s_on_timer, effort->id, &effort->timer);
    }
    if (step->done) {
        s_answer (ctx, self, effort, step);
        s_end (ctx, self, effort);
    }
    return rc;
}

static int s_on_timer (synod_ctx_t *ctx, void *state, uint64_t id)
{
    synod__paxos_state_t *self = (synod__paxos_state_t *) state;
    synod__paxos_effort_t *effort = s_find (self, id);
    synod__proposer_step_t step;
    if (!effort)
        return SYNOD_OK;
    synod__proposer_timer (&effort->proposer, synod_random (ctx), &step);
    return s_perform (ctx, self, effort, &step);
}

static int s_on_deadline (synod_ctx_t *ctx, void *state, uint64_t id)
{
    synod__paxos_state_t *self = (synod__paxos_state_t *) state;
    synod__paxos_effort_t *effort = s_find (self, id);
    char names[SYNOD_FAULT_MAX / 2];
    if (!effort)
        return SYNOD_OK;
    const synod__proposer_t *proposer = &effort->proposer;
    uint32_t silent = ((1u << self->set.count) - 1) & ~proposer->answered;
    const char *outcome =
        proposer->proposes ? "whether a value was chosen is not known" : "so what was chosen is not known";
    if ((uint32_t) __builtin_popcount (proposer->answered) < synod__paxos_majority (&self->set))
        synod_reply_error (ctx, effort->call, SYNOD_TIMEOUT,
                           "no majority of the %u acceptors answered in time (not: %s); %s", self->set.count,
                           s_names (&self->set, silent, names, sizeof names), outcome);
    else
        synod_reply_error (ctx, effort->call, SYNOD_TIMEOUT, "other proposals were in the way all the time; %s",
                           outcome);
    s_end (ctx, self, effort);
    return SYNOD_OK;
}

int synod__paxos_effort (synod_ctx_t *ctx, synod__paxos_state_t *self, synod_str_t key, synod_str_t value,
                         synod_call_t call)
{
    synod__paxos_record_t stored;
    synod__proposer_step_t step;
    bool there;
    int rc = synod__paxos_ready (ctx, self);
    if (rc == SYNOD_OK && key.size == 0)
        rc = synod_error (ctx, SYNOD_INVALID, "expected a key of 1 to %d bytes, got none", SYNOD_KEY_MAX);
    if (rc == SYNOD_OK)
        rc = synod__paxos_stored (ctx, key, &stored, &there);
    if (rc != SYNOD_OK)
        return rc;
    if (stored.chosen) { /* known here */
        s_decided (ctx, call, stored.value, value.data && synod_str_same (value, stored.value));
        return SYNOD_OK;
    }
    if (self->nefforts >= SYNOD__PAXOS_EFFORTS_MAX)
        return synod_error (ctx, SYNOD_BUSY, "%u proposals and questions are under way on %s already", self->nefforts,
                            synod_node (ctx));
    synod__paxos_effort_t *effort = (synod__paxos_effort_t *) calloc (1, sizeof *effort);
    if (!effort)
        return synod_error (ctx, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
    effort->id = ++self->last_id;
    effort->call = call;
    effort->key_size = key.size;
    memcpy (effort->key, key.data, key.size);
    effort->next = self->efforts;
    self->efforts = effort;
    self->nefforts++;
    uint32_t left_ms = call.id ? synod__ctx_left_ms (ctx, call) : SYNOD_ASK_MS;
    left_ms -= left_ms / 8 < S_EARLY_MS ? left_ms / 8 : S_EARLY_MS;
    rc = synod_after (ctx, left_ms, s_on_deadline, effort->id, &effort->deadline);
    synod__proposer_begin (&effort->proposer, &self->set, &self->self, &self->round, value, synod_random (ctx), &step);
    int performed = s_perform (ctx, self, effort, &step);
    return rc == SYNOD_OK ? performed : rc;
}

int synod__paxos_efforts_take (synod_ctx_t *ctx, synod__paxos_state_t *self, synod_str_t key,
                               const synod__paxos_message_t *message)
{
    synod__proposer_step_t step;
    int rc = SYNOD_OK;
    for (synod__paxos_effort_t *at = self->efforts, *next; at && rc == SYNOD_OK; at = next) {
        next = at->next;
        if (!synod_str_same (synod_str_n (at->key, at->key_size), key))
            continue;
        synod__proposer_take (&at->proposer, message, synod_random (ctx), &step);
        rc = s_perform (ctx, self, at, &step);
    }
    return rc;
}

void synod__paxos_efforts_free (synod__paxos_state_t *self)
{
    while (self->efforts)
        s_free (self, self->efforts);
}
