/* SPDX-License-Identifier: MPL-2.0
 *
 * Mail between two nodes: one frame a turn and address, order, queues and their limits, numbers and marks, and the
 * change of path with a broker.
 */
#include "check.h"
#include "actors/runtime/internal.h"

typedef struct {
    mh_t *world;
    mh_node_t *a, *b;
} s_pair_t;

static s_pair_t s_pair_with (bool brokered, size_t queue_bytes, bool links)
{
    s_pair_t pair;
    pair.world = mh_new (7, brokered);
    mh_settings (pair.world)->loud = getenv ("LOUD") != NULL;
    mh_settings (pair.world)->queue_bytes = queue_bytes;
    mh_settings (pair.world)->links = links;
    seen_new ();
    pair.a = mh_up (pair.world, "a", &probe, NULL);
    pair.b = mh_up (pair.world, "b", &server, "a");
    assert_true (mh_joined (pair.world, 2000));
    mh_run (pair.world, 1000); /* the marks of joining are over */
    return pair;
}

static s_pair_t s_pair (void **state)
{
    return s_pair_with (*(bool *) *state, 0, false);
}

static void s_in_order (int64_t count)
{
    assert_int_equal (seen_.notes, count);
    for (int64_t i = 0; i < count; i++)
        assert_int_equal (seen_.order[i], i);
}

static uint64_t s_dropped (mh_node_t *node)
{
    return synod__rt_stats (mh_rt (node)).dropped;
}

/* ---- batches ---- */

static int s_step_many (synod_ctx_t *ctx, void *arg)
{
    note_t note = {0};
    int64_t count = *(int64_t *) arg;
    for (note.a = 0; note.a < count; note.a++) {
        assert_int_equal (synod_tell (ctx, "b/server", &note_record, &note), SYNOD_OK);
        if (note.a % 10 == 0)
            assert_int_equal (synod_tell (ctx, "b/other", &note_record, &note), SYNOD_OK);
    }
    return SYNOD_OK;
}

static void test_one_frame (void **state)
{
    s_pair_t pair = s_pair (state);
    int64_t count = 100;
    mh_count_clear (pair.world);
    assert_int_equal (mh_step (pair.a, &probe, s_step_many, &count), SYNOD_OK);
    assert_int_equal (mh_count (pair.world, "b/server"), 1);
    assert_int_equal (mh_count (pair.world, "b/other"), 1);
    mh_run (pair.world, 10);
    s_in_order (count);
    count = 20000; /* several frames, each below its limit */
    seen_new ();
    mh_count_clear (pair.world);
    assert_int_equal (mh_step (pair.a, &probe, s_step_many, &count), SYNOD_OK);
    assert_in_range (mh_count (pair.world, "b/server"), 2, 40);
    mh_run (pair.world, 10);
    s_in_order (count);
    mh_destroy (&pair.world);
}

static void test_order_blocked (void **state)
{
    s_pair_t pair = s_pair (state);
    const char *way = *(bool *) *state ? MH_BROKER : "b";
    int64_t next = 0;
    for (int round = 0; round < 50; round++) {
        mh_block (pair.world, "a", way, round % 2 == 0);
        for (int i = 0; i < 10; i++)
            assert_int_equal (tell (pair.a, "b/server", next++), SYNOD_OK);
        mh_run (pair.world, (uint32_t) (mh_random (pair.world) % 3));
    }
    mh_block (pair.world, "a", way, false);
    mh_run (pair.world, 10);
    s_in_order (next);
    assert_int_equal (s_dropped (pair.b), 0);
    assert_int_equal (synod__rt_stats (mh_rt (pair.a)).queued, 0);
    mh_destroy (&pair.world);
}

static int s_step_fill (synod_ctx_t *ctx, void *arg)
{
    (void) arg;
    static char body[1024 + 8] = "\x81\xa1x\xc5\x04\x00"; /* {"x": 1024 bytes} */
    return synod_tell_body (ctx, "b/server", synod_str ("nobody"), synod_str_n (body, 6 + 1024));
}

