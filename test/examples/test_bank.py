# SPDX-License-Identifier: MPL-2.0
"""The bank: money is moved between accounts of its own actor, and counted in the table, all or nothing; an audit gets a look
of one moment meanwhile; and what an actor with a bug does to the books is found."""
import json
import os
import re
import signal
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from harness import BUILD, TestCase  # noqa: E402

BRANCH = os.path.join(BUILD, "lib", "libbank%s.so")
BANK = os.path.join(BUILD, "bin", "bank")


class Bank(TestCase):
    def setUp(self):
        super().setUp()
        self.bus = ["--bus", self.start_broker()]

    def up(self, bug=""):
        return self.start_node("n1", BRANCH % bug, "kv", "vote", "--alone", "--data", os.path.join(self.dir, "d"), *self.bus)

    def bank(self, *words):
        return self.start(BANK, *words, *self.bus)

    def run_bank(self, *words):
        program = self.bank(*words)
        return program.wait(), program.out(), program.err()

    def move(self, count, *words):
        """Tellers, who have begun."""
        tellers = [self.bank("move", str(i), *words) for i in range(count)]
        for i in range(count):
            while self.count(i) == 0:
                pass
        return tellers

    def count(self, teller):
        code, out, err = self.run_synod("kv", "get", "bank/moves/%d" % teller, *self.bus)
        self.assertIn(code, (0, 1), err)
        return int(out[0]) if code == 0 else 0

    def done(self, teller):
        self.assertEqual(teller.wait(), 0, teller.story())
        match = re.fullmatch(r"moved (\d+) aborted (\d+) doubted (\d+)", teller.out()[0])
        return [int(number) for number in match.groups()]

    def audit(self, code=0):
        got, out, err = self.run_bank("audit")
        self.assertEqual(got, code, (out, err))
        return out[0]

    def test_moves(self):
        node = self.up()
        self.assertEqual(self.run_bank("open"), (0, ["1000 accounts in 20 branches, 100 in each"], []))
        self.assertRegex(self.audit(), "^100000 in 1000 accounts, 0 moves by tellers, 0 changes: exact")
        tellers = self.move(4, "--for", "60", "--seed", "7")
        looks = [self.audit() for _ in range(3)]
        moves = [int(look.split()[4]) for look in looks]
        self.assertTrue(0 < moves[0] < moves[1] < moves[2], looks)
        for teller in tellers:
            teller.signal(signal.SIGTERM)
        total = 0
        for number, teller in enumerate(tellers):
            moved, _, doubted = self.done(teller)
            self.assertEqual((self.count(number), doubted), (moved, 0))
            total += moved
        self.assertRegex(self.audit(), "^100000 in 1000 accounts, %d moves by tellers, %d changes: exact" % (total, 2 * total))
        self.assertEqual(self.run_bank("open")[0], 0)  # again: what is there stays
        node.signal(signal.SIGKILL)
        node.wait()
        self.up()
        self.assertRegex(self.audit(), "^100000 in 1000 accounts, %d moves by tellers" % total)

    def test_refused(self):
        """What a branch says no to, in its own words."""
        self.up()
        parts = [{"to": "branch#1", "op": {"changes": [{"account": 1, "amount": -5}]}}, {"to": "kv#x", "op": {"what": "put"}}]
        def commit(ident):
            code, out, err = self.run_synod("ask", "vote#" + ident, "commit", "id=" + ident, "parts:=" + json.dumps(parts),
                                            *self.bus)
            self.assertEqual(code, 0, err)
            reply = json.loads(out[0])
            return reply["outcome"], [one["why"] for one in reply.get("reasons", [])]
        self.assertEqual(commit("early"), ("aborted", ["the branch is not opened"]))
        self.assertEqual(self.run_bank("open")[0], 0)
        self.assertEqual(commit("fine"), ("committed", []))
        change = parts[0]["op"]["changes"][0]
        change["amount"] = -96
        self.assertEqual(commit("poor"), ("aborted", ["account 1 has 95 only"]))
        change["account"] = 50
        self.assertEqual(commit("none"), ("aborted", ["work.changes[0].account: expected an integer from 0 to 49, got the integer 50"]))
        change.update(account=1, amount=1)
        parts[0]["op"]["changes"].append(change)
        self.assertEqual(commit("twice"), ("aborted", ["account 1 awaits the outcome of twice"]))
        parts[0]["op"] = {"audit": True, "version": 7}
        self.assertEqual(commit("old"), ("aborted", ["it has changed since"]))
        self.assertRegex(self.audit(1), "^99995 in 1000 accounts, 0 moves by tellers, 1 changes: WRONG")

    def test_bug(self):
        """An actor that takes money before the outcome: an abort loses it, and the next audit says so."""
        self.up("_bug")
        self.assertEqual(self.run_bank("open")[0], 0)
        tellers = self.move(8, "--for", "2")
        aborted = sum(self.done(teller)[1] for teller in tellers)
        self.assertGreater(aborted, 0)
        self.assertRegex(self.audit(1), r"^\d{5} in 1000 accounts, .*: WRONG")

    def test_usage(self):
        for words in [[], ["frob"], ["move"], ["move", "8"], ["move", "1.5"], ["open", "x"], ["audit", "--protocol", "4pc"],
                      ["move", "1", "--for", "x"], ["move", "1", "--seed", "0"], ["--frob"]]:
            program = self.bank(*words)
            self.assertEqual((program.wait(), program.out()), (2, []), words)
            self.assertIn("bank: ", "\n".join(program.err()))
        self.assertEqual(self.run_bank("--help")[0], 0)


if __name__ == "__main__":
    unittest.main()
