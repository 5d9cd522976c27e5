/* SPDX-License-Identifier: MPL-2.0
 *
 * What the runtime's tests share: two actor types, and what was seen of them. `server` takes methods; `probe` asks and
 * tells from outside, by mh_step, and notes what comes back. One test runs at a time, so what was seen is one struct.
 */
#ifndef SYNOD_TEST_RUNTIME_CHECK_H_INCLUDED
#define SYNOD_TEST_RUNTIME_CHECK_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <synod/actor.h>
#include "memory_host.h"

#define PAIR_FIELDS(FIELD, OPT)           \
    FIELD (i64, a, 1000000, "one number") \
    OPT (i64, b, INT64_MAX, "another number")
SYNOD_RECORD (add, PAIR_FIELDS, 0, "adds")
SYNOD_RECORD (safe, PAIR_FIELDS, SYNOD_IDEMPOTENT, "adds, and may be repeated")
SYNOD_RECORD (note, PAIR_FIELDS, 0, "a tell that is noted")
SYNOD_RECORD (later, PAIR_FIELDS, 0, "answered after a ms")
SYNOD_RECORD (never, PAIR_FIELDS, 0, "not answered")
SYNOD_RECORD (keep, PAIR_FIELDS, SYNOD_IDEMPOTENT, "not answered, may be repeated")
SYNOD_RECORD (crowd, PAIR_FIELDS, SYNOD_IDEMPOTENT, "not answered by who is the first to take it; others are busy")
SYNOD_RECORD (refuse, PAIR_FIELDS, 0, "refused with a sentence")
SYNOD_RECORD (crash, PAIR_FIELDS, 0, "the actor fails, after it staged one of each")
SYNOD_RECORD (halt, PAIR_FIELDS, 0, "the actor stops")
SYNOD_RECORD (twice, PAIR_FIELDS, 0, "answered in a step that fails, then in one that does not")
SYNOD_RECORD (odd, PAIR_FIELDS, 0, "nobody takes it")
#define SUM_FIELDS(FIELD, OPT) FIELD (i64, sum, INT64_MAX, "the sum")
SYNOD_RECORD (sum, SUM_FIELDS, 0, "a sum")

#define ORDER_MAX 200000
/* What came to pass, in this test, on all nodes together. */
typedef struct {
    uint32_t replies; /* continuations run */
    int code;
    int64_t sum;
    char from[160], message[SYNOD_FAULT_MAX];
    uint32_t answered[16]; /* continuations by their argument, below 16 */
    uint32_t handled;      /* messages taken by servers */
    uint32_t notes;
    int64_t order[ORDER_MAX]; /* a of the notes, as they came */
    uint32_t inits, finis, events, readies, downs;
    char who[160], reason[SYNOD_FAULT_MAX];
    char last_from[160], last_topic[256];
    char by[ORDER_MAX]; /* first letter after the node's first of who handled */
} seen_t;

extern seen_t seen_;
seen_t *seen_new (void);

extern const synod_actor_t probe, server, second;

/* Each runs as a step of the probe on NODE. METHOD by name. */
int ask (mh_node_t *node, const char *to, const char *method, int64_t a, int64_t b, uint32_t timeout_ms, uint64_t arg);
int tell (mh_node_t *node, const char *to, int64_t a);
int publish (mh_node_t *node, const char *topic, int64_t a);
int subscribe (mh_node_t *node, const char *pattern);
int unsubscribe (mh_node_t *node, const char *pattern);
int monitor (mh_node_t *node, const char *who);
int unmonitor (mh_node_t *node, const char *who);

bool replied (void *arg); /* the condition: so many replies */
bool noted (void *arg);

#endif