static void test_queue_full (void **state)
{
    bool brokered = *(bool *) *state;
    s_pair_t pair = s_pair_with (brokered, 16 * 1024, false);
    mh_block (pair.world, "a", brokered ? MH_BROKER : "b", true);
    for (int i = 0; i < 40; i++)
        assert_int_equal (mh_step (pair.a, &probe, s_step_fill, NULL), SYNOD_OK);
    assert_in_range (s_dropped (pair.a), 20, 30);
    assert_in_range (synod__rt_stats (mh_rt (pair.a)).queued, 16 * 1024, 18 * 1024);
    assert_int_equal (ask (pair.a, "b/server", "add", 1, 1, 0, 1), SYNOD_OK);
    mh_run (pair.world, 1);
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.code, SYNOD_BUSY);
    /* what stays blocked is given up after three heartbeats, and nothing is queued then */
    mh_run (pair.world, 600);
    assert_int_equal (s_dropped (pair.a) >= 40, true);
    mh_destroy (&pair.world);
}

/* ---- numbers and marks ---- */

typedef struct {
    uint32_t skip, lose; /* frames for b/server */
    bool all;            /* not those alone */
} s_loss_t;

static mh_verdict_t s_lose (void *arg, const mh_passing_t *passing)
{
    s_loss_t *loss = (s_loss_t *) arg;
    if (strcmp (passing->from, "a") != 0 ||
        (!loss->all && (passing->size < 9 || memcmp (passing->data, "b/server", 9) != 0)))
        return MH_PASS;
    if (loss->skip) {
        loss->skip--;
        return MH_PASS;
    }
    if (!loss->lose)
        return MH_PASS;
    loss->lose--;
    return MH_DROP;
}

static void s_tells (s_pair_t *pair, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal (tell (pair->a, "b/server", i), SYNOD_OK);
        mh_run (pair->world, 1);
    }
}

static void test_gap_in_the_middle (void **state)
{
    s_pair_t pair = s_pair (state);
    s_loss_t loss = {.skip = 3, .lose = 4};
    mh_filter (pair.world, s_lose, &loss);
    s_tells (&pair, 10);
    assert_int_equal (seen_.notes, 6);
    assert_int_equal (s_dropped (pair.b), 4);
    mh_run (pair.world, 2000);
    assert_int_equal (s_dropped (pair.b), 4);
    mh_destroy (&pair.world);
}

static void test_lost_tail (void **state)
{
    s_pair_t pair = s_pair (state);
    s_loss_t loss = {.skip = 3, .lose = 2};
    mh_filter (pair.world, s_lose, &loss);
    s_tells (&pair, 5);
    assert_int_equal (s_dropped (pair.b), 0);
    mh_run (pair.world, 250);
    assert_int_equal (s_dropped (pair.b), 2);
    mh_run (pair.world, 2000);
    assert_int_equal (s_dropped (pair.b), 2);
    mh_destroy (&pair.world);
}

/* With a broker nothing is sent from node to node before the first mail, so its head can be lost. */
static void test_lost_head (void **state)
{
    (void) state;
    for (uint32_t after = 0; after < 2; after++) { /* all there was, or frames came behind it */
        s_pair_t pair = s_pair_with (true, 0, false);
        s_loss_t loss = {.lose = 3};
        mh_filter (pair.world, s_lose, &loss);
        s_tells (&pair, 3 + 2 * (int) after);
        mh_run (pair.world, 1000);
        assert_int_equal (seen_.notes, 2 * after);
        assert_int_equal (s_dropped (pair.b), 3);
        mh_destroy (&pair.world);
    }
}

