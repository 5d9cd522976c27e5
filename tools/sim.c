/* SPDX-License-Identifier: MPL-2.0
 *
 * synod sim: runs scenarios in the simulator, a world for each seed, and shows how the first seed that failed is
 * repeated.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include "bus/library.h"
#include "builtin.h"
#include "scenarios.h"
#include "sim_pool.h"
#include "tool.h"

#define SEEDS_LAST  100
#define SHRINK_RUNS 200
#define FOR_MS      60000

typedef struct {
    const char *seeds, *faults;
    uint32_t for_ms;
    uint64_t jobs, shrink;
    bool calm, wide, slow, trace, quiet, no_shrink;
    const char *word; /* what is run */
    synod__sim_work_t work;
    synod_plan_t *plan;
} self_t;

/* ---- what is meant ---- */

static bool parse_number (const char *text, const char **end, uint64_t *number)
{
    char *stop;
    errno = 0;
    *number = strtoull (text, &stop, 10);
    *end = stop;
    return *text >= '0' && *text <= '9' && errno == 0;
}

/* 7, or 1..1000 */
static bool parse_seeds (const char *text, uint64_t *first, uint64_t *last)
{
    const char *end;
    if (!parse_number (text, &end, first))
        return false;
    *last = *first;
    if (strncmp (end, "..", 2) == 0 && !parse_number (end + 2, &end, last))
        return false;
    return *end == 0 && *first <= *last && *last < UINT64_MAX;
}

static const void *list (const void *scenarios)
{
    return ((const synod_scenarios_t *) scenarios)->scenarios;
}

static const char *name (const void *scenarios, size_t i)
{
    const synod_scenario_t *scenario = ((const synod_scenario_t *const *) scenarios)[i];
    return scenario ? scenario->name : NULL;
}

static const synod__library_kind_t kind = {"scenarios", "scenario", "synod_scenarios", "SYNOD_SCENARIOS", list, name};

static int understand (self_t *self, const synod__command_t *command)
{
    synod_fault_t fault = {0};
    long cores = sysconf (_SC_NPROCESSORS_ONLN);
    self->word = command->words[0];
    self->work.last = SEEDS_LAST;
    self->work.first = 1;
    if (self->seeds && !parse_seeds (self->seeds, &self->work.first, &self->work.last))
        return synod__misused (command, "--seeds takes a number or two as in 1..1000, not '%s'", self->seeds);
    if (self->faults && self->calm)
        return synod__misused (command, "--calm and --faults contradict each other");
    if (self->trace && self->work.first != self->work.last)
        return synod__misused (command, "--trace takes one seed, as in --seeds 7");
    if (self->jobs > SYNOD__SIM_JOBS_MAX)
        return synod__misused (command, "--jobs takes at most %d", SYNOD__SIM_JOBS_MAX);
    self->plan = self->faults ? synod_plan_parse (self->faults, &fault) : NULL;
    if (self->faults && !self->plan)
        return synod__misused (command, "--faults: %s", fault.text);
    self->work.plan = self->plan;
    self->work.options.length_ms = self->for_ms ? self->for_ms : FOR_MS;
    self->work.options.calm = self->calm;
    self->work.options.wide = self->wide;
    self->work.options.slow = self->slow;
    self->work.jobs = self->jobs ? (uint32_t) self->jobs : cores > 0 ? (uint32_t) cores : 1;
    self->work.progress = !self->quiet && isatty (STDERR_FILENO);
    return SYNOD__EXIT_NONE;
}

/* ---- what came of it ---- */

static void print_plan (const char *what, const synod_plan_t *plan)
{
    synod_buf_t text = {0};
    if (synod_plan_print (plan, &text) == SYNOD_OK)
        printf ("  %s%.*s\n", what, (int) text.size, text.data);
    synod_buf_free (&text);
}

/* The words that repeat it, of the same command. */
static void print_again (const self_t *self, uint64_t seed, const synod_plan_t *plan)
{
    synod_buf_t text = {0};
    printf ("  again:    synod sim %s", self->word);
    if (!strchr (self->word, ':') && strchr (self->word, '/'))
        printf (":%s", self->work.scenario->name);
    printf (" --seeds %" PRIu64 " --for %" PRId64 "ms", seed, self->work.options.length_ms);
    if (plan && synod_plan_print (plan, &text) == SYNOD_OK)
        printf (" --faults '%.*s'", (int) text.size, text.data);
    else if (self->faults)
        printf (" --faults '%s'", self->faults);
    else if (self->calm)
        printf (" --calm");
    if (self->wide)
        printf (" --wide");
    if (self->slow)
        printf (" --slow");
    printf ("  (with --trace: every message)\n");
    synod_buf_free (&text);
}

static void tell_failure (const self_t *self, const synod__sim_sum_t *sum)
{
    const synod_scenario_t *scenario = self->work.scenario;
    synod_sim_result_t result = {0};
    printf ("%s: seed %" PRIu64 " failed", scenario->name, sum->seed);
    if (sum->died) {
        printf (": %s\n", sum->text);
        print_again (self, sum->seed, NULL);
        return;
    }
    printf (" after %.3f s: %s\n", (double) sum->virtual_us / 1e6, sum->text);
    synod_sim_scenario (scenario, sum->seed, self->work.plan, &self->work.options, &result);
    if (result.plan && *result.plan)
        printf ("  faults:   %s\n", result.plan);
    synod_sim_result_clear (&result);
    synod_plan_t *plan = NULL;
    if (!self->no_shrink && !self->calm) {
        fflush (stdout);
        plan = synod_sim_scenario_shrink (scenario, sum->seed, self->work.plan, &self->work.options,
                                          self->shrink ? (uint32_t) self->shrink : SHRINK_RUNS);
    }
    if (plan)
        print_plan (synod_plan_size (plan) ? "enough:   " : "enough:   no fault at all", plan);
    print_again (self, sum->seed, plan);
    synod_plan_destroy (&plan);
}

