# What systemd makes of the engines: journal, sandbox, crash, restart, reload, hang.

engines='worker-pool may hyper'
declare -A port=([worker-pool]=8080 [may]=8081 [hyper]=8082)

journal_has() { [ -n "$(journalctl -q -t fastgo "$@" --no-pager -o cat)" ]; }

test_journal() {
    local engine
    for engine in $engines; do
        check "$engine: the journal has FASTGO_ENGINE, FASTGO_EVENT and a priority" \
            journal_has "FASTGO_ENGINE=$engine" FASTGO_EVENT=listening PRIORITY=6
        check "$engine: the journal names its address" \
            contains "$(journalctl -q -t fastgo "FASTGO_ENGINE=$engine" -o cat)" ":${port[$engine]}"
    done
    check "no error on start" eval '! journal_has -p err'
    check "no colour codes" eval '! journalctl -q -t fastgo -o cat --all | grep $'"'\e'"
}

# The exposure of unit $1, as systemd-analyze puts it, is at most $2.
exposure() {
    local level
    level=$(systemd-analyze security --no-pager "$1" | awk '/Overall exposure level/ { print $(NF - 2) }')
    echo "   # systemd-analyze security $1: $level" >&3
    awk -v level="$level" -v limit="$2" 'BEGIN { exit !(level != "" && level <= limit) }'
}

test_sandbox() {
    local engine reading
    for engine in $engines; do
        check "$engine: systemd-analyze security <= 1.5" exposure "fastgo@$engine.service" 1.5
        check "$engine: not root" [ "$(stat -c %u "/proc/$(pid "$engine")")" != 0 ]
        for reading in load memory sockets; do
            check "$engine: the board's $reading is read" contains "$(get "${port[$engine]}/metrics")" "\"$reading\":{"
        done
        check "$engine: open-file limit" \
            contains "$(grep 'open files' "/proc/$(pid "$engine")/limits")" 1048576
    done
    check "fastgo-throttled: systemd-analyze security <= 2" exposure fastgo-throttled.service 2
}

# vcgencmd exists only on a Raspberry Pi; this one says what a board with a weak supply would.
test_board() {
    check "without vcgencmd the throttle timer rests" eval '! systemctl is-active --quiet fastgo-throttled.timer'
    printf '#!/bin/sh\necho throttled=0x50005\n' >/usr/bin/vcgencmd
    chmod 755 /usr/bin/vcgencmd
    systemctl start fastgo-throttled.timer
    check "with vcgencmd its answer reaches the metrics" within 20 contains_throttled
    systemctl stop fastgo-throttled.timer
    rm -f /usr/bin/vcgencmd
}
contains_throttled() { contains "$(get 8080/metrics)" '"bits":327685'; }

microseconds() { sed 's/\.\([0-9]*\).*/\10000/' /proc/uptime; } # since boot
# Engine $1 was started again within $2 seconds of time $3, by the service manager's clock: the guest's shell may be slow
# to find out. (How soon a started engine is ready, check-deb measures where nothing is emulated.)
started_again() {
    local took=$(($(property "$1" ExecMainStartTimestampMonotonic) - $3))
    echo "   # $1: started again after $((took / 1000)) ms" >&3
    [ $took -gt 0 ] && [ $took -le $(($2 * 1000000)) ]
}

# survives SECONDS WHAT COMMAND: COMMAND ENGINE disturbs every engine, under load; each must be back within SECONDS.
survives() {
    local limit=$1 what=$2 disturb=$3 engine
    declare -A before since
    for engine in $engines; do before[$engine]=$(pid "$engine"); done
    load "${port[@]}"
    for engine in $engines; do
        since[$engine]=$(microseconds)
        $disturb "$engine"
    done
    for engine in $engines; do
        check "$engine: $what: another process serves" within 90 replaced "$engine" "${before[$engine]}"
        check "$engine: $what: started again within $limit s" started_again "$engine" "$limit" "${since[$engine]}"
        check "$engine: $what: healthy" within 20 healthy "${port[$engine]}"
    done
    unload
    # Each of the two clients of each engine may lose what it was being answered when the process died.
    check "$what: no connection refused" unbroken 6
}

kill_hard() { kill -9 "$(pid "$1")"; }
test_kill() { survives 5 "kill -9" kill_hard; }

test_restart() {
    local engine
    load 8080 8081 8082
    check "systemctl restart of one engine" systemctl restart fastgo@hyper.service
    check "systemctl restart of the target" systemctl restart fastgo.target
    for engine in $engines; do check "$engine: active after restart" within 15 active "$engine"; done
    unload
    check "systemctl restart refused and lost nothing" unbroken
}

test_reload() {
    local before
    before=$(pid may)
    check "systemctl reload" systemctl reload fastgo@may.service
    check "reload keeps the process" [ "$(pid may)" = "$before" ]
    check "reload says what it did" journal_has FASTGO_ENGINE=may FASTGO_EVENT=reload
}

# Wedges engine $1 for good; the package under test is built with test-hooks. By the shell alone, for a curl takes half a
# second to begin here; the connection stays open until the engine's process ends.
hang() {
    local connection
    exec {connection}<>"/dev/tcp/127.0.0.1/${port[$1]}"
    printf 'POST /test/hang HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n' >&$connection
}
test_hang() {
    local engine
    survives $(($(systemctl cat fastgo@.service | sed -n 's/^WatchdogSec=//p') + 5)) "a hang" hang
    for engine in $engines; do
        check "$engine: it was the watchdog" \
            contains "$(journalctl -q -u "fastgo@$engine.service" --no-pager)" 'Watchdog timeout'
    done
}
