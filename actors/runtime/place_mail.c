/* SPDX-License-Identifier: MPL-2.0
 *
 * Mail for actor#key. The owner takes it; any other node sends it on; where neither can be done now (the partition is
 * changing hands, its owner is not to be reached, a later epoch is on its way here) it waits, as long as its asker does:
 * just before that its asker is told in vain for what. Nobody sends on what came from one who knows a later epoch, so mail does not run in circles.
 *
 * Invariant: mail for one partition is taken or sent on in the order in which it came.
 */
#include <stdio.h>
#include "place.h"

#define S_LAST_US 20000 /* before an asker gives up it is told why, this much or a tenth of its time */

struct synod__keyed_t {
    synod__keyed_t *next;
    synod__shards_t *placed; /* NULL: the ring was not known yet */
    uint32_t partition;
    int64_t until_us, told_us; /* when its asker gives up; is told */
    synod__stream_t *asker;    /* kept */
    synod_envelope_t env;      /* its texts are in BYTES, as the others */
    synod_str_t actor, key, from, name;
    char bytes[];
};

static uint32_t s_partition (const synod__shards_t *placed, synod_str_t key)
{
    return synod__ring_partition (synod__placed_now (placed), key);
}

/* The owner's name; NULL: nobody runs it. */
static const synod__member_t *s_owner (const synod__rt_t *rt, const synod__shards_t *placed, uint32_t partition)
{
    uint16_t owner = synod__placed_now (placed)->owner[partition];
    return owner == SYNOD__NOBODY ? NULL : &synod__place_now (rt->place)->epoch.members[owner];
}

static bool s_is_self (const synod__rt_t *rt, const synod__member_t *member)
{
    return member && memcmp (member->id.bytes, rt->disk->id, sizeof member->id.bytes) == 0;
}

synod__stream_t *synod__keyed_resolve (synod__rt_t *rt, const synod_address_t *address, int *code)
{
    rt->place->keyed = true; /* from now on it is worth knowing */
    synod__shards_t *placed = synod__place_type (rt, address->actor);
    *code = SYNOD_NO_ROUTE;
    if (!placed)
        return NULL;
    uint32_t partition = s_partition (placed, address->key);
    const synod__member_t *owner = s_owner (rt, placed, partition);
    synod__stream_t *stream =
        s_is_self (rt, owner) || placed->waiting[partition] ? NULL : synod__place_reach (rt, owner);
    return stream ? stream : rt->self; /* where it is taken, or waits */
}

/* ---- what waits ---- */

static char *s_copy (char *at, synod_str_t from, synod_str_t *to)
{
    *to = synod_str_n (from.data ? at : NULL, from.size);
    if (from.data && from.size)
        memcpy (at, from.data, from.size);
    return at + from.size;
}

static bool s_wait (synod__rt_t *rt, synod__shards_t *placed, uint32_t partition, synod__stream_t *asker,
                    synod_str_t actor, const synod_message_t *message, synod_str_t name, const synod_envelope_t *env)
{
    synod__place_t *place = rt->place;
    size_t size = actor.size + message->key.size + message->from.size + name.size + env->method.size + env->body.size;
    if (place->mail_bytes + size > rt->config.queue_bytes)
        return false;
    synod__keyed_t *self = (synod__keyed_t *) synod__alloc (sizeof *self + size);
    uint64_t left_ms = env->left_ms && env->left_ms < 86400000 ? env->left_ms : SYNOD_ASK_MS;
    self->placed = placed;
    self->partition = partition;
    self->until_us = rt->now_us + (int64_t) left_ms * 1000;
    self->told_us = self->until_us - ((int64_t) left_ms * 100 < S_LAST_US ? (int64_t) left_ms * 100 : S_LAST_US);
    if (!place->mail || self->told_us < place->mail_us)
        place->mail_us = self->told_us;
    self->asker = asker;
    asker->refs++;
    self->env = *env;
    self->env.to = self->env.from = synod_str_n (NULL, 0);
    char *at = s_copy (self->bytes, actor, &self->actor);
    at = s_copy (at, message->key, &self->key);
    at = s_copy (at, message->from, &self->from);
    at = s_copy (at, name, &self->name);
    at = s_copy (at, env->method, &self->env.method);
    s_copy (at, env->body, &self->env.body);
    if (placed)
        placed->waiting[partition]++;
    place->mail_bytes += size;
    *(place->mail ? &place->mail_last->next : &place->mail) = self;
    place->mail_last = self;
    return true;
}

