/* SPDX-License-Identifier: MPL-2.0
 *
 * The table of the ring. With few partitions each member's first point in each is enough. Else the points are put into
 * slots by their first 16 bits, and ordered inside a slot; what is left of a point and the member's rank by name fit one
 * integer, whose order is the rule for ties too. Integers alone, so that every machine and language computes the same.
 *
 * Invariants: the members of a partition are distinct; no two share a zone while there is another zone; a table
 * depends on the set of members alone.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <assert.h>
#include <stdlib.h>
#include "ring.h"

#define S_SLOT_BITS 16
#define S_SLOTS     (1u << S_SLOT_BITS)
#define S_INSERTION 64 /* a slot with more points than this is sorted by qsort */

/* A point in its slot: the 48 bits of the hash that the slot does not say, then the rank. */
typedef uint64_t s_point_t;

typedef struct {
    const synod__member_t *members;
    bool target;     /* the targets count, not the weights */
    uint16_t *rank;  /* ranks are by name: the index of each eligible member */
    uint32_t *zone;  /* by rank: numbers of zones */
    uint32_t count;  /* eligible members */
    uint32_t zones;  /* distinct ones among them */
    uint32_t copies; /* to be chosen for each partition */
    uint32_t *start; /* S_SLOTS + 1: where each slot's points begin */
    s_point_t *points;
    uint32_t npoints;
    bool *sorted; /* S_SLOTS of them */
} s_build_t;

/* One way round the ring: ranks. */
typedef struct {
    uint16_t chosen[SYNOD__REPLICAS_MAX], spare[SYNOD__REPLICAS_MAX];
    uint32_t nchosen, nspare;
    uint32_t distinct; /* zones to be reached */
} s_walk_t;

uint64_t synod__ring_hash (const void *data, size_t size)
{
    return XXH3_64bits_withSeed (data, size, SYNOD__RING_SEED);
}

/* NAME NUL INDEX as 4 bytes, the lowest first. BYTES has the name and the NUL already. */
static inline uint64_t s_point (uint8_t *bytes, size_t name_size, uint32_t index)
{
    uint8_t *at = bytes + name_size + 1;
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t) (index >> 8 * i);
    return synod__ring_hash (bytes, name_size + 5);
}

uint64_t synod__ring_point (synod_str_t name, uint32_t index)
{
    uint8_t bytes[SYNOD_NAME_MAX + 5] = {0};
    assert (name.size <= SYNOD_NAME_MAX);
    memcpy (bytes, name.data, name.size);
    return s_point (bytes, name.size, index);
}

static uint32_t s_weight (const synod__member_t *member, bool target)
{
    return target ? member->target : member->weight;
}

static uint32_t s_npoints (const s_build_t *self, uint32_t member)
{
    return s_weight (&self->members[member], self->target) * SYNOD__POINTS_PER_WEIGHT;
}

static int s_by_name (const void *a, const void *b, void *arg)
{
    const synod__member_t *members = (const synod__member_t *) arg;
    return strcmp (members[*(const uint16_t *) a].name, members[*(const uint16_t *) b].name);
}

/* By zone, then by rank. */
static int s_by_zone (const void *a, const void *b, void *arg)
{
    const s_build_t *build = (const s_build_t *) arg;
    uint16_t left = *(const uint16_t *) a, right = *(const uint16_t *) b;
    int order = strcmp (build->members[build->rank[left]].zone, build->members[build->rank[right]].zone);
    return order ? order : (left > right) - (left < right);
}

/* Numbers the zones. A member that names none has one of its own. */
static bool s_number_zones (s_build_t *self)
{
    uint16_t *order = (uint16_t *) malloc (self->count * sizeof *order);
    if (!order)
        return false;
    for (uint32_t i = 0; i < self->count; i++)
        order[i] = (uint16_t) i;
    qsort_r (order, self->count, sizeof *order, s_by_zone, self);
    const char *last = "";
    for (uint32_t i = 0; i < self->count; i++) {
        const char *zone = self->members[self->rank[order[i]]].zone;
        if (!*zone || strcmp (zone, last) != 0)
            self->zones++;
        self->zone[order[i]] = self->zones;
        last = zone;
    }
    free (order);
    return true;
}

