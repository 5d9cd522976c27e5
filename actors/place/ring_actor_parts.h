/* SPDX-License-Identifier: MPL-2.0
 *
 * What the parts of the actor `ring` know of each other. A part is a file:
 *
 *   ring_actor.c          its life, its store, what it says of itself, entering epochs
 *   ring_actor_make.c     how a ring comes about: who makes it
 *   ring_actor_init.c     ... and each of its nodes
 *   ring_actor_vote.c     a keeper's votes, and the one proposal that it may have under way
 *   ring_actor_change.c   changes that are asked for, and the value that follows an epoch
 *   ring_actor_join.c     one that joins
 *   ring_actor_forward.c  what only keepers know is asked of them
 *   ring_actor_watch.c    reports, suspicions, the clock
 *   ring_actor_status.c   how the ring is
 */
#ifndef SYNOD_PLACE_RING_ACTOR_PARTS_H_INCLUDED
#define SYNOD_PLACE_RING_ACTOR_PARTS_H_INCLUDED

#include "ring_actor.h"
#include "ring_watch.h"
#include "paxos.h"
#include "protocol/ring_records.h"

typedef struct synod__ring_making_t synod__ring_making_t;   /* one init */
typedef struct synod__ring_forward_t synod__ring_forward_t; /* one ask that a keeper is asked for another */

/* One change that is asked for. */
typedef struct synod__ring_asked_t {
    struct synod__ring_asked_t *next;
    uint64_t id;
    synod_call_t call;
    synod__change_t change;
    bool asking;    /* the one that is to join, for what it is */
    bool proposed;  /* it is in a value that this keeper proposed, or it is known that it was not so before */
    uint32_t tried; /* members of another ring that it has recorded, which were asked to refuse that */
    uint64_t other; /* that ring */
    int last;       /* why the one that is to join did not answer */
    synod_timer_t deadline;
} synod__ring_asked_t;

#define SYNOD__RING_TO_SIZE  (SYNOD_NAME_MAX + sizeof "/" SYNOD__RING_ACTOR)
#define SYNOD__RING_EARLY_MS 250 /* so long before the deadline an answer has to leave, or an eighth of the time */
#define SYNOD__RING_AGAIN_MS 50  /* so long after somebody was not to be reached it is tried again */

/* The actor's memory. Invariants: EPOCH is that of the context when every handler has returned; MINE is less than
 * SET.count only for a keeper of it; a proposal is for EPOCH + 1. */
typedef struct {
    synod__paxos_self_t self; /* its name borrows the node's */
    uint32_t grace_ms, report_ms, weight;
    char zone[SYNOD_NAME_MAX + 1];
    uint32_t alone_replicas, alone_partitions;
    uint64_t last_id; /* of whatever a timer or an answer has to find again */

    /* before it is in a ring */
    synod_buf_t recorded; /* the first epoch of a ring that has not begun here; size 0: none */
    uint64_t recorded_ring;
    synod__ring_making_t *making;

    /* the epoch */
    uint64_t epoch;         /* 0: none */
    synod_buf_t value;      /* the same, packed */
    synod__paxos_set_t set; /* its keepers */
    uint32_t mine;          /* this node's number among its keepers; nkeepers: it is none */

    /* the vote */
    uint64_t round; /* the last one used, as in the store */
    bool proposing;
    synod__proposer_t proposer;
    uint64_t proposal; /* what its timer brings back */
    synod_timer_t proposer_timer;

    /* changes */
    synod__ring_asked_t *asked;
    uint32_t nasked;
    synod__ring_forward_t *forwards;

    /* the watch */
    synod__ring_watch_t watch; /* a keeper's */
    synod__wish_t *wishes;     /* room for all members */
    int64_t wish_us;           /* since when there are wishes; 0: there are none */
    uint32_t wish_wait_ms;     /* until this keeper proposes what it wishes */
    int64_t reported_us;       /* when it was reported and suspected last */
    int64_t gossiped_us;
    synod__place_progress_t reported; /* what was */
    uint32_t reported_lacking, suspected;
    bool reported_stopping;
    char trouble[SYNOD_FAULT_MAX]; /* what a member wants and cannot have; empty: nothing */
} synod__ring_state_t;

