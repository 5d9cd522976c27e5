# SPDX-License-Identifier: MPL-2.0
"""`synod cache` on real nodes: values, deadlines, what is refused, how it is; get_or_fill of a table; a bound that holds."""
import base64
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from harness import LIMIT, TestCase  # noqa: E402


class Cache(TestCase):
    def setUp(self):
        super().setUp()
        self.bus = self.start_broker()
        for name in "c1", "c2":
            self.start_node(name, "cache", "--set", "memory=1M", "--bus", self.bus)
        self.until(lambda: len(self.stats()) == 2)

    def until(self, condition):
        end = time.monotonic() + LIMIT
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not come to that")
            time.sleep(0.05)

    def cache(self, *words):
        return self.run_synod("cache", *words, "--bus", self.bus)

    def good(self, *words):
        code, out, err = self.cache(*words)
        self.assertEqual(code, 0, (words, out, err))
        return "\n".join(out)

    def bad(self, expected, text, *words):
        code, out, err = self.cache(*words)
        self.assertEqual((code, out), (expected, []), (words, err))
        self.assertIn(text, "\n".join(err))

    def stats(self):
        code, out, err = self.cache("stats", "--json")
        self.assertEqual(code, 0, err)
        return [json.loads(line) for line in out]

    def ask(self, *words):
        code, out, err = self.run_synod("ask", *words, "--bus", self.bus)
        return code, json.loads(out[0]) if code == 0 else "\n".join(err)

    def test_values(self):
        self.good("put", "a", "hello")
        self.assertEqual(self.good("get", "a"), "hello")
        self.bad(1, "it has a value already", "put", "a", "other", "--if-absent")
        self.bad(1, "it has no value", "put", "none", "x", "--if-present")
        self.assertEqual(self.good("put", "a", "second", "--old"), "hello")
        self.good("del", "a", "none")
        self.bad(1, "a has no value", "get", "a")
        self.good("put", "t", "soon gone", "--ttl", "300ms")
        self.assertIn("until_ms", json.loads(self.good("get", "t", "--json")))
        self.until(lambda: self.cache("get", "t")[0] == 1)
        path = os.path.join(self.dir, "value")
        with open(path, "wb") as file:
            file.write(bytes(range(256)) * 256)
        self.good("put", "large", "--file", path)
        self.assertEqual(json.loads(self.good("get", "large", "--json"))["value"].keys(), {"$bin"})
        with open(path, "ab") as file:
            file.write(b"x" * 900000)
        for i in range(5):  # in pieces, whatever their home
            self.good("put", "large:%d" % i, "--file", path)
            whole = self.good("get", "large:%d" % i, "--json")
            self.assertEqual(len(base64.b64decode(json.loads(whole)["value"]["$bin"])), 65536 + 900000)
        self.assertLessEqual(max(row["keys"] for row in self.stats()), 1)  # more than one is more than 1M
        with open(path, "ab") as file:
            file.write(b"x" * 100000)
        self.bad(1, "expected a value of up to 1048576 bytes", "put", "large", "--file", path)

    def test_usage(self):
        self.bad(2, "expected get, put, del or stats, not 'nosuch'", "nosuch")
        self.bad(2, "expected `synod cache get KEY`, got 0 arguments", "get")
        self.bad(2, "--ttl means nothing with `synod cache get`", "get", "a", "--ttl", "1s")
        self.bad(2, "expected a key of", "get", "k" * 401)

    def test_refused(self):
        for words, text in ((("put", "data=x", "fence:=3"), "no fences"), (("put", "data=x", "version:=3"), "no versions"),
                            (("get", "known:=1"), "no versions"), (("put", "upload:=1", "size:=70000"), "not all here"),
                            (("upload", "upload:=1", "number:=1", "data=x"), "not here any more"),
                            (("piece", "upload:=1", "number:=0"), "not here any more"),
                            (("put", "data=x", "ttl_ms:=1", "until_ms:=1"), "got both"),
                            (("incr", "delta=x"), "delta"), (("watch", "ms:=1"), "no method")):
            code, text_of = self.ask("cache#k", *words)
            self.assertEqual(code, 1, words)
            self.assertIn(text, text_of)
        self.assertIn("cache#KEY", self.ask("cache", "get")[1])
        self.good("put", "n", "word")
        self.assertIn("not an integer", self.ask("cache#n", "incr", "delta:=1")[1])
        self.assertEqual(self.good("get", "n"), "word")
        code, out, err = self.run_synod("run", "cache", "--node", "c3", "--set", "memory=1000", "--bus", self.bus)
        self.assertNotEqual(code, 0)
        self.assertIn("memory: expected 65536 bytes or more, got 1000", "\n".join(err), out)

    def test_fill(self):
        self.start_node("k", "kv", "--alone", "--data", os.path.join(self.dir, "data"), "--bus", self.bus)
        fill = ["cache#f", "get_or_fill", "from=kv#f", "method=get", "ttl_ms:=60000"]
        self.until(lambda: self.ask(*fill)[0] == 0)
        self.assertEqual(self.ask(*fill), (0, {}))  # the table has none, and nothing is kept
        self.assertEqual(self.run_synod("kv", "put", "f", "of the table", "--bus", self.bus)[0], 0)
        self.assertEqual(self.ask(*fill)[1]["data"], {"$bin": "b2YgdGhlIHRhYmxl"})
        self.assertEqual(self.run_synod("kv", "put", "f", "later", "--bus", self.bus)[0], 0)
        self.assertEqual(self.ask(*fill)[1]["data"], {"$bin": "b2YgdGhlIHRhYmxl"})
        self.assertEqual(self.good("get", "f"), "of the table")
        self.good("del", "f")
        self.assertEqual(self.ask(*fill)[1]["data"], {"$bin": "bGF0ZXI="})
        self.assertIn("no-route", self.ask("cache#g", "get_or_fill", "from=nobody", "method=get")[1])
        self.assertIn("no-method", self.ask("cache#g", "get_or_fill", "from=kv#g", "method=nosuch")[1])

    def test_bound(self):
        handle = ["cache#%s", "put"]
        for i in range(40):
            code, _ = self.ask(handle[0] % ("big%d" % i), "put", "data=" + "x" * 60000)
            self.assertEqual(code, 0)
        rows = self.stats()
        self.assertGreater(sum(row["evicted"] for row in rows), 0)
        for row in rows:
            self.assertLessEqual(row["bytes"], 1 << 20)
            self.assertEqual(row["memory"], 1 << 20)
        self.assertEqual(sum(row["keys"] + row["evicted"] for row in rows), 40)


if __name__ == "__main__":
    unittest.main()
