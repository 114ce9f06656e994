# What the tests share: assertions that print one line each, waiting, and (in the guest) a client that makes load.

passed=0 failed=0

# check NAME COMMAND...: one assertion; what the command printed follows when it fails. The command runs in this shell.
check() {
    local name=$1 output
    output=$(mktemp)
    shift
    if "$@" >"$output" 2>&1; then
        passed=$((passed + 1))
        echo "ok - $name"
    else
        failed=$((failed + 1))
        echo "not ok - $name"
        { printf '%s\n' "$*" && cat "$output"; } | cut -c1-300 | head -n 30 | sed 's/^/    # /'
    fi
    rm -f "$output"
}

# The count, and success only when nothing failed and something was tried.
summary() {
    echo "$passed passed, $failed failed"
    [ $failed = 0 ] && [ $passed -gt 0 ]
}

# within SECONDS COMMAND...: tries until it succeeds or the time is over.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || { "$@"; return; }
        sleep 0.1
    done
}

contains() { grep -qF -- "$2" <<<"$1" || { printf '%s\n' "$1" | tail -n 20; return 1; }; }
get() { curl -sS --max-time 20 "http://127.0.0.1:$1"; }
healthy() { contains "$(get "$1/health")" '"healthy"'; }
property() { systemctl show --property "$2" --value "fastgo@$1.service"; }
active() { [ "$(property "$1" ActiveState)" = active ]; }
pid() { property "$1" MainPID; }
# Another process than PID $2 serves engine $1.
replaced() {
    local state
    state=$(systemctl show --property ActiveState,MainPID "fastgo@$1.service")
    grep -qx ActiveState=active <<<"$state" && ! grep -qxE "MainPID=($2|0)" <<<"$state"
}

# A client of its own for the ports given, until unload, which leaves its counts in $answered, $refused, $lost, ...
load() {
    python3 client.py "$@" >client.out &
    client=$!
}
unload() {
    kill -TERM $client
    wait $client
    eval "$(cat client.out)"
    echo "   # $(cat client.out)"
}
# The client was answered in time and never refused, and it lost at most $1 responses (default: none).
unbroken() {
    [ "$refused" = 0 ] && [ "$other" = 0 ] && [ "$late" = 0 ] && [ "$lost" -le "${1:-0}" ] && [ "$answered" -gt 0 ]
}
