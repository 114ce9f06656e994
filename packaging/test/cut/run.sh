#!/bin/bash
# In the guest: three engines and their students, until the power is cut; after the last cut, the export.
set -euo pipefail
cuts=$(cat cuts)
chmod +x fastgo
# The disk, unlike the test's own directory, outlasts a reset.
export STATE_DIRECTORY=/var/lib/fastgo RATE_LIMIT_STUDENT=off RATE_LIMIT_ADDRESS=off WORK=none METRICS_LOG_INTERVAL=0s
mkdir -p $STATE_DIRECTORY
if [ "$BOOT" = 1 ]; then
    ./fastgo registrations demo >/dev/null
    sync
fi
if [ "$BOOT" -gt "$cuts" ]; then
    ./fastgo registrations export
    exit 0
fi
./fastgo all >/dev/null 2>&1 </dev/null &
for port in 8080 8081 8082; do
    for ((try = 0; try < 300; try++)); do
        curl -sf "http://127.0.0.1:$port/health" >/dev/null && break
        sleep 0.1
    done
done
python3 students.py "$BOOT" 2>/dev/null &
# A second after the first answers, somewhere in the middle of a batch.
for ((try = 0; try < 300; try++)); do
    [ -s acknowledged ] && break
    sleep 0.1
done
sleep "$((1 + RANDOM % 3)).$((RANDOM % 10))"
exit 195
