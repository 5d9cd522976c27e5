#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Runs the fuzz targets for SECONDS (default 60) in all, one after another. What they find that is new stays in
# build-fuzz/corpus; an input that breaks something is left in build-fuzz/found, and the exit code is 1.
set -eu

seconds=${1:-60}
case $seconds in
    '' | *[!0-9]*) echo "fuzz: expected a number of seconds, got \"$seconds\"" >&2; exit 2 ;;
esac
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${SYNOD_FUZZ_BUILD:-$root/build-fuzz}

if [ "${SYNOD_FUZZ_BUILT:-}" != yes ]; then
    cmake -S "$root" -B "$build" -DSYNOD_FUZZ=ON -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug >/dev/null
    cmake --build "$build" -j "$(nproc)" --target fuzz_frame --target fuzz_record --target fuzz_print
fi

targets='frame record print'
share=$((seconds / 3))
[ "$share" -gt 0 ] || share=1
failed=0
mkdir -p "$build/found"
for target in $targets; do
    mkdir -p "$build/corpus/$target"
    echo "fuzz: $target for $share s"
    log=$build/found/$target.log
    if "$build/bin/fuzz_$target" -max_total_time="$share" -max_len=8192 -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$build/found/$target-" "$build/corpus/$target" "$root/test/fuzz/corpus/$target" \
        >"$log" 2>&1; then
        tail -n 1 "$log"
    else
        tail -n 40 "$log" >&2
        failed=1
    fi
done
exit $failed
