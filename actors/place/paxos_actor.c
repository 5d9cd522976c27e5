/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `paxos`: its life, its store, the acceptor. In the store:
 *
 *   "set"     the set of acceptors, as synod__paxos_set_pack; never changes
 *   "begun"   the digest of that set: all have recorded it
 *   "round"   the last round that this store used as a proposer
 *   "k" KEY   what it promised and accepted, as synod__paxos_record_pack
 *
 * Numbers have 8 bytes, the most significant first.
 *
 * Invariants: it promises and accepts only for the set that it recorded, as a member of it by its own store's id; for
 * one whom that set names by name and store.
 */
#include <assert.h>
#include <stdio.h>
#include "paxos_actor_parts.h"
#include "actors/runtime/disk.h"
#include "actors/runtime/runtime.h"
#include "actors/vote/vote_actor.h"

/* NOLINTBEGIN(misc-redundant-expression): that the two are the same is what is asserted */
_Static_assert(SYNOD__PAXOS_VALUE_MAX == SYNOD__DECREE_MAX, "what is accepted can be told");
_Static_assert(SYNOD__PAXOS_STORE_SIZE == SYNOD__STORE_ID_SIZE && SYNOD__DISK_ID == SYNOD__STORE_ID_SIZE, "a store");
_Static_assert(SYNOD__PAXOS_ROUND_MAX == SYNOD__ROUND_MAX, "every round can be told");
/* NOLINTEND(misc-redundant-expression) */
_Static_assert(SYNOD_KEY_MAX < SYNOD_STORE_KEY_MAX, "a key fits the store's, with a letter in front");

/* ---- the store ---- */

static synod_str_t s_key (synod_str_t key, char room[1 + SYNOD_KEY_MAX])
{
    assert (key.size <= SYNOD_KEY_MAX);
    room[0] = SYNOD__PAXOS_AT_KEYS[0];
    memcpy (room + 1, key.data, key.size);
    return synod_str_n (room, 1 + key.size);
}

static int s_put_number (synod_ctx_t *ctx, const char *key, uint64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t) (number >> (56 - 8 * i));
    return synod_put (ctx, synod_str (key), synod_str_n (bytes, sizeof bytes));
}

/* SYNOD_NOT_FOUND leaves *NUMBER as it is. */
static int s_get_number (synod_ctx_t *ctx, const char *key, uint64_t *number)
{
    synod_str_t value;
    int rc = synod_get (ctx, synod_str (key), &value);
    if (rc != SYNOD_OK)
        return rc;
    if (value.size != 8)
        return synod_error (ctx, SYNOD_INVALID, "expected 8 bytes as \"%s\" in the store, got %u", key, value.size);
    *number = 0;
    for (int i = 0; i < 8; i++)
        *number = *number << 8 | (uint8_t) value.data[i];
    return SYNOD_OK;
}

int synod__paxos_put_round (synod_ctx_t *ctx, uint64_t round)
{
    return s_put_number (ctx, "round", round);
}

int synod__paxos_put_set (synod_ctx_t *ctx, synod__paxos_state_t *self, const synod__paxos_set_t *set)
{
    assert (self->set.count == 0);
    synod_buf_t packed = {0};
    synod_fault_t fault = {0};
    int rc = synod__paxos_set_pack (set, &packed, &fault);
    rc = rc == SYNOD_OK ? synod_put (ctx, synod_str (SYNOD__PAXOS_AT_SET), synod_str_n (packed.data, packed.size))
                        : synod_error (ctx, rc, "%s", fault.text);
    synod_buf_free (&packed);
    if (rc == SYNOD_OK)
        self->set = *set;
    return rc;
}

int synod__paxos_put_begun (synod_ctx_t *ctx, synod__paxos_state_t *self)
{
    assert (self->set.count);
    int rc = self->begun ? SYNOD_OK : s_put_number (ctx, "begun", self->set.digest);
    self->begun = self->begun || rc == SYNOD_OK;
    return rc;
}

