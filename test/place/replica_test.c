/* SPDX-License-Identifier: MPL-2.0
 *
 * The rules of replication one by one, on nodes whose messages arrive in order, at once, unless a test keeps them back.
 */
#include <stdlib.h>
#include "place_test.h"
#include "replica_node.h"

#define MAILS 256

/* Nodes 0 to 4; SILENT ones get and send nothing. */
typedef struct {
    node_t node[5];
    bool silent[5];
    node_mail_t *mails[MAILS];
    uint32_t first, count;
    uint64_t released[5];
    bool owns[5];
    synod__store_id_t stores[8][5];
    synod__replica_view_t views[8];
    uint32_t nviews;
} net_t;

static node_mail_t *s_on_mail (void *arg)
{
    (void) arg;
    return (node_mail_t *) malloc (sizeof (node_mail_t));
}

static void s_perform (net_t *net, uint32_t at, const synod__replica_step_t *step)
{
    node_t *node = &net->node[at];
    node_perform (node, step, s_on_mail, NULL);
    node_commit (node);
    for (uint32_t i = 0; i < node->noutbox; i++) {
        node_effect_t *effect = &node->outbox[i];
        if (effect->kind == NODE_RELEASED)
            net->released[at] = effect->number;
        else if (effect->kind != NODE_MAIL)
            net->owns[at] = effect->kind == NODE_OWN;
        else {
            assert_true (net->count < MAILS);
            net->mails[net->count++] = effect->mail;
        }
    }
    node->noutbox = 0;
}

/* Delivers until nothing is left; returns how many arrived. */
static uint32_t s_run (net_t *net)
{
    uint32_t arrived = 0;
    while (net->first < net->count) {
        node_mail_t *mail = net->mails[net->first++];
        uint32_t from = mail->message.from.bytes[7], to = mail->to.bytes[7];
        if (!net->silent[from] && !net->silent[to]) {
            s_perform (net, to, synod__replica_take (&net->node[to].replica, &mail->message));
            arrived++;
        }
        free (mail);
    }
    net->first = net->count = 0;
    return arrived;
}

static void s_tick (net_t *net, uint32_t at)
{
    s_perform (net, at, synod__replica_tick (&net->node[at].replica));
    s_run (net);
}

static void s_store (net_t *net, uint32_t at, uint8_t life)
{
    node_disk_t *disk = &net->node[at].disk;
    memset (disk, 0, sizeof *disk);
    disk->id.bytes[0] = 1;
    disk->id.bytes[7] = (uint8_t) at;
    disk->id.bytes[15] = life;
}

static net_t *s_net (uint32_t tail, bool undo)
{
    net_t *net = (net_t *) calloc (1, sizeof *net);
    assert_non_null (net);
    for (uint32_t i = 0; i < 5; i++) {
        s_store (net, i, 1);
        net->node[i].keeps_undo = undo;
        net->node[i].chunk = 2;
        node_start (&net->node[i], tail);
    }
    return net;
}

static void s_free (net_t *net)
{
    s_run (net);
    for (uint32_t i = 0; i < 5; i++)
        synod__replica_free (&net->node[i].replica);
    free (net);
}

/* Decides an epoch: MEMBERS are digits, the first one owns; the last LEARNERS of them are that. */
static void s_decide (net_t *net, const char *members, uint32_t learners)
{
    synod__replica_view_t *view = &net->views[net->nviews];
    uint32_t count = (uint32_t) strlen (members);
    for (uint32_t i = 0; i < count; i++)
        net->stores[net->nviews][i] = net->node[members[i] - '0'].disk.id;
    *view = (synod__replica_view_t){net->nviews + 1, count - learners, learners, 0, net->stores[net->nviews]};
    net->nviews++;
}

static void s_enter (net_t *net, const char *nodes)
{
    for (; *nodes; nodes++) {
        uint32_t at = (uint32_t) (*nodes - '0'), last = net->nviews - 1;
        s_perform (net, at, synod__replica_enter (&net->node[at].replica, &net->views[last], net->views, last));
    }
    s_run (net);
}

