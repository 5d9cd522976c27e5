# SPDX-License-Identifier: MPL-2.0
"""Bytes that are no mail, from a plain ZeroMQ socket: each is counted, whoever can be told is told, nothing else
changes."""
import os
import random
import unittest

import msgpack
import zmq
from common import FaultCase

FRAME_MAX = 262144 + 4096


def header(name, incarnation=1, version=1, number=0):
    return msgpack.packb([version, name, incarnation, 0, number])


def envelope(kind, method=None, to=None, source=None, number=None, left=None, body=None):
    return msgpack.packb([kind, method, to, source, number, left, None, body])


def deep(levels):
    return b"\x81\xa1a" * (levels - 1) + b"\x81\xa1a\xc0"


class Garbage:
    """At the broker's ROUTER, and at a node's inbox."""

    def setUp(self):
        super().setUp()
        self.start_bus()
        self.start_worker("w1")
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, 0)
        self.target = "$broker" if self.brokered else "w1"
        self.at = self.bus_endpoint if self.brokered else self.endpoint("w1")

    def socket(self, identity=b"stranger@0000000000000001"):
        socket = self.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        if identity:
            socket.setsockopt(zmq.ROUTING_ID, identity)
        socket.connect(self.at)
        self.addCleanup(socket.close)
        return socket

    def answer(self, socket, limit_ms=5000):
        """(address, envelopes) of the next frame that is no heartbeat; None when there is none."""
        while socket.poll(limit_ms):
            frame = socket.recv()
            address, rest = frame.split(b"\0", 1)
            unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
            unpacker.feed(rest)
            parts = list(unpacker)
            if parts[1][1] not in ("heartbeat", "hello", "probe"):
                return address.decode(), parts[1:]
        return None

    def joined(self):
        """A socket that is a member of the bus: its frames take another way through the broker than a stranger's."""
        socket = self.socket()
        entry = {"node": "stranger", "incarnation": 1, "client": True}
        socket.send(b"$broker\0" + header("stranger") + envelope(4, "hello", body={"heartbeat_ms": 60000, "self": [entry]}))
        self.assertEqual(self.answer(socket)[1][0][1], "welcome")
        return socket

    def wrong(self):
        """What is wrong, the bytes, and the name of the error that says so."""
        head = b"w1/worker\0" + header("stranger")
        return [
            ("nothing at all", b"", "bad-frame"),
            ("random bytes", random.Random(1).randbytes(200), "bad-(frame|address)"),
            ("no header", b"w1/worker\0", "bad-frame"),
            ("no list as header", b"w1/worker\0\xa5hello", "bad-frame"),
            ("another version", b"w1/worker\0" + header("stranger", version=2), "bad-version"),
            ("a name over the limit", b"w1/worker\0" + header("n" * 64), "bad-frame"),
            ("an address over the limit", b"a" * 600 + b"\0" + header("stranger"), "bad-(address|frame)"),
            ("another node's header", b"w1/worker\0" + header("w1"), "bad-frame"),
        ] + ([] if self.brokered else [
            ("deep nesting", head + b"\x98\x04\xa4work\xc0\xc0\xc0\xc0\xc0" + deep(20), "(bad-frame|too-large)"),
            ("half a billion elements", head + b"\xdd\x20\x00\x00\x00", "bad-frame"),
            ("another node's address", b"w2/worker\0" + header("stranger") + envelope(4, "work"), "no-route"),
        ])

    def test_wrong_frames(self):
        self.wrong_frames(self.socket)

    def wrong_frames(self, connect):
        self.healthy()
        before = self.status(self.target)
        for what, frame, error in self.wrong():
            with self.subTest(what):
                socket = connect()
                socket.send(frame)
                got = self.answer(socket)
                self.assertIsNotNone(got, "no answer")
                kind, code = got[1][0][0], got[1][0][7]["code"]
                self.assertEqual(kind, 3)
                self.assertRegex(code, "^%s$" % error)
                self.assertGreater(len(got[1][0][7]["message"]), 10)
                socket.close()
                self.healthy()
        after = self.status(self.target)
        self.assertGreaterEqual(after["malformed"] - before["malformed"], len(self.wrong()))
        self.assertEqual(after["incarnation"], before["incarnation"])

    def test_several_parts(self):
        before = self.status(self.target)["malformed"]
        socket = self.socket()
        for parts in ([b"a", b"b"], [b"", b""], [b"x"] * 50):
            socket.send_multipart(parts)
            self.until(lambda: self.status(self.target)["malformed"] > before, "it is counted")
            before = self.status(self.target)["malformed"]
            self.healthy()

    def test_over_the_limit(self):
        """The connection is cut; the others stay."""
        client = self.start_client(outstanding=5)
        socket = self.socket()
        monitor = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        socket.send(b"x" * (FRAME_MAX + 1))
        self.addCleanup(monitor.close)
        self.assertTrue(monitor.poll(5000), "the connection stands")
        socket.disable_monitor()
        self.healthy()
        total = client.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok"}, total)

    def test_random(self):
        """Thousands of random and of cut frames, under traffic."""
        client = self.start_client(outstanding=5)
        chance = random.Random(int(os.environ.get("SEED", "7")))
        good = b"w1/worker\0" + header("stranger") + envelope(1, "work", None, "a", 9, 100, {"n": 1})
        sockets = [self.socket(), self.socket(None)]
        before = self.status(self.target)["malformed"]
        for i in range(3000):
            frame = bytearray(good[:chance.randrange(len(good))] if i % 2 else chance.randbytes(chance.randrange(300)))
            if frame and i % 3 == 0:
                frame[chance.randrange(len(frame))] = chance.randrange(256)
            sockets[i % 2].send(bytes(frame))
        self.until(lambda: self.status(self.target)["malformed"] > before + 1000, "they are counted")
        self.healthy()
        total = client.finish()
        self.accounted(total)
        self.assertEqual(set(total["ended"]), {"ok"}, total)

    def test_body_of_the_wrong_shape(self):
        for words in (["n=text"], ["n:=-1"], ["n:=[]"], ["ms:=60001"]):
            code, out, err = self.ask("w1/worker", "work", *words)
            self.assertEqual((code, out), (1, []), err)
            self.assertRegex(err[-1], "^synod: bad-request: .*(n|ms).*expected")
            self.healthy()


