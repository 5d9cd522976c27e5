/* SPDX-License-Identifier: MPL-2.0
 *
 * A small world for one partition's replication: nodes with a disk each, epochs that change owners and replicas, and a
 * soup of messages from which chance takes one after the other, loses some, repeats some, holds some back. What may leave
 * early is in it before the commit. Nodes crash before and after each commit and between any two messages, are paused, are cut off, and lose their disks. The same seed
 * gives the same run.
 */
#ifndef SYNOD_TEST_PLACE_REPLICA_SOUP_H_INCLUDED
#define SYNOD_TEST_PLACE_REPLICA_SOUP_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <synod/error.h>

typedef struct {
    uint32_t runs, steps, epochs, served, released, wrote, crashes, wipes, lost, repeated;
    uint32_t applied, cuts, swaps, removed, confirmed_alone;
    /* left before the commit; copies that lost batches, and others had them; terms that served after a restart */
    uint32_t early, shortened, behind, terms;
    uint32_t lazy; /* turns that ended without a commit of what they appended */
} replica_counts_t;

/* One run; false with a sentence when an invariant does not hold, or when after the faults not everything serves. Adds to
 * COUNTS. */
bool replica_soup_run (uint64_t seed, replica_counts_t *counts, synod_fault_t *fault);

#endif
