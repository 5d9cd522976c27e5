/* SPDX-License-Identifier: MPL-2.0
 *
 * How a set of acceptors comes about. Whoever is asked to `init` asks each of them for its store and the set that it has
 * recorded (status), has all record the set (adopt), and when all have, tells them to use it (begin).
 *
 * Invariants: an acceptor records one set in its life. None acts for a set before all of the set have recorded it: so of
 * two sets that share an acceptor, asked for at the same time, at most one is ever used. Every step may be repeated, so
 * an init that was cut short is finished by another one.
 */
#include <stdio.h>
#include <stdlib.h>
#include "paxos_actor_parts.h"
#include "actors/runtime/runtime.h"
#include "protocol/address.h"

#define S_ASK_MS   1000 /* then an acceptor is asked again, */
#define S_AGAIN_MS 50   /* and so long after it was not to be reached */
#define S_EARLY_MS 250  /* so long before the deadline the answer has to leave, or an eighth of the time */

typedef enum { S_ASKING, S_RECORDING, S_BEGINNING } s_phase_t;

struct synod__paxos_making_t {
    uint64_t id;
    synod_call_t call;
    s_phase_t phase;
    synod_timer_t deadline;
    uint32_t count;
    uint32_t answered; /* bits, in this phase */
    bool begun;        /* all of them had begun already */
    synod__paxos_set_t set;
    synod__acceptor_name_t wanted[SYNOD__ACCEPTORS_MAX]; /* the ids as they are answered */
    synod__paxos_set_t recorded[SYNOD__ACCEPTORS_MAX];   /* by each; count 0: none */
    int last[SYNOD__ACCEPTORS_MAX];                      /* why each did not answer */
};

int synod__paxos_list (const synod__paxos_set_t *set, synod_list_t *list, synod_buf_t *items)
{
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < set->count && rc == SYNOD_OK; i++) {
        const synod__acceptor_name_t *one = &set->acceptors[i];
        synod__paxos_acceptor_t out = {.node = synod_str (one->name),
                                       .store = synod_str_n (one->id.bytes, sizeof one->id.bytes)};
        rc = synod_list_add (list, items, &synod__paxos_acceptor_record, &out, NULL);
    }
    return rc;
}

static bool s_odd (synod_list_t list)
{
    return list.count % 2 == 1 && list.count <= SYNOD__ACCEPTORS_MAX;
}

/* A set as it came from another node. SYNOD_INVALID with a sentence. */
static int s_set_of (synod_list_t list, synod__paxos_set_t *set, synod_fault_t *fault)
{
    synod__acceptor_name_t all[SYNOD__ACCEPTORS_MAX] = {{{0}, {{0}}}};
    synod__paxos_acceptor_t one;
    uint32_t count = list.count;
    if (!s_odd (list))
        return synod_fault (fault, SYNOD_INVALID, "expected an odd number of acceptors from 1 to %d, got %u",
                            SYNOD__ACCEPTORS_MAX, count);
    for (uint32_t i = 0; synod_list_next (&list, &synod__paxos_acceptor_record, &one); i++) {
        if (one.store.size != SYNOD__STORE_ID_SIZE)
            return synod_fault (fault, SYNOD_INVALID, "expected %d bytes as the id of a store, got %u",
                                SYNOD__STORE_ID_SIZE, one.store.size);
        memcpy (all[i].name, one.node.data, one.node.size);
        memcpy (all[i].id.bytes, one.store.data, SYNOD__STORE_ID_SIZE);
    }
    return synod__paxos_set_make (set, all, count, fault);
}

/* ---- each acceptor ---- */

