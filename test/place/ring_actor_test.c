/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `ring`: how a ring comes about, each change, what is refused in which words, who is marked down and up again,
 * a stop that is announced, a lone node that grows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <synod/sim.h>
#include "actors/place/ring_actor.h"
#include "actors/place/ring_change.h"
#include "protocol/ring_records.h"

#define NODES 5

/* What the last asks came to; bodies are copied. */
typedef struct {
    uint32_t count, good;
    int code;
    char message[512];
    char *body;
    uint32_t size;
} answer_t;

typedef struct {
    synod_sim_t *sim;
    int node[NODES + 1]; /* from 1 on: n1 ... */
    int client;
    answer_t answer;
    synod__epoch_t epoch; /* as fetched last */
} world_t;

/* What is placed: nothing but partitions. */
static const synod_actor_t s_thing = {.name = "thing", .placement = SYNOD_SHARDED};

static int up (synod_sim_t *sim, const char *name, const synod__ring_args_t *args)
{
    int node = synod_sim_node (sim, name);
    synod_sim_add (sim, node, &synod__ring_actor, args);
    synod_sim_add (sim, node, &s_thing, NULL);
    synod_sim_start (sim, node);
    return node;
}

static const synod__ring_args_t s_args = {.grace_ms = 8000};

static void world_new_with (world_t *world, uint64_t seed, const synod__ring_args_t *args)
{
    memset (world, 0, sizeof *world);
    world->sim = synod_sim_new (seed, NULL);
    assert_non_null (world->sim);
    if (getenv ("TRACE"))
        synod_sim_trace_file (world->sim, stderr);
    for (int i = 1; i <= NODES; i++) {
        char name[] = {'n', (char) ('0' + i), 0};
        world->node[i] = up (world->sim, name, args);
    }
    world->client = synod_sim_client (world->sim, "c");
    assert_int_equal (synod_sim_join (world->sim, 10000), SYNOD_OK);
}

static void world_new (world_t *world, uint64_t seed)
{
    world_new_with (world, seed, &s_args);
}

static void world_end (world_t *world)
{
    synod_sim_destroy (&world->sim);
    synod__epoch_free (&world->epoch);
    free (world->answer.body);
}

static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    answer_t *answer = (answer_t *) arg;
    (void) sim;
    (void) client;
    answer->count++;
    answer->good += reply->code == SYNOD_OK;
    answer->code = reply->code;
    snprintf (answer->message, sizeof answer->message, "%.*s", SYNOD_STR (reply->message));
    free (answer->body);
    answer->body = (char *) malloc (reply->body.size + 1);
    answer->size = reply->body.size;
    if (reply->body.size)
        memcpy (answer->body, reply->body.data, reply->body.size);
}

static bool answered (synod_sim_t *sim, void *arg)
{
    (void) arg;
    return synod_sim_asks (sim) == 0;
}

static void start (world_t *world, const char *to, const synod_record_t *record, const void *in)
{
    if (synod_sim_ask (world->sim, world->client, to, record, in, 3000, on_reply, &world->answer) != SYNOD_OK)
        fail_msg ("%s", synod_sim_error (world->sim)->text);
}

/* Asks and waits; the code that it came to. */
static int ask (world_t *world, const char *to, const synod_record_t *record, const void *in)
{
    start (world, to, record, in);
    assert_int_equal (synod_sim_until (world->sim, answered, NULL, 10000), SYNOD_OK);
    return world->answer.code;
}

static void take (world_t *world, const synod_record_t *record, void *out)
{
    if (world->answer.code != SYNOD_OK)
        fail_msg ("%s", world->answer.message);
    assert_int_equal (synod_record_unpack (record, synod_str_n (world->answer.body, world->answer.size), out, NULL),
                      SYNOD_OK);
}

static void refused (world_t *world, int code, const char *words)
{
    const answer_t *answer = &world->answer;
    if (answer->code != code || !strstr (answer->message, words))
        fail_msg ("expected %s and \"%s\", got %s and \"%s\"", synod_error_name (code), words,
                  synod_error_name (answer->code), answer->message);
}

