/* SPDX-License-Identifier: MPL-2.0
 *
 * Scenarios: one run is set-up, all nodes up, a time with faults, healing, rest, the last checks. Whatever goes wrong
 * in any of these is the run's result; nothing of it outlives the run.
 */
#include <stdlib.h>
#include "internal.h"
#include "plan.h"

#define S_LENGTH_MS 60000
#define S_SETTLE_MS 60000
#define S_JOIN_MS   60000
#define S_WIDE_US   300
#define S_DISK_US   2000
#define S_SLOWER_US 30000 /* for odd seeds */

enum { STREAM_EITHER = 201, STREAM_PLAN };

typedef struct {
    const synod_scenario_t *scenario;
    void *state;
    synod_sim_t *sim;
    synod_sim_result_t *result;
} s_run_t;

/* The run ends with CODE and the world's last error, where the world itself has no violation to tell of. */
static bool s_bad (s_run_t *run, int code)
{
    if (code == SYNOD_OK)
        return false;
    const synod_fault_t *fault = synod_sim_violation (run->sim);
    if (!fault->code)
        fault = synod_sim_error (run->sim);
    synod_fault (&run->result->fault, fault->code ? fault->code : code, "%s",
                 fault->code ? fault->text : synod_error_meaning (code));
    return true;
}

static bool s_rests (synod_sim_t *sim, void *arg)
{
    const s_run_t *run = (const s_run_t *) arg;
    return synod_sim_asks (sim) == 0 && (!run->scenario->done || run->scenario->done (sim, run->state));
}

static int s_settle (s_run_t *run)
{
    uint32_t ms = run->scenario->settle_ms ? run->scenario->settle_ms : S_SETTLE_MS;
    /* what the faults did is noticed within three heartbeats */
    int rc = synod_sim_run (run->sim, 4 * (int64_t) run->sim->settings.heartbeat_ms);
    rc = rc == SYNOD_OK ? synod_sim_until (run->sim, s_rests, run, ms) : rc;
    if (rc == SYNOD_TIMEOUT)
        return synod_sim_fail (run->sim, "%u ms after all was healed, the work is not done: %u asks have no answer", ms,
                               synod_sim_asks (run->sim));
    rc = rc == SYNOD_OK ? synod_sim_join (run->sim, ms) : rc;
    if (rc == SYNOD_TIMEOUT)
        return synod_sim_fail (run->sim, "%u ms after all was healed, the nodes do not know each other", ms);
    return rc;
}

static void s_plan_text (s_run_t *run, const synod_plan_t *plan)
{
    synod_buf_t text = {0};
    synod__buf_add (&text, "", 1);
    text.size = 0;
    if (plan)
        synod_plan_print (plan, &text);
    free (run->result->plan);
    run->result->plan = text.data;
}

/* Nothing is drawn from the world for it: a plan taken apart leaves the world's chance as it was. */
static bool s_inject (s_run_t *run, const synod_plan_t *given, const synod_sim_options_t *options, int64_t length_ms)
{
    uint64_t seed = synod__sim_stream (run->result->seed, STREAM_PLAN, 0);
    synod_fault_t fault = {0};
    synod_plan_t *own = NULL;
    if (!given && options->calm)
        own = synod_plan_copy (NULL);
    else if (!given && run->scenario->faults)
        own = synod_plan_parse (run->scenario->faults, &fault);
    synod_plan_t *plan = fault.code ? NULL : synod_plan_draw (given ? given : own, run->sim, seed, length_ms, &fault);
    synod_plan_destroy (&own);
    if (!plan) {
        run->result->fault = fault;
        return false;
    }
    s_plan_text (run, plan);
    int rc = synod_sim_inject (run->sim, plan);
    synod_plan_destroy (&plan);
    return !s_bad (run, rc);
}

