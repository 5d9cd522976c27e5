/* SPDX-License-Identifier: MPL-2.0
 *
 * Placed actors in the runtime, with epochs that the test decides: who serves, what waits, what moves. The cores have
 * their own tests (test/place); the actor `ring` and the faults are the scenario `placed`'s.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <synod/sim.h>
#include "actors/place/place.h"
#include "actors/place/ring.h"
#include "actors/runtime/place_look.h"
#include "actors/runtime/runtime.h"
#include "sim/internal.h"

#define NODES      5
#define PARTITIONS 16

/* ---- the actor: a counter for each key ---- */

#define ADD_FIELDS(FIELD, OPT)                \
    FIELD (u64, amount, UINT32_MAX, "to add") \
    OPT (bit, refuse, 0, "write, and refuse") \
    OPT (bit, fail, 0, "write, and fail")     \
    OPT (u64, fill, SYNOD_FRAME_MAX, "so many bytes beside")
SYNOD_RECORD (add, ADD_FIELDS, 0, "adds to the key's counter")
SYNOD_RECORD (add_once, ADD_FIELDS, SYNOD_ONCE, "the same as a command")
#define GET_FIELDS(FIELD, OPT)
SYNOD_RECORD (get, GET_FIELDS, SYNOD_IDEMPOTENT, "its value")
SYNOD_RECORD (peek, GET_FIELDS, SYNOD_IDEMPOTENT | SYNOD_STALE, "its value, perhaps not the last")
#define COUNT_FIELDS(FIELD, OPT)                      \
    FIELD (u64, value, UINT64_MAX, "the counter's")   \
    FIELD (str, node, SYNOD_NAME_MAX, "who answered") \
    FIELD (u64, served, UINT64_MAX, "messages that this memory saw")
SYNOD_RECORD (count, COUNT_FIELDS, 0, "a counter")

typedef struct {
    uint64_t served;
    bool owned;
} tally_t;

static int owned, disowned;

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

static const synod_actor_t tally = {
    .name = "tally",
    .state_size = sizeof (tally_t),
    .routes = (const synod_route_t[]){SYNOD_ON (add, on_add), SYNOD_ON (add_once, on_add_once), SYNOD_ON (get, on_get),
                                      SYNOD_ON (peek, on_peek), SYNOD_END},
    .placement = SYNOD_SHARDED,
    .on_own = on_own,
    .on_disown = on_disown,
};

/* In the place of the ring's actor. */
static const synod_actor_t setter = {.name = "ring", .state_size = 1};

/* ---- a world ---- */

typedef struct {
    synod_sim_t *sim;
    int node[NODES], client;
    synod__store_id_t id[NODES];
    synod__epoch_t epoch;
    synod__member_t members[NODES];
    synod__store_id_t keeper;
    synod__placed_type_t type;
} world_t;

static int take_id (synod_ctx_t *ctx, void *state, void *arg)
{
    (void) state;
    memcpy (arg, synod__ctx_store_id (ctx), SYNOD__STORE_ID_SIZE);
    return SYNOD_OK;
}