class GarbageAtTheBroker(Garbage, FaultCase):
    def test_wrong_frames_of_a_member(self):
        self.wrong_frames(self.joined)

    def test_several_parts_between_others(self):
        """Each is told of, and the mail right behind it is read from its beginning."""
        socket, told, replies = self.joined(), 0, []
        for i in range(1, 51):
            socket.send_multipart([b"a", b"stranger@0000000000000001"] + [b"c"] * (i % 3))
            socket.send(b"$broker\0" + header("stranger") + envelope(1, "status", None, "me", i, 1000, {}))
        while told < 50 or len(replies) < 50:
            answer = self.answer(socket)
            self.assertIsNotNone(answer, (told, replies))
            kind, number, body = (answer[1][0][i] for i in (0, 4, 7))
            if kind == 2:
                replies.append(number)
            else:
                self.assertRegex(body["message"], "expected one frame, got [234] parts")
                told += 1
        self.assertEqual(replies, list(range(1, 51)))


class GarbageDirect(Garbage, FaultCase):
    brokered = False

    def test_a_reply_nobody_waits_for(self):
        before = self.status("w1")
        socket = self.socket()
        for kind, body in ((2, {"n": 1}), (3, {"code": "failed", "message": "x"})):
            socket.send(b"w1/worker\0" + header("stranger") + envelope(kind, None, None, "a", 12345, None, body))
        self.until(lambda: self.status("w1")["dropped"] >= before["dropped"] + 2, "they are counted as dropped")
        self.healthy()


if __name__ == "__main__":
    unittest.main()
