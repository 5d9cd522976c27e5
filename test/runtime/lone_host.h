/* SPDX-License-Identifier: MPL-2.0
 *
 * A host for one runtime, whose other side is the test: it hands in frames as a broker would, and sees what leaves and
 * in which order with the commits.
 */
#ifndef SYNOD_TEST_RUNTIME_LONE_HOST_H_INCLUDED
#define SYNOD_TEST_RUNTIME_LONE_HOST_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "actors/runtime/memory_disk.h"
#include "actors/runtime/runtime.h"
#include "protocol/catalogue.h"

typedef struct {
    synod_kind_t kind;
    uint64_t id, client, number, low;
    char to[128], method[64], error[64];
    int64_t value; /* the body's field `value`, or -1 */
    bool early;    /* it left before the first commit in the log */
} lone_mail_t;

#define LONE_MAIL_MAX 256

typedef struct {
    synod__rt_t *rt;
    synod__disk_t disk;   /* what the runtime has: passes on, and notes writes and commits */
    synod__disk_t *under; /* outlives the runtime */
    int64_t now_us, wall_us;
    uint64_t number; /* of the last frame handed in */
    /* w: a batch, c: a commit, b: one that is begun, d: that is durable, f: a frame that is not for the broker, F: one by a direct link, in their order */
    char log[512];
    bool slow;                   /* commits are begun, and durable when: */
    uint32_t durable;            /* so many of those begun are, next time that it is asked */
    int fails;                   /* the next of them comes to that instead; SYNOD_OK: it does not */
    bool blocked;                /* the link takes nothing */
    bool memory;                 /* the next life has no disk */
    const synod_actor_t *beside; /* the next life runs this one too */
    uint64_t change;             /* of the last mark of a change of path */
    lone_mail_t mail[LONE_MAIL_MAX];
    uint32_t nmail;
} lone_t;

void lone_new (lone_t *self);
/* A life of node `n` with TYPE on the disk that is there. INCARNATION grows. */
void lone_start (lone_t *self, const synod_actor_t *type, uint64_t incarnation);
void lone_crash (lone_t *self);
void lone_end (lone_t *self);   /* everything, the disk too */
void lone_clear (lone_t *self); /* log and mail */

/* An ask from peer/main to n/ACTOR (the type of lone_start), a command when CLIENT is not 0. In a turn of its own: */
void lone_ask (lone_t *self, const char *method, uint64_t id, uint64_t client, uint64_t number, uint64_t low,
               int64_t value);
/* The same as one of several in a turn: begin, adds, in; then the turn is open until lone_turn ends it. */
void lone_begin (lone_t *self);
void lone_add (lone_t *self, const char *method, uint64_t id, uint64_t client, uint64_t number, uint64_t low,
               int64_t value);
/* What is added from now on, until the next begin, is for this actor of n. */
void lone_to (lone_t *self, const char *actor);
void lone_in (lone_t *self);
/* As lone_in: COUNT frames of so many clients that have direct links, with an ask each, numbered from 1. */
void lone_clients (lone_t *self, const char *method, uint32_t count, uint32_t clients);
void lone_turn (lone_t *self);
/* A turn in which it is known that COUNT more of the commits that were begun are durable. */
void lone_durable (lone_t *self, uint32_t count);
/* An answer from FROM (its actor's name) of node NODE to the ask ID of n's actor. */
void lone_answer (lone_t *self, const char *node, uint64_t incarnation, const char *from, uint64_t id, int code);
/* Lets MS go by, turn after turn as the runtime wants them. */
void lone_run (lone_t *self, uint32_t ms);
/* The broker says that NODE is there and runs ACTOR, or (ACTOR NULL) that it is gone. */
void lone_directory (lone_t *self, const char *node, uint64_t incarnation, const char *actor);
/* A direct link to NODE, which is in the directory: frames to it are `F` in the log. */
void lone_link (lone_t *self, const char *node, uint64_t incarnation);
/* Runs FUNCTION as a handler of the actor, in a turn of its own. */
int lone_step (lone_t *self, int (*function) (synod_ctx_t *ctx, void *arg), void *arg);
/* The only mail to have left since the last clearing. */
const lone_mail_t *lone_only (lone_t *self);

#endif
