/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `ring`: its life, its store, what it says of itself, entering epochs. The epoch that the node is in is the
 * runtime's to keep (place.h). In this actor's store:
 *
 *   "first"      the first epoch of a ring, packed: recorded in an init, and not begun
 *   "x" RING     a ring that this node has refused, or was told to forget: it never records it
 *   "round"      the last round that this store used as a proposer
 *   "k" EPOCH    what it promised and accepted for that epoch, as synod__paxos_record_pack
 *
 * Numbers have 8 bytes, the most significant first.
 *
 * Invariants: a node enters an epoch only of the ring that it is in, that it recorded, or that names its store; its
 * epoch only grows.
 */
#include <inttypes.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include "ring_actor_parts.h"
#include "actors/runtime/disk.h"
#include "actors/runtime/runtime.h"

#define S_TELL_MAX (4 * 1024 * 1024) /* a decision that is larger to all members together is asked for by them */

/* NOLINTBEGIN(misc-redundant-expression): that the two are the same is what is asserted */
_Static_assert(SYNOD__RING_VALUE_MAX == SYNOD__EPOCH_BYTES_MAX && SYNOD__RING_VALUE_MAX == SYNOD__DECREE_MAX,
               "a value");
_Static_assert(SYNOD__RING_STORE_SIZE == SYNOD__STORE_ID_SIZE && SYNOD__DISK_ID == SYNOD__STORE_ID_SIZE, "a store");
_Static_assert(SYNOD__RING_ROUND_MAX == SYNOD__ROUND_MAX, "every round can be told");
_Static_assert(SYNOD__KEEPERS_MAX == SYNOD__ACCEPTORS_MAX, "keepers are acceptors");
/* NOLINTEND(misc-redundant-expression) */

SYNOD_RECORD_DEFINE (synod__ring_args, SYNOD__RING_ARGS, 0, "how a node takes part in a ring")

/* ---- small things ---- */

void synod__ring_to (char *to, synod_str_t node)
{
    snprintf (to, SYNOD__RING_TO_SIZE, "%.*s/" SYNOD__RING_ACTOR, SYNOD_STR (node));
}

synod_str_t synod__ring_sender (synod_ctx_t *ctx)
{
    synod_str_t from = synod_from (ctx);
    const char *slash = from.data ? (const char *) memchr (from.data, '/', from.size) : NULL;
    if (!slash)
        return synod_str_n (NULL, 0);
    synod_str_t node = synod_str_n (from.data, (size_t) (slash - from.data));
    bool same = synod_str_is (synod_str_n (slash + 1, from.size - node.size - 1), SYNOD__RING_ACTOR);
    return same ? node : synod_str_n (NULL, 0);
}

uint32_t synod__ring_left_ms (synod_ctx_t *ctx, synod_call_t call)
{
    uint32_t left_ms = call.id ? synod__ctx_left_ms (ctx, call) : SYNOD_ASK_MS;
    return left_ms - (left_ms / 8 < SYNOD__RING_EARLY_MS ? left_ms / 8 : SYNOD__RING_EARLY_MS);
}

int synod__ring_put_round (synod_ctx_t *ctx, uint64_t round)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t) (round >> (56 - 8 * i));
    return synod_put (ctx, synod_str ("round"), synod_str_n (bytes, sizeof bytes));
}

bool synod__ring_keep (synod_buf_t *buf, synod_str_t value)
{
    synod_buf_free (buf);
    buf->data = (char *) malloc (value.size ? value.size : 1);
    if (!buf->data)
        return false;
    if (value.size)
        memcpy (buf->data, value.data, value.size);
    buf->size = value.size;
    buf->capacity = value.size ? value.size : 1;
    return true;
}

void synod__ring_copy_text (char *to, synod_str_t from)
{
    if (from.size)
        memcpy (to, from.data, from.size);
    to[from.size] = 0;
}

synod_str_t synod__ring_str (const synod_buf_t *buf)
{
    return synod_str_n (buf->data, buf->size);
}

