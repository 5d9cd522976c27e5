# SPDX-License-Identifier: MPL-2.0
"""`synod ring` on real processes: made, shown, asked what if, changed and grown; and each mistake with its sentence."""
import json
import os
import shutil
import signal
import time
import unittest

from harness import BUILD, LIMIT, TestCase

COUNTER = os.path.join(BUILD, "lib", "libplaced_counter.so")
KEYS = ["key-%d" % i for i in range(40)]


class Ring(TestCase):
    """With a broker; RingDirect below repeats it without one."""
    brokered = True

    def setUp(self):
        super().setUp()
        self.env["XDG_RUNTIME_DIR"] = self.dir
        self.nodes = {}
        self.first = None
        if self.brokered:
            self.endpoint = self.start_broker()

    def options(self, name=None):
        if self.brokered:
            return ["--bus", self.endpoint, "--heartbeat", "200ms"]
        words = ["--heartbeat", "200ms", "--listen",
                 "ipc://%s/%s" % (self.dir, name or "c%d" % time.monotonic_ns())]
        if self.first and self.first != name:
            words += ["--peer", "ipc://%s/%s" % (self.dir, self.first)]
        self.first = self.first or name
        return words

    def up(self, name, *words, what=COUNTER):
        self.nodes[name] = self.start_node(name, what, "--data", os.path.join(self.dir, "data-" + name), *words,
                                           *self.options(name))

    def restart(self, name, *words, wipe=False, number=signal.SIGKILL):
        self.nodes[name].signal(number)
        self.nodes[name].wait()
        if wipe:
            shutil.rmtree(os.path.join(self.dir, "data-" + name))
        self.up(name, *words)

    def ring(self, *words, timeout="5s", limit=LIMIT):
        return self.run_synod("ring", *words, "--timeout", timeout, *self.options(), limit=limit)

    def good(self, *words, **more):
        code, out, err = self.ring(*words, **more)
        self.assertEqual(code, 0, (words, out, err))
        return out, err

    def refused(self, words, code, *texts, **more):
        """CODE, nothing on stdout, and a sentence on stderr with the texts; nothing has changed."""
        status, out, err = self.ring(*words, **more)
        self.assertEqual((status, out), (code, []), (words, err))
        for text in texts:
            self.assertIn(text, "\n".join(err), words)

    def json(self, *words):
        return [json.loads(line) for line in self.good(*words, "--json")[0]]

    def show(self, *words):
        return self.json(*words)[0]

    def members(self, *words):
        return {member["node"]: member for member in self.show(*words)["members"]}

    def until(self, condition, what):
        end = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > end:
                self.fail("not within %g s: %s" % (LIMIT, what))

    def ask(self, key, method="get", *words, timeout="10s"):
        return self.run_synod("ask", "counter#" + key, method, *words, "--timeout", timeout, *self.options())

    def add_all(self, value):
        """One more for every key, which is at VALUE then."""
        for key in KEYS:
            code, out, err = self.ask(key, "add", "amount:=1", "--once")
            self.assertEqual((code, out), (0, ['{"value":%d}' % value]), (key, err))

    def three(self, *words):
        for name in ("n1", "n2", "n3"):
            self.up(name)
        return self.good("init", "n1", "n2", "n3", "--wait", *words)

    # ---- made and shown ----

    def test_none(self):
        self.refused([], 3, "synod: no-route: ", timeout="1s")
        self.up("n1")
        self.refused([], 1, "synod: refused: there is no ring yet (n1: in none)", "synod ring init NODE")
        self.refused(["--at", "n1"], 1, "synod: refused: n1 is in no ring: `synod ring init NODE...` makes one")
        self.refused(["join", "n2"], 1, "synod: refused: there is no ring yet")
        self.refused(["join", "n2", "--at", "n1"], 1, "synod: refused: n1 is in no ring: `synod ring init` makes one")
        self.refused(["--key", "a"], 1, "synod: refused: there is no ring yet")
        code, out, err = self.ask("a", timeout="2s")
        self.assertEqual((code, out), (1, []), err)
        self.assertIn("synod: refused: actor counter is placed on a ring, and node n1 is in none that has it", err[0])

    def test_bad_init(self):
        for name in ("n1", "n2", "n3"):
            self.up(name)
        three = ["init", "n1", "n2", "n3"]
        self.refused([*three, "--keepers", "n1,n2"], 1, "expected an odd number of keepers up to 15, got 2")
        self.refused([*three, "--keepers", "n1,n2,n9"], 1, "synod: invalid: expected members as keepers, got n9")
        self.refused([*three, "--keepers", "n1,n1,n2"], 1, "synod: invalid: expected distinct keepers, got n1 twice")
        self.refused([*three, "--keepers", "n1,,n2"], 2, "expected keepers as in A,B,C, not 'n1,,n2'")
        self.refused([*three, "--replicas", "4"], 1, "synod: invalid: ", "4")
        self.refused([*three, "--replicas", "16"], 1, "synod: invalid: ", "16")
        self.refused([*three, "--replicas", "0"], 2, "--replicas takes a number from 1 on, not '0'")
        self.refused([*three, "--partitions", "100"], 1, "synod: invalid: expected a power of two", "100")
        self.refused([*three, "--partitions", "131072"], 1, "synod: invalid: expected a power of two", "131072")
        self.refused(["init", "n1", "n2:0"], 2, "n2: expected a weight from 1 to 1000, got '0'")
        self.refused(["init", "n1", "n2:1001"], 2, "n2: expected a weight from 1 to 1000, got '1001'")
        self.refused(["init", "n1", "n2:-5"], 2, "n2: expected a weight from 1 to 1000, got '-5'")
        self.refused(["init", "n1", "n1"], 1, "synod: invalid: expected distinct nodes, got n1 twice")
        self.refused(["init", "n1", "n/2"], 1, "synod: invalid: expected the name of a node")
        self.refused(["init", "n1", "n9"], 3, "n9/ring", timeout="1s")
        self.refused(["init"], 2, "expected `synod ring init NODE[:WEIGHT]...`, got 0 arguments")
        self.refused(["init", "n1", "--force"], 2, "--force means nothing with `synod ring init`")
        self.refused(["frob"], 2, "expected init, join, leave, remove, weight, keepers or nothing, not 'frob'")
        self.refused(["--key", "a", "--what-if", "+n4"], 2, "--key and --what-if are two questions")
        self.refused(["--key", ""], 2, "a key has 1 to 400 bytes, this one has 0")
        self.refused([], 1, "there is no ring yet")  # nothing was changed by any of them

    def test_made(self):
        self.three("--partitions", "1024")
        view = self.show()
        self.assertEqual((view["partitions"], view["replicas"], view["keepers"], view["rests"]),
                         (1024, 3, ["n1", "n2", "n3"], True))
        self.assertEqual({node: member["state"] for node, member in self.members().items()},
                         dict.fromkeys(("n1", "n2", "n3"), "up"))
        counters = view["types"][0]
        self.assertEqual((counters["type"], counters["replicas"]), ("counter", 3))
        self.assertEqual(sum(member["owns"] for member in counters["members"]), 1024)
        self.assertEqual([member["holds"] for member in counters["members"]], [1024] * 3)
        self.add_all(1)
        text = "\n".join(self.good()[0])
        self.assertIn("1024 partitions, 3 replicas; keepers: n1 n2 n3", text)
        self.assertIn("nothing moves", text)
        # the same again is no change; another one is refused
        self.assertIn("the ring was made before", self.good("init", "n3", "n1", "n2", "--partitions", "1024")[1][0])
        self.refused(["init", "n1", "n2"], 1, "synod: refused: ")
        self.refused(["init", "n1", "n2", "n3", "--replicas", "1"], 1, "synod: refused: ", "3 replicas, not 1")
        self.assertEqual(self.show()["epoch"], view["epoch"])
        # where a key is: who answers is who owns it
        for key in KEYS[:10]:
            where = self.json("--key", key)[0]
            self.assertEqual((where["type"], sorted(where["replicas"]), where["learners"]),
                             ("counter", ["n1", "n2", "n3"], []))
            code, out, err = self.run_synod("ask", "counter#" + key, "get", "--json", *self.options())
            self.assertEqual((code, json.loads(out[0])["from"]), (0, where["owner"] + "/counter"), err)
        self.refused(["--key", "a", "--type", "frob"], 1, "no placed type frob on this ring: it has counter")
        watch = self.synod("ring", "--watch", "--json", *self.options())
        watch.wait_line("out", '"epoch"')
        watch.wait_line("out", '"epoch"', after=1)
        self.assertEqual(self.stop(watch), 0)

    def test_what_if(self):
        out, err = self.three("--replicas", "2", "--partitions", "1024")
        self.assertIn("a majority of 2 replicas is both of them", "\n".join(err))
        what = self.json("--what-if", "+n4", "--what-if", "+n5:300")[0]
        before, after = what["before"], what["after"]
        self.assertEqual([member["node"] for member in after], ["n1", "n2", "n3", "n4", "n5"])
        self.assertEqual(sum(member["owns"] for member in after), 1024)
        self.assertEqual({move["to"] for move in what["owners"]}, {"n4", "n5"})
        for i, member in enumerate(before):
            gone = sum(move["partitions"] for move in what["owners"] if move["from"] == member["node"])
            self.assertEqual(after[i]["owns"], member["owns"] - gone)
        self.assertEqual(sum(move["partitions"] for move in what["copies"]), what["copies_moved"])
        what = self.json("--what-if", "-n1")[0]
        self.assertEqual([member["node"] for member in what["after"]], ["n2", "n3"])
        self.assertEqual({move["from"] for move in what["owners"]}, {"n1"})
        text = self.good("--what-if=-n1", "--what-if=-n2")
        self.assertRegex(text[0][0], r"^counter: \d+ of 1024 partitions get another owner, \d+ copies are made$")
        self.assertIn("counter is to have 2 replicas, and 1 members are left for them", text[1][0])
        self.refused(["--what-if=-n9"], 1, "synod: not-found: n9 is no member of the ring")
        self.refused(["--what-if", "+n1"], 2, "n1 is a member: +n1:WEIGHT gives it another weight")
        self.refused(["--what-if", "+n4:0"], 2, "n4: expected a weight from 1 to 1000, got '0'")
        self.refused(["--what-if", "n4"], 2, "--what-if takes +NODE[:WEIGHT] or -NODE, not 'n4'")
        self.refused(["--what-if=-n1", "--what-if=-n2", "--what-if=-n3"], 2, "nobody is left: a ring keeps one member")
        # what was said is what happens
        what = self.json("--what-if", "+n4:200")[0]
        self.up("n4", "--weight", "200", "--zone", "z")
        self.good("join", "n4", "--wait")
        counters = {member["node"]: member["owns"] for member in self.show()["types"][0]["members"]}
        self.assertEqual(counters, {member["node"]: member["owns"] for member in what["after"]})
        self.assertEqual((self.members()["n4"]["weight"], self.members()["n4"]["zone"]), (200, "z"))

    # ---- changed ----

    def test_changed(self):
        self.three("--partitions", "256")
        self.add_all(1)
        self.up("n4")
        out, err = self.good("join", "n4", "--wait")
        self.assertIn("and all is served", err[-1])
        self.add_all(2)
        self.assertEqual(self.members()["n4"]["state"], "up")
        self.assertIn("synod: it was so already", self.good("join", "n4")[1])
        self.good("weight", "n4", "300", "--wait")
        shares = {member["node"]: member["owns"] for member in self.show()["types"][0]["members"]}
        self.assertGreater(shares["n4"], 90)
        self.add_all(3)
        self.good("keepers", "n2,n3,n4")
        self.assertEqual(self.show()["keepers"], ["n2", "n3", "n4"])
        self.good("leave", "n1", "--wait")
        self.assertEqual(sorted(self.members("--at", "n2")), ["n2", "n3", "n4"])
        self.refused(["weight", "n3", "0"], 2, "n3: expected a weight from 1 to 1000, got '0'")
        self.refused(["weight", "n3", "100000"], 2, "n3: expected a weight from 1 to 1000, got '100000'")
        self.refused(["weight", "n9", "5"], 1, "synod: not-found: n9 is no member of the ring")
        self.refused(["leave", "n9"], 1, "synod: not-found: n9 is no member of the ring")
        self.refused(["remove", "n3"], 1, "synod: refused: n3 is up and well: let it leave instead")
        self.refused(["keepers", "n3,n4"], 1, "expected an odd number of keepers up to 15, got 2")
        self.refused(["keepers", "n3,n4,n9"], 1, "expected members as keepers, got n9, which is none")
        self.refused(["join", "n9", "--weight", "0"], 2, "--weight takes a number from 1 on, not '0'")
        self.refused(["join", "n9", "--weight", "1001"], 1, "n9: expected a weight from 1 to 1000, got 1001")
        self.refused(["join", "n9", "--at", "n3"], 3, "n9/ring", "nothing was changed", timeout="1s")
        self.add_all(4)

    def test_last(self):
        self.up("n1", "--alone")
        self.refused(["leave", "n1"], 1, "n1 is the last member that holds anything: a ring keeps one")
        self.refused(["remove", "n1", "--force"], 1, "n1 is the last member that holds anything: a ring keeps one")
        self.add_all(1)

    def test_removed(self):
        self.three("--partitions", "256")
        self.up("n4")
        self.good("join", "n4", "--wait")
        self.add_all(1)
        self.nodes["n3"].signal(signal.SIGKILL)
        self.nodes["n3"].wait()
        self.until(lambda: self.members("--at", "n2")["n3"]["state"] != "up", "n3 is known to be gone")
        self.good("remove", "n3", "--wait", "--at", "n2")
        self.assertEqual(sorted(self.members("--at", "n2")), ["n1", "n2", "n4"])
        self.add_all(2)

    def test_other_ring(self):
        """The store of another ring, and a wiped one."""
        other = self.start_node("x1", COUNTER, "--data", os.path.join(self.dir, "data-x1"), "--alone", "--listen",
                                "ipc://%s/elsewhere" % self.dir)
        self.until(lambda: self.run_synod("ring", "--peer", "ipc://%s/elsewhere" % self.dir)[0] == 0, "x1 is alone")
        self.stop(other)
        self.up("n1")
        self.good("init", "n1", "--partitions", "64", "--wait")
        self.up("x1")
        self.refused([], 1, "synod: refused: ", "are in different rings", "--at")
        self.refused(["join", "x1", "--at", "n1"], 1, "synod: refused: x1 is in another ring: its data would have to be "
                     "wiped first")
        self.refused(["init", "n1", "x1", "--at", "n1"], 1,
                     "synod: refused: n1 and x1 are in rings already, and not in the same")
        self.assertEqual(list(self.members("--at", "n1")), ["n1"])
        self.restart("x1", wipe=True)
        self.good("join", "x1", "--at", "n1", "--wait")
        self.assertEqual(sorted(self.members("--at", "n1")), ["n1", "x1"])

    # ---- alone ----

    def test_alone(self):
        self.up("n1", "--alone")
        self.until(lambda: self.ring()[0] == 0, "n1 is a ring by itself")
        ring = self.show()["ring"]
        self.add_all(1)
        code, out, err = self.run_synod("tell", "counter#told", "add", "amount:=3", *self.options())
        self.assertEqual((code, out), (0, []), err)
        self.until(lambda: self.ask("told")[1] == ['{"value":3}'], "the tell has arrived")
        self.restart("n1")  # without saying it again
        self.add_all(2)
        self.restart("n1", "--alone", number=signal.SIGTERM)  # said again, it is the same
        self.add_all(3)
        self.assertEqual(self.show()["ring"], ring)
        self.up("n2")
        self.up("n3")
        self.good("join", "n2", "--wait")
        self.good("join", "n3", "--wait")
        self.good("keepers", "n1,n2,n3")
        self.add_all(4)
        view = self.show()
        self.assertEqual((view["ring"], view["replicas"]), (ring, 3))
        self.assertEqual([member["holds"] for member in view["types"][0]["members"]], [view["partitions"]] * 3)
        if self.brokered:  # any of them may go now: without a broker n1 is whom clients know
            self.nodes["n1"].signal(signal.SIGKILL)
            self.nodes["n1"].wait()
            self.add_all(5)

    def test_keeper_alone(self):
        """A node without a placed actor keeps, and holds nothing."""
        self.up("n1", "--alone", what="ring")
        self.until(lambda: self.ring()[0] == 0, "n1 is a ring by itself")
        self.assertIn("no placed actors", "\n".join(self.good()[0]))
        self.up("n2")
        self.good("join", "n2", "--wait")
        holds = {member["node"]: member["holds"] for member in self.show()["types"][0]["members"]}
        self.assertEqual((holds["n1"], holds["n2"]), (0, 16384))
        self.add_all(1)

    def test_run_options(self):
        for words, text in ((["--weight", "0"], "--weight takes a number from 1 on, not '0'"),
                            (["--weight", "1001"], "a weight is 1 to 1000"),
                            (["--zone", "a b"], "a zone has 1 to 63 letters, digits, _ - or ., got \"a b\"")):
            code, out, err = self.run_synod("run", COUNTER, *words, *self.options())
            self.assertEqual((code, out), (2, []), err)
            self.assertIn(text, "\n".join(err))


class RingDirect(Ring):
    brokered = False


if __name__ == "__main__":
    unittest.main()
