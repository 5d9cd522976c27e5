# SPDX-License-Identifier: MPL-2.0
"""Locks beside etcd and Redis: the systems, the scenarios, and what locks cost that are only held.

A client has a lock of its own, which it acquires and releases again and again; or all of them want one. Clients share one
handle or connection, or have one each. Everything that is durable keeps its data under the same temporary directory.
"""
import json
import time

import keys
import placed
from systems import Void, cpu_ns

SHARED, EACH = "sessions of one node", "a connection each"
CLIENTS = 1, 16, 64
HANDOVER_US = 2000
HOLDERS, HOLDS = 1000, 10  # sessions that are only kept alive, and locks of each
HELD_MB, HELD_PERCENT = 50, 5
HELD_S = 20


class Etcd(placed.Etcd):
    """A cluster of MEMBERS with etcd's defaults, asked at its leader."""

    def __init__(self, bin_dir, tmp, err, name, members):
        super().__init__(bin_dir, tmp, err, members)
        self.name = name

    def sender(self, scenario, count, index):
        return [f"{self.bin}/etcd_lock_peer", "--bus", self.url, "--count", count, "--json", "--outstanding",
                scenario.outstanding, "--connections", scenario.connections, *scenario.one]


class Redis(keys.RedisServer):
    def sender(self, scenario, count, index):
        return [f"{self.bin}/redis_lock_peer", "--bus", f"127.0.0.1:{self.port}", "--count", count, "--json",
                "--outstanding", scenario.outstanding, "--connections", scenario.outstanding]


class Locks(placed.Tally):
    """The actor `lock` on NODES nodes of a bus with a broker; its clients have direct paths to all of them."""

    def __init__(self, bin_dir, tmp, err, name, nodes, data):
        super().__init__(bin_dir, tmp, err, name, "lock", nodes, data)

    def add(self, name):
        data = ["--data", f"{self.dir}/{name}"] if self.data else []
        self.nodes[name] = self.role(f"{self.bin}/synod", "run", "lock", "--bus", self.bus, "--node", name, *data)

    def peer(self, *words):
        return [f"{self.bin}/lock_peer", "--bus", self.bus, "--json", *self.links(), *words]

    def sender(self, scenario, count, index):
        return self.peer("--count", count, "--outstanding", scenario.outstanding, "--handles", scenario.connections,
                         *scenario.one)


class Pair(placed.Pair):
    """CLIENTS with a connection for all of them or one each. LEAST: of the rates; 0: no target."""

    one = ()

    def __init__(self, how, other, own, clients, least):
        super().__init__(f"locks, {how}", other, own, clients, least, None)
        self.connections = clients if how == EACH else 1
        self.target = least
        self.alone = False  # a rate at one client too
        self.unit = "/s"
        self.first = 200 * clients


class HandOver(Pair):
    """Of one lock that all of them want: how long nobody has it."""

    one = ("--one",)

    def __init__(self, how, other, own, clients):
        super().__init__(how, other, own, clients, 0)
        self.title = f"locks, hand-over, {how}"
        self.alone = True  # a time
        self.unit = "us"
        self.first = 100


def scenarios():
    etcd = {("etcd", "R=1"): {16: 6, 64: 8}, ("etcd, 3 members", "R=3"): {16: 6}}
    for how in SHARED, EACH:
        for (other, own), least in etcd.items():
            for clients in CLIENTS:
                yield Pair(how, other, own, clients, least.get(clients, 0))
        for other, own in ("redis, always", "R=1"), ("redis", "memory"):
            for clients in CLIENTS:
                yield Pair(how, other, own, clients, 1 if how == SHARED else 0.8)
    for how in SHARED, EACH:
        for other, own in ("etcd", "R=1"), ("etcd, 3 members", "R=3"), ("etcd", "memory"):
            yield HandOver(how, other, own, 16)


def systems(bin_dir, tmp, err):
    yield Etcd(bin_dir, tmp, err, "etcd", 1)
    yield Etcd(bin_dir, tmp, err, "etcd, 3 members", 3)
    yield Redis(bin_dir, tmp, err, "redis", "--appendonly", "no")
    yield Redis(bin_dir, tmp, err, "redis, always", "--appendonly", "yes", "--appendfsync", "always")
    yield Locks(bin_dir, tmp, err, "R=1", 1, True)
    yield Locks(bin_dir, tmp, err, "R=3", 3, True)
    yield Locks(bin_dir, tmp, err, "memory", 1, False)


def line(row, shown):
    """Its rate, and median and 99 % of a pair; of a hand-over these alone."""
    scenario, cells = row["scenario"], row["cells"]
    other, own = (cells.get(name) for name in (scenario.other, scenario.own))

    def cell(of):
        times = f", {of['p50_us']:.0f}/{of['p99_us']:.0f} us" if of and not scenario.alone else ""
        return shown(of, scenario) + times
    words = [scenario.title, str(scenario.outstanding), scenario.other, cell(other), f"{scenario.own}: {cell(own)}"]
    words.append(f"{own['median'] / other['median']:.2f}" if own and other else "-")
    if scenario.alone:
        verdict = "" if not own else " (met)" if own["median"] <= HANDOVER_US else " (MISSED)"
        return [*words, f"<= {HANDOVER_US} us{verdict}"]
    if not scenario.target:
        return [*words, ""]
    verdict = "" if not own or not other else \
        " (met)" if own["median"] / other["median"] >= scenario.target else " (MISSED)"
    return [*words, f">= {scenario.target:g}{verdict}"]


def measure_held(system, quick):
    """Resident memory of a durable node with locks that are held, and what their sessions' renewals take of a core: each
    session has its locks in one partition, or in as many as it has locks (so the service counts that many sessions)."""
    got = {}
    for how, spread in (("together", []), ("spread", ["--spread"])):
        self = Locks(system.bin, system.tmp, system.err, "R=1", 1, True)
        try:
            self.broker(None)
            pid = self.nodes["n0"].process.pid
            before = keys.resident_kb(pid)
            command = [f"{self.bin}/lock_hold", "--bus", self.bus, "--link", "n0", "--clients", HOLDERS, "--locks", HOLDS]
            peer = self.role(*command, *spread)
            peer.expect("ready", time.monotonic() + placed.START_S)
            start, begin = cpu_ns(pid), time.monotonic()
            time.sleep(HELD_S / 4 if quick else HELD_S)  # the measurement itself
            used, seconds = cpu_ns(pid) - start, time.monotonic() - begin
            resident = keys.resident_kb(pid)
            peer.start()
            told = json.loads(peer.line(time.monotonic() + placed.START_S))
            if peer.process.wait(placed.START_S) or told["lost"] or not told["renewals"]:
                raise Void("void: " + json.dumps(told))
            got[how] = {"before_mb": before / 1024, "after_mb": resident / 1024, "percent": used / 1e7 / seconds,
                        "sessions": told["sessions"], "renewals_per_second": told["renewals"] / told["seconds"]}
        finally:
            self.stop()
    return got


def print_extra(extra):
    for how, got in extra.get("locks held", {}).items():
        met = "met" if got["after_mb"] < HELD_MB and got["percent"] < HELD_PERCENT else "MISSED"
        print(f"{HOLDERS * HOLDS} locks held by {HOLDERS} clients, {how}, {got['sessions']} sessions: "
              f"{got['after_mb']:.1f} MB resident, {got['before_mb']:.1f} MB without; {got['renewals_per_second']:.0f} "
              f"renewals/s take {got['percent']:.2f} % of a core; target < {HELD_MB} MB and < {HELD_PERCENT} %: {met}")
