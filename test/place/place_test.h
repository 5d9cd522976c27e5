/* SPDX-License-Identifier: MPL-2.0
 *
 * What the tests of placement share: members, and numbers that are the same in every run.
 */
#ifndef SYNOD_TEST_PLACE_H_INCLUDED
#define SYNOD_TEST_PLACE_H_INCLUDED

#include "test/protocol/check.h"
#include "actors/place/ring.h"

/* The member NAME, with the store id that NUMBER makes. */
static inline synod__member_t place_member (const char *name, uint32_t number)
{
    synod__member_t member = {.weight = SYNOD__WEIGHT_DEFAULT, .target = SYNOD__WEIGHT_DEFAULT};
    snprintf (member.name, sizeof member.name, "%s", name);
    member.id.bytes[0] = 1;
    memcpy (member.id.bytes + 8, &number, sizeof number);
    return member;
}

/* COUNT members node-0, node-1 ... */
static inline void place_members (synod__member_t *members, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[24];
        snprintf (name, sizeof name, "node-%u", i);
        members[i] = place_member (name, i);
    }
}

static inline synod__ring_t *place_ring (const synod__member_t *members, uint32_t count, uint32_t partitions,
                                         uint32_t replicas)
{
    synod__ring_rule_t rule = {.partitions = partitions, .replicas = replicas};
    synod__ring_t *ring = synod__ring_new (members, count, &rule);
    assert_non_null (ring);
    return ring;
}

#endif
