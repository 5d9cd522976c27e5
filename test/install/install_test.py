#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""An installed copy, moved to another place, serves a program outside of the tree: found by pkg-config and by CMake,
shared and static, as C and as C++. Each is built and run.

install_test.py BUILD_DIR LIBDIR [unittest's arguments]
"""
import os
import shlex
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
CONSUMER = os.path.join(HERE, "consumer")
BUILD = ""  # from the command line
LIBDIR = "lib"
SAYS = "synod 0.1.0: x -7, label here\n"
WARNINGS = ["-Wall", "-Wextra", "-Werror"]


def run(*command, **more):
    """Runs a command that must succeed within a minute; its output."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)
    if done.returncode != 0:
        raise AssertionError("%s\nended with %d\n%s%s" % (shlex.join(command), done.returncode, done.stdout,
                                                          done.stderr))
    return done.stdout


class Install (unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        first = os.path.join(cls.folder.name, "first")
        cls.prefix = os.path.join(cls.folder.name, "moved")
        run("cmake", "--install", BUILD, "--prefix", first)
        os.rename(first, cls.prefix)
        cls.libdir = os.path.join(cls.prefix, LIBDIR)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def pkg_config(self, *args):
        more = dict(os.environ, PKG_CONFIG_PATH=os.path.join(self.libdir, "pkgconfig"))
        return shlex.split(run("pkg-config", *args, "synod", env=more))

    def runs(self, program, **more):
        self.assertEqual(run(program, env=dict(os.environ, **more)), SAYS)

    def test_pkg_config(self):
        flags = self.pkg_config("--cflags", "--libs")
        self.assertIn("-lsynod", flags)
        self.assertNotIn("-lczmq", flags, "a program with the shared library is not linked with what that uses")
        for compiler, language in [(["cc", "-std=c11"], "c"), (["g++", "-std=c++11"], "c++")]:
            program = os.path.join(self.folder.name, "by_pkg_config_" + language)
            run(*compiler, *WARNINGS, "-x", language, os.path.join(CONSUMER, "consumer.c"), "-x", "none", *flags,
                "-o", program)
            self.runs(program, LD_LIBRARY_PATH=self.libdir)

    def test_static_archive(self):
        """By file name, with the system's libraries shared: Debian has no static build of all that libzmq uses."""
        system = shlex.split(run("pkg-config", "--libs", "libczmq", "libzmq", "msgpack", "lmdb"))
        program = os.path.join(self.folder.name, "static_archive")
        run("cc", *WARNINGS, *self.pkg_config("--cflags"), os.path.join(CONSUMER, "consumer.c"),
            os.path.join(self.libdir, "libsynod.a"), *system, "-pthread", "-o", program)
        self.assertNotIn("libsynod", run("ldd", program))
        self.runs(program)

    def test_cmake(self):
        made = os.path.join(self.folder.name, "by_cmake")
        run("cmake", "-S", CONSUMER, "-B", made, "-DCMAKE_PREFIX_PATH=" + self.prefix)
        run("cmake", "--build", made)
        for program in ["in_c", "in_cxx", "in_c_static"]:
            self.runs(os.path.join(made, program))
        self.assertIn(self.libdir, run("ldd", os.path.join(made, "in_c")))
        self.assertNotIn("libsynod", run("ldd", os.path.join(made, "in_c_static")))

    def test_each_header_stands_alone(self):
        headers = sorted(os.listdir(os.path.join(self.prefix, "include", "synod")))
        self.assertIn("errors.def", headers)
        for header in [name for name in headers if name.endswith(".h")]:
            for compiler in [["cc", "-std=c11", "-x", "c"], ["g++", "-std=c++11", "-x", "c++"]]:
                run(*compiler, *WARNINGS, "-pedantic", "-fsyntax-only", "-I" + os.path.join(self.prefix, "include"),
                    "-", input="#include <synod/%s>\nint x;\n" % header)

    def test_what_is_installed(self):
        for path in ["libsynod.so.0", "libsynod.a", "pkgconfig/synod.pc", "cmake/synod/synodConfig.cmake",
                     "cmake/synod/synodConfigVersion.cmake", "cmake/synod/synodTargets.cmake"]:
            self.assertTrue(os.path.exists(os.path.join(self.libdir, path)), path)
        for path in ["share/doc/synod/LICENSE", "share/doc/synod/README.md"]:
            self.assertTrue(os.path.exists(os.path.join(self.prefix, path)), path)

    def test_the_program_runs_from_there(self):
        if not os.path.exists(os.path.join(BUILD, "bin", "synod")):
            self.skipTest("the tree is not whole yet: it has no program `synod`")
        self.assertIn("0.1.0", run(os.path.join(self.prefix, "bin", "synod"), "--version"))


if __name__ == "__main__":
    if len(sys.argv) < 3 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: install_test.py BUILD_DIR LIBDIR [unittest's arguments]")
    BUILD = os.path.realpath(sys.argv.pop(1))
    LIBDIR = sys.argv.pop(1)
    unittest.main()
