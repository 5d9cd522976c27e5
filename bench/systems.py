# SPDX-License-Identifier: MPL-2.0
"""The three systems that bench/run measures: with which commands their brokers and roles are started.

A role is a process that says `ready`, is told to start by a line on its standard input, and prints one line of JSON.
"""
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

DIRECT = ", direct"  # synod alone has it; the others' way is through their broker
ALONE = 20_000       # asks, one at a time
BROKERED_MAX = 500   # frames between two nodes that a direct run may send through the broker before its links are up

# How a NATS client gets what it publishes onto its connection: how the role is told, what the table says. The second
# and the third differ by a factor of four for asks, and so does every ratio: each is measured, and named.
WAYS = {
    "each": (["--send", "each"], "flush each"),
    "own": (["--send", "buffered"], "its own flushing"),
    "hand": (["--send", "drained"], "flushed by hand once a batch"),
}


def cpu_ns(pid):
    """Time on a CPU of all threads of PID; finer than the ticks of utime and stime."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


class Scenario:
    """What all systems do in turns; DIRECT: synod also without its broker, in the same rounds."""

    def __init__(self, title, kind, size, receivers=1, senders=1, outstanding=1, direct=False, ways=()):
        self.title = title
        self.kind = kind
        self.size = size
        self.receivers = receivers
        self.senders = senders
        self.outstanding = outstanding
        self.direct = direct
        self.ways = list(ways)  # of NATS; those that make sense for it
        self.alone = kind != "topics" and outstanding == 1
        self.unit = "us" if self.alone else "/s"
        self.count = ALONE if kind == "ask" and self.alone else None  # of a sender's messages; None: what RUN_S takes
        self.first = 200 if size > 8192 else 20_000                   # to find that out with

    def has(self, system):
        if isinstance(system, Nats):
            return system.way in self.ways
        return self.direct or system.name != "synod" + DIRECT


class Void(Exception):
    """A run that lost something or did not end: it has no number."""


class Role:
    """A process that says `ready`, is told to start, and prints one JSON line."""

    def __init__(self, command, err):
        self.command = command
        self.err = err
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err)
        self.rest = b""

    def line(self, deadline):
        while b"\n" not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Void("nothing said in time by: " + " ".join(self.command))
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                self.process.wait()
                raise Void(f"ended with {self.process.returncode}: " + " ".join(self.command))
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def expect(self, word, deadline):
        line = self.line(deadline)
        if line.split(" ")[0] != word:
            raise Void(f"expected '{word}', not '{line}', of: " + " ".join(self.command))
        return line.split(" ")[1:]

    def start(self):
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended; whoever waits for its line will say so

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if not self.process.stdin.closed:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass


class System:
    """Starts one system's broker and roles; subclasses say with which commands."""

    def __init__(self, bin_dir, tmp, err):
        self.bin = bin_dir
        self.tmp = tmp
        self.err = err
        self.roles = []

    def role(self, *command):
        role = Role([str(word) for word in command], self.err)
        self.roles.append(role)
        return role

    def counts(self):
        """What it has counted so far, and a run is to be charged with."""
        return {}

    def stop(self):
        for role in reversed(self.roles):
            role.end()
        self.roles = []


class Plain(System):
    name = "plain"
    probes = True  # receivers are ready only when senders send

    def broker(self, scenario):
        # 64 KiB messages have to be held back at the sender, or they fill the memory
        self.hwm = ["--hwm", 1000] if scenario.size > 8192 else []
        broker = self.role(f"{self.bin}/plain_proxy", *self.hwm)
        self.endpoints = broker.expect("listening", time.monotonic() + 10)
        return broker

    def command(self, what, at, scenario, count):
        return [f"{self.bin}/plain_peer", what, "--bus", self.endpoints[at], "--size", scenario.size, "--count", count,
                "--outstanding", scenario.outstanding, "--json"] + self.hwm

    def receiver(self, scenario, count, index):
        if scenario.kind == "topics":
            return self.command("subscribe", 3, scenario, count)
        return self.command("serve", 1, scenario, count)

    def sender(self, scenario, count, index):
        if scenario.kind == "topics":
            return self.command("publish", 2, scenario, count)
        return self.command("ask", 0, scenario, count)


class Nats(System):
    probes = False

    def __init__(self, bin_dir, tmp, err, way):
        super().__init__(bin_dir, tmp, err)
        self.way = way
        self.name = "nats " + way
        self.send = WAYS[way][0]

    def broker(self, scenario):
        ports = tempfile.mkdtemp(dir=self.tmp)
        server = shutil.which("nats-server") or "/usr/sbin/nats-server"
        broker = self.role(server, "-a", "127.0.0.1", "-p", -1, "--ports_file_dir", ports, "-l", f"{ports}/log")
        path = f"{ports}/nats-server_{broker.process.pid}.ports"
        deadline = time.monotonic() + 10
        while True:
            try:
                with open(path) as file:
                    self.url = json.load(file)["nats"][0]
                return broker
            except (OSError, ValueError):
                if time.monotonic() > deadline or broker.process.poll() is not None:
                    raise Void("nats-server did not start")
                time.sleep(0.005)

    def command(self, what, scenario, count, *more):
        return [f"{self.bin}/nats_peer", what, "--bus", self.url, "--size", scenario.size, "--count", count,
                "--outstanding", scenario.outstanding, "--json", *more]

    def receiver(self, scenario, count, index):
        if scenario.kind == "topics":
            return self.command("subscribe", scenario, count)
        return self.command("serve", scenario, count, *self.send)

    def sender(self, scenario, count, index):
        if scenario.kind == "topics":
            return self.command("publish", scenario, count, *self.send)
        return self.command("ask", scenario, count, *self.send)


class Synod(System):
    probes = False

    def __init__(self, bin_dir, tmp, err, direct):
        super().__init__(bin_dir, tmp, err)
        self.direct = direct
        self.name = "synod" + DIRECT * direct

    def broker(self, scenario):
        broker = self.role(f"{self.bin}/synod", "broker", "--listen", "tcp://127.0.0.1:*")
        self.bus = broker.expect("listening", time.monotonic() + 10)[0]
        return broker

    def command(self, what, scenario, count, *more):
        return [f"{self.bin}/synod", "bench", what, "--bus", self.bus, "--size", scenario.size, "--count", count,
                "--outstanding", scenario.outstanding, "--json", *more]

    def receiver(self, scenario, count, index):
        if scenario.kind == "topics":
            return self.command("subscribe", scenario, count)
        more = [] if self.direct else ["--no-links"]
        return [f"{self.bin}/synod", "bench", "serve", "--bus", self.bus, "--node", f"worker-{index}", *more]

    def sender(self, scenario, count, index):
        if scenario.kind == "topics":
            return self.command("publish", scenario, count, "--wait")
        more = ["--no-links"]
        if self.direct:
            more = [word for i in range(scenario.receivers) for word in ("--link", f"worker-{i}")]
        for i in range(scenario.receivers):
            more += ["--await", f"worker-{i}/echo"]
        return self.command("ask", scenario, count, "--wait", *more)

    def check_path(self, scenario):
        """A direct run whose mail went through the broker measured something else."""
        command = [f"{self.bin}/synod", "ask", "$broker", "status", "--bus", self.bus]
        status = json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=self.err, timeout=10).stdout)
        most = BROKERED_MAX * scenario.senders * scenario.receivers
        if status["sent"] > most:
            raise Void(f"not direct: the broker passed on {status['sent']} frames, more than {most}")