/* A batch with one entry, ordered by AT. */
static void s_put (net_t *net, uint32_t at, uint8_t key, uint32_t value)
{
    char bytes[NODE_BYTES];
    uint32_t size = node_batch (bytes, &key, &value, 1);
    const synod__replica_step_t *step = synod__replica_append (&net->node[at].replica, synod_str_n (bytes, size));
    assert_int_equal (step->code, SYNOD_OK);
    s_perform (net, at, step);
}

static void s_turn (net_t *net, uint32_t at, uint64_t turn)
{
    s_perform (net, at, synod__replica_turn (&net->node[at].replica, turn));
    s_run (net);
}

static void s_restart (net_t *net, uint32_t at)
{
    node_start (&net->node[at], 8);
    net->owns[at] = false;
    uint32_t last = net->nviews - 1;
    s_perform (net, at, synod__replica_enter (&net->node[at].replica, &net->views[last], net->views, last));
}

static uint64_t s_mark (const net_t *net, uint32_t at)
{
    synod__replica_head_t head;
    node_head (&net->node[at].disk, &head);
    return head.mark;
}

static uint64_t s_n (const net_t *net, uint32_t at)
{
    synod__replica_head_t head;
    node_head (&net->node[at].disk, &head);
    return head.n;
}

static bool s_alike (const net_t *net, uint32_t a, uint32_t b)
{
    return memcmp (net->node[a].disk.copy, net->node[b].disk.copy, sizeof net->node[a].disk.copy) == 0 &&
           s_n (net, a) == s_n (net, b) && s_mark (net, a) == s_mark (net, b);
}

/* ---- the owner ---- */

static void test_alone (void **state)
{
    (void) state;
    net_t *net = s_net (8, true);
    s_decide (net, "0", 0);
    s_enter (net, "0");
    assert_true (net->owns[0] && s_mark (net, 0) == 1 && net->node[0].disk.seal == 1);
    s_put (net, 0, 1, 7);
    s_perform (net, 0, synod__replica_turn (&net->node[0].replica, 3));
    assert_true (net->released[0] == 3 && net->count == 0 && net->node[0].disk.copy[1] == 7);
    s_restart (net, 0);
    assert_true (net->owns[0] && net->count == 0 && s_n (net, 0) == 1);
    s_free (net);
}

static void test_majority (void **state)
{
    (void) state;
    net_t *net = s_net (8, true);
    s_decide (net, "012", 0);
    s_enter (net, "0");
    assert_true (!net->owns[0] && s_mark (net, 0) == 1);
    assert_int_equal (synod__replica_append (&net->node[0].replica, synod_str (""))->code, SYNOD_REFUSED);
    assert_int_equal (synod__replica_turn (&net->node[0].replica, 1)->code, SYNOD_REFUSED);
    s_enter (net, "1");
    s_tick (net, 0);
    assert_true (net->owns[0] && s_mark (net, 1) == 1 && !synod__replica_settled (&net->node[0].replica));
    s_put (net, 0, 1, 7);
    s_turn (net, 0, 1);
    assert_true (net->released[0] == 1 && s_alike (net, 0, 1));
    net->silent[1] = true;
    s_put (net, 0, 1, 8);
    s_turn (net, 0, 2);
    s_turn (net, 0, 3); /* it only reads, but what is not on a majority */
    s_tick (net, 0);
    assert_int_equal (net->released[0], 1);
    net->silent[1] = false;
    s_tick (net, 0);
    assert_true (net->released[0] == 3 && s_alike (net, 0, 1));
    net->silent[1] = true;
    s_turn (net, 0, 4); /* and a read alone is confirmed too */
    assert_int_equal (net->released[0], 3);
    net->silent[1] = false;
    s_enter (net, "2");
    s_tick (net, 0);
    assert_true (net->released[0] == 4 && s_alike (net, 0, 2) && synod__replica_settled (&net->node[0].replica));
    s_free (net);
}

/* More turns wait than are kept: the last ones wait as one. */
static void test_many_turns (void **state)
{
    (void) state;
    net_t *net = s_net (8, true);
    s_decide (net, "012", 0);
    s_enter (net, "012");
    s_tick (net, 0);
    net->silent[1] = net->silent[2] = true;
    for (uint64_t turn = 1; turn <= SYNOD__REPLICA_TURNS_MAX + 5; turn++)
        s_turn (net, 0, turn);
    assert_true (net->owns[0] && net->released[0] == 0);
    net->silent[1] = false;
    s_tick (net, 0);
    assert_int_equal (net->released[0], SYNOD__REPLICA_TURNS_MAX + 5);
    s_free (net);
}

