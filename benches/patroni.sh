#!/usr/bin/env bash
# One failover by Patroni on this machine: two nodes over one etcd, `kill -9` of the leader's Patroni and PostgreSQL, and the
# seconds until the other node takes a write, on standard output.
#
#   benches/patroni.sh TTL LOOP_WAIT RETRY_TIMEOUT
#
# Patroni comes from peers.sh, etcd and PostgreSQL from Debian. Everything listens on 127.0.0.1, lives in a temporary folder and ends
# with this script.
set -euo pipefail
ttl=$1 loop=$2 retry=$3
home="${TMPDIR:-/tmp}/lifeboat-patroni"
[ -e "$home/.complete" ] || { echo "patroni is not installed: benches/peers.sh" >&2; exit 1; }
folder=$(mktemp -d) started=()
chmod 755 "$folder"
chown postgres: "$folder"
end() {
  # shellcheck disable=SC2046 # one word a process id
  kill -9 "${started[@]}" $(cat "$folder"/?/postmaster.pid 2>/dev/null | grep -E '^[0-9]{2,}$' | head -n 8) 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap end EXIT
as() { exec setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/nowhere "$@"; }
port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

client=$(port) peer=$(port)
(as /usr/bin/etcd --data-dir "$folder/etcd" --listen-client-urls "http://127.0.0.1:$client" \
  --advertise-client-urls "http://127.0.0.1:$client" --listen-peer-urls "http://127.0.0.1:$peer" \
  --initial-advertise-peer-urls "http://127.0.0.1:$peer" --initial-cluster "default=http://127.0.0.1:$peer" \
  --log-level error) >"$folder/etcd.log" 2>&1 &
started+=($!)

declare -A database api process
node() {
  database[$1]=$(port) api[$1]=$(port)
  cat >"$folder/$1.yml" <<YAML
scope: bench
name: $1
restapi: {listen: "127.0.0.1:${api[$1]}", connect_address: "127.0.0.1:${api[$1]}"}
etcd3: {host: "127.0.0.1:$client"}
bootstrap:
  dcs:
    {ttl: $ttl, loop_wait: $loop, retry_timeout: $retry, maximum_lag_on_failover: 1048576,
     postgresql: {use_pg_rewind: true, parameters: {wal_retrieve_retry_interval: 100ms}}}
  initdb: [{encoding: UTF8}, data-checksums]
  pg_hba: ["host replication all 127.0.0.1/32 trust", "host all all 127.0.0.1/32 trust", "local all all trust"]
postgresql:
  listen: "127.0.0.1:${database[$1]}"
  connect_address: "127.0.0.1:${database[$1]}"
  data_dir: $folder/$1
  bin_dir: /usr/lib/postgresql/15/bin
  pgpass: $folder/pgpass-$1
  authentication: {replication: {username: rep, password: x}, superuser: {username: postgres, password: x}}
  parameters: {unix_socket_directories: $folder, shared_buffers: 64MB}
YAML
  (as "$home/bin/patroni" "$folder/$1.yml") >"$folder/$1.log" 2>&1 &
  process[$1]=$!
  started+=($!)
}
answers() { /usr/bin/python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "$1" 2>/dev/null; }
until_answers() {
  for _ in $(seq 240); do
    if answers "$1"; then return; fi
    sleep 0.5
  done
  cat "$folder"/*.log >&2
  exit 1
}
sql() { psql -XAtq -h 127.0.0.1 -p "$1" -U postgres -d postgres -c "$2"; }

node a
until_answers "http://127.0.0.1:${api[a]}/primary"
node b
until_answers "http://127.0.0.1:${api[b]}/replica?lag=1MB"
sql "${database[a]}" 'create table t (id bigserial primary key)'
sql "${database[a]}" 'insert into t default values'
# Into another moment of the loop each time.
sleep "$((2 + RANDOM % loop)).$((RANDOM % 10))"
began=$(date +%s.%N)
kill -9 "${process[a]}" "$(head -n 1 "$folder/a/postmaster.pid")"
until PGCONNECT_TIMEOUT=1 sql "${database[b]}" 'insert into t default values' 2>/dev/null; do sleep 0.02; done
/usr/bin/python3 -c 'import sys, time; print(round(time.time() - float(sys.argv[1]), 2))' "$began"