static void s_free (synod__rt_t *rt, synod__keyed_t *self)
{
    synod__place_t *place = rt->place;
    place->mail_bytes -= self->actor.size + self->key.size + self->from.size + self->name.size + self->env.method.size +
                         self->env.body.size;
    self->asker->refs--;
    free (self);
}

void synod__keyed_free (synod__rt_t *rt)
{
    while (rt->place->mail) {
        synod__keyed_t *self = rt->place->mail;
        rt->place->mail = self->next;
        s_free (rt, self);
    }
}

/* ---- what is done with it ---- */

/* To the owner, as it came but for who sent it: the owner answers the asker itself. */
static int s_forward (synod__rt_t *rt, synod__stream_t *stream, const synod_message_t *message, synod_str_t name,
                      const synod_envelope_t *env)
{
    char address[2 * SYNOD_NAME_MAX + 2], to[SYNOD_ADDRESS_MAX + 1];
    synod_envelope_t out = *env;
    synod_str_t at = synod__address_join (synod__stream_name (stream), name, address, sizeof address);
    out.to = synod__address_key (name, message->key, to, sizeof to);
    out.from = message->from;
    if (!at.data || !out.to.data)
        return SYNOD_BAD_ADDRESS;
    return synod__stream_put (rt, stream, at, &out);
}

/* The partition, if this node serves it. */
static synod__partition_t *s_served (const synod__rt_t *rt, const synod__shards_t *placed, uint32_t partition)
{
    synod__partition_t *self = placed->partition ? placed->partition[partition] : NULL;
    if (!self || !s_is_self (rt, s_owner (rt, placed, partition)))
        return NULL;
    bool early = SYNOD__MUTANT (INACTIVE_SERVED) && self->replica.phase != SYNOD__REPLICA_NOTHING;
    return synod__partition_serving (self) || early ? self : NULL;
}

typedef enum { S_TAKEN, S_LATER, S_FULL } s_outcome_t;

static s_outcome_t s_try (synod__rt_t *rt, synod__shards_t *placed, uint32_t partition, synod__stream_t *asker,
                          synod_str_t actor, const synod_message_t *message, synod_str_t name,
                          const synod_envelope_t *env)
{
    if (synod__place_learns (rt))
        return S_LATER;
    synod__partition_t *self = s_served (rt, placed, partition);
    if (self) {
        synod__inbox_hand (rt, synod__partition_instance (rt, self), asker, actor, message, name, env);
        return S_TAKEN;
    }
    const synod__member_t *owner = s_owner (rt, placed, partition);
    bool former = SYNOD__MUTANT (FORMER_OWNER) && placed->partition && placed->partition[partition] &&
                  placed->partition[partition]->replica.head.mark;
    if (former && !s_is_self (rt, owner)) {
        synod__inbox_hand (rt, synod__partition_instance (rt, placed->partition[partition]), asker, actor, message,
                           name, env);
        return S_TAKEN;
    }
    if (s_is_self (rt, owner))
        return S_LATER;
    synod__stream_t *stream = synod__place_reach (rt, owner);
    if (!stream)
        return S_LATER;
    return s_forward (rt, stream, message, name, env) == SYNOD_BUSY ? S_FULL : S_TAKEN;
}

