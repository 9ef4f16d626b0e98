# Make the cluster on the first start, then run the server in this process's place.
set -eu
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  fi
  if [ -z "${POSTGRES_PASSWORD:-}" ]; then
    echo "POSTGRES_PASSWORD is not set: give the database's superuser a password." >&2
    exit 1
  fi
  umask 077
  printf '%s\n' "$POSTGRES_PASSWORD" > /tmp/password
  # In a folder of its own until it is whole, so that a start that was cut short leaves no half a cluster.
  rm -rf "$PGDATA/new"
  initdb -D "$PGDATA/new" --username="$user" --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 \
    --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/new/pg_hba.conf"
  if [ "$database" != postgres ]; then
    printf 'CREATE DATABASE "%s";\n' "$database" | postgres --single -D "$PGDATA/new" postgres > /dev/null
  fi
  version=$(cat "$PGDATA/new/PG_VERSION")
  rm "$PGDATA/new/PG_VERSION"
  for entry in "$PGDATA"/new/*; do mv "$entry" "$PGDATA/"; done
  rmdir "$PGDATA/new"
  echo "$version" > "$PGDATA/PG_VERSION"
fi
unset POSTGRES_PASSWORD
exec postgres -D "$PGDATA" -k /run/postgresql -c listen_addresses='*' "$@"
