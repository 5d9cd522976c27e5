/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of the simulator know of each other. A part is a file.
 *
 *   world.c    life of a world, its nodes and actors       network.c  what becomes of a frame on its wire; connections
 *   queue.c    what is to happen, by time                  broker.c   the broker: its real routing
 *   loop.c     instants, turns, driving, checkers          client.c   scripted clients and scripts
 *   node.c     start, crash, pause, clocks                 trace.c    the hash and the lines
 *   host.c     the operations of a runtime's host          plan*.c    plans of faults: text, drawing, carrying out
 *   disk.c     a node's disk, and its failures             run.c      scenarios
 *   placed.c   a ring of the world's nodes
 *
 * A place is a node or the broker (number 0). All that has an order has it from (time, order of being caused): no
 * pointer, no hash table decides one. Chance comes in streams, one for each place's actors, each pair of places, the
 * faults and the workload; each is made from the seed and its own number, so that none depends on what another draws.
 */
#ifndef SYNOD_SIM_INTERNAL_H_INCLUDED
#define SYNOD_SIM_INTERNAL_H_INCLUDED

#include <synod/sim.h>
#include "actors/runtime/memory.h"
#include "actors/runtime/runtime.h"
#include "broker/routing/routing.h"
#include "protocol/address.h"

typedef struct synod__sim_place_t synod__sim_place_t;

typedef enum {
    SYNOD__SIM_FRAME,
    SYNOD__SIM_TOPIC,
    SYNOD__SIM_PUBLISH, /* a publication on its way to the broker */
    SYNOD__SIM_SUBSCRIBED,
    SYNOD__SIM_LINK_UP,
    SYNOD__SIM_LINK_DOWN,
    SYNOD__SIM_WRITABLE,
    SYNOD__SIM_PUBLISHABLE,
    SYNOD__SIM_WAKE, /* a turn is due */
    SYNOD__SIM_CALL  /* the world's own */
} synod__sim_kind_t;

/* What is to happen. Owned by the queue, an inbox, the held ones or the spare ones. */
typedef struct synod__sim_event_t {
    struct synod__sim_event_t *next;
    synod__sim_kind_t kind;
    bool on;              /* of a subscription */
    int from, to;         /* places */
    uint32_t life;        /* of `to`: in another one it is lost */
    uint32_t link;        /* the id at the place that opened it */
    uint32_t connection;  /* by which it came; 0: none */
    uint64_t incarnation; /* of a sender who says who it is by its connection; 0: it does not */
    int64_t at_us;
    synod_buf_t data;
    synod_sim_script_t *call;
    void *arg;
} synod__sim_event_t;

typedef struct {
    int64_t at_us;
    uint64_t order;
    synod__sim_event_t *event;
} synod__sim_entry_t;

/* A DEALER of a place. */
typedef struct {
    uint32_t id;
    char name[SYNOD_NAME_MAX + 1]; /* of the place it leads to */
    bool up, blocked;
    uint32_t connection;   /* 0: none */
    int to;                /* with a connection */
    int64_t out_us, in_us; /* when the last frame each way arrives: the order of the path */
} synod__sim_link_t;

/* A connection broken takes what is on it along; one whose end died may still bring what had been sent. */
typedef enum { SYNOD__SIM_STANDS, SYNOD__SIM_ENDING, SYNOD__SIM_BROKEN } synod__sim_connection_t;

typedef struct synod__sim_sub_t {
    struct synod__sim_sub_t *next;
    size_t size;
    char bytes[SYNOD_TOPIC_MAX + 1];
} synod__sim_sub_t;

/* From one place to another. */
typedef struct {
    synod_sim_wire_t wire; /* in force */
    synod_sim_wire_t own;  /* by hand, when `owned` */
    bool owned;
    bool cut, cut_by_hand;
    bool joined; /* `to` subscribes where `from` publishes */
    uint64_t random;
    int64_t topic_us, sub_us; /* as the link's */
} synod__sim_path_t;

typedef struct {
    const synod_actor_t *type;
    synod_buf_t args; /* packed */
    bool given;
} synod__sim_actor_t;

