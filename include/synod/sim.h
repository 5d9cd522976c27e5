/* SPDX-License-Identifier: MPL-2.0
 *
 * The simulator: a world of virtual nodes in one thread. They run the same actors, and the same runtime around them, as
 * on a bus; the world owns the time, the chance, the wires, the disks and the deaths. A run is a function of its seed:
 * the same seed with the same build gives the same trace to the byte.
 *
 * A world is driven by its owner, from one thread: step by step, for a time, until a condition. A step is one instant
 * of virtual time: what is due then happens, each node concerned takes one turn, and the checkers run. Virtual time
 * begins at 0. Functions that return int return SYNOD_OK or an error; its sentence is synod_sim_error (sim). After a
 * violation the world has ended: it can be looked at, and driving it gives SYNOD_INVALID.
 *
 * Callbacks may call any function here but those that drive the world or destroy it.
 */
#ifndef SYNOD_SIM_H_INCLUDED
#define SYNOD_SIM_H_INCLUDED

#include <stdio.h>
#include <synod/actor.h>
#include <synod/history.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct synod_sim_t synod_sim_t;

/* Nodes are numbers from 1, in the order in which they were added; the broker is a place of its own. */
#define SYNOD_SIM_BROKER    0
#define SYNOD_SIM_NODES_MAX 1000
#define SYNOD_SIM_SKEW_MAX  200000 /* ppm: the bound within which a clock's rate may be off */

/* What a wire does to the frames on it. Chances are in a million. */
typedef struct {
    uint32_t delay_min_us; /* no frame takes less */
    uint32_t
        delay_mean_us; /* on average; what is above the least is spread exponentially. Not above it: always the least */
    uint32_t loss_ppm; /* never arrives */
    uint32_t dup_ppm;  /* arrives twice */
    uint32_t reorder_ppm; /* is overtaken by those behind it; all others keep the order of their path */
} synod_sim_wire_t;

/* Zero means the default everywhere. */
typedef struct {
    bool direct;           /* without a broker */
    bool links;            /* with a broker: let nodes that talk a lot use direct links */
    uint32_t heartbeat_ms; /* SYNOD_HEARTBEAT_MS */
    uint32_t drain_ms;     /* 5000 */
    uint32_t link_after;   /* as the runtime's: messages within a heartbeat that are worth a direct link; 100 */
    size_t queue_bytes;    /* SYNOD_QUEUE_MAX */
    uint32_t turn_us;      /* how long a turn keeps its node busy: what arrives meanwhile shares the next one; 20 */
    uint32_t wide_us;      /* half the turns with copies to commit go on for up to so long, and commit what comes
                            * meanwhile too; 0: none does */
    uint32_t disk_us;      /* a commit takes up to so long, and turns go on meanwhile; 0: it is over with its turn */
    synod_sim_wire_t wire; /* of every wire; all zero: 100 us at least, 300 us on average */
} synod_sim_settings_t;

/* ---- worlds ---- */

/* NULL when memory ran out. Copies SETTINGS, which may be NULL. The caller owns the world. */
SYNOD_API synod_sim_t *synod_sim_new (uint64_t seed, const synod_sim_settings_t *settings);
SYNOD_API void synod_sim_destroy (synod_sim_t **self_p);
SYNOD_API uint64_t synod_sim_seed (const synod_sim_t *self);
SYNOD_API int64_t synod_sim_now_us (const synod_sim_t *self);
/* The workload's own stream of chance: what is drawn here changes nothing that the world draws. */
SYNOD_API uint64_t synod_sim_random (synod_sim_t *self);
/* What the last error was, and what ended the world (code SYNOD_OK: nothing has). Owned by the world. */
SYNOD_API const synod_fault_t *synod_sim_error (const synod_sim_t *self);
SYNOD_API const synod_fault_t *synod_sim_violation (const synod_sim_t *self);

/* ---- nodes ---- */

/* Adds a node; it runs once it is started. Its number, or 0 with an error. Copies NAME. */
SYNOD_API int synod_sim_node (synod_sim_t *self, const char *name);
SYNOD_API int synod_sim_find (const synod_sim_t *self, const char *name); /* -1: there is none; "$broker": 0 */
SYNOD_API const char *synod_sim_name (const synod_sim_t *self, int node); /* "" when there is none */
SYNOD_API int synod_sim_nodes (const synod_sim_t *self); /* how many there are; their numbers are 1 to it */