static void test_restart (void **state)
{
    (void) state;
    net_t *net = s_net (8, true);
    s_decide (net, "012", 0);
    s_enter (net, "012");
    s_tick (net, 0);
    s_put (net, 0, 1, 7);
    s_turn (net, 0, 1);
    assert_int_equal (net->released[0], 1);
    net->silent[1] = net->silent[2] = true;
    s_restart (net, 0);
    s_run (net);
    assert_false (net->owns[0]); /* who is marked was known in another life */
    synod__replica_message_t old = {.kind = SYNOD__REPLICA_ACK,
                                    .from = net->node[1].disk.id,
                                    .epoch = 1,
                                    .life = net->node[0].life - 1,
                                    .round = 9,
                                    .mark = 1,
                                    .n = 1};
    s_perform (net, 0, synod__replica_take (&net->node[0].replica, &old));
    assert_false (net->owns[0]);
    old.life++;
    old.from.bytes[15]++; /* the same node with another store */
    s_perform (net, 0, synod__replica_take (&net->node[0].replica, &old));
    assert_false (net->owns[0]);
    net->silent[1] = false;
    s_tick (net, 0);
    assert_true (net->owns[0]);
    s_turn (net, 0, 2);
    assert_int_equal (net->released[0], 2);
    s_free (net);
}

static void test_sizes (void **state)
{
    (void) state;
    net_t *net = s_net (1000, true);
    s_decide (net, "012", 0);
    s_enter (net, "012");
    s_tick (net, 0);
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
    const synod__replica_step_t *step = synod__replica_turn (owner, 1);
    assert_int_equal (step->nmails, 6); /* 2, 2 and 1 for each */
    for (uint32_t i = 0; i < step->nmails; i++)
        assert_int_equal (step->mails[i].message.nbatches, i % 3 == 2 ? 1 : 2);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal (synod__replica_append (owner, synod_str_n (large, 1))->code, SYNOD_OK);
    step = synod__replica_turn (owner, 2);
    assert_int_equal (step->nmails, 8);
    assert_int_equal (step->mails[0].message.nbatches, SYNOD__REPLICA_BATCHES_MAX);
    free (large);
    s_free (net);
}

/* ---- copies ---- */

/* One that was away is sent batches while the tail has them, else a snapshot. */
static void test_catching_up (void **state)
{
    (void) state;
    for (uint32_t missed = 1; missed < 12; missed++) {
        net_t *net = s_net (6, true);
        s_decide (net, "012", 0);
        s_enter (net, "012");
        s_tick (net, 0);
        s_put (net, 0, 0, 1);
        s_turn (net, 0, 1);
        net->silent[2] = true;
        for (uint32_t i = 0; i < missed; i++) {
            s_put (net, 0, (uint8_t) (i % NODE_KEYS), 100 + i);
            s_turn (net, 0, 2 + i);
        }
        assert_int_equal (net->released[0], 1 + missed);
        net->silent[2] = false;
        assert_false (s_alike (net, 0, 2));
        s_tick (net, 0);
        s_tick (net, 0);
        assert_true (s_alike (net, 0, 2));
        assert_int_equal (net->node[2].swaps, missed > 6 ? 1 : 0);
        s_free (net);
    }
}

