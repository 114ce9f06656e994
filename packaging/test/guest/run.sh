#!/bin/bash
# The life of the package on a real system, in the guest. first.deb is release 0.1.0, old.deb the package under test, and
# public/ a signed apt repository with new.deb: the same with a higher version, built with the feature test-hooks.
# The file `plan` says what to run: tests="NAME..." and repeat=N, how often each disturbance comes.
set -u
exec 3>&1 # for remarks between the assertions
. ./lib.sh
. ./systemd.sh
. ./network.sh
. ./fences.sh
. ./package.sh
. ./plan

# What outlives a reboot: the counts and the tests that are still to come.
state=/var/tmp/state
if [ "$BOOT" = 1 ]; then
    left="$tests"
    snapshot >/var/tmp/before
else
    . $state
fi
# reboot CODE: ends this boot as packaging/test/vm says; the next test runs after it.
reboot() {
    declare -p passed failed left port >$state
    sync $state
    exit "$1"
}

while [ -n "$left" ]; do
    read -r test left <<<"$left"
    began=$SECONDS
    "test_$test"
    echo "   # $test: $((SECONDS - began)) s"
done
summary
