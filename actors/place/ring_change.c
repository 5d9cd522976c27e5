/* SPDX-License-Identifier: MPL-2.0
 *
 * What follows an epoch. Invariants: what comes out passes synod__epoch_check when what went in did; a member with a
 * weight keeps it until the ring settles, so nothing counts on a copy that is not there; the keepers are members, an
 * odd number of them, and those that leave only as long as nobody can take their place.
 */
#include <stdlib.h>
#include "ring_change_parts.h"
#include "protocol/address.h"

#ifdef SYNOD_RING_MUTANTS
synod__ring_mutant_t synod__ring_mutant;
#endif

static synod__member_t *s_member (synod__epoch_t *self, synod_str_t name)
{
    return (synod__member_t *) synod__epoch_member (self, name);
}

static synod__member_t *s_store (synod__epoch_t *self, const synod__store_id_t *id)
{
    return (synod__member_t *) synod__epoch_store (self, id);
}

static int s_no_memory (synod_fault_t *fault)
{
    return synod_fault (fault, SYNOD_NO_MEMORY, "%s", synod_error_meaning (SYNOD_NO_MEMORY));
}

/* ---- copies ---- */

/* COUNT elements of SIZE and room for one more. */
static void *s_copy (const void *from, uint32_t count, size_t size)
{
    void *to = calloc ((size_t) count + 1, size);
    if (to && count)
        memcpy (to, from, count * size);
    return to;
}

int synod__epoch_next (const synod__epoch_t *epoch, synod__epoch_t *out)
{
    *out = *epoch;
    out->number++;
    out->members = (synod__member_t *) s_copy (epoch->members, epoch->nmembers, sizeof *epoch->members);
    out->keepers = (synod__store_id_t *) calloc (SYNOD__KEEPERS_MAX, sizeof *epoch->keepers);
    out->types = (synod__placed_type_t *) calloc (SYNOD__TYPES_MAX, sizeof *epoch->types);
    if (!out->members || !out->keepers || !out->types) {
        synod__epoch_free (out);
        return SYNOD_NO_MEMORY;
    }
    memcpy (out->keepers, epoch->keepers, epoch->nkeepers * sizeof *epoch->keepers);
    if (epoch->ntypes)
        memcpy (out->types, epoch->types, epoch->ntypes * sizeof *epoch->types);
    return SYNOD_OK;
}

/* ---- types ---- */

static uint32_t s_type (const synod__epoch_t *self, const char *name)
{
    uint32_t i = 0;
    while (i < self->ntypes && strcmp (self->types[i].name, name) != 0)
        i++;
    return i;
}

int synod__change_check_types (const synod__epoch_t *self, const char *who, const synod__placed_type_t *types,
                               uint32_t ntypes, synod_fault_t *fault)
{
    uint32_t more = 0;
    for (uint32_t i = 0; i < ntypes; i++) {
        uint32_t known = s_type (self, types[i].name);
        if (known == self->ntypes)
            more++;
        else if (self->types[known].replicas != types[i].replicas)
            return synod_fault (fault, SYNOD_REFUSED,
                                "%s: expected %u replicas of %s, as the other members have it "
                                "(0: as many as the ring says), got %u",
                                who, self->types[known].replicas, types[i].name, types[i].replicas);
    }
    if (self->ntypes + more > SYNOD__TYPES_MAX)
        return synod_fault (fault, SYNOD_REFUSED, "%s: expected up to %d placed types in a ring, got %u", who,
                            SYNOD__TYPES_MAX, self->ntypes + more);
    return SYNOD_OK;
}

/* Checked. SELF has room for all types there can be. */
void synod__change_add_types (synod__epoch_t *self, synod__member_t *member, const synod__placed_type_t *types,
                              uint32_t ntypes)
{
    for (uint32_t i = 0; i < ntypes; i++) {
        uint32_t at = s_type (self, types[i].name);
        if (at == self->ntypes)
            self->types[self->ntypes++] = types[i];
        member->types |= 1ull << at;
    }
}

static bool s_runs (const synod__epoch_t *self, const synod__member_t *member, const synod__newcomer_t *node)
{
    for (uint32_t i = 0; i < node->ntypes; i++) {
        uint32_t at = s_type (self, node->types[i].name);
        if (at == self->ntypes || !(member->types & 1ull << at))
            return false;
    }
    return true;
}

/* ---- checks ---- */

int synod__change_check_names (const char (*names)[SYNOD_NAME_MAX + 1], uint32_t count, const char *what,
                               synod_fault_t *fault)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!synod__name_ok (synod_str (names[i]), false))
            return synod_fault (fault, SYNOD_INVALID, "expected the name of a node, got the %s \"%s\"", what, names[i]);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp (names[i], names[j]) == 0)
                return synod_fault (fault, SYNOD_INVALID, "expected distinct %ss, got %s twice", what, names[i]);
    }
    return SYNOD_OK;
}

