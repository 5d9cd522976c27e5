/* SPDX-License-Identifier: MPL-2.0
 *
 * Commits that turns do not wait for: what leaves meanwhile, what waits for which of them, and in which order it leaves.
 */
#include "lone_actor.h"
#include "lone_host.h"
#include "actors/runtime/place.h"

static lone_t lone;

static int s_setup (void **state)
{
    (void) state;
    lone_new (&lone);
    lone.beside = &lone_other;
    lone_start (&lone, &lone_tally, 10);
    lone_directory (&lone, "peer", 7, "main");
    lone.slow = true;
    lone_clear (&lone);
    return 0;
}

static int s_teardown (void **state)
{
    (void) state;
    lone_end (&lone);
    return 0;
}

static void s_ask (const char *actor, const char *method, uint64_t id, int64_t value)
{
    lone_begin (&lone);
    lone_to (&lone, actor);
    lone_add (&lone, method, id, 0, 0, 0, value);
    lone_in (&lone);
    lone_turn (&lone);
}

/* While a commit is under way, others are answered; who wrote, and who reads what was written, wait for it. */
static void test_goes_on (void **state)
{
    (void) state;
    s_ask ("tally", "put", 1, 5);
    assert_string_equal (lone.log, "wb");
    s_ask ("other", "get", 2, 0);
    assert_string_equal (lone.log, "wbf");
    assert_int_equal (lone.mail[0].id, 2);
    s_ask ("tally", "get", 3, 0);
    assert_string_equal (lone.log, "wbf");
    lone_durable (&lone, 1);
    assert_string_equal (lone.log, "wbfdf");
    assert_int_equal (lone.nmail, 3);
    assert_true (lone.mail[1].id == 1 && lone.mail[2].id == 3 && lone.mail[2].value == 5);
    s_ask ("tally", "get", 4, 0);
    assert_string_equal (lone.log, "wbfdff");
}

/* One that waits with others for a commit of copies. */
static void s_ask_copied (const char *actor, const char *method, uint64_t id, int64_t value)
{
    lone.rt->place->copying = true;
    s_ask (actor, method, id, value);
}

/* Several in a turn. */
static void s_puts (const char *actor, uint64_t first, uint32_t count)
{
    lone_begin (&lone);
    lone_to (&lone, actor);
    for (uint64_t id = first; id < first + count; id++)
        lone_add (&lone, "put", id, 0, 0, 0, (int64_t) id);
    lone_in (&lone);
    lone_turn (&lone);
}

/* One is under way: the next collects, and begins with the end of the first. Each lets go what waits for it. */
static void test_one (void **state)
{
    (void) state;
    s_puts ("tally", 1, 3);
    s_ask ("other", "put", 4, 4);
    s_ask ("tally", "put", 5, 5);
    assert_string_equal (lone.log, "wwwbww");
    lone_durable (&lone, 1);
    assert_string_equal (lone.log, "wwwbwwdfb");
    assert_int_equal (lone.nmail, 3);
    lone_durable (&lone, 1);
    assert_string_equal (lone.log, "wwwbwwdfbdf");
    assert_true (lone.nmail == 5 && lone.mail[3].id == 4 && lone.mail[4].id == 5);
}

/* With as much in it as in the first, one is begun beside it, and no third. */
static void test_as_much (void **state)
{
    (void) state;
    s_puts ("tally", 1, 2);
    s_ask ("other", "put", 3, 3);
    assert_string_equal (lone.log, "wwbw");
    s_ask ("tally", "put", 4, 4);
    assert_string_equal (lone.log, "wwbwwb");
    s_puts ("other", 5, 3);
    assert_string_equal (lone.log, "wwbwwbwww");
    lone_durable (&lone, 1);
    assert_string_equal (lone.log, "wwbwwbwwwdfb");
    assert_int_equal (lone.nmail, 2);
}

/* Of more than answering takes as long for as the disk, none is. */
static void test_as_much_as_many (void **state)
{
    (void) state;
    s_puts ("tally", 1, 17);
    s_puts ("other", 18, 17);
    assert_string_equal (strchr (lone.log, 'b'), "bwwwwwwwwwwwwwwwww");
}

/* Clients that all waited for one commit are divided: the first half of those who come again get one of their own, the others
 * as much beside it. Then each half has its own. */
