# SPDX-License-Identifier: MPL-2.0
"""Transactions beside PostgreSQL's two-phase commits and etcd's transactions: the systems, the scenarios, their table.

Each client moves money among its own accounts, one transaction at a time, so nobody waits for another's locks. An account is
a key of the table on a node of its own, a row in a database of its own, or a key of etcd. Everything keeps its data under
temporary directories on the same disk, and every run begins with empty ones.
"""
import glob
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import urllib.request

import placed
from systems import Role, Scenario, System, Void

CLIENTS = 1, 16, 64
PARTIES = 2, 4
PROTOCOLS = "2pc", "3pc", "paxos", "parallel"
COPIED = "2pc", "parallel"  # with three copies too
ACCEPTORS = 3          # F = 1
BESIDE = "postgresql"
LEAST, LEAST_AT = 3, 16   # times its two-phase commits, at so many clients, by
TWO_PHASE = "2pc", "parallel"
SYNCS, SYNCS_AT = 1, 64   # a transaction has fewer, at so many clients
SERVER_USER = "postgres"  # when the benchmark is root, which PostgreSQL refuses to be


class Postgres(System):
    """One server with its defaults, but for connections and prepared transactions; asked by its socket."""

    name = of = BESIDE
    probes = False

    def __init__(self, bin_dir, tmp, err):
        super().__init__(bin_dir, tmp, err)
        self.tools = max(glob.glob("/usr/lib/postgresql/*/bin"), default="", key=lambda at: int(at.split("/")[4]))
        self.as_user = []
        if os.geteuid() == 0:
            self.as_user = ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--clear-groups"]

    def told(self, *command):
        done = subprocess.run([*self.as_user, *command], stdout=subprocess.PIPE, stderr=self.err, timeout=60, cwd="/",
                              check=False)
        if done.returncode:
            raise Void("refused: " + " ".join(command))
        return done.stdout.decode()

    def query(self, text, database="postgres"):
        return self.told(f"{self.tools}/psql", "-X", "-A", "-t", "-h", self.dir, "-U", SERVER_USER, "-c", text, database)

    def broker(self, scenario):
        # beside the others' directory, which is closed to other users
        self.dir = tempfile.mkdtemp(prefix="synod-bench-pg-", dir=os.path.dirname(self.tmp))
        if self.as_user:
            user = pwd.getpwnam(SERVER_USER)
            os.chown(self.dir, user.pw_uid, user.pw_gid)
        data = f"{self.dir}/data"
        self.told(f"{self.tools}/initdb", "-D", data, "-U", SERVER_USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        connections = scenario.outstanding * scenario.parties + 10
        settings = {"listen_addresses": "", "unix_socket_directories": self.dir, "max_connections": connections,
                    "max_prepared_transactions": connections}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(f"{self.dir}/log", "w", encoding="ascii") as log:
            server = Role([*self.as_user, f"{self.tools}/postgres", "-D", data, *words], log)
        self.roles.append(server)

        def up():
            if server.process.poll() is not None:
                raise Void("postgres ended")
            return subprocess.run([f"{self.tools}/pg_isready", "-q", "-h", self.dir], check=False).returncode == 0
        placed.await_that(up, "postgres did not start")
        self.databases = [f"bank{i}" for i in range(scenario.parties)]
        for name in self.databases:
            self.query(f"CREATE DATABASE {name}")
        self.query("CHECKPOINT")
        return server

    def sender(self, scenario, count, index):
        names = [word for name in self.databases for word in ("--database", name)]
        return [f"{self.bin}/pg_peer", "--bus", f"host={self.dir} user={SERVER_USER}", *names, "--count", count,
                "--outstanding", scenario.outstanding, "--json"]

    def counts(self):
        return {"syncs": int(self.query("SELECT wal_sync FROM pg_stat_wal"))}

    def stop(self):
        super().stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Etcd(placed.Etcd):
    """A cluster of MEMBERS with etcd's defaults, asked at its leader."""

    def __init__(self, bin_dir, tmp, err, name, members):
        super().__init__(bin_dir, tmp, err, members)
        self.name = name

    def sender(self, scenario, count, index):
        return [f"{self.bin}/etcd_txn_peer", "--bus", self.url, "--count", count, "--outstanding", scenario.outstanding,
                "--parties", scenario.parties, "--json"]

    def counts(self):
        """Of its log, at all members."""
        syncs = 0
        for url in self.urls:
            with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
                text = answer.read().decode()
            syncs += int(float(re.search(r"^etcd_disk_wal_fsync_duration_seconds_count (\S+)", text, re.M).group(1)))
        return {"syncs": syncs}


class Txn(placed.Tally):
    """The table and the coordinators on as many durable nodes as a transaction has participants, or as there are copies. For
    Paxos Commit the first three have acceptors too; where there are two, a third node has no more than that."""

    def __init__(self, bin_dir, tmp, err, protocol, replicas=1):
        super().__init__(bin_dir, tmp, err, protocol if replicas == 1 else f"{protocol}, R={replicas}", "kv", 0, True)
        self.protocol = protocol
        self.replicas = replicas

    def ring(self, *words):
        super().ring("init", *self.nodes, "--replicas", self.replicas)

    def broker(self, scenario):
        self.count = max(scenario.parties, self.replicas)
        broker = super().broker(scenario)
        self.members = list(self.nodes)
        if self.protocol == "paxos":
            if self.count < ACCEPTORS:
                self.add("third", "paxos", "acceptor")
                self.await_node("third")
            self.told("paxos", "init", ",".join(list(self.nodes)[:ACCEPTORS]))
        return broker

    def add(self, name, *actors):
        if not actors:
            accepts = self.protocol == "paxos" and len(self.nodes) < ACCEPTORS
            actors = ("kv", "vote", *(("paxos", "acceptor") if accepts else ()))
        self.nodes[name] = self.role(f"{self.bin}/synod", "run", *actors, "--bus", self.bus, "--node", name, "--data",
                                     f"{self.dir}/{name}")

    def sender(self, scenario, count, index):
        return [f"{self.bin}/txn_peer", "--bus", self.bus, *self.links(self.members), "--protocol", self.protocol,
                "--parties", scenario.parties, "--count", count, "--outstanding", scenario.outstanding, "--json"]

    def counts(self):
        rows = [json.loads(line) for line in self.told("ls", "--json").splitlines()]
        nodes = [row for row in rows if row["node"] in self.nodes]
        if len(nodes) != len(self.nodes) or any(row["syncs"] is None for row in nodes):
            raise Void("a node does not answer")
        return {"messages": sum(row["sent"] for row in nodes), "syncs": sum(row["syncs"] for row in nodes)}


class Transactions(Scenario):
    """All of them in turns. FIRST: few, since PostgreSQL takes long for each."""

    def __init__(self, parties, clients):
        super().__init__(f"transactions, {parties} participants", "transaction", 0, receivers=0, outstanding=clients)
        self.parties = parties
        self.alone = False  # a rate at one client too
        self.count = None
        self.unit = "/s"
        self.first = 100 * clients

    def has(self, system):
        return True


def scenarios():
    for parties in PARTIES:
        for clients in CLIENTS:
            yield Transactions(parties, clients)


def systems(bin_dir, tmp, err):
    yield Postgres(bin_dir, tmp, err)
    yield Etcd(bin_dir, tmp, err, "etcd", 1)
    yield Etcd(bin_dir, tmp, err, "etcd, 3 members", 3)
    for protocol in PROTOCOLS:
        yield Txn(bin_dir, tmp, err, protocol)
    for protocol in COPIED:
        yield Txn(bin_dir, tmp, err, protocol, 3)


def verdicts(scenario, name, cell, beside):
    """What is to be reached by a protocol whose copies are one."""
    words = []
    if name in TWO_PHASE and scenario.outstanding == LEAST_AT and beside and scenario.parties == 2:
        met = cell["median"] >= LEAST * beside["median"]
        words.append(f">= {LEAST:g} times {BESIDE} ({'met' if met else 'MISSED'})")
    if name in PROTOCOLS and scenario.outstanding == SYNCS_AT:
        words.append(f"< {SYNCS:g} syncs ({'met' if cell['counts']['syncs'] < SYNCS else 'MISSED'})")
    return ", ".join(words)


def lines(rows, shown):
    """A line for each system of each scenario."""
    yield ["scenario", "clients", "system", "transactions", "p50/p99", "messages", "syncs", f"/ {BESIDE}", "target"]
    yield ["---"] * 9
    for row in rows:
        scenario, cells = row["scenario"], row["cells"]
        beside = cells.get(BESIDE)
        for name, cell in cells.items():
            counts = [f"{cell['counts'][what]:.2f}" if what in cell["counts"] else "-" for what in ("messages", "syncs")]
            ratio = f"{cell['median'] / beside['median']:.2f}" if beside else "-"
            yield [scenario.title, str(scenario.outstanding), name, shown(cell, scenario),
                   f"{cell['p50_us']:.0f}/{cell['p99_us']:.0f} us", *counts, ratio,
                   verdicts(scenario, name, cell, beside)]