static void world_new (world_t *world, uint32_t nodes, uint32_t replicas, bool direct)
{
    const synod_sim_settings_t settings = {.direct = direct, .heartbeat_ms = 100};
    memset (world, 0, sizeof *world);
    owned = disowned = 0;
    world->sim = synod_sim_new (7, &settings);
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
        assert_int_equal (synod_sim_act (world->sim, world->node[i], "ring", take_id, &world->id[i]), SYNOD_OK);
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

static void world_end (world_t *world)
{
    synod_sim_destroy (&world->sim);
}

static int enter (synod_ctx_t *ctx, void *state, void *arg)
{
    const synod_buf_t *bytes = (const synod_buf_t *) arg;
    synod_fault_t fault = {0};
    (void) state;
    int rc = synod__ctx_enter_epoch (ctx, synod_str_n (bytes->data, bytes->size), &fault);
    if (rc != SYNOD_OK)
        print_error ("%s\n", fault.text);
    return rc;
}

/* Decides the next epoch, and tells AT, a node; the others hear of it. */
static void decide (world_t *world, uint32_t at)
{
    synod_buf_t bytes = {0};
    synod_fault_t fault = {0};
    world->epoch.number++;
    if (synod__epoch_pack (&world->epoch, &bytes, &fault) != SYNOD_OK)
        fail_msg ("%s", fault.text);
    assert_int_equal (synod_sim_act (world->sim, world->node[at], "ring", enter, &bytes), SYNOD_OK);
    synod_buf_free (&bytes);
    if (world->epoch.number == 1)
        synod_sim_run (world->sim, 1000);
}

typedef struct {
    bool done;
    int code;
    char message[256], node[8];
    uint64_t value, served;
} reply_t;

static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
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

static bool is_done (synod_sim_t *sim, void *arg)
{
    (void) sim;
    return ((const reply_t *) arg)->done;
}

static reply_t ask (world_t *world, const char *to, const synod_record_t *record, const void *in)
{
    reply_t reply = {0};
    assert_int_equal (synod_sim_ask (world->sim, world->client, to, record, in, 20000, on_reply, &reply), SYNOD_OK);
    assert_int_equal (synod_sim_until (world->sim, is_done, &reply, 30000), SYNOD_OK);
    return reply;
}

static const char *key_address (uint32_t key)
{
    static char text[32];
    snprintf (text, sizeof text, "tally#key%u", key);
    return text;
}

/* Adds 1 to each of 40 keys; every one of them is at VALUE then. */
static void add_all (world_t *world, uint64_t value)
{
    for (uint32_t key = 0; key < 40; key++) {
        const add_once_t add = {.amount = 1};
        reply_t reply = ask (world, key_address (key), &add_once_record, &add);
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

static synod__place_progress_t progress (world_t *world, uint32_t at)
{
    synod__place_progress_t out = {0};
    synod_sim_act (world->sim, world->node[at], "ring", node_progress, &out);
    return out;
}

/* ---- tests ---- */

static void alone (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 1, 1, true);
    reply_t none = ask (&world, "tally#x", &get_record, &(get_t){0});
    assert_int_equal (none.code, SYNOD_REFUSED);
    assert_non_null (strstr (none.message, "is in none that has it"));
    decide (&world, 0);
    add_all (&world, 1);
    assert_int_equal (owned, PARTITIONS);
    synod__place_progress_t at = progress (&world, 0);
    assert_int_equal (at.epoch, 1);
    assert_int_equal (at.owned, PARTITIONS);
    assert_int_equal (at.serving, PARTITIONS);
    assert_int_equal (at.unsettled, 0);
    assert_int_equal (ask (&world, "tally", &get_record, &(get_t){0}).code, SYNOD_BAD_REQUEST);
    assert_int_equal (ask (&world, "a/tally", &get_record, &(get_t){0}).code, SYNOD_BAD_REQUEST);
    assert_int_equal (ask (&world, "a/tally#key1", &get_record, &(get_t){0}).value, 1);
    /* its disk has all that it needs */
    synod_sim_crash (world.sim, world.node[0]);
    synod_sim_start (world.sim, world.node[0]);
    add_all (&world, 2);
    world_end (&world);
}

static void copied (void **state)
{
    world_t world;
    bool direct = *(bool *) *state;
    world_new (&world, 3, 3, direct);
    decide (&world, 0);
    add_all (&world, 1);
    uint32_t all = 0;
    for (uint32_t i = 0; i < 3; i++)
        all += progress (&world, i).serving;
    assert_int_equal (all, PARTITIONS);
    /* a dies, and is marked down: the others go on with what it had */
    synod_sim_crash (world.sim, world.node[0]);
    world.members[0].down = true;
    decide (&world, 1);
    add_all (&world, 2);
    /* it comes back and learns what it missed */
    synod_sim_start (world.sim, world.node[0]);
    synod_sim_run (world.sim, 2000);
    world.members[0].down = false;
    decide (&world, 2);
    add_all (&world, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal (progress (&world, i).unsettled, 0);
    synod_sim_crash (world.sim, world.node[1]);
    world.members[1].down = true;
    decide (&world, 2);
    add_all (&world, 4);
    world_end (&world);
}

static void joined (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 5, 3, true);
    world.members[3].weight = world.members[4].weight = 0;
    decide (&world, 0);
    add_all (&world, 1);
    synod_sim_run (world.sim, 3000);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal (progress (&world, i).unprepared, 0);
    assert_int_equal (progress (&world, 3).owned, 0);
    add_all (&world, 2);
    world.members[3].weight = world.members[4].weight = 100;
    world.members[0].target = 0; /* and one is to leave */
    decide (&world, 1);
    add_all (&world, 3);
    assert_true (progress (&world, 3).owned > 0);
    synod_sim_run (world.sim, 3000);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal (progress (&world, i).unprepared, 0);
        assert_int_equal (progress (&world, i).unsettled, 0);
    }
    world.members[0].weight = 100; /* gone from the next one */
    world.epoch.members = world.members + 1;
    world.epoch.nmembers = 4;
    world.keeper = world.id[1];
    world.epoch.settled = world.epoch.number;
    decide (&world, 1);
    add_all (&world, 4);
    synod_sim_run (world.sim, 3000);
    for (uint32_t i = 1; i < 5; i++)
        assert_int_equal (progress (&world, i).unsettled, 0);
    assert_int_equal (progress (&world, 0).owned, 0);
    /* nobody knows the store of who is gone, and what it had goes all the same */
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        synod__replica_head_t head;
        assert_false (synod__look_copy (world.sim->places[world.node[0]]->under, "tally", i, &head, NULL, NULL));
    }
    synod_sim_crash (world.sim, world.node[0]);
    add_all (&world, 5);
    /* who owns nothing knows all the same which epoch it is in */
    synod_sim_start (world.sim, world.node[0]);
    synod_sim_run (world.sim, 1000);
    assert_int_equal (progress (&world, 0).epoch, world.epoch.number);
    world_end (&world);
}

