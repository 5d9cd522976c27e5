# SPDX-License-Identifier: MPL-2.0
"""mapreduce counts what tr, sort and uniq count, once, whatever is killed and mapped again; and its test in the simulator."""
import json
import os
import signal
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from harness import BUILD, TestCase  # noqa: E402
from test_wordcount import expected, licences  # noqa: E402

MODULE = os.path.join(BUILD, "lib", "libmapreduce%s.so")
DRIVER = os.path.join(BUILD, "bin", "mapreduce")
ALL = ["--top", "100000"]


class MapReduce(TestCase):
    def ring(self, bug=""):
        """Three nodes that map and reduce, with a copy of everything on each disk. What joins their bus says so."""
        bus = ["--bus", self.start_broker()]
        self.nodes = [self.start_node("n%d" % i, MODULE % bug, "--data", os.path.join(self.dir, "data%d" % i),
                                      "--heartbeat", "200ms", *bus) for i in range(3)]
        made = self.run_synod("ring", "init", "n0", "n1", "n2", "--wait", "--partitions", "64", *bus)
        self.assertEqual(made[0], 0, made)
        return bus

    def driver(self, *words):
        return self.start(DRIVER, *ALL, *words)

    def count(self, *words):
        driver = self.driver(*words)
        self.assertEqual(driver.wait(), 0, driver.story())
        return driver.out()

    def total(self, key, *bus):
        code, out, err = self.run_synod("ask", "reduce#" + key, "read", *bus)
        self.assertEqual(code, 0, err)
        return json.loads(out[0])

    def test_counts(self):
        """Two jobs do not mix; a piece that is mapped again changes nothing; and where a total is."""
        bus, files = self.ring(), licences()
        wanted = expected(files, 100000)
        self.assertGreater(len(wanted), 1000)
        self.assertEqual(self.count("--job", "one", *bus, *files), wanted)
        self.assertEqual(self.count("--job", "one", *bus, *files), wanted)
        self.assertEqual(self.count("--piece", "100", *bus, *files[:2]), expected(files[:2], 100000))
        word = wanted[0].split()
        self.assertEqual(self.total("one/" + word[1], *bus), {"key": "one/" + word[1], "count": int(word[0])})
        self.assertEqual(self.total("two/" + word[1], *bus), {"key": "two/" + word[1], "count": 0})

    def test_counts_twice(self):
        """The same without what knows a piece again: the test above would see it."""
        bus, files = self.ring("_bug"), licences()[:1]
        wanted = expected(files, 100000)
        self.assertEqual(self.count("--job", "one", *bus, *files), wanted)
        twice = ["%d %s" % (2 * int(line.split()[0]), line.split()[1]) for line in wanted]
        self.assertEqual(self.count("--job", "one", *bus, *files), twice)

    def test_killed(self):
        """A node, and with it a mapper that has pieces and an owner of a third of the words, is killed in the middle."""
        bus, files = self.ring(), licences()
        driver = self.driver("--piece", "100", "--progress", *bus, *files)
        driver.wait_line("err", "^progress [1-5]")
        self.nodes[1].signal(signal.SIGKILL)
        self.assertNotIn("progress 100 %", driver.err())
        self.assertEqual(driver.wait(), 0, driver.story())
        self.assertEqual(driver.out(), expected(files, 100000))

    def test_cut_short(self):
        """The driver is killed in the middle, and another one finishes its job: all is mapped again, and counted once."""
        bus, files = self.ring(), licences()
        words = ["--job", "j", "--piece", "100", *bus, *files]
        driver = self.driver("--progress", *words)
        driver.wait_line("err", "^progress [1-5]")
        driver.signal(signal.SIGKILL)
        self.assertEqual(driver.wait(), -signal.SIGKILL, driver.story())
        self.assertGreater(self.total("j/the", *bus)["count"], 0)
        self.assertEqual(self.count(*words), expected(files, 100000))

    def test_words(self):
        """Nothing to count; a word that is no key, and one that is no piece."""
        bus = self.ring()
        for name, text in (("empty", b""), ("blank", b" \n1\xff" * 5000), ("long", b"x" * 500), ("huge", b"x" * 20000)):
            with open(os.path.join(self.dir, name), "wb") as file:
                file.write(text)
        self.assertEqual(self.count(*bus, "empty", "blank"), [])
        for name, sentence in (("long", "a word of 500 letters and its job are no key"), ("huge", "longer than a piece")):
            driver = self.driver(*bus, name)
            self.assertEqual((driver.wait(), driver.out()), (1, []))
            self.assertIn(sentence, "\n".join(driver.err()))
        driver = self.driver(*bus, "--job", "a\nb", "/dev/null", HERE + "/CMakeLists.txt")
        self.assertEqual(driver.wait(), 1, driver.story())

    def test_usage(self):
        for words, code in [([], 2), (["--top", "0", "x"], 2), (["--piece", "16385", "x"], 2), (["--job", "", "x"], 2),
                            (["--frob"], 2), (["nothing-there"], 1), (["/"], 1)]:
            driver = self.start(DRIVER, *words)
            self.assertEqual((driver.wait(), driver.out()), (code, []), words)
            self.assertIn("mapreduce: ", "\n".join(driver.err()))
        self.assertEqual(self.start(DRIVER, "--help").wait(), 0)

    def test_simulated(self):
        code, out, err = self.run_synod("sim", MODULE % "_sim", "--seeds", "1..60", limit=60)
        self.assertEqual((code, err), (0, []), out)
        self.assertRegex(out[0], "^mapreduce: 60 seeds held; ")
        code, out, err = self.run_synod("sim", MODULE % "_sim_bug", "--seeds", "1..60", limit=60)
        self.assertEqual(code, 1, out)
        self.assertRegex("\n".join(out), r"job/. is counted \d+ times; it is in the text \d+ times")

    def test_screens(self):
        """It is what it says: something to read."""
        with open(os.path.join(HERE, "..", "..", "examples", "mapreduce", "mapreduce.c")) as file:
            self.assertLess(len(file.readlines()), 200)


if __name__ == "__main__":
    unittest.main()
