# SPDX-License-Identifier: MPL-2.0
"""wordcount counts what tr, sort and uniq count: through a broker, without one, and with a worker killed mid-run."""
import json
import os
import random
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from harness import BUILD, TestCase  # noqa: E402

MODULE = os.path.join(BUILD, "lib", "libwordcount.so")
WORDCOUNT = os.path.join(BUILD, "bin", "wordcount")
LICENCES = "/usr/share/common-licenses"
COUNT = ("for file in \"$@\"; do tr -cs A-Za-z '\\n' <\"$file\" | tr A-Z a-z; echo; done"
         " | sed '/^$/d' | sort | uniq -c | sed 's/^ *//' | sort -k1,1nr -k2,2")


def expected(files, top=20):
    env = dict(os.environ, LC_ALL="C")
    done = subprocess.run(["sh", "-c", COUNT, "sh", *files], stdout=subprocess.PIPE, text=True, check=True, env=env)
    return done.stdout.splitlines()[:top]


def licences():
    names = {os.path.realpath(os.path.join(LICENCES, name)) for name in os.listdir(LICENCES)}
    return sorted(name for name in names if os.path.isfile(name))


class WordCount(TestCase):
    def workers(self, count, *bus):
        self.pool = [self.start_node("w%d" % i, MODULE, *bus) for i in range(count)]

    def count(self, files, *words):
        feeder = self.start(WORDCOUNT, *words, *files)
        code = feeder.wait(60)
        self.assertEqual(code, 0, feeder.story())
        return feeder.out()

    def write(self, name, data):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_brokered(self):
        bus = ["--bus", self.start_broker()]
        self.workers(3, *bus)
        files = licences()
        self.assertGreater(len(files), 3)
        self.assertEqual(self.count(files, *bus), expected(files))
        self.assertEqual(self.count(files, "--chunk", "100", "--top", "5000", *bus), expected(files, 5000))

    def test_direct(self):
        first = "ipc://%s/w0" % self.dir
        self.pool = [self.start_node("w%d" % i, MODULE, "--listen", "ipc://%s/w%d" % (self.dir, i), "--peer", first)
                     for i in range(3)]
        files = licences()
        self.assertEqual(self.count(files, "--peer", first), expected(files))

    def test_edges(self):
        """Words at the ends of chunks and files, words longer than chunks, bytes that are no text, empty files."""
        bus = ["--bus", self.start_broker()]
        self.workers(2, *bus)
        chance = random.Random(20)
        letters = b"abcXYZ -'\n\0\xff9"
        files = [self.write("noise", bytes(chance.choice(letters) for _ in range(20000))), self.write("empty", b""),
                 self.write("word", b"WORD"), self.write("long", b"x" * 100000 + b" y " + b"x" * 100000),
                 self.write("blank", b" \n" * 40000), self.write("end", b"one two")]
        for chunk in ("1", "7", "32768"):
            self.assertEqual(self.count(files, "--chunk", chunk, "--top", "100000", *bus), expected(files, 100000))
        empty = [self.write("empty", b"")]
        self.assertEqual(self.count(empty, *bus), [])
        # the most different words a chunk can hold: its reply is the largest
        words = ["%c%c%c" % (a, b, c) for a in range(97, 123) for b in range(97, 123) for c in range(97, 123)]
        files = [self.write("many", " ".join(words).encode())]
        self.assertEqual(self.count(files, "--top", "20000", *bus), expected(files, 20000))

    def killed(self, victim, bus):
        """A worker that has chunks, and has answered none of them, is killed when others have answered theirs."""
        files = licences()
        victim.signal(signal.SIGSTOP)
        feeder = self.start(WORDCOUNT, "--chunk", "1000", "--progress", *bus, *files)
        feeder.wait_line("err", "^progress ")
        victim.signal(signal.SIGKILL)
        self.assertEqual(feeder.wait(60), 0, feeder.story())
        self.assertEqual(feeder.out(), expected(files))

    def test_killed_brokered(self):
        bus = ["--bus", self.start_broker()]
        self.workers(4, *bus)
        self.killed(self.pool[1], bus)

    def test_killed_direct(self):
        first = "ipc://%s/w0" % self.dir
        self.pool = [self.start_node("w%d" % i, MODULE, "--listen", "ipc://%s/w%d" % (self.dir, i), "--peer", first)
                     for i in range(4)]
        self.killed(self.pool[1], ["--peer", first])

    def table(self, *bus):
        """A ring of three nodes with the table."""
        self.nodes = [self.start_node("n%d" % i, "kv", "--data", os.path.join(self.dir, "data%d" % i), "--heartbeat",
                                      "200ms", *bus) for i in range(3)]
        made = self.run_synod("ring", "init", "n0", "n1", "n2", "--wait", "--partitions", "64", *bus)
        self.assertEqual(made[0], 0, made)

    def test_table(self):
        """The counts are in the table: those of one run, of a second one on top, and of words that are no keys."""
        bus = ["--bus", self.start_broker()]
        self.table(*bus)
        self.workers(2, *bus)
        files = licences()[:4]
        self.assertEqual(self.count(files, "--table", "w/", "--top", "5000", *bus), expected(files, 5000))
        twice = ["%d %s" % (2 * int(line.split()[0]), line.split()[1]) for line in expected(files, 100)]
        self.assertEqual(self.count(files, "--table", "w/", "--top", "100", *bus), twice)
        code, out, err = self.run_synod("kv", "get", "w/the", *bus)
        self.assertEqual((code, int(out[0])), (0, int(twice[0].split()[0])), err)
        feeder = self.start(WORDCOUNT, "--table", "x/", *bus, self.write("long", b"x" * 500))
        self.assertEqual(feeder.wait(), 1)
        self.assertIn("a word of 500 letters is too long for a key", "\n".join(feeder.err()))

    def test_table_killed(self):
        """A node of the table is killed in the middle: each count is added once all the same."""
        bus = ["--bus", self.start_broker()]
        self.table(*bus)
        self.workers(2, *bus)
        files = licences()
        feeder = self.start(WORDCOUNT, "--table", "w/", "--chunk", "2000", "--top", "5000", "--progress", *bus, *files)
        feeder.wait_line("err", "^progress [1-5]")
        self.nodes[1].signal(signal.SIGKILL)
        self.assertEqual(feeder.wait(60), 0, feeder.story())
        self.assertEqual(feeder.out(), expected(files, 5000))

    def test_publish(self):
        """The summary is what the table has, all of it or nothing: under a fence that was passed, or with nobody to decide."""
        bus = ["--bus", self.start_broker()]
        self.nodes = [self.start_node("n%d" % i, *actors, "--data", os.path.join(self.dir, "data%d" % i), "--heartbeat",
                                      "200ms", *bus) for i, actors in enumerate([["kv", "lock"], ["kv"], ["kv", "vote"]])]
        made = self.run_synod("ring", "init", "n0", "n1", "n2", "--wait", "--partitions", "64", *bus)
        self.assertEqual(made[0], 0, made)
        self.workers(1, *bus)
        files = licences()[:4]
        wanted = expected(files, 100000)

        def summary():
            got = self.run_synod("kv", "mget", *["s/" + part for part in ("totals", "top", "version")], "--json", *bus)
            return {row["key"][2:]: row["value"] for row in map(json.loads, got[1]) if "value" in row}

        def publish(*words):
            feeder = self.start(WORDCOUNT, "--table", "w/", "--publish", "s", *bus, *words)
            return feeder.wait(60), feeder.out(), "\n".join(feeder.err())
        code, out, err = publish("--top", "5", *files)
        self.assertEqual((code, out), (0, wanted[:5]), err)
        totals = "%d words, %d different" % (sum(int(line.split()[0]) for line in wanted), len(wanted))
        first = {"totals": totals, "top": "\n".join(wanted[:5]) + "\n", "version": "1"}
        self.assertEqual(summary(), first)
        self.assertRegex(err, "^published s: %s, by transaction t-[0-9a-f]+, under fence [0-9]+$" % totals)
        code, out, err = publish("--top", "2")  # no more words
        self.assertEqual((code, out), (0, wanted[:2]), err)
        second = {"totals": totals, "top": "\n".join(wanted[:2]) + "\n", "version": "2"}
        self.assertEqual(summary(), second)
        done = self.run_synod("txn", "run", "check:s/top", "--fence", "1000000", *bus)
        self.assertEqual(done[0], 0, done)
        code, out, err = publish()
        self.assertEqual((code, out), (1, []))
        self.assertIn("wordcount: refused: kv#s/top: a higher fence was seen, 1000000", err)
        self.assertEqual(summary(), second)
        code, _, err = publish("--publish", "no name")
        self.assertEqual(code, 1)
        self.assertIn("no name", err)

    def test_usage(self):
        for words, code in [([], 2), (["--top", "0", "x"], 2), (["--chunk", "40000", "x"], 2), (["--frob"], 2),
                            (["--bus", "a", "--peer", "b", "x"], 2), (["nothing-there"], 1), (["/"], 1)]:
            feeder = self.start(WORDCOUNT, *words)
            self.assertEqual((feeder.wait(), feeder.out()), (code, []), words)
            self.assertIn("wordcount: ", "\n".join(feeder.err()))
        self.assertEqual(self.start(WORDCOUNT, "--help").wait(), 0)


if __name__ == "__main__":
    unittest.main()
