/* SPDX-License-Identifier: MPL-2.0
 *
 * Who makes a ring. Whoever is asked to `init` asks each node what it is (about), has all record the first epoch (adopt),
 * and when all have, tells them to enter it (begin).
 *
 * Invariants: a ring begins only when all of its members have recorded it. So of two rings that share a node, asked for at
 * the same time, at most one begins. Every step may be repeated: an init that was cut short is finished by another one,
 * which takes what the first had recorded.
 */
#include <stdio.h>
#include <stdlib.h>
#include "ring_actor_parts.h"
#include "actors/runtime/runtime.h"

#define S_ASK_MS 1000 /* then a node is asked again */
#define S_WINDOW 32   /* asks under way */

typedef enum { S_ASKING, S_FETCHING, S_REFUSING, S_FORGETTING, S_RECORDING, S_BEGINNING } s_phase_t;

/* A node, and what it said. */
typedef struct {
    uint64_t ring;     /* that it is in; 0: none */
    uint64_t recorded; /* that it has recorded; 0: none */
    synod_buf_t value; /* of that */
    uint32_t weight;   /* its own, where no other is wanted */
    char zone[SYNOD_NAME_MAX + 1];
    bool asked, answered; /* in this phase */
    int last;             /* why it did not answer */
} s_node_t;

struct synod__ring_making_t {
    uint64_t id; /* another one each time that it begins anew */
    uint64_t first_id;
    synod_call_t call;
    synod_timer_t deadline;
    s_phase_t phase;
    synod__ring_first_t first;
    synod__newcomer_t *nodes; /* of first; weights and zones as wanted */
    char (*keepers)[SYNOD_NAME_MAX + 1];
    s_node_t *said;
    uint32_t under_way, left; /* asks; nodes to be asked or awaited */
    uint64_t ring;            /* that is refused, forgotten, or begins */
    synod_buf_t value;        /* its first epoch */
    bool again;               /* all were in it already */
};

static int s_fill (synod_ctx_t *ctx, synod__ring_making_t *making);
static int s_enter (synod_ctx_t *ctx, synod__ring_making_t *making, s_phase_t phase);

/* What continuations and timers bring back: so that those of an earlier phase, or of another init, are known. */
static uint64_t s_arg (const synod__ring_making_t *making, uint32_t i)
{
    return making->id << 16 | (uint64_t) making->phase << 12 | i;
}

static synod__ring_making_t *s_of (const synod__ring_state_t *self, uint64_t arg)
{
    synod__ring_making_t *making = self->making;
    uint32_t i = (uint32_t) arg & 4095;
    bool same = making && s_arg (making, i) == arg && i < making->first.nnodes && !making->said[i].answered;
    return same ? making : NULL;
}

static void s_end (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    synod_cancel (ctx, self->making->deadline);
    synod__ring_making_free (self);
}

static int s_fail (synod_ctx_t *ctx, synod__ring_state_t *self, int code, const char *text)
{
    synod_reply_error (ctx, self->making->call, code, "%s", text);
    s_end (ctx, self);
    return SYNOD_OK;
}

static int s_made (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    const synod__ring_making_t *making = self->making;
    if (making->call.id)
        synod_reply (ctx, making->call, &synod__ring_made_record,
                     &(synod__ring_made_t){.value = synod__ring_str (&making->value), .again = making->again});
    s_end (ctx, self);
    return SYNOD_OK;
}

/* Others were at it too: from the beginning, a while later. */
static int s_on_anew (synod_ctx_t *ctx, void *state, uint64_t id)
{
    synod__ring_making_t *making = ((synod__ring_state_t *) state)->making;
    return making && making->id == id ? s_enter (ctx, making, S_ASKING) : SYNOD_OK;
}

static int s_anew (synod_ctx_t *ctx, synod__ring_state_t *self, bool wait)
{
    synod__ring_making_t *making = self->making;
    making->id = ++self->last_id;
    making->under_way = 0;
    uint32_t delay_ms = wait ? SYNOD__RING_AGAIN_MS + (uint32_t) (synod_random (ctx) % (4 * SYNOD__RING_AGAIN_MS)) : 0;
    return synod_after (ctx, delay_ms, s_on_anew, making->id, NULL);
}

/* Whether node I is asked in this phase. */
static bool s_concerns (const synod__ring_making_t *making, uint32_t i)
{
    const s_node_t *said = &making->said[i];
    return making->phase != S_FORGETTING || said->recorded == making->ring;
}