/* An actor of the node, for each of its lives. ARGS: a filled record of type->args (copied) or NULL. While the node is
 * down. The errors of synod_node_add: a handler that is missing or there twice, a name taken, arguments not wanted. */
SYNOD_API int synod_sim_add (synod_sim_t *self, int node, const synod_actor_t *type, const void *args);

/* Starts a node, or starts one that is down again: as a new incarnation, with the disk that the last one left. For the
 * broker too (it is started with the first node by itself). */
SYNOD_API int synod_sim_start (synod_sim_t *self, int node);
/* Adds a node with one actor and starts it; 0 with an error. */
SYNOD_API int synod_sim_up (synod_sim_t *self, const char *name, const synod_actor_t *type, const void *args);
SYNOD_API int synod_sim_stop (synod_sim_t *self, int node); /* as SIGTERM: it leaves, drains and ends */
/* At once, as SIGKILL; in the middle of its turn, the turn does nothing more. What it had not committed is lost; what
 * is on its way may arrive or not. Each fini still runs, for its memory alone: nothing that it does goes anywhere. */
SYNOD_API int synod_sim_crash (synod_sim_t *self, int node);
/* The same after EFFECTS more of its effects have happened (each commit, frame sent and frame published is one): 0 is
 * right before the next one, so before a commit, between commit and send, or between two sends. */
SYNOD_API int synod_sim_crash_after (synod_sim_t *self, int node, uint32_t effects);
SYNOD_API int synod_sim_wipe (synod_sim_t *self,
                              int node); /* an empty disk, for the next start of a node that is down */
/* The next commit of its disk fails, as a full disk or a failed sync: the node must stop and acknowledge nothing. */
SYNOD_API int synod_sim_disk_fails (synod_sim_t *self, int node);
/* As SIGSTOP and SIGCONT: its frames pile up, its timers are late, its clock goes on. */
SYNOD_API int synod_sim_pause (synod_sim_t *self, int node);
SYNOD_API int synod_sim_resume (synod_sim_t *self, int node);
/* From now its clock runs by so much too fast, or too slow when negative; SYNOD_INVALID beyond SYNOD_SIM_SKEW_MAX. */
SYNOD_API int synod_sim_skew (synod_sim_t *self, int node, int32_t ppm);

typedef enum {
    SYNOD_SIM_DOWN,    /* not started, crashed, or ended; synod_sim_ended tells why */
    SYNOD_SIM_JOINING, /* started, and not yet on the bus */
    SYNOD_SIM_UP,      /* on the bus */
    SYNOD_SIM_DRAINING /* asked to stop */
} synod_sim_state_t;
SYNOD_API synod_sim_state_t synod_sim_state (const synod_sim_t *self, int node);
/* How its last life ended by itself; code SYNOD_OK: it was stopped, crashed, or is alive. Owned by the world. */
SYNOD_API const synod_fault_t *synod_sim_ended (const synod_sim_t *self, int node);

/* The memory of an actor that runs, for checkers; NULL when it does not. Borrowed until the next step. */
SYNOD_API const void *synod_sim_memory (const synod_sim_t *self, int node, const char *actor);
/* Runs FUNCTION as if it were a handler of the actor: for looking into its store, for making it do something. Returns
 * what it returned, or SYNOD_STOPPED. */
typedef int synod_sim_act_t (synod_ctx_t *ctx, void *state, void *arg);
SYNOD_API int synod_sim_act (synod_sim_t *self, int node, const char *actor, synod_sim_act_t *function, void *arg);

/* Visits what an actor of the node keeps in its store, as synod_scan, the node being up or down. In a checker, or when
 * the world is not being driven, that is what is durable: every turn has ended. */
SYNOD_API int synod_sim_scan (const synod_sim_t *self, int node, const char *actor, synod_str_t from, synod_str_t until,
                              synod_on_entry_t *on_entry, void *arg);
/* How many commits of NODE's disk were durable so far: what synod_sim_scan sees is the same as long as this is. */
SYNOD_API uint64_t synod_sim_commits (const synod_sim_t *self, int node);

