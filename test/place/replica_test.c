/* SPDX-License-Identifier: MPL-2.0
 *
 * The rules of replication one by one, on nodes whose messages arrive in order, at once, unless a test keeps them back.
 */
#include <stdlib.h>
#include "place_test.h"
#include "replica_net.h"

/* ---- the owner ---- */

static void test_alone (void **state)
{
    (void) state;
    net_t *net = net_new (8, true);
    net_decide (net, "0", 0);
    net_enter (net, "0");
    assert_true (net->owns[0] && net_mark (net, 0) == 1 && net->node[0].disk.seal == 1);
    net_put (net, 0, 1, 7);
    net_perform (net, 0, synod__replica_turn (&net->node[0].replica, 3, 0));
    assert_true (net->released[0] == 3 && net->count == 0 && net->node[0].disk.copy[1] == 7);
    net_restart (net, 0);
    assert_true (net->owns[0] && net->count == 0 && net_n (net, 0) == 1);
    net_free (net);
}

static void test_majority (void **state)
{
    (void) state;
    net_t *net = net_new (8, true);
    net_decide (net, "012", 0);
    net_enter (net, "0");
    assert_true (!net->owns[0] && net_mark (net, 0) == 1);
    assert_int_equal (synod__replica_append (&net->node[0].replica, synod_str (""))->code, SYNOD_REFUSED);
    assert_int_equal (synod__replica_turn (&net->node[0].replica, 1, 0)->code, SYNOD_REFUSED);
    net_enter (net, "1");
    net_tick (net, 0);
    assert_true (net->owns[0] && net_mark (net, 1) == 1 && !synod__replica_settled (&net->node[0].replica));
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    assert_true (net->released[0] == 1 && net_alike (net, 0, 1));
    net->silent[1] = true;
    net_put (net, 0, 1, 8);
    net_turn (net, 0, 2);
    net_turn (net, 0, 3); /* it only reads, but what is not on a majority */
    net_tick (net, 0);
    assert_int_equal (net->released[0], 1);
    net->silent[1] = false;
    net_tick (net, 0);
    assert_true (net->released[0] == 3 && net_alike (net, 0, 1));
    net->silent[1] = true;
    net_turn (net, 0, 4); /* and a read alone is confirmed too */
    assert_int_equal (net->released[0], 3);
    net->silent[1] = false;
    net_enter (net, "2");
    net_tick (net, 0);
    assert_true (net->released[0] == 4 && net_alike (net, 0, 2) && synod__replica_settled (&net->node[0].replica));
    net_free (net);
}

/* More turns wait than are kept: the last ones wait as one. */
static void test_many_turns (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    net->silent[1] = net->silent[2] = true;
    for (uint64_t turn = 1; turn <= SYNOD__REPLICA_TURNS_MAX + 5; turn++)
        net_turn (net, 0, turn);
    assert_true (net->owns[0] && net->released[0] == 0);
    net->silent[1] = false;
    net_tick (net, 0);
    assert_int_equal (net->released[0], SYNOD__REPLICA_TURNS_MAX + 5);
    net_free (net);
}

static void test_restart (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    assert_int_equal (net->released[0], 1);
    net->silent[1] = net->silent[2] = true;
    net_restart (net, 0);
    net_run (net);
    assert_false (net->owns[0]); /* who is marked was known in another life */
    synod__replica_message_t old = {.kind = SYNOD__REPLICA_ACK,
                                    .from = net->node[1].disk.id,
                                    .epoch = synod__term (1),
                                    .round = 9,
                                    .mark = synod__term (1),
                                    .n = 1};
    net_perform (net, 0, synod__replica_take (&net->node[0].replica, &old));
    assert_false (net->owns[0]);
    old.epoch++;
    old.from.bytes[15]++; /* the same node with another store */
    net_perform (net, 0, synod__replica_take (&net->node[0].replica, &old));
    assert_false (net->owns[0]);
    net->silent[1] = false;
    net_tick (net, 0);
    assert_true (net->owns[0]);
    net_turn (net, 0, 2);
    assert_int_equal (net->released[0], 2);
    net_free (net);
}