int synod__change_check_weight (const char *who, uint32_t weight, synod_fault_t *fault)
{
    if (weight >= 1 && weight <= SYNOD__WEIGHT_MAX)
        return SYNOD_OK;
    return synod_fault (fault, SYNOD_INVALID, "%s: expected a weight from 1 to %d, got %u", who, SYNOD__WEIGHT_MAX,
                        weight);
}

int synod__change_check_odd (uint32_t count, synod_fault_t *fault)
{
    if (count % 2 == 1 && count <= SYNOD__KEEPERS_MAX)
        return SYNOD_OK;
    return synod_fault (fault, SYNOD_INVALID, "expected an odd number of keepers up to %d, got %u", SYNOD__KEEPERS_MAX,
                        count);
}

uint32_t synod__change_weight (const synod__newcomer_t *node)
{
    return node->weight ? node->weight : SYNOD__WEIGHT_DEFAULT;
}

/* ---- keepers ---- */

/* How good a keeper a member would be: 0 is best, 3 is one that is gone soon, 4 is none. */
static int s_fit (const synod__member_t *member)
{
    if (!member->target)
        return member->down ? 4 : 3;
    return member->down ? 2 : member->weight == 0;
}

/* Puts others in the place of keepers that are no members or that leave. When there are not enough, those that leave stay
 * until they are gone, so that there are fewer no sooner than there must be; then there are fewer. */
static void s_mend_keepers (synod__epoch_t *next)
{
    synod__store_id_t before[SYNOD__KEEPERS_MAX];
    uint32_t wanted = next->nkeepers;
    uint32_t kept = 0;
    memcpy (before, next->keepers, wanted * sizeof *before);
    for (uint32_t i = 0; i < wanted; i++) {
        const synod__member_t *keeper = synod__epoch_store (next, &before[i]);
        if (keeper && keeper->target)
            next->keepers[kept++] = before[i];
    }
    next->nkeepers = kept;
    for (int fit = 0; fit < 3; fit++)
        for (uint32_t i = 0; i < next->nmembers && next->nkeepers < wanted; i++)
            if (s_fit (&next->members[i]) == fit && !synod__epoch_keeps (next, &next->members[i].id))
                next->keepers[next->nkeepers++] = next->members[i].id;
    for (uint32_t i = 0; i < wanted && next->nkeepers < wanted; i++) {
        const synod__member_t *keeper = synod__epoch_store (next, &before[i]);
        if (keeper && s_fit (keeper) == 3)
            next->keepers[next->nkeepers++] = before[i];
    }
    if (next->nkeepers % 2 == 1)
        return;
    /* one has to go: one that is down if there is, else the last */
    uint32_t out = next->nkeepers - 1;
    for (uint32_t i = 0; i < next->nkeepers; i++)
        if (synod__epoch_store (next, &next->keepers[i])->down)
            out = i;
    memmove (&next->keepers[out], &next->keepers[out + 1], (next->nkeepers - out - 1) * sizeof *next->keepers);
    next->nkeepers--;
}

/* ---- changes ---- */

void synod__change_free (synod__change_t *self)
{
    free (self->newcomer.types);
    self->newcomer.types = NULL;
    self->newcomer.ntypes = 0;
}

int synod__change_check (const synod__change_t *self, synod_fault_t *fault)
{
    int rc = SYNOD_OK;
    if (self->kind == SYNOD__CHANGE_KEEPERS) {
        rc = synod__change_check_odd (self->nkeepers, fault);
        return rc == SYNOD_OK ? synod__change_check_names (self->keepers, self->nkeepers, "keeper", fault) : rc;
    }
    if (self->kind == SYNOD__CHANGE_TYPES)
        return SYNOD_OK;
    if (!synod__name_ok (synod_str (self->node), false))
        return synod_fault (fault, SYNOD_INVALID, "expected the name of a node, got \"%s\"", self->node);
    if (self->kind == SYNOD__CHANGE_WEIGHT || (self->kind == SYNOD__CHANGE_JOIN && self->weight))
        rc = synod__change_check_weight (self->node, self->weight, fault);
    if (rc == SYNOD_OK && *self->newcomer.zone && !synod__name_ok (synod_str (self->newcomer.zone), false))
        rc = synod_fault (fault, SYNOD_INVALID, "%s: expected a name as its zone, got \"%s\"", self->node,
                          self->newcomer.zone);
    return rc;
}

