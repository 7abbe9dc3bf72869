#!/usr/bin/env bash
# Installs the peers that compare.py runs beside lifeboat, pinned, under the cache folder; run again it only looks.
#
#   from PyPI     ansible-core, DBOS and Patroni, each in a venv of its own
#   from crates   steno, in the small program of peers/steno
#
# Left out: Restate, whose server asks the internet for its newest release when it starts; Prefect, whose runs need a server
# beside them; and all that ships as a container alone. Nothing here is needed to build or to test lifeboat.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
peers="${XDG_CACHE_HOME:-$HOME/.cache}/lifeboat/peers"
mkdir -p "$peers"

venv() { # FOLDER PACKAGE==VERSION…
  local home="$1"
  shift
  if [ "$(cat "$home/.complete" 2>/dev/null)" = "$*" ]; then return; fi
  printf 'peers: from PyPI: %s\n' "$*"
  rm -rf "$home"
  /usr/bin/python3 -m venv "$home"
  "$home/bin/python" -m pip install --quiet --no-input --disable-pip-version-check "$@" </dev/null
  printf '%s' "$*" >"$home/.complete"
}

venv "$peers/ansible" ansible-core==2.19.14
venv "$peers/dbos" dbos==3.4.0
# Its servers run as the user postgres, who cannot read this user's home.
venv "${TMPDIR:-/tmp}/lifeboat-patroni" 'patroni[etcd3]==4.1.5' psycopg2-binary==2.9.11
chmod 755 "${TMPDIR:-/tmp}/lifeboat-patroni"
printf 'peers: from crates: steno\n'
cargo build --quiet --locked --release --manifest-path peers/steno/Cargo.toml --target-dir "$peers/steno" </dev/null