static int s_enter (synod_ctx_t *ctx, synod__ring_making_t *making, s_phase_t phase)
{
    making->phase = phase;
    making->left = making->under_way = 0;
    for (uint32_t i = 0; i < making->first.nnodes; i++) {
        bool asked = s_concerns (making, i);
        making->said[i].asked = making->said[i].answered = !asked;
        making->left += asked;
    }
    return s_fill (ctx, making);
}

/* One node alone is asked. */
static int s_enter_one (synod_ctx_t *ctx, synod__ring_making_t *making, s_phase_t phase, uint32_t one)
{
    making->phase = phase;
    making->left = 1;
    making->under_way = 0;
    for (uint32_t i = 0; i < making->first.nnodes; i++)
        making->said[i].asked = making->said[i].answered = i != one;
    return s_fill (ctx, making);
}

/* Some node is in a ring already: it has to be the one that is wanted. */
static int s_compare_rings (synod_ctx_t *ctx, synod__ring_state_t *self, uint32_t in)
{
    synod__ring_making_t *making = self->making;
    char text[2 * SYNOD_FAULT_MAX];
    making->again = true;
    for (uint32_t i = 0; i < making->first.nnodes; i++) {
        uint64_t ring = making->said[i].ring;
        making->again = making->again && ring;
        if (!ring || ring == making->said[in].ring)
            continue;
        snprintf (text, sizeof text, "%s and %s are in rings already, and not in the same", making->nodes[in].name,
                  making->nodes[i].name);
        return s_fail (ctx, self, SYNOD_REFUSED, text);
    }
    making->ring = making->said[in].ring;
    return s_enter_one (ctx, making, S_FETCHING, in);
}

/* Somebody who is a member of what node I has recorded, and has not recorded it: nnodes: nobody. */
static uint32_t s_refuser (const synod__ring_making_t *making, uint32_t i)
{
    synod__epoch_t epoch;
    uint32_t found = making->first.nnodes;
    if (synod__epoch_unpack (&epoch, synod__ring_str (&making->said[i].value), NULL) != SYNOD_OK)
        return found;
    for (uint32_t j = 0; j < making->first.nnodes && found == making->first.nnodes; j++)
        if (synod__epoch_store (&epoch, &making->nodes[j].id) && making->said[j].recorded != epoch.ring)
            found = j;
    synod__epoch_free (&epoch);
    return found;
}

/* What to go on with of what was recorded: what is wanted, the same wherever this is asked for. nnodes: nothing. */
static uint32_t s_take_over (const synod__ring_making_t *making)
{
    uint32_t best = making->first.nnodes;
    for (uint32_t i = 0; i < making->first.nnodes; i++) {
        const s_node_t *said = &making->said[i];
        synod__epoch_t epoch;
        if (!said->recorded || (best < making->first.nnodes && making->said[best].recorded <= said->recorded) ||
            synod__epoch_unpack (&epoch, synod__ring_str (&said->value), NULL) != SYNOD_OK)
            continue;
        if (synod__ring_first_same (&making->first, &epoch, NULL) == SYNOD_OK)
            best = i;
        synod__epoch_free (&epoch);
    }
    return best;
}

/* A new ring. Weights and zones that were not wanted otherwise are the nodes' own. */
static int s_record (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    synod__ring_making_t *making = self->making;
    synod__epoch_t epoch;
    synod_fault_t fault = {0};
    synod__ring_first_t first = making->first;
    synod__newcomer_t *nodes = (synod__newcomer_t *) calloc (first.nnodes, sizeof *nodes);
    if (!nodes)
        return s_fail (ctx, self, SYNOD_NO_MEMORY, synod_error_meaning (SYNOD_NO_MEMORY));
    for (uint32_t i = 0; i < first.nnodes; i++) {
        nodes[i] = making->nodes[i];
        if (!nodes[i].weight)
            nodes[i].weight = making->said[i].weight;
        if (!*nodes[i].zone)
            memcpy (nodes[i].zone, making->said[i].zone, sizeof nodes[i].zone);
    }
    first.nodes = nodes;
    while (!first.ring)
        first.ring = synod_random (ctx);
    int rc = synod__ring_first (&first, &epoch, &fault);
    free (nodes);
    if (rc != SYNOD_OK)
        return s_fail (ctx, self, rc, fault.text);
    making->ring = epoch.ring;
    making->value.size = 0;
    rc = synod__epoch_pack (&epoch, &making->value, &fault);
    synod__epoch_free (&epoch);
    return rc == SYNOD_OK ? s_enter (ctx, making, S_RECORDING) : s_fail (ctx, self, rc, fault.text);
}

