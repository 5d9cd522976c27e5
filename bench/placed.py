# SPDX-License-Identifier: MPL-2.0
"""Placed actors beside etcd and beside the same actor that is not placed: the systems, the scenarios and their tables.

Increments: clients that each add to their own counter, one at a time; etcd's clients each put their own key. Everything
keeps its data under the same temporary directory, so on the same disk, and every run begins with empty directories.
"""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

from systems import Role, Scenario, System, Void

START_S = 30
SIZE = 64            # bytes stored for a key
KILLS = 20
DETECTION_MS = 3000  # three heartbeats
KEYS = 1_000_000
KEY_BYTES = 100      # stored for each of those
MOVE_S = 600


def free_ports(count):
    """Ports nobody listens on: etcd must be told its peers' before it starts."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def await_that(done, what, seconds=START_S, pause_s=0.02):
    """Until DONE () gives something; it may raise Void by itself."""
    deadline = time.monotonic() + seconds
    while not (got := done()):
        if time.monotonic() > deadline:
            raise Void(what)
        time.sleep(pause_s)
    return got


class Etcd(System):
    """A cluster, of three unless told otherwise, with etcd's defaults. Its clients share one connection to the leader: with more connections, up
    to one for each client, it is slower, as it is through another member."""

    name = of = "etcd"
    probes = False

    def __init__(self, bin_dir, tmp, err, members=3):
        super().__init__(bin_dir, tmp, err)
        self.members = members

    def broker(self, scenario):
        self.dir = tempfile.mkdtemp(dir=self.tmp)
        server = shutil.which("etcd") or "/usr/bin/etcd"
        urls = [f"http://127.0.0.1:{port}" for port in free_ports(2 * self.members)]
        peers, clients = urls[::2], urls[1::2]
        cluster = ",".join(f"m{i}={url}" for i, url in enumerate(peers))
        with open(f"{self.dir}/log", "w") as log:
            for i, (peer, client) in enumerate(zip(peers, clients)):
                self.roles.append(Role([server, "--name", f"m{i}", "--data-dir", f"{self.dir}/m{i}",
                                        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                                        "--listen-client-urls", client, "--advertise-client-urls", client,
                                        "--initial-cluster", cluster, "--initial-cluster-state", "new"], log))
        self.urls = clients
        self.url = await_that(lambda: self.leader(clients), "etcd did not start").removeprefix("http://")
        return self.roles[0]

    def leader(self, urls):
        """Its URL, once all members answer and agree on it."""
        if any(role.process.poll() is not None for role in self.roles):
            raise Void("etcd ended")
        states = []
        try:
            for url in urls:
                with urllib.request.urlopen(url + "/v3/maintenance/status", b"{}", 1) as answer:
                    states.append(json.load(answer))
        except (OSError, ValueError):
            return None
        leaders = {state.get("leader") for state in states}
        members = {state["header"]["member_id"]: url for state, url in zip(states, urls)}
        return members.get(leaders.pop()) if len(leaders) == 1 else None

    def sender(self, scenario, count, index):
        return [f"{self.bin}/etcd_peer", "--bus", self.url, "--size", scenario.size, "--count", count,
                "--outstanding", scenario.outstanding, "--json"]

    def stop(self):
        super().stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Tally(System):
    """Nodes that run the counters of tally.c: TYPE is tally (one node, not placed), tally1 or tally3 (placed)."""

    of = "synod"
    probes = False

    def __init__(self, bin_dir, tmp, err, name, actor, nodes, data):
        super().__init__(bin_dir, tmp, err)
        self.name = name
        self.actor = actor
        self.count = nodes
        self.data = data
        self.placed = actor != "tally"

    def broker(self, scenario):
        self.dir = tempfile.mkdtemp(dir=self.tmp)
        broker = self.role(f"{self.bin}/synod", "broker", "--listen", "tcp://127.0.0.1:*")
        self.bus = broker.expect("listening", time.monotonic() + START_S)[0]
        self.nodes = {}
        for i in range(self.count):
            self.add(f"n{i}")
        for name in self.nodes:
            self.await_node(name)
        if self.placed:
            self.ring("init", *self.nodes, "--replicas", self.count)
            self.await_settled()
        return broker

    def add(self, name):
        data = ["--data", f"{self.dir}/{name}"] if self.data else []
        module = f"{os.path.dirname(self.bin)}/lib/libtally.so:{self.actor}"
        self.nodes[name] = self.role(f"{self.bin}/synod", "run", module, "--bus", self.bus, "--node", name, *data)

    def links(self, names=None):
        """What gives a client a direct path to NAMES, or to all nodes."""
        return [word for name in names or self.nodes for word in ("--link", name)]

    def told(self, *words):
        """What `synod WORDS...` prints."""
        command = [str(word) for word in (f"{self.bin}/synod", *words, "--bus", self.bus)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=self.err, timeout=START_S)
        if done.returncode:
            raise Void("refused: " + " ".join(command))
        return done.stdout

    def ring(self, *words):
        self.told("ring", *words)

    def status(self):
        return json.loads(self.told("ask", "n0/ring", "status"))

    def settled(self):
        """The members' reports, when all nodes are up, in one epoch, own something, and have nothing to do."""
        status = self.status()
        members = status.get("members", [])
        todo = any(member.get(what) for member in members for what in ("unsettled", "unprepared", "behind"))
        serving = all(member.get("up") and 0 < member.get("owned", 0) == member.get("serving") for member in members)
        if (len(members) == len(self.nodes) and len({member.get("epoch") for member in members}) == 1 and serving
                and not todo and not status.get("doing")):
            return members
        return None

    def await_settled(self, seconds=START_S):
        return await_that(self.settled, "the ring did not settle", seconds, 0.1)

    def moved_bytes(self):
        return sum(member.get("bytes", 0) for member in self.status()["members"])

    def await_node(self, name):
        ask = [f"{self.bin}/synod", "ask", f"{name}/$node", "status", "--bus", self.bus, "--timeout", "1s"]

        def joined():
            if self.nodes[name].process.poll() is not None:
                raise Void(f"node {name} ended")
            return subprocess.run(ask, stdout=subprocess.DEVNULL, stderr=self.err).returncode == 0
        await_that(joined, f"node {name} did not join")

    def sender(self, scenario, count, index):
        to = [self.actor] if self.placed else ["n0/tally", "--at-node"]
        return [f"{self.bin}/tally_peer", "--bus", self.bus, "--to", *to, "--size", scenario.size, "--count", count,
                "--outstanding", scenario.outstanding, "--json"]

    def stop(self):
        super().stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Pair(Scenario):
    """Two systems, one held against the other. LEAST: of the rates; MOST: of the times at one client."""

    def __init__(self, title, other, own, clients, least, most):
        super().__init__(title, "put", SIZE, receivers=0, outstanding=clients)
        self.other = other
        self.own = own
        self.target = most if self.alone else least
        self.first = 500 * clients

    def has(self, system):
        return system.name in (self.other, self.own)


