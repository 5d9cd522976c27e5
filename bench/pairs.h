/* SPDX-License-Identifier: MPL-2.0
 *
 * What the clients of locks measure, the same for all systems: pairs of an acquisition and a release, each client with a
 * lock of its own, from when the acquisition is sent until the release is answered; or one lock that all of them want,
 * from when its holder sends the release until the next one knows that it holds the lock.
 */
#ifndef BENCH_PAIRS_H_INCLUDED
#define BENCH_PAIRS_H_INCLUDED

#include "tools/measure.h"

#define PAIRS_LEASE_S 120 /* longer than a run: nobody renews, here as there */

typedef struct {
    synod__measure_t run;
    uint64_t begun;  /* pairs; of one lock, hand-overs */
    bool one;        /* lock for all of them */
    bool handing;    /* one: it was released, and nobody has been told that he holds it */
    uint64_t holder; /* one: who has it, counted from 1; 0: nobody */
    bool done;
} pairs_t;

static inline void pairs_answered (pairs_t *self, uint64_t number)
{
    char data[SYNOD__MEASURE_SIZE_MIN];
    synod__measure_stamp (data, number);
    if (synod__measure_answer (&self->run, data, sizeof data))
        self->done = true;
}

/* A client is about to acquire: NUMBER is its pair's. False: there are enough. */
static inline bool pairs_acquire (pairs_t *self, uint64_t *number)
{
    if (self->done || (!self->one && self->begun == self->run.expected))
        return false;
    if (!self->one) {
        *number = self->begun++;
        synod__measure_sent (&self->run, *number);
    }
    return true;
}

/* CLIENT (counted from 1) holds its lock. */
static inline void pairs_held (pairs_t *self, uint64_t client)
{
    if (!self->one || self->done)
        return;
    if (self->holder)
        self->run.wrong++; /* two of them */
    self->holder = client;
    if (self->handing)
        pairs_answered (self, self->begun - 1);
    self->handing = false;
}

/* CLIENT is about to release its lock. */
static inline void pairs_release (pairs_t *self, uint64_t client)
{
    if (!self->one || self->done)
        return;
    if (self->holder != client)
        self->run.wrong++;
    self->holder = 0;
    self->handing = true;
    synod__measure_sent (&self->run, self->begun++);
}

/* Its release was answered. */
static inline void pairs_released (pairs_t *self, uint64_t number)
{
    if (!self->one)
        pairs_answered (self, number);
}

/* 0, or 1 with a line on standard error. */
static inline int pairs_init (pairs_t *self, const char *system, uint64_t count)
{
    self->run.system = system;
    self->run.scenario = self->one ? "hand-over" : "lock";
    self->run.size = SYNOD__MEASURE_SIZE_MIN;
    self->run.expected = count;
    return synod__measure_init (&self->run, true);
}

#endif