int synod__paxos_on_adopt (synod_ctx_t *ctx, void *state, const synod__paxos_adopt_t *in, synod_call_t call)
{
    synod__paxos_state_t *self = (synod__paxos_state_t *) state;
    synod__paxos_set_t set;
    synod_fault_t fault = {0};
    if (s_set_of (in->acceptors, &set, &fault) != SYNOD_OK)
        return synod_error (ctx, SYNOD_INVALID, "%s", fault.text);
    int rc = synod__paxos_set_admits (&set, self->self.name, &self->self.id, &fault);
    if (rc == SYNOD_REFUSED && SYNOD__PAXOS_MUTANT (WIPED_COUNTED))
        rc = SYNOD_OK;
    if (rc == SYNOD_OK && self->set.count)
        rc = synod__paxos_set_same (&self->set, &set, &fault);
    if (rc != SYNOD_OK)
        return synod_error (ctx, SYNOD_REFUSED, "%s", fault.text);
    if (!self->set.count)
        rc = synod__paxos_put_set (ctx, self, &set);
    if (rc == SYNOD_OK && call.id)
        synod_reply (ctx, call, &synod__paxos_ready_record, &(synod__paxos_ready_t){0});
    return rc;
}

int synod__paxos_on_begin (synod_ctx_t *ctx, void *state, const synod__paxos_begin_t *in, synod_call_t call)
{
    synod__paxos_state_t *self = (synod__paxos_state_t *) state;
    if (!self->set.count || self->set.digest != in->set)
        return synod_error (ctx, SYNOD_REFUSED, "%s has recorded %s", synod_node (ctx),
                            self->set.count ? "other acceptors" : "no acceptors");
    int rc = synod__paxos_put_begun (ctx, self);
    if (rc == SYNOD_OK && call.id)
        synod_reply (ctx, call, &synod__paxos_ready_record, &(synod__paxos_ready_t){0});
    return rc;
}

/* ---- who makes it ---- */

static int s_ask (synod_ctx_t *ctx, synod__paxos_making_t *making, uint32_t i);

/* What continuations and timers bring back: so that those of an earlier phase, or of another init, are known. */
static uint64_t s_arg (const synod__paxos_making_t *making, uint32_t i)
{
    return making->id << 8 | (uint64_t) making->phase << 4 | i;
}

static synod__paxos_making_t *s_of (const synod__paxos_state_t *self, uint64_t arg)
{
    synod__paxos_making_t *making = self->making;
    return making && s_arg (making, (uint32_t) arg & 15) == arg && !(making->answered & 1u << (arg & 15)) ? making
                                                                                                          : NULL;
}

static void s_end (synod_ctx_t *ctx, synod__paxos_state_t *self)
{
    synod_cancel (ctx, self->making->deadline);
    synod__paxos_making_free (self);
}

static int s_made (synod_ctx_t *ctx, synod__paxos_state_t *self)
{
    synod__paxos_making_t *making = self->making;
    synod__paxos_made_t out = {.again = making->begun};
    synod_buf_t items = {0};
    int rc = synod__paxos_list (&making->set, &out.acceptors, &items);
    if (rc == SYNOD_OK && making->call.id)
        synod_reply (ctx, making->call, &synod__paxos_made_record, &out);
    synod_buf_free (&items);
    s_end (ctx, self);
    return rc;
}

static int s_enter (synod_ctx_t *ctx, synod__paxos_making_t *making, s_phase_t phase)
{
    int rc = SYNOD_OK;
    making->phase = phase;
    making->answered = 0;
    for (uint32_t i = 0; i < making->count && rc == SYNOD_OK; i++)
        rc = s_ask (ctx, making, i);
    return rc;
}

/* All have said which store they have: nothing is recorded anywhere if one of them has recorded something else. */
static int s_compare (synod_ctx_t *ctx, synod__paxos_state_t *self)
{
    synod__paxos_making_t *making = self->making;
    synod_fault_t fault = {0};
    if (synod__paxos_set_make (&making->set, making->wanted, making->count, &fault) != SYNOD_OK) {
        synod_reply_error (ctx, making->call, SYNOD_INVALID, "%s", fault.text);
        s_end (ctx, self);
        return SYNOD_OK;
    }
    for (uint32_t i = 0; i < making->count; i++) {
        if (!making->recorded[i].count)
            continue;
        if (SYNOD__PAXOS_MUTANT (WIPED_COUNTED) && making->recorded[i].count == making->count) {
            making->set = making->recorded[i];
            continue;
        }
        if (synod__paxos_set_same (&making->recorded[i], &making->set, &fault) == SYNOD_OK)
            continue;
        synod_reply_error (ctx, making->call, SYNOD_REFUSED, "%s has recorded other acceptors: %s",
                           making->wanted[i].name, fault.text);
        s_end (ctx, self);
        return SYNOD_OK;
    }
    return making->begun ? s_made (ctx, self) : s_enter (ctx, making, S_RECORDING);
}

