# SPDX-License-Identifier: MPL-2.0
"""Ends and starts: SIGTERM drains, a second one does not wait, nobody there is said in words; twenty nodes from one."""
import json
import signal
import time
import unittest

from common import DOWN, FaultCase


class Ends(FaultCase):
    """With a broker; EndsDirect repeats it without one."""

    def setUp(self):
        super().setUp()
        self.start_bus()
        self.start_worker("w0")

    def test_drains(self):
        """What was asked before the SIGTERM is answered, slowly as that may be."""
        worker = self.start_worker("w1")
        client = self.start_client(to="w1/worker", method="once", ms=1000, timeout=8000, outstanding=50, count=50)
        self.until(lambda: self.status("w1")["received"] >= 50, "the asks have come")
        worker.signal(signal.SIGTERM)
        total = client.finish(None)
        self.accounted(total)
        self.assertEqual(total["ended"], {"ok": 50}, total)
        self.assertEqual(worker.wait(), 0, worker.story())
        self.assertIsNone(self.status("w1"))

    def test_second_signal(self):
        worker = self.start_worker("w1")
        client = self.start_client(to="w1/worker", method="once", ms=15000, timeout=4000, outstanding=5)
        self.until(lambda: self.status("w1")["received"] >= 5, "the asks have come")
        worker.signal(signal.SIGTERM)
        self.until(lambda: self.status("w1") is None, "it has left the directory")
        self.assertIsNone(worker.process.poll())
        started = time.monotonic()
        worker.signal(signal.SIGTERM)
        self.assertEqual(worker.wait(), 128 + signal.SIGTERM)
        self.assertLess(time.monotonic() - started, DOWN)
        # the broker has taken it out of the directory already, and still tells those who wait for its answers
        when, age, text = client.wait_end("node-down")
        self.assertLess(when - started, DOWN, text)
        total = client.finish()
        self.assertEqual(total["started"], total["all"], total)
        self.assertNotIn("timeout", total["ended"], total)


class EndsDirect(Ends):
    brokered = False

    def test_many_nodes(self):
        """Twenty nodes that know one of them become a full mesh: each sees all, and then that one has left."""
        names = ["n%d" % i for i in range(20)]
        # what is seen here within 10 s was told: silence would take 15
        slow = {name: [word.replace("100ms", "5s") for word in self.options(name)] for name in names}
        nodes = [self.synod("run", "--node", name, "echo", *slow[name]) for name in names]
        for node in nodes:
            node.wait_line("err", "^ready ")
        def seen(name):
            """The nodes that NAME knows to run the actor. One that left stays a peer without actors until it is silent."""
            code, out, err = self.ask(name + "/$node", "nodes")
            if code:
                return err  # it does not know that node yet
            return sorted(row["node"] for row in json.loads(out[0])["nodes"] if row.get("actors") and row["node"][0] == "n")
        for name in names:
            self.until(lambda: seen(name) == sorted(names), "%s sees all" % name)
        leaver = nodes.pop(7)
        del names[7]
        leaver.signal(signal.SIGTERM)
        left = time.monotonic()
        self.assertEqual(leaver.wait(), 0, leaver.story())
        for name in names:
            self.until(lambda: seen(name) == sorted(names), "%s sees that n7 has left" % name)
        self.assertLess(time.monotonic() - left, 10.0)


class Starts(FaultCase):
    def test_nobody_there(self):
        started = time.monotonic()
        code, out, err = self.run_synod("run", "echo", "--timeout", "500ms", *self.options())
        self.assertLess(time.monotonic() - started, 2.0)
        self.assertEqual((code, out), (3, []), err)
        self.assertRegex(err[-1], "^synod: timeout: no broker answered at ipc://.*/bus within 500 ms")


if __name__ == "__main__":
    unittest.main()
