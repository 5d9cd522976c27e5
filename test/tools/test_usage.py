# SPDX-License-Identifier: MPL-2.0
"""What `synod` says before it joins any bus: help, versions, and wrong usage at every level."""
import os
import unittest

from harness import BUILD, TestCase

COMMANDS = ["broker", "run", "ask", "tell", "pub", "sub", "ls", "sniff", "bench", "paxos", "sim"]
MODULE = os.path.join(BUILD, "lib", "libtest_settings.so")


class Usage(TestCase):
    def refused(self, words, *texts):
        """Exit 2, nothing on stdout, and a stderr that holds the texts."""
        code, out, err = self.run_synod(*words)
        said = "\n".join(err)
        self.assertEqual((code, out), (2, []), said)
        for text in texts:
            self.assertIn(text, said)

    def test_help(self):
        code, out, err = self.run_synod("--help")
        self.assertEqual((code, err), (0, []))
        for name in COMMANDS:
            self.assertTrue(any(line.split()[:1] == [name] for line in out), name)
            code, lines, err = self.run_synod(name, "--help")
            self.assertEqual((code, err), (0, []), name)
            self.assertIn("synod %s" % name, lines[0])
            self.assertIn("--help", "\n".join(lines))

    def test_version(self):
        code, out, err = self.run_synod("--version")
        self.assertEqual((code, err), (0, []))
        self.assertRegex(out[0], r"^synod \d+\.\d+\.\d+$")
        for name in COMMANDS:
            self.assertEqual(self.run_synod(name, "--version"), (0, out, []), name)

    def test_no_command(self):
        self.refused([], "usage: synod")
        self.refused(["frobnicate"], "there is no command 'frobnicate'", "usage: synod")

    def test_unknown_option(self):
        for name in ["run", "ask", "tell", "pub", "sub", "ls", "sniff"]:
            self.refused([name, "--frob"], "there is no option --frob", "--bus", "--timeout", "synod %s --help" % name)
        self.refused(["ls", "-x"], "there is no option -x")

    def test_option_values(self):
        self.refused(["ls", "--timeout"], "--timeout takes a value")
        self.refused(["ls", "--direct=yes"], "--direct=yes takes no value")
        for text in ("5", "fast", "-1s", "0s", "5 s", "1e99h", "", "nans", "infs", "0x5s"):
            self.refused(["ls", "--timeout=" + text], "--timeout takes a time")
        for text in ("0", "-1", "x", "99999999999999999999", "1.5"):
            self.refused(["sub", "a", "--count=" + text], "--count takes a number from 1 on, not '%s'" % text)
        self.refused(["ls", "--beacon", "65536"], "--beacon takes a port")
        self.refused(["ls", "--bus", "tcp://x:1", "--peer", "tcp://y:2"], "--bus names a broker")

    def test_arguments(self):
        self.refused(["ask", "echo"], "expected TO and METHOD, got 1 argument")
        self.refused(["tell"], "expected TO and METHOD, got 0 arguments")
        self.refused(["pub"], "expected TOPIC")
        self.refused(["sub"], "expected one TOPIC or more")
        self.refused(["ls", "x"], "expected options alone, got 1 argument")
        self.refused(["sniff", "x"], "expected options alone")
        self.refused(["run"], "expected one TYPE")
        self.refused(["ask", "a//b", "echo"], "a//b")
        self.refused(["tell", "a b", "echo"], "a b")
        self.refused(["pub", "a..b"], "a..b")
        self.refused(["pub", "a.*"], "a.*")
        self.refused(["sub", "a.>.b"], "a.>.b")

    def test_bodies(self):
        with open(os.path.join(self.dir, "large"), "wb") as file:
            file.write(b"x" * 300000)
        with open(os.path.join(self.dir, "broken.json"), "w") as file:
            file.write("{")
        for words, text in [(["word"], "'word' is no key=text or key:=json"),
                            (["=x"], "a key has 1 to 63 bytes"),
                            (["k" * 64 + "=x"], "a key has 1 to 63 bytes"),
                            (["a=1", "a:=1"], "a is given twice"),
                            (["a:={"], "a: expected JSON"),
                            (['a:={"b":1,"b":2}'], "a: expected JSON"),
                            (["a:=18446744073709551616"], "a: expected JSON"),
                            (["a:=" + "[" * 16 + "]" * 16], "a: nested deeper than 16"),
                            (['a:={"$bin":"!"}'], "a: $bin takes base64"),
                            (['a:={"$bin":"AAA"}'], "a: $bin takes base64"),
                            ([b"a=\xff"], "a: a text is UTF-8"),
                            (["a=@nothing"], "a: cannot open nothing"),
                            (["a=@large"], "a: large is larger than a body"),
                            (["a:=@broken.json"], "a: expected JSON")]:
            words = [os.fsdecode(word) for word in words]
            self.refused(["ask", "echo", "echo"] + words, text)
            self.refused(["tell", "echo", "echo"] + words, text)
        self.refused(["pub", "topic", "name", "word"], "'word' is no key=text or key:=json")

    def test_run(self):
        self.refused(["run", "frob"], "there is no actor type 'frob'", "echo", "./lib.so")
        self.refused(["run", "./nothing.so"], "cannot load actors", "nothing.so")
        self.refused(["run", MODULE + ":frob"], "there is no actor type 'frob'", "speaker, notebook")
        self.refused(["run", "--set", "a=1", "echo"], "stands before any type")
        self.refused(["run", "echo", "--set", "a=1"], "--set a=1: the type takes no settings")
        self.refused(["run", MODULE + ":speaker"], "word")  # it must be given
        for setting, text in [("frob=1", "the type takes word, times, rate, loud"), ("word", "takes key=value"),
                              ("times=many", "times: expected"), ("times=4", "times"), ("times=-1", "times"),
                              ("loud=maybe", "loud: expected"), ("rate=x", "rate: expected"), ("word=" + "x" * 21, "word")]:
            words = [] if setting.startswith("word=") else ["--set", "word=x"]
            self.refused(["run", MODULE + ":speaker", *words, "--set", setting], text)
        self.refused(["run", MODULE + ":speaker", "--set", "word=x", "--set", "word=y"], "word is given twice")
        self.refused(["run", "echo", "--node", "a/b"], "a/b")


if __name__ == "__main__":
    unittest.main()