/* The copies of a partition, those that cannot be reached as such. */
static void s_copies (synod__rt_t *rt, const synod__shards_t *placed, uint32_t partition, char *out, size_t size)
{
    const synod__ring_t *table = synod__placed_now (placed);
    const synod__epoch_t *epoch = &synod__place_now (rt->place)->epoch;
    const uint16_t *replicas = synod__ring_replicas (table, partition);
    size_t used = 0;
    for (uint32_t i = 0; i < table->copies && used < size; i++) {
        const synod__member_t *member = &epoch->members[replicas[i]];
        const char *how = !s_is_self (rt, member) && !synod__place_reach (rt, member) ? " (not on this bus)"
                          : member->down                                              ? " (marked down)"
                                                                                      : "";
        used += (size_t) snprintf (out + used, size - used, "%s%s%s", i ? ", " : "", member->name, how);
    }
}

/* What it waits for, in words. */
static void s_why (synod__rt_t *rt, const synod__keyed_t *self, char text[SYNOD_FAULT_MAX])
{
    char copies[SYNOD_FAULT_MAX / 2];
    if (!self->placed) {
        snprintf (text, SYNOD_FAULT_MAX, "node %s waits to be told of the ring that %.*s is placed on", rt->config.node,
                  SYNOD_STR (self->name));
        return;
    }
    const synod__member_t *owner = s_owner (rt, self->placed, self->partition);
    int used = snprintf (text, SYNOD_FAULT_MAX, "no node serves partition %u of %s: waiting for ", self->partition,
                         self->placed->name);
    size_t left = SYNOD_FAULT_MAX - (size_t) used;
    if (owner)
        s_copies (rt, self->placed, self->partition, copies, sizeof copies);
    if (!owner)
        snprintf (text + used, left, "a member of the ring that runs it");
    else if (synod__place_learns (rt))
        snprintf (text + used, left, "epoch %llu", (unsigned long long) rt->place->heard);
    else if (s_is_self (rt, owner))
        snprintf (text + used, left, "a majority of its copies, on %s", copies);
    else
        snprintf (text + used, left, "%s to own it, or another of its copies, on %s", owner->name, copies);
}

static void s_tell_why (synod__rt_t *rt, const synod__keyed_t *self, const synod_message_t *message,
                        const synod_envelope_t *env)
{
    char text[SYNOD_FAULT_MAX];
    s_why (rt, self, text);
    synod__inbox_refuse (rt, self->asker, self->name, message, env, SYNOD_TIMEOUT, text);
}

bool synod__keyed_take (synod__rt_t *rt, synod__stream_t *asker, synod_str_t actor, const synod_message_t *message,
                        const synod_address_t *to, const synod_envelope_t *env)
{
    synod__shards_t *placed = synod__place_type (rt, to->actor);
    const synod__instance_t *here = placed ? NULL : synod__instance_find (rt, to->actor);
    if (!placed && (!here || here->type->placement != SYNOD_SHARDED ||
                    !(synod__place_learns (rt) || synod__place_seek (rt, to->actor))))
        return false;
    uint32_t partition = placed ? s_partition (placed, to->key) : 0;
    s_outcome_t outcome = S_LATER;
    if (placed && !placed->waiting[partition])
        outcome = s_try (rt, placed, partition, asker, actor, message, to->actor, env);
    if (outcome == S_LATER && !s_wait (rt, placed, partition, asker, actor, message, to->actor, env))
        outcome = S_FULL;
    if (outcome == S_FULL)
        synod__inbox_refuse (rt, asker, to->actor, message, env, SYNOD_BUSY,
                             "too much mail waits for partitions that change hands");
    return true;
}