bool synod__change_done (const synod__change_t *self, const synod__epoch_t *epoch)
{
    const synod__member_t *member = synod__epoch_member (epoch, synod_str (self->node));
    switch (self->kind) {
    case SYNOD__CHANGE_JOIN:
        return member && synod__store_id_compare (&member->id, &self->newcomer.id) == 0 && member->target &&
               (!self->weight || member->target == self->weight);
    case SYNOD__CHANGE_LEAVE:
    case SYNOD__CHANGE_REMOVE:
        return member && !member->target;
    case SYNOD__CHANGE_WEIGHT:
        return member && member->target == self->weight;
    case SYNOD__CHANGE_TYPES:
        member = synod__epoch_store (epoch, &self->newcomer.id);
        return !member || s_runs (epoch, member, &self->newcomer);
    default:
        break;
    }
    for (uint32_t i = 0; i < self->nkeepers; i++) {
        member = synod__epoch_member (epoch, synod_str (self->keepers[i]));
        if (!member || !synod__epoch_keeps (epoch, &member->id))
            return false;
    }
    return self->nkeepers == epoch->nkeepers;
}

static int s_check_room (const synod__epoch_t *next, const synod__member_t *but, uint32_t target, synod_fault_t *fault)
{
    uint32_t sum = target;
    for (uint32_t i = 0; i < next->nmembers; i++)
        sum += &next->members[i] == but ? 0 : next->members[i].target;
    if (sum > SYNOD__WEIGHTS_MAX)
        return synod_fault (fault, SYNOD_REFUSED, "expected weights of up to %d together, got %u", SYNOD__WEIGHTS_MAX,
                            sum);
    return SYNOD_OK;
}

/* Weights are bounded apart from targets: no new weight is more than a target was. */
static int s_set_target (synod__epoch_t *next, synod__member_t *member, uint32_t target, synod_fault_t *fault)
{
    int rc = s_check_room (next, member, target, fault);
    if (rc == SYNOD_OK)
        member->target = target;
    return rc;
}

/* A member with another store takes the place of one that is down: its own store is the one that was wiped. It holds
 * nothing yet, so it stays marked down until it has been brought up to date. */
static int s_replace (const synod__change_t *self, synod__epoch_t *next, synod__member_t *member, synod_fault_t *fault)
{
    const synod__newcomer_t *node = &self->newcomer;
    if (!member->down)
        return synod_fault (fault, SYNOD_REFUSED,
                            "%s is a member with another store, which is up as far as is known: remove it first",
                            member->name);
    int rc = synod__change_check_types (next, node->name, node->types, node->ntypes, fault);
    if (rc == SYNOD_OK)
        rc = s_set_target (next, member, self->weight ? self->weight : synod__change_weight (node), fault);
    if (rc != SYNOD_OK)
        return rc;
    member->id = node->id; /* the zone stays, as the places on the ring do: nothing moves between the others */
    member->types = 0;
    synod__change_add_types (next, member, node->types, node->ntypes);
    s_mend_keepers (next);
    return SYNOD_OK;
}

static int s_join (const synod__change_t *self, synod__epoch_t *next, synod_fault_t *fault)
{
    const synod__newcomer_t *node = &self->newcomer;
    synod__member_t *member = s_member (next, synod_str (node->name));
    uint32_t weight = self->weight ? self->weight : synod__change_weight (node);
    if (member && synod__store_id_compare (&member->id, &node->id) == 0)
        return s_set_target (next, member, weight, fault);
    if (synod__epoch_store (next, &node->id))
        return synod_fault (fault, SYNOD_REFUSED, "the store of %s is that of the member %s: it was copied, or renamed",
                            node->name, synod__epoch_store (next, &node->id)->name);
    if (member)
        return s_replace (self, next, member, fault);
    if (next->nmembers >= SYNOD__MEMBERS_MAX)
        return synod_fault (fault, SYNOD_REFUSED, "expected up to %d members, which the ring has", SYNOD__MEMBERS_MAX);
    int rc = synod__change_check_types (next, node->name, node->types, node->ntypes, fault);
    if (rc == SYNOD_OK)
        rc = s_check_room (next, NULL, weight, fault);
    if (rc != SYNOD_OK)
        return rc;
    synod__member_t *members =
        (synod__member_t *) realloc (next->members, ((size_t) next->nmembers + 1) * sizeof *next->members);
    if (!members)
        return s_no_memory (fault);
    next->members = members;
    member = &members[next->nmembers++];
    *member = (synod__member_t){.id = node->id, .target = weight};
    memcpy (member->name, node->name, sizeof member->name);
    memcpy (member->zone, node->zone, sizeof member->zone);
    synod__change_add_types (next, member, node->types, node->ntypes);
    return SYNOD_OK;
}

static void s_drop (synod__epoch_t *next, synod__member_t *member)
{
    size_t at = (size_t) (member - next->members);
    memmove (member, member + 1, (next->nmembers - at - 1) * sizeof *member);
    next->nmembers--;
}

