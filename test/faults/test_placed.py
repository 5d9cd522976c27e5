# SPDX-License-Identifier: MPL-2.0
"""Placed actors on real processes: five nodes, three copies of each counter, clients that count with commands. Nodes are
killed and restarted, stopped and continued, at random: in the end each acknowledged addition is there once, and those
without an answer at most once. A node that is asked to end hands over first: nobody notices.

SYNOD_SEED repeats a run (as far as real processes can), SYNOD_SECONDS says how long it lasts.
"""
import json
import os
import random
import signal
import time
import unittest

from common import BUILD, Client, FaultCase, matching

COUNTER = os.path.join(BUILD, "lib", "libplaced_counter.so")
COUNT = os.path.join(BUILD, "test", "faults_count")
SECONDS = float(os.environ.get("SYNOD_SECONDS", "12"))
SEED = int(os.environ.get("SYNOD_SEED", random.SystemRandom().randrange(1 << 32)))
NODES = ["n1", "n2", "n3", "n4", "n5"]
SOON = 1.0 if "SYNOD_SLOW" not in os.environ else 8.0  # seconds in which an ask is answered while a node hands over


class Placed(FaultCase):
    """With a broker; PlacedDirect below repeats it without one."""

    def setUp(self):
        super().setUp()
        self.start_bus()
        self.nodes = {}
        for name in NODES:
            self.up(name)
        code, out, err = self.ring("init", *NODES, "--wait", "--partitions", "256", "--replicas", "3", "--keepers",
                                   "n1,n2,n3")
        self.assertEqual(code, 0, (out, err))

    def up(self, name, wait=True):
        words = ["run", "--node", name, "ring", "--set", "stays=true", COUNTER, "--data",
                 os.path.join(self.dir, "data-" + name), *self.options(name)]
        if not self.brokered:  # any of the others may be away
            words += [word for other in NODES[:3] if other != name for word in ("--peer", self.endpoint(other))]
        self.nodes[name] = self.synod(*words)
        if wait:
            self.nodes[name].wait_line("err", "^ready %s$" % name)

    def ring(self, *words, timeout="5s", limit=60):
        return self.run_synod("ring", *words, "--timeout", timeout, *self.options(), limit=limit)

    def count(self, name, **more):
        words = ["name=" + name, "heartbeat=100"] + ["%s=%s" % item for item in more.items()]
        if self.brokered:
            words.append("bus=" + self.bus_endpoint)
        else:
            words += ["listen=ipc://%s/%s" % (self.dir, name)]
            words += ["peer=" + self.endpoint(other) for other in NODES[:3]]
        return Client(self.start(COUNT, *words))

    def value(self, key):
        code, out, err = self.ask("counter#" + key, "get", timeout="10s")
        self.assertEqual(code, 0, (key, err))
        return json.loads(out[0])["value"]

    def account(self, client):
        """Each addition that was acknowledged is there once, each other one at most once."""
        total = client.finish()
        self.assertEqual(total["wrong"], 0, matching(client.program.out(), "^wrong")[:10])
        for key, (sure, unsure) in total["keys"].items():
            value = self.value(key)
            self.assertGreaterEqual(value, sure, (key, total["ended"]))
            self.assertLessEqual(value, sure + unsure, (key, total["ended"]))
        return total

    def strike(self, chance):
        """One fault, and later its end; what is done now."""
        name = chance.choice(NODES)
        node = self.nodes[name]
        if chance.random() < 0.5:
            node.signal(signal.SIGKILL)
            node.process.wait()
            time.sleep(chance.choice([0, 0, 0.3, 1.5]))  # not to wait for anything: so long it is away
            self.up(name, wait=False)
        else:
            node.signal(signal.SIGSTOP)
            time.sleep(chance.choice([0.05, 0.2, 0.6, 1.5]))
            node.signal(signal.SIGCONT)

    def test_killed_and_stopped(self):
        print("SYNOD_SEED=%d SYNOD_SECONDS=%g" % (SEED, SECONDS), flush=True)
        chance = random.Random(SEED)
        clients = [self.count("a"), self.count("b", outstanding=32, keys=40)]
        end = time.monotonic() + SECONDS
        faults = 0
        while time.monotonic() < end:
            self.strike(chance)
            faults += 1
            time.sleep(chance.choice([0, 0.1, 0.5, 1.0]))
        for name, node in self.nodes.items():
            self.assertIsNone(node.process.poll(), node.story())
        self.wait_rests("all serve again")
        for client in clients:
            total = self.account(client)
            print("%d faults: %s, longest %d ms" % (faults, total["ended"], total["longest_ms"]), flush=True)
            self.assertGreater(total["ended"].get("ok", 0), 100)

    def test_handed_over(self):
        """Each node in turn ends as asked, and comes back: no ask fails, none takes long."""
        client = self.count("a", slow=int(SOON * 1000), timeout=10000)
        for name in NODES:
            before = client.now()
            self.assertEqual(self.stop(self.nodes[name]), 0, self.nodes[name].story())
            self.assertEqual(matching(client.program.lines["out"][before:], "^(end|slow|wrong)"), [], name)
            self.up(name)
            self.wait_rests("%s is back" % name)
        total = self.account(client)
        self.assertEqual(set(total["ended"]), {"ok"}, total["ended"])
        self.assertLess(total["longest_ms"], SOON * 1000)
        print("handed over: longest %d ms" % total["longest_ms"], flush=True)

    def test_failover(self):
        """An owner killed: its keys are served again by others, when it is known to be dead and little more."""
        client = self.count("a", timeout=20000)
        code, out, err = self.ring("--key", "a-0", "--json")
        owner = json.loads(out[0])["owner"]
        self.kill(self.nodes[owner])
        self.until(lambda: json.loads(self.ring("--key", "a-0", "--json")[1][0])["owner"] != owner, "another one owns")
        self.value("a-0")
        total = self.account(client)
        self.assertEqual(set(total["ended"]), {"ok"}, total["ended"])  # commands and reads are asked again
        print("failover: longest %d ms, heartbeat 100 ms" % total["longest_ms"], flush=True)


class PlacedDirect(Placed):
    brokered = False


if __name__ == "__main__":
    unittest.main()
