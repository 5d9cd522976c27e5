# SPDX-License-Identifier: MPL-2.0
"""Queues that are full because somebody at their end stands still: asks end with busy at once, and nobody is killed."""
import json
import signal
import unittest

from common import ACTORS, FaultCase


class Busy(FaultCase):
    def setUp(self):
        super().setUp()
        if self.brokered:
            self.broker = self.start_broker()
        # judged by its own heartbeat, so that it is not taken for dead while it is stopped
        slow = [word.replace("100ms", "60s") for word in self.options("w1")]
        self.worker = self.start_node("w1", ACTORS, *slow, "--no-links")

    def test_full_queue(self):
        drops = self.synod("sub", "$bus.drop", "--json", *self.options())
        drops.wait_line("err", "^ready$")
        self.healthy("w1/worker")
        client = self.start_client(to="w1/worker", method="once", timeout=20000, outstanding=400, fill=20,
                                   queue=500000, heartbeat=60000, no_links=1)
        self.worker.signal(signal.SIGSTOP)
        _, age, text = client.wait_end("busy")
        self.assertLess(age, 2.0, text)
        self.assertIsNone(self.worker.process.poll())
        if self.brokered:  # the tells were given up by the broker, which reports them; elsewhere the caller was told
            line = drops.wait_line("out", "the queue to node .*w1.* is full")
            self.assertGreater(json.loads(line)["body"]["count"], 0, line)
        self.worker.signal(signal.SIGCONT)
        client.wait_end("ok")
        total = client.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok", "busy"}, total)
        self.healthy("w1/worker")


class BusyDirect(Busy):
    brokered = False


if __name__ == "__main__":
    unittest.main()