/* All have said what they are. */
static int s_compare (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    synod__ring_making_t *making = self->making;
    char text[2 * SYNOD_FAULT_MAX];
    uint32_t count = making->first.nnodes;
    for (uint32_t i = 0; i < count; i++)
        if (making->said[i].ring)
            return s_compare_rings (ctx, self, i);
    uint32_t best = s_take_over (making);
    for (uint32_t i = 0; i < count; i++) {
        const s_node_t *said = &making->said[i];
        if (!said->recorded || (best < count && said->recorded == making->said[best].recorded))
            continue;
        uint32_t refuser = s_refuser (making, i);
        if (refuser == count) {
            char names[SYNOD_FAULT_MAX / 2];
            snprintf (text, sizeof text,
                      "%s has recorded a ring of %s, whose init was not finished: repeat that one, or wipe the data of "
                      "all of them",
                      making->nodes[i].name, synod__ring_members (synod__ring_str (&said->value), names, sizeof names));
            return s_fail (ctx, self, SYNOD_REFUSED, text);
        }
        making->ring = said->recorded;
        return s_enter_one (ctx, making, S_REFUSING, refuser);
    }
    if (best == count)
        return s_record (ctx, self);
    making->ring = making->said[best].recorded;
    if (!synod__ring_keep (&making->value, synod__ring_str (&making->said[best].value)))
        return s_fail (ctx, self, SYNOD_NO_MEMORY, synod_error_meaning (SYNOD_NO_MEMORY));
    return s_enter (ctx, making, S_RECORDING);
}

/* The ring that one of them is in: is it what is wanted? Then those that are not in it yet are told. */
static int s_fetched (synod_ctx_t *ctx, synod__ring_state_t *self, uint32_t from, synod_str_t value)
{
    synod__ring_making_t *making = self->making;
    synod__epoch_t epoch;
    synod_fault_t fault = {0};
    char text[2 * SYNOD_FAULT_MAX];
    int rc = synod__epoch_unpack (&epoch, value, &fault);
    if (rc != SYNOD_OK)
        return s_fail (ctx, self, rc, fault.text);
    rc = synod__ring_first_same (&making->first, &epoch, &fault);
    if (rc == SYNOD_OK && !synod__ring_keep (&making->value, value))
        rc = synod_fault (&fault, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
    if (rc == SYNOD_OK && !making->again)
        synod__ring_tell_value (ctx, value, &epoch, NULL);
    synod__epoch_free (&epoch);
    if (rc == SYNOD_OK)
        return s_enter (ctx, making, S_BEGINNING);
    snprintf (text, sizeof text, "%s is in a ring already: %s", making->nodes[from].name, fault.text);
    return s_fail (ctx, self, rc, text);
}

/* SYNOD_OK, or the sentence is set. */
static int s_take_about (synod_ctx_t *ctx, synod__ring_making_t *making, uint32_t i, const synod_reply_t *reply)
{
    s_node_t *said = &making->said[i];
    synod__newcomer_t *node = &making->nodes[i];
    synod__ring_about_is_t in;
    synod__epoch_t epoch;
    synod_fault_t fault = {0};
    int rc = synod_record_unpack (&synod__ring_about_is_record, reply->body, &in, &fault);
    if (rc == SYNOD_OK && !synod__store_id_take (in.store, &node->id))
        rc = synod_fault (&fault, SYNOD_BAD_REQUEST, "expected %d bytes as the id of a store, got %u",
                          SYNOD__STORE_ID_SIZE, in.store.size);
    said->recorded = 0;
    if (rc == SYNOD_OK && in.recorded.size) {
        rc = synod__epoch_unpack (&epoch, in.recorded, &fault);
        said->recorded = epoch.ring;
        synod__epoch_free (&epoch);
    }
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s: %s", node->name, fault.text);
    said->ring = in.ring;
    said->weight = (uint32_t) in.weight;
    synod__ring_copy_text (said->zone, in.zone);
    if (!synod__ring_keep (&said->value, in.recorded))
        return synod__ring_no_memory (ctx);
    return synod__ring_take_types (ctx, in.types, node);
}

static int s_on_again (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod__ring_making_t *making = s_of ((synod__ring_state_t *) state, arg);
    if (!making)
        return SYNOD_OK;
    making->said[arg & 4095].asked = false;
    making->under_way--;
    return s_fill (ctx, making);
}

static int s_next_phase (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    synod__ring_making_t *making = self->making;
    switch (making->phase) {
    case S_ASKING:
        return s_compare (ctx, self);
    case S_REFUSING:
        return s_enter (ctx, making, S_FORGETTING);
    case S_FORGETTING:
        return s_anew (ctx, self, false);
    case S_RECORDING:
        return s_enter (ctx, making, S_BEGINNING);
    default:
        return s_made (ctx, self);
    }
}

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod__ring_making_t *making = s_of (self, arg);
    synod__ring_epoch_is_t epoch_is;
    uint32_t i = (uint32_t) arg & 4095;
    if (!making)
        return SYNOD_OK;
    s_node_t *said = &making->said[i];
    if (reply->code == SYNOD_REFUSED && making->phase != S_ASKING)
        return s_anew (ctx, self, true); /* it is not as it was when it was asked */
    switch (reply->code) {
    case SYNOD_OK:
        break;
    case SYNOD_NO_ROUTE:
    case SYNOD_NODE_DOWN:
    case SYNOD_BUSY:
    case SYNOD_STOPPED:
    case SYNOD_TIMEOUT:
        said->last = reply->code;
        return synod_after (ctx, SYNOD__RING_AGAIN_MS, s_on_again, arg, NULL);
    default:
        synod_reply_error (ctx, making->call, reply->code, "%s: %.*s", making->nodes[i].name,
                           SYNOD_STR (reply->message));
        s_end (ctx, self);
        return SYNOD_OK;
    }
    if (making->phase == S_ASKING) {
        int rc = s_take_about (ctx, making, i, reply);
        if (rc != SYNOD_OK)
            return s_fail (ctx, self, rc, synod__ctx_error (ctx));
    }
    if (making->phase == S_FETCHING) {
        if (synod_record_unpack (&synod__ring_epoch_is_record, reply->body, &epoch_is, NULL) != SYNOD_OK)
            return s_anew (ctx, self, true);
        return s_fetched (ctx, self, i, epoch_is.value);
    }
    said->answered = true;
    making->under_way--;
    bool early = SYNOD__RING_MUTANT (BEGINS_EARLY) && making->phase == S_RECORDING;
    return --making->left && !early ? s_fill (ctx, making) : s_next_phase (ctx, self);
}

