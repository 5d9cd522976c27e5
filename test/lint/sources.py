#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""What this tree asks of its own files, beyond what a compiler sees.

Every source says its licence in its first lines, is at most 500 lines long, and holds no word that has no place in a
commit: a path of somebody's machine, a note of work not done. Every Python file compiles.

sources.py [--root DIR]           checks, and prints FILE:LINE: what is wrong; ends with 1 if anything is
sources.py --list KIND...         prints the files of these kinds: c, h, py, sh
"""
import argparse
import os
import re
import sys

LINES_MAX = 500
# put together here, so that this file does not hold them
FORBIDDEN = ["/" + "work/", "/" + "tmp/wt", "TO" + "DO", "FIX" + "ME"]
SKIPPED = re.compile(r"^(\.git|build|build-.*|__pycache__|\..*cache)$")
SOURCES = {".c", ".h", ".def", ".py", ".sh", ".cmake", ".in", ".supp", ".service", ".cfg", ".cc"}
TEXTS = {".md", ".json", ".yml", ".txt", ".abnf"}


def files_of(root):
    """Paths of all files of the tree, from ROOT, without what a build leaves."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not SKIPPED.match(name))
        for name in sorted(names):
            if not SKIPPED.match(name):
                yield os.path.relpath(os.path.join(folder, name), root)


def first_line(path):
    with open(path, "rb") as file:
        return file.readline(200)


def kind_of(root, path):
    """c, h, py, sh, other sources as `source`, texts as `text`, and None for what is no affair of ours."""
    suffix = os.path.splitext(path)[1]
    if suffix in (".c", ".h", ".py", ".sh"):
        return suffix[1:]
    if os.path.basename(path) == "CMakeLists.txt" or suffix in SOURCES:
        return "source"
    if suffix in TEXTS:
        return "text"
    full = os.path.join(root, path)
    head = first_line(full) if suffix == "" and os.path.isfile(full) else b""
    if re.match(rb"#!.*\b(ba)?sh\b", head):
        return "sh"
    if re.match(rb"#!.*\bpython3?\b", head):
        return "py"
    return None


def check(root, path, kind):
    """Faults of one file as (line, sentence)."""
    with open(os.path.join(root, path), "rb") as file:
        data = file.read()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [(1, "is not UTF-8: %s" % error)]
    lines = text.splitlines()
    faults = []
    if kind != "text":
        if not any("SPDX-License-Identifier: MPL-2.0" in line for line in lines[:3]):
            faults.append((1, "says no licence; the first lines need SPDX-License-Identifier: MPL-2.0"))
        if len(lines) > LINES_MAX:
            faults.append((LINES_MAX + 1, "has %d lines; %d are the most" % (len(lines), LINES_MAX)))
    for number, line in enumerate(lines, 1):
        faults += [(number, "holds '%s'" % word) for word in FORBIDDEN if word in line]
        if line != line.rstrip() and kind != "text":
            faults.append((number, "ends with a space"))
    if kind == "py":
        try:
            compile(text, path, "exec")
        except SyntaxError as error:
            faults.append((error.lineno or 1, "does not compile: %s" % error.msg))
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    parser.add_argument("--list", nargs="+", metavar="KIND", choices=["c", "h", "py", "sh"])
    args = parser.parse_args()
    faulty = seen = 0
    for path in files_of(args.root):
        kind = kind_of(args.root, path)
        if args.list:
            if kind in args.list:
                print(path)
        elif kind:
            seen += 1
            for line, fault in check(args.root, path, kind):
                faulty += 1
                print("%s:%d: %s" % (path, line, fault))
    if not args.list and seen == 0:
        print("no source was found under %s" % args.root)
        return 1
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
