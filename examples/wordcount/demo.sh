#!/bin/bash
# SPDX-License-Identifier: MPL-2.0
#
# demo.sh BUILD_DIR [FILE...]: counts the words of the files (default: the texts in /usr/share/common-licenses) on four
# worker processes, four times: through a broker, through a broker with one worker killed while it has chunks, without a
# broker, and into a table on three nodes of which one is killed meanwhile. Each time the counts must be those of tr, sort and
# uniq on the same files. At the end a summary of them is published in the table, all or nothing, and its transaction shown.
set -euo pipefail
export LC_ALL=C

[ $# -ge 1 ] || {
    echo "usage: demo.sh BUILD_DIR [FILE...]" >&2
    exit 2
}
bin=$(cd "$1" && pwd)/bin
lib=$(cd "$1" && pwd)/lib
shift

dir=$(mktemp -d "${TMPDIR:-/tmp}/synod-demo.XXXXXX")
pids=() # of all that this script started and that still runs

finish ()
{
    local pid
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die ()
{
    echo "demo: $*" >&2
    for log in "$dir"/*.err; do
        if [ -s "$log" ]; then
            echo "-- $(basename "$log" .err) said:" >&2
            tail -n 5 "$log" >&2
        fi
    done
    exit 1
}

# start NAME COMMAND...: in the background, its output in NAME.out and NAME.err; its process is $started
start ()
{
    local name=$1
    shift
    "$@" >"$dir/$name.out" 2>"$dir/$name.err" </dev/null &
    started=$!
    pids+=("$started")
}

# wait_for NAME PID TEXT: until a line of NAME.err begins with TEXT, for 20 seconds at most
wait_for ()
{
    local until=$((SECONDS + 20))
    until grep -q "^$3" "$dir/$1.err"; do
        kill -0 "$2" 2>/dev/null || grep -q "^$3" "$dir/$1.err" || die "$1 ended before it said '$3'"
        [ $SECONDS -lt $until ] || die "$1 did not say '$3' within 20 seconds"
        sleep 0.02
    done
}

# stop PID...: lets them drain
stop ()
{
    local pid other left
    kill -TERM "$@" 2>/dev/null || true
    for pid in "$@"; do
        wait "$pid" 2>/dev/null || true
        left=()
        for other in "${pids[@]}"; do
            [ "$other" = "$pid" ] || left+=("$other")
        done
        pids=("${left[@]}")
    done
}

# check NAME: its counts against those of the tools that everybody has
check ()
{
    cmp -s "$dir/expected" "$dir/$1.out" || {
        diff "$dir/expected" "$dir/$1.out" >&2 || true
        die "$1: the counts are not those of tr, sort and uniq"
    }
    echo "   the same as tr, sort and uniq count: yes"
}

# ---- the files, and what must come out ----

if [ $# -gt 0 ]; then
    files=("$@")
else
    # a text that several names lead to is counted once
    mapfile -t files < <(find -L /usr/share/common-licenses -maxdepth 1 -type f -exec realpath {} + | sort -u)
    [ ${#files[@]} -gt 0 ] || die "there are no texts in /usr/share/common-licenses; give some files"
fi
for file in "${files[@]}"; do
    if [ ! -f "$file" ] || [ ! -r "$file" ]; then die "$file is no file that can be read"; fi
done
for file in "${files[@]}"; do
    tr -cs 'A-Za-z' '\n' <"$file" | tr '[:upper:]' '[:lower:]'
    echo
done | sed '/^$/d' | sort | uniq -c | sed 's/^ *//' | sort -k1,1nr -k2,2 >"$dir/all"
head -n 20 "$dir/all" >"$dir/expected"
bytes=$(cat "${files[@]}" | wc -c)
echo "== ${#files[@]} files, $bytes bytes: $(printf '%s ' "${files[@]##*/}")"

# ---- through a broker ----

bus=ipc://$dir/bus
echo "== 1. a broker, a sniffer, four workers"
start broker "$bin/synod" broker --listen "$bus"
broker=$started
start sniffer "$bin/synod" sniff --bus "$bus"
sniffer=$started
wait_for sniffer "$sniffer" ready
workers=()
for i in 1 2 3 4; do
    start "worker$i" "$bin/synod" run "$lib/libwordcount.so" --bus "$bus" --node "worker$i"
    workers+=("$started")
done
for i in 1 2 3 4; do
    wait_for "worker$i" "${workers[i - 1]}" ready
done
start first "$bin/wordcount" --bus "$bus" --chunk 8192 "${files[@]}"
first=$started
wait "$first" || die "the first count failed"
stop "$first"
cat "$dir/first.out"
check first
stop "$sniffer"
echo "== what the sniffer saw: $(wc -l <"$dir/sniffer.out") messages, for instance"
for kind in 'ask count_chunk' reply; do
    grep " $kind " "$dir/sniffer.out" | sort -u -k 2,3 | cut -c 1-110 | sed -n '1,3p' || true
done
"$bin/synod" ls --bus "$bus"

# ---- a worker dies ----

echo "== 2. the same, and worker2 is killed while it has chunks to count"
# it stands still first, so that it has taken none of its chunks to the end when it dies
kill -STOP "${workers[1]}"
start second "$bin/wordcount" --bus "$bus" --chunk 8192 --progress "${files[@]}"
second=$started
wait_for second "$second" progress
{
    kill -KILL "${workers[1]}"
    wait "${workers[1]}"
} 2>/dev/null || true
wait "$second" || die "the count with a dead worker failed"
stop "$second" "${workers[1]}"
check second
stop "${workers[0]}" "${workers[2]}" "${workers[3]}" # they take their leave of the broker
stop "$broker"

# ---- without a broker ----

echo "== 3. four workers and no broker"
workers=()
for i in 1 2 3 4; do
    start "direct$i" "$bin/synod" run "$lib/libwordcount.so" --node "direct$i" --listen "ipc://$dir/node$i" \
        --peer "ipc://$dir/node1"
    workers+=("$started")
done
for i in 1 2 3 4; do
    wait_for "direct$i" "${workers[i - 1]}" ready
done
start third "$bin/wordcount" --listen "ipc://$dir/feeder" --peer "ipc://$dir/node1" "${files[@]}"
third=$started
wait "$third" || die "the count without a broker failed"
stop "$third"
check third
stop "${workers[@]}"

# ---- into the table ----

echo "== 4. the counts are kept in the table, and one of its three nodes is killed"
start broker "$bin/synod" broker --listen "$bus" --heartbeat 200ms
broker=$started
tables=()
for i in 1 2 3; do
    start "table$i" "$bin/synod" run kv lock --bus "$bus" --node "table$i" --data "$dir/table$i" --heartbeat 200ms
    tables+=("$started")
done
# the coordinator is a node of its own: so all that it says is seen on the bus
start judge "$bin/synod" run vote --bus "$bus" --node judge --data "$dir/judge" --heartbeat 200ms
judge=$started
workers=()
for i in 1 2; do
    start "worker$i" "$bin/synod" run "$lib/libwordcount.so" --bus "$bus" --node "worker$i" --heartbeat 200ms
    workers+=("$started")
done
for i in 1 2 3; do
    wait_for "table$i" "${tables[i - 1]}" ready
done
wait_for judge "$judge" ready
"$bin/synod" ring init table1 table2 table3 judge --partitions 256 --wait --bus "$bus" >"$dir/ring.out" 2>"$dir/ring.err" \
    || die "the ring could not be made"
start fourth "$bin/wordcount" --bus "$bus" --table words/ --chunk 8192 --progress "${files[@]}"
fourth=$started
wait_for fourth "$fourth" 'progress'
{
    kill -KILL "${tables[1]}"
    wait "${tables[1]}"
} 2>/dev/null || true
wait "$fourth" || die "the count into the table failed"
stop "$fourth" "${tables[1]}"
check fourth
echo "   synod kv get words/the: $("$bin/synod" kv get words/the --bus "$bus")"
stop "${workers[@]}"

# ---- a summary, all or nothing ----

echo "== 5. a summary is published: three keys, on different partitions, under a lock, by one transaction"
start sniffer "$bin/synod" sniff --bus "$bus"
sniffer=$started
wait_for sniffer "$sniffer" ready
start fifth "$bin/wordcount" --bus "$bus" --table words/ --publish summary
fifth=$started
wait "$fifth" || die "the summary could not be published"
stop "$fifth"
check fifth
fence=$(sed -n 's/.*under fence //p' "$dir/fifth.err")
for key in totals top version; do
    partition=$("$bin/synod" ring --key "summary/$key" --type kv --bus "$bus" | sed 's/.*partition \([0-9]*\).*/\1/;q')
    value=$("$bin/synod" kv get "summary/$key" --bus "$bus" | tr '\n' ',' | cut -c 1-60)
    printf '   %-16s partition %3s: %s\n' "summary/$key" "$partition" "$value"
done
"$bin/synod" txn run add:summary/version=1 --fence $((fence - 1)) --bus "$bus" >"$dir/late.out" 2>"$dir/late.err" \
    && die "an old fence was not refused"
echo "   one who comes late, with fence $((fence - 1)): $(sed 's/^synod: //' "$dir/late.err")"
stop "$sniffer"
echo "== the life of the transaction, as the sniffer saw it"
# a line of it is TIME FROM TO KIND METHOD BODY SIZE; a participant's own messages have its number
id=$(sed -n 's/.*by transaction \([^,]*\),.*/\1/p' "$dir/fifth.err")
line='^([0-9:.]{12})[0-9]* ([^ ]+) ([^ ]+)'
ours="\"kind\":\"([a-z]+)\",\"id\":\"$id\".*"
sed -nE "s|wordcount-[0-9]+-[0-9a-f]+/[\$]handle|wordcount|; s|#$id |#ID |; t names
    : names
    s|$line tell [\$]txn .*$ours\"from\":([0-9]+).*\"(vote\|outcome)\":\"([a-z]+)\".*|\1 \2 \3 \5 \4: \7|p;t
    s|$line tell [\$]txn .*$ours|\1 \2 \3 - \4|p;t
    s|$line ask commit .*\"id\":\"$id\".*|\1 \2 \3 - commit, in three parts|p;t
    s|$line reply - .*\"id\":\"$id\",\"outcome\":\"([a-z]+)\".*|\1 \2 \3 - \4|p;t
    s|^([0-9:.]{12})[0-9]* ([^ ]+/lock) ([^ ]+) reply - .*\"token\":$fence,.*|\1 \2 \3 - granted, fence $fence|p;t
    s|^([0-9:.]{12})[0-9]* (wordcount) (lock#summary) ask ([a-z]+) .*|\1 \2 \3 - \4|p" "$dir/sniffer.out" |
    while read -r time from to number what; do
        parts=(totals top version)
        [[ $from != */kv ]] || from+="#summary/${parts[$number]}"
        printf '   %s  %-25s > %-19s %s\n' "$time" "$from" "$to" "$what"
    done | uniq -f 1 # an ask that was passed on was seen twice

echo "== done" # the table and its broker are killed on the way out: what they promised is on their disks
