#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
#
# run.sh BUILD_DIR [SECONDS]: runs each fuzz target of BUILD_DIR/bin for SECONDS (default 60). New inputs that reach new
# code stay in BUILD_DIR/corpus for the next run. An input that breaks something is left in BUILD_DIR/found, and the
# exit code is 1.
set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
    echo "usage: run.sh BUILD_DIR [SECONDS]" >&2
    exit 2
fi
build=$1
seconds=${2:-60}
here=$(cd "$(dirname "$0")" && pwd)
failed=0
mkdir -p "$build/found"
for target in frame record print copy redis zmtp; do
    mkdir -p "$build/corpus/$target"
    log=$build/found/$target.log
    echo "fuzz: $target for $seconds s"
    if "$build/bin/fuzz_$target" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$build/found/$target-" "$build/corpus/$target" "$here/corpus/$target" >"$log" 2>&1; then
        tail -n 1 "$log"
    else
        tail -n 40 "$log" >&2
        echo "fuzz: $target failed: see $log" >&2
        failed=1
    fi
done
exit $failed