static int s_ask (synod_ctx_t *ctx, synod__ring_making_t *making, uint32_t i)
{
    char to[SYNOD__RING_TO_SIZE];
    uint64_t arg = s_arg (making, i);
    const synod__store_id_t *id = &making->nodes[i].id;
    synod__ring_refuse_t refuse = {.ring = making->ring, .store = synod_str_n (id->bytes, SYNOD__STORE_ID_SIZE)};
    synod__ring_to (to, synod_str (making->nodes[i].name));
    switch (making->phase) {
    case S_ASKING:
        return synod_ask (ctx, to, &synod__ring_about_record, &(synod__ring_about_t){0}, S_ASK_MS, s_on_reply, arg);
    case S_FETCHING:
        return synod_ask (ctx, to, &synod__ring_epoch_record, &(synod__ring_epoch_t){0}, S_ASK_MS, s_on_reply, arg);
    case S_REFUSING:
        return synod_ask (ctx, to, &synod__ring_refuse_record, &refuse, S_ASK_MS, s_on_reply, arg);
    case S_FORGETTING:
        return synod_ask (ctx, to, &synod__ring_forget_record, &(synod__ring_forget_t){.ring = making->ring}, S_ASK_MS,
                          s_on_reply, arg);
    case S_RECORDING:
        return synod_ask (ctx, to, &synod__ring_adopt_record,
                          &(synod__ring_adopt_t){.value = synod__ring_str (&making->value)}, S_ASK_MS, s_on_reply, arg);
    default:
        return synod_ask (ctx, to, &synod__ring_begin_record, &(synod__ring_begin_t){.ring = making->ring}, S_ASK_MS,
                          s_on_reply, arg);
    }
}

/* Asks as many as may be asked at a time. */
static int s_fill (synod_ctx_t *ctx, synod__ring_making_t *making)
{
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < making->first.nnodes && making->under_way < S_WINDOW && rc == SYNOD_OK; i++) {
        if (making->said[i].asked)
            continue;
        rc = s_ask (ctx, making, i);
        making->said[i].asked = true;
        making->under_way++;
    }
    return rc;
}