static bool s_choose_members (s_build_t *self, uint32_t count, const synod__ring_rule_t *rule)
{
    self->rank = (uint16_t *) calloc (count ? count : 1, sizeof *self->rank);
    self->zone = (uint32_t *) calloc (count ? count : 1, sizeof *self->zone);
    if (!self->rank || !self->zone)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (s_npoints (self, i) == 0 || (rule->types && !(self->members[i].types & rule->types)))
            continue;
        self->rank[self->count++] = (uint16_t) i;
        self->npoints += s_npoints (self, i);
    }
    self->copies = rule->replicas < self->count ? rule->replicas : self->count;
    if (!self->count)
        return true;
    qsort_r (self->rank, self->count, sizeof *self->rank, s_by_name, (void *) self->members);
    return s_number_zones (self);
}

/* All points into their slots: counted, then put. */
static bool s_place_points (s_build_t *self)
{
    uint64_t *hashes = (uint64_t *) malloc ((size_t) self->npoints * sizeof *hashes);
    self->points = (s_point_t *) malloc ((size_t) self->npoints * sizeof *self->points);
    self->start = (uint32_t *) calloc (S_SLOTS + 1, sizeof *self->start);
    self->sorted = (bool *) calloc (S_SLOTS, sizeof *self->sorted);
    if (!hashes || !self->points || !self->start || !self->sorted) {
        free (hashes);
        return false;
    }
    uint32_t at = 0;
    for (uint32_t rank = 0; rank < self->count; rank++) {
        const synod__member_t *member = &self->members[self->rank[rank]];
        uint8_t bytes[SYNOD_NAME_MAX + 5] = {0};
        size_t size = strlen (member->name);
        memcpy (bytes, member->name, size);
        for (uint32_t i = 0; i < s_npoints (self, self->rank[rank]); i++) {
            uint64_t hash = s_point (bytes, size, i);
            hashes[at++] = hash;
            self->start[(hash >> (64 - S_SLOT_BITS)) + 1]++;
        }
    }
    assert (at == self->npoints);
    for (uint32_t slot = 0; slot < S_SLOTS; slot++)
        self->start[slot + 1] += self->start[slot];
    /* start[slot] moves to the slot's end while it fills, and is the next slot's start afterwards */
    at = 0;
    for (uint32_t rank = 0; rank < self->count; rank++)
        for (uint32_t i = 0; i < s_npoints (self, self->rank[rank]); i++) {
            uint64_t hash = hashes[at++];
            self->points[self->start[hash >> (64 - S_SLOT_BITS)]++] = hash << S_SLOT_BITS | rank;
        }
    memmove (self->start + 1, self->start, S_SLOTS * sizeof *self->start);
    self->start[0] = 0;
    free (hashes);
    return true;
}

static int s_by_value (const void *a, const void *b)
{
    s_point_t left = *(const s_point_t *) a, right = *(const s_point_t *) b;
    return (left > right) - (left < right);
}

/* Brings the points of a slot into order, when the first walk comes by: most slots see none. */
static void s_sort_slot (s_build_t *self, uint32_t slot)
{
    s_point_t *points = self->points + self->start[slot];
    uint32_t count = self->start[slot + 1] - self->start[slot];
    self->sorted[slot] = true;
    if (count > S_INSERTION) {
        qsort (points, count, sizeof *points, s_by_value);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        s_point_t point = points[i];
        uint32_t to = i;
        for (; to > 0 && points[to - 1] > point; to--)
            points[to] = points[to - 1];
        points[to] = point;
    }
}

static bool s_among (const uint16_t *ranks, uint32_t count, uint16_t rank)
{
    for (uint32_t i = 0; i < count; i++)
        if (ranks[i] == rank)
            return true;
    return false;
}

static bool s_zone_taken (const s_build_t *self, const uint16_t *ranks, uint32_t count, uint16_t rank)
{
    for (uint32_t i = 0; i < count; i++)
        if (self->zone[ranks[i]] == self->zone[rank])
            return true;
    return false;
}

/* Takes in the next member of a walk: chosen for its zone, or to spare. */
static void s_meet (const s_build_t *self, s_walk_t *walk, uint16_t rank)
{
    if (s_among (walk->chosen, walk->nchosen, rank) || s_among (walk->spare, walk->nspare, rank))
        return;
    if (walk->nchosen < walk->distinct && !s_zone_taken (self, walk->chosen, walk->nchosen, rank))
        walk->chosen[walk->nchosen++] = rank;
    else if (walk->nspare < self->copies)
        walk->spare[walk->nspare++] = rank;
}

