/* SPDX-License-Identifier: MPL-2.0
 *
 * A small world for atomic commit: a coordinator, participants and acceptors with a disk each, and a soup of messages.
 * Nodes crash around every write and between sends, come back, and are handed over to others with what is on their
 * disks. The same seed gives the same run.
 */
#ifndef SYNOD_TEST_VOTE_SOUP_H_INCLUDED
#define SYNOD_TEST_VOTE_SOUP_H_INCLUDED

#include "actors/vote/vote_check.h"

typedef enum {
    SOUP_ASYNC,  /* messages are lost, repeated, overtaken; timers run at any time */
    SOUP_TIMELY, /* messages arrive before any timer runs: what three-phase commit assumes. Nodes crash all the same */
    SOUP_CUT     /* the same, but once the world is cut in two for a while */
} soup_weather_t;

typedef struct {
    uint32_t runs, committed, aborted, crashes, handed, lost, repeated, recovered, asked_peers;
} soup_counts_t;

/* One run; false with a sentence when an invariant does not hold, or when after the faults somebody does not decide.
 * Adds to COUNTS. */
bool soup_run (uint64_t seed, synod__vote_protocol_t protocol, soup_weather_t weather, soup_counts_t *counts,
               synod_fault_t *fault);

#endif