/* Another member that stays and holds something. */
static bool s_other (const synod__epoch_t *next, const synod__member_t *member)
{
    for (uint32_t i = 0; i < next->nmembers; i++)
        if (&next->members[i] != member && next->members[i].target && next->members[i].weight)
            return true;
    return false;
}

/* Leaves, or is taken out: others get what it has before it goes. */
static int s_leave (const synod__change_t *self, synod__epoch_t *next, bool well, synod_fault_t *fault)
{
    synod__member_t *member = s_member (next, synod_str (self->node));
    if (!member)
        return synod_fault (fault, SYNOD_NOT_FOUND, "%s is no member of the ring", self->node);
    if (self->kind == SYNOD__CHANGE_REMOVE && well && !self->force)
        return synod_fault (fault, SYNOD_REFUSED,
                            "%s is up and well: let it leave instead, or say that it is to be removed nevertheless",
                            self->node);
    if (!s_other (next, member))
        return synod_fault (fault, SYNOD_REFUSED, "%s is the last member that holds anything: a ring keeps one",
                            self->node);
    if (member->weight)
        member->target = 0;
    else
        s_drop (next, member);
    s_mend_keepers (next);
    return SYNOD_OK;
}

static int s_keepers (const synod__change_t *self, synod__epoch_t *next, synod_fault_t *fault)
{
    synod__store_id_t ids[SYNOD__KEEPERS_MAX];
    for (uint32_t i = 0; i < self->nkeepers; i++) {
        const synod__member_t *member = synod__epoch_member (next, synod_str (self->keepers[i]));
        if (!member)
            return synod_fault (fault, SYNOD_NOT_FOUND, "expected members as keepers, got %s, which is none",
                                self->keepers[i]);
        if (!member->target)
            return synod_fault (fault, SYNOD_REFUSED, "expected members that stay as keepers, got %s, which leaves",
                                self->keepers[i]);
        ids[i] = member->id;
    }
    memcpy (next->keepers, ids, self->nkeepers * sizeof *ids);
    next->nkeepers = self->nkeepers;
    return SYNOD_OK;
}

static int s_types (const synod__change_t *self, synod__epoch_t *next, synod_fault_t *fault)
{
    const synod__newcomer_t *node = &self->newcomer;
    synod__member_t *member = s_store (next, &node->id);
    int rc = member ? synod__change_check_types (next, member->name, node->types, node->ntypes, fault) : SYNOD_OK;
    if (rc == SYNOD_OK && member)
        synod__change_add_types (next, member, node->types, node->ntypes);
    return rc;
}

int synod__change_apply (const synod__change_t *self, synod__epoch_t *next, bool well, synod_fault_t *fault)
{
    int rc = synod__change_check (self, fault);
    if (rc != SYNOD_OK)
        return rc;
    if (self->kind == SYNOD__CHANGE_JOIN)
        return s_join (self, next, fault);
    if (self->kind == SYNOD__CHANGE_KEEPERS)
        return s_keepers (self, next, fault);
    if (self->kind == SYNOD__CHANGE_TYPES)
        return s_types (self, next, fault);
    if (self->kind != SYNOD__CHANGE_WEIGHT)
        return s_leave (self, next, well, fault);
    synod__member_t *member = s_member (next, synod_str (self->node));
    if (!member)
        return synod_fault (fault, SYNOD_NOT_FOUND, "%s is no member of the ring", self->node);
    return s_set_target (next, member, self->weight, fault);
}

/* ---- by themselves ---- */

bool synod__ring_mark_down (synod__epoch_t *next, const synod__store_id_t *id)
{
    synod__member_t *member = s_store (next, id);
    if (!member || member->down || next->nmembers == 1)
        return false;
    if (member->weight)
        member->down = true;
    else {
        s_drop (next, member);
        s_mend_keepers (next);
    }
    return true;
}

bool synod__ring_mark_up (synod__epoch_t *next, const synod__store_id_t *id)
{
    synod__member_t *member = s_store (next, id);
    if (!member || !member->down || SYNOD__RING_MUTANT (NO_UP))
        return false;
    member->down = false;
    return true;
}

bool synod__ring_moving (const synod__epoch_t *self)
{
    for (uint32_t i = 0; i < self->nmembers; i++)
        if (self->members[i].weight != self->members[i].target)
            return true;
    return false;
}

bool synod__ring_settle (synod__epoch_t *next)
{
    if (!synod__ring_moving (next))
        return false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < next->nmembers; i++) {
        next->members[i].weight = next->members[i].target;
        if (next->members[i].weight)
            next->members[kept++] = next->members[i];
    }
    next->nmembers = kept;
    s_mend_keepers (next);
    return true;
}
