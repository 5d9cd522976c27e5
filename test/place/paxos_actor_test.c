/* SPDX-License-Identifier: MPL-2.0
 *
 * The actor `paxos` where the scenario of its name does not go: who is refused and leaves no trace, what is bounded, how
 * a set comes about when two are asked for at once or one is cut short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <synod/sim.h>
#include "actors/place/paxos_actor.h"
#include "protocol/paxos_records.h"

#define NODES 4

/* What the last asks came to; bodies are copied. */
typedef struct {
    uint32_t count;
    int code;
    char message[512];
    char *body;
    uint32_t size;
    uint32_t busy; /* how many were */
} answer_t;

typedef struct {
    synod_sim_t *sim;
    int node[NODES + 1]; /* from 1 on */
    int client;
    answer_t answer;
} world_t;

static void world_new (world_t *world, uint64_t seed)
{
    memset (world, 0, sizeof *world);
    world->sim = synod_sim_new (seed, NULL);
    assert_non_null (world->sim);
    for (int i = 1; i <= NODES; i++) {
        char name[] = {'a', (char) ('0' + i), 0};
        world->node[i] = synod_sim_up (world->sim, name, &synod__paxos_actor, NULL);
    }
    world->client = synod_sim_client (world->sim, "c");
    assert_int_equal (synod_sim_join (world->sim, 10000), SYNOD_OK);
}

static void world_end (world_t *world)
{
    synod_sim_destroy (&world->sim);
    free (world->answer.body);
}

static void on_reply (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    answer_t *answer = (answer_t *) arg;
    (void) sim;
    (void) client;
    answer->count++;
    answer->busy += reply->code == SYNOD_BUSY;
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
    assert_int_equal (world->answer.code, SYNOD_OK);
    assert_int_equal (synod_record_unpack (record, synod_str_n (world->answer.body, world->answer.size), out, NULL),
                      SYNOD_OK);
}

/* NAMES: a digit each. */
static void begin_init (world_t *world, const char *to, const char *names, bool waits)
{
    synod__paxos_init_t in = {{{0}, 0}, 0};
    synod_buf_t items = {0};
    for (; *names; names++) {
        char name[] = {'a', *names};
        synod__paxos_acceptor_t one = {.node = synod_str_n (name, 2)};
        synod_list_add (&in.acceptors, &items, &synod__paxos_acceptor_record, &one, NULL);
    }
    if (waits)
        ask (world, to, &synod__paxos_init_record, &in);
    else
        start (world, to, &synod__paxos_init_record, &in);
    synod_buf_free (&items);
}

static int init (world_t *world, const char *to, const char *names)
{
    begin_init (world, to, names, true);
    return world->answer.code;
}

static synod__paxos_status_is_t status (world_t *world, const char *to)
{
    synod__paxos_status_is_t out;
    ask (world, to, &synod__paxos_status_record, &(synod__paxos_status_t){0});
    take (world, &synod__paxos_status_is_record, &out);
    return out;
}

static int propose (world_t *world, const char *to, synod_str_t key, synod_str_t value)
{
    return ask (world, to, &synod__paxos_propose_record, &(synod__paxos_propose_t){.key = key, .value = value});
}

static int get (world_t *world, const char *to, synod_str_t key)
{
    return ask (world, to, &synod__paxos_get_record, &(synod__paxos_get_t){.key = key});
}

/* ---- who is refused ---- */

static bool count_entry (void *arg, synod_str_t key, synod_str_t value)
{
    (void) key;
    (void) value;
    ++*(uint32_t *) arg;
    return true;
}

static uint32_t records (world_t *world, int node)
{
    uint32_t count = 0;
    assert_int_equal (synod_sim_scan (world->sim, world->node[node], "paxos", synod_str (SYNOD__PAXOS_AT_KEYS),
                                      synod_str ("l"), count_entry, &count),
                      SYNOD_OK);
    return count;
}

typedef struct {
    const char *to;
    synod__paxos_step_t step;
} tell_t;

static int tell (synod_ctx_t *ctx, void *state, void *arg)
{
    const tell_t *what = (const tell_t *) arg;
    (void) state;
    return synod_tell (ctx, what->to, &synod__paxos_step_record, &what->step);
}

static void step_from (world_t *world, int node, synod__paxos_step_t step)
{
    tell_t what = {"a1/paxos", step};
    assert_int_equal (synod_sim_act (world->sim, world->node[node], "paxos", tell, &what), SYNOD_OK);
    assert_int_equal (synod_sim_run (world->sim, 100), SYNOD_OK);
}

static bool keep_set (void *arg, synod_str_t key, synod_str_t value)
{
    (void) key;
    return synod__paxos_set_unpack ((synod__paxos_set_t *) arg, value, NULL) == SYNOD_OK;
}