static s_outcome_t s_again (synod__rt_t *rt, synod__keyed_t *item, const synod_message_t *message,
                            const synod_envelope_t *env)
{
    synod__shards_t *placed = item->placed;
    if (!placed) {
        placed = synod__place_type (rt, item->name);
        if (!placed && (synod__place_learns (rt) || synod__place_seek (rt, item->name)))
            return S_LATER;
        if (!placed) {
            synod__inbox_no_ring (rt, item->asker, item->name, message, env);
            return S_TAKEN;
        }
        item->placed = placed;
        item->partition = s_partition (placed, item->key);
    }
    /* in this pass all that waits for a partition fares alike */
    return s_try (rt, placed, item->partition, item->asker, item->actor, message, item->name, env);
}

/* Whoever was sent it by one that runs the actor takes it, whatever their directories say. */
bool synod__keyed_follow (synod__rt_t *rt, const synod_message_t *message, const synod_address_t *to,
                          const synod_envelope_t *env)
{
    bool forwarded = env->from.data && memchr (env->from.data, '/', env->from.size);
    synod__stream_t *stream = forwarded ? rt->self : synod__follow (rt, to->actor, to->key, NULL);
    return stream && stream != rt->self && s_forward (rt, stream, message, to->actor, env) == SYNOD_OK;
}

void synod__keyed_returned (synod__rt_t *rt, const synod_envelope_t *env, int code, const char *message)
{
    synod_address_t to, from;
    if (synod__address_parse (env->to, &to, NULL) != SYNOD_OK || !to.key.data ||
        synod__address_parse (env->from, &from, NULL) != SYNOD_OK || !from.node.data)
        return;
    synod__stream_t *asker = synod__stream_get (rt, from.node);
    synod__shards_t *placed = synod__place_type (rt, to.actor);
    synod_message_t message_in = {
        .method = env->method, .from = env->from, .key = to.key, .body = env->body, .trace = env->trace};
    /* it was not taken, or may be taken twice: it waits for another owner */
    bool again = placed && (code == SYNOD_NO_ROUTE || env->client);
    if (!again || !s_wait (rt, placed, s_partition (placed, to.key), asker, from.actor, &message_in, to.actor, env))
        synod__inbox_refuse (rt, asker, to.actor, &message_in, env, code, message);
}

void synod__keyed_again (synod__rt_t *rt)
{
    synod__place_t *place = rt->place;
    if (!place->mail || (!place->changed && rt->now_us < place->mail_us)) {
        place->changed = false;
        return;
    }
    place->changed = false;
    place->mail_us = INT64_MAX;
    synod__keyed_t *item = place->mail, *next;
    place->mail = place->mail_last = NULL;
    for (; item; item = next) {
        next = item->next;
        item->next = NULL;
        synod_message_t message = {.method = item->env.method,
                                   .from = item->from,
                                   .key = item->key,
                                   .body = item->env.body,
                                   .trace = item->env.trace};
        int64_t left_us = item->until_us - rt->now_us;
        synod_envelope_t env = item->env;
        env.left_ms = left_us > 1000 ? (uint64_t) left_us / 1000 : 1;
        if (item->placed)
            item->placed->waiting[item->partition]--;
        s_outcome_t outcome = left_us > 0 ? s_again (rt, item, &message, &env) : S_TAKEN; /* its asker has given up */
        place->doubt |= left_us <= 0 || rt->now_us >= item->told_us; /* in vain: the ring may have changed since */
        if (left_us <= 0 && env.kind != SYNOD_KIND_ASK)
            synod__drop (rt, item->from, item->name, "its partition was not served in time", 1);
        if (outcome != S_TAKEN && rt->now_us >= item->told_us && env.kind == SYNOD_KIND_ASK) {
            s_tell_why (rt, item, &message, &env);
            outcome = S_TAKEN;
        }
        if (outcome == S_TAKEN) {
            s_free (rt, item);
            continue;
        }
        if (item->placed)
            item->placed->waiting[item->partition]++;
        int64_t next_us = env.kind == SYNOD_KIND_ASK ? item->told_us : item->until_us;
        if (next_us < place->mail_us)
            place->mail_us = next_us;
        *(place->mail ? &place->mail_last->next : &place->mail) = item;
        place->mail_last = item;
    }
}