static void test_halves (void **state)
{
    (void) state;
    lone_clients (&lone, "put", 8, 8);
    lone_turn (&lone);
    assert_string_equal (lone.log, "wwwwwwwwb"); /* the disk had not begun any */
    lone_durable (&lone, 1);
    lone_clear (&lone);
    lone_clients (&lone, "put", 8, 8);
    lone_turn (&lone);
    assert_string_equal (lone.log, "wwwwbwwwwb");
    lone_durable (&lone, 1);
    assert_int_equal (lone.nmail, 4);
    lone_durable (&lone, 1);
    lone_clear (&lone);
    lone_clients (&lone, "put", 7, 7);
    assert_string_equal (lone.log, "wwwwbwww");
    lone_turn (&lone);
    assert_string_equal (lone.log, "wwwwbwww");
}

/* Few are not, nor those of one connection, who come and go together, nor many. */
static void test_no_halves (void **state)
{
    (void) state;
    s_ask ("tally", "put", 1, 1);
    lone_durable (&lone, 1);
    lone_clear (&lone);
    lone_clients (&lone, "put", 3, 3);
    assert_string_equal (lone.log, "www");
    lone_turn (&lone);
    lone_durable (&lone, 1);
    lone_clear (&lone);
    lone_clients (&lone, "put", 8, 1);
    assert_string_equal (lone.log, "wwwwwwww");
    lone_turn (&lone);
    s_puts ("tally", 1, 33);
    lone_durable (&lone, 1);
    lone_clear (&lone);
    lone_durable (&lone, 1);
    lone_clear (&lone);
    lone_clients (&lone, "put", 21, 21);
    assert_null (strchr (lone.log, 'b'));
    lone_turn (&lone);
}

/* When a commit is durable and answers leave, who gets them may have something for the next, for which something waits. */
static void test_released (void **state)
{
    (void) state;
    s_puts ("tally", 1, 3);
    s_ask ("other", "put", 4, 4);
    lone.durable = 1;
    synod__rt_turn_begin (lone.rt, lone.now_us);
    assert_string_equal (lone.log, "wwwbwdf");
    assert_true (synod__rt_turn_more (lone.rt));
    lone_turn (&lone);
    assert_string_equal (lone.log, "wwwbwdfb");
    lone.durable = 1;
    synod__rt_turn_begin (lone.rt, lone.now_us);
    assert_false (synod__rt_turn_more (lone.rt)); /* nothing waits */
    lone_turn (&lone);
}

/* Of copies so many are, and no more. What else was written is begun with them, and not beside another without them. */
static void test_several (void **state)
{
    (void) state;
    s_puts ("tally", 1, 2);
    s_ask ("other", "put", 3, 3);
    assert_string_equal (lone.log, "wwbw");
    s_ask_copied ("other", "get", 5, 0);
    assert_string_equal (lone.log, "wwbwb");
    lone_durable (&lone, 2);
    assert_int_equal (lone.nmail, 4);
    lone_clear (&lone);
    for (uint64_t id = 1; id <= SYNOD__DISK_UNDER_WAY; id++)
        s_ask_copied (id % 2 ? "tally" : "other", "put", id, (int64_t) id);
    assert_string_equal (lone.log, "wbwb");
    s_ask_copied ("tally", "put", 8, 8);
    s_ask_copied ("other", "put", 9, 9);
    assert_string_equal (lone.log, "wbwbww");
    lone_durable (&lone, 1);
    assert_string_equal (lone.log, "wbwbwwdfb");
    assert_int_equal (lone_only (&lone)->id, 1);
    lone_durable (&lone, 2);
    assert_string_equal (lone.log, "wbwbwwdfbddff");
    assert_int_equal (lone.nmail, 4);
    assert_true (lone.mail[1].id == 2 && lone.mail[2].id == 8 && lone.mail[3].id == 9);
}

/* Of what nobody has asked about a commit is begun soon; at once when somebody is told of it. */
static void test_nobody_waits (void **state)
{
    (void) state;
    lone_run (&lone, 1); /* its first heartbeat has left */
    lone_clear (&lone);
    s_ask ("tally", "note", 1, 5);
    s_ask ("other", "get", 2, 0);
    assert_string_equal (lone.log, "wf");
    lone_run (&lone, 4);
    assert_string_equal (lone.log, "wf");
    lone_run (&lone, 2);
    assert_string_equal (lone.log, "wfb");
    lone_durable (&lone, 1);
    lone_clear (&lone);
    s_ask ("tally", "note", 3, 6);
    s_ask ("tally", "get", 4, 0);
    assert_string_equal (lone.log, "wb");
    lone_durable (&lone, 1);
    assert_string_equal (lone.log, "wbdf");
    lone_clear (&lone);
    s_ask ("tally", "note", 5, 7);
    s_ask ("tally", "say", 6, 0);
    assert_string_equal (lone.log, "wb");
}

