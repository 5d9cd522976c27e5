/* SPDX-License-Identifier: MPL-2.0
 *
 * The value of an epoch. Invariant: what is packed passed the check, and what was unpacked passed it again; a decided
 * value is never trusted because it was decided.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include "epoch.h"
#include "protocol/address.h"

#define EPOCH_MEMBER_FIELDS(FIELD, OPT)                                                     \
    FIELD (bin, id, SYNOD__STORE_ID_SIZE, "its store")                                      \
    FIELD (str, name, SYNOD_NAME_MAX, "its node")                                           \
    OPT (str, zone, SYNOD_NAME_MAX, "what may fail together")                               \
    OPT (u64, weight, UINT32_MAX, "its share against that of the others; 0: it is joining") \
    OPT (u64, target, UINT32_MAX, "its share when what moves has moved; 0: it is leaving")  \
    OPT (bit, down, 0, "believed dead")                                                     \
    OPT (u64, types, UINT64_MAX, "what it runs: bit i is the epoch's type i")
SYNOD_RECORD (epoch_member, EPOCH_MEMBER_FIELDS, 0, "a member of the ring")

#define EPOCH_KEEPER_FIELDS(FIELD, OPT) FIELD (bin, id, SYNOD__STORE_ID_SIZE, "its store")
SYNOD_RECORD (epoch_keeper, EPOCH_KEEPER_FIELDS, 0, "a member that votes on epochs")

#define EPOCH_TYPE_FIELDS(FIELD, OPT)                \
    FIELD (str, name, SYNOD_NAME_MAX, "its actors'") \
    OPT (u64, replicas, UINT32_MAX, "R of its partitions; 0: the epoch's")
SYNOD_RECORD (epoch_type, EPOCH_TYPE_FIELDS, 0, "a placed actor type")

#define EPOCH_FIELDS(FIELD, OPT)                                                \
    FIELD (u64, ring, UINT64_MAX, "which one: drawn when it was made")          \
    FIELD (u64, epoch, SYNOD__EPOCH_MAX, "its number, from 1")                  \
    OPT (u64, settled, UINT64_MAX, "the last epoch that is settled everywhere") \
    FIELD (u64, partitions, UINT32_MAX, "fixed when the ring was made")         \
    FIELD (u64, replicas, UINT32_MAX, "R")                                      \
    FIELD (list, members, epoch_member, "who takes part")                       \
    FIELD (list, keepers, epoch_keeper, "who decides the next epoch")           \
    OPT (list, types, epoch_type, "the placed actor types")
SYNOD_RECORD (epoch, EPOCH_FIELDS, 0, "an epoch of the ring")

#define S_ID_TEXT (2 * SYNOD__STORE_ID_SIZE + 1)

static const char *s_id_text (const synod__store_id_t *id, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        text[2 * i] = digits[id->bytes[i] >> 4];
        text[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    text[S_ID_TEXT - 1] = 0;
    return text;
}

static int s_compare_ids (const void *a, const void *b)
{
    return synod__store_id_compare ((const synod__store_id_t *) a, (const synod__store_id_t *) b);
}

static int s_compare_names (const void *a, const void *b)
{
    return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* The first id that is there twice, NULL: none. Reorders IDS. */
static const synod__store_id_t *s_twice (synod__store_id_t *ids, uint32_t count)
{
    qsort (ids, count, sizeof *ids, s_compare_ids);
    for (uint32_t i = 1; i < count; i++)
        if (synod__store_id_compare (&ids[i - 1], &ids[i]) == 0)
            return &ids[i];
    return NULL;
}

static const char *s_name_twice (const char **names, uint32_t count)
{
    qsort ((void *) names, count, sizeof *names, s_compare_names);
    for (uint32_t i = 1; i < count; i++)
        if (strcmp (names[i - 1], names[i]) == 0)
            return names[i];
    return NULL;
}

static int s_check_member (const synod__epoch_t *self, const synod__member_t *member, synod_fault_t *fault)
{
    static const synod__store_id_t none;
    uint64_t known = self->ntypes == 64 ? UINT64_MAX : (1ull << self->ntypes) - 1;
    if (!synod__name_ok (synod_str (member->name), false))
        return synod_fault (fault, SYNOD_INVALID, "expected the name of a node, got the member \"%s\"", member->name);
    if (*member->zone && !synod__name_ok (synod_str (member->zone), false))
        return synod_fault (fault, SYNOD_INVALID, "%s: expected a name as its zone, got \"%s\"", member->name,
                            member->zone);
    if (member->weight > SYNOD__WEIGHT_MAX || member->target > SYNOD__WEIGHT_MAX)
        return synod_fault (fault, SYNOD_INVALID, "%s: expected a weight and a target up to %d, got %u and %u",
                            member->name, SYNOD__WEIGHT_MAX, member->weight, member->target);
    if (member->weight == 0 && member->target == 0)
        return synod_fault (fault, SYNOD_INVALID, "%s: expected a weight, or a target when it is joining, got neither",
                            member->name);
    if (synod__store_id_compare (&member->id, &none) == 0)
        return synod_fault (fault, SYNOD_INVALID, "%s: expected the id of a store, got none", member->name);
    if (member->types & ~known)
        return synod_fault (fault, SYNOD_INVALID, "%s: expected some of the %u types, got the bits %" PRIx64,
                            member->name, self->ntypes, member->types);
    return SYNOD_OK;
}

