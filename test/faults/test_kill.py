# SPDX-License-Identifier: MPL-2.0
"""Processes killed in the middle of traffic: every ask is accounted for, and ends when the fault is known."""
import unittest

from common import DOWN, FaultCase


class Killed(FaultCase):
    """With a broker; Direct below repeats it without one."""

    def setUp(self):
        super().setUp()
        self.start_bus()

    def test_worker(self):
        """Asks to the one that dies end with node-down once three heartbeats are over, not at their deadline."""
        self.start_worker("w1")
        worker = self.start_worker("w2")
        client = self.start_client(to="w2/worker", method="once", ms=50, timeout=8000, outstanding=50)
        other = self.start_client(to="w1/worker", method="once", outstanding=50)
        killed = self.kill(worker)
        when, _, text = client.wait_end("node-down")
        self.assertLess(when - killed, DOWN, text)
        self.assertIn("w2", text)
        total = client.finish()
        self.assertEqual(total["started"], total["all"], total)
        self.assertEqual(total["stray"], 0, total)
        self.assertLess(total["longest_ms"], 1000 * (DOWN + 0.3), total)
        self.assertEqual(set(total["ended"]) - {"ok", "node-down", "no-route"}, set(), total)
        total = other.finish()  # the one beside it noticed nothing
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok"}, total)

    def test_idempotent_asks_go_elsewhere(self):
        self.start_worker("w1")
        worker = self.start_worker("w2")
        client = self.start_client(ms=1000, timeout=8000, outstanding=50)
        self.healthy("w2/worker")  # the client's first asks have been on their way for as long as this takes
        self.kill(worker)
        # asks of both sides of the fault: the count grows until those that were lost have been answered elsewhere
        self.until(lambda: self.status("w2") is None, "w2 is gone from the directory")
        for _ in range(3):
            self.healthy()
        total = client.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok"}, total)
        self.assertGreater(total["longest_ms"], 1005, total)  # some did go twice

    def test_client(self):
        """A client killed mid-traffic leaves nothing behind that disturbs the others."""
        self.start_worker("w1")
        client = self.start_client(ms=10, outstanding=100)
        other = self.start_client(outstanding=10)
        self.healthy()
        self.kill(client.program)
        for _ in range(3):
            self.healthy()
        total = other.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok"}, total)
        row = self.status("w1")
        self.assertEqual(row["malformed"], 0, row)
        self.until(lambda: self.status("w1")["queued"] == 0, "what waited for the dead client is given up")


class KilledDirect(Killed):
    brokered = False


class Broker(FaultCase):
    def setUp(self):
        super().setUp()
        self.start_bus()

    def cycle(self, **settings):
        """A broker dies under traffic and another comes: the same nodes, with no help, work again."""
        workers = [self.start_worker("w1"), self.start_worker("w2")]
        client = self.start_client(timeout=2000, outstanding=50, **settings)
        self.healthy()
        self.kill(self.broker)
        seen = client.now()
        client.wait_end("(node-down|timeout|busy|no-route)", seen)
        self.broker = self.start_broker()
        for name in ("w1", "w2"):
            self.broker.wait_line("err", "%s@[0-9a-f]+ joined" % name)
        client.wait_end("ok", seen)
        for name in ("w1/worker", "w2/worker", "worker"):
            self.healthy(name)
        total = client.finish()
        self.accounted(total)
        self.assertLess(total["longest_ms"], 2000 + 500, total)
        for worker in workers:
            self.assertIsNone(worker.process.poll(), worker.story())
        return total

    def test_broker(self):
        self.cycle(method="once", no_links=1)  # those by direct links know nothing of the broker

    def test_broker_and_a_client_without_directory(self):
        self.cycle(method="once", no_directory=1)

    def test_asks_end_when_the_broker_is_gone(self):
        """What waits on others through the broker is failed when it is known to be gone, long before the deadline."""
        self.start_worker("w1", "--no-links")
        client = self.start_client(to="w1/worker", method="once", ms=20000, timeout=30000, outstanding=5, no_links=1)
        self.healthy()
        killed = self.kill(self.broker)
        when, _, _ = client.wait_end("node-down")
        self.assertLess(when - killed, DOWN)

    def test_subscriptions_come_back(self):
        """Topics work again after the broker was replaced, without a word to the subscriber."""
        reader = self.synod("sub", "news", "--count", "2", *self.options())
        reader.wait_line("err", "^ready$")
        self.assertEqual(self.run_synod("pub", "news", "n:=1", *self.options())[0], 0)
        reader.wait_line("out", '"n":1')
        self.kill(self.broker)
        self.broker = self.start_broker()
        self.broker.wait_line("err", "sub-?.*joined|synod.*joined")
        self.until(lambda: self.run_synod("pub", "news", "n:=2", *self.options()) and reader.process.poll() is not None,
                   "a publication after the change reaches the subscriber")
        self.assertEqual(reader.wait(), 0, reader.story())


if __name__ == "__main__":
    unittest.main()
