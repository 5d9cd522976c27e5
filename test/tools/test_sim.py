# SPDX-License-Identifier: MPL-2.0
"""`synod sim`: sweeps of seeds, what it says of the first that fails, and that this can be repeated; wrong usage."""
import datetime
import os
import re
import shlex
import unittest

from harness import BUILD, TestCase

MODULE = os.path.join(BUILD, "lib", "libtest_scenarios.so")
COUNTER = os.path.join(BUILD, "lib", "libcounter_sim.so")
BUG = os.path.join(BUILD, "lib", "libcounter_sim_bug.so")


class Sim(TestCase):
    def sim(self, *words):
        return self.run_synod("sim", *words)

    def refused(self, words, *texts):
        code, out, err = self.sim(*words)
        said = "\n".join(err)
        self.assertEqual((code, out), (2, []), said)
        for text in texts:
            self.assertIn(text, said)

    def test_builtin(self):
        """Fixed seeds, and some drawn from the date."""
        today = int(datetime.date.today().strftime("%Y%m%d")) * 1000
        print("seeds of today: from %d on" % today)
        for scenario in ("counter", "register", "echo"):
            for first in (1, today):
                code, out, err = self.sim(scenario, "--seeds", "%d..%d" % (first, first + 59), "--for", "20s")
                self.assertEqual((code, err), (0, []), out)
                self.assertRegex(out[0], r"^%s: 60 seeds held; \d+\.\d h of virtual time in " % scenario)

    def test_first_failure(self):
        """The lowest seed that fails, however many processes look."""
        for jobs in ("1", "2", "7"):
            code, out, _ = self.sim(MODULE + ":fails", "--seeds", "1..40", "--for", "1s", "--jobs", jobs)
            self.assertEqual(code, 1, out)
            self.assertRegex(out[0], r"^fails: seed 5 failed after \d+\.\d+ s: seed 5 and later fail$")
        self.assertEqual(self.sim(MODULE + ":fails", "--seeds", "1..4", "--for", "1s")[0], 0)

    def test_all_of_a_module(self):
        """In their order, to the first that fails."""
        code, out, _ = self.sim(MODULE, "--seeds", "1..10", "--for", "1s")
        self.assertEqual(code, 1)
        self.assertRegex(out[0], r"^holds: 10 seeds held")
        self.assertRegex(out[1], r"^fails: seed 5 failed")

    def test_repeat(self):
        """The example's bug is found within a hundred seeds, shortened, and the words printed repeat it."""
        self.assertEqual(self.sim(COUNTER, "--seeds", "1..100")[0], 0)
        code, out, _ = self.sim(BUG, "--seeds", "1..100")
        self.assertEqual(code, 1, out)
        text = "\n".join(out)
        self.assertRegex(text, r"additions were acknowledged, and the counter is at")
        enough = re.search(r"^  enough:   (.*)$", text, re.M).group(1)
        self.assertRegex(enough, r"^crash=")
        self.assertNotIn(",", enough)
        words = shlex.split(re.search(r"^  again:    (.*)  \(with --trace", text, re.M).group(1))
        self.assertEqual(words[:2], ["synod", "sim"])
        code, again, _ = self.sim(*words[2:], "--no-shrink")
        self.assertEqual(code, 1)
        self.assertIn("additions were acknowledged", again[0])
        code, trace, err = self.sim(*words[2:], "--trace")
        self.assertEqual(code, 1)
        self.assertIn("hash", err[-1])
        self.assertTrue(any(re.search(r"c1/client n1/counter ask add \{", line) for line in trace))
        self.assertTrue(any(line.startswith("# ") and line.endswith("n1 crashes") for line in trace))
        self.assertEqual(self.sim(*words[2:], "--trace"), (code, trace, err))
        calm = [word for word in words[2:] if not word.startswith("crash=") and word != "--faults"]
        self.assertEqual(self.sim(*calm, "--calm")[0], 0)

    def test_faults(self):
        self.assertEqual(self.sim(MODULE + ":fragile", "--calm", "--for", "5s", "--seeds", "1..5")[0], 0)
        code, out, _ = self.sim(MODULE + ":fragile", "--faults", "crash=n1@2s+1s,loss=1,dup=2", "--for", "5s", "--seeds", "3")
        self.assertEqual(code, 1)
        self.assertRegex(out[0], r"^fragile: seed 3 failed after 2\.\d+ s: a node has crashed$")
        self.assertIn("  enough:   crash=n1@2s+", "\n".join(out))

    def test_death(self):
        code, out, _ = self.sim(MODULE + ":dies", "--seeds", "1..20", "--for", "1s")
        self.assertEqual(code, 1)
        self.assertEqual(out[0], "dies: seed 4 failed: the process that ran it died: Aborted")
        self.assertIn("--seeds 4 ", out[1])

    def test_not_set_up(self):
        code, out, err = self.sim(MODULE + ":unmade", "--seeds", "1..20")
        self.assertEqual((code, out), (1, []), err)
        self.assertIn("synod: invalid: seed ", err[0])

    def test_usage(self):
        self.refused([], "a scenario")
        self.refused(["nothing"], "there is no scenario 'nothing'; there is counter, register, echo")
        self.refused([MODULE + ":nothing"], "there is no scenario 'nothing'; there is holds, fails")
        self.refused(["./not-there.so"], "cannot load scenarios", "not-there.so")
        self.refused([os.path.join(BUILD, "lib", "libtest_settings.so")], "does not say SYNOD_SCENARIOS")
        for seeds in ("", "x", "5..", "5..4", "1..2..3", "-1", "18446744073709551615"):
            self.refused(["echo", "--seeds", seeds], "--seeds takes a number or two as in 1..1000, not '%s'" % seeds)
        self.refused(["echo", "--faults", "flood=3"], "--faults:", "flood")
        self.refused(["echo", "--faults", "loss=200"], "--faults:", "loss")
        self.refused(["echo", "--faults", "loss=1", "--calm"], "--calm and --faults contradict each other")
        self.refused(["echo", "--trace"], "--trace takes one seed")
        self.refused(["echo", "--jobs", "1000"], "--jobs takes at most 256")


if __name__ == "__main__":
    unittest.main(verbosity=2)
