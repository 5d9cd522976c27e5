/* SPDX-License-Identifier: MPL-2.0
 *
 * Turns that write, and commands. Nothing leaves before the commit; a crash at any point leaves both the effect and the
 * reply of a command or neither; a repeat gets the same answer and runs nothing.
 */
#include "lone_host.h"
#include <stdio.h>

#define VALUE_FIELDS(FIELD, OPT) OPT (i64, value, INT64_MAX, "a number")
SYNOD_RECORD (add, VALUE_FIELDS, SYNOD_ONCE, "adds, and answers the sum")
SYNOD_RECORD (refuse, VALUE_FIELDS, SYNOD_ONCE, "adds and refuses")
SYNOD_RECORD (later, VALUE_FIELDS, SYNOD_ONCE, "adds, answers when told to")
SYNOD_RECORD (wait, VALUE_FIELDS, SYNOD_ONCE, "adds nothing, answers when told to")
SYNOD_RECORD (finish, VALUE_FIELDS, 0, "answers what waits")
SYNOD_RECORD (get, VALUE_FIELDS, 0, "the sum")
SYNOD_RECORD (broken, VALUE_FIELDS, SYNOD_ONCE, "adds and fails")
SYNOD_RECORD (sum, VALUE_FIELDS, 0, "a sum")

typedef struct {
    synod_call_t waits;
} tally_t;

static int s_runs, s_repeats, s_replies, s_code;

static int64_t s_sum (synod_ctx_t *ctx)
{
    synod_str_t value;
    int64_t sum = 0;
    if (synod_get (ctx, synod_str ("sum"), &value) == SYNOD_OK)
        memcpy (&sum, value.data, sizeof sum);
    return sum;
}

static int64_t s_add_up (synod_ctx_t *ctx, int64_t value)
{
    int64_t sum = s_sum (ctx) + value;
    s_runs++;
    assert_int_equal (synod_put (ctx, synod_str ("sum"), synod_str_n (&sum, sizeof sum)), SYNOD_OK);
    return sum;
}

static int on_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    (void) state;
    sum_t out = {.value = s_add_up (ctx, in->value)};
    return synod_reply (ctx, call, &sum_record, &out);
}

static int on_refuse (synod_ctx_t *ctx, void *state, const refuse_t *in, synod_call_t call)
{
    (void) state, (void) call;
    s_add_up (ctx, in->value);
    return synod_error (ctx, SYNOD_REFUSED, "no");
}

static int on_broken (synod_ctx_t *ctx, void *state, const broken_t *in, synod_call_t call)
{
    (void) state, (void) call;
    s_add_up (ctx, in->value);
    return synod_error (ctx, SYNOD_FAILED, "broken");
}

static int on_later (synod_ctx_t *ctx, void *state, const later_t *in, synod_call_t call)
{
    ((tally_t *) state)->waits = call;
    s_repeats += synod_repeated (ctx);
    if (!synod_repeated (ctx))
        s_add_up (ctx, in->value);
    return SYNOD_OK;
}

static int on_wait (synod_ctx_t *ctx, void *state, const wait_t *in, synod_call_t call)
{
    (void) in;
    ((tally_t *) state)->waits = call;
    s_runs++;
    s_repeats += synod_repeated (ctx);
    return SYNOD_OK;
}

static int on_finish (synod_ctx_t *ctx, void *state, const finish_t *in, synod_call_t call)
{
    (void) in;
    sum_t out = {.value = s_sum (ctx)};
    synod_reply (ctx, ((tally_t *) state)->waits, &sum_record, &out);
    return call.id ? synod_reply (ctx, call, &sum_record, &out) : SYNOD_OK;
}

static int on_get (synod_ctx_t *ctx, void *state, const get_t *in, synod_call_t call)
{
    (void) state, (void) in;
    sum_t out = {.value = s_sum (ctx)};
    return synod_reply (ctx, call, &sum_record, &out);
}

