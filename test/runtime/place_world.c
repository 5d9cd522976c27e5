/* SPDX-License-Identifier: MPL-2.0 */
#include "place_world.h"

/* ---- the actor: a counter for each key ---- */

SYNOD_RECORD_DEFINE (add, ADD_FIELDS, 0, "adds to the key's counter")
SYNOD_RECORD_DEFINE (add_once, ADD_FIELDS, SYNOD_ONCE, "the same as a command")
SYNOD_RECORD_DEFINE (get, GET_FIELDS, SYNOD_IDEMPOTENT, "its value")
SYNOD_RECORD_DEFINE (peek, GET_FIELDS, SYNOD_IDEMPOTENT | SYNOD_STALE, "its value, perhaps not the last")
SYNOD_RECORD_DEFINE (count, COUNT_FIELDS, 0, "a counter")

int owned, disowned;

static int on_own (synod_ctx_t *ctx, void *state)
{
    (void) ctx;
    ((tally_t *) state)->owned = true;
    owned++;
    return SYNOD_OK;
}

static void on_disown (synod_ctx_t *ctx, void *state)
{
    assert_true (((tally_t *) state)->owned);
    /* goes nowhere */
    synod_put (ctx, synod_str ("ghost"), synod_str ("x"));
    disowned++;
}

static uint64_t value_of (synod_ctx_t *ctx)
{
    uint64_t value = 0;
    synod_str_t bytes;
    if (synod_get (ctx, synod_key (ctx), &bytes) == SYNOD_OK)
        memcpy (&value, bytes.data, sizeof value);
    return value;
}

static int answer (synod_ctx_t *ctx, tally_t *self, uint64_t value, synod_call_t call)
{
    synod_str_t ghost;
    assert_int_equal (synod_get (ctx, synod_str ("ghost"), &ghost), SYNOD_NOT_FOUND);
    assert_true (self->owned);
    count_t out = {.value = value, .node = synod_str (synod_node (ctx)), .served = ++self->served};
    return synod_reply (ctx, call, &count_record, &out);
}

static int on_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    uint64_t value = value_of (ctx) + in->amount;
    int rc = synod_put (ctx, synod_key (ctx), synod_str_n (&value, sizeof value));
    if (rc == SYNOD_OK && in->fill) {
        void *bytes = calloc (1, in->fill);
        rc = synod_put (ctx, synod_str ("fill"), synod_str_n (bytes, in->fill));
        free (bytes);
    }
    if (in->refuse)
        return synod_error (ctx, SYNOD_REFUSED, "as asked");
    if (in->fail)
        return synod_error (ctx, SYNOD_FAILED, "as asked");
    return rc == SYNOD_OK ? answer (ctx, (tally_t *) state, value, call) : rc;
}

static int on_add_once (synod_ctx_t *ctx, void *state, const add_once_t *in, synod_call_t call)
{
    const add_t add = {.amount = in->amount, .refuse = in->refuse};
    return on_add (ctx, state, &add, call);
}

static int on_get (synod_ctx_t *ctx, void *state, const get_t *in, synod_call_t call)
{
    (void) in;
    return answer (ctx, (tally_t *) state, value_of (ctx), call);
}

static int on_peek (synod_ctx_t *ctx, void *state, const peek_t *in, synod_call_t call)
{
    (void) in;
    return answer (ctx, (tally_t *) state, value_of (ctx), call);
}

const synod_actor_t tally = {
    .name = "tally",
    .state_size = sizeof (tally_t),
    .routes = (const synod_route_t[]){SYNOD_ON (add, on_add), SYNOD_ON (add_once, on_add_once), SYNOD_ON (get, on_get),
                                      SYNOD_ON (peek, on_peek), SYNOD_END},
    .placement = SYNOD_SHARDED,
    .on_own = on_own,
    .on_disown = on_disown,
};

/* In the place of the ring's actor. */
const synod_actor_t setter = {.name = "ring", .state_size = 1};

/* ---- a world ---- */

int world_take_id (synod_ctx_t *ctx, void *state, void *arg)
{
    (void) state;
    memcpy (arg, synod__ctx_store_id (ctx), SYNOD__STORE_ID_SIZE);
    return SYNOD_OK;
}

void world_new (world_t *world, uint32_t nodes, uint32_t replicas, bool direct)
{
    world_new_with (world, nodes, replicas, &(synod_sim_settings_t){.direct = direct, .heartbeat_ms = 100});
}

