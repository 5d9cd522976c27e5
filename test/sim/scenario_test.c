/* SPDX-License-Identifier: MPL-2.0
 *
 * Scenarios: a counter that is right holds under every seed, one with a bug is found, with its seed and a plan that
 * shrinks to the fault that it takes.
 */
#include "check.h"

#define CLIENTS 3

typedef struct {
    uint64_t asked, answered; /* additions begun, additions known to have been made */
    uint64_t unknown;         /* additions of which that is not known */
    uint64_t final;
    bool got;
} s_state_t;

static s_state_t *s_state; /* one run at a time */
static int s_finis;

/* ---- the workload ---- */

static void s_add (synod_sim_t *sim, int client);

static void s_next (synod_sim_t *sim, void *arg)
{
    int client = (int) (intptr_t) arg;
    if (synod_sim_healed (sim))
        return;
    if (synod_sim_state (sim, client) == SYNOD_SIM_UP)
        s_add (sim, client);
}

static void s_on_added (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    number_t out;
    (void) arg;
    if (reply->code == SYNOD_OK) {
        s_state->answered++;
        assert_int_equal (synod_record_unpack (&number_record, reply->body, &out, NULL), SYNOD_OK);
        if (out.n > s_state->asked)
            synod_sim_fail (sim, "the count is %llu, and only %llu additions were asked for",
                            (unsigned long long) out.n, (unsigned long long) s_state->asked);
    } else
        s_state->unknown++;
    synod_sim_after (sim, 50000, s_next, (void *) (intptr_t) client);
}

static void s_add (synod_sim_t *sim, int client)
{
    add_t in = {.n = 1};
    s_state->asked++;
    if (synod_sim_ask (sim, client, "a/counts", &add_record, &in, 10000, s_on_added, NULL) != SYNOD_OK)
        synod_sim_fail (sim, "%s", synod_sim_error (sim)->text);
}

static int s_setup_with (synod_sim_t *sim, void *state, const synod_actor_t *type)
{
    s_state = (s_state_t *) state;
    if (!synod_sim_up (sim, "a", type, NULL) || !synod_sim_up (sim, "b", &echoes, NULL))
        return synod_sim_error (sim)->code;
    for (char name[] = "c0"; name[1] < '0' + CLIENTS; name[1]++) {
        int client = synod_sim_client (sim, name);
        if (!client)
            return synod_sim_error (sim)->code;
        synod_sim_after (sim, 2000000, s_next, (void *) (intptr_t) client);
    }
    return SYNOD_OK;
}

static int s_setup (synod_sim_t *sim, void *state)
{
    return s_setup_with (sim, state, &counts);
}

static void s_on_count (synod_sim_t *sim, int client, const synod_reply_t *reply, void *arg)
{
    number_t out;
    (void) sim;
    (void) client;
    (void) arg;
    s_state->got = reply->code == SYNOD_OK;
    if (s_state->got)
        assert_int_equal (synod_record_unpack (&number_record, reply->body, &out, NULL), SYNOD_OK);
    s_state->final = s_state->got ? out.n : 0;
}

static bool s_counted (synod_sim_t *sim, void *arg)
{
    (void) arg;
    return synod_sim_asks (sim) == 0;
}

static int s_finish (synod_sim_t *sim, void *state)
{
    s_state_t *self = (s_state_t *) state;
    count_t in = {.n = 0};
    int rc = synod_sim_ask (sim, synod_sim_find (sim, "c0"), "a/counts", &count_record, &in, 5000, s_on_count, NULL);
    if (rc == SYNOD_OK)
        rc = synod_sim_until (sim, s_counted, NULL, 10000);
    if (rc != SYNOD_OK)
        return rc;
    if (!self->got)
        return synod_sim_fail (sim, "the count is not to be had");
    unsigned long long least = self->answered, most = self->answered + self->unknown, got = self->final;
    if (got < least || got > most)
        return synod_sim_fail (sim, "expected a count from %llu to %llu, got %llu", least, most, got);
    return SYNOD_OK;
}

static void s_fini (void *state)
{
    (void) state;
    s_finis++;
}

static const synod_scenario_t s_right = {.name = "right",
                                         .doc = "a counter that keeps its count",
                                         .either = true,
                                         .state_size = sizeof (s_state_t),
                                         .setup = s_setup,
                                         .finish = s_finish,
                                         .fini = s_fini};

/* ---- a counter that keeps its count in memory alone ---- */

static int s_forgetful_add (synod_ctx_t *ctx, void *state, const add_t *in, synod_call_t call)
{
    number_t out = {.n = *(uint64_t *) state += in->n};
    return synod_reply (ctx, call, &number_record, &out);
}

static int s_forgetful_count (synod_ctx_t *ctx, void *state, const count_t *in, synod_call_t call)
{
    number_t out = {.n = *(uint64_t *) state};
    (void) in;
    return synod_reply (ctx, call, &number_record, &out);
}

static const synod_actor_t s_forgetful_type = {
    .name = "counts",
    .state_size = sizeof (uint64_t),
    .routes = (const synod_route_t[]){SYNOD_ON (add, s_forgetful_add), SYNOD_ON (count, s_forgetful_count), SYNOD_END}};

static int s_setup_forgetful (synod_sim_t *sim, void *state)
{
    return s_setup_with (sim, state, &s_forgetful_type);
}