static void s_run (s_run_t *run, const synod_plan_t *plan, const synod_sim_options_t *options)
{
    int64_t length_ms = options->length_ms > 0 ? options->length_ms : S_LENGTH_MS;
    const synod_scenario_t *scenario = run->scenario;
    if (s_bad (run, scenario->setup (run->sim, run->state)) || s_bad (run, synod_sim_join (run->sim, S_JOIN_MS)) ||
        !s_inject (run, plan, options, length_ms) || s_bad (run, synod_sim_run (run->sim, length_ms)) ||
        s_bad (run, synod_sim_heal (run->sim)) || s_bad (run, s_settle (run)))
        return;
    if (scenario->finish && s_bad (run, scenario->finish (run->sim, run->state)))
        return;
    run->result->ok = !s_bad (run, synod_sim_violation (run->sim)->code);
}

bool synod_sim_scenario (const synod_scenario_t *scenario, uint64_t seed, const synod_plan_t *plan,
                         const synod_sim_options_t *options, synod_sim_result_t *result)
{
    static const synod_sim_options_t none;
    synod_sim_settings_t settings = scenario->settings;
    s_run_t run = {.scenario = scenario, .result = result};
    options = options ? options : &none;
    memset (result, 0, sizeof *result);
    result->seed = seed;
    if (scenario->either)
        settings.direct = synod__sim_stream (seed, STREAM_EITHER, 0) & 1;
    if (options->wide && !settings.wide_us)
        settings.wide_us = S_WIDE_US;
    if (options->slow && !settings.disk_us)
        settings.disk_us = seed & 1 ? S_SLOWER_US : S_DISK_US;
    run.state = synod__alloc (scenario->state_size);
    run.sim = synod_sim_new (seed, &settings);
    s_plan_text (&run, plan);
    if (!run.sim)
        synod_fault (&result->fault, SYNOD_NO_MEMORY, "no memory for a world");
    else {
        if (options->on_line)
            synod_sim_trace (run.sim, options->on_line, options->arg);
        s_run (&run, plan, options);
        result->hash = synod_sim_hash (run.sim);
        result->virtual_us = synod_sim_now_us (run.sim);
        result->stats = synod_sim_stats (run.sim);
    }
    synod_sim_destroy (&run.sim);
    if (scenario->fini)
        scenario->fini (run.state);
    free (run.state);
    return result->ok;
}

void synod_sim_result_clear (synod_sim_result_t *result)
{
    free (result->plan);
    result->plan = NULL;
}

/* ---- shrinking ---- */

typedef struct {
    const synod_scenario_t *scenario;
    uint64_t seed;
    synod_sim_options_t options;
} s_again_t;

static bool s_fails (void *arg, const synod_plan_t *plan)
{
    const s_again_t *again = (const s_again_t *) arg;
    synod_sim_result_t result;
    synod_sim_scenario (again->scenario, again->seed, plan, &again->options, &result);
    bool fails = !result.ok && result.fault.code == SYNOD_FAILED;
    synod_sim_result_clear (&result);
    return fails;
}

synod_plan_t *synod_sim_scenario_shrink (const synod_scenario_t *scenario, uint64_t seed, const synod_plan_t *plan,
                                         const synod_sim_options_t *options, uint32_t runs)
{
    synod_sim_result_t result;
    s_again_t again = {.scenario = scenario, .seed = seed};
    if (options) {
        again.options.length_ms = options->length_ms;
        again.options.calm = options->calm;
        again.options.wide = options->wide;
        again.options.slow = options->slow;
    }
    /* what the seed drew, so that it is the plan itself that gets shorter */
    bool ok = synod_sim_scenario (scenario, seed, plan, &again.options, &result);
    synod_plan_t *drawn = ok ? NULL : synod_plan_parse (result.plan, NULL);
    synod_plan_t *shortest = drawn ? synod_plan_shrink (drawn, s_fails, &again, runs) : NULL;
    synod_plan_destroy (&drawn);
    synod_sim_result_clear (&result);
    return shortest;
}