static int s_check_members (const synod__epoch_t *self, synod_fault_t *fault)
{
    if (self->nmembers < 1 || self->nmembers > SYNOD__MEMBERS_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected 1 to %d members, got %u", SYNOD__MEMBERS_MAX,
                            self->nmembers);
    uint32_t weights = 0, targets = 0;
    for (uint32_t i = 0; i < self->nmembers; i++) {
        int rc = s_check_member (self, &self->members[i], fault);
        if (rc != SYNOD_OK)
            return rc;
        weights += self->members[i].weight;
        targets += self->members[i].target;
    }
    if (weights > SYNOD__WEIGHTS_MAX || targets > SYNOD__WEIGHTS_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected weights and targets of up to %d together, got %u and %u",
                            SYNOD__WEIGHTS_MAX, weights, targets);
    if (weights == 0 || targets == 0)
        return synod_fault (fault, SYNOD_INVALID, "expected a member that has a weight and one that stays, got %s",
                            weights ? "all of them leaving" : "all of them joining");
    const char *names[SYNOD__MEMBERS_MAX];
    synod__store_id_t ids[SYNOD__MEMBERS_MAX];
    char text[S_ID_TEXT];
    for (uint32_t i = 0; i < self->nmembers; i++) {
        names[i] = self->members[i].name;
        ids[i] = self->members[i].id;
    }
    const char *name = s_name_twice (names, self->nmembers);
    if (name)
        return synod_fault (fault, SYNOD_INVALID, "expected distinct names, got the member %s twice", name);
    const synod__store_id_t *id = s_twice (ids, self->nmembers);
    if (id)
        return synod_fault (fault, SYNOD_INVALID, "expected a store of each member's own, got the store %s twice",
                            s_id_text (id, text));
    return SYNOD_OK;
}

static int s_check_types (const synod__epoch_t *self, synod_fault_t *fault)
{
    if (self->ntypes > SYNOD__TYPES_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected up to %d placed types, got %u", SYNOD__TYPES_MAX,
                            self->ntypes);
    const char *names[SYNOD__TYPES_MAX];
    for (uint32_t i = 0; i < self->ntypes; i++) {
        const synod__placed_type_t *type = &self->types[i];
        names[i] = type->name;
        if (!synod__name_ok (synod_str (type->name), true))
            return synod_fault (fault, SYNOD_INVALID, "expected the name of an actor, got the type \"%s\"", type->name);
        if (type->replicas > SYNOD__REPLICAS_MAX)
            return synod_fault (fault, SYNOD_INVALID, "%s: expected up to %d replicas, got %u", type->name,
                                SYNOD__REPLICAS_MAX, type->replicas);
    }
    const char *name = s_name_twice (names, self->ntypes);
    if (name)
        return synod_fault (fault, SYNOD_INVALID, "expected distinct types, got %s twice", name);
    return SYNOD_OK;
}

static int s_check_keepers (const synod__epoch_t *self, synod_fault_t *fault)
{
    char text[S_ID_TEXT];
    synod__store_id_t ids[SYNOD__KEEPERS_MAX];
    if (self->nkeepers % 2 == 0 || self->nkeepers > SYNOD__KEEPERS_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected an odd number of keepers up to %d, got %u",
                            SYNOD__KEEPERS_MAX, self->nkeepers);
    for (uint32_t i = 0; i < self->nkeepers; i++) {
        ids[i] = self->keepers[i];
        if (!synod__epoch_store (self, &ids[i]))
            return synod_fault (fault, SYNOD_INVALID, "expected members as keepers, got the unknown store %s",
                                s_id_text (&ids[i], text));
    }
    const synod__store_id_t *id = s_twice (ids, self->nkeepers);
    if (id)
        return synod_fault (fault, SYNOD_INVALID, "expected distinct keepers, got %s twice",
                            synod__epoch_store (self, id)->name);
    return SYNOD_OK;
}

