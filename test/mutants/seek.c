/* SPDX-License-Identifier: MPL-2.0
 *
 * Seeking the first seed that shows a planted bug.
 */
#include "seek.h"

uint64_t seek (const seek_t *self, char *text, size_t size)
{
    const synod_sim_options_t options = {.length_ms = self->length_ms};
    synod_fault_t fault = {0};
    synod_plan_t *plans[SEEK_PLANS] = {NULL};
    for (size_t i = 0; i < SEEK_PLANS; i++)
        if (self->plans[i] && !(plans[i] = synod_plan_parse (self->plans[i], &fault)))
            fail_msg ("%s", fault.text);
    uint64_t seed = 1;
    for (bool ok = true; ok && seed <= SEEK_SEEDS; seed += ok) {
        synod_sim_result_t result = {0};
        ok = synod_sim_scenario (self->scenario (seed), seed, plans[seed % SEEK_PLANS], &options, &result);
        snprintf (text, size, "%s", result.fault.text);
        synod_sim_result_clear (&result);
    }
    for (size_t i = 0; i < SEEK_PLANS; i++)
        synod_plan_destroy (&plans[i]);
    return seed <= SEEK_SEEDS ? seed : 0;
}

void seek_without (const seek_t *self)
{
    char text[SYNOD_FAULT_MAX];
    self->plant (0);
    uint64_t seed = seek (self, text, sizeof text);
    if (seed)
        print_error ("without a bug seed %" PRIu64 " fails: %s\n", seed, text);
    assert_int_equal (seed, 0);
}

void seek_each (const seek_t *self)
{
    char text[SYNOD_FAULT_MAX];
    bool all = true;
    for (int bug = 1; bug < self->nbugs; bug++) {
        self->plant (bug);
        uint64_t seed = seek (self, text, sizeof text);
        if (seed)
            print_message ("%-20s seed %3" PRIu64 "  %s\n", self->bugs[bug].name, seed, text);
        else
            print_error ("%-20s not found in %d seeds%s%s\n", self->bugs[bug].name, SEEK_SEEDS,
                         self->bugs[bug].doc ? ": " : "", self->bugs[bug].doc ? self->bugs[bug].doc : "");
        all &= seed != 0;
    }
    self->plant (0);
    assert_true (all);
}
