/* SPDX-License-Identifier: MPL-2.0
 *
 * What no honest peer sends, and storms of one's own: counted, answered where possible, and nothing else changed.
 */
#include "check.h"

static bool s_brokered;

typedef struct {
    mh_t *world;
    mh_node_t *a, *b;
} s_pair_t;

static s_pair_t s_pair (void **state)
{
    s_pair_t pair;
    s_brokered = *(bool *) *state;
    pair.world = mh_new (11, s_brokered);
    seen_new ();
    pair.a = mh_up (pair.world, "a", &probe, NULL);
    pair.b = mh_up (pair.world, "b", &server, "a");
    assert_true (mh_joined (pair.world, 2000));
    mh_run (pair.world, 500);
    return pair;
}

/* Nothing but counters has changed: both still talk, neither has asks or calls left, nothing ran. */
static void s_sound (s_pair_t *pair, uint32_t handled)
{
    assert_int_equal (seen_.handled, handled);
    uint32_t replies = seen_.replies;
    assert_int_equal (ask (pair->a, "b/server", "add", 20, 3, 0, 0), SYNOD_OK);
    mh_run (pair->world, 10);
    assert_int_equal (seen_.replies, replies + 1);
    assert_int_equal (seen_.code, SYNOD_OK);
    assert_int_equal (seen_.sum, 23);
    assert_int_equal (synod__rt_stats (mh_rt (pair->a)).asks, 0);
    assert_int_equal (synod__rt_stats (mh_rt (pair->b)).calls, 0);
}

static void s_frame (synod__batch_t *batch, const char *address, const char *node, const synod_envelope_t *env)
{
    synod__batch_clear (batch);
    assert_int_equal (synod__batch_begin (batch, synod_str (address), synod_str (node), 77, 0), SYNOD_OK);
    if (env)
        assert_int_equal (synod__batch_add (batch, env), SYNOD_OK);
}

static void test_garbage (void **state)
{
    s_pair_t pair = s_pair (state);
    synod__batch_t batch = {0};
    char body[64] = "\x81\xa1z"; /* {"z": [[[[ ... */
    memset (body + 3, '\x91', 40);
    body[43] = '\xc0';
    synod_envelope_t good = {.kind = SYNOD_KIND_ASK, .method = synod_str ("add"), .id = 1};
    synod_envelope_t deep = good, unknown = {.kind = SYNOD_KIND_REPLY, .id = 12345};
    deep.body = synod_str_n (body, 44);
    uint64_t malformed = synod__rt_stats (mh_rt (pair.b)).malformed;

    mh_frame (pair.b, "", "", 0);
    mh_frame (pair.b, "", "no nul", 6);
    mh_frame (pair.b, "x@0000000000000001", "b/server\0", 9);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).malformed, malformed += 3);
    s_frame (&batch, "b/server", "x", &good);
    mh_frame (pair.b, "y@000000000000004d", batch.buf.data, batch.buf.size); /* another identity than the header's */
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).malformed, ++malformed);
    batch.buf.data[10]++; /* the version */
    mh_frame (pair.b, "", batch.buf.data, batch.buf.size);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).malformed, ++malformed);
    s_frame (&batch, "c/server", "x", &good); /* to another node */
    mh_frame (pair.b, "", batch.buf.data, batch.buf.size);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).malformed, ++malformed);
    s_frame (&batch, "b/server", "x", &deep);
    mh_frame (pair.b, "", batch.buf.data, batch.buf.size);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).malformed, ++malformed);
    s_frame (&batch, "b/probe", "x", &unknown); /* a reply nobody waits for */
    uint64_t late = synod__rt_stats (mh_rt (pair.b)).late;
    mh_frame (pair.b, "", batch.buf.data, batch.buf.size);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).late, late + 1);
    static char large[SYNOD_FRAME_MAX + SYNOD_FRAME_SLACK + 4096];
    s_frame (&batch, "b/server", "x", NULL);
    memcpy (large, batch.buf.data, batch.buf.size);
    mh_frame (pair.b, "", large, sizeof large);
    assert_int_equal (synod__rt_stats (mh_rt (pair.b)).malformed, ++malformed);
    synod__batch_free (&batch);
    s_sound (&pair, 0);
    mh_destroy (&pair.world);
}

/* An answer from another node than the one that was asked is none. */
static void test_forged_reply (void **state)
{
    s_pair_t pair = s_pair (state);
    assert_int_equal (ask (pair.a, "b/server", "later", 100, 0, 1000, 1), SYNOD_OK);
    mh_run (pair.world, 10);
    synod__batch_t batch = {0};
    for (uint64_t order = 1; order < 4; order++) {
        synod_envelope_t env = {.kind = SYNOD_KIND_REPLY, .id = order << 16, .from = synod_str ("server")};
        s_frame (&batch, "a/probe", "mallory", &env);
        mh_frame (pair.a, "", batch.buf.data, batch.buf.size);
    }
    synod__batch_free (&batch);
    assert_int_equal (seen_.replies, 0);
    mh_run (pair.world, 200);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.sum, 7);
    mh_destroy (&pair.world);
}