static const synod_scenario_t s_forgetful = {.name = "forgetful",
                                             .either = true,
                                             .state_size = sizeof (s_state_t),
                                             .setup = s_setup_forgetful,
                                             .finish = s_finish};

SYNOD_SCENARIOS (&s_right, &s_forgetful)

/* ---- tests ---- */

static const synod_sim_options_t s_options = {.length_ms = 20000};

static void test_holds (void **state)
{
    (void) state;
    const char *more = getenv ("SEEDS");
    uint64_t seeds = more ? strtoull (more, NULL, 10) : 40, crashes = 0, lost = 0, answered = 0;
    s_finis = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        synod_sim_result_t result;
        if (!synod_sim_scenario (&s_right, seed, NULL, &s_options, &result))
            fail_msg ("seed %llu: %s\nwith %s", (unsigned long long) seed, result.fault.text, result.plan);
        assert_int_equal (result.fault.code, SYNOD_OK);
        assert_in_range (result.virtual_us, 20000000, 200000000);
        crashes += result.stats.crashes;
        lost += result.stats.lost;
        answered += result.stats.messages;
        synod_sim_result_clear (&result);
    }
    assert_int_equal (s_finis, seeds);
    assert_in_range (crashes, seeds / 2, seeds * 20);
    assert_in_range (lost, seeds, UINT64_MAX);
    assert_in_range (answered, seeds * 100, UINT64_MAX);
}

/* The same seed, the same end; and the plan that was drawn gives it again. */
static void test_repeats (void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        synod_sim_result_t first, second, third;
        synod_sim_scenario (&s_right, seed, NULL, &s_options, &first);
        synod_sim_scenario (&s_right, seed, NULL, &s_options, &second);
        synod_plan_t *plan = synod_plan_parse (first.plan, NULL);
        synod_sim_scenario (&s_right, seed, plan, &s_options, &third);
        assert_true (first.hash == second.hash && first.hash == third.hash);
        assert_string_equal (first.plan, second.plan);
        assert_string_equal (first.plan, third.plan);
        synod_plan_destroy (&plan);
        synod_sim_result_clear (&first);
        synod_sim_result_clear (&second);
        synod_sim_result_clear (&third);
    }
}

static void test_found (void **state)
{
    (void) state;
    synod_sim_result_t result;
    uint64_t seed = 0;
    do {
        assert_in_range (++seed, 1, 20);
        if (synod_sim_scenario (&s_forgetful, seed, NULL, &s_options, &result))
            synod_sim_result_clear (&result);
    } while (result.ok);
    assert_int_equal (result.fault.code, SYNOD_FAILED);
    assert_non_null (strstr (result.fault.text, "expected a count from "));
    assert_int_equal (result.seed, seed);
    synod_plan_t *drawn = synod_plan_parse (result.plan, NULL);
    synod_plan_t *shortest = synod_sim_scenario_shrink (&s_forgetful, seed, NULL, &s_options, 100);
    assert_non_null (shortest);
    assert_in_range (synod_plan_size (shortest), 1, 1);
    synod_buf_t text = {0};
    assert_int_equal (synod_plan_print (shortest, &text), SYNOD_OK);
    if (!strstr (text.data, "crash=a") && !strstr (text.data, "full=a"))
        fail_msg ("%s", text.data); /* what it takes is a death of a */
    synod_sim_result_clear (&result);
    assert_false (synod_sim_scenario (&s_forgetful, seed, shortest, &s_options, &result));
    synod_sim_result_clear (&result);
    synod_buf_free (&text);
    synod_plan_destroy (&drawn);
    synod_plan_destroy (&shortest);
    /* in calm it holds */
    synod_sim_options_t calm = s_options;
    calm.calm = true;
    assert_true (synod_sim_scenario (&s_forgetful, seed, NULL, &calm, &result));
    assert_string_equal (result.plan, "");
    synod_sim_result_clear (&result);
    assert_null (synod_sim_scenario_shrink (&s_right, 1, NULL, &calm, 10));
}

static int s_setup_wrong (synod_sim_t *sim, void *state)
{
    (void) state;
    synod_sim_node (sim, "bad name");
    return synod_sim_error (sim)->code;
}

static void test_bad (void **state)
{
    (void) state;
    static const synod_scenario_t wrong = {.name = "wrong", .setup = s_setup_wrong};
    synod_sim_result_t result;
    assert_false (synod_sim_scenario (&wrong, 1, NULL, NULL, &result));
    assert_int_equal (result.fault.code, SYNOD_BAD_ADDRESS);
    assert_non_null (result.plan);
    synod_sim_result_clear (&result);
    synod_plan_t *plan = synod_plan_parse ("crash=nobody", NULL);
    assert_false (synod_sim_scenario (&s_right, 1, plan, NULL, &result));
    assert_int_equal (result.fault.code, SYNOD_NOT_FOUND);
    synod_sim_result_clear (&result);
    synod_plan_destroy (&plan);
    assert_int_equal (synod_scenarios.abi, SYNOD_ABI);
    assert_ptr_equal (synod_scenarios.scenarios[1], &s_forgetful);
    assert_null (synod_scenarios.scenarios[2]);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_holds), cmocka_unit_test (test_repeats),
                                       cmocka_unit_test (test_found), cmocka_unit_test (test_bad)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
