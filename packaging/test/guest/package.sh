# What dpkg and apt make of the package: installation, settings, upgrade, downgrade, removal.

install() { apt-get install -y -q --allow-downgrades "$@" >apt.log 2>&1 || { cat apt.log; return 1; }; }
version() { dpkg-query -W -f '${Version}' fastgo; }
snapshot() { find /etc /usr /var /opt /home /root /srv -xdev ! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/var/tmp/*' ! -path '/var/lib/dpkg/*' ! -path '/var/lib/apt/*' ! -path '/var/lib/systemd/*' | sort; }

test_install() {
    local engine
    check "apt-get install" install ./old.deb
    check "fastgo.target is enabled" systemctl is-enabled --quiet fastgo.target
    for engine in $engines; do
        check "$engine: enabled" systemctl is-enabled --quiet "fastgo@$engine.service"
        check "$engine: active" active "$engine"
        check "$engine: healthy" healthy "${port[$engine]}"
        check "$engine: has a status line" [ -n "$(property "$engine" StatusText)" ]
    done
    check "sysctl drop-in applied" [ "$(cat /proc/sys/vm/max_map_count)" = 1048576 ]
    check "no failed unit" eval '! systemctl --failed --no-legend | grep .'
    check "man page" [ -s /usr/share/man/man1/fastgo.1.gz ]
    check "the installation says where to look" grep -F 'http://localhost:8080/compare3' apt.log
    check "fastgo status: all run" eval 'fastgo status >said && [ "$(grep -c "running " said)" = 3 ]'
    check "fastgo status without root" runuser -u nobody -- fastgo status
}

test_pages() {
    local engine page
    for engine in $engines; do
        for page in dashboard compare compare3; do
            check "$engine: /$page" contains "$(get "${port[$engine]}/$page")" '<html'
        done
        check "$engine: /metrics" contains "$(get "${port[$engine]}/metrics")" "\"server_type\":\"$engine\""
        check "$engine: /sse/metrics" eval "curl -sN -m 20 http://127.0.0.1:${port[$engine]}/sse/metrics | grep -m 1 'event: history'"
    done
}

# One file for three engines, and for the commands, which root runs.
test_registrations() {
    local engine answer course
    check "fastgo registrations demo" fastgo registrations demo
    course=$(get 8080/courses | sed -E 's/.*"courses":\[\{"id":"([^"]*)".*/\1/')
    for engine in $engines; do
        answer=$(curl -sS --max-time 20 -H 'Content-Type: application/json' \
            -d "{\"student_id\":\"$engine\",\"course_id\":\"$course\"}" "http://127.0.0.1:${port[$engine]}/registrations")
        check "$engine: a registration is accepted" contains "$answer" '"status":"enrolled"'
    done
    check "all are in one file" [ "$(fastgo registrations export | grep -cE 'worker-pool|may|hyper')" = 3 ]
    check "nobody else reads it" [ "$(stat -c %a /var/lib/private/fastgo)" = 750 ]
    sed -E 's/.*"registration_id":"([^"]*)".*/\1/' <<<"$answer" >/var/tmp/receipt
}

# The next boot is test_boot's, with an address for `may` that comes late.
test_power_cut() {
    setting may BIND 10.99.0.1
    sync /etc/fastgo/may.env
    reboot 195
}

# The package of release 0.1.0, with settings edited in its conffiles, becomes this one without a question.
test_upgrade_from_0_1_0() {
    local engine
    check "installation of 0.1.0" install ./first.deb
    check "0.1.0: its timer is enabled" systemctl is-enabled --quiet fastgo-throttled.timer
    setting may PORT 9181
    setting worker-pool WORK none
    systemctl restart fastgo@may.service
    check "0.1.0: serves" within 20 healthy 9181
    load 8080 9181 8082
    # As at a terminal: with a preset answer to no question, and nothing to read when one is asked.
    check "upgrade from it" eval 'env -u DEBIAN_FRONTEND apt-get install -y -q ./old.deb </dev/null >apt.log 2>&1 || { cat apt.log; false; }'
    for engine in 8080 9181 8082; do check "port $engine serves after the upgrade" within 30 healthy $engine; done
    unload
    check "the upgrade refused and lost nothing" unbroken
    check "the edited settings survive" eval 'grep -qx PORT=9181 /etc/fastgo/may.env && grep -qx WORK=none /etc/fastgo/worker-pool.env'
    check "they are in force" contains "$(get 8080/metrics)" '"work":"none"'
    check "no question, no other copy" eval '! ls /etc/fastgo/*dpkg* && ! grep -i "configuration file" apt.log'
    check "the timer is gone" eval '! systemctl is-active --quiet fastgo-throttled.timer && ! find /etc/systemd -name "fastgo-throttled*" | grep .'
    check "its successor is enabled" systemctl is-enabled --quiet fastgo-firmware.service
    check "purge" apt-get purge -y -q fastgo
    check "purge after an upgrade leaves nothing" eval '! leftovers | grep .'
}

# Engine $1 with setting $2=$3 does not start, says why in an error that contains $4, is tried again after growing pauses,
# and starts at once when somebody has corrected the setting.
refuses() {
    local engine=$1 began
    cp "/etc/fastgo/$engine.env" kept.env
    systemctl stop "fastgo@$engine.service"
    setting "$engine" "$2" "$3"
    began=$(date +%s)
    check "$engine with $2=$3 does not start" eval "! systemctl start fastgo@$engine.service"
    check "$engine with $2=$3 is tried again" within 60 eval "property $engine StatusText | grep 'failed [2-9] times'"
    sleep 15
    check "$engine with $2=$3: at most 6 starts in 15 s" [ "$(property "$engine" NRestarts)" -le 6 ]
    journalctl --sync
    check "$engine with $2=$3: an error says why" \
        contains "$(journalctl -q -t fastgo "FASTGO_ENGINE=$engine" FASTGO_EVENT=failed -p err --since "@$began" -o cat)" "$4"
    check "$engine with $2=$3: fastgo status says so" within 30 status_says failed
    cp kept.env "/etc/fastgo/$engine.env"
    check "$engine starts again, with no pause" timeout 15 systemctl restart "fastgo@$engine.service"
}

