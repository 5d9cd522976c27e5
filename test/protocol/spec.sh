#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
#
# spec.sh SPEC_TABLES SPEC.md [--write]: compares what the code says with what SPEC.md says between the same markers;
# with --write, brings SPEC.md up to date instead.
set -eu
tables=$1
spec=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tables" >"$work/code"
if [ "${3:-}" = --write ]; then
    awk -v code="$work/code" '
        BEGIN { while ((getline line < code) > 0) {
                    if (line ~ /^<!-- begin /) block = line
                    text[block] = text[block] line "\n"
                } }
        /^<!-- begin / { printf "%s", text[$0]; inside = 1 }
        !inside
        /^<!-- end / { inside = 0 }' "$spec" >"$work/spec"
    cp "$work/spec" "$spec"
    exit 0
fi
awk '/^<!-- begin / { inside = 1 } inside; /^<!-- end / { inside = 0 }' "$spec" >"$work/spec"
diff -u "$work/spec" "$work/code" || {
    echo "SPEC.md (-) is not what the code says (+); bring it up to date with: $0 $tables $spec --write" >&2
    exit 1
}
