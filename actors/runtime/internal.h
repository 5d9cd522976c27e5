/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of the runtime know of each other. A part is a file; its functions are declared here under its name.
 *
 *   runtime.c   life, turns                    stream.c    mail to and from one node: batches, numbers, queues
 *   config.c    what it was told to be         mutants.h   planted bugs, for a test
 *   memory.c    memory for all of these        heard.c     mail for parts of an actor
 *   instance.c  actors: start, run, restart    resolve.c   addresses to nodes; local mail
 *   context.c   what an actor may call         inbox.c     frames that came in
 *   stage.c     effects held until a handler   control.c   mail for $node
 *               has succeeded                  join.c      getting on a bus, heartbeats, the directory
 *   asks.c      own unanswered asks            mesh.c      the same without a broker
 *   calls.c     asks of others, kept           links.c     direct links and the change of path
 *   timers.c    what is due when               topics.c    subscriptions, gaps, echoes
 *   watch.c     monitors and watchers          publisher.c publications
 *   store.c     an actor's ordered store       drops.c     what was lost, gathered
 *   commit.c    a turn's writes, made durable  outside.c   what handles do and read
 *   commands.c  asks that run once             disk.c      batches of writes
 *   gateway.c   connections of actors           place_*.c   placed actors (place.h)
 *   alarms.c    timers of actors (alarms.h)
 *   many.c      asks of many keys in a message turn.c      a turn's beginning and end
 *   settled.h   what waits for which commit
 */
#ifndef SYNOD_RUNTIME_INTERNAL_H_INCLUDED
#define SYNOD_RUNTIME_INTERNAL_H_INCLUDED

#include <stdlib.h>
#include "hash.h"
#include "directory.h"
#include "gateway.h"
#include "protocol/address.h"
#include "protocol/catalogue.h"
#include "memory.h"
#include "many.h"
#include "memory_disk.h"
#include "mutants.h"
#include "runtime.h"
#include "store.h"
#include "stream.h"
#include "timers.h"

typedef struct synod__instance_t synod__instance_t;
typedef struct synod__partition_t synod__partition_t;
typedef struct synod__place_t synod__place_t;
typedef struct synod__parties_t synod__parties_t;
typedef struct synod__alarm_t synod__alarm_t;
typedef struct synod__gather_t synod__gather_t;

/* ---- what it was told to be ---- */

void synod__config_take (synod__rt_t *rt, const synod__rt_config_t *config); /* copies */
void synod__config_free (synod__rt_t *rt);

/* ---- an actor that runs ---- */

struct synod_ctx_t {
    synod__rt_t *rt;
    synod__instance_t *instance;
    bool active;                    /* one of its handlers runs now */
    bool repeated;                  /* of synod_repeated */
    bool stale;                     /* the message is answered without a majority, and nothing was written */
    bool lazily;                    /* what it writes may be durable later, and then what it tells leaves */
    bool shows;                     /* and is seen meanwhile */
    const synod_message_t *message; /* being handled, or NULL */
    uint64_t trace;                 /* goes along with what it sends */
    char error[SYNOD_FAULT_MAX];    /* the sentence of synod_error */
};

typedef enum { SYNOD__ACTOR_DOWN, SYNOD__ACTOR_UP } synod__actor_state_t;

