/* SPDX-License-Identifier: MPL-2.0
 *
 * When a replica is idle, and what it takes then.
 */
#include <malloc.h>
#include "place_test.h"
#include "replica_net.h"

static uint32_t s_held (const void *bytes)
{
    return bytes ? (uint32_t) malloc_usable_size ((void *) bytes) + (uint32_t) sizeof (size_t) : 0;
}

/* What a replica takes while nothing happens, without the tail: a node has thousands. */
static uint32_t s_size (const synod__replica_t *self)
{
    return (uint32_t) sizeof *self + s_held (self->head.runs) + s_held (self->peers) + s_held (self->search) +
           s_held (self->stage) + s_held (self->turns);
}

static void test_idle (void **state)
{
    (void) state;
    net_t *net = net_new (8, true);
    const synod__replica_t *owner = &net->node[0].replica;
    assert_true (synod__replica_idle (owner)); /* in no epoch */
    net_decide (net, "012", 0);
    net_enter (net, "0");
    assert_false (synod__replica_idle (owner)); /* it has to bring the others */
    net_enter (net, "12");
    for (int i = 0; i < 3; i++)
        net_tick (net, 0);
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    assert_false (synod__replica_idle (owner)); /* the room for turns is still there */
    net_tick (net, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true (synod__replica_idle (&net->node[i].replica));
        assert_in_range (s_size (&net->node[i].replica), 1, 450);
    }
    print_message ("%zu bytes, in all %u with R=3\n", sizeof *owner, s_size (owner));
    net->silent[2] = true;
    net_put (net, 0, 1, 8);
    net_turn (net, 0, 2);
    net_tick (net, 0);
    assert_true (net->released[0] == 2 && !synod__replica_idle (owner)); /* 2 lacks a batch */
    assert_true (synod__replica_idle (&net->node[1].replica));
    net->silent[2] = false;
    net_tick (net, 0);
    net_tick (net, 0);
    assert_true (synod__replica_idle (owner));
    net_perform (net, 1, synod__replica_sealed (&net->node[1].replica, 2));
    assert_false (synod__replica_idle (&net->node[1].replica));
    net_free (net);
    net = net_new (8, true);
    net_decide (net, "0", 0);
    net_enter (net, "0");
    net_put (net, 0, 1, 7);
    net_turn (net, 0, 1);
    owner = &net->node[0].replica;
    assert_true (synod__replica_idle (owner)); /* alone it never waits */
    assert_in_range (s_size (owner), 1, 330);
    print_message ("%zu bytes, in all %u with R=1\n", sizeof *owner, s_size (owner));
    net_free (net);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_idle)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
