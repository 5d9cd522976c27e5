/* SPDX-License-Identifier: MPL-2.0
 *
 * What follows an epoch: pure functions from an epoch and what is asked of it to the next. A change alters targets,
 * marks and keepers alone; weights become the targets when what moves has moved (synod__ring_settle), so that a change
 * copies before it counts. There are three exceptions, which hold nothing or nothing any more: one that joins and has
 * no weight yet is dropped at once; a wiped member's new store takes the place of the old one, marked down.
 */
#ifndef SYNOD_PLACE_RING_CHANGE_H_INCLUDED
#define SYNOD_PLACE_RING_CHANGE_H_INCLUDED

#include "epoch.h"
#include "ring.h"

/* A node as it tells of itself. Plain data but for TYPES. */
typedef struct {
    synod__store_id_t id;
    char name[SYNOD_NAME_MAX + 1];
    char zone[SYNOD_NAME_MAX + 1];
    uint32_t weight; /* wanted */
    uint32_t ntypes;
    synod__placed_type_t *types; /* from malloc, owned by whoever holds this */
} synod__newcomer_t;

/* ---- the first epoch ---- */

typedef struct {
    uint64_t ring;
    uint32_t nnodes;
    const synod__newcomer_t *nodes;
    uint32_t nkeepers; /* 0: the first three, or the first one of one or two */
    const char (*keepers)[SYNOD_NAME_MAX + 1];
    uint32_t replicas;   /* 0: three, or as many as there are nodes; only with LONE more than those */
    uint32_t partitions; /* 0: SYNOD__PARTITIONS */
    bool lone;           /* a ring of one that is to grow */
} synod__ring_first_t;

/* What of it can be wrong before any node is asked: SYNOD_INVALID with a sentence. IDs and types are not looked at. */
int synod__ring_first_check (const synod__ring_first_t *first, synod_fault_t *fault);
/* Fills OUT (overwritten; with members by name, so that the same wishes make the same epoch). SYNOD_INVALID,
 * SYNOD_REFUSED (nodes that do not go together), SYNOD_NO_MEMORY; OUT then holds nothing. */
int synod__ring_first (const synod__ring_first_t *first, synod__epoch_t *out, synod_fault_t *fault);
/* Whether EPOCH is the ring that FIRST wants, whatever its identity and settled epochs: SYNOD_OK, or SYNOD_REFUSED with
 * the first difference. A weight, zone, R, keepers, partitions that are not named (0, empty) do not differ. */
int synod__ring_first_same (const synod__ring_first_t *first, const synod__epoch_t *epoch, synod_fault_t *fault);

/* ---- changes ---- */

typedef enum {
    SYNOD__CHANGE_JOIN = 1,
    SYNOD__CHANGE_LEAVE,
    SYNOD__CHANGE_REMOVE,
    SYNOD__CHANGE_WEIGHT,
    SYNOD__CHANGE_KEEPERS,
    SYNOD__CHANGE_TYPES /* a member by its store runs more types: NEWCOMER's id and types, no other field */
} synod__change_kind_t;

/* Owns NEWCOMER's types. */
typedef struct {
    synod__change_kind_t kind;
    char node[SYNOD_NAME_MAX + 1]; /* whom it is about; KEEPERS: nobody */
    uint32_t weight;               /* WEIGHT, JOIN: wanted; JOIN: 0: as NEWCOMER says */
    bool force;                    /* REMOVE: even if it is up and well */
    synod__newcomer_t newcomer;    /* JOIN */
    uint32_t nkeepers;
    char keepers[SYNOD__KEEPERS_MAX][SYNOD_NAME_MAX + 1];
} synod__change_t;

void synod__change_free (synod__change_t *self);
/* What can be wrong with it whatever the epoch: SYNOD_INVALID with a sentence. */
int synod__change_check (const synod__change_t *self, synod_fault_t *fault);
/* Whether it is so in EPOCH. */
bool synod__change_done (const synod__change_t *self, const synod__epoch_t *epoch);
/* Makes it so in NEXT, which is a copy of the epoch before or has other changes already. WELL: the member is up as far
 * as is known (REMOVE). SYNOD_REFUSED, SYNOD_NOT_FOUND or SYNOD_INVALID with a sentence; NEXT is then as it was. */
int synod__change_apply (const synod__change_t *self, synod__epoch_t *next, bool well, synod_fault_t *fault);

/* ---- what keepers do by themselves, on NEXT as above ---- */

/* A deep copy with the next number. SYNOD_NO_MEMORY: OUT holds nothing. */
int synod__epoch_next (const synod__epoch_t *epoch, synod__epoch_t *out);
/* Believed dead: marked, or dropped if it has no weight yet. False: nothing is changed (it is so already, or there is
 * no other member). */
bool synod__ring_mark_down (synod__epoch_t *next, const synod__store_id_t *id);
bool synod__ring_mark_up (synod__epoch_t *next, const synod__store_id_t *id);
/* Weights become targets; members that have none are no more. False: they are so already. */
bool synod__ring_settle (synod__epoch_t *next);

/* ---- what an epoch says ---- */

static inline bool synod__epoch_keeps (const synod__epoch_t *self, const synod__store_id_t *id)
{
    for (uint32_t i = 0; i < self->nkeepers; i++)
        if (synod__store_id_compare (&self->keepers[i], id) == 0)
            return true;
    return false;
}

/* Whether members have other targets than weights. */
bool synod__ring_moving (const synod__epoch_t *self);
/* Fills OWNS (a flag by member): who owns a partition of some type. False: memory ran out. */
bool synod__ring_owners (const synod__epoch_t *self, bool *owns);
/* Whether everything would have an owner that is up if MEMBER, which is up, were marked down. */
bool synod__ring_can_stop (const synod__epoch_t *self, uint32_t member);
/* Whether MEMBER, which is down, may go for good by itself: enough members stay for every R, and nothing that it holds
 * has no other copy. */
bool synod__ring_can_spare (const synod__epoch_t *self, uint32_t member);

/* ---- mistakes on purpose, for tests that must find them: compiled in only with SYNOD_RING_MUTANTS ---- */

typedef enum {
    SYNOD__RING_MUTANT_NONE,
    SYNOD__RING_MUTANT_NO_PAXOS,      /* a keeper enters what it would propose */
    SYNOD__RING_MUTANT_BEGINS_EARLY,  /* a ring begins when the first member has recorded it */
    SYNOD__RING_MUTANT_RECORDS_AGAIN, /* what was recorded is replaced by what comes */
    SYNOD__RING_MUTANT_NO_UP,         /* nobody is marked up again */
    SYNOD__RING_MUTANTS
} synod__ring_mutant_t;

#ifdef SYNOD_RING_MUTANTS
extern synod__ring_mutant_t synod__ring_mutant;
#define SYNOD__RING_MUTANT(name) (synod__ring_mutant == SYNOD__RING_MUTANT_##name)
#else
#define SYNOD__RING_MUTANT(name) false
#endif

#endif