/* ---- ring_actor.c ---- */

void synod__ring_to (char *to, synod_str_t node);
/* The node of the sender, if it is an actor `ring`; data NULL: it is none. */
synod_str_t synod__ring_sender (synod_ctx_t *ctx);
/* How long to work on CALL. */
uint32_t synod__ring_left_ms (synod_ctx_t *ctx, synod_call_t call);
bool synod__ring_keep (synod_buf_t *buf, synod_str_t value); /* false: memory ran out, and BUF is empty */
void synod__ring_copy_text (char *to, synod_str_t from);     /* TO has room for it, as its record's limit says */
synod_str_t synod__ring_str (const synod_buf_t *buf);
int synod__ring_no_memory (synod_ctx_t *ctx);
int synod__ring_put_round (synod_ctx_t *ctx, uint64_t round);
/* Enters a decided epoch. SYNOD_REFUSED or another error with the sentence set: nothing was done. */
int synod__ring_enter (synod_ctx_t *ctx, synod__ring_state_t *self, synod_str_t value);
/* The context is in another epoch than this actor knows of: brings it up to date. */
int synod__ring_entered (synod_ctx_t *ctx, synod__ring_state_t *self);
/* Tells NODE the epoch that this node is in. */
void synod__ring_tell_epoch (synod_ctx_t *ctx, const synod__ring_state_t *self, synod_str_t node);
/* Tells VALUE, which was decided, to the members of TO that are none of BUT (may be NULL), and not to this node. */
void synod__ring_tell_value (synod_ctx_t *ctx, synod_str_t value, const synod__epoch_t *to, const synod__epoch_t *but);
/* Asks NODE for the epoch that it is in, if it is later than this node's. */
int synod__ring_ask_epoch (synod_ctx_t *ctx, synod__ring_state_t *self, synod_str_t node);
/* The types that run here and that EPOCH does not have of this member; all with EPOCH NULL. Appends to LIST. */
int synod__ring_types (synod_ctx_t *ctx, const synod__ring_state_t *self, const synod__epoch_t *epoch,
                       synod_list_t *list, synod_buf_t *items);
/* The types of a message, into a newcomer. */
int synod__ring_take_types (synod_ctx_t *ctx, synod_list_t list, synod__newcomer_t *node);

/* ---- ring_actor_make.c ---- */

int synod__ring_on_init (synod_ctx_t *ctx, void *state, const synod__ring_init_t *in, synod_call_t call);
void synod__ring_making_free (synod__ring_state_t *self);

/* ---- ring_actor_init.c ---- */

int synod__ring_on_adopt (synod_ctx_t *ctx, void *state, const synod__ring_adopt_t *in, synod_call_t call);
int synod__ring_on_begin (synod_ctx_t *ctx, void *state, const synod__ring_begin_t *in, synod_call_t call);
int synod__ring_on_refuse (synod_ctx_t *ctx, void *state, const synod__ring_refuse_t *in, synod_call_t call);
int synod__ring_on_forget (synod_ctx_t *ctx, void *state, const synod__ring_forget_t *in, synod_call_t call);
/* The names of the members of a packed epoch. */
const char *synod__ring_members (synod_str_t value, char *room, size_t size);
/* From the store, when the actor begins. */
int synod__ring_load_recorded (synod_ctx_t *ctx, synod__ring_state_t *self);
/* It is in a ring now: what it recorded is no more. */
int synod__ring_drop_recorded (synod_ctx_t *ctx, synod__ring_state_t *self);

/* ---- ring_actor_vote.c ---- */

int synod__ring_on_step (synod_ctx_t *ctx, void *state, const synod__ring_step_t *in, synod_call_t call);
/* Proposes VALUE for the next epoch. Nothing may be under way. */
int synod__ring_propose (synod_ctx_t *ctx, synod__ring_state_t *self, synod_str_t value);
void synod__ring_withdraw (synod_ctx_t *ctx, synod__ring_state_t *self);
/* Votes on epochs up to EPOCH, which the store has as entered, are no more. */
int synod__ring_drop_votes (synod_ctx_t *ctx, uint64_t epoch);
/* Names of the keepers that have not answered the proposal. */
const char *synod__ring_silent (const synod__ring_state_t *self, char *room, size_t size);