static void refused (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 3, 3, true);
    decide (&world, 0);
    const add_t refuse = {.amount = 1, .refuse = true}, fails = {.amount = 1, .fail = true}, add = {.amount = 1};
    const add_t large = {.amount = 1, .fill = 250 * 1024};
    assert_int_equal (ask (&world, "tally#k", &add_record, &refuse).code, SYNOD_REFUSED);
    assert_int_equal (ask (&world, "tally#k", &add_record, &fails).code, SYNOD_FAILED);
    reply_t reply = ask (&world, "tally#k", &add_record, &large);
    assert_int_equal (reply.code, SYNOD_TOO_LARGE);
    assert_non_null (strstr (reply.message, "may write 241664 bytes"));
    reply = ask (&world, "tally#k", &add_record, &add);
    assert_int_equal (reply.value, 1);
    assert_int_equal (reply.served, 2); /* the memory of before the failure is gone */
    world_end (&world);
}

/* Without a majority nothing is acknowledged, a read neither; what is of other partitions goes on. */
static void cut_off (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 3, 3, true);
    decide (&world, 0);
    add_all (&world, 1);
    const char *owner = NULL;
    reply_t who = ask (&world, "tally#key1", &get_record, &(get_t){0});
    owner = who.node;
    uint32_t at = (uint32_t) (owner[0] - 'a');
    for (uint32_t i = 0; i < 3; i++)
        if (i != at) {
            synod_sim_cut (world.sim, world.node[at], world.node[i], true);
            synod_sim_cut (world.sim, world.node[i], world.node[at], true);
        }
    reply_t reply = {0};
    char address[32];
    snprintf (address, sizeof address, "%s/tally#key1", owner);
    const add_once_t add = {.amount = 1};
    assert_int_equal (
        synod_sim_ask (world.sim, world.client, address, &get_record, &(get_t){0}, 3000, on_reply, &reply), SYNOD_OK);
    assert_int_equal (synod_sim_until (world.sim, is_done, &reply, 30000), SYNOD_OK);
    assert_int_equal (reply.code, SYNOD_TIMEOUT);
    assert_int_equal (ask (&world, address, &peek_record, &(peek_t){0}).value, 1);
    world.members[at].down = true;
    decide (&world, at == 0 ? 1 : 0);
    reply = ask (&world, "tally#key1", &add_once_record, &add);
    assert_int_equal (reply.code, SYNOD_OK);
    assert_int_equal (reply.value, 2);
    assert_string_not_equal (reply.node, who.node);
    synod_sim_heal (world.sim);
    reply = ask (&world, address, &get_record, &(get_t){0}); /* sent on by who was the owner */
    assert_string_equal (reply.message, "");
    assert_int_equal (reply.value, 2);
    world_end (&world);
}