def scenarios():
    for clients in (1, 16, 100):
        yield Pair("increments, 3 nodes", "etcd", "placed, R=3", clients, 5.0, 1.0)
    for where in ("data", "memory"):
        for clients in (1, 16, 100):
            yield Pair(f"increments, 1 node, {where}", f"unplaced, {where}", f"placed, R=1, {where}", clients, 0.95, 1.05)


def systems(bin_dir, tmp, err):
    yield Etcd(bin_dir, tmp, err)
    yield Tally(bin_dir, tmp, err, "placed, R=3", "tally3", 3, True)
    for where in ("data", "memory"):
        yield Tally(bin_dir, tmp, err, f"unplaced, {where}", "tally", 1, where == "data")
        yield Tally(bin_dir, tmp, err, f"placed, R=1, {where}", "tally1", 1, where == "data")


def line(row, shown):
    scenario, cells = row["scenario"], row["cells"]
    other, own = (cells.get(name) for name in (scenario.other, scenario.own))
    words = [scenario.title, str(scenario.outstanding), scenario.other, shown(other, scenario), shown(own, scenario)]
    bound = "<=" if scenario.alone else ">="
    if not other or not own:
        return [*words, "-", f"{bound} {scenario.target:g}"]
    got = own["median"] / other["median"]
    met = got <= scenario.target if scenario.alone else got >= scenario.target
    return [*words, f"{got:.2f}", f"{bound} {scenario.target:g} ({'met' if met else 'MISSED'})"]