static const synod_actor_t tally = {
    .name = "tally",
    .state_size = sizeof (tally_t),
    .routes = (const synod_route_t[]){SYNOD_ON (add, on_add), SYNOD_ON (refuse, on_refuse), SYNOD_ON (later, on_later),
                                      SYNOD_ON (wait, on_wait), SYNOD_ON (finish, on_finish), SYNOD_ON (get, on_get),
                                      SYNOD_ON (broken, on_broken), SYNOD_END},
};

static lone_t lone;

static int s_setup (void **state)
{
    (void) state;
    s_runs = s_repeats = s_replies = s_code = 0;
    lone_new (&lone);
    lone_start (&lone, &tally, 10);
    return 0;
}

static int s_teardown (void **state)
{
    (void) state;
    lone_end (&lone);
    return 0;
}

static void s_restart (uint64_t incarnation)
{
    lone_crash (&lone);
    lone_start (&lone, &tally, incarnation);
}

/* Asks and expects the answer VALUE, or the error. */
static void s_expect (const char *method, uint64_t client, uint64_t number, uint64_t low, int64_t value,
                      const char *error)
{
    static uint64_t id = 1000;
    lone_clear (&lone);
    lone_ask (&lone, method, ++id, client, number, low, 1);
    const lone_mail_t *mail = lone_only (&lone);
    assert_string_equal (mail->error, error ? error : "");
    assert_int_equal (mail->kind, error ? SYNOD_KIND_ERROR : SYNOD_KIND_REPLY);
    assert_int_equal (mail->id, id);
    if (!error)
        assert_int_equal (mail->value, value);
}

static void test_commit_before_send (void **state)
{
    (void) state;
    lone_begin (&lone);
    for (uint64_t i = 1; i <= 5; i++)
        lone_add (&lone, "add", i, 0, 0, 0, 1);
    lone_in (&lone);
    assert_string_equal (lone.log, "wwwww"); /* a batch a handler, nothing sent */
    lone_turn (&lone);
    assert_string_equal (lone.log, "wwwwwcf"); /* one commit, one frame */
    assert_int_equal (lone.nmail, 5);
    assert_int_equal (lone.mail[4].value, 5);
    lone_clear (&lone);
    lone_ask (&lone, "get", 6, 0, 0, 0, 0);
    assert_string_equal (lone.log, "f"); /* nothing written, nothing to commit */
}

#define BLOB_FIELDS(FIELD, OPT) FIELD (bin, data, 65536, "bytes")
SYNOD_RECORD (blob, BLOB_FIELDS, 0, "something large")

