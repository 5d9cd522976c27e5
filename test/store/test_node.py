# SPDX-License-Identifier: MPL-2.0
"""Nodes with --data as real processes: killed at random points while clients count, and on disks that fail. What was
acknowledged is there after a restart, and ran once."""
import json
import os
import random
import re
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from harness import BUILD, LIMIT, SYNOD, Program, TestCase  # noqa: E402

LEDGER = os.path.join(BUILD, "lib", "libstore_ledger.so")
CLIENT = os.path.join(BUILD, "test", "store_ledger_client")
FAILING = os.path.join(BUILD, "lib", "libfailing_io.so")
KILLS = 30
FAULTS = 8


class StoreCase(TestCase):
    def setUp(self):
        super().setUp()
        self.bus = "ipc://%s/bus" % self.dir
        self.data = os.path.join(self.dir, "data")
        seed = int(os.environ.get("SYNOD_SEED", time.time_ns() // 1000000))
        print("SYNOD_SEED=%d" % seed, flush=True)
        self.random = random.Random(seed)
        broker = self.synod("broker", "--listen", self.bus, "--heartbeat", "100ms")
        broker.wait_line("out", "^listening ")

    def run_node(self, *words, name="n1", env=None):
        command = [SYNOD, "run", LEDGER, "--node", name, "--data", self.data, "--bus", self.bus, "--heartbeat",
                   "100ms", *words]
        node = Program(*command, env={**self.env, **(env or {})}, cwd=self.dir)
        self.addCleanup(node.end)
        return node

    def start_ledger(self, *words, **more):
        node = self.run_node(*words, **more)
        node.wait_line("err", "^ready ")
        return node

    def start_client(self, number, method, outstanding=8):
        client = self.start(CLIENT, self.bus, "n1/ledger", method, number, outstanding)
        client.wait_line("out", "^ready$")
        return client

    def finish(self, client):
        """What became of all that it asked for. The ledger is there."""
        client.signal(signal.SIGTERM)
        line = client.wait_line("out", "^(sum|failed) ", limit=40)
        wrong = [line for line in client.out() if line.startswith("wrong")]
        self.assertEqual(wrong, [], wrong[:5])
        self.assertTrue(line.startswith("sum "), line)
        total = json.loads(line[4:])
        self.assertEqual(client.wait(), 0)
        self.assertEqual(total["wrong"], 0, total)
        self.assertEqual(total["asked"], total["acknowledged"] + total["unknown"] + total["not_done"], total)
        return total

    def add(self, number):
        code, out, err = self.run_synod("ask", "n1/ledger", "add", "client:=9", "number:=%d" % number, "--bus",
                                        self.bus)
        self.assertEqual(code, 0, err)
        return json.loads(out[0])["total"]


class Killed(StoreCase):
    def kill_and_restart(self, node, acked):
        """At a moment that nobody knows: within a turn, a commit, the start."""
        time.sleep(self.random.random() ** 2 * 0.5)  # the moment of the fault, not a wait for anything
        node.signal(signal.SIGKILL)
        self.assertEqual(node.process.wait(LIMIT), -signal.SIGKILL, node.story())
        if self.random.random() < 0.2:  # and once more while it starts
            node = self.run_node()
            time.sleep(self.random.random() * 0.05)
            node.signal(signal.SIGKILL)
            node.process.wait(LIMIT)
        node = self.start_ledger()
        for client in acked:  # it has answered again since
            client.wait_line("out", "^acknowledged ", len(client.lines["out"]))
        return node

    def test_killed(self):
        node = self.start_ledger()
        clients = [self.start_client(1, "once"), self.start_client(2, "once", 2), self.start_client(3, "add")]
        for _ in range(KILLS):
            node = self.kill_and_restart(node, clients[:1])
        totals = [self.finish(client) for client in clients]
        print("killed %d times: %s" % (KILLS, totals), flush=True)
        for total in totals:
            self.assertGreater(total["acknowledged"], 10 * KILLS, total)
        for total in totals[:2]:  # commands are asked again until they are answered
            self.assertEqual(total["unknown"], 0, (total, [line for client in clients[:2] for line in client.out()
                                                           if line.startswith("error")]))
        self.assertGreater(totals[2]["unknown"], 0, totals[2])  # it was killed in the middle of something
        self.assertEqual(self.stop(node), 0, node.story())


class Failing(StoreCase):
    def fail(self, plan):
        """A run that its disk ends. Returns its last words."""
        env = {"LD_PRELOAD": FAILING, "SYNOD_FAIL_IO": plan,
               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        node = self.run_node(env=env)
        code = node.wait()
        self.assertEqual(code, 1, node.story())
        said = [line for line in node.err() if "the store in %s cannot" % self.data in line]
        self.assertTrue(said, node.story())
        return said[-1]

    def test_disk_fails(self):
        """The process ends and says why, and what it acknowledged is there."""
        self.start_ledger().end()
        node = self.start_ledger()
        clients = [self.start_client(1, "once"), self.start_client(2, "add")]
        for turn in range(FAULTS):
            node.signal(signal.SIGTERM)
            node.wait()
            call = ("fdatasync", "pwrite")[turn % 2]
            error, code, words = (("EIO", "io", "Input/output error"),
                                  ("ENOSPC", "full", "No space left on device"))[turn // 2 % 2]
            mode = ("before", "after")[turn // 4 % 2]
            plan = "%s:%d:%s:%s:synod.wal" % (call, self.random.randint(10, 200), error, mode)
            last = self.fail(plan)
            self.assertRegex(last, "^synod: %s: the store failed: the store in %s cannot commit: %s$" % (
                code, re.escape(self.data), words))
            node = self.start_ledger()
            clients[0].wait_line("out", "^acknowledged ", len(clients[0].lines["out"]))
        for client in clients:
            total = self.finish(client)
            self.assertGreater(total["acknowledged"], 100, total)

    def test_disk_fails_at_the_start(self):
        last = self.fail("fdatasync:1:EIO:before:data.mdb")
        self.assertRegex(last, "^synod: io: the store in %s cannot commit: Input/output error$" % re.escape(self.data))

    def test_store_is_full(self):
        """Its own limit: --data-max."""
        node = self.start_ledger("--data-max", "1")
        client = self.start_client(1, "once", 60)
        self.assertEqual(node.wait(60), 1, node.story())
        self.assertRegex(node.err()[-1], "^synod: full: the store failed: the store in .*/data cannot (be written|commit"
                                         "): it has grown to its limit of 1 MiB$")
        node = self.start_ledger("--data-max", "100")
        client.wait_line("out", "^acknowledged ", len(client.lines["out"]))
        self.assertGreater(self.finish(client)["acknowledged"], 1000)


class Directory(StoreCase):
    def refused(self, code, pattern, *words, name="n2", data=None):
        data, self.data = self.data, data or self.data
        node = self.run_node(*words, name=name)
        self.assertEqual(node.wait(), code, node.story())
        self.assertRegex(node.err()[0], pattern)
        self.data = data

    def test_restart(self):
        node = self.start_ledger()
        self.assertEqual([self.add(i) for i in range(3)], [1, 2, 3])
        self.assertEqual(self.stop(node), 0, node.story())
        node = self.start_ledger()
        self.assertEqual(self.add(3), 4)
        self.assertEqual(self.stop(node), 0, node.story())
        for name in os.listdir(self.data):
            os.remove(os.path.join(self.data, name))
        self.start_ledger()
        self.assertEqual(self.add(4), 1)

    def test_once(self):
        """A command that was on its way when its node died runs once when the node is back."""
        node = self.start_ledger()
        self.assertEqual(self.add(0), 1)
        node.signal(signal.SIGSTOP)
        ask = self.start(SYNOD, "ask", "n1/ledger", "add", "client:=9", "number:=1", "--once", "--timeout", "30s", "--bus", self.bus)
        sniff = self.start(SYNOD, "sniff", "--json", "--bus", self.bus)
        sniff.wait_line("err", "^ready$")
        node.signal(signal.SIGKILL)
        node.wait()
        self.start_ledger()
        self.assertEqual(ask.wait(limit=40), 0, ask.story())
        self.assertEqual(json.loads(ask.out()[0])["total"], 2, ask.story())
        self.assertEqual(self.add(2), 3)
        commands = [json.loads(line) for line in sniff.out() if '"command":' in line]
        self.assertTrue(commands and len({(row["client"], row["command"]) for row in commands}) == 1, commands)

    def test_second_process(self):
        node = self.start_ledger()
        self.assertEqual(self.add(0), 1)
        self.refused(1, "^synod: refused: the data directory %s is in use by process %d$" % (
            re.escape(self.data), node.process.pid))
        self.assertEqual(self.add(1), 2)

    def test_no_directory(self):
        path = os.path.join(self.dir, "file")
        with open(path, "w", encoding="utf-8") as file:
            file.write("no directory")
        self.refused(1, "^synod: io: the data directory .*/file cannot be opened: Not a directory$", data=path)
        self.refused(2, "--data takes a value", "--data", data=path)
        os.mkdir(self.data)
        with open(os.path.join(self.data, "data.mdb"), "w", encoding="utf-8") as file:
            file.write("no store" * 10000)
        self.refused(2, "^synod: invalid: %s/data.mdb is no store: " % re.escape(self.data))

    def test_without(self):
        """No --data: no file, and nothing outlives the node."""
        words = [SYNOD, "run", LEDGER, "--node", "n1", "--bus", self.bus, "--heartbeat", "100ms"]
        for _ in range(2):
            node = self.start(*words)
            node.wait_line("err", "^ready ")
            self.assertEqual(self.add(0), 1)
            self.assertEqual(self.stop(node), 0, node.story())
        self.assertEqual([name for name in os.listdir(self.dir) if not name.startswith("bus")], [])


if __name__ == "__main__":
    unittest.main()