/* NODES, KEEPERS: a digit each; KEEPERS may be NULL. */
static void begin_init (world_t *world, const char *to, const char *nodes, const char *keepers, synod__ring_init_t in,
                        bool waits)
{
    synod_buf_t items[2] = {{0}};
    for (; *nodes; nodes++) {
        char name[] = {'n', *nodes};
        synod__ring_node_t one = {.node = synod_str_n (name, 2)};
        synod_list_add (&in.nodes, &items[0], &synod__ring_node_record, &one, NULL);
    }
    for (; keepers && *keepers; keepers++) {
        char name[] = {'n', *keepers};
        synod__ring_keeper_t one = {.node = synod_str_n (name, 2)};
        synod_list_add (&in.keepers, &items[1], &synod__ring_keeper_record, &one, NULL);
    }
    if (waits)
        ask (world, to, &synod__ring_init_record, &in);
    else
        start (world, to, &synod__ring_init_record, &in);
    synod_buf_free (&items[0]);
    synod_buf_free (&items[1]);
}

static int init (world_t *world, const char *to, const char *nodes, const char *keepers)
{
    begin_init (world, to, nodes, keepers, (synod__ring_init_t){.partitions = 16}, true);
    return world->answer.code;
}

/* The epoch that NODE is in; NULL: none. */
static const synod__epoch_t *epoch_of (world_t *world, int node)
{
    char to[] = {'n', (char) ('0' + node), '/', 'r', 'i', 'n', 'g', 0};
    synod__ring_epoch_is_t out;
    synod__epoch_free (&world->epoch);
    if (ask (world, to, &synod__ring_epoch_record, &(synod__ring_epoch_t){0}) == SYNOD_NOT_FOUND)
        return NULL;
    take (world, &synod__ring_epoch_is_record, &out);
    assert_int_equal (synod__epoch_unpack (&world->epoch, out.value, NULL), SYNOD_OK);
    return &world->epoch;
}

static uint64_t changed (world_t *world, bool again)
{
    synod__ring_changed_t out;
    take (world, &synod__ring_changed_record, &out);
    assert_int_equal (out.again, again);
    return out.epoch;
}

static int join (world_t *world, const char *to, const char *node, uint64_t weight)
{
    return ask (world, to, &synod__ring_join_record, &(synod__ring_join_t){.node = synod_str (node), .weight = weight});
}

static int leave (world_t *world, const char *to, const char *node)
{
    return ask (world, to, &synod__ring_leave_record, &(synod__ring_leave_t){.node = synod_str (node)});
}

static int set_weight (world_t *world, const char *to, const char *node, uint64_t weight)
{
    return ask (world, to, &synod__ring_weight_record,
                &(synod__ring_weight_t){.node = synod_str (node), .weight = weight});
}

static int remove_node (world_t *world, const char *to, const char *node, bool force)
{
    return ask (world, to, &synod__ring_remove_record,
                &(synod__ring_remove_t){.node = synod_str (node), .force = force});
}

static int keepers (world_t *world, const char *to, const char *names)
{
    synod__ring_keepers_t in = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    for (; *names; names++) {
        char name[] = {'n', *names};
        synod__ring_keeper_t one = {.node = synod_str_n (name, 2)};
        synod_list_add (&in.keepers, &items, &synod__ring_keeper_record, &one, NULL);
    }
    int code = ask (world, to, &synod__ring_keepers_record, &in);
    synod_buf_free (&items);
    return code;
}

/* Runs until CONDITION of the epoch that NODE is in. */
typedef bool condition_t (const synod__epoch_t *epoch, const char *name);

static void until (world_t *world, int node, condition_t *condition, const char *name, int64_t limit_ms)
{
    for (int64_t ms = 0; ms < limit_ms; ms += 50) {
        const synod__epoch_t *epoch = epoch_of (world, node);
        if (epoch && condition (epoch, name))
            return;
        assert_int_equal (synod_sim_run (world->sim, 50), SYNOD_OK);
    }
    fail_msg ("n%d: not within %lld ms", node, (long long) limit_ms);
}