static int s_flood (synod_ctx_t *ctx, void *arg)
{
    static char bytes[60000];
    blob_t out = {.data = synod_str_n (bytes, sizeof bytes)};
    if (*(bool *) arg)
        s_add_up (ctx, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal (synod_tell (ctx, "peer/main", &blob_record, &out), SYNOD_OK);
    return synod_publish (ctx, "news", &blob_record, &out);
}

/* A turn of more mail than fits a frame: the first frame must not leave when it is full. */
static void test_full_frames_wait (void **state)
{
    (void) state;
    bool write = true;
    lone_directory (&lone, "peer", 7, "main");
    lone_clear (&lone);
    assert_int_equal (lone_step (&lone, s_flood, &write), SYNOD_OK);
    assert_string_equal (lone.log, "wcfffp");
    lone_clear (&lone);
    write = false;
    assert_int_equal (lone_step (&lone, s_flood, &write), SYNOD_OK);
    assert_string_equal (lone.log, "fffp");
}

static void test_repeat (void **state)
{
    (void) state;
    s_expect ("add", 5, 1, 1, 1, NULL);
    s_expect ("add", 5, 2, 1, 2, NULL);
    s_expect ("add", 5, 1, 1, 1, NULL); /* the reply of then */
    assert_string_equal (lone.log, "f");
    s_expect ("add", 6, 1, 1, 3, NULL); /* another client's number */
    s_restart (11);
    s_expect ("add", 5, 2, 1, 2, NULL);
    s_expect ("add", 6, 1, 1, 3, NULL);
    s_expect ("get", 0, 0, 0, 3, NULL);
    assert_int_equal (s_runs, 3);
}

/* Both copies in one turn: the second finds what is not even committed. */
static void test_repeat_in_one_turn (void **state)
{
    (void) state;
    lone_begin (&lone);
    lone_add (&lone, "add", 1, 5, 1, 1, 1);
    lone_add (&lone, "add", 1, 5, 1, 1, 1);
    lone_in (&lone);
    lone_turn (&lone);
    assert_int_equal (lone.nmail, 2);
    assert_int_equal (lone.mail[0].value, 1);
    assert_int_equal (lone.mail[1].value, 1);
    assert_int_equal (s_runs, 1);
}

/* A crash between a turn's writes and its commit: nothing of it was, and it may run. */
static void test_crash_before_commit (void **state)
{
    (void) state;
    lone_begin (&lone);
    lone_add (&lone, "add", 1, 5, 1, 1, 1);
    lone_in (&lone);
    assert_string_equal (lone.log, "w");
    s_restart (11);
    s_expect ("get", 0, 0, 0, 0, NULL);
    s_expect ("add", 5, 1, 1, 1, NULL);
}

/* A crash between commit and send. */
static void test_crash_before_send (void **state)
{
    (void) state;
    lone.blocked = true;
    lone_ask (&lone, "add", 1, 5, 1, 1, 1);
    assert_string_equal (lone.log, "wc");
    lone.blocked = false;
    s_restart (11);
    s_expect ("add", 5, 1, 1, 1, NULL);
    assert_int_equal (s_runs, 1);
}

/* An error is as final as a reply, and undoes the handler's writes. */
static void test_errors_are_remembered (void **state)
{
    (void) state;
    s_expect ("refuse", 5, 1, 1, 0, "refused");
    s_expect ("refuse", 5, 1, 1, 0, "refused");
    s_restart (11);
    s_expect ("refuse", 5, 1, 1, 0, "refused");
    assert_int_equal (s_runs, 1);
    s_expect ("broken", 5, 2, 1, 0, "failed");
    s_expect ("broken", 5, 2, 1, 0, "failed");
    assert_int_equal (s_runs, 2);
    s_expect ("get", 0, 0, 0, 0, NULL);
}

/* Answered later: a repeat joins the one that waits, and the answer goes to the newest. */
static void test_attach (void **state)
{
    (void) state;
    lone_ask (&lone, "later", 1, 5, 1, 1, 1);
    lone_ask (&lone, "later", 2, 5, 1, 1, 1);
    lone_ask (&lone, "wait", 3, 5, 2, 1, 1);
    lone_ask (&lone, "wait", 4, 5, 2, 1, 1);
    assert_int_equal (lone.nmail, 0);
    assert_int_equal (s_runs, 2);
    assert_int_equal (synod__rt_stats (lone.rt).calls, 2);
    lone_run (&lone, 10); /* what it wrote so far, and nobody waits for, is durable soon */
    s_restart (11);
    lone_ask (&lone, "later", 1, 5, 1, 1, 1);
    lone_ask (&lone, "later", 2, 5, 1, 1, 1);
    assert_int_equal (s_runs, 2);
    assert_int_equal (s_repeats, 1);
    lone_clear (&lone);
    lone_ask (&lone, "finish", 9, 0, 0, 0, 0);
    assert_int_equal (lone.nmail, 2);
    assert_int_equal (lone.mail[0].id, 2);
    assert_int_equal (lone.mail[0].value, 1);
    s_expect ("later", 5, 1, 1, 1, NULL);
    lone_ask (&lone, "wait", 3, 5, 2, 1, 1); /* left no trace: it runs as if it were new */
    assert_int_equal (s_runs, 3);
    assert_int_equal (s_repeats, 1);
}

static bool s_counter (void *arg, synod_str_t key, synod_str_t value)
{
    (void) key, (void) value;
    ++*(uint32_t *) arg;
    return true;
}

/* Entries of the disk from PREFIX to PREFIX + 1. */
static void s_count (const char *prefix, uint32_t expected)
{
    char until[32];
    uint32_t count = 0, size = (uint32_t) snprintf (until, sizeof until, "tally%c%s", 0, prefix);
    char from[32];
    memcpy (from, until, sizeof from);
    until[size - 1]++;
    lone.under->ops->scan (lone.under, synod_str_n (from, size), synod_str_n (until, size), s_counter, &count);
    assert_int_equal (count, expected);
}

static void test_trim (void **state)
{
    (void) state;
    for (uint64_t i = 1; i <= 40; i++)
        s_expect ("add", 5, i, 1, (int64_t) i, NULL);
    s_count ("r", 40);
    s_expect ("add", 5, 41, 36, 41, NULL);
    s_count ("r", 6); /* 36 to 41 */
    s_expect ("add", 5, 36, 36, 36, NULL);
    s_expect ("add", 5, 35, 1, 0, "stale-id");
    s_restart (11);
    s_expect ("add", 5, 35, 1, 0, "stale-id");
    s_expect ("add", 5, 42, 42, 42, NULL);
    s_count ("r", 1);
    assert_int_equal (s_runs, 42);
}

/* What clients have is known without looking; also when one has none for a while, or errors are what is remembered. */
static void test_trim_known (void **state)
{
    int64_t sum = 0;
    (void) state;
    for (uint64_t i = 1; i <= 100; i++) {
        bool refused = i % 7 == 3;
        for (uint64_t client = 5; client <= 7; client++)
            s_expect (refused ? "refuse" : "add", client, 10 * i, 10 * (i > 2 ? i - 2 : 1), refused ? 0 : ++sum,
                      refused ? "refused" : NULL);
        s_count ("r", 3 * (i > 2 ? 3 : (uint32_t) i));
        if (i % 25 == 0)
            s_restart (10 + i);
    }
    s_expect ("add", 6, 1000, 1000, sum - 1, NULL); /* a repeat: answered as before, client 7 came later */
}

/* Idle clients go as others come; then neither they nor those that are as old run anything. */
static void test_forgotten_clients (void **state)
{
    (void) state;
    for (uint64_t client = 100; client < 120; client++)
        s_expect ("add", client, 1, 1, (int64_t) client - 99, NULL);
    lone.wall_us += (int64_t) (SYNOD_CLIENT_IDLE_S + 1) * 1000000;
    for (uint64_t client = 200; client < 240; client++)
        s_expect ("add", client, 1, 1, (int64_t) client - 179, NULL);
    s_count ("r", 40);
    s_count ("c", 41); /* with the horizon */
    s_expect ("add", 110, 1, 1, 0, "stale-id");
    s_expect ("add", 50, 1, 1, 0, "stale-id");
    s_expect ("add", 200, 1, 1, 21, NULL);
    s_restart (11);
    s_expect ("add", 119, 2, 1, 0, "stale-id");
    s_expect ("add", 300, 1, 1, 61, NULL);
    assert_int_equal (s_runs, 61);
}

/* ---- the disk fails ---- */

static void test_failing_commit (void **state)
{
    (void) state;
    s_expect ("add", 5, 1, 1, 1, NULL);
    lone_clear (&lone);
    synod__memory_disk_fail (lone.under, 0, SYNOD_FULL);
    lone_begin (&lone);
    lone_add (&lone, "add", 1, 5, 2, 1, 1);
    lone_add (&lone, "get", 2, 0, 0, 0, 0);
    lone_in (&lone);
    lone_turn (&lone);
    assert_string_equal (lone.log, "wc"); /* not even the read of what was never durable */
    assert_int_equal (synod__rt_state (lone.rt), SYNOD__RT_ENDED);
    assert_int_equal (synod__rt_fault (lone.rt)->code, SYNOD_FULL);
    assert_non_null (strstr (synod__rt_fault (lone.rt)->text, "the store failed"));
    s_restart (11);
    s_expect ("get", 0, 0, 0, 1, NULL);
    s_expect ("add", 5, 2, 1, 2, NULL);
}

/* ---- the asker's side ---- */

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    (void) ctx, (void) state, (void) arg;
    s_replies++;
    s_code = reply->code;
    return SYNOD_OK;
}

