# SPDX-License-Identifier: MPL-2.0
"""Processes that stop for longer than three heartbeats and go on: known to be down meanwhile, and back by themselves.
One that stalls as a subscriber starves nobody else."""
import json
import signal
import unittest

from common import DOWN, FaultCase


class Stopped(FaultCase):
    """With a broker; StoppedDirect repeats it without one."""

    def setUp(self):
        super().setUp()
        self.start_bus()
        self.start_worker("w1")

    def test_worker(self):
        worker = self.start_worker("w2")
        client = self.start_client(to="w2/worker", method="once", ms=20, timeout=8000, outstanding=10)
        other = self.start_client(to="w1/worker", method="once", outstanding=10)
        self.healthy("w2/worker")
        for _ in range(2):
            seen = client.now()
            stopped = self.kill(worker, signal.SIGSTOP)
            when, _, text = client.wait_end("node-down", seen)
            self.assertLess(when - stopped, DOWN, text)
            self.until(lambda: self.status("w2") is None, "w2 is down")
            worker.signal(signal.SIGCONT)
            client.wait_end("ok", seen)  # back by itself, and the client found it
            self.until(lambda: self.status("w2") is not None, "w2 is back")
            self.healthy("w2/worker")
        total = client.finish()
        self.accounted(total)
        self.assertLess(total["longest_ms"], 1000 * (DOWN + 0.5), total)
        total = other.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok"}, total)
        self.assertIsNone(worker.process.poll(), worker.story())

    def test_monitor_of_idempotent_asks(self):
        """Asks to any node never notice that one of two is stopped."""
        worker = self.start_worker("w2")
        client = self.start_client(ms=20, timeout=8000, outstanding=10)
        self.healthy("w2/worker")
        worker.signal(signal.SIGSTOP)
        self.until(lambda: self.status("w2") is None, "w2 is down")
        worker.signal(signal.SIGCONT)
        self.until(lambda: self.status("w2") is not None, "w2 is back")
        self.healthy("w2/worker")
        total = client.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok"}, total)

    def test_subscriber(self):
        """One that stalls loses publications, of which it is told; another gets all of them meanwhile."""
        stalled = self.start_client(mode="listen")
        drops = self.synod("sub", "$bus.drop", "--json", *self.options())
        drops.wait_line("err", "^ready$")
        count = 100000  # 300 MB: more than sockets and queues hold, also what is left of it at the end
        reader = self.start_client(mode="listen", count=count)
        publisher = self.start_client(mode="publish", to="w1/worker", ms=50, count=count)
        stalled.program.wait_line("out", "^received 10000$")
        stalled.program.signal(signal.SIGSTOP)
        reader.program.wait_line("out", "^received 80000$")
        stalled.program.signal(signal.SIGCONT)
        publisher.finish(None)
        self.assertEqual(reader.finish(None), {"received": count, "gaps": 0})
        # what came when its queue was full is missed: later publications, or marks, show the gap
        stalled.program.wait_line("out", "^gap ")
        line = drops.wait_line("out", '"topic":"[$]bus.drop".*news')
        self.assertGreater(json.loads(line)["body"]["count"], 0, line)
        if self.brokered:  # which knows of it first
            line = drops.wait_line("out", "a subscriber did not take it in time")
            self.assertEqual(json.loads(line)["body"]["to"], "news", line)
        total = stalled.finish()
        self.assertGreater(total["received"], 0, total)
        self.assertLess(total["received"], count, total)


class StoppedDirect(Stopped):
    brokered = False


class Broker(FaultCase):
    def setUp(self):
        super().setUp()
        self.start_bus()

    def test_broker(self):
        """Stopped and continued: asks through it end by its silence, nodes are not thought dead, all works again."""
        worker = self.start_worker("w1", "--no-links")
        client = self.start_client(to="w1/worker", method="once", timeout=8000, outstanding=5, no_links=1)
        self.healthy()
        seen = client.now()
        stopped = self.kill(self.broker, signal.SIGSTOP)
        when, _, text = client.wait_end("node-down", seen)
        self.assertLess(when - stopped, DOWN, text)
        worker.wait_line("err", "the broker is gone")
        self.broker.signal(signal.SIGCONT)
        client.wait_end("ok", seen)
        worker.wait_line("err", "the broker is back")
        for name in ("w1/worker", "worker"):
            self.healthy(name)
        total = client.finish()
        self.accounted(total)
        self.assertLess(total["longest_ms"], 1000 * (DOWN + 0.5), total)
        self.assertNotIn("silent", "\n".join(self.broker.err()))


if __name__ == "__main__":
    unittest.main()
