/* SPDX-License-Identifier: MPL-2.0
 *
 * Answers that leave in the middle of a turn: the first of many asks in one frame, over a direct link, to the only asker,
 * as far as they wait for no disk; and never out of order.
 */
#include "lone_host.h"

#define VALUE_FIELDS(FIELD, OPT) OPT (i64, value, INT64_MAX, "a number")
SYNOD_RECORD (get, VALUE_FIELDS, 0, "answers")
SYNOD_RECORD (put, VALUE_FIELDS, 0, "writes, and answers")
SYNOD_RECORD (say, VALUE_FIELDS, 0, "tells other/main, and answers")
SYNOD_RECORD (both, VALUE_FIELDS, 0, "writes, tells other/main, and answers")
SYNOD_RECORD (told, VALUE_FIELDS, 0, "what is told, and every answer")

#define ASKS 16

static lone_t lone;

static int s_put (synod_ctx_t *ctx, int64_t value)
{
    return synod_put (ctx, synod_str ("value"), synod_str_n (&value, sizeof value));
}

static int s_say (synod_ctx_t *ctx, int64_t value)
{
    return synod_tell (ctx, "other/main", &told_record, &(told_t){.value = value});
}

static int s_answer (synod_ctx_t *ctx, int64_t value, synod_call_t call)
{
    return synod_reply (ctx, call, &told_record, &(told_t){.value = value});
}

static int on_get (synod_ctx_t *ctx, void *state, const get_t *in, synod_call_t call)
{
    (void) state;
    return s_answer (ctx, in->value, call);
}

static int on_put (synod_ctx_t *ctx, void *state, const put_t *in, synod_call_t call)
{
    (void) state;
    assert_int_equal (s_put (ctx, in->value), SYNOD_OK);
    return s_answer (ctx, in->value, call);
}

static int on_say (synod_ctx_t *ctx, void *state, const say_t *in, synod_call_t call)
{
    (void) state;
    assert_int_equal (s_say (ctx, in->value), SYNOD_OK);
    return s_answer (ctx, in->value, call);
}

static int on_both (synod_ctx_t *ctx, void *state, const both_t *in, synod_call_t call)
{
    (void) state;
    assert_int_equal (s_put (ctx, in->value), SYNOD_OK);
    assert_int_equal (s_say (ctx, in->value), SYNOD_OK);
    return s_answer (ctx, in->value, call);
}

static const synod_actor_t s_tally = {
    .name = "tally",
    .routes = (const synod_route_t[]){SYNOD_ON (get, on_get), SYNOD_ON (put, on_put), SYNOD_ON (say, on_say),
                                      SYNOD_ON (both, on_both), SYNOD_END},
};

static int s_setup (bool memory, bool link)
{
    lone_new (&lone);
    lone.memory = memory;
    lone_start (&lone, &s_tally, 10);
    lone_directory (&lone, "peer", 7, "main");
    lone_directory (&lone, "other", 8, "main");
    if (link)
        lone_link (&lone, "peer", 7);
    lone_clear (&lone);
    return 0;
}

static int s_memory (void **state)
{
    (void) state;
    return s_setup (true, true);
}

static int s_brokered (void **state)
{
    (void) state;
    return s_setup (true, false);
}

static int s_durable (void **state)
{
    (void) state;
    return s_setup (false, true);
}

static int s_teardown (void **state)
{
    (void) state;
    lone_end (&lone);
    return 0;
}

/* A frame of COUNT asks is taken; the turn stays open. Their ids, and values, go on where those of the last frame ended. */
static void s_ask (const char *method, uint32_t count)
{
    static uint64_t id;
    lone_begin (&lone);
    for (uint32_t i = 0; i < count; i++) {
        id++;
        lone_add (&lone, method, id, 0, 0, 0, (int64_t) id);
    }
    lone_in (&lone);
}

/* All of COUNT answers are there, in the order of the asks. */
static void s_all (uint32_t count)
{
    uint64_t last = 0;
    uint32_t answers = 0;
    for (uint32_t i = 0; i < lone.nmail; i++) {
        if (lone.mail[i].kind != SYNOD_KIND_REPLY)
            continue;
        assert_true (!last || lone.mail[i].id == last + 1);
        last = lone.mail[i].id;
        answers++;
    }
    assert_int_equal (answers, count);
}

/* COUNT asks in one frame: the log is EARLY, with that many answers, before the turn ends, and then WHOLE, with all. */
static void s_round (const char *method, uint32_t count, const char *early, uint32_t answers, const char *whole)
{
    lone_clear (&lone);
    s_ask (method, count);
    assert_string_equal (lone.log, early);
    s_all (answers);
    lone_turn (&lone);
    assert_string_equal (lone.log, whole);
    s_all (count);
}

static void test_in_memory (void **state)
{
    (void) state;
    s_round ("put", ASKS, "FF", 12, "FFF"); /* 4, then 8 */
}

/* Three asks are not worth a frame of their own. */
static void test_few (void **state)
{
    (void) state;
    s_round ("put", 3, "", 0, "F");
}

static void test_on_a_disk (void **state)
{
    (void) state;
    s_round ("put", ASKS, "wwwwwwwwwwwwwwww", 0, "wwwwwwwwwwwwwwwwcF");
}

/* With a disk too, as long as nothing was written. */
static void test_only_read (void **state)
{
    (void) state;
    s_round ("get", ASKS, "FF", 12, "FFF");
}

static void test_by_the_broker (void **state)
{
    (void) state;
    s_round ("put", ASKS, "", 0, "f");
}

/* What was told after a part by who wrote nothing does not overtake what was told before it by who wrote. */
static void test_order (void **state)
{
    (void) state;
    lone_begin (&lone);
    for (uint64_t id = 1; id <= 5; id++)
        lone_add (&lone, id == 5 ? "say" : "both", id, 0, 0, 0, (int64_t) id);
    lone_in (&lone);
    lone_turn (&lone);
    int64_t last = 0;
    for (uint32_t i = 0; i < lone.nmail; i++)
        if (lone.mail[i].kind == SYNOD_KIND_TELL)
            assert_int_equal (lone.mail[i].value, ++last);
    assert_int_equal (last, 5);
    s_all (5);
}

static void s_frame_of_another (void)
{
    synod__batch_t batch = {0};
    const synod_envelope_t env = {.kind = SYNOD_KIND_TELL, .method = synod_str ("get"), .from = synod_str ("main")};
    synod__batch_begin (&batch, synod_str ("n/tally"), synod_str ("other"), 8, 0);
    synod__batch_add (&batch, &env);
    synod__rt_frame (lone.rt, synod_str_n (NULL, 0), batch.buf.data, batch.buf.size);
    synod__batch_free (&batch);
}

/* With two askers, in this turn or the last, none is answered in parts; then the one that is left is again. */
static void test_several (void **state)
{
    (void) state;
    s_ask ("put", 1);
    s_frame_of_another ();
    lone_turn (&lone);
    s_round ("put", ASKS, "", 0, "F");
    s_round ("put", ASKS, "FF", 12, "FFF");
}

#define S_TEST(function, setup) cmocka_unit_test_setup_teardown (function, setup, s_teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {S_TEST (test_in_memory, s_memory),       S_TEST (test_few, s_memory),
                                       S_TEST (test_on_a_disk, s_durable),      S_TEST (test_only_read, s_durable),
                                       S_TEST (test_by_the_broker, s_brokered), S_TEST (test_order, s_memory),
                                       S_TEST (test_several, s_memory)};
    return cmocka_run_group_tests_name ("parts of a turn", tests, NULL, NULL);
}