struct synod__instance_t {
    synod_ctx_t ctx;
    synod__rt_t *rt;
    const synod_actor_t *type;
    bool beside; /* not added by itself: another one has it beside it */
    synod__actor_state_t state_of;
    uint32_t life; /* grows with each start: what belongs to an earlier life is stale */
    void *state;
    void *args; /* unpacked record, borrowing args_packed; or NULL */
    synod_buf_t args_packed;
    synod__store_t *store;
    uint64_t tied;      /* the commit that what it says waits for: it has seen what is not durable before */
    uint64_t shown;     /* the commit with which what it wrote lazily, and shows, is durable */
    uint32_t undone;    /* how often what a handler did was undone after it had said that it was done */
    uint64_t looked_at; /* the client of commands that was looked at last */
    synod_str_t name;
    char self[2 * SYNOD_NAME_MAX + 2];    /* node/actor */
    int64_t failures[SYNOD_RESTARTS_MAX]; /* when it last failed; a ring */
    uint32_t nfailures;
    const synod_route_t *last;    /* the route used last */
    struct synod__heard_t *heard; /* what parts of it take: heard.h */
    synod__gate_t *gate;          /* NULL: it does not listen */
    /* of a placed actor: a node has one instance that stands for its type and runs nothing, and one for each partition
     * that is served, with the other's name, args and store */
    synod__partition_t *partition; /* NULL: it is none of a partition */
    bool stays_down;               /* it failed too often */
    synod__parties_t *parties;     /* transactions under way; NULL: none was (party.h) */
    synod__alarm_t *alarms;        /* its own, of all its lives (alarms.h) */
};

int synod__instance_start (synod__instance_t *self, synod_fault_t *fault);
void synod__instance_end (synod__instance_t *self, int code, const char *reason, bool restart);
/* Ends what belongs to its life: calls (with CODE and REASON), asks, timers, subscriptions, monitors. */
void synod__instance_forget (synod__instance_t *self, int code, const char *reason);
void synod__instance_free (synod__instance_t *self);
/* Whether it only stands for its type: its partitions run. */
static inline bool synod__instance_stands (const synod__instance_t *self)
{
    return self->type->placement == SYNOD_SHARDED && !self->partition;
}
/* Its store, which several may share. */
synod__store_t *synod__instance_store (const synod__instance_t *self);
synod__instance_t *synod__instance_find (synod__rt_t *rt, synod_str_t name);
/* Takes a message: routes it, runs the handler, joins or drops what it staged. CALL zero: no answer is wanted. */
void synod__instance_take (synod__instance_t *self, const synod_message_t *message, synod_call_t call);
/* Around any of the actor's functions: begin, run, end with what it returned. */
synod_ctx_t *synod__run_begin (synod__instance_t *self, const synod_message_t *message, uint64_t trace);
int synod__run_end (synod_ctx_t *ctx, int code); /* returns CODE, or why its writes could not join */
void synod__run_drop (synod_ctx_t *ctx);         /* whatever it did */
/* Ends a step that nobody waits for with CODE: an error is logged, a failure restarts the actor. */
void synod__step_end (synod__instance_t *self, synod_ctx_t *ctx, int code);

/* ---- staged effects ---- */

typedef enum {
    SYNOD__STAGE_TELL,
    SYNOD__STAGE_ASK,
    SYNOD__STAGE_REPLY,
    SYNOD__STAGE_PUBLISH,
    SYNOD__STAGE_TIMER,
    SYNOD__STAGE_CANCEL,
    SYNOD__STAGE_SUBSCRIBE,
    SYNOD__STAGE_UNSUBSCRIBE,
    SYNOD__STAGE_MONITOR,
    SYNOD__STAGE_UNMONITOR,
    SYNOD__STAGE_STOP
} synod__stage_kind_t;

enum { SYNOD__TIMER_ALARM, SYNOD__TIMER_ASK, SYNOD__TIMER_CALL, SYNOD__TIMER_GATHER };

typedef struct {
    synod__stage_kind_t kind;
    synod_kind_t envelope; /* of a reply: reply or error */
    uint32_t flags;        /* of an ask: its record's, and perhaps SYNOD__AGAIN (many.h) */
    uint32_t to, to_size;  /* in the stage's bytes: address, topic, pattern or who */
    uint32_t method, method_size;
    uint32_t body, body_size; /* size 0: nil */
    uint32_t timeout_ms;
    bool early; /* see synod__ctx_early; when it is carried out: it has left */
    uint64_t trace;
    uint64_t id; /* call or timer; of a command: its number, 0: the next one */
    uint64_t arg;
    union {
        synod_on_reply_t *on_reply;
        synod_on_event_t *on_event;
        synod_on_down_t *on_down;
    };
} synod__effect_t;