/* SYNOD_OK, or the sentence is in FAULT. */
static int s_take_status (synod__paxos_making_t *making, uint32_t i, const synod_reply_t *reply, synod_fault_t *fault)
{
    synod__paxos_status_is_t in;
    int rc = synod_record_unpack (&synod__paxos_status_is_record, reply->body, &in, fault);
    if (rc == SYNOD_OK && in.store.size != SYNOD__STORE_ID_SIZE)
        rc = synod_fault (fault, SYNOD_BAD_REQUEST, "expected %d bytes as the id of a store, got %u",
                          SYNOD__STORE_ID_SIZE, in.store.size);
    if (rc == SYNOD_OK && in.acceptors.count)
        rc = s_set_of (in.acceptors, &making->recorded[i], fault);
    if (rc != SYNOD_OK)
        return rc;
    memcpy (making->wanted[i].id.bytes, in.store.data, SYNOD__STORE_ID_SIZE);
    making->begun = making->begun && in.begun;
    return SYNOD_OK;
}

static int s_on_again (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod__paxos_making_t *making = s_of ((synod__paxos_state_t *) state, arg);
    return making ? s_ask (ctx, making, (uint32_t) arg & 15) : SYNOD_OK;
}

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    synod__paxos_state_t *self = (synod__paxos_state_t *) state;
    synod__paxos_making_t *making = s_of (self, arg);
    synod_fault_t fault = {0};
    uint32_t i = (uint32_t) arg & 15;
    if (!making)
        return SYNOD_OK;
    switch (reply->code) {
    case SYNOD_OK:
        break;
    case SYNOD_NO_ROUTE:
    case SYNOD_NODE_DOWN:
    case SYNOD_BUSY:
    case SYNOD_STOPPED:
    case SYNOD_TIMEOUT:
        making->last[i] = reply->code;
        return synod_after (ctx, S_AGAIN_MS, s_on_again, arg, NULL);
    default:
        synod_reply_error (ctx, making->call, reply->code, "%s: %.*s", making->wanted[i].name,
                           SYNOD_STR (reply->message));
        s_end (ctx, self);
        return SYNOD_OK;
    }
    if (making->phase == S_ASKING && s_take_status (making, i, reply, &fault) != SYNOD_OK) {
        synod_reply_error (ctx, making->call, fault.code, "%s: %s", making->wanted[i].name, fault.text);
        s_end (ctx, self);
        return SYNOD_OK;
    }
    making->answered |= 1u << i;
    if ((uint32_t) __builtin_popcount (making->answered) < making->count)
        return SYNOD_OK;
    if (making->phase == S_ASKING)
        return s_compare (ctx, self);
    return making->phase == S_RECORDING ? s_enter (ctx, making, S_BEGINNING) : s_made (ctx, self);
}

static int s_ask (synod_ctx_t *ctx, synod__paxos_making_t *making, uint32_t i)
{
    char to[SYNOD_NAME_MAX + sizeof "/" SYNOD__PAXOS_ACTOR];
    snprintf (to, sizeof to, "%s/" SYNOD__PAXOS_ACTOR, making->wanted[i].name);
    if (making->phase == S_ASKING)
        return synod_ask (ctx, to, &synod__paxos_status_record, &(synod__paxos_status_t){0}, S_ASK_MS, s_on_reply,
                          s_arg (making, i));
    if (making->phase == S_BEGINNING)
        return synod_ask (ctx, to, &synod__paxos_begin_record, &(synod__paxos_begin_t){.set = making->set.digest},
                          S_ASK_MS, s_on_reply, s_arg (making, i));
    synod__paxos_adopt_t adopt = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    int rc = synod__paxos_list (&making->set, &adopt.acceptors, &items);
    if (rc == SYNOD_OK)
        rc = synod_ask (ctx, to, &synod__paxos_adopt_record, &adopt, S_ASK_MS, s_on_reply, s_arg (making, i));
    synod_buf_free (&items);
    return rc;
}

