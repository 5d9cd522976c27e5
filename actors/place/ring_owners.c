/* SPDX-License-Identifier: MPL-2.0
 *
 * Who owns what in an epoch, as far as decisions on the next one depend on it: by the tables of its types.
 */
#include <stdlib.h>
#include "ring_change.h"

bool synod__ring_owners (const synod__epoch_t *self, bool *owns)
{
    memset (owns, 0, self->nmembers * sizeof *owns);
    for (uint32_t type = 0; type < self->ntypes; type++) {
        const synod__ring_rule_t rule = synod__epoch_rule (self, type, false);
        synod__ring_t *ring = synod__ring_new (self->members, self->nmembers, &rule);
        if (!ring)
            return false;
        for (uint32_t p = 0; p < synod__ring_partitions (ring); p++)
            if (ring->owner[p] != SYNOD__NOBODY)
                owns[ring->owner[p]] = true;
        synod__ring_destroy (&ring);
    }
    return true;
}

bool synod__ring_can_stop (const synod__epoch_t *self, uint32_t member)
{
    synod__epoch_t next;
    bool *owns = (bool *) calloc (self->nmembers, sizeof *owns);
    if (!owns || self->members[member].down || synod__epoch_next (self, &next) != SYNOD_OK) {
        free (owns);
        return false;
    }
    next.members[member].down = true;
    bool can = synod__ring_owners (&next, owns);
    for (uint32_t i = 0; i < next.nmembers; i++)
        can = can && !(owns[i] && next.members[i].down);
    synod__epoch_free (&next);
    free (owns);
    return can;
}

bool synod__ring_can_spare (const synod__epoch_t *self, uint32_t member)
{
    uint32_t most = self->replicas, stay = 0;
    if (self->replicas < 2)
        return false;
    for (uint32_t type = 0; type < self->ntypes; type++) {
        uint32_t holders = 0;
        if (!(self->members[member].types & 1ull << type))
            continue;
        uint32_t replicas = synod__epoch_rule (self, type, false).replicas;
        if (replicas < 2)
            return false;
        if (replicas > most)
            most = replicas;
        for (uint32_t i = 0; i < self->nmembers; i++)
            holders += self->members[i].weight && self->members[i].types & 1ull << type;
        if (holders < 2)
            return false;
    }
    for (uint32_t i = 0; i < self->nmembers; i++)
        stay += i != member && self->members[i].target && !self->members[i].down;
    return stay >= most;
}