static int s_on_deadline (synod_ctx_t *ctx, void *state, uint64_t id)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod__ring_making_t *making = self->making;
    if (!making || making->first_id != id)
        return SYNOD_OK;
    uint32_t silent = 0;
    while (silent < making->first.nnodes && making->said[silent].answered)
        silent++;
    if (silent == making->first.nnodes)
        return s_fail (ctx, self, SYNOD_TIMEOUT, "other inits were in the way all the time");
    int why = making->said[silent].last ? making->said[silent].last : SYNOD_TIMEOUT;
    synod_reply_error (ctx, making->call, why == SYNOD_NO_ROUTE ? SYNOD_NO_ROUTE : SYNOD_TIMEOUT, "%s/ring: %s; %s",
                       making->nodes[silent].name, synod_error_meaning (why),
                       making->phase == S_ASKING
                           ? "nothing was recorded"
                           : "some may have recorded the ring: the same init again goes on with it");
    s_end (ctx, self);
    return SYNOD_OK;
}

/* ---- what is wanted ---- */

/* Reads IN into MAKING. */
static int s_wanted (synod_ctx_t *ctx, synod__ring_making_t *making, const synod__ring_init_t *in)
{
    synod_list_t nodes = in->nodes, keepers = in->keepers;
    synod__ring_node_t node;
    synod__ring_keeper_t keeper;
    synod_fault_t fault = {0};
    if (nodes.count > SYNOD__MEMBERS_MAX || keepers.count > SYNOD__MEMBERS_MAX)
        return synod_error (ctx, SYNOD_INVALID, "expected 1 to %d nodes, got %u", SYNOD__MEMBERS_MAX, nodes.count);
    making->nodes = (synod__newcomer_t *) calloc ((size_t) nodes.count + 1, sizeof *making->nodes);
    making->said = (s_node_t *) calloc ((size_t) nodes.count + 1, sizeof *making->said);
    making->keepers = (char (*)[SYNOD_NAME_MAX + 1]) calloc ((size_t) keepers.count + 1, sizeof *making->keepers);
    if (!making->nodes || !making->said || !making->keepers)
        return synod__ring_no_memory (ctx);
    making->first = (synod__ring_first_t){.nnodes = nodes.count,
                                          .nodes = making->nodes,
                                          .nkeepers = keepers.count,
                                          .keepers = (const char (*)[SYNOD_NAME_MAX + 1]) making->keepers,
                                          .replicas = (uint32_t) in->replicas,
                                          .partitions = (uint32_t) in->partitions};
    for (uint32_t i = 0; synod_list_next (&nodes, &synod__ring_node_record, &node); i++) {
        synod__ring_copy_text (making->nodes[i].name, node.node);
        synod__ring_copy_text (making->nodes[i].zone, node.zone);
        making->nodes[i].weight = (uint32_t) node.weight;
    }
    for (uint32_t i = 0; synod_list_next (&keepers, &synod__ring_keeper_record, &keeper); i++)
        synod__ring_copy_text (making->keepers[i], keeper.node);
    int rc = synod__ring_first_check (&making->first, &fault);
    return rc == SYNOD_OK ? SYNOD_OK : synod_error (ctx, rc, "%s", fault.text);
}

int synod__ring_on_init (synod_ctx_t *ctx, void *state, const synod__ring_init_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    if (self->making)
        return synod_error (ctx, SYNOD_BUSY, "another init is under way on %s", synod_node (ctx));
    synod__ring_making_t *making = (synod__ring_making_t *) calloc (1, sizeof *making);
    if (!making)
        return synod__ring_no_memory (ctx);
    self->making = making;
    making->id = making->first_id = ++self->last_id;
    making->call = call;
    int rc = s_wanted (ctx, making, in);
    if (rc == SYNOD_OK)
        rc = synod_after (ctx, synod__ring_left_ms (ctx, call), s_on_deadline, making->first_id, &making->deadline);
    if (rc == SYNOD_OK)
        rc = s_enter (ctx, making, S_ASKING);
    if (rc != SYNOD_OK)
        synod__ring_making_free (self);
    return rc;
}

void synod__ring_making_free (synod__ring_state_t *self)
{
    synod__ring_making_t *making = self->making;
    if (!making)
        return;
    for (uint32_t i = 0; making->nodes && making->said && i < making->first.nnodes; i++) {
        free (making->nodes[i].types);
        synod_buf_free (&making->said[i].value);
    }
    free (making->nodes);
    free (making->said);
    free (making->keepers);
    synod_buf_free (&making->value);
    free (making);
    self->making = NULL;
}
