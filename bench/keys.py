# SPDX-License-Identifier: MPL-2.0
"""The cache and the table beside Redis and etcd: the systems, the scenarios and what a million keys take.

Redis' protocol is asked by redis-benchmark, the same of both; natively it is asked by kv_peer, with as many asks under way.
The other's server, its clients and ours are all on the same machine, and take turns.
"""
import csv
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import placed
from systems import Scenario, System, Void

START_S = 30
VALUE = 64
KEYS = 1_000_000
CLIENTS, PIPELINE = 50, 16
MANY = 100_000  # keys that are asked for at random on several nodes
SERVER = shutil.which("redis-server") or "/usr/bin/redis-server"
BENCHMARK = shutil.which("redis-benchmark") or "/usr/bin/redis-benchmark"
ROLE = os.path.abspath(__file__)


def answers(port):
    """Whether a server says PONG there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as sock:
            sock.settimeout(1)
            sock.sendall(b"PING\r\n")
            return sock.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


class Redis(System):
    """What is asked by redis-benchmark; a subclass starts the server."""

    of = "synod"
    probes = False

    def __init__(self, bin_dir, tmp, err, name):
        super().__init__(bin_dir, tmp, err)
        self.name = name

    def broker(self, scenario):
        self.dir = tempfile.mkdtemp(dir=self.tmp)
        self.port = placed.free_ports(1)[0]
        self.serve()
        server = self.roles[-1]

        def up():
            if server.process.poll() is not None:
                raise Void(f"{self.name} ended")
            return answers(self.port)
        placed.await_that(up, f"{self.name} did not start")
        return server

    def sender(self, scenario, count, index):
        return ["/usr/bin/python3", "-B", ROLE, "benchmark", self.port, scenario.command, scenario.clients,
                scenario.pipeline, count, scenario.keys]

    def stop(self):
        super().stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class RedisServer(Redis):
    of = "redis"

    def __init__(self, bin_dir, tmp, err, name, *settings):
        super().__init__(bin_dir, tmp, err, name)
        self.settings = settings

    def serve(self):
        self.role(SERVER, "--port", self.port, "--bind", "127.0.0.1", "--dir", self.dir, "--logfile", f"{self.dir}/log",
                  "--save", "", *self.settings)


class Cache(Redis):
    """NODES of them without a broker; asked is the first."""

    def __init__(self, bin_dir, tmp, err, name, nodes):
        super().__init__(bin_dir, tmp, err, name)
        self.nodes = nodes

    def endpoint(self, node):
        return f"ipc://{self.dir}/n{node}"

    def serve(self):
        for node in reversed(range(self.nodes)):
            peers = [word for other in range(self.nodes) if other > node for word in ("--peer", self.endpoint(other))]
            redis = ["--set", f"redis=127.0.0.1:{self.port}"] if node == 0 else []
            self.role(f"{self.bin}/synod", "run", "cache", "--node", f"n{node}", "--listen", self.endpoint(node),
                      "--set", "memory=4G", *redis, *peers)


class Native(Cache):
    """The same, asked on a bus with a broker, by a direct link."""

    def serve(self):
        broker = self.role(f"{self.bin}/synod", "broker", "--listen", f"ipc://{self.dir}/bus")
        self.bus = broker.expect("listening", time.monotonic() + placed.START_S)[0]
        self.role(f"{self.bin}/synod", "run", "cache", "--node", "n0", "--bus", self.bus, "--set", "memory=4G", "--set",
                  f"redis=127.0.0.1:{self.port}")

    def sender(self, scenario, count, index):
        get = ["--get"] if scenario.command == "get" else []
        return [f"{self.bin}/kv_peer", "--to", "cache", "--bus", self.bus, "--link", "n0", "--size", VALUE, "--count", count,
                "--outstanding", scenario.clients * scenario.pipeline, "--json", *get]


class Table(Redis):
    """One node, durable."""

    def serve(self):
        self.role(f"{self.bin}/synod", "run", "kv", "--alone", "--node", "n0", "--listen", f"ipc://{self.dir}/n0",
                  "--data", f"{self.dir}/data", "--set", f"redis=127.0.0.1:{self.port}")


class Copied(placed.Tally):
    """The table on three nodes, asked on a bus with a broker, by direct links."""

    def __init__(self, bin_dir, tmp, err, name):
        super().__init__(bin_dir, tmp, err, name, "kv", 3, True)

    def add(self, name):
        self.nodes[name] = self.role(f"{self.bin}/synod", "run", "kv", "--bus", self.bus, "--node", name, "--data",
                                     f"{self.dir}/{name}")

    def sender(self, scenario, count, index):
        return [f"{self.bin}/kv_peer", "--bus", self.bus, "--to", "kv", "--size", VALUE, "--count", count,
                "--outstanding", scenario.outstanding, "--json", *self.links()]


class Pair(placed.Pair):
    """COMMAND with CLIENTS, each with PIPELINE under way, on KEYS keys (0: the one of redis-benchmark)."""

    def __init__(self, title, other, own, least, command, clients=CLIENTS, pipeline=PIPELINE, keys=0):
        super().__init__(title, other, own, clients * pipeline, least, None)
        self.command = command
        self.clients = clients
        self.pipeline = pipeline
        self.keys = keys
        self.first = 200 * clients * pipeline


def scenarios():
    for command in "get", "set":
        yield Pair(f"cache {command.upper()}, 50 clients, -P 16", "redis", "cache", 1, command)
    for command in "get", "set":
        yield Pair(f"cache {command.upper()}, natively", "redis", "cache, native", 1.5, command)
    for nodes in 2, 4:
        yield Pair(f"cache GET of {MANY} keys, {nodes} nodes", "cache", f"cache, {nodes} nodes", 0, "get", keys=MANY)
    yield Pair("kv SET, 50 clients", "redis, always", "kv, R=1", 1, "set", pipeline=1)
    yield Pair("kv put, 16 clients", "etcd", "kv, R=3", 5, "set", clients=16, pipeline=1)


def systems(bin_dir, tmp, err):
    yield RedisServer(bin_dir, tmp, err, "redis", "--appendonly", "no")
    yield RedisServer(bin_dir, tmp, err, "redis, always", "--appendonly", "yes", "--appendfsync", "always")
    yield Cache(bin_dir, tmp, err, "cache", 1)
    yield Native(bin_dir, tmp, err, "cache, native", 1)
    for nodes in 2, 4:
        yield Cache(bin_dir, tmp, err, f"cache, {nodes} nodes", nodes)
    yield Table(bin_dir, tmp, err, "kv, R=1")
    yield placed.Etcd(bin_dir, tmp, err)
    yield Copied(bin_dir, tmp, err, "kv, R=3")


# ---- what a million keys take ----

def fill(port, keys):
    """SETs of keys of 16 bytes with values of 64, pipelined."""
    with socket.create_connection(("127.0.0.1", port), START_S) as sock:
        for first in range(0, keys, 1000):
            last = min(keys, first + 1000)
            sock.sendall(b"".join(b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$64\r\n%064d\r\n" % (i, i)
                                  for i in range(first, last)))
            left = 5 * (last - first)
            while left:
                got = len(sock.recv(left))
                if not got:
                    raise Void("the connection was closed while it was filled")
                left -= got


def info(port, name):
    with socket.create_connection(("127.0.0.1", port), START_S) as sock:
        sock.sendall(b"INFO\r\nQUIT\r\n")
        text = b""
        while more := sock.recv(65536):
            text += more
    return int(re.search(rb"%s:(\d+)" % name.encode(), text).group(1))


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def measure_memory(system, quick):
    """Resident bytes a key, and what the server itself counts, of each."""
    keys = KEYS // 10 if quick else KEYS
    got = {"keys": keys}
    for self in (RedisServer(system.bin, system.tmp, system.err, "redis", "--appendonly", "no"),
                 Cache(system.bin, system.tmp, system.err, "cache", 1)):
        try:
            server = self.broker(None)
            before, counted = resident_kb(server.process.pid), info(self.port, "used_memory")
            fill(self.port, keys)
            got[self.name] = {"resident": 1024 * (resident_kb(server.process.pid) - before) / keys,
                              "counted": (info(self.port, "used_memory") - counted) / keys}
        finally:
            self.stop()
    return got


def print_extra(extra):
    if "cache memory" in extra:
        got = extra["cache memory"]
        redis, cache = got["redis"], got["cache"]
        met = "met" if cache["resident"] <= redis["resident"] else "MISSED"
        print(f"memory of {got['keys']} keys of 16 bytes with values of 64, a key: cache {cache['resident']:.0f} bytes "
              f"resident ({cache['counted']:.0f} by its count), redis {redis['resident']:.0f} "
              f"({redis['counted']:.0f}); target no more: {met}")


# ---- redis-benchmark as a role: ready, a line to start, a line of JSON ----

def benchmark(port, command, clients, pipeline, count, keys):
    words = [BENCHMARK, "-h", "127.0.0.1", "-p", port, "-t", command, "-c", clients, "-P", pipeline, "-n", count, "-d",
             str(VALUE), "--csv", *(["-r", keys] if int(keys) else [])]
    if int(keys) and command == "get":  # so that there is something to be found
        subprocess.run([BENCHMARK, "-p", port, "-t", "set", "-c", clients, "-P", "16", "-n", str(int(keys) * 3), "-d",
                        str(VALUE), "-r", keys, "-q"], stdout=subprocess.DEVNULL, check=True)
    print("ready", flush=True)
    sys.stdin.readline()
    begin = time.monotonic_ns()
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    rows = list(csv.DictReader(done.stdout.splitlines()))
    good = done.returncode == 0 and len(rows) == 1 and "rps" in rows[0]
    rate = float(rows[0]["rps"]) if good else 1.0
    print('{"messages":%s,"lost":%d,"wrong":0,"gaps":0,"first_ns":%d,"last_ns":%d,"p50_us":%.1f,"p99_us":%.1f}' %
          (count, not good, begin, begin + int(float(count) / rate * 1e9),
           float(rows[0]["p50_latency_ms"]) * 1000 if good else 0, float(rows[0]["p99_latency_ms"]) * 1000 if good else 0))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(benchmark(*sys.argv[2:]))