static int s_on_deadline (synod_ctx_t *ctx, void *state, uint64_t id)
{
    synod__paxos_state_t *self = (synod__paxos_state_t *) state;
    synod__paxos_making_t *making = self->making;
    if (!making || making->id != id)
        return SYNOD_OK;
    uint32_t silent = 0;
    while (making->answered & 1u << silent)
        silent++;
    int why = making->last[silent] ? making->last[silent] : SYNOD_TIMEOUT;
    synod_reply_error (ctx, making->call, why == SYNOD_NO_ROUTE ? SYNOD_NO_ROUTE : SYNOD_TIMEOUT, "%s/paxos: %s; %s",
                       making->wanted[silent].name, synod_error_meaning (why),
                       making->phase == S_ASKING ? "nothing was recorded"
                                                 : "some have recorded the set: the same init again goes on with it");
    s_end (ctx, self);
    return SYNOD_OK;
}

/* Reads whom IN names into WANTED. */
static int s_wanted (synod_ctx_t *ctx, const synod__paxos_init_t *in, synod__acceptor_name_t *wanted)
{
    synod_list_t list = in->acceptors;
    synod__paxos_acceptor_t one;
    if (!s_odd (list))
        return synod_error (ctx, SYNOD_INVALID, "expected an odd number of acceptors from 1 to %d, got %u",
                            SYNOD__ACCEPTORS_MAX, list.count);
    for (uint32_t i = 0; synod_list_next (&list, &synod__paxos_acceptor_record, &one); i++) {
        if (!synod__name_ok (one.node, false))
            return synod_error (ctx, SYNOD_INVALID, "expected the name of a node, got the acceptor \"%.*s\"",
                                SYNOD_STR (one.node));
        memcpy (wanted[i].name, one.node.data, one.node.size);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp (wanted[i].name, wanted[j].name) == 0)
                return synod_error (ctx, SYNOD_INVALID, "expected distinct acceptors, got %s twice", wanted[i].name);
    }
    return SYNOD_OK;
}

int synod__paxos_on_init (synod_ctx_t *ctx, void *state, const synod__paxos_init_t *in, synod_call_t call)
{
    synod__paxos_state_t *self = (synod__paxos_state_t *) state;
    synod__acceptor_name_t wanted[SYNOD__ACCEPTORS_MAX] = {{{0}, {{0}}}};
    int rc = s_wanted (ctx, in, wanted);
    if (rc != SYNOD_OK)
        return rc;
    if (self->making)
        return synod_error (ctx, SYNOD_BUSY, "another init is under way on %s", synod_node (ctx));
    synod__paxos_making_t *making = (synod__paxos_making_t *) calloc (1, sizeof *making);
    if (!making)
        return synod_error (ctx, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
    self->making = making;
    making->id = ++self->last_id;
    making->call = call;
    making->count = in->acceptors.count;
    making->begun = true;
    memcpy (making->wanted, wanted, sizeof wanted);
    uint32_t left_ms = call.id ? synod__ctx_left_ms (ctx, call) : SYNOD_ASK_MS;
    left_ms -= left_ms / 8 < S_EARLY_MS ? left_ms / 8 : S_EARLY_MS;
    rc = synod_after (ctx, left_ms, s_on_deadline, making->id, &making->deadline);
    if (rc == SYNOD_OK)
        rc = s_enter (ctx, making, S_ASKING);
    if (rc != SYNOD_OK)
        synod__paxos_making_free (self);
    return rc;
}

void synod__paxos_making_free (synod__paxos_state_t *self)
{
    free (self->making);
    self->making = NULL;
}
