# What holds when something runs wild: inside the slice, in a crash loop.

# Logs in for some seconds, and sets $slowest; probe.py runs in another slice, like ssh.
logins() { # logins SECONDS
    slowest=$(python3 probe.py "$1")
    echo "   # slowest login: $slowest s" >&3
    [ -n "$slowest" ]
}
# Each within a second.
logins_in_time() { logins "$1" && awk -v slowest="$slowest" 'BEGIN { exit !(slowest <= 1) }'; }

test_slice() {
    local engine
    check "the engines are in fastgo.slice" eval '[ "$(systemctl show -p Slice --value "fastgo@*" | sort -u | xargs)" = fastgo.slice ]'
    check "its memory is limited" grep -qE '^[0-9]+$' /sys/fs/cgroup/fastgo.slice/memory.max
    check "logins with nothing else" logins 5
    systemd-run --quiet --collect --unit=wild --slice=fastgo.slice bash -c 'for i in {1..16}; do while :; do :; done & done; wait'
    check "logins beside 16 processes in the slice that take all CPU" logins_in_time 15
    systemctl stop wild.service
    systemd-run --quiet --collect --unit=wild --slice=fastgo.slice \
        python3 -c 'taken = []
while True: taken.append(b"x" * (1 << 20))'
    check "a process in the slice takes all memory that it can get" within 180 slice_is_full
    check "logins beside it" logins_in_time 15
    echo "   # slice: $(($(cat /sys/fs/cgroup/fastgo.slice/memory.current) >> 20)) MB of $(($(cat /sys/fs/cgroup/fastgo.slice/memory.max) >> 20)) MB," \
        "$(xargs </sys/fs/cgroup/fastgo.slice/memory.events)"
    systemctl stop wild.service 2>/dev/null
    for engine in $engines; do check "$engine: healthy afterwards" within 60 healthy "${port[$engine]}"; done
}
slice_is_full() { grep -qE '^(high|max|oom) [1-9]' /sys/fs/cgroup/fastgo.slice/memory.events; }

# Counted over a minute: the first starts come close together, the later ones do not.
test_crash_loop() {
    local began lines
    mkdir -p /run/systemd/system/fastgo@hyper.service.d
    # Too little for its threads: it crashes at every start, whatever its settings.
    printf '[Service]\nLimitAS=24M\n' >/run/systemd/system/fastgo@hyper.service.d/crash.conf
    systemctl daemon-reload
    began=$(date +%s)
    check "an engine that crashes at its start does not start" eval '! systemctl restart fastgo@hyper.service'
    sleep 60
    journalctl --sync
    lines=$(journalctl -q _SYSTEMD_UNIT=fastgo@hyper.service + UNIT=fastgo@hyper.service --since "@$began" --until "@$((began + 60))" -o cat | wc -l)
    echo "   # $lines lines in the journal in 60 s, $(property hyper NRestarts) restarts"
    check "it is tried again" [ "$(property hyper NRestarts)" -ge 3 ]
    check "a crash loop writes at most one line a second" [ "$lines" -le 60 ]
    check "fastgo status says what is wrong" within 30 status_says "times in a row"
    rm -r /run/systemd/system/fastgo@hyper.service.d
    systemctl daemon-reload
    check "hyper starts again" timeout 90 systemctl restart fastgo@hyper.service
}
