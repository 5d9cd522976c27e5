# SPDX-License-Identifier: MPL-2.0
"""A synod peer in Python, on pyzmq and msgpack alone, written from protocol/SPEC.md.

A Peer joins a bus at its broker without the directory (the broker resolves `actor` for it), sends heartbeats, offers
actors, asks, tells, publishes and subscribes. It works while one of its methods runs: all in the caller's thread.

    peer = Peer("tcp://127.0.0.1:5570", actors={"pyupper": {"upper": lambda body: {"text": body["text"].upper()}}})
    print(peer.ask("echo", "echo", {"data": 1}))
    peer.run()
"""
import os
import random
import time

import msgpack
import zmq

VERSION = 1
FRAME_MAX = 256 * 1024
FRAME_SLACK = 4096
ASK, REPLY, ERROR, TELL, PUBLISH, MARK = range(1, 7)
HEARTBEAT_MS = 1000


class Fault(Exception):
    """An error of the bus: its name on the wire, and a sentence."""

    def __init__(self, code, message):
        super().__init__("%s: %s" % (code, message))
        self.code = code
        self.message = message


class Message:
    """An envelope with what its frame says: absent things are None."""

    def __init__(self, address, header, envelope):
        self.address = address
        _, self.node, self.incarnation, _, self.number = header
        self.kind, self.method, to, sender, self.id, self.left_ms, self.trace, body = envelope
        if isinstance(self.id, list):  # a command: this peer keeps nothing, so it runs as any ask does
            self.id = self.id[0]
        self.body = body or {}
        self.to = to or address
        # the actor of the header's node, node/actor when it was forwarded, or the node itself
        self.sender = sender if sender and "/" in sender else "%s/%s" % (self.node, sender or "$node")


def pack_frame(address, node, incarnation, kind, method=None, sender=None, id=None, left_ms=None, trace=None, body=None):
    """One frame that holds one envelope."""
    header = [VERSION, node, incarnation, 0, 0]  # of no epoch, not numbered
    envelope = [kind, method, None, sender, id, left_ms, trace, body]
    frame = address.encode() + b"\0" + msgpack.packb(header) + msgpack.packb(envelope)
    if len(frame) > FRAME_MAX:
        raise Fault("too-large", "a frame has %d bytes at most, this one %d" % (FRAME_MAX, len(frame)))
    return frame


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_header(value):
    return (isinstance(value, list) and len(value) == 5 and isinstance(value[1], str) and value[0] == VERSION
            and all(is_number(value[i]) for i in (0, 2, 3, 4)))


def is_envelope(value):
    """Eight fields of the right types, and all that the kind needs."""
    if not isinstance(value, list) or len(value) != 8 or not is_number(value[0]) or not ASK <= value[0] <= MARK:
        return False
    kind, method, to, sender, id, left_ms, trace, body = value
    if isinstance(id, list) and len(id) == 4 and kind == ASK:
        id = id[0]
    return (all(text is None or isinstance(text, str) for text in (method, to, sender))
            and all(number is None or is_number(number) for number in (id, left_ms, trace))
            and (body is None or isinstance(body, dict))
            and (method or kind not in (ASK, TELL, PUBLISH)) and (id or kind not in (ASK, REPLY, ERROR)))


def unpack_frame(frame):
    """The messages of a frame, and whether it was a whole one: those before the first fault stand."""
    messages = []
    address, nul, rest = frame.partition(b"\0")
    if len(frame) > FRAME_MAX + FRAME_SLACK or not nul or not address:
        return messages, False
    unpacker = msgpack.Unpacker(raw=False, max_buffer_size=len(rest) + 1)
    unpacker.feed(rest)
    try:
        address = address.decode()
        header = unpacker.unpack()
        if not is_header(header):
            return messages, False
        while unpacker.tell() < len(rest):
            envelope = unpacker.unpack()
            if not is_envelope(envelope):
                return messages, False
            messages.append(Message(address, header, envelope))
    except Exception:  # msgpack has a dozen of them, for bytes that are none
        return messages, False
    return messages, True


def matches(pattern, topic):
    """Whether a topic matches: `*` is one part, a last `>` one or more; neither matches a first `$`."""
    if pattern[0] in "*>" and topic.startswith("$"):
        return False
    want, have = pattern.split("."), topic.split(".")
    for i, part in enumerate(want):
        if part == ">" and i == len(want) - 1:
            return len(have) > i
        if i >= len(have) or part not in ("*", have[i]):
            return False
    return len(want) == len(have)


def prefix(pattern):
    """What to subscribe to at ZeroMQ: the whole with its NUL, or what stands before the first wildcard."""
    for i, part in enumerate(pattern.split(".")):
        if part in ("*", ">"):
            return ".".join(pattern.split(".")[:i] + [""]).encode() if i else b""
    return pattern.encode() + b"\0"


