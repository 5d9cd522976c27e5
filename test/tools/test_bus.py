# SPDX-License-Identifier: MPL-2.0
"""The commands at work on real buses: the same tests through a broker and without one."""
import json
import os
import re
import signal
import socket
import unittest

from harness import BUILD, TestCase

MODULE = os.path.join(BUILD, "lib", "libtest_settings.so")


class Commands:
    """What holds with a broker and without; self.bus are the options of whoever joins."""

    def ask(self, *words, limit=20.0):
        return self.run_synod("ask", *words, *self.bus, limit=limit)

    def reader(self, command, *words):
        program = self.synod(command, *words, *self.bus)
        program.wait_line("err", "^ready$")
        return program

    # ---- ask and tell ----

    def test_ask(self):
        code, out, err = self.ask("n1/echo", "echo", "data=Grüße")
        self.assertEqual((code, out, err), (0, ['{"data":"Grüße"}'], []))
        code, out, _ = self.ask("echo", "echo", 'data:={"a":[1,-2,2.5,null,true],"b":{"$bin":"AP8="}}')
        self.assertEqual((code, json.loads(out[0])["data"]), (0, {"a": [1, -2, 2.5, None, True], "b": {"$bin": "AP8="}}))
        with open(os.path.join(self.dir, "bytes"), "wb") as file:
            file.write(bytes(range(256)))
        code, out, _ = self.ask("echo", "echo", "data=@bytes")
        self.assertEqual(code, 0)
        self.assertIn('"$bin"', out[0])
        code, out, _ = self.ask("echo", "echo", "data=1", "--json")
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(out[0]), {"code": "ok", "from": "n1/echo", "body": {"data": "1"}})

    def test_ask_errors(self):
        for to, method, words, exit_code, name in [
                ("nobody", "echo", [], 3, "no-route"), ("n1/nobody", "echo", [], 3, "no-route"),
                ("nowhere/echo", "echo", [], 3, "no-route"), ("echo", "frob", [], 1, "no-method"),
                ("notebook", "refuse", [], 1, "refused")]:
            # the nobody of a bus without a broker might still come: that takes the whole time
            code, out, err = self.ask(to, method, *words, "--timeout", "1s")
            self.assertEqual((code, out), (exit_code, []), err)
            self.assertRegex(err[-1], "^synod: %s: ." % name)
        code, out, err = self.ask("notebook", "refuse", "--json")
        self.assertEqual(code, 1)
        answer = json.loads(out[0])
        self.assertEqual((answer["code"], answer["message"], answer["body"]), ("refused", "not today", None))
        self.assertEqual(err, ["synod: refused: not today"])

    def test_tell(self):
        for i in range(1, 4):
            self.assertEqual(self.run_synod("tell", "n1/notebook", "note", *self.bus), (0, [], []))
            # the tell is on its way; asks of another sender do not wait for it
            for _ in range(200):
                code, out, err = self.ask("n1/notebook", "told")
                self.assertEqual(code, 0, err)
                if json.loads(out[0])["count"] >= i:
                    break
            self.assertEqual(json.loads(out[0]), {"count": i})
        code, out, err = self.run_synod("tell", "nobody", "note", "--timeout", "500ms", *self.bus)
        self.assertEqual((code, out), (3, []))
        self.assertRegex(err[0], "^synod: no-route: nobody was at nobody")

    # ---- topics ----

    def test_pub_and_sub(self):
        wide = self.reader("sub", "news.>", "--json", "--count", "3")
        narrow = self.reader("sub", "news.*.today", "--count", "1")
        for words in (["news.sport", "score=1"], ["news.sport.today", "goal", "by=x", "n:=2"], ["other", "a=1"],
                      ["news.z.end"]):
            self.assertEqual(self.run_synod("pub", *words, *self.bus), (0, [], []))
        self.assertEqual(narrow.wait(), 0)
        self.assertEqual(narrow.out(), ['news.sport.today goal {"by":"x","n":2}'])
        self.assertEqual(wide.wait(), 0)
        got = {}
        for line in wide.out():
            line = json.loads(line)
            got[line["topic"]] = (line["method"], line["body"])
            self.assertTrue(line["from"])
        self.assertEqual(got, {"news.sport": ("message", {"score": "1"}), "news.sport.today": ("goal", {"by": "x", "n": 2}),
                               "news.z.end": ("message", {})})

    def test_many_publications_in_order(self):
        reader = self.reader("sub", "n", "--count", "2000")
        self.assertEqual(self.run_synod("pub", "n", "x=y", "--count", "2000", *self.bus)[0], 0)
        self.assertEqual(reader.wait(), 0, reader.story()[-500:])
        self.assertEqual(reader.out(), ['n message {"x":"y"}'] * 2000)
        self.assertEqual(reader.err(), ["ready"])

    def test_sub_ends(self):
        reader = self.reader("sub", "n", "--idle", "100ms")
        self.assertEqual(reader.wait(), 0)
        reader = self.reader("sub", "n", "--idle", "100ms", "--count", "1")
        self.assertEqual(reader.wait(), 3)
        for number in (signal.SIGINT, signal.SIGTERM):
            for command in (["sub", "n"], ["sniff"]):
                self.assertEqual(self.stop(self.reader(*command), number), 0)

    # ---- what is there, and what passes ----

    def test_ls(self):
        code, out, err = self.run_synod("ls", *self.bus)
        self.assertEqual((code, err), (0, []))
        self.assertEqual(out[0].split(), ["NODE", "UPTIME", "QUEUED", "DROPPED", "ACTORS"])
        row = [line for line in out if line.startswith("n1 ")][0].split()
        self.assertRegex(row[1], r"^\d+\.\ds$")
        self.assertEqual(sorted(row[4:]), ["echo", "notebook"])
        code, out, _ = self.run_synod("ls", "--json", *self.bus)
        self.assertEqual(code, 0)
        rows = {row["node"]: row for row in map(json.loads, out)}
        self.assertEqual(sorted(rows["n1"]["actors"]), ["echo", "notebook"])
        self.assertGreater(rows["n1"]["uptime_ms"], 0)
        self.assertGreater(rows["n1"]["incarnation"], 0)
        self.assertEqual(rows["n1"]["malformed"], 0)

    def wait_for_node(self, name):
        for _ in range(100):
            if any(line.startswith(name + " ") for line in self.run_synod("ls", *self.bus)[1]):
                return
        self.fail("ls never showed %s" % name)

    def test_sniff(self):
        sniffer = self.reader("sniff")
        self.assertEqual(self.ask("n1/echo", "echo", "data=hello")[0], 0)
        self.assertEqual(self.run_synod("tell", "n1/notebook", "note", "a=b", *self.bus)[0], 0)
        self.assertEqual(self.run_synod("pub", "news.a", "goal", "n:=7", *self.bus)[0], 0)
        line = sniffer.wait_line("out", r"\bask\b.*\becho\b.*hello")
        self.assertRegex(line, r"n1/echo")
        self.assertRegex(line, r"^\S*\d\d:\d\d:\d\d")
        self.assertRegex(line, r"\b\d+$")  # the size
        sniffer.wait_line("out", r"n1/echo.*\breply\b.*hello")
        sniffer.wait_line("out", r'n1/notebook.*\btell\b.*note.*"a":"b"')
        sniffer.wait_line("out", r'news\.a.*\bpublish\b.*goal.*"n":7')
        self.assertEqual(self.stop(sniffer, signal.SIGINT), 0)

    def test_sniff_json(self):
        sniffer = self.reader("sniff", "--json", "--count", "1")
        # heartbeats pass too: any line will do, as long as it is an object with the kind of a message
        self.assertEqual(self.ask("n1/echo", "echo", "data=hello")[0], 0)
        self.assertEqual(sniffer.wait(), 0)
        self.assertEqual(len(sniffer.out()), 1)
        self.assertIn(json.loads(sniffer.out()[0])["kind"], ("ask", "reply", "error", "tell", "publish", "mark"))

    # ---- run ----

    def test_run_with_settings(self):
        self.start_node("n3", MODULE + ":speaker", "--set", "word=a=b", "--set", "times=2", "--set", "loud=true",
                        "--set", "rate=3", *self.bus_of("n3"))
        code, out, err = self.ask("n3/speaker", "show")
        self.assertEqual(code, 0, err)
        self.assertEqual(json.loads(out[0]), {"word": "a=b", "times": 2, "rate": 3.0, "loud": True})
        code, out, _ = self.ask("n3/notebook", "told", "--timeout", "1s")
        self.assertEqual(code, 3)  # only the one that was named runs

    def test_run_ends(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            node = self.start_node("n4", "echo", MODULE, "--set", "word=x", *self.bus_of("n4"))
            self.assertEqual(self.ask("n4/echo", "echo", "data=1")[0], 0)
            self.assertEqual(self.stop(node, number), 0, node.story())
            self.assertNotIn("n4", " ".join(self.run_synod("ls", *self.bus)[1]))


    def test_second_signal(self):
        """Both signals wait for a program that stands still: the second ends it at once."""
        for program in (self.start_node("n5", "echo", *self.bus_of("n5")), self.reader("sub", "n"),
                        self.reader("sniff")):
            program.signal(signal.SIGSTOP)
            program.signal(signal.SIGINT)
            program.signal(signal.SIGTERM)
            program.signal(signal.SIGCONT)
            self.assertIn(program.wait(), (128 + signal.SIGINT, 128 + signal.SIGTERM), program.story())

    def test_run_notifies(self):
        """The service manager hears when the node has joined, and when it ends."""
        path = os.path.join(self.dir, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(10)
            self.env["NOTIFY_SOCKET"] = path
            node = self.start_node("n6", "echo", *self.bus_of("n6"))
            self.assertIn("READY=1", manager.recv(1000).decode().splitlines())
            self.assertEqual(self.stop(node), 0, node.story())
            self.assertIn("STOPPING=1", manager.recv(1000).decode().splitlines())

    # ---- asks, replies, tells, publications and drops, as JSON ----

    def test_sniff_kinds(self):
        sniffer = self.reader("sniff", "--json")
        self.assertEqual(self.ask("n1/echo", "echo", "data=hello")[0], 0)
        self.assertEqual(self.ask("n1/echo", "frob")[0], 1)
        self.assertEqual(self.run_synod("tell", "n1/notebook", "note", *self.bus)[0], 0)
        self.assertEqual(self.run_synod("pub", "news.a", *self.bus)[0], 0)
        for kind in ("ask", "reply", "error", "tell", "publish"):
            json.loads(sniffer.wait_line("out", '"kind": ?"%s"' % kind))
        self.assertEqual(self.stop(sniffer), 0)


    def test_sniff_drops(self):
        """What is lost is shown too: who lost it, whose it was, why, how many."""
        sniffer, lines = self.reader("sniff"), self.reader("sniff", "--json")
        self.assertEqual(self.run_synod("tell", "n1/notebook", "frob", *self.bus)[0], 0)
        sniffer.wait_line("out", r"^\S+ n1 \$bus\.drop publish drop .*no such method")
        line = json.loads(lines.wait_line("out", r'"to": ?"\$bus\.drop".*no such method'))
        self.assertEqual((line["from"], line["kind"], line["method"], line["body"]["count"]), ("n1", "publish", "drop", 1))
        self.assertRegex(line["body"]["from"], "^synod-.*/[$]handle$")
        self.assertEqual(line["body"]["to"], "notebook")


class Brokered(Commands, TestCase):
    def setUp(self):
        super().setUp()
        self.bus = ["--bus", self.start_broker()]
        self.node = self.start_node("n1", "echo", MODULE + ":notebook", *self.bus)

    def bus_of(self, _):
        return self.bus

    def test_ls_shows_the_broker(self):
        row = [line for line in self.run_synod("ls", *self.bus)[1] if line.startswith("$broker ")][0].split()
        self.assertRegex(row[1], r"^\d+\.\ds$")

    def test_environment(self):
        self.env["SYNOD_BUS"] = self.bus[1]
        self.assertEqual(self.run_synod("ask", "echo", "echo", "data=1")[0], 0)

    def test_name_taken(self):
        code, _, err = self.run_synod("run", "echo", "--node", "n1", *self.bus)
        self.assertEqual(code, 1, err)
        self.assertRegex(err[-1], "^synod: name-taken: ")

    def test_no_broker(self):
        nowhere = ["--bus", "ipc://%s/nobody" % self.dir, "--timeout", "300ms"]
        for words in (["ask", "echo", "echo"], ["tell", "echo", "echo"], ["pub", "a"], ["sub", "a"], ["ls"], ["sniff"],
                      ["run", "echo"]):
            code, out, err = self.run_synod(*words, *nowhere)
            self.assertEqual((code, out), (3, []), err)
            self.assertRegex(err[-1], "^synod: (timeout|no-route): ")

    def test_ls_with_a_node_that_does_not_answer(self):
        """Without a broker nobody vouches for a node that a newcomer has not heard of itself."""
        node = self.start_node("n2", "echo", *self.bus_of("n2"))
        self.wait_for_node("n2")
        node.signal(signal.SIGSTOP)
        code, out, err = self.run_synod("ls", "--timeout", "700ms", *self.bus)
        node.signal(signal.SIGCONT)
        self.assertEqual((code, err), (0, []))
        row = [line for line in out if line.startswith("n2 ")][0].split()
        self.assertEqual(row, ["n2", "?", "?", "?", "echo"])


class Direct(Commands, TestCase):
    def setUp(self):
        super().setUp()
        self.bus = ["--peer", self.endpoint("n1")]
        self.node = self.start_node("n1", "echo", MODULE + ":notebook", "--listen", self.endpoint("n1"))

    def endpoint(self, name):
        return "ipc://%s/%s" % (self.dir, name)

    def bus_of(self, name):
        return ["--listen", self.endpoint(name)] + self.bus

    def test_through_another(self):
        """A node is found through the one peer that is known."""
        self.start_node("n5", "echo", *self.bus_of("n5"))
        code, out, err = self.ask("n5/echo", "echo", "data=1")
        self.assertEqual((code, out), (0, ['{"data":"1"}']), err)


if __name__ == "__main__":
    unittest.main()
