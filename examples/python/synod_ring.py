# SPDX-License-Identifier: MPL-2.0
"""Where keys live, computed as protocol/SPEC.md says ("The ring"), with xxhash alone.

    ring = Ring([Member("n1"), Member("n2", zone="east"), Member("n3", weight=50)], replicas=2)
    print(ring.owner("some key").name)
"""
import bisect
import collections

import xxhash

SEED = 0x73796E6F64  # "synod"
POINTS_PER_WEIGHT = 24
PARTITIONS = 16384

Member = collections.namedtuple("Member", "name weight zone down", defaults=(100, "", False))


def hash_of(data):
    return xxhash.xxh3_64_intdigest(data, seed=SEED)


def partition_of(key, partitions=PARTITIONS):
    """The first bits of the key's hash; partitions are a power of two."""
    return hash_of(key.encode()) * partitions >> 64


def point(name, index):
    return hash_of(name.encode() + b"\0" + index.to_bytes(4, "little"))


class Ring:
    def __init__(self, members, replicas, partitions=PARTITIONS):
        self.partitions = partitions
        self.members = sorted(members, key=lambda member: member.name)
        self.copies = min(replicas, len(self.members))
        self.points = sorted((point(member.name, index), rank) for rank, member in enumerate(self.members)
                             for index in range(member.weight * POINTS_PER_WEIGHT))
        self.replicas = [self._choose(partition) for partition in range(partitions)]

    def _choose(self, partition):
        """The first members from the partition's beginning on: of distinct zones, then of any."""
        zones = {member.zone or member.name for member in self.members if member.zone}
        distinct = min(self.copies, len(zones) + sum(not member.zone for member in self.members))
        chosen, spare, taken = [], [], set()
        at = bisect.bisect_left(self.points, (partition * 2**64 // self.partitions, 0))
        while len(chosen) < distinct or len(chosen) + len(spare) < self.copies:
            rank = self.points[at % len(self.points)][1]
            at += 1
            if rank in chosen or rank in spare:
                continue
            zone = self.members[rank].zone
            if len(chosen) < distinct and not (zone and zone in taken):
                chosen.append(rank)
                taken.add(zone)
            else:
                spare.append(rank)
        return [self.members[rank] for rank in (chosen + spare)[:self.copies]]

    def owner_of(self, partition):
        """The first replica that is up, or the first."""
        replicas = self.replicas[partition]
        return next((member for member in replicas if not member.down), replicas[0])

    def owner(self, key):
        return self.owner_of(partition_of(key, self.partitions))
