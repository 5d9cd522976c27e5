/* SPDX-License-Identifier: MPL-2.0
 *
 * A node's part in how a ring comes about: what it records, refuses and forgets, and how it begins.
 *
 * Invariants: a node has recorded one ring at a time. It forgets that one only when a member that had not recorded it has
 * refused it for good: so it can never have begun, and never will. It never records again what it refused or forgot.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "ring_actor_parts.h"

#define S_FIRST "first"
#define S_KEY   9

/* ---- the store ---- */

static synod_str_t s_refused_key (uint64_t ring, uint8_t room[S_KEY])
{
    room[0] = 'x';
    for (int i = 0; i < 8; i++)
        room[1 + i] = (uint8_t) (ring >> (56 - 8 * i));
    return synod_str_n (room, S_KEY);
}

int synod__ring_load_recorded (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    synod__epoch_t epoch;
    synod_str_t bytes;
    synod_fault_t fault = {0};
    int rc = synod_get (ctx, synod_str (S_FIRST), &bytes);
    if (rc != SYNOD_OK)
        return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
    if (synod__epoch_unpack (&epoch, bytes, &fault) != SYNOD_OK)
        return synod_error (ctx, SYNOD_INVALID, "the first epoch in the store is damaged: %s", fault.text);
    self->recorded_ring = epoch.ring;
    synod__epoch_free (&epoch);
    return synod__ring_keep (&self->recorded, bytes) ? SYNOD_OK : synod__ring_no_memory (ctx);
}

int synod__ring_drop_recorded (synod_ctx_t *ctx, synod__ring_state_t *self)
{
    if (!self->recorded.size)
        return SYNOD_OK;
    int rc = synod_delete (ctx, synod_str (S_FIRST));
    if (rc == SYNOD_OK) {
        synod_buf_free (&self->recorded);
        self->recorded_ring = 0;
    }
    return rc;
}

const char *synod__ring_members (synod_str_t value, char *room, size_t size)
{
    synod__epoch_t epoch;
    size_t used = 0;
    *room = 0;
    if (synod__epoch_unpack (&epoch, value, NULL) != SYNOD_OK)
        return room;
    for (uint32_t j = 0; j < epoch.nmembers && used < size; j++)
        used += (size_t) snprintf (room + used, size - used, "%s%s", j ? "," : "", epoch.members[j].name);
    synod__epoch_free (&epoch);
    return room;
}

/* ---- each node ---- */

static int s_ready (synod_ctx_t *ctx, synod_call_t call)
{
    if (call.id)
        synod_reply (ctx, call, &synod__ring_ready_record, &(synod__ring_ready_t){0});
    return SYNOD_OK;
}

/* Whether this node may record EPOCH. */
static int s_may_record (synod_ctx_t *ctx, const synod__ring_state_t *self, const synod__epoch_t *epoch)
{
    uint8_t room[S_KEY];
    synod_str_t value;
    const synod__member_t *member = synod__epoch_store (epoch, &self->self.id);
    if (epoch->number != 1)
        return synod_error (ctx, SYNOD_INVALID, "expected the first epoch of a ring, got %" PRIu64, epoch->number);
    if (!member || !synod_str_is (self->self.name, member->name))
        return synod_error (ctx, SYNOD_REFUSED, "%s has another store than the member: it was wiped since",
                            synod_node (ctx));
    if (synod__ctx_epoch (ctx))
        return synod_error (ctx, SYNOD_REFUSED, "%s is in a ring already", synod_node (ctx));
    if (self->recorded.size && !SYNOD__RING_MUTANT (RECORDS_AGAIN))
        return synod_error (ctx, SYNOD_REFUSED, "%s has recorded another ring", synod_node (ctx));
    int rc = synod_get (ctx, s_refused_key (epoch->ring, room), &value);
    if (rc == SYNOD_OK)
        return synod_error (ctx, SYNOD_REFUSED, "%s has refused this ring", synod_node (ctx));
    return rc == SYNOD_NOT_FOUND ? SYNOD_OK : rc;
}

int synod__ring_on_adopt (synod_ctx_t *ctx, void *state, const synod__ring_adopt_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    const synod__epoch_t *now = synod__ctx_epoch (ctx);
    synod__epoch_t epoch;
    synod_fault_t fault = {0};
    int rc = synod__epoch_unpack (&epoch, in->value, &fault);
    if (rc != SYNOD_OK)
        return synod_error (ctx, rc, "%s", fault.text);
    uint64_t ring = epoch.ring;
    bool there = (now && now->ring == ring) || synod_str_same (synod__ring_str (&self->recorded), in->value);
    rc = there ? SYNOD_OK : s_may_record (ctx, self, &epoch);
    synod__epoch_free (&epoch);
    if (rc != SYNOD_OK || there)
        return rc == SYNOD_OK ? s_ready (ctx, call) : rc;
    rc = synod_put (ctx, synod_str (S_FIRST), in->value);
    if (rc == SYNOD_OK && !synod__ring_keep (&self->recorded, in->value))
        rc = synod__ring_no_memory (ctx);
    if (rc != SYNOD_OK)
        return rc;
    self->recorded_ring = ring;
    return s_ready (ctx, call);
}

int synod__ring_on_begin (synod_ctx_t *ctx, void *state, const synod__ring_begin_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    if (epoch && epoch->ring == in->ring)
        return s_ready (ctx, call);
    if (epoch || !self->recorded.size || self->recorded_ring != in->ring)
        return synod_error (ctx, SYNOD_REFUSED, "%s %s", synod_node (ctx),
                            epoch ? "is in another ring" : "has not recorded this ring");
    synod_buf_t value = {0};
    if (!synod__ring_keep (&value, synod__ring_str (&self->recorded)))
        return synod__ring_no_memory (ctx);
    int rc = synod__ring_enter (ctx, self, synod__ring_str (&value));
    synod_buf_free (&value);
    return rc == SYNOD_OK ? s_ready (ctx, call) : rc;
}

int synod__ring_on_refuse (synod_ctx_t *ctx, void *state, const synod__ring_refuse_t *in, synod_call_t call)
{
    const synod__ring_state_t *self = (const synod__ring_state_t *) state;
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    synod__store_id_t id;
    uint8_t room[S_KEY];
    if (!synod__store_id_take (in->store, &id) || synod__store_id_compare (&id, &self->self.id) != 0)
        return synod_error (ctx, SYNOD_REFUSED, "%s has another store than the member: it was wiped since",
                            synod_node (ctx));
    if ((epoch && epoch->ring == in->ring) || self->recorded_ring == in->ring)
        return synod_error (ctx, SYNOD_REFUSED, "%s has recorded this ring", synod_node (ctx));
    int rc = synod_put (ctx, s_refused_key (in->ring, room), synod_str (""));
    return rc == SYNOD_OK ? s_ready (ctx, call) : rc;
}

int synod__ring_on_forget (synod_ctx_t *ctx, void *state, const synod__ring_forget_t *in, synod_call_t call)
{
    synod__ring_state_t *self = (synod__ring_state_t *) state;
    const synod__epoch_t *epoch = synod__ctx_epoch (ctx);
    uint8_t room[S_KEY];
    if (epoch && epoch->ring == in->ring)
        return synod_error (ctx, SYNOD_REFUSED, "%s is in this ring", synod_node (ctx));
    int rc = self->recorded_ring == in->ring ? synod__ring_drop_recorded (ctx, self) : SYNOD_OK;
    if (rc == SYNOD_OK)
        rc = synod_put (ctx, s_refused_key (in->ring, room), synod_str (""));
    return rc == SYNOD_OK ? s_ready (ctx, call) : rc;
}