int synod__ring_no_memory (synod_ctx_t *ctx)
{
    return synod_error (ctx, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
}

/* ---- types ---- */

int synod__ring_types (synod_ctx_t *ctx, const synod__ring_state_t *self, const synod__epoch_t *epoch,
                       synod_list_t *list, synod_buf_t *items)
{
    const synod__member_t *member = epoch ? synod__epoch_store (epoch, &self->self.id) : NULL;
    int rc = SYNOD_OK;
    uint32_t at = 0, replicas = 0;
    const char *name;
    while (rc == SYNOD_OK && list->count < SYNOD__TYPES_MAX && (name = synod__ctx_placed (ctx, &at, &replicas))) {
        bool known = false;
        for (uint32_t i = 0; epoch && member && i < epoch->ntypes; i++)
            known = known || (member->types & 1ull << i && strcmp (epoch->types[i].name, name) == 0);
        synod__ring_type_t type = {.name = synod_str (name), .replicas = replicas};
        if (!known)
            rc = synod_list_add (list, items, &synod__ring_type_record, &type, NULL);
    }
    return rc;
}

int synod__ring_take_types (synod_ctx_t *ctx, synod_list_t list, synod__newcomer_t *node)
{
    synod__ring_type_t type;
    if (list.count > SYNOD__TYPES_MAX)
        return synod_error (ctx, SYNOD_INVALID, "%s: expected up to %d placed types, got %u", node->name,
                            SYNOD__TYPES_MAX, list.count);
    free (node->types);
    node->ntypes = 0;
    node->types = (synod__placed_type_t *) calloc ((size_t) list.count + 1, sizeof *node->types);
    if (!node->types)
        return synod__ring_no_memory (ctx);
    while (synod_list_next (&list, &synod__ring_type_record, &type)) {
        synod__placed_type_t *to = &node->types[node->ntypes++];
        to->replicas = (uint32_t) type.replicas;
        memcpy (to->name, type.name.data, type.name.size);
    }
    return SYNOD_OK;
}

/* ---- epochs ---- */

/* The keepers of EPOCH as acceptors. The set orders them by name; the epoch's order is MINE's. */
static int s_keepers (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__epoch_t *epoch)
{
    synod__acceptor_name_t names[SYNOD__KEEPERS_MAX] = {{{0}, {{0}}}};
    synod_fault_t fault = {0};
    self->mine = epoch->nkeepers;
    for (uint32_t i = 0; i < epoch->nkeepers; i++) {
        const synod__member_t *member = synod__epoch_store (epoch, &epoch->keepers[i]);
        assert (member); /* keepers are members */
        memcpy (names[i].name, member->name, sizeof names[i].name);
        names[i].id = member->id;
        if (synod__store_id_compare (&member->id, &self->self.id) == 0)
            self->mine = i;
    }
    if (synod__paxos_set_make (&self->set, names, epoch->nkeepers, &fault) != SYNOD_OK)
        return synod_error (ctx, SYNOD_INVALID, "%s", fault.text);
    return SYNOD_OK;
}

int synod__ring_entered (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    synod__place_progress_t progress = {0};
    if (!epoch || epoch->number == self->epoch)
        return SYNOD_OK;
    synod__ctx_progress (ctx, &progress);
    synod__ring_withdraw (ctx, self); /* it was for an epoch that is decided */
    self->epoch = epoch->number;
    self->value.size = 0;
    int rc = synod__epoch_pack (epoch, &self->value, NULL);
    if (rc == SYNOD_OK)
        rc = s_keepers (ctx, self, epoch);
    /* what it recorded of another ring stays: that may begin, as far as is known here */
    if (rc == SYNOD_OK && epoch->ring == self->recorded_ring)
        rc = synod__ring_drop_recorded (ctx, self);
    if (rc == SYNOD_OK) /* of the one that is entered it is not known yet that it lasts */
        rc = synod__ring_drop_votes (ctx, progress.epoch < self->epoch ? progress.epoch : self->epoch);
    if (rc == SYNOD_OK)
        rc = synod__ring_watch_epoch (ctx, self);
    if (rc == SYNOD_OK)
        rc = synod__ring_report (ctx, self, true);
    return rc == SYNOD_OK ? synod__ring_pump (ctx, self) : rc;
}

/* Whether this node may enter EPOCH, which somebody says was decided. */
static int s_admit (synod_ctx_t *ctx, const synod__ring_state_t *self, const synod__epoch_t *epoch)
{
    const synod__epoch_t *now = synod__ctx_epoch (ctx);
    uint64_t ring = now ? now->ring : self->recorded_ring;
    if (ring && ring != epoch->ring)
        return synod_error (ctx, SYNOD_REFUSED, "%s %s another ring", synod_node (ctx),
                            now ? "is in" : "has recorded an epoch of");
    if (!ring && !synod__epoch_store (epoch, &self->self.id))
        return synod_error (ctx, SYNOD_REFUSED, "the store of %s is none of its members", synod_node (ctx));
    return SYNOD_OK;
}

int synod__ring_enter (synod_ctx_t *ctx, synod__ring_state_t *self, synod_str_t value)
{
    synod__epoch_t epoch;
    synod_fault_t fault = {0};
    int rc = synod__epoch_unpack (&epoch, value, &fault);
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s", fault.text);
    rc = s_admit (ctx, self, &epoch);
    bool later = epoch.number > self->epoch;
    synod__epoch_free (&epoch);
    if (rc != SYNOD_OK || !later)
        return rc;
    rc = synod__ctx_enter_epoch (ctx, value, &fault);
    return rc == SYNOD_OK ? synod__ring_entered (ctx, self) : synod_error (ctx, rc, "%s", fault.text);
}

void synod__ring_tell_value (synod_ctx_t *ctx, synod_str_t value, const synod__epoch_t *to, const synod__epoch_t *but)
{
    char address[SYNOD__RING_TO_SIZE];
    bool all = (uint64_t) value.size * to->nmembers <= S_TELL_MAX; /* else they hear of it when they report */
    for (uint32_t i = 0; i < to->nmembers; i++) {
        const synod__member_t *member = &to->members[i];
        if ((!all && !synod__epoch_keeps (to, &member->id)) || strcmp (member->name, synod_node (ctx)) == 0 ||
            (but && synod__epoch_store (but, &member->id)))
            continue;
        synod__ring_to (address, synod_str (member->name));
        if (synod_tell (ctx, address, &synod__ring_epoch_is_record, &(synod__ring_epoch_is_t){.value = value}) !=
            SYNOD_OK)
            synod_log (ctx, SYNOD_LOG_WARNING, "cannot tell %s: %s", address, synod__ctx_error (ctx));
    }
}

synod_str_t synod__ring_value (const void *state)
{
    const synod__ring_state_t *self = (const synod__ring_state_t *) state;
    return synod_str_n (self->value.data, self->value.size);
}

void synod__ring_tell_epoch (synod_ctx_t *ctx, const synod__ring_state_t *self, synod_str_t node)
{
    char to[SYNOD__RING_TO_SIZE];
    synod__ring_to (to, node);
    if (synod_tell (ctx, to, &synod__ring_epoch_is_record,
                    &(synod__ring_epoch_is_t){.value = synod__ring_value (self)}) != SYNOD_OK)
        synod_log (ctx, SYNOD_LOG_WARNING, "cannot tell %s: %s", to, synod__ctx_error (ctx));
}

static int s_on_told (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    synod__ring_epoch_is_t in;
    (void) arg;
    if (reply->code != SYNOD_OK ||
        synod_record_unpack (&synod__ring_epoch_is_record, reply->body, &in, NULL) != SYNOD_OK)
        return SYNOD_OK; /* who knows more tells it again */
    if (synod__ring_enter (ctx, (synod__ring_state_t *) state, in.value) != SYNOD_OK)
        synod_log (ctx, SYNOD_LOG_WARNING, "no epoch for this node, from %.*s: %s", SYNOD_STR (reply->from),
                   synod__ctx_error (ctx));
    return SYNOD_OK;
}

int synod__ring_ask_epoch (synod_ctx_t *ctx, synod__ring_state_t *self, synod_str_t node)
{
    char to[SYNOD__RING_TO_SIZE];
    synod__ring_to (to, node);
    return synod_ask (ctx, to, &synod__ring_epoch_record, &(synod__ring_epoch_t){.after = self->epoch}, 1000, s_on_told,
                      0);
}

static int s_on_epoch (synod_ctx_t *ctx, void *state, const synod__ring_epoch_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    int rc = synod__ring_entered (ctx, self);
    if (rc != SYNOD_OK)
        return rc;
    if (!self->epoch)
        return synod_error (ctx, SYNOD_NOT_FOUND, "%s is in no ring", synod_node (ctx));
    if (in->after >= self->epoch) /* said, not failed with: what was begun on entering the epoch holds */
        synod_reply_error (ctx, call, SYNOD_NOT_FOUND, "%s is in epoch %" PRIu64, synod_node (ctx), self->epoch);
    else if (call.id)
        synod_reply (ctx, call, &synod__ring_epoch_is_record,
                     &(synod__ring_epoch_is_t){.value = synod__ring_value (self)});
    return SYNOD_OK;
}

static int s_on_epoch_is (synod_ctx_t *ctx, void *state, const synod__ring_epoch_is_t *in, synod_call_t call)
{
    if (call.id)
        return synod_error (ctx, SYNOD_INVALID, "an epoch is told: it has no answer");
    return synod__ring_enter (ctx, (synod__ring_state_t *) state, in->value);
}

static int s_on_about (synod_ctx_t *ctx, void *state, const synod__ring_about_t *in, synod_call_t call)
{
    const synod__ring_state_t *self = (const synod__ring_state_t *) state;
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    synod_buf_t items = {0};
    (void) in;
    synod__ring_about_is_t out = {.node = self->self.name,
                                  .store = synod_str_n (self->self.id.bytes, SYNOD__STORE_ID_SIZE),
                                  .zone = synod_str (self->zone),
                                  .weight = self->weight,
                                  .ring = epoch ? epoch->ring : 0,
                                  .epoch = epoch ? epoch->number : 0};
    if (self->recorded.size)
        out.recorded = synod_str_n (self->recorded.data, self->recorded.size);
    int rc = synod__ring_types (ctx, self, NULL, &out.types, &items);
    if (rc == SYNOD_OK && call.id)
        rc = synod_reply (ctx, call, &synod__ring_about_is_record, &out);
    synod_buf_free (&items);
    return rc;
}

/* ---- life ---- */

/* A ring of its own, once: with this node as the only member and keeper. */
static int s_on_alone (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod__newcomer_t node = {.id = self->self.id, .weight = self->weight};
    synod__ring_first_t first = {.nnodes = 1,
                                 .nodes = &node,
                                 .replicas = self->alone_replicas,
                                 .partitions = self->alone_partitions,
                                 .lone = true};
    synod__epoch_t epoch = {0};
    synod_buf_t value = {0}, items = {0};
    synod_list_t types = {{0}, 0};
    synod_fault_t fault = {0};
    (void) arg;
    if (synod__ctx_epoch (ctx) || self->recorded.size)
        return SYNOD_OK;
    while (!first.ring)
        first.ring = synod_random (ctx);
    snprintf (node.name, sizeof node.name, "%s", synod_node (ctx));
    snprintf (node.zone, sizeof node.zone, "%s", self->zone);
    int rc = synod__ring_types (ctx, self, NULL, &types, &items);
    if (rc == SYNOD_OK)
        rc = synod__ring_take_types (ctx, types, &node);
    if (rc == SYNOD_OK)
        rc = synod__ring_first (&first, &epoch, &fault);
    if (rc == SYNOD_OK)
        rc = synod__epoch_pack (&epoch, &value, &fault);
    if (rc == SYNOD_OK)
        rc = synod__ring_enter (ctx, self, synod_str_n (value.data, value.size));
    else
        synod_log (ctx, SYNOD_LOG_ERROR, "no ring alone: %s", fault.text);
    synod__epoch_free (&epoch);
    synod_buf_free (&value);
    synod_buf_free (&items);
    free (node.types);
    return rc;
}

static int s_take_args (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__ring_args_t *args)
{
    self->report_ms = args->report_ms ? (uint32_t) args->report_ms : SYNOD__RING_REPORT_MS;
    self->grace_ms = args->stays ? 0 : (args->grace_ms ? (uint32_t) args->grace_ms : SYNOD__RING_GRACE_MS);
    self->weight = args->weight ? (uint32_t) args->weight : SYNOD__WEIGHT_DEFAULT;
    self->alone_replicas = (uint32_t) args->replicas;
    self->alone_partitions = (uint32_t) args->partitions;
    if (args->zone.size)
        memcpy (self->zone, args->zone.data, args->zone.size);
    if (args->partitions & (args->partitions - 1))
        return synod_error (ctx, SYNOD_INVALID, "expected a power of two up to %d as partitions, got %" PRIu64,
                            SYNOD__PARTITIONS_MAX, args->partitions);
    return args->alone ? synod_after (ctx, 0, s_on_alone, 0, NULL) : SYNOD_OK;
}

static int s_init (synod_ctx_t *ctx, void *state, const void *args)
{
    static const synod__ring_args_t none;
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    synod_str_t bytes;
    self->self.name = synod_str (synod_node (ctx));
    memcpy (self->self.id.bytes, synod__ctx_store_id (ctx), SYNOD__STORE_ID_SIZE);
    self->wishes = (synod__wish_t *) calloc (SYNOD__MEMBERS_MAX, sizeof *self->wishes);
    if (!self->wishes)
        return synod__ring_no_memory (ctx);
    int rc = s_take_args (ctx, self, args ? (const synod__ring_args_t *) args : &none);
    if (rc == SYNOD_OK)
        rc = synod__ring_load_recorded (ctx, self);
    if (rc == SYNOD_OK && SYNOD__RING_MUTANT (VOTES_FORGOTTEN))
        rc = synod__ring_drop_votes (ctx, UINT64_MAX - 1);
    if (rc == SYNOD_OK && synod_get (ctx, synod_str ("round"), &bytes) == SYNOD_OK)
        for (uint32_t i = 0; i < bytes.size && i < 8; i++)
            self->round = self->round << 8 | (uint8_t) bytes.data[i];
    return rc == SYNOD_OK ? synod__ring_clock (ctx, self) : rc;
}

static void s_fini (synod_ctx_t *ctx, void *state)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    (void) ctx;
    synod__proposer_free (&self->proposer);
    synod__ring_making_free (self);
    synod__ring_asked_free (self);
    synod__ring_forwards_free (self);
    synod__ring_watch_free (&self->watch);
    synod_buf_free (&self->recorded);
    synod_buf_free (&self->value);
    free (self->wishes);
}

