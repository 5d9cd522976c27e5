#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The actor that README.md shows is examples/hello/hello.c, byte for byte, and fits one screen."""
import os
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SCREEN = 45  # lines


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


class Readme (unittest.TestCase):
    def test_it_shows_the_example(self):
        shown = read("README.md").split("```c\n")
        self.assertEqual(len(shown), 2, "README.md shows one piece of C")
        self.assertEqual(shown[1].split("```")[0], read("examples/hello/hello.c"))

    def test_it_fits_one_screen(self):
        self.assertLessEqual(len(read("examples/hello/hello.c").splitlines()), SCREEN)


if __name__ == "__main__":
    unittest.main()
