/* SPDX-License-Identifier: MPL-2.0
 *
 * Asks, tells and answers between nodes: dispatch, errors, deferred answers, each continuation exactly once.
 */
#include "check.h"

static void test_dispatch (void **state)
{
    bool brokered = *(bool *) *state;
    mh_t *world = mh_new (1, brokered);
    mh_node_t *a = mh_up (world, "a", &probe, NULL);
    mh_up (world, "b", &server, "a");
    assert_true (mh_joined (world, 2000));
    seen_t *seen = seen_new ();
    ask (a, "b/server", "add", 40, 2, 0, 1);
    mh_run (world, 10);
    assert_int_equal (seen->replies, 1);
    assert_int_equal (seen->code, SYNOD_OK);
    assert_int_equal (seen->sum, 42);
    assert_string_equal (seen->from, "b/server");
    mh_destroy (&world);
}

static bool yes = true, no = false;

int main (void)
{
    const struct CMUnitTest tests[] = {
        {"dispatch with a broker", test_dispatch, NULL, NULL, &yes},
        {"dispatch without", test_dispatch, NULL, NULL, &no},
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