static bool is_down (const synod__epoch_t *epoch, const char *name)
{
    const synod__member_t *member = synod__epoch_member (epoch, synod_str (name));
    return member && member->down;
}

static bool is_up (const synod__epoch_t *epoch, const char *name)
{
    const synod__member_t *member = synod__epoch_member (epoch, synod_str (name));
    return member && !member->down && member->weight;
}

static bool is_gone (const synod__epoch_t *epoch, const char *name)
{
    return !synod__epoch_member (epoch, synod_str (name));
}

static bool is_settled (const synod__epoch_t *epoch, const char *name)
{
    const synod__member_t *member = synod__epoch_member (epoch, synod_str (name));
    return !member || member->weight == member->target;
}

/* ---- how a ring comes about ---- */

static void test_init (void **state)
{
    (void) state;
    world_t world;
    synod__ring_made_t made;
    synod__epoch_t epoch;
    world_new (&world, 1);
    assert_null (epoch_of (&world, 1));
    init (&world, "n1/ring", "123", NULL);
    take (&world, &synod__ring_made_record, &made);
    assert_false (made.again);
    assert_int_equal (synod__epoch_unpack (&epoch, made.value, NULL), SYNOD_OK);
    assert_int_equal (epoch.number, 1);
    assert_int_equal (epoch.partitions, 16);
    assert_int_equal (epoch.replicas, 3);
    assert_int_equal (epoch.nkeepers, 3);
    uint64_t ring = epoch.ring;
    synod__epoch_free (&epoch);
    for (int i = 1; i <= 3; i++) {
        const synod__epoch_t *now = epoch_of (&world, i);
        assert_non_null (now);
        assert_true (now->ring == ring && now->nmembers == 3);
    }
    assert_true (!epoch_of (&world, 4) || is_gone (&world.epoch, "n4"));
    /* the same again, asked of another; with other wishes; by one that is in none */
    init (&world, "n4/ring", "321", NULL);
    take (&world, &synod__ring_made_record, &made);
    assert_true (made.again);
    init (&world, "n1/ring", "1234", NULL);
    refused (&world, SYNOD_REFUSED, "n1 is in a ring already: n4 is no member of it");
    init (&world, "n1/ring", "12", NULL);
    refused (&world, SYNOD_REFUSED, "n1 is in a ring already: it has 3 members, not 2");
    init (&world, "n1/ring", "123", "1");
    refused (&world, SYNOD_REFUSED, "it has 3 keepers, not 1");
    assert_int_equal (epoch_of (&world, 1)->number, 1);
    world_end (&world);
}

static void test_bad_init (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 2);
    init (&world, "n1/ring", "", NULL);
    refused (&world, SYNOD_INVALID, "expected 1 to 1024 nodes, got 0");
    init (&world, "n1/ring", "121", NULL);
    refused (&world, SYNOD_INVALID, "expected distinct nodes, got n1 twice");
    init (&world, "n1/ring", "123", "12");
    refused (&world, SYNOD_INVALID, "expected an odd number of keepers up to 15, got 2");
    init (&world, "n1/ring", "123", "124");
    refused (&world, SYNOD_INVALID, "expected members as keepers, got n4, which is none");
    init (&world, "n1/ring", "123", "122");
    refused (&world, SYNOD_INVALID, "expected distinct keepers, got n2 twice");
    begin_init (&world, "n1/ring", "123", NULL, (synod__ring_init_t){.replicas = 4}, true);
    refused (&world, SYNOD_INVALID, "expected 1 to 3 replicas on 3 nodes, got 4");
    begin_init (&world, "n1/ring", "123", NULL, (synod__ring_init_t){.partitions = 1000}, true);
    refused (&world, SYNOD_INVALID, "expected a power of two up to 65536 as partitions, got 1000");
    init (&world, "n1/ring", "129", NULL);
    refused (&world, SYNOD_NO_ROUTE, "n9/ring: ");
    synod__ring_init_t in = {.partitions = 16};
    synod_buf_t items = {0};
    synod__ring_node_t heavy = {.node = synod_str ("n1"), .weight = 1001};
    synod_list_add (&in.nodes, &items, &synod__ring_node_record, &heavy, NULL);
    ask (&world, "n1/ring", &synod__ring_init_record, &in);
    refused (&world, SYNOD_INVALID, "n1: expected a weight from 1 to 1000, got 1001");
    synod_buf_free (&items);
    for (int i = 1; i <= NODES; i++)
        assert_null (epoch_of (&world, i));
    /* nothing was recorded: another set is free to be made */
    assert_int_equal (init (&world, "n1/ring", "234", NULL), SYNOD_OK);
    world_end (&world);
}

