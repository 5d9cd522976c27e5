/* SPDX-License-Identifier: MPL-2.0
 *
 * The invariants of atomic commit, watched from outside: tests and the simulator tell it what each participant has on
 * its disk, what it has said, and what whoever decided. For one transaction.
 *
 *   - what a participant has on its disk goes forward only, and a decision stays;
 *   - a participant says yes or no, never both;
 *   - no two decide differently;
 *   - committed only when each participant had written that it votes yes (or has nothing to vote on), and none said no.
 */
#ifndef SYNOD_VOTE_VOTE_CHECK_H_INCLUDED
#define SYNOD_VOTE_VOTE_CHECK_H_INCLUDED

#include "vote.h"

/* Zero-initialise but for PARTIES. */
typedef struct {
    uint32_t parties;
    synod__party_state_t disk[SYNOD__PARTIES_MAX];
    uint32_t prepared;           /* bits: its disk has said yes, or that there is nothing */
    uint32_t yes, no;            /* bits: it has said so */
    uint32_t committed, aborted; /* bits: it has decided so; bit 31: the coordinator, or participant 31 */
} synod__vote_check_t;

/* Each SYNOD_OK, or SYNOD_FAILED with the invariant that does not hold. */
int synod__vote_check_disk (synod__vote_check_t *self, uint32_t party, const synod__party_record_t *record,
                            synod_fault_t *fault);
int synod__vote_check_said (synod__vote_check_t *self, uint32_t party, synod__vote_t vote, synod_fault_t *fault);
/* PARTY: SYNOD__PARTIES_MAX for the coordinator. */
int synod__vote_check_decided (synod__vote_check_t *self, uint32_t party, synod__outcome_t outcome,
                               synod_fault_t *fault);

#endif
