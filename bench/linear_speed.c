/* SPDX-License-Identifier: MPL-2.0
 *
 * How long the checker of linearizability takes. Each line: the model; how many random histories, of how many keys,
 * operations and clients each; how many different values (0: each written one is unique); per cent of lost outcomes;
 * then the verdict, the time of all checks, steps of the model, configurations kept and memory at most.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "sim/history_internal.h"
#include "test/linear/generate.h"

typedef struct {
    const synod_model_t *model;
    uint32_t histories; /* of one key each, checked one after another */
    uint32_t keys, operations, clients, values, unknown_pct;
    bool broken; /* the last answer is one that nothing explains: all has to be searched */
} s_case_t;

static double s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static synod_history_t *s_history (const s_case_t *the, uint64_t seed)
{
    generate_t how = {.model = the->model,
                      .seed = seed,
                      .operations = the->operations,
                      .clients = the->clients,
                      .keys = the->keys,
                      .values = the->values,
                      .unknown_pct = the->unknown_pct};
    synod_history_t *history = generate (&how);
    if (!history) {
        fprintf (stderr, "linear_speed: no memory for the history\n");
        exit (1);
    }
    for (uint32_t i = history->count; the->broken && i-- > 0;) {
        synod_op_t *op = &history->ops[i];
        if (op->outcome == SYNOD_OP_DONE && history->model->operations[op->operation].nresults > 0) {
            op->results[0] = -1234567;
            break;
        }
    }
    return history;
}

/* Prints a line; false: some verdict is not the right one. */
static bool s_measure (const s_case_t *the)
{
    const synod_linear_bounds_t bounds = {.steps = 2000000000, .memory = (size_t) 1 << 31};
    synod_verdict_t wanted = the->broken ? SYNOD_LINEAR_NO : SYNOD_LINEAR_YES;
    unsigned long long steps = 0, kept = 0;
    double took = 0, most = 0;
    bool right = true;
    for (uint32_t i = 0; i < the->histories; i++) {
        synod_linear_t result;
        synod_history_t *history = s_history (the, i + 1);
        double began = s_now ();
        right &= synod_linear_check (history, &bounds, &result) == SYNOD_OK && result.verdict == wanted;
        took += s_now () - began;
        steps += result.steps;
        kept += result.configurations;
        if ((double) result.memory > most)
            most = (double) result.memory;
        synod_linear_free (&result);
        synod_history_destroy (&history);
    }
    printf (
        "%-14s %4u x %4u keys %8u operations %3u clients %2u values %2u%% lost: %-5s %8.3f s %9llu steps %8llu kept "
        "%6.1f MiB\n",
        the->model->name, the->histories, the->keys, the->operations, the->clients, the->values, the->unknown_pct,
        right ? synod_verdict_name (wanted) : "WRONG", took, steps, kept, most / 1048576);
    fflush (stdout);
    return right;
}

int main (void)
{
    static const s_case_t cases[] = {
        {&synod_register_model, 1, 1000, 1000000, 10, 5, 0, false},
        {&synod_register_model, 1000, 1, 1000, 10, 5, 0, false},
        {&synod_register_model, 1, 1, 5000, 10, 5, 0, false},
        {&synod_register_model, 1, 1, 10000, 10, 5, 0, false},
        {&synod_register_model, 1, 1, 30000, 10, 5, 0, false},
        {&synod_register_model, 1, 1, 10000, 20, 5, 0, false},
        {&synod_register_model, 1, 1, 10000, 40, 5, 0, false},
        {&synod_register_model, 1, 1, 10000, 10, 0, 0, false},
        {&synod_register_model, 1, 1, 5000, 10, 5, 2, false},
        {&synod_register_model, 1, 1, 5000, 10, 0, 2, false},
        {&synod_register_model, 1, 1, 10000, 10, 5, 0, true},
        {&synod_register_model, 1, 1, 10000, 20, 5, 0, true},
        {&synod_register_model, 1, 1, 10000, 10, 0, 0, true},
        {&synod_register_model, 1, 1, 1000, 10, 0, 2, true},
        {&synod_counter_model, 1, 1, 10000, 10, 5, 0, false},
        {&synod_counter_model, 1, 1, 10000, 10, 5, 0, true},
        {&synod_counter_model, 1, 1, 5000, 10, 1, 2, false},
        {&synod_fenced_lock_model, 1, 1, 10000, 10, 4, 0, false},
        {&synod_reentrant_lock_model, 1, 1, 10000, 10, 4, 0, true},
        {&synod_reentrant_lock_model, 1, 1, 5000, 10, 4, 2, false},
    };
    bool right = true;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        right &= s_measure (&cases[i]);
    return right ? 0 : 1;
}
