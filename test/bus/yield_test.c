/* SPDX-License-Identifier: MPL-2.0
 *
 * Giving way, and for how long not to.
 */
#include "bus_test.h"
#include "bus/yield.h"

#define S_SHORT (SYNOD__YIELD_LATE_US - 1)
#define S_LONG  (3 * SYNOD__YIELD_LATE_US)

/* Gives way as soon as it may, for LONG; returns how long it had to wait for that. */
static int64_t s_give (synod__yield_t *self, int64_t *now_us, int64_t took_us)
{
    int64_t from_us = *now_us;
    while (!synod__yield_may (self, *now_us))
        *now_us += 1;
    int64_t waited_us = *now_us - from_us;
    synod__yield_took (self, *now_us, *now_us + took_us);
    *now_us += took_us;
    return waited_us;
}

static void test_short (void **state)
{
    (void) state;
    synod__yield_t yield = {0};
    int64_t now_us = 1000000;
    for (int i = 0; i < 100; i++)
        assert_int_equal (s_give (&yield, &now_us, S_SHORT), 0);
}

/* Beside a program that never rests each try takes long: what is lost to it is little. */
static void test_a_hog (void **state)
{
    (void) state;
    synod__yield_t yield = {0};
    int64_t now_us = 1000000, waited_us = 0;
    assert_int_equal (s_give (&yield, &now_us, S_LONG), 0);
    for (int64_t pause_us = SYNOD__YIELD_PAUSE_US; pause_us < SYNOD__YIELD_MOST_US; pause_us *= 2)
        assert_int_equal (s_give (&yield, &now_us, S_LONG), pause_us);
    for (int i = 0; i < 3; i++)
        waited_us += s_give (&yield, &now_us, S_LONG);
    assert_int_equal (waited_us, 3 * SYNOD__YIELD_MOST_US);
}

/* Now and then a long one is no reason for long pauses. */
static void test_now_and_then (void **state)
{
    (void) state;
    synod__yield_t yield = {0};
    int64_t now_us = 1000000;
    for (int i = 0; i < 10; i++) {
        s_give (&yield, &now_us, S_LONG);
        assert_int_equal (s_give (&yield, &now_us, S_SHORT), SYNOD__YIELD_PAUSE_US);
        now_us += SYNOD__YIELD_PAUSE_US;
    }
}

/* When the program has ended, the next try shows it, and after it all is as at first. */
static void test_over (void **state)
{
    (void) state;
    synod__yield_t yield = {0};
    int64_t now_us = 1000000;
    for (int i = 0; i < 8; i++)
        s_give (&yield, &now_us, S_LONG);
    assert_in_range (s_give (&yield, &now_us, S_SHORT), SYNOD__YIELD_PAUSE_US, SYNOD__YIELD_MOST_US);
    for (int i = 0; i < 5000; i++)
        assert_int_equal (s_give (&yield, &now_us, S_SHORT), 0);
    assert_int_equal (s_give (&yield, &now_us, S_LONG), 0);
    assert_int_equal (s_give (&yield, &now_us, S_SHORT), SYNOD__YIELD_PAUSE_US);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_short), cmocka_unit_test (test_a_hog),
                                       cmocka_unit_test (test_now_and_then), cmocka_unit_test (test_over)};
    return cmocka_run_group_tests_name ("giving way", tests, NULL, NULL);
}
