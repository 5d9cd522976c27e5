#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The program `synod broker` with raw ZeroMQ sockets: broker_test.py PATH-OF-SYNOD [unittest's arguments]."""
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import msgpack
import zmq

SYNOD = None
LIMIT = 20  # seconds that anything here may take
ASK, REPLY, ERROR, TELL, PUBLISH = 1, 2, 3, 4, 5


def frame(address, node, incarnation, *envelopes):
    packed = [msgpack.packb([1, node, incarnation, 0, 0])] + [msgpack.packb(e) for e in envelopes]
    return address.encode() + b"\0" + b"".join(packed)


def envelope(kind, method, body=None, id=None, sender=None):
    return [kind, method, None, sender, id, None, None, body]


def parse(data):
    address, rest = data.split(b"\0", 1)
    unpacker = msgpack.Unpacker()
    unpacker.feed(rest)
    header, *envelopes = unpacker
    return address.decode(), header, envelopes


class Broker:
    def __init__(self, *arguments, listen="tcp://127.0.0.1:*"):
        self.process = subprocess.Popen([SYNOD, "broker", "--listen", listen, *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening "), self.process.communicate()
        self.endpoint = line.split()[1]

    def memory(self):
        with open("/proc/%d/status" % self.process.pid) as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=LIMIT)
        return self.process.returncode


class Peer:
    """A DEALER that is a node of the bus."""

    def __init__(self, case, name, incarnation=1, **how):
        self.name, self.incarnation, self.how = name, incarnation, how
        self.socket = case.socket(zmq.DEALER, routing_id=("%s@%016x" % (name, incarnation)).encode())
        self.socket.connect(case.broker.endpoint)

    def send(self, address, *envelopes):
        self.socket.send(frame(address, self.name, self.incarnation, *envelopes))

    def hello(self, actors=(), **more):
        entry = {"node": self.name, "incarnation": self.incarnation, "actors": [{"name": a} for a in actors]}
        entry["client"] = more.pop("client", False)
        self.send("$broker", envelope(TELL, "hello", {"heartbeat_ms": 60000, "self": [entry], **more}))

    def join(self, *actors, **more):
        self.hello(actors, **more)
        return self.take("welcome")

    def receive(self):
        return parse(self.socket.recv())

    def take(self, method):
        """The body of the next message with this method; heartbeats are passed over."""
        while True:
            _, _, envelopes = self.receive()
            if envelopes[0][1] != "heartbeat":
                assert envelopes[0][1] == method, "expected %s, got %r" % (method, envelopes)
                return envelopes[0][7]


class Case(unittest.TestCase):
    arguments = ()

    def setUp(self):
        self.context = zmq.Context()
        self.context.set(zmq.MAX_SOCKETS, 4096)
        self.broker = Broker(*self.arguments)

    def tearDown(self):
        if self.broker.process.poll() is None:
            self.assertEqual(self.broker.end(), 0, "the broker ended badly")
        self.context.destroy(linger=0)

    def socket(self, kind, **options):
        socket = self.context.socket(kind)
        for name, value in options.items():
            setattr(socket, name, value)
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = LIMIT * 1000
        return socket

    def alive(self):
        peer = Peer(self, "alive", int(time.time() * 1e6))
        peer.join(client=True)
        peer.send("$broker", envelope(ASK, "status", id=1, sender="me"))
        return peer.receive()[2][0][7]


class Routing(Case):
    def test_joins_and_forwards(self):
        a, b = Peer(self, "a"), Peer(self, "b")
        welcome = a.join("echo", directory=True)
        self.assertEqual(welcome["heartbeat_ms"], 1000)
        self.assertEqual([e["node"] for e in a.take("snapshot")["nodes"]], ["a"])
        b.join("echo")
        self.assertEqual(a.take("delta")["up"][0]["node"], "b")
        a.send("b/echo", envelope(ASK, "hi", {"x": 1}, id=5, sender="me"))
        address, header, envelopes = b.receive()
        self.assertEqual((address, header[1], envelopes[0][7]), ("b/echo", "a", {"x": 1}))
        b.send("a/me", envelope(REPLY, None, {"y": 2}, id=5))
        self.assertEqual(a.receive()[2][0][7], {"y": 2})

    def test_any_node_takes_turns(self):
        a, b, c = Peer(self, "a"), Peer(self, "b"), Peer(self, "c")
        a.join("work")
        b.join("work")
        c.join()
        for number in range(20):
            c.send("work", envelope(TELL, "hi", {"n": number}))
        for peer in (a, b):
            got = [peer.receive()[2][0][7]["n"] for _ in range(10)]
            self.assertEqual(got, sorted(got))

    def test_undeliverable_mail_comes_back(self):
        a = Peer(self, "a")
        a.join()
        sent = frame("nobody/x", "a", 1, envelope(TELL, "hi"))
        a.socket.send(sent)
        body = a.take("returned")
        self.assertEqual((body["code"], body["frame"]), ("no-route", sent))

    def test_node_that_died_is_found_by_mail(self):
        a, b = Peer(self, "a"), Peer(self, "b")
        a.join(directory=True)
        a.take("snapshot")
        b.join()
        a.take("delta")
        b.socket.close()
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:  # until the broker has seen the connection end
            a.send("b/x", envelope(TELL, "hi"))
            if a.socket.poll(50):
                break
        bodies = {a.receive()[2][0][1] for _ in range(2)}
        self.assertEqual(bodies, {"returned", "delta"})

    def test_names_are_settled(self):
        a, other = Peer(self, "a", 1), Peer(self, "a", 2)
        a.join()
        other.hello()
        a.take("probe")
        a.send("$broker", envelope(TELL, "alive", {}))
        self.assertEqual(other.take("refused")["code"], "name-taken")
        other.hello()  # and now a says nothing
        other.take("welcome")

    def test_restart_asks_for_hello(self):
        a = Peer(self, "a")
        a.join()
        self.broker.process.kill()
        self.broker.process.communicate()
        self.broker = Broker(listen=self.broker.endpoint)
        a.send("$broker", envelope(TELL, "heartbeat", {}))
        a.take("again")
        a.join()


class Garbage(Case):
    def error(self, socket):
        parts = socket.recv_multipart()
        _, _, envelopes = parse(parts[-1])
        self.assertEqual(envelopes[0][0], ERROR)
        return envelopes[0][7]["code"]

    def test_plain_sockets_get_a_clear_error(self):
        dealer, req = self.socket(zmq.DEALER), self.socket(zmq.REQ)
        for socket in (dealer, req):
            socket.connect(self.broker.endpoint)
        for bytes_ in (b"", b"x", b"\0", os.urandom(3000), frame("a/b", "n", 1, envelope(TELL, "hi"))):
            dealer.send(bytes_)
            self.assertIn(self.error(dealer), ("bad-frame", "bad-address"))
        dealer.send_multipart([b"a", b"b", b"c"])
        self.assertEqual(self.error(dealer), "bad-frame")
        dealer.send_multipart([b"", b""])
        self.assertEqual(self.error(dealer), "bad-frame")
        req.send(b"hello?")
        self.assertEqual(self.error(req), "bad-frame")
        dealer.send(b"x\0" + msgpack.packb([9, "x", 1, 0, 0]))
        self.assertEqual(self.error(dealer), "bad-version")
        self.assertGreaterEqual(self.alive()["malformed"], 8)

    def test_too_large_costs_the_connection_only(self):
        a, b = Peer(self, "a"), Peer(self, "b")
        a.join()
        b.join()
        a.socket.send(frame("b/x", "a", 1, envelope(TELL, "hi", {"x": b"\0" * 300000})))
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:  # until the next connection stands
            a.send("$broker", envelope(TELL, "heartbeat", {}))
            if a.socket.poll(50):
                break
        a.send("b/x", envelope(TELL, "small"))
        b.take("small")
        self.alive()

    def test_garbage_on_topics(self):
        a = Peer(self, "a")
        told = a.join()
        publisher, subscriber = self.socket(zmq.XPUB), self.socket(zmq.SUB)
        publisher.connect(told["publish"])
        self.assertEqual(publisher.recv(), b"\x01")  # the broker takes everything
        subscriber.connect(told["subscribe"])
        subscriber.subscribe(b"$sub.a.1\0")
        self.assertTrue(subscriber.recv().startswith(b"$sub.a.1\0"))
        subscriber.subscribe(b"t")
        subscriber.subscribe(b"$sub.a.2\0")
        subscriber.recv()
        publisher.send_multipart([b"t", b"u"])
        publisher.send(b"")
        publisher.send(b"t\0ok")
        self.assertEqual(subscriber.recv(), b"t\0ok")
        self.alive()


class Topics(Case):
    arguments = ("--patience", "500ms")  # a busy machine may well stop the healthy one for the default

    def test_a_stalled_subscriber_starves_nobody(self):
        told = Peer(self, "a").join()
        healthy, stalled = self.socket(zmq.SUB), self.socket(zmq.SUB, rcvhwm=10)
        for socket, topic in ((healthy, b"$sub.h.1\0"), (stalled, b"$sub.s.1\0")):
            socket.connect(told["subscribe"])
            socket.subscribe(b"news")
            socket.subscribe(topic)
            socket.recv()
        count, got = 30000, 0
        publisher = subprocess.Popen([sys.executable, __file__, "--publish", told["publish"], str(count)])
        self.addCleanup(publisher.kill)
        while got < count and healthy.poll(LIMIT * 1000):
            number = int(healthy.recv()[5:13])
            self.assertEqual(number, got, "a gap at the healthy one")
            got += 1
        self.assertEqual(publisher.wait(LIMIT), 0)
        self.assertEqual(got, count)
        self.alive()  # and mail went on


class Many(Case):
    def test_memory_of_a_thousand_nodes(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        peers = [Peer(self, "node%d" % i) for i in range(1000)]
        for peer in peers:
            peer.hello(["worker"])
        for peer in peers:
            peer.take("welcome")
        if os.environ.get("SYNOD_MEMORY") != "any":
            self.assertLess(self.broker.memory(), 100e6)


class Program(unittest.TestCase):
    def start(self, *arguments):
        broker = Broker(*arguments)
        self.addCleanup(broker.process.communicate)
        self.addCleanup(broker.process.kill)
        return broker

    def test_first_signal_ends_it(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            broker = self.start()
            broker.process.send_signal(number)
            self.assertEqual(broker.process.wait(LIMIT), 0)

    def test_second_signal_ends_it_at_once(self):
        """Both wait for a broker that stands still. It takes one, and dies of the other before it has ended well."""
        broker = self.start("--linger", "60s")
        for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
            broker.process.send_signal(number)
        self.assertIn(broker.process.wait(LIMIT), (-signal.SIGINT, -signal.SIGTERM))

    def test_service_manager_is_notified(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(folder + "/notify")
            manager.settimeout(LIMIT)
            os.environ["NOTIFY_SOCKET"] = folder + "/notify"
            try:
                broker = self.start()
            finally:
                del os.environ["NOTIFY_SOCKET"]
            said = manager.recv(1000).decode().splitlines()
            self.assertIn("READY=1", said)
            self.assertIn("STATUS=listening at " + broker.endpoint, said)
            broker.process.send_signal(signal.SIGTERM)
            self.assertIn("STOPPING=1", manager.recv(1000).decode().splitlines())
            self.assertEqual(broker.process.wait(LIMIT), 0)

    def run_synod(self, *arguments, **environment):
        return subprocess.run([SYNOD, "broker", *arguments], capture_output=True, text=True, timeout=LIMIT,
                              env={**os.environ, **environment})

    def test_wrong_usage_is_told(self):
        with tempfile.NamedTemporaryFile("w", suffix=".zpl") as file:
            file.write("broker\n    hartbeat = 1s\n")
            file.flush()
            for result, word in ((self.run_synod("--config", file.name), "hartbeat"),
                                 (self.run_synod("--heartbeat", "fast"), "--heartbeat"),
                                 (self.run_synod(SYNOD_NODES_MAX="many"), "nodes-max"),
                                 (self.run_synod("--config", "/no/such"), "/no/such")):
                self.assertEqual(result.returncode, 2, result)
                self.assertIn(word, result.stderr)
        self.assertEqual(self.run_synod("--listen", "nonsense").returncode, 1)

    def test_flag_beats_environment_beats_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "c.zpl")
            with open(path, "w") as file:
                file.write("broker\n    listen = ipc://%s/file\n" % folder)
            os.environ["SYNOD_LISTEN"] = "ipc://%s/environment" % folder
            try:
                broker = Broker("--config", path, listen="ipc://%s/flag" % folder)
                self.assertTrue(broker.endpoint.endswith("/flag"))
                other = self.run_synod("--config", path, SYNOD_LISTEN=broker.endpoint)
                self.assertEqual(other.returncode, 1)  # the environment's, which is in use
                self.assertIn("in use", other.stderr)
                self.assertEqual(broker.end(), 0)
            finally:
                del os.environ["SYNOD_LISTEN"]


def publish(endpoint, count):
    """In a process of its own: a thread would take turns with the reader."""
    socket = zmq.Context.instance().socket(zmq.XPUB)
    socket.setsockopt(zmq.XPUB_NODROP, 1)
    socket.linger = LIMIT * 1000
    socket.connect(endpoint)
    socket.recv()
    for number in range(count):
        socket.send(b"news\0%08d" % number + b"x" * 1000)


if __name__ == "__main__":
    if sys.argv[1] == "--publish":
        publish(sys.argv[2], int(sys.argv[3]))
        sys.exit(0)
    SYNOD = sys.argv.pop(1)
    unittest.main(warnings="ignore")