/* The mark comes with the last piece: after each commit a copy without it is what it was. */
static void test_snapshot_whole (void **state)
{
    (void) state;
    net_t *net = s_net (1, false);
    s_decide (net, "01", 0);
    s_enter (net, "01");
    s_tick (net, 0);
    for (uint8_t i = 0; i < NODE_KEYS; i++) {
        s_put (net, 0, i, 50u + i);
        s_turn (net, 0, 1u + i);
    }
    s_decide (net, "012", 0);
    net->silent[2] = true;
    s_enter (net, "012");
    net->silent[2] = false;
    s_perform (net, 0, synod__replica_tick (&net->node[0].replica));
    uint32_t chunks = 0;
    while (net->first < net->count) {
        node_mail_t *mail = net->mails[net->first++];
        uint32_t to = mail->to.bytes[7];
        chunks += mail->message.kind == SYNOD__REPLICA_CHUNK;
        if (mail->message.kind == SYNOD__REPLICA_CHUNK && chunks == 2) {
            /* between the chunks a batch is ordered on a key that was sent, and one that was not */
            s_put (net, 0, 0, 900);
            s_put (net, 0, NODE_KEYS - 1, 901);
            s_perform (net, 0, synod__replica_turn (&net->node[0].replica, 100));
        }
        s_perform (net, to, synod__replica_take (&net->node[to].replica, &mail->message));
        free (mail);
        uint32_t keys = 0;
        for (uint32_t i = 0; i < NODE_KEYS; i++)
            keys += net->node[2].disk.copy[i] != 0;
        assert_true (s_mark (net, 2) == 2 ? keys == NODE_KEYS : keys == 0);
    }
    s_run (net);
    s_tick (net, 0);
    assert_true (chunks >= NODE_KEYS / 2 && net->node[2].swaps == 1 && s_alike (net, 0, 2));
    assert_true (net->node[2].disk.copy[0] == 900 && net->node[2].disk.copy[NODE_KEYS - 1] == 901);
    s_free (net);
}

static void test_unmarked (void **state)
{
    (void) state;
    net_t *net = s_net (8, true);
    s_decide (net, "012", 0);
    s_enter (net, "012");
    s_tick (net, 0);
    s_decide (net, "012", 0);
    s_perform (net, 2, synod__replica_enter (&net->node[2].replica, &net->views[1], net->views, 1));
    synod__replica_batch_t batch = {2, 2, synod_str ("")};
    synod__replica_message_t in = {.kind = SYNOD__REPLICA_BATCHES,
                                   .from = net->node[0].disk.id,
                                   .epoch = 2,
                                   .mark = 2,
                                   .last = 2,
                                   .n = 2,
                                   .base = 0,
                                   .after_epoch = 2,
                                   .after_n = 1,
                                   .batches = &batch,
                                   .nbatches = 1};
    const synod__replica_step_t *step = synod__replica_take (&net->node[2].replica, &in);
    /* a gap: it asks */
    assert_true (step->nwrites == 0 && !step->head && step->nmails == 1);
    assert_int_equal (step->mails[0].message.kind, SYNOD__REPLICA_PULL);
    batch.n = 1;
    in.after_epoch = in.after_n = 0;
    in.mark = 1; /* not from a marked copy: that is no owner's */
    assert_int_equal (synod__replica_take (&net->node[2].replica, &in)->nwrites, 0);
    in.mark = 2;
    step = synod__replica_take (&net->node[2].replica, &in);
    /* mark, seal and the last piece are one commit, and it is told after it */
    assert_true (step->nwrites == 1 && step->head && step->head->mark == 2 && step->seal == 2 && step->nmails == 1);
    assert_int_equal (step->mails[0].message.kind, SYNOD__REPLICA_ACK);
    node_perform (&net->node[2], step, s_on_mail, NULL);
    for (uint32_t i = 0; i < net->node[2].noutbox; i++)
        free (net->node[2].outbox[i].mail);
    net->node[2].noutbox = 0;
    s_free (net);
}

/* ---- epochs ---- */

static void test_seal (void **state)
{
    (void) state;
    net_t *net = s_net (8, true);
    s_decide (net, "012", 0);
    s_enter (net, "012");
    s_tick (net, 0);
    synod__replica_message_t seal = {.kind = SYNOD__REPLICA_SEAL, .from = net->node[3].disk.id, .epoch = 5};
    const synod__replica_step_t *step = synod__replica_take (&net->node[1].replica, &seal);
    assert_true (step->seal == 5 && step->nmails == 1 && step->newer == 5);
    assert_int_equal (step->mails[0].message.kind, SYNOD__REPLICA_SEALED);
    assert_int_equal (step->mails[0].message.mark, 1);
    s_perform (net, 1, step);
    s_run (net);
    seal.epoch = 4;
    step = synod__replica_take (&net->node[1].replica, &seal);
    assert_true (step->seal == 0 && step->nmails == 1 && step->mails[0].message.kind == SYNOD__REPLICA_REFUSED);
    assert_int_equal (step->mails[0].message.epoch, 5);
    /* it takes and confirms nothing of epoch 1, also after a restart */
    s_restart (net, 1);
    assert_int_equal (net->node[1].disk.seal, 5);
    net->silent[2] = true;
    s_put (net, 0, 1, 7);
    s_turn (net, 0, 1);
    s_tick (net, 0);
    assert_true (net->released[0] == 0 && s_n (net, 1) == 0);
    /* an owner's own node */
    seal.epoch = 6;
    s_perform (net, 0, synod__replica_take (&net->node[0].replica, &seal));
    assert_false (net->owns[0]);
    assert_int_equal (synod__replica_append (&net->node[0].replica, synod_str (""))->code, SYNOD_REFUSED);
    net->silent[2] = false;
    s_run (net);
    s_tick (net, 0);
    assert_int_equal (net->released[0], 0);
    /* and on behalf of another partition */
    s_restart (net, 2);
    assert_true (synod__replica_sealed (&net->node[2].replica, 9)->seal == 0 && net->node[2].replica.seal == 9);
    s_free (net);
}

