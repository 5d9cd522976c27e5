/* SPDX-License-Identifier: MPL-2.0
 *
 * A ring's first epoch. Invariant: the same wishes for the same nodes make the same epoch, but for the ring's identity.
 */
#include <stdlib.h>
#include "ring_change_parts.h"
#include "protocol/address.h"

#define S_KEEPERS  3 /* where nobody says otherwise */
#define S_REPLICAS 3

static int s_check_nodes (const synod__ring_first_t *first, synod_fault_t *fault)
{
    if (first->nnodes < 1 || first->nnodes > SYNOD__MEMBERS_MAX)
        return synod_fault (fault, SYNOD_INVALID, "expected 1 to %d nodes, got %u", SYNOD__MEMBERS_MAX, first->nnodes);
    for (uint32_t i = 0; i < first->nnodes; i++) {
        const synod__newcomer_t *node = &first->nodes[i];
        if (!synod__name_ok (synod_str (node->name), false))
            return synod_fault (fault, SYNOD_INVALID, "expected the name of a node, got \"%s\"", node->name);
        if (*node->zone && !synod__name_ok (synod_str (node->zone), false))
            return synod_fault (fault, SYNOD_INVALID, "%s: expected a name as its zone, got \"%s\"", node->name,
                                node->zone);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp (node->name, first->nodes[j].name) == 0)
                return synod_fault (fault, SYNOD_INVALID, "expected distinct nodes, got %s twice", node->name);
        int rc = node->weight ? synod__change_check_weight (node->name, node->weight, fault) : SYNOD_OK;
        if (rc != SYNOD_OK)
            return rc;
    }
    return SYNOD_OK;
}

static bool s_named (const synod__ring_first_t *first, const char *name)
{
    for (uint32_t i = 0; i < first->nnodes; i++)
        if (strcmp (first->nodes[i].name, name) == 0)
            return true;
    return false;
}

int synod__ring_first_check (const synod__ring_first_t *first, synod_fault_t *fault)
{
    uint32_t most = first->lone || first->nnodes > SYNOD__REPLICAS_MAX ? SYNOD__REPLICAS_MAX : first->nnodes;
    int rc = s_check_nodes (first, fault);
    if (rc == SYNOD_OK && first->nkeepers)
        rc = synod__change_check_odd (first->nkeepers, fault);
    if (rc == SYNOD_OK)
        rc = synod__change_check_names (first->keepers, first->nkeepers, "keeper", fault);
    for (uint32_t i = 0; i < first->nkeepers && rc == SYNOD_OK; i++)
        if (!s_named (first, first->keepers[i]))
            rc = synod_fault (fault, SYNOD_INVALID, "expected members as keepers, got %s, which is none",
                              first->keepers[i]);
    if (rc == SYNOD_OK && first->replicas > most)
        rc = synod_fault (fault, SYNOD_INVALID, "expected 1 to %u replicas on %u nodes, got %u", most, first->nnodes,
                          first->replicas);
    if (rc == SYNOD_OK && (first->partitions > SYNOD__PARTITIONS_MAX || first->partitions & (first->partitions - 1)))
        rc = synod_fault (fault, SYNOD_INVALID, "expected a power of two up to %d as partitions, got %u",
                          SYNOD__PARTITIONS_MAX, first->partitions);
    return rc;
}

static int s_by_name (const void *a, const void *b)
{
    return strcmp (((const synod__member_t *) a)->name, ((const synod__member_t *) b)->name);
}

static int s_first_members (const synod__ring_first_t *first, synod__epoch_t *out, synod_fault_t *fault)
{
    int rc = SYNOD_OK;
    out->nmembers = first->nnodes;
    for (uint32_t i = 0; i < first->nnodes && rc == SYNOD_OK; i++) {
        const synod__newcomer_t *node = &first->nodes[i];
        synod__member_t *member = &out->members[i];
        member->id = node->id;
        member->weight = member->target = synod__change_weight (node);
        memcpy (member->name, node->name, sizeof member->name);
        memcpy (member->zone, node->zone, sizeof member->zone);
        rc = synod__change_check_types (out, node->name, node->types, node->ntypes, fault);
        if (rc == SYNOD_OK)
            synod__change_add_types (out, member, node->types, node->ntypes);
    }
    qsort (out->members, out->nmembers, sizeof *out->members, s_by_name);
    return rc;
}