/* What waited is there before what is said when there is nothing to wait for any more. */
static void test_order (void **state)
{
    (void) state;
    s_ask ("tally", "put", 1, 5);
    lone.durable = 1;
    s_ask ("tally", "get", 2, 0);
    assert_int_equal (lone.nmail, 2);
    assert_true (lone.mail[0].id == 1 && lone.mail[1].id == 2);
}

/* Who was told within the node by one that wrote waits for the same commit, and not for a later one. */
static void test_heard (void **state)
{
    (void) state;
    s_ask ("tally", "pass", 1, -5);
    assert_string_equal (lone.log, "wb");
    s_ask_copied ("tally", "put", 2, 6);
    s_ask ("other", "get", 3, 0);
    assert_string_equal (lone.log, "wbwb");
    lone_durable (&lone, 1);
    assert_int_equal (lone.nmail, 2);
    assert_int_equal (lone.mail[0].value, -5);
    assert_int_equal (lone.mail[1].id, 3);
    lone_durable (&lone, 1);
    assert_int_equal (lone.mail[2].id, 2);
}

/* What is lazy does not leave with a commit that was begun before it was written. */
static void test_lazy (void **state)
{
    (void) state;
    s_ask ("other", "put", 1, 5);
    s_ask ("tally", "lazy", 2, 7);
    assert_string_equal (lone.log, "wbw");
    lone_durable (&lone, 1);
    assert_string_equal (lone.log, "wbwdf");
    assert_int_equal (lone_only (&lone)->id, 1);
    lone_run (&lone, 10);
    assert_string_equal (lone.log, "wbwdfb");
    lone_durable (&lone, 1);
    assert_int_equal (lone.nmail, 2);
    assert_int_equal (lone.mail[1].value, 7);
}

/* Who tells of what is lazy, and is being committed, waits for that alone. */
static void test_lazy_told (void **state)
{
    (void) state;
    s_ask ("tally", "lazy", 1, 7);
    lone_run (&lone, 10);
    assert_string_equal (lone.log, "wb");
    s_ask ("tally", "get", 2, 0);
    assert_string_equal (lone.log, "wb");
    lone_durable (&lone, 1);
    assert_int_equal (lone.nmail, 2);
    assert_true (lone.mail[0].id == 2 && lone.mail[1].value == 7);
}

static void test_published (void **state)
{
    (void) state;
    s_ask_copied ("tally", "put", 1, 5);
    s_ask ("tally", "say", 2, 5);
    s_ask_copied ("tally", "put", 3, 5);
    s_ask ("tally", "say", 4, 5);
    s_ask_copied ("tally", "put", 5, 5);
    assert_null (strchr (lone.log, 'p'));
    lone_durable (&lone, 1);
    assert_string_equal (strchr (lone.log, 'd'), "dfbp");
    s_ask ("tally", "say", 6, 5);
    lone_durable (&lone, 1);
    assert_string_equal (strrchr (lone.log, 'd'), "dfp");
    s_ask ("other", "say", 7, 5); /* of the same topic, behind what waits */
    assert_string_equal (strrchr (lone.log, 'd'), "dfp");
    lone_durable (&lone, 1);
    assert_string_equal (strrchr (lone.log, 'd'), "dfp");
}

/* When one fails, nothing that waits for it, or for a later one, ever leaves, and the node ends. */
static void test_fails (void **state)
{
    (void) state;
    s_ask ("tally", "put", 1, 5);
    s_ask ("other", "put", 2, 6);
    lone.fails = SYNOD_IO;
    lone_durable (&lone, 2);
    assert_int_equal (lone.nmail, 0);
    assert_int_equal (synod__rt_state (lone.rt), SYNOD__RT_ENDED);
    assert_int_equal (synod__rt_fault (lone.rt)->code, SYNOD_IO);
}

/* A node that stops waits for what is under way, and loses nothing. */
static void test_stops (void **state)
{
    (void) state;
    s_ask ("tally", "put", 1, 5);
    synod__rt_turn_begin (lone.rt, lone.now_us);
    synod__rt_stop (lone.rt);
    lone_turn (&lone);
    assert_non_null (strstr (lone.log, "wbcf"));
    assert_int_equal (lone.mail[0].id, 1);
}

