/* SPDX-License-Identifier: MPL-2.0
 *
 * Placed actors in the runtime, with epochs that the test decides: who serves, what waits, what moves. The cores have
 * their own tests (test/place); the actor `ring` and the faults are the scenario `placed`'s.
 */
#include "place_world.h"
#include "actors/runtime/place_look.h"
#include "sim/internal.h"

static void alone (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 1, 1, true);
    reply_t none = world_ask (&world, "tally#x", &get_record, &(get_t){0});
    assert_int_equal (none.code, SYNOD_REFUSED);
    assert_non_null (strstr (none.message, "is in none that has it"));
    world_decide (&world, 0);
    add_all (&world, 1);
    assert_int_equal (owned, PARTITIONS);
    synod__place_progress_t at = world_progress (&world, 0);
    assert_int_equal (at.epoch, 1);
    assert_int_equal (at.owned, PARTITIONS);
    assert_int_equal (at.serving, PARTITIONS);
    assert_int_equal (at.unsettled, 0);
    assert_int_equal (world_ask (&world, "tally", &get_record, &(get_t){0}).code, SYNOD_BAD_REQUEST);
    assert_int_equal (world_ask (&world, "a/tally", &get_record, &(get_t){0}).code, SYNOD_BAD_REQUEST);
    assert_int_equal (world_ask (&world, "a/tally#key1", &get_record, &(get_t){0}).value, 1);
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
    world_decide (&world, 0);
    add_all (&world, 1);
    uint32_t all = 0;
    for (uint32_t i = 0; i < 3; i++)
        all += world_progress (&world, i).serving;
    assert_int_equal (all, PARTITIONS);
    /* a dies, and is marked down: the others go on with what it had */
    synod_sim_crash (world.sim, world.node[0]);
    world.members[0].down = true;
    world_decide (&world, 1);
    add_all (&world, 2);
    /* it comes back and learns what it missed */
    synod_sim_start (world.sim, world.node[0]);
    synod_sim_run (world.sim, 2000);
    world.members[0].down = false;
    world_decide (&world, 2);
    add_all (&world, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal (world_progress (&world, i).unsettled, 0);
    synod_sim_crash (world.sim, world.node[1]);
    world.members[1].down = true;
    world_decide (&world, 2);
    add_all (&world, 4);
    world_end (&world);
}

static void joined (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 5, 3, true);
    world.members[3].weight = world.members[4].weight = 0;
    world_decide (&world, 0);
    add_all (&world, 1);
    synod_sim_run (world.sim, 3000);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal (world_progress (&world, i).unprepared, 0);
    assert_int_equal (world_progress (&world, 3).owned, 0);
    add_all (&world, 2);
    world.members[3].weight = world.members[4].weight = 100;
    world.members[0].target = 0; /* and one is to leave */
    world_decide (&world, 1);
    add_all (&world, 3);
    assert_true (world_progress (&world, 3).owned > 0);
    synod_sim_run (world.sim, 3000);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal (world_progress (&world, i).unprepared, 0);
        assert_int_equal (world_progress (&world, i).unsettled, 0);
    }
    world.members[0].weight = 100; /* gone from the next one */
    world.epoch.members = world.members + 1;
    world.epoch.nmembers = 4;
    world.keeper = world.id[1];
    world.epoch.settled = world.epoch.number;
    world_decide (&world, 1);
    add_all (&world, 4);
    synod_sim_run (world.sim, 3000);
    for (uint32_t i = 1; i < 5; i++)
        assert_int_equal (world_progress (&world, i).unsettled, 0);
    assert_int_equal (world_progress (&world, 0).owned, 0);
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
    assert_int_equal (world_progress (&world, 0).epoch, world.epoch.number);
    world_end (&world);
}