const synod_actor_t synod__ring_actor = {
    .name = SYNOD__RING_ACTOR,
    .doc = "decides who takes part in placement, with the other members",
    .state_size = sizeof (synod__ring_state_t),
    .args = &synod__ring_args_record,
    .init = s_init,
    .fini = s_fini,
    .routes =
        (const synod_route_t[]){
            SYNOD_ON (synod__ring_report, synod__ring_on_report),
            SYNOD_ON (synod__ring_suspect, synod__ring_on_suspect), SYNOD_ON (synod__ring_step, synod__ring_on_step),
            SYNOD_ON (synod__ring_epoch_is, s_on_epoch_is), SYNOD_ON (synod__ring_epoch, s_on_epoch),
            SYNOD_ON (synod__ring_about, s_on_about), SYNOD_ON (synod__ring_init, synod__ring_on_init),
            SYNOD_ON (synod__ring_adopt, synod__ring_on_adopt), SYNOD_ON (synod__ring_begin, synod__ring_on_begin),
            SYNOD_ON (synod__ring_refuse, synod__ring_on_refuse), SYNOD_ON (synod__ring_forget, synod__ring_on_forget),
            SYNOD_ON (synod__ring_join, synod__ring_on_join), SYNOD_ON (synod__ring_leave, synod__ring_on_leave),
            SYNOD_ON (synod__ring_remove, synod__ring_on_remove), SYNOD_ON (synod__ring_weight, synod__ring_on_weight),
            SYNOD_ON (synod__ring_keepers, synod__ring_on_keepers),
            SYNOD_ON (synod__ring_status, synod__ring_on_status),
            SYNOD_ON (synod__ring_stopping, synod__ring_on_stopping), SYNOD_END},
};