void world_new_with (world_t *world, uint32_t nodes, uint32_t replicas, const synod_sim_settings_t *settings)
{
    memset (world, 0, sizeof *world);
    owned = disowned = 0;
    world->sim = synod_sim_new (7, settings);
    if (getenv ("TRACE"))
        synod_sim_trace_file (world->sim, stderr);
    for (uint32_t i = 0; i < nodes; i++) {
        char name[] = {(char) ('a' + i), 0};
        world->node[i] = synod_sim_node (world->sim, name);
        assert_int_equal (synod_sim_add (world->sim, world->node[i], &setter, NULL), SYNOD_OK);
        assert_int_equal (synod_sim_add (world->sim, world->node[i], &tally, NULL), SYNOD_OK);
        assert_int_equal (synod_sim_start (world->sim, world->node[i]), SYNOD_OK);
    }
    world->client = synod_sim_client (world->sim, "client");
    assert_int_equal (synod_sim_join (world->sim, 10000), SYNOD_OK);
    for (uint32_t i = 0; i < nodes; i++) {
        assert_int_equal (synod_sim_act (world->sim, world->node[i], "ring", world_take_id, &world->id[i]), SYNOD_OK);
        world->members[i] = (synod__member_t){.id = world->id[i], .weight = 100, .target = 100, .types = 1};
        snprintf (world->members[i].name, sizeof world->members[i].name, "%c", (char) ('a' + i));
    }
    world->keeper = world->id[0];
    strcpy (world->type.name, "tally");
    world->epoch = (synod__epoch_t){.ring = 77,
                                    .partitions = PARTITIONS,
                                    .replicas = replicas,
                                    .nmembers = nodes,
                                    .nkeepers = 1,
                                    .ntypes = 1,
                                    .members = world->members,
                                    .keepers = &world->keeper,
                                    .types = &world->type};
}

void world_end (world_t *world)
{
    synod_sim_destroy (&world->sim);
}

int world_enter (synod_ctx_t *ctx, void *state, void *arg)
{
    const synod_buf_t *bytes = (const synod_buf_t *) arg;
    synod_fault_t fault = {0};
    (void) state;
    int rc = synod__ctx_enter_epoch (ctx, synod_str_n (bytes->data, bytes->size), &fault);
    if (rc != SYNOD_OK)
        print_error ("%s\n", fault.text);
    return rc;
}

void world_tell (world_t *world, uint32_t at)
{
    synod_buf_t bytes = {0};
    synod_fault_t fault = {0};
    if (synod__epoch_pack (&world->epoch, &bytes, &fault) != SYNOD_OK)
        fail_msg ("%s", fault.text);
    assert_int_equal (synod_sim_act (world->sim, world->node[at], "ring", world_enter, &bytes), SYNOD_OK);
    synod_buf_free (&bytes);
}

void world_decide (world_t *world, uint32_t at)
{
    world->epoch.number++;
    world_tell (world, at);
    if (world->epoch.number == 1)
        synod_sim_run (world->sim, 1000);
}

void reply_take (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    reply_t *out = (reply_t *) arg;
    count_t count;
    (void) sim;
    (void) client;
    out->done = true;
    out->code = reply->code;
    snprintf (out->message, sizeof out->message, "%.*s", SYNOD_STR (reply->message));
    if (reply->code != SYNOD_OK)
        return;
    assert_int_equal (synod_record_unpack (&count_record, reply->body, &count, NULL), SYNOD_OK);
    out->value = count.value;
    out->served = count.served;
    snprintf (out->node, sizeof out->node, "%.*s", SYNOD_STR (count.node));
}

bool reply_done (synod_sim_t *sim, void *arg)
{
    (void) sim;
    return ((const reply_t *) arg)->done;
}

reply_t world_ask (world_t *world, const char *to, const synod_record_t *record, const void *in)
{
    reply_t reply = {0};
    assert_int_equal (synod_sim_ask (world->sim, world->client, to, record, in, 20000, reply_take, &reply), SYNOD_OK);
    assert_int_equal (synod_sim_until (world->sim, reply_done, &reply, 30000), SYNOD_OK);
    return reply;
}

const char *key_address (uint32_t key)
{
    static char text[32];
    snprintf (text, sizeof text, "tally#key%u", key);
    return text;
}

void add_all (world_t *world, uint64_t value)
{
    for (uint32_t key = 0; key < 40; key++) {
        const add_once_t add = {.amount = 1};
        reply_t reply = world_ask (world, key_address (key), &add_once_record, &add);
        if (reply.code != SYNOD_OK)
            fail_msg ("key %u: %s", key, reply.message);
        assert_int_equal (reply.value, value);
    }
}

static int node_progress (synod_ctx_t *ctx, void *state, void *arg)
{
    (void) state;
    synod__ctx_progress (ctx, (synod__place_progress_t *) arg);
    return SYNOD_OK;
}

synod__place_progress_t world_progress (world_t *world, uint32_t at)
{
    synod__place_progress_t out = {0};
    synod_sim_act (world->sim, world->node[at], "ring", node_progress, &out);
    return out;
}