static void refused (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 3, 3, true);
    world_decide (&world, 0);
    const add_t refuse = {.amount = 1, .refuse = true}, fails = {.amount = 1, .fail = true}, add = {.amount = 1};
    const add_t large = {.amount = 1, .fill = 250 * 1024};
    assert_int_equal (world_ask (&world, "tally#k", &add_record, &refuse).code, SYNOD_REFUSED);
    assert_int_equal (world_ask (&world, "tally#k", &add_record, &fails).code, SYNOD_FAILED);
    reply_t reply = world_ask (&world, "tally#k", &add_record, &large);
    assert_int_equal (reply.code, SYNOD_TOO_LARGE);
    assert_non_null (strstr (reply.message, "may write 241664 bytes"));
    reply = world_ask (&world, "tally#k", &add_record, &add);
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
    world_decide (&world, 0);
    add_all (&world, 1);
    const char *owner = NULL;
    reply_t who = world_ask (&world, "tally#key1", &get_record, &(get_t){0});
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
        synod_sim_ask (world.sim, world.client, address, &get_record, &(get_t){0}, 3000, reply_take, &reply), SYNOD_OK);
    assert_int_equal (synod_sim_until (world.sim, reply_done, &reply, 30000), SYNOD_OK);
    assert_int_equal (reply.code, SYNOD_TIMEOUT);
    assert_int_equal (world_ask (&world, address, &peek_record, &(peek_t){0}).value, 1);
    world.members[at].down = true;
    world_decide (&world, at == 0 ? 1 : 0);
    reply = world_ask (&world, "tally#key1", &add_once_record, &add);
    assert_int_equal (reply.code, SYNOD_OK);
    assert_int_equal (reply.value, 2);
    assert_string_not_equal (reply.node, who.node);
    synod_sim_heal (world.sim);
    reply = world_ask (&world, address, &get_record, &(get_t){0}); /* sent on by who was the owner */
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
    world_decide (&world, 0);
    reply_t reply = {0}, who;
    const add_once_t add = {.amount = 5};
    /* it dies right after its commit, before or after it has told others */
    for (uint32_t effects = 0; effects < 12; effects++) {
        who = world_ask (&world, "tally#key1", &get_record, &(get_t){0});
        uint32_t at = (uint32_t) (who.node[0] - 'a');
        reply.done = false;
        synod_sim_crash_after (world.sim, world.node[at], effects);
        assert_int_equal (
            synod_sim_ask (world.sim, world.client, "tally#key1", &add_once_record, &add, 60000, reply_take, &reply),
            SYNOD_OK);
        synod_sim_run (world.sim, 500);
        if (synod_sim_state (world.sim, world.node[at]) == SYNOD_SIM_DOWN) {
            world.members[at].down = true;
            world_decide (&world, at == 0 ? 1 : 0);
        }
        assert_int_equal (synod_sim_until (world.sim, reply_done, &reply, 70000), SYNOD_OK);
        assert_int_equal (reply.code, SYNOD_OK);
        assert_int_equal (reply.value, 5 * (effects + 1));
        if (world.members[at].down) {
            synod_sim_start (world.sim, world.node[at]);
            synod_sim_run (world.sim, 3000);
            world.members[at].down = false;
            world_decide (&world, at);
            synod_sim_run (world.sim, 2000);
        }
        synod_sim_crash_after (world.sim, world.node[at], UINT32_MAX);
    }
    world_end (&world);
}

/* Sent to a node that sends it on to an owner that is dead: as soon as there is another it is done, and once. */
static void returned (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 3, 3, false);
    world_decide (&world, 0);
    uint32_t key = 0, at = 0;
    for (; at == 0; key++)
        at = (uint32_t) (world_ask (&world, key_address (key), &get_record, &(get_t){0}).node[0] - 'a');
    char address[32];
    snprintf (address, sizeof address, "a/%s", key_address (key - 1));
    synod_sim_crash (world.sim, world.node[at]);
    reply_t command = {0}, other = {0};
    const add_once_t once_more = {.amount = 1};
    const add_t add = {.amount = 1};
    int64_t begin_us = synod_sim_now_us (world.sim);
    synod_sim_ask (world.sim, world.client, address, &add_once_record, &once_more, 20000, reply_take, &command);
    synod_sim_ask (world.sim, world.client, address, &add_record, &add, 20000, reply_take, &other);
    synod_sim_run (world.sim, 600);
    assert_false (command.done);
    world.members[at].down = true;
    world_decide (&world, 0);
    assert_int_equal (synod_sim_until (world.sim, reply_done, &command, 30000), SYNOD_OK);
    assert_string_equal (command.message, "");
    assert_int_equal (synod_sim_until (world.sim, reply_done, &other, 30000), SYNOD_OK);
    assert_string_equal (other.message, "");
    assert_int_equal (command.value + other.value, 3);
    assert_true (synod_sim_now_us (world.sim) - begin_us < 1000000);
    world_end (&world);
}

/* Mail for a key may come to a node that runs the actor and was never told of the ring: it finds out. */
static void sought (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 4, 3, false);
    world.epoch.nmembers = 3;
    world_decide (&world, 0);
    reply_t reply = world_ask (&world, "d/tally#key1", &get_record, &(get_t){0});
    assert_string_equal (reply.message, "");
    assert_string_not_equal (reply.node, "d");
    world_end (&world);
    /* and that there is none is said soon */
    world_new (&world, 2, 1, false);
    int64_t begin_us = synod_sim_now_us (world.sim);
    reply = world_ask (&world, "a/tally#key1", &get_record, &(get_t){0});
    assert_int_equal (reply.code, SYNOD_REFUSED);
    assert_true (synod_sim_now_us (world.sim) - begin_us < 1000000);
    reply = world_ask (&world, "a/tally#key1", &get_record, &(get_t){0});
    assert_int_equal (reply.code, SYNOD_REFUSED);
    world_end (&world);
}

