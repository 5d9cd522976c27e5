/* SPDX-License-Identifier: MPL-2.0
 *
 * The value of a ring's epoch: what the keepers of the epoch before decide by Paxos (the instance `ring/e`). All that
 * placement knows of who takes part is in it.
 */
#ifndef SYNOD_PLACE_EPOCH_H_INCLUDED
#define SYNOD_PLACE_EPOCH_H_INCLUDED

#include "member.h"
#include "ring.h"

#define SYNOD__EPOCH_BYTES_MAX (216 * 1024) /* the largest, packed; it fits a message beside what Paxos says of it */

/* A placed actor type. */
typedef struct {
    char name[SYNOD_NAME_MAX + 1];
    uint32_t replicas; /* of its partitions; 0: the epoch's */
} synod__placed_type_t;

/* Owns what it points to. Zero-initialise, free with synod__epoch_free; the arrays are the caller's to change, with
 * memory from malloc. */
typedef struct {
    uint64_t ring;       /* which one: drawn when it was made */
    uint64_t number;     /* from 1 */
    uint64_t settled;    /* the last epoch in which every partition is active; those before are forgotten */
    uint32_t partitions; /* a power of two; the same in every epoch of a ring */
    uint32_t replicas;   /* R of the types that name no other */
    uint32_t nmembers;
    uint32_t nkeepers; /* an odd number */
    uint32_t ntypes;
    synod__member_t *members;
    synod__store_id_t *keepers; /* members, by their stores */
    synod__placed_type_t *types;
} synod__epoch_t;

/* SYNOD_OK, or SYNOD_INVALID with a sentence: what was expected and what is there. */
int synod__epoch_check (const synod__epoch_t *self, synod_fault_t *fault);

/* The same, and whether SELF may follow BEFORE: the same ring and partitions, the next number, nothing settled taken
 * back. */
int synod__epoch_check_next (const synod__epoch_t *self, const synod__epoch_t *before, synod_fault_t *fault);

/* Appends SELF to OUT, when it passes synod__epoch_check. SYNOD_INVALID or SYNOD_NO_MEMORY; OUT is then as it was. */
int synod__epoch_pack (const synod__epoch_t *self, synod_buf_t *out, synod_fault_t *fault);

/* Fills SELF, which is overwritten, from packed bytes, and checks it. SYNOD_BAD_REQUEST for bytes that are no epoch,
 * SYNOD_INVALID for an epoch that makes no sense, SYNOD_NO_MEMORY; SELF then holds nothing. Borrows BYTES for the call. */
int synod__epoch_unpack (synod__epoch_t *self, synod_str_t bytes, synod_fault_t *fault);

void synod__epoch_free (synod__epoch_t *self);

/* NULL: there is no such member. Borrowed from SELF. */
const synod__member_t *synod__epoch_member (const synod__epoch_t *self, synod_str_t name);
const synod__member_t *synod__epoch_store (const synod__epoch_t *self, const synod__store_id_t *id);

/* What the table of TYPE is made for; without types (TYPE is 0 then) that of all members. */
synod__ring_rule_t synod__epoch_rule (const synod__epoch_t *self, uint32_t type, bool target);

#endif
