# SPDX-License-Identifier: MPL-2.0
"""The Python peer and the C programs ask, tell and hear each other; and the example `hello` runs."""
import json
import os
import signal
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "..", "examples", "python")
sys.path[:0] = [os.path.join(HERE, "..", "tools"), EXAMPLES]
from harness import BUILD, TestCase  # noqa: E402
from synod_peer import Fault, Peer  # noqa: E402

PYTHON = "/usr/bin/python3"


class PythonPeer(TestCase):
    def setUp(self):
        super().setUp()
        self.endpoint = self.start_broker()
        self.bus = ["--bus", self.endpoint]
        self.start_node("n1", "echo", *self.bus)

    def peer(self, **options):
        peer = Peer(self.endpoint, **options)
        self.addCleanup(peer.close)
        return peer

    def test_c_asks_python(self):
        offer = self.start(PYTHON, "-B", os.path.join(EXAMPLES, "offer.py"), self.endpoint)
        offer.wait_line("err", "^ready ")
        code, out, err = self.run_synod("ask", "pyupper", "upper", "text=straße", *self.bus)
        self.assertEqual((code, out), (0, ['{"text":"STRASSE"}']), err)
        code, _, err = self.run_synod("ask", "pyupper", "upper", "text:=1", *self.bus)
        self.assertEqual((code, err), (1, ["synod: bad-request: text: expected a text, got int"]))
        code, _, err = self.run_synod("ask", "pyupper", "lower", *self.bus)
        self.assertEqual(code, 1)
        self.assertIn("no-method", err[0])
        code, out, _ = self.run_synod("ls", "--json", *self.bus)
        row = [row for row in map(json.loads, out) if row["actors"] == ["pyupper"]][0]
        self.assertGreater(row["received"], 0)
        offer.signal(signal.SIGTERM)
        self.assertEqual(offer.wait(), 0, offer.story())
        code, _, err = self.run_synod("ask", "pyupper", "upper", "text=x", "--timeout", "2s", *self.bus)
        self.assertEqual(code, 3, err)

    def test_python_asks_c(self):
        ask = os.path.join(EXAMPLES, "ask.py")
        program = self.start(PYTHON, "-B", ask, *self.bus, "echo", "echo", '{"data": [1, "zwei", null]}')
        self.assertEqual((program.wait(), program.out()), (0, ['{"data": [1, "zwei", null]}']), program.story())
        program = self.start(PYTHON, "-B", ask, *self.bus, "echo", "frob")
        self.assertEqual(program.wait(), 1)
        self.assertIn("no-method", program.err()[0])
        program = self.start(PYTHON, "-B", ask, *self.bus, "nobody", "frob")
        self.assertEqual(program.wait(), 3)
        self.assertIn("no-route", program.err()[0])

    def test_topics(self):
        peer = self.peer()
        peer.subscribe("news.*")
        self.assertEqual(self.run_synod("pub", "news.a", "goal", "n:=1", *self.bus)[0], 0)
        message = peer.receive(10)
        self.assertEqual((message.address, message.method, message.body), ("news.a", "goal", {"n": 1}))
        reader = self.synod("sub", "news.>", "--count", "2", *self.bus)
        reader.wait_line("err", "^ready$")
        peer.publish("news.b.c", "goal", {"n": 2})
        peer.publish("news.d", "goal", {"n": b"\x00\xff"})
        self.assertEqual(reader.wait(), 0, reader.story())
        self.assertEqual(reader.out(), ['news.b.c goal {"n":2}', 'news.d goal {"n":{"$bin":"AP8="}}'])

    def test_tell(self):
        peer = self.peer(name="listener", actors={"ear": {}})
        self.assertEqual(self.run_synod("tell", "listener/ear", "note", "a=b", *self.bus)[0], 0)
        message = peer.receive(10)
        self.assertEqual((message.method, message.body), ("note", {"a": "b"}))

    def test_stays(self):
        """Its heartbeats keep it in the directory for longer than the broker would wait for one."""
        beats = []

        class Counting(Peer):
            def _from_broker(self, message):
                if message.method == "heartbeat":
                    beats.append(time.monotonic())
                super()._from_broker(message)

        peer = Counting(self.endpoint, name="stayer", actors={"stay": {"ping": lambda body: {}}})
        self.addCleanup(peer.close)
        peer._until(lambda: len(beats) >= 5, 20, "the broker's heartbeats did not come")
        asker = self.synod("ask", "stay", "ping", *self.bus)
        while asker.process.poll() is None:
            peer.run(0.05)
        self.assertEqual(asker.wait(), 0, asker.story())

    def test_nobody_there(self):
        with self.assertRaises(Fault) as caught:
            Peer("ipc://%s/nobody" % self.dir, timeout=0.3)
        self.assertEqual(caught.exception.code, "timeout")


class Hello(TestCase):
    def test_hello(self):
        bus = ["--bus", self.start_broker()]
        hello = self.start(os.path.join(BUILD, "bin", "hello"), *bus)
        for _ in range(100):
            if any("counter" in line.split() for line in self.run_synod("ls", *bus)[1]):
                break
        for amount in (2, 40):
            code, out, err = self.run_synod("ask", "counter", "add", "amount:=%d" % amount, *bus)
            self.assertEqual(code, 0, err)
        self.assertEqual(self.run_synod("ask", "counter", "get", *bus), (0, ['{"value":42}'], []))
        code, _, err = self.run_synod("ask", "counter", "add", "amount=2", *bus)
        self.assertEqual(code, 1)
        self.assertRegex(err[0], "^synod: bad-request: .*amount")
        self.assertEqual(self.stop(hello), 0, hello.story())


if __name__ == "__main__":
    unittest.main()
