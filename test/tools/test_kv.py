# SPDX-License-Identifier: MPL-2.0
"""`synod kv` on real processes: each verb, values of every size and way in, conditions and mistakes with their sentences."""
import json
import os
import random
import signal
import subprocess
import unittest

from harness import LIMIT, SYNOD, TestCase


class Kv(TestCase):
    """With a broker; KvDirect below repeats it without one."""
    brokered = True

    def setUp(self):
        super().setUp()
        self.env["XDG_RUNTIME_DIR"] = self.dir
        if self.brokered:
            self.bus = ["--bus", self.start_broker()]
            self.up()
        else:
            self.bus = ["--peer", "ipc://%s/n1" % self.dir]
            self.up("--listen", "ipc://%s/n1" % self.dir)

    def up(self, *words):
        self.words = words
        self.node = self.start_node("n1", "kv", "--alone", "--data", os.path.join(self.dir, "data"), "--set",
                                    "memory=8M", "--heartbeat", "200ms", *(words or self.bus))

    def kv(self, *words, data=None):
        """Exit code, stdout as bytes, stderr."""
        done = subprocess.run([SYNOD, "kv", *self.bus, "--heartbeat", "200ms", *words], input=data or b"",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT, env=self.env, check=False)
        return done.returncode, done.stdout, done.stderr.decode()

    def good(self, *words, **more):
        code, out, err = self.kv(*words, **more)
        self.assertEqual((code, err), (0, ""), words)
        return out

    def refused(self, words, code, *texts, out=b"", **more):
        status, stdout, err = self.kv(*words, **more)
        self.assertEqual((status, stdout), (code, out), (words, err))
        for text in texts:
            self.assertIn(text, err, words)

    def json(self, *words):
        return [json.loads(line) for line in self.good(*words, "--json").splitlines()]

    def test_values(self):
        self.good("put", "a", "hello")
        self.assertEqual(self.good("get", "a"), b"hello")
        self.assertEqual(self.good("get", "a", "--stale"), b"hello")
        self.good("put", "a", "", "--old")
        self.assertEqual(self.good("get", "a"), b"")
        self.good("put", "Käse/#1", data=b"\0\xff from standard input\n")
        self.assertEqual(self.good("get", "Käse/#1"), b"\0\xff from standard input\n")
        self.assertEqual(self.json("get", "Käse/#1")[0]["value"], {"$bin": "AP8gZnJvbSBzdGFuZGFyZCBpbnB1dAo="})
        self.good("append", "log", "one ")
        self.good("append", "log", data=b"two")
        self.assertEqual(self.good("get", "log"), b"one two")
        self.assertEqual(self.good("put", "log", "three", "--old"), b"one two")
        self.good("del", "log", "a")
        self.refused(["get", "log"], 1, "not-found: log has no value")

    def test_large(self):
        chance = random.Random(1)
        for size in (65535, 65536, 65537, 131072, 300000, 1048576):
            data = chance.randbytes(size)
            path = os.path.join(self.dir, "value")
            with open(path, "wb") as file:
                file.write(data)
            self.good("put", "big", "--file", path)
            self.assertEqual(self.good("get", "big"), data, size)
        self.refused(["append", "big", "x"], 1, "too-large", "1048576 bytes")
        self.assertEqual(self.good("put", "big", "small", "--old"), data)
        self.refused(["put", "big"], 1, "too-large", data=b"x" * 1048577)
        self.assertEqual(self.good("get", "big"), b"small")

    def test_conditions(self):
        self.refused(["put", "a", "x", "--if-present"], 1, "refused: a: it has no value")
        self.refused(["cas", "a", "7", "x"], 1, "refused: a: it has no value")
        self.good("put", "a", "one", "--if-absent")
        self.refused(["put", "a", "x", "--if-absent"], 1, "refused: a: it has a value already")
        version = self.json("get", "a")[0]["version"]
        self.refused(["cas", "a", str(version + 1), "x"], 1, "refused: a: its version is %d" % version)
        self.good("cas", "a", str(version), "two")
        self.refused(["del", "a", "--if-version", str(version)], 1, "its version is")
        self.assertEqual(self.good("get", "a"), b"two")
        self.good("put", "a", "three", "--fence", "9")
        self.good("del", "a")
        self.refused(["put", "a", "x", "--fence", "8"], 1, "refused: a: a higher fence was seen, 9")
        self.refused(["get", "a"], 1, "not-found")

    def test_numbers(self):
        self.assertEqual(self.good("incr", "c"), b"1\n")
        self.assertEqual(self.good("incr", "c", "41"), b"42\n")
        self.assertEqual(self.good("incr", "c", "--", "-50"), b"-8\n")
        self.good("put", "c", "9223372036854775807")
        self.refused(["incr", "c"], 1, "refused: increment or decrement would overflow")
        self.good("put", "c", "ten")
        self.refused(["incr", "c"], 1, "refused: value is not an integer or out of range")
        self.assertEqual(self.good("get", "c"), b"ten")

    def test_deadlines(self):
        self.good("put", "t", "x", "--ttl", "300ms")
        self.good("put", "stays", "x", "--ttl", "300ms")
        self.good("expire", "stays")
        self.assertEqual(self.good("get", "t"), b"x")
        end = self.json("get", "t")[0]["until_ms"]
        while self.kv("get", "t")[0] == 0:
            pass
        self.refused(["get", "t"], 1, "not-found")
        self.assertGreaterEqual(int(subprocess.check_output(["date", "+%s%3N"])), end)
        self.assertEqual(self.good("get", "stays"), b"x")
        self.good("expire", "stays", "1h")
        self.assertGreater(self.json("get", "stays")[0]["until_ms"], end)
        self.refused(["expire", "t", "1s"], 1, "refused: t: it has no value")
        self.good("put", "kept", "x", "--ttl", "1h")
        self.good("put", "kept", "y", "--keep-ttl")
        self.assertIn("until_ms", self.json("get", "kept")[0])

    def test_many(self):
        names = ["k%03d" % i for i in range(300)]
        self.good("mput", *["%s=value of %s" % (name, name) for name in names])
        out = self.good("mget", *names).decode().splitlines()
        self.assertEqual(out, ["%s\tvalue of %s" % (name, name) for name in names])
        self.refused(["mget", "k001", "nokey"], 1, out=b"k001\tvalue of k001\n")
        self.good("mput", "other=1")
        self.assertEqual(sorted(self.good("scan", "k").decode().split()), names)
        self.assertEqual(len(self.good("scan").split()), 301)
        self.assertEqual(len(self.good("scan", "--limit", "7").split()), 7)
        rows = self.json("scan", "k00", "--values")
        self.assertEqual(sorted((row["key"], row["value"]) for row in rows),
                         [(name, "value of " + name) for name in names[:10]])
        self.assertEqual(self.good("scan", "z"), b"")

    def test_kept(self):
        """What was written is there when the node comes back, deadlines and fences too; and when it is full it refuses."""
        self.good("put", "a", "stays", "--fence", "5")
        self.good("put", "t", "goes", "--ttl", "700ms")
        self.good("incr", "c", "7")
        self.node.signal(signal.SIGKILL)
        self.node.wait()
        self.up(*self.words)
        self.assertEqual(self.good("get", "a"), b"stays")
        self.refused(["put", "a", "x", "--fence", "4"], 1, "a higher fence was seen, 5")
        self.assertEqual(self.good("incr", "c"), b"8\n")
        while self.kv("get", "t")[0] == 0:
            pass
        for i in range(8):
            self.good("put", "full%d" % i, data=b"x" * 1000000)
        self.refused(["put", "more", "--file", "-"], 1, "synod: full: ", data=b"x" * 1000000)
        self.refused(["get", "more"], 1, "not-found")
        self.assertEqual(self.good("get", "a"), b"stays")

    def test_watch(self):
        one = self.synod("kv", "watch", "w", "--count", "5", *self.bus)
        many = self.synod("kv", "watch", "w", "--prefix", "--json", "--count", "6", *self.bus)
        one.wait_line("err", "^ready$")
        many.wait_line("err", "^ready$")
        self.good("put", "w", "1")
        self.good("incr", "w")
        self.good("del", "w")
        self.good("put", "w", "again", "--ttl", "400ms")
        self.good("put", "w2", "other")
        self.assertEqual(one.wait(), 0, one.story())
        self.assertEqual(many.wait(), 0, many.story())
        told = [line.lstrip("~").split("\t")[-1] for line in one.out()]
        self.assertEqual(told, ["-", "1", "2", "-", "again"])
        rows = [json.loads(line) for line in many.out()]
        self.assertEqual([(row["key"], row.get("value")) for row in rows if row["key"] == "w"],
                         [("w", "1"), ("w", "2"), ("w", None), ("w", "again"), ("w", None)])
        versions = [row["version"] for row in rows if row["key"] == "w" and row["found"]]
        self.assertEqual(versions, sorted(set(versions)))
        self.assertIn("w2", [row["key"] for row in rows])

    def test_watch_new(self):
        """Keys that are new in partitions where nothing was are published too: none is found by looking again (~)."""
        if self.brokered:
            for name in ("n2", "n3"):
                self.start_node(name, "kv", "--data", os.path.join(self.dir, name), "--heartbeat", "200ms", *self.bus)
                code, _, err = self.run_synod("ring", "join", name, "--wait", *self.bus)
                self.assertEqual(code, 0, err)
        watch = self.synod("kv", "watch", "x/", "--prefix", "--count", "20", *self.bus)
        watch.wait_line("err", "^ready$")
        self.good("mput", *["x/%d=%d" % (i, i) for i in range(20)])
        self.assertEqual(watch.wait(), 0, watch.story())
        told = [line.split("\t") for line in watch.out()]
        self.assertEqual(sorted((key, value) for key, _, value in told),
                         sorted(("x/%d" % i, str(i)) for i in range(20)))

    def test_mistakes(self):
        for words, text in [
                (["frob"], "expected get, put, del, cas, incr, append, expire, mget, mput, scan or watch, not 'frob'"),
                (["get"], "expected `synod kv get KEY`, got 0 arguments"),
                (["get", "a", "--ttl", "5s"], "--ttl means nothing with `synod kv get`"),
                (["put", "a", "x", "--ttl", "5s", "--until", "7"], "--ttl and --until are one deadline"),
                (["put", "a", "x", "--file", "y"], "the value is given twice"),
                (["put", "", "x"], "expected a key of 1 to 400 bytes, got 0"),
                (["get", "k" * 401], "expected a key of 1 to 400 bytes"),
                (["get", "a\tb"], "expected a key of printable UTF-8"),
                (["incr", "a", "many"], "expected an amount"),
                (["incr", "a", "9223372036854775808"], "expected an amount"),
                (["cas", "a", "0", "x"], "expected a version, a number above 0, not '0'"),
                (["cas", "a", "-3", "x"], "synod kv"),
                (["expire", "a", "soon"], "expected a time as 500ms, 10s, 2m or 1h, not 'soon'"),
                (["mput", "a"], "expected KEY=VALUE")]:
            self.refused(words, 2, text)
        self.refused(["put", "a", "--file", os.path.join(self.dir, "none")], 1, "No such file")
        self.assertEqual(self.good("scan"), b"")


class KvDirect(Kv):
    brokered = False


if __name__ == "__main__":
    unittest.main()