/* Two at once, for sets that share nodes: at most one, and the nodes of the other are free. */
static void test_two_inits (void **state)
{
    (void) state;
    uint32_t first = 0, both_failed = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        world_t world;
        world_new (&world, seed);
        begin_init (&world, "n1/ring", "123", NULL, (synod__ring_init_t){.partitions = 16}, false);
        begin_init (&world, "n5/ring", "345", NULL, (synod__ring_init_t){.partitions = 16}, false);
        assert_int_equal (synod_sim_until (world.sim, answered, NULL, 10000), SYNOD_OK);
        assert_true (world.answer.good <= 1);
        const synod__epoch_t *one = epoch_of (&world, 1);
        first += one && is_up (one, "n1");
        uint64_t ring = one ? one->ring : 0;
        one = epoch_of (&world, 5); /* of the other ring, if of any: it is known all over the bus */
        assert_true (!one || !ring || one->ring == ring);
        both_failed += world.answer.good == 0;
        if (world.answer.count == 0)
            fail_msg ("nobody answered");
        /* whatever became of them, one of the two is made when asked for again */
        synod_sim_run (world.sim, 1000);
        int a = init (&world, "n2/ring", "123", NULL), b = init (&world, "n4/ring", "345", NULL);
        assert_true ((a == SYNOD_OK) != (b == SYNOD_OK));
        world_end (&world);
    }
    assert_true (first > 0 && first < 40);
    (void) both_failed;
}

/* The same set twice at once, from two nodes: one ring. */
static void test_same_init_twice (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_t world;
        world_new (&world, seed);
        begin_init (&world, "n1/ring", "123", NULL, (synod__ring_init_t){.partitions = 16}, false);
        begin_init (&world, "n5/ring", "123", NULL, (synod__ring_init_t){.partitions = 16}, false);
        assert_int_equal (synod_sim_until (world.sim, answered, NULL, 10000), SYNOD_OK);
        assert_int_equal (world.answer.good, 2);
        uint64_t ring = epoch_of (&world, 1)->ring;
        assert_true (epoch_of (&world, 2)->ring == ring);
        assert_true (epoch_of (&world, 3)->ring == ring);
        world_end (&world);
    }
}

/* Cut short wherever: finished by the same again. */
static void test_cut_init (void **state)
{
    (void) state;
    for (uint32_t effects = 0; effects < 16; effects++) {
        world_t world;
        world_new (&world, 7);
        begin_init (&world, "n1/ring", "123", NULL, (synod__ring_init_t){.partitions = 16}, false);
        synod_sim_crash_after (world.sim, world.node[1], effects);
        synod_sim_run (world.sim, 5000);
        synod_sim_start (world.sim, world.node[1]);
        assert_int_equal (synod_sim_join (world.sim, 10000), SYNOD_OK);
        if (init (&world, "n2/ring", "123", NULL) != SYNOD_OK)
            fail_msg ("after %u effects: %s", effects, world.answer.message);
        uint64_t ring = epoch_of (&world, 1)->ring;
        assert_true (epoch_of (&world, 3)->ring == ring);
        world_end (&world);
    }
}