/* A command's reply goes where its partition goes. */
static void once (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 3, 3, false);
    decide (&world, 0);
    reply_t reply = {0}, who = ask (&world, "tally#key1", &get_record, &(get_t){0});
    uint32_t at = (uint32_t) (who.node[0] - 'a');
    const add_once_t add = {.amount = 5};
    /* it dies right after its commit, before or after it has told others */
    for (uint32_t effects = 0; effects < 12; effects++) {
        who = ask (&world, "tally#key1", &get_record, &(get_t){0});
        at = (uint32_t) (who.node[0] - 'a');
        reply.done = false;
        synod_sim_crash_after (world.sim, world.node[at], effects);
        assert_int_equal (
            synod_sim_ask (world.sim, world.client, "tally#key1", &add_once_record, &add, 60000, on_reply, &reply),
            SYNOD_OK);
        synod_sim_run (world.sim, 500);
        if (synod_sim_state (world.sim, world.node[at]) == SYNOD_SIM_DOWN) {
            world.members[at].down = true;
            decide (&world, at == 0 ? 1 : 0);
        }
        assert_int_equal (synod_sim_until (world.sim, is_done, &reply, 70000), SYNOD_OK);
        assert_int_equal (reply.code, SYNOD_OK);
        assert_int_equal (reply.value, 5 * (effects + 1));
        if (world.members[at].down) {
            synod_sim_start (world.sim, world.node[at]);
            synod_sim_run (world.sim, 3000);
            world.members[at].down = false;
            decide (&world, at);
            synod_sim_run (world.sim, 2000);
        }
        synod_sim_crash_after (world.sim, world.node[at], UINT32_MAX);
    }
    world_end (&world);
}

/* A node of another ring holds nothing up, however far that is. */
static void foreign (void **state)
{
    world_t world, other;
    (void) state;
    world_new (&world, 3, 3, true);
    other = world;
    decide (&world, 0);
    other.epoch.ring = 78;
    other.epoch.number = 1000;
    other.members[0] = world.members[2];
    other.members[0].weight = 1;
    other.epoch.nmembers = other.epoch.replicas = 1;
    other.epoch.members = other.members;
    int stranger = synod_sim_node (world.sim, "z");
    synod_sim_add (world.sim, stranger, &setter, NULL);
    synod_sim_start (world.sim, stranger);
    synod_sim_run (world.sim, 1000);
    other.node[0] = stranger;
    synod_sim_act (world.sim, stranger, "ring", take_id, &other.members[0].id);
    other.keeper = other.members[0].id;
    other.epoch.keepers = &other.keeper;
    strcpy (other.members[0].name, "z");
    other.epoch.number = 0;
    decide (&other, 0);
    for (int i = 0; i < 20; i++)
        decide (&other, 0);
    synod_sim_run (world.sim, 1000);
    add_all (&world, 1);
    assert_int_equal (progress (&world, 1).epoch, 1);
    synod_sim_run (world.sim, 3000);
    int64_t before_us = synod_sim_now_us (world.sim);
    add_all (&world, 2);
    assert_true (synod_sim_now_us (world.sim) - before_us < 1000000);
    world_end (&world);
}

/* ---- an actor that follows the directory ---- */

static int on_note (synod_ctx_t *ctx, void *state, const peek_t *in, synod_call_t call)
{
    (void) in;
    count_t out = {.value = 1, .node = synod_str (synod_node (ctx)), .served = ++((tally_t *) state)->served};
    return synod_reply (ctx, call, &count_record, &out);
}

