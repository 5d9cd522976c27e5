#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
#
# Sweeps the built-in scenarios: sweep.sh BUILD_DIR [SEEDS [FIRST]] runs SEEDS worlds of each with all faults drawn, and
# of each with the faults that have found most, and of each whose commits take a while; from FIRST on, else from 1. The first that
# fails ends it.
set -euo pipefail

synod=$1/bin/synod
seeds=${2:-10000}
first=${3:-1}
[[ $seeds =~ ^[1-9][0-9]*$ && $first =~ ^[0-9]+$ ]] || { echo "sweep: expected numbers of seeds" >&2; exit 2; }
range=$first..$((first + seeds - 1))

for scenario in counter register echo paxos ring placed kv cache lock lock_drift lock_tight vote txn; do
    for faults in "" "dup=10,reorder=10,crash=*3,pause=*4+5s" "crash=*8,pause=*8+3s" "pause=*12+1s" \
        "partition=*4,oneway=*4,reset=*4,loss=2"; do
        echo "sweep: $scenario, seeds $range, faults ${faults:-drawn}"
        "$synod" sim "$scenario" --seeds "$range" --for 20s ${faults:+--faults "$faults"}
    done
    echo "sweep: $scenario, seeds $range, commits that take a while"
    "$synod" sim "$scenario" --seeds "$range" --for 20s --slow
done