/* What a node has refused it never records, whatever happened to it since; another store cannot refuse for it. */
static void test_refuse (void **state)
{
    (void) state;
    world_t world;
    synod__ring_about_is_t about;
    synod__store_id_t id;
    synod_buf_t value = {0};
    world_new (&world, 8);
    ask (&world, "n1/ring", &synod__ring_about_record, &(synod__ring_about_t){0});
    take (&world, &synod__ring_about_is_record, &about);
    memcpy (id.bytes, about.store.data, sizeof id.bytes);
    synod__newcomer_t node = {.id = id, .name = "n1"};
    synod__ring_first_t first = {.ring = 77, .nnodes = 1, .nodes = &node, .partitions = 16};
    synod__epoch_t epoch;
    assert_int_equal (synod__ring_first (&first, &epoch, NULL), SYNOD_OK);
    assert_int_equal (synod__epoch_pack (&epoch, &value, NULL), SYNOD_OK);
    synod__epoch_free (&epoch);
    synod__ring_adopt_t adopt = {.value = synod_str_n (value.data, value.size)};
    synod__ring_refuse_t refuse = {.ring = 77, .store = synod_str_n (id.bytes, sizeof id.bytes)};
    ask (&world, "n2/ring", &synod__ring_refuse_record, &refuse);
    refused (&world, SYNOD_REFUSED, "n2 has another store than the member");
    ask (&world, "n2/ring", &synod__ring_adopt_record, &adopt);
    refused (&world, SYNOD_REFUSED, "n2 has another store than the member");
    assert_int_equal (ask (&world, "n1/ring", &synod__ring_refuse_record, &refuse), SYNOD_OK);
    synod_sim_crash (world.sim, world.node[1]);
    synod_sim_run (world.sim, 5000);
    synod_sim_start (world.sim, world.node[1]);
    synod_sim_join (world.sim, 10000);
    ask (&world, "n1/ring", &synod__ring_adopt_record, &adopt);
    refused (&world, SYNOD_REFUSED, "n1 has refused this ring");
    ask (&world, "n1/ring", &synod__ring_begin_record, &(synod__ring_begin_t){.ring = 77});
    refused (&world, SYNOD_REFUSED, "n1 has not recorded this ring");
    synod_buf_free (&value);
    world_end (&world);
}

/* ---- changes ---- */

static void test_changes (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 11);
    assert_int_equal (init (&world, "n1/ring", "123", NULL), SYNOD_OK);
    /* one joins: with no weight first, and with it when all has been copied */
    assert_int_equal (join (&world, "n2/ring", "n4", 50), SYNOD_OK);
    assert_int_equal (changed (&world, false), 2);
    until (&world, 4, is_settled, "n4", 3000);
    const synod__epoch_t *epoch = epoch_of (&world, 1);
    assert_int_equal (epoch->nmembers, 4);
    assert_int_equal (synod__epoch_member (epoch, synod_str ("n4"))->weight, 50);
    assert_int_equal (epoch->nkeepers, 3);
    /* asked of the new one, which is no keeper: again, another weight */
    assert_int_equal (join (&world, "n4/ring", "n4", 50), SYNOD_OK);
    changed (&world, true);
    assert_int_equal (set_weight (&world, "n4/ring", "n1", 200), SYNOD_OK);
    changed (&world, false);
    until (&world, 1, is_settled, "n1", 3000);
    assert_int_equal (synod__epoch_member (epoch_of (&world, 2), synod_str ("n1"))->weight, 200);
    /* a keeper leaves: another one votes in its place */
    assert_int_equal (leave (&world, "n1/ring", "n2"), SYNOD_OK);
    changed (&world, false);
    until (&world, 3, is_gone, "n2", 3000);
    epoch = epoch_of (&world, 3);
    assert_int_equal (epoch->nkeepers, 3);
    assert_true (synod__epoch_keeps (epoch, &synod__epoch_member (epoch, synod_str ("n4"))->id));
    /* it knows that it is none any more, and can come back */
    until (&world, 2, is_gone, "n2", 3000);
    join (&world, "n4/ring", "n2", 0);
    changed (&world, false);
    until (&world, 2, is_up, "n2", 3000);
    /* keepers by name */
    assert_int_equal (keepers (&world, "n3/ring", "2"), SYNOD_OK);
    assert_int_equal (epoch_of (&world, 2)->nkeepers, 1);
    assert_int_equal (keepers (&world, "n3/ring", "2"), SYNOD_OK);
    changed (&world, true);
    /* fewer members than keepers: the next lower odd number */
    assert_int_equal (keepers (&world, "n3/ring", "123"), SYNOD_OK);
    assert_int_equal (leave (&world, "n3/ring", "n4"), SYNOD_OK);
    assert_int_equal (leave (&world, "n3/ring", "n1"), SYNOD_OK);
    until (&world, 2, is_gone, "n1", 3000);
    assert_int_equal (epoch_of (&world, 2)->nkeepers, 1);
    world_end (&world);
}

