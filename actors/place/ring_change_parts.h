/* SPDX-License-Identifier: MPL-2.0
 *
 * What the first epoch and those that follow are both checked for. Errors have a sentence in FAULT.
 */
#ifndef SYNOD_PLACE_RING_CHANGE_PARTS_H_INCLUDED
#define SYNOD_PLACE_RING_CHANGE_PARTS_H_INCLUDED

#include "ring_change.h"

/* Whether the node WHO with these types goes with SELF. */
int synod__change_check_types (const synod__epoch_t *self, const char *who, const synod__placed_type_t *types,
                               uint32_t ntypes, synod_fault_t *fault);
/* Checked. MEMBER is of SELF, which has room for all types there can be. */
void synod__change_add_types (synod__epoch_t *self, synod__member_t *member, const synod__placed_type_t *types,
                              uint32_t ntypes);
/* Names of nodes, distinct. WHAT they are. */
int synod__change_check_names (const char (*names)[SYNOD_NAME_MAX + 1], uint32_t count, const char *what,
                               synod_fault_t *fault);
int synod__change_check_weight (const char *who, uint32_t weight, synod_fault_t *fault);
int synod__change_check_odd (uint32_t keepers, synod_fault_t *fault);
/* The one that it says, or the usual one. */
uint32_t synod__change_weight (const synod__newcomer_t *node);

#endif
