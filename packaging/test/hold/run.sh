#!/bin/bash
# In the guest of packaging/test/hold-60000: one engine after the other holds all connections and answers all requests.
set -u
. ./lib.sh
. ./settings
port=8080
max_server_mb=40 max_everything_mb=520
ulimit -n 200000

resident_mb() { awk '/^Rss:/ { print $2 / 1024 }' "/proc/$1/smaps_rollup"; }
used_mb() { awk '/^MemTotal:/ { total = $2 } /^MemAvailable:/ { print (total - $2) / 1024 }' /proc/meminfo; }
minus() { awk "BEGIN { print $1 - $2 }"; }
at_most() { awk "BEGIN { exit !($1 <= $2) }"; }
larger() { at_most "$1" "$2" && echo "$2" || echo "$1"; }
# field NAME: the first such number of the client's report.
field() { sed -En "s/^ *\"$1\": ([0-9.]+),?$/\1/p" "$engine.json" | head -n 1; }

check "the guest has 4 GB" at_most "$(awk '/^MemTotal:/ { print $2 / 1024 }' /proc/meminfo)" 4096
for engine in $engines; do
    before=$(used_mb)
    # The requests go to connections at random, so that some have none for longer than the default idle timeout.
    RUST_BACKTRACE=1 ./fastgo serve "$engine" --bind 127.0.0.1 --port $port --work none --idle-timeout 10m >"$engine.log" 2>&1 &
    server=$!
    check "$engine: serves" within 30 healthy $port
    at_rest=$(resident_mb $server)
    ./fastgo flood "http://127.0.0.1:$port/health" --connections "$connections" --ramp "$((connections / 1000))s" \
        --hold "${seconds_held}s" --rate "$rate" --json >"$engine.json" 2>"$engine.progress" &
    client=$!
    server_mb=0 everything_mb=0
    while kill -0 $client 2>/dev/null; do
        server_mb=$(larger "$server_mb" "$(resident_mb $server)")
        everything_mb=$(larger "$everything_mb" "$(minus "$(used_mb)" "$before")")
        sleep 1
    done
    wait $client
    code=$?
    echo "   # $(sed -n 's/^ *"verdict": "\(.*\)",$/\1/p' "$engine.json")"
    echo "   # $engine: at most $server_mb MB in the server ($at_rest MB before any connection), $everything_mb MB with kernel and client"
    check "$engine: $connections connections held" [ "$(field held_open)" = "$connections" ]
    check "$engine: no request failed" [ "$code $(field failed) $(field replaced_connections)" = "0 0 0" ]
    check "$engine: $rate requests a second were answered" at_most "$((rate * 98 / 100))" "$(field paced_answered_per_sec)"
    check "$engine: the server takes at most $max_server_mb MB" at_most "$server_mb" $max_server_mb
    check "$engine: kernel and client included, at most $max_everything_mb MB" at_most "$everything_mb" $max_everything_mb
    kill -TERM $server
    wait $server
    check "$engine: ends with 0" [ $? = 0 ]
done
summary
