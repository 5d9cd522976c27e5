# SPDX-License-Identifier: MPL-2.0
"""Locks on real processes: shells that count in a file while they hold a lock, undisturbed, with the lock's node killed and
restarted, and with one of three killed for good; holders that are stopped for longer than their lease; a primary and its
standby. SYNOD_ROUNDS=100 is the long run.
"""
import json
import os
import signal
import threading
import unittest

from common import BUILD, FaultCase, matching

ROUNDS = int(os.environ.get("SYNOD_ROUNDS", "3"))
SHELLS = 32
COUNT = "n=$(cat f); echo $((n+1)) > f"
LEDGER = os.path.join(BUILD, "lib", "libledger.so")
FAILOVER = os.path.join(BUILD, "lib", "libfailover.so")
LONG = 120 + 4 * ROUNDS


class Lock(FaultCase):
    def setUp(self):
        super().setUp()
        self.start_bus()
        self.env["SYNOD_BUS"] = self.bus_endpoint
        self.env["PATH"] = os.path.join(BUILD, "bin") + ":" + os.environ["PATH"]
        self.nodes = {}

    def up(self, name, *more):
        self.nodes[name] = self.synod("run", "--node", name, "lock", "--data", os.path.join(self.dir, "data-" + name),
                                      *more, *self.options(name))
        self.nodes[name].wait_line("err", "^ready %s$" % name)

    def three(self):
        for name in ("n1", "n2", "n3"):
            self.up(name)
        code, out, err = self.run_synod("ring", "init", "n1", "n2", "n3", "--wait", "--partitions", "64", "--replicas", "3",
                                        *self.options(), limit=60)
        self.assertEqual(code, 0, (out, err))

    def owner(self, key):
        code, out, err = self.run_synod("ring", "--key", key, "--type", "lock", "--json", *self.options())
        self.assertEqual(code, 0, err)
        return json.loads(out[0])["owner"]

    def shells(self, command, rounds=ROUNDS, count=SHELLS, options="--wait 1h"):
        """Each runs the command so often, holding the lock; whoever fails ends."""
        line = "i=0; while [ $i -lt %d ]; do synod lock counter %s -- sh -c '%s' || exit $?; i=$((i+1)); done" % (
            rounds, options, command)
        return [self.start("/bin/sh", "-c", line) for _ in range(count)]

    def number(self):
        with open(os.path.join(self.dir, "f")) as file:
            return int(file.read() or "0")

    def counted(self, disturb=None):
        with open(os.path.join(self.dir, "f"), "w") as file:
            file.write("0\n")
        shells = self.shells(COUNT)
        if disturb:
            self.until(lambda: self.number() >= SHELLS * ROUNDS // 4, "a quarter is done", LONG)
            disturb()
        for shell in shells:
            self.assertEqual(shell.wait(LONG), 0, shell.story())
        self.assertEqual(self.number(), SHELLS * ROUNDS)

    def test_shells(self):
        self.up("n1", "--alone")
        self.counted()

    def test_killed_and_restarted(self):
        """Within half a lease, of 10 s: nobody loses anything."""
        self.up("n1", "--alone")

        def disturb():
            self.kill(self.nodes["n1"])
            self.up("n1")
        self.counted(disturb)

    def test_one_of_three_killed(self):
        self.three()
        self.counted(lambda: self.kill(self.nodes[self.owner("counter")]))

    def test_stopped_holders(self):
        """Holders and their commands stop for longer than their lease: what they write then is refused, or counts."""
        self.up("n1", "--alone")
        self.start_node("store", LEDGER, *self.options("store"))
        get = 'v=$(synod ask ledger read token:=$SYNOD_LOCK_TOKEN --once) || exit 0; v=${v#*:}; v=${v%%,*}; sleep 0.2'
        put = 'synod ask ledger write token:=$SYNOD_LOCK_TOKEN value:=$((v+1)) --once && echo wrote'
        script = os.path.join(self.dir, "use.sh")
        with open(script, "w") as file:
            file.write(get + "\n" + put + "\nexit 0\n")
        count = 6
        holders = []
        for _ in range(count):
            line = ("i=0; while [ $i -lt %d ]; do setsid -w synod lock counter --wait 1h --lease 1s -- sh %s; "
                    "i=$((i+1)); done" % (4, script))
            holders.append(self.start("/bin/sh", "-c", line))
        stopped = threading.Event()
        struck = []

        def stop_some():
            while len(struck) < 3 and not stopped.wait(0.15):
                code, out, _ = self.run_synod("locks", "counter", "--json", *self.options())
                lock = json.loads(out[0]) if code == 0 and out else {"holders": []}
                for holder in lock["holders"]:
                    pid = int(holder["who"].rsplit(":", 1)[1])
                    pids = [pid] + children(pid)
                    for one in pids:
                        send(one, signal.SIGSTOP)
                    stopped.wait(1.6)  # so long is the fault: more than the lease
                    for one in pids:
                        send(one, signal.SIGCONT)
                    struck.append(pid)
        thread = threading.Thread(target=stop_some)
        thread.start()
        for holder in holders:
            holder.wait(LONG)
        stopped.set()
        thread.join()
        wrote = sum(len(matching(holder.out(), "^wrote$")) for holder in holders)
        code, out, err = self.ask("ledger", "read", "token:=%d" % (2 ** 62))
        self.assertEqual(code, 0, err)
        self.assertEqual(json.loads(out[0])["value"], wrote)
        self.assertGreater(wrote, 0)
        self.assertGreater(len(struck), 0)
        print("%d holders were stopped, %d wrote" % (len(struck), wrote), flush=True)

    def test_failover(self):
        """The standby takes over within a lease and a little; the old primary's writes are refused."""
        self.up("n1", "--alone")
        self.start_node("store", LEDGER, *self.options("store"))
        a = self.start_node("a", FAILOVER, *self.options("a"))
        a.wait_line("err", r"primary \d+")
        b = self.start_node("b", FAILOVER, *self.options("b"))
        a.wait_line("err", r"wrote 3$")
        a.signal(signal.SIGSTOP)
        b.wait_line("err", r"primary \d+", limit=1.5 + 5)
        b.wait_line("err", r"wrote \d+")
        a.signal(signal.SIGCONT)
        a.wait_line("err", "standby|refused")
        self.kill(b)
        after = len(a.lines["err"])
        a.wait_line("err", r"wrote \d+", after=after, limit=1.5 + 5)
        tokens = [int(line.rsplit(" ", 1)[1]) for line in matching(a.err(), r"primary \d+$")]
        self.assertEqual(len(tokens), 2)
        self.assertLess(tokens[0], tokens[1])


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            direct = [int(word) for word in file.read().split()]
    except OSError:
        return []
    return direct + [more for child in direct for more in children(child)]


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


if __name__ == "__main__":
    unittest.main()