typedef struct synod__sim_ask_t synod__sim_ask_t;

/* A commit that takes a while. */
typedef struct {
    int64_t at_us;       /* when it is durable */
    int code;            /* how it fails then; SYNOD_OK: it does not */
    synod_buf_t written; /* its writes: the sizes of the prefix and the batch, both */
} synod__sim_commit_t;

struct synod__sim_place_t {
    synod_sim_t *sim;
    int number;
    char name[SYNOD_NAME_MAX + 1];     /* of the place */
    char known_as[SYNOD_NAME_MAX + 1]; /* on the bus: differs only in tests of clashes */
    char endpoint[80], topics[80];
    char identity[SYNOD__IDENTITY_MAX + 1];
    uint64_t incarnation;
    uint32_t life; /* how often it was started */
    bool client;
    const char *const *peers; /* endpoints to say hello to; NULL: those of other nodes */
    synod__sim_actor_t *actors;
    uint32_t nactors, actors_capacity;
    synod__rt_t *rt; /* of the present life, or of the last when that ended by itself */
    synod_fault_t ended;
    bool alive;   /* its operations work */
    bool ghost;   /* dead, and nobody was told */
    bool dying;   /* dead in the middle of its turn: the rest of it does nothing */
    bool in_turn; /* in this instant */
    bool wide;    /* its runtime is in a turn that goes on later */
    bool paused;
    bool failed; /* went down by a fault: healing starts it */
    bool listening, topics_open, topics_blocked;
    uint32_t crash_in;                /* effects until it dies; UINT32_MAX: none set */
    int64_t due_us, wake_us, busy_us; /* by the world's clock */
    int64_t clock_us, clock_at_us;    /* what its clock showed at that time of the world's */
    int32_t clock_ppm;
    uint64_t random;                                  /* its actors' stream */
    synod__disk_t disk;                               /* what its runtime sees */
    synod__disk_t *under;                             /* what outlives its lives; NULL: none yet, or wiped */
    synod__disk_t *durable;                           /* what of it is durable */
    synod__sim_commit_t begun[SYNOD__DISK_UNDER_WAY]; /* commits that are under way */
    uint32_t nbegun;
    uint64_t commits;          /* so many were durable */
    synod_buf_t written;       /* since the last was begun, for those who look: as a commit's */
    uint64_t disks;            /* the stream of the disks' ids */
    bool disk_fails;           /* at the next commit */
    synod__sim_link_t **links; /* by id */
    uint32_t links_capacity;
    synod__sim_sub_t *subs;
    synod__sim_event_t *inbox_first, *inbox_last; /* arrived while it was busy or paused */
    synod__sim_path_t *paths;                     /* to each place, by number */
    synod_ctx_t *ctx;                             /* of a client, in a callback of its */
    synod__sim_ask_t *asks, *asks_last;           /* of a client; oldest first */
};

/* What a hook sees of a frame that leaves. For the runtime's own tests. */
typedef enum { SYNOD__SIM_PASS, SYNOD__SIM_DROP, SYNOD__SIM_HOLD } synod__sim_verdict_t;
typedef synod__sim_verdict_t synod__sim_filter_t (void *arg, const synod__sim_event_t *head, const void *data,
                                                  size_t size);

typedef struct {
    char name[SYNOD_NAME_MAX + 1];
    synod_sim_checker_t *checker;
    void *arg;
} synod__sim_checker_t;

typedef struct synod__sim_active_t synod__sim_active_t;

struct synod_sim_t {
    uint64_t seed;
    synod_sim_settings_t settings;
    int64_t now_us;
    uint64_t turning;                  /* the stream of turns that go on */
    uint64_t spinning;                 /* that of how long commits take, and which of them a crash leaves */
    uint64_t workload, faults, random; /* streams; `random` for the world's own small decisions */
    uint64_t incarnations;
    synod_fault_t error, violation;
    bool ended;

    synod__sim_entry_t *heap;
    uint32_t count, heap_capacity;
    uint64_t order;
    synod__sim_event_t *spare;
    synod__sim_event_t *held_first, *held_last;