int synod__paxos_stored (synod_ctx_t *ctx, synod_str_t key, synod__paxos_record_t *record, bool *there)
{
    char room[1 + SYNOD_KEY_MAX];
    synod_str_t bytes = {0};
    synod_fault_t fault = {0};
    int rc = synod_get (ctx, s_key (key, room), &bytes);
    *there = rc == SYNOD_OK;
    if (rc != SYNOD_OK && rc != SYNOD_NOT_FOUND)
        return rc;
    rc = synod__paxos_record_unpack (record, *there ? bytes : synod_str_n (NULL, 0), &fault);
    return rc == SYNOD_OK ? SYNOD_OK
                          : synod_error (ctx, SYNOD_IO, "what the store has of the key %.*s is damaged: %s",
                                         SYNOD_STR (key), fault.text);
}

static int s_store (synod_ctx_t *ctx, synod_str_t key, const synod__paxos_record_t *record)
{
    char room[1 + SYNOD_KEY_MAX];
    synod_buf_t packed = {0};
    int rc = synod__paxos_record_pack (record, &packed);
    if (rc == SYNOD_OK)
        rc = synod_put (ctx, s_key (key, room), synod_str_n (packed.data, packed.size));
    synod_buf_free (&packed);
    return rc;
}

/* ---- the acceptor ---- */

void synod__paxos_tell (synod_ctx_t *ctx, synod_str_t node, synod_str_t key, const synod__paxos_message_t *message)
{
    char to[SYNOD_NAME_MAX + sizeof "/" SYNOD__PAXOS_ACTOR];
    const synod__ballot_t *ballot = &message->ballot, *accepted = &message->accepted;
    synod__paxos_step_t out = {.kind = synod_str (synod__paxos_kind_name (message->kind)),
                               .set = message->set,
                               .store = synod_str_n (message->id.bytes, SYNOD__STORE_ID_SIZE),
                               .key = key,
                               .round = ballot->round,
                               .accepted = accepted->round,
                               .value = message->value};
    if (ballot->round)
        out.by = synod_str_n (ballot->proposer.bytes, SYNOD__STORE_ID_SIZE);
    if (accepted->round)
        out.accepted_by = synod_str_n (accepted->proposer.bytes, SYNOD__STORE_ID_SIZE);
    snprintf (to, sizeof to, "%.*s/" SYNOD__PAXOS_ACTOR, SYNOD_STR (node));
    if (synod_tell (ctx, to, &synod__paxos_step_record, &out) != SYNOD_OK)
        synod_log (ctx, SYNOD_LOG_WARNING, "cannot tell %s: %s", to, synod__ctx_error (ctx));
}

int synod__paxos_ready (synod_ctx_t *ctx, const synod__paxos_state_t *self)
{
    synod_fault_t fault = {0};
    if (!self->set.count)
        return synod_error (
            ctx, SYNOD_REFUSED,
            "%s has recorded no acceptors: they are told by `synod paxos init`; if they were, its store "
            "was wiped since",
            synod_node (ctx));
    if (!self->begun)
        return synod_error (ctx, SYNOD_REFUSED,
                            "not all of the %u acceptors are known to have recorded their set: repeat the `synod paxos "
                            "init` that was not finished",
                            self->set.count);
    if (synod__paxos_set_admits (&self->set, self->self.name, &self->self.id, &fault) != SYNOD_OK)
        return synod_error (ctx, SYNOD_REFUSED, "%s", fault.text);
    return SYNOD_OK;
}

/* Whether the sender is of the same set. One of it that sends has been told that all recorded it. */
static bool s_known (const synod__paxos_state_t *self, const synod__paxos_message_t *message)
{
    if (!self->set.count || message->set != self->set.digest)
        return false;
    int rc = synod__paxos_set_admits (&self->set, message->name, &message->id, NULL);
    return rc == SYNOD_OK || (rc == SYNOD_REFUSED && SYNOD__PAXOS_MUTANT (WIPED_COUNTED));
}

static int s_refuse (synod_ctx_t *ctx, synod__paxos_state_t *self, synod_str_t key,
                     const synod__paxos_message_t *message)
{
    self->refused++;
    if (message->kind != SYNOD__PAXOS_CHOSEN)
        synod__paxos_tell (ctx, message->name, key,
                           &(synod__paxos_message_t){.kind = SYNOD__PAXOS_STRANGER,
                                                     .set = self->set.count ? self->set.digest : 0,
                                                     .id = self->self.id,
                                                     .ballot = message->ballot});
    return SYNOD_OK;
}