static int s_command (synod_ctx_t *ctx, void *arg)
{
    add_t in = {.value = 1};
    return synod_ask (ctx, (const char *) arg, &add_record, &in, 20000, s_on_reply, 0);
}

static void s_ask_once (const char *to)
{
    lone_clear (&lone);
    assert_int_equal (lone_step (&lone, s_command, (void *) (uintptr_t) to), SYNOD_OK);
}

static void test_numbers_and_mark (void **state)
{
    (void) state;
    lone_directory (&lone, "far", 7, "tally");
    s_ask_once ("far/tally");
    lone_mail_t first = *lone_only (&lone);
    assert_int_equal (first.client, 10 << 12 | 4);
    assert_int_equal (first.low, first.number);
    s_ask_once ("tally"); /* this node runs one too, and takes it by itself or sends it */
    s_ask_once ("far/tally");
    lone_mail_t second = *lone_only (&lone);
    assert_true (second.number > first.number);
    assert_int_equal (second.low, first.number);
    lone_answer (&lone, "far", 7, "tally", first.id, 0);
    s_ask_once ("far/tally");
    assert_true (lone_only (&lone)->low > first.number);
    lone_answer (&lone, "far", 7, "tally", lone_only (&lone)->id, SYNOD_REFUSED);
    assert_int_equal (s_code, SYNOD_REFUSED);
}

