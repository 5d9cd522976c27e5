# SPDX-License-Identifier: MPL-2.0
"""A direct link that breaks while both of its ends live: a proxy between them is closed."""
import os
import socket
import threading
import time
import unittest

from common import DOWN, FaultCase


class Proxy:
    """At the place of a unix socket, which it moves aside; passes bytes on until it is cut."""

    def __init__(self, path):
        self.behind = path + ".behind"
        os.rename(path, self.behind)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen()
        self.pairs = []
        self.passed = self.swallowed = 0
        self.swallows = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            far.connect(self.behind)
            self.pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=(one, other, one is near), daemon=True).start()

    def copy(self, source, sink, towards):
        try:
            while data := source.recv(65536):
                if towards and self.swallows:
                    self.swallowed += len(data)
                    continue
                self.passed += len(data)
                sink.sendall(data)
        except OSError:
            pass

    def cut(self):
        """All connections, and no more come."""
        self.listener.close()
        for pair in self.pairs:
            for end in pair:
                end.shutdown(socket.SHUT_RDWR)


class Cut(FaultCase):
    def setUp(self):
        super().setUp()
        self.start_bus()

    def start_direct(self):
        """A client whose asks, many in a heartbeat, go by a direct link of their own accord."""
        return self.start_client(to="w1/worker", method="once", timeout=8000, outstanding=200)

    def test_cut(self):
        worker = self.start_worker("w1")
        other = self.start_direct()
        path = self.linked(worker)
        proxy = Proxy(path)
        client = self.start_direct()
        self.until(lambda: proxy.passed > 100000, "mail goes through the proxy")
        before = self.status("w1")["incarnation"]
        proxy.swallows = True
        self.until(lambda: proxy.swallowed, "asks are under way that do not arrive")
        cut = time.monotonic()
        proxy.cut()
        when, _, text = client.wait_end("node-down")
        self.assertLess(when - cut, DOWN, text)
        self.assertIn("link", text)
        client.wait_end("ok")  # through the broker again
        total = client.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok", "node-down"}, total)
        self.assertLessEqual(total["ended"]["node-down"], 200, total)  # what was under way, and nothing after it
        self.assertLess(total["longest_ms"], 1000 * DOWN, total)
        self.assertEqual(self.status("w1")["incarnation"], before)
        self.assertIsNone(worker.process.poll(), worker.story())
        self.healthy("w1/worker")
        total = other.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok"}, total)  # its link was another


if __name__ == "__main__":
    unittest.main()
