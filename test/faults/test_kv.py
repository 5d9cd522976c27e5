# SPDX-License-Identifier: MPL-2.0
"""The table on real processes: four nodes, three copies, loaded with every distinct word of the example texts. While they
are written one node is killed and a fifth joins: nothing that was acknowledged is missing, changed, or told twice by a scan.

SYNOD_SEED repeats a run, as far as real processes can.
"""
import hashlib
import json
import os
import random
import re
import signal
import threading
import unittest

from common import FaultCase

SEED = int(os.environ.get("SYNOD_SEED", random.SystemRandom().randrange(1 << 32)))
NODES = ["n1", "n2", "n3", "n4"]
TEXTS = "/usr/share/common-licenses"
AT_ONCE = 50


def words():
    found = set()
    for name in os.listdir(TEXTS):
        path = os.path.realpath(os.path.join(TEXTS, name))
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                found.update(word.lower() for word in re.findall("[A-Za-z]+", file.read()))
    return sorted(found)


def value_of(word, turn):
    return "%d-%s" % (turn, hashlib.sha256(word.encode()).hexdigest()[:20])


class Table(FaultCase):
    """With a broker; TableDirect below repeats it without one."""

    def setUp(self):
        super().setUp()
        self.start_bus()
        self.nodes = {}
        for name in NODES:
            self.up(name)
        code, out, err = self.ring("init", *NODES, "--wait", "--partitions", "512", "--replicas", "3", "--keepers",
                                   "n1,n2,n3")
        self.assertEqual(code, 0, (out, err))

    def up(self, name):
        self.nodes[name] = self.synod("run", "--node", name, "ring", "--set", "stays=true", "kv", "--data",
                                      os.path.join(self.dir, "data-" + name), *self.options(name))
        self.nodes[name].wait_line("err", "^ready %s$" % name)

    def options(self, name=None):
        words = super().options(name)
        if not self.brokered:  # any of the others may be away
            words += [word for other in NODES if other != name for word in ("--peer", self.endpoint(other))]
        return words

    def ring(self, *words, timeout="5s", limit=60):
        return self.run_synod("ring", *words, "--timeout", timeout, *self.options(), limit=limit)

    def kv(self, *words, limit=60):
        return self.run_synod("kv", *self.options(), "--timeout", "20s", *words, limit=limit)

    def load(self, mine, turn, progress):
        """Puts and counts; what was acknowledged is in self.sure and self.sums."""
        for at in range(0, len(mine), AT_ONCE):
            part = mine[at:at + AT_ONCE]
            _, out, _ = self.kv("mput", "--json", *["%s=%s" % (word, value_of(word, turn)) for word in part])
            for row in map(json.loads, out):
                if row["done"]:
                    self.sure[row["key"]] = turn
            code, out, _ = self.kv("incr", "total-%d" % turn, str(len(part)))
            if code == 0:
                self.sums[turn] += len(part)
            else:
                self.unsure[turn] += len(part)
            progress.release()

    def scanned(self):
        code, out, err = self.kv("scan", "--values", "--json")
        self.assertEqual(code, 0, err)
        rows = [json.loads(line) for line in out]
        keys = [row["key"] for row in rows]
        self.assertEqual(len(keys), len(set(keys)), "a key is told twice")
        return {row["key"]: row["value"] for row in rows}

    def test_killed_and_joined(self):
        print("SYNOD_SEED=%d" % SEED, flush=True)
        chance = random.Random(SEED)
        every = words()
        self.assertGreater(len(every), 1000)
        chance.shuffle(every)
        self.sure, self.sums, self.unsure = {}, [0, 0, 0], [0, 0, 0]
        progress = threading.Semaphore(0)
        loaders = [threading.Thread(target=self.load, args=(every[turn::3], turn, progress)) for turn in range(3)]
        for loader in loaders:
            loader.start()
            self.addCleanup(loader.join)
        for _ in range(chance.randrange(5, 25)):
            progress.acquire()
        victim = chance.choice(NODES)
        self.nodes[victim].signal(signal.SIGKILL)
        self.nodes[victim].process.wait()
        print("%s was killed when %d words were there" % (victim, len(self.sure)), flush=True)
        self.up("n5")
        self.until(lambda: self.ring("join", "n5", timeout="2s")[0] == 0, "n5 joins", 60)
        for loader in loaders:
            loader.join()
        self.up(victim)
        self.wait_rests("all serve again")
        self.assertEqual(len(self.sure), len(every))  # commands are sent again until they are answered
        found = self.scanned()
        wrong = [word for word, turn in self.sure.items() if found.get(word) != value_of(word, turn)]
        self.assertEqual(wrong[:10], [])
        for turn in range(3):
            total = int(found["total-%d" % turn])
            self.assertLessEqual(self.sums[turn], total)
            self.assertLessEqual(total, self.sums[turn] + self.unsure[turn])
        self.assertEqual(len(found), len(every) + 3)
        some = chance.sample(every, 50)
        code, out, err = self.kv("mget", *some)
        self.assertEqual((code, out), (0, ["%s\t%s" % (word, value_of(word, self.sure[word])) for word in some]), err)

    def test_stopped_owner(self):
        """Reads that are on their way to a node that takes mail and no longer answers are answered by the next owners."""
        print("SYNOD_SEED=%d" % SEED, flush=True)
        keys = ["key-%d" % at for at in range(8)]
        self.assertEqual(self.kv("mput", *["%s=%s" % (key, key) for key in keys])[0], 0)
        victim = random.Random(SEED).choice(NODES)
        self.nodes[victim].signal(signal.SIGSTOP)
        self.addCleanup(self.nodes[victim].signal, signal.SIGCONT)
        reads = {}
        readers = [threading.Thread(target=lambda key=key: reads.update({key: self.kv("get", key)})) for key in keys]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        self.assertEqual({key: out for key, (_, out, _) in reads.items()}, {key: [key] for key in keys}, victim)


class TableDirect(Table):
    brokered = False


if __name__ == "__main__":
    unittest.main()