static bool s_complete (const s_build_t *self, const s_walk_t *walk)
{
    return walk->nchosen == walk->distinct && walk->nchosen + walk->nspare >= self->copies;
}

/* The replicas of what begins at SLOT: round the ring from there, the first members of distinct zones; when the zones
 * have run out, the first of those passed over. A member that joins pushes out one at most and brings in none but
 * itself. */
static void s_choose (s_build_t *self, uint32_t slot, uint16_t *out)
{
    s_walk_t walk = {.distinct = self->copies < self->zones ? self->copies : self->zones};
    for (uint32_t steps = 0; !s_complete (self, &walk); steps++) {
        assert (steps < S_SLOTS);
        if (!self->sorted[slot])
            s_sort_slot (self, slot);
        for (uint32_t at = self->start[slot]; at < self->start[slot + 1] && !s_complete (self, &walk); at++)
            s_meet (self, &walk, (uint16_t) self->points[at]);
        slot = (slot + 1) % S_SLOTS;
    }
    for (uint32_t i = 0; i < self->copies; i++)
        out[i] = self->rank[i < walk.nchosen ? walk.chosen[i] : walk.spare[i - walk.nchosen]];
}

/* ---- few partitions ---- */

#define S_FEW 16384 /* partitions times members, up to which there are no slots */

/* A member as seen from a partition's beginning. */
typedef struct {
    uint64_t distance; /* of its first point on the way round */
    uint16_t rank;
} s_near_t;

static int s_by_distance (const void *a, const void *b)
{
    const s_near_t *left = (const s_near_t *) a, *right = (const s_near_t *) b;
    if (left->distance != right->distance)
        return left->distance < right->distance ? -1 : 1;
    return (left->rank > right->rank) - (left->rank < right->rank);
}

/* For each member its first point in each partition, UINT64_MAX where it has none: at FIRST, by rank. */
static void s_first_points (const s_build_t *self, uint32_t bits, uint64_t *first)
{
    memset (first, 0xff, ((size_t) self->count << bits) * sizeof *first);
    for (uint32_t rank = 0; rank < self->count; rank++) {
        const synod__member_t *member = &self->members[self->rank[rank]];
        uint64_t *own = first + ((size_t) rank << bits);
        uint8_t bytes[SYNOD_NAME_MAX + 5] = {0};
        size_t size = strlen (member->name);
        memcpy (bytes, member->name, size);
        for (uint32_t i = 0; i < s_npoints (self, self->rank[rank]); i++) {
            uint64_t hash = s_point (bytes, size, i);
            uint64_t *at = &own[hash >> 32 >> (32 - bits)];
            if (hash < *at)
                *at = hash;
        }
    }
}

/* The same choice as that of a walk from point to point: members are met in the order of their first points. */
static void s_choose_near (const s_build_t *self, uint32_t partition, uint32_t bits, const uint64_t *first,
                           s_near_t *near, uint16_t *out)
{
    uint64_t begin = bits ? (uint64_t) partition << (64 - bits) : 0;
    uint32_t partitions = 1u << bits;
    s_walk_t walk = {.distinct = self->copies < self->zones ? self->copies : self->zones};
    for (uint32_t rank = 0; rank < self->count; rank++) {
        const uint64_t *own = first + ((size_t) rank << bits);
        uint32_t at = partition;
        while (own[at] == UINT64_MAX)
            at = (at + 1) % partitions;
        near[rank] = (s_near_t){own[at] - begin, (uint16_t) rank};
    }
    qsort (near, self->count, sizeof *near, s_by_distance);
    for (uint32_t i = 0; i < self->count && !s_complete (self, &walk); i++)
        s_meet (self, &walk, near[i].rank);
    for (uint32_t i = 0; i < self->copies; i++)
        out[i] = self->rank[i < walk.nchosen ? walk.chosen[i] : walk.spare[i - walk.nchosen]];
}

/* False: no memory. */
static bool s_fill_near (const s_build_t *build, synod__ring_t *self)
{
    uint64_t *first = (uint64_t *) malloc (((size_t) build->count << self->bits) * sizeof *first);
    s_near_t *near = (s_near_t *) malloc (build->count * sizeof *near);
    if (first && near) {
        s_first_points (build, self->bits, first);
        for (uint32_t i = 0; i < synod__ring_partitions (self); i++)
            s_choose_near (build, i, self->bits, first, near, self->replica + (size_t) i * self->copies);
    }
    bool done = first && near;
    free (first);
    free (near);
    return done;
}