static void print_line (void *arg, const char *line)
{
    (void) arg;
    puts (line);
}

static int trace (self_t *self)
{
    synod_sim_result_t result = {0};
    synod_sim_options_t options = self->work.options;
    options.on_line = print_line;
    bool ok = synod_sim_scenario (self->work.scenario, self->work.first, self->work.plan, &options, &result);
    fprintf (stderr, "synod: seed %" PRIu64 " %s%s%s (hash %016" PRIx64 ")\n", self->work.first, ok ? "held" : "failed",
             ok ? "" : ": ", ok ? "" : result.fault.text, result.hash);
    synod_sim_result_clear (&result);
    return ok ? SYNOD__EXIT_DONE : SYNOD__EXIT_ERROR;
}

static int run (self_t *self, const synod_scenario_t *scenario)
{
    synod__sim_sum_t sum;
    synod_fault_t fault = {0};
    self->work.scenario = scenario;
    if (self->trace)
        return trace (self);
    int rc = synod__sim_pool (&self->work, &sum, &fault);
    if (rc != SYNOD_OK)
        return synod__fail (rc, fault.text);
    if (sum.failed) {
        tell_failure (self, &sum);
        return SYNOD__EXIT_ERROR;
    }
    double seconds = (double) (sum.real_us > 0 ? sum.real_us : 1) / 1e6;
    printf ("%s: %" PRIu64
            " seeds held; %.1f h of virtual time in %.1f s (%.0f x), %.1f M messages (%.0f k a second)\n",
            scenario->name, sum.seeds, (double) sum.total_us / 3.6e9, seconds, (double) sum.total_us / 1e6 / seconds,
            (double) sum.messages / 1e6, (double) sum.messages / seconds / 1e3);
    return SYNOD__EXIT_DONE;
}

int synod__tool_sim (int argc, char **argv)
{
    self_t self = {0};
    const synod__opt_t options[] = {
        {"seeds", SYNOD__OPT_TEXT, "A..B", "a world for each of these (default 1..100); or one number", &self.seeds},
        {"for", SYNOD__OPT_MS, "TIME", "virtual time with faults, in each (default 60s)", &self.for_ms},
        {"faults", SYNOD__OPT_TEXT, "PLAN", "as loss=5,crash=*3; what it leaves open is drawn (default: all)",
         &self.faults},
        {"calm", SYNOD__OPT_FLAG, NULL, "no faults", &self.calm},
        {"wide", SYNOD__OPT_FLAG, NULL, "turns that others can answer go on for a while, as they do between processes",
         &self.wide},
        {"slow", SYNOD__OPT_FLAG, NULL, "commits take a while, and turns go on meanwhile", &self.slow},
        {"jobs", SYNOD__OPT_COUNT, "N", "processes (default: one a core)", &self.jobs},
        {"shrink", SYNOD__OPT_COUNT, "N", "tries to shorten the faults of a failing seed (default 200)", &self.shrink},
        {"no-shrink", SYNOD__OPT_FLAG, NULL, "do not", &self.no_shrink},
        {"trace", SYNOD__OPT_FLAG, NULL, "print every message of the one seed", &self.trace},
        {"quiet", SYNOD__OPT_FLAG, NULL, "no progress", &self.quiet},
        {0},
    };
    synod__command_t command = {
        .name = "sim",
        .synopsis = "SCENARIO|./lib.so[:SCENARIO] [OPTION]...",
        .about =
            "Runs actors in the simulator, with faults, once for each seed, and checks what its scenario demands.\n"
            "Exit 0 only if all seeds held; else the first that failed, and how to repeat it, are printed.\n"
            "PLAN: KIND=VALUE[/FROM/TO][@START][+LENGTH],... of loss dup reorder delay slow partition oneway reset\n"
            "crash wipe full pause skew; see docs/simulator.md.\n",
        .options = options,
        .words_min = 1,
        .words_max = 1,
        .words_are = "a scenario (counter, register, echo, paxos) or a shared object",
    };
    const void *found;
    const char *only;
    synod_fault_t fault = {0};
    int status = synod__command_parse (&command, argc, argv);
    if (status == SYNOD__EXIT_NONE)
        status = understand (&self, &command);
    if (status == SYNOD__EXIT_NONE &&
        synod__library_find (&kind, self.word, synod__builtin_scenarios, &found, &only, &fault) != SYNOD_OK)
        status = synod__misused (&command, "%s", fault.text);
    if (status == SYNOD__EXIT_NONE) {
        const synod_scenario_t *const *one = (const synod_scenario_t *const *) found;
        for (status = SYNOD__EXIT_DONE; *one && status == SYNOD__EXIT_DONE; one++)
            if (!only || strcmp ((*one)->name, only) == 0)
                status = run (&self, *one);
    }
    synod_plan_destroy (&self.plan);
    synod__command_free (&command);
    return status;
}
