# What systemd makes of the engines: journal, sandbox, crash, restart, reload, hang.

engines='worker-pool may hyper'
declare -A port=([worker-pool]=8080 [may]=8081 [hyper]=8082)

# `fastgo status` fails and says $1: not at every moment, for an engine that is being started has said nothing yet.
status_says() { { ! fastgo status >said && grep -F -- "$1" said; } || { cat said; return 1; }; }
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
        check "$engine: systemd-analyze security <= 1.2" exposure "fastgo@$engine.service" 1.2
        check "$engine: not root" [ "$(stat -c %u "/proc/$(pid "$engine")")" != 0 ]
        for reading in load memory sockets; do
            check "$engine: the board's $reading is read" contains "$(get "${port[$engine]}/metrics")" "\"$reading\":{"
        done
        check "$engine: open-file limit" \
            contains "$(grep 'open files' "/proc/$(pid "$engine")/limits")" 1048576
    done
    check "fastgo-firmware: systemd-analyze security <= 1.2" exposure fastgo-firmware.service 1.2
}

# No board here: a device that is no firmware, and readings as the firmware's service would leave them.
test_board() {
    local began
    check "without the device the firmware is not asked" eval '! systemctl is-active --quiet fastgo-firmware.service'
    mknod /dev/vcio c 1 3
    began=$(date +%s)
    systemctl start fastgo-firmware.service
    sleep 6
    check "a device that does not answer is logged once" \
        [ "$(journalctl -q -t fastgo FASTGO_EVENT=firmware --since "@$began" -o cat | wc -l)" = 1 ]
    systemctl stop fastgo-firmware.service
    rm -f /dev/vcio
    mkdir -p /run/fastgo/firmware
    echo "uptime=$(cut -d' ' -f1 /proc/uptime)" >/run/fastgo/firmware/readings
    echo throttled=0x50005 >>/run/fastgo/firmware/readings
    check "its readings reach the metrics" within 5 contains_throttled
    check "and are dropped when they are not renewed" within 20 eval '! contains_throttled'
    rm -r /run/fastgo/firmware
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
    # Each of the two clients of each engine may lose the answer in progress when the process ends.
    check "$what: no connection refused" unbroken 6
}

# repeated COMMAND...: as often as the plan says, each time as after a long run: without a pause before the next start.
repeated() {
    local turn
    for ((turn = 1; turn <= repeat; turn++)); do
        rm -f /var/lib/private/fastgo/*.runs.json
        "$@"
    done
}

kill_hard() { kill -9 "$(pid "$1")"; }
test_kill() { repeated survives 8 "kill -9" kill_hard; }

# By hand, not through systemctl stop: an appliance comes back.
terminate() { kill -TERM "$(pid "$1")"; }
test_terminate() { survives 8 "SIGTERM" terminate; }

restart_all() {
    local engine
    load "${port[@]}"
    check "systemctl restart of one engine" systemctl restart fastgo@hyper.service
    check "systemctl restart of the target" systemctl restart fastgo.target
    for engine in $engines; do check "$engine: active after restart" within 15 active "$engine"; done
    unload
    check "systemctl restart refused and lost nothing" unbroken
}
test_restart() { repeated restart_all; }

test_reload() {
    local before
    before=$(pid may)
    printf 'WORK=sleep:3ms\nTHREADS=3\nACCESS_TOKEN=\n' >>/etc/fastgo/may.env
    check "systemctl reload" systemctl reload fastgo@may.service
    check "reload keeps the process" [ "$(pid may)" = "$before" ]
    check "reload changes the work" within 10 eval 'contains "$(get ${port[may]}/metrics)" sleep:3ms'
    check "reload says what it did, and what takes a restart" within 10 eval \
        'contains "$(journalctl -q -t fastgo FASTGO_ENGINE=may FASTGO_EVENT=reload -o cat)" "WORK; takes a restart: THREADS"'
    echo 'WORK=nap' >>/etc/fastgo/may.env
    check "reload refuses wrong settings" eval '! systemctl reload fastgo@may.service'
    check "and says which" eval 'contains "$(journalctl -q -u fastgo@may.service -o cat)" "WORK=\"nap\""'
    check "and the engine goes on as it was" eval 'contains "$(get ${port[may]}/metrics)" sleep:3ms && [ "$(pid may)" = "$before" ]'
    sed -i '/^WORK=/d; /^THREADS=/d; /^ACCESS_TOKEN=/d' /etc/fastgo/may.env
    check "systemctl reload without them" systemctl reload fastgo@may.service
    check "goes back to the defaults" within 10 eval 'contains "$(get ${port[may]}/metrics)" sleep:10ms'
}

# Blocks engine $1 for ever; the package under test is built with test-hooks. By the shell alone, for a curl takes half a
# second to begin here; the connection stays open until the engine's process ends.
hang() {
    local connection
    exec {connection}<>"/dev/tcp/127.0.0.1/${port[$1]}"
    printf 'POST /test/hang HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n' >&$connection
}
# A client that connects to a hung engine waits at most 12 s for an answer.
hangs() {
    local engine=$1 before
    before=$(pid "$engine")
    load "${port[$engine]}"
    hang "$engine"
    check "$engine: a hang: another process serves" within 60 replaced "$engine" "$before"
    check "$engine: a hang: healthy" within 20 healthy "${port[$engine]}"
    unload
    check "$engine: a hang: no connection refused" unbroken 2
    check "$engine: a hang: answered within 12 s" awk -v slowest="$slowest" 'BEGIN { exit !(slowest <= 12) }'
}
test_hang() {
    local engine
    for engine in $engines; do
        repeated hangs "$engine"
        check "$engine: it was the watchdog" \
            contains "$(journalctl -q -u "fastgo@$engine.service" --no-pager)" 'Watchdog timeout'
        check "$engine: the reason is kept" contains "$(get "${port[$engine]}/metrics")" '"reason":"watchdog'
    done
}