/* A copy that is alone takes numbers ahead; a second one, after a crash, gets all of it. */
static void sole (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 2, 1, true);
    world.members[1].weight = 0;
    world_decide (&world, 0);
    add_all (&world, 1);
    synod_sim_crash (world.sim, world.node[0]);
    synod_sim_start (world.sim, world.node[0]);
    add_all (&world, 2);
    synod_sim_run (world.sim, 2000);
    assert_int_equal (world_progress (&world, 0).unprepared, 0);
    add_all (&world, 3);
    world.members[1].weight = 100;
    world_decide (&world, 0);
    add_all (&world, 4);
    assert_true (world_progress (&world, 1).owned > 0);
    synod_sim_crash (world.sim, world.node[0]);
    synod_sim_start (world.sim, world.node[0]);
    add_all (&world, 5);
    world_end (&world);
}

/* A node of another ring holds nothing up, however far that is. */
static void foreign (void **state)
{
    world_t world, other;
    (void) state;
    world_new (&world, 3, 3, true);
    other = world;
    world_decide (&world, 0);
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
    synod_sim_act (world.sim, stranger, "ring", world_take_id, &other.members[0].id);
    other.keeper = other.members[0].id;
    other.epoch.keepers = &other.keeper;
    strcpy (other.members[0].name, "z");
    other.epoch.number = 0;
    world_decide (&other, 0);
    for (int i = 0; i < 20; i++)
        world_decide (&other, 0);
    synod_sim_run (world.sim, 1000);
    add_all (&world, 1);
    assert_int_equal (world_progress (&world, 1).epoch, 1);
    synod_sim_run (world.sim, 3000);
    int64_t before_us = synod_sim_now_us (world.sim);
    add_all (&world, 2);
    assert_true (synod_sim_now_us (world.sim) - before_us < 1000000);
    world_end (&world);
}

/* One that was cut off knows an epoch beyond a gap which nobody can fill any more: it begins anew with a later one. */
static void skipped (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 4, 3, true);
    world_decide (&world, 0);
    for (uint32_t i = 0; i < 3; i++) {
        synod_sim_cut (world.sim, world.node[3], world.node[i], true);
        synod_sim_cut (world.sim, world.node[i], world.node[3], true);
    }
    world_decide (&world, 0);
    world_decide (&world, 0);
    world_tell (&world, 3);
    world_decide (&world, 0);
    world.epoch.settled = 4;
    world_decide (&world, 0);
    synod_sim_run (world.sim, 1000);
    assert_int_equal (world_progress (&world, 3).epoch, 1);
    synod_sim_heal (world.sim);
    synod_sim_run (world.sim, 3000);
    assert_int_equal (world_progress (&world, 3).epoch, 5);
    world_end (&world);
}

/* The first copy ran, and its answer was lost: that the node which gets the second one is in no ring does not say that
 * nothing was done. */
static void repeated (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 2, 1, true);
    world.epoch.nmembers = 1; /* b runs the actor, and hears nothing of the ring */
    synod_sim_cut (world.sim, world.node[0], world.node[1], true);
    synod_sim_cut (world.sim, world.node[1], world.node[0], true);
    world_decide (&world, 0);
    uint32_t key = 0; /* that who knows no ring asks a for */
    for (reply_t first = {.code = SYNOD_REFUSED}; first.code == SYNOD_REFUSED; key++)
        first = world_ask (&world, key_address (key), &get_record, &(get_t){0});
    const char *to = key_address (key - 1);
    int client = synod_sim_client (world.sim, "other");
    synod_sim_run (world.sim, 1000);
    reply_t reply = {0};
    const add_once_t add = {.amount = 1};
    synod_sim_cut (world.sim, world.node[0], client, true);
    assert_int_equal (synod_sim_ask (world.sim, client, to, &add_once_record, &add, 20000, reply_take, &reply),
                      SYNOD_OK);
    synod_sim_run (world.sim, 50);
    synod_sim_crash (world.sim, world.node[0]);
    synod_sim_run (world.sim, 5000);
    assert_string_equal (reply.message, "");
    assert_false (reply.done);
    synod_sim_heal (world.sim);
    synod_sim_start (world.sim, world.node[0]);
    assert_int_equal (synod_sim_until (world.sim, reply_done, &reply, 30000), SYNOD_OK);
    assert_string_equal (reply.message, "");
    assert_int_equal (reply.value, 1); /* of the first, remembered */
    assert_int_equal (world_ask (&world, to, &get_record, &(get_t){0}).value, 1);
    world_end (&world);
}

