#!/bin/bash
# In the guest of packaging/test/clock-jumps: one engine after the other, its deadlines watched while the clock jumps.
set -u
. ./lib.sh
. ./settings
port=8080
export BIND=127.0.0.1 PORT=$port WORK=sleep:2s READ_TIMEOUT=6s WRITE_TIMEOUT=6s IDLE_TIMEOUT=8s

for engine in $engines; do
    ./fastgo serve "$engine" >"$engine.log" 2>&1 &
    server=$!
    check "$engine: serves" within 30 healthy $port
    python3 jumps.py $port 5 -10 5 | sed "s/^/   # $engine: /"
    check "$engine: no deadline moved" [ "${PIPESTATUS[0]}" = 0 ]
    kill -TERM $server
    wait $server
    check "$engine: ends with 0" [ $? = 0 ]
done
summary