/* Random bytes, and good frames with bytes changed, from all sides. */
static void test_fuzz (void **state)
{
    s_pair_t pair = s_pair (state);
    const char *given = getenv ("SEED");
    uint64_t seed = given ? strtoull (given, NULL, 10) : 20261121;
    mh_t *chance = mh_new (seed, false);
    print_message ("seed %llu (another with SEED=...)\n", (unsigned long long) seed);
    synod__batch_t batch = {0};
    static const char *const methods[] = {"add",     "hello",    "snapshot",   "delta",      "returned", "link_offer",
                                          "watch",   "link_ask", "link_ready", "actor_down", "welcome",  "tap",
                                          "unwatch", "note",     "heartbeat",  "again",      "probe",    "status"};
    static const char *const nodes[] = {"x", "b", "$broker", "y"};
    static char bytes[4096];
    for (int i = 0; i < 30000; i++) {
        uint64_t r = mh_random (chance);
        size_t size = r % 300;
        for (size_t at = 0; at < size; at += 8) {
            uint64_t more = mh_random (chance);
            memcpy (bytes + at, &more, 8);
        }
        if (r >> 10 & 7) {
            synod__hello_t hello = {.heartbeat_ms = 100};
            synod_envelope_t env = {.kind = (synod_kind_t) (1 + (r >> 20) % 6),
                                    .method = synod_str (methods[(r >> 24) % 18]),
                                    .id = r >> 60};
            s_frame (&batch, r >> 13 & 1 ? "a/$node" : "a/probe", nodes[r >> 14 & 3], NULL);
            if (synod__batch_add_record (&batch, &env, &synod__hello_record, &hello, NULL) != SYNOD_OK)
                continue;
            size = batch.buf.size;
            memcpy (bytes, batch.buf.data, size);
            /* a broker has checked the header of what it passes on */
            size_t from = s_brokered && r >> 41 & 1 ? batch.head_size : 0;
            for (uint64_t change = r >> 32 & 7; change; change--)
                bytes[from + mh_random (chance) % (size - from)] = (char) mh_random (chance);
        }
        if (r >> 40 & 1)
            mh_frame (pair.a, r >> 41 & 1 ? "" : "x@000000000000004d", bytes, size);
        else
            mh_topic (pair.a, bytes, size);
        if (i % 64 == 0)
            mh_run (pair.world, 1);
        if (mh_ended (pair.a))
            break; /* a refusal can be forged where the transport is not secured; a crash cannot */
    }
    synod__batch_free (&batch);
    mh_destroy (&chance);
    if (!mh_ended (pair.a)) {
        mh_run (pair.world, 3000);
        assert_true (mh_joined (pair.world, 2000));
        s_sound (&pair, seen_.handled);
    }
    mh_destroy (&pair.world);
}

/* ---- storms ---- */

static uint64_t s_rounds;

static int s_again (synod_ctx_t *ctx, void *state, uint64_t arg)
{
    (void) state;
    s_rounds++;
    return synod_after (ctx, 0, s_again, arg, NULL);
}

static int s_start_storm (synod_ctx_t *ctx, void *arg)
{
    (void) arg;
    return synod_after (ctx, 0, s_again, 0, NULL);
}

static int s_ask_again (synod_ctx_t *ctx, void *state, const synod_reply_t *reply, uint64_t arg)
{
    (void) state;
    (void) reply;
    add_t in = {.a = 1};
    s_rounds++;
    return synod_ask (ctx, "nobody.at.all", &add_record, &in, 0, s_ask_again, arg);
}

static int s_start_asks (synod_ctx_t *ctx, void *arg)
{
    (void) arg;
    return s_ask_again (ctx, NULL, NULL, 0);
}

/* An actor that never rests takes turns, and others' mail goes on. */
static void test_storms (void **state)
{
    s_pair_t pair = s_pair (state);
    s_rounds = 0;
    assert_int_equal (mh_step (pair.a, &probe, s_start_storm, NULL), SYNOD_OK); /* returns at all */
    assert_in_range (s_rounds, 1, 100000);
    mh_kill (pair.a);
    s_rounds = 0;
    pair.a = mh_up (pair.world, "a", &probe, "b");
    assert_true (mh_joined (pair.world, 2000));
    assert_int_equal (mh_step (pair.a, &probe, s_start_asks, NULL), SYNOD_OK);
    assert_in_range (s_rounds, 1, 100000);
    mh_destroy (&pair.world);
}

static bool yes = true, no = false;

#define BOTH(test)                                    \
    {#test " with a broker", test, NULL, NULL, &yes}, \
    {                                                 \
#test " without", test, NULL, NULL, &no       \
    }

int main (void)
{
    const struct CMUnitTest tests[] = {BOTH (test_garbage), BOTH (test_forged_reply), BOTH (test_fuzz),
                                       BOTH (test_storms)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