class Peer:
    """ACTORS: {actor: {method: function of a body that returns the reply's body}}. A Fault that a function raises is
    the answer, any other exception is the error `failed`."""

    def __init__(self, endpoint, name=None, actors=None, timeout=5.0):
        self.incarnation = time.time_ns() // 1000
        self.name = name or "py-%d-%06x" % (os.getpid(), random.getrandbits(24))
        self.actors = actors or {}
        self.welcome = None
        self.asked = {}  # ids of own asks, and the node that must answer (None: any)
        self.answers = {}  # ids of own asks, and what came
        self.inbox = []  # what was published on subscribed topics or told to nobody's actor
        self.patterns = []
        self.echoes = set()  # subscriptions that have been seen
        self.next_id = 1 + random.getrandbits(46)  # no former life of this name used them
        self.started = time.monotonic()
        self.received = self.sent = self.malformed = 0
        self.next_beat = 0.0  # also of the next hello, until there is an answer
        self.context = zmq.Context()
        self.poller = zmq.Poller()
        self.publisher = self.subscriber = None
        self.broker = self._socket(zmq.DEALER)
        self.broker.setsockopt(zmq.IDENTITY, ("%s@%016x" % (self.name, self.incarnation)).encode())
        self.broker.connect(endpoint)
        self.poller.register(self.broker, zmq.POLLIN)
        self._until(lambda: self.welcome, timeout, "the broker at %s did not answer" % endpoint)

    def _socket(self, kind):
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 1000)
        socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing waits for a broker that is not there
        socket.setsockopt(zmq.MAXMSGSIZE, FRAME_MAX + FRAME_SLACK)
        return socket

    # ---- what everybody uses ----

    def ask(self, to, method, body=None, timeout=5.0):
        """The reply's body; raises Fault."""
        id, self.next_id = self.next_id, self.next_id + 1
        place = to.split("#")[0]
        self.asked[id] = place.split("/")[0] if "/" in place or place == "$broker" else None
        try:
            self._send(to, ASK, method=method, sender="client", id=id, left_ms=int(timeout * 1000), body=body or {})
            self._until(lambda: id in self.answers, timeout, "no answer from %s" % to)
        finally:
            del self.asked[id]
        kind, answer = self.answers.pop(id)
        if kind == ERROR:
            raise Fault(str(answer.get("code", "unknown")), str(answer.get("message", "")))
        return answer

    def tell(self, to, method, body=None):
        self._send(to, TELL, method=method, sender="client", body=body or {})

    def publish(self, topic, method, body=None, timeout=5.0):
        """The first one waits until the broker has subscribed to everything, so that none is lost."""
        if not self.publisher:
            self.publisher = self._socket(zmq.XPUB)
            self.publisher.connect(self.welcome["publish"])
            if not self.publisher.poll(int(timeout * 1000)):
                raise Fault("timeout", "the broker did not subscribe at %s" % self.welcome["publish"])
            self.publisher.recv()
        self.publisher.send(pack_frame(topic, self.name, self.incarnation, PUBLISH, method=method, body=body or {}))

    def subscribe(self, pattern, timeout=5.0):
        """Returns when everything published from now on will come; receive gives it."""
        if not self.subscriber:
            self.subscriber = self._socket(zmq.XSUB)
            self.subscriber.connect(self.welcome["subscribe"])
            self.poller.register(self.subscriber, zmq.POLLIN)
        self.patterns.append(pattern)
        echo = "$sub.%s.%d" % (self.name, len(self.patterns))
        self.subscriber.send(b"\1" + prefix(pattern))
        self.subscriber.send(b"\1" + echo.encode() + b"\0")
        self._until(lambda: echo in self.echoes, timeout, "the subscription to %s was not seen" % pattern)
        self.subscriber.send(b"\0" + echo.encode() + b"\0")

    def receive(self, timeout=5.0):
        """The next message on a subscribed topic, or told to this peer; raises Fault when none comes."""
        self._until(lambda: self.inbox, timeout, "nothing came")
        return self.inbox.pop(0)

    def run(self, seconds=None):
        """Answers asks, for ever or for SECONDS."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            self._work(0.2 if end is None else max(0.0, min(0.2, end - time.monotonic())))

    def close(self):
        try:
            self._send("$broker", TELL, method="leave", body={})
        except Fault:
            pass  # there is nobody to leave
        for socket in (self.broker, self.publisher, self.subscriber):
            if socket:
                socket.close()
        self.context.term()

    # ---- how ----

    def _send(self, to, kind, **fields):
        try:
            self.broker.send(pack_frame(to, self.name, self.incarnation, kind, **fields), zmq.NOBLOCK)
        except zmq.Again:
            raise Fault("no-route", "the broker cannot be reached") from None
        self.sent += 1

    def _hello(self):
        me = {"node": self.name, "incarnation": self.incarnation, "actors": [{"name": name} for name in self.actors]}
        if not self.actors:
            me["client"] = True
        self._send("$broker", TELL, method="hello", body={"heartbeat_ms": HEARTBEAT_MS, "directory": False, "self": [me]})

    def _until(self, done, timeout, otherwise):
        end = time.monotonic() + timeout
        while not done():
            left = end - time.monotonic()
            if left <= 0:
                raise Fault("timeout", otherwise)
            self._work(min(left, 0.2))

    def _beat(self):
        """A heartbeat, or a hello as long as there is no answer."""
        now = time.monotonic()
        if now < self.next_beat:
            return
        try:
            if self.welcome:
                self._send("$broker", TELL, method="heartbeat", body={})
            else:
                self._hello()
        except Fault:  # not connected: soon again
            self.next_beat = now + 0.02
        else:
            self.next_beat = now + HEARTBEAT_MS / 1000

    def _work(self, seconds):
        """What is due, and what comes within SECONDS."""
        self._beat()
        left = max(0.0, min(seconds, self.next_beat - time.monotonic()))
        for socket, _ in self.poller.poll(int(left * 1000) + 1):
            frames = socket.recv_multipart()
            messages, whole = unpack_frame(frames[0]) if len(frames) == 1 else ([], False)
            self.malformed += not whole
            self.received += len(messages)
            for message in messages:
                if socket is self.subscriber:
                    self._topic(message)
                else:
                    self._mail(message)

    def _topic(self, message):
        if message.address.startswith("$sub."):
            self.echoes.add(message.address)
        elif message.kind == PUBLISH and any(matches(pattern, message.address) for pattern in self.patterns):
            self.inbox.append(message)

    def _mail(self, message):
        actor = message.to.split("#")[0].split("/")[-1]
        if message.kind in (REPLY, ERROR):
            if message.id in self.asked and self.asked[message.id] in (None, message.node):
                self.answers[message.id] = (message.kind, message.body)
        elif message.node == "$broker":
            self._from_broker(message)
        elif message.kind == ASK:
            self._answer(message, actor)
        elif message.kind == TELL and actor == "$node":
            if message.method == "link_ask":  # no direct link: this peer takes frames from the broker alone
                self._send("%s/$node" % message.node, TELL, method="link_offer", body={})
        elif message.kind == TELL and actor in self.actors and message.method in self.actors[actor]:
            self.actors[actor][message.method](message.body)
        elif message.kind == TELL:
            self.inbox.append(message)

    def _from_broker(self, message):
        body = message.body
        if message.method == "welcome":
            self.welcome = body
        elif message.method == "refused":
            raise Fault(body["code"], body["message"])
        elif message.kind == ASK:
            self._answer(message, "$node")
        elif message.method == "again":
            self._hello()
        elif message.method == "probe":
            self._send("$broker", TELL, method="alive", body={})
        elif message.method == "returned":
            # an own ask that could not be delivered
            for lost in unpack_frame(body["frame"])[0]:
                if lost.kind == ASK and lost.id in self.asked:
                    self.answers[lost.id] = (ERROR, body)

    def _node(self, method):
        """What every node answers for itself."""
        if method == "nodes":
            return {}  # it keeps no directory
        if method != "status":
            raise Fault("no-method", "$node of %s answers status and nodes, not %s" % (self.name, method))
        return {"node": self.name, "incarnation": self.incarnation, "queued": 0, "dropped": 0,
                "received": self.received, "sent": self.sent, "malformed": self.malformed,
                "uptime_ms": int((time.monotonic() - self.started) * 1000),
                "actors": [{"name": name} for name in self.actors]}

    def _answer(self, message, actor):
        try:
            if actor == "$node":
                kind, body = REPLY, self._node(message.method)
            elif actor not in self.actors:
                raise Fault("no-route", "%s runs no actor %s" % (self.name, actor))
            elif message.method not in self.actors[actor]:
                raise Fault("no-method", "%s does not know the method %s" % (actor, message.method))
            else:
                kind, body = REPLY, self.actors[actor][message.method](message.body)
        except Fault as fault:
            kind, body = ERROR, {"code": fault.code, "message": fault.message}
        except Exception as error:  # the actor's own mistake is an answer, not the end of the peer
            kind, body = ERROR, {"code": "failed", "message": "%s: %s" % (type(error).__name__, error)}
        self._send(message.sender, kind, sender=actor, id=message.id, trace=message.trace, body=body)
