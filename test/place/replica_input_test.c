/* SPDX-License-Identifier: MPL-2.0
 *
 * What comes from outside: messages that make no sense, heads that were not packed here.
 */
#include "place_test.h"
#include "replica_net.h"

static uint64_t s_term (uint64_t epoch, uint64_t draw)
{
    return synod__term (epoch) + draw % 2;
}

/* Whatever comes, in whatever state: nothing is read that is not there. */
static void test_nonsense (void **state)
{
    (void) state;
    uint64_t random = 77;
    static const char bytes[NODE_BYTES];
    for (uint32_t round = 0; round < 200; round++) {
        net_t *net = net_new (round % 5, round % 2);
        if (round % 8) {
            net_decide (net, "0123", 1);
            net_enter (net, "0123");
            net_tick (net, 0);
        }
        if (round % 3 == 0 && round % 8) {
            net_put (net, 0, 1, 7);
            net_turn (net, 0, 1);
            net_decide (net, "1234", round % 2);
            net_enter (net, "34");
        }
        for (uint32_t i = 0; i < 400; i++) {
            uint64_t draw = check_random (&random), more = check_random (&random);
            synod__replica_batch_t batches[4];
            synod__replica_run_t runs[4];
            for (uint32_t j = 0; j < 4; j++) {
                batches[j] = (synod__replica_batch_t){s_term (1 + (more >> j) % 2, more >> 24), (more >> 8) % 4 + j,
                                                      synod_str_n (bytes, j)};
                runs[j] = (synod__replica_run_t){s_term ((more >> 16) % 3 + j, more >> 25), (more >> 20) % 3 + j};
            }
            synod__replica_message_t in = {.kind = (synod__replica_kind_t) (draw % 11),
                                           .from = net->node[(draw >> 4) % 5].disk.id,
                                           .epoch = s_term ((draw >> 8) % 4, draw >> 10),
                                           .round = (draw >> 12) % 4,
                                           .mark = s_term ((draw >> 14) % 4, more >> 26),
                                           .last = s_term ((draw >> 16) % 4, more >> 27),
                                           .n = draw >> 63 ? UINT64_MAX - (draw >> 60) % 8 : (draw >> 18) % 8,
                                           .base = (draw >> 21) % 8,
                                           .after_epoch = s_term ((draw >> 24) % 4, more >> 28),
                                           .after_n = draw >> 62 ? (draw >> 26) % 8 : UINT64_MAX - 1,
                                           .batches = batches,
                                           .nbatches = (draw >> 29) % 5,
                                           .nruns = (draw >> 32) % 5,
                                           .runs = runs,
                                           .whole = draw >> 35 & 1,
                                           .staging = draw >> 36 & 1,
                                           .scanned = draw >> 37 & 1,
                                           .more = draw >> 38 & 1,
                                           .at = (draw >> 39) % 8,
                                           .key = synod_str_n (draw >> 42 & 1 ? bytes : NULL, 0),
                                           .entries = synod_str_n (bytes, (draw >> 44) % 8),
                                           .last_key = synod_str_n (bytes, (draw >> 47) % 3)};
            const synod__replica_step_t *step = synod__replica_take (&net->node[(draw >> 50) % 4].replica, &in);
            assert_int_equal (step->code, SYNOD_OK);
            if (i % 16 == 0)
                node_tick (&net->node[i / 16 % 4]);
        }
        net_free (net);
    }
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
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_nonsense), cmocka_unit_test (test_head)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
