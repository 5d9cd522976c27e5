/* SPDX-License-Identifier: MPL-2.0
 *
 * Many seeds of one scenario, on several processes.
 */
#ifndef SYNOD_TOOLS_SIM_POOL_H_INCLUDED
#define SYNOD_TOOLS_SIM_POOL_H_INCLUDED

#include <synod/sim.h>

#define SYNOD__SIM_JOBS_MAX 256

typedef struct {
    const synod_scenario_t *scenario;
    uint64_t first, last;
    const synod_plan_t *plan; /* NULL: drawn for each seed */
    synod_sim_options_t options;
    uint32_t jobs;
    bool progress; /* on standard error */
} synod__sim_work_t;

typedef struct {
    bool failed;
    uint64_t seed;      /* the lowest that failed */
    bool died;          /* its process ended by a signal, of which `text` tells; there is nothing to shrink */
    int64_t virtual_us; /* how long its world ran */
    char text[SYNOD_FAULT_MAX + 64];
    uint64_t seeds; /* that held */
    uint64_t messages, frames;
    int64_t total_us; /* virtual */
    int64_t real_us;
} synod__sim_sum_t;

/* Runs every seed from first to last, or up to the lowest that fails. SYNOD_OK, also when one failed; else a sentence
 * in FAULT: no process could be started, or the scenario could not be set up. */
int synod__sim_pool (const synod__sim_work_t *work, synod__sim_sum_t *sum, synod_fault_t *fault);

#endif