/* What comes from a former life of its sender is dropped; from a later one, counting begins anew. */
static void test_former_life (void **state)
{
    (void) state;
    s_pair_t pair = s_pair_with (true, 0, false);
    assert_int_equal (tell (pair.a, "b/server", 1), SYNOD_OK);
    mh_run (pair.world, 1);
    synod__batch_t batch = {0};
    note_t note = {.a = 9};
    synod_envelope_t env = {.kind = SYNOD_KIND_TELL, .method = synod_str ("note"), .from = synod_str ("probe")};
    for (uint64_t life = 1; life <= 5000; life += 4999) { /* a's is between */
        assert_int_equal (synod__batch_begin (&batch, synod_str ("b/server"), synod_str ("a"), life, 0), SYNOD_OK);
        assert_int_equal (synod__batch_add_record (&batch, &env, &note_record, &note, NULL), SYNOD_OK);
        synod__batch_number (&batch, 100);
        mh_frame (pair.b, "", batch.buf.data, batch.buf.size);
        synod__batch_clear (&batch);
        assert_int_equal (seen_.notes, life == 1 ? 1 : 2);
    }
    synod__batch_free (&batch);
    assert_int_equal (s_dropped (pair.b), 1);
    mh_destroy (&pair.world);
}

/* A client that b has forgotten after a minute without mail still takes b's answers. */
static void test_forgotten (void **state)
{
    s_pair_t pair = s_pair_with (true, 0, false);
    (void) state;
    mh_node_t *client = mh_node (pair.world, "c", true, NULL);
    mh_add (client, &probe, NULL);
    assert_int_equal (mh_start (client, NULL), SYNOD_OK);
    mh_run (pair.world, 500);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (ask (client, "b/server", "add", 1, 2, 0, 1), SYNOD_OK);
        mh_run (pair.world, 100);
    }
    assert_int_equal (seen_.replies, 3);
    mh_run (pair.world, 130000);
    assert_int_equal (ask (client, "b/server", "add", 1, 2, 0, 1), SYNOD_OK);
    mh_run (pair.world, 100);
    assert_int_equal (seen_.replies, 4);
    mh_run (pair.world, 1000);
    assert_int_equal (s_dropped (client), 0);
    mh_destroy (&pair.world);
}

/* ---- the change of path ---- */

static void test_link (void **state)
{
    (void) state;
    s_pair_t pair = s_pair_with (true, 0, true);
    assert_false (synod__rt_direct (mh_rt (pair.a), "b"));
    assert_int_equal (synod__rt_link (mh_rt (pair.a), "b"), SYNOD_OK);
    assert_int_equal (tell (pair.a, "b/server", 0), SYNOD_OK);
    mh_run (pair.world, 10);
    assert_true (synod__rt_direct (mh_rt (pair.a), "b"));
    assert_int_equal (tell (pair.a, "b/server", 1), SYNOD_OK);
    mh_run (pair.world, 1);
    s_in_order (2);
    /* it breaks: asks that went by it end, and mail goes by the broker */
    assert_int_equal (ask (pair.a, "b/server", "never", 1, 0, 20000, 1), SYNOD_OK);
    mh_run (pair.world, 1);
    mh_cut (pair.world, "a", "b");
    mh_run (pair.world, 110); /* a heartbeat: an answer could still be on its way */
    assert_int_equal (seen_.replies, 1);
    assert_int_equal (seen_.code, SYNOD_NODE_DOWN);
    assert_false (synod__rt_direct (mh_rt (pair.a), "b"));
    assert_int_equal (tell (pair.a, "b/server", 2), SYNOD_OK);
    mh_run (pair.world, 1);
    s_in_order (3);
    assert_true (synod__rt_reachable (mh_rt (pair.a), "b/server"));
    mh_destroy (&pair.world);
}

/* Of which a asks for a link after 20 messages. */
static s_pair_t s_pair_links (void)
{
    s_pair_t pair;
    pair.world = mh_new (7, true);
    mh_settings (pair.world)->links = true;
    mh_settings (pair.world)->link_after = 20;
    pair.a = mh_up (pair.world, "a", &probe, NULL);
    pair.b = mh_up (pair.world, "b", &server, NULL);
    assert_true (mh_joined (pair.world, 2000));
    seen_new ();
    return pair;
}

static int s_step_beats (synod_ctx_t *ctx, void *arg)
{
    const synod__heartbeat_t beat = {.queued = 0};
    for (int i = 0; i < 20000; i++)
        synod__control_tell (ctx->rt, (synod__stream_t *) arg, &synod__heartbeat_record, &beat);
    return SYNOD_OK;
}

