/* SPDX-License-Identifier: MPL-2.0
 *
 * The scenario `placed`, by its parts; the last three are those of other placed actors' scenarios too:
 *
 *   scenario_placed.c   how it begins and ends
 *   placed_actor.c      the placed actor: a counter and a register for each key
 *   placed_clients.c    who asks it, and what came of it, as histories
 *   placed_world.c      the world: what is drawn, its nodes, when it is at rest
 *   placed_operator.c   who makes the ring and changes it, and the wipes
 *   placed_check.c      what holds at every moment: epochs, disks, who serves
 */
#ifndef SYNOD_TOOLS_PLACED_H_INCLUDED
#define SYNOD_TOOLS_PLACED_H_INCLUDED

#include <synod/sim.h>
#include "actors/place/epoch.h"
#include "actors/place/replica_check.h"
#include "actors/place/ring.h"
#include "actors/runtime/place_look.h"

#define PLACED_ACTOR      "tally"
#define PLACED_NODES      7
#define PLACED_PARTITIONS 16 /* at most */
#define PLACED_KEYS       5
#define PLACED_CLIENTS    2
#define PLACED_ASKERS     5
#define PLACED_TURNS      32
#define PLACED_TROUBLES   6 /* at a time */
#define PLACED_REST_MS    60000

/* ---- the actor ---- */

#define PLACED_ADD_FIELDS(FIELD, OPT)                                            \
    FIELD (u64, asker, UINT32_MAX, "who asks")                                   \
    FIELD (u64, number, UINT32_MAX, "of this add, from 1: an asker's only grow") \
    FIELD (u64, amount, UINT32_MAX, "how much to add")                           \
    OPT (u64, later_ms, 60000, "the answer comes so long after the effect")      \
    OPT (bit, refuse, 0, "write, and refuse")                                    \
    OPT (bit, fail, 0, "write, and fail")                                        \
    OPT (u64, fill, 65536, "so many bytes beside")
SYNOD_RECORD_DECLARE (placed_add, PLACED_ADD_FIELDS)
#define PLACED_SET_FIELDS(FIELD, OPT)                   \
    FIELD (i64, value, INT64_MAX, "what it is to hold") \
    OPT (i64, old, INT64_MAX, "only if it holds this")  \
    OPT (bit, compare, 0, "only if it holds OLD")
SYNOD_RECORD_DECLARE (placed_set, PLACED_SET_FIELDS)
#define PLACED_NOTE_FIELDS(FIELD, OPT) FIELD (u64, number, UINT32_MAX, "what is noted")
SYNOD_RECORD_DECLARE (placed_note, PLACED_NOTE_FIELDS)
#define PLACED_GET_FIELDS(FIELD, OPT)
SYNOD_RECORD_DECLARE (placed_get, PLACED_GET_FIELDS)
#define PLACED_IS_FIELDS(FIELD, OPT)                           \
    FIELD (u64, sum, UINT64_MAX, "what the counter is at")     \
    FIELD (i64, value, INT64_MAX, "what the register holds")   \
    FIELD (u64, noted, UINT64_MAX, "the largest number noted") \
    OPT (bit, set, 0, "it was set")                            \
    OPT (str, wrong, SYNOD_FAULT_MAX, "what should not have been")
SYNOD_RECORD_DECLARE (placed_is, PLACED_IS_FIELDS)

extern const synod_actor_t placed_actor;

/* ---- the world ---- */

typedef struct placed_t placed_t;

typedef struct {
    placed_t *world;
    int node;        /* the client's */
    uint32_t number; /* its own, in the histories too */
    uint32_t key;    /* of what it asks now */
    uint32_t adds;   /* its last number */
    bool kept;       /* its add is answered later: with its memory, its outcome is gone */
    bool counts;     /* it asks for the counter, not for the register */
    uint32_t operation;
    int64_t saw;     /* the value of the last answer */
    bool last, done; /* all is well: it reads; it has */
} placed_asker_t;

