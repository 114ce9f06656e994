#!/bin/bash
# Entry point of db1 and db2. A server without data becomes the standby of the other one, if that is a primary; otherwise db1
# makes a new database, and db2 waits.
set -eu
peer_is_primary() {
    psql --no-psqlrc --tuples-only --no-align --command 'SELECT NOT pg_is_in_recovery()' \
        "host=$PEER dbname=school user=fastgo password=$POSTGRES_PASSWORD connect_timeout=5" 2>/dev/null | grep -qx t
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    while ! peer_is_primary && [ "$HOSTNAME" != db1 ]; do sleep 1; done
    if peer_is_primary; then
        chmod 700 "$PGDATA"
        pg_basebackup --pgdata "$PGDATA" --write-recovery-conf --checkpoint fast \
            --dbname "host=$PEER user=standby password=$POSTGRES_PASSWORD application_name=$HOSTNAME"
        # Once promoted, it has no standby to wait for.
        echo "synchronous_standby_names = ''" >>"$PGDATA/postgresql.auto.conf"
    fi
elif [ ! -e "$PGDATA/standby.signal" ] && peer_is_primary; then
    echo "$PEER was promoted and is the primary now. To make this server its standby, remove the volume of $HOSTNAME." >&2
    exit 1
fi
exec docker-entrypoint.sh "$@"
