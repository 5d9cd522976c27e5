/* SPDX-License-Identifier: MPL-2.0
 *
 * What follows from a write of a node is never durable elsewhere before that write is: an actor of one node writes to its own
 * store and asks for a key whose partition that node owns and others have copies of; whenever the node dies, who owns the
 * partition then does not know of more than the first actor's store does.
 */
#include "place_world.h"

#define EFFECTS 24 /* of the node, after which it dies: more than it takes */

#define GO_FIELDS(FIELD, OPT)
SYNOD_RECORD (go, GO_FIELDS, 0, "counts here, and for the key")

static char s_key[32];

static uint64_t s_count (synod_ctx_t *ctx)
{
    uint64_t count = 0;
    synod_str_t bytes;
    if (synod_get (ctx, synod_str ("count"), &bytes) == SYNOD_OK)
        memcpy (&count, bytes.data, sizeof count);
    return count;
}

static int on_counted (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    (void) ctx, (void) state, (void) reply, (void) arg;
    return SYNOD_OK;
}

static int on_go (synod_ctx_t *ctx, void *state, const go_t *in, synod_call_t call)
{
    uint64_t count = s_count (ctx) + 1;
    (void) state, (void) in, (void) call;
    int rc = synod_put (ctx, synod_str ("count"), synod_str_n (&count, sizeof count));
    return rc == SYNOD_OK ? synod_ask (ctx, s_key, &add_record, &(add_t){.amount = 1}, 1000, on_counted, 0) : rc;
}

static const synod_actor_t s_cause = {
    .name = "cause",
    .routes = (const synod_route_t[]){SYNOD_ON (go, on_go), SYNOD_END},
};

static int s_look (synod_ctx_t *ctx, void *state, void *arg)
{
    (void) state;
    *(uint64_t *) arg = s_count (ctx);
    return SYNOD_OK;
}

/* A dies that many effects after it was told to go. What is known of the cause, and of what followed; false: it lived. */
static bool s_die_after (uint32_t effects, uint64_t *cause, uint64_t *followed)
{
    world_t world;
    world_new (&world, 3, 3, true);
    synod_sim_crash (world.sim, world.node[0]);
    assert_int_equal (synod_sim_add (world.sim, world.node[0], &s_cause, NULL), SYNOD_OK);
    assert_int_equal (synod_sim_start (world.sim, world.node[0]), SYNOD_OK);
    assert_int_equal (synod_sim_join (world.sim, 10000), SYNOD_OK);
    world_decide (&world, 0);
    uint32_t key = 0;
    while (world_ask (&world, key_address (key), &get_record, &(get_t){0}).node[0] != 'a')
        key++;
    snprintf (s_key, sizeof s_key, "%s", key_address (key));
    synod_sim_run (world.sim, 1000);
    synod_sim_crash_after (world.sim, world.node[0], effects);
    assert_int_equal (synod_sim_tell (world.sim, world.client, "a/cause", &go_record, &(go_t){0}), SYNOD_OK);
    synod_sim_run (world.sim, 20);
    bool died = synod_sim_state (world.sim, world.node[0]) == SYNOD_SIM_DOWN;
    if (!died)
        synod_sim_crash (world.sim, world.node[0]);
    synod_sim_run (world.sim, 1000);
    world.members[0].down = true;
    world_decide (&world, 1);
    reply_t reply = world_ask (&world, s_key, &get_record, &(get_t){0});
    assert_int_equal (reply.code, SYNOD_OK);
    *followed = reply.value;
    assert_int_equal (synod_sim_start (world.sim, world.node[0]), SYNOD_OK);
    assert_int_equal (synod_sim_act (world.sim, world.node[0], "cause", s_look, cause), SYNOD_OK);
    world_end (&world);
    return died;
}

static void test_cause_before_what_follows (void **state)
{
    uint32_t neither = 0, alone = 0, both = 0;
    uint64_t cause = 0, followed = 0;
    (void) state;
    for (uint32_t effects = 0; effects < EFFECTS && s_die_after (effects, &cause, &followed); effects++) {
        if (followed > cause)
            fail_msg ("a died after %u effects: what it wrote is gone, and others have what followed", effects);
        neither += !cause;
        alone += cause && !followed;
        both += cause && followed;
    }
    /* it died at moments of each kind */
    assert_true (neither > 0 && alone > 0 && both > 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_cause_before_what_follows)};
    return cmocka_run_group_tests_name ("cause", tests, NULL, NULL);
}
