/* SPDX-License-Identifier: MPL-2.0
 *
 * The simulator: a world of virtual nodes in one thread. They run the same actors, and the same runtime around them, as
 * on a bus; the world owns the time, the chance, the wires, the disks and the deaths. A run is a function of its seed:
 * the same seed with the same build gives the same trace to the byte.
 *
 * A world is driven by its owner, from one thread: step by step, for a time, until a condition. A step is one instant of
 * virtual time: what is due then happens, each node concerned takes one turn, and the checkers run. Virtual time begins
 * at 0. Functions that return int return SYNOD_OK or an error; its sentence is synod_sim_error (sim). After a violation
 * the world has ended: it can be looked at, and driving it gives SYNOD_INVALID.
 *
 * Callbacks may call any function here but those that drive the world or destroy it.
 */
#ifndef SYNOD_SIM_H_INCLUDED
#define SYNOD_SIM_H_INCLUDED

#include <stdio.h>
#include <synod/actor.h>

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
    uint32_t link_after;   /* as the runtime's: frames within a heartbeat that are worth a direct link; 100 */
    size_t queue_bytes;    /* SYNOD_QUEUE_MAX */
    uint32_t turn_us;      /* how long a turn keeps its node busy: what arrives meanwhile shares the next one; 20 */
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

/* An actor of the node, for each of its lives. ARGS: a filled record of type->args (copied) or NULL. While the
 * node is down. The errors of synod_node_add: a handler that is missing or there twice, a name taken, arguments not wanted. */
SYNOD_API int synod_sim_add (synod_sim_t *self, int node, const synod_actor_t *type, const void *args);

/* Starts a node, or starts one that is down again: as a new incarnation, with the disk that the last one left. For the
 * broker too (it is started with the first node by itself). */
SYNOD_API int synod_sim_start (synod_sim_t *self, int node);
/* Adds a node with one actor and starts it; 0 with an error. */
SYNOD_API int synod_sim_up (synod_sim_t *self, const char *name, const synod_actor_t *type, const void *args);
SYNOD_API int synod_sim_stop (synod_sim_t *self, int node); /* as SIGTERM: it leaves, drains and ends */
/* At once, as SIGKILL; in the middle of its turn, the turn does nothing more. What it had not committed is lost; what is
 * on its way may arrive or not. Each fini still runs, for its memory alone: nothing that it does goes anywhere. */
SYNOD_API int synod_sim_crash (synod_sim_t *self, int node);
/* The same after EFFECTS more of its effects have happened (each commit, frame sent and frame published is one): 0 is
 * right before the next one, so before a commit, between commit and send, or between two sends. */
SYNOD_API int synod_sim_crash_after (synod_sim_t *self, int node, uint32_t effects);
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
/* How its last life ended by itself: code SYNOD_OK for one that was stopped, crashed or is alive. Owned by the world. */
SYNOD_API const synod_fault_t *synod_sim_ended (const synod_sim_t *self, int node);

/* The memory of an actor that runs, for checkers; NULL when it does not. Borrowed until the next step. */
SYNOD_API const void *synod_sim_memory (const synod_sim_t *self, int node, const char *actor);
/* Runs FUNCTION as if it were a handler of the actor: for looking into its store, for making it do something. Returns what it returned, or SYNOD_STOPPED. */
typedef int synod_sim_act_t (synod_ctx_t *ctx, void *state, void *arg);
SYNOD_API int synod_sim_act (synod_sim_t *self, int node, const char *actor, synod_sim_act_t *function, void *arg);

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
/* Until every node that was started is up and knows every other. */
SYNOD_API int synod_sim_join (synod_sim_t *self, int64_t limit_ms);
/* Runs FUNCTION after so much virtual time, between two turns: for scripts and workloads. */
typedef void synod_sim_script_t (synod_sim_t *self, void *arg);
SYNOD_API int synod_sim_after (synod_sim_t *self, int64_t delay_us, synod_sim_script_t *function, void *arg);

/* ---- scripted clients: nodes of no actors, whose asks are made from outside ---- */

SYNOD_API int synod_sim_client (synod_sim_t *self, const char *name); /* adds and starts it; as synod_sim_node */
/* ON_REPLY runs exactly once when this returned SYNOD_OK: with the answer, an error, SYNOD_TIMEOUT after TIMEOUT_MS (0: SYNOD_ASK_MS) by
 * the client's clock, or SYNOD_STOPPED when the client itself went down or the world is destroyed. */
typedef void synod_sim_on_reply_t (synod_sim_t *self, int client, const synod_reply_t *reply, void *arg);
SYNOD_API int synod_sim_ask (synod_sim_t *self, int client, const char *to, const synod_record_t *record,
                             const void *in, uint32_t timeout_ms, synod_sim_on_reply_t *on_reply, void *arg);
SYNOD_API int synod_sim_tell (synod_sim_t *self, int client, const char *to, const synod_record_t *record,
                              const void *in);
SYNOD_API uint32_t synod_sim_asks (const synod_sim_t *self); /* of all clients, unanswered */

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

#ifdef __cplusplus
}
#endif
#endif