static const synod_actor_t notes = {
    .name = "notes",
    .state_size = sizeof (tally_t),
    .routes = (const synod_route_t[]){SYNOD_ON (peek, on_note), SYNOD_END},
    .placement = SYNOD_FOLLOW,
};

static void followed (void **state)
{
    const synod_sim_settings_t settings = {.direct = *(const bool *) *state, .heartbeat_ms = 100};
    world_t world = {.sim = synod_sim_new (7, &settings)};
    char home[40][8], at[32];
    uint32_t held[3] = {0}, moved = 0;
    for (uint32_t i = 0; i < 3; i++)
        world.node[i] = synod_sim_up (world.sim, (const char *[]){"a", "b", "c"}[i], &notes, NULL);
    world.client = synod_sim_client (world.sim, "client");
    assert_int_equal (synod_sim_join (world.sim, 10000), SYNOD_OK);
    for (uint32_t key = 0; key < 40; key++) {
        snprintf (at, sizeof at, "notes#key%u", key);
        reply_t reply = ask (&world, at, &peek_record, &(peek_t){0});
        assert_int_equal (reply.code, SYNOD_OK);
        memcpy (home[key], reply.node, sizeof home[key]);
        held[reply.node[0] - 'a']++;
        /* whoever is asked, it is the same that answers */
        snprintf (at, sizeof at, "b/notes#key%u", key);
        reply = ask (&world, at, &peek_record, &(peek_t){0});
        assert_string_equal (reply.node, home[key]);
    }
    for (uint32_t i = 0; i < 3; i++)
        assert_in_range (held[i], 5, 25);
    synod_sim_crash (world.sim, world.node[2]);
    for (uint32_t key = 0; key < 40; key++) {
        snprintf (at, sizeof at, "notes#key%u", key);
        reply_t reply = ask (&world, at, &peek_record, &(peek_t){0});
        assert_int_equal (reply.code, SYNOD_OK);
        moved += strcmp (reply.node, home[key]) != 0;
        assert_true (home[key][0] == 'c' || strcmp (reply.node, home[key]) == 0);
    }
    assert_int_equal (moved, held[2]);
    world_end (&world);
}

/* One that was cut off knows an epoch beyond a gap which nobody can fill any more: it begins anew with a later one. */
static void skipped (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 4, 3, true);
    decide (&world, 0);
    for (uint32_t i = 0; i < 3; i++) {
        synod_sim_cut (world.sim, world.node[3], world.node[i], true);
        synod_sim_cut (world.sim, world.node[i], world.node[3], true);
    }
    decide (&world, 0);
    decide (&world, 0);
    synod_buf_t bytes = {0};
    assert_int_equal (synod__epoch_pack (&world.epoch, &bytes, NULL), SYNOD_OK);
    assert_int_equal (synod_sim_act (world.sim, world.node[3], "ring", enter, &bytes), SYNOD_OK);
    synod_buf_free (&bytes);
    decide (&world, 0);
    world.epoch.settled = 4;
    decide (&world, 0);
    synod_sim_run (world.sim, 1000);
    assert_int_equal (progress (&world, 3).epoch, 1);
    synod_sim_heal (world.sim);
    synod_sim_run (world.sim, 3000);
    assert_int_equal (progress (&world, 3).epoch, 5);
    world_end (&world);
}

int main (void)
{
    static bool no = false, yes = true;

    const struct CMUnitTest tests[] = {
        cmocka_unit_test (alone),
        cmocka_unit_test_prestate (copied, &no),
        cmocka_unit_test_prestate (copied, &yes),
        cmocka_unit_test (joined),
        cmocka_unit_test (refused),
        cmocka_unit_test (cut_off),
        cmocka_unit_test (skipped),
        cmocka_unit_test (once),
        cmocka_unit_test (foreign),
        cmocka_unit_test_prestate (followed, &no),
        cmocka_unit_test_prestate (followed, &yes),
    };
    return cmocka_run_group_tests_name ("runtime/place", tests, NULL, NULL);
}