static void test_sizes (void **state)
{
    (void) state;
    net_t *net = net_serving (1000, true, "012");
    synod__replica_t *owner = &net->node[0].replica;
    char *large = (char *) calloc (1, SYNOD__REPLICA_BATCH_MAX + 1);
    assert_non_null (large);
    uint64_t n = owner->head.n;
    assert_int_equal (synod__replica_append (owner, synod_str_n (large, SYNOD__REPLICA_BATCH_MAX + 1))->code,
                      SYNOD_TOO_LARGE);
    assert_int_equal (owner->head.n, n);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal (synod__replica_append (owner, synod_str_n (large, SYNOD__REPLICA_BATCH_MAX / 2))->code,
                          SYNOD_OK);
    const synod__replica_step_t *step = synod__replica_turn (owner, 1, 0);
    assert_int_equal (step->nmails, 6); /* 2, 2 and 1 for each */
    for (uint32_t i = 0; i < step->nmails; i++)
        assert_int_equal (step->mails[i].message.nbatches, i % 3 == 2 ? 1 : 2);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal (synod__replica_append (owner, synod_str_n (large, 1))->code, SYNOD_OK);
    step = synod__replica_turn (owner, 2, 0);
    assert_int_equal (step->nmails, 8);
    assert_int_equal (step->mails[0].message.nbatches, SYNOD__REPLICA_BATCHES_MAX);
    free (large);
    net_free (net);
}

/* ---- copies ---- */

/* One that was away is sent batches while the tail has them, else a snapshot. */
static void test_catching_up (void **state)
{
    (void) state;
    for (uint32_t missed = 1; missed < 12; missed++) {
        net_t *net = net_serving (6, true, "012");
        net_put (net, 0, 0, 1);
        net_turn (net, 0, 1);
        net->silent[2] = true;
        for (uint32_t i = 0; i < missed; i++) {
            net_put (net, 0, (uint8_t) (i % NODE_KEYS), 100 + i);
            net_turn (net, 0, 2 + i);
        }
        assert_int_equal (net->released[0], 1 + missed);
        net->silent[2] = false;
        assert_false (net_alike (net, 0, 2));
        net_tick (net, 0);
        net_tick (net, 0);
        assert_true (net_alike (net, 0, 2));
        assert_int_equal (net->node[2].swaps, missed > 6 ? 1 : 0);
        net_free (net);
    }
}

/* The mark comes with the last piece: after each commit a copy without it is what it was. */
static void test_snapshot_whole (void **state)
{
    (void) state;
    net_t *net = net_serving (1, false, "01");
    for (uint8_t i = 0; i < NODE_KEYS; i++) {
        net_put (net, 0, i, 50u + i);
        net_turn (net, 0, 1u + i);
    }
    net_decide (net, "012", 0);
    net->silent[2] = true;
    net_enter (net, "012");
    net->silent[2] = false;
    net_perform (net, 0, node_tick (&net->node[0]));
    uint32_t chunks = 0;
    while (net->first < net->count) {
        node_mail_t *mail = net->mails[net->first++];
        uint32_t to = mail->to.bytes[7];
        chunks += mail->message.kind == SYNOD__REPLICA_CHUNK;
        if (mail->message.kind == SYNOD__REPLICA_CHUNK && chunks == 2) {
            /* between the chunks a batch is ordered on a key that was sent, and one that was not */
            net_put (net, 0, 0, 900);
            net_put (net, 0, NODE_KEYS - 1, 901);
            net_perform (net, 0, synod__replica_turn (&net->node[0].replica, 100, 0));
        }
        net_perform (net, to, synod__replica_take (&net->node[to].replica, &mail->message));
        free (mail);
        uint32_t keys = 0;
        for (uint32_t i = 0; i < NODE_KEYS; i++)
            keys += net->node[2].disk.copy[i] != 0;
        assert_true (net_mark (net, 2) == 2 ? keys == NODE_KEYS : keys == 0);
    }
    net_run (net);
    net_tick (net, 0);
    assert_true (chunks >= NODE_KEYS / 2 && net->node[2].swaps == 1 && net_alike (net, 0, 2));
    assert_true (net->node[2].disk.copy[0] == 900 && net->node[2].disk.copy[NODE_KEYS - 1] == 901);
    net_free (net);
}