static void test_strangers (void **state)
{
    static const char *const kinds[] = {"prepare", "accept", "query", "chosen"};
    world_t world;
    synod__paxos_set_t set = {0};
    (void) state;
    world_new (&world, 1);
    assert_int_equal (init (&world, "a1/paxos", "123"), SYNOD_OK);
    synod_sim_scan (world.sim, world.node[1], "paxos", synod_str (SYNOD__PAXOS_AT_SET), synod_str ("t"), keep_set,
                    &set);
    assert_int_equal (set.count, 3);
    synod_str_t a2 = synod_str_n (set.acceptors[1].id.bytes, SYNOD__STORE_ID_SIZE);
    synod_str_t a3 = synod_str_n (set.acceptors[2].id.bytes, SYNOD__STORE_ID_SIZE);
    uint64_t refused = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        synod__paxos_step_t good = {.kind = synod_str (kinds[i]),
                                    .set = set.digest,
                                    .store = a2,
                                    .key = synod_str ("k"),
                                    .round = 1,
                                    .by = a2,
                                    .accepted = 1,
                                    .accepted_by = a2,
                                    .value = synod_str ("v")};
        synod__paxos_step_t bad[8] = {good, good, good, good, good, good, good, good};
        bad[0].set++;                                  /* of another set */
        bad[1].set = 0;                                /* of none */
        bad[2].store = a3;                             /* another's store */
        bad[3].store = synod_str ("0123456789abcdef"); /* nobody's */
        bad[4].store = synod_str ("short");            /* no store */
        bad[5].kind = synod_str ("frob");
        bad[6].by = synod_str ("short");
        bad[7].key = synod_str ("");
        for (size_t j = 0; j < sizeof bad / sizeof bad[0]; j++)
            step_from (&world, 2, bad[j]);
        step_from (&world, 4, good); /* a node that is none of the set */
        assert_int_equal (synod_sim_tell (world.sim, world.client, "a1/paxos", &synod__paxos_step_record, &good), 0);
        assert_int_equal (synod_sim_run (world.sim, 100), SYNOD_OK);
        refused += sizeof bad / sizeof bad[0] + 2;
        assert_int_equal (records (&world, 1), 0);
        assert_int_equal (status (&world, "a1/paxos").refused, refused);
    }
    synod__paxos_step_t good = {
        .kind = synod_str ("prepare"), .set = set.digest, .store = a2, .key = synod_str ("k"), .round = 1, .by = a2};
    assert_int_equal (ask (&world, "a1/paxos", &synod__paxos_step_record, &good), SYNOD_INVALID);
    assert_int_equal (records (&world, 1), 0);
    step_from (&world, 2, good); /* and that one is as good as it looks */
    assert_int_equal (records (&world, 1), 1);
    assert_int_equal (status (&world, "a1/paxos").refused, refused + 1);
    world_end (&world);
}

/* ---- what is bounded ---- */

static void test_bounds (void **state)
{
    static char large[SYNOD__PAXOS_VALUE_MAX], key[SYNOD_KEY_MAX];
    synod__paxos_decided_t out;
    world_t world;
    (void) state;
    world_new (&world, 2);
    assert_int_equal (init (&world, "a1/paxos", "123"), SYNOD_OK);
    memset (large, 0xff, sizeof large);
    memset (key, 'k', sizeof key);
    synod_str_t longest = synod_str_n (key, sizeof key);
    assert_int_equal (propose (&world, "a1/paxos", longest, synod_str_n (large, sizeof large)), SYNOD_OK);
    for (char to[] = "a1/paxos"; to[1] <= '3'; to[1]++) {
        assert_int_equal (get (&world, to, longest), SYNOD_OK);
        take (&world, &synod__paxos_decided_record, &out);
        assert_true (synod_str_same (out.value, synod_str_n (large, sizeof large)));
        assert_false (out.own);
    }
    assert_int_equal (propose (&world, "a1/paxos", synod_str (""), synod_str ("v")), SYNOD_INVALID);
    assert_non_null (strstr (world.answer.message, "expected a key of 1 to 400 bytes"));
    assert_int_equal (get (&world, "a1/paxos", synod_str ("")), SYNOD_INVALID);

    /* alone it cannot end them: so many are under way at once */
    synod_sim_crash (world.sim, world.node[2]);
    synod_sim_crash (world.sim, world.node[3]);
    world.answer.count = world.answer.busy = 0;
    for (uint32_t i = 0; i < SYNOD__PAXOS_EFFORTS_MAX + 3; i++)
        start (&world, "a1/paxos", &synod__paxos_get_record, &(synod__paxos_get_t){.key = synod_str ("other")});
    assert_int_equal (synod_sim_run (world.sim, 1000), SYNOD_OK);
    assert_int_equal (world.answer.count, 3);
    assert_int_equal (world.answer.busy, 3);
    assert_int_equal (synod_sim_until (world.sim, answered, NULL, 10000), SYNOD_OK);
    assert_int_equal (world.answer.count, SYNOD__PAXOS_EFFORTS_MAX + 3);
    assert_int_equal (world.answer.code, SYNOD_TIMEOUT);
    assert_non_null (strstr (world.answer.message, "(not: a2, a3)"));
    assert_int_equal (status (&world, "a1/paxos").efforts, 0);
    world_end (&world);
}

