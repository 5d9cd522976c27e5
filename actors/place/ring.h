/* SPDX-License-Identifier: MPL-2.0
 *
 * The ring (SPEC.md, "Ring"): which members hold which partition. Consistent hashing with virtual nodes (Karger et
 * al., 1997), and Dynamo's fixed partitions of equal size (DeCandia et al., 2007, 6.2), so that a key is looked up in a
 * table and a partition is what moves and what is copied.
 *
 * A table is a function of the set of members and of nothing else: not of their order, not of former tables. A member
 * that joins takes partitions from the others and nothing moves between those; one that leaves gives what it had. A
 * member with the weight 0, which is joining, holds nothing.
 */
#ifndef SYNOD_PLACE_RING_H_INCLUDED
#define SYNOD_PLACE_RING_H_INCLUDED

#include "member.h"

#define SYNOD__RING_SEED         0x73796e6f64ull /* of XXH3: "synod" */
#define SYNOD__POINTS_PER_WEIGHT 24              /* virtual nodes of a member per unit of its weight */
#define SYNOD__NOBODY            UINT16_MAX

/* What a table is made for. */
typedef struct {
    uint32_t partitions; /* a power of two up to SYNOD__PARTITIONS_MAX */
    uint32_t replicas;   /* wanted, 1 to SYNOD__REPLICAS_MAX; fewer members than that give fewer */
    uint64_t types;      /* members that run one of these; 0: all members */
    bool target;         /* by the members' targets instead of their weights: what moves on the way there */
} synod__ring_rule_t;

/* Members are known by their index in the array that the table was made from. */
typedef struct {
    uint32_t bits;     /* partitions are 1 << bits */
    uint32_t copies;   /* replicas of each partition; 0: no member runs the type */
    uint32_t members;  /* how many the array has */
    uint16_t *replica; /* partitions x copies, in their order */
    uint16_t *owner;   /* a partition's first replica that is up, the first if none is; SYNOD__NOBODY without copies */
} synod__ring_t;

/* Borrows MEMBERS for the call; they are as synod__epoch_check wants them. NULL: memory ran out. */
synod__ring_t *synod__ring_new (const synod__member_t *members, uint32_t count, const synod__ring_rule_t *rule);
/* The same, where SELF, which was made from WAS by RULE_WAS, has the same replicas: a change of what is up alone, say. NULL:
 * it has not, or memory ran out. */
synod__ring_t *synod__ring_again (const synod__ring_t *self, const synod__member_t *was,
                                  const synod__ring_rule_t *rule_was, const synod__member_t *members, uint32_t count,
                                  const synod__ring_rule_t *rule);
void synod__ring_destroy (synod__ring_t **self_p);

uint64_t synod__ring_hash (const void *data, size_t size);
/* Where virtual node INDEX of the member NAME is on the ring. */
uint64_t synod__ring_point (synod_str_t name, uint32_t index);

static inline uint32_t synod__ring_partitions (const synod__ring_t *self)
{
    return 1u << self->bits;
}

/* The partition of a key: the first bits of its hash. */
static inline uint32_t synod__ring_partition (const synod__ring_t *self, synod_str_t key)
{
    return (uint32_t) (synod__ring_hash (key.data, key.size) >> 32 >> (32 - self->bits));
}

/* The copies of a partition, self->copies indices of members. */
static inline const uint16_t *synod__ring_replicas (const synod__ring_t *self, uint32_t partition)
{
    return self->replica + (size_t) partition * self->copies;
}

/* ---- what if ---- */

/* PARTITIONS go from a member to another. FROM indexes the members before, TO those after. */
typedef struct {
    uint16_t from, to;
    uint32_t partitions;
} synod__move_t;

typedef struct {
    uint32_t *owned_before, *owned_after; /* partitions by member, in the arrays before and after */
    uint32_t *held_before, *held_after;   /* copies by member */
    synod__move_t *owners;                /* other owners: from the one before, to the one after */
    synod__move_t *copies;     /* new copies: from the owner before, who has what is to be sent, to the holder */
    uint32_t nowners, ncopies; /* of moves; the largest first */
    uint32_t owners_moved, copies_moved; /* partitions in all */
} synod__what_if_t;

/* A table with the members it was made from. */
typedef struct {
    const synod__ring_t *ring;
    const synod__member_t *members;
} synod__placed_t;

/* What changes between two tables of the same number of partitions. A member is the same by its store id: a wiped one
 * is another. Borrows both. SYNOD_OK, SYNOD_NO_MEMORY, or SYNOD_INVALID when the partitions differ. */
int synod__what_if (synod__placed_t before, synod__placed_t after, synod__what_if_t *out, synod_fault_t *fault);
void synod__what_if_free (synod__what_if_t *self);

#endif
