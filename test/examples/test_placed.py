# SPDX-License-Identifier: MPL-2.0
"""The placed counter: as its README line runs it, and its test in the simulator, which finds the bug put into it."""
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from harness import BUILD, TestCase  # noqa: E402

EXAMPLES = os.path.join(HERE, "..", "..", "examples", "placed_counter")
LIB = os.path.join(BUILD, "lib", "libplaced_counter%s.so")


class PlacedCounter(TestCase):
    def test_alone(self):
        bus = ["--bus", self.start_broker()]
        words = [LIB % "", "--alone", "--data", os.path.join(self.dir, "d1"), *bus]
        node = self.start_node("n1", *words)
        for value in (2, 4):
            code, out, err = self.run_synod("ask", "counter#apples", "add", "amount:=2", "--once", *bus)
            self.assertEqual((code, json.loads(out[0])), (0, {"value": value}), err)
        code, out, err = self.run_synod("ask", "counter#pears", "get", *bus)
        self.assertEqual((code, json.loads(out[0])), (0, {"value": 0}), err)
        self.assertEqual(self.stop(node), 0)
        self.start_node("n1", *words)
        code, out, err = self.run_synod("ask", "counter#apples", "get", *bus)
        self.assertEqual((code, json.loads(out[0])), (0, {"value": 4}), err)

    def test_simulated(self):
        code, out, err = self.run_synod("sim", LIB % "_sim", "--seeds", "1..100", limit=120)
        self.assertEqual((code, err), (0, []), out)
        self.assertRegex(out[0], "^placed_counter: 100 seeds held; ")
        code, out, err = self.run_synod("sim", LIB % "_sim_bug", "--seeds", "1..100", limit=120)
        self.assertEqual(code, 1, out)
        self.assertRegex("\n".join(out), r"counter#key\d+ is at \d+; \d+ additions were acknowledged")

    def test_screens(self):
        """It is what it says: the actor on one screen, its test on another."""
        with open(os.path.join(EXAMPLES, "counter.c")) as file:
            self.assertLess(len(file.readlines()), 60)
        with open(os.path.join(EXAMPLES, "counter_sim.c")) as file:
            self.assertLess(len(file.readlines()), 100)


if __name__ == "__main__":
    unittest.main()