/* Its node dies and comes again: the same command, to the same node. */
static void test_sent_again_when_back (void **state)
{
    (void) state;
    lone_directory (&lone, "far", 7, "tally");
    lone_directory (&lone, "other", 7, "tally");
    s_ask_once ("far/tally");
    lone_mail_t first = *lone_only (&lone);
    lone_clear (&lone);
    lone_directory (&lone, "far", 7, NULL);
    lone_run (&lone, 5000);
    assert_int_equal (s_replies, 0);
    for (uint32_t i = 0; i < lone.nmail; i++) /* the broker may know more */
        assert_string_equal (lone.mail[i].to, "far/tally");
    lone_clear (&lone);
    lone_directory (&lone, "far", 8, "tally");
    const lone_mail_t *again = lone_only (&lone);
    assert_string_equal (again->to, "far/tally");
    assert_true (again->id == first.id && again->number == first.number && again->client == first.client);
    lone_answer (&lone, "far", 8, "tally", first.id, 0);
    assert_int_equal (s_replies, 1);
    assert_int_equal (s_code, SYNOD_OK);
    assert_int_equal (synod__rt_stats (lone.rt).asks, 0);
}

/* No answer for long: again. The time is over: an end. */
static void test_sent_again_when_late (void **state)
{
    (void) state;
    lone_directory (&lone, "far", 7, "tally");
    s_ask_once ("far/tally");
    uint64_t number = lone_only (&lone)->number;
    lone_run (&lone, 5000);
    assert_in_range (lone.nmail, 2, 3);
    assert_int_equal (lone.mail[1].number, number);
    lone_run (&lone, 16000);
    assert_int_equal (s_replies, 1);
    assert_int_equal (s_code, SYNOD_TIMEOUT);
}

/* Nobody there when it was sent first: nothing was done, and it says so at once. */
static void test_no_route_at_once (void **state)
{
    (void) state;
    s_ask_once ("nobody/tally");
    lone_answer (&lone, "nobody", 1, "$node", lone_only (&lone)->id, SYNOD_NO_ROUTE);
    assert_int_equal (s_replies, 1);
    assert_int_equal (s_code, SYNOD_NO_ROUTE);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_commit_before_send),
        TEST (test_full_frames_wait),
        TEST (test_repeat),
        TEST (test_repeat_in_one_turn),
        TEST (test_crash_before_commit),
        TEST (test_crash_before_send),
        TEST (test_errors_are_remembered),
        TEST (test_attach),
        TEST (test_trim),
        TEST (test_trim_known),
        TEST (test_forgotten_clients),
        TEST (test_failing_commit),
        TEST (test_numbers_and_mark),
        TEST (test_sent_again_when_back),
        TEST (test_sent_again_when_late),
        TEST (test_no_route_at_once),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