    synod__sim_place_t **places;
    uint32_t nplaces, places_capacity;
    int *turns; /* places that are in a turn */
    uint32_t nturns, turns_capacity;
    int *by_incarnation; /* places; from the first incarnation on */
    uint32_t by_incarnation_capacity;
    uint8_t *connections; /* by number: synod__sim_connection_t, and whether it was disturbed */
    uint32_t nconnections, connections_capacity;
    bool unconnected; /* some link may be */

    synod__routing_t *routing;
    const void *under_way; /* the frame that the broker forwards */
    size_t under_way_size;

    synod__sim_checker_t *checkers;
    uint32_t nchecked, checkers_capacity;
    uint32_t still; /* steps without any time passing */
    uint32_t nasks;
    synod__sim_active_t *active; /* faults, as they were injected; kept when over */
    bool healed;

    uint64_t hash;
    synod_sim_on_line_t *on_line;
    void *line_arg;
    synod_buf_t line;
    synod_sim_stats_t stats;

    synod__sim_filter_t *filter;
    void *filter_arg;
    /* for checkers of what is durable: a write to a node's disk, and the commit that has it, when that is durable. NULL:
     * nobody looks */
    void (*on_write) (void *arg, int node, synod_str_t prefix, synod_str_t batch);
    void (*on_commit) (void *arg, int node);
    void *disk_arg;
    bool stepping;
    synod__sim_place_t *running; /* whose runtime's function runs */
    bool in_runtime;             /* and none of the world's in it */
    bool directory;              /* nodes keep it; true but in tests */
    bool lenient;                /* what a dead node had sent always arrives; true in tests alone */
};

#define SYNOD__SIM_INCARNATION 1000             /* the first is one more */
#define SYNOD__SIM_WALL_US     1700000000000000 /* the wall clock when the world begins */

/* ---- world ---- */
uint64_t synod__sim_next (uint64_t *stream); /* splitmix64 */
uint64_t synod__sim_stream (uint64_t seed, uint64_t kind, uint64_t number);
int synod__sim_fault (synod_sim_t *self, int code, const char *format, ...) __attribute__ ((format (printf, 3, 4)));
synod__sim_place_t *synod__sim_place (const synod_sim_t *self, int number); /* NULL: there is none */
/* The same for a node that a caller named: an error when there is none, or the broker where that makes no sense. */
synod__sim_place_t *synod__sim_given (synod_sim_t *self, int number, bool broker);
int synod__sim_place_add (synod_sim_t *self, const char *name, const char *known_as, bool client);

/* ---- queue ---- */
/* A copy of HEAD (its data apart) that is to happen at AT_US. */
synod__sim_event_t *synod__sim_event (synod_sim_t *self, const synod__sim_event_t *head, int64_t at_us);
/* The first one when it is due by UNTIL_US, taken out; NULL: none. */
synod__sim_event_t *synod__sim_event_pop (synod_sim_t *self, int64_t until_us);
int64_t synod__sim_event_next (const synod_sim_t *self); /* INT64_MAX: none */
void synod__sim_event_free (synod_sim_t *self, synod__sim_event_t *event);
synod__sim_event_t *synod__sim_event_new (synod_sim_t *self, const synod__sim_event_t *head); /* not in the queue */
void synod__sim_events_free (synod_sim_t *self);

/* ---- loop ---- */
void synod__sim_turn_begin (synod__sim_place_t *place);
/* Around what is done with a runtime outside of events: begins the node's turn if it is in none, and lets it end when
 * nothing else will. Enter returns what leave takes. */
synod__sim_place_t *synod__sim_enter (synod__sim_place_t *place);
void synod__sim_leave (synod_sim_t *self, synod__sim_place_t *before);
void synod__sim_turns_end (synod_sim_t *self);
/* As synod_sim_until, in the world's time. */
int synod__sim_drive (synod_sim_t *self, synod_sim_condition_t *condition, void *arg, int64_t until_us);
void synod__sim_wake (synod__sim_place_t *place); /* sees to it that its next turn comes */

