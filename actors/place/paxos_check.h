/* SPDX-License-Identifier: MPL-2.0
 *
 * The invariants of Paxos, watched from outside: tests and the simulator tell it what every acceptor has on its disk
 * after each step, what is proposed and what is learned. For one key.
 *
 *   - what an acceptor promised never decreases;
 *   - the ballot it accepted is at most the one it promised;
 *   - one ballot has one value;
 *   - at most one value is chosen (accepted by a majority under one ballot), and it was proposed;
 *   - what is learned is what was chosen.
 */
#ifndef SYNOD_PLACE_PAXOS_CHECK_H_INCLUDED
#define SYNOD_PLACE_PAXOS_CHECK_H_INCLUDED

#include "paxos.h"

typedef struct synod__paxos_check_t synod__paxos_check_t;

/* NULL: memory ran out. ACCEPTORS: how many there are. */
synod__paxos_check_t *synod__paxos_check_new (uint32_t acceptors);
void synod__paxos_check_destroy (synod__paxos_check_t **self_p);

/* Each SYNOD_OK, SYNOD_NO_MEMORY, or SYNOD_FAILED with the invariant that does not hold. Views are copied. */
int synod__paxos_check_proposed (synod__paxos_check_t *self, synod_str_t value, synod_fault_t *fault);
int synod__paxos_check (synod__paxos_check_t *self, uint32_t acceptor, const synod__paxos_record_t *record,
                        synod_fault_t *fault);
int synod__paxos_check_learned (synod__paxos_check_t *self, synod_str_t value, synod_fault_t *fault);

/* The value that is chosen; data NULL: none yet. */
synod_str_t synod__paxos_check_chosen (const synod__paxos_check_t *self);

#endif