static void test_bad_changes (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 12);
    join (&world, "n1/ring", "n2", 0);
    refused (&world, SYNOD_REFUSED, "n1 is in no ring: `synod ring init` makes one");
    assert_int_equal (init (&world, "n1/ring", "12", "1"), SYNOD_OK);
    assert_int_equal (init (&world, "n3/ring", "3", NULL), SYNOD_OK);
    join (&world, "n1/ring", "n3", 0);
    refused (&world, SYNOD_REFUSED, "n3 is in another ring");
    join (&world, "n1/ring", "n9", 0);
    refused (&world, SYNOD_NO_ROUTE, "n9/ring: ");
    join (&world, "n1/ring", "a/b", 0);
    refused (&world, SYNOD_INVALID, "expected the name of a node, got \"a/b\"");
    join (&world, "n2/ring", "n4", 1001);
    refused (&world, SYNOD_INVALID, "n4: expected a weight from 1 to 1000, got 1001");
    leave (&world, "n2/ring", "n4");
    refused (&world, SYNOD_NOT_FOUND, "n4 is no member of the ring");
    set_weight (&world, "n2/ring", "n4", 7);
    refused (&world, SYNOD_NOT_FOUND, "n4 is no member of the ring");
    set_weight (&world, "n2/ring", "n1", 0);
    refused (&world, SYNOD_INVALID, "n1: expected a weight from 1 to 1000, got 0");
    remove_node (&world, "n2/ring", "n2", false);
    refused (&world, SYNOD_REFUSED, "n2 is up and well");
    keepers (&world, "n2/ring", "12");
    refused (&world, SYNOD_INVALID, "expected an odd number of keepers up to 15, got 2");
    keepers (&world, "n2/ring", "4");
    refused (&world, SYNOD_NOT_FOUND, "expected members as keepers, got n4, which is none");
    leave (&world, "n3/ring", "n3");
    refused (&world, SYNOD_REFUSED, "n3 is the last member");
    remove_node (&world, "n3/ring", "n3", true);
    refused (&world, SYNOD_REFUSED, "n3 is the last member");
    assert_int_equal (epoch_of (&world, 1)->number, 1);
    assert_int_equal (epoch_of (&world, 3)->number, 1);
    world_end (&world);
}

/* ---- who is down ---- */

static void test_down_and_up (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 13);
    assert_int_equal (init (&world, "n1/ring", "1234", "123"), SYNOD_OK);
    synod_sim_crash (world.sim, world.node[2]);
    until (&world, 1, is_down, "n2", 6000);
    assert_int_equal (epoch_of (&world, 1)->nmembers, 4);
    synod_sim_start (world.sim, world.node[2]);
    synod_sim_join (world.sim, 10000);
    until (&world, 2, is_up, "n2", 6000);
    /* for good: it is removed, and another keeper is there; it comes back as none */
    synod_sim_crash (world.sim, world.node[2]);
    until (&world, 3, is_down, "n2", 6000);
    until (&world, 3, is_gone, "n2", 20000);
    assert_int_equal (epoch_of (&world, 4)->nkeepers, 3);
    synod_sim_start (world.sim, world.node[2]);
    synod_sim_join (world.sim, 10000);
    until (&world, 2, is_gone, "n2", 10000);
    /* three are left, and R is three: nobody goes by itself any more */
    synod_sim_crash (world.sim, world.node[1]);
    until (&world, 3, is_down, "n1", 6000);
    synod_sim_run (world.sim, 20000);
    assert_true (is_down (epoch_of (&world, 3), "n1"));
    assert_int_equal (remove_node (&world, "n3/ring", "n1", false), SYNOD_OK);
    until (&world, 3, is_gone, "n1", 5000);
    world_end (&world);
}

