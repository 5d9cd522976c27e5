# SPDX-License-Identifier: MPL-2.0
"""Acceptors of Paxos as processes: told of each other once, killed, restarted, wiped, while several clients propose."""
import json
import os
import shutil
import signal
import unittest

from common import FaultCase

ACCEPTORS = ["a1", "a2", "a3"]


class Paxos(FaultCase):
    def setUp(self):
        super().setUp()
        self.start_bus()
        self.nodes = {name: self.start_acceptor(name) for name in ACCEPTORS}

    def data(self, name):
        return os.path.join(self.dir, "data-" + name)

    def start_acceptor(self, name):
        return self.start_node(name, "paxos", "--data", self.data(name), *self.options(name))

    def paxos(self, *words, timeout="5s"):
        return self.run_synod("paxos", *words, "--timeout", timeout, *self.options())

    def init(self, *names):
        return self.paxos("init", ",".join(names or ACCEPTORS))

    def good(self, *words, **more):
        code, out, err = self.paxos(*words, **more)
        self.assertEqual(code, 0, (words, out, err))
        return out

    def refused(self, words, code, *texts, **more):
        """CODE, nothing on stdout, and a sentence on stderr with the texts."""
        status, out, err = self.paxos(*words, **more)
        self.assertEqual((status, out), (code, []), (words, err))
        for text in texts:
            self.assertIn(text, "\n".join(err), words)

    def states(self, at):
        lines = [line.split() for line in self.paxos("status", "--at", at, timeout="2s")[1][1:]]
        return {line[0]: line[1] for line in lines}

    def restart(self, name, number=signal.SIGKILL):
        self.kill(self.nodes[name], number)
        self.nodes[name] = self.start_acceptor(name)

    def wipe(self, name):
        self.kill(self.nodes[name])
        shutil.rmtree(self.data(name))
        self.nodes[name] = self.start_acceptor(name)

    def test_init(self):
        self.refused(["propose", "k", "v", "--at", "a2"], 1, "synod: refused: a2 has recorded no acceptors",
                     "synod paxos init")
        self.refused(["get", "k", "--at", "a1"], 1, "synod: refused: a1 has recorded no acceptors")
        self.refused(["init", "a1,a2"], 2, "expected an odd number of acceptors from 1 to 15, got 2")
        self.refused(["init", "a1,a2,a2"], 1, "synod: invalid: expected distinct acceptors, got a2 twice")
        self.refused(["init", "a1,,a2"], 2, "expected the names of nodes as in a1,a2,a3")
        self.refused(["init", "a1,a2,a/3"], 1, "synod: invalid: expected the name of a node")
        self.refused(["init", "a1,a2,a9"], 3, "synod: no-route: a9/paxos", "nothing was recorded", timeout="1s")
        self.assertEqual(self.states("a1"), {"a1": "empty"})
        code, first, err = self.init()
        self.assertEqual((code, [line.split()[0] for line in first]), (0, ACCEPTORS), err)
        self.assertIn("from now on", err[0])
        code, again, err = self.init("a3", "a1", "a2")  # the order is nothing
        self.assertEqual((code, again), (0, first), err)
        self.assertIn("as before", err[0])
        self.assertEqual(self.states("a2"), dict.fromkeys(ACCEPTORS, "accepts"))
        self.refused(["init", "a1"], 1, "synod: refused: a1 has recorded other acceptors: expected the 3 acceptors that "
                     "are recorded, got 1")
        self.start_acceptor("a4")
        self.refused(["init", "a2,a3,a4"], 1, "synod: refused: a2 has recorded other acceptors: a4 is none of the 3")
        self.refused(["init", "a4,a1,a2"], 1, "synod: refused: a1 has recorded other acceptors: a4 is none of the 3")
        self.refused(["propose", "k", "v", "--at", "a4"], 1, "synod: refused: a4 has recorded no acceptors")
        self.assertEqual(self.states("a4"), {"a4": "empty"})

    def test_values(self):
        self.init()
        self.refused(["get", "k"], 1, "synod: not-found: no value has been chosen for k")
        code, out, err = self.paxos("propose", "k", "first")
        self.assertEqual((code, out, err), (0, ["first"], ["synod: the value proposed was chosen"]))
        code, out, err = self.paxos("propose", "k", "second", "--at", "a3")
        self.assertEqual((code, out, err), (0, ["first"], ["synod: another value was chosen"]))
        self.assertEqual(self.good("propose", "k", "first", "--json"), ['{"value":"first","own":true}'])
        self.assertEqual(self.good("get", "k", "--json", "--at", "a2"), ['{"value":"first"}'])
        self.good("propose", "empty", "")
        self.assertEqual(self.good("get", "empty", "--json"), ['{"value":""}'])
        self.good("propose", "nothing")  # standard input is /dev/null
        self.assertEqual(self.good("get", "nothing"), [""])
        path = os.path.join(self.dir, "value")
        with open(path, "wb") as file:
            file.write(b"\xff\0" * 108 * 1024)  # the largest that there may be
        self.good("propose", "large", "@" + path)
        value = json.loads(self.good("get", "large", "--json")[0])["value"]
        self.assertEqual(len(value["$bin"]), (216 * 1024 + 2) // 3 * 4)
        with open(path, "ab") as file:
            file.write(b"x")
        self.refused(["propose", "larger", "@" + path], 2, "a value has at most 221184 bytes")
        self.refused(["propose", "k", "@nothing"], 2, "cannot open nothing")
        self.refused(["get", ""], 2, "a key has 1 to 400 bytes, this one has 0")
        self.refused(["get", "k" * 401], 2, "a key has 1 to 400 bytes, this one has 401")
        self.refused(["get"], 2, "expected `synod paxos get KEY`, got 0 arguments")
        self.refused(["frob"], 2, "expected init, propose, get or status, not 'frob'")

    def test_many(self):
        """Clients at once: one value wins, and all are told that one."""
        self.init()
        for key in ("one", "two", "three"):
            clients = [self.synod("paxos", "propose", key, "value-%d" % i, "--at", ACCEPTORS[i % 3], *self.options())
                       for i in range(9)]
            for client in clients:
                self.assertEqual(client.wait(), 0, client.story())
            values = {line for client in clients for line in client.out()}
            self.assertEqual(len(values), 1, values)
            own = [client for client in clients if "the value proposed" in client.err()[0]]
            self.assertEqual(len(own), 1, [client.story() for client in clients])
            self.assertEqual(own[0].command[4], values.pop())

    def test_killed(self):
        self.init()
        self.good("propose", "before", "x")
        self.kill(self.nodes["a3"])  # a1 is whom clients without a broker know
        self.until(lambda: self.status("a3") is None, "a3 is gone from the directory")
        self.assertEqual(self.good("get", "before", "--at", "a2"), ["x"])
        self.assertEqual(self.good("propose", "while", "y", "--at", "a1"), ["y"])
        # without a majority nothing is decided, and it is said so before the time is over
        self.kill(self.nodes["a2"])
        self.refused(["propose", "none", "z", "--at", "a1"], 3, "synod: timeout: no majority of the 3 acceptors",
                     "(not: a2, a3)", "whether a value was chosen is not known", timeout="1s")
        self.refused(["get", "none", "--at", "a1"], 3, "synod: timeout: no majority", timeout="1s")
        self.assertEqual(self.good("get", "while", "--at", "a1"), ["y"])  # it knows by itself
        for name in ("a2", "a3"):
            self.nodes[name] = self.start_acceptor(name)
        self.assertEqual(self.good("get", "while", "--at", "a3"), ["y"])  # it was not there
        # z was promised, never accepted
        self.assertEqual(self.good("propose", "none", "other", "--at", "a3"), ["other"])
        for name in ACCEPTORS:
            self.restart(name)
        for key, value in (("before", "x"), ("while", "y"), ("none", "other")):
            for name in ACCEPTORS:
                self.assertEqual(self.good("get", key, "--at", name), [value])

    def test_wiped(self):
        self.init()
        self.good("propose", "k", "v")
        self.wipe("a3")
        self.refused(["init", "a1,a2,a3"], 1, "synod: refused: a1 has recorded other acceptors: a3 has another store "
                     "than the one that accepts: it was wiped, and what it promised is forgotten")
        self.refused(["get", "k", "--at", "a3"], 1, "synod: refused: a3 has recorded no acceptors", "was wiped")
        self.assertEqual(self.states("a1"), {"a1": "accepts", "a2": "accepts", "a3": "wiped"})
        self.assertEqual(self.good("propose", "more", "w", "--at", "a2"), ["w"])  # two are a majority
        self.wipe("a2")
        for words in (["propose", "lost", "x"], ["get", "other"]):
            self.refused([*words, "--at", "a1"], 1, "synod: refused: no majority of the 3 acceptors is left", "a2, a3")


class PaxosDirect(Paxos):
    brokered = False


if __name__ == "__main__":
    unittest.main()