static int s_accept (synod_ctx_t *ctx, synod__paxos_state_t *self, synod_str_t key,
                     const synod__paxos_message_t *message)
{
    synod__paxos_record_t stored;
    synod__acceptor_step_t step;
    bool there;
    int rc = synod__paxos_stored (ctx, key, &stored, &there);
    if (rc == SYNOD_IO)
        synod_log (ctx, SYNOD_LOG_ERROR, "%s", synod__ctx_error (ctx)); /* silent, as one that is down */
    if (rc != SYNOD_OK)
        return rc;
    synod__acceptor_step (&self->set, &self->self, &stored, message, &step);
    /* staged first, since it borrows what is replaced; it leaves when that is durable */
    if (step.send)
        synod__paxos_tell (ctx, message->name, key, &step.message);
    if (!step.write)
        return SYNOD_OK;
    self->keys += !there;
    self->chosen += step.record.chosen && !stored.chosen;
    return s_store (ctx, key, &step.record);
}

/* SYNOD_BAD_REQUEST with a sentence: nothing that an acceptor says. */
static int s_understand (synod_ctx_t *ctx, const synod__paxos_step_t *in, synod__paxos_message_t *out)
{
    synod_str_t from = synod_from (ctx);
    const char *slash = from.data ? (const char *) memchr (from.data, '/', from.size) : NULL;
    *out = (synod__paxos_message_t){.set = in->set,
                                    .name = synod_str_n (from.data, slash ? (size_t) (slash - from.data) : 0),
                                    .kind = synod__paxos_kind (in->kind),
                                    .ballot.round = in->round,
                                    .accepted.round = in->accepted,
                                    .value = in->value};
    if (!out->kind)
        return synod_error (ctx, SYNOD_BAD_REQUEST, "expected a kind of step, got \"%.*s\"", SYNOD_STR (in->kind));
    if (!slash || !synod_str_is (synod_str_n (slash + 1, from.size - out->name.size - 1), SYNOD__PAXOS_ACTOR))
        return synod_error (ctx, SYNOD_BAD_REQUEST, "expected a step from an actor paxos, got one from %.*s",
                            SYNOD_STR (from));
    if (!in->key.size || !synod__store_id_take (in->store, &out->id) ||
        (in->round && !synod__store_id_take (in->by, &out->ballot.proposer)) ||
        (in->accepted && !synod__store_id_take (in->accepted_by, &out->accepted.proposer)))
        return synod_error (ctx, SYNOD_BAD_REQUEST, "expected a key, and %d bytes as the id of each store",
                            SYNOD__STORE_ID_SIZE);
    if (!out->value.data) /* no bytes are left out of a record */
        out->value = synod_str_n ("", 0);
    return SYNOD_OK;
}

static int s_on_step (synod_ctx_t *ctx, void *state, const synod__paxos_step_t *in, synod_call_t call)
{
    synod__paxos_state_t *self = (synod__paxos_state_t *) state;
    synod__paxos_message_t message = {0};
    int rc = call.id ? synod_error (ctx, SYNOD_INVALID, "a step is told: its answer is another step")
                     : s_understand (ctx, in, &message);
    if (rc != SYNOD_OK) {
        self->refused++;
        return rc;
    }
    bool asks = message.kind == SYNOD__PAXOS_PREPARE || message.kind == SYNOD__PAXOS_ACCEPT ||
                message.kind == SYNOD__PAXOS_QUERY;
    if (!asks && message.kind != SYNOD__PAXOS_CHOSEN) /* proposers look for themselves who answers */
        return synod__paxos_efforts_take (ctx, self, in->key, &message);
    if (!s_known (self, &message))
        return s_refuse (ctx, self, in->key, &message);
    rc = synod__paxos_put_begun (ctx, self);
    if (rc == SYNOD_OK)
        rc = s_accept (ctx, self, in->key, &message);
    if (rc == SYNOD_OK && !asks)
        rc = synod__paxos_efforts_take (ctx, self, in->key, &message);
    return rc;
}

/* ---- for users ---- */

static int s_on_propose (synod_ctx_t *ctx, void *state, const synod__paxos_propose_t *in, synod_call_t call)
{
    synod_str_t value = in->value.data ? in->value : synod_str_n ("", 0);
    return synod__paxos_effort (ctx, (synod__paxos_state_t *) state, in->key, value, call);
}