/* A minority that is cut off believes the others dead, and can do nothing about it. */
static void test_cut_off (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 14);
    assert_int_equal (init (&world, "n1/ring", "123", NULL), SYNOD_OK);
    synod_sim_cut (world.sim, world.node[1], SYNOD_SIM_BROKER, true);
    synod_sim_cut (world.sim, SYNOD_SIM_BROKER, world.node[1], true);
    until (&world, 2, is_down, "n1", 8000);
    synod_sim_cut (world.sim, world.node[1], SYNOD_SIM_BROKER, false);
    synod_sim_cut (world.sim, SYNOD_SIM_BROKER, world.node[1], false);
    synod_sim_join (world.sim, 10000);
    until (&world, 1, is_up, "n1", 10000);
    const synod__epoch_t *epoch = epoch_of (&world, 1);
    assert_true (is_up (epoch, "n2") && is_up (epoch, "n3"));
    world_end (&world);
}

static void test_wiped (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 15);
    assert_int_equal (init (&world, "n1/ring", "123", NULL), SYNOD_OK);
    synod__store_id_t before = synod__epoch_member (epoch_of (&world, 1), synod_str ("n2"))->id;
    synod_sim_crash (world.sim, world.node[2]);
    synod_sim_wipe (world.sim, world.node[2]);
    synod_sim_start (world.sim, world.node[2]);
    synod_sim_join (world.sim, 10000);
    until (&world, 1, is_down, "n2", 8000);
    assert_int_equal (join (&world, "n1/ring", "n2", 0), SYNOD_OK);
    until (&world, 2, is_up, "n2", 8000);
    const synod__epoch_t *epoch = epoch_of (&world, 1);
    assert_int_equal (epoch->nmembers, 3);
    assert_int_not_equal (synod__store_id_compare (&synod__epoch_member (epoch, synod_str ("n2"))->id, &before), 0);
    world_end (&world);
}

/* Who has lost its disk does not vote with the promises of the one before. */
static void test_no_majority (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 16);
    assert_int_equal (init (&world, "n1/ring", "123", NULL), SYNOD_OK);
    for (int i = 2; i <= 3; i++) {
        synod_sim_crash (world.sim, world.node[i]);
        synod_sim_wipe (world.sim, world.node[i]);
        synod_sim_start (world.sim, world.node[i]);
    }
    synod_sim_join (world.sim, 10000);
    set_weight (&world, "n1/ring", "n1", 7);
    refused (&world, SYNOD_REFUSED, "no majority of the keepers is left");
    world_end (&world);
}

static bool ended (synod_sim_t *sim, void *arg)
{
    return synod_sim_state (sim, *(const int *) arg) == SYNOD_SIM_DOWN;
}

/* One that is asked to stop is marked down before it is gone, and up as soon as it is back. */
static void test_stop (void **state)
{
    (void) state;
    world_t world;
    world_new (&world, 19);
    assert_int_equal (init (&world, "n1/ring", "1234", "123"), SYNOD_OK);
    synod_sim_run (world.sim, 2000);
    synod_sim_stop (world.sim, world.node[2]);
    assert_int_equal (synod_sim_until (world.sim, ended, &world.node[2], 5000), SYNOD_OK);
    assert_true (is_down (epoch_of (&world, 1), "n2"));
    synod_sim_start (world.sim, world.node[2]);
    synod_sim_join (world.sim, 10000);
    until (&world, 1, is_up, "n2", 900); /* less than the delay of one that was believed dead */
    world_end (&world);
}

