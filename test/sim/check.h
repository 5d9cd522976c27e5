/* SPDX-License-Identifier: MPL-2.0
 *
 * What the tests of the simulator share: an actor that answers and notes what came, one that counts durably, and asks
 * whose answers are counted.
 */
#ifndef SYNOD_TEST_SIM_CHECK_H_INCLUDED
#define SYNOD_TEST_SIM_CHECK_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <synod/sim.h>

#define NUMBER_FIELDS(FIELD, OPT) FIELD (u64, n, UINT64_MAX, "a number")
SYNOD_RECORD (echo, NUMBER_FIELDS, 0, "answered with the same number")
SYNOD_RECORD (note, NUMBER_FIELDS, 0, "a tell that is noted")
SYNOD_RECORD (add, NUMBER_FIELDS, SYNOD_ONCE, "adds to the count, once")
SYNOD_RECORD (count, NUMBER_FIELDS, SYNOD_IDEMPOTENT, "the count")
SYNOD_RECORD (number, NUMBER_FIELDS, 0, "a number")

#define NOTES_MAX 100000
/* What came to pass in this test, on all nodes together. */
typedef struct {
    uint32_t replies, good; /* continuations run; with SYNOD_OK */
    int code;               /* of the last one */
    uint64_t n;
    uint32_t notes;
    uint64_t order[NOTES_MAX]; /* of the notes, as they came */
    int64_t at_us[NOTES_MAX];  /* when, by the clock of their node */
    uint32_t starts, ticks;
    int64_t tick_us; /* the last one, by the clock of its node */
} seen_t;
extern seen_t seen;

extern const synod_actor_t echoes; /* `echo`: echo and note */
extern const synod_actor_t counts; /* `counts`: add and count, in its store */
extern const synod_actor_t ticker; /* `ticker`: a timer every 100 ms */

/* A world of a client `c` and nodes a, b, ... with TYPE, all joined. */
synod_sim_t *world (uint64_t seed, const synod_sim_settings_t *settings, const synod_actor_t *type, int nodes);
int client_of (synod_sim_t *sim);
void note (synod_sim_t *sim, const char *to, uint64_t n);
void ask (synod_sim_t *sim, const char *to, const synod_record_t *record, uint64_t n, uint32_t timeout_ms);
/* Asks and gives back the answer's code; the number is seen.n. */
int ask_now (synod_sim_t *sim, const char *to, const synod_record_t *record, uint64_t n);
/* Runs until all asks are answered. */
void settle (synod_sim_t *sim);

#endif
