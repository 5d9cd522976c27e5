# SPDX-License-Identifier: MPL-2.0
"""What the tests of faults share: buses of both kinds with short heartbeats, and clients that account for each ask."""
import json
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from harness import BUILD, LIMIT, Program, TestCase  # noqa: E402

ACTORS = os.path.join(BUILD, "lib", "libfaults_actors.so")
CLIENT = os.path.join(BUILD, "test", "faults_client")
BEAT = 0.1  # seconds: the heartbeat
# Three heartbeats without a word, up to one more until the next look, and what a busy machine may add.
DOWN = 3 * BEAT + BEAT + (3.0 if "SYNOD_SLOW" in os.environ else 0.6)


def brief(self):
    """What a program has said, its last lines alone: it may have said a lot."""
    return "%s\nstdout: %s\nstderr: %s" % (" ".join(self.command), self.lines["out"][-12:], self.lines["err"][-12:])


Program.story = brief


class Client:
    """A faults_client."""

    def __init__(self, program):
        self.program = program
        program.wait_line("out", "^ready$")

    def now(self):
        return len(self.program.lines["out"])

    def wait_end(self, code, after=0, limit=LIMIT):
        """The next ask that ended so: (when by time.monotonic, its age in seconds, the rest)."""
        words = self.program.wait_line("out", r"^end \d+ %s " % code, after, limit).split(" ", 4)
        return int(words[1]) / 1000, int(words[3]) / 1000, words[4] if len(words) > 4 else ""

    def finish(self, number=signal.SIGTERM):
        """What became of all its asks."""
        if number:
            self.program.signal(number)
        line = self.program.wait_line("out", "^sum ")
        code = self.program.wait()
        assert code == 0, self.program.story()
        return json.loads(line[4:])


class FaultCase(TestCase):
    """A bus with short heartbeats. Subclasses say whether it has a broker."""
    brokered = True

    def setUp(self):
        super().setUp()
        self.bus_endpoint = "ipc://%s/bus" % self.dir
        self.seed = None
        self.env["XDG_RUNTIME_DIR"] = self.dir  # where the inboxes for direct links are

    def start_bus(self):
        if self.brokered:
            self.broker = self.start_broker()

    def start_broker(self, *words):
        broker = self.synod("broker", "--listen", self.bus_endpoint, "--heartbeat", "100ms", "--verbose", *words)
        broker.wait_line("out", "^listening ")
        return broker

    def endpoint(self, name):
        return "ipc://%s/%s" % (self.dir, name)

    def options(self, name=None):
        """The options by which NAME (or a passing command) joins."""
        if self.brokered:
            return ["--bus", self.bus_endpoint, "--heartbeat", "100ms"]
        words = ["--heartbeat", "100ms", "--listen", self.endpoint(name) if name else "ipc://%s/c%d" % (
            self.dir, time.monotonic_ns())]
        if self.seed and self.seed != name:
            words += ["--peer", self.endpoint(self.seed)]
        if self.seed is None:
            self.seed = name
        return words

    def start_worker(self, name, *more):
        return self.start_node(name, ACTORS, *self.options(name), *more)

    def start_client(self, **settings):
        words = ["%s=%s" % (key.replace("_", "-"), value) for key, value in settings.items()]
        if self.brokered:
            words.append("bus=" + self.bus_endpoint)
        else:
            words += ["listen=ipc://%s/c%d" % (self.dir, time.monotonic_ns()), "peer=" + self.endpoint(self.seed)]
        return Client(self.start(CLIENT, "heartbeat=100", *words))

    def ask(self, to, method, *words, timeout="3s"):
        return self.run_synod("ask", to, method, *words, "--timeout", timeout, *self.options())

    def healthy(self, to="worker"):
        code, out, err = self.ask(to, "work", "n:=7")
        self.assertEqual((code, out), (0, ['{"n":7}']), err)

    def status(self, node, limit=LIMIT):
        code, out, err = self.run_synod("ls", "--json", *self.options(), limit=limit)
        self.assertEqual(code, 0, err)
        for row in map(json.loads, out):
            if row["node"] == node:
                return row
        return None

    def until(self, condition, what, limit=LIMIT):
        """Asks again and again: every look is a process or a message of its own, nothing sleeps. WHAT may be a function,
        called when it is too late."""
        end = time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                self.fail("not within %g s: %s" % (limit, what() if callable(what) else what))

    def wait_rests(self, what, limit=60):
        """Until all members of the ring are up and nothing moves; self.nodes are the programs."""
        last = []

        def look():
            last[:] = self.run_synod("ring", "--json", "--timeout", "2s", *self.options(), limit=limit)
            view = json.loads(last[1][0]) if last[0] == 0 else None
            return view and view["rests"] and all(member["state"] == "up" for member in view["members"])

        self.until(look, lambda: "\n".join([what, str(last)] + [node.story() for node in self.nodes.values()]), limit)

    def linked(self, node):
        """Waits until somebody has a direct link to NODE, and returns the path of its inbox."""
        pattern = re.compile(r" 03 +\d+ (%s/synod/[0-9a-f]+-%x)$" % (re.escape(self.dir), node.process.pid), re.M)
        def find():
            with open("/proc/net/unix") as file:
                return pattern.search(file.read())  # 03: connected
        path = self.until(find, "a direct link to it is connected").group(1)
        for _ in range(3):  # the change of path takes a round trip through the broker; each of these takes more
            self.healthy()
        return path

    def accounted(self, total):
        """Each ask that was started ended exactly once."""
        self.assertEqual(total["started"], total["all"], total)
        self.assertEqual(total["stray"], 0, total)
        self.assertGreater(total["ended"].get("ok", 0), 0, total)

    def kill(self, program, number=signal.SIGKILL):
        """When it was done, by time.monotonic."""
        program.signal(number)
        if number == signal.SIGKILL:
            program.process.wait()
        return time.monotonic()


def matching(lines, pattern):
    return [line for line in lines if re.search(pattern, line)]
