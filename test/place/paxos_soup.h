/* SPDX-License-Identifier: MPL-2.0
 *
 * A small world for Paxos: nodes with a disk each, and a soup of messages from which chance takes one after the other,
 * loses some, repeats some; nodes crash before and after they write, and one may lose its disk. The same seed gives the
 * same run.
 */
#ifndef SYNOD_TEST_PLACE_PAXOS_SOUP_H_INCLUDED
#define SYNOD_TEST_PLACE_PAXOS_SOUP_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <synod/error.h>

typedef struct {
    uint32_t runs, learned, not_found, crashes, wipes, lost, repeated, behind;
} soup_counts_t;

/* One run; false with a sentence when an invariant does not hold, or when after the faults an effort does not end.
 * Adds to COUNTS. */
bool soup_run (uint64_t seed, soup_counts_t *counts, synod_fault_t *fault);

#endif
