# What dpkg and apt make of the package: installation, settings, upgrade, downgrade, removal.

install() { apt-get install -y -q --allow-downgrades "$@" >apt.log 2>&1 || { cat apt.log; return 1; }; }
version() { dpkg-query -W -f '${Version}' fastgo; }
setting() { sed -i "/^#*$2=/d" "/etc/fastgo/$1.env"; echo "$2=$3" >>"/etc/fastgo/$1.env"; }

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

test_port_change() {
    local stored
    stored=$(property may NFileDescriptorStore)
    setting may PORT 9081
    port[may]=9081
    systemctl restart fastgo@may.service
    check "a changed PORT takes effect on restart" healthy 9081
    check "the old port is closed" eval '! get 8081/health'
    check "its socket left the store" [ "$(property may NFileDescriptorStore)" = "$stored" ]
}

tried_again() { [ "$(property "$1" NRestarts)" != 0 ] || [ "$(property "$1" ActiveState)" != failed ]; }
# Engine $1 with setting $2=$3 refuses to start, says so in one line that contains $4, and is left alone.
refuses() {
    local engine=$1
    cp "/etc/fastgo/$engine.env" kept.env
    systemctl stop "fastgo@$engine.service"
    setting "$engine" "$2" "$3"
    check "$engine with $2=$3 does not start" eval "! systemctl start fastgo@$engine.service"
    # Six of its RestartSec: time for a storm, if one came.
    check "$engine with $2=$3 is not tried again" eval "! within 3 tried_again $engine"
    journalctl --sync
    journalctl -q -t fastgo "_SYSTEMD_INVOCATION_ID=$(property "$engine" InvocationID)" -o cat >said
    check "$engine with $2=$3: one line says why" eval "cat said; [ \"\$(wc -l <said)\" = 1 ] && grep -F '$4' said"
    cp kept.env "/etc/fastgo/$engine.env"
    check "$engine starts again" systemctl start "fastgo@$engine.service"
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

test_bad_settings() { refuses worker-pool READ_TIMEOUT soon read-timeout; }

test_upgrade() {
    local engine before
    systemctl disable --quiet --now fastgo@worker-pool.service
    declare -A before=([may]=$(pid may) [hyper]=$(pid hyper))
    load 9081 8082
    check "upgrade" install ./new.deb
    check "upgrade: new version" [ "$(version)" = "$(dpkg-deb -f new.deb Version)" ]
    for engine in may hyper; do
        check "$engine: upgrade restarts it" within 20 replaced "$engine" "${before[$engine]}"
        check "$engine: healthy after the upgrade" within 15 healthy "${port[$engine]}"
    done
    unload
    check "upgrade refused and lost nothing" unbroken
    check "settings survive the upgrade" grep -qx PORT=9081 /etc/fastgo/may.env
    check "an engine that was disabled stays so" eval '! active worker-pool'
    systemctl enable --quiet --now fastgo@worker-pool.service
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
    check "remove keeps the settings" grep -qx PORT=9081 /etc/fastgo/may.env
    check "install after remove" install ./old.deb
    for engine in $engines; do check "$engine: healthy again" within 15 healthy "${port[$engine]}"; done
    check "settings are still there" grep -qx PORT=9081 /etc/fastgo/may.env
    check "purge" apt-get purge -y -q fastgo
    check "purge leaves nothing" eval '! leftovers | grep .'
    snapshot >after
    check "purge leaves the file system as it was" diff before after
    check "no process is left" eval '! pgrep -x fastgo'
}
