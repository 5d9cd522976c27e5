# SPDX-License-Identifier: MPL-2.0
"""synod lock, locks and lock-release as processes: what they run, how they end, and every mistake."""
import json
import os
import re
import signal
import unittest

from harness import BUILD, TestCase


class Lock(TestCase):
    def setUp(self):
        super().setUp()
        self.env["SYNOD_BUS"] = self.start_broker()
        self.start_node("n1", "lock", "--data", os.path.join(self.dir, "d1"), "--alone")

    def lock(self, *words):
        return self.run_synod("lock", *words)

    def holding(self, name, *options):
        """Somebody who holds NAME until it is told to end."""
        holder = self.synod("lock", name, *options, "--", "sh", "-c", "echo held $SYNOD_LOCK_TOKEN; exec sleep 60")
        holder.wait_line("out", r"^held \d+$")
        return holder

    def json(self, *words):
        code, out, err = self.run_synod("locks", "--json", *words)
        self.assertEqual(code, 0, err)
        return [json.loads(line) for line in out]

    def token(self, *words):
        code, out, err = self.lock(*words, "--", "sh", "-c", "echo $SYNOD_LOCK_TOKEN")
        self.assertEqual(code, 0, err)
        return int(out[0])

    # ---- how it ends ----

    def test_runs(self):
        self.assertEqual(self.lock("a", "--", "sh", "-c", "exit 7")[0], 7)
        self.assertEqual(self.lock("a", "--", "sh", "-c", "kill -9 $$")[0], 128 + 9)
        self.assertEqual(self.lock("a", "--", "no-such-command")[0], 127)
        self.assertEqual(self.lock("a", "--", "/")[0], 126)
        self.assertEqual(self.lock("a", "--", "echo", "--", "x")[1], ["-- x"])
        self.assertGreater(self.token("a"), self.token("a") - 10)
        first = self.token("a")
        self.assertLess(first, self.token("a"))

    def test_not_granted(self):
        self.holding("a")
        for words, says in ((["--try"], "not to be had now"), (["--wait", "200ms"], "within 200 ms")):
            code, out, err = self.lock("a", *words, "--", "echo", "begun")
            self.assertEqual((code, out), (3, []), err)
            self.assertIn(says, err[0])

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            holder = self.holding("a")
            holder.signal(number)
            self.assertEqual(holder.wait(), 128 + number)
        waits = self.holding("a")
        waiting = self.synod("lock", "a", "--", "echo", "begun")
        waiter = self.waiting("a", 1)
        self.assertTrue(waiter)
        waiting.signal(signal.SIGTERM)
        self.assertEqual((waiting.wait(), waiting.out()), (128 + signal.SIGTERM, []))
        self.waiting("a", 0)  # it has left the queue, not waited for its lease
        waits.signal(signal.SIGTERM)
        waits.wait()

    def waiting(self, name, count):
        for _ in range(200):
            lock = self.json(name)[0]
            if lock["waits"] == count:
                return lock
        return self.fail("%d wait for %s: %s" % (count, name, lock))

    def test_kinds(self):
        readers = [self.holding("r", "--shared") for _ in range(2)]
        self.assertEqual(self.lock("r", "--try", "--", "true")[0], 3)
        lock = self.json("r")[0]
        self.assertEqual((lock["holds"], [one["shared"] for one in lock["holders"]]), (2, [True, True]))
        self.holding("p", "--permits", "2")
        self.holding("p", "--permits", "2")
        self.assertEqual(self.lock("p", "--permits", "2", "--try", "--", "true")[0], 3)
        code, _, err = self.lock("p", "--permits", "3", "--", "true")
        self.assertEqual(code, 3)
        self.assertIn("p has 2 permits while somebody has it: expected as many, got 3", err[0])
        self.assertEqual(self.json("p")[0]["permits"], 2)
        for reader in readers:
            reader.signal(signal.SIGTERM)
            reader.wait()
        self.assertEqual(self.lock("r", "--try", "--", "true")[0], 0)

    def test_several(self):
        self.holding("{bank}.b")
        self.assertEqual(self.lock("{bank}.a", "{bank}.b", "--try", "--", "true")[0], 3)
        self.assertEqual(self.lock("{bank}.a", "--try", "--", "true")[0], 0)
        self.assertEqual(self.lock("x", "{bank}.b", "--wait", "300ms", "--", "true")[0], 3)
        self.assertEqual(self.lock("x", "--try", "--", "true")[0], 0)  # it was let go again

    def test_barrier(self):
        """Who waits for all that work, by one lock; and a worker that comes later waits behind."""
        workers = [self.holding("stage", "--shared") for _ in range(3)]
        after = self.synod("lock", "stage", "--", "echo", "next")
        self.waiting("stage", 1)
        late = self.synod("lock", "stage", "--shared", "--", "echo", "late")
        self.waiting("stage", 2)
        for worker in workers:
            self.assertEqual(after.out(), [])
            worker.signal(signal.SIGTERM)
            worker.wait()
        self.assertEqual((after.wait(), after.out()), (0, ["next"]))
        self.assertEqual((late.wait(), late.out()), (0, ["late"]))

    def test_without_a_disk(self):
        """Fences grow across lives of a service that keeps nothing."""
        words = ["--bus", self.start_other()]
        node = self.start_node("m", "lock", "--alone", *words)
        first = self.token("a", *words)
        self.stop(node)
        self.start_node("m", "lock", "--alone", *words)
        self.assertGreater(self.token("a", *words), first)

    def start_other(self):
        endpoint = "ipc://%s/other" % self.dir
        self.synod("broker", "--listen", endpoint)
        return endpoint

    # ---- looking, and force ----

    def test_list_watch_force(self):
        watch = self.synod("locks", "--watch", "--json")
        watch.wait_line("err", "^ready")
        holder = self.holding("a", "--exit-lost", "9")
        others = [self.holding("b%d" % i) for i in range(3)]
        self.assertEqual(sorted(lock["name"] for lock in self.json()), ["a", "b0", "b1", "b2"])
        token = self.json("a")[0]["holders"][0]["token"]
        watch.wait_line("out", r'"event":"granted","name":"a","token":%d,' % token)
        code, _, err = self.run_synod("lock-release", "a")
        self.assertEqual(code, 2)
        self.assertIn("--force", err[0])
        code, _, err = self.run_synod("lock-release", "a", "--force", "--token", str(token + 1))
        self.assertEqual(code, 1)
        self.assertIn("not with the fence", err[0])
        code, out, err = self.run_synod("lock-release", "a", "--force", "--why", "it hangs")
        self.assertEqual((code, out), (0, ["taken from 1 holder"]), err)
        watch.wait_line("out", '"event":"forced","name":"a"')
        self.assertEqual(holder.wait(), 9, holder.story())
        lock = self.json("a")[0]
        self.assertEqual((lock["holds"], lock["why"]), (0, "it hangs"))
        others[0].signal(signal.SIGTERM)
        watch.wait_line("out", '"event":"released","name":"b0"')
        code, _, err = self.run_synod("lock-release", "a", "--force")
        self.assertEqual(code, 1)
        self.assertIn("nobody holds a", err[0])

    def test_expired(self):
        watch = self.synod("locks", "--watch", "a")
        watch.wait_line("err", "^ready")
        holder = self.holding("a", "--lease", "500ms")
        holder.signal(signal.SIGKILL)
        watch.wait_line("out", "^a expired")
        self.assertEqual(self.lock("a", "--try", "--", "true")[0], 0)

    # ---- mistakes ----

    def test_misused(self):
        for words, says in (
                (["a"], "expected `--` and a COMMAND"),
                (["a", "--"], "expected `--` and a COMMAND"),
                (["--", "true"], "expected one NAME"),
                (["n" * 201, "--", "true"], "1 to 200 bytes, got 201"),
                (["a b", "--", "true"], "printable ASCII"),
                (["a", "--lease", "0s", "--", "true"], "--lease takes a time"),
                (["a", "--lease", "100ms", "--", "true"], "200ms to 1h"),
                (["a", "--lease", "8760h", "--", "true"], "--lease takes"),
                (["a", "--exit-lost", "256", "--", "true"], "1 to 255"),
                (["a", "--shared", "--permits", "2", "--", "true"], "nothing with --shared"),
                (["a", "--permits", "0", "--", "true"], "--permits takes")):
            code, out, err = self.lock(*words)
            self.assertEqual((code, out), (2, []), (words, err))
            self.assertIn(says, err[0])
        self.assertEqual(self.json(), [])

    def ask(self, method, *words, key="a"):
        return self.run_synod("ask", "lock#" + key, method, *words, "--once")

    def acquire(self, client, *more, names='[{"name":"a"}]', lease=10000):
        return self.ask("acquire", "client:=%d" % client, "request:=%d" % (1 + client), "names:=" + names,
                        "lease_ms:=%d" % lease, *more)

    def test_refused(self):
        """What a peer can send that is wrong: each is refused in words, and nothing has changed."""
        code, out, err = self.acquire(77)
        self.assertEqual(code, 0, err)
        held = json.loads(out[0])
        before = self.json("a")[0]["holders"]

        def wrong(answer, says):
            self.assertEqual(answer[0], 1, answer)
            self.assertRegex(answer[2][0], says)
        wrong(self.acquire(1, names='[{"name":"%s"}]' % ("n" * 201)), "1 to 200 bytes, got 201")
        wrong(self.acquire(1, names='[{"name":"%s"}]' % ("n" * 401)), "bad-request.*name")
        wrong(self.acquire(1, names='[{"name":"b"}]'), "the lock b is at lock#b, not at lock#a")
        wrong(self.acquire(1, names="[]"), "1 to 16 locks")
        wrong(self.acquire(1, lease=0), "a lease of 200 to 3600000 ms, got 0")
        wrong(self.acquire(1, lease=31536000000), "got 31536000000")
        wrong(self.acquire(1, "permits:=4"), "1 permit while somebody has it: expected as many, got 4")
        wrong(self.acquire(0), "other than 0")
        self.assertEqual(json.loads(self.acquire(1)[1][0]).get("entry"), None)
        wrong(self.ask("release", "client:=78", "token:=%d" % held["token"]), "not-found.*no session")
        self.ask("acquire", "client:=78", "request:=1", 'names:=[{"name":"a"}]', "lease_ms:=10000", "wait_ms:=10000")
        wrong(self.ask("release", "client:=78", "token:=%d" % held["token"]), "refused.*holds nothing with the fence")
        wrong(self.ask("release", "client:=77", "token:=%d" % (held["token"] + 1000)), "refused.*holds nothing")
        wrong(self.ask("release", "client:=77", "owner=other", "token:=%d" % held["token"]), 'not of "other"')
        wrong(self.ask("keepalive", "client:=77", "session:=%d" % (held["session"] + 1000)), "not-found.*has ended")
        wrong(self.ask("keepalive", "client:=5", "session:=1"), "not-found.*has ended")
        wrong(self.ask("wait", "client:=77", "session:=%d" % held["session"], "request:=999"), "no acquisition 999")
        after = self.json("a")[0]["holders"]
        self.assertEqual([(one["token"], one["count"]) for one in before], [(one["token"], one["count"]) for one in after])

    def test_nobody(self):
        code, _, err = self.run_synod("lock", "a", "--wait", "500ms", "--bus", "ipc://%s/none" % self.dir, "--timeout",
                                      "300ms", "--", "true")
        self.assertEqual(code, 3, err)
        self.assertTrue(re.search("no broker answered", err[0]), err)


if __name__ == "__main__":
    unittest.main()
