/* SPDX-License-Identifier: MPL-2.0
 *
 * Random histories. Small ones, right and wrong, are judged by brute force too: both must agree, on where it ends as
 * well. Large ones that are right by construction must be accepted, and must stay accepted when answers are forgotten;
 * broken in a way that nothing can explain, they must be refused.
 */
#include "brute.h"
#include "check.h"
#include "generate.h"
#include "sim/history_internal.h" /* to change what was recorded */

static const synod_model_t *const s_models[] = {&synod_register_model, &synod_counter_model, &synod_lock_model,
                                                &synod_fenced_lock_model, &synod_reentrant_lock_model};
#define MODELS (sizeof s_models / sizeof s_models[0])

static uint64_t s_random;

static uint32_t s_below (uint32_t n)
{
    return (uint32_t) (generate_random (&s_random) >> 11) % n;
}

static const char *s_name (const char *what, const synod_model_t *model, uint64_t seed)
{
    static char name[120];
    snprintf (name, sizeof name, "%s, %s, seed %llu", what, model->name, (unsigned long long) seed);
    return name;
}

/* Any value that the operation could answer, right or not. */
static int64_t s_answer (const synod_model_t *model)
{
    if (model == &synod_counter_model)
        return s_below (7);
    if (model == &synod_register_model || s_below (5) == 0)
        return s_below (5) ? s_below (4) : SYNOD_NIL;
    return s_below (5);
}

/* Nothing holds it together: clients, operations and answers are drawn. */
static synod_history_t *s_nonsense (const synod_model_t *model, uint32_t operations)
{
    synod_history_t *history = synod_history_new (model, 0);
    uint32_t clients = 1 + s_below (operations);
    assert_non_null (history);
    for (uint32_t turn = 0, turns = operations * 2 + s_below (20); turn < turns; turn++) {
        uint32_t client = s_below (clients);
        int rc = SYNOD_BUSY;
        if (synod_history_count (history) < operations)
            rc = synod_history_invoke (history, turn, client, synod_str ("x"), s_below (model->noperations),
                                       s_below (3), s_below (4) ? (int64_t) s_below (4) : SYNOD_NIL);
        if (rc == SYNOD_OK)
            continue;
        assert_int_equal (rc, SYNOD_BUSY);
        switch (s_below (8)) {
        case 0:
            synod_history_unknown (history, turn, client);
            break;
        case 1:
            synod_history_fail (history, turn, client);
            break;
        default:
            synod_history_complete (history, turn, client, s_answer (model), s_below (3));
        }
    }
    return history;
}

/* Lost operations that nobody knows what became of, and what was seen after them. */
static synod_history_t *s_guesswork (const synod_model_t *model, uint32_t operations)
{
    synod_history_t *history = synod_history_new (model, 0);
    uint32_t seen = 1 + s_below (3);
    bool counter = model == &synod_counter_model;
    assert_non_null (history);
    for (uint32_t i = 0; i < operations; i++) {
        bool lost = i + seen < operations;
        uint32_t operation = s_below (model->noperations);
        if (counter)
            operation = lost ? SYNOD_COUNTER_ADD : SYNOD_COUNTER_READ;
        int64_t name = s_below (4) ? (int64_t) s_below (8) : SYNOD_NIL;
        assert_int_equal (synod_history_invoke (history, i, i, synod_str ("x"), operation, 1 + s_below (3), name),
                          SYNOD_OK);
        if (!lost)
            synod_history_complete (history, i, i, counter ? s_below (9) : s_answer (model), s_below (3));
    }
    return history;
}

/* One or two answers become others. */
static void s_mutate (synod_history_t *history)
{
    for (uint32_t times = 1 + s_below (2); times > 0; times--) {
        synod_op_t *op = &history->ops[s_below (history->count)];
        switch (s_below (5)) {
        case 0:
            op->outcome = op->outcome == SYNOD_OP_OPEN ? SYNOD_OP_OPEN : SYNOD_OP_UNKNOWN;
            break;
        case 1:
            op->outcome = op->outcome == SYNOD_OP_OPEN ? SYNOD_OP_OPEN : SYNOD_OP_FAILED;
            break;
        case 2:
            op->results[1] += 1;
            break;
        default:
            op->results[0] = s_below (2) ? op->results[0] + 1 : s_answer (history->model);
        }
    }
}

/* Both opinions on HISTORY, which has one key. True: yes. */
static bool s_agree (const synod_history_t *history, const char *what)
{
    synod_linear_t result;
    uint32_t stuck;
    bool yes = brute (history, 0, &stuck);
    check_verdict (history, NULL, yes ? SYNOD_LINEAR_YES : SYNOD_LINEAR_NO, &result, what);
    if (!yes) {
        check_prefix (history, &result, what);
        if (result.stuck != stuck)
            fail_msg ("%s: brute force sticks at operation %u, the checker at %u", what, stuck, result.stuck);
    }
    synod_linear_free (&result);
    return yes;
}

