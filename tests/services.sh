#!/bin/sh
# Runs a command beside a PostgreSQL server of its own, whose URL is in LOBGYM_TEST_POSTGRES: Debian's package, installed if it is missing.
# The server listens on a socket in a temporary directory only, and goes with the command.
set -eu

find_programs() {
    for directory in /usr/lib/postgresql/*/bin "$(dirname "$(command -v initdb || echo /nowhere)")"; do
        if [ -x "$directory/initdb" ] && [ -x "$directory/postgres" ]; then echo "$directory"; return; fi
    done
}

programs=$(find_programs)
if [ -z "$programs" ]; then
    echo "installing the package postgresql" >&2
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
    programs=$(find_programs)
fi
if [ -z "$programs" ]; then
    echo "there is no PostgreSQL server: install Debian's package postgresql" >&2
    exit 1
fi

place=$(mktemp -d "${TMPDIR:-/tmp}/lobgym-postgres.XXXXXX")
# PostgreSQL does not run as root; the package has made a user for it.
run() { "$@"; }
if [ "$(id -u)" = 0 ]; then
    chown postgres "$place"
    run() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
fi
cd "$place"
run "$programs/initdb" --pgdata="$place/data" --username=lobgym --auth=trust --encoding=UTF8 --locale=C >"$place/initdb.log"
finish() {
    run "$programs/pg_ctl" --pgdata="$place/data" --mode=immediate stop >/dev/null 2>&1 || true
    rm -rf "$place"
}
trap finish EXIT
trap 'exit 130' INT TERM
run "$programs/pg_ctl" --pgdata="$place/data" --log="$place/data/log" --wait \
    --options="-c listen_addresses='' -c unix_socket_directories='$place'" start >/dev/null
cd "$OLDPWD"
LOBGYM_TEST_POSTGRES="postgresql://lobgym@/postgres?host=$place" "$@"
