# Shared by the shell scripts here and in packaging, run in the top folder. Assertions (check, summary, within): those of
# the tests of the package. set -e does not hold inside a function that check calls: join its steps with &&.
. packaging/test/lib.sh

# stage NAME COMMAND...: prints the name and the time; a command that fails ends the run with its exit code. Needs set -e,
# which holds inside a function that is the command, too.
stage() {
    local name=$1 start=$SECONDS
    echo "=== $name"
    trap "echo '=== $name: FAILED ('\$?') after '\$((SECONDS - $start))' s'; end_aside" EXIT
    shift
    "$@"
    trap - EXIT
    echo "=== $name: $((SECONDS - start)) s"
}

# measured COMMAND...: a measurement that misses its limit because something else ran on the machine is repeated: it has to
# hold once in three times. For stages that compare times; a wrong answer fails each time.
measured() {
    local attempt
    for attempt in 1 2; do
        ! "$@" || return 0
        echo "=== missed: measured again"
    done
    "$@"
}

# aside NAME COMMAND...: the same beside the stages that follow; `join_aside` waits for it and prints what it printed.
aside() {
    aside=$1
    mkdir -p target/ci
    # A process group of its own, for end_aside.
    set -m
    stage "$@" >"target/ci/$aside.log" 2>&1 &
    set +m
    aside_pid=$!
    echo "=== $aside: beside the next stages"
}

join_aside() {
    local code=0
    wait "$aside_pid" || code=$?
    aside_pid=
    cat "target/ci/$aside.log"
    [ $code = 0 ] || exit $code
}

end_aside() {
    [ -z "${aside_pid:-}" ] || kill -- "-$aside_pid" 2>/dev/null || true
}

# apt_install PACKAGE...: from Debian, without starting the services that a package brings.
apt_install() {
    local policy=/usr/sbin/policy-rc.d code=0
    [ -e $policy ] && policy=
    [ -z "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy; }
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "$@" || code=$?
    [ -z "$policy" ] || rm -f $policy
    return $code
}