/* What was begun, and is not durable, may be gone: so a repeat is answered only when it is. */
static void test_repeated (void **state)
{
    (void) state;
    lone_begin (&lone);
    lone_add (&lone, "put", 1, 99, 1, 1, 5);
    lone_in (&lone);
    lone_turn (&lone);
    lone_begin (&lone);
    lone_add (&lone, "put", 2, 99, 1, 1, 5);
    lone_in (&lone);
    lone_turn (&lone);
    assert_string_equal (lone.log, "wb");
    lone_durable (&lone, 1);
    assert_int_equal (lone.nmail, 2);
    assert_true (lone.mail[0].id == 1 && lone.mail[1].id == 2);
}

/* What does not fit into one frame goes behind those whose mail is older. */
static void test_large (void **state)
{
    (void) state;
    lone_begin (&lone);
    lone_add (&lone, "get", 1, 0, 0, 0, 0);
    lone_add (&lone, "put", 2, 0, 0, 0, 5);
    for (uint64_t id = 3; id < 8; id++)
        lone_add (&lone, "large", id, 0, 0, 0, 0);
    lone_in (&lone);
    lone_turn (&lone);
    lone_durable (&lone, 1);
    assert_int_equal (lone.nmail, 7);
    for (uint32_t i = 0; i < lone.nmail; i++)
        assert_int_equal (lone.mail[i].id, i + 1);
}

static int s_enter_epoch (synod_ctx_t *ctx)
{
    synod__store_id_t id;
    memset (&lone.disk.id, 7, sizeof lone.disk.id);
    memcpy (&id, &lone.disk.id, sizeof id);
    synod__member_t member = {.name = "n", .id = id, .weight = 100, .target = 100};
    synod__epoch_t epoch = {.ring = 77,
                            .number = 1,
                            .partitions = 16,
                            .replicas = 1,
                            .nmembers = 1,
                            .nkeepers = 1,
                            .members = &member,
                            .keepers = &id};
    synod_fault_t fault = {0};
    synod_buf_t bytes = {0};
    int rc = synod__epoch_pack (&epoch, &bytes, &fault);
    if (rc == SYNOD_OK)
        rc = synod__ctx_enter_epoch (ctx, synod_str_n (bytes.data, bytes.size), &fault);
    if (rc != SYNOD_OK)
        print_error ("%s\n", fault.text);
    synod_buf_free (&bytes);
    return rc;
}

/* An ask, and the epoch, in one turn. */
static void s_ask_and_enter (const char *method)
{
    lone_begin (&lone);
    lone_add (&lone, method, 1, 0, 0, 0, 5);
    lone_in (&lone);
    synod_ctx_t *ctx = synod__rt_enter (lone.rt, &lone_tally);
    assert_int_equal (synod__rt_leave (lone.rt, ctx, s_enter_epoch (ctx)), SYNOD_OK);
    lone_turn (&lone);
}

/* What was written before a node enters an epoch is durable before the epoch is written; and who was answered in that turn
 * may have been told of the epoch, so the answer waits for it as well. */
static void test_epoch (void **state)
{
    (void) state;
    s_ask_and_enter ("put");
    assert_string_equal (lone.log, "wcwcf");
    assert_int_equal (lone_only (&lone)->id, 1);
}

/* The same of what was written before, and is under way or collects. */
static void test_epoch_later (void **state)
{
    (void) state;
    s_puts ("tally", 1, 2);
    s_ask ("other", "put", 3, 6);
    assert_string_equal (lone.log, "wwbw");
    s_ask_and_enter ("get");
    assert_int_equal (lone.nmail, 4);
    assert_string_equal (lone.log, "wwbwcwcff");
}

static int s_enter_and_tell (synod_ctx_t *ctx, void *arg)
{
    (void) arg;
    int rc = s_enter_epoch (ctx);
    return rc == SYNOD_OK ? lone_tell (ctx, 5) : rc;
}

/* Who wrote nothing, and tells of the epoch, waits for it. */
static void test_epoch_told (void **state)
{
    (void) state;
    assert_int_equal (lone_step (&lone, s_enter_and_tell, NULL), SYNOD_OK);
    assert_string_equal (lone.log, "cwcf");
    assert_int_equal (lone_only (&lone)->value, 5);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests[] = {TEST (test_goes_on),         TEST (test_one),        TEST (test_as_much),
                                       TEST (test_as_much_as_many), TEST (test_halves),     TEST (test_no_halves),
                                       TEST (test_released),        TEST (test_several),    TEST (test_nobody_waits),
                                       TEST (test_order),           TEST (test_heard),      TEST (test_lazy),
                                       TEST (test_lazy_told),       TEST (test_published),  TEST (test_fails),
                                       TEST (test_stops),           TEST (test_repeated),   TEST (test_large),
                                       TEST (test_epoch),           TEST (test_epoch_told), TEST (test_epoch_later)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