typedef struct {
    synod_buf_t bytes;
    synod__effect_t *effects;
    uint32_t count, capacity;
    uint32_t asks; /* how many of them are asks */
    bool early;    /* what is added is */
} synod__stage_t;

synod__effect_t *synod__stage_add (synod__rt_t *rt, synod__stage_kind_t kind, synod_str_t to);
int synod__stage_body (synod__rt_t *rt, const synod_record_t *record, const void *in, synod_str_t method,
                       synod_str_t body, synod_fault_t *fault);
int synod__stage_commit (synod__instance_t *instance);
/* Messages of a stage that waited. ALIVE: the life that asks goes on. */
void synod__stage_release (synod__instance_t *instance, synod__stage_t *stage, bool alive);
void synod__stage_drop (synod__instance_t *instance);

/* ---- own asks ---- */

struct synod__ask_t {
    uint64_t id; /* on the wire; 0: free */
    synod__instance_t *instance;
    uint32_t life;
    bool any_node; /* the address named none */
    bool keyed;    /* it goes to a key's owner, who answers it whoever that is; without a node its copy is kept */
    bool again;    /* it waits to be sent again */
    bool idempotent;
    bool unsure; /* an attempt was made of which it is not known what it did */
    bool direct; /* went by a direct link */
    uint32_t attempts;
    synod_on_reply_t *on_reply;
    uint64_t arg;
    uint64_t trace;
    synod__stream_t *stream;          /* where it went; NULL: the broker chose */
    struct synod__ask_t *prev, *next; /* of the same stream */
    synod__timer_t timer;             /* its deadline */
    synod_buf_t copy;                 /* to send it again: method, address, body */
    uint32_t method_size, to_size;
    /* of a command */
    bool once;
    bool blind;      /* sent to where nobody was known to be */
    int64_t sent_us; /* when last; 0: it waits for its node */
    uint64_t number;
    struct synod__ask_t *earlier, *later; /* commands, in the order of their numbers */
    char actor[SYNOD_NAME_MAX + 1];       /* asked for */
};

int synod__ask_send (synod__instance_t *instance, const synod__effect_t *effect); /* a staged ask, joined */
/* Ends an ask: runs its continuation in a deferred event when DEFERRED. Retries instead where that is right. */
void synod__ask_fail (synod__rt_t *rt, synod__ask_t *ask, int code, const char *message);
void synod__ask_answer (synod__rt_t *rt, synod_str_t from, const synod__stream_t *stream, const synod_envelope_t *env);
synod__ask_t *synod__ask_find (synod__rt_t *rt, uint64_t id);
void synod__asks_of_stream_fail (synod__rt_t *rt, synod__stream_t *stream, bool direct_only, int code,
                                 const char *message);
/* All that went through the broker. */
bool synod__ask_brokered (const synod__rt_t *rt, const synod__ask_t *ask);
void synod__asks_of_broker_fail (synod__rt_t *rt, int code, const char *message);
void synod__asks_forget (synod__rt_t *rt, const synod__instance_t *instance); /* its life has ended */
void synod__ask_due (synod__rt_t *rt, synod__ask_t *ask);

/* ---- asks of others, commands ---- */

#include "calls.h"

/* ---- what a turn wrote ---- */

int synod__commit_batch (synod__instance_t *instance); /* joins what is staged in its store */
void synod__written (synod__rt_t *rt);                 /* the disk has taken a write */
bool synod__wanted (const synod__rt_t *rt); /* whether there is something to commit that somebody waits for */
void synod__tie_all (synod__rt_t *rt);      /* something was written that anybody may have seen */
void synod__tie (synod__instance_t *instance, uint64_t commit); /* what it says from now on waits for that */
/* The commit with which all is durable that what it says now may tell of; 0: it is. */
uint64_t synod__waits (const synod__instance_t *instance);
void synod__tells (synod__instance_t *instance);   /* it says something: what it wrote lazily is hurried */
int64_t synod__commit_due (const synod__rt_t *rt); /* when a commit is, that nothing waits for */
void synod__commit_now (synod__rt_t *rt);          /* whatever is written, and again at the turn's end */
void synod__commit (synod__rt_t *rt);              /* begins one if there is something for it, or waits for it */
void synod__commit_settle (synod__rt_t *rt);       /* of those begun: what waits for them is let go */
bool synod__commit_early (const synod__rt_t *rt); /* between two frames: whether to begin one in the middle of a turn */
void synod__broken (synod__rt_t *rt, int code);   /* the disk failed */

