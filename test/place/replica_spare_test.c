/* SPDX-License-Identifier: MPL-2.0
 *
 * What an owner does without: replicas that a majority does not need are sent later, and told that nobody waits.
 */
#include "place_test.h"
#include "replica_net.h"

#define BIT(index) (1u << (index))

/* Mails of STEP to node AT with batches; SPARE and how many batches of the last one. */
static uint32_t s_batches (const net_t *net, const synod__replica_step_t *step, uint32_t at, bool *spare,
                           uint32_t *many)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < step->nmails; i++) {
        const synod__replica_mail_t *mail = &step->mails[i];
        if (synod__store_id_compare (&mail->to, &net->node[at].disk.id) != 0 || !mail->message.nbatches)
            continue;
        count++;
        *spare = mail->message.spare;
        *many = mail->message.nbatches;
    }
    return count;
}

/* The owner and the first others by store id; none where that is no majority, or where one lacks something. */
static void test_who (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "01234");
    const synod__replica_t *owner = &net->node[0].replica;
    uint32_t order[5] = {0, 1, 2, 3, 4};
    for (uint32_t i = 1; i < 5; i++)
        for (uint32_t j = i + 1; j < 5; j++)
            if (synod__store_id_compare (&owner->peers[order[j]].id, &owner->peers[order[i]].id) < 0) {
                uint32_t other = order[i];
                order[i] = order[j];
                order[j] = other;
            }
    uint32_t all = BIT (5) - 1, last = BIT (order[3]) | BIT (order[4]);
    assert_int_equal (synod__replica_spared (owner, all), last);
    assert_int_equal (synod__replica_spared (owner, all & ~1u), last);
    assert_int_equal (synod__replica_spared (owner, all & ~BIT (order[1])), BIT (order[1]) | BIT (order[4]));
    assert_int_equal (synod__replica_spared (owner, BIT (order[2])), 0);
    assert_int_equal (synod__replica_spared (owner, 0), 0);
    /* what it was not sent it cannot be waited for */
    net_put (net, 0, 1, 1);
    net_perform (net, 0, synod__replica_turn (&net->node[0].replica, 1, BIT (order[1])));
    net_run (net);
    assert_int_equal (synod__replica_spared (owner, all), BIT (order[1]) | BIT (order[4]));
    net_free (net);
}

static void test_later (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    synod__replica_t *owner = &net->node[0].replica;
    bool spare = false;
    uint32_t many = 0;
    assert_false (synod__replica_lags (owner));
    for (uint32_t i = 1; i <= 15; i++) { /* more than the tail holds of what everybody was sent */
        net_put (net, 0, 1, i);
        const synod__replica_step_t *step = synod__replica_turn (owner, i, BIT (2));
        assert_int_equal (s_batches (net, step, 2, &spare, &many), 0);
        assert_true (s_batches (net, step, 1, &spare, &many) == 1 && many == 1 && !spare);
        net_perform (net, 0, step);
        net_run (net);
        assert_true (net->released[0] == i && net_n (net, 1) == i && net_n (net, 2) == 0);
        assert_true (synod__replica_lags (owner));
    }
    const synod__replica_step_t *step = synod__replica_feed (owner);
    assert_true (s_batches (net, step, 2, &spare, &many) == 1 && many == 15 && spare && step->mails[0].early);
    net_perform (net, 0, step);
    net_run (net);
    assert_true (net_alike (net, 0, 2) && net->node[2].swaps == 0 && !synod__replica_lags (owner));
    /* too much to wait with */
    for (uint32_t i = 16; i <= 32; i++)
        net_put (net, 0, 1, i);
    step = synod__replica_turn (owner, 32, BIT (2));
    assert_true (s_batches (net, step, 2, &spare, &many) == 1 && many == 17 && spare);
    net_perform (net, 0, step);
    net_run (net);
    assert_true (net_alike (net, 0, 2));
    net_free (net);
}

/* The one that was to answer does not: the others are asked, and somebody waits for them. */
static void test_needed (void **state)
{
    (void) state;
    net_t *net = net_serving (8, true, "012");
    synod__replica_t *owner = &net->node[0].replica;
    bool spare = true;
    uint32_t many = 0;
    net->silent[1] = true;
    net_put (net, 0, 1, 1);
    net_perform (net, 0, synod__replica_turn (owner, 1, BIT (2)));
    net_run (net);
    assert_true (net->released[0] == 0 && synod__replica_lags (owner));
    const synod__replica_step_t *step = synod__replica_feed (owner);
    assert_true (s_batches (net, step, 2, &spare, &many) == 1 && !spare);
    net_perform (net, 0, step);
    net_run (net);
    assert_int_equal (net->released[0], 1);
    /* a turn that only read waits for a confirmation */
    net_perform (net, 0, synod__replica_turn (owner, 2, BIT (2)));
    net_run (net);
    assert_true (net->released[0] == 1 && synod__replica_lags (owner));
    net_perform (net, 0, synod__replica_feed (owner));
    net_run (net);
    assert_true (net->released[0] == 2 && !synod__replica_lags (owner));
    net_free (net);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_who), cmocka_unit_test (test_later),
                                       cmocka_unit_test (test_needed)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