/* ---- ring_actor_change.c ---- */

int synod__ring_on_leave (synod_ctx_t *ctx, void *state, const synod__ring_leave_t *in, synod_call_t call);
int synod__ring_on_remove (synod_ctx_t *ctx, void *state, const synod__ring_remove_t *in, synod_call_t call);
int synod__ring_on_weight (synod_ctx_t *ctx, void *state, const synod__ring_weight_t *in, synod_call_t call);
int synod__ring_on_keepers (synod_ctx_t *ctx, void *state, const synod__ring_keepers_t *in, synod_call_t call);
synod__ring_asked_t *synod__ring_asked_find (const synod__ring_state_t *self, uint64_t id);
/* What is asked at a keeper begins; CHANGE is taken in any case. NULL: CALL was answered so. */
synod__ring_asked_t *synod__ring_asked_add (synod_ctx_t *ctx, synod__ring_state_t *self, synod__change_t *change,
                                            synod_call_t call);
void synod__ring_asked_fail (synod_ctx_t *ctx, synod__ring_state_t *self, synod__ring_asked_t *asked, int code,
                             const char *why);
/* The ways of every change: wrong ones are refused, those that came to no keeper are sent on to one. *HERE: it is one. */
int synod__ring_asked_route (synod_ctx_t *ctx, synod__ring_state_t *self, const synod__change_t *change,
                             const synod_record_t *record, const void *in, synod_call_t call, bool *here);
/* A member runs types that the epoch does not have of it. Takes NODE's types. */
int synod__ring_ask_types (synod_ctx_t *ctx, synod__ring_state_t *self, synod__newcomer_t *node);
/* Answers what has come true, and proposes what is asked for and wished, if nothing is under way. */
int synod__ring_pump (synod_ctx_t *ctx, synod__ring_state_t *self);
/* All changes end with this. */
void synod__ring_fail_changes (synod_ctx_t *ctx, synod__ring_state_t *self, int code, const char *why);
/* This node is no keeper any more: those that have come true are answered, the others fail. */
void synod__ring_end_changes (synod_ctx_t *ctx, synod__ring_state_t *self);
void synod__ring_asked_free (synod__ring_state_t *self);

/* ---- ring_actor_join.c ---- */

int synod__ring_on_join (synod_ctx_t *ctx, void *state, const synod__ring_join_t *in, synod_call_t call);

/* ---- ring_actor_forward.c ---- */

/* Asks the keepers, one after another, for CALL. RECORD and IN are packed. */
int synod__ring_forward (synod_ctx_t *ctx, synod__ring_state_t *self, const synod_record_t *record, const void *in,
                         synod_call_t call);
void synod__ring_forwards_free (synod__ring_state_t *self);

/* ---- ring_actor_watch.c ---- */

int synod__ring_on_report (synod_ctx_t *ctx, void *state, const synod__ring_report_t *in, synod_call_t call);
int synod__ring_on_suspect (synod_ctx_t *ctx, void *state, const synod__ring_suspect_t *in, synod_call_t call);
int synod__ring_on_stopping (synod_ctx_t *ctx, void *state, const synod__ring_stopping_t *in, synod_call_t call);
/* Begins the clock: reports, suspicions, wishes. */
int synod__ring_clock (synod_ctx_t *ctx, synod__ring_state_t *self);
/* Says how this node is, and whom it suspects, if that is due or ALWAYS. */
int synod__ring_report (synod_ctx_t *ctx, synod__ring_state_t *self, bool always);
/* The epoch has changed: the watch with it. */
int synod__ring_watch_epoch (synod_ctx_t *ctx, synod__ring_state_t *self);

/* ---- ring_actor_status.c ---- */

int synod__ring_on_status (synod_ctx_t *ctx, void *state, const synod__ring_status_t *in, synod_call_t call);
/* As far as this node knows. FROM: the first member. */
int synod__ring_tell_status (synod_ctx_t *ctx, synod__ring_state_t *self, uint32_t from, synod_call_t call);

#endif