int synod__ring_first (const synod__ring_first_t *first, synod__epoch_t *out, synod_fault_t *fault)
{
    memset (out, 0, sizeof *out);
    int rc = synod__ring_first_check (first, fault);
    if (rc != SYNOD_OK)
        return rc;
    uint32_t usual = first->nnodes < S_REPLICAS && !first->lone ? first->nnodes : S_REPLICAS;
    *out = (synod__epoch_t){
        .ring = first->ring,
        .number = 1,
        .partitions = first->partitions ? first->partitions : SYNOD__PARTITIONS,
        .replicas = first->replicas ? first->replicas : usual,
        .nkeepers = first->nkeepers ? first->nkeepers : (first->nnodes < S_KEEPERS ? 1 : S_KEEPERS),
        .members = (synod__member_t *) calloc (first->nnodes + 1, sizeof *out->members),
        .keepers = (synod__store_id_t *) calloc (SYNOD__KEEPERS_MAX, sizeof *out->keepers),
        .types = (synod__placed_type_t *) calloc (SYNOD__TYPES_MAX, sizeof *out->types),
    };
    rc = out->members && out->keepers && out->types
             ? s_first_members (first, out, fault)
             : synod_fault (fault, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
    for (uint32_t i = 0; i < out->nkeepers && rc == SYNOD_OK; i++) {
        const char *name = first->nkeepers ? first->keepers[i] : first->nodes[i].name;
        out->keepers[i] = synod__epoch_member (out, synod_str (name))->id;
    }
    if (rc == SYNOD_OK)
        rc = synod__epoch_check (out, fault);
    if (rc != SYNOD_OK)
        synod__epoch_free (out);
    return rc;
}

static int s_same_member (const synod__newcomer_t *node, const synod__epoch_t *epoch, synod_fault_t *fault)
{
    static const synod__store_id_t none;
    const synod__member_t *member = synod__epoch_member (epoch, synod_str (node->name));
    if (!member)
        return synod_fault (fault, SYNOD_REFUSED, "%s is no member of it", node->name);
    if (synod__store_id_compare (&node->id, &none) != 0 && synod__store_id_compare (&node->id, &member->id) != 0)
        return synod_fault (fault, SYNOD_REFUSED, "the member %s has another store: it was wiped since", node->name);
    if (node->weight && node->weight != member->target)
        return synod_fault (fault, SYNOD_REFUSED, "%s has the weight %u in it, not %u", node->name, member->target,
                            node->weight);
    if (*node->zone && strcmp (node->zone, member->zone) != 0)
        return synod_fault (fault, SYNOD_REFUSED, "%s has the zone \"%s\" in it, not \"%s\"", node->name, member->zone,
                            node->zone);
    return SYNOD_OK;
}

int synod__ring_first_same (const synod__ring_first_t *first, const synod__epoch_t *epoch, synod_fault_t *fault)
{
    int rc = SYNOD_OK;
    for (uint32_t i = 0; i < first->nnodes && rc == SYNOD_OK; i++)
        rc = s_same_member (&first->nodes[i], epoch, fault);
    for (uint32_t i = 0; i < first->nkeepers && rc == SYNOD_OK; i++) {
        const synod__member_t *keeper = synod__epoch_member (epoch, synod_str (first->keepers[i]));
        if (!keeper || !synod__epoch_keeps (epoch, &keeper->id))
            rc = synod_fault (fault, SYNOD_REFUSED, "%s is no keeper of it", first->keepers[i]);
    }
    if (rc != SYNOD_OK)
        return rc;
    if (first->nnodes != epoch->nmembers)
        return synod_fault (fault, SYNOD_REFUSED, "it has %u members, not %u", epoch->nmembers, first->nnodes);
    if (first->nkeepers && first->nkeepers != epoch->nkeepers)
        return synod_fault (fault, SYNOD_REFUSED, "it has %u keepers, not %u", epoch->nkeepers, first->nkeepers);
    if (first->replicas && first->replicas != epoch->replicas)
        return synod_fault (fault, SYNOD_REFUSED, "it has %u replicas, not %u", epoch->replicas, first->replicas);
    if (first->partitions && first->partitions != epoch->partitions)
        return synod_fault (fault, SYNOD_REFUSED, "it has %u partitions, not %u", epoch->partitions, first->partitions);
    return SYNOD_OK;
}