/* A node that runs more than it did says so. */
static void test_types (void **state)
{
    (void) state;
    static const synod_actor_t other = {.name = "other", .placement = SYNOD_SHARDED, .replicas = 2};
    world_t world;
    world_new (&world, 20);
    assert_int_equal (init (&world, "n1/ring", "123", NULL), SYNOD_OK);
    synod_sim_crash (world.sim, world.node[3]);
    synod_sim_add (world.sim, world.node[3], &other, NULL);
    synod_sim_start (world.sim, world.node[3]);
    synod_sim_join (world.sim, 10000);
    synod_sim_run (world.sim, 3000);
    const synod__epoch_t *epoch = epoch_of (&world, 1);
    assert_int_equal (epoch->ntypes, 2);
    assert_string_equal (epoch->types[1].name, "other");
    assert_int_equal (epoch->types[1].replicas, 2);
    assert_int_equal (synod__epoch_member (epoch, synod_str ("n3"))->types, 3);
    assert_int_equal (synod__epoch_member (epoch, synod_str ("n1"))->types, 1);
    world_end (&world);
}

/* ---- alone ---- */

static void test_alone (void **state)
{
    (void) state;
    world_t world;
    synod__ring_args_t args = {.alone = true, .partitions = 16};
    world_new (&world, 17);
    int lone = up (world.sim, "lone", &args);
    assert_int_equal (synod_sim_join (world.sim, 10000), SYNOD_OK);
    synod__ring_epoch_is_t out;
    synod__epoch_t epoch;
    uint64_t ring = 0;
    for (int life = 0; life < 2; life++) {
        ask (&world, "lone/ring", &synod__ring_epoch_record, &(synod__ring_epoch_t){0});
        take (&world, &synod__ring_epoch_is_record, &out);
        assert_int_equal (synod__epoch_unpack (&epoch, out.value, NULL), SYNOD_OK);
        assert_true (epoch.number == 1 && epoch.nmembers == 1 && epoch.nkeepers == 1 && epoch.replicas == 3);
        assert_true (life == 0 || epoch.ring == ring);
        ring = epoch.ring;
        synod__epoch_free (&epoch);
        synod_sim_crash (world.sim, lone);
        synod_sim_run (world.sim, 5000);
        synod_sim_start (world.sim, lone);
        synod_sim_join (world.sim, 10000);
    }
    assert_int_equal (join (&world, "lone/ring", "n1", 0), SYNOD_OK);
    until (&world, 1, is_up, "n1", 5000);
    assert_int_equal (join (&world, "n1/ring", "n2", 0), SYNOD_OK);
    until (&world, 2, is_up, "n2", 5000);
    assert_true (epoch_of (&world, 2)->ring == ring);
    world_end (&world);
}

/* ---- status ---- */

static void test_status (void **state)
{
    (void) state;
    world_t world;
    synod__ring_status_is_t out;
    synod__ring_member_t member;
    world_new (&world, 18);
    ask (&world, "n5/ring", &synod__ring_status_record, &(synod__ring_status_t){0});
    take (&world, &synod__ring_status_is_record, &out);
    assert_false (out.keeper);
    assert_int_equal (out.value.size, 0);
    assert_int_equal (init (&world, "n1/ring", "1234", NULL), SYNOD_OK);
    synod_sim_run (world.sim, 2000);
    ask (&world, "n4/ring", &synod__ring_status_record, &(synod__ring_status_t){0});
    take (&world, &synod__ring_status_is_record, &out);
    assert_true (out.keeper);
    assert_true (synod_str_is (out.node, "n1"));
    assert_int_equal (out.members.count, 4);
    for (uint32_t i = 0; synod_list_next (&out.members, &synod__ring_member_record, &member); i++) {
        assert_int_equal (member.member, i);
        assert_true (member.up);
        assert_int_equal (member.epoch, 1);
        assert_true (member.heard_ms < 1000);
    }
    world_end (&world);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_init),
        cmocka_unit_test (test_bad_init),
        cmocka_unit_test (test_two_inits),
        cmocka_unit_test (test_cut_init),
        cmocka_unit_test (test_same_init_twice),
        cmocka_unit_test (test_changes),
        cmocka_unit_test (test_bad_changes),
        cmocka_unit_test (test_down_and_up),
        cmocka_unit_test (test_cut_off),
        cmocka_unit_test (test_wiped),
        cmocka_unit_test (test_no_majority),
        cmocka_unit_test (test_alone),
        cmocka_unit_test (test_status),
        cmocka_unit_test (test_stop),
        cmocka_unit_test (test_refuse),
        cmocka_unit_test (test_types),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