static bool s_few (const s_build_t *build, uint32_t partitions)
{
    return (uint64_t) build->count * partitions <= S_FEW;
}

static void s_own (synod__ring_t *self, const synod__member_t *members)
{
    for (uint32_t partition = 0; partition < synod__ring_partitions (self); partition++) {
        const uint16_t *replica = synod__ring_replicas (self, partition);
        uint32_t up = 0;
        while (up < self->copies && members[replica[up]].down)
            up++;
        self->owner[partition] = self->copies ? replica[up < self->copies ? up : 0] : SYNOD__NOBODY;
    }
}

static synod__ring_t *s_ring (uint32_t copies, uint32_t count, uint32_t partitions)
{
    synod__ring_t *self = (synod__ring_t *) calloc (1, sizeof *self);
    if (!self)
        return NULL;
    while (1u << self->bits < partitions)
        self->bits++;
    self->copies = copies;
    self->members = count;
    self->replica = (uint16_t *) calloc ((size_t) partitions * (self->copies + 1), sizeof *self->replica);
    if (!self->replica) {
        free (self);
        return NULL;
    }
    self->owner = self->replica + (size_t) partitions * self->copies;
    return self;
}

static bool s_fill (s_build_t *build, synod__ring_t *self)
{
    if (!self->copies)
        return true;
    if (s_few (build, synod__ring_partitions (self)))
        return s_fill_near (build, self);
    if (!s_place_points (build))
        return false;
    for (uint32_t partition = 0; partition < synod__ring_partitions (self); partition++)
        s_choose (build, partition << (S_SLOT_BITS - self->bits), self->replica + (size_t) partition * self->copies);
    return true;
}

synod__ring_t *synod__ring_new (const synod__member_t *members, uint32_t count, const synod__ring_rule_t *rule)
{
    assert (count <= SYNOD__MEMBERS_MAX && rule->replicas >= 1 && rule->replicas <= SYNOD__REPLICAS_MAX);
    assert (rule->partitions >= 1 && rule->partitions <= SYNOD__PARTITIONS_MAX);
    assert ((rule->partitions & (rule->partitions - 1)) == 0);
    s_build_t *build = (s_build_t *) calloc (1, sizeof *build);
    if (!build)
        return NULL;
    build->members = members;
    build->target = rule->target;
    synod__ring_t *self =
        s_choose_members (build, count, rule) ? s_ring (build->copies, count, rule->partitions) : NULL;
    if (self && s_fill (build, self))
        s_own (self, members);
    else
        synod__ring_destroy (&self);
    free (build->points);
    free (build->sorted);
    free (build->start);
    free (build->zone);
    free (build->rank);
    free (build);
    return self;
}

static bool s_eligible (const synod__member_t *member, const synod__ring_rule_t *rule)
{
    return s_weight (member, rule->target) && (!rule->types || member->types & rule->types);
}

synod__ring_t *synod__ring_again (const synod__ring_t *self, const synod__member_t *was,
                                  const synod__ring_rule_t *rule_was, const synod__member_t *members, uint32_t count,
                                  const synod__ring_rule_t *rule)
{
    if (count != self->members || rule->partitions != rule_was->partitions || rule->replicas != rule_was->replicas)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        bool eligible = s_eligible (&members[i], rule);
        if (eligible != s_eligible (&was[i], rule_was) ||
            (eligible && (s_weight (&members[i], rule->target) != s_weight (&was[i], rule_was->target) ||
                          strcmp (members[i].name, was[i].name) != 0 || strcmp (members[i].zone, was[i].zone) != 0)))
            return NULL;
    }
    synod__ring_t *again = s_ring (self->copies, count, rule->partitions);
    if (again) {
        memcpy (again->replica, self->replica, (size_t) rule->partitions * self->copies * sizeof *again->replica);
        s_own (again, members);
    }
    return again;
}

void synod__ring_destroy (synod__ring_t **self_p)
{
    synod__ring_t *self = *self_p;
    if (!self)
        return;
    free (self->replica); /* and owner, its tail */
    free (self);
    *self_p = NULL;
}
