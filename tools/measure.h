/* SPDX-License-Identifier: MPL-2.0
 *
 * How a benchmark's role is told what to do and how it measures: one code for synod and for what it is measured
 * against, so that a difference in numbers is none in method.
 *
 * Message NUMBER (0 to expected - 1) carries it in its first eight bytes. A run is void, and says so, when a message
 * was lost, came twice, out of order (topics) or in the wrong size. Time runs from the first message received (asks:
 * from the first one sent) to the last one received, by CLOCK_MONOTONIC, so that processes of one host compare.
 */
#ifndef SYNOD_TOOLS_MEASURE_H_INCLUDED
#define SYNOD_TOOLS_MEASURE_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

/* ---- options: a table, ended by a name of NULL ---- */

#define SYNOD__TEXTS_MAX 64

typedef enum { SYNOD__OPTION_FLAG, SYNOD__OPTION_NUMBER, SYNOD__OPTION_TEXT, SYNOD__OPTION_TEXTS } synod__option_type_t;

typedef struct {
    const char *name; /* without the dashes */
    synod__option_type_t type;
    void *value; /* bool, uint64_t, const char * or const char *[SYNOD__TEXTS_MAX + 1] */
    const char *doc;
} synod__option_t;

/* Fills the values from argv[1...]; texts borrow ARGV. 0, 2 when a line on standard error says what is wrong, or -1
 * when
 * --help was asked for and printed. USAGE: the command with its operands. */
int synod__options_parse (int argc, char **argv, const char *usage, const synod__option_t *options);

/* ---- the start: all are ready before the first message ---- */

/* Prints `ready` for whoever drives the benchmark. */
void synod__measure_ready (void);
/* Whether the driver's line (or the end of standard input) has come, waiting TIMEOUT_MS for it. */
bool synod__measure_started (int timeout_ms);
/* Both, for who has nothing to do until then. */
void synod__measure_start (void);

/* ---- a run ---- */

#define SYNOD__MEASURE_SIZE_MIN 8

typedef struct {
    const char *system;
    const char *scenario;
    uint32_t size;     /* of a message's data */
    uint64_t expected; /* messages */
    uint64_t received;
    uint64_t next;  /* topics: the number to come */
    uint64_t wrong; /* came twice, out of order or in the wrong size */
    uint64_t gaps;  /* what the system itself says it lost */
    int64_t first_ns;
    int64_t last_ns;
    int64_t *sent_ns;  /* asks: when each left; 0 when it is not under way. Owned */
    uint32_t *took_ns; /* asks: how long each took, in order of their end. Owned */
} synod__measure_t;

static inline int64_t synod__measure_now_ns (void)
{
    struct timespec t;
    clock_gettime (CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void synod__measure_stamp (char *data, uint64_t number)
{
    memcpy (data, &number, sizeof number);
}

/* ASKS: with a table of when each was sent. 0, or 1 with a line on standard error. */
int synod__measure_init (synod__measure_t *self, bool asks);
void synod__measure_free (synod__measure_t *self);

/* Takes a published message; true when the last one has come. */
static inline bool synod__measure_take (synod__measure_t *self, const void *data, size_t size)
{
    uint64_t number = UINT64_MAX;
    if (size == self->size)
        memcpy (&number, data, sizeof number);
    if (number < self->next || number >= self->expected) {
        self->wrong++;
        return false;
    }
    if (self->received++ == 0)
        self->first_ns = synod__measure_now_ns ();
    self->next = number + 1;
    if (self->next < self->expected)
        return false;
    self->last_ns = synod__measure_now_ns ();
    return true;
}

/* Notes that ask NUMBER leaves now. */
static inline void synod__measure_sent (synod__measure_t *self, uint64_t number)
{
    self->sent_ns[number] = synod__measure_now_ns ();
    if (number == 0)
        self->first_ns = self->sent_ns[0];
}

/* Takes an answer; true when all have come. */
static inline bool synod__measure_answer (synod__measure_t *self, const void *data, size_t size)
{
    uint64_t number = UINT64_MAX;
    if (size == self->size)
        memcpy (&number, data, sizeof number);
    if (number >= self->expected || self->sent_ns[number] == 0) {
        self->wrong++;
        return false;
    }
    self->last_ns = synod__measure_now_ns ();
    self->took_ns[self->received++] = (uint32_t) (self->last_ns - self->sent_ns[number]);
    self->sent_ns[number] = 0;
    return self->received == self->expected;
}

/* Prints the run, as one JSON object a line or for a person; 0, or 1 when it is void. Sorts took_ns. */
int synod__measure_report (synod__measure_t *self, bool json);

#endif