static int s_on_get (synod_ctx_t *ctx, void *state, const synod__paxos_get_t *in, synod_call_t call)
{
    return synod__paxos_effort (ctx, (synod__paxos_state_t *) state, in->key, synod_str_n (NULL, 0), call);
}

static int s_on_status (synod_ctx_t *ctx, void *state, const synod__paxos_status_t *in, synod_call_t call)
{
    const synod__paxos_state_t *self = (const synod__paxos_state_t *) state;
    synod_fault_t fault = {0};
    synod_buf_t items = {0};
    (void) in;
    synod__paxos_status_is_t out = {.node = self->self.name,
                                    .store = synod_str_n (self->self.id.bytes, SYNOD__STORE_ID_SIZE),
                                    .begun = self->begun,
                                    .round = self->round,
                                    .keys = self->keys,
                                    .chosen = self->chosen,
                                    .efforts = self->nefforts,
                                    .refused = self->refused};
    if (self->set.count && synod__paxos_set_admits (&self->set, self->self.name, &self->self.id, &fault) != SYNOD_OK)
        out.trouble = synod_str (fault.text);
    int rc = synod__paxos_list (&self->set, &out.acceptors, &items);
    if (rc == SYNOD_OK && call.id)
        rc = synod_reply (ctx, call, &synod__paxos_status_is_record, &out);
    synod_buf_free (&items);
    return rc;
}

/* ---- life ---- */

static bool s_count (void *arg, synod_str_t key, synod_str_t value)
{
    synod__paxos_state_t *self = (synod__paxos_state_t *) arg;
    synod__paxos_record_t record;
    (void) key;
    self->keys++;
    self->chosen += synod__paxos_record_unpack (&record, value, NULL) == SYNOD_OK && record.chosen;
    return true;
}

static int s_init (synod_ctx_t *ctx, void *state, const void *args)
{
    synod__paxos_state_t *self = (synod__paxos_state_t *) state;
    synod_str_t bytes;
    synod_fault_t fault = {0};
    uint64_t begun = 0;
    (void) args;
    self->self.name = synod_str (synod_node (ctx));
    memcpy (self->self.id.bytes, synod__ctx_store_id (ctx), SYNOD__STORE_ID_SIZE);
    int rc = s_get_number (ctx, "round", &self->round);
    if (rc == SYNOD_OK || rc == SYNOD_NOT_FOUND)
        rc = s_get_number (ctx, "begun", &begun);
    if (rc == SYNOD_OK || rc == SYNOD_NOT_FOUND)
        rc = synod_get (ctx, synod_str (SYNOD__PAXOS_AT_SET), &bytes);
    if (rc == SYNOD_NOT_FOUND)
        return SYNOD_OK; /* nothing was promised to anybody yet */
    if (rc == SYNOD_OK && synod__paxos_set_unpack (&self->set, bytes, &fault) != SYNOD_OK)
        rc = synod_error (ctx, SYNOD_INVALID, "the set of acceptors in the store is damaged: %s", fault.text);
    self->begun = rc == SYNOD_OK && begun && begun == self->set.digest;
    return rc == SYNOD_OK ? synod_scan (ctx, synod_str (SYNOD__PAXOS_AT_KEYS), synod_str ("l"), s_count, self) : rc;
}

static void s_fini (synod_ctx_t *ctx, void *state)
{
    (void) ctx;
    synod__paxos_efforts_free ((synod__paxos_state_t *) state);
    synod__paxos_making_free ((synod__paxos_state_t *) state);
}

const synod_actor_t synod__paxos_actor = {
    .name = SYNOD__PAXOS_ACTOR,
    .doc = "decides a value once for each key, with the other acceptors",
    .state_size = sizeof (synod__paxos_state_t),
    .init = s_init,
    .fini = s_fini,
    .routes =
        (const synod_route_t[]){SYNOD_ON (synod__paxos_step, s_on_step), SYNOD_ON (synod__paxos_propose, s_on_propose),
                                SYNOD_ON (synod__paxos_get, s_on_get), SYNOD_ON (synod__paxos_status, s_on_status),
                                SYNOD_ON (synod__paxos_init, synod__paxos_on_init),
                                SYNOD_ON (synod__paxos_adopt, synod__paxos_on_adopt),
                                SYNOD_ON (synod__paxos_begin, synod__paxos_on_begin), SYNOD_END},
    .beside = &synod__acceptor_actor, /* of the votes on transactions: that set accepts those too */
};