test_port_taken() {
    python3 -c 'import socket, time
s = socket.create_server(("::", 9999), family=socket.AF_INET6, dualstack_ipv6=True)
time.sleep(10000)' &
    local holder=$!
    within 10 eval "exec 9<>/dev/tcp/127.0.0.1/9999"
    refuses hyper PORT 9999 9999
    kill $holder
}

test_bad_settings() { refuses worker-pool READ_TIMEOUT soon READ_TIMEOUT; }

# From our repository alone: the guest reaches no other.
update() {
    apt-get update -q -o APT::Update::Error-Mode=any -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/etc/apt/sources.list.d
}

# `apt upgrade` from the signed repository, under load.
test_apt_upgrade() {
    local engine
    declare -A before
    systemctl disable --quiet --now fastgo@worker-pool.service
    for engine in may hyper; do before[$engine]=$(pid $engine); done
    setting may METRICS_LOG_INTERVAL 30s
    chmod 755 . # for apt's own user
    cp public/fastgo.asc /etc/apt/keyrings/
    sed "s#^URIs: .*#URIs: file:$PWD/public#" public/fastgo.sources >/etc/apt/sources.list.d/fastgo.sources
    check "apt-get update" update
    # The administrator's own value, lower than the package's.
    echo net.core.somaxconn=8192 >/etc/sysctl.d/90-own.conf
    sysctl -q -w net.core.somaxconn=8192
    load "${port[may]}" "${port[hyper]}"
    check "apt-get upgrade" eval 'apt-get upgrade -y -q >apt.log 2>&1 || { cat apt.log; false; }'
    check "upgrade: new version" [ "$(version)" = "$(dpkg-deb -f public/pool/main/f/fastgo/*.deb Version)" ]
    for engine in may hyper; do
        check "$engine: upgrade restarts it" within 20 replaced $engine "${before[$engine]}"
        check "$engine: healthy after the upgrade" within 15 healthy "${port[$engine]}"
    done
    unload
    check "upgrade refused and lost nothing" unbroken
    check "upgrade keeps the administrator's sysctl" [ "$(cat /proc/sys/net/core/somaxconn)" = 8192 ]
    rm /etc/sysctl.d/90-own.conf
    check "settings survive the upgrade" grep -qx METRICS_LOG_INTERVAL=30s /etc/fastgo/may.env
    check "an engine that was disabled stays so" eval '! active worker-pool'
    systemctl enable --quiet --now fastgo@worker-pool.service
    # Changed by somebody without the key.
    sed -i 's/^Label: fastgo/Label: other/' public/dists/stable/InRelease
    rm public/dists/stable/Release*
    check "a changed repository is refused" eval '! update'
    rm /etc/apt/sources.list.d/fastgo.sources /etc/apt/keyrings/fastgo.asc
}

# Up and down between the two packages, under load, as often as the plan says.
test_upgrades() {
    local engine turn
    declare -A before
    for ((turn = 1; turn <= repeat; turn++)); do
        for engine in $engines; do before[$engine]=$(pid "$engine"); done
        load "${port[@]}"
        if ((turn % 2)); then
            check "downgrade or reinstall $turn" install --reinstall ./old.deb
        else
            check "upgrade $turn" install ./public/pool/main/f/fastgo/*.deb
        fi
        for engine in $engines; do
            check "$engine: another process serves" within 20 replaced "$engine" "${before[$engine]}"
            check "$engine: healthy" within 15 healthy "${port[$engine]}"
        done
        unload
        check "upgrade $turn refused and lost nothing" unbroken
    done
}

test_downgrade() {
    check "downgrade" install ./old.deb
    check "downgrade: old version" [ "$(version)" = "$(dpkg-deb -f old.deb Version)" ]
    for engine in $engines; do check "$engine: healthy after the downgrade" within 15 healthy "${port[$engine]}"; done
    check "reinstall" install --reinstall ./old.deb
    for engine in $engines; do check "$engine: healthy after the reinstall" within 15 healthy "${port[$engine]}"; done
}

leftovers() { find /etc /usr /var /run -xdev -name '*fastgo*' ! -path '/run/test/*' ! -path '/var/log/*' ! -path '/run/systemd/*' 2>/dev/null; }

test_remove_and_purge() {
    check "remove" apt-get remove -y -q fastgo
    for engine in $engines; do check "$engine: stopped by the removal" eval "! active $engine"; done
    check "remove keeps the settings" grep -qx METRICS_LOG_INTERVAL=30s /etc/fastgo/may.env
    check "install after remove" install ./old.deb
    for engine in $engines; do check "$engine: healthy again" within 15 healthy "${port[$engine]}"; done
    check "settings are still there" grep -qx METRICS_LOG_INTERVAL=30s /etc/fastgo/may.env
    check "purge" apt-get purge -y -q fastgo
    check "purge leaves nothing" eval '! leftovers | grep .'
    snapshot >after
    check "purge leaves the file system as it was" diff /var/tmp/before after
    check "no process is left" eval '! pgrep -x fastgo'
}