static void test_unmarked (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    net_decide (net, "012", 0);
    net_perform (net, 2, synod__replica_enter (&net->node[2].replica, &net->views[1], net->views, 1));
    synod__replica_batch_t batch = {synod__term (2), 2, synod_str ("")};
    synod__replica_message_t in = {.kind = SYNOD__REPLICA_BATCHES,
                                   .from = net->node[0].disk.id,
                                   .epoch = synod__term (2),
                                   .mark = synod__term (2),
                                   .last = synod__term (2),
                                   .n = 2,
                                   .base = 0,
                                   .after_epoch = synod__term (2),
                                   .after_n = 1,
                                   .batches = &batch,
                                   .nbatches = 1};
    const synod__replica_step_t *step = synod__replica_take (&net->node[2].replica, &in);
    /* a gap: it asks */
    assert_true (step->nwrites == 0 && !step->head && step->nmails == 1);
    assert_int_equal (step->mails[0].message.kind, SYNOD__REPLICA_PULL);
    batch.n = 1;
    in.after_epoch = in.after_n = 0;
    in.mark = synod__term (1); /* not from a marked copy: that is no owner's */
    assert_int_equal (synod__replica_take (&net->node[2].replica, &in)->nwrites, 0);
    in.mark = synod__term (2);
    step = synod__replica_take (&net->node[2].replica, &in);
    /* mark, seal and the last piece are one commit, and it is told after it */
    assert_true (step->nwrites == 1 && step->head && step->head->mark == synod__term (2) && step->seal == 2 &&
                 step->nmails == 1);
    assert_int_equal (step->mails[0].message.kind, SYNOD__REPLICA_ACK);
    net_free (net);
}

/* ---- epochs ---- */

static void test_seal (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    synod__replica_message_t seal = {
        .kind = SYNOD__REPLICA_SEAL, .from = net->node[3].disk.id, .epoch = synod__term (5)};
    const synod__replica_step_t *step = synod__replica_take (&net->node[1].replica, &seal);
    assert_true (step->seal == 5 && step->nmails == 1 && step->newer == 5);
    assert_int_equal (step->mails[0].message.kind, SYNOD__REPLICA_SEALED);
    assert_int_equal (step->mails[0].message.mark, synod__term (1));
    net_perform (net, 1, step);
    net_run (net);
    seal.epoch = synod__term (4);
    step = synod__replica_take (&net->node[1].replica, &seal);
    assert_true (step->seal == 0 && step->nmails == 1 && step->mails[0].message.kind == SYNOD__REPLICA_REFUSED);
    assert_int_equal (step->mails[0].message.epoch, synod__term (5));
    /* it takes and confirms nothing of epoch 1, also after a restart */
    net_restart (net, 1);
    assert_int_equal (net->node[1].disk.seal, 5);
    net->silent[2] = true;
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    net_tick (net, 0);
    assert_true (net->released[0] == 0 && net_n (net, 1) == 0);
    /* an owner's own node */
    seal.epoch = synod__term (6);
    net_perform (net, 0, synod__replica_take (&net->node[0].replica, &seal));
    assert_false (net->owns[0]);
    assert_int_equal (synod__replica_append (&net->node[0].replica, synod_str (""))->code, SYNOD_REFUSED);
    net->silent[2] = false;
    net_run (net);
    net_tick (net, 0);
    assert_int_equal (net->released[0], 0);
    /* and on behalf of another partition */
    net_restart (net, 2);
    assert_true (synod__replica_sealed (&net->node[2].replica, 9)->seal == 0 &&
                 net->node[2].replica.seal == synod__term (9));
    net_free (net);
}

/* Epoch 2 never came to serve: what epoch 1 acknowledged is found behind it. */
static void test_walk_back (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    net->silent[2] = true;
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    assert_int_equal (net->released[0], 1);
    net->silent[2] = false;
    net->silent[0] = true;
    net_decide (net, "234", 0); /* its owner has not what 0 and 1 have, and dies */
    net_decide (net, "432", 0);
    net->silent[1] = net->silent[2] = true;
    net_enter (net, "4");
    net_enter (net, "3");
    net->silent[2] = false;
    net_tick (net, 4);
    assert_true (net_mark (net, 4) == 0 && !net->owns[4]); /* 3 and 4 of epoch 2 are sealed, of epoch 1 only 2 */
    net->silent[1] = false;
    net_tick (net, 4);
    assert_true (net->owns[4] && net_mark (net, 4) == 3 && net->node[4].disk.copy[1] == 7 && net_alike (net, 4, 3));
    net_free (net);
}

