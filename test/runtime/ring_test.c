/* SPDX-License-Identifier: MPL-2.0
 *
 * A node with a placed actor runs the actor `ring`, without being told; others do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include <synod/sim.h>
#include "actors/place/place.h"
#include "actors/place/ring_actor.h"

static const synod_actor_t placed = {.name = "placed", .state_size = 1, .placement = SYNOD_SHARDED};
static const synod_actor_t plain = {.name = "plain", .state_size = 1};
static const synod_actor_t stand_in = {.name = "ring", .state_size = 1};

static void by_itself (void **state)
{
    synod_sim_t *sim = synod_sim_new (1, NULL);
    (void) state;
    int a = synod_sim_up (sim, "a", &placed, NULL), b = synod_sim_up (sim, "b", &plain, NULL);
    int client = synod_sim_client (sim, "c");
    assert_int_equal (synod_sim_join (sim, 10000), SYNOD_OK);
    assert_non_null (synod_sim_memory (sim, a, "ring"));
    assert_null (synod_sim_memory (sim, b, "ring"));
    assert_null (synod_sim_memory (sim, client, "ring"));
    synod_sim_crash (sim, a);
    synod_sim_start (sim, a);
    assert_non_null (synod_sim_memory (sim, a, "ring"));
    synod_sim_destroy (&sim);
}

static int no_epoch (synod_ctx_t *ctx, void *state, void *arg)
{
    (void) state;
    (void) arg;
    return synod__ctx_epoch (ctx) ? SYNOD_REFUSED : SYNOD_OK;
}

/* One that was added already, whatever it is, is not added again. */
static void there_already (void **state)
{
    synod_sim_t *sim = synod_sim_new (1, NULL);
    const synod__ring_args_t args = {.alone = true, .partitions = 16};
    (void) state;
    int a = synod_sim_node (sim, "a"), b = synod_sim_node (sim, "b");
    synod_sim_add (sim, a, &placed, NULL);
    synod_sim_add (sim, a, &stand_in, NULL);
    synod_sim_add (sim, b, &placed, NULL);
    synod_sim_add (sim, b, &synod__ring_actor, &args);
    synod_sim_start (sim, a);
    assert_int_equal (synod_sim_join (sim, 10000), SYNOD_OK);
    assert_int_equal (synod_sim_run (sim, 3000), SYNOD_OK);
    assert_int_equal (synod_sim_act (sim, a, "ring", no_epoch, NULL), SYNOD_OK);
    synod_sim_crash (sim, a);
    synod_sim_start (sim, b);
    assert_int_equal (synod_sim_run (sim, 3000), SYNOD_OK);
    assert_int_equal (synod_sim_act (sim, b, "ring", no_epoch, NULL), SYNOD_REFUSED);
    synod_sim_destroy (&sim);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (by_itself), cmocka_unit_test (there_already)};
    return cmocka_run_group_tests_name ("runtime/ring", tests, NULL, NULL);
}
