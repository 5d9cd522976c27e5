/* SPDX-License-Identifier: MPL-2.0
 *
 * Terms: an owner sends before its own disk has it, and one that starts again in its epoch begins the next term.
 */
#include "place_test.h"
#include "replica_net.h"

/* What left early and was lost at the owner: its next term takes the place of that. */
static void test_terms (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    net->silent[2] = true;
    char bytes[NODE_BYTES];
    const uint8_t key = 1;
    const uint32_t value = 8;
    node_disk_t before = net->node[0].disk;
    net_put (net, 0, key, value);
    const synod__replica_step_t *step = synod__replica_turn (&net->node[0].replica, 2, 0);
    assert_true (step->nmails == 2 && step->mails[0].early && step->mails[1].early && !step->released);
    net_perform (net, 0, step);
    net_run (net);
    assert_true (net->released[0] == 2 && net_n (net, 1) == 2);
    /* it was not in the owner's commit */
    net->node[0].disk = before;
    net->silent[2] = false;
    net->silent[1] = true;
    net_restart (net, 0);
    net_tick (net, 0);
    assert_true (net->owns[0] && net->node[0].replica.term == synod__term (1) + 1 && net_n (net, 0) == 1);
    assert_true (net_alike (net, 0, 2));
    uint32_t size = node_batch (bytes, &key, &(uint32_t){9}, 1);
    step = synod__replica_append (&net->node[0].replica, synod_str_n (bytes, size));
    assert_true (step->code == SYNOD_OK && step->writes->batch.epoch == synod__term (1) + 1 &&
                 step->writes->batch.n == 2);
    net_perform (net, 0, step);
    net_turn (net, 0, 3);
    assert_int_equal (net->released[0], 3);
    /* who has what was lost is no replica of this term before it is as the others */
    net->silent[1] = false;
    net_tick (net, 0);
    net_turn (net, 0, 4);
    assert_true (net_alike (net, 0, 1) && net_alike (net, 0, 2) && net->node[1].cuts + net->node[1].swaps == 1);
    net_free (net);
}

/* What may leave early is what an owner that serves says of its batches; nothing where its copy is the only one. */
static void test_early (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    const synod__replica_step_t *step = synod__replica_turn (&net->node[0].replica, 1, 0);
    assert_true (step->nmails == 2 && step->mails[0].early && step->mails[1].early);
    net_perform (net, 0, step);
    net_put (net, 0, 1, 7);
    step = synod__replica_tick (&net->node[0].replica);
    assert_true (step->nmails == 2 && !step->mails[0].early && !step->mails[1].early);
    synod__replica_message_t pull = {
        .kind = SYNOD__REPLICA_PULL, .from = net->node[1].disk.id, .epoch = synod__term (1)};
    step = synod__replica_take (&net->node[0].replica, &pull);
    assert_true (step->nmails == 1 && !step->mails[0].early);
    net_free (net);
    net = net_new (8, true);
    net_decide (net, "01", 1);
    net_enter (net, "01");
    net_tick (net, 0);
    net_put (net, 0, 1, 7);
    step = synod__replica_turn (&net->node[0].replica, 1, 0);
    assert_true (step->nmails == 1 && !step->mails[0].early && step->released == 1);
    net_perform (net, 0, step);
    net_run (net);
    /* and it goes on in its term: all that was sent it has */
    net_restart (net, 0);
    assert_true (net->owns[0] && net->node[0].replica.term == synod__term (1));
    net_free (net);
}

/* A former replica asks in a term that is over, and is told of the present one. */
static void test_leaving_late (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    net_decide (net, "013", 0);
    net_enter (net, "013");
    net->silent[2] = true;
    net_tick (net, 0);
    net_restart (net, 0);
    net_tick (net, 0);
    assert_true (net->owns[0] && net->node[0].replica.term == synod__term (2) + 1);
    net->silent[2] = false;
    net_enter (net, "2");
    assert_int_equal (net->node[2].replica.term, synod__term (2));
    net_tick (net, 2);
    assert_int_equal (net->node[2].replica.term, synod__term (2) + 1);
    net_tick (net, 2);
    assert_true (net_mark (net, 2) == 0 && net_n (net, 2) == 0);
    net_free (net);
}

/* The last of an epoch's terms: a node that starts again waits for another epoch. */
static void test_last_term (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    synod_buf_t packed = {0};
    synod__replica_head_t head;
    node_disk_t *disk = &net->node[0].disk;
    node_head (disk, &head);
    head.mark = synod__term (2) - 2;
    assert_int_equal (synod__replica_head_pack (&head, &packed), SYNOD_OK);
    memcpy (disk->head, packed.data, packed.size);
    disk->head_size = (uint32_t) packed.size;
    synod_buf_free (&packed);
    net_restart (net, 0);
    net_tick (net, 0);
    assert_true (net->owns[0] && net->node[0].replica.term == synod__term (2) - 1);
    net_restart (net, 0);
    net_tick (net, 0);
    assert_false (net->owns[0]);
    net_decide (net, "102", 0);
    net_enter (net, "102");
    net_tick (net, 1);
    assert_true (net->owns[1] && net_mark (net, 0) == 2);
    net_free (net);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_terms), cmocka_unit_test (test_early),
                                       cmocka_unit_test (test_leaving_late), cmocka_unit_test (test_last_term)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
