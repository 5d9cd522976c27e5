# SPDX-License-Identifier: MPL-2.0
"""The test vectors of the ring in SPEC.md: they are what the C code says, and the Python peer computes the same.

test_vectors.py RING_VECTORS SPEC.md [--write]
"""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "python"))
from synod_ring import Member, Ring, hash_of, partition_of, point  # noqa: E402

BLOCK = re.compile(r"(<!-- vectors ring -->\n)(.*?)(<!-- vectors end -->\n)", re.DOTALL)
PROGRAM, SPEC = sys.argv[1:3]


def spec():
    with open(SPEC, encoding="utf-8") as file:
        return file.read()


def tables(text):
    """The tables of a block, each as rows of cells without the marks around code; and the lines that are no table."""
    found, rest, rows = [], [], None
    for line in text.splitlines():
        if not line.startswith("|"):
            rest.append(line)
            rows = None
        elif rows is None:
            rows = []
            found.append(rows)
        elif not line.startswith("|---"):
            rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return found, rest


class Vectors(unittest.TestCase):
    def setUp(self):
        self.block = BLOCK.search(spec()).group(2)
        (self.hashes, self.keys, self.points, self.members, self.partitions), rest = tables(self.block)
        self.digest = re.search(r"`([0-9a-f]{16})`", "\n".join(rest)).group(1)
        self.nodes = [Member(name, int(weight), zone, down == "yes") for name, zone, weight, down in self.members]

    def test_c(self):
        out = subprocess.run([PROGRAM], check=True, capture_output=True, encoding="utf-8", timeout=30).stdout
        self.assertEqual(self.block.splitlines(), out.splitlines(),
                         "SPEC.md is not what the code says; test_vectors.py ... --write brings it up to date")

    def test_hashes(self):
        self.assertEqual(len(self.hashes), 6)
        for text, value in self.hashes:
            data = b"x" * 400 if text.endswith("400 times") else text.encode()
            self.assertEqual("%016x" % hash_of(data), value, text)

    def test_keys(self):
        self.assertEqual(len(self.keys), 4)
        for key, small, usual in self.keys:
            self.assertEqual((partition_of(key, 16), partition_of(key)), (int(small), int(usual)), key)

    def test_points(self):
        self.assertEqual(len(self.points), 10)
        for name, index, value in self.points:
            self.assertEqual("%016x" % point(name, int(index)), value)

    def test_partitions(self):
        ring = Ring(reversed(self.nodes), 3, 16)
        self.assertEqual(len(self.partitions), 16)
        for partition, replicas, owner in self.partitions:
            self.assertEqual([member.name for member in ring.replicas[int(partition)]], replicas.split())
            self.assertEqual(ring.owner_of(int(partition)).name, owner)

    def test_all_partitions(self):
        ring = Ring(self.nodes, 3)
        lines = ["%s %s\n" % (" ".join(member.name for member in ring.replicas[p]), ring.owner_of(p).name)
                 for p in range(ring.partitions)]
        self.assertEqual("%016x" % hash_of("".join(lines).encode()), self.digest)


if __name__ == "__main__":
    if sys.argv[3:] == ["--write"]:
        made = subprocess.run([PROGRAM], check=True, capture_output=True, encoding="utf-8", timeout=30).stdout
        text = BLOCK.sub(lambda found: found.group(1) + made + found.group(3), spec())
        with open(SPEC, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        unittest.main(argv=sys.argv[:1])