/* ---- the rest, by part ---- */

/* asks */
void synod__asks_again (synod__rt_t *rt, const synod__stream_t *stream); /* commands to a node that is back */
void synod__asks_tick (synod__rt_t *rt);
void synod__asks_keyed_again (synod__rt_t *rt); /* those that found no owner */
/* resolve */
synod__stream_t *synod__resolve (synod__rt_t *rt, const synod_address_t *address, const synod__stream_t *but,
                                 int *code);
/* The node to which a key of an actor goes that follows the directory. */
synod__stream_t *synod__follow (synod__rt_t *rt, synod_str_t actor, synod_str_t key, const synod__stream_t *but);
/* The address of a frame by STREAM with mail for ADDRESS, which was parsed from TO, in ROOM of SYNOD_ADDRESS_MAX; ENV_TO
 * is what the envelope has to say besides. data NULL: too long. */
synod_str_t synod__frame_address (const synod__rt_t *rt, const synod__stream_t *stream, const synod_address_t *address,
                                  synod_str_t to, char *room, synod_str_t *env_to);
/* inbox */
/* A message for INSTANCE (NULL: it could not start), of an actor NAME, from ACTOR on the node of ASKER. */
void synod__inbox_hand (synod__rt_t *rt, synod__instance_t *instance, synod__stream_t *asker, synod_str_t actor,
                        const synod_message_t *message, synod_str_t name, const synod_envelope_t *env);
/* A refusal for a key of an actor that is placed, when no ring that has it is known. */
void synod__inbox_no_ring (synod__rt_t *rt, synod__stream_t *asker, synod_str_t name, const synod_message_t *message,
                           const synod_envelope_t *env);
/* An error to who asked; what was told is counted as dropped. */
void synod__inbox_refuse (synod__rt_t *rt, synod__stream_t *asker, synod_str_t name, const synod_message_t *message,
                          const synod_envelope_t *env, int code, const char *text);
void synod__inbox_local (synod__rt_t *rt);  /* takes the mail this node sent itself */
void synod__inbox_rounds (synod__rt_t *rt); /* and what that sends, before the commit where that may be */
/* Whether what was written here and not committed may be acted on by others here. */
bool synod__one_disk (const synod__rt_t *rt);
/* In a turn: what is ready for ASKER leaves, if nothing of what was written has to wait for a disk. */
void synod__rt_part (synod__rt_t *rt, synod__stream_t *asker);
/* Between two frames of a turn: a commit is begun if that is worth it. */
void synod__rt_between (synod__rt_t *rt);
/* control */
void synod__control_take (synod__rt_t *rt, synod__stream_t *from, synod_str_t identity, const synod_frame_t *frame,
                          const synod_envelope_t *env);
