# Where the engines listen: settings, addresses that come and go, cables.

setting() { sed -i "/^#*$2=/d" "/etc/fastgo/$1.env"; echo "$2=$3" >>"/etc/fastgo/$1.env"; }
unset_setting() { sed -i "/^$2=/d" "/etc/fastgo/$1.env"; }

# The board's cable: lan0 with 10.99.0.1, which another machine, a network namespace, reaches from 10.99.0.2.
lan() {
    ip netns add elsewhere
    ip link add lan0 type veth peer name eth0 netns elsewhere
    ip -n elsewhere address add 10.99.0.2/24 dev eth0
    ip -n elsewhere link set eth0 up
}
# What NetworkManager does with a cable that is plugged in or pulled out.
cable_in() { ip link set lan0 up && ip address replace 10.99.0.1/24 dev lan0; }
cable_out() { ip link set lan0 down && ip address flush dev lan0; }
# Engine $1 answers the other machine.
reached() { contains "$(ip netns exec elsewhere curl -sS --max-time 5 "http://10.99.0.1:${port[$1]}/health")" '"healthy"'; }

test_port_change() {
    local stored page engine
    stored=$(property may NFileDescriptorStore)
    setting may PORT 9081
    port[may]=9081
    systemctl restart fastgo@may.service
    check "a changed PORT takes effect on restart" healthy 9081
    check "the old port is closed" eval '! get 8081/health'
    check "its socket left the store" [ "$(property may NFileDescriptorStore)" = "$stored" ]
    for engine in worker-pool hyper; do
        check "$engine: its pages know the new port" within 10 eval "get ${port[$engine]}/metrics | grep -F '\"port\":9081'"
    done
}

# At the same port, with the old socket in the service manager's store.
test_bind_change() {
    local engine
    for engine in $engines; do
        setting "$engine" BIND 127.0.0.1
        check "$engine: restart with another BIND" systemctl restart "fastgo@$engine.service"
        check "$engine: listens there" healthy "${port[$engine]}"
        check "$engine: and nowhere else" eval "! curl -s --max-time 5 'http://[::1]:${port[$engine]}/health'"
        unset_setting "$engine" BIND
        check "$engine: restart with the first BIND" systemctl restart "fastgo@$engine.service"
        check "$engine: listens everywhere" curl -s --max-time 20 "http://[::1]:${port[$engine]}/health"
    done
}

# After the boot that test_power_cut prepared: the address of `may` is not there before second 30.
test_boot() {
    local engine before
    check "the guest was reset" [ "$BOOT" = 2 ]
    lan
    for engine in $engines; do check "$engine: active after the boot" within 30 active "$engine"; done
    check "no engine has failed since" eval '! journalctl -q -t fastgo -p err -o cat | grep .'
    before=$(pid may)
    until [ "$(cut -d. -f1 /proc/uptime)" -ge 30 ]; do sleep 0.2; done
    cable_in
    check "an address that comes after 30 s is served as soon as it is there" within 10 reached may
    check "by the process that waited for it" [ "$(pid may)" = "$before" ]
    check "the journal names the address" within 15 \
        eval "journalctl -q -t fastgo FASTGO_ENGINE=may FASTGO_EVENT=addresses -o cat | grep -F http://10.99.0.1:"
    check "the receipt from before the power cut is there" contains "$(fastgo registrations export)" "$(cat /var/tmp/receipt)"
}

# The cable is out for longer than the watchdog waits. `may` listens on its address alone, the others on all.
test_cable() {
    local engine
    declare -A before
    for engine in $engines; do
        before[$engine]=$(pid "$engine")
        check "$engine: reached by cable" within 10 reached "$engine"
    done
    cable_out
    sleep 20
    check "out: not reached" eval '! reached hyper'
    cable_in
    for engine in $engines; do
        check "$engine: reached when the cable is back" within 10 reached "$engine"
        check "$engine: the same process" [ "$(pid "$engine")" = "${before[$engine]}" ]
    done
    check "0 watchdog kills" eval '! journalctl -q -u "fastgo@*" --boot | grep -F "Watchdog timeout"'
    unset_setting may BIND
    systemctl restart fastgo@may.service
    check "may: listens everywhere again" within 10 healthy "${port[may]}"
    ip netns del elsewhere
}