/* The same where the node lost its store: what was done is gone, which nobody can know who asked for it. */
static void repeated_to_a_wiped_node (void **state)
{
    world_t world;
    (void) state;
    world_new (&world, 1, 1, true);
    world_decide (&world, 0);
    reply_t reply = {0};
    const add_once_t add = {.amount = 1};
    synod_sim_cut (world.sim, world.node[0], world.client, true);
    assert_int_equal (
        synod_sim_ask (world.sim, world.client, "a/tally#key1", &add_once_record, &add, 5000, reply_take, &reply),
        SYNOD_OK);
    synod_sim_run (world.sim, 50);
    synod_sim_crash (world.sim, world.node[0]);
    synod_sim_wipe (world.sim, world.node[0]);
    synod_sim_heal (world.sim);
    synod_sim_start (world.sim, world.node[0]);
    assert_int_equal (synod_sim_until (world.sim, reply_done, &reply, 30000), SYNOD_OK);
    assert_int_equal (reply.code, SYNOD_TIMEOUT);
    world_end (&world);
}

static reply_t in_vain (world_t *world, int client, const char *to, const synod_record_t *record, const void *in)
{
    reply_t reply = {0};
    int64_t begin_us = synod_sim_now_us (world->sim);
    assert_int_equal (synod_sim_ask (world->sim, client, to, record, in, 2000, reply_take, &reply), SYNOD_OK);
    assert_int_equal (synod_sim_until (world->sim, reply_done, &reply, 5000), SYNOD_OK);
    assert_int_equal (reply.code, SYNOD_TIMEOUT);
    assert_in_range (synod_sim_now_us (world->sim) - begin_us, 1970000, 2000000);
    return reply;
}

/* Who waits for nothing is told for what. */
static void waited_for (void **state)
{
    world_t world;
    (void) state;
    const add_once_t add = {.amount = 1};
    world_new (&world, 2, 1, true);
    world_decide (&world, 0);
    uint32_t key = 0;
    while (world_ask (&world, key_address (key), &get_record, &(get_t){0}).node[0] != 'b')
        key++;
    char to[32], at_a[40];
    snprintf (to, sizeof to, "%s", key_address (key));
    snprintf (at_a, sizeof at_a, "a/%s", to);
    synod_sim_crash (world.sim, world.node[1]);
    synod_sim_run (world.sim, 1000);
    int other = synod_sim_client (world.sim, "other");
    synod_sim_run (world.sim, 1000);
    const char *words = " of tally: waiting for b to own it, or another of its copies, on b (not on this bus)";
    assert_non_null (strstr (in_vain (&world, world.client, to, &get_record, &(get_t){0}).message, words));
    assert_non_null (strstr (in_vain (&world, world.client, to, &add_once_record, &add).message, words));
    /* who knows nothing of the ring is told by the one that it asked */
    assert_non_null (strstr (in_vain (&world, other, to, &get_record, &(get_t){0}).message, words));
    reply_t reply = in_vain (&world, other, at_a, &add_record, &(add_t){.amount = 1});
    assert_ptr_equal (strstr (reply.message, "no node serves partition "), reply.message);
    assert_non_null (strstr (reply.message, words));
    world_end (&world);
    /* an owner without its copies */
    world_new (&world, 3, 3, true);
    world_decide (&world, 0);
    add_all (&world, 1);
    uint32_t at = (uint32_t) (world_ask (&world, "tally#key1", &get_record, &(get_t){0}).node[0] - 'a');
    for (uint32_t i = 0; i < 3; i++)
        synod_sim_crash (world.sim, world.node[i]);
    synod_sim_start (world.sim, world.node[at]);
    synod_sim_run (world.sim, 2000);
    reply = in_vain (&world, world.client, "tally#key1", &get_record, &(get_t){0});
    assert_non_null (strstr (reply.message, " of tally: waiting for a majority of its copies, on "));
    assert_non_null (strstr (reply.message, " (not on this bus)"));
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
        cmocka_unit_test (returned),
        cmocka_unit_test (repeated),
        cmocka_unit_test (waited_for),
        cmocka_unit_test (repeated_to_a_wiped_node),
        cmocka_unit_test (sole),
        cmocka_unit_test (sought),
        cmocka_unit_test (foreign),
    };
    return cmocka_run_group_tests_name ("runtime/place", tests, NULL, NULL);
}