void synod__bad_body (synod__rt_t *rt, synod_str_t from, const synod_fault_t *fault);
/* join */
void synod__join_hello (synod__rt_t *rt);
synod__entry_t synod__entry_of_self (synod__rt_t *rt);
void synod__hello_fill (synod__rt_t *rt, synod__hello_t *hello, bool peers); /* borrows the runtime's scratch */
/* Whether FRAME is of another life of its node than the peer's: without a broker, nothing of it but its hello counts. */
synod__peer_t *synod__peer_up (synod__rt_t *rt, const synod__entry_t *entry);
void synod__peer_down (synod__rt_t *rt, synod__peer_t *peer, const char *reason);
void synod__join_welcome (synod__rt_t *rt, uint64_t incarnation, const synod__welcome_t *in);
void synod__join_snapshot (synod__rt_t *rt, const synod__snapshot_t *in);
void synod__join_delta (synod__rt_t *rt, const synod__delta_t *in);
void synod__rt_tick (synod__rt_t *rt);
void synod__rt_end (synod__rt_t *rt, int code, const char *message);
/* mesh */
void synod__mesh_start (synod__rt_t *rt);
void synod__mesh_dial (synod__rt_t *rt, synod_str_t endpoint, bool keep);
void synod__mesh_hello (synod__rt_t *rt, synod_str_t identity, const synod_frame_t *frame, const synod__hello_t *in);
void synod__mesh_link_up (synod__rt_t *rt, uint32_t link);
void synod__mesh_link_down (synod__rt_t *rt, uint32_t link);
void synod__mesh_again (synod__rt_t *rt, const synod_frame_t *frame);
void synod__mesh_unknown (synod__rt_t *rt, synod_str_t identity);
void synod__mesh_leaving (synod__rt_t *rt, synod__peer_t *peer);
void synod__mesh_tick (synod__rt_t *rt);
void synod__mesh_lost (synod__rt_t *rt, synod__stream_t *stream, const char *endpoint, bool left, bool client);
void synod__mesh_presence (synod__rt_t *rt, synod_str_t node);
bool synod__mesh_joined (const synod__rt_t *rt);
void synod__mesh_topics_leave (synod__rt_t *rt, const char *endpoint);
void synod__mesh_free (synod__rt_t *rt);
/* links */
void synod__links_count (synod__rt_t *rt, synod__stream_t *stream, uint32_t messages);
void synod__links_ask (synod__rt_t *rt, synod__stream_t *stream);
void synod__links_offer (synod__rt_t *rt, synod__stream_t *stream, synod_str_t endpoint);
void synod__links_marked (synod__rt_t *rt, synod__stream_t *stream, uint64_t change);
void synod__links_ready (synod__rt_t *rt, synod__stream_t *stream, uint64_t change);
void synod__links_up (synod__rt_t *rt, uint32_t link);
void synod__links_down (synod__rt_t *rt, uint32_t link);
void synod__links_lost (synod__rt_t *rt, synod__stream_t *stream, const char *message);
void synod__links_tick (synod__rt_t *rt, synod__stream_t *stream);
void synod__links_back (synod__rt_t *rt, synod__stream_t *stream);
void synod__links_turn (synod__rt_t *rt, synod__stream_t *stream); /* sends a mark that is due */
/* topics */
void synod__topics_subscribe (synod__rt_t *rt, synod__instance_t *instance, synod_str_t pattern,
                              synod_on_event_t *on_ready, uint64_t arg);
void synod__topics_unsubscribe (synod__rt_t *rt, synod__instance_t *instance, synod_str_t pattern);
void synod__topics_forget (synod__rt_t *rt, const synod__instance_t *instance);
void synod__topics_peer_gone (synod__rt_t *rt, const char *node);
void synod__topics_tick (synod__rt_t *rt);
void synod__topics_free (synod__rt_t *rt);
/* watch */
void synod__watch_monitor (synod__rt_t *rt, synod__instance_t *instance, synod_str_t who, synod_on_down_t *on_down,
                           uint64_t arg);
void synod__watch_unmonitor (synod__rt_t *rt, synod__instance_t *instance, synod_str_t who);
void synod__watch_forget (synod__rt_t *rt, const synod__instance_t *instance);
void synod__watch_node_down (synod__rt_t *rt, synod_str_t node, const char *reason);
void synod__watch_actor_down (synod__rt_t *rt, synod_str_t node, synod_str_t actor, synod_str_t reason);
void synod__watch_take (synod__rt_t *rt, synod__stream_t *from, synod_str_t actor, bool on);
void synod__watch_tell (synod__rt_t *rt, synod_str_t actor, bool restarted, const char *reason);
void synod__watch_free (synod__rt_t *rt);
/* drops */
void synod__drop (synod__rt_t *rt, synod_str_t from, synod_str_t to, const char *reason, uint64_t count);
void synod__drops_tick (synod__rt_t *rt);
void synod__drops_free (synod__rt_t *rt);
/* runtime */
void synod__rt_log (synod__rt_t *rt, int level, const char *format, ...) __attribute__ ((format (printf, 3, 4)));
void synod__rt_tap (synod__rt_t *rt, synod_str_t frame);
void synod__rt_publish (synod__rt_t *rt, const char *topic, const synod_record_t *record, const void *rec);