/* A copy goes by its mark, not by its length; and a former owner's suffix is cut off. */
static void s_suffix (bool undo)
{
    net_t *net = net_serving (8, undo, "012");
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    net->silent[0] = true;
    for (uint32_t i = 0; i < 3; i++)
        net_put (net, 0, 1, 100 + i);
    net_turn (net, 0, 2);
    net_decide (net, "120", 0);
    net_enter (net, "12");
    assert_true (net->owns[1] && net->node[1].disk.copy[1] == 7);
    net_put (net, 1, 2, 8);
    net_turn (net, 1, 1);
    assert_int_equal (net->released[1], 1);
    net->silent[0] = false;
    net->silent[2] = true;
    net_decide (net, "012", 0);
    net_enter (net, "01"); /* 0 has four batches and the mark 1, 1 has two and the mark 2 */
    assert_true (net->owns[0] && net_alike (net, 0, 1) && net_n (net, 0) == 2);
    assert_true (net->node[0].disk.copy[1] == 7 && net->node[0].disk.copy[2] == 8);
    assert_int_equal (net->node[0].cuts, undo ? 3 : 0);
    assert_int_equal (net->node[0].swaps, undo ? 0 : 1);
    net_free (net);
}

static void test_suffix (void **state)
{
    (void) state;
    s_suffix (true);
    s_suffix (false);
}

static void test_delete (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    net->silent[3] = true;
    net_decide (net, "013", 0);
    net_enter (net, "0123");
    assert_true (net->owns[0] && net_mark (net, 0) == 2 && net_mark (net, 1) == 2);
    net_tick (net, 2);
    assert_true (net_n (net, 2) == 1); /* 3 is not marked yet */
    net->silent[3] = false;
    net_tick (net, 0);
    assert_int_equal (net_mark (net, 3), 2);
    net_tick (net, 2);
    assert_true (net_n (net, 2) == 0 && net_mark (net, 2) == 0 && !net->node[2].disk.copy[1]);
    assert_int_equal (net->node[2].disk.seal, 2); /* outlives it */
    net_free (net);
}

static void test_learner (void **state)
{
    (void) state;
    net_t *net = net_new (8, true);
    net_decide (net, "0123", 1);
    net->silent[1] = net->silent[2] = true;
    net_enter (net, "03");
    net_tick (net, 0);
    assert_true (net_mark (net, 3) == 1 && !net->owns[0]); /* it has everything, and counts for nothing */
    net->silent[1] = false;
    net_enter (net, "1");
    net_tick (net, 0);
    assert_true (net->owns[0]);
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    assert_true (net->released[0] == 1 && net_alike (net, 0, 3));
    net->silent[1] = true;
    net_put (net, 0, 1, 8);
    net_turn (net, 0, 2);
    assert_true (net->released[0] == 1 && net_alike (net, 0, 3));
    /* another one, within the epoch */
    synod__store_id_t stores[] = {net->node[0].disk.id, net->node[1].disk.id, net->node[2].disk.id,
                                  net->node[4].disk.id};
    synod__replica_view_t view = {1, 3, 1, 0, stores};
    net_perform (net, 0, synod__replica_enter (&net->node[0].replica, &view, NULL, 0));
    net_perform (net, 4, synod__replica_enter (&net->node[4].replica, &view, NULL, 0));
    net_run (net);
    assert_true (net->owns[0]);
    net_tick (net, 0);
    assert_true (net_alike (net, 0, 4));
    net_free (net);
}

static void test_wiped (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    net_store (net, 1, 2);
    net_restart (net, 1);
    net->silent[0] = true;
    net_decide (net, "201", 0); /* the new store of 1 among them */
    net_enter (net, "2");
    net_tick (net, 2);
    assert_true (!net->owns[2] && net_mark (net, 2) == 1); /* 2 and the former store of 1 are no majority */
    net_free (net);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_alone),     cmocka_unit_test (test_majority),       cmocka_unit_test (test_many_turns),
        cmocka_unit_test (test_restart),   cmocka_unit_test (test_sizes),          cmocka_unit_test (test_catching_up),
        cmocka_unit_test (test_unmarked),  cmocka_unit_test (test_snapshot_whole), cmocka_unit_test (test_seal),
        cmocka_unit_test (test_walk_back), cmocka_unit_test (test_suffix),         cmocka_unit_test (test_delete),
        cmocka_unit_test (test_learner),   cmocka_unit_test (test_wiped),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
