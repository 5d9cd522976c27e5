# SPDX-License-Identifier: MPL-2.0
"""Direct links beside a broker: order across changes of path, and what becomes of asks when a link is lost."""
import unittest

from common import DOWN, FaultCase


class Paths(FaultCase):
    def setUp(self):
        super().setUp()
        self.start_bus()

    def test_order_across_changes(self):
        """A million numbered tells over a hundred changes between the broker's path and a direct link."""
        self.start_worker("w1")
        client = self.start_client(mode="numbers", to="w1/worker", count=1000000, switches=100)
        line = client.program.wait_line("out", "^(sum|failed) ", limit=60)
        self.assertEqual(line, 'sum {"told":1000000,"count":1000000,"last":1000000,"wrong":0,"direct":50}')
        self.assertEqual(self.status("w1")["dropped"], 0)

    def test_link_lost(self):
        """Asks that went by a direct link end with node-down when the worker at its end is killed."""
        worker = self.start_worker("w1")
        client = self.start_client(to="w1/worker", method="once", timeout=8000, outstanding=200)
        other = self.start_client(to="w1/worker", method="once", ms=5000, timeout=8000, outstanding=20, no_links=1)
        self.linked(worker)  # of its own accord, for it asks often
        killed = self.kill(worker)
        when, _, _ = client.wait_end("node-down")
        self.assertLess(when - killed, DOWN)
        when, _, _ = other.wait_end("node-down")
        self.assertLess(when - killed, DOWN)
        total = client.finish()
        self.accounted(total)
        self.assertLess(total["longest_ms"], 1000 * DOWN, total)


if __name__ == "__main__":
    unittest.main()