/* ---- wires ----
 * Between nodes, and between each node and the broker; FROM and TO may be SYNOD_SIM_BROKER. */

SYNOD_API int synod_sim_wire (synod_sim_t *self, const synod_sim_wire_t *wire); /* of all that have none of their own */
SYNOD_API int synod_sim_wire_between (synod_sim_t *self, int from, int to,
                                      const synod_sim_wire_t *wire); /* NULL: as all */
/* Nothing that FROM sends reaches TO any longer, or again. What was on its way still arrives. */
SYNOD_API int synod_sim_cut (synod_sim_t *self, int from, int to, bool cut);
/* Their connections break, and what was on them is lost; they are made again by themselves. */
SYNOD_API int synod_sim_disconnect (synod_sim_t *self, int a, int b);

/* ---- driving ---- */

/* One instant. SYNOD_OK; SYNOD_NOT_FOUND when nothing is to happen any more; SYNOD_FAILED when a violation was
 * reported in it, which is synod_sim_violation. The others here return alike. */
SYNOD_API int synod_sim_step (synod_sim_t *self);
SYNOD_API int synod_sim_run (synod_sim_t *self, int64_t ms); /* for so long */
/* Until CONDITION; SYNOD_TIMEOUT when that takes more than LIMIT_MS. */
typedef bool synod_sim_condition_t (synod_sim_t *self, void *arg);
SYNOD_API int synod_sim_until (synod_sim_t *self, synod_sim_condition_t *condition, void *arg, int64_t limit_ms);
/* Until every node that was started is up and knows every other (clients need not be known to each other). */
SYNOD_API int synod_sim_join (synod_sim_t *self, int64_t limit_ms);
/* Runs FUNCTION after so much virtual time, between two turns: for scripts and workloads. */
typedef void synod_sim_script_t (synod_sim_t *self, void *arg);
SYNOD_API int synod_sim_after (synod_sim_t *self, int64_t delay_us, synod_sim_script_t *function, void *arg);

/* ---- scripted clients: nodes of no actors, whose asks are made from outside ---- */

SYNOD_API int synod_sim_client (synod_sim_t *self, const char *name); /* adds and starts it; as synod_sim_node */
/* ON_REPLY runs exactly once when this returned SYNOD_OK: with the answer, an error, SYNOD_TIMEOUT after TIMEOUT_MS
 * (0: SYNOD_ASK_MS) by the client's clock, or SYNOD_STOPPED when the client itself went down or the world is
 * destroyed. */
typedef void synod_sim_on_reply_t (synod_sim_t *self, int client, const synod_reply_t *reply, void *arg);
SYNOD_API int synod_sim_ask (synod_sim_t *self, int client, const char *to, const synod_record_t *record,
                             const void *in, uint32_t timeout_ms, synod_sim_on_reply_t *on_reply, void *arg);
SYNOD_API int synod_sim_tell (synod_sim_t *self, int client, const char *to, const synod_record_t *record,
                              const void *in);
SYNOD_API uint32_t synod_sim_asks (const synod_sim_t *self); /* of all clients, unanswered */
/* All nodes that are up and run a placed actor make a ring: CLIENT asks one of them, until it is made. 0: the default
 * number of PARTITIONS (16384: a world of fewer is faster), of REPLICAS. SYNOD_NOT_FOUND, SYNOD_TIMEOUT. */
SYNOD_API int synod_sim_ring (synod_sim_t *self, int client, uint32_t partitions, uint32_t replicas, int64_t limit_ms);

/* ---- checking ---- */

