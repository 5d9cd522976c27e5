# SPDX-License-Identifier: MPL-2.0
"""`synod txn` on real processes: what is committed is there, what is aborted says why, an id has one answer."""
import json
import os
import signal
import subprocess
import unittest

from harness import BUILD, LIMIT, SYNOD, TestCase


class Txn(TestCase):
    def setUp(self):
        super().setUp()
        self.env["XDG_RUNTIME_DIR"] = self.dir
        self.bus = ["--bus", self.start_broker()]
        self.up()

    def up(self):
        self.node = self.start_node("n1", "kv", "vote", "cache", "--alone", "--data", os.path.join(self.dir, "data"),
                                    "--heartbeat", "200ms", *self.bus)

    def run_tool(self, *words):
        """Exit code, stdout, stderr."""
        done = subprocess.run([SYNOD, *words, *self.bus, "--heartbeat", "200ms"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=LIMIT, env=self.env, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def txn(self, *words):
        return self.run_tool("txn", *words)

    def holds(self, key, value):
        code, out, err = self.run_tool("kv", "get", key)
        self.assertEqual((code, out), (0, value) if value is not None else (1, ""), err)

    def good(self, *words):
        code, out, err = self.txn("run", *words)
        self.assertEqual((code, err), (0, ""), words)
        self.assertTrue(out.startswith("committed "), out)
        return out.split()[1]

    def no(self, words, *texts):
        code, out, err = self.txn("run", *words)
        self.assertEqual((code, out.split()[0]), (1, "aborted"), err)
        for text in texts:
            self.assertIn("synod: aborted: " + text, err, words)

    def test_words(self):
        self.good("put:a=one=1", "put:b=", "add:n=5", "check:!c", "--id", "first")
        self.holds("a", "one=1")
        self.holds("b", "")
        self.holds("n", "5")
        self.good("add:n=-5>=0", "del:b", "check:a==one=1", "check:n")
        self.holds("n", "0")
        self.holds("b", None)
        self.no(["add:n=-1>=0", "put:a=x"], "kv#n: it would be -1, below 0")
        self.no(["put:a=x", "check:b"], "kv#b: it has no value")
        self.holds("a", "one=1")
        self.no(["check:a==two", "put:a=x"], "kv#a: its value is another one")
        self.no(["check:!n", "put:a=x"], "kv#n: it has a value already")
        self.no(["add:a=1", "put:b=x"], "kv#a: value is not an integer")
        self.holds("b", None)
        version = json.loads(self.run_tool("kv", "get", "a", "--json")[1])["version"]
        self.no(["version:a=%d" % (version + 1), "put:a=x"], "kv#a: its version is %d, not %d" % (version, version + 1))
        self.good("version:a=%d" % version, "put:a=two", "--fence", "9")
        self.holds("a", "two")
        self.no(["put:a=three", "--fence", "8"], "kv#a: a higher fence was seen, 9")
        self.good("put:a=two", "put:b=two", "--protocol", "parallel")
        self.good("put:a=three", "put:b=three", "--protocol", "3pc")
        self.holds("b", "three")

    def test_counts(self):
        """A node says how often it waited for its disk: for what is written, and for nothing else."""
        def syncs():
            rows = [json.loads(line) for line in self.run_tool("ls", "--json")[1].splitlines()]
            return {row["node"]: row["syncs"] for row in rows}
        self.good("put:a=x", "put:b=x")
        for _ in range(20):  # how the transaction ended is written in no hurry
            before = syncs()
            self.holds("a", "x")
            after = syncs()
            if after == before:
                break
        self.assertEqual(after, before)
        self.assertEqual(before["$broker"], 0)
        self.good("put:a=y", "put:b=y")
        self.assertGreater(syncs()["n1"], before["n1"])

    def test_again(self):
        """An id has one answer, whatever is asked with it, and after the node was killed too."""
        self.good("add:n=1", "--id", "one")
        self.no(["check:!n", "--id", "two"], "kv#n: it has a value already")
        for again in range(2):
            code, out, err = self.txn("run", "add:n=1", "--id", "one")
            self.assertEqual((code, out, err), (0, "committed one (before)\n", ""))
            code, out, err = self.txn("run", "put:n=7", "--id", "two", "--json")
            self.assertEqual((code, json.loads(out)["outcome"]), (1, "aborted"))
            self.assertIn("kv#n: it has a value already", err)
            if not again:
                self.node.signal(signal.SIGKILL)
                self.node.wait()
                self.up()
        self.holds("n", "1")
        code, out, err = self.txn("show", "one")
        self.assertEqual((code, out.split()[:2], err), (0, ["one", "committed"], ""))
        self.assertEqual(json.loads(self.txn("show", "two", "--json")[1])["outcome"], "aborted")
        code, out, err = self.txn("show", "three")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("not-found", err)

    def test_watched(self):
        """A watcher sees what is committed, once, and nothing of what is not."""
        watch = self.synod("kv", "watch", "w", "--json", "--count", "4", *self.bus)
        watch.wait_line("err", "^ready$")
        self.good("put:w=1", "put:other=1")
        self.no(["put:w=7", "check:!other"], "kv#other: it has a value already")
        self.good("add:w=1", "check:other==1")
        self.good("check:w==2", "put:other=2")
        self.good("del:w", "del:other")
        self.assertEqual(watch.wait(), 0, watch.story())
        rows = [json.loads(line) for line in watch.out()]
        self.assertEqual([row.get("value") for row in rows], [None, "1", "2", None])
        versions = [row["version"] for row in rows[1:3]]
        self.assertEqual(versions, sorted(set(versions)))

    def test_in_doubt(self):
        """Who does not hear the outcome says so, and how to ask again."""
        self.node.signal(signal.SIGSTOP)
        code, out, err = self.txn("run", "put:a=x", "--id", "slow", "--timeout", "1s")
        self.assertEqual((code, out), (4, ""), err)
        self.assertIn("in doubt: ask again with --id slow", err)
        self.node.signal(signal.SIGCONT)
        code = 3
        while code in (3, 4):  # its node may have been taken for dead, and has to be seen again
            code, out, err = self.txn("run", "put:a=x", "--id", "slow")
        self.assertEqual(code, 0, err)
        self.holds("a", "x")

    def test_cache(self):
        """The cache takes no part, and says so."""
        body = json.dumps([{"to": "cache#a"}, {"to": "kv#a", "op": {"what": "put"}}])
        code, out, err = self.run_tool("ask", "vote#x", "commit", "id=x", "parts:=" + body)
        self.assertEqual((code, err), (0, ""))
        reply = json.loads(out)
        self.assertEqual(reply["outcome"], "aborted")
        self.assertEqual([(one["who"], one["why"]) for one in reply["reasons"]],
                         [("cache#a", "the actor cache takes no part in transactions")])
        self.holds("a", None)

    def doubts(self, key):
        code, out, err = self.txn("list", key, "--json")
        self.assertEqual((code, err), (0, ""))
        return [(one["id"], one["to"], one["state"]) for one in map(json.loads, out.splitlines())]

    def test_forced(self):
        """A participant that never votes leaves the other locked until an operator says what becomes of it there."""
        body = json.dumps([{"to": "kv#a", "op": {"what": "put", "data": "x"}}, {"to": "nowhere#a"}])
        asks = self.synod("ask", "vote#stuck", "commit", "id=stuck", "parts:=" + body, "deadline_ms:=60000",
                          "--timeout", "60s", *self.bus)
        while not self.doubts("a"):
            pass
        self.assertEqual(self.doubts("a"), [("stuck", "kv#a", "prepared")])
        code, out, err = self.txn("list", "a", "b")
        self.assertEqual((code, out.split()[:4], err), (0, ["stuck", "kv#a", "2pc", "prepared"], ""))
        self.assertIn("collecting", self.txn("show", "stuck")[1])
        self.no(["put:a=y"], "kv#a: it is locked by transaction stuck")
        code, out, err = self.run_tool("kv", "get", "a", "--timeout", "500ms")
        self.assertEqual((code, out), (3, ""), err)  # it waits for the outcome
        code, out, err = self.txn("resolve", "stuck", "b", "--abort")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("not-found: kv#b has nothing in doubt of transaction stuck", err)
        code, out, err = self.txn("forget", "stuck", "a")
        self.assertEqual(code, 1)
        self.assertIn("only what was forced can be forgotten", err)
        self.assertEqual(self.txn("resolve", "stuck", "a", "--abort"), (0, "", ""))
        self.holds("a", None)
        self.assertEqual(self.doubts("a"), [("stuck", "kv#a", "aborted")])
        self.assertEqual(self.txn("forget", "stuck", "a"), (0, "", ""))
        self.assertEqual(self.doubts("a"), [])
        self.good("put:a=y")
        asks.signal(signal.SIGTERM)
        asks.wait()

    def test_list(self):
        """What is under way at coordinators, and undecided at participants, wherever they are."""
        node = self.start_node("m", os.path.join(BUILD, "lib", "libtest_till.so"), "--data",
                               os.path.join(self.dir, "till"), "--heartbeat", "200ms", *self.bus)
        self.assertEqual(self.txn("list"), (0, "", ""))
        asks, wanted = [], set()
        for i in range(4):
            name = "stuck-%d" % i
            parts = [{"to": "kv#key-%d" % i, "op": {"what": "put", "data": "x"}}, {"to": "m/till"}, {"to": "nowhere#a"}]
            asks.append(self.synod("ask", "vote#" + name, "commit", "id=" + name, "parts:=" + json.dumps(parts),
                                   "deadline_ms:=60000", "--timeout", "60s", *self.bus))
            wanted |= {(name, "coordinator", "vote#" + name, "collecting", "nowhere#a"),
                       (name, "participant", "kv#key-%d" % i, "prepared", "vote#" + name),
                       (name, "participant", "m/till", "prepared", "vote#" + name)}
        found = set()
        while found != wanted:  # they are on their way
            code, out, err = self.txn("list", "--json")
            self.assertEqual((code, err), (0, ""))
            rows = [json.loads(line) for line in out.splitlines()]
            found = {(one["id"], one["role"], one["to"], one["state"], *one["waits_for"]) for one in rows}
            self.assertEqual({(one["protocol"], 0 <= one["age_s"] < 60) for one in rows} | {("2pc", True)},
                             {("2pc", True)})
        lines = [line.split("\t") for line in self.txn("list")[1].splitlines()]
        self.assertEqual({(line[0], line[1], line[3], line[5]) for line in lines},
                         {(name, to, state, "waits for " + waits) for name, _, to, state, waits in wanted})
        err = ""
        while "synod: m/till: 1 did not answer: " not in err:  # on a slow machine it may be taken for dead at once
            while len(self.txn("list")[1].splitlines()) != 12:
                pass
            node.signal(signal.SIGSTOP)  # who does not answer is said; the others are listed
            code, out, err = self.txn("list", "--json", "--timeout", "1s")
            node.signal(signal.SIGCONT)
            self.assertIn((code, len(out.splitlines())), [(3, 8), (0, 8)], err)
        for one in asks:
            one.signal(signal.SIGTERM)
            one.wait()

    def test_acceptors(self):
        """Who runs paxos accepts votes, once it has been named as an acceptor."""
        nodes = [self.start_node(name, "paxos", "--data", os.path.join(self.dir, name), "--heartbeat", "200ms",
                                 *self.bus) for name in ("a1", "a2", "a3", "a4")]
        code, out, err = self.txn("run", "put:a=x", "--protocol", "paxos")
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("knows no acceptors: make them by `synod paxos init`", err)
        code, out, err = self.run_tool("paxos", "init", "a1,a2,a3")
        self.assertEqual(code, 0, err)
        self.good("put:a=x", "put:b=y", "--protocol", "paxos")
        nodes[0].signal(signal.SIGKILL)
        nodes[0].wait()
        self.good("put:a=z", "add:n=1", "--protocol", "paxos")
        self.holds("a", "z")
        self.no(["put:a=w", "check:!b", "--protocol", "paxos"], "kv#b: it has a value already")

    def test_mistakes(self):
        for words, text in [
                (["frob"], "expected run, show, list, resolve or forget, not 'frob'"),
                (["run"], "expected what is to be done"),
                (["run", "get:a"], "get:a: expected put:KEY=VALUE, del:KEY, add:KEY=AMOUNT"),
                (["run", "put:a"], "put:a: expected put:KEY=VALUE"),
                (["run", "put:a=1", "del:a"], "del:a: the key is written twice"),
                (["run", "check:a", "check:!a"], "check:!a: the key is checked twice"),
                (["run", "add:a=x"], "add:a=x: expected add:KEY=AMOUNT"),
                (["run", "add:a=9223372036854775808"], "expected add:KEY=AMOUNT"),
                (["run", "add:a=1>=x"], "expected add:KEY=AMOUNT or add:KEY=AMOUNT>=FLOOR"),
                (["run", "version:a=0"], "expected version:KEY=VERSION"),
                (["run", "put:=1"], "expected a key of 1 to 400 bytes"),
                (["run", "put:a=" + "x" * 61441], "put: expected a value of up to 61440 bytes"),
                (["run", *["del:k%d" % i for i in range(33)]], "a transaction has 32 keys at most"),
                (["run", "del:a", "--id", "no/name"], "expected an id of 1 to 63"),
                (["run", "del:a", "--protocol", "4pc"], "expected the protocol 2pc, 3pc, paxos or parallel"),
                (["run", "del:a", "--deadline", "11m"], "expected a deadline of up to 600000 ms"),
                (["show"], "expected `synod txn show ID`"),
                (["show", "a", "--fence", "7"], "mean nothing with `synod txn show`"),
                (["show", "a", "--abort"], "--commit and --abort mean nothing with `synod txn show`"),
                (["resolve", "x", "a"], "expected either --commit or --abort"),
                (["resolve", "x", "a", "--commit", "--abort"], "expected either --commit or --abort"),
                (["resolve", "x", "--commit"], "expected `synod txn resolve ID KEY --commit|--abort`, got 1"),
                (["forget", "x", "a", "--commit"], "expected neither --commit nor --abort")]:
            code, out, err = self.txn(*words)
            self.assertEqual((code, out), (2, ""), (words, err))
            self.assertIn(text, err)
        code, out, err = self.txn("run", "put:a=x", "--protocol", "paxos")
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("nothing was begun: no actor paxos says who accepts", err)
        self.holds("a", None)


if __name__ == "__main__":
    unittest.main()
