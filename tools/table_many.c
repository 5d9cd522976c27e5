/* SPDX-License-Identifier: MPL-2.0
 *
 * Clients of the scenario `kv` whose keys go together: what they ask is begun with the client of an actor on a node of its
 * own (actors/kv/client.h), and leaves with what else was begun in the same few milliseconds. What comes of it is theirs as
 * any other answer.
 */
#include "table.h"

#define TICK_MS 4

/* The memory of the actor. */
typedef struct {
    synod__kvc_t client;
    uint64_t life;
} table_many_t;

static int on_tick (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    table_many_t *self = (table_many_t *) state;
    (void) arg;
    synod__kvc_send (&self->client, ctx);
    return synod_after (ctx, 1 + (uint32_t) (synod_random (ctx) % TICK_MS), on_tick, 0, NULL);
}

static int init (synod_ctx_t *ctx, void *state, const void *args)
{
    table_many_t *self = (table_many_t *) state;
    (void) args;
    synod__kvc_init (&self->client, SYNOD__KV_ACTOR, true);
    self->client.few = 1; /* all that can be goes in messages of several */
    self->life = synod_random (ctx) | 1;
    return on_tick (ctx, state, 0);
}

static void fini (synod_ctx_t *ctx, void *state)
{
    synod__kvc_free (&((table_many_t *) state)->client, ctx);
}

static const synod_actor_t s_actor = {
    .name = "many",
    .doc = "asks for many keys at once",
    .state_size = sizeof (table_many_t),
    .init = init,
    .fini = fini,
};

static table_many_t *memory_of (const table_t *world)
{
    return (table_many_t *) synod_sim_memory (world->ring.sim, world->many, s_actor.name);
}

/* Their answers; what was under way in another life of the node has none. */
static void on_look (synod_sim_t *sim, void *arg)
{
    table_t *world = (table_t *) arg;
    table_many_t *self = memory_of (world);
    synod__kvc_op_t *op;
    synod_sim_after (sim, 1000, on_look, world);
    if (!self)
        return;
    for (uint32_t i = 0; i < TABLE_ASKERS; i++) {
        table_asker_t *asker = &world->askers[i];
        if (!asker->together || asker->together == self->life)
            continue;
        asker->together = 0;
        table_reply (sim, 0, &(synod_reply_t){.code = SYNOD_STOPPED, .message = synod_str ("it crashed")}, asker);
    }
    while ((op = synod__kvc_next (&self->client))) {
        table_asker_t *asker = &world->askers[op->tag];
        synod_str_t text = synod_str_n (op->batch->answers.data + op->text_at, op->text_size);
        const synod_reply_t reply = {
            .code = op->code,
            .message = op->code == SYNOD_OK ? synod_str ("") : text,
            .body = op->code == SYNOD_OK ? text : synod_str_n (NULL, 0),
        };
        asker->together = 0;
        table_reply (sim, 0, &reply, asker);
    }
}

int table_many_begin (table_asker_t *asker, const synod_record_t *record, const void *in, uint32_t timeout_ms)
{
    static const struct {
        const synod_record_t *record;
        synod__kvc_kind_t kind;
    } kinds[] = {{&synod__kv_get_record, SYNOD__KVC_GET},       {&synod__kv_put_record, SYNOD__KVC_PUT},
                 {&synod__kv_delete_record, SYNOD__KVC_DELETE}, {&synod__kv_incr_record, SYNOD__KVC_INCR},
                 {&synod__kv_append_record, SYNOD__KVC_APPEND}, {NULL, SYNOD__KVC_KINDS}};
    table_many_t *self = memory_of (asker->world);
    uint32_t kind = 0;
    while (kinds[kind].record && kinds[kind].record != record)
        kind++;
    if (!self || !kinds[kind].record || !table_all_know (asker->world))
        return SYNOD_NOT_FOUND;
    int rc = synod__kvc_begin (&self->client, kinds[kind].kind, synod_str (table_keys[asker->key].name), in, timeout_ms,
                               asker->number, false, NULL, NULL);
    if (rc == SYNOD_OK)
        asker->together = self->life;
    return rc;
}

bool table_many_idle (const table_t *world)
{
    for (uint32_t i = 0; i < TABLE_ASKERS; i++)
        if (world->askers[i].together)
            return false;
    return true;
}

int table_many (table_t *world)
{
    world->many = synod_sim_node (world->ring.sim, "m1");
    if (!world->many || synod_sim_add (world->ring.sim, world->many, &s_actor, NULL) != SYNOD_OK ||
        synod_sim_start (world->ring.sim, world->many) != SYNOD_OK)
        return synod_sim_error (world->ring.sim)->code;
    synod_sim_after (world->ring.sim, 1000, on_look, world);
    return SYNOD_OK;
}
