# SPDX-License-Identifier: MPL-2.0
"""Redis' own tools on real nodes: a cache on two of them, each asked for all keys; the table; and clients that misbehave."""
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from harness import LIMIT, TestCase  # noqa: E402

CLI, BENCHMARK = shutil.which("redis-cli"), shutil.which("redis-benchmark")
MANY = 300  # keys


def request(*words):
    out = b"*%d\r\n" % len(words)
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        out += b"$%d\r\n%s\r\n" % (len(word), word)
    return out


class Redis(TestCase):
    def setUp(self):
        super().setUp()
        self.ports = {}

    def up(self, name, *words, what="cache"):
        """A node that listens for Redis' clients; its port is in self.ports."""
        node = self.start_node(name, what, "--set", "redis=127.0.0.1:0", *words)
        line = node.wait_line("err", r"listens at 127\.0\.0\.1:\d+")
        self.ports[name] = int(re.search(r":(\d+)$", line).group(1))
        return node

    def two(self):
        endpoint = self.start_broker()
        self.up("n1", "--bus", endpoint)
        self.up("n2", "--bus", endpoint)
        self.until(lambda: all(len(self.run_synod("ls", "--bus", endpoint)[1]) >= 2 for _ in "x"))
        return endpoint

    def until(self, condition):
        end = time.monotonic() + LIMIT
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not come to that")
            time.sleep(0.05)

    def cli(self, name, *words, given=None):
        done = subprocess.run([CLI, "-p", str(self.ports[name]), *map(str, words)], input=given, timeout=LIMIT,
                              capture_output=True, text=True, check=False)
        return done.stdout.rstrip("\n")

    def benchmark(self, name, *words):
        done = subprocess.run([BENCHMARK, "-p", str(self.ports[name]), *map(str, words)], timeout=60,
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("rror", done.stdout + done.stderr)
        return done.stdout

    def connect(self, name):
        sock = socket.create_connection(("127.0.0.1", self.ports[name]), LIMIT)
        self.addCleanup(sock.close)
        return sock

    def read(self, sock, size):
        got = b""
        while len(got) < size:
            more = sock.recv(size - len(got))
            if not more:
                break
            got += more
        return got


@unittest.skipUnless(CLI and BENCHMARK, "redis-tools are not installed")
class Cache(Redis):
    def test_tools_on_two_nodes(self):
        self.two()
        lines = "".join("SET key:%d value-%d\n" % (i, i) for i in range(MANY))
        self.assertEqual(self.cli("n1", given=lines), "\n".join(["OK"] * MANY))
        # each key has one home, and is answered by whoever is asked
        for name in "n1", "n2":
            got = self.cli(name, given="".join("GET key:%d\n" % i for i in range(MANY)))
            self.assertEqual(got.split("\n"), ["value-%d" % i for i in range(MANY)])
        sizes = [int(self.cli(name, "DBSIZE")) for name in ("n1", "n2")]
        self.assertEqual(sum(sizes), MANY)
        self.assertGreater(min(sizes), MANY // 5)
        found = self.cli("n1", "--scan", "--pattern", "key:*").split() + self.cli("n2", "--scan").split()
        self.assertEqual(sorted(found), sorted("key:%d" % i for i in range(MANY)))
        # one command, keys of both
        keys = ["key:%d" % i for i in range(20)]
        self.assertEqual(self.cli("n2", "MGET", *keys).split("\n"), ["value-%d" % i for i in range(20)])
        self.assertEqual(self.cli("n1", "DEL", *keys, "none"), "20")
        self.assertEqual(self.cli("n2", "EXISTS", *keys), "0")
        self.assertEqual(self.cli("n1", "MSET", *[word for key in keys for word in (key, "7")]), "OK")
        for key in keys:
            self.assertEqual(self.cli("n2", "INCRBY", key, "35"), "42")
            self.assertEqual(self.cli("n1", "EXPIRE", key, "100"), "1")
            self.assertIn(self.cli("n2", "TTL", key), ("99", "100"))
            self.assertEqual(self.cli("n2", "PERSIST", key), "1")
            self.assertEqual(self.cli("n1", "TTL", key), "-1")
            self.assertEqual(self.cli("n1", "INCRBY", key, "x"),
                             "ERR value is not an integer or out of range\n".rstrip("\n"))

    def test_errors_of_other_nodes(self):
        self.two()
        for i in range(20):
            self.cli("n1", "SET", "n:%d" % i, "9223372036854775807")
            for name in "n1", "n2":
                self.assertEqual(self.cli(name, "INCR", "n:%d" % i), "ERR increment or decrement would overflow")
                self.assertEqual(self.cli(name, "APPEND", "n:%d" % i, ""), "19")

    def test_large_values_of_other_nodes(self):
        self.two()
        sock, other = self.connect("n1"), self.connect("n2")
        for i, size in enumerate((65536, 65537, 200000, 300000, 1048576, 65536 * 2, 65536 * 3 + 1, 70000)):
            value, next_value = bytes([65 + i]) * size, b"-" * (size + 1 if size < 1048576 else size)
            sock.sendall(request("SET", "large:%d" % i, value))
            self.assertEqual(self.read(sock, 5), b"+OK\r\n")
            for words, expected in (("GET", "large:%d" % i), value), (("GETSET", "large:%d" % i, next_value), value), \
                    (("GETDEL", "large:%d" % i), next_value):
                expected = b"$%d\r\n%s\r\n" % (len(expected), expected)
                other.sendall(request(*words))
                self.assertTrue(self.read(other, len(expected)) == expected, (i, words[0]))
        self.assertEqual([self.cli(name, "--scan") for name in ("n1", "n2")], ["", ""])

    def test_replies_in_order(self):
        self.two()
        sock = self.connect("n1")
        sent, expected = [], []
        for i in range(2000):
            sent.append(request("SET", "o:%d" % (i % 97), i) + request("GET", "o:%d" % (i % 97)) + request("ECHO", i))
            expected.append("+OK\r\n$%d\r\n%d\r\n$%d\r\n%d\r\n" % (len(str(i)), i, len(str(i)), i))
        sock.sendall(b"".join(sent))
        expected = "".join(expected).encode()
        self.assertEqual(self.read(sock, len(expected)), expected)

    def test_benchmark(self):
        self.two()
        for name in "n1", "n2":
            out = self.benchmark(name, "-q", "-P", 16, "-c", 50, "-n", 20000, "-r", 1000, "-t",
                                 "ping,set,get,incr,mset")
            self.assertEqual(len(re.findall("requests per second", out)), 6, out)

    def test_clients_that_leave(self):
        self.two()
        for _ in range(20):
            sock = self.connect("n1")
            sock.sendall(b"".join(request("GET", "k%d" % i) for i in range(100)) + b"*3\r\n$3\r\nSE")
            sock.close()
        # half closed: what was asked is answered, then it ends
        sock = self.connect("n1")
        sock.sendall(b"".join(request("ECHO", "e%d" % i) + request("GET", "k%d" % i) for i in range(100)))
        sock.shutdown(socket.SHUT_WR)
        got = self.read(sock, 1 << 20)
        self.assertTrue(got.endswith(b"$3\r\ne99\r\n$-1\r\n"), got[-60:])
        self.until(lambda: re.search(r"connected_clients:1\r?$", self.cli("n1", "INFO", "clients"), re.M))

    def test_garbage(self):
        endpoint = self.start_broker()
        self.up("n1", "--bus", endpoint)
        for sent, got in ((b"*1\r\n$x\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
                          (b"PING\r\n*2\r\nfoo\r\nPING\r\n", b"+PONG\r\n-ERR Protocol error: expected '$', got 'f'\r\n"),
                          (b"x" * 70000, b"-ERR Protocol error: too big inline request\r\n"),
                          (b"GET '\r\n", b"-ERR Protocol error: unbalanced quotes in request\r\n")):
            sock = self.connect("n1")
            sock.sendall(sent)
            self.assertEqual(self.read(sock, 1000), got)
        self.assertEqual(self.cli("n1", "PING"), "PONG")

    def test_who_does_not_read(self):
        """The node keeps what waits for it within bounds, and serves the others."""
        endpoint = self.start_broker()
        node = self.up("n1", "--bus", endpoint)
        self.assertEqual(self.cli("n1", "-x", "SET", "large", given="x" * 1000000), "OK")
        sock = self.connect("n1")
        sock.settimeout(2)
        sent, get = 0, request("GET", "large")
        try:
            while sent < 4000000:
                sock.sendall(get * 100)
                sent += 100
        except OSError:
            pass  # held back
        self.assertLess(sent, 4000000)
        with open("/proc/%d/status" % node.process.pid, encoding="ascii") as file:
            self.assertLess(int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)), 400 * 1024)
        self.assertEqual(self.cli("n1", "STRLEN", "large"), "1000000")
        # then it reads after all
        sock.settimeout(LIMIT)
        self.assertEqual(self.read(sock, 1000012 * 5)[:10], b"$1000000\r\n")

    def test_where_it_cannot_listen(self):
        endpoint = self.start_broker()
        self.up("n1", "--bus", endpoint)
        for at, why in (("127.0.0.1:%d" % self.ports["n1"], "Address already in use"),
                        ("127.0.0.1", "expected HOST:PORT"), ("127.0.0.1:x", "expected HOST:PORT"),
                        ("127.0.0.1:70000", "expected HOST:PORT"), ("nosuch.invalid:1", "not known|failure|No address")):
            code, out, err = self.run_synod("run", "cache", "--node", "n2", "--set", "redis=" + at, "--bus", endpoint)
            self.assertEqual((code != 0, out), (True, []))
            self.assertRegex("\n".join(err), "actor cache cannot listen at %s: .*(%s)" % (re.escape(at), why))

    def test_a_node_that_stops(self):
        endpoint = self.start_broker()
        node = self.up("n1", "--bus", endpoint)
        idle = self.connect("n1")
        self.assertEqual(self.cli("n1", "SET", "a", "1"), "OK")
        self.assertEqual(self.stop(node), 0)
        self.assertEqual(self.read(idle, 1), b"")


@unittest.skipUnless(CLI and BENCHMARK, "redis-tools are not installed")
class Table(Redis):
    def alone(self):
        return self.up("k1", "--alone", "--data", os.path.join(self.dir, "data"), "--listen",
                       "ipc://%s/k1" % self.dir, what="kv")

    def test_durable(self):
        node = self.alone()
        self.assertEqual(self.cli("k1", given="".join("SET key:%d %d\n" % (i, i) for i in range(MANY))),
                         "\n".join(["OK"] * MANY))
        self.assertEqual(self.cli("k1", "EXPIRE", "key:7", "1000"), "1")
        self.assertEqual(self.cli("k1", "INCR", "key:8"), "9")
        self.assertEqual(self.cli("k1", "DEL", "key:9", "none"), "1")
        node.signal(9)
        node.wait()
        self.alone()
        self.assertEqual(self.cli("k1", "GET", "key:8"), "9")
        self.assertEqual(self.cli("k1", "GET", "key:9"), "")
        self.assertIn(self.cli("k1", "TTL", "key:7"), [str(i) for i in range(900, 1001)])
        self.assertEqual(self.cli("k1", "PERSIST", "key:7"), "1")
        self.assertEqual(self.cli("k1", "TTL", "key:7"), "-1")
        found = self.cli("k1", "--scan", "--pattern", "key:1*").split()
        self.assertEqual(sorted(found), sorted("key:%d" % i for i in range(MANY) if str(i)[0] == "1"))
        found = self.cli("k1", "--scan").split()  # no pattern, where there was one before
        self.assertEqual(sorted(found), sorted("key:%d" % i for i in range(MANY) if i != 9))

    def test_benchmark(self):
        self.alone()
        out = self.benchmark("k1", "-q", "-P", 16, "-c", 20, "-n", 5000, "-r", 1000, "-t", "set,get,incr,mset")
        self.assertEqual(len(re.findall("requests per second", out)), 4, out)

    def test_large_values(self):
        self.alone()
        sock = self.connect("k1")
        values = [bytes([65 + i]) * size for i, size in enumerate((65536, 65537, 300000, 1048576))]
        for i, value in enumerate(values):
            sock.sendall(request("SET", "large:%d" % i, value))
            self.assertEqual(self.read(sock, 5), b"+OK\r\n")
        sock.sendall(request("MGET", *["large:%d" % i for i in range(4)], "none"))
        expected = b"*5\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(value), value) for value in values) + b"$-1\r\n"
        self.assertTrue(self.read(sock, len(expected)) == expected)
        self.assertEqual(self.cli("k1", "STRLEN", "large:3"), "1048576")
        self.assertEqual(self.cli("k1", "APPEND", "large:2", "x" * 10), "300010")
        for words, value in (("GETSET", "large:1", b"y" * 100000), values[1]), (("GETDEL", "large:1"), b"y" * 100000), \
                (("GETDEL", "large:2"), values[2] + b"x" * 10):
            sock.sendall(request(*words))
            expected = b"$%d\r\n%s\r\n" % (len(value), value)
            self.assertTrue(self.read(sock, len(expected)) == expected, words)
        sock.sendall(request("SET", "too-large", b"x" * 1048577)[:50])
        self.assertEqual(self.read(sock, 1000), b"-ERR Protocol error: invalid bulk length\r\n")
        # one is replaced while it is read
        sock, other = self.connect("k1"), self.connect("k1")
        for i in range(20):
            other.sendall(request("SET", "r", bytes([65 + i]) * (200000 + i)))
            sock.sendall(request("GET", "r") * 3)
        sizes = []
        for i in range(60):
            head = b""
            while not head.endswith(b"\r\n"):
                head += self.read(sock, 1)
            size = int(head[1:])
            value = self.read(sock, size + 2)[:-2] if size >= 0 else b""
            self.assertEqual(len(set(value)), 1 if size >= 0 else 0)
            sizes.append(size)
        self.assertTrue(all(size == -1 or 200000 <= size < 200020 for size in sizes), sizes)

    def test_three_nodes(self):
        endpoint = self.start_broker()
        for name in "k1", "k2", "k3":
            self.up(name, "--bus", endpoint, "--heartbeat", "200ms", "--data", os.path.join(self.dir, "data-" + name),
                    what="kv")
        code, _, err = self.run_synod("ring", "init", "k1", "k2", "k3", "--wait", "--timeout", "20s", "--bus", endpoint,
                                      limit=40)
        self.assertEqual(code, 0, err)
        lines = "".join("SET key:%d value-%d\n" % (i, i) for i in range(MANY))
        self.assertEqual(self.cli("k1", given=lines), "\n".join(["OK"] * MANY))
        for name in self.ports:
            got = self.cli(name, given="".join("GET key:%d\n" % i for i in range(MANY)))
            self.assertEqual(got.split("\n"), ["value-%d" % i for i in range(MANY)])
            self.assertEqual(self.cli(name, "INCR", "counter"), str(1 + list(self.ports).index(name)))
        found = self.cli("k2", "--scan", "--pattern", "key:*").split()
        self.assertEqual(sorted(found), sorted("key:%d" % i for i in range(MANY)))
        out = self.benchmark("k3", "-q", "-P", 4, "-c", 20, "-n", 2000, "-r", 1000, "-t", "set,get,incr")
        self.assertEqual(len(re.findall("requests per second", out)), 3, out)

    def test_order_of_one_key(self):
        self.alone()
        sock = self.connect("k1")
        sock.sendall(b"".join(request("INCR", "n") + request("GET", "n") for _ in range(300)))
        expected = b"".join(b":%d\r\n$%d\r\n%d\r\n" % (i, len(str(i)), i) for i in range(1, 301))
        self.assertEqual(self.read(sock, len(expected)), expected)


if __name__ == "__main__":
    unittest.main()