/* The frame that makes a link worth it is full, and goes where the ask for one does: no number is left out. */
static void test_link_by_full_frame (void **state)
{
    (void) state;
    s_pair_t pair = s_pair_links ();
    synod__stream_t *stream = synod__stream_find (mh_rt (pair.a), synod_str ("b"));
    assert_non_null (stream);
    assert_int_equal (mh_step (pair.a, &probe, s_step_beats, stream), SYNOD_OK);
    mh_run (pair.world, 500);
    assert_true (synod__rt_direct (mh_rt (pair.a), "b"));
    assert_int_equal (s_dropped (pair.b), 0);
    mh_destroy (&pair.world);
}

static void test_link_by_traffic (void **state)
{
    (void) state;
    s_pair_t pair = s_pair_links ();
    for (int i = 0; i < 60; i++) {
        assert_int_equal (tell (pair.a, "b/server", i), SYNOD_OK);
        mh_run (pair.world, 1);
    }
    assert_true (synod__rt_direct (mh_rt (pair.a), "b"));
    assert_false (synod__rt_direct (mh_rt (pair.b), "a")); /* in its direction alone */
    s_in_order (60);
    mh_run (pair.world, 10000); /* idle: given back */
    assert_false (synod__rt_direct (mh_rt (pair.a), "b"));
    mh_destroy (&pair.world);
}

static uint32_t s_lost;

/* Loses answers to marks at random. */
static mh_verdict_t s_lose_ready (void *arg, const mh_passing_t *passing)
{
    mh_t *world = (mh_t *) arg;
    if (passing->size < 40 || !memmem (passing->data, passing->size, "link_ready", 10) || mh_random (world) % 12)
        return MH_PASS;
    s_lost++;
    return MH_DROP;
}

/* Hundreds of changes to and fro, with queues that block and answers that are lost: order, and nothing missing. */
static void test_link_order (void **state)
{
    (void) state;
    s_pair_t pair = s_pair_with (true, 0, true);
    s_lost = 0;
    mh_filter (pair.world, s_lose_ready, pair.world);
    int64_t next = 0;
    uint32_t changes = 0;
    bool was = false;
    for (int round = 0; round < 4000; round++) {
        uint64_t chance = mh_random (pair.world);
        mh_settings (pair.world)->latency_us = 100 + (uint32_t) (chance >> 48) % 3000; /* paths differ in length */
        if (chance % 3 == 0) {
            synod__rt_link (mh_rt (pair.a), "b");
            synod__rt_unlink (mh_rt (pair.a), "b");
        }
        if (chance % 7 == 0)
            mh_block (pair.world, "a", chance & 256 ? MH_BROKER : "b", chance & 512);
        for (uint64_t i = 0; i < chance % 5; i++)
            assert_int_equal (tell (pair.a, "b/server", next++), SYNOD_OK);
        mh_run (pair.world, (uint32_t) (chance >> 30 & 3));
        mh_block (pair.world, "a", MH_BROKER, false);
        mh_block (pair.world, "a", "b", false);
        mh_run (pair.world, chance >> 20 & 15 ? 1 : 1200); /* a change whose answer is lost is given up meanwhile */
        bool direct = synod__rt_direct (mh_rt (pair.a), "b");
        changes += direct != was;
        was = direct;
    }
    mh_run (pair.world, 3000);
    assert_in_range (changes, 200, 100000);
    assert_int_equal (s_dropped (pair.a), s_lost); /* it misses those answers, and nothing else */
    assert_int_equal (s_dropped (pair.b), 0);
    s_in_order (next);
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
    const struct CMUnitTest tests[] = {
        BOTH (test_one_frame),
        BOTH (test_order_blocked),
        BOTH (test_queue_full),
        BOTH (test_gap_in_the_middle),
        BOTH (test_lost_tail),
        cmocka_unit_test (test_lost_head),
        cmocka_unit_test (test_former_life),
        cmocka_unit_test (test_forgotten),
        cmocka_unit_test (test_link),
        cmocka_unit_test (test_link_by_traffic),
        cmocka_unit_test (test_link_by_full_frame),
        cmocka_unit_test (test_link_order),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
