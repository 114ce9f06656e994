#!/bin/bash
# Runs once, when the data of the primary is made: roles and database, who may connect, and whom commits wait for.
set -eu
psql --no-psqlrc --username postgres --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" <<'SQL'
CREATE ROLE fastgo LOGIN PASSWORD :'password';
CREATE ROLE standby LOGIN REPLICATION PASSWORD :'password';
CREATE DATABASE school OWNER fastgo;
-- Holds from the next start on, which is the first with a network.
ALTER SYSTEM SET synchronous_standby_names = 'db1, db2';
SQL
cat >"$PGDATA/pg_hba.conf" <<'HBA'
local all         postgres     trust
host  school      fastgo   all scram-sha-256
host  replication standby  all scram-sha-256
HBA
