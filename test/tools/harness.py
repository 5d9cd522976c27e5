# SPDX-License-Identifier: MPL-2.0
"""Programs under test: started, waited for by what they say, and never left behind.

The build folder comes in SYNOD_BUILD. Every wait has a time limit and fails with what the program has said.
"""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

BUILD = os.environ.get("SYNOD_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build"))
BUILD = os.path.abspath(BUILD)
SYNOD = os.path.join(BUILD, "bin", "synod")
LIMIT = 20.0  # seconds for any one wait


class Program:
    """A process whose lines are read as they come."""

    def __init__(self, *command, env=None, cwd=None):
        self.command = [str(word) for word in command]
        self.lines = {"out": [], "err": []}
        self.more = threading.Condition()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, errors="replace", env=env, cwd=cwd)
        self.readers = [threading.Thread(target=self._read, args=item, daemon=True)
                        for item in (("out", self.process.stdout), ("err", self.process.stderr))]
        for reader in self.readers:
            reader.start()

    def _read(self, name, stream):
        for line in stream:
            with self.more:
                self.lines[name].append(line.rstrip("\n"))
                self.more.notify_all()
        with self.more:
            self.lines[name].append(None)  # the end
            self.more.notify_all()

    def story(self):
        return "%s\nstdout: %s\nstderr: %s" % (" ".join(self.command), self.lines["out"], self.lines["err"])

    def wait_line(self, name, pattern, after=0, limit=LIMIT):
        """The first line of `out` or `err`, from number AFTER on, in which the pattern is found."""
        end = time.monotonic() + limit
        with self.more:
            seen = after
            while True:
                for line in self.lines[name][seen:]:
                    if line is None:
                        raise AssertionError("ended before it said %r: %s" % (pattern, self.story()))
                    if re.search(pattern, line):
                        return line
                seen = max(seen, len(self.lines[name]))
                if not self.more.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    raise AssertionError("did not say %r within %g s: %s" % (pattern, limit, self.story()))

    def wait(self, limit=LIMIT):
        """The exit code."""
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError("did not end within %g s: %s" % (limit, self.story())) from None
        for reader in self.readers:
            reader.join(limit)
        return code

    def out(self):
        return [line for line in self.lines["out"] if line is not None]

    def err(self):
        return [line for line in self.lines["err"] if line is not None]

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for reader in self.readers:
            reader.join(LIMIT)
        self.process.stdout.close()
        self.process.stderr.close()


class TestCase(unittest.TestCase):
    """Keeps a temporary folder and the programs it started."""

    def setUp(self):
        # short: the path of an ipc endpoint has 107 bytes at most
        self.dir = tempfile.mkdtemp(prefix="synod-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.dir)
        self.env = {key: value for key, value in os.environ.items() if key != "SYNOD_BUS"}

    def start(self, *command):
        program = Program(*command, env=self.env, cwd=self.dir)
        self.addCleanup(program.end)
        return program

    def synod(self, *words):
        return self.start(SYNOD, *words)

    def run_synod(self, *words, limit=LIMIT):
        """Runs it to its end: (exit code, lines of stdout, lines of stderr)."""
        program = self.synod(*words)
        code = program.wait(limit)
        return code, program.out(), program.err()

    def start_broker(self):
        """Its endpoint; the broker itself in self.broker. Who joins waits until it is there."""
        endpoint = "ipc://%s/bus" % self.dir
        self.broker = self.synod("broker", "--listen", endpoint)
        return endpoint

    def start_node(self, name, *words):
        node = self.synod("run", "--node", name, *words)
        node.wait_line("err", "^ready %s$" % re.escape(name))
        return node

    def stop(self, program, number=signal.SIGTERM):
        program.signal(number)
        return program.wait()
