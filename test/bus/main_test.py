#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""A program that says synod_main: its options, its exit codes, its signals. It joins a bus without a broker."""
import os
import select
import signal
import subprocess
import tempfile
import time
import unittest

import msgpack
import zmq

PROGRAM = os.path.join(os.environ["SYNOD_BUILD"], "test", "test_main_program")
LIMIT = 20


class Program:
    def __init__(self, *words):
        self.process = subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.text = {1: b"", 2: b""}

    def until(self, fd, text):
        """Reads until TEXT has come on FD (1 or 2)."""
        stream = self.process.stdout if fd == 1 else self.process.stderr
        end = time.monotonic() + LIMIT
        while text not in self.text[fd]:
            left = end - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                raise AssertionError("%r did not come: %r" % (text, self.text))
            more = os.read(stream.fileno(), 4096)
            if not more:
                raise AssertionError("%r did not come before the end: %r" % (text, self.text))
            self.text[fd] += more

    def end(self):
        out, err = self.process.communicate(timeout=LIMIT)
        self.text[1] += out
        self.text[2] += err
        return self.process.returncode


def run(*words):
    program = Program(*words)
    return program.end(), program.text[1].decode(), program.text[2].decode()


class Main(unittest.TestCase):
    def start(self, *words):
        program = Program("--direct", "--node", "p", "--set", "word=hi", *words)
        self.addCleanup(self.kill, program)
        program.until(2, b"ready p\n")
        return program

    def temporary(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return directory.name

    @staticmethod
    def kill(program):
        if program.process.poll() is None:
            program.process.kill()
        program.process.wait()
        program.process.stdout.close()
        program.process.stderr.close()

    def test_signals_end_it(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            program = self.start("--set", "times=7")
            program.process.send_signal(number)
            self.assertEqual(program.end(), 0, program.text)
            self.assertEqual(program.text[1], b"init hi 7\nfini\n")

    def test_second_signal_ends_at_once(self):
        directory = self.temporary()
        endpoint = "ipc://%s/inbox" % directory
        program = self.start("--listen", endpoint, "--drain", "1m")
        context = zmq.Context()
        self.addCleanup(context.term)
        dealer = context.socket(zmq.DEALER)
        dealer.linger = 0
        self.addCleanup(dealer.close)
        dealer.identity = b"q@%016x" % 1
        dealer.connect(endpoint)
        header = msgpack.packb([1, "q", 1, 0, 0])
        ask = msgpack.packb([1, "hold", None, "a", 5, 60000, None, {}])
        dealer.send(b"p/program\0" + header + ask)
        program.until(1, b"held\n")
        program.process.send_signal(signal.SIGTERM)
        with self.assertRaises(subprocess.TimeoutExpired):
            program.process.wait(0.5)  # it drains: somebody waits for an answer
        began = time.monotonic()
        program.process.send_signal(signal.SIGINT)
        self.assertEqual(program.end(), 128 + signal.SIGINT)
        self.assertLess(time.monotonic() - began, 5)
        self.assertNotIn(b"fini", program.text[1])

    def test_exit_codes(self):
        code, out, err = run("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("usage: test_main_program [--set", out)
        self.assertIn("--set word=... (needed)  what to say", out)
        self.assertEqual(run("--version")[0], 0)
        for words, text in [
            ([], "--set word=... is needed"),
            (["--set", "word=" + "x" * 21], "settings.word: expected"),
            (["--set", "word=x", "--set", "times=many"], "settings.times: expected"),
            (["--set", "word=x", "--set", "frob=1"], "--set frob=1: the type takes word, times"),
            (["--set", "word=x", "--set", "word=y"], "word is given twice"),
            (["word"], "expected options only, got 1 argument"),
            (["--frob"], "there is no option --frob"),
            (["--bus", "ipc://x", "--direct"], "--bus names a broker"),
            (["--heartbeat", "soon"], "--heartbeat takes a time"),
            (["--heartbeat", "597h"], "--heartbeat takes a time from 1ms to 596h"),
            (["--beacon", "99999"], "--beacon takes a port"),
            (["--node", "a/b", "--set", "word=x"], "a/b"),
        ]:
            with self.subTest(words=words):
                code, out, err = run(*words)
                self.assertEqual((code, out), (2, ""), err)
                self.assertIn(text, err)

    def test_nobody_there(self):
        code, out, err = run("--bus", "ipc://%s/nobody" % self.temporary(), "--timeout", "300ms", "--set", "word=x")
        self.assertEqual(code, 3, err)
        self.assertIn("no broker answered at ipc://", err)
        self.assertIn("within 300 ms", err)

    def test_environment_names_the_bus(self):
        os.environ["SYNOD_BUS"] = "ipc://%s/environment" % self.temporary()
        self.addCleanup(os.environ.pop, "SYNOD_BUS")
        code, _, err = run("--timeout", "300ms", "--set", "word=x")
        self.assertEqual(code, 3, err)
        self.assertIn(os.environ["SYNOD_BUS"], err)


if __name__ == "__main__":
    unittest.main()
