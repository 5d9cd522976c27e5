/* SPDX-License-Identifier: MPL-2.0
 *
 * Histories made at random: one object that does one thing at a time, and clients whose invocations and completions lie
 * anywhere around the moments in which it does. They are linearizable because of how they came about.
 */
#ifndef SYNOD_TEST_LINEAR_GENERATE_H_INCLUDED
#define SYNOD_TEST_LINEAR_GENERATE_H_INCLUDED

#include <synod/history.h>

/* xorshift64: the same numbers in every run; STATE is not 0 */
static inline uint64_t generate_random (uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

typedef struct {
    const synod_model_t *model; /* one of synod's own */
    uint64_t seed;
    uint32_t operations, clients, keys;
    uint32_t values;      /* arguments are 1 to this many; 0: each write has a value of its own */
    uint32_t unknown_pct; /* operations whose outcome is lost; half of them happen, some much later */
    uint32_t failed_pct;
} generate_t;

/* NULL: no memory. The caller owns it. */
synod_history_t *generate (const generate_t *how);

#endif