/* ---- events: what is to run in an actor, but not inside another's handler ---- */

typedef struct {
    enum { SYNOD__EVENT_ASK, SYNOD__EVENT_READY, SYNOD__EVENT_DOWN } kind;
    synod__instance_t *instance;
    uint32_t life;
    uint64_t arg;
    int code;
    uint64_t ask; /* the ask's id */
    synod_on_event_t *on_event;
    synod_on_down_t *on_down;
    char who[2 * SYNOD_NAME_MAX + 2];
    char text[SYNOD_FAULT_MAX];
} synod__event_t;

void synod__run_event (synod__rt_t *rt, const synod__event_t *event);
void synod__run_reply (synod__instance_t *self, uint32_t life, synod_on_reply_t *on_reply, const synod_reply_t *reply,
                       uint64_t arg, uint64_t trace);
synod__event_t *synod__event_add (synod__rt_t *rt, int kind, synod__instance_t *instance);
/* ASK's attempt under way came to CODE; what becomes of a later attempt is not this event's business. */
void synod__event_ask (synod__rt_t *rt, const synod__ask_t *ask, int code, const char *message);

typedef struct synod__local_t {
    struct synod__local_t *next;
    synod_buf_t frame;
    uint64_t wait; /* see synod__box_t */
} synod__local_t;

typedef struct synod__subscription_t synod__subscription_t;
typedef struct synod__prefix_t synod__prefix_t;
typedef struct synod__gap_t synod__gap_t;
typedef struct synod__echo_t synod__echo_t;
typedef struct synod__monitor_t synod__monitor_t;
typedef struct synod__watcher_t synod__watcher_t;
typedef struct synod__loss_t synod__loss_t;
typedef struct synod__dial_t synod__dial_t;
typedef struct synod__leaving_t synod__leaving_t;

#define SYNOD__SAYS_ALL UINT64_MAX

struct synod__rt_t {
    synod__rt_config_t config; /* texts owned */
    const synod__host_t *ops;
    void *host;
    synod_str_t node;
    int64_t now_us;
    int64_t started_us;
    int64_t tick_us; /* when the next one is due */
    int64_t drain_us;
    synod__rt_state_t state;
    synod_fault_t fault;
    bool in_turn;
    const synod__stream_t *asker; /* who sent a frame in this turn; not to be followed, it may be gone */
    bool several, several_before; /* there were others, in this turn and in the last */
    synod__rt_stats_t stats;

    synod__instance_t **instances;
    uint32_t ninstances, instances_capacity;
    void *record; /* room for the largest record of any route */
    size_t record_size;