/* CHECKER runs after every step; it returns SYNOD_OK, or reports with synod_sim_fail. Copies NAME, borrows ARG. */
typedef int synod_sim_checker_t (synod_sim_t *self, void *arg);
SYNOD_API int synod_sim_check (synod_sim_t *self, const char *name, synod_sim_checker_t *checker, void *arg);
/* Reports a violation, from anywhere; the first one ends the world. Returns SYNOD_FAILED. */
SYNOD_API int synod_sim_fail (synod_sim_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

typedef struct {
    uint64_t steps;
    uint64_t turns;    /* of nodes */
    uint64_t frames;   /* delivered, to the broker too */
    uint64_t messages; /* taken in by nodes */
    uint64_t lost;     /* frames that the wires lost */
    uint64_t crashes;
} synod_sim_stats_t;
SYNOD_API synod_sim_stats_t synod_sim_stats (const synod_sim_t *self);

/* Of all that happened so far, kept whether the trace is printed or not. */
SYNOD_API uint64_t synod_sim_hash (const synod_sim_t *self);
/* From now each message that arrives is a line as the sniffer prints it; what befalls the world, and what actors log,
 * are lines that begin with #. LINE has no newline and is borrowed. ON_LINE NULL: no more. */
typedef void synod_sim_on_line_t (void *arg, const char *line);
SYNOD_API void synod_sim_trace (synod_sim_t *self, synod_sim_on_line_t *on_line, void *arg);
SYNOD_API void synod_sim_trace_file (synod_sim_t *self, FILE *file); /* borrowed; NULL: no more */

/* Adds TEXT to the trace, each of its lines as one that begins with #: for what a workload wants to be seen there. */
SYNOD_API void synod_sim_note (synod_sim_t *self, const char *text);

/* Whether HISTORY is linearizable, within BOUNDS (NULL: the defaults): SYNOD_OK; else reports a violation, as
 * synod_sim_fail, and adds the part of the history around it to the trace. That a bound was reached is one too. */
SYNOD_API int synod_sim_linear (synod_sim_t *self, const synod_history_t *history, const synod_linear_bounds_t *bounds);

/* ---- plans of faults ----
 * A plan is a list of faults, as text:  KIND=VALUE[/FROM/TO][@START][+LENGTH], ...
 *
 *   loss=PERCENT dup=PERCENT reorder=PERCENT   of the frames, on all wires or those FROM one TO another
 *   delay=MIN:MEAN      slow=MORE               instead of the wires' own; in addition to it
 *   partition=A:B/C:D   partition=A:B           nothing passes between the two sides; between these and all others
 *   oneway=A:B/C:D                              nothing passes from the first to the second
 *   reset=A/B                                   their connections break
 *   crash=A   crash=A:EFFECTS   wipe=A          (as synod_sim_crash_after); with an empty disk afterwards
 *   full=A                                      its next commit fails
 *   pause=A   skew=PPM/A
 *
 * A node may be $broker where that makes sense. START counts from the injection, LENGTH is how long it lasts (a node
 * that is down is started again then; 0: to the end of all faults); both are numbers with us, ms, s, m or h. Left out,
 * a fault of the wires or of a clock lasts all the time, and the time of any other is open. A value, a place or a time
 * given as `*` is open: synod_plan_draw draws it. `crash=*3` is three of them. */

typedef struct synod_plan_t synod_plan_t;

/* NULL with a sentence in FAULT (may be NULL) that says what was expected where. The caller owns the plan. */
SYNOD_API synod_plan_t *synod_plan_parse (const char *text, synod_fault_t *fault);
SYNOD_API synod_plan_t *synod_plan_copy (const synod_plan_t *self);
SYNOD_API void synod_plan_destroy (synod_plan_t **self_p);
/* Appends the text, NUL-terminated behind its size; parsing it gives the same plan. */
SYNOD_API int synod_plan_print (const synod_plan_t *self, synod_buf_t *out);
SYNOD_API size_t synod_plan_size (const synod_plan_t *self); /* how many faults */
/* Draws what PLAN leaves open, for the nodes that SIM has now and a time of LENGTH_MS; clients are spared. PLAN NULL:
 * another mix of everything but wipes for each seed. NULL when PLAN names nodes that are not there. The caller owns
 * what is returned. */
SYNOD_API synod_plan_t *synod_plan_draw (const synod_plan_t *self, const synod_sim_t *sim, uint64_t seed,
                                         int64_t length_ms, synod_fault_t *fault);
/* Begins with the plan's faults from now on; what it leaves open is drawn from the world's seed, for a minute. NULL:
 * all is drawn. Copies PLAN. */
SYNOD_API int synod_sim_inject (synod_sim_t *self, const synod_plan_t *plan);
SYNOD_API int synod_sim_inject_text (synod_sim_t *self, const char *plan);
/* The end of all faults, also of those that have not begun and of cuts: nodes that crashed or failed are started,
 * paused ones go on, clocks are right (from here on). Connections on which something was lost, doubled or overtaken
 * break and are made again, so that their ends learn of it, as with TCP; within four heartbeats all is noticed. */
SYNOD_API int synod_sim_heal (synod_sim_t *self);
SYNOD_API bool synod_sim_healed (const synod_sim_t *self); /* and nothing was injected since: when workloads end */

/* Finds a short plan that fails still: fewer faults first (delta debugging: Zeller and Hildebrandt 2002), then shorter
 * ones. FAILS runs a world by a plan; it is called RUNS times at most. The caller owns what is returned; NULL when PLAN
 * itself did not fail. */
typedef bool synod_plan_fails_t (void *arg, const synod_plan_t *plan);
SYNOD_API synod_plan_t *synod_plan_shrink (const synod_plan_t *self, synod_plan_fails_t *fails, void *arg,
                                           uint32_t runs);

/* ---- scenarios: a world with its workload and its invariants, for `synod sim` ---- */

typedef struct {
    const char *name;
    const char *doc;               /* a phrase for listings */
    synod_sim_settings_t settings; /* of its worlds */
    bool either;                   /* with or without a broker, as the seed says; settings.direct is then ignored */
    const char *faults; /* the plan when none is given; NULL: another mix of everything but wipes for each seed */
    size_t state_size;  /* zeroed before setup */
    uint32_t settle_ms; /* how long it may take to come to rest once the faults are over; 0: 60000 */
    /* Adds nodes, clients, checkers and scripts. Faults begin when it has returned and all nodes are up. */
    int (*setup) (synod_sim_t *sim, void *state);
    /* Whether the work is done: asked once the time is over and everything healed. NULL: when no client waits for an
     * answer. */
    bool (*done) (synod_sim_t *sim, void *state);
    /* The last checks, at rest; reports with synod_sim_fail. May be NULL. */
    int (*finish) (synod_sim_t *sim, void *state);
    void (*fini) (void *state); /* frees what STATE holds; may be NULL */
} synod_scenario_t;

typedef struct {
    int64_t length_ms;            /* of the time with faults; 0: 60 s */
    bool calm;                    /* no faults at all, when no plan is given */
    bool wide;                    /* wide_us is 300 where the scenario does not say */
    bool slow;                    /* disk_us is 2000 or 30000 where the scenario does not say */
    synod_sim_on_line_t *on_line; /* as synod_sim_trace, from the start; may be NULL */
    void *arg;
} synod_sim_options_t;

typedef struct {
    bool ok;
    synod_fault_t fault; /* the violation, or why the run could not be made (code other than SYNOD_FAILED) */
    uint64_t seed;
    uint64_t hash;
    int64_t virtual_us; /* how long the world ran */
    synod_sim_stats_t stats;
    char *plan; /* text of the faults that were to be; never NULL. Freed by synod_sim_result_clear */
} synod_sim_result_t;

/* Makes the world of SEED, sets it up, injects PLAN (its open parts drawn from the seed; NULL: all drawn), runs, heals,
 * waits for rest, makes the last checks. Fills RESULT and returns result->ok. */
SYNOD_API bool synod_sim_scenario (const synod_scenario_t *scenario, uint64_t seed, const synod_plan_t *plan,
                                   const synod_sim_options_t *options, synod_sim_result_t *result);
SYNOD_API void synod_sim_result_clear (synod_sim_result_t *result);
/* A short plan with which SEED fails still; NULL when it does not fail. RUNS: how many worlds may be tried. */
SYNOD_API synod_plan_t *synod_sim_scenario_shrink (const synod_scenario_t *scenario, uint64_t seed,
                                                   const synod_plan_t *plan, const synod_sim_options_t *options,
                                                   uint32_t runs);

/* A shared object for `synod sim ./my.so` says once:  SYNOD_SCENARIOS (&transfers, &other)  */
typedef struct {
    int abi;                                  /* SYNOD_ABI */
    const synod_scenario_t *const *scenarios; /* NULL-terminated */
} synod_scenarios_t;
/* clang-format off */
#define SYNOD_SCENARIOS(...)                                                               \
    extern SYNOD_API const synod_scenarios_t synod_scenarios;                              \
    const synod_scenarios_t synod_scenarios = {                                            \
        SYNOD_ABI, (const synod_scenario_t *const[]) {__VA_ARGS__, NULL}};
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