/* Epoch 2 never came to serve: what epoch 1 acknowledged is found behind it. */
static void test_walk_back (void **state)
{
    (void) state;
    net_t *net = s_net (8, true);
    s_decide (net, "012", 0);
    s_enter (net, "012");
    s_tick (net, 0);
    net->silent[2] = true;
    s_put (net, 0, 1, 7);
    s_turn (net, 0, 1);
    assert_int_equal (net->released[0], 1);
    net->silent[2] = false;
    net->silent[0] = true;
    s_decide (net, "234", 0); /* its owner has not what 0 and 1 have, and dies */
    s_decide (net, "432", 0);
    net->silent[1] = net->silent[2] = true;
    s_enter (net, "4");
    s_enter (net, "3");
    net->silent[2] = false;
    s_tick (net, 4);
    assert_true (s_mark (net, 4) == 0 && !net->owns[4]); /* 3 and 4 of epoch 2 are sealed, of epoch 1 only 2 */
    net->silent[1] = false;
    s_tick (net, 4);
    assert_true (net->owns[4] && s_mark (net, 4) == 3 && net->node[4].disk.copy[1] == 7 && s_alike (net, 4, 3));
    s_free (net);
}

/* A copy goes by its mark, not by its length; and a former owner's suffix is cut off. */
static void s_suffix (bool undo)
{
    net_t *net = s_net (8, undo);
    s_decide (net, "012", 0);
    s_enter (net, "012");
    s_tick (net, 0);
    s_put (net, 0, 1, 7);
    s_turn (net, 0, 1);
    net->silent[0] = true;
    for (uint32_t i = 0; i < 3; i++)
        s_put (net, 0, 1, 100 + i);
    s_turn (net, 0, 2);
    s_decide (net, "120", 0);
    s_enter (net, "12");
    assert_true (net->owns[1] && net->node[1].disk.copy[1] == 7);
    s_put (net, 1, 2, 8);
    s_turn (net, 1, 1);
    assert_int_equal (net->released[1], 1);
    net->silent[0] = false;
    net->silent[2] = true;
    s_decide (net, "012", 0);
    s_enter (net, "01"); /* 0 has four batches and the mark 1, 1 has two and the mark 2 */
    assert_true (net->owns[0] && s_alike (net, 0, 1) && s_n (net, 0) == 2);
    assert_true (net->node[0].disk.copy[1] == 7 && net->node[0].disk.copy[2] == 8);
    assert_int_equal (net->node[0].cuts, undo ? 3 : 0);
    assert_int_equal (net->node[0].swaps, undo ? 0 : 1);
    s_free (net);
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
    net_t *net = s_net (8, true);
    s_decide (net, "012", 0);
    s_enter (net, "012");
    s_tick (net, 0);
    s_put (net, 0, 1, 7);
    s_turn (net, 0, 1);
    net->silent[3] = true;
    s_decide (net, "013", 0);
    s_enter (net, "0123");
    assert_true (net->owns[0] && s_mark (net, 0) == 2 && s_mark (net, 1) == 2);
    s_tick (net, 2);
    assert_true (s_n (net, 2) == 1); /* 3 is not marked yet */
    net->silent[3] = false;
    s_tick (net, 0);
    assert_int_equal (s_mark (net, 3), 2);
    s_tick (net, 2);
    assert_true (s_n (net, 2) == 0 && s_mark (net, 2) == 0 && !net->node[2].disk.copy[1]);
    assert_int_equal (net->node[2].disk.seal, 2); /* outlives it */
    s_free (net);
}

