#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
#
# run.sh BUILD_DIR: every check of the sources that needs no run. BUILD_DIR has been configured (its
# compile_commands.json says how each file is compiled). All checks run, then the verdict; $JOBS at a time.
set -uo pipefail
build=$(cd "$1" && pwd) || exit 2
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
jobs=${JOBS:-$(nproc)}
failed=()

list ()
{
    /usr/bin/python3 test/lint/sources.py --list "$@"
}

# check NAME COMMAND...: says what it runs and how long it took
check ()
{
    local name=$1 began=$SECONDS
    shift
    if "$@"; then
        printf 'lint: %-12s ok (%d s)\n' "$name" $((SECONDS - began))
    else
        printf 'lint: %-12s FAILED\n' "$name"
        failed+=("$name")
    fi
}

formatted ()
{
    list c h | xargs -r clang-format --dry-run -Werror
}

# Only files that are compiled in BUILD_DIR; each file's output in one piece. clang-tidy counts the warnings of system
# headers on its standard error, which nobody wants to know. Its analyzer follows up to max-nodes states of a function: with
# a quarter of the usual the loops of hash tables take a third of the time, and nothing else is cut short.
tidy ()
{
    local states="--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=60000"
    states+=" --extra-arg=-Wno-ignored-optimization-argument" # GCC's, of a build that is optimised across files
    # shellcheck disable=SC2016 # $1 is for the inner shell
    list c | /usr/bin/python3 -c '
import json, os, sys
known = {os.path.realpath(entry["file"]) for entry in json.load(open(sys.argv[1]))}
print("\n".join(path for path in sys.stdin.read().split() if os.path.realpath(path) in known))
' "$build/compile_commands.json" \
        | xargs -r -P "$jobs" -n 1 sh -c 'out=$(clang-tidy --quiet -p "$0" '"$states"' "$1" 2>/dev/null) && [ -z "$out" ] \
            || { printf "%s\n" "$out"; exit 1; }' "$build"
}

flow ()
{
    # it cannot follow uthash's loops; compilers and sanitizers look for what is not initialised too
    mkdir -p "$build/cppcheck"
    list c | xargs -r cppcheck --quiet --error-exitcode=1 --std=c11 -j "$jobs" --cppcheck-build-dir="$build/cppcheck" \
        --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
        --suppress=uninitvar --suppress=ctuuninitvar --suppress=autoVariables --suppress=unknownMacro --suppress=preprocessorErrorDirective \
        -D_GNU_SOURCE -D__linux__ -I include -I .
}

scripts ()
{
    list sh | xargs -r shellcheck
}

check sources /usr/bin/python3 test/lint/sources.py
check format formatted
check scripts scripts
check cppcheck flow
check clang-tidy tidy
if [ ${#failed[@]} -gt 0 ]; then
    echo "lint: failed: ${failed[*]}"
    exit 1
fi
echo "lint: all is well"
