# SPDX-License-Identifier: MPL-2.0
"""Placed actors beside etcd and beside actors that are not placed: the systems, the scenarios and their tables.

Increments: clients that each add to their own counter, one at a time; etcd's clients each put their own key. Everything
that is started keeps its data under the same temporary directory, so on the same disk.
"""
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from systems import System, Void

START_S = 30
CLIENTS = (1, 16, 100)
SIZE = 64  # bytes stored for a key


def free_ports(count):
    """Ports nobody listens on; etcd must be told its peers' before it starts."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Etcd(System):
    """A cluster of three with etcd's defaults. Its clients share one connection to the leader: of one connection, one for
    every client, and numbers between, and of leader and others, that is the fastest."""

    name = "etcd"
    probes = False

    def broker(self, scenario):
        self.dir = tempfile.mkdtemp(dir=self.tmp)
        server = shutil.which("etcd") or "/usr/bin/etcd"
        peers, clients = ([f"http://127.0.0.1:{port}" for port in free_ports(6)[at::2]] for at in (0, 1))
        cluster = ",".join(f"m{i}={url}" for i, url in enumerate(peers))
        members = [self.role(server, "--name", f"m{i}", "--data-dir", f"{self.dir}/m{i}",
                             "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                             "--listen-client-urls", client, "--advertise-client-urls", client,
                             "--initial-cluster", cluster, "--initial-cluster-state", "new", "--log-level", "error",
                             "--logger", "zap", "--log-outputs", f"{self.dir}/m{i}.log")
                   for i, (peer, client) in enumerate(zip(peers, clients))]
        deadline = time.monotonic() + START_S
        while True:
            states = [self.status(url) for url in clients]
            leaders = [url for url, state in zip(clients, states)
                       if state and state.get("leader") == state["header"]["member_id"]]
            if all(states) and len({state.get("leader") for state in states}) == 1 and leaders:
                self.url = leaders[0].removeprefix("http://")
                return members[0]
            if time.monotonic() > deadline or any(member.process.poll() is not None for member in members):
                raise Void("etcd did not start")
            time.sleep(0.02)

    @staticmethod
    def status(url):
        """Of a member; None until it has answered."""
        try:
            with urllib.request.urlopen(url + "/v3/maintenance/status", b"{}", 1) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return None

    def sender(self, scenario, count, index):
        return [f"{self.bin}/etcd_peer", "--bus", self.url, "--size", scenario.size, "--count", count,
                "--outstanding", scenario.outstanding, "--json"]

    def stop(self):
        super().stop()
        shutil.rmtree(self.dir)