static void small_ones_agree_with_brute_force (void **state)
{
    (void) state;
    for (size_t m = 0; m < MODELS; m++) {
        unsigned yes = 0, no = 0;
        for (uint64_t seed = 1; seed <= 9000; seed++) {
            s_random = seed * 0x9e3779b97f4a7c15u + m;
            generate_t how = {.model = s_models[m],
                              .seed = seed,
                              .operations = 2 + s_below (6),
                              .clients = 1 + s_below (5),
                              .keys = 1,
                              .values = 2 + s_below (2),
                              .unknown_pct = s_below (60),
                              .failed_pct = 5};
            const char *const kinds[] = {"nonsense", "guesswork", "mutated"};
            uint32_t kind = seed % 3;
            synod_history_t *history = kind == 0   ? s_nonsense (s_models[m], how.operations)
                                       : kind == 1 ? s_guesswork (s_models[m], how.operations)
                                                   : generate (&how);
            assert_non_null (history);
            if (kind == 2)
                s_mutate (history);
            bool answer = s_agree (history, s_name (kinds[kind], s_models[m], seed));
            yes += answer;
            no += !answer;
            synod_history_destroy (&history);
        }
        printf ("%s: seeds 1 to 9000, %u linearizable and %u not\n", s_models[m]->name, yes, no);
        assert_true (yes > 1000 && no > 1000); /* else nothing much was compared */
    }
}

static generate_t s_large (const synod_model_t *model, uint64_t seed)
{
    s_random = seed * 0x9e3779b97f4a7c15u + 7;
    generate_t how = {.model = model,
                      .seed = seed,
                      .operations = 50 + s_below (1000),
                      .clients = 2 + s_below (9),
                      .keys = 1 + s_below (3),
                      .values = s_below (6),
                      .unknown_pct = s_below (3),
                      .failed_pct = s_below (5)};
    return how;
}

static void right_ones_are_accepted (void **state)
{
    (void) state;
    for (size_t m = 0; m < MODELS; m++) {
        for (uint64_t seed = 1; seed <= 300; seed++) {
            generate_t how = s_large (s_models[m], seed);
            synod_linear_t result;
            synod_history_t *history = generate (&how);
            assert_non_null (history);
            check_verdict (history, NULL, SYNOD_LINEAR_YES, &result, s_name ("right", s_models[m], seed));
            synod_linear_free (&result);
            synod_history_destroy (&history);
        }
    }
}

/* To know less can only allow more. */
static void forgotten_answers_change_no_yes (void **state)
{
    (void) state;
    for (size_t m = 0; m < MODELS; m++) {
        for (uint64_t seed = 1; seed <= 100; seed++) {
            generate_t how = s_large (s_models[m], seed);
            synod_linear_t result;
            how.operations = 20 + how.operations % 60;
            how.keys = 1;
            how.clients = 2 + how.clients % 3;
            synod_history_t *history = generate (&how);
            assert_non_null (history);
            for (uint32_t i = 0; i < history->count; i++)
                if (history->ops[i].outcome == SYNOD_OP_DONE && s_below (8) == 0)
                    history->ops[i].outcome = SYNOD_OP_UNKNOWN;
            check_verdict (history, NULL, SYNOD_LINEAR_YES, &result, s_name ("forgotten", s_models[m], seed));
            synod_linear_free (&result);
            synod_history_destroy (&history);
        }
    }
}

/* An answer that no order explains, in the second half if there is one to break. */
static bool s_break (synod_history_t *history)
{
    const synod_model_t *model = history->model;
    uint32_t from = s_below (history->count);
    for (uint32_t i = from; i < history->count; i++) {
        synod_op_t *op = &history->ops[i];
        bool lock = model != &synod_register_model && model != &synod_counter_model;
        if (op->outcome != SYNOD_OP_DONE || op->operation != (lock ? SYNOD_LOCK_ACQUIRE : 0))
            continue;
        if (model == &synod_lock_model) /* granted or refused, it can be neither */
            op->results[0] = 2;
        else if (lock)
            op->results[0] = -2; /* no fence is */
        else
            op->results[0] = -77 - (int64_t) history->count * 10000; /* nobody wrote or added so much */
        return true;
    }
    return false;
}

static void broken_ones_are_refused (void **state)
{
    (void) state;
    for (size_t m = 0; m < MODELS; m++) {
        unsigned broken = 0;
        for (uint64_t seed = 1; seed <= 200; seed++) {
            generate_t how = s_large (s_models[m], seed);
            how.values = 1 + how.values;
            how.unknown_pct = s_models[m] == &synod_register_model ? how.unknown_pct : 0;
            synod_linear_t result;
            const char *name = s_name ("broken", s_models[m], seed);
            synod_history_t *history = generate (&how);
            assert_non_null (history);
            if (s_break (history)) {
                check_verdict (history, NULL, SYNOD_LINEAR_NO, &result, name);
                check_prefix (history, &result, name);
                synod_linear_free (&result);
                broken++;
            }
            synod_history_destroy (&history);
        }
        assert_true (broken > 150);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (small_ones_agree_with_brute_force),
        cmocka_unit_test (right_ones_are_accepted),
        cmocka_unit_test (forgotten_answers_change_no_yes),
        cmocka_unit_test (broken_ones_are_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