    synod__disk_t *disk;
    bool own_disk;      /* none was given: a memory disk */
    bool uncommitted;   /* something was written that the next commit is begun for */
    bool wanted;        /* something that leaves the node waits for it */
    uint64_t commit;    /* number of the next one: commit.c */
    uint64_t durable;   /* of the last that is, as are all before it */
    uint32_t collected; /* batches for the next commit */
    uint32_t begun;     /* of the last one that was begun */
    uint32_t circling;  /* of it and the one under way beside it, or of those before: how many ask again and again */
    bool released;      /* a commit has just become durable, and what waited for it has left */
    bool whole;         /* what was written is more than batches: the turn waits for its commit */
    uint64_t tied;      /* the commit that what anybody says waits for; instances have their own */
    bool own;           /* what is written now nobody but its writer has seen */
    bool outside;       /* what is taken now tells of no more than what is durable with the commit HEARD */
    uint64_t heard;     /* 0: of nothing of this node's */
    int64_t lazy_us;    /* when the first was written that nothing waits for; 0: all of that is being committed */
    bool lazily;        /* what is written now is such */
    uint64_t says;      /* the commit that what is sent now waits for; SYNOD__SAYS_ALL: for all that was written */
    int broken;         /* the disk's error; SYNOD_OK: it works */
    synod_fault_t broken_fault;
    synod_buf_t writes, remembered, error; /* for batches, for remembered replies, for an error to be remembered */
    synod__kept_t *commands;               /* hash by command */
    struct synod__replies_t *replies;      /* that clients of late have here; NULL: none was looked at */
    uint64_t replies_used;                 /* how often they were looked at */
    uint64_t client;                       /* what it is to those it sends commands to */
    synod__ask_t *commands_first, *commands_last; /* own ones, by number */

    synod__place_t *place; /* placed actors */
    uint64_t epoch;        /* of the ring that this node is in; 0: none */

    synod__stage_t stage;
    synod__timers_t timers;
    synod__ask_t **asks;           /* by slot */
    uint32_t nasks, asks_capacity; /* in use; slots there are, those in use and those in asks_spare */
    uint32_t *asks_spare, asks_nspare, asks_spare_capacity;
    uint32_t nagain; /* asks that wait to be sent again */
    uint64_t ask_order;
    synod__kept_t **calls;
    uint32_t ncalls, calls_capacity;
    uint32_t *calls_spare, calls_nspare, calls_spare_capacity;
    uint64_t call_order;
    synod__gather_t *gathers;
    synod__gather_t *gather; /* the next call is for this one, as GATHER_AT; NULL: for its asker */
    uint32_t gather_at;
    synod__floor_t *floors;
    bool packed;            /* the body that is staged is one packed value: it was packed here */
    synod__alarm_t *alarms; /* hash by id */
    uint64_t alarm_order;
    synod__event_t *events;
    uint32_t nevents, events_capacity;

    synod__directory_t *directory;
    synod__stream_t *streams; /* hash by name */
    synod__stream_t *broker;  /* its stream, NULL without one */
    synod__stream_t *self;    /* mail to this node */
    synod__stream_t *last_in; /* the stream of the last frame taken */
    synod__stream_t **dirty;  /* to be flushed at the end of the turn */
    uint32_t ndirty, dirty_capacity;
    synod__stream_t **parked; /* have what waits for a commit that is under way, or for the next */
    uint32_t nparked, parked_capacity;
    synod__local_t *local_first, *local_last, *local_spare;
    uint32_t next_link;

    uint64_t broker_incarnation;
    bool broker_up;         /* its connection stands */
    int64_t broker_down_us; /* since when it does not */
    bool broker_lost;       /* it was told to be gone, and has not said welcome since */
    bool left;              /* the broker took us out of the directory */
    bool snapshot_whole;
    bool broker_changed;                      /* the last snapshot is of a broker that just started */
    int64_t heard_us;                         /* from the broker */
    int64_t probed_us;                        /* a client: since when the broker owes a sign of life; 0: it does not */
    synod_buf_t items, items2, scratch, body; /* for control messages */
    synod__batch_t answer;                    /* for frames to identities */

    synod_conn_t *conns_changed; /* for the host to look at */
    synod_conn_t *conns_waiting; /* have what waits for a commit */
    synod__publisher_t *publisher;
    bool tap;
    uint32_t tap_subscribers;
    synod__subscription_t *subscriptions;
    synod__prefix_t *prefixes;
    synod__gap_t *gaps;
    synod__echo_t *echoes;
    uint64_t next_echo, next_change;
    uint64_t token_base; /* of this life's tokens, in the upper half; the lower is a link */
    synod__monitor_t *monitors;
    synod__watcher_t *watchers;
    synod__loss_t *losses;
    uint32_t nlosses;
    synod__dial_t *dials;
    synod__leaving_t *leaving;
};

#endif
