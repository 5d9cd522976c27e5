/* SPDX-License-Identifier: MPL-2.0
 *
 * Seeds, until one fails; and which of the runtime's bugs is alive.
 */
#include "seek.h"
#include <stdio.h>
#include "actors/runtime/mutants.h"

int synod__mutant;

uint64_t seek (const synod_scenario_t *scenario, uint64_t seeds, int64_t length_ms, const char *const *texts,
               size_t nplans, char *text, size_t size)
{
    const synod_sim_options_t options = {.length_ms = length_ms};
    synod_fault_t fault = {0};
    synod_plan_t *plans[SEEK_PLANS_MAX] = {NULL};
    for (size_t i = 0; i < nplans; i++)
        if (texts[i] && !(plans[i] = synod_plan_parse (texts[i], &fault)))
            fail_msg ("%s", fault.text);
    uint64_t seed = 1;
    for (bool ok = true; ok && seed <= seeds; seed += ok) {
        synod_sim_result_t result = {0};
        ok = synod_sim_scenario (scenario, seed, plans[seed % nplans], &options, &result);
        snprintf (text, size, "%s", result.fault.text);
        synod_sim_result_clear (&result);
    }
    for (size_t i = 0; i < nplans; i++)
        synod_plan_destroy (&plans[i]);
    return seed <= seeds ? seed : 0;
}
