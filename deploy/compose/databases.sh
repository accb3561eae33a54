#!/bin/bash
# Makes logins, passwords and databases where they are missing; any number of times. The job `databases` of compose.yaml runs it
# in Postgres' image, as the superuser (PGHOST, PGUSER, PGPASSWORD); PASSWORD_<login> has each login's password.
set -euo pipefail

migrations=${MIGRATIONS:-/migrations}

database() { # name, folder under migrations, owner, the other logins
    local name=$1 folder=$2 owner=$3 login variable
    shift 2
    psql --quiet --set ON_ERROR_STOP=1 --dbname postgres --file "$migrations/$folder/roles.sql"
    for login in "$@"; do
        variable=PASSWORD_$login
        # Through the environment: a command line can be read by everybody, and a failing statement would be logged.
        PASSWORD=${!variable:?} psql --quiet --set ON_ERROR_STOP=1 --dbname postgres --set login="$login" <<'SQL'
SET log_min_error_statement = panic;
SET log_min_duration_statement = -1;
\getenv password PASSWORD
ALTER ROLE :"login" PASSWORD :'password';
SQL
    done
    psql --quiet --set ON_ERROR_STOP=1 --dbname postgres --set name="$name" --set owner="$owner" <<'SQL'
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
    for login in "$@"; do
        psql --quiet --set ON_ERROR_STOP=1 --dbname postgres --set name="$name" --set login="$login" <<'SQL'
GRANT CONNECT ON DATABASE :"name" TO :"login";
SQL
    done
    echo "$name: there"
}

database mintmark_control control-plane control_owner control_app control_sequencer
database mintmark_resolver resolver resolver_owner resolver_scan resolver_directory
database mintmark_preflight preflight-gateway preflight_owner preflight_gateway preflight_worker
database mintmark_evidence evidence-vault evidence_owner evidence_vault evidence_sequencer
