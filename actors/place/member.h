/* SPDX-License-Identifier: MPL-2.0
 *
 * A member of the ring, and the names of its limits. Plain data: whoever holds an epoch holds the members.
 */
#ifndef SYNOD_PLACE_MEMBER_H_INCLUDED
#define SYNOD_PLACE_MEMBER_H_INCLUDED

#include <synod/record.h>

#define SYNOD__STORE_ID_SIZE  16
#define SYNOD__MEMBERS_MAX    1024
#define SYNOD__KEEPERS_MAX    15
#define SYNOD__REPLICAS_MAX   15
#define SYNOD__TYPES_MAX      64           /* placed actor types of a ring: a bit each */
#define SYNOD__WEIGHT_DEFAULT 100          /* that of a node like the others */
#define SYNOD__WEIGHT_MAX     1000         /* of one member */
#define SYNOD__WEIGHTS_MAX    (1024 * 256) /* of all members together: bounds the points of a ring */
#define SYNOD__PARTITIONS     16384        /* of a ring that names no other number; a power of two */
#define SYNOD__PARTITIONS_MAX 65536
#define SYNOD__LIFE_BITS      24 /* of a term: which life of its owner (replica.h); the others are its epoch */
#define SYNOD__EPOCH_MAX      ((1ull << (64 - SYNOD__LIFE_BITS)) - 2)

/* One life of a store, drawn at random when the store is made. A node whose store was wiped has another one. */
typedef struct {
    uint8_t bytes[SYNOD__STORE_ID_SIZE];
} synod__store_id_t;

typedef struct {
    synod__store_id_t id;
    char name[SYNOD_NAME_MAX + 1]; /* NUL-terminated; what the ring's points are made of */
    char zone[SYNOD_NAME_MAX + 1]; /* what may fail together; empty: a zone of its own */
    uint32_t weight;               /* its share against that of the others, to SYNOD__WEIGHT_MAX; 0: it is joining */
    uint32_t target;               /* its share when what moves has moved; 0: it is leaving */
    bool down;                     /* believed dead: owns nothing while another replica is up */
    uint64_t types;                /* the placed types it runs: bit i is the epoch's type i */
} synod__member_t;

/* From the bytes of a message. False: they are no id; SELF is as it was. */
static inline bool synod__store_id_take (synod_str_t bytes, synod__store_id_t *self)
{
    if (bytes.size == SYNOD__STORE_ID_SIZE)
        memcpy (self->bytes, bytes.data, SYNOD__STORE_ID_SIZE);
    return bytes.size == SYNOD__STORE_ID_SIZE;
}

static inline int synod__store_id_compare (const synod__store_id_t *a, const synod__store_id_t *b)
{
    return memcmp (a->bytes, b->bytes, sizeof a->bytes);
}

#endif
