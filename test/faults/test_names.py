# SPDX-License-Identifier: MPL-2.0
"""Two nodes of one name: the second is refused in words while the first lives, and takes over when it does not."""
import signal
import unittest

from common import ACTORS, FaultCase


class Clash(FaultCase):
    def setUp(self):
        super().setUp()
        self.start_bus()
        self.start_worker("w0")  # without a broker: the seed, which knows both

    def second(self, name="w1"):
        """Another node of that name, at an endpoint of its own."""
        options = self.options(name)
        if not self.brokered:
            options[options.index("--listen") + 1] = self.endpoint("second")
        return self.synod("run", "--node", name, *options, ACTORS)

    def test_refused_while_the_first_lives(self):
        self.start_worker("w1")
        client = self.start_client(to="w1/worker", method="once", outstanding=20)
        self.healthy("w1/worker")
        for _ in range(3):
            second = self.second()
            self.assertEqual(second.wait(), 1, second.story())
            self.assertRegex(second.err()[-1], r"^synod: name-taken: .*\bw1\b")
            self.healthy("w1/worker")
        total = client.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok"}, total)  # nobody noticed

    def takes_over(self, number):
        first = self.start_worker("w1")
        self.healthy("w1/worker")
        before = self.status("w1")["incarnation"]
        self.kill(first, number)
        second = self.second()
        second.wait_line("err", "^ready w1$")
        self.until(lambda: (self.status("w1") or {}).get("incarnation", 0) > before, "the second one is listed")
        self.until(lambda: self.ask("w1/worker", "work", timeout="500ms")[0] == 0, "the second one answers")
        return first, second

    def test_replaces_one_that_was_killed(self):
        self.takes_over(signal.SIGKILL)

    def test_replaces_one_that_is_stopped(self):
        """The stopped one, when it wakes, is told that its name is gone, and ends; the new one stays."""
        first, second = self.takes_over(signal.SIGSTOP)
        client = self.start_client(to="w1/worker", method="once", outstanding=5)
        first.signal(signal.SIGCONT)
        self.assertEqual(first.wait(), 1, first.story())
        self.assertRegex(first.err()[-1], r"^synod: name-taken: .*\bw1\b")
        self.healthy("w1/worker")
        self.assertIsNone(second.process.poll(), second.story())
        total = client.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok"}, total)


class ClashDirect(Clash):
    brokered = False


if __name__ == "__main__":
    unittest.main()