int synod__epoch_check (const synod__epoch_t *self, synod_fault_t *fault)
{
    if (self->ring == 0)
        return synod_fault (fault, SYNOD_INVALID, "expected the identity of a ring, got none");
    if (self->number < 1)
        return synod_fault (fault, SYNOD_INVALID, "expected an epoch from 1 on, got %" PRIu64, self->number);
    if (self->settled > self->number)
        return synod_fault (fault, SYNOD_INVALID, "expected a settled epoch up to %" PRIu64 ", got %" PRIu64,
                            self->number, self->settled);
    if (self->partitions < 1 || self->partitions > SYNOD__PARTITIONS_MAX || self->partitions & (self->partitions - 1))
        return synod_fault (fault, SYNOD_INVALID, "expected a power of two up to %d as partitions, got %u",
                            SYNOD__PARTITIONS_MAX, self->partitions);
    int rc = s_check_types (self, fault);
    if (rc == SYNOD_OK)
        rc = s_check_members (self, fault);
    if (rc == SYNOD_OK)
        rc = s_check_keepers (self, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (self->replicas < 1 || self->replicas > SYNOD__REPLICAS_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected 1 to %d replicas, got %u", SYNOD__REPLICAS_MAX,
                            self->replicas);
    return SYNOD_OK;
}

int synod__epoch_check_next (const synod__epoch_t *self, const synod__epoch_t *before, synod_fault_t *fault)
{
    int rc = synod__epoch_check (self, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (self->ring != before->ring)
        return synod_fault (fault, SYNOD_INVALID,
                            "expected an epoch of the ring %016" PRIx64 ", got one of %016" PRIx64, before->ring,
                            self->ring);
    if (self->number != before->number + 1)
        return synod_fault (fault, SYNOD_INVALID, "expected the epoch %" PRIu64 ", got %" PRIu64, before->number + 1,
                            self->number);
    if (self->partitions != before->partitions)
        return synod_fault (fault, SYNOD_INVALID, "the number of partitions stays as it is: expected %u, got %u",
                            before->partitions, self->partitions);
    if (self->settled < before->settled)
        return synod_fault (fault, SYNOD_INVALID,
                            "what is settled stays so: expected %" PRIu64 " or more, got %" PRIu64, before->settled,
                            self->settled);
    return SYNOD_OK;
}

static synod_str_t s_id_bytes (const synod__store_id_t *id)
{
    return synod_str_n (id->bytes, sizeof id->bytes);
}

static int s_pack (const synod__epoch_t *self, synod_buf_t lists[3], synod_buf_t *out, synod_fault_t *fault)
{
    epoch_t record = {.ring = self->ring,
                      .epoch = self->number,
                      .settled = self->settled,
                      .partitions = self->partitions,
                      .replicas = self->replicas};
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < self->nmembers && rc == SYNOD_OK; i++) {
        const synod__member_t *from = &self->members[i];
        epoch_member_t member = {.id = s_id_bytes (&from->id),
                                 .name = synod_str (from->name),
                                 .zone = synod_str (from->zone),
                                 .weight = from->weight,
                                 .target = from->target,
                                 .down = from->down,
                                 .types = from->types};
        rc = synod_list_add (&record.members, &lists[0], &epoch_member_record, &member, fault);
    }
    for (uint32_t i = 0; i < self->nkeepers && rc == SYNOD_OK; i++) {
        epoch_keeper_t keeper = {.id = s_id_bytes (&self->keepers[i])};
        rc = synod_list_add (&record.keepers, &lists[1], &epoch_keeper_record, &keeper, fault);
    }
    for (uint32_t i = 0; i < self->ntypes && rc == SYNOD_OK; i++) {
        epoch_type_t type = {.name = synod_str (self->types[i].name), .replicas = self->types[i].replicas};
        rc = synod_list_add (&record.types, &lists[2], &epoch_type_record, &type, fault);
    }
    return rc == SYNOD_OK ? synod_record_pack (&epoch_record, &record, out, fault) : rc;
}

int synod__epoch_pack (const synod__epoch_t *self, synod_buf_t *out, synod_fault_t *fault)
{
    int rc = synod__epoch_check (self, fault);
    if (rc != SYNOD_OK)
        return rc;
    synod_buf_t lists[3] = {{0}};
    size_t before = out->size;
    rc = s_pack (self, lists, out, fault);
    assert (out->size - before <= SYNOD__EPOCH_BYTES_MAX);
    for (int i = 0; i < 3; i++)
        synod_buf_free (&lists[i]);
    return rc;
}

static int s_take_id (synod__store_id_t *id, synod_str_t bytes, synod_fault_t *fault)
{
    if (bytes.size != sizeof id->bytes)
        return synod_fault (fault, SYNOD_BAD_REQUEST, "expected %zu bytes as the id of a store, got %u",
                            sizeof id->bytes, bytes.size);
    memcpy (id->bytes, bytes.data, sizeof id->bytes);
    return SYNOD_OK;
}

/* Into NAME, which is as large as the record lets it be. What the check looks at has to be all there is. */
static int s_take_name (char *name, synod_str_t bytes, synod_fault_t *fault)
{
    if (bytes.size && memchr (bytes.data, 0, bytes.size))
        return synod_fault (fault, SYNOD_BAD_REQUEST, "expected a name, got a text with a zero byte in it");
    if (bytes.size)
        memcpy (name, bytes.data, bytes.size);
    name[bytes.size] = 0;
    return SYNOD_OK;
}

static int s_take_members (synod__epoch_t *self, synod_list_t list, synod_fault_t *fault)
{
    epoch_member_t member;
    for (synod__member_t *to = self->members; synod_list_next (&list, &epoch_member_record, &member); to++) {
        int rc = s_take_id (&to->id, member.id, fault);
        if (rc == SYNOD_OK)
            rc = s_take_name (to->name, member.name, fault);
        if (rc == SYNOD_OK)
            rc = s_take_name (to->zone, member.zone, fault);
        if (rc != SYNOD_OK)
            return rc;
        to->weight = (uint32_t) member.weight;
        to->target = (uint32_t) member.target;
        to->down = member.down;
        to->types = member.types;
    }
    return SYNOD_OK;
}

static int s_take (synod__epoch_t *self, const epoch_t *record, synod_fault_t *fault)
{
    /* before memory is taken for what a peer claims */
    if (record->members.count > SYNOD__MEMBERS_MAX || record->keepers.count > SYNOD__MEMBERS_MAX ||
        record->types.count > SYNOD__MEMBERS_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected up to %d members, keepers and types, got %u, %u and %u",
                            SYNOD__MEMBERS_MAX, record->members.count, record->keepers.count, record->types.count);
    self->ring = record->ring;
    self->number = record->epoch;
    self->settled = record->settled;
    self->partitions = (uint32_t) record->partitions;
    self->replicas = (uint32_t) record->replicas;
    self->members = (synod__member_t *) calloc (record->members.count + 1, sizeof *self->members);
    self->keepers = (synod__store_id_t *) calloc (record->keepers.count + 1, sizeof *self->keepers);
    self->types = (synod__placed_type_t *) calloc (record->types.count + 1, sizeof *self->types);
    if (!self->members || !self->keepers || !self->types)
        return synod_fault (fault, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
    self->nmembers = record->members.count;
    self->nkeepers = record->keepers.count;
    self->ntypes = record->types.count;
    int rc = s_take_members (self, record->members, fault);
    synod_list_t list = record->keepers;
    epoch_keeper_t keeper;
    for (uint32_t i = 0; rc == SYNOD_OK && synod_list_next (&list, &epoch_keeper_record, &keeper); i++)
        rc = s_take_id (&self->keepers[i], keeper.id, fault);
    list = record->types;
    epoch_type_t type;
    for (uint32_t i = 0; rc == SYNOD_OK && synod_list_next (&list, &epoch_type_record, &type); i++) {
        self->types[i].replicas = (uint32_t) type.replicas;
        rc = s_take_name (self->types[i].name, type.name, fault);
    }
    return rc;
}

int synod__epoch_unpack (synod__epoch_t *self, synod_str_t bytes, synod_fault_t *fault)
{
    memset (self, 0, sizeof *self);
    epoch_t record;
    int rc = synod_record_unpack (&epoch_record, bytes, &record, fault);
    if (rc == SYNOD_OK)
        rc = s_take (self, &record, fault);
    if (rc == SYNOD_OK)
        rc = synod__epoch_check (self, fault);
    if (rc != SYNOD_OK)
        synod__epoch_free (self);
    return rc;
}

void synod__epoch_free (synod__epoch_t *self)
{
    free (self->members);
    free (self->keepers);
    free (self->types);
    memset (self, 0, sizeof *self);
}

const synod__member_t *synod__epoch_member (const synod__epoch_t *self, synod_str_t name)
{
    for (uint32_t i = 0; i < self->nmembers; i++)
        if (synod_str_is (name, self->members[i].name))
            return &self->members[i];
    return NULL;
}

synod__ring_rule_t synod__epoch_rule (const synod__epoch_t *self, uint32_t type, bool target)
{
    uint32_t own = self->ntypes ? self->types[type].replicas : 0;
    return (synod__ring_rule_t){.partitions = self->partitions,
                                .replicas = own ? own : self->replicas,
                                .types = self->ntypes ? 1ull << type : 0,
                                .target = target};
}

const synod__member_t *synod__epoch_store (const synod__epoch_t *self, const synod__store_id_t *id)
{
    for (uint32_t i = 0; i < self->nmembers; i++)
        if (synod__store_id_compare (&self->members[i].id, id) == 0)
            return &self->members[i];
    return NULL;
}
