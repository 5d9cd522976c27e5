/* SPDX-License-Identifier: MPL-2.0
 *
 * The hot path takes no memory once it is warm: an ask with its reply, a tell, a publication, to another node and to
 * its own. Linked with --wrap, so that every allocation under a runtime's function is counted.
 */
#include "check.h"

void *__real_malloc (size_t size);
void *__real_calloc (size_t count, size_t size);
void *__real_realloc (void *old, size_t size);
void *__wrap_malloc (size_t size);
void *__wrap_calloc (size_t count, size_t size);
void *__wrap_realloc (void *old, size_t size);

static uint64_t s_taken;

void *__wrap_malloc (size_t size)
{
    s_taken += mh_in_runtime ();
    return __real_malloc (size);
}

void *__wrap_calloc (size_t count, size_t size)
{
    s_taken += mh_in_runtime ();
    return __real_calloc (count, size);
}

void *__wrap_realloc (void *old, size_t size)
{
    s_taken += mh_in_runtime ();
    return __real_realloc (old, size);
}

typedef struct {
    int count;
    const char *to;
} s_burst_t;

static int s_on_reply (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    (void) ctx;
    (void) state;
    (void) arg;
    seen_.replies += reply->code == SYNOD_OK;
    return SYNOD_OK;
}

static int s_burst (synod_ctx_t *ctx, void *arg)
{
    const s_burst_t *burst = (const s_burst_t *) arg;
    for (int i = 0; i < burst->count; i++) {
        add_t in = {.a = i, .b = 1};
        note_t note = {.a = i};
        assert_int_equal (synod_ask (ctx, burst->to, &add_record, &in, 0, s_on_reply, 0), SYNOD_OK);
        assert_int_equal (synod_ask (ctx, burst->to, &safe_record, &in, 0, s_on_reply, 0), SYNOD_OK);
        assert_int_equal (synod_tell (ctx, burst->to, &note_record, &note), SYNOD_OK);
        assert_int_equal (synod_publish (ctx, "news", &note_record, &note), SYNOD_OK);
    }
    return SYNOD_OK;
}

static void s_rounds (mh_t *world, mh_node_t *a, int rounds)
{
    static const char *const to[] = {"b/server", "server", "a/probe"};
    for (int round = 0; round < rounds; round++) {
        s_burst_t burst = {.count = 20, .to = to[round % 3]};
        uint32_t replies = seen_.replies;
        assert_int_equal (mh_step (a, &probe, s_burst, &burst), SYNOD_OK);
        mh_run (world, 2);
        assert_int_equal (seen_.replies, replies + 40);
    }
}

static void test_hot_path (void **state)
{
    mh_t *world = mh_new (1, *(bool *) *state);
    seen_new ();
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_node_t *b = mh_up (world, "b", &server, "a");
    assert_true (mh_joined (world, 2000));
    assert_int_equal (subscribe (a, "news"), SYNOD_OK);
    mh_run (world, 500);
    s_taken = 0;
    s_rounds (world, a, 300); /* warm, heartbeats and marks included */
    assert_int_not_equal (s_taken, 0);
    uint32_t notes = seen_.notes;
    s_taken = 0;
    s_rounds (world, a, 600);
    print_message ("%llu allocations for %u messages\n", (unsigned long long) s_taken, 600 * 20 * 6);
    assert_int_equal (seen_.notes - notes, 600 * 20 * 2);
    assert_in_range (s_taken, 0, 60); /* a heartbeat may take some: there are twelve on each of two nodes */
    assert_int_equal (synod__rt_stats (mh_rt (b)).dropped, 0);
    mh_destroy (&world);
}

static bool yes = true, no = false;

int main (void)
{
    const struct CMUnitTest tests[] = {
        {"hot path with a broker", test_hot_path, NULL, NULL, &yes},
        {"hot path without", test_hot_path, NULL, NULL, &no},
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
