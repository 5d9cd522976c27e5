/* SPDX-License-Identifier: MPL-2.0
 *
 * The parts of the actor `lock`: lock_actor.c (its life, its store, effects), lock_actor_calls.c (messages),
 * lock_actor_look.c (questions, and what operators do).
 */
#ifndef SYNOD_LOCK_ACTOR_PARTS_H_INCLUDED
#define SYNOD_LOCK_ACTOR_PARTS_H_INCLUDED

#include "lock_actor.h"

typedef struct {
    synod__locks_t locks;
    synod_timer_t alarm;
    int64_t alarm_us; /* when it is due; INT64_MAX: it is not set */
    synod_buf_t value;
    int64_t watched_us;               /* of the node's own instance alone: events are published until then */
    const synod__lock_force_t *force; /* what is carried out is this; NULL: it is something else */
} synod__lock_state_t;

extern const synod_route_t synod__lock_routes[];

/* Carries out the effects of the last event. */
int synod__lock_carry (synod_ctx_t *ctx, synod__lock_state_t *self);
/* Answers an acquire, or who waits. ENTRY NULL: it is not to be had. */
int synod__lock_tell (synod_ctx_t *ctx, synod_call_t call, const synod__locks_session_t *session,
                      const synod__locks_entry_t *entry, const synod__locks_entry_t *in_the_way);
/* SYNOD_INVALID with a sentence: no name of a lock, or one of another key than that of the address. */
int synod__lock_check (synod_ctx_t *ctx, synod_str_t name);

/* lock_actor_look.c */
int synod__lock_on_inspect (synod_ctx_t *ctx, void *state, const synod__lock_inspect_t *in, synod_call_t call);
int synod__lock_on_list (synod_ctx_t *ctx, void *state, const synod__lock_list_t *in, synod_call_t call);
int synod__lock_on_force (synod_ctx_t *ctx, void *state, const synod__lock_force_t *in, synod_call_t call);
extern const synod_actor_t synod__lock_node_actor;
bool synod__lock_watched (const synod_ctx_t *ctx); /* whether events are to be published */

#endif