/* ---- how a set comes about ---- */

static void test_bad_sets (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 3);
    assert_int_equal (init (&world, "a1/paxos", "12"), SYNOD_INVALID);
    assert_non_null (strstr (world.answer.message, "expected an odd number of acceptors from 1 to 15, got 2"));
    assert_int_equal (init (&world, "a1/paxos", ""), SYNOD_INVALID);
    assert_int_equal (init (&world, "a1/paxos", "12345678912345678"), SYNOD_INVALID);
    assert_int_equal (init (&world, "a1/paxos", "121"), SYNOD_INVALID);
    assert_non_null (strstr (world.answer.message, "expected distinct acceptors, got a1 twice"));
    assert_int_equal (init (&world, "a1/paxos", "/12"), SYNOD_INVALID);
    assert_non_null (strstr (world.answer.message, "expected the name of a node, got the acceptor \"a/\""));
    assert_int_equal (init (&world, "a1/paxos", "129"), SYNOD_NO_ROUTE);
    assert_non_null (strstr (world.answer.message, "a9/paxos"));
    for (char to[] = "a1/paxos"; to[1] <= '4'; to[1]++)
        assert_int_equal (status (&world, to).acceptors.count, 0);
    assert_int_equal (init (&world, "a4/paxos", "1"), SYNOD_OK); /* one is a set too; who makes it need not be of it */
    assert_int_equal (propose (&world, "a1/paxos", synod_str ("k"), synod_str ("v")), SYNOD_OK);
    assert_int_equal (propose (&world, "a4/paxos", synod_str ("k"), synod_str ("v")), SYNOD_REFUSED);
    world_end (&world);
}

/* Which set the node uses, by its first acceptor; 0: none. */
static char used (world_t *world, const char *to)
{
    synod__paxos_acceptor_t first;
    synod__paxos_status_is_t is = status (world, to);
    return is.begun && synod_list_next (&is.acceptors, &synod__paxos_acceptor_record, &first) ? first.node.data[1] : 0;
}

static void test_two_at_once (void **state)
{
    uint32_t first = 0, second = 0, neither = 0;
    (void) state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        world_t world;
        world_new (&world, seed);
        synod_sim_wire (world.sim, &(synod_sim_wire_t){.delay_min_us = 100, .delay_mean_us = 3000});
        begin_init (&world, "a1/paxos", "123", false);
        begin_init (&world, "a4/paxos", "234", false);
        assert_int_equal (synod_sim_until (world.sim, answered, NULL, 10000), SYNOD_OK);
        char uses[NODES + 1] = {0}, by = 0;
        for (int i = 1; i <= NODES; i++) {
            char to[] = {'a', (char) ('0' + i), '/', 'p', 'a', 'x', 'o', 's', 0};
            uses[i] = used (&world, to);
            assert_true (!by || !uses[i] || uses[i] == by); /* never two that share an acceptor */
            by = uses[i] ? uses[i] : by;
        }
        first += by == '1';
        second += by == '2';
        neither += by == 0;
        world_end (&world);
    }
    assert_true (first > 10 && second > 10 && neither > 0); /* all of it happens */
}

static void test_cut_short (void **state)
{
    uint32_t unfinished = 0;
    (void) state;
    for (uint32_t effects = 0; effects < 12; effects++) {
        world_t world;
        world_new (&world, 100 + effects);
        synod_sim_crash_after (world.sim, world.node[3], effects);
        int code = init (&world, "a1/paxos", "123");
        assert_true (code == SYNOD_OK || code == SYNOD_TIMEOUT || code == SYNOD_NO_ROUTE);
        if (code != SYNOD_OK) {
            unfinished += status (&world, "a1/paxos").acceptors.count > 0;
            assert_int_equal (propose (&world, "a1/paxos", synod_str ("k"), synod_str ("v")) == SYNOD_OK,
                              status (&world, "a1/paxos").begun);
        }
        synod_sim_crash_after (world.sim, world.node[3], UINT32_MAX);
        if (synod_sim_state (world.sim, world.node[3]) == SYNOD_SIM_DOWN)
            synod_sim_start (world.sim, world.node[3]);
        assert_int_equal (synod_sim_join (world.sim, 10000), SYNOD_OK);
        assert_int_equal (init (&world, "a2/paxos", "312"), SYNOD_OK); /* by another one, in another order */
        assert_int_equal (propose (&world, "a3/paxos", synod_str ("k"), synod_str ("v")), SYNOD_OK);
        world_end (&world);
    }
    assert_true (unfinished > 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_strangers), cmocka_unit_test (test_bounds),
                                       cmocka_unit_test (test_bad_sets), cmocka_unit_test (test_two_at_once),
                                       cmocka_unit_test (test_cut_short)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