/* ---- node ---- */
int64_t synod__sim_clock (const synod__sim_place_t *place);
int64_t synod__sim_clock_when (const synod__sim_place_t *place, int64_t local_us); /* the world's time of it */
void synod__sim_node_dies (synod__sim_place_t *place, bool told);                  /* not in its turn */
void synod__sim_node_ends (synod__sim_place_t *place);                             /* its runtime has ended */
void synod__sim_node_free (synod__sim_place_t *place);
/* One more effect of the turn: false when the node is dead by then, and it must not happen. */
bool synod__sim_effect (synod__sim_place_t *place);

/* ---- network ---- */
/* Sends a frame on its way as HEAD says; LANE: when the last one on its path arrives. */
void synod__sim_post (synod_sim_t *self, const synod__sim_event_t *head, int64_t *lane, const void *data, size_t size);
/* What is no frame, and is neither lost nor doubled: a connection's news, a subscription. */
synod__sim_event_t *synod__sim_tell_place (synod_sim_t *self, const synod__sim_event_t *head, int64_t *lane);
void synod__sim_release (synod_sim_t *self); /* what a filter held */
void synod__sim_connect_all (synod_sim_t *self);
void synod__sim_disconnect_all (synod_sim_t *self, int number, bool told, bool ended);
synod__sim_connection_t synod__sim_connection (const synod_sim_t *self, uint32_t number);
/* What really loses, doubles or reorders on a standing connection is none: TCP breaks it. So do the disturbed ones. */
void synod__sim_disturbed_break (synod_sim_t *self);
void synod__sim_disconnect_pair (synod_sim_t *self, int from, int to);
synod__sim_link_t *synod__sim_link (const synod__sim_place_t *place, uint32_t id);
synod__sim_link_t *synod__sim_link_add (synod__sim_place_t *place, uint32_t id, const char *name);
void synod__sim_link_remove (synod__sim_place_t *place, uint32_t id);
/* The place connected as IDENTITY, by now or as far as the others know; NULL: none. */
synod__sim_place_t *synod__sim_identified (const synod_sim_t *self, synod_str_t identity);
/* Who sent what came by a connection; empty where that is not known. */
synod_str_t synod__sim_identity (const synod_sim_t *self, const synod__sim_event_t *event, char *out);
void synod__sim_paths_reset (synod_sim_t *self); /* all wires as set by hand */

/* ---- host ---- */
extern const synod__host_t synod__sim_host;
bool synod__sim_wants (const synod__sim_place_t *place, const void *data, size_t size);
void synod__sim_subscribe_at (synod__sim_place_t *place, int publisher, const char *prefix, size_t size, bool on);
void synod__sim_subscribed_again (synod__sim_place_t *publisher);

/* ---- broker ---- */
void synod__sim_broker_start (synod_sim_t *self);
void synod__sim_broker_dies (synod_sim_t *self);
void synod__sim_broker_take (synod_sim_t *self, const synod__sim_event_t *event);

/* ---- disk ---- */
synod__disk_t *synod__sim_disk (synod__sim_place_t *place); /* for its next life */
void synod__sim_disk_crash (synod__sim_place_t *place);
int64_t synod__sim_disk_due (const synod__sim_place_t *place);             /* when the next commit is durable */
const synod__disk_t *synod__sim_durable (const synod__sim_place_t *place); /* what is; NULL: it never ran */
void synod__sim_disk_free (synod__sim_place_t *place);

/* ---- client ---- */
void synod__sim_asks_fail (synod__sim_place_t *place);
extern const synod_actor_t synod__sim_client_type;

/* ---- trace ---- */
void synod__sim_trace_event (synod_sim_t *self, const synod__sim_event_t *event);
void synod__sim_note (synod_sim_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

/* ---- plans ---- */
/* SYNOD_NOT_FOUND with a sentence when PLAN names what is not there. */
int synod__sim_plan_names (const synod_plan_t *plan, const synod_sim_t *sim, synod_fault_t *fault);
/* Wires as set by hand, and on top of that what the active faults do to them. */
void synod__sim_faults_apply (synod_sim_t *self);
void synod__sim_faults_free (synod_sim_t *self);

#endif