/* An epoch, as it was first seen on a disk; and who holds what in it. */
typedef struct {
    synod_buf_t bytes;
    synod__epoch_t epoch;
    synod__ring_t *ring;
    uint64_t own[PLACED_PARTITIONS];
} placed_epoch_t;

/* A turn of a partition: what it saw, what others had been told when it took its frames. */
typedef struct {
    uint64_t turn, epoch;
    synod__replica_at_t seen, asked;
    bool released;
} placed_turn_t;

/* What is known of a node's disk. */
typedef struct {
    int node;
    synod__store_id_t id;
    bool any;                           /* ID is known */
    uint64_t epoch;                     /* the last on its disk */
    bool epochs;                        /* written since it was looked at: epochs, */
    uint32_t copies;                    /* and copies, a bit each */
    uint64_t served[PLACED_PARTITIONS]; /* the term that it was seen to serve in, in this life */
    bool sole[PLACED_PARTITIONS];       /* its copy is the only one */
    uint64_t life;
    placed_t *world;
    synod__look_turns_t watch;
    placed_turn_t turns[PLACED_PARTITIONS][PLACED_TURNS]; /* by age */
    uint32_t nturns[PLACED_PARTITIONS];
} placed_disk_t;

/* A wire that is cut one way, or a node that dies in a turn (TO is -1). */
typedef struct {
    placed_t *world;
    int from, to;
    bool on;
} placed_trouble_t;

struct placed_t {
    synod_sim_t *sim;
    const synod_actor_t *actor;             /* what is placed */
    bool (*clients_done) (placed_t *world); /* all that clients do is done; asked again and again once all is healed */
    uint32_t nodes, members, replicas, keepers, partitions; /* as it begins */
    bool wipes;
    uint32_t pace_ms, think_ms; /* between changes, between asks */
    uint32_t fill;              /* bytes that an add may write beside: with many a snapshot has several chunks */
    uint32_t trouble_ms;        /* between two of them; 0: none */
    placed_trouble_t trouble[PLACED_TROUBLES];
    placed_disk_t disks[PLACED_NODES];

    placed_asker_t askers[PLACED_ASKERS], reader; /* the last one reads all at the end */
    synod_history_t *counters, *registers;
    int64_t next;               /* every value is written once */
    uint32_t crashes;           /* of clients */
    uint32_t notes;             /* the last number noted */
    int64_t fail_us;            /* it may fail again from then on */
    uint64_t sums[PLACED_KEYS]; /* as read at the end */

    int operator_node;
    bool made, asking, over;
    int64_t over_us;
    int wiped;       /* a node whose new store is no member yet; 0: none */
    int64_t wipe_us; /* not before */

    placed_epoch_t *epochs; /* from 1 on */
    uint32_t nepochs, epochs_room;
    synod__replica_check_t *checks[PLACED_PARTITIONS];
};

/* placed_world.c */
void placed_draw (placed_t *world);
/* Adds and starts the nodes, with the ring's actor and the placed one, which is given ARGS, and all that is checked. */
int placed_nodes (placed_t *world, const void *args);
const char *placed_in_the_way (placed_t *world); /* of rest; NULL: nothing is */

/* placed_clients.c */
int placed_clients (placed_t *world);
bool placed_clients_done (placed_t *world); /* all asks are answered; the last reads begin, and are done */

/* placed_operator.c */
int placed_operator (placed_t *world);
/* Whether everything serves and every copy is as it should be. WHY: what is not. */
bool placed_rests (placed_t *world, const char **why);

/* Adds what the members are at to the trace. */
void placed_describe (placed_t *world);

/* placed_check.c */
int placed_check (placed_t *world);
const placed_epoch_t *placed_now (const placed_t *world); /* NULL: none was decided */
void placed_check_free (placed_t *world);
/* Whether every replica of every partition has the same, and nobody else anything. DESCRIBE: if not, the first that has
 * not is added to the trace. */
bool placed_alike (placed_t *world, bool describe);
/* The disk of this store; NULL: it was wiped. */
placed_disk_t *placed_store (placed_t *world, const synod__store_id_t *id);

#endif
