#!/bin/bash
# The life of the package on a real system, in the guest: old.deb is installed, disturbed in every way, upgraded to
# new.deb (built with the feature test-hooks), downgraded, removed and purged.
set -u
exec 3>&1 # for remarks between the assertions
. ./lib.sh
. ./systemd.sh
. ./package.sh

snapshot() { find /etc /usr /var /opt /home /root /srv -xdev ! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/var/tmp/*' ! -path '/var/lib/dpkg/*' ! -path '/var/lib/apt/*' ! -path '/var/lib/systemd/*' | sort; }
snapshot >before

test_install
test_pages
test_journal
test_sandbox
test_board
test_kill
test_restart
test_reload
test_port_change
test_port_taken
test_bad_settings
test_upgrade
test_hang
test_downgrade
test_remove_and_purge
summary
