#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""The layers, read from what was compiled and from the #include lines.

The protocol, the actors and the routing are pure: what they leave undefined is on the list PURE below and nothing else, so that
nothing in them can reach a socket, a clock, chance, a thread or a file. Each folder includes only those before it.
The shared library shows exactly the names that the public headers mark with SYNOD_API.

layering_test.py BUILD_DIR [unittest's arguments]
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = ""  # from the command line

# Each may include those before it. `lib` only gathers.
ORDER = ["include", "protocol", "actors", "broker/routing", "sim", "bus", "broker", "lib", "tools"]
PURE_FOLDERS = ["protocol", "actors", "broker/routing", "sim"]

# A trace is written to a stream that the caller has opened; nothing is opened here.
ALSO = {"sim": {"fputs", "fputc", "putc", "fwrite"}}

# What pure code may call: memory, text, numbers, sorting. When a name is missing here that does nothing but compute,
# add it. Names of the compiler's own runtime (checked variants, sanitizers, stack guard) stand for those they check.
PURE = re.compile(
    r"""^(
      synod_\w+ | msgpack_\w+ | XXH\w+
    | mem(cpy|move|set|cmp|chr|rchr|mem|pcpy) | explicit_bzero
    | str(n?len|n?cmp|n?casecmp|n?cpy|n?cat|r?chr|c?spn|pbrk|str|n?dup|tok_r) | stpn?cpy | strchrnul
    | malloc | calloc | realloc | reallocarray | free | abort | __assert_fail
    | (v?s|v?sn|va?s)printf | asprintf | vasprintf
    | strto(l|ul|ll|ull|d|f|ld|imax|umax) | qsort | qsort_r | bsearch | l?l?abs
    | is(alnum|alpha|digit|xdigit|space|print|upper|lower|punct) | to(lower|upper) | __ctype_(b|tolower|toupper)_loc
    | (floor|ceil|round|l?l?round|trunc|fabs|sqrt|pow|exp|log|log2|log10|fmod|ldexp|frexp|isnan|isinf)[fl]?
    | __is(nan|inf|finite|signbit)[fl]? | __fpclassify
    | __(mem\w+|str\w+|stp\w+|v?snprintf|v?sprintf|vasprintf|asprintf)_chk | __stack_chk_fail | _GLOBAL_OFFSET_TABLE_
    | __popcount[sd]i2
    | __isoc(99|23)_strto\w+ | __errno_location
    | __(a|t|ub|l|h)san_\w+ | __sanitizer_\w+ | __tls_get_addr | __start___sancov\w* | __stop___sancov\w*
    )$""",
    re.VERBOSE,
)


def nm(*args):
    """Rows of nm as (name, kind); the kind is U for what is undefined."""
    text = subprocess.run(["nm", "-P", *args], check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in text.splitlines()]
    return [(row[0].split("@")[0], row[1]) for row in rows if len(row) >= 2 and not row[0].endswith("]:")]


def archive(folder):
    return os.path.join(BUILD, "lib", "libsynod_%s.a" % os.path.basename(folder))


def impure(path):
    """Names that the archive or object PATH takes from elsewhere and that are not pure, sorted."""
    symbols = nm(path)
    own = {name for name, kind in symbols if kind not in "Uwv"}
    return sorted({name for name, kind in symbols if kind in "Uwv" and name not in own and not PURE.match(name)})


def folder_of(path):
    """Which of ORDER's folders PATH is in: the innermost; or its first folder, when it is in none."""
    inside = [folder for folder in ORDER if path.startswith(folder + "/")]
    return max(inside, key=len) if inside else path.split("/")[0]


def sources(folder, root=ROOT):
    for where, folders, names in os.walk(os.path.join(root, folder)):
        folders[:] = [name for name in folders if os.path.relpath(os.path.join(where, name), root) not in ORDER]
        for name in sorted(names):
            if name.endswith((".c", ".h", ".def")):
                yield os.path.relpath(os.path.join(where, name), root)


def wrong_includes(folder, root=ROOT):
    """Lines of FOLDER's sources that include a file of a folder after it (or of none of the library's)."""
    wrong = []
    allowed = ORDER[: ORDER.index(folder) + 1]
    for path in sources(folder, root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
                if not found:
                    continue
                target = found.group(2)
                if found.group(1) == "<":
                    # <synod/...> is for all; anything else in <> is the system's
                    pure = folder in ["include", *PURE_FOLDERS]
                    if pure and re.match(r"(zmq|czmq|z[a-z]+\.h|pthread|threads|time\.h|sys/(socket|time)|unistd|fcntl)",
                                         target):
                        wrong.append("%s:%d: %s" % (path, number, line.strip()))
                    continue
                beside = os.path.normpath(os.path.join(os.path.dirname(path), target))
                here = beside if os.path.exists(os.path.join(root, beside)) else os.path.normpath(target)
                if folder_of(here) not in allowed:
                    wrong.append("%s:%d: %s" % (path, number, line.strip()))
    return wrong


def without_macros(text):
    """A header without comments, directives and what is disabled in them."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    return re.sub(r"^[ \t]*#(?:.*\\\n)*.*$", " ", text, flags=re.MULTILINE)


def declared():
    """Names that the public headers mark with SYNOD_API."""
    names = set()
    for path in sources("include"):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            text = without_macros(file.read())
        for declaration in re.findall(r"\bSYNOD_API\b([^;{]*)[;{]", text):
            names.add(re.search(r"(\w+)\s*(\(|\[|$)", declaration.strip()).group(1))
    return names


class Pure (unittest.TestCase):
    def test_archives(self):
        seen = 0
        for folder in PURE_FOLDERS:
            if any(path.endswith(".c") for path in sources(folder)):
                seen += 1
                taken = set(impure(archive(folder))) - ALSO.get(folder, set())
                self.assertEqual(sorted(taken), [], "%s is not pure" % folder)
        if seen == 0:
            self.skipTest("no pure folder has sources yet")

    def test_a_planted_call_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            for call in ["clock_gettime (0, 0)", "random ()", "open (0, 0)", "pthread_self ()", "zmq_ctx_new ()",
                         "zsock_new (0)", "printf (0)", "fopen (0, 0)", "getrandom (0, 0, 0)", "getenv (0)"]:
                source, made = os.path.join(folder, "planted.c"), os.path.join(folder, "planted.o")
                with open(source, "w", encoding="utf-8") as file:
                    file.write("int planted (void *p);\nint planted (void *p) { __builtin_memset (p, 1, 999); "
                               "return (int) (long) %s; }\n" % call)
                subprocess.run(["cc", "-w", "-fno-builtin", "-c", source, "-o", made], check=True)
                self.assertEqual(impure(made), [call.split()[0]])


class Includes (unittest.TestCase):
    def test_folders(self):
        for folder in ORDER:
            self.assertEqual(wrong_includes(folder), [], "%s includes what is below it" % folder)

    def test_a_planted_include_is_found(self):
        with tempfile.TemporaryDirectory() as root:
            for path, text in [("actors/a.c", '#include <synod/actor.h>\n#include "a.h"\n#include "../bus/b.h"\n'),
                               ("actors/a.h", '#include "protocol/p.h"\n'),
                               ("actors/deep/c.c", '#include "../a.h"\n#include <czmq.h>\n#include "bus/b.h"\n'),
                               ("protocol/p.h", "#include <stdint.h>\n"),
                               ("actors/r.h", '#include "broker/routing/r.h"\n'),
                               ("broker/routing/r.h", '#include "bus/b.h"\n'),
                               ("broker/b.c", '#include "broker/routing/r.h"\n#include "bus/b.h"\n'),
                               ("bus/b.h", "")]:
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            found = [line.split(": ")[0] for line in wrong_includes("actors", root)]
            self.assertEqual(sorted(found), ["actors/a.c:3", "actors/deep/c.c:2", "actors/deep/c.c:3", "actors/r.h:1"])
            found = [line.split(": ")[0] for line in wrong_includes("broker/routing", root)]
            self.assertEqual(found, ["broker/routing/r.h:1"])
            self.assertEqual(wrong_includes("broker", root), [])


class Exports (unittest.TestCase):
    def setUp(self):
        self.exported = {name for name, kind in nm("-D", "--defined-only", os.path.join(BUILD, "lib", "libsynod.so"))}
        self.declared = declared()

    def test_only_public_names_are_exported(self):
        self.assertEqual(sorted(self.exported - self.declared), [], "exported, but no header declares it SYNOD_API")

    def test_names_have_the_public_prefix(self):
        wrong = [name for name in self.exported | self.declared if not re.match(r"synod_(?!_)", name)]
        self.assertEqual(sorted(wrong), [])

    def test_what_is_declared_and_defined_is_exported(self):
        made = {name for name, kind in nm(os.path.join(BUILD, "lib", "libsynod.a")) if kind in "TDBR"}
        self.assertIn("synod_version", made)
        self.assertEqual(sorted((self.declared & made) - self.exported), [])

    def test_what_is_declared_is_defined(self):
        if not os.path.exists(os.path.join(BUILD, "bin", "synod")):
            self.skipTest("the tree is not whole yet: it has no program `synod`")
        self.assertEqual(sorted(self.declared - self.exported), [], "declared SYNOD_API, but nowhere defined")

    def test_declarations_are_read(self):
        """The reader of headers itself: names that must be among those it finds, and one that is inside a macro."""
        expected = {"synod_version", "synod_error_name", "synod_reply_error", "synod_node_destroy", "synod_main"}
        self.assertEqual(sorted(expected - self.declared), [])
        self.assertNotIn("synod_module", self.declared)


if __name__ == "__main__":
    if len(sys.argv) < 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: layering_test.py BUILD_DIR [unittest's arguments]")
    BUILD = os.path.realpath(sys.argv.pop(1))
    unittest.main()