static void test_learner (void **state)
{
    (void) state;
    net_t *net = s_net (8, true);
    s_decide (net, "0123", 1);
    net->silent[1] = net->silent[2] = true;
    s_enter (net, "03");
    s_tick (net, 0);
    assert_true (s_mark (net, 3) == 1 && !net->owns[0]); /* it has everything, and counts for nothing */
    net->silent[1] = false;
    s_enter (net, "1");
    s_tick (net, 0);
    assert_true (net->owns[0]);
    s_put (net, 0, 1, 7);
    s_turn (net, 0, 1);
    assert_true (net->released[0] == 1 && s_alike (net, 0, 3));
    net->silent[1] = true;
    s_put (net, 0, 1, 8);
    s_turn (net, 0, 2);
    assert_true (net->released[0] == 1 && s_alike (net, 0, 3));
    /* another one, within the epoch */
    synod__store_id_t stores[] = {net->node[0].disk.id, net->node[1].disk.id, net->node[2].disk.id,
                                  net->node[4].disk.id};
    synod__replica_view_t view = {1, 3, 1, 0, stores};
    s_perform (net, 0, synod__replica_enter (&net->node[0].replica, &view, NULL, 0));
    s_perform (net, 4, synod__replica_enter (&net->node[4].replica, &view, NULL, 0));
    s_run (net);
    assert_true (net->owns[0]);
    s_tick (net, 0);
    assert_true (s_alike (net, 0, 4));
    s_free (net);
}

static void test_wiped (void **state)
{
    (void) state;
    net_t *net = s_net (8, true);
    s_decide (net, "012", 0);
    s_enter (net, "012");
    s_tick (net, 0);
    s_put (net, 0, 1, 7);
    s_turn (net, 0, 1);
    s_store (net, 1, 2);
    s_restart (net, 1);
    net->silent[0] = true;
    s_decide (net, "201", 0); /* the new store of 1 among them */
    s_enter (net, "2");
    s_tick (net, 2);
    assert_true (!net->owns[2] && s_mark (net, 2) == 1); /* 2 and the former store of 1 are no majority */
    s_free (net);
}

static void test_head (void **state)
{
    (void) state;
    synod__replica_head_t head = {.mark = 9, .n = 40, .nruns = 3, .runs = {{1, 1}, {4, 17}, {9, 40}}}, back;
    synod_buf_t packed = {0};
    synod_fault_t fault = {0};
    assert_int_equal (synod__replica_head_pack (&head, &packed), SYNOD_OK);
    check_ok (synod__replica_head_unpack (&back, synod_str_n (packed.data, packed.size), &fault), fault);
    assert_memory_equal (&head, &back, sizeof head);
    for (size_t size = 1; size < packed.size; size++)
        assert_int_equal (synod__replica_head_unpack (&back, synod_str_n (packed.data, size), &fault),
                          SYNOD_BAD_REQUEST);
    synod_buf_free (&packed);
    check_ok (synod__replica_head_unpack (&back, synod_str_n (NULL, 0), &fault), fault);
    assert_true (back.mark == 0 && back.n == 0);
    head.runs[1].epoch = 1;
    assert_int_equal (synod__replica_head_pack (&head, &packed), SYNOD_OK);
    check_fault (synod__replica_head_unpack (&back, synod_str_n (packed.data, packed.size), &fault), SYNOD_BAD_REQUEST,
                 fault,
                 "expected up to 16 runs of batches with growing epochs, up to batch 40, got one of epoch 1 from "
                 "batch 17");
    synod_buf_free (&packed);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_alone),     cmocka_unit_test (test_majority),       cmocka_unit_test (test_many_turns),
        cmocka_unit_test (test_restart),   cmocka_unit_test (test_sizes),          cmocka_unit_test (test_catching_up),
        cmocka_unit_test (test_unmarked),  cmocka_unit_test (test_snapshot_whole), cmocka_unit_test (test_seal),
        cmocka_unit_test (test_walk_back), cmocka_unit_test (test_suffix),         cmocka_unit_test (test_delete),
        cmocka_unit_test (test_learner),   cmocka_unit_test (test_wiped),          cmocka_unit_test (test_head),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