def three_nodes(system):
    """Three nodes with placed counters, beside SYSTEM."""
    return Tally(system.bin, system.tmp, system.err, "placed, R=3", "tally3", 3, True)


def measure_failover(system, quick):
    """From the kill of a key's owner until the key answers again; the owner then comes back before the next kill."""
    self, outages = three_nodes(system), []
    try:
        self.broker(None)
        for i in range(KILLS // 4 if quick else KILLS):
            key = f"bench/outage{i}"
            peer = self.role(f"{self.bin}/tally_peer", "--bus", self.bus, "--to", self.actor, "--outage", key,
                             "--quiet", START_S * 1000)
            owner = peer.expect("ready", time.monotonic() + START_S)[0]
            self.nodes[owner].process.send_signal(signal.SIGKILL)
            peer.start()
            outages.append(json.loads(peer.line(time.monotonic() + START_S + 5))["outage_ms"])
            if peer.process.wait(START_S):
                raise Void(f"{key} was added to, and that was lost")
            self.roles.remove(self.nodes[owner])
            self.nodes[owner].end()
            self.add(owner)
            self.await_node(owner)
            self.await_settled()
        return {"median_ms": statistics.median(outages), "max_ms": max(outages), "kills": len(outages)}
    finally:
        self.stop()


def measure_move(system, quick):
    """A fourth node joins three that hold KEYS keys; until the ring is settled."""
    self, keys = three_nodes(system), KEYS // 20 if quick else KEYS
    try:
        self.broker(None)
        filler = self.role(f"{self.bin}/tally_peer", "--bus", self.bus, "--to", self.actor, "--distinct", "--size",
                           KEY_BYTES, "--count", keys, "--outstanding", 500, "--json")
        filler.expect("ready", time.monotonic() + START_S)
        filler.start()
        filled = json.loads(filler.line(time.monotonic() + MOVE_S))
        if filler.process.wait(START_S):
            raise Void("void: " + json.dumps(filled))
        self.add("n3")
        self.await_node("n3")
        before, begin = self.moved_bytes(), time.monotonic()
        self.ring("join", "n3")
        self.await_settled(MOVE_S)
        return {"keys": keys, "seconds": time.monotonic() - begin, "bytes": self.moved_bytes() - before,
                "filled_per_second": filled["per_second"]}
    finally:
        self.stop()


def print_extra(extra):
    if "failover" in extra:
        got, most = extra["failover"], DETECTION_MS + 1000
        print(f"failover: {got['median_ms']:.0f} ms until a key of a killed owner answers, {got['max_ms']:.0f} at most of "
              f"{got['kills']}; target <= {most}: {'met' if got['max_ms'] <= most else 'MISSED'}")
    if "move" in extra:
        got = extra["move"]
        copies = got["keys"] * 3 // 4
        payload_mb = copies * (KEY_BYTES + len("bench/00000000")) / 1e6
        print(f"move: {got['keys']} keys of {KEY_BYTES} bytes on three nodes, a fourth joins and gets three quarters: "
              f"{got['seconds']:.1f} s, {copies / got['seconds']:.0f} keys/s, {payload_mb / got['seconds']:.1f} MB/s; "
              f"sent as snapshots {got['bytes'] / 1e6:.1f} MB, for {payload_mb:.1f} MB of keys and values; the keys were "
              f"added at {got['filled_per_second']}/s")
